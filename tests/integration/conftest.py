# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""What integration tests share: a master, and real ansible-playbook runs against it."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import typing as t
from collections.abc import Iterator

import pytest
import yaml

from ansible_collections.determined.ai.plugins.module_utils._wire.connection import CONNECTION_SPEC, Connection
from ansible_collections.determined.ai.plugins.module_utils._wire.login import log_in, log_out
from ansible_collections.determined.ai.plugins.module_utils._wire.transport import Transport
from tests.simulator import Simulator
from tests.simulator.fixtures import INITIAL_PASSWORD

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
CONNECTION = ("DET_MASTER", "DET_USER", "DET_PASS", "DET_USER_TOKEN", "DET_MASTER_CERT_FILE", "DET_MASTER_CERT_NAME")


@dataclasses.dataclass
class Run:
    """A finished ansible-playbook run."""

    returncode: int
    output: str
    results: list[dict[str, t.Any]]

    def result(self, task: str) -> dict[str, t.Any]:
        """The result of the task with this name."""
        return next(t.cast(dict, entry["result"]) for entry in self.results if entry["task"] == task)

    def ok(self) -> Run:
        """The same run, which must have succeeded."""
        assert self.returncode == 0, self.output[-6000:]
        return self


SHIPPED: dict[str, t.Any] = {
    "environment": {"DETERMINED_TEST": "an environment makes Ansible ship the module"},
}
"""What a task or play says so that its modules do not run inside the controller."""


class Playbooks:
    """Runs playbooks in a folder of their own against one master.

    :param measured: whether the coverage of these runs counts, when coverage is measured at all. It doubles the time of a
        run, so it is for a few tests that meet most of the ways to run a module.
    """

    def __init__(self, folder: pathlib.Path, environment: dict[str, str], *, measured: bool = False) -> None:
        self.folder = folder
        home = folder / "home"
        home.mkdir()
        (folder / "ansible.cfg").touch()
        inherited = {name: value for name, value in os.environ.items() if name not in CONNECTION}
        if measured:
            # Ansible terminates the last worker of a play, unless it is told to wait; the worker's coverage would be lost.
            inherited["ANSIBLE_WORKER_SHUTDOWN_POLL_COUNT"] = "100"
        else:
            inherited.pop("COVERAGE_PROCESS_CONFIG", None)
        self.environment = {
            **inherited,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "results_journal",
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "ANSIBLE_HOME": str(home / ".ansible"),
            # A setting since ansible-core 2.21; older releases always do.
            "ANSIBLE_INJECT_INVOCATION": "true",
            "ANSIBLE_ASYNC_DIR": str(home / ".ansible_async"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_RETRY_FILES_ENABLED": "false",
            "HOME": str(home),
            **environment,
        }
        self.within: list[str] = []
        """A command that runs the command after it, in a changed world."""
        self._runs = 0

    def start(
        self, playbook: pathlib.Path | list[dict[str, t.Any]], *arguments: str, **environment: str
    ) -> subprocess.Popen[str]:
        """Start a run; `playbook` is a path, or plays as data."""
        self._runs += 1
        if isinstance(playbook, list):
            path = self.folder / f"play{self._runs}.yml"
            path.write_text(yaml.safe_dump(playbook, sort_keys=False))
            playbook = path
        journal = self.folder / f"results{self._runs}.jsonl"
        return subprocess.Popen(
            [*self.within, str(pathlib.Path(sys.executable).parent / "ansible-playbook"), str(playbook), *arguments],
            env={**self.environment, "DETERMINED_TEST_JOURNAL": str(journal), **environment},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A process group of its own, so that a test can send what Ctrl-C sends.
            start_new_session=True,
        )

    def finish(self, process: subprocess.Popen[str], timeout: float = 1200) -> Run:
        """Wait for a run; the time is for a busy machine and a real master, which hashes passwords slowly."""
        try:
            output, _nothing = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _nothing = process.communicate()
            pytest.fail(f"ansible-playbook did not end within {timeout} s:\n{output[-4000:]}")
        journal = self.folder / f"results{self._runs}.jsonl"
        lines = journal.read_text().splitlines() if journal.exists() else []
        return Run(process.returncode, output, [json.loads(line) for line in lines])

    def run(self, playbook: pathlib.Path | list[dict[str, t.Any]], *arguments: str, **environment: str) -> Run:
        """Run a playbook to its end."""
        return self.finish(self.start(playbook, *arguments, **environment))

    def tasks(self, *tasks: dict[str, t.Any], arguments: tuple[str, ...] = (), **keywords: t.Any) -> Run:
        """Run tasks in one play on localhost, with further play keywords."""
        return self.run([{"hosts": "localhost", "gather_facts": False, **keywords, "tasks": list(tasks)}], *arguments)


def connection_to(sim: Simulator) -> dict[str, str]:
    """The environment that leads to a simulated master as its administrator."""
    return {"DET_MASTER": sim.url, "DET_USER": "admin", "DET_PASS": INITIAL_PASSWORD}


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A simulated master with a small cluster's objects."""
    with Simulator(fixture="demo") as simulator:
        yield simulator


@pytest.fixture
def playbooks(sim: Simulator, tmp_path: pathlib.Path) -> Playbooks:
    """Runs playbooks against `sim`."""
    return Playbooks(tmp_path, connection_to(sim))


@pytest.fixture
def measured(sim: Simulator, tmp_path: pathlib.Path) -> Playbooks:
    """As `playbooks`, with coverage."""
    return Playbooks(tmp_path, connection_to(sim), measured=True)


def _serve(authz: str, folder: pathlib.Path) -> Iterator[Playbooks]:
    """The master that DET_MASTER names, or else a simulated one, on which no session may be left."""
    if os.environ.get("DET_MASTER"):
        yield Playbooks(folder, _named_connection())
        return
    with Simulator(fixture="demo", authz=authz) as simulator:
        yield Playbooks(folder, connection_to(simulator))
        left = simulator.sessions()
        assert left == [], f"sessions left on the master: {left}"


@pytest.fixture
def any_master(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[Playbooks]:
    """Runs playbooks against the master that DET_MASTER names, or else against a simulated one.

    The test's parameter says its authorisation mode: ``basic`` or ``rbac``.
    """
    if os.environ.get("DET_MASTER") and request.param != "basic":
        pytest.skip("DET_MASTER is one master, in the authorisation mode that it has")
    yield from _serve(request.param, tmp_path)


@pytest.fixture
def shipping_master(tmp_path: pathlib.Path) -> Iterator[Playbooks]:
    """Runs playbooks of shipped modules against the master that DET_MASTER names, or else against a simulated one.

    Each shipped module logs in by itself, for which a real master takes longer than for all else together: there they use
    one session, and only on the simulated one a login each.
    """
    named = _named_connection()
    if not named.get("DET_MASTER") or not named.get("DET_USER") or "DET_USER_TOKEN" in named:
        yield from _serve("basic", tmp_path)
        return
    options = dict.fromkeys(CONNECTION_SPEC) | {"timeout": 120.0, "retries": 0}
    transport = Transport(Connection.resolve(options, named), warn=print)
    token = log_in(transport)
    yield Playbooks(tmp_path, {**named, "DET_USER_TOKEN": token})
    log_out(transport, token)
    transport.close()


def _named_connection() -> dict[str, str]:
    return {name: os.environ[name] for name in CONNECTION if name in os.environ}
