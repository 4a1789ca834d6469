# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registered models, against the simulated master."""

from __future__ import annotations

import typing as t

import pytest
import requests

from ansible_collections.determined.ai.plugins.module_utils._engine.compare import compare
from ansible_collections.determined.ai.plugins.module_utils._kinds.kind import Declarable
from ansible_collections.determined.ai.plugins.module_utils._kinds.model import MODEL
from ansible_collections.determined.ai.plugins.modules.det_model import OPERATION
from ansible_collections.determined.ai.plugins.modules.det_model_info import OPERATION as INFO
from tests.simulator import Fault, Simulator
from tests.unit.conftest import Runner

CANARY = "CANARY-model-password"
SERVER_MADE = ("id", "creation_time", "last_updated_time")
FULL: dict[str, t.Any] = {
    "name": "alpha",
    "description": "first",
    "notes": "# Notes",
    "labels": ["b", "a"],
    "metadata": {"rate": 1.5, "deep": {"list": [1, 2]}},
}


def known(model: dict[str, t.Any]) -> dict[str, t.Any]:
    """The model without what only the server makes."""
    return {name: value for name, value in model.items() if name not in SERVER_MADE}


def writes(sim: Simulator) -> list[tuple[str, str]]:
    """What the journal holds beside reads and logins."""
    return [(entry.method, entry.path) for entry in sim.journal if entry.method != "GET" and "/auth/" not in entry.path]


@pytest.fixture
def lab(sim: Simulator, run: Runner) -> int:
    """A workspace `lab`; returns its id."""
    return make_workspace(sim, "lab")


def make_workspace(sim: Simulator, name: str) -> int:
    """Make a workspace by a call of its own."""
    header = {"Authorization": f"Bearer {sim.login()}"}
    made = requests.post(f"{sim.url}/api/v1/workspaces", json={"name": name}, headers=header, timeout=10)
    assert made.status_code == 200, made.text
    return int(made.json()["workspace"]["id"])


# What the model is before, what is declared, and how the result then differs.
TABLE: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], dict[str, t.Any]]] = {
    "description": ({}, {"description": "second"}, {"description": "second"}),
    "description cleared": ({}, {"description": ""}, {"description": ""}),
    "notes": ({}, {"notes": "other"}, {"notes": "other"}),
    "notes cleared": ({}, {"notes": ""}, {"notes": ""}),
    "labels": ({}, {"labels": ["a", "c", "a"]}, {"labels": ["a", "c"]}),
    "labels cleared": ({}, {"labels": []}, {"labels": []}),
    "metadata": ({}, {"metadata": {"rate": 2}}, {"metadata": {"rate": 2}}),
    "metadata cleared": ({}, {"metadata": {}}, {"metadata": {}}),
    "metadata number that is no truth": (
        {"metadata": {"on": 1}},
        {"metadata": {"on": True}},
        {"metadata": {"on": True}},
    ),
    "metadata merged": (
        {},
        {"metadata": {"deep": {"more": None}, "rate": [3]}, "metadata_mode": "merge"},
        {"metadata": {"rate": [3], "deep": {"list": [1, 2], "more": None}}},
    ),
    "workspace": ({}, {"workspace": "lab"}, {"workspace_id": 2}),
    "archived": ({}, {"archived": True}, {"archived": True}),
    "archived and edited": (
        {},
        {"archived": True, "description": "second", "workspace": "lab"},
        {"archived": True, "description": "second", "workspace_id": 2},
    ),
    "unarchived": ({"archived": True}, {"archived": False}, {"archived": False}),
    "unarchived and edited": (
        {"archived": True},
        {"archived": False, "labels": ["z"]},
        {"archived": False, "labels": ["z"]},
    ),
    "edited in the archive": (
        {"archived": True},
        {"archived": True, "notes": "late"},
        {"archived": True, "notes": "late"},
    ),
    "moved in the archive": ({"archived": True}, {"workspace": "lab"}, {"workspace_id": 2}),
    "renamed": ({}, {"new_name": "beta:1"}, {"name": "beta:1"}),
}


