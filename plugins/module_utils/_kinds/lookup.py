# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Names to ids, exactly, with the nearest right names when there is none."""

from __future__ import annotations

import difflib
import typing as t

from .._wire.errors import InvalidOption
from .._wire.paging import Page, check_whole, read_memory_list
from .._wire.session import Live, Session, decode


class Named(Live):
    """What a reference needs of a workspace or project. ``user_id`` is who made it."""

    id: int
    name: str = ""
    archived: bool = False
    user_id: int | None = None


class Workspaces(Page):
    """One answer of ``GET /workspaces``."""

    workspaces: list[Named]

    def items(self) -> list[Named]:
        """The workspaces."""
        return self.workspaces


class Projects(Page):
    """One answer of ``GET /workspaces/{id}/projects``."""

    projects: list[Named]

    def items(self) -> list[Named]:
        """The projects."""
        return self.projects


class NamedUser(Live):
    """What a reference needs of a user."""

    id: int
    username: str
    active: bool = False
    remote: bool = False


class OwnedToken(Live):
    """What telling who holds a live token needs."""

    user_id: int


class OwnedTokens(Page):
    """One answer of ``GET /tokens``."""

    token_info: list[OwnedToken]

    def items(self) -> list[OwnedToken]:
        """The tokens."""
        return self.token_info


class NamedGroup(Live):
    """What a reference needs of a group."""

    group_id: int
    name: str = ""


class FoundGroup(Live):
    """A group as ``POST /groups/search`` shows it. Personal groups are never among them."""

    group: NamedGroup
    num_members: int = 0


class FoundGroups(Page):
    """The answer of ``POST /groups/search``."""

    groups: list[FoundGroup]

    def items(self) -> list[FoundGroup]:
        """The groups."""
        return self.groups


class RoleScopes(Live):
    """Where a role can be assigned, or a permission held; everywhere cluster-wide."""

    cluster: bool = True
    workspace: bool = False


class Permission(Live):
    """A permission of a role."""

    id: str

    @property
    def name(self) -> str:
        """Its name, such as ``VIEW_PROJECT``."""
        return self.id.removeprefix("PERMISSION_TYPE_")


class Role(Live):
    """A role. Roles are fixed by the product; none can be made or edited (API page identity-and-cluster, section 6)."""

    role_id: int
    name: str
    scope_type_mask: RoleScopes = RoleScopes()
    permissions: list[Permission] | None = None

    def permits(self, permission: str) -> bool:
        """Whether who holds it holds a permission."""
        return any(one.name == permission for one in self.permissions or [])


class Roles(Page):
    """The answer of ``POST /roles/search``."""

    roles: list[Role]

    def items(self) -> list[Role]:
        """The roles."""
        return self.roles


class NamedUsers(Page):
    """One answer of ``GET /users``."""

    users: list[NamedUser]

    def items(self) -> list[NamedUser]:
        """The users."""
        return self.users


def nearest(name: str, candidates: t.Iterable[str]) -> str:
    """A sentence with the candidates most like `name`, or an empty text."""
    pool = {candidate.casefold(): candidate for candidate in candidates}
    close = difflib.get_close_matches(name.casefold(), list(pool), n=3, cutoff=0.6)
    return f" Nearest: {', '.join(repr(pool[found]) for found in close)}." if close else ""


