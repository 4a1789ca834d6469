# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""User groups, roles and role assignments (master/internal/usergroup and master/internal/rbac at v0.38.1).

Both work in every authorisation mode; only RBAC gives the assignments a meaning.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Sequence

from .gateway import Bool, Call, Code, Int32, List, Message, RpcError, String, bad, plain, route
from .identity import touch, user_object
from .permissions import PREFIX, ROLE_NAMES, ROLE_PERMISSIONS, Permission, global_only
from .state import PERSONAL_GROUP, GroupRow, Master, UserRow

MAX_LIMIT = 500  # master/internal/api/apiutils/utils.go
INTERNAL = RpcError(Code.INTERNAL, "internal server error")


def missing(text: str) -> RpcError:
    """404 of a group or role call."""
    return RpcError(Code.NOT_FOUND, f"{text}: not found")


def duplicate(text: str) -> RpcError:
    """409 of a group or role call."""
    return RpcError(Code.ALREADY_EXISTS, f"{text}: row already exists")


def denied_any(*permissions: str) -> RpcError:
    """403 that names several permissions, one of which is needed."""
    names = ", ".join(PREFIX + name for name in permissions)
    return RpcError(Code.PERMISSION_DENIED, f"access denied; one of the following permissions required: {names}")


def echo_page(items: Sequence[t.Any], offset: int, limit: int) -> tuple[Sequence[t.Any], dict[str, int]]:
    """SQL limit and offset, echoed as sent (P-echo): never an error for an offset, a negative limit is none."""
    page = items[max(offset, 0) :]
    page = page[:limit] if limit > 0 else page
    return page, {
        "offset": offset,
        "limit": limit,
        "startIndex": offset,
        "endIndex": offset + len(page),
        "total": len(items),
    }


# --- groups ---


def group_details(master: Master, row: GroupRow) -> dict[str, t.Any]:
    """The GroupDetails message; its users never carry an agent group."""
    users = [user_object(master.users[key], with_agent=False) for key in row.members]
    return {"groupId": row.id, "name": row.name, "users": users}


def modifies_groups(call: Call) -> None:
    """Whether the caller may write groups. Raises RpcError 403."""
    if call.master.rbac:
        if not call.master.can(call.caller, "UPDATE_GROUP"):
            raise Master.denied("UPDATE_GROUP")
    elif not call.caller.admin:
        raise RpcError(Code.PERMISSION_DENIED, "user does not have permission")


def sees_group(call: Call, group_id: int) -> bool:
    """Whether a group is visible: to everybody, under RBAC to members and to who assigns roles anywhere."""
    row = call.master.groups.get(group_id)
    member = row is not None and call.caller.id in row.members
    return not call.master.rbac or member or call.master.can_anywhere(call.caller, "ASSIGN_ROLES")


def plain_group(master: Master, group_id: int) -> GroupRow:
    """A group that is no personal one. Raises RpcError 404."""
    row = master.groups.get(group_id)
    if row is None:
        raise missing(f"Error getting group {group_id}")
    if row.owner:
        raise missing("cannot get a personal group")
    return row


def name_taken(master: Master, name: str, but: int = 0) -> bool:
    """Whether another group, personal ones included, has this name."""
    return any(row.name == name and row.id != but for row in master.groups.values())


def check_new_members(master: Master, row: GroupRow, users: list[int]) -> None:
    """Whether users can enter a group by a plain insert. Raises RpcError 409 or 404."""
    count = f"{len(users)} user(s) to 1 group(s)"
    seen = set(row.members)
    for key in users:
        if key in seen:
            raise duplicate(f"Error when adding {count}")
        seen.add(key)
    if any(key not in master.users for key in users):
        raise missing(f"Error adding {count} because one or more of them were not found")


def touch_users(master: Master, users: Iterable[int]) -> None:
    """Membership and role changes move modifiedAt."""
    touch(master, *(master.users[key] for key in users if key in master.users))


@route("GET", "/api/v1/groups/{groupId:int32}")
def get_group(call: Call) -> dict[str, t.Any]:
    """One group with its members."""
    key = call.path["groupId"]
    if not sees_group(call, key):
        raise missing(f"Error getting group {key}")
    return {"group": group_details(call.master, plain_group(call.master, key))}


