# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning and applying whole manifests, against the simulator."""

from __future__ import annotations

import itertools
import json
import pathlib
import typing as t

import pytest

from ansible_collections.determined.ai.plugins.module_utils._wire.session import Session
from tests.simulator import Fault

from .conftest import Applier, actions, reason

ADA = {"username": "ada", "password": "Correct-Horse-7"}
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


def test_a_chain_of_renames_frees_each_name_before_it_is_taken(apply: Applier) -> None:
    apply.ok({"models": [{"name": name, "notes": name} for name in "ab"]})
    moved = {"models": [{"name": "b", "renamed_from": "a"}, {"name": "c", "renamed_from": "b"}]}
    assert set(actions(apply.ok(moved)).values()) == {"rename"}
    assert {model.name: model.notes for model in apply.sim.master.models.values()} == {"b": "a", "c": "b"}
    assert actions(apply.ok(moved)) == {}


# --- plan files ---


def test_a_plan_file_is_applied_or_refused_once_something_moved(apply: Applier) -> None:
    file = apply.folder / "plan.json"
    apply.ok({"models": [{"name": "mill", "description": "old"}]})
    new = {"models": [{"name": "mill", "description": "new"}]}
    apply.ok(new, check=True, plan_out=str(file))
    assert "new" in file.read_text()
    moved = {"models": [{"name": "mill", "description": "newer"}]}
    assert "changed in the manifest or on the cluster" in apply.failed(moved, plan=str(file))
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


def _dying(number: int, moment: str) -> t.Callable[..., t.Any]:
    """A write that kills its process before or after the write of this number."""
    write, count = Session.write, itertools.count(1)

    def dying(session: Session, method: str, path: str, body: t.Any = None) -> t.Any:
        if path.endswith(("/search", "/by-ids")):
            return write(session, method, path, body)
        now = next(count) == number
        if now and moment == "before":
            raise Killed
        answer = write(session, method, path, body)
        if now:
            raise Killed
        return answer

    return dying


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
        monkeypatch.setattr(Session, "write", _dying(killed_at, moment))
        try:
            apply.ok(manifest)
        except Killed:
            finished = False
        else:
            finished = True
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
            "templates": [{"name": "a", "config": {"max_restarts": 2}}, {"name": "b", "config": {}}],
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
    assert found["bo"]["adopt"] == {"users": {"username": "bo", "remote": True, "display_name": "Robert"}}
    assert found["a"]["adopt"] == {"templates": {"name": "a", "config": {"max_restarts": 2}}}
    assert found["b"]["adopt"] == {"templates": {"name": "b", "config": {}}}
    assert (found["mill"]["class"], found["mill"]["adopt"]) == ("missing", None)
    assert found["bo"]["modified_at"]
    text = pathlib.Path(files["markdown"]).read_text()
    assert "| display\\_name | Robert | Bo |" in text
    assert "Last modified at" in text
    assert pathlib.Path(files["junit"]).read_text().count("<failure") == 4
    # What it says to adopt comes to no drift.
    adopted = {"users": [], "templates": []}
    for item in report["objects"]:
        for plural, entry in (item["adopt"] or {}).items():
            adopted[plural].append(entry)
    assert actions(apply.ok(adopted, check=True)) == {}
