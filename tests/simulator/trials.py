# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trials (master/internal/api_trials.go), and the calls by which an unmanaged experiment reports what it did."""

from __future__ import annotations

import math
import typing as t
from datetime import datetime

from .experiments import STATE, best_metric, find, workspace_of
from .fields import Bool, Double, Enum, Int32, List, Message, OrderBy, String, Struct, Timestamp
from .gateway import Call, page_sql, plain, route
from .ml_state import TERMINAL, CheckpointRow, ExperimentRow, TrialRow, allowed, need, new_uuid, sql_sorted, stamp

if t.TYPE_CHECKING:
    from .state import Master

TRIAL_STATES = frozenset(
    {
        "ACTIVE",
        "PAUSED",
        "STOPPING_CANCELED",
        "STOPPING_KILLED",
        "STOPPING_COMPLETED",
        "STOPPING_ERROR",
        "CANCELED",
        "COMPLETED",
        "ERROR",
        "RUNNING",
    }
)
_SORT_BY = Enum(
    "apiv1.GetExperimentTrialsRequest_SortBy",
    "SORT_BY_UNSPECIFIED",
    "SORT_BY_ID",
    "SORT_BY_START_TIME=4",
    "SORT_BY_END_TIME=5",
    "SORT_BY_STATE=6",
    "SORT_BY_BEST_VALIDATION_METRIC=7",
    "SORT_BY_LATEST_VALIDATION_METRIC=8",
    "SORT_BY_BATCHES_PROCESSED=9",
    "SORT_BY_DURATION=10",
    "SORT_BY_RESTARTS=11",
    "SORT_BY_CHECKPOINT_SIZE=12",
    "SORT_BY_LOG_RETENTION_DAYS=13",
)


def number(value: t.Any) -> t.Any:
    """A metric in JSON: numbers that are none are strings."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _validation(item: tuple[int, datetime, dict[str, t.Any]] | None) -> dict[str, t.Any] | None:
    if item is None:
        return None
    batches, time, metrics = item
    shown = {name: number(value) for name, value in metrics.items()}
    return {
        "endTime": stamp(time),
        "metrics": {"avgMetrics": shown, "batchMetrics": []},
        "numInputs": 0,
        "totalBatches": batches,
    }


def _signed(experiment: ExperimentRow, metrics: dict[str, t.Any]) -> float | None:
    """The searcher metric, the smaller the better; None when it was not reported."""
    value = metrics.get(experiment.base.metric)
    if not isinstance(value, (int, float)):
        return None
    return float(value) if experiment.base.smaller_is_better else -float(value)


def _best(experiment: ExperimentRow, trial: TrialRow) -> tuple[int, datetime, dict[str, t.Any]] | None:
    """The best validation; PostgreSQL sorts NaN after every number."""
    scored = [(_signed(experiment, item[2]), item) for item in trial.validations]
    usable = [(score, item) for score, item in scored if score is not None]
    if not usable:
        return None
    return min(usable, key=lambda pair: (math.isnan(pair[0]), 0.0 if math.isnan(pair[0]) else pair[0]))[1]


def _best_checkpoint(master: Master, experiment: ExperimentRow, trial: TrialRow) -> dict[str, t.Any] | None:
    scores = {batches: _signed(experiment, metrics) for batches, _time, metrics in trial.validations}
    candidates = []
    for uuid in trial.checkpoint_uuids:
        row = master.checkpoints[uuid]
        score = scores.get(steps_completed(row))
        if row.state == "COMPLETED" and score is not None:
            candidates.append((score, row))
    if not candidates:
        return None
    row = min(candidates, key=lambda pair: pair[0])[1]
    return {
        "uuid": row.uuid,
        "endTime": stamp(row.report_time),
        "state": f"STATE_{row.state}",
        "resources": {path: str(size) for path, size in row.resources.items()},
        "totalBatches": steps_completed(row),
        "metadata": None,
    }


def steps_completed(row: CheckpointRow) -> int:
    """The number of batches that a checkpoint's metadata claims."""
    value = (row.metadata or {}).get("steps_completed", 0)
    return int(value) if isinstance(value, (int, float)) else 0


