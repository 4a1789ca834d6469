# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls of identity and access and of container identity, under basic authorisation and RBAC."""

from __future__ import annotations

import importlib
import typing as t
from collections.abc import Iterator
from datetime import timedelta

import pytest
import yaml

from ansible_collections.determined.ai.plugins.module_utils._audit import controls_tokens
from ansible_collections.determined.ai.plugins.module_utils._audit.catalogue import CATALOGUE
from ansible_collections.determined.ai.plugins.module_utils._audit.control import Unseen
from ansible_collections.determined.ai.plugins.module_utils._audit.site import Sighting, Site
from tests.simulator import Simulator
from tests.simulator.fixtures import ROLE_IDS
from tests.simulator.ml_state import ModelRow
from tests.simulator.server import Fault
from tests.simulator.state import ACCESS_TOKEN, USER_SESSION, AgentUserGroup, GroupRow

from . import plant
from .conftest import PASSWORD, Auditor, blind

PROBE = {"probes": {"blank_passwords"}}


@pytest.fixture
def rbac() -> Iterator[Simulator]:
    """A freshly installed master that enforces RBAC."""
    with Simulator(fixture="empty", authz="rbac") as simulator:
        yield simulator


def ago(sim: Simulator, **span: float) -> t.Any:
    return sim.master.now() - timedelta(**span)


def user(sim: Simulator, username: str, **fields: t.Any) -> int:
    """A user that logged in a day ago, unless told otherwise."""
    return plant.user(sim, username, **{"last_auth_at": ago(sim, days=1), **fields})


def logins(sim: Simulator) -> int:
    return sum(entry.path.endswith("/auth/login") for entry in sim.journal)


def group(sim: Simulator, name: str, *members: int) -> int:
    master = sim.master
    number = master.next_id("groups")
    master.groups[number] = GroupRow(number, name, members=dict.fromkeys(members))
    return number


def grant(sim: Simulator, role: str, holder: int, workspace: int | None = None) -> None:
    """A role for a group; for a user by its own hidden group."""
    sim.master.role_assignments[holder, ROLE_IDS[role], workspace] = None


def own(sim: Simulator, number: int) -> int:
    return sim.master.users[number].personal_group


def lesser(sim: Simulator, *roles: str) -> Auditor:
    """An auditor under RBAC that holds some roles in the whole cluster."""
    auditor = blind(sim)
    for role in roles:
        grant(sim, role, own(sim, sim.master.user_ids["blind"]))
    return auditor


# --- IAM-01 ---


def test_iam_01_without_the_probe_is_unknown_and_logs_nobody_in(sim: Simulator, auditor: Auditor) -> None:
    found = auditor("IAM-01")
    assert found.keys("IAM-01") == ["unknown blank_passwords/*"]
    assert "probe_blank_passwords" in found.of("IAM-01")[0]["evidence"]["faults"][0]
    assert logins(sim) == 1  # the auditor's own


def test_iam_01_of_accounts_with_passwords_passes(sim: Simulator, auditor: Auditor) -> None:
    found = auditor("IAM-01", **PROBE)
    assert (found.status("IAM-01"), found.controls["IAM-01"]["passed"]) == ("pass", 2)
    assert logins(sim) == 3


def test_iam_01_of_a_blank_password(sim: Simulator, auditor: Auditor) -> None:
    determined = sim.master.users[2]
    determined.password, before = None, determined.last_auth_at
    found = auditor("IAM-01", **PROBE)
    assert found.keys("IAM-01") == ["fail users/determined"]
    evidence = found.of("IAM-01")[0]["evidence"]
    assert evidence["endpoint"] == "POST /api/v1/auth/login"
    assert "last_auth_at" in evidence["faults"][0]
    assert evidence["fields"] == {"active": True, "last_auth_at": None}
    assert determined.last_auth_at != before
    assert sim.master.live_sessions() == []


def test_iam_01_of_an_inactive_account_with_a_blank_password(sim: Simulator, auditor: Auditor) -> None:
    determined = sim.master.users[2]
    determined.password, determined.active, determined.rendered = None, False, None
    found = auditor("IAM-01", **PROBE)
    assert found.keys("IAM-01") == ["fail users/determined"]
    assert "not active" in found.of("IAM-01")[0]["evidence"]["faults"][0]
    assert determined.last_auth_at is None


