# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OAuth client of SCIM, against the simulated master."""

from __future__ import annotations

import json
import pathlib
import stat
import typing as t

import pytest

from ansible_collections.determined.ai.plugins.module_utils._engine.compare import compare
from ansible_collections.determined.ai.plugins.module_utils._kinds.oauth_client import OAUTH_CLIENT
from ansible_collections.determined.ai.plugins.modules.det_oauth_client import OPERATION
from ansible_collections.determined.ai.plugins.modules.det_oauth_client_info import OPERATION as INFO
from tests.simulator import Fault, Simulator
from tests.unit.conftest import Runner

OKTA = {"name": "okta", "domain": "https://sso.example.com"}
CLIENTS = "/oauth2/clients"
NONE_HERE = "This master has no OAuth clients: only one whose config has scim.enabled, and oauth as scim.auth.type"


def writes(sim: Simulator) -> list[str]:
    """The verbs that the journal holds beside reads and logins."""
    return [entry.method for entry in sim.journal if entry.method != "GET" and "/auth/" not in entry.path]


def held(sim: Simulator) -> dict[str, str]:
    """The one client of the master."""
    [row] = sim.master.oauth_clients.values()
    return row


def known(client: dict[str, t.Any] | None) -> dict[str, t.Any] | None:
    """The client without what only the server makes."""
    return None if client is None else {**client, "id": None}


@pytest.fixture(autouse=True)
def scim(sim: Simulator) -> None:
    """The master's SCIM uses OAuth."""
    sim.master.config["scim"] = {"enabled": True, "auth": {"type": "oauth"}}


def test_create_same_again_remove_remove_again(sim: Simulator, run: Runner) -> None:
    predicted = run.ok(OPERATION, check=True, **OKTA)
    assert "client_secret" not in predicted
    assert sim.master.oauth_clients == {}
    result = run.ok(OPERATION, **OKTA)
    assert result["oauth_client"] == {"id": held(sim)["id"], **OKTA}
    assert predicted["oauth_client"] == known(result["oauth_client"])
    assert (result["reason"], result["recreated"]) == ("there is no such client", False)
    secret = result.pop("client_secret")
    assert secret == held(sim)["secret"]
    assert secret not in json.dumps(result)
    assert result["diff"]["after"]["client_secret"] == "******** (changed)"
    again = run.ok(OPERATION, **OKTA)
    assert (again["changed"], again["oauth_client"], again["requests"]) == (False, result["oauth_client"], 1)
    assert "client_secret" not in again

    predicted = run.ok(OPERATION, check=True, name="okta", state="absent")
    assert len(sim.master.oauth_clients) == 1
    gone = run.ok(OPERATION, name="okta", state="absent")
    assert (gone["changed"], gone["oauth_client"], gone["diff"]) == (True, None, predicted["diff"])
    assert sim.master.oauth_clients == {}
    last = run.ok(OPERATION, name="okta", state="absent")
    assert (last["changed"], last["requests"]) == (False, 1)


