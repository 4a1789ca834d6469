# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access tokens, against the simulated master."""

from __future__ import annotations

import datetime
import grp
import json
import os
import pathlib
import pwd
import stat
import typing as t

import pytest
import requests

from ansible_collections.determined.ai.plugins.module_utils._engine.compare import compare
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import Operation
from ansible_collections.determined.ai.plugins.module_utils._kinds.duration import on_wire, parse_duration
from ansible_collections.determined.ai.plugins.module_utils._kinds.lookup import KeptNames, NamedUser
from ansible_collections.determined.ai.plugins.module_utils._kinds.token import TOKEN
from ansible_collections.determined.ai.plugins.module_utils._kinds.token_file import parse_mode, read_claims
from ansible_collections.determined.ai.plugins.module_utils._wire.errors import InvalidOption
from ansible_collections.determined.ai.plugins.module_utils._wire.session import Session
from ansible_collections.determined.ai.plugins.modules.det_token import OPERATION
from ansible_collections.determined.ai.plugins.modules.det_token_info import OPERATION as INFO
from tests.simulator import Fault, Simulator
from tests.simulator.fixtures import INITIAL_PASSWORD
from tests.simulator.state import SessionRow
from tests.unit.conftest import Runner

HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)
SERVER_MADE = {"id": None, "created_at": None, "expiry": None}


class Killed(BaseException):
    """Ends a run as SIGKILL would, past every `except`."""


def rows(sim: Simulator, description: str | None = None) -> list[SessionRow]:
    """The access tokens that are live, of those with a description (superseded ones included) if one is given."""
    now = sim.master.now()
    return [
        row
        for row in sim.master.sessions.values()
        if row.token_type == "ACCESS_TOKEN"
        and row.revoked_at is None
        and row.expiry > now
        and (description is None or (row.description or "").startswith(description))
    ]


def give(sim: Simulator, description: str, username: str = "admin", age: datetime.timedelta = HOUR) -> SessionRow:
    """A token that is there already; it lives 30 days in all."""
    user = sim.master.user_by_name(username)
    assert user is not None
    return sim.master.add_session(
        user, "ACCESS_TOKEN", 30 * DAY, description=description, created=sim.master.now() - age
    )


def writes(sim: Simulator) -> list[tuple[str, str]]:
    """What the journal holds beside reads and logins."""
    return [(entry.method, entry.path) for entry in sim.journal if entry.method != "GET" and "/auth/" not in entry.path]


def works(sim: Simulator, value: str) -> bool:
    """Whether the master accepts a token."""
    header = {"Authorization": f"Bearer {value}"}
    return requests.get(f"{sim.url}/api/v1/me", headers=header, timeout=10).status_code == 200


def held(dest: pathlib.Path) -> int:
    """The number of the token that a file holds."""
    claims = read_claims(dest.read_bytes())
    assert claims is not None
    return claims.id


