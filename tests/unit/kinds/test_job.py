# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs, against the simulated master; the demo fixture has experiments and tasks that run, wait and are paused."""

from __future__ import annotations

import typing as t

import pytest
import requests

from ansible_collections.determined.ai.plugins.modules.det_job import OPERATION
from ansible_collections.determined.ai.plugins.modules.det_job_info import OPERATION as INFO
from tests.simulator import Fault, Simulator
from tests.unit.conftest import Runner

VOLATILE = ("state", "jobs_ahead", "allocated_slots", "progress", "is_preemptible")


def writes(sim: Simulator) -> list[tuple[str, str]]:
    """What the journal holds beside reads and logins."""
    return [(entry.method, entry.path) for entry in sim.journal if entry.method != "GET" and "/auth/" not in entry.path]


def known(job: dict[str, t.Any]) -> dict[str, t.Any]:
    """The job without what moves by itself."""
    return {name: value for name, value in job.items() if name not in VOLATILE}


def experiment(sim: Simulator, state: str, allocation: str | None = None) -> t.Any:
    """An experiment of the demo cluster in a state."""
    return next(
        row
        for row in sim.master.experiments.values()
        if row.state == state and not row.unmanaged and allocation in (None, row.allocation)
    )


def task(sim: Simulator, kind: str) -> t.Any:
    """A task of the demo cluster that has not ended."""
    return next(row for row in sim.master.tasks.values() if row.kind == kind and row.ended is None)


def call(sim: Simulator, method: str, path: str, body: t.Any = None) -> None:
    """Make a call as the administrator."""
    header = {"Authorization": f"Bearer {sim.login()}"}
    requests.request(method, f"{sim.url}/api/v1/{path}", json=body, headers=header, timeout=10).raise_for_status()


def other_pool(job: dict[str, t.Any]) -> str:
    """The pool that it is not in."""
    return {"default": "gpu", "gpu": "default"}[job["resource_pool"]]


CHANGES: dict[str, dict[str, t.Any]] = {
    "priority": {"priority": 3},
    "weight": {"weight": 2.5},
    "both": {"priority": 99, "weight": 7},
    "pool": {"resource_pool": "?"},
    "all": {"priority": 1, "weight": 0.5, "resource_pool": "?"},
}


@pytest.mark.parametrize("case", CHANGES)
@pytest.mark.parametrize("which", ["queued", "running", "paused", "job", "task"])
def test_a_change_is_predicted_made_and_not_made_again(
    demo: Simulator, run_demo: Runner, which: str, case: str
) -> None:
    if which == "task":
        who: dict[str, t.Any] = {"task": task(demo, "command").id}
    elif which == "paused":
        who = {"experiment": experiment(demo, "PAUSED").id}
    else:
        row = experiment(demo, "ACTIVE", "QUEUED" if which == "queued" else "RUNNING")
        who = {"job": row.job_id} if which == "job" else {"experiment": row.id}
    start = run_demo.ok(OPERATION, check=True, **who, priority=50)["diff"]["before"]
    declared = {name: other_pool(start) if value == "?" else value for name, value in CHANGES[case].items()}
    options = {**who, **declared}
    demo.journal.clear()
    if which == "task" and "resource_pool" in declared:
        message = run_demo.failed(OPERATION, **options)
        assert "only experiments can move to another pool" in message
        assert writes(demo) == []
        return
    predicted = run_demo.ok(OPERATION, check=True, **options)
    assert writes(demo) == []
    result = run_demo.ok(OPERATION, **options)
    assert predicted["changed"]
    assert result["changed"]
    assert known(predicted["job"]) == known(result["job"]) == {**known(start), **declared}
    for name, value in declared.items():
        assert result["diff"]["before"][name] == start[name]
        assert result["diff"]["after"][name] == predicted["diff"]["after"][name] == value
    demo.journal.clear()
    again = run_demo.ok(OPERATION, **options)
    assert not again["changed"]
    assert "diff" not in again
    assert known(again["job"]) == known(result["job"])
    assert writes(demo) == []


def test_the_cost_of_an_unchanged_job(demo: Simulator, run_demo: Runner) -> None:
    paused, active = experiment(demo, "PAUSED"), experiment(demo, "ACTIVE")
    row = task(demo, "shell")
    pools = len(demo.master.resource_pools)
    for options, calls in (
        ({"experiment": paused.id, "resource_pool": paused.base.pool}, 1),
        ({"experiment": active.id, "resource_pool": active.base.pool}, 2),
        ({"task": row.id, "priority": 42}, 1 + pools),
        ({"job": row.job_id, "priority": 42}, 1 + pools),
    ):
        result = run_demo.ok(OPERATION, **options)
        assert (result["changed"], result["requests"]) == (False, calls)


