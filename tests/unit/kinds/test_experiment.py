# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""One experiment: the table that every kind passes, and each asymmetry of the server's verbs."""

from __future__ import annotations

import threading
import typing as t

import pytest

from ansible_collections.determined.ai.plugins.modules.det_experiment import OPERATION as DET_EXPERIMENT
from tests.simulator import Simulator
from tests.simulator.server import Fault
from tests.unit.conftest import ADMIN, Runner

# The demo fixture's experiments.
REGISTERED, COMPLETED, DELETABLE, RUNNING, ARCHIVED, WITH_CHECKPOINT, QUEUED, PAUSED = 1, 2, 4, 6, 7, 9, 14, 25
IN_ATTIC, DELETE_FAILED, UNMANAGED = 27, 28, 31


def writes(sim: Simulator) -> list[tuple[str, str]]:
    return [
        (entry.method, entry.path.removeprefix("/api/v1/"))
        for entry in sim.journal
        if entry.method != "GET" and "/auth/" not in entry.path
    ]


def stable(experiment: dict[str, t.Any]) -> dict[str, t.Any]:
    return {name: value for name, value in experiment.items() if name != "end_time"}


def row(sim: Simulator, number: int) -> t.Any:
    return sim.master.experiments[number]


# -- the table

STEPS: list[dict[str, t.Any]] = [
    {"description": "Every night"},
    {"description": ""},
    {"notes": "# Why\nBecause."},
    {"notes": ""},
    {"labels": ["b", "a", "c", "a"]},
    {"labels": ["d", "a"], "labels_mode": "add"},
    {"labels": ["d", "z"], "labels_mode": "remove"},
    {"labels": ["with, comma"]},
    {"labels": []},
    {"new_name": "nightly-of-old"},
    {"priority": 10},
    {"weight": 2.5},
    {"max_slots": 4},
    {"move_to_project": "ranking"},
    {"move_to_project": "vision", "move_to_workspace": "research"},
    {"lifecycle": "active"},
    {"lifecycle": "paused"},
    {"lifecycle": "active", "priority": 20, "weight": 1, "max_slots": 0, "description": "Last run"},
    {"lifecycle": "killed", "archived": True, "labels": ["done"], "move_to_project": "language"},
    {"archived": False},
    {"archived": True},
    {"archived": True, "move_to_project": "nightly", "move_to_workspace": "production"},
    {"archived": False, "move_to_project": "ranking", "new_name": "put back"},
    {"state": "absent"},
]


def test_change_each_option_and_remove(run_demo: Runner, demo: Simulator) -> None:
    """Each step: predicted in check mode without a write, done, and unchanged with one call the second time."""
    for step in STEPS:
        before = writes(demo)
        predicted = run_demo.ok(DET_EXPERIMENT, check=True, id=PAUSED, **step)
        assert writes(demo) == before, step
        done = run_demo.ok(DET_EXPERIMENT, id=PAUSED, **step)
        assert (predicted["changed"], done["changed"]) == (True, True), step
        assert done["diff"] == predicted["diff"], step
        assert done["diff"]["before"] != done["diff"]["after"], step
        if step.get("state"):
            assert predicted["experiment"] is done["experiment"] is None
        else:
            assert stable(predicted["experiment"]) == stable(done["experiment"]), step
            assert "config" not in done["experiment"]
        again = run_demo.ok(DET_EXPERIMENT, id=PAUSED, **step)
        assert not again["changed"], step
        assert "diff" not in again
        assert again["experiment"] == done["experiment"]
        assert again["requests"] == 1, step
    assert PAUSED not in demo.master.experiments


def test_every_option_is_in_the_table() -> None:
    tried = {option for step in STEPS for option in step}
    identity, waiting = {"id", "name", "project", "workspace"}, {"wait", "wait_timeout", "wait_interval"}
    assert tried | identity | waiting == set(DET_EXPERIMENT.arguments.spec)