def test_iam_01_goes_by_the_present_names(sim: Simulator, auditor: Auditor) -> None:
    """``determined`` can be renamed, and somebody else may then have that name."""
    master = sim.master
    master.users[2].username, master.users[2].password, master.users[2].rendered = "old-default", None, None
    master.user_ids["old-default"] = master.user_ids.pop("determined")
    user(sim, "determined", password=None)
    assert auditor("IAM-01", **PROBE).keys("IAM-01") == ["fail users/old-default"]


def test_iam_01_where_the_login_is_not_answered_is_unknown(sim: Simulator) -> None:
    """And it is tried once."""
    master = sim.master
    token = master.token_value(master.add_session(master.users[1], ACCESS_TOKEN, timedelta(days=1)))
    sim.faults.add(Fault("status", "POST", "/auth/login", count=0, status=429))
    found = Auditor(sim, auth_token=token, retries=3)("IAM-01", **PROBE)
    assert found.keys("IAM-01") == ["unknown users/admin", "unknown users/determined"]
    assert logins(sim) == 2


def test_iam_01_where_a_proxy_forbids_the_login_is_unknown(sim: Simulator) -> None:
    """The master says so of inactive accounts only."""
    master = sim.master
    token = master.token_value(master.add_session(master.users[1], ACCESS_TOKEN, timedelta(days=1)))
    sim.faults.add(Fault("status", "POST", "/auth/login", count=0, status=403))
    found = Auditor(sim, auth_token=token)("IAM-01", **PROBE)
    assert found.keys("IAM-01") == ["unknown users/admin", "unknown users/determined"]


def test_iam_01_does_not_change_the_fingerprints_of_others(sim: Simulator, auditor: Auditor) -> None:
    alone = auditor("IAM-02").of("IAM-02")[0]["fingerprint"]
    assert auditor("IAM-01", "IAM-02", **PROBE).of("IAM-02")[0]["fingerprint"] == alone


# --- IAM-02 ---


def test_iam_02(sim: Simulator, auditor: Auditor) -> None:
    assert auditor("IAM-02").keys("IAM-02") == ["fail users/determined"]
    sim.master.users[2].active, sim.master.users[2].rendered = False, None
    assert auditor("IAM-02").status("IAM-02") == "pass"
    user(sim, "retired", admin=True, active=False)
    assert auditor("IAM-02").status("IAM-02") == "pass"
    user(sim, "alice", admin=True)
    found = auditor("IAM-02")
    assert found.keys("IAM-02") == ["fail users/admin"]
    assert found.of("IAM-02")[0]["evidence"]["fields"]["another_administrator"] == "alice"


def test_iam_02_under_rbac_goes_by_the_role(rbac: Simulator) -> None:
    rbac.master.users[2].active, rbac.master.users[2].rendered = False, None
    user(rbac, "flag", admin=True)
    assert Auditor(rbac)("IAM-02").status("IAM-02") == "pass"
    grant(rbac, "ClusterAdmin", group(rbac, "admins", user(rbac, "alice")))
    assert Auditor(rbac)("IAM-02").keys("IAM-02") == ["fail users/admin"]


def test_iam_02_with_unseen_assignments_is_unknown(rbac: Simulator) -> None:
    assert lesser(rbac, "Viewer")("IAM-02").keys("IAM-02") == ["unknown role_assignments/*", "fail users/determined"]


# --- IAM-03 ---


def test_iam_03(sim: Simulator, auditor: Auditor) -> None:
    found = auditor("IAM-03")
    assert found.keys("IAM-03") == [f"fail cluster/{sim.master.cluster_id}"]
    assert found.of("IAM-03")[0]["evidence"]["faults"] == ["There are fewer than 2."]
    for name in ("ann", "bea", "cid"):
        user(sim, name, admin=True)
        assert auditor("IAM-03").status("IAM-03") == "pass"
    user(sim, "gone", admin=True, active=False)
    assert auditor("IAM-03").status("IAM-03") == "pass"
    user(sim, "dan", admin=True)
    found = auditor("IAM-03")
    assert found.of("IAM-03")[0]["evidence"]["fields"] == {
        "administrators": 5,
        "names": ["admin", "ann", "bea", "cid", "dan"],
    }
    assert auditor("IAM-03", parameters={"max_admins": 5}).status("IAM-03") == "pass"