def render(master: Master, trial: TrialRow) -> dict[str, t.Any]:
    """A Trial."""
    experiment = master.experiments[trial.experiment_id]
    rows = [master.checkpoints[uuid] for uuid in trial.checkpoint_uuids]
    state = experiment.allocation if trial.state == "ACTIVE" else trial.state
    max_restarts = experiment.base.data.get("max_restarts") or 0
    out = {
        "id": trial.id,
        "experimentId": trial.experiment_id,
        "startTime": stamp(trial.start_time),
        "endTime": stamp(trial.end_time),
        "state": f"STATE_{state}",
        "restarts": min(trial.restarts, max_restarts),
        "hparams": trial.hparams,
        "totalBatchesProcessed": trial.total_batches,
        "bestValidation": _validation(_best(experiment, trial)),
        "latestValidation": _validation(trial.validations[-1] if trial.validations else None),
        "bestCheckpoint": _best_checkpoint(master, experiment, trial),
        "runnerState": trial.runner_state,
        "wallClockTime": trial.wall_clock_time,
        "warmStartCheckpointUuid": trial.warm_start,
        "taskId": trial.task_id,
        "totalCheckpointSize": str(sum(row.size for row in rows)),
        "checkpointCount": sum(1 for row in rows if row.state != "DELETED"),
        "summaryMetrics": trial.summary_metrics or {},
        "taskIds": [trial.task_id],
        "searcherMetricValue": 0,
    }
    if trial.log_retention_days is not None:
        out["logRetentionDays"] = trial.log_retention_days
    return out


def find_trial(call: Call, trial_id: int, permission: str | None) -> TrialRow:
    """The trial, if the caller may see its experiment and holds the permission."""
    master = call.master
    trial = master.trials.get(trial_id)
    experiment = None if trial is None else master.experiments[trial.experiment_id]
    if experiment is None or not allowed(call, "VIEW_EXPERIMENT_METADATA", workspace_of(master, experiment)):
        raise master.not_found("trial", trial_id)
    if permission is not None:
        need(call, permission, workspace_of(master, experiment), status=True)
    return t.cast(TrialRow, trial)


@route(
    "GET",
    "/api/v1/experiments/{experimentId:int32}/trials",
    query={
        "sortBy": _SORT_BY,
        "orderBy": OrderBy,
        "offset": Int32,
        "limit": Int32,
        "states": List(STATE),
    },
)
def list_trials(call: Call) -> dict[str, t.Any]:
    """GetExperimentTrials."""
    master, query = call.master, call.query
    experiment = find(call, call.path["experimentId"], "VIEW_EXPERIMENT_ARTIFACTS")
    rows = [master.trials[trial_id] for trial_id in experiment.trial_ids]
    where = f"failed to get trial ids for experiment {experiment.id}: error running query: proto_get_trial_ids_for_experiment: "
    if query.get("states"):
        words = [str(state).removeprefix("STATE_") for state in query["states"]]
        for word in words:
            if word not in TRIAL_STATES:
                raise plain(f'{where}ERROR: invalid input value for enum trial_state: "{word}" (SQLSTATE 22P02)')
        rows = [row for row in rows if row.state in words]
    if query.get("sortBy") == "SORT_BY_LOG_RETENTION_DAYS":
        raise plain(f'{where}ERROR: column "log_retention_days" does not exist (SQLSTATE 42703)')
    if query.get("limit", 0) < -2:
        raise plain(f"{where}ERROR: LIMIT must not be negative (SQLSTATE 2201W)")
    now = master.now()

    def best(row: TrialRow) -> float | None:
        item = _best(experiment, row)
        return None if item is None else _signed(experiment, item[2])

    columns: dict[str, t.Callable[[TrialRow], t.Any]] = {
        "SORT_BY_START_TIME": lambda row: row.start_time,
        "SORT_BY_END_TIME": lambda row: row.end_time,
        "SORT_BY_STATE": lambda row: f"STATE_{row.state}",
        "SORT_BY_BEST_VALIDATION_METRIC": best,
        "SORT_BY_LATEST_VALIDATION_METRIC": lambda row: (
            _signed(experiment, row.validations[-1][2]) if row.validations else None
        ),
        "SORT_BY_BATCHES_PROCESSED": lambda row: row.total_batches,
        "SORT_BY_DURATION": lambda row: (row.end_time or now) - row.start_time,
        "SORT_BY_RESTARTS": lambda row: row.restarts,
        "SORT_BY_CHECKPOINT_SIZE": lambda row: sum(master.checkpoints[uuid].size for uuid in row.checkpoint_uuids),
    }
    ordered = sql_sorted(rows, columns.get(query.get("sortBy", "")), query.get("orderBy", ""), tie=lambda row: row.id)
    page, pagination = page_sql(ordered, call)
    return {"trials": [render(master, row) for row in page], "pagination": pagination}


