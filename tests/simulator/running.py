# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""What experiments and tasks occupy: slots of agents, allocations; and trials' workloads."""

from __future__ import annotations

import dataclasses
import typing as t
import uuid
from datetime import datetime

from .fields import Bool, Enum, Int32, OrderBy, String
from .gateway import Call, page_sql, route, timestamp
from .ml_state import ExperimentRow, TrialRow, stamp
from .state import AgentRow, Master, SlotRow, nanos
from .trials import find_trial, number, steps_completed

DEFAULT_PRIORITY = 42


@dataclasses.dataclass(frozen=True, slots=True)
class Work:
    """What wants resources: an experiment that is active, or a task that has not ended.

    Attributes:
        row: the experiment, or a row of tasks.py.
        allocation: QUEUED, PULLING, STARTING or RUNNING.
    """

    row: t.Any
    job_id: str
    pool: str
    slots: int
    priority: int
    weight: float
    since: datetime
    allocation: str
    workspace_id: int
    name: str

    @property
    def is_experiment(self) -> bool:
        """Whether it is an experiment."""
        return isinstance(self.row, ExperimentRow)


def of_experiment(master: Master, row: ExperimentRow) -> Work:
    """An experiment as work."""
    resources = row.base.data["resources"]
    priority = resources.get("priority")
    weight = resources.get("weight")
    return Work(
        row,
        row.job_id,
        row.base.pool,
        int(resources.get("slots_per_trial") or 0),
        DEFAULT_PRIORITY if priority is None else int(priority),
        1 if weight is None else weight,
        row.start_time,
        row.allocation,
        master.projects[row.project_id].workspace_id,
        row.name,
    )


def of_task(row: t.Any) -> Work:
    """A notebook, shell, command or TensorBoard as work."""
    resources = row.config["resources"]
    return Work(
        row,
        row.job_id,
        row.pool,
        int(resources.get("slots") or 0),
        int(resources.get("priority") or DEFAULT_PRIORITY),
        resources.get("weight") or 0,
        row.start_time,
        "QUEUED" if row.state == "QUEUED" else "RUNNING",
        row.workspace_id,
        row.config["description"],
    )


def live(master: Master, pool: str | None = None) -> list[Work]:
    """What wants resources, in the order of the queue: by priority, then by age."""
    found = [of_experiment(master, row) for row in master.experiments.values() if row.live and row.state == "ACTIVE"]
    found += [of_task(row) for row in master.tasks.values() if row.ended is None]
    wanted = [work for work in found if pool in (None, work.pool)]
    return sorted(wanted, key=lambda work: (work.priority, work.since, work.job_id))


def container_id(work: Work, agent: AgentRow) -> str:
    """The container of a job on an agent."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{work.job_id}/{agent.id}"))


def placement(master: Master, pool: str) -> dict[tuple[str, int], Work]:
    """Which job holds which slot, by agent and slot.

    What runs stays where it is, on what drains too; what has no place yet takes free slots in order.
    """
    agents = sorted(
        (agent for agent in master.agents.values() if agent.resource_pool == pool), key=lambda agent: agent.id
    )
    running = {work.job_id: work for work in live(master, pool) if work.allocation != "QUEUED"}
    placed: set[str] = set()
    for agent in agents:
        usable = {slot.id for slot in agent.slots.values() if slot.enabled or slot.draining}
        agent.held = {slot: job for slot, job in agent.held.items() if job in running and slot in usable}
        agent.aux = {job: None for job in agent.aux if job in running and (agent.enabled or agent.draining)}
        placed |= {*agent.held.values(), *agent.aux}
    up = [agent for agent in agents if agent.link == "up"]
    for work in running.values():
        if work.job_id in placed:
            continue
        if work.slots:
            free = [
                (agent, slot)
                for agent in up
                for slot in agent.slots.values()
                if slot.enabled and slot.id not in agent.held
            ]
            for agent, slot in free[: work.slots]:
                agent.held[slot.id] = work.job_id
        else:
            for agent in [agent for agent in up if agent.enabled][:1]:
                agent.aux[work.job_id] = None
    return {(agent.id, slot): running[job] for agent in agents for slot, job in agent.held.items()}


def agents_by_job(master: Master) -> dict[str, list[AgentRow]]:
    """The agents that each job is on."""
    for pool in {agent.resource_pool for agent in master.agents.values()}:
        placement(master, pool)
    found: dict[str, list[AgentRow]] = {}
    for agent in sorted(master.agents.values(), key=lambda agent: agent.id):
        for job in dict.fromkeys([*agent.held.values(), *agent.aux]):
            found.setdefault(job, []).append(agent)
    return found


def device(slot: SlotRow) -> dict[str, t.Any]:
    """The Device message."""
    return {"id": slot.id, "brand": slot.brand, "uuid": slot.uuid, "type": slot.type}


def containers(master: Master, agent: AgentRow) -> dict[int, dict[str, t.Any]]:
    """The containers on an agent by slot; those without slots are not shown."""
    held = {key[1]: work for key, work in placement(master, agent.resource_pool).items() if key[0] == agent.id}
    return {
        slot: {
            "parent": agent.id,
            "id": container_id(work, agent),
            "state": f"STATE_{work.allocation}",
            "devices": [device(agent.slots[other]) for other in held if held[other].job_id == work.job_id],
            "permissionDenied": False,
        }
        for slot, work in held.items()
    }


def queue_stats(master: Master, pool: str) -> dict[str, int]:
    """How many jobs of a pool wait and run."""
    queued = [work.allocation == "QUEUED" for work in live(master, pool)]
    return {"queuedCount": sum(queued), "scheduledCount": len(queued) - sum(queued)}


def sees(call: Call, work: Work) -> bool:
    """Whether a job is the caller's to see."""
    permission = "VIEW_EXPERIMENT_METADATA" if work.is_experiment else "VIEW_NSC"
    return not call.master.rbac or call.master.can(call.caller, permission, work.workspace_id)


