# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many experiments: selected here, changed by ids, each looked at; nothing is written before all allow it."""

from __future__ import annotations

import copy
import json
import threading
import typing as t
from datetime import timedelta

import pytest

from ansible_collections.determined.ai.plugins.modules.det_experiment_batch import OPERATION as DET_EXPERIMENT_BATCH
from tests.simulator import Simulator
from tests.simulator.server import Fault
from tests.unit.conftest import ADMIN, Runner

# The demo fixture's experiments, by hand (tests/simulator/ml_fixtures.py).
REGISTERED, COMPLETED, FAILED, DELETABLE, RUNNING, ARCHIVED, WITH_CHECKPOINT, QUEUED, PAUSED = (
    1,
    2,
    3,
    4,
    6,
    7,
    9,
    14,
    25,
)
OLD_ARCHIVED, IN_ATTIC, DELETE_FAILED, UNMANAGED = 8, 27, 28, 31
FAST = {"wait_interval": 0.05}
BULK = "projects/-1/experiments"


def writes(sim: Simulator) -> list[tuple[str, str]]:
    return [
        (entry.method, entry.path.removeprefix("/api/v1/"))
        for entry in sim.journal
        if entry.method != "GET" and "/auth/" not in entry.path
    ]


def row(sim: Simulator, number: int) -> t.Any:
    return sim.master.experiments[number]


def actions(result: dict[str, t.Any]) -> dict[int, str]:
    return {one["id"]: one["action"] for one in result["experiments"]}


def changed(result: dict[str, t.Any]) -> set[int]:
    return {number for number, action in actions(result).items() if action in {"update", "remove"}}


# -- the table: ids, options, which of them change, which calls are made

STEPS: list[tuple[list[int], dict[str, t.Any], set[int], list[str]]] = [
    ([2, 3, 7], {"archived": True}, {2, 3}, ["POST archive"]),
    ([2, 3, 7], {"archived": False}, {2, 3, 7}, ["POST unarchive"]),
    ([2, 3], {"labels": ["b", "a"]}, {2, 3}, ["PATCH 2", "PATCH 3"]),
    ([2, 4], {"labels": ["a", "vit"], "labels_mode": "add"}, {2, 4}, ["PATCH 2", "PATCH 4"]),
    ([2, 4], {"labels": ["b"], "labels_mode": "remove"}, {2}, ["PATCH 2"]),
    ([2, 3], {"labels": []}, {2, 3}, ["PATCH 2", "PATCH 3"]),
    ([2, 3, 10], {"move_to_project": "language"}, {2, 3}, ["POST move"]),
    ([2, 17], {"move_to_project": "nightly", "move_to_workspace": "production"}, {2, 17}, ["POST move"]),
    # Each in its own workspace: two projects, two calls.
    ([8, 16], {"move_to_project": "language", "archived": True}, {8}, ["POST unarchive", "POST move", "POST archive"]),
    ([9, 25], {"lifecycle": "active"}, {9, 25}, ["POST activate"]),
    ([6, 9, 25], {"lifecycle": "paused"}, {6, 9, 25}, ["POST pause"]),
    ([2, 9, 13], {"lifecycle": "canceled"}, {9, 13}, ["POST cancel"]),
    (
        [6, 14, 15],
        {"lifecycle": "killed", "archived": True, "labels": ["over"], "labels_mode": "add"},
        {6, 14, 15},
        ["PATCH 6", "PATCH 14", "PATCH 15", "POST kill", "POST archive"],
    ),
    ([5, 12], {"state": "absent"}, {5, 12}, ["DELETE delete"]),
    ([19, 23], {"state": "absent", "lifecycle": "killed"}, {19, 23}, ["POST kill", "DELETE delete"]),
]


def test_change_many_and_remove(run_demo: Runner, demo: Simulator) -> None:
    """Each step: predicted in check mode without a write, done by few calls, and unchanged the second time."""
    for ids, options, expected, calls in STEPS:
        step = {"ids": [*reversed(ids), ids[0]], **options, **FAST}
        before = len(writes(demo))
        predicted = run_demo.ok(DET_EXPERIMENT_BATCH, check=True, **step)
        assert len(writes(demo)) == before, step
        done = run_demo.ok(DET_EXPERIMENT_BATCH, **step)
        made = [f"{method} {path.rpartition('/')[2]}" for method, path in writes(demo)[before:]]
        assert made == calls, step
        assert (changed(predicted), changed(done)) == (expected, expected), step
        assert predicted["experiments"] == done["experiments"], step
        assert predicted["counts"] == done["counts"], step
        assert predicted["diff"] == done["diff"], step
        assert [one["id"] for one in done["experiments"]] == ids
        assert sum(done["counts"].values()) == 2 * len(ids)
        assert (done["counts"]["found"], done["failures"]) == (len(ids), [])
        again = run_demo.ok(DET_EXPERIMENT_BATCH, **step)
        assert not again["changed"], step
        assert "diff" not in again
        assert len(writes(demo)) == before + len(calls), step
        for one in again["experiments"]:
            assert (one["action"], one["before"], one["after"]) == ("none", {}, {})


