# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""What det_audit does: check the options, read, judge, waive, compare, report; and then say what the verdict is."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import os
import pathlib
import sys
import typing as t
from urllib.parse import urlsplit

from .._gitops.lock import check_writable, write_text
from .._gitops.manifest import Manifest
from .._kinds.kind import Arguments, Task
from .._wire._version import COLLECTION_VERSION
from .._wire.connection import origin
from .._wire.errors import DeterminedError, InvalidOption
from .catalogue import CATALOGUE, CATALOGUE_VERSION, NOT_ASSESSABLE
from .control import FRAMEWORKS, SEVERITIES, Control
from .custom import Conditions
from .custom import parse as parse_custom
from .document import CHECKSUM, SCHEMA, Document, checksum_line, digest, read_document, serialised, worst_first
from .drift import declared_at
from .history import History, known_findings
from .judge import TIME, Audit
from .profile import PROFILES, Parameters, chosen_controls, chosen_parameters
from .report_csv import write as write_csv
from .report_junit import write as write_junit
from .report_markdown import write as write_markdown
from .report_sarif import write as write_sarif
from .site import Site
from .snapshot import Snapshot
from .waivers import Waiver, apply
from .waivers import parse as parse_waivers
from .waivers import resources as waiver_resources

WRITERS: dict[str, t.Callable[[Document, str], str]] = {
    "junit": write_junit,
    "sarif": write_sarif,
    "markdown": write_markdown,
    "csv": write_csv,
}
"""The reports that need nothing of the controller; ``json`` is the document itself, ``html`` is `Controller.write_html`."""

REPORTS = ("json", *WRITERS, "html")
FAIL_ON = (*SEVERITIES[:4], "never")
PASS, FAIL, INCOMPLETE = "pass", "fail", "incomplete"
EXIT_HINTS = {PASS: 0, FAIL: 2, INCOMPLETE: 3}
FAILED_EARLY = 1
"""The exit hint of an audit that ended before it judged anything."""

SHOWN_FINDINGS = 10

WRITTEN_BY_HAND = ("waivers", "custom_controls")
"""Options of files that no report may overwrite; a baseline is a report itself."""


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A file of the task, as the controller has read it.

    :ivar path: where it lies.
    :ivar content: its bytes.
    :ivar data: what YAML makes of it, plain; None where it is not YAML but ours.
    """

    path: str
    content: bytes
    data: t.Any = None

    @property
    def sha256(self) -> str:
        """Its digest."""
        return hashlib.sha256(self.content).hexdigest()


class Controller(Conditions, t.Protocol):
    """What only the controller can do: files by Ansible's rules, templates, and its libraries."""

    def load_yaml(self, option: str) -> Loaded | None:
        """Read the YAML file that an option names; None where it is not given.

        :raises InvalidOption: there is none, or it is no YAML.
        """

    def load_text(self, option: str) -> Loaded | None:
        """Read the file that an option names; None where it is not given."""

    def load_manifest(self) -> Manifest | None:
        """Load the manifest to find drift against; None where none is given."""

    def read_tls(self, host: str, port: int, server_name: str, timeout: float) -> dict[str, t.Any]:
        """Make one TLS handshake, see `audit_tls.read_tls`."""

    def write_html(self, document: Document, digest: str) -> str:
        """The report as a page."""

    def tell(self, text: str) -> None:
        """Show a line of progress."""


@dataclasses.dataclass(frozen=True)
class Order:
    """What is to be audited: the options, all of them checked.

    :ivar controls: the controls to judge.
    :ivar parameters: the thresholds in force.
    :ivar waivers: the waivers, and the file that they are from.
    :ivar baseline: the report of known findings, and the file that it is from.
    :ivar manifest: what the cluster should be.
    """

    controls: t.Sequence[Control]
    parameters: Parameters
    waivers: tuple[Loaded, list[Waiver]] | None
    baseline: tuple[Loaded, Document] | None
    manifest: Manifest | None


