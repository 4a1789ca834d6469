# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls of experiments, each on a planted cluster that fails, passes, and can't be judged."""

from __future__ import annotations

import datetime
import json
import typing as t
from datetime import timedelta

import pytest

from ansible_collections.determined.ai.plugins.module_utils._audit import judged_parts
from ansible_collections.determined.ai.plugins.module_utils._audit.site import Sighting
from tests.simulator import Fault, Simulator
from tests.simulator.state import AgentRow, SlotRow

from . import plant
from .conftest import UTC, Auditor, blind


def test_exp_03(sim: Simulator, auditor: Auditor) -> None:
    team = plant.project(sim)
    plant.experiment(sim, project=team, labels=["team-a", "x"])
    found = auditor("EXP-03", profile="strict")
    assert found.status("EXP-03") == "pass"
    assert found.site.parameters.unset == {"required_labels"}
    bare = plant.experiment(sim, project=team)
    stray = plant.experiment(sim, labels=["team-a"], state="ERROR", days=89)
    plant.experiment(sim, archived=True)
    plant.experiment(sim, days=91)
    found = auditor("EXP-03", parameters={"required_labels": ["team-a"]})
    assert found.keys("EXP-03") == [f"fail experiments/{bare.id}", f"fail experiments/{stray.id}"]
    assert [one["evidence"]["faults"] for one in found.of("EXP-03")] == [
        ["It lacks required labels: team-a."],
        ["It is in no project of a team."],
    ]


def test_exp_03_of_an_archived_workspace_does_not_apply(sim: Simulator, auditor: Auditor) -> None:
    team = plant.project(sim)
    plant.experiment(sim, project=team)
    sim.master.workspaces[sim.master.projects[team].workspace_id].archived = True
    found = auditor("EXP-03", parameters={"required_labels": ["team-a"]})
    assert found.status("EXP-03") == "not_applicable"


def test_exp_04(sim: Simulator, auditor: Auditor) -> None:
    plant.experiment(sim, days=13.9)
    assert auditor("EXP-04").status("EXP-04") == "pass"
    long = plant.experiment(sim, days=14.1)
    plant.experiment(sim, days=20, state="QUEUED")
    plant.experiment(sim, days=20, state="PAUSED")
    found = auditor("EXP-04")
    assert found.keys("EXP-04") == [f"fail experiments/{long.id}"]
    assert found.of("EXP-04")[0]["evidence"]["fields"]["days"] == 14.1
    assert len(auditor("EXP-04", profile="strict").keys("EXP-04")) == 2


def test_exp_04_where_nothing_runs_does_not_apply(sim: Simulator, auditor: Auditor) -> None:
    plant.experiment(sim, days=20, state="QUEUED")
    assert auditor("EXP-04").status("EXP-04") == "not_applicable"


def test_exp_05(sim: Simulator, auditor: Auditor) -> None:
    """By the end of the last allocation; one that never had any, by its start."""
    plant.experiment(sim, state="PAUSED", days=29)
    recently = plant.experiment(sim, state="PAUSED", days=60)
    first, last = [sim.master.trials[key] for key in recently.trial_ids * 2][:2]
    first.released = last.released = sim.master.now() - timedelta(days=5)
    plant.experiment(sim, days=60)
    assert auditor("EXP-05").status("EXP-05") == "pass"
    long = plant.experiment(sim, state="PAUSED", days=60)
    sim.master.trials[long.trial_ids[0]].released = sim.master.now() - timedelta(days=31)
    never = plant.experiment(sim, state="PAUSED", days=31)
    found = auditor("EXP-05")
    assert found.keys("EXP-05") == [f"fail experiments/{long.id}", f"fail experiments/{never.id}"]
    ends = [one["evidence"]["fields"]["last_allocation_end"] for one in found.of("EXP-05")]
    assert ends[0] is not None
    assert ends[1] is None


def test_exp_05_reads_tasks_only_of_what_is_paused_and_old(sim: Simulator, auditor: Auditor) -> None:
    plant.experiment(sim, state="PAUSED", days=1)
    old = plant.experiment(sim, state="PAUSED", days=60)
    plant.experiment(sim, days=60)
    sim.journal.clear()
    auditor("EXP-05")
    read = [path for _method, path, _query, _status in sim.journal if "/trials" in path or "/tasks/" in path]
    assert read == [
        f"/api/v1/experiments/{old.id}/trials",
        f"/api/v1/tasks/{sim.master.trials[old.trial_ids[0]].task_id}",
    ]


def test_exp_05_with_tasks_that_cannot_be_read_is_unknown(sim: Simulator, auditor: Auditor) -> None:
    old = plant.experiment(sim, state="PAUSED", days=60)
    sim.faults.add(Fault("status", path=r"/experiments/\d+/trials", status=403))
    assert auditor("EXP-05").keys("EXP-05") == [f"unknown experiments/{old.id}"]


