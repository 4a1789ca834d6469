# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Building a manifest out of what was read, base and overlay, and checking all of it before any call."""

from __future__ import annotations

import graphlib
import typing as t

from .._kinds.kind import Declarable
from .kinds import KINDS, POOL_BINDINGS
from .manifest import Document, Entry, Manifest, ManifestErrors, Position
from .manifest_entries import EntryMaker
from .manifest_layers import read_layer
from .manifest_overlay import bind_pools, twice, united
from .manifest_settings import read_settings
from .manifest_values import Wrong


def build(
    base: t.Sequence[Document],
    overlay: t.Sequence[Document] = (),
    settings: t.Sequence[Document] = (),
    *,
    kinds: t.Sequence[Declarable] = KINDS,
    folder: str | None = None,
    environment: str | None = None,
    problems: t.Iterable[tuple[Position, str]] = (),
    prune: t.Mapping[str, str] | None = None,
) -> Manifest:
    """Make one manifest of what was read.

    :param base: the documents outside all overlays.
    :param overlay: those of the environment.
    :param settings: the top settings, then the overlay's; each may be missing.
    :param problems: what was found wrong while reading.
    :param prune: takes the place of the settings' ``prune``.
    :raises ManifestErrors: everything that is wrong.
    """
    known = {kind.plural: kind for kind in kinds}
    found = list(problems)

    def wrong(position: Position, sentence: str) -> None:
        found.append((position, sentence))

    said = read_settings(settings, prune, known, wrong)
    below = read_layer(base, known, wrong, overlay=False)
    above = read_layer(overlay, known, wrong, overlay=True)
    declared = united(below, above, known, wrong)
    bind_pools(declared, known, wrong, exactly=said.prune.get(POOL_BINDINGS) == "exclusive")
    maker = EntryMaker(wrong)
    entries = [entry for plural in known for one in declared.get(plural, ()) if (entry := maker.make(one)) is not None]
    warnings = _check_keys(entries, wrong)
    _check_order(entries, wrong)
    if found:
        raise ManifestErrors(found)
    back = {plural for plural, parent in above.taken_back if parent is None}
    declared_kinds = (below.kinds - back) | above.kinds | {entry.kind.plural for entry in entries}
    return Manifest(said, entries, declared_kinds, folder, environment, warnings)


def _check_keys(entries: list[Entry], wrong: Wrong) -> list[str]:
    """Find keys that stand twice, that were one object before, and that differ in case only.

    :returns: warnings of the last.
    """
    warnings: list[str] = []
    known: dict[tuple[str, str], Entry] = {}
    alike: dict[tuple[str, str], Entry] = {}
    before: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        plural, key = entry.kind.plural, entry.key
        first = known.setdefault((plural, key), entry)
        if first is not entry:
            wrong(entry.position, twice(plural, key, first.position))
            continue
        other = alike.setdefault((plural, key.casefold()), entry)
        if other is not entry:
            warnings.append(
                f"{entry.position}: {plural}/{key} and {plural}/{other.key} ({other.position}) differ only in case: they are "
                "different objects."
            )
        if entry.renamed_from is not None:
            other = before.setdefault((plural, entry.renamed_from), entry)
            if other is not entry:
                wrong(
                    entry.position,
                    f"renamed_from is {entry.renamed_from!r}, as it is of {other.key!r} at {other.position}.",
                )
    return warnings


def _check_order(entries: list[Entry], wrong: Wrong) -> None:
    """Find entries that need each other: none of them could be written first."""
    known = {(entry.kind.plural, entry.key): entry for entry in entries if entry.options.get("state") != "absent"}
    needs: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for name, entry in known.items():
        late = frozenset[str]().union(*entry.kind.late)
        needs[name] = {
            (reference.kind, reference.key)
            for reference in entry.kind.references(entry.options)
            if reference.option not in late
        }
    while True:
        try:
            graphlib.TopologicalSorter(needs).prepare()
        except graphlib.CycleError as error:
            # Each one comes before the one that needs it.
            circle = error.args[1][::-1]
            told = " needs ".join(f"{plural}/{key} ({known[plural, key].position})" for plural, key in circle)
            wrong(known[circle[0]].position, f"a circle, in which none can be written first: {told}.")
            needs[circle[0]].discard(circle[1])
        else:
            return
