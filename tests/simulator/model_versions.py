# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of registered models (master/internal/api_model.go)."""

from __future__ import annotations

import typing as t

from .checkpoints import render as render_checkpoint
from .experiments import valid_uuid
from .fields import Enum, Int32, List, ListValue, Message, OrderBy, String, Struct
from .gateway import Call, Code, RpcError, page_memory, plain, route
from .ml_state import ModelRow, ModelVersionRow, need, shuffled, stamp, username
from .models import differs, split_labels, viewable
from .models import find as find_model
from .models import render as render_model


def render(call: Call, row: ModelVersionRow, *, listed: bool = False) -> dict[str, t.Any]:
    """A ModelVersion; only a single one has the model's workspace."""
    master = call.master
    model = render_model(call, master.models[row.model_id])
    if listed:
        model["workspaceId"] = 0
    return {
        "model": model,
        "checkpoint": render_checkpoint(master, master.checkpoints[row.checkpoint_uuid]),
        "version": row.version,
        "creationTime": stamp(row.creation_time),
        "id": row.id,
        "name": row.name,
        "metadata": row.metadata,
        "lastUpdatedTime": stamp(row.last_updated_time),
        "comment": row.comment,
        "username": username(master, row.user_id),
        "userId": row.user_id,
        "labels": row.labels,
        "notes": row.notes,
    }


def _find(call: Call) -> tuple[ModelRow, ModelVersionRow]:
    """The model and version of a path; one whose checkpoint is gone is as good as missing."""
    master, identifier, number = call.master, call.path["modelName"], call.path["modelVersionNum"]
    model = find_model(call, identifier)
    for version_id in model.version_ids:
        row = master.model_versions[version_id]
        if row.version == number and row.checkpoint_uuid in master.checkpoints:
            return model, row
    raise RpcError(Code.NOT_FOUND, f'version {number} for model "{identifier}" not found')


@route(
    "GET",
    "/api/v1/models/{modelName}/versions",
    query={
        "sortBy": Enum(
            "apiv1.GetModelVersionsRequest_SortBy",
            "SORT_BY_UNSPECIFIED",
            "SORT_BY_VERSION=3",
            "SORT_BY_CREATION_TIME=4",
        ),
        "orderBy": OrderBy,
        "offset": Int32,
        "limit": Int32,
    },
)
def list_versions(call: Call) -> dict[str, t.Any]:
    """GetModelVersions."""
    master, query = call.master, call.query
    model = find_model(call, call.path["modelName"])
    viewable(call, model)
    rows = [master.model_versions[version_id] for version_id in model.version_ids]
    rows = [row for row in rows if row.checkpoint_uuid in master.checkpoints]
    by_time = query.get("sortBy") == "SORT_BY_CREATION_TIME"
    rows.sort(
        key=lambda row: (row.creation_time if by_time else row.version, row.id),
        reverse=query.get("orderBy") == "ORDER_BY_DESC",
    )
    page, pagination = page_memory(rows, call)
    versions = [render(call, row, listed=True) for row in page]
    return {"model": render_model(call, model), "modelVersions": versions, "pagination": pagination}


@route("GET", "/api/v1/models/{modelName}/versions/{modelVersionNum:int32}")
def get_version(call: Call) -> dict[str, t.Any]:
    """GetModelVersion."""
    model, row = _find(call)
    viewable(call, model)
    return {"modelVersion": render(call, row)}


@route(
    "POST",
    "/api/v1/models/{modelName}/versions",
    body=Message(
        {
            "checkpointUuid": String,
            "name": String,
            "comment": String,
            "metadata": Struct,
            "labels": List(String),
            "notes": String,
        }
    ),
)
def post_version(call: Call) -> dict[str, t.Any]:
    """PostModelVersion: the answer counts the versions before it and knows neither user id nor notes."""
    master, body = call.master, call.body
    model = find_model(call, call.path["modelName"])
    need(call, "EDIT_MODEL_REGISTRY", model.workspace_id)
    if model.archived:
        raise plain(f'model "{model.name}" is archived and cannot register new versions')
    uuid = body.get("checkpointUuid", "")
    try:
        valid_uuid(uuid)
    except RpcError:
        text = f'ERROR: invalid input syntax for type uuid: "{uuid}" (SQLSTATE 22P02)'
        raise plain(f"error running query: get_checkpoint: {text}") from None
    checkpoint = master.checkpoints.get(uuid.lower())
    if checkpoint is None:
        raise master.not_found("checkpoint", uuid)
    if checkpoint.state != "COMPLETED":
        state = f"STATE_{checkpoint.state}"
        text = f"checkpoint {checkpoint.uuid} is in {state} state. checkpoints for model versions must be in a COMPLETED state"
        raise plain(text)
    now = master.now()
    number = max((master.model_versions[key].version for key in model.version_ids), default=0) + 1
    row = ModelVersionRow(
        master.next_id("model_versions"),
        model.id,
        number,
        checkpoint.uuid,
        call.caller.id,
        now,
        now,
        name=body.get("name", ""),
        comment=body.get("comment", ""),
        metadata=body.get("metadata", {}),
        labels=split_labels(body.get("labels", ())),
        notes=body.get("notes", ""),
    )
    before = {**render_model(call, model), "workspaceId": 0, "userId": 0}
    master.model_versions[row.id] = row
    model.version_ids.append(row.id)
    shown = {**render(call, row), "model": before, "userId": 0, "notes": "", "lastUpdatedTime": None}
    return {"modelVersion": shown}


@route(
    "PATCH",
    "/api/v1/models/{modelName}/versions/{modelVersionNum:int32}",
    body=Message(
        {
            "name": String,
            "comment": String,
            "metadata": Struct,
            "labels": ListValue,
            "notes": String,
        }
    ),
)
def patch_version(call: Call) -> dict[str, t.Any]:
    """PatchModelVersion, of an archived model too."""
    body = call.body
    model, row = _find(call)
    need(call, "EDIT_MODEL_REGISTRY", model.workspace_id)
    changes = {
        field: body[field]
        for field in ("name", "comment", "notes", "metadata")
        if field in body and differs(body[field], getattr(row, field))
    }
    if "labels" in body:
        labels = shuffled(label for label in body["labels"] if isinstance(label, str))
        if ",".join(labels) != ",".join(row.labels):
            changes["labels"] = split_labels(labels)
    if not changes:
        return {"modelVersion": render(call, row)}
    for field, value in changes.items():
        setattr(row, field, value)
    row.last_updated_time = call.master.now()
    shown = render(call, row)
    shown["model"].update(workspaceId=0, userId=0)
    return {"modelVersion": {**shown, "username": "", "userId": 0, "lastUpdatedTime": None}}


@route("DELETE", "/api/v1/models/{modelName}/versions/{modelVersionNum:int32}")
def delete_version(call: Call) -> dict[str, t.Any]:
    """DeleteModelVersion."""
    model, row = _find(call)
    owns = call.caller.id in (row.user_id, model.user_id)
    if call.master.rbac:
        need(call, "DELETE_MODEL_VERSION", model.workspace_id)
        if not owns:
            need(call, "DELETE_OTHER_USER_MODEL_VERSION", model.workspace_id)
    elif not (owns or call.caller.admin):
        raise plain("non-admin users may not delete other users' model versions access denied")
    model.version_ids.remove(row.id)
    del call.master.model_versions[row.id]
    return {}