class AuditOperation:
    """Audits a cluster, and changes nothing on it."""

    arguments = Arguments(
        spec={
            "profile": {"type": "str", "choices": list(PROFILES), "default": "standard"},
            "parameters": {"type": "dict", "default": {}},
            "controls": {"type": "list", "elements": "str"},
            "exclude": {"type": "list", "elements": "str", "default": []},
            "waivers": {"type": "path"},
            "baseline": {"type": "path"},
            "custom_controls": {"type": "path"},
            "fail_on": {"type": "str", "choices": list(FAIL_ON), "default": "high"},
            "max_unknown": {"type": "int", "default": 10},
            "reports": {"type": "dict", "options": {form: {"type": "path"} for form in REPORTS}},
            "report_mode": {"type": "raw", "default": "0640"},
            "frameworks": {
                "type": "list",
                "elements": "str",
                "choices": list(FRAMEWORKS),
                "default": list(FRAMEWORKS),
            },
            "sarif_waived": {"type": "str", "choices": ["suppress", "omit"], "default": "suppress"},
            "history": {"type": "path"},
            "history_keep": {"type": "int", "default": 400},
            "manifest": {"type": "raw"},
            "environment": {"type": "str"},
            "evidence_key": {"type": "str", "no_log": True},
            "probe_blank_passwords": {"type": "bool", "default": False},
            "concurrency": {"type": "int", "default": 4},
            "from_report": {"type": "path"},
        },
        required_by={"environment": ("manifest",)},
    )

    def run(self, task: Task) -> dict[str, t.Any]:
        """Audit, write the reports, and return the verdict.

        :raises DeterminedError: the verdict is fail or incomplete, or the audit could not be made; `task.extra` then has what a
            result has all the same.
        """
        options = task.options
        controller = t.cast(Controller, options["controller"])
        mode = _check(options)
        earlier = controller.load_text("from_report")
        if earlier is not None:
            found = _read("from_report", earlier)
            return self._told(task, found, _write_reports(task, controller, found, mode))
        now = datetime.datetime.now(datetime.UTC)
        order = _order(task, controller, now)
        history = None
        if options["history"] is not None:
            history = History.open(options["history"], options["history_keep"], warn=task.warn)
        kept = None if task.check_mode else history
        document: Document | None = None
        reports: dict[str, str] | None = None
        try:
            document = self._audited(task, controller, order, history, now)
            reports = _write_reports(task, controller, document, mode)
        finally:
            # Whatever it was, a mistake of our own included: silence would be taken for green.
            if reports is None and kept is not None:
                _keep_failed(task, kept, document or _error_document(task, order, now, _what_failed()))
        if kept is not None:
            kept.keep(document)
        return self._told(task, document, reports)

    def _audited(
        self, task: Task, controller: Controller, order: Order, history: History | None, now: datetime.datetime
    ) -> Document:
        options, session = task.options, task.session
        before = session.requests
        snapshot = Snapshot(
            session,
            now,
            concurrency=options["concurrency"],
            paused_max_days=order.parameters.paused_max_days,
            probes=frozenset({"blank_passwords"} if options["probe_blank_passwords"] else ()),
            read_tls=controller.read_tls,
            manifest=order.manifest,
            tell=controller.tell,
        )
        snapshot.identify()
        cluster_id = snapshot.master["cluster_id"]
        past = None if history is None else history.of(cluster_id)
        known = (
            None if order.baseline is None else known_findings(order.baseline[1], order.baseline[0].path, cluster_id)
        )
        if order.manifest is not None:
            order.manifest.check_cluster(cluster_id, session.connection.master)
        site = Site(
            snapshot,
            order.parameters,
            now,
            sightings=None if past is None else past.sightings,
            evidence_key=None if options["evidence_key"] is None else options["evidence_key"].encode(),
        )
        audit = Audit(snapshot, site, order.controls)
        audit.run()
        today = now.date()
        waivers = [] if order.waivers is None else order.waivers[1]
        audit.judge_waivers(waiver_resources(waivers, audit.findings(), audit.judged(), today))
        audit.waive(lambda findings: apply(findings, waivers, today))
        findings = audit.findings()
        places = {} if order.manifest is None else declared_at(order.manifest)
        for finding in findings:
            finding["location"] = places.get((finding["kind"], finding["key"]))
        ended = datetime.datetime.now(datetime.UTC)
        document: Document = {
            **_head(task, order, now),
            "ended": ended.strftime(TIME),
            "error": None if snapshot.failure is None else f"The audit ended early: {snapshot.failure}",
            "score": audit.score(),
            "cluster": _cluster(task, snapshot),
            "auditor": {
                "username": snapshot.rights.username,
                "id": snapshot.rights.user_id,
                "admin": snapshot.rights.admin,
                "roles": sorted(snapshot.rights.roles),
            },
            "counts": audit.counts(session.requests - before),
            "controls": audit.shown_controls(),
            "findings": findings,
            "not_configured": sorted(order.parameters.unset),
            "not_seen": audit.not_seen(),
        }
        if past is not None:
            document |= past.compared(document)
        _mark_new(document, known)
        document |= _verdict(document, known is not None)
        if past is not None:
            document["trend"] = past.trend(document)
            if not task.check_mode:
                past.note(site.noted, document)
        return document

    def _told(self, task: Task, document: Document, reports: dict[str, str]) -> dict[str, t.Any]:
        """The result.

        :raises DeterminedError: for a verdict that is no pass, with a line for each of the worst findings.
        """
        shown: dict[str, t.Any] = {
            "changed": False,
            "audit": {name: document[name] for name in document if name not in ("controls", "findings", "trend")},
            "findings": [finding for finding in worst_first(document["findings"]) if _counts(document, finding)],
            "reports": reports,
        }
        if document["verdict"] == PASS:
            return shown
        task.extra.update(shown)
        raise DeterminedError(_summary(document, shown["findings"], reports))


