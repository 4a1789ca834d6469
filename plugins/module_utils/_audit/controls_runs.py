# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Controls of the identity that containers run as."""

from __future__ import annotations

from .control import HIGH, NOT_APPLICABLE, PASS, Outcome, Resource, control, fail, unknown
from .site import Site

ROOT = 0


@control(
    "RUN-01",
    "Containers default to root",
    HIGH,
    of="cluster",
    reads=("master_config",),
    remediation="Set security.default_task to a user that is not root in the master's configuration, or link each user and "
    "workspace with det_user and det_workspace.",
    example="security:\n  default_task:\n    user: determined\n    uid: 2000\n    group: determined\n    gid: 2000\n",
    cis="4.1",
    nist="AC-6, CM-6",
    iso="A.8.2",
    soc2="CC6.1",
)
def _default_is_root(site: Site, cluster: Resource) -> Outcome:
    uid = site.config("security.default_task.uid")
    if uid is None:
        return unknown("The master's configuration does not say security.default_task.uid.")
    return PASS if uid != ROOT else fail("security.default_task.uid is 0.", uid=uid)


@control(
    "RUN-02",
    "Agent link is root",
    HIGH,
    of=("users", "workspaces"),
    remediation="Give the user or workspace another identity on agents with the agent_user_group of det_user or det_workspace.",
    example=(
        "- determined.ai.det_user:\n    username: alice\n    agent_user_group:\n      uid: 2001\n      gid: 2001\n"
        "      user: alice\n      group: ml\n"
    ),
    cis="5.4",
    nist="AC-6, SC-39",
    iso="A.8.2",
    soc2="CC6.1",
)
def _link_is_root(site: Site, linked: Resource) -> Outcome:
    link = linked.data["agent_user_group"]
    if link is None or link["agent_uid"] is None or not linked.data.get("active", True):
        return NOT_APPLICABLE
    if link["agent_uid"] != ROOT:
        return PASS
    # The workspace's fields win (master/internal/user/postgres_agentusergroup.go, GetAgentUserGroup).
    whose = "user" if linked.kind == "users" else "workspace"
    return fail(f"What this {whose} runs on agents runs as root.", uid=ROOT, user=link["agent_user"])
