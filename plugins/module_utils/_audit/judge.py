# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Controls over a snapshot: counts of what passes, a finding for each resource that does not."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
import typing as t

from .._engine.garbage import uncollected
from .._kinds.masking import masked
from .control import NOT_APPLICABLE, Control, Outcome, Resource, Unseen
from .site import Site
from .snapshot import Listed, Snapshot, repeated
from .sources import CLUSTER, DETAILS, DRIFT, EXPERIMENT_LIST, SOURCES, TLS, WAIVERS

WEIGHTS = {"critical": 10, "high": 5, "medium": 2, "low": 1, "info": 0}
"""What a control counts for in the score, by severity."""

ORDER = ("fail", "error", "unknown", "waived", "pass")
"""The status of a control is the first of these that one of its resources has."""

WHOLE_LIST = "*"
"""The key of a finding about a list that was not seen whole."""

MISTAKES = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What a control meets where an object is of another shape than this version of the product gives it."""

TIME = "%Y-%m-%dT%H:%M:%SZ"

Finding = dict[str, t.Any]


@dataclasses.dataclass
class Ledger:
    """What one control has found.

    :ivar seen: resources that it applies to.
    :ivar passed: those of them that pass.
    :ivar findings: the others, by kind, key and id.
    :ivar reason: why it does not apply at all, or None.
    """

    control: Control
    seen: int = 0
    passed: int = 0
    findings: dict[tuple[str, str, t.Any], Finding] = dataclasses.field(default_factory=dict)
    reason: str | None = None

    def status(self) -> str:
        """The status of the control."""
        found = {finding["status"] for finding in self.findings.values()} | ({"pass"} if self.passed else set())
        return next((status for status in ORDER if status in found), "not_applicable")


class Audit:
    """Judges a cluster by controls, list by list.

    :param controls: sorted by id.
    """

    def __init__(self, snapshot: Snapshot, site: Site, controls: t.Sequence[Control]) -> None:
        self._snapshot = snapshot
        self._site = site
        self.ledgers = {one.id: Ledger(one) for one in controls}
        self._repeated: frozenset[tuple[str, str]] = frozenset()

    def run(self) -> None:
        """Read what the controls need, and judge all of it but the waivers."""
        for ledger in self.ledgers.values():
            ledger.reason = ledger.control.when(self._site)
        active = [ledger.control for ledger in self.ledgers.values() if ledger.reason is None]
        self._read(active)
        # List by list: two of them may have the same objects.
        self._repeated = frozenset().union(*(repeated(listed.items) for listed in self._snapshot.lists.values()))
        # First, as there are controls of the cluster that judge by their total.
        self._judge_experiments([one for one in active if EXPERIMENT_LIST in one.of])
        for name in sorted({name for one in active for name in one.of} - {EXPERIMENT_LIST, WAIVERS}):
            self._judge_list(name, [one for one in active if name in one.of])

    def judge_waivers(self, resources: t.Sequence[Resource]) -> None:
        """Judge the waivers, once it is known what they matched."""
        self._snapshot.lists[WAIVERS] = Listed(resources, "the waivers file", self._site.now)
        controls = [ledger.control for ledger in self.ledgers.values() if WAIVERS in ledger.control.of]
        self._judge_list(WAIVERS, controls)

    def waive(self, apply: t.Callable[[list[Finding]], t.Sequence[Finding]]) -> None:
        """Put what the waivers make of the findings in their place."""
        for ledger in self.ledgers.values():
            names = list(ledger.findings)
            ledger.findings = dict(zip(names, apply([ledger.findings[name] for name in names]), strict=True))

    def judged(self) -> list[str]:
        """The ids of the controls that were judged: on resources that they apply to, or on lists that hold none."""
        lists = self._snapshot.lists
        return [
            number
            for number, ledger in self.ledgers.items()
            if ledger.reason is None
            and (ledger.seen or not any(name in lists and lists[name].items for name in ledger.control.of))
        ]

    def findings(self) -> list[Finding]:
        """All findings, sorted by control, kind, key and id."""
        found = [finding for ledger in self.ledgers.values() for finding in ledger.findings.values()]
        return sorted(found, key=lambda one: (one["control"], one["kind"], one["key"], str(one["id"])))

    def _read(self, controls: t.Sequence[Control]) -> None:
        lists = {name for one in controls for name in (*one.of, *one.reads)}
        details = {name for one in controls for name in one.details}
        lists |= {DETAILS[name].of for name in details}
        if "members" in details:
            lists |= {"role_assignments"}
        self._snapshot.lists[CLUSTER] = Listed(
            [Resource(CLUSTER, self._snapshot.master["cluster_id"], None, self._snapshot.master)],
            "GET /api/v1/master",
            self._site.now,
        )
        self._snapshot.read(sorted(lists & (SOURCES.keys() | {TLS, DRIFT})))
        for name in sorted(details):
            if DETAILS[name].of != EXPERIMENT_LIST:
                self._snapshot.read_details(name, self._snapshot.lists[DETAILS[name].of].items)

    def _judge_list(self, name: str, controls: t.Sequence[Control]) -> None:
        listed = self._snapshot.lists[name]
        for one in controls:
            self._judge_page(one, listed.items)
            if listed.gap is not None:
                self._note_gap(one, name, listed.gap)

    def _judge_experiments(self, controls: t.Sequence[Control]) -> None:
        if not controls:
            return
        details = sorted({name for one in controls for name in one.details if DETAILS[name].of == EXPERIMENT_LIST})
        kept: list[tuple[Control, Resource]] = []
        with uncollected():
            for page in self._snapshot.experiments():
                kept += self._judge_experiment_page(controls, details, page)
        for name in details:
            self._snapshot.read_details(name, list({experiment.id: experiment for _one, experiment in kept}.values()))
        for one, experiment in kept:
            self._judge_page(one, [experiment])
        gap = self._snapshot.lists[EXPERIMENT_LIST].gap
        if gap is not None:
            for one in controls:
                self._note_gap(one, EXPERIMENT_LIST, gap)

    def _judge_experiment_page(
        self, controls: t.Sequence[Control], details: t.Sequence[str], page: t.Sequence[Resource]
    ) -> list[tuple[Control, Resource]]:
        """Judge a page of experiments.

        :param details: what is read of single experiments.
        :returns: what waits for these: controls, and experiments without their configs.
        """
        kept: list[tuple[Control, Resource]] = []
        for one in controls:
            later = [DETAILS[name] for name in one.details if name in details]
            wanting = (
                [experiment for experiment in page if any(detail.wants(self._snapshot, experiment) for detail in later)]
                if later
                else []
            )
            kept += [(one, experiment._replace(data=_without_config(experiment.data))) for experiment in wanting]
            ids = {experiment.id for experiment in wanting}
            self._judge_page(one, [experiment for experiment in page if experiment.id not in ids] if ids else page)
        return kept

    def _judge_page(self, one: Control, resources: t.Sequence[Resource]) -> None:
        ledger = self.ledgers[one.id]
        if one.page is not None:
            outcomes: t.Iterable[Outcome | Unseen] = one.page(self._site, resources)
        else:
            outcomes = (self._judge(one, resource) for resource in resources)
        for resource, outcome in zip(resources, outcomes, strict=True):
            if outcome is NOT_APPLICABLE:
                continue
            ledger.seen += 1
            if isinstance(outcome, Unseen):
                self._note_unseen(ledger, resource, outcome)
            elif outcome.status == "pass":
                ledger.passed += 1
            else:
                self._note(ledger, resource, outcome)

    def _judge(self, one: Control, resource: Resource) -> Outcome | Unseen:
        try:
            return one.judge(self._site, resource)
        except Unseen as unseen:
            return unseen
        except MISTAKES as error:
            return Outcome("error", (f"The object has another shape than the control knows: {type(error).__name__}.",))

    def _note_unseen(self, ledger: Ledger, resource: Resource, unseen: Unseen) -> None:
        """One finding for a list that was not seen, however many resources that leaves open."""
        if unseen.kind is None:
            self._note(ledger, resource, Outcome("unknown", (str(unseen),)))
        else:
            self._note_gap(ledger.control, unseen.kind, str(unseen))

    def _note_gap(self, one: Control, name: str, gap: str) -> None:
        kind = name if name != DRIFT else CLUSTER
        if (kind, WHOLE_LIST, None) in self.ledgers[one.id].findings:
            # It leaves open as many resources as there are.
            return
        self._note(self.ledgers[one.id], Resource(kind, WHOLE_LIST, None, {}), Outcome("unknown", (gap,)), name)

    def _note(self, ledger: Ledger, resource: Resource, outcome: Outcome, name: str | None = None) -> None:
        control = ledger.control
        read = self._read_for(control, name or self._list_of(control, resource))
        ledger.findings[resource.kind, resource.key, resource.id] = {
            "control": control.id,
            "kind": resource.kind,
            "key": resource.key,
            "id": resource.id,
            "status": outcome.status,
            "severity": control.severity,
            "fingerprint": self._fingerprint(control, resource),
            "evidence": {
                "faults": [str(fault) for fault in outcome.faults],
                # What a control chose holds no secret; a value that looks like one all the same does not get out.
                "fields": masked(dict(outcome.fields)),
                "endpoint": ", ".join(dict.fromkeys(listed.endpoint for listed in read)),
                "read_at": read[-1].read_at.strftime(TIME),
            },
            "remediation": control.remediation,
            "waiver": None,
            "new": None,
            "location": None,
        }

    def _read_for(self, control: Control, name: str) -> list[Listed]:
        """What was read for a finding about a list's resource: of the cluster itself, what its control needs beside that."""
        reads = control.reads if name == CLUSTER else ()
        return [self._snapshot.lists[one] for one in (name, *reads) if one != CLUSTER or not reads]

    def _list_of(self, control: Control, resource: Resource) -> str:
        """The list that a resource came with: of its own kind, unless the control's list holds resources of several."""
        return resource.kind if resource.kind in control.of else control.of[0]

    def _fingerprint(self, control: Control, resource: Resource) -> str:
        parts = [self._snapshot.master["cluster_id"], control.id, resource.kind, resource.key]
        if (resource.kind, resource.key) in self._repeated:
            parts.append(resource.id)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    # --- results ---

    def shown_controls(self) -> list[dict[str, t.Any]]:
        """The controls as the report has them."""
        return [
            {
                "id": ledger.control.id,
                "title": ledger.control.title,
                "area": ledger.control.area,
                "severity": ledger.control.severity,
                "status": ledger.status(),
                "seen": ledger.seen,
                "passed": ledger.passed,
                "mapping": {name: list(criteria) for name, criteria in ledger.control.mapping.items()},
                "remediation": ledger.control.remediation,
                "example": ledger.control.example,
                "custom": ledger.control.custom,
                "reason": ledger.reason,
            }
            for ledger in self.ledgers.values()
        ]

    def score(self) -> float | None:
        """The weight of the controls that pass, in per cent of those that apply; None if none does."""
        applying = [(ledger.status(), WEIGHTS[ledger.control.severity]) for ledger in self.ledgers.values()]
        whole = sum(weight for status, weight in applying if status != "not_applicable")
        return round(100 * sum(weight for status, weight in applying if status == "pass") / whole, 1) if whole else None

    def counts(self, requests: int) -> dict[str, t.Any]:
        """How many controls and findings there are of each sort, how many objects were seen, and how many calls it took."""
        controls = collections.Counter(ledger.status() for ledger in self.ledgers.values())
        findings: dict[str, dict[str, int]] = {}
        for ledger in self.ledgers.values():
            for finding in ledger.findings.values():
                of_status = findings.setdefault(finding["status"], {})
                of_status[finding["severity"]] = of_status.get(finding["severity"], 0) + 1
        objects = {name: len(listed.items) for name, listed in self._snapshot.lists.items() if name in COUNTED}
        if EXPERIMENT_LIST in self._snapshot.lists:
            objects[EXPERIMENT_LIST] = self._snapshot.experiments_seen
        return {"controls": dict(controls), "findings": findings, "objects": objects, "requests": requests}

    def not_seen(self) -> list[str]:
        """What was not seen whole, in words."""
        gaps = {listed.gap for listed in self._snapshot.lists.values() if listed.gap is not None}
        return sorted(gap[0].upper() + gap[1:] for gap in gaps)


COUNTED = frozenset(SOURCES) - {
    "allocations",
    "blank_passwords",
    "global_policies",
    "master_config",
    "master_log",
    "unbound_pools",
}


def _without_config(data: dict[str, t.Any]) -> dict[str, t.Any]:
    return {name: value for name, value in data.items() if name != "config"}
