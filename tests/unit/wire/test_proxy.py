# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between here and the master stands a proxy that the environment names."""

from __future__ import annotations

import base64
import os
import pathlib
import socket
import time
import typing as t
from collections.abc import Iterator

import pytest
import trustme

from ansible_collections.determined.ai.plugins.module_utils._wire import transport
from ansible_collections.determined.ai.plugins.module_utils._wire.rehearsal import rehearse
from ansible_collections.determined.ai.plugins.modules.det_user import OPERATION as DET_USER
from ansible_collections.determined.ai.plugins.modules.det_user_info import OPERATION as DET_USER_INFO
from tests.simulator import Simulator
from tests.unit.conftest import ADMIN, Runner
from tests.unit.wire.proxy import Proxy

CREDENTIALS = "CANARY-user:CANARY%40%2Fsecret"
"""As a URL holds them; the password is CANARY@/secret."""
BASIC = "Basic " + base64.b64encode(b"CANARY-user:CANARY@/secret").decode()
NEW = {"username": "carol", "password": "Passw0rd-carol"}


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy, in an environment that names none yet."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    transport._proxies_are_named.cache_clear()
    with Proxy() as found:
        yield found
    transport._proxies_are_named.cache_clear()


@pytest.fixture
def name(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., str]:
    """Put the proxy's address into a variable, with what comes before the host."""

    def put(variable: str, credentials: str = "", port: int | None = None) -> str:
        monkeypatch.setenv(variable, f"http://{credentials}{'@' * bool(credentials)}127.0.0.1:{port or proxy.port}")
        return f"http://127.0.0.1:{port or proxy.port}"

    return put


@pytest.fixture
def secure(tmp_path: pathlib.Path) -> Iterator[tuple[Simulator, str]]:
    """A master behind TLS, and the file of its authority."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    chain, key, trusted = (tmp_path / name for name in ("chain.pem", "key.pem", "ca.pem"))
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(str(key))
    authority.cert_pem.write_to_path(str(trusted))
    with Simulator(fixture="empty", tls_cert=str(chain), tls_key=str(key)) as simulator:
        yield simulator, str(trusted)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def shown(runner: Runner, result: dict[str, t.Any]) -> str:
    """Everything that a task lets out, which must hold nothing of the proxy's credentials."""
    text = str([result, runner.warnings])
    assert "CANARY" not in text
    assert BASIC.split()[1] not in text
    return text


# -- used


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_plain_http_goes_through_it_by_absolute_uri(
    sim: Simulator, proxy: Proxy, name: t.Callable[..., str], variable: str
) -> None:
    name(variable)
    runner = Runner(sim)
    assert runner.ok(DET_USER_INFO)["total"] == 2
    runner.ok(DET_USER, **NEW)
    runner.close()
    asked = [(one.method, one.target.partition("?")[0]) for one in proxy.seen]
    assert asked[0] == ("POST", f"{sim.url}/api/v1/auth/login")
    assert ("GET", f"{sim.url}/api/v1/users") in asked
    assert ("POST", f"{sim.url}/api/v1/users") in asked
    assert asked[-1] == ("POST", f"{sim.url}/api/v1/auth/logout")
    assert len(asked) == len(sim.journal)
    assert sim.sessions() == []


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_https_goes_through_a_tunnel(
    secure: tuple[Simulator, str], proxy: Proxy, name: t.Callable[..., str], variable: str
) -> None:
    name(variable)
    sim, trusted = secure
    runner = Runner(sim, **ADMIN, ca_cert=trusted)
    assert runner.ok(DET_USER_INFO)["total"] == 2
    assert runner.ok(DET_USER_INFO, name_contains="adm")["total"] == 1
    runner.close()
    # One tunnel for all calls, as its connection is kept alive; what goes through it the proxy cannot read.
    assert [(one.method, one.target) for one in proxy.seen] == [("CONNECT", f"127.0.0.1:{sim.port}")]


def test_each_scheme_has_its_own(sim: Simulator, proxy: Proxy, name: t.Callable[..., str]) -> None:
    name("HTTPS_PROXY")
    runner = Runner(sim)
    runner.ok(DET_USER_INFO)
    runner.close()
    assert proxy.seen == []


def test_its_credentials_go_to_it_alone(sim: Simulator, proxy: Proxy, name: t.Callable[..., str]) -> None:
    name("HTTP_PROXY", CREDENTIALS)
    proxy.authorization = BASIC
    runner = Runner(sim)
    shown(runner, runner.ok(DET_USER_INFO))
    runner.close()
    assert {one.authorization for one in proxy.seen} == {BASIC}


