# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""det_audit as a whole: its options, its verdict, its reports and its history."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import typing as t
from collections.abc import Iterator
from datetime import timedelta

import jsonschema
import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.determined.ai.plugins.module_utils._audit.catalogue import CATALOGUE
from ansible_collections.determined.ai.plugins.module_utils._audit.judge import Audit
from ansible_collections.determined.ai.plugins.module_utils._audit.operation import Loaded
from ansible_collections.determined.ai.plugins.module_utils._gitops.manifest import Manifest, Settings
from ansible_collections.determined.ai.plugins.module_utils._wire.errors import DeterminedError
from ansible_collections.determined.ai.plugins.modules.det_audit import OPERATION as AUDIT
from ansible_collections.determined.ai.plugins.plugin_utils.audit_conditions import TemplarConditions
from ansible_collections.determined.ai.plugins.plugin_utils.audit_html import write as write_html
from tests.simulator import Fault, Simulator
from tests.simulator.fixtures import INITIAL_PASSWORD
from tests.simulator.state import ACCESS_TOKEN

from ..conftest import Runner

ROOT = pathlib.Path(__file__).parent.parent.parent.parent
SCHEMA = json.loads((ROOT / "docs" / "schemas" / "audit-report-v1.json").read_text())


class PlainController(TemplarConditions):
    """A controller without a playbook: paths are as they are given."""

    write_html = staticmethod(write_html)

    def __init__(self, options: dict[str, t.Any]) -> None:
        super().__init__(Templar(DataLoader()))
        self._options = options
        self.told: list[str] = []

    def load_text(self, option: str) -> Loaded | None:
        path = self._options.get(option)
        return None if path is None else Loaded(path, pathlib.Path(path).read_bytes())

    def load_yaml(self, option: str) -> Loaded | None:
        found = self.load_text(option)
        return None if found is None else Loaded(found.path, found.content, yaml.safe_load(found.content))

    def load_manifest(self) -> Manifest | None:
        given = self._options.get("manifest")
        return None if given is None else Manifest(Settings(cluster_id=given["settings"]["cluster_id"]), [], set())

    def read_tls(self, host: str, port: int, server_name: str, timeout: float) -> dict[str, t.Any]:
        raise AssertionError("the simulated master speaks no TLS")

    def tell(self, text: str) -> None:
        self.told.append(text)


class Operation:
    """The operation with the controller that its options need."""

    arguments = AUDIT.arguments

    def run(self, task: t.Any) -> dict[str, t.Any]:
        task.options["controller"] = PlainController(task.options)
        return AUDIT.run(task)


