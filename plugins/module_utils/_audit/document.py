# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""The canonical document of an audit: how it is written, what its digest is, and how one is read back.

Every report is made of it alone. Its shape is in ``docs/schemas/audit-report-v1.json``; what is checked here is that a
report of any form can be written from it.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import typing as t

from .._wire.errors import InvalidOption
from .control import FRAMEWORKS, SEVERITIES

SCHEMA = "determined.ai/audit-report/1"
"""What a document names as its schema."""

Document = dict[str, t.Any]

FINDING_STATUSES = ("fail", "error", "unknown", "waived")
"""What a finding may be: what demands most of a reader first."""

CONTROL_STATUSES = (*FINDING_STATUSES, "pass", "not_applicable")
VERDICTS = ("pass", "fail", "incomplete")

_SURROGATE = re.compile("[\ud800-\udfff]")


def utf8_text(text: str) -> str:
    """A text with U+FFFD for each lone surrogate, which UTF-8 has no way to write."""
    return _SURROGATE.sub("\ufffd", text)


def serialised(document: Document) -> bytes:
    """The document as canonical JSON: UTF-8, sorted keys, no insignificant blanks, one line end.

    What UTF-8 or JSON has no way to write is replaced: lone surrogates by U+FFFD, numbers that are not finite by null.
    """
    try:
        return _json(document).encode()
    except ValueError:  # of which UnicodeEncodeError is one
        return _json(_writable(document)).encode()


