# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an audit finds out about the master's TLS by a handshake of its own, with real servers."""

from __future__ import annotations

import contextlib
import datetime
import pathlib
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest
import trustme

from ansible_collections.determined.ai.plugins.module_utils._wire.errors import TlsError, Unreachable
from ansible_collections.determined.ai.plugins.plugin_utils.audit_tls import read_tls
from tests.simulator import Simulator

from .conftest import Auditor

AUTHORITY = trustme.CA()


def certificate(folder: pathlib.Path, days: float, name: str = "127.0.0.1") -> tuple[str, str, datetime.datetime]:
    """The files of a certificate and its key, and when it ends: some days from now, in whole seconds."""
    ends = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)).replace(microsecond=0)
    leaf = AUTHORITY.issue_cert(name, not_before=ends - datetime.timedelta(days=400), not_after=ends)
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    key.write_bytes(leaf.private_key_pem.bytes())
    return str(chain), str(key), ends


@contextlib.contextmanager
def serving(context: ssl.SSLContext | None, greeting: bytes = b"") -> Iterator[int]:
    """A server of one connection: by TLS, or for None one that says something else. Yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _address = server.accept()
                with connection:
                    if context is None:
                        connection.sendall(greeting)
                        connection.recv(1000)
                    else:
                        context.wrap_socket(connection, server_side=True).close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join(timeout=5)


def context_of(files: tuple[str, str, datetime.datetime], version: ssl.TLSVersion) -> ssl.SSLContext:
    """A server that speaks one version of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(files[0], files[1])
    return context


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
@pytest.mark.parametrize(
    ("version", "shown"),
    [(ssl.TLSVersion.TLSv1_1, "TLSv1.1"), (ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")],
)
def test_the_version_that_is_negotiated(tmp_path: pathlib.Path, version: ssl.TLSVersion, shown: str) -> None:
    with serving(context_of(certificate(tmp_path, 90), version)) as port:
        assert read_tls("127.0.0.1", port, "127.0.0.1", 5)["version"] == shown


@pytest.mark.parametrize("days", [-3, 5, 90])
def test_when_the_certificate_ends_whoever_signed_it(tmp_path: pathlib.Path, days: int) -> None:
    files = certificate(tmp_path, days, "another.example")
    with serving(context_of(files, ssl.TLSVersion.TLSv1_3)) as port:
        found = read_tls("127.0.0.1", port, "det.example.com", 5)
    assert found["not_after"] == files[2].strftime("%Y-%m-%dT%H:%M:%SZ")


def test_the_name_is_asked_for(tmp_path: pathlib.Path) -> None:
    context = context_of(certificate(tmp_path, 90), ssl.TLSVersion.TLSv1_3)
    asked: list[str | None] = []
    context.sni_callback = lambda connection, name, _context: asked.append(name)
    with serving(context) as port:
        read_tls("127.0.0.1", port, "det.example.com", 5)
    assert asked == ["det.example.com"]


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unreachable, match=f"127.0.0.1:{port} can't be reached"):
        read_tls("127.0.0.1", port, "127.0.0.1", 5)


def test_no_tls_there() -> None:
    with serving(None, b"HTTP/1.1 400 Bad Request\r\n\r\n") as port, pytest.raises(TlsError, match="no TLS handshake"):
        read_tls("127.0.0.1", port, "127.0.0.1", 5)


def test_silence_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(Unreachable, match="timed out"):
        read_tls("127.0.0.1", server.getsockname()[1], "127.0.0.1", 0.2)


# --- CLU-01, with a master behind TLS


@pytest.mark.parametrize(
    ("days", "parameters", "faults"),
    [
        (90, {}, []),
        (20, {}, ["Its certificate expires in less than 30 days."]),
        (20, {"certificate_min_days": 10}, []),
        (-3, {}, ["Its certificate has expired."]),
    ],
)
def test_clu_01_by_https_also_with_validation_off(
    tmp_path: pathlib.Path, days: int, parameters: dict[str, int], faults: list[str]
) -> None:
    chain, key, ends = certificate(tmp_path, days)
    with Simulator(fixture="empty", tls_cert=chain, tls_key=key) as sim:
        found = Auditor(sim, validate_certs=False)("CLU-01", parameters=parameters, read_tls=read_tls)
    assert [fault for one in found.of("CLU-01") for fault in one["evidence"]["faults"]] == faults
    assert found.status("CLU-01") == ("fail" if faults else "pass")
    for one in found.of("CLU-01"):
        assert one["evidence"]["fields"]["certificate_not_after"] == ends.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert one["evidence"]["fields"]["tls_version"] == "TLSv1.3"


def test_clu_01_an_old_version_fails(tmp_path: pathlib.Path) -> None:
    chain, key, _ends = certificate(tmp_path, 90)
    facts = {"version": "TLSv1.1", "not_after": "2099-01-01T00:00:00Z"}
    with Simulator(fixture="empty", tls_cert=chain, tls_key=key) as sim:
        found = Auditor(sim, validate_certs=False)("CLU-01", read_tls=lambda *_where: facts)
    assert found.of("CLU-01")[0]["evidence"]["faults"] == ["TLSv1.1 was negotiated, older than TLS 1.2."]


def test_clu_01_without_a_handshake_is_unknown_and_the_audit_goes_on(tmp_path: pathlib.Path) -> None:
    def unreachable(*_where: object) -> dict[str, str]:
        raise Unreachable("only the proxy is reached")

    chain, key, _ends = certificate(tmp_path, 90)
    with Simulator(fixture="empty", tls_cert=chain, tls_key=key) as sim:
        found = Auditor(sim, validate_certs=False)("CLU-01", "CLU-05", read_tls=unreachable)
        assert found.status("CLU-01") == "unknown"
        assert found.of("CLU-01")[0]["evidence"]["faults"] == ["only the proxy is reached"]
        assert found.status("CLU-05") == "fail"
        assert Auditor(sim, validate_certs=False)("CLU-01").status("CLU-01") == "unknown"


def test_clu_01_by_http() -> None:
    with Simulator(fixture="empty") as sim:
        auditor = Auditor(sim)
        assert auditor("CLU-01").keys("CLU-01") == [f"unknown cluster/{sim.master.cluster_id}"]
        assert auditor("CLU-01", parameters={"tls_terminated": True}).status("CLU-01") == "pass"
        sim.master.config["security"]["tls"].update(cert="/etc/master.crt", key="/etc/master.key")
        assert auditor("CLU-01").status("CLU-01") == "pass"


def test_clu_01_by_http_over_the_network_fails_whatever_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *rest, **more: resolved("127.0.0.1", *rest, **more))
    with Simulator(fixture="empty") as sim:
        auditor = Auditor(sim, master=f"http://det.example.com:{sim.port}")
        found = auditor("CLU-01", parameters={"tls_terminated": True})
    assert found.keys("CLU-01") == [f"fail cluster/{sim.master.cluster_id}"]
    assert found.of("CLU-01")[0]["evidence"]["fields"] == {"scheme": "http", "host": "det.example.com"}
