# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Lists of experiments: filtered, sorted, counted, up to whole (API page ml-resources, sections 3.3 and 4).

The server's filters narrow, this side decides: some are substrings, some are wildcards, some can't be told to the server at all.
Its count is used where its filters mean exactly what is asked; otherwise the list is read to its end.
"""

from __future__ import annotations

import dataclasses
import operator
import typing as t

from .._wire.errors import InvalidOption, NotFound
from .._wire.paging import PAGE, Page, pages_by_key, pages_by_offset, read_by_offset, read_memory_list, read_page
from .._wire.session import Live, Session, route
from .checkpoint import Checkpoints, shown_checkpoint
from .experiment import ACTIVE, BY_ID, KEY, Experiment, check_id
from .kind import Arguments, Normal, Reader, Task
from .lookup import Projects, literal, nearest, refuse_empty
from .masking import masked
from .user import check_limit

PATH = "/api/v1/experiments"

STATES = (
    "active",
    "queued",
    "pulling",
    "starting",
    "running",
    "paused",
    "stopping_completed",
    "stopping_canceled",
    "stopping_error",
    "stopping_killed",
    "completed",
    "canceled",
    "error",
    "deleting",
    "delete_failed",
)
SORT_BY = (
    "id",
    "name",
    "description",
    "start_time",
    "end_time",
    "state",
    "num_trials",
    "progress",
    "user",
    "forked_from",
    "resource_pool",
    "project_id",
    "checkpoint_size",
    "checkpoint_count",
    "searcher_metric_val",
)


class Listed(Experiment):
    """An experiment as lists show it: notes and ids of trials are left out."""

    def normal(self) -> Normal:
        """The normal form; what the list does not tell is None."""
        return {
            **super().normal(),
            "notes": None if self.notes else "",
            "trial_ids": None if self.num_trials else [],
        }


class Configured(Experiment):
    """An experiment with its config."""

    config: dict[str, t.Any] | None = None

    def normal(self) -> Normal:
        """The normal form, with the config as the server sent it but for its secrets, which lists show in clear (trap 16)."""
        return {**super().normal(), "config": masked(self.config)}


class ConfiguredListed(Configured, Listed):
    """An experiment as lists show it, with its config."""


class Experiments(Page):
    """One answer of ``GET /experiments``."""

    experiments: list[Listed]

    def items(self) -> list[Listed]:
        """The experiments."""
        return self.experiments


class ConfiguredExperiments(Page):
    """One answer of ``GET /experiments``, with the configs."""

    experiments: list[ConfiguredListed]

    def items(self) -> list[ConfiguredListed]:
        """The experiments."""
        return self.experiments


class Metrics(Live):
    """The metrics of a validation; a number that is none comes as ``NaN`` or ``Infinity``."""

    avg_metrics: dict[str, t.Any] | None = None


class Validation(Live):
    """One validation of a trial."""

    end_time: str | None = None
    total_batches: int = 0
    metrics: Metrics | None = None


class BestCheckpoint(Live):
    """What a trial says of its best checkpoint."""

    uuid: str
    state: str = ""
    total_batches: int = 0


class Trial(Live):
    """A trial (``proto/src/determined/trial/v1/trial.proto``)."""

    id: int
    state: str = ""
    start_time: str | None = None
    end_time: str | None = None
    restarts: int = 0
    hparams: dict[str, t.Any] | None = None
    total_batches_processed: int = 0
    best_validation: Validation | None = None
    latest_validation: Validation | None = None
    best_checkpoint: BestCheckpoint | None = None
    wall_clock_time: float | None = None
    warm_start_checkpoint_uuid: str | None = None
    checkpoint_count: int = 0
    total_checkpoint_size: int = 0
    task_ids: list[str] | None = None

    def identity(self) -> int:
        """What tells it from others."""
        return self.id

    def normal(self) -> Normal:
        """The normal form, states as words in lower case."""
        shown = self.model_dump()
        for part in (shown, shown["best_checkpoint"] or {}):
            if "state" in part:
                part["state"] = part["state"].removeprefix("STATE_").lower()
        return {**shown, "hparams": masked({"hyperparameters": self.hparams or {}})["hyperparameters"]}


class Trials(Page):
    """One answer of ``GET /experiments/{id}/trials``."""

    trials: list[Trial]

    def items(self) -> list[Trial]:
        """The trials."""
        return self.trials


@dataclasses.dataclass(frozen=True)
class Search:
    """What is asked for.

    :ivar options: the task's.
    :ivar states: the states as reads show them, or None for any.
    :ivar query: what narrows the list on the server.
    :ivar places: the values of ``projectId`` to ask with, one after the other; None asks for all.
    :ivar projects: the projects that an experiment must be in, or None for any.
    :ivar exact: whether the server's answer to `query` is just what is asked for, so that its count can be believed; but for
        archived ones, see `unarchived`.
    :ivar unarchived: whether archived ones have yet to be left out. Unless a project is asked for, the server's own
        ``archived=false`` leaves out all of archived projects and workspaces too, so it is not sent then.
    """

    options: dict[str, t.Any]
    states: frozenset[str] | None
    query: dict[str, t.Any]
    places: tuple[int | None, ...]
    projects: frozenset[int] | None
    exact: bool
    unarchived: bool

    def matches(self, found: Experiment) -> bool:
        """Whether an experiment is one of those asked for."""
        options = self.options
        return (
            (options["archived"] is None or found.archived is options["archived"])
            and (options["name"] is None or found.name == options["name"])
            and _contains(found.name, options["name_contains"])
            and _contains(found.description, options["description_contains"])
            and (self.states is None or found.word() in self.states)
            and (options["users"] is None or found.username in options["users"])
            and (self.projects is None or found.project_id in self.projects)
            and (not options["labels"] or set(options["labels"]).issubset(found.labels or ()))
        )


class ExperimentReader(Reader):
    """Experiments, all pages."""

    arguments = Arguments(
        spec={
            "id": {"type": "int"},
            "archived": {"type": "bool"},
            "states": {"type": "list", "elements": "str", "choices": list(STATES)},
            "labels": {"type": "list", "elements": "str"},
            "users": {"type": "list", "elements": "str"},
            "name": {"type": "str"},
            "name_contains": {"type": "str"},
            "description_contains": {"type": "str"},
            "project": {"type": "str"},
            "workspace": {"type": "str"},
            "sort_by": {"type": "str", "choices": list(SORT_BY), "default": "id"},
            "order": {"type": "str", "choices": ["asc", "desc"], "default": "asc"},
            "limit": {"type": "int"},
            "offset": {"type": "int", "default": 0},
            "include": {
                "type": "list",
                "elements": "str",
                "choices": ["config", "trials", "checkpoints"],
                "default": [],
            },
        },
        mutually_exclusive=(("name", "name_contains"),),
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse numbers that can't be, and empty lists of which nobody can tell whether they mean none or all."""
        check_id(options["id"])
        check_limit(options["limit"])
        if options["offset"] < 0:
            raise InvalidOption(f"offset is {options['offset']}: it must be 0 or more.")
        refuse_empty(options, "states", "users")

    def read(self, task: Task) -> dict[str, t.Any]:
        """Read the experiments that match."""
        options = task.options
        search = _search(task)
        if options["id"] is not None:
            found = _read_one(task, search)
        elif len(search.places) == 1:
            query = {**search.query, "projectId": search.places[0]}
            found = _read(task, search, query, options["offset"], options["limit"])
        else:
            found = _read_places(task, search)
        return _with_parts(task, *found)


