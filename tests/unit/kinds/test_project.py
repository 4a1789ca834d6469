# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Projects, against the simulated master."""

from __future__ import annotations

import typing as t

import pytest
import requests

from ansible_collections.determined.ai.plugins.module_utils._engine.compare import compare
from ansible_collections.determined.ai.plugins.module_utils._kinds.kind import Reference
from ansible_collections.determined.ai.plugins.module_utils._kinds.lookup import Named, Names
from ansible_collections.determined.ai.plugins.module_utils._kinds.project import PROJECT
from ansible_collections.determined.ai.plugins.module_utils._wire.errors import InvalidOption
from ansible_collections.determined.ai.plugins.modules.det_project import OPERATION
from ansible_collections.determined.ai.plugins.modules.det_project_info import OPERATION as INFO
from tests.simulator import Fault, Simulator
from tests.unit.conftest import ADMIN, Runner

SERVER_MADE = ("id",)
FULL: dict[str, t.Any] = {
    "workspace": "lab",
    "name": "alpha",
    "description": "first",
    "key": "ab1",
    "notes": [{"name": "n", "contents": "c"}],
}
HERE = {"workspace": "lab", "name": "alpha"}
REFUSED = {"error": {"code": 13, "error": "disk full"}}


def known(project: dict[str, t.Any]) -> dict[str, t.Any]:
    """The project without what only the server makes."""
    return {name: value for name, value in project.items() if name not in SERVER_MADE}


def writes(sim: Simulator) -> list[tuple[str, str]]:
    """What the journal holds beside reads and logins."""
    return [(entry.method, entry.path) for entry in sim.journal if entry.method != "GET" and "/auth/" not in entry.path]


