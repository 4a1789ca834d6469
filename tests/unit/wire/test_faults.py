# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user reads when the master, the network or the credentials are not as they should be."""

from __future__ import annotations

import datetime
import pathlib
import socket
import ssl
import time
import typing as t
from collections.abc import Iterator

import pytest
import trustme

from ansible_collections.determined.ai.plugins.module_utils._wire.connection import CONNECTION_SPEC, Connection
from ansible_collections.determined.ai.plugins.module_utils._wire.login import end_run
from ansible_collections.determined.ai.plugins.module_utils._wire.session import Session
from ansible_collections.determined.ai.plugins.modules.det_token import OPERATION as DET_TOKEN
from ansible_collections.determined.ai.plugins.modules.det_user import OPERATION as DET_USER
from ansible_collections.determined.ai.plugins.modules.det_user_info import OPERATION as DET_USER_INFO
from tests.simulator import Simulator
from tests.simulator.server import Fault
from tests.unit.conftest import ADMIN, Runner

NEW = {"username": "carol", "password": "Passw0rd-carol"}


@pytest.fixture
def runner(sim: Simulator) -> Iterator[t.Callable[..., Runner]]:
    """Makes runners with their own connection options; all are closed at the end."""
    made: list[Runner] = []

    def make(**connection: t.Any) -> Runner:
        made.append(Runner(sim, **{**ADMIN, **connection}))
        return made[-1]

    yield make
    sim.faults.clear()
    for one in made:
        one.close()


def calls(sim: Simulator, method: str, path: str) -> int:
    return sum(entry.method == method and entry.path.startswith(path) for entry in sim.journal)


# -- the address


