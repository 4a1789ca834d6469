# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notebooks, shells, commands and TensorBoards: one live of each key, killed singly and in bulk, without a secret shown."""

from __future__ import annotations

import json
import threading
import typing as t
from collections.abc import Iterator
from datetime import timedelta

import pytest

from ansible_collections.determined.ai.plugins.modules.det_task import OPERATION as DET_TASK
from ansible_collections.determined.ai.plugins.modules.det_task_info import OPERATION as DET_TASK_INFO
from tests.simulator import Simulator
from tests.simulator.server import Fault
from tests.unit.conftest import ADMIN, Runner

ZERO = {"resources": {"slots": 0}}
FAST = {"wait_interval": 0.05}
NOTEBOOK = {"type": "notebook", "description": "mine", "config": ZERO, **FAST}
SERVER_MADE = ("id", "job_id", "start_time", "exit_status", "service_address", "resource_pool", "config", "priority")


def writes(sim: Simulator) -> list[str]:
    return [
        entry.path.removeprefix("/api/v1/")
        for entry in sim.journal
        if entry.method != "GET" and "/auth/" not in entry.path
    ]


def rows(sim: Simulator, kind: str, description: str | None = None) -> list[t.Any]:
    return [
        row
        for row in sim.master.tasks.values()
        if row.kind == kind and description in (None, row.config["description"])
    ]


def stable(task: dict[str, t.Any]) -> dict[str, t.Any]:
    return {name: value for name, value in task.items() if name not in SERVER_MADE}


# -- one

LAUNCHES: list[dict[str, t.Any]] = [
    {"type": "notebook", "description": "mine", "config": ZERO},
    {"type": "notebook", "description": "mine", "config": ZERO, "workspace": "research"},
    {"type": "notebook", "description": "theirs", "config": {**ZERO, "idle_timeout": "90m"}, "priority": 7},
    {"type": "shell", "description": "mine", "config": {"resources": {"slots": 0, "priority": 9}}},
    {"type": "command", "description": "mine", "config": {**ZERO, "entrypoint": ["sleep", "1"]}},
    {"type": "command", "description": "other", "config": ZERO, "template": "cpu-small"},
    {"type": "tensorboard", "experiments": [5, 4], "workspace": "research"},
    {"type": "tensorboard", "experiments": [4], "workspace": "research"},
]


@pytest.mark.parametrize("options", LAUNCHES)
def test_launch_and_kill(run_demo: Runner, demo: Simulator, options: dict[str, t.Any]) -> None:
    """Predicted, launched, unchanged, its end predicted, killed, unchanged; then it can be launched anew."""
    options = {**options, **FAST}
    predicted = run_demo.ok(DET_TASK, check=True, **options)
    assert writes(demo) == []
    done = run_demo.ok(DET_TASK, **options)
    assert (predicted["changed"], done["changed"]) == (True, True)
    first, second = stable(predicted["task"]), stable(done["task"])
    for one in (first, second):
        if options["type"] == "tensorboard":
            # The server makes the description up.
            one.pop("description")
            one["trial_ids"] = one["trial_ids"] or []
    assert first == second
    assert (done["task"]["state"], done["task"]["username"]) == ("running", "admin")
    assert done["diff"]["before"] == {}
    again = run_demo.ok(DET_TASK, **options)
    assert (again["changed"], again["task"], "differs" in again) == (False, done["task"], False)
    assert run_demo.warnings == []
    assert again["requests"] == (3 if "workspace" in options else 2)
    key = {name: options[name] for name in ("type", "description", "experiments", "workspace") if name in options}
    kill = {**key, "state": "killed", **FAST}
    before = len(writes(demo))
    dying = run_demo.ok(DET_TASK, check=True, **kill)
    assert len(writes(demo)) == before
    killed = run_demo.ok(DET_TASK, **kill)
    assert (dying["changed"], killed["changed"], killed["task"]["state"]) == (True, True, "terminated")
    assert stable(dying["task"]) == stable(killed["task"])
    assert dying["diff"] == killed["diff"]
    assert (killed["diff"]["before"]["state"], killed["diff"]["after"]["state"]) == ("running", "terminated")
    gone = run_demo.ok(DET_TASK, **kill)
    assert (gone["changed"], gone["task"]) == (False, None)
    anew = run_demo.ok(DET_TASK, **options)
    assert anew["changed"]
    assert anew["task"]["id"] != done["task"]["id"]


