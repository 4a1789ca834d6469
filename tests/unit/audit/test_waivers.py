# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waivers: what a file may say, what they waive, and when they are findings themselves."""

from __future__ import annotations

import datetime
import time
import typing as t

import pytest

from ansible_collections.determined.ai.plugins.module_utils._audit import waivers
from ansible_collections.determined.ai.plugins.module_utils._audit.control import CATALOGUE
from ansible_collections.determined.ai.plugins.module_utils._audit.entries import EntryErrors

TODAY = datetime.date(2026, 3, 10)
KNOWN = ("GOV-02", "IAM-02", "TOK-02", "TPL-01", "SITE-1")


def entry(**fields: t.Any) -> dict[str, t.Any]:
    """An entry with nothing wrong about it."""
    return {
        "control": "TOK-02",
        "resources": "alice/*",
        "reason": "The build server is replaced in June.",
        "ticket": "SEC-1",
        "approved_by": "Bob",
        "expires": "2026-06-30",
        **fields,
    }


def parse(*data: t.Any) -> list[waivers.Waiver]:
    return waivers.parse(list(data), TODAY, KNOWN)


def errors(*data: t.Any) -> list[str]:
    with pytest.raises(EntryErrors) as found:
        parse(*data)
    return found.value.errors


def finding(key: str, control: str = "TOK-02", status: str = "fail") -> dict[str, t.Any]:
    return {"control": control, "kind": "tokens", "key": key, "id": 1, "status": status, "waiver": None}


# --- the file ---


def test_a_waiver_as_it_is_meant_to_be() -> None:
    [found] = parse(entry())
    assert found == waivers.Waiver(
        1, "TOK-02", ("alice/*",), "The build server is replaced in June.", "SEC-1", "Bob", datetime.date(2026, 6, 30)
    )


def test_an_empty_list_waives_nothing() -> None:
    assert parse() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"expires": datetime.date(2026, 6, 30)},
        {"ticket": 4711},
        {"resources": 12},
        {"resources": ["alice/*", 12]},
        {"control": "SITE-1"},
        {"expires": "2020-01-01"},
        {"expires": datetime.date(2027, 3, 11)},
    ],
)
def test_what_else_is_right(fields: dict[str, t.Any]) -> None:
    # 2027-03-11 is 366 days after 2026-03-10; one that has ended is a finding and no error.
    assert len(parse(entry(**fields))) == 1


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (None, "waivers: the file is empty, it must be a list; write [] for none."),
        ({"waivers": []}, "waivers: there is a mapping at the top, it must be a list; write [] for none."),
        ("x", "waivers: there is a text at the top, it must be a list; write [] for none."),
        (
            ["TOK-02"],
            "waivers: entry 1: it is a text, it must be a mapping with control, resources, reason, ticket, approved_by, expires.",
        ),
        ([None], None),
    ],
)
def test_a_file_of_another_shape(data: t.Any, sentence: str | None) -> None:
    with pytest.raises(EntryErrors) as found:
        waivers.parse(data, TODAY, KNOWN)
    [error] = found.value.errors
    assert sentence is None or error == sentence


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"control": "TOK-2"}, ["control is 'TOK-2'", "no such control", "'TOK-02'"]),
        ({"control": "tok-02"}, ["control is 'tok-02'", "'TOK-02'"]),
        ({"control": ""}, ["control is empty"]),
        ({"control": ["TOK-02"]}, ["control is ['TOK-02']", "text"]),
        ({"control": "GOV-02"}, ["GOV-02", "can't be waived"]),
        ({"resources": None}, ["resources is empty", "'*'"]),
        ({"resources": []}, ["resources is empty"]),
        ({"resources": ["a", ""]}, ["resources has ''"]),
        ({"resources": {"glob": "*"}}, ["resources has", "pattern"]),
        ({"resources": [True]}, ["resources has True"]),
        ({"reason": "  "}, ["reason is empty"]),
        ({"ticket": None}, ["ticket is empty"]),
        ({"approved_by": True}, ["approved_by is True", "text"]),
        ({"expires": None}, ["expires is empty", "every waiver ends"]),
        ({"expires": "next year"}, ["expires is 'next year'", "2026-03-10", "2027-03-11"]),
        ({"expires": "2026-02-30"}, ["expires is '2026-02-30'"]),
        ({"expires": "20260630"}, ["expires is '20260630'"]),
        ({"expires": 20260630}, ["expires is 20260630"]),
        ({"expires": datetime.datetime(2026, 6, 30, 12)}, ["expires is '2026-06-30T12:00:00'"]),
        ({"expires": "2027-03-12"}, ["expires is '2027-03-12'", "366 days", "2027-03-11"]),
        ({"until": "2026-06-30"}, ["'until' is no field"]),
        ({"aproved_by": "Bob"}, ["'aproved_by' is no field", "Nearest: 'approved_by'"]),
    ],
)
def test_what_is_wrong_is_told_in_one_sentence(fields: dict[str, t.Any], words: list[str]) -> None:
    [error] = errors(entry(), entry(**fields))
    assert error.startswith("waivers: entry 2: ")
    assert all(word in error for word in words), error