@pytest.mark.parametrize("case", TABLE)
@pytest.mark.usefixtures("lab")
def test_a_change_is_predicted_made_and_not_made_again(sim: Simulator, run: Runner, case: str) -> None:
    before, declared, differs = TABLE[case]
    created = run.ok(OPERATION, **{**FULL, **before})["model"]
    options = {"name": "alpha", **declared}
    sim.journal.clear()
    predicted = run.ok(OPERATION, check=True, **options)
    assert writes(sim) == []
    result = run.ok(OPERATION, **options)
    assert result["changed"]
    assert predicted["changed"]
    assert known(result["model"]) == {**known(created), **differs}
    assert known(predicted["model"]) == known(result["model"])
    assert result["diff"] == predicted["diff"]
    for name, value in differs.items():
        assert result["diff"]["after"][name] == value
        assert result["diff"]["before"][name] == created[name]
    sim.journal.clear()
    again = run.ok(OPERATION, **options)
    assert not again["changed"]
    assert "diff" not in again
    assert again["model"] == result["model"]
    assert writes(sim) == []


@pytest.mark.parametrize("more", [{}, {"workspace": "lab"}, {"archived": True}, {"labels": [], "metadata": {}}])
@pytest.mark.usefixtures("lab")
def test_creation_is_predicted_made_and_costs_one_call_again(
    sim: Simulator, run: Runner, more: dict[str, t.Any]
) -> None:
    options = {**FULL, **more}
    predicted = run.ok(OPERATION, check=True, **options)
    assert sim.master.models == {}
    result = run.ok(OPERATION, **options)
    assert predicted["model"]["id"] is None
    assert known(predicted["model"]) == known(result["model"])
    model = result["model"]
    assert (model["username"], model["user_id"], model["num_versions"]) == ("admin", 1, 0)
    assert model["workspace_id"] == (2 if "workspace" in more else 1)
    assert set(model["labels"]) == set(options["labels"])
    assert model["archived"] is more.get("archived", False)
    again = run.ok(OPERATION, **options)
    assert not again["changed"]
    # A workspace's name has to be looked up.
    assert again["requests"] == (2 if "workspace" in more else 1)


def test_what_is_equal_to_the_server_is_unchanged(run: Runner) -> None:
    run.ok(OPERATION, **FULL)
    same = {"labels": ["a", "b", "a"], "metadata": {"deep": {"list": [1.0, 2]}, "rate": 1.5}}
    assert not run.ok(OPERATION, name="alpha", **same)["changed"]
    assert run.ok(OPERATION, name="alpha", metadata={"deep": {"list": [2, 1]}, "rate": 1.5})["changed"]
    huge = {"n": 2**53 + 1}
    assert run.ok(OPERATION, name="alpha", metadata=huge)["changed"]
    # The server keeps numbers as doubles: 2**53 + 1 comes back as 2**53.
    assert not run.ok(OPERATION, name="alpha", metadata=huge)["changed"]


def test_removal_is_predicted_made_and_not_made_again(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, **FULL, archived=True)
    predicted = run.ok(OPERATION, check=True, name="alpha", state="absent")
    assert (predicted["changed"], predicted["model"]) == (True, None)
    assert len(sim.master.models) == 1
    result = run.ok(OPERATION, name="alpha", state="absent")
    assert (result["changed"], result["model"]) == (True, None)
    assert result["diff"]["before"]["description"] == "first"
    assert result["diff"]["after"] == {}
    assert sim.master.models == {}
    again = run.ok(OPERATION, name="alpha", state="absent")
    assert (again["changed"], again["requests"]) == (False, 1)


