# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning and applying whole manifests, against the simulator."""

from __future__ import annotations

import itertools
import json
import pathlib
import time
import typing as t

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.determined.ai.plugins.module_utils._gitops import operation
from ansible_collections.determined.ai.plugins.module_utils._wire.session import Session
from ansible_collections.determined.ai.plugins.modules.det_user import OPERATION as USER
from ansible_collections.determined.ai.plugins.plugin_utils.manifest_files import load_manifest
from tests.simulator import Fault, Simulator

from ..conftest import Runner
from .conftest import Applier, actions, reason

ADA = {"username": "ada", "password": "Correct-Horse-7"}
HOSTILE = "{{ lookup('ansible.builtin.pipe', 'touch CANARY-ran') }}"
CLUSTER: dict[str, t.Any] = {
    "users": [ADA, {"username": "bo", "remote": True}],
    "groups": [{"name": "engineers", "members": ["ada", "bo"]}],
    "workspaces": [
        {
            "name": "engines",
            "projects": [{"name": "difference", "description": "The first."}],
            "templates": [{"name": "base", "config": {"description": "all of them"}}],
        }
    ],
    "models": [{"name": "mill", "workspace": "engines", "labels": ["b", "a"]}],
}
PLANNED = {
    "users/ada": "create",
    "users/bo": "create",
    "groups/engineers": "create",
    "workspaces/engines": "create",
    "projects/engines/difference": "create",
    "templates/base": "create",
    "models/mill": "create",
}


def full_disk(noun: str) -> Fault:
    """The creation of an object fails for a reason of the server's."""
    return Fault(
        "status",
        method="POST",
        path=rf"/api/v1/{noun}$",
        status=500,
        body={"error": {"code": 13, "error": "disk full"}},
    )


def test_an_empty_cluster_plans_well_and_is_made(apply: Applier) -> None:
    planned = apply.ok(CLUSTER, check=True)
    assert actions(planned) == PLANNED
    assert planned["changed"]
    assert apply.writes() == []
    done = apply.ok(CLUSTER)
    assert [{**item, "status": None} for item in done["plan"]] == planned["plan"]
    assert {item["status"] for item in done["plan"]} == {"applied"}
    again = apply.ok(CLUSTER)
    assert (again["changed"], actions(again)) == (False, {})


def test_a_change_is_shown_by_its_fields_with_names_for_ids(apply: Applier) -> None:
    apply.ok(CLUSTER)
    moved = {**CLUSTER, "models": [{"name": "mill", "workspace": "Uncategorized", "description": "Grinds."}]}
    planned = apply.ok(moved, check=True)
    (item,) = [item for item in planned["plan"] if item["action"] != "none"]
    assert item["fields"] == {
        "workspace": {"before": "engines", "after": "Uncategorized"},
        "description": {"before": "", "after": "Grinds."},
    }
    assert len(planned["diff"]) == 1


def test_a_secret_is_in_no_plan(apply: Applier) -> None:
    text = json.dumps(apply.ok(CLUSTER, check=True)) + json.dumps(apply.ok(CLUSTER))
    assert "Correct-Horse-7" not in text
    assert "Correct-Horse-7" not in "".join(path.read_text() for path in apply.folder.rglob("*") if path.is_file())


def test_calls_of_an_unchanged_cluster_do_not_grow_with_it(apply: Applier) -> None:
    many = {"templates": [{"name": f"t{number}", "config": {"description": str(number)}} for number in range(50)]}
    apply.ok(many)
    before = len(apply.sim.journal)
    result = apply.ok(many, check=True)
    assert actions(result) == {}
    calls = [path for _method, path, *_ in apply.sim.journal[before:]]
    assert result["requests"] <= 5, calls


def test_references_that_dangle_are_told_at_once_before_any_write(apply: Applier) -> None:
    said = apply.failed(
        {
            "groups": [{"name": "engineers", "members": ["admin", "adda"]}],
            "models": [{"name": "mill", "workspace": "engine"}],
            "workspaces": [{"name": "engines"}],
        }
    )
    assert "'adda'" in said
    assert "'engine'" in said
    assert "Nearest: 'engines'" in said
    assert apply.writes() == []


def test_what_is_declared_absent_goes_last_and_backwards(apply: Applier) -> None:
    apply.ok(CLUSTER)
    since = len(apply.sim.journal)
    gone = {
        "users": [{"username": "ada", "state": "absent"}],
        "workspaces": [{"name": "engines", "state": "absent"}],
        "projects": [{"name": "difference", "workspace": "engines", "state": "absent"}],
        "models": [{"name": "mill", "state": "absent"}],
        "templates": [{"name": "base", "state": "absent"}],
    }
    result = apply.ok(gone)
    assert actions(result)["workspaces/engines"] == "remove"
    order = [path for method, path in apply.writes(since)]
    kinds = [path.split("/")[3] for path in order]
    assert kinds.index("models") < kinds.index("templates") < kinds.index("workspaces")
    assert kinds[-1] == "users"
    assert actions(apply.ok(gone)) == {}


