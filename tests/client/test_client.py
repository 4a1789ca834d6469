# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The official client (`determined` 0.38.1) works against the simulated master as against a real one."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import typing as t
from collections.abc import Callable, Iterator

import pytest

from tests.simulator import Simulator
from tests.simulator.fixtures import INITIAL_PASSWORD

CLIENT = pathlib.Path(os.environ.get("DETERMINED_CLIENT", pathlib.Path(__file__).parents[2] / ".venv-client"))
PASSWORD = "Contract-1"

pytestmark = pytest.mark.skipif(
    not (CLIENT / "bin" / "det").exists(), reason=f"the official client is not in {CLIENT}; `make pytest` installs it"
)

Det = Callable[..., str]


@pytest.fixture(params=["basic", "rbac"])
def sim(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    """A small cluster; the mode that a test does not name is basic."""
    with Simulator("demo", request.param) as simulator:
        yield simulator


def only(mode: str) -> pytest.MarkDecorator:
    """Run a test in one authorisation mode: a command of the client takes more than a second."""
    return pytest.mark.parametrize("sim", [mode], indirect=True)


@pytest.fixture
def environment(sim: Simulator, tmp_path: pathlib.Path) -> dict[str, str]:
    """Variables for a client without a past, logging in as the administrator."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DET_", "PYTHON", "COVERAGE"))}
    found = {"DET_MASTER": sim.url, "DET_USER": "admin", "DET_PASS": INITIAL_PASSWORD, "HOME": str(tmp_path)}
    return {**kept, **found, "no_proxy": "*"}


@pytest.fixture
def det(environment: dict[str, str], tmp_path: pathlib.Path) -> Det:
    """Run `det` with these arguments; it must succeed. Returns what it printed."""

    def run(*arguments: str, fails: bool = False) -> str:
        done = subprocess.run(
            [CLIENT / "bin" / "det", *arguments],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode != 0) == fails, f"det {' '.join(arguments)}\n{done.stdout}{done.stderr}"
        return done.stdout + (done.stderr if fails else "")

    return run


def refused(sim: Simulator) -> list[t.Any]:
    """The requests that a master answered with an error."""
    return [entry for entry in sim.journal if entry.status >= 400]


@only("basic")
def test_users(sim: Simulator, det: Det) -> None:
    det("user", "create", "cli-user", "--password", PASSWORD)
    det("user", "edit", "cli-user", "--display-name", "Cli User", "--admin", "true")
    det("user", "link-with-agent-user", "cli-user", "--agent-uid", "10", "--agent-gid", "11", "--agent-user", "u",
        "--agent-group", "g")  # fmt: skip
    det("user", "rename", "cli-user", "cli-user2")
    det("user", "deactivate", "cli-user2")
    row = next(line for line in det("user", "list", "--all").splitlines() if "cli-user2" in line)
    assert [cell.strip() for cell in row.split("|")][1:5] == ["cli-user2", "Cli User", "True", "False"]
    user = sim.master.user_by_name("cli-user2")
    assert user is not None
    assert user.agent is not None
    assert (user.admin, user.active, user.agent.uid) == (True, False, 10)
    assert "already exists" in det("user", "create", "cli-user2", "--password", PASSWORD, fails=True)


@only("rbac")
def test_tokens(sim: Simulator, det: Det) -> None:
    made = det("token", "create", "admin", "--expiration-days", "5", "--description", "cli")
    number = max(sim.master.sessions)
    assert str(number) in made
    assert "cli" in det("token", "list", "admin")
    det("token", "edit", str(number), "--description", "edited")
    assert sim.master.sessions[number].description == "edited"
    det("token", "revoke", str(number))
    assert "edited" not in det("token", "list", "admin")
    assert refused(sim) == []


@only("basic")
def test_templates(sim: Simulator, det: Det, tmp_path: pathlib.Path) -> None:
    (tmp_path / "one.yaml").write_text("resources:\n  slots_per_trial: 2\n", encoding="utf-8")
    (tmp_path / "two.yaml").write_text("max_restarts: 3\n", encoding="utf-8")
    det("template", "set", "cli-template", "one.yaml")
    assert "slots_per_trial: 2" in det("template", "describe", "cli-template")
    det("template", "set", "cli-template", "two.yaml")
    assert "cli-template" in det("template", "list")
    assert sim.master.templates["cli-template"].config == {"max_restarts": 3}
    det("template", "remove", "cli-template")
    assert "cli-template" not in sim.master.templates


@only("rbac")
def test_experiments(sim: Simulator, det: Det) -> None:
    finished = next(
        row
        for row in sim.master.experiments.values()
        if row.state == "COMPLETED" and not row.archived and row.trial_ids
    )
    number = str(finished.id)
    assert number in det("experiment", "list", "--all")
    det("experiment", "archive", number)
    assert finished.archived
    det("experiment", "unarchive", number)
    det("experiment", "label", "add", number, "cli")
    assert "cli" in finished.labels
    det("experiment", "set", "description", number, "by the client")
    described = json.loads(det("experiment", "describe", number, "--json"))
    assert described[0]["config"]["description"] == "by the client"
    assert str(finished.trial_ids[0]) in det("experiment", "list-trials", number)


@only("basic")
def test_models(sim: Simulator, det: Det) -> None:
    det("model", "create", "cli-model")
    assert "cli-model" in det("model", "list")
    assert "cli-model" in det("model", "describe", "cli-model")
    assert [row.name for row in sim.master.models.values()].count("cli-model") == 1
    assert refused(sim) == []


@only("basic")
def test_cluster(det: Det, sim: Simulator) -> None:
    assert "0.38.1" in det("master", "info")
    assert "admin" in det("user", "whoami")
    assert refused(sim) == []


def test_sdk(sim: Simulator, environment: dict[str, str]) -> None:
    """The Python SDK, in one script (session.py) that prints what it read."""
    done = subprocess.run(
        [CLIENT / "bin" / "python", pathlib.Path(__file__).with_name("session.py")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    archived = next(row for row in sim.master.experiments.values() if row.archived)
    assert found["user"] == ["admin", "SDK", True]
    assert found["users"] == len(sim.master.users)
    assert found["experiments"] == len(sim.master.experiments)
    assert found["archived"] == [archived.id, True, False, True]
    assert found["labels"] == sorted(archived.labels)
    assert "sdk" in found["labels"]
    assert found["model"] == ["other", {"a": 1, "b": 2}, ["l"], True]
    assert found["models"] == sorted(row.name for row in sim.master.models.values())
    assert found["checkpoint"] == ["COMPLETED", True]
    assert found["workspaces"] == sorted(row.name for row in sim.master.workspaces.values())
    assert refused(sim) == []
