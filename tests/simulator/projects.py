# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Projects (master/internal/api_project.go, master/internal/project/postgres_project.go)."""

from __future__ import annotations

import random
import re
import string
import typing as t
from datetime import datetime

from .fields import BoolValue, Enum, Int32, List, Message, OrderBy, String
from .gateway import Call, Code, RpcError, bad, page_memory, plain, route
from .ml_state import (
    ProjectRow,
    allowed,
    like,
    need,
    owner_or_admin,
    sql_sorted,
    stamp,
    user_filter,
    username,
    visible_workspaces,
)
from .workspaces import find as find_workspace

if t.TYPE_CHECKING:
    from .state import Master

_NOTE = Message({"name": String, "contents": String})


class Held(t.NamedTuple):
    """What the experiments of a project add up to."""

    experiments: int = 0
    active: int = 0
    last_start: datetime | None = None
    runs: int = 0


NOTHING = Held()


def held_by(master: Master, only: int | None = None) -> dict[int, Held]:
    """By project, in one walk over all experiments, or those of one project."""
    out: dict[int, Held] = {}
    rows = master.experiments.values()
    for row in rows if only is None else [row for row in rows if row.project_id == only]:
        count, active, last, runs = out.get(row.project_id, NOTHING)
        newest = row.start_time if last is None or row.start_time > last else last
        out[row.project_id] = Held(count + 1, active + (row.state == "ACTIVE"), newest, runs + len(row.trial_ids))
    return out


def render(call: Call, row: ProjectRow, *, held: dict[int, Held] | None = None) -> dict[str, t.Any]:
    """A Project.

    Args:
        call: the request.
        row: the project.
        held: the sums of all projects, given for lists: those have the true state and no workspace name, a single project the
            reverse (a prefix is added twice).
    """
    master, listed = call.master, held is not None
    workspace = master.workspaces[row.workspace_id]
    sums = (held if held is not None else held_by(master, row.id)).get(row.id, NOTHING)
    return {
        "id": row.id,
        "name": row.name,
        "workspaceId": row.workspace_id,
        "description": row.description,
        "lastExperimentStartedAt": stamp(sums.last_start),
        "notes": row.notes,
        "numExperiments": sums.experiments,
        "numActiveExperiments": sums.active,
        "archived": row.archived or workspace.archived,
        "username": username(master, row.user_id),
        "immutable": row.immutable,
        "userId": row.user_id,
        "workspaceName": "" if listed else workspace.name,
        "state": f"WORKSPACE_STATE_{row.state or 'UNSPECIFIED'}" if listed else "WORKSPACE_STATE_UNSPECIFIED",
        "errorMessage": row.error_message,
        "key": row.key,
        "numRuns": sums.runs,
    }


def find(call: Call, project_id: int) -> ProjectRow:
    """The project, if the caller may see it, else 404."""
    row = call.master.projects.get(project_id)
    if row is None or not allowed(call, "VIEW_PROJECT", row.workspace_id):
        raise call.master.not_found("project", project_id)
    return t.cast(ProjectRow, row)


def by_name(call: Call, workspace_name: str, name: str) -> ProjectRow | None:
    """The project that an experiment configuration names.

    Raises:
        RpcError: plain, for an archived workspace or project.
    """
    master = call.master
    workspace = next((row for row in master.workspaces.values() if row.name == workspace_name), None)
    if workspace is None:
        return None
    if workspace.archived:
        raise plain("workspace is archived and cannot add new experiments")
    row = next((row for row in master.projects.values() if row.workspace_id == workspace.id and row.name == name), None)
    if row is not None and row.archived:
        raise plain("project is archived and cannot add new experiments")
    return row


def _may(call: Call, row: ProjectRow, permission: str, what: str, *, owner_counts: bool = True) -> None:
    """Basic: admin, owner of the workspace, and mostly the owner of the project."""
    if call.master.rbac:
        need(call, permission, row.workspace_id, status=True)
        return
    owns_workspace = call.master.workspaces[row.workspace_id].user_id == call.caller.id
    if not (owns_workspace or call.caller.admin or (owner_counts and row.user_id == call.caller.id)):
        raise RpcError(Code.PERMISSION_DENIED, f"can't {what}: non admin users need to own the project or workspace")


