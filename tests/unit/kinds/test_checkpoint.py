# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints, against the simulated master's demo data."""

from __future__ import annotations

import math
import typing as t

import pytest

from ansible_collections.determined.ai.plugins.modules.det_checkpoint import OPERATION as STATE
from ansible_collections.determined.ai.plugins.modules.det_checkpoint_info import OPERATION
from tests.simulator import Fault, Simulator
from tests.unit.conftest import ADMIN, Runner


def experiment_id(demo: Simulator, name: str) -> int:
    """Number of the experiment of this name."""
    return next(row.id for row in demo.master.experiments.values() if row.name == name)


def test_all_of_an_experiment(demo: Simulator, run_demo: Runner) -> None:
    number = experiment_id(demo, "vit-small")
    rows = [row for row in demo.master.checkpoints.values() if row.experiment_id == number]
    result = run_demo.ok(OPERATION, experiment_id=number)
    assert (result["total"], result["requests"], result["changed"]) == (8, 1, False)
    found = result["checkpoints"]
    assert {one["uuid"] for one in found} == {row.uuid for row in rows}
    order = [(one["trial_id"], one["steps_completed"]) for one in found]
    assert order == sorted(order)
    partial = next(one for one in found if one["state"] == "partially_deleted")
    assert partial["resources"] == {"metadata.json": 142, "state/": 0, "state/weights.pt": 45_000_000}
    assert partial["total_size_bytes"] == 45_000_142
    for one in found:
        assert one["experiment_id"] == number
        assert one["steps_completed"] == one["metadata"]["steps_completed"] > 0
        assert one["validation_metrics"]["accuracy"] == one["searcher_metric"]
        assert one["training_metrics"]
        assert one["hparams"]["learning_rate"] > 0
        assert "config" not in str(one)


def test_all_of_a_trial_and_by_state(demo: Simulator, run_demo: Runner) -> None:
    number = experiment_id(demo, "vit-small")
    first = demo.master.experiments[number].trial_ids[0]
    assert run_demo.ok(OPERATION, trial_id=first)["total"] == 2
    one = run_demo.ok(OPERATION, trial_id=first, states=["partially_deleted", "error"])
    assert [found["state"] for found in one["checkpoints"]] == ["partially_deleted"]
    limited = run_demo.ok(OPERATION, experiment_id=number, states=["completed"], limit=3)
    assert (len(limited["checkpoints"]), limited["total"]) == (3, 7)


def test_by_uuid_in_the_order_asked_for_and_each_once(demo: Simulator, run_demo: Runner) -> None:
    first, second = list(demo.master.checkpoints)[:2]
    gone = "00000000-0000-4000-8000-000000000000"
    result = run_demo.ok(OPERATION, uuid=[second.upper(), gone, first, second])
    assert [one["uuid"] for one in result["checkpoints"]] == [second, first]
    assert (result["total"], result["requests"]) == (2, 3)
    by_state = run_demo.ok(OPERATION, uuid=[first, second], states=["error"])
    assert by_state["checkpoints"] == []
    assert run_demo.ok(OPERATION, uuid=[])["total"] == 0


@pytest.mark.parametrize("option", ["experiment_id", "trial_id"])
def test_one_that_is_not_there_has_none(run_demo: Runner, option: str) -> None:
    result = run_demo.ok(OPERATION, **{option: 987654})
    assert (result["checkpoints"], result["total"]) == ([], 0)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "one of the following is required: uuid, experiment_id, trial_id"),
        ({"uuid": ["x"], "trial_id": 1}, "parameters are mutually exclusive: uuid|experiment_id|trial_id"),
        ({"uuid": ["not-a-uuid"]}, "uuid is 'not-a-uuid': it must be a checkpoint's uuid"),
        ({"experiment_id": 0}, "experiment_id is 0: it must be between 1 and 2147483647."),
        ({"trial_id": 2**31}, "trial_id is 2147483648"),
        ({"trial_id": 1, "limit": 0}, "limit is 0"),
        ({"trial_id": 1, "states": []}, "states is empty"),
        ({"trial_id": 1, "states": ["gone"]}, "value of states must be one or more of: active, completed"),
    ],
)
def test_what_is_refused_before_any_call(
    demo: Simulator, run_demo: Runner, options: dict[str, t.Any], sentence: str
) -> None:
    assert sentence in run_demo.failed(OPERATION, **options)
    assert demo.journal == []