def test_iam_03_under_rbac_expands_groups(rbac: Simulator) -> None:
    members = [user(rbac, name) for name in ("ann", "bea", "cid", "dan")]
    user(rbac, "flag", admin=True)
    assert Auditor(rbac)("IAM-03").of("IAM-03")[0]["evidence"]["fields"]["names"] == ["admin"]
    grant(rbac, "ClusterAdmin", group(rbac, "admins", *members[:3]))
    assert Auditor(rbac)("IAM-03").status("IAM-03") == "pass"
    grant(rbac, "ClusterAdmin", own(rbac, members[0]))
    assert Auditor(rbac)("IAM-03").status("IAM-03") == "pass"
    grant(rbac, "ClusterAdmin", own(rbac, members[3]))
    assert Auditor(rbac)("IAM-03").of("IAM-03")[0]["evidence"]["fields"]["administrators"] == 5


def test_iam_03_with_members_that_cannot_be_read_is_unknown(rbac: Simulator) -> None:
    number = group(rbac, "admins", user(rbac, "ann"))
    grant(rbac, "ClusterAdmin", number)
    gone = {"error": {"code": 5, "reason": "NotFound", "error": f"group {number} not found"}}
    rbac.faults.add(Fault("status", "GET", f"/groups/{number}", status=404, body=gone))
    assert Auditor(rbac)("IAM-03").keys("IAM-03") == [f"unknown cluster/{rbac.master.cluster_id}"]


# --- IAM-04 ---


@pytest.fixture
def quiet(sim: Simulator) -> Simulator:
    """A cluster whose built-in accounts are in use."""
    for row in sim.master.users.values():
        row.last_auth_at, row.rendered = sim.master.now(), None
    return sim


def test_iam_04_by_the_last_login(quiet: Simulator, auditor: Auditor) -> None:
    user(quiet, "ann", last_auth_at=ago(quiet, days=44.9))
    user(quiet, "gone", last_auth_at=ago(quiet, days=400), active=False)
    assert auditor("IAM-04").status("IAM-04") == "pass"
    user(quiet, "bea", last_auth_at=ago(quiet, days=45.1))
    found = auditor("IAM-04")
    assert found.keys("IAM-04") == ["fail users/bea"]
    assert found.of("IAM-04")[0]["evidence"]["faults"] == ["It has not logged in for 45 days, and has no live token."]
    assert auditor("IAM-04", parameters={"dormant_days": 50}).status("IAM-04") == "pass"


def test_iam_04_a_live_token_protects(quiet: Simulator, auditor: Auditor) -> None:
    master = quiet.master
    number = user(quiet, "robot", last_auth_at=None, modified_at=ago(quiet, days=300))
    assert auditor("IAM-04").keys("IAM-04") == ["fail users/robot"]
    row = master.add_session(master.users[number], ACCESS_TOKEN, timedelta(days=30))
    assert auditor("IAM-04").status("IAM-04") == "pass"
    row.revoked_at = master.now()
    assert auditor("IAM-04").keys("IAM-04") == ["fail users/robot"]
    row.revoked_at, row.expiry = None, ago(quiet, days=1)
    assert auditor("IAM-04").keys("IAM-04") == ["fail users/robot"]
    master.add_session(master.users[number], USER_SESSION, timedelta(days=7))
    assert auditor("IAM-04").keys("IAM-04") == ["fail users/robot"]


def test_iam_04_of_one_who_never_logged_in(quiet: Simulator, auditor: Auditor) -> None:
    user(quiet, "old", last_auth_at=None, modified_at=ago(quiet, days=46))
    user(quiet, "new", last_auth_at=None, modified_at=ago(quiet, days=44))
    assert auditor("IAM-04").keys("IAM-04") == ["unknown users/new", "fail users/old"]


