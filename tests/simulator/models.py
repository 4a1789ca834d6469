# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registered models (master/internal/api_model.go)."""

from __future__ import annotations

import re
import typing as t

import orjson

from .fields import BoolValue, Enum, Int32, List, ListValue, Message, OrderBy, String, Struct
from .gateway import Call, Code, RpcError, bad, page_memory, plain, route
from .ml_state import (
    ModelRow,
    allowed,
    contains,
    need,
    owner_or_admin,
    sql_sorted,
    stamp,
    user_filter,
    username,
    visible_workspaces,
)

_TAKEN = "avoid names equal to other models (case-sensitive)"
_NO_VIEW = "current user doesn't have view permissions in related workspaces"


def render(call: Call, row: ModelRow) -> dict[str, t.Any]:
    """A Model."""
    return {
        "name": row.name,
        "description": row.description,
        "metadata": row.metadata,
        "creationTime": stamp(row.creation_time),
        "lastUpdatedTime": stamp(row.last_updated_time),
        "id": row.id,
        "numVersions": len(row.version_ids),
        "labels": row.labels,
        "username": username(call.master, row.user_id),
        "workspaceId": row.workspace_id,
        "userId": row.user_id,
        "archived": row.archived,
        "notes": row.notes,
    }


def find(call: Call, identifier: str) -> ModelRow:
    """The model of a path: its name, or its id when that is all digits. No rights are checked.

    Raises:
        RpcError: 404 without the suffix that other kinds have under RBAC.
    """
    models = call.master.models
    if re.fullmatch(r"[0-9]+", identifier):
        if int(identifier) >= 2**31:
            text = f'error running query: get_model_by_id: ERROR: value "{identifier}" is out of range for type integer (SQLSTATE 22003)'
            raise plain(f'error fetching model "{identifier}" from database: {text}')
        row = models.get(int(identifier))
    else:
        row = next((row for row in models.values() if row.name == identifier), None)
    if row is None:
        raise RpcError(Code.NOT_FOUND, f'model "{identifier}" not found')
    return t.cast(ModelRow, row)


def viewable(call: Call, row: ModelRow) -> None:
    """Refuse who may not see the model; a plain error, so a 500."""
    if not allowed(call, "VIEW_MODEL_REGISTRY", row.workspace_id):
        raise plain(f'current user "{call.caller.username}" doesn\'t have permissions to get model "{row.name}"')


def _check_name(name: str) -> None:
    if not name.replace(" ", ""):
        raise bad("model names cannot be blank")
    if "  " in name:
        raise bad("model names cannot have excessive spacing")
    if "/" in name or "\\" in name:
        raise bad("model names cannot have slashes")
    if re.fullmatch(r"[0-9]+", name):
        raise bad("model names cannot be only numbers")


def differs(declared: t.Any, stored: t.Any) -> bool:
    """Whether two values are other JSON; to Python 1 is True."""
    option = orjson.OPT_SORT_KEYS
    return orjson.dumps(declared, option=option) != orjson.dumps(stored, option=option)


def split_labels(labels: t.Iterable[str]) -> list[str]:
    """Labels through ``string_to_array(join(labels, ','), ',')``: a comma splits, nothing at all is no label."""
    text = ",".join(labels)
    return text.split(",") if text else []


def _named_workspace(call: Call, name: str) -> int:
    for workspace in call.master.workspaces.values():
        if workspace.name == name:
            return t.cast(int, workspace.id)
    raise plain(f"failed to get workspace {name}: not found")


def _taken(call: Call, name: str, but: int = 0) -> None:
    if any(row.name == name and row.id != but for row in call.master.models.values()):
        raise RpcError(Code.ALREADY_EXISTS, _TAKEN)


