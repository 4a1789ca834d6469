# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the master's REST gateway: grpc-gateway 1.16 with golang/protobuf jsonpb, as release 0.38.1 builds it.

Everything here is about HTTP and JSON and knows no resource: how a path finds its handler, how query strings and bodies
become typed values, what an error looks like, and how the two pagination engines count.

Handlers are plain functions registered with :func:`route`; they get a :class:`Call` and return the answer as a dict
with exactly the keys that the real master sends. A value may be an ``orjson.Fragment`` (already serialised JSON).
"""

from __future__ import annotations

import dataclasses
import enum
import http
import re
import typing as t
import urllib.parse
from collections.abc import Callable, Sequence

from .fields import (
    Bool,
    BoolValue,
    Bytes,
    Double,
    Enum,
    FieldType,
    Int32,
    Int64,
    List,
    ListValue,
    Map,
    Message,
    OrderBy,
    String,
    Struct,
    Timestamp,
    go_json,
    go_parse_int,
    go_quote,
    snake,
    timestamp,
)

if t.TYPE_CHECKING:
    from .state import Master, SessionRow, UserRow

__all__ = [
    "Bool",
    "BoolValue",
    "Bytes",
    "Call",
    "Code",
    "Double",
    "Enum",
    "FieldType",
    "Int32",
    "Int64",
    "Lines",
    "List",
    "ListValue",
    "Map",
    "Message",
    "OrderBy",
    "RpcError",
    "String",
    "Struct",
    "Timestamp",
    "bad",
    "go_quote",
    "page_memory",
    "page_sql",
    "plain",
    "route",
    "timestamp",
]


class Code(enum.IntEnum):
    """The gRPC status codes."""

    CANCELED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16

    @property
    def reason(self) -> str:
        """Go's name of the code, as it appears in answers."""
        return "".join(part.capitalize() for part in self.name.split("_"))

    @property
    def http(self) -> int:
        """The HTTP status that grpc-gateway maps the code to."""
        return HTTP_STATUS[self]


HTTP_STATUS = {
    Code.CANCELED: 408,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.UNAUTHENTICATED: 401,
}


class RpcError(Exception):
    """An error answer. ``Code.UNKNOWN`` is a plain Go error: 500 Internal, or 403 when it says "access denied"."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def within(self, where: str) -> RpcError:
        """The error as Go's ``%w`` wraps it: a status keeps its code and shows it in the text."""
        if self.code is Code.UNKNOWN:
            return plain(f"{where}: {self.message}")
        return RpcError(self.code, f"{where}: rpc error: code = {self.code.reason} desc = {self.message}")

    @property
    def shown(self) -> Code:
        """The code as the gateway's error handler shows it (master/internal/grpcutil/errors.go)."""
        if self.code is not Code.UNKNOWN:
            return self.code
        return Code.PERMISSION_DENIED if "access denied" in self.message else Code.INTERNAL

    def body(self) -> dict[str, t.Any]:
        """The JSON answer of a unary call."""
        code = self.shown
        return {"error": {"code": int(code), "reason": code.reason, "error": self.message}}

    def stream_body(self) -> dict[str, t.Any]:
        """The JSON answer of a streaming call."""
        status = http.HTTPStatus(self.code.http)
        return {
            "error": {
                "grpcCode": int(self.code),
                "httpCode": status.value,
                "message": self.message,
                "httpStatus": status.phrase,
                "details": [],
            }
        }


def plain(message: str) -> RpcError:
    """A Go error that is not a gRPC status."""
    return RpcError(Code.UNKNOWN, message)


def bad(message: str) -> RpcError:
    """400 InvalidArgument."""
    return RpcError(Code.INVALID_ARGUMENT, message)


class Lines:
    """Answer of a streaming call: one line ``{"result": item}`` for each item."""

    def __init__(self, items: Sequence[t.Any]) -> None:
        self.items = items


# --- routes ---


@dataclasses.dataclass
class Call:
    """One request on its way through a handler.

    Attributes:
        master: the whole state.
        user: the caller, None on routes without authentication.
        token: the session or access token row that was presented.
        path: path parameters by name, decoded.
        query: decoded query parameters, only those present, by camelCase name.
        body: the decoded body: a dict for Message and Struct, text for String, None where the route declares none.
        raw_path: the path as requested.
        headers: request headers, lower-case names.
        response_headers: headers to add to the answer.
        delay: seconds to wait before the answer is sent; the state has changed by then.
    """

    master: Master
    user: UserRow | None = None
    token: SessionRow | None = None
    path: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    query: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    body: t.Any = None
    raw_path: str = ""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    response_headers: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    delay: float = 0.0

    @property
    def caller(self) -> UserRow:
        """The user, on routes that need one."""
        assert self.user is not None
        return self.user


Handler = Callable[[Call], t.Any]


@dataclasses.dataclass(frozen=True)
class Route:
    """One method and path pattern."""

    method: str
    segments: tuple[tuple[str, str | None], ...]  # (literal, None) or (parameter name, type)
    handler: Handler
    query: Message
    body: FieldType | None
    auth: bool
    stream: bool = False

    def match(self, components: list[str]) -> dict[str, str] | None:
        """The raw path parameters, or None."""
        out = {}
        for (name, kind), component in zip(self.segments, components, strict=True):
            if kind is None:
                if name != component:
                    return None
            else:
                out[name] = component
        return out

    def decode(self, call: Call, raw_params: dict[str, str], query: str, body: bytes) -> None:
        """Fill body, path and query of the call, in that order.

        Raises:
            RpcError: 400 with the gateway's text.
        """
        try:
            if self.body is not None:
                if body.strip(b" \t\r\n"):
                    value = go_json(body)
                    call.body = self.body.zero() if value is None else self.body.from_json(value)
                else:
                    call.body = self.body.zero()
        except ValueError as error:
            raise bad(str(error)) from None
        for name, kind in self.segments:
            if kind in ("int32", "int64"):
                try:
                    call.path[name] = go_parse_int(raw_params[name], int(kind[3:]))
                except ValueError as error:
                    raise bad(f"type mismatch, parameter: {snake(name)}, error: {error}") from None
            elif kind is not None:
                call.path[name] = raw_params[name]
        if self.query.fields:
            try:
                call.query = self.query.from_pairs(parse_query(query))
            except ValueError as error:
                raise bad(str(error)) from None


