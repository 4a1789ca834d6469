# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Judgements of parts of configurations, kept by content: of 100,000 experiments most have the same."""

from __future__ import annotations

import hashlib
import marshal
import typing as t

from .control import Resource
from .inherited import comparing_key, defaults_for, is_set_elsewhere, without_password
from .secrets import Hit, find_secrets, is_plain
from .site import Site
from .workload_faults import privileges

T = t.TypeVar("T")

MOST = 20_000
"""How many judgements are kept: some MiB. With more, all are forgotten: what is equal comes back soon."""


class JudgedParts:
    """What functions made of parts of configurations, in one audit: thresholds and lists are others in the next."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._kept: dict[tuple[t.Any, ...], t.Any] = {}

    def __call__(self, judge: t.Callable[..., T], part: t.Any, *where: t.Hashable) -> T:
        """What a function makes of a part, which it is called for once where several are equal.

        :param judge: called with the site, the part and `where`; a function of a module, so that it is the same one each time.
        :param part: plain data, as JSON has it.
        :param where: what else the judgement depends on.
        """
        try:
            # Version 2 writes equal data alike, whatever objects it shares. It costs a third of what JSON or repr() do.
            content = marshal.dumps(part, 2)
        except ValueError:
            # Nested too deep for it.
            return judge(self._site, part, *where)
        # Not the content itself: a configuration may have megabytes.
        key = (judge, hashlib.blake2b(content, digest_size=16).digest(), *where)
        found = self._kept.get(key, self)
        if found is self:
            if len(self._kept) >= MOST:
                self._kept.clear()
            found = self._kept[key] = judge(self._site, part, *where)
        return t.cast(T, found)


NAMES = ("name", "description", "labels", "workspace", "project", "reproducibility")
"""Short sections that each experiment may have its own of: to keep them by content costs more than to judge them, which mostly
ends with a look at their texts."""

OWN = ("hyperparameters", "data", "entrypoint", "integrations")
"""Longer sections that differ between experiments which are otherwise the same."""

APART = frozenset({*NAMES, *OWN})


class Judged(t.NamedTuple):
    """What is found in a configuration, whoever set it."""

    secrets: tuple[Hit, ...]
    privileges: tuple[str, ...]


def judged(site: Site, config: dict[str, t.Any]) -> Judged:
    """What is found in an experiment's configuration. What is equal in several is judged once."""
    parts = site.memo(JudgedParts)
    shared = parts(_judged_shared, {name: value for name, value in config.items() if name not in APART})
    names = {name: config[name] for name in NAMES if config.get(name)}
    plain = is_plain(" ".join(str(part) for value in names.values() for part in _parts(value)))
    own = [] if plain else find_secrets(names, evidence_key=comparing_key(site))
    own += [hit for name in OWN if config.get(name) for hit in parts(_secrets_of, config[name], name)]
    return Judged((*shared.secrets, *own), shared.privileges) if own else shared


def _parts(value: t.Any) -> t.Iterable[t.Any]:
    if isinstance(value, dict):
        return (*value, *value.values())
    return value if isinstance(value, list) else (value,)


def _judged_shared(site: Site, config: dict[str, t.Any]) -> Judged:
    parts = site.memo(JudgedParts)
    hits = [hit for name, value in config.items() if value for hit in parts(_secrets_of, value, name)]
    return Judged(tuple(hits), tuple(privileges(site, config)))


def _secrets_of(site: Site, value: t.Any, name: str) -> tuple[Hit, ...]:
    return tuple(find_secrets({name: value}, evidence_key=comparing_key(site)))


REGISTRY, STORAGE = "environment.registry_auth.", "checkpoint_storage."


def own_secrets(site: Site, experiment: Resource, hits: t.Sequence[Hit]) -> list[Hit]:
    """Those secrets of an experiment's configuration that are set nowhere else.

    :raises Unseen: what is set elsewhere can't be seen.
    """
    if not hits:
        return []
    config, defaults = experiment.data["config"], defaults_for(site, experiment.data["resource_pool"])
    found = [hit for hit in hits if hit.mark not in defaults.marks]
    if any(hit.path.startswith(REGISTRY) for hit in found):
        registry = without_password(config["environment"]["registry_auth"])
        if registry in defaults.registries:
            found = [hit for hit in found if not hit.path.startswith(REGISTRY)]
    if any(hit.path.startswith(STORAGE) for hit in found):
        parts, workspace_id = site.memo(JudgedParts), experiment.data["workspace_id"]
        if parts(is_set_elsewhere, config["checkpoint_storage"], workspace_id):
            found = [hit for hit in found if not hit.path.startswith(STORAGE)]
    return found
