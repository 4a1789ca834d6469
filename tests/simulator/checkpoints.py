# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints (master/internal/api_checkpoint.go)."""

from __future__ import annotations

import fnmatch
import math
import typing as t

import orjson

from .experiment_delete import FOREVER, gc_time
from .experiments import find, valid_uuid, workspace_of
from .fields import Enum, Int32, Int64, List, Map, Message, OrderBy, String, Struct, Timestamp
from .gateway import Call, bad, page_memory, plain, route
from .ml_state import CheckpointRow, ExperimentRow, allowed, is_uuid, need, stamp, visible_workspaces
from .trials import find_trial, number, trial_of_task
from .trials import steps_completed as steps_completed

if t.TYPE_CHECKING:
    from .state import Master

STATE = Enum(
    "checkpointv1.State",
    "STATE_UNSPECIFIED",
    "STATE_ACTIVE",
    "STATE_COMPLETED",
    "STATE_ERROR",
    "STATE_DELETED",
    "STATE_PARTIALLY_DELETED",
    proto_name="determined.checkpoint.v1.State",
)
_SORT_BY = Enum(
    "checkpointv1.SortBy",
    "SORT_BY_UNSPECIFIED",
    "SORT_BY_UUID",
    "SORT_BY_TRIAL_ID",
    "SORT_BY_BATCH_NUMBER",
    "SORT_BY_END_TIME",
    "SORT_BY_STATE",
    "SORT_BY_SEARCHER_METRIC",
)
_LIST_QUERY = Message(
    {
        "sortByAttr": _SORT_BY,
        "sortByMetric": String,
        "orderBy": OrderBy,
        "offset": Int32,
        "limit": Int32,
        "states": List(STATE),
    },
    oneofs={"sort_by": ("sortByAttr", "sortByMetric")},
)
_STATE_NUMBER = {"ACTIVE": 1, "COMPLETED": 2, "ERROR": 3, "DELETED": 4, "PARTIALLY_DELETED": 5}


def _validation_metrics(master: Master, row: CheckpointRow) -> dict[str, t.Any] | None:
    """The metrics that were validated after as many batches as the checkpoint has."""
    trial = master.trials[row.trial_id]
    steps = steps_completed(row)
    return next((metrics for batches, _time, metrics in trial.validations if batches == steps), None)


def render(master: Master, row: CheckpointRow) -> dict[str, t.Any]:
    """A Checkpoint with all that is known of its training."""
    experiment, trial = master.experiments[row.experiment_id], master.trials[row.trial_id]
    metrics = _validation_metrics(master, row)
    training_metrics = trial.training_metrics.get(steps_completed(row))
    training: dict[str, t.Any] = {
        "trialId": row.trial_id,
        "experimentId": row.experiment_id,
        "experimentConfig": orjson.Fragment(experiment.config_json()),
        "hparams": trial.hparams,
        "trainingMetrics": {"avgMetrics": _numbers(training_metrics), "batchMetrics": []},
        "validationMetrics": {
            "avgMetrics": _numbers(metrics),
            "batchMetrics": [],
        },
    }
    metric = (metrics or {}).get(experiment.base.metric)
    if isinstance(metric, (int, float)):
        training["searcherMetric"] = number(metric)
    out: dict[str, t.Any] = {"taskId": row.task_id}
    if row.allocation_id is not None:
        out["allocationId"] = row.allocation_id
    out.update(
        uuid=row.uuid,
        reportTime=stamp(row.report_time),
        resources={path: str(size) for path, size in row.resources.items()},
        metadata=row.metadata,
        state=f"STATE_{row.state}",
        training=training,
    )
    if row.storage_id is not None:
        out["storageId"] = row.storage_id
    return out


def _numbers(metrics: dict[str, t.Any] | None) -> dict[str, t.Any] | None:
    """Metrics as they are printed, None when none were reported."""
    return None if metrics is None else {name: number(value) for name, value in metrics.items()}


def recount(master: Master, experiment: ExperimentRow) -> None:
    """Size and number of an experiment's checkpoints after a change."""
    rows = [
        master.checkpoints[uuid]
        for trial_id in experiment.trial_ids
        for uuid in master.trials[trial_id].checkpoint_uuids
    ]
    experiment.size = sum(row.size for row in rows)
    experiment.count = sum(1 for row in rows if row.state != "DELETED")