def test_what_is_sent(run_demo: Runner, demo: Simulator) -> None:
    run_demo.ok(DET_TASK, **NOTEBOOK, priority=5, workspace="research", template="gpu-large")
    (row,) = rows(demo, "notebook", "mine")
    assert (row.config["resources"]["priority"], row.config["resources"]["slots"]) == (5, 0)
    assert demo.master.workspaces[row.workspace_id].name == "research"


def test_another_workspace_is_another_task(run_demo: Runner, demo: Simulator) -> None:
    run_demo.ok(DET_TASK, **NOTEBOOK)
    assert run_demo.ok(DET_TASK, **NOTEBOOK, workspace="research")["changed"]
    assert run_demo.ok(DET_TASK, **{**NOTEBOOK, "type": "shell"})["changed"]
    assert len(rows(demo, "notebook", "mine")) == 2


def test_a_tensorboard_of_the_same_experiments_in_any_order(run_demo: Runner, demo: Simulator) -> None:
    """The fixture has one of the experiments 1 and 2."""
    same = run_demo.ok(DET_TASK, type="tensorboard", experiments=[2, 1, 2], workspace="research")
    assert not same["changed"]
    assert run_demo.ok(DET_TASK, type="tensorboard", experiments=[1], workspace="research", **FAST)["changed"]
    # One of trials is another one, whatever experiments it has besides.
    rows(demo, "tensorboard")[0].trial_ids = [3]
    assert run_demo.ok(DET_TASK, True, type="tensorboard", experiments=[1, 2], workspace="research")["changed"]


def test_two_live_ones_are_named_and_left_alone(run_demo: Runner, demo: Simulator) -> None:
    first = run_demo.ok(DET_TASK, **NOTEBOOK)["task"]["id"]
    rows(demo, "notebook", "mine")[0].config["description"] = "hidden"
    second = run_demo.ok(DET_TASK, **NOTEBOOK)["task"]["id"]
    demo.master.tasks[first].config["description"] = "mine"
    before = len(writes(demo))
    for state in ("running", "killed"):
        text = run_demo.failed(DET_TASK, type="notebook", description="mine", state=state)
        assert "2 live notebooks answer to it" in text
        assert first in text
        assert second in text
    assert len(writes(demo)) == before
    assert run_demo.ok(DET_TASK, type="notebook", id=first, state="killed", **FAST)["changed"]
    assert not run_demo.ok(DET_TASK, **NOTEBOOK)["changed"]


def test_an_ended_one_is_listed_but_not_live(run_demo: Runner, demo: Simulator) -> None:
    """The fixture's `scratch` has ended."""
    options = {"type": "notebook", "description": "scratch", "workspace": "research", **FAST}
    assert not run_demo.ok(DET_TASK, **options, state="killed")["changed"]
    assert run_demo.ok(DET_TASK, **options, config=ZERO)["changed"]


def test_priority_alone_can_be_changed(run_demo: Runner, demo: Simulator) -> None:
    run_demo.ok(DET_TASK, **NOTEBOOK)
    predicted = run_demo.ok(DET_TASK, True, **NOTEBOOK, priority=3)
    done = run_demo.ok(DET_TASK, **NOTEBOOK, priority=3)
    assert predicted["task"] == done["task"] | {"config": predicted["task"]["config"]}
    assert (done["changed"], done["task"]["priority"]) == (True, 3)
    assert (done["diff"]["before"]["priority"], done["diff"]["after"]["priority"]) == (42, 3)
    assert writes(demo)[-1].endswith("/set_priority")
    assert not run_demo.ok(DET_TASK, **NOTEBOOK, priority=3)["changed"]
    by_config = {**NOTEBOOK, "config": {"resources": {"slots": 0, "priority": 4}}}
    assert run_demo.ok(DET_TASK, **by_config)["task"]["priority"] == 4
    number = done["task"]["id"]
    assert run_demo.ok(DET_TASK, type="notebook", id=number, priority=8)["task"]["priority"] == 8
    demo.faults.add(Fault("status", method="POST", path="set_priority", status=200, body={"notebook": {"id": number}}))
    assert "kept priority 8" in run_demo.failed(DET_TASK, type="notebook", id=number, priority=9)


