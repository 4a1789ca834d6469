# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Creating experiments (master/internal/core_experiment.go, master/internal/api_experiment.go)."""

from __future__ import annotations

import gzip
import io
import tarfile
import typing as t

from . import expconf
from .config_policies import check_constraints, with_invariants
from .experiments import find, render
from .fields import Bool, Bytes, Int32, Int64, List, Message, String
from .gateway import Call, Code, RpcError, bad, plain, route
from .ml_state import (
    TERMINAL,
    ConfigBase,
    ExperimentRow,
    ProjectRow,
    WorkspaceRow,
    allowed,
    is_uuid,
    need,
    new_uuid,
    shuffled,
)
from .projects import by_name as project_by_name
from .trials import add_trial
from .workspaces import available_pools

if t.TYPE_CHECKING:
    from .state import Master

DEFAULT_PRIORITY = 42  # master/internal/config/config.go, DefaultSchedulingPriority
_FILE = Message(
    {"path": String, "type": Int32, "content": Bytes, "mtime": Int64, "mode": Int32, "uid": Int32, "gid": Int32}
)
_FIELDS = {
    "modelDefinition": List(_FILE),
    "config": String,
    "validateOnly": Bool,
    "parentId": Int32,
    "activate": Bool,
    "projectId": Int32,
    "template": String,
    "unmanaged": Bool,
    "gitRemote": String,
    "gitCommit": String,
    "gitCommitter": String,
    "gitCommitDate": String,
}
_REMOVED_SEARCHERS = ("sync_halving", "adaptive", "adaptive_simple", "custom")
_INVALID = "invalid experiment configuration: "
# What a validateOnly request answers: an Experiment of zero values, optional fields absent.
_EMPTY_EXPERIMENT: dict[str, t.Any] = {
    "id": 0,
    "description": "",
    "labels": [],
    "startTime": None,
    "endTime": None,
    "state": "STATE_UNSPECIFIED",
    "archived": False,
    "numTrials": 0,
    "trialIds": [],
    "displayName": "",
    "userId": 0,
    "username": "",
    "resourcePool": "",
    "searcherType": "",
    "searcherMetric": "",
    "hyperparameters": None,
    "name": "",
    "notes": "",
    "jobId": "",
    "forkedFrom": None,
    "progress": None,
    "projectId": 0,
    "projectName": "",
    "workspaceId": 0,
    "workspaceName": "",
    "parentArchived": False,
    "config": None,
    "originalConfig": "",
    "projectOwnerId": 0,
    "checkpointSize": "0",
    "checkpointCount": 0,
    "unmanaged": False,
}


class Prepared(t.NamedTuple):
    """A request that passed every check."""

    config: dict[str, t.Any]  # as answered: the pool as submitted
    pool: str
    project: ProjectRow
    warnings: list[str]


def _project(call: Call, config: dict[str, t.Any]) -> ProjectRow:
    """Where the experiment goes: ``projectId`` above 1, else the names in its configuration, else Uncategorized."""
    master, project_id = call.master, call.body.get("projectId", 0)
    if project_id > 1:
        row, missing = master.projects.get(project_id), master.not_found("project", project_id)
    else:
        workspace, project = config["workspace"], config["project"]
        if (workspace == "") != (project == ""):
            raise plain("workspace and project must both be included in config if one is provided")
        if not workspace:
            row, missing = master.projects.get(1), master.not_found("project", 1)
        else:
            row = project_by_name(call, workspace, project)
            missing = master.not_found("workspace/project", f"{workspace}/{project}")
    if row is None or not allowed(call, "VIEW_PROJECT", row.workspace_id):
        raise missing
    return t.cast(ProjectRow, row)


def _slots(master: Master, pool: str) -> list[int]:
    """Slots of each agent in a pool."""
    return [len(agent.slots) for agent in master.agents.values() if agent.resource_pool == pool]


def _resource_pool(call: Call, workspace: WorkspaceRow, resources: dict[str, t.Any]) -> tuple[str, list[str]]:
    """ResolveResources: the pool that the experiment will run in, and launch warnings."""
    master = call.master
    name, slots = resources["resource_pool"], resources["slots_per_trial"]
    manager = master.config.get("resource_manager", {})
    if not name:
        word = "default_aux_resource_pool" if slots == 0 else "default_compute_resource_pool"
        name = workspace.default_aux_pool if slots == 0 else workspace.default_compute_pool
        name, checked = name or manager.get(word) or "default", bool(name)
    else:
        checked = True
    if checked and name not in available_pools(call, workspace.id):
        text = f"resource pool {name} does not exist or is not available to workspace id {workspace.id}"
        raise bad(f"invalid resource configuration: rpc error: code = InvalidArgument desc = {text}")
    if slots:
        agents = _slots(master, name)
        if resources["is_single_node"] and max(agents, default=0) < slots:
            raise plain(
                "invalid resource configuration: validating resources: request unfulfillable, please try requesting less slots"
            )
        if not resources["is_single_node"] and sum(agents) < slots:
            if master.config.get("launch_error", True):
                raise plain("invalid resource configuration: slots requested exceeds cluster capacity")
            return name, ["LAUNCH_WARNING_CURRENT_SLOTS_EXCEEDED"]
    return name, []


