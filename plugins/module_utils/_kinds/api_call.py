# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Any call of the API, for what no kind covers."""

from __future__ import annotations

import json
import typing as t

from .._wire.errors import BadAnswer, InvalidOption
from .._wire.paging import PAGE
from .._wire.session import Session
from .._wire.transport import Answer
from .kind import Arguments, Task, merged

READS = "GET"
METHODS = (READS, "POST", "PUT", "PATCH", "DELETE")
ROOT = "/api/v1/"


class ApiCall:
    """One call, as the options say it: an operation of its own, as there is no state to compare."""

    arguments = Arguments(
        spec={
            "method": {"type": "str", "choices": list(METHODS), "default": READS},
            "path": {"type": "str", "required": True},
            "query": {"type": "dict"},
            "body": {"type": "raw"},
            "secret_body": {"type": "raw", "no_log": True},
            "changed_when_status": {"type": "list", "elements": "int"},
            "paginate": {"type": "bool", "default": False},
        },
    )

    def run(self, task: Task) -> dict[str, t.Any]:
        """Make the call, or in check mode predict a write."""
        options, session = {**task.options, "query": task.options["query"] or {}}, task.session
        _check(options)
        method, path, query = options["method"], absolute(options["path"]), options["query"]
        body = _body(options)
        statuses = options["changed_when_status"]
        if task.check_mode and method != READS:
            return {"changed": statuses != [], "status": None, "json": None}
        if options["paginate"]:
            return {"changed": False, "status": 200, "json": read_all(session, path, query)}
        # 401 is left to the session, which logs in again when the master has ended it.
        answer = session.call(method, path, query=query, body=body, accept={*(statuses or ())} - {401})
        changed = method != READS if statuses is None else answer.status in statuses
        return {"changed": changed, "status": answer.status, "json": answer.json()}


def _check(options: dict[str, t.Any]) -> None:
    """Refuse what can't be right, before any call."""
    method = options["method"]
    if method == READS and (options["body"] is not None or options["secret_body"] is not None):
        raise InvalidOption("body is given with method GET, which takes none: use query, or another method.")
    if options["secret_body"] is not None and options["body"] is not None:
        for option in ("body", "secret_body"):
            if not isinstance(options[option], dict):
                raise InvalidOption(f"{option} is no mapping: body and secret_body can be merged only where both are.")
    for name, value in options["query"].items():
        if isinstance(value, dict) or (
            isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value)
        ):
            raise InvalidOption(
                f"query has a mapping or a nested list under {name!r}: a value is a text, a number, a truth or a list of "
                "those; the API writes nested names with dots, as experimentIdFilter.gte."
            )
    for status in options["changed_when_status"] or []:
        if not 100 <= status <= 599:
            raise InvalidOption(f"changed_when_status has {status}: an HTTP status is between 100 and 599.")
    if options["paginate"]:
        if method != READS:
            raise InvalidOption(f"paginate is given with method {method}: only the lists of a GET are read in pages.")
        if options["changed_when_status"] is not None:
            raise InvalidOption("paginate is given with changed_when_status: reading a list changes nothing.")
        if "offset" in options["query"]:
            raise InvalidOption("query has 'offset': paginate reads the whole list, from its start.")
        limit = options["query"].get("limit", PAGE)
        if not str(limit).isdecimal() or int(limit) < 1:
            raise InvalidOption(f"query has limit {limit!r}: with paginate it is the size of a page, 1 or more.")


def absolute(path: str) -> str:
    """The path from the root: one without a leading slash is below ``/api/v1/``.

    :raises InvalidOption: it is a whole URL, has a query or fragment, or segments that every HTTP client removes.
    """
    if not path.strip("/"):
        raise InvalidOption(f"path is {path!r}: it must name a call, such as users or /api/v1/users.")
    if "://" in path:
        raise InvalidOption(f"path is {path!r}: it must be a path; the address is the option master.")
    for mark, what in (("?", "the option query"), ("#", "'%23' for it")):
        if mark in path:
            raise InvalidOption(f"path is {path!r}: it must not have {mark!r} in it; use {what}.")
    if any(char < " " or char == "\x7f" for char in path):
        raise InvalidOption(f"path is {path!r}: it must not have control characters in it.")
    if any(segment in {".", ".."} for segment in path.split("/")):
        raise InvalidOption(f"path is {path!r}: it must not have the segments '.' and '..', which HTTP clients remove.")
    return path if path.startswith("/") else ROOT + path


def _body(options: dict[str, t.Any]) -> t.Any:
    body, secret = options["body"], options["secret_body"]
    if secret is None:
        return body
    return secret if body is None else merged(body, secret)


def read_all(session: Session, path: str, query: dict[str, t.Any]) -> list[t.Any]:
    """Read all pages of a list, as its ``pagination`` leads from one to the next.

    :returns: the objects of the one list that the answers hold, each once although the list may move between two pages.
    :raises BadAnswer: there is no such list, or pages are missing from it.
    """
    seen: dict[str, t.Any] = {}
    offset = 0
    while True:
        answer = session.call("GET", path, query={"limit": PAGE, **query, "offset": offset})
        items, start, end, total = _page(answer)
        if len(items) != end - start or (end <= offset and end < total):
            raise answer.bad(f"{len(items)} objects arrived for the places {start} to {end} of {total}")
        for item in items:
            seen.setdefault(_identity(item), item)
        if end >= total:
            return list(seen.values())
        offset = end


def _page(answer: Answer) -> tuple[list[t.Any], int, int, int]:
    """The objects of a page, its first place and the place after its last, and how many there are in all."""
    data = answer.json()
    pagination = data.get("pagination") if isinstance(data, dict) else None
    if not isinstance(pagination, dict):
        raise _no_list(answer, "the answer has no pagination")
    lists = [value for value in data.values() if isinstance(value, list)]
    if len(lists) != 1:
        raise _no_list(answer, f"the answer holds {len(lists)} lists")
    places = [pagination.get(name) for name in ("startIndex", "endIndex", "total")]
    if not all(isinstance(place, int) for place in places):
        raise _no_list(answer, "its pagination lacks startIndex, endIndex or total")
    start, end, total = t.cast("list[int]", places)
    return lists[0], start, end, total


def _no_list(answer: Answer, why: str) -> BadAnswer:
    return BadAnswer(f"{answer.method} {answer.path} can't be read in pages: {why}. Leave paginate out.")


def _identity(item: t.Any) -> str:
    """What tells an object from others: its id, or all of it."""
    found = item.get("id", item) if isinstance(item, dict) else item
    return json.dumps(found, sort_keys=True)


API_CALL = ApiCall()