@route(
    "GET",
    "/api/v1/models",
    query={
        "sortBy": Enum(
            "apiv1.GetModelsRequest_SortBy",
            "SORT_BY_UNSPECIFIED",
            "SORT_BY_NAME",
            "SORT_BY_DESCRIPTION",
            "SORT_BY_CREATION_TIME=4",
            "SORT_BY_LAST_UPDATED_TIME=5",
            "SORT_BY_NUM_VERSIONS=6",
            "SORT_BY_WORKSPACE=7",
        ),
        "orderBy": OrderBy,
        "offset": Int32,
        "limit": Int32,
        "name": String,
        "description": String,
        "labels": List(String),
        "archived": BoolValue,
        "users": List(String),
        "workspaceNames": List(String),
        "userIds": List(Int32),
        "id": Int32,
        "workspaceIds": List(Int32),
    },
)
def list_models(call: Call) -> dict[str, t.Any]:
    """GetModels; workspace names that exist nowhere filter nothing."""
    master, query = call.master, call.query
    match_user = user_filter(call)
    rows: list[ModelRow] = [row for row in master.models.values() if match_user(row.user_id)]
    given = set(query.get("workspaceIds", ()))
    if not given and query.get("workspaceNames"):
        given = {row.id for row in master.workspaces.values() if row.name in query["workspaceNames"]}
    scopes = visible_workspaces(call, "VIEW_MODEL_REGISTRY")
    if scopes is not None and (not scopes or not given <= scopes):
        raise plain(_NO_VIEW)
    wanted = given or scopes
    if wanted:
        rows = [row for row in rows if row.workspace_id in wanted]
    if query.get("id"):
        rows = [row for row in rows if row.id == query["id"]]
    if "archived" in query:
        rows = [row for row in rows if row.archived == query["archived"]]
    for name in ("name", "description"):
        if query.get(name):
            match = contains(query[name])
            rows = [row for row in rows if match(getattr(row, name))]
    if query.get("labels"):
        labels = set(split_labels(query["labels"]))
        rows = [row for row in rows if labels & set(row.labels)]
    columns: dict[str, t.Callable[[ModelRow], t.Any]] = {
        "SORT_BY_NAME": lambda row: row.name,
        "SORT_BY_DESCRIPTION": lambda row: row.description,
        "SORT_BY_CREATION_TIME": lambda row: row.creation_time,
        "SORT_BY_LAST_UPDATED_TIME": lambda row: row.last_updated_time,
        "SORT_BY_NUM_VERSIONS": lambda row: len(row.version_ids),
        "SORT_BY_WORKSPACE": lambda row: master.workspaces[row.workspace_id].name,
    }
    ordered = sql_sorted(rows, columns.get(query.get("sortBy", "")), query.get("orderBy", ""), tie=lambda row: row.id)
    page, pagination = page_memory(ordered, call)
    return {"models": [render(call, row) for row in page], "pagination": pagination}


@route("GET", "/api/v1/model/labels", query={"workspaceId": Int32})
def list_labels(call: Call) -> dict[str, t.Any]:
    """GetModelLabels: most used first, then by name."""
    scopes = visible_workspaces(call, "VIEW_MODEL_REGISTRY")
    workspace_id = call.query.get("workspaceId", 0)
    used: dict[str, int] = {}
    for row in call.master.models.values():
        if (scopes is None or row.workspace_id in scopes) and (workspace_id <= 0 or row.workspace_id == workspace_id):
            for label in set(row.labels):
                used[label] = used.get(label, 0) + 1
    return {"labels": sorted(used, key=lambda label: (-used[label], label))}


@route("GET", "/api/v1/models/{modelName}")
def get_model(call: Call) -> dict[str, t.Any]:
    """GetModel."""
    row = find(call, call.path["modelName"])
    viewable(call, row)
    return {"model": render(call, row)}


@route(
    "POST",
    "/api/v1/models",
    body=Message(
        {
            "name": String,
            "description": String,
            "metadata": Struct,
            "labels": List(String),
            "notes": String,
            "workspaceName": String,
            "workspaceId": Int32,
        }
    ),
)
def post_model(call: Call) -> dict[str, t.Any]:
    """PostModel; the answer has no user id."""
    master, body = call.master, call.body
    name = body.get("name", "")
    _check_name(name)
    workspace_id = body.get("workspaceId")
    if workspace_id is None:
        workspace_id = _named_workspace(call, body["workspaceName"]) if "workspaceName" in body else 1
    need(call, "CREATE_MODEL_REGISTRY", workspace_id)
    key = master.next_id("models")  # a refused insert burns its number
    _taken(call, name)
    if workspace_id not in master.workspaces:
        rule = 'insert or update on table "models" violates foreign key constraint "models_workspace_id_fkey" (SQLSTATE 23503)'
        raise plain(f'error creating model "{name}" in database: ERROR: {rule}')
    now = master.now()
    row = ModelRow(
        key,
        name,
        call.caller.id,
        workspace_id,
        now,
        now,
        description=body.get("description", ""),
        metadata=body.get("metadata", {}),
        labels=split_labels(body.get("labels", ())),
        notes=body.get("notes", ""),
    )
    master.models[row.id] = row
    return {"model": {**render(call, row), "userId": 0}}


