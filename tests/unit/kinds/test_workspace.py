# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workspaces, against the simulated master."""

from __future__ import annotations

import typing as t

import pytest
import requests

from ansible_collections.determined.ai.plugins.module_utils._engine.compare import compare
from ansible_collections.determined.ai.plugins.module_utils._kinds.workspace import WORKSPACE
from ansible_collections.determined.ai.plugins.modules.det_workspace import OPERATION
from ansible_collections.determined.ai.plugins.modules.det_workspace_info import OPERATION as INFO
from tests.simulator import Fault, Simulator
from tests.simulator.ml_state import ExperimentRow
from tests.simulator.namespaces import Cluster
from tests.unit.conftest import ADMIN, Runner

CANARY = "CANARY-storage-key"
SERVER_MADE = ("id",)
AGENT = {"uid": 7, "gid": 8, "user": "ml", "group": "mlg"}
SHOWN_AGENT = {"agent_uid": 7, "agent_gid": 8, "agent_user": "ml", "agent_group": "mlg"}
S3 = {"type": "s3", "bucket": "b", "access_key": f"{CANARY}-a", "secret_key": f"{CANARY}-s"}
SHOWN_S3 = {"type": "s3", "bucket": "b", "access_key": "********", "secret_key": "********"}
SHARED = {"type": "shared_fs", "host_path": "/data"}
REFUSED = {"error": {"code": 13, "error": "disk full"}}


def known(workspace: dict[str, t.Any]) -> dict[str, t.Any]:
    """The workspace without what only the server makes."""
    return {name: value for name, value in workspace.items() if name not in SERVER_MADE}


def writes(sim: Simulator) -> list[tuple[str, str]]:
    """What the journal holds beside reads and logins."""
    return [(entry.method, entry.path) for entry in sim.journal if entry.method != "GET" and "/auth/" not in entry.path]


def call(sim: Simulator, method: str, path: str, body: t.Any = None) -> t.Any:
    """Make a call of the test's own."""
    header = {"Authorization": f"Bearer {sim.login()}"}
    answer = requests.request(method, f"{sim.url}/api/v1/{path}", json=body, headers=header, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


def storage_of(sim: Simulator, workspace_id: int = 2) -> dict[str, t.Any]:
    """What the server has stored, without nulls and unmasked."""
    stored = sim.master.workspaces[workspace_id].checkpoint_storage or {}
    return {name: value for name, value in stored.items() if value is not None}


# What the workspace is before, what is declared, and how the result then differs.
TABLE: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], dict[str, t.Any]]] = {
    "renamed": ({}, {"new_name": "b_%/x"}, {"name": "b_%/x"}),
    "agent": ({}, {"agent_user_group": AGENT}, {"agent_user_group": SHOWN_AGENT}),
    "agent changed": (
        {"agent_user_group": AGENT},
        {"agent_user_group": {**AGENT, "uid": 0}},
        {"agent_user_group": {**SHOWN_AGENT, "agent_uid": 0}},
    ),
    "agent cleared": ({"agent_user_group": AGENT}, {"agent_user_group": {}}, {"agent_user_group": None}),
    "pools": (
        {},
        {"default_compute_pool": "default", "default_aux_pool": "default"},
        {"default_compute_pool": "default", "default_aux_pool": "default"},
    ),
    "pool cleared": (
        {"default_compute_pool": "default", "default_aux_pool": "default"},
        {"default_aux_pool": ""},
        {"default_aux_pool": ""},
    ),
    "storage": ({}, {"checkpoint_storage": SHARED}, {"checkpoint_storage": SHARED}),
    "storage with keys": ({}, {"checkpoint_storage": S3}, {"checkpoint_storage": SHOWN_S3}),
    "storage changed, with its keys": (
        {"checkpoint_storage": S3},
        {"checkpoint_storage": {**S3, "prefix": "p"}},
        {"checkpoint_storage": {**SHOWN_S3, "prefix": "p"}},
    ),
    "keys wiped on purpose": (
        {"checkpoint_storage": S3},
        {"checkpoint_storage": {"type": "s3", "bucket": "b", "access_key": "", "secret_key": ""}},
        {"checkpoint_storage": {"type": "s3", "bucket": "b"}},
    ),
    "keys for a storage without": (
        {"checkpoint_storage": {"type": "s3", "bucket": "b"}},
        {"checkpoint_storage": S3},
        {"checkpoint_storage": SHOWN_S3},
    ),
    "another type": ({"checkpoint_storage": S3}, {"checkpoint_storage": SHARED}, {"checkpoint_storage": SHARED}),
    "storage cleared": ({"checkpoint_storage": S3}, {"checkpoint_storage": {}}, {"checkpoint_storage": None}),
    "number that is a truth": (
        {"checkpoint_storage": {**SHARED, "save_trial_best": 1}},
        {"checkpoint_storage": {**SHARED, "save_trial_best": 2.0}},
        {"checkpoint_storage": {**SHARED, "save_trial_best": 2}},
    ),
    "archived": ({}, {"archived": True}, {"archived": True}),
    "archived and edited": (
        {},
        {"archived": True, "default_aux_pool": "default"},
        {"archived": True, "default_aux_pool": "default"},
    ),
    "unarchived": ({"archived": True}, {"archived": False}, {"archived": False}),
    "unarchived and edited": (
        {"archived": True},
        {"archived": False, "new_name": "beta"},
        {"archived": False, "name": "beta"},
    ),
    "edited in the archive": (
        {"archived": True},
        {"archived": True, "checkpoint_storage": SHARED},
        {"archived": True, "checkpoint_storage": SHARED},
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_a_change_is_predicted_made_and_not_made_again(sim: Simulator, run: Runner, case: str) -> None:
    before, declared, differs = TABLE[case]
    created = run.ok(OPERATION, name="alpha", **before)["workspace"]
    options = {"name": "alpha", **declared}
    sim.journal.clear()
    predicted = run.ok(OPERATION, check=True, **options)
    assert writes(sim) == []
    result = run.ok(OPERATION, **options)
    assert result["changed"]
    assert predicted["changed"]
    assert known(result["workspace"]) == {**known(created), **differs}
    assert known(predicted["workspace"]) == known(result["workspace"])
    assert result["diff"] == predicted["diff"]
    assert CANARY not in str(result)
    for name in differs:
        assert name in result["diff"]["after"]
    sim.journal.clear()
    again = run.ok(OPERATION, **options)
    assert not again["changed"]
    assert "diff" not in again
    assert again["workspace"] == result["workspace"]
    assert writes(sim) == []
    # By its name it is found in the list, which lacks the storage.
    assert again["requests"] == (3 if "new_name" in declared else 2)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"agent_user_group": AGENT, "checkpoint_storage": S3},
        {"default_compute_pool": "default", "archived": True},
        {"agent_user_group": {}, "checkpoint_storage": {}, "default_aux_pool": "", "archived": False},
    ],
)
def test_creation_is_predicted_made_and_not_made_again(sim: Simulator, run: Runner, options: dict[str, t.Any]) -> None:
    predicted = run.ok(OPERATION, check=True, name="alpha", **options)
    assert list(sim.master.workspaces) == [1]
    result = run.ok(OPERATION, name="alpha", **options)
    assert predicted["workspace"]["id"] is None
    assert known(predicted["workspace"]) == known(result["workspace"])
    assert predicted["diff"]["after"]["checkpoint_storage"] == result["diff"]["after"]["checkpoint_storage"]
    assert (result["workspace"]["username"], result["workspace"]["pinned"]) == ("admin", True)
    assert CANARY not in str(result)
    again = run.ok(OPERATION, name="alpha", **options)
    assert (again["changed"], again["requests"]) == (False, 2)
    assert known(again["workspace"]) == known(result["workspace"])