def call(sim: Simulator, method: str, path: str, body: t.Any = None) -> t.Any:
    """Make a call of the test's own."""
    header = {"Authorization": f"Bearer {sim.login()}"}
    answer = requests.request(method, f"{sim.url}/api/v1/{path}", json=body, headers=header, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(autouse=True)
def labs(request: pytest.FixtureRequest) -> None:
    """Workspaces `lab` (2) and `other` (3) on the empty master, for the tests that use it."""
    if "sim" in request.fixturenames:
        sim = request.getfixturevalue("sim")
        for name in ("lab", "other"):
            call(sim, "POST", "workspaces", {"name": name})


# What the project is before, what is declared, and how the result then differs.
TABLE: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], dict[str, t.Any]]] = {
    "description": ({}, {"description": "second"}, {"description": "second"}),
    "description cleared": ({}, {"description": ""}, {"description": ""}),
    "key": ({}, {"key": "zz9"}, {"key": "ZZ9"}),
    "notes": (
        {},
        {"notes": [{"name": "b"}, {"name": "a", "contents": "x"}]},
        {"notes": [{"name": "b", "contents": ""}, {"name": "a", "contents": "x"}]},
    ),
    "notes in another order": (
        {"notes": [{"name": "a"}, {"name": "b"}]},
        {"notes": [{"name": "b"}, {"name": "a"}]},
        {"notes": [{"name": "b", "contents": ""}, {"name": "a", "contents": ""}]},
    ),
    "notes removed": ({}, {"notes": []}, {"notes": []}),
    "notes in the archive": (
        {"archived": True},
        {"notes": [{"name": "late"}]},
        {"notes": [{"name": "late", "contents": ""}]},
    ),
    "archived": ({}, {"archived": True}, {"archived": True}),
    "archived and edited": (
        {},
        {"archived": True, "description": "x", "move_to_workspace": "other"},
        {"archived": True, "description": "x", "workspace_id": 3},
    ),
    "unarchived": ({"archived": True}, {"archived": False}, {"archived": False}),
    "unarchived and edited": ({"archived": True}, {"archived": False, "key": "n"}, {"archived": False, "key": "N"}),
    "edited in the archive": (
        {"archived": True},
        {"archived": True, "description": "x", "new_name": "beta"},
        {"description": "x", "name": "beta"},
    ),
    "moved in the archive": ({"archived": True}, {"archived": True, "move_to_workspace": "other"}, {"workspace_id": 3}),
    "renamed": ({}, {"new_name": "b_%/x"}, {"name": "b_%/x"}),
    "moved": ({}, {"move_to_workspace": "other"}, {"workspace_id": 3}),
    "moved and renamed": (
        {},
        {"move_to_workspace": "other", "new_name": "beta"},
        {"workspace_id": 3, "name": "beta"},
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_a_change_is_predicted_made_and_not_made_again(sim: Simulator, run: Runner, case: str) -> None:
    before, declared, differs = TABLE[case]
    created = run.ok(OPERATION, **{**FULL, **before})["project"]
    options = {**HERE, **declared}
    sim.journal.clear()
    predicted = run.ok(OPERATION, check=True, **options)
    assert writes(sim) == []
    result = run.ok(OPERATION, **options)
    assert result["changed"]
    assert predicted["changed"]
    assert known(result["project"]) == {**known(created), **differs}
    assert predicted["project"] == result["project"]
    assert result["diff"] == predicted["diff"]
    for name, value in differs.items():
        assert result["diff"]["after"][name] == value
    sim.journal.clear()
    again = run.ok(OPERATION, **options)
    assert not again["changed"]
    assert "diff" not in again
    assert again["project"] == result["project"]
    assert writes(sim) == []
    calls = 2 + ("move_to_workspace" in declared) + bool({"move_to_workspace", "new_name"} & declared.keys())
    # Whether an archived one is so by itself takes one more.
    assert again["requests"] == calls + result["project"]["archived"]


@pytest.mark.parametrize("more", [{}, {"archived": True}, {"description": "", "notes": []}, {"key": None}])
def test_creation_is_predicted_made_and_not_made_again(sim: Simulator, run: Runner, more: dict[str, t.Any]) -> None:
    options = {**FULL, **more}
    predicted = run.ok(OPERATION, check=True, **options)
    assert len(sim.master.projects) == 1
    result = run.ok(OPERATION, **options)
    assert predicted["project"]["id"] is None
    expected = {"key": None} if options["key"] is None else {}
    assert known(predicted["project"]) == {**known(result["project"]), **expected}
    assert (result["project"]["username"], result["project"]["workspace_id"]) == ("admin", 2)
    assert options["key"] is None or result["project"]["key"] == "AB1"
    again = run.ok(OPERATION, **options)
    assert not again["changed"]
    assert again["project"] == result["project"]


def test_removal_is_predicted_made_and_not_made_again(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, **FULL, archived=True)
    predicted = run.ok(OPERATION, check=True, **HERE, state="absent")
    assert (predicted["changed"], predicted["project"]) == (True, None)
    assert len(sim.master.projects) == 2
    result = run.ok(OPERATION, **HERE, state="absent")
    assert (result["changed"], result["project"], result["removed_along"]) == (True, None, {})
    assert len(sim.master.projects) == 1
    again = run.ok(OPERATION, **HERE, state="absent")
    assert (again["changed"], again["requests"]) == (False, 4)
    assert not run.ok(OPERATION, workspace="nowhere", name="alpha", state="absent")["changed"]


# --- archived workspaces ---


def test_its_own_flag_is_told_from_its_workspaces(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, **FULL)
    run.ok(OPERATION, **{**FULL, "name": "beta", "key": None}, archived=True)
    call(sim, "POST", "workspaces/2/archive")
    assert run.ok(OPERATION, **HERE)["project"]["archived"] is False
    assert not run.ok(OPERATION, **HERE, archived=False)["changed"]
    beta = {"workspace": "lab", "name": "beta"}
    assert not run.ok(OPERATION, **beta, archived=True)["changed"]
    found = run.ok(INFO)["projects"]
    assert {project["name"]: project["archived"] for project in found if project["workspace_id"] == 2} == {
        "alpha": False,
        "beta": True,
    }
    assert [project["name"] for project in run.ok(INFO, archived=True)["projects"]] == ["beta"]
    assert [project["name"] for project in run.ok(INFO, workspace="lab", archived=False)["projects"]] == ["alpha"]


def test_in_an_archived_workspace_only_notes_change(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, **FULL)
    call(sim, "POST", "workspaces/2/archive")
    edited = run.ok(OPERATION, **HERE, notes=[{"name": "late"}])
    assert edited["project"]["notes"] == [{"name": "late", "contents": ""}]
    assert edited["project"]["archived"] is False
    for check in (True, False):
        for options in ({"archived": True}, {"description": "x"}, {"move_to_workspace": "other"}, {"new_name": "z"}):
            message = run.failed(OPERATION, check=check, **HERE, **options)
            assert "as its workspace 'lab' is archived: unarchive that first." in message
        message = run.failed(OPERATION, check=check, workspace="lab", name="new")
        assert message == "The workspace 'lab' is archived and takes no projects: unarchive it first."
    run.ok(OPERATION, workspace="other", name="gamma")
    message = run.failed(OPERATION, workspace="other", name="gamma", move_to_workspace="lab")
    assert "The workspace 'lab' is archived and takes no projects" in message


def test_an_archived_project_refuses_edits_unless_told_what_to_do(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, **FULL, archived=True)
    assert not run.ok(OPERATION, **FULL)["changed"]
    for check in (True, False):
        message = run.failed(OPERATION, check=check, **HERE, description="x", key="q", move_to_workspace="other")
        assert "is archived and refuses edits (description, key, workspace_id): set archived to true" in message
    sim.faults.add(Fault("status", method="PATCH", status=500, body=REFUSED))
    message = run.failed(OPERATION, **HERE, description="x", archived=True)
    assert "Read again, of the project: description did not change." in message
    assert sim.master.projects[2].archived
    for path in ("/projects/2$", "/archive$"):
        sim.faults.add(Fault("status", method="P.*", path=path, status=500, body=REFUSED))
    message = run.failed(OPERATION, **HERE, description="x", archived=True)
    assert "had been unarchived, and it could not be archived again" in message


# --- names, keys, places ---


@pytest.mark.parametrize("name", ["a_b", "%", "a\\b", " ", "a/b", "é" * 80])
def test_names_that_are_patterns_are_names(sim: Simulator, run: Runner, name: str) -> None:
    decoys = {"".join("x" if char in "_%\\" else char for char in name), name.upper(), "zz"} - {name}
    for decoy in decoys:
        call(sim, "POST", "workspaces/2/projects", {"name": decoy})
    options = {"workspace": "lab", "name": name}
    assert run.ok(OPERATION, **options)["project"]["name"] == name
    assert not run.ok(OPERATION, **options)["changed"]
    assert [project["name"] for project in run.ok(INFO, name=name)["projects"]] == [name]
    assert run.ok(OPERATION, **options, state="absent")["changed"]
    assert {row.name for row in sim.master.projects.values()} == {"Uncategorized", *decoys}


def test_a_name_is_unique_in_its_workspace_only(run: Runner) -> None:
    first = run.ok(OPERATION, **FULL)["project"]
    second = run.ok(OPERATION, workspace="other", name="alpha")["project"]
    assert first["id"] != second["id"]
    for options in ({"move_to_workspace": "other"}, {"workspace": "other", "move_to_workspace": "lab"}):
        message = run.failed(OPERATION, **{**HERE, **options})
        assert f"exists already (id {first['id'] if 'workspace' in options else second['id']})" in message
        assert "one of them has to go first" in message
    third = run.ok(OPERATION, workspace="other", name="beta")["project"]
    message = run.failed(OPERATION, workspace="other", name="alpha", new_name="beta")
    assert f"The project 'beta' of the workspace 'other' exists already (id {third['id']})" in message


def test_a_move_is_unchanged_once_its_origin_is_gone(run: Runner) -> None:
    created = run.ok(OPERATION, **HERE, move_to_workspace="other")["project"]
    assert created["workspace_id"] == 3
    again = run.ok(OPERATION, workspace="gone", name="alpha", move_to_workspace="other")
    assert (again["changed"], again["project"]["id"]) == (False, created["id"])
    message = run.failed(OPERATION, workspace="gone", name="beta", move_to_workspace="other")
    assert "workspace is 'gone': there is no such workspace" in message
    assert "move_to_workspace is 'lub': there is no such workspace" in run.failed(
        OPERATION, **HERE, move_to_workspace="lub"
    )


def test_keys_are_unique_without_case(run: Runner) -> None:
    run.ok(OPERATION, **FULL)
    assert not run.ok(OPERATION, **HERE, key="Ab1")["changed"]
    message = run.failed(OPERATION, workspace="other", name="beta", key="aB1")
    assert "project key AB1 is already in use" in message
    assert "Read again: no such project was created." in message
    run.ok(OPERATION, workspace="other", name="beta")
    message = run.failed(OPERATION, workspace="other", name="beta", key="ab1", description="x")
    assert "Read again, of the project: description, key did not change." in message


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"name": ""}, "name is empty: it must be a project's name."),
        ({"name": "x" * 81}, "a project's name has at most 80 characters, this one has 81."),
        ({"wait_interval": 0}, "wait_interval is 0.0"),
        ({"new_name": ""}, "new_name is empty"),
        ({"new_name": "b", "state": "absent"}, "new_name is given with state absent"),
        ({"move_to_workspace": "b", "state": "absent"}, "move_to_workspace is given with state absent"),
        ({"workspace": ""}, "workspace is empty"),
        ({"move_to_workspace": ""}, "move_to_workspace is empty"),
        ({"key": ""}, "key is '': it must be one to five letters and digits"),
        ({"key": "ABCDEF"}, "key is 'ABCDEF'"),
        ({"key": "é"}, "key is 'é'"),
        ({"notes": [{"contents": "c"}]}, "missing required arguments: name found in notes"),
    ],
)
def test_what_is_refused_before_any_call(sim: Simulator, run: Runner, options: dict[str, t.Any], sentence: str) -> None:
    sim.journal.clear()
    assert sentence in run.failed(OPERATION, **{**HERE, **options})
    assert sim.journal == []


