# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notebooks, shells, commands and TensorBoards (master/internal/api_command.go, master/internal/command/command.go).

The master keeps them in its memory: an ended one stays listed for a day, and no list tells it from the others but by its state.
"""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
import re
import secrets
import typing as t
from datetime import datetime, timedelta

from . import expconf
from .fields import Bool, Bytes, Enum, Int32, Int64, List, Message, OrderBy, String, Struct
from .gateway import Call, Code, RpcError, bad, go_quote, page_memory, route
from .ml_state import ExperimentRow, allowed, later, need, new_uuid, visible_workspaces
from .trials import find_trial
from .workspaces import available_pools
from .workspaces import find as find_workspace

if t.TYPE_CHECKING:
    from .state import Master, UserRow

KINDS = {"notebooks": "notebook", "shells": "shell", "commands": "command", "tensorboards": "tensorboard"}
REMEMBERED = timedelta(hours=24)  # master/internal/command/command.go:37
DEFAULT_PRIORITY = 42
DEFAULT_WORKSPACE = 1
IDLE_TYPES = ("kernels_or_terminals", "kernel_connections", "activity")
WORDS = {"notebook": "JupyterLab", "shell": "Shell", "command": "Command", "tensorboard": "TensorBoard"}
ENTRYPOINTS = {
    "notebook": ["/run/determined/jupyter/notebook-entrypoint.sh"],
    "shell": ["/run/determined/ssh/shell-entrypoint.sh", "-f", "/run/determined/ssh/sshd_config", "-p", "3449", "-D", "-e"],
}  # fmt: skip
TENSORBOARD = "/run/determined/tensorboard"


@dataclasses.dataclass(slots=True)
class TaskRow:
    """A task.

    Attributes:
        kind: the singular word of its routes.
        state: without ``STATE_``.
        token: of a notebook, what its address carries.
        keys: of a shell, its private and public key.
    """

    id: str
    kind: str
    config: dict[str, t.Any]
    owner_id: int
    workspace_id: int
    start_time: datetime
    job_id: str
    state: str = "QUEUED"
    exit_status: str = ""
    ended: datetime | None = None
    token: str = ""
    keys: tuple[str, str] = ("", "")
    experiment_ids: list[int] = dataclasses.field(default_factory=list)
    trial_ids: list[int] = dataclasses.field(default_factory=list)

    @property
    def pool(self) -> str:
        """The resource pool that it runs in."""
        return t.cast(str, self.config["resources"]["resource_pool"])

    def finish(self, now: datetime) -> None:
        """Be over."""
        self.state, self.ended, self.exit_status = "TERMINATED", now, "allocation exited successfully"


def render(master: Master, row: TaskRow) -> dict[str, t.Any]:
    """A Notebook, Shell, Command or Tensorboard."""
    owner = master.users[row.owner_id]
    shown: dict[str, t.Any] = {
        "id": row.id,
        "description": row.config["description"],
        "state": f"STATE_{row.state}",
        "startTime": row.start_time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{row.start_time.microsecond // 1000:03d}Z",
        "container": None,
        "displayName": owner.display_name or "",
        "userId": owner.id,
        "username": owner.username,
        "resourcePool": row.pool,
        "exitStatus": row.exit_status,
        "jobId": row.job_id,
        "workspaceId": row.workspace_id,
    }
    if row.kind == "notebook":
        shown["serviceAddress"] = f"/proxy/{row.id}/?token={row.token}"
    elif row.kind == "tensorboard":
        shown["serviceAddress"] = f"/proxy/{row.id}/"
        shown.update(experimentIds=row.experiment_ids, trialIds=row.trial_ids)
    elif row.kind == "shell":
        agent = owner.agent
        group = {"user_id": 0, "id": 0, "user": "root", "uid": 0, "group": "root", "gid": 0}
        if agent is not None:
            group.update(user_id=owner.id, user=agent.user, uid=agent.uid, group=agent.group, gid=agent.gid)
        private, public = row.keys
        shown.update(privateKey=private, publicKey=public, addresses=[], agentUserGroup=group)
    return shown


# --- looking up ------------------------------------------------------------------------------------------------------------


def known(master: Master, kind: str) -> list[TaskRow]:
    """The tasks of a kind that the master remembers."""
    now = master.now()
    return [
        row for row in master.tasks.values() if row.kind == kind and (row.ended is None or now - row.ended < REMEMBERED)
    ]


def _experiments_of(master: Master, row: TaskRow) -> set[int]:
    """The workspaces of a TensorBoard's experiments and trials, as far as they exist."""
    ids = {*row.experiment_ids, *(master.trials[key].experiment_id for key in row.trial_ids if key in master.trials)}
    projects = [master.experiments[key].project_id for key in ids if key in master.experiments]
    return {master.projects[project].workspace_id for project in projects}


