# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Config policies, against the simulated master."""

from __future__ import annotations

import json
import typing as t

import pytest
import requests

from ansible_collections.determined.ai.plugins.module_utils._engine.compare import compare
from ansible_collections.determined.ai.plugins.module_utils._kinds.config_policy import CONFIG_POLICY
from ansible_collections.determined.ai.plugins.module_utils._kinds.lookup import KeptNames, Named
from ansible_collections.determined.ai.plugins.modules.det_config_policy import OPERATION
from ansible_collections.determined.ai.plugins.modules.det_config_policy_info import OPERATION as INFO
from tests.simulator import Fault, Simulator
from tests.unit.conftest import Runner

CANARY = "CANARY-policy-password"
POLICIES = "/config-policies/"
IN_LAB = {"workload_type": "experiments", "workspace": "lab"}
CLUSTER = {"workload_type": "experiments"}
TASKS = {"workload_type": "tasks", "workspace": "lab"}
FULL: dict[str, t.Any] = {
    "invariant_config": {"max_restarts": 2, "labels": ["p"]},
    "constraints": {"priority_limit": 30, "resources": {"max_slots": 4}},
}


def writes(sim: Simulator) -> list[tuple[str, str]]:
    """What the journal holds beside reads and logins."""
    return [(entry.method, entry.path) for entry in sim.journal if entry.method != "GET" and "/auth/" not in entry.path]


def call(sim: Simulator, method: str, path: str, body: t.Any = None, status: int = 200) -> t.Any:
    """Make a call of its own."""
    header = {"Authorization": f"Bearer {sim.login()}"}
    answer = requests.request(method, f"{sim.url}/api/v1/{path}", json=body, headers=header, timeout=10)
    assert answer.status_code == status, answer.text
    return answer.json()


def stored(sim: Simulator, workspace_id: int | None = 2, workload: str = "EXPERIMENT") -> dict[str, t.Any]:
    """What the master holds."""
    scope = "global" if workspace_id is None else f"workspaces/{workspace_id}"
    return t.cast("dict[str, t.Any]", call(sim, "GET", f"config-policies/{scope}/{workload}")["configPolicies"])


@pytest.fixture(autouse=True)
def lab(sim: Simulator) -> None:
    """A workspace `lab`, number 2, with a project."""
    call(sim, "POST", "workspaces", {"name": "lab"})
    call(sim, "POST", "workspaces/2/projects", {"name": "first"})
    sim.journal.clear()


# What is declared of a policy that is FULL, and how it then differs.
TABLE: dict[str, tuple[dict[str, t.Any], dict[str, t.Any]]] = {
    "invariants": ({"invariant_config": {"max_restarts": 1}}, {"invariant_config": {"max_restarts": 1}}),
    "invariants cleared": ({"invariant_config": {}}, {"invariant_config": {}}),
    "constraints": ({"constraints": {"priority_limit": 20}}, {"constraints": {"priority_limit": 20}}),
    "constraints cleared": ({"constraints": {}}, {"constraints": {}}),
    "both": (
        {"invariant_config": {"description": "y"}, "constraints": {"resources": {"max_slots": 9}}},
        {"invariant_config": {"description": "y"}, "constraints": {"resources": {"max_slots": 9}}},
    ),
    "one cleared, one set": (
        {"invariant_config": {}, "constraints": {"priority_limit": 1}},
        {"invariant_config": {}, "constraints": {"priority_limit": 1}},
    ),
}


@pytest.mark.parametrize("scope", [IN_LAB, CLUSTER], ids=["workspace", "cluster"])
@pytest.mark.parametrize("case", TABLE)
def test_a_change_is_predicted_made_and_not_made_again(
    sim: Simulator, run: Runner, case: str, scope: dict[str, t.Any]
) -> None:
    declared, differs = TABLE[case]
    before = run.ok(OPERATION, **scope, **FULL)["config_policy"]
    sim.journal.clear()
    predicted = run.ok(OPERATION, check=True, **scope, **declared)
    assert writes(sim) == []
    result = run.ok(OPERATION, **scope, **declared)
    assert predicted["changed"] is result["changed"] is True
    assert result["config_policy"] == predicted["config_policy"] == {**before, **differs}
    assert result["diff"] == predicted["diff"]
    assert {name: result["diff"]["before"][name] for name in differs} == {name: before[name] for name in differs}
    workspace_id = 2 if scope is IN_LAB else None
    assert stored(sim, workspace_id) == {
        half: value for half, value in result["config_policy"].items() if half in FULL and value
    }
    sim.journal.clear()
    again = run.ok(OPERATION, **scope, **declared)
    assert (again["changed"], again["config_policy"]) == (False, result["config_policy"])
    assert writes(sim) == []
    assert again["requests"] == (2 if scope is IN_LAB else 1)