def test_what_was_sent_is_stored(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, name="alpha", checkpoint_storage=S3, agent_user_group=AGENT)
    assert storage_of(sim) == S3
    assert sim.master.workspaces[2].agent == {"agentUid": 7, "agentGid": 8, "agentUser": "ml", "agentGroup": "mlg"}


# --- storage ---


def test_a_storage_without_its_keys_is_unchanged_or_refused(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, name="alpha", checkpoint_storage=S3)
    bare = {"type": "s3", "bucket": "b"}
    for same in (bare, {**bare, "prefix": None}, {**bare, "access_key": "<keep>"}, {**bare, "access_key": "other"}, S3):
        assert not run.ok(OPERATION, name="alpha", checkpoint_storage=same)["changed"]
    moved = {"type": "s3", "bucket": "c"}
    for check in (True, False):
        message = run.failed(OPERATION, check=check, name="alpha", checkpoint_storage=moved)
        assert "does not give access_key and secret_key, and this change would wipe the live one" in message
        message = run.failed(OPERATION, check=check, name="alpha", checkpoint_storage={**moved, "access_key": "x"})
        assert "does not give secret_key" in message
        message = run.failed(
            OPERATION, check=check, name="alpha", checkpoint_storage={**S3, "access_key": ""} | {"secret_key": None}
        )
        assert "does not give secret_key" in message
    assert storage_of(sim) == S3


def test_keys_are_written_each_time_on_request(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, name="alpha", checkpoint_storage=S3)
    other = {**S3, "access_key": f"{CANARY}-2"}
    assert not run.ok(OPERATION, name="alpha", checkpoint_storage=other)["changed"]
    for check in (True, False, False):
        result = run.ok(OPERATION, check=check, name="alpha", checkpoint_storage=other, update_secrets="always")
        assert result["changed"]
        assert result["diff"]["after"]["checkpoint_storage_keys"] == "******** (changed)"
        assert "checkpoint_storage_keys" not in result["workspace"]
        assert CANARY not in str(result)
    assert storage_of(sim) == other
    # Nothing to write.
    assert not run.ok(
        OPERATION,
        name="alpha",
        checkpoint_storage=SHOWN_S3 | {"access_key": None, "secret_key": None},
        update_secrets="always",
    )["changed"]
    half = {"type": "s3", "bucket": "b", "access_key": "x"}
    message = run.failed(OPERATION, name="alpha", checkpoint_storage=half, update_secrets="always")
    assert "does not give secret_key" in message


