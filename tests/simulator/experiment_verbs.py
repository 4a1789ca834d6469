# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of experiments, single and bulk (master/internal/experiment/bulk_action.go, master/internal/experiment.go)."""

from __future__ import annotations

import random
import typing as t
from collections.abc import Callable, Iterable

from .experiment_delete import after_gc, remove_experiment
from .experiments import STATE, find, in_scope, label_filter, wanted_states, workspace_of
from .fields import BoolValue, Int32, List, Message, String
from .gateway import Call, Code, RpcError, bad, plain, route
from .ml_state import (
    DELETABLE,
    STOPPING,
    TERMINAL,
    ConfigBase,
    ExperimentRow,
    TrialRow,
    contains,
    later,
    need,
    owner_or_admin,
    shuffled,
)
from .projects import find as find_project

if t.TYPE_CHECKING:
    from .state import Master

Result = tuple[int, RpcError | None]
ANY_PROJECT = -1
NON_TERMINAL = frozenset({"ACTIVE", "PAUSED", "RUNNING", *STOPPING})


def _precondition(text: str) -> RpcError:
    return RpcError(Code.FAILED_PRECONDITION, text)


# --- state machine of a live experiment --------------------------------------------------------------------------------------


def _set_state(master: Master, row: ExperimentRow, state: str) -> None:
    row.state = state
    for trial_id in row.trial_ids:
        trial = master.trials[trial_id]
        if trial.state not in TERMINAL:
            trial.state = state


def _activate(master: Master, row: ExperimentRow) -> RpcError | None:
    if row.state in ("PAUSED", "STOPPING_ERROR"):
        row.allocation = "QUEUED"
        _set_state(master, row, "ACTIVE")
    elif row.state != "ACTIVE":
        return _precondition(f"experiment in incompatible state {row.state}")
    return None


def _pause(master: Master, row: ExperimentRow) -> RpcError | None:
    if row.state == "ACTIVE":
        _set_state(master, row, "PAUSED")
    elif row.state != "PAUSED":
        return _precondition(f"experiment in incompatible state {row.state}")
    return None


def _stop(master: Master, row: ExperimentRow, state: str) -> None:
    waiting = row.state == "PAUSED" or row.allocation == "QUEUED"
    _set_state(master, row, state)

    def finish() -> None:
        if row.state in STOPPING:
            _set_state(master, row, "CANCELED")
            row.live = False
            for trial_id in row.trial_ids:  # they end first, each at a time of its own
                master.trials[trial_id].end_time = master.trials[trial_id].end_time or master.now()
            row.end_time = master.now()

    later(master, finish, quick=waiting)


def _cancel(master: Master, row: ExperimentRow) -> RpcError | None:
    if row.state not in STOPPING and row.state not in TERMINAL:
        _stop(master, row, "STOPPING_CANCELED")
    return None


def _kill(master: Master, row: ExperimentRow) -> RpcError | None:
    if row.state in ("STOPPING_COMPLETED", "STOPPING_ERROR"):
        return _precondition(f"experiment in incompatible state {row.state}")
    if row.state != "STOPPING_KILLED" and row.state not in TERMINAL:
        _stop(master, row, "STOPPING_KILLED")
    return None


def stop_trial(master: Master, row: ExperimentRow, trial: TrialRow) -> None:
    """Kill one trial of a live experiment; when it was the last one running, the experiment ends CANCELED."""
    trial.state = "STOPPING_KILLED"

    def finish() -> None:
        trial.state, trial.end_time = "CANCELED", master.now()
        if row.live and all(master.trials[trial_id].state in TERMINAL for trial_id in row.trial_ids):
            row.state, row.live, row.end_time = "CANCELED", False, master.now()

    later(master, finish)


# --- selecting ---------------------------------------------------------------------------------------------------------------

FILTERS = Message(
    {
        "description": String,
        "name": String,
        "labels": List(String),
        "archived": BoolValue,
        "states": List(STATE),
        "userIds": List(Int32),
        "projectId": Int32,
        "excludedExperimentIds": List(Int32),
    }
)


