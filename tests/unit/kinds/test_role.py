# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles, against the simulated master."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

import pytest

from ansible_collections.determined.ai.plugins.modules.det_role_info import OPERATION
from tests.simulator import Fault, Simulator
from tests.simulator.fixtures import INITIAL_PASSWORD, ROLE_IDS
from tests.simulator.state import hash_password, stored_password
from tests.unit.conftest import Runner

NAMES = [
    "ClusterAdmin",
    "Editor",
    "EditorProjectRestricted",
    "EditorRestricted",
    "GenAIUser",
    "ModelRegistryViewer",
    "TokenCreator",
    "Viewer",
    "WorkspaceAdmin",
    "WorkspaceCreator",
]
"""The ten roles of 0.38.1."""


@pytest.fixture
def rbac() -> Iterator[Simulator]:
    """The demo cluster under RBAC, with somebody who has a password and no role."""
    with Simulator(fixture="demo", authz="rbac") as sim:
        sim.master.add_user("nobody", active=True, password=stored_password(hash_password(INITIAL_PASSWORD)))
        yield sim


@pytest.fixture
def run_rbac(rbac: Simulator) -> Iterator[Runner]:
    """Run tasks on it as its administrator."""
    runner = Runner(rbac)
    yield runner
    runner.close()


def test_all_roles(run_demo: Runner) -> None:
    found = run_demo.ok(OPERATION)
    assert [role["name"] for role in found["roles"]] == NAMES
    assert (found["total"], found["requests"], found["changed"]) == (10, 1, False)
    by_name = {role["name"]: role for role in found["roles"]}
    assert by_name["TokenCreator"] == {
        "id": 10,
        "name": "TokenCreator",
        "permissions": ["CREATE_TOKEN", "UPDATE_TOKEN", "VIEW_TOKEN"],
        "scope_type_mask": {"cluster": True, "workspace": False},
    }
    in_workspaces = {name for name, role in by_name.items() if role["scope_type_mask"]["workspace"]}
    assert in_workspaces == {
        "WorkspaceAdmin",
        "Viewer",
        "Editor",
        "ModelRegistryViewer",
        "EditorRestricted",
        "EditorProjectRestricted",
    }


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"name": "Viewer"}, ["Viewer"]),
        ({"name": "viewer"}, []),
        ({"permission": "ASSIGN_ROLES"}, ["ClusterAdmin", "WorkspaceAdmin"]),
        ({"permission": "PERMISSION_TYPE_ASSIGN_ROLES"}, ["ClusterAdmin", "WorkspaceAdmin"]),
        ({"permission": "ASSIGN"}, []),
        ({"permission": "ASSIGN_ROLES", "name": "ClusterAdmin"}, ["ClusterAdmin"]),
    ],
)
def test_filters(run_demo: Runner, options: dict[str, t.Any], names: list[str]) -> None:
    found = run_demo.ok(OPERATION, **options)
    assert ([role["name"] for role in found["roles"]], found["total"]) == (names, len(names))


def test_limit(run_demo: Runner) -> None:
    found = run_demo.ok(OPERATION, limit=2)
    assert ([role["name"] for role in found["roles"]], found["total"]) == (NAMES[:2], 10)
    assert "limit is 0" in run_demo.failed(OPERATION, limit=0)


def test_what_reaches_a_user(rbac: Simulator, run_rbac: Runner) -> None:
    bjarne = rbac.master.user_by_name("bjarne.holm")
    research = next(row.id for row in rbac.master.groups.values() if row.name == "research")
    workspace = next(row for row in rbac.master.workspaces.values() if row.id > 1)
    rbac.master.role_assignments[(research, ROLE_IDS["Editor"], workspace.id)] = None
    rbac.master.role_assignments[(bjarne.personal_group, ROLE_IDS["Editor"], workspace.id)] = None
    found = run_rbac.ok(OPERATION, user="bjarne.holm")
    everywhere = {"workspace": None, "workspace_id": None}
    there = {"workspace": workspace.name, "workspace_id": workspace.id}
    itself, group = {"group": None, "group_id": None}, {"group": "research", "group_id": research}
    assert [(role["name"], role["assignments"]) for role in found["roles"] if role["name"] != "WorkspaceAdmin"] == [
        ("Editor", [everywhere | group, there | itself, there | group]),
        ("WorkspaceCreator", [everywhere | itself]),
    ]
    assert "CREATE_WORKSPACE" in found["roles"][-1]["permissions"]
    assert run_rbac.ok(OPERATION, user="bjarne.holm", permission="CREATE_WORKSPACE")["total"] == 1
    assert run_rbac.ok(OPERATION, user="nobody")["roles"] == []


def test_what_a_group_holds(rbac: Simulator, run_rbac: Runner) -> None:
    vision = next(row.id for row in rbac.master.groups.values() if row.name == "vision")
    rbac.master.role_assignments[(vision, ROLE_IDS["Viewer"], 1)] = None
    found = run_rbac.ok(OPERATION, group="vision")
    shared = {"group": "vision", "group_id": vision}
    assert [(role["name"], role["assignments"]) for role in found["roles"]] == [
        ("Editor", [{"workspace": None, "workspace_id": None, **shared}]),
        ("Viewer", [{"workspace": "Uncategorized", "workspace_id": 1, **shared}]),
    ]
    assert found["roles"][0]["permissions"]
    assert run_rbac.ok(OPERATION, group="contractors")["roles"] == []


def test_who_is_not_there_is_told(run_demo: Runner) -> None:
    assert "there is no such user" in run_demo.failed(OPERATION, user="bjarne")
    assert "there is no such group" in run_demo.failed(OPERATION, group="Research")
    assert "mutually exclusive" in run_demo.failed(OPERATION, user="admin", group="research")


def test_a_group_removed_meanwhile_is_told(demo: Simulator, run_demo: Runner) -> None:
    gone = {"error": {"code": 5, "error": "not found"}}
    demo.faults.add(Fault("status", path="/by-group/", status=404, body=gone))
    assert "The group 'vision' disappeared while it was read" in run_demo.failed(OPERATION, group="vision")


def test_under_rbac_who_may_not_assign_sees_its_own_only(rbac: Simulator) -> None:
    runner = Runner(rbac, auth_username="nobody", auth_password=INITIAL_PASSWORD)
    assert runner.ok(OPERATION)["roles"] == []
    assert runner.ok(OPERATION, user="nobody")["roles"] == []
    assert "PERMISSION_TYPE_ASSIGN_ROLES" in runner.failed(OPERATION, user="admin")
    runner.close()
