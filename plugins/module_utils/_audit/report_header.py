# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""What every report says of its audit: whose cluster, judged how and by whom, and what stayed out of sight."""

from __future__ import annotations

import json
import typing as t

from .document import Document


def header(document: Document, digest: str) -> dict[str, t.Any]:
    """The facts of an audit by name, in the order in which they are told.

    :param digest: the SHA-256 of the canonical document.
    """
    cluster = document["cluster"]
    auditor = document["auditor"] or {}
    waivers = document["waivers"] or {}
    baseline = document["baseline"] or {}
    return {
        "report_sha256": digest,
        "schema": document["schema"],
        "verdict": document["verdict"],
        "score": document["score"],
        "exit_hint": document["exit_hint"],
        "reasons": document["reasons"],
        "error": document["error"],
        "cluster": cluster["name"],
        "cluster_id": cluster["id"],
        "cluster_url": cluster["url"],
        "master_version": cluster["version"],
        "authorisation": cluster["authorisation"],
        "auditor": auditor.get("username"),
        "auditor_id": auditor.get("id"),
        "auditor_admin": auditor.get("admin"),
        "auditor_roles": auditor.get("roles"),
        "audit_started": document["started"],
        "audit_ended": document["ended"],
        "collection": document["collection"],
        "catalogue": document["catalogue"],
        "profile": document["profile"],
        "fail_on": document["fail_on"],
        "max_unknown": document["max_unknown"],
        "frameworks": document["frameworks"],
        "waivers_sha256": waivers.get("sha256"),
        "waivers_given": waivers.get("given"),
        "baseline_sha256": baseline.get("sha256"),
        "baseline_ended": baseline.get("ended"),
        "counts": document["counts"],
        "parameters": document["parameters"],
        "not_configured": document["not_configured"],
        "not_assessable": document["not_assessable"],
        "not_seen": document["not_seen"],
    }


def as_text(value: t.Any) -> str:
    """A fact in one text: texts as they are, nothing for null, all else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def identity(finding: Document) -> str:
    """Which resource a finding is about. Tokens and runs may share a key, so an id that says more is added."""
    name = f"{finding['kind']} {finding['key']}"
    return name if finding["id"] is None or str(finding["id"]) == finding["key"] else f"{name} (id {finding['id']})"


def waiver_text(finding: Document) -> str:
    """Who waived a finding, why and until when."""
    waiver = finding["waiver"]
    return f"Waived until {waiver['expires']} by {waiver['approved_by']} ({waiver['ticket']}): {waiver['reason']}"


def reasons(document: Document) -> list[str]:
    """Why the verdict is what it is, what ended the audit early included."""
    told = [] if document["error"] is None else [document["error"]]
    return list(dict.fromkeys([*told, *document["reasons"]]))
