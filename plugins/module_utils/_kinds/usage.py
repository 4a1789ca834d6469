# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""What was used of the cluster: slot-seconds by day or month, and what they were used for.

Each day is added up by the master once it is over (``master/static/srv/update_aggregated_allocation.sql``), so today has no
entry of its own yet; the list of workloads is made when it is asked for.
"""

from __future__ import annotations

import contextlib
import csv
import datetime
import io
import os
import re
import tempfile
import typing as t

from .._wire.errors import DeterminedError, InvalidOption
from .._wire.session import Live, Session, decode
from .kind import Arguments, Normal, Reader, Task
from .user import check_limit

PERIODS = {
    "day": "RESOURCE_ALLOCATION_AGGREGATION_PERIOD_DAILY",
    "month": "RESOURCE_ALLOCATION_AGGREGATION_PERIOD_MONTHLY",
}
SHARES = {"experiment_label": "by_experiment_label", "username": "by_username", "resource_pool": "by_resource_pool"}
"""The kinds of shares, as the product's own CSV names them."""

AGGREGATED_COLUMNS = ("aggregation_type", "aggregation_key", "date", "seconds")
RAW_COLUMNS = ("experiment_id", "kind", "username", "labels", "slots", "start_time", "end_time", "seconds")
"""The columns of the product's own CSV (``master/internal/core.go``)."""


class Aggregated(Live):
    """A day or month (``ResourceAllocationAggregatedEntry``)."""

    period_start: str
    seconds: float = 0.0
    by_username: dict[str, float] | None = None
    by_experiment_label: dict[str, float] | None = None
    by_resource_pool: dict[str, float] | None = None

    def normal(self) -> Normal:
        """The normal form; no shares are an empty mapping."""
        return {**self.model_dump(), **{field: getattr(self, field) or {} for field in SHARES.values()}}


class Workload(Live):
    """A workload, or the time for which an agent was there (``ResourceAllocationRawEntry``).

    Of an agent or a cloud instance the server's ``username`` is its id, and the experiment is 0.
    """

    kind: str = ""
    start_time: str | None = None
    end_time: str | None = None
    experiment_id: int | None = None
    username: str = ""
    user_id: int | None = None
    labels: list[str] | None = None
    slots: int = 0
    seconds: float = 0.0

    def normal(self) -> Normal:
        """The normal form, 0 in place of a number being none."""
        return {
            **self.model_dump(),
            "experiment_id": self.experiment_id or None,
            "user_id": self.user_id or None,
            "labels": self.labels or [],
        }


class AggregatedEntries(Live):
    """The answer of ``GET /resources/allocation/aggregated``."""

    resource_entries: list[Aggregated]


class Workloads(Live):
    """The answer of ``GET /resources/allocation/raw``."""

    resource_entries: list[Workload]


