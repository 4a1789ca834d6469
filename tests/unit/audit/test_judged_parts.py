# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judgements of parts of configurations that are kept by content."""

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.determined.ai.plugins.module_utils._audit import judged_parts
from ansible_collections.determined.ai.plugins.module_utils._audit.judged_parts import JudgedParts
from ansible_collections.determined.ai.plugins.module_utils._audit.site import Site

SITE = t.cast(Site, object())


class Counting:
    """A judge that counts how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, site: Site, part: t.Any, *where: t.Any) -> int:
        self.calls += 1
        return self.calls


def test_equal_content_is_judged_once() -> None:
    parts, judge = JudgedParts(SITE), Counting()
    shared = "a text that stands twice"
    part = {"a": [1, 2.5, None, True, shared], "b": shared}
    assert parts(judge, part) == parts(judge, copy.deepcopy(part)) == 1
    # Equal, though no object in it is the same.
    assert parts(judge, {"a": [1, 2.5, None, True, "a text that " + "stands twice"], "b": str(shared)}) == 1


@pytest.mark.parametrize("other", [{"a": 2}, {"a": True}, {"a": 1.0}, {"a": "1"}, {"b": 1}, {"a": [1]}])
def test_other_content_is_judged_anew(other: dict[str, t.Any]) -> None:
    parts, judge = JudgedParts(SITE), Counting()
    assert (parts(judge, {"a": 1}), parts(judge, other)) == (1, 2)


def test_where_it_stands_and_who_judges_count_too() -> None:
    parts, judge = JudgedParts(SITE), Counting()
    assert [parts(judge, 1, "x"), parts(judge, 1, "y"), parts(judge, 1, "x"), parts(Counting(), 1, "x")] == [1, 2, 1, 1]


def test_the_audits_share_nothing() -> None:
    judge = Counting()
    assert (JudgedParts(SITE)(judge, 1), JudgedParts(SITE)(judge, 1)) == (1, 2)


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judged_parts, "MOST", 10)
    parts, judge = JudgedParts(SITE), Counting()
    for number in range(100):
        parts(judge, number)
        assert len(parts._kept) <= 10
    assert judge.calls == 100


def test_what_is_nested_deeply_is_judged_all_the_same() -> None:
    parts, judge = JudgedParts(SITE), Counting()
    part: t.Any = "x"
    for _level in range(5000):
        part = [part]
    assert (parts(judge, part), parts(judge, part)) == (1, 2)
