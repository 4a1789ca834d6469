# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP side of the simulated master: an ASGI application, faults on request, a journal, an embedded server."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import json
import re
import socket
import struct
import sys
import threading
import typing as t
import urllib.parse
import zlib
from collections.abc import Awaitable, Callable, MutableMapping

import orjson
import uvicorn

from . import (  # noqa: F401  (each registers its routes)
    agents,
    checkpoints,
    cluster,
    config_policies,
    experiment_create,
    experiment_verbs,
    experiments,
    identity,
    jobs,
    model_versions,
    models,
    namespaces,
    oauth,
    projects,
    resource_pools,
    roles,
    running,
    tasks,
    templates,
    trials,
    usage,
    webhooks,
    workspaces,
)
from .fixtures import INITIAL_PASSWORD, filled
from .gateway import Call, Code, Lines, Route, RpcError, find_route
from .state import SESSION_LIFETIME, USER_SESSION, Master, SessionRow, UserRow

Scope = MutableMapping[str, t.Any]
Receive = Callable[[], Awaitable[MutableMapping[str, t.Any]]]
Send = Callable[[MutableMapping[str, t.Any]], Awaitable[None]]

KINDS = ("status", "delay", "reset", "lost", "truncate", "cut", "html", "shape", "hang")
HTML = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><h1>Sign in</h1></body></html>\n"
ECHO_METHODS = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PROPFIND", "PUT", "REPORT", "TRACE"}
)


@dataclasses.dataclass
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: ``status`` (answer with it), ``delay`` (seconds, then as usual), ``reset`` (connection reset before the
            handler ran), ``lost`` (reset after it ran), ``truncate`` (a JSON text that ends early), ``cut`` (connection
            closed in the middle of the answer), ``html`` (200 with a web page), ``shape`` (200 with other JSON),
            ``hang`` (no answer at all).
        method: regular expression for the verb, all of it.
        path: regular expression, searched in the path as sent.
        nth: the first matching request that is hit, from 1.
        count: how many matching requests are hit, 0 for all that follow.
        status: HTTP status of ``status``.
        body: text or JSON value of ``status``, ``html``, ``shape``.
        headers: headers of ``status``, ``html``, ``shape``.
        seconds: how long ``delay`` waits.
    """

    kind: str
    method: str = ".*"
    path: str = ""
    nth: int = 1
    count: int = 1
    status: int = 500
    body: t.Any = ""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    seen: int = dataclasses.field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"a fault's kind is one of {', '.join(KINDS)}, not {self.kind!r}")
        re.compile(self.method)
        re.compile(self.path)

    def hits(self, method: str, path: str) -> bool:
        """Count a request and say whether the fault strikes it."""
        if not re.fullmatch(self.method, method) or not re.search(self.path, path):
            return False
        self.seen += 1
        return self.seen >= self.nth and (self.count == 0 or self.seen < self.nth + self.count)


class Faults(list[Fault]):
    """The faults in force."""

    def add(self, fault: Fault) -> Fault:
        """Put a fault in force; returns it, so that a test can look at ``seen``."""
        self.append(fault)
        return fault


class Entry(t.NamedTuple):
    """One request in the journal; ``status`` 0 means that no answer left."""

    method: str
    path: str
    query: str
    status: int


@dataclasses.dataclass
class Answer:
    """What goes back to the client."""

    status: int
    body: bytes
    headers: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    delay: float = 0.0


def json_answer(status: int, value: t.Any) -> Answer:
    """A JSON body as the echo layer and the gateway's error handler send it: with a newline at its end."""
    return Answer(status, orjson.dumps(value) + b"\n", [("content-type", "application/json")])