def test_all_at_once_is_done_in_an_order_that_the_server_takes(run_demo: Runner, demo: Simulator) -> None:
    run_demo.ok(
        DET_EXPERIMENT,
        id=RUNNING,
        archived=True,
        lifecycle="canceled",
        priority=3,
        notes="Over",
        move_to_project="language",
    )
    verbs = [(method, path.rpartition("/")[2]) for method, path in writes(demo)]
    assert verbs == [("PATCH", str(RUNNING)), ("POST", "move"), ("POST", "cancel"), ("POST", "archive")]
    found = row(demo, RUNNING)
    assert (found.state, found.archived, found.notes, found.base.data["resources"]["priority"]) == (
        "CANCELED",
        True,
        "Over",
        3,
    )


def test_an_archived_one_is_unarchived_before_all_else(run_demo: Runner, demo: Simulator) -> None:
    run_demo.ok(DET_EXPERIMENT, id=ARCHIVED, archived=False, description="Back", move_to_project="language")
    verbs = [path.rpartition("/")[2] for _method, path in writes(demo)]
    assert verbs == ["unarchive", str(ARCHIVED), "move"]


# -- by name


def test_by_name(run_demo: Runner) -> None:
    place = {"name": "vit-small", "project": "vision", "workspace": "research"}
    assert run_demo.ok(DET_EXPERIMENT, **place)["experiment"]["id"] == 4


def test_a_rename_and_a_move_find_it_again(run_demo: Runner, demo: Simulator) -> None:
    step = {
        "name": "vit-small",
        "project": "vision",
        "workspace": "research",
        "new_name": "100%_vit\\small",
        "move_to_project": "ranking",
        "move_to_workspace": "production",
    }
    assert run_demo.ok(DET_EXPERIMENT, **step)["changed"]
    again = run_demo.ok(DET_EXPERIMENT, **step)
    assert not again["changed"]
    assert (again["experiment"]["name"], again["experiment"]["project_name"]) == ("100%_vit\\small", "ranking")
    assert again["experiment"]["id"] == 4


def test_half_a_rename_and_move_is_finished(run_demo: Runner, demo: Simulator) -> None:
    row(demo, 4).name = "vit"
    step = {"name": "vit-small", "new_name": "vit", "move_to_project": "language"}
    done = run_demo.ok(DET_EXPERIMENT, project="vision", workspace="research", **step)
    assert (done["experiment"]["id"], done["experiment"]["project_name"]) == (4, "language")


def test_a_name_must_be_unique(run_demo: Runner, demo: Simulator) -> None:
    row(demo, 5).name = "vit-small"
    text = run_demo.failed(DET_EXPERIMENT, name="vit-small", project="vision", workspace="research", description="x")
    assert "2 experiments answer to it, 4 ('vit-small' in 'vision'), 5 ('vit-small' in 'vision')" in text
    assert not writes(demo)


def test_the_server_s_substrings_and_case_are_not_equality(run_demo: Runner) -> None:
    found = run_demo.ok(DET_EXPERIMENT, name="bert-news", project="language", workspace="research")
    assert found["experiment"]["id"] == 10
    text = run_demo.failed(DET_EXPERIMENT, name="BERT-news", project="language", workspace="research")
    assert "no such experiment in the project 'language' of 'research'" in text
    assert "Nearest: 'bert-news'" in text


def test_an_absent_one_must_be_there_unless_it_is_to_be_absent(run_demo: Runner) -> None:
    assert run_demo.failed(DET_EXPERIMENT, id=999) == "id is 999: there is no such experiment, or you may not see it."
    result = run_demo.ok(DET_EXPERIMENT, id=999, state="absent")
    assert (result["changed"], result["experiment"], result["requests"]) == (False, None, 1)
    place = {"project": "vision", "workspace": "research"}
    assert not run_demo.ok(DET_EXPERIMENT, name="no", state="absent", **place)["changed"]
    # What was in a project or workspace that is gone by now is gone as well.
    for gone in ({**place, "project": "none"}, {**place, "workspace": "none"}):
        assert not run_demo.ok(DET_EXPERIMENT, name="no", state="absent", **gone)["changed"]


