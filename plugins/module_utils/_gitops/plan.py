# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""A plan: what has to happen to each object of a cluster, in which order, and what that depends on."""

from __future__ import annotations

import dataclasses
import typing as t

from .._engine.compare import CREATE, NONE, REMOVE, UPDATE
from .._kinds.kind import Declarable, Normal
from .._kinds.masking import MASK
from .directory import Directory
from .manifest import Entry

RECREATE, RENAME, BLOCKED = "recreate", "rename", "blocked"
ACTIONS = (CREATE, UPDATE, REMOVE, RECREATE, RENAME, NONE, BLOCKED)
TEMPORARY = ".renaming"
"""What the name of an object has at its end while it and another one swap names."""

UNRESOLVED = f"{MASK} (not resolved)"
"""Stands for a secret that a new object needs and that a plan does not."""

Key = tuple[str, str]
"""Kind in the plural, and key."""


@dataclasses.dataclass(eq=False)
class Item:
    """What has to happen to one object.

    :ivar action: one of `ACTIONS`.
    :ivar entry: what declares it, or None for an object that is to be pruned.
    :ivar options: the module's options that bring it about; secrets are not in them before `resolve`.
    :ivar live: the object as it is, complete, or None.
    :ivar after: as it will be, or None.
    :ivar fields: what changes: ``{field: {"before": ..., "after": ...}}``, as it may be seen.
    :ivar reason: why it is blocked, kept, recreated or skipped; empty where the action says it all.
    :ivar status: after a real run ``applied``, ``failed`` or ``skipped``, else None.
    :ivar old_key: the live object's key, if there is one.
    :ivar temporary: whether it needs a temporary name first, as another object still has its new one.
    :ivar needs: objects without which it can't be written.
    :ivar ignored: fields that the settings ignore.
    :ivar removals: how many objects are lost by it.
    :ivar last: 0, or done after all else and in this order, as it takes away what is needed until then: 1 a right, 2 the token
        that the run uses.
    """

    kind: Declarable
    key: str
    action: str
    entry: Entry | None = None
    options: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    live: Normal | None = None
    after: Normal | None = None
    written: Normal = dataclasses.field(default_factory=dict)
    fields: dict[str, dict[str, t.Any]] = dataclasses.field(default_factory=dict)
    diff: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    reason: str = ""
    status: str | None = None
    old_key: str | None = None
    temporary: bool = False
    needs: frozenset[Key] = frozenset()
    removals: int = 0
    ignored: frozenset[str] = frozenset()
    last: int = 0

    @property
    def name(self) -> Key:
        """Kind and key."""
        return self.kind.plural, self.key

    @property
    def writes(self) -> bool:
        """Whether there is anything to do."""
        return self.action not in (NONE, BLOCKED)

    @property
    def removes(self) -> bool:
        """Whether it is carried out among the removals, backwards: the object goes, or becomes unusable."""
        return self.action == REMOVE or (self.writes and self.options.get("state") == "absent")

    def heeded(self, wanted: Normal | None) -> Normal | None:
        """What is wanted of a live object, without the fields that the settings ignore."""
        if wanted is None or self.live is None or not self.ignored:
            return wanted
        return {name: value for name, value in wanted.items() if not self.ignored & {name, name.removesuffix("_id")}}

    def result(self) -> dict[str, t.Any]:
        """As results and plan files show it."""
        return {
            "kind": self.kind.plural,
            "key": self.key,
            "action": self.action,
            "fields": self.fields,
            "reason": self.reason,
            "status": self.status,
        }

    def resolve(self) -> None:
        """Resolve the secrets that a real run sends: all of a new object's, of another's those that are to be written.

        :raises errors.DeterminedError: one can't be resolved, or is no right value.
        """
        if self.entry is None or not self.entry.secrets:
            return
        if (
            self.live is None
            or self.action == RECREATE
            or self.written.keys() & {path_top(name) for name in self.entry.secrets}
        ):
            self.declare(self.entry.resolved())

    def declare(self, options: dict[str, t.Any]) -> None:
        """Take these options of its entry, as a rename if it is one."""
        rename = self.entry is not None and self.live is not None and self.old_key not in (None, self.key)
        self.options = self.kind.renamed(options, t.cast(str, self.old_key)) if rename else dict(options)

    def block(self, reason: str) -> None:
        """Leave the object as it is, and say why."""
        self.action, self.reason, self.fields, self.diff, self.after, self.removals = BLOCKED, reason, {}, {}, None, 0


@dataclasses.dataclass
class Plan:
    """What has to happen to a cluster.

    :ivar items: in the order in which they are carried out, those of which nothing is to be done included.
    :ivar now: the cluster as it is.
    :ivar then: as it will be.
    :ivar refusals: why the plan as a whole must not be carried out.
    :ivar warnings: what a person should know.
    """

    items: list[Item]
    now: Directory
    then: Directory
    refusals: list[str]
    warnings: list[str]

    def counts(self) -> dict[str, int]:
        """How many objects there are of each action."""
        found = dict.fromkeys(ACTIONS, 0)
        for item in self.items:
            found[item.action] += 1
        return found


def path_top(path: str) -> str:
    """The option that a place like ``config.environment[0]`` is in."""
    return path.partition(".")[0].partition("[")[0]


def with_temporary_name(kind: Declarable, options: dict[str, t.Any]) -> dict[str, t.Any]:
    """The options with the name that an object has while it and another one swap names."""
    name = t.cast(str, kind.rename_option).removeprefix("new_")
    return {**options, name: f"{options[name]}{TEMPORARY}"}


def removal_options(kind: Declarable, declaration: dict[str, t.Any]) -> dict[str, t.Any]:
    """The module's options that remove what a declaration names."""
    defaults = {name: option.get("default") for name, option in kind.arguments.spec.items()}
    return {**defaults, **declaration, "state": "absent"}


def untangled(items: list[Item]) -> list[Item]:
    """The items of one kind with renames first, ordered so that a name is free before it is taken.

    In a ring, one gets a temporary name first.
    """
    renames = [item for item in items if item.action == RENAME]
    leaving = {t.cast(str, item.old_key): item for item in renames}
    ordered: list[Item] = []
    for item in renames:
        chain: list[Item] = []
        here: Item | None = item
        while here is not None and here not in ordered and here not in chain:
            chain.append(here)
            # Whoever has the name that this one takes must have left it.
            here = leaving.get(here.key)
        if here is not None and here in chain:
            here.temporary = True
        ordered += reversed(chain)
    return ordered + [item for item in items if item.action != RENAME]


def stages(item: Item) -> list[frozenset[str]]:
    """The options that each step of an object leaves for later ones.

    What needs other objects first is held back where it changes something: but an archived object must be opened at once if it
    is declared open, and kept open and closed by its kind if it stays archived.
    """
    late = []
    for group in item.kind.late:
        live = item.live or {}
        held = {
            name
            for name in group
            if item.options.get(name) not in (None, False) and live.get(name) != item.options[name]
        }
        if held:
            late.append(frozenset(held))
    return [frozenset().union(*late[number:]) for number in range(len(late) + 1)]
