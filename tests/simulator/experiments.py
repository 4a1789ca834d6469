# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Experiments read and edited (master/internal/api_experiment.go): get, list, labels, PATCH."""

from __future__ import annotations

import json
import math
import typing as t
from collections.abc import Callable, Iterable
from datetime import datetime

import orjson

from . import expconf
from .fields import Bool, BoolValue, Double, Enum, Int32, List, ListValue, Message, OrderBy, String
from .gateway import Call, Code, RpcError, bad, page_sql, plain, route
from .ml_state import (
    EXPERIMENT_STATES,
    MASK,
    ConfigBase,
    ExperimentRow,
    allowed,
    contains,
    is_uuid,
    later,
    need,
    shuffled,
    sql_sorted,
    stamp,
    user_filter,
    username,
    visible_workspaces,
)

if t.TYPE_CHECKING:
    from .state import Master

STATE_NAMES = (
    "STATE_UNSPECIFIED",
    "STATE_ACTIVE",
    "STATE_PAUSED",
    "STATE_STOPPING_COMPLETED",
    "STATE_STOPPING_CANCELED",
    "STATE_STOPPING_ERROR",
    "STATE_COMPLETED",
    "STATE_CANCELED",
    "STATE_ERROR",
    "STATE_DELETED",
    "STATE_DELETING",
    "STATE_DELETE_FAILED",
    "STATE_STOPPING_KILLED",
    "STATE_QUEUED",
    "STATE_PULLING",
    "STATE_STARTING",
    "STATE_RUNNING",
)
STATE = Enum("experimentv1.State", *STATE_NAMES, proto_name="determined.experiment.v1.State")
_ID_FILTER = Message(
    {"lt": Int32, "lte": Int32, "gt": Int32, "gte": Int32, "incl": List(Int32), "notIn": List(Int32)},
    go_name="*commonv1.Int32FieldFilter",
)
_SORT_BY = Enum(
    "apiv1.GetExperimentsRequest_SortBy",
    "SORT_BY_UNSPECIFIED",
    "SORT_BY_ID",
    "SORT_BY_DESCRIPTION",
    "SORT_BY_START_TIME=4",
    "SORT_BY_END_TIME=5",
    "SORT_BY_STATE=6",
    "SORT_BY_NUM_TRIALS=8",
    "SORT_BY_PROGRESS=9",
    "SORT_BY_USER=10",
    "SORT_BY_NAME=11",
    "SORT_BY_FORKED_FROM=12",
    "SORT_BY_RESOURCE_POOL=13",
    "SORT_BY_PROJECT_ID=14",
    "SORT_BY_CHECKPOINT_SIZE=15",
    "SORT_BY_CHECKPOINT_COUNT=16",
    "SORT_BY_SEARCHER_METRIC_VAL=17",
)
_LIST_QUERY = {
    "sortBy": _SORT_BY,
    "orderBy": OrderBy,
    "offset": Int32,
    "limit": Int32,
    "description": String,
    "name": String,
    "labels": List(String),
    "archived": BoolValue,
    "states": List(STATE),
    "users": List(String),
    "userIds": List(Int32),
    "projectId": Int32,
    "experimentIdFilter": _ID_FILTER,
    "showTrialData": Bool,
}


# --- rendering -------------------------------------------------------------------------------------------------------------


def shown_state(row: ExperimentRow) -> str:
    """The state as read: ACTIVE becomes what its allocations do."""
    return "STATE_" + (row.allocation if row.state == "ACTIVE" else row.state)


def workspace_of(master: Master, row: ExperimentRow) -> int:
    """The id of the workspace that holds the experiment."""
    return t.cast(int, master.projects[row.project_id].workspace_id)


def _common(master: Master, row: ExperimentRow) -> dict[str, t.Any]:
    project = master.projects[row.project_id]
    workspace = master.workspaces[project.workspace_id]
    return {
        "id": row.id,
        "description": row.description or "",
        "labels": row.labels or [],
        "startTime": stamp(row.start_time),
        "endTime": stamp(row.end_time),
        "state": shown_state(row),
        "archived": row.archived,
        "numTrials": len(row.trial_ids),
        "userId": row.owner_id,
        "username": username(master, row.owner_id),
        "resourcePool": row.base.pool,
        "name": row.name,
        "jobId": row.job_id,
        "forkedFrom": row.parent_id,
        "progress": row.progress,
        "projectId": project.id,
        "projectName": project.name,
        "workspaceId": workspace.id,
        "workspaceName": workspace.name,
        "parentArchived": workspace.archived or project.archived,
        "projectOwnerId": project.user_id,
        "checkpointSize": str(row.size),
        "checkpointCount": row.count,
        "unmanaged": row.unmanaged,
        **({"pachydermIntegration": row.base.pachyderm} if row.base.pachyderm is not None else {}),
    }