def _container_defaults(master: Master, config: dict[str, t.Any], pool: str) -> dict[str, t.Any]:
    """TaskContainerDefaultsConfig.MergeIntoExpConfig, as far as a configuration shows it; a pool's own replace the cluster's."""
    known = dict(master.config.get("task_container_defaults") or {})
    for row in master.config.get("resource_pools") or []:
        if row.get("pool_name") == pool and row.get("task_container_defaults"):
            known = row["task_container_defaults"]
    environment = {"force_pull_image": bool(known.get("force_pull_image"))}
    for name in ("image", "environment_variables", "registry_auth", "add_capabilities", "drop_capabilities"):
        if known.get(name):
            environment[name] = known[name]
    defaults = {
        "environment": environment,
        "resources": {"devices": known.get("devices") or []},
        "slurm": {},
        "pbs": {},
    }
    for name in ("bind_mounts", "log_policies"):
        if known.get(name):
            defaults[name] = known[name]
    defaults["preemption_timeout"] = known.get("preemption_timeout") or 3600
    under = expconf.decode("experiment", defaults, strict=False)
    return t.cast("dict[str, t.Any]", expconf.merge("experiment", config, under))


def prepare(call: Call) -> Prepared:
    """parseCreateExperiment and the checks behind it, in the master's order.

    Raises:
        RpcError: with the master's text.
    """
    master, body = call.master, call.body
    unmanaged = bool(body.get("unmanaged"))
    try:
        config = expconf.parse_experiment(body.get("config", ""))
    except expconf.ConfigError as error:
        raise plain(f"{_INVALID}{error}") from None
    if (config["resources"] or {}).get("slots") is not None:
        raise plain('<config>.resources: additionalProperties "slots" not allowed')
    if "template" in body:
        config = _with_template(call, config, body["template"])
    defaulted = expconf.with_defaults("experiment", config)
    project = _project(call, defaulted)
    workspace = master.workspaces[project.workspace_id]
    pool = ""
    warnings: list[str] = []
    if not unmanaged:
        pool, warnings = _resource_pool(call, workspace, defaulted["resources"])
        if defaulted["entrypoint"] is None:
            raise plain("managed experiments require entrypoint")
    config = _container_defaults(master, config, pool)
    for storage in (workspace.checkpoint_storage, master.config.get("checkpoint_storage")):
        decoded = None if storage is None else expconf.decode("checkpoint-storage", storage, strict=False)
        config["checkpoint_storage"] = expconf.merge("checkpoint-storage", config["checkpoint_storage"], decoded)
    if config["resources"]["priority"] is None:
        scheduler = (master.config.get("resource_manager") or {}).get("scheduler") or {}
        config["resources"]["priority"] = scheduler.get("default_priority") or DEFAULT_PRIORITY
    config = with_invariants(master, workspace.id, expconf.with_defaults("experiment", config))
    stored = expconf.stored("experiment", config)
    try:
        expconf.require_complete(stored)
    except expconf.ConfigError as error:
        raise plain(f"{_INVALID}{error}") from None
    _assert_current(stored["searcher"])
    master.next_id("sessions")  # the token of the task that is about to run, also when nothing will
    need(call, "CREATE_EXPERIMENT", project.workspace_id, status=True)
    check_constraints(master, workspace.id, stored["resources"])
    return Prepared(stored, pool or stored["resources"]["resource_pool"], project, warnings)


def _with_template(call: Call, config: dict[str, t.Any], name: str) -> dict[str, t.Any]:
    row = call.master.templates.get(name)
    if row is None or not allowed(call, "VIEW_TEMPLATES", row.workspace_id):
        raise call.master.not_found("template", name)
    try:
        template = expconf.parse_template(row.config)
    except expconf.ConfigError as error:
        raise plain(f"yaml.Unmarshal(template={name}): {error}") from None
    try:
        return t.cast("dict[str, t.Any]", expconf.merge("experiment", config, template))
    except expconf.ConfigError as error:
        raise RpcError(Code.INTERNAL, str(error)) from None


