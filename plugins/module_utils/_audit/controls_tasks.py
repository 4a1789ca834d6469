# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Controls of what runs: ports that the master's proxy opens, and interactive tasks (API page ml-resources, section 11)."""

from __future__ import annotations

import datetime
import re

from .control import CRITICAL, MEDIUM, NOT_APPLICABLE, PASS, Outcome, Resource, Unseen, control, fail, failing
from .site import Site
from .workload_state import holds_resources, is_live

TRIAL_TASK = re.compile(r"\d+\..+")
"""The id of a task of an experiment, which its configuration is judged for: the experiment's id, a dot, a UUID."""

IDLE_WATCHED = frozenset({"notebook", "tensorboard"})
"""The types that the master can end when they are idle (``master/internal/command/command.go``)."""


@control(
    "TSK-01",
    "Unauthenticated proxy port",
    CRITICAL,
    of=("experiments", "allocations"),
    reads=("tasks",),
    remediation="Kill it, and run it again without unauthenticated: true in environment.proxy_ports.",
    example=(
        "- determined.ai.det_task:\n    id: 7c9e6679-7425-40de-944b-e07fc1f90ae7\n    type: command\n    state: killed\n"
    ),
    cis="4.8, 12.6",
    nist="AC-3, SC-7",
    iso="A.8.20",
    soc2="CC6.6",
)
def _unauthenticated_port(site: Site, resource: Resource) -> Outcome:
    if resource.kind == "experiments":
        if not holds_resources(resource):
            return NOT_APPLICABLE
        ports = (resource.data["config"].get("environment") or {}).get("proxy_ports") or []
        return _judged_ports([one.get("proxy_port") for one in ports if one.get("unauthenticated")])
    if TRIAL_TASK.fullmatch(resource.key):
        return NOT_APPLICABLE
    open_ports = [one for one in resource.data["proxy_ports"] or [] if one.get("unauthenticated")]
    if any(_may_be_ssh(one, resource) for one in open_ports):
        # Every shell has such a port, which SSH's own key guards ([live]); anything else that looks like it is none.
        task = site.by_id("tasks", resource.id)
        if task is not None and task.data["type"] == "shell":
            open_ports = [one for one in open_ports if not _may_be_ssh(one, resource)]
    return _judged_ports([one.get("port") for one in open_ports])


def _may_be_ssh(port: dict[str, object], allocation: Resource) -> bool:
    return port.get("serviceId") == allocation.id and bool(port.get("proxyTcp"))


def _judged_ports(ports: list[object]) -> Outcome:
    if not ports:
        return PASS
    return fail("Whoever reaches the master reaches its port, without a login.", ports=ports)


@control(
    "TSK-02",
    "Interactive task open-ended",
    MEDIUM,
    of="tasks",
    details=("task_config",),
    remediation="Kill it, and set idle_timeout in its template, or notebook_timeout in the master's configuration.",
    example=(
        "- determined.ai.det_task:\n    id: 7c9e6679-7425-40de-944b-e07fc1f90ae7\n    type: notebook\n    state: killed\n"
        "- determined.ai.det_template:\n    name: notebook\n    config:\n      idle_timeout: 30m\n"
    ),
    cis="4.3",
    nist="AC-12, SC-10",
    iso="A.8.6",
    soc2="A1.1",
)
def _open_ended_task(site: Site, task: Resource) -> Outcome:
    kind = task.data["type"]
    if kind == "command" or not is_live(task):
        return NOT_APPLICABLE
    faults: list[str] = []
    most = site.parameters.interactive_max_hours
    age = site.age(task.data["start_time"])
    if age is not None and age > datetime.timedelta(hours=most):
        faults.append(f"It is open for more than {most} hours.")
    if kind in IDLE_WATCHED:
        try:
            # The master's own limit would stand here too: it is put into the configuration at the launch.
            if site.detail("task_config", task).get("idle_timeout") is None:
                faults.append("Nothing ends it when it is idle.")
        except Unseen:
            if not faults:
                raise
    return failing(faults, type=kind, start_time=task.data["start_time"])
