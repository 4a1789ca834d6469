# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history: what is kept, what is compared, what is left alone; and baselines."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import pathlib
import stat
import subprocess
import threading
import typing as t

import pytest

from ansible_collections.determined.ai.plugins.module_utils._audit import history as module
from ansible_collections.determined.ai.plugins.module_utils._audit.document import serialised
from ansible_collections.determined.ai.plugins.module_utils._audit.history import History, known_findings
from ansible_collections.determined.ai.plugins.module_utils._wire.errors import InvalidOption

from .documents import WAIVER, Document, control, finding, small

CLUSTER = small()["cluster"]["id"]
OTHER = "0b0b0b0b-7d7c-4f0e-9f61-6b1f0c1f8a11"


def audit(day: int, *findings: Document, controls: t.Sequence[Document] | None = None, **fields: t.Any) -> Document:
    """A report of an audit in January 2026."""
    document = small()
    document |= {
        "started": f"2026-01-{day:02}T02:30:00Z",
        "ended": f"2026-01-{day:02}T02:31:00Z",
        "findings": list(findings),
        "controls": [control(number, number) for number in ("IAM-04", "TOK-01", "TPL-01")]
        if controls is None
        else controls,
        "comparison": None,
        "trend": [],
    }
    counts: dict[str, dict[str, int]] = {}
    for one in findings:
        counts.setdefault(one["status"], {}).setdefault(one["severity"], 0)
        counts[one["status"]][one["severity"]] += 1
    document["counts"]["findings"] = counts
    cluster = fields.pop("cluster", CLUSTER)
    document["cluster"]["id"] = cluster
    return {**document, **fields}


def failed(day: int) -> Document:
    """A report of an audit that learned nothing."""
    return audit(day, controls=[], error="No login.", verdict="incomplete", score=None, cluster=None)


