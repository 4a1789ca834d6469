# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""How a cluster differs from the manifest that declares it: the plan that det_apply would make, and nothing of it carried out."""

from __future__ import annotations

import typing as t

from .._engine.compare import NONE
from .._gitops.kinds import KINDS
from .._gitops.manifest import Manifest
from .._gitops.plan import Item
from .._gitops.planner import Planner
from .._gitops.report import CLASSES
from .._kinds.masking import masked_text
from .._kinds.rights import Rights
from .._wire.errors import InvalidOption
from .._wire.session import Session
from .control import Resource

SAME, CHANGED, EXTRA, BLOCKED = "same", "changed", "extra", "blocked"
"""Classes of objects: as it is declared, and some of those that drift reports have (`report.CLASSES`)."""


def read_drift(session: Session, rights: Rights, manifest: Manifest, concurrency: int) -> list[Resource]:
    """Plan a manifest, and say of each of its objects how it is.

    Without a lock file nothing counts as managed, so what is not declared is there only of kinds that are pruned ``exclusive``.

    :param concurrency: how many reads go on at once.
    :returns: resources with ``class`` (``missing``, ``changed``, ``extra``, ``blocked`` or ``same``), ``fields`` (the names of those
        that differ), ``declared`` (whether the manifest has an entry for it) and ``reason`` (why it can't be told).
    :raises ManifestErrors: the manifest refers to what is neither there nor declared, or not to be seen.
    """
    planner = Planner(
        session,
        manifest,
        rights,
        KINDS,
        selected=None,
        only=(),
        prune=manifest.settings.prune,
        lock=None,
        distrust=None,
        concurrency=concurrency,
    )
    # An object that is not declared and is kept, such as a protected one, is none of the manifest's.
    return [_resource(item) for item in planner.plan().items if item.entry is not None or item.action != NONE]


def _resource(item: Item) -> Resource:
    live = item.live or {}
    # Removing a user is an update: it is deactivated.
    drift = EXTRA if item.entry is None and item.writes else CLASSES.get(item.action, SAME)
    reason = item.reason
    if drift == SAME and _was_not_compared(item):
        drift, reason = BLOCKED, "its secrets could not be resolved, and so were not compared"
    return Resource(
        item.kind.plural,
        item.key,
        live.get("id"),
        {
            "class": drift,
            "fields": sorted(item.fields) if drift == CHANGED else [],
            "declared": item.entry is not None,
            "reason": masked_text(reason),
        },
    )


def _was_not_compared(item: Item) -> bool:
    """Whether an object has secrets that can be read back, and that nobody could resolve: the vault's password is not here."""
    entry = item.entry
    if entry is None or item.live is None or not entry.secrets or not entry.compares_secrets:
        return False
    try:
        entry.resolved()
    except InvalidOption:
        return True
    return False


def declared_at(manifest: Manifest) -> dict[tuple[str, str], dict[str, t.Any]]:
    """Where a manifest declares its objects: by kind and key a ``file``, relative to the manifest's folder, and a ``line``.

    What stands in no file of lines, as in a manifest given inline, is left out.
    """
    return {
        (entry.kind.plural, entry.key): {"file": entry.position.file, "line": entry.position.line}
        for entry in manifest.entries
        if entry.position.line
    }
