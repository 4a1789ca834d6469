# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""What a cluster has, for an audit: each list read once, details only where a control needs them, experiments page by page.

The server shortens lists silently, so each list knows why it may not be whole. A list that can't be read at all is an empty
one that is not whole: nothing here ends an audit but that the master can't be talked to.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import functools
import re
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from .._gitops.directory import UNREADABLE as HIDDEN
from .._gitops.directory import Directory
from .._gitops.kinds import KINDS
from .._gitops.manifest import Manifest
from .._kinds.checkpoint import Checkpoint
from .._kinds.cluster import Agents, Config, ResourcePool, ResourcePools, read_master
from .._kinds.config_policy import WIRE as WORKLOADS
from .._kinds.config_policy import find_policy
from .._kinds.experiment_list import PATH as EXPERIMENTS
from .._kinds.kind import Normal
from .._kinds.master_log import logged_config, read_entries
from .._kinds.rights import CLUSTER_ADMIN, Rights
from .._kinds.task import TYPES, find_task, read_tasks
from .._kinds.token_list import read_all_tokens
from .._kinds.user import BUILT_IN_IDS
from .._wire import errors
from .._wire.login import ACCEPTED, INACTIVE, try_password
from .._wire.paging import Page, pages_by_key, read_memory_list
from .._wire.session import Session, decode, route
from .._wire.session_pool import SessionPool
from .control import Resource, Unseen
from .drift import read_drift

UNREADABLE = (*HIDDEN, errors.BadAnswer)
"""What a master says of a list that it does not show, or cuts; others can be read all the same."""

SECONDS_BETWEEN = 3.0
"""How often progress is told."""

NOT_READ = "the audit ended before it was read"

PAGE = 500
"""Experiments a call, with their configs: about 2 MiB, far from the 128 MiB at which an answer is cut."""

WORKSPACE_ADMIN = "WorkspaceAdmin"
BLANK_PASSWORDS = "blank_passwords"


@dataclasses.dataclass
class Listed:
    """A list as it was read.

    :ivar items: what arrived.
    :ivar endpoint: where it was read.
    :ivar read_at: when, UTC.
    :ivar gap: why it may not be whole, or None: it is.
    """

    items: t.Sequence[Resource]
    endpoint: str
    read_at: datetime.datetime
    gap: str | None = None
    _by_id: dict[int | str | None, Resource] | None = None

    def by_id(self) -> dict[int | str | None, Resource]:
        """The objects by id."""
        if self._by_id is None:
            self._by_id = {item.id: item for item in self.items}
        return self._by_id


@dataclasses.dataclass(frozen=True)
class Source:
    """How a list is read.

    :ivar endpoint: for the evidence.
    :ivar read: reads it.
    :ivar whole: the list of `rights.WHOLE` that tells whether it is whole, or None: anyone sees all of it.
    :ivar unasked: for what is read only on demand, since it leaves a trace on the master: the gap where nobody demands it.
    """

    endpoint: str
    read: t.Callable[[Session, Directory], list[Resource]]
    whole: str | None
    unasked: str | None = None


@dataclasses.dataclass(frozen=True)
class Detail:
    """What is read of single resources, beyond their list.

    :ivar of: the list of the resources.
    :ivar endpoint: for the evidence.
    :ivar wants: whether it is read of a resource.
    :ivar read: reads it.
    """

    of: str
    endpoint: str
    wants: t.Callable[[Snapshot, Resource], bool]
    read: t.Callable[[Session, Resource], t.Any]


# --- lists ---


def _declarable(plural: str) -> t.Callable[[Session, Directory], list[Resource]]:
    """A list of a kind that manifests know, with their keys."""

    def read(session: Session, directory: Directory) -> list[Resource]:
        found, twice = directory.objects(plural), directory.twice(plural)
        return [
            Resource(plural, key, one.get("id"), one) for key, item in found.items() for one in twice.get(key, [item])
        ]

    return read