@route(
    "POST", "/api/v1/groups/search", body=Message({"userId": Int32, "name": String, "offset": Int32, "limit": Int32})
)
def search_groups(call: Call) -> dict[str, t.Any]:
    """Groups by exact name or member; a limit is required."""
    master, body = call.master, call.body
    limit, name, member = body.get("limit", 0), body.get("name", ""), body.get("userId", 0)
    if limit == 0 or limit > MAX_LIMIT:
        raise bad(f"Bad request: limit is required and must be <= {MAX_LIMIT}")
    rows = [
        row
        for row in sorted(master.groups.values(), key=lambda row: row.id)
        if not row.owner
        and (not name or row.name == name)
        and (not member or member in row.members)
        and sees_group(call, row.id)
    ]
    page, pagination = echo_page(rows, body.get("offset", 0), limit)
    found = [{"group": {"groupId": row.id, "name": row.name}, "numMembers": len(row.members)} for row in page]
    return {"groups": found, "pagination": pagination}


@route("POST", "/api/v1/groups", body=Message({"name": String, "addUsers": List(Int32)}))
def create_group(call: Call) -> dict[str, t.Any]:
    """Create a group with members, all or nothing."""
    master, name, users = call.master, call.body.get("name", ""), call.body.get("addUsers", [])
    if PERSONAL_GROUP in name:
        raise bad(f"group name cannot contain '{PERSONAL_GROUP}'")
    modifies_groups(call)
    row = GroupRow(master.next_id("groups"), name)  # the id is drawn even when the insert fails
    if name_taken(master, name):
        raise duplicate(f"Error creating group {name}")
    check_new_members(master, row, users)
    row.members = dict.fromkeys(users)
    master.groups[row.id] = row
    touch_users(master, users)
    answer = {"group": group_details(master, row)}
    row.name = name.replace("\0", "")  # the driver drops what PostgreSQL cannot hold, after the answer was made
    return answer


@route(
    "PUT",
    "/api/v1/groups/{groupId:int32}",
    body=Message({"name": String, "addUsers": List(Int32), "removeUsers": List(Int32)}),
)
def update_group(call: Call) -> dict[str, t.Any]:
    """Rename, then add, then remove members, in one transaction."""
    master, body = call.master, call.body
    modifies_groups(call)
    row = plain_group(master, call.path["groupId"])
    name, added, removed = body.get("name") or row.name, body.get("addUsers", []), body.get("removeUsers", [])
    if name_taken(master, name, but=row.id):
        raise duplicate(f"Error updating group {row.id} name")
    check_new_members(master, row, added)
    members = {**row.members, **dict.fromkeys(added)}
    if removed and not any(key in members for key in removed):
        raise missing(
            f"Error removing {len(removed)} user(s) from 1 group(s) because none were members of these groups"
        )
    row.name = name
    row.members = {key: None for key in members if key not in removed}
    touch_users(master, [*added, *removed])
    return {"group": group_details(master, row)}


@route("DELETE", "/api/v1/groups/{groupId:int32}")
def delete_group(call: Call) -> dict[str, t.Any]:
    """Delete a group with its role assignments."""
    master, key = call.master, call.path["groupId"]
    modifies_groups(call)
    row = master.groups.get(key)
    if row is None or row.owner:
        raise missing(f"Error deleting group {key}")
    for assignment in [assignment for assignment in master.role_assignments if assignment[0] == key]:
        del master.role_assignments[assignment]
    del master.groups[key]
    return {}


@route(
    "PATCH",
    "/api/v1/users/assignments",
    body=Message({"userIds": List(Int32), "addGroups": List(Int32), "removeGroups": List(Int32)}),
)
def assign_multiple_groups(call: Call) -> dict[str, t.Any]:
    """Add users to groups (members already are fine), then remove them from others."""
    master, users = call.master, call.body.get("userIds", [])
    added, removed = call.body.get("addGroups", []), call.body.get("removeGroups", [])
    modifies_groups(call)

    def modifiable(keys: list[int]) -> list[GroupRow]:
        rows = {key: master.groups[key] for key in keys if key in master.groups and not master.groups[key].owner}
        if len(rows) != len(keys):
            raise missing("group does not exist or is a personal group")
        return list(rows.values())

    entered = modifiable(added)
    if entered and any(key not in master.users for key in users):
        raise INTERNAL
    left = modifiable(removed)
    after = {row.id: {**row.members, **(dict.fromkeys(users) if row in entered else {})} for row in [*entered, *left]}
    if left and users and not any(key in after[row.id] for row in left for key in users):
        text = f"Error removing {len(users)} user(s) from {len(left)} group(s)"
        raise missing(f"{text} because none were members of these groups")
    for row in entered:
        row.members = after[row.id]
    for row in left:
        row.members = {key: None for key in after[row.id] if key not in users}
    if entered or left:
        touch_users(master, users)
    return {}