def test_exp_06(sim: Simulator, auditor: Auditor) -> None:
    plant.user(sim, "alice")
    plant.user(sim, "gone", active=False)
    plant.experiment(sim, owner="alice")
    plant.experiment(sim, owner="gone", state="COMPLETED")
    assert auditor("EXP-06").status("EXP-06") == "pass"
    runs = plant.experiment(sim, owner="gone", state="QUEUED")
    waits = plant.experiment(sim, owner="gone", state="PAUSED")
    found = auditor("EXP-06")
    assert found.keys("EXP-06") == [f"fail experiments/{runs.id}", f"fail experiments/{waits.id}"]
    assert found.of("EXP-06")[0]["evidence"]["fields"] == {"owner": "gone", "state": "queued"}


def test_exp_06_of_ended_ones_does_not_apply(sim: Simulator, auditor: Auditor) -> None:
    plant.experiment(sim, state="ERROR")
    assert auditor("EXP-06").status("EXP-06") == "not_applicable"


def test_exp_06_with_users_that_cannot_be_read_is_unknown(sim: Simulator, auditor: Auditor) -> None:
    plant.experiment(sim)
    sim.faults.add(Fault("status", path=r"/users$", status=403, nth=2))
    assert auditor("EXP-06").status("EXP-06") == "unknown"


def test_exp_07(sim: Simulator, auditor: Auditor) -> None:
    plant.experiment(sim, state="COMPLETED")
    assert auditor("EXP-07").status("EXP-07") == "pass"
    failed = plant.experiment(sim, state="DELETE_FAILED")
    assert auditor("EXP-07").keys("EXP-07") == [f"fail experiments/{failed.id}"]


def test_exp_07_tells_by_earlier_audits_how_long_a_deletion_takes(sim: Simulator, auditor: Auditor) -> None:
    row = plant.experiment(sim, state="DELETING")
    now = datetime.datetime.now(UTC)
    key = f"experiments/{row.id}"

    def judged(first: int, after: int | None) -> list[str]:
        """Hours ago."""
        earlier = None if after is None else now - timedelta(hours=after)
        seen = {"deleting": {str(row.id): Sighting(now - timedelta(hours=first), earlier)}}
        return auditor("EXP-07", now=now, sightings=seen).keys("EXP-07")

    found = auditor("EXP-07")
    assert found.keys("EXP-07") == [f"unknown {key}"]
    assert found.site.noted["deleting"] == {str(row.id)}
    assert judged(24, 25) == [f"fail {key}"]
    assert judged(24, None) == [f"fail {key}"]
    assert judged(23, None) == [f"unknown {key}"]
    assert judged(22, 25) == [f"unknown {key}"]
    assert judged(22, 23) == []


# --- EXP-01: images ---

OURS = "registry.example.com/team/train:1.2"
ALLOWED = {"allowed_registries": ["registry.example.com"]}


def image(value: t.Any, **more: t.Any) -> dict[str, t.Any]:
    return {"environment": {"image": value}, **more}


def test_exp_01(sim: Simulator, auditor: Auditor) -> None:
    plant.experiment(sim, image(OURS))
    plant.task(sim, "notebook", config=image(OURS))
    assert auditor("EXP-01", parameters=ALLOWED).status("EXP-01") == "pass"
    loose = plant.experiment(sim, image("registry.example.com/team/train"))
    foreign = plant.experiment(sim, image("team/train:1.2"), state="PAUSED")
    both = plant.task(sim, "command", config=image("team/train:latest"))
    plant.experiment(sim, image("team/train"), state="COMPLETED")
    plant.experiment(sim, image("team/train"), unmanaged=True, state="RUNNING")
    plant.task(sim, "command", config=image("team/train")).finish(sim.master.now())
    found = auditor("EXP-01", parameters=ALLOWED)
    assert found.keys("EXP-01") == [
        f"fail experiments/{loose.id}",
        f"fail experiments/{foreign.id}",
        f"fail tasks/{both.id}",
    ]
    assert [len(one["evidence"]["faults"]) for one in found.of("EXP-01")] == [1, 1, 2]
    # Without a list of registries only the other condition is judged.
    found = auditor("EXP-01")
    assert found.keys("EXP-01") == [f"fail experiments/{loose.id}", f"fail tasks/{both.id}"]
    assert found.site.parameters.unset == {"allowed_registries"}


