# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any call, against the simulated master."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.determined.ai.plugins.modules.det_api import OPERATION
from tests.simulator import Fault, Simulator
from tests.unit.conftest import Runner


def calls(sim: Simulator) -> list[tuple[str, str, str]]:
    """What was called beside logins."""
    return [(entry.method, entry.path, entry.query) for entry in sim.journal if "/auth/" not in entry.path]


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("me", "/api/v1/me"),
        ("/api/v1/me", "/api/v1/me"),
        ("users/admin/by-username", "/api/v1/users/admin/by-username"),
        ("/health", "/health"),
        ("users/a%20b/by-username", "/api/v1/users/a%20b/by-username"),
        ("users/a b/by-username", "/api/v1/users/a%20b/by-username"),
        ("users/naïve/by-username", "/api/v1/users/na%C3%AFve/by-username"),
        ("//elsewhere.example.org/x", "//elsewhere.example.org/x"),
    ],
)
def test_paths(sim: Simulator, run: Runner, path: str, sent: str) -> None:
    run(OPERATION, path=path)
    assert calls(sim) == [("GET", sent, "")]


def test_a_get_changes_nothing_and_is_sent_in_check_mode(sim: Simulator, run: Runner) -> None:
    real = run.ok(OPERATION, path="me")
    predicted = run.ok(OPERATION, check=True, path="me")
    assert real == predicted
    assert real["changed"] is False
    assert (real["status"], real["requests"]) == (200, 1)
    assert real["json"]["user"]["username"] == "admin"
    assert "diff" not in real


def test_a_write_is_predicted_and_not_sent_in_check_mode(sim: Simulator, run: Runner) -> None:
    options = {"method": "POST", "path": "workspaces", "body": {"name": "lab"}}
    predicted = run.ok(OPERATION, check=True, **options)
    assert predicted == {"changed": True, "status": None, "json": None, "requests": 0}
    assert calls(sim) == []
    real = run.ok(OPERATION, **options)
    assert (real["changed"], real["status"]) == (True, 200)
    assert real["json"]["workspace"]["name"] == "lab"
    assert "lab" in [row.name for row in sim.master.workspaces.values()]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_other_writes(sim: Simulator, run: Runner, method: str) -> None:
    path = "/api/v1/master/cluster_message"
    assert run.ok(OPERATION, check=True, method=method, path=path)["changed"]
    assert calls(sim) == []
    result = run(OPERATION, method=method, path=path, body={"message": "hello"})
    assert [call[:2] for call in calls(sim)] == [(method, path)]
    # The master knows no PATCH here.
    assert result.get("failed", False) is (method == "PATCH")


def test_query(sim: Simulator, run: Runner) -> None:
    query = {"userIds": [1, 2], "archived": False, "name": "a&b=c", "limit": 5, "skipped": None}
    run.ok(OPERATION, path="models", query=query)
    assert calls(sim)[0][2] == "userIds=1&userIds=2&archived=false&name=a%26b%3Dc&limit=5"


def test_secret_body_is_merged_over_body(sim: Simulator, run: Runner) -> None:
    result = run.ok(
        OPERATION,
        method="POST",
        path="models",
        body={"name": "m", "metadata": {"a": 1, "b": 1}, "notes": "plain"},
        secret_body={"metadata": {"b": 2, "c": 3}, "notes": "secret"},
    )
    model = result["json"]["model"]
    assert model["metadata"] == {"a": 1, "b": 2, "c": 3}
    assert (model["name"], model["notes"]) == ("m", "secret")


@pytest.mark.parametrize("option", ["body", "secret_body"])
def test_a_body_that_is_a_text(sim: Simulator, run: Runner, option: str) -> None:
    run.ok(OPERATION, method="POST", path="users/2/password", **{option: "Other-Passw0rd"})
    other = Runner(sim, auth_username="determined", auth_password="Other-Passw0rd")
    assert other.ok(OPERATION, path="me")["json"]["user"]["username"] == "determined"
    other.close()