def test_every_option_is_in_the_table() -> None:
    tried = {option for _ids, options, _expected, _calls in STEPS for option in options}
    waiting = {"wait", "wait_timeout", "wait_interval"}
    assert tried | waiting | {"ids", "filter", "max_objects"} == set(DET_EXPERIMENT_BATCH.arguments.spec)


def test_what_changes_is_shown_and_nothing_else(run_demo: Runner, demo: Simulator) -> None:
    result = run_demo.ok(DET_EXPERIMENT_BATCH, ids=[2, 7], archived=True, move_to_project="language")
    first, second = result["experiments"]
    assert (first["id"], first["name"], first["action"]) == (2, "resnet50-augment", "update")
    vision, language = (
        next(one.id for one in demo.master.projects.values() if one.name == name) for name in ("vision", "language")
    )
    assert first["before"] == {"archived": False, "project_id": vision, "project_name": "vision"}
    assert first["after"] == {"archived": True, "project_id": language, "project_name": "language"}
    assert "archived" not in second["before"]
    assert result["diff"]["before"]["2 ('resnet50-augment')"]["project_name"] == "vision"
    assert result["diff"]["after"]["2 ('resnet50-augment')"]["project_name"] == "language"


def test_unchanged_costs_one_call_for_many(run_demo: Runner) -> None:
    result = run_demo.ok(DET_EXPERIMENT_BATCH, ids=[1, 2, 3, 4, 5], archived=False, lifecycle="killed")
    assert (result["changed"], result["requests"]) == (False, 1)


def test_a_change_costs_three_calls_for_many(run_demo: Runner) -> None:
    """Read, write, look."""
    assert run_demo.ok(DET_EXPERIMENT_BATCH, ids=[1, 2, 3, 4, 5], archived=True)["requests"] == 3


def test_many_more_than_one_call_can_hold(run_demo: Runner, demo: Simulator) -> None:
    for _copy in range(450):
        new = copy.copy(row(demo, 21))
        new.id, new.trial_ids, new.labels = demo.master.next_id("experiments"), [], ["many"]
        demo.master.experiments[new.id] = new
    select = {"filter": {"labels": ["many"]}, "archived": True}
    text = run_demo.failed(DET_EXPERIMENT_BATCH, **select)
    assert text.startswith("max_objects is 100: 450 of the 450 experiments found would be changed. Nothing was written")
    assert writes(demo) == []
    assert "max_objects is 449: 450 of" in run_demo.failed(DET_EXPERIMENT_BATCH, True, **select, max_objects=449)
    result = run_demo.ok(DET_EXPERIMENT_BATCH, **select, max_objects=450)
    assert result["counts"]["changed"] == 450
    assert [path for _method, path in writes(demo)] == [f"{BULK}/archive"] * 3
    # What is there already does not count.
    assert not run_demo.ok(DET_EXPERIMENT_BATCH, **select)["changed"]


def test_filters_of_the_server_are_never_sent(run_demo: Runner, demo: Simulator) -> None:
    """They would make it forget the ids; a bulk call with them would also archive experiment 1."""
    run_demo.ok(DET_EXPERIMENT_BATCH, filter={"project": "vision", "labels": ["mixup"]}, archived=True)
    assert [number for number in range(1, 7) if row(demo, number).archived] == [3]


# -- the filter

FILTERS: list[tuple[dict[str, t.Any], list[int]]] = [
    ({"project": "vision", "states": ["completed"]}, [1, 2, 4, 7]),
    ({"project": "vision", "states": ["completed"], "archived": False}, [1, 2, 4]),
    ({"workspace": "production", "states": ["error"]}, [23]),
    ({"project": "nightly", "workspace": "production", "labels": ["flaky"]}, [23]),
    ({"labels": ["detector", "old"]}, [7, 8]),
    ({"users": ["hugo.martin", "grace.lindqvist"], "states": ["canceled", "error"]}, [12, 15, 29]),
    ({"name_contains": "VIT-SMALL"}, [4, 5]),
    ({"name_contains": "%"}, []),
    ({"archived": True}, [7, 8, 16, 26, 30]),
    ({"states": ["active"]}, [6, 13, 14, 19, 20, 31]),
]