def test_what_a_checkpoint_may_lack(demo: Simulator, run_demo: Runner) -> None:
    row = next(iter(demo.master.checkpoints.values()))
    row.metadata = None
    demo.master.trials[row.trial_id].training_metrics.clear()
    demo.master.trials[row.trial_id].validations.clear()
    found = run_demo.ok(OPERATION, uuid=[row.uuid])["checkpoints"][0]
    assert found["metadata"] == {}
    for field in ("steps_completed", "training_metrics", "validation_metrics", "searcher_metric"):
        assert found[field] is None


def test_metrics_that_are_no_numbers(demo: Simulator, run_demo: Runner) -> None:
    row = next(iter(demo.master.checkpoints.values()))
    trial = demo.master.trials[row.trial_id]
    for _batches, _time, metrics in trial.validations:
        for name in metrics:
            metrics[name] = math.nan
    found = run_demo.ok(OPERATION, uuid=[row.uuid])["checkpoints"][0]
    assert set(found["validation_metrics"].values()) == {"NaN"}


def test_a_bare_object_is_understood(demo: Simulator, run_demo: Runner) -> None:
    uuid = next(iter(demo.master.checkpoints))
    demo.faults.add(Fault("shape", path="/checkpoints/", body={"uuid": uuid, "resources": {"a": "7"}}))
    found = run_demo.ok(OPERATION, uuid=[uuid])["checkpoints"][0]
    assert (found["total_size_bytes"], found["state"], found["trial_id"]) == (7, "", None)


def test_a_list_that_is_cut_is_no_list(demo: Simulator, run_demo: Runner) -> None:
    body = {"checkpoints": [], "pagination": {"total": 3}}
    demo.faults.add(Fault("shape", path="/checkpoints", body=body))
    assert "0 objects arrived, but the master says that there are 3" in run_demo.failed(OPERATION, experiment_id=1)


# --- det_checkpoint ---

NOBODY = "00000000-0000-4000-8000-000000000000"
QUICK: dict[str, t.Any] = {"wait_timeout": 5, "wait_interval": 0.05}
CANARY = "CANARY-checkpoint-password"


def writes(demo: Simulator) -> list[tuple[str, str]]:
    """What the journal holds beside reads and logins."""
    return [
        (entry.method, entry.path) for entry in demo.journal if entry.method != "GET" and "/auth/" not in entry.path
    ]


def free(demo: Simulator) -> str:
    """A checkpoint that is whole and not registered."""
    taken = {version.checkpoint_uuid for version in demo.master.model_versions.values()}
    rows = demo.master.checkpoints.values()
    return next(row.uuid for row in rows if row.state == "COMPLETED" and row.uuid not in taken)


# What is declared, and what the metadata {"framework", "format", "steps_completed", "deep": {"a": 1}} becomes.
TABLE: dict[str, tuple[dict[str, t.Any], dict[str, t.Any]]] = {
    "merged": (
        {"metadata": {"note": "x", "deep": {"b": [1]}}, "metadata_mode": "merge"},
        {"framework": "f", "format": "pickle", "steps_completed": 100, "deep": {"a": 1, "b": [1]}, "note": "x"},
    ),
    "exact": ({"metadata": {"steps_completed": 100, "a": None}}, {"steps_completed": 100, "a": None}),
    "other steps": ({"metadata": {"steps_completed": 7}}, {"steps_completed": 7}),
    "kept": ({"metadata": {"steps_completed": "<keep>", "b": 2}}, {"steps_completed": 100, "b": 2}),
    "cleared": ({"metadata": {}}, {}),
}