def _sorted(call: Call, rows: list[CheckpointRow], smaller_is_better: bool | None) -> list[CheckpointRow]:
    """Go's sort of a checkpoint list.

    Args:
        smaller_is_better: of the experiment; None on the trial route, where the searcher metric is not judged.
    """
    master, query = call.master, call.query
    order = query.get("orderBy", "")
    attribute = query.get("sortByAttr", "")
    down = order == "ORDER_BY_DESC"
    if attribute == "SORT_BY_SEARCHER_METRIC" and not order and smaller_is_better is False:
        down = True

    def metric(row: CheckpointRow, name: str | None) -> float | None:
        metrics = _validation_metrics(master, row) or {}
        value = metrics.get(name or master.experiments[row.experiment_id].base.metric)
        return None if not isinstance(value, (int, float)) or math.isnan(value) else float(value)

    key: t.Callable[[CheckpointRow], t.Any]
    missing_last: list[CheckpointRow] = []
    if attribute == "SORT_BY_SEARCHER_METRIC" or "sortByMetric" in query:
        name = query.get("sortByMetric")
        values = {row.uuid: metric(row, name) for row in rows}
        if attribute and smaller_is_better is not None:
            missing_last = [row for row in rows if values[row.uuid] is None]
            rows = [row for row in rows if values[row.uuid] is not None]

        def key(row: CheckpointRow) -> t.Any:
            value = values[row.uuid]
            return (value is not None, value or 0.0, row.report_time)
    else:
        keys: dict[str, t.Callable[[CheckpointRow], t.Any]] = {
            "SORT_BY_UUID": lambda row: row.uuid,
            "SORT_BY_BATCH_NUMBER": lambda row: (steps_completed(row), row.report_time),
            "SORT_BY_END_TIME": lambda row: row.report_time,
            "SORT_BY_STATE": lambda row: _STATE_NUMBER[row.state],
        }
        key = keys.get(attribute, lambda row: (row.trial_id, row.report_time))
    newest_first = sorted(rows, key=lambda row: row.report_time, reverse=True)
    return [*sorted(newest_first, key=key, reverse=down), *missing_last]


def _list(call: Call, rows: list[CheckpointRow], smaller_is_better: bool | None) -> dict[str, t.Any]:
    if call.query.get("states"):
        rows = [row for row in rows if f"STATE_{row.state}" in call.query["states"]]
    page, pagination = page_memory(_sorted(call, rows, smaller_is_better), call)
    return {"checkpoints": [render(call.master, row) for row in page], "pagination": pagination}


@route("GET", "/api/v1/experiments/{id:int32}/checkpoints", query=_LIST_QUERY)
def list_of_experiment(call: Call) -> dict[str, t.Any]:
    """GetExperimentCheckpoints."""
    master = call.master
    experiment = find(call, call.path["id"], "VIEW_EXPERIMENT_ARTIFACTS")
    rows = [
        master.checkpoints[uuid]
        for trial_id in experiment.trial_ids
        for uuid in master.trials[trial_id].checkpoint_uuids
    ]
    return _list(call, rows, experiment.base.smaller_is_better)


@route("GET", "/api/v1/trials/{id:int32}/checkpoints", query=_LIST_QUERY)
def list_of_trial(call: Call) -> dict[str, t.Any]:
    """GetTrialCheckpoints."""
    trial = find_trial(call, call.path["id"], "VIEW_EXPERIMENT_ARTIFACTS")
    return _list(call, [call.master.checkpoints[uuid] for uuid in trial.checkpoint_uuids], None)


def _find(call: Call, uuid: str, permission: str, *, through_model: bool = False) -> CheckpointRow:
    valid_uuid(uuid)
    row = call.master.checkpoints.get(uuid.lower())
    if row is None:
        raise call.master.not_found("checkpoint", uuid)
    workspace_id = workspace_of(call.master, call.master.experiments[row.experiment_id])
    if allowed(call, "VIEW_EXPERIMENT_METADATA", workspace_id) and allowed(call, permission, workspace_id):
        return t.cast(CheckpointRow, row)
    if through_model:
        for version in call.master.model_versions.values():
            model = call.master.models[version.model_id]
            if version.checkpoint_uuid == row.uuid and allowed(call, "VIEW_MODEL_REGISTRY", model.workspace_id):
                return t.cast(CheckpointRow, row)
    if not allowed(call, "VIEW_EXPERIMENT_METADATA", workspace_id):
        raise call.master.not_found("checkpoint", uuid)
    need(call, permission, workspace_id, status=True)
    raise AssertionError("unreachable")


