# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents of audits that nobody made: a small one with something of everything, a hostile one, and one as big as asked for."""

from __future__ import annotations

import copy
import hashlib
import typing as t

Document = dict[str, t.Any]

HOSTILE = (
    "a|b||c",
    "`code` ``more``",
    "@everyone and owner/repo#12 #7",
    "<script>alert(1)</script><!-- --></td>&amp;",
    "</details>\n\n# heading\n| x | y |",
    "nul\0bell\x07escape\x1b[31m",
    "lone \ud800 surrogate \udfff",
    '=HYPERLINK("https://example.com")',
    "+1",
    "-1",
    "@SUM(A1)",
    "\ttab",
    "\rreturn",
    "line\nend\r\nand \u2028 another",
    "turned \u202e around \u2066 twice",
    "{{ lookup('pipe', 'id') }} {0} {% raw %}",
    "[click](https://example.com) ![img](x) www.example.com",
    '\'; DROP TABLE users; -- "quoted" \\ \\| %00 %2e%2e/',
    "..",
    ".",
    "",
    " ",
    "]]>",
    "\ufffe\uffff",
    "\U0001f600 emoji and \u05d0\u05d1\u05d2",
    "n" * 4_000,
    "@" * 4_000,
)
"""Names that somebody may give an object to do harm with a report."""


def control(number: str, title: str, severity: str = "high", status: str = "fail", **others: t.Any) -> Document:
    """A control as a document has it."""
    return {
        "id": number,
        "title": title,
        "area": "Access tokens",
        "severity": severity,
        "status": status,
        "seen": 0,
        "passed": 0,
        "mapping": {"cis": ["6.2"], "nist": ["AC-2(3)", "IA-4"], "iso": ["A.5.18"], "soc2": ["CC6.2"]},
        "remediation": "Revoke it.",
        "example": "- determined.ai.det_token:\n    user: alice\n    description: ci\n    state: absent\n",
        "custom": False,
        "reason": None,
        **others,
    }


def finding(
    number: str, kind: str, key: str, severity: str = "high", status: str = "fail", **others: t.Any
) -> Document:
    """A finding as a document has it."""
    identity = "\0".join((number, kind, key, str(others.get("id"))))
    return {
        "control": number,
        "kind": kind,
        "key": key,
        "id": None,
        "status": status,
        "severity": severity,
        "fingerprint": hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest(),
        "evidence": {
            "faults": ["Its owner is not active."],
            "fields": {"owner": "alice", "expiry": "2027-01-01T00:00:00Z"},
            "endpoint": "GET /api/v1/tokens",
            "read_at": "2026-03-01T02:30:01Z",
        },
        "remediation": "Revoke it.",
        "waiver": None,
        "new": None,
        "location": None,
        **others,
    }


WAIVER = {
    "reason": "Moves to single sign-on in May",
    "ticket": "SEC-1234",
    "approved_by": "carol",
    "expires": "2026-05-31",
}