def _visible(call: Call, row: TaskRow) -> bool:
    """Whether GET of the one task shows it (master/internal/command/authz_rbac.go)."""
    if row.kind != "tensorboard":
        return allowed(call, "VIEW_NSC", row.workspace_id)
    inside = [allowed(call, "VIEW_EXPERIMENT_ARTIFACTS", key) for key in _experiments_of(call.master, row)]
    return allowed(call, "VIEW_WORKSPACE", row.workspace_id) and all(inside)


def _find(call: Call, kind: str) -> TaskRow:
    """The task of a path.

    Raises:
        RpcError: 404, also for a task of another kind.
    """
    key = call.path["id"]
    row = next((row for row in known(call.master, kind) if row.id == key), None)
    if row is None or not _visible(call, row):
        raise call.master.not_found(kind, key)
    return row


# --- configurations --------------------------------------------------------------------------------------------------------

# Field -> Go's type in error texts and the Python types that fit; what is not here has a decoder of its own or none.
_CONFIG = {
    "description": ("string", str),
    "bind_mounts": ("", list),
    "environment": ("model.Environment", dict),
    "resources": ("model.ResourcesConfig", dict),
    "entrypoint": ("[]string", list),
    "tensorboard_args": ("[]string", list),
    "idle_timeout": ("", str),
    "notebook_idle_type": ("string", str),
    "work_dir": ("string", str),
    "debug": ("bool", bool),
    "pbs": ("expconf.PbsConfigV0", dict),
    "slurm": ("expconf.SlurmConfigV0", dict),
}
_ENVIRONMENT = frozenset(
    [
        "image",
        "environment_variables",
        "proxy_ports",
        "ports",
        "registry_auth",
        "force_pull_image",
        "pod_spec",
        "add_capabilities",
        "drop_capabilities",
    ]
)
_RESOURCES = frozenset(
    [
        "slots",
        "max_slots",
        "weight",
        "native_parallel",
        "shm_size",
        "resource_pool",
        "priority",
        "is_single_node",
        "devices",
    ]
)
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def _defaults(master: Master, pool: str) -> dict[str, t.Any]:
    """DefaultConfig: the cluster's task container defaults, or the pool's own in their place."""
    given = dict(master.config.get("task_container_defaults") or {})
    for row in master.config.get("resource_pools") or []:
        if row.get("pool_name") == pool and row.get("task_container_defaults"):
            given = row["task_container_defaults"]
    variables = given.get("environment_variables") or {}
    environment = {
        "image": given.get("image") or dict(expconf.IMAGES),
        "environment_variables": {name: list(values) for name, values in variables.items() if values},
        "proxy_ports": None,
        "ports": None,
        "force_pull_image": bool(given.get("force_pull_image")),
        "pod_spec": None,
        "add_capabilities": given.get("add_capabilities"),
        "drop_capabilities": given.get("drop_capabilities"),
    }
    if given.get("registry_auth"):
        environment["registry_auth"] = {key: value for key, value in given["registry_auth"].items() if value}
    return {
        "description": "",
        "bind_mounts": given.get("bind_mounts"),
        "environment": environment,
        "resources": {"slots": 1, "weight": 1, "resource_pool": "", "is_single_node": None, "devices": given.get("devices")},
        "entrypoint": None,
        "idle_timeout": None,
        "notebook_idle_type": IDLE_TYPES[0],
        "work_dir": given.get("work_dir"),
        "debug": False,
        "pbs": {},
        "slurm": {},
    }  # fmt: skip


