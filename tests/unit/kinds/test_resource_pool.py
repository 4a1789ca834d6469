# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource pools and what they are bound to, against the simulated master."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

import pytest
import requests

from ansible_collections.determined.ai.plugins.module_utils._engine.compare import compare
from ansible_collections.determined.ai.plugins.module_utils._kinds.lookup import KeptNames, Named
from ansible_collections.determined.ai.plugins.module_utils._kinds.resource_pool import RESOURCE_POOL_BINDING
from ansible_collections.determined.ai.plugins.modules.det_resource_pool_binding import OPERATION
from ansible_collections.determined.ai.plugins.modules.det_resource_pool_info import OPERATION as INFO
from tests.simulator import Fault, Simulator
from tests.unit.conftest import Runner

BINDINGS = "/workspace-bindings"
OPEN = "The resource pool 'gpu' is bound to no workspace any more: it is open to all."


def writes(sim: Simulator) -> list[tuple[str, str]]:
    """What the journal holds beside reads and logins."""
    return [(entry.method, entry.path) for entry in sim.journal if entry.method != "GET" and "/auth/" not in entry.path]


def bound(sim: Simulator, pool: str = "gpu") -> list[str]:
    """Names of the workspaces that a pool is bound to."""
    return sorted(sim.master.workspaces[key].name for key in sim.master.pool_bindings.get(pool, ()))


@pytest.fixture(autouse=True)
def lab(sim: Simulator) -> None:
    """A pool `gpu`, and workspaces `a` to `c`, numbers 2 to 4."""
    sim.master.resource_pools["gpu"] = {}
    header = {"Authorization": f"Bearer {sim.login()}"}
    for name in ("a", "b", "c"):
        url = f"{sim.url}/api/v1/workspaces"
        assert requests.post(url, json={"name": name}, headers=header, timeout=10).status_code == 200
    sim.journal.clear()


# What the pool is bound to, what is declared, what it is bound to then, and the writes that this takes.
TABLE: dict[str, tuple[list[str], dict[str, t.Any], list[str], list[str]]] = {
    "first": ([], {"workspaces": ["b", "a"]}, ["a", "b"], ["POST"]),
    "one more": (["a"], {"workspaces": ["b", "a"]}, ["a", "b"], ["POST"]),
    "one less": (["a", "b"], {"workspaces": ["a"]}, ["a"], ["DELETE"]),
    "others": (["a", "b"], {"workspaces": ["c"]}, ["c"], ["POST", "DELETE"]),
    "added": (["a"], {"workspaces": ["b", "a"], "workspaces_mode": "add"}, ["a", "b"], ["POST"]),
    "taken away": (["a", "b"], {"workspaces": ["b", "c"], "workspaces_mode": "remove"}, ["a"], ["DELETE"]),
    "the built-in workspace": ([], {"workspaces": ["Uncategorized"]}, ["Uncategorized"], ["POST"]),
    "none": (["a", "b"], {"workspaces": []}, [], ["DELETE"]),
    "the last taken away": (["a"], {"workspaces": ["a"], "workspaces_mode": "remove"}, [], ["DELETE"]),
    "absent": (["a", "b"], {"state": "absent"}, [], ["DELETE"]),
}


@pytest.mark.parametrize("case", TABLE)
def test_a_change_is_predicted_made_and_not_made_again(sim: Simulator, run: Runner, case: str) -> None:
    before, declared, after, methods = TABLE[case]
    sim.master.pool_bindings["gpu"] = {key: None for key, row in sim.master.workspaces.items() if row.name in before}
    predicted = run.ok(OPERATION, check=True, pool="gpu", **declared)
    assert writes(sim) == []
    assert run.warnings == ([] if after else [OPEN])
    result = run.ok(OPERATION, pool="gpu", **declared)
    assert run.warnings == ([] if after else [OPEN])
    assert predicted["changed"] is result["changed"] is True
    expected = {"pool": "gpu", "workspaces": after} if after else None
    assert result["resource_pool_binding"] == predicted["resource_pool_binding"] == expected
    assert result["diff"] == predicted["diff"]
    assert result["diff"]["before"] == ({"pool": "gpu", "workspaces": before} if before else {})
    assert bound(sim) == after
    assert writes(sim) == [(method, f"/api/v1/resource-pools/gpu{BINDINGS}") for method in methods]
    sim.journal.clear()
    again = run.ok(OPERATION, pool="gpu", **declared)
    assert (again["changed"], again["resource_pool_binding"], writes(sim)) == (False, expected, [])
    assert run.warnings == []
    if after:
        # The bindings, their names, and each name that is not among them.
        assert again["requests"] == 2 + len(set(declared["workspaces"]) - set(after))
    elif "state" in declared:
        assert again["requests"] == 1


