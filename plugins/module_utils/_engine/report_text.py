# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Texts from a cluster in reports: what it says is data, whatever it looks like."""

from __future__ import annotations

import json
import re
import typing as t

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+!|&~$@])")
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def markdown_cell(text: str) -> str:
    """A text in one line, such as a cell of a table, without any effect as Markdown, HTML or mention."""
    flat = " ".join(str(text).split())
    # An entity: GitHub finds mentions behind a backslash too.
    return _MARKDOWN.sub(r"\\\1", flat).replace("\\@", "&#64;")


def markdown_value(value: t.Any, limit: int = 200) -> str:
    """A value as a cell: texts as they are, all else as JSON, cut at `limit` characters."""
    if value is None:
        return "*none*"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    if not text:
        return "*empty*"
    return markdown_cell(text if len(text) <= limit else f"{text[:limit]}...")


def xml_text(text: str) -> str:
    """A text without the characters that XML 1.0 has no way to write."""
    return _NOT_IN_XML.sub("\ufffd", str(text))
