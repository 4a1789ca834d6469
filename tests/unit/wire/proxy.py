# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small HTTP proxy in a thread: plain requests by absolute URI, everything else through CONNECT."""

from __future__ import annotations

import dataclasses
import http.client
import http.server
import select
import socket
import threading
import typing as t
from urllib.parse import urlsplit

HOP_BY_HOP = frozenset({"connection", "proxy-connection", "proxy-authorization", "keep-alive", "transfer-encoding"})


@dataclasses.dataclass(frozen=True)
class Seen:
    """What the proxy was asked."""

    method: str
    target: str
    authorization: str | None


class Proxy:
    """A proxy on a free loopback port; a context manager.

    It resolves every name to 127.0.0.1, so that a test can use names that nobody else knows.

    Attributes:
        seen: every request so far.
        authorization: the Proxy-Authorization that it wants, or None; all else is answered with 407.
        refusal: a status and a page with which it answers in place of passing on, or None.
    """

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.authorization: str | None = None
        self.refusal: tuple[int, str] | None = None
        owner = self

        class Handler(_Handler):
            proxy = owner

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._thread.join(timeout=10)
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    proxy: t.ClassVar[Proxy]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: t.Any) -> None:
        """Say nothing."""

    def parse_request(self) -> bool:
        """Send every method to the one function that knows what to do."""
        if not super().parse_request():
            return False
        self.verb, self.command = self.command, "any"
        return True

    def do_any(self) -> None:
        given = self.headers.get("Proxy-Authorization")
        self.proxy.seen.append(Seen(self.verb, self.path, given))
        if self.proxy.authorization is not None and given != self.proxy.authorization:
            self._page(407, "<html>Proxy credentials, please</html>")
        elif self.proxy.refusal is not None:
            self._page(*self.proxy.refusal)
        elif self.verb == "CONNECT":
            self._tunnel()
        else:
            self._pass_on()

    def _page(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Proxy-Authenticate", 'Basic realm="proxy"')
        self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def _pass_on(self) -> None:
        target = urlsplit(self.path)
        assert target.scheme == "http", "a proxy is asked by absolute URI"
        master = http.client.HTTPConnection("127.0.0.1", target.port or 80, timeout=10)
        path = f"{target.path}?{target.query}" if target.query else target.path
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        master.request(self.verb, path, self.rfile.read(int(self.headers.get("Content-Length", 0))), headers)
        answer = master.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        master.close()

    def _tunnel(self) -> None:
        port = int(self.path.rpartition(":")[2])
        self.close_connection = True
        with socket.create_connection(("127.0.0.1", port), timeout=10) as master:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: master, master: self.connection}
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    ends[end].sendall(data)