def test_never_is_a_pool_open_to_all_in_between(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, pool="gpu", workspaces=["a"])
    sim.faults.add(Fault("status", method="DELETE", status=500, body={"error": {"code": 13, "error": "disk full"}}))
    message = run.failed(OPERATION, pool="gpu", workspaces=["b"])
    assert "disk full" in message
    assert bound(sim) == ["a", "b"]
    assert run.ok(OPERATION, pool="gpu", workspaces=["b"])["changed"]
    assert bound(sim) == ["b"]


def test_more_than_a_hundred(sim: Simulator, run: Runner) -> None:
    row = sim.master.workspaces[2]
    for key in range(10, 160):
        sim.master.workspaces[key] = type(row)(key, f"w{key}", 1)
    names = [f"w{key}" for key in range(10, 160)]
    assert len(run.ok(OPERATION, pool="gpu", workspaces=names)["resource_pool_binding"]["workspaces"]) == 150
    assert not run.ok(OPERATION, pool="gpu", workspaces=names)["changed"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"pool": ""}, "state is present but all of the following are missing: workspaces"),
        ({"pool": "", "workspaces": []}, "pool is empty"),
        ({"pool": "gpu", "workspaces": ["a"], "state": "absent"}, "workspaces is given with state absent"),
        ({"pool": "gpu", "workspaces": ["a", ""]}, "workspaces has an empty text"),
    ],
)
def test_what_is_refused_before_any_call(sim: Simulator, run: Runner, options: dict[str, t.Any], sentence: str) -> None:
    assert sentence in run.failed(OPERATION, **options)
    assert sim.journal == []


@pytest.mark.parametrize("check", [True, False])
def test_what_can_not_be(sim: Simulator, run: Runner, check: bool) -> None:
    message = run.failed(OPERATION, check=check, pool="default", workspaces=["a"])
    assert message.startswith("pool is 'default': it is a default pool of the cluster, which can't be bound")
    message = run.failed(OPERATION, check=check, pool="gpo", workspaces=["a"])
    assert message == "pool is 'gpo': there is no such resource pool, or you may not see it. Nearest: 'gpu'."
    assert not run.ok(OPERATION, check=check, pool="gpo", state="absent")["changed"]
    assert not run.ok(OPERATION, check=check, pool="default", state="absent")["changed"]
    sim.master.workspaces[4].name = "language"
    message = run.failed(OPERATION, check=check, pool="gpu", workspaces=["a", "languages"])
    assert message.startswith(
        "workspaces is 'languages': there is no such workspace, or you may not see it. Nearest: 'lan"
    )
    assert writes(sim) == []


def test_without_the_right(sim: Simulator, run: Runner) -> None:
    user = sim.master.add_user("plain", active=True)
    other = Runner(sim, auth_token=sim.login(user.username))
    message = other.failed(OPERATION, pool="gpu", workspaces=["a"])
    assert "only admin privileged users can bind resource pool to a workspace" in message
    other.close()


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_write_whose_answer_is_lost_is_made_once_and_settled_by_reading(
    sim: Simulator, run: Runner, method: str
) -> None:
    run.ok(OPERATION, pool="gpu", workspaces=["a"])
    sim.journal.clear()
    sim.faults.add(Fault("lost", method=method, path=BINDINGS))
    result = run.ok(OPERATION, pool="gpu", workspaces=["a", "b"] if method == "POST" else [])
    assert result["changed"]
    assert len(writes(sim)) == 1
    assert any("Read again: the resource_pool_binding is as declared." in text for text in run.warnings)


@pytest.fixture
def strict() -> Iterator[Simulator]:
    """A master that enforces RBAC, with a pool `gpu` bound to `seen` and `unseen`."""
    with Simulator("empty", "rbac") as simulator:
        simulator.master.resource_pools["gpu"] = {}
        header = {"Authorization": f"Bearer {simulator.login()}"}
        for name in ("seen", "unseen"):
            url = f"{simulator.url}/api/v1/workspaces"
            assert requests.post(url, json={"name": name}, headers=header, timeout=10).status_code == 200
        simulator.master.pool_bindings["gpu"] = {2: None, 3: None}
        yield simulator


def test_what_the_caller_can_not_see_is_never_unbound(strict: Simulator) -> None:
    # No role of the product may bind pools without seeing all workspaces. So the list of names is shortened here.
    runner = Runner(strict)
    hidden = {"workspaces": [{"id": 2, "name": "seen"}], "pagination": {"total": 1}}
    strict.faults.add(Fault("shape", method="GET", path="/workspaces$", count=0, body=hidden))
    predicted = runner.ok(OPERATION, check=True, pool="gpu", workspaces=[])
    assert predicted["resource_pool_binding"] == {"pool": "gpu", "workspaces": [3]}
    result = runner.ok(OPERATION, pool="gpu", state="absent")
    assert result["resource_pool_binding"] == {"pool": "gpu", "workspaces": [3]}
    assert runner.warnings == ["The resource pool 'gpu' stays bound to workspaces that you may not see: 3."]
    assert list(strict.master.pool_bindings["gpu"]) == [3]
    assert not runner.ok(OPERATION, pool="gpu", workspaces=[])["changed"]
    task = runner.task(RESOURCE_POOL_BINDING, pool="gpu", state="absent")
    live = RESOURCE_POOL_BINDING.complete(task.session, {"pool": "gpu"})
    assert live is not None
    assert "workspaces that you may not see, ids 3" in str(RESOURCE_POOL_BINDING.undeclarable(live, task.names))
    runner.close()


