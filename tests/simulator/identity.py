# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Authentication, users and access tokens (master/internal/api_auth.go, api_user.go, api_token.go at v0.38.1)."""

from __future__ import annotations

import http.cookies
import re
import typing as t
from datetime import timedelta
from email.utils import format_datetime
from fractions import Fraction

import orjson

from .fields import time_quote
from .gateway import (
    Bool,
    BoolValue,
    Call,
    Code,
    Enum,
    Int32,
    List,
    Message,
    OrderBy,
    RpcError,
    String,
    Timestamp,
    bad,
    go_quote,
    page_memory,
    plain,
    route,
    timestamp,
)
from .state import (
    ACCESS_TOKEN,
    NO_PASSWORD_LOGIN,
    SESSION_LIFETIME,
    USER_SESSION,
    AgentUserGroup,
    Master,
    SessionRow,
    UserRow,
    hash_password,
    ilike,
    stored_password,
)

INVALID_CREDENTIALS = "invalid credentials"
# What strings.TrimSpace trims: the characters with Unicode's property White_Space.
SPACE = " \t\n\v\f\r\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


# --- who is calling ---


def forbidden(message: str) -> RpcError:
    """403 PermissionDenied."""
    return RpcError(Code.PERMISSION_DENIED, message)


def bearer(headers: dict[str, str]) -> str | None:
    """The credential of a request as the gateway sees it: metadata header, Authorization, or the cookie ``auth``."""
    value = headers.get("grpc-metadata-x-user-token") or headers.get("authorization")
    if value:
        return value
    cookies: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
    try:
        cookies.load(headers.get("cookie", ""))
    except http.cookies.CookieError:
        return value
    return "Bearer " + cookies["auth"].value if "auth" in cookies else value


def session_of(master: Master, token: str) -> SessionRow:
    """The live session behind a token.

    Raises:
        RpcError: 401 with the text for a bad, expired or revoked one.
    """
    claims = master.token_claims(token)
    row = master.sessions.get(claims["id"]) if claims else None
    if row is None:
        raise RpcError(Code.UNAUTHENTICATED, INVALID_CREDENTIALS)
    if row.expiry < master.now():
        remote = master.users[row.user_id].remote
        raise RpcError(Code.UNAUTHENTICATED, "remote user token expired" if remote else INVALID_CREDENTIALS)
    if row.token_type == ACCESS_TOKEN and row.revoked_at is not None:
        raise RpcError(Code.UNAUTHENTICATED, "user access token revoked")
    return row


def authenticate(master: Master, headers: dict[str, str]) -> tuple[UserRow, SessionRow]:
    """The caller of an API call.

    Raises:
        RpcError: 401, or 403 for an inactive user.
    """
    value = bearer(headers)
    if value is None:
        raise RpcError(Code.UNAUTHENTICATED, "token missing")
    if "\t" in value:
        text = 'header key "authorization" contains value with non-printable ASCII characters'
        raise RpcError(Code.INTERNAL, text)
    if not value.startswith("Bearer "):
        raise RpcError(Code.UNAUTHENTICATED, INVALID_CREDENTIALS)
    row = session_of(master, value.removeprefix("Bearer "))
    user = master.users[row.user_id]
    if not user.active:
        raise forbidden("user does not have permission")
    return user, row


def legacy_refusal(master: Master, headers: dict[str, str]) -> tuple[int, dict[str, str]] | None:
    """Status and body that routes outside the API give to a request without a good token; None lets it pass."""
    value = bearer({key: headers[key] for key in ("authorization", "cookie") if key in headers})
    if value is None or not value.startswith("Bearer "):
        return 401, {"message": "Unauthorized"}
    claims = master.token_claims(value.removeprefix("Bearer "))
    if claims is not None and claims["id"] not in master.sessions:
        return 500, {"message": "sql: no rows in result set"}
    try:
        row = session_of(master, value.removeprefix("Bearer "))
    except RpcError as error:
        if error.message == INVALID_CREDENTIALS:
            return 401, {"message": "Unauthorized"}
        return 500, {"message": f"rpc error: code = {error.code.reason} desc = {error.message}"}
    if not master.users[row.user_id].active:
        return 403, {"message": "user not active"}
    return None


