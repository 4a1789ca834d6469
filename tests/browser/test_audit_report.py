# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML report of an audit as a person meets it: read, filtered, searched, printed, on a screen and on a phone."""

from __future__ import annotations

import io
import itertools
import typing as t
from collections.abc import Callable

import pytest

from ansible_collections.determined.ai.plugins.plugin_utils.audit_html import write
from tests.unit.audit import documents

from .report_page import DIGEST, Open, Opened

if t.TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.once

DOCUMENTS = {
    "small": documents.small,
    "clean": documents.clean,
    "failed_early": documents.failed_early,
    "hostile": documents.hostile,
}
DESKTOP, PHONE = 1280, 360


def shown(page: Page) -> list[str]:
    """The names of the findings that are listed, in the page's order."""
    return [text.strip() for text in page.locator(".findings > li:not([hidden]) .what > .name").all_text_contents()]


def counted(page: Page, text: str) -> None:
    """Wait until the filter says so much."""
    from playwright.sync_api import expect  # it may not be there

    expect(page.locator("#filters output")).to_have_text(text)


def field(page: Page, name: str) -> Locator:
    """A field of the filter."""
    return page.locator(f"#filters [name={name}]")


def unfold(page: Page) -> None:
    page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [
        *itertools.product(["small"], [DESKTOP, PHONE], ["light", "dark"]),
        # The same parts in other amounts, and a slow thing to look at.
        *itertools.product(["clean", "hostile"], [PHONE], ["light"]),
        ("failed_early", DESKTOP, "dark"),
    ],
)
def test_axe_finds_nothing(page_of: Open, name: str, width: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe  # it may not be there

    # As high as it takes: what is not near the screen is not laid out, and then not looked at.
    page = page_of(DOCUMENTS[name](), width=width, height=12_000, scheme=scheme)
    unfold(page)
    found = Axe().run(page)
    assert found.response["violations"] == [], found.generate_report()
    assert found.response["passes"]


def test_the_colours_are_those_of_the_scheme_until_the_reader_says_otherwise(page_of: Open) -> None:
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light, dark = page_of(documents.small()), page_of(documents.small(), scheme="dark")
    colours = light.evaluate(ground), dark.evaluate(ground)
    assert colours[0] != colours[1]
    light.get_by_role("button", name="Dark theme").click()
    assert light.evaluate(ground) == colours[1]
    light.get_by_role("button", name="Light theme").click()
    assert light.evaluate(ground) == colours[0]
    dark.get_by_role("button", name="Light theme").click()
    assert dark.evaluate(ground) == colours[0]


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_nothing_is_wider_than_the_screen(page_of: Open, name: str, width: int) -> None:
    page = page_of(DOCUMENTS[name](), width=width, height=12_000)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_filters(page_of: Open) -> None:
    page = page_of(documents.small())
    counted(page, "6 findings")
    # Failing first and worst first, then the error, then the unknown, then the waived.
    assert shown(page) == ["pytorch/big", "alice/ci", "41", "odd", "bob/deploy"]
    everything = shown(page)

    field(page, "severity").select_option("critical")
    counted(page, "2 of 6 findings")
    assert shown(page) == ["pytorch/big"]  # and the whole list of clusters, which has no name
    assert page.locator(".status:not([hidden]) h3").all_text_contents() == ["Failing", "Could not be judged"]
    field(page, "status").select_option("unknown")
    counted(page, "1 of 6 findings")
    page.get_by_role("button", name="Reset").click()
    counted(page, "6 findings")
    assert shown(page) == everything

    field(page, "status").select_option("waived")
    counted(page, "1 of 6 findings")
    assert shown(page) == ["bob/deploy"]
    field(page, "area").select_option("Templates")
    counted(page, "0 of 6 findings")
    assert page.get_by_text("No finding matches these filters.").is_visible()
    field(page, "status").select_option("")
    counted(page, "2 of 6 findings")
    assert shown(page) == ["pytorch/big", "odd"]
    assert page.get_by_text("No finding matches these filters.").is_hidden()

    page.get_by_role("button", name="Reset").click()
    field(page, "kind").select_option("experiments")
    counted(page, "1 of 6 findings")
    assert shown(page) == ["41"]
    page.get_by_role("button", name="Reset").click()
    page.get_by_label("only new").check()
    counted(page, "2 of 6 findings")
    assert shown(page) == ["pytorch/big", "alice/ci"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("ALICE/CI", ["alice/ci"]),  # a name, in any case
        ("tok-0", ["alice/ci", "bob/deploy"]),  # a control
        ("single sign-on", ["bob/deploy"]),  # a waiver's reason
        ("experiments/a b.yml:7", ["41"]),  # where it is declared
        ("secret big", ["pytorch/big"]),  # all words, each anywhere
        ("secret deploy", []),
        (".*", []),  # a text and no pattern
    ],
)
def test_search(page_of: Open, words: str, found: list[str]) -> None:
    page = page_of(documents.small())
    page.get_by_label("Search").fill(words)
    counted(page, f"{len(found)} of 6 findings")
    assert shown(page) == found