def test_reading(sim: Simulator, run: Runner) -> None:
    sim.master.resource_pools["spare"] = {"description": "old cards"}
    run.ok(OPERATION, pool="gpu", workspaces=["a", "b"])
    result = run.ok(INFO)
    pools = {pool["name"]: pool for pool in result["resource_pools"]}
    assert list(pools) == ["default", "gpu", "spare"]
    assert pools["gpu"]["workspaces"] == [{"id": 2, "name": "a"}, {"id": 3, "name": "b"}]
    assert pools["default"]["workspaces"] == pools["spare"]["workspaces"] == []
    assert pools["default"]["default_compute_pool"] is True
    assert pools["spare"]["description"] == "old cards"
    # Workspaces, pools, and the bindings of the two that can have any.
    assert (result["total"], result["requests"], result["changed"]) == (3, 4, False)

    def found(**options: t.Any) -> list[str]:
        return [pool["name"] for pool in run.ok(INFO, **options)["resource_pools"]]

    assert found(name="gpu") == ["gpu"]
    assert found(name="GPU") == []
    assert found(name_contains="P") == ["gpu", "spare"]
    assert found(bound=True) == ["gpu"]
    assert found(bound=False) == ["default", "spare"]
    assert found(workspace="a") == ["default", "gpu", "spare"]
    assert found(workspace="c") == ["default", "spare"]
    assert found(workspace="c", bound=True) == []
    assert found(limit=1) == ["default"]
    assert "there is no such workspace" in run.failed(INFO, workspace="x")
    assert "limit is 0" in run.failed(INFO, limit=0)


# --- in a manifest ---


def test_each_binding_declares_itself(sim: Simulator, run: Runner) -> None:
    sim.master.resource_pools["spare"] = {}
    run.ok(OPERATION, pool="gpu", workspaces=["b", "a"])
    task = run.task(RESOURCE_POOL_BINDING, pool="gpu", state="absent")
    listed = RESOURCE_POOL_BINDING.read_all(task.session, task.names)
    assert [RESOURCE_POOL_BINDING.key_of(live, task.names) for live in listed] == ["gpu", "spare"]
    assert RESOURCE_POOL_BINDING.complete(task.session, listed[1]) is None
    live = RESOURCE_POOL_BINDING.complete(task.session, listed[0])
    assert live is not None
    declared = RESOURCE_POOL_BINDING.declaration(live, task.names)
    assert declared == {"pool": "gpu", "workspaces": ["a", "b"]}
    assert RESOURCE_POOL_BINDING.undeclarable(live, task.names) is None
    again = run.task(RESOURCE_POOL_BINDING, **declared)
    assert RESOURCE_POOL_BINDING.key(again.options) == "gpu"
    wanted = RESOURCE_POOL_BINDING.wanted(again, live)
    assert compare(RESOURCE_POOL_BINDING, live, wanted).action == "none"
    assert [(one.kind, one.key) for one in RESOURCE_POOL_BINDING.references(declared)] == [
        ("workspaces", "a"),
        ("workspaces", "b"),
    ]


class Planned(KeptNames):
    """Names of a plan in which a workspace is only planned."""

    def all_workspaces(self) -> list[Named]:
        """The real ones, and one that will be."""
        return [*super().all_workspaces(), Named(id=-3, name="soon")]


def test_a_workspace_that_is_only_planned(sim: Simulator, run: Runner) -> None:
    task = run.task(RESOURCE_POOL_BINDING, pool="gpu", workspaces=["soon", "a"])
    task.names = Planned(task.session)
    assert RESOURCE_POOL_BINDING.wanted(task, None) == {"pool": "gpu", "workspaces": ["a", "soon"]}
    sim.master.pool_bindings["gpu"] = {2: None}
    live = RESOURCE_POOL_BINDING.complete(task.session, {"pool": "gpu"})
    change = compare(RESOURCE_POOL_BINDING, live, RESOURCE_POOL_BINDING.wanted(task, live))
    assert (change.action, change.fields) == ("update", {"workspaces": ["a", "soon"]})
    asked = [entry.path for entry in sim.journal if "/auth/" not in entry.path]
    assert sorted(asked) == [
        "/api/v1/resource-pools",
        f"/api/v1/resource-pools/gpu{BINDINGS}",
        "/api/v1/workspaces",
    ]
