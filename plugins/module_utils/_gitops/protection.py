# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""What a plan as a whole must not do: leave nobody to administer the cluster, or remove more than was allowed for.

Judged on the state after the plan: leaving a group, or deleting it, takes a right away too.
"""

from __future__ import annotations

import typing as t

from .._kinds.group import GROUP
from .._kinds.kind import Declarable, Normal
from .._kinds.rights import CLUSTER_ADMIN, Rights
from .._wire import errors
from .._wire.session import Session
from .directory import Directory
from .manifest import Settings
from .plan import RENAME, Item, Plan

ABOUT_RIGHTS = ("users", "groups", "role_assignments")


def protect_administrators(plan: Plan, session: Session, rights: Rights) -> None:
    """Block what would leave nobody to administer the cluster, or the caller without its right to.

    What takes such a right away and may do so, as another one comes in its place, is done last.
    """
    taking = [item for item in plan.items if item.kind.plural in ABOUT_RIGHTS and item.writes and item.live is not None]
    if not taking:
        return
    judge = _Judge(plan.now, session, rights)
    try:
        before = judge.administrators(plan.now)
        if not before:
            return
        for item in taking:
            why = _lock_out(rights, before, after := judge.administrators(plan.then))
            if why is None:
                break
            _revert(plan, item)
            if judge.administrators(plan.then) == after:
                _redo(plan.then, item)
            else:
                item.block(why)
        for item in taking:
            # A new name has to be there for those that refer to it.
            if item.writes and item.action != RENAME and judge.concerns(item, before):
                alone = plan.now.fork()
                _redo(alone, item)
                item.last = 1 if before - judge.administrators(alone) else 0
    except errors.DeterminedError as error:
        plan.warnings.append(f"Whether an administrator remains could not be judged: {error}")


def _lock_out(rights: Rights, before: frozenset[int], after: frozenset[int]) -> str | None:
    if not after:
        return "the cluster would have no active administrator left."
    if rights.user_id in before - after:
        return f"{rights.username!r}, as whom this run logs in, would lose its last right to administer the cluster."
    return None


class _Judge:
    """Finds out who may do everything, now or in another state of the cluster. Goes by ids, as names may change."""

    def __init__(self, now: Directory, session: Session, rights: Rights) -> None:
        self._now = now
        self._session = session
        self._rbac = rights.rbac

    def administrators(self, state: Directory) -> frozenset[int]:
        """The ids of the active users that may do everything.

        :raises errors.DeterminedError: it can't be read.
        """
        users = state.objects("users").values()
        if not self._rbac:
            return frozenset(user["id"] for user in users if user["active"] and user["admin"])
        active = {user["id"] for user in users if user["active"]}
        numbers = {user["username"]: user["id"] for user in (*self._now.objects("users").values(), *users)}
        found: set[int] = set()
        groups = self._groups(state)
        for item in self._holders(state):
            if item["user_id"] is not None:
                found.add(item["user_id"])
            elif item["group_id"] in groups:
                members = self._members(state, *groups[item["group_id"]])
                found.update(numbers[name] for name in members if name in numbers)
        return frozenset(found & active)

    def concerns(self, item: Item, administrators: frozenset[int]) -> bool:
        """Whether a change of a live object can change who may do everything."""
        live = t.cast(Normal, item.live)
        if item.kind.plural == "users":
            return live["id"] in administrators
        if not self._rbac:
            return False
        if item.kind.plural == "groups":
            return live["id"] in {holder["group_id"] for holder in self._holders(self._now)}
        return live["workspace_id"] is None and self._now.name_of("roles", live["role_id"]) == CLUSTER_ADMIN

    def _groups(self, state: Directory) -> dict[int, tuple[str, Normal]]:
        return {group["id"]: (key, group) for key, group in state.objects("groups").items()}

    def _holders(self, state: Directory) -> list[Normal]:
        return [
            item
            for item in state.objects("role_assignments").values()
            if item["workspace_id"] is None and self._now.name_of("roles", item["role_id"]) == CLUSTER_ADMIN
        ]

    def _members(self, state: Directory, key: str, group: Normal) -> t.Sequence[str]:
        if group.get("members") is None:
            group = GROUP.complete(self._session, group)
            state.put("groups", key, key, group)
        return t.cast("t.Sequence[str]", group.get("members") or ())


def _revert(plan: Plan, item: Item) -> None:
    if item.after is not None:
        plan.then.drop(item.kind.plural, item.key)
    plan.then.put(item.kind.plural, None, t.cast(str, item.old_key), t.cast(Normal, item.live))


def _redo(state: Directory, item: Item) -> None:
    if item.after is None:
        state.drop(item.kind.plural, t.cast(str, item.old_key))
    else:
        state.put(item.kind.plural, item.old_key, item.key, item.after)


def check_caps(plan: Plan, kinds: t.Sequence[Declarable], settings: Settings) -> None:
    """Find out whether more would be removed than the settings allow."""
    caps = settings.max_removals
    total = sum(item.removals for item in plan.items)
    if total > caps["count"]:
        plan.refusals.append(f"{total} removals are planned, and max_removals.count is {caps['count']}.")
    for kind in kinds:
        lost = sum(1 for item in plan.items if item.kind is kind and item.removals)
        if not lost:
            continue
        there = len(plan.now.objects(kind.plural))
        if there > 10 and 100 * lost > caps["percent"] * there:
            plan.refusals.append(
                f"{lost} of {there} {kind.plural.replace('_', ' ')} would be removed or lose something, more than "
                f"max_removals.percent ({caps['percent']} %)."
            )
