# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML report as a text: what it says, in which order, and that no name becomes markup. tests/browser opens it."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import re

import pytest

from ansible_collections.determined.ai.plugins.plugin_utils import audit_html
from ansible_collections.determined.ai.plugins.plugin_utils.audit_html import write

from .documents import HOSTILE, WAIVER, Document, big, clean, control, failed_early, hostile, small

DIGEST = "0123456789abcdef" * 4
VOID = {"meta", "input"}
INLINE = {"bdi", "code", "b", "a", "time"}


class Page(html.parser.HTMLParser):
    """A report, read as a browser would: elements with their attributes, and the text that is shown."""

    def __init__(self, document: Document) -> None:
        super().__init__()
        self.source = write(document, DIGEST)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.shown: list[str] = []
        self.inline: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(self.source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in INLINE:
            self.shown.append(" ")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))  # of a drawing

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("script", "style"):
            assert self._open[-1] not in self.inline
            self.inline[self._open[-1]] = data
        else:
            self.shown.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.shown).split())


@pytest.mark.parametrize("make", [small, clean, failed_early, hostile])
def test_equal_documents_make_equal_pages(make: type) -> None:
    assert write(make(), DIGEST) == write(make(), DIGEST)
    assert write(make(), DIGEST).encode("utf-8")


@pytest.mark.parametrize("make", [small, hostile])
def test_the_policy_allows_the_pages_own_script_and_style_only(make: type) -> None:
    page = Page(make())
    policies = [of["content"] for tag, of in page.elements if of.get("http-equiv") == "Content-Security-Policy"]
    allowed = dict(part.split(" ", 1) for part in (policies[0] or "").split("; "))
    assert len(policies) == 1
    assert allowed["default-src"] == allowed["base-uri"] == allowed["form-action"] == "'none'"
    assert set(allowed) == {"default-src", "base-uri", "form-action", "script-src", "style-src"}
    for kind in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(page.inline[kind].encode()).digest()).decode()
        assert allowed[f"{kind}-src"] == f"'sha256-{digest}'"
        assert "\r" not in page.inline[kind]  # a browser makes line feeds of them, and the hash another one


@pytest.mark.parametrize("make", [small, hostile])
def test_nothing_is_fetched_and_nothing_runs_but_the_script(make: type) -> None:
    page = Page(make())
    counted = [tag for tag, _ in page.elements if tag in ("script", "style")]
    assert counted == ["style", "script"]
    assert not {tag for tag, _ in page.elements} & {"link", "img", "iframe", "object", "embed", "base", "image", "use"}
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            assert not name.startswith("on"), tag
            assert name not in ("style", "src", "srcset", "action", "formaction", "xlink:href"), tag
            assert name != "href" or (value or "").startswith("#")
    assert not re.search(r"url\(|@import", page.inline["style"])
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|import|eval|innerHTML)\b", page.inline["script"])


def test_hostile_names_make_no_element() -> None:
    """The elements are those of the same document with harmless names."""
    bad, good = hostile(), hostile()

    def harmless(value: object, place: str = "") -> object:
        if isinstance(value, dict):
            return {harmless(name): harmless(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [harmless(item, place) for item in value]
        # As long and as empty as the other, and no two alike: what is left out or grouped must stay so.
        if isinstance(value, str) and any(name and name in value for name in HOSTILE if len(name) > 2):
            return "x" + hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
        return value

    changed = harmless(good)
    assert isinstance(changed, dict)
    assert changed != bad
    tags = [tag for tag, _ in Page(bad).elements]
    assert tags == [tag for tag, _ in Page(changed).elements]


@pytest.mark.parametrize("name", [name for name in HOSTILE if name.isprintable() and len(name) > 2])
def test_a_name_that_can_be_seen_is_shown_as_it_is(name: str) -> None:
    document = small()
    document["cluster"]["name"] = name
    assert " ".join(name.split()) in Page(document).text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("alice\nVerdict: pass", "alice\u21b5Verdict: pass"),
        ("alice\r\nbob", "alice\u21b5bob"),
        ("a\u2028b", "a\u21b5b"),
        ("nul\0here", "nul\ufffdhere"),
        ("\u202egnp.exe", "\ufffdgnp.exe"),
        ("lone \ud800", "lone \ufffd"),
    ],
)
def test_what_can_not_be_seen_gets_a_sign(name: str, shown: str) -> None:
    document = small()
    document["cluster"]["name"] = document["findings"][2]["key"] = name
    document["findings"][2]["evidence"]["fields"] = {"owner": name}
    page = Page(document)
    assert page.text.count(shown) == 5  # title, heading, facts, finding, evidence
    assert name not in page.source