@pytest.mark.parametrize("case", TABLE)
def test_metadata_is_predicted_written_and_not_written_again(demo: Simulator, run_demo: Runner, case: str) -> None:
    declared, expected = TABLE[case]
    uuid = free(demo)
    row = demo.master.checkpoints[uuid]
    row.metadata = {"framework": "f", "format": "pickle", "steps_completed": 100, "deep": {"a": 1}}
    before = run_demo.ok(OPERATION, uuid=[uuid])["checkpoints"][0]
    options = {"uuid": uuid.upper(), **declared}
    demo.journal.clear()
    predicted = run_demo.ok(STATE, check=True, **options)
    assert writes(demo) == []
    result = run_demo.ok(STATE, **options)
    assert writes(demo) == [("POST", f"/api/v1/checkpoints/{uuid}/metadata")]
    assert (result["changed"], predicted["changed"]) == (True, True)
    assert row.metadata == expected
    steps = expected.get("steps_completed")
    metrics = {} if steps == 100 else dict.fromkeys(("training_metrics", "validation_metrics", "searcher_metric"))
    assert result["checkpoint"] == {**before, "metadata": expected, "steps_completed": steps, **metrics}
    assert predicted["checkpoint"] == result["checkpoint"]
    assert predicted["diff"] == result["diff"]
    assert result["diff"]["after"]["metadata"] == expected
    assert any("leaves out steps_completed" in text for text in run_demo.warnings) is (steps is None)
    demo.journal.clear()
    again = run_demo.ok(STATE, **options)
    assert (again["changed"], again["requests"], again["checkpoint"]) == (False, 1, result["checkpoint"])
    assert "size_before_bytes" not in again


def test_one_that_is_there_is_unchanged(demo: Simulator, run_demo: Runner) -> None:
    result = run_demo.ok(STATE, uuid=free(demo))
    assert (result["changed"], result["requests"]) == (False, 1)


def test_deletion_is_predicted_made_waited_for_and_not_made_again(demo: Simulator, run_demo: Runner) -> None:
    uuid = free(demo)
    row = demo.master.checkpoints[uuid]
    size = row.size
    options = {"uuid": uuid, "state": "absent", **QUICK}
    demo.journal.clear()
    predicted = run_demo.ok(STATE, check=True, **options)
    assert writes(demo) == []
    result = run_demo.ok(STATE, **options)
    assert writes(demo) == [("DELETE", "/api/v1/checkpoints")]
    assert row.state == "DELETED"
    for one in (predicted, result):
        assert one["changed"]
        assert one["checkpoint"]["state"] == "deleted"
        assert (one["size_before_bytes"], one["size_after_bytes"]) == (size, 0)
        assert one["diff"]["before"]["state"] == "completed"
    assert size > 0
    demo.journal.clear()
    again = run_demo.ok(STATE, **options)
    # Another DELETE would start another task.
    assert (again["changed"], again["requests"], writes(demo)) == (False, 1, [])
    assert (again["size_before_bytes"], again["size_after_bytes"]) == (0, 0)


def test_one_that_never_was_is_absent(run_demo: Runner) -> None:
    result = run_demo.ok(STATE, uuid=NOBODY, state="absent")
    assert (result["changed"], result["checkpoint"], result["requests"]) == (False, None, 1)


def test_that_one_never_was_is_not_said_by_who_may_not_see_it() -> None:
    with Simulator(fixture="demo", authz="rbac") as demo:
        blind = Runner(demo, **{**ADMIN, "auth_username": "hugo.martin"})
        assert not blind.ok(STATE, uuid=free(demo), state="absent")["changed"]
        assert "not proved: 'hugo.martin' lacks VIEW_EXPERIMENT_ARTIFACTS cluster-wide" in blind.warnings[0]
        blind.close()


def test_a_partially_deleted_one_is_deleted(demo: Simulator, run_demo: Runner) -> None:
    row = next(row for row in demo.master.checkpoints.values() if row.state == "PARTIALLY_DELETED")
    result = run_demo.ok(STATE, uuid=row.uuid, state="absent", **QUICK)
    assert (result["size_before_bytes"], result["size_after_bytes"], row.state) == (45_000_142, 0, "DELETED")


@pytest.mark.parametrize("check", [True, False])
def test_a_registered_one_is_refused_before_anything_is_sent(demo: Simulator, run_demo: Runner, check: bool) -> None:
    version = next(iter(demo.master.model_versions.values()))
    demo.journal.clear()
    message = run_demo.failed(STATE, check, uuid=version.checkpoint_uuid, state="absent")
    assert "is registered in the model 'image-classifier' (version 1): remove that version first" in message
    assert writes(demo) == []


def test_without_waiting_the_deletion_goes_on(demo: Simulator, run_demo: Runner) -> None:
    uuid = free(demo)
    result = run_demo.ok(STATE, uuid=uuid, state="absent", wait=False)
    assert (result["changed"], result["checkpoint"]["state"]) == (True, "completed")
    assert result["size_after_bytes"] == result["size_before_bytes"] > 0


