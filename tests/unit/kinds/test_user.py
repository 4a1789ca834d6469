# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users: the table that every kind passes, and what must not happen to anyone's access."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.determined.ai.plugins.module_utils._engine.compare import compare
from ansible_collections.determined.ai.plugins.module_utils._kinds.rights import WHOLE
from ansible_collections.determined.ai.plugins.module_utils._kinds.user import USER, hashed
from ansible_collections.determined.ai.plugins.modules.det_user import OPERATION as DET_USER
from ansible_collections.determined.ai.plugins.modules.det_user_info import OPERATION as DET_USER_INFO
from tests.simulator import Simulator
from tests.simulator.server import Fault
from tests.unit.conftest import Runner

PASSWORD = "Passw0rd-carol"
CAROL = {"username": "carol", "password": PASSWORD}
GROUP = {"uid": 1001, "gid": 1002, "user": "carol", "group": "ml"}


def api(sim: Simulator, method: str, path: str, body: t.Any = None) -> t.Any:
    """A call of the test's own, as the administrator."""
    import requests

    headers = {"Authorization": f"Bearer {sim.login()}"}
    answer = requests.request(method, sim.url + path, json=body, headers=headers, timeout=10)
    answer.raise_for_status()
    return answer.json()


def new_token(sim: Simulator, username: str) -> int:
    user = sim.master.user_by_name(username)
    return t.cast(int, api(sim, "POST", "/api/v1/tokens", {"userId": user.id, "description": "ci"})["tokenId"])


def live_tokens(sim: Simulator, username: str) -> list[int]:
    found = api(sim, "GET", f"/api/v1/tokens?username={username}")["tokenInfo"]
    return [token["id"] for token in found]


def can_log_in(sim: Simulator, username: str, password: str) -> bool:
    import requests

    body = {"username": username, "password": password}
    return requests.post(f"{sim.url}/api/v1/auth/login", json=body, timeout=10).status_code == 200


def stable(user: dict[str, t.Any]) -> dict[str, t.Any]:
    return {name: value for name, value in user.items() if name not in {"id", "modified_at", "last_auth_at"}}


def writes(sim: Simulator) -> list[tuple[str, str]]:
    quiet = {"/api/v1/auth/login", "/api/v1/auth/logout"}
    return [(entry.method, entry.path) for entry in sim.journal if entry.method != "GET" and entry.path not in quiet]


# -- the table

CHANGES = [
    {"display_name": "Carol C."},
    {"display_name": ""},
    {"admin": True},
    {"active": False},
    {"active": True},
    {"admin": False},
    {"agent_user_group": GROUP},
    {"agent_user_group": {**GROUP, "uid": 7}},
    {"new_username": "caroline"},
]


def test_create_change_each_option_and_remove(run: Runner, sim: Simulator) -> None:
    """Each step: predicted in check mode without a write, done, and unchanged with one call the second time."""
    name = "carol"
    steps = [{"password": PASSWORD, "display_name": "Carol"}, *CHANGES, {"state": "absent"}]
    for step in steps:
        before = writes(sim)
        predicted = run.ok(DET_USER, check=True, username=name, **step)
        assert writes(sim) == before, step
        done = run.ok(DET_USER, username=name, **step)
        assert (predicted["changed"], done["changed"]) == (True, True), step
        assert stable(predicted["user"]) == stable(done["user"]), step
        assert predicted["diff"]["after"].keys() == done["diff"]["after"].keys(), step
        assert done["diff"]["before"] != done["diff"]["after"], step
        name = step.get("new_username", name)
        again = run.ok(DET_USER, username=name, **{**step, "new_username": None})
        assert not again["changed"], step
        assert "diff" not in again
        assert again["user"] == done["user"]
        assert again["requests"] == (2 if step.get("state") else 1), step
    found = run.ok(DET_USER_INFO, username=name)["users"][0]
    assert not found["active"]


def test_absent_of_nobody_is_unchanged(run: Runner) -> None:
    result = run.ok(DET_USER, username="nobody", state="absent")
    assert not result["changed"]
    assert result["user"] is None


