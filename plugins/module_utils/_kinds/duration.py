# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Durations as people write them for this product: Go's, or days."""

from __future__ import annotations

import datetime
import re
from fractions import Fraction

from .._wire.errors import InvalidOption

UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
"""Nanoseconds of Go's units of time."""

DAY = 24 * UNITS["h"]
DURATION_MAX = 2**63 - 1
"""Nanoseconds: Go's longest duration, 292 years."""

TEXT_MAX = 100
"""Characters: nobody writes a longer duration, and Python refuses to count thousands of digits."""

GO_DURATION = re.compile(r"(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+")
GO_PART = re.compile(r"([0-9.]+)([a-zµμ]+)")
DAYS = re.compile(r"([0-9]+(?:\.[0-9]+)?)d")


def parse_duration(option: str, text: str) -> int:
    """Read a Go duration such as ``1h30m``, or days such as ``30d``.

    :param option: its name, for the failure's text.
    :returns: nanoseconds.
    :raises InvalidOption: neither, or too long for Go.
    """
    days = DAYS.fullmatch(text)
    if len(text) > TEXT_MAX:
        raise InvalidOption(
            f"{option} has {len(text)} characters: it must be a duration such as '30d', '12h' or '1h30m'."
        )
    if days:
        total = Fraction(days[1]) * DAY
    elif GO_DURATION.fullmatch(text):
        total = sum((Fraction(number) * UNITS[unit] for number, unit in GO_PART.findall(text)), Fraction(0))
    else:
        raise InvalidOption(f"{option} is {text!r}: it must be a duration such as '30d', '12h' or '1h30m'.")
    if total > DURATION_MAX:
        raise InvalidOption(f"{option} is {text!r}: that is longer than the master can count, 292 years.")
    return int(total)


def on_wire(duration: int) -> str:
    """A duration as the server reads it: Go has no days."""
    for unit in ("h", "s"):
        if duration % UNITS[unit] == 0:
            return f"{duration // UNITS[unit]}{unit}"
    return f"{duration}ns"


def delta(duration: int) -> datetime.timedelta:
    """Nanoseconds as Python has them, to the microsecond."""
    return datetime.timedelta(microseconds=duration // 1000)