def test_the_same_pool_again_is_no_call(demo: Simulator, run_demo: Runner) -> None:
    # To the server it is an error.
    row = experiment(demo, "ACTIVE")
    result = run_demo.ok(OPERATION, experiment=row.id, resource_pool=row.base.pool, priority=7)
    assert result["changed"]
    assert writes(demo) == [("PATCH", f"/api/v1/experiments/{row.id}")]
    running = task(demo, "notebook")
    assert not run_demo.ok(OPERATION, task=running.id, resource_pool=running.pool)["changed"]


def test_name_and_labels_that_were_given_since_survive(demo: Simulator, run_demo: Runner) -> None:
    row = experiment(demo, "PAUSED")
    edits = {"name": "renamed", "description": "new", "labels": ["x", "y"]}
    call(demo, "PATCH", f"experiments/{row.id}", edits)
    run_demo.ok(OPERATION, experiment=row.id, priority=5, weight=3)
    assert (row.name, row.description, sorted(row.labels)) == ("renamed", "new", ["x", "y"])
    pool = {"default": "gpu", "gpu": "default"}[row.base.pool]
    result = run_demo.ok(OPERATION, experiment=row.id, priority=6, resource_pool=pool)
    assert (row.name, row.description, sorted(row.labels)) == ("renamed", "new", ["x", "y"])
    assert result["job"]["name"] == "renamed"
    assert (row.base.pool, row.base.data["resources"]["priority"]) == (pool, 6)
    # The server alone would have taken them back.
    call(demo, "POST", "job-queues", {"updates": [{"jobId": row.job_id, "weight": 4}]})
    assert row.name != "renamed"


def test_what_a_move_took_and_could_not_be_given_back_is_named(demo: Simulator, run_demo: Runner) -> None:
    row = experiment(demo, "PAUSED")
    call(demo, "PATCH", f"experiments/{row.id}", {"name": "renamed"})
    pool = {"default": "gpu", "gpu": "default"}[row.base.pool]
    demo.faults.add(Fault("status", method="PATCH", status=500, body={"error": {"code": 13, "error": "disk full"}}))
    message = run_demo.failed(OPERATION, experiment=row.id, resource_pool=pool, priority=6)
    assert f"The move took from experiment {row.id} what it had been given since the start of the master" in message
    assert "name 'renamed'" in message
    assert "disk full" in message
    assert "Read again, of the job: resource_pool changed; priority did not change." in message


def test_a_lost_move_is_settled_and_gives_back_all_the_same(demo: Simulator, run_demo: Runner) -> None:
    row = experiment(demo, "PAUSED")
    call(demo, "PATCH", f"experiments/{row.id}", {"name": "renamed"})
    pool = {"default": "gpu", "gpu": "default"}[row.base.pool]
    demo.faults.add(Fault("lost", method="POST", path="/job-queues$"))
    assert run_demo.ok(OPERATION, experiment=row.id, resource_pool=pool)["changed"]
    assert "the job is as declared" in run_demo.warnings[0]
    assert (row.name, row.base.pool) == ("renamed", pool)
    assert [path for method, path in writes(demo) if method == "POST"].count("/api/v1/job-queues") == 1


def test_a_yes_that_changed_nothing_is_a_failure(demo: Simulator, run_demo: Runner) -> None:
    row = task(demo, "command")
    demo.faults.add(Fault("shape", method="POST", path="/job-queues$", body={}))
    message = run_demo.failed(OPERATION, task=row.id, priority=3)
    assert row.config["resources"]["priority"] != 3
    assert f"answered 200, but command {row.id} ('copy dataset') still has priority 42" in message