def test_unmasked_secrets_of_a_storage_are_compared_and_kept(sim: Simulator, run: Runner) -> None:
    azure = {"type": "azure", "container": "c", "connection_string": f"AccountName=n;AccountKey={CANARY}"}
    created = run.ok(OPERATION, name="alpha", checkpoint_storage=azure)
    assert CANARY not in str(created)
    kept = {**azure, "connection_string": "<keep>"}
    assert not run.ok(OPERATION, name="alpha", checkpoint_storage=kept)["changed"]
    moved = run.ok(OPERATION, name="alpha", checkpoint_storage={**kept, "container": "d"})
    assert CANARY not in str(moved)
    assert storage_of(sim) == {**azure, "container": "d"}
    changed = run.ok(OPERATION, name="alpha", checkpoint_storage={**azure, "container": "d", "connection_string": "x"})
    assert changed["diff"]["after"]["checkpoint_storage"]["connection_string"] == "******** (changed)"


def test_there_must_be_something_to_keep(run: Runner) -> None:
    for storage in ({**S3, "access_key": "<keep>"}, {"type": "azure", "container": "c", "credential": "<keep>"}):
        message = run.failed(OPERATION, name="alpha", checkpoint_storage=storage)
        assert "is <keep>: there is nothing to keep, give the value itself." in message


# --- what is refused ---


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"name": ""}, "name is empty: it must be a workspace's name."),
        ({"name": " \t"}, "name is empty: it must be a workspace's name."),
        ({"name": "\u00e9" * 41}, "a workspace's name has at most 80 bytes, this one has 82."),
        ({"name": "a", "wait_interval": 0}, "wait_interval is 0.0"),
        ({"name": "a", "new_name": ""}, "new_name is empty"),
        ({"name": "a", "new_name": "b", "state": "absent"}, "new_name is given with state absent"),
        (
            {"name": "a", "agent_user_group": {"uid": 1, "user": "x"}},
            "agent_user_group lacks gid, group: it needs all of",
        ),
        ({"name": "a", "agent_user_group": {**AGENT, "gid": -1}}, "agent_user_group.gid is -1: it must be 0 or more."),
        (
            {"name": "a", "checkpoint_storage": SHOWN_S3},
            "checkpoint_storage.access_key, checkpoint_storage.secret_key is a mask",
        ),
        ({"name": "a", "checkpoint_storage": {"bucket": "b"}}, "checkpoint_storage lacks type"),
        (
            {"name": "a", "checkpoint_storage": {"type": "s3", "bucket": b"b"}},
            "can't be stored and read back: bytes at checkpoint_storage.bucket.",
        ),
        (
            {"name": "a", "checkpoint_storage": {"type": "s3", "bukcet": "b"}},
            "checkpoint_storage has keys that no storage knows: checkpoint_storage.bukcet (nearest: checkpoint_storage.bucket).",
        ),
        ({"name": "a", "namespace_bindings": {}}, "namespace_bindings is empty"),
        ({"name": "a", "resource_quota": {}}, "resource_quota is empty"),
        ({"name": "a", "namespace_bindings": {"k": ""}}, "namespace_bindings.k must be a namespace's name"),
        ({"name": "a", "namespace_bindings": {"k": {"auto_create_namespace": False}}}, "namespace_bindings.k must be"),
        ({"name": "a", "resource_quota": {"k": "4"}}, "resource_quota.k is '4': it must be a whole number"),
        ({"name": "a", "resource_quota": {"k": True}}, "resource_quota.k is True: it must be a whole number"),
        ({"name": "a", "resource_quota": {"k": -1}}, "resource_quota.k is -1: it must be a whole number"),
    ],
)
def test_what_is_refused_before_any_call(sim: Simulator, run: Runner, options: dict[str, t.Any], sentence: str) -> None:
    assert sentence in run.failed(OPERATION, **options)
    assert sim.journal == []


def test_the_built_in_workspace_can_be_declared_but_not_changed(run: Runner) -> None:
    assert not run.ok(OPERATION, name="Uncategorized", archived=False, agent_user_group={})["changed"]
    assert "is built in and can't be changed (name)" in run.failed(OPERATION, name="Uncategorized", new_name="x")
    assert "is built in and can't be changed (archived)" in run.failed(OPERATION, name="Uncategorized", archived=True)
    assert "is built in and can't be removed" in run.failed(OPERATION, name="Uncategorized", state="absent")


def test_an_archived_workspace_refuses_edits_unless_told_what_to_do(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, name="alpha", checkpoint_storage=SHARED, archived=True)
    assert not run.ok(OPERATION, name="alpha", checkpoint_storage=SHARED)["changed"]
    for check in (True, False):
        message = run.failed(OPERATION, check=check, name="alpha", new_name="beta", default_aux_pool="default")
        assert "is archived and refuses edits (name, default_aux_pool): set archived to true" in message


