# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with a manifest, its plan, its lock, or the cluster under it: each is told in a sentence worth reading."""

from __future__ import annotations

import json
import pathlib
import re
import typing as t
from collections.abc import Iterator

import pytest

from ansible_collections.determined.ai.plugins.module_utils._wire.session import Session
from tests.simulator import Simulator

from ..conftest import Runner
from .conftest import Applier, actions, reason

HOOK = {
    "name": "hook",
    "url": "http://localhost:1/",
    "type": "default",
    "mode": "workspace",
    "triggers": [{"type": "experiment_state_change", "condition": {"state": "COMPLETED"}}],
}


def with_settings(manifest: dict[str, t.Any], **settings: t.Any) -> dict[str, t.Any]:
    return {**manifest, "settings": {"name": "test", **settings}}


@pytest.fixture
def rbac(tmp_path: pathlib.Path) -> Iterator[Applier]:
    """Apply to a master with role-based authorisation, as its administrator, who holds ClusterAdmin by a role of its own."""
    with Simulator(fixture="demo", authz="rbac") as sim:
        runner = Runner(sim)
        yield Applier(runner, tmp_path)
        runner.close()


# --- plan files and renames by others ---


def test_a_plan_of_another_cluster(apply: Applier) -> None:
    file = apply.folder / "plan.json"
    apply.ok({"models": [{"name": "mill"}]}, check=True, plan_out=str(file))
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "cluster_id": "0b1c"}))
    said = apply.failed({"models": [{"name": "mill"}]}, plan=str(file))
    assert "it was made for the cluster '0b1c', and this is " in said
    assert apply.writes() == []


def test_a_rename_by_somebody_else_during_the_apply(apply: Applier, monkeypatch: pytest.MonkeyPatch) -> None:
    """The object is known by its id: it is written, and the next plan says what is missing."""
    apply.ok({"models": [{"name": "first"}, {"name": "mill", "description": "old"}]})
    write = Session.write

    def renaming(session: Session, method: str, path: str, body: t.Any = None) -> t.Any:
        for model in apply.sim.master.models.values():
            if model.name == "mill":
                model.name = "renamed by somebody"
        return write(session, method, path, body)

    manifest = {"models": [{"name": "first", "description": "new"}, {"name": "mill", "description": "new"}]}
    monkeypatch.setattr(Session, "write", renaming)
    result = apply(manifest)
    monkeypatch.undo()
    names = {model.name: model.description for model in apply.sim.master.models.values()}
    assert names["first"] == "new"
    again = apply.ok(manifest)
    assert result.get("failed") or "renamed by somebody" in names
    assert actions(again) == {"models/mill": "create"}
    assert actions(apply.ok(manifest)) == {}


# --- names ---


def test_names_that_differ_only_in_case_are_two_objects_and_warned_of(apply: Applier) -> None:
    result = apply.ok({"models": [{"name": "Mill"}, {"name": "mill"}]})
    assert result["counts"]["create"] == 2
    assert any("differ only in case: they are different objects" in text for text in apply.runner.warnings)


@pytest.mark.parametrize("name", ["team/base", "base:"])
def test_names_that_no_path_can_carry(apply: Applier, name: str) -> None:
    """The template's name is a part of the path that writes it."""
    said = apply.failed({"templates": [{"name": name, "config": {}}, {"name": "right", "config": {}}]})
    assert repr(name) in said or name in said
    assert "path" in said or "'/'" in said or "':'" in said


def test_names_that_the_server_trims(apply: Applier) -> None:
    said = apply.failed({"users": [{"username": " ada ", "remote": True}]})
    assert "manifest.yml: username is ' ada '" in said
    assert apply.writes() == []


# --- rights ---


def limited(apply: Applier, username: str = "auditor") -> Applier:
    """The same master as an ordinary user."""
    apply.ok({"users": [{"username": username, "password": "Correct-Horse-7"}]})
    runner = Runner(apply.sim, auth_username=username, auth_password="Correct-Horse-7")
    return Applier(runner, apply.folder)