def test_a_new_user_is_active_and_its_password_works(run: Runner, sim: Simulator) -> None:
    assert run.ok(DET_USER, **CAROL)["user"]["active"]
    assert can_log_in(sim, "carol", PASSWORD)
    assert not can_log_in(sim, "carol", "")


def test_a_new_user_can_be_made_inactive(run: Runner, sim: Simulator) -> None:
    assert not run.ok(DET_USER, **CAROL, active=False)["user"]["active"]


# -- tokens survive edits


@pytest.mark.parametrize(
    "edit",
    [
        {"display_name": "C."},
        {"admin": True},
        {"new_username": "caroline"},
        {"password": "Passw0rd-new", "update_password": "always"},
        {"agent_user_group": GROUP},
    ],
)
def test_no_edit_of_an_active_user_revokes_its_tokens(run: Runner, sim: Simulator, edit: dict[str, t.Any]) -> None:
    run.ok(DET_USER, **CAROL)
    token = new_token(sim, "carol")
    run.ok(DET_USER, username="carol", **edit)
    assert live_tokens(sim, edit.get("new_username", "carol")) == [token]


def test_deactivation_revokes_tokens_or_suspends_them(run: Runner, sim: Simulator) -> None:
    run.ok(DET_USER, **CAROL)
    token = new_token(sim, "carol")
    suspended = run.ok(DET_USER, username="carol", active=False, display_name="away", revoke_tokens=False)
    assert not suspended["user"]["active"]
    assert suspended["user"]["display_name"] == "away"
    assert live_tokens(sim, "carol") == [token]
    run.ok(DET_USER, username="carol", active=True)
    assert live_tokens(sim, "carol") == [token]
    run.ok(DET_USER, username="carol", state="absent")
    assert live_tokens(sim, "carol") == []


def test_absent_revokes_the_tokens_of_a_suspended_user_too(run: Runner, sim: Simulator) -> None:
    run.ok(DET_USER, **CAROL)
    new_token(sim, "carol")
    run.ok(DET_USER, username="carol", active=False, revoke_tokens=False)
    assert run.ok(DET_USER, check=True, username="carol", state="absent")["changed"]
    assert run.ok(DET_USER, username="carol", state="absent")["changed"]
    assert live_tokens(sim, "carol") == []
    assert not run.ok(DET_USER, username="carol", state="absent")["changed"]
    assert not run.ok(DET_USER, username="carol", state="absent", revoke_tokens=False)["changed"]


def test_an_edit_of_a_suspended_user_says_that_it_would_revoke_its_tokens(run: Runner, sim: Simulator) -> None:
    """The server revokes them with any edit that leaves the user inactive (API page, 3.5)."""
    suspended: dict[str, t.Any] = {"active": False, "revoke_tokens": False}
    for name in ("carol", "dave"):
        run.ok(DET_USER, username=name, password=PASSWORD)
    token = new_token(sim, "carol")
    for name in ("carol", "dave"):
        run.ok(DET_USER, username=name, **suspended)
        run.ok(DET_USER, username=name, **suspended)
    for check in (True, False):
        message = run.failed(DET_USER, check=check, username="carol", display_name="away", **suspended)
        assert "'carol' is inactive, and any edit would revoke its access tokens" in message
    assert live_tokens(sim, "carol") == [token]
    assert run.ok(DET_USER, username="dave", display_name="away", **suspended)["changed"]
    back = run.ok(DET_USER, username="carol", display_name="back", active=True, revoke_tokens=False)
    assert (back["user"]["active"], live_tokens(sim, "carol")) == (True, [token])


def test_a_suspension_that_the_server_refuses_fails(run: Runner, sim: Simulator) -> None:
    run.ok(DET_USER, **CAROL)
    refused = {"results": [{"error": "rpc error: code = PermissionDenied desc = no", "id": 3}]}
    sim.faults.add(Fault("shape", "PATCH", "/api/v1/users$", body=refused))
    assert "could not be deactivated" in run.failed(DET_USER, username="carol", active=False, revoke_tokens=False)


