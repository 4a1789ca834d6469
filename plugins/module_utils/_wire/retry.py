# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Which calls may be repeated, how long to wait before, and when to stop: urllib3's Retry with this API's rules."""

from __future__ import annotations

import random
import time
import typing as t

from .._deps import Retry, urllib3

CEILING = 60.0
"""Seconds after the first try during which further tries of one call may begin."""

PAUSE, PAUSE_MAX = 0.5, 8.0
"""Seconds: what the longest pause before a further try begins with, doubling each time, and what it grows to."""

RETRY_AFTER_MAX = 30.0
"""Seconds: a Retry-After beyond this is cut to it."""

REPEATABLE = frozenset({"GET", "HEAD"})
RETRIED_STATUSES = frozenset({502, 503, 504})
"""Never 500: this server answers ordinary conditions with it (API page, trap 1)."""


class CallRetry(Retry):
    """The retries of one call.

    A write is sent once. Only what the master has certainly not processed is repeated for it: a connection that was
    refused, and 429. A GET is also repeated after a broken connection, a time-out, 502, 503 and 504.
    """

    def __init__(
        self,
        *args: t.Any,
        warn: t.Callable[[str], None] = lambda text: None,
        began: float | None = None,
        failures: list[str] | None = None,
        **kwargs: t.Any,
    ) -> None:
        self.warn = warn
        self.began = time.monotonic() if began is None else began
        self.failures: list[str] = [] if failures is None else failures
        super().__init__(*args, **kwargs)

    @classmethod
    def of(cls, retries: int, warn: t.Callable[[str], None]) -> CallRetry:
        """Make the policy of one call.

        :param retries: how often to try again at most.
        :param warn: called with a sentence before each further try.
        """
        return cls(
            total=retries,
            other=0,
            redirect=0,
            raise_on_redirect=False,
            raise_on_status=False,
            allowed_methods=REPEATABLE,
            warn=warn,
        )

    def new(self, **kwargs: t.Any) -> CallRetry:
        """Carry what belongs to the whole call over to the next try's policy."""
        return super().new(warn=self.warn, began=self.began, failures=self.failures, **kwargs)

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        """Whether an answer with this status may be repeated."""
        if status_code == 429:
            return True
        return method.upper() in REPEATABLE and status_code in RETRIED_STATUSES

    def is_exhausted(self) -> bool:
        """Whether tries or time have run out."""
        return super().is_exhausted() or time.monotonic() - self.began >= CEILING

    def get_backoff_time(self) -> float:
        """Seconds until the next try: full jitter, so that many forks do not come back at once."""
        return random.uniform(0, min(PAUSE_MAX, PAUSE * 2 ** len(self.history)))

    def get_retry_after(self, response: t.Any) -> float | None:
        """Seconds that the server asks for, cut to `RETRY_AFTER_MAX` and to what is left of `CEILING`; None if it does not say."""
        try:
            asked = super().get_retry_after(response)
        except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
            # Neither seconds nor a date, or none that a clock can show.
            asked = None
        left = max(0.0, self.began + CEILING - time.monotonic())
        return None if asked is None else min(asked, RETRY_AFTER_MAX, left)

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: t.Any = None,
        error: Exception | None = None,
        *args: t.Any,
        **kwargs: t.Any,
    ) -> CallRetry:
        """Count a failed try, and say that another one follows.

        :raises urllib3.exceptions.MaxRetryError: no further try is left.
        """
        following = super().increment(method, url, response, error, *args, **kwargs)
        why = f"HTTP {response.status}" if response is not None else type(error).__name__
        self.failures.append(why)
        place = str(url).partition("?")[0]
        self.warn(f"{method} {place} failed ({why}); trying again, {following.total} tries left after this.")
        return following
