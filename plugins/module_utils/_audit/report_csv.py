# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""An audit as CSV, for spreadsheets: one row a finding, one column a framework.

RFC 4180 quoting with line feeds. A file of rows has no place for a header of its own, so what identifies the audit stands in
each row, and what is long in the first one. An audit without findings has one row, without a control.
"""

from __future__ import annotations

import csv
import io
import re
import typing as t

from .document import Document, utf8_text
from .report_header import as_text, header

_FORMULA = re.compile("[=+@\t\r\n\uff1d\uff0b\uff20-]")

_LONG = ("reasons", "error", "counts", "parameters", "not_configured", "not_assessable", "not_seen")
"""Facts of the audit that only the first row has."""


def write(document: Document, digest: str) -> str:
    """The audit as CSV.

    :param digest: the SHA-256 of the canonical document.
    """
    controls = {one["id"]: one for one in document["controls"]}
    frameworks = document["frameworks"]
    facts = {name: _cell(as_text(value)) for name, value in header(document, digest).items()}
    long = [facts.pop(name) for name in _LONG]
    short = list(facts.values())
    out = io.StringIO()
    # Quoting where it must be is not the same in all versions of Python: before 3.13 a lone CR gets none.
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow([*_COLUMNS, *frameworks, *facts, *_LONG])
    for index, finding in enumerate(document["findings"]):
        control = controls[finding["control"]]
        cells = _row(finding, control)
        cells += ["; ".join(control["mapping"].get(name, ())) for name in frameworks]
        writer.writerow([*map(_cell, cells), *short, *(long if index == 0 else [""] * len(long))])
    if not document["findings"]:
        writer.writerow([*[""] * (len(_COLUMNS) + len(frameworks)), *short, *long])
    # No reader of CSV takes a NUL for what it is.
    return utf8_text(out.getvalue()).replace("\0", "\ufffd")


_COLUMNS = (
    "control",
    "title",
    "area",
    "severity",
    "status",
    "new",
    "kind",
    "key",
    "id",
    "faults",
    "fields",
    "endpoint",
    "read_at",
    "remediation",
    "waiver_reason",
    "waiver_ticket",
    "waiver_approved_by",
    "waiver_expires",
    "file",
    "line",
    "fingerprint",
)


def _row(finding: Document, control: Document) -> list[t.Any]:
    evidence = finding["evidence"]
    waiver = finding["waiver"] or {}
    location = finding["location"] or {}
    return [
        finding["control"],
        control["title"],
        control["area"],
        finding["severity"],
        finding["status"],
        finding["new"],
        finding["kind"],
        finding["key"],
        finding["id"],
        "\n".join(evidence["faults"]),
        evidence["fields"],
        evidence["endpoint"],
        evidence["read_at"],
        finding["remediation"],
        waiver.get("reason"),
        waiver.get("ticket"),
        waiver.get("approved_by"),
        waiver.get("expires"),
        location.get("file"),
        location.get("line"),
        finding["fingerprint"],
    ]


def _cell(value: t.Any) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = as_text(value)
    # A number is no text that somebody chose.
    return f"'{text}" if isinstance(value, str) and _FORMULA.match(text) else text
