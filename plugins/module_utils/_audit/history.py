# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""The history: a folder with the reports of one cluster's audits, and what they have seen come about.

A report is told by its name, which has its time and a part of its digest, and by its content. Nothing else in the folder is
ever read, changed or removed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import fcntl
import functools
import json
import os
import pathlib
import re
import stat
import typing as t

from .._gitops.lock import write_text
from .._wire.errors import DeterminedError, InvalidOption
from .document import CHECKSUM, SCHEMA, Document, checksum_line, digest, read_document, serialised
from .judge import TIME, WHOLE_LIST
from .site import Sighting

OPTION = "history"
NAME = re.compile(r"audit-\d{8}T\d{6}Z-([0-9a-f]{12})\.json")
SIGHTINGS = "sightings.json"
SIGHTINGS_SCHEMA = "determined.ai/audit-sightings/1"
SHOWN = 5
"""How many files a warning names."""

STORES = {"users": "IAM-04", "deleting": "EXP-07"}
"""What sightings are noted of, and the control that asks for them: it tells whether an audit saw all there was to note."""

STANDING = ("fail", "waived")
"""The statuses of a finding that is there, accepted or not."""

BLIND = ("unknown", "error")
"""The statuses of a finding that nobody could judge."""

Noted = t.Mapping[str, t.Collection[str]]


class Store(t.NamedTuple):
    """What was noted of one sort of objects.

    :ivar noted: the last audit that saw all there was to note.
    :ivar seen: the first sightings by id.
    """

    noted: datetime.datetime
    seen: dict[str, Sighting]


Sightings = dict[str, Store]


@dataclasses.dataclass(frozen=True)
class Run:
    """A report in the folder.

    :ivar sha256: the digest of the file.
    :ivar cluster_id: None for an audit that did not learn it.
    :ivar fail: how many findings failed.
    """

    name: str
    sha256: str
    cluster_id: str | None
    catalogue: str
    profile: str
    finished: bool
    ended: str
    score: float | None
    verdict: str
    fail: int
    unknown: int

    def point(self) -> Document:
        """It as a point of the trend."""
        return {name: getattr(self, name) for name in ("ended", "score", "verdict", "fail", "unknown")}


class Damaged(Exception):
    """A file has the name of a report, and is none, or not the one that was written."""


