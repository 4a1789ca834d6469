# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Lists of workspaces."""

from __future__ import annotations

import typing as t

from .._wire.paging import read_memory_list
from .kind import Arguments, Normal, Reader, Task
from .lookup import literal, refuse_empty
from .masking import masked
from .user import check_limit
from .workspace import Workspace, Workspaces, whole_workspace
from .workspace_namespaces import read_namespaces


class WorkspaceReader(Reader):
    """Workspaces."""

    arguments = Arguments(
        spec={
            "name": {"type": "str"},
            "name_contains": {"type": "str"},
            "archived": {"type": "bool"},
            "users": {"type": "list", "elements": "str"},
            "include": {
                "type": "list",
                "elements": "str",
                "choices": ["storage", "namespace_bindings"],
                "default": [],
            },
            "limit": {"type": "int"},
        },
        mutually_exclusive=(("name", "name_contains"),),
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse a limit below 1, and users that are none."""
        check_limit(options["limit"])
        refuse_empty(options, "users")

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
        total, shown = len(matching), []
        for workspace in matching[: options["limit"]]:
            item = _with(task, workspace, options["include"])
            if item is None:
                # Removed since the list was read.
                total -= 1
            else:
                shown.append(item)
        return {"workspaces": shown, "total": total}


def _with(task: Task, workspace: Workspace, include: t.Sequence[str]) -> Normal | None:
    item = workspace.normal()
    if "storage" in include:
        whole = whole_workspace(task.session, workspace.id)
        if whole is None:
            return None
        item = whole.normal()
        item["checkpoint_storage"] = masked(item["checkpoint_storage"])
    if "namespace_bindings" in include:
        item.update(read_namespaces(task.session, workspace.id))
    return item


def _matches(workspace: Workspace, options: dict[str, t.Any]) -> bool:
    return (
        (options["name"] is None or workspace.name == options["name"])
        and (options["name_contains"] or "").casefold() in workspace.name.casefold()
        and (options["archived"] is None or workspace.archived is options["archived"])
        and (not options["users"] or workspace.username in options["users"])
    )


WORKSPACES = WorkspaceReader()
