# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the caller may see, and so which lists are whole, against simulated masters of each authorisation."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

import pytest

from ansible_collections.determined.ai.plugins.module_utils._kinds.group import GROUP
from ansible_collections.determined.ai.plugins.module_utils._kinds.rights import WHOLE, Rights, enforces_rbac
from ansible_collections.determined.ai.plugins.module_utils._wire.errors import DeterminedError, Rejected
from ansible_collections.determined.ai.plugins.module_utils._wire.session import Session
from tests.simulator import Fault, Simulator
from tests.simulator.fixtures import INITIAL_PASSWORD, ROLE_IDS
from tests.simulator.state import hash_password, stored_password
from tests.unit.conftest import Runner

DIGEST = stored_password(hash_password(INITIAL_PASSWORD))

ADMINS_ONLY = {"tokens", "webhooks", "master_config", "cluster_message", "oauth_clients"}
"""What only an administrator sees whole under basic authorisation."""

SEEN: dict[str, set[str]] = {
    "nobody": {"users", "agents"},
    "viewer": {
        "users",
        "agents",
        "resource_pools",
        "workspaces",
        "projects",
        "resource_pool_bindings",
        "templates",
        "models",
        "tasks",
        "experiments",
        "checkpoints",
        "webhooks",
        "config_policies",
    },
    "assigner": {"users", "agents", "groups", "role_assignments"},
    "boss": set(WHOLE),
}
"""What each of the people below sees whole under RBAC, by the roles' permissions as a fresh master lists them."""


def cluster(authz: str) -> Simulator:
    """The demo cluster with four more people: without a role, Viewer, WorkspaceAdmin of one workspace, ClusterAdmin."""
    sim = Simulator(fixture="demo", authz=authz)
    ids = {name: sim.master.add_user(name, active=True, password=DIGEST).personal_group for name in SEEN}
    sim.master.role_assignments[(ids["viewer"], ROLE_IDS["Viewer"], None)] = None
    sim.master.role_assignments[(ids["assigner"], ROLE_IDS["WorkspaceAdmin"], 2)] = None
    sim.master.role_assignments[(ids["boss"], ROLE_IDS["ClusterAdmin"], None)] = None
    return sim


@pytest.fixture
def masters() -> Iterator[t.Callable[[str, str], Session]]:
    """Start a master of an authorisation, and log in as somebody."""
    running: dict[str, Simulator] = {}
    runners: list[Runner] = []

    def session(authz: str, name: str) -> Session:
        if authz not in running:
            running[authz] = cluster(authz)
            running[authz].__enter__()
        runners.append(Runner(running[authz], auth_username=name, auth_password=INITIAL_PASSWORD))
        return runners[-1].task(GROUP, name="any").session

    yield session
    for runner in runners:
        runner.close()
    for sim in running.values():
        sim.__exit__(None, None, None)


Login = t.Callable[[str, str], Session]


@pytest.mark.parametrize("authz", ["basic", "permissive"])
def test_where_basic_authorisation_is_enforced_the_flag_decides(masters: Login, authz: str) -> None:
    admin = Rights.read(masters(authz, "admin"))
    assert (admin.username, admin.user_id, admin.admin, admin.rbac) == ("admin", 1, True, False)
    assert not enforces_rbac(masters(authz, "admin"))
    boss = Rights.read(masters(authz, "boss"))
    # Roles mean nothing here, whatever `permissive` says of itself.
    assert (boss.admin, boss.rbac, boss.cluster, boss.roles) == (False, False, frozenset(), frozenset())
    for what in WHOLE:
        assert admin.gap(what) is None, what
        assert (boss.gap(what) is not None) is (what in ADMINS_ONLY), what
    assert boss.gap("tokens") == "'boss' is no administrator, and only those see all tokens"
    assert boss.gap("master_config") == "'boss' is no administrator, and only those see all master config"


@pytest.mark.parametrize("name", SEEN)
def test_under_rbac_the_permissions_decide(masters: Login, name: str) -> None:
    rights = Rights.read(masters("rbac", name))
    assert (rights.username, rights.rbac) == (name, True)
    assert {what for what in WHOLE if rights.gap(what) is None} == SEEN[name]


def test_what_rights_hold(masters: Login) -> None:
    viewer, assigner, boss = (Rights.read(masters("rbac", name)) for name in ("viewer", "assigner", "boss"))
    assert (viewer.roles, viewer.admin) == ({"Viewer"}, False)
    assert viewer.cluster == viewer.somewhere
    assert "VIEW_WORKSPACE" in viewer.cluster
    assert "UPDATE_WORKSPACE" not in viewer.somewhere
    assert (assigner.roles, assigner.cluster) == (frozenset(), frozenset())
    assert {"ASSIGN_ROLES", "VIEW_WORKSPACE"} < assigner.somewhere
    assert "UPDATE_GROUP" in boss.cluster
    # The flag grants nothing, and is not needed.
    assert (boss.roles, boss.admin) == ({"ClusterAdmin"}, False)
    assert Rights.read(masters("rbac", "admin")).admin


def test_a_gap_says_what_is_lacking(masters: Login) -> None:
    nobody = Rights.read(masters("rbac", "nobody"))
    assert nobody.gap("templates") == "'nobody' lacks VIEW_TEMPLATES cluster-wide, without which templates are left out"
    assert "lacks VIEW_WORKSPACE and VIEW_PROJECT cluster-wide" in str(nobody.gap("projects"))


def test_a_role_held_by_a_group_counts(masters: Login) -> None:
    session = masters("rbac", "bjarne.holm")
    rights = Rights.read(session)
    assert rights.roles == {"WorkspaceCreator", "Editor"}
    assert rights.gap("workspaces") is None


def test_it_takes_two_calls_and_three_under_rbac(masters: Login) -> None:
    for authz, calls in (("basic", 2), ("rbac", 3)):
        session = masters(authz, "viewer")
        before = session.requests
        Rights.read(session)
        assert session.requests - before == calls


def listed(session: Session, path: str, key: str) -> set[str] | None:
    """What somebody sees of a list, or None where it is refused."""
    try:
        method, body = ("POST", {"limit": -1}) if path.endswith("search") else ("GET", None)
        answer = session.call(method, f"/api/v1/{path}", body=body).json()
    except DeterminedError:
        return None
    return {str(item.get("id") or item.get("group", {}).get("groupId") or item.get("name")) for item in answer[key]}


LISTS = {
    "users": ("users", "users"),
    "groups": ("groups/search", "groups"),
    "tokens": ("tokens", "tokenInfo"),
    "workspaces": ("workspaces", "workspaces"),
    "templates": ("templates", "templates"),
    "models": ("models", "models"),
    "resource_pools": ("resource-pools", "resourcePools"),
}


@pytest.mark.parametrize("what", LISTS)
def test_who_has_no_gap_sees_what_the_administrator_sees(masters: Login, what: str) -> None:
    for authz in ("basic", "rbac"):
        everything = listed(masters(authz, "admin"), *LISTS[what])
        assert everything
        for name in SEEN:
            session = masters(authz, name)
            if Rights.read(session).gap(what) is None:
                assert listed(session, *LISTS[what]) == everything, (authz, name)


def test_another_refusal_of_the_question_is_a_failure(sim: Simulator, run: Runner) -> None:
    sim.faults.add(
        Fault("status", path="/api/v1/users$", status=500, body={"error": {"code": 13, "error": "disk full"}})
    )
    with pytest.raises(Rejected, match="disk full"):
        enforces_rbac(run.task(GROUP, name="any").session)
