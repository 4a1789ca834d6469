# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report that a browser has opened, and what it may not do there."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Callable

if t.TYPE_CHECKING:
    from playwright.sync_api import Page

DIGEST = "0123456789abcdef" * 4


@dataclasses.dataclass
class Opened:
    """A page, and what it did that a report must not do."""

    page: Page
    address: str
    problems: list[str] = dataclasses.field(default_factory=list)
    """Errors and warnings of the console (a breach of the Content-Security-Policy is one), errors of scripts, dialogs."""
    requests: list[str] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda said: self.problems.append(f"{said.type}: {said.text}"))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("dialog", self._refuse)
        self.page.on("request", lambda request: self.requests.append(request.url))

    def _refuse(self, dialog: t.Any) -> None:
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def load(self) -> None:
        self.page.goto(self.address)

    def is_quiet(self) -> None:
        assert self.problems == []
        assert set(self.requests) == {self.address}


Open = Callable[..., "Page"]
