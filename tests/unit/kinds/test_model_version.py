# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of registered models, against the simulated master's demo data."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.determined.ai.plugins.modules.det_model import OPERATION as MODEL
from ansible_collections.determined.ai.plugins.modules.det_model_version import OPERATION
from ansible_collections.determined.ai.plugins.modules.det_model_version_info import OPERATION as INFO
from tests.simulator import Fault, Simulator
from tests.unit.conftest import Runner

Options = dict[str, t.Any]

CANARY = "CANARY-version-password"
SERVER_MADE = ("id", "version", "creation_time", "last_updated_time")
NOBODY = "00000000-0000-4000-8000-000000000000"
FULL: Options = {
    "model": "alpha:1",
    "new_name": "baseline",
    "comment": "first",
    "notes": "# Notes",
    "labels": ["b", "a"],
    "metadata": {"rate": 1.5, "deep": {"list": [1, 2]}},
}


def known(version: Options) -> Options:
    """The version without what only the server makes."""
    return {name: value for name, value in version.items() if name not in SERVER_MADE}


def writes(sim: Simulator) -> list[tuple[str, str]]:
    """What the journal holds beside reads and logins."""
    return [(entry.method, entry.path) for entry in sim.journal if entry.method != "GET" and "/auth/" not in entry.path]


def completed(demo: Simulator) -> list[str]:
    """Checkpoints that are whole and not registered."""
    taken = {version.checkpoint_uuid for version in demo.master.model_versions.values()}
    return [row.uuid for row in demo.master.checkpoints.values() if row.state == "COMPLETED" and row.uuid not in taken]


@pytest.fixture
def uuid(demo: Simulator, run_demo: Runner) -> str:
    """A checkpoint that can be registered, and the model `alpha:1` for it."""
    run_demo.ok(MODEL, name="alpha:1")
    return completed(demo)[0]


# What the version is before, what is declared, and how the result then differs.
TABLE: dict[str, tuple[Options, Options, Options]] = {
    "name": ({}, {"new_name": "best"}, {"name": "best"}),
    "name by its other name": ({}, {"name": "best"}, {"name": "best"}),
    "name cleared": ({}, {"new_name": ""}, {"name": ""}),
    "comment": ({}, {"comment": "second"}, {"comment": "second"}),
    "comment cleared": ({}, {"comment": ""}, {"comment": ""}),
    "notes": ({}, {"notes": "other"}, {"notes": "other"}),
    "notes cleared": ({}, {"notes": ""}, {"notes": ""}),
    "labels": ({}, {"labels": ["c", "c"]}, {"labels": ["c"]}),
    "labels cleared": ({}, {"labels": []}, {"labels": []}),
    "metadata": ({}, {"metadata": {"rate": 2}}, {"metadata": {"rate": 2}}),
    "metadata cleared": ({}, {"metadata": {}}, {"metadata": {}}),
    "metadata merged": (
        {},
        {"metadata": {"deep": {"more": None}, "rate": [3]}, "metadata_mode": "merge"},
        {"metadata": {"rate": [3], "deep": {"list": [1, 2], "more": None}}},
    ),
    "metadata kept": (
        {},
        {"metadata": {"rate": "<keep>", "new": 1}},
        {"metadata": {"rate": 1.5, "new": 1}},
    ),
    "all at once": (
        {},
        {"new_name": "n", "comment": "c", "notes": "", "labels": ["x"], "metadata": {}},
        {"name": "n", "comment": "c", "notes": "", "labels": ["x"], "metadata": {}},
    ),
}


