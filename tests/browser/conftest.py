# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages in a browser: Debian's Chromium without a window, driven by Playwright.

Without the browser these tests are skipped, unless DET_TEST_BROWSER is ``required``, as continuous integration has it.
"""

from __future__ import annotations

import importlib.util
import os
import pathlib
import shutil
import typing as t
from collections.abc import Callable, Iterator

import pytest

from ansible_collections.determined.ai.plugins.plugin_utils.audit_html import write

from .report_page import DIGEST, Open, Opened

if t.TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Document = dict[str, t.Any]
PACKAGES = ("playwright", "axe_playwright_python", "pypdf")


def missing() -> str | None:
    """What is not here that these tests need."""
    absent = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if absent:
        return f"needs the Python packages {', '.join(absent)}"
    return None if shutil.which("chromium") else "needs Chromium: apt-get install chromium"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if reason := missing():
        (pytest.fail if os.environ.get("DET_TEST_BROWSER") == "required" else pytest.skip)(reason)
    from playwright.sync_api import sync_playwright  # it may not be there

    # Chromium's own sandbox does not work for root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        yield launched
        launched.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: pathlib.Path) -> Iterator[Callable[..., Opened]]:
    """Writes a document's report and opens it: ``opened(document, width=1280, scheme="light", ...)``."""
    every: list[Opened] = []

    def opening(
        document: Document, width: int = 1280, height: int = 900, scheme: str = "light", **options: t.Any
    ) -> Opened:
        report = tmp_path / "report.html"
        report.write_text(write(document, DIGEST), encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **options)
        one = Opened(context.new_page(), report.as_uri())
        every.append(one)
        one.load()
        return one

    yield opening
    for one in every:
        one.page.context.close()


@pytest.fixture
def page_of(opened: Callable[..., Opened]) -> Iterator[Open]:
    """As `opened`, for tests in which every page must have kept quiet: no message, no request but for itself."""
    every: list[Opened] = []

    def opening(document: Document, **options: t.Any) -> Page:
        every.append(opened(document, **options))
        return every[-1].page

    yield opening
    for one in every:
        one.is_quiet()
