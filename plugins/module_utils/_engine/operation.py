# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""The way of one task: check, find, compare; check mode stops here and predicts; apply."""

from __future__ import annotations

import typing as t

from .._kinds.kind import PLAIN, Arguments, Kind, Normal, Reader, Task
from .._wire import errors
from .compare import CREATE, NONE, REMOVE, UPDATE, Change, compare
from .diff import difference


class Operation(t.Protocol):
    """What a module does: its options, and a function from a task to a result."""

    @property
    def arguments(self) -> Arguments:
        """Its options beside the connection."""

    def run(self, task: Task) -> dict[str, t.Any]:
        """Do it.

        :raises errors.DeterminedError: it can't be done.
        """


class ReadOperation:
    """An info module: never changes."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.arguments = reader.arguments

    def run(self, task: Task) -> dict[str, t.Any]:
        """Check the options and read."""
        self._reader.check(task.options)
        return {"changed": False, **self._reader.read(task), **task.extra}


class StateOperation:
    """A state module: brings one object to its declared state."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self.arguments = kind.arguments

    def run(self, task: Task) -> dict[str, t.Any]:
        """Bring the object to its declared state, or predict it in check mode."""
        kind = self._kind
        kind.check(task.options)
        live = kind.find(task)
        change = compare(kind, live, kind.wanted(task, live))
        if change.action == NONE:
            after = live
        elif task.check_mode:
            after = self._predict(task, change)
        else:
            after = self._apply(task, change)
        result: dict[str, t.Any] = {
            "changed": change.changed,
            kind.name: None if after is None else kind.shown(task, after),
        }
        if change.changed:
            result["diff"] = difference(kind, task, live, after, change.fields)
        return {**result, **task.extra}

    def _predict(self, task: Task, change: Change) -> Normal | None:
        kind = self._kind
        if change.action == REMOVE:
            return None
        readable = {name: value for name, value in change.fields.items() if not kind.fields.get(name, PLAIN).write_only}
        return kind.predicted(kind.blank(task) if change.live is None else change.live, readable)

    def _apply(self, task: Task, change: Change) -> Normal | None:
        """Write, and where the answer does not tell what happened, look."""
        try:
            return self._write(task, change)
        except (
            errors.LostAnswer,
            errors.BadAnswer,
            errors.Conflict,
            errors.Forbidden,  # of the second of two writes
            errors.NotFound,
            errors.Rejected,
        ) as error:
            return self._settle(task, change, error)

    def _write(self, task: Task, change: Change) -> Normal | None:
        if change.action == CREATE:
            return self._kind.create(task, change.fields)
        live = t.cast(Normal, change.live)
        if change.action == REMOVE:
            self._kind.remove(task, live)
            return None
        return self._kind.update(task, live, change.fields)

    def _settle(self, task: Task, change: Change, error: errors.DeterminedError) -> Normal | None:
        """Decide by what is there and not by a write's status: this server answers ordinary conflicts with 500.

        Nothing is written again but in one case: what had to be created has been created by someone else meanwhile.

        :raises errors.DeterminedError: the failure, with what is there now.
        """
        kind = self._kind
        noun = kind.name
        try:
            live = kind.find(task)
            gone = live is None and change.action == UPDATE
            left = None if gone else compare(kind, live, kind.wanted(task, live))
        except errors.DeterminedError as unread:
            raise _with(error, f"Reading again did not tell either: {unread}") from error
        if left is None:
            raise _with(error, f"Read again: the {noun} is gone, removed by someone else.") from error
        if left.action == NONE:
            task.warn(f"{error} Read again: the {noun} is as declared.")
            return live
        if (
            change.action == CREATE
            and live is not None
            and not isinstance(error, (errors.LostAnswer, errors.BadAnswer, errors.Forbidden))
        ):
            try:
                return self._write(task, left)
            except errors.DeterminedError as again:
                raise _with(again, f"Before that: {error}") from again
        raise _with(error, self._state(change, left)) from error

    def _state(self, change: Change, left: Change) -> str:
        """Say what was found after a write that failed."""
        noun = self._kind.name
        if left.action == CREATE:
            return f"Read again: no such {noun} was created."
        if left.action == REMOVE:
            return f"Read again: the {noun} is still there."
        unknown = sorted(name for name in left.fields if self._kind.fields.get(name, PLAIN).write_only)
        missing = sorted(set(left.fields) - set(unknown))
        done = sorted(set(change.fields) - set(left.fields))
        parts = [
            f"{', '.join(names)} {what}"
            for names, what in ((done, "changed"), (missing, "did not change"), (unknown, "can't be read back"))
            if names
        ]
        return f"Read again, of the {noun}: {'; '.join(parts)}."


def _with(error: errors.DeterminedError, more: str) -> errors.DeterminedError:
    """The same failure, with a further sentence."""
    return type(error)(f"{error} {more}", error.failure)
