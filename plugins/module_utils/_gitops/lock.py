# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""The lock file: which objects a manifest manages. Determined has no place on its objects to mark whose they are.

It is written before the first write of an apply, as the union of what was managed and what is declared, and again after the
last: a run that is killed at any moment loses no ownership.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import getpass
import hashlib
import json
import os
import pathlib
import stat
import tempfile
import time
import typing as t

from .._wire.errors import DeterminedError, InvalidOption

SCHEMA = 1
HEADER = """\
# Written by determined.ai.det_apply: the objects that this manifest manages, one a line. Keep it with the manifest, and leave
# it alone: prune removes what is in here and no longer declared.
"""

Owned = tuple[str, str]
"""Kind in the plural, and key."""


@dataclasses.dataclass(frozen=True)
class Record:
    """One managed object.

    :ivar id: the server's number, or None for a kind that has none.
    :ivar renamed_from: the key that a rename which has been carried out started from, or None.
    """

    id: int | str | None
    renamed_from: str | None = None


@dataclasses.dataclass(frozen=True)
class Lock:
    """The content of a lock file."""

    manifest: str
    cluster_id: str
    objects: t.Mapping[Owned, Record]

    def text(self) -> str:
        """The file: YAML, sorted, one line an object, so that a change of one object is a change of one line."""
        lines = [
            "- " + json.dumps({"kind": kind, "key": key, **_fields(record)}, ensure_ascii=True)
            for (kind, key), record in sorted(self.objects.items())
        ]
        head = {"schema": SCHEMA, "manifest": self.manifest, "cluster_id": self.cluster_id}
        top = "".join(f"{name}: {json.dumps(value)}\n" for name, value in head.items())
        return f"{HEADER}{top}digest: {_digest(head, lines)}\nobjects:{'' if lines else ' []'}\n" + "".join(
            f"{line}\n" for line in lines
        )


def read_lock(path: str, manifest: str, cluster_id: str) -> tuple[Lock | None, str | None]:
    """Read a lock file.

    :returns: its content, or None where there is no file or it can't be trusted, and in this case why, in words.
    """
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None, None
    except (OSError, UnicodeDecodeError) as error:
        return None, f"the lock file {path} can't be read ({error})"
    try:
        lock, digest, expected = _parse(text)
    except (ValueError, KeyError, TypeError):
        return None, f"{path} is no lock file of this collection, or was edited by hand"
    if digest != expected:
        return None, f"the lock file {path} was edited by hand: its digest is wrong"
    if lock.manifest != manifest:
        return None, f"the lock file {path} belongs to the manifest {lock.manifest!r}, not to {manifest!r}"
    if lock.cluster_id != cluster_id:
        return None, f"the lock file {path} belongs to the cluster {lock.cluster_id}, not to {cluster_id}"
    return lock, None


def _fields(record: Record) -> dict[str, t.Any]:
    return {name: value for name, value in dataclasses.asdict(record).items() if value is not None}


def _digest(head: dict[str, t.Any], lines: list[str]) -> str:
    return hashlib.sha256(json.dumps([head, lines], sort_keys=True).encode()).hexdigest()


def _parse(text: str) -> tuple[Lock, str, str]:
    """Read what `Lock.text` writes; it is YAML for others, lines for us."""
    head: dict[str, t.Any] = {}
    lines = []
    digest = ""
    for line in text.splitlines():
        name, _colon, value = line.partition(": ")
        if line.startswith("- "):
            lines.append(line)
        elif name == "digest":
            digest = value
        elif value and name != "objects" and not line.startswith("#"):
            head[name] = json.loads(value)
    if head.pop("schema") != SCHEMA:
        raise ValueError("schema")
    objects = {}
    for line in lines:
        found = json.loads(line[2:])
        objects[(found["kind"], found["key"])] = Record(found.get("id"), found.get("renamed_from"))
    lock = Lock(head["manifest"], head["cluster_id"], objects)
    expected = _digest({"schema": SCHEMA, **head}, lines)
    return lock, digest, expected


def write_text(path: str, text: str, mode: int | None = None) -> None:
    """Write a file atomically.

    :param mode: its permissions; None keeps those of the file in its place, or makes it as the umask says.
    :raises DeterminedError: it can't be written.
    """
    target = pathlib.Path(path)
    try:
        if mode is None:
            mode = _present_mode(target)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", newline="\n", dir=target.parent, prefix=f".{target.name}.", delete=False
        ) as out:
            try:
                out.write(text)
                out.flush()
                os.fchmod(out.fileno(), mode)
                os.fsync(out.fileno())
                os.replace(out.name, target)
            except BaseException:
                os.unlink(out.name)
                raise
    except OSError as error:
        raise DeterminedError(f"{path} can't be written: {error.strerror or error}.") from error


def _present_mode(target: pathlib.Path) -> int:
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def check_writable(option: str, path: str) -> None:
    """Refuse a path that nothing can be written to, before the run starts.

    :raises InvalidOption: naming the option and the path.
    """
    target = pathlib.Path(path)
    if target.is_dir() or not target.name:
        raise InvalidOption(f"{option} is {path!r}: that is a folder, it must be a file.")
    if target.exists() and not target.is_file():
        raise InvalidOption(f"{option} is {path!r}: that is no plain file, and would be replaced by one.")
    if not target.parent.is_dir():
        raise InvalidOption(f"{option} is {path!r}: there is no folder {str(target.parent)!r}.")
    if not os.access(target if target.exists() else target.parent, os.W_OK) or not os.access(target.parent, os.W_OK):
        raise InvalidOption(f"{option} is {path!r}: it can't be written.")


@contextlib.contextmanager
def alone(cluster_id: str) -> t.Iterator[None]:
    """Be the only apply to a cluster by this user of this machine.

    The operating system ends the claim with the process, however that ends; after a kill, its file stays and is taken over.

    :raises DeterminedError: another one is at work, with who holds it since when.
    """
    name = f"determined-ai-apply-{os.getuid()}-{hashlib.sha256(cluster_id.encode()).hexdigest()[:16]}.lock"
    path = pathlib.Path(tempfile.gettempdir(), name)
    held = False
    while not held:
        with _claim(path) as claim:
            # Between opening and locking, whoever held the file may have removed it: then it is nobody's claim.
            held = path.exists() and os.path.samestat(os.fstat(claim.fileno()), path.stat())
            if held:
                since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                claim.write(f"process {os.getpid()} of {getpass.getuser()}, since {since}\n")
                claim.flush()
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)


@contextlib.contextmanager
def _claim(path: pathlib.Path) -> t.Iterator[t.TextIO]:
    """Open and lock the file of a claim, empty.

    :raises DeterminedError: somebody holds it, or it can't be opened.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DeterminedError(f"The claim on the cluster, {path}, can't be opened: {error.strerror}.") from error
    with open(handle, "r+", encoding="utf-8") as claim:
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DeterminedError(
                f"Another apply to this cluster is at work on this machine: {claim.read().strip() or 'it has just started'}. Try "
                "again when it has ended."
            ) from None
        claim.truncate()
        yield claim
