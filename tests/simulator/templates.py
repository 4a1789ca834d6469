# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates (master/internal/templates/api.go)."""

from __future__ import annotations

import typing as t

from .fields import Enum, Int32, List, Message, OrderBy, String, Struct
from .gateway import Call, bad, page_sql, plain, route
from .ml_state import TemplateRow, contains, need, sql_sorted, visible_workspaces

_LIST_QUERY = {
    "offset": Int32,
    "limit": Int32,
    "name": String,
    "workspaceIds": List(Int32),
    "orderBy": OrderBy,
    "sortBy": Enum("apiv1.GetTemplatesRequest_SortBy", "SORT_BY_UNSPECIFIED", "SORT_BY_NAME"),
}
_TEMPLATE = Message({"name": String, "config": Struct, "workspaceId": Int32})


def render(row: TemplateRow) -> dict[str, t.Any]:
    """A Template."""
    return {"name": row.name, "config": row.config, "workspaceId": row.workspace_id}


def _named(call: Call) -> str:
    name = call.path["name"]
    if not name:
        raise bad("name is required")
    return t.cast(str, name)


def _find(call: Call, name: str) -> TemplateRow:
    """The row for a write; a missing one is the bare ``not found`` of the database layer."""
    row = call.master.templates.get(name)
    if row is None:
        raise plain("not found")
    return t.cast(TemplateRow, row)


def _can_create(call: Call, workspace_id: int) -> None:
    need(call, "VIEW_WORKSPACE", workspace_id)
    workspace = call.master.workspaces.get(workspace_id)
    if workspace is None or workspace.archived:
        raise call.master.not_found("workspace", workspace_id)
    need(call, "CREATE_TEMPLATES", workspace_id)


def _duplicate(prefix: str) -> t.NoReturn:
    raise plain(f'{prefix}: ERROR: duplicate key value violates unique constraint "templates_pkey" (SQLSTATE 23505)')


@route("GET", "/api/v1/templates", query=_LIST_QUERY)
def list_templates(call: Call) -> dict[str, t.Any]:
    """GetTemplates."""
    rows: t.Iterable[TemplateRow] = call.master.templates.values()
    scopes = visible_workspaces(call, "VIEW_TEMPLATES")
    if scopes is not None:
        rows = [row for row in rows if row.workspace_id in scopes]
    if call.query.get("name"):
        match = contains(call.query["name"])
        rows = [row for row in rows if match(row.name)]
    if call.query.get("workspaceIds"):
        rows = [row for row in rows if row.workspace_id in call.query["workspaceIds"]]
    ordered = sql_sorted(rows, None, call.query.get("orderBy", ""), tie=lambda row: row.name)
    page, pagination = page_sql(ordered, call, minus_two_is_all=True)
    return {"templates": [render(row) for row in page], "pagination": pagination}


@route("GET", "/api/v1/templates/{name}")
def get_template(call: Call) -> dict[str, t.Any]:
    """GetTemplate."""
    name = _named(call)
    row = call.master.templates.get(name)
    scopes = visible_workspaces(call, "VIEW_TEMPLATES")
    if row is None or (scopes is not None and row.workspace_id not in scopes):
        raise call.master.not_found("template", name)
    return {"template": render(row)}


def _insert(call: Call, name: str) -> TemplateRow:
    workspace_id = call.body.get("workspaceId") or 1
    _can_create(call, workspace_id)
    if name in call.master.templates:
        _duplicate(f"failed to create template {name}")
    row = TemplateRow(name, call.body.get("config", {}), workspace_id)
    call.master.templates[name] = row
    return row


@route("POST", "/api/v1/templates/{name}", body=_TEMPLATE)
def post_template(call: Call) -> dict[str, t.Any]:
    """PostTemplate."""
    return {"template": render(_insert(call, _named(call)))}


@route("PUT", "/api/v1/templates/{name}", body=_TEMPLATE)
def put_template(call: Call) -> dict[str, t.Any]:
    """PutTemplate: creates (and echoes the request), or changes what is given."""
    name = _named(call)
    row = call.master.templates.get(name)
    if row is None:
        _insert(call, name)
        return {
            "template": {
                "name": name,
                "config": call.body.get("config"),
                "workspaceId": call.body.get("workspaceId", 0),
            }
        }
    need(call, "UPDATE_TEMPLATES", row.workspace_id)
    workspace_id = call.body.get("workspaceId")
    if workspace_id:
        _can_create(call, workspace_id)
    elif "config" not in call.body:
        # bun writes all columns of an empty model when nothing is set
        raise plain(
            'ERROR: null value in column "config" of relation "templates" violates not-null constraint (SQLSTATE 23502)'
        )
    if "config" in call.body:
        row.config = call.body["config"]
    if workspace_id:
        row.workspace_id = workspace_id
    return {"template": render(row)}


@route("PATCH", "/api/v1/templates/{name}", body=Struct)
def patch_template_config(call: Call) -> dict[str, t.Any]:
    """PatchTemplateConfig: the body is the new configuration, whole."""
    row = _find(call, _named(call))
    need(call, "UPDATE_TEMPLATES", row.workspace_id)
    row.config = call.body
    return {"template": render(row)}


@route("PATCH", "/api/v1/template/rename", body=Message({"oldName": String, "newName": String}))
def rename_template(call: Call) -> dict[str, t.Any]:
    """PatchTemplateName."""
    row = _find(call, call.body.get("oldName", ""))
    need(call, "UPDATE_TEMPLATES", row.workspace_id)
    new_name = call.body.get("newName", "")
    if new_name != row.name:
        if new_name in call.master.templates:
            _duplicate("failed to update template name")
        del call.master.templates[row.name]
        row.name = new_name
        call.master.templates[new_name] = row
    return {"template": render(row)}


@route("DELETE", "/api/v1/templates/{name}")
def delete_template(call: Call) -> dict[str, t.Any]:
    """DeleteTemplate."""
    name = call.path["name"]
    if not name:
        raise plain("error deleting template: empty name")
    row = _find(call, name)
    scopes = visible_workspaces(call, "VIEW_TEMPLATES")
    if scopes is not None and row.workspace_id not in scopes:
        raise call.master.not_found("template", name)
    need(call, "DELETE_TEMPLATES", row.workspace_id)
    del call.master.templates[name]
    return {}