# --- roles ---


def permission_object(permission: Permission) -> dict[str, t.Any]:
    """The Permission message."""
    return {
        "id": PREFIX + permission.name,
        "name": permission.label,
        "scopeTypeMask": {"cluster": True, "workspace": not permission.global_only},
    }


def role_object(role: int) -> dict[str, t.Any]:
    """The Role message with its permissions."""
    return {
        "roleId": role,
        "name": ROLE_NAMES[role],
        "permissions": [permission_object(permission) for permission in ROLE_PERMISSIONS[role]],
        "scopeTypeMask": {"cluster": True, "workspace": not global_only(role)},
    }


Assignment = tuple[int, int, int | None]


def assignment_object(role: int, workspace: int | None) -> dict[str, t.Any]:
    """The RoleAssignment message; its nested role lists no permissions and so claims every scope."""
    nested = {
        "roleId": role,
        "name": ROLE_NAMES[role],
        "permissions": [],
        "scopeTypeMask": {"cluster": True, "workspace": True},
    }
    out = {"role": nested, "scopeCluster": workspace is None}
    if workspace is not None:
        out["scopeWorkspaceId"] = workspace
    return out


def with_assignments(master: Master, role: int, assignments: Iterable[Assignment]) -> dict[str, t.Any]:
    """The RoleWithAssignments message."""
    groups, users = [], []
    for group, _role, workspace in assignments:
        nested, owner = assignment_object(role, workspace), master.groups[group].owner
        if owner:
            users.append({"userId": owner, "roleAssignment": nested})
        else:
            groups.append({"groupId": group, "roleAssignment": nested})
    return {"role": role_object(role), "groupRoleAssignments": groups, "userRoleAssignments": users}


def by_role(assignments: Iterable[Assignment]) -> dict[int, list[Assignment]]:
    """Assignments by role."""
    out: dict[int, list[Assignment]] = {}
    for assignment in assignments:
        out.setdefault(assignment[1], []).append(assignment)
    return out


def summaries(held: dict[int, list[Assignment]]) -> dict[str, t.Any]:
    """Parallel lists of roles and of their scopes."""
    return {
        "roles": [role_object(role) for role in held],
        "assignments": [
            {
                "roleId": role,
                "scopeWorkspaceIds": [workspace for _group, _role, workspace in rows if workspace is not None],
                "scopeCluster": any(workspace is None for _group, _role, workspace in rows),
            }
            for role, rows in held.items()
        ],
    }


def assignments_of(master: Master, user_id: int) -> list[Assignment]:
    """The assignments that reach a user."""
    return [row for row in master.role_assignments if user_id in master.groups[row[0]].members]


def role_name(role: int) -> str:
    """Sort key of role lists."""
    return ROLE_NAMES[role]


@route("GET", "/api/v1/permissions/summary")
def permissions_summary(call: Call) -> dict[str, t.Any]:
    """The caller's roles and their scopes."""
    return summaries(by_role(assignments_of(call.master, call.caller.id)))


PAGE = {"offset": Int32, "limit": Int32}


def assigns_or_updates_roles(call: Call) -> bool:
    """Whether the caller sees every role."""
    master, caller = call.master, call.caller
    return not master.rbac or any(master.can_anywhere(caller, name) for name in ("ASSIGN_ROLES", "UPDATE_ROLES"))


@route("POST", "/api/v1/roles/search", body=Message({**PAGE}))
def list_roles(call: Call) -> dict[str, t.Any]:
    """The roles by name; under RBAC those that the caller holds, unless it assigns roles."""
    roles = sorted(ROLE_NAMES, key=role_name)
    if not assigns_or_updates_roles(call):
        held = {role for role, _scope in call.master.roles_of(call.caller)}
        roles = [role for role in roles if role in held]
    page, pagination = echo_page(roles, call.body.get("offset", 0), call.body.get("limit", 0) or MAX_LIMIT)
    return {"roles": [role_object(role) for role in page], "pagination": pagination}


