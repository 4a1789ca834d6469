# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The job queues (master/internal/api_job.go, master/internal/job/jobservice/jobservice.go)."""

from __future__ import annotations

import typing as t

from .config_policies import EXPERIMENT, NTSC, policy_of
from .fields import Double, Enum, Int32, List, Message, OrderBy, String
from .gateway import Call, RpcError, page_memory, plain, route
from .ml_state import ConfigBase, ExperimentRow
from .running import Work, live, milliseconds, placement, queue_stats, sees
from .state import Master, nanos
from .trials import number

PRIORITIES = range(1, 100)


def jobs(master: Master, pool: str) -> list[tuple[Work, dict[str, t.Any]]]:
    """What is in the queue of a pool, in its order, with its Job message."""
    held = [work.job_id for work in placement(master, pool).values()]
    return [
        (work, job_object(master, work, ahead, held.count(work.job_id)))
        for ahead, work in enumerate(live(master, pool))
    ]


def job_object(master: Master, work: Work, ahead: int, held: int) -> dict[str, t.Any]:
    """The Job message."""
    row = work.row
    return {
        "summary": {
            "state": "STATE_QUEUED" if work.allocation == "QUEUED" else "STATE_SCHEDULED",
            "jobsAhead": ahead,
        },
        "type": "TYPE_EXPERIMENT" if work.is_experiment else f"TYPE_{row.kind.upper()}",
        "submissionTime": nanos(work.since) if work.is_experiment else milliseconds(work.since),
        "username": master.users[row.owner_id].username,
        "userId": row.owner_id,
        "resourcePool": work.pool,
        "isPreemptible": False,
        "priority": work.priority,
        "weight": number(work.weight),
        "entityId": str(row.id),
        "jobId": work.job_id,
        "requestedSlots": work.slots,
        "allocatedSlots": held,
        "name": work.name,
        "progress": number((row.progress or 0) if work.is_experiment else 0),
        "workspaceId": work.workspace_id,
    }


JOB_STATE = Enum("jobv1.State", "STATE_UNSPECIFIED", "STATE_QUEUED", "STATE_SCHEDULED", "STATE_SCHEDULED_BACKFILLED")
JOB_QUERY = {"offset": Int32, "limit": Int32, "resourcePool": String, "orderBy": OrderBy, "states": List(JOB_STATE)}


def queue(call: Call) -> list[tuple[Work, dict[str, t.Any]]]:
    """The queue that a call asks for. Raises RpcError 500 for an unknown pool."""
    pool = call.query.get("resourcePool") or call.master.config["resource_manager"]["default_compute_resource_pool"]
    if pool not in call.master.resource_pools:
        raise plain(f"cannot find resource pool {pool}")
    rows = jobs(call.master, pool)
    if call.query.get("states"):
        rows = [row for row in rows if row[1]["summary"]["state"] in call.query["states"]]
    call.query["limit"] = call.query.get("limit") or 100
    return rows[::-1] if call.query.get("orderBy") == "ORDER_BY_DESC" else rows


@route("GET", "/api/v1/job-queues", query={**JOB_QUERY})
def get_jobs(call: Call) -> dict[str, t.Any]:
    """The live jobs of one pool; invisible ones are dropped."""
    page, pagination = page_memory([job for work, job in queue(call) if sees(call, work)], call)
    return {"pagination": pagination, "jobs": page}


@route("GET", "/api/v1/job-queues-v2", query={**JOB_QUERY})
def get_jobs_v2(call: Call) -> dict[str, t.Any]:
    """The live jobs of one pool; invisible ones without what tells whose they are."""
    hidden = ("submissionTime", "username", "userId", "entityId", "name")
    rows = [
        {"full": job} if sees(call, work) else {"limited": {key: job[key] for key in job if key not in hidden}}
        for work, job in queue(call)
    ]
    page, pagination = page_memory(rows, call)
    return {"pagination": pagination, "jobs": page}


@route("GET", "/api/v1/job-queues/stats", query={"resourcePools": List(String)})
def get_queue_stats(call: Call) -> dict[str, t.Any]:
    """Counts for the pools named, or for all; unknown ones are skipped."""
    pools = call.master.resource_pools
    names = [name for name in call.query.get("resourcePools") or sorted(pools) if name in pools]
    today = [{"periodStart": call.master.now().strftime("%Y-%m-%d"), "seconds": 0}]
    return {
        "results": [
            {"stats": queue_stats(call.master, name), "resourcePool": name, "aggregates": today} for name in names
        ]
    }