@pytest.mark.parametrize(("chosen", "expected"), FILTERS)
def test_the_filter_selects(run_demo: Runner, chosen: dict[str, t.Any], expected: list[int]) -> None:
    result = run_demo.ok(DET_EXPERIMENT_BATCH, check=True, filter=chosen, labels=["new"], labels_mode="add")
    assert [one["id"] for one in result["experiments"]] == expected
    assert changed(result) == set(expected)


def test_age_counts_from_the_end_or_from_the_start(run_demo: Runner, demo: Simulator) -> None:
    now = demo.master.now()
    for found in demo.master.experiments.values():
        found.start_time = now - timedelta(days=100)
        found.end_time = now - timedelta(days=5) if found.end_time else None
    row(demo, COMPLETED).end_time = now - timedelta(days=10, minutes=1)
    row(demo, FAILED).end_time = now - timedelta(days=9, hours=23)
    chosen = {"project": "vision", "older_than": "10d"}
    result = run_demo.ok(DET_EXPERIMENT_BATCH, check=True, filter=chosen, labels=["new"], labels_mode="add")
    assert [one["id"] for one in result["experiments"]] == [COMPLETED, RUNNING, WITH_CHECKPOINT]


@pytest.mark.parametrize(
    ("size", "expected"), [("4KB", [11]), ("4096", [11]), ("4095", [10, 11]), ("0", [10, 11]), ("5KB", [])]
)
def test_size_is_that_of_all_checkpoints(run_demo: Runner, demo: Simulator, size: str, expected: list[int]) -> None:
    for number in range(10, 17):
        row(demo, number).size = {10: 4096, 11: 4097}.get(number, 0)
    chosen = {"project": "language", "larger_than": size}
    result = run_demo.ok(DET_EXPERIMENT_BATCH, check=True, filter=chosen, labels=["new"], labels_mode="add")
    assert [one["id"] for one in result["experiments"]] == expected


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"archived": True}, "one of the following is required: ids, filter"),
        ({"ids": [1], "filter": {"archived": True}, "archived": True}, "mutually exclusive"),
        ({"ids": [], "archived": True}, "ids is empty"),
        ({"ids": [0], "archived": True}, "ids is 0"),
        ({"ids": [2**31], "archived": True}, "between 1 and 2147483647"),
        ({"filter": {}, "archived": True}, "filter is empty: an empty filter never means all experiments"),
        ({"filter": {"project": None}, "archived": True}, "filter is empty"),
        ({"filter": {"labels": []}, "archived": True}, "filter.labels is empty"),
        ({"filter": {"states": []}, "archived": True}, "states is empty"),
        ({"filter": {"users": []}, "archived": True}, "users is empty"),
        ({"filter": {"name_contains": ""}, "archived": True}, "filter.name_contains is empty"),
        ({"filter": {"project": ""}, "archived": True}, "filter.project is empty"),
        ({"filter": {"older_than": "0h"}, "archived": True}, "filter.older_than is 0"),
        ({"filter": {"older_than": "1 week"}, "archived": True}, "must be a duration such as '30d'"),
        ({"filter": {"larger_than": "-1"}, "archived": True}, "cannot be converted to a Byte value"),
        ({"filter": {"bogus": 1}, "archived": True}, "bogus"),
        ({"ids": [1]}, "nothing is declared: give archived, lifecycle, labels, move_to_project or state absent"),
        ({"ids": [1], "labels_mode": "add"}, "nothing is declared"),
        ({"ids": [1], "archived": True, "max_objects": 0}, "max_objects is 0"),
        ({"ids": [1], "archived": True, "lifecycle": "active"}, "archived is true with lifecycle active"),
        ({"ids": [1], "move_to_workspace": "research"}, "missing parameter(s) required by 'move_to_workspace'"),
    ],
)
def test_bad_options(run_demo: Runner, demo: Simulator, options: dict[str, t.Any], text: str) -> None:
    assert text in run_demo.failed(DET_EXPERIMENT_BATCH, **options)
    assert not demo.journal