@pytest.mark.parametrize("body", [[], {"results": 5}, {"results": ["no"]}, {"results": [{"error": {"code": 1}}]}, {}])
def test_an_answer_of_another_shape_to_a_suspension_is_settled_by_reading(
    run: Runner, sim: Simulator, body: t.Any
) -> None:
    run.ok(DET_USER, **CAROL)
    sim.faults.add(Fault("shape", "PATCH", "/api/v1/users$", body=body))
    message = run.failed(DET_USER, username="carol", active=False, revoke_tokens=False)
    assert "Read again, of the user: active did not change." in message


# -- passwords


def test_the_password_goes_out_as_the_products_own_clients_send_it() -> None:
    # The vector of the API page.
    assert hashed("password") == (
        "112ded61f568879685bb7849596d3372f9de8e18733483f25363123bc4aa98eb"
        "7abe69b4c0487140dafce136cc1c5e452cc93748f6ef961e26325bc34717da65"
    )
    assert hashed("") == ""


def test_update_password(run: Runner, sim: Simulator) -> None:
    run.ok(DET_USER, **CAROL)
    other = {"username": "carol", "password": "Passw0rd-other"}
    assert not run.ok(DET_USER, **other)["changed"]
    assert not can_log_in(sim, "carol", "Passw0rd-other")
    assert run.ok(DET_USER, check=True, **other, update_password="on_mismatch")["changed"]
    assert run.ok(DET_USER, **other, update_password="on_mismatch")["changed"]
    assert can_log_in(sim, "carol", "Passw0rd-other")
    assert not run.ok(DET_USER, **other, update_password="on_mismatch")["changed"]
    assert run.ok(DET_USER, **other, update_password="always")["changed"]
    assert can_log_in(sim, "carol", "Passw0rd-other")


def test_on_mismatch_leaves_no_session_and_understands_inactive_users(run: Runner, sim: Simulator) -> None:
    run.ok(DET_USER, **CAROL)
    own = len(sim.sessions())
    run.ok(DET_USER, **CAROL, update_password="on_mismatch")
    assert len(sim.sessions()) == own
    run.ok(DET_USER, username="carol", active=False)
    assert not run.ok(DET_USER, **CAROL, update_password="on_mismatch")["changed"]
    assert run.ok(DET_USER, username="carol", password="Passw0rd-x", update_password="on_mismatch")["changed"]


@pytest.mark.parametrize(
    ("password", "lacks"),
    [
        ("Sh0rt", "8 characters"),
        ("nouppercase1", "an upper-case letter"),
        ("NOLOWERCASE1", "a lower-case letter"),
        ("NoDigitsAtAll", "a digit"),
        ("-", "8 characters, an upper-case letter, a lower-case letter, a digit"),
    ],
)
def test_the_products_rules_for_passwords(run: Runner, sim: Simulator, password: str, lacks: str) -> None:
    message = run.failed(DET_USER, username="carol", password=password)
    assert message.startswith(f"password does not meet the product's rules, it lacks {lacks};")
    assert sim.journal == []
    assert run.ok(DET_USER, username="carol", password=password, password_policy="off")["changed"]


def test_no_local_user_without_a_password_by_accident(run: Runner, sim: Simulator) -> None:
    assert "can be logged into by anyone" in run.failed(DET_USER, username="carol")
    assert "anyone could log in" in run.failed(DET_USER, username="carol", password="")
    assert writes(sim) == []
    run.ok(DET_USER, username="carol", password="", allow_blank_password=True)
    assert can_log_in(sim, "carol", "")
    predicted = run.ok(DET_USER, check=True, username="dave", allow_blank_password=True)
    done = run.ok(DET_USER, username="dave", allow_blank_password=True)
    assert stable(predicted["user"]) == stable(done["user"])
    assert can_log_in(sim, "dave", "")
    assert not run.ok(DET_USER, username="dave", allow_blank_password=True)["changed"]
    run.ok(DET_USER, username="dave", remote=True)
    assert "A remote user that becomes local" in run.failed(
        DET_USER, username="dave", remote=False, allow_blank_password=True
    )


def test_a_mask_is_not_a_password(run: Runner) -> None:
    assert "is a mask" in run.failed(DET_USER, username="carol", password="********", password_policy="off")