@pytest.mark.parametrize(
    ("first", "after", "status"),
    [(43, 44, "pass"), (44, None, "unknown"), (44, 46, "unknown"), (46, 47, "fail"), (46, None, "fail")],
)
def test_iam_04_by_the_history(
    quiet: Simulator, auditor: Auditor, first: float, after: float | None, status: str
) -> None:
    """Who was there in the first of all audits may have been there long before, and so may who was not in an old one."""
    number = user(quiet, "new", last_auth_at=None, modified_at=ago(quiet, days=1))
    sightings = {"users": {str(number): Sighting(ago(quiet, days=first), after and ago(quiet, days=after))}}
    assert auditor("IAM-04", sightings=sightings).status("IAM-04") == status


def test_iam_04_notes_who_never_logged_in_whether_judged_or_not(quiet: Simulator, auditor: Auditor) -> None:
    """An old account that is activated or edited one day must not look new then."""
    never = [
        user(quiet, "new", last_auth_at=None),
        user(quiet, "old", last_auth_at=None, modified_at=ago(quiet, days=90)),
        user(quiet, "off", last_auth_at=None, active=False),
    ]
    user(quiet, "ann")
    assert auditor("IAM-04").site.noted["users"] == set(map(str, never))


def test_iam_04_with_unseen_tokens(quiet: Simulator) -> None:
    """Who logs in passes all the same; who does not may have a token."""
    user(quiet, "ann")
    user(quiet, "old", last_auth_at=ago(quiet, days=100))
    found = blind(quiet)("IAM-04")
    assert found.keys("IAM-04") == ["unknown tokens/*"]
    assert found.controls["IAM-04"]["passed"] == 4


# --- IAM-05 ---


def test_iam_05(sim: Simulator, auditor: Auditor) -> None:
    kept = {"break_glass_users": ["admin"]}
    user(sim, "remote", remote=True)
    user(sim, "gone", active=False)
    found = auditor("IAM-05", parameters=kept)
    assert (found.status("IAM-05"), found.controls["IAM-05"]["reason"]) == (
        "not_applicable",
        "No single sign-on is configured.",
    )
    sim.master.config["oidc"].update(enabled=True, provider="Okta", idp_recipient_url="https://det.example.com")
    sim.master.users[2].active, sim.master.users[2].rendered = False, None
    found = auditor("IAM-05", parameters=kept)
    assert (found.status("IAM-05"), found.controls["IAM-05"]["passed"]) == ("pass", 2)
    user(sim, "local")
    found = auditor("IAM-05", parameters=kept)
    assert found.keys("IAM-05") == ["fail users/local"]
    assert found.of("IAM-05")[0]["evidence"]["fields"]["sso_providers"] == ["Okta"]
    found = auditor("IAM-05")
    assert (found.status("IAM-05"), found.site.parameters.unset) == ("not_applicable", {"break_glass_users"})


def test_iam_05_on_a_master_that_does_not_say_is_unknown(sim: Simulator, auditor: Auditor) -> None:
    sim.faults.add(Fault("shape", "GET", "/master$", body={"version": "0.17.0", "clusterId": sim.master.cluster_id}))
    found = auditor("IAM-05", parameters={"break_glass_users": []})
    assert found.keys("IAM-05") == ["unknown cluster/*"]


# --- IAM-06 ---


def test_iam_06(sim: Simulator, auditor: Auditor) -> None:
    user(sim, "alice")
    user(sim, "gone", active=False)
    assert auditor("IAM-06").status("IAM-06") == "pass"
    user(sim, "robot")
    found = auditor("IAM-06")
    assert (found.status("IAM-06"), found.site.parameters.unset) == ("not_applicable", {"service_users"})
    assert auditor("IAM-06", parameters={"service_users": ["robot"]}).status("IAM-06") == "pass"
    found = auditor("IAM-06", parameters={"service_users": ["other"]})
    assert found.keys("IAM-06") == [f"fail cluster/{sim.master.cluster_id}"]
    assert found.of("IAM-06")[0]["evidence"]["fields"] == {"people": 2, "rbac_enabled": False}


def test_iam_06_permissive_enforces_basic() -> None:
    with Simulator(fixture="empty", authz="permissive") as sim:
        user(sim, "alice")
        user(sim, "bob")
        found = Auditor(sim)("IAM-06", parameters={"service_users": []})
        assert found.of("IAM-06")[0]["evidence"]["fields"] == {"people": 2, "rbac_enabled": True}


