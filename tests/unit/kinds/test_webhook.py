# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Webhooks, against the simulated master."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import threading
import typing as t
from collections.abc import Iterator

import pytest
import requests

from ansible_collections.determined.ai.plugins.module_utils._engine.compare import compare
from ansible_collections.determined.ai.plugins.module_utils._engine.entry import shown_arguments
from ansible_collections.determined.ai.plugins.module_utils._kinds.webhook import WEBHOOK, masked_url
from ansible_collections.determined.ai.plugins.modules.det_webhook import OPERATION
from ansible_collections.determined.ai.plugins.modules.det_webhook_info import OPERATION as INFO
from tests.simulator import Fault, Simulator
from tests.unit.conftest import Runner

Options = dict[str, t.Any]

DONE: Options = {"type": "experiment_state_change", "condition": {"state": "COMPLETED"}}
FAILED: Options = {"type": "experiment_state_change", "condition": {"state": "ERROR"}}
XID: Options = {"type": "task_log", "condition": {"regex": "Xid|ECC"}}
FULL: Options = {"name": "a", "url": "https://one.example.com/x", "triggers": [DONE, XID]}
SLACK = "https://hooks.slack.com/services/T0/B0/CANARY-path"
REFUSED = Fault("status", method="POST", path="/webhooks$", status=500, body={"error": {"code": 13, "error": "full"}})


def writes(sim: Simulator) -> list[tuple[str, str]]:
    """What the journal holds beside reads and logins."""
    return [(entry.method, entry.path) for entry in sim.journal if entry.method != "GET" and "/auth/" not in entry.path]


