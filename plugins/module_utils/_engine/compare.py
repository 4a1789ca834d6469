# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""The one comparer: live object and declared fields in, a Change out."""

from __future__ import annotations

import dataclasses
import typing as t

from .._kinds.kind import PLAIN, Kind, Normal

CREATE, UPDATE, REMOVE, NONE = "create", "update", "remove", "none"


@dataclasses.dataclass(frozen=True)
class Change:
    """What has to happen to one object.

    :ivar action: `CREATE`, `UPDATE`, `REMOVE` or `NONE`.
    :ivar live: the object as it is, or None.
    :ivar fields: the fields to write, with their declared values.
    """

    action: str
    live: Normal | None
    fields: Normal

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return self.action != NONE


def compare(kind: Kind, live: Normal | None, wanted: Normal | None) -> Change:
    """Find out what has to happen for `live` to be as `wanted`.

    Fields that `wanted` lacks are left alone.
    """
    if wanted is None:
        return Change(NONE if live is None else REMOVE, live, {})
    if live is None:
        return Change(CREATE, None, wanted)
    fields = {name: value for name, value in wanted.items() if _differs(kind, name, live, value)}
    return Change(UPDATE if fields else NONE, live, fields)


def _differs(kind: Kind, name: str, live: Normal, value: t.Any) -> bool:
    field = kind.fields.get(name, PLAIN)
    return field.write_only or not field.same(live.get(name), value)
