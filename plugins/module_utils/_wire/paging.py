# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Reading whole lists, and knowing that they are whole. Three styles exist on the server (API pages, section 1.5)."""

from __future__ import annotations

import typing as t

from . import errors
from .session import Live, Pagination, Session, decode

PAGE = 1000
"""Objects a call, where pages are read: fewer calls cost less, and one answer is capped at 128 MiB."""


class Page(Live):
    """One answer of a list. A kind's page adds its own field with the objects."""

    pagination: Pagination | None = None

    def items(self) -> list[t.Any]:
        """The objects of this page."""
        raise TypeError(f"{type(self).__name__} does not say which of its fields holds the objects")


P = t.TypeVar("P", bound=Page)


def read_page(session: Session, page: type[P], path: str, query: t.Mapping[str, t.Any]) -> P:
    """Read one page.

    :raises errors.BadAnswer: it is not such a page.
    """
    answer = session.call("GET", path, query=query)
    # From the bytes, not from parsed JSON: fields that nobody wants (experiments' configs) never become Python objects.
    return decode(answer, page.model_validate_json, answer.content, "a list")


def read_memory_list(
    session: Session, page: type[P], path: str, query: t.Mapping[str, t.Any] | None = None
) -> list[t.Any]:
    """Read a list that the server keeps in memory (users, tokens, models, workspaces, projects, checkpoints) in one call.

    Without ``limit`` the server sends all; it reads and sorts the whole table for each page, so pages cost more.

    :raises errors.BadAnswer: fewer arrived than the list says it has.
    """
    found = read_page(session, page, path, query or {})
    items = found.items()
    total = found.pagination.total if found.pagination else None
    if total is not None and len(items) != total:
        raise _cut(path, len(items), total)
    return items


def read_by_offset(
    session: Session,
    page: type[P],
    path: str,
    query: t.Mapping[str, t.Any],
    *,
    offset: int = 0,
    limit: int | None = None,
) -> tuple[list[t.Any], int]:
    """Read a list that the server pages in SQL, in the order that `query` asks for.

    :param offset: how many to leave out at the start.
    :param limit: how many to read at most; None reads all.
    :returns: the objects, each id or name once although the list may move between two pages, and how many match in all.
    :raises errors.BadAnswer: a page holds fewer than it must.
    """
    seen: dict[t.Any, t.Any] = {}
    while True:
        wanted = PAGE if limit is None else min(PAGE, limit - len(seen))
        # A limit of 0 means 100 to the server, so "how many are there" asks for one.
        found = read_page(session, page, path, {**query, "offset": offset, "limit": max(1, wanted)})
        items = found.items()
        total = (
            found.pagination.total if found.pagination and found.pagination.total is not None else offset + len(items)
        )
        if len(items) < min(max(1, wanted), total - offset):
            raise _cut(path, offset + len(items), total)
        for item in items[: max(0, wanted)]:
            seen.setdefault(item.identity(), item)
        offset += len(items)
        if not items or offset >= total or (limit is not None and len(seen) >= limit):
            return list(seen.values()), total


def _cut(path: str, arrived: int, total: int) -> errors.BadAnswer:
    return errors.BadAnswer(f"GET {path}: {arrived} objects arrived, but the master says that there are {total}.")