@pytest.mark.parametrize(("authz", "times"), [("basic", 1), ("rbac", 0)])
def test_where_roles_have_no_effect_a_plan_that_changes_some_says_so_once(
    tmp_path: pathlib.Path, authz: str, times: int
) -> None:
    declared = [{"role": role, "user": "admin", "workspace": "Uncategorized"} for role in ("Editor", "Viewer")]
    with Simulator(authz=authz) as sim:
        runner = Runner(sim)
        apply = Applier(runner, tmp_path)
        assert actions(apply.ok({"role_assignments": declared}, check=True))
        assert sum("have no effect" in text for text in runner.warnings) == times
        apply.ok({"role_assignments": declared})
        runner.warnings.clear()
        assert actions(apply.ok({"role_assignments": declared}, check=True)) == {}
        assert runner.warnings == []
        runner.close()


# --- prune ---


def prune(manifest: dict[str, t.Any], **modes: str) -> dict[str, t.Any]:
    return {**manifest, "settings": {"name": "test", "prune": modes}}


def test_nothing_is_pruned_by_default(apply_demo: Applier) -> None:
    assert actions(apply_demo.ok({"templates": [], "models": []}, check=True)) == {}


def test_managed_removes_what_an_earlier_apply_declared(apply_demo: Applier) -> None:
    two = prune({"templates": [{"name": "a", "config": {}}, {"name": "b", "config": {}}]}, templates="managed")
    one = prune({"templates": [{"name": "a", "config": {}}]}, templates="managed")
    apply_demo.ok(two)
    planned = apply_demo.ok(one, check=True)
    assert actions(planned) == {"templates/b": "remove"}
    assert actions(apply_demo.ok(one)) == {"templates/b": "remove"}
    assert actions(apply_demo.ok(one)) == {}


def test_without_a_lock_file_nothing_is_managed(apply_demo: Applier) -> None:
    apply_demo.ok({"templates": [{"name": "a", "config": {}}, {"name": "b", "config": {}}]})
    for lock in apply_demo.folder.glob(".determined.lock*"):
        lock.unlink()
    one = prune({"templates": [{"name": "a", "config": {}}]}, templates="managed")
    assert actions(apply_demo.ok(one)) == {}


@pytest.mark.parametrize("damage", ["cluster_id", "manifest", "digest", "by hand"])
def test_a_lock_file_that_is_wrong_prunes_nothing_and_says_so(apply_demo: Applier, damage: str) -> None:
    two = prune({"templates": [{"name": "a", "config": {}}, {"name": "b", "config": {}}]}, templates="managed")
    apply_demo.ok(two)
    (lock,) = apply_demo.folder.glob(".determined.lock*")
    text = lock.read_text()
    if damage == "by hand":
        text = "\n".join(line for line in text.splitlines() if '"b"' not in line) + "\n"
    else:
        text = "\n".join(f'{damage}: "other"' if line.startswith(f"{damage}:") else line for line in text.splitlines())
    lock.write_text(text)
    one = prune({"templates": [{"name": "a", "config": {}}]}, templates="managed")
    result = apply_demo.ok(one, check=True)
    assert actions(result) == {"templates/*": "blocked"}
    assert str(lock) in reason(result, "templates/*")
    # Nor is it replaced: it may be the right one of another manifest.
    assert apply_demo(one)["failed"]
    assert lock.read_text() == text


def test_exclusive_removes_all_that_is_not_declared(apply: Applier) -> None:
    apply.ok({"templates": [{"name": name, "config": {}} for name in "abc"]})
    only_a = prune({"templates": [{"name": "a", "config": {}}]}, templates="exclusive")
    assert actions(apply.ok(only_a)) == {"templates/b": "remove", "templates/c": "remove"}


def test_an_empty_list_prunes_only_if_it_is_allowed_to(apply: Applier) -> None:
    apply.ok({"templates": [{"name": "a", "config": {}}]})
    empty = prune({"templates": []}, templates="exclusive")
    assert actions(apply.ok(empty, check=True)) == {}
    allowed = {**empty, "settings": {**empty["settings"], "allow_empty": ["templates"]}}
    assert actions(apply.ok(allowed, check=True)) == {"templates/a": "remove"}