def test_the_built_in_project_and_workspace_are_left_alone(run: Runner) -> None:
    built_in = {"workspace": "Uncategorized", "name": "Uncategorized"}
    assert not run.ok(OPERATION, **built_in, archived=False)["changed"]
    assert "is built in and can't be changed (description)" in run.failed(OPERATION, **built_in, description="x")
    assert "is built in and can't be removed" in run.failed(OPERATION, **built_in, state="absent")
    assert "The workspace 'Uncategorized' is built in and takes no projects." in run.failed(
        OPERATION, workspace="Uncategorized", name="x"
    )
    run.ok(OPERATION, **FULL)
    assert "is built in and takes no projects" in run.failed(OPERATION, **HERE, move_to_workspace="Uncategorized")


# --- removal of what is not empty ---

RANKING = {"workspace": "production", "name": "ranking", "state": "absent", "wait_interval": 0.05}


def test_one_that_holds_experiments_is_refused_unless_forced(demo: Simulator, run_demo: Runner) -> None:
    project = next(row for row in demo.master.projects.values() if row.name == "ranking")
    held = [row for row in demo.master.experiments.values() if row.project_id == project.id]
    assert any(row.state == "ACTIVE" and not row.unmanaged for row in held)
    for check in (True, False):
        message = run_demo.failed(OPERATION, check=check, **RANKING)
        assert f"holds {len(held)} experiments: move or remove them first, or set force_non_empty to true" in message
    demo.journal.clear()
    result = run_demo.ok(OPERATION, **RANKING, force_non_empty=True)
    assert result["removed_along"] == {"experiments": len(held)}
    assert [path.rpartition("/")[2] for _, path in writes(demo)] == ["kill", str(project.id)]
    assert project.id not in demo.master.projects
    assert not any(row.project_id == project.id for row in demo.master.experiments.values())