class Auditing:
    """Runs det_audit on a cluster with one bad token and one good."""

    def __init__(self, sim: Simulator, folder: pathlib.Path) -> None:
        self.sim = sim
        self.folder = folder
        self.runner = Runner(sim)
        for name, life in (("alice", 30), ("bob", 300)):
            user = sim.master.add_user(name, active=True)
            created = sim.master.now() - timedelta(days=1)
            sim.master.add_session(user, ACCESS_TOKEN, timedelta(days=life), description="team/ci", created=created)

    def __call__(self, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        return self.runner(Operation(), check, **{"controls": ["TOK-02"], **options})

    def report(self, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        """Run, whatever the verdict, and return the report, which is valid."""
        path = self.folder / "report.json"
        path.unlink(missing_ok=True)
        self(check, **{"reports": {"json": str(path)}, **options})
        found = json.loads(path.read_text())
        jsonschema.validate(found, SCHEMA)
        return t.cast("dict[str, t.Any]", found)

    def file(self, name: str, content: t.Any) -> str:
        """A YAML file."""
        path = self.folder / name
        path.write_text(yaml.safe_dump(content))
        return str(path)

    def waiver(self, **fields: t.Any) -> dict[str, t.Any]:
        """A waiver of the bad token."""
        today = self.sim.master.now().date()
        return {
            "control": "TOK-02",
            "resources": "bob/*",
            "reason": "The old build server",
            "ticket": "SEC-1",
            "approved_by": "Ada",
            "expires": (today + timedelta(days=30)).isoformat(),
            **fields,
        }


@pytest.fixture
def audit(sim: Simulator, tmp_path: pathlib.Path) -> Iterator[Auditing]:
    auditing = Auditing(sim, tmp_path)
    yield auditing
    auditing.runner.close()


def writes(sim: Simulator) -> list[str]:
    return [
        f"{entry.method} {entry.path}"
        for entry in sim.journal
        if entry.method != "GET" and "/auth/" not in entry.path and not entry.path.endswith(("/search", "/by-ids"))
    ]


# --- verdict ---


def test_a_finding_at_or_above_fail_on_fails_with_a_line_for_it(audit: Auditing) -> None:
    result = audit()
    assert result["failed"]
    assert result["changed"] is False
    verdict, finding = result["msg"].splitlines()
    assert verdict == "The audit's verdict is fail: 1 finding at or above high."
    assert finding == "high TOK-02 tokens/bob/team/ci: It lives longer than 90 days."
    assert result["audit"]["exit_hint"] == 2
    assert [one["key"] for one in result["findings"]] == ["bob/team/ci"]
    assert writes(audit.sim) == []


@pytest.mark.parametrize(("fail_on", "failed"), [("critical", False), ("high", True), ("low", True), ("never", False)])
def test_fail_on(audit: Auditing, fail_on: str, failed: bool) -> None:
    result = audit(fail_on=fail_on)
    assert bool(result.get("failed")) is failed
    assert result["audit"]["verdict"] == ("fail" if failed else "pass")
    # What does not make it fail is found all the same.
    assert result["audit"]["counts"]["findings"] == {"fail": {"high": 1}}


def test_too_much_unknown_is_incomplete(sim: Simulator, audit: Auditing) -> None:
    sim.faults.append(Fault("status", path="/api/v1/master/config", status=403, count=0))
    result = audit(controls=["TOK-02", "TOK-06"], fail_on="never")
    assert result["audit"]["verdict"] == "incomplete"
    assert result["audit"]["exit_hint"] == 3
    assert "1 of 2 controls could not be judged: 50 %, more than 10 %." in result["msg"]
    assert audit(controls=["TOK-02", "TOK-06"], fail_on="never", max_unknown=50)["audit"]["verdict"] == "pass"


def test_the_score_weighs_by_severity(audit: Auditing) -> None:
    # TOK-02 (high, 5) fails, TOK-03 (medium, 2) passes.
    assert audit.report(controls=["TOK-02", "TOK-03"])["score"] == round(100 * 2 / 7, 1)


# --- waivers, baseline ---


def test_a_waived_finding_stays_in_the_report_and_does_not_fail(audit: Auditing) -> None:
    document = audit.report(waivers=audit.file("waivers.yml", [audit.waiver()]))
    assert document["verdict"] == "pass"
    assert [(one["status"], one["waiver"]["ticket"]) for one in document["findings"]] == [("waived", "SEC-1")]
    assert {one["id"]: one["status"] for one in document["controls"]} == {"GOV-02": "pass", "TOK-02": "waived"}
    content = (audit.folder / "waivers.yml").read_bytes()
    assert document["waivers"] == {"sha256": hashlib.sha256(content).hexdigest(), "given": 1}


def test_an_expired_waiver_fails_again_and_is_a_finding(audit: Auditing) -> None:
    document = audit.report(waivers=audit.file("waivers.yml", [audit.waiver(expires="2020-01-31")]))
    assert [(one["control"], one["status"]) for one in document["findings"]] == [("GOV-02", "fail"), ("TOK-02", "fail")]


def test_a_waiver_that_matches_nothing_is_a_finding_unless_nobody_could_see(sim: Simulator, audit: Auditing) -> None:
    waivers = audit.file("waivers.yml", [audit.waiver(resources="carl/*"), audit.waiver()])
    found = [one for one in audit.report(waivers=waivers)["findings"] if one["control"] == "GOV-02"]
    assert [(one["status"], one["key"]) for one in found] == [("fail", "TOK-02 carl/*")]
    # Left out, its control has not run.
    assert audit.report(waivers=waivers, controls=["TOK-01"])["findings"] == []
    sim.faults.append(Fault("status", path="/api/v1/tokens", status=403, count=0))
    found = [one for one in audit.report(waivers=waivers)["findings"] if one["control"] == "GOV-02"]
    assert [one["status"] for one in found] == ["unknown", "unknown"]


def test_bad_waivers_are_told_all_at_once_before_any_call(audit: Auditing) -> None:
    bad = [audit.waiver(control="TOK-20"), audit.waiver(expires=None), audit.waiver(control="GOV-02")]
    result = audit(waivers=audit.file("waivers.yml", bad))
    assert len(result["msg"].splitlines()) == 3
    assert "TOK-20" in result["msg"]
    assert audit.sim.journal == []


def test_with_a_baseline_only_new_findings_fail(audit: Auditing) -> None:
    audit.report()
    baseline = audit.folder / "baseline.json"
    (audit.folder / "report.json").rename(baseline)
    document = audit.report(baseline=str(baseline))
    assert document["verdict"] == "pass"
    assert [one["new"] for one in document["findings"]] == [False]
    carl = audit.sim.master.add_user("carl", active=True)
    audit.sim.master.add_session(carl, ACCESS_TOKEN, timedelta(days=400), description="team/x")
    result = audit(baseline=str(baseline))
    assert [one["key"] for one in result["findings"]] == ["carl/team/x"]
    assert "1 new finding at or above high" in result["msg"]


def test_a_baseline_history_or_manifest_of_another_cluster_is_refused(audit: Auditing) -> None:
    report, history = str(audit.folder / "report.json"), str(audit.folder / "history")
    first = audit.report(history=history)["cluster"]["id"]
    manifest = {"settings": {"cluster_id": first}}
    assert audit(manifest=manifest, fail_on="never")["audit"]["verdict"] == "pass"
    audit.sim.master.cluster_id = "11111111-2222-3333-4444-555555555555"
    for option in ({"baseline": report}, {"history": history}, {"manifest": manifest}):
        del audit.sim.journal[:]
        result = audit(**option)
        assert result["failed"]
        assert first in result["msg"]
        assert "11111111-2222-3333-4444-555555555555" in result["msg"]
        # Nothing was judged that would have to be thrown away.
        assert not any(entry.path.endswith("/tokens") for entry in audit.sim.journal)


# --- custom controls ---


def test_a_custom_control_is_judged_beside_the_others(audit: Auditing) -> None:
    custom = {
        "id": "SITE-01",
        "title": "Tokens of alice",
        "kind": "tokens",
        "fail_when": "resource.username == 'alice'",
        "severity": "low",
        "remediation": "Talk to her.",
        "mapping": {"cis": "5.2"},
    }
    path = audit.file("custom.yml", [custom])
    document = audit.report(custom_controls=path, controls=["TOK-02", "SITE-01"])
    assert [(one["control"], one["key"]) for one in document["findings"]] == [
        ("SITE-01", "alice/team/ci"),
        ("TOK-02", "bob/team/ci"),
    ]
    assert {one["id"]: one["custom"] for one in document["controls"]} == {"SITE-01": True, "TOK-02": False}


# --- reports ---


def test_all_reports_are_written_with_their_mode_and_checksum(audit: Auditing) -> None:
    forms = ("json", "junit", "sarif", "markdown", "html", "csv")
    reports = {form: str(audit.folder / f"report.{form}") for form in forms}
    result = audit(reports=reports, report_mode="0600")
    assert result["failed"]
    assert result["reports"] == reports
    data = (audit.folder / "report.json").read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    assert (audit.folder / "report.json.sha256").read_text() == f"{sha256}  report.json\n"
    for form in forms:
        path = audit.folder / f"report.{form}"
        assert path.stat().st_mode & 0o777 == 0o600
        if form != "json":
            assert sha256 in path.read_text()
    assert f"Reports: {reports['json']}" in result["msg"]


def test_reports_can_be_written_again_from_an_earlier_one_without_a_call(audit: Auditing) -> None:
    first = audit.folder / "first.md"
    audit(reports={"json": str(audit.folder / "report.json"), "markdown": str(first)})
    calls = len(audit.sim.journal)
    second = audit.folder / "second.md"
    result = audit(from_report=str(audit.folder / "report.json"), reports={"markdown": str(second)})
    assert result["failed"]
    assert result["audit"]["verdict"] == "fail"
    assert second.read_text() == first.read_text()
    assert len(audit.sim.journal) == calls


def test_check_mode_writes_reports_but_no_history(audit: Auditing) -> None:
    document = audit.report(check=True, history=str(audit.folder / "history"))
    assert document["verdict"] == "fail"
    assert not (audit.folder / "history").exists()


# --- history ---


def test_the_history_compares_and_shows_a_trend(audit: Auditing) -> None:
    history = str(audit.folder / "history")
    first = audit.report(history=history)
    assert first["comparison"] is None
    assert len(first["trend"]) == 1
    bob = next(row for row in audit.sim.master.sessions.values() if row.description and row.user_id == 4)
    bob.revoked_at = audit.sim.master.now()
    second = audit.report(history=history)
    assert [one["key"] for one in second["comparison"]["fixed"]] == ["bob/team/ci"]
    assert [point["verdict"] for point in second["trend"]] == ["fail", "pass"]


def test_an_audit_that_can_not_be_made_leaves_an_error_report(audit: Auditing) -> None:
    history = audit.folder / "history"
    runner = Runner(audit.sim, auth_token="v2.public.nobody")
    result = runner(Operation(), history=str(history), controls=["TOK-02"])
    runner.close()
    assert result["failed"]
    (path,) = history.glob("*.json")
    document = json.loads(path.read_text())
    jsonschema.validate(document, SCHEMA)
    assert (document["verdict"], document["exit_hint"]) == ("incomplete", 1)
    assert document["error"] == result["msg"]


def test_an_audit_that_breaks_off_leaves_an_error_report_too(audit: Auditing, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Audit) -> None:
        raise ValueError("CANARY-of-the-cluster")

    monkeypatch.setattr(Audit, "run", broken)
    history = audit.folder / "history"
    with pytest.raises(ValueError, match="CANARY"):
        audit(history=str(history))
    (path,) = history.glob("audit-*.json")
    document = json.loads(path.read_text())
    jsonschema.validate(document, SCHEMA)
    assert (document["verdict"], document["exit_hint"]) == ("incomplete", 1)
    assert document["error"] == "The audit broke off: ValueError."


def test_an_audit_whose_reports_can_not_be_written_is_in_the_history(
    audit: Auditing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(document: t.Any, sha256: str) -> str:
        raise DeterminedError("No space left on device.")

    monkeypatch.setattr(PlainController, "write_html", staticmethod(full))
    history = audit.folder / "history"
    result = audit(reports={"html": str(audit.folder / "report.html")}, history=str(history))
    assert result["failed"]
    assert result["msg"] == "No space left on device."
    (path,) = history.glob("audit-*.json")
    assert json.loads(path.read_text())["verdict"] == "fail"


def test_a_master_that_dies_half_way_is_incomplete_and_what_was_not_read_is_unknown(
    sim: Simulator, audit: Auditing
) -> None:
    sim.faults.append(Fault("status", path="/api/v1/master/config", status=503, count=0))
    document = audit.report(controls=["TOK-02", "TOK-06"], history=str(audit.folder / "history"))
    assert (document["verdict"], document["exit_hint"]) == ("incomplete", 3)
    assert document["error"].startswith("The audit ended early")
    statuses = {one["id"]: one["status"] for one in document["controls"]}
    assert statuses["TOK-06"] == "unknown"
    assert statuses["TOK-02"] != "pass"
    assert len(list((audit.folder / "history").glob("audit-*.json"))) == 1


@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_more_calls_than_allowed_are_under_way_at_once(concurrency: int) -> None:
    with Simulator("demo", latency=0.02) as sim:
        runner = Runner(sim)
        result = runner(Operation(), profile="strict", fail_on="never", max_unknown=100, concurrency=concurrency)
        runner.close()
        assert not result.get("failed")
        assert result["requests"] > 40
        assert sim.app.most_at_once == concurrency


def test_a_busy_master_is_asked_again(sim: Simulator, audit: Auditing) -> None:
    for status in (429, 503):
        sim.faults.append(Fault("status", path="/api/v1/tokens", status=status, headers={"Retry-After": "0"}))
    runner = Runner(sim, auth_username="admin", auth_password=INITIAL_PASSWORD, retries=3)
    result = runner(Operation(), controls=["TOK-02"], fail_on="never")
    runner.close()
    assert result["audit"]["counts"]["controls"] == {"fail": 1}


# --- bad input ---


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"controls": ["TOK-2"]}, ["controls has 'TOK-2'", "TOK-02"]),
        ({"exclude": ["TOC-02"]}, ["exclude has 'TOC-02'", "TOK-02"]),
        ({"controls": ["TOK-02"], "exclude": ["TOK-02"]}, ["leave no control"]),
        ({"parameters": {"token_max_day": 3}}, ["token_max_day", "token_max_days"]),
        ({"parameters": {"token_max_days": "many"}}, ["token_max_days is 'many'", "whole number"]),
        ({"parameters": {"image_pinning": "none"}}, ["image_pinning is 'none'", "tag or digest"]),
        ({"parameters": {"allowed_registries": "registry"}}, ["allowed_registries", "list of texts"]),
        ({"parameters": {"tls_terminated": "maybe"}}, ["tls_terminated", "true or false"]),
        ({"parameters": {"minimum_version": "new"}}, ["minimum_version", "0.38.1"]),
        ({"parameters": {"token_description_pattern": "("}}, ["token_description_pattern", "regular expression"]),
        ({"parameters": {"min_admins": 9}}, ["min_admins is 9", "max_admins"]),
        ({"profile": "strictest"}, ["profile", "strict"]),
        ({"frameworks": ["pci"]}, ["frameworks", "cis"]),
        ({"concurrency": 0}, ["concurrency is 0"]),
        ({"max_unknown": 101}, ["max_unknown is 101"]),
        ({"history_keep": 0}, ["history_keep is 0"]),
        ({"report_mode": "rw"}, ["report_mode is 'rw'", "0640"]),
        ({"reports": {"json": "/nowhere/at/all.json"}}, ["reports.json", "/nowhere/at"]),
        ({"reports": {"json": "/tmp/same", "csv": "/tmp/same"}}, ["reports.csv", "reports.json"]),
        ({"history": "/nowhere/at/all"}, ["history is '/nowhere/at/all'"]),
        ({"reports": {"json": "/tmp/same", "csv": "/tmp/same.sha256"}}, ["reports.csv", "reports.json"]),
    ],
)
def test_bad_options_are_refused_before_any_call(audit: Auditing, options: dict[str, t.Any], words: list[str]) -> None:
    result = audit(**options)
    assert result["failed"]
    for word in words:
        assert word in result["msg"]
    assert audit.sim.journal == []


