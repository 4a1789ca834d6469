# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""The file that a secret is handed over in: one line without its end, replaced atomically, never open to the world."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import errno
import grp
import io
import json
import os
import pwd
import re
import stat
import tempfile
import typing as t

from .._wire.errors import DeterminedError, InvalidOption

CONTENT_MAX = 65536
"""Bytes: no token is longer, and no more is read of a file that may hold anything."""

SIGNATURE = 64
"""Bytes of signature after a token's claims (PASETO v2.public; API page identity-and-cluster, section 1.1)."""


@dataclasses.dataclass(frozen=True)
class Claims:
    """What a token says of itself, readable without the master's key.

    :ivar id: the server's number of the token.
    :ivar user_id: the server's number of its user.
    :ivar expiry: RFC 3339, UTC, with nanoseconds.
    """

    id: int
    user_id: int
    expiry: str


@dataclasses.dataclass(frozen=True)
class Seen:
    """A file as it is.

    :ivar content: its bytes, at most `CONTENT_MAX`.
    :ivar mode: permissions as four octal digits.
    :ivar owner: name, or number where it has none.
    :ivar group: name, or number where it has none.
    """

    content: bytes = dataclasses.field(repr=False)
    mode: str
    owner: str
    group: str


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the file has to be, and how.

    :ivar path: absolute.
    :ivar mode: permissions.
    :ivar owner: name or number, or None for the present file's, else the process's.
    :ivar group: likewise.
    """

    path: str
    mode: int
    owner: str | None
    group: str | None

    @classmethod
    def of(cls, options: t.Mapping[str, t.Any]) -> Place | None:
        """Read a task's options ``dest``, ``dest_mode``, ``dest_owner`` and ``dest_group``; None without ``dest``.

        :raises InvalidOption: one of them is unusable.
        """
        path = options["dest"]
        if path is None:
            return None
        if not os.path.isabs(path) or path.endswith("/") or "\0" in path:
            raise InvalidOption(f"dest is {path!r}: it must be the absolute path of a file.")
        for option in ("dest_owner", "dest_group"):
            if options[option] == "":
                raise InvalidOption(
                    f"{option} is empty: it must be a name or a number; leave it out to keep what is there."
                )
        return cls(path, parse_mode(options["dest_mode"]), options["dest_owner"], options["dest_group"])

    def declared(self) -> dict[str, str]:
        """The options in the form in which `Seen` gives them, owner and group only if they are declared."""
        found = {"dest": self.path, "dest_mode": f"{self.mode:04o}"}
        if self.owner is not None:
            found["dest_owner"] = _user_name(int(self.owner)) if _is_number(self.owner) else self.owner
        if self.group is not None:
            found["dest_group"] = _group_name(int(self.group)) if _is_number(self.group) else self.group
        return found

    def look(self) -> Seen | None:
        """Read the file, or None where there is none.

        :raises DeterminedError: it can't be read, or is no regular file.
        """
        try:
            # Without O_NONBLOCK a named pipe would wait for a writer.
            handle = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise self._no_file("a symbolic link") from error
            raise self._failed("read", error) from error
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise self._no_file("a folder" if stat.S_ISDIR(status.st_mode) else "a special file")
            content = os.read(handle, CONTENT_MAX)
        except OSError as error:
            raise self._failed("read", error) from error
        finally:
            os.close(handle)
        return Seen(
            content=content,
            mode=f"{stat.S_IMODE(status.st_mode):04o}",
            owner=_user_name(status.st_uid),
            group=_group_name(status.st_gid),
        )

    def mend(self) -> None:
        """Give the present file its mode, owner and group.

        :raises DeterminedError: it can't be changed.
        """
        try:
            with open(os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                handle = file.fileno()
                # Narrowed first and widened last: a new group's rights must not serve the old group for a moment.
                os.fchmod(handle, stat.S_IMODE(os.fstat(handle).st_mode) & self.mode)
                os.fchown(handle, self._uid(-1), self._gid(-1))
                os.fchmod(handle, self.mode)
        except OSError as error:
            raise self._failed("changed", error) from error

    @contextlib.contextmanager
    def replacement(self) -> t.Iterator[Replacement]:
        """Make an empty file beside the present one, with its final mode, owner and group, to be filled and put in its place.

        What can fail fails here, before there is a secret to lose. Without `Replacement.put` nothing is left behind.

        :raises DeterminedError: it can't be made.
        """
        try:
            before = os.lstat(self.path)
        except OSError:
            before = None
        try:
            # mkstemp makes it 0600 from the first moment, whatever the umask.
            handle, fresh = tempfile.mkstemp(prefix=".det_token.", dir=os.path.dirname(self.path))
        except OSError as error:
            raise self._failed("written", error) from error
        try:
            # Unbuffered, so that closing has nothing left to write and to fail with.
            with open(handle, "wb", buffering=0) as file:
                try:
                    self._chown(handle, before)
                    os.fchmod(handle, self.mode)
                except OSError as error:
                    raise self._failed("given its owner and mode", error) from error
                yield Replacement(self, file, fresh)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(fresh)

    def _chown(self, handle: int, before: os.stat_result | None) -> None:
        """Set the owner and group: the declared ones, else the present file's, whose reader must not lose it."""
        now = os.fstat(handle)
        uid = self._uid(now.st_uid if before is None else before.st_uid)
        gid = self._gid(now.st_gid if before is None else before.st_gid)
        if (uid, gid) != (now.st_uid, now.st_gid):
            os.fchown(handle, uid, gid)

    def _uid(self, otherwise: int) -> int:
        if self.owner is None:
            return otherwise
        try:
            return int(self.owner) if _is_number(self.owner) else pwd.getpwnam(self.owner).pw_uid
        except KeyError as error:
            raise InvalidOption(f"dest_owner is {self.owner!r}: this host has no such user.") from error

    def _gid(self, otherwise: int) -> int:
        if self.group is None:
            return otherwise
        try:
            return int(self.group) if _is_number(self.group) else grp.getgrnam(self.group).gr_gid
        except KeyError as error:
            raise InvalidOption(f"dest_group is {self.group!r}: this host has no such group.") from error

    def _failed(self, what: str, error: OSError) -> DeterminedError:
        return DeterminedError(f"dest is {self.path!r}: it can't be {what} ({error.strerror}).")

    def _no_file(self, what: str) -> InvalidOption:
        return InvalidOption(f"dest is {self.path!r}: that is {what}; it must be a regular file or not exist yet.")