def test_its_credentials_open_the_tunnel(
    secure: tuple[Simulator, str], proxy: Proxy, name: t.Callable[..., str]
) -> None:
    name("HTTPS_PROXY", CREDENTIALS)
    proxy.authorization = BASIC
    sim, trusted = secure
    runner = Runner(sim, **ADMIN, ca_cert=trusted)
    shown(runner, runner.ok(DET_USER_INFO))
    runner.close()
    assert [one.authorization for one in proxy.seen] == [BASIC]
    assert not any("proxy-authorization" in headers for headers in sim.app.recent_headers)


def test_a_name_that_only_the_proxy_can_resolve(sim: Simulator, proxy: Proxy, name: t.Callable[..., str]) -> None:
    name("HTTP_PROXY")
    runner = Runner(sim, **ADMIN, master=f"master.invalid:{sim.port}")
    assert runner.ok(DET_USER_INFO)["total"] == 2
    runner.close()
    assert proxy.seen[0].target == f"http://master.invalid:{sim.port}/api/v1/auth/login"


# -- not used


@pytest.mark.parametrize("exception", ["localhost", "localhost:{port}", "example.com, localhost", "*"])
def test_an_exception_by_name(
    sim: Simulator, proxy: Proxy, name: t.Callable[..., str], monkeypatch: pytest.MonkeyPatch, exception: str
) -> None:
    name("HTTP_PROXY")
    monkeypatch.setenv("NO_PROXY", exception.format(port=sim.port))
    runner = Runner(sim, **ADMIN, master=f"localhost:{sim.port}")
    runner.ok(DET_USER_INFO)
    runner.close()
    assert proxy.seen == []
    assert sim.journal != []


@pytest.mark.parametrize("exception", ["127.0.0.1", "127.0.0.0/8"])
def test_an_exception_for_loopback(
    sim: Simulator, proxy: Proxy, name: t.Callable[..., str], monkeypatch: pytest.MonkeyPatch, exception: str
) -> None:
    name("HTTP_PROXY")
    monkeypatch.setenv("no_proxy", exception)
    runner = Runner(sim)
    runner.ok(DET_USER_INFO)
    runner.close()
    assert proxy.seen == []
    assert sim.journal != []


@pytest.mark.parametrize("exception", ["localhost:1", "example.com", ".example.com", "127.0.0.1"])
def test_an_exception_for_others(
    sim: Simulator, proxy: Proxy, name: t.Callable[..., str], monkeypatch: pytest.MonkeyPatch, exception: str
) -> None:
    name("HTTP_PROXY")
    monkeypatch.setenv("NO_PROXY", exception)
    runner = Runner(sim, **ADMIN, master=f"localhost:{sim.port}")
    runner.ok(DET_USER_INFO)
    runner.close()
    assert len(proxy.seen) == len(sim.journal) != 0


@pytest.mark.parametrize("exception", ["invalid", ".invalid", "site.invalid"])
def test_an_exception_by_suffix(
    sim: Simulator, proxy: Proxy, name: t.Callable[..., str], monkeypatch: pytest.MonkeyPatch, exception: str
) -> None:
    """Seen by what fails: without the proxy nobody resolves the name."""
    name("HTTP_PROXY")
    monkeypatch.setenv("NO_PROXY", exception)
    message = Runner(sim, **ADMIN, master=f"master.site.invalid:{sim.port}").failed(DET_USER_INFO)
    assert message.startswith(f"The master at http://master.site.invalid:{sim.port} cannot be reached")
    assert proxy.seen == []


def test_no_call_is_made_at_the_start_of_a_run(proxy: Proxy, name: t.Callable[..., str]) -> None:
    """The rehearsal is without a network, and so without a proxy."""
    name("HTTP_PROXY")
    rehearse()
    assert proxy.seen == []


# -- in the way