@route(
    "POST", "/api/v1/auth/login", body=Message({"username": String, "password": String, "isHashed": Bool}), auth=False
)
def login(call: Call) -> dict[str, t.Any]:
    """Start a session of seven days."""
    master, username = call.master, call.body.get("username", "")
    if not username:
        raise bad("missing argument: username")
    user = master.user_by_name(username)
    if user is None or user.remote:
        raise RpcError(Code.UNAUTHENTICATED, INVALID_CREDENTIALS)
    password = call.body.get("password", "")
    digest = password if call.body.get("isHashed") else hash_password(password)
    if user.password is not None:
        call.delay = master.login_cost
    if stored_password(digest) != user.password:
        raise RpcError(Code.UNAUTHENTICATED, INVALID_CREDENTIALS)
    if not user.active:
        raise forbidden("user is not active")
    row = master.add_session(user, USER_SESSION, SESSION_LIFETIME)
    user.last_auth_at, user.rendered = row.created_at, None
    token = master.token_value(row)
    expires = format_datetime(row.expiry.replace(microsecond=0), usegmt=True)
    call.response_headers.append(("set-cookie", f"auth={token}; Path=/; Expires={expires}"))
    return {"token": token, "user": user_json(user)}


@route("POST", "/api/v1/auth/logout")
def logout(call: Call) -> dict[str, t.Any]:
    """End the login session that was presented; an access token survives."""
    assert call.token is not None
    if call.token.token_type == USER_SESSION:
        call.master.sessions.pop(call.token.id, None)
    call.response_headers.append(("set-cookie", "auth=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"))
    return {}


@route("GET", "/api/v1/me")
@route("GET", "/api/v1/auth/user")
def current_user(call: Call) -> dict[str, t.Any]:
    """The caller."""
    return {"user": user_json(call.caller)}


# --- users ---


def user_object(row: UserRow, *, with_agent: bool = True) -> dict[str, t.Any]:
    """The User message; group answers carry no agent group and render without it."""
    out: dict[str, t.Any] = {
        "id": row.id,
        "username": row.username,
        "admin": row.admin,
        "active": row.active,
        "agentUserGroup": None,
        "displayName": row.display_name or "",
        "modifiedAt": timestamp(row.modified_at),
        "remote": row.remote,
    }
    if row.agent is not None and with_agent:
        agent = row.agent
        out["agentUserGroup"] = {
            "agentUid": agent.uid,
            "agentGid": agent.gid,
            "agentUser": agent.user,
            "agentGroup": agent.group,
        }
    if row.last_auth_at is not None:
        out["lastAuthAt"] = timestamp(row.last_auth_at)
    return out


def user_bytes(row: UserRow) -> bytes:
    """The User message as JSON, kept on the row until it changes."""
    if row.rendered is None:
        row.rendered = orjson.dumps(user_object(row))
    return row.rendered


def user_json(row: UserRow) -> orjson.Fragment:
    """The User message, serialised."""
    return orjson.Fragment(user_bytes(row))


def touch(master: Master, *rows: UserRow) -> None:
    """What the database trigger does on a write: modifiedAt moves, to one time in one transaction."""
    now = master.now()
    for row in rows:
        row.modified_at, row.rendered = now, None


def sort_rows(rows: list[t.Any], key: t.Callable[[t.Any], t.Any], order: str) -> list[t.Any]:
    """ORDER BY key, then id ascending, with PostgreSQL's places for NULL (last ascending, first descending)."""

    def null_aware(row: t.Any) -> tuple[bool, t.Any]:
        value = key(row)
        return value is None, 0 if value is None else value

    return sorted(sorted(rows, key=lambda row: row.id), key=null_aware, reverse=order == "ORDER_BY_DESC")


