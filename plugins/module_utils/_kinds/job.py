# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Jobs: what waits for resources or has them, in the queue of its pool (API page identity-and-cluster, section 10).

Each pool has a queue of its own, and no call reads them all. A paused experiment is in none, yet takes priority, weight and pool,
which its configuration shows. What has ended is in none either; the master goes on accepting edits of a task that has ended for
as long as it remembers it, so those are refused here.
"""

from __future__ import annotations

import typing as t

from .._wire.errors import DeterminedError, InvalidOption, NotFound, Rejected
from .._wire.paging import Page, read_memory_list
from .._wire.session import Live, Session, route
from .cluster import ResourcePool, ResourcePools
from .experiment import ACTIVE, ID_MAX, PAUSED, PRIORITIES, STOPPING, Experiment, check_id, find_experiment
from .kind import Arguments, Kind, Normal, Reader, Task
from .lookup import nearest
from .user import check_limit

QUEUES = "/api/v1/job-queues"
WHOLE_QUEUE = 2**31 - 1
"""The limit that reads all of a queue; none means 100 (API page, section 10)."""

EDITS = {"resource_pool": "resourcePool", "priority": "priority", "weight": "weight"}
"""What can be changed, in the order in which it is sent: a priority is given to the scheduler of the pool that the job is then in."""

TYPES = ("experiment", "notebook", "tensorboard", "shell", "command", "checkpoint_gc", "external", "generic")
STATES = ("queued", "scheduled", "scheduled_backfilled")
IMMOVABLE = frozenset({"notebook", "tensorboard", "shell", "command"})
KUBERNETES, FAIR_SHARE = "SCHEDULER_TYPE_KUBERNETES", "SCHEDULER_TYPE_FAIR_SHARE"


class Summary(Live):
    """Where a job stands."""

    state: str = ""
    jobs_ahead: int | None = None


class Job(Live):
    """A job (``proto/src/determined/job/v1/job.proto``). What the caller may not see of another's is null."""

    job_id: str
    type: str = ""
    entity_id: str | None = None
    name: str | None = None
    username: str | None = None
    user_id: int | None = None
    workspace_id: int | None = None
    resource_pool: str = ""
    priority: int | None = None
    weight: float | None = None
    is_preemptible: bool = False
    requested_slots: int = 0
    allocated_slots: int = 0
    progress: float | None = None
    submission_time: str | None = None
    summary: Summary | None = None

    def normal(self) -> Normal:
        """The normal form: its id as ``id``, its summary unfolded, types and states as words in lower case."""
        found: Normal = self.model_dump()
        del found["job_id"], found["summary"]
        summary = self.summary or Summary()
        return {
            "id": self.job_id,
            **found,
            "type": self.word(),
            "state": summary.state.removeprefix("STATE_").lower(),
            "jobs_ahead": summary.jobs_ahead,
        }

    def word(self) -> str:
        """Its type as options and results write it."""
        return self.type.removeprefix("TYPE_").lower()


class Entry(Live):
    """A place in a queue: the job, or what may be seen of it."""

    full: Job | None = None
    limited: Job | None = None


class Queue(Page):
    """One answer of ``GET /job-queues-v2``."""

    jobs: list[Entry]

    def items(self) -> list[Entry]:
        """Its places."""
        return self.jobs


class TaskState(Live):
    """What finding a job needs of a task."""

    task_id: str
    end_time: str | None = None


def read_pools(session: Session) -> list[ResourcePool]:
    """Read the resource pools; under RBAC only those that the caller may see."""
    return read_memory_list(session, ResourcePools, "/api/v1/resource-pools")


def read_queue(session: Session, pool: str) -> list[Job]:
    """Read the whole queue of a pool, of which an empty name means the default one."""
    query = {"resourcePool": pool, "limit": WHOLE_QUEUE}
    found = read_memory_list(session, Queue, f"{QUEUES}-v2", query)
    return [job for entry in found for job in (entry.full or entry.limited,) if job is not None]


def read_queues(session: Session) -> list[Job]:
    """Read the queues of all pools, one call each; a job that moves meanwhile is kept once."""
    found = {job.job_id: job for pool in read_pools(session) for job in read_queue(session, pool.name)}
    return list(found.values())


