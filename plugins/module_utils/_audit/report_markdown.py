# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""An audit as Markdown, for a pull request, a job's summary or a chat: what is worst comes first, details are folded."""

from __future__ import annotations

import re
import typing as t

from .._engine.report_text import html_cell, markdown_cell, markdown_value, visible_text
from .control import FRAMEWORKS, SEVERITIES
from .document import FINDING_STATUSES, Document, worst_first
from .report_header import as_text, header, identity, reasons, waiver_text

LIMIT = 60_000
"""Characters that a report may have: a comment on GitHub takes 65,536."""

_FINDINGS, _BLIND, _SHORT, _DETAILS = 22_000, 8_000, 4_000, 1_500
"""Characters of a part: findings; what could not be judged; each other list; the evidence of one control. All parts but the
last come to less than `LIMIT`, however hostile the texts are, and the details have the room that these leave."""

_MORE = 60
"""Characters of the line that says how many are left out."""

_SENTENCE = 300
"""Characters of a sentence in a cell."""

_RUNS = 10
"""Audits in the trend."""

_FACTS = (
    "cluster",
    "cluster_id",
    "cluster_url",
    "master_version",
    "authorisation",
    "auditor",
    "auditor_admin",
    "auditor_roles",
    "audit_started",
    "audit_ended",
    "collection",
    "catalogue",
    "profile",
    "fail_on",
    "max_unknown",
    "waivers_sha256",
    "waivers_given",
    "baseline_sha256",
    "baseline_ended",
)


def write(document: Document, digest: str) -> str:
    """The audit as Markdown, in at most `LIMIT` characters; what does not fit is counted.

    :param digest: the SHA-256 of the canonical document.
    """
    findings = worst_first(document["findings"])
    failed = [one for one in findings if one["status"] == "fail"]
    blind = [one for one in findings if one["status"] in ("error", "unknown")]
    blind.sort(key=lambda one: SEVERITIES.index(one["severity"]))
    facts = header(document, digest)
    before = _top(document, facts)
    middle = [
        *_findings_table(f"Could not be judged ({len(blind):,})", blind, _BLIND),
        *_waived([one for one in findings if one["status"] == "waived"]),
        *_comparison(document),
    ]
    after = [*_limits(document), *_about(document, facts), f"SHA-256 of the JSON report: `{digest}`"]
    table = _findings_table(f"Findings ({len(failed):,})", failed, _FINDINGS)
    room = LIMIT - sum(len(line) + 1 for line in (*before, *table, *middle, *after))
    return "\n".join([*before, *table, *_details(document, failed, room), *middle, *after]) + "\n"


def _fitting(things: t.Sequence[t.Any], line: t.Callable[[t.Any], str], room: int) -> list[str]:
    """A line for each thing as long as there is room, and how many are left: most of 5,000 are never made."""
    shown: list[str] = []
    for one in things:
        text = line(one)
        room -= len(text) + 1
        if room < _MORE:
            return [*shown, "", f"... and {len(things) - len(shown):,} more."]
        shown.append(text)
    return shown


def _top(document: Document, facts: t.Mapping[str, t.Any]) -> list[str]:
    score = "no score" if document["score"] is None else f"score {document['score']}"
    cluster = markdown_value(facts["cluster"] or facts["cluster_id"] or facts["cluster_url"])
    told = _fitting(reasons(document), _item, _SHORT)
    counts = document["counts"]
    controls = ", ".join(
        f"{counts['controls'][status]:,} {status.replace('_', ' ')}"
        for status in ("pass", *FINDING_STATUSES, "not_applicable")
        if counts["controls"].get(status)
    )
    rows = [
        f"| {severity} | " + " | ".join(f"{number:,}" for number in numbers) + " |"
        for severity in SEVERITIES
        if any(numbers := [counts["findings"].get(status, {}).get(severity, 0) for status in FINDING_STATUSES])
    ]
    table = [f"| Severity | {' | '.join(FINDING_STATUSES)} |", "|---|--:|--:|--:|--:|", *rows, ""] if rows else []
    return [
        f"## Audit of {cluster}: {document['verdict'].upper()}, {score}",
        "",
        *told,
        *([""] if told else []),
        f"Controls: {controls or 'none judged'}.",
        "",
        *table,
    ]


def _findings_table(title: str, findings: t.Sequence[Document], room: int) -> list[str]:
    if not findings:
        return []
    marked = any(one["new"] is not None for one in findings)
    head = ["Severity", "Control", "Resource", "What was found", *(["New"] if marked else [])]

    def row(one: Document) -> str:
        faults = _cut(" ".join(one["evidence"]["faults"]))
        cells = [one["severity"], markdown_value(one["control"]), _resource(one), faults]
        if marked:
            cells.append("**new**" if one["new"] else "")
        return _row(cells)

    return [f"### {title}", "", _row(head), "|---" * len(head) + "|", *_fitting(findings, row, room), ""]


