# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Webhooks (master/internal/webhooks/api_webhook.go). Only ``test`` sends anything: what experiments do, no webhook is told of."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import re
import time
import typing as t
import urllib.error
import urllib.request
import uuid
from urllib.parse import quote, urlsplit, urlunsplit

from .cluster import LEVEL
from .fields import Enum, Int32, List, Message, String, Struct, go_quote
from .gateway import Call, Code, RpcError, bad, plain, route
from .ml_state import need, owner_or_admin, visible_workspaces

if t.TYPE_CHECKING:
    from .state import Master

TEST_TIMEOUT = 5.0  # s; the real master has none
NO_ROWS = "sql: no rows in result set"
STATE_CHANGE, TASK_LOG, CUSTOM = (
    "TRIGGER_TYPE_EXPERIMENT_STATE_CHANGE",
    "TRIGGER_TYPE_TASK_LOG",
    "TRIGGER_TYPE_CUSTOM",
)
_TRIGGER_TYPE = Enum(
    "webhookv1.TriggerType",
    "TRIGGER_TYPE_UNSPECIFIED",
    STATE_CHANGE,
    "TRIGGER_TYPE_METRIC_THRESHOLD_EXCEEDED",
    TASK_LOG,
    CUSTOM,
    proto_name="determined.webhook.v1.TriggerType",
)
_WEBHOOK_TYPE = Enum(
    "webhookv1.WebhookType",
    "WEBHOOK_TYPE_UNSPECIFIED",
    "WEBHOOK_TYPE_DEFAULT",
    "WEBHOOK_TYPE_SLACK",
    proto_name="determined.webhook.v1.WebhookType",
)
_MODE = Enum(
    "webhookv1.WebhookMode",
    "WEBHOOK_MODE_UNSPECIFIED",
    "WEBHOOK_MODE_WORKSPACE",
    "WEBHOOK_MODE_SPECIFIC",
    proto_name="determined.webhook.v1.WebhookMode",
)
_WEBHOOK = Message(
    {
        "id": Int32,
        "url": String,
        "triggers": List(Message({"id": Int32, "triggerType": _TRIGGER_TYPE, "condition": Struct, "webhookId": Int32})),
        "webhookType": _WEBHOOK_TYPE,
        "name": String,
        "workspaceId": Int32,
        "mode": _MODE,
    }
)


@dataclasses.dataclass(slots=True)
class TriggerRow:
    """A row of webhook_triggers."""

    id: int
    type: str
    condition: dict[str, t.Any]


@dataclasses.dataclass(slots=True)
class WebhookRow:
    """A row of webhooks; a global one has no workspace."""

    id: int
    name: str
    url: str
    type: str
    mode: str
    workspace_id: int | None
    triggers: list[TriggerRow]


def render(row: WebhookRow) -> dict[str, t.Any]:
    """A Webhook."""
    return {
        "id": row.id,
        "url": row.url,
        "triggers": [
            {"id": trigger.id, "triggerType": trigger.type, "condition": trigger.condition, "webhookId": row.id}
            for trigger in row.triggers
        ],
        "webhookType": row.type,
        "name": row.name,
        "workspaceId": row.workspace_id or 0,
        "mode": row.mode,
    }


def _may_edit(call: Call, workspace_id: int) -> None:
    """Refuse who may not edit the webhooks of a workspace, or global ones (0)."""
    master = call.master
    workspace = None
    if workspace_id > 0:
        workspace = master.workspaces.get(workspace_id)
        if workspace is None:
            raise plain(NO_ROWS)
    if master.rbac:
        need(call, "EDIT_WEBHOOKS", None if workspace is None else workspace.id)
    elif not owner_or_admin(call, workspace.user_id if workspace else 0):
        raise plain("non admin users can't edit global webhooks")


