# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""An audit as JUnit XML, for what shows tests: a suite a control, a case a finding, and one for all that passed.

Valid by the XML Schema of Jenkins' xUnit plugin, junit-10.xsd. An audit has no wall times of cases: they are 0.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

from .._engine.report_text import xml_text
from .document import Document
from .report_header import as_text, header, identity, reasons, waiver_text


def write(document: Document, digest: str) -> str:
    """The audit as JUnit XML.

    :param digest: the SHA-256 of the canonical document.
    """
    root = ET.Element("testsuites", name="determined.ai audit", time="0")
    _audit_suite(root, document, digest)
    findings: dict[str, list[Document]] = {one["id"]: [] for one in document["controls"]}
    for finding in document["findings"]:
        findings[finding["control"]].append(finding)
    for control in document["controls"]:
        _suite(root, document, control, findings[control["id"]])
    for name, element in (("tests", "testcase"), ("failures", "failure"), ("errors", "error")):
        for suite in root:
            suite.set(name, str(sum(1 for _found in suite.iter(element))))
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    for suite in root:
        suite.set("skipped", str(sum(1 for _found in suite.iter("skipped"))))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _audit_suite(root: ET.Element, document: Document, digest: str) -> None:
    """The audit itself: its facts as properties, its verdict as a case, so that one that saw nothing is not green."""
    suite = ET.SubElement(root, "testsuite", name="Audit", time="0", timestamp=document["started"])
    properties = ET.SubElement(suite, "properties")
    for name, value in header(document, digest).items():
        ET.SubElement(properties, "property", name=name, value=xml_text(as_text(value)))
    case = ET.SubElement(suite, "testcase", classname="audit", name="verdict", time="0")
    if document["verdict"] != "pass":
        told = reasons(document)
        outcome = "failure" if document["verdict"] == "fail" else "error"
        found = ET.SubElement(case, outcome, type=document["verdict"], message=xml_text(" ".join(told)))
        found.text = xml_text("\n".join(told))


def _suite(root: ET.Element, document: Document, control: Document, findings: list[Document]) -> None:
    suite = ET.SubElement(
        root, "testsuite", name=xml_text(f"{control['id']} {control['title']}"), time="0", timestamp=document["started"]
    )
    classname = xml_text(f"audit.{control['area']}.{control['id']}")
    for finding in findings:
        case = ET.SubElement(suite, "testcase", classname=classname, name=xml_text(identity(finding)), time="0")
        if finding["status"] == "waived":
            ET.SubElement(case, "skipped", type="waived", message=xml_text(waiver_text(finding)))
            continue
        failed = finding["status"] == "fail"
        found = ET.SubElement(
            case,
            "failure" if failed else "error",
            type=finding["severity"] if failed else finding["status"],
            message=xml_text(" ".join(finding["evidence"]["faults"])),
        )
        found.text = xml_text(_details(finding))
    if control["passed"]:
        ET.SubElement(suite, "testcase", classname=classname, name=f"{control['passed']:,} passed", time="0")
    elif not findings:
        case = ET.SubElement(suite, "testcase", classname=classname, name=control["status"], time="0")
        if control["status"] != "pass":
            outcome = "skipped" if control["status"] == "not_applicable" else "error"
            reason = xml_text(control["reason"] or "There was nothing to judge.")
            ET.SubElement(case, outcome, type=control["status"], message=reason)


def _details(finding: Document) -> str:
    evidence = finding["evidence"]
    lines = [
        *evidence["faults"],
        f"Severity: {finding['severity']}",
        f"Read: {evidence['endpoint']} at {evidence['read_at']}",
        f"Evidence: {json.dumps(evidence['fields'], ensure_ascii=False, sort_keys=True)}",
        f"To do: {finding['remediation']}",
        f"Fingerprint: {finding['fingerprint']}",
    ]
    if finding["location"]:
        lines.append(f"Declared: {finding['location']['file']}:{finding['location']['line']}")
    if finding["new"] is not None:
        lines.append(f"New: {'yes' if finding['new'] else 'no'}")
    return "\n".join(lines)