def test_iam_06_under_rbac_passes(rbac: Simulator) -> None:
    user(rbac, "alice")
    user(rbac, "bob")
    assert Auditor(rbac)("IAM-06").status("IAM-06") == "pass"


def test_iam_06_with_users_that_cannot_be_read_is_unknown(sim: Simulator, auditor: Auditor) -> None:
    sim.faults.add(Fault("status", "GET", "/users$", nth=2, status=403))
    assert auditor("IAM-06", parameters={"service_users": []}).keys("IAM-06") == ["unknown users/*"]


# --- IAM-07 ---


def test_iam_07(rbac: Simulator) -> None:
    alice = user(rbac, "alice")
    lab = plant.call(rbac, "POST", "/workspaces", {"name": "lab"})["workspace"]["id"]
    team, editors = group(rbac, "team", alice), group(rbac, "editors", alice)
    grant(rbac, "WorkspaceAdmin", team, lab)
    grant(rbac, "Viewer", team)
    allowed = {"allowed_role_holders": ["editors"]}
    # The administrator's own ClusterAdmin, and its WorkspaceAdmin of the workspace that it made, do not count.
    found = Auditor(rbac)("IAM-07", parameters=allowed)
    assert (found.status("IAM-07"), found.controls["IAM-07"]["passed"]) == ("pass", 2)
    grant(rbac, "Editor", editors)
    grant(rbac, "Editor", team)
    grant(rbac, "Viewer", own(rbac, alice), lab)
    grant(rbac, "ClusterAdmin", own(rbac, alice))
    found = Auditor(rbac)("IAM-07", parameters=allowed)
    assert found.keys("IAM-07") == [
        "fail role_assignments/ClusterAdmin:user:alice@*",
        "fail role_assignments/Editor:group:team@*",
        "fail role_assignments/Viewer:user:alice@lab",
    ]
    assert [len(one["evidence"]["faults"]) for one in found.of("IAM-07")] == [2, 1, 1]
    assert found.of("IAM-07")[1]["evidence"]["fields"] == {"role": "Editor", "holder": "team", "scope": "cluster"}


def test_iam_07_without_a_list_of_holders_judges_direct_grants_only(rbac: Simulator) -> None:
    alice = user(rbac, "alice")
    grant(rbac, "Editor", group(rbac, "team", alice))
    found = Auditor(rbac)("IAM-07")
    assert (found.status("IAM-07"), found.site.parameters.unset) == ("not_applicable", {"allowed_role_holders"})
    grant(rbac, "Editor", own(rbac, alice))
    found = Auditor(rbac)("IAM-07")
    assert found.keys("IAM-07") == ["fail role_assignments/Editor:user:alice@*"]
    assert found.of("IAM-07")[0]["evidence"]["faults"] == ["It is a user's own, and not a group's."]


def test_iam_07_counts_a_creators_role_where_the_server_gives_another(rbac: Simulator) -> None:
    plant.call(rbac, "POST", "/workspaces", {"name": "lab"})
    rbac.master.config["security"]["authz"]["workspace_creator_assign_role"] = {"enabled": False, "role_id": 2}
    found = Auditor(rbac)("IAM-07", parameters={"allowed_role_holders": []})
    assert found.keys("IAM-07") == ["fail role_assignments/WorkspaceAdmin:user:admin@lab"]


def test_iam_07_where_the_creators_role_cannot_be_seen_is_unknown(rbac: Simulator) -> None:
    plant.call(rbac, "POST", "/workspaces", {"name": "lab"})
    rbac.faults.add(Fault("status", "GET", "/master/config", count=0, status=403))
    assert Auditor(rbac)("IAM-07").keys("IAM-07") == ["unknown master_config/*"]


def test_iam_07_under_basic_authorisation_does_not_apply(sim: Simulator, auditor: Auditor) -> None:
    grant(sim, "Editor", own(sim, user(sim, "alice")))
    found = auditor("IAM-07")
    assert (found.status("IAM-07"), found.controls["IAM-07"]["seen"]) == ("not_applicable", 0)
    assert not any("search/by-ids" in entry.path for entry in sim.journal)


# --- IAM-08 ---