def _matching(call: Call, filters: dict[str, t.Any]) -> list[ExperimentRow]:
    rows: Iterable[ExperimentRow] = call.master.experiments.values()
    if filters.get("excludedExperimentIds"):
        rows = [row for row in rows if row.id not in filters["excludedExperimentIds"]]
    for name in ("description", "name"):
        if filters.get(name):
            match = contains(filters[name])
            rows = [row for row in rows if getattr(row, name) is not None and match(getattr(row, name))]
    if filters.get("labels"):
        match_labels = label_filter(filters["labels"])
        rows = [row for row in rows if match_labels(row)]
    if "archived" in filters:
        rows = [row for row in rows if row.archived == filters["archived"]]
    if filters.get("states"):
        states = wanted_states(filters["states"])
        rows = [row for row in rows if row.state in states]
    if filters.get("userIds"):
        rows = [row for row in rows if row.owner_id in filters["userIds"]]
    if filters.get("projectId"):
        rows = [row for row in rows if row.project_id == filters["projectId"]]
    return list(rows)


def _select(
    call: Call, project_id: int, ids: list[int], filters: dict[str, t.Any] | None, *permissions: str
) -> tuple[list[ExperimentRow], list[Result]]:
    """The rows that a bulk verb may touch, and a NotFound entry for each id that is not among them (without filters)."""
    known = call.master.experiments
    rows = [known[key] for key in sorted({*ids} & known.keys())] if filters is None else _matching(call, filters)
    if project_id != ANY_PROJECT:
        rows = [row for row in rows if row.project_id == project_id]
    rows = in_scope(call, rows, *permissions)
    visible = {row.id for row in rows}
    missing: list[Result] = []
    if filters is None:
        missing = [(key, call.master.not_found("experiment", key)) for key in ids if key not in visible]
    return rows, missing


def _editable(
    call: Call, project_id: int, ids: list[int], filters: dict[str, t.Any] | None, default_states: frozenset[str]
) -> tuple[list[ExperimentRow], list[Result]]:
    """_select for activate, pause, cancel, kill and retain_logs: archived ones are as good as missing."""
    if filters is not None and not filters.get("states") and default_states:
        filters = {**filters, "states": [f"STATE_{state}" for state in sorted(default_states)]}
    rows, missing = _select(call, project_id, ids, filters, "UPDATE_EXPERIMENT")
    if filters is None:
        missing += [(row.id, call.master.not_found("experiment", row.id)) for row in rows if row.archived]
    return [row for row in rows if not row.archived], missing


def _live_verb(
    action: Callable[[Master, ExperimentRow], RpcError | None], default_states: frozenset[str], *, ended_is_fine: bool
) -> Callable[[Call, int, list[int], dict[str, t.Any] | None], list[Result]]:
    def run(call: Call, project_id: int, ids: list[int], filters: dict[str, t.Any] | None) -> list[Result]:
        rows, results = _editable(call, project_id, ids, filters, default_states)
        for row in rows:
            if row.live:
                results.append((row.id, action(call.master, row)))
            else:
                results.append((row.id, None if ended_is_fine else _precondition("experiment in terminal state")))
        return results

    return run


_bulk_activate = _live_verb(_activate, frozenset({"PAUSED"}), ended_is_fine=False)
_bulk_pause = _live_verb(_pause, frozenset({"ACTIVE"}), ended_is_fine=False)
_bulk_cancel = _live_verb(_cancel, NON_TERMINAL, ended_is_fine=True)
_bulk_kill = _live_verb(_kill, NON_TERMINAL, ended_is_fine=True)


def _archive(call: Call, project_id: int, ids: list[int], filters: dict[str, t.Any] | None) -> list[Result]:
    rows, results = _select(call, project_id, ids, filters, "UPDATE_EXPERIMENT_METADATA")
    if filters is not None:
        rows = [row for row in rows if not row.archived and row.state in TERMINAL]
    for row in rows:
        if row.archived:
            results.append((row.id, _precondition("Experiment is already archived.")))
        elif row.state not in TERMINAL:
            results.append((row.id, _precondition("Experiment is not in terminal state.")))
        else:
            row.archived = True
            results.append((row.id, None))
    return results