def test_an_archived_workspace_is_archived_again_when_its_edit_fails(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, name="alpha", archived=True)
    sim.faults.add(Fault("status", method="PATCH", status=500, body=REFUSED))
    message = run.failed(OPERATION, name="alpha", new_name="beta", archived=True)
    assert "disk full" in message
    assert "Read again, of the workspace: name did not change." in message
    assert sim.master.workspaces[2].archived
    for path in ("/workspaces/2$", "/archive$"):
        sim.faults.add(Fault("status", method="P.*", path=path, status=500, body=REFUSED))
    message = run.failed(OPERATION, name="alpha", new_name="beta", archived=True)
    assert "had been unarchived, and it could not be archived again" in message


def test_a_pool_that_is_not_there_is_told_with_what_was_done(sim: Simulator, run: Runner) -> None:
    # A POST would have stored it.
    message = run.failed(OPERATION, name="alpha", default_compute_pool="gpus", archived=True)
    assert "The workspace 'alpha' was created, but without default_compute_pool and archived:" in message
    assert "unable to bind a resource pool" in message
    assert sim.master.workspaces[2].default_compute_pool == ""
    message = run.failed(OPERATION, name="alpha", default_compute_pool="gpus")
    assert "Read again, of the workspace: default_compute_pool did not change." in message


# --- names ---


@pytest.mark.parametrize("name", ["a_b", "a%", "%", "_", "a\\b", " a", "a/b", "\u00e9" * 40])
def test_names_that_are_patterns_are_names(sim: Simulator, run: Runner, name: str) -> None:
    decoy = "".join("x" if char in "_%\\" else char for char in name)
    others = {decoy, name.upper()[:39] + "z", "zz"} - {name}
    for other in others:
        call(sim, "POST", "workspaces", {"name": other})
    made = run.ok(OPERATION, name=name)["workspace"]
    assert made["name"] == name
    assert not run.ok(OPERATION, name=name)["changed"]
    assert run.ok(OPERATION, name=name, state="absent")["changed"]
    assert not run.ok(OPERATION, name=name, state="absent")["changed"]
    assert {row.name for row in sim.master.workspaces.values()} == {"Uncategorized", *others}


def test_rename(sim: Simulator, run: Runner) -> None:
    first = run.ok(OPERATION, name="old", new_name="new")["workspace"]
    second = run.ok(OPERATION, name="old")["workspace"]
    message = run.failed(OPERATION, name="old", new_name="new")
    assert f"'new': that workspace exists already (id {first['id']}), and so does 'old' (id {second['id']})" in message
    run.ok(OPERATION, name="new", state="absent")
    assert run.ok(OPERATION, name="old", new_name="new")["workspace"]["id"] == second["id"]
    assert run.ok(OPERATION, name="new", new_name="NEW")["workspace"]["name"] == "NEW"


# --- removal ---


def fill(sim: Simulator) -> None:
    """Put into the workspace `alpha` one of each thing that goes along with it."""
    call(sim, "POST", "workspaces/2/projects", {"name": "p"})
    call(sim, "POST", "templates/t", {"config": {}, "workspaceId": 2})
    trigger = {"triggerType": "TRIGGER_TYPE_EXPERIMENT_STATE_CHANGE", "condition": {"state": "ERROR"}}
    hook = {"url": "http://h.example/", "webhookType": "WEBHOOK_TYPE_DEFAULT", "triggers": [trigger]}
    call(sim, "POST", "webhooks", {**hook, "name": "w", "workspaceId": 2})
    call(sim, "POST", "webhooks", {**hook, "name": "global"})
    policies = {"configPolicies": '{"constraints": {"resources": {"max_slots": 2}}}'}
    call(sim, "PUT", "config-policies/workspaces/2/EXPERIMENT", {**policies, "workloadType": "EXPERIMENT"})
    sim.master.resource_pools["gpus"] = dict(sim.master.resource_pools["default"], name="gpus")
    sim.master.pool_bindings["gpus"] = {2: None}


def test_removal_names_what_goes_along_and_removes_webhooks_first(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, name="alpha", archived=False)
    fill(sim)
    sim.journal.clear()
    predicted = run.ok(OPERATION, check=True, name="alpha", state="absent")
    assert writes(sim) == []
    result = run.ok(OPERATION, name="alpha", state="absent")
    assert (result["changed"], result["workspace"]) == (True, None)
    assert result["removed_along"] == predicted["removed_along"]
    assert result["removed_along"] == {
        "projects": ["p"],
        "templates": ["t"],
        "webhooks": ["w"],
        "config_policies": ["experiments"],
        "resource_pool_bindings": ["gpus"],
    }
    assert writes(sim) == [("DELETE", "/api/v1/webhooks/1"), ("DELETE", "/api/v1/workspaces/2")]
    assert run.warnings == []
    again = run.ok(OPERATION, name="alpha", state="absent")
    # The list, and whether it was whole.
    assert (again["changed"], again["requests"], again.get("removed_along")) == (False, 2, None)
    assert len(sim.master.webhooks) == 1


