# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Who holds which role, groups expanded, and whom a change would lock out (API page identity-and-cluster, section 6)."""

from __future__ import annotations

import dataclasses
import typing as t

from .._wire.errors import InvalidOption, NotFound
from .._wire.session import Live, Session, decode, route
from .kind import Task
from .lookup import Role
from .rights import CLUSTER_ADMIN, enforces_rbac

ASSIGN_ROLES = "ASSIGN_ROLES"


class Grant(t.NamedTuple):
    """A role assignment by its ids: of the user and the group one is None; a workspace of None is the whole cluster."""

    role_id: int
    user_id: int | None
    group_id: int | None
    workspace_id: int | None


class Scope(Live):
    """Where a role is assigned. Its role names no permissions, and ``scopeWorkspaceId`` is absent for the whole cluster."""

    scope_workspace_id: int | None = None


class UserAssignment(Live):
    """An assignment to a user itself."""

    user_id: int
    role_assignment: Scope


class GroupAssignment(Live):
    """An assignment to a group."""

    group_id: int
    role_assignment: Scope


class AssignedRole(Live):
    """A role with its assignments."""

    role: Role
    user_role_assignments: list[UserAssignment] | None = None
    group_role_assignments: list[GroupAssignment] | None = None

    def grants(self) -> t.Iterator[Grant]:
        """The assignments by their ids."""
        number = self.role.role_id
        for one in self.user_role_assignments or []:
            yield Grant(number, one.user_id, None, one.role_assignment.scope_workspace_id)
        for many in self.group_role_assignments or []:
            yield Grant(number, None, many.group_id, many.role_assignment.scope_workspace_id)


class AssignedRoles(Live):
    """The answer of ``POST /roles/search/by-ids`` and of ``GET /roles/search/by-user/{id}``."""

    roles: list[AssignedRole] | None = None


class Members(Live):
    """What counts here of ``GET /groups/{id}``."""

    class Group(Live):
        """The group."""

        class Member(Live):
            """One of its users."""

            id: int

        users: list[Member] | None = None

    group: Group


def read_grants(session: Session, role_ids: t.Collection[int]) -> list[Grant]:
    """Read the assignments of roles, those of all scopes.

    :raises Forbidden: under RBAC, of a role that the caller does not hold, without the right to assign roles somewhere.
    """
    if not role_ids:
        # An empty list is answered with 404.
        return []
    answer = session.write("POST", "/api/v1/roles/search/by-ids", {"roleIds": sorted(set(role_ids))})
    found = decode(answer, AssignedRoles.model_validate, answer.json(), "roles")
    roles = found.roles or []
    if {role.role.role_id for role in roles} != set(role_ids):
        # The server names each role that is asked for, whether somebody holds it or not (404 for one that there is not).
        raise answer.bad("it leaves out roles that were asked for")
    return [grant for role in roles for grant in role.grants()]


@dataclasses.dataclass(frozen=True)
class Holders:
    """Who holds which role.

    :ivar grants: the role assignments.
    :ivar members: the users of each group that has one, by its id.
    :ivar active: the users that can log in.
    """

    grants: frozenset[Grant]
    members: t.Mapping[int, frozenset[int]]
    active: frozenset[int]

    def of(self, roles: t.Collection[int], *, everywhere: bool = False) -> frozenset[int]:
        """The active users that hold one of the roles, in any scope or in the whole cluster."""
        found: set[int] = set()
        for grant in self.grants:
            if grant.role_id in roles and (grant.workspace_id is None or not everywhere):
                found |= (
                    {grant.user_id} if grant.user_id is not None else self.members.get(grant.group_id or 0, frozenset())
                )
        return frozenset(found & self.active)


def refuse_lockout(
    task: Task,
    roles: t.Collection[int],
    *,
    new: t.Collection[Grant] = (),
    gone: t.Collection[Grant] = (),
    left: t.Mapping[int, frozenset[int]] | None = None,
) -> None:
    """Refuse a change that takes the caller's own rights, or the last administrator, away. The server has no such guard.

    Nothing is refused where RBAC is not enforced, as roles have no effect there.

    :param roles: the roles that somebody loses; nothing more is read unless one of them can assign roles.
    :param new: what is assigned.
    :param gone: what is taken away.
    :param left: the users that leave a group, by its id.
    :raises InvalidOption: in words that say who would be locked out.
    """
    known = task.names.all_roles()
    assigning = {role.role_id for role in known if role.permits(ASSIGN_ROLES)}
    if not assigning & set(roles) or not enforces_rbac(task.session):
        return
    admins = {role.role_id for role in known if role.name == CLUSTER_ADMIN}
    grants = frozenset(read_grants(task.session, assigning))
    later = (grants - frozenset(gone)) | frozenset(new)
    groups = {grant.group_id for grant in grants | later if grant.group_id is not None}
    members = {number: _members(task.session, number) for number in groups}
    active = frozenset(user.id for user in task.names.all_users() if user.active)
    before = Holders(grants, members, active)
    stay = {number: users - (left or {}).get(number, frozenset()) for number, users in members.items()}
    after = Holders(later, stay, active)
    caller = task.session.caller()
    if before.of(admins, everywhere=True) and not after.of(admins, everywhere=True):
        what = f"no active user would hold {CLUSTER_ADMIN} any more"
    elif caller.id in before.of(admins, everywhere=True) - after.of(admins, everywhere=True):
        what = f"{caller.username!r}, the user that this task logs in as, would take its own {CLUSTER_ADMIN} away"
    elif caller.id in before.of(assigning) - after.of(assigning):
        what = f"{caller.username!r}, the user that this task logs in as, would take its own last right to assign roles away"
    else:
        return
    raise InvalidOption(f"After this {what}: set force to true if you mean it.")


def _members(session: Session, group_id: int) -> frozenset[int]:
    try:
        answer = session.call("GET", route("groups", group_id))
    except NotFound:
        return frozenset()
    found = decode(answer, Members.model_validate, answer.json(), "a group")
    return frozenset(member.id for member in found.group.users or [])
