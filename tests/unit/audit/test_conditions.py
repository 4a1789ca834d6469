# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions of custom controls, in Ansible's own template engine: what they read, what they give, and what is never run."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.determined.ai.plugins.module_utils._wire.errors import InvalidOption
from ansible_collections.determined.ai.plugins.plugin_utils import audit_conditions
from ansible_collections.determined.ai.plugins.plugin_utils.audit_conditions import TemplarConditions


@pytest.fixture
def conditions() -> TemplarConditions:
    """Conditions in a play that has a variable."""
    return TemplarConditions(Templar(loader=DataLoader(), variables={"site": "berlin", "resource": {"name": "play's"}}))


def user(**fields: t.Any) -> dict[str, t.Any]:
    return {"username": "alice", "admin": False, "config": {}, "labels": [], **fields}


# --- what they read ---


@pytest.mark.parametrize(
    ("condition", "paths"),
    [
        ("resource.admin", [("admin",)]),
        ("resource['admin']", [("admin",)]),
        ("resource.admin and not resource.remote", [("admin",), ("remote",)]),
        ("resource.admin or resource.admin", [("admin",)]),
        ("resource.link.uid == 0", [("link", "uid")]),
        ("resource.link['uid'] == 0", [("link", "uid")]),
        ("resource.triggers[0].type == 'x'", [("triggers", 0, "type")]),
        ("resource.get('admin')", [("admin",)]),
        ("resource.link.get('uid', 0) == 0", [("link", "uid")]),
        ("resource.labels | length == 0", [("labels",)]),
        ("'x' in resource.labels", [("labels",)]),
        ("resource.triggers | selectattr('type', 'eq', 'x') | list != []", [("triggers",)]),
        ("resource.username.startswith('x')", [("username", "startswith")]),
        ("resource.username is match('x')", [("username",)]),
        ("(resource.a if resource.b else resource.c) == 1", [("b",), ("a",), ("c",)]),
        ("{'a': resource.a} == {'a': [resource.b]}", [("a",), ("b",)]),
        # What stands in brackets is read too, and what follows it can't be told.
        ("resource.a[resource.k].b == 1", [("a",), ("k",)]),
        ("resource[resource.k] == 1", [("k",)]),
        ("resource.items() | list | length > 1", []),
        ("resource.a.items() | list | length > 1", [("a",)]),
        ("resource | length > 1", []),
    ],
)
def test_what_a_condition_reads(conditions: TemplarConditions, condition: str, paths: list[t.Any]) -> None:
    assert sorted(conditions.references(condition), key=str) == sorted(paths, key=str)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("resource.admin and", ["is no expression"]),
        ("resource.a resource.b", ["is no expression", "'resource'"]),
        ("", ["is no expression"]),
        ("{{ resource.admin }}", ["without {{ }}"]),
        ("  {% if resource.admin %}", ["without {{ }}"]),
        ("resource.a) or (resource.b", ["is no expression"]),
        ("resource.a %}{% set found = true", ["is no expression"]),
        ("resource.a }}{% set found = true %}{{ 1", ["is no expression"]),
        ("resorce.admin", ["'resorce' is not known", "Nearest: 'resource'"]),
        ("resource.name == alice", ["'alice' is not known", "in quotes"]),
        ("resource.name == site", ["'site' is not known"]),
        ("resource.name == lookup('env', 'HOME')", ["'lookup' is not known"]),
        ("query('pipe', resource.name)", ["'query' is not known"]),
        # The template of a page has these two.
        ("loop.index == resource.id", ["'loop' is not known"]),
        ("resources[0] == resource", ["'resources' is not known"]),
        ("'a' == 'b'", ["does not depend on resource"]),
        ("resource.name | no_such_filter", ["no_such_filter"]),
        ("resource.name is no_such_test", ["no_such_test"]),
    ],
)
def test_what_is_no_condition(conditions: TemplarConditions, condition: str, words: list[str]) -> None:
    with pytest.raises(InvalidOption) as found:
        conditions.references(condition)
    assert all(word in str(found.value) for word in words), found.value
    assert "\n" not in str(found.value)


# --- what they give ---


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("resource.admin", [True, False]),
        ("not resource.admin", [False, True]),
        ("resource.username == 'root'", [True, False]),
        ("resource.username is match('^r.*t$')", [True, False]),
        ("resource.username is match('^\\\\w{4}$')", [True, False]),
        ("resource.labels | intersect(['x']) | length > 0", [False, True]),
        ("resource.config.environment is defined", [False, True]),
        ("resource.config.environment.image | default('') is search(':latest$')", [False, True]),
        ("resource.username == '%}' or\nresource.username == '}}'", [False, False]),
    ],
)
def test_a_condition_holds_or_not(conditions: TemplarConditions, condition: str, expected: list[bool]) -> None:
    resources = [
        user(username="root", admin=True),
        user(labels=["x", "y"], config={"environment": {"image": "lab/base:latest"}}),
    ]
    assert conditions.references(condition)
    assert conditions.evaluate(condition, resources) == expected


@pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning")
def test_a_backslash_is_what_it_is_in_when(conditions: TemplarConditions) -> None:
    condition = r"resource.username is match('^\w{4}$')"
    assert conditions.references(condition) == [("username",)]
    assert conditions.evaluate(condition, [user(username="root"), user()]) == [True, False]


def test_a_page_and_its_resources_one_by_one_say_the_same(conditions: TemplarConditions) -> None:
    resources = [user(username=f"user{number}", admin=number % 3 == 0) for number in range(50)]
    expected = [number % 3 == 0 for number in range(50)]
    assert conditions.evaluate("resource.admin", resources) == expected
    assert [conditions.evaluate("resource.admin", [one]) for one in resources] == [[one] for one in expected]
    assert conditions.evaluate("resource.admin", []) == []


def test_a_page_is_one_template(conditions: TemplarConditions, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = []
    render = TemplarConditions._render
    monkeypatch.setattr(
        TemplarConditions, "_render", lambda self, text, page: rendered.append(len(page)) or render(self, text, page)
    )
    assert conditions.evaluate("resource.admin", [user()] * 500) == [False] * 500
    assert rendered == [500]


@pytest.mark.parametrize(
    "condition", ["resource.username", "resource.labels", "resource.labels | length", "resource.none"]
)
def test_what_is_neither_true_nor_false(conditions: TemplarConditions, condition: str) -> None:
    [found] = conditions.evaluate(condition, [user(labels=["x"], none=None)])
    assert found == "The condition must be true or false, and is neither."


def test_one_that_can_not_be_evaluated_does_not_spoil_the_others(conditions: TemplarConditions) -> None:
    resources = [user(config={"slots": 9}), user(), user(config={"slots": "many"}), user(config={"slots": 1})]
    first, absent, text, last = conditions.evaluate("resource.config.slots > 8", resources)
    assert (first, last) == (True, False)
    assert "slots" in str(absent)
    assert "'>'" in str(text)
    for sentence in (absent, text):
        assert str(sentence).startswith("The condition can't be evaluated: ")
        assert "\n" not in str(sentence)


def test_an_inner_object_that_is_not_there_is_an_error_until_the_condition_asks(conditions: TemplarConditions) -> None:
    nobody = user(link=None)
    [found] = conditions.evaluate("resource.link.uid == 0", [nobody])
    assert isinstance(found, str)
    assert conditions.evaluate("resource.link is not none and resource.link.uid == 0", [nobody]) == [False]


def test_an_error_is_short_and_has_no_secret_in_it(conditions: TemplarConditions) -> None:
    secret = "ghp_0123456789abcdefghijklmnopqrstuvwxyz"
    [found] = conditions.evaluate(f"resource.username | from_json == '{secret}'", [user(username=f"{{{secret}" * 200)])
    assert isinstance(found, str)
    assert secret not in found
    assert len(found) < audit_conditions.LONGEST + 60


# --- what is never run ---

HOSTILE = [
    "{{ lookup('pipe', 'touch %s') }}",
    "{% set x = lookup('pipe', 'touch %s') %}",
    "{{ cycler.__init__.__globals__.os.system('touch %s') }}",
    "') }}{{ lookup('pipe', 'touch %s') }}",
    "#jinja2: variable_start_string: '[['\n[[ lookup('pipe', 'touch %s') ]]",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    "condition",
    [
        "resource.username == 'x'",
        "resource.username ~ resource.username == 'x'",
        "resource.username | upper | lower == 'x'",
        "resource.config.name | default('') == 'x'",
        "resource.labels | map('trim') | join(',') == 'x'",
        "resource.get('username') == 'x'",
        "resource | string == 'x'",
    ],
)
def test_what_the_cluster_returns_is_never_a_template(
    conditions: TemplarConditions, tmp_path: pathlib.Path, text: str, condition: str
) -> None:
    canary = tmp_path / "ran"
    name = text.replace("%s", str(canary))
    resource = user(username=name, config={"name": name, name: name}, labels=[name])
    assert conditions.evaluate(condition, [resource, resource]) == [False, False]
    assert not canary.exists()


def test_a_hostile_name_is_the_text_that_it_is(conditions: TemplarConditions) -> None:
    name = "{{ 1 + 1 }}"
    found = conditions.evaluate("resource.username == '{{ 1 + ' ~ '1 }}'", [user(username=name), user(username="2")])
    assert found == [True, False]


@pytest.mark.parametrize("name", ["\x00", "\ud800", "\u202eabc", "\U0001f600", "a\nb", "'\"|", "x" * 4000, "</script>"])
def test_names_of_any_sort(conditions: TemplarConditions, name: str) -> None:
    assert conditions.evaluate("resource.username == 'alice'", [user(username=name), user()]) == [False, True]


def test_the_play_has_no_say(conditions: TemplarConditions) -> None:
    assert conditions.evaluate("resource.username == 'alice'", [user()]) == [True]
    assert conditions.evaluate("resource.name is defined", [user()]) == [False]