class Folder:
    """A folder of reports, as audits one after the other use it."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.warnings: list[str] = []

    def open(self, keep: int = 10) -> History:
        self.warnings.clear()
        return History.open(str(self.path), keep, self.warnings.append)

    def past(self, keep: int = 10, cluster: str = CLUSTER) -> module.Past:
        return self.open(keep).of(cluster)

    def keep(self, *documents: Document, keep: int = 10) -> None:
        for document in documents:
            self.open(keep).keep(document)

    def names(self) -> list[str]:
        return sorted(os.listdir(self.path))

    def days(self) -> list[int]:
        """The days of the reports that are there."""
        return [int(name[12:14]) for name in self.names() if name.endswith(".json")]

    def note(self, document: Document, **noted: t.Collection[str]) -> None:
        self.past().note(noted, document)

    def sighted(self, what: str = "users") -> dict[str, tuple[int, int | None]]:
        """The days of the first sightings, and of the last whole audits before them."""
        return {
            number: (one.first.day, one.after and one.after.day)
            for number, one in self.past().sightings.get(what, {}).items()
        }


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> Folder:
    """One that is not there yet."""
    return Folder(tmp_path / "history")


def mode(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- the folder ---


def test_a_report_is_kept_with_its_checksum(folder: Folder) -> None:
    document = audit(3)
    folder.keep(document)
    content = serialised(document)
    sha256 = hashlib.sha256(content).hexdigest()
    name = f"audit-20260103T023000Z-{sha256[:12]}.json"
    assert folder.names() == [name, f"{name}.sha256"]
    assert (folder.path / name).read_bytes() == content
    assert (mode(folder.path), mode(folder.path / name), mode(folder.path / f"{name}.sha256")) == (0o700, 0o600, 0o600)
    subprocess.run(["sha256sum", "--check", "--strict", f"{name}.sha256"], cwd=folder.path, check=True, timeout=10)


def test_nothing_is_made_before_something_is_kept(folder: Folder) -> None:
    folder.past()
    assert not folder.path.exists()


def test_a_folder_that_is_there_keeps_its_mode(folder: Folder) -> None:
    folder.path.mkdir(mode=0o755)
    folder.path.chmod(0o755)
    folder.keep(audit(1))
    assert mode(folder.path) == 0o755


@pytest.mark.parametrize("what", ["file", "nowhere", "dangling"])
def test_a_path_that_can_be_no_folder(tmp_path: pathlib.Path, what: str) -> None:
    path = {"file": tmp_path / "a", "nowhere": tmp_path / "b" / "c", "dangling": tmp_path / "d"}[what]
    (tmp_path / "a").write_text("x")
    (tmp_path / "d").symlink_to(tmp_path / "nothing")
    with pytest.raises(InvalidOption) as found:
        History.open(str(path), 10, lambda text: None)
    assert str(found.value).startswith(f"history is {str(path)!r}: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_can_not_be_written(tmp_path: pathlib.Path) -> None:
    (tmp_path / "shut").mkdir(mode=0o500)
    for path in (tmp_path / "shut", tmp_path / "shut" / "new"):
        with pytest.raises(InvalidOption):
            History.open(str(path), 10, lambda text: None)


def test_equal_audits_are_one_report(folder: Folder) -> None:
    folder.keep(audit(1), audit(1))
    assert folder.days() == [1]


def test_two_audits_at_once_both_leave_their_reports(folder: Folder) -> None:
    documents = [audit(1, requests=number) for number in range(8)]
    workers = [threading.Thread(target=folder.open().keep, args=(document,)) for document in documents]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert folder.days() == [1] * 8
    assert len(folder.past().runs) == 8
    assert folder.warnings == []


# --- retention ---


def test_the_oldest_go(folder: Folder) -> None:
    folder.keep(*(audit(day) for day in (1, 2, 3, 4)), keep=2)
    assert folder.days() == [3, 4]
    assert len(folder.names()) == 4


def test_a_row_of_failures_leaves_the_last_audit_that_was_finished(folder: Folder) -> None:
    folder.keep(audit(1), audit(2), keep=2)
    folder.keep(*(audit(day, error="It died.") for day in (3, 4, 5)), keep=2)
    assert folder.days() == [2, 4, 5]


def test_an_audit_that_learned_nothing_removes_nothing(folder: Folder) -> None:
    folder.keep(audit(1), audit(2), failed(3), keep=2)
    assert folder.days() == [1, 2, 3]
    folder.keep(audit(4), keep=2)
    assert folder.days() == [3, 4]


def test_only_its_own_files_are_removed(folder: Folder, tmp_path: pathlib.Path) -> None:
    folder.keep(audit(1))
    kept = {
        "notes.txt": "mine",
        "audit-20250101T000000Z-0123456789ab.json": "{}",
        "audit-20250101T000000Z.json": "{}",
        "audit-20250101T000000Z-0123456789ab.json.bak": "{}",
        "Audit-20250101T000000Z-0123456789ab.json": "{}",
        ".hidden": "",
    }
    for name, text in kept.items():
        (folder.path / name).write_text(text)
    content = serialised(audit(1, cluster=OTHER))
    foreign = f"audit-20250102T000000Z-{hashlib.sha256(content).hexdigest()[:12]}.json"
    outside = tmp_path / "outside.json"
    outside.write_bytes(content)
    (folder.path / foreign).symlink_to(outside)
    folder.keep(*(audit(day) for day in (2, 3, 4)), keep=1)
    assert folder.days()[-1:] == [4]
    assert {*kept, foreign} <= set(folder.names())
    assert outside.exists()
    assert len([name for name in folder.names() if name.startswith("audit-2026")]) == 2


def test_what_is_none_of_ours_is_named_and_left_alone(folder: Folder) -> None:
    folder.keep(audit(1), audit(2))
    damaged, whole = (name for name in folder.names() if name.endswith(".json"))
    (folder.path / damaged).write_text("{}")
    (folder.path / "notes.txt").write_text("mine")
    past = folder.past()
    assert [run.name for run in past.runs] == [whole]
    assert len(folder.warnings) == 2
    assert f"{damaged} (changed since it was written)" in folder.warnings[0]
    assert "notes.txt" in folder.warnings[1]
    assert (folder.path / damaged).read_text() == "{}"


def test_a_warning_is_not_endless(folder: Folder) -> None:
    folder.path.mkdir()
    for number in range(30):
        (folder.path / f"file{number:02}").touch()
    folder.past()
    [warning] = folder.warnings
    assert "file04 and 25 more" in warning
    assert "file05" not in warning


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'"x"', b"\xff", b'{"schema": "determined.ai/audit-report/1"}', b"[" * 10**5]
)
def test_a_report_of_our_name_that_is_none(folder: Folder, content: bytes) -> None:
    folder.path.mkdir()
    name = f"audit-20260101T000000Z-{hashlib.sha256(content).hexdigest()[:12]}.json"
    (folder.path / name).write_bytes(content)
    assert folder.past().runs == []
    [warning] = folder.warnings
    assert name in warning


def test_a_pipe_of_our_name_stops_nobody(folder: Folder) -> None:
    folder.path.mkdir()
    os.mkfifo(folder.path / "audit-20260101T000000Z-0123456789ab.json")
    assert folder.past().runs == []
    assert "no plain file" in folder.warnings[0]


# --- whose it is ---


def test_the_history_of_another_cluster_is_refused_and_not_touched(folder: Folder) -> None:
    folder.keep(audit(1))
    before = folder.names()
    history = folder.open()
    with pytest.raises(InvalidOption) as found:
        history.of(OTHER)
    assert str(found.value).startswith(f"history is {str(folder.path)!r}: ")
    assert CLUSTER in str(found.value)
    assert OTHER in str(found.value)
    # What the module leaves of an audit that failed is not for this folder.
    history.keep(failed(2))
    assert folder.names() == before


def test_sightings_of_another_cluster_are_refused(folder: Folder) -> None:
    folder.note(audit(1), users=["3"])
    with pytest.raises(InvalidOption, match=OTHER):
        folder.past(cluster=OTHER)


def test_an_audit_that_learned_nothing_is_of_any_cluster(folder: Folder) -> None:
    folder.keep(failed(1))
    assert len(folder.past(cluster=OTHER).runs) == 1


# --- comparison ---

OLD, NEW, STAYS = (finding("TOK-01", "tokens", f"alice/{name}") for name in ("old", "new", "stays"))


def compared(folder: Folder, before: Document, now: Document) -> dict[str, list[str]]:
    folder.keep(before)
    comparison = folder.past().compared(now)["comparison"]
    assert comparison["previous"]["ended"] == before["ended"]
    assert comparison["previous"]["sha256"] == hashlib.sha256(serialised(before)).hexdigest()
    return {name: [one["key"] for one in comparison[name]] for name in ("new", "fixed", "still", "no_longer_judged")}


def test_without_an_audit_before_there_is_nothing_to_compare(folder: Folder) -> None:
    assert folder.past().compared(audit(1)) == {"comparison": None}
    folder.keep(failed(2))
    assert folder.past().compared(audit(3)) == {"comparison": None}


def test_what_has_changed(folder: Folder) -> None:
    found = compared(folder, audit(1, OLD, STAYS), audit(2, NEW, STAYS))
    assert found == {"new": ["alice/new"], "fixed": ["alice/old"], "still": ["alice/stays"], "no_longer_judged": []}
    entry = folder.past().compared(audit(2, NEW))["comparison"]["new"][0]
    assert entry == {"fingerprint": NEW["fingerprint"], "control": "TOK-01", "kind": "tokens", "key": "alice/new"}


def test_an_audit_that_failed_is_not_compared_with(folder: Folder) -> None:
    folder.keep(audit(1, OLD), audit(2, error="It died."), failed(3))
    comparison = folder.past().compared(audit(4, OLD))["comparison"]
    assert comparison["previous"]["ended"] == "2026-01-01T02:31:00Z"
    assert [one["key"] for one in comparison["still"]] == ["alice/old"]


def test_a_waived_finding_is_still_there(folder: Folder) -> None:
    waived = {**OLD, "status": "waived", "waiver": WAIVER}
    assert compared(folder, audit(1, OLD), audit(2, waived))["still"] == ["alice/old"]
    assert compared(folder, audit(3, waived), audit(4, OLD))["still"] == ["alice/old"]


def test_what_was_unknown_before_is_new(folder: Folder) -> None:
    found = compared(folder, audit(1, {**OLD, "status": "unknown"}), audit(2, OLD))
    assert found["new"] == ["alice/old"]


WHOLE = finding("TOK-01", "tokens", "*", status="unknown")


@pytest.mark.parametrize(
    "now",
    [
        audit(2, controls=[control("TPL-01", "Not this one")]),
        audit(2, controls=[control("TOK-01", "", status="not_applicable", reason="No tokens in this version.")]),
        audit(2, controls=[control("TOK-01", "", status="not_applicable")]),
        audit(2, {**OLD, "status": "unknown"}),
        audit(2, {**OLD, "status": "error"}),
        audit(2, WHOLE),
        audit(2, {**WHOLE, "status": "error"}),
        audit(2, finding("TOK-01", "users", "*", status="unknown")),
        failed(2),
    ],
)
def test_what_nobody_saw_is_not_fixed(folder: Folder, now: Document) -> None:
    found = compared(folder, audit(1, OLD), now)
    assert (found["fixed"], found["no_longer_judged"]) == ([], ["alice/old"])


def test_the_last_of_its_kind_is_fixed_when_it_has_gone(folder: Folder) -> None:
    now = audit(2, controls=[control("TOK-01", "", status="not_applicable")])
    now["counts"]["objects"]["tokens"] = 0
    assert compared(folder, audit(1, OLD), now)["fixed"] == ["alice/old"]


def test_what_another_control_did_not_see_hinders_nobody(folder: Folder) -> None:
    found = compared(folder, audit(1, OLD), audit(2, finding("TPL-01", "templates", "*", status="unknown")))
    assert found["fixed"] == ["alice/old"]


def test_the_order_is_by_control_kind_and_key(folder: Folder) -> None:
    ones = [
        finding("TPL-01", "templates", "a"),
        finding("TOK-01", "users", "a"),
        finding("TOK-01", "tokens", "b"),
        STAYS,
    ]
    assert compared(folder, audit(1), audit(2, *ones))["new"] == ["alice/stays", "b", "a", "a"]


# --- trend ---


def test_the_trend_is_of_one_catalogue_and_profile(folder: Folder) -> None:
    folder.keep(
        audit(1, score=50.0),
        audit(2, score=60.0, profile="strict"),
        audit(3, score=70.0, catalogue="0.9.0"),
        audit(4, OLD, STAYS, WHOLE, score=80.0),
        failed(5),
    )
    found = folder.past().trend(audit(6, OLD, score=90.0))
    assert found == [
        {"ended": "2026-01-01T02:31:00Z", "score": 50.0, "verdict": "fail", "fail": 0, "unknown": 0},
        {"ended": "2026-01-04T02:31:00Z", "score": 80.0, "verdict": "fail", "fail": 2, "unknown": 1},
        {"ended": "2026-01-05T02:31:00Z", "score": None, "verdict": "incomplete", "fail": 0, "unknown": 0},
        {"ended": "2026-01-06T02:31:00Z", "score": 90.0, "verdict": "fail", "fail": 1, "unknown": 0},
    ]


# --- sightings ---

PART = finding("IAM-04", "users", "*", status="unknown")


def test_what_a_later_audit_sees_first_came_about_after_the_one_before(folder: Folder) -> None:
    assert folder.sighted() == {}
    folder.note(audit(1), users=["3", "4"])
    assert folder.sighted() == {"3": (1, None), "4": (1, None)}
    folder.note(audit(5), users=["3", "9"])
    assert folder.sighted() == {"3": (1, None), "9": (5, 1)}
    folder.note(audit(6), users=["3", "4", "9"])
    assert folder.sighted() == {"3": (1, None), "4": (6, 5), "9": (5, 1)}
    assert mode(folder.path / "sightings.json") == 0o600
    assert folder.past().sightings["users"]["9"].first == datetime.datetime(2026, 1, 5, 2, 30, tzinfo=datetime.UTC)


def test_an_audit_that_saw_nothing_to_note_was_there_all_the_same(folder: Folder) -> None:
    folder.note(audit(1))
    folder.note(audit(2), users=["3"])
    assert folder.sighted() == {"3": (2, 1)}


@pytest.mark.parametrize(
    "blind",
    [
        audit(1, PART),
        audit(1, controls=[control("TOK-01", "Another")]),
        audit(1, controls=[control("IAM-04", "", reason="Not here.")]),
        audit(1, error="It died."),
    ],
)
def test_one_that_did_not_see_all_dates_nothing_and_forgets_nothing(folder: Folder, blind: Document) -> None:
    folder.note(blind, users=["3"])
    assert folder.sighted() == {}
    folder.note(audit(2), users=["3", "4"])
    assert folder.sighted() == {"3": (2, None), "4": (2, None)}
    folder.note({**blind, "started": "2026-01-03T00:00:00Z"}, users=["3", "5"])
    assert folder.sighted() == {"3": (2, None), "4": (2, None), "5": (3, 2)}


def test_what_could_not_be_judged_is_not_forgotten(folder: Folder) -> None:
    folder.note(audit(1), users=["3"])
    folder.note(audit(2, finding("IAM-04", "users", "carol", status="error", id=3)))
    assert folder.sighted() == {"3": (1, None)}


def test_stores_are_apart(folder: Folder) -> None:
    whole = [control("IAM-04", ""), control("EXP-07", "")]
    folder.note(audit(1, controls=whole), users=["3"], deleting=["3", "7"])
    folder.note(audit(2, controls=whole), users=["3", "7"], deleting=["7"])
    assert folder.sighted("users") == {"3": (1, None), "7": (2, 1)}
    assert folder.sighted("deleting") == {"7": (1, None)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"schema": "x"}',
        '{"schema": "determined.ai/audit-sightings/1", "cluster": "x", "sightings": []}',
    ],
)
def test_damaged_sightings_are_told_and_left_alone(folder: Folder, text: str) -> None:
    folder.path.mkdir()
    path = folder.path / "sightings.json"
    path.write_text(text)
    folder.note(audit(1), users=["3"])
    assert path.read_text() == text
    assert folder.sighted() == {}
    [warning] = folder.warnings
    assert str(path) in warning
    assert "left alone" in warning


def test_the_file_of_sightings_is_no_stranger(folder: Folder) -> None:
    folder.note(audit(1), users=["3"])
    folder.keep(audit(1))
    folder.past()
    assert folder.warnings == []
    assert json.loads((folder.path / "sightings.json").read_text())["cluster"] == CLUSTER


# --- baseline ---


def test_a_baseline_knows_what_fails() -> None:
    baseline = audit(1, OLD, {**NEW, "status": "waived", "waiver": WAIVER}, {**STAYS, "status": "unknown"})
    assert known_findings(baseline, "known.json", CLUSTER) == {OLD["fingerprint"]}


@pytest.mark.parametrize(
    ("baseline", "words"),
    [(audit(1, cluster=OTHER), f"is of the cluster {OTHER}"), (failed(1), "names no cluster")],
)
def test_a_baseline_of_another_cluster_is_refused(baseline: Document, words: str) -> None:
    with pytest.raises(InvalidOption) as found:
        known_findings(baseline, "known.json", CLUSTER)
    assert str(found.value) == f"baseline is 'known.json': it {words}, and this is the cluster {CLUSTER}."