@route("GET", "/api/v1/checkpoints/{checkpointUuid}")
def get_checkpoint(call: Call) -> dict[str, t.Any]:
    """GetCheckpoint."""
    row = _find(call, call.path["checkpointUuid"], "VIEW_EXPERIMENT_ARTIFACTS", through_model=True)
    return {"checkpoint": render(call.master, row)}


@route(
    "POST",
    "/api/v1/checkpoints/{checkpoint.uuid}/metadata",
    body=Message({"checkpoint": Message({"metadata": Struct})}),
)
def post_metadata(call: Call) -> dict[str, t.Any]:
    """PostCheckpointMetadata: replaces it whole."""
    row = _find(call, call.path["checkpoint.uuid"], "UPDATE_EXPERIMENT")
    shown = render(call.master, row)
    metadata = call.body.get("checkpoint", {}).get("metadata")
    row.metadata = metadata or {}
    return {"checkpoint": {**shown, "metadata": metadata}}


# --- removal -----------------------------------------------------------------------------------------------------------------


def _editable(call: Call, uuids: list[str], what: str) -> list[CheckpointRow]:
    """The rows for a removal: all there, none registered."""
    master = call.master
    for uuid in uuids:
        if not is_uuid(uuid):
            raise bad(f"converting checkpoint: string {uuid} is not a valid uuid")
    rows = [master.checkpoints.get(uuid.lower()) for uuid in uuids]
    missing = [uuid for uuid, row in zip(uuids, rows, strict=True) if row is None]
    found = [row for row in rows if row is not None]
    for row in found:
        workspace_id = workspace_of(master, master.experiments[row.experiment_id])
        if not allowed(call, "VIEW_EXPERIMENT_METADATA", workspace_id):
            missing.append(row.uuid)
        else:
            need(call, "UPDATE_EXPERIMENT", workspace_id, status=True)
    if missing:
        raise master.not_found("checkpoints", ",".join(missing))
    scopes = visible_workspaces(call, "VIEW_MODEL_REGISTRY")
    registered = []
    for row in found:
        versions = [version for version in master.model_versions.values() if version.checkpoint_uuid == row.uuid]
        if versions:
            model = master.models[versions[-1].model_id]
            seen = scopes is None or model.workspace_id in scopes
            where = f"{model.name} (model #{model.id}), version {versions[-1].version}" if seen else "an unknown model"
            registered.append(f"{row.uuid}, registered to {where}")
    if registered:
        raise bad(
            f"this subset of checkpoints provided are in the model registry and cannot be {what}: {', '.join(registered)}."
        )
    return found


def collect(master: Master, rows: list[CheckpointRow], globs: list[str] | None) -> None:
    """What a garbage collection task leaves: deleted rows, or without the files that match."""
    for row in rows:
        if row.state == "DELETED":
            continue
        if globs is None:
            row.state = "DELETED"
        else:
            kept = {
                path: size
                for path, size in row.resources.items()
                if not any(fnmatch.fnmatchcase(path, glob) for glob in globs)
            }
            _apply_resources(row, kept)
    for experiment_id in {row.experiment_id for row in rows}:
        if experiment_id in master.experiments:
            recount(master, master.experiments[experiment_id])


def _apply_resources(row: CheckpointRow, resources: dict[str, int]) -> None:
    if not resources:
        row.state = "DELETED"
    elif resources != row.resources:
        row.state, row.resources = "PARTIALLY_DELETED", resources


def collect_by_policy(master: Master, experiment: ExperimentRow) -> None:
    """The task that a change of the checkpoint policy starts, if an agent can run it: what the policy does not save is deleted."""
    if gc_time(master, [experiment]) >= FOREVER:
        return
    storage = experiment.base.data["checkpoint_storage"]
    registered = {version.checkpoint_uuid for version in master.model_versions.values()}
    everything = []
    for trial_id in experiment.trial_ids:
        rows = [master.checkpoints[uuid] for uuid in master.trials[trial_id].checkpoint_uuids]
        rows = [row for row in rows if row.state == "COMPLETED"]
        latest = sorted(rows, key=steps_completed, reverse=True)[: storage["save_trial_latest"]]
        best = _ranked(master, experiment, rows)[: storage["save_trial_best"]]
        everything += [row for row in rows if row not in latest and row not in best]
    all_rows = [
        row for row in master.checkpoints.values() if row.experiment_id == experiment.id and row.state == "COMPLETED"
    ]
    kept = _ranked(master, experiment, all_rows)[: storage["save_experiment_best"]]
    collect(master, [row for row in everything if row not in kept and row.uuid not in registered], None)