# --- asking ---


def _search(task: Task) -> Search:
    """Find out how much of what is asked for the server can do."""
    options = task.options
    if options["users"]:
        task.names.users("users", options["users"])
    direction = "ORDER_BY_DESC" if options["order"] == "desc" else "ORDER_BY_ASC"
    query: dict[str, t.Any] = {"sortBy": f"SORT_BY_{options['sort_by'].upper()}", "orderBy": direction}
    exact = options["name"] is None
    if options["name"] is not None:
        query["name"] = literal(options["name"])
    for option, parameter in (("name_contains", "name"), ("description_contains", "description")):
        text = options[option] or ""
        # Beyond ASCII, what is the same letter without case depends on the database.
        if text and text.isascii():
            query[parameter] = literal(text)
        exact = exact and text.isascii()
    states = None
    if options["states"] is not None:
        states = frozenset(options["states"])
        query["states"], whole = _asked(states)
        states |= ACTIVE if "active" in states else frozenset()
        exact = exact and whole
    # Lists are split at commas there (trap 12), and an empty label may be none.
    for option in ("labels", "users"):
        plain = [text for text in options[option] or () if text and "," not in text]
        complete = len(plain) == len(options[option] or ())
        # Of labels all must be there, so some of them narrow; of users any, so all must be asked for.
        query[option] = plain if complete or option == "labels" else None
        exact = exact and complete
    projects = _projects(task)
    places: tuple[int | None, ...] = (None,)
    if projects is not None and (len(projects) < 2 or options["sort_by"] == "id"):
        places = tuple(sorted(projects))
    elif projects is not None:
        # The server takes one project, and several lists can't be merged in an order that only the server knows.
        exact = False
    unarchived = options["archived"] is False and places == (None,)
    query["archived"] = None if unarchived else options["archived"]
    return Search(options, states, query, places, projects, exact, unarchived)


def _projects(task: Task) -> frozenset[int] | None:
    """The ids of the projects that are asked for, or None for all."""
    name, workspace_name, session = task.options["project"], task.options["workspace"], task.session
    if name is None and workspace_name is None:
        return None
    # Workspace 0 stands for all of them.
    number = 0 if workspace_name is None else task.names.workspace("workspace", workspace_name).id
    projects = read_memory_list(session, Projects, route("workspaces", number, "projects"))
    found = [project.id for project in projects if name in (None, project.name)]
    if not found and name is not None:
        place = "" if workspace_name is None else f" in the workspace {workspace_name!r}"
        raise InvalidOption(
            f"project is {name!r}: there is no such project{place}, or you may not see it."
            f"{nearest(name, [project.name for project in projects])}"
        )
    return frozenset(found)