@pytest.mark.parametrize(
    ("scope", "options"),
    [
        (IN_LAB, FULL),
        (CLUSTER, FULL),
        (IN_LAB, {"invariant_config": FULL["invariant_config"]}),
        (TASKS, {"constraints": FULL["constraints"]}),
        ({"workload_type": "tasks"}, {"constraints": {"priority_limit": 5}, "invariant_config": {}}),
    ],
)
def test_creation_and_removal_are_predicted_made_and_not_made_again(
    sim: Simulator, run: Runner, scope: dict[str, t.Any], options: dict[str, t.Any]
) -> None:
    predicted = run.ok(OPERATION, check=True, **scope, **options)
    assert sim.master.config_policies == {}
    result = run.ok(OPERATION, **scope, **options)
    assert result["config_policy"] == predicted["config_policy"]
    assert result["config_policy"] == {
        "workload_type": scope["workload_type"],
        "workspace_id": 2 if "workspace" in scope else None,
        "invariant_config": {},
        "constraints": {},
        **options,
    }
    assert result["diff"] == predicted["diff"]
    assert result["diff"]["before"] == {}
    assert not run.ok(OPERATION, **scope, **options)["changed"]

    predicted = run.ok(OPERATION, check=True, **scope, state="absent")
    assert len(sim.master.config_policies) == 1
    gone = run.ok(OPERATION, **scope, state="absent")
    assert (gone["changed"], gone["config_policy"], gone["diff"]) == (True, None, predicted["diff"])
    assert sim.master.config_policies == {}
    assert not run.ok(OPERATION, **scope, state="absent")["changed"]


def test_a_policy_of_which_nothing_is_left_is_none(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, **IN_LAB, constraints={"priority_limit": 5})
    cleared = run.ok(OPERATION, **IN_LAB, constraints={})
    assert (cleared["changed"], cleared["config_policy"]) == (True, None)
    assert sim.master.config_policies == {}
    assert not run.ok(OPERATION, **IN_LAB, constraints={}, invariant_config={})["changed"]
    # Halves that others have left empty say nothing either.
    call(sim, "PUT", "config-policies/workspaces/2/EXPERIMENT", {"configPolicies": '{"constraints": null}'})
    assert not run.ok(OPERATION, **IN_LAB, state="absent")["changed"]
    assert not run.ok(OPERATION, **IN_LAB, constraints={})["changed"]


def test_what_is_equal_to_the_server_is_unchanged(run: Runner) -> None:
    run.ok(OPERATION, **IN_LAB, invariant_config={"searcher": {"name": "single", "metric": "y"}, "max_restarts": 1})
    same = {"max_restarts": 1.0, "searcher": {"metric": "y", "name": "single"}}
    assert not run.ok(OPERATION, **IN_LAB, invariant_config=same)["changed"]
    # YAML 1.1 would have made a boolean of this text.
    assert run.ok(OPERATION, **IN_LAB, invariant_config={"description": "y"})["config_policy"]["invariant_config"] == {
        "description": "y"
    }


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"workload_type": "experiments"}, "state is present but any of the following are missing"),
        ({**CLUSTER, "workspace": "", **FULL}, "workspace is empty"),
        ({**CLUSTER, "state": "absent", "constraints": {}}, "constraints is given with state absent"),
        ({**TASKS, "invariant_config": {"description": "x"}}, "invariant_config is given for tasks"),
        ({**CLUSTER, "constraints": {"priority": 1}}, "constraints.priority. Supported parameters include"),
        ({**CLUSTER, "constraints": {"priority_limit": "x"}}, "priority_limit"),
        ({**CLUSTER, "invariant_config": {"max_restart": 1}}, "max_restart (nearest: max_restarts)"),
        ({**CLUSTER, "invariant_config": {"resources": {"max_slot": 1}}}, "nearest: resources.max_slots"),
        (
            {**CLUSTER, "invariant_config": {"description": "********"}},
            "holds a mask (asterisks) at invariant_config.desc",
        ),
        ({**CLUSTER, "invariant_config": {"data": {True: 1}}}, "has a boolean as a key at data.True"),
        ({**CLUSTER, "invariant_config": {"max_restarts": float("nan")}}, "nan at invariant_config.max_restarts"),
    ],
)
def test_what_is_refused_before_any_call(sim: Simulator, run: Runner, options: dict[str, t.Any], sentence: str) -> None:
    assert sentence in run.failed(OPERATION, **options)
    assert sim.journal == []