def test_that_one_is_gone_is_not_said_by_who_may_not_see_it() -> None:
    with Simulator(fixture="demo", authz="rbac") as demo:
        blind = Runner(demo, **{**ADMIN, "auth_username": "hugo.martin"})
        for which in ({"id": COMPLETED}, {"name": "vit-small", "project": "vision", "workspace": "research"}):
            assert not blind.ok(DET_EXPERIMENT, **which, state="absent")["changed"]
            assert "not proved: 'hugo.martin' lacks VIEW_EXPERIMENT_METADATA cluster-wide" in blind.warnings[0]
        blind.close()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "one of the following is required: id, name"),
        ({"id": 1, "name": "x", "project": "p", "workspace": "w"}, "mutually exclusive"),
        ({"name": "x"}, "missing parameter(s) required by 'name'"),
        ({"id": 1, "move_to_workspace": "research"}, "missing parameter(s) required by 'move_to_workspace'"),
        ({"id": 0}, "id is 0"),
        ({"id": 2**31}, "between 1 and 2147483647"),
        ({"id": 1, "new_name": " "}, "new_name is empty"),
        ({"id": 1, "priority": 0}, "priority is 0: it must be between 1 and 99"),
        ({"id": 1, "priority": 100}, "priority is 100"),
        ({"id": 1, "weight": -1}, "weight is -1.0"),
        ({"id": 1, "max_slots": -1}, "max_slots is -1"),
        ({"id": 1, "state": "absent", "new_name": "b"}, "new_name is given with state absent"),
        ({"id": 1, "state": "absent", "move_to_project": "b"}, "move_to_project is given with state absent"),
        ({"id": 1, "wait_timeout": -1}, "wait_timeout is -1: it must be 0 seconds (one look) or more."),
        ({"id": 1, "wait_interval": -1}, "wait_interval is -1.0: it must be more than 0 seconds."),
        ({"id": 1, "wait_interval": 0}, "wait_interval is 0.0"),
        ({"id": 1, "wait_interval": "nan"}, "wait_interval is nan"),
        ({"id": 1, "archived": True, "lifecycle": "paused"}, "archived is true with lifecycle paused"),
    ],
)
def test_bad_options(run_demo: Runner, demo: Simulator, options: dict[str, t.Any], text: str) -> None:
    assert text in run_demo.failed(DET_EXPERIMENT, **options)
    assert not demo.journal


# -- preconditions: told before the first write

REFUSED = [
    (COMPLETED, {"lifecycle": "active"}, "experiment 2 ('resnet50-augment') is completed, and one that has ended"),
    (COMPLETED, {"lifecycle": "paused"}, "one that has ended can't be paused again"),
    (
        COMPLETED,
        {"priority": 5},
        "priority: experiment 2 ('resnet50-augment') is completed, and only one that the master",
    ),
    (RUNNING, {"archived": True}, "experiment 6 ('vit-large') is running, and only one that has ended"),
    (RUNNING, {"archived": True, "lifecycle": "killed", "wait": False}, "set wait to true"),
    (DELETE_FAILED, {"archived": True}, "is delete_failed, and only one that has ended"),
    (DELETE_FAILED, {"lifecycle": "active"}, "is delete_failed"),
    (UNMANAGED, {"lifecycle": "paused"}, "is unmanaged"),
    (UNMANAGED, {"lifecycle": "killed"}, "the master can't kill it"),
    (UNMANAGED, {"max_slots": 5}, "is unmanaged"),
    (UNMANAGED, {"archived": True}, "is running, and only one that has ended"),
    (UNMANAGED, {"state": "absent", "lifecycle": "killed"}, "unmanaged"),
    (ARCHIVED, {"move_to_project": "language"}, "is archived and can't be moved: set archived to true"),
    (
        IN_ATTIC,
        {"move_to_project": "vision", "move_to_workspace": "research"},
        "'legacy' of 'attic', which is archived",
    ),
    (COMPLETED, {"move_to_project": "legacy", "move_to_workspace": "attic"}, "that project of 'attic' is archived"),
    (COMPLETED, {"move_to_project": "visio"}, "move_to_project is 'visio': there is no such project"),
    (COMPLETED, {"move_to_project": "x", "move_to_workspace": "reserch"}, "Nearest: 'research'"),
    (RUNNING, {"state": "absent"}, "is running, and only one that has ended can be deleted: give lifecycle killed"),
    (PAUSED, {"state": "absent", "lifecycle": "canceled"}, "give lifecycle killed"),
]