def test_protected_and_ignored_objects_stay(apply: Applier) -> None:
    apply.ok({"templates": [{"name": name, "config": {}} for name in ("base-a", "base-b", "other")]})
    manifest = prune({"templates": [{"name": "x", "config": {}}]}, templates="exclusive")
    manifest["settings"]["protect"] = [{"kind": "templates", "name": "base-a"}]
    manifest["settings"]["ignore"] = [{"kind": "templates", "name": "base-b"}]
    result = apply.ok(manifest)
    assert actions(result) == {"templates/x": "create", "templates/other": "remove"}
    assert "protected" in reason(result, "templates/base-a")
    assert not [item for item in result["plan"] if item["key"] == "base-b"]


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ({"name": "base", "state": "absent"}, "models/base"),
        ({"name": "other", "renamed_from": "base"}, "models/other"),
    ],
    ids=["absent", "renamed"],
)
def test_what_is_protected_is_not_removed_nor_renamed_by_a_declaration_either(
    apply: Applier, entry: dict[str, t.Any], name: str
) -> None:
    apply.ok({"models": [{"name": "base", "description": "old"}]})
    settings = {"protect": [{"kind": "models", "name": "ba*"}]}
    result = apply({"models": [entry], "settings": settings})
    assert result["failed"]
    assert actions(result) == {name: "blocked"}
    assert "protected by 'ba*' in the settings" in reason(result, name)
    changed = apply.ok({"models": [{"name": "base", "description": "new"}], "settings": settings})
    assert actions(changed) == {"models/base": "update"}


@pytest.mark.parametrize("rule", ["protect", "ignore"])
@pytest.mark.parametrize("how", ["absent", "pruned"])
def test_what_is_protected_does_not_go_along_with_its_workspace(apply: Applier, rule: str, how: str) -> None:
    apply.ok(CLUSTER)
    apply.ok({"models": [{"name": "mill", "state": "absent"}]})
    manifest: dict[str, t.Any] = {"workspaces": [{"name": "engines", "state": "absent"}]}
    if how == "pruned":
        manifest = prune({"workspaces": [{"name": "other"}]}, workspaces="exclusive")
    manifest.setdefault("settings", {})[rule] = [{"kind": "templates", "name": "base"}]
    result = apply(manifest)
    assert result["failed"]
    assert actions(result)["workspaces/engines"] == "blocked"
    assert "templates/base would go along with it" in reason(result, "workspaces/engines")
    assert "base" in apply.sim.master.templates
    # Moved elsewhere, it is in nobody's way.
    manifest["templates"] = [{"name": "base", "workspace": "Uncategorized", "config": {"description": "all of them"}}]
    if rule == "protect":
        assert actions(apply.ok(manifest))["workspaces/engines"] == "remove"


def test_a_plan_says_what_goes_along_with_a_workspace(apply: Applier) -> None:
    apply.ok(CLUSTER)
    # The model goes by itself.
    gone = {
        "models": [{"name": "mill", "state": "absent"}],
        "workspaces": [{"name": "engines", "state": "absent"}],
    }
    said = "takes along: projects difference; templates base"
    assert reason(apply.ok(gone, check=True), "workspaces/engines") == said
    capped = {**gone, "settings": {"max_removals": {"count": 3, "percent": 100}}}
    assert "4 removals are planned" in apply.failed(capped)
    assert reason(apply.ok(gone), "workspaces/engines") == said


def test_the_tokens_of_a_user_that_is_inactive_already_count_as_a_removal(apply: Applier) -> None:
    token = {"user": "ada", "description": "ci", "dest": str(apply.folder / "token")}
    apply.ok({"users": [ADA], "tokens": [token]})
    apply.runner.ok(USER, username="ada", active=False, revoke_tokens=False)
    gone = {"users": [{"username": "ada", "state": "absent"}], "settings": {"max_removals": {"count": 0}}}
    assert "1 removals are planned" in apply.failed(gone)


def test_a_kind_that_can_not_be_read_keeps_its_ids_in_the_lock_file(apply: Applier) -> None:
    manifest = {"templates": [{"name": "a", "config": {}}], "models": [{"name": "mill"}]}
    apply.ok(manifest)
    (lock,) = apply.folder.glob(".determined.lock*")
    (line,) = [line for line in lock.read_text().splitlines() if '"mill"' in line]
    assert '"id"' in line
    apply.sim.faults.add(Fault("status", path="/api/v1/models$", status=403, body={"error": {"error": "no"}}, count=0))
    assert apply(manifest)["failed"]
    assert line in lock.read_text().splitlines()