def test_one_that_is_not_empty_is_refused_unless_forced(demo: Simulator, run_demo: Runner) -> None:
    for check in (True, False):
        message = run_demo.failed(OPERATION, check=check, name="production", state="absent")
        assert "The workspace 'production' holds " in message
        assert " experiments and the models 'ranker:stable': move or remove them first" in message
    assert len(demo.master.workspaces) == 4


def running(sim: Simulator) -> list[ExperimentRow]:
    """The experiments that have not ended."""
    return [row for row in sim.master.experiments.values() if row.state in ("ACTIVE", "PAUSED")]


def test_a_forced_removal_kills_what_runs_and_deletes_the_models(demo: Simulator, run_demo: Runner) -> None:
    held = {row.id for row in demo.master.projects.values() if row.workspace_id == 3}
    ran = [row.id for row in running(demo) if row.project_id in held and not row.unmanaged]
    assert ran
    demo.journal.clear()
    result = run_demo.ok(OPERATION, name="production", state="absent", force_non_empty=True, wait_interval=0.05)
    assert result["removed_along"]["models"] == ["ranker:stable"]
    assert result["removed_along"]["experiments"] > 0
    kills = [entry for entry in demo.journal if entry.path.endswith("/experiments/kill")]
    delete = next(
        n for n, entry in enumerate(demo.journal) if entry.path == "/api/v1/workspaces/3" and entry.method == "DELETE"
    )
    assert kills
    assert demo.journal.index(kills[-1]) < delete
    assert 3 not in demo.master.workspaces
    assert "ranker:stable" not in [model.name for model in demo.master.models.values()]
    assert not any(row.workspace_id == 3 for row in demo.master.projects.values())


@pytest.mark.parametrize(
    ("authz", "caller", "sentence"),
    [
        ("basic", "bjarne.holm", "can only be removed by its owner or an administrator, and not by 'bjarne.holm'."),
        ("rbac", "grace.lindqvist", "can't be removed by 'grace.lindqvist', who lacks DELETE_WORKSPACE."),
    ],
)
def test_nothing_is_removed_for_somebody_who_may_not_remove_the_rest(authz: str, caller: str, sentence: str) -> None:
    with Simulator(fixture="demo", authz=authz) as demo:
        runner = Runner(demo, **{**ADMIN, "auth_username": caller})
        for check in (True, False):
            message = runner.failed(OPERATION, check, name="production", state="absent", force_non_empty=True)
            assert message == f"The workspace 'production' {sentence}"
        assert writes(demo) == []
        runner.close()


def test_what_was_done_before_a_removal_failed_is_named(demo: Simulator, run_demo: Runner) -> None:
    demo.faults.add(Fault("status", method="DELETE", path="/workspaces/3$", status=403, body=REFUSED))
    ran = [row for row in running(demo) if demo.master.projects[row.project_id].workspace_id == 3 and not row.unmanaged]
    options = {"name": "production", "state": "absent", "force_non_empty": True, "wait_interval": 0.05}
    message = run_demo.failed(OPERATION, **options)
    done = f"{len(ran)} experiments killed, model 'ranker:stable' removed, webhook 'ops' removed."
    assert f"disk full Done before that: {done}" in message
    assert "Read again: the workspace is still there." in message


def test_experiments_that_can_not_be_killed_are_not_waited_for(demo: Simulator, run_demo: Runner) -> None:
    told = {"results": [{"id": 19, "error": "rpc error: code = NotFound desc = experiment '19' not found"}]}
    demo.faults.add(Fault("status", method="POST", path="/experiments/kill$", status=200, body=told))
    message = run_demo.failed(OPERATION, name="production", state="absent", force_non_empty=True)
    assert "Nothing was removed, as the experiments 19, 20, 25 still run and could not be killed: " in message
    assert "experiment '19' not found" in message
    assert [path for _method, path in writes(demo)] == ["/api/v1/projects/-1/experiments/kill"]


def test_a_deletion_that_fails_is_a_failure(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, name="alpha")
    fill(sim)
    # The caller is not shown the webhook that is in the way.
    empty = {"webhooks": []}
    sim.faults.add(Fault("status", method="GET", path="/webhooks", count=0, status=200, body=empty))
    message = run.failed(OPERATION, name="alpha", state="absent")
    assert "The deletion of the workspace 'alpha' failed (state delete_failed)" in message
    assert "webhooks_workspace_id_fkey" in message
    assert "Read again: the workspace is still there." in message
    sim.faults.clear()
    assert run.ok(INFO, name="alpha")["workspaces"][0]["state"] == "delete_failed"
    assert run.ok(OPERATION, name="alpha", state="absent")["changed"]
    assert list(sim.master.workspaces) == [1]


def stuck(demo: Simulator) -> None:
    """Without agents nothing removes checkpoints."""
    demo.master.agents.clear()
    demo.master.models.clear()
    demo.master.model_versions.clear()


