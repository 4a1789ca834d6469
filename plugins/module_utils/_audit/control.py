# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""What a control is: a small function over one resource, with what an auditor wants to know of it beside it.

A function judges what was read, and never reads itself. What it needs and nobody could see raises `Unseen`, and the outcome is
unknown: a control can't pass by mistake because a list came short.
"""

from __future__ import annotations

import dataclasses
import typing as t

if t.TYPE_CHECKING:
    from .site import Site

CRITICAL, HIGH, MEDIUM, LOW, INFO = "critical", "high", "medium", "low", "info"
SEVERITIES = (CRITICAL, HIGH, MEDIUM, LOW, INFO)
"""Worst first. No control of the catalogue is ``info``; a custom one may be."""

AREAS = {
    "IAM": "Identity and access",
    "TOK": "Access tokens",
    "RUN": "Container identity",
    "TPL": "Templates",
    "EXP": "Experiments",
    "TSK": "Tasks",
    "MOD": "Model registry",
    "CKP": "Checkpoint storage",
    "CLU": "Cluster",
    "WHK": "Webhooks",
    "POL": "Config policies",
    "RPL": "Resource pools",
    "GOV": "Governance",
}
"""The area of a control by the first part of its id."""

FRAMEWORKS = {
    "cis": "CIS Controls v8",
    "nist": "NIST SP 800-53 r5",
    "iso": "ISO/IEC 27001:2022 Annex A",
    "soc2": "SOC 2 Trust Services Criteria",
}
"""What controls are mapped to, in the sense of "supports evidence for", never "satisfies"."""


class Unseen(Exception):
    """Something that a control needs was not seen.

    :ivar kind: the list that is not whole, or None where one value is missing.
    """

    def __init__(self, reason: str, kind: str | None = None) -> None:
        super().__init__(reason)
        self.kind = kind


class Resource(t.NamedTuple):
    """One object that is judged.

    :ivar kind: the plural noun of manifests.
    :ivar key: its key as text, as manifests have it: ``alice``, ``workspace/project``, an experiment's id.
    :ivar id: the server's id, or None.
    :ivar data: its fields in snake_case. Secrets in it are in clear: what goes into evidence is chosen field by field.
    """

    kind: str
    key: str
    id: int | str | None
    data: dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a control says of one resource.

    :ivar status: ``pass``, ``fail``, ``unknown``, ``error`` or ``not_applicable``.
    :ivar faults: sentences, each a condition that fails or could not be judged.
    :ivar fields: what was read and decided it, without secrets.
    """

    status: str
    faults: tuple[str, ...] = ()
    fields: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


PASS = Outcome("pass")
NOT_APPLICABLE = Outcome("not_applicable")


def fail(*faults: str, **fields: t.Any) -> Outcome:
    """The resource does not meet the control.

    :param faults: a sentence for each condition that fails.
    :param fields: the fields that decided it, without secrets.
    """
    return Outcome("fail", faults, fields)


def unknown(*faults: str, **fields: t.Any) -> Outcome:
    """Whether the resource meets the control can't be told.

    :param faults: a sentence for each reason.
    """
    return Outcome("unknown", faults, fields)


def failing(faults: t.Sequence[str], **fields: t.Any) -> Outcome:
    """Fail if there are any faults, else pass."""
    return fail(*faults, **fields) if faults else PASS


Judge = t.Callable[["Site", Resource], Outcome]


@dataclasses.dataclass(frozen=True)
class Control:
    """A control.

    :ivar id: such as ``TOK-01``.
    :ivar of: the lists whose resources it judges.
    :ivar reads: the other lists that it needs.
    :ivar details: what it needs beyond lists, see `sources.DETAILS`.
    :ivar when: says why it does not apply to this cluster at all, or None. What it needs is not read then.
    :ivar mapping: per framework the criteria.
    :ivar judge: decides for one resource.
    :ivar page: decides for several at once where that is cheaper, in their order; None for all but custom controls.
    """

    id: str
    title: str
    severity: str
    of: tuple[str, ...]
    judge: Judge
    reads: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    when: t.Callable[[Site], str | None] = lambda site: None
    remediation: str = ""
    example: str = ""
    mapping: t.Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    custom: bool = False
    page: t.Callable[[Site, t.Sequence[Resource]], t.Sequence[Outcome]] | None = None

    @property
    def area(self) -> str:
        """The area that reports group it under."""
        return "Custom controls" if self.custom else AREAS[self.id.partition("-")[0]]


CATALOGUE: dict[str, Control] = {}
"""All controls of the collection by id. `catalogue.py` fills it."""


def control(
    number: str,
    title: str,
    severity: str,
    *,
    of: str | tuple[str, ...],
    reads: tuple[str, ...] = (),
    details: tuple[str, ...] = (),
    when: t.Callable[[Site], str | None] | None = None,
    remediation: str,
    example: str = "",
    cis: str = "",
    nist: str = "",
    iso: str = "",
    soc2: str = "",
) -> t.Callable[[Judge], Judge]:
    """Put a function into the catalogue.

    :param number: the control's id.
    :param of: the list or lists whose resources the function is called with.
    :param remediation: one sentence on how to mend it.
    :param example: YAML that mends it: tasks, or a part of the master's configuration.
    :param cis: safeguards, separated by commas; the other frameworks likewise.
    """

    def put(judge: Judge) -> Judge:
        texts = {"cis": cis, "nist": nist, "iso": iso, "soc2": soc2}
        CATALOGUE[number] = Control(
            number,
            title,
            severity,
            (of,) if isinstance(of, str) else of,
            judge,
            reads,
            details,
            when or (lambda site: None),
            remediation,
            example,
            {name: tuple(part.strip() for part in text.split(",") if part.strip()) for name, text in texts.items()},
        )
        return judge

    return put