def _asked(words: frozenset[str]) -> tuple[list[str], bool]:
    """The server's names of states to filter by, and whether they find nothing else.

    The filter compares what the database has: ACTIVE for all four that reads show instead, RUNNING for unmanaged ones only, and
    the names of the others are a 500 (trap 13).
    """
    active = words & ACTIVE
    names = {f"STATE_{word.upper()}" for word in words - ACTIVE}
    if active:
        names.add("STATE_ACTIVE")
    if active & {"active", "running"}:
        names.add("STATE_RUNNING")
    return sorted(names), not active or "active" in active or active == ACTIVE - {"active"}


def _contains(text: str | None, part: str | None) -> bool:
    return not part or part.casefold() in (text or "").casefold()


# --- reading ---


def _read(
    task: Task, search: Search, query: dict[str, t.Any], offset: int, limit: int | None = None
) -> tuple[list[Normal], int]:
    """Read one list page by page, each dropped once its experiments are in normal form.

    :param offset: how many of those that match to leave out.
    :param limit: how many to return at most.
    :returns: the experiments, and how many match in all.
    """
    options, session = task.options, task.session
    counted = search.exact and not search.unarchived
    skip = 0 if counted else offset
    size = min(PAGE, limit) if limit is not None and counted else PAGE
    page = ConfiguredExperiments if "config" in options["include"] else Experiments
    pages: t.Iterator[tuple[list[Listed], int]]
    if options["sort_by"] == "id":
        descending = options["order"] == "desc"
        pages = pages_by_key(session, page, PATH, query, KEY, descending=descending, offset=offset - skip, size=size)
    else:
        pages = pages_by_offset(session, page, PATH, query, offset=offset - skip, size=size)
    rows: list[Normal] = []
    total = matched = dropped = 0
    for items, count in pages:
        total = count
        for item in items:
            if not search.matches(item):
                dropped += 1
                continue
            matched += 1
            if matched > skip and len(rows) != limit:
                rows.append(item.normal())
        if search.exact and len(rows) == limit:
            break
    else:
        return rows, total - dropped if counted else matched
    if search.unarchived:
        return rows, total - _count(session, {**query, "archived": True})
    return rows, total - dropped


def _count(session: Session, query: dict[str, t.Any]) -> int:
    found = read_page(session, Experiments, PATH, {**query, "limit": 1})
    return found.pagination.total or 0 if found.pagination else len(found.experiments)


def _read_places(task: Task, search: Search) -> tuple[list[Normal], int]:
    """Read the lists of several projects and merge them in the order of ids."""
    offset, limit = task.options["offset"], task.options["limit"]
    rows: dict[int, Normal] = {}
    total = 0
    for place in search.places:
        part, count = _read(
            task, search, {**search.query, "projectId": place}, 0, None if limit is None else offset + limit
        )
        fresh = {row["id"]: row for row in part if row["id"] not in rows}
        rows.update(fresh)
        # One that moved from a project to a later one while they were read is there once.
        total += count - len(part) + len(fresh)
    ordered = sorted(rows.values(), key=operator.itemgetter("id"), reverse=task.options["order"] == "desc")
    return _cut(ordered, offset, limit), total


def _read_one(task: Task, search: Search) -> tuple[list[Normal], int]:
    options = task.options
    model = Configured if "config" in options["include"] else Experiment
    found = task.session.find(model, "experiment", route("experiments", options["id"]))
    rows = [found.normal()] if found is not None and search.matches(found) else []
    return _cut(rows, options["offset"], options["limit"]), len(rows)


def _cut(rows: list[Normal], offset: int, limit: int | None) -> list[Normal]:
    return rows[offset:] if limit is None else rows[offset : offset + limit]


def _with_parts(task: Task, rows: list[Normal], total: int) -> dict[str, t.Any]:
    """Add trials and checkpoints where they are asked for, with one call an experiment each."""
    readers = {"trials": _trials, "checkpoints": _checkpoints}
    wanted = {name: reader for name, reader in readers.items() if name in task.options["include"]}
    if not wanted:
        return {"experiments": rows, "total": total}
    whole = []
    for row in rows:
        try:
            whole.append({**row, **{name: reader(task.session, row) for name, reader in wanted.items()}})
        except NotFound:
            # Deleted since the list was read.
            total -= 1
    return {"experiments": whole, "total": total}


def _trials(session: Session, row: Normal) -> list[Normal]:
    if not row["num_trials"]:
        return []
    trials, _total = read_by_offset(session, Trials, route("experiments", row["id"], "trials"), BY_ID)
    return [trial.normal() for trial in trials]


def _checkpoints(session: Session, row: Normal) -> list[Normal]:
    found = read_memory_list(session, Checkpoints, route("experiments", row["id"], "checkpoints"))
    return [shown_checkpoint(checkpoint.normal()) for checkpoint in found]


EXPERIMENTS = ExperimentReader()
