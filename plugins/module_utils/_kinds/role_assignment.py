# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Role assignments: a role, a user or group, and a workspace or the whole cluster (API page identity-and-cluster, section 6).

The tables work under every authorisation; only where RBAC is enforced have they an effect.
"""

from __future__ import annotations

import re
import typing as t

from .._wire.errors import InvalidOption
from .._wire.session import Session
from .holders import Grant, read_grants, refuse_lockout
from .kind import Arguments, Batched, Normal, Reader, Reference, Task
from .lookup import KeptNames, Named, Names, Role
from .master_config import creator_role
from .rights import Rights, doubt_absence, enforces_rbac
from .user import check_limit

NO_EFFECT = "This master does not enforce RBAC: role assignments are kept, but have no effect."

EVERYWHERE = "*"
"""In keys, the whole cluster in place of a workspace."""


def scope_key(workspace: str | None, workspace_id: int | None = None) -> str:
    """The workspace's part of a key. It never has an ``@`` in it, and is ``*`` for the whole cluster only.

    :param workspace_id: for a workspace that the caller can't see, which goes by its number.
    """
    if workspace is None:
        return EVERYWHERE if workspace_id is None else f"#{workspace_id}"
    quoted = workspace.replace("%", "%25").replace("@", "%40")
    return re.sub(r"^\*$", "%2A", re.sub(r"^#", "%23", quoted))


def grant_of(item: Normal) -> Grant:
    """The assignment by its ids."""
    return Grant(item["role_id"], item["user_id"], item["group_id"], item["workspace_id"])


class RoleAssignmentKind(Batched):
    """Role assignments. They have no field beside what they are, so they are made and taken away, never edited."""

    name = "role_assignment"
    plural = "role_assignments"
    switches = frozenset({"force"})
    refers: t.ClassVar[dict[str, str]] = {
        "role_id": "roles",
        "user_id": "users",
        "group_id": "groups",
        "workspace_id": "workspaces",
    }
    many = "assignments"
    arguments = Arguments(
        spec={
            "role": {"type": "str", "required": True},
            "user": {"type": "str"},
            "group": {"type": "str"},
            "workspace": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "force": {"type": "bool", "default": False},
        },
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse what names no or two holders."""
        for name in ("role", "user", "group", "workspace"):
            if options[name] is not None and not options[name].strip():
                raise InvalidOption(f"{name} is empty: it must be a name; leave it out for none.")
        given = [name for name in ("user", "group") if options[name] is not None]
        if len(given) != 1:
            what = "both user and group are given" if given else "neither user nor group is given"
            raise InvalidOption(f"role is {options['role']!r}, but {what}: it takes one of them.")

    def find(self, task: Task) -> Normal | None:
        """Look whether the assignment is there. To whom or where there is nothing, nothing can be taken away."""
        try:
            sought = self._resolved(task)
        except InvalidOption:
            if task.options["state"] == "absent":
                return None
            raise
        if grant_of(sought) not in read_grants(task.session, [sought["role_id"]]):
            return None
        return sought

    def _resolved(self, task: Task) -> Normal:
        """The declared assignment, found by its names."""
        options, names = task.options, task.names
        role = names.role("role", options["role"])
        self._check_scope(role, options)
        user = None if options["user"] is None else names.users("user", [options["user"]])[0]
        group = None if options["group"] is None else names.group("group", options["group"])
        workspace = None if options["workspace"] is None else names.workspace("workspace", options["workspace"])
        item = {
            "role": role.name,
            "role_id": role.role_id,
            "user": None if user is None else user.username,
            "user_id": None if user is None else user.id,
            "group": None if group is None else group.name,
            "group_id": None if group is None else group.group_id,
            "workspace": None if workspace is None else workspace.name,
            "workspace_id": None if workspace is None else workspace.id,
        }
        owner = None if workspace is None else workspace.user_id
        return {**item, "server_made": self._is_server_made(task.session, item, owner)}

    @staticmethod
    def _check_scope(role: Role, options: dict[str, t.Any]) -> None:
        if options["workspace"] is not None and not role.scope_type_mask.workspace:
            raise InvalidOption(
                f"workspace is {options['workspace']!r}: the role {role.name!r} has permissions for the whole cluster only, so it "
                "can't be assigned in a workspace; leave workspace out, or take another role."
            )

    @staticmethod
    def _is_server_made(session: Session, item: Normal, owner: int | None) -> bool:
        """Whether it is the right that the server gave the creator of a workspace there, which nobody declared."""
        return (
            owner is not None
            and item["workspace_id"] is not None
            and item["user_id"] == owner
            and item["role_id"] == creator_role(session)
        )

    def wanted(self, task: Task, live: Normal | None) -> Normal | None:
        """Say what is declared; one that is there has nothing to compare."""
        if task.options["state"] == "absent":
            if live is None:
                self._doubt_absence(task)
            return None
        if live is not None:
            return {}
        return self._resolved(task)

    @staticmethod
    def _doubt_absence(task: Task) -> None:
        """Refuse a role that does not exist, and warn of a group or workspace that may just not be seen.

        Roles are the product's own, so one that is not there is misspelt, and the right that was meant is still held.
        """
        options, names = task.options, task.names
        names.role("role", options["role"])
        for option, find in (("group", names.group), ("workspace", names.workspace)):
            if options[option] is not None:
                try:
                    find(option, options[option])
                except InvalidOption as error:
                    doubt_absence(task, f"{option}s", str(error))

    def guard(self, task: Task, changes: t.Sequence[tuple[Normal | None, Normal | None]]) -> None:
        """Say that roles have no effect where they have none, and keep the caller and the last administrator in."""
        if not enforces_rbac(task.session):
            task.warn(NO_EFFECT)
            return
        gone = {grant_of(live) for live, _new in changes if live is not None}
        if gone and not task.options["force"]:
            new = {grant_of(fields) for _live, fields in changes if fields is not None}
            refuse_lockout(task, {grant.role_id for grant in gone}, new=new, gone=gone)

    def create(self, task: Task, wanted: Normal) -> Normal:
        """Assign the role."""
        self.write_all(task, [wanted], [])
        return wanted

    def update(self, task: Task, live: Normal, changes: Normal) -> Normal:
        """Never called: there is nothing to edit."""
        raise InvalidOption("role assignments can't be edited.")

    def remove(self, task: Task, live: Normal) -> None:
        """Take the role away."""
        self.write_all(task, [], [live])

    def write_all(self, task: Task, new: t.Sequence[Normal], gone: t.Sequence[Normal]) -> None:
        """Assign first, then take away, so that nobody is without a right in between that it keeps in another way."""
        for verb, items in (("add", new), ("remove", gone)):
            if items:
                task.session.write("POST", f"/api/v1/roles/{verb}-assignments", _on_wire(items))

    def key(self, options: dict[str, t.Any]) -> str:
        """Such as ``Editor:user:alice@vision``, with ``*`` for the whole cluster."""
        subject = f"user:{options['user']}" if options["user"] is not None else f"group:{options['group']}"
        return f"{options['role']}:{subject}@{scope_key(options['workspace'])}"

    def key_of(self, live: Normal, names: Names) -> str:
        """The key; a workspace that can't be seen goes by its number."""
        kind = "user" if live["user_id"] is not None else "group"
        number, scope = live[f"{kind}_id"], live["workspace_id"]
        who = names.name_of(f"{kind}s", number) or f"#{number}"
        where = None if scope is None else names.name_of("workspaces", scope)
        return f"{names.name_of('roles', live['role_id'])}:{kind}:{who}@{scope_key(where, scope)}"

    def read_all(self, session: Session, names: Names) -> t.Sequence[Normal]:
        """Read the assignments of all roles in all scopes, those in workspaces that the caller can't see included."""
        roles = {role.role_id: role.name for role in names.all_roles()}
        grants = sorted(read_grants(session, roles), key=lambda grant: [part or 0 for part in grant])
        users = {user.id: user.username for user in names.all_users()}
        groups = {group.group_id: group.name for group in names.all_groups()}
        workspaces = {workspace.id: workspace for workspace in names.all_workspaces()}
        nowhere = Named(id=0)
        found: list[Normal] = [
            {
                "role": roles[grant.role_id],
                "role_id": grant.role_id,
                "user": users.get(grant.user_id or 0),
                "user_id": grant.user_id,
                "group": groups.get(grant.group_id or 0),
                "group_id": grant.group_id,
                "workspace": workspaces.get(grant.workspace_id or 0, nowhere).name or None,
                "workspace_id": grant.workspace_id,
            }
            for grant in grants
        ]
        owners = {number: workspace.user_id for number, workspace in workspaces.items()}
        return [
            {**item, "server_made": self._is_server_made(session, item, owners.get(item["workspace_id"]))}
            for item in found
        ]

    def relabeled(self, live: Normal, names: Names) -> Normal:
        """Whom and what it is about, by the names that they have by now."""
        numbers = ((option, live[f"{option}_id"]) for option in ("user", "group", "workspace"))
        return {
            **live,
            **{option: names.name_of(f"{option}s", number) for option, number in numbers if number is not None},
        }

    def surplus(
        self, task: Task, live: t.Mapping[str, Normal], declared: t.Mapping[str, dict[str, t.Any]]
    ) -> t.Collection[str]:
        """What is assigned in the named scopes and not declared, the creator's own right on its workspace aside."""
        if not declared:
            raise InvalidOption(
                "exclusive is true and assignments is empty: it names no scope; to empty one, declare one of its assignments absent."
            )
        gap = Rights.read(task.session).gap(self.plural)
        if gap is not None:
            raise InvalidOption(f"exclusive is true, but not all role assignments can be seen: {gap}.")
        names = {options["workspace"] for options in declared.values()}
        scopes = {None if name is None else task.names.workspace("workspace", name).id for name in names}
        return [
            key
            for key, item in live.items()
            if item["workspace_id"] in scopes and key not in declared and not item["server_made"]
        ]

    def references(self, options: dict[str, t.Any]) -> t.Sequence[Reference]:
        """The user or group, and the workspace."""
        pairs = (("users", "user"), ("groups", "group"), ("workspaces", "workspace"))
        return [Reference(kind, options[option], option) for kind, option in pairs if options[option] is not None]

    def declaration(self, live: Normal, names: Names) -> dict[str, t.Any]:
        """Its names."""
        found = {"role": names.name_of("roles", live["role_id"])}
        for option in ("user", "group", "workspace"):
            if live[f"{option}_id"] is not None:
                found[option] = names.name_of(f"{option}s", live[f"{option}_id"])
        return found

    def undeclarable(self, live: Normal, names: Names) -> str | None:
        """The server's own, and what is in the dark."""
        if live["server_made"]:
            return "the server gave it to the creator of the workspace"
        return self._unseen(live)

    def built_in(self, live: Normal) -> str | None:
        """What is not seen whole is not touched."""
        return self._unseen(live)

    @staticmethod
    def _unseen(live: Normal) -> str | None:
        for option in ("user", "group", "workspace"):
            number = live[f"{option}_id"]
            if number is not None and live[option] is None:
                return f"you may not see its {option} (id {number})"
        return None