def test_remote_users(run: Runner, sim: Simulator) -> None:
    assert run.ok(DET_USER, username="carol", remote=True)["user"]["remote"]
    assert not can_log_in(sim, "carol", "")
    assert "single sign-on" in run.failed(DET_USER, **CAROL, remote=True)
    assert "set remote to false" in run.failed(DET_USER, **CAROL, update_password="always")
    assert not run.ok(DET_USER, **CAROL)["changed"]
    assert "A remote user that becomes local" in run.failed(DET_USER, username="carol", remote=False)
    assert run.ok(DET_USER, **CAROL, remote=False)["changed"]
    assert can_log_in(sim, "carol", PASSWORD)
    assert not can_log_in(sim, "carol", "")
    assert run.ok(DET_USER, username="carol", remote=True)["changed"]
    assert not can_log_in(sim, "carol", PASSWORD)


@pytest.mark.parametrize("check", [True, False])
def test_a_remote_user_keeps_its_name(run: Runner, sim: Simulator, check: bool) -> None:
    """The server refuses a new name for who is remote, or becomes so with it (API page, 3.5)."""
    run.ok(DET_USER, username="carol", remote=True)
    run.ok(DET_USER, username="dave", password=PASSWORD)
    before = writes(sim)
    for options in ({"username": "carol"}, {"username": "carol", "remote": True}, {"username": "dave", "remote": True}):
        message = run.failed(DET_USER, check=check, new_username="zoe", **options)
        assert message.startswith(f"new_username is 'zoe': {options['username']!r} is or becomes remote")
    assert writes(sim) == before
    renamed = run.ok(DET_USER, check=check, **CAROL, new_username="caroline", remote=False)
    assert renamed["user"]["username"] == "caroline"


# -- names


@pytest.mark.parametrize(
    "name", ["a:b", "50%", "it's", 'quo"te', "a b", "x" * 300, "a/b", "q?x", "h#x", "a\\b", "a_b", "semi;colon", "a@b"]
)
def test_odd_names(run: Runner, sim: Simulator, name: str) -> None:
    assert run.ok(DET_USER, username=name, password=PASSWORD)["changed"]
    again = run.ok(DET_USER, username=name, password=PASSWORD)
    assert not again["changed"]
    assert again["requests"] == 1
    assert run.ok(DET_USER, username=name, display_name="Odd")["user"]["username"] == name
    assert [user["username"] for user in run.ok(DET_USER_INFO, username=name)["users"]] == [name]
    assert run.ok(DET_USER, username=name, state="absent")["changed"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"username": ""}, "username is empty"),
        ({"username": "   "}, "username is empty"),
        ({"username": " carol"}, "blanks around a name"),
        ({"username": "c"}, "at least 2 characters"),
        ({"username": "jürgen"}, "'ü' is not allowed"),
        ({"username": "car\nol"}, "is not allowed"),
        ({"username": "carol", "display_name": "Zoë"}, "display_name is 'Zoë'"),
        # The server cuts them off, so each further run would find a difference.
        ({"username": "carol", "display_name": " Carol"}, "display_name is ' Carol': blanks around a name"),
        ({"username": "carol", "display_name": "   "}, "blanks around a name"),
        ({"username": "carol", "new_username": ""}, "new_username is empty"),
        ({"username": "admin", "new_username": "root"}, "a built-in user can't be renamed"),
        ({"username": "determined", "new_username": "guest"}, "a built-in user can't be renamed"),
        ({"username": "carol", "agent_user_group": {}}, "agent_user_group lacks uid, gid, user, group"),
        ({"username": "carol", "agent_user_group": {"uid": 1, "gid": 1, "user": "x"}}, "agent_user_group lacks group"),
        ({"username": "carol", "agent_user_group": {**GROUP, "uid": -1}}, "agent_user_group.uid is -1"),
        # The API has 32 bits with a sign for it.
        ({"username": "carol", "agent_user_group": {**GROUP, "gid": 2**31}}, "agent_user_group.gid is 2147483648"),
    ],
)
def test_bad_input_is_told_before_any_call(
    run: Runner, sim: Simulator, options: dict[str, t.Any], sentence: str
) -> None:
    assert sentence in run.failed(DET_USER, **{"password": PASSWORD, **options})
    assert sim.journal == []