def _read_tokens(session: Session, directory: Directory) -> list[Resource]:
    """All tokens, the expired and revoked ones too; sessions are none of them."""
    usernames = {user.id: user.username for user in directory.all_users()}
    return [
        Resource(
            "tokens",
            f"{usernames.get(token.user_id, token.user_id)}/{token.description}",
            token.id,
            {**token.normal(), "username": usernames.get(token.user_id)},
        )
        for token in read_all_tokens(session, inactive=True)
    ]


def _read_tasks(session: Session, directory: Directory) -> list[Resource]:
    return [Resource("tasks", one["id"], one["id"], one) for kind in TYPES for one in read_tasks(session, kind)]


def _read_agents(session: Session, directory: Directory) -> list[Resource]:
    found = read_memory_list(session, Agents, "/api/v1/agents")
    return [Resource("agents", agent.id, agent.id, agent.normal()) for agent in found]


class DetailedPool(ResourcePool):
    """A pool with the ``details`` of what runs its agents, which are the provider's own."""

    details: dict[str, t.Any] | None = None


class DetailedPools(Page):
    """One answer of ``GET /resource-pools``."""

    resource_pools: list[DetailedPool]

    def items(self) -> list[DetailedPool]:
        """The pools."""
        return self.resource_pools


def _read_pools(session: Session, directory: Directory) -> list[Resource]:
    found = read_memory_list(session, DetailedPools, "/api/v1/resource-pools")
    return [Resource("resource_pools", pool.name, pool.name, pool.normal()) for pool in found]


def _read_unbound_pools(session: Session, directory: Directory) -> list[Resource]:
    found = read_memory_list(session, ResourcePools, "/api/v1/resource-pools", {"unbound": True})
    return [Resource("resource_pools", pool.name, pool.name, pool.normal()) for pool in found]


def _read_config(session: Session, directory: Directory) -> list[Resource]:
    """The master's configuration as one object, secrets and all: what it shows of them is evidence."""
    answer = session.call("GET", "/api/v1/master/config")
    found = decode(answer, Config.model_validate, answer.json(), "a configuration")
    return [Resource("master_config", "config", None, found.config)]


def _read_first_log_entry(session: Session, directory: Directory) -> list[Resource]:
    """The oldest entry of the log's ring, with the configuration that the first of all is, secrets and all."""
    return [
        Resource("master_log", str(entry.id), entry.id, {"config": logged_config(entry.message)})
        for entry in read_entries(session, 0, limit=1)
    ]


def _read_allocations(session: Session, directory: Directory) -> list[Resource]:
    """What is scheduled, whatever its kind (``GET /tasks``): the allocations, each under the id of its task."""
    found = session.get("/api/v1/tasks").get("allocationIdToSummary") or {}
    return [Resource("tasks", one["taskId"], one["taskId"], snake(one)) for one in found.values()]


def _read_global_policies(session: Session, directory: Directory) -> list[Resource]:
    return [
        Resource("config_policies", f"global/{workload}", workload, find_policy(session, workload, None) or {})
        for workload in WORKLOADS
    ]


def _probe_blank_passwords(session: Session, directory: Directory) -> list[Resource]:
    """The built-in accounts, with the ``answer`` to a login with a blank password: one try each, one after the other.

    Where there was no such answer it is None, and ``why`` says so.
    """
    once = dataclasses.replace(session.connection, retries=0)
    found = []
    for user in directory.objects("users").values():
        if user["id"] not in BUILT_IN_IDS:
            continue
        answer, why = None, ""
        try:
            answer = try_password(once, session.warn, user["username"], "")
            session.requests += 2 if answer == ACCEPTED else 1
        except errors.DeterminedError as error:
            why = str(error)
        if answer == INACTIVE and user["active"]:
            answer, why = (
                None,
                "its login is forbidden, although it is active: something else than the master may say so",
            )
        found.append(Resource("users", user["username"], user["id"], {**user, "answer": answer, "why": why}))
    return found


