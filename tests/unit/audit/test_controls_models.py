# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls of the model registry, each on a planted cluster that fails, passes, and can't be judged."""

from __future__ import annotations

import typing as t

import pytest

from tests.simulator import Fault, Simulator
from tests.simulator.ml_state import CheckpointRow

from . import plant
from .conftest import Auditor, blind


def model(sim: Simulator, name: str, description: str = "What it tells", labels: t.Sequence[str] = ("served",)) -> None:
    plant.call(sim, "POST", "/models", {"name": name, "description": description, "labels": list(labels)})


def version(sim: Simulator, name: str) -> CheckpointRow:
    """Register a checkpoint of a new experiment."""
    row = plant.experiment(sim, state="COMPLETED")
    trial = sim.master.trials[row.trial_ids[0]]
    uuid = f"00000000-0000-4000-8000-{len(sim.master.checkpoints):012d}"
    found = CheckpointRow(
        uuid, trial.id, row.id, trial.task_id, sim.master.now(), {"model.pt": 1000}, {"steps_completed": 100}
    )
    sim.master.checkpoints[uuid] = found
    trial.checkpoint_uuids.append(uuid)
    plant.call(sim, "POST", f"/models/{name}/versions", {"checkpointUuid": uuid})
    return found


def test_mod_01(sim: Simulator, auditor: Auditor) -> None:
    model(sim, "good")
    assert auditor("MOD-01").status("MOD-01") == "pass"
    model(sim, "nameless", description=" ")
    model(sim, "unlabelled", labels=())
    found = auditor("MOD-01")
    assert found.keys("MOD-01") == ["fail models/nameless", "fail models/unlabelled"]
    assert [one["evidence"]["faults"] for one in found.of("MOD-01")] == [
        ["It has no description."],
        ["It has no labels."],
    ]


def test_mod_02(sim: Simulator, auditor: Auditor) -> None:
    model(sim, "good")
    version(sim, "good")
    version(sim, "good")
    model(sim, "without")
    assert auditor("MOD-02").status("MOD-02") == "pass"
    for name in ("deleted", "empty", "gone"):
        model(sim, name)
    version(sim, "deleted").state = "DELETED"
    version(sim, "empty").resources = {}
    version(sim, "gone")
    del sim.master.checkpoints[version(sim, "gone").uuid]
    found = auditor("MOD-02")
    assert {one["key"]: one["evidence"]["faults"] for one in found.of("MOD-02")} == {
        "deleted": ["The checkpoint of version 1 is deleted."],
        "empty": ["The checkpoint of version 1 has no files."],
        "gone": ["A version's checkpoint is gone altogether, so that the version is not listed."],
    }
    assert found.of("MOD-02")[2]["evidence"]["fields"] == {"num_versions": 2, "listed_versions": 1}


def test_without_models_nothing_applies(sim: Simulator, auditor: Auditor) -> None:
    found = auditor("MOD-01", "MOD-02")
    assert (found.status("MOD-01"), found.status("MOD-02")) == ("not_applicable", "not_applicable")


def test_mod_02_reads_no_versions_where_there_are_none(sim: Simulator, auditor: Auditor) -> None:
    model(sim, "without")
    sim.journal.clear()
    assert auditor("MOD-02").status("MOD-02") == "not_applicable"
    assert not [path for _method, path, _query, _status in sim.journal if "versions" in path]


def test_mod_02_with_versions_that_cannot_be_read_is_unknown(sim: Simulator, auditor: Auditor) -> None:
    model(sim, "good")
    version(sim, "good")
    sim.faults.add(Fault("status", path="/versions", status=403))
    assert auditor("MOD-02").keys("MOD-02") == ["unknown models/good"]


@pytest.mark.parametrize("control", ["MOD-01", "MOD-02"])
def test_who_may_not_see_models_passes_none(control: str) -> None:
    with Simulator(fixture="empty", authz="rbac") as sim:
        assert blind(sim)(control).status(control) == "unknown"