def test_nothing_is_killed_for_somebody_who_may_not_remove_the_project() -> None:
    for authz, caller, sentence in (
        ("basic", "bjarne.holm", "can only be removed by its owner or an administrator, and not by 'bjarne.holm'."),
        ("rbac", "grace.lindqvist", "can't be removed by 'grace.lindqvist', who lacks DELETE_PROJECT."),
    ):
        with Simulator(fixture="demo", authz=authz) as demo:
            runner = Runner(demo, **{**ADMIN, "auth_username": caller})
            for check in (True, False):
                message = runner.failed(OPERATION, check, **RANKING, force_non_empty=True)
                assert message == f"The project 'ranking' {sentence}"
            assert writes(demo) == []
            runner.close()


def test_that_one_is_gone_is_not_said_by_who_may_not_see_it() -> None:
    with Simulator(fixture="demo", authz="rbac") as demo:
        blind = Runner(demo, **{**ADMIN, "auth_username": "hugo.martin"})
        assert not blind.ok(OPERATION, **RANKING)["changed"]
        assert "not proved: 'hugo.martin' lacks VIEW_WORKSPACE and VIEW_PROJECT cluster-wide" in blind.warnings[0]
        blind.close()


def test_its_owner_may_remove_it(demo: Simulator) -> None:
    """Also the owner of its workspace, under basic authorisation (API page, section 8)."""
    owner = next(user.id for user in demo.master.users.values() if user.username == "bjarne.holm")
    project = next(row for row in demo.master.projects.values() if row.name == "ranking")
    runner = Runner(demo, **{**ADMIN, "auth_username": "bjarne.holm"})
    for row in (project, demo.master.workspaces[project.workspace_id]):
        before, row.user_id = row.user_id, owner
        assert runner.ok(OPERATION, check=True, **RANKING, force_non_empty=True)["changed"]
        row.user_id = before
    runner.close()