SOURCES: dict[str, Source] = {
    "users": Source("GET /api/v1/users", _declarable("users"), "users"),
    "groups": Source("POST /api/v1/groups/search", _declarable("groups"), "groups"),
    "role_assignments": Source("POST /api/v1/roles/search/by-ids", _declarable("role_assignments"), "role_assignments"),
    "tokens": Source("GET /api/v1/tokens?showInactive=true", _read_tokens, "tokens"),
    "templates": Source("GET /api/v1/templates", _declarable("templates"), "templates"),
    "workspaces": Source("GET /api/v1/workspaces", _declarable("workspaces"), "workspaces"),
    "projects": Source("GET /api/v1/workspaces/0/projects", _declarable("projects"), "projects"),
    "models": Source("GET /api/v1/models", _declarable("models"), "models"),
    "webhooks": Source("GET /api/v1/webhooks", _declarable("webhooks"), "webhooks"),
    "tasks": Source("GET /api/v1/notebooks, shells, commands, tensorboards", _read_tasks, "tasks"),
    "allocations": Source("GET /api/v1/tasks", _read_allocations, "tasks"),
    "agents": Source("GET /api/v1/agents", _read_agents, "agents"),
    "resource_pools": Source("GET /api/v1/resource-pools", _read_pools, "resource_pools"),
    "unbound_pools": Source("GET /api/v1/resource-pools?unbound=true", _read_unbound_pools, "resource_pools"),
    "master_config": Source("GET /api/v1/master/config", _read_config, "master_config"),
    "master_log": Source("GET /api/v1/master/logs", _read_first_log_entry, "master_log"),
    "global_policies": Source("GET /api/v1/config-policies/global", _read_global_policies, "config_policies"),
    BLANK_PASSWORDS: Source(
        "POST /api/v1/auth/login",
        _probe_blank_passwords,
        None,
        unasked="whether the built-in accounts answer to a blank password was not tried (probe_blank_passwords is false)",
    ),
}
"""How each list is read, but for experiments, which are not held."""

CLUSTER, EXPERIMENT_LIST, DRIFT, WAIVERS, TLS = "cluster", "experiments", "drift", "waivers", "tls"
"""Lists that are none of the server's, or are not held."""

ReadTls = t.Callable[[str, int, str, float], dict[str, t.Any]]
"""Makes a handshake with a host and port, asking for a name, within some seconds: ``audit_tls.read_tls``, which needs a library
that only controllers have."""


# --- details ---


def _read_members(session: Session, group: Resource) -> frozenset[int]:
    found = session.get(route("groups", t.cast(int, group.id)))["group"]
    return frozenset(user["id"] for user in found.get("users") or [])


def _is_powerful(snapshot: Snapshot, group: Resource) -> bool:
    """Whether a group holds a role that makes its members administrators of something."""
    return any(
        grant.data["group_id"] == group.id and grant.data["role"] in (CLUSTER_ADMIN, WORKSPACE_ADMIN)
        for grant in snapshot.lists["role_assignments"].items
    )


def _read_storage(session: Session, workspace: Resource) -> Normal | None:
    found = session.get(route("workspaces", t.cast(int, workspace.id)))
    return t.cast("Normal | None", found.get("workspace", found).get("checkpointStorageConfig"))


def _read_policies(session: Session, workspace: Resource) -> dict[str, Normal]:
    number = t.cast(int, workspace.id)
    return {workload: find_policy(session, workload, number) or {} for workload in WORKLOADS}


def _read_task_config(session: Session, task: Resource) -> Normal:
    """The configuration of a task. The master remembers for a day what has ended: one that was listed does not just go."""
    found = find_task(session, task.data["type"], str(task.id))
    if found is None:
        raise errors.NotFound("it is listed, and not found by its id")
    return t.cast(Normal, found["config"])


def _read_versions(session: Session, model: Resource) -> list[Normal]:
    found = session.get(route("models", str(model.id), "versions")).get("modelVersions") or []
    return [
        {
            "version": one.get("version"),
            "name": one.get("name") or "",
            "checkpoint": Checkpoint.model_validate(one.get("checkpoint") or {"uuid": ""}).normal(),
        }
        for one in found
    ]