def _unarchive(call: Call, project_id: int, ids: list[int], filters: dict[str, t.Any] | None) -> list[Result]:
    if filters is not None:
        raise plain('ERROR: column reference "archived" is ambiguous (SQLSTATE 42702)')
    rows, results = _select(call, project_id, ids, None, "UPDATE_EXPERIMENT_METADATA")
    for row in rows:
        if not row.archived:
            results.append((row.id, _precondition("Experiment is not archived.")))
        elif row.state not in TERMINAL:
            results.append((row.id, _precondition("Experiment is not in terminal state.")))
        else:
            row.archived = False
            results.append((row.id, None))
    return results


def _delete(call: Call, project_id: int, ids: list[int], filters: dict[str, t.Any] | None) -> list[Result]:
    master = call.master
    rows, results = _select(call, project_id, ids, filters, "DELETE_EXPERIMENT")
    if filters is not None:
        rows = [row for row in rows if row.state in TERMINAL]
    registered = {
        master.checkpoints[version.checkpoint_uuid].experiment_id
        for version in master.model_versions.values()
        if version.checkpoint_uuid in master.checkpoints
    }
    accepted = []
    for row in rows:
        if row.id in registered:
            results.append((row.id, bad("checkpoints are registered as model versions")))
        elif row.state not in DELETABLE:
            results.append((row.id, _precondition(f"cannot delete experiment in STATE_{row.state} state")))
        else:
            row.state = "DELETING"
            accepted.append(row)
            results.append((row.id, None))
    for row in accepted:
        after_gc(master, [row], lambda gone=row: remove_experiment(master, gone))  # type: ignore[misc]
    return results


def _move(call: Call, project_id: int, ids: list[int], filters: dict[str, t.Any] | None, target: int) -> list[Result]:
    master = call.master
    rows, results = _select(call, project_id, ids, filters, "VIEW_EXPERIMENT_METADATA", "DELETE_EXPERIMENT")
    for row in rows:
        project = master.projects[row.project_id]
        if row.archived or project.archived or master.workspaces[project.workspace_id].archived:
            if filters is None:
                results.append((row.id, _precondition("Experiment is archived.")))
            continue
        if row.trial_ids:
            master.projects[target].reserved_keys.add(master.projects[target].key)
        row.project_id = target
        results.append((row.id, None))
    return results


def _retain(call: Call, project_id: int, ids: list[int], filters: dict[str, t.Any] | None, days: int) -> list[Result]:
    days = (days + 2**15) % 2**16 - 2**15  # the handler converts to int16
    rows, results = _editable(call, project_id, ids, filters, frozenset())
    for row in rows:
        if row.state not in TERMINAL:
            text = f"experiment in non terminal state '{row.state}', try again later"
            results.append((row.id, _precondition(text)))
            continue
        row.base = ConfigBase({**row.config(), "retention_policy": {"log_retention_days": days}})
        row.labels = shuffled(row.labels)
        for trial_id in row.trial_ids:
            call.master.trials[trial_id].log_retention_days = days
        results.append((row.id, None))
    return results


# --- routes ------------------------------------------------------------------------------------------------------------------

_BULK = {
    "activate": _bulk_activate,
    "pause": _bulk_pause,
    "cancel": _bulk_cancel,
    "kill": _bulk_kill,
    "archive": _archive,
    "unarchive": _unarchive,
    "delete": _delete,
}


def _answer(results: list[Result]) -> dict[str, t.Any]:
    """Bulk answers are 200 with the errors as Go prints them; NotFound first, the others in no order."""
    random.shuffle(results)
    words = {
        Code.FAILED_PRECONDITION: "FailedPrecondition",
        Code.NOT_FOUND: "NotFound",
        Code.INVALID_ARGUMENT: "InvalidArgument",
    }
    return {
        "results": [
            {
                "error": "" if error is None else f"rpc error: code = {words[error.code]} desc = {error.message}",
                "id": key,
            }
            for key, error in results
        ]
    }


def _register_bulk(verb: str) -> None:
    body = Message({"experimentIds": List(Int32), "filters": FILTERS})

    @route(
        "DELETE" if verb == "delete" else "POST", f"/api/v1/projects/{{projectId:int32}}/experiments/{verb}", body=body
    )
    def bulk(call: Call) -> dict[str, t.Any]:
        return _answer(
            _BULK[verb](call, call.path["projectId"], call.body.get("experimentIds", []), call.body.get("filters"))
        )


