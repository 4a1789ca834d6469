# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""The cluster message: one text that the web interface and the CLI show to everybody (API page identity-and-cluster, 7.5)."""

from __future__ import annotations

import datetime
import typing as t

from .._wire.errors import InvalidOption
from .._wire.session import Session
from .cluster import ClusterMessage, read_message
from .duration import delta, parse_duration
from .kind import Arguments, Declarable, Field, Normal, Task
from .lookup import Names

PATH = "/api/v1/master/cluster_message"
LENGTH = 250
"""Characters, not bytes, that a message may have."""


def same_moment(live: t.Any, declared: t.Any) -> bool:
    """Whether two times are one, however they are written; null is only itself."""
    if live is None or declared is None:
        return live is declared
    return _moment("", live) == _moment("", declared)


class ClusterMessageKind(Declarable):
    """The cluster message."""

    name = "cluster_message"
    plural = "cluster_message"
    volatile = frozenset({"created_time"})
    fields: t.ClassVar = {"start_time": Field(same=same_moment), "end_time": Field(same=same_moment)}
    arguments = Arguments(
        spec={
            # Not "message", as the API has it: Ansible keeps that name of an option for itself.
            "text": {"type": "str"},
            "start": {"type": "str"},
            "end": {"type": "str"},
            "duration": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        mutually_exclusive=(("end", "duration"),),
        required_if=(("state", "present", ("text",)),),
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse a text that nobody would see, and times that make no sense."""
        if options["state"] == "absent":
            return
        if not options["text"].strip():
            raise InvalidOption("text is empty: it must be a text; to take the message down, set state to absent.")
        if len(options["text"]) > LENGTH:
            raise InvalidOption(f"text has {len(options['text'])} characters: it must have at most {LENGTH}.")
        start = None if options["start"] is None else _moment("start", options["start"])
        if options["end"] and start is not None and _moment("end", options["end"]) <= start:
            raise InvalidOption(f"end is {options['end']!r}: it must be after start ({options['start']!r}).")
        if options["end"]:
            _moment("end", options["end"])
        if options["duration"] is not None:
            _end(start or datetime.datetime.now(datetime.UTC), options["duration"])

    def find(self, task: Task) -> Normal | None:
        """Read the message."""
        return read_message(task.session)

    def wanted(self, task: Task, live: Normal | None) -> Normal | None:
        """Say what is declared.

        The start is compared only if it is declared. A duration has no fixed end, so it counts only when the message is set.
        What is declared to be over by now says nothing any more.
        """
        options = task.options
        if options["state"] == "absent":
            return None
        wanted: Normal = {"message": options["text"]}
        is_set = live is None or live["message"] != options["text"]
        now = datetime.datetime.now(datetime.UTC)
        start = None if options["start"] is None else _moment("start", options["start"])
        if start is None and (live is None or (is_set and options["duration"] is not None)):
            # The server would take a missing start for 1970, and count a duration from there.
            start = now
        if start is not None:
            wanted["start_time"] = _text(start)
        end = _moment("end", options["end"]) if options["end"] else None
        if options["duration"] is not None and is_set:
            end = _end(t.cast(datetime.datetime, start), options["duration"])
        if end is not None and end <= now:
            return None if live is None else {}
        if end is not None or options["end"] == "":
            wanted["end_time"] = None if end is None else _text(end)
        return wanted

    def create(self, task: Task, wanted: Normal) -> Normal:
        """Show the message."""
        return self._put(task, {**self.blank(task), **wanted})

    def update(self, task: Task, live: Normal, changes: Normal) -> Normal:
        """Show another message, or this one at another time; the server replaces it whole."""
        return self._put(task, {**live, **changes})

    def remove(self, task: Task, live: Normal) -> None:
        """Take the message down."""
        task.session.write("DELETE", PATH)

    def blank(self, task: Task) -> Normal:
        """A message before anything is set."""
        return ClusterMessage().normal()

    def _put(self, task: Task, message: Normal) -> Normal:
        body = {"message": message["message"], "startTime": message["start_time"], "endTime": message["end_time"]}
        task.session.write("PUT", PATH, {name: value for name, value in body.items() if value is not None})
        return read_message(task.session) or message

    # --- in a manifest ---

    def key(self, options: dict[str, t.Any]) -> str:
        """There is one."""
        return self.plural

    def read_all(self, session: Session, names: Names) -> list[Normal]:
        """The message, if there is one."""
        found = read_message(session)
        return [] if found is None else [found]

    def key_of(self, live: Normal, names: Names) -> str:
        """There is one."""
        return self.plural

    def declaration(self, live: Normal, names: Names) -> dict[str, t.Any]:
        """The options that declare the message; that it has begun needs no saying."""
        options = {"text": live["message"]}
        if live["start_time"] is not None and _moment("", live["start_time"]) > datetime.datetime.now(datetime.UTC):
            options["start"] = live["start_time"]
        if live["end_time"] is not None:
            options["end"] = live["end_time"]
        return options

    def undeclarable(self, live: Normal, names: Names) -> str | None:
        """A blank message can be set by others only."""
        return None if live["message"].strip() else "Its text is empty."


def _moment(option: str, text: str) -> datetime.datetime:
    """Read a time with its zone, to the microsecond as the server keeps it.

    :raises InvalidOption: it is none.
    """
    try:
        found = datetime.datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return found.astimezone(datetime.UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidOption(f"{option} is {text!r}: it must be a time such as '2026-01-31T18:00:00Z'.") from error
    raise InvalidOption(f"{option} is {text!r}: it must say its time zone, as in '2026-01-31T18:00:00Z' or '+02:00'.")


def _end(start: datetime.datetime, duration: str) -> datetime.datetime:
    """When a message ends that is shown for a while.

    :raises InvalidOption: it is shown for no time, or for ever.
    """
    length = parse_duration("duration", duration)
    if length == 0:
        raise InvalidOption(f"duration is {duration!r}: it must be longer than nothing.")
    try:
        return start + delta(length)
    except OverflowError as error:
        raise InvalidOption(f"duration is {duration!r}: it ends after the year 9999.") from error


def _text(moment: datetime.datetime) -> str:
    """A time as the server writes it: UTC, and no fraction where there is none."""
    return moment.isoformat().replace("+00:00", "Z")


CLUSTER_MESSAGE = ClusterMessageKind()