@route(
    "PATCH",
    "/api/v1/models/{modelName}",
    body=Message(
        {
            "name": String,
            "description": String,
            "metadata": Struct,
            "labels": ListValue,
            "notes": String,
            "workspaceName": String,
            "workspaceId": Int32,
        }
    ),
)
def patch_model(call: Call) -> dict[str, t.Any]:
    """PatchModel: a partial answer when something changed, a whole one when not."""
    master, body = call.master, call.body
    row = find(call, call.path["modelName"])
    if row.archived:
        raise plain(f'model "{row.name}" is archived and cannot have attributes updated')
    need(call, "EDIT_MODEL_REGISTRY", row.workspace_id)
    changes: dict[str, t.Any] = {}
    if body.get("name", row.name) != row.name:
        _check_name(body["name"])
        changes["name"] = body["name"]
    for field in ("description", "notes", "metadata"):
        if field in body and differs(body[field], getattr(row, field)):
            changes[field] = body[field]
    if "labels" in body:
        labels = list(dict.fromkeys(label for label in body["labels"] if isinstance(label, str)))
        if ",".join(labels) != ",".join(row.labels):
            changes["labels"] = split_labels(labels)
    if "workspaceId" in body:
        raise plain(f"failed to get workspace with id {body['workspaceId']}: expected 2 arguments, got 1")
    if "workspaceName" in body:
        workspace_id = _named_workspace(call, body["workspaceName"])
        if workspace_id != row.workspace_id:
            need(call, "EDIT_MODEL_REGISTRY", workspace_id)
            changes["workspace_id"] = workspace_id
    if not changes:
        return {"model": render(call, row)}
    _taken(call, changes.get("name", row.name), row.id)
    for field, value in changes.items():
        setattr(row, field, value)
    row.last_updated_time = master.now()
    zero = {"id": 0, "numVersions": 0, "username": "", "workspaceId": 0, "userId": 0, "archived": False}
    return {"model": {**render(call, row), **zero}}


def _set_archived(call: Call, archived: bool) -> dict[str, t.Any]:
    row = find(call, call.path["modelName"])
    need(call, "EDIT_MODEL_REGISTRY", row.workspace_id)
    row.archived, row.last_updated_time = archived, call.master.now()
    return {}


@route("POST", "/api/v1/models/{modelName}/archive")
def archive_model(call: Call) -> dict[str, t.Any]:
    """ArchiveModel."""
    return _set_archived(call, True)


@route("POST", "/api/v1/models/{modelName}/unarchive")
def unarchive_model(call: Call) -> dict[str, t.Any]:
    """UnarchiveModel."""
    return _set_archived(call, False)


@route("POST", "/api/v1/models/{modelName}/move", body=Message({"destinationWorkspaceId": Int32}))
def move_model(call: Call) -> dict[str, t.Any]:
    """MoveModel."""
    row = find(call, call.path["modelName"])
    target = call.body.get("destinationWorkspaceId", 0)
    need(call, "EDIT_MODEL_REGISTRY", row.workspace_id)
    need(call, "CREATE_MODEL_REGISTRY", target)
    if target not in call.master.workspaces:
        rule = 'insert or update on table "models" violates foreign key constraint "models_workspace_id_fkey" (SQLSTATE 23503)'
        raise plain(f"error moving a model ({call.path['modelName']}): error running query: move_model: ERROR: {rule}")
    row.workspace_id = target
    return {}


@route("DELETE", "/api/v1/models/{modelName}")
def delete_model(call: Call) -> dict[str, t.Any]:
    """DeleteModel: with its versions; their checkpoints stay."""
    row = find(call, call.path["modelName"])
    owns = row.user_id == call.caller.id
    if call.master.rbac:
        need(call, "DELETE_MODEL_REGISTRY", row.workspace_id)
        if not owns:
            need(call, "DELETE_OTHER_USER_MODEL_REGISTRY", row.workspace_id)
    elif not owner_or_admin(call, row.user_id):
        raise plain("non-admin users may not delete other users' models access denied")
    for version_id in row.version_ids:
        call.master.model_versions.pop(version_id, None)
    del call.master.models[row.id]
    return {}
