# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls of tasks, each on a planted cluster that fails, passes, and can't be judged."""

from __future__ import annotations

import pytest

from tests.simulator import Fault, Simulator

from . import plant
from .conftest import Auditor, blind

OPEN = {"environment": {"proxy_ports": [{"proxy_port": 8000, "unauthenticated": True}]}}
GUARDED = {"environment": {"proxy_ports": [{"proxy_port": 8000}]}}


def test_tsk_01(sim: Simulator, auditor: Auditor) -> None:
    """An SSH key guards the port that every shell has (API page, section 11: `serviceId` is the task's id, over TCP)."""
    plant.task(sim, "shell")
    plant.task(sim, "notebook")
    plant.task(sim, "command", config=GUARDED)
    plant.experiment(sim, GUARDED)
    assert auditor("TSK-01").status("TSK-01") == "pass"
    command = plant.task(sim, "command", config=OPEN)
    shell = plant.task(sim, "shell", config=OPEN)
    runs = plant.experiment(sim, OPEN)
    waits = plant.experiment(sim, OPEN, state="QUEUED")
    plant.experiment(sim, OPEN, state="PAUSED")
    plant.experiment(sim, OPEN, state="COMPLETED")
    plant.task(sim, "command", config=OPEN).finish(sim.master.now())
    found = auditor("TSK-01")
    expected = [f"fail experiments/{runs.id}", f"fail experiments/{waits.id}"]
    assert found.keys("TSK-01") == expected + sorted(f"fail tasks/{row.id}" for row in (command, shell))
    assert {str(one["evidence"]["fields"]["ports"]) for one in found.of("TSK-01")} == {"[8000]"}


def test_tsk_01_exempts_no_other_than_a_shell(sim: Simulator, auditor: Auditor) -> None:
    """A port of the task's own name over TCP is a shell's SSH only where the task is a shell."""
    port = {"proxy_port": 22, "unauthenticated": True, "proxy_tcp": True, "default_service_id": True}
    row = plant.task(sim, "command", config={"environment": {"proxy_ports": [port]}})
    assert auditor("TSK-01").keys("TSK-01") == [f"fail tasks/{row.id}"]


def test_tsk_01_where_nothing_runs_does_not_apply(sim: Simulator, auditor: Auditor) -> None:
    assert auditor("TSK-01").status("TSK-01") == "not_applicable"


def test_tsk_01_with_allocations_that_cannot_be_read_is_unknown(sim: Simulator, auditor: Auditor) -> None:
    plant.experiment(sim, GUARDED)
    sim.faults.add(Fault("status", path="/api/v1/tasks$", status=403))
    assert auditor("TSK-01").status("TSK-01") == "unknown"


def test_a_task_has_one_fingerprint_whatever_else_is_judged(sim: Simulator, auditor: Auditor) -> None:
    plant.task(sim, "notebook", hours=50, config=OPEN)
    alone, together = auditor("TSK-02"), auditor("TSK-01", "TSK-02")
    assert alone.of("TSK-02")[0]["fingerprint"] == together.of("TSK-02")[0]["fingerprint"]


def test_tsk_02(sim: Simulator, auditor: Auditor) -> None:
    plant.experiment(sim, state="COMPLETED")
    idle = {"idle_timeout": "30m"}
    plant.task(sim, "notebook", hours=47, config=idle)
    plant.task(sim, "tensorboard", hours=1)
    plant.task(sim, "shell", hours=47)
    plant.task(sim, "command", hours=100)
    assert auditor("TSK-02").status("TSK-02") == "pass"
    planted = {
        plant.task(sim, "notebook", hours=1).id: ["Nothing ends it when it is idle."],
        plant.task(sim, "notebook", hours=49, config=idle).id: ["It is open for more than 48 hours."],
        plant.task(sim, "shell", hours=49).id: ["It is open for more than 48 hours."],
        plant.task(sim, "tensorboard", hours=49).id: ["It is open for more than 48 hours."],
        plant.task(sim, "notebook", hours=49).id: [
            "It is open for more than 48 hours.",
            "Nothing ends it when it is idle.",
        ],
    }
    plant.task(sim, "shell", hours=100).finish(sim.master.now())
    found = auditor("TSK-02")
    assert {one["key"]: one["evidence"]["faults"] for one in found.of("TSK-02")} == planted


def test_tsk_02_of_commands_does_not_apply(sim: Simulator, auditor: Auditor) -> None:
    plant.task(sim, "command", hours=100)
    assert auditor("TSK-02").status("TSK-02") == "not_applicable"


@pytest.mark.parametrize("answer", [403, 404])
@pytest.mark.parametrize(("hours", "status"), [(1, "unknown"), (49, "fail")])
def test_tsk_02_with_a_configuration_that_cannot_be_read(
    sim: Simulator, auditor: Auditor, hours: float, status: str, answer: int
) -> None:
    """The half that can't be seen matters only where the other does not fail."""
    row = plant.task(sim, "notebook", hours=hours)
    sim.faults.add(Fault("status", path=f"/notebooks/{row.id}", status=answer))
    assert auditor("TSK-02").keys("TSK-02") == [f"{status} tasks/{row.id}"]


def test_who_may_not_see_tasks_passes_none() -> None:
    with Simulator(fixture="empty", authz="rbac") as sim:
        found = blind(sim)("TSK-01", "TSK-02")
        assert (found.status("TSK-01"), found.status("TSK-02")) == ("unknown", "unknown")
