# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls of config policies and resource pools, each on a planted cluster that fails, passes, and can't be judged."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

import pytest

from tests.simulator import Simulator
from tests.simulator.server import Fault

from .conftest import Auditor, blind

BOTH = {"priority_limit": 40, "resources": {"max_slots": 8}}


@pytest.fixture
def rbac() -> Iterator[Simulator]:
    """A freshly installed cluster under RBAC."""
    with Simulator(fixture="empty", authz="rbac") as simulator:
        yield simulator


def policy(sim: Simulator, workspace_id: int | None, workload: str, **sections: t.Any) -> None:
    sim.master.config_policies[workspace_id, workload] = sections


def faults(auditor: Auditor, **parameters: t.Any) -> list[str]:
    """What POL-01 has against the one workspace of a fresh cluster."""
    found = auditor("POL-01", parameters=parameters)
    if found.status("POL-01") == "pass":
        return []
    assert found.keys("POL-01") == ["fail workspaces/Uncategorized"]
    return t.cast("list[str]", found.of("POL-01")[0]["evidence"]["faults"])


# --- POL-01


def test_pol_01_lists_what_is_lacking_by_workload(sim: Simulator, auditor: Auditor) -> None:
    assert faults(auditor) == [
        "experiments: no max_slots.",
        "experiments: no priority_limit.",
        "tasks: no max_slots.",
        "tasks: no priority_limit.",
    ]
    policy(sim, None, "EXPERIMENT", constraints=BOTH)
    policy(sim, 1, "NTSC", constraints={"resources": {"max_slots": 0}})
    assert faults(auditor) == ["tasks: no priority_limit."]
    policy(sim, None, "NTSC", constraints={"priority_limit": 1})
    # Global and workspace policy together.
    assert faults(auditor) == []


def test_pol_01_what_is_fixed_needs_no_limit(sim: Simulator, auditor: Auditor) -> None:
    policy(sim, None, "NTSC", constraints=BOTH)
    policy(sim, 1, "EXPERIMENT", invariant_config={"resources": {"max_slots": 4, "priority": 50}})
    assert faults(auditor) == []


def test_pol_01_priorities_count_with_their_scheduler_only(sim: Simulator, auditor: Auditor) -> None:
    slots = {"resources": {"max_slots": 8}}
    for workload in ("EXPERIMENT", "NTSC"):
        policy(sim, None, workload, constraints=slots)
    assert faults(auditor) == ["experiments: no priority_limit.", "tasks: no priority_limit."]
    sim.master.resource_pools["default"] = {"schedulerType": "SCHEDULER_TYPE_KUBERNETES"}
    assert faults(auditor) == []
    sim.master.resource_pools["more"] = {}
    assert len(faults(auditor)) == 2


def test_pol_01_required_invariants_are_for_experiments(sim: Simulator, auditor: Auditor) -> None:
    for workload in ("EXPERIMENT", "NTSC"):
        policy(sim, None, workload, constraints=BOTH)
    assert auditor("POL-01").site.parameters.unset == {"required_invariants"}
    required = ["environment.image", "checkpoint_storage"]
    assert faults(auditor, required_invariants=required) == [
        "experiments: no invariant checkpoint_storage.",
        "experiments: no invariant environment.image.",
    ]
    policy(sim, None, "EXPERIMENT", constraints=BOTH, invariant_config={"environment": {"image": "a:1"}})
    policy(sim, 1, "EXPERIMENT", invariant_config={"checkpoint_storage": {"type": "s3"}})
    assert faults(auditor, required_invariants=required) == []


def test_pol_01_is_one_finding_a_workspace(demo: Simulator) -> None:
    found = Auditor(demo)("POL-01")
    assert len(found.of("POL-01")) == len(demo.master.workspaces) > 1


def test_pol_01_who_may_not_see_policies_knows_nothing(rbac: Simulator, sim: Simulator) -> None:
    for cluster in (rbac, sim):
        for workload in ("EXPERIMENT", "NTSC"):
            policy(cluster, None, workload, constraints=BOTH)
    assert blind(rbac)("POL-01").keys("POL-01") == ["unknown workspaces/*"]
    # Under basic authorisation anybody reads them.
    assert blind(sim)("POL-01").status("POL-01") == "pass"