def test_the_header_says_who_what_and_when() -> None:
    page = Page(small())
    for part in (
        "Verdict Fail",
        "2 findings at or above high.",
        "Score 43.5 of 100",
        "down 17.5 since the run of 2026-02-28",
        "research",
        "7c5f2a9e-7d7c-4f0e-9f61-6b1f0c1f8a11",
        "https://master.example.com:8443",
        "0.38.1 basic",
        "audit id 12 administrator",
        "2026-03-01 02:30:00 UTC took 9 s, 17 requests",
        "standard catalogue 1.0.0, collection 1.0.0",
        "high or above incomplete beyond 10 % unknown; exit hint 2",
        f"3 given SHA-256 {'1' * 64}",
        f"2026-02-01 02:30:09 UTC SHA-256 {'2' * 64}",
        f"SHA-256 of the JSON report {DIGEST}",
        "token_max_days 90",
        'allowed_registries ["registry.example.com/team"]',
        "minimum_version not set",
        "experiments 99,999",
        "1 part of the cluster could not be seen whole and 1 rule of the site is not configured",
        "The list of users is filtered for the auditor.",
        "Encryption at rest.",
    ):
        assert part in page.text, part


def test_the_numbers_of_an_area() -> None:
    document = small()
    page = Page(document)
    # Critical, high, medium, low, info, unknown and error, waived; controls that pass of those that apply.
    for row in (
        "Cluster 0 0 0 0 0 1 0 0/1",  # its other control does not apply
        "Experiments 0 0 0 1 0 0 0 0/1",
        "Custom controls 0 0 0 0 0 0 0 1/1",
        "Access tokens 0 1 0 0 0 0 1 0/2",
        "Templates 1 0 0 0 0 1 0 0/2",
    ):
        assert row in page.text, row


def test_the_worst_comes_first() -> None:
    text = Page(small()).text
    findings = text[text.index("Failing critical") :]
    places = [
        findings.index(key) for key in ("pytorch/big", "alice/ci", "experiments 41", "templates odd", "bob/deploy")
    ]
    assert places == sorted(places)
    assert findings.index("templates odd") < findings.index("the whole list") < findings.index("bob/deploy")


def test_a_finding_shows_its_evidence_remedy_and_waiver() -> None:
    page = Page(small())
    for part in (
        "Its owner is not active.",
        "owner alice",
        "GET /api/v1/tokens at 2026-03-01 02:30:01 UTC",
        "declared in experiments/a b.yml:7",
        f"waived because {WAIVER['reason']}",
        f"ticket {WAIVER['ticket']}",
        f"approved by {WAIVER['approved_by']}",
        f"until {WAIVER['expires']}",
        "Revoke it.",
        "- determined.ai.det_token: user: alice description: ci state: absent",
        *(finding["fingerprint"] for finding in small()["findings"]),
    ):
        assert part in page.text, part


def test_a_remedy_of_one_finding_is_told_with_it() -> None:
    document = small()
    document["findings"][2]["remediation"] = "Ask Alice first."
    assert "Ask Alice first." in Page(document).text


def test_controls_and_mappings() -> None:
    page = Page(small())
    assert "TOK-01 Live token of an inactive user high fail 11 / 12 6.2 AC-2(3), IA-4 A.5.18 CC6.2" in page.text
    assert "CLU-02 Agents not authenticated On Kubernetes. high not applicable 0 / 0" in page.text
    assert "Names a cost centre (custom)" in page.text
    document = small()
    document["frameworks"] = ["nist"]
    page = Page(document)
    assert "AC-2(3), IA-4" in page.text
    assert "A.5.18" not in page.text


