# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""An audit as SARIF 2.1.0, for code scanning: a rule a control, a result a finding.

What passes is only counted, in the run's properties. GitHub shows a result only with a location in the repository: that of the
declaring manifest where there is one, else a path of our own that no file has.
"""

from __future__ import annotations

import json
import posixpath
import typing as t
import urllib.parse

from .._engine.report_text import visible_text
from .document import Document, utf8_text, worst_first
from .report_header import header, identity, waiver_text

MOST = 5_000
"""Results in a report: GitHub shows no more of one run, and leaves out which it likes."""

_PUBLISHED = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note", "info": "note"}

_SECURITY = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}
"""GitHub's own scale: critical is over 9.0, high 7.0 to 8.9, medium 4.0 to 6.9."""

_TAGS = 20
"""A rule with more of them is refused by GitHub."""

_TEXT = 500
"""Characters of a text: GitHub takes 1,024 in a rule's descriptions, and what is escaped takes two."""

_NAME = 200
"""Characters of a resource's name in a location."""


def write(document: Document, digest: str) -> str:
    """The audit as SARIF.

    :param digest: the SHA-256 of the canonical document.
    """
    omitted = document["sarif_waived"] == "omit"
    findings = [one for one in worst_first(document["findings"]) if not (omitted and one["status"] == "waived")]
    shown = findings[:MOST]
    rules = {one["id"]: index for index, one in enumerate(document["controls"])}
    run = {
        "tool": {
            "driver": {
                "name": "determined.ai audit",
                "version": document["collection"],
                "rules": [_rule(one, document["frameworks"]) for one in document["controls"]],
            }
        },
        "automationDetails": {"id": _automation_id(document)},
        "invocations": [_invocation(document, rules)],
        "results": [_result(one, rules[one["control"]]) for one in shown],
        "properties": {
            **header(document, digest),
            "results_total": len(findings),
            "results_left_out": len(findings) - len(shown),
            "waived_left_out": sum(1 for one in document["findings"] if omitted and one["status"] == "waived"),
            "passed": {one["id"]: one["passed"] for one in document["controls"]},
        },
    }
    log = {"$schema": _PUBLISHED, "version": "2.1.0", "runs": [run]}
    return utf8_text(json.dumps(log, ensure_ascii=False, sort_keys=True)) + "\n"


def _message(text: str) -> Document:
    """A text in one line, cut."""
    flat = " ".join(text.split())
    return _literal(flat if len(flat) <= _TEXT else f"{flat[:_TEXT]}...")


def _literal(text: str) -> Document:
    """A text that is shown as it is: nothing in it is a placeholder or a link (SARIF 2.1.0, 3.11.5 and 3.11.6)."""
    return {"text": visible_text(text).replace("](", "] (").replace("{", "{{").replace("}", "}}")}


def _automation_id(document: Document) -> str:
    """What is before the last slash is the category: a later upload replaces the alerts of the one before it."""
    parts = ("determined.ai-audit", document["cluster"]["id"] or "unknown", document["profile"], document["ended"])
    return "/".join(urllib.parse.quote(visible_text(part), safe=":") for part in parts)


def _rule(control: Document, frameworks: t.Sequence[str]) -> Document:
    mapping = {name: control["mapping"].get(name, []) for name in frameworks}
    tags = ["security", control["area"], *(f"{name}/{one}" for name, all_of in mapping.items() for one in all_of)]
    help_text = control["remediation"] or control["title"]
    if control["example"]:
        help_text = f"{help_text}\n\n{control['example']}"
    severity = _SECURITY.get(control["severity"])
    return {
        "id": control["id"],
        "shortDescription": _message(control["title"]),
        "fullDescription": _message(f"{control['title']}. {control['remediation']}".strip()),
        "help": _literal(help_text),
        "defaultConfiguration": {"level": _LEVELS[control["severity"]]},
        "properties": {
            "tags": list(dict.fromkeys(tags))[:_TAGS],
            "severity": control["severity"],
            "mapping": mapping,
            **({"security-severity": severity} if severity else {}),
        },
    }


def _invocation(document: Document, rules: t.Mapping[str, int]) -> Document:
    """How the run went. What a control stumbled over is told here too, as it is no result about the cluster."""
    notes = [
        {
            "level": "error",
            "message": _message(f"{identity(one)}: {' '.join(one['evidence']['faults'])}"),
            "associatedRule": {"id": one["control"], "index": rules[one["control"]]},
        }
        for one in document["findings"]
        if one["status"] == "error"
    ]
    if document["error"] is not None:
        notes.insert(0, {"level": "error", "message": _message(document["error"])})
    return {
        "executionSuccessful": document["error"] is None,
        "exitCode": document["exit_hint"],
        "startTimeUtc": document["started"],
        "endTimeUtc": document["ended"],
        "toolExecutionNotifications": notes[:MOST],
    }


def _result(finding: Document, rule: int) -> Document:
    judged = finding["status"] in ("fail", "waived")
    evidence = finding["evidence"]
    name = identity(finding)
    return {
        "ruleId": finding["control"],
        "ruleIndex": rule,
        # A kind other than fail demands level none (3.27.10).
        "kind": "fail" if judged else "open",
        "level": _LEVELS[finding["severity"]] if judged else "none",
        "message": _message(f"{name[:_NAME]}: {' '.join(evidence['faults'])}"),
        "locations": [
            {
                "physicalLocation": _place(finding),
                "logicalLocations": [
                    {
                        "fullyQualifiedName": f"{finding['kind']}/{finding['key']}",
                        "name": finding["key"],
                        "kind": "resource",
                    }
                ],
            }
        ],
        "partialFingerprints": {
            "primaryLocationLineHash": finding["fingerprint"],
            "determinedAudit/v1": finding["fingerprint"],
        },
        **({"suppressions": [_suppression(finding)]} if finding["status"] == "waived" else {}),
        "properties": {
            "kind": finding["kind"],
            "key": finding["key"],
            "id": finding["id"],
            "status": finding["status"],
            "severity": finding["severity"],
            "new": finding["new"],
            "evidence": evidence,
            "remediation": finding["remediation"],
        },
    }


def _suppression(finding: Document) -> Document:
    return {
        "kind": "external",
        "status": "accepted",
        "justification": visible_text(waiver_text(finding)),
        "properties": finding["waiver"],
    }


def _place(finding: Document) -> Document:
    location = finding["location"]
    file = posixpath.normpath(location["file"]) if location is not None else "."
    # A path that leads out of the repository is no location in it, and may tell of the controller's folders.
    if location is not None and not file.startswith("/") and file.split("/")[0] not in (".", ".."):
        uri = urllib.parse.quote(visible_text(file))
        return {"artifactLocation": {"uri": uri}, "region": {"startLine": max(location["line"], 1)}}
    name = urllib.parse.quote(visible_text(finding["key"])[:_NAME], safe="")
    # A path of dots alone would lead elsewhere.
    name = name if name.strip(".") else f"{name}_"
    return {
        "artifactLocation": {"uri": f"cluster/{urllib.parse.quote(finding['kind'], safe='')}/{name}"},
        "region": {"startLine": 1},
    }