@pytest.mark.parametrize(
    "name", ["a:b", "a%20b", "100%", "naïve ☃", "a?b#c", "x" * 300, " leading", '"quoted"', "a;b+c", ".", "..", "a_b"]
)
def test_names_of_all_kinds(run: Runner, name: str) -> None:
    # The list's filter is a substring without case, so a decoy must not be taken for the model.
    run.ok(OPERATION, name=name.upper() + "_decoy", description="decoy")
    made = run.ok(OPERATION, name=name)
    assert made["model"]["name"] == name
    again = run.ok(OPERATION, name=name)
    assert (again["changed"], again["requests"]) == (False, 1)
    assert run.ok(OPERATION, name=name, description="edited")["model"]["description"] == "edited"
    assert [model["name"] for model in run.ok(INFO, name=name)["models"]] == [name]
    assert run.ok(OPERATION, name=name, state="absent")["changed"]
    assert run.ok(INFO)["total"] == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"name": ""}, "name is empty: it must be a model's name."),
        ({"name": "   "}, "name is empty: it must be a model's name."),
        ({"name": "a/b"}, "name is 'a/b': a model's name must not have a slash in it."),
        ({"name": "a\\b"}, "must not have a backslash in it."),
        ({"name": "a  b"}, "must not have two blanks in a row in it."),
        ({"name": "123"}, "must not be digits only, that is an id."),
        ({"name": "a", "new_name": "b/c"}, "new_name is 'b/c'"),
        ({"name": "a", "new_name": "b", "state": "absent"}, "new_name is given with state absent"),
        ({"name": "a", "labels": ["a,b"]}, "labels has 'a,b'"),
        ({"name": "a", "labels": [""]}, "labels has ''"),
        ({"name": "a", "workspace": ""}, "workspace is empty"),
        ({"name": "a", "metadata": {"x": ["********"]}}, "metadata holds a mask (asterisks) at metadata.x[0]:"),
        ({"name": "a", "metadata": {"x": float("nan")}}, "can't be stored and read back: nan at metadata.x."),
    ],
)
def test_what_is_refused_before_any_call(sim: Simulator, run: Runner, options: dict[str, t.Any], sentence: str) -> None:
    assert sentence in run.failed(OPERATION, **options)
    assert sim.journal == []


def test_unknown_workspace_is_told_with_the_nearest(sim: Simulator, run: Runner) -> None:
    make_workspace(sim, "research")
    message = run.failed(OPERATION, name="alpha", workspace="reserch")
    assert message == "workspace is 'reserch': there is no such workspace, or you may not see it. Nearest: 'research'."
    assert sim.master.models == {}


def test_an_archived_model_refuses_edits_unless_told_what_to_do(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, **FULL, archived=True)
    assert not run.ok(OPERATION, **FULL)["changed"]
    message = run.failed(OPERATION, name="alpha", description="x", labels=["b", "a"], notes="y")
    assert "is archived and refuses edits (description, notes)" in message
    assert "set archived to true" in message
    assert message == run.failed(OPERATION, check=True, name="alpha", description="x", labels=["b", "a"], notes="y")


def test_an_archived_model_is_archived_again_when_its_edit_fails(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, **FULL, archived=True)
    sim.faults.add(Fault("status", method="PATCH", status=500, body={"error": {"code": 13, "error": "disk full"}}))
    result = run(OPERATION, name="alpha", description="x", archived=True)
    assert "disk full" in result["msg"]
    assert "Read again, of the model: description did not change." in result["msg"]
    assert result["failure"]["message"] == "disk full"
    assert sim.master.models[1].archived


def test_an_archived_model_is_archived_again_when_the_move_that_follows_is_forbidden(
    sim: Simulator, run: Runner
) -> None:
    make_workspace(sim, "lab")
    run.ok(OPERATION, **FULL, archived=True)
    sim.faults.add(Fault("status", path="/move$", status=403, body={"error": {"code": 7, "error": "access denied"}}))
    message = run.failed(OPERATION, name="alpha", description="x", archived=True, workspace="lab")
    assert "access denied" in message
    assert "Read again, of the model: description changed; workspace_id did not change." in message
    assert sim.master.models[1].archived


def test_a_model_that_could_not_be_archived_again_is_named(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, **FULL, archived=True)
    for path, text in (("/models/1$", "disk full"), ("/archive$", "still full")):
        sim.faults.add(
            Fault("status", method="P.*", path=path, status=500, body={"error": {"code": 13, "error": text}})
        )
    message = run.failed(OPERATION, name="alpha", description="x", archived=True)
    assert "disk full" in message
    assert "had been unarchived, and it could not be archived again" in message
    assert "still full" in message