@pytest.mark.parametrize("by", ["checkpoint", "number"])
@pytest.mark.parametrize("case", TABLE)
def test_a_change_is_predicted_made_and_not_made_again(
    demo: Simulator, run_demo: Runner, uuid: str, case: str, by: str
) -> None:
    before, declared, differs = TABLE[case]
    created = run_demo.ok(OPERATION, checkpoint_uuid=uuid, **{**FULL, **before})["model_version"]
    key: Options = {"checkpoint_uuid": uuid.upper()} if by == "checkpoint" else {"version": created["version"]}
    options = {"model": "alpha:1", **key, **declared}
    demo.journal.clear()
    predicted = run_demo.ok(OPERATION, check=True, **options)
    assert writes(demo) == []
    result = run_demo.ok(OPERATION, **options)
    assert result["changed"]
    assert predicted["changed"]
    assert writes(demo) == [("PATCH", f"/api/v1/models/{created['model_id']}/versions/1")]
    assert known(result["model_version"]) == {**known(created), **differs}
    assert known(predicted["model_version"]) == known(result["model_version"])
    assert result["diff"] == predicted["diff"]
    for name, value in differs.items():
        assert result["diff"]["after"][name] == value
        assert sorted(result["diff"]["before"][name]) == sorted(created[name])
    demo.journal.clear()
    again = run_demo.ok(OPERATION, **options)
    assert (again["changed"], again["model_version"]) == (False, result["model_version"])
    assert writes(demo) == []


@pytest.mark.parametrize("options", [{"model": "alpha:1"}, FULL, {**FULL, "labels": [], "metadata": {}}])
def test_registration_is_predicted_made_and_not_made_again(
    demo: Simulator, run_demo: Runner, uuid: str, options: Options
) -> None:
    count = len(demo.master.model_versions)
    predicted = run_demo.ok(OPERATION, check=True, checkpoint_uuid=uuid, **options)
    assert len(demo.master.model_versions) == count
    result = run_demo.ok(OPERATION, checkpoint_uuid=uuid, **options)
    version = result["model_version"]
    assert (predicted["model_version"]["id"], predicted["model_version"]["version"]) == (None, None)
    assert known(predicted["model_version"]) == known(version)
    assert version["checkpoint"] == {"uuid": uuid, "state": "completed"}
    assert (version["version"], version["username"], version["user_id"]) == (1, "admin", 1)
    assert result["diff"]["before"] == {}
    assert result["diff"]["after"]["checkpoint"]["uuid"] == uuid
    again = run_demo.ok(OPERATION, checkpoint_uuid=uuid, **options)
    assert not again["changed"]
    # The model, of whose name a path can't be made (it has a colon), and its versions.
    assert again["requests"] == 2
    second = completed(demo)[0]
    assert run_demo.ok(OPERATION, model="alpha:1", checkpoint_uuid=second)["model_version"]["version"] == 2


@pytest.mark.parametrize("by", ["checkpoint", "number"])
def test_removal_is_predicted_made_and_not_made_again(demo: Simulator, run_demo: Runner, uuid: str, by: str) -> None:
    created = run_demo.ok(OPERATION, checkpoint_uuid=uuid, **FULL)["model_version"]
    count = len(demo.master.model_versions)
    key: Options = {"checkpoint_uuid": uuid} if by == "checkpoint" else {"version": created["version"]}
    options = {"model": "alpha:1", "state": "absent", **key}
    predicted = run_demo.ok(OPERATION, check=True, **options)
    assert (predicted["changed"], predicted["model_version"]) == (True, None)
    assert len(demo.master.model_versions) == count
    result = run_demo.ok(OPERATION, **options)
    assert (result["changed"], result["model_version"]) == (True, None)
    assert result["diff"]["before"]["comment"] == "first"
    assert len(demo.master.model_versions) == count - 1
    assert uuid in demo.master.checkpoints
    again = run_demo.ok(OPERATION, **options)
    assert (again["changed"], again["requests"]) == (False, 1)
    assert not run_demo.ok(OPERATION, model="none", state="absent", **key)["changed"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "one of the following is required: checkpoint_uuid, version"),
        ({"model": " ", "version": 1}, "model is empty"),
        ({"checkpoint_uuid": "x"}, "checkpoint_uuid is 'x': it must be a checkpoint's uuid"),
        ({"version": 0}, "version is 0: it must be between 1 and 2147483647."),
        ({"version": 2**31}, "version is 2147483648"),
        ({"version": 1, "labels": ["a,b"]}, "labels has 'a,b'"),
        ({"version": 1, "labels": [""]}, "labels has ''"),
        ({"version": 1, "metadata": {"x": ["********"]}}, "metadata holds a mask"),
        ({"version": 1, "metadata": {"x": [b"y"]}}, "can't be stored and read back: bytes at metadata.x[0]."),
    ],
)
def test_what_is_refused_before_any_call(demo: Simulator, run_demo: Runner, options: Options, sentence: str) -> None:
    assert sentence in run_demo.failed(OPERATION, **{"model": "a", **options})
    assert demo.journal == []