@route("POST", "/api/v1/roles/search/by-ids", body=Message({"roleIds": List(Int32)}))
def roles_by_id(call: Call) -> dict[str, t.Any]:
    """Roles with every assignment; any unknown or repeated id is 404."""
    master, wanted = call.master, call.body.get("roleIds", [])
    if not assigns_or_updates_roles(call):
        held = {role for role, _scope in master.roles_of(call.caller)}
        if any(role not in held for role in wanted):
            names = ", ".join(PREFIX + name for name in ("ASSIGN_ROLES", "UPDATE_ROLES"))
            raise RpcError(Code.PERMISSION_DENIED, f"access denied; required permissions: {names}")
    found = [role for role in sorted(set(wanted) or set(ROLE_NAMES)) if role in ROLE_NAMES]
    if len(found) != len(wanted):
        raise RpcError(Code.NOT_FOUND, "not found")
    assigned = by_role(master.role_assignments)
    return {"roles": [with_assignments(master, role, assigned.get(role, ())) for role in found]}


@route("POST", "/api/v1/roles/search/by-assignability", body=Message({"workspaceId": Int32, **PAGE}))
def assignable_roles(call: Call) -> dict[str, t.Any]:
    """The roles that can be assigned globally or, with any workspace id, to a workspace."""
    workspace = call.body.get("workspaceId")
    if call.master.rbac and not call.master.can(call.caller, "VIEW_WORKSPACE", workspace):
        raise Master.denied("VIEW_WORKSPACE")
    roles = sorted((role for role in ROLE_NAMES if workspace is None or not global_only(role)), key=role_name)
    page, pagination = echo_page(roles, call.body.get("offset", 0), call.body.get("limit", 0) or MAX_LIMIT)
    return {"roles": [role_object(role) for role in page], "pagination": pagination}


@route("GET", "/api/v1/roles/search/by-user/{userId:int32}")
def roles_of_user(call: Call) -> dict[str, t.Any]:
    """Roles of a user, direct ones and those of its groups."""
    master, key = call.master, call.path["userId"]
    if key == 0:
        raise bad("bad request")
    if master.rbac and key != call.caller.id and not master.can_anywhere(call.caller, "ASSIGN_ROLES"):
        raise Master.denied("ASSIGN_ROLES")
    held = by_role(assignments_of(master, key))
    return {"roles": [with_assignments(master, role, held[role]) for role in sorted(held, key=role_name)]}


@route("GET", "/api/v1/roles/search/by-group/{groupId:int32}")
def roles_of_group(call: Call) -> dict[str, t.Any]:
    """Roles of a group, personal ones included."""
    key = call.path["groupId"]
    if key == 0:
        raise bad("bad request")
    if not sees_group(call, key):
        raise missing(f"Error getting group {key}")
    held = by_role(row for row in call.master.role_assignments if row[0] == key)
    return summaries({role: held[role] for role in sorted(held, key=role_name)})


@route("GET", "/api/v1/roles/workspace/{workspaceId:int32}", query={"name": String})
def workspace_members(call: Call) -> dict[str, t.Any]:
    """Who has roles on a workspace; empty for who may not see it."""
    master, key, name = call.master, call.path["workspaceId"], call.query.get("name", "")
    empty: dict[str, t.Any] = {"groups": [], "usersAssignedDirectly": [], "assignments": []}
    if master.rbac and not master.can(call.caller, "VIEW_WORKSPACE", key):
        return empty
    held = by_role(row for row in master.role_assignments if row[2] == key)
    for role in sorted(held):
        kept = False
        for group_id, _role, _workspace in held[role]:
            group = master.groups[group_id]
            if group.owner:
                user = master.users[group.owner]
                if name and name not in (user.display_name or "") and name not in user.username:
                    continue
                empty["usersAssignedDirectly"].append(user_object(user, with_agent=False))
            else:
                if name and name not in group.name:
                    continue
                details = group_details(master, group)
                # The master joins members with assignments, so they come once for each assignment of the group here.
                times = sum(row[0] == group_id for rows in held.values() for row in rows)
                details["users"] = sorted(details["users"] * times, key=lambda user: user["id"])
                empty["groups"].append(details)
            kept = True
        if kept:
            empty["assignments"].append(with_assignments(master, role, held[role]))
    return empty


# --- assigning ---

ROLE = Message({"roleId": Int32, "name": String})
ROLE_ASSIGNMENT = Message({"role": ROLE, "scopeWorkspaceId": Int32, "scopeCluster": Bool})
ASSIGNMENTS = Message(
    {
        "groupRoleAssignments": List(Message({"groupId": Int32, "roleAssignment": ROLE_ASSIGNMENT})),
        "userRoleAssignments": List(Message({"userId": Int32, "roleAssignment": ROLE_ASSIGNMENT})),
    }
)
NIL = RpcError(Code.INTERNAL, "runtime error: invalid memory address or nil pointer dereference")