# --- edits ---

UPDATE = Message(
    {
        "jobId": String,
        "aheadOf": String,
        "behindOf": String,
        "resourcePool": String,
        "priority": Int32,
        "weight": Double,
    }
)
ACTIONS = ("weight", "priority", "resourcePool", "behindOf", "aheadOf")


@route("POST", "/api/v1/job-queues", body=Message({"updates": List(UPDATE)}))
def update_jobs(call: Call) -> dict[str, t.Any]:
    """Apply each item by itself; what failed is told at the end."""
    master = call.master
    strict = master.rbac and master.config["security"]["authz"]["strict_job_queue_control"]
    if strict and not master.can(call.caller, "CONTROL_STRICT_JOB_QUEUE"):
        raise Master.denied("CONTROL_STRICT_JOB_QUEUE")
    failed = []
    for update in call.body.get("updates", ()):
        try:
            _apply(master, update or {})
        except RpcError as error:
            failed.append(error.message)
    if len(failed) > 1:
        raise plain(f"encountered the following errors: {', '.join(failed)}")
    if failed:
        raise plain(failed[0])
    return {}


def _apply(master: Master, update: dict[str, t.Any]) -> None:
    job = update.get("jobId", "")
    row: t.Any = next((row for row in master.experiments.values() if row.live and row.job_id == job), None)
    # What has ended is remembered for a day, and still takes edits.
    row = row or next((row for row in master.tasks.values() if row.job_id == job), None)
    if row is None or not job:
        raise plain(f"job {job} not found")
    # Of several in one item the last of the message's declaration wins.
    action = next((name for name in ACTIONS if name in update), None)
    if action is None:
        raise plain("unexpected action: <nil>")
    value = update[action]
    if action == "priority":
        _set_priority(master, row, value)
    elif action == "weight":
        _set(row, weight=value)
    elif action == "resourcePool":
        _set_pool(master, row, value)
    else:
        raise plain(f"unexpected action: &{{{value}}}")


def _set_priority(master: Master, row: t.Any, priority: int) -> None:
    if priority not in PRIORITIES:
        raise plain("priority must be between 1 and 99")
    is_experiment = isinstance(row, ExperimentRow)
    workspace_id = master.projects[row.project_id].workspace_id if is_experiment else row.workspace_id
    for scope in (None, workspace_id):
        policy = policy_of(master, scope, EXPERIMENT if is_experiment else NTSC)
        if ((policy.get("invariant_config") or {}).get("resources") or {}).get("priority") is not None:
            raise plain("priority set by invariant config: priority cannot be modified")
        limit = (policy.get("constraints") or {}).get("priority_limit")
        if limit is not None and priority < limit:
            raise plain("priority exceeds task config policy's priority_limit")
    _set(row, priority=priority)


def _set_pool(master: Master, row: t.Any, pool: str) -> None:
    if not isinstance(row, ExperimentRow):
        raise plain(f"setting resource pool for job type {row.kind.upper()} is not supported")
    pool = pool or master.config["resource_manager"]["default_compute_resource_pool"]
    bound = master.pool_bindings.get(pool)
    if pool not in master.resource_pools or (bound and master.projects[row.project_id].workspace_id not in bound):
        raise plain(f"invalid resource pool name {pool}")
    if pool == row.base.pool:
        raise plain(f"resource pool is unchanged ({pool} == {pool})")
    _set(row, resource_pool=pool)
    row.allocation = "QUEUED"


def _set(row: t.Any, **resources: t.Any) -> None:
    """Change the resources of a job.

    Of an experiment the configuration is stored that the master holds in memory since its start, without the name, description
    and labels that it was given since: seen on a running master.
    """
    if not isinstance(row, ExperimentRow):
        row.config["resources"].update(resources)
        return
    base, name, description, labels = row.memory or row.snapshot()
    base = ConfigBase({**base.data, "resources": {**base.data["resources"], **resources}})
    row.memory = base, name, description, labels
    row.base, row.name, row.description, row.labels = row.memory