@pytest.mark.parametrize(("status", "text"), [(403, "access denied"), (500, "disk full")])
def test_a_model_that_is_created_but_not_archived_is_named(sim: Simulator, run: Runner, status: int, text: str) -> None:
    fault = Fault("status", path="/archive$", count=0, status=status, body={"error": {"code": 7, "error": text}})
    sim.faults.add(fault)
    message = run.failed(OPERATION, name="alpha", archived=True)
    assert (
        f"The model 'alpha' was created but not archived: POST /api/v1/models/1/archive: HTTP {status}: {text}"
        in message
    )


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_a_write_whose_answer_is_lost_is_made_once_and_settled_by_reading(
    sim: Simulator, run: Runner, method: str
) -> None:
    if method != "POST":
        run.ok(OPERATION, name="alpha")
    sim.journal.clear()
    sim.faults.add(Fault("lost", method=method, path="/models"))
    options = {"state": "absent"} if method == "DELETE" else {"description": "x"}
    result = run.ok(OPERATION, name="alpha", **options)
    assert result["changed"]
    assert len(writes(sim)) == 1
    assert "the model is as declared" in run.warnings[0]
    if method != "DELETE":
        assert result["model"]["description"] == "x"
        assert result["model"]["username"] == "admin"


def test_a_model_made_by_someone_else_meanwhile_is_edited(sim: Simulator, run: Runner) -> None:
    other = Runner(sim)
    other.ok(OPERATION, name="alpha", description="theirs")
    sim.faults.add(Fault("status", method="GET", path="/models/alpha$", status=404, body={"error": {"error": "gone"}}))
    result = run.ok(OPERATION, name="alpha", notes="mine")
    other.close()
    assert (result["model"]["description"], result["model"]["notes"]) == ("theirs", "mine")
    assert len(sim.master.models) == 1


def test_a_model_removed_while_it_is_changed_is_told(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, name="alpha")
    sim.faults.add(Fault("status", method="PATCH", status=404, body={"error": {"code": 5, "error": "not found"}}))
    sim.faults.add(Fault("status", method="GET", path="/alpha$", nth=2, status=404, body={"error": {"error": "gone"}}))
    message = run.failed(OPERATION, name="alpha", description="x")
    assert "Read again: the model is gone, removed by someone else" in message


def test_rename(sim: Simulator, run: Runner) -> None:
    first = run.ok(OPERATION, name="old", new_name="new")["model"]
    assert first["name"] == "new"
    second = run.ok(OPERATION, name="old")["model"]
    message = run.failed(OPERATION, name="old", new_name="new")
    assert f"'new': that model exists already (id {first['id']}), and so does 'old' (id {second['id']})" in message
    run.ok(OPERATION, name="new", state="absent")
    renamed = run.ok(OPERATION, name="old", new_name="new")
    assert (renamed["model"]["id"], renamed["model"]["name"]) == (second["id"], "new")
    # Only the case of the name.
    assert run.ok(OPERATION, name="new", new_name="New")["model"]["name"] == "New"


def test_secrets_in_metadata_are_never_shown(run: Runner) -> None:
    metadata = {"password": CANARY, "size": 3}
    created = run.ok(OPERATION, name="alpha", metadata=metadata)
    changed = run.ok(OPERATION, name="alpha", metadata={"password": CANARY + "2", "size": 3})
    read = run.ok(INFO, name="alpha")
    assert CANARY not in f"{created} {changed} {read}"
    assert created["model"]["metadata"] == {"password": "********", "size": 3}
    assert changed["diff"]["after"]["metadata"]["password"] == "******** (changed)"
    merged = run.ok(OPERATION, name="alpha", metadata={"size": 4}, metadata_mode="merge")
    assert merged["model"]["metadata"] == {"password": "********", "size": 4}
    assert not run.ok(OPERATION, name="alpha", metadata={"password": CANARY + "2", "size": 4})["changed"]


def test_check_mode_predicts_numbers_as_the_server_returns_them(run: Runner) -> None:
    for mode in ("exact", "merge"):
        metadata = {"whole": 3.0, "large": 2**53 + 1, mode: [1.0]}
        predicted = run.ok(OPERATION, check=True, name="alpha", metadata=metadata, metadata_mode=mode)["model"]
        assert predicted["metadata"]["large"] == 2**53
        assert repr(predicted["metadata"]["whole"]) == "3"
        done = run.ok(OPERATION, name="alpha", metadata=metadata, metadata_mode=mode)["model"]
        assert done["metadata"] == predicted["metadata"]


