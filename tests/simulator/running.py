# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""What live experiments occupy: jobs in the queues of their pools, slots of agents, tasks; and trials' workloads."""

from __future__ import annotations

import typing as t
import uuid
from datetime import datetime

from .fields import Bool, Enum, Int32, List, OrderBy, String
from .gateway import Call, page_memory, page_sql, plain, route, timestamp
from .ml_state import ExperimentRow, TrialRow, stamp
from .state import AgentRow, Master, SlotRow, nanos
from .trials import find_trial, number, steps_completed

DEFAULT_PRIORITY = 42


def live(master: Master, pool: str | None = None) -> list[ExperimentRow]:
    """The experiments that want resources, in the order of the queue: by priority, then by age."""
    rows = [
        row
        for row in master.experiments.values()
        if row.live and row.state == "ACTIVE" and pool in (None, row.base.pool)
    ]
    return sorted(rows, key=lambda row: (priority(row), row.start_time, row.id))


def priority(row: ExperimentRow) -> int:
    """The scheduling priority, smaller is sooner."""
    value = row.base.data["resources"].get("priority")
    return DEFAULT_PRIORITY if value is None else int(value)


def slots_wanted(row: ExperimentRow) -> int:
    """Slots of one trial."""
    return int(row.base.data["resources"].get("slots_per_trial") or 0)


def container_id(row: ExperimentRow, agent: AgentRow) -> str:
    """The container of an experiment on an agent."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{row.job_id}/{agent.id}"))


def placement(master: Master, pool: str) -> dict[tuple[str, int], ExperimentRow]:
    """Which experiment holds which slot, by agent and slot; those that run take free slots in order."""
    free = [
        (agent.id, slot.id)
        for agent in sorted(master.agents.values(), key=lambda agent: agent.id)
        if agent.resource_pool == pool
        for slot in agent.slots.values()
        if slot.enabled
    ]
    held: dict[tuple[str, int], ExperimentRow] = {}
    for row in live(master, pool):
        if row.allocation != "QUEUED":
            for _slot in range(min(slots_wanted(row), len(free))):
                held[free.pop(0)] = row
    return held


def device(slot: SlotRow) -> dict[str, t.Any]:
    """The Device message."""
    return {"id": slot.id, "brand": slot.brand, "uuid": slot.uuid, "type": slot.type}


def containers(master: Master, agent: AgentRow) -> dict[int, dict[str, t.Any]]:
    """The containers on an agent by slot."""
    held = {key[1]: row for key, row in placement(master, agent.resource_pool).items() if key[0] == agent.id}
    return {
        slot: {
            "parent": agent.id,
            "id": container_id(row, agent),
            "state": f"STATE_{row.allocation}",
            "devices": [device(agent.slots[other]) for other in held if held[other] is row],
            "permissionDenied": False,
        }
        for slot, row in held.items()
    }


# --- jobs ---


def jobs(master: Master, pool: str) -> list[dict[str, t.Any]]:
    """The Job messages of a pool in the order of its queue."""
    held = list(placement(master, pool).values())
    return [
        {
            "summary": {
                "state": "STATE_QUEUED" if row.allocation == "QUEUED" else "STATE_SCHEDULED",
                "jobsAhead": ahead,
            },
            "type": "TYPE_EXPERIMENT",
            "submissionTime": nanos(row.start_time),
            "username": master.users[row.owner_id].username,
            "userId": row.owner_id,
            "resourcePool": pool,
            "isPreemptible": False,
            "priority": priority(row),
            "weight": number(row.base.data["resources"].get("weight") or 1),
            "entityId": str(row.id),
            "jobId": row.job_id,
            "requestedSlots": slots_wanted(row),
            "allocatedSlots": sum(other is row for other in held),
            "name": row.name,
            "progress": number(row.progress or 0),
            "workspaceId": master.projects[row.project_id].workspace_id,
        }
        for ahead, row in enumerate(live(master, pool))
    ]


def queue_stats(master: Master, pool: str) -> dict[str, int]:
    """How many jobs of a pool wait and run."""
    queued = [row.allocation == "QUEUED" for row in live(master, pool)]
    return {"queuedCount": sum(queued), "scheduledCount": len(queued) - sum(queued)}


JOB_STATE = Enum("jobv1.State", "STATE_UNSPECIFIED", "STATE_QUEUED", "STATE_SCHEDULED", "STATE_SCHEDULED_BACKFILLED")
JOB_QUERY = {"offset": Int32, "limit": Int32, "resourcePool": String, "orderBy": OrderBy, "states": List(JOB_STATE)}


def queue(call: Call) -> list[dict[str, t.Any]]:
    """The queue that a call asks for. Raises RpcError 500 for an unknown pool."""
    pool = call.query.get("resourcePool") or call.master.config["resource_manager"]["default_compute_resource_pool"]
    if pool not in call.master.resource_pools:
        raise plain(f"cannot find resource pool {pool}")
    rows = jobs(call.master, pool)
    if call.query.get("states"):
        rows = [row for row in rows if row["summary"]["state"] in call.query["states"]]
    call.query["limit"] = call.query.get("limit") or 100
    return rows[::-1] if call.query.get("orderBy") == "ORDER_BY_DESC" else rows


def sees_in(call: Call, workspace: int) -> bool:
    """Whether what runs in a workspace is the caller's to see."""
    return not call.master.rbac or call.master.can(call.caller, "VIEW_EXPERIMENT_METADATA", workspace)


