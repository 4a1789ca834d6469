# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""The settings of a manifest: ``determined.yml``, the overlay's over the top one."""

from __future__ import annotations

import copy
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .._kinds.lookup import nearest
from .manifest import PRUNE_MODES, SETTINGS, Document, Position, Settings
from .manifest_values import Failed, Wrong, all_of, merged_overlay, option_in, what_is, worked_out


def read_settings(
    documents: t.Sequence[Document], prune: t.Mapping[str, str] | None, kinds: t.Collection[str], wrong: Wrong
) -> Settings:
    """Check the settings; where they are wrong, which has been noted, the defaults.

    :param documents: the top settings, then the overlay's.
    :param prune: takes the place of their ``prune``.
    :param kinds: all kinds that can be declared, in the plural.
    """
    said: dict[str, t.Any] = {}
    places: dict[str, Position] = {}
    right = True
    for document in documents:
        content = {} if document.content is None else document.content
        if not isinstance(content, dict):
            wrong(document.place(()), f"settings are a mapping, this is {what_is(content)}.")
            right = False
            continue
        for name, value in content.items():
            places[name] = document.place((name,))
            if name not in SETTINGS:
                wrong(places[name], f"there is no setting {name!r}.{nearest(name, SETTINGS) or all_of(SETTINGS)}")
                right = False
                continue
            try:
                said = merged_overlay(said, {name: worked_out(value, name, places[name], wrong)})
            except Failed:
                right = False
    if prune is not None:
        said["prune"] = dict(prune)
    nowhere = documents[0].place(()) if documents else Position("prune", 0)
    result = ArgumentSpecValidator(SETTINGS).validate(said)
    for text in result.error_messages:
        wrong(places.get("".join(map(str, option_in(text, said))), nowhere), f"{text}.")
    if result.error_messages or not right:
        return Settings()
    found = Settings(**copy.deepcopy(result.validated_parameters))
    for option, sentence in _wrong_settings(found, kinds):
        wrong(places.get(option, nowhere), sentence)
    return found


def _wrong_settings(settings: Settings, kinds: t.Collection[str]) -> t.Iterator[tuple[str, str]]:
    named = [
        *(("prune", plural) for plural in settings.prune),
        *(("allow_empty", plural) for plural in settings.allow_empty),
        *(("protect", rule["kind"]) for rule in settings.protect),
        *(("ignore", rule["kind"]) for rule in settings.ignore),
    ]
    for option, plural in named:
        if plural not in kinds:
            yield (
                option,
                f"{option}: there is no kind {plural!r}.{nearest(plural, kinds) or all_of(kinds)}",
            )
    for plural, mode in settings.prune.items():
        if mode not in PRUNE_MODES:
            yield "prune", f"prune.{plural} is {mode!r}: it is managed or exclusive."
    count, percent = settings.max_removals["count"], settings.max_removals["percent"]
    if count < 0:
        yield "max_removals", f"max_removals.count is {count}: it must be 0 or more."
    if not 0 <= percent <= 100:
        yield "max_removals", f"max_removals.percent is {percent}: it must be from 0 to 100."
