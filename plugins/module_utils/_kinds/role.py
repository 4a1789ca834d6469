# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Roles, which the product fixes, and what somebody may do by them (API page identity-and-cluster, section 6)."""

from __future__ import annotations

import typing as t

from .._wire.errors import NotFound
from .._wire.session import decode, route
from .holders import AssignedRoles, Grant
from .kind import Arguments, Normal, Reader, Task
from .lookup import KeptNames, Role
from .rights import Summary
from .user import check_limit


def normal(role: Role) -> Normal:
    """The normal form of a role."""
    return {
        "id": role.role_id,
        "name": role.name,
        "permissions": sorted(one.name for one in role.permissions or []),
        "scope_type_mask": role.scope_type_mask.normal(),
    }


class RoleReader(Reader):
    """All roles, or those that reach a user or a group."""

    arguments = Arguments(
        spec={
            "name": {"type": "str"},
            "permission": {"type": "str"},
            "user": {"type": "str"},
            "group": {"type": "str"},
            "limit": {"type": "int"},
        },
        mutually_exclusive=(("user", "group"),),
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse a limit below 1."""
        check_limit(options["limit"])

    def read(self, task: Task) -> dict[str, t.Any]:
        """Read the roles that match, by name; those of somebody with where it holds them, and by which group."""
        options = task.options
        names = KeptNames(task.session)
        if options["user"] is not None:
            found = self._of_user(task, names, options["user"])
        elif options["group"] is not None:
            found = self._of_group(task, names, options["group"])
        else:
            found = [normal(role) for role in names.all_roles()]
        permission = (options["permission"] or "").removeprefix("PERMISSION_TYPE_")
        matching = [
            role
            for role in sorted(found, key=lambda role: str(role["name"]))
            if (options["name"] is None or role["name"] == options["name"])
            and (not permission or permission in role["permissions"])
        ]
        return {"roles": matching[: options["limit"]], "total": len(matching)}

    def _of_user(self, task: Task, names: KeptNames, name: str) -> list[Normal]:
        user = names.users("user", [name])[0]
        answer = task.session.call("GET", route("roles", "search", "by-user", user.id))
        roles = decode(answer, AssignedRoles.model_validate, answer.json(), "roles").roles or []
        return [{**normal(one.role), "assignments": _assignments(names, one.grants())} for one in roles]

    def _of_group(self, task: Task, names: KeptNames, name: str) -> list[Normal]:
        group = names.group("group", name)
        try:
            answer = task.session.call("GET", route("roles", "search", "by-group", group.group_id))
        except NotFound as error:
            raise NotFound(f"The group {name!r} disappeared while it was read: {error}", error.failure) from error
        found = decode(answer, Summary.model_validate, answer.json(), "roles")
        grants: dict[int, list[Grant]] = {}
        for held in found.assignments or []:
            scopes = [*([None] if held.scope_cluster else []), *(held.scope_workspace_ids or [])]
            grants[held.role_id] = [Grant(held.role_id, None, group.group_id, scope) for scope in scopes]
        return [
            {**normal(role), "assignments": _assignments(names, grants.get(role.role_id, []))}
            for role in found.roles or []
        ]


def _assignments(names: KeptNames, grants: t.Iterable[Grant]) -> list[Normal]:
    """Where a role is held, the whole cluster first."""
    return [
        {
            "workspace": None if scope is None else names.name_of("workspaces", scope),
            "workspace_id": scope,
            "group": None if group is None else names.name_of("groups", group),
            "group_id": group,
        }
        for scope, group in sorted(
            ((grant.workspace_id, grant.group_id) for grant in grants), key=lambda pair: (pair[0] or 0, pair[1] or 0)
        )
    ]


ROLES = RoleReader()