@pytest.mark.parametrize(
    ("chosen", "text"),
    [
        ({"users": ["nobody"]}, "there is no such user"),
        ({"project": "visio"}, "Nearest: 'vision'"),
        ({"workspace": "reserch"}, "Nearest: 'research'"),
    ],
)
def test_names_in_a_filter_must_be_there(
    run_demo: Runner, demo: Simulator, chosen: dict[str, t.Any], text: str
) -> None:
    assert text in run_demo.failed(DET_EXPERIMENT_BATCH, filter=chosen, archived=True)
    assert writes(demo) == []


# -- before the first write


@pytest.mark.parametrize("check", [False, True])
def test_unknown_ids_are_named_before_any_write(run_demo: Runner, demo: Simulator, check: bool) -> None:
    text = run_demo.failed(DET_EXPERIMENT_BATCH, check, ids=[2, 998, 3, 999], archived=True)
    assert text == "ids has 998, 999: there is no such experiment, or you may not see it."
    text = run_demo.failed(DET_EXPERIMENT_BATCH, check, ids=[2, *range(900, 920)], archived=True)
    assert text.startswith("ids has 900, 901, 902, 903, 904, 905, 906, 907, 908, 909 and more: ")
    assert writes(demo) == []


def test_unknown_ids_are_as_declared_when_absent(run_demo: Runner, demo: Simulator) -> None:
    result = run_demo.ok(DET_EXPERIMENT_BATCH, ids=[999, DELETABLE], state="absent", **FAST)
    assert changed(result) == {DELETABLE}
    assert "ids has 999" in run_demo.warnings[0]


REFUSED = [
    ([COMPLETED, RUNNING], {"archived": True}, "1 of 2 experiments do not allow it: archived is true: experiment 6"),
    (
        [COMPLETED, PAUSED],
        {"lifecycle": "active"},
        "experiment 2 ('resnet50-augment') is completed, and one that has ended",
    ),
    ([COMPLETED, UNMANAGED], {"lifecycle": "killed"}, "is unmanaged"),
    ([COMPLETED, ARCHIVED], {"move_to_project": "language"}, "is archived and can't be moved: set archived to true"),
    ([COMPLETED, RUNNING], {"state": "absent"}, "give lifecycle killed with it to have it killed first"),
    ([COMPLETED], {"move_to_project": "legacy", "move_to_workspace": "attic"}, "that project of 'attic' is archived"),
    ([COMPLETED], {"move_to_project": "visio"}, "move_to_project is 'visio': there is no such project"),
]


@pytest.mark.parametrize(("ids", "options", "text"), REFUSED)
@pytest.mark.parametrize("check", [False, True])
def test_what_one_does_not_allow_is_told_before_any_write(
    run_demo: Runner, demo: Simulator, ids: list[int], options: dict[str, t.Any], text: str, check: bool
) -> None:
    said = run_demo.failed(DET_EXPERIMENT_BATCH, check, ids=ids, **{"labels": ["x"], **options})
    assert said.startswith("Nothing was written, as ")
    assert text in said
    assert writes(demo) == []


def test_not_all_reasons_are_told(run_demo: Runner) -> None:
    text = run_demo.failed(DET_EXPERIMENT_BATCH, filter={"states": ["active"]}, archived=True)
    assert text.startswith("Nothing was written, as 6 of 6 experiments do not allow it: ")
    assert text.endswith(" And 3 more.")


# -- what goes wrong


def test_an_error_in_a_200_fails_the_task_and_says_what_was_done(run_demo: Runner, demo: Simulator) -> None:
    """A registered checkpoint keeps its experiment; the others are deleted."""
    result = run_demo(DET_EXPERIMENT_BATCH, ids=[REGISTERED, DELETABLE, 5], state="absent", **FAST)
    assert result["failures"] == [
        {"id": REGISTERED, "name": "resnet50-baseline", "message": "checkpoints are registered as model versions"}
    ]
    text = result["msg"]
    assert text.startswith(
        "1 of 3 experiments failed: 1 ('resnet50-baseline'): DELETE /api/v1/projects/-1/experiments/delete: "
    )
    assert "checkpoints are registered as model versions" in text
    assert text.endswith("2 were changed, and 0 were as declared before.")
    assert actions(result) == {REGISTERED: "failed", DELETABLE: "remove", 5: "remove"}
    assert result["counts"] == {"found": 3, "changed": 0, "removed": 2, "unchanged": 0, "failed": 1}
    assert (result["failure"]["status"], result["failure"]["reason"]) == (200, "InvalidArgument")
    assert sorted(demo.master.experiments.keys() & {REGISTERED, DELETABLE, 5}) == [REGISTERED]


