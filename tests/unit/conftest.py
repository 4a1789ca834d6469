# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""What unit tests share: simulated masters, and a way to run an operation as a task would."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import Sessions, argument_spec, execute
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import Operation
from ansible_collections.determined.ai.plugins.module_utils._kinds.kind import Kind, Task
from ansible_collections.determined.ai.plugins.module_utils._kinds.lookup import KeptNames
from ansible_collections.determined.ai.plugins.module_utils._wire.connection import CONNECTION_SPEC, Connection
from tests.simulator import Simulator
from tests.simulator.fixtures import INITIAL_PASSWORD

ADMIN = {"auth_username": "admin", "auth_password": INITIAL_PASSWORD}


class Runner:
    """Runs operations against one master, as the given user."""

    def __init__(self, sim: Simulator, **connection: t.Any) -> None:
        self.sim = sim
        self.connection = {"master": sim.url, "retries": 0, "timeout": 10, **(connection or ADMIN)}
        self.warnings: list[str] = []
        self._sessions = Sessions(folder=None)

    def __call__(self, operation: Operation, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        """Run one task; `check` is check mode. The result is a module's, ``failed`` included."""
        self.warnings.clear()
        validator = ArgumentSpecValidator(argument_spec(operation), **operation.arguments.constraints())
        found = validator.validate({**self.connection, **options})
        if found.error_messages:
            return {"failed": True, "changed": False, "msg": found.errors.msg}
        options = found.validated_parameters
        return execute(operation, options, self._sessions, check_mode=check, warn=self.warnings.append)[0]

    def ok(self, operation: Operation, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        """Run one task that must succeed."""
        result = self(operation, check, **options)
        assert not result.get("failed"), result["msg"]
        return result

    def failed(self, operation: Operation, check: bool = False, **options: t.Any) -> str:
        """Run one task that must fail, and return its sentence."""
        result = self(operation, check, **options)
        assert result.get("failed"), result
        return t.cast(str, result["msg"])

    def task(self, kind: Kind, **options: t.Any) -> Task:
        """A task that does not go through an operation: a plan calls kinds so."""
        validator = ArgumentSpecValidator({**CONNECTION_SPEC, **kind.arguments.spec})
        found = validator.validate({**self.connection, **options})
        assert not found.error_messages, found.error_messages
        session = self._sessions.get(Connection.resolve(found.validated_parameters))
        return Task(found.validated_parameters, session, KeptNames(session), False, self.warnings.append)

    def close(self) -> None:
        self._sessions.close()


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A freshly installed master."""
    with Simulator(fixture="empty") as simulator:
        yield simulator


@pytest.fixture
def demo() -> Iterator[Simulator]:
    """A master with a small cluster's objects."""
    with Simulator(fixture="demo") as simulator:
        yield simulator


@pytest.fixture
def run(sim: Simulator) -> Iterator[Runner]:
    """Run operations as the administrator of `sim`."""
    runner = Runner(sim)
    yield runner
    runner.close()


@pytest.fixture
def run_demo(demo: Simulator) -> Iterator[Runner]:
    """Run operations as the administrator of `demo`."""
    runner = Runner(demo)
    yield runner
    runner.close()
