# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Before and after, for people: the normal form of the result, without what must not be shown."""

from __future__ import annotations

import typing as t

from .._kinds.kind import PLAIN, Kind, Normal, Task
from .._kinds.masking import MASK

CHANGED = f"{MASK} (changed)"


def difference(
    kind: Kind, task: Task, before: Normal | None, after: Normal | None, written: Normal
) -> dict[str, t.Any]:
    """Make Ansible's ``diff`` of one object.

    :param before: the object before, or None.
    :param after: the object after, or None.
    :param written: the declared fields that are written; of the write-only ones only that they change is shown.
    """
    shown_before = _shown(kind, task, before)
    shown_after = _shown(kind, task, after)
    marked = _mark(shown_before, shown_after, before or {}, after or {})
    for name in written:
        if kind.fields.get(name, PLAIN).write_only:
            marked[name] = CHANGED
            if before is not None:
                shown_before[name] = MASK
    return {"before": shown_before, "after": marked}


def _shown(kind: Kind, task: Task, item: Normal | None) -> Normal:
    if item is None:
        return {}
    return {name: value for name, value in kind.shown(task, item).items() if name not in kind.volatile}


def _mark(shown_before: t.Any, shown_after: t.Any, before: t.Any, after: t.Any) -> t.Any:
    """Say of a masked value that it changes, which two equal masks would hide."""
    if isinstance(shown_after, dict):
        pairs = [part if isinstance(part, dict) else {} for part in (shown_before, before, after)]
        return {
            name: _mark(pairs[0].get(name), value, pairs[1].get(name), pairs[2].get(name))
            for name, value in shown_after.items()
        }
    if isinstance(shown_after, list):
        lists = [part if isinstance(part, list) else [] for part in (shown_before, before, after)]
        return [_mark_item(i, item, *lists) for i, item in enumerate(shown_after)]
    if isinstance(shown_after, str) and shown_after != after and shown_before == shown_after and before != after:
        return f"{shown_after} (changed)"
    return shown_after


def _mark_item(i: int, item: t.Any, shown_before: list[t.Any], before: list[t.Any], after: list[t.Any]) -> t.Any:
    """As `_mark`, for an item of a list. A text may have another place than before: environment variables come and go."""
    if isinstance(item, str):
        changed = item != after[i] and item in shown_before and after[i] not in before
        return f"{item} (changed)" if changed else item
    old = [part[i] if i < len(part) else None for part in (shown_before, before)]
    return _mark(old[0], item, old[1], after[i])
