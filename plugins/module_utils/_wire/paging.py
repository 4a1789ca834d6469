# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Reading whole lists, and knowing that they are whole. Three styles exist on the server (API pages, section 1.5)."""

from __future__ import annotations

import itertools
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
    check_whole(f"GET {path}", found)
    return found.items()


def check_whole(call: str, found: Page) -> None:
    """Make sure that a list that came in one call is all that there is.

    :param call: method and path, for the failure's text.
    :raises errors.BadAnswer: fewer arrived than the list says it has.
    """
    arrived = len(found.items())
    if _total(found, arrived) != arrived:
        raise _cut(call, arrived, _total(found, arrived))


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
    :returns: the objects, and how many match in all.
    :raises errors.BadAnswer: see `pages_by_offset`.
    """
    found: list[t.Any] = []
    total = 0
    size = PAGE if limit is None else min(PAGE, limit)
    for items, matching in pages_by_offset(session, page, path, query, offset=offset, size=size):
        found += items
        total = matching
        if limit is not None and len(found) >= limit:
            break
    return found[:limit], total


def pages_by_offset(
    session: Session, page: type[P], path: str, query: t.Mapping[str, t.Any], *, offset: int = 0, size: int = PAGE
) -> t.Iterator[tuple[list[t.Any], int]]:
    """Read a list that the server pages in SQL page by page, in the order that `query` asks for.

    :param size: objects a page.
    :returns: pairs of a page's objects, each id or name once although the list may move between two pages, and how many match
        in all.
    :raises errors.BadAnswer: a page holds fewer than it must, or objects that moved between two pages were never seen.
    """
    # A limit of 0 means 100 to the server, so "how many are there" asks for one.
    size = max(1, size)
    seen: set[t.Any] = set()
    start, fewest = offset, None
    while True:
        found = read_page(session, page, path, {**query, "offset": offset, "limit": size})
        items = found.items()
        total = _total(found, offset + len(items))
        fewest = total if fewest is None else min(fewest, total)
        if len(items) < min(size, total - offset):
            raise _cut(f"GET {path}", offset + len(items), total)
        fresh = [item for item in items if item.identity() not in seen]
        seen.update(item.identity() for item in fresh)
        yield fresh, total
        offset += len(items)
        if not items or offset >= total:
            break
    # What was added meanwhile need not be there, but what was there from the first page to the last must be.
    if len(seen) < fewest - start:
        raise errors.BadAnswer(
            f"GET {path}: the list changed while it was read, and {fewest - start - len(seen)} of its {fewest} objects were "
            "missed. Read it again, or in the order of ids where that can be asked for."
        )


def pages_by_key(
    session: Session,
    page: type[P],
    path: str,
    query: t.Mapping[str, t.Any],
    key: str,
    *,
    descending: bool = False,
    offset: int = 0,
    size: int = PAGE,
) -> t.Iterator[tuple[list[t.Any], int]]:
    """Read a list in the order of its integer ids page by page, each page from the last id of the one before.

    Unlike an offset, the last id does not move with the list: nothing that is there throughout is missed or read twice, and
    later pages cost the server no more than the first.

    :param query: must ask for the order of ids, in the direction that `descending` tells.
    :param key: the query parameter that filters ids, which takes ``.gt`` and ``.lt``.
    :param descending: whether the largest id comes first.
    :param offset: how many to leave out at the start.
    :param size: objects a page.
    :returns: pairs of a page's objects, and how many match in all, as the first page says.
    :raises errors.BadAnswer: a page holds fewer than it must, or is not in order.
    """
    bound = f"{key}.lt" if descending else f"{key}.gt"
    sign = -1 if descending else 1
    last: int | None = None
    total = 0
    size = max(1, size)
    while True:
        position = {"offset": offset} if last is None else {bound: last}
        found = read_page(session, page, path, {**query, **position, "limit": size})
        items = found.items()
        here = offset if last is None else 0
        left = _total(found, here + len(items) + (len(items) == size))
        if len(items) < min(size, left - here):
            raise _cut(f"GET {path}", here + len(items), left)
        keys = [sign * item.identity() for item in items]
        if last is not None:
            keys.insert(0, sign * last)
        if any(second <= first for first, second in itertools.pairwise(keys)):
            raise errors.BadAnswer(f"GET {path}: objects arrived that were not asked for: {bound} was not heeded.")
        if last is None:
            total = left
        yield items, total
        if not items or here + len(items) >= left:
            return
        last = items[-1].identity()


def _total(found: Page, otherwise: int) -> int:
    """How many match, or `otherwise` where the master does not tell."""
    return found.pagination.total if found.pagination and found.pagination.total is not None else otherwise


def _cut(call: str, arrived: int, total: int) -> errors.BadAnswer:
    return errors.BadAnswer(f"{call}: {arrived} objects arrived, but the master says that there are {total}.")