def test_iam_08(sim: Simulator, auditor: Auditor) -> None:
    user(sim, "alice")
    user(sim, "root2", admin=True)
    first = plant.experiment(sim, owner="alice")
    plant.task(sim, "notebook", owner_id=sim.master.user_ids["alice"])
    for state in ("PAUSED", "COMPLETED", "CANCELED"):
        plant.experiment(sim, owner="root2", state=state)
    plant.experiment(sim, owner="root2", unmanaged=True)
    plant.task(sim, "tensorboard", owner_id=1)
    plant.task(sim, "command", owner_id=1).finish(sim.master.now())
    found = auditor("IAM-08")
    assert (found.status("IAM-08"), found.controls["IAM-08"]["passed"]) == ("pass", 2)
    first.owner_id = 2
    queued = plant.experiment(sim, owner="root2", state="QUEUED")
    shell = plant.task(sim, "shell", owner_id=1)
    found = auditor("IAM-08")
    assert found.keys("IAM-08") == sorted(
        [f"fail experiments/{first.id}", f"fail experiments/{queued.id}", f"fail tasks/{shell.id}"]
    )
    assert found.of("IAM-08")[1]["evidence"]["fields"] == {"owner": "root2", "state": "queued"}


def test_iam_08_under_rbac_goes_by_the_role(rbac: Simulator) -> None:
    alice = user(rbac, "alice")
    user(rbac, "flag", admin=True)
    running = plant.experiment(rbac, owner="alice")
    plant.experiment(rbac, owner="flag")
    assert Auditor(rbac)("IAM-08").status("IAM-08") == "pass"
    grant(rbac, "ClusterAdmin", group(rbac, "admins", alice))
    assert Auditor(rbac)("IAM-08").keys("IAM-08") == [f"fail experiments/{running.id}"]


def test_iam_08_of_nothing_that_runs_does_not_apply(sim: Simulator, auditor: Auditor) -> None:
    assert auditor("IAM-08").status("IAM-08") == "not_applicable"


def test_iam_08_with_unseen_administrators(rbac: Simulator) -> None:
    """Whether alice is one can't be told; the built-in account is told by its id."""
    user(rbac, "alice")
    plant.experiment(rbac, owner="alice")
    built_in = plant.experiment(rbac, owner="determined")
    found = lesser(rbac, "Viewer")("IAM-08")
    assert found.controls["IAM-08"]["passed"] == 0
    assert found.keys("IAM-08") == [f"fail experiments/{built_in.id}", "unknown role_assignments/*"]


# --- IAM-09 ---


def owned(sim: Simulator, owner: int) -> int:
    """A workspace, a project and a model of a user; the workspace's id."""
    project = sim.master.projects[plant.project(sim, "lab", "trials")]
    workspace = sim.master.workspaces[project.workspace_id]
    workspace.user_id = project.user_id = owner
    for grant_ in [one for one in sim.master.role_assignments if one[2] == workspace.id]:
        del sim.master.role_assignments[grant_]
    now = sim.master.now()
    sim.master.models[1] = ModelRow(1, "net", owner, workspace.id, now, now)
    return workspace.id


def test_iam_09(sim: Simulator, auditor: Auditor) -> None:
    alice = user(sim, "alice")
    owned(sim, alice)
    found = auditor("IAM-09")
    assert (found.status("IAM-09"), found.controls["IAM-09"]["passed"]) == ("pass", 3)
    sim.master.users[alice].active, sim.master.users[alice].rendered = False, None
    found = auditor("IAM-09")
    assert found.keys("IAM-09") == ["fail models/net", "fail projects/lab/trials", "fail workspaces/lab"]
    assert found.of("IAM-09")[0]["evidence"]["fields"] == {"owner": "alice"}


def test_iam_09_what_is_immutable_is_exempt(sim: Simulator) -> None:
    """User 1 owns the built-in workspace and project, and IAM-02 asks to deactivate it."""
    user(sim, "other", admin=True)
    auditor = blind(sim)
    sim.master.users[1].active, sim.master.users[1].rendered = False, None
    assert auditor("IAM-09").status("IAM-09") == "not_applicable"