SMALL: Document = {
    "schema": "determined.ai/audit-report/1",
    "catalogue": "1.0.0",
    "collection": "1.0.0",
    "started": "2026-03-01T02:30:00Z",
    "ended": "2026-03-01T02:30:09Z",
    "verdict": "fail",
    "exit_hint": 2,
    "reasons": ["2 findings at or above high."],
    "error": None,
    "score": 43.5,
    "fail_on": "high",
    "max_unknown": 10,
    "profile": "standard",
    "parameters": {"token_max_days": 90, "allowed_registries": ["registry.example.com/team"], "minimum_version": None},
    "frameworks": ["cis", "nist", "iso", "soc2"],
    "sarif_waived": "suppress",
    "cluster": {
        "id": "7c5f2a9e-7d7c-4f0e-9f61-6b1f0c1f8a11",
        "name": "research",
        "version": "0.38.1",
        "authorisation": "basic",
        "url": "https://master.example.com:8443",
    },
    "auditor": {"username": "audit", "id": 12, "admin": True, "roles": []},
    "waivers": {"sha256": "1" * 64, "given": 3},
    "baseline": {"sha256": "2" * 64, "ended": "2026-02-01T02:30:09Z"},
    "counts": {
        "controls": {"fail": 3, "unknown": 1, "error": 1, "waived": 1, "pass": 1, "not_applicable": 1},
        "findings": {
            "fail": {"critical": 1, "high": 1, "low": 1},
            "waived": {"medium": 1},
            "unknown": {"critical": 1},
            "error": {"medium": 1},
        },
        "objects": {"users": 40, "tokens": 12, "templates": 5, "experiments": 99_999},
        "requests": 17,
    },
    "controls": [
        control("CLU-01", "API without TLS", "critical", "unknown", area="Cluster", seen=1),
        control(
            "CLU-02", "Agents not authenticated", "high", "not_applicable", area="Cluster", reason="On Kubernetes."
        ),
        control("EXP-03", "No description, labels or project", "low", area="Experiments", seen=99_999, passed=99_998),
        control("SITE-1", "Names a cost centre", "info", "pass", area="Custom controls", custom=True, seen=5, passed=5),
        control("TOK-01", "Live token of an inactive user", seen=12, passed=11),
        control("TOK-02", "Token lives longer than policy", "medium", "waived", seen=1, mapping={"cis": ["5.2"]}),
        control("TPL-03", "Secret inside a template", "critical", area="Templates", seen=5, passed=4),
        control("TPL-05", "Template is not valid", "medium", "error", area="Templates", seen=1, example=""),
    ],
    "findings": [
        finding("CLU-01", "cluster", "*", "critical", "unknown"),
        finding(
            "EXP-03", "experiments", "41", "low", id=41, new=False, location={"file": "experiments/a b.yml", "line": 7}
        ),
        finding("TOK-01", "tokens", "alice/ci", id=9, new=True),
        finding("TOK-02", "tokens", "bob/deploy", "medium", "waived", id=10, waiver=WAIVER, new=False),
        finding("TPL-03", "templates", "pytorch/big", "critical", new=True),
        finding("TPL-05", "templates", "odd", "medium", "error"),
    ],
    "comparison": {
        "previous": {"ended": "2026-02-28T02:30:09Z", "sha256": "3" * 64},
        "new": [
            {"fingerprint": "a" * 64, "control": "TOK-01", "kind": "tokens", "key": "alice/ci"},
            {"fingerprint": "b" * 64, "control": "TPL-03", "kind": "templates", "key": "pytorch/big"},
        ],
        "fixed": [{"fingerprint": "c" * 64, "control": "IAM-02", "kind": "users", "key": "determined"}],
        "still": [{"fingerprint": "d" * 64, "control": "EXP-03", "kind": "experiments", "key": "41"}],
        "no_longer_judged": [{"fingerprint": "e" * 64, "control": "WHK-01", "kind": "webhooks", "key": "hook"}],
    },
    "trend": [
        {"ended": "2026-02-28T02:30:09Z", "score": 61.0, "verdict": "fail", "fail": 2, "unknown": 0},
        {"ended": "2026-03-01T02:30:09Z", "score": 43.5, "verdict": "fail", "fail": 3, "unknown": 1},
    ],
    "not_configured": ["minimum_version"],
    "not_assessable": ["Whether users sign in with a second factor.", "Encryption at rest."],
    "not_seen": ["The list of users is filtered for the auditor."],
}


def small() -> Document:
    """Something of everything, as a test may change it."""
    return copy.deepcopy(SMALL)


def clean() -> Document:
    """An audit that found nothing."""
    document = small()
    document |= {"verdict": "pass", "exit_hint": 0, "reasons": [], "score": 100.0, "findings": [], "comparison": None}
    document["controls"] = [control("TOK-01", "Live token of an inactive user", status="pass", seen=12, passed=12)]
    document["counts"] |= {"controls": {"pass": 1}, "findings": {}}
    return document