def test_a_file_holds_id_and_secret(sim: Simulator, run: Runner, tmp_path: pathlib.Path) -> None:
    dest = tmp_path / "client"
    options = {**OKTA, "dest": str(dest)}
    predicted = run.ok(OPERATION, check=True, **options)
    assert not dest.exists()
    result = run.ok(OPERATION, **options)
    assert known(result["oauth_client"]) == predicted["oauth_client"]
    assert result["oauth_client"]["dest"] == str(dest)
    assert "client_secret" not in result
    assert held(sim)["secret"] not in json.dumps(result)
    assert json.loads(dest.read_text()) == {"client_id": held(sim)["id"], "client_secret": held(sim)["secret"]}
    assert stat.S_IMODE(dest.stat().st_mode) == 0o600
    again = run.ok(OPERATION, **options)
    assert (again["changed"], again["oauth_client"], again["requests"]) == (False, result["oauth_client"], 1)

    dest.chmod(0o640)
    sim.journal.clear()
    mended = run.ok(OPERATION, **options)
    assert (mended["changed"], mended["oauth_client"]) == (True, result["oauth_client"])
    assert writes(sim) == []
    assert stat.S_IMODE(dest.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "dest does not exist"),
        ("", "dest is empty"),
        ('{"client_id": "abc", "client_secret": "def"}', "dest holds another client, abc"),
    ],
)
def test_a_client_that_the_file_does_not_hold_is_replaced(
    sim: Simulator, run: Runner, tmp_path: pathlib.Path, content: str | None, reason: str
) -> None:
    old = run.ok(OPERATION, **OKTA)["oauth_client"]
    dest = tmp_path / "client"
    if content is not None:
        dest.write_text(content)
        dest.chmod(0o600)
    predicted = run.ok(OPERATION, check=True, **OKTA, dest=str(dest))
    assert held(sim)["id"] == old["id"]
    sim.journal.clear()
    result = run.ok(OPERATION, **OKTA, dest=str(dest))
    assert (result["reason"], result["recreated"]) == (predicted["reason"], predicted["recreated"]) == (reason, True)
    assert known(result["oauth_client"]) == predicted["oauth_client"]
    assert writes(sim) == ["DELETE", "POST"]
    assert held(sim)["id"] != old["id"]
    assert json.loads(dest.read_text())["client_secret"] == held(sim)["secret"]
    assert not run.ok(OPERATION, **OKTA, dest=str(dest))["changed"]


def test_another_domain_takes_another_client(sim: Simulator, run: Runner) -> None:
    old = run.ok(OPERATION, **OKTA)["oauth_client"]
    predicted = run.ok(OPERATION, check=True, name="okta", domain="https://new.example.com")
    result = run.ok(OPERATION, name="okta", domain="https://new.example.com")
    assert result["reason"] == "its domain is 'https://sso.example.com', and a client can't be edited"
    assert known(result["oauth_client"]) == predicted["oauth_client"]
    assert result["oauth_client"]["domain"] == "https://new.example.com"
    assert result["oauth_client"]["id"] != old["id"]
    assert result["client_secret"] == held(sim)["secret"]
    assert not run.ok(OPERATION, name="okta", domain="https://new.example.com")["changed"]


@pytest.mark.parametrize("check", [True, False])
def test_there_is_room_for_one(sim: Simulator, run: Runner, check: bool) -> None:
    run.ok(OPERATION, **OKTA)
    message = run.failed(OPERATION, check=check, name="other", domain="x")
    assert message.startswith("name is 'other': the master keeps one OAuth client, and has 'okta' already")
    assert not run.ok(OPERATION, check=check, name="other", state="absent")["changed"]
    assert len(sim.master.oauth_clients) == 1


def test_a_master_without_any(sim: Simulator, run: Runner) -> None:
    sim.master.config["scim"] = {"enabled": True, "auth": {"type": "basic", "username": "u", "password": "p"}}
    for check in (True, False):
        assert run.failed(OPERATION, check=check, **OKTA).startswith(NONE_HERE)
    assert not run.ok(OPERATION, name="okta", state="absent")["changed"]
    read = run.ok(INFO)
    assert (read["oauth_clients"], read["total"]) == ([], 0)
    assert run.warnings[0].startswith(NONE_HERE)
    task = run.task(OAUTH_CLIENT, **OKTA)
    assert OAUTH_CLIENT.read_all(task.session, task.names) == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"name": "okta"}, "state is present but all of the following are missing: domain"),
        ({"name": " ", "domain": "x"}, "name is empty"),
        ({"name": "okta", "domain": ""}, "domain is empty"),
        ({**OKTA, "dest": "relative/"}, "it must be the absolute path of a file"),
        ({**OKTA, "dest": "/tmp/x", "dest_mode": "0644"}, "it would let everybody on the host at the secret"),
        ({**OKTA, "dest_owner": "root"}, "missing parameter(s) required by 'dest_owner': dest"),
    ],
)
def test_what_is_refused_before_any_call(sim: Simulator, run: Runner, options: dict[str, t.Any], sentence: str) -> None:
    assert sentence in run.failed(OPERATION, **options)
    assert sim.journal == []


