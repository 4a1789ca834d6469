# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured, as a Markdown table with the machine and the versions that it holds for."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import os
import pathlib
import platform

BEGIN = "<!-- begin: written by make bench -->"
END = "<!-- end: written by make bench -->"


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table.

    :ivar what: what was measured.
    :ivar target: what it should be, in words.
    :ivar measured: what it is, in words.
    :ivar met: whether the one is as good as the other.
    """

    what: str
    target: str
    measured: str
    met: bool


def markdown(rows: list[Row]) -> str:
    """The table, below the machine that it was measured on."""
    lines = [
        f"Measured on {datetime.datetime.now(datetime.UTC):%Y-%m-%d}: {machine()}.",
        "",
        "| What | Target | Measured | Met |",
        "|---|---|---|---|",
        *(f"| {row.what} | {row.target} | {row.measured} | {'yes' if row.met else '**no**'} |" for row in rows),
    ]
    return "\n".join(lines)


def machine() -> str:
    """Cores, processor, memory, Python and the versions that matter."""
    model = next(_after_colon("/proc/cpuinfo", "model name"), platform.machine())
    kibibytes = int(next(_after_colon("/proc/meminfo", "MemTotal")).split()[0])
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("ansible-core", "requests", "pydantic")
    )
    return (
        f"{os.cpu_count()} cores of {model}, {kibibytes / 2**20:.0f} GiB of memory, {platform.system()}, "
        f"Python {platform.python_version()}, {versions}"
    )


def write(page: pathlib.Path, text: str) -> None:
    """Put `text` between the markers of a page, in place of what is there.

    :raises ValueError: the page lacks a marker.
    """
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} lacks the markers {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def _after_colon(file: str, name: str):
    for line in pathlib.Path(file).read_text(encoding="utf-8").splitlines():
        key, _colon, value = line.partition(":")
        if key.strip() == name:
            yield value.strip()