def test_a_wait_that_takes_too_long_tells_the_last_state(demo: Simulator, run_demo: Runner) -> None:
    demo.master.agents.clear()
    result = run_demo(STATE, uuid=free(demo), state="absent", wait_timeout=0)
    assert result["failed"]
    assert "Not reached within wait_timeout (0 s): checkpoint" in result["msg"]
    assert "is completed. Its files are removed by a task on an agent: no agent, no end." in result["msg"]
    assert result["size_after_bytes"] == result["size_before_bytes"] > 0


def test_a_deletion_that_fails_is_a_failure(demo: Simulator, run_demo: Runner) -> None:
    uuid = free(demo)
    body = {"checkpoint": {"uuid": uuid, "state": "STATE_DELETE_FAILED"}}
    demo.faults.add(Fault("shape", path=f"/checkpoints/{uuid}", nth=2, body=body))
    message = run_demo.failed(STATE, uuid=uuid, state="absent", **QUICK)
    assert "failed (state delete_failed)" in message
    assert "state did not change" in message


def test_a_write_whose_answer_is_lost_is_settled_by_reading(demo: Simulator, run_demo: Runner) -> None:
    uuid = free(demo)
    demo.faults.add(Fault("lost", method="POST", path="/metadata"))
    result = run_demo.ok(STATE, uuid=uuid, metadata={"a": 1}, metadata_mode="merge")
    assert (result["changed"], result["checkpoint"]["metadata"]["a"]) == (True, 1)
    assert "the checkpoint is as declared" in run_demo.warnings[0]
    demo.journal.clear()
    demo.faults.add(Fault("lost", method="DELETE", path="/checkpoints"))
    message = run_demo.failed(STATE, uuid=uuid, state="absent", **QUICK)
    assert "state did not change" in message
    assert len(writes(demo)) == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"uuid": "latest"}, "uuid is 'latest': it must be a checkpoint's uuid"),
        ({"uuid": NOBODY, "wait_interval": 0}, "wait_interval is 0.0"),
        ({"uuid": NOBODY, "state": "absent", "metadata": {}}, "metadata is given with state absent"),
        ({"uuid": NOBODY, "metadata": {"a": ["********"]}}, "metadata holds a mask"),
        ({"uuid": NOBODY, "metadata": {"a": float("inf")}}, "can't be stored and read back: inf at metadata.a."),
    ],
)
def test_what_the_state_module_refuses_before_any_call(
    demo: Simulator, run_demo: Runner, options: dict[str, t.Any], sentence: str
) -> None:
    assert sentence in run_demo.failed(STATE, **options)
    assert demo.journal == []


@pytest.mark.parametrize("check", [True, False])
def test_what_a_checkpoint_does_not_allow(demo: Simulator, run_demo: Runner, check: bool) -> None:
    assert "only training makes checkpoints" in run_demo.failed(STATE, check, uuid=NOBODY)
    row = next(row for row in demo.master.checkpoints.values() if row.state == "DELETED")
    message = run_demo.failed(STATE, check, uuid=row.uuid, metadata={"a": 1})
    assert f"The checkpoint {row.uuid} is deleted: its files can't be brought back." in message
    message = run_demo.failed(STATE, check, uuid=free(demo), metadata={"a": "<keep>"})
    assert "metadata.a is <keep>: there is nothing to keep" in message


def test_secrets_in_a_checkpoint_are_never_shown(demo: Simulator, run_demo: Runner) -> None:
    uuid = free(demo)
    metadata = {"api_key": CANARY, "steps_completed": 100}
    first = run_demo.ok(STATE, uuid=uuid, metadata=metadata)
    second = run_demo.ok(STATE, uuid=uuid, metadata={**metadata, "api_key": CANARY + "2"})
    merged = run_demo.ok(STATE, uuid=uuid, metadata={"size": 4}, metadata_mode="merge")
    assert CANARY not in f"{first} {second} {merged} {run_demo.ok(OPERATION, uuid=[uuid])}"
    assert second["diff"]["after"]["metadata"]["api_key"] == "******** (changed)"
    assert demo.master.checkpoints[uuid].metadata["api_key"] == CANARY + "2"
