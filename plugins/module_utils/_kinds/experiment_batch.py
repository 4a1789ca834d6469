# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Many experiments, each brought to the same state (API page ml-resources, section 3.6).

What may be done to an experiment, and what is left to do, is decided by `ExperimentKind` for each of them. The server's bulk verbs
do it.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import typing as t

from .._wire.errors import DeterminedError, InvalidOption, Rejected, TimedOut
from .._wire.paging import pages_by_key
from .._wire.session import route
from .._wire.wait import WAIT_SPEC, wait_until
from .duration import delta, parse_duration
from .experiment import (
    BY_ID,
    DELETABLE,
    ENDED,
    EXPERIMENT,
    KEY,
    VERBS,
    awaited_agent,
    check_id,
    deletion_failed,
    is_ending,
    reached_by,
)
from .experiment_bulk import AT_ONCE, bulk
from .experiment_list import EXPERIMENTS, PATH, STATES, Experiments
from .kind import Arguments, Normal, Selection, Task

EDITS = ("archived", "lifecycle", "labels", "move_to_project")
SHARED = ("state", "labels_mode", "move_to_workspace", *EDITS, *WAIT_SPEC)
"""The options that are those of `EXPERIMENT`."""

MISSING_SHOWN = 10

Reached = t.Callable[[t.Optional[Normal]], bool]  # noqa: UP045 - pylint doesn't know the bar outside of annotations