def _go_duration(text: str) -> str:
    """A duration as Go prints it: 30m is 30m0s."""
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError(f"time: invalid duration {go_quote(text)}")
    total = sum(int(part or 0) * size for part, size in zip(match.groups(), (3600, 60, 1), strict=True))
    hours, rest = divmod(total, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}h{minutes}m{seconds}s" if hours else f"{minutes}m{seconds}s" if minutes else f"{seconds}s"


def _unknown(names: t.Iterable[str], fields: t.Collection[str], strict: bool) -> None:
    for name in sorted(names):
        if strict and name not in fields:
            raise ValueError(f"json: unknown field {go_quote(name)}")


def _decode(config: dict[str, t.Any], given: dict[str, t.Any], *, strict: bool) -> None:
    """Read JSON into a configuration: mappings are merged, lists replaced, variables added, mounts united.

    Raises:
        ValueError: the text of encoding/json.
    """
    _unknown(given, _CONFIG, strict)
    for name in sorted(given.keys() & _CONFIG.keys()):
        value, (go_type, wanted) = given[name], _CONFIG[name]
        if value is None:
            continue
        if not isinstance(value, wanted):
            raise ValueError(
                f"json: cannot unmarshal {_json_type(value)} into Go struct field CommandConfig.{name} of type {go_type}"
            )
        if name == "environment":
            _unknown(value, _ENVIRONMENT, strict)
            _decode_environment(config["environment"], value)
        elif name == "resources":
            _unknown(value, _RESOURCES, strict)
            config["resources"].update({key: item for key, item in value.items() if key in _RESOURCES})
        elif name == "bind_mounts":
            mounts = [{"read_only": False, "propagation": "rprivate", **mount} for mount in value]
            taken = {mount["container_path"] for mount in mounts}
            config[name] = mounts + [one for one in config[name] or [] if one["container_path"] not in taken]
        else:
            config[name] = _go_duration(value) if name == "idle_timeout" else copy.deepcopy(value)


def _json_type(value: t.Any) -> str:
    words = {str: "string", bool: "bool", int: "number", float: "number", dict: "object", list: "array"}
    return words[type(value)]


def _decode_environment(environment: dict[str, t.Any], given: dict[str, t.Any]) -> None:
    for name, value in given.items():
        if value is None or name not in _ENVIRONMENT:
            continue
        if name == "image":
            images = dict.fromkeys(expconf.IMAGES, value) if isinstance(value, str) else value
            environment["image"] = {**environment["image"], **images}
        elif name == "environment_variables":
            more = dict.fromkeys(expconf.IMAGES, value) if isinstance(value, list) else value
            variables = environment["environment_variables"]
            for device, items in more.items():
                variables[device] = [*variables.get(device, []), *items]
        else:
            environment[name] = copy.deepcopy(value)


def _resolve(call: Call, workspace_id: int, resources: dict[str, t.Any], zero_slot: bool) -> tuple[str, int]:
    """ResolveResources: pool and slots of what was submitted, the template left aside.

    Raises:
        RpcError: 400.
    """
    master = call.master
    slots = resources.get("slots", 1)
    slots = 0 if zero_slot else slots if isinstance(slots, int) else 1
    name = resources.get("resource_pool") or ""
    manager = master.config.get("resource_manager") or {}
    workspace = master.workspaces.get(workspace_id)
    if not name:
        kind = "aux" if slots == 0 else "compute"
        own = getattr(workspace, f"default_{kind}_pool", "")
        name = own or manager.get(f"default_{kind}_resource_pool") or "default"
    if slots < 0:
        name = resources.get("resource_pool") or ""  # of neither kind, so no default is looked up
    if name not in available_pools(call, workspace_id):
        raise bad(
            "failed to prepare launch params: "
            f"resource pool {name} does not exist or is not available to workspace id {workspace_id}"
        )
    agents = [len(agent.slots) for agent in master.agents.values() if agent.resource_pool == name]
    if slots and max(agents, default=0) < slots:
        raise bad(
            "failed to prepare launch params: validating resources: request unfulfillable, "
            "please try requesting less slots"
        )
    return name, slots