# --- options ---


def _check(options: dict[str, t.Any]) -> int:
    """Refuse options that can't be right, before anything is read.

    :returns: the permissions of the reports.
    """
    if options["concurrency"] < 1:
        raise InvalidOption(f"concurrency is {options['concurrency']}: it must be 1 or more.")
    if not 0 <= options["max_unknown"] <= 100:
        raise InvalidOption(f"max_unknown is {options['max_unknown']}: it must be a percentage, 0 to 100.")
    if options["history_keep"] < 1:
        raise InvalidOption(f"history_keep is {options['history_keep']}: it must be 1 or more runs.")
    given = {form: path for form, path in (options["reports"] or {}).items() if path is not None}
    for form, path in given.items():
        check_writable(f"reports.{form}", path)
    taken = {os.path.realpath(options[name]): f"{name} is read from there" for name in WRITTEN_BY_HAND if options[name]}
    for form, path in given.items():
        for place in (path, f"{path}{CHECKSUM}") if form == "json" else (path,):
            use = taken.setdefault(os.path.realpath(place), f"reports.{form} is written there")
            if use != f"reports.{form} is written there":
                raise InvalidOption(f"reports.{form} is {path!r}: {use}, give another path.")
    return _mode(options["report_mode"])


def _mode(value: t.Any) -> int:
    """Permissions as Ansible takes them: octal digits as a text; as a number they are what YAML made of 0640."""
    try:
        mode = value if isinstance(value, int) and not isinstance(value, bool) else int(str(value), 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o777 or not mode & 0o200:
        raise InvalidOption(
            f"report_mode is {value!r}: it must be octal digits that let the owner write, as in '0640'."
        )
    return mode


def _order(task: Task, controller: Controller, now: datetime.datetime) -> Order:
    """Read and check all that the task gives, before the first call.

    :raises InvalidOption: something of it can't be right.
    """
    options = task.options
    parameters = chosen_parameters(options["profile"], options["parameters"])
    custom_file = controller.load_yaml("custom_controls")
    custom = [] if custom_file is None else parse_custom(custom_file.data, CATALOGUE, controller)
    waiver_file = controller.load_yaml("waivers")
    known = [*CATALOGUE, *(one.id for one in custom)]
    waivers = None
    if waiver_file is not None:
        waivers = (waiver_file, parse_waivers(waiver_file.data, now.date(), known))
    controls = chosen_controls(
        options["profile"],
        CATALOGUE,
        custom,
        only=options["controls"],
        exclude=options["exclude"],
        waives=waivers is not None,
    )
    if not controls:
        raise InvalidOption("controls and exclude leave no control to judge.")
    baseline_file = controller.load_text("baseline")
    baseline = None if baseline_file is None else (baseline_file, _read("baseline", baseline_file))
    return Order(controls, parameters, waivers, baseline, controller.load_manifest())


def _read(option: str, file: Loaded) -> Document:
    try:
        return read_document(file.content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidOption(
            f"{option} is {file.path!r}: it is no report of an audit: it is no text in UTF-8."
        ) from error
    except InvalidOption as error:
        raise InvalidOption(f"{option} is {file.path!r}: {error}") from error


# --- the document ---


def _head(task: Task, order: Order, now: datetime.datetime) -> Document:
    """What a report says of how it was made."""
    options = task.options
    waivers, baseline = order.waivers, order.baseline
    return {
        "schema": SCHEMA,
        "catalogue": CATALOGUE_VERSION,
        "collection": COLLECTION_VERSION,
        "started": now.strftime(TIME),
        "fail_on": options["fail_on"],
        "max_unknown": options["max_unknown"],
        "profile": options["profile"],
        "parameters": order.parameters.values(),
        "frameworks": list(options["frameworks"]),
        "sarif_waived": options["sarif_waived"],
        "waivers": None if waivers is None else {"sha256": waivers[0].sha256, "given": len(waivers[1])},
        "baseline": None if baseline is None else {"sha256": baseline[0].sha256, "ended": baseline[1]["ended"]},
        "comparison": None,
        "trend": [],
        "not_assessable": list(NOT_ASSESSABLE),
    }


def _cluster(task: Task, snapshot: Snapshot | None) -> dict[str, t.Any]:
    url = origin(urlsplit(task.session.connection.master))
    if snapshot is None:
        return {"id": None, "name": None, "version": None, "authorisation": None, "url": url}
    return {
        "id": snapshot.master["cluster_id"],
        "name": snapshot.master["cluster_name"],
        "version": snapshot.master["version"],
        "authorisation": "rbac" if snapshot.rights.rbac else "basic",
        "url": url,
    }


def _what_failed() -> str:
    """What is being raised, in words; of what nobody thought of only the name, as its text may quote anything."""
    error = sys.exc_info()[1]
    return str(error) if isinstance(error, DeterminedError) else f"The audit broke off: {type(error).__name__}."


def _error_document(task: Task, order: Order, now: datetime.datetime, error: str) -> Document:
    """The report of an audit that could not be made."""
    return {
        **_head(task, order, now),
        "ended": datetime.datetime.now(datetime.UTC).strftime(TIME),
        "verdict": INCOMPLETE,
        "exit_hint": FAILED_EARLY,
        "reasons": [error],
        "error": error,
        "score": None,
        "cluster": _cluster(task, None),
        "auditor": None,
        "counts": {"controls": {}, "findings": {}, "objects": {}, "requests": task.session.requests},
        "controls": [],
        "findings": [],
        "not_configured": [],
        "not_seen": [],
    }


def _keep_failed(task: Task, history: History, document: Document) -> None:
    """Leave the report of an audit that failed. What went wrong first is what the task fails with, even if that can't be kept."""
    try:
        history.keep(document)
    except DeterminedError as error:
        task.warn(f"The audit that failed is not in the history: {error}")


def _mark_new(document: Document, known: t.Collection[str] | None) -> None:
    """Say of each finding whether it is new: against the baseline, or without one against the previous audit."""
    if known is None:
        comparison = document["comparison"]
        if comparison is None:
            return
        new = {one["fingerprint"] for one in comparison["new"]}
        for finding in document["findings"]:
            finding["new"] = finding["fingerprint"] in new
    else:
        for finding in document["findings"]:
            finding["new"] = finding["fingerprint"] not in known


def _counts(document: Document, finding: Document) -> bool:
    """Whether a finding makes the audit fail."""
    if finding["status"] != "fail" or document["fail_on"] == "never":
        return False
    if document["baseline"] is not None and not finding["new"]:
        return False
    return SEVERITIES.index(finding["severity"]) <= SEVERITIES.index(document["fail_on"])


def _verdict(document: Document, has_baseline: bool) -> Document:
    failing = sum(_counts(document, finding) for finding in document["findings"])
    statuses = [one["status"] for one in document["controls"] if one["status"] != "not_applicable"]
    blind = sum(status in ("unknown", "error") for status in statuses)
    share = 100 * blind / len(statuses) if statuses else 0
    reasons = []
    if document["error"] is not None:
        reasons.append(document["error"])
    if failing:
        what = "new finding" if has_baseline else "finding"
        reasons.append(f"{failing} {what}{'' if failing == 1 else 's'} at or above {document['fail_on']}.")
    if share > document["max_unknown"]:
        reasons.append(
            f"{blind} of {len(statuses)} controls could not be judged: {share:.0f} %, more than {document['max_unknown']} %."
        )
    verdict = PASS if not reasons else FAIL if failing and document["error"] is None else INCOMPLETE
    return {"verdict": verdict, "exit_hint": EXIT_HINTS[verdict], "reasons": reasons}


# --- results ---


def _write_reports(task: Task, controller: Controller, document: Document, mode: int) -> dict[str, str]:
    """Write the reports that are asked for.

    :returns: where each lies.
    """
    data = serialised(document)
    sha256 = digest(data)
    paths = {form: path for form, path in (task.options["reports"] or {}).items() if path is not None}
    for form in REPORTS:
        if form not in paths:
            continue
        if form == "json":
            write_text(paths[form], data.decode("utf-8"), mode)
            write_text(f"{paths[form]}{CHECKSUM}", checksum_line(sha256, pathlib.Path(paths[form]).name), mode)
        else:
            writer = controller.write_html if form == "html" else WRITERS[form]
            write_text(paths[form], writer(document, sha256), mode)
    return paths


def _summary(document: Document, findings: t.Sequence[Document], reports: t.Mapping[str, str]) -> str:
    """A line for the verdict, one for each of the worst findings, and where the reports lie."""
    lines = [f"The audit's verdict is {document['verdict']}: {' '.join(document['reasons'])}"]
    for finding in findings[:SHOWN_FINDINGS]:
        faults = " ".join(finding["evidence"]["faults"])
        lines.append(f"{finding['severity']} {finding['control']} {finding['kind']}/{finding['key']}: {faults}")
    if len(findings) > SHOWN_FINDINGS:
        lines.append(f"and {len(findings) - SHOWN_FINDINGS} more.")
    if reports:
        lines.append("Reports: " + ", ".join(reports[form] for form in REPORTS if form in reports))
    return "\n".join(" ".join(line.split()) for line in lines)


AUDIT = AuditOperation()