def _assert_current(searcher: dict[str, t.Any]) -> None:
    """Searchers that can only be read any more (master/pkg/schemas/expconf/searcher_config.go:223)."""
    name = searcher["name"]
    if name in ("adaptive_asha", "async_halving") and (searcher["max_time"] is None or searcher["time_metric"] is None):
        raise plain(f"{_INVALID}the `{name}` searcher requires `max_time` and `time_metric` to be set")
    if name in _REMOVED_SEARCHERS:
        raise plain(f"{_INVALID}the '{name}' searcher has been removed and is not valid for new experiments")


def _archive_size(files: list[dict[str, t.Any]]) -> int:
    """Bytes of the model definition as the master stores it, a gzipped tar."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for file in files:
            info = tarfile.TarInfo(file.get("path", ""))
            content = file.get("content", b"")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return len(out.getvalue())


def insert(call: Call, ready: Prepared, *, external_id: str | None = None, size: int | None = None) -> ExperimentRow:
    """Store a new experiment, PAUSED; a managed one has its trials at once."""
    master, body = call.master, call.body
    unmanaged = bool(body.get("unmanaged"))
    files = body.get("modelDefinition")
    config = {**ready.config, "resources": {**ready.config["resources"], "resource_pool": ready.pool}}
    row = ExperimentRow(
        master.next_id("experiments"),
        ConfigBase(config),
        ready.config["name"],
        ready.config["description"],
        shuffled(ready.config["labels"]),
        ready.project.id,
        call.caller.id,
        "PAUSED",
        master.now(),
        progress=0,
        job_id=new_uuid(),
        parent_id=body.get("parentId") or None,
        original_config=body.get("config", ""),
        unmanaged=unmanaged,
        external_id=external_id,
        live=not unmanaged,
        model_definition_size=size if size is not None else _archive_size(files) if files else 0,
    )
    master.experiments[row.id] = row
    if row.live:
        row.memory = row.snapshot()
        for _number in range(initial_trials(config)):
            add_trial(master, row, sampled(row.base.data["hyperparameters"]), "PAUSED")
    return row


def _check_warm_start(call: Call, searcher: dict[str, t.Any]) -> None:
    """The checkpoint that a new managed experiment wants to start from (checkpointFromTrialIDOrUUID)."""
    master, trial_id, uuid = call.master, searcher["source_trial_id"], searcher["source_checkpoint_uuid"]
    failed = "failed to create experiment: "
    trial = master.trials.get(trial_id)
    saved = [] if trial is None else [master.checkpoints[key] for key in trial.checkpoint_uuids]
    if trial_id is not None and not any(row.state == "COMPLETED" for row in saved):
        raise RpcError(Code.INTERNAL, f"{failed}no checkpoint found for source trial {trial_id}")
    if trial_id is not None or uuid is None:
        return
    if not is_uuid(uuid):
        raise RpcError(Code.INTERNAL, f"{failed}invalid source checkpoint UUID: invalid UUID length: {len(uuid)}")
    if uuid.lower() not in master.checkpoints:
        raise RpcError(Code.INTERNAL, f"{failed}no checkpoint found with UUID {uuid.lower()}")


def initial_trials(config: dict[str, t.Any]) -> int:
    """How many trials a search starts with (``initialTrials`` in master/pkg/searcher)."""
    searcher = config["searcher"]
    if searcher["name"] == "single":
        return 1
    wanted = _grid_points(config["hyperparameters"]) if searcher["name"] == "grid" else searcher["max_trials"]
    return min(wanted, searcher["max_concurrent_trials"]) if searcher["max_concurrent_trials"] else t.cast(int, wanted)


def _grid_points(hyperparameters: dict[str, t.Any]) -> int:
    points = 1
    for item in hyperparameters.values():
        kind = item.get("type")
        if kind is None:
            points *= _grid_points(item)
        elif kind == "categorical":
            points *= len(item["vals"])
        elif kind != "const":
            span = item["maxval"] - item["minval"] + 1 if kind == "int" else item["count"]
            points *= min(item.get("count") or span, span)
    return points


def sampled(hyperparameters: dict[str, t.Any]) -> dict[str, t.Any]:
    """The first trial's values: constants as they are, of a range its lower end."""
    out: dict[str, t.Any] = {}
    for name, item in hyperparameters.items():
        kind = item.get("type")
        if kind is None:
            out[name] = sampled(item)
        elif kind == "const":
            out[name] = item["val"]
        elif kind == "categorical":
            out[name] = item["vals"][0]
        else:
            out[name] = item["base"] ** item["minval"] if kind == "log" else item["minval"]
    return out


def _parent(call: Call) -> int | None:
    """Checks of a fork; the size of the inherited model definition."""
    parent = find(call, call.body["parentId"])
    project = call.master.projects[parent.project_id]
    if project.archived or call.master.workspaces[project.workspace_id].archived:
        raise RpcError(Code.INTERNAL, "forking an experiment in an archived workspace/project")
    return parent.model_definition_size


