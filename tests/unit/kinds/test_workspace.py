# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workspaces, against the simulated master's demo data."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.determined.ai.plugins.modules.det_workspace_info import OPERATION
from tests.simulator import Simulator
from tests.unit.conftest import Runner


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["Uncategorized", "research", "production", "attic"]),
        ({"name": "research"}, ["research"]),
        ({"name": "Research"}, []),
        ({"name": "researc_"}, []),
        ({"name": "%"}, []),
        ({"name": "\\"}, []),
        ({"name": ""}, []),
        ({"name_contains": "AT"}, ["Uncategorized", "attic"]),
        ({"name_contains": "_"}, []),
        ({"name_contains": "%"}, []),
        ({"archived": True}, ["attic"]),
        ({"archived": False, "name_contains": "a"}, ["Uncategorized", "research"]),
        ({"name": "attic", "archived": False}, []),
        ({"users": ["ada.brandt"]}, ["research", "attic"]),
        ({"users": ["ada.brandt", "svc-gitops"], "archived": False}, ["research", "production"]),
    ],
)
def test_filters(run_demo: Runner, options: dict[str, t.Any], expected: list[str]) -> None:
    result = run_demo.ok(OPERATION, **options)
    assert [workspace["name"] for workspace in result["workspaces"]] == expected
    assert result["total"] == len(expected)
    assert result["changed"] is False
    assert result["requests"] == (2 if "users" in options else 1)


def test_what_a_workspace_says_of_itself(demo: Simulator, run_demo: Runner) -> None:
    found = run_demo.ok(OPERATION, name="production")["workspaces"][0]
    row = next(row for row in demo.master.workspaces.values() if row.name == "production")
    assert found["id"] == row.id
    assert found["username"] == "svc-gitops"
    assert found["num_projects"] == 2
    assert found["state"] == "unspecified"
    assert found["agent_user_group"] == {
        "agent_uid": 900, "agent_gid": 900, "agent_user": "prod", "agent_group": "prod"
    }  # fmt: skip
    built_in = run_demo.ok(OPERATION, name="Uncategorized")["workspaces"][0]
    assert (built_in["id"], built_in["immutable"], built_in["agent_user_group"]) == (1, True, None)


def test_the_limit_and_the_total(run_demo: Runner) -> None:
    result = run_demo.ok(OPERATION, limit=1)
    assert (len(result["workspaces"]), result["total"]) == (1, 4)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"limit": 0}, "limit is 0"),
        ({"users": ["ada.brant"]}, "users is 'ada.brant': there is no such user. Nearest: 'ada.brandt'"),
        ({"name": "a", "name_contains": "b"}, "parameters are mutually exclusive: name|name_contains"),
    ],
)
def test_what_is_refused(run_demo: Runner, options: dict[str, t.Any], sentence: str) -> None:
    assert sentence in run_demo.failed(OPERATION, **options)
