# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""What can go wrong between a task and a master, as types. Their texts are for people, their `failure` for programs."""

from __future__ import annotations

import typing as t


class DeterminedError(Exception):
    """Anything that ends a task. The text is one sentence that a person can act on.

    :ivar failure: what a program may want to know of the call that failed, or None when no call was made:
        ``method``, ``path``, ``status`` (int or None), ``reason`` (str), ``message`` (the server's own text),
        ``attempts`` (int), and ``request_id`` when the server or a proxy sent one. Never a header or a request body.
    """

    def __init__(self, message: str, failure: dict[str, t.Any] | None = None) -> None:
        super().__init__(message)
        self.failure = failure

    @property
    def server_message(self) -> str:
        """The server's own text, or an empty string."""
        return str((self.failure or {}).get("message") or "")


class InvalidOption(DeterminedError):
    """An option's value is refused before any write, or the object's state does not allow what is asked."""


class Unreachable(DeterminedError):
    """No answer: the name does not resolve, the connection is refused or reset, or it took too long."""


class LostAnswer(Unreachable):
    """A write was sent, and whether the master carried it out is unknown (time-out, reset, 502, 503 or 504)."""


class TlsError(DeterminedError):
    """The master's certificate is not trusted, has expired or belongs to another name."""


class Unauthenticated(DeterminedError):
    """HTTP 401: no, wrong, expired or revoked credentials."""


class Forbidden(DeterminedError):
    """HTTP 403: the caller may not do this, or is inactive."""


class NotFound(DeterminedError):
    """HTTP 404: not there, or not visible to the caller under RBAC."""


class Conflict(DeterminedError):
    """HTTP 409. Most conflicts are a 500 on this server: read again and decide by what is there."""


class Rejected(DeterminedError):
    """Any other refusal: 400, and the many ordinary conditions that this server answers with 500."""


class NotSupported(DeterminedError):
    """HTTP 501: this master does not know the route (older or newer than the collection), or no path can carry a name."""


class BadAnswer(DeterminedError):
    """What arrived is not an answer of a Determined master: HTML, broken JSON, JSON of another shape."""


class TimedOut(DeterminedError):
    """A wait ended before what it waited for came about; the text says what was seen last."""