@pytest.mark.parametrize(("number", "options", "text"), REFUSED)
@pytest.mark.parametrize("check", [False, True])
def test_what_the_state_does_not_allow_is_told_before_any_write(
    run_demo: Runner, demo: Simulator, number: int, options: dict[str, t.Any], text: str, check: bool
) -> None:
    if number == IN_ATTIC:
        row(demo, number).archived = False
    said = run_demo.failed(DET_EXPERIMENT, check, id=number, **{"description": "also", **options})
    assert text in said
    assert "\n" not in said
    assert not writes(demo)


@pytest.mark.parametrize(
    ("number", "options"),
    [
        (COMPLETED, {"lifecycle": "canceled"}),
        (COMPLETED, {"lifecycle": "killed"}),
        (COMPLETED, {"archived": False}),
        (COMPLETED, {"priority": 42, "weight": 1}),
        (COMPLETED, {"move_to_project": "vision"}),
        (COMPLETED, {"move_to_project": "vision", "move_to_workspace": "research"}),
        (COMPLETED, {"labels": [], "labels_mode": "add"}),
        (COMPLETED, {"labels": ["none"], "labels_mode": "remove"}),
        (ARCHIVED, {"archived": True, "move_to_project": "vision"}),
        (ARCHIVED, {"lifecycle": "killed"}),
        (QUEUED, {"lifecycle": "active"}),
        (RUNNING, {"lifecycle": "active"}),
        (PAUSED, {"lifecycle": "paused"}),
        (UNMANAGED, {"lifecycle": "active"}),
        (DELETE_FAILED, {"lifecycle": "killed"}),
    ],
)
def test_what_is_reached_already_is_left_alone(
    run_demo: Runner, demo: Simulator, number: int, options: dict[str, t.Any]
) -> None:
    result = run_demo.ok(DET_EXPERIMENT, id=number, **options)
    assert (result["changed"], result["requests"]) == (False, 1)
    assert not writes(demo)


def test_a_continued_experiment_that_is_still_archived_can_only_be_left_alone(
    run_demo: Runner, demo: Simulator
) -> None:
    row(demo, RUNNING).archived = True
    for options in (
        {"archived": False},
        {"lifecycle": "killed"},
        {"state": "absent", "lifecycle": "killed"},
        {"archived": True, "move_to_project": "language"},
    ):
        assert "having been continued" in run_demo.failed(DET_EXPERIMENT, id=RUNNING, **options), options
    assert not writes(demo)


def test_one_that_is_being_deleted_can_not_be_edited(run_demo: Runner, demo: Simulator) -> None:
    row(demo, COMPLETED).state = "DELETING"
    assert "is being deleted" in run_demo.failed(DET_EXPERIMENT, id=COMPLETED, description="x")


# -- ending and waiting


