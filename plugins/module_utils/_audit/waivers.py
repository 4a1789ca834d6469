# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Waivers: findings that a site accepts, each with a reason, a ticket, an approver and a day on which that ends.

A waiver never hides anything: its findings stay in every report. One that has ended, or that waives nothing, is itself a
finding, of GOV-02.
"""

from __future__ import annotations

import dataclasses
import datetime
import fnmatch
import functools
import re
import typing as t

from .._kinds.lookup import nearest
from .control import MEDIUM, NOT_APPLICABLE, Outcome, Resource, control, failing, unknown
from .entries import Entry, EntryErrors, entries
from .profile import GOV_02

if t.TYPE_CHECKING:
    from .site import Site

OPTION = "waivers"
FIELDS = ("control", "resources", "reason", "ticket", "approved_by", "expires")
LONGEST = 366
"""How many days after the audit's date a waiver may end."""

EVERYTHING = "*"
"""The key of a finding about a list that was not seen whole, and the pattern of every key."""

Finding = dict[str, t.Any]
"""A finding as the report has it."""


@dataclasses.dataclass(frozen=True)
class Waiver:
    """One waiver.

    :ivar number: its place in the file, from 1 on.
    :ivar control: the id of the control.
    :ivar resources: patterns of the keys; see `matches`.
    :ivar expires: the last day on which it is valid, UTC.
    """

    number: int
    control: str
    resources: tuple[str, ...]
    reason: str
    ticket: str
    approved_by: str
    expires: datetime.date

    @property
    def key(self) -> str:
        """What reports call it: ``TOK-02 alice/*``."""
        return f"{self.control} {', '.join(self.resources)}"

    def is_over(self, today: datetime.date) -> bool:
        """Whether it has ended.

        :param today: the audit's date, UTC.
        """
        return self.expires < today

    def covers(self, finding: Finding) -> bool:
        """Whether it is about a finding: of its control, on a resource that one of its patterns matches."""
        return finding["control"] == self.control and self.matches(finding["key"])

    def matches(self, key: str) -> bool:
        """Whether one of the patterns matches the whole key.

        ``*`` is any text, slashes and none included, and ``?`` is any character. Case counts. A bracket is a bracket: keys hold
        what people write into descriptions, and a key that is copied from a report has to match itself.
        """
        return any(_pattern(pattern).match(key) for pattern in self.resources)

    def shown(self) -> dict[str, str]:
        """What a waived finding says of it."""
        return {
            "reason": self.reason,
            "ticket": self.ticket,
            "approved_by": self.approved_by,
            "expires": self.expires.isoformat(),
        }


@functools.lru_cache(maxsize=4096)
def _pattern(pattern: str) -> re.Pattern[str]:
    # Python's own translation matches a hostile key in linear time, however many stars there are.
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]")))


def parse(data: t.Any, today: datetime.date, known: t.Collection[str]) -> list[Waiver]:
    """Read a file of waivers.

    :param data: what the file holds, plain data.
    :param today: the audit's date, UTC.
    :param known: the ids of all controls, whether this audit judges them or not, custom ones included.
    :raises EntryErrors: all that is wrong, a sentence each. One that has ended is not wrong.
    """
    errors: list[str] = []
    found = [
        _waiver(number, entry, today, known) for number, entry in enumerate(entries(OPTION, data, FIELDS, errors), 1)
    ]
    if errors:
        raise EntryErrors(errors)
    return [waiver for waiver in found if waiver is not None]


def _waiver(number: int, entry: Entry, today: datetime.date, known: t.Collection[str]) -> Waiver | None:
    name = entry.text("control", "the id of a control, such as TOK-02")
    if name == GOV_02:
        entry.wrong(f"control is {GOV_02!r}, which can't be waived: renew or remove the waivers that it finds.")
    elif name and name not in known:
        entry.wrong(f"control is {name!r}: there is no such control.{nearest(name, known)}")
    resources = _resources(entry)
    reason = entry.text("reason", "the reason why the risk is accepted")
    ticket = entry.text("ticket", "the ticket that this was agreed in")
    approver = entry.text("approved_by", "the person who approved it")
    expires = _expires(entry, today)
    return None if expires is None else Waiver(number, name, resources, reason, ticket, approver, expires)


def _resources(entry: Entry) -> tuple[str, ...]:
    value = entry.values.get("resources")
    if value in (None, "", []):
        how = "is empty" if "resources" in entry.values else "is missing"
        entry.wrong(
            f"resources {how}: give a pattern of keys such as 'alice/*', or a list of such; '*' is all of them."
        )
        return ()
    patterns = value if isinstance(value, list) else [value]
    for pattern in patterns:
        if isinstance(pattern, bool) or not isinstance(pattern, (str, int)) or pattern == "":
            entry.wrong(f"resources has {pattern!r}: it must be a pattern of keys such as 'alice/*'.")
    return tuple(str(pattern) for pattern in patterns)