def scope_of(entry: dict[str, t.Any]) -> int | None:
    """The workspace of an entry, None for global; ``scopeCluster`` is not looked at. Raises RpcError 500."""
    if "roleAssignment" not in entry:
        raise NIL
    return t.cast("int | None", entry["roleAssignment"].get("scopeWorkspaceId"))


def may_assign(call: Call, entries: list[dict[str, t.Any]]) -> None:
    """Whether the caller may assign in every scope named. Raises RpcError 403."""
    master, caller = call.master, call.caller
    if not master.rbac:
        if not caller.admin:
            raise RpcError(Code.PERMISSION_DENIED, "access denied")
        return
    scopes = [scope_of(entry) for entry in entries]
    if any(not master.can(caller, "ASSIGN_ROLES", scope) for scope in scopes):
        raise Master.denied("ASSIGN_ROLES")


def personal_group(master: Master, entry: dict[str, t.Any]) -> int:
    """The personal group of the user of an entry. Raises RpcError 404."""
    user: UserRow | None = master.users.get(entry.get("userId", 0))
    if user is None:
        raise missing(f"error looking up user groups: Error getting group for user id {entry.get('userId', 0)}")
    return user.personal_group


def change_assignments(call: Call, prefixes: tuple[str, str], *, add: bool) -> dict[str, t.Any]:
    """Add or remove assignments, all or nothing."""
    master = call.master
    groups, users = call.body.get("groupRoleAssignments", []), call.body.get("userRoleAssignments", [])
    if not groups and not users:
        raise bad("must specify at least one group or user assignment")
    may_assign(call, [*groups, *users])
    for entry in groups:
        plain_group(master, entry.get("groupId", 0))
    changed = dict(master.role_assignments)
    targets = [[(entry.get("groupId", 0), entry) for entry in groups], []]
    apply(master, changed, targets[0], prefixes[0], add=add)
    targets[1] = [(personal_group(master, entry), entry) for entry in users]
    apply(master, changed, targets[1], prefixes[1], add=add)
    master.role_assignments = changed
    touch_users(master, [entry.get("userId", 0) for entry in users])
    return {}


def apply(
    master: Master,
    changed: dict[Assignment, None],
    entries: list[tuple[int, dict[str, t.Any]]],
    prefix: str,
    *,
    add: bool,
) -> None:
    """Write entries into a copy of the assignments. Raises RpcError."""
    for _group, entry in entries:
        if scope_of(entry) is not None or add:
            role = entry["roleAssignment"].get("role")
            if role is None:
                raise NIL
            if (
                add
                and scope_of(entry) is not None
                and role.get("roleId", 0) in ROLE_NAMES
                and global_only(role["roleId"])
            ):
                raise plain(f"{prefix}: a global-only permission cannot be assigned to a local scope")
    for group, entry in entries:
        scope, role = scope_of(entry), entry["roleAssignment"].get("role")
        if scope is not None and scope not in master.workspaces:
            raise missing(f"{prefix}: Error getting scope for group id {group}: Error creating a RoleAssignmentScope")
        if role is None:
            raise NIL
        key = (group, role.get("roleId", 0), scope)
        if add:
            if key in changed:
                raise duplicate(f"{prefix}: Error inserting assignment for group id {group}")
            if key[1] not in ROLE_NAMES:
                raise missing(f"{prefix}: Error inserting assignment for group id {group}")
            changed[key] = None
        else:
            if key not in changed:
                raise missing(f"{prefix}: Error deleting assignment for group id {group}")
            del changed[key]


@route("POST", "/api/v1/roles/add-assignments", body=ASSIGNMENTS)
def add_assignments(call: Call) -> dict[str, t.Any]:
    """Assign roles."""
    prefixes = ("error inserting group role assignments", "error inserting role assignments for user groups")
    return change_assignments(call, prefixes, add=True)


@route("POST", "/api/v1/roles/remove-assignments", body=ASSIGNMENTS)
def remove_assignments(call: Call) -> dict[str, t.Any]:
    """Take roles away."""
    return change_assignments(
        call, ("error removing group assignments", "error removing user group assignments"), add=False
    )
