# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""One experiment: edited, moved, paused, ended, archived and deleted, never created (API page ml-resources, section 3).

The server's verbs are asymmetric (section 3.2): which of them an experiment takes depends on its state, on being archived and on
being managed. So whatever it would refuse is found out here, before the first write.
"""

from __future__ import annotations

import itertools
import typing as t

from .._deps import AliasPath, ModelField
from .._wire.errors import DeterminedError, InvalidOption, NotFound, Rejected
from .._wire.paging import Page, pages_by_key
from .._wire.session import Live, Session, route
from .._wire.wait import WAIT_SPEC, check_wait, wait_until
from .archiving import archive_again
from .kind import Arguments, Field, Kind, Normal, Task, same_set
from .lookup import Named, literal, nearest
from .rights import doubt_absence, find_or_doubt

ENDED = frozenset({"completed", "canceled", "error"})
ACTIVE = frozenset({"active", "queued", "pulling", "starting", "running"})
"""What an experiment that the master runs shows; ``active`` itself is shown as one of the others."""

PAUSED = frozenset({"paused"})
STOPPING = frozenset({"stopping_completed", "stopping_canceled", "stopping_error", "stopping_killed"})
DELETABLE = ENDED | {"delete_failed"}

VERBS = {"active": "activate", "paused": "pause", "canceled": "cancel", "killed": "kill"}
RESOURCES = {"priority": "priority", "weight": "weight", "max_slots": "maxSlots"}
METADATA = ("name", "description", "notes", "labels")
PRIORITIES = range(1, 100)
"""The server refuses others with a 500."""

ID_MAX = 2**31 - 1
KEY = "experimentIdFilter"
BY_ID = {"sortBy": "SORT_BY_ID", "orderBy": "ORDER_BY_ASC"}
NEAREST_OF = 200
"""How many of a project's newest experiments a wrong name is compared with."""


class Experiment(Live):
    """An experiment as one GET shows it (``proto/src/determined/experiment/v1/experiment.proto``), without its config.

    Of the config (which is about 2 kB) only these few places are kept, so it never becomes Python objects.
    """

    id: int
    name: str = ""
    description: str | None = None
    notes: str | None = None
    labels: list[str] | None = None
    state: str = ""
    archived: bool = False
    parent_archived: bool = False
    unmanaged: bool = False
    user_id: int | None = None
    username: str | None = None
    project_id: int | None = None
    project_name: str | None = None
    workspace_id: int | None = None
    workspace_name: str | None = None
    resource_pool: str | None = None
    priority: int | None = ModelField(None, validation_alias=AliasPath("config", "resources", "priority"))
    weight: float | None = ModelField(None, validation_alias=AliasPath("config", "resources", "weight"))
    max_slots: int | None = ModelField(None, validation_alias=AliasPath("config", "resources", "max_slots"))
    searcher_type: str | None = ModelField(None, validation_alias=AliasPath("config", "searcher", "name"))
    searcher_metric: str | None = ModelField(None, validation_alias=AliasPath("config", "searcher", "metric"))
    start_time: str | None = None
    end_time: str | None = None
    progress: float | None = None
    num_trials: int = 0
    trial_ids: list[int] | None = None
    checkpoint_count: int = 0
    checkpoint_size: int = 0
    forked_from: int | None = None
    job_id: str | None = None

    def identity(self) -> int:
        """What tells it from others."""
        return self.id

    def normal(self) -> Normal:
        """The normal form: the state as a word in lower case, labels sorted as the server shuffles them (trap 12)."""
        return {
            **self.model_dump(),
            "description": self.description or "",
            "labels": sorted(self.labels or ()),
            "state": self.word(),
        }

    def word(self) -> str:
        """The state as options and results write it."""
        return self.state.removeprefix("STATE_").lower()


class Hit(Live):
    """What finding an experiment by name needs of a list."""

    id: int
    name: str = ""

    def identity(self) -> int:
        """What tells it from others."""
        return self.id


class Hits(Page):
    """One answer of ``GET /experiments``."""

    experiments: list[Hit]

    def items(self) -> list[Hit]:
        """The experiments."""
        return self.experiments


def find_experiment(session: Session, number: int) -> Experiment | None:
    """Find an experiment by id."""
    return session.find(Experiment, "experiment", route("experiments", number))


def check_id(number: int | None, option: str = "id") -> None:
    """Refuse what can't be an experiment's id.

    :param option: where it was given, for the failure's text.
    :raises InvalidOption: out of range; the server's own answer to it is no sentence.
    """
    if number is not None and not 1 <= number <= ID_MAX:
        raise InvalidOption(f"{option} is {number}: an experiment's id is between 1 and {ID_MAX}.")


