# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Who calls: an access token, or a login that a whole run shares and that leaves no session behind.

A login costs the master about 1.5 s of CPU and leaves a session of seven days (API page, trap 6), so a run makes one: the
token lies in a 0600 file in the run's private folder, where later tasks and parallel forks find it, and the controller
logs out when the playbook ends. Where there is no such folder (a module on a remote host) the task logs out itself.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import pathlib
import signal
import threading
import time
import typing as t

from .._deps import from_json
from . import errors
from .connection import Connection, is_token
from .transport import Transport

LOGIN_TIMEOUT = 30.0
"""Seconds that a login may take at least, whatever ``timeout`` says: several at once slow each other down a lot."""

LOCK_WAIT = 2 * LOGIN_TIMEOUT
"""Seconds that the end of a run waits for a login that is still under way."""

INTERRUPTS = {signal.SIGINT, signal.SIGTERM}

ACCEPTED, INACTIVE, REFUSED = "accepted", "inactive", "refused"
"""What the master says to a password: the user is in, would be if it were active, or is not."""


class Login(t.Protocol):
    """Where a client gets its token from."""

    def token(self, transport: Transport) -> str | None:
        """The token to send, or None to send none."""

    def renew(self, transport: Transport, refused: str) -> str | None:
        """A token in place of one that the master refused, or None when there is no other."""

    def close(self, transport: Transport) -> None:
        """End what belongs to this task alone."""


class GivenToken:
    """An access token from the options or the environment, or none at all."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def token(self, transport: Transport) -> str | None:
        """The token as it was given."""
        return self._token

    def renew(self, transport: Transport, refused: str) -> str | None:
        """There is no other."""
        return None

    def close(self, transport: Transport) -> None:
        """Nothing to end: the token is not ours."""


class OwnLogin:
    """User and password, for one task: logs in when first needed and out at the end. Threads may share it."""

    def __init__(self) -> None:
        self._token: str | None = None
        self._lock = threading.Lock()

    def token(self, transport: Transport) -> str | None:
        """Log in once."""
        return self._token or self.renew(transport, "")

    def renew(self, transport: Transport, refused: str) -> str | None:
        """Log in again, unless another thread has."""
        with self._lock:
            if self._token in (None, refused):
                # An interrupt waits until there is a token to log out with.
                with uninterrupted():
                    self._token = log_in(transport)
            return self._token

    def close(self, transport: Transport) -> None:
        """Log out."""
        if self._token is not None:
            log_out(transport, self._token)
            self._token = None


class RunLogin:
    """User and password, for a whole run: one login, whatever the number of tasks, hosts and forks."""

    def __init__(self, folder: pathlib.Path, connection: Connection) -> None:
        # The password's digest is part of the name, so that a wrong password after a right one is still refused.
        identity = json.dumps([connection.master, connection.username, connection.password])
        # Of the digests in Python's library, one that does not take the time to set up OpenSSL in each fork.
        digest = hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()
        self._file = folder / f"determined-login-{digest}.json"
        self._connection = connection
        self._token: str | None = None

    def token(self, transport: Transport) -> str | None:
        """The run's token; the first that asks logs in, others that ask at the same time wait for it."""
        if self._token is None:
            self._token = self._shared(transport, refused=None)
        return self._token

    def renew(self, transport: Transport, refused: str) -> str | None:
        """The token of another fork that has already logged in again, or that of a new login."""
        self._token = self._shared(transport, refused)
        return self._token

    def close(self, transport: Transport) -> None:
        """Nothing: the run goes on, `end_run` logs out."""

    def _shared(self, transport: Transport, refused: str | None) -> str:
        kept = self._kept(refused)
        if kept is not None:
            return kept
        with _locked(self._file):
            # Another fork may have logged in while this one waited.
            return self._kept(refused) or self._logged_in(transport)

    def _kept(self, refused: str | None) -> str | None:
        kept = _read(self._file)
        return None if kept is None or kept["token"] == refused else str(kept["token"])

    def _logged_in(self, transport: Transport) -> str:
        # Between the master's answer and the file, an interrupt would leave a session that nobody knows of.
        with uninterrupted():
            token = log_in(transport)
            if signal.sigpending() & INTERRUPTS:
                # This process ends here, and the one that would log out for it may have ended already.
                log_out(transport, token)
                return token
            settings = {"verify": self._connection.verify, "cert_name": self._connection.cert_name}
            _write(self._file, {"master": self._connection.master, "token": token, **settings})
            return token


def choose_login(connection: Connection, folder: pathlib.Path | None) -> Login:
    """Find the login for a connection.

    :param folder: the run's private folder (0700, removed at its end), or None where there is none.
    """
    if connection.username is None:
        return GivenToken(connection.token)
    return OwnLogin() if folder is None else RunLogin(folder, connection)


