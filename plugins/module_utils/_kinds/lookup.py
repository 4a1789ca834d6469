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
from .._wire.paging import Page, read_memory_list
from .._wire.session import Live, Session


class Named(Live):
    """What a reference needs of a workspace, project or user."""

    id: int
    name: str = ""
    archived: bool = False


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


def find_workspace(session: Session, option: str, name: str) -> Named:
    """Find a workspace by its exact name.

    ``nameCaseSensitive`` is a LIKE pattern on the server, so its wildcards are escaped, and equality is checked here (API
    page, trap 6).

    :param option: the option that names it, for the failure's text.
    :raises InvalidOption: there is none, or the caller can't see it.
    """
    for found in read_memory_list(session, Workspaces, "/api/v1/workspaces", {"nameCaseSensitive": literal(name)}):
        if found.name == name:
            return t.cast(Named, found)
    names = [found.name for found in read_memory_list(session, Workspaces, "/api/v1/workspaces")]
    raise InvalidOption(
        f"{option} is {name!r}: there is no such workspace, or you may not see it.{nearest(name, names)}"
    )


def find_project(session: Session, option: str, name: str, workspace: Named) -> Named:
    """Find a project by its exact name in a workspace.

    :raises InvalidOption: there is none.
    """
    projects = read_memory_list(session, Projects, f"/api/v1/workspaces/{workspace.id}/projects")
    for found in projects:
        if found.name == name:
            return t.cast(Named, found)
    near = nearest(name, [found.name for found in projects])
    raise InvalidOption(f"{option} is {name!r}: there is no such project in the workspace {workspace.name!r}.{near}")


def require_users(session: Session, option: str, names: t.Iterable[str]) -> None:
    """Refuse names that no user has.

    :raises InvalidOption: naming the first that is wrong, and the nearest right ones.
    """
    known = [found.username for found in read_memory_list(session, NamedUsers, "/api/v1/users")]
    for name in names:
        if name not in known:
            raise InvalidOption(f"{option} is {name!r}: there is no such user.{nearest(name, known)}")