def _check_key(key: str) -> None:
    if len(key.encode()) > 5:
        raise bad("project key cannot be longer than 5 characters")
    if not key:
        raise bad("project key cannot be empty")
    if not re.fullmatch(r"[a-zA-Z0-9]{1,5}", key):
        raise bad(f"project key can only contain alphanumeric characters: {key}")


def _new_key(call: Call, name: str) -> str:
    prefix = re.sub(r"[^a-zA-Z0-9]", "", name).upper()[:3]
    taken = {row.key for row in call.master.projects.values()}
    while True:
        key = prefix + "".join(random.choices(string.ascii_uppercase + string.digits, k=5 - len(prefix)))
        if key not in taken:
            return key


def _reserved(call: Call, key: str, but: int = 0) -> bool:
    return any(key in row.reserved_keys for row in call.master.projects.values() if row.id != but)


def _name_problem(name: str) -> str:
    rule = "namemin" if not name else "namemax" if len(name) > 80 else ""
    return f'ERROR: new row for relation "projects" violates check constraint "{rule}" (SQLSTATE 23514)' if rule else ""


@route(
    "GET",
    "/api/v1/workspaces/{id:int32}/projects",
    query={
        "sortBy": Enum(
            "apiv1.GetWorkspaceProjectsRequest_SortBy",
            "SORT_BY_UNSPECIFIED",
            "SORT_BY_CREATION_TIME",
            "SORT_BY_LAST_EXPERIMENT_START_TIME",
            "SORT_BY_NAME",
            "SORT_BY_DESCRIPTION",
            "SORT_BY_ID",
        ),
        "orderBy": OrderBy,
        "offset": Int32,
        "limit": Int32,
        "name": String,
        "archived": BoolValue,
        "users": List(String),
        "userIds": List(Int32),
    },
)
def list_projects(call: Call) -> dict[str, t.Any]:
    """GetWorkspaceProjects; id 0 stands for all workspaces."""
    master, query, workspace_id = call.master, call.query, call.path["id"]
    if workspace_id:
        find_workspace(call, workspace_id)
    match_user = user_filter(call)
    rows = [
        row for row in master.projects.values() if workspace_id in (0, row.workspace_id) and match_user(row.user_id)
    ]
    if query.get("name"):
        match = like(query["name"], fold=True, query="get_workspace_projects")
        rows = [row for row in rows if match(row.name)]
    if "archived" in query:
        rows = [row for row in rows if row.archived == query["archived"]]
    scopes = visible_workspaces(call, "VIEW_PROJECT")
    if scopes is not None:
        rows = [row for row in rows if row.workspace_id in scopes]

    held = held_by(master)
    columns: dict[str, t.Callable[[ProjectRow], t.Any]] = {
        "SORT_BY_CREATION_TIME": lambda row: row.created_at,
        "SORT_BY_NAME": lambda row: row.name,
        "SORT_BY_DESCRIPTION": lambda row: row.description,
        "SORT_BY_LAST_EXPERIMENT_START_TIME": lambda row: held.get(row.id, NOTHING).last_start,
    }
    key = columns.get(query.get("sortBy", ""))
    ordered = sql_sorted(rows, key, query.get("orderBy", ""), tie=lambda row: row.id)
    page, pagination = page_memory(ordered, call)
    return {"projects": [render(call, row, held=held) for row in page], "pagination": pagination}


@route("GET", "/api/v1/projects/{id:int32}")
def get_project(call: Call) -> dict[str, t.Any]:
    """GetProject."""
    return {"project": render(call, find(call, call.path["id"]))}