def test_what_failed_is_left_out_of_what_follows(run_demo: Runner, demo: Simulator) -> None:
    demo.faults.add(
        Fault("status", method="PATCH", path="experiments/2", status=500, body={"error": {"error": "broken"}})
    )
    result = run_demo(DET_EXPERIMENT_BATCH, ids=[2, 3], labels=["x"], archived=True)
    assert "broken" in result["msg"]
    assert (row(demo, 2).archived, row(demo, 3).archived) == (False, True)
    assert result["failures"][0]["message"] == "broken"
    # The second run does the rest.
    assert changed(run_demo.ok(DET_EXPERIMENT_BATCH, ids=[2, 3], labels=["x"], archived=True)) == {2}


def test_one_that_is_archived_stays_so_when_its_move_fails(run_demo: Runner, demo: Simulator) -> None:
    demo.faults.add(Fault("status", method="POST", path="/move", status=500, body={"error": {"error": "broken"}}))
    result = run_demo(DET_EXPERIMENT_BATCH, ids=[ARCHIVED, OLD_ARCHIVED], archived=True, move_to_project="language")
    assert "2 of 2 experiments failed" in result["msg"]
    assert row(demo, ARCHIVED).archived
    assert row(demo, OLD_ARCHIVED).archived


def test_a_lost_answer_is_settled_by_looking(run_demo: Runner, demo: Simulator) -> None:
    demo.faults.add(Fault("lost", method="POST", path="/archive"))
    result = run_demo.ok(DET_EXPERIMENT_BATCH, ids=[2, 3], archived=True)
    assert changed(result) == {2, 3}
    assert len(writes(demo)) == 1
    assert "is as declared" in run_demo.warnings[0]


def test_an_answer_that_leaves_one_out_is_no_success(run_demo: Runner, demo: Simulator) -> None:
    body = {"results": [{"id": 2, "error": ""}]}
    demo.faults.add(Fault("status", method="POST", path="/archive", status=200, body=body))
    result = run_demo(DET_EXPERIMENT_BATCH, ids=[2, 3], archived=True)
    assert result["failures"] == [
        {"id": 3, "name": "resnet50-mixup", "message": "the master's answer does not tell of it"}
    ]


def test_one_that_vanishes_meanwhile(run_demo: Runner, demo: Simulator) -> None:
    demo.faults.add(Fault("delay", method="POST", path="/archive", seconds=0.3))
    threading.Timer(0.1, lambda: demo.master.experiments.pop(3)).start()
    result = run_demo(DET_EXPERIMENT_BATCH, ids=[2, 3], archived=True)
    assert result["failures"] == [{"id": 3, "name": "resnet50-mixup", "message": "experiment '3' not found"}]
    assert row(demo, 2).archived


def test_what_can_not_be_read_again_is_told(run_demo: Runner, demo: Simulator) -> None:
    demo.faults.add(
        Fault("status", method="GET", path="/experiments", nth=2, status=403, body={"error": {"error": "no"}})
    )
    text = run_demo.failed(DET_EXPERIMENT_BATCH, ids=[2, 3], archived=True)
    assert "It was written, but could not be read again" in text


# -- waiting


def test_a_wait_that_takes_too_long_tells_each_state(run_demo: Runner, demo: Simulator) -> None:
    demo.master.async_delay = 30
    result = run_demo(
        DET_EXPERIMENT_BATCH, ids=[COMPLETED, RUNNING, PAUSED], lifecycle="canceled", wait_timeout=1, **FAST
    )
    assert "Not reached within wait_timeout (1 s): experiment 6 is stopping_canceled." in result["msg"]
    # What never ran ends at once.
    assert actions(result) == {COMPLETED: "none", RUNNING: "failed", PAUSED: "update"}


@pytest.mark.parametrize("check", [False, True])
def test_without_wait_the_answer_is_what_is_seen_next(run_demo: Runner, demo: Simulator, check: bool) -> None:
    demo.master.async_delay = 30
    options = {"ids": [RUNNING, 13], "lifecycle": "killed", "wait": False}
    result = run_demo.ok(DET_EXPERIMENT_BATCH, check, **options)
    assert [one["after"] for one in result["experiments"]] == [{"state": "stopping_killed"}] * 2
    if not check:
        assert not run_demo.ok(DET_EXPERIMENT_BATCH, **options)["changed"]