def test_secret_body_is_declared_secret() -> None:
    assert OPERATION.arguments.spec["secret_body"]["no_log"] is True


# --- statuses ---


def test_a_status_outside_2xx_fails_with_the_servers_text(run: Runner) -> None:
    result = run(OPERATION, path="users/99")
    assert result["failed"]
    assert "HTTP 404: user not found" in result["msg"]
    assert result["failure"]["status"] == 404
    assert "this master does not know that call" in run.failed(OPERATION, path="nothing/such")


@pytest.mark.parametrize(
    ("options", "changed", "status"),
    [
        ({"path": "me", "changed_when_status": [200]}, True, 200),
        ({"path": "users/99", "changed_when_status": [404]}, True, 404),
        ({"method": "POST", "path": "groups/search", "body": {"limit": 5}, "changed_when_status": []}, False, 200),
        ({"method": "POST", "path": "groups/search", "body": {"limit": 5}, "changed_when_status": [201]}, False, 200),
        ({"method": "POST", "path": "groups/search", "body": {"limit": 5}}, True, 200),
        ({"method": "DELETE", "path": "models/gone", "changed_when_status": [200, 404]}, True, 404),
    ],
)
def test_changed_is_what_the_statuses_say(run: Runner, options: dict[str, t.Any], changed: bool, status: int) -> None:
    result = run.ok(OPERATION, **options)
    assert (result["changed"], result["status"]) == (changed, status)


def test_a_call_that_never_changes_anything_is_predicted_so(sim: Simulator, run: Runner) -> None:
    options = {"method": "POST", "path": "groups/search", "body": {"limit": 5}, "changed_when_status": []}
    assert run.ok(OPERATION, check=True, **options)["changed"] is False
    assert calls(sim) == []


def test_a_session_that_has_ended_is_renewed_even_where_401_is_listed(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, path="me")
    sim.master.sessions.clear()
    result = run.ok(OPERATION, path="me", changed_when_status=[401])
    assert (result["status"], result["changed"]) == (200, False)


def test_a_write_whose_answer_is_lost_is_sent_once(sim: Simulator, run: Runner) -> None:
    sim.faults.add(Fault("lost", method="POST", path="/workspaces$"))
    message = run.failed(OPERATION, method="POST", path="workspaces", body={"name": "lab"})
    assert "whether the master carried it out is not known" in message
    assert len(calls(sim)) == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"path": ""}, "path is ''"),
        ({"path": "//"}, "path is '//'"),
        ({"path": "http://elsewhere/api"}, "it must be a path; the address is the option master."),
        ({"path": "users?limit=1"}, "it must not have '?' in it; use the option query."),
        ({"path": "users#x"}, "it must not have '#' in it"),
        ({"path": "users/../me"}, "must not have the segments '.' and '..'"),
        ({"path": "users\n"}, "must not have control characters"),
        ({"path": "me", "body": {}}, "body is given with method GET"),
        ({"path": "me", "secret_body": {"a": "CANARY"}}, "body is given with method GET"),
        ({"path": "me", "method": "POST", "body": [1], "secret_body": {"a": "CANARY"}}, "body is no mapping"),
        ({"path": "me", "method": "POST", "body": {}, "secret_body": "CANARY"}, "secret_body is no mapping"),
        ({"path": "me", "query": {"a": {"b": 1}}}, "query has a mapping or a nested list under 'a'"),
        ({"path": "me", "query": {"a": [[1]]}}, "query has a mapping or a nested list under 'a'"),
        ({"path": "me", "changed_when_status": [20]}, "changed_when_status has 20"),
        ({"path": "users", "method": "POST", "paginate": True}, "paginate is given with method POST"),
        ({"path": "users", "paginate": True, "changed_when_status": []}, "paginate is given with changed_when_status"),
        ({"path": "users", "paginate": True, "query": {"offset": 1}}, "query has 'offset'"),
        ({"path": "users", "paginate": True, "query": {"limit": -1}}, "query has limit -1"),
        ({"path": "users", "paginate": True, "query": {"limit": 0}}, "query has limit 0"),
        ({"path": "users", "method": "HEAD"}, "value of method must be one of: GET, POST"),
    ],
)
def test_what_is_refused_before_any_call(sim: Simulator, run: Runner, options: dict[str, t.Any], sentence: str) -> None:
    message = run.failed(OPERATION, **options)
    assert sentence in message
    assert "CANARY" not in message
    assert sim.journal == []


