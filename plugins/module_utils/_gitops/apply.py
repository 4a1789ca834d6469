# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Carrying out a plan: kind after kind, what is independent side by side, removals last and backwards.

Each object is written by its kind's own methods, as by its module. What it is compared with is what the plan saw; if somebody
has changed it since, the write's failure is settled by reading again, as in a module.
"""

from __future__ import annotations

import contextlib
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from .._engine.compare import NONE, compare
from .._engine.operation import StateOperation
from .._kinds.kind import Declarable, Normal, Task
from .._wire import errors
from .._wire.session import Session
from .._wire.session_pool import SessionPool
from .directory import Directory
from .manifest import Entry
from .plan import RENAME, Item, Key, Plan, stages, with_temporary_name

APPLIED, FAILED, SKIPPED = "applied", "failed", "skipped"
LOOK_AGAIN = 2.0
"""Seconds between two looks whether a master that went away is back."""


class Applier:
    """Carries out one plan.

    :param session: the client; threads get twins of it.
    :param kinds: all kinds, in the order in which they are written.
    :param concurrency: how many objects are written at once.
    :param stop_on_error: whether nothing more is begun after a failure.
    :param retry_for: seconds to wait for a master that has gone away, for each object.
    :param tell: receives what has been done so far: objects done, objects in all, the last one's kind and key.
    """

    def __init__(
        self,
        session: Session,
        plan: Plan,
        kinds: t.Sequence[Declarable],
        *,
        concurrency: int,
        stop_on_error: bool,
        retry_for: float,
        tell: t.Callable[[int, int, str], None],
    ) -> None:
        self._session = session
        self._plan = plan
        self._kinds = kinds
        self._concurrency = concurrency
        self._stop_on_error = stop_on_error
        self._retry_for = retry_for
        self._tell = tell
        self.directory: Directory = plan.now.fork()
        self._failed: set[Key] = set()
        self._stopped = threading.Event()
        self._done = 0
        self._total = sum(1 for item in plan.items if item.writes)
        self._counting = threading.Lock()
        self.warnings: list[str] = []
        self.failure: dict[str, t.Any] | None = None
        """The call that failed first, if it was a call."""

    def run(self) -> None:
        """Write. Each item then has a status, and a reason if it isn't ``applied``."""
        writing = [item for item in self._plan.items if item.writes]
        present = [item for item in writing if not item.removes and not item.last]
        absent = [item for item in writing if item.removes and not item.last]
        for item in self._plan.items:
            if item.action == "blocked":
                self._failed.add(item.name)
        with SessionPool(self._session) as sessions:
            late: list[list[tuple[Item, frozenset[str]]]] = []
            for kind in self._kinds:
                first = []
                for item in present:
                    if item.kind is kind:
                        now, *later = stages(item)
                        first.append((item, now))
                        late += [[] for _missing in range(len(later) - len(late))]
                        for number, held in enumerate(later):
                            late[number].append((item, held))
                for item, held in first:
                    if item.temporary:
                        self._step(sessions, item, held, to_temporary=True)
                for item, held in first:
                    if item.action == RENAME:
                        self._step(sessions, item, held)
                self._side_by_side(sessions, [pair for pair in first if pair[0].action != RENAME])
            for stage in late:
                for kind in self._kinds:
                    self._side_by_side(sessions, [pair for pair in stage if pair[0].kind is kind])
            for kind in reversed(self._kinds):
                self._side_by_side(sessions, [(item, frozenset()) for item in absent if item.kind is kind])
            for item in sorted(writing, key=lambda item: item.last):
                if item.last:
                    self._step(sessions, item, frozenset())

    def _side_by_side(self, sessions: SessionPool, pairs: list[tuple[Item, frozenset[str]]]) -> None:
        if self._concurrency == 1 or len(pairs) < 2:
            for item, held in pairs:
                self._step(sessions, item, held)
            return
        with ThreadPoolExecutor(self._concurrency) as pool:
            waiting = [pool.submit(self._step, sessions, item, held) for item, held in pairs]
            try:
                for one in waiting:
                    one.result()
            except BaseException:
                # Ctrl-C: end what is under way, begin nothing.
                self._stopped.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _step(self, sessions: SessionPool, item: Item, held: frozenset[str], to_temporary: bool = False) -> None:
        """Write one object, or a part of it.

        :param held: options that are left for a later step.
        :param to_temporary: only give it its temporary name.
        """
        if item.status in (FAILED, SKIPPED):
            return
        missing = sorted(f"{kind}/{key}" for kind, key in item.needs & self._failed)
        if missing:
            self._end(item, SKIPPED, f"not tried, as it needs {', '.join(missing)}")
            return
        if self._stopped.is_set():
            self._end(item, SKIPPED, "not tried, as something before it failed")
            return
        with sessions.one() as session:
            try:
                after = self._patiently(session, item, self._options(item, held, to_temporary))
            except errors.DeterminedError as error:
                self.failure = self.failure or error.failure
                self._end(item, FAILED, str(error))
                if self._stop_on_error or isinstance(error, (errors.Unreachable, errors.Unauthenticated)):
                    self._stopped.set()
                return
        self._note(item, after, to_temporary)
        if not to_temporary and item.status is None:
            self._end(item, APPLIED, item.reason)

    def _options(self, item: Item, held: frozenset[str], to_temporary: bool) -> dict[str, t.Any]:
        options = item.options
        if item.entry is not None and item.temporary:
            declared = item.entry.resolved()
            if to_temporary:
                declared = with_temporary_name(item.kind, declared)
            options = item.kind.renamed(declared, t.cast(str, item.old_key))
        return {name: None if name in held else value for name, value in options.items()}

    def _note(self, item: Item, after: Normal | None, to_temporary: bool) -> None:
        plural = item.kind.plural
        if after is None:
            if item.old_key is not None:
                self.directory.drop(plural, item.old_key)
        else:
            key = item.key
            if to_temporary:
                key = item.kind.key(with_temporary_name(item.kind, t.cast(Entry, item.entry).options))
            self.directory.put(plural, item.old_key, key, after)
            item.old_key = key
        item.live = after

    def _end(self, item: Item, status: str, reason: str) -> None:
        with self._counting:
            item.status, item.reason = status, reason
            if status != APPLIED:
                self._failed.add(item.name)
            self._done = min(self._done + 1, self._total)
            self._tell(self._done, self._total, f"{item.kind.plural}/{item.key}")

    def _patiently(self, session: Session, item: Item, options: dict[str, t.Any]) -> Normal | None:
        """Write; when the master goes away, wait for it, read again and go on.

        :raises errors.DeterminedError: it can't be done, or the master did not come back in time.
        """
        operation = StateOperation(item.kind)
        live = item.live
        deadline: float | None = None
        while True:
            task = Task(
                options=options,
                session=session,
                names=self.directory,
                check_mode=False,
                warn=lambda text: self.warnings.append(f"{item.kind.plural}/{item.key}: {text}"),
            )
            try:
                if deadline is not None:
                    live = item.kind.find(task)
                change = compare(item.kind, live, item.heeded(item.kind.wanted(task, live)))
                return live if change.action == NONE else operation.apply(task, change)
            except errors.Unreachable as error:
                if deadline is None:
                    deadline = time.monotonic() + self._retry_for
                else:
                    # It answers, but not to this.
                    time.sleep(min(LOOK_AGAIN, max(0.0, deadline - time.monotonic())))
                if not self._is_back(session, deadline):
                    raise type(error)(
                        f"{error} The master did not come back within retry_for ({self._retry_for:g} s).", error.failure
                    ) from error

    @staticmethod
    def _is_back(session: Session, deadline: float) -> bool:
        """Wait for the master to answer again."""
        while time.monotonic() < deadline:
            with contextlib.suppress(errors.Unreachable, errors.BadAnswer):
                session.get("/api/v1/me")
                return True
            time.sleep(min(LOOK_AGAIN, max(0.0, deadline - time.monotonic())))
        return False