class App:
    """The ASGI application.

    Args:
        master: the state.
        latency: seconds that every answer takes at least.
        prefix: path under which a proxy would publish the master, as ``/cluster-a``; other paths are 404.
    """

    def __init__(self, master: Master, *, latency: float = 0.0, prefix: str = "") -> None:
        self.master = master
        self.latency = latency
        self.prefix = prefix
        self.faults = Faults()
        self.journal: list[Entry] = []
        self.recent_headers: collections.deque[dict[str, str]] = collections.deque(maxlen=50)
        self.waiting: set[asyncio.Task[t.Any]] = set()
        self.most_at_once = 0
        """How many requests were under way at once so far, where answers take their time."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; one that still waits when the server stops loses its connection."""
        if scope["type"] != "http":
            return
        try:
            await self.serve(scope, receive, send)
        except asyncio.CancelledError:
            await reset(receive, send, hard=False)

    async def wait(self, event: Awaitable[None]) -> None:
        """Await what takes time on purpose; the end of the server cancels it."""
        task = asyncio.current_task()
        assert task is not None
        self.waiting.add(task)
        self.most_at_once = max(self.most_at_once, len(self.waiting))
        try:
            await event
        finally:
            self.waiting.discard(task)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read a request, answer it or let it fail."""
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.recent_headers.append(headers)
        method, raw_path = scope["method"], scope["raw_path"].decode("ascii", "replace")
        query = scope["query_string"].decode("ascii", "replace")
        fault = next((fault for fault in list(self.faults) if fault.hits(method, raw_path)), None)
        if self.latency:
            await self.wait(asyncio.sleep(self.latency))
        answer = None
        if fault is not None:
            answer = await self.before(fault, receive, send)
            if fault.kind in ("reset", "hang"):
                self.journal.append(Entry(method, raw_path, query, 0))
                return
        if answer is None:
            answer = self.answer(method, raw_path, query, headers, body)
            if answer.delay:
                await self.wait(asyncio.sleep(answer.delay))
        if fault is not None and fault.kind == "lost":
            self.journal.append(Entry(method, raw_path, query, 0))
            await reset(receive, send)
            return
        self.journal.append(Entry(method, raw_path, query, answer.status))
        cut = fault.kind if fault is not None and fault.kind in ("truncate", "cut") else ""
        await respond(answer, method, headers.get("accept-encoding", ""), cut, receive, send)

    async def before(self, fault: Fault, receive: Receive, send: Send) -> Answer | None:
        """What a fault does before the handler runs; an answer keeps the handler from running."""
        if fault.kind == "delay":
            await self.wait(asyncio.sleep(fault.seconds))
        elif fault.kind == "reset":
            await reset(receive, send)
        elif fault.kind == "hang":
            await self.wait(disconnected(receive))
        elif fault.kind in ("status", "html", "shape"):
            body = fault.body or (HTML if fault.kind == "html" else {"items": []} if fault.kind == "shape" else "")
            text = body if isinstance(body, str) else json.dumps(body)
            kind = (
                "application/json"
                if not isinstance(body, str)
                else "text/html"
                if text.startswith("<")
                else "text/plain"
            )
            named = {name.lower(): value for name, value in fault.headers.items()}
            named.setdefault("content-type", kind)
            return Answer(fault.status if fault.kind == "status" else 200, text.encode(), list(named.items()))
        return None

    def answer(self, method: str, raw_path: str, query: str, headers: dict[str, str], body: bytes) -> Answer:
        """Route a request and run its handler."""
        if self.prefix:
            if not raw_path.startswith(self.prefix + "/"):
                return Answer(404, HTML.encode(), [("content-type", "text/html")])
            raw_path = raw_path[len(self.prefix) :]
        self.master.call_later = call_later
        if not raw_path.startswith("/api/v1/"):
            answer = self.legacy(method, raw_path, headers, body)
            return Answer(answer.status, b"") if method == "HEAD" else answer
        if method not in ECHO_METHODS:
            return json_answer(405, {"message": "Method Not Allowed"})
        try:
            return self.rpc(method, raw_path, query, headers, body)
        except RpcError as error:
            return json_answer(error.shown.http, error.body())

    def rpc(self, method: str, raw_path: str, query: str, headers: dict[str, str], body: bytes) -> Answer:
        """A call of the gateway. Raises RpcError."""
        path_bytes = urllib.parse.unquote_to_bytes(raw_path)
        path = path_bytes.decode("utf-8", "surrogateescape").removesuffix("/")
        found = find_route(method, path, headers.get("content-type", ""))
        if found is None:
            raise RpcError(Code.UNIMPLEMENTED, "Not Implemented")
        route, raw_params = found
        call = Call(self.master, raw_path=raw_path, headers=headers)
        route.decode(call, raw_params, query, body)
        if not path.isprintable() and any(0xDC80 <= ord(char) <= 0xDCFF for char in path):
            raise RpcError(Code.INTERNAL, "grpc: error while marshaling: string field contains invalid UTF-8")
        return self.encode(route, call, query, headers)

    def encode(self, route: Route, call: Call, query: str, headers: dict[str, str]) -> Answer:
        """Run the handler and serialise what it returns."""
        try:
            if route.auth:
                call.user, call.token = identity.authenticate(self.master, headers)
            value = route.handler(call)
        except RpcError as error:
            answer = (
                json_answer(error.code.http, error.stream_body())
                if route.stream
                else json_answer(error.shown.http, error.body())
            )
            answer.delay = call.delay
            return answer
        if isinstance(value, Lines):
            body = b"".join(orjson.dumps({"result": item}) + b"\n" for item in value.items)
        else:
            body = orjson.dumps(value)
            pretty = "pretty" in urllib.parse.parse_qs(query, keep_blank_values=True)
            if pretty or headers.get("accept") == "application/json+pretty":
                body = json.dumps(json.loads(body), indent=4, ensure_ascii=False).encode()
        kind = [("content-type", "application/json"), ("grpc-metadata-content-type", "application/grpc")]
        return Answer(200, body, kind + call.response_headers, call.delay)

    def legacy(self, method: str, raw_path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Routes outside /api/v1: /info is open, everything else wants a token."""
        if raw_path == "/info" and method == "GET":
            return json_answer(200, cluster.info(self.master))
        missing = json_answer(404, {"message": f"api not found: {method} {raw_path}"})
        if raw_path == "/info":
            return missing
        if raw_path == "/" and method == "GET":
            return Answer(301, b"", [("location", "/det")])
        refusal = identity.legacy_refusal(self.master, headers)
        if refusal is not None:
            return json_answer(*refusal)
        if raw_path == "/health" and method == "GET":
            return json_answer(200, cluster.health(self.master))
        found = oauth.answer(self.master, method, raw_path, headers, body)
        if found is not None:
            return Answer(found[0], b"") if found[1] is None else json_answer(*found)
        return missing