USER_SORTS: dict[str, t.Callable[[UserRow], t.Any]] = {
    "SORT_BY_UNSPECIFIED": lambda row: row.id,
    "SORT_BY_DISPLAY_NAME": lambda row: row.display_name,
    "SORT_BY_USER_NAME": lambda row: row.username,
    "SORT_BY_ADMIN": lambda row: row.admin,
    "SORT_BY_ACTIVE": lambda row: row.active,
    "SORT_BY_MODIFIED_TIME": lambda row: row.modified_at,
    "SORT_BY_NAME": lambda row: row.username if row.display_name is None else row.display_name,
    "SORT_BY_LAST_AUTH_TIME": lambda row: row.last_auth_at,
    "SORT_BY_REMOTE": lambda row: row.remote,
}


@route(
    "GET",
    "/api/v1/users",
    query={
        "sortBy": Enum("apiv1.GetUsersRequest_SortBy", *USER_SORTS),
        "orderBy": OrderBy,
        "offset": Int32,
        "limit": Int32,
        "name": String,
        "active": Bool,
        "admin": Bool,
        "roleIdAssignedDirectlyToUser": List(Int32),
    },
)
def get_users(call: Call) -> dict[str, t.Any]:
    """The users, inactive ones too; whole result sorted, then sliced."""
    master, query = call.master, call.query
    rows = list(master.users.values())
    if query.get("name"):
        wanted = ilike(f"%{query['name']}%")
        rows = [row for row in rows if wanted.fullmatch(row.username) or wanted.fullmatch(row.display_name or "")]
    for flag in ("admin", "active"):
        if flag in query:
            rows = [row for row in rows if getattr(row, flag) == query[flag]]
    if query.get("roleIdAssignedDirectlyToUser"):
        if not master.rbac:
            raise bad("cannot filter by role id. RBAC must be enabled.")
        held = [
            master.groups[group].owner
            for group, role, workspace in master.role_assignments
            if role in query["roleIdAssignedDirectlyToUser"] and workspace is None
        ]
        rows = [row for row in rows for _assignment in range(held.count(row.id))]
    sort, order = query.get("sortBy", "SORT_BY_UNSPECIFIED"), query.get("orderBy", "")
    if sort != "SORT_BY_UNSPECIFIED" or order == "ORDER_BY_DESC":
        rows = sort_rows(rows, USER_SORTS[sort], order)
    page, pagination = page_memory(rows, call)
    users = orjson.Fragment(b"[" + b",".join([row.rendered or user_bytes(row) for row in page]) + b"]")
    return {"users": users, "pagination": pagination}


def user_or_404(call: Call, key: int) -> UserRow:
    """The user of an id. Raises RpcError 404."""
    row = call.master.users.get(key)
    if row is None:
        raise call.master.not_found("user")
    return row


@route("GET", "/api/v1/users/{userId:int32}")
def get_user(call: Call) -> dict[str, t.Any]:
    """One user by id."""
    return {"user": user_json(user_or_404(call, call.path["userId"]))}


@route("GET", "/api/v1/users/{username}/by-username")
def get_user_by_username(call: Call) -> dict[str, t.Any]:
    """One user by its exact name."""
    row = call.master.user_by_name(call.path["username"])
    if row is None:
        raise call.master.not_found("user")
    return {"user": user_json(row)}


AGENT_GROUP = Message({"agentUid": Int32, "agentGid": Int32, "agentUser": String, "agentGroup": String})
USER = Message(
    {
        "id": Int32,
        "username": String,
        "admin": Bool,
        "active": Bool,
        "agentUserGroup": AGENT_GROUP,
        "displayName": String,
        "modifiedAt": Timestamp,
        "remote": Bool,
        "lastAuthAt": Timestamp,
    }
)
PATCH_USER = Message(
    {
        "username": String,
        "password": String,
        "admin": BoolValue,
        "active": BoolValue,
        "displayName": String,
        "agentUserGroup": AGENT_GROUP,
        "isHashed": Bool,
        "remote": Bool,
    }
)