def _find(call: Call) -> WebhookRow:
    row = call.master.webhooks.get(call.path["id"])
    if row is None:
        raise plain(NO_ROWS)
    _may_edit(call, row.workspace_id or 0)
    return t.cast(WebhookRow, row)


def _go(value: t.Any) -> str:
    """A decoded JSON value as Go's ``%v`` prints it."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_go(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(_go, value))}]"
    return "<nil>" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _is_request_uri(url: str) -> bool:
    """What Go's ``url.ParseRequestURI`` takes: a scheme, a path or a star, and no blank in the host."""
    if url == "*" or url.startswith("/"):
        return True
    found = re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:(.*)", url, re.DOTALL)
    if found is None or re.search(r"%(?![0-9a-fA-F]{2})|[\x00-\x1f\x7f]", url):
        return False
    rest = found.group(1)
    host = rest[2:].split("/", 1)[0].split("?", 1)[0] if rest.startswith("//") else ""
    return " " not in host


def _check_regex(pattern: str) -> None:
    """What Go's regexp refuses, in its words for the two mistakes that are made most."""
    looks = re.search(r"\(\?(<?[=!])", pattern)
    if looks:
        why = f"invalid named capture: `{pattern[looks.start() :]}`" if looks.group(1)[0] == "<" else None
        raise plain(
            f"compiling regex {pattern}: error parsing regexp: {why or f'invalid or unsupported Perl syntax: `{looks.group()}`'}"
        )
    try:
        re.compile(pattern)
    except re.error as error:
        why = "missing closing )" if "unterminated subpattern" in str(error) else error.msg
        raise plain(f"compiling regex {pattern}: error parsing regexp: {why}: `{pattern}`") from None


@route("GET", "/api/v1/webhooks")
def list_webhooks(call: Call) -> dict[str, t.Any]:
    """GetWebhooks: the global ones, and those of the workspaces where the caller may see them."""
    master = call.master
    if master.rbac:
        scopes = visible_workspaces(call, "VIEW_WEBHOOKS")
    elif call.caller.admin:
        scopes = None
    else:
        scopes = {row.id for row in master.workspaces.values() if row.user_id == call.caller.id}
    rows = [
        row
        for row in master.webhooks.values()
        if row.workspace_id is None or scopes is None or row.workspace_id in scopes
    ]
    return {"webhooks": [render(row) for row in rows]}


@route("POST", "/api/v1/webhooks", body=_WEBHOOK)
def post_webhook(call: Call) -> dict[str, t.Any]:
    """PostWebhook. Only names within a workspace are unique: SQL's null is equal to nothing."""
    master, body = call.master, call.body
    workspace_id, mode = body.get("workspaceId", 0), body.get("mode", "WEBHOOK_MODE_UNSPECIFIED")
    _may_edit(call, workspace_id)
    triggers = body.get("triggers", [])
    if not triggers:
        raise bad("at least one trigger required")
    if not _is_request_uri(body.get("url", "")):
        raise bad("valid url required")
    for trigger in triggers:
        condition = trigger.get("condition", {})
        if trigger.get("triggerType") == TASK_LOG:
            if len(condition) != 1:
                raise bad(f"webhook task log condition must have one key got {_go(condition)}")
            if "regex" not in condition:
                raise bad(f"webhook task log condition must have key 'regex' got {_go(condition)}")
            if not isinstance(condition["regex"], str):
                raise bad(f"webhook task log condition must have key 'regex' as string got {_go(condition)}")
        if trigger.get("triggerType") == CUSTOM and mode != "WEBHOOK_MODE_SPECIFIC":
            raise bad(f"custom trigger only works on webhook with mode 'SPECIFIC'. Got {mode}")
    for trigger in triggers:
        if trigger.get("triggerType", "TRIGGER_TYPE_UNSPECIFIED") == "TRIGGER_TYPE_UNSPECIFIED":
            raise RpcError(Code.INTERNAL, "missing mapping for trigger TRIGGER_TYPE_UNSPECIFIED to SQL")
    if body.get("webhookType", "WEBHOOK_TYPE_UNSPECIFIED") == "WEBHOOK_TYPE_UNSPECIFIED":
        raise RpcError(Code.INTERNAL, "missing mapping for webhook type WEBHOOK_TYPE_UNSPECIFIED to SQL")
    row = WebhookRow(
        master.next_id("webhooks"),  # a refused insert burns its number
        body.get("name", ""),
        body["url"],
        body["webhookType"],
        "WEBHOOK_MODE_SPECIFIC" if mode == "WEBHOOK_MODE_SPECIFIC" else "WEBHOOK_MODE_WORKSPACE",
        workspace_id or None,
        [],
    )
    if row.workspace_id is not None:
        if row.workspace_id not in master.workspaces:
            rule = 'violates foreign key constraint "webhooks_workspace_id_fkey" (SQLSTATE 23503)'
            raise plain(f'ERROR: insert or update on table "webhooks" {rule}')
        if any((other.name, other.workspace_id) == (row.name, row.workspace_id) for other in master.webhooks.values()):
            raise plain('ERROR: duplicate key value violates unique constraint "name_workspace_key" (SQLSTATE 23505)')
    for trigger in triggers:
        row.triggers.append(
            TriggerRow(master.next_id("webhook_triggers"), trigger["triggerType"], trigger.get("condition", {}))
        )
    for trigger in row.triggers:
        if trigger.type == TASK_LOG:
            _check_regex(trigger.condition["regex"])
    master.webhooks[row.id] = row
    return {"webhook": render(row)}


