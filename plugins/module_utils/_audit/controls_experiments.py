# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Controls of experiments (API page ml-resources, section 3). They are called for each of 100,000: what is dear is kept."""

from __future__ import annotations

import datetime
import typing as t

from .containers import images
from .control import HIGH, LOW, MEDIUM, NOT_APPLICABLE, PASS, Outcome, Resource, control, fail, failing, unknown
from .inherited import RELEASE_IMAGE, defaults_for
from .judged_parts import JudgedParts, judged, own_secrets
from .site import Site
from .sources import EXPERIMENT_LIST
from .workload_faults import image_faults, secret_faults
from .workload_state import is_archived, is_live, state_of

UNCATEGORIZED = 1
"""The project that the product makes, in the workspace that it makes."""

SLOT_TYPES = frozenset({"cpu", "cuda", "rocm"})


@control(
    "EXP-01",
    "Running workload uses an unapproved or unpinned image",
    HIGH,
    of=("experiments", "tasks"),
    reads=("resource_pools", "master_config"),
    details=("task_config",),
    remediation="Kill it, and run it again with an image of an approved registry under a fixed tag or digest.",
    example=(
        "- determined.ai.det_config_policy:\n    workload_type: EXPERIMENT\n    workspace: research\n    invariant_config:\n"
        "      environment:\n        image: registry.example.com/team/train:1.2\n"
    ),
    cis="2.5",
    nist="CM-7(5), SI-7",
    iso="A.8.19",
    soc2="CC6.8",
)
def _running_image(site: Site, resource: Resource) -> Outcome:
    if resource.kind == EXPERIMENT_LIST:
        if not is_live(resource) or resource.data["unmanaged"]:
            return NOT_APPLICABLE
        config = resource.data["config"]
        slots = config["resources"].get("slots_per_trial")
    else:
        if not is_live(resource):
            return NOT_APPLICABLE
        config = site.detail("task_config", resource)
        slots = config["resources"].get("slots")
    image = config["environment"].get("image")
    return site.memo(JudgedParts)(_judged_image, image, resource.data["resource_pool"], slots == 0)


def _judged_image(site: Site, image: t.Any, pool: str | None, is_zero_slot: bool) -> Outcome:
    # What has no slot runs the image for processors (master/pkg/tasks/task.go:268).
    slot_types = site.memo(_slot_types) | ({"cpu"} if is_zero_slot else set())
    chosen = {
        slot: name
        for slot, name in images({"image": image}).items()
        if slot in slot_types and not RELEASE_IMAGE.fullmatch(name)
    }
    if image_faults(site, chosen):
        inherited = defaults_for(site, pool).images
        chosen = {slot: name for slot, name in chosen.items() if (slot, name) not in inherited}
    if not chosen:
        return NOT_APPLICABLE
    return failing(image_faults(site, chosen), images=sorted(set(chosen.values())))


def _slot_types(site: Site) -> frozenset[str]:
    """The slot types that some pool has; a pool without agents may have any."""
    found = {(pool.data["slot_type"] or "").removeprefix("TYPE_").lower() for pool in site.all("resource_pools")}
    return frozenset(found) if found and found <= SLOT_TYPES else SLOT_TYPES


@control(
    "EXP-02",
    "Secret or privilege in an experiment's config",
    HIGH,
    of="experiments",
    reads=("master_config", "workspaces"),
    details=("storage",),
    remediation="Change the secret, give it to workloads by the cluster instead, and delete the experiment or run it again.",
    example="- determined.ai.det_experiment:\n    id: 42\n    lifecycle: killed\n    state: absent\n",
    cis="3.11",
    nist="IA-5(7), AC-6",
    iso="A.5.17",
    soc2="CC6.1",
)
def _secret_or_privilege(site: Site, experiment: Resource) -> Outcome:
    data = experiment.data
    found = judged(site, data["config"])
    # The configuration of what has ended is kept, but mounts nothing.
    privileges = found.privileges if found.privileges and is_live(experiment) and not data["unmanaged"] else ()
    if not found.secrets and not privileges:
        return PASS
    inherited = defaults_for(site, data["resource_pool"]).privileges if privileges else frozenset()
    own = [fault for fault in privileges if fault not in inherited]
    faults, fields = secret_faults(site, own_secrets(site, experiment, found.secrets))
    return failing([*faults, *own], state=data["state"], **fields)