def clear_name(name: str, minimum: int, *, admin: bool, current: str) -> str:
    """The rules of user and display names (api_user.go:39). Raises RpcError 400."""
    cleared = name.strip(SPACE)
    if re.search(r"[^!-~\t\n\f\r ]", cleared):
        raise bad("Display name and username cannot contain non-ASCII characters.")
    if len(cleared) < minimum:
        raise bad("Display name or username value has minimum length.")
    if not admin and cleared.lower() == "admin":
        raise bad("Non-admin user cannot be renamed 'admin'")
    if current != "determined" and cleared.lower() == "determined":
        raise bad("User cannot be renamed 'determined'")
    return cleared


def agent_group(value: dict[str, t.Any]) -> AgentUserGroup:
    """The agent group of a body; an empty one is root without names. Raises RpcError 400."""
    if not value:
        return AgentUserGroup(0, 0, "", "")
    if len(value) < 4:
        raise bad("agentUid, agentGid, agentUser and agentGroup cannot be empty")
    if not value["agentUser"] or not value["agentGroup"]:
        raise bad("agentUser and agentGroup names cannot be empty")
    return AgentUserGroup(value["agentUid"], value["agentGid"], value["agentUser"], value["agentGroup"])


def administrates_users(call: Call, basic_text: str, *, own: bool = False) -> None:
    """Whether the caller may administrate users; ``own`` lets basic mode pass.

    Raises:
        RpcError: 403, under basic authorisation with ``basic_text``.
    """
    if call.master.rbac:
        if not call.master.can(call.caller, "ADMINISTRATE_USER"):
            raise forbidden(Master.denied("ADMINISTRATE_USER").message)
    elif not call.caller.admin and not own:
        raise forbidden(basic_text)


def may_change_person(call: Call, target: UserRow, text: str) -> None:
    """Password and display name: oneself or an administrator. Raises RpcError 403 with ``text``."""
    allowed = call.master.can(call.caller, "ADMINISTRATE_USER") if call.master.rbac else call.caller.admin
    if not allowed and call.caller.id != target.id:
        raise forbidden(text)


@route("POST", "/api/v1/users", body=Message({"user": USER, "password": String, "isHashed": Bool}))
def post_user(call: Call) -> dict[str, t.Any]:
    """Create a user; flags that are not sent are false, a password that is not sent is blank."""
    master, body, fields = call.master, call.body, call.body.get("user")
    if fields is None:
        raise bad("must specify user to create")
    password, remote, admin = body.get("password", ""), fields.get("remote", False), fields.get("admin", False)
    if password and remote:
        raise bad("cannot set password for remote user")
    raw_name = fields.get("username", "")
    username = clear_name(raw_name, 2, admin=admin, current=raw_name)
    display = fields.get("displayName", "")
    display_name = clear_name(display, 0, admin=admin, current=username) if display else None
    agent = agent_group(fields["agentUserGroup"]) if "agentUserGroup" in fields else None
    administrates_users(call, "only admin privileged users can create users")
    digest = password if body.get("isHashed") else hash_password(password)
    if digest and not remote:
        call.delay = master.login_cost
    if username in master.user_ids:
        master.next_id("users")
        raise plain("code=400, message=user already exists")
    row = master.add_user(
        username,
        admin=admin,
        active=fields.get("active", False),
        remote=remote,
        display_name=display_name,
        agent=agent,
        password=NO_PASSWORD_LOGIN if remote else stored_password(digest),
    )
    return {"user": user_json(row)}