class Replacement:
    """A file that waits for its content."""

    def __init__(self, place: Place, file: io.FileIO, fresh: str) -> None:
        self._place = place
        self._file = file
        self._fresh = fresh

    def put(self, text: str) -> None:
        """Write the text and put the file in its place, in one step that a reader can't see half of.

        :raises DeterminedError: it failed, and the file that was there is untouched.
        """
        try:
            left = text.encode()
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
            os.replace(self._fresh, self._place.path)
        except OSError as error:
            raise self._place._failed("written", error) from error


def read_claims(content: bytes) -> Claims | None:
    """Read a token's claims out of a file's content, or None where it holds no whole token."""
    parts = content.strip().split(b".")
    if len(parts) not in (3, 4) or parts[:2] != [b"v2", b"public"]:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[2] + b"=" * (-len(parts[2]) % 4))[:-SIGNATURE])
        return Claims(id=int(found["id"]), user_id=int(found["user_id"]), expiry=str(found["expiry"]))
    except (ValueError, KeyError, TypeError):
        return None


def parse_mode(value: t.Any) -> int:
    """Read a file mode: octal digits as text, or the number that YAML makes of ``0600``.

    :raises InvalidOption: it is no such mode, lets the world in, or keeps its owner out.
    """
    text = str(value)
    wanted = "octal digits in quotes such as '0600'"
    as_text = int(text, 8) if re.fullmatch(r"0?[0-7]{3}", text) else None
    mode = as_text
    if isinstance(value, int) and not isinstance(value, bool):
        # 600 without a zero and quotes is a decimal number, 01130 in octal; 400 is 0620, and either might be meant.
        if not 0 <= value <= 0o777 or (as_text is not None and as_text & 0o407 == 0o400):
            raise InvalidOption(f"dest_mode is the number {value}: write it as {wanted}.")
        mode, text = value, f"{value:04o}"
    if mode is None:
        raise InvalidOption(f"dest_mode is {text!r}: it must be {wanted}.")
    if mode & 0o007:
        raise InvalidOption(
            f"dest_mode is {text!r}: it would let everybody on the host at the secret; '0600' or '0640' would not."
        )
    if not mode & 0o400:
        raise InvalidOption(f"dest_mode is {text!r}: not even the file's owner could read the secret.")
    return mode


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return str(uid)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except (KeyError, OverflowError):
        return str(gid)