@route("POST", "/api/v1/experiments", body=Message(_FIELDS))
def create_experiment(call: Call) -> dict[str, t.Any]:
    """CreateExperiment; ``validateOnly`` makes every check and stores nothing."""
    master, body = call.master, call.body
    size = _parent(call) if body.get("parentId") else None
    ready = prepare(call)
    if body.get("validateOnly"):
        return {"experiment": dict(_EMPTY_EXPERIMENT), "config": None, "warnings": []}
    if body.get("activate") and not body.get("unmanaged"):
        need(call, "UPDATE_EXPERIMENT", ready.project.workspace_id, status=True)
    if not body.get("unmanaged"):
        _check_warm_start(call, ready.config["searcher"])
    row = insert(call, ready, size=size)
    if row.live and body.get("activate"):
        row.state = "ACTIVE"
        for trial_id in row.trial_ids:
            master.trials[trial_id].state = "ACTIVE"
    answered = {**ready.config, "labels": row.labels}
    return {"experiment": render(master, row), "config": answered, "warnings": [] if row.unmanaged else ready.warnings}


@route("PUT", "/api/v1/experiments/by-external-id/{externalExperimentId}", body=Message(_FIELDS))
def put_experiment(call: Call) -> dict[str, t.Any]:
    """PutExperiment: unmanaged ones by the id of another system; an existing row gets only a new configuration."""
    master, body = call.master, call.body
    if not body.get("unmanaged"):
        raise plain("only unmanaged experiments are supported")
    if body.get("parentId"):
        raise plain("can't fork into an unmanaged experiment")
    try:
        ready = prepare(call)
    except RpcError as error:
        if error.code is Code.UNKNOWN:
            raise plain(f"failed to parse exp config: {error.message}") from None
        words = {
            Code.NOT_FOUND: "NotFound",
            Code.INVALID_ARGUMENT: "InvalidArgument",
            Code.PERMISSION_DENIED: "PermissionDenied",
        }
        if error.code is Code.PERMISSION_DENIED:
            raise
        raise RpcError(
            error.code, f"failed to parse exp config: rpc error: code = {words[error.code]} desc = {error.message}"
        ) from None
    external_id = call.path["externalExperimentId"]
    row = next((row for row in master.experiments.values() if row.external_id == external_id), None)
    if row is None:
        row = insert(call, ready, external_id=external_id)
    else:
        config = ready.config
        row.base, row.name, row.description = ConfigBase(config), config["name"], config["description"]
        row.labels = shuffled(config["labels"])
    return {"experiment": render(master, row), "config": row.config()}


@route("POST", "/api/v1/experiments/continue", body=Message({"id": Int32, "overrideConfig": String}))
def continue_experiment(call: Call) -> dict[str, t.Any]:
    """ContinueExperiment of a single trial that ended: the same experiment, queued again, the override merged in."""
    master, body = call.master, call.body
    row = find(call, body.get("id", 0), "UPDATE_EXPERIMENT")
    text = body.get("overrideConfig") or "{}"
    single = row.base.searcher == "single"
    if not single and row.base.searcher not in ("grid", "random"):
        raise bad(f"Unsupported searcher type provided: '{row.base.searcher}'")
    if not single and text.strip() != "{}":
        raise bad(
            f"override config is provided and experiment is not single searcher, got '{row.base.searcher}' instead"
        )
    try:
        override = expconf.parse_experiment(text)
    except expconf.ConfigError as error:
        raise bad(f"parsing override config: {error}") from None
    for word in ("project", "workspace"):
        if override[word] is not None:
            raise bad(
                f"'{word}' in override config cannot be specified, use `det experiment move` first if you want to change the {word}"
            )
    if row.state not in TERMINAL or row.unmanaged:
        text = f"experiment in non terminal state '{row.state}', try again later"
        where = "experiment continue database updates: rpc error: code = FailedPrecondition desc = "
        raise RpcError(Code.FAILED_PRECONDITION, where + text)
    active = expconf.decode("experiment", row.config(), strict=False)
    config = expconf.stored("experiment", expconf.merge("experiment", override, active))
    try:
        expconf.require_complete(config)
    except expconf.ConfigError as error:
        raise plain(f"getting value of merged config: refusing to save invalid experiment config: {error}") from None
    row.base, row.name, row.description = ConfigBase(config), config["name"], config["description"]
    row.labels = shuffled(config["labels"])
    row.state, row.allocation, row.live, row.end_time = "ACTIVE", "QUEUED", True, None
    row.memory = row.snapshot()
    for trial_id in row.trial_ids:
        master.trials[trial_id].state, master.trials[trial_id].end_time = "ACTIVE", None
    return {"experiment": render(master, row), "warnings": []}