def test_a_deletion_that_does_not_end_is_told_with_its_state(demo: Simulator, run_demo: Runner) -> None:
    demo.master.agents.clear()
    options = {**RANKING, "workspace": "research", "name": "vision", "force_non_empty": True}
    message = run_demo.failed(OPERATION, **options, wait_timeout=1)
    assert "Not reached within wait_timeout (1 s): the project 'vision' is deleting; checkpoints inside" in message
    assert not run_demo.ok(OPERATION, **{**options, "wait": False})["changed"]
    assert "is being deleted" in run_demo.failed(OPERATION, workspace="research", name="vision")


def test_a_deletion_that_fails_is_a_failure(demo: Simulator, run_demo: Runner) -> None:
    project = next(row for row in demo.master.projects.values() if row.name == "vision")
    for row in demo.master.experiments.values():
        row.delete_fails = row.project_id == project.id
    options = {**RANKING, "workspace": "research", "name": "vision", "force_non_empty": True}
    message = run_demo.failed(OPERATION, **options)
    # A single GET would go on to say that all is well.
    assert "The deletion of the project 'vision' failed (state delete_failed): failed to checkpoint gc" in message
    assert "Read again: the project is still there." in message


# --- failures ---


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
def test_a_write_whose_answer_is_lost_is_made_once_and_settled_by_reading(
    sim: Simulator, run: Runner, method: str
) -> None:
    if method != "POST":
        run.ok(OPERATION, **HERE)
    sim.journal.clear()
    sim.faults.add(Fault("lost", method=method, path="/projects"))
    options = {"DELETE": {"state": "absent"}, "PUT": {"notes": [{"name": "n"}]}}.get(method, {"description": "x"})
    result = run.ok(OPERATION, **HERE, **options)
    assert result["changed"]
    assert len(writes(sim)) == 1
    assert "the project is as declared" in run.warnings[0]


def test_what_was_not_written_after_a_creation_is_told(sim: Simulator, run: Runner) -> None:
    sim.faults.add(Fault("status", method="PUT", count=0, status=500, body=REFUSED))
    message = run.failed(OPERATION, **FULL, archived=True)
    assert "disk full" in message
    assert "Before that: The project 'alpha' was created, but without notes and archived:" in message
    sim.faults.clear()
    assert run.ok(OPERATION, **FULL, archived=True)["changed"]


def test_one_removed_while_it_is_changed_is_told(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, **HERE)
    gone = {"error": {"code": 5, "error": "gone"}}
    sim.faults.add(Fault("status", method="GET", path="/projects/2$", status=404, body=gone))
    # The write has arrived, and there it is again.
    run.ok(OPERATION, **HERE, description="x")
    assert "The project 'alpha' disappeared while it was being changed" in run.warnings[0]


# --- as a plan uses it ---


def test_a_declaration_of_what_is_there_changes_nothing(demo: Simulator, run_demo: Runner) -> None:
    call(demo, "POST", "projects/3/archive")
    task = run_demo.task(PROJECT, workspace="w", name="x")
    names = task.names
    names.all_workspaces()
    before = task.session.requests
    found = PROJECT.read_all(task.session, names)
    # All of them, and which are archived themselves.
    assert task.session.requests - before == 2
    assert len(found) == 6
    for live in found:
        declared = PROJECT.declaration(live, names)
        again = run_demo.task(PROJECT, **declared)
        PROJECT.check(again.options)
        assert PROJECT.key(again.options) == PROJECT.key_of(live, names)
        assert compare(PROJECT, live, PROJECT.wanted(again, live)).action == "none"
        assert PROJECT.undeclarable(live, names) is None
        assert list(PROJECT.references(again.options)) == [Reference("workspaces", declared["workspace"], "workspace")]
    declared = {live["name"]: PROJECT.declaration(live, names) for live in found}
    assert declared["Uncategorized"] == {"workspace": "Uncategorized", "name": "Uncategorized"}
    assert declared["ranking"] == {
        "workspace": "production",
        "name": "ranking",
        "description": "Search ranking",
        "key": "RANK",
        "notes": [{"name": "Runbook", "contents": "# Ranking\nRetrain each quarter."}],
    }
    # Its workspace is archived, it is not.
    assert "archived" not in declared["legacy"]
    assert declared["language"]["archived"] is True
    assert [PROJECT.built_in(live) for live in found] == ["it is built in", None, None, None, None, None]