def _prepare(call: Call, kind: str) -> tuple[dict[str, t.Any], int]:
    """getCommandLaunchParams: the whole configuration, and the workspace's id."""
    master, body = call.master, call.body
    submitted = copy.deepcopy(body.get("config") or {})
    workspace_id = body.get("workspaceId") or DEFAULT_WORKSPACE
    resources = submitted.get("resources")
    pool, slots = _resolve(call, workspace_id, resources if isinstance(resources, dict) else {}, kind == "tensorboard")
    config = copy.deepcopy(_defaults(master, pool))
    if body.get("templateName"):
        template = master.templates.get(body["templateName"])
        if template is None or not allowed(call, "VIEW_TEMPLATES", template.workspace_id):
            missing = master.not_found("template", body["templateName"])
            raise RpcError(Code.NOT_FOUND, f"failed to prepare launch params: {missing.message}")
        _decode(config, template.config, strict=False)
    try:
        find_workspace(call, workspace_id)
    except RpcError as error:
        raise RpcError(error.code, f"failed to prepare launch params: {error.message}") from None
    try:
        _decode(config, submitted, strict=True)
    except ValueError as error:
        text = json.dumps(submitted, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
        raise bad(f"failed to prepare launch params: unable to decode the merged config: {text}: {error}") from None
    config["resources"].update(resource_pool=pool, slots=slots)
    if config["resources"].get("priority") is None:
        config["resources"]["priority"] = DEFAULT_PRIORITY
    return config, workspace_id


def _permit(call: Call, kind: str, workspace_id: int) -> None:
    """isNTSCPermittedToLaunch: an archived workspace is as good as missing."""
    master = call.master
    if master.workspaces[workspace_id].archived:
        raise master.not_found("workspace", workspace_id)
    if kind == "tensorboard":
        for experiment_id in call.body.get("experimentIds", []):
            row = master.experiments.get(experiment_id)
            if row is not None:
                need(call, "VIEW_EXPERIMENT_ARTIFACTS", master.projects[row.project_id].workspace_id, status=True)
    else:
        need(call, "CREATE_NSC", workspace_id, status=True)


def _validate(config: dict[str, t.Any], prefix: str) -> None:
    """CommandConfig.Validate. Raises RpcError 400."""
    problems = []
    priority = config["resources"]["priority"]
    if priority < 1 or priority > 99:
        word = "less than or equal to 99" if priority > 99 else "greater than or equal to 1"
        problems.append(
            "error found at root.Resources: scheduling priority must be greater than 0 and less than 100: "
            f"{priority} is not {word}"
        )
    idle = config["notebook_idle_type"]
    if idle not in IDLE_TYPES:
        problems.append(f"error found at root: invalid notebook idle type: {idle} not in [{' '.join(IDLE_TYPES)}]")
    if problems:
        found = "".join(f"\n\t{problem}" for problem in problems)
        raise bad(f"{prefix}Check Failed! {len(problems)} errors found:{found}")


# --- launching -------------------------------------------------------------------------------------------------------------


def _pet_name(kind: str) -> str:
    words = (("fairly", "rarely", "evenly"), ("fresh", "clever", "calm"), ("heron", "otter", "lynx"))
    return f"{WORDS[kind]} ({'-'.join(secrets.choice(group) for group in words)})"


def _of_experiments(call: Call, config: dict[str, t.Any]) -> None:
    """What a TensorBoard takes from its experiments: the place of their metrics, and the newest one's image."""
    master, body = call.master, call.body
    known_experiments = []
    trials: dict[int, list[int]] = {}
    for experiment_id in body.get("experimentIds", []):
        row = master.experiments.get(experiment_id)
        if row is None:
            raise master.not_found("experiment", experiment_id)
        known_experiments.append(row)
    for trial_id in body.get("trialIds", []):
        trial = find_trial(call, trial_id, "VIEW_EXPERIMENT_ARTIFACTS")
        known_experiments.append(master.experiments[trial.experiment_id])
        trials.setdefault(trial.experiment_id, []).append(trial_id)
    rows: list[ExperimentRow] = sorted({row.id: row for row in known_experiments}.values(), key=lambda row: row.id)
    places, mounts = [], []
    for row in rows:
        storage = row.base.data["checkpoint_storage"]
        top = "/determined_shared_fs"
        if storage["type"] == "shared_fs":
            mount = {
                "container_path": top,
                "host_path": storage["host_path"],
                "propagation": "rprivate",
                "read_only": False,
            }
            mounts = [mount]
            top = f"{top}/{storage.get('storage_path') or ''}".rstrip("/")
        else:
            top = f"{storage['type']}://{storage.get('bucket') or storage.get('container') or ''}"
        place = f"{top}/{master.cluster_id}/tensorboard/experiment/{row.id}/"
        places += [f"{place}trial/{key}/" for key in trials.get(row.id, [])] or [place]
    config["entrypoint"] = [
        f"{TENSORBOARD}/tensorboard-entrypoint.sh",
        f"{TENSORBOARD}/storage_config.json",
        ",".join(places),
        *config.get("tensorboard_args", []),
    ]
    environment = rows[-1].base.data["environment"]
    if not ((body.get("config") or {}).get("environment") or {}).get("image"):
        config["environment"]["image"] = dict(environment["image"])
    if config["environment"].get("registry_auth") is None and environment.get("registry_auth"):
        config["environment"]["registry_auth"] = environment["registry_auth"]
    config["bind_mounts"] = [*(config["bind_mounts"] or []), *mounts] or None


def start(
    master: Master, kind: str, config: dict[str, t.Any], owner: UserRow, workspace_id: int, **more: t.Any
) -> TaskRow:
    """Put a task into its queue; with an agent that is enabled in its pool it soon runs."""
    row = TaskRow(new_uuid(), kind, config, owner.id, workspace_id, master.now(), new_uuid(), **more)
    if kind == "notebook":
        claims = {"id": 0, "task_id": row.id, "user_session_id": None, "user_id": owner.id}
        signed = json.dumps(claims, separators=(",", ":")).encode() + secrets.token_bytes(64)
        row.token = f"v2.public.{base64.urlsafe_b64encode(signed).rstrip(b'=').decode()}.bnVsbA"
    elif kind == "shell":
        inner = base64.b64encode(secrets.token_bytes(48)).decode()
        row.keys = (
            f"-----BEGIN OPENSSH PRIVATE KEY-----\n{inner}\n-----END OPENSSH PRIVATE KEY-----\n",
            f"ssh-ed25519 {base64.b64encode(secrets.token_bytes(32)).decode()}\n",
        )
    master.tasks[row.id] = row
    if any(agent.resource_pool == row.pool and agent.enabled for agent in master.agents.values()):

        def run() -> None:
            if row.state == "QUEUED":
                row.state = "RUNNING"

        later(master, run)
    return row


def stop(master: Master, row: TaskRow) -> None:
    """Signal a kill: what is queued has ended at once, what runs does so a little later."""
    if row.state in ("TERMINATING", "TERMINATED"):
        return

    if row.state == "QUEUED":
        row.finish(master.now())
    else:
        row.state = "TERMINATING"
        later(master, lambda: row.finish(master.now()))


_FILE = Message(
    {
        "path": String,
        "type": Int32,
        "content": Bytes,
        "mtime": Int64,
        "mode": Int32,
        "uid": Int32,
        "gid": Int32,
    }
)
_LAUNCH = {
    "config": Struct,
    "templateName": String,
    "files": List(_FILE),
    "data": Bytes,
    "workspaceId": Int32,
}
_TARGETS = {"experimentIds": List(Int32), "trialIds": List(Int32)}


def _launch(call: Call, kind: str) -> dict[str, t.Any]:
    master, body = call.master, call.body
    targets = {"experiment_ids": body.get("experimentIds", []), "trial_ids": body.get("trialIds", [])}
    if kind == "tensorboard" and not any(targets.values()):
        raise bad("must set experiment, trial ids, or filters")
    config, workspace_id = _prepare(call, kind)
    _permit(call, kind, workspace_id)
    if kind == "tensorboard":
        config["idle_timeout"] = config["idle_timeout"] or _go_duration(f"{master.config['tensorboard_timeout']}s")
        _of_experiments(call, config)
        config["description"] = ""
    elif kind == "command":
        config["entrypoint"] = ["/run/determined/command-entrypoint.sh", *(config["entrypoint"] or [])]
    config["description"] = config["description"] or _pet_name(kind)
    if kind == "notebook" and body.get("preview"):
        return {"notebook": _PREVIEW, "config": config, "warnings": []}
    config["entrypoint"] = ENTRYPOINTS.get(kind, config["entrypoint"])
    if kind != "tensorboard":
        _validate(config, "" if kind == "shell" else f"invalid {kind} config: ")
    row = start(master, kind, config, call.caller, workspace_id, **(targets if kind == "tensorboard" else {}))
    return {kind: render(master, row), "config": config, "warnings": []}


_PREVIEW = {
    "id": "",
    "description": "",
    "state": "STATE_UNSPECIFIED",
    "startTime": None,
    "container": None,
    "displayName": "",
    "userId": 0,
    "username": "",
    "serviceAddress": "",
    "resourcePool": "",
    "exitStatus": "",
    "jobId": "",
    "workspaceId": 0,
}


# --- routes ----------------------------------------------------------------------------------------------------------------


def _list(call: Call, kinds: str, kind: str) -> dict[str, t.Any]:
    master, query = call.master, call.query
    rows = known(master, kind)
    workspace_id = query.get("workspaceId", 0)
    if workspace_id:
        find_workspace(call, workspace_id)
        rows = [row for row in rows if row.workspace_id == workspace_id]
    names, ids = query.get("users", ()), query.get("userIds", ())
    if names or ids:
        rows = [row for row in rows if master.users[row.owner_id].username in names or row.owner_id in ids]
    if kind == "tensorboard":
        scopes = visible_workspaces(call, "VIEW_EXPERIMENT_ARTIFACTS")
        if scopes is not None:
            rows = [row for row in rows if {row.workspace_id, *_experiments_of(master, row)} <= scopes]
    else:
        scopes = visible_workspaces(call, "VIEW_NSC")
        if scopes is not None and workspace_id and workspace_id not in scopes:
            raise master.not_found("workspace", workspace_id)
        rows = [row for row in rows if scopes is None or row.workspace_id in scopes]
    order = query.get("sortBy", "")
    if order == "SORT_BY_WORKSPACE_ID" and len(rows) > 1:
        raise RpcError(Code.INTERNAL, "runtime error: invalid memory address or nil pointer dereference")
    fields = {
        "SORT_BY_DESCRIPTION": lambda row: row.config["description"],
        "SORT_BY_START_TIME": lambda row: row.start_time,
    }
    down = query.get("orderBy") == "ORDER_BY_DESC"
    rows.sort(key=lambda row: row.id, reverse=down)
    if order in fields:
        rows.sort(key=fields[order], reverse=down)
    page, pagination = page_memory([render(master, row) for row in rows], call)
    return {kinds: page, "pagination": pagination}


def _register(kinds: str, kind: str) -> None:
    base = f"/api/v1/{kinds}"
    go_name = f"apiv1.Get{kinds.capitalize()}Request_SortBy"
    sort_by = Enum(
        go_name,
        "SORT_BY_UNSPECIFIED",
        "SORT_BY_ID",
        "SORT_BY_DESCRIPTION",
        "SORT_BY_START_TIME=4",
        "SORT_BY_WORKSPACE_ID=5",
    )
    filters = {"sortBy": sort_by, "orderBy": OrderBy, "offset": Int32, "limit": Int32}
    filters |= {"users": List(String), "userIds": List(Int32), "workspaceId": Int32}
    fields = {
        **_LAUNCH,
        **(_TARGETS if kind == "tensorboard" else {}),
        **({"preview": Bool} if kind == "notebook" else {}),
    }

    @route("GET", base, query=filters)
    def several(call: Call) -> dict[str, t.Any]:
        return _list(call, kinds, kind)

    @route("GET", f"{base}/{{id}}")
    def one(call: Call) -> dict[str, t.Any]:
        row = _find(call, kind)
        return {kind: render(call.master, row), "config": row.config}

    @route("POST", base, body=Message(fields))
    def launch(call: Call) -> dict[str, t.Any]:
        return _launch(call, kind)

    @route("POST", f"{base}/{{id}}/kill")
    def kill(call: Call) -> dict[str, t.Any]:
        row = _find(call, kind)
        need(call, "UPDATE_NSC", row.workspace_id, status=True)
        stop(call.master, row)
        return {kind: render(call.master, row)}

    @route("POST", f"{base}/{{id}}/set_priority", body=Message({"priority": Int32}))
    def set_priority(call: Call) -> dict[str, t.Any]:
        row = _find(call, kind)
        need(call, "UPDATE_NSC", row.workspace_id, status=True)
        # Neither checked nor refused for one that has ended; the configuration shows it from then on.
        row.config["resources"]["priority"] = call.body.get("priority", 0)
        return {kind: render(call.master, row)}


for _kinds, _kind in KINDS.items():
    _register(_kinds, _kind)


# --- the demo --------------------------------------------------------------------------------------------------------------


def demo_tasks(master: Master) -> None:
    """What people of the demo cluster have open: one of each kind, and a notebook that has ended."""
    ids = {row.name: row.id for row in master.workspaces.values()}

    def add(kind: str, owner: str, workspace: str, age: timedelta, given: dict[str, t.Any], **more: t.Any) -> TaskRow:
        config = copy.deepcopy(_defaults(master, "default"))
        _decode(config, given, strict=True)
        config["resources"].update(resource_pool=given.get("resources", {}).get("resource_pool", "default"))
        config["resources"].setdefault("priority", DEFAULT_PRIORITY)
        config["entrypoint"] = ENTRYPOINTS.get(kind, config["entrypoint"])
        row = start(master, kind, config, master.users[master.user_ids[owner]], ids[workspace], **more)
        row.start_time -= age
        row.state = "RUNNING"
        return row

    variables = {"environment_variables": ["WANDB_API_KEY=CANARY-notebook-key", "LANG=C.UTF-8"]}
    slots = {"slots": 0}
    add("notebook", "carla.mendes", "research", timedelta(days=9),
        {"description": "data exploration", "environment": variables, "resources": slots})  # fmt: skip
    add("notebook", "bjarne.holm", "research", timedelta(hours=5),
        {"description": "augmentation", "resources": {"slots": 1, "resource_pool": "gpu"}})  # fmt: skip
    add("shell", "svc-gitops", "production", timedelta(days=2), {"description": "debug ranking", "resources": slots})
    add("command", "jonas.weber", "research", timedelta(minutes=40),
        {"description": "copy dataset", "entrypoint": ["/run/determined/command-entrypoint.sh", "rsync", "-a", "/a", "/b"],
         "resources": slots})  # fmt: skip
    add("tensorboard", "bjarne.holm", "research", timedelta(hours=30),
        {"description": "TensorBoard (evenly-calm-otter)", "entrypoint": [f"{TENSORBOARD}/tensorboard-entrypoint.sh"],
         "resources": slots}, experiment_ids=[1, 2])  # fmt: skip
    ended = add(
        "notebook", "carla.mendes", "research", timedelta(hours=3), {"description": "scratch", "resources": slots}
    )
    ended.finish(master.now())
