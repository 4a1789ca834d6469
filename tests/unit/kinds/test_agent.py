# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Agents and slots, against the simulated master; the demo fixture has four agents, with work on three."""

from __future__ import annotations

import typing as t

import pytest
import requests

from ansible_collections.determined.ai.plugins.modules.det_agent import OPERATION
from ansible_collections.determined.ai.plugins.modules.det_agent_info import OPERATION as INFO
from ansible_collections.determined.ai.plugins.modules.det_slot import OPERATION as SLOT
from tests.simulator import Fault, Simulator
from tests.unit.conftest import Runner

PASSWORD = "Passw0rd-demo"
FLAGS = {"enabled": (True, False), "disabled": (False, False), "drained": (False, True)}


def writes(sim: Simulator) -> list[tuple[str, str]]:
    """What the journal holds beside reads and logins."""
    return [(entry.method, entry.path) for entry in sim.journal if entry.method != "GET" and "/auth/" not in entry.path]


def flags(item: dict[str, t.Any]) -> tuple[bool, bool]:
    """Enabled and draining."""
    return item["enabled"], item["draining"]


def end_all(sim: Simulator) -> None:
    """End everything that runs."""
    header = {"Authorization": f"Bearer {sim.login()}"}
    for number in [row.id for row in sim.master.experiments.values() if row.live]:
        requests.post(f"{sim.url}/api/v1/experiments/{number}/kill", headers=header, timeout=10).raise_for_status()
    for task in list(sim.master.tasks.values()):
        requests.post(f"{sim.url}/api/v1/{task.kind}s/{task.id}/kill", headers=header, timeout=10).raise_for_status()


@pytest.mark.parametrize("before", FLAGS)
@pytest.mark.parametrize("state", FLAGS)
def test_a_change_is_predicted_made_and_not_made_again(
    demo: Simulator, run_demo: Runner, before: str, state: str
) -> None:
    options = {"agent": "gpu-node-1", "state": state}
    start = run_demo.ok(OPERATION, agent="gpu-node-1", state=before)["agent"]
    demo.journal.clear()
    predicted = run_demo.ok(OPERATION, check=True, **options)
    assert writes(demo) == []
    result = run_demo.ok(OPERATION, **options)
    assert (predicted["changed"], result["changed"]) == (before != state, before != state)
    assert predicted["agent"] == result["agent"]
    assert flags(result["agent"]) == FLAGS[state]
    assert {flags(slot) for slot in result["agent"]["slots"]} == {FLAGS[state]}
    assert len(result["agent"]["slots"]) == 8
    if before != state:
        assert result["diff"] == predicted["diff"]
        assert (result["diff"]["before"]["enabled"], result["diff"]["before"]["draining"]) == flags(start)
        assert (result["diff"]["after"]["enabled"], result["diff"]["after"]["draining"]) == FLAGS[state]
    demo.journal.clear()
    again = run_demo.ok(OPERATION, **options)
    assert not again["changed"]
    assert "diff" not in again
    assert again["agent"] == result["agent"]
    # Only a drained agent is told again: one without a connection reads the same.
    assert writes(demo) == ([("POST", "/api/v1/agents/gpu-node-1/disable")] if state == "drained" else [])


def test_an_unchanged_agent_costs_one_call(run_demo: Runner) -> None:
    result = run_demo.ok(OPERATION, agent="gpu-node-1")
    assert (result["changed"], result["requests"]) == (False, 1)
    assert result["agent"]["resource_pools"] == ["default"]
    assert result["agent"]["addresses"] == ["10.20.0.12"]
    assert "containers" not in result["agent"]


def test_a_slot_that_was_disabled_by_itself_is_left_alone(demo: Simulator, run_demo: Runner) -> None:
    # The eighth slot of this one is disabled.
    result = run_demo.ok(OPERATION, agent="gpu-node-3")
    assert not result["changed"]
    assert [slot["enabled"] for slot in result["agent"]["slots"]] == [True] * 7 + [False]
    assert run_demo.ok(OPERATION, agent="gpu-node-3", state="drained")["changed"]
    enabled = run_demo.ok(OPERATION, agent="gpu-node-3")
    assert all(slot["enabled"] for slot in enabled["agent"]["slots"])


def test_a_disabled_agent_with_an_enabled_slot_is_disabled_again(demo: Simulator, run_demo: Runner) -> None:
    run_demo.ok(OPERATION, agent="gpu-node-2", state="disabled")
    run_demo.ok(SLOT, agent="gpu-node-2", slot=1)
    assert run_demo.ok(OPERATION, agent="gpu-node-2", state="disabled")["changed"]
    assert not any(slot.enabled for slot in demo.master.agents["gpu-node-2"].slots.values())