def test_no_filter_for_what_was_never_compared(page_of: Open) -> None:
    document = documents.small()
    for finding in document["findings"]:
        finding["new"] = None
    page = page_of(document)
    assert field(page, "severity").is_visible()
    assert page.get_by_label("only new").count() == 0


def test_without_script_everything_is_there(page_of: Open) -> None:
    document = documents.small()
    page = page_of(document, java_script_enabled=False)
    assert page.locator("#filters").is_hidden()
    assert page.locator("#theme").is_hidden()
    text = page.locator("main").text_content()
    for finding in document["findings"]:
        assert finding["fingerprint"] in text
    fold = page.locator(".findings details", has_text="alice/ci")
    assert fold.locator("pre").is_hidden()
    fold.locator("summary").click()
    assert fold.locator("pre").is_visible()


def test_by_keyboard(page_of: Open) -> None:
    page = page_of(documents.small())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the findings"
    page.keyboard.press("Enter")
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("document.activeElement.id || document.activeElement.name || document.activeElement.tagName")
        )
        # Whoever does not see where they are can't use a keyboard.
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        if page.evaluate("document.activeElement.matches('.findings summary')"):
            break
    else:
        pytest.fail(f"No finding is reached by the tab key, only {reached}.")
    assert {"text", "severity", "status", "area", "kind", "new", "unfold"} <= reached
    page.keyboard.press("Enter")
    assert page.locator(".findings details[open]").count() == 1


def test_all_can_be_opened_and_folded(page_of: Open) -> None:
    page = page_of(documents.small())
    field(page, "kind").select_option("tokens")
    counted(page, "2 of 6 findings")
    page.get_by_role("button", name="Open all").click()
    assert page.locator(".findings details[open]").count() == 2  # those that the filter shows
    page.get_by_role("button", name="Fold all").click()
    assert page.locator(".findings details[open]").count() == 0


def test_an_example_can_be_copied(page_of: Open) -> None:
    page = page_of(documents.small(), permissions=["clipboard-read", "clipboard-write"])
    example = page.locator(".group", has_text="TOK-01").locator(".example")
    example.locator("summary").click()
    example.get_by_role("button").click()
    example.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == documents.control("TOK-01", "")["example"]


def test_names_stay_text(page_of: Open) -> None:
    page = page_of(documents.hostile())
    unfold(page)
    assert page.locator("script").count() == 1
    assert page.locator("img, iframe, object, embed, link, base").count() == 0
    assert page.evaluate("[...document.links].every((link) => link.getAttribute('href').startsWith('#'))")
    # What can be written in one visible line reads as it is; the rest stands beside it with a sign for what can't be seen.
    plain = {name for name in documents.HOSTILE if name.isprintable() and "\uffff" not in name}
    assert len(plain) > 15
    assert plain <= set(page.locator(".what > .name").all_text_contents())
    page.get_by_label("Search").fill("<script>alert(1)</script>")
    counted(page, "5 of 135 findings")