@pytest.mark.parametrize(
    ("config", "limits", "sentence"),
    [
        (
            {"priority": 5},
            {"priority_limit": 6},
            "sets resources.priority to 5 and constraints sets priority_limit to 6",
        ),
        ({"max_slots": 5}, {"resources": {"max_slots": 6}}, "sets resources.max_slots to 5 and constraints to 6"),
    ],
)
def test_halves_that_contradict_each_other(
    sim: Simulator, run: Runner, config: dict[str, t.Any], limits: dict[str, t.Any], sentence: str
) -> None:
    for check in (True, False):
        both = {"invariant_config": {"resources": config}, "constraints": limits}
        assert sentence in run.failed(OPERATION, check=check, **IN_LAB, **both)
    run.ok(OPERATION, **IN_LAB, constraints=limits)
    assert sentence in run.failed(OPERATION, check=True, **IN_LAB, invariant_config={"resources": config})
    assert [method for method, path in writes(sim) if POLICIES in path] == ["PUT"]


def test_unknown_workspace_is_told_with_the_nearest(sim: Simulator, run: Runner) -> None:
    message = run.failed(OPERATION, workload_type="tasks", workspace="lap", state="absent")
    assert message == "workspace is 'lap': there is no such workspace, or you may not see it. Nearest: 'lab'."


BROKEN: dict[str, tuple[dict[str, t.Any], str]] = {
    "a number for a text": (
        {"description": 5},
        "cannot unmarshal number into Go struct field ExperimentConfigV0.description",
    ),
    "half a storage": ({"checkpoint_storage": {"type": "s3"}}, "bucket is a required property"),
    "a nameless log policy": ({"log_policies": [{"pattern": "x"}]}, "nil pointer dereference"),
    "a number out of range": ({"max_restarts": -5}, "max_restarts: must be >= 0"),
}


@pytest.mark.parametrize("scope", [IN_LAB, CLUSTER], ids=["workspace", "cluster"])
@pytest.mark.parametrize("case", BROKEN)
def test_a_policy_that_breaks_experiments_is_put_back(
    sim: Simulator, run: Runner, case: str, scope: dict[str, t.Any]
) -> None:
    config, words = BROKEN[case]
    workspace_id = 2 if scope is IN_LAB else None
    message = run.failed(OPERATION, **scope, invariant_config=config)
    assert "invariant_config makes the master fail each new experiment of the scope" in message
    assert words in message
    assert message.endswith("It was taken away again.")
    assert stored(sim, workspace_id) == {}
    run.ok(OPERATION, **scope, **FULL)
    result = run(OPERATION, **scope, invariant_config=config)
    assert "The policy that was there before is in force again." in result["msg"]
    assert result["failure"]["status"] == 500
    assert stored(sim, workspace_id) == FULL
    assert sim.master.experiments == {}


def test_a_policy_that_can_not_be_put_back_is_told(sim: Simulator, run: Runner) -> None:
    sim.faults.add(Fault("status", method="DELETE", status=403, body={"error": {"code": 7, "error": "access denied"}}))
    message = run.failed(OPERATION, **IN_LAB, invariant_config={"description": 5})
    assert "It could not be taken back, so no experiment can be created there until that is done" in message
    assert "access denied" in message


def test_a_policy_is_tried_once_in_its_scope(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, **IN_LAB, **FULL)
    assert writes(sim) == [("PUT", "/api/v1/config-policies/workspaces/2/EXPERIMENT"), ("POST", "/api/v1/experiments")]
    assert run.warnings == []
    # It only shows a 500; a limit that refuses the trial itself does what it is for.
    run.ok(OPERATION, **IN_LAB, constraints={"priority_limit": 90})
    assert run.warnings == []
    sim.journal.clear()
    run.ok(OPERATION, **IN_LAB, invariant_config={})
    run.ok(OPERATION, **TASKS, constraints={"priority_limit": 3})
    assert [method for method, _path in writes(sim)] == ["PUT", "PUT"], "limits alone can't break anything"
    run.ok(OPERATION, **IN_LAB, invariant_config={"entrypoint": ["python3", "train.py"]})


