# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""What a control may ask: everything that was read, and what of it was not seen."""

from __future__ import annotations

import collections
import datetime
import typing as t

from .._kinds.masking import MASK
from .._kinds.rights import CLUSTER_ADMIN
from .control import Resource, Unseen
from .profile import Parameters
from .snapshot import Snapshot

REQUIRED: t.Any = object()

T = t.TypeVar("T")


class Sighting(t.NamedTuple):
    """When an object was first seen in a state.

    :ivar first: the audit that saw it first.
    :ivar after: the audit before that one that saw all there was, and not this: it came about after that. None if there was none.
    """

    first: datetime.datetime
    after: datetime.datetime | None


class Site:
    """A cluster as it was read, with the thresholds to judge it by. Controls read it, and change nothing.

    :ivar now: the audit's time, UTC.
    :ivar parameters: thresholds and site lists; one that nobody set is None, and noted as not configured.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        parameters: Parameters,
        now: datetime.datetime,
        *,
        sightings: t.Mapping[str, t.Mapping[str, Sighting]] | None = None,
        evidence_key: bytes | None = None,
    ) -> None:
        self.now = now
        self.parameters = parameters
        self.evidence_key = evidence_key
        self._snapshot = snapshot
        self._sightings = sightings or {}
        self._memo: dict[t.Callable[[Site], t.Any], t.Any] = {}
        self.noted: dict[str, set[str]] = collections.defaultdict(set)
        """What this audit has seen that the next one wants to know of, see `sighted`."""

    # --- who and what ---

    @property
    def rights(self) -> t.Any:
        """What the auditor may do (`rights.Rights`)."""
        return self._snapshot.rights

    @property
    def rbac(self) -> bool:
        """Whether RBAC is enforced."""
        return self._snapshot.rights.rbac

    @property
    def master(self) -> dict[str, t.Any]:
        """What the master says of itself (`cluster.Master`)."""
        return self._snapshot.master

    @property
    def connection(self) -> dict[str, t.Any]:
        """How the master is reached: ``url``."""
        return self._snapshot.connection

    @property
    def has_manifest(self) -> bool:
        """Whether it is known what the cluster should be."""
        return self._snapshot.manifest is not None

    # --- lists ---

    def seen(self, what: str) -> t.Sequence[Resource]:
        """What arrived of a list, whole or not."""
        return self._snapshot.lists[what].items

    def all(self, what: str) -> t.Sequence[Resource]:
        """A list.

        :raises Unseen: it is not whole, so that nothing can be concluded from what is not in it.
        """
        found = self._snapshot.lists[what]
        if found.gap is not None:
            raise Unseen(found.gap, what)
        return found.items

    def by_id(self, what: str, number: int | str | None) -> Resource | None:
        """An object by its id, or None if there is none.

        :raises Unseen: it did not arrive, and the list is not whole.
        """
        found = self._snapshot.lists[what].by_id().get(number)
        if found is None:
            self.all(what)
        return found

    def detail(self, name: str, resource: Resource) -> t.Any:
        """What was read beyond the lists of one resource.

        :raises Unseen: it could not be read.
        """
        return self._snapshot.detail(name, resource)

    @property
    def checkpoint_bytes(self) -> int:
        """What the checkpoints of all experiments that arrived hold together. Only known once all are judged.

        :raises Unseen: the list does not say it of each.
        """
        found = self._snapshot.checkpoint_bytes
        if found is None:
            raise Unseen("the list of experiments does not say what their checkpoints hold")
        return found

    def username(self, number: int | None) -> str:
        """The name of a user, or its number where it can't be told."""
        found = self._snapshot.lists["users"].by_id().get(number) if "users" in self._snapshot.lists else None
        return f"user {number}" if found is None else found.key

    # --- the master's configuration ---

    def config(self, path: str, default: t.Any = REQUIRED) -> t.Any:
        """A value of the master's configuration.

        :param path: keys with dots between them, as in ``security.token.max_lifespan_days``.
        :param default: what stands for an absent one; without it an absent one is not shown, as masters of this release have it.
        :raises Unseen: the configuration, or this value, is not shown.
        """
        found: t.Any = self.all("master_config")[0].data
        for name in path.split("."):
            found = found.get(name, REQUIRED) if isinstance(found, dict) else REQUIRED
            if found is REQUIRED:
                if default is REQUIRED:
                    raise Unseen(f"{path} is not in the configuration that this master shows")
                return default
        if found == MASK:
            raise Unseen(f"{path} of the master's configuration is masked")
        return found

    # --- people ---

    @property
    def admins(self) -> frozenset[int]:
        """The ids of the active administrators: by the flag, under RBAC by the role in the whole cluster, groups expanded.

        :raises Unseen: they can't be told.
        """
        return self.memo(_admins)

    def is_active(self, number: int | None) -> bool:
        """Whether there is such a user, and it is active.

        :raises Unseen: it did not arrive, and the list is not whole.
        """
        found = self.by_id("users", number)
        return found is not None and bool(found.data["active"])

    def holders(self, role: str, workspace_id: int | None) -> set[int]:
        """The ids of those that hold a role in a workspace, or for None in the whole cluster, groups expanded, active or not.

        :raises Unseen: the assignments or the members of a group can't be seen.
        """
        found: set[int] = set()
        for grant in self.memo(_grants).get((role, workspace_id), ()):
            if grant.data["user_id"] is not None:
                found.add(grant.data["user_id"])
            else:
                group = self.by_id("groups", grant.data["group_id"])
                if group is not None:
                    found |= self.detail("members", group)
        return found

    # --- what is worked out once ---

    def memo(self, build: t.Callable[[Site], T]) -> T:
        """What a function makes of this audit, which it is called for once, whether there is a result or it can't be told.

        :param build: a function of a module, so that it is the same one each time.
        :raises Unseen: as the function.
        """
        if build not in self._memo:
            try:
                self._memo[build] = build(self)
            except Unseen as unseen:
                self._memo[build] = unseen
        found = self._memo[build]
        if isinstance(found, Unseen):
            # Without those that it was raised with before: they would pile up.
            raise found.with_traceback(None)
        return t.cast(T, found)

    # --- time ---

    def age(self, text: str | None) -> datetime.timedelta | None:
        """How long ago a time was that the master gave; None where it gave none."""
        return None if not text else self.now - moment(text)

    def sighted(self, what: str, number: int | str) -> Sighting | None:
        """When the history first saw something, or None without one. Also notes that it was seen now.

        :param what: of which store, such as ``users``.
        """
        self.noted[what].add(str(number))
        return self._sightings.get(what, {}).get(str(number))


def _admins(site: Site) -> frozenset[int]:
    if site.rbac:
        return frozenset(number for number in site.holders(CLUSTER_ADMIN, None) if site.is_active(number))
    return frozenset(t.cast(int, user.id) for user in site.all("users") if user.data["active"] and user.data["admin"])


def _grants(site: Site) -> dict[tuple[str, int | None], list[Resource]]:
    """The role assignments by role and workspace."""
    found: dict[tuple[str, int | None], list[Resource]] = {}
    for grant in site.all("role_assignments"):
        found.setdefault((grant.data["role"], grant.data["workspace_id"]), []).append(grant)
    return found


def moment(text: str) -> datetime.datetime:
    """A time as the master writes it, which may have nanoseconds.

    :raises ValueError: it is none.
    """
    found = datetime.datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)