def test_a_deletion_that_does_not_end_is_told_with_its_state(demo: Simulator) -> None:
    stuck(demo)
    runner = Runner(demo, auth_username="admin", auth_password=Runner(demo).connection["auth_password"], timeout=1)
    options = {"name": "research", "force_non_empty": True, "wait_interval": 0.05}
    message = runner.failed(OPERATION, state="absent", **options, wait_timeout=1)
    assert "Not reached within wait_timeout (1 s): the workspace 'research' is deleting" in message
    # Nobody waits: what is on its way is left to it.
    assert not runner.ok(OPERATION, state="absent", **options, wait=False)["changed"]
    assert "is being deleted" in runner.failed(OPERATION, name="research")
    # It is asked for again, as a restart of the master ends deletions.
    asked = demo.faults.add(Fault("delay", method="DELETE", path="/workspaces/2$", count=0))
    assert "is deleting" in runner.failed(OPERATION, state="absent", **options, wait_timeout=1)
    assert asked.seen == 1
    runner.close()


def test_without_waiting_a_deletion_that_blocks_is_left_to_go_on(demo: Simulator) -> None:
    stuck(demo)
    runner = Runner(demo, auth_username="admin", auth_password=Runner(demo).connection["auth_password"], timeout=1)
    result = runner.ok(OPERATION, name="research", state="absent", force_non_empty=True, wait=False, wait_interval=0.05)
    assert (result["changed"], result["workspace"]) == (True, None)
    assert demo.master.workspaces[2].state == "DELETING"
    runner.close()


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_a_write_whose_answer_is_lost_is_made_once_and_settled_by_reading(
    sim: Simulator, run: Runner, method: str
) -> None:
    if method != "POST":
        run.ok(OPERATION, name="alpha")
    sim.journal.clear()
    sim.faults.add(Fault("lost", method=method, path="/workspaces"))
    options = {"state": "absent"} if method == "DELETE" else {"checkpoint_storage": S3}
    result = run.ok(OPERATION, name="alpha", **options)
    assert result["changed"]
    assert len(writes(sim)) == 1
    if method != "DELETE":
        assert "the workspace is as declared" in run.warnings[0]
        assert result["workspace"]["checkpoint_storage"] == SHOWN_S3
        assert storage_of(sim) == S3
    assert CANARY not in f"{result} {run.warnings}"


def test_a_delete_that_did_not_arrive_is_a_failure(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, name="alpha")
    sim.faults.add(Fault("reset", method="DELETE", path="/workspaces"))
    assert "Read again: the workspace is still there." in run.failed(OPERATION, name="alpha", state="absent")


def test_a_name_taken_by_one_that_is_not_seen_is_told(sim: Simulator, run: Runner) -> None:
    call(sim, "POST", "workspaces", {"name": "alpha"})
    nothing = {"workspaces": [], "pagination": {"total": 0}}
    sim.faults.add(Fault("status", method="GET", path="/workspaces", count=0, status=200, body=nothing))
    message = run.failed(OPERATION, name="alpha")
    assert "The name 'alpha' is taken" in message
    assert "by one that you may not see" in message


def test_that_one_is_gone_is_not_said_by_who_may_not_see_it() -> None:
    with Simulator(fixture="demo", authz="rbac") as demo:
        blind = Runner(demo, **{**ADMIN, "auth_username": "hugo.martin"})
        assert not blind.ok(OPERATION, name="research", state="absent")["changed"]
        assert "not proved: 'hugo.martin' lacks VIEW_WORKSPACE cluster-wide" in blind.warnings[0]
        blind.close()


def test_what_others_may_not_see_of_a_removal_is_said(demo: Simulator, run_demo: Runner) -> None:
    call(demo, "POST", "workspaces", {"name": "alpha"})
    refused = {"error": {"code": 7, "error": "access denied"}}
    demo.faults.add(Fault("status", method="GET", path="/config-policies/", status=403, body=refused))
    result = run_demo.ok(OPERATION, name="alpha", state="absent")
    assert result["removed_along"] == {}
    assert any("Which config policies the removal takes along could not be seen" in text for text in run_demo.warnings)


# --- Kubernetes ---


@pytest.fixture
def kubernetes(sim: Simulator) -> Cluster:
    """A master on Kubernetes, with two clusters; returns the first."""
    sim.master.kubernetes = {"k1": Cluster(existing={"lab", "spare"}), "k2": Cluster(default="det")}
    return t.cast(Cluster, sim.master.kubernetes["k1"])


@pytest.mark.usefixtures("kubernetes")
def test_namespaces_are_bound(sim: Simulator, run: Runner) -> None:
    options = {"name": "alpha", "namespace_bindings": {"k1": "lab"}}
    predicted = run.ok(OPERATION, check=True, **options)
    created = run.ok(OPERATION, **options)
    assert created["workspace"]["namespace_bindings"] == {
        "k1": {"namespace": "lab", "auto_create_namespace": False},
        "k2": {"namespace": "det", "auto_create_namespace": False},
    }
    assert predicted["workspace"]["namespace_bindings"]["k1"] == created["workspace"]["namespace_bindings"]["k1"]
    again = run.ok(OPERATION, **options)
    assert (again["changed"], again["requests"]) == (False, 4)
    moved = {"name": "alpha", "namespace_bindings": {"k1": {"namespace": "spare"}, "k2": "det"}}
    predicted = run.ok(OPERATION, check=True, **moved)
    result = run.ok(OPERATION, **moved)
    assert result["workspace"] == predicted["workspace"]
    assert result["diff"]["after"]["namespace_bindings"]["k1"]["namespace"] == "spare"
    assert not run.ok(OPERATION, **moved)["changed"]
    # To the default, which is what there is without a binding.
    assert run.ok(OPERATION, name="alpha", namespace_bindings={"k1": "default"})["changed"]
    assert sim.master.kubernetes["k1"].bound == {}
    assert "not found" in run.failed(OPERATION, name="alpha", namespace_bindings={"k1": "nowhere"})
    assert "no resource manager with cluster name k3" in run.failed(
        OPERATION, name="alpha", namespace_bindings={"k3": "lab"}
    )


