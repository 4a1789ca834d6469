# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The speed of an audit of a large cluster, against a bare read of the same lists in the same pages."""

from __future__ import annotations

import json
import statistics
import sys
import typing as t

from tests.simulator import Simulator

from .clusters import recorded, token
from .stage import Failed, Stage
from .table import Row

ROUNDS = 2
FINDINGS = 5_000
MEBIBYTE = 2**20
FORMS = {"json": "json", "junit": "xml", "sarif": "sarif", "markdown": "md", "html": "html", "csv": "csv"}

SHARED = 4
"""Calls that are none of the catalogue's: who the master is and who asks, and what the caller may see."""


def audit(**options: t.Any) -> dict[str, t.Any]:
    """A task that succeeds whatever it finds."""
    return {"name": "audit", "determined.ai.det_audit": {"fail_on": "never", "max_unknown": 100, **options}}


def measure_large(stage: Stage, say: t.Callable[[str], None]) -> list[Row]:
    """10,000 users, 100,000 experiments, 1,000 templates, by profile standard."""
    calls, made = stage.folder / "audit-calls.json", stage.folder / "audit.json"
    say("an audit of 100,000 experiments, its calls counted by the master")
    with Simulator("large") as simulator:
        since = len(simulator.journal)
        requests = stage.play(simulator.url, [audit(reports={"json": str(made)})]).timings[0].requests or 0
        paths = [entry.path for entry in simulator.journal[since:]]
        recorded(simulator, since, calls)
    document = json.loads(made.read_text(encoding="utf-8"))
    allowed = _allowed(document, paths)
    say(f"the same in turns with a bare read of its {requests} calls, {ROUNDS} times")
    seconds: dict[str, list[float]] = {"audit": [], "bare": []}
    peak = 0
    with stage.master("large") as url:
        # The recorded pages begin at the same ids: the fixture comes from a fixed seed.
        bearer = token(url)
        for _round in range(ROUNDS):
            played = stage.play(url, [audit()])
            seconds["audit"] += played.seconds("audit")
            peak = max(peak, played.peak)
            bare = {"name": "bare", "bare_calls": {"file": str(calls), "token": bearer}}
            seconds["bare"] += stage.play(url, [bare]).seconds("bare")
        say("the time per experiment as their number grows")
        output, _seconds = stage.command([sys.executable, "-m", "tests.benchmarks.one_audit", "10000"], url)
        growth = json.loads(output)
    mine, least = (statistics.median(seconds[name]) for name in ("audit", "bare"))
    few, many = growth["few"], growth["many"]
    count = f"{document['counts']['objects']['experiments']:,}"
    return [
        Row(
            f"audit of 10,000 users, {count} experiments and 1,000 templates: API calls",
            f"lists, pages, and the details that the catalogue names ({allowed})",
            str(requests),
            requests <= allowed,
        ),
        Row(
            "the same: time, against a bare read and parse of the same lists in the same pages",
            "at most 2 × the time",
            f"{mine / least:.2f} × ({mine:.1f} s against {least:.1f} s)",
            mine / least <= 2,
        ),
        Row(
            "the same: peak memory of the worker",
            "at most 1.5 GiB",
            f"{peak / MEBIBYTE:.0f} MiB",
            peak <= 1536 * MEBIBYTE,
        ),
        Row(
            f"the same: time per experiment at {count}, against that at 10,000",
            "at most 1.3 ×",
            f"{many / few:.2f} × ({many * 1e6:.0f} µs against {few * 1e6:.0f} µs)",
            many / few <= 1.3,
        ),
        _measure_reports(stage, document, mine),
    ]


def _allowed(document: dict[str, t.Any], paths: list[str]) -> int:
    """What the catalogue allows: each list once, the pages of experiments, and its details by object."""
    objects = document["counts"]["objects"]
    single = sum(1 for path in dict.fromkeys(paths) if path.count("/") == 3 or path.endswith("/projects"))
    pages = paths.count("/api/v1/experiments")
    details = objects.get("workspaces", 0) * 3 + 2 + objects.get("tasks", 0) + objects.get("models", 0)
    # Trials and tasks of experiments that are paused for long.
    paused = sum("/trials" in path or path.startswith("/api/v1/tasks/") for path in paths)
    return single + pages + details + paused + SHARED


def _measure_reports(stage: Stage, document: dict[str, t.Any], whole: float) -> Row:
    """All six reports of many findings, from the document."""
    pattern = next(iter(document["findings"]), None)
    if pattern is None:
        raise Failed("The audit of the large cluster has no finding to make reports of")
    many = [{**pattern, "key": f"object {number}", "fingerprint": f"{number:064x}"} for number in range(FINDINGS)]
    source = stage.folder / "many.json"
    source.write_text(json.dumps({**document, "findings": many}))
    reports = {form: str(stage.folder / f"report.{ending}") for form, ending in FORMS.items()}
    played = stage.play("http://127.0.0.1:9", [audit(from_report=str(source), reports=reports)] * (ROUNDS + 1))
    seconds = statistics.median(played.seconds("audit")[1:])
    return Row(
        f"all six reports of {FINDINGS:,} findings, against that audit",
        "under a tenth of the time",
        f"{seconds / whole:.3f} × ({seconds:.2f} s against {whole:.1f} s)",
        seconds / whole < 0.1,
    )


def measure(stage: Stage, say: t.Callable[[str], None]) -> list[Row]:
    """Everything about audits."""
    return measure_large(stage, say)
