# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""What workloads take over from the cluster, a resource pool or a workspace: it is judged where it is set, once.

The master stores an experiment's configuration with all of it merged in (master/internal/core_experiment.go:265).
"""

from __future__ import annotations

import functools
import re
import secrets
import typing as t

from .._kinds.masking import MASK
from .containers import default_configs, images
from .secrets import find_secrets
from .site import Site
from .workload_faults import privileges

RELEASE_IMAGE = re.compile(
    r"determinedai/(?:pytorch-ngc:\d+\.\d+\.\d+|environments:[\w.-]+-(?:[0-9a-f]{7}|\d+\.\d+\.\d+))"
)
"""The form of the images that a release uses where none is set (``master/pkg/schemas/expconf/const.go``). The stored
configuration does not tell whether somebody chose one."""


class Place(t.NamedTuple):
    """Where the cluster sets something for all containers.

    :ivar path: in the master's configuration.
    :ivar pool: the resource pool that it is for; None is all.
    :ivar content: ``task_container_defaults``, as it is.
    """

    path: str
    pool: str | None
    content: dict[str, t.Any]


class Defaults:
    """What stands in the configuration of a workload because the cluster set it, for all or for its pool.

    :param given: where.
    """

    def __init__(self, site: Site, given: t.Sequence[Place]) -> None:
        self._site = site
        self._contents = [place.content for place in given]

    @functools.cached_property
    def images(self) -> frozenset[tuple[str, str]]:
        """Slot types and images."""
        return frozenset(pair for content in self._contents for pair in images(content).items())

    @functools.cached_property
    def marks(self) -> frozenset[str]:
        """The marks of the secrets that are set in clear, see `secrets.keyed_digest`."""
        key = comparing_key(self._site)
        return frozenset(
            hit.mark for content in self._contents for hit in find_secrets(content, evidence_key=key) if hit.mark
        )

    @functools.cached_property
    def registries(self) -> list[dict[str, t.Any]]:
        """The credentials whose password is not shown, without it."""
        found = [content.get("registry_auth") or {} for content in self._contents]
        return [without_password(one) for one in found if one.get("password") == MASK]

    @functools.cached_property
    def privileges(self) -> frozenset[str]:
        """The faults of what is set."""
        configs = [config for content in self._contents for config in default_configs(content)]
        return frozenset(fault for config in configs for fault in privileges(self._site, config))


def places(site: Site) -> list[Place]:
    """Where the cluster sets something for all containers.

    :raises Unseen: the configuration can't be seen.
    """
    found = [Place("task_container_defaults", None, site.config("task_container_defaults") or {})]
    managers = site.config("additional_resource_managers", None) or []
    pools = [
        *(site.config("resource_pools") or []),
        *(one for more in managers for one in more["resource_pools"] or []),
    ]
    found += [
        Place(
            f"resource_pools.{one['pool_name']}.task_container_defaults",
            one["pool_name"],
            one["task_container_defaults"],
        )
        for one in pools
        if one.get("task_container_defaults")
    ]
    return found


def comparing_key(site: Site) -> bytes:
    """What secrets are compared by in this audit: the key for evidence, or one that nobody keeps."""
    return site.evidence_key or site.memo(_random_key)


def _random_key(site: Site) -> bytes:
    return secrets.token_bytes(32)


def defaults_for(site: Site, pool: str | None) -> Defaults:
    """What workloads of a pool get: what is set for all, and what is set for the pool (the agents' resource manager merges them).

    :raises Unseen: the configuration can't be seen.
    """
    known = site.memo(_defaults)
    return known.get(pool) or known[None]


def _defaults(site: Site) -> dict[str | None, Defaults]:
    cluster, *pools = places(site)
    return {
        None: Defaults(site, [cluster]),
        **{place.pool: Defaults(site, [cluster, *(one for one in pools if one.pool == place.pool)]) for place in pools},
    }


def without_password(registry: dict[str, t.Any]) -> dict[str, t.Any]:
    """What is left of a registry's credentials to tell them by."""
    return {name: value for name, value in registry.items() if name != "password" and value}


def storages(site: Site, workspace_id: int) -> list[dict[str, t.Any]]:
    """The checkpoint storage that the cluster and a workspace set.

    :raises Unseen: either can't be seen.
    """
    found = [site.config("checkpoint_storage")]
    workspace = site.by_id("workspaces", workspace_id)
    if workspace is not None:
        found.append(site.detail("storage", workspace))
    return [one for one in found if one]


def is_set_elsewhere(site: Site, storage: dict[str, t.Any], workspace_id: int) -> bool:
    """Whether a storage is the one that the cluster or a workspace sets.

    :raises Unseen: either can't be seen.
    """
    return any(is_same_place(storage, one) for one in storages(site, workspace_id))


def is_same_place(storage: dict[str, t.Any], other: dict[str, t.Any]) -> bool:
    """Whether two storages are the same but for what is masked in the second, and how many checkpoints are kept.

    Not all of one comes from the other: an experiment may set its bucket and take over the keys, which makes them no less its own.
    """
    return _told(storage) == {
        **_told(other),
        **{name: value for name, value in storage.items() if other.get(name) == MASK},
    }


def _told(storage: dict[str, t.Any]) -> dict[str, t.Any]:
    return {
        name: value
        for name, value in storage.items()
        if value is not None and not name.startswith("save_") and name != "propagation"
    }