def masked_config(row: ExperimentRow) -> dict[str, t.Any]:
    """The configuration with the values of ``data.secrets`` replaced (master/internal/authz/obfuscate.go:132)."""
    config = row.config()
    if row.base.has_secrets:
        config["data"] = {**config["data"], "secrets": dict.fromkeys(config["data"]["secrets"], MASK)}
    return config


def _masked_original(row: ExperimentRow) -> str:
    """The submitted text; rewritten as compact JSON with sorted keys when there is something to mask."""
    if not row.base.has_secrets:
        return row.original_config
    original = expconf.parse_yaml(row.original_config)
    secrets = original.get("data", {}).get("secrets") if isinstance(original.get("data"), dict) else None
    if not isinstance(secrets, dict):
        return row.original_config
    original["data"]["secrets"] = dict.fromkeys(secrets, MASK)
    return json.dumps(original, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def render(master: Master, row: ExperimentRow) -> dict[str, t.Any]:
    """An Experiment in the form of GET, POST and PATCH answers."""
    return {
        **_common(master, row),
        "trialIds": row.trial_ids,
        "displayName": "",
        "searcherType": f'"{row.base.searcher}"',  # selected as jsonb, so it keeps its quotes
        "searcherMetric": "",
        "hyperparameters": None,
        "notes": row.notes,
        "config": masked_config(row),
        "originalConfig": _masked_original(row),
        **({"modelDefinitionSize": row.model_definition_size} if row.model_definition_size is not None else {}),
    }


def best_metric(master: Master, row: ExperimentRow) -> float | None:
    """The searcher metric of the best trial, signed as reported."""
    if row.best_trial_id is None:
        return None
    trial = master.trials.get(row.best_trial_id)
    values = [metrics.get(row.base.metric) for _batches, _time, metrics in trial.validations] if trial else []
    numbers = [value for value in values if isinstance(value, (int, float))]
    if not numbers:
        return None
    return min(numbers) if row.base.smaller_is_better else max(numbers)


def list_item(master: Master, row: ExperimentRow, now: datetime, *, with_trial: bool = False) -> bytes:
    """An Experiment in the form of lists, as JSON; the configuration is glued in as it is kept, secrets in clear."""
    owner = master.users[row.owner_id]
    item = _common(master, row)
    item.update(
        trialIds=[],
        displayName=owner.username if owner.display_name is None else owner.display_name,
        searcherType=row.base.searcher,
        searcherMetric=row.base.metric,
        hyperparameters=row.base.data["hyperparameters"],
        notes="omitted" if row.notes else "",
        originalConfig="",
        duration=math.floor(((row.end_time or now) - row.start_time).total_seconds() + 0.5),
    )
    if row.external_id is not None:
        item["externalExperimentId"] = row.external_id
    if with_trial:
        metric = best_metric(master, row)
        if metric is not None:
            item["bestTrialSearcherMetric"] = metric
    return orjson.dumps(item)[:-1] + b',"config":' + row.config_json() + b"}"


# --- looking up ------------------------------------------------------------------------------------------------------------


def find(call: Call, experiment_id: int, *permissions: str) -> ExperimentRow:
    """The experiment, if the caller may see it and holds the permissions.

    Raises:
        RpcError: 404 when missing or invisible, 403 without one of ``permissions``.
    """
    row = call.master.experiments.get(experiment_id)
    if row is None or not allowed(call, "VIEW_EXPERIMENT_METADATA", workspace_of(call.master, row)):
        raise call.master.not_found("experiment", experiment_id)
    for permission in permissions:
        need(call, permission, workspace_of(call.master, row), status=True)
    return t.cast(ExperimentRow, row)


def wanted_states(states: Iterable[str]) -> set[str]:
    """Database words of a filter; one that PostgreSQL's enum does not have is an error."""
    words = [str(state).removeprefix("STATE_") for state in states]
    for word in words:
        if word not in EXPERIMENT_STATES:
            raise plain(f'ERROR: invalid input value for enum experiment_state: "{word}" (SQLSTATE 22P02)')
    return set(words)


def label_filter(labels: list[str]) -> Callable[[ExperimentRow], bool]:
    """All labels must be there; they are joined on commas and split again, as in SQL."""
    wanted = set(",".join(labels).split(","))
    return lambda row: wanted.issubset(row.labels or ())


def _by_id_filter(rows: Iterable[ExperimentRow], spec: dict[str, t.Any]) -> list[ExperimentRow]:
    """The rows that an Int32FieldFilter lets through."""
    low = max(spec.get("gt", -(2**31)), spec.get("gte", -(2**31)) - 1)
    high = min(spec.get("lt", 2**31), spec.get("lte", 2**31 - 1) + 1)
    out = [row for row in rows if low < row.id < high]
    if spec.get("incl"):
        included = frozenset(spec["incl"])
        out = [row for row in out if row.id in included]
    if spec.get("notIn"):
        excluded = frozenset(spec["notIn"])
        out = [row for row in out if row.id not in excluded]
    return out


def in_scope(call: Call, rows: Iterable[ExperimentRow], *permissions: str) -> list[ExperimentRow]:
    """FilterExperimentsQuery: the rows in workspaces where the caller holds all the permissions."""
    out = list(rows)
    for permission in permissions:
        scopes = visible_workspaces(call, permission)
        if scopes is not None:
            out = [row for row in out if workspace_of(call.master, row) in scopes]
    return out


# --- lists -----------------------------------------------------------------------------------------------------------------


def _sort_columns(master: Master) -> dict[str, Callable[[ExperimentRow], t.Any]]:
    users = master.users
    return {
        "SORT_BY_DESCRIPTION": lambda row: row.description,
        "SORT_BY_NAME": lambda row: row.name,
        "SORT_BY_START_TIME": lambda row: row.start_time,
        "SORT_BY_END_TIME": lambda row: row.end_time,
        "SORT_BY_STATE": lambda row: _STATE_ORDER[row.state],
        "SORT_BY_NUM_TRIALS": lambda row: len(row.trial_ids),
        "SORT_BY_PROGRESS": lambda row: row.progress or 0,
        "SORT_BY_USER": lambda row: users[row.owner_id].display_name or users[row.owner_id].username,
        "SORT_BY_FORKED_FROM": lambda row: row.parent_id,
        "SORT_BY_RESOURCE_POOL": lambda row: row.base.pool,
        "SORT_BY_PROJECT_ID": lambda row: row.project_id,
        "SORT_BY_CHECKPOINT_SIZE": lambda row: row.size,
        "SORT_BY_CHECKPOINT_COUNT": lambda row: row.count,
        "SORT_BY_SEARCHER_METRIC_VAL": lambda row: best_metric(master, row),
    }


# select enum_range(null::experiment_state)
_STATE_ORDER = {
    state: index
    for index, state in enumerate(
        (
            "ACTIVE",
            "PAUSED",
            "STOPPING_CANCELED",
            "STOPPING_KILLED",
            "STOPPING_COMPLETED",
            "STOPPING_ERROR",
            "DELETING",
            "CANCELED",
            "COMPLETED",
            "ERROR",
            "DELETE_FAILED",
            "RUNNING",
        )
    )
}


@route("GET", "/api/v1/experiments", query=_LIST_QUERY)
def list_experiments(call: Call) -> dict[str, t.Any]:
    """GetExperiments."""
    master, query = call.master, call.query
    rows: Iterable[ExperimentRow] = master.experiments.values()
    project_id = query.get("projectId", 0)
    if project_id:
        from .projects import find as find_project

        find_project(call, project_id)
        rows = [row for row in rows if row.project_id == project_id]
    if query.get("experimentIdFilter"):
        rows = _by_id_filter(rows, query["experimentIdFilter"])
    if "archived" in query:
        archived = query["archived"]
        rows = [row for row in rows if row.archived == archived]
        if not archived and not project_id:
            hidden = {
                project.id
                for project in master.projects.values()
                if project.archived or master.workspaces[project.workspace_id].archived
            }
            rows = [row for row in rows if row.project_id not in hidden]
    if query.get("states"):
        states = wanted_states(query["states"])
        rows = [row for row in rows if row.state in states]
    for name in ("description", "name"):
        if query.get(name):
            match = contains(query[name])
            rows = [row for row in rows if getattr(row, name) is not None and match(getattr(row, name))]
    if query.get("labels"):
        match_labels = label_filter(query["labels"])
        rows = [row for row in rows if match_labels(row)]
    if query.get("users") or query.get("userIds"):
        match_user = user_filter(call)
        rows = [row for row in rows if match_user(row.owner_id)]
    rows = in_scope(call, rows, "VIEW_EXPERIMENT_METADATA")
    key = _sort_columns(master).get(query.get("sortBy", ""))
    order = query.get("orderBy", "")
    ordered = (
        rows if key is None and order != "ORDER_BY_DESC" else sql_sorted(rows, key, order, tie=_by_id, nulls_last=True)
    )
    page, pagination = page_sql(ordered, call)
    now, with_trial = master.now(), bool(query.get("showTrialData"))
    body = b",".join([list_item(master, row, now, with_trial=with_trial) for row in page])
    return {"experiments": orjson.Fragment(b"[" + body + b"]"), "pagination": pagination}


def _by_id(row: ExperimentRow) -> int:
    return row.id


@route("GET", "/api/v1/experiment/labels", query={"projectId": Int32})
def list_labels(call: Call) -> dict[str, t.Any]:
    """GetExperimentLabels: counted over distinct label lists, most used first."""
    rows: Iterable[ExperimentRow] = call.master.experiments.values()
    if call.query.get("projectId"):
        from .projects import find as find_project

        find_project(call, call.query["projectId"])
        rows = [row for row in rows if row.project_id == call.query["projectId"]]
    else:
        rows = in_scope(call, rows, "VIEW_EXPERIMENT_METADATA")
    used: dict[str, int] = {}
    for labels in {tuple(row.labels or ()) for row in rows}:
        for label in labels:
            used[label] = used.get(label, 0) + 1
    return {"labels": sorted(shuffled(used), key=lambda label: -used[label])}


# --- one -------------------------------------------------------------------------------------------------------------------


@route("GET", "/api/v1/experiments/{experimentId:int32}")
def get_experiment(call: Call) -> dict[str, t.Any]:
    """GetExperiment: the configuration comes twice, a job summary only while it is active."""
    master = call.master
    row = find(call, call.path["experimentId"])
    shown = render(master, row)
    summary = None
    if row.state == "ACTIVE" and row.live:
        if row.allocation == "QUEUED":
            ahead = sum(
                1
                for other in master.experiments.values()
                if other.live
                and other.state == "ACTIVE"
                and other.allocation == "QUEUED"
                and other.id < row.id
                and other.base.pool == row.base.pool
            )
            summary = {"state": "STATE_QUEUED", "jobsAhead": ahead}
        else:
            summary = {"state": "STATE_SCHEDULED", "jobsAhead": 0}
    return {"experiment": shown, "jobSummary": summary, "config": shown["config"]}


@route("GET", "/api/v1/experiments/{experimentId:int32}/validation-history")
def validation_history(call: Call) -> dict[str, t.Any]:
    """GetExperimentValidationHistory: each new best value of the searcher metric."""
    row = find(call, call.path["experimentId"], "VIEW_EXPERIMENT_ARTIFACTS")
    seen = [
        (time, trial_id, metrics.get(row.base.metric))
        for trial_id in row.trial_ids
        for _batches, time, metrics in call.master.trials[trial_id].validations
    ]
    out, best = [], None
    for time, trial_id, value in sorted(seen, key=lambda item: item[0]):
        better = isinstance(value, (int, float)) and (
            best is None or (value < best) == row.base.smaller_is_better != (value == best)
        )
        if better:
            best = value
            out.append({"trialId": trial_id, "endTime": stamp(time), "searcherMetric": value})
    return {"validationHistory": out}


_PATCH = Message(
    {
        "description": String,
        "labels": ListValue,
        "notes": String,
        "name": String,
        "resources": Message({"maxSlots": Int32, "weight": Double, "priority": Int32}),
        "checkpointStorage": Message({"saveExperimentBest": Int32, "saveTrialBest": Int32, "saveTrialLatest": Int32}),
    }
)


@route("PATCH", "/api/v1/experiments/{experiment.id:int32}", body=_PATCH)
def patch_experiment(call: Call) -> dict[str, t.Any]:
    """PatchExperiment: metadata is saved first, then resources and the checkpoint policy; the answer has the old config."""
    master, body = call.master, call.body
    row = find(call, call.path["experiment.id"])
    need(call, "UPDATE_EXPERIMENT_METADATA", workspace_of(master, row), status=True)
    answer = render(master, row)
    changes: dict[str, t.Any] = {}
    if body.get("name", row.name) != row.name:
        if not body["name"].strip():
            raise bad("`name` must not be an empty or whitespace string")
        changes["name"] = body["name"]
    if body.get("notes", row.notes) != row.notes:
        changes["notes"] = body["notes"]
    if body.get("description", row.description or "") != (row.description or ""):
        changes["description"] = body["description"]
    if "labels" in body:
        labels = shuffled(label for label in body["labels"] if isinstance(label, str))
        if ",".join(labels) != ",".join(row.labels or ()):
            changes["labels"] = labels
    if changes:
        # the three fields are written together: an absent description as "", no labels as null
        row.description, row.labels = row.description or "", row.labels or None
        for name, value in changes.items():
            setattr(row, name, value)
        answer.update(changes)
    if "resources" in body or "checkpointStorage" in body:
        _patch_config(call, row)
    answer["state"] = shown_state(row)
    return {"experiment": answer}


def _config_workspace(call: Call, row: ExperimentRow) -> bool:
    """Whether the workspace that the configuration names exists; a rename does not touch the configuration."""
    name = row.base.data.get("workspace") or "Uncategorized"
    return any(workspace.name == name for workspace in call.master.workspaces.values())


def _patch_config(call: Call, row: ExperimentRow) -> None:
    master, body = call.master, call.body
    resources, storage = body.get("resources"), body.get("checkpointStorage")
    if (resources or storage is not None) and not allowed(call, "UPDATE_EXPERIMENT", workspace_of(master, row)):
        text = master.denied("UPDATE_EXPERIMENT").message
        raise plain(f"code=403, message={text}")
    config = row.config()
    new: dict[str, t.Any] = {}
    if resources is not None:
        words = {"maxSlots": "max_slots", "weight": "weight", "priority": "priority"}
        new = {words[name]: _whole(value) for name, value in resources.items()}
        config["resources"] = {**config["resources"], **new}
    if storage is not None:
        config["checkpoint_storage"] = {
            **config["checkpoint_storage"],
            "save_experiment_best": storage.get("saveExperimentBest", 0),
            "save_trial_best": storage.get("saveTrialBest", 0),
            "save_trial_latest": storage.get("saveTrialLatest", 0),
        }
        if not _config_workspace(call, row):
            raise RpcError(Code.INTERNAL, f"failed to get workspace {config.get('workspace', '')}")
    if resources is not None:
        if not row.live:
            raise master.not_found("experiment", row.id)
        if "maxSlots" in resources and not _config_workspace(call, row):
            raise RpcError(Code.INTERNAL, "not found")
        if "weight" in resources and not _config_workspace(call, row):
            text = (
                f"cannot change experiment weight to {_whole(resources['weight'])}: error getting workspace: not found"
            )
            raise plain(text)
        _set_in_memory(row, new)
    try:
        expconf.require_complete(config)
    except expconf.ConfigError as error:
        raise plain(f"patching experiment {row.id}: refusing to save invalid experiment config: {error}") from None
    row.base = ConfigBase(config)
    row.labels = shuffled(row.labels)
    if storage is not None:
        from .checkpoints import collect_by_policy

        later(master, lambda: collect_by_policy(master, row))


def _set_in_memory(row: ExperimentRow, resources: dict[str, t.Any]) -> None:
    """The live experiment's own copy (master/internal/experiment.go:871): a refused priority writes it back, and is not told."""
    if row.memory is None:
        return
    base, name, description, labels = row.memory
    kept = {word: value for word, value in resources.items() if word != "priority"}
    refused = not 1 <= resources.get("priority", 1) <= 99
    base = ConfigBase({**base.data, "resources": {**base.data["resources"], **(kept if refused else resources)}})
    row.memory = base, name, description, labels
    if refused:
        row.base, row.name, row.description, row.labels = row.memory


def _whole(value: float) -> float | int:
    return int(value) if isinstance(value, float) and value.is_integer() else value


@route("PUT", "/api/v1/experiments/{experimentId:int32}/labels/{label}")
def put_label(call: Call) -> dict[str, t.Any]:
    """PutExperimentLabel: appends, in order."""
    row = call.master.experiments.get(call.path["experimentId"])
    if row is None:
        raise plain("sql: no rows in result set")
    need(call, "UPDATE_EXPERIMENT_METADATA", workspace_of(call.master, row), status=True)
    if call.path["label"] not in (row.labels or ()):
        row.labels = [*(row.labels or ()), call.path["label"]]
    return {"labels": row.labels}


@route("DELETE", "/api/v1/experiments/{experimentId:int32}/labels/{label}")
def delete_label(call: Call) -> t.NoReturn:
    """DeleteExperimentLabel never works in this release: its query cannot run."""
    raise plain("ERROR: FOR UPDATE cannot be applied to the nullable side of an outer join (SQLSTATE 0A000)")


def valid_uuid(text: str) -> None:
    """google/uuid's refusal of a malformed UUID.

    Raises:
        RpcError: plain.
    """
    if not is_uuid(text):
        raise plain("invalid UUID format" if len(text) == 36 else f"invalid UUID length: {len(text.encode())}")
