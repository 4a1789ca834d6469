# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Controls of the model registry (API page ml-resources, section 6)."""

from __future__ import annotations

from .control import HIGH, LOW, NOT_APPLICABLE, Outcome, Resource, control, failing
from .site import Site

SHOWN_VERSIONS = 10
"""How many faulty versions of one model are told one by one."""


@control(
    "MOD-01",
    "Model lacks description or labels",
    LOW,
    of="models",
    remediation="Describe and label the model.",
    example=(
        "- determined.ai.det_model:\n    name: image-classifier\n    description: What it tells, and who asks it\n"
        "    labels: [vision, served]\n"
    ),
    cis="1.1",
    nist="CM-8",
    iso="A.5.9",
    soc2="CC2.1",
)
def _model_not_described(site: Site, model: Resource) -> Outcome:
    faults = []
    if not model.data["description"].strip():
        faults.append("It has no description.")
    if not model.data["labels"]:
        faults.append("It has no labels.")
    return failing(faults, description=model.data["description"], labels=model.data["labels"])


@control(
    "MOD-02",
    "Registered version without a usable checkpoint",
    HIGH,
    of="models",
    details=("versions",),
    remediation="Register a version of a checkpoint that is still there, and delete the one whose files are gone.",
    example=(
        "- determined.ai.det_model_version:\n    model: image-classifier\n"
        "    checkpoint_uuid: 4a1c2f6e-6d2b-4c51-9b1e-0f6a3d7c9e55\n"
    ),
    cis="11.5",
    nist="CP-9, SI-7",
    iso="A.8.13",
    soc2="A1.2",
)
def _version_without_checkpoint(site: Site, model: Resource) -> Outcome:
    counted = model.data["num_versions"]
    if not counted:
        return NOT_APPLICABLE
    versions = site.detail("versions", model)
    faults = []
    for one in versions:
        checkpoint = one["checkpoint"]
        if checkpoint["state"] != "completed":
            faults.append(f"The checkpoint of version {one['version']} is {checkpoint['state'].replace('_', ' ')}.")
        elif not checkpoint["resources"]:
            faults.append(f"The checkpoint of version {one['version']} has no files.")
    if len(faults) > SHOWN_VERSIONS:
        faults = [*faults[:SHOWN_VERSIONS], f"So it is with {len(faults) - SHOWN_VERSIONS} more."]
    if len(versions) < counted:
        # The server leaves out a version whose checkpoint it no longer knows, but counts it (API page, section 6.1).
        faults.append("A version's checkpoint is gone altogether, so that the version is not listed.")
    return failing(faults, num_versions=counted, listed_versions=len(versions))
