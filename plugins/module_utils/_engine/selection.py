# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""One declared state for many objects of a kind, which are selected by ids or a filter."""

from __future__ import annotations

import dataclasses
import typing as t

from .._kinds.kind import Arguments, Normal, Selection, Task
from .._kinds.lookup import KeptNames
from .._wire import errors
from .compare import NONE, REMOVE, UPDATE, Change, compare
from .operation import Operation

REASONS = 3
"""How many objects a failure speaks of; the result has them all."""

FAILED = "failed"
COUNTED = {UPDATE: "changed", REMOVE: "removed", NONE: "unchanged", FAILED: FAILED}
"""What is counted of each action. In a playbook, ``counts.update`` would be a method of Python's."""


class SelectionOperation:
    """A state module for many objects: all are looked at before the first is written, and each is looked at after.

    The result has each object under the selection's plural, with what changes of it; ``counts`` of what was done; and
    ``failures``, the objects for which it could not be done. (``failed`` is Ansible's own.)
    """

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self.arguments = selection.arguments

    def run(self, task: Task) -> dict[str, t.Any]:
        """Bring the objects to the declared state, or predict it in check mode."""
        selection = self._selection
        selection.check(task.options)
        task = dataclasses.replace(task, names=KeptNames(task.session))
        changes = self._decide(task, selection.read(task))
        due = [change for change in changes if change.changed]
        self._refuse_too_many(task, due, len(changes))
        after = {_id(change): self._predicted(change) for change in due}
        failed: dict[t.Any, errors.DeterminedError] = {}
        if due and not task.check_mode:
            failed, after = self._write(task, due)
        task.extra.update(self._result(task, changes, after, failed))
        if failed:
            raise self._failure(changes, due, failed)
        return {"changed": bool(due), **({"diff": self._diff(task, due, after)} if due else {}), **task.extra}

    # --- before ---

    def _decide(self, task: Task, items: list[Normal]) -> list[Change]:
        """Find out what has to happen to each object.

        :raises errors.InvalidOption: some do not allow it; nothing has been written then.
        """
        changes, refused = [], []
        for item in items:
            try:
                changes.append(self._compare(task, item))
            except errors.InvalidOption as error:
                refused.append(str(error))
        if refused:
            more = f" And {len(refused) - REASONS} more." if len(refused) > REASONS else ""
            raise errors.InvalidOption(
                f"Nothing was written, as {len(refused)} of {len(items)} {self._selection.plural} do not allow it: "
                f"{' '.join(refused[:REASONS])}{more}"
            )
        return changes

    def _compare(self, task: Task, item: Normal) -> Change:
        selection = self._selection
        own = dataclasses.replace(task, options=selection.options_for(task.options, item))
        return compare(selection.kind, item, selection.kind.wanted(own, item))

    def _refuse_too_many(self, task: Task, due: list[Change], found: int) -> None:
        most = task.options.get("max_objects")
        if most is not None and len(due) > most:
            raise errors.InvalidOption(
                f"max_objects is {most}: {len(due)} of the {found} {self._selection.plural} found would be changed. Nothing was "
                "written; select fewer, or allow as many."
            )

    def _predicted(self, change: Change) -> Normal | None:
        if change.action == REMOVE:
            return None
        return self._selection.kind.predicted(t.cast(Normal, change.live), change.fields)

    # --- writing ---

    def _write(
        self, task: Task, due: list[Change]
    ) -> tuple[dict[t.Any, errors.DeterminedError], dict[t.Any, Normal | None]]:
        """Write, and look at all of them again: the server's words alone tell neither success nor failure.

        :returns: what went wrong, and what is there now, by id.
        """
        selection = self._selection
        said = selection.write(
            task, [(t.cast(Normal, one.live), None if one.action == REMOVE else one.fields) for one in due]
        )
        try:
            now = selection.read_again(task, [t.cast(Normal, one.live) for one in due])
        except errors.DeterminedError as error:
            unread = type(error)(f"It was written, but could not be read again: {error}", error.failure)
            return {_id(one): said.get(_id(one), unread) for one in due}, {_id(one): one.live for one in due}
        failed: dict[t.Any, errors.DeterminedError] = {}
        for one in due:
            number = _id(one)
            wrong = said.get(number)
            timed_out = isinstance(wrong, errors.TimedOut)  # what is on its way is not yet what was waited for
            if wrong is not None and (timed_out or not self._is_reached(task, one, now.get(number))):
                failed[number] = wrong
            elif one.action == UPDATE and number not in now:
                failed[number] = wrong or errors.NotFound("It is gone, removed by someone else.")
            elif wrong is not None:
                task.warn(f"{wrong} Read again: {self._who(one)} is as declared.")
        # What goes is as good as gone where nobody waits for it.
        leaves = {_id(one) for one in due if one.action == REMOVE} - failed.keys()
        return failed, {_id(one): None if _id(one) in leaves else now.get(_id(one)) for one in due}

    def _is_reached(self, task: Task, change: Change, now: Normal | None) -> bool:
        """Whether an object is as declared, although its write failed or its answer was lost."""
        if now is None:
            return change.action == REMOVE
        try:
            return not self._compare(task, now).changed
        except errors.InvalidOption:
            return False

    # --- telling ---

    def _who(self, change: Change) -> str:
        live = t.cast(Normal, change.live)
        return f"{live['id']} ({live[self._selection.title]!r})"

    def _parts(self, task: Task, change: Change, after: Normal | None) -> tuple[Normal, Normal | None]:
        """What changes of an object, before and after; for one that goes all of it, and None."""
        kind = self._selection.kind
        shown = kind.shown(task, t.cast(Normal, change.live))
        if change.action == REMOVE:
            before = {name: value for name, value in shown.items() if name not in kind.volatile}
            return before, None if after is None else kind.shown(task, after)
        if after is None:
            return {name: shown.get(name) for name in change.fields}, None
        then = kind.shown(task, after)
        return {name: shown.get(name) for name in change.fields}, {name: then.get(name) for name in change.fields}

    def _result(
        self,
        task: Task,
        changes: list[Change],
        after: dict[t.Any, Normal | None],
        failed: dict[t.Any, errors.DeterminedError],
    ) -> dict[str, t.Any]:
        selection = self._selection
        rows = []
        counts = dict.fromkeys(("found", *COUNTED.values()), 0) | {"found": len(changes)}
        for change in changes:
            live = t.cast(Normal, change.live)
            action = FAILED if live["id"] in failed else change.action
            parts = self._parts(task, change, after[live["id"]]) if change.changed else ({}, {})
            counts[COUNTED[action]] += 1
            row = {"id": live["id"], selection.title: live[selection.title], "action": action}
            rows.append({**row, "before": parts[0], "after": parts[1]})
        return {
            selection.plural: rows,
            "counts": counts,
            "failures": [
                {
                    "id": live["id"],
                    selection.title: live[selection.title],
                    "message": failed[live["id"]].server_message or str(failed[live["id"]]),
                }
                for live in (t.cast(Normal, change.live) for change in changes)
                if live["id"] in failed
            ],
        }

    def _diff(self, task: Task, due: list[Change], after: dict[t.Any, Normal | None]) -> dict[str, t.Any]:
        parts = {self._who(change): self._parts(task, change, after[_id(change)]) for change in due}
        return {
            "before": {who: before for who, (before, _after) in parts.items()},
            "after": {who: then for who, (_before, then) in parts.items()},
        }

    def _failure(
        self, changes: list[Change], due: list[Change], failed: dict[t.Any, errors.DeterminedError]
    ) -> errors.DeterminedError:
        """One failure for all of them, with what was done."""
        names = [f"{self._who(change)}: {failed[_id(change)]}" for change in due if _id(change) in failed]
        more = f" and {len(names) - REASONS} more" if len(names) > REASONS else ""
        first = next(failed[_id(change)] for change in due if _id(change) in failed)
        left = len(changes) - len(due)
        return type(first)(
            f"{len(failed)} of {len(changes)} {self._selection.plural} failed: {' '.join(names[:REASONS])}{more} "
            f"{len(due) - len(failed)} were changed, and {left} were as declared before.",
            first.failure,
        )


class OneOrManyOperation:
    """A module that brings one object to its declared state, or all that some of its options select.

    :ivar arguments: those of the operation for one, which has the options that select many too.
    """

    def __init__(self, one: Operation, many: Operation, selectors: t.Collection[str]) -> None:
        self._one = one
        self._many = many
        self._selectors = selectors
        self.arguments: Arguments = one.arguments

    def run(self, task: Task) -> dict[str, t.Any]:
        """Do the one or the other."""
        selects = any(task.options[name] is not None for name in self._selectors)
        return (self._many if selects else self._one).run(task)


def _id(change: Change) -> t.Any:
    return t.cast(Normal, change.live)["id"]