def test_a_report_takes_the_place_of_no_device_and_of_nothing_that_is_read(audit: Auditing) -> None:
    # Each report is put into its place whole: root would have a file instead of /dev/null.
    pipe = audit.folder / "pipe"
    os.mkfifo(pipe)
    result = audit(reports={"json": str(pipe)})
    assert result["msg"] == f"reports.json is {str(pipe)!r}: that is no plain file, and would be replaced by one."
    waivers = audit.file("waivers.yml", [audit.waiver()])
    result = audit(waivers=waivers, reports={"markdown": f"{audit.folder}/./waivers.yml"})
    assert result["failed"]
    assert "reports.markdown" in result["msg"]
    assert "waivers is read from there" in result["msg"]
    assert audit.sim.journal == []
    assert yaml.safe_load((audit.folder / "waivers.yml").read_text())


@pytest.mark.parametrize(("content", "words"), [(b'{"hello": 1}', "no audit report"), (b"\xff", "no text in UTF-8")])
def test_a_file_that_is_no_report_is_refused(audit: Auditing, content: bytes, words: str) -> None:
    path = audit.folder / "other.json"
    path.write_bytes(content)
    for option in ("baseline", "from_report"):
        result = audit(**{option: str(path)})
        assert result["failed"]
        assert result["msg"].startswith(f"{option} is {str(path)!r}: ")
        assert words in result["msg"]
    assert audit.sim.journal == []


# --- the catalogue ---


def test_every_control_is_whole() -> None:
    for one in CATALOGUE.values():
        assert one.title
        assert one.severity in ("critical", "high", "medium", "low")
        assert one.remediation.endswith(".")
        assert any(one.mapping.values()), one.id
        example = yaml.safe_load(one.example) if one.example else None
        # What mends a waiver is the waivers file.
        for task in example if isinstance(example, list) and one.id != "GOV-02" else ():
            assert any(name.startswith("determined.ai.det_") for name in task), one.id


def test_every_control_was_proved_with_each_outcome() -> None:
    """The page of the controls says where; what a control can't be it need not have been."""
    proved = yaml.safe_load((ROOT / "tests" / "unit" / "audit" / "proved.yml").read_text())
    assert proved.keys() == CATALOGUE.keys()
    for number, where in proved.items():
        assert {"fail", "pass", "unknown"} <= set(where["simulated"]), number
        assert where["real"], number
