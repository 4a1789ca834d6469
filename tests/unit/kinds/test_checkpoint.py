# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints, against the simulated master's demo data."""

from __future__ import annotations

import math
import typing as t

import pytest

from ansible_collections.determined.ai.plugins.modules.det_checkpoint_info import OPERATION
from tests.simulator import Fault, Simulator
from tests.unit.conftest import Runner


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
