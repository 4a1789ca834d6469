# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Reading access tokens: the list, and what it tells of a token."""

from __future__ import annotations

import datetime
import re
import typing as t

from .._wire import errors
from .._wire.paging import Page, read_memory_list
from .._wire.session import Live, Session
from .duration import delta, parse_duration
from .kind import Arguments, Normal, Reader, Task
from .lookup import NamedUsers
from .user import check_limit, find_user

TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
SUPERSEDED = re.compile(r"(?P<description>.*) \[superseded, revoke after (?P<time>[0-9TZ:-]{20})\]", re.DOTALL)


class Token(Live):
    """An access token (``TokenInfo`` in ``proto/src/determined/user/v1/user.proto``). ``revoked`` ignores expiry."""

    id: int
    user_id: int
    description: str = ""
    created_at: str | None = None
    expiry: str | None = None
    token_type: str = "TOKEN_TYPE_ACCESS_TOKEN"
    revoked: bool = False


class Tokens(Page):
    """One answer of ``GET /tokens``."""

    token_info: list[Token]

    def items(self) -> list[Token]:
        """The tokens."""
        return self.token_info


def now() -> datetime.datetime:
    """This host's time, UTC."""
    return datetime.datetime.now(datetime.UTC)


def moment(token: t.Mapping[str, t.Any], field: str) -> datetime.datetime:
    """A token's time.

    :raises BadAnswer: the master did not tell it, so nothing can be decided by it.
    """
    try:
        return datetime.datetime.fromisoformat(token[field] or "")
    except ValueError as error:
        raise errors.BadAnswer(
            f"The master gives {token[field]!r} as {field} of token {token['id']}, which is no time."
        ) from error


def deadline(overlap: int) -> str:
    """The time after an overlap, to the second and not too soon."""
    return (now() + delta(overlap) + datetime.timedelta(microseconds=999_999)).strftime(TIME_FORMAT)


def superseded_entry(token: Token, description: str) -> Normal | None:
    """Say when a token that another one has replaced is to be revoked, or None if it is not one of `description`."""
    match = SUPERSEDED.fullmatch(token.description)
    if match is None or match["description"] != description:
        return None
    try:
        datetime.datetime.strptime(match["time"], TIME_FORMAT)
    except ValueError:
        return None
    return {"id": token.id, "revoke_after": match["time"]}


def read_tokens(session: Session, username: str, *, inactive: bool = False) -> list[Token] | None:
    """Read the tokens of a user, or None where there is no such user.

    :param inactive: revoked and expired ones too.
    """
    query = {"username": username, "showInactive": inactive or None}
    try:
        return read_memory_list(session, Tokens, "/api/v1/tokens", query)
    except errors.Rejected:
        # The server answers an unknown name with 500 "sql: no rows in result set" (API page, section 4.2).
        if find_user(session, username) is None:
            return None
        raise


def read_all_tokens(session: Session, *, inactive: bool = False) -> list[Token]:
    """Read the tokens of all users, which is for administrators.

    :param inactive: revoked and expired ones too.
    """
    return read_memory_list(session, Tokens, "/api/v1/tokens", {"showInactive": inactive or None})


class TokenReader(Reader):
    """Access tokens without their values, with their owners' names."""

    arguments = Arguments(
        spec={
            "user": {"type": "str"},
            "include_inactive": {"type": "bool", "default": False},
            "description": {"type": "str"},
            "expires_within": {"type": "str"},
            "limit": {"type": "int"},
        },
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse a limit below 1, and what is no duration."""
        check_limit(options["limit"])
        if options["expires_within"] is not None:
            parse_duration("expires_within", options["expires_within"])

    def read(self, task: Task) -> dict[str, t.Any]:
        """Read the tokens that match; the server's list narrows, this side decides."""
        options, session = task.options, task.session
        tokens = self._tokens(task)
        if options["description"] is not None:
            tokens = [token for token in tokens if token.description == options["description"]]
        shown = [_described(token, listed_live=not options["include_inactive"]) for token in tokens]
        if options["expires_within"] is not None:
            end = now() + delta(parse_duration("expires_within", options["expires_within"]))
            shown = [token for token in shown if token["status"] == "live" and moment(token, "expiry") <= end]
        found = shown[: options["limit"]]
        if options["user"] is not None:
            names = {token["user_id"]: options["user"] for token in found}
        elif found:
            names = {user.id: user.username for user in read_memory_list(session, NamedUsers, "/api/v1/users")}
        return {
            "tokens": [{**token, "username": names.get(token["user_id"])} for token in found],
            "total": len(shown),
        }

    def _tokens(self, task: Task) -> list[Token]:
        options, session = task.options, task.session
        username = options["user"]
        if username is None:
            try:
                return read_all_tokens(session, inactive=options["include_inactive"])
            except errors.Forbidden as error:
                raise errors.Forbidden(
                    f"{error}; the tokens of all users are for administrators, so name your own user with the option user.",
                    error.failure,
                ) from error
        tokens = None if username == "" else read_tokens(session, username, inactive=options["include_inactive"])
        if tokens is None:
            task.names.users("user", [username])
        return tokens or []


def _described(token: Token, *, listed_live: bool) -> Normal:
    """A token with its status.

    :param listed_live: the master listed live ones only, so its clock has decided already.
    """
    found = token.normal()
    left = (moment(found, "expiry") - now()).total_seconds() / 86400
    if token.revoked:
        return {**found, "status": "revoked", "expires_in_days": None}
    return {**found, "status": "live" if listed_live or left > 0 else "expired", "expires_in_days": round(left, 2)}


TOKENS = TokenReader()