SAME: list[dict[str, t.Any]] = [
    {"idle_timeout": "1h30m"},
    {"idle_timeout": "90m"},
    {"environment": {"image": "i:1"}},
    {"environment": {"image": {"cpu": "i:1"}}},
    {"environment": {"environment_variables": ["A=1"]}},
    {"environment": {"environment_variables": {"cuda": ["B=2"]}}},
    {"bind_mounts": [{"host_path": "/a", "container_path": "/b"}]},
    {"resources": {"slots": 0.0, "shm_size": "2g"}},
    {"entrypoint": ["sleep", "1"]},
    {"work_dir": None},
]
OTHER: list[tuple[dict[str, t.Any], list[str]]] = [
    ({"idle_timeout": "91m"}, ["config.idle_timeout"]),
    ({"environment": {"image": "i:2"}}, [f"config.environment.image.{name}" for name in ("cpu", "cuda", "rocm")]),
    ({"environment": {"environment_variables": {"cpu": ["A=2"]}}}, ["config.environment.environment_variables.cpu"]),
    ({"bind_mounts": [{"host_path": "/x", "container_path": "/b"}]}, ["config.bind_mounts"]),
    ({"resources": {"slots": 1}}, ["config.resources.slots"]),
    ({"entrypoint": ["sleep"]}, ["config.entrypoint"]),
    ({"work_dir": "/w", "debug": True}, ["config.work_dir", "config.debug"]),
    ({"environment": {"registry_auth": {"password": "canary"}}}, ["config.environment.registry_auth"]),
]
LAUNCHED = {
    "idle_timeout": "90m",
    "environment": {"image": "i:1", "environment_variables": ["A=1", "B=2"]},
    "bind_mounts": [{"host_path": "/a", "container_path": "/b"}],
    "resources": {"slots": 0, "shm_size": 2147483648},
    "entrypoint": ["sleep", "1"],
}


@pytest.fixture(scope="module")
def launched() -> Iterator[Runner]:
    """A master with a live command of a known configuration."""
    with Simulator(fixture="empty") as simulator:
        runner = Runner(simulator)
        runner.ok(DET_TASK, type="command", description="d", config=LAUNCHED, wait=False)
        yield runner
        runner.close()


@pytest.mark.parametrize("config", SAME)
def test_the_same_written_otherwise_is_no_difference(launched: Runner, config: dict[str, t.Any]) -> None:
    result = launched.ok(DET_TASK, type="command", description="d", config=config, wait=False)
    assert (result["changed"], launched.warnings) == (False, [])
    assert "differs" not in result


@pytest.mark.parametrize(("config", "places"), OTHER)
@pytest.mark.parametrize("check", [False, True])
def test_what_differs_is_said_and_left_alone(
    launched: Runner, config: dict[str, t.Any], places: list[str], check: bool
) -> None:
    result = launched.ok(DET_TASK, check, type="command", description="d", config=config, wait=False)
    assert (result["changed"], result["differs"]) == (False, places)
    (warning,) = launched.warnings
    assert "a task can't be edited. Kill it first" in warning
    assert all(place in warning for place in places)
    assert "canary" not in json.dumps(result) + warning


