# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""User groups and their members (API page identity-and-cluster, section 5).

Each user has a personal group too, which the product hides and this collection never sees.
"""

from __future__ import annotations

import typing as t

from .._wire.errors import InvalidOption, NotFound
from .._wire.session import Live, Session, decode, route, unwrap
from .holders import refuse_lockout
from .kind import Arguments, Declarable, Field, Normal, Reader, Reference, Task, same_set
from .lookup import FoundGroup, Names, read_groups
from .master_config import provider_syncs_groups
from .rights import Summary, doubt_absence
from .user import check_limit

PERSONAL_GROUP = "DeterminedPersonalGroup"
"""What the names of personal groups end with; the server refuses to create a group with it in its name."""


class Member(Live):
    """A user as a group shows it."""

    id: int
    username: str
    remote: bool = False


class Group(Live):
    """A group with its members (``proto/src/determined/group/v1/group.proto``)."""

    group_id: int
    name: str = ""
    users: list[Member] | None = None

    def normal(self) -> Normal:
        """The normal form. ``users`` is for this file: results have the names alone."""
        users = sorted(self.users or [], key=lambda user: user.username)
        return {
            "id": self.group_id,
            "name": self.name,
            "members": [user.username for user in users],
            "users": [user.normal() for user in users],
        }


def read_group(session: Session, number: int) -> Group | None:
    """Read a group with its members, or None."""
    return session.find(Group, "group", route("groups", number))


def find_group(session: Session, name: str) -> Normal | None:
    """Find a group by its exact name."""
    for found in read_groups(session, name):
        if found.group.name == name:
            group = read_group(session, found.group.group_id)
            return None if group is None else group.normal()
    return None


class GroupKind(Declarable):
    """Groups, by name."""

    name = "group"
    plural = "groups"
    fields: t.ClassVar = {"members": Field(same=same_set)}
    switches = frozenset({"new_name", "force"})
    rename_option = "new_name"
    completes = True
    arguments = Arguments(
        spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "new_name": {"type": "str"},
            "members": {"type": "list", "elements": "str"},
            "members_mode": {"type": "str", "choices": ["exact", "add", "remove"], "default": "exact"},
            "force": {"type": "bool", "default": False},
        },
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse names that the server would refuse, change or confuse."""
        _check_name("name", options["name"])
        if options["new_name"] is not None:
            _check_name("new_name", options["new_name"])
            if options["state"] == "absent":
                raise InvalidOption("new_name is given with state absent: a group that is removed can't be renamed.")

    def find(self, task: Task) -> Normal | None:
        """Find the group, under the new name too when it is being renamed."""
        name, new = task.options["name"], task.options["new_name"]
        found = None if new is None or new == name else find_group(task.session, new)
        old = find_group(task.session, name)
        if found is not None and old is not None:
            raise InvalidOption(
                f"new_name is {new!r}: that group exists already (id {found['id']}), and so does {name!r} (id {old['id']}); one "
                "of them has to go first."
            )
        if old is None and task.options["state"] == "absent":
            doubt_absence(task, self.plural, f"name is {name!r}: you see no such group.")
        return found or old

    def wanted(self, task: Task, live: Normal | None) -> Normal | None:
        """Say what is declared."""
        options = task.options
        if options["state"] == "absent":
            return None
        wanted: Normal = {"name": options["new_name"] or options["name"]}
        if options["members"] is not None:
            wanted["members"] = self._members(task, [] if live is None else live["users"])
        return wanted

    def _members(self, task: Task, users: list[Normal]) -> list[str]:
        """Whom the group must have, by name. A live member keeps the name that it has: users are the same by their ids."""
        options = task.options
        current = {user["id"]: user for user in users}
        asked = dict.fromkeys(options["members"])
        declared = {
            user.id: {"id": user.id, "username": user.username, "remote": user.remote}
            for user in (task.names.users("members", asked) if asked else ())
        }
        mode = options["members_mode"]
        wanted = {"exact": declared.keys(), "add": current | declared, "remove": current.keys() - declared}[mode]
        known = declared | current
        theirs = {number for number in current.keys() ^ set(wanted) if known[number]["remote"]}
        if (
            theirs
            and not options["force"]
            and self._is_left_to_provider(task, sorted(known[n]["username"] for n in theirs))
        ):
            wanted = set(wanted) ^ theirs
        return sorted(known[number]["username"] for number in wanted)

    @staticmethod
    def _is_left_to_provider(task: Task, names: list[str]) -> bool:
        """Whether the identity provider decides about the memberships of remote users."""
        syncs = provider_syncs_groups(task.session)
        if syncs is False:
            return False
        why = (
            "the identity provider decides about their groups"
            if syncs
            else "whether an identity provider decides about their groups can't be seen without the right to read the master's "
            "configuration"
        )
        task.warn(
            f"The memberships of the remote users {', '.join(map(repr, names))} in the group {task.options['name']!r} are left as "
            f"they are: {why}. Set force to true to write them all the same."
        )
        return True

    def guard(self, task: Task, changes: t.Sequence[tuple[Normal | None, Normal | None]]) -> None:
        """Keep the caller and the last administrator in, who may be so by this group."""
        left: dict[int, frozenset[int]] = {}
        for live, fields in changes:
            if live is not None:
                kept: t.Collection[str] = () if fields is None else {**live, **fields}["members"]
                lost = frozenset(user["id"] for user in live["users"] if user["username"] not in kept)
                if lost:
                    left[live["id"]] = lost
        if not left or task.options["force"]:
            return
        roles = {role for number in left for role in _roles_of(task.session, number)}
        if roles:
            refuse_lockout(task, roles, left=left)

    def create(self, task: Task, wanted: Normal) -> Normal:
        """Create the group with its members."""
        body = {"name": wanted["name"], "addUsers": _ids(task, wanted.get("members", ()))}
        return unwrap(task.session.write("POST", "/api/v1/groups", body), "group", Group).normal()

    def update(self, task: Task, live: Normal, changes: Normal) -> Normal:
        """Send what differs. Members go as additions and removals, and the server refuses to add one who is in already.

        They are read again first: since the decision somebody else may have added or removed the same ones.
        """
        body: dict[str, t.Any] = {"name": changes["name"]} if "name" in changes else {}
        if "members" in changes:
            now = read_group(task.session, live["id"])
            if now is None:
                raise NotFound(f"The group {live['name']!r} disappeared while it was being changed.")
            present = {user["id"] for user in now.normal()["users"]}
            wanted, before = set(changes["members"]), set(live["members"])
            added = set(_ids(task, sorted(wanted - before))) - present
            removed = {user["id"] for user in live["users"] if user["username"] not in wanted} & present
            body |= {name: sorted(ids) for name, ids in (("addUsers", added), ("removeUsers", removed)) if ids}
            if not body:
                return now.normal()
        return unwrap(task.session.write("PUT", route("groups", live["id"]), body), "group", Group).normal()

    def remove(self, task: Task, live: Normal) -> None:
        """Delete the group with its memberships and role assignments."""
        task.session.write("DELETE", route("groups", live["id"]))

    def blank(self, task: Task) -> Normal:
        """A new group."""
        return {"id": None, "name": "", "members": [], "users": []}

    def shown(self, task: Task, item: Normal) -> Normal:
        """The group without what only this file needs."""
        return {name: value for name, value in item.items() if name != "users"}

    def key(self, options: dict[str, t.Any]) -> str:
        """Its name."""
        return str(options["name"])

    def key_of(self, live: Normal, names: Names) -> str:
        """Its name."""
        return str(live["name"])

    def read_all(self, session: Session, names: Names) -> t.Sequence[Normal]:
        """Read all groups that the caller may see; the list has no members."""
        return [{"id": found.group.group_id, "name": found.group.name} for found in read_groups(session)]

    def complete(self, session: Session, live: Normal) -> Normal:
        """Add the members."""
        return session.read(Group, "group", route("groups", live["id"])).normal()

    def relabeled(self, live: Normal, names: Names) -> Normal:
        """The members by the names that they have by now."""
        if "users" not in live:
            return live
        users = [{**user, "username": names.name_of("users", user["id"]) or user["username"]} for user in live["users"]]
        return {**live, "users": users, "members": sorted(user["username"] for user in users)}

    def references(self, options: dict[str, t.Any]) -> t.Sequence[Reference]:
        """Its members."""
        return [Reference("users", name, "members") for name in options["members"] or ()]

    def declaration(self, live: Normal, names: Names) -> dict[str, t.Any]:
        """Its name and members."""
        return {"name": live["name"], **({"members": live["members"]} if live.get("members") else {})}

    def undeclarable(self, live: Normal, names: Names) -> str | None:
        """A name that the module refuses."""
        try:
            _check_name("name", live["name"])
        except InvalidOption as error:
            return str(error)
        return None