def test_a_policy_that_could_not_be_tried_is_warned_about(sim: Simulator, run: Runner) -> None:
    untried = "The policy was set, but not tried by creating an experiment under it: "
    call(sim, "POST", "projects/2/archive")
    run.ok(OPERATION, **IN_LAB, **FULL)
    assert run.warnings == [f"{untried}the workspace has no project that is not archived."]
    call(sim, "POST", "projects/2/unarchive")
    call(sim, "POST", "workspaces/2/archive")
    run.ok(OPERATION, **IN_LAB, invariant_config={"max_restarts": 0})
    assert run.warnings == [f"{untried}the workspace has no project that is not archived."]
    call(sim, "POST", "workspaces/2/unarchive")
    sim.faults.add(
        Fault("status", path="/experiments", status=403, body={"error": {"code": 7, "error": "access denied"}})
    )
    run.ok(OPERATION, **IN_LAB, invariant_config={"max_restarts": 1})
    assert len(run.warnings) == 1
    assert run.warnings[0].startswith(untried)
    assert "access denied" in run.warnings[0]
    assert stored(sim)["invariant_config"] == {"max_restarts": 1}


def test_a_write_whose_answer_is_lost_is_made_once_settled_by_reading_and_tried(sim: Simulator, run: Runner) -> None:
    sim.faults.add(Fault("lost", method="PUT", path=POLICIES))
    assert run.ok(OPERATION, **IN_LAB, **FULL)["config_policy"]["constraints"] == FULL["constraints"]
    assert [method for method, _path in writes(sim)] == ["PUT", "POST"]
    assert "Read again: the config_policy is as declared." in run.warnings[0]
    sim.faults.add(Fault("lost", method="PUT", path=POLICIES))
    assert "description" in run.failed(OPERATION, **IN_LAB, invariant_config={"description": 5})
    assert stored(sim) == FULL
    sim.faults.add(Fault("reset", method="PUT", path=POLICIES))
    assert "invariant_config did not change" in run.failed(OPERATION, **IN_LAB, invariant_config={"max_restarts": 9})
    sim.faults.add(Fault("lost", method="DELETE", path=POLICIES))
    assert run.ok(OPERATION, **IN_LAB, state="absent")["changed"]


def test_what_the_server_refuses_is_told(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, **CLUSTER, constraints={"priority_limit": 5})
    message = run.failed(OPERATION, **IN_LAB, invariant_config={"resources": {"priority": 6}})
    assert "workspace invariant_config conflicts with global constraints" in message
    assert stored(sim) == {}


def test_without_the_right(sim: Simulator, run: Runner) -> None:
    call(sim, "POST", "users", {"user": {"username": "plain", "active": True}})
    other = Runner(sim, auth_token=sim.login("plain"))
    assert "only admins may set config policies for workspaces" in other.failed(OPERATION, **IN_LAB, **FULL)
    assert other.ok(INFO)["total"] == 0
    other.close()


def test_secrets_are_masked_and_kept(sim: Simulator, run: Runner) -> None:
    config = {"environment": {"registry_auth": {"username": "u", "password": CANARY}}, "max_restarts": 1}
    created = run.ok(OPERATION, **IN_LAB, invariant_config=config)
    keep = {"environment": {"registry_auth": {"username": "u", "password": "<keep>"}}, "max_restarts": 2}
    changed = run.ok(OPERATION, **IN_LAB, invariant_config=keep)
    assert stored(sim)["invariant_config"]["environment"]["registry_auth"]["password"] == CANARY
    read = run.ok(INFO)
    assert CANARY not in json.dumps([created, changed, read])
    assert changed["config_policy"]["invariant_config"]["max_restarts"] == 2
    assert not run.ok(OPERATION, **IN_LAB, invariant_config=keep)["changed"]
    assert "there is nothing to keep" in run.failed(OPERATION, **CLUSTER, invariant_config=keep)


