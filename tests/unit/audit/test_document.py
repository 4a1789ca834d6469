# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The canonical document: its bytes, its digest, and what is taken for one."""

from __future__ import annotations

import copy
import hashlib
import json
import pathlib
import subprocess
import typing as t
from collections.abc import Callable, Iterator

import jsonschema
import pytest

from ansible_collections.determined.ai.plugins.module_utils._audit.document import (
    checksum_line,
    digest,
    read_document,
    serialised,
    worst_first,
)
from ansible_collections.determined.ai.plugins.module_utils._wire.errors import InvalidOption

from .documents import WAIVER, Document, big, clean, failed_early, finding, hostile, small

ROOT = pathlib.Path(__file__).parent.parent.parent.parent
SCHEMA = json.loads((ROOT / "docs" / "schemas" / "audit-report-v1.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
MAKERS = (small, clean, failed_early, hostile, lambda: big(200))

Path = tuple[t.Any, ...]


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("make", MAKERS)
def test_what_is_written_is_valid_and_read_back_as_it_was(make: Callable[[], Document]) -> None:
    data = serialised(make())
    document = read_document(data.decode("utf-8"))
    VALIDATOR.validate(document)
    assert serialised(document) == data
    if make is not hostile:
        assert document == make()


def test_the_form_is_canonical() -> None:
    assert serialised({"b": [1, "\u00e9 \U0001f600"], "a": {"d": None, "c": 71.4}}) == (
        '{"a":{"c":71.4,"d":null},"b":[1,"\u00e9 \U0001f600"]}\n'.encode()
    )
    turned = dict(reversed(small().items()))
    assert serialised(turned) == serialised(small())


def test_what_utf8_and_json_can_not_write_is_replaced() -> None:
    found = serialised({"x\ud800": ["\udfff y", float("nan"), float("inf"), {"z": "\ud83d\ude00"}]})
    assert json.loads(found) == {"x\ufffd": ["\ufffd y", None, None, {"z": "\ufffd\ufffd"}]}


def test_the_digest_is_what_sha256sum_checks(tmp_path: pathlib.Path) -> None:
    data = serialised(small())
    assert digest(data) == hashlib.sha256(data).hexdigest()
    for name in ("report.json", "of the night.json", "back\\slash\nline.json"):
        (tmp_path / name).write_bytes(data)
        (tmp_path / "sums").write_text(checksum_line(digest(data), name), newline="")
        subprocess.run(["sha256sum", "--check", "--strict", "sums"], cwd=tmp_path, check=True, capture_output=True)
    assert checksum_line("0" * 64, "report.json") == f"{'0' * 64}  report.json\n"


def test_worst_first() -> None:
    found = [
        finding("A", "users", "1", "low"),
        finding("B", "users", "2", "critical", "waived"),
        finding("C", "users", "3", "critical", "unknown"),
        finding("D", "users", "4", "critical"),
        finding("E", "users", "5", "info"),
        finding("F", "users", "6", "medium", "error"),
        finding("G", "users", "7", "critical"),
    ]
    assert [one["control"] for one in worst_first(found)] == ["D", "G", "A", "E", "F", "C", "B"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("<html>", "not JSON"),
        ("[" * 100_000, "nested too deep"),
        ("[]", "does not say that its schema is"),
        ('"text"', "does not say that its schema is"),
        ("{}", "does not say that its schema is"),
        ('{"schema": "determined.ai/audit-report/2"}', "this collection reads 'determined.ai/audit-report/1'"),
        ('{"schema": 1}', "this collection reads 'determined.ai/audit-report/1'"),
        ('{"schema": "determined.ai/audit-report/1"}', "it has no catalogue"),
        ('{"schema": "determined.ai/audit-report/1", "score": NaN}', "it has NaN"),
    ],
)
def test_what_is_no_report_is_refused_in_one_sentence(text: str, words: str) -> None:
    with pytest.raises(InvalidOption, match=words) as caught:
        read_document(text)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


WRONG: list[tuple[Path, t.Any, str]] = [
    (("score",), "71", r'score is "71", and must be a number'),
    (("score",), True, "score is true"),
    (("verdict",), "green", 'verdict is "green", and must be one of "pass", "fail", "incomplete"'),
    (("exit_hint",), True, "exit_hint is true"),
    (("ended",), "2026-03-01 02:30", "ended .* must be a time such as"),
    (("cluster", "authorisation"), "none", "cluster.authorisation"),
    (("waivers", "sha256"), "abc", "waivers.sha256 .* must be a SHA-256"),
    (("frameworks", 0), "pci", r"frameworks\[0\]"),
    (("counts", "findings", "fail", "high"), "1", "counts.findings.fail.high"),
    (("controls", 0, "severity"), "urgent", r"controls\[0\]\.severity"),
    (("controls", 1), None, r"controls\[1\] is null, and must be a mapping"),
    (("findings",), {}, "findings is {}, and must be a list"),
    (("findings", 0, "control"), "TOK-99", r"findings\[0\]\.control .* the id of one of its controls"),
    (("findings", 3, "waiver"), None, r"findings\[3\]\.waiver .* as the finding is waived"),
    (("findings", 0, "status"), "pass", r"findings\[0\]\.status"),
    (("findings", 1, "location", "line"), "7", r"findings\[1\]\.location\.line"),
    (("findings", 0, "evidence", "faults", 0), 5, r"findings\[0\]\.evidence\.faults\[0\]"),
    (("comparison", "new", 0, "fingerprint"), "x" * 500, r"comparison\.new\[0\]\.fingerprint is .{60}\.\.\., and"),
]


@pytest.mark.parametrize(("path", "value", "words"), WRONG)
def test_what_is_wrong_is_named(path: Path, value: t.Any, words: str) -> None:
    document = small()
    put(document, path, value)
    with pytest.raises(InvalidOption, match=words):
        read_document(serialised(document).decode("utf-8"))


def test_unknown_fields_are_left_alone() -> None:
    document = small() | {"later": {"x": 1}}
    assert read_document(serialised(document).decode("utf-8")) == document


def test_schema_and_reader_agree_on_what_must_be_there() -> None:
    free = {("parameters",), ("evidence", "fields"), ("counts", "controls"), ("counts", "objects"), ("mapping",)}
    seen = 0
    for path in paths(SMALL):
        parent = path[:-1]
        if isinstance(path[-1], int) or any(names(parent)[-len(one) :] == one for one in free):
            continue
        if names(parent)[:2] == ("counts", "findings"):
            continue
        seen += 1
        document = copy.deepcopy(SMALL)
        del at(document, parent)[path[-1]]
        refused_by_both(document, path)
    assert seen > 90


def test_schema_and_reader_agree_on_types() -> None:
    seen = 0
    for path in paths(SMALL):
        if {"parameters", "fields"} & set(names(path)[:-1]):
            continue
        seen += 1
        for other in (["no"], {"no": "no"}, 1.5):
            document = copy.deepcopy(SMALL)
            # A mapping, a list or a number in the place of something else.
            if isinstance(at(document, path), (int, float) if isinstance(other, float) else type(other)):
                continue
            put(document, path, other)
            refused_by_both(document, path)
    assert seen > 120


def smallest() -> Document:
    """One of everything: each thing that is checked costs a whole validation."""
    document = small()
    document["controls"] = [one for one in document["controls"] if one["id"] == "EXP-03"]
    document["findings"] = [one | {"waiver": WAIVER} for one in document["findings"] if one["control"] == "EXP-03"]
    document["comparison"]["new"] = document["comparison"]["new"][:1]
    document["trend"] = document["trend"][:1]
    document["counts"]["findings"] = {"fail": {"low": 1}}
    return document


SMALL = smallest()


def refused_by_both(document: Document, path: Path) -> None:
    assert not VALIDATOR.is_valid(document), path
    with pytest.raises(InvalidOption):
        read_document(json.dumps(document))


def names(path: Path) -> tuple[str, ...]:
    return tuple(part for part in path if isinstance(part, str))


def at(value: t.Any, path: Path) -> t.Any:
    for part in path:
        value = value[part]
    return value


def put(value: t.Any, path: Path, new: t.Any) -> None:
    at(value, path[:-1])[path[-1]] = new


def paths(value: t.Any, here: Path = ()) -> Iterator[Path]:
    """Where everything in a document stands."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in inner:
        yield (*here, name)
        yield from paths(item, (*here, name))