def mode_of(path: pathlib.Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


def known(token: dict[str, t.Any]) -> dict[str, t.Any]:
    """The token with null for what only the server makes."""
    return {**token, **SERVER_MADE}


def twice_and_back(run: Runner, operation: Operation, **options: t.Any) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """Predict, do, and do again: the prediction is right, the second run is unchanged with one call."""
    predicted = run.ok(operation, check=True, **options)
    done = run.ok(operation, **options)
    assert predicted["changed"] is done["changed"] is True
    assert known(predicted["token"]) == known(done["token"])
    assert predicted["reason"] == done["reason"]
    again = run.ok(operation, **options)
    assert again["changed"] is False
    assert again["requests"] == 1
    assert "diff" not in again
    assert "token_value" not in again
    return done, again


class TestLife:
    def test_create_same_again_remove_remove_again(self, sim: Simulator, run: Runner) -> None:
        done, again = twice_and_back(run, OPERATION, description="ci", lifespan="2h")
        assert again["token"] == done["token"]
        assert works(sim, done["token_value"])
        assert done["token"] == {
            "id": done["token"]["id"],
            "user_id": 1,
            "username": "admin",
            "description": "ci",
            "created_at": done["token"]["created_at"],
            "expiry": done["token"]["expiry"],
            "token_type": "TOKEN_TYPE_ACCESS_TOKEN",
            "revoked": False,
            "superseded": [],
        }
        (row,) = rows(sim, "ci")
        assert row.expiry - row.created_at == 2 * HOUR

        gone = run.ok(OPERATION, check=True, description="ci", state="absent")
        assert gone["changed"] is True
        assert rows(sim, "ci") == [row]
        real = run.ok(OPERATION, description="ci", state="absent")
        assert {**real, "requests": 0} == {**gone, "requests": 0}
        assert real["token"] is None
        assert rows(sim, "ci") == []
        last = run.ok(OPERATION, description="ci", state="absent")
        assert (last["changed"], last["token"], last["requests"]) == (False, None, 1)

    def test_value_is_told_once_and_nowhere_else(self, sim: Simulator, run: Runner) -> None:
        done = run.ok(OPERATION, description="ci")
        value = done.pop("token_value")
        assert value not in json.dumps(done)
        assert done["diff"]["after"]["token_value"] == "******** (changed)"
        assert done["diff"]["before"] == {}

    def test_check_mode_writes_nothing_and_tells_no_value(self, sim: Simulator, run: Runner) -> None:
        result = run.ok(OPERATION, check=True, description="ci", state="rotated")
        assert result["changed"] is True
        assert "token_value" not in result
        assert writes(sim) == []

    def test_other_user(self, demo: Simulator, run_demo: Runner) -> None:
        user = demo.master.user_by_name("svc-gitops")
        assert user is not None
        done, _again = twice_and_back(run_demo, OPERATION, user="svc-gitops", description="new")
        assert (done["token"]["user_id"], done["token"]["username"]) == (user.id, "svc-gitops")

    def test_caller_by_token_costs_one_more_call(self, sim: Simulator) -> None:
        give(sim, "ci")
        runner = Runner(sim, auth_token=sim.login())
        first = runner.ok(OPERATION, description="ci")
        second = runner.ok(OPERATION, description="ci")
        assert [first["changed"], first["requests"], second["requests"]] == [False, 2, 1]
        runner.close()

    def test_two_live_matches(self, sim: Simulator, run: Runner) -> None:
        one, two = give(sim, "twin"), give(sim, "twin")
        for state in ("present", "rotated"):
            text = run.failed(OPERATION, description="twin", state=state)
            assert f"ids {one.id}, {two.id}" in text
        assert writes(sim) == []
        assert run.ok(OPERATION, description="twin", state="absent")["changed"] is True
        assert rows(sim, "twin") == []

    def test_unknown_user(self, demo: Simulator, run_demo: Runner) -> None:
        sentence = "user is 'svc-gitop': there is no such user. Nearest: 'svc-gitops'"
        assert sentence in run_demo.failed(OPERATION, user="svc-gitop", description="ci")
        assert sentence in run_demo.failed(OPERATION, user="svc-gitop", description="ci", state="absent")
        predicted = run_demo.ok(OPERATION, check=True, user="svc-gitop", description="ci")
        assert predicted["changed"] is True
        assert predicted["token"]["user_id"] is None
        assert any(sentence in text for text in run_demo.warnings)

    def test_user_without_rights(self, demo: Simulator) -> None:
        runner = Runner(demo, auth_token=demo.login("svc-nightly"))
        assert "only admin privileged users can create token" in runner.failed(OPERATION, description="mine")
        assert "only admin privileged users can view other users" in runner.failed(
            OPERATION, user="svc-gitops", description="gitops pipeline"
        )
        runner.close()

    def test_gone_while_it_was_being_revoked(self, sim: Simulator, run: Runner) -> None:
        row = give(sim, "ci")
        sim.faults.add(Fault("lost", method="PATCH", path="/tokens/"))
        assert run.ok(OPERATION, description="ci", state="absent")["changed"] is True
        assert row.revoked_at is not None

    def test_not_revoked(self, sim: Simulator, run: Runner) -> None:
        row = give(sim, "ci")
        sim.faults.add(Fault("reset", method="PATCH", path="/tokens/"))
        text = run.failed(OPERATION, description="ci", state="absent")
        assert f"the token {row.id} is as it was" in text
        assert row.revoked_at is None


class TestRotation:
    def test_rotated_each_time(self, sim: Simulator, run: Runner) -> None:
        first = run.ok(OPERATION, description="ci")
        second = run.ok(OPERATION, description="ci", state="rotated")
        third = run.ok(OPERATION, description="ci", state="rotated")
        assert second["changed"] is third["changed"] is True
        assert [works(sim, result["token_value"]) for result in (first, second, third)] == [False, False, True]
        assert [row.id for row in rows(sim, "ci")] == [third["token"]["id"]]
        assert third["diff"]["before"]["id"] == second["token"]["id"]
        assert third["token_value"] not in json.dumps(third["diff"])

    @pytest.mark.parametrize(
        ("options", "age", "due"),
        [
            ({"rotate_before_expiry": "7d"}, 20 * DAY, False),
            ({"rotate_before_expiry": "7d"}, 24 * DAY, True),
            ({"rotate_before_expiry": "168h"}, 23 * DAY + HOUR, True),
            ({"rotate_if_older_than": "10d"}, 9 * DAY, False),
            ({"rotate_if_older_than": "10d"}, 11 * DAY, True),
            ({"rotate_if_older_than": "10d", "rotate_before_expiry": "1h"}, 11 * DAY, True),
            ({}, 29 * DAY, False),
            ({"lifespan": "1h"}, 20 * DAY, False),
        ],
    )
    def test_present_when_due(
        self, sim: Simulator, run: Runner, options: dict[str, str], age: datetime.timedelta, due: bool
    ) -> None:
        old = give(sim, "ci", age=age)
        if not due:
            assert run.ok(OPERATION, description="ci", **options)["changed"] is False
            assert writes(sim) == []
            return
        twice_and_back(run, OPERATION, description="ci", **options)
        (new,) = rows(sim, "ci")
        assert new.id != old.id

    def test_order_of_the_writes(self, sim: Simulator, run: Runner, tmp_path: pathlib.Path) -> None:
        dest = tmp_path / "token"
        run.ok(OPERATION, description="ci", dest=str(dest))
        old = held(dest)
        del sim.journal[:]
        run.ok(OPERATION, description="ci", dest=str(dest), state="rotated")
        aside, made, revoked = writes(sim)
        assert aside == revoked == ("PATCH", f"/api/v1/tokens/{old}")
        assert made == ("POST", "/api/v1/tokens")

    def test_overlap(self, sim: Simulator, run: Runner) -> None:
        old = give(sim, "ci")
        predicted = run.ok(OPERATION, check=True, description="ci", state="rotated", overlap="2d")
        done = run.ok(OPERATION, description="ci", state="rotated", overlap="2d")
        (entry,) = done["token"]["superseded"]
        assert entry["id"] == predicted["token"]["superseded"][0]["id"] == old.id
        end = datetime.datetime.fromisoformat(entry["revoke_after"])
        assert abs(end - sim.master.now() - 2 * DAY) < datetime.timedelta(minutes=1)
        assert old.description == f"ci [superseded, revoke after {entry['revoke_after']}]"
        assert old.revoked_at is None

        again = run.ok(OPERATION, description="ci", overlap="2d")
        assert (again["changed"], again["requests"]) == (False, 1)
        assert again["token"] == done["token"]

        old.description = "ci [superseded, revoke after 2020-01-01T00:00:00Z]"
        predicted = run.ok(OPERATION, check=True, description="ci")
        assert old.revoked_at is None
        done = run.ok(OPERATION, description="ci")
        assert {**predicted, "requests": 0} == {**done, "requests": 0}
        assert (done["changed"], done["token"]["superseded"]) == (True, [])
        assert old.revoked_at is not None
        assert run.ok(OPERATION, description="ci")["changed"] is False

    def test_absent_revokes_superseded_ones_too(self, sim: Simulator, run: Runner) -> None:
        other = give(sim, "ci two [superseded, revoke after 2099-01-01T00:00:00Z]")
        odd = give(sim, "ci [superseded, revoke after 2099-99-99T00:00:00Z]")
        give(sim, "ci [superseded, revoke after 2099-01-01T00:00:00Z]")
        assert run.ok(OPERATION, description="ci", state="absent")["changed"] is True
        assert rows(sim, "ci") == [other, odd]
        assert run.ok(OPERATION, description="ci", state="absent")["changed"] is False

    def test_only_a_superseded_one_is_left(self, sim: Simulator, run: Runner) -> None:
        left = give(sim, "ci [superseded, revoke after 2099-01-01T00:00:00Z]")
        done, _again = twice_and_back(run, OPERATION, description="ci")
        assert [entry["id"] for entry in done["token"]["superseded"]] == [left.id]
        assert left.revoked_at is None

    def test_of_the_token_that_the_task_uses(self, sim: Simulator, tmp_path: pathlib.Path) -> None:
        dest = tmp_path / "token"
        own = give(sim, "own")
        dest.write_text(sim.master.token_value(own))
        runner = Runner(sim, auth_token=dest.read_text())
        done = runner.ok(OPERATION, description="own", dest=str(dest), state="rotated")
        assert own.revoked_at is not None
        assert works(sim, dest.read_text())
        assert done["token"]["id"] == held(dest)
        runner.close()


class TestLifespan:
    def test_beyond_the_maximum(self, sim: Simulator, run: Runner) -> None:
        for check in (True, False):
            text = run.failed(OPERATION, check, description="ci", lifespan="31d")
            assert text.startswith("lifespan is '31d': the longest that this cluster allows is 30d")
        assert writes(sim) == []
        assert run.ok(OPERATION, description="ci", lifespan="30d")["changed"] is True

    def test_is_not_looked_at_for_a_live_token(self, sim: Simulator, run: Runner) -> None:
        give(sim, "ci")
        result = run.ok(OPERATION, description="ci", lifespan="31d")
        assert (result["changed"], result["requests"]) == (False, 1)

    def test_the_servers_own_refusal(self, sim: Simulator, run: Runner) -> None:
        old = give(sim, "ci")
        refusal = {"error": {"code": 7, "reason": "PermissionDenied", "error": "user does not have permission"}}
        sim.faults.add(Fault("status", path="/master/config", status=403, body=refusal))
        text = run.failed(OPERATION, description="ci", lifespan="31d", state="rotated")
        assert "token Lifespan must be less than max token lifespan" in text
        assert f"The old token {old.id} is kept." in text
        assert rows(sim) == [old]
        assert old.description == "ci"

    def test_shorter_than_the_rotation(self, sim: Simulator, run: Runner) -> None:
        text = run.failed(OPERATION, description="ci", lifespan="7d", rotate_before_expiry="168h")
        assert "rotate_before_expiry is '168h': it must be shorter than lifespan ('7d')" in text
        text = run.failed(OPERATION, description="ci", rotate_before_expiry="30d")
        assert "it must be shorter than a new token's life, here 30d" in text
        assert writes(sim) == []

    @pytest.mark.parametrize(
        ("text", "nanoseconds", "wire"),
        [
            ("30d", 30 * 86400 * 10**9, "720h"),
            ("1.5d", 36 * 3600 * 10**9, "36h"),
            ("1h30m", 5400 * 10**9, "5400s"),
            ("1.5h", 5400 * 10**9, "5400s"),
            (".5s1.ms", 501 * 10**6, "501000000ns"),
            ("3µs", 3000, "3000ns"),
            ("3μs", 3000, "3000ns"),
        ],
    )
    def test_durations(self, text: str, nanoseconds: int, wire: str) -> None:
        assert parse_duration("lifespan", text) == nanoseconds
        assert on_wire(nanoseconds) == wire

    @pytest.mark.parametrize(
        "text",
        ["", "30", "2w", "-1h", "-1", "1H", " 1h", "1h 30m", "1d12h", "٣h", "1..5h", "h", "200000d", "9" * 5000 + "h"],
    )
    def test_what_is_no_duration(self, sim: Simulator, run: Runner, text: str) -> None:
        assert "lifespan " in run.failed(OPERATION, description="ci", lifespan=text)
        assert sim.journal == []


class TestFile:
    def test_create_same_again_and_rotate(self, sim: Simulator, run: Runner, tmp_path: pathlib.Path) -> None:
        dest = tmp_path / "token"
        old_umask = os.umask(0)
        try:
            done, _again = twice_and_back(run, OPERATION, description="ci", dest=str(dest))
        finally:
            os.umask(old_umask)
        assert "token_value" not in done
        assert (done["token"]["dest"], done["token"]["dest_mode"]) == (str(dest), "0600")
        assert mode_of(dest) == "0600"
        assert works(sim, dest.read_text())
        assert dest.read_text() not in json.dumps(done)
        before = dest.read_text()
        run.ok(OPERATION, description="ci", dest=str(dest), state="rotated")
        assert works(sim, dest.read_text())
        assert not works(sim, before)
        assert os.listdir(tmp_path) == ["token"]

    def test_check_mode_leaves_the_file_alone(self, sim: Simulator, run: Runner, tmp_path: pathlib.Path) -> None:
        dest = tmp_path / "missing" / "token"
        assert run.ok(OPERATION, check=True, description="ci", dest=str(dest))["changed"] is True
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (None, "dest does not exist"),
            ("", "dest is empty"),
            (" \n", "dest is empty"),
            ("v2.public.eyJpZCI6MTd9", "dest holds a token that is cut short"),
            ("v2.public.????.bnVsbA", "dest holds a token that is cut short"),
        ],
    )
    def test_live_token_that_the_file_lacks(
        self, sim: Simulator, run: Runner, tmp_path: pathlib.Path, content: str | None, reason: str
    ) -> None:
        dest = tmp_path / "token"
        if content is not None:
            dest.write_text(content)
            dest.chmod(0o600)
        old = give(sim, "ci")
        done, _again = twice_and_back(run, OPERATION, description="ci", dest=str(dest))
        assert done["reason"] == reason
        assert old.revoked_at is not None
        assert [row.id for row in rows(sim, "ci")] == [held(dest)]

    def test_file_of_another_token(self, sim: Simulator, run: Runner, tmp_path: pathlib.Path) -> None:
        dest = tmp_path / "token"
        other, old = give(sim, "other"), give(sim, "ci")
        dest.write_text(sim.master.token_value(other))
        dest.chmod(0o600)
        done, _again = twice_and_back(run, OPERATION, description="ci", dest=str(dest))
        assert done["reason"] == f"dest holds another token, {other.id}"
        assert (old.revoked_at is None, other.revoked_at is None) == (False, True)

    def test_file_of_another_clusters_token_with_the_same_number(
        self, sim: Simulator, run: Runner, tmp_path: pathlib.Path
    ) -> None:
        dest = tmp_path / "token"
        row = give(sim, "ci")
        dest.write_text(sim.master.token_value(row))
        dest.chmod(0o600)
        assert run.ok(OPERATION, description="ci", dest=str(dest))["changed"] is False
        row.expiry += HOUR
        assert run.ok(OPERATION, description="ci", dest=str(dest))["reason"] == f"dest holds another token, {row.id}"

    def test_line_end_is_no_change(self, sim: Simulator, run: Runner, tmp_path: pathlib.Path) -> None:
        dest = tmp_path / "token"
        dest.write_text(sim.master.token_value(give(sim, "ci")) + "\n")
        dest.chmod(0o600)
        assert run.ok(OPERATION, description="ci", dest=str(dest))["changed"] is False

    def test_mode_is_mended(self, sim: Simulator, run: Runner, tmp_path: pathlib.Path) -> None:
        dest = tmp_path / "token"
        run.ok(OPERATION, description="ci", dest=str(dest))
        number = held(dest)
        dest.chmod(0o644)
        predicted = run.ok(OPERATION, check=True, description="ci", dest=str(dest))
        assert mode_of(dest) == "0644"
        done = run.ok(OPERATION, description="ci", dest=str(dest))
        assert {**predicted, "requests": 0} == {**done, "requests": 0}
        assert done["changed"] is True
        assert [done["diff"][when]["dest_mode"] for when in ("before", "after")] == ["0644", "0600"]
        assert (mode_of(dest), held(dest)) == ("0600", number)
        assert run.ok(OPERATION, description="ci", dest=str(dest), dest_mode="640")["changed"] is True
        assert mode_of(dest) == "0640"
        assert run.ok(OPERATION, description="ci", dest=str(dest), dest_mode=0o640)["changed"] is False

    def test_owner_by_name_or_number(self, sim: Simulator, run: Runner, tmp_path: pathlib.Path) -> None:
        dest = tmp_path / "token"
        user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
        done, _again = twice_and_back(
            run, OPERATION, description="ci", dest=str(dest), dest_owner=user, dest_group=str(os.getgid())
        )
        assert (done["token"]["dest_owner"], done["token"]["dest_group"]) == (user, group)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
    def test_owner_is_kept_and_mended(self, sim: Simulator, run: Runner, tmp_path: pathlib.Path) -> None:
        dest = tmp_path / "token"
        run.ok(OPERATION, description="ci", dest=str(dest), dest_owner="12345", dest_group="12346", dest_mode="0640")
        assert (dest.stat().st_uid, dest.stat().st_gid) == (12345, 12346)
        run.ok(OPERATION, description="ci", dest=str(dest), state="rotated")
        assert (dest.stat().st_uid, dest.stat().st_gid, mode_of(dest)) == (12345, 12346, "0600")
        done = run.ok(OPERATION, description="ci", dest=str(dest), dest_owner="root")
        assert [done["diff"][when]["dest_owner"] for when in ("before", "after")] == ["12345", "root"]
        assert (dest.stat().st_uid, dest.stat().st_gid) == (0, 12346)

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"dest": "token"}, "it must be the absolute path of a file"),
            ({"dest": "/tmp/token/"}, "it must be the absolute path of a file"),
            ({"dest": "/tmp/to\0ken"}, "it must be the absolute path of a file"),
            ({"dest_mode": "0644"}, "dest_mode is '0644': it would let everybody on the host"),
            ({"dest_mode": "0601"}, "dest_mode is '0601': it would let everybody on the host"),
            ({"dest_mode": "0200"}, "not even the file's owner could read"),
            ({"dest_mode": "u=rw"}, "octal digits in quotes"),
            ({"dest_mode": "4600"}, "octal digits in quotes"),
            ({"dest_mode": 600}, "dest_mode is the number 600: write it as octal digits in quotes"),
            ({"dest_mode": 400}, "dest_mode is the number 400: write it as octal digits in quotes"),
            ({"dest_owner": ""}, "dest_owner is empty"),
            ({"dest_owner": "no-such-user-here"}, "dest_owner is 'no-such-user-here': this host has no such user"),
            ({"dest_group": "no-such-group-here"}, "dest_group is 'no-such-group-here': this host has no such group"),
        ],
    )
    def test_refused_before_any_write(
        self, sim: Simulator, run: Runner, tmp_path: pathlib.Path, options: dict[str, t.Any], sentence: str
    ) -> None:
        options = {"dest": str(tmp_path / "token"), **options}
        assert sentence in run.failed(OPERATION, description="ci", **options)
        assert writes(sim) == []
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize(
        ("value", "mode"), [("0600", 0o600), ("640", 0o640), (0o600, 0o600), (0o640, 0o640), (0o400, 0o400)]
    )
    def test_modes(self, value: str | int, mode: int) -> None:
        assert parse_mode(value) == mode

    def test_world_readable_number(self) -> None:
        with pytest.raises(InvalidOption):
            parse_mode(0o604)

    def test_what_is_no_token_is_not_overwritten(self, sim: Simulator, run: Runner, tmp_path: pathlib.Path) -> None:
        dest = tmp_path / "id_rsa"
        dest.write_text("precious")
        for state in ("present", "rotated"):
            text = run.failed(OPERATION, description="ci", dest=str(dest), state=state)
            assert "it holds something else than an access token" in text
        assert dest.read_text() == "precious"
        assert writes(sim) == []

    def test_what_is_no_regular_file(self, sim: Simulator, run: Runner, tmp_path: pathlib.Path) -> None:
        target, link, pipe = tmp_path / "target", tmp_path / "link", tmp_path / "pipe"
        target.touch()
        link.symlink_to(target)
        os.mkfifo(pipe)
        for path, what in ((link, "a symbolic link"), (tmp_path, "a folder"), (pipe, "a special file")):
            assert f"that is {what}" in run.failed(OPERATION, description="ci", dest=str(path))
        assert "it can't be read (Not a directory)" in run.failed(OPERATION, description="ci", dest=f"{target}/token")
        assert writes(sim) == []

    def test_folder_that_is_not_there(self, sim: Simulator, run: Runner, tmp_path: pathlib.Path) -> None:
        text = run.failed(OPERATION, description="ci", dest=str(tmp_path / "missing" / "token"))
        assert "it can't be written (No such file or directory)" in text
        assert writes(sim) == []