@route("GET", "/api/v1/job-queues", query={**JOB_QUERY})
def get_jobs(call: Call) -> dict[str, t.Any]:
    """The live jobs of one pool; invisible ones are dropped."""
    page, pagination = page_memory([job for job in queue(call) if sees_in(call, job["workspaceId"])], call)
    return {"pagination": pagination, "jobs": page}


@route("GET", "/api/v1/job-queues-v2", query={**JOB_QUERY})
def get_jobs_v2(call: Call) -> dict[str, t.Any]:
    """The live jobs of one pool; invisible ones without what tells whose they are."""
    hidden = ("submissionTime", "username", "userId", "entityId", "name")
    rows = [
        {"full": job}
        if sees_in(call, job["workspaceId"])
        else {"limited": {key: job[key] for key in job if key not in hidden}}
        for job in queue(call)
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


# --- tasks ---


@route("GET", "/api/v1/tasks")
def get_tasks(call: Call) -> dict[str, t.Any]:
    """The allocations of the trials that run or wait."""
    master = call.master
    out = {}
    placed = {pool: placement(master, pool) for pool in master.resource_pools}
    for row in live(master):
        if not sees_in(call, master.projects[row.project_id].workspace_id):
            continue
        held = [key for key, other in placed.get(row.base.pool, {}).items() if other is row]
        trials = [master.trials[key] for key in row.trial_ids if master.trials[key].end_time is None]
        for trial in trials[:1]:
            allocation = f"{trial.task_id}.1"
            agents = [master.agents[name] for name in sorted({name for name, _slot in held})]
            out[allocation] = {
                "taskId": trial.task_id,
                "allocationId": allocation,
                "name": f"Trial {trial.id} (Experiment {row.id})",
                "registeredTime": nanos(trial.start_time),
                "resourcePool": row.base.pool,
                "slotsNeeded": slots_wanted(row),
                "resources": [
                    {
                        "resourcesId": container_id(row, agent),
                        "resourcesType": "docker-container",
                        "allocationId": allocation,
                        "agentDevices": {
                            agent.id: {
                                "devices": [device(agent.slots[slot]) for name, slot in held if name == agent.id]
                            }
                        },
                        "containerId": container_id(row, agent),
                    }
                    for agent in agents
                ],
                "schedulerType": "priority",
                "priority": priority(row),
                "proxyPorts": [],
            }
    return {"allocationIdToSummary": out}


# --- workloads ---

FILTER = Enum(
    "apiv1.GetTrialWorkloadsRequest_FilterOption",
    "FILTER_OPTION_UNSPECIFIED",
    "FILTER_OPTION_CHECKPOINT",
    "FILTER_OPTION_VALIDATION",
    "FILTER_OPTION_CHECKPOINT_OR_VALIDATION",
)


def workloads(
    master: Master, trial: TrialRow, wanted: str, *, with_deleted: bool, down: bool
) -> list[dict[str, t.Any]]:
    """The WorkloadContainer messages of a trial (master/static/srv/proto_get_trial_workloads.sql).

    By total batches, then time; checkpoints that do not tell their batches come last either way.
    """
    ends = {batches: end for batches, end, _metrics in trial.validations}

    def metrics(end: t.Any, values: dict[str, t.Any], batches: int) -> dict[str, t.Any]:
        shown = {key: number(value) for key, value in values.items()}
        return {
            "endTime": stamp(end),
            "metrics": {"avgMetrics": shown, "batchMetrics": []},
            "numInputs": 0,
            "totalBatches": batches,
        }

    rows: list[tuple[int | None, datetime, dict[str, t.Any]]] = [
        (batches, end, {"validation": metrics(end, values, batches)}) for batches, end, values in trial.validations
    ]
    if wanted == "FILTER_OPTION_UNSPECIFIED":
        for batches, values in trial.training_metrics.items():
            end = trial.training_ends.get(batches) or ends.get(batches) or trial.end_time or trial.start_time
            rows.append((batches, end, {"training": metrics(end, values, batches)}))
    if wanted != "FILTER_OPTION_VALIDATION":
        for key in trial.checkpoint_uuids:
            row = master.checkpoints[key]
            if row.state != "DELETED" or with_deleted:
                shown = {
                    "uuid": row.uuid,
                    "endTime": timestamp(row.report_time),
                    "state": f"STATE_{row.state}",
                    "resources": {path: str(size) for path, size in row.resources.items()},
                    "totalBatches": steps_completed(row),
                    "metadata": row.metadata,
                }
                told = (row.metadata or {}).get("steps_completed") is not None
                rows.append((steps_completed(row) if told else None, row.report_time, {"checkpoint": shown}))
    rows.sort(key=lambda row: (row[0] or 0, row[1]), reverse=down)
    rows.sort(key=lambda row: row[0] is None)
    return [item for _batches, _end, item in rows]


@route(
    "GET",
    "/api/v1/trials/{trialId:int32}/workloads",
    query={
        "orderBy": OrderBy,
        "offset": Int32,
        "limit": Int32,
        "sortKey": String,
        "filter": FILTER,
        "includeBatchMetrics": Bool,
        "removeDeletedCheckpoints": Bool,
    },
)
def get_workloads(call: Call) -> dict[str, t.Any]:
    """What a trial reported, by total batches or by a metric."""
    query = call.query
    trial = find_trial(call, call.path["trialId"], "VIEW_EXPERIMENT_ARTIFACTS")
    down, key = query.get("orderBy") == "ORDER_BY_DESC", query.get("sortKey", "")
    rows = workloads(
        call.master,
        trial,
        query.get("filter", "FILTER_OPTION_UNSPECIFIED"),
        with_deleted=not query.get("removeDeletedCheckpoints"),
        down=down,
    )
    if key not in ("", "batches"):

        def value(row: dict[str, t.Any]) -> tuple[bool, float]:
            (only,) = row.values()
            found = only.get("metrics", {}).get("avgMetrics", {}).get(key)
            return found is None, 0.0 if found is None else float(found) * (-1 if down else 1)

        rows.sort(key=value)
    sent = query.get("limit", 0)
    query["limit"] = sent or -1
    refused = f"failed to get trial {trial.id} workloads: error running query: proto_get_trial_workloads: "
    page, pagination = page_sql(
        rows, call, negative_error=f"{refused}ERROR: LIMIT must not be negative (SQLSTATE 2201W)"
    )
    return {"workloads": page, "pagination": {**pagination, "limit": query["limit"]}}