def _expires(entry: Entry, today: datetime.date) -> datetime.date | None:
    value = entry.values.get("expires")
    latest = today + datetime.timedelta(days=LONGEST)
    right = f"a day such as {today.isoformat()!r}, {latest.isoformat()} at the latest"
    if value is None or value == "":
        how = "is empty" if "expires" in entry.values else "is missing"
        entry.wrong(f"expires {how}: every waiver ends, give {right}.")
        return None
    found = _day(value)
    if found is None:
        shown = value.isoformat() if isinstance(value, datetime.datetime) else value
        entry.wrong(f"expires is {shown!r}: it must be {right}.")
    elif found > latest:
        entry.wrong(f"expires is {found.isoformat()!r}: that is more than {LONGEST} days ahead, it must be {right}.")
    return found


def _day(value: t.Any) -> datetime.date | None:
    """A day, which YAML gives as a date where it is not in quotes; a time of day is none."""
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        return None
    try:
        return datetime.date.fromisoformat(value)
    except ValueError:
        return None


def apply(findings: t.Sequence[Finding], waivers: t.Sequence[Waiver], today: datetime.date) -> list[Finding]:
    """Waive findings. Those that failed can be, those that are unknown or in error can't: nobody has seen what they are.

    :returns: the same findings in the same order; a waived one is a copy that says so.
    """
    valid = [waiver for waiver in waivers if not waiver.is_over(today)]
    return [_waived(finding, valid) if finding["status"] == "fail" else finding for finding in findings]


def _waived(finding: Finding, waivers: t.Sequence[Waiver]) -> Finding:
    found = next((waiver for waiver in waivers if waiver.covers(finding)), None)
    return finding if found is None else {**finding, "status": "waived", "waiver": found.shown()}


USED, UNUSED, UNSEEN, UNJUDGED = "used", "unused", "unseen", "unjudged"
"""What became of a waiver: it waives a finding, or would if it had not ended; there is nothing to waive; whether there is could
not be seen; or its control was not judged."""


def resources(
    waivers: t.Sequence[Waiver], findings: t.Sequence[Finding], judged: t.Collection[str], today: datetime.date
) -> list[Resource]:
    """The waivers as what GOV-02 judges.

    :param findings: of all controls, before or after `apply`.
    :param judged: the ids of the controls that were judged; one that was left out, or does not apply here, is not among them.
    """
    by_control: dict[str, list[Finding]] = {}
    for finding in findings:
        by_control.setdefault(finding["control"], []).append(finding)
    return [
        Resource(
            "waivers",
            waiver.key,
            waiver.number,
            {
                "control": waiver.control,
                "ticket": waiver.ticket,
                "approved_by": waiver.approved_by,
                "expires": waiver.expires.isoformat(),
                "expired": waiver.is_over(today),
                "use": _use(waiver, by_control.get(waiver.control, []), judged),
            },
        )
        for waiver in waivers
    ]


def _use(waiver: Waiver, findings: t.Sequence[Finding], judged: t.Collection[str]) -> str:
    if waiver.control not in judged:
        return UNJUDGED
    if any(finding["status"] in ("fail", "waived") and waiver.covers(finding) for finding in findings):
        return USED
    unseen = (finding for finding in findings if finding["status"] in ("unknown", "error"))
    if any(finding["key"] == EVERYTHING or waiver.covers(finding) for finding in unseen):
        return UNSEEN
    return UNUSED


@control(
    GOV_02,
    "Waiver expired or unused",
    MEDIUM,
    of="waivers",
    remediation="Renew the waiver with its approver, or remove it from the file.",
    example=(
        "- control: TOK-02\n  resources: alice/ci\n  reason: The old build server can't renew its token.\n  ticket: SEC-123\n"
        "  approved_by: Bob Example\n  expires: 2027-01-31\n"
    ),
    nist="CA-5, RA-7",
    iso="A.5.36",
    soc2="CC3.2",
)
def gov_02(site: Site, waiver: Resource) -> Outcome:
    """Judge one waiver, as `resources` has it."""
    data = waiver.data
    fields = {name: data[name] for name in ("control", "ticket", "approved_by", "expires")}
    faults = []
    if data["expired"]:
        faults.append(f"It ended on {data['expires']}.")
    if data["use"] == UNUSED:
        faults.append(f"No finding of {data['control']} matches it.")
    if not faults and data["use"] == UNSEEN:
        return unknown(f"What it is about could not be seen by {data['control']}.", **fields)
    if not faults and data["use"] == UNJUDGED:
        return NOT_APPLICABLE
    return failing(faults, **fields)
