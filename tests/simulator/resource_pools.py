# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource pools bound to workspaces (master/internal/api_resourcepool.go, master/internal/db/postgres_rp_workspace_bindings.go).

Almost every refusal is a plain error, a 500.
"""

from __future__ import annotations

import typing as t

from .fields import Int32, List, Message, String
from .gateway import Call, page_sql, plain, route
from .ml_state import visible_workspaces

BINDINGS = "/api/v1/resource-pools/{resourcePoolName}/workspace-bindings"
BODY = Message({"workspaceIds": List(Int32), "workspaceNames": List(String)})
DUPLICATE = 'ERROR: duplicate key value violates unique constraint "rp_workspace_pkey" (SQLSTATE 23505)'
NO_WORKSPACE = (
    'ERROR: insert or update on table "rp_workspace_bindings" violates foreign key constraint '
    '"rp_workspace_bindings_workspace_id_fkey" (SQLSTATE 23503)'
)


def _not_default(call: Call) -> str:
    """The pool's name, unless it is a default one."""
    name, manager = call.path["resourcePoolName"], call.master.config["resource_manager"]
    if name in (manager["default_compute_resource_pool"], manager["default_aux_resource_pool"]):
        raise plain(f"default resource pool {name} cannot be bound to any workspace")
    return t.cast(str, name)


def _workspace_ids(call: Call) -> list[int]:
    """The workspaces of a request, if the caller may bind pools at all."""
    master, names = call.master, call.body.get("workspaceNames", [])
    known = {row.name: row.id for row in master.workspaces.values()}
    if len({name for name in names if name in known}) != len(names):
        missing = " ".join(name for name in names if name not in known)
        raise plain(f"the following workspaces do not exist: [{missing}]")
    if master.rbac:
        if not master.can(call.caller, "MODIFY_RP_WORKSPACE_BINDINGS"):
            text = f'current user "{call.caller.username}" doesn\'t have permissions to modify resource pool bindings'
            raise plain(text)
    elif not call.caller.admin:
        raise plain("only admin privileged users can bind resource pool to a workspace")
    return list(dict.fromkeys([*call.body.get("workspaceIds", []), *(known[name] for name in names)]))


def _add(call: Call, name: str, ids: list[int]) -> None:
    master = call.master
    if not ids:
        return
    if name not in master.resource_pools:
        raise plain(f"pool with name {name} doesn't exist")
    bound = master.pool_bindings.setdefault(name, {})
    if any(key in bound for key in ids):
        raise plain(DUPLICATE)
    if any(key not in master.workspaces for key in ids):
        raise plain(NO_WORKSPACE)
    bound.update(dict.fromkeys(ids))


@route("GET", BINDINGS, query={"offset": Int32, "limit": Int32})
def get_bindings(call: Call) -> dict[str, t.Any]:
    """ListWorkspacesBoundToRP; what the caller may not see is taken out after the page was cut."""
    name = call.path["resourcePoolName"]
    if name not in call.master.resource_pools:
        raise plain(f"pool with name {name} doesn't exist or is not available")
    page, pagination = page_sql(list(call.master.pool_bindings.get(name, ())), call)
    visible = visible_workspaces(call, "VIEW_WORKSPACE")
    shown = [key for key in page if visible is None or key in visible]
    if page and not shown:
        raise plain(f"resource pool {name} does not exist or is not available to view")
    return {"workspaceIds": shown, "pagination": pagination}


@route("POST", BINDINGS, body=BODY)
def bind(call: Call) -> dict[str, t.Any]:
    """BindRPToWorkspace: all or nothing."""
    name = _not_default(call)
    _add(call, name, _workspace_ids(call))
    return {}


@route("PUT", BINDINGS, body=BODY)
def overwrite(call: Call) -> dict[str, t.Any]:
    """OverwriteRPWorkspaceBindings: deletes, then inserts, in no transaction."""
    name = _not_default(call)
    ids = _workspace_ids(call)
    if name not in call.master.resource_pools:
        raise plain(f"pool with name {name} doesn't exist")
    call.master.pool_bindings.pop(name, None)
    _add(call, name, ids)
    return {}


@route("DELETE", BINDINGS, body=BODY)
def unbind(call: Call) -> dict[str, t.Any]:
    """UnbindRPFromWorkspace: refuses a workspace that is bound to no pool at all; the pool's name is not looked at."""
    name, bindings = call.path["resourcePoolName"], call.master.pool_bindings
    ids = _workspace_ids(call)
    for key in ids:
        if not any(key in bound for bound in bindings.values()):
            raise plain(f" workspace with id {key} and pool with name  {name} binding doesn't exist")
    for key in ids:
        bindings.get(name, {}).pop(key, None)
    return {}