def _of_experiment(experiment: Experiment) -> Normal:
    """The job of an experiment that is in no queue, as its configuration tells; the master keeps edits of it there."""
    return Job(
        job_id=experiment.job_id or "",
        type="TYPE_EXPERIMENT",
        entity_id=str(experiment.id),
        name=experiment.name,
        username=experiment.username,
        user_id=experiment.user_id,
        workspace_id=experiment.workspace_id,
        resource_pool=experiment.resource_pool or "",
        priority=experiment.priority,
        weight=experiment.weight,
        progress=experiment.progress,
        submission_time=experiment.start_time,
        summary=Summary(state=experiment.word()),
    ).normal()


class JobKind(Kind):
    """Jobs, by their own id, or by the experiment or task that they belong to."""

    name = "job"
    volatile = frozenset({"state", "jobs_ahead", "allocated_slots", "progress", "is_preemptible"})
    arguments = Arguments(
        spec={
            "job": {"type": "str"},
            "experiment": {"type": "int"},
            "task": {"type": "str"},
            "priority": {"type": "int"},
            "weight": {"type": "float"},
            "resource_pool": {"type": "str"},
        },
        required_one_of=(("job", "experiment", "task"), tuple(EDITS)),
        mutually_exclusive=(("job", "experiment", "task"),),
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Apply the server's rules, and refuse what it would store and no scheduler could use."""
        check_id(options["experiment"], "experiment")
        for option in ("job", "task", "resource_pool"):
            if options[option] is not None and not options[option].strip():
                # To the server an empty pool means the default one.
                raise InvalidOption(f"{option} is empty: give its {'name' if option == 'resource_pool' else 'id'}.")
        if options["priority"] is not None and options["priority"] not in PRIORITIES:
            raise InvalidOption(f"priority is {options['priority']}: it must be between 1 and 99.")
        if options["weight"] is not None and not 0 < options["weight"] <= ID_MAX:
            raise InvalidOption(f"weight is {options['weight']:g}: it must be more than 0, and at most {ID_MAX}.")

    # --- finding ---

    def find(self, task: Task) -> Normal | None:
        """Find the job; one that has ended is refused."""
        options, session = task.options, task.session
        if options["experiment"] is not None:
            return _find_by_experiment(session, options["experiment"])
        jobs = read_queues(session)
        option, attribute = ("job", "job_id") if options["job"] is not None else ("task", "entity_id")
        number = options[option]
        found = next((job for job in jobs if getattr(job, attribute) == number and _is_meant(job, option)), None)
        if found is None:
            raise InvalidOption(_missing(session, option, number))
        return found.normal()

    # --- deciding ---

    def wanted(self, task: Task, live: Normal | None) -> Normal | None:
        """Say what is declared, and refuse a move that this type of job can't make."""
        wanted = {name: task.options[name] for name in EDITS if task.options[name] is not None}
        pool = wanted.get("resource_pool")
        if live is not None and pool not in (None, live["resource_pool"]) and live["type"] in IMMOVABLE:
            raise InvalidOption(
                f"resource_pool is {pool!r}: {_who(live)} is in {live['resource_pool']!r}, and only experiments can move to another "
                "pool."
            )
        return wanted

    def guard(self, task: Task, changes: t.Sequence[tuple[Normal | None, Normal | None]]) -> None:
        """Refuse a pool that is not there and what Kubernetes would say yes to and not do; warn of what does not count."""
        live, due = changes[0]
        if live is None or due is None:
            return
        if live["type"] == "experiment" and live["entity_id"] is None:
            raise InvalidOption(f"job is {live['id']!r}: it belongs to an experiment that you may not see.")
        pools = {pool.name: pool for pool in read_pools(task.session)}
        name = str(due.get("resource_pool", live["resource_pool"]))
        if "resource_pool" in due and name not in pools:
            raise InvalidOption(
                f"resource_pool is {name!r}: there is no such resource pool, or you may not see it.{nearest(name, pools)}"
            )
        scheduler = pools[name].scheduler_type if name in pools else None
        if scheduler == KUBERNETES:
            _refuse_on_kubernetes(live, due, name)
        for option, counts in (("priority", scheduler != FAIR_SHARE), ("weight", scheduler == FAIR_SHARE)):
            if option in due and not counts and scheduler is not None:
                kind = scheduler.removeprefix("SCHEDULER_TYPE_").lower()
                task.warn(f"{option} is stored, but the scheduler of resource pool {name!r} ({kind}) does not heed it.")

    # --- writing ---

    def create(self, task: Task, wanted: Normal) -> Normal:
        """Never called: `find` refuses a job that is not there."""
        raise InvalidOption("jobs are made by what is submitted.")

    def update(self, task: Task, live: Normal, changes: Normal) -> Normal:
        """Write the changes, and read again what has come of them."""
        if live["type"] == "experiment":
            _update_experiment(task.session, int(live["entity_id"]), changes)
        else:
            _write(task.session, live["id"], changes)
        after = self._read_again(task, live)
        kept = [name for name in EDITS if name in changes and after[name] != changes[name]]
        if kept:
            raise Rejected(
                f"The master answered 200, but {_who(live)} still has {', '.join(f'{name} {after[name]}' for name in kept)}: what "
                "manages its resources did not take the change."
            )
        return after

    def _read_again(self, task: Task, live: Normal) -> Normal:
        if live["type"] == "experiment":
            # On its way to another pool it may be in no queue.
            return _find_by_experiment(task.session, int(live["entity_id"]))
        found = next((job for job in read_queue(task.session, live["resource_pool"]) if job.job_id == live["id"]), None)
        if found is None:
            raise NotFound(f"{_who(live)} ended while it was being changed.")
        return found.normal()

    def remove(self, task: Task, live: Normal) -> None:
        """Never called: no state removes a job."""
        raise InvalidOption("jobs end with what they belong to.")


def _write(session: Session, job: str, changes: Normal) -> None:
    """Change a job in its queue; several changes are applied one by one, the rest after one that fails too."""
    updates = [{"jobId": job, wire: changes[name]} for name, wire in EDITS.items() if name in changes]
    session.write("POST", QUEUES, {"updates": updates})


def _update_experiment(session: Session, number: int, changes: Normal) -> None:
    """Change the job of an experiment.

    A change in the queue stores the configuration that the master holds in memory since its start, and so takes back the name,
    description and labels that the experiment was given since (seen on a running 0.38.1 master). An edit of the experiment
    does not, but can't move it: so it is used for all else, and to give back what a move took.
    """
    edits: Normal = {name: changes[name] for name in ("priority", "weight") if name in changes}
    if "resource_pool" in changes:
        before = _read_experiment(session, number)
        try:
            _write(session, before.job_id or "", {"resource_pool": changes["resource_pool"]})
        finally:
            _give_back(session, before)
    if edits:
        session.write("PATCH", route("experiments", number), {"resources": edits})


def _give_back(session: Session, before: Experiment) -> None:
    """Give an experiment the name, description and labels that it had.

    :raises DeterminedError: the write failed, with what they were.
    """
    after = _read_experiment(session, before.id)
    had, has = before.normal(), after.normal()
    lost = {name: had[name] for name in ("name", "description", "labels") if had[name] != has[name]}
    if not lost:
        return
    try:
        session.write("PATCH", route("experiments", before.id), lost)
    except DeterminedError as error:
        raise type(error)(
            f"The move took from experiment {before.id} what it had been given since the start of the master, and it could not be "
            f"given back: {', '.join(f'{name} {value!r}' for name, value in lost.items())}. {error}",
            error.failure,
        ) from error


def _read_experiment(session: Session, number: int) -> Experiment:
    found = find_experiment(session, number)
    if found is None:
        raise NotFound(f"Experiment {number} disappeared while it was being changed.")
    return found


def _is_meant(job: Job, option: str) -> bool:
    """Whether an id of this kind may mean the job: the entity of an experiment's is a number of its own, no task."""
    return option == "job" or job.word() != "experiment"


def _find_by_experiment(session: Session, number: int) -> Normal:
    """Find the job of an experiment, in its pool's queue or, while it is in none, by its configuration.

    :raises InvalidOption: it is not there, has ended, or is not run by the master.
    """
    found = find_experiment(session, number)
    if found is None:
        raise InvalidOption(f"experiment is {number}: there is no such experiment, or you may not see it.")
    state = found.word()
    if found.unmanaged:
        raise InvalidOption(f"experiment is {number}: it is unmanaged; not the master runs it, so it has no job.")
    if state not in ACTIVE | PAUSED | STOPPING:
        raise InvalidOption(f"experiment is {number}: it is {state}, and what has ended has no job any more.")
    if state not in PAUSED:
        for job in read_queue(session, found.resource_pool or ""):
            if job.job_id == found.job_id:
                return job.normal()
    return _of_experiment(found)


def _missing(session: Session, option: str, number: str) -> str:
    if option == "job":
        return (
            f"job is {number!r}: it is in no queue that you may see: it has ended, or belongs to an experiment that is paused, "
            "which is found by its number (experiment)."
        )
    try:
        task = session.find(TaskState, "task", route("tasks", number))
    except InvalidOption:
        task = None
    if task is None:
        return f"task is {number!r}: there is no such task, or you may not see it; it is given by its whole id."
    if task.end_time is not None:
        return f"task is {number!r}: it has ended, and what has ended has no job any more."
    return f"task is {number!r}: no job in the queues belongs to it; the job of a trial is found by its experiment."


def _who(live: Normal) -> str:
    what = "the job" if live["entity_id"] is None else f"{live['type']} {live['entity_id']}"
    return what if live["name"] is None else f"{what} ({live['name']!r})"


def _refuse_on_kubernetes(live: Normal, due: Normal, pool: str) -> None:
    """Refuse what the Kubernetes resource manager does not support: the master stores it and answers 200.

    ``SetGroupWeight`` and ``SetGroupPriority`` in ``master/internal/rm/kubernetesrm/resource_pool.go``; of a paused experiment
    nothing has been submitted yet, and an experiment's trials can be preempted.
    """
    if "weight" in due:
        raise InvalidOption(
            f"weight is {due['weight']:g}: resource pool {pool!r} is on Kubernetes, which knows no weights; the master would say yes "
            "and do nothing."
        )
    if "priority" in due and live["type"] != "experiment":
        raise InvalidOption(
            f"priority is {due['priority']}: resource pool {pool!r} is on Kubernetes, where only the priority of experiments can be "
            f"changed; the master would say yes for {_who(live)} and do nothing."
        )


class JobReader(Reader):
    """The jobs of all queues, or of one."""

    arguments = Arguments(
        spec={
            "resource_pool": {"type": "str"},
            "types": {"type": "list", "elements": "str", "choices": list(TYPES)},
            "states": {"type": "list", "elements": "str", "choices": list(STATES)},
            "users": {"type": "list", "elements": "str"},
            "workspace": {"type": "str"},
            "limit": {"type": "int"},
        },
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse a limit below 1, and an empty pool, which means the default one to the server."""
        check_limit(options["limit"])
        if options["resource_pool"] is not None and not options["resource_pool"].strip():
            raise InvalidOption("resource_pool is empty: give a pool's name, or leave it out for all.")

    def read(self, task: Task) -> dict[str, t.Any]:
        """Read the queues, and return the jobs that match in the order of their queues."""
        options, session = task.options, task.session
        workspace = options["workspace"]
        workspace_id = None if workspace is None else task.names.workspace("workspace", workspace).id
        if options["users"]:
            task.names.users("users", options["users"])
        pool = options["resource_pool"]
        jobs = [job.normal() for job in (read_queues(session) if pool is None else _read_named_queue(session, pool))]
        matching = [job for job in jobs if _matches(job, options, workspace_id)]
        return {"jobs": matching[: options["limit"]], "total": len(matching)}


def _read_named_queue(session: Session, pool: str) -> list[Job]:
    try:
        return read_queue(session, pool)
    except Rejected:
        names = [found.name for found in read_pools(session)]
        if pool in names:
            raise
        raise InvalidOption(
            f"resource_pool is {pool!r}: there is no such resource pool, or you may not see it.{nearest(pool, names)}"
        ) from None


def _matches(job: Normal, options: dict[str, t.Any], workspace_id: int | None) -> bool:
    return (
        (not options["types"] or job["type"] in options["types"])
        and (not options["states"] or job["state"] in options["states"])
        and (not options["users"] or job["username"] in options["users"])
        and (workspace_id is None or job["workspace_id"] == workspace_id)
    )


JOB = JobKind()
JOBS = JobReader()
