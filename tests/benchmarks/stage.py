# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmarks run: simulated masters, playbooks with the time of each task, and single commands with theirs."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import time
import typing as t
from collections.abc import Iterator

from tests.simulator.fixtures import INITIAL_PASSWORD

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
COLLECTIONS = ROOT / ".cache" / "collections"
TIMEOUT = 900
"""Seconds that one playbook, one command or the start of a master may take."""

Tasks = list[dict[str, t.Any]]


class Failed(Exception):
    """A run that must succeed did not; the message says which, and holds the end of its output."""


@dataclasses.dataclass(frozen=True)
class Timing:
    """One task of a run.

    :ivar seconds: from the end of the task before it (or the start of the play) to its own end: what it adds to the run.
    :ivar requests: API calls, as its result counts them; None for other tasks and for loops.
    :ivar changed: whether it changed anything.
    """

    name: str
    seconds: float
    requests: int | None
    changed: bool


@dataclasses.dataclass(frozen=True)
class Played:
    """A finished run of ansible-playbook.

    :ivar timings: its tasks, in their order.
    :ivar peak: bytes of memory that its largest worker took.
    """

    timings: list[Timing]
    peak: int

    def seconds(self, name: str) -> list[float]:
        """The times of the tasks with this name."""
        return [timing.seconds for timing in self.timings if timing.name == name]


class Stage:
    """Runs commands with nothing of the person's own set-up.

    :param folder: for everything that is written.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        (folder / "home").mkdir()
        (folder / "ansible.cfg").touch()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "DET_"))}
        self._environment = {
            **inherited,
            # Ansible refuses to start in a locale without UTF-8.
            "LC_ALL": "C.UTF-8",
            "HOME": str(folder / "home"),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{COLLECTIONS}",
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "ANSIBLE_HOME": str(folder / "home" / ".ansible"),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "task_times",
            "ANSIBLE_ACTION_PLUGINS": str(HERE / "action_plugins"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        }
        self._runs = 0

    @contextlib.contextmanager
    def master(self, fixture: str) -> Iterator[str]:
        """A simulated master in a process of its own; gives its URL."""
        ready, output = self.folder / f"{fixture}.url", self.folder / f"{fixture}.out"
        with output.open("w") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.simulator", "--fixture", fixture, "--ready-file", str(ready)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        try:
            deadline = time.monotonic() + TIMEOUT
            while not ready.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise Failed(f"The simulated master ({fixture}) did not start:\n{_tail(output)}")
                time.sleep(0.05)
            yield ready.read_text(encoding="utf-8").strip()
        finally:
            process.terminate()
            process.wait(TIMEOUT)

    def command(self, arguments: list[str], url: str) -> tuple[str, float]:
        """Run a command to its end.

        :param url: the master, for whoever reads the environment.
        :returns: its standard output, and its time in seconds.
        :raises Failed: it failed, or took too long.
        """
        self._runs += 1
        output = self.folder / f"run{self._runs}.out"
        connection = {"DET_MASTER": url, "DET_USER": "admin", "DET_PASS": INITIAL_PASSWORD}
        errors = output.with_suffix(".err")
        with output.open("w") as out, errors.open("w") as err:
            began = time.perf_counter()
            process = subprocess.Popen(
                arguments,
                env={**self._environment, **connection, "DETERMINED_BENCH_TIMES": str(self._times())},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
            try:
                status = process.wait(TIMEOUT)
            except BaseException as error:
                # Ctrl-C has reached it as well, and gives it a moment to log out.
                process.terminate()
                process.wait(30)
                if isinstance(error, subprocess.TimeoutExpired):
                    raise Failed(f"{arguments[0]} did not end within {TIMEOUT} s.") from error
                raise
            seconds = time.perf_counter() - began
        if status:
            raise Failed(f"{' '.join(arguments)} failed ({status}):\n{_tail(output)}\n{_tail(errors)}")
        return output.read_text(encoding="utf-8"), seconds

    def play(self, url: str, tasks: Tasks) -> Played:
        """Run tasks in one play on localhost.

        :raises Failed: a task failed.
        """
        playbook = self.folder / "play.json"
        playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
        self.command([str(pathlib.Path(sys.executable).parent / "ansible-playbook"), str(playbook)], url)
        *timings, workers = map(json.loads, self._times().read_text(encoding="utf-8").splitlines())
        return Played([Timing(**timing) for timing in timings], workers["peak"])

    def _times(self) -> pathlib.Path:
        return self.folder / f"times{self._runs}.jsonl"


def _tail(output: pathlib.Path) -> str:
    return output.read_text(encoding="utf-8", errors="replace")[-2000:]