def test_by_id(run_demo: Runner, demo: Simulator) -> None:
    (row,) = rows(demo, "shell")
    assert run_demo.ok(DET_TASK, type="shell", id=row.id)["requests"] == 1
    assert run_demo.ok(DET_TASK, type="shell", id=row.id, state="killed", **FAST)["task"]["state"] == "terminated"
    assert not run_demo.ok(DET_TASK, type="shell", id=row.id, state="killed")["changed"]
    assert "can't be started again" in run_demo.failed(DET_TASK, type="shell", id=row.id)
    unknown = "3dbeb5cb-cbc4-4de4-a4a4-a5f9ad3d4ea6"
    assert "there is no such shell" in run_demo.failed(DET_TASK, type="shell", id=unknown)
    assert run_demo.ok(DET_TASK, type="shell", id=unknown, state="killed")["task"] is None
    # Of another type, it is as good as not there.
    assert run_demo.ok(DET_TASK, type="command", id=row.id, state="killed")["task"] is None


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "one of the following is required: id, description, experiments, older_than, users, resource_pool"),
        ({"type": "notebook", "state": "killed"}, "one of the following is required"),
        ({"description": "x"}, "missing parameter(s) required by 'description': type"),
        ({"id": "x"}, "missing parameter(s) required by 'id': type"),
        ({"type": "shell", "id": "x", "description": "y"}, "mutually exclusive"),
        ({"type": "shell", "id": "x", "config": {}}, "mutually exclusive"),
        ({"type": "shell", "description": "x", "users": ["admin"]}, "mutually exclusive"),
        ({"type": "shell", "experiments": [1]}, "type is shell: a TensorBoard is told by its experiments"),
        ({"type": "tensorboard", "description": "x"}, "type is tensorboard: a TensorBoard is told by its experiments"),
        ({"type": "tensorboard", "experiments": []}, "experiments is empty"),
        ({"type": "shell", "description": " "}, "description is empty"),
        ({"type": "shell", "description": "x", "priority": 100}, "priority is 100: it must be between 1 and 99"),
        ({"type": "shell", "description": "x", "config": {"description": "y"}}, "config has a description"),
        (
            {"type": "shell", "description": "x", "config": {"a": "********"}},
            "config holds a mask (asterisks) at config.a",
        ),
        ({"type": "shell", "description": "x", "state": "killed", "config": {}}, "config is given with state killed"),
        (
            {"type": "shell", "description": "x", "state": "killed", "priority": 1},
            "priority is given with state killed",
        ),
        ({"older_than": "7d"}, "older_than is given with state running"),
        ({"state": "killed", "users": []}, "users is empty"),
        ({"state": "killed", "resource_pool": ""}, "resource_pool is empty"),
        ({"state": "killed", "older_than": "0s"}, "older_than is 0"),
        ({"state": "killed", "older_than": "0d", "users": ["admin"]}, "older_than is 0"),
        ({"state": "killed", "older_than": "week"}, "it must be a duration such as '30d'"),
        ({"state": "killed", "users": ["admin"], "template": "x"}, "template is given with state killed"),
    ],
)
def test_bad_options(run_demo: Runner, demo: Simulator, options: dict[str, t.Any], text: str) -> None:
    assert text in run_demo.failed(DET_TASK, **options)
    assert not demo.journal


def test_unknown_names(run_demo: Runner, demo: Simulator) -> None:
    assert "Nearest: 'research'" in run_demo.failed(DET_TASK, **NOTEBOOK, workspace="reserch")
    assert "there is no such user" in run_demo.failed(DET_TASK, state="killed", users=["nobody"])
    text = run_demo.failed(DET_TASK, state="killed", resource_pool="defalt")
    assert text == "resource_pool is 'defalt': there is no such resource pool. Nearest: 'default'."
    assert "experiment '999' not found" in run_demo.failed(DET_TASK, type="tensorboard", experiments=[999])
    assert "template 'none' not found" in run_demo.failed(DET_TASK, **NOTEBOOK, template="none")
    assert writes(demo) == ["tensorboards", "notebooks"]


def test_the_server_s_words_on_what_it_refuses(run: Runner) -> None:
    """No agent, so no slot."""
    text = run.failed(DET_TASK, type="notebook", description="x")
    assert "request unfulfillable, please try requesting less slots" in text
    assert "no such task was created" in text
    assert 'unknown field "bogus"' in run.failed(
        DET_TASK, type="notebook", description="x", config={**ZERO, "bogus": 1}
    )


def test_a_refused_configuration_is_not_repeated(run: Runner) -> None:
    """The server's text has all of it."""
    config = {**ZERO, "bogus": 1, "environment": {"environment_variables": ["A=canary {b}: c"]}}
    result = run(DET_TASK, type="notebook", description="x", config=config)
    assert (
        'unable to decode the merged config: (not shown): json: unknown field "bogus"' in result["failure"]["message"]
    )
    assert "canary" not in json.dumps(result)