def test_the_comparison() -> None:
    page = Page(small())
    assert f"Compared with the run that ended 2026-02-28 02:30:09 UTC SHA-256 {'3' * 64}" in page.text
    assert "2 New TOK-01 tokens alice/ci TPL-03 templates pytorch/big" in page.text
    assert "1 Fixed IAM-02 users determined" in page.text
    assert "1 Still there EXP-03 experiments 41" in page.text
    assert "1 No longer judged WHK-01 webhooks hook" in page.text
    document = small()
    document["comparison"]["fixed"] *= 250
    assert "250 Fixed" in Page(document).text
    assert "and 50 more in the JSON report" in Page(document).text


def test_an_audit_that_found_nothing() -> None:
    page = Page(clean())
    assert "Verdict Pass No unwaived finding counts at severity high or above." in page.text
    assert "No findings: no control fails, is waived, or could not be judged." in page.text
    document = clean()
    document["fail_on"] = "never"
    assert "the verdict has no threshold for findings" in Page(document).text


def test_an_audit_that_ended_early_is_not_a_green_one() -> None:
    page = Page(failed_early())
    assert "Verdict Incomplete The audit ended early: the master refused the token." in page.text
    assert page.text.count("The audit ended early: the master refused the token.") == 1
    assert "Score none no control applied" in page.text
    assert "The audit ended before it found anything; that is no proof that nothing is there." in page.text
    assert "Cluster not reached" in page.text


@pytest.mark.parametrize("runs", [0, 1])
def test_one_run_is_no_trend(runs: int) -> None:
    document = small()
    document["trend"] = document["trend"][:runs]
    assert not any(of.get("id") == "trend" for _, of in Page(document).elements)


def test_the_trend_has_a_gap_where_a_run_has_no_score() -> None:
    document = small()
    run = document["trend"][0]
    document["trend"] = [{**run, "score": score} for score in (0.0, 100.0, None, 50.0, 60.0)]
    paths = [of["d"] for tag, of in Page(document).elements if tag == "path" and of.get("class") == "score-line"]
    points = re.findall(r"([ML])(\S+) (\S+)", paths[0] or "")
    assert [command for command, _, _ in points] == ["M", "L", "M", "L"]
    heights = [float(y) for _, _, y in points]
    assert heights[0] > heights[2] > heights[3] > heights[1]  # downwards, as in any drawing
    steps = [float(x) for _, x, _ in points]
    assert steps[1] - steps[0] == pytest.approx((steps[2] - steps[1]) / 2, abs=0.2)


def test_a_square_for_each_control() -> None:
    document = small()
    many = [control(f"SITE-{n}", f"Rule {n}", "low", "pass", area="A" * 60) for n in range(25)]
    document["controls"] += many
    page = Page(document)
    squares = [of for tag, of in page.elements if tag == "rect" and of.get("rx")]
    assert len(squares) == len(document["controls"])
    assert len({(of["x"], of["y"]) for of in squares}) == len(squares)
    drawing = next(of for tag, of in page.elements if tag == "svg" and of.get("class") == "squares")
    width, height = (float(n) for n in (drawing["viewbox"] or "").split()[2:])
    for of in squares:
        assert float(of["x"] or 0) + 18 <= width
        assert float(of["y"] or 0) + 18 <= height


def test_findings_beyond_the_page_wait_and_beyond_the_limit_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_html, "PAGE", 20)
    monkeypatch.setattr(audit_html, "LIMIT", 50)
    document = big(120)
    page = Page(document)
    assert len([tag for tag, of in page.elements if tag == "li" and "data-status" in of]) == 50
    assert len([tag for tag, of in page.elements if tag == "template"]) == 2
    assert "The 20 worst of 120 findings are shown here. The last 70 are in the JSON and CSV reports only." in page.text
    shown = [of["data-severity"] for tag, of in page.elements if tag == "li" and "data-status" in of]
    failing = sum(one["status"] == "fail" for one in document["findings"])
    worst = sum(one["status"] == "fail" and one["severity"] == "critical" for one in document["findings"])
    assert failing > 50
    assert shown[:worst] == ["critical"] * worst
    # What is left out is in the numbers all the same.
    assert f"Failing findings {worst} critical" in page.text


def test_script_and_style_can_not_end_early() -> None:
    for name in ("audit_report.js", "audit_report.css"):
        assert "</" not in audit_html._text(name)
        assert "<!--" not in audit_html._text(name)