def test_what_is_live_is_kept_where_that_is_declared(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, name="alpha", metadata={"password": CANARY, "size": 3})
    declared = {"password": "<keep>", "size": 3}
    assert not run.ok(OPERATION, name="alpha", metadata=declared)["changed"]
    result = run.ok(OPERATION, name="alpha", metadata={**declared, "size": 4})
    assert sim.master.models[1].metadata == {"password": CANARY, "size": 4}
    assert CANARY not in str(result)
    message = run.failed(OPERATION, name="alpha", metadata={"other": "<keep>"})
    assert "metadata.other is <keep>: there is nothing to keep" in message
    assert "there is nothing to keep" in run.failed(OPERATION, name="beta", metadata=declared)


# --- in a manifest ---


def test_declarations_lead_back_to_what_is_live(demo: Simulator, run_demo: Runner) -> None:
    secret = {"name": "odd: {{ 1 }}", "labels": ["x"], "metadata": {"api_key": CANARY, "n": [1, {"password": CANARY}]}}
    run_demo.ok(OPERATION, **secret, workspace="production", notes="# N", description="d")
    any_task = run_demo.task(MODEL, name="x")
    found = MODEL.read_all(any_task.session, any_task.names)
    assert len(found) == 5
    for live in found:
        declared = MODEL.declaration(live, any_task.names)
        assert CANARY not in str(declared)
        assert MODEL.undeclarable(live, any_task.names) is None
        again = run_demo.task(MODEL, **declared)
        MODEL.check(again.options)
        assert MODEL.key(again.options) == MODEL.key_of(live, any_task.names) == live["name"]
        assert MODEL.find(again) == live
        assert compare(MODEL, live, MODEL.wanted(again, live)).action == "none"
    assert MODEL.declaration(found[3], any_task.names) == {
        "name": "old detector",
        "description": "Replaced",
        "labels": ["vision", "old"],
        "metadata": {"team": "ml", "tier": 1},
        "archived": True,
        "workspace": "attic",
    }
    assert MODEL.declaration(found[4], any_task.names)["metadata"] == {
        "api_key": "<keep>",
        "n": [1, {"password": "<keep>"}],
    }
    references = MODEL.references(run_demo.task(MODEL, name="x", workspace="attic").options)
    assert [(one.kind, one.key, one.option) for one in references] == [("workspaces", "attic", "workspace")]
    assert MODEL.references(any_task.options) == ()


def test_a_plain_model_is_declared_by_its_name(run: Runner) -> None:
    run.ok(OPERATION, name="alpha")
    any_task = run.task(MODEL, name="x")
    (live,) = MODEL.read_all(any_task.session, any_task.names)
    assert MODEL.declaration(live, any_task.names) == {"name": "alpha"}


def test_labels_that_the_server_lets_in_are_normalised(sim: Simulator, run: Runner) -> None:
    header = {"Authorization": f"Bearer {sim.login()}"}
    body = {"name": "alpha", "labels": ["b", "", "a", "b"]}
    assert requests.post(f"{sim.url}/api/v1/models", json=body, headers=header, timeout=10).status_code == 200
    any_task = run.task(MODEL, name="x")
    (live,) = MODEL.read_all(any_task.session, any_task.names)
    declared = MODEL.declaration(live, any_task.names)
    assert declared == {"name": "alpha", "labels": ["b", "a"]}
    assert not run.ok(OPERATION, **declared)["changed"]
    assert run.ok(OPERATION, name="alpha", labels=["a"])["model"]["labels"] == ["a"]


def test_asterisks_for_a_value_can_not_be_declared(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, name="alpha")
    sim.master.models[1].metadata = {"note": "********"}
    any_task = run.task(MODEL, name="x")
    (live,) = MODEL.read_all(any_task.session, any_task.names)
    assert "asterisks" in str(MODEL.undeclarable(live, any_task.names))


def test_one_in_a_workspace_that_can_not_be_seen_is_told() -> None:
    with Simulator(fixture="demo", authz="rbac") as demo:
        run = Runner(demo)
        any_task = run.task(MODEL, name="x")
        live = next(one for one in MODEL.read_all(any_task.session, any_task.names) if one["name"] == "news-bert")
        header = {"Authorization": f"Bearer {demo.login()}"}
        body = {"user": {"username": "eve", "active": True}}
        assert requests.post(f"{demo.url}/api/v1/users", json=body, headers=header, timeout=10).status_code == 200
        eve = Runner(demo, auth_username="eve", auth_password="")
        assert "that you may not see" in str(MODEL.undeclarable(live, eve.task(MODEL, name="x").names))
        eve.close()
        run.close()