@route("POST", "/api/v1/users/{userId:int32}/password", body=String)
def set_user_password(call: Call) -> dict[str, t.Any]:
    """Set a plaintext password; ends the user's login sessions."""
    row = user_or_404(call, call.path["userId"])
    may_change_person(call, row, "only admin privileged users can change other user's passwords")
    digest = hash_password(call.body)
    if digest:
        call.delay = call.master.login_cost
    row.password = stored_password(digest)
    touch(call.master, row)
    if not row.active:
        call.master.revoke_tokens(row.id)
    call.master.drop_sessions(row.id)
    return {"user": user_json(row)}


@route("PATCH", "/api/v1/users/{userId:int32}", body=PATCH_USER)
def patch_user(call: Call) -> dict[str, t.Any]:
    """Change a user in one transaction. A written column without ``active: true`` revokes the user's access tokens."""
    master, body = call.master, call.body
    row = user_or_404(call, call.path["userId"])
    own, changes, will_be_remote = row.id == call.caller.id, {}, row.remote
    if "admin" in body:
        administrates_users(call, "only admin privileged users can update users")
        changes["admin"] = body["admin"]
    if "remote" in body:
        administrates_users(call, "only admin privileged users can update other users")
        changes["remote"] = will_be_remote = body["remote"]
        if row.remote != will_be_remote:
            if will_be_remote:
                changes["password"] = NO_PASSWORD_LOGIN
            elif "password" not in body:
                changes["password"] = None
    if "active" in body:
        administrates_users(call, "only admin privileged users can update users")
        changes["active"] = body["active"]
    if body.get("username", row.username) != row.username:
        administrates_users(call, "only admin privileged users can update other users", own=own)
        if will_be_remote:
            raise bad("Cannot set username for remote users")
        changes["username"] = clear_name(body["username"], 2, admin=row.admin, current=row.username)
    if body.get("displayName", row.display_name or "") != (row.display_name or ""):
        changes["display_name"] = new_display_name(call, row, body["displayName"])
    if "password" in body:
        may_change_person(call, row, "only admin privileged users can change other user's passwords")
        if will_be_remote:
            raise bad("Cannot set password for remote users")
        digest = body["password"] if body.get("isHashed") else hash_password(body["password"])
        if digest:
            call.delay = master.login_cost
        changes["password"] = stored_password(digest)
    agent = None
    if "agentUserGroup" in body:
        agent = agent_group(body["agentUserGroup"])
        administrates_users(call, "only admin privileged users can update users")
    write_user(master, row, changes, agent)
    return {"user": user_json(row)}


def new_display_name(call: Call, row: UserRow, wanted: str) -> str | None:
    """A changed display name, checked. Raises RpcError."""
    may_change_person(call, row, "only admin privileged users can set another user's display name")
    display_name = clear_name(wanted, 0, admin=row.admin, current=row.username)
    lower = display_name.lower()
    for other in call.master.users.values() if display_name else ():
        if other.id != row.id and lower in (other.username.lower(), (other.display_name or "").lower()):
            raise bad(f"can not change display name to {display_name} found a similar username or display name")
    return display_name or None


def write_user(master: Master, row: UserRow, changes: dict[str, t.Any], agent: AgentUserGroup | None) -> None:
    """The transaction of postgres_users.go:73. Raises RpcError 500 for a taken name, with nothing written."""
    name = changes.get("username", row.username)
    if name != row.username:
        if name in master.user_ids:
            constraint = 'duplicate key value violates unique constraint "users_username_key" (SQLSTATE 23505)'
            raise plain(f"error setting active status of {go_quote(name)}: ERROR: {constraint}")
        del master.user_ids[row.username]
        master.user_ids[name] = row.id
    for column, value in changes.items():
        setattr(row, column, value)
    if changes and not changes.get("active"):
        master.revoke_tokens(row.id)
    if "password" in changes:
        master.drop_sessions(row.id)
    if agent is not None:
        row.agent = agent
    if changes or agent is not None:
        touch(master, row)