def _ranked(master: Master, experiment: ExperimentRow, rows: list[CheckpointRow]) -> list[CheckpointRow]:
    sign = 1 if experiment.base.smaller_is_better else -1
    scored = []
    for row in rows:
        value = (_validation_metrics(master, row) or {}).get(experiment.base.metric)
        if isinstance(value, (int, float)):
            scored.append((sign * value, row.uuid))
    return [master.checkpoints[uuid] for _value, uuid in sorted(scored)]


def _remove(call: Call, uuids: list[str], globs: list[str] | None) -> dict[str, t.Any]:
    master = call.master
    rows = _editable(call, uuids, "deleted")
    experiments = [master.experiments[key] for key in {row.experiment_id for row in rows}]
    wait = gc_time(master, experiments)
    if master.call_later is None:
        collect(master, rows, globs)
    elif rows and wait < FOREVER:
        master.call_later(wait, lambda: collect(master, rows, globs))
    return {}


@route("DELETE", "/api/v1/checkpoints", body=Message({"checkpointUuids": List(String)}))
def delete_checkpoints(call: Call) -> dict[str, t.Any]:
    """DeleteCheckpoints: the rows stay, their state changes once a task has run."""
    return _remove(call, call.body.get("checkpointUuids", []), None)


@route(
    "POST", "/api/v1/checkpoints/rm", body=Message({"checkpointUuids": List(String), "checkpointGlobs": List(String)})
)
def remove_files(call: Call) -> dict[str, t.Any]:
    """CheckpointsRemoveFiles."""
    globs = call.body.get("checkpointGlobs", [])
    for uuid in call.body.get("checkpointUuids", []):
        if not is_uuid(uuid):
            _editable(call, [uuid], "deleted")
    for glob in globs:
        if not glob:
            raise bad("cannot have empty string glob")
        if ".." in glob:
            raise bad(f"glob '{glob}' cannot contain '..'")
    return _remove(call, call.body.get("checkpointUuids", []), globs)


@route(
    "PATCH",
    "/api/v1/checkpoints",
    body=Message(
        {
            "checkpoints": List(
                Message(
                    {
                        "uuid": String,
                        "resources": Message({"resources": Map(Int64)}),
                    }
                )
            )
        }
    ),
)
def patch_checkpoints(call: Call) -> dict[str, t.Any]:
    """PatchCheckpoints: an empty map of resources marks a checkpoint as deleted, another one as partially deleted."""
    wanted = call.body.get("checkpoints", [])
    rows = _editable(call, [item.get("uuid", "") for item in wanted], "patched")
    for item, row in zip(wanted, rows, strict=True):
        if "resources" in item:
            _apply_resources(row, item["resources"].get("resources", {}))
    for key in {row.experiment_id for row in rows}:
        recount(call.master, call.master.experiments[key])
    return {}


@route(
    "POST",
    "/api/v1/checkpoints",
    body=Message(
        {
            "taskId": String,
            "allocationId": String,
            "uuid": String,
            "reportTime": Timestamp,
            "resources": Map(Int64),
            "metadata": Struct,
            "state": STATE,
        }
    ),
)
def report_checkpoint(call: Call) -> dict[str, t.Any]:
    """ReportCheckpoint."""
    master, body = call.master, call.body
    trial = trial_of_task(call, body.get("taskId", ""))
    experiment = master.experiments[trial.experiment_id]
    need(call, "UPDATE_EXPERIMENT", workspace_of(master, experiment), status=True)
    uuid = body.get("uuid", "")
    if not is_uuid(uuid):
        inner = f"rpc error: code = InvalidArgument desc = converting checkpoint: string {uuid} is not a valid uuid"
        raise bad(f"unconvertable checkpoint: {inner}")
    if uuid.lower() in master.checkpoints:
        rule = 'duplicate key value violates unique constraint "checkpoints_v2_uuid_key" (SQLSTATE 23505)'
        raise plain(f"error adding checkpoint metadata: inserting checkpoint model: ERROR: {rule}")
    state = body.get("state", "STATE_UNSPECIFIED").removeprefix("STATE_")
    row = CheckpointRow(
        uuid.lower(),
        trial.id,
        experiment.id,
        trial.task_id,
        body.get("reportTime") or master.now(),
        body.get("resources", {}),
        body.get("metadata", {}),
        state="COMPLETED" if state == "UNSPECIFIED" else state,
    )
    master.checkpoints[row.uuid] = row
    trial.checkpoint_uuids.append(row.uuid)
    recount(master, experiment)
    return {}
