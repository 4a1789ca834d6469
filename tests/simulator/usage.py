# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was used of the cluster (master/internal/api_master.go, master/internal/core.go).

Which workloads there were, and what a day adds up to, this master does not find out: fixtures and tests say it.
"""

from __future__ import annotations

import typing as t
from datetime import UTC, date, datetime, timedelta

from .gateway import Call, Enum, String, Timestamp, bad, route, timestamp
from .state import Master
from .trials import number

PREFIX = "RESOURCE_ALLOCATION_AGGREGATION_PERIOD_"
DAILY, MONTHLY = f"{PREFIX}DAILY", f"{PREFIX}MONTHLY"
PERIOD = Enum("masterv1.ResourceAllocationAggregationPeriod", f"{PREFIX}UNSPECIFIED", DAILY, MONTHLY)
KINDS = {"username": "byUsername", "experiment_label": "byExperimentLabel", "resource_pool": "byResourcePool"}


def may_read(call: Call) -> None:
    """Anybody under basic authorisation."""
    if call.master.rbac and not call.master.can(call.caller, "VIEW_CLUSTER_USAGE"):
        raise Master.denied("VIEW_CLUSTER_USAGE")


@route(
    "GET",
    "/api/v1/resources/allocation/raw",
    query={"timestampAfter": Timestamp, "timestampBefore": Timestamp},
)
def get_raw(call: Call) -> dict[str, t.Any]:
    """The workloads that overlap a time, by their start, with the seconds of them that do."""
    may_read(call)
    for name, word in (("timestampAfter", "start"), ("timestampBefore", "end")):
        if name not in call.query:
            raise bad(f"no {word} time provided")
    start, end = call.query["timestampAfter"], call.query["timestampBefore"]
    if start > end:
        raise bad("start time cannot be after end time")
    rows = []
    for row in sorted(call.master.workloads, key=lambda row: row["start"]):
        over = min(end, row["end"]) - max(start, row["start"])
        if over > timedelta(0):
            rows.append(
                {
                    "kind": row["kind"],
                    "startTime": timestamp(row["start"]),
                    "endTime": timestamp(row["end"]),
                    "experimentId": row["experiment_id"],
                    "username": row["username"],
                    "userId": row["user_id"],
                    "labels": row["labels"],
                    "seconds": number(over.total_seconds()),
                    "slots": row["slots"],
                }
            )
    return {"resourceEntries": rows}


def parse(text: str, form: str) -> date | None:
    """Go's time.Parse of a day or a month, or None."""
    try:
        found = datetime.strptime(text, form).replace(tzinfo=UTC).date()
    except ValueError:
        return None
    return found if found.strftime(form) == text else None


@route(
    "GET",
    "/api/v1/resources/allocation/aggregated",
    query={"startDate": String, "endDate": String, "period": PERIOD},
)
def get_aggregated(call: Call) -> dict[str, t.Any]:
    """The days that are over, or the months of them; those without an entry are left out."""
    may_read(call)
    period = call.query.get("period")
    if period not in (DAILY, MONTHLY):
        raise bad("no aggregation period specified")
    form = "%Y-%m-%d" if period == DAILY else "%Y-%m"
    days: list[date] = []
    for name, word in (("startDate", "start"), ("endDate", "end")):
        text = call.query.get(name, "")
        found = parse(text, form)
        if found is None:
            raise bad(f"invalid {word} date{why(text) if period == DAILY else ''}")
        days.append(found)
    start, end = days
    if period == MONTHLY:
        end = (end.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    if start > end:
        raise bad("start date cannot be after end date")
    entries: dict[str, dict[str, t.Any]] = {}
    for day, kinds in sorted(call.master.usage_days.items()):
        if not start <= day <= end:
            continue
        key = day.strftime(form)
        entry = entries.setdefault(
            key, {"periodStart": key, "period": period, "seconds": 0.0, **{name: {} for name in KINDS.values()}}
        )
        entry["seconds"] += sum(kinds["resource_pool"].values())
        for kind, field in KINDS.items():
            for name, seconds in kinds[kind].items():
                entry[field][name] = entry[field].get(name, 0) + seconds
    return {
        "resourceEntries": [
            {
                **entry,
                "seconds": number(entry["seconds"]),
                **{field: {name: number(value) for name, value in entry[field].items()} for field in KINDS.values()},
            }
            for entry in entries.values()
        ]
    }


def why(text: str) -> str:
    """Go's words for a text that is no day."""
    shown = f' parsing time "{text}"'
    form = "2006-01-02"
    for place, mark in ((0, "2006"), (4, "-"), (5, "01"), (7, "-"), (8, "02")):
        part = text[place : place + len(mark)]
        if (mark == "-" and part != "-") or (mark != "-" and not (part.isdigit() and len(part) == len(mark))):
            return f'{shown} as "{form}": cannot parse "{text[place:]}" as "{mark}"'
    if text[10:]:
        return f'{shown}: extra text: "{text[10:]}"'
    return f"{shown}: {'month' if not 1 <= int(text[5:7]) <= 12 else 'day'} out of range"


def demo_usage(master: Master) -> None:
    """Three days of the demo cluster, and the workloads of the last of them."""
    today = master.now().replace(hour=0, minute=0, second=0, microsecond=0)
    for back, hours in ((3, 40), (2, 64), (1, 12)):
        seconds = hours * 3600.0
        master.usage_days[(today - timedelta(days=back)).date()] = {
            "username": {"bjarne.holm": seconds * 0.75, "carla.mendes": seconds * 0.25},
            "experiment_label": {"baseline": seconds * 0.5},
            "resource_pool": {"default": seconds},
        }
    begun = today - timedelta(hours=20)
    for kind, length in (("training", 2.5), ("validation", 0.5)):
        end = begun + timedelta(hours=length)
        master.workloads.append(
            {
                "kind": kind,
                "start": begun,
                "end": end,
                "experiment_id": 1,
                "username": "bjarne.holm",
                "user_id": master.user_ids["bjarne.holm"],
                "labels": ["baseline", "resnet"],
                "slots": 4,
            }
        )
        begun = end
