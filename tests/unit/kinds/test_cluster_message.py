# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster message, against the simulated master."""

from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.determined.ai.plugins.module_utils._engine.compare import compare
from ansible_collections.determined.ai.plugins.module_utils._kinds.cluster_message import CLUSTER_MESSAGE, same_moment
from ansible_collections.determined.ai.plugins.modules.det_cluster_info import OPERATION as INFO
from ansible_collections.determined.ai.plugins.modules.det_cluster_message import OPERATION
from tests.simulator import Fault, Simulator
from tests.unit.conftest import Runner

HOUR = datetime.timedelta(hours=1)
SECOND = datetime.timedelta(seconds=1)
SOON, LATER, LAST = "2126-01-01T00:00:00Z", "2126-01-02T00:00:00Z", "2126-01-03T00:00:00Z"
PAST = "2001-01-01T00:00:00Z"
FULL = {"text": "Maintenance", "start": SOON, "end": LATER}


def writes(sim: Simulator) -> list[str]:
    """The verbs that the journal holds beside reads and logins."""
    return [entry.method for entry in sim.journal if entry.method != "GET" and "/auth/" not in entry.path]


def moment(text: str) -> datetime.datetime:
    """A time of the server."""
    return datetime.datetime.fromisoformat(text)


def known(message: dict[str, t.Any] | None) -> dict[str, t.Any] | None:
    """The message without what only the server makes."""
    return None if message is None else {**message, "created_time": None}


def is_now(text: str) -> bool:
    """Whether a time is that of this test."""
    return abs(moment(text) - datetime.datetime.now(datetime.UTC)) < 30 * SECOND


# What is declared of a message that is FULL, and how it then differs.
TABLE: dict[str, tuple[dict[str, t.Any], dict[str, t.Any]]] = {
    "text": ({"text": "Other"}, {"message": "Other"}),
    "start": ({"start": "2126-01-01T12:00:00+02:00"}, {"start_time": "2126-01-01T10:00:00Z"}),
    "end": ({"end": LAST}, {"end_time": LAST}),
    "end taken away": ({"end": ""}, {"end_time": None}),
    "all": (
        {"text": "Other", "start": LATER, "end": LAST},
        {"message": "Other", "start_time": LATER, "end_time": LAST},
    ),
    "start and duration": (
        {"text": "Other", "start": LATER, "duration": "1d"},
        {"message": "Other", "start_time": LATER, "end_time": LAST},
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_a_change_is_predicted_made_and_not_made_again(sim: Simulator, run: Runner, case: str) -> None:
    declared, differs = TABLE[case]
    before = run.ok(OPERATION, **FULL)["cluster_message"]
    sim.journal.clear()
    options = {"text": "Maintenance", **declared}
    predicted = run.ok(OPERATION, check=True, **options)
    assert writes(sim) == []
    result = run.ok(OPERATION, **options)
    assert predicted["changed"] is result["changed"] is True
    assert known(result["cluster_message"]) == known({**before, **differs})
    assert known(predicted["cluster_message"]) == known(result["cluster_message"])
    assert result["diff"] == predicted["diff"]
    assert writes(sim) == ["PUT"]
    again = run.ok(OPERATION, **options)
    assert (again["changed"], again["requests"]) == (False, 1)
    assert again["cluster_message"] == result["cluster_message"]


def test_creation_and_removal(sim: Simulator, run: Runner) -> None:
    predicted = run.ok(OPERATION, check=True, text="Hello")
    assert sim.master.cluster_message is None
    result = run.ok(OPERATION, text="Hello")
    assert is_now(result["cluster_message"]["start_time"])
    assert is_now(predicted["cluster_message"]["start_time"])
    assert result["cluster_message"]["end_time"] is None
    # A missing start would have been 1970 to the server; it is shown at once all the same.
    assert run.ok(INFO)["cluster"]["cluster_message"]["message"] == "Hello"
    again = run.ok(OPERATION, text="Hello")
    assert (again["changed"], again["requests"]) == (False, 1)
    predicted = run.ok(OPERATION, check=True, state="absent")
    assert sim.master.cluster_message is not None
    gone = run.ok(OPERATION, state="absent")
    assert (gone["changed"], gone["cluster_message"], gone["diff"]) == (True, None, predicted["diff"])
    assert sim.master.cluster_message is None
    assert run.ok(OPERATION, state="absent")["changed"] is False


def test_a_duration_counts_when_the_message_is_set(sim: Simulator, run: Runner) -> None:
    result = run.ok(OPERATION, text="Slow", duration="90m")["cluster_message"]
    assert is_now(result["start_time"])
    assert moment(result["end_time"]) - moment(result["start_time"]) == 1.5 * HOUR
    for duration in ("90m", "2d"):
        again = run.ok(OPERATION, text="Slow", duration=duration)
        assert (again["changed"], again["cluster_message"]) == (False, result)
    sim.master.clock_offset += HOUR
    other = run.ok(OPERATION, text="Slower", duration="90m")["cluster_message"]
    assert moment(other["end_time"]) - moment(other["start_time"]) == 1.5 * HOUR
    assert is_now(other["start_time"])


def test_other_text_keeps_the_times(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, **FULL)
    corrected = run.ok(OPERATION, text="Maintenence")["cluster_message"]
    assert (corrected["start_time"], corrected["end_time"]) == (SOON, LATER)


def test_a_message_that_is_over_is_none(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, text="Slow", duration="1h")
    sim.master.clock_offset += 2 * HOUR
    assert run.ok(OPERATION, state="absent")["changed"] is False
    assert run.ok(OPERATION, text="Slow", duration="4h")["changed"] is True


def test_an_end_that_has_gone_by_is_unchanged(sim: Simulator, run: Runner) -> None:
    for options in ({"end": PAST}, {"start": "2000-01-01T00:00:00Z", "duration": "1h"}):
        result = run.ok(OPERATION, text="Old", **options)
        assert (result["changed"], result["cluster_message"]) == (False, None)
    theirs = run.ok(OPERATION, text="Theirs")["cluster_message"]
    result = run.ok(OPERATION, text="Old", end=PAST)
    assert (result["changed"], result["cluster_message"]) == (False, theirs)
    assert writes(sim) == ["PUT"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "state is present but all of the following are missing: text"),
        ({"text": " "}, "text is empty"),
        ({"text": "ä" * 251}, "text has 251 characters: it must have at most 250."),
        ({"text": "x", "end": SOON, "duration": "1h"}, "mutually exclusive: end|duration"),
        ({"text": "x", "end": "tomorrow"}, "end is 'tomorrow': it must be a time such as"),
        ({"text": "x", "start": ""}, "start is '': it must be a time such as"),
        ({"text": "x", "start": "2126-01-01T00:00:00"}, "it must say its time zone"),
        (
            {"text": "x", "start": "9999-12-31T23:00:00-12:00"},
            "start is '9999-12-31T23:00:00-12:00': it must be a time such as",
        ),
        (
            {"text": "x", "end": "0001-01-01T00:00:00+12:00"},
            "end is '0001-01-01T00:00:00+12:00': it must be a time such as",
        ),
        (
            {"text": "x", "start": "9999-12-31T23:00:00Z", "duration": "2h"},
            "duration is '2h': it ends after the year 9999.",
        ),
        ({"text": "x", "start": LATER, "end": SOON}, "it must be after start"),
        ({"text": "x", "duration": "2w"}, "duration is '2w'"),
        ({"text": "x", "duration": "0s"}, "duration is '0s': it must be longer than nothing."),
    ],
)
def test_what_is_refused_before_any_call(sim: Simulator, run: Runner, options: dict[str, t.Any], sentence: str) -> None:
    assert sentence in run.failed(OPERATION, **options)
    assert sim.journal == []