def test_ignored_fields_are_not_compared(apply: Applier) -> None:
    apply.ok({"models": [{"name": "mill", "description": "one"}]})
    manifest = {
        "models": [{"name": "mill", "description": "two", "notes": "n"}],
        "settings": {"ignore": [{"kind": "models", "name": "m*", "fields": ["description"]}]},
    }
    result = apply.ok(manifest)
    assert [list(item["fields"]) for item in result["plan"]] == [["notes"]]
    assert actions(apply.ok(manifest)) == {}


def test_built_in_users_and_the_caller_are_never_pruned(apply: Applier) -> None:
    manifest = prune({"users": [{"username": "bo", "remote": True}]}, users="exclusive")
    result = apply.ok(manifest)
    assert actions(result) == {"users/bo": "create"}
    assert "kept" in reason(result, "users/admin")
    assert "kept" in reason(result, "users/determined")


def test_more_removals_than_allowed_are_refused_before_the_first_write(apply: Applier) -> None:
    apply.ok({"templates": [{"name": f"t{number:02}", "config": {}} for number in range(30)]})
    keep = prune({"templates": [{"name": "t00", "config": {}}, {"name": "new", "config": {}}]}, templates="exclusive")
    since = len(apply.sim.journal)
    planned = apply.ok(keep, check=True)
    assert planned["refusals"]
    assert "max_removals" in apply.failed(keep)
    assert apply.writes(since) == []
    allowed = {**keep, "settings": {**keep["settings"], "max_removals": {"count": 50, "percent": 100}}}
    assert apply.ok(allowed)["counts"]["remove"] == 29


def test_the_last_administrator_is_safe_in_the_state_after_the_plan(apply: Applier) -> None:
    apply.ok({"users": [{**ADA, "admin": True}]})
    ada = Applier(apply.runner, apply.folder)
    both = {"users": [{"username": "admin", "admin": False}, {"username": "ada", "admin": False}]}
    result = ada(both)
    assert result["failed"]
    blocked = [item["key"] for item in result["plan"] if item["action"] == "blocked"]
    # The caller can't take its own right away; so ada may lose hers.
    assert blocked == ["admin"]


# --- renames ---


def test_renamed_from_renames_and_is_unchanged_once_done(apply: Applier) -> None:
    apply.ok(CLUSTER)
    renamed = {
        "workspaces": [{"name": "machines", "renamed_from": "engines"}],
        "models": [{"name": "mill", "workspace": "machines"}],
    }
    planned = apply.ok(renamed, check=True)
    assert actions(planned) == {"workspaces/machines": "rename"}
    assert actions(apply.ok(renamed)) == {"workspaces/machines": "rename"}
    assert actions(apply.ok(renamed)) == {}


def test_two_that_change_names_go_through_a_temporary_one(apply: Applier) -> None:
    apply.ok({"models": [{"name": "a", "notes": "was a"}, {"name": "b", "notes": "was b"}]})
    swapped = {"models": [{"name": "a", "renamed_from": "b"}, {"name": "b", "renamed_from": "a"}]}
    assert actions(apply.ok(swapped)) == {"models/a": "rename", "models/b": "rename"}
    notes = {model.name: model.notes for model in apply.sim.master.models.values()}
    assert notes == {"a": "was b", "b": "was a"}
    assert actions(apply.ok(swapped)) == {}


@pytest.mark.parametrize("order", [1, -1])
def test_what_refers_to_two_that_change_names_follows(apply: Applier, order: int) -> None:
    apply.ok(
        {
            "workspaces": [{"name": "a", "projects": [{"name": "p"}]}, {"name": "b", "projects": [{"name": "q"}]}],
            "models": [{"name": "in a", "workspace": "a"}, {"name": "in b", "workspace": "b"}],
        }
    )
    swapped = {
        "workspaces": [
            {"name": "a", "renamed_from": "b", "projects": [{"name": "q"}]},
            {"name": "b", "renamed_from": "a", "projects": [{"name": "p"}, {"name": "new"}]},
        ][::order],
        "models": [{"name": "in a", "workspace": "b"}, {"name": "in b", "workspace": "a"}],
    }
    wanted = {"workspaces/a": "rename", "workspaces/b": "rename", "projects/b/new": "create"}
    assert actions(apply.ok(swapped, check=True)) == wanted
    assert actions(apply.ok(swapped)) == wanted
    assert actions(apply.ok(swapped)) == {}


def test_a_chain_of_renames_frees_each_name_before_it_is_taken(apply: Applier) -> None:
    apply.ok({"models": [{"name": name, "notes": name} for name in "ab"]})
    moved = {"models": [{"name": "b", "renamed_from": "a"}, {"name": "c", "renamed_from": "b"}]}
    assert set(actions(apply.ok(moved)).values()) == {"rename"}
    assert {model.name: model.notes for model in apply.sim.master.models.values()} == {"b": "a", "c": "b"}
    assert actions(apply.ok(moved)) == {}