def test_an_agent_without_slots(run_demo: Runner) -> None:
    assert run_demo.ok(OPERATION, agent="cpu-node-1", state="drained")["changed"]
    assert not run_demo.ok(OPERATION, agent="cpu-node-1", state="drained")["changed"]
    assert run_demo.ok(OPERATION, agent="cpu-node-1")["agent"]["slots"] == []


def test_slots_that_stay_disabled_are_a_failure_whatever_the_status(demo: Simulator, run_demo: Runner) -> None:
    run_demo.ok(OPERATION, agent="gpu-node-2", state="disabled")
    demo.master.agents["gpu-node-2"].stuck = True
    message = run_demo.failed(OPERATION, agent="gpu-node-2")
    assert "answered 200, but of agent 'gpu-node-2' its slots 0, 1, 2, 3 are not enabled" in message
    assert "agent_reconnect_wait" in message
    # The agent itself reads as enabled by now; that does not make the second run unchanged.
    assert demo.master.agents["gpu-node-2"].enabled
    assert "are not enabled" in run_demo.failed(OPERATION, agent="gpu-node-2")
    assert run_demo.ok(OPERATION, check=True, agent="gpu-node-2")["changed"]


def test_an_agent_without_a_connection_is_not_taken_for_a_drained_one(demo: Simulator, run_demo: Runner) -> None:
    demo.master.agents["gpu-node-1"].link = "down"
    # Check mode can't tell.
    assert not run_demo.ok(OPERATION, check=True, agent="gpu-node-1", state="drained")["changed"]
    message = run_demo.failed(OPERATION, agent="gpu-node-1", state="drained")
    assert "it reads as drained, as one does that has lost its connection" in message
    assert "agent disconnected, wait for recovery" in message
    for state in ("enabled", "disabled"):
        assert "agent disconnected, wait for recovery" in run_demo.failed(OPERATION, agent="gpu-node-1", state=state)


def test_an_agent_that_has_not_registered_is_refused(demo: Simulator, run_demo: Runner) -> None:
    demo.master.agents["gpu-node-1"].link = "new"
    for state in FLAGS:
        assert "it has connected but not yet registered" in run_demo.failed(OPERATION, agent="gpu-node-1", state=state)
    assert writes(demo) == []


def test_an_unknown_agent_is_told_with_the_nearest(demo: Simulator, run_demo: Runner) -> None:
    message = run_demo.failed(OPERATION, agent="gpu-nod-1")
    assert message.startswith("agent is 'gpu-nod-1': the master knows no such agent")
    assert "Nearest: 'gpu-node-1'" in message
    assert "Nearest: 'gpu-node-3'" in run_demo.failed(SLOT, agent="gpu-node-33", slot=0)
    assert writes(demo) == []


@pytest.mark.parametrize("name", ["", "..", "a/b"])
def test_names_that_no_agent_has(run_demo: Runner, name: str) -> None:
    assert "the master knows no such agent" in run_demo.failed(OPERATION, agent=name)
    assert run_demo.ok(INFO, agent=name)["agents"] == []


def test_an_agent_with_a_colon_in_its_name(demo: Simulator, run_demo: Runner) -> None:
    row = demo.master.agents.pop("gpu-node-2")
    row.id = "node:80"
    demo.master.agents["node:80"] = row
    assert run_demo.ok(OPERATION, agent="node:80", state="drained")["changed"]
    assert not run_demo.ok(OPERATION, agent="node:80", state="drained")["changed"]
    assert run_demo.ok(SLOT, agent="node:80", slot=3, state="disabled")["changed"]
    assert [agent["id"] for agent in run_demo.ok(INFO, agent="node:80")["agents"]] == ["node:80"]


def test_kubernetes_answers_200_with_null_for_an_unknown_agent(demo: Simulator, run_demo: Runner) -> None:
    for path, body in (("/agents/pod-1$", {"agent": None}), ("/agents/pod-1/slots$", {"slots": []})):
        demo.faults.add(Fault("shape", path=path, body=body, count=0))
    assert "the master knows no such agent" in run_demo.failed(OPERATION, agent="pod-1")
    assert "the master knows no such agent" in run_demo.failed(SLOT, agent="pod-1", slot=0)
    assert run_demo.ok(INFO, agent="pod-1")["total"] == 0


# --- drains ---


def test_a_drain_leaves_what_runs_and_is_waited_for(demo: Simulator, run_demo: Runner) -> None:
    held = [agent for agent in run_demo.ok(INFO)["agents"] if agent["containers"]]
    name = held[0]["id"]
    result = run_demo.ok(OPERATION, agent=name, state="drained")
    assert result["changed"]
    assert run_demo.ok(INFO, agent=name)["agents"][0]["containers"] == held[0]["containers"]
    wait = {"agent": name, "state": "drained", "wait_drained": True, "wait_timeout": 1, "wait_interval": 0.1}
    message = run_demo.failed(OPERATION, **wait)
    assert "Not reached within wait_timeout (1 s)" in message
    assert f"agent '{name}' is draining, and Trial " in message
    end_all(demo)
    waited = run_demo.ok(OPERATION, **{**wait, "wait_timeout": 10})
    assert not waited["changed"]
    assert run_demo.ok(INFO, agent=name)["agents"][0]["containers"] == []


