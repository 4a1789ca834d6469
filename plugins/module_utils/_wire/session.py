# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""The client that the kinds use: paths and plain data in, typed objects out."""

from __future__ import annotations

import pathlib
import typing as t

from .._deps import BaseModel, ConfigDict, ValidationError, to_camel
from . import errors
from .connection import Connection
from .login import choose_login, password_matches
from .transport import Answer, Transport, route

M = t.TypeVar("M", bound="Live")


class Live(BaseModel):
    """An object as the master shows it, read tolerantly: unknown fields are ignored, missing ones get their default.

    Fields are named in snake_case after the API's own; the wire has them in camelCase. 64-bit integers come as decimal
    strings and become integers.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        coerce_numbers_to_str=True,
        # Older releases of pydantic warn of fields such as model_versions.
        protected_namespaces=(),
    )

    def normal(self) -> dict[str, t.Any]:
        """The normal form: plain data, snake_case, as results and diffs show it and as the comparer compares it."""
        return self.model_dump()


class Pagination(Live):
    """What a list says of itself. ``total`` counts the matches before paging."""

    start_index: int = 0
    end_index: int = 0
    total: int | None = None


class Caller(Live):
    """The user that the credentials belong to (``GET /api/v1/me``)."""

    id: int
    username: str
    admin: bool = False


class Session:
    """A logged-in client of one master, for one thread.

    :ivar requests: API calls made so far, login and logout not counted.
    :ivar warn: receives sentences for the user.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        folder: pathlib.Path | None = None,
        warn: t.Callable[[str], None] = lambda text: None,
    ) -> None:
        self.connection = connection
        self.requests = 0
        self.warn = warn
        self._transport = Transport(connection, self._warn)
        self._login = choose_login(connection, folder)
        self._caller: Caller | None = None

    def _warn(self, text: str) -> None:
        # Looked up at each call: in the controller one session serves several items, each with its own result.
        self.warn(text)

    def twin(self) -> Session:
        """A client of the same login for another thread, which counts its own calls; ended by `hang_up`."""
        other = Session(self.connection, warn=self.warn)
        other._login = self._login
        other._caller = self._caller
        return other

    def hang_up(self) -> None:
        """Close the connection, and leave the login to whoever shares it."""
        self._transport.close()

    def connect_by(self, connection_class: type) -> None:
        """Use another class of urllib3 connections; see `rehearsal`."""
        self._transport.connect_by(connection_class)

    def close(self) -> None:
        """End what belongs to this task alone: its own session on the master, if it has one, and the connection."""
        self._login.close(self._transport)
        self._transport.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: t.Mapping[str, t.Any] | None = None,
        body: t.Any = None,
        accept: t.Collection[int] = (),
        anonymous: bool = False,
    ) -> Answer:
        """Make one authenticated call, logging in before the first and once more when the master ended the session.

        :param path: from the root, as `route` builds it.
        :param accept: statuses beside 2xx that are no failure.
        :param anonymous: send no token, so that no login is needed.
        :raises errors.DeterminedError: one of its kinds.
        """
        token = None if anonymous else self._login.token(self._transport)
        self.requests += 1
        try:
            return self._transport.call(method, path, token=token, query=query, body=body, accept=accept)
        except errors.Unauthenticated as error:
            renewed = self._login.renew(self._transport, token) if token else None
            if renewed is None:
                raise self._unauthenticated(error) from error
        self.requests += 1
        return self._transport.call(method, path, token=renewed, query=query, body=body, accept=accept)

    def _unauthenticated(self, error: errors.Unauthenticated) -> errors.Unauthenticated:
        """Say what to do about a 401."""
        if not self.connection.has_credentials:
            advice = (
                "no credentials are given: set auth_token, or auth_username and auth_password, or DET_USER and DET_PASS"
            )
        else:
            advice = "auth_token is not accepted: it may have expired, been revoked, or belong to another master"
        return errors.Unauthenticated(f"{error}; {advice}.", error.failure)

    def get(self, path: str, query: t.Mapping[str, t.Any] | None = None) -> t.Any:
        """GET, and the answer's JSON as plain data."""
        return self.call("GET", path, query=query).json()

    def read(self, model: type[M], key: str, path: str, query: t.Mapping[str, t.Any] | None = None) -> M:
        """GET one object.

        :param model: its type.
        :param key: the name that the real master wraps it in; the bare object of the published API is understood too.
        :raises errors.BadAnswer: the answer is not such an object.
        """
        return unwrap(self.call("GET", path, query=query), key, model)

    def find(self, model: type[M], key: str, path: str, query: t.Mapping[str, t.Any] | None = None) -> M | None:
        """As `read`, but None where the master says 404."""
        try:
            return self.read(model, key, path, query)
        except errors.NotFound:
            return None

    def write(self, method: str, path: str, body: t.Any = None) -> Answer:
        """Send one write. It is sent once; see `errors.LostAnswer`."""
        return self.call(method, path, body=body)

    def password_matches(self, username: str, password: str) -> bool:
        """Whether a user may log in with a password; see `login.password_matches`."""
        return password_matches(self.connection, self._warn, username, password)

    def caller(self) -> Caller:
        """Who the credentials belong to; asked once."""
        if self._caller is None:
            self._caller = self.read(Caller, "user", "/api/v1/me")
        return self._caller


def unwrap(answer: Answer, key: str, model: type[M]) -> M:
    """Take the object out of an answer, wrapped in `key` or bare.

    :raises errors.BadAnswer: it is not there, or of another shape.
    """
    data = answer.json()
    inner = data.get(key, data) if isinstance(data, dict) else data
    return decode(answer, model.model_validate, inner, key)


def decode(answer: Answer, validate: t.Callable[[t.Any], M], data: t.Any, what: str) -> M:
    """Validate data that came in `answer`.

    :param validate: turns the data into an object, and raises pydantic's ValidationError.
    :param what: what the data should be, for the failure's text.
    """
    try:
        return validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "at its top"
        raise answer.bad(f"{what} expected, but {place}: {first['msg']}") from error


__all__ = ["Caller", "Live", "Pagination", "Session", "decode", "route", "unwrap"]
