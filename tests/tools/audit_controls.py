# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the page of the audit's controls from the catalogue, and from where each was proved: audit_controls.py FILE"""

from __future__ import annotations

import pathlib
import sys
import typing as t

import yaml

from ansible_collections.determined.ai.plugins.module_utils._audit.catalogue import (
    CATALOGUE,
    CATALOGUE_VERSION,
    NOT_ASSESSABLE,
)
from ansible_collections.determined.ai.plugins.module_utils._audit.control import FRAMEWORKS, SEVERITIES, Control
from ansible_collections.determined.ai.plugins.module_utils._audit.profile import PARAMETERS, PROFILES
from ansible_collections.determined.ai.plugins.module_utils._audit.sources import DETAILS, SOURCES

PROVED = pathlib.Path(__file__).resolve().parent.parent / "unit" / "audit" / "proved.yml"

HEAD = """\
<!--
SPDX-FileCopyrightText: Contributors to the determined.ai collection
SPDX-License-Identifier: GPL-3.0-or-later

Written by make docs.
-->

# The controls of the compliance audit

Version {version} of the catalogue, {count} controls. [The guide](compliance-audit.md) says how they are used. A mapping says
"supports evidence for", never "satisfies"; those to ISO/IEC 27001 and SOC 2 are to the closest criterion, by us.

A control is `fail`, `pass`, `waived`, `unknown` (what it needs was not seen), `error`, or `not_applicable` (there is nothing that
it is about, or nobody has set what it needs). Its status is the first of fail, error, unknown, waived and pass that one of its
resources has.
"""


def _yaml(value: t.Any) -> str:
    """A default as a settings file has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def table(head: tuple[str, ...], rows: t.Iterable[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [head, tuple("---" for _column in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def reads(one: Control) -> str:
    """What a control is judged on."""
    names = [*one.of, *one.reads, *(f"{DETAILS[name].of} ({name.replace('_', ' ')})" for name in one.details)]
    return ", ".join(dict.fromkeys(name.replace("_", " ") for name in names))


def profiles(one: Control) -> str:
    """The profiles that a control is in."""
    return ", ".join(name for name, profile in PROFILES.items() if profile.includes(one))


def main(path: pathlib.Path) -> None:
    """Write the page."""
    proved = yaml.safe_load(PROVED.read_text(encoding="utf-8"))
    controls = [CATALOGUE[number] for number in sorted(CATALOGUE)]
    parts = [HEAD.format(version=CATALOGUE_VERSION, count=len(controls))]
    areas: dict[str, list[Control]] = {}
    for one in controls:
        areas.setdefault(one.area, []).append(one)
    for area, members in areas.items():
        parts.append(f"## {area}\n")
        for one in sorted(members, key=lambda one: (SEVERITIES.index(one.severity), one.id)):
            mapping = "; ".join(
                f"{FRAMEWORKS[name]}: {', '.join(found)}" for name, found in one.mapping.items() if found
            )
            parts.append(
                f"### {one.id}: {one.title}\n\n"
                f"Severity {one.severity}. Profiles: {profiles(one)}. Judged on: {reads(one)}.\n\n"
                f"{one.remediation}\n\n{mapping}.\n"
            )
    parts.append("## Parameters\n")
    shown = [
        (f"`{name}`", "not set" if one.default is None else f"`{_yaml(one.default)}`", one.about)
        for name, one in PARAMETERS.items()
    ]
    parts.append(
        table(
            ("Parameter", "Default", "What it says"), [tuple(cell.replace("|", "\\|") for cell in row) for row in shown]
        )
        + "\n"
    )
    strict = ", ".join(f"`{name}` {value}" for name, value in PROFILES["strict"].parameters.items())
    parts.append(f"Profile `strict` has other defaults: {strict}.\n")
    parts.append("## What is read\n")
    rows = [(name.replace("_", " "), f"`{source.endpoint}`") for name, source in SOURCES.items()]
    rows += [(f"{one.of}: {name.replace('_', ' ')}", f"`{one.endpoint}`") for name, one in DETAILS.items()]
    parts.append(table(("What", "Where"), rows) + "\n")
    parts.append(
        "Each list is read once, and only if a control of the audit needs it; details only of the resources that need them.\n"
    )
    parts.append("## Where each was proved\n")
    parts.append(
        "On clusters that were planted for it: on the simulated master with each outcome that is named, by the tests of the\n"
        "collection; and by hand on real 0.38.1 masters under basic authorisation and RBAC, where the condition can be made there.\n"
    )
    parts.append(
        table(
            ("Control", "Simulated master", "Real master"),
            [(number, ", ".join(proved[number]["simulated"]), proved[number]["real"]) for number in sorted(CATALOGUE)],
        )
        + "\n"
    )
    parts.append("## What can't be assessed\n")
    parts.append("\n".join(f"- {sentence}" for sentence in NOT_ASSESSABLE) + "\n")
    path.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