class UsageReader(Reader):
    """Usage of the cluster from one day to another, as data and as CSV."""

    arguments = Arguments(
        spec={
            "start": {"type": "str", "required": True},
            "end": {"type": "str"},
            "period": {"type": "str", "choices": list(PERIODS)},
            "raw": {"type": "bool"},
            "dest": {"type": "path"},
            "limit": {"type": "int"},
        },
        mutually_exclusive=(("period", "raw"),),
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse what is no day, or no place for a file."""
        check_limit(options["limit"])
        start, end = _days(options)
        if start > end:
            raise InvalidOption(f"start is {start}, which is after end ({end}).")
        dest = options["dest"]
        if dest is not None and (
            not os.path.isabs(dest) or dest.endswith("/") or (os.path.exists(dest) and not os.path.isfile(dest))
        ):
            raise InvalidOption(f"dest is {dest!r}: it must be the absolute path of a file.")

    def read(self, task: Task) -> dict[str, t.Any]:
        """Read it, and write the file that is named, which is a copy of all that matches, in check mode too."""
        options = task.options
        entries = _read_raw(task.session, options) if options["raw"] else _read_aggregated(task.session, options)
        dest = options["dest"]
        if dest is not None:
            _write(dest, as_csv(entries, raw=bool(options["raw"])))
        shown = {"usage": entries[: options["limit"]], "total": len(entries)}
        return shown if dest is None else {**shown, "dest": dest}


def _days(options: dict[str, t.Any]) -> tuple[datetime.date, datetime.date]:
    """The first and the last day, both included; of a month without a day its first and last."""
    today = datetime.datetime.now(datetime.UTC).date()
    start = _day("start", options["start"], last=False)
    return start, today if options["end"] is None else _day("end", options["end"], last=True)


def _day(option: str, text: str, *, last: bool) -> datetime.date:
    found = re.fullmatch(r"(\d{4})-(\d\d)(?:-(\d\d))?", text, re.ASCII)
    try:
        if found is None:
            raise ValueError(text)
        year, month, day = (int(part or 1) for part in found.groups())
        first = datetime.date(year, month, day)
        if found[3] is None and last:
            return (first.replace(day=28) + datetime.timedelta(days=4)).replace(day=1) - datetime.timedelta(days=1)
    except (ValueError, OverflowError):
        raise InvalidOption(
            f"{option} is {text!r}: it must be a day such as 2026-01-31, or a month such as 2026-01."
        ) from None
    return first


def _read_aggregated(session: Session, options: dict[str, t.Any]) -> list[Normal]:
    """Read the days or months; one without any use has no entry."""
    start, end = _days(options)
    period = options["period"] or "day"
    # The server wants whole months, and refuses a day in them.
    wire = [f"{day:%Y-%m-%d}" if period == "day" else f"{day:%Y-%m-%d}"[:7] for day in (start, end)]
    query = {"period": PERIODS[period], "startDate": wire[0], "endDate": wire[1]}
    answer = session.call("GET", "/api/v1/resources/allocation/aggregated", query=query)
    found = decode(answer, AggregatedEntries.model_validate, answer.json(), "usage")
    return [{"period": period, **entry.normal()} for entry in found.resource_entries]


def _read_raw(session: Session, options: dict[str, t.Any]) -> list[Normal]:
    start, end = _days(options)
    query = {"timestampAfter": f"{start}T00:00:00Z", "timestampBefore": f"{end + datetime.timedelta(days=1)}T00:00:00Z"}
    answer = session.call("GET", "/api/v1/resources/allocation/raw", query=query)
    return [
        entry.normal() for entry in decode(answer, Workloads.model_validate, answer.json(), "usage").resource_entries
    ]


# --- the file ---


def as_csv(entries: t.Iterable[Normal], *, raw: bool) -> str:
    """The entries as CSV, with the columns of the product's own files, in a stable order."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    if raw:
        writer.writerow(RAW_COLUMNS)
        for entry in entries:
            labels = ",".join(label.replace("\\", "\\\\").replace(",", "\\,") for label in entry["labels"])
            writer.writerow({**entry, "labels": labels}[column] for column in RAW_COLUMNS)
        return file.getvalue()
    writer.writerow(AGGREGATED_COLUMNS)
    for entry in entries:
        for kind, field in SHARES.items():
            for name, seconds in sorted(entry[field].items()):
                writer.writerow((kind, name, entry["period_start"], seconds))
        writer.writerow(("total", "total", entry["period_start"], entry["seconds"]))
    return file.getvalue()


def _write(path: str, text: str) -> None:
    """Put the text in a file's place, in one step that a reader can't see half of; its mode stays, or is the usual one.

    :raises DeterminedError: it can't be written, and the file that was there is untouched.
    """
    try:
        handle, fresh = tempfile.mkstemp(prefix=".det_usage.", dir=os.path.dirname(path))
        try:
            with open(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            os.chmod(fresh, _mode(path))
            os.replace(fresh, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(fresh)
    except OSError as error:
        raise DeterminedError(f"dest is {path!r}: it can't be written ({error.strerror}).") from error


def _mode(path: str) -> int:
    try:
        return os.stat(path).st_mode & 0o777
    except FileNotFoundError:
        return 0o644


USAGE = UsageReader()
