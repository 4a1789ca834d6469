# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Controls of checkpoint storage: of the cluster, of workspaces, and of experiments where theirs is another."""

from __future__ import annotations

import typing as t

from .containers import static_keys, storage_fault
from .control import HIGH, LOW, MEDIUM, NOT_APPLICABLE, PASS, Outcome, Resource, Unseen, control, fail
from .inherited import is_set_elsewhere
from .judged_parts import JudgedParts
from .site import Site
from .sources import CLUSTER, EXPERIMENT_LIST
from .workload_state import is_archived

GIB = 1 << 30

HOST_PATHS = frozenset({"shared_fs", "directory"})
"""The types of storage that are a path on the agents' hosts."""

KEYED = frozenset({"s3", "azure"})
"""The types of storage that can have keys in the configuration."""

OBJECT_STORES = KEYED | {"gcs"}


def _storage_of(site: Site, resource: Resource) -> dict[str, t.Any] | None:
    """What a place sets for checkpoints, or None where it sets nothing."""
    if resource.kind == CLUSTER:
        return t.cast("dict[str, t.Any] | None", site.config("checkpoint_storage"))
    return t.cast("dict[str, t.Any] | None", site.detail("storage", resource))


@control(
    "CKP-01",
    "Checkpoints on a shared host path",
    MEDIUM,
    of=("cluster", "workspaces", "experiments"),
    reads=("master_config", "workspaces"),
    details=("storage",),
    remediation="Keep checkpoints in an object store with encryption.",
    example=(
        "- determined.ai.det_workspace:\n    name: research\n    checkpoint_storage_config:\n      type: s3\n"
        "      bucket: research-checkpoints\n"
    ),
    cis="3.3, 3.11",
    nist="SC-28, AC-3",
    iso="A.8.3",
    soc2="CC6.1",
)
def _shared_path(site: Site, resource: Resource) -> Outcome:
    if resource.kind == EXPERIMENT_LIST:
        storage = resource.data["config"].get("checkpoint_storage")
        return site.memo(JudgedParts)(_path_of_experiments, storage, resource.data["workspace_id"])
    return _judged_path(site, _storage_of(site, resource))


def _path_of_experiments(site: Site, storage: dict[str, t.Any] | None, workspace_id: int) -> Outcome:
    """What is said of the experiments of a workspace that have the same storage: nothing, unless they set it themselves."""
    found = _judged_path(site, storage)
    if storage and found.status == "fail" and is_set_elsewhere(site, storage, workspace_id):
        return NOT_APPLICABLE
    return found


def _type(storage: dict[str, t.Any]) -> str:
    """What sort of storage it is.

    :raises Unseen: of none that is known (``master/pkg/schemas/expconf/storage_config.go``).
    """
    kind = storage.get("type")
    if kind not in HOST_PATHS and kind not in OBJECT_STORES:
        raise Unseen(f"checkpoint_storage is of the type {kind!r}, which is not known here")
    return str(kind)


def _judged_path(site: Site, storage: dict[str, t.Any] | None) -> Outcome:
    if storage is None:
        return NOT_APPLICABLE
    kind = _type(storage)
    if kind in OBJECT_STORES:
        return PASS
    allowed = site.parameters.allowed_storage_paths
    if allowed is None:
        return NOT_APPLICABLE
    fault = storage_fault(storage, allowed)
    if fault is None:
        return PASS
    return fail(fault, type=kind, host_path=storage.get("host_path"), container_path=storage.get("container_path"))


@control(
    "CKP-02",
    "Static storage keys",
    HIGH,
    of=("cluster", "workspaces"),
    reads=("master_config",),
    details=("storage",),
    remediation="Give agents an instance role or a workload identity, take the keys out, and change them: experiments have them.",
    example="checkpoint_storage:\n  type: s3\n  bucket: checkpoints\n",
    cis="5.5",
    nist="IA-5",
    iso="A.5.17",
    soc2="CC6.1",
)
def _static_keys(site: Site, resource: Resource) -> Outcome:
    storage = _storage_of(site, resource)
    if storage is None or _type(storage) not in KEYED:
        return NOT_APPLICABLE
    found = static_keys(storage)
    if not found:
        return PASS
    return fail(
        f"{' and '.join(found)} are set, and stand in clear in each experiment there, for all who may view it.",
        type=storage["type"],
    )


@control(
    "CKP-03",
    "No checkpoint retention",
    LOW,
    of=("experiments", "cluster"),
    remediation="Delete checkpoints that nobody needs, and let experiments keep fewer by checkpoint_storage.save_*.",
    example=(
        "- determined.ai.det_checkpoint:\n    uuid: 4a1c2f6e-6d2b-4c51-9b1e-0f6a3d7c9e55\n    state: absent\n"
        "- determined.ai.det_template:\n    name: training\n    config:\n      checkpoint_storage:\n"
        "        save_experiment_best: 0\n        save_trial_best: 1\n        save_trial_latest: 0\n"
    ),
    cis="3.4, 3.5",
    nist="SI-12",
    iso="A.8.10",
    soc2="C1.2",
)
def _no_retention(site: Site, resource: Resource) -> Outcome:
    if resource.kind == EXPERIMENT_LIST:
        return _archived_checkpoints(site, resource)
    most = site.parameters.checkpoint_budget_gib
    if most is None:
        return NOT_APPLICABLE
    if site.checkpoint_bytes > most * GIB:
        total = round(site.checkpoint_bytes / GIB, 1)
        return fail(f"All checkpoints together hold more than {most} GiB.", checkpoint_gib=total)
    # More may be there than was seen.
    site.all(EXPERIMENT_LIST)
    return PASS


def _archived_checkpoints(site: Site, experiment: Resource) -> Outcome:
    most = site.parameters.archived_checkpoint_gib
    if most is None or not is_archived(experiment):
        return NOT_APPLICABLE
    size = int(experiment.data["checkpoint_size"])
    if size <= most * GIB:
        return PASS
    storage = experiment.data["config"].get("checkpoint_storage") or {}
    kept = {name: value for name, value in storage.items() if name.startswith("save_")}
    return fail(
        f"It is archived, and its checkpoints still hold more than {most} GiB.",
        checkpoint_gib=round(size / GIB, 1),
        checkpoint_count=experiment.data["checkpoint_count"],
        **kept,
    )