def call_later(seconds: float, function: Callable[[], None]) -> None:
    """Run a function on the server's event loop after a while."""
    asyncio.get_running_loop().call_later(seconds, function)


async def respond(answer: Answer, method: str, accept_encoding: str, cut: str, receive: Receive, send: Send) -> None:
    """Send an answer, gzipped when the client takes that (level 1, to be quick)."""
    body, headers = answer.body, list(answer.headers)
    if cut == "truncate":
        body = body[: max(1, len(body) * 2 // 3)]
    headers += [
        ("vary", "Accept-Encoding"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "SAMEORIGIN"),
        ("x-xss-protection", "1; mode=block"),
    ]
    if "gzip" in accept_encoding and body:
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        if len(body) > 1 << 20:
            body = await asyncio.to_thread(lambda: packer.compress(body) + packer.flush())
        else:
            body = packer.compress(body) + packer.flush()
        headers.append(("content-encoding", "gzip"))
    headers.append(("content-length", str(len(body))))
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    if cut == "cut":
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        await asyncio.sleep(0.02)  # let the first half leave
        await reset(receive, send, hard=False)
        return
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})


async def reset(receive: Receive, send: Send, *, hard: bool = True) -> None:
    """Break the connection under a request; ``hard`` answers with a TCP reset.

    ASGI has no message for it, so this reaches through uvicorn's bound ``send`` to the transport.
    """
    transport = send.__self__.transport  # type: ignore[attr-defined]
    if hard:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await disconnected(receive)


async def disconnected(receive: Receive) -> None:
    """Return once the client, or this side, has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        continue


class Server(uvicorn.Server):
    """uvicorn, but it ends at once, as tests start and stop a thousand masters, and without answers that are late on purpose."""

    def __init__(self, app: App, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.app = app

    async def main_loop(self) -> None:
        """Do what uvicorn does ten times a second, and look more often whether this is the end."""
        tick = 0
        while not await self.on_tick(tick):
            tick += 1
            for _part in range(20):
                if not self.should_exit:
                    await asyncio.sleep(0.005)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening and close every connection, each after the answer that it is sending."""
        for task in list(self.app.waiting):
            task.cancel()
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                while self.server_state.connections or self.server_state.tasks:
                    await asyncio.sleep(0.002)