def test_stopping_is_waited_for_and_hastened(run_demo: Runner, demo: Simulator) -> None:
    """A cancellation under way is waited for without a write, unless it is to be a kill."""
    found = row(demo, RUNNING)
    found.state = "STOPPING_CANCELED"
    threading.Timer(0.3, lambda: setattr(found, "state", "CANCELED")).start()
    result = run_demo.ok(DET_EXPERIMENT, id=RUNNING, lifecycle="canceled", wait_interval=0.05)
    assert (result["changed"], result["experiment"]["state"]) == (False, "canceled")
    assert not writes(demo)
    found.state = "STOPPING_CANCELED"
    result = run_demo.ok(DET_EXPERIMENT, id=RUNNING, lifecycle="killed", wait_interval=0.05)
    assert (result["changed"], result["experiment"]["state"]) == (True, "canceled")


@pytest.mark.parametrize("check", [False, True])
def test_without_wait_the_answer_is_what_is_seen_next(run_demo: Runner, demo: Simulator, check: bool) -> None:
    result = run_demo.ok(DET_EXPERIMENT, check, id=RUNNING, lifecycle="killed", wait=False)
    assert result["experiment"]["state"] == "stopping_killed"
    assert demo.master.experiments[RUNNING].state == ("ACTIVE" if check else "STOPPING_KILLED")
    if not check:
        assert not run_demo.ok(DET_EXPERIMENT, id=RUNNING, lifecycle="killed", wait=False)["changed"]


def test_a_wait_that_takes_too_long_tells_the_last_state(run_demo: Runner, demo: Simulator) -> None:
    demo.master.async_delay = 30
    text = run_demo.failed(DET_EXPERIMENT, id=RUNNING, lifecycle="canceled", wait_timeout=1, wait_interval=0.2)
    assert text == "Not reached within wait_timeout (1 s): experiment 6 is stopping_canceled."


def test_one_that_ends_in_another_way_is_not_waited_for(run_demo: Runner, demo: Simulator) -> None:
    found = row(demo, RUNNING)
    found.state = "STOPPING_COMPLETED"
    text = run_demo.failed(DET_EXPERIMENT, id=RUNNING, lifecycle="paused")
    assert "is stopping_completed, and one that is stopping can't be paused" in text
    found.state = "ACTIVE"
    demo.faults.add(Fault("delay", method="POST", path="/pause", seconds=0.4))
    threading.Timer(0.2, lambda: setattr(found, "state", "COMPLETED")).start()
    text = run_demo.failed(DET_EXPERIMENT, id=RUNNING, lifecycle="paused")
    assert (
        "COMPLETED Read again: lifecycle is paused: experiment 6 ('vit-large') is completed, and one that has" in text
    )


# -- deleting


def test_a_live_one_is_killed_and_deleted_when_asked_for(run_demo: Runner, demo: Simulator) -> None:
    result = run_demo.ok(DET_EXPERIMENT, id=RUNNING, state="absent", lifecycle="killed", wait_interval=0.05)
    assert (result["changed"], result["experiment"]) == (True, None)
    assert RUNNING not in demo.master.experiments
    assert [method for method, _path in writes(demo)] == ["POST", "DELETE"]


def test_absence_without_wait_still_waits_for_the_kill(run_demo: Runner, demo: Simulator) -> None:
    options = {"id": WITH_CHECKPOINT, "state": "absent", "lifecycle": "killed", "wait": False, "wait_interval": 0.05}
    assert run_demo.ok(DET_EXPERIMENT, **options)["changed"]
    # It is being deleted, and needs no second call.
    assert not run_demo.ok(DET_EXPERIMENT, **options)["changed"]
    assert len(writes(demo)) == 2


def test_a_deletion_that_is_under_way_is_waited_for(run_demo: Runner, demo: Simulator) -> None:
    found = row(demo, COMPLETED)
    found.state = "DELETING"
    threading.Timer(0.3, lambda: demo.master.experiments.pop(COMPLETED)).start()
    result = run_demo.ok(DET_EXPERIMENT, id=COMPLETED, state="absent", wait_interval=0.05)
    assert (result["changed"], result["experiment"]) == (False, None)
    assert not writes(demo)