@pytest.mark.parametrize("check", [True, False])
def test_what_the_master_would_refuse(demo: Simulator, run_demo: Runner, uuid: str, check: bool) -> None:
    states = {row.state: row.uuid for row in demo.master.checkpoints.values()}
    demo.journal.clear()
    for options, sentence in (
        (
            {"model": "alpha1", "checkpoint_uuid": uuid},
            "model is 'alpha1': there is no such model, or you may not see it. Nearest: 'alpha:1'.",
        ),
        ({"model": "alpha:1", "checkpoint_uuid": NOBODY}, f"checkpoint_uuid is {NOBODY}: there is no such checkpoint"),
        ({"model": "alpha:1", "checkpoint_uuid": states["DELETED"]}, "is in the state deleted: only completed ones"),
        ({"model": "alpha:1", "checkpoint_uuid": states["PARTIALLY_DELETED"]}, "in the state partially_deleted"),
        ({"model": "alpha:1", "version": 7}, "version is 7: the model 'alpha:1' has no such version."),
        ({"model": "alpha:1", "version": 7, "checkpoint_uuid": uuid}, "leave it out to register a checkpoint"),
        ({"model": "old detector", "checkpoint_uuid": uuid}, "'old detector' is archived and takes no new versions"),
        ({"model": "alpha:1", "checkpoint_uuid": uuid, "metadata": {"a": "<keep>"}}, "there is nothing to keep"),
    ):
        assert sentence in run_demo.failed(OPERATION, check, **options)
    assert writes(demo) == []


def test_a_checkpoint_registered_twice_needs_the_number(demo: Simulator, run_demo: Runner, uuid: str) -> None:
    first = run_demo.ok(OPERATION, checkpoint_uuid=uuid, **FULL)["model_version"]
    row = demo.master.model_versions[first["id"]]
    model = demo.master.models[first["model_id"]]
    twin = type(row)(99, row.model_id, 2, row.checkpoint_uuid, 1, row.creation_time, row.creation_time)
    demo.master.model_versions[99] = twin
    model.version_ids.append(99)
    for options in ({"comment": "x"}, {"state": "absent"}):
        message = run_demo.failed(OPERATION, model="alpha:1", checkpoint_uuid=uuid, **options)
        assert "is registered more than once in the model 'alpha:1' (versions 1, 2)" in message
    changed = run_demo.ok(OPERATION, model="alpha:1", checkpoint_uuid=uuid, version=2, comment="x")
    assert (changed["model_version"]["id"], row.comment) == (99, "first")
    other = completed(demo)[0]
    message = run_demo.failed(OPERATION, model="alpha:1", checkpoint_uuid=other, version=2)
    assert f"version 2 of the model 'alpha:1' is of the checkpoint {uuid}, not of {other}" in message
    assert run_demo.ok(OPERATION, model="alpha:1", version=2, state="absent")["changed"]
    assert model.version_ids == [first["id"]]