class Planned(Names):
    """Names of a plan: the workspace `new` is not there yet."""

    def workspace(self, option: str, name: str) -> Named:
        return Named(id=-3, name=name) if name == "new" else super().workspace(option, name)


def test_a_project_of_a_workspace_that_is_only_planned(run: Runner) -> None:
    task = run.task(PROJECT, workspace="new", name="alpha", description="x")
    task.names = Planned(task.session)
    wanted = PROJECT.wanted(task, None)
    assert wanted == {"name": "alpha", "workspace_id": -3, "description": "x"}
    assert compare(PROJECT, None, wanted).action == "create"


def test_a_rename_and_a_move_as_options(run: Runner) -> None:
    options = {"workspace": "lab", "name": "beta", "new_name": None, "move_to_workspace": None}
    moved = {"name": "alpha", "new_name": "beta", "move_to_workspace": "lab"}
    assert PROJECT.renamed(options, "lab/alpha") == {"workspace": "lab", **moved}
    assert PROJECT.renamed(options, "old/alpha") == {"workspace": "old", **moved}
    slashed = {**options, "workspace": "a/b"}
    assert PROJECT.renamed(slashed, "a/b/c/d")["name"] == "c/d"
    with pytest.raises(InvalidOption, match="renamed_from is 'alpha': it must be a workspace and a project"):
        PROJECT.renamed(options, "alpha")


def test_a_key_that_means_two_projects_is_refused(sim: Simulator, run: Runner) -> None:
    call(sim, "POST", "workspaces", {"name": "lab/x"})
    live = run.ok(OPERATION, workspace="lab/x", name="y")["project"]
    task = run.task(PROJECT, workspace="lab", name="x/y")
    assert PROJECT.key(task.options) == PROJECT.key_of(live, task.names)
    with pytest.raises(InvalidOption, match="can't be told from 'y' of another workspace"):
        PROJECT.wanted(task, live)


def test_what_can_not_be_declared(run: Runner) -> None:
    live = run.ok(OPERATION, **HERE)["project"]
    names = run.task(PROJECT, **HERE).names
    assert PROJECT.undeclarable({**live, "state": "deleting"}, names) == "it is being deleted"
    assert PROJECT.undeclarable({**live, "workspace_id": 99}, names) == "its workspace (id 99) can't be seen"
    assert PROJECT.key_of({**live, "workspace_id": 99}, names) == "99/alpha"


# --- det_project_info; the demo fixture has six projects ---


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["Uncategorized", "vision", "language", "ranking", "nightly", "legacy"]),
        ({"workspace": "research"}, ["vision", "language"]),
        ({"name": "vision"}, ["vision"]),
        ({"name": "VISION"}, []),
        ({"name": "visio_"}, []),
        ({"name": "%"}, []),
        ({"name": ""}, []),
        ({"name_contains": "G"}, ["Uncategorized", "language", "ranking", "nightly", "legacy"]),
        ({"name_contains": "_"}, []),
        ({"key": "vis"}, ["vision"]),
        ({"key": "v"}, []),
        ({"archived": True}, []),
        ({"archived": False, "users": ["ada.brandt"]}, ["vision", "language", "legacy"]),
        ({"users": ["svc-gitops"], "workspace": "research"}, []),
    ],
)
def test_info_filters(run_demo: Runner, options: dict[str, t.Any], expected: list[str]) -> None:
    result = run_demo.ok(INFO, **options)
    assert [project["name"] for project in result["projects"]] == expected
    assert (result["total"], result["changed"]) == (len(expected), False)


def test_info_limit_and_refusals(run_demo: Runner) -> None:
    result = run_demo.ok(INFO, limit=2)
    assert ([project["id"] for project in result["projects"]], result["total"]) == ([1, 2], 6)
    # The attic's project reads as archived, so there is a second look.
    assert result["requests"] == 2
    assert run_demo.ok(INFO, workspace="research")["requests"] == 2
    assert "limit is 0" in run_demo.failed(INFO, limit=0)
    assert "workspace is 'reserch': there is no such workspace" in run_demo.failed(INFO, workspace="reserch")
    assert "users is empty" in run_demo.failed(INFO, users=[])
    assert "users is 'ada': there is no such user" in run_demo.failed(INFO, users=["ada"])
    assert "mutually exclusive" in run_demo.failed(INFO, name="a", name_contains="b")
