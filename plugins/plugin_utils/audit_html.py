# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Writing the canonical document of an audit as one HTML page that needs nothing else.

The page is a template, a style and a script that lie beside this file. The script works on what the page shows and brings no
data of its own, so there is nothing that a name could end early. The page's Content-Security-Policy allows that one script and
that one style by their hashes and nothing else: a name that became markup could neither run nor fetch anything.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import itertools
import pathlib
import re
import typing as t
from collections import Counter
from datetime import datetime

import jinja2
from markupsafe import Markup

from ansible_collections.determined.ai.plugins.module_utils._audit.control import SEVERITIES
from ansible_collections.determined.ai.plugins.module_utils._audit.document import CONTROL_STATUSES, worst_first
from ansible_collections.determined.ai.plugins.module_utils._audit.report_header import as_text, reasons
from ansible_collections.determined.ai.plugins.module_utils._engine.report_text import visible_text

PAGE = 5_000
"""Findings that the page shows at once; those that follow wait in it, inert, until the reader asks for them."""
LIMIT = 20_000
"""Findings in the file, some 25 MB. A note says how many more the JSON has."""
LISTED = 200
"""Entries of each list of the comparison."""
RUNS = 120
"""Runs that the trend draws: four months of nights."""

_FOLDER = pathlib.Path(__file__).parent
_LINE_END = re.compile("\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")


def write(document: dict[str, t.Any], digest: str) -> str:
    """The page: the same bytes for the same document.

    :param document: the canonical document.
    :param digest: its SHA-256, in hex.
    """
    style, script = _text("audit_report.css"), _text("audit_report.js")
    controls = {control["id"]: control for control in document["controls"]}
    # By place and not by name: a custom control's name can hold anything.
    anchors = {name: f"control-{place}" for place, name in enumerate(controls, 1)}
    findings = worst_first(document["findings"])
    shown = findings[:LIMIT]
    return _template().render(
        document=document,
        digest=digest,
        style=Markup(style),
        script=Markup(script),
        policy=f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; base-uri 'none'; form-action 'none'",
        controls=controls,
        anchors=anchors,
        duration=_duration(document["started"], document["ended"]),
        failing=Counter(found["severity"] for found in findings if found["status"] == "fail"),
        others=Counter(found["status"] for found in findings),
        areas=_areas(document["controls"], findings),
        chart=_chart(document["controls"]),
        reasons=reasons(document)[document["error"] is not None :],
        trend=_trend(document["trend"][-RUNS:]),
        pages=[_groups(shown[start : start + PAGE]) for start in range(0, len(shown), PAGE)],
        page_size=PAGE,
        left=len(findings) - len(shown),
        listed=LISTED,
        choices={
            "severity": [name for name in SEVERITIES if any(found["severity"] == name for found in shown)],
            "status": [name for name in CONTROL_STATUSES if any(found["status"] == name for found in shown)],
            "area": sorted({controls[found["control"]]["area"] for found in shown}),
            "kind": sorted({found["kind"] for found in shown}),
        },
        with_new=any(found["new"] is not None for found in shown),
        severities=[
            name for name in SEVERITIES if name != "info" or any(c["severity"] == name for c in controls.values())
        ],
    )


def _visible(value: t.Any) -> str:
    """What any expression of the template puts out, but for what the template wrote itself."""
    return value if isinstance(value, Markup) else visible_text(value)


def _line(value: str) -> str:
    """A name as one line: a line end in it must not look like the next line of the page."""
    return _LINE_END.sub("\u21b5", value)


def _evidence(found: dict[str, t.Any]) -> str:
    """What was read, a line each. One text and not a list of elements: of 5,000 findings a browser would have to lay out those."""
    evidence, waiver, location = found["evidence"], found["waiver"], found["location"]
    lines = {} if found["id"] is None or str(found["id"]) == found["key"] else {"id": found["id"]}
    if waiver:
        lines |= {"waived because": waiver["reason"], "ticket": waiver["ticket"], "approved by": waiver["approved_by"]}
        lines |= {"until": waiver["expires"]}
    lines |= evidence["fields"]
    if location:
        lines["declared in"] = f"{location['file']}:{location['line']}"
    lines |= {"read": f"{evidence['endpoint']} at {_moment(evidence['read_at'])}", "fingerprint": found["fingerprint"]}
    width = min(max(map(len, lines)), 20)
    return "\n".join(f"{_line(name):<{width}}  {_line(as_text(value))}" for name, value in lines.items())