@route("GET", "/api/v1/trials/{trialId:int32}")
def get_trial(call: Call) -> dict[str, t.Any]:
    """GetTrial."""
    return {"trial": render(call.master, find_trial(call, call.path["trialId"], "VIEW_EXPERIMENT_ARTIFACTS"))}


@route("POST", "/api/v1/trials/{id:int32}/kill")
def kill_trial(call: Call) -> dict[str, t.Any]:
    """KillTrial: only what the master runs; the experiment of a single trial ends with it."""
    from .experiment_verbs import stop_trial

    master = call.master
    trial = find_trial(call, call.path["id"], "UPDATE_EXPERIMENT")
    experiment = master.experiments[trial.experiment_id]
    if not experiment.live:
        raise master.not_found("experiment", experiment.id)
    if trial.state in TERMINAL:
        raise plain("trial not found: not found")
    stop_trial(master, experiment, trial)
    return {}


@route("PUT", "/api/v1/trials/{trialId:int32}/retain_logs", body=Message({"numDays": Int32}))
def retain_trial_logs(call: Call) -> dict[str, t.Any]:
    """PutTrialRetainLogs."""
    trial = find_trial(call, call.path["trialId"], "UPDATE_EXPERIMENT")
    trial.log_retention_days = call.body.get("numDays", 0)
    return {}


# --- reports of unmanaged experiments --------------------------------------------------------------------------------------


@route("POST", "/api/v1/trials", body=Message({"experimentId": Int32, "hparams": Struct, "unmanaged": Bool}))
def create_trial(call: Call) -> dict[str, t.Any]:
    """CreateTrial."""
    master, body = call.master, call.body
    if not body.get("unmanaged"):
        raise plain("only unmanaged trials are supported")
    experiment = find(call, body.get("experimentId", 0), "UPDATE_EXPERIMENT")
    if not experiment.unmanaged:
        raise plain("trials can only be created on unmanaged experiments")
    trial = add_trial(master, experiment, body.get("hparams", {}), "PAUSED")
    return {"trial": render(master, trial)}


def add_trial(master: Master, experiment: ExperimentRow, hparams: dict[str, t.Any], state: str) -> TrialRow:
    """Insert a trial with its task."""
    row = TrialRow(
        master.next_id("trials"),
        experiment.id,
        state,
        master.now(),
        hparams,
        f"{experiment.id}.{new_uuid()}",
    )
    master.trials[row.id] = row
    experiment.trial_ids.append(row.id)
    project = master.projects[experiment.project_id]
    project.reserved_keys.add(project.key)
    return row


@route("PATCH", "/api/v1/trials/{trialId:int32}", body=Message({"state": STATE}))
def patch_trial(call: Call) -> dict[str, t.Any]:
    """PatchTrial; the experiment takes the state of its most progressed trial."""
    master = call.master
    trial = master.trials.get(call.path["trialId"])
    if trial is None:
        raise plain("not found")
    experiment = master.experiments[trial.experiment_id]
    need(call, "UPDATE_EXPERIMENT_METADATA", workspace_of(master, experiment), status=True)
    if not experiment.unmanaged:
        raise plain("only unmanaged trials are supported")
    if "state" in call.body:
        trial.state = call.body["state"].removeprefix("STATE_")
        if trial.state in TERMINAL:
            trial.end_time = master.now()
    _follow_trials(master, experiment)
    return {"trial": render(master, trial)}