def _json(value: t.Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")) + "\n"


def _writable(value: t.Any) -> t.Any:
    if isinstance(value, str):
        return utf8_text(value)
    if isinstance(value, dict):
        return {_writable(name): _writable(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_writable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def digest(data: bytes) -> str:
    """The SHA-256 of a serialised document, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


CHECKSUM = ".sha256"
"""What the name of a report's checksum file ends with."""


def checksum_line(digest: str, file_name: str) -> str:
    """The content of a checksum file, as ``sha256sum --check`` reads it.

    A name with a line end or a backslash is escaped, and the line then starts with a backslash, as sha256sum does it.

    :param file_name: without its folder: both files lie in the same one.
    """
    escaped = file_name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{'' if escaped == file_name else chr(92)}{digest}  {escaped}\n"


def worst_first(findings: t.Iterable[Document]) -> list[Document]:
    """Findings in the order in which they need attention: by status, then by severity, then as the document has them."""
    return sorted(findings, key=lambda one: (FINDING_STATUSES.index(one["status"]), SEVERITIES.index(one["severity"])))


def read_document(text: str) -> Document:
    """Read a canonical document back.

    Fields that this version does not know are left in it.

    :raises InvalidOption: it is not one, or a report could not be written from it. The sentence says where and why.
    """
    try:
        found = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError as error:
        raise InvalidOption("This is no audit report: it is nested too deep.") from error
    except ValueError as error:
        raise InvalidOption(f"This is no audit report: it is not JSON ({error}).") from error
    if not isinstance(found, dict) or "schema" not in found:
        raise InvalidOption(f"This is no audit report: it does not say that its schema is {SCHEMA!r}.")
    if found["schema"] != SCHEMA:
        raise InvalidOption(f"The audit report is of schema {found['schema']!r}: this collection reads {SCHEMA!r}.")
    # JSON can name what UTF-8 can't write.
    document = t.cast(Document, _writable(found) if "\\ud" in text.lower() or _SURROGATE.search(text) else found)
    _DOCUMENT(document, "")
    controls = {one["id"] for one in document["controls"]}
    for index, finding in enumerate(document["findings"]):
        if finding["control"] not in controls:
            _refuse(f"findings[{index}].control", finding["control"], "the id of one of its controls")
        if finding["status"] == "waived" and finding["waiver"] is None:
            _refuse(f"findings[{index}].waiver", None, "a waiver, as the finding is waived")
    return document


def _finite(number: str) -> float | None:
    # To Python, 1e999 is infinite.
    value = float(number)
    return value if math.isfinite(value) else None


def _no_constant(name: str) -> t.NoReturn:
    raise ValueError(f"it has {name}")


# --- what stands where ---

Check = t.Callable[[t.Any, str], None]
"""Checks a value; the text says where it stands. Raises InvalidOption."""


def _refuse(where: str, value: t.Any, wanted: str) -> t.NoReturn:
    shown = json.dumps(value)
    shown = shown if len(shown) <= 60 else f"{shown[:60]}..."
    raise InvalidOption(f"The audit report is damaged: {where[:200]} is {shown}, and must be {wanted}.")


def _of_type(wanted: str, *types: type) -> Check:
    def check(value: t.Any, where: str) -> None:
        # To Python, true is a number.
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            _refuse(where, value, wanted)

    return check


def _one_of(*choices: t.Any) -> Check:
    wanted = f"one of {', '.join(json.dumps(choice) for choice in choices)}"

    def check(value: t.Any, where: str) -> None:
        if isinstance(value, bool) or not isinstance(value, (str, int)) or value not in choices:
            _refuse(where, value, wanted)

    return check


def _pattern(pattern: str, wanted: str) -> Check:
    compiled = re.compile(pattern)

    def check(value: t.Any, where: str) -> None:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            _refuse(where, value, wanted)

    return check


def _or_null(inner: Check) -> Check:
    def check(value: t.Any, where: str) -> None:
        if value is not None:
            inner(value, where)

    return check


def _list_of(inner: Check) -> Check:
    def check(value: t.Any, where: str) -> None:
        if not isinstance(value, list):
            _refuse(where, value, "a list")
        for index, item in enumerate(value):
            inner(item, f"{where}[{index}]")

    return check


def _mapping_of(inner: Check) -> Check:
    def check(value: t.Any, where: str) -> None:
        if not isinstance(value, dict):
            _refuse(where, value, "a mapping")
        for name, item in value.items():
            inner(item, f"{where}.{name}")

    return check


def _fields(**checks: Check) -> Check:
    def check(value: t.Any, where: str) -> None:
        if not isinstance(value, dict):
            _refuse(where, value, "a mapping")
        for name, inner in checks.items():
            here = f"{where}.{name}" if where else name
            if name not in value:
                raise InvalidOption(f"The audit report is damaged: it has no {here}.")
            inner(value[name], here)

    return check


_TEXT = _of_type("a text", str)
_TEXTS = _list_of(_TEXT)
_FLAG = _of_type("true or false", bool)
_WHOLE = _of_type("a whole number", int)
_NUMBER = _of_type("a number", int, float)
_ID = _or_null(_of_type("a number, a text or null", int, str))
_TIME = _pattern(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "a time such as 2026-01-31T02:30:00Z")
_SHA256 = _pattern("[0-9a-f]{64}", "a SHA-256 in 64 hexadecimal digits")
_SEVERITY = _one_of(*SEVERITIES)
_VERDICT = _one_of(*VERDICTS)
_SAME = _list_of(_fields(fingerprint=_SHA256, control=_TEXT, kind=_TEXT, key=_TEXT))

_CONTROL = _fields(
    id=_TEXT,
    title=_TEXT,
    area=_TEXT,
    severity=_SEVERITY,
    status=_one_of(*CONTROL_STATUSES),
    seen=_WHOLE,
    passed=_WHOLE,
    mapping=_mapping_of(_TEXTS),
    remediation=_TEXT,
    example=_TEXT,
    custom=_FLAG,
    reason=_or_null(_TEXT),
)

_FINDING = _fields(
    control=_TEXT,
    kind=_TEXT,
    key=_TEXT,
    id=_ID,
    status=_one_of(*FINDING_STATUSES),
    severity=_SEVERITY,
    fingerprint=_SHA256,
    evidence=_fields(faults=_TEXTS, fields=_mapping_of(lambda value, where: None), endpoint=_TEXT, read_at=_TIME),
    remediation=_TEXT,
    waiver=_or_null(
        _fields(reason=_TEXT, ticket=_TEXT, approved_by=_TEXT, expires=_pattern(r"\d{4}-\d\d-\d\d", "a date"))
    ),
    new=_or_null(_FLAG),
    location=_or_null(_fields(file=_TEXT, line=_WHOLE)),
)

_DOCUMENT = _fields(
    catalogue=_TEXT,
    collection=_TEXT,
    started=_TIME,
    ended=_TIME,
    verdict=_VERDICT,
    exit_hint=_one_of(0, 1, 2, 3),
    reasons=_TEXTS,
    error=_or_null(_TEXT),
    score=_or_null(_NUMBER),
    fail_on=_one_of("critical", "high", "medium", "low", "never"),
    max_unknown=_NUMBER,
    profile=_TEXT,
    parameters=_mapping_of(lambda value, where: None),
    frameworks=_list_of(_one_of(*FRAMEWORKS)),
    sarif_waived=_one_of("suppress", "omit"),
    cluster=_fields(
        id=_or_null(_TEXT),
        name=_or_null(_TEXT),
        version=_or_null(_TEXT),
        authorisation=_or_null(_one_of("basic", "rbac")),
        url=_TEXT,
    ),
    auditor=_or_null(_fields(username=_TEXT, id=_WHOLE, admin=_FLAG, roles=_TEXTS)),
    waivers=_or_null(_fields(sha256=_SHA256, given=_WHOLE)),
    baseline=_or_null(_fields(sha256=_SHA256, ended=_TIME)),
    counts=_fields(
        controls=_mapping_of(_WHOLE),
        findings=_mapping_of(_mapping_of(_WHOLE)),
        objects=_mapping_of(_WHOLE),
        requests=_WHOLE,
    ),
    controls=_list_of(_CONTROL),
    findings=_list_of(_FINDING),
    comparison=_or_null(
        _fields(
            previous=_fields(ended=_TIME, sha256=_SHA256),
            new=_SAME,
            fixed=_SAME,
            still=_SAME,
            no_longer_judged=_SAME,
        )
    ),
    trend=_list_of(_fields(ended=_TIME, score=_or_null(_NUMBER), verdict=_VERDICT, fail=_WHOLE, unknown=_WHOLE)),
    not_configured=_TEXTS,
    not_assessable=_TEXTS,
    not_seen=_TEXTS,
)