def test_what_became_markup_could_not_run(opened: Callable[..., Opened]) -> None:
    one = opened(documents.small())
    one.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "document.title = 'ran'";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", "<img src='https://example.com/x.png' onerror='document.title = 1'>");
            document.body.insertAdjacentHTML("beforeend", "<p style='position: fixed'>x</p>");
        }"""
    )
    one.page.wait_for_timeout(200)
    assert one.page.title().startswith("Fail: audit of research")
    assert one.page.locator("p").last.evaluate("(p) => getComputedStyle(p).position") == "static"
    assert len(one.problems) >= 3
    assert all("Content Security Policy" in problem for problem in one.problems)


def test_5000_findings_are_usable_in_two_seconds(opened: Callable[..., Opened]) -> None:
    one = opened(documents.big(5_000))
    one.page.add_init_script(  # outside the page's policy
        """addEventListener("load", () => {
            const output = document.querySelector("#filters output");
            const choice = document.querySelector("#filters [name=severity]");
            const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
            globalThis.filtered = (async () => {
                await drawn();
                const changed = new Promise((done) => new MutationObserver(done).observe(output, {childList: true}));
                choice.value = "critical";
                choice.dispatchEvent(new Event("input", {bubbles: true}));
                await changed;
                await drawn();
                return [output.textContent, performance.now() / 1000];
            })();
        })"""
    )
    tools = one.page.context.new_cdp_session(one.page)
    tools.send("Performance.enable")

    def processor_time() -> float:
        return next(m["value"] for m in tools.send("Performance.getMetrics")["metrics"] if m["name"] == "ProcessTime")

    measured = []
    for _ in range(3):
        before = processor_time()
        one.load()
        says, clock = one.page.evaluate("filtered")
        measured.append({"clock": clock, "processor": processor_time() - before})
        assert says == "1,250 of 5,000 findings"
    # Other tests run beside this one, so the clock says little. On a free machine the page takes no longer than its process
    # works, but for the waits for a pause in typing and for frames: 0.2 s.
    assert min(min(taken["clock"], taken["processor"] + 0.2) for taken in measured) < 2, measured
    one.is_quiet()


def test_more_than_5000_findings_come_in_pages(page_of: Open) -> None:
    page = page_of(documents.big(5_240))
    counted(page, "5,000 findings")
    assert "The 5,000 worst of 5,240 findings are shown here." in page.locator(".rest").text_content()
    last = page.locator(".findings .name").last.text_content()
    field(page, "status").select_option("waived")
    page.get_by_role("button", name="Show the next 240").click()
    waived = sum(n // 20 % 5 == 4 for n in range(5_240))
    counted(page, f"{waived:,} of 5,240 findings")  # the filter holds for what was added
    assert page.get_by_role("button", name="Show the next").is_hidden()
    assert page.locator(".findings .name").last.text_content() != last
    page.locator(".group .example").last.locator("summary").evaluate("(summary) => summary.click()")
    page.get_by_role("button", name="Reset").click()
    counted(page, "5,240 findings")


@pytest.mark.parametrize("script", [True, False])
def test_print_opens_the_folds(page_of: Open, script: bool) -> None:
    from pypdf import PdfReader  # it may not be there

    document = documents.small()
    page = page_of(document, scheme="dark", java_script_enabled=script)
    fold = page.locator(".findings details", has_text="alice/ci")
    assert fold.locator("pre").is_hidden()
    page.emulate_media(media="print")
    assert fold.locator("pre").evaluate("(pre) => pre.getBoundingClientRect().height") > 20
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("#filters").is_hidden()
    page.emulate_media(media="null")

    paper = PdfReader(io.BytesIO(page.pdf(format="A4")))
    text = "".join("".join(sheet.extract_text() for sheet in paper.pages).split())
    for finding in document["findings"]:
        assert finding["fingerprint"] in text
    assert DIGEST in text
    for part in (
        "token_max_days",
        "2027-01-01T00:00:00Z",
        "SEC-1234",
        "determined.ai.det_token:",
        "experiments/ab.yml:7",
    ):
        assert part in text


def test_what_is_filtered_out_is_not_printed(page_of: Open) -> None:
    from pypdf import PdfReader  # it may not be there

    document = documents.small()
    page = page_of(document)
    field(page, "status").select_option("waived")
    counted(page, "1 of 6 findings")
    text = "".join(sheet.extract_text() for sheet in PdfReader(io.BytesIO(page.pdf(format="A4"))).pages)
    text = "".join(text.split())
    printed = [finding["key"] for finding in document["findings"] if finding["fingerprint"] in text]
    assert printed == ["bob/deploy"]


def test_the_page_is_the_same_wherever_it_is_drawn(page_of: Open) -> None:
    """Ids are unique, and what refers to one refers to one that is there."""
    page = page_of(documents.small())
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((element) => element.id)")
    assert len(ids) == len(set(ids))
    links = page.evaluate("[...document.links].map((link) => link.getAttribute('href').slice(1))")
    names = page.evaluate(
        "[...document.querySelectorAll('[aria-labelledby]')].map((e) => e.getAttribute('aria-labelledby'))"
    )
    wanted = {*links, *itertools.chain.from_iterable(name.split() for name in names)}
    assert wanted <= set(ids)
    assert len(write(documents.small(), DIGEST)) < 100_000
