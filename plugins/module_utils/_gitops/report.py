# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Reports of a plan or of drift: JSON for programs, Markdown for a pull request, JUnit for what shows tests.

All are made of the same mapping, `document`, and hold what results hold: no secret.
"""

from __future__ import annotations

import json
import typing as t
import xml.etree.ElementTree as ET

from .._engine.report_text import markdown_cell, markdown_value, xml_text
from .._kinds.kind import Normal
from .kinds import SINGLE
from .plan import Item, Plan

SCHEMA = 1
COMMENT = 60_000
"""Characters that a Markdown report may have: a comment on GitHub takes 65,536."""

CLASSES = {
    "create": "missing",
    "update": "changed",
    "rename": "changed",
    "recreate": "changed",
    "remove": "extra",
    "blocked": "blocked",
}
"""What a planned action is called where the question is how the cluster has drifted."""

ADVICE = {
    "missing": "apply to create it, or take it out of the manifest",
    "changed": "apply to set it back, or adopt the live values, which the JSON report has as YAML for the manifest",
    "extra": "apply to remove it, or adopt it by the YAML that the JSON report has of it",
    "blocked": "see the reason",
}

ORDER = ("blocked", "remove", "recreate", "rename", "update", "create")
"""What a reader has to look at first."""


def document(
    plan: Plan,
    *,
    style: str,
    exit_hint: int,
    about: t.Mapping[str, t.Any],
    written: t.Callable[[t.Mapping[str, t.Any]], str],
) -> Normal:
    """The report as data.

    :param style: ``plan`` or ``drift``.
    :param about: what it is about: cluster, versions, manifest, environment, commit, time.
    :param written: makes a file's text of entries, which Ansible reads back as they are.
    """
    objects = [
        {
            **item.result(),
            "class": CLASSES[item.action],
            "advice": ADVICE[CLASSES[item.action]],
            "declared_at": None if item.entry is None else str(item.entry.position),
            # Of users alone the server tells when somebody last changed them.
            "modified_at": (item.live or {}).get("modified_at"),
            "adopt": _adopt(item, plan, written) if style == "drift" else None,
        }
        for item in plan.items
        if item.action in CLASSES
    ]
    objects.sort(key=lambda found: (ORDER.index(found["action"]), found["kind"], found["key"]))
    classes: dict[str, int] = dict.fromkeys(("missing", "changed", "extra", "blocked"), 0)
    for found in objects:
        classes[found["class"]] += 1
    return {
        "schema": SCHEMA,
        "style": style,
        "exit_hint": exit_hint,
        **about,
        "counts": plan.counts(),
        "classes": classes,
        "refusals": plan.refusals,
        "warnings": plan.warnings,
        "objects": objects,
    }


def _adopt(item: Item, plan: Plan, written: t.Callable[[t.Mapping[str, t.Any]], str]) -> str | None:
    """A file that declares a live object as it is, without secrets; None for what isn't there, is blocked or can't be declared.

    A text, as somebody puts it into the manifest: what the cluster says must not become a template there.
    """
    if item.live is None or CLASSES[item.action] not in ("changed", "extra"):
        return None
    if item.kind.undeclarable(item.live, plan.now) is not None:
        return None
    entry = item.kind.declaration(item.live, plan.now)
    return written({item.kind.plural: entry if item.kind.plural in SINGLE else [entry]})


def json_text(report: Normal) -> str:
    """The report as JSON."""
    return json.dumps(report, indent=1, sort_keys=True, ensure_ascii=False, default=str) + "\n"


def markdown_text(report: Normal) -> str:
    """The report as Markdown, short enough for a comment; what does not fit is counted."""
    drift = report["style"] == "drift"
    lines = [f"## {'Drift' if drift else 'Plan'}: {_headline(report)}", "", _about(report), ""]
    lines += [f"- **Refused**: {markdown_cell(text)}" for text in report["refusals"]]
    lines += [f"- Note: {markdown_cell(text)}" for text in report["warnings"][:20]]
    size = sum(len(line) + 1 for line in lines)
    for index, found in enumerate(report["objects"]):
        section = _section(found, drift)
        size += len(section) + 1
        if size > COMMENT - 200:
            lines += ["", f"And {len(report['objects']) - index} more objects: see the JSON report.", ""]
            break
        lines.append(section)
    return "\n".join(lines).rstrip() + "\n"


def _headline(report: Normal) -> str:
    counts = report["classes"] if report["style"] == "drift" else report["counts"]
    parts = [f"{count} {name}" for name, count in counts.items() if count and name != "none"]
    return ", ".join(parts) or ("none" if report["style"] == "drift" else "nothing to do")


def _about(report: Normal) -> str:
    facts = [
        ("Cluster", report.get("cluster_id")),
        ("master", report.get("version")),
        ("manifest", report.get("manifest")),
        ("environment", report.get("environment")),
        ("commit", report.get("commit")),
        ("by", report.get("actor")),
        ("at", report.get("time")),
    ]
    told = ", ".join(f"{name} {markdown_cell(value)}" for name, value in facts if value)
    return told + (", **with uncommitted changes**" if report.get("dirty") else "") + "."


def _section(found: Normal, drift: bool) -> str:
    title = found["class"] if drift else found["action"]
    status = f" ({found['status']})" if found["status"] else ""
    lines = [f"\n### {title}: {markdown_cell(found['kind'])} {markdown_cell(found['key'])}{status}"]
    if found["reason"]:
        lines += ["", markdown_cell(found["reason"])]
    if found["fields"]:
        before, after = ("Live", "Declared") if drift else ("Before", "After")
        lines += ["", f"| Field | {before} | {after} |", "|---|---|---|"]
        lines += [
            f"| {markdown_cell(name)} | {markdown_value(pair['before'])} | {markdown_value(pair['after'])} |"
            for name, pair in found["fields"].items()
        ]
    if drift and found["modified_at"]:
        lines += ["", f"Last modified at {markdown_cell(found['modified_at'])}."]
    if drift:
        lines += ["", f"To do: {found['advice']}."]
    return "\n".join(lines)


def junit_text(report: Normal) -> str:
    """The report as JUnit XML: a suite a kind; drift is a failure, so is what is blocked or has failed in a plan."""
    drift = report["style"] == "drift"
    root = ET.Element("testsuites", name=f"determined.ai {report['style']}")
    by_kind: dict[str, list[Normal]] = {}
    for found in report["objects"]:
        by_kind.setdefault(found["kind"], []).append(found)
    for kind, objects in sorted(by_kind.items()):
        suite = ET.SubElement(root, "testsuite", name=kind, tests=str(len(objects)), errors="0", skipped="0")
        failures = 0
        for found in objects:
            case = ET.SubElement(
                suite, "testcase", classname=f"determined.{kind}", name=xml_text(found["key"]), time="0"
            )
            if drift or found["action"] == "blocked" or found["status"] == "failed":
                failures += 1
                what = found["class"] if drift else found["action"]
                message = xml_text(found["reason"] or ", ".join(found["fields"]) or what)
                failure = ET.SubElement(case, "failure", type=what, message=message)
                failure.text = xml_text(json.dumps(found["fields"], indent=1, ensure_ascii=False, default=str))
        suite.set("failures", str(failures))
    if not by_kind:
        suite = ET.SubElement(root, "testsuite", name="all", tests="1", errors="0", skipped="0", failures="0")
        ET.SubElement(suite, "testcase", classname="determined", name="no difference", time="0")
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


WRITERS: dict[str, t.Callable[[Normal], str]] = {"json": json_text, "markdown": markdown_text, "junit": junit_text}
"""What writes each format."""