def _moment(value: str) -> str:
    return value.replace("T", " ").replace("Z", " UTC")


def _words(value: str) -> str:
    return value.replace("_", " ")


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(line=_line, value=as_text, evidence=_evidence, moment=_moment, words=_words)
    return environment.get_template("audit_report.html.j2")


def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """The source expression of an inline script or style (CSP level 3, section 6.7.3.1)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _duration(started: str, ended: str) -> str:
    form = "%Y-%m-%dT%H:%M:%SZ"
    seconds = int((datetime.strptime(ended, form) - datetime.strptime(started, form)).total_seconds())
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{amount} {unit}" for amount, unit in ((hours, "h"), (minutes, "min"), (seconds, "s")) if amount]
    return " ".join(parts) or "less than 1 s"


def _groups(findings: list[dict[str, t.Any]]) -> list[tuple[str, list[tuple[str, str, list[dict[str, t.Any]]]]]]:
    """Findings by status, and in each by severity and control, in the order that they have."""
    return [
        (
            status,
            [
                (severity, control, list(some))
                for (severity, control), some in itertools.groupby(
                    alike, lambda found: (found["severity"], found["control"])
                )
            ],
        )
        for status, alike in itertools.groupby(findings, lambda found: found["status"])
    ]


def _areas(controls: list[dict[str, t.Any]], findings: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """The numbers of each area: failing findings by severity, other findings by status, controls that pass and apply."""
    area_of = {control["id"]: control["area"] for control in controls}
    numbers: Counter[tuple[str, str]] = Counter()
    for found in findings:
        numbers[area_of[found["control"]], found["severity"] if found["status"] == "fail" else found["status"]] += 1
    statuses = {
        area: Counter(control["status"] for control in controls if control["area"] == area)
        for area in _in_order(controls)
    }
    return [
        {
            "area": area,
            "n": {name: n for (of, name), n in numbers.items() if of == area},
            "passing": counts["pass"],
            "applying": counts.total() - counts["not_applicable"],
        }
        for area, counts in statuses.items()
    ]


def _in_order(controls: list[dict[str, t.Any]]) -> list[str]:
    """The areas, as the catalogue has them."""
    return list(dict.fromkeys(control["area"] for control in controls))


def _chart(controls: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    """A square for each control, a row for each area, worst first; in units of the drawing, of which a phone shows 1:1."""
    label, step, across = 124, 22, 10
    letters = {"error": "!", "unknown": "?", "waived": "w", "pass": "\u2713", "not_applicable": "\u2013"}
    rows: list[dict[str, t.Any]] = []
    top = 0
    for area in _in_order(controls):
        cells = sorted(
            (control for control in controls if control["area"] == area),
            key=lambda control: (CONTROL_STATUSES.index(control["status"]), SEVERITIES.index(control["severity"])),
        )
        squares = [
            {
                "x": label + place % across * step,
                "y": top + place // across * step,
                "look": control["severity"] if control["status"] == "fail" else control["status"],
                "letter": letters.get(control["status"], control["severity"][0].upper()),
                "control": control,
            }
            for place, control in enumerate(cells)
        ]
        rows.append({"area": area, "y": top, "squares": squares})
        top += (len(cells) + across - 1) // across * step + 5
    return {"width": label + across * step, "height": max(top - 5, step), "rows": rows}


def _trend(runs: list[dict[str, t.Any]]) -> dict[str, t.Any] | None:
    """The lines of the trend in drawings of 344 by 122 units, or None for fewer than two runs."""
    if len(runs) < 2:
        return None
    most = max(1, *(run[name] for run in runs for name in ("fail", "unknown")))
    return {
        "runs": runs,
        "most": most,
        "score": _curve([run["score"] for run in runs], 100),
        "fail": _curve([run["fail"] for run in runs], most),
        "unknown": _curve([run["unknown"] for run in runs], most),
    }


def _curve(values: list[float | None], top: float) -> dict[str, t.Any]:
    """A line from (34, 100) to (304, 10): its path, broken where there is no value, and its points."""
    points = [
        None
        if value is None
        else {"x": round(34 + 270 * place / (len(values) - 1), 1), "y": round(100 - 90 * value / top, 1)}
        for place, value in enumerate(values)
    ]
    path, drawing = [], False
    for point in points:
        if point:
            path.append(f"{'L' if drawing else 'M'}{point['x']} {point['y']}")
        drawing = point is not None
    return {"path": " ".join(path), "points": points, "last": values[-1]}