def call(sim: Simulator, method: str, path: str, body: t.Any = None) -> t.Any:
    """Make a call of its own, past the collection."""
    header = {"Authorization": f"Bearer {sim.login()}"}
    answer = requests.request(method, f"{sim.url}/api/v1/{path}", json=body, headers=header, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


def make(sim: Simulator, **fields: t.Any) -> int:
    """Make a webhook past the collection; returns its id."""
    trigger = {"triggerType": "TRIGGER_TYPE_EXPERIMENT_STATE_CHANGE", "condition": {"state": "COMPLETED"}}
    body = {"name": "a", "url": "https://x.example.com", "webhookType": "WEBHOOK_TYPE_DEFAULT", "triggers": [trigger]}
    return int(call(sim, "POST", "webhooks", {**body, **fields})["webhook"]["id"])


@pytest.fixture
def lab(sim: Simulator) -> int:
    """A workspace `lab`; returns its id."""
    return int(call(sim, "POST", "workspaces", {"name": "lab"})["workspace"]["id"])


class Receiver(http.server.ThreadingHTTPServer):
    """Takes events, or answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 200
        self.events: list[tuple[dict[str, str], bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/hook"


class Handler(http.server.BaseHTTPRequestHandler):
    """Notes each request."""

    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.events.append((dict(self.headers), body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_args: object) -> None:  # type: ignore[override]
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Where events can be sent."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


# What the webhook is before, what is declared, how the result differs, and whether it is another webhook then.
TABLE: dict[str, tuple[Options, Options, Options, bool]] = {
    "url": ({}, {"url": "http://two.example.com:8080/y"}, {"url": "http://two.example.com:8080/y"}, False),
    "type": ({}, {"type": "slack"}, {"type": "slack", "url": "********"}, True),
    "mode": ({}, {"mode": "specific"}, {"mode": "specific"}, True),
    "triggers": ({}, {"triggers": [FAILED]}, {"triggers": [FAILED]}, True),
    "one trigger more": ({}, {"triggers": [XID, FAILED, DONE, XID]}, {"triggers": [XID, FAILED, DONE]}, True),
    "a state in lower case": (
        {},
        {"triggers": [{"type": "experiment_state_change", "condition": {"state": "paused"}}]},
        {"triggers": [{"type": "experiment_state_change", "condition": {"state": "PAUSED"}}]},
        True,
    ),
    "custom": (
        {},
        {"triggers": [{"type": "custom"}], "mode": "specific"},
        {"triggers": [{"type": "custom", "condition": {}}], "mode": "specific"},
        True,
    ),
    "custom of what is specific": (
        {"mode": "specific"},
        {"triggers": [{"type": "custom"}]},
        {"triggers": [{"type": "custom", "condition": {}}]},
        True,
    ),
    "all at once": (
        {},
        {"url": "https://three.example.com/", "type": "default", "mode": "specific", "triggers": [FAILED]},
        {"url": "https://three.example.com/", "mode": "specific", "triggers": [FAILED]},
        True,
    ),
}


@pytest.mark.parametrize("workspace", [{}, {"workspace": "lab"}])
@pytest.mark.parametrize("case", TABLE)
def test_a_change_is_predicted_made_and_not_made_again(
    sim: Simulator, run: Runner, lab: int, case: str, workspace: Options
) -> None:
    before, declared, differs, recreated = TABLE[case]
    created = run.ok(OPERATION, **{**FULL, **workspace, **before})["webhook"]
    options = {"name": "a", **workspace, **declared}
    sim.journal.clear()
    predicted = run.ok(OPERATION, check=True, **options)
    assert writes(sim) == []
    result = run.ok(OPERATION, **options)
    webhook = result["webhook"]
    assert result["changed"]
    assert predicted["changed"]
    if recreated:
        differs = {**differs, "id": webhook["id"]}
        assert webhook["id"] != created["id"]
        assert (result["recreated"], result["old_id"], result["new_id"]) == (True, created["id"], webhook["id"])
        assert (predicted["recreated"], predicted["old_id"], predicted["new_id"]) == (True, created["id"], None)
        assert predicted["webhook"]["id"] is None
        assert writes(sim) == [("DELETE", f"/api/v1/webhooks/{created['id']}"), ("POST", "/api/v1/webhooks")]
    else:
        assert (result["recreated"], predicted["recreated"]) == (False, False)
        assert "old_id" not in result
        assert writes(sim) == [("PATCH", f"/api/v1/webhooks/{created['id']}")]
    assert webhook == {**created, **differs}
    assert predicted["webhook"] == {**webhook, **({"id": None} if recreated else {})}
    assert list(sim.master.webhooks) == [webhook["id"]]
    for name, value in differs.items():
        assert result["diff"]["after"][name] == value
        assert result["diff"]["before"][name] == created[name]
    sim.journal.clear()
    again = run.ok(OPERATION, **options)
    assert (again["changed"], again["recreated"], again["webhook"]) == (False, False, webhook)
    assert "diff" not in again
    assert writes(sim) == []


@pytest.mark.parametrize(
    "more",
    [{}, {"workspace": "lab"}, {"type": "slack", "url": SLACK}, {"mode": "specific", "triggers": [{"type": "custom"}]}],
)
def test_creation_is_predicted_made_and_costs_one_call_again(
    sim: Simulator, run: Runner, lab: int, more: Options
) -> None:
    options = {**FULL, **more}
    predicted = run.ok(OPERATION, check=True, **options)
    assert sim.master.webhooks == {}
    result = run.ok(OPERATION, **options)
    assert predicted["webhook"] == {**result["webhook"], "id": None}
    assert result["webhook"]["workspace_id"] == (lab if "workspace" in more else None)
    assert result["diff"] == {"before": {}, "after": result["webhook"]} | predicted["diff"] | {
        "after": result["webhook"]
    }
    row = sim.master.webhooks[result["webhook"]["id"]]
    assert (row.url, row.workspace_id) == (options["url"], lab if "workspace" in more else None)
    again = run.ok(OPERATION, **{**options, "triggers": options["triggers"][::-1]})
    assert not again["changed"]
    # A workspace's name has to be looked up.
    assert again["requests"] == (2 if "workspace" in more else 1)


def test_removal_is_predicted_made_and_not_made_again(sim: Simulator, run: Runner, lab: int) -> None:
    run.ok(OPERATION, **FULL)
    run.ok(OPERATION, **FULL, workspace="lab")
    predicted = run.ok(OPERATION, check=True, name="a", state="absent")
    assert (predicted["changed"], predicted["webhook"], len(sim.master.webhooks)) == (True, None, 2)
    result = run.ok(OPERATION, name="a", state="absent")
    assert (result["changed"], result["webhook"], result["recreated"]) == (True, None, False)
    assert [row.workspace_id for row in sim.master.webhooks.values()] == [lab]
    again = run.ok(OPERATION, name="a", state="absent")
    assert (again["changed"], again["requests"]) == (False, 1)
    assert run.ok(OPERATION, name="a", workspace="lab", state="absent")["changed"]
    assert sim.master.webhooks == {}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"name": " "}, "name is empty"),
        ({"workspace": ""}, "workspace is empty"),
        ({"state": "absent", "test": True}, "test is given with state absent"),
        ({"url": ""}, "url must be a whole one"),
        ({"url": "example.com/x"}, "url must be a whole one"),
        ({"url": "ftp://example.com/x"}, "url must be a whole one"),
        ({"url": "http://exa mple.com/x"}, "url must be a whole one"),
        ({"url": "http://[::1"}, "url must be a whole one"),
        ({"url": "https://********@example.com/x"}, "url holds a mask"),
        ({"triggers": []}, "triggers is empty"),
        ({"triggers": [{"type": "experiment_state_change"}]}, "must have a condition with state and nothing else"),
        ({"triggers": [{"type": "task_log", "condition": {"state": "ERROR"}}]}, "a condition with regex and nothing"),
        ({"triggers": [{"type": "task_log", "condition": {"regex": "a", "state": "ERROR"}}]}, "with regex and nothing"),
        ({"triggers": [{"type": "task_log", "condition": {"regex": ""}}]}, "an empty regex"),
        ({"triggers": [{"type": "custom", "condition": {"state": "ERROR"}}]}, "must have no condition"),
        (
            {"triggers": [{"type": "experiment_state_change", "condition": {"state": "ERRORED"}}]},
            "triggers has the state 'ERRORED', which no experiment is ever told to be in",
        ),
    ],
)
def test_what_is_refused_before_any_call(sim: Simulator, run: Runner, options: Options, sentence: str) -> None:
    assert sentence in run.failed(OPERATION, **{"name": "a", **options})
    assert sim.journal == []


def test_the_nearest_state_is_named(run: Runner) -> None:
    trigger = {"type": "experiment_state_change", "condition": {"state": "ERRORED"}}
    assert "Nearest: 'ERROR'" in run.failed(OPERATION, name="a", triggers=[trigger])


def test_a_new_one_needs_url_and_triggers(sim: Simulator, run: Runner, lab: int) -> None:
    message = run.failed(OPERATION, name="a", mode="specific")
    assert message.startswith(
        "There is no webhook 'a' among the global ones that you may see: a new one needs url and triggers"
    )
    assert "in the workspace 'lab'" in run.failed(OPERATION, name="a", workspace="lab", url=FULL["url"])
    assert "workspace is 'lap'" in run.failed(OPERATION, **FULL, workspace="lap")
    assert sim.master.webhooks == {}


@pytest.mark.parametrize("check", [True, False])
def test_custom_triggers_need_the_mode_specific(sim: Simulator, run: Runner, check: bool) -> None:
    custom = [{"type": "custom"}]
    assert "mode must be specific" in run.failed(OPERATION, check, **{**FULL, "triggers": custom})
    run.ok(OPERATION, **{**FULL, "triggers": custom, "mode": "specific"})
    assert "mode must be specific" in run.failed(OPERATION, check, name="a", mode="workspace")


def test_two_global_ones_of_a_name_are_refused(sim: Simulator, run: Runner, lab: int) -> None:
    numbers = make(sim), make(sim)
    make(sim, workspaceId=lab)
    for options in ({"url": "https://b.example.com/"}, {"state": "absent"}):
        message = run.failed(OPERATION, name="a", **options)
        assert f"several global webhooks have this name (ids {numbers[0]}, {numbers[1]})" in message
    assert run.ok(OPERATION, name="a", workspace="lab", url="https://b.example.com/")["changed"]


def test_the_old_one_is_put_back_when_the_new_one_is_refused(sim: Simulator, run: Runner) -> None:
    old = run.ok(OPERATION, **FULL)["webhook"]
    # The master compiles what Python can't judge: there is no look-behind in Go.
    result = run(OPERATION, name="a", triggers=[{"type": "task_log", "condition": {"regex": "(?<=a)b"}}])
    assert result["failed"]
    (number,) = sim.master.webhooks
    assert "invalid named capture" in result["msg"]
    assert f"The old webhook was put back, now with the id {number}." in result["msg"]
    assert "Read again, of the webhook: triggers did not change." in result["msg"]
    assert (result["recreated"], result["old_id"], result["new_id"]) == (True, old["id"], number)
    assert run.ok(INFO)["webhooks"] == [{**old, "id": number}]


def test_an_old_one_that_could_not_be_put_back_is_named(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, **FULL)
    sim.faults.add(Fault(**{**vars_of(REFUSED), "count": 0}))
    message = run.failed(OPERATION, name="a", mode="specific")
    assert "The old webhook 'a' had been deleted for this, and putting it back failed too" in message
    assert sim.master.webhooks == {}
    sim.faults.clear()
    # A whole declaration mends it.
    assert run.ok(OPERATION, **FULL, mode="specific")["changed"]


def vars_of(fault: Fault) -> Options:
    """What a fault was made with."""
    return {name: getattr(fault, name) for name in ("kind", "method", "path", "status", "body")}


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_a_write_whose_answer_is_lost_is_made_once_and_settled_by_reading(
    sim: Simulator, run: Runner, method: str
) -> None:
    if method != "POST":
        run.ok(OPERATION, **FULL)
    sim.journal.clear()
    sim.faults.add(Fault("lost", method=method, path="/webhooks"))
    declared: Options = {"POST": FULL, "PATCH": {"name": "a", "url": "https://b.example.com/"}}.get(
        method, {"name": "a", "state": "absent"}
    )
    result = run.ok(OPERATION, **declared)
    assert result["changed"]
    assert len(writes(sim)) == 1
    assert "the webhook is as declared" in run.warnings[0]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_an_answer_lost_while_it_is_recreated_leaves_the_new_one(sim: Simulator, run: Runner, method: str) -> None:
    old = run.ok(OPERATION, **FULL)["webhook"]
    sim.journal.clear()
    sim.faults.add(Fault("lost", method=method, path="/webhooks"))
    result = run.ok(OPERATION, name="a", mode="specific")
    assert [method for method, _path in writes(sim)] == ["DELETE", "POST"]
    (number,) = sim.master.webhooks
    assert (result["recreated"], result["old_id"], result["new_id"]) == (True, old["id"], number)
    assert result["webhook"] == {**old, "id": number, "mode": "specific"}


def test_a_deletion_that_never_arrived_leaves_the_old_one(sim: Simulator, run: Runner) -> None:
    old = run.ok(OPERATION, **FULL)["webhook"]
    sim.faults.add(Fault("reset", method="DELETE", path="/webhooks"))
    assert "mode did not change" in run.failed(OPERATION, name="a", mode="specific")
    assert list(sim.master.webhooks) == [old["id"]]


def test_one_removed_by_someone_else_meanwhile_is_gone(sim: Simulator, run: Runner) -> None:
    number = make(sim)
    sim.faults.add(Fault("lost", method="DELETE", path="/webhooks"))
    assert run.ok(OPERATION, name="a", state="absent")["changed"]
    assert number not in sim.master.webhooks


# --- test events ---


def test_a_test_event_is_sent_each_time(sim: Simulator, run: Runner, receiver: Receiver) -> None:
    options = {**FULL, "url": receiver.url, "test": True}
    predicted = run.ok(OPERATION, check=True, **options)
    assert (predicted["changed"], predicted["tested"], receiver.events) == (True, True, [])
    for count in (1, 2):
        result = run.ok(OPERATION, **options)
        assert (result["changed"], result["tested"], len(receiver.events)) == (True, True, count)
        assert "test" not in result["webhook"]
    headers, body = receiver.events[1]
    key = sim.master.config["webhooks"]["signing_key"].encode()
    stamp = headers["X-Determined-Ai-Signature-Timestamp"]
    signed = hmac.new(key, stamp.encode() + b"," + body, hashlib.sha256).hexdigest()
    assert headers["X-Determined-Ai-Signature"] == signed
    assert json.loads(body)["event_data"] == {"data": "test"}
    assert "tested" not in run.ok(OPERATION, **{**options, "test": False})


def test_a_test_follows_a_change(run: Runner, receiver: Receiver) -> None:
    run.ok(OPERATION, **FULL)
    assert run.ok(OPERATION, name="a", url=receiver.url, test=True)["webhook"]["url"] == receiver.url
    assert run.ok(OPERATION, name="a", type="slack", test=True)["recreated"]
    assert b'"blocks"' in receiver.events[1][1]


def test_an_event_that_is_not_taken_is_a_failure_without_secrets(
    sim: Simulator, run: Runner, receiver: Receiver
) -> None:
    receiver.status = 400
    result = run(OPERATION, **{**FULL, "url": receiver.url, "test": True})
    assert "The webhook 'a' was created, but its test event was not taken" in result["msg"]
    assert (result["tested"], len(receiver.events), len(sim.master.webhooks)) == (False, 1, 1)
    for kind, url in (
        ("default", "http://CANARY-user:pw@127.0.0.1:1/x?token=CANARY-query"),
        ("slack", "http://127.0.0.1:1/CANARY-path"),
    ):
        result = run(OPERATION, **{**FULL, "url": url, "type": kind, "test": True})
        assert "connection refused" in result["msg"]
        assert "connection refused" in result["failure"]["message"]
        assert "CANARY" not in str(result)


# --- what is shown ---


@pytest.mark.parametrize(
    ("url", "kind", "shown"),
    [
        ("https://a.example.com/b/c", "default", "https://a.example.com/b/c"),
        ("https://user@a.example.com:8/b", "default", "https://********@a.example.com:8/b"),
        ("https://user:word@a.example.com/b", "default", "https://********@a.example.com/b"),
        ("https://a.example.com/b?x=1&y=2#z", "default", "https://a.example.com/b?********#********"),
        (SLACK, "default", "https://hooks.slack.com/services/********"),
        ("https://discord.com/api/webhooks/1/abc", "default", "https://discord.com/api/webhooks/********"),
        (SLACK, "slack", "********"),
        ("https://chat.example.com/hooks/abc", "slack", "********"),
        ("http://[", "default", "********"),
        ("", "slack", ""),
        ("", "default", ""),
    ],
)
def test_urls_are_shown_without_secrets(url: str, kind: str, shown: str) -> None:
    assert masked_url(url, kind) == shown


def test_secrets_in_urls_are_never_shown(run: Runner) -> None:
    first = "https://CANARY-user:x@a.example.com/b?CANARY-query"
    created = run.ok(OPERATION, **{**FULL, "url": first})
    changed = run.ok(OPERATION, name="a", url=first + "2")
    slack = run.ok(OPERATION, name="a", type="slack")
    read = run.ok(INFO)
    assert "CANARY" not in f"{created} {changed} {slack} {read}"
    assert changed["diff"]["after"]["url"] == "https://********@a.example.com/b?******** (changed)"
    shown = shown_arguments(OPERATION, {"name": "a", "url": "https://chat.example.com/hooks/CANARY", "type": "slack"})
    assert "CANARY" not in str(shown)
    assert not run.ok(OPERATION, name="a", url=first + "2")["changed"]


# --- rights ---


def test_who_may_not_edit_is_told(sim: Simulator, run: Runner, lab: int) -> None:
    call(sim, "POST", "users", {"user": {"username": "eve", "active": True}})
    eve = Runner(sim, auth_username="eve", auth_password="")
    message = eve.failed(OPERATION, **FULL)
    assert "non admin users can't edit global webhooks" in message
    assert "no such webhook was created" in message
    make(sim, workspaceId=lab)
    assert eve.ok(INFO)["webhooks"] == []
    eve.close()


# --- in a manifest ---


def test_declarations_lead_back_to_what_is_live(run_demo: Runner) -> None:
    any_task = run_demo.task(WEBHOOK, name="x")
    session, names = any_task.session, any_task.names
    found = WEBHOOK.read_all(session, names)
    assert [WEBHOOK.key_of(live, names) for live in found] == ["ci@*", "ops@production", "pager@research"]
    for live in found:
        declared = WEBHOOK.declaration(live, names)
        assert WEBHOOK.undeclarable(live, names) is None
        assert "CANARY" not in str(declared)
        again = run_demo.task(WEBHOOK, **declared)
        assert WEBHOOK.key(again.options) == WEBHOOK.key_of(live, names)
        WEBHOOK.check(again.options)
        assert compare(WEBHOOK, live, WEBHOOK.wanted(again, live)).action == "none"
        assert again.extra == {"recreated": False}
    assert [WEBHOOK.left_out(live) for live in found] == [(), ("url",), ("url",)]
    assert WEBHOOK.declaration(found[0], names) == {
        "name": "ci",
        "url": "https://ci.example.com/determined",
        "triggers": [DONE],
    }
    assert WEBHOOK.declaration(found[2], names) == {
        "name": "pager",
        "workspace": "research",
        "mode": "specific",
        "triggers": [{"type": "custom"}, FAILED],
    }
    references = WEBHOOK.references(run_demo.task(WEBHOOK, name="x", workspace="research").options)
    assert [(one.kind, one.key, one.option) for one in references] == [("workspaces", "research", "workspace")]
    assert WEBHOOK.references(any_task.options) == ()


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"name": ""}, "name is empty"),
        ({"url": "ftp://x/y"}, "url must be a whole one"),
        ({"triggers": [{"triggerType": "TRIGGER_TYPE_METRIC_THRESHOLD_EXCEEDED"}]}, "metric_threshold_exceeded"),
        ({"triggers": [{"triggerType": "TRIGGER_TYPE_EXPERIMENT_STATE_CHANGE"}]}, "a condition with state"),
        (
            {"triggers": [{"triggerType": "TRIGGER_TYPE_EXPERIMENT_STATE_CHANGE", "condition": {"state": "Done"}}]},
            "triggers has the state 'Done'",
        ),
        (
            {"triggers": [{"triggerType": "TRIGGER_TYPE_EXPERIMENT_STATE_CHANGE", "condition": {"state": "error"}}]},
            "not written in upper case",
        ),
    ],
)
def test_what_no_options_lead_to_is_told(sim: Simulator, run: Runner, fields: Options, why: str) -> None:
    make(sim, **fields)
    any_task = run.task(WEBHOOK, name="x")
    (live,) = WEBHOOK.read_all(any_task.session, any_task.names)
    assert why in str(WEBHOOK.undeclarable(live, any_task.names))


def test_one_in_a_workspace_that_can_not_be_seen_is_told() -> None:
    with Simulator(fixture="demo", authz="rbac") as demo:
        run = Runner(demo)
        any_task = run.task(WEBHOOK, name="x")
        live = next(one for one in WEBHOOK.read_all(any_task.session, any_task.names) if one["name"] == "pager")
        call(demo, "POST", "users", {"user": {"username": "eve", "active": True}})
        eve = Runner(demo, auth_username="eve", auth_password="")
        names = eve.task(WEBHOOK, name="x").names
        assert WEBHOOK.key_of(live, names) == f"pager@{live['workspace_id']}"
        assert "that you may not see" in str(WEBHOOK.undeclarable(live, names))
        eve.close()
        run.close()


# --- det_webhook_info ---


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["ci", "ops", "pager"]),
        ({"name": "ops"}, ["ops"]),
        ({"name": "OPS"}, []),
        ({"name_contains": "P"}, ["ops", "pager"]),
        ({"name_contains": "%"}, []),
        ({"workspace": "research"}, ["pager"]),
        ({"workspace": "research", "name": "ci"}, []),
        ({"workspace": "attic"}, []),
    ],
)
def test_info_filters(run_demo: Runner, options: Options, expected: list[str]) -> None:
    result = run_demo.ok(INFO, **options)
    assert [webhook["name"] for webhook in result["webhooks"]] == expected
    assert (result["total"], result["changed"]) == (len(expected), False)
    assert "CANARY" not in str(result)


def test_info_counts_all_whatever_the_limit(run_demo: Runner) -> None:
    result = run_demo.ok(INFO, limit=2)
    assert (len(result["webhooks"]), result["total"], result["requests"]) == (2, 3, 1)
    assert "limit is 0" in run_demo.failed(INFO, limit=0)
    assert "workspace is 'reserch'" in run_demo.failed(INFO, workspace="reserch")