def test_a_task_without_slots_counts_too(demo: Simulator, run_demo: Runner) -> None:
    tasks = [
        task for task in demo.master.tasks.values() if task.ended is None and task.config["resources"]["slots"] == 0
    ]
    assert run_demo.ok(INFO, agent="cpu-node-1")["agents"][0]["containers"] == []
    wait = {"agent": "cpu-node-1", "state": "drained", "wait_drained": True, "wait_timeout": 0}
    message = run_demo.failed(OPERATION, **wait)
    assert any(task.id in message for task in tasks)
    assert "and 1 more still on it" in message
    # It was drained before the wait.
    assert demo.master.agents["cpu-node-1"].draining


def test_nothing_is_waited_for_in_check_mode(run_demo: Runner) -> None:
    wait = {"agent": "gpu-node-3", "state": "drained", "wait_drained": True, "wait_timeout": 0}
    assert run_demo.ok(OPERATION, check=True, **wait)["changed"]


def test_disabling_kills_what_runs(demo: Simulator, run_demo: Runner) -> None:
    name = next(agent["id"] for agent in run_demo.ok(INFO)["agents"] if agent["containers"])
    run_demo.ok(OPERATION, agent=name, state="drained")
    assert run_demo.ok(OPERATION, agent=name, state="disabled")["changed"]
    assert run_demo.ok(INFO, agent=name)["agents"][0]["containers"] == []


def test_a_wait_that_is_not_for_a_drain_is_refused(demo: Simulator, run_demo: Runner) -> None:
    message = run_demo.failed(OPERATION, agent="gpu-node-1", state="disabled", wait_drained=True)
    assert "wait_drained is true with state disabled" in message
    assert demo.journal == []


def test_who_does_not_see_all_tasks_can_not_wait() -> None:
    with Simulator(fixture="demo", authz="rbac") as rbac:
        runner = Runner(rbac)
        assert runner.ok(OPERATION, agent="gpu-node-2", state="drained")["changed"]
        # No role of the product has the right to drain and not to see; a custom build's may.
        rbac.faults.add(Fault("shape", path="/permissions/summary$", body={"roles": [], "assignments": []}, count=0))
        for agent in ("gpu-node-1", "gpu-node-2"):
            message = runner.failed(OPERATION, agent=agent, state="drained", wait_drained=True)
            assert "'admin' lacks VIEW_NSC and VIEW_EXPERIMENT_ARTIFACTS cluster-wide" in message
        runner.close()
        assert not rbac.master.agents["gpu-node-1"].draining


@pytest.mark.parametrize("operation", [OPERATION, SLOT])
def test_without_the_right_to_it(demo: Simulator, operation: t.Any) -> None:
    runner = Runner(demo, auth_username="hugo.martin", auth_password=PASSWORD)
    options = {"slot": 0} if operation is SLOT else {}
    result = runner(operation, agent="gpu-node-1", state="disabled", **options)
    assert "user does not have permission" in result["msg"]
    assert result["failure"]["status"] == 403
    assert not runner.ok(operation, agent="gpu-node-1", **options)["changed"]
    runner.close()


@pytest.mark.parametrize(("operation", "options"), [(OPERATION, {}), (SLOT, {"slot": 2})])
def test_a_lost_answer_is_settled_by_reading(
    demo: Simulator, run_demo: Runner, operation: t.Any, options: dict[str, t.Any]
) -> None:
    demo.faults.add(Fault("lost", method="POST", path="/disable"))
    result = run_demo.ok(operation, agent="gpu-node-1", state="disabled", **options)
    assert result["changed"]
    assert len(writes(demo)) == 1
    assert "is as declared" in run_demo.warnings[0]


# --- slots ---


def test_a_slot_is_disabled_and_enabled(demo: Simulator, run_demo: Runner) -> None:
    for state in ("disabled", "enabled"):
        options = {"agent": "gpu-node-1", "slot": 5, "state": state}
        demo.journal.clear()
        predicted = run_demo.ok(SLOT, check=True, **options)
        assert writes(demo) == []
        result = run_demo.ok(SLOT, **options)
        assert predicted["changed"]
        assert predicted["slot"] == result["slot"]
        assert predicted["diff"] == result["diff"]
        assert (result["slot"]["agent"], result["slot"]["id"]) == ("gpu-node-1", "5")
        assert result["slot"]["enabled"] is (state == "enabled")
        assert result["diff"]["after"]["enabled"] is (state == "enabled")
        again = run_demo.ok(SLOT, **options)
        assert (again["changed"], again["requests"]) == (False, 1)
        assert again["slot"] == result["slot"]
    assert [slot.enabled for slot in demo.master.agents["gpu-node-1"].slots.values()] == [True] * 8