@route("PATCH", "/api/v1/users", body=Message({"userIds": List(Int32), "activate": Bool}))
def patch_users(call: Call) -> dict[str, t.Any]:
    """Activate or deactivate many; unknown ids succeed, tokens stay."""
    results, rows = [], []
    for key in call.body.get("userIds", ()):
        try:
            administrates_users(call, "only admin privileged users can update users")
        except RpcError as error:
            results.append({"error": error.message, "id": key})
            continue
        results.append({"error": "", "id": key})
        row = call.master.users.get(key)
        if row is not None:
            row.active = call.body.get("activate", False)
            rows.append(row)
    touch(call.master, *rows)
    return {"results": results}


# --- access tokens ---

UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def go_duration(text: str) -> int:
    """``time.ParseDuration`` in nanoseconds. Raises ValueError with Go's text."""
    invalid = f"time: invalid duration {time_quote(text)}"
    rest, total = text, Fraction(0)
    negative = rest[:1] == "-"
    rest = rest[1:] if rest[:1] in ("+", "-") else rest
    if rest == "0":
        return 0
    if not rest:
        raise ValueError(invalid)
    while rest:
        match = re.match(r"(\d+\.?\d*|\.\d+)([^.\d]*)", rest, re.ASCII)
        if match is None:
            raise ValueError(invalid)
        number, unit = match.groups()
        if not unit:
            raise ValueError(f"time: missing unit in duration {time_quote(text)}")
        if unit not in UNITS:
            raise ValueError(f"time: unknown unit {time_quote(unit)} in duration {time_quote(text)}")
        total += Fraction(number) * UNITS[unit]
        if total > 2**63 - 1:
            raise ValueError(invalid)
        rest = rest[match.end() :]
    return -int(total) if negative else int(total)


def token_object(row: SessionRow) -> dict[str, t.Any]:
    """The TokenInfo message."""
    return {
        "id": row.id,
        "userId": row.user_id,
        "expiry": timestamp(row.expiry),
        "createdAt": timestamp(row.created_at),
        "tokenType": f"TOKEN_TYPE_{row.token_type}",
        "revoked": row.revoked_at is not None,
        "description": row.description or "",
    }