def test_iam_09_under_rbac_a_workspace_admin_will_do(rbac: Simulator) -> None:
    gone, bob = user(rbac, "gone", active=False), user(rbac, "bob")
    lab = owned(rbac, gone)
    grant(rbac, "ClusterAdmin", own(rbac, bob))
    grant(rbac, "WorkspaceAdmin", own(rbac, bob), 1)
    grant(rbac, "WorkspaceAdmin", group(rbac, "leavers", gone), lab)
    assert Auditor(rbac)("IAM-09").keys("IAM-09") == [
        "fail models/net",
        "fail projects/lab/trials",
        "fail workspaces/lab",
    ]
    grant(rbac, "WorkspaceAdmin", group(rbac, "leads", bob), lab)
    assert Auditor(rbac)("IAM-09").status("IAM-09") == "pass"


def test_iam_09_with_unseen_assignments_is_unknown(rbac: Simulator) -> None:
    owned(rbac, user(rbac, "gone", active=False))
    assert lesser(rbac, "Viewer")("IAM-09").keys("IAM-09") == ["unknown role_assignments/*"]


# --- IAM-10 ---


def test_iam_10(rbac: Simulator) -> None:
    members = [user(rbac, "ann", admin=True), user(rbac, "bea", admin=True)]
    grant(rbac, "ClusterAdmin", group(rbac, "admins", *members))
    assert Auditor(rbac)("IAM-10").status("IAM-10") == "pass"
    user(rbac, "flag", admin=True)
    grant(rbac, "ClusterAdmin", own(rbac, user(rbac, "power")))
    lab = plant.call(rbac, "POST", "/workspaces", {"name": "lab"})["workspace"]["id"]
    grant(rbac, "WorkspaceAdmin", own(rbac, user(rbac, "lead")), lab)
    found = Auditor(rbac)("IAM-10")
    assert found.keys("IAM-10") == ["fail users/flag", "fail users/power"]
    assert [one["evidence"]["fields"] for one in found.of("IAM-10")] == [
        {"admin": True, "cluster_admin": False},
        {"admin": False, "cluster_admin": True},
    ]
    allowed = {"allowed_admin_flags": ["flag", "power"]}
    assert Auditor(rbac)("IAM-10", parameters=allowed).status("IAM-10") == "pass"


def test_iam_10_under_basic_authorisation_does_not_apply(sim: Simulator, auditor: Auditor) -> None:
    assert auditor("IAM-10").status("IAM-10") == "not_applicable"


# --- RUN ---


def test_run_01(sim: Simulator, auditor: Auditor) -> None:
    """What the product is shipped with is root."""
    found = auditor("RUN-01")
    assert found.keys("RUN-01") == [f"fail cluster/{sim.master.cluster_id}"]
    assert found.of("RUN-01")[0]["evidence"]["fields"] == {"uid": 0}
    default = sim.master.config["security"]["default_task"]
    default["uid"] = 2000
    assert auditor("RUN-01").status("RUN-01") == "pass"
    del default["uid"]
    assert auditor("RUN-01").status("RUN-01") == "unknown"


def test_run_02(sim: Simulator, auditor: Auditor) -> None:
    assert auditor("RUN-02").status("RUN-02") == "not_applicable"
    user(sim, "ann", agent=AgentUserGroup(2001, 3000, "ann", "ml"))
    user(sim, "gone", agent=AgentUserGroup(0, 0, "root", "root"), active=False)
    lab = plant.call(sim, "POST", "/workspaces", {"name": "lab"})["workspace"]["id"]
    assert auditor("RUN-02").status("RUN-02") == "pass"
    # What an empty mapping is stored as.
    user(sim, "bea", agent=AgentUserGroup(0, 0, "", ""))
    link = {"agentUid": 0, "agentUser": "root", "agentGid": 0, "agentGroup": "root"}
    plant.call(sim, "PATCH", f"/workspaces/{lab}", {"agentUserGroup": link})
    found = auditor("RUN-02")
    assert found.keys("RUN-02") == ["fail users/bea", "fail workspaces/lab"]
    assert found.of("RUN-02")[1]["evidence"]["fields"] == {"uid": 0, "user": "root"}


def test_run_02_of_a_workspaces_group_alone_does_not_apply(sim: Simulator, auditor: Auditor) -> None:
    lab = plant.call(sim, "POST", "/workspaces", {"name": "lab"})["workspace"]["id"]
    plant.call(sim, "PATCH", f"/workspaces/{lab}", {"agentUserGroup": {"agentGid": 0, "agentGroup": "root"}})
    assert auditor("RUN-02").status("RUN-02") == "not_applicable"