def literal(text: str) -> str:
    """The text as a pattern of SQL's LIKE and ILIKE that means nothing but itself."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def read_groups(session: Session, name: str | None = None, user_id: int | None = None) -> list[FoundGroup]:
    """Read all groups that the caller may see, the one of exactly that name, or those that a user is in.

    The list is a POST and wants a limit; a negative one is none (API page identity-and-cluster, section 5).
    """
    asked = {"name": name, "userId": user_id}
    body = {"limit": -1, **{key: value for key, value in asked.items() if value is not None}}
    answer = session.write("POST", "/api/v1/groups/search", body)
    found = decode(answer, FoundGroups.model_validate, answer.json(), "a list")
    check_whole("POST /api/v1/groups/search", found)
    return found.groups


def read_roles(session: Session) -> list[Role]:
    """Read all roles; under RBAC, without the right to assign them, only those that the caller holds."""
    answer = session.write("POST", "/api/v1/roles/search", {"limit": -1})
    return decode(answer, Roles.model_validate, answer.json(), "a list").roles


def refuse_empty(options: dict[str, t.Any], *names: str) -> None:
    """Refuse filters that are empty, of which nobody can tell whether they mean none or all.

    :raises InvalidOption: naming the first.
    """
    for name in names:
        if options[name] is not None and not options[name]:
            raise InvalidOption(f"{name} is empty: name at least one, or leave it out for all.")


class Names:
    """What a task's options refer to by name, found by asking the master.

    Each method takes the option that names the object, for the failure's text.

    :raises InvalidOption: there is none, or the caller can't see it; with the nearest right names.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._workspaces: dict[str, Named] = {}
        self._roles: list[Role] | None = None

    def all_workspaces(self) -> list[Named]:
        """All workspaces that the caller may see."""
        return read_memory_list(self._session, Workspaces, "/api/v1/workspaces")

    def all_users(self) -> list[NamedUser]:
        """All users."""
        return read_memory_list(self._session, NamedUsers, "/api/v1/users")

    def all_groups(self) -> list[NamedGroup]:
        """All groups that the caller may see."""
        return [found.group for found in read_groups(self._session)]

    def all_roles(self) -> list[Role]:
        """All roles that the caller may see; asked once, as the product fixes them."""
        if self._roles is None:
            self._roles = read_roles(self._session)
        return self._roles

    def token_owners(self) -> frozenset[int]:
        """The ids of the users that hold an access token that is neither revoked nor expired.

        :raises Forbidden: the caller may not see all tokens.
        """
        tokens = read_memory_list(self._session, OwnedTokens, "/api/v1/tokens")
        return frozenset(token.user_id for token in tokens)

    def name_of(self, kind: str, number: int) -> str | None:
        """The name to an id, or None if there is none such or the caller can't see it.

        :param kind: workspaces, users, groups or roles.
        """
        return self._names_of(kind).get(number)

    def _names_of(self, kind: str) -> dict[int, str]:
        pairs: t.Iterable[tuple[int, str]] = {
            "workspaces": lambda: ((found.id, found.name) for found in self.all_workspaces()),
            "users": lambda: ((found.id, found.username) for found in self.all_users()),
            "groups": lambda: ((found.group_id, found.name) for found in self.all_groups()),
            "roles": lambda: ((found.role_id, found.name) for found in self.all_roles()),
        }[kind]()
        return dict(pairs)

    def leaving(self, kind: str) -> t.Collection[str]:
        """The names of the objects of a kind that will have left their workspace before the task's own object is removed: those
        that the same plan removes or moves."""
        return ()

    def workspace(self, option: str, name: str) -> Named:
        """Find a workspace by its exact name; asked once, as finding an object and deciding about it both need it.

        ``nameCaseSensitive`` is a LIKE pattern on the server, so its wildcards are escaped, and equality is checked here
        (API page ml-resources, trap 6).
        """
        if name in self._workspaces:
            return self._workspaces[name]
        query = {"nameCaseSensitive": literal(name)}
        for found in read_memory_list(self._session, Workspaces, "/api/v1/workspaces", query):
            if found.name == name:
                self._workspaces[name] = t.cast(Named, found)
                return self._workspaces[name]
        names = [found.name for found in self.all_workspaces()]
        raise InvalidOption(
            f"{option} is {name!r}: there is no such workspace, or you may not see it.{nearest(name, names)}"
        )

    def project(self, option: str, name: str, workspace: Named) -> Named:
        """Find a project by its exact name in a workspace."""
        projects = read_memory_list(self._session, Projects, f"/api/v1/workspaces/{workspace.id}/projects")
        for found in projects:
            if found.name == name:
                return t.cast(Named, found)
        near = nearest(name, [found.name for found in projects])
        raise InvalidOption(
            f"{option} is {name!r}: there is no such project in the workspace {workspace.name!r}, or you may not see "
            f"it.{near}"
        )

    def users(self, option: str, names: t.Iterable[str]) -> list[NamedUser]:
        """Find users by their exact names, all in one call; in the order of `names`."""
        known = {found.username: found for found in self.all_users()}
        names = list(names)
        for name in names:
            if name not in known:
                raise InvalidOption(f"{option} is {name!r}: there is no such user.{nearest(name, known)}")
        return [known[name] for name in names]

    def group(self, option: str, name: str) -> NamedGroup:
        """Find a group by its exact name."""
        for found in read_groups(self._session, name):
            if found.group.name == name:
                return found.group
        names = [found.name for found in self.all_groups()]
        raise InvalidOption(
            f"{option} is {name!r}: there is no such group, or you may not see it.{nearest(name, names)}"
        )

    def role(self, option: str, name: str) -> Role:
        """Find a role by its exact name."""
        roles = {found.name: found for found in self.all_roles()}
        if name not in roles:
            raise InvalidOption(
                f"{option} is {name!r}: there is no such role, or you may not see it.{nearest(name, roles)}"
            )
        return roles[name]


class KeptNames(Names):
    """Names of a task with many objects, which reads each list once."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._lists: dict[str, t.Any] = {}

    def _kept(self, name: str, read: t.Callable[[], t.Any]) -> t.Any:
        if name not in self._lists:
            self._lists[name] = read()
        return self._lists[name]

    def all_workspaces(self) -> list[Named]:
        """All workspaces that the caller may see."""
        return t.cast("list[Named]", self._kept("workspaces", super().all_workspaces))

    def all_users(self) -> list[NamedUser]:
        """All users."""
        return t.cast("list[NamedUser]", self._kept("users", super().all_users))

    def all_groups(self) -> list[NamedGroup]:
        """All groups that the caller may see."""
        return t.cast("list[NamedGroup]", self._kept("groups", super().all_groups))

    def name_of(self, kind: str, number: int) -> str | None:
        """The name to an id, or None if there is none such or the caller can't see it."""
        return t.cast("str | None", self._kept(f"names of {kind}", lambda: self._names_of(kind)).get(number))

    def workspace(self, option: str, name: str) -> Named:
        """Find a workspace by its exact name."""
        found = next((one for one in self.all_workspaces() if one.name == name), None)
        return found or super().workspace(option, name)

    def project(self, option: str, name: str, workspace: Named) -> Named:
        """Find a project by its exact name in a workspace."""
        find = super().project
        return t.cast(Named, self._kept(f"project {workspace.id}/{name}", lambda: find(option, name, workspace)))

    def group(self, option: str, name: str) -> NamedGroup:
        """Find a group by its exact name."""
        found = next((one for one in self.all_groups() if one.name == name), None)
        return found or super().group(option, name)
