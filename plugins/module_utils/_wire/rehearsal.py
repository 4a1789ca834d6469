# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Calls without a network, so that forks need not do first what Python and its libraries do at first use.

Each task runs in a fork of the controller. What the first call of a process costs beside the network (subclass checks
that are cached, bytecode that is specialised, memory pages that are copied) is about two thirds of a task's time, and a
fork inherits it when the controller has gone that way once.
"""

from __future__ import annotations

import socket
import typing as t

from .._deps import urllib3
from .connection import Connection
from .session import Session

_ANSWER = b'{"user":{"id":1,"username":"rehearsal","admin":false}}'
_RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nVary: Accept-Encoding\r\n"
    b"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n%b" % (len(_ANSWER), _ANSWER)
)


TIMES = 10
"""Python adapts code to what it sees once it has run about eight times."""


def rehearse() -> None:
    """Read an object from a master that is the other end of a pair of sockets, and do it again and again."""
    for _time in range(TIMES):
        _read()


def _read() -> None:
    connection = Connection(
        master="http://127.0.0.1:1",
        username=None,
        password=None,
        token="rehearsal",
        verify=True,
        cert_name=None,
        timeout=1.0,
        retries=0,
    )
    session = Session(connection)
    far_ends: list[socket.socket] = []

    class Rehearsed(urllib3.connection.HTTPConnection):
        """Connects to an answer that lies ready."""

        def connect(self) -> None:
            """Stand in for the network."""
            near, far = socket.socketpair()
            far.sendall(_RESPONSE)
            far_ends.append(far)
            self.sock = t.cast(t.Any, near)

    session.connect_by(Rehearsed)
    session.caller()
    session.close()
    for end in far_ends:
        end.close()