def test_a_file_with_something_else_is_not_overwritten(sim: Simulator, run: Runner, tmp_path: pathlib.Path) -> None:
    dest = tmp_path / "client"
    for content in ("my diary", "[]", '{"client_id": "x"}'):
        dest.write_text(content)
        for check in (True, False):
            assert "it holds something else than an OAuth client" in run.failed(
                OPERATION, check=check, **OKTA, dest=str(dest)
            )
        assert dest.read_text() == content
    assert sim.master.oauth_clients == {}


def test_without_the_right(sim: Simulator, run: Runner) -> None:
    user = sim.master.add_user("plain", active=True)
    other = Runner(sim, auth_token=sim.login(user.username))
    for operation, options in ((OPERATION, OKTA), (INFO, {})):
        assert "non-admin users may not view or modify oauth clients" in other.failed(operation, **options)
    other.close()


def test_an_answer_with_a_secret_that_is_lost_leaves_no_client(sim: Simulator, run: Runner) -> None:
    sim.faults.add(Fault("lost", method="POST", path=CLIENTS))
    message = run.failed(OPERATION, **OKTA)
    assert "is of no use, and it has been deleted." in message
    assert sim.master.oauth_clients == {}
    sim.faults.add(Fault("reset", method="POST", path=CLIENTS))
    assert "/oauth2/clients" in run.failed(OPERATION, **OKTA)
    sim.faults.add(Fault("lost", method="POST", path=CLIENTS))
    sim.faults.add(Fault("status", method="DELETE", path=CLIENTS, status=500, body={"message": "disk full"}))
    message = run.failed(OPERATION, **OKTA)
    assert "is of no use, and it could not be deleted" in message
    assert "disk full" in message


def test_a_client_that_could_not_be_made_anew_is_told(sim: Simulator, run: Runner) -> None:
    old = run.ok(OPERATION, **OKTA)["oauth_client"]
    sim.faults.add(Fault("status", method="POST", path=CLIENTS, status=500, body={"message": "disk full"}))
    message = run.failed(OPERATION, name="okta", domain="x")
    assert "disk full" in message
    assert f"The client {old['id']} that was there before is gone." in message
    assert run.ok(OPERATION, name="okta", domain="x")["changed"]


def test_a_file_that_could_not_be_written(sim: Simulator, run: Runner, tmp_path: pathlib.Path) -> None:
    message = run.failed(OPERATION, **OKTA, dest=str(tmp_path / "no" / "such"))
    assert "it can't be written" in message
    assert sim.master.oauth_clients == {}, "there is no client whose secret is lost"


def test_a_removal_whose_answer_is_lost_is_settled_by_reading(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, **OKTA)
    sim.faults.add(Fault("lost", method="DELETE", path=CLIENTS))
    assert run.ok(OPERATION, name="okta", state="absent")["changed"]
    assert "Read again: the oauth_client is as declared." in run.warnings[0]


def test_reading(sim: Simulator, run: Runner) -> None:
    assert run.ok(INFO)["oauth_clients"] == []
    assert run.warnings == []
    made = run.ok(OPERATION, **OKTA)["oauth_client"]
    read = run.ok(INFO)
    assert (read["oauth_clients"], read["total"], read["requests"]) == ([made], 1, 1)
    assert run.ok(INFO, name="okta")["total"] == 1
    assert run.ok(INFO, name="Okta")["total"] == 0
    assert "limit is 0" in run.failed(INFO, limit=0)


def test_a_client_declares_itself(run: Runner) -> None:
    run.ok(OPERATION, **OKTA)
    task = run.task(OAUTH_CLIENT, **OKTA)
    [live] = OAUTH_CLIENT.read_all(task.session, task.names)
    assert OAUTH_CLIENT.declaration(live, task.names) == OKTA
    assert OAUTH_CLIENT.left_out(live) == ("dest",)
    assert OAUTH_CLIENT.key(task.options) == OAUTH_CLIENT.key_of(live, task.names) == "okta"
    assert compare(OAUTH_CLIENT, live, OAUTH_CLIENT.wanted(task, live)).action == "none"