def test_versions_of_an_archived_model_can_be_edited(demo: Simulator, run_demo: Runner) -> None:
    result = run_demo.ok(OPERATION, model="old detector", version=1, comment="late")
    assert (result["changed"], result["model_version"]["comment"]) == (True, "late")


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_a_write_whose_answer_is_lost_is_made_once_and_settled_by_reading(
    demo: Simulator, run_demo: Runner, uuid: str, method: str
) -> None:
    if method != "POST":
        run_demo.ok(OPERATION, model="alpha:1", checkpoint_uuid=uuid)
    demo.journal.clear()
    demo.faults.add(Fault("lost", method=method, path="/versions"))
    options = {"state": "absent"} if method == "DELETE" else {"comment": "x"}
    result = run_demo.ok(OPERATION, model="alpha:1", checkpoint_uuid=uuid, **options)
    assert result["changed"]
    assert len(writes(demo)) == 1
    assert "the model_version is as declared" in run_demo.warnings[0]
    if method != "DELETE":
        assert (result["model_version"]["comment"], result["model_version"]["username"]) == ("x", "admin")


def test_a_version_that_disappears_is_told(demo: Simulator, run_demo: Runner, uuid: str) -> None:
    run_demo.ok(OPERATION, model="alpha:1", checkpoint_uuid=uuid)
    demo.faults.add(
        Fault("status", path="/versions/1$", count=0, status=404, body={"error": {"code": 5, "error": "gone"}})
    )
    message = run_demo.failed(OPERATION, model="alpha:1", checkpoint_uuid=uuid, comment="x")
    assert "gone" in message
    assert "comment did not change" in message


def test_secrets_in_metadata_are_never_shown(run_demo: Runner, uuid: str) -> None:
    key = {"model": "alpha:1", "checkpoint_uuid": uuid}
    created = run_demo.ok(OPERATION, metadata={"password": CANARY, "size": 3}, **key)
    changed = run_demo.ok(OPERATION, metadata={"password": CANARY + "2", "size": 3}, **key)
    read = run_demo.ok(INFO, model="alpha:1")
    assert CANARY not in f"{created} {changed} {read}"
    assert changed["diff"]["after"]["metadata"]["password"] == "******** (changed)"
    merged = run_demo.ok(OPERATION, metadata={"size": 4}, metadata_mode="merge", **key)
    assert merged["model_version"]["metadata"] == {"password": "********", "size": 4}
    assert not run_demo.ok(OPERATION, metadata={"password": CANARY + "2", "size": 4}, **key)["changed"]


# --- det_model_version_info ---


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"model": "image-classifier"}, [1, 2]),
        ({"model": "image-classifier", "labels": ["candidate"]}, [1, 2]),
        ({"model": "image-classifier", "labels": ["candidate", "x"]}, []),
        ({"model": "image-classifier", "checkpoint_uuid": NOBODY}, []),
        ({"model": "ranker:stable"}, [1]),
        ({"model": "old detector"}, [1]),
    ],
)
def test_info_filters(run_demo: Runner, options: Options, expected: list[int]) -> None:
    result = run_demo.ok(INFO, **options)
    assert [version["version"] for version in result["model_versions"]] == expected
    assert (result["total"], result["changed"]) == (len(expected), False)


def test_info_of_one_checkpoint(run_demo: Runner) -> None:
    versions = run_demo.ok(INFO, model="image-classifier")["model_versions"]
    wanted = versions[1]["checkpoint"]["uuid"]
    assert run_demo.ok(INFO, model="image-classifier", checkpoint_uuid=wanted.upper())["model_versions"] == versions[1:]
    limited = run_demo.ok(INFO, model="image-classifier", limit=1)
    assert (limited["model_versions"], limited["total"], limited["requests"]) == (versions[:1], 2, 2)


def test_info_refuses_what_is_not_there(run_demo: Runner) -> None:
    message = run_demo.failed(INFO, model="news-brt")
    assert message == "model is 'news-brt': there is no such model, or you may not see it. Nearest: 'news-bert'."
    assert "limit is 0" in run_demo.failed(INFO, model="news-bert", limit=0)
    assert "checkpoint_uuid is 'x'" in run_demo.failed(INFO, model="news-bert", checkpoint_uuid="x")