ROUTES: dict[str, dict[int, list[Route]]] = {}


def route(
    method: str,
    pattern: str,
    *,
    query: dict[str, FieldType] | Message | None = None,
    body: FieldType | None = None,
    auth: bool = True,
    stream: bool = False,
) -> Callable[[Handler], Handler]:
    """Register a handler.

    Args:
        method: the HTTP verb.
        pattern: the path, parameters as ``{name}``, ``{name:int32}`` or ``{name:int64}``; more literal patterns win.
        query: the query parameters (ignored by the real gateway where the whole request is the body).
        body: the type of the body, None where none is declared.
        auth: False for the calls that need no login.
        stream: True for streaming calls, whose errors have another shape.
    """
    segments: list[tuple[str, str | None]] = []
    for part in pattern.strip("/").split("/"):
        match = re.fullmatch(r"\{([\w.]+)(?::(\w+))?\}", part)
        segments.append((match.group(1), match.group(2) or "string") if match else (part, None))
    spec = query if isinstance(query, Message) else Message(query or {})

    def register(handler: Handler) -> Handler:
        row = Route(method, tuple(segments), handler, spec, body, auth, stream)
        known = ROUTES.setdefault(method, {}).setdefault(len(segments), [])
        known.append(row)
        known.sort(key=lambda item: [kind is not None for _name, kind in item.segments])
        return handler

    return register


def find_route(method: str, path: str, content_type: str = "") -> tuple[Route, dict[str, str]] | None:
    """The handler of a decoded path without trailing slash, or None (501).

    A ``:`` in the last segment is read as a verb, which no route has. A POST of form data falls back to the GET route.
    """
    components = path.lstrip("/").split("/") if not path.startswith("//") else path[1:].split("/")
    head, colon, verb = components[-1].rpartition(":")
    if colon:
        if not head or verb:
            return None
        components[-1] = head
    methods = [method]
    if method == "POST" and content_type == "application/x-www-form-urlencoded":
        methods += [other for other in ROUTES if other != "POST"]
    for verb_name in methods:
        for candidate in ROUTES.get(verb_name, {}).get(len(components), ()):
            params = candidate.match(components)
            if params is not None:
                return candidate, params
    return None


def parse_query(query: str) -> dict[str, list[str]]:
    """Go's ``url.ParseQuery``.

    Raises:
        ValueError: bad escapes and semicolons.
    """
    out: dict[str, list[str]] = {}
    for pair in query.split("&"):
        if not pair:
            continue
        if ";" in pair:
            raise ValueError("invalid semicolon separator in query")
        wrong = re.search(r"%(?![0-9a-fA-F]{2}).{0,2}", pair)
        if wrong:
            raise ValueError(f"invalid URL escape {go_quote(wrong.group())}")
        key, _equals, value = pair.partition("=")
        out.setdefault(urllib.parse.unquote_plus(key), []).append(urllib.parse.unquote_plus(value))
    return out


# --- pagination ---

T = t.TypeVar("T")


def page_memory(items: Sequence[T], call: Call) -> tuple[Sequence[T], dict[str, int]]:
    """Engine B (master/internal/api/query.go): limit 0 is all, a negative one panics, an offset past the end is 400."""
    offset, limit, total = call.query.get("offset", 0), call.query.get("limit", 0), len(items)
    start = total + offset if offset < 0 else offset
    end = start + limit
    if limit == 0 or end > total:
        end = total
    if not 0 <= start <= total:
        raise bad("offset out of bounds")
    if end < start or end < 0:
        raise RpcError(Code.INTERNAL, "reflect.Value.Slice: slice index out of bounds")
    page = items if start == 0 and end == total else items[start:end]
    return page, {"offset": offset, "limit": limit, "startIndex": start, "endIndex": end, "total": total}


def page_sql(
    items: Sequence[T], call: Call, *, minus_two_is_all: bool = False, negative_error: str | None = None
) -> tuple[Sequence[T], dict[str, int]]:
    """Engine A (master/internal/db/bunutils/paginate.go): limit 0 is 100, -1 all, -2 none.

    Args:
        minus_two_is_all: bun drops ``LIMIT 0``, so templates return everything.
        negative_error: text of the plain error that a limit below -2 gives; None returns every row with a nonsense end
            index.
    """
    offset, limit, total = call.query.get("offset", 0), call.query.get("limit", 0), len(items)
    start = total if offset > total or offset < -total else total + offset if offset < 0 else offset
    end = start + limit
    if limit == -2:
        end = start
    elif limit == -1:
        end = total
    elif limit == 0:
        end = min(total, start + 100)
    elif limit > 0 and end > total:
        end = total
    if limit < -2 and negative_error is not None:
        raise plain(negative_error)
    stop = total if limit < -2 or (limit == -2 and minus_two_is_all) else end
    page = items if start == 0 and stop == total else items[start:stop]
    return page, {"offset": offset, "limit": limit, "startIndex": start, "endIndex": end, "total": total}
