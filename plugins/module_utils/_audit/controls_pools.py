# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Controls of resource pools and of config policies (API pages identity-and-cluster, section 9, and ml-resources, section 10)."""

from __future__ import annotations

import typing as t

from .._kinds.config_policy import WIRE as WORKLOADS
from .control import HIGH, LOW, MEDIUM, NOT_APPLICABLE, PASS, Outcome, Resource, Unseen, control, fail, failing, unknown
from .site import Site

PRIORITY_SCHEDULER = "SCHEDULER_TYPE_PRIORITY"
UNTOLD = (None, "", "SCHEDULER_TYPE_UNSPECIFIED")


def _policies(site: Site, workspace: Resource, workload: str) -> t.Iterator[t.Mapping[str, t.Any]]:
    """What applies in a workspace, its own policy first.

    :raises Unseen: the next one can't be read.
    """
    yield site.detail("policies", workspace)[workload]
    found = site.by_id("global_policies", workload)
    yield {} if found is None else found.data


def _has(policies: t.Iterable[t.Mapping[str, t.Any]], *paths: str) -> bool:
    """Whether one of the policies says something at one of the paths."""
    return any(_at(policy, path) is not None for policy in policies for path in paths)


def _at(value: t.Any, path: str) -> t.Any:
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _has_priorities(site: Site) -> bool:
    """Whether some pool schedules by priority, so that a limit of it means something.

    :raises Unseen: none does that was seen, and not all were, or not how they do it.
    """
    if any(pool.data["scheduler_type"] == PRIORITY_SCHEDULER for pool in site.seen("resource_pools")):
        return True
    silent = [pool.key for pool in site.all("resource_pools") if pool.data["scheduler_type"] in UNTOLD]
    if silent:
        raise Unseen(f"the master does not say how the resource pool {silent[0]!r} schedules")
    return False


@control(
    "POL-01",
    "No config policies",
    MEDIUM,
    of="workspaces",
    reads=("global_policies", "resource_pools"),
    details=("policies",),
    remediation="Set a config policy for the workspace or for the whole cluster.",
    example=(
        "- determined.ai.det_config_policy:\n    workload_type: experiments\n    constraints:\n      priority_limit: 40\n"
        "      resources:\n        max_slots: 8\n"
    ),
    cis="4.1",
    nist="CM-2, CM-6",
    iso="A.8.9",
    soc2="CC8.1",
)
def _no_config_policies(site: Site, workspace: Resource) -> Outcome:
    def lacking(workload: str, *paths: str) -> bool:
        return not _has(_policies(site, workspace, workload), *paths)

    # What the invariant config fixes needs no limit beside it, and may not have one (400).
    slots = ("constraints.resources.max_slots", "invariant_config.resources.max_slots")
    priority = ("constraints.priority_limit", "invariant_config.resources.priority")
    required = site.parameters.required_invariants or ()
    faults = [f"{workload}: no max_slots." for workload in WORKLOADS if lacking(workload, *slots)]
    faults += [
        f"experiments: no invariant {path}." for path in required if lacking("experiments", f"invariant_config.{path}")
    ]
    try:
        faults += [
            f"{workload}: no priority_limit."
            for workload in WORKLOADS
            if lacking(workload, *priority) and _has_priorities(site)
        ]
    except Unseen:
        if not faults:
            raise
    return failing(sorted(faults))


@control(
    "RPL-01",
    "Pool open to every workspace",
    LOW,
    of="resource_pools",
    reads=("unbound_pools",),
    remediation="Bind the pool to the workspaces that may use it, or name it in allowed_open_pools.",
    example="- determined.ai.det_resource_pool_binding:\n    pool: a100\n    workspaces: [vision]\n",
    cis="3.12",
    nist="AC-3, SC-6",
    iso="A.8.22",
    soc2="CC6.3",
)
def _open_pool(site: Site, pool: Resource) -> Outcome:
    allowed = site.parameters.allowed_open_pools
    if allowed is None or pool.data["default_compute_pool"] or pool.data["default_aux_pool"]:
        # A default pool can't be bound.
        return NOT_APPLICABLE
    if pool.key in allowed or site.by_id("unbound_pools", pool.id) is None:
        return PASS
    return fail("It is bound to no workspace, and so open to all.")


PUBLIC = {"aws": "publicIp", "gcp": "externalIp"}
"""Per provider the field of a pool's details that says whether its agents get public addresses."""

NO_CLOUD = frozenset({"RESOURCE_POOL_TYPE_STATIC", "RESOURCE_POOL_TYPE_K8S"})
"""The types of pools whose agents the master does not make (``resourcepool.proto``)."""


@control(
    "RPL-02",
    "Cloud agents get public addresses",
    HIGH,
    of="resource_pools",
    remediation="Set public_ip (AWS) or external_ip (GCP) of the pool's provider to false in the master's configuration.",
    example=(
        "resource_pools:\n  - pool_name: a100\n    provider:\n      type: aws\n      network_interface:\n        public_ip: false\n"
    ),
    cis="12.2",
    nist="SC-7",
    iso="A.8.20",
    soc2="CC6.6",
)
def _public_agents(site: Site, pool: Resource) -> Outcome:
    for provider, field in PUBLIC.items():
        details = pool.data["details"].get(provider)
        if details is None:
            continue
        if details.get(field) is None:
            return unknown("The master does not say whether its agents get public addresses.", provider=provider)
        return failing(["Its agents get public addresses."] if details[field] else [], provider=provider)
    if pool.data["type"] in NO_CLOUD:
        return NOT_APPLICABLE
    return unknown("The master does not say what makes its agents.", type=pool.data["type"])