# -- waiting


def test_a_task_that_no_agent_takes_waits_in_its_queue(run: Runner, sim: Simulator) -> None:
    text = run.failed(DET_TASK, **NOTEBOOK, wait_timeout=0)
    assert "Not reached within wait_timeout (0 s)" in text
    assert "('mine') is queued." in text
    queued = run.ok(DET_TASK, **NOTEBOOK, wait=False)
    assert (queued["changed"], queued["task"]["state"]) == (False, "queued")
    predicted = run.ok(DET_TASK, True, type="shell", description="s", config=ZERO, wait=False)
    assert predicted["task"]["state"] == "queued"
    # What is queued ends at once.
    for check in (True, False):
        killed = run.ok(DET_TASK, check, type="notebook", description="mine", state="killed", wait=False)
        assert (killed["changed"], killed["task"]["state"]) == (True, "terminated")


def test_without_wait_the_end_is_seen_later(run_demo: Runner, demo: Simulator) -> None:
    options = {"type": "shell", "description": "debug ranking", "workspace": "production", "state": "killed"}
    demo.master.async_delay = 30
    for check in (True, False):
        result = run_demo.ok(DET_TASK, check, **options, wait=False)
        assert (result["changed"], result["task"]["state"]) == (True, "terminating")
    assert not run_demo.ok(DET_TASK, **options, wait=False)["changed"]
    assert "is terminating" in run_demo.failed(DET_TASK, **options, wait_timeout=0)


def test_one_that_ends_before_it_runs(run: Runner, sim: Simulator) -> None:
    for kind, fails in (("notebook", True), ("command", False)):
        made = run.ok(DET_TASK, type=kind, description="x", config=ZERO, wait=False)["task"]["id"]
        row = sim.master.tasks[made]
        row.state = "STARTING"
        threading.Timer(0.1, lambda row=row: row.finish(sim.master.now())).start()
        result = run(DET_TASK, type=kind, description="x", config=ZERO, **FAST)
        if fails:
            assert "is terminated by now and did not come to run: allocation exited successfully." in result["msg"]
        else:
            assert (result["changed"], result["task"]["state"]) == (False, "terminated")


# -- writes that go wrong


def test_a_lost_launch_is_found_again(run_demo: Runner, demo: Simulator) -> None:
    demo.faults.add(Fault("lost", method="POST", path="/notebooks"))
    result = run_demo.ok(DET_TASK, **NOTEBOOK)
    assert (result["changed"], len(rows(demo, "notebook", "mine"))) == (True, 1)
    assert "Read again: the task is as declared." in run_demo.warnings[0]


def test_a_lost_kill_is_found_again(run_demo: Runner, demo: Simulator) -> None:
    demo.faults.add(Fault("lost", method="POST", path="/kill"))
    options = {"type": "shell", "description": "debug ranking", "workspace": "production", "state": "killed", **FAST}
    assert run_demo.ok(DET_TASK, **options)["changed"]
    assert [path for path in writes(demo) if path.endswith("/kill")] == writes(demo)
    assert len(writes(demo)) == 1


def test_a_kill_that_is_refused(run_demo: Runner, demo: Simulator) -> None:
    demo.faults.add(Fault("status", method="POST", path="/kill", status=500, body={"error": {"error": "broken"}}))
    text = run_demo.failed(DET_TASK, type="shell", description="debug ranking", workspace="production", state="killed")
    assert "broken" in text
    assert "state did not change" in text


# -- many

# The fixture's live tasks: description, type, age, owner, workspace, pool.
OPEN = {"data exploration", "augmentation", "debug ranking", "copy dataset", "TensorBoard (evenly-calm-otter)"}
SELECTED: list[tuple[dict[str, t.Any], set[str]]] = [
    ({"older_than": "7d"}, {"data exploration"}),
    ({"older_than": "1d"}, {"data exploration", "debug ranking", "TensorBoard (evenly-calm-otter)"}),
    ({"older_than": "30m"}, OPEN),
    ({"older_than": "30d"}, set()),
    ({"users": ["bjarne.holm"]}, {"augmentation", "TensorBoard (evenly-calm-otter)"}),
    ({"users": ["bjarne.holm", "jonas.weber"], "type": "command"}, {"copy dataset"}),
    ({"users": ["admin"]}, set()),
    ({"resource_pool": "gpu"}, {"augmentation"}),
    ({"resource_pool": "default", "workspace": "research"}, OPEN - {"augmentation", "debug ranking"}),
    ({"older_than": "1h", "users": ["carla.mendes", "svc-gitops"], "type": "shell"}, {"debug ranking"}),
]