def _details(document: Document, failed: t.Sequence[Document], room: int) -> list[str]:
    """What to do about each control that fails, and what was read: folded, as far as there is room."""
    of_control: dict[str, list[Document]] = {}
    for one in failed:
        of_control.setdefault(one["control"], []).append(one)
    controls = {one["id"]: one for one in document["controls"]}
    lines: list[str] = []
    room -= 200
    for index, (name, findings) in enumerate(of_control.items()):
        block = _control_details(controls[name], findings)
        room -= sum(len(line) + 1 for line in block)
        if room < 0:
            return [*lines, f"Details of {len(of_control) - index:,} more controls: see the JSON report.", ""]
        lines += block
    return lines


def _control_details(control: Document, findings: t.Sequence[Document]) -> list[str]:
    mapping = [
        f"{FRAMEWORKS.get(name, name)}: {', '.join(map(str, criteria))}"
        for name, criteria in sorted(control["mapping"].items())
        if criteria
    ]

    def row(one: Document) -> str:
        evidence = one["evidence"]
        fields = ", ".join(f"{name} = {as_text(value)}" for name, value in sorted(evidence["fields"].items()))
        return _row(
            [
                _resource(one),
                _cut(fields) if fields else "",
                f"{markdown_value(evidence['endpoint'])}, {evidence['read_at']}",
            ]
        )

    lines = [
        f"To do: {markdown_value(control['remediation'], 1_000)}",
        "",
        *_code(control["example"]),
        *([f"Supports evidence for {markdown_cell('; '.join(mapping))}.", ""] if mapping else []),
        "| Resource | Evidence | Read |",
        "|---|---|---|",
        *_fitting(findings, row, _DETAILS),
    ]
    return _folded(f"{control['id'][:_SENTENCE]} {control['title'][:_SENTENCE]}: {len(findings):,}", lines)


def _waived(findings: t.Sequence[Document]) -> list[str]:
    if not findings:
        return []

    def row(one: Document) -> str:
        return _row([one["severity"], markdown_value(one["control"]), _resource(one), _cut(waiver_text(one))])

    head = ["| Severity | Control | Resource | Waiver |", "|---|---|---|---|"]
    return [f"### Waived ({len(findings):,})", "", *head, *_fitting(findings, row, _SHORT), ""]


def _comparison(document: Document) -> list[str]:
    comparison = document["comparison"]
    if comparison is None:
        return []
    words = {"new": "new", "fixed": "fixed", "still": "still there", "no_longer_judged": "no longer judged"}
    told = ", ".join(f"{len(comparison[part]):,} {word}" for part, word in words.items())
    changes = [(word, one) for part, word in words.items() if part != "still" for one in comparison[part]]

    def row(change: tuple[str, Document]) -> str:
        word, one = change
        return _row([word, markdown_value(one["control"]), markdown_value(f"{one['kind']} {one['key']}")])

    head = ["| Change | Control | Resource |", "|---|---|---|"]
    table = [*head, *_fitting(changes, row, _SHORT), ""] if changes else []
    return [f"### Since {comparison['previous']['ended']}", "", f"{told}.", "", *table]


def _limits(document: Document) -> list[str]:
    lines = []
    if document["not_seen"]:
        lines += ["### Not seen whole", "", *_fitting(document["not_seen"], _item, _SHORT), ""]
    for name, title in (("not_configured", "Not configured"), ("not_assessable", "Not assessable here")):
        if document[name]:
            lines += _folded(f"{title}: {len(document[name]):,}", _fitting(document[name], _item, _SHORT // 2))
    return lines


def _about(document: Document, facts: t.Mapping[str, t.Any]) -> list[str]:
    """The audit itself, folded."""
    shown = {name: facts[name] for name in _FACTS}
    shown["requests"] = document["counts"]["requests"]
    shown |= {f"seen: {name}": number for name, number in sorted(document["counts"]["objects"].items())}
    shown |= {f"parameter: {name}": value for name, value in sorted(document["parameters"].items())}
    facts_told = [(name.replace("_", " "), value) for name, value in shown.items() if value is not None]

    def row(fact: tuple[str, t.Any]) -> str:
        return _row([markdown_value(fact[0]), markdown_value(fact[1])])

    trend = [
        f"| {run['ended']} | {run['verdict']} | {markdown_value(run['score'])} | {run['fail']:,} | {run['unknown']:,} |"
        for run in document["trend"][-_RUNS:]
    ]
    lines = _folded("About this audit", ["| Fact | Value |", "|---|---|", *_fitting(facts_told, row, _SHORT)])
    if len(trend) > 1:
        head = ["| Ended | Verdict | Score | Fail | Unknown |", "|---|---|--:|--:|--:|"]
        lines += _folded(f"The last {len(trend)} audits", [*head, *trend])
    return lines


def _row(cells: t.Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _item(text: str) -> str:
    return f"- {_cut(text)}"


def _folded(summary: str, lines: t.Sequence[str]) -> list[str]:
    return [f"<details><summary>{html_cell(summary)}</summary>", "", *lines, "", "</details>", ""]


def _resource(finding: Document) -> str:
    name = markdown_value(identity(finding))
    location = finding["location"]
    return name if location is None else f"{name} ({markdown_value(location['file'])}:{location['line']})"


def _cut(text: str) -> str:
    return markdown_value(text, _SENTENCE)


def _code(text: str) -> list[str]:
    """Lines of YAML as they are, behind a fence that no line of them can close."""
    if not text:
        return []
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}yaml", *visible_text(text).splitlines(), fence, ""]
