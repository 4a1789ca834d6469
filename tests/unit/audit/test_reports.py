# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reports that are texts: what they say, that the published schemas take them, and that no name does harm in them.

The golden files were read by a person before they were committed. Where a format changes on purpose, the failing test says where
the new text lies.
"""

from __future__ import annotations

import csv
import io
import json
import pathlib
import re
import time
import typing as t
from collections.abc import Callable

import jsonschema
import pytest
from lxml import etree

from ansible_collections.determined.ai.plugins.module_utils._audit import (
    report_csv,
    report_junit,
    report_markdown,
    report_sarif,
)
from ansible_collections.determined.ai.plugins.module_utils._audit.document import digest, read_document, serialised
from ansible_collections.determined.ai.plugins.module_utils._engine.report_text import html_cell, markdown_cell

from .documents import HOSTILE, WAIVER, Document, big, clean, failed_early, finding, hostile, small

FOLDER = pathlib.Path(__file__).parent
MAKERS = {"small": small, "clean": clean, "failed-early": failed_early, "hostile": hostile, "big": lambda: big(500)}
WRITERS = {
    "md": report_markdown.write,
    "csv": report_csv.write,
    "xml": report_junit.write,
    "sarif": report_sarif.write,
}
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
FENCED = re.compile(r"^(`{3,})yaml\n.*?^\1$", re.MULTILINE | re.DOTALL)
FINGERPRINT = "primaryLocationLineHash"

each_document = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
each_form = pytest.mark.parametrize("form", WRITERS)


def report(form: str, document: Document) -> str:
    return WRITERS[form](document, digest(serialised(document)))


def rows(document: Document) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(report("csv", document), newline=""), strict=True))


def run(document: Document) -> dict[str, t.Any]:
    return json.loads(report("sarif", document))["runs"][0]


def suites(document: Document) -> dict[str, t.Any]:
    return {suite.get("name"): suite for suite in etree.fromstring(report("xml", document).encode())}


# --- all formats ---


@each_form
def test_golden(form: str, tmp_path: pathlib.Path) -> None:
    golden = FOLDER / "golden" / f"audit.{form}"
    found = report(form, small())
    (tmp_path / golden.name).write_text(found, encoding="utf-8", newline="")
    assert found.encode() == golden.read_bytes(), f"{golden} is not what is written now: {tmp_path / golden.name}"


@each_form
@each_document
def test_equal_input_gives_equal_bytes(form: str, make: Callable[[], Document]) -> None:
    document = make()
    before = json.dumps(document, sort_keys=True)
    found = report(form, document)
    assert json.dumps(document, sort_keys=True) == before, "the document was changed"
    assert report(form, document) == found
    turned = dict(reversed(document.items()))
    turned["parameters"] = dict(reversed(document["parameters"].items()))
    assert report(form, turned) == found


@each_form
@each_document
def test_a_report_is_the_same_out_of_the_json(form: str, make: Callable[[], Document]) -> None:
    read = read_document(serialised(make()).decode("utf-8"))
    assert report(form, read) == report(form, make())


@each_form
@each_document
def test_each_report_names_the_digest_and_is_utf8_with_line_feeds(form: str, make: Callable[[], Document]) -> None:
    document = make()
    found = report(form, document)
    assert digest(serialised(document)) in found
    assert found.encode().decode("utf-8") == found
    assert found.endswith("\n")
    assert not found.endswith("\n\n")
    assert "\0" not in found


@pytest.mark.parametrize("form", ["md", "xml", "sarif", "csv"])
def test_each_report_has_the_header(form: str) -> None:
    found = report(form, small())
    cluster = "https&#58;//master.example.com:8443" if form == "md" else "https://master.example.com:8443"
    named = ["7c5f2a9e-7d7c-4f0e-9f61-6b1f0c1f8a11", "research", "0.38.1", "basic", cluster, "audit", "standard"]
    named += ["2026-03-01T02:30:00Z", "2026-03-01T02:30:09Z", "1" * 64, "2" * 64, "registry.example.com/team", "99999"]
    named += ["minimum\\_version" if form == "md" else "minimum_version", "Encryption at rest."]
    named += ["The list of users is filtered for the auditor."]
    assert [text for text in named if text not in found] == []


def test_thousands_of_findings_take_little_time() -> None:
    document = big(5_000)
    started = time.process_time()
    sum256 = digest(serialised(document))
    for write in WRITERS.values():
        write(document, sum256)
    assert time.process_time() - started < 5


# --- Markdown ---


def test_markdown_has_what_matters_on_top_and_worst_first() -> None:
    found = report("md", small())
    assert found.startswith("## Audit of research: FAIL, score 43.5\n\n- 2 findings at or above high.\n")
    table = found[found.index("### Findings (3)") : found.index("<details>")]
    assert re.findall(r"^\| (\w+) \| (\S+) \|", table, re.MULTILINE)[1:] == [
        ("critical", "TPL-03"),
        ("high", "TOK-01"),
        ("low", "EXP-03"),
    ]
    places = [found.index(f"\n### {title}") for title in ("Findings", "Could not be", "Waived", "Since", "Not seen")]
    assert places == sorted(places)
    assert "2 new, 1 fixed, 1 still there, 1 no longer judged." in found
    assert "| fixed | IAM-02 | users determined |" in found
    assert "Waived until 2026-05-31 by carol" in found


def test_markdown_without_findings_says_so() -> None:
    found = report("md", clean())
    assert found.startswith("## Audit of research: PASS, score 100.0\n\nControls: 1 pass.\n")
    assert "### Findings" not in found


def test_markdown_of_an_audit_that_failed_says_why_once() -> None:
    found = report("md", failed_early())
    assert found.count("the master refused the token") == 1
    assert ": INCOMPLETE, no score\n" in found
    assert "Controls: none judged." in found


@pytest.mark.parametrize("make", [lambda: big(5_500), lambda: everything(300), hostile])
def test_markdown_fits_into_a_comment(make: Callable[[], Document]) -> None:
    found = report("md", make())
    assert 10_000 < len(found) <= 60_000
    found = FENCED.sub("", found)
    assert found.count("<details>") == found.count("</details>") > 2


def test_markdown_counts_what_it_leaves_out() -> None:
    found = report("md", big(5_500))
    table = found[found.index("### Findings (3,300)") : found.index("<details>")]
    shown = len(re.findall(r"^\| (critical|high|medium|low) ", table, re.MULTILINE))
    assert shown > 100
    assert f"... and {3_300 - shown:,} more." in table


def everything(count: int) -> Document:
    """As many of everything, with names that take the most room."""
    document = hostile()
    name = "@" * 4_000
    document |= {part: [name] * count for part in ("reasons", "not_seen", "not_configured", "not_assessable")}
    document["parameters"] = {f"{n}{name}": name for n in range(50)}
    document["findings"] = [
        one | {"key": name, "evidence": one["evidence"] | {"faults": [name], "fields": {name: name}}}
        for one in document["findings"] * 3
    ]
    document["comparison"] = {part: found * 100 for part, found in document["comparison"].items() if part != "previous"}
    document["comparison"]["previous"] = small()["comparison"]["previous"]
    document["trend"] = document["trend"] * 100
    return document


def test_markdown_takes_no_name_for_anything_else() -> None:
    found = report("md", hostile())
    assert not UNSEEN.search(found)
    assert len(FENCED.findall(found)) == 2
    found = FENCED.sub("", found)
    assert set(re.findall(r"(?<!\\)<[^>\n]*>", found)) == {"<details>", "<summary>", "</summary>", "</details>"}
    assert set(re.findall(r"^#+ \w+", found, re.MULTILINE)) == {
        "## Audit",
        "### Findings",
        "### Could",
        "### Waived",
        "### Since",
        "### Not",
    }
    # A line of HTML is no Markdown: a backslash in it escapes nothing.
    summaries = re.findall(r"^<details><summary>(.*)</summary>$", found, re.MULTILINE)
    assert len(summaries) == found.count("<details>")
    assert not [one for one in summaries if re.search(r"[<>]|&(?!amp;|lt;|gt;|#64;|#8203;|#58;|#46;)", one)]
    assert "@" not in found
    assert not re.search(r"(?<!\\)`", found.replace(f"`{digest(serialised(hostile()))}`", ""))
    assert not re.search(r"https?://|www\.", found)
    assert not re.search(r"(?<!\\)\]\(", found)
    # Each row of a table has the cells of its head.
    cells = 0
    for line in found.splitlines():
        if line.startswith("|"):
            here = len(re.findall(r"(?<!\\)(?:\\\\)*\|", line))
            cells = cells or here
            assert here == cells, line
        else:
            cells = 0


def test_markdown_mentions_nobody_and_links_nothing() -> None:
    # GitHub looks for both in the rendered text, so it takes a character between.
    assert markdown_cell("@alice #12 https://x.example www.x.example") == (
        "&#64;&#8203;alice \\#&#8203;12 https&#58;//x.example www&#46;x.example"
    )


def test_a_line_of_html_in_markdown_has_a_title_as_it_is() -> None:
    assert html_cell("a_b <b>&amp;</b>\n@alice #12 https://x.example") == (
        "a_b &lt;b&gt;&amp;amp;&lt;/b&gt; &#64;&#8203;alice #&#8203;12 https&#58;//x.example"
    )


# --- CSV ---


def test_csv_has_a_row_for_each_finding_and_a_column_for_each_framework() -> None:
    document = small()
    document["frameworks"] = ["nist", "cis"]
    found = rows(document)
    assert [row["key"] for row in found] == [one["key"] for one in document["findings"]]
    assert "iso" not in found[0]
    assert (found[2]["nist"], found[2]["cis"]) == ("AC-2(3); IA-4", "6.2")
    assert (found[3]["nist"], found[3]["cis"]) == ("", "5.2")
    assert {row["report_sha256"] for row in found} == {digest(serialised(document))}
    assert {row["cluster"] for row in found} == {"research"}
    waived = found[3]
    assert (waived["waiver_ticket"], waived["waiver_expires"]) == (WAIVER["ticket"], WAIVER["expires"])
    assert (found[1]["file"], found[1]["line"], found[1]["id"]) == ("experiments/a b.yml", "7", "41")
    assert [row["new"] for row in found] == ["", "false", "true", "false", "true", ""]


@pytest.mark.parametrize("make", [clean, failed_early])
def test_csv_without_findings_still_tells_of_the_audit(make: Callable[[], Document]) -> None:
    document = make()
    (row,) = rows(document)
    assert row["control"] == ""
    assert (row["verdict"], row["report_sha256"]) == (document["verdict"], digest(serialised(document)))


def test_csv_gives_no_spreadsheet_a_formula() -> None:
    found = rows(hostile())
    assert len(found) == 5 * len(HOSTILE)
    for row in found:
        for name, cell in row.items():
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")), name
    keys = [row["key"] for row in found[::5]]
    assert '\'=HYPERLINK("https://example.com")' in keys
    assert {"'+1", "'-1", "'@SUM(A1)", "'\ttab", "'\rreturn", "a|b||c", "nul\ufffdbell\x07escape\x1b[31m"} <= set(keys)
    assert "line\nend\r\nand \u2028 another" in keys


def test_csv_is_rfc_4180_with_line_feeds() -> None:
    text = report("csv", hostile())
    cell = r'"(?:[^"]|"")*"'
    assert re.fullmatch(rf"(?:{cell}(?:,{cell})*\n)+", text)
    assert len({len(row) for row in csv.reader(io.StringIO(text, newline=""), strict=True)}) == 1


# --- JUnit ---

JENKINS = etree.XMLSchema(etree.parse(FOLDER / "schemas" / "junit-10.xsd"))


@each_document
def test_junit_is_what_jenkins_takes(make: Callable[[], Document]) -> None:
    tree = etree.fromstring(report("xml", make()).encode())
    JENKINS.assertValid(tree)
    for suite in tree:
        counted = {
            "tests": "testcase",
            "failures": "testcase/failure",
            "errors": "testcase/error",
            "skipped": "testcase/skipped",
        }
        assert {name: suite.get(name) for name in counted} == {
            name: str(len(suite.findall(path))) for name, path in counted.items()
        }
    for name, path in {"tests": ".//testcase", "failures": ".//failure", "errors": ".//error"}.items():
        assert tree.get(name) == str(len(tree.findall(path)))
    assert {one.get("time") for one in tree.iter("testsuites", "testsuite", "testcase")} == {"0"}


def test_junit_has_a_suite_for_each_control_and_a_case_for_each_finding() -> None:
    found = suites(small())
    outcomes = {
        name.partition(" ")[0]: [(case.get("name"), [one.tag for one in case]) for case in suite.iter("testcase")]
        for name, suite in found.items()
    }
    assert outcomes == {
        "Audit": [("verdict", ["failure"])],
        "CLU-01": [("cluster *", ["error"])],
        "CLU-02": [("not_applicable", ["skipped"])],
        "EXP-03": [("experiments 41", ["failure"]), ("99,998 passed", [])],
        "SITE-1": [("5 passed", [])],
        "TOK-01": [("tokens alice/ci (id 9)", ["failure"]), ("11 passed", [])],
        "TOK-02": [("tokens bob/deploy (id 10)", ["skipped"])],
        "TPL-03": [("templates pytorch/big", ["failure"]), ("4 passed", [])],
        "TPL-05": [("templates odd", ["error"])],
    }
    assert found["CLU-02 Agents not authenticated"].find("testcase/skipped").get("message") == "On Kubernetes."
    assert found["TPL-03 Secret inside a template"].find("testcase/failure").get("type") == "critical"


@pytest.mark.parametrize(("make", "outcome"), [(clean, []), (failed_early, ["error"])])
def test_junit_of_an_audit_that_saw_nothing_is_not_green(make: Callable[[], Document], outcome: list[str]) -> None:
    assert [one.tag for one in suites(make())["Audit"].find("testcase")] == outcome


def test_junit_shows_a_control_without_findings_that_could_not_be_judged() -> None:
    document = small()
    document["findings"] = [one for one in document["findings"] if one["control"] != "CLU-01"]
    assert [one.tag for one in suites(document)["CLU-01 API without TLS"].find("testcase")] == ["error"]


def test_junit_keeps_names_but_for_what_xml_can_not_write() -> None:
    cases = suites(hostile())["TOK-01 Live token of an inactive user"].findall("testcase")
    told = {case.get("name").removeprefix("tokens ") for case in cases}
    writable = {name for name in HOSTILE if not re.search("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]", name)}
    assert writable | {"\rreturn"} <= told
    assert {"nul\ufffdbell\ufffdescape\ufffd[31m", "lone \ufffd surrogate \ufffd", "\ufffd\ufffd"} <= told


# --- SARIF ---

PUBLISHED = json.loads((FOLDER / "schemas" / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("make", [small, clean, failed_early, hostile, lambda: big(300)])
def test_sarif_is_valid(make: Callable[[], Document]) -> None:
    checker = jsonschema.Draft4Validator(PUBLISHED)
    found = json.loads(report("sarif", make()))
    assert [error.message for error in checker.iter_errors(found)] == []
    # Which the schema can't say.
    for one in found["runs"][0]["results"]:
        assert one["kind"] == "fail" or one["level"] == "none"
        assert found["runs"][0]["tool"]["driver"]["rules"][one["ruleIndex"]]["id"] == one["ruleId"]


def test_sarif_tells_severity_as_github_reads_it() -> None:
    found = run(small())
    rules = {one["id"]: one for one in found["tool"]["driver"]["rules"]}
    assert {name: one["properties"].get("security-severity") for name, one in rules.items()} == {
        "CLU-01": "9.5",
        "CLU-02": "8.0",
        "EXP-03": "2.0",
        "SITE-1": None,
        "TOK-01": "8.0",
        "TOK-02": "5.5",
        "TPL-03": "9.5",
        "TPL-05": "5.5",
    }
    assert all("security" in one["properties"]["tags"] for one in rules.values())
    assert {"cis/6.2", "nist/AC-2(3)", "soc2/CC6.2"} <= set(rules["TOK-01"]["properties"]["tags"])
    results = {one["ruleId"]: one for one in found["results"]}
    assert {name: (one["kind"], one["level"]) for name, one in results.items()} == {
        "TPL-03": ("fail", "error"),
        "TOK-01": ("fail", "error"),
        "EXP-03": ("fail", "note"),
        "TPL-05": ("open", "none"),
        "CLU-01": ("open", "none"),
        "TOK-02": ("fail", "warning"),
    }


def test_sarif_says_where_the_resource_is_declared_or_names_it() -> None:
    results = {one["ruleId"]: one for one in run(small())["results"]}
    places = {name: one["locations"][0]["physicalLocation"] for name, one in results.items()}
    assert places["EXP-03"] == {"artifactLocation": {"uri": "experiments/a%20b.yml"}, "region": {"startLine": 7}}
    assert places["TOK-01"] == {"artifactLocation": {"uri": "cluster/tokens/alice%2Fci"}, "region": {"startLine": 1}}
    assert places["CLU-01"]["artifactLocation"]["uri"] == "cluster/cluster/%2A"


def test_sarif_has_the_fingerprint_that_github_reads() -> None:
    document = small()
    told = {one["ruleId"]: one["partialFingerprints"] for one in run(document)["results"]}
    for one in document["findings"]:
        assert told[one["control"]][FINGERPRINT] == one["fingerprint"]
        assert set(told[one["control"]].values()) == {one["fingerprint"]}
        assert len(told[one["control"]]) == 2


def test_sarif_suppresses_or_omits_what_is_waived() -> None:
    document = small()
    suppressed = {one["ruleId"]: one.get("suppressions") for one in run(document)["results"]}
    (suppression,) = suppressed.pop("TOK-02")
    assert (suppression["kind"], suppression["status"]) == ("external", "accepted")
    assert WAIVER["reason"] in suppression["justification"]
    assert set(suppressed.values()) == {None}
    document["sarif_waived"] = "omit"
    found = run(document)
    assert "TOK-02" not in {one["ruleId"] for one in found["results"]}
    assert found["properties"]["waived_left_out"] == 1


def test_sarif_has_the_worst_and_says_how_many_it_leaves_out() -> None:
    document = big(5_500)
    document["findings"].append(finding("TOK-19", "users", "last", "critical"))
    found = run(document)
    assert len(found["results"]) == 5_000
    assert (found["properties"]["results_total"], found["properties"]["results_left_out"]) == (5_501, 501)
    assert {one["properties"]["status"] for one in found["results"][:3_301]} == {"fail"}
    severities = [one["properties"]["severity"] for one in found["results"][:3_301]]
    assert severities == sorted(severities, key=("critical", "high", "medium", "low").index)
    assert "last" in {one["properties"]["key"] for one in found["results"]}


def test_sarif_tells_how_the_run_went() -> None:
    (went,) = run(small())["invocations"]
    assert went["executionSuccessful"] is True
    assert (went["startTimeUtc"], went["endTimeUtc"]) == ("2026-03-01T02:30:00Z", "2026-03-01T02:30:09Z")
    (note,) = went["toolExecutionNotifications"]
    assert note["associatedRule"]["id"] == "TPL-05"
    (went,) = run(failed_early())["invocations"]
    assert went["executionSuccessful"] is False
    assert "the master refused the token" in went["toolExecutionNotifications"][0]["message"]["text"]
    # The category of GitHub is all before the last slash: the same for each night.
    first, second = small(), small() | {"ended": "2026-03-02T02:30:09Z"}
    ids = [run(document)["automationDetails"]["id"] for document in (first, second)]
    assert ids[0] != ids[1]
    assert len({one.rpartition("/")[0] for one in ids}) == 1
    assert "7c5f2a9e-7d7c-4f0e-9f61-6b1f0c1f8a11" in ids[0].rpartition("/")[0]


def test_sarif_takes_no_name_for_a_link_a_placeholder_or_a_path() -> None:
    found = run(hostile())
    texts = [one["message"]["text"] for one in found["results"]]
    assert any("[click] (https" in text for text in texts)
    for text in texts:
        assert "](" not in text
        assert not re.search(r"[{}]", text.replace("{{", "").replace("}}", ""))
        assert not UNSEEN.search(text)
        assert len(text) <= 1_024
    for one in found["tool"]["driver"]["rules"]:
        assert len(one["shortDescription"]["text"]) <= 1_024
        assert len(one["fullDescription"]["text"]) <= 1_024
        assert len(one["properties"]["tags"]) <= 20
    for one in found["results"]:
        uri = one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"[\w.~/%-]+", uri, re.ASCII)
        assert not {".", "..", ""} & set(uri.split("/")), uri
        # A file's path is cut nowhere: it would be another file's.
        assert len(uri) < 2_500 or not uri.startswith("cluster/")


def test_sarif_names_no_path_of_the_controller() -> None:
    for path in ("/home/alice/site/users.yml", "../users.yml", "a/../../users.yml"):
        document = small()
        document["findings"][1]["location"]["file"] = path
        (uri,) = {
            one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            for one in run(document)["results"]
            if one["ruleId"] == "EXP-03"
        }
        assert uri == "cluster/experiments/41"