def test_a_body_that_is_no_json_is_refused_without_showing_it(sim: Simulator, run: Runner) -> None:
    message = run.failed(OPERATION, method="POST", path="models", secret_body={"CANARY": float("inf")})
    assert "not JSON, such as .nan, .inf" in message
    assert "CANARY" not in message
    assert calls(sim) == []


def test_an_answer_that_is_no_json(sim: Simulator, run: Runner) -> None:
    sim.faults.add(Fault("html", path="/me$"))
    assert "it is a web page" in run.failed(OPERATION, path="me")


# --- pages ---


@pytest.mark.parametrize("size", [1, 5, 13, 14, 15, 1000])
def test_all_pages_of_a_list_in_memory(demo: Simulator, run_demo: Runner, size: int) -> None:
    result = run_demo.ok(OPERATION, path="users", paginate=True, query={"limit": size, "sortBy": "SORT_BY_USER_NAME"})
    assert [user["username"] for user in result["json"]] == sorted(row.username for row in demo.master.users.values())
    assert result["requests"] == -(-len(demo.master.users) // size)
    assert (result["status"], result["changed"]) == (200, False)


def test_all_pages_of_a_list_in_sql(demo: Simulator, run_demo: Runner) -> None:
    result = run_demo.ok(OPERATION, check=True, path="experiments", paginate=True, query={"limit": 7})
    assert {row["id"] for row in result["json"]} == set(demo.master.experiments)
    assert result["requests"] > 1


def test_a_list_beside_an_object(run_demo: Runner) -> None:
    assert len(run_demo.ok(OPERATION, path="models/1/versions", paginate=True)["json"]) == 2


def test_an_empty_list(run: Runner) -> None:
    assert run.ok(OPERATION, path="models", paginate=True)["json"] == []


def page(start: int, end: int, total: int, items: list[t.Any]) -> dict[str, t.Any]:
    """One answer of a list."""
    return {"things": items, "pagination": {"startIndex": start, "endIndex": end, "total": total}}


def test_an_object_that_moved_between_two_pages_is_kept_once(sim: Simulator, run: Runner) -> None:
    sim.faults.add(Fault("shape", path="/things", body=page(0, 2, 4, [{"id": 1, "v": 1}, {"id": 2}])))
    sim.faults.add(Fault("shape", path="/things", body=page(2, 4, 4, [{"id": 1, "v": 2}, {"id": 3}])))
    result = run.ok(OPERATION, path="things", paginate=True)
    assert result["json"] == [{"id": 1, "v": 1}, {"id": 2}, {"id": 3}]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (page(0, 2, 4, [1]), "1 objects arrived for the places 0 to 2 of 4"),
        (page(0, 0, 4, []), "0 objects arrived for the places 0 to 0 of 4"),
        ({"things": [1]}, "the answer has no pagination"),
        ([1], "the answer has no pagination"),
        ({"things": [1], "more": [], "pagination": {}}, "the answer holds 2 lists"),
        ({"thing": 1, "pagination": {}}, "the answer holds 0 lists"),
        ({"things": [], "pagination": {"total": 0}}, "its pagination lacks startIndex, endIndex or total"),
    ],
)
def test_what_is_no_list_with_pages(sim: Simulator, run: Runner, body: t.Any, sentence: str) -> None:
    sim.faults.add(Fault("shape", path="/things", count=0, body=body))
    assert sentence in run.failed(OPERATION, path="things", paginate=True)