class History:
    """A folder of reports.

    :param keep: how many reports stay.
    :param warn: receives a sentence for the user.
    """

    def __init__(self, path: str, keep: int, warn: t.Callable[[str], None]) -> None:
        self.folder = pathlib.Path(path)
        self._keep = keep
        self._warn = warn
        self._foreign = False
        self._damaged: set[str] = set()

    @classmethod
    def open(cls, path: str, keep: int, warn: t.Callable[[str], None]) -> History:
        """Look whether the folder can be used, before the first call; nothing is made yet.

        :raises InvalidOption: it can't be.
        """
        folder = pathlib.Path(path)
        if folder.is_dir():
            if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                raise InvalidOption(f"{OPTION} is {path!r}: the folder can't be read and written.")
        elif folder.exists() or folder.is_symlink():
            raise InvalidOption(f"{OPTION} is {path!r}: that is a file, it must be a folder.")
        elif not folder.parent.is_dir():
            raise InvalidOption(f"{OPTION} is {path!r}: there is no folder {str(folder.parent)!r} to make it in.")
        elif not os.access(folder.parent, os.W_OK | os.X_OK):
            raise InvalidOption(f"{OPTION} is {path!r}: it can't be made.")
        return cls(path, keep, warn)

    def of(self, cluster_id: str) -> Past:
        """What the folder tells of a cluster. Files in it that are none of ours, or damaged, are named in a warning.

        :raises InvalidOption: it is another cluster's; nothing is written to it then.
        """
        runs: list[Run] = []
        wrong: list[str] = []
        strange: list[str] = []
        for name in self._names():
            if NAME.fullmatch(name):
                try:
                    runs.append(_run(name, self._content(name)))
                except Damaged as error:
                    self._damaged.add(name)
                    # Another audit may have removed it meanwhile, as one too many.
                    if os.path.lexists(self.folder / name):
                        wrong.append(f"{name} ({error})")
            elif name != SIGHTINGS and not NAME.fullmatch(name.removesuffix(CHECKSUM)):
                strange.append(name)
        for run in runs:
            self._check_cluster(run.cluster_id, cluster_id)
        sightings = self._sightings(cluster_id)
        if wrong:
            self._warn(f"Damaged files in the history {self.folder} are left alone: {_some(wrong)}.")
        if strange:
            self._warn(f"Files in the history {self.folder} that are not of it are left alone: {_some(strange)}.")
        return Past(self, cluster_id, runs, sightings)

    def keep(self, document: Document) -> None:
        """Add a report with its checksum, and remove the oldest that are too many.

        The last report of an audit that was finished always stays: the next one is compared with it.

        :raises DeterminedError: it can't be written.
        """
        if self._foreign:
            return
        data = serialised(document)
        sha256 = digest(data)
        started = re.sub("[-:]", "", document["started"])
        name = f"audit-{started}-{sha256[:12]}.json"
        with self._alone():
            write_text(str(self.folder / name), data.decode("utf-8"), 0o600)
            write_text(str(self.folder / f"{name}{CHECKSUM}"), checksum_line(sha256, name), 0o600)
            cluster_id = document["cluster"]["id"]
            if cluster_id is not None:
                self._prune(cluster_id)

    def document(self, run: Run) -> Document | None:
        """A report of the folder, or None if it can't be read after all."""
        try:
            return read_document(self._content(run.name).decode("utf-8"))
        except (Damaged, InvalidOption, UnicodeDecodeError) as error:
            self._warn(f"Damaged files in the history {self.folder} are left alone: {run.name} ({error}).")
            return None

    def note(self, cluster_id: str, change: t.Callable[[Sightings], Sightings]) -> None:
        """Write the sightings anew, of what they are by now.

        :raises DeterminedError: they can't be written.
        """
        with self._alone():
            known = self._sightings(cluster_id)
            if known is None:
                return
            content = {
                "schema": SIGHTINGS_SCHEMA,
                "cluster": cluster_id,
                "sightings": {
                    what: {
                        "noted": _text(store.noted),
                        "seen": {
                            number: {"first": _text(one.first), "after": one.after and _text(one.after)}
                            for number, one in store.seen.items()
                        },
                    }
                    for what, store in change(known).items()
                },
            }
            text = json.dumps(content, indent=1, sort_keys=True) + "\n"
            write_text(str(self.folder / SIGHTINGS), text, 0o600)

    def _names(self) -> list[str]:
        """The files of the folder, oldest report first. Hidden ones are those of a write that was killed, or somebody's own."""
        if not self.folder.is_dir():
            return []
        return sorted(name for name in os.listdir(self.folder) if not name.startswith("."))

    def _content(self, name: str) -> bytes:
        """What a file holds.

        :raises Damaged: it can't be read, or is no plain file.
        """
        try:
            handle = os.open(self.folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(handle, "rb") as file:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    raise Damaged("no plain file")
                return file.read()
        except OSError as error:
            raise Damaged(error.strerror or str(error)) from error

    def _check_cluster(self, found: str | None, cluster_id: str) -> None:
        if found not in (None, cluster_id):
            self._foreign = True
            raise InvalidOption(
                f"{OPTION} is {str(self.folder)!r}: it is of the cluster {found}, and this is the cluster {cluster_id}. Give each "
                "cluster a folder of its own."
            )

    def _sightings(self, cluster_id: str) -> Sightings | None:
        """What was noted; None where the file is damaged, so that it is left alone.

        :raises InvalidOption: it is another cluster's.
        """
        path = self.folder / SIGHTINGS
        if not os.path.lexists(path):
            return {}
        try:
            found = json.loads(self._content(SIGHTINGS))
            if found["schema"] != SIGHTINGS_SCHEMA:
                raise Damaged("another schema")
            sightings = {
                str(what): Store(
                    _moment(store["noted"]), {str(number): _sighting(one) for number, one in store["seen"].items()}
                )
                for what, store in found["sightings"].items()
            }
            owner = str(found["cluster"])
        except (Damaged, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            why = str(error) if isinstance(error, Damaged) else "not what was written"
            self._warn(
                f"{path} is damaged ({why}), and left alone: what came about when is not known until it is removed."
            )
            return None
        self._check_cluster(owner, cluster_id)
        return sightings

    @contextlib.contextmanager
    def _alone(self) -> t.Iterator[None]:
        """Be the only one that writes to the folder, which is made if there is none.

        :raises DeterminedError: it can't be made or opened.
        """
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise DeterminedError(f"The history {self.folder} can't be written: {error.strerror}.") from error
        try:
            # Writes are short, so the other one is waited for. The claim ends with the process, however that ends.
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _prune(self, cluster_id: str) -> None:
        names = [name for name in self._names() if NAME.fullmatch(name) and name not in self._damaged]
        surplus = names[: -self._keep]
        last = next((name for name in reversed(names) if (run := self._found(name)) and run.finished), None)
        for name in surplus:
            run = self._found(name)
            if name != last and run is not None and run.cluster_id in (None, cluster_id):
                (self.folder / name).unlink(missing_ok=True)
                (self.folder / f"{name}{CHECKSUM}").unlink(missing_ok=True)

    def _found(self, name: str) -> Run | None:
        try:
            return _run(name, self._content(name))
        except Damaged:
            return None


class Past:
    """What a history tells of one cluster.

    :ivar runs: its reports, oldest first.
    :ivar sightings: what was noted, and when it was noted first.
    """

    def __init__(self, history: History, cluster_id: str, runs: t.Sequence[Run], sightings: Sightings | None) -> None:
        self._history = history
        self._cluster_id = cluster_id
        self.runs = runs
        self.sightings = {what: store.seen for what, store in (sightings or {}).items()}

    @functools.cached_property
    def previous(self) -> tuple[Run, Document] | None:
        """The last audit that was finished, and its report."""
        for run in reversed(self.runs):
            if run.finished:
                document = self._history.document(run)
                if document is not None:
                    return run, document
        return None

    def compared(self, document: Document) -> Document:
        """What has changed since the last audit that was finished, as a part of the document: ``comparison``.

        A finding that is gone is fixed only where its control could see that.
        """
        if self.previous is None:
            return {"comparison": None}
        run, before = self.previous
        old, new = _standing(before), _standing(document)
        gone = [finding for fingerprint, finding in old.items() if fingerprint not in new]
        sight = _Sight(document)
        return {
            "comparison": {
                "previous": {"ended": run.ended, "sha256": run.sha256},
                "new": _shown(finding for fingerprint, finding in new.items() if fingerprint not in old),
                "fixed": _shown(finding for finding in gone if sight.would_tell(finding)),
                "still": _shown(finding for fingerprint, finding in new.items() if fingerprint in old),
                "no_longer_judged": _shown(finding for finding in gone if not sight.would_tell(finding)),
            }
        }

    def trend(self, document: Document) -> list[Document]:
        """The audits of the same catalogue and profile, oldest first, this one last; one that failed has no score."""
        same = (document["catalogue"], document["profile"])
        points = [run.point() for run in self.runs if (run.catalogue, run.profile) == same]
        return [*points, _summed("", "", document).point()]

    def note(self, noted: Noted, document: Document) -> None:
        """Note what an audit has seen. What it could not see stays as it was noted.

        :param noted: per store (`STORES`) the ids that were seen.
        :param document: of the audit.
        :raises DeterminedError: it can't be written.
        """
        now = _moment(document["started"])
        sight = _Sight(document)

        def change(known: Sightings) -> Sightings:
            found = dict(known)
            for what, number in STORES.items():
                seen, store, whole = set(noted.get(what, ())), known.get(what), sight.is_whole(number)
                if store is None and not whole:
                    # The first store is of an audit that saw all there was: what comes later came about after it.
                    continue
                before = {} if store is None else store.seen
                stays = sight.unjudged(number) if whole else before.keys()
                kept = {one: first for one, first in before.items() if one in seen or one in stays}
                after = None if store is None else store.noted
                new = {one: Sighting(now, after) for one in sorted(seen - kept.keys())}
                found[what] = Store(now if whole or store is None else store.noted, {**kept, **new})
            return found

        self._history.note(self._cluster_id, change)


class _Sight:
    """What an audit could see."""

    def __init__(self, document: Document) -> None:
        self._finished = document["error"] is None
        self._controls = {one["id"]: one for one in document["controls"]}
        self._objects = document["counts"]["objects"]
        blind = [finding for finding in document["findings"] if finding["status"] in BLIND]
        self._lists = {finding["control"] for finding in blind if finding["key"] == WHOLE_LIST}
        self._fingerprints = {finding["fingerprint"] for finding in blind}
        self._ids = {(finding["control"], str(finding["id"])) for finding in blind}

    def would_tell(self, finding: Document) -> bool:
        """Whether a finding that was there would be told, were it still there."""
        control = self._controls.get(finding["control"])
        if control is None or control["reason"] is not None or control["id"] in self._lists:
            return False
        if control["status"] == "not_applicable" and self._objects.get(finding["kind"]) != 0:
            # What it needs was perhaps taken away from it, such as a parameter; unless there is nothing left to judge.
            return False
        return finding["fingerprint"] not in self._fingerprints

    def is_whole(self, number: str) -> bool:
        """Whether a control was judged on all there is."""
        control = self._controls.get(number)
        return self._finished and control is not None and control["reason"] is None and number not in self._lists

    def unjudged(self, number: str) -> set[str]:
        """The ids of what a control could not judge."""
        return {found for control, found in self._ids if control == number}


def known_findings(baseline: Document, path: str, cluster_id: str) -> frozenset[str]:
    """The fingerprints of the findings that a baseline knows: those that fail. A waived one fails again when its waiver ends.

    :param path: of the file that it is from.
    :raises InvalidOption: it is another cluster's.
    """
    found = baseline["cluster"]["id"]
    if found != cluster_id:
        whose = "names no cluster" if found is None else f"is of the cluster {found}"
        raise InvalidOption(f"baseline is {path!r}: it {whose}, and this is the cluster {cluster_id}.")
    return frozenset(finding["fingerprint"] for finding in baseline["findings"] if finding["status"] == "fail")


def _run(name: str, content: bytes) -> Run:
    """A report by what it says of itself; all of it is checked only where it is compared with.

    :raises Damaged: it is none, or has been changed.
    """
    sha256 = digest(content)
    if not name.endswith(f"-{sha256[:12]}.json"):
        raise Damaged("changed since it was written")
    try:
        document = json.loads(content)
        if document["schema"] != SCHEMA:
            raise Damaged(f"of the schema {document['schema']}")
        return _summed(name, sha256, document)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise Damaged("no report") from error


def _summed(name: str, sha256: str, document: Document) -> Run:
    counts = document["counts"]["findings"]
    return Run(
        name,
        sha256,
        document["cluster"]["id"],
        document["catalogue"],
        document["profile"],
        document["error"] is None,
        document["ended"],
        document["score"],
        document["verdict"],
        sum(counts.get("fail", {}).values()),
        sum(counts.get("unknown", {}).values()),
    )


def _sighting(found: t.Mapping[str, t.Any]) -> Sighting:
    return Sighting(_moment(found["first"]), None if found["after"] is None else _moment(found["after"]))


def _moment(text: str) -> datetime.datetime:
    return datetime.datetime.strptime(text, TIME).replace(tzinfo=datetime.UTC)


def _text(moment: datetime.datetime) -> str:
    return moment.strftime(TIME)


def _standing(document: Document) -> dict[str, Document]:
    """The findings that are there, by fingerprint."""
    return {finding["fingerprint"]: finding for finding in document["findings"] if finding["status"] in STANDING}


def _shown(findings: t.Iterable[Document]) -> list[Document]:
    found = [{name: finding[name] for name in ("fingerprint", "control", "kind", "key")} for finding in findings]
    return sorted(found, key=lambda one: (one["control"], one["kind"], one["key"], one["fingerprint"]))


def _some(names: t.Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