class ExperimentKind(Kind):
    """Experiments, by id, or by a name that is unique in its project."""

    name = "experiment"
    fields: t.ClassVar = {"labels": Field(same=same_set)}
    volatile = frozenset({"end_time", "progress"})
    arguments = Arguments(
        spec={
            "id": {"type": "int"},
            "name": {"type": "str"},
            "project": {"type": "str"},
            "workspace": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "new_name": {"type": "str"},
            "description": {"type": "str"},
            "notes": {"type": "str"},
            "labels": {"type": "list", "elements": "str"},
            "labels_mode": {"type": "str", "choices": ["exact", "add", "remove"], "default": "exact"},
            "archived": {"type": "bool"},
            "move_to_project": {"type": "str"},
            "move_to_workspace": {"type": "str"},
            "priority": {"type": "int"},
            "weight": {"type": "float"},
            "max_slots": {"type": "int"},
            "lifecycle": {"type": "str", "choices": ["active", "paused", "canceled", "killed"]},
            **WAIT_SPEC,
        },
        required_one_of=(("id", "name"),),
        mutually_exclusive=(("id", "name"), ("id", "project"), ("id", "workspace")),
        required_by={"name": ("project", "workspace"), "move_to_workspace": ("move_to_project",)},
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Apply the server's rules, and refuse what can't be so together."""
        check_id(options["id"])
        check_wait(options)
        for option in ("name", "new_name"):
            if options[option] is not None and not options[option].strip():
                raise InvalidOption(f"{option} is empty: an experiment's name must have more than blanks in it.")
        if options["priority"] is not None and options["priority"] not in PRIORITIES:
            raise InvalidOption(f"priority is {options['priority']}: it must be between 1 and 99.")
        for option in ("weight", "max_slots"):
            # The server stores negative numbers and leaves the scheduler to cope with them.
            if options[option] is not None and not 0 <= options[option] <= ID_MAX:
                raise InvalidOption(f"{option} is {options[option]}: it must be 0 or more, and at most {ID_MAX}.")
        for option in ("new_name", "move_to_project"):
            if options[option] is not None and options["state"] == "absent":
                raise InvalidOption(
                    f"{option} is given with state absent: an experiment that is removed can't be renamed or moved."
                )
        if options["archived"] and options["lifecycle"] in {"active", "paused"}:
            raise InvalidOption(
                f"archived is true with lifecycle {options['lifecycle']}: only an experiment that has ended can be archived."
            )

    # --- finding ---

    def find(self, task: Task) -> Normal | None:
        """Find the experiment; one that is on its way to where the task wants it is waited for."""
        number = task.options["id"]
        if number is None:
            number = _id_by_name(task)
        if number is None:
            if task.options["state"] == "absent":
                doubt_absence(task, "experiments", f"name is {task.options['name']!r}: you see no such experiment.")
            return None
        found = find_or_doubt(task, "experiments", Experiment, "experiment", route("experiments", number))
        return None if found is None else self._arrived(task, found)

    def _arrived(self, task: Task, found: Experiment) -> Normal | None:
        options, state = task.options, found.word()
        if options["state"] == "absent" and state == "deleting":
            gone = _wait_until_gone(task, found.normal()) if options["wait"] else None
            return None if gone is None else gone.normal()
        if is_ending(options, state):
            return _wait_for(task, found.id, ENDED).normal()
        return found.normal()

    # --- deciding ---

    def wanted(self, task: Task, live: Normal | None) -> Normal | None:
        """Say what is declared, and refuse what the experiment's state does not allow."""
        options = task.options
        if options["state"] == "absent":
            if live is not None:
                _check_removal(live, options)
            return None
        if live is None:
            raise InvalidOption(_missing(task))
        if live["state"] == "deleting":
            raise InvalidOption(f"{_who(live)} is being deleted: nothing of it can be declared any more.")
        wanted: Normal = {}
        for option, field in (("new_name", "name"), ("description", "description"), ("notes", "notes")):
            if options[option] is not None:
                wanted[field] = options[option]
        if options["labels"] is not None:
            wanted["labels"] = _labels(live, options)
        wanted.update(_resources(live, options))
        wanted.update(_destination(task, live))
        state = _next_state(live, options)
        if state is not None:
            wanted["state"] = state
        if options["archived"] is not None:
            _check_archiving(live, options["archived"], state or live["state"], options["wait"])
            wanted["archived"] = options["archived"]
        return wanted

    # --- writing ---

    def create(self, task: Task, wanted: Normal) -> Normal:
        """Never called: `wanted` refuses an experiment that is not there."""
        raise InvalidOption("experiments can't be created by this module.")

    def update(self, task: Task, live: Normal, changes: Normal) -> Normal:
        """Write the changes in the one order that the server takes: an archived experiment can't move, nor can one that still
        runs be archived, and resources can be changed only before it is stopped."""
        session, number = task.session, live["id"]
        moves = "project_id" in changes
        reopened = live["archived"] and moves and "archived" not in changes
        if changes.get("archived") is False or reopened:
            session.write("POST", route("experiments", number, "unarchive"))
        try:
            edits: dict[str, t.Any] = {name: changes[name] for name in METADATA if name in changes}
            resources = {wire: changes[name] for name, wire in RESOURCES.items() if name in changes}
            if resources:
                edits["resources"] = resources
            if edits:
                session.write("PATCH", route("experiments", number), edits)
            if moves:
                body = {"destinationProjectId": changes["project_id"]}
                session.write("POST", route("experiments", number, "move"), body)
        except DeterminedError as error:
            if reopened:
                archive_again(session, "experiments", number, error)
            raise
        if reopened:
            session.write("POST", route("experiments", number, "archive"))
        if "state" in changes:
            self._steer(task, number)
        if changes.get("archived"):
            session.write("POST", route("experiments", number, "archive"))
        after = _reread(task, number).normal()
        self._check_resources(after, changes)
        return after

    def _steer(self, task: Task, number: int) -> None:
        lifecycle = task.options["lifecycle"]
        task.session.write("POST", route("experiments", number, VERBS[lifecycle]))
        if task.options["wait"]:
            _wait_for(task, number, reached_by(lifecycle))

    def _check_resources(self, after: Normal, changes: Normal) -> None:
        """A priority that the scheduler refuses is taken back by the server, which answers 200 all the same (API page, 3.5)."""
        kept = [name for name in RESOURCES if name in changes and after[name] != changes[name]]
        if kept:
            raise Rejected(
                f"The master answered 200, but kept {', '.join(f'{name} {after[name]}' for name in kept)} of {_who(after)}."
            )

    def remove(self, task: Task, live: Normal) -> None:
        """Kill it if it still runs, delete it, and wait until it is gone."""
        number = live["id"]
        if live["state"] not in DELETABLE:
            task.session.write("POST", route("experiments", number, "kill"))
            # Without this wait there is nothing to delete, so it is made whatever the option wait says.
            _wait_for(task, number, ENDED)
        task.session.write("DELETE", route("experiments", number))
        if task.options["wait"]:
            left = _wait_until_gone(task, live)
            if left is not None:
                raise deletion_failed(live)


# --- finding by name ---


def _id_by_name(task: Task) -> int | None:
    """Find the one experiment of that name, where it was or where the task moves it to and under either name."""
    options, session = task.options, task.session
    try:
        places = _places(task)
    except InvalidOption:
        if options["state"] == "absent":
            # A project that is gone took its experiments along.
            return None
        raise
    names = dict.fromkeys((options["name"], options["new_name"] or options["name"]))
    found: dict[int, str] = {}
    for place, name in itertools.product({place.id: place for place in places}.values(), names):
        query = {"projectId": place.id, "name": literal(name), **BY_ID}
        for hits, _total in pages_by_key(session, Hits, "/api/v1/experiments", query, KEY):
            found.update((hit.id, f"{hit.id} ({name!r} in {place.name!r})") for hit in hits if hit.name == name)
    if len(found) > 1:
        raise InvalidOption(
            f"name is {options['name']!r}: {len(found)} experiments answer to it, {', '.join(list(found.values())[:5])}"
            f"{' and more' if len(found) > 5 else ''}; give the id of the one that is meant."
        )
    return next(iter(found), None)


def _places(task: Task) -> list[Named]:
    """The projects in which an experiment may be that is told by its name."""
    options = task.options
    workspace = task.names.workspace("workspace", options["workspace"])
    places = [task.names.project("project", options["project"], workspace)]
    if options["move_to_project"] is not None:
        target = workspace
        if options["move_to_workspace"] not in (None, workspace.name):
            target = task.names.workspace("move_to_workspace", options["move_to_workspace"])
        places.append(task.names.project("move_to_project", options["move_to_project"], target))
    return places


def _missing(task: Task) -> str:
    """Say that the experiment is not there, with the nearest names of its project's newest."""
    options = task.options
    if options["id"] is not None:
        return f"id is {options['id']}: there is no such experiment, or you may not see it."
    workspace = task.names.workspace("workspace", options["workspace"])
    project = task.names.project("project", options["project"], workspace)
    query = {"projectId": project.id, **BY_ID, "orderBy": "ORDER_BY_DESC"}
    newest = pages_by_key(task.session, Hits, "/api/v1/experiments", query, KEY, descending=True, size=NEAREST_OF)
    names = [hit.name for hit in next(newest)[0]]
    return (
        f"name is {options['name']!r}: there is no such experiment in the project {project.name!r} of {workspace.name!r}, or "
        f"you may not see it.{nearest(options['name'], names)}"
    )


# --- preconditions ---


def _who(live: Normal) -> str:
    return f"experiment {live['id']} ({live['name']!r})"


def _is_held(live: Normal) -> bool:
    """Whether the master runs it or may go on to, which is what most verbs ask for."""
    return not live["unmanaged"] and (live["state"] in ACTIVE or live["state"] == "paused")


def _can_be_hastened(state: str, lifecycle: str) -> bool:
    return lifecycle == "killed" and state == "stopping_canceled"


def is_ending(options: dict[str, t.Any], state: str) -> bool:
    """Whether it is about to end as the options want it to, and is waited for before anything is decided.

    A kill hastens a cancellation, so that one is not waited for.
    """
    ending = options["lifecycle"] in {"canceled", "killed"} and state in STOPPING
    awaited = options["wait"] or options["state"] == "absent"
    return ending and awaited and not _can_be_hastened(state, options["lifecycle"])


def reached_by(lifecycle: str) -> frozenset[str]:
    """The states in which a wait for a lifecycle is over. What was activated may have ended before the first look."""
    return {"active": ACTIVE | STOPPING | ENDED, "paused": PAUSED}.get(lifecycle, ENDED)


def _labels(live: Normal, options: dict[str, t.Any]) -> list[str]:
    declared, present = set(options["labels"]), set(live["labels"])
    by_mode = {"exact": declared, "add": present | declared, "remove": present - declared}
    return sorted(by_mode[options["labels_mode"]])


def _resources(live: Normal, options: dict[str, t.Any]) -> Normal:
    due = {name: options[name] for name in RESOURCES if options[name] is not None and options[name] != live[name]}
    if due and not _is_held(live):
        what = "is unmanaged" if live["unmanaged"] else f"is {live['state']}"
        raise InvalidOption(
            f"{', '.join(due)}: {_who(live)} {what}, and only one that the master runs or holds paused has resources to change "
            f"({', '.join(f'{name} is {live[name]}' for name in due)})."
        )
    return due


def _destination(task: Task, live: Normal) -> Normal:
    """Where it moves to; empty when it is there, as a move to where it is renumbers its runs (API page, 3.4)."""
    project_name = task.options["move_to_project"]
    workspace_name = task.options["move_to_workspace"] or live["workspace_name"]
    if project_name is None or (project_name, workspace_name) == (live["project_name"], live["workspace_name"]):
        return {}
    if live["archived"] and task.options["archived"] is None:
        raise InvalidOption(
            f"move_to_project is {project_name!r}: {_who(live)} is archived and can't be moved: set archived to true to have it "
            "unarchived, moved and archived again, or to false to unarchive it."
        )
    if live["archived"] and live["state"] not in ENDED:
        raise InvalidOption(f"move_to_project is {project_name!r}: {_unmovable(live)}")
    if live["parent_archived"]:
        raise InvalidOption(
            f"move_to_project is {project_name!r}: {_who(live)} is in the project {live['project_name']!r} of "
            f"{live['workspace_name']!r}, which is archived; unarchive that first."
        )
    option = "workspace" if task.options["move_to_workspace"] is None else "move_to_workspace"
    workspace = task.names.workspace(option, workspace_name)
    project = task.names.project("move_to_project", project_name, workspace)
    if project.archived or workspace.archived:
        raise InvalidOption(
            f"move_to_project is {project_name!r}: that project of {workspace_name!r} is archived, and takes no experiments."
        )
    return {
        "project_id": project.id,
        "project_name": project.name,
        "workspace_id": workspace.id,
        "workspace_name": workspace.name,
    }


def _unmovable(live: Normal) -> str:
    return f"{_who(live)} is archived and {live['state']}, having been continued; the server takes it out of the archive only when it has ended."


def _next_state(live: Normal, options: dict[str, t.Any]) -> str | None:
    """The state that the declared lifecycle brings it to, or None when there is nothing to do."""
    lifecycle, state = options["lifecycle"], live["state"]
    stops = lifecycle in {"canceled", "killed"}
    reached = {"active": ACTIVE, "paused": PAUSED}.get(lifecycle, DELETABLE | STOPPING)
    if lifecycle is None or (state in reached and not _can_be_hastened(state, lifecycle)):
        return None
    if live["unmanaged"]:
        raise InvalidOption(
            f"lifecycle is {lifecycle}: {_who(live)} is unmanaged (state {state}): not the master runs it, so the master can't "
            f"{VERBS[lifecycle]} it."
        )
    if live["archived"] and state not in ENDED:
        raise InvalidOption(
            f"lifecycle is {lifecycle}: {_who(live)} is archived and {state}, having been continued; only its trials can be killed."
        )
    if not (stops or _is_held(live) or (lifecycle == "active" and state == "stopping_error")):
        has = "has ended" if state in DELETABLE else "is stopping"
        raise InvalidOption(
            f"lifecycle is {lifecycle}: {_who(live)} is {state}, and one that {has} can't be {lifecycle} again."
        )
    if stops:
        return "canceled" if options["wait"] else f"stopping_{lifecycle}"
    return "queued" if lifecycle == "active" else "paused"


def _check_archiving(live: Normal, archived: bool, state: str, wait: bool) -> None:
    """Refuse what the server refuses.

    :param state: the state that it has by then.
    """
    if live["archived"] == archived or state in ENDED:
        return
    if not archived:
        raise InvalidOption(f"archived is false: {_unmovable(live)}")
    if state in STOPPING and not wait:
        advice = "set wait to true"
    elif state == "delete_failed":
        advice = "delete it"
    else:
        advice = "wait for its end, or give lifecycle canceled or killed with it"
    raise InvalidOption(
        f"archived is true: {_who(live)} is {state}, and only one that has ended (completed, canceled, error) can be archived: "
        f"{advice}."
    )


def deletion_failed(live: Normal) -> Rejected:
    """The failure of a deletion that the server gave up."""
    return Rejected(
        f"The deletion of {_who(live)} failed (state delete_failed); the master's log says why. A second run tries again."
    )


def awaited_agent(live: Normal) -> str:
    """A sentence for a deletion that takes long, or an empty text."""
    if not live["checkpoint_count"]:
        return ""
    return " It has checkpoints, which are removed by a task on an agent: no agent, no end."


def _check_removal(live: Normal, options: dict[str, t.Any]) -> None:
    if live["state"] in DELETABLE:
        return
    if live["unmanaged"]:
        raise InvalidOption(
            f"state is absent: {_who(live)} is {live['state']} and unmanaged: not the master runs it, so it must end by itself "
            "before it can be deleted."
        )
    if live["archived"]:
        raise InvalidOption(
            f"state is absent: {_who(live)} is archived and {live['state']}, having been continued; only its trials can be killed."
        )
    if options["lifecycle"] != "killed":
        raise InvalidOption(
            f"state is absent: {_who(live)} is {live['state']}, and only one that has ended can be deleted: give lifecycle killed "
            "with it to have it killed first."
        )


# --- waiting ---


def _reread(task: Task, number: int) -> Experiment:
    found = find_experiment(task.session, number)
    if found is None:
        raise NotFound(f"Experiment {number} disappeared while it was being changed.")
    return found


def _wait_for(task: Task, number: int, states: frozenset[str]) -> Experiment:
    """Wait for one of `states`.

    :raises Rejected: it came to another end.
    """

    def look() -> Experiment:
        found = _reread(task, number)
        state = found.word()
        if state not in states and state in DELETABLE:
            raise Rejected(
                f"Experiment {number} is {state} by now, and won't be {' or '.join(sorted(states))} any more."
            )
        return found

    return wait_until(
        task.options,
        look,
        lambda found: found.word() in states,
        lambda found: f"experiment {number} is {found.word()}.",
    )


def _wait_until_gone(task: Task, live: Normal) -> Experiment | None:
    """Wait until a deletion is over; what it leaves behind when it failed is returned."""
    hint = awaited_agent(live)
    return wait_until(
        task.options,
        lambda: find_experiment(task.session, live["id"]),
        lambda found: found is None or found.word() == "delete_failed",
        lambda found: f"experiment {live['id']} is {found.word() if found else 'gone'}.{hint}",
    )


EXPERIMENT = ExperimentKind()
