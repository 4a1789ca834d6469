# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user reads when what answers is no master, or hardly: byte for byte, from a socket with a script."""

from __future__ import annotations

import gzip
import pathlib
import re
import socket
import struct
import threading
import time
import typing as t
from collections.abc import Callable, Iterator

import pytest
import trustme
import urllib3

from ansible_collections.determined.ai.plugins.module_utils._wire import transport
from ansible_collections.determined.ai.plugins.module_utils._wire.retry import RETRY_AFTER_MAX, CallRetry
from ansible_collections.determined.ai.plugins.modules.det_oauth_client_info import OPERATION as DET_OAUTH_CLIENT_INFO
from ansible_collections.determined.ai.plugins.modules.det_user import OPERATION as DET_USER
from ansible_collections.determined.ai.plugins.modules.det_user_info import OPERATION as DET_USER_INFO
from tests.simulator import Simulator
from tests.unit.conftest import Runner

TOKEN = {"auth_token": "v2.public.CANARY"}
PASSWORD = {"auth_username": "alice", "auth_password": "CANARY-Passw0rd"}
USERS = b'{"users":[{"id":1,"username":"admin"}],"pagination":{"total":1}}'
PAGE = b"<html><title>Welcome</title></html>"

Script = Callable[[socket.socket], None]


class Peer:
    """Does what its script says on each connection, once a request has come.

    :ivar requests: the requests' first lines.
    """

    def __init__(self, script: Script, host: str = "127.0.0.1") -> None:
        self._script = script
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[str] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                self.requests.append(request_line(connection))
                self._script(connection)
            except OSError:
                pass

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def request_line(connection: socket.socket) -> str:
    """Take a whole request, as closing on the rest of it would reset the connection; what is no HTTP is taken as it comes."""
    data = connection.recv(65536)
    while b"HTTP/1.1" in data:
        head, end, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if end and len(body) >= (int(length[1]) if length else 0):
            break
        part = connection.recv(65536)
        if not part:
            break
        data += part
    return data.partition(b"\r\n")[0].decode("ascii", "replace")