@route("GET", "/api/v1/projects/key/{key}")
def get_project_by_key(call: Call) -> dict[str, t.Any]:
    """GetProjectByKey, without case."""
    key = call.path["key"]
    row = next((row for row in call.master.projects.values() if row.key == key.upper()), None)
    if row is None:
        raise call.master.not_found("project", key)
    need(call, "VIEW_PROJECT", row.workspace_id)
    return {"project": render(call, row)}


@route(
    "POST",
    "/api/v1/workspaces/{workspaceId:int32}/projects",
    body=Message({"name": String, "description": String, "key": String}),
)
def post_project(call: Call) -> dict[str, t.Any]:
    """PostProject."""
    master, body = call.master, call.body
    workspace = find_workspace(call, call.path["workspaceId"], reject_immutable=True)
    need(call, "CREATE_PROJECT", workspace.id, status=True)
    name, key = body.get("name", ""), body.get("key")
    if key is not None:
        key = key.upper()
        _check_key(key)
    where = f"error creating project {name} in database: "
    if key is not None and _reserved(call, key):
        raise RpcError(Code.INTERNAL, f"{where}rpc error: code = Internal desc = internal server error")
    number = master.next_id("projects")  # a refused insert burns its number
    if _name_problem(name):
        raise RpcError(Code.INTERNAL, f"{where}rpc error: code = Internal desc = internal server error")
    taken = None
    if any(row.key == key for row in master.projects.values()):
        taken = f"project key {key} is already in use"
    if any(row.workspace_id == workspace.id and row.name == name for row in master.projects.values()):
        taken = taken or f"project name {name} is already in use"
    if taken:
        inner = f"error inserting project {name} into database: {taken}: row already exists"
        raise RpcError(Code.ALREADY_EXISTS, f"{where}rpc error: code = AlreadyExists desc = {inner}")
    row = ProjectRow(
        number,
        name,
        workspace.id,
        call.caller.id,
        key or _new_key(call, name),
        master.now(),
        description=body.get("description", ""),
    )
    master.projects[row.id] = row
    return {"project": {**render(call, row, held={}), "archived": False}}


@route("PATCH", "/api/v1/projects/{id:int32}", body=Message({"name": String, "description": String, "key": String}))
def patch_project(call: Call) -> dict[str, t.Any]:
    """PatchProject: a full answer only when something changed."""
    body, project_id = call.body, call.path["id"]
    if "key" in body:
        _check_key(body["key"])
    row = find(call, project_id)
    if row.archived or call.master.workspaces[row.workspace_id].archived:
        raise plain(f"project ({row.id}) is archived and cannot have attributes updated")
    if row.immutable:
        raise plain(f"project ({row.id}) is immutable and cannot have attributes updated")
    changes = {}
    for field, what in (("name", "set project name"), ("description", "set project name"), ("key", "set project key")):
        value = body[field].upper() if field == "key" and field in body else body.get(field)
        if value is not None and value != getattr(row, field):
            _may(call, row, "UPDATE_PROJECT", what, owner_counts=False)
            changes[field] = value
    if not changes:
        return {
            "project": {
                **render(call, row),
                "lastExperimentStartedAt": None,
                "notes": [],
                "numExperiments": 0,
                "numActiveExperiments": 0,
                "username": "",
                "userId": 0,
                "workspaceName": "",
                "errorMessage": "",
                "numRuns": 0,
            }
        }
    new_name, new_key = changes.get("name", row.name), changes.get("key", row.key)
    if _reserved(call, new_key, row.id):
        text = f"error updating project {new_name}, provided key '{new_key}' already in use in redirect table"
        raise RpcError(Code.ALREADY_EXISTS, text)
    others = [other for other in call.master.projects.values() if other.id != row.id]
    if "name" in changes and _name_problem(new_name):
        raise plain(f"error updating project {new_name}: {_name_problem(new_name)}")
    if any(other.workspace_id == row.workspace_id and other.name == new_name for other in others):
        raise plain(f"error updating project {new_name}: row already exists")
    if any(other.key == new_key for other in others):
        raise RpcError(Code.ALREADY_EXISTS, f"project key {new_key} is already in use")
    for field, value in changes.items():
        setattr(row, field, value)
    shown = render(call, row)
    if shown["numRuns"]:
        row.reserved_keys.add(row.key)
    return {"project": {**shown, "numRuns": 0}}