@pytest.mark.parametrize("order", [1, -1])
def test_a_name_that_becomes_free_is_given_to_a_new_object(apply: Applier, order: int) -> None:
    apply.ok({"models": [{"name": "a", "notes": "the old one"}]})
    declared = {
        "models": [{"name": "a", "description": "the new one"}, {"name": "b", "renamed_from": "a"}][::order],
        "settings": {"name": "test"},
    }
    assert actions(apply.ok(declared, check=True)) == {"models/a": "create", "models/b": "rename"}
    assert actions(apply.ok(declared)) == {"models/a": "create", "models/b": "rename"}
    found = {model.name: (model.notes, model.description) for model in apply.sim.master.models.values()}
    assert found == {"a": ("", "the new one"), "b": ("the old one", "")}
    assert actions(apply.ok(declared)) == {}


def test_a_name_that_has_to_be_gone_is_gone_when_its_object_is_renamed(apply: Applier) -> None:
    apply.ok({"models": [{"name": "a", "notes": "kept"}]})
    declared = {"models": [{"name": "b", "renamed_from": "a"}, {"name": "a", "state": "absent"}]}
    assert actions(apply.ok(declared)) == {"models/b": "rename"}
    assert {model.name: model.notes for model in apply.sim.master.models.values()} == {"b": "kept"}
    assert actions(apply.ok(declared)) == {}


# --- plan files ---


def test_a_plan_file_is_applied_or_refused_once_something_moved(apply: Applier) -> None:
    file = apply.folder / "plan.json"
    apply.ok({"models": [{"name": "mill", "description": "old"}]})
    new = {"models": [{"name": "mill", "description": "new"}]}
    apply.ok(new, check=True, plan_out=str(file))
    assert "new" in file.read_text()
    moved = {"models": [{"name": "mill", "description": "newer"}]}
    said = "models/mill changed in the manifest or on the cluster, or in a secret that could not be resolved then; make a new plan."
    assert apply.failed(moved, plan=str(file)).endswith(said)
    assert apply.ok(new, plan=str(file))["changed"]
    assert "make a new plan" in apply.failed(new, plan=str(file))


@pytest.mark.parametrize("text", ["", "[]", "{}", "not json"])
def test_what_is_no_plan_file_is_refused(apply: Applier, text: str) -> None:
    file = apply.folder / "plan.json"
    file.write_text(text)
    assert "no plan file" in apply.failed({"models": []}, plan=str(file))


# --- failures ---


def test_what_failed_is_named_what_depends_on_it_is_skipped_and_a_second_run_finishes(apply: Applier) -> None:
    apply.sim.faults.add(full_disk("workspaces"))
    result = apply(CLUSTER, on_error="continue")
    assert "disk full" in result["msg"]
    assert result["changed"]
    status = {f"{item['kind']}/{item['key']}": item["status"] for item in result["plan"]}
    assert status == {
        "users/ada": "applied",
        "users/bo": "applied",
        "groups/engineers": "applied",
        "workspaces/engines": "failed",
        "projects/engines/difference": "skipped",
        "templates/base": "skipped",
        "models/mill": "skipped",
    }
    assert set(actions(apply.ok(CLUSTER))) == {
        "workspaces/engines",
        "projects/engines/difference",
        "templates/base",
        "models/mill",
    }


def test_after_a_failure_nothing_more_is_begun(apply: Applier) -> None:
    apply.sim.faults.add(full_disk("users"))
    result = apply(CLUSTER)
    assert [item["status"] for item in result["plan"]] == ["failed"] + ["skipped"] * (len(PLANNED) - 1)


def test_a_failure_tells_what_was_done_what_failed_and_what_was_not_tried_and_no_more(apply: Applier) -> None:
    there = [{"name": f"there-{number:02}", "config": {}} for number in range(5)]
    apply.ok({"templates": there})
    apply.sim.faults.add(full_disk("templates/new-11"))
    new = [{"name": f"new-{number:02}", "config": {"description": f"number {number}"}} for number in range(14)]
    result = apply({"templates": [*there, *new]})
    first, failed, done, left = result["msg"].splitlines()
    assert first == "11 applied, 1 failed, 2 not tried, 0 blocked; a second run goes on from here."
    assert failed.startswith("templates/new-11: POST /api/v1/templates/new-11: HTTP 500: disk full")
    assert done == f"Applied: {', '.join(f'templates/new-{number:02}' for number in range(10))} and 1 more."
    assert left == "Not tried: templates/new-12, templates/new-13."
    # Ansible prints the whole result of a failed task: what stays as it is is only counted, and what was done is in the diff.
    assert [item["key"] for item in result["plan"]] == [entry["name"] for entry in new]
    assert [bool(item["fields"]) for item in result["plan"]] == [False] * 11 + [True] + [False] * 2
    assert result["counts"]["none"] == 5
    assert len(result["diff"]) == 11
    assert (result["failure"]["path"], result["failure"]["status"]) == ("/api/v1/templates/new-11", 500)