def test_a_permission_that_is_missing_for_one_kind_leaves_the_others_planned(apply: Applier) -> None:
    some = limited(apply)
    report = some.folder / "plan.json"
    manifest = {"cluster_message": {"text": "Down on Sunday."}, "models": [{"name": "mill"}]}
    result = some.ok(manifest, check=True, reports={"json": str(report)})
    assert actions(result) == {"cluster_message/cluster_message": "blocked", "models/mill": "create"}
    said = reason(result, "cluster_message/cluster_message")
    assert said.startswith("cluster message can't be read: GET /api/v1/master/cluster_message: HTTP 403: ")
    told = {found["kind"]: found["action"] for found in json.loads(report.read_text())["objects"]}
    assert told == {"cluster_message": "blocked", "models": "create"}
    assert json.loads(report.read_text())["exit_hint"] == 1
    done = some(manifest)
    assert done["failed"]
    assert "1 applied, 0 failed, 0 not tried, 1 blocked" in done["msg"]
    some.runner.close()


def test_a_kind_that_can_not_be_listed_whole_is_not_pruned_and_the_rest_goes_on(rbac: Applier) -> None:
    some = limited(rbac)
    before = len(rbac.sim.master.templates)
    manifest = with_settings(
        {"templates": [], "users": []}, prune={"templates": "exclusive"}, allow_empty=["templates"]
    )
    result = some(manifest)
    assert result["failed"]
    assert actions(result) == {"templates/*": "blocked"}
    assert "templates are not pruned: " in result["msg"]
    assert "VIEW_TEMPLATES" in result["msg"]
    assert len(rbac.sim.master.templates) == before
    some.runner.close()


def test_what_may_just_not_be_seen_is_created_with_a_warning(rbac: Applier) -> None:
    some = limited(rbac)
    manifest = {"workspaces": [{"name": "production"}], "users": [{"username": "bo", "remote": True}]}
    some(manifest, check=True)
    (doubt,) = [text for text in some.runner.warnings if "may be there, and not be seen" in text]
    assert doubt.startswith("workspaces: ")
    assert "VIEW_WORKSPACE" in doubt
    some.runner.close()


# --- lock-out ---


def test_under_basic_authorisation_the_caller_can_not_shut_itself_out(apply: Applier) -> None:
    apply.ok({"users": [{"username": "ada", "password": "Correct-Horse-7", "admin": True}]})
    for declared in ({"active": False}, {"admin": False}, {"state": "absent"}):
        result = apply({"users": [{"username": "admin", **declared}]}, check=True)
        assert actions(result) == {"users/admin": "blocked"}, declared
        assert re.search("would lose its own rights", reason(result, "users/admin"))


GROUP_OF_ADMINS = {
    "users": [
        {"username": "ada", "password": "Correct-Horse-7"},
        {"username": "bo", "password": "Correct-Horse-7"},
    ],
    "groups": [{"name": "admins", "members": ["ada"]}],
    "role_assignments": [{"role": "ClusterAdmin", "group": "admins"}],
}


def admins_by_group(rbac: Applier) -> Applier:
    """The master as ada, who administers it as a member of a group; nobody else does."""
    rbac.ok(GROUP_OF_ADMINS)
    ada = Applier(
        Runner(rbac.sim, auth_username="ada", auth_password="Correct-Horse-7"),
        rbac.folder,
    )
    live = ada.ok({"role_assignments": []}, check=True)
    assert live["plan"] == []
    others = [
        item
        for item in ada.ok(
            with_settings(
                {"role_assignments": [{"role": "ClusterAdmin", "group": "admins"}]},
                prune={"role_assignments": "exclusive"},
                max_removals={"count": 1000, "percent": 100},
            ),
            check=True,
        )["plan"]
        if item["key"].startswith("ClusterAdmin:") and item["action"] == "remove"
    ]
    assert others
    gone = [
        {"role": "ClusterAdmin", "state": "absent", item["key"].split(":")[1]: item["key"].split(":")[2][:-2]}
        for item in others
    ]
    ada.ok(with_settings({"role_assignments": gone}, max_removals={"count": 25, "percent": 100}))
    return ada