class TestFaults:
    """None of them loses a token that is in use, and none leaves one behind that the message does not name."""

    @pytest.fixture
    def dest(self, sim: Simulator, run: Runner, tmp_path: pathlib.Path) -> pathlib.Path:
        path = tmp_path / "token"
        run.ok(OPERATION, description="ci", dest=str(path))
        return path

    def test_file_can_not_be_written(
        self, sim: Simulator, run: Runner, dest: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before, old = dest.read_text(), held(dest)

        def full(*_paths: object) -> t.NoReturn:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", full)
            text = run.failed(OPERATION, description="ci", dest=str(dest), state="rotated")
        new = max(sim.master.sessions)
        assert "it can't be written (No space left on device)" in text
        assert f"The new token {new} is of no use, and it has been revoked." in text
        assert f"The old token {old} is kept." in text
        assert sim.master.sessions[new].revoked_at is not None
        assert dest.read_text() == before
        assert works(sim, before)
        assert os.listdir(dest.parent) == ["token"]
        assert run.ok(OPERATION, description="ci", dest=str(dest))["changed"] is False

    def test_file_is_in_place_before_the_old_token_is_revoked(
        self, sim: Simulator, run: Runner, dest: pathlib.Path
    ) -> None:
        old = held(dest)
        sim.faults.add(Fault("reset", method="PATCH", path=f"/tokens/{old}$", nth=2))
        text = run.failed(OPERATION, description="ci", dest=str(dest), state="rotated")
        assert "is in place, but an old one is still live, and the next run revokes it" in text
        assert held(dest) != old
        assert works(sim, dest.read_text())
        sim.master.sessions[old].description = "ci [superseded, revoke after 2020-01-01T00:00:00Z]"
        assert run.ok(OPERATION, description="ci", dest=str(dest))["changed"] is True
        assert [row.id for row in rows(sim, "ci")] == [held(dest)]

    def test_value_in_the_result_survives_a_failing_revocation(self, sim: Simulator, run: Runner) -> None:
        old = give(sim, "ci")
        sim.faults.add(Fault("reset", method="PATCH", path="/tokens/", nth=2))
        result = run.ok(OPERATION, description="ci", state="rotated")
        assert works(sim, result["token_value"])
        assert any(f"the token {old.id} is as it was" in text for text in run.warnings)

    @pytest.mark.parametrize("kind", ["lost", "truncate", "shape", "html", "cut"])
    def test_answer_to_the_creation_is_lost(self, sim: Simulator, run: Runner, dest: pathlib.Path, kind: str) -> None:
        before, old = dest.read_text(), held(dest)
        sim.faults.add(Fault(kind, method="POST", path="/tokens$", body={"oops": 1} if kind == "shape" else "<html>"))
        text = run.failed(OPERATION, description="ci", dest=str(dest), state="rotated")
        made = [row for row in sim.master.sessions.values() if row.description == "ci" and row.id != old]
        if made:
            (new,) = made
            assert f"The token {new.id} was made, but its value is lost, and it has been revoked." in text
            assert new.revoked_at is not None
        else:
            assert "No new token is listed" in text
        assert (kind in {"lost", "truncate", "cut"}) is bool(made)
        assert f"The old token {old} is kept." in text
        assert [row.id for row in rows(sim, "ci")] == [old]
        assert dest.read_text() == before
        assert run.ok(OPERATION, description="ci", dest=str(dest))["changed"] is False

    def test_answer_to_the_first_creation_is_lost(self, sim: Simulator, run: Runner) -> None:
        sim.faults.add(Fault("lost", method="POST", path="/tokens$"))
        result = run(OPERATION, description="ci")
        new = max(sim.master.sessions)
        assert result["failed"] is True
        assert f"The token {new} was made, but its value is lost, and it has been revoked." in result["msg"]
        assert result["failure"]["path"] == "/api/v1/tokens"
        assert "token_value" not in result
        assert rows(sim, "ci") == []

    def test_master_goes_away_after_the_creation(self, sim: Simulator, run: Runner) -> None:
        sim.faults.add(Fault("lost", method="POST", path="/tokens$"))
        sim.faults.add(Fault("reset", method="GET", path="/tokens", nth=2, count=0))
        text = run.failed(OPERATION, description="ci")
        assert "Whether a token was made could not be found out either" in text

    def test_refused_creation_keeps_the_old_token(self, sim: Simulator, run: Runner, dest: pathlib.Path) -> None:
        old = held(dest)
        sim.faults.add(Fault("status", method="POST", path="/tokens$", status=500, body={"error": {"error": "boom"}}))
        text = run.failed(OPERATION, description="ci", dest=str(dest), state="rotated")
        assert "boom" in text
        assert f"The old token {old} is kept." in text
        assert sim.master.sessions[old].description == "ci"

    def test_old_token_that_can_not_be_named_again(self, sim: Simulator, run: Runner, dest: pathlib.Path) -> None:
        old = held(dest)
        sim.faults.add(Fault("status", method="POST", path="/tokens$", status=500, body={"error": {"error": "boom"}}))
        sim.faults.add(Fault("reset", method="PATCH", path="/tokens/", nth=2))
        text = run.failed(OPERATION, description="ci", dest=str(dest), state="rotated")
        assert f"The old token {old} is still valid, but described as superseded" in text
        assert run.ok(OPERATION, description="ci", dest=str(dest))["changed"] is True
        assert works(sim, dest.read_text())

    def test_old_token_that_can_not_be_set_aside(self, sim: Simulator, run: Runner, dest: pathlib.Path) -> None:
        sim.faults.add(Fault("reset", method="PATCH", path="/tokens/"))
        text = run.failed(OPERATION, description="ci", dest=str(dest), state="rotated")
        assert "so no new one was made" in text
        assert run.ok(OPERATION, description="ci", dest=str(dest))["changed"] is False

    def test_old_token_goes_meanwhile(self, sim: Simulator, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
        old = give(sim, "ci")
        write = Session.write

        def revoked_by_someone_else(session: Session, *arguments: t.Any) -> t.Any:
            old.revoked_at = old.revoked_at or sim.master.now()
            return write(session, *arguments)

        monkeypatch.setattr(Session, "write", revoked_by_someone_else)
        result = run.ok(OPERATION, description="ci", state="rotated", overlap="1h")
        assert works(sim, result["token_value"])
        assert result["token"]["superseded"] == []

    def test_someone_else_makes_the_same_meanwhile(
        self, sim: Simulator, run: Runner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two runs at once: one of them tells at once what every later run would fail of."""
        write = Session.write

        def second(session: Session, *arguments: t.Any) -> t.Any:
            give(sim, "ci")
            return write(session, *arguments)

        monkeypatch.setattr(Session, "write", second)
        own = run.ok(OPERATION, description="ci")["token"]["id"]
        other = next(row.id for row in rows(sim, "ci") if row.id != own)
        assert run.warnings == [
            f"Beside the new token {own} somebody else has made {other} with the same description: the next run can't tell which one "
            "is meant, so revoke one of them."
        ]
        assert f"ids {other}, {own}" in run.failed(OPERATION, description="ci")

    def test_new_token_can_not_be_read_again(self, sim: Simulator, run: Runner) -> None:
        sim.faults.add(Fault("reset", method="GET", path="/tokens", nth=2))
        result = run.ok(OPERATION, description="ci")
        assert works(sim, result["token_value"])
        assert result["token"]["id"] == max(row.id for row in rows(sim, "ci"))
        assert any("could not be read again" in text for text in run.warnings)

    def test_value_that_ansible_would_mask(self, sim: Simulator) -> None:
        sim.master.users[1].admin = True
        runner = Runner(sim, auth_token=sim.login(), auth_password="v2.public")
        text = runner.failed(OPERATION, description="ci")
        assert "happens to contain the password" in text
        assert "and it has been revoked" in text
        assert rows(sim, "ci") == []
        runner.close()

    @pytest.mark.parametrize("overlap", [None, "1h"])
    @pytest.mark.parametrize("old", [True, False])
    @pytest.mark.parametrize("point", range(8))
    def test_killed_run_mends_itself(
        self,
        sim: Simulator,
        run: Runner,
        tmp_path: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch,
        point: int,
        old: bool,
        overlap: str | None,
    ) -> None:
        """End the run before or after each write to the master or the disk; then run again without any state."""
        dest = tmp_path / "token"
        options = {"description": "ci", "dest": str(dest), **({"overlap": overlap} if overlap else {})}
        if old:
            run.ok(OPERATION, **options)
        before = dest.read_text() if old else None
        left = [point]

        def fatal(step: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
            def killed(*arguments: t.Any, **more: t.Any) -> t.Any:
                for when in ("before", "after"):
                    if left[0] == 0:
                        raise Killed(when)
                    left[0] -= 1
                    if when == "before":
                        result = step(*arguments, **more)
                return result

            return killed

        ended = False
        with monkeypatch.context() as patched:
            patched.setattr(Session, "write", fatal(Session.write))
            patched.setattr(os, "replace", fatal(os.replace))
            try:
                run(OPERATION, **{**options, "state": "rotated"})
            except Killed:
                ended = True
        steps = 2 * ((1 if not old else 2 if overlap else 3) + 1)
        assert ended is (point < steps)
        # Whoever reads the file still has a token that works, at every moment.
        if old:
            assert works(sim, dest.read_text())
        mended = run.ok(OPERATION, **options)
        assert works(sim, dest.read_text())
        assert mended["token"]["id"] == held(dest)
        assert os.listdir(tmp_path) == ["token"]
        assert mode_of(dest) == "0600"
        named = [row.id for row in rows(sim) if row.description == "ci"]
        assert named == [held(dest)]
        if before is not None and overlap is None:
            # Set aside without an overlap means due at once, to the second.
            for row in rows(sim, "ci ["):
                row.description = "ci [superseded, revoke after 2020-01-01T00:00:00Z]"
            run.ok(OPERATION, **options)
            assert [row.id for row in rows(sim, "ci")] == [held(dest)]
        assert run.ok(OPERATION, **options)["changed"] is False


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"description": ""}, "description is empty"),
            ({"description": "  "}, "description is empty"),
            ({"description": "ci [superseded, revoke after 2026-01-01T00:00:00Z]"}, "that form is kept"),
            ({"user": ""}, "user is empty"),
            ({"lifespan": "0s"}, "lifespan is '0s': it must be longer than nothing"),
            ({"rotate_if_older_than": "0d"}, "rotate_if_older_than is '0d': it must be longer than nothing"),
            ({"state": "rotated", "rotate_before_expiry": "1d"}, "rotate_before_expiry is given with state rotated"),
            ({"overlap": "soon"}, "overlap is 'soon': it must be a duration"),
            ({"dest_owner": "root"}, "missing parameter(s) required by 'dest_owner': dest"),
            ({"colour": "red"}, "colour"),
        ],
    )
    def test_refused_without_a_call(
        self, sim: Simulator, run: Runner, options: dict[str, t.Any], sentence: str
    ) -> None:
        assert sentence in run.failed(OPERATION, **{"description": "ci", **options})
        assert sim.journal == []

    @pytest.mark.parametrize("description", ["a/b", "50% off", 'it\'s "x": y', "Ümläut ✓", "x" * 300, "two\nlines"])
    def test_odd_descriptions(self, sim: Simulator, run: Runner, description: str) -> None:
        twice_and_back(run, OPERATION, description=description)
        done = run.ok(OPERATION, description=description, state="rotated", overlap="1h")
        assert len(done["token"]["superseded"]) == 1
        assert run.ok(OPERATION, description=description, state="absent")["changed"] is True
        assert rows(sim) == []


class TestRbac:
    def test_token_creator_manages_its_own(self, tmp_path: pathlib.Path) -> None:
        with Simulator(fixture="demo", authz="rbac") as sim:
            runner = Runner(sim, auth_token=sim.login("svc-nightly"))
            dest = str(tmp_path / "token")
            # The master's config is not for such a user: the limits are unknown, and the server's word counts.
            done, _again = twice_and_back(runner, OPERATION, description="mine", dest=dest, lifespan="1h")
            assert done["token"]["username"] == "svc-nightly"
            assert runner.ok(OPERATION, description="mine", state="rotated", dest=dest)["changed"] is True
            assert "token Lifespan must be less than" in runner.failed(OPERATION, description="more", lifespan="31d")
            assert runner.ok(OPERATION, description="mine", state="absent")["changed"] is True
            own = runner.ok(INFO, user="svc-nightly")
            assert [token["description"] for token in own["tokens"]] == ["nightly training"]
            assert "name your own user with the option user" in runner.failed(INFO)
            runner.close()


class TestInfo:
    def test_all(self, demo: Simulator, run_demo: Runner) -> None:
        result = run_demo.ok(INFO)
        assert (result["changed"], result["total"], result["requests"]) == (False, 3, 2)
        assert {(token["username"], token["description"], token["status"]) for token in result["tokens"]} == {
            ("svc-gitops", "gitops pipeline", "live"),
            ("svc-nightly", "nightly training", "live"),
            ("ada.brandt", "", "live"),
        }
        assert "v2.public" not in json.dumps(result)

    def test_inactive_ones_of_a_user(self, demo: Simulator, run_demo: Runner) -> None:
        result = run_demo.ok(INFO, user="svc-gitops", include_inactive=True)
        assert result["requests"] == 1
        shown = {token["description"]: (token["status"], token["expires_in_days"]) for token in result["tokens"]}
        assert shown == {
            "gitops pipeline": ("live", 28.0),
            "gitops pipeline, last quarter": ("expired", -70.0),
            "laptop of Ada": ("revoked", None),
        }

    @pytest.mark.parametrize(
        ("options", "descriptions"),
        [
            ({"expires_within": "7d"}, ["nightly training", ""]),
            ({"expires_within": "96h", "include_inactive": True}, ["nightly training"]),
            ({"description": "gitops pipeline", "include_inactive": True}, ["gitops pipeline"]),
            ({"description": "gitops"}, []),
            ({"description": ""}, [""]),
            ({"user": "determined"}, []),
        ],
    )
    def test_filters(
        self, demo: Simulator, run_demo: Runner, options: dict[str, t.Any], descriptions: list[str]
    ) -> None:
        result = run_demo.ok(INFO, **options)
        assert [token["description"] for token in result["tokens"]] == descriptions
        assert result["total"] == len(descriptions)

    def test_limit(self, demo: Simulator, run_demo: Runner) -> None:
        result = run_demo.ok(INFO, limit=1)
        assert (len(result["tokens"]), result["total"]) == (1, 3)
        assert "limit is 0" in run_demo.failed(INFO, limit=0)

    def test_unknown_user(self, demo: Simulator, run_demo: Runner) -> None:
        assert "user is 'svc-gitop': there is no such user. Nearest: 'svc-gitops'" in run_demo.failed(
            INFO, user="svc-gitop"
        )
        assert "there is no such user" in run_demo.failed(INFO, user="")

    def test_no_rights(self, demo: Simulator) -> None:
        runner = Runner(demo, auth_username="svc-nightly", auth_password=INITIAL_PASSWORD)
        assert "name your own user with the option user" in runner.failed(INFO)
        assert runner.ok(INFO, user="svc-nightly")["total"] == 1
        runner.close()

    def test_a_time_that_is_none(self, demo: Simulator, run_demo: Runner) -> None:
        demo.faults.add(Fault("shape", path="/tokens", body={"tokenInfo": [{"id": 5, "userId": 1}]}))
        assert "The master gives None as expiry of token 5, which is no time." in run_demo.failed(INFO)


class TestManifest:
    def test_each_token_declares_itself(self, demo: Simulator, run_demo: Runner) -> None:
        task = run_demo.task(TOKEN, description="x")
        demo.journal.clear()
        found = TOKEN.read_all(task.session, task.names)
        keys = [TOKEN.key_of(live, task.names) for live in found]
        assert [(entry.method, entry.path) for entry in demo.journal if "/auth/" not in entry.path] == [
            ("GET", "/api/v1/users"),
            ("GET", "/api/v1/tokens"),
        ]
        assert keys == ["svc-gitops/gitops pipeline", "svc-nightly/nightly training", "ada.brandt/"]
        assert [TOKEN.undeclarable(live, task.names) is None for live in found] == [True, True, False]
        for live in found[:2]:
            declared = TOKEN.declaration(live, task.names)
            again = run_demo.task(TOKEN, **declared)
            assert TOKEN.key(again.options) == TOKEN.key_of(live, task.names)
            assert live == TOKEN.find(again)
            assert compare(TOKEN, live, TOKEN.wanted(again, live)).action == "none"
            assert [(one.kind, one.key) for one in TOKEN.references(again.options)] == [("users", declared["user"])]
            assert TOKEN.left_out(live) == ("dest",)

    def test_replaced_tokens_belong_to_the_new_one(self, sim: Simulator, run: Runner) -> None:
        give(sim, "ci")
        new = run.ok(OPERATION, description="ci", state="rotated", overlap="2d")["token"]
        give(sim, "gone [superseded, revoke after 2001-01-01T00:00:00Z]")
        give(sim, "twin")
        give(sim, "twin")
        task = run.task(TOKEN, user="admin", description="ci")
        found = TOKEN.read_all(task.session, task.names)
        keys = [TOKEN.key_of(live, task.names) for live in found]
        assert sorted(keys) == ["admin/ci", "admin/gone", "admin/twin", "admin/twin"]
        assert found[keys.index("admin/ci")] == new
        left = found[keys.index("admin/gone")]
        assert left["id"] is None
        assert TOKEN.undeclarable(left, task.names) is not None
        assert left == TOKEN.find(run.task(TOKEN, user="admin", description="gone"))

    def test_the_file_is_looked_at(self, sim: Simulator, run: Runner, tmp_path: pathlib.Path) -> None:
        dest = tmp_path / "token"
        run.ok(OPERATION, user="admin", description="ci", dest=str(dest))
        task = run.task(TOKEN, user="admin", description="ci", dest=str(dest))
        [live] = TOKEN.read_all(task.session, task.names)
        assert compare(TOKEN, live, TOKEN.wanted(task, live)).action == "none"
        dest.unlink()
        [live] = TOKEN.read_all(task.session, task.names)
        change = compare(TOKEN, live, TOKEN.wanted(task, live))
        assert change.action == "update"
        assert "token_value" in change.fields
        assert task.extra["reason"] == "dest does not exist"
        dest.write_text("my diary")
        for found in (live, None):
            with pytest.raises(InvalidOption, match="it holds something else than an access token"):
                TOKEN.wanted(task, found)

    def test_a_user_that_is_only_planned(self, sim: Simulator, run: Runner, tmp_path: pathlib.Path) -> None:
        class Planned(KeptNames):
            """Names of a plan in which a user is only planned."""

            def users(self, option: str, names: t.Iterable[str]) -> list[NamedUser]:
                """All that will be."""
                return [NamedUser(id=-4, username=name, active=True) for name in names]

        task = run.task(TOKEN, user="soon", description="ci", dest=str(tmp_path / "token"))
        task.names = Planned(task.session)
        sim.journal.clear()
        wanted = TOKEN.wanted(task, None)
        assert wanted is not None
        assert compare(TOKEN, None, wanted).action == "create"
        predicted = TOKEN.predicted(
            TOKEN.blank(task), {key: item for key, item in wanted.items() if key != "token_value"}
        )
        assert (predicted["user_id"], predicted["username"], predicted["id"]) == (-4, "soon", None)
        assert predicted["dest"] == str(tmp_path / "token")
        assert run.warnings == []
        assert sim.journal == []