def test_a_write_that_is_never_answered_ends_the_run_although_the_master_is_there(apply: Applier) -> None:
    """As behind a proxy that has something against this one call."""
    refused = apply.sim.faults.add(Fault("status", method="POST", path="/templates/b", status=503, body="no", count=0))
    templates = [{"name": name, "config": {}} for name in "abc"]
    started = time.monotonic()
    said = apply.failed({"templates": templates}, retry_for=2)
    assert time.monotonic() - started < 6
    assert 2 <= refused.seen <= 4
    assert said.startswith("1 applied, 1 failed, 1 not tried, 0 blocked")
    assert "templates/b: POST /api/v1/templates/b: HTTP 503" in said
    assert "within retry_for (2 s)" in said


def test_a_refusal_names_what_would_go(apply: Applier) -> None:
    apply.ok({"templates": [{"name": f"t{number}", "config": {}} for number in range(3)]})
    keep = prune({"templates": [{"name": "t0", "config": {}}]}, templates="exclusive")
    keep["settings"]["max_removals"] = {"count": 1, "percent": 100}
    result = apply(keep)
    assert result["msg"].startswith("Nothing was written: 2 removals are planned, and max_removals.count is 1.")
    assert actions(result) == {"templates/t1": "remove", "templates/t2": "remove"}
    assert "t0" not in [item["key"] for item in result["plan"]]
    assert (result["changed"], "diff" in result) == (False, False)


def test_another_cluster_is_refused(apply: Applier) -> None:
    said = apply.failed({"models": [], "settings": {"cluster_id": "another"}})
    assert "'another'" in said


def test_validate_only_makes_no_call(apply: Applier) -> None:
    since = len(apply.sim.journal)
    assert apply.ok(CLUSTER, validate_only=True)["declared"] == 7
    assert len(apply.sim.journal) == since


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"concurrency": 0}, "concurrency is 0"),
        ({"retry_for": -1}, "retry_for is -1"),
        ({"plan_out": "/no/such/folder/plan.json"}, "plan_out is '/no/such/folder/plan.json'"),
        ({"lock_file": "/"}, "lock_file is '/'"),
    ],
)
def test_options_that_can_not_be_right(apply: Applier, options: dict[str, t.Any], said: str) -> None:
    assert said in apply.failed({"models": []}, **options)


def test_only_and_kinds_narrow_and_references_still_resolve(apply: Applier) -> None:
    apply.ok(CLUSTER, kinds=["workspaces"])
    assert actions(apply.ok(CLUSTER, check=True, only=["models/*", "projects/engines/d*"])) == {
        "models/mill": "create",
        "projects/engines/difference": "create",
    }


def test_side_by_side_comes_to_the_same(apply: Applier) -> None:
    result = apply.ok(CLUSTER, concurrency=4)
    assert actions(result) == PLANNED
    assert len(apply.sim.sessions()) == 1
    assert actions(apply.ok(CLUSTER, concurrency=4)) == {}


def test_reports_are_written(apply: Applier, tmp_path: pathlib.Path) -> None:
    paths = {form: str(tmp_path / f"plan.{form}") for form in ("json", "markdown", "junit")}
    apply.ok(CLUSTER, check=True, reports={**paths, "commit": "abc", "dirty": True})
    report = json.loads(pathlib.Path(paths["json"]).read_text())
    assert (report["exit_hint"], report["commit"], report["classes"]["missing"]) == (2, "abc", 7)
    text = pathlib.Path(paths["markdown"]).read_text()
    assert "uncommitted" in text
    assert "create: users ada" in text
    assert pathlib.Path(paths["junit"]).read_text().count("<testcase") == 7


