# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Resource pools, and the workspaces that they are bound to. A pool that is bound to none is open to all workspaces.

The pools themselves come from the master's configuration (API page identity-and-cluster, section 9).
"""

from __future__ import annotations

import typing as t
import weakref

from .._wire.errors import BadAnswer, InvalidOption, Rejected
from .._wire.paging import Page, read_memory_list
from .._wire.session import Session, route
from .cluster import ResourcePool, ResourcePools
from .kind import Arguments, Declarable, Field, Normal, Reader, Reference, Task, same_set
from .lookup import Names, nearest
from .user import check_limit

ALL = -1
"""What asks this list for all of it; its default is 100 (API page, section 1.5)."""


class Bindings(Page):
    """The answer of ``GET /resource-pools/{name}/workspace-bindings``."""

    workspace_ids: list[int]

    def items(self) -> list[int]:
        """The ids."""
        return self.workspace_ids


_known: weakref.WeakKeyDictionary[Session, list[ResourcePool]] = weakref.WeakKeyDictionary()
"""A master reads which pools there are when it starts, so a session asks once."""


def _pools(session: Session) -> list[ResourcePool]:
    if session not in _known:
        _known[session] = read_memory_list(session, ResourcePools, "/api/v1/resource-pools")
    return _known[session]


def read_bindings(session: Session, pool: str) -> list[int]:
    """Read the ids of the workspaces that a pool is bound to, as far as the caller may see them.

    :raises BadAnswer: fewer arrived than the list has; but those that the caller may not see are left out of the list alone.
    """
    answer = session.read(Bindings, "bindings", route("resource-pools", pool, "workspace-bindings"), {"limit": ALL})
    pages = answer.pagination
    if pages is not None and pages.total is not None and pages.end_index != pages.total:
        raise BadAnswer(f"The workspaces of the pool {pool!r} arrived to {pages.end_index} of {pages.total} only.")
    return sorted(answer.workspace_ids)


class ResourcePoolBindingKind(Declarable):
    """What a pool is bound to, by the pool's name.

    In the normal form, ``workspaces`` has names; a workspace that the caller can't see by name is its id there, a number.
    """

    name = "resource_pool_binding"
    plural = "resource_pool_bindings"
    completes = True
    fields: t.ClassVar = {"workspaces": Field(same=same_set)}
    arguments = Arguments(
        spec={
            "pool": {"type": "str", "required": True},
            "workspaces": {"type": "list", "elements": "str"},
            "workspaces_mode": {"type": "str", "choices": ["exact", "add", "remove"], "default": "exact"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=(("state", "present", ("workspaces",)),),
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse what names nothing."""
        if not options["pool"]:
            raise InvalidOption("pool is empty: it must be the name of a resource pool.")
        if options["state"] == "absent" and options["workspaces"]:
            raise InvalidOption(
                "workspaces is given with state absent, which unbinds all; to unbind some, use workspaces_mode remove."
            )
        if "" in (options["workspaces"] or ()):
            raise InvalidOption("workspaces has an empty text: it must be the names of workspaces.")

    def find(self, task: Task) -> Normal | None:
        """Read what the pool is bound to, or None where that is nothing."""
        pool = task.options["pool"]
        try:
            ids = read_bindings(task.session, pool)
        except Rejected:
            # The server answers an unknown pool with 500.
            if task.options["state"] == "absent" and all(found.name != pool for found in _pools(task.session)):
                return None
            _check_pool(task.session, pool)
            raise
        return _named({"pool": pool, "workspaces": ids}, task.names) if ids else None

    def wanted(self, task: Task, live: Normal | None) -> Normal | None:
        """Say which workspaces are declared; those that the caller can't see stay."""
        options = task.options
        if live is not None:
            # A list read for a plan has ids, and no way to their names.
            _named(live, task.names)
        bound = [] if live is None else live.get("workspaces", [])
        declared = [] if options["state"] == "absent" else list(dict.fromkeys(options["workspaces"]))
        for name in declared:
            if name not in bound:
                task.names.workspace("workspaces", name)
        if options["state"] == "absent" or options["workspaces_mode"] == "exact":
            after = [*declared, *_unseen(bound)]
        elif options["workspaces_mode"] == "add":
            after = [*bound, *declared]
        else:
            after = [item for item in bound if item not in declared]
        if live is None and (after or options["state"] == "present"):
            _check_pool(task.session, options["pool"], binds=bool(after))
        if not after:
            if bound:
                task.warn(
                    f"The resource pool {options['pool']!r} is bound to no workspace any more: it is open to all."
                )
            return None
        if options["state"] == "absent" and bound:
            task.warn(
                f"The resource pool {options['pool']!r} stays bound to workspaces that you may not see: "
                f"{', '.join(map(str, after))}."
            )
        return {"pool": options["pool"], "workspaces": _sorted(after)}

    def create(self, task: Task, wanted: Normal) -> Normal:
        """Bind the pool."""
        return self._write(task, {"pool": wanted["pool"], "workspaces": []}, wanted["workspaces"])

    def update(self, task: Task, live: Normal, changes: Normal) -> Normal:
        """Bind what is new, then unbind what is left over: never is the pool bound to nothing in between."""
        return self._write(task, live, changes["workspaces"])

    def remove(self, task: Task, live: Normal) -> None:
        """Unbind all workspaces that the caller can see."""
        self._write(task, live, _unseen(live["workspaces"]))

    def blank(self, task: Task) -> Normal:
        """A pool that is bound to nothing."""
        return {"pool": task.options["pool"], "workspaces": []}

    def _write(self, task: Task, live: Normal, wanted: list[t.Any]) -> Normal:
        """Write the difference. Not by PUT, which deletes all bindings before it inserts, in no transaction."""
        path = route("resource-pools", live["pool"], "workspace-bindings")
        known = {workspace.name: workspace.id for workspace in task.names.all_workspaces()}
        new = [known[name] for name in wanted if name not in live["workspaces"]]
        gone = [known[name] for name in live["workspaces"] if name not in wanted and name in known]
        if new:
            task.session.write("POST", path, {"workspaceIds": new})
        if gone:
            task.session.write("DELETE", path, {"workspaceIds": gone})
        ids = read_bindings(task.session, live["pool"])
        by_id = {number: name for name, number in known.items()}
        return {"pool": live["pool"], "workspaces": _sorted(by_id.get(number, number) for number in ids)}

    # --- in a manifest ---

    def key(self, options: dict[str, t.Any]) -> str:
        """The pool's name."""
        return str(options["pool"])

    def read_all(self, session: Session, names: Names) -> list[Normal]:
        """All pools that can be bound; nothing lists those that are."""
        return [{"pool": pool.name} for pool in _pools(session) if not _is_default(pool)]

    def complete(self, session: Session, live: Normal) -> Normal | None:
        """Read what a pool is bound to."""
        ids = read_bindings(session, live["pool"])
        return {**live, "workspaces": ids} if ids else None

    def key_of(self, live: Normal, names: Names) -> str:
        """The pool's name."""
        return str(live["pool"])

    def references(self, options: dict[str, t.Any]) -> t.Sequence[Reference]:
        """The workspaces."""
        return [Reference("workspaces", name, "workspaces") for name in options["workspaces"] or ()]

    def declaration(self, live: Normal, names: Names) -> dict[str, t.Any]:
        """The options that declare what the pool is bound to, as far as it can be seen."""
        bound = _named({**live}, names)["workspaces"]
        return {"pool": live["pool"], "workspaces": [name for name in bound if isinstance(name, str)]}

    def undeclarable(self, live: Normal, names: Names) -> str | None:
        """A workspace that can't be seen can't be named."""
        unseen = _unseen(_named({**live}, names)["workspaces"])
        if unseen:
            return f"It is bound to workspaces that you may not see, ids {', '.join(map(str, unseen))}."
        return None