def test_reading(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, **CLUSTER, constraints={"priority_limit": 5})
    run.ok(OPERATION, **TASKS, constraints={"priority_limit": 6})
    run.ok(OPERATION, **IN_LAB, constraints={"priority_limit": 7})
    everything = run.ok(INFO)
    found = [(item["workload_type"], item["workspace"], item["constraints"]) for item in everything["config_policies"]]
    assert found == [
        ("experiments", None, {"priority_limit": 5}),
        ("experiments", "lab", {"priority_limit": 7}),
        ("tasks", "lab", {"priority_limit": 6}),
    ]
    # The list of workspaces, and two calls for the cluster and for each of two workspaces.
    assert (everything["total"], everything["requests"]) == (3, 7)
    assert run.ok(INFO, workspace="lab")["total"] == 2
    assert run.ok(INFO, workload_type="tasks")["total"] == 1
    assert run.ok(INFO, scope="global")["config_policies"][0]["workspace_id"] is None
    assert run.ok(INFO, scope="workspaces")["total"] == 2
    limited = run.ok(INFO, limit=1)
    assert (len(limited["config_policies"]), limited["total"]) == (1, 3)
    assert "limit is 0" in run.failed(INFO, limit=0)
    assert "workspace is given with scope global" in run.failed(INFO, workspace="lab", scope="global")


# --- in a manifest ---


def test_each_policy_declares_itself(sim: Simulator, run: Runner) -> None:
    secret = {"environment": {"registry_auth": {"password": CANARY}}}
    run.ok(OPERATION, **IN_LAB, invariant_config=secret, constraints={"priority_limit": 3})
    run.ok(OPERATION, workload_type="tasks", constraints={"resources": {"max_slots": 3}})
    names = run.task(CONFIG_POLICY, **CLUSTER).names
    session = run.task(CONFIG_POLICY, **CLUSTER).session
    scopes = CONFIG_POLICY.read_all(session, names)
    keys = [CONFIG_POLICY.key_of(scope, names) for scope in scopes]
    assert keys == [f"{word}@{scope}" for scope in ("*", "Uncategorized", "lab") for word in ("experiments", "tasks")]
    found = [live for scope in scopes if (live := CONFIG_POLICY.complete(session, scope)) is not None]
    assert [CONFIG_POLICY.key_of(live, names) for live in found] == ["tasks@*", "experiments@lab"]
    for live in found:
        declared = CONFIG_POLICY.declaration(live, names)
        assert CANARY not in json.dumps(declared)
        task = run.task(CONFIG_POLICY, **declared)
        assert CONFIG_POLICY.key(task.options) == CONFIG_POLICY.key_of(live, names)
        assert compare(CONFIG_POLICY, live, CONFIG_POLICY.wanted(task, live)).action == "none"
        assert CONFIG_POLICY.undeclarable(live, names) is None
    assert CONFIG_POLICY.declaration(found[0], names) == {
        "workload_type": "tasks",
        "constraints": {"resources": {"max_slots": 3}},
    }


class Planned(KeptNames):
    """Names of a plan in which a workspace is only planned."""

    def all_workspaces(self) -> list[Named]:
        """The real ones, and one that will be."""
        return [*super().all_workspaces(), Named(id=-3, name="soon")]


def test_a_workspace_that_is_only_planned(sim: Simulator, run: Runner) -> None:
    task = run.task(CONFIG_POLICY, workload_type="experiments", workspace="soon", **FULL)
    task.names = Planned(task.session)
    wanted = CONFIG_POLICY.wanted(task, None)
    assert wanted == {"workload_type": "experiments", "workspace_id": -3, **FULL}
    assert CONFIG_POLICY.blank(task)["workspace_id"] == -3
    assert CONFIG_POLICY.complete(task.session, {"workload_type": "tasks", "workspace_id": -3}) is None
    assert [(one.kind, one.key) for one in CONFIG_POLICY.references(task.options)] == [("workspaces", "soon")]
    assert all(entry.path == "/api/v1/workspaces" for entry in sim.journal if "/auth/" not in entry.path)


def test_a_workspace_that_is_called_like_everywhere(sim: Simulator, run: Runner) -> None:
    call(sim, "POST", "workspaces", {"name": "*"})
    run.ok(OPERATION, workload_type="tasks", workspace="*", constraints={"priority_limit": 3})
    task = run.task(CONFIG_POLICY, **CLUSTER)
    live = CONFIG_POLICY.complete(task.session, {"workload_type": "tasks", "workspace_id": 3})
    assert live is not None
    assert "stands for the whole cluster" in str(CONFIG_POLICY.undeclarable(live, task.names))
