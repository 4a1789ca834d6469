# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each integration target, inside the controller and as shipped modules."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from .conftest import HERE, ROOT, SHIPPED, Playbooks

TARGETS = sorted(path.parent.parent.name for path in (HERE / "targets").glob("*/tasks/main.yml"))
WAYS: dict[str, dict[str, t.Any]] = {"in_controller": {}, "shipped": SHIPPED}


def play(target: str, way: str) -> list[dict[str, object]]:
    tasks = [{"ansible.builtin.include_tasks": str(HERE / "targets" / target / "tasks" / "main.yml")}]
    return [{"hosts": "localhost", "gather_facts": False, **WAYS[way], "tasks": tasks}]


def in_the_controller() -> list[t.Any]:
    """All targets under basic authorisation; those that each Python runs go twice in a process, as they must leave no trace.

    Once more under RBAC; where rights make no difference to what a target does, `make exhaustive` does that.
    """
    often = {"det_export", "det_template", "det_token", "det_user"}
    alike = {
        *("det_agent", "det_apply", "det_audit", "det_cluster_message", "det_experiment_batch", "det_job"),
        *("det_master_log", "det_model_version", "det_oauth_client", "det_resource_pool", "det_slot", "det_task"),
        *("det_usage", "det_webhook", "role_access", "role_token_rotation"),
    }
    assert often | alike <= set(TARGETS)
    return [
        pytest.param("basic", name, 2) if name in often else pytest.param("basic", name, 1, marks=pytest.mark.once)
        for name in TARGETS
    ] + [
        pytest.param("rbac", name, 1, marks=pytest.mark.exhaustive if name in alike else pytest.mark.once)
        for name in TARGETS
    ]


@pytest.mark.parametrize(("any_master", "target", "times"), in_the_controller(), indirect=["any_master"])
def test_target_in_the_controller(any_master: Playbooks, target: str, times: int) -> None:
    any_master.run(play(target, "in_controller") * times).ok()


def shipped() -> list[t.Any]:
    """All targets; what a new process adds to an operation is the same for all of them, so some stand for the others."""
    some = {"det_user": [], "det_token": [pytest.mark.once]}
    return [pytest.param(name, marks=some.get(name, [pytest.mark.exhaustive])) for name in TARGETS]


# Each module is shipped by the test of its examples too.
@pytest.mark.parametrize("target", shipped())
def test_target_as_shipped_modules(shipping_master: Playbooks, target: str) -> None:
    shipping_master.run(play(target, "shipped")).ok()


def test_every_module_has_a_target() -> None:
    modules = {path.stem.removesuffix("_info") for path in (ROOT / "plugins" / "modules").glob("det_*.py")}
    assert modules <= set(TARGETS)


def test_no_target_is_empty() -> None:
    for target in TARGETS:
        text = pathlib.Path(HERE / "targets" / target / "tasks" / "main.yml").read_text()
        assert "ansible.builtin.assert" in text, target