@pytest.mark.parametrize("path", ["config-policies/global", "config-policies/workspaces", "resource-pools"])
def test_pol_01_what_is_not_seen_is_unknown_unless_the_rest_fails(sim: Simulator, auditor: Auditor, path: str) -> None:
    for workload in ("EXPERIMENT", "NTSC"):
        policy(sim, 1, workload, constraints={"resources": {"max_slots": 8}})
    sim.faults.add(Fault("status", path=path, status=403, count=0))
    assert auditor("POL-01").status("POL-01") == "unknown"
    sim.master.config_policies.clear()
    # Without the pools it is still told that there is no max_slots; without policies nothing is.
    assert auditor("POL-01").status("POL-01") == ("fail" if path == "resource-pools" else "unknown")


# --- RPL-01


def test_rpl_01(sim: Simulator, auditor: Auditor) -> None:
    none: dict[str, t.Any] = {"allowed_open_pools": []}
    assert auditor("RPL-01", parameters=none).status("RPL-01") == "not_applicable"
    sim.master.resource_pools |= {"bound": {}, "open": {}, "shared": {}}
    sim.master.pool_bindings["bound"] = {1: None}
    assert auditor("RPL-01", parameters=none).keys("RPL-01") == [
        "fail resource_pools/open",
        "fail resource_pools/shared",
    ]
    found = auditor("RPL-01", parameters={"allowed_open_pools": ["shared"]})
    assert found.keys("RPL-01") == ["fail resource_pools/open"]
    assert (found.controls["RPL-01"]["seen"], found.controls["RPL-01"]["passed"]) == (3, 2)
    del sim.master.resource_pools["open"]
    assert auditor("RPL-01", parameters={"allowed_open_pools": ["shared"]}).status("RPL-01") == "pass"


def test_rpl_01_without_a_list_does_not_apply(sim: Simulator, auditor: Auditor) -> None:
    sim.master.resource_pools["open"] = {}
    found = auditor("RPL-01")
    assert found.status("RPL-01") == "not_applicable"
    assert found.site.parameters.unset == {"allowed_open_pools"}


def test_rpl_01_pools_that_are_not_seen(rbac: Simulator) -> None:
    rbac.master.resource_pools["bound"] = {}
    rbac.master.pool_bindings["bound"] = {1: None}
    assert blind(rbac)("RPL-01", parameters={"allowed_open_pools": []}).keys("RPL-01") == ["unknown resource_pools/*"]


# --- RPL-02


def cloud(provider: str, **details: t.Any) -> dict[str, t.Any]:
    """A pool of a cloud, as the proto has it (resourcepool.proto, ResourcePoolDetail)."""
    none: dict[str, t.Any] = {"aws": None, "gcp": None, "priorityScheduler": None}
    return {"type": f"RESOURCE_POOL_TYPE_{provider.upper()}", "details": {**none, provider: details}}


def test_rpl_02(sim: Simulator, auditor: Auditor) -> None:
    assert auditor("RPL-02").status("RPL-02") == "not_applicable"
    sim.master.resource_pools |= {
        "aws-private": cloud("aws", region="us-west-2", publicIp=False),
        "gcp-private": cloud("gcp", zone="us-west1-b", externalIp=False),
    }
    assert auditor("RPL-02").status("RPL-02") == "pass"
    sim.master.resource_pools |= {
        "aws-public": cloud("aws", region="us-west-2", publicIp=True),
        "gcp-public": cloud("gcp", zone="us-west1-b", externalIp=True),
    }
    found = auditor("RPL-02")
    assert found.keys("RPL-02") == ["fail resource_pools/aws-public", "fail resource_pools/gcp-public"]
    assert found.of("RPL-02")[0]["evidence"]["fields"] == {"provider": "aws"}


def test_rpl_02_what_is_not_told_is_unknown(sim: Simulator, auditor: Auditor, rbac: Simulator) -> None:
    sim.master.resource_pools["odd"] = cloud("aws", region="us-west-2")
    assert auditor("RPL-02").keys("RPL-02") == ["unknown resource_pools/odd"]
    rbac.master.resource_pools["hidden"] = cloud("aws", publicIp=True)
    rbac.master.pool_bindings["hidden"] = {1: None}
    assert blind(rbac)("RPL-02").keys("RPL-02") == ["unknown resource_pools/*"]


def test_a_finding_is_the_same_whatever_else_is_read(sim: Simulator, auditor: Auditor) -> None:
    """The pools are read in two lists for RPL-01."""
    sim.master.resource_pools["public"] = cloud("aws", publicIp=True)
    alone, beside = auditor("RPL-02").of("RPL-02"), auditor("RPL-01", "RPL-02").of("RPL-02")
    assert alone[0]["fingerprint"] == beside[0]["fingerprint"]