@route("POST", "/api/v1/projects/{projectId:int32}/notes", body=_NOTE)
def add_note(call: Call) -> dict[str, t.Any]:
    """AddProjectNote: appends."""
    row = find(call, call.path["projectId"])
    need(call, "UPDATE_PROJECT", row.workspace_id, status=True)
    row.notes = [*row.notes, {"name": call.body.get("name", ""), "contents": call.body.get("contents", "")}]
    return {"notes": row.notes}


@route("PUT", "/api/v1/projects/{projectId:int32}/notes", body=Message({"notes": List(_NOTE)}))
def put_notes(call: Call) -> dict[str, t.Any]:
    """PutProjectNotes: replaces."""
    row = find(call, call.path["projectId"])
    need(call, "UPDATE_PROJECT", row.workspace_id, status=True)
    row.notes = [
        {"name": note.get("name", ""), "contents": note.get("contents", "")} for note in call.body.get("notes", ())
    ]
    return {"notes": row.notes}


def _set_archived(call: Call, archived: bool) -> dict[str, t.Any]:
    verb = "archive" if archived else "unarchive"
    row = find(call, call.path["id"])
    _may(call, row, "UPDATE_PROJECT", f"{verb} project")
    if call.master.workspaces[row.workspace_id].archived:
        raise plain("This project belongs to an archived workspace. To make changes, first unarchive the workspace.")
    if row.immutable:
        raise plain(f"error {verb[:-1]}ing project ({row.id}): not found")
    row.archived = archived
    return {}


@route("POST", "/api/v1/projects/{id:int32}/archive")
def archive_project(call: Call) -> dict[str, t.Any]:
    """ArchiveProject."""
    return _set_archived(call, True)


@route("POST", "/api/v1/projects/{id:int32}/unarchive")
def unarchive_project(call: Call) -> dict[str, t.Any]:
    """UnarchiveProject."""
    return _set_archived(call, False)


@route("POST", "/api/v1/projects/{projectId:int32}/move", body=Message({"destinationWorkspaceId": Int32}))
def move_project(call: Call) -> dict[str, t.Any]:
    """MoveProject."""
    row = find(call, call.path["projectId"])
    origin = find_workspace(call, row.workspace_id)
    target = find_workspace(call, call.body.get("destinationWorkspaceId", 0), reject_immutable=True)
    if call.master.rbac:
        need(call, "DELETE_PROJECT", origin.id, status=True)
        need(call, "CREATE_PROJECT", target.id, status=True)
    elif not owner_or_admin(call, row.user_id):
        raise RpcError(Code.PERMISSION_DENIED, "non admin users can't move projects that someone else owns")
    if any(other.workspace_id == target.id and other.name == row.name for other in call.master.projects.values()):
        raise plain(f"project with name '{row.name}' already exists in target workspace")
    if row.immutable or row.archived or origin.archived or origin.immutable:
        raise plain(f"error moving project ({row.id}): not found")
    row.workspace_id = target.id
    return {}


@route("DELETE", "/api/v1/projects/{id:int32}")
def delete_project(call: Call) -> dict[str, t.Any]:
    """DeleteProject: at once when it has no experiments, else later."""
    from .experiment_delete import after_gc, remove_project

    master = call.master
    row = find(call, call.path["id"])
    _may(call, row, "DELETE_PROJECT", "delete project")
    if row.immutable:
        raise plain(f"project ({row.id}) does not exist or not deletable by this user: not found")
    held = [experiment for experiment in master.experiments.values() if experiment.project_id == row.id]
    if not held:
        del master.projects[row.id]
        return {"completed": True}
    row.state, row.error_message = "DELETING", ""
    after_gc(master, held, lambda: remove_project(master, row))
    return {"completed": False}