def test_what_ends_already_is_waited_for(run_demo: Runner, demo: Simulator) -> None:
    for number in (RUNNING, 13):
        found = row(demo, number)
        found.state = "STOPPING_KILLED"
        threading.Timer(0.3, lambda found=found: setattr(found, "state", "CANCELED")).start()
    result = run_demo.ok(DET_EXPERIMENT_BATCH, ids=[RUNNING, 13], lifecycle="killed", archived=True, **FAST)
    assert [one["before"] for one in result["experiments"]] == [{"archived": False}] * 2


def test_what_is_being_deleted_is_waited_for(run_demo: Runner, demo: Simulator) -> None:
    row(demo, DELETABLE).state = "DELETING"
    result = run_demo.ok(DET_EXPERIMENT_BATCH, ids=[DELETABLE], state="absent", wait=False)
    assert (result["changed"], result["experiments"]) == (False, [])
    threading.Timer(0.3, lambda: demo.master.experiments.pop(DELETABLE)).start()
    result = run_demo.ok(DET_EXPERIMENT_BATCH, ids=[DELETABLE, 5], state="absent", **FAST)
    assert actions(result) == {5: "remove"}


def test_what_is_being_deleted_is_no_match_for_edits(run_demo: Runner, demo: Simulator) -> None:
    row(demo, 8).state = "DELETING"
    result = run_demo.ok(DET_EXPERIMENT_BATCH, filter={"labels": ["detector", "old"]}, archived=False)
    assert actions(result) == {7: "update"}
    assert "is being deleted" in run_demo.failed(DET_EXPERIMENT_BATCH, ids=[7, 8], archived=False)


def test_deletions_that_fail(run_demo: Runner, demo: Simulator) -> None:
    row(demo, DELETABLE).delete_fails = True
    result = run_demo(DET_EXPERIMENT_BATCH, ids=[DELETABLE, 5], state="absent", **FAST)
    assert "The deletion of experiment 4 ('vit-small') failed (state delete_failed)" in result["msg"]
    assert actions(result) == {DELETABLE: "failed", 5: "remove"}
    row(demo, DELETABLE).delete_fails = False
    assert run_demo.ok(DET_EXPERIMENT_BATCH, ids=[DELETABLE, 5], state="absent", **FAST)["changed"]


def test_no_agent_no_end(run_demo: Runner, demo: Simulator) -> None:
    for agent in demo.master.agents.values():
        agent.enabled = False
    text = run_demo.failed(DET_EXPERIMENT_BATCH, ids=[DELETABLE], state="absent", wait_timeout=1, **FAST)
    assert "experiment 4 is deleting. It has checkpoints" in text


def test_one_that_comes_to_another_end(run_demo: Runner, demo: Simulator) -> None:
    body = {"results": [{"id": RUNNING, "error": ""}]}
    demo.faults.add(Fault("status", method="POST", path="/pause", status=200, body=body))
    threading.Timer(0.2, lambda: setattr(row(demo, RUNNING), "state", "COMPLETED")).start()
    result = run_demo(DET_EXPERIMENT_BATCH, ids=[RUNNING], lifecycle="paused", **FAST)
    assert "Experiment 6 is completed by now, and won't be paused any more." in result["msg"]
    assert actions(result) == {RUNNING: "failed"}


# -- secrets and rights


def test_no_config_is_shown(run_demo: Runner) -> None:
    """The list has every experiment's configuration with its secrets in clear."""
    result = run_demo.ok(
        DET_EXPERIMENT_BATCH, filter={"project": "language", "states": ["canceled", "error"]}, state="absent", **FAST
    )
    assert "CANARY" not in json.dumps(result)
    assert "config" not in result["experiments"][0]["before"]


def test_under_rbac_what_may_not_be_changed_fails_for_itself() -> None:
    with Simulator(fixture="demo", authz="rbac") as sim:
        viewer, nobody = (
            Runner(sim, **{**ADMIN, "auth_username": name}) for name in ("grace.lindqvist", "hugo.martin")
        )
        result = viewer(DET_EXPERIMENT_BATCH, ids=[2, 3], archived=True)
        assert "2 of 2 experiments failed" in result["msg"]
        assert "not found" in result["failures"][0]["message"]
        assert "you may not see it" in nobody.failed(DET_EXPERIMENT_BATCH, ids=[2], archived=True)
        viewer.close()
        nobody.close()