# --- tasks ---


def current_trial(master: Master, work: Work) -> TrialRow | None:
    """The trial of an experiment that runs or waits."""
    trials = [master.trials[key] for key in work.row.trial_ids if master.trials[key].end_time is None]
    return trials[0] if trials else None


@route("GET", "/api/v1/tasks")
def get_tasks(call: Call) -> dict[str, t.Any]:
    """The allocations of what runs or waits."""
    master = call.master
    out, agents = {}, agents_by_job(master)
    for work in live(master):
        if not sees(call, work):
            continue
        task, name, since = work.row.id, work.name, work.since
        if work.is_experiment:
            trial = current_trial(master, work)
            if trial is None:
                continue
            task, name, since = trial.task_id, f"Trial {trial.id} (Experiment {work.row.id})", trial.start_time
        allocation = f"{task}.1"
        out[allocation] = {
            "taskId": task,
            "allocationId": allocation,
            "name": name,
            "registeredTime": nanos(since),
            "resourcePool": work.pool,
            "slotsNeeded": work.slots,
            "resources": [
                {
                    "resourcesId": container_id(work, agent),
                    "resourcesType": "docker-container",
                    "allocationId": allocation,
                    "agentDevices": {
                        agent.id: {
                            "devices": [
                                device(agent.slots[slot]) for slot, job in agent.held.items() if job == work.job_id
                            ]
                        }
                    },
                    "containerId": container_id(work, agent),
                }
                for agent in agents.get(work.job_id, ())
            ],
            "schedulerType": "priority",
            "priority": work.priority,
            "proxyPorts": proxy_ports(work, task),
        }
    return {"allocationIdToSummary": out}


OWN_PORTS = {"notebook": 2950, "tensorboard": 2750, "shell": 3449}
"""Where tasks answer; the master draws the numbers. The shell's is in its entrypoint too."""


def proxy_ports(work: Work, task: str) -> list[dict[str, t.Any]]:
    """What the master's proxy leads to: the task's own port, which a shell's SSH key guards, and those of its configuration."""
    config = work.row.base.data if work.is_experiment else work.row.config
    kind = "" if work.is_experiment else work.row.kind
    ports = []
    if kind in OWN_PORTS:
        shell = kind == "shell"
        ports.append({"serviceId": task, "port": OWN_PORTS[kind], "proxyTcp": shell, "unauthenticated": shell})
    for one in (config.get("environment") or {}).get("proxy_ports") or []:
        number = one["proxy_port"]
        ports.append(
            {
                "serviceId": task if one.get("default_service_id") else f"{task}:{number}",
                "port": number,
                "proxyTcp": bool(one.get("proxy_tcp")),
                "unauthenticated": bool(one.get("unauthenticated")),
            }
        )
    return ports


@route("GET", "/api/v1/tasks/{taskId}")
def get_task(call: Call) -> dict[str, t.Any]:
    """One task of any kind: a notebook and the like, or the task of a trial."""
    master, key = call.master, call.path["taskId"]
    row = master.tasks.get(key)
    if row is not None:
        work, kind, begun, ended = of_task(row), row.kind.upper(), row.start_time, row.ended
        if not sees(call, work):
            raise master.not_found("task", key)
        state, slots, released = ("TERMINATED" if ended else work.allocation), work.slots, None
    else:
        trial = next((trial for trial in master.trials.values() if trial.task_id == key), None)
        experiment = None if trial is None else master.experiments.get(trial.experiment_id)
        if trial is None or experiment is None or not sees(call, of_experiment(master, experiment)):
            raise master.not_found("task", key)
        kind, begun, ended = "TRIAL", trial.start_time, trial.end_time
        work = of_experiment(master, experiment)
        slots, released = work.slots, trial.released
        state = "TERMINATED" if ended or experiment.state == "PAUSED" else work.allocation
    allocation = {"taskId": key, "state": f"STATE_{state}", "allocationId": f"{key}.1", "slots": slots}
    # One that was never granted has no times, ended or not ([live]).
    if released or state in ("PULLING", "STARTING", "RUNNING"):
        allocation["startTime"] = milliseconds(begun)
    if released:
        allocation["endTime"] = milliseconds(released)
    shown = {
        "taskId": key,
        "taskType": f"TASK_TYPE_{kind}",
        "allocations": [allocation],
        "startTime": milliseconds(begun),
    }
    return {"task": {**shown, "endTime": timestamp(ended)} if ended else shown}


def milliseconds(value: datetime) -> str:
    """A time as the tables of tasks keep it."""
    return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"


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