def test_exp_01_judges_the_images_of_slots_that_there_are(sim: Simulator, auditor: Auditor) -> None:
    """The stored configuration names an image for each type; which is run is decided by the slots of the pools."""
    cuda = plant.experiment(
        sim, image({"cpu": OURS, "cuda": "team/cuda", "rocm": OURS}, resources={"slots_per_trial": 0})
    )
    stored = {"cpu": OURS, "cuda": "team/cuda", "rocm": "team/rocm"}
    plant.stored(cuda, environment={**cuda.base.data["environment"], "image": stored})
    assert "rocm" in str(auditor("EXP-01").of("EXP-01")[0]["evidence"]["faults"])
    agent(sim, "TYPE_CUDA")
    faults = str(auditor("EXP-01").of("EXP-01")[0]["evidence"]["faults"])
    assert "team/cuda" in faults
    assert "rocm" not in faults
    sim.master.agents.clear()
    agent(sim, "TYPE_CPU")
    assert auditor("EXP-01").status("EXP-01") == "pass"


def agent(sim: Simulator, slot_type: str) -> None:
    row = AgentRow("node", "default", sim.master.now(), "10.0.0.1")
    row.slots[0] = SlotRow(0, slot_type, "x", "GPU-0")
    sim.master.agents[row.id] = row


def test_exp_01_of_images_that_nobody_chose_does_not_apply(sim: Simulator, auditor: Auditor) -> None:
    """The release's own images stand in each configuration that names none; nothing tells them from a choice."""
    plant.experiment(sim)
    plant.task(sim, "notebook")
    assert auditor("EXP-01", parameters=ALLOWED, profile="strict").status("EXP-01") == "not_applicable"


@pytest.mark.parametrize(
    ("name", "status"),
    [
        # What an older release used; its experiments may still be paused.
        ("determinedai/pytorch-ngc:0.38.0", "not_applicable"),
        ("determinedai/pytorch-ngc:latest", "fail"),
        ("determinedai/pytorch-ngc", "fail"),
        ("evil/determinedai/pytorch-ngc:0.38.1", "fail"),
    ],
)
def test_exp_01_knows_the_images_of_releases(sim: Simulator, auditor: Auditor, name: str, status: str) -> None:
    plant.experiment(sim, image(name))
    assert auditor("EXP-01", parameters=ALLOWED).status("EXP-01") == status


def test_exp_01_judges_what_is_another_pools_default(sim: Simulator, auditor: Auditor) -> None:
    """It is the default of that pool only, so here somebody chose it."""
    other = {
        "pool_name": "other",
        "task_container_defaults": {"image": dict.fromkeys(("cpu", "cuda", "rocm"), "team/x")},
    }
    sim.master.config["resource_pools"].append(other)
    row = plant.experiment(sim, image("team/x"))
    assert auditor("EXP-01").keys("EXP-01") == [f"fail experiments/{row.id}"]
    other["pool_name"] = "default"
    assert auditor("EXP-01").status("EXP-01") == "not_applicable"


def test_exp_01_leaves_the_clusters_image_to_the_cluster(sim: Simulator, auditor: Auditor) -> None:
    defaults = sim.master.config["task_container_defaults"]
    defaults["image"] = {"cpu": "team/train", "cuda": "team/train", "rocm": "team/train"}
    plant.experiment(sim)
    plant.task(sim, "notebook")
    own = plant.experiment(sim, image("team/other"))
    found = auditor("EXP-01", "TPL-06")
    assert found.keys("EXP-01") == [f"fail experiments/{own.id}"]
    assert found.status("TPL-06") == "fail"


def test_exp_01_of_who_may_not_see_what_the_cluster_sets(sim: Simulator) -> None:
    """Whether a bad image is the experiment's own can't be told; a good one is good whoever chose it."""
    auditor = blind(sim)
    plant.experiment(sim, image(OURS))
    assert auditor("EXP-01").status("EXP-01") == "pass"
    plant.experiment(sim, image("team/train"))
    assert auditor("EXP-01").keys("EXP-01") == ["unknown master_config/*"]


# --- EXP-02: secrets and privilege ---

VARIABLE = {"environment": {"environment_variables": ["DB_PASSWORD=CANARY-one"]}}
MOUNT = {"bind_mounts": [{"host_path": "/etc", "container_path": "/host-etc"}]}


def test_exp_02(sim: Simulator, auditor: Auditor) -> None:
    plant.experiment(sim, {"environment": {"environment_variables": ["LANG=C.UTF-8"]}, "data": {"root": "/d"}})
    assert auditor("EXP-02").status("EXP-02") == "pass"
    planted = [
        plant.experiment(sim, VARIABLE),
        plant.experiment(sim, VARIABLE, state="COMPLETED"),
        plant.experiment(sim, {"data": {"secrets": {"anything": "CANARY-six"}}}, state="ERROR"),
        plant.experiment(sim, {"hyperparameters": {"wandb_api_key": "CANARY-seven-7"}}),
        plant.experiment(sim, {"entrypoint": "python3 train.py --password CANARY-eight-8"}),
        plant.experiment(sim, {"description": "log in with hf_CANARY0123456789abcdefghij"}),
        plant.experiment(sim, MOUNT, state="PAUSED"),
    ]
    # Who has ended mounts nothing any more.
    plant.experiment(sim, MOUNT, state="COMPLETED")
    found = auditor("EXP-02")
    assert found.keys("EXP-02") == [f"fail experiments/{row.id}" for row in planted]
    assert "CANARY" not in json.dumps(found.findings)
    # Stored for cpu, cuda and rocm, a variable is one.
    assert len(found.of("EXP-02")[0]["evidence"]["faults"]) == 1