def test_a_rename_finds_the_user_under_either_name(run: Runner, sim: Simulator) -> None:
    made = run.ok(DET_USER, **CAROL, new_username="caroline")
    assert made["user"]["username"] == "caroline"
    assert not run.ok(DET_USER, username="carol", new_username="caroline")["changed"]
    run.ok(DET_USER, username="dave", password="Passw0rd-dave")
    message = run.failed(DET_USER, username="dave", new_username="caroline")
    assert "new_username is 'caroline': that user exists already" in message


# -- the caller


def test_the_caller_cannot_lock_itself_out_by_accident(run: Runner, sim: Simulator) -> None:
    assert "would deactivate itself" in run.failed(DET_USER, username="admin", active=False)
    assert "would deactivate itself" in run.failed(DET_USER, username="admin", state="absent")
    assert "take its own admin right away" in run.failed(DET_USER, username="admin", admin=False)
    assert writes(sim) == []
    assert run.ok(DET_USER, username="admin", admin=False, force=True)["changed"]


def test_a_conflict_on_the_server_is_told_in_its_words(run: Runner, sim: Simulator) -> None:
    run.ok(DET_USER, **CAROL, display_name="Carol")
    run.ok(DET_USER, username="dave", password="Passw0rd-dave")
    message = run.failed(DET_USER, username="dave", display_name="CAROL")
    assert "found a similar username or display name" in message
    assert "did not change" in message


# -- reading


def test_info_filters(run_demo: Runner, demo: Simulator) -> None:
    everyone = run_demo.ok(DET_USER_INFO)
    users = {user["username"]: user for user in everyone["users"]}
    assert everyone["total"] == len(demo.master.users)
    for name, value in (("active", False), ("admin", True), ("remote", True)):
        found = run_demo.ok(DET_USER_INFO, **{name: value})
        assert {user["username"] for user in found["users"]} == {n for n, u in users.items() if u[name] is value}
        assert 0 < found["total"] < everyone["total"]
    limited = run_demo.ok(DET_USER_INFO, limit=2)
    assert (len(limited["users"]), limited["total"]) == (2, everyone["total"])
    assert run_demo.ok(DET_USER_INFO, username="nobody")["users"] == []
    assert run_demo.ok(DET_USER_INFO, username="ADMIN")["users"] == []
    assert run_demo.failed(DET_USER_INFO, limit=0).startswith("limit is 0")


def test_wildcards_are_taken_literally(run: Runner) -> None:
    for name in ("a_c", "abc", "a%c", "a\\c"):
        run.ok(DET_USER, username=name, password=PASSWORD)
    for part, expected in (("a_", ["a_c"]), ("A%C", ["a%c"]), ("\\", ["a\\c"]), ("B", ["abc"])):
        assert [user["username"] for user in run.ok(DET_USER_INFO, name_contains=part)["users"]] == expected


def test_the_published_simplified_api_is_understood(run: Runner, sim: Simulator) -> None:
    bare = {"id": 9, "username": "zoe", "active": True, "unknownField": {"a": 1}}
    sim.faults.add(Fault("shape", "GET", "/users/zoe/by-username", body=bare))
    user = run.ok(DET_USER, username="zoe")["user"]
    assert (user["id"], user["display_name"], user["agent_user_group"]) == (9, "", None)


# -- as a part of a manifest


def test_every_user_declares_itself(run_demo: Runner) -> None:
    task = run_demo.task(USER, username="any")
    found = USER.read_all(task.session, task.names)
    assert len(found) == 14
    for live in found:
        declared = USER.declaration(live, task.names)
        own = run_demo.task(USER, **declared)
        assert USER.find(own) == live
        assert USER.key(own.options) == USER.key_of(live, task.names) == live["username"]
        assert compare(USER, live, USER.wanted(own, live)).action == "none"
        assert USER.undeclarable(live, task.names) is None
        assert "password" not in declared