def failed_early() -> Document:
    """An audit that never came to judge anything."""
    document = clean()
    sentence = "The audit ended early: the master refused the token."
    document |= {"verdict": "incomplete", "exit_hint": 1, "reasons": [sentence], "error": sentence, "score": None}
    document |= {"controls": [], "auditor": None, "waivers": None, "baseline": None, "trend": [], "not_seen": []}
    document["cluster"] |= {"id": None, "name": None, "version": None, "authorisation": None}
    document["counts"] |= {"controls": {}, "objects": {}}
    return document


def hostile() -> Document:
    """Hostile names wherever a name can stand."""
    document = small()
    document["cluster"]["name"] = HOSTILE[3]
    document["auditor"] |= {"username": HOSTILE[7], "roles": list(HOSTILE)}
    document["parameters"] |= {"allowed_registries": list(HOSTILE)}
    for part in ("reasons", "not_configured", "not_assessable", "not_seen"):
        document[part] = list(HOSTILE)
    document["counts"]["objects"] = dict.fromkeys(HOSTILE, 1)
    document["controls"] = [
        control("TOK-01", "Live token of an inactive user", seen=200, passed=0),
        control("TOK-02", "Token lives longer than policy", "medium", "waived", seen=1),
        control("CLU-01", "API without TLS", "critical", "unknown", seen=1),
        control("SITE-1", HOSTILE[4], "low", custom=True, remediation=HOSTILE[3], example="```\n````\n" + HOSTILE[4]),
    ]
    findings = []
    for name in HOSTILE:
        evidence = {
            "faults": [name, f"Its owner is {name}."],
            "fields": {name: name, "nested": {name: [name]}},
            "endpoint": f"GET /api/v1/tokens/{name}",
            "read_at": "2026-03-01T02:30:01Z",
        }
        findings += [
            finding("CLU-01", "tokens", name, "critical", "unknown", evidence=evidence),
            finding("SITE-1", "tokens", name, "low", evidence=evidence, id=name),
            finding("TOK-01", "tokens", name, evidence=evidence, remediation=name, new=True),
            finding("TOK-01", "users", name, evidence=evidence, location={"file": name or "x", "line": 1}),
            finding(
                "TOK-02",
                "tokens",
                name,
                "medium",
                "waived",
                evidence=evidence,
                waiver={"reason": name, "ticket": name, "approved_by": name, "expires": "2026-05-31"},
            ),
        ]
    document["findings"] = findings
    for part in ("new", "fixed", "still", "no_longer_judged"):
        document["comparison"][part] = [
            {"fingerprint": "f" * 64, "control": "TOK-01", "kind": "tokens", "key": name} for name in HOSTILE
        ]
    return document


def big(count: int) -> Document:
    """So many findings, of all severities and statuses in turn."""
    document = small()
    severities = ("low", "medium", "high", "critical")
    document["controls"] = [control(f"TOK-{n:02}", f"Control {n}", severities[n % 4], seen=count) for n in range(20)]
    findings = []
    for n in range(count):
        status = ("fail", "fail", "fail", "unknown", "waived")[n // 20 % 5]
        one = finding(f"TOK-{n % 20:02}", "tokens", f"user-{n:06}/token of the night", severities[n % 4], status, id=n)
        findings.append(one | {"new": n % 7 == 0, "waiver": WAIVER if status == "waived" else None})
    document["findings"] = sorted(findings, key=lambda one: (one["control"], one["kind"], one["key"]))
    counts: dict[str, dict[str, int]] = {}
    for one in findings:
        of_status = counts.setdefault(one["status"], {})
        of_status[one["severity"]] = of_status.get(one["severity"], 0) + 1
    document["counts"]["findings"] = counts
    return document
