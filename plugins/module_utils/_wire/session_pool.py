# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Several threads calling one master with one login."""

from __future__ import annotations

from .session import Session


class SessionPool:
    """Sessions of one login for several threads; each thread holds one at a time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._idle: list[Session] = []
        self._all: list[Session] = []

    def __enter__(self) -> SessionPool:
        # Whoever comes first logs in, before there is anybody to do so at the same time.
        self._session.caller()
        return self

    def __exit__(self, *exception: object) -> None:
        for session in self._all:
            self._session.requests += session.requests
            session.hang_up()

    def one(self) -> _Held:
        """A session that nobody else has, until the end of the `with`."""
        return _Held(self)

    def take(self) -> Session:
        """See `one`. Lists are safe to share in CPython: append and pop are atomic."""
        try:
            return self._idle.pop()
        except IndexError:
            session = self._session.twin()
            self._all.append(session)
            return session

    def give_back(self, session: Session) -> None:
        """See `one`."""
        self._idle.append(session)


class _Held:
    def __init__(self, pool: SessionPool) -> None:
        self._pool = pool

    def __enter__(self) -> Session:
        self._session = self._pool.take()
        return self._session

    def __exit__(self, *exception: object) -> None:
        self._pool.give_back(self._session)