def _on_wire(items: t.Iterable[Normal]) -> dict[str, t.Any]:
    """The body of add-assignments and remove-assignments. The server reads the role's id and the workspace's, no more."""
    body: dict[str, list[t.Any]] = {"userRoleAssignments": [], "groupRoleAssignments": []}
    for item in items:
        assignment: dict[str, t.Any] = {"role": {"roleId": item["role_id"]}}
        if item["workspace_id"] is not None:
            assignment["scopeWorkspaceId"] = item["workspace_id"]
        kind = "user" if item["user_id"] is not None else "group"
        body[f"{kind}RoleAssignments"].append({f"{kind}Id": item[f"{kind}_id"], "roleAssignment": assignment})
    return body


class RoleAssignmentReader(Reader):
    """Role assignments of all scopes."""

    arguments = Arguments(
        spec={
            "role": {"type": "str"},
            "user": {"type": "str"},
            "group": {"type": "str"},
            "workspace": {"type": "str"},
            "limit": {"type": "int"},
        },
        mutually_exclusive=(("user", "group"),),
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse a limit below 1."""
        check_limit(options["limit"])

    def read(self, task: Task) -> dict[str, t.Any]:
        """Read them all; the server has no filters that could narrow this."""
        options, names = task.options, KeptNames(task.session)
        wanted: dict[str, int] = {}
        if options["role"] is not None:
            wanted["role_id"] = names.role("role", options["role"]).role_id
        if options["user"] is not None:
            wanted["user_id"] = names.users("user", [options["user"]])[0].id
        if options["group"] is not None:
            wanted["group_id"] = names.group("group", options["group"]).group_id
        if options["workspace"] is not None:
            wanted["workspace_id"] = names.workspace("workspace", options["workspace"]).id
        found = ROLE_ASSIGNMENT.read_all(task.session, names)
        matching = [item for item in found if all(item[name] == number for name, number in wanted.items())]
        return {"role_assignments": matching[: options["limit"]], "total": len(matching)}


ROLE_ASSIGNMENT = RoleAssignmentKind()
ROLE_ASSIGNMENTS = RoleAssignmentReader()