@pytest.mark.parametrize(
    ("who", "declared", "sentence"),
    [
        ("command", {"priority": 3}, "where only the priority of experiments can be changed"),
        ("command", {"weight": 3}, "which knows no weights; the master would say yes and do nothing"),
        ("experiment", {"weight": 3}, "which knows no weights; the master would say yes and do nothing"),
    ],
)
def test_kubernetes(demo: Simulator, run_demo: Runner, who: str, declared: dict[str, t.Any], sentence: str) -> None:
    for pool in demo.master.resource_pools.values():
        pool["schedulerType"] = "SCHEDULER_TYPE_KUBERNETES"
    options = {"experiment": experiment(demo, "ACTIVE").id} if who == "experiment" else {"task": task(demo, who).id}
    for check in (True, False):
        assert sentence in run_demo.failed(OPERATION, check=check, **options, **declared)
    assert writes(demo) == []
    assert run_demo.ok(OPERATION, experiment=experiment(demo, "ACTIVE").id, priority=3)["changed"]


@pytest.mark.parametrize(("scheduler", "warned"), [("PRIORITY", "weight"), ("FAIR_SHARE", "priority")])
def test_what_the_scheduler_does_not_heed_is_warned_of(
    demo: Simulator, run_demo: Runner, scheduler: str, warned: str
) -> None:
    for pool in demo.master.resource_pools.values():
        pool["schedulerType"] = f"SCHEDULER_TYPE_{scheduler}"
    assert run_demo.ok(OPERATION, experiment=experiment(demo, "ACTIVE").id, priority=3, weight=3)["changed"]
    assert [text.split()[0] for text in run_demo.warnings] == [warned]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"experiment": 0, "priority": 3}, "experiment is 0: an experiment's id is between 1"),
        ({"experiment": 1, "priority": 0}, "priority is 0: it must be between 1 and 99"),
        ({"experiment": 1, "priority": 100}, "priority is 100"),
        ({"experiment": 1, "weight": 0}, "weight is 0: it must be more than 0"),
        ({"experiment": 1, "weight": -1.5}, "weight is -1.5"),
        ({"experiment": 1, "resource_pool": ""}, "resource_pool is empty"),
        ({"job": " ", "priority": 1}, "job is empty"),
        ({"task": "", "priority": 1}, "task is empty"),
        ({"experiment": 1}, "one of the following is required: resource_pool, priority, weight"),
        ({"priority": 1}, "one of the following is required: job, experiment, task"),
        ({"experiment": 1, "task": "x", "priority": 1}, "mutually exclusive"),
    ],
)
def test_what_is_refused_before_any_call(
    demo: Simulator, run_demo: Runner, options: dict[str, t.Any], sentence: str
) -> None:
    assert sentence in run_demo.failed(OPERATION, **options)
    assert demo.journal == []


def test_what_has_ended_or_is_not_there_is_refused(demo: Simulator, run_demo: Runner) -> None:
    ended = next(row for row in demo.master.tasks.values() if row.ended is not None)
    unmanaged = next(row for row in demo.master.experiments.values() if row.unmanaged)
    trial = next(iter(demo.master.trials.values()))
    for options, sentence in (
        ({"experiment": experiment(demo, "COMPLETED").id}, "it is completed, and what has ended has no job any more"),
        ({"experiment": 999999}, "experiment is 999999: there is no such experiment, or you may not see it"),
        ({"experiment": unmanaged.id}, "it is unmanaged; not the master runs it, so it has no job"),
        ({"task": ended.id}, "it has ended, and what has ended has no job any more"),
        ({"task": "nope"}, "task is 'nope': there is no such task"),
        ({"task": "a/b"}, "task is 'a/b': there is no such task"),
        ({"task": trial.task_id}, f"task is '{trial.task_id}': "),
        ({"task": str(experiment(demo, "ACTIVE").id)}, "there is no such task"),
        ({"job": ended.job_id}, "it is in no queue that you may see"),
        ({"job": experiment(demo, "PAUSED").job_id}, "an experiment that is paused, which is found by its number"),
    ):
        assert sentence in run_demo.failed(OPERATION, **options, priority=3), options
    assert writes(demo) == []


def test_an_unknown_pool_is_told_with_the_nearest(demo: Simulator, run_demo: Runner) -> None:
    message = run_demo.failed(OPERATION, experiment=experiment(demo, "ACTIVE").id, resource_pool="defualt")
    assert message == (
        "resource_pool is 'defualt': there is no such resource pool, or you may not see it. Nearest: 'default'."
    )
    assert writes(demo) == []


def test_a_pool_that_the_workspace_may_not_use(demo: Simulator, run_demo: Runner) -> None:
    row = experiment(demo, "PAUSED")
    pool = {"default": "gpu", "gpu": "default"}[row.base.pool]
    demo.master.pool_bindings[pool] = {999: None}
    message = run_demo.failed(OPERATION, experiment=row.id, resource_pool=pool)
    assert f"invalid resource pool name {pool}" in message
    assert "Read again, of the job: resource_pool did not change." in message