def test_a_deletion_that_fails_is_a_failure_and_can_be_tried_again(run_demo: Runner, demo: Simulator) -> None:
    row(demo, DELETABLE).delete_fails = True
    text = run_demo.failed(DET_EXPERIMENT, id=DELETABLE, state="absent", wait_interval=0.05)
    assert "The deletion of experiment 4 ('vit-small') failed (state delete_failed)" in text
    assert "still there" in text
    row(demo, DELETABLE).delete_fails = False
    assert run_demo.ok(DET_EXPERIMENT, id=DELETABLE, state="absent", wait_interval=0.05)["changed"]


def test_no_agent_no_end(run_demo: Runner, demo: Simulator) -> None:
    for agent in demo.master.agents.values():
        agent.enabled = False
    text = run_demo.failed(DET_EXPERIMENT, id=DELETABLE, state="absent", wait_timeout=1, wait_interval=0.2)
    assert "experiment 4 is deleting" in text
    assert "no agent" in text


def test_registered_checkpoints_keep_an_experiment(run_demo: Runner, demo: Simulator) -> None:
    text = run_demo.failed(DET_EXPERIMENT, id=REGISTERED, state="absent")
    assert "checkpoints are registered as model versions" in text
    assert "still there" in text


# -- writes that go wrong


def test_a_priority_that_the_scheduler_takes_back_is_a_failure(run_demo: Runner, demo: Simulator) -> None:
    demo.faults.add(Fault("status", method="PATCH", status=200, body={"experiment": {"id": PAUSED}}))
    text = run_demo.failed(DET_EXPERIMENT, id=PAUSED, priority=7)
    assert "answered 200, but kept priority 42" in text


def test_a_lost_answer_is_settled_by_looking(run_demo: Runner, demo: Simulator) -> None:
    demo.faults.add(Fault("lost", method="PATCH"))
    result = run_demo.ok(DET_EXPERIMENT, id=PAUSED, description="New")
    assert (result["changed"], result["experiment"]["description"]) == (True, "New")
    assert len(writes(demo)) == 1


def test_half_of_it_done_is_named(run_demo: Runner, demo: Simulator) -> None:
    demo.faults.add(Fault("status", method="POST", path="/move", status=500, body={"error": {"error": "broken"}}))
    text = run_demo.failed(DET_EXPERIMENT, id=PAUSED, description="New", move_to_project="ranking")
    assert "broken" in text
    assert "description changed; project_id, project_name did not change." in text


def test_a_failed_move_leaves_an_archived_one_archived(run_demo: Runner, demo: Simulator) -> None:
    demo.faults.add(Fault("status", method="POST", path="/move", status=500, body={"error": {"error": "broken"}}))
    text = run_demo.failed(DET_EXPERIMENT, id=ARCHIVED, archived=True, move_to_project="language")
    assert "project_id, project_name did not change." in text
    assert row(demo, ARCHIVED).archived


def test_one_that_could_not_be_archived_again_is_named_with_the_first_failure(
    run_demo: Runner, demo: Simulator
) -> None:
    for verb, words in (("move", "broken"), ("archive", "down")):
        demo.faults.add(Fault("status", method="POST", path=f"/{verb}$", status=500, body={"error": {"error": words}}))
    text = run_demo.failed(DET_EXPERIMENT, id=ARCHIVED, archived=True, move_to_project="language")
    assert "broken For this edit the experiment had been unarchived, and it could not be archived again: " in text
    assert "down" in text
    assert "archived, project_id, project_name did not change." in text


def test_one_that_vanishes_in_between_is_told(run_demo: Runner, demo: Simulator) -> None:
    demo.faults.add(
        Fault("status", method="PATCH", status=404, body={"error": {"code": 5, "error": "experiment '25' not found"}})
    )
    text = run_demo.failed(DET_EXPERIMENT, id=PAUSED, description="New")
    assert "experiment '25' not found" in text