@pytest.mark.parametrize(
    ("manifest", "blocked"),
    [
        ({"groups": [{"name": "admins", "members": ["bo"]}]}, "groups/admins"),
        ({"groups": [{"name": "admins", "members": []}]}, "groups/admins"),
        ({"groups": [{"name": "admins", "state": "absent"}]}, "groups/admins"),
        ({"users": [{"username": "ada", "active": False}]}, "users/ada"),
        (
            {"role_assignments": [{"role": "ClusterAdmin", "group": "admins", "state": "absent"}]},
            "role_assignments/ClusterAdmin:group:admins@*",
        ),
    ],
    ids=["replaced in the group", "out of the group", "group deleted", "inactive", "role taken away"],
)
def test_under_rbac_the_last_right_counts_through_groups(
    rbac: Applier, manifest: dict[str, t.Any], blocked: str
) -> None:
    ada = admins_by_group(rbac)
    result = ada(manifest)
    assert result["failed"]
    assert actions(result) == {blocked: "blocked"}
    assert re.search("administrator left|right to administer|lose its own rights", reason(result, blocked))
    ada.runner.close()


def test_under_rbac_a_right_that_is_replaced_in_the_same_plan_may_go(rbac: Applier) -> None:
    ada = admins_by_group(rbac)
    moved = {
        "groups": [{"name": "admins", "members": []}],
        "role_assignments": [{"role": "ClusterAdmin", "user": "ada"}],
    }
    # The member leaves last: its right is what gives it the new one.
    assert actions(ada.ok(moved)) == {"groups/admins": "update", "role_assignments/ClusterAdmin:user:ada@*": "create"}
    assert actions(ada.ok(moved)) == {}
    ada.runner.close()


def test_under_rbac_the_group_and_its_member_may_be_renamed(rbac: Applier) -> None:
    ada = admins_by_group(rbac)
    renamed = {
        "groups": [{"name": "operators", "renamed_from": "admins", "members": ["ada.l"]}],
        "users": [{"username": "ada.l", "renamed_from": "ada"}],
    }
    assert actions(ada.ok(renamed)) == {"groups/operators": "rename", "users/ada.l": "rename"}
    assert actions(ada.ok(renamed)) == {}
    ada.runner.close()


# --- the token that the run itself uses ---


def by_token(apply: Applier) -> Applier:
    """The same master as its administrator, who logs in by a token of the description "pipeline"."""
    file = apply.folder / "token"
    apply.ok({"tokens": [{"user": "admin", "description": "pipeline", "dest": str(file)}]})
    return Applier(Runner(apply.sim, auth_token=file.read_text().strip()), apply.folder)


def test_the_callers_token_is_never_pruned(apply: Applier) -> None:
    pipeline = by_token(apply)
    other = {"user": "admin", "description": "other", "dest": str(apply.folder / "other")}
    apply.ok({"tokens": [other]})
    manifest = with_settings({"tokens": []}, prune={"tokens": "exclusive"}, allow_empty=["tokens"])
    result = pipeline.ok(manifest)
    assert actions(result) == {"tokens/admin/other": "remove"}
    assert reason(result, "tokens/admin/pipeline") == "kept: it is the token that this run logs in with"
    assert actions(pipeline.ok(manifest)) == {}
    pipeline.runner.close()


def test_the_callers_token_declared_absent_is_blocked(apply: Applier) -> None:
    pipeline = by_token(apply)
    result = pipeline({"tokens": [{"user": "admin", "description": "pipeline", "state": "absent"}]})
    assert actions(result) == {"tokens/admin/pipeline": "blocked"}
    assert "the token that this run logs in with" in reason(result, "tokens/admin/pipeline")
    assert pipeline.ok({"models": []}, check=True)
    pipeline.runner.close()


def test_the_callers_token_is_replaced_after_all_that_it_is_needed_for(apply: Applier) -> None:
    pipeline = by_token(apply)
    file = apply.folder / "token"
    old = file.read_text()
    file.unlink()
    manifest = {
        "tokens": [{"user": "admin", "description": "pipeline", "dest": str(file)}],
        "cluster_message": {"text": "Down on Sunday."},
        "templates": [{"name": "base", "config": {}}],
    }
    pipeline.ok(manifest)
    assert file.read_text() not in ("", old)
    assert actions(apply.ok(manifest)) == {}
    pipeline.runner.close()


# --- what is in the way ---


def test_a_workspace_that_is_not_empty_is_blocked_and_the_rest_goes_on(apply: Applier) -> None:
    apply.ok({"workspaces": [{"name": "full"}, {"name": "empty"}], "models": [{"name": "mill", "workspace": "full"}]})
    result = apply(
        {"workspaces": [{"name": "full", "state": "absent"}, {"name": "empty", "state": "absent"}]},
    )
    assert result["failed"]
    assert actions(result) == {"workspaces/full": "blocked", "workspaces/empty": "remove"}
    assert "model" in reason(result, "workspaces/full")
    assert {row.name for row in apply.sim.master.workspaces.values()} >= {"full"}
    assert "empty" not in {row.name for row in apply.sim.master.workspaces.values()}