class Simulator:
    """A simulated master in a thread of this process; a context manager.

    Args:
        fixture: ``empty``, ``demo`` or ``large``.
        authz: ``basic``, ``rbac`` or ``permissive``.
        port: 0 takes a free one.
        latency: seconds added to every answer.
        login_cost: seconds that hashing a password takes.
        async_delay: seconds until deletes and other asynchronous work are done.
        initial_password: of the built-in users ``admin`` and ``determined``.
        tls_cert: PEM file; with ``tls_key`` the server speaks https.
        tls_key: PEM file.
        prefix: path under which the master is published.

    Attributes:
        url: where it listens.
        master: the state, for tests that look inside.
        journal: every request as (method, path, query, status).
        faults: ``faults.add(Fault(...))`` makes something go wrong.
    """

    def __init__(
        self,
        fixture: str = "demo",
        authz: str = "basic",
        *,
        port: int = 0,
        latency: float = 0.0,
        login_cost: float = 0.0,
        async_delay: float = 0.15,
        initial_password: str = INITIAL_PASSWORD,
        tls_cert: str | None = None,
        tls_key: str | None = None,
        prefix: str = "",
    ) -> None:
        self.fixture, self.authz, self.initial_password = fixture, authz, initial_password
        self.login_cost, self.async_delay = login_cost, async_delay
        self.app = App(self._build(), latency=latency, prefix=prefix)
        self.socket = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port: int = self.socket.getsockname()[1]
        self.url = f"{'https' if tls_cert else 'http'}://127.0.0.1:{self.port}{prefix}"
        self.server = Server(
            self.app,
            uvicorn.Config(
                self.app,
                loop="uvloop",  # a master answers at once; what is measured is the client
                http="httptools",
                ws="none",
                lifespan="off",
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=1,
                ssl_certfile=tls_cert,
                ssl_keyfile=tls_key,
                h11_max_incomplete_event_size=None,
            ),
        )
        self.server.config.load()  # here, so that a bad certificate is the caller's error and not the thread's
        self.thread: threading.Thread | None = None

    def _build(self) -> Master:
        master = filled(self.authz, self.fixture, self.initial_password)
        master.login_cost, master.async_delay = self.login_cost, self.async_delay
        return master

    @property
    def master(self) -> Master:
        """The state behind the server."""
        return self.app.master

    @property
    def journal(self) -> list[Entry]:
        """Every request so far."""
        return self.app.journal

    @property
    def faults(self) -> Faults:
        """The faults in force."""
        return self.app.faults

    def sessions(self) -> list[SessionRow]:
        """The login sessions that are alive."""
        return self.master.live_sessions()

    def login(self, username: str = "admin") -> str:
        """A bearer token for a user, made without a request."""
        user: UserRow | None = self.master.user_by_name(username)
        if user is None:
            raise KeyError(username)
        return self.master.token_value(self.master.add_session(user, USER_SESSION, SESSION_LIFETIME))

    def reset(self, fixture: str | None = None) -> None:
        """Back to a fresh fixture: state, journal and faults."""
        self.fixture = fixture or self.fixture
        self.app.master = self._build()
        self.app.journal.clear()
        self.app.faults.clear()

    def run(self) -> None:
        """Serve in this thread until SIGTERM or SIGINT."""
        self.server.run(sockets=[self.socket])

    def start(self) -> Simulator:
        """Serve in a thread of its own; the socket listens already, so callers need not wait."""

        def run() -> None:
            # Where coverage is measured, it is that of the collection: to trace this server too makes it far slower.
            sys.settrace(None)
            self.run()

        self.thread = threading.Thread(target=run, name="simulated-master", daemon=True)
        self.thread.start()
        return self

    def stop(self) -> None:
        """Close every connection and end the thread."""
        self.server.should_exit = True
        if self.thread is not None:
            self.thread.join(timeout=10)
        self.socket.close()

    def __enter__(self) -> Simulator:
        return self.start()

    def __exit__(self, *_exc: object) -> None:
        self.stop()