def test_a_declared_new_name_renames(run: Runner) -> None:
    assert isinstance(MODEL, Declarable)
    run.ok(OPERATION, name="old", description="d")
    declared = run.task(MODEL, name="new", description="d").options
    options = MODEL.renamed(declared, "old")
    assert (options["name"], options["new_name"]) == ("old", "new")
    assert run.ok(OPERATION, name=options["name"], new_name=options["new_name"])["model"]["name"] == "new"


# --- det_model_info; the demo fixture has four models ---


def names(result: dict[str, t.Any]) -> list[str]:
    """Their names."""
    return [model["name"] for model in result["models"]]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["image-classifier", "news-bert", "ranker:stable", "old detector"]),
        ({"name": "ranker:stable"}, ["ranker:stable"]),
        ({"name": "RANKER:stable"}, []),
        ({"name": "news-bert"}, ["news-bert"]),
        ({"name": "nothing"}, []),
        ({"name": "1"}, []),
        ({"name": ""}, []),
        ({"name": "a/b"}, []),
        ({"name": "a\\b"}, []),
        ({"name": "news-bert", "archived": True}, []),
        ({"name_contains": "ER"}, ["image-classifier", "news-bert", "ranker:stable"]),
        ({"name_contains": "%"}, []),
        ({"name_contains": "_"}, []),
        ({"name_contains": "\\"}, []),
        ({"labels": ["served"]}, ["image-classifier", "ranker:stable"]),
        ({"labels": ["vision", "served"]}, ["image-classifier"]),
        ({"labels": ["vision,served"]}, []),
        ({"workspace": "production"}, ["ranker:stable"]),
        ({"archived": True}, ["old detector"]),
        ({"archived": False, "labels": ["vision"]}, ["image-classifier"]),
        ({"users": ["bjarne.holm", "farid.noor"]}, ["image-classifier", "news-bert"]),
    ],
)
def test_info_filters(run_demo: Runner, options: dict[str, t.Any], expected: list[str]) -> None:
    result = run_demo.ok(INFO, **options)
    assert names(result) == expected
    assert result["total"] == len(expected)
    assert result["changed"] is False


def test_info_counts_all_whatever_the_limit(run_demo: Runner) -> None:
    result = run_demo.ok(INFO, limit=2)
    assert (names(result), result["total"], result["requests"]) == (["image-classifier", "news-bert"], 4, 1)
    assert "limit is 0" in run_demo.failed(INFO, limit=0)


def test_info_refuses_filters_that_name_nothing(run_demo: Runner) -> None:
    assert "workspace is 'prodction'" in run_demo.failed(INFO, workspace="prodction")
    assert "users is empty: name at least one" in run_demo.failed(INFO, users=[])
    assert "Nearest: 'production'" in run_demo.failed(INFO, workspace="prodction")
    assert "users is 'bjarne.hulm': there is no such user. Nearest: 'bjarne.holm'" in run_demo.failed(
        INFO, users=["farid.noor", "bjarne.hulm"]
    )


def test_info_includes_versions_with_their_checkpoints(demo: Simulator, run_demo: Runner) -> None:
    result = run_demo.ok(INFO, labels=["served"], include=["versions"])
    assert result["requests"] == 3
    versions = result["models"][0]["versions"]
    assert [version["version"] for version in versions] == [1, 2]
    assert versions[0]["checkpoint"]["uuid"] in demo.master.checkpoints
    assert versions[0]["checkpoint"]["state"] == "completed"
    assert versions[0]["labels"] == ["candidate"]
    assert versions[0]["comment"] == "from resnet50-baseline"
    assert "experiment_config" not in str(versions)
    assert "versions" not in run_demo.ok(INFO)["models"][0]


def test_info_leaves_out_a_model_that_disappears_before_its_versions_are_read(
    demo: Simulator, run_demo: Runner
) -> None:
    demo.faults.add(
        Fault("status", path="/models/2/versions", status=404, body={"error": {"code": 5, "error": "gone"}})
    )
    result = run_demo.ok(INFO, include=["versions"])
    assert names(result) == ["image-classifier", "ranker:stable", "old detector"]
    assert result["total"] == 3