def _read_last_allocation(session: Session, experiment: Resource) -> str | None:
    """When an experiment last gave back what it held; None for one that never held anything.

    No list tells when an experiment was paused (API page ml-resources, section 3): the ends of its trials' allocations do.
    """
    path = route("experiments", t.cast(int, experiment.id), "trials")
    # -1 is all for this list, whose default is 100 (API page, section 1.5).
    trials = session.get(path, {"limit": -1}).get("trials") or []
    ends = []
    for name in dict.fromkeys(name for trial in trials for name in trial.get("taskIds") or []):
        task = session.get(route("tasks", name)).get("task") or {}
        for one in task.get("allocations") or []:
            if one.get("endTime"):
                ends.append(one["endTime"])
            elif one.get("startTime"):
                # It has yet to give back what it holds; one without a start never held anything.
                return _utc_now().isoformat()
    return max(ends, default=None)


LIVE_TASKS = frozenset({"queued", "pulling", "starting", "waiting", "running"})

DETAILS: dict[str, Detail] = {
    "members": Detail("groups", "GET /api/v1/groups/{id}", _is_powerful, _read_members),
    "storage": Detail("workspaces", "GET /api/v1/workspaces/{id}", lambda snapshot, one: True, _read_storage),
    "policies": Detail(
        "workspaces", "GET /api/v1/config-policies/workspaces/{id}", lambda snapshot, one: True, _read_policies
    ),
    "task_config": Detail(
        "tasks",
        "GET /api/v1/notebooks/{id} (shells, commands, tensorboards)",
        lambda snapshot, one: one.data["state"] in LIVE_TASKS,
        _read_task_config,
    ),
    "versions": Detail(
        "models",
        "GET /api/v1/models/{id}/versions",
        lambda snapshot, one: bool(one.data["num_versions"]),
        _read_versions,
    ),
    "last_allocation": Detail(
        EXPERIMENT_LIST,
        "GET /api/v1/experiments/{id}/trials, GET /api/v1/tasks/{id}",
        lambda snapshot, one: one.data["state"] == "paused" and snapshot.is_long_ago(one.data["start_time"]),
        _read_last_allocation,
    ),
}


# --- experiments ---


class Experiment(dict[str, t.Any]):
    """An experiment as the list has it, plain: a model of each of 100,000 would cost more than reading them."""

    def identity(self) -> int:
        """What tells it from others."""
        return int(self["id"])


class Experiments(Page):
    """One answer of ``GET /experiments``, with the configs."""

    # Of any type: to check each key of each costs as much as to read them all.
    experiments: list[t.Any]

    def items(self) -> list[Experiment]:
        """The experiments.

        :raises errors.BadAnswer: one is no object with an id.
        """
        if not all(isinstance(one, dict) and isinstance(one.get("id"), int) for one in self.experiments):
            raise errors.BadAnswer(f"GET {EXPERIMENTS}: the list has something in it that is no experiment.")
        return [Experiment(one) for one in self.experiments]