def test_a_slot_is_never_drained(demo: Simulator, run_demo: Runner) -> None:
    run_demo.ok(OPERATION, agent="gpu-node-1", state="drained")
    result = run_demo.ok(SLOT, agent="gpu-node-1", slot=0, state="disabled")
    assert result["changed"]
    assert flags(result["slot"]) == (False, False)
    assert "must be one of: enabled, disabled" in run_demo.failed(SLOT, agent="gpu-node-1", slot=0, state="drained")


def test_a_slot_that_reads_as_draining_but_takes_work_is_enabled(demo: Simulator, run_demo: Runner) -> None:
    run_demo.ok(OPERATION, agent="gpu-node-1", state="drained")
    result = run_demo.ok(SLOT, agent="gpu-node-1", slot=0)
    assert flags(result["slot"]) == (True, True)
    assert "agent 'gpu-node-1' is disabled, or has lost its connection" in run_demo.warnings[0]
    assert not run_demo.ok(SLOT, agent="gpu-node-1", slot=0)["changed"]


def test_a_slot_that_stays_disabled_is_a_failure(demo: Simulator, run_demo: Runner) -> None:
    run_demo.ok(SLOT, agent="gpu-node-1", slot=0, state="disabled")
    demo.master.agents["gpu-node-1"].stuck = True
    message = run_demo.failed(SLOT, agent="gpu-node-1", slot=0)
    assert "answered 200, but slot 0 of agent 'gpu-node-1' is not enabled" in message


def test_an_unknown_slot_is_told_with_those_that_there_are(demo: Simulator, run_demo: Runner) -> None:
    message = run_demo.failed(SLOT, agent="gpu-node-2", slot=4)
    assert message == "slot is 4: agent 'gpu-node-2' has no such slot; it has 0, 1, 2, 3."
    assert "it has none" in run_demo.failed(SLOT, agent="cpu-node-1", slot=0)
    demo.journal.clear()
    assert "slots are numbered from 0" in run_demo.failed(SLOT, agent="gpu-node-2", slot=-1)
    assert demo.journal == []


def test_zeros_before_a_slots_number_mean_nothing(demo: Simulator, run_demo: Runner) -> None:
    slots = [{"id": "003", "enabled": True, "draining": False}]
    demo.faults.add(Fault("shape", path="/slots$", body={"slots": slots}))
    assert run_demo.ok(SLOT, agent="gpu-node-2", slot=3)["slot"]["id"] == "003"


# --- det_agent_info ---


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["cpu-node-1", "gpu-node-1", "gpu-node-2", "gpu-node-3"]),
        ({"agent": "gpu-node-2"}, ["gpu-node-2"]),
        ({"agent": "GPU-NODE-2"}, []),
        ({"agent": "gpu-node-2", "resource_pool": "gpu"}, []),
        ({"resource_pool": "gpu"}, ["gpu-node-3"]),
        ({"enabled": False}, ["gpu-node-2"]),
        ({"enabled": True, "resource_pool": "default"}, ["cpu-node-1", "gpu-node-1"]),
        ({"draining": True}, ["gpu-node-2"]),
        ({"draining": False, "limit": 1}, ["cpu-node-1"]),
    ],
)
def test_info_filters(demo: Simulator, run_demo: Runner, options: dict[str, t.Any], expected: list[str]) -> None:
    demo.master.agents["gpu-node-2"].enabled, demo.master.agents["gpu-node-2"].draining = False, True
    result = run_demo.ok(INFO, **options)
    assert [agent["id"] for agent in result["agents"]] == expected
    assert result["total"] == (3 if "limit" in options else len(expected))
    assert result["changed"] is False


def test_info_refuses_a_pool_that_is_not_there(run_demo: Runner) -> None:
    assert "resource_pool is 'gpus'" in run_demo.failed(INFO, resource_pool="gpus")
    assert "Nearest: 'gpu'" in run_demo.failed(INFO, resource_pool="gpus")
    assert "limit is 0" in run_demo.failed(INFO, limit=0)


def test_info_shows_slots_and_what_holds_them(run_demo: Runner) -> None:
    result = run_demo.ok(INFO, agent="gpu-node-3")
    agent = result["agents"][0]
    assert result["requests"] == 1
    assert [slot["id"] for slot in agent["slots"]] == [str(number) for number in range(8)]
    assert agent["slots"][0]["device"]["type"] == "TYPE_CUDA"
    held = {slot["container"]["id"] for slot in agent["slots"] if slot["container"]}
    assert held == {container["id"] for container in agent["containers"]}
    assert held
