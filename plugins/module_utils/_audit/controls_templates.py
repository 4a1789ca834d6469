# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Controls of templates, and of what the cluster sets for all containers (API page ml-resources, section 2)."""

from __future__ import annotations

import typing as t

from .containers import config_faults, default_configs, images
from .control import CRITICAL, HIGH, LOW, MEDIUM, NOT_APPLICABLE, Outcome, Resource, control, failing
from .inherited import places
from .secrets import find_secrets
from .site import Site
from .workload_faults import image_faults, pinning_faults, privileges, registry_faults, secret_faults

UNCATEGORIZED = 1
"""The workspace that the product makes."""

IMAGE_EXAMPLE = (
    "- determined.ai.det_template:\n    name: training\n    config:\n      environment:\n"
    "        image: registry.example.com/team/train:1.2\n"
)


@control(
    "TPL-01",
    "Template image not pinned",
    MEDIUM,
    of="templates",
    remediation="Name the image with a fixed tag or its digest.",
    example=IMAGE_EXAMPLE,
    cis="16.5",
    nist="CM-2, SI-7",
    iso="A.8.9, A.8.19",
    soc2="CC8.1",
)
def _image_not_pinned(site: Site, template: Resource) -> Outcome:
    found = images(template.data["config"].get("environment"))
    return failing(pinning_faults(site, found), images=sorted(set(found.values()))) if found else NOT_APPLICABLE


@control(
    "TPL-02",
    "Template image from an unapproved registry",
    HIGH,
    of="templates",
    remediation="Take the image from an approved registry.",
    example=IMAGE_EXAMPLE,
    cis="2.5",
    nist="CM-7(5), SR-4",
    iso="A.8.19",
    soc2="CC6.8",
)
def _unapproved_registry(site: Site, template: Resource) -> Outcome:
    found = images(template.data["config"].get("environment"))
    if not found or site.parameters.allowed_registries is None:
        return NOT_APPLICABLE
    return failing(registry_faults(site, found), images=sorted(set(found.values())))


@control(
    "TPL-03",
    "Secret inside a template",
    CRITICAL,
    of="templates",
    remediation="Give workloads the secret by a Kubernetes secret, a bind mount or the agent's environment, and change it.",
    example=(
        "- determined.ai.det_template:\n    name: training\n    config:\n      bind_mounts:\n"
        "        - {host_path: /run/secrets/wandb, container_path: /run/secrets/wandb, read_only: true}\n"
    ),
    cis="3.11",
    nist="IA-5(7), SC-28",
    iso="A.5.17, A.8.12",
    soc2="CC6.1",
)
def _secret_in_template(site: Site, template: Resource) -> Outcome:
    faults, fields = secret_faults(site, find_secrets(template.data["config"], evidence_key=site.evidence_key))
    return failing(faults, **fields)


@control(
    "TPL-04",
    "Template asks for privilege",
    HIGH,
    of="templates",
    remediation="Take the privilege out of the template, and forbid it by a config policy.",
    example=(
        "- determined.ai.det_config_policy:\n    workload_type: EXPERIMENT\n    invariant_config:\n      environment:\n"
        "        add_capabilities: []\n"
    ),
    cis="4.1",
    nist="AC-6, CM-7, SC-39",
    iso="A.8.9",
    soc2="CC6.1",
)
def _template_asks_for_privilege(site: Site, template: Resource) -> Outcome:
    return failing(privileges(site, template.data["config"]))


@control(
    "TPL-05",
    "Template is not valid, or sits in the default workspace",
    LOW,
    of="templates",
    remediation="Correct the keys of the template, and give it to a workspace of its team.",
    example=(
        "- determined.ai.det_template:\n    name: training\n    workspace: research\n    config:\n"
        "      resources:\n        slots_per_trial: 4\n"
    ),
    cis="4.1",
    nist="CM-6",
    iso="A.8.9",
    soc2="CC8.1",
)
def _template_not_valid(site: Site, template: Resource) -> Outcome:
    faults = config_faults(template.data["config"])
    if template.data["workspace_id"] == UNCATEGORIZED:
        faults.append("It is in the default workspace, where everybody who may write templates may change it.")
    return failing(faults)


@control(
    "TPL-06",
    "The same four for cluster defaults",
    HIGH,
    of="cluster",
    reads=("master_config",),
    remediation="Correct task_container_defaults in the master's configuration, of the cluster and of each pool.",
    example=(
        "task_container_defaults:\n  image: registry.example.com/team/train:1.2\n  bind_mounts:\n"
        "    - {host_path: /data, container_path: /data, read_only: true}\n"
    ),
    cis="4.1",
    nist="CM-6",
    iso="A.8.9",
    soc2="CC8.1",
)
def _cluster_defaults(site: Site, cluster: Resource) -> Outcome:
    faults: list[str] = []
    shown: dict[str, t.Any] = {}
    for place in places(site):
        # Of an image that is not set the release's own is used, which is not shown here.
        told = image_faults(site, images(place.content))
        told += [fault for config in default_configs(place.content) for fault in privileges(site, config)]
        faults += [f"{place.path}: {fault}" for fault in dict.fromkeys(told)]
        hits = find_secrets({place.path: place.content}, evidence_key=site.evidence_key, masks_count=True)
        told, fields = secret_faults(site, hits)
        faults += told
        shown.setdefault("marks", []).extend(fields.get("marks", []))
    return failing(faults, **{name: value for name, value in shown.items() if value})