@pytest.mark.usefixtures("kubernetes")
def test_a_namespace_of_its_own_takes_a_quota(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, name="alpha")
    own = {"name": "alpha", "namespace_bindings": {"k1": {"auto_create_namespace": True}}, "resource_quota": {"k1": 4}}
    predicted = run.ok(OPERATION, check=True, **own)["workspace"]
    result = run.ok(OPERATION, **own)["workspace"]
    assert predicted["namespace_bindings"]["k1"] == {"namespace": None, "auto_create_namespace": True}
    assert result["namespace_bindings"]["k1"]["auto_create_namespace"] is True
    assert predicted["resource_quota"] == result["resource_quota"] == {"k1": 4}
    assert not run.ok(OPERATION, **own)["changed"]
    assert run.ok(OPERATION, name="alpha", resource_quota={"k1": 5})["workspace"]["resource_quota"] == {"k1": 5}
    found = run.ok(INFO, name="alpha", include=["namespace_bindings"])["workspaces"][0]
    assert found["resource_quota"] == {"k1": 5}
    assert found["namespace_bindings"]["k2"]["namespace"] == "det"
    assert "not auto-created" in run.failed(OPERATION, name="beta", resource_quota={"k1": 1})
    assert "beta" not in [row.name for row in sim.master.workspaces.values()]


def test_agents_have_no_namespaces(run: Runner) -> None:
    run.ok(OPERATION, name="alpha")
    message = run.failed(OPERATION, check=True, name="alpha", namespace_bindings={"k1": "lab"})
    assert message == "namespace_bindings is given, but this master does not run on Kubernetes and has no namespaces."
    assert "operation not supported" in run.failed(OPERATION, name="beta", resource_quota={"default": 3})
    found = run.ok(INFO, name="alpha", include=["namespace_bindings", "storage"])["workspaces"][0]
    assert (found["namespace_bindings"], found["resource_quota"], found["checkpoint_storage"]) == (None, None, None)


# --- as a plan uses it ---


def planned(run: Runner, live: dict[str, t.Any]) -> t.Any:
    """How a live object differs from its own declaration."""
    names = run.task(WORKSPACE, name="x").names
    declared = WORKSPACE.declaration(live, names)
    task = run.task(WORKSPACE, **declared)
    WORKSPACE.check(task.options)
    assert WORKSPACE.key(task.options) == WORKSPACE.key_of(live, names)
    return compare(WORKSPACE, live, WORKSPACE.wanted(task, live))


def test_a_declaration_of_what_is_there_changes_nothing(demo: Simulator, run_demo: Runner) -> None:
    call(
        demo,
        "PATCH",
        "workspaces/2",
        {
            "checkpointStorageConfig": {"type": "azure", "container": "c", "credential": "x", "account_url": "u"},
            "defaultAuxResourcePool": "gpu",
        },
    )
    task = run_demo.task(WORKSPACE, name="x")
    before = task.session.requests
    found = WORKSPACE.read_all(task.session, task.names)
    # The list, and whether there are namespaces.
    assert task.session.requests - before == 2
    whole = [WORKSPACE.complete(task.session, live) for live in found]
    assert task.session.requests - before == 2 + len(found)
    assert [live["name"] for live in whole] == ["Uncategorized", "research", "production", "attic"]
    for live in whole:
        assert planned(run_demo, live).action == "none"
        assert WORKSPACE.undeclarable(live, task.names) is None
    declared = {live["name"]: WORKSPACE.declaration(live, task.names) for live in whole}
    assert declared == {
        "Uncategorized": {"name": "Uncategorized"},
        "research": {
            "name": "research",
            "checkpoint_storage": {"type": "azure", "container": "c", "credential": "<keep>", "account_url": "u"},
            "default_aux_pool": "gpu",
        },
        "production": {
            "name": "production",
            "agent_user_group": {"uid": 900, "gid": 900, "user": "prod", "group": "prod"},
            "checkpoint_storage": {
                "type": "s3",
                "bucket": "prod-checkpoints",
                "access_key": "<keep>",
                "secret_key": "<keep>",
            },
        },
        "attic": {"name": "attic", "archived": True},
    }
    assert [WORKSPACE.built_in(live) for live in whole] == ["it is built in", None, None, None]