@pytest.mark.parametrize(("options", "expected"), SELECTED)
def test_many_are_killed_by_what_they_are(
    run_demo: Runner, demo: Simulator, options: dict[str, t.Any], expected: set[str]
) -> None:
    options = {**options, "state": "killed", **FAST}
    predicted = run_demo.ok(DET_TASK, check=True, **options)
    assert writes(demo) == []
    done = run_demo.ok(DET_TASK, **options)
    assert predicted["tasks"] == done["tasks"]
    assert predicted["counts"] == done["counts"]
    assert (predicted["changed"], done["changed"]) == (bool(expected), bool(expected))
    assert {one["description"] for one in done["tasks"]} == expected
    assert all(one["action"] == "update" for one in done["tasks"])
    assert all(
        (one["before"], one["after"]) == ({"state": "running"}, {"state": "terminated"}) for one in done["tasks"]
    )
    assert done["counts"] == {
        "found": len(expected),
        "changed": len(expected),
        "removed": 0,
        "unchanged": 0,
        "failed": 0,
    }
    assert len(writes(demo)) == len(expected)
    left = {row.config["description"] for row in demo.master.tasks.values() if row.state == "RUNNING"}
    assert left == OPEN - expected
    again = run_demo.ok(DET_TASK, **options)
    assert (again["changed"], again["tasks"]) == (False, [])


def test_many_have_a_diff_and_no_secret(run_demo: Runner, demo: Simulator) -> None:
    result = run_demo.ok(DET_TASK, state="killed", older_than="7d", **FAST)
    (who,) = result["diff"]["before"]
    assert "data exploration" in who
    assert result["diff"]["after"][who] == {"state": "terminated"}
    assert "CANARY" not in json.dumps(result)


def test_one_of_many_that_can_not_be_killed_fails_the_task(run_demo: Runner, demo: Simulator) -> None:
    demo.faults.add(
        Fault(
            "status", method="POST", path="/shells/", status=403, body={"error": {"code": 7, "error": "access denied"}}
        )
    )
    result = run_demo(DET_TASK, state="killed", older_than="1d", **FAST)
    assert [one["description"] for one in result["failures"]] == ["debug ranking"]
    assert "1 of 3 tasks failed" in result["msg"]
    assert "access denied" in result["msg"]
    assert "2 were changed" in result["msg"]
    assert {one["description"]: one["action"] for one in result["tasks"]} == {
        "data exploration": "update",
        "TensorBoard (evenly-calm-otter)": "update",
        "debug ranking": "failed",
    }
    assert rows(demo, "shell")[0].state == "RUNNING"


def test_a_lost_answer_among_many_is_settled_by_looking(run_demo: Runner, demo: Simulator) -> None:
    demo.faults.add(Fault("lost", method="POST", path="/kill"))
    result = run_demo.ok(DET_TASK, state="killed", resource_pool="gpu", **FAST)
    assert result["counts"]["changed"] == 1
    assert "is as declared" in run_demo.warnings[0]


def test_many_that_do_not_end_in_time(run_demo: Runner, demo: Simulator) -> None:
    demo.master.async_delay = 30
    result = run_demo(DET_TASK, state="killed", resource_pool="gpu", wait_timeout=0, **FAST)
    assert "This one is terminating" in result["msg"]
    assert result["counts"]["failed"] == 1


# -- reading


def descriptions(result: dict[str, t.Any]) -> list[str]:
    return [one["description"] for one in result["tasks"]]