@pytest.mark.parametrize("field", waivers.FIELDS)
def test_every_field_is_needed(field: str) -> None:
    data = entry()
    del data[field]
    [error] = errors(data)
    assert f"{field} is missing" in error


def test_everything_is_told_at_once() -> None:
    found = errors({}, entry(), entry(reason="", ticket=""), "x")
    assert [error.split(":")[1].strip() for error in found] == ["entry 1"] * 6 + ["entry 3"] * 2 + ["entry 4"]
    with pytest.raises(EntryErrors) as raised:
        parse({}, "x")
    assert len(str(raised.value).splitlines()) == 7


# --- what is waived ---


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("alice/*", "alice/ci", True),
        ("alice/*", "alice/", True),
        ("alice/*", "malice/ci", False),
        ("*", "research/vision/deep", True),
        ("research/*", "research/vision/deep", True),
        ("*/ci", "alice/ci", True),
        ("alice", "alice/ci", False),
        ("Alice/*", "alice/ci", False),
        ("exp-?", "exp-1", True),
        ("exp-?", "exp-12", False),
        ("alice/ci [prod]", "alice/ci [prod]", True),
        ("alice/ci [prod]", "alice/ci p", False),
        ("alice/*", "alice/two\nlines", True),
        ("alice/ci", "alice/ci\n", False),
        ("a.b", "axb", False),
        ("*{{ x }}*", "it is {{ x }}", True),
    ],
)
def test_patterns(pattern: str, key: str, expected: bool) -> None:
    [found] = waivers.apply([finding(key)], parse(entry(resources=pattern)), TODAY)
    assert (found["status"] == "waived") is expected


def test_a_hostile_key_does_not_take_long() -> None:
    # A naive translation of the pattern takes hours for this one.
    waiver = parse(entry(resources="*a*a*a*a*a*a*a*a*b"))
    began = time.monotonic()
    waivers.apply([finding("a" * 4000)], waiver, TODAY)
    assert time.monotonic() - began < 5


def test_a_waived_finding_says_by_what() -> None:
    before = finding("alice/ci")
    [found] = waivers.apply([before], parse(entry()), TODAY)
    assert found == {
        **before,
        "status": "waived",
        "waiver": {
            "reason": "The build server is replaced in June.",
            "ticket": "SEC-1",
            "approved_by": "Bob",
            "expires": "2026-06-30",
        },
    }
    assert before["status"] == "fail"


@pytest.mark.parametrize("status", ["unknown", "error"])
def test_what_nobody_saw_is_not_waived(status: str) -> None:
    before = [finding("alice/ci", status=status)]
    assert waivers.apply(before, parse(entry(resources="*")), TODAY) == before