@control(
    "EXP-03",
    "No description, labels or project",
    LOW,
    of="experiments",
    remediation="Label the experiment and move it to a project; a description helps too.",
    example=(
        "- determined.ai.det_experiment:\n    id: 42\n    description: What was tried, and why\n    labels: [team-vision]\n"
        "    move_to_project: vision\n    move_to_workspace: research\n"
    ),
    cis="1.1, 3.2",
    nist="CM-8",
    iso="A.5.9",
    soc2="CC2.1",
)
def _not_described(site: Site, experiment: Resource) -> Outcome:
    data = experiment.data
    age, recent = site.age(data["start_time"]), datetime.timedelta(days=site.parameters.experiment_recent_days)
    if is_archived(experiment) or (age is not None and age > recent):
        return NOT_APPLICABLE
    faults = []
    lacking = sorted(set(site.parameters.required_labels or ()).difference(data["labels"] or ()))
    if lacking:
        faults.append(f"It lacks required labels: {', '.join(lacking)}.")
    if data["project_id"] == UNCATEGORIZED:
        faults.append("It is in no project of a team.")
    return failing(faults, labels=data["labels"], project=data["project_name"]) if faults else PASS


@control(
    "EXP-04",
    "Runs too long",
    MEDIUM,
    of="experiments",
    remediation="Ask its owner whether it still learns, and cancel it if not: its last checkpoint stays.",
    example="- determined.ai.det_experiment:\n    id: 42\n    lifecycle: canceled\n",
    nist="SC-5, SC-6, AU-6",
    iso="A.8.6",
    soc2="A1.1",
)
def _runs_too_long(site: Site, experiment: Resource) -> Outcome:
    if state_of(experiment) != "running":
        return NOT_APPLICABLE
    # Seconds since it was started, pauses included (master/internal/api_experiment.go:478).
    days = experiment.data["duration"] / 86400
    most = site.parameters.experiment_max_days
    if days <= most:
        return PASS
    return fail(f"It runs for more than {most} days.", days=round(days, 1), start_time=experiment.data["start_time"])


@control(
    "EXP-05",
    "Paused for ages",
    LOW,
    of="experiments",
    details=("last_allocation",),
    remediation="Cancel the experiment and archive it.",
    example="- determined.ai.det_experiment:\n    id: 42\n    lifecycle: canceled\n    archived: true\n",
    nist="SI-12, CM-8",
    iso="A.8.10",
    soc2="C1.2",
)
def _paused_for_ages(site: Site, experiment: Resource) -> Outcome:
    if state_of(experiment) != "paused":
        return NOT_APPLICABLE
    most = site.parameters.paused_max_days
    # Not read, so None, of one that began later than the limit.
    last = site.detail("last_allocation", experiment)
    age = site.age(last or experiment.data["start_time"])
    if age is not None and age <= datetime.timedelta(days=most):
        return PASS
    return fail(
        f"It holds nothing for more than {most} days.",
        last_allocation_end=last,
        start_time=experiment.data["start_time"],
    )


@control(
    "EXP-06",
    "Owner inactive",
    MEDIUM,
    of="experiments",
    reads=("users",),
    remediation="Kill the experiment, or run it again as somebody who answers for it.",
    example="- determined.ai.det_experiment:\n    id: 42\n    lifecycle: killed\n",
    cis="6.2",
    nist="AC-2",
    iso="A.5.18",
    soc2="CC6.2",
)
def _owner_inactive(site: Site, experiment: Resource) -> Outcome:
    if not is_live(experiment):
        return NOT_APPLICABLE
    owner = site.by_id("users", experiment.data["user_id"])
    if owner is not None and owner.data["active"]:
        return PASS
    return fail(
        "Its owner is not active.", owner=site.username(experiment.data["user_id"]), state=experiment.data["state"]
    )


@control(
    "EXP-07",
    "Failed deletion left data",
    MEDIUM,
    of="experiments",
    remediation="Delete it again once an agent can run the clean-up of its checkpoints.",
    example="- determined.ai.det_experiment:\n    id: 42\n    state: absent\n",
    cis="3.5",
    nist="MP-6, SI-12",
    iso="A.8.10",
    soc2="C1.2",
)
def _failed_deletion(site: Site, experiment: Resource) -> Outcome:
    state = state_of(experiment)
    if state == "delete_failed":
        return fail("Its deletion has failed.", state=state)
    if state != "deleting":
        return PASS
    days = site.parameters.deleting_max_days
    most, before = datetime.timedelta(days=days), site.sighted("deleting", experiment.key)
    if before is not None and site.now - before.first >= most:
        first = before.first.strftime("%Y-%m-%dT%H:%M:%SZ")
        return fail(f"It is being deleted for {days} days or more.", state=state, first_seen=first)
    if before is not None and before.after is not None and site.now - before.after < most:
        return PASS
    return unknown("Since when it is being deleted can't be told: the API has no date of it.", state=state)