class Snapshot:
    """What an audit reads of a cluster.

    :param probes: the sources that are read on demand and are demanded, see `Source.unasked`.
    :param tell: shows a line of progress.
    :ivar master: what the master says of itself.
    :ivar rights: what the auditor may do.
    :ivar manifest: what the cluster should be, or None.
    :ivar connection: how the master is reached: ``url``.
    :ivar lists: the lists that were read.
    :ivar experiments_seen: how many experiments arrived; they are not held.
    :ivar checkpoint_bytes: what their checkpoints hold together.
    :ivar failure: why the master could no longer be talked to, or None. Nothing more is read then.
    """

    def __init__(
        self,
        session: Session,
        now: datetime.datetime,
        *,
        concurrency: int,
        paused_max_days: int,
        read_tls: ReadTls | None = None,
        manifest: Manifest | None = None,
        probes: t.Collection[str] = frozenset(),
        tell: t.Callable[[str], None] = lambda text: None,
    ) -> None:
        self._session = session
        self._tell = tell
        self._probes = probes
        self._now = now
        self._concurrency = concurrency
        self._paused_since = now - datetime.timedelta(days=paused_max_days)
        self._details: dict[tuple[str, str, t.Any], t.Any] = {}
        self._read_tls = read_tls
        self.manifest = manifest
        self.connection: dict[str, t.Any] = {"url": session.connection.master}
        self.lists: dict[str, Listed] = {}
        self.experiments_seen = 0
        self.checkpoint_bytes = 0
        self.failure: str | None = None
        self.master: dict[str, t.Any] = {}
        self.rights: Rights

    def identify(self) -> None:
        """Read which cluster this is, and who asks: what an audit can't begin without.

        :raises errors.DeterminedError: the master can't be talked to, or not by this user.
        """
        self.master = read_master(self._session)
        self.rights = Rights.read(self._session)

    def is_long_ago(self, text: str | None) -> bool:
        """Whether something began so long ago that it matters since when it is paused."""
        return bool(text) and datetime.datetime.fromisoformat(t.cast(str, text)) < self._paused_since

    def read(self, names: t.Collection[str]) -> None:
        """Read lists, several at once.

        :param names: keys of `SOURCES`, `TLS` and `DRIFT`.
        """
        self._read_lists([name for name in names if name in SOURCES and name not in self.lists])
        # These have ways of their own, and the planner reads several lists at once itself.
        if TLS in names:
            self.lists[TLS] = self._handshake()
        if DRIFT in names:
            self.lists[DRIFT] = self._drift()

    def _read_lists(self, wanted: t.Sequence[str]) -> None:
        if not wanted:
            return
        with (
            SessionPool(self._session) as sessions,
            ThreadPoolExecutor(self._concurrency) as pool,
            sessions.one() as own,
        ):
            # The kinds that refer to one another share their lists, and so one session behind the directory's lock.
            directory = Directory(own, {kind.plural: kind for kind in KINDS})

            def read(name: str) -> Listed:
                unasked = SOURCES[name].unasked
                if unasked is not None and name not in self._probes:
                    return Listed([], SOURCES[name].endpoint, _utc_now(), unasked)
                with sessions.one() as session:
                    return self._read(SOURCES[name], session, directory)

            self.lists.update(zip(wanted, pool.map(read, wanted), strict=True))

    def _read(self, source: Source, session: Session, directory: Directory) -> Listed:
        gap = None if source.whole is None else self.rights.gap(source.whole)
        items: list[Resource] = []
        try:
            if self.failure is not None:
                gap = NOT_READ
            else:
                items = source.read(session, directory)
        except UNREADABLE as error:
            gap = gap or str(error)
        except errors.DeterminedError as error:
            gap = NOT_READ
            self.failure = str(error)
        return Listed(items, source.endpoint, _utc_now(), gap)

    def _handshake(self) -> Listed:
        """One resource with what `ReadTls` finds out; none with http, or where nothing can make a handshake."""
        parts = urlsplit(self._session.connection.master)
        listed = Listed([], "a TLS handshake", _utc_now())
        if parts.scheme != "https" or self._read_tls is None:
            return listed
        host, name = t.cast(str, parts.hostname), self._session.connection.cert_name
        try:
            found = self._read_tls(host, t.cast(int, parts.port), name or host, self._session.connection.timeout)
        except errors.DeterminedError as error:
            # The API may be reached by a proxy, and so be there all the same.
            listed.gap = str(error)
        else:
            listed.items = [Resource(TLS, parts.netloc, None, found)]
        return listed

    def _drift(self) -> Listed:
        """What the manifest declares, with how it differs."""
        listed = Listed([], "the plan of the manifest", _utc_now())
        manifest = t.cast(Manifest, self.manifest)
        if self.failure is not None:
            listed.gap = NOT_READ
            return listed
        if manifest.settings.cluster_id not in (None, self.master["cluster_id"]):
            listed.gap = f"the manifest is for the cluster {manifest.settings.cluster_id!r}, and this is another one"
            return listed
        try:
            listed.items = read_drift(self._session, self.rights, manifest, concurrency=self._concurrency)
        except (errors.InvalidOption, *UNREADABLE) as error:
            listed.gap = str(error)
        except errors.DeterminedError as error:
            listed.gap = NOT_READ
            self.failure = str(error)
        return listed

    def read_details(self, name: str, resources: t.Sequence[Resource]) -> None:
        """Read what is beyond the list of resources, several at once, of those that want it."""
        detail = DETAILS[name]
        wanted = [one for one in resources if detail.wants(self, one) and (name, one.kind, one.id) not in self._details]
        if not wanted:
            return

        def read(resource: Resource) -> t.Any:
            if self.failure is not None:
                return Unseen(NOT_READ)
            with sessions.one() as session:
                try:
                    return detail.read(session, resource)
                except UNREADABLE as error:
                    return Unseen(f"{detail.endpoint} of it can't be read: {error}")
                except errors.DeterminedError as error:
                    self.failure = str(error)
                    return Unseen(NOT_READ)
                except (LookupError, TypeError, AttributeError) as error:
                    return Unseen(f"{detail.endpoint} answers in another shape than is known: {type(error).__name__}")

        with SessionPool(self._session) as sessions, ThreadPoolExecutor(self._concurrency) as pool:
            found = pool.map(read, wanted)
            self._details.update(((name, one.kind, one.id), value) for one, value in zip(wanted, found, strict=True))

    def detail(self, name: str, resource: Resource) -> t.Any:
        """See `site.Site.detail`."""
        found = self._details.get((name, resource.kind, resource.id))
        if isinstance(found, Unseen):
            raise found
        return found

    def experiments(self) -> t.Iterator[list[Resource]]:
        """All experiments with their configs, page by page, in the order of their ids. While one page is judged, the next is read.

        Fills in ``lists["experiments"]``, which never holds any, but tells at the end whether all were seen.
        """
        listed = Listed([], f"GET {EXPERIMENTS}", _utc_now(), self.rights.gap("experiments"))
        self.lists[EXPERIMENT_LIST] = listed
        if self.failure is not None:
            listed.gap = NOT_READ
            return
        query = {"sortBy": "SORT_BY_ID", "orderBy": "ORDER_BY_ASC"}
        with SessionPool(self._session) as sessions, ThreadPoolExecutor(1) as pool, sessions.one() as session:
            pages = pages_by_key(session, Experiments, EXPERIMENTS, query, "experimentIdFilter", size=PAGE)
            future = pool.submit(next, pages, None)
            told = time.monotonic()
            while True:
                try:
                    page = future.result()
                except errors.DeterminedError as error:
                    # What arrived was judged all the same.
                    listed.gap = f"the experiments after the first {self.experiments_seen} were not seen: {error}"
                    if not isinstance(error, UNREADABLE):
                        self.failure = str(error)
                    return
                if page is None:
                    return
                future = pool.submit(next, pages, None)
                self.experiments_seen += len(page[0])
                if time.monotonic() - told >= SECONDS_BETWEEN:
                    told = time.monotonic()
                    self._tell(f"{self.experiments_seen:,} of {page[1]:,} experiments")
                self.checkpoint_bytes += sum(int(one.get("checkpointSize") or 0) for one in page[0])
                yield [_experiment(one) for one in page[0]]


def _experiment(raw: Experiment) -> Resource:
    data = snake(raw)
    data["state"] = str(data.get("state", "")).removeprefix("STATE_").lower()
    return Resource(EXPERIMENT_LIST, str(raw["id"]), raw["id"], data)


def snake(raw: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """An object of the API with its own fields in snake_case; what is inside them stays as it is."""
    return {_snake(name): value for name, value in raw.items()}


_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@functools.lru_cache(maxsize=1024)
def _snake(name: str) -> str:
    return _HUMP.sub("_", name).lower()


def _utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def repeated(resources: t.Iterable[Resource]) -> frozenset[tuple[str, str]]:
    """The kinds and keys that more than one object has: their fingerprints need the id. Two lists may hold the same object."""
    counts = collections.Counter((kind, key) for kind, key, _id in {one[:3] for one in resources})
    return frozenset(name for name, number in counts.items() if number > 1)
