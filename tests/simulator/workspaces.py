# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workspaces (master/internal/api_workspace.go); what only Kubernetes has is in namespaces.py."""

from __future__ import annotations

import collections
import typing as t

from . import expconf
from .fields import Bool, BoolValue, Enum, Int32, List, Map, Message, OrderBy, String, Struct
from .gateway import Call, Code, RpcError, bad, page_memory, page_sql, plain, route
from .ml_state import (
    MASK,
    WorkspaceRow,
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

if t.TYPE_CHECKING:
    from .state import Master

_AGENT = Message({"agentUid": Int32, "agentGid": Int32, "agentUser": String, "agentGroup": String})
NAMESPACES = Map(
    Message(
        {
            "namespace": String,
            "autoCreateNamespace": Bool,
            "autoCreateNamespaceAllClusters": Bool,
            "clusterName": String,
            "resourceQuota": Int32,
        }
    )
)
QUOTAS = Map(Int32)
_TAKEN = "avoid names equal to other workspaces (case-insensitive)"
_HELD_BY_WEBHOOK = (
    'error running query: delete_workspace: ERROR: update or delete on table "workspaces" violates foreign key constraint '
    '"webhooks_workspace_id_fkey" on table "webhooks" (SQLSTATE 23503)'
)
_NO_POOL = "unable to bind a resource pool that does not exist or is not available to the workspace"
WORKSPACE_ADMIN = 2


def experiments_by_project(master: Master) -> collections.Counter[int]:
    """How many experiments each project holds."""
    return collections.Counter(row.project_id for row in master.experiments.values())


def render(call: Call, row: WorkspaceRow, *, by_project: collections.Counter[int] | None = None) -> dict[str, t.Any]:
    """A Workspace as the caller sees it.

    Args:
        call: the request.
        row: the workspace.
        by_project: numbers of experiments, given for lists, which never carry the storage configuration.
    """
    master, listed = call.master, by_project is not None
    counts = experiments_by_project(master) if by_project is None else by_project
    projects = {project.id for project in master.projects.values() if project.workspace_id == row.id}
    out: dict[str, t.Any] = {
        "id": row.id,
        "name": row.name,
        "archived": row.archived,
        "username": username(master, row.user_id),
        "immutable": row.immutable,
        "numProjects": len(projects),
        "pinned": call.caller.id in row.pins,
        "userId": row.user_id,
        "numExperiments": sum(counts[key] for key in projects),
        "state": f"WORKSPACE_STATE_{row.state or 'UNSPECIFIED'}",
        "errorMessage": row.error_message,
        "defaultComputePool": row.default_compute_pool,
        "defaultAuxPool": row.default_aux_pool,
    }
    if row.agent:
        out["agentUserGroup"] = dict(row.agent)
    if row.checkpoint_storage is not None and not listed:
        out["checkpointStorageConfig"] = masked_storage(row.checkpoint_storage)
    if call.caller.id in row.pins:
        out["pinnedAt"] = stamp(row.pins[call.caller.id])
    return out


def masked_storage(config: dict[str, t.Any]) -> dict[str, t.Any]:
    """S3 keys that are set as asterisks; no other type is masked (master/pkg/schemas/expconf/storage_config.go:163)."""
    if config.get("type") != "s3":
        return config
    return {
        key: MASK if key in ("access_key", "secret_key") and value is not None else value
        for key, value in config.items()
    }


def find(call: Call, workspace_id: int, *, reject_immutable: bool = False) -> WorkspaceRow:
    """The workspace, if the caller may see it.

    Raises:
        RpcError: 404, or with ``reject_immutable`` the plain error of immutable and archived ones.
    """
    row = call.master.workspaces.get(workspace_id)
    if row is None or not allowed(call, "VIEW_WORKSPACE", workspace_id):
        raise call.master.not_found("workspace", workspace_id)
    if reject_immutable and (row.immutable or row.archived):
        word = "immutable" if row.immutable else "archived"
        raise plain(f"workspace ({row.id}) is {word} and cannot add new projects")
    return t.cast(WorkspaceRow, row)


def by_name(call: Call, name: str) -> WorkspaceRow | None:
    """The workspace of exactly this name, whoever may see it."""
    return next((row for row in call.master.workspaces.values() if row.name == name), None)


def _may(call: Call, row: WorkspaceRow, permission: str, refusal: str, *, admins_only: bool = False) -> None:
    if call.master.rbac:
        need(call, permission, row.id, status=True)
    elif not (call.caller.admin if admins_only else owner_or_admin(call, row.user_id)):
        raise RpcError(Code.PERMISSION_DENIED, refusal)


def available_pools(call: Call, workspace_id: int) -> list[str]:
    """Resource pools that are bound to the workspace, or to none."""
    bindings = call.master.pool_bindings
    return [name for name in call.master.resource_pools if not bindings.get(name) or workspace_id in bindings[name]]


def _check_name(name: str) -> None:
    size = len(name.encode())
    if size < 1:
        raise bad(f"name '{name}' must be at least 1 character long")
    if size > 80:
        raise bad(f"name '{name}' must be at most 53 character long")
    if not name.strip():
        raise bad("name must contain at least non-whitespace letter")


def _storage(value: dict[str, t.Any]) -> dict[str, t.Any]:
    try:
        config = expconf.parse_storage(value)
    except expconf.ConfigError as error:
        raise plain(str(error)) from None
    try:
        expconf.require_complete(config, "checkpoint-storage")
    except expconf.ConfigError as error:
        raise bad(str(error)) from None
    return config


@route(
    "GET",
    "/api/v1/workspaces",
    query={
        "sortBy": Enum("apiv1.GetWorkspacesRequest_SortBy", "SORT_BY_UNSPECIFIED", "SORT_BY_ID", "SORT_BY_NAME"),
        "orderBy": OrderBy,
        "offset": Int32,
        "limit": Int32,
        "name": String,
        "archived": BoolValue,
        "users": List(String),
        "userIds": List(Int32),
        "pinned": BoolValue,
        "nameCaseSensitive": String,
    },
)
def list_workspaces(call: Call) -> dict[str, t.Any]:
    """GetWorkspaces."""
    query = call.query
    match_user = user_filter(call)
    rows = [row for row in call.master.workspaces.values() if match_user(row.user_id)]
    for name, fold in (("name", True), ("nameCaseSensitive", False)):
        if query.get(name):
            match = like(query[name], fold=fold, query="get_workspaces")
            rows = [row for row in rows if match(row.name)]
    if "archived" in query:
        rows = [row for row in rows if row.archived == query["archived"]]
    if "pinned" in query:
        rows = [row for row in rows if (call.caller.id in row.pins) == query["pinned"]]
    scopes = visible_workspaces(call, "VIEW_WORKSPACE")
    if scopes is not None:
        rows = [row for row in rows if row.id in scopes]
    key = (lambda row: row.name) if query.get("sortBy") == "SORT_BY_NAME" else None
    ordered = sql_sorted(rows, key, query.get("orderBy", ""), tie=lambda row: row.id)
    page, pagination = page_memory(ordered, call)
    counts = experiments_by_project(call.master)
    return {"workspaces": [render(call, row, by_project=counts) for row in page], "pagination": pagination}


@route("GET", "/api/v1/workspaces/{id:int32}")
def get_workspace(call: Call) -> dict[str, t.Any]:
    """GetWorkspace."""
    return {"workspace": render(call, find(call, call.path["id"]))}


@route(
    "POST",
    "/api/v1/workspaces",
    body=Message(
        {
            "name": String,
            "agentUserGroup": _AGENT,
            "checkpointStorageConfig": Struct,
            "defaultComputePool": String,
            "defaultAuxPool": String,
            "clusterNamespaceMeta": NAMESPACES,
            "clusterQuotaPairs": QUOTAS,
        }
    ),
)
def post_workspace(call: Call) -> dict[str, t.Any]:
    """PostWorkspace: pins it for the caller and makes the caller its WorkspaceAdmin."""
    from .namespaces import bind, set_quotas

    master, body, caller = call.master, call.body, call.caller
    need(call, "CREATE_WORKSPACE", None, status=True)
    name = body.get("name", "")
    _check_name(name)
    agent = body.get("agentUserGroup")
    if agent is not None:
        if master.rbac:
            need(call, "SET_WORKSPACE_AGENT_USER_GROUP", None, status=True)
        elif not caller.admin:
            raise RpcError(Code.PERMISSION_DENIED, "only admin privileged users can set workspace agent user groups")
    storage = _storage(body["checkpointStorageConfig"]) if body.get("checkpointStorageConfig") else None
    key = master.next_id("workspaces")  # a refused insert burns its number
    if by_name(call, name) is not None or not _agent_complete(agent or {}):
        raise RpcError(Code.ALREADY_EXISTS, _TAKEN)
    row = WorkspaceRow(
        key,
        name,
        caller.id,
        agent=agent or {},
        checkpoint_storage=storage,
        default_compute_pool=body.get("defaultComputePool", ""),
        default_aux_pool=body.get("defaultAuxPool", ""),
        pins={caller.id: master.now()},
    )
    bindings: dict[str, t.Any] = {}
    try:
        if body.get("clusterNamespaceMeta"):
            where = "failed to create namespace binding"
            bindings = bind(call, row, body["clusterNamespaceMeta"])
        if body.get("clusterQuotaPairs"):
            where = "failed to set resource quota"
            set_quotas(call, row, body["clusterQuotaPairs"])
    except RpcError as error:
        raise error.within(where) from None
    master.workspaces[row.id] = row
    master.role_assignments[caller.personal_group, WORKSPACE_ADMIN, row.id] = None
    caller.modified_at, caller.rendered = master.now(), None
    shown = render(call, row)
    shown.pop("pinnedAt")
    return {"workspace": shown, "namespaceBindings": bindings}


def _agent_complete(agent: dict[str, t.Any]) -> bool:
    """The CHECK constraints uidnull and gidnull: number and name go together."""
    return ("agentUid" in agent) == ("agentUser" in agent) and ("agentGid" in agent) == ("agentGroup" in agent)


@route(
    "PATCH",
    "/api/v1/workspaces/{id:int32}",
    body=Message(
        {
            "name": String,
            "agentUserGroup": _AGENT,
            "checkpointStorageConfig": Struct,
            "defaultComputeResourcePool": String,
            "defaultAuxResourcePool": String,
        }
    ),
)
def patch_workspace(call: Call) -> dict[str, t.Any]:
    """PatchWorkspace; the pools have other names here than everywhere else."""
    body = call.body
    row = find(call, call.path["id"], reject_immutable=True)
    changes: dict[str, t.Any] = {}
    if "name" in body:
        _check_name(body["name"])
        if body["name"] != row.name:
            _may(call, row, "UPDATE_WORKSPACE", "only admins may set other user's workspaces names")
            changes["name"] = body["name"]
    if "agentUserGroup" in body:
        refusal = "only admin privileged users can set workspace agent user groups"
        _may(call, row, "SET_WORKSPACE_AGENT_USER_GROUP", refusal, admins_only=True)
        changes["agent"] = body["agentUserGroup"]
    for name, attribute in (
        ("defaultComputeResourcePool", "default_compute_pool"),
        ("defaultAuxResourcePool", "default_aux_pool"),
    ):
        if name in body:
            need(call, "SET_WORKSPACE_DEFAULT_RESOURCE_POOL", row.id, status=True)
            if body[name] and body[name] not in available_pools(call, row.id):
                raise RpcError(Code.FAILED_PRECONDITION, _NO_POOL)
            changes[attribute] = body[name]
    if "checkpointStorageConfig" in body:
        refusal = "only admins may set checkpoint storage config on other user's workspaces"
        _may(call, row, "SET_WORKSPACE_CHECKPOINT_STORAGE_CONFIG", refusal)
        changes["checkpoint_storage"] = (
            _storage(body["checkpointStorageConfig"]) if body["checkpointStorageConfig"] else None
        )
    if "name" in changes and by_name(call, changes["name"]) is not None:
        raise RpcError(Code.ALREADY_EXISTS, _TAKEN)
    if not _agent_complete(changes.get("agent", {})):
        agent = changes["agent"]
        rule = "uidnull" if ("agentUid" in agent) != ("agentUser" in agent) else "gidnull"
        raise plain(f'ERROR: new row for relation "workspaces" violates check constraint "{rule}" (SQLSTATE 23514)')
    for attribute, value in changes.items():
        setattr(row, attribute, value)
    return {"workspace": render(call, row), "namespaceBindings": {}}


def _set_archived(call: Call, archived: bool) -> dict[str, t.Any]:
    verb = "archive" if archived else "unarchive"
    row = find(call, call.path["id"])
    _may(call, row, "UPDATE_WORKSPACE", f"only admins may {verb} other user's workspaces")
    if row.immutable:
        raise plain(f"error {verb[:-1]}ing workspace ({row.id}): not found")
    row.archived = archived
    return {}


@route("POST", "/api/v1/workspaces/{id:int32}/archive")
def archive_workspace(call: Call) -> dict[str, t.Any]:
    """ArchiveWorkspace."""
    return _set_archived(call, True)


@route("POST", "/api/v1/workspaces/{id:int32}/unarchive")
def unarchive_workspace(call: Call) -> dict[str, t.Any]:
    """UnarchiveWorkspace."""
    return _set_archived(call, False)


@route("POST", "/api/v1/workspaces/{id:int32}/pin")
def pin_workspace(call: Call) -> dict[str, t.Any]:
    """PinWorkspace; a second pin hits a unique key."""
    row = find(call, call.path["id"])
    if call.caller.id in row.pins:
        raise plain(
            f"error pinning workspace ({row.id}): error running query: pin_workspace: ERROR: duplicate key value violates unique "
            'constraint "workspace_pins_user_id_workspace_id_key" (SQLSTATE 23505)'
        )
    row.pins[call.caller.id] = call.master.now()
    return {}


@route("POST", "/api/v1/workspaces/{id:int32}/unpin")
def unpin_workspace(call: Call) -> dict[str, t.Any]:
    """UnpinWorkspace."""
    row = find(call, call.path["id"])
    if row.pins.pop(call.caller.id, None) is None:
        raise plain(f"error un-pinning workspace ({row.id}): not found")
    return {}


@route(
    "GET", "/api/v1/workspaces/{workspaceId:int32}/available-resource-pools", query={"offset": Int32, "limit": Int32}
)
def list_available_pools(call: Call) -> dict[str, t.Any]:
    """ListRPsBoundToWorkspace."""
    need(call, "VIEW_WORKSPACE", call.path["workspaceId"])
    page, pagination = page_sql(available_pools(call, call.path["workspaceId"]), call)
    return {"resourcePools": list(page), "pagination": pagination}


@route("DELETE", "/api/v1/workspaces/{id:int32}")
def delete_workspace(call: Call) -> dict[str, t.Any]:
    """DeleteWorkspace: templates and projects go first, within the request, and their failure leaves DELETE_FAILED."""
    from .experiment_delete import gc_time, remove_project

    master = call.master
    row = find(call, call.path["id"])
    _may(call, row, "DELETE_WORKSPACE", "only admins may delete other user's workspaces")
    if any(model.workspace_id == row.id for model in master.models.values()):
        raise RpcError(Code.FAILED_PRECONDITION, f"workspace ({row.id}) contains models; move or delete models first")
    if row.immutable:
        raise plain(f"workspace ({row.id}) does not exist or not deletable by this user: not found")
    row.state, row.error_message = "DELETING", ""
    projects = [project for project in master.projects.values() if project.workspace_id == row.id]
    for name in [name for name, template in master.templates.items() if template.workspace_id == row.id]:
        del master.templates[name]
    held = {project.id for project in projects}
    wait = gc_time(master, [experiment for experiment in master.experiments.values() if experiment.project_id in held])

    def finish() -> None:
        for project in projects:
            failure = remove_project(master, project)
            if failure:
                row.state, row.error_message = "DELETE_FAILED", failure
                return
        if any(webhook.workspace_id == row.id for webhook in master.webhooks.values()):
            row.state, row.error_message = "DELETE_FAILED", _HELD_BY_WEBHOOK
            return
        master.forget_workspace(row.id)
        master.workspaces.pop(row.id, None)

    call.delay = wait
    if wait and master.call_later is not None:
        master.call_later(wait, finish)
    else:
        finish()
    return {"completed": not projects}