def test_as_long_as_may_be(run: Runner) -> None:
    # Characters, not bytes.
    assert run.ok(OPERATION, text="ä" * 250)["changed"]


def test_without_the_right(sim: Simulator, run: Runner) -> None:
    user = sim.master.add_user("plain", active=True)
    other = Runner(sim, auth_token=sim.login(user.username))
    assert "user does not have permission" in other.failed(OPERATION, text="x")
    message = other.failed(INFO, gather=["cluster_message"])
    assert message.startswith(
        "gather has 'cluster_message', which takes an administrator, under RBAC the permission UPDATE"
    )
    other.close()


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_write_whose_answer_is_lost_is_made_once_and_settled_by_reading(
    sim: Simulator, run: Runner, method: str
) -> None:
    run.ok(OPERATION, text="first")
    sim.journal.clear()
    sim.faults.add(Fault("lost", method=method, path="/cluster_message"))
    options = {"state": "absent"} if method == "DELETE" else {"text": "second", "duration": "1h"}
    assert run.ok(OPERATION, **options)["changed"]
    assert writes(sim) == [method]
    assert "Read again: the cluster_message is as declared." in run.warnings[0]


def test_one_that_is_still_to_come_is_read_by_administrators(run: Runner) -> None:
    run.ok(OPERATION, **FULL)
    assert run.ok(INFO)["cluster"]["cluster_message"] is None
    found = run.ok(INFO, gather=["master", "cluster_message"])["cluster"]
    assert found["cluster_message"]["start_time"] == SOON
    run.ok(OPERATION, state="absent")
    assert run.ok(INFO, gather=["cluster_message"])["cluster"] == {"cluster_message": None}


def test_times_are_compared_as_times() -> None:
    assert same_moment("2126-01-01T00:00:00Z", "2126-01-01T01:00:00+01:00")
    assert not same_moment("2126-01-01T00:00:00Z", "2126-01-01T00:00:00.000001Z")
    assert same_moment(None, None)
    assert not same_moment(None, SOON)


# --- in a manifest ---


@pytest.mark.parametrize(
    ("options", "declared"),
    [
        ({"text": "a"}, {"text": "a"}),
        (FULL, FULL),
        ({"text": "a", "end": LATER}, {"text": "a", "end": LATER}),
        ({"text": "a", "start": PAST}, {"text": "a"}),
    ],
)
def test_a_message_declares_itself(run: Runner, options: dict[str, t.Any], declared: dict[str, t.Any]) -> None:
    task = run.task(CLUSTER_MESSAGE, text="x")
    assert CLUSTER_MESSAGE.read_all(task.session, task.names) == []
    run.ok(OPERATION, **options)
    [live] = CLUSTER_MESSAGE.read_all(task.session, task.names)
    assert CLUSTER_MESSAGE.declaration(live, task.names) == declared
    assert CLUSTER_MESSAGE.undeclarable(live, task.names) is None
    again = run.task(CLUSTER_MESSAGE, **declared)
    assert CLUSTER_MESSAGE.key(again.options) == CLUSTER_MESSAGE.key_of(live, task.names) == "cluster_message"
    assert compare(CLUSTER_MESSAGE, live, CLUSTER_MESSAGE.wanted(again, live)).action == "none"


def test_an_empty_message_can_not_be_declared(sim: Simulator, run: Runner) -> None:
    task = run.task(CLUSTER_MESSAGE, text="x")
    task.session.write("PUT", "/api/v1/master/cluster_message", {})
    [live] = CLUSTER_MESSAGE.read_all(task.session, task.names)
    assert CLUSTER_MESSAGE.undeclarable(live, task.names) == "Its text is empty."