# --- det_job_info ---


def test_info_reads_the_queues_of_all_pools(demo: Simulator, run_demo: Runner) -> None:
    result = run_demo.ok(INFO)
    live = [row for row in demo.master.experiments.values() if row.live and row.state == "ACTIVE"]
    tasks = [row for row in demo.master.tasks.values() if row.ended is None]
    assert {job["id"] for job in result["jobs"]} == {row.job_id for row in [*live, *tasks]}
    assert result["total"] == len(live) + len(tasks)
    assert result["requests"] == 1 + len(demo.master.resource_pools)
    assert {job["type"] for job in result["jobs"]} == {"experiment", "notebook", "shell", "command", "tensorboard"}
    assert {job["state"] for job in result["jobs"]} == {"queued", "scheduled"}


def test_info_filters(demo: Simulator, run_demo: Runner) -> None:
    everything = run_demo.ok(INFO)["jobs"]
    workspaces = {row.name: row.id for row in demo.master.workspaces.values()}
    filters: dict[str, tuple[dict[str, t.Any], t.Callable[[dict[str, t.Any]], bool]]] = {
        "pool": ({"resource_pool": "gpu"}, lambda job: job["resource_pool"] == "gpu"),
        "types": ({"types": ["notebook", "shell"]}, lambda job: job["type"] in ("notebook", "shell")),
        "states": ({"states": ["queued"]}, lambda job: job["state"] == "queued"),
        "users": ({"users": ["bjarne.holm"]}, lambda job: job["username"] == "bjarne.holm"),
        "workspace": ({"workspace": "production"}, lambda job: job["workspace_id"] == workspaces["production"]),
        "two": (
            {"types": ["experiment"], "states": ["scheduled"]},
            lambda job: (job["type"], job["state"]) == ("experiment", "scheduled"),
        ),
    }
    for options, matches in filters.values():
        result = run_demo.ok(INFO, **options)
        expected = [job["id"] for job in everything if matches(job)]
        assert 0 < len(expected) < len(everything), options
        assert [job["id"] for job in result["jobs"]] == expected
        assert result["total"] == len(expected)
    assert run_demo.ok(INFO, limit=1)["total"] == len(everything)


def test_info_refuses_what_is_not_there(run_demo: Runner) -> None:
    assert "resource_pool is 'gpus': there is no such resource pool" in run_demo.failed(INFO, resource_pool="gpus")
    assert "resource_pool is empty" in run_demo.failed(INFO, resource_pool="")
    assert "Nearest: 'bjarne.holm'" in run_demo.failed(INFO, users=["bjarne.hulm"])
    assert "workspace is 'nope'" in run_demo.failed(INFO, workspace="nope")
    assert "limit is 0" in run_demo.failed(INFO, limit=0)


def test_info_reads_a_queue_of_more_than_a_hundred(demo: Simulator, run_demo: Runner) -> None:
    import dataclasses

    row = task(demo, "command")
    for number in range(150):
        demo.master.tasks[f"t{number}"] = dataclasses.replace(row, id=f"t{number}", job_id=f"j{number:03}")
    assert run_demo.ok(INFO, types=["command"])["total"] == 151


def test_what_the_caller_may_not_see_is_counted_all_the_same() -> None:
    with Simulator(fixture="demo", authz="rbac") as rbac:
        admin = Runner(rbac)
        whole = admin.ok(INFO)
        runner = Runner(rbac, auth_username="svc-nightly", auth_password="Passw0rd-demo")
        seen = runner.ok(INFO)
        pools = {name for name in rbac.master.resource_pools if not rbac.master.pool_bindings.get(name)}
        assert {job["id"] for job in seen["jobs"]} == {
            job["id"] for job in whole["jobs"] if job["resource_pool"] in pools
        }
        assert {job["username"] for job in seen["jobs"]} == {None}
        assert {job["entity_id"] for job in seen["jobs"]} == {None}
        hidden = next(job for job in seen["jobs"] if job["type"] == "experiment")
        message = runner.failed(OPERATION, job=hidden["id"], priority=1)
        assert "it belongs to an experiment that you may not see" in message
        for one in (admin, runner):
            one.close()
