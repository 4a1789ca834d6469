# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""The server's bulk verbs for experiments (API page ml-resources, section 3.6).

They take ids, answer 200 whatever happens, and tell of each experiment what went wrong. Their ``filters`` are never sent, as they
make the server forget the ids and take all that match.
"""

from __future__ import annotations

import re
import typing as t

from .._wire.errors import DeterminedError, Rejected
from .._wire.session import Live, Session, decode, route

ANY_PROJECT = -1
"""Stands for all projects in the paths of bulk verbs."""

AT_ONCE = 200
"""Ids in one call: a query with more would become longer than what proxies let through."""

RPC_ERROR = re.compile(r"rpc error: code = (?P<reason>\w+) desc = (?P<message>.*)", re.DOTALL)


class Result(Live):
    """What a bulk verb tells of one experiment; no error is an empty text."""

    id: int
    error: str = ""


class Results(Live):
    """The answer of a bulk verb. Its order is left to chance."""

    results: list[Result]


def bulk(session: Session, verb: str, ids: t.Sequence[int], **more: t.Any) -> dict[int, DeterminedError]:
    """Call a bulk verb, and look at what it tells of each experiment.

    :param more: what the verb takes beside ids, as the API names it.
    :returns: what went wrong, by id.
    """
    failed: dict[int, DeterminedError] = {}
    for start in range(0, len(ids), AT_ONCE):
        failed.update(_call(session, verb, ids[start : start + AT_ONCE], more))
    return failed


def _call(session: Session, verb: str, ids: t.Sequence[int], more: dict[str, t.Any]) -> dict[int, DeterminedError]:
    method = "DELETE" if verb == "delete" else "POST"
    path = route("projects", ANY_PROJECT, "experiments", verb)
    try:
        answer = session.write(method, path, {"experimentIds": ids, **more})
        told = decode(answer, Results.model_validate, answer.json(), "results").results
    except DeterminedError as error:
        return dict.fromkeys(ids, error)
    errors = {result.id: result.error for result in told}
    words = {number: errors.get(number, "the master's answer does not tell of it") for number in ids}
    return {number: _refusal(method, path, text) for number, text in words.items() if text}


def _refusal(method: str, path: str, words: str) -> Rejected:
    """What a bulk verb tells of one experiment, as a failure."""
    told = RPC_ERROR.fullmatch(words)
    reason, message = (told["reason"], told["message"]) if told else ("", words)
    failure = {"method": method, "path": path, "status": 200, "reason": reason, "message": message, "attempts": 1}
    return Rejected(f"{method} {path}: {message}", failure)