def _register_single(verb: str) -> None:
    @route("POST", f"/api/v1/experiments/{{id:int32}}/{verb}")
    def single(call: Call) -> dict[str, t.Any]:
        _raise(_BULK[verb](call, ANY_PROJECT, [call.path["id"]], None))
        return {}


def _raise(results: list[Result]) -> None:
    if results[0][1] is not None:
        raise results[0][1]


for _verb in _BULK:
    _register_bulk(_verb)
    if _verb not in ("activate", "delete"):
        _register_single(_verb)


@route("POST", "/api/v1/experiments/{id:int32}/activate")
def activate(call: Call) -> dict[str, t.Any]:
    """ActivateExperiment: anything that the master does not run is a 404."""
    row = find(call, call.path["id"], "UPDATE_EXPERIMENT")
    if not row.live:
        raise call.master.not_found("experiment", row.id)
    error = _activate(call.master, row)
    if error is not None:
        raise error
    return {}


@route("DELETE", "/api/v1/experiments/{experimentId:int32}")
def delete(call: Call) -> dict[str, t.Any]:
    """DeleteExperiment: owner or admin under basic authorisation, which the bulk call does not check."""
    row = find(call, call.path["experimentId"], "DELETE_EXPERIMENT")
    if not call.master.rbac and not owner_or_admin(call, row.owner_id):
        raise RpcError(Code.PERMISSION_DENIED, "non admin users may not delete other user's experiments")
    _raise(_delete(call, ANY_PROJECT, [row.id], None))
    return {}


def _target(call: Call) -> int:
    target = find_project(call, call.body.get("destinationProjectId", 0))
    if target.archived or call.master.workspaces[target.workspace_id].archived:
        raise plain(f"project ({target.id}) is archived and cannot add new experiments")
    need(call, "CREATE_EXPERIMENT", target.workspace_id, status=True)
    return target.id


@route("POST", "/api/v1/experiments/{experimentId:int32}/move", body=Message({"destinationProjectId": Int32}))
def move(call: Call) -> dict[str, t.Any]:
    """MoveExperiment."""
    row = find(call, call.path["experimentId"])
    if row.archived:
        raise plain(f"experiment ({row.id}) is archived and cannot be moved")
    source = find_project(call, row.project_id)
    if source.archived or call.master.workspaces[workspace_of(call.master, row)].archived:
        raise plain(f"project ({source.id}) is archived and cannot have experiments moved from it")
    _raise(_move(call, ANY_PROJECT, [row.id], None, _target(call)))
    return {}


@route(
    "POST",
    "/api/v1/projects/{projectId:int32}/experiments/move",
    body=Message(
        {
            "experimentIds": List(Int32),
            "filters": FILTERS,
            "destinationProjectId": Int32,
        }
    ),
)
def bulk_move(call: Call) -> dict[str, t.Any]:
    """MoveExperiments."""
    target = _target(call)
    body = call.body
    return _answer(_move(call, call.path["projectId"], body.get("experimentIds", []), body.get("filters"), target))


@route("PUT", "/api/v1/experiments/{experimentId:int32}/retain_logs", body=Message({"numDays": Int32}))
def retain_logs(call: Call) -> dict[str, t.Any]:
    """PutExperimentRetainLogs."""
    _raise(_retain(call, ANY_PROJECT, [call.path["experimentId"]], None, call.body.get("numDays", 0)))
    return {}


@route(
    "PUT",
    "/api/v1/projects/{projectId:int32}/experiments/retain_logs",
    body=Message(
        {
            "experimentIds": List(Int32),
            "filters": FILTERS,
            "numDays": Int32,
        }
    ),
)
def bulk_retain_logs(call: Call) -> dict[str, t.Any]:
    """PutExperimentsRetainLogs."""
    body = call.body
    days = body.get("numDays", 0)
    return _answer(_retain(call, call.path["projectId"], body.get("experimentIds", []), body.get("filters"), days))