# --- auditors with too few rights ---

ALL = sorted(name for name in CATALOGUE if name.startswith(("IAM-", "RUN-")))
SITE_LISTS = {"break_glass_users": [], "service_users": [], "allowed_role_holders": []}


def planted(sim: Simulator) -> None:
    """A cluster where everything of the identity area is to be judged, and nothing of it fails for one who sees little."""
    for row in sim.master.users.values():
        row.active, row.rendered = row.id == 1, None
    gone, alice = user(sim, "gone", active=False), user(sim, "alice", last_auth_at=ago(sim, days=99))
    owned(sim, gone)
    plant.experiment(sim, owner="alice")
    grant(sim, "Editor", own(sim, alice))


def test_who_sees_too_little_under_rbac_passes_nothing_but_what_anyone_sees(rbac: Simulator) -> None:
    planted(rbac)
    for role in (None, "Viewer"):
        if role is not None:
            grant(rbac, role, group(rbac, "auditors", rbac.master.user_ids["blind"]))
        auditor = blind(rbac) if role is None else Auditor(rbac, "blind", PASSWORD)
        found = auditor(*ALL, parameters=SITE_LISTS)
        said = {name: found.status(name) for name in ALL}
        assert {name for name, status in said.items() if status == "pass"} == {"IAM-06"}
        # A Viewer of the whole cluster sees all workspaces; none of these has a link.
        idle = {"IAM-05"} if role is None else {"IAM-05", "RUN-02"}
        assert {name for name, status in said.items() if status == "not_applicable"} == idle
        assert {name for name, status in said.items() if status == "unknown"} == {*ALL} - idle - {"IAM-06"}


def test_who_is_no_administrator_under_basic_authorisation(sim: Simulator) -> None:
    """Such a one sees neither tokens nor the master's configuration."""
    planted(sim)
    found = blind(sim)("IAM-01", "IAM-04", "RUN-01")
    assert [found.status(name) for name in ("IAM-01", "IAM-04", "RUN-01")] == ["unknown"] * 3


# --- the catalogue ---


@pytest.mark.parametrize("name", ALL)
def test_examples_are_yaml_of_what_there_is(name: str) -> None:
    """A list of tasks with options that their modules have, or a part of the master's configuration."""
    example = yaml.safe_load(CATALOGUE[name].example)
    if isinstance(example, dict):
        assert example.keys() == {"security"}
        return
    for task in example:
        ((module, options),) = task.items()
        short = module.removeprefix("determined.ai.")
        found = importlib.import_module(f"ansible_collections.determined.ai.plugins.modules.{short}")
        assert options.keys() <= found.OPERATION.arguments.spec.keys(), (name, module)


def test_each_token_is_looked_at_once_however_many_users_there_are(
    sim: Simulator, auditor: Auditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        row = sim.master.users[user(sim, f"user{number}", last_auth_at=ago(sim, days=99))]
        sim.master.add_session(row, ACCESS_TOKEN, timedelta(days=30))
    looked: list[t.Any] = []
    real = controls_tokens.is_live
    monkeypatch.setattr(controls_tokens, "is_live", lambda token, site: looked.append(token) or real(token, site))
    found = auditor("IAM-04", "TOK-05")
    assert (found.controls["IAM-04"]["passed"], found.controls["TOK-05"]["passed"]) == (31, 31)
    assert len(looked) == 30


def test_what_is_worked_out_is_worked_out_once(sim: Simulator, auditor: Auditor) -> None:
    """Whether it can be told or not, and what is raised does not grow from one time to the next."""
    site, calls = auditor("IAM-06").site, []

    def told(site: Site) -> int:
        calls.append("told")
        return 7

    def untold(site: Site) -> int:
        calls.append("untold")
        raise Unseen("dark")

    assert [site.memo(told), site.memo(told)] == [7, 7]
    depths = []
    for _time in range(3):
        with pytest.raises(Unseen, match="dark") as raised:
            site.memo(untold)
        depths.append(len(raised.traceback))
    assert calls == ["told", "untold"]
    assert depths[1] == depths[2]
