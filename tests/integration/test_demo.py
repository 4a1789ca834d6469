# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`, on its own simulated master and on one that DET_MASTER names."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest

from tests.simulator import Fault, Simulator

from .conftest import CONNECTION, ROOT, connection_to

PREFIX = "det-demo-"

pytestmark = pytest.mark.once


class Demo:
    """Runs the demo with folders of its own for temporary files and the report."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.temporary, self.report = folder / "tmp", folder / "report" / "cluster"
        self.temporary.mkdir()

    def start(self, **environment: str) -> subprocess.Popen[str]:
        # Without coverage, which would measure nothing here that other tests do not.
        left_out = {*CONNECTION, "COVERAGE_PROCESS_CONFIG"}
        inherited = {name: value for name, value in os.environ.items() if name not in left_out}
        own = {"TMPDIR": str(self.temporary), "DET_DEMO_REPORT": str(self.report), "PYTHONUNBUFFERED": "1"}
        return subprocess.Popen(
            [sys.executable, "-m", "tests.demo"],
            cwd=ROOT,
            env={**inherited, **own, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, code: int = 0, **environment: str) -> str:
        process = self.start(**environment)
        output, _nothing = process.communicate(timeout=400)
        assert process.returncode == code, output
        return output

    def interrupt(self, at: str, number: signal.Signals, **environment: str) -> tuple[int, str]:
        """Send a signal as soon as the output says something, and wait for the end."""
        process = self.start(**environment)
        assert process.stdout is not None
        output = ""
        for line in process.stdout:
            output += line
            if at in line:
                process.send_signal(number)
                break
        rest, _nothing = process.communicate(timeout=200)
        return process.returncode, output + rest

    def processes(self) -> list[str]:
        """What still runs of it: whoever has inherited its TMPDIR."""
        mark = f"TMPDIR={self.temporary}\0".encode()
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if mark in (path / "environ").read_bytes():
                    found.append((path / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue
        return found

    def assert_nothing_left(self) -> None:
        assert self.processes() == []
        assert list(self.temporary.iterdir()) == []


@pytest.fixture
def demo(tmp_path: pathlib.Path) -> Demo:
    return Demo(tmp_path)


@pytest.fixture
def sim() -> Simulator:
    with Simulator(fixture="demo") as simulator:
        yield simulator


def others(sim: Simulator) -> list[object]:
    """What is on the master that is not the demo's."""
    master = sim.master
    return [
        {
            (user.username, user.active, user.display_name, user.admin)
            for user in master.users.values()
            if PREFIX not in user.username
        },
        {
            (row.id, row.name, row.archived, tuple(row.labels))
            for row in master.experiments.values()
            if PREFIX not in row.name
        },
        {(model.name, model.description) for model in master.models.values() if PREFIX not in model.name},
        {name for name in master.templates if PREFIX not in name},
    ]


def own(sim: Simulator) -> list[str]:
    """What is on the master that is the demo's, inactive users aside."""
    master = sim.master
    found = [user.username for user in master.users.values() if user.active]
    found += [row.name for row in [*master.experiments.values(), *master.models.values()]]
    return [name for name in [*found, *master.templates] if PREFIX in name]


@pytest.mark.skipif(not pathlib.Path("/proc/self/environ").exists(), reason="finds left processes through /proc")
def test_simulated(demo: Demo) -> None:
    output = demo.run()
    lines = output.splitlines()
    # But for paths, which can be of any length.
    assert max(len(line) for line in lines if str(demo.report.parent.parent) not in line) <= 100
    assert "\033" not in output
    assert "    + lena.vogel" in lines
    assert "    ~ summaries" in lines
    assert 'description: "ResNet family" -> ' in output
    plan, applied, again = (
        next(line for line in lines if line.startswith(f"  {title} ")).split()[len(title.split()) :]
        for title in ("plan", "apply  ", "apply again")
    )
    # Objects changed, what Ansible says, API calls, logins, time.
    assert plan[0] == applied[0] != "0"
    assert again[:2] == ["0", "changed=0"]
    assert [row[3] for row in (plan, applied, again)] == ["1", "1", "1"]
    assert "Login sessions left on the master: 0" in output
    assert "mode 0600" in output
    assert str(demo.report) + ".md" in output
    assert json.loads(pathlib.Path(f"{demo.report}.json").read_text())["cluster"]["cluster_name"] == "demo"
    demo.assert_nothing_left()

    code, output = demo.interrupt("2. Apply it", signal.SIGINT)
    assert code == 130, output
    assert "Traceback" not in output
    assert not demo.report.parent.exists()
    demo.assert_nothing_left()


@pytest.mark.skipif(not pathlib.Path("/proc/self/environ").exists(), reason="finds left processes through /proc")
def test_on_a_master_that_others_use(demo: Demo, sim: Simulator) -> None:
    before = others(sim)
    output = demo.run(**connection_to(sim))
    assert "+ det-demo-lena" in output
    assert others(sim) == before
    assert own(sim) == []
    assert sim.sessions() == []


@pytest.mark.exhaustive  # what is interrupted on a master of its own cleans up the same way
def test_ended_half_way_on_a_master_that_others_use(demo: Demo, sim: Simulator) -> None:
    before = others(sim)
    code, output = demo.interrupt("3. Once more", signal.SIGTERM, **connection_to(sim))
    assert code == 130, output
    assert "After: remove everything again" in output
    assert others(sim) == before
    assert own(sim) == []
    demo.assert_nothing_left()


def test_what_has_its_names_is_left_alone_unless_told(demo: Demo, sim: Simulator) -> None:
    stranger = sim.master.add_user(f"{PREFIX}lena", active=True, display_name="Lena Real")
    output = demo.run(code=1, **connection_to(sim))
    assert "The master has these already: det-demo-lena" in " ".join(output.split())
    assert stranger.active
    assert own(sim) == [f"{PREFIX}lena"]
    assert {entry.method for entry in sim.journal} == {"GET", "POST"}
    assert {entry.path for entry in sim.journal if entry.method == "POST"} == {
        "/api/v1/auth/login",
        "/api/v1/auth/logout",
        "/api/v1/groups/search",
    }


def test_a_failure_in_between_cleans_up(demo: Demo, sim: Simulator) -> None:
    before = others(sim)
    sim.faults.add(Fault("status", method="POST", path="/api/v1/tokens", count=0, status=500, body="broken"))
    output = demo.run(code=1, **connection_to(sim))
    assert "demo.yml failed" in output
    assert "Traceback" not in output
    assert others(sim) == before
    assert own(sim) == []


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"DET_MASTER": "127.0.0.1:9"}, "DET_MASTER is set without credentials"),
        ({"DET_MASTER": "127.0.0.1:9", "DET_USER_TOKEN": "x"}, "The master at http://127.0.0.1:9 cannot be reached"),
    ],
)
def test_bad_set_up_is_told(demo: Demo, environment: dict[str, str], sentence: str) -> None:
    output = demo.run(code=1, **environment)
    assert sentence in " ".join(output.split())
    assert "Traceback" not in output
