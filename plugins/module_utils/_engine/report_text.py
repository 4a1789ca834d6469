# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Texts from a cluster in reports: what it says is data, whatever it looks like."""

from __future__ import annotations

import html
import json
import re
import typing as t

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+!|&~$@])")
_REFERENCE = re.compile(r"(&#64;|\\#(?=\d))")
_NUMBERED = re.compile(r"#(?=\d)")
_LINK = re.compile(r"(?<=[a-z]):(?=//)|(?<=www)\.", re.IGNORECASE)
_UNSEEN = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def markdown_cell(text: str) -> str:
    """A text in one line, such as a cell of a table, without any effect as Markdown, HTML or mention."""
    flat = " ".join(visible_text(text).split())
    escaped = _MARKDOWN.sub(r"\\\1", flat).replace("\\@", "&#64;")
    # GitHub looks for mentions and references in what is rendered: only a character between keeps it from that.
    apart = _REFERENCE.sub(r"\1&#8203;", escaped)
    return _LINK.sub(lambda found: f"&#{ord(found[0])};", apart)


def html_cell(text: str) -> str:
    """A text in one line of HTML in Markdown, where no backslash escapes anything: without any effect as HTML or mention."""
    flat = " ".join(visible_text(text).split())
    escaped = html.escape(flat, quote=False)
    apart = _NUMBERED.sub("#&#8203;", escaped).replace("@", "&#64;&#8203;")
    return _LINK.sub(lambda found: f"&#{ord(found[0])};", apart)


def markdown_value(value: t.Any, limit: int = 200) -> str:
    """A value as a cell: texts as they are, all else as JSON, cut at `limit` characters."""
    if value is None:
        return "*none*"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    if not text:
        return "*empty*"
    return markdown_cell(text if len(text) <= limit else f"{text[:limit]}...")


def visible_text(text: str) -> str:
    """A text without what UTF-8 can't write, what a terminal obeys, and what turns the direction of the text around it."""
    return _UNSEEN.sub("\ufffd", str(text))


def xml_text(text: str) -> str:
    """A text without the characters that XML 1.0 has no way to write."""
    return _NOT_IN_XML.sub("\ufffd", str(text))
