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
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from .._gitops.directory import UNREADABLE as HIDDEN
from .._gitops.directory import Directory
from .._gitops.kinds import KINDS
from .._gitops.manifest import Manifest
from .._kinds.cluster import read_master
from .._kinds.experiment_list import PATH as EXPERIMENTS
from .._kinds.rights import Rights
from .._wire import errors
from .._wire.paging import Page, pages_by_key
from .._wire.session import Session
from .._wire.session_pool import SessionPool
from .control import Resource, Unseen
from .drift import read_drift
from .sources import DETAILS, DRIFT, EXPERIMENT_LIST, SOURCES, TLS, Source, snake

UNREADABLE = (*HIDDEN, errors.BadAnswer)
"""What a master says of a list that it does not show, or cuts; others can be read all the same."""

SECONDS_BETWEEN = 3.0
"""How often progress is told."""

NOT_READ = "the audit ended before it was read"

PAGE = 500
"""Experiments a call, with their configs: about 2 MiB, far from the 128 MiB at which an answer is cut."""

MISSHAPEN = (LookupError, TypeError, AttributeError)
"""What is met where an answer has another shape than release 0.38.1 gives it."""


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


ReadTls = t.Callable[[str, int, str, float], dict[str, t.Any]]
"""Makes a handshake with a host and port, asking for a name, within some seconds: ``audit_tls.read_tls``, which needs a library
that only controllers have."""


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
    :ivar checkpoint_bytes: what their checkpoints hold together; None once one did not say it.
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
        self.checkpoint_bytes: int | None = 0
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
                gap = gap or source.doubt(self.rights, items)
        except UNREADABLE as error:
            gap = gap or str(error)
        except errors.DeterminedError as error:
            gap = NOT_READ
            self.failure = str(error)
        except MISSHAPEN as error:
            gap = gap or _misshapen(source.endpoint, error)
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
                except MISSHAPEN as error:
                    return Unseen(_misshapen(detail.endpoint, error))

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
                self._add_checkpoints(page[0])
                yield [_experiment(one) for one in page[0]]

    def _add_checkpoints(self, page: t.Sequence[Experiment]) -> None:
        if self.checkpoint_bytes is not None:
            told = [int(one["checkpointSize"]) for one in page if one.get("checkpointSize") is not None]
            self.checkpoint_bytes = self.checkpoint_bytes + sum(told) if len(told) == len(page) else None


def _experiment(raw: Experiment) -> Resource:
    data = snake(raw)
    data["state"] = str(data.get("state", "")).removeprefix("STATE_").lower()
    return Resource(EXPERIMENT_LIST, str(raw["id"]), raw["id"], data)


def _misshapen(endpoint: str, error: Exception) -> str:
    return f"{endpoint} answers in another shape than is known: {type(error).__name__}"


def _utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def repeated(resources: t.Iterable[Resource]) -> frozenset[tuple[str, str]]:
    """The kinds and keys that more than one object has: their fingerprints need the id. Two lists may hold the same object."""
    counts = collections.Counter((kind, key) for kind, key, _id in {one[:3] for one in resources})
    return frozenset(name for name, number in counts.items() if number > 1)
