# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OAuth clients of SCIM (master/internal/plugin/oauth): outside the API's gateway, and only where SCIM uses OAuth."""

from __future__ import annotations

import json
import re
import secrets
import typing as t

from .config_rules import json_type
from .gateway import RpcError
from .identity import authenticate
from .state import Master

CLIENTS = re.compile(r"/oauth2/clients(?:/(?P<id>[^/]+))?")
ID_LENGTH = 32  # bytes, of an id and of a secret, in hex

GO_TYPE = 'struct { Domain string "json:\\"domain\\""; Name string "json:\\"name\\"" }'

Answer = tuple[int, t.Any]


def served(master: Master) -> bool:
    """Whether the routes exist at all."""
    scim = master.config.get("scim") or {}
    return bool(scim.get("enabled")) and (scim.get("auth") or {}).get("type") == "oauth"


def answer(master: Master, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer | None:
    """Status and JSON value of a call, None for a route that is not there. The caller has been authenticated."""
    found = CLIENTS.fullmatch(path)
    if found is None or not served(master):
        return None
    match method, found["id"]:
        case "GET", None:
            return _denied(master, headers) or (200, [{**row, "secret": ""} for row in master.oauth_clients.values()])
        case "POST", None:
            return _add(master, headers, body)
        case "DELETE", str(key):
            refusal = _denied(master, headers)
            if refusal is None:
                master.oauth_clients.pop(key, None)
            return refusal or (200, None)
    return None


def _denied(master: Master, headers: dict[str, str]) -> Answer | None:
    try:
        user, _token = authenticate(master, headers)
    except RpcError as error:
        return error.code.http, {"message": error.message}
    if master.rbac:
        if master.can(user, "ADMINISTRATE_OAUTH"):
            return None
        return 403, {"message": Master.denied("ADMINISTRATE_OAUTH").message}
    if user.admin:
        return None
    return 403, {"message": "non-admin users may not view or modify oauth clients or settings access denied"}


def _add(master: Master, headers: dict[str, str], body: bytes) -> Answer:
    """One client at most; that, and what is missing, is looked at before the caller's right."""

    def failed(text: str) -> Answer:
        return 500, {"message": text}

    if master.oauth_clients:
        return failed("only one OAuth client is allowed")
    if not body.strip():
        return failed("failed to parse request body: EOF")
    request = json.loads(body)
    if not isinstance(request, dict):
        return failed(
            f"failed to parse request body: json: cannot unmarshal {json_type(request)} into Go value of type {GO_TYPE}"
        )
    for name in ("domain", "name"):
        if not request.get(name):
            return failed(f"missing {name}")
    refusal = _denied(master, headers)
    if refusal is not None:
        return refusal
    row = {
        "id": secrets.token_hex(ID_LENGTH),
        "secret": secrets.token_hex(ID_LENGTH),
        "domain": request["domain"],
        "name": request["name"],
    }
    master.oauth_clients[row["id"]] = row
    return 200, row
