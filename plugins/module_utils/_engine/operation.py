# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""The way of one task: check, find, compare; check mode stops here and predicts; apply."""

from __future__ import annotations

import dataclasses
import typing as t

from .._kinds.kind import PLAIN, Arguments, Batched, Kind, Normal, Reader, Task
from .._kinds.lookup import KeptNames
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
        if change.changed:
            kind.guard(task, [(live, None if change.action == REMOVE else change.fields)])
        if change.action == NONE:
            after = live
            if live is not None and not task.check_mode:
                kind.confirm(task, live)
        elif task.check_mode:
            after = self.predict(task, change)
        else:
            after = self.apply(task, change)
        result: dict[str, t.Any] = {
            "changed": change.changed,
            kind.name: None if after is None else kind.shown(task, after),
        }
        if change.changed:
            result["diff"] = difference(kind, task, live, after, change.fields)
        return {**result, **task.extra}

    def predict(self, task: Task, change: Change) -> Normal | None:
        """The object as it would be after a change, without a write; None for one that would be gone."""
        kind = self._kind
        if change.action == REMOVE:
            return None
        readable = {name: value for name, value in change.fields.items() if not kind.fields.get(name, PLAIN).write_only}
        return kind.predicted(kind.blank(task) if change.live is None else change.live, readable)

    def apply(self, task: Task, change: Change) -> Normal | None:
        """Write, and where the answer does not tell what happened, look.

        :returns: the object as it then is; None for one that is gone.
        :raises errors.DeterminedError: the failure, with what is there now.
        """
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
        except errors.InvalidOption as refused:
            # What is there by now does not allow it any more.
            raise _with(error, f"Read again: {refused}") from error
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


class BatchOperation:
    """A state module for one object by its own options, or for many in one option, which are written together.

    With ``exclusive`` the option holds all that there may be, see `Batched.surplus`.
    """

    def __init__(self, kind: Batched) -> None:
        self._kind = kind
        self._one = StateOperation(kind)
        own = kind.arguments.spec
        self._entry = entry = {name: option for name, option in own.items() if name not in kind.switches}
        self.arguments = Arguments(
            spec={
                **{
                    name: {part: value for part, value in option.items() if part != "required"}
                    for name, option in own.items()
                },
                kind.many: {"type": "list", "elements": "dict", "options": entry},
                "exclusive": {"type": "bool"},
            },
            # The options of one object. What has a default can't be told from a declared one; `run` refuses other values.
            mutually_exclusive=tuple((name, kind.many) for name, option in entry.items() if "default" not in option),
            required_one_of=tuple((name, kind.many) for name, option in entry.items() if option.get("required")),
        )

    def run(self, task: Task) -> dict[str, t.Any]:
        """Bring the objects to their declared state, or predict it in check mode."""
        kind, options = self._kind, task.options
        if options[kind.many] is None:
            if options["exclusive"]:
                raise errors.InvalidOption(f"exclusive is true without {kind.many}: it makes a whole list exact.")
            return self._one.run(task)
        for name, option in self._entry.items():
            if "default" in option and options[name] != option["default"]:
                raise errors.InvalidOption(
                    f"{name} is {options[name]!r} beside {kind.many}: it has to stand in each of them."
                )
        declared = self._declared(options)
        task = dataclasses.replace(task, names=KeptNames(task.session))
        live, new, gone = self._compare(task, declared)
        changed = bool(new or gone)
        if changed:
            kind.guard(task, [*((None, item) for item in new.values()), *((item, None) for item in gone.values())])
        if changed and not task.check_mode:
            self._apply(task, declared, new, gone)
        after = {**{key: item for key, item in live.items() if key not in gone}, **new}
        shown = [kind.shown(task, item) for key, item in sorted(after.items()) if key in declared]
        result: dict[str, t.Any] = {"changed": changed, kind.plural: shown}
        if changed:
            result["diff"] = {"before": {kind.plural: sorted(gone)}, "after": {kind.plural: sorted(new)}}
        return {**result, **task.extra}

    def _declared(self, options: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
        """The options of each object by its key."""
        kind = self._kind
        declared: dict[str, dict[str, t.Any]] = {}
        for entry in options[kind.many]:
            own = {**{name: options[name] for name in kind.switches}, **entry}
            kind.check(own)
            key = kind.key(own)
            if key in declared:
                raise errors.InvalidOption(f"{kind.many} has {key!r} twice.")
            declared[key] = own
        return declared

    def _compare(
        self, task: Task, declared: dict[str, dict[str, t.Any]]
    ) -> tuple[dict[str, Normal], dict[str, Normal], dict[str, Normal]]:
        """All live objects, those to create and those to remove, by their keys."""
        kind = self._kind
        live = {kind.key_of(item, task.names): item for item in kind.read_all(task.session, task.names)}
        new: dict[str, Normal] = {}
        gone: dict[str, Normal] = {}
        for key, options in declared.items():
            found = live.get(key)
            change = compare(kind, found, kind.wanted(dataclasses.replace(task, options=options), found))
            if change.action == CREATE:
                new[key] = kind.predicted(kind.blank(task), change.fields)
            elif change.action == REMOVE:
                gone[key] = t.cast(Normal, found)
        if task.options["exclusive"]:
            gone.update({key: live[key] for key in kind.surplus(task, live, declared)})
        return live, new, gone

    def _apply(
        self, task: Task, declared: dict[str, dict[str, t.Any]], new: dict[str, Normal], gone: dict[str, Normal]
    ) -> None:
        """Write; if that fails, read again, and once more write what is left where someone else was there in between.

        :raises errors.DeterminedError: the failure, with what is not as declared.
        """
        kind = self._kind
        refusals = (errors.Conflict, errors.NotFound)
        for last in (False, True):
            try:
                kind.write_all(task, list(new.values()), list(gone.values()))
            except (errors.LostAnswer, errors.BadAnswer, errors.Forbidden, errors.Rejected, *refusals) as error:
                try:
                    _live, new, gone = self._compare(task, declared)
                except errors.DeterminedError as unread:
                    raise _with(error, f"Reading again did not tell either: {unread}") from error
                if not new and not gone:
                    task.warn(f"{error} Read again: all is as declared.")
                    return
                if last or not isinstance(error, refusals):
                    left = [f"{key} is missing" for key in sorted(new)] + [
                        f"{key} is still there" for key in sorted(gone)
                    ]
                    raise _with(error, f"Read again: {'; '.join(left)}.") from error
            else:
                return


def _with(error: errors.DeterminedError, more: str) -> errors.DeterminedError:
    """The same failure, with a further sentence."""
    return type(error)(f"{error} {more}", error.failure)