def log_in(transport: Transport) -> str:
    """Log in with the connection's user and password.

    :returns: a session token, good for seven days.
    :raises errors.Unauthenticated: unknown user, wrong password, or a remote (SSO) user: the master does not tell which.
    :raises errors.Forbidden: the password is right, but the user is inactive.
    """
    connection = transport.connection
    body = {"username": connection.username, "password": connection.password}
    try:
        answer = transport.call(
            "POST", "/api/v1/auth/login", token=None, body=body, timeout=max(LOGIN_TIMEOUT, connection.timeout)
        )
    except errors.Unauthenticated as error:
        raise errors.Unauthenticated(
            f"The master at {connection.master} refuses the login of {connection.username!r}: unknown user, wrong password, or "
            f"a remote (SSO) user, for whom only auth_token works ({error.server_message}).",
            error.failure,
        ) from error
    except errors.Forbidden as error:
        raise errors.Forbidden(
            f"The master at {connection.master} refuses the login of {connection.username!r}: "
            f"{error.server_message or 'HTTP 403'}.",
            error.failure,
        ) from error
    except errors.LostAnswer as error:
        raise errors.Unreachable(
            f"The login of {connection.username!r} at {connection.master} got no answer: {error}", error.failure
        ) from error
    data = answer.json()
    token = data.get("token") if isinstance(data, dict) else None
    if not isinstance(token, str) or not is_token(token):
        raise answer.bad("the answer to the login holds no token")
    return token


def try_password(connection: Connection, warn: t.Callable[[str], None], username: str, password: str) -> str:
    """What the master says to a login: `ACCEPTED`, which moves the user's last-login time, `INACTIVE` or `REFUSED`.

    An inactive user is refused with 403 only after the right password (API page, section 2).

    :raises errors.DeterminedError: neither of these.
    """
    transport = Transport(dataclasses.replace(connection, username=username, password=password, token=None), warn)
    try:
        with uninterrupted():
            log_out(transport, log_in(transport))
    except errors.Unauthenticated:
        return REFUSED
    except errors.Forbidden:
        return INACTIVE
    finally:
        transport.close()
    return ACCEPTED


def password_matches(connection: Connection, warn: t.Callable[[str], None], username: str, password: str) -> bool:
    """Whether a password is a user's, found out by `try_password`."""
    return try_password(connection, warn, username, password) != REFUSED


def log_out(transport: Transport, token: str) -> None:
    """End a session. One that is gone already, or a master that is, is no reason to fail a task that has done its work."""
    try:
        transport.call("POST", "/api/v1/auth/logout", token=token)
    except errors.Unauthenticated:
        pass
    except errors.DeterminedError as error:
        transport.warn(f"The session could not be ended, it ends by itself after seven days: {error}")


def end_run(folder: pathlib.Path, warn: t.Callable[[str], None]) -> None:
    """Log out of every session that the run has opened.

    :param folder: the run's private folder.
    :param warn: receives a sentence for each session that could not be ended.
    """
    # By the locks, which are there before the files: a fork may be in the middle of its login.
    for lock in sorted(folder.glob("determined-login-*.lock")):
        file = lock.with_suffix(".json")
        with _locked(file, wait=LOCK_WAIT):
            kept = _read(file)
            if kept is None:
                continue
            connection = Connection(
                master=kept["master"],
                username=None,
                password=None,
                token=None,
                verify=kept["verify"],
                cert_name=kept["cert_name"],
                timeout=10.0,
                retries=0,
            )
            transport = Transport(connection, warn)
            with uninterrupted():
                log_out(transport, kept["token"])
                file.unlink()
            transport.close()


@contextlib.contextmanager
def _locked(file: pathlib.Path, wait: float | None = None) -> t.Iterator[None]:
    """Hold the lock beside a file; with `wait`, go on without it after that many seconds."""
    with open(os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600), "w") as lock:
        if wait is None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        else:
            deadline = time.monotonic() + wait
            while time.monotonic() < deadline:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    time.sleep(0.1)
        yield


@contextlib.contextmanager
def uninterrupted() -> t.Iterator[None]:
    """Keep SIGINT and SIGTERM waiting."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _read(file: pathlib.Path) -> dict[str, t.Any] | None:
    try:
        return t.cast("dict[str, t.Any]", from_json(file.read_bytes()))
    except FileNotFoundError:
        return None


def _write(file: pathlib.Path, data: dict[str, t.Any]) -> None:
    """Write atomically, readable by the user alone from the first moment."""
    fresh = file.with_suffix(f".{os.getpid()}")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        json.dump(data, out)
    fresh.replace(file)