def test_exp_02_leaves_what_is_inherited_to_where_it_is_set(sim: Simulator, auditor: Auditor) -> None:
    defaults = sim.master.config["task_container_defaults"]
    defaults.update(
        environment_variables={"cpu": ["WANDB_API_KEY=CANARY-w-1"], "cuda": ["WANDB_API_KEY=CANARY-w-1"], "rocm": []},
        registry_auth={"username": "puller", "password": "CANARY-registry", "serveraddress": "registry.example.com"},
        bind_mounts=[
            {"host_path": "/etc", "container_path": "/host-etc", "read_only": False, "propagation": "rprivate"}
        ],
        add_capabilities=["SYS_ADMIN"],
    )
    sim.master.config["checkpoint_storage"] = {
        "type": "s3", "bucket": "all", "access_key": "CANARY-access", "secret_key": "CANARY-secret",
    }  # fmt: skip
    row = plant.experiment(sim)
    assert "CANARY-secret" in str(row.base.data["checkpoint_storage"])
    assert "CANARY-registry" in str(row.base.data["environment"])
    found = auditor("EXP-02", "TPL-06", "CKP-02")
    assert found.status("EXP-02") == "pass"
    assert (found.status("TPL-06"), found.status("CKP-02")) == ("fail", "fail")
    own = [
        plant.experiment(sim, {"environment": {"environment_variables": ["OWN_PASSWORD=CANARY-own"]}}),
        plant.experiment(sim, {"environment": {"add_capabilities": ["NET_ADMIN"]}}),
        plant.experiment(sim, {"bind_mounts": [{"host_path": "/root", "container_path": "/r"}]}),
        plant.experiment(
            sim,
            {"checkpoint_storage": {"type": "s3", "bucket": "own", "access_key": "CANARY-a", "secret_key": "CANARY-b"}},
        ),
    ]
    found = auditor("EXP-02")
    assert found.keys("EXP-02") == [f"fail experiments/{row.id}" for row in own]
    assert all(
        "WANDB" not in text and "SYS_ADMIN" not in text and "/etc" not in text
        for one in found.of("EXP-02")
        for text in one["evidence"]["faults"]
    )


def test_exp_02_leaves_a_workspaces_keys_to_the_workspace(sim: Simulator, auditor: Auditor) -> None:
    team = plant.project(sim)
    workspace = sim.master.workspaces[sim.master.projects[team].workspace_id]
    workspace.checkpoint_storage = {
        "type": "s3", "bucket": "team", "access_key": "CANARY-access", "secret_key": "CANARY-secret",
    }  # fmt: skip
    row = plant.experiment(sim, project=team)
    assert "CANARY-secret" in str(row.base.data["checkpoint_storage"])
    assert auditor("EXP-02").status("EXP-02") == "pass"
    moved = plant.experiment(sim, project=team)
    moved.project_id = 1
    assert auditor("EXP-02").keys("EXP-02") == [f"fail experiments/{moved.id}"]


def test_exp_02_of_who_may_not_see_what_the_cluster_sets(sim: Simulator) -> None:
    auditor = blind(sim)
    plant.experiment(sim)
    assert auditor("EXP-02").status("EXP-02") == "pass"
    plant.experiment(sim, VARIABLE)
    assert auditor("EXP-02").keys("EXP-02") == ["unknown master_config/*"]


@pytest.mark.parametrize("control", ["EXP-01", "EXP-02", "EXP-03", "EXP-04", "EXP-05", "EXP-06", "EXP-07"])
def test_who_may_not_see_experiments_passes_none(control: str) -> None:
    with Simulator(fixture="empty", authz="rbac") as sim:
        plant.experiment(sim)
        assert blind(sim)(control).status(control) == "unknown"


def test_equal_parts_are_judged_once(sim: Simulator, auditor: Auditor, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what differs, such as hyperparameters, for each."""
    walked = []
    find = judged_parts.find_secrets
    monkeypatch.setattr(judged_parts, "find_secrets", lambda part, **how: walked.append(part) or find(part, **how))
    for number in range(20):
        plant.experiment(sim, {"hyperparameters": {"wandb_api_key": f"CANARY-{number}"}})
    assert len(auditor("EXP-02").keys("EXP-02")) == 20
    assert sum("hyperparameters" in part for part in walked) == 20
    assert sum("environment" in part for part in walked) == 1
