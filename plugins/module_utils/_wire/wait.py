# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Waiting for what the master does after its answer."""

from __future__ import annotations

import time
import typing as t

from .errors import InvalidOption, TimedOut

WAIT_SPEC: dict[str, dict[str, t.Any]] = {
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 300},
    "wait_interval": {"type": "float", "default": 2.0},
}
"""Ansible's argument spec of the options of every module that waits; seconds."""

S = t.TypeVar("S")


def check_wait(options: t.Mapping[str, t.Any]) -> None:
    """Refuse times with which nobody can wait, before anything is written that would be waited for.

    :raises InvalidOption: naming the option.
    """
    if options["wait_timeout"] < 0:
        raise InvalidOption(f"wait_timeout is {options['wait_timeout']}: it must be 0 seconds (one look) or more.")
    if not options["wait_interval"] > 0:
        raise InvalidOption(f"wait_interval is {options['wait_interval']}: it must be more than 0 seconds.")


def wait_until(
    options: t.Mapping[str, t.Any],
    look: t.Callable[[], S],
    reached: t.Callable[[S], bool],
    describe: t.Callable[[S], str],
) -> S:
    """Look again and again until it is so.

    The first looks follow quickly, as most changes take milliseconds; then ``wait_interval`` seconds lie between two.

    :param options: with ``wait_timeout`` and ``wait_interval`` in seconds.
    :param look: reads the present state. It may raise to end the wait with a failure.
    :param reached: whether a state is the one waited for.
    :param describe: a state in words, for the failure.
    :returns: the state that was reached.
    :raises TimedOut: it was not so within ``wait_timeout``.
    """
    deadline = time.monotonic() + options["wait_timeout"]
    pause = min(0.1, options["wait_interval"])
    while True:
        state = look()
        if reached(state):
            return state
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimedOut(f"Not reached within wait_timeout ({options['wait_timeout']} s): {describe(state)}")
        time.sleep(min(pause, left))
        pause = min(pause * 2, options["wait_interval"])
