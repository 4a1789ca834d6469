# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""One cluster, on which almost all fails, as auditors with less and less rights see it: for nobody does it get better."""

from __future__ import annotations

import pytest

from ansible_collections.determined.ai.plugins.module_utils._audit.catalogue import CATALOGUE
from tests.simulator import Simulator

from .conftest import PASSWORD, Auditor, Judged
from .spoiled import PARAMETERS, person, spoil

NOT_FAILING = {
    "CLU-01": "the master is reached on this host",
    "GOV-01": "no manifest is given",
    "GOV-02": "no waivers are given",
    "IAM-01": "the passwords are not tried",
}
BASIC_ONLY, RBAC_ONLY = {"IAM-06"}, {"IAM-07", "IAM-10"}

ROLES = ("WorkspaceAdmin", "Editor", "Viewer", "EditorRestricted", "ModelRegistryViewer", "TokenCreator")
"""Some that the product ships (API page identity-and-cluster, section 3): each sees another part."""


def judged(auditor: Auditor) -> Judged:
    return auditor(*CATALOGUE, parameters=PARAMETERS)


def is_told(found: Judged, control: str) -> bool:
    """Whether it is told that a control did not see all."""
    return any(one["status"] in ("unknown", "error") for one in found.of(control))


@pytest.mark.parametrize("authz", ["basic", "rbac"])
def test_nothing_gets_better_for_who_may_see_less(authz: str) -> None:
    with Simulator("empty", authz=authz) as sim:
        whole = judged(spoil(sim))
        failing = {number for number in CATALOGUE if whole.status(number) == "fail"}
        others = RBAC_ONLY if authz == "basic" else BASIC_ONLY
        assert failing == CATALOGUE.keys() - NOT_FAILING.keys() - others
        auditors = {"nobody": person(sim, "nobody")}
        if authz == "rbac":
            # Of the workspace, that is, and of nothing else; a WorkspaceAdmin would be its owner, and so mend it.
            auditors |= {role: person(sim, f"one-{role}", role, 1) for role in ROLES}
            auditors |= {f"{role} of all": person(sim, f"all-{role}", role) for role in ROLES[1:]}
        for who, row in auditors.items():
            found = judged(Auditor(sim, row.username, PASSWORD))
            better = {number: found.status(number) for number in failing} | dict.fromkeys(())
            assert {one: status for one, status in better.items() if status not in ("fail", "unknown")} == {}, who
            # Fewer findings only where it is told that not all was seen.
            fewer = {number for number in failing if len(found.of(number)) < len(whole.of(number))}
            assert {number for number in fewer if not is_told(found, number)} == set(), who