def _check_name(option: str, name: str) -> None:
    if not name.strip():
        raise InvalidOption(f"{option} is empty: it must be a group's name.")
    if "\0" in name:
        raise InvalidOption(f"{option} is {name!r}: the server would drop the NUL in it.")
    if PERSONAL_GROUP in name:
        raise InvalidOption(
            f"{option} is {name!r}: names with {PERSONAL_GROUP!r} in them are those of users' personal groups."
        )


def _ids(task: Task, names: t.Iterable[str]) -> list[int]:
    names = list(names)
    return [user.id for user in task.names.users("members", names)] if names else []


def _roles_of(session: Session, number: int) -> set[int]:
    """The ids of the roles that a group holds."""
    try:
        answer = session.call("GET", route("roles", "search", "by-group", number))
    except NotFound:
        return set()
    found = decode(answer, Summary.model_validate, answer.json(), "roles")
    return {held.role_id for held in found.assignments or []}


class GroupReader(Reader):
    """Groups with their members."""

    arguments = Arguments(
        spec={
            "name": {"type": "str"},
            "name_contains": {"type": "str"},
            "user": {"type": "str"},
            "limit": {"type": "int"},
        },
        mutually_exclusive=(("name", "name_contains"),),
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse a limit below 1."""
        check_limit(options["limit"])

    def read(self, task: Task) -> dict[str, t.Any]:
        """Read the groups that match, then the members of each that is shown."""
        options, session = task.options, task.session
        user = None if options["user"] is None else task.names.users("user", [options["user"]])[0].id
        found = [] if options["name"] == "" else read_groups(session, options["name"], user)
        matching = [one for one in found if _matches(one, options)]
        total, groups = len(matching), []
        for one in matching[: options["limit"]]:
            group = read_group(session, one.group.group_id)
            if group is None:
                # Removed since the list was read.
                total -= 1
            else:
                groups.append(GROUP.shown(task, group.normal()))
        return {"groups": groups, "total": total}


def _matches(found: FoundGroup, options: dict[str, t.Any]) -> bool:
    name = found.group.name
    return (options["name"] is None or name == options["name"]) and (
        options["name_contains"] or ""
    ).casefold() in name.casefold()


GROUP = GroupKind()
GROUPS = GroupReader()