@pytest.mark.parametrize(
    ("master", "canonical"),
    [
        ("det.example.com", "http://det.example.com:8080"),
        ("det.example.com:9000", "http://det.example.com:9000"),
        ("http://det.example.com", "http://det.example.com:80"),
        ("https://det.example.com/", "https://det.example.com:443"),
        ("https://det.example.com/prefix/", "https://det.example.com:443/prefix"),
        ("[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_every_form_of_address_is_understood(master: str, canonical: str) -> None:
    from ansible_collections.determined.ai.plugins.module_utils._wire.connection import canonical_master

    assert canonical_master(master) == canonical


@pytest.mark.parametrize(
    "master",
    [
        "ftp://x",
        "http://",
        "http://x:port",
        "x:99999",
        "x:0",
        "::1",
        "http://[::1",
        "http://u:p@x",
        "http://u:p/q@x",
        "http://x?a=b",
        "a b",
        "a\tb",
        "a\u00a0b",
    ],
)
def test_what_is_no_address_is_refused_before_any_call(run: Runner, master: str) -> None:
    message = run.failed(DET_USER_INFO, master=master)
    assert message.startswith("master")
    assert "must be a host, host:port" in message
    assert "u:p" not in message
    assert "'p'" not in message


def test_blanks_around_the_address_do_not_matter(run: Runner, sim: Simulator) -> None:
    assert run.ok(DET_USER_INFO, master=f"  {sim.url}/ \n")["total"] == 2


def test_no_master_names_the_option_and_the_variable(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DET_MASTER", raising=False)
    assert "option master or the environment variable DET_MASTER" in run.failed(DET_USER_INFO, master=None)


def test_a_path_prefix_is_kept() -> None:
    with Simulator(fixture="empty", prefix="/det") as sim:
        runner = Runner(sim)
        assert runner.ok(DET_USER_INFO)["total"] == 2
        runner.close()
        assert sim.sessions() == []


# -- credentials


def test_no_credentials_says_what_to_set(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DET_USER", "DET_PASS", "DET_USER_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    runner = Runner(sim, retries=0)
    message = runner.failed(DET_USER_INFO)
    assert "no credentials are given" in message
    assert "token missing" in message


def test_a_user_without_a_password_is_an_error(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DET_PASS", raising=False)
    assert "no password is given" in Runner(sim, auth_username="admin").failed(DET_USER_INFO)
    assert sim.journal == []


def test_a_wrong_password_costs_one_call_and_shows_nothing(runner: t.Callable[..., Runner], sim: Simulator) -> None:
    message = runner(auth_password="wrong-Passw0rd").failed(DET_USER_INFO)
    assert "refuses the login of 'admin'" in message
    assert "wrong-Passw0rd" not in message
    assert calls(sim, "POST", "/api/v1/auth/login") == 1


def test_options_go_before_the_environment(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DET_USER_TOKEN", "v2.public.not-a-token")
    runner = Runner(sim)
    runner.ok(DET_USER_INFO)
    runner.close()


def test_a_token_goes_before_a_password(sim: Simulator) -> None:
    runner = Runner(sim, auth_token=sim.login(), auth_username="admin", auth_password="wrong")
    runner.ok(DET_USER_INFO)
    assert calls(sim, "POST", "/api/v1/auth/login") == 0


def test_a_token_that_is_not_accepted(sim: Simulator) -> None:
    runner = Runner(sim, auth_token="v2.public.CANARYCANARYCANARYCANARY")
    result = runner(DET_USER_INFO)
    assert "auth_token is not accepted" in result["msg"]
    assert result["failure"]["status"] == 401
    assert "CANARY" not in str(result)


def test_a_token_with_a_line_break_is_not_sent(sim: Simulator) -> None:
    message = Runner(sim, auth_token="v2.public.CANARY\nX-Evil: 1").failed(DET_USER_INFO)
    assert message.startswith("auth_token holds a blank, a line break")
    assert "CANARY" not in message
    assert sim.journal == []


@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_an_access_token_that_has_ended(run: Runner, sim: Simulator, tmp_path: pathlib.Path, how: str) -> None:
    made = run.ok(DET_TOKEN, user="admin", description="ci")
    runner = Runner(sim, auth_token=made["token_value"])
    runner.ok(DET_USER_INFO)
    if how == "revoked":
        run.ok(DET_TOKEN, user="admin", description="ci", state="absent")
    else:
        sim.master.sessions[made["token"]["id"]].expiry -= datetime.timedelta(days=400)
    message = runner.failed(DET_USER_INFO)
    assert ("user access token revoked" if how == "revoked" else "invalid credentials") in message
    assert "auth_token is not accepted: it may have expired, been revoked" in message
    assert made["token_value"] not in message


def test_the_token_of_a_user_who_is_deactivated_in_mid_run(run: Runner, sim: Simulator) -> None:
    run.ok(DET_USER, **NEW, admin=True)
    runner = Runner(sim, auth_username="carol", auth_password="Passw0rd-carol")
    runner.ok(DET_USER_INFO)
    sim.master.user_by_name("carol").active = False
    assert "user does not have permission (it says so to a deactivated user, too)" in runner.failed(DET_USER_INFO)


def test_an_inactive_user_cannot_log_in(run: Runner, sim: Simulator) -> None:
    run.ok(DET_USER, **NEW, active=False)
    other = Runner(sim, auth_username="carol", auth_password="Passw0rd-carol")
    assert "refuses the login of 'carol': user is not active" in other.failed(DET_USER_INFO)


def test_no_permission_gives_the_servers_words(run: Runner, sim: Simulator) -> None:
    run.ok(DET_USER, **NEW)
    other = Runner(sim, auth_username="carol", auth_password="Passw0rd-carol")
    result = other(DET_USER, username="dave", password="Passw0rd-dave")
    assert result["failure"]["status"] == 403
    assert "only admin privileged users can create users" in result["msg"]
    other.close()


def test_a_session_that_the_master_ended_is_renewed_once(run: Runner, sim: Simulator) -> None:
    run.ok(DET_USER_INFO)
    sim.master.sessions.clear()
    run.ok(DET_USER_INFO)
    assert calls(sim, "POST", "/api/v1/auth/login") == 2


def test_forks_whose_shared_session_the_master_ended_log_in_once_more(sim: Simulator, tmp_path: pathlib.Path) -> None:
    options = {name: option.get("default") for name, option in CONNECTION_SPEC.items()}
    connection = Connection.resolve({**options, **ADMIN, "master": sim.url})
    forks = [Session(connection, folder=tmp_path) for _fork in range(3)]
    for expected in (1, 2):
        for fork in forks:
            fork.get("/api/v1/me")
        assert calls(sim, "POST", "/api/v1/auth/login") == expected
        sim.master.sessions.clear()
    forks[0].get("/api/v1/me")
    warnings: list[str] = []
    end_run(tmp_path, warnings.append)
    assert (sim.sessions(), warnings, list(tmp_path.glob("*.json"))) == ([], [], [])


def test_every_session_is_ended(run: Runner, sim: Simulator) -> None:
    run.ok(DET_USER_INFO)
    assert len(sim.sessions()) == 1
    run.close()
    assert sim.sessions() == []


def test_a_netrc_does_not_replace_the_token(
    run: Runner, sim: Simulator, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    run.ok(DET_USER_INFO)


def test_a_password_in_clear_to_another_machine_is_warned_about(sim: Simulator) -> None:
    runner = Runner(sim, auth_username="admin", auth_password="x")
    runner(DET_USER_INFO, master="http://192.0.2.1:1", timeout=0.01)
    assert any("in clear" in warning for warning in runner.warnings)


# -- no answer


def test_a_refused_connection(runner: t.Callable[..., Runner]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    result = runner()(DET_USER_INFO, master=f"127.0.0.1:{port}")
    assert result["msg"].startswith(f"The master at http://127.0.0.1:{port} cannot be reached: Connection refused")


def test_a_name_that_does_not_resolve(runner: t.Callable[..., Runner]) -> None:
    assert "cannot be reached" in runner().failed(DET_USER_INFO, master="no-such-host.invalid")


def test_a_read_that_hangs_ends_at_the_time_out(runner: t.Callable[..., Runner], sim: Simulator) -> None:
    sim.faults.add(Fault("hang", "GET", count=0))
    began = time.monotonic()
    message = runner(timeout=0.3).failed(DET_USER_INFO)
    assert "no answer within 0.3 s" in message
    assert time.monotonic() - began < 5


def test_a_read_is_tried_again_with_a_warning(runner: t.Callable[..., Runner], sim: Simulator) -> None:
    sim.faults.add(Fault("reset", "GET", "/users"))
    one = runner(retries=2)
    one.ok(DET_USER_INFO)
    assert len(one.warnings) == 1
    assert "trying again" in one.warnings[0]


@pytest.mark.parametrize("status", [502, 503, 504])
def test_an_unavailable_master_is_asked_again_only_for_reads(
    runner: t.Callable[..., Runner], sim: Simulator, status: int
) -> None:
    page = {"body": "<html>proxy</html>", "headers": {"Content-Type": "text/html"}}
    sim.faults.add(Fault("status", "GET", "/users", status=status, **page))
    runner(retries=2).ok(DET_USER_INFO)
    sim.faults.clear()
    sim.faults.add(Fault("status", "GET", "/users", status=status, count=0, **page))
    assert f"is not available, HTTP {status} after 2 tries" in runner(retries=1).failed(DET_USER_INFO)
    sim.faults.clear()
    sim.faults.add(Fault("status", "POST", "/users", status=status, count=0, **page))
    before = calls(sim, "POST", "/api/v1/users")
    message = runner(retries=2).failed(DET_USER, **NEW)
    assert calls(sim, "POST", "/api/v1/users") == before + 1
    assert "whether the master carried it out is not known" in message
    assert "no such user was created" in message


def test_500_is_never_tried_again(runner: t.Callable[..., Runner], sim: Simulator) -> None:
    body = {"error": {"code": 13, "reason": "Internal", "error": "something broke"}}
    sim.faults.add(Fault("status", "GET", "/users", status=500, body=body, count=0))
    result = runner(retries=3)(DET_USER_INFO)
    assert calls(sim, "GET", "/api/v1/users") == 1
    assert "something broke" in result["msg"]
    assert result["failure"] == {
        "method": "GET",
        "path": "/api/v1/users",
        "status": 500,
        "reason": "Internal",
        "message": "something broke",
        "attempts": 1,
    }


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_429_is_repeated_for_writes_too_after_the_time_that_it_names(
    runner: t.Callable[..., Runner], sim: Simulator, method: str
) -> None:
    sim.faults.add(Fault("status", method, "/users", status=429, headers={"Retry-After": "1"}))
    began = time.monotonic()
    one = runner(retries=1)
    one.ok(DET_USER, **NEW)
    assert 1 <= time.monotonic() - began < 4
    assert any("429" in warning for warning in one.warnings)


def test_a_request_id_is_passed_on(runner: t.Callable[..., Runner], sim: Simulator) -> None:
    headers = {"X-Request-Id": "abc-123"}
    sim.faults.add(Fault("status", "GET", "/users", status=500, body={"message": "no"}, headers=headers))
    assert runner()(DET_USER_INFO)["failure"]["request_id"] == "abc-123"


# -- answers that are none


@pytest.mark.parametrize("kind", ["html", "truncate", "shape", "cut"])
def test_what_is_not_an_answer_of_a_master(runner: t.Callable[..., Runner], sim: Simulator, kind: str) -> None:
    body = (
        {"body": "<html><body>Sign in</body></html>"}
        if kind == "html"
        else {"body": {"people": [1]}}
        if kind == "shape"
        else {}
    )
    sim.faults.add(Fault(kind, "GET", "/users", count=0, **body))
    result = runner()(DET_USER_INFO)
    assert result["failed"]
    expected = "cannot be reached" if kind == "cut" else "not one of a Determined master"
    assert expected in result["msg"]
    assert "Traceback" not in result["msg"]


def test_a_list_that_was_cut_short_is_no_list(runner: t.Callable[..., Runner], sim: Simulator) -> None:
    user = {"id": 1, "username": "admin"}
    sim.faults.add(Fault("shape", "GET", "/users", body={"users": [user], "pagination": {"total": 7}}))
    assert "1 objects arrived, but the master says that there are 7" in runner().failed(DET_USER_INFO)


def test_something_that_is_no_master_at_all(runner: t.Callable[..., Runner], sim: Simulator) -> None:
    sim.faults.add(Fault("html", ".*", "", count=0, body="<html>router</html>"))
    assert "Is this a Determined master" in runner().failed(DET_USER_INFO)


def test_a_master_that_does_not_know_the_call(runner: t.Callable[..., Runner], sim: Simulator) -> None:
    body = {"error": {"code": 12, "reason": "Unimplemented", "error": "Not Implemented"}}
    sim.faults.add(Fault("status", "GET", "/users", status=501, body=body, count=0))
    assert "may be too old or too new" in runner().failed(DET_USER_INFO)


def test_a_redirect_to_another_host_gets_no_token(runner: t.Callable[..., Runner], sim: Simulator) -> None:
    sim.faults.add(
        Fault("status", "GET", "/users", status=302, headers={"Location": "https://evil.example/api"}, count=0)
    )
    message = runner().failed(DET_USER_INFO)
    assert "redirects to https://evil.example" in message


def test_a_redirect_on_the_same_host_is_followed_for_reads_only(
    runner: t.Callable[..., Runner], sim: Simulator
) -> None:
    target = {"Location": "/api/v1/users"}
    sim.faults.add(Fault("status", "GET", "/users$", status=307, headers=target))
    assert runner().ok(DET_USER_INFO)["total"] == 2
    sim.faults.add(Fault("status", "POST", "/users$", status=307, headers=target))
    assert "redirects to" in runner().failed(DET_USER, **NEW)


# -- writes whose fate is unclear


def test_a_write_whose_answer_is_lost_is_sent_once_and_found_done(
    runner: t.Callable[..., Runner], sim: Simulator
) -> None:
    sim.faults.add(Fault("lost", "POST", "/api/v1/users$"))
    one = runner(retries=3)
    result = one.ok(DET_USER, **NEW)
    assert result["changed"]
    assert result["user"]["id"] == sim.master.user_by_name("carol").id
    assert calls(sim, "POST", "/api/v1/users") == 1
    assert any("Read again: the user is as declared" in warning for warning in one.warnings)


def test_a_write_that_never_arrived_is_sent_once_and_says_so(runner: t.Callable[..., Runner], sim: Simulator) -> None:
    sim.faults.add(Fault("reset", "POST", "/api/v1/users$"))
    message = runner(retries=3).failed(DET_USER, **NEW)
    assert "its answer was lost" in message
    assert "no such user was created" in message
    assert calls(sim, "POST", "/api/v1/users") == 1


def test_an_answer_to_a_write_that_is_garbage_is_checked(runner: t.Callable[..., Runner], sim: Simulator) -> None:
    sim.faults.add(Fault("truncate", "POST", "/api/v1/users$"))
    assert runner().ok(DET_USER, **NEW)["user"]["username"] == "carol"


def test_a_conflict_that_the_server_calls_500_is_an_existing_user(
    runner: t.Callable[..., Runner], sim: Simulator
) -> None:
    """Someone else creates the user between our read and our write."""
    nothing = {"error": {"code": 5, "reason": "NotFound", "error": "user not found"}}
    sim.faults.add(Fault("status", "GET", "/dora/", status=404, body=nothing))
    other = runner()
    other.ok(DET_USER, username="eve", password="Passw0rd-eve")
    sim.master.user_by_name("eve").username = "dora"
    one = runner()
    result = one.ok(DET_USER, username="dora", password="Passw0rd-dora", display_name="Dora")
    assert result["changed"]
    assert sim.master.user_by_name("dora").display_name == "Dora"


def test_an_object_removed_between_read_and_write(runner: t.Callable[..., Runner], sim: Simulator) -> None:
    one = runner()
    one.ok(DET_USER, **NEW)
    gone = {"error": {"code": 5, "reason": "NotFound", "error": "user not found"}}
    sim.faults.add(Fault("status", "PATCH", "/users/", status=404, body=gone))
    sim.faults.add(Fault("status", "GET", "/carol/", status=404, body=gone, nth=2))
    message = one.failed(DET_USER, username="carol", display_name="C")
    assert "the user is gone, removed by someone else" in message


def test_a_change_that_can_be_neither_confirmed_nor_denied(runner: t.Callable[..., Runner], sim: Simulator) -> None:
    one = runner()
    one.ok(DET_USER, **NEW)
    sim.faults.add(Fault("lost", "PATCH", "/users/"))
    sim.faults.add(Fault("reset", "GET", "/carol/", nth=2, count=0))
    message = one.failed(DET_USER, username="carol", display_name="C")
    assert "Reading again did not tell either" in message


# -- TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def serve_tls(folder: pathlib.Path, certificate: trustme.LeafCert) -> Simulator:
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    key.write_bytes(certificate.private_key_pem.bytes())
    return Simulator(fixture="empty", tls_cert=str(chain), tls_key=str(key))


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: pathlib.Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def test_a_certificate_of_a_named_authority(authority: trustme.CA, trusted: str, tmp_path: pathlib.Path) -> None:
    with serve_tls(tmp_path, authority.issue_cert("127.0.0.1")) as sim:
        runner = Runner(sim, **ADMIN, ca_cert=trusted)
        runner.ok(DET_USER_INFO)
        runner.close()


def test_a_sites_own_authority_as_requests_is_told_of_it(
    authority: trustme.CA, trusted: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", trusted)
    with serve_tls(tmp_path, authority.issue_cert("127.0.0.1")) as sim:
        runner = Runner(sim, **ADMIN)
        runner.ok(DET_USER_INFO)
        runner.close()


def test_an_unknown_authority(authority: trustme.CA, tmp_path: pathlib.Path) -> None:
    with serve_tls(tmp_path, authority.issue_cert("127.0.0.1")) as sim:
        message = Runner(sim, **ADMIN).failed(DET_USER_INFO)
    assert "certificate" in message
    assert "ca_cert" in message


def test_verification_can_be_switched_off(
    authority: trustme.CA, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_tls(tmp_path, authority.issue_cert("127.0.0.1")) as sim:
        monkeypatch.setenv(
            "REQUESTS_CA_BUNDLE", ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"
        )
        runner = Runner(sim, **ADMIN, validate_certs=False)
        runner.ok(DET_USER_INFO)
        monkeypatch.setenv("DET_MASTER_CERT_FILE", "noverify")
        runner.ok(DET_USER_INFO, validate_certs=None)
        runner.close()


def test_an_expired_certificate(authority: trustme.CA, trusted: str, tmp_path: pathlib.Path) -> None:
    ended = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    certificate = authority.issue_cert("127.0.0.1", not_before=ended - datetime.timedelta(days=9), not_after=ended)
    with serve_tls(tmp_path, certificate) as sim:
        assert "expired" in Runner(sim, **ADMIN, ca_cert=trusted).failed(DET_USER_INFO)


def test_a_certificate_of_another_name(authority: trustme.CA, trusted: str, tmp_path: pathlib.Path) -> None:
    with serve_tls(tmp_path, authority.issue_cert("master.example")) as sim:
        assert "cert_name" in Runner(sim, **ADMIN, ca_cert=trusted).failed(DET_USER_INFO)
        runner = Runner(sim, **ADMIN, ca_cert=trusted, cert_name="master.example")
        runner.ok(DET_USER_INFO)
        runner.close()


def test_a_missing_certificate_file(run: Runner) -> None:
    assert run.failed(DET_USER_INFO, ca_cert="/nowhere/ca.pem").startswith("ca_cert is '/nowhere/ca.pem'")


@pytest.mark.parametrize(
    ("option", "value"),
    [("timeout", 0), ("timeout", -1), ("timeout", "inf"), ("timeout", "nan"), ("timeout", 1e10), ("retries", -1)],
)
def test_limits_out_of_range(run: Runner, option: str, value: int | float | str) -> None:
    shown = value if isinstance(value, str) else f"{value:g}"
    assert run.failed(DET_USER_INFO, **{option: value}).startswith(f"{option} is {shown}")
