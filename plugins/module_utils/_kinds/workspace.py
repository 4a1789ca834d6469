# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Workspaces, which hold projects, models and templates (API page ml-resources, section 7)."""

from __future__ import annotations

import typing as t

from .._wire.paging import Page, read_memory_list
from .._wire.session import Live
from .kind import Arguments, Normal, Reader, Task
from .lookup import literal
from .user import AgentUserGroup, check_limit


class Workspace(Live):
    """A workspace as lists have it, that is without its checkpoint storage (``proto/src/determined/workspace/v1``)."""

    id: int
    name: str
    archived: bool = False
    immutable: bool = False
    pinned: bool = False
    user_id: int | None = None
    username: str | None = None
    num_projects: int = 0
    num_experiments: int = 0
    state: str = ""
    error_message: str | None = None
    default_compute_pool: str | None = None
    default_aux_pool: str | None = None
    agent_user_group: AgentUserGroup | None = None

    def normal(self) -> Normal:
        """The normal form, the state as a word in lower case."""
        return {**self.model_dump(), "state": self.state.removeprefix("WORKSPACE_STATE_").lower()}


class Workspaces(Page):
    """One answer of ``GET /workspaces``."""

    workspaces: list[Workspace]

    def items(self) -> list[Workspace]:
        """The workspaces."""
        return self.workspaces


class WorkspaceReader(Reader):
    """Workspaces."""

    arguments = Arguments(
        spec={
            "name": {"type": "str"},
            "name_contains": {"type": "str"},
            "archived": {"type": "bool"},
            "users": {"type": "list", "elements": "str"},
            "limit": {"type": "int"},
        },
        mutually_exclusive=(("name", "name_contains"),),
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse a limit below 1."""
        check_limit(options["limit"])

    def read(self, task: Task) -> dict[str, t.Any]:
        """Read the workspaces that match; the server's filters narrow, this side decides."""
        options = task.options
        if options["users"]:
            task.names.users("users", options["users"])
        query: dict[str, t.Any] = {"archived": options["archived"]}
        if options["name"]:
            query["nameCaseSensitive"] = literal(options["name"])
        found = read_memory_list(task.session, Workspaces, "/api/v1/workspaces", query)
        matching = [workspace for workspace in found if _matches(workspace, options)]
        shown = matching[: options["limit"]]
        return {"workspaces": [workspace.normal() for workspace in shown], "total": len(matching)}


def _matches(workspace: Workspace, options: dict[str, t.Any]) -> bool:
    return (
        (options["name"] is None or workspace.name == options["name"])
        and (options["name_contains"] or "").casefold() in workspace.name.casefold()
        and (options["archived"] is None or workspace.archived is options["archived"])
        and (not options["users"] or workspace.username in options["users"])
    )


WORKSPACES = WorkspaceReader()