Serve = Callable[..., Peer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start peers; all are stopped at the end."""
    started: list[Peer] = []

    def start(script: Script, host: str = "127.0.0.1") -> Peer:
        started.append(Peer(script, host))
        return started[-1]

    yield start
    for peer in started:
        peer.close()


def answer(status: str, body: bytes = b"", **headers: str) -> Script:
    """Answer, and close."""
    head = {"Content-Length": str(len(body)), "Connection": "close"}
    head |= {name.replace("_", "-"): value for name, value in headers.items()}
    text = f"HTTP/1.1 {status}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in head.items()) + "\r\n"
    return lambda connection: connection.sendall(text.encode() + body)


def ask(
    peer: Peer, operation: t.Any = DET_USER_INFO, host: str = "http://127.0.0.1", **options: t.Any
) -> dict[str, t.Any]:
    """Run one task on a peer. Whatever happens is a result, and shows no secret."""
    runner = Runner(
        t.cast(t.Any, peer_as_master(peer, host)), **{**TOKEN, "timeout": 5, **options.pop("connection", {})}
    )
    try:
        result = runner(operation, **options)
    finally:
        runner.close()
    assert "CANARY" not in str([result, runner.warnings])
    return {**result, "warnings": runner.warnings}


def peer_as_master(peer: Peer, host: str) -> t.Any:
    return type("Master", (), {"url": f"{host}:{peer.port}"})


# -- another web server


ELSEWHERE = {
    "page": answer("404 Not Found", PAGE),
    "text": answer("404 Not Found", b"404 page not found\n"),
    "nothing": answer("404 Not Found"),
    # A master under another path prefix than the one given (tried on a 0.38.1 master).
    "master": answer("404 Not Found", b'{"message":"Not Found"}'),
    "legacy": answer("404 Not Found", b'{"message":"api not found: GET /det/api/v1/users/bob/by-username"}'),
}


@pytest.mark.parametrize("login", [TOKEN, {**PASSWORD, "auth_token": None}], ids=["token", "password"])
@pytest.mark.parametrize("place", ELSEWHERE)
def test_nothing_is_concluded_from_a_404_that_is_not_the_apis(
    serve: Serve, place: str, login: dict[str, t.Any]
) -> None:
    peer = serve(ELSEWHERE[place])
    result = ask(peer, DET_USER, username="bob", state="absent", connection=login)
    assert result["failed"], "a user counts as absent because somebody else's web server does not know it"
    assert "a Determined master" in result["msg"]
    assert "HTTP 404" in result["msg"]
    assert len(peer.requests) == 1


def test_nothing_is_concluded_from_it_outside_the_api_either(serve: Serve) -> None:
    message = ask(serve(ELSEWHERE["text"]), DET_OAUTH_CLIENT_INFO)["msg"]
    assert "HTTP 404, which is not how a Determined master says it" in message


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"code":5,"reason":"NotFound","error":"user not found"}}',
        b'{"message":"user not found"}',
        b'{"error":"no such user"}',
    ],
)
def test_a_404_of_the_api_is_an_object_that_is_not_there(serve: Serve, body: bytes) -> None:
    peer = serve(answer("404 Not Found", body))
    assert not ask(peer, DET_USER, username="bob", state="absent")["changed"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("401 Unauthorized", PAGE),
        ("403 Forbidden", PAGE),
        ("405 Method Not Allowed", b'{"message":"Method Not Allowed"}'),
        ("501 Not Implemented", PAGE),
    ],
)
def test_a_login_that_another_web_server_refuses_is_not_blamed_on_the_password(
    serve: Serve, status: str, body: bytes
) -> None:
    message = ask(serve(answer(status, body)), connection={**PASSWORD, "auth_token": None})["msg"]
    assert f"HTTP {status[:3]}" in message
    assert "a Determined master" in message
    assert "password" not in message


# -- too many calls


@pytest.mark.parametrize(
    "value",
    ["0", "", "soon", "-5", "1.5", "Wed, 21 Oct 2015 07:28:00 GMT", "Fri, 31 Dec 99999 23:59:59 GMT", "9" * 5000],
)
def test_a_retry_after_of_any_kind(serve: Serve, value: str) -> None:
    peer = serve(answer("429 Too Many Requests", Retry_After=value))
    result = ask(peer, connection={"retries": 1})
    assert len(peer.requests) == 2
    assert "takes no more calls for now (HTTP 429 after 2 tries)" in result["msg"]


@pytest.mark.parametrize("value", ["99999999999", "Fri, 31 Dec 2199 23:59:59 GMT"])
def test_a_long_retry_after_is_cut(value: str) -> None:
    response: t.Any = type("Response", (), {"headers": {"Retry-After": value}})
    assert CallRetry.of(3, print).get_retry_after(response) == RETRY_AFTER_MAX


# -- a login that can't be used


@pytest.mark.parametrize("token", ["5", "null", '""', '"a\\nb"', '"a b"', '"\\u4e2d"'])
def test_what_a_login_brings_is_no_token(serve: Serve, token: str) -> None:
    body = b'{"token":%s}' % token.encode()
    result = ask(serve(answer("200 OK", body)), connection={**PASSWORD, "auth_token": None})
    assert "the answer to the login holds no token" in result["msg"]


def test_a_login_without_an_answer(serve: Serve) -> None:
    peer = serve(answer("503 Service Unavailable", PAGE))
    result = ask(peer, connection={**PASSWORD, "auth_token": None})
    assert result["msg"].startswith(f"The login of 'alice' at http://127.0.0.1:{peer.port} got no answer")
    assert "HTTP 503" in result["msg"]


# -- an address that leads elsewhere


@pytest.mark.parametrize("target", ["http://[bad", "http://127.0.0.1:99999/x", "http://127.0.0.1:x/"])
def test_a_redirect_to_what_is_no_address(serve: Serve, target: str) -> None:
    result = ask(serve(answer("302 Found", Location=target)))
    assert "redirects to what is no address" in result["msg"]


def test_a_redirect_to_https_on_the_same_host_is_followed_for_reads_only(serve: Serve, tmp_path: pathlib.Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    chain, key, trusted = (str(tmp_path / name) for name in ("chain.pem", "key.pem", "ca.pem"))
    certificate.cert_chain_pems[0].write_to_path(chain)
    certificate.private_key_pem.write_to_path(key)
    authority.cert_pem.write_to_path(trusted)
    with Simulator(fixture="empty", tls_cert=chain, tls_key=key) as sim:
        peer = serve(answer("301 Moved", Location=f"{sim.url}/api/v1/users"))
        assert ask(peer, connection={"auth_token": sim.login(), "ca_cert": trusted})["total"] == 2
        message = ask(peer, connection={**PASSWORD, "auth_token": None, "ca_cert": trusted})["msg"]
    assert f"redirects to {sim.url}" in message
    assert [entry.method for entry in sim.journal] == ["GET"]


def test_a_master_with_an_ipv6_address(serve: Serve) -> None:
    try:
        peer = serve(answer("200 OK", USERS), "::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    for host in ("[::1]", "http://[::1]"):
        assert ask(peer, host=host)["total"] == 1


# -- half answers


def test_a_read_whose_answer_breaks_off_is_tried_again(serve: Serve) -> None:
    scripts = [answer("200 OK", USERS), answer("200 OK", USERS[:20], Content_Length=str(len(USERS)))]
    peer = serve(lambda connection: scripts.pop()(connection))
    result = ask(peer, connection={"retries": 1})
    assert result["total"] == 1
    assert len(result["warnings"]) == 1
    assert len(peer.requests) == 2


def test_a_write_whose_answer_breaks_off_is_sent_once(serve: Serve) -> None:
    missing = answer("404 Not Found", b'{"error":{"code":5,"reason":"NotFound","error":"user not found"}}')
    cut = answer("200 OK", b'{"user":', Content_Length="100")
    scripts = [missing, cut, missing]
    peer = serve(lambda connection: scripts.pop()(connection))
    result = ask(peer, DET_USER, username="bob", password="CANARY-Passw0rd", connection={"retries": 3})
    assert [line.split()[0] for line in peer.requests] == ["GET", "POST", "GET"]
    assert "its answer was lost (Connection broken: IncompleteRead(8 bytes read, 92 more expected))" in result["msg"]
    assert "no such user was created" in result["msg"]


def drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _time in range(400):
        connection.sendall(b" ")
        time.sleep(0.05)


@pytest.mark.skipif(
    not hasattr(urllib3.HTTPResponse, "read1"),
    reason="urllib3 before 2 tells of an answer only when much of it is there",
)
def test_an_answer_that_never_ends_is_given_up(serve: Serve) -> None:
    began = time.monotonic()
    result = ask(serve(drip), connection={"timeout": 0.2})
    assert "the answer was not whole within 2 s" in result["msg"]
    assert 2 <= time.monotonic() - began < 6


def test_an_answer_that_unpacks_to_more_than_fits_is_left_unread(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "ANSWER_MAX", 8 << 20)
    bomb = gzip.compress(bytes(64 << 20))
    assert len(bomb) < 1 << 17
    result = ask(serve(answer("200 OK", bomb, Content_Encoding="gzip")))
    assert "it is larger than 8 MiB" in result["msg"]
    assert result["failure"]["status"] == 200


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (reset, "Connection reset by peer"),
        (lambda connection: None, "Remote end closed connection without response"),
        (lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n"), "BadStatusLine('SSH-2.0-OpenSSH_9.6"),
        (answer("200 OK", b"no gzip", Content_Encoding="gzip"), "failed to decode it"),
    ],
    ids=["reset", "closed", "ssh", "gzip"],
)
def test_a_broken_connection_is_told_in_words(serve: Serve, script: Script, why: str) -> None:
    peer = serve(script)
    message = ask(peer)["msg"]
    assert message.startswith(f"The master at http://127.0.0.1:{peer.port} cannot be reached: ")
    assert why in message
    assert "('" not in message.replace("BadStatusLine('", "").replace("error('", "")


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b"5", b'"x"', b"{}", b"", b'{"users":null}', b'{"users":[null]}', b'{"users":[{"id":{}}]}']
)
def test_json_of_another_shape(serve: Serve, body: bytes) -> None:
    message = ask(serve(answer("200 OK", body)))["msg"]
    assert "the answer is not one of a Determined master: a list expected, but " in message


# -- TLS


def test_a_master_that_does_not_speak_tls(serve: Serve) -> None:
    peer = serve(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    message = ask(peer, host="https://127.0.0.1")["msg"]
    assert f"TLS with https://127.0.0.1:{peer.port} fails" in message
    assert "does it speak https" in message


def test_a_file_without_certificates(serve: Serve, tmp_path: pathlib.Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate\n")
    message = ask(serve(reset), host="https://127.0.0.1", connection={"ca_cert": str(tmp_path / "ca.pem")})["msg"]
    assert "does ca_cert, if given, name a file of certificates (PEM)" in message


def test_a_handshake_that_hangs(serve: Serve) -> None:
    peer = serve(lambda connection: time.sleep(3))
    assert "no answer within 0.3 s" in ask(peer, host="https://127.0.0.1", connection={"timeout": 0.3})["msg"]