def test_the_finding_of_another_control_is_not_waived() -> None:
    before = [finding("alice/ci", control="TOK-03")]
    assert waivers.apply(before, parse(entry(resources="*")), TODAY) == before


@pytest.mark.parametrize(
    ("expires", "status"), [("2026-03-11", "waived"), ("2026-03-10", "waived"), ("2026-03-09", "fail")]
)
def test_a_waiver_is_valid_through_its_last_day(expires: str, status: str) -> None:
    [found] = waivers.apply([finding("alice/ci")], parse(entry(expires=expires)), TODAY)
    assert found["status"] == status


def test_the_first_valid_waiver_counts() -> None:
    given = parse(entry(ticket="old", expires="2026-01-01"), entry(ticket="new"), entry(ticket="newer"))
    [found] = waivers.apply([finding("alice/ci")], given, TODAY)
    assert found["waiver"]["ticket"] == "new"


# --- GOV-02 ---


def judged(
    given: dict[str, t.Any], findings: t.Sequence[dict[str, t.Any]] = (), ran: t.Collection[str] = KNOWN
) -> tuple[str, tuple[str, ...]]:
    """What GOV-02 says of one waiver."""
    [resource] = waivers.resources(parse(given), findings, ran, TODAY)
    assert (resource.kind, resource.id) == ("waivers", 1)
    # It looks at the waiver alone.
    outcome = CATALOGUE["GOV-02"].judge(t.cast(t.Any, None), resource)
    return outcome.status, outcome.faults


def test_a_waiver_in_use_passes() -> None:
    assert judged(entry(), [finding("alice/ci")]) == ("pass", ())
    assert judged(entry(), [finding("alice/ci", status="waived")]) == ("pass", ())


def test_a_waiver_that_has_ended_fails_though_it_would_be_used() -> None:
    assert judged(entry(expires="2026-03-09"), [finding("alice/ci")]) == ("fail", ("It ended on 2026-03-09.",))


def test_a_waiver_of_nothing_fails() -> None:
    assert judged(entry(), [finding("bob/ci")]) == ("fail", ("No finding of TOK-02 matches it.",))
    assert judged(entry(), []) == ("fail", ("No finding of TOK-02 matches it.",))


def test_both_are_told() -> None:
    status, faults = judged(entry(expires="2026-03-09"), [])
    assert (status, len(faults)) == ("fail", 2)


@pytest.mark.parametrize(
    ("findings", "status"),
    [
        ([finding("*", status="unknown")], "unknown"),
        ([finding("*", status="error")], "unknown"),
        ([finding("alice/ci", status="unknown")], "unknown"),
        # What could not be judged is somebody else's.
        ([finding("bob/ci", status="unknown")], "fail"),
        ([finding("*", control="IAM-02", status="unknown")], "fail"),
        ([finding("*", status="unknown"), finding("alice/ci")], "pass"),
    ],
)
def test_a_waiver_whose_control_could_not_see_is_not_unused(findings: list[dict[str, t.Any]], status: str) -> None:
    assert judged(entry(), findings)[0] == status


def test_a_waiver_whose_control_was_not_judged_is_not_unused() -> None:
    assert judged(entry(), [], ran=["IAM-02"]) == ("not_applicable", ())
    assert judged(entry(expires="2026-03-09"), [], ran=["IAM-02"])[0] == "fail"


def test_what_the_report_calls_it() -> None:
    [resource] = waivers.resources(parse(entry(resources=["alice/*", "bob/ci"])), [], KNOWN, TODAY)
    assert resource.key == "TOK-02 alice/*, bob/ci"
    outcome = waivers.gov_02(t.cast(t.Any, None), resource)
    assert outcome.fields == {"control": "TOK-02", "ticket": "SEC-1", "approved_by": "Bob", "expires": "2026-06-30"}