def test_a_declaration_makes_the_same_user_elsewhere(run_demo: Runner, run: Runner) -> None:
    task = run_demo.task(USER, username="any")
    for live in USER.read_all(task.session, task.names)[2:]:
        declared = USER.declaration(live, task.names)
        password = {} if live["remote"] else {"password": PASSWORD}
        assert stable(run.ok(DET_USER, **declared, **password)["user"]) == stable(live)


def test_a_declaration_has_no_more_than_it_needs(run_demo: Runner) -> None:
    task = run_demo.task(USER, username="any")
    declared = {
        live["username"]: USER.declaration(live, task.names) for live in USER.read_all(task.session, task.names)
    }
    assert declared["hugo.martin"] == {"username": "hugo.martin"}
    assert declared["admin"] == {"username": "admin", "admin": True}
    assert declared["ines.costa"] == {
        "username": "ines.costa",
        "display_name": "Ines Costa",
        "active": False,
        "remote": True,
    }
    assert declared["jonas.weber"]["agent_user_group"] == {
        "uid": 2009,
        "gid": 3100,
        "user": "jweber",
        "group": "vision",
    }


def test_what_can_not_be_declared_is_said(run: Runner, sim: Simulator) -> None:
    api(sim, "POST", "/api/v1/users", {"user": {"username": "root-like", "active": True, "agentUserGroup": {}}})
    api(sim, "POST", "/api/v1/users", {"user": {"username": "tab\tbed", "active": True}})
    api(sim, "POST", "/api/v1/users", {"user": {"username": "shown", "active": True, "displayName": "a\nb"}})
    negative = {"agentUid": -1, "agentGid": 0, "agentUser": "u", "agentGroup": "g"}
    api(sim, "POST", "/api/v1/users", {"user": {"username": "below", "active": True, "agentUserGroup": negative}})
    task = run.task(USER, username="any")
    found = {live["username"]: live for live in USER.read_all(task.session, task.names)}
    said = {name: USER.undeclarable(live, task.names) for name, live in found.items()}
    assert (said["admin"], said["determined"]) == (None, None)
    assert said["root-like"] == "its agent_user_group can't be declared: user and group are empty"
    assert said["below"] == "its agent_user_group can't be declared: uid below 0"
    assert "is not allowed" in str(said["tab\tbed"])
    assert "is not allowed" in str(said["shown"])
    assert USER.declaration(found["root-like"], task.names) == {"username": "root-like"}


def test_who_is_never_pruned(run_demo: Runner, demo: Simulator) -> None:
    task = run_demo.task(USER, username="any")
    # Renamed, it is the built-in one all the same.
    row = demo.master.users[1]
    row.username, row.rendered = "root", None
    kept = {live["username"]: USER.built_in(live) for live in USER.read_all(task.session, task.names)}
    assert {name: why for name, why in kept.items() if why} == {
        "root": "built-in user",
        "determined": "built-in user",
        "elif.aydin": "remote user",
        "farid.noor": "remote user",
        "ines.costa": "remote user",
    }


def test_a_rename_in_a_manifest_is_the_modules(run: Runner) -> None:
    task = run.task(USER, username="caroline", display_name="C.")
    options = USER.renamed(task.options, "carol")
    assert (options["username"], options["new_username"], options["display_name"]) == ("carol", "caroline", "C.")


def test_the_tokens_of_others_are_not_taken_for_those_of_an_inactive_user(run: Runner, sim: Simulator) -> None:
    for name in ("carol", "dave"):
        run.ok(DET_USER, username=name, password=PASSWORD)
    new_token(sim, "dave")
    for name in ("carol", "dave"):
        run.ok(DET_USER, username=name, active=False, revoke_tokens=False)
    assert not run.ok(DET_USER, username="carol", state="absent")["changed"]
    assert run.ok(DET_USER, username="dave", state="absent")["changed"]
    assert live_tokens(sim, "dave") == []


def test_what_a_manifest_takes() -> None:
    assert USER.switches < set(USER.arguments.spec)
    assert not {"state", "password", "username"} & USER.switches
    assert USER.plural in WHOLE