class ExperimentSelection(Selection):
    """Experiments by ids, or by a filter that is resolved here."""

    kind = EXPERIMENT
    plural = "experiments"
    arguments = Arguments(
        spec={
            "ids": {"type": "list", "elements": "int"},
            "filter": {
                "type": "dict",
                "options": {
                    "project": {"type": "str"},
                    "workspace": {"type": "str"},
                    "states": {"type": "list", "elements": "str", "choices": list(STATES)},
                    "labels": {"type": "list", "elements": "str"},
                    "users": {"type": "list", "elements": "str"},
                    "name_contains": {"type": "str"},
                    "archived": {"type": "bool"},
                    "older_than": {"type": "str"},
                    "larger_than": {"type": "bytes"},
                },
            },
            **{name: EXPERIMENT.arguments.spec[name] for name in SHARED},
            "max_objects": {"type": "int", "default": 100},
        },
        required_one_of=(("ids", "filter"),),
        mutually_exclusive=(("ids", "filter"),),
        required_by={"move_to_workspace": ("move_to_project",)},
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse what selects everything, selects nothing, or declares nothing."""
        if options["ids"] is not None and not options["ids"]:
            raise InvalidOption("ids is empty: name at least one experiment.")
        for number in options["ids"] or ():
            check_id(number, "ids")
        if options["filter"] is not None:
            _check_filter(options["filter"])
            EXPERIMENTS.check(_reader_options(options["filter"]))
        if options["max_objects"] < 1:
            raise InvalidOption(f"max_objects is {options['max_objects']}: it must be 1 or more.")
        if options["state"] == "present" and all(options[name] is None for name in EDITS):
            raise InvalidOption(f"nothing is declared: give {', '.join(EDITS)} or state absent.")
        EXPERIMENT.check(self.options_for(options, {"id": 1}))

    def options_for(self, options: dict[str, t.Any], item: Normal) -> dict[str, t.Any]:
        """The options of `EXPERIMENT` for one of them."""
        shared = {name: options[name] for name in SHARED}
        return {**dict.fromkeys(EXPERIMENT.arguments.spec), **shared, "id": item["id"]}

    # --- reading ---

    def read(self, task: Task) -> list[Normal]:
        """Read the experiments that are selected; those on their way to where the task wants them are waited for."""
        options = task.options
        found = self._named(task) if options["ids"] is not None else self._filtered(task)
        absent = options["state"] == "absent"
        leaving = [one["id"] for one in found if absent and one["state"] == "deleting"]
        ending = [one["id"] for one in found if is_ending(options, one["state"])]
        waiting = _Waiting(task)
        if options["wait"]:
            waiting.until(leaving, lambda one: one is None or one["state"] == "delete_failed")
        waiting.until(ending, lambda one: one is None or one["state"] in ENDED)
        for error in waiting.failed.values():
            raise error
        # What is still being deleted is as declared, or will be without another call.
        now = [waiting.seen.get(one["id"], one) for one in found]
        return [one for one in now if one is not None and not (absent and one["state"] == "deleting")]

    def _named(self, task: Task) -> list[Normal]:
        ids = sorted(set(task.options["ids"]))
        found = _by_ids(task, ids)
        missing = [str(number) for number in ids if number not in found]
        if missing:
            names = ", ".join(missing[:MISSING_SHOWN]) + (" and more" if len(missing) > MISSING_SHOWN else "")
            text = f"ids has {names}: there is no such experiment, or you may not see it."
            if task.options["state"] != "absent":
                raise InvalidOption(text)
            task.warn(f"{text} What is not there is left at that.")
        return [found[number] for number in ids if number in found]

    def _filtered(self, task: Task) -> list[Normal]:
        """Read what the filter matches: the list's own reader, then what only this module filters by."""
        chosen = task.options["filter"]
        reading = dataclasses.replace(task, options=_reader_options(chosen), extra={})
        found = EXPERIMENTS.read(reading)["experiments"]
        if chosen["older_than"] is not None:
            age = delta(parse_duration("filter.older_than", chosen["older_than"]))
            limit = datetime.datetime.now(datetime.UTC) - age
            found = [one for one in found if _dated(one) < limit]
        if chosen["larger_than"] is not None:
            found = [one for one in found if one["checkpoint_size"] > chosen["larger_than"]]
        if task.options["state"] == "present":
            # Nothing can be declared of what is about to be gone.
            found = [one for one in found if one["state"] != "deleting"]
        return sorted(found, key=lambda one: t.cast(int, one["id"]))

    def read_again(self, task: Task, items: t.Sequence[Normal]) -> dict[t.Any, Normal]:
        """Read them from the list."""
        return _by_ids(task, [item["id"] for item in items])

    # --- writing ---

    def write(self, task: Task, changes: t.Sequence[tuple[Normal, Normal | None]]) -> dict[t.Any, DeterminedError]:
        """Write in the one order that the server takes, as `ExperimentKind.update` does; what failed is left out of what follows."""
        options, writing = task.options, _Writing(task)
        edits = {live["id"]: (live, fields) for live, fields in changes if fields is not None}

        def those(field: str, *values: t.Any) -> list[int]:
            return [
                number
                for number, (_live, fields) in edits.items()
                if field in fields and (not values or fields[field] in values)
            ]

        reopened = [
            number for number in those("project_id") if edits[number][0]["archived"] and number not in those("archived")
        ]
        writing.bulk("unarchive", [*those("archived", False), *reopened])
        shut = [number for number in reopened if number not in writing.failed]
        for number in those("labels"):
            writing.patch(number, {"labels": edits[number][1]["labels"]})
        destinations = collections.defaultdict(list)
        for number in those("project_id"):
            destinations[edits[number][1]["project_id"]].append(number)
        for project_id, numbers in destinations.items():
            writing.bulk("move", numbers, destinationProjectId=project_id)
        writing.bulk("archive", shut, anyway=True)
        if those("state"):
            writing.bulk(VERBS[options["lifecycle"]], those("state"))
            if options["wait"]:
                writing.wait(those("state"), reached_by(options["lifecycle"]))
        writing.bulk("archive", those("archived", True))
        self._remove(writing, options, [live for live, fields in changes if fields is None])
        return writing.failed

    def _remove(self, writing: _Writing, options: dict[str, t.Any], doomed: list[Normal]) -> None:
        """Kill what still runs, delete, and wait until all are gone."""
        live = [one["id"] for one in doomed if one["state"] not in DELETABLE]
        writing.bulk("kill", live)
        # Without this wait there is nothing to delete, so it is made whatever the option wait says.
        writing.wait(live, ENDED)
        writing.bulk("delete", [one["id"] for one in doomed])
        if options["wait"]:
            writing.wait_until_gone(doomed)


class _Waiting:
    """Waits for many at once.

    :ivar failed: what went wrong, by id.
    :ivar seen: those that were waited for as they were seen last, by id; None for one that was gone.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.failed: dict[t.Any, DeterminedError] = {}
        self.seen: dict[t.Any, Normal | None] = {}

    def until(self, ids: t.Sequence[int], reached: Reached, more: t.Callable[[int], str] = lambda number: "") -> None:
        """Wait until all are so; those for which it takes too long have failed.

        :param more: a further sentence for that.
        """
        left = [number for number in ids if number not in self.failed]

        def look() -> list[int]:
            nonlocal left
            found = _by_ids(self.task, left)
            self.seen.update({number: found.get(number) for number in left})
            left = [number for number in left if not reached(self.seen[number])]
            return left

        if not left:
            return
        try:
            wait_until(self.task.options, look, lambda rest: not rest, lambda rest: f"{len(rest)} experiments are not.")
        except TimedOut:
            limit = self.task.options["wait_timeout"]
            for number in left:
                state = (self.seen[number] or {"state": "gone"})["state"]
                text = f"Not reached within wait_timeout ({limit} s): experiment {number} is {state}.{more(number)}"
                self.failed[number] = TimedOut(text)
        except DeterminedError as error:
            self.failed.update(dict.fromkeys(left, error))


class _Writing(_Waiting):
    """Writes to many; an experiment for which something failed is left out of what follows."""

    def _due(self, ids: t.Iterable[int]) -> list[int]:
        return [number for number in ids if number not in self.failed]

    def patch(self, number: int, edits: dict[str, t.Any]) -> None:
        """Edit one: there is no bulk verb for it."""
        if number in self.failed:
            return
        try:
            self.task.session.write("PATCH", route("experiments", number), edits)
        except DeterminedError as error:
            self.failed[number] = error

    def bulk(self, verb: str, ids: t.Iterable[int], *, anyway: bool = False, **more: t.Any) -> None:
        """Call a bulk verb, and look at what it tells of each.

        :param anyway: also for those for which something failed.
        """
        due = list(ids) if anyway else self._due(ids)
        for number, error in bulk(self.task.session, verb, due, **more).items():
            self.failed.setdefault(number, error)

    def wait(self, ids: t.Sequence[int], states: frozenset[str]) -> None:
        """Wait for one of `states`; who comes to another end has failed."""
        ends = states | DELETABLE
        due = self._due(ids)
        self.until(due, lambda one: one is None or one["state"] in ends)
        for number in self._due(due):
            one = self.seen[number]
            if one is not None and one["state"] not in states:
                self.failed[number] = Rejected(
                    f"Experiment {number} is {one['state']} by now, and won't be {' or '.join(sorted(states))} any more."
                )

    def wait_until_gone(self, doomed: list[Normal]) -> None:
        """Wait until deletions are over; what is left behind by one that failed is a failure."""
        by_id = {one["id"]: one for one in doomed}
        due = self._due(by_id)
        self.until(
            due, lambda one: one is None or one["state"] == "delete_failed", lambda number: awaited_agent(by_id[number])
        )
        for number in self._due(due):
            if self.seen[number] is not None:
                self.failed[number] = deletion_failed(by_id[number])


def _by_ids(task: Task, ids: t.Sequence[int]) -> dict[t.Any, Normal]:
    """Read experiments from the list by their ids, by id; what is not there, or not visible, is not in it."""
    found: dict[t.Any, Normal] = {}
    for start in range(0, len(ids), AT_ONCE):
        part = ids[start : start + AT_ONCE]
        query = {**BY_ID, f"{KEY}.incl": part}
        for page, _total in pages_by_key(task.session, Experiments, PATH, query, KEY, size=len(part)):
            found.update((one.id, one.normal()) for one in page)
    return found


# --- the filter ---


def _reader_options(chosen: dict[str, t.Any]) -> dict[str, t.Any]:
    """The options of the list's reader that the filter stands for."""
    spec = EXPERIMENTS.arguments.spec
    return {name: chosen.get(name, option.get("default")) for name, option in spec.items()}


def _check_filter(chosen: dict[str, t.Any]) -> None:
    """Refuse a filter that matches everything, as a whole or in a part."""
    if all(value is None for value in chosen.values()):
        raise InvalidOption("filter is empty: an empty filter never means all experiments; say which.")
    for name in ("labels", "name_contains", "project", "workspace"):
        if chosen[name] is not None and not chosen[name]:
            raise InvalidOption(f"filter.{name} is empty: leave it out, or say what it must be.")
    if chosen["older_than"] is not None and parse_duration("filter.older_than", chosen["older_than"]) == 0:
        raise InvalidOption("filter.older_than is 0: every experiment is older than that.")


def _dated(found: Normal) -> datetime.datetime:
    """From when on an experiment grows old: from its end, or from its start while it has not ended."""
    text = found["end_time"] or found["start_time"]
    return datetime.datetime.fromisoformat(text) if text else datetime.datetime.max.replace(tzinfo=datetime.UTC)


EXPERIMENT_SELECTION = ExperimentSelection()