def test_all_tasks(run_demo: Runner) -> None:
    result = run_demo.ok(DET_TASK_INFO)
    assert (set(descriptions(result)), result["total"], result["requests"]) == (OPEN | {"scratch"}, 6, 4)
    assert [one["type"] for one in result["tasks"]] == [*["notebook"] * 3, "shell", "command", "tensorboard"]
    assert not result["changed"]


@pytest.mark.parametrize(
    ("options", "expected", "calls"),
    [
        ({"types": ["notebook"]}, ["data exploration", "augmentation", "scratch"], 1),
        ({"types": ["shell", "command"]}, ["debug ranking", "copy dataset"], 2),
        ({"states": ["terminated"]}, ["scratch"], 4),
        ({"users": ["bjarne.holm"], "types": ["notebook"]}, ["augmentation"], 2),
        ({"workspace": "production"}, ["debug ranking"], 5),
        ({"resource_pool": "gpu"}, ["augmentation"], 4),
        ({"resource_pool": "none"}, [], 4),
        ({"description": "copy dataset"}, ["copy dataset"], 4),
        ({"description": "copy"}, [], 4),
        ({"id": "none"}, [], 4),
        ({"types": ["notebook"], "limit": 1}, ["data exploration"], 1),
    ],
)
def test_filters(run_demo: Runner, options: dict[str, t.Any], expected: list[str], calls: int) -> None:
    result = run_demo.ok(DET_TASK_INFO, **options)
    assert descriptions(result) == expected
    assert result["requests"] == calls
    assert result["total"] == (3 if "limit" in options else len(expected))


def test_configurations_and_addresses_without_secrets(run_demo: Runner, demo: Simulator) -> None:
    result = run_demo.ok(DET_TASK_INFO, include=["config"])
    text = json.dumps(result)
    assert "WANDB_API_KEY=********" in text
    assert "CANARY" not in text
    assert "v2.public." not in text
    assert "PRIVATE KEY" not in text
    assert result["tasks"][0]["service_address"].endswith("/?token=********")
    assert (result["tasks"][0]["priority"], result["tasks"][0]["config"]["resources"]["slots"]) == (42, 0)
    assert result["requests"] == 4 + 6


def test_one_that_is_forgotten_meanwhile(run_demo: Runner, demo: Simulator) -> None:
    ended = rows(demo, "notebook", "scratch")[0]
    demo.faults.add(
        Fault("status", path=ended.id, status=404, body={"error": {"code": 5, "error": "notebook not found"}})
    )
    result = run_demo.ok(DET_TASK_INFO, types=["notebook"], include=["config"])
    assert (descriptions(result), result["total"]) == (["data exploration", "augmentation"], 2)
    demo.master.clock_offset = timedelta(hours=25)
    assert "scratch" not in descriptions(run_demo.ok(DET_TASK_INFO))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"limit": 0}, "limit is 0"),
        ({"types": []}, "types is empty"),
        ({"states": []}, "states is empty"),
        ({"users": []}, "users is empty"),
        ({"types": ["trial"]}, "value of types must be one or more of"),
    ],
)
def test_bad_filters(run_demo: Runner, demo: Simulator, options: dict[str, t.Any], text: str) -> None:
    assert text in run_demo.failed(DET_TASK_INFO, **options)
    assert not demo.journal


# -- rights


def test_under_rbac_what_may_not_be_seen_is_not_there() -> None:
    with Simulator(fixture="demo", authz="rbac") as sim:
        admin, viewer = Runner(sim, **ADMIN), Runner(sim, **{**ADMIN, "auth_username": "grace.lindqvist"})
        nobody = Runner(sim, **{**ADMIN, "auth_username": "hugo.martin"})
        assert admin.ok(DET_TASK_INFO)["total"] == viewer.ok(DET_TASK_INFO)["total"] == 6
        assert nobody.ok(DET_TASK_INFO)["total"] == 0
        result = viewer(DET_TASK, state="killed", older_than="7d")
        assert "PERMISSION_TYPE_UPDATE_NSC" in result["msg"]
        assert result["counts"]["failed"] == 1
        assert "PERMISSION_TYPE_CREATE_NSC" in viewer.failed(DET_TASK, **NOTEBOOK)
        for runner in (admin, viewer, nobody):
            runner.close()