@pytest.mark.usefixtures("kubernetes")
def test_namespaces_are_declared(sim: Simulator, run: Runner) -> None:
    own = {"k1": {"auto_create_namespace": True}}
    run.ok(OPERATION, name="alpha", namespace_bindings=own)
    run.ok(OPERATION, name="alpha", resource_quota={"k1": 3})
    task = run.task(WORKSPACE, name="x")
    live = WORKSPACE.complete(task.session, WORKSPACE.read_all(task.session, task.names)[1])
    assert WORKSPACE.declaration(live, task.names) == {
        "name": "alpha",
        "namespace_bindings": {"k1": {"auto_create_namespace": True}, "k2": "det"},
        "resource_quota": {"k1": 3},
    }
    assert planned(run, live).action == "none"


def test_what_can_not_be_declared(sim: Simulator, run: Runner) -> None:
    call(sim, "POST", "workspaces", {"name": "half", "agentUserGroup": {"agentUid": 5, "agentUser": "u"}})
    task = run.task(WORKSPACE, name="x")
    half = WORKSPACE.read_all(task.session, task.names)[1]
    assert "lacks gid, group" in (WORKSPACE.undeclarable(half, task.names) or "")
    assert WORKSPACE.declaration(half, task.names) == {"name": "half"}
    assert (
        WORKSPACE.undeclarable({**half, "agent_user_group": None, "state": "deleting"}, task.names)
        == "it is being deleted"
    )


def test_a_rename_as_options(run: Runner) -> None:
    options = WORKSPACE.renamed({"name": "new", "archived": None}, "old")
    assert options == {"name": "old", "new_name": "new", "archived": None}


# --- det_workspace_info; the demo fixture has four workspaces ---


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["Uncategorized", "research", "production", "attic"]),
        ({"name": "research"}, ["research"]),
        ({"name": "Research"}, []),
        ({"name": "researc_"}, []),
        ({"name": "%"}, []),
        ({"name": "\\"}, []),
        ({"name": ""}, []),
        ({"name_contains": "AT"}, ["Uncategorized", "attic"]),
        ({"name_contains": "_"}, []),
        ({"name_contains": "%"}, []),
        ({"archived": True}, ["attic"]),
        ({"archived": False, "name_contains": "a"}, ["Uncategorized", "research"]),
        ({"name": "attic", "archived": False}, []),
        ({"users": ["ada.brandt"]}, ["research", "attic"]),
        ({"users": ["ada.brandt", "svc-gitops"], "archived": False}, ["research", "production"]),
    ],
)
def test_filters(run_demo: Runner, options: dict[str, t.Any], expected: list[str]) -> None:
    result = run_demo.ok(INFO, **options)
    assert [workspace["name"] for workspace in result["workspaces"]] == expected
    assert result["total"] == len(expected)
    assert result["changed"] is False
    assert result["requests"] == (2 if "users" in options else 1)


def test_what_a_workspace_says_of_itself(demo: Simulator, run_demo: Runner) -> None:
    found = run_demo.ok(INFO, name="production")["workspaces"][0]
    row = next(row for row in demo.master.workspaces.values() if row.name == "production")
    assert found["id"] == row.id
    assert found["username"] == "svc-gitops"
    assert found["num_projects"] == 2
    assert found["state"] == "unspecified"
    assert found["agent_user_group"] == {
        "agent_uid": 900, "agent_gid": 900, "agent_user": "prod", "agent_group": "prod"
    }  # fmt: skip
    built_in = run_demo.ok(INFO, name="Uncategorized")["workspaces"][0]
    assert (built_in["id"], built_in["immutable"], built_in["agent_user_group"]) == (1, True, None)


def test_the_limit_and_the_total(run_demo: Runner) -> None:
    result = run_demo.ok(INFO, limit=1)
    assert (len(result["workspaces"]), result["total"]) == (1, 4)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"limit": 0}, "limit is 0"),
        ({"users": []}, "users is empty"),
        ({"users": ["ada.brant"]}, "users is 'ada.brant': there is no such user. Nearest: 'ada.brandt'"),
        ({"name": "a", "name_contains": "b"}, "parameters are mutually exclusive: name|name_contains"),
    ],
)
def test_what_is_refused(run_demo: Runner, options: dict[str, t.Any], sentence: str) -> None:
    assert sentence in run_demo.failed(INFO, **options)


def test_storages_are_included_masked(demo: Simulator, run_demo: Runner) -> None:
    result = run_demo.ok(INFO, include=["storage"])
    assert result["requests"] == 1 + 4
    storages = {workspace["name"]: workspace["checkpoint_storage"] for workspace in result["workspaces"]}
    assert storages["production"] == {**SHOWN_S3, "bucket": "prod-checkpoints"}
    assert [storages[name] for name in ("Uncategorized", "research", "attic")] == [None, None, None]
    gone = {"error": {"code": 5, "error": "gone"}}
    demo.faults.add(Fault("status", method="GET", path="/workspaces/2$", status=404, body=gone))
    result = run_demo.ok(INFO, include=["storage"])
    assert ([workspace["id"] for workspace in result["workspaces"]], result["total"]) == ([1, 3, 4], 3)
