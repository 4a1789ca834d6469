# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""What is wrong with the configuration of a workload by the site's thresholds and lists, in the words of reports."""

from __future__ import annotations

import typing as t

from .._kinds.masking import masked_text
from .containers import pinning_fault, privilege_faults, registry_fault
from .secrets import Hit
from .site import Site

SHOWN = 20
"""How many secrets of one object are told one by one."""

LONGEST = 200
"""Characters of an image's name that are told."""


def image_faults(site: Site, images: t.Mapping[str, str]) -> list[str]:
    """What is wrong with images, both ways."""
    return [*pinning_faults(site, images), *registry_faults(site, images)]


def pinning_faults(site: Site, images: t.Mapping[str, str]) -> list[str]:
    """What lets images change under their names."""
    by = site.parameters.image_pinning
    return _of_images(images, lambda image: pinning_fault(image, by))


def registry_faults(site: Site, images: t.Mapping[str, str]) -> list[str]:
    """Which images are from registries that are not allowed; none where nobody has said which are."""
    allowed = site.parameters.allowed_registries
    return [] if allowed is None else _of_images(images, lambda image: registry_fault(image, allowed))


def _of_images(images: t.Mapping[str, str], fault_of: t.Callable[[str], str | None]) -> list[str]:
    found: dict[str, list[str]] = {}
    for slot, image in images.items():
        fault = fault_of(image)
        if fault is not None:
            shown = masked_text(image if len(image) <= LONGEST else f"{image[:LONGEST]}...")
            found.setdefault(f"{shown}: {fault}", []).append(slot)
    return [f"{' and '.join(slots)} {told}" for told, slots in found.items()]


def privileges(site: Site, config: dict[str, t.Any]) -> list[str]:
    """Where a configuration asks for more than a container has, and than the site allows."""
    capabilities = {_capability(name) for name in site.parameters.allowed_capabilities or ()}
    devices = set(site.parameters.allowed_devices or ())
    if capabilities or devices:
        environment, resources = config.get("environment") or {}, config.get("resources") or {}
        added, passed_on = environment.get("add_capabilities") or [], resources.get("devices") or []
        config = {
            **config,
            "environment": {
                **environment,
                "add_capabilities": [name for name in added if _capability(name) not in capabilities],
            },
            "resources": {**resources, "devices": [one for one in passed_on if _host_path(one) not in devices]},
        }
    return privilege_faults(config, site.parameters.allowed_bind_mounts)


def _capability(name: t.Any) -> str:
    """A capability without the prefix that it may have: Docker takes both."""
    return str(name).upper().removeprefix("CAP_")


def _host_path(device: t.Any) -> t.Any:
    return device.get("host_path") if isinstance(device, dict) else str(device).partition(":")[0]


def secret_faults(site: Site, hits: t.Sequence[Hit]) -> tuple[list[str], dict[str, t.Any]]:
    """Sentences and fields of the evidence. Marks are shown only where the audit has a key for them."""
    told = hits[:SHOWN]
    faults = [f"{hit.path} is a secret in clear ({hit.rule})." for hit in told]
    if len(hits) > SHOWN:
        faults.append(f"So are {len(hits) - SHOWN} more.")
    marks = [{"path": hit.path, "mark": hit.mark} for hit in told if hit.mark] if site.evidence_key else []
    return faults, {"marks": marks} if marks else {}