@pytest.mark.parametrize("credentials", ["", "CANARY-user:CANARY-wrong"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_it_wants_other_credentials(
    sim: Simulator,
    secure: tuple[Simulator, str],
    proxy: Proxy,
    name: t.Callable[..., str],
    scheme: str,
    credentials: str,
) -> None:
    place = name(f"{scheme}_proxy", credentials)
    proxy.authorization = BASIC
    master, trusted = secure if scheme == "https" else (sim, None)
    # With a token the first call is a GET, which would be tried again if there were a point in it.
    for login in (ADMIN, {"auth_token": "v2.public.some-token"}):
        proxy.seen.clear()
        runner = Runner(master, **login, ca_cert=trusted, retries=2)
        result = runner(DET_USER_INFO)
        shown(runner, result)
        assert result["msg"].startswith(f"The proxy {place} wants a user and password (HTTP 407): ")
        assert f"{scheme.upper()}_PROXY" in result["msg"]
        assert "NO_PROXY" in result["msg"]
        assert result["failure"]["attempts"] == len(proxy.seen) == 1
        assert runner.warnings == []
    assert master.journal == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_it_is_down(sim: Simulator, secure: tuple[Simulator, str], name: t.Callable[..., str], scheme: str) -> None:
    place = name(f"{scheme}_proxy", CREDENTIALS, closed_port())
    master, trusted = secure if scheme == "https" else (sim, None)
    runner = Runner(master, **ADMIN, ca_cert=trusted, retries=1)
    result = runner(DET_USER_INFO)
    text = shown(runner, result)
    assert result["msg"].startswith(f"The proxy {place} cannot be reached: Connection refused")
    # Nothing was sent, so even the login, a POST, is tried again.
    assert result["failure"]["attempts"] == 2
    assert len(runner.warnings) == 1
    assert "0x" not in text
    assert master.journal == []


def test_its_name_does_not_resolve(sim: Simulator, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://{CREDENTIALS}@proxy.invalid:3128")
    runner = Runner(sim)
    result = runner(DET_USER_INFO)
    shown(runner, result)
    assert result["msg"].startswith("The proxy http://proxy.invalid:3128 cannot be reached: ")


def test_it_answers_in_the_masters_place(sim: Simulator, proxy: Proxy, name: t.Callable[..., str]) -> None:
    name("HTTP_PROXY", CREDENTIALS)
    proxy.refusal = (502, "<html>Bad Gateway</html>")
    runner = Runner(sim, auth_token="v2.public.some-token", retries=1)
    result = runner(DET_USER_INFO)
    text = shown(runner, result)
    assert f"the master at {sim.url} is not available, HTTP 502 after 2 tries" in result["msg"]
    assert "<html>" not in text
    assert len(proxy.seen) == 2


def test_a_write_that_it_answers_with_502_is_not_repeated(
    sim: Simulator, proxy: Proxy, name: t.Callable[..., str]
) -> None:
    runner = Runner(sim, auth_token=sim.login(), retries=2)
    name("HTTP_PROXY", CREDENTIALS)

    # The proxy loses its master between the read and the write.
    class Loses(list[t.Any]):
        def append(self, one: t.Any) -> None:
            super().append(one)
            proxy.refusal = (502, "<html>Bad Gateway</html>") if one.method == "POST" else None

    proxy.seen = Loses()
    result = runner(DET_USER, **NEW)
    shown(runner, result)
    assert [one.method for one in proxy.seen].count("POST") == 1
    assert "whether the master carried it out is not known" in result["msg"]
    assert "no such user was created" in result["msg"]


def test_it_does_not_open_the_tunnel(secure: tuple[Simulator, str], proxy: Proxy, name: t.Callable[..., str]) -> None:
    place = name("HTTPS_PROXY", CREDENTIALS)
    proxy.refusal = (502, "<html>Bad Gateway</html>")
    sim, trusted = secure
    runner = Runner(sim, **ADMIN, ca_cert=trusted, retries=1)
    result = runner(DET_USER_INFO)
    text = shown(runner, result)
    assert result["msg"].startswith(f"The proxy {place} does not connect to {sim.url}: ")
    assert "502 Bad Gateway" in result["msg"]
    assert "<html>" not in text


def test_one_that_hangs_ends_at_the_time_out(sim: Simulator, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HTTP_PROXY", f"http://{CREDENTIALS}@127.0.0.1:{silent.getsockname()[1]}")
        runner = Runner(sim, auth_token="v2.public.some-token", timeout=0.3)
        began = time.monotonic()
        result = runner(DET_USER_INFO)
    shown(runner, result)
    assert "no answer within 0.3 s" in result["msg"]
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "address",
    ["http://CANARY-user:CANARY-password@", "http://CANARY-user:CANARY-password@proxy.invalid:port", "http://[CANARY"],
)
def test_an_address_that_is_none(sim: Simulator, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", address)
    runner = Runner(sim)
    result = runner(DET_USER_INFO)
    shown(runner, result)
    assert "HTTP_PROXY" in result["msg"]
    assert sim.journal == []


def test_socks_needs_one_more_library(sim: Simulator, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", f"socks5://{CREDENTIALS}@127.0.0.1:{closed_port()}")
    runner = Runner(sim)
    result = runner(DET_USER_INFO)
    shown(runner, result)
    assert result["msg"].startswith("The proxy socks5://127.0.0.1:")
    assert "PySocks" in result["msg"]