def lifespan(call: Call) -> timedelta:
    """The lifetime that a new token gets. Raises RpcError 400."""
    limits = call.master.config["security"]["token"]
    longest = limits["max_lifespan_days"] * 86400 * 10**9
    wanted = limits["default_lifespan_days"] * 86400 * 10**9
    text = call.body.get("lifespan")
    if text == "-1":
        wanted = longest
    elif text is not None:
        try:
            wanted = go_duration(text)
        except ValueError as error:
            raise bad(f"failed to parse lifespan {text}: {error}") from None
        if wanted < 0:
            raise bad("lifespan must be a Go-formatted duration string with a positive value")
    if wanted > longest:
        raise bad("token Lifespan must be less than max token lifespan")
    return timedelta(microseconds=wanted // 1000)


@route("POST", "/api/v1/tokens", body=Message({"userId": Int32, "lifespan": String, "description": String}))
def post_token(call: Call) -> dict[str, t.Any]:
    """Create an access token; its value is told here and never again."""
    master = call.master
    user = user_or_404(call, call.body.get("userId", 0))
    if not master.rbac:
        if not call.caller.admin:
            raise forbidden("only admin privileged users can create token for own/other users")
    elif user.id == call.caller.id:
        if not master.can(call.caller, "CREATE_TOKEN"):
            reason = Master.denied("CREATE_TOKEN").message
            raise forbidden(f"unable to create token due to insufficient permissions: {reason}")
    elif not master.can(call.caller, "CREATE_OTHER_TOKEN"):
        raise forbidden("only admin privileged users can create other user's token")
    row = master.add_session(user, ACCESS_TOKEN, lifespan(call), description=call.body.get("description") or None)
    return {"token": master.token_value(row), "tokenId": row.id}


TOKEN_SORTS: dict[str, t.Callable[[SessionRow], t.Any]] = {
    "SORT_BY_UNSPECIFIED": lambda row: row.id,
    "SORT_BY_USER_ID": lambda row: row.user_id,
    "SORT_BY_EXPIRY": lambda row: row.expiry,
    "SORT_BY_CREATED_AT": lambda row: row.created_at,
    "SORT_BY_TOKEN_TYPE": lambda row: row.token_type,
    "SORT_BY_REVOKED": lambda row: row.revoked_at,
    "SORT_BY_DESCRIPTION": lambda row: row.description,
}


def visible_tokens_of(call: Call, wanted: UserRow | None) -> int | None:
    """The user whose tokens the caller is confined to, None for everybody's. Raises RpcError 403."""
    master, caller = call.master, call.caller
    if master.can(caller, "VIEW_OTHER_TOKEN") if master.rbac else caller.admin:
        return None
    if wanted is None or wanted.id != caller.id:
        text = "unable to get token due to insufficient permissions"
        raise forbidden(text if master.rbac else "only admin privileged users can view other users")
    if master.rbac and not master.can(caller, "VIEW_TOKEN"):
        reason = Master.denied("VIEW_TOKEN").message
        raise forbidden(f"unable to get token due to insufficient permissions: {reason}")
    return caller.id


@route(
    "GET",
    "/api/v1/tokens",
    query={
        "offset": Int32,
        "limit": Int32,
        "sortBy": Enum("apiv1.GetAccessTokensRequest_SortBy", *TOKEN_SORTS),
        "orderBy": OrderBy,
        "tokenIds": List(Int32),
        "username": String,
        "showInactive": Bool,
    },
)
def get_tokens(call: Call) -> dict[str, t.Any]:
    """Access tokens, live ones unless told otherwise; filters are joined by AND."""
    master, query, wanted = call.master, call.query, None
    if query.get("username"):
        wanted = master.user_by_name(query["username"])
        if wanted is None:
            raise plain("sql: no rows in result set")
    confined = visible_tokens_of(call, wanted)
    owner, now = wanted.id if wanted else confined, master.now()
    rows = [
        row
        for row in master.sessions.values()
        if row.token_type == ACCESS_TOKEN
        and (owner is None or row.user_id == owner)
        and (query.get("showInactive") or (row.expiry > now and row.revoked_at is None))
    ]
    ids = {key for key in query.get("tokenIds", ()) if key > 0}
    if ids:
        rows = [row for row in rows if row.id in ids]
    rows = sort_rows(rows, TOKEN_SORTS[query.get("sortBy", "SORT_BY_UNSPECIFIED")], query.get("orderBy", ""))
    page, pagination = page_memory(rows, call)
    return {"tokenInfo": [token_object(row) for row in page], "pagination": pagination}


@route("PATCH", "/api/v1/tokens/{tokenId:int32}", body=Message({"description": String, "setRevoked": Bool}))
def patch_token(call: Call) -> dict[str, t.Any]:
    """Describe or revoke a live token."""
    master, key = call.master, call.path["tokenId"]
    row = master.sessions.get(key)
    if row is None:
        raise RpcError(Code.NOT_FOUND, f"Token with id: {{{key}}} not found")
    if not master.rbac:
        if not call.caller.admin:
            raise forbidden("only admin privileged users can update access tokens")
    else:
        permission = "UPDATE_TOKEN" if row.user_id == call.caller.id else "ADMINISTRATE_TOKEN"
        if not master.can(call.caller, permission):
            reason = Master.denied(permission).message
            raise forbidden(f"unable to update token due to insufficient permissions: {reason}")
    if row.token_type != ACCESS_TOKEN:
        raise plain("sql: no rows in result set")
    if row.revoked_at is not None or row.expiry < master.now():
        raise plain(f"unable to update inactive token with ID {key}")
    if "description" in call.body:
        row.description = call.body["description"]
    if call.body.get("setRevoked"):
        row.revoked_at = master.now()
    return {"tokenInfo": token_object(row)}