def _follow_trials(master: Master, experiment: ExperimentRow) -> None:
    """UpdateUnmanagedExperimentStatesTx (master/internal/trials)."""
    rows = [master.trials[trial_id] for trial_id in experiment.trial_ids]
    order = {"PAUSED": 10, "ERROR": 20, "COMPLETED": 30, "RUNNING": 40}
    state = max(("PAUSED", *(row.state for row in rows if row.state in order)), key=lambda word: order[word])
    if state != experiment.state:
        experiment.state = state
        if state in TERMINAL:
            experiment.end_time = max((row.end_time for row in rows if row.end_time is not None), default=master.now())
        if state == "COMPLETED":
            experiment.progress = 1


_METRICS = Message({"avgMetrics": Struct, "batchMetrics": List(Struct)})


@route(
    "POST",
    "/api/v1/trials/{metrics.trialId:int32}/metrics",
    body=Message(
        {
            "group": String,
            "metrics": Message(
                {
                    "trialId": Int32,
                    "trialRunId": Int32,
                    "stepsCompleted": Int32,
                    "reportTime": Timestamp,
                    "metrics": _METRICS,
                }
            ),
        }
    ),
)
def report_metrics(call: Call) -> dict[str, t.Any]:
    """ReportTrialMetrics."""
    master, body = call.master, call.body
    group = body.get("group", "")
    if not group:
        raise plain("metric group cannot be empty")
    trial = find_trial(call, call.path["metrics.trialId"], "UPDATE_EXPERIMENT")
    report = body.get("metrics", {})
    values = {
        name: float(value) if value in ("NaN", "Infinity", "-Infinity") else value
        for name, value in report.get("metrics", {}).get("avgMetrics", {}).items()
    }
    steps = report.get("stepsCompleted", 0)
    trial.total_batches = max(trial.total_batches, steps)
    if group == "training":
        trial.training_metrics[steps] = values
        trial.training_ends[steps] = report.get("reportTime") or master.now()
    if group == "validation":
        trial.validations.append((steps, report.get("reportTime") or master.now(), values))
        choose_best_trial(master, master.experiments[trial.experiment_id])
    key = {"training": "avg_metrics", "validation": "validation_metrics"}.get(group, group)
    summary = trial.summary_metrics = {**(trial.summary_metrics or {})}
    summary[key] = summarise(summary.get(key, {}), values)
    return {}


def summarise(known: dict[str, t.Any], values: dict[str, t.Any]) -> dict[str, t.Any]:
    """Summary metrics after one more report."""
    out = dict(known)
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            out[name] = {
                "count": out.get(name, {}).get("count", 0) + 1,
                "type": "string" if isinstance(value, str) else "object",
            }
            continue
        old = {word: float(item) for word, item in out.get(name, {}).items() if word != "type"}
        count, total = int(old.get("count", 0)) + 1, old.get("sum", 0.0) + value
        extremes = [item for item in (old.get("min"), old.get("max"), value) if item is not None]
        not_a_number = any(math.isnan(item) for item in extremes)
        out[name] = {
            "count": count,
            "last": number(value),
            "sum": number(total),
            "mean": number(total / count),
            "type": "number",
            "min": "NaN" if not_a_number else min(extremes),
            "max": "NaN" if not_a_number else max(extremes),
        }
    return out


def choose_best_trial(master: Master, experiment: ExperimentRow) -> None:
    """Note the trial with the best validation."""
    scored = []
    for trial_id in experiment.trial_ids:
        best = _best(experiment, master.trials[trial_id])
        score = None if best is None else _signed(experiment, best[2])
        if score is not None and not math.isnan(score):
            scored.append((score, trial_id))
    experiment.best_trial_id = min(scored)[1] if scored else None
    assert not scored or best_metric(master, experiment) is not None


@route("POST", "/api/v1/trials/{trialId:int32}/progress", body=Message({"progress": Double, "isRaw": Bool}))
def report_progress(call: Call) -> dict[str, t.Any]:
    """ReportTrialProgress."""
    trial = find_trial(call, call.path["trialId"], "UPDATE_EXPERIMENT")
    progress = call.body.get("progress", 0.0)
    call.master.experiments[trial.experiment_id].progress = int(progress) if progress.is_integer() else progress
    return {}


def trial_of_task(call: Call, task_id: str) -> TrialRow:
    """The trial that runs a task.

    Raises:
        RpcError: 404.
    """
    for trial in call.master.trials.values():
        if trial.task_id == task_id:
            return t.cast(TrialRow, trial)
    raise call.master.not_found("task", task_id)
