# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The master's log, against the simulated master."""

from __future__ import annotations

import json
import typing as t
from datetime import UTC, datetime

import pytest

from ansible_collections.determined.ai.plugins.modules.det_master_log_info import OPERATION
from tests.simulator import Fault, Simulator
from tests.unit.conftest import Runner

# As a running 0.38.1 master under RBAC wrote it.
DENIED = (
    'RBAC Audit Logs  endpoint="/determined.api.v1.Determined/PatchUser" permissionGranted="false" permissionsRequired="['
    'operation on type user requires the following permissions: [PERMISSION_TYPE_ADMINISTRATE_USER]]" userID="9" username="hugo"'
)
LINES = [
    ("INFO", "accepting incoming connections"),
    ("WARNING", "Disk almost FULL"),
    ("ERROR", "db: postgres://det:CANARY-db-password@db:5432 refused"),
    ("INFO", DENIED),
    ("DEBUG", 'asked for permissionGranted="false"'),
]


@pytest.fixture
def log(sim: Simulator) -> list[tuple[datetime, str, str]]:
    """The simulated master's log: its configuration, and five entries."""
    when = datetime(2026, 1, 15, 10, 0, 0, 123456, tzinfo=UTC)
    lines = sim.master.log_lines
    del lines[1:]
    lines += [(when, f"LOG_LEVEL_{level}", text) for level, text in LINES]
    return lines


def ids(result: dict[str, t.Any]) -> list[int]:
    """The numbers of the entries."""
    return [entry["id"] for entry in result["master_logs"]]


@pytest.mark.parametrize(
    ("options", "expected", "total"),
    [
        ({}, [5, 4, 3, 2, 1, 0], 6),
        ({"limit": 2}, [5, 4], 6),
        ({"limit": 2, "offset": 3}, [2, 1], 6),
        ({"limit": 9, "offset": 4}, [1, 0], 6),
        ({"limit": 9, "offset": 7}, [], 6),
        ({"offset": 5}, [0], 6),
        ({"levels": ["warning", "error"]}, [3, 2], 2),
        ({"levels": ["warning", "error"], "limit": 1, "offset": 1}, [2], 2),
        ({"contains": "almost full"}, [2], 1),
        ({"contains": "%"}, [], 0),
        ({"contains": "Patch", "levels": ["error"]}, [], 0),
        ({"rbac_denied": True}, [4], 1),
        ({"rbac_denied": True, "contains": "other"}, [], 0),
    ],
)
def test_which_entries(log: t.Any, run: Runner, options: dict[str, t.Any], expected: list[int], total: int) -> None:
    result = run.ok(OPERATION, **options)
    assert ids(result) == expected
    assert (result["total"], result["requests"], result["changed"]) == (total, 1, False)


def test_an_entry(log: t.Any, run: Runner) -> None:
    entry = run.ok(OPERATION, contains="disk")["master_logs"][0]
    assert entry == {
        "id": 2,
        "level": "warning",
        "message": "Disk almost FULL",
        "timestamp": "2026-01-15T10:00:00.123456Z",
    }


def test_only_the_end_is_read_where_only_it_is_asked_for(sim: Simulator, log: t.Any, run: Runner) -> None:
    run.ok(OPERATION, limit=2, offset=1)
    run.ok(OPERATION, limit=2, levels=["info"])
    queries = [entry.query for entry in sim.journal if entry.path.endswith("/logs")]
    assert queries == ["offset=-3", "offset=0"]


def test_secrets_are_masked(demo: Simulator, run_demo: Runner) -> None:
    assert "CANARY" in demo.master.log_lines[0][2]
    demo.master.log_lines += [(demo.master.now(), "LOG_LEVEL_ERROR", text) for _level, text in LINES]
    result = run_demo.ok(OPERATION)
    assert "CANARY" not in str(result)
    message = result["master_logs"][-1]["message"]
    assert message.startswith("master configuration: {")
    config = json.loads(message.removeprefix("master configuration: "))
    assert config["webhooks"]["signing_key"] == "********"
    assert config["oidc"]["client_secret"] == "********"
    assert config["cluster_name"] == "demo"
    assert any("postgres://det:********@db:5432 refused" in entry["message"] for entry in result["master_logs"])
    # Nor can a secret be guessed by asking for it.
    assert run_demo.ok(OPERATION, contains="CANARY-oidc")["total"] == 0
    assert run_demo.ok(OPERATION, contains="master configuration")["total"] == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("master configuration: {broken CANARY", "master configuration: ********"),
        ("config is CANARY", "********"),
        (
            'master configuration: {"a": 1, "webhooks": {"signing_key": "CANARY"}}  password="CANARY"',
            'master configuration: {"a": 1, "webhooks": {"signing_key": "********"}}  password="********"',
        ),
    ],
)
def test_a_first_entry_of_another_form_is_masked_too(
    sim: Simulator, log: t.Any, run: Runner, text: str, shown: str
) -> None:
    log[0] = (sim.master.now(), "LOG_LEVEL_INFO", text)
    assert run.ok(OPERATION)["master_logs"][-1]["message"] == shown


def test_a_log_that_has_lost_its_beginning(sim: Simulator, run: Runner) -> None:
    lines = [{"result": {"logEntry": {"id": 99999, "message": "x", "level": "LOG_LEVEL_INFO"}}}]
    sim.faults.add(Fault("shape", path="/logs$", body="\n".join(map(json.dumps, lines))))
    result = run.ok(OPERATION, limit=1)
    assert (ids(result), result["total"]) == ([99999], 25000)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ('{"result": {"logEntry": {"id": 1}}}\n{"error": {"message": "it broke", "httpCode": 500}}', "it broke"),
        ('{"result": {"logEntry": {"id": 1}}}\n{"resu', "a line of it is not JSON"),
        ('["x"]', "a line of it is no entry"),
        ('{"result": {"logEntry": {"id": "x"}}}', "an entry of the log expected"),
    ],
)
def test_a_stream_that_breaks_off_is_a_failure(sim: Simulator, run: Runner, body: str, sentence: str) -> None:
    sim.faults.add(Fault("shape", path="/logs$", body=body))
    assert sentence in run.failed(OPERATION)


def test_what_is_refused_before_any_call(sim: Simulator, run: Runner) -> None:
    assert "limit is 0" in run.failed(OPERATION, limit=0)
    assert "offset is -1" in run.failed(OPERATION, offset=-1)
    assert sim.journal == []


def test_without_the_right_to_it() -> None:
    with Simulator(fixture="demo", authz="rbac") as rbac:
        runner = Runner(rbac, auth_username="hugo.martin", auth_password="Passw0rd-demo")
        result = runner(OPERATION)
        runner.close()
    assert result["failure"]["status"] == 403
    assert "PERMISSION_TYPE_VIEW_MASTER_LOGS" in result["msg"]