@route("PATCH", "/api/v1/webhooks/{id:int32}", body=Message({"url": String}))
def patch_webhook(call: Call) -> dict[str, t.Any]:
    """PatchWebhook: the url, unread; nothing at all blanks it. PostgreSQL then shows the row at the end."""
    row = _find(call)
    row.url = call.body.get("url", "")
    call.master.webhooks[row.id] = call.master.webhooks.pop(row.id)
    return {}


@route("DELETE", "/api/v1/webhooks/{id:int32}")
def delete_webhook(call: Call) -> dict[str, t.Any]:
    """DeleteWebhook."""
    del call.master.webhooks[_find(call).id]
    return {}


@route("POST", "/api/v1/webhooks/{id:int32}/test")
def test_webhook(call: Call) -> dict[str, t.Any]:
    """TestWebhook: sends one event while the caller waits; its answer says the same whether it arrived."""
    row = _find(call)
    headers = {"User-Agent": "Go-http-client/1.1"}
    if row.type == "WEBHOOK_TYPE_SLACK":
        body = b'{"blocks":[{"type":"section","text":{"type":"plain_text","text":"test"}}]}'
        headers["Content-Type"] = ""
    else:
        now = int(time.time())
        body = json.dumps(
            {
                "event_id": str(uuid.uuid4()),
                "event_type": "EXPERIMENT_STATE_CHANGE",
                "timestamp": now,
                "condition": {"state": "COMPLETED"},
                "event_data": {"data": "test"},
            },
            separators=(",", ":"),
        ).encode()
        key = str(call.master.config["webhooks"]["signing_key"]).encode()
        headers.update(
            {
                "Content-Type": "application/json; charset=UTF-8",
                "X-Determined-AI-Signature-Timestamp": str(now),
                "X-Determined-AI-Signature": hmac.new(key, b"%d,%s" % (now, body), hashlib.sha256).hexdigest(),
            }
        )
    event = uuid.uuid4()
    trouble = _send(row.url, body, headers)
    if isinstance(trouble, int):
        raise bad(f"received error from webhook server for event {event} error: {trouble} ")
    if trouble is not None:
        raise bad(f"error sending webhook request for event {event} error: {trouble}")
    return {"completed": False}


