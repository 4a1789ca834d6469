# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls of checkpoint storage, each on a planted cluster that fails, passes, and can't be judged."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.determined.ai.plugins.module_utils._audit import snapshot
from tests.simulator import Fault, Simulator

from . import plant
from .conftest import Auditor, blind

GIB = 1 << 30


def test_ckp_03_of_archived_experiments(sim: Simulator, auditor: Auditor) -> None:
    limit = {"archived_checkpoint_gib": 10}
    plant.experiment(sim, state="COMPLETED", archived=True, size=10 * GIB, count=2)
    plant.experiment(sim, state="COMPLETED", size=11 * GIB, count=2)
    assert auditor("CKP-03", parameters=limit).status("CKP-03") == "pass"
    big = plant.experiment(sim, state="COMPLETED", archived=True, size=10 * GIB + 1, count=2)
    found = auditor("CKP-03", parameters=limit)
    assert found.keys("CKP-03") == [f"fail experiments/{big.id}"]
    assert found.of("CKP-03")[0]["evidence"]["fields"] == {
        "checkpoint_gib": 10.0,
        "checkpoint_count": 2,
        "save_experiment_best": 0,
        "save_trial_best": 1,
        "save_trial_latest": 1,
    }


def test_ckp_03_of_all_together(sim: Simulator, auditor: Auditor) -> None:
    plant.experiment(sim, state="COMPLETED", size=3 * GIB)
    plant.experiment(sim, state="COMPLETED", size=2 * GIB)
    assert auditor("CKP-03", parameters={"checkpoint_budget_gib": 5}).status("CKP-03") == "pass"
    found = auditor("CKP-03", parameters={"checkpoint_budget_gib": 4})
    assert found.keys("CKP-03") == [f"fail cluster/{sim.master.cluster_id}"]
    assert found.of("CKP-03")[0]["evidence"]["fields"] == {"checkpoint_gib": 5.0}


def test_ckp_03_without_limits_does_not_apply(sim: Simulator, auditor: Auditor) -> None:
    plant.experiment(sim, state="COMPLETED", archived=True, size=10 * GIB)
    found = auditor("CKP-03")
    assert found.status("CKP-03") == "not_applicable"
    assert found.site.parameters.unset == {"archived_checkpoint_gib", "checkpoint_budget_gib"}


def test_ckp_03_with_a_list_that_ends_early(sim: Simulator, auditor: Auditor, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was seen can be too much already; that it is not too much can't be told."""
    monkeypatch.setattr(snapshot, "PAGE", 1)
    for _number in range(3):
        plant.experiment(sim, state="COMPLETED", size=2 * GIB)
    for budget, expected in (
        (3, [f"fail cluster/{sim.master.cluster_id}", "unknown experiments/*"]),
        (5, ["unknown experiments/*"]),
    ):
        sim.faults.clear()
        sim.faults.add(Fault("status", path="/experiments", status=403, nth=3, count=0))
        assert auditor("CKP-03", parameters={"checkpoint_budget_gib": budget}).keys("CKP-03") == expected


def test_ckp_03_of_who_may_not_see_experiments_is_unknown() -> None:
    with Simulator(fixture="empty", authz="rbac") as sim:
        found = blind(sim)("CKP-03", parameters={"checkpoint_budget_gib": 5})
        assert found.keys("CKP-03") == ["unknown experiments/*"]


# --- CKP-01 and CKP-02 ---

KEYS = {"type": "s3", "bucket": "all", "access_key": "CANARY-access", "secret_key": "CANARY-secret"}
ROLE = {"type": "s3", "bucket": "all"}
FREE = {"allowed_storage_paths": ["/mnt/checkpoints"]}


def shared(path: str) -> dict[str, t.Any]:
    return {"type": "shared_fs", "host_path": path}


def workspace(sim: Simulator, storage: dict[str, t.Any], name: str = "lab") -> int:
    """A project in a workspace with storage of its own."""
    team = plant.project(sim, name)
    sim.master.workspaces[sim.master.projects[team].workspace_id].checkpoint_storage = storage
    return team


def test_ckp_01(sim: Simulator, auditor: Auditor) -> None:
    sim.master.config["checkpoint_storage"] = shared("/mnt/checkpoints")
    workspace(sim, ROLE)
    plant.experiment(sim)
    plant.experiment(sim, {"checkpoint_storage": shared("/mnt/checkpoints/sub")})
    assert auditor("CKP-01", parameters=FREE).status("CKP-01") == "pass"
    sim.master.config["checkpoint_storage"] = shared("/tmp")
    team = workspace(sim, shared("/srv"), "lab2")
    plant.experiment(sim)
    plant.experiment(sim, project=team)
    own = plant.experiment(sim, {"checkpoint_storage": shared("/home/alice")})
    found = auditor("CKP-01", parameters=FREE)
    assert found.keys("CKP-01") == [
        f"fail cluster/{sim.master.cluster_id}",
        f"fail experiments/{own.id}",
        "fail workspaces/lab2",
    ]
    assert "/srv" in str(found.of("CKP-01")[2]["evidence"])


def test_ckp_01_of_host_paths_without_a_list_does_not_apply(sim: Simulator, auditor: Auditor) -> None:
    found = auditor("CKP-01")
    assert found.status("CKP-01") == "not_applicable"
    assert found.site.parameters.unset == {"allowed_storage_paths"}
    sim.master.config["checkpoint_storage"] = ROLE
    assert auditor("CKP-01").status("CKP-01") == "pass"


def test_ckp_02(sim: Simulator, auditor: Auditor) -> None:
    sim.master.config["checkpoint_storage"] = ROLE
    workspace(sim, ROLE)
    plant.experiment(sim)
    assert auditor("CKP-02").status("CKP-02") == "pass"
    sim.master.config["checkpoint_storage"] = KEYS
    workspace(sim, {"type": "azure", "container": "c", "connection_string": "AccountKey=CANARY-azure"}, "lab2")
    plant.experiment(sim)
    found = auditor("CKP-02")
    assert found.keys("CKP-02") == [f"fail cluster/{sim.master.cluster_id}", "fail workspaces/lab2"]
    assert "CANARY" not in json.dumps(found.findings)


def test_ckp_02_of_a_path_does_not_apply(sim: Simulator, auditor: Auditor) -> None:
    assert auditor("CKP-02").status("CKP-02") == "not_applicable"


def test_the_storage_of_a_workspace_that_cannot_be_read_is_unknown(sim: Simulator, auditor: Auditor) -> None:
    sim.master.config["checkpoint_storage"] = ROLE
    workspace(sim, ROLE)
    sim.faults.add(Fault("status", path=r"/workspaces/2", status=403))
    found = auditor("CKP-01", "CKP-02", parameters=FREE)
    for control in ("CKP-01", "CKP-02"):
        assert found.keys(control) == ["unknown workspaces/lab"]


def test_who_may_not_see_the_configuration_passes_none(sim: Simulator) -> None:
    found = blind(sim)("CKP-01", "CKP-02", parameters=FREE)
    assert found.keys("CKP-01") == found.keys("CKP-02") == ["unknown master_config/*"]