def _named(live: Normal, names: Names) -> Normal:
    """Put names in place of ids, where there are any: in the object itself, as the comparer gets that one."""
    found = live.get("workspaces", ())
    if any(isinstance(item, int) for item in found):
        known = {workspace.id: workspace.name for workspace in names.all_workspaces()}
        live["workspaces"] = _sorted(known.get(item, item) for item in found)
    return live


def _unseen(bound: t.Iterable[t.Any]) -> list[int]:
    return [item for item in bound if isinstance(item, int)]


def _sorted(bound: t.Iterable[t.Any]) -> list[t.Any]:
    """Names in their order, then ids."""
    return sorted(set(bound), key=lambda item: (isinstance(item, int), str(item)))


def _is_default(pool: ResourcePool) -> bool:
    return pool.default_compute_pool or pool.default_aux_pool


def _check_pool(session: Session, name: str, *, binds: bool = False) -> None:
    """Refuse a pool that is not there, or that is to be bound and can't be.

    :raises InvalidOption: it is unknown, or a default one.
    """
    pools = {pool.name: pool for pool in _pools(session)}
    if name not in pools:
        raise InvalidOption(
            f"pool is {name!r}: there is no such resource pool, or you may not see it.{nearest(name, pools)}"
        )
    if binds and _is_default(pools[name]):
        raise InvalidOption(
            f"pool is {name!r}: it is a default pool of the cluster, which can't be bound to workspaces as all of them use it."
        )


class ResourcePoolReader(Reader):
    """Resource pools with the workspaces that they are bound to."""

    arguments = Arguments(
        spec={
            "name": {"type": "str"},
            "name_contains": {"type": "str"},
            "workspace": {"type": "str"},
            "bound": {"type": "bool"},
            "limit": {"type": "int"},
        },
        mutually_exclusive=(("name", "name_contains"),),
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse a limit below 1."""
        check_limit(options["limit"])

    def read(self, task: Task) -> dict[str, t.Any]:
        """Read the pools that match; one call for each pool that can be bound."""
        options = task.options
        known = {workspace.id: workspace.name for workspace in task.names.all_workspaces()}
        if options["workspace"] is not None:
            task.names.workspace("workspace", options["workspace"])
        found = []
        for pool in read_memory_list(task.session, ResourcePools, "/api/v1/resource-pools"):
            if options["name"] not in (None, pool.name):
                continue
            if (options["name_contains"] or "").casefold() not in pool.name.casefold():
                continue
            ids = [] if _is_default(pool) else read_bindings(task.session, pool.name)
            bound = [{"id": number, "name": known.get(number)} for number in ids]
            if options["bound"] not in (None, bool(bound)):
                continue
            if bound and options["workspace"] not in (None, *(workspace["name"] for workspace in bound)):
                continue
            found.append({**pool.normal(), "workspaces": bound})
        return {"resource_pools": found[: options["limit"]], "total": len(found)}


RESOURCE_POOL_BINDING = ResourcePoolBindingKind()
RESOURCE_POOLS = ResourcePoolReader()