def _send(url: str, body: bytes, headers: dict[str, str]) -> str | int | None:
    """Send an event; None when it was taken, else the receiver's status, or why there is none, in Go's words."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    name, colon, _password = user.partition(":")  # Go hides the password, and nothing else
    shown = urlunsplit(parts._replace(netloc=f"{name}{colon and ':***'}{at}{host}", path=quote(parts.path, safe="/%")))
    where = f"Post {go_quote(shown)}"
    if parts.scheme not in ("http", "https"):
        return f'{where}: unsupported protocol scheme "{parts.scheme}"'
    request = urllib.request.Request(urlunsplit(parts._replace(netloc=host)), body, headers, method="POST")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TEST_TIMEOUT):
            return None
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except urllib.error.URLError as error:
        reason = error.reason
        if isinstance(reason, ConnectionRefusedError):
            return f"{where}: dial tcp {host}: connect: connection refused"
        return f"{where}: dial tcp: lookup {parts.hostname}: no such host"
    except TimeoutError:
        return f"{where}: context deadline exceeded"


@route(
    "POST",
    "/api/v1/webhooks/custom",
    body=Message(
        {
            "data": Message({"title": String, "description": String, "level": LEVEL}),
            "experimentId": Int32,
            "trialId": Int32,
        }
    ),
)
def post_event(call: Call) -> dict[str, t.Any]:
    """PostWebhookEventData: taken for every experiment there is, whether or not it names a webhook."""
    master, body = call.master, call.body
    data, number = body.get("data", {}), body.get("experimentId", 0)
    level = data.get("level", "LOG_LEVEL_UNSPECIFIED").removeprefix("LOG_LEVEL_").replace("UNSPECIFIED", "")
    shown = f"{{Title:{data.get('title', '')} Description:{data.get('description', '')} Level:{level}}}"
    failed = (
        f"failed to handle custom trigger data: {shown} experiment id: {number} trial_id {body.get('trialId', 0)} :"
    )
    experiment = master.experiments.get(number)
    if experiment is None:
        raise RpcError(Code.INTERNAL, f"{failed} error getting experiment from id {number}: {NO_ROWS}")
    named = ((experiment.base.data.get("integrations") or {}).get("webhooks")) or {}
    if not named.get("exclude"):
        for webhook_id in named.get("webhook_id") or []:
            if webhook_id not in master.webhooks:
                text = f"error getting webhook from id {webhook_id}: {NO_ROWS}"
                raise RpcError(Code.INTERNAL, f"{failed} {text}")
    return {}


def demo_webhooks(master: Master) -> None:
    """One for everything, one to Slack, and one that only experiments use that name it."""
    workspaces = {row.name: row.id for row in master.workspaces.values()}
    completed, failed = {"state": "COMPLETED"}, {"state": "ERROR"}
    for name, workspace, kind, mode, url, triggers in (
        ("ci", None, "DEFAULT", "WORKSPACE", "https://ci.example.com/determined", ((STATE_CHANGE, completed),)),
        (
            "ops",
            "production",
            "SLACK",
            "WORKSPACE",
            "https://hooks.slack.com/services/T00000000/B00000000/CANARY-slack-path",
            ((STATE_CHANGE, failed), (TASK_LOG, {"regex": "uncorrectable ECC|Xid"})),
        ),
        (
            "pager",
            "research",
            "DEFAULT",
            "SPECIFIC",
            "https://det:CANARY-webhook-password@pager.example.com/v1?token=CANARY-webhook-query",
            ((CUSTOM, {}), (STATE_CHANGE, failed)),
        ),
    ):
        row = WebhookRow(
            master.next_id("webhooks"),
            name,
            url,
            f"WEBHOOK_TYPE_{kind}",
            f"WEBHOOK_MODE_{mode}",
            workspaces[workspace] if workspace else None,
            [TriggerRow(master.next_id("webhook_triggers"), trigger, condition) for trigger, condition in triggers],
        )
        master.webhooks[row.id] = row
