# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Lists of notebooks, shells, commands and TensorBoards: to be read, or to be killed."""

from __future__ import annotations

import datetime
import typing as t

from .._wire.errors import DeterminedError, InvalidOption, TimedOut
from .._wire.paging import read_memory_list
from .._wire.session import route
from .._wire.wait import check_wait, wait_until
from .cluster import ResourcePools
from .duration import delta, parse_duration
from .kind import Arguments, Normal, Reader, Selection, Task
from .lookup import nearest, refuse_empty
from .task import ENDING, SELECTORS, TASK, TYPES, find_task, read_tasks, shown_task
from .user import check_limit

STATES = ("queued", "pulling", "starting", "waiting", "running", "terminating", "terminated")


class TaskReader(Reader):
    """Tasks that the master remembers: the live ones, and those that ended within the last day."""

    arguments = Arguments(
        spec={
            "id": {"type": "str"},
            "types": {"type": "list", "elements": "str", "choices": list(TYPES)},
            "description": {"type": "str"},
            "states": {"type": "list", "elements": "str", "choices": list(STATES)},
            "users": {"type": "list", "elements": "str"},
            "workspace": {"type": "str"},
            "resource_pool": {"type": "str"},
            "include": {"type": "list", "elements": "str", "choices": ["config"], "default": []},
            "limit": {"type": "int"},
        },
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse a limit below 1, and empty lists of which nobody can tell whether they mean none or all."""
        check_limit(options["limit"])
        refuse_empty(options, "types", "states", "users")

    def read(self, task: Task) -> dict[str, t.Any]:
        """Read the tasks that match: a call for each type, and with configurations one for each task."""
        options = task.options
        found = [one for one in _read(task, options["types"]) if _is_asked_for(one, options)]
        total, shown = len(found), []
        for one in found[: options["limit"]]:
            whole = find_task(task.session, one["type"], one["id"]) if "config" in options["include"] else one
            if whole is None:
                # Forgotten since the list was read.
                total -= 1
                continue
            shown.append(shown_task(whole))
        return {"tasks": shown, "total": total}


class TasksToKill(Selection):
    """Live tasks that are older than some time, of some users, or in a resource pool. Their type alone selects none."""

    kind = TASK
    plural = "tasks"
    title = "description"
    arguments = TASK.arguments

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse what selects no less than everything, and what is for one task."""
        check_wait(options)
        given = ", ".join(name for name in SELECTORS if options[name] is not None)
        if options["state"] != "killed":
            raise InvalidOption(f"{given} is given with state running: only tasks to be killed are selected so.")
        for option in ("config", "template", "priority"):
            if options[option] is not None:
                raise InvalidOption(f"{option} is given with state killed: what is killed can't have it.")
        refuse_empty(options, "users", "resource_pool")
        if options["older_than"] is not None and parse_duration("older_than", options["older_than"]) == 0:
            raise InvalidOption("older_than is 0: every task is older than that; name users or a resource_pool.")

    def read(self, task: Task) -> list[Normal]:
        """Read the live tasks that are selected; what is terminating has been killed already."""
        options = task.options
        _check_pool(task)
        found = _read(task, None if options["type"] is None else [options["type"]])
        limit = None
        if options["older_than"] is not None:
            age = delta(parse_duration("older_than", options["older_than"]))
            limit = datetime.datetime.now(datetime.UTC) - age
        return [
            one
            for one in found
            if one["state"] not in ENDING
            and (options["users"] is None or one["username"] in options["users"])
            and options["resource_pool"] in (None, one["resource_pool"])
            and (limit is None or _started(one) < limit)
        ]

    def read_again(self, task: Task, items: t.Sequence[Normal]) -> dict[t.Any, Normal]:
        """Read them with a call for each of their types."""
        ids = {one["id"] for one in items}
        kinds = dict.fromkeys(one["type"] for one in items)
        return {one["id"]: one for kind in kinds for one in read_tasks(task.session, kind) if one["id"] in ids}

    def options_for(self, options: dict[str, t.Any], item: Normal) -> dict[str, t.Any]:
        """That this one be killed."""
        return {**options, "id": item["id"], "type": item["type"]}

    def write(self, task: Task, changes: t.Sequence[tuple[Normal, Normal | None]]) -> dict[t.Any, DeterminedError]:
        """Kill them one after the other, then wait for all of them."""
        failed: dict[t.Any, DeterminedError] = {}
        for live, _fields in changes:
            try:
                task.session.write("POST", route(TYPES[live["type"]], live["id"], "kill"))
            except DeterminedError as error:
                failed[live["id"]] = error
        waiting = [live for live, _fields in changes if live["id"] not in failed]
        if waiting and task.options["wait"]:
            failed |= self._wait(task, waiting)
        return failed

    def _wait(self, task: Task, killed: list[Normal]) -> dict[t.Any, DeterminedError]:
        left: list[Normal] = killed

        def look() -> list[Normal]:
            nonlocal left
            left = [one for one in self.read_again(task, left).values() if one["state"] != "terminated"]
            return left

        try:
            wait_until(task.options, look, lambda found: not found, lambda found: f"{len(found)} have not ended.")
        except TimedOut as error:
            return {one["id"]: TimedOut(f"{error} This one is {one['state']}.") for one in left}
        return {}


def _read(task: Task, kinds: t.Sequence[str] | None) -> list[Normal]:
    """Read the tasks of some types, or of all, in one workspace if one is named; the names in the options are checked."""
    options = task.options
    if options["users"]:
        task.names.users("users", options["users"])
    workspace = options["workspace"]
    number = None if workspace is None else task.names.workspace("workspace", workspace).id
    return [one for kind in TYPES if kinds is None or kind in kinds for one in read_tasks(task.session, kind, number)]


def _is_asked_for(found: Normal, options: dict[str, t.Any]) -> bool:
    return (
        options["id"] in (None, found["id"])
        and options["description"] in (None, found["description"])
        and options["resource_pool"] in (None, found["resource_pool"])
        and (options["states"] is None or found["state"] in options["states"])
        and (options["users"] is None or found["username"] in options["users"])
    )


def _check_pool(task: Task) -> None:
    name = task.options["resource_pool"]
    if name is None:
        return
    pools = [pool.name for pool in read_memory_list(task.session, ResourcePools, "/api/v1/resource-pools")]
    if name not in pools:
        raise InvalidOption(f"resource_pool is {name!r}: there is no such resource pool.{nearest(name, pools)}")


def _started(found: Normal) -> datetime.datetime:
    """When a task was launched; one that does not tell is taken for new."""
    text = found["start_time"]
    return datetime.datetime.fromisoformat(text) if text else datetime.datetime.max.replace(tzinfo=datetime.UTC)


TASKS = TaskReader()
TASKS_TO_KILL = TasksToKill()