# --- killed at any moment ---


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it, and what would still be done is not."""


def ends(apply: Applier, manifest: dict[str, t.Any]) -> bool:
    """Whether an apply that must succeed gets to its end, or is killed before."""
    try:
        apply.ok(manifest)
    except Killed:
        return False
    return True


def die_at(monkeypatch: pytest.MonkeyPatch, number: int, moment: str) -> None:
    """Have the process killed before or after the write of this number; the lock file stays as it then is."""
    write, write_lock, count = Session.write, operation._write_lock, itertools.count(1)
    dead = False

    def dying(session: Session, method: str, path: str, body: t.Any = None) -> t.Any:
        if path.endswith(("/search", "/by-ids")):
            return write(session, method, path, body)
        nonlocal dead
        now = next(count) == number
        dead = dead or now
        if now and moment == "before":
            raise Killed
        answer = write(session, method, path, body)
        if now:
            raise Killed
        return answer

    def locking(*args: t.Any) -> None:
        if not dead:
            write_lock(*args)

    monkeypatch.setattr(Session, "write", dying)
    monkeypatch.setattr(operation, "_write_lock", locking)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_around_each_write_a_second_run_finishes(
    run: t.Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    manifest = {
        "settings": {"name": "test", "prune": {"templates": "managed"}},
        "users": [ADA],
        "groups": [{"name": "engineers", "members": ["ada"]}],
        "workspaces": [{"name": "engines", "archived": True, "projects": [{"name": "difference"}]}],
        "templates": [{"name": "base", "config": {}}],
    }
    apply = Applier(run, tmp_path)
    killed_at = 0
    while True:
        killed_at += 1
        apply.folder = tmp_path / str(killed_at)
        apply.folder.mkdir()
        before = [item.name for item in apply.sim.master.templates.values()]
        assert before == []
        die_at(monkeypatch, killed_at, moment)
        finished = ends(apply, manifest)
        monkeypatch.undo()
        apply.ok(manifest)
        assert actions(apply.ok(manifest)) == {}
        # What the killed run had made is managed all the same.
        less = {**manifest, "templates": [], "workspaces": [{"name": "engines", "state": "absent"}]}
        less["settings"] = {**manifest["settings"], "allow_empty": ["templates"]}
        assert "templates/base" in actions(apply.ok(less))
        if finished:
            break
        apply.ok({"groups": [{"name": "engineers", "state": "absent"}]})
    assert killed_at > 5


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_around_each_write_of_a_swap_the_names_end_where_they_are_declared(
    apply: Applier, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    for killed_at in itertools.count(1):
        a, b = f"a{killed_at}", f"b{killed_at}"
        apply.ok({"models": [{"name": a, "notes": "was a"}, {"name": b, "notes": "was b"}]})
        swapped = {"models": [{"name": a, "renamed_from": b}, {"name": b, "renamed_from": a}]}
        die_at(monkeypatch, killed_at, moment)
        finished = ends(apply, swapped)
        monkeypatch.undo()
        apply.ok(swapped)
        notes = {model.name: model.notes for model in apply.sim.master.models.values() if model.name in (a, b)}
        assert notes == {a: "was b", b: "was a"}, killed_at
        assert actions(apply.ok(swapped)) == {}
        if finished:
            break
    assert killed_at == 4


def test_what_refers_to_something_renamed_is_the_same_by_its_new_name(apply: Applier) -> None:
    old = {
        "users": [{"username": "ada", "password": ADA["password"]}],
        "groups": [{"name": "engineers", "members": ["ada"]}],
        "workspaces": [
            {
                "name": "engines",
                "projects": [{"name": "difference"}],
                "templates": [{"name": "base", "config": {}}],
                "role_assignments": [{"role": "Editor", "user": "ada"}, {"role": "Viewer", "group": "engineers"}],
                "config_policies": [
                    {"workload_type": "experiments", "constraints": {"resources": {"max_slots": 4}}},
                ],
            }
        ],
    }
    old["role_assignments"] = [{"role": "ClusterAdmin", "user": "admin"}]
    apply.ok(old)
    new = json.loads(json.dumps(old).replace('"ada"', '"lovelace"').replace('"engin', '"machin'))
    new["users"][0]["renamed_from"] = "ada"
    new["groups"][0]["renamed_from"] = "engineers"
    new["workspaces"][0]["renamed_from"] = "engines"
    new["settings"] = {"prune": {"role_assignments": "exclusive", "projects": "exclusive"}}
    renamed = {"users/lovelace": "rename", "groups/machineers": "rename", "workspaces/machines": "rename"}
    assert actions(apply.ok(new, check=True)) == renamed
    assert actions(apply.ok(new)) == renamed
    assert actions(apply.ok(new)) == {}


RENAMED_AROUND: tuple[dict[str, t.Any], dict[str, t.Any]] = (
    {
        "users": [ADA],
        "workspaces": [
            {
                "name": "engines",
                "projects": [{"name": "kept", "description": "d"}, {"name": "dropped"}],
                "role_assignments": [{"role": "Editor", "user": "ada"}],
            }
        ],
        "role_assignments": [{"role": "ClusterAdmin", "user": "admin"}],
    },
    {
        "users": [ADA],
        "workspaces": [
            {
                "name": "machines",
                "renamed_from": "engines",
                "projects": [{"name": "renamed", "renamed_from": "engines/kept"}],
            }
        ],
        "role_assignments": [{"role": "ClusterAdmin", "user": "admin"}],
        "settings": {"prune": {"projects": "managed", "role_assignments": "managed"}},
    },
)
"""A workspace is renamed, and in the same change something in it is renamed too, and something else no longer declared."""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_what_is_in_something_renamed_is_renamed_and_pruned_however_often_it_is_killed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    old, new = RENAMED_AROUND
    for killed_at in itertools.count(0):
        with Simulator("empty") as sim:
            (tmp_path / str(killed_at)).mkdir()
            runner = Runner(sim)
            apply = Applier(runner, tmp_path / str(killed_at))
            apply.ok(old)
            number = next(row.id for row in sim.master.projects.values() if row.name == "kept")
            finished = True
            if not killed_at:
                assert actions(apply.ok(new, check=True)) == {
                    "workspaces/machines": "rename",
                    "projects/machines/renamed": "rename",
                    "projects/machines/dropped": "remove",
                    "role_assignments/Editor:user:ada@machines": "remove",
                }
            else:
                die_at(monkeypatch, killed_at, moment)
                try:
                    apply.ok(new)
                except Killed:
                    finished = False
                monkeypatch.undo()
            apply.ok(new)
            assert {row.id: row.name for row in sim.master.projects.values() if row.name != "Uncategorized"} == {
                number: "renamed"
            }, killed_at
            assert "Editor" not in json.dumps(actions(apply.ok(everybody_elses(new), check=True))), killed_at
            runner.close()
        if killed_at and finished:
            break
    assert killed_at == 5


def everybody_elses(manifest: dict[str, t.Any]) -> dict[str, t.Any]:
    """The same, with all role assignments shown that it does not declare."""
    settings = {"prune": {"role_assignments": "exclusive"}, "creator": "remove"}
    return {**manifest, "settings": settings}


def test_a_drift_report_says_how_to_adopt_what_is_live(apply: Applier, tmp_path: pathlib.Path) -> None:
    declared = {
        "settings": {"prune": {"templates": "exclusive"}},
        "users": [{"username": "bo", "remote": True, "display_name": "Bo"}],
        "templates": [{"name": "a", "config": {"max_restarts": 1}}],
        "models": [{"name": "mill"}],
    }
    apply.ok(declared)
    apply.ok(
        {
            "users": [{"username": "bo", "display_name": "Robert"}],
            "templates": [
                {"name": "a", "config": {"max_restarts": 2}},
                {"name": "b", "config": {"description": HOSTILE}},
            ],
            "models": [{"name": "mill", "state": "absent"}],
        }
    )
    files = {form: str(tmp_path / f"drift.{form}") for form in ("json", "markdown", "junit")}
    result = apply.ok(declared, check=True, reports={"style": "drift", **files})
    assert result["drift"] == {
        "missing": ["models/mill"],
        "changed": ["users/bo", "templates/a"],
        "extra": ["templates/b"],
        "blocked": [],
    }
    report = json.loads(pathlib.Path(files["json"]).read_text())
    found = {item["key"]: item for item in report["objects"]}
    assert yaml.safe_load(found["bo"]["adopt"]) == {
        "users": [{"username": "bo", "remote": True, "display_name": "Robert"}]
    }
    assert yaml.safe_load(found["a"]["adopt"]) == {"templates": [{"name": "a", "config": {"max_restarts": 2}}]}
    assert (found["mill"]["class"], found["mill"]["adopt"]) == ("missing", None)
    assert found["bo"]["modified_at"]
    text = pathlib.Path(files["markdown"]).read_text()
    assert "| display\\_name | Robert | Bo |" in text
    assert "Last modified at" in text
    assert pathlib.Path(files["junit"]).read_text().count("<failure") == 4
    # What it says to adopt comes to no drift, and runs nothing on the controller.
    folder = tmp_path / "adopted"
    folder.mkdir()
    for name, item in found.items():
        if item["adopt"]:
            (folder / f"{name}.yml").write_text(item["adopt"])
    loader = DataLoader()
    adopted = load_manifest(str(folder), None, loader=loader, templar=Templar(loader=loader, variables={}))
    (config,) = [entry.options["config"] for entry in adopted.entries if entry.key == "b"]
    assert config == {"description": HOSTILE}
    entries = [{name: value for name, value in entry.options.items() if value} for entry in adopted.entries]
    by_kind: dict[str, t.Any] = {"users": [], "templates": []}
    for entry, options in zip(adopted.entries, entries, strict=True):
        by_kind[entry.kind.plural].append({name: options[name] for name in options.keys() - entry.kind.switches})
    assert actions(apply.ok(by_kind, check=True)) == {}
