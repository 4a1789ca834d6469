# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recorder: what it refuses, what it shows, what it writes. It talks to the simulated master here."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator

import pytest

from tests.simulator import Simulator
from tests.simulator.fixtures import INITIAL_PASSWORD

from . import record, scenario
from .player import PlayError, differences
from .scenario import load, load_all


@pytest.fixture
def sim(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A master that the environment names."""
    with Simulator("empty") as simulator:
        monkeypatch.setenv("DET_MASTER", simulator.url)
        monkeypatch.setenv("DET_USER", "admin")
        monkeypatch.setenv("DET_PASS", INITIAL_PASSWORD)
        yield simulator


@pytest.fixture
def recordings(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> pathlib.Path:
    """An empty folder in place of the recordings."""
    monkeypatch.setattr(scenario, "FOLDER", tmp_path)
    return tmp_path / "recordings"


@pytest.mark.usefixtures("sim")
def test_dry_run_finds_no_change(capsys: pytest.CaptureFixture[str]) -> None:
    assert record.main(["--dry-run", "user_bulk"]) == 0
    shown = capsys.readouterr().out
    assert "No answer changed.\nCompared 1 scenarios" in shown
    assert shown.endswith("authorisation mode basic.\n")


@pytest.mark.usefixtures("sim")
def test_recording_and_recording_again(recordings: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert record.main(["user_bulk"]) == 0
    assert "user_bulk: new, 13 steps" in capsys.readouterr().out
    [path] = recordings.glob("*/*")
    assert path == recordings / "basic" / "user_bulk.json"
    before = json.loads(path.read_text(encoding="utf-8"))
    assert before[0]["body"]["user"]["id"] == "<a>"
    assert before[0]["body"]["user"]["username"] == "<run>-a"

    assert record.main(["user_bulk"]) == 0
    assert "No answer changed." in capsys.readouterr().out

    changed = [{**answer, "status": 418} if number == 3 else answer for number, answer in enumerate(before)]
    path.write_text(json.dumps(changed), encoding="utf-8")
    assert record.main(["--dry-run", "user_bulk"]) == 1
    assert "user_bulk, answer 4 (PATCH users):\n  status: 418 became 200" in capsys.readouterr().out
    assert json.loads(path.read_text(encoding="utf-8")) == changed


def test_another_version_is_refused(sim: Simulator, recordings: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "VERSION", "0.39.0")
    with pytest.raises(SystemExit, match=r"is not recorded: it is version 0\.38\.1, not 0\.39\.0\. --any-master"):
        record.main(["user_bulk"])
    assert not recordings.exists()
    assert record.main(["--any-master", "user_bulk"]) == 0
    assert [session for session in sim.sessions() if session.user_id == 1] == [], "it logs out"


def test_bad_input_is_one_sentence(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=r"^No scenario is named nothing\.$"):
        record.main(["nothing"])
    monkeypatch.setenv("DET_PASS", "wrong")
    with pytest.raises(SystemExit, match=f"^{sim.url} refuses the login of 'admin'"):
        record.main([])
    monkeypatch.delenv("DET_MASTER")
    with pytest.raises(SystemExit, match=r"^Set DET_MASTER"):
        record.main([])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{about: x, steps: [{PUSH: users}]}", "step 1: one of DELETE, GET"),
        ("{about: x, steps: [{GET: users, bdy: 1}]}", "step 1: unknown bdy"),
        ("{about: x, stepz: []}", "unknown stepz"),
        ("{steps: []}", "'about' is missing"),
        ("{about: x, master: {pool: a}, steps: []}", "unknown pool of master"),
    ],
)
def test_a_wrong_scenario_says_where(tmp_path: pathlib.Path, text: str, message: str) -> None:
    path = tmp_path / "wrong.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=f"wrong.yml: {message}"):
        load(path)


def test_a_failing_scenario_writes_nothing(
    sim: Simulator, recordings: pathlib.Path, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "fine.yml").write_text("{about: x, steps: [{GET: me}]}", encoding="utf-8")
    (tmp_path / "stuck.yml").write_text("{about: x, steps: [{GET: me, until: {user.admin: false}}]}", encoding="utf-8")
    monkeypatch.setattr(record, "load_all", lambda: [load(tmp_path / "fine.yml"), load(tmp_path / "stuck.yml")])
    monkeypatch.setattr("tests.contract.player.WAIT", 0.05)
    with pytest.raises(SystemExit, match=r"Nothing was written: stuck, step 1 \(GET me\): never") as failure:
        record.main([])
    assert isinstance(failure.value.__cause__, PlayError)
    assert not recordings.exists()
    assert sim.journal[-1].path == "/api/v1/auth/logout"


def test_what_needs_a_master_of_its_own_is_recorded_by_its_name(
    sim: Simulator, recordings: pathlib.Path, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "fine.yml").write_text("{about: x, steps: [{GET: me}]}", encoding="utf-8")
    (tmp_path / "pools.yml").write_text("{about: x, master: {pools: [extra]}, steps: [{GET: me}]}", encoding="utf-8")
    monkeypatch.setattr(record, "load_all", lambda: [load(tmp_path / "fine.yml"), load(tmp_path / "pools.yml")])
    assert record.main([]) == 0
    assert [path.name for path in recordings.glob("*/*")] == ["fine.json"]
    with pytest.raises(SystemExit, match="its resource pools are default, not default, extra"):
        record.main(["pools"])
    sim.master.resource_pools["extra"] = {}
    assert record.main(["pools"]) == 0
    assert sorted(path.name for path in recordings.glob("*/*")) == ["fine.json", "pools.json"]


def test_differences_tell_numbers_from_truth() -> None:
    assert differences({"a": 1}, {"a": 1.0}) == []
    assert differences({"a": 1}, {"a": True}) == ["a: 1 became true"]
    assert differences({"a": [1]}, {"a": [1, 2], "b": None}) == ["a: [1] became [1, 2]", "b: null is new"]


def test_every_scenario_says_what_it_is_about() -> None:
    assert all(one.about.endswith(".") and one.steps for one in load_all())