# --- kinds from nothing to nothing ---


LIVES: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], str, str]] = {
    "config_policies": (
        {"workload_type": "experiments", "invariant_config": {"debug": False}},
        {"workload_type": "experiments", "invariant_config": {"debug": True}},
        "experiments@*",
        "update",
    ),
    "resource_pool_bindings": (
        {"pool": "gpu", "workspaces": ["research"]},
        {"pool": "gpu", "workspaces": ["research", "production"]},
        "gpu",
        "update",
    ),
    "webhooks": (HOOK, {**HOOK, "url": "http://localhost:2/"}, "hook@*", "update"),
    "tokens": (
        {"user": "svc-gitops", "description": "nightly run", "dest": "token"},
        {"user": "svc-gitops", "description": "nightly run", "dest": "token"},
        "svc-gitops/nightly run",
        "none",
    ),
}


@pytest.mark.parametrize("kind", LIVES)
def test_each_kind_is_created_unchanged_changed_and_pruned(apply_demo: Applier, kind: str) -> None:
    first, second, key, change = LIVES[kind]
    first, second = dict(first), dict(second)
    for entry in (first, second):
        if "dest" in entry:
            entry["dest"] = str(apply_demo.folder / "token")
    name = f"{kind}/{key}"
    made = apply_demo.ok(with_settings({kind: [first]}))
    assert actions(made) == {name: "create"}, made["plan"]
    assert actions(apply_demo.ok(with_settings({kind: [first]}))) == {}
    changed = apply_demo.ok(with_settings({kind: [second]}))
    assert actions(changed) == ({} if change == "none" else {name: change})
    gone = with_settings({kind: []}, prune={kind: "managed"}, allow_empty=[kind])
    assert actions(apply_demo.ok(gone, check=True)) == {name: "remove"}
    assert actions(apply_demo.ok(gone)) == {name: "remove"}
    assert actions(apply_demo.ok(gone)) == {}


def test_the_cluster_message_is_set_changed_and_cleared(apply: Applier) -> None:
    said = {"text": "Down on Sunday.", "end": "2099-01-01T00:00:00Z"}
    (key,) = actions(apply.ok({"cluster_message": said}))
    assert actions(apply.ok({"cluster_message": said})) == {}
    assert actions(apply.ok({"cluster_message": {**said, "text": "Down on Monday."}})) == {key: "update"}
    assert list(actions(apply.ok({"cluster_message": {"state": "absent"}})).values()) == ["remove"]
    assert actions(apply.ok({"cluster_message": {"state": "absent"}})) == {}


def test_a_webhook_of_which_more_than_the_url_changes_is_made_anew(apply: Applier) -> None:
    apply.ok({"webhooks": [HOOK]})
    other = {**HOOK, "triggers": [{"type": "experiment_state_change", "condition": {"state": "ERROR"}}]}
    planned = apply.ok({"webhooks": [other]}, check=True)
    assert actions(planned) == {"webhooks/hook@*": "recreate"}
    assert actions(apply.ok({"webhooks": [other]})) == {"webhooks/hook@*": "recreate"}
    assert actions(apply.ok({"webhooks": [other]})) == {}
    # It counts as a removal.
    capped = with_settings({"webhooks": [HOOK]}, max_removals={"count": 0, "percent": 100})
    assert "1 removals are planned" in apply.failed(capped)


# --- what the server makes ---


@pytest.mark.parametrize(("creator", "removed"), [("keep", False), ("remove", True)])
def test_the_role_that_the_server_gives_a_creator(rbac: Applier, creator: str, removed: bool) -> None:
    rbac.ok({"workspaces": [{"name": "engines"}]})
    manifest = with_settings(
        {"role_assignments": [{"role": "ClusterAdmin", "user": "admin"}]},
        prune={"role_assignments": "exclusive"},
        creator=creator,
        max_removals={"count": 1000, "percent": 100},
    )
    planned = rbac(manifest, check=True)
    key = "role_assignments/WorkspaceAdmin:user:admin@engines"
    assert (actions(planned).get(key) == "remove") is removed, actions(planned)
