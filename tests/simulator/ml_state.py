# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stored rows of templates, workspaces, projects, experiments, trials, checkpoints and models, and what their handlers share."""

from __future__ import annotations

import dataclasses
import random
import re
import typing as t
import uuid
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

import orjson

from .gateway import Call, Code, RpcError, plain, timestamp

if t.TYPE_CHECKING:
    from .state import Master

TERMINAL = frozenset({"COMPLETED", "CANCELED", "ERROR"})
STOPPING = frozenset({"STOPPING_COMPLETED", "STOPPING_CANCELED", "STOPPING_ERROR", "STOPPING_KILLED"})
DELETABLE = frozenset({*TERMINAL, "DELETE_FAILED"})
# PostgreSQL's experiment_state; what a filter may name (master/static/migrations).
EXPERIMENT_STATES = frozenset({*TERMINAL, *STOPPING, "ACTIVE", "PAUSED", "DELETING", "DELETE_FAILED", "RUNNING"})
MASK = "********"
QUICK = 0.02  # seconds that work without a container takes: ending what never ran, deleting what has no checkpoints


@dataclasses.dataclass(slots=True)
class WorkspaceRow:
    """A workspace; ``pins`` has the users that pinned it, with the time."""

    id: int
    name: str
    user_id: int
    archived: bool = False
    immutable: bool = False
    state: str | None = None
    error_message: str = ""
    agent: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    checkpoint_storage: dict[str, t.Any] | None = None
    default_compute_pool: str = ""
    default_aux_pool: str = ""
    pins: dict[int, datetime] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(slots=True)
class ProjectRow:
    """A project; ``reserved_keys`` are keys under which its runs were numbered (table local_id_redirect)."""

    id: int
    name: str
    workspace_id: int
    user_id: int
    key: str
    created_at: datetime
    description: str = ""
    archived: bool = False
    immutable: bool = False
    state: str | None = None
    error_message: str = ""
    notes: list[dict[str, str]] = dataclasses.field(default_factory=list)
    reserved_keys: set[str] = dataclasses.field(default_factory=set)


@dataclasses.dataclass(slots=True)
class TemplateRow:
    """A template. The name is its key, across all workspaces."""

    name: str
    config: dict[str, t.Any]
    workspace_id: int


class ConfigBase:
    """An experiment configuration without name, description and labels, which its experiments may share; never changed."""

    __slots__ = ("body", "data", "has_secrets", "metric", "pachyderm", "pool", "searcher", "smaller_is_better")

    def __init__(self, data: dict[str, t.Any]) -> None:
        self.data = {key: value for key, value in data.items() if key not in ("name", "description", "labels")}
        self.body = orjson.dumps(self.data)[1:]  # to be glued behind the three keys
        searcher = data["searcher"]
        self.searcher: str = searcher["name"]
        self.metric: str = searcher["metric"]
        self.smaller_is_better: bool = searcher["smaller_is_better"]
        self.pool: str = data["resources"]["resource_pool"]
        self.has_secrets = isinstance((data.get("data") or {}).get("secrets"), dict)
        self.pachyderm = (data.get("integrations") or {}).get("pachyderm")


Snapshot = tuple[ConfigBase, str, str | None, "list[str] | None"]


@dataclasses.dataclass(slots=True)
class ExperimentRow:
    """An experiment.

    Attributes:
        base: the configuration but for the three fields below.
        labels: in stored order; None (null in the configuration) after an edit of other metadata while there were none.
        state: the database's word, as ``ACTIVE``.
        allocation: what an ACTIVE one shows: QUEUED, PULLING, STARTING or RUNNING.
        live: whether the master holds it in memory (managed and not ended); the verbs look only there.
        size, count: of its checkpoints that are not deleted.
        memory: of a live one, the configuration that the master holds in memory since its start: edits of the metadata do not
            reach it, and a priority that the master refuses writes it back over them.
        delete_fails: a deletion ends in DELETE_FAILED; set by tests, as no request can bring it about.
    """

    id: int
    base: ConfigBase
    name: str
    description: str | None
    labels: list[str] | None
    project_id: int
    owner_id: int
    state: str
    start_time: datetime
    end_time: datetime | None = None
    archived: bool = False
    notes: str = ""
    progress: float | None = None
    job_id: str = ""
    parent_id: int | None = None
    trial_ids: list[int] = dataclasses.field(default_factory=list)
    original_config: str = ""
    unmanaged: bool = False
    external_id: str | None = None
    model_definition_size: int | None = None
    size: int = 0
    count: int = 0
    best_trial_id: int | None = None
    allocation: str = "QUEUED"
    live: bool = False
    delete_fails: bool = False
    memory: Snapshot | None = None

    def snapshot(self) -> Snapshot:
        """The configuration as it is."""
        return self.base, self.name, self.description, self.labels

    def config(self) -> dict[str, t.Any]:
        """The whole configuration as stored."""
        return {**self.base.data, "name": self.name, "description": self.description, "labels": self.labels}

    def config_json(self) -> bytes:
        """The whole configuration, serialised."""
        own = orjson.dumps({"name": self.name, "description": self.description, "labels": self.labels})
        return own[:-1] + b"," + self.base.body


@dataclasses.dataclass(slots=True)
class TrialRow:
    """A trial.

    Attributes:
        validations: (total batches, end time, metrics) in the order of reporting.
        training_metrics: metrics by total batches.
        training_ends: when those were reported, by total batches; what is not there ended with the validation.
        released: when a paused one gave back what it held; None of one that never held anything.
    """

    id: int
    experiment_id: int
    state: str
    start_time: datetime
    hparams: dict[str, t.Any]
    task_id: str
    end_time: datetime | None = None
    restarts: int = 0
    total_batches: int = 0
    runner_state: str = ""
    wall_clock_time: float = 0.0
    warm_start: str = ""
    summary_metrics: dict[str, t.Any] | None = None
    validations: list[tuple[int, datetime, dict[str, t.Any]]] = dataclasses.field(default_factory=list)
    training_metrics: dict[int, dict[str, t.Any]] = dataclasses.field(default_factory=dict)
    training_ends: dict[int, datetime] = dataclasses.field(default_factory=dict)
    checkpoint_uuids: list[str] = dataclasses.field(default_factory=list)
    log_retention_days: int | None = None
    released: datetime | None = None


@dataclasses.dataclass(slots=True)
class CheckpointRow:
    """A checkpoint; sizes in bytes by path."""

    uuid: str
    trial_id: int
    experiment_id: int
    task_id: str
    report_time: datetime
    resources: dict[str, int]
    metadata: dict[str, t.Any] | None
    state: str = "COMPLETED"
    allocation_id: str | None = None
    storage_id: int | None = None

    @property
    def size(self) -> int:
        """Bytes in all; a deleted one counts nothing."""
        return 0 if self.state == "DELETED" else sum(self.resources.values())


@dataclasses.dataclass(slots=True)
class ModelRow:
    """A registered model."""

    id: int
    name: str
    user_id: int
    workspace_id: int
    creation_time: datetime
    last_updated_time: datetime
    description: str = ""
    metadata: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    labels: list[str] = dataclasses.field(default_factory=list)
    notes: str = ""
    archived: bool = False
    version_ids: list[int] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True)
class ModelVersionRow:
    """A version of a model."""

    id: int
    model_id: int
    version: int
    checkpoint_uuid: str
    user_id: int
    creation_time: datetime
    last_updated_time: datetime
    name: str = ""
    comment: str = ""
    metadata: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    labels: list[str] = dataclasses.field(default_factory=list)
    notes: str = ""


# --- SQL -------------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def like(pattern: str, *, fold: bool, query: str = "") -> Callable[[str], bool]:
    """PostgreSQL's LIKE (``fold`` False) or ILIKE over a whole string.

    Args:
        pattern: with ``%``, ``_`` and the escape ``\\``.
        fold: without case.
        query: the name of the master's query file, for its error text.

    Raises:
        RpcError: the plain error of a pattern that ends in an escape.
    """
    parts, index = [], 0
    while index < len(pattern):
        char = pattern[index]
        if char == "\\":
            index += 1
            if index == len(pattern):
                where = f"error running query: {query}: " if query else ""
                raise plain(f"{where}ERROR: LIKE pattern must not end with escape character (SQLSTATE 22025)")
            parts.append(re.escape(pattern[index]))
        else:
            parts.append({"%": ".*", "_": "."}.get(char, re.escape(char)))
        index += 1
    compiled = re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if fold else 0))
    return lambda text: compiled.fullmatch(text) is not None


def contains(pattern: str) -> Callable[[str], bool]:
    """``ILIKE '%' || pattern || '%'``: a substring without case, wildcards live."""
    if not re.search(r"[%_\\]", pattern):
        wanted = pattern.lower()
        return lambda text: wanted in text.lower()
    return like(f"%{pattern}%", fold=True)


def sql_sorted(
    rows: t.Iterable[t.Any],
    key: Callable[[t.Any], t.Any] | None,
    order: str,
    *,
    tie: Callable[[t.Any], t.Any],
    nulls_last: bool = False,
) -> list[t.Any]:
    """``ORDER BY key dir, tie dir``; PostgreSQL puts nulls last ascending and first descending, unless ``nulls_last``.

    Args:
        rows: what to sort.
        key: the column, None to sort by ``tie`` alone.
        order: ``ORDER_BY_ASC``, ``ORDER_BY_DESC`` or the unspecified one.
        tie: the second column, mostly the id.
        nulls_last: DESC NULLS LAST.
    """
    down = order == "ORDER_BY_DESC"
    out = sorted(rows, key=tie, reverse=down)
    if key is None:
        return out
    filled = [row for row in out if key(row) is not None]
    empty = [row for row in out if key(row) is None]
    filled.sort(key=key, reverse=down)
    return [*empty, *filled] if down and not nulls_last else [*filled, *empty]


def shuffled(labels: t.Iterable[str] | None) -> list[str]:
    """Labels in the order of a Go map: none. Every write of an experiment's configuration draws it anew."""
    out = list(dict.fromkeys(labels or ()))
    random.shuffle(out)
    return out


# --- times, identities, later ----------------------------------------------------------------------------------------------


def stamp(value: datetime | None) -> str | None:
    """A timestamp column as jsonpb prints it; the six digits that most have, without the cost of strftime."""
    if value is not None and value.microsecond % 1000:
        return value.isoformat()[:26] + "Z"
    return timestamp(value)


def is_uuid(text: str) -> bool:
    """Whether PostgreSQL and google/uuid read the text as a UUID in its usual form."""
    return re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text) is not None


def new_uuid() -> str:
    """A random UUID."""
    return str(uuid.uuid4())


def username(master: Master, user_id: int) -> str:
    """A user's name."""
    return master.users[user_id].username


def later(master: Master, action: Callable[[], None], *, quick: bool = False) -> None:
    """Run ``action`` after the master's asynchronous delay, or within milliseconds; at once where no server runs."""
    if master.call_later is None:
        action()
    else:
        master.call_later(min(master.async_delay, QUICK) if quick else master.async_delay, action)


# --- authorisation ---------------------------------------------------------------------------------------------------------


def allowed(call: Call, permission: str, workspace_id: int | None) -> bool:
    """Whether RBAC lets the caller; true in the basic modes."""
    return not call.master.rbac or call.master.can(call.caller, permission, workspace_id)


def need(call: Call, permission: str, workspace_id: int | None, *, status: bool = False) -> None:
    """Under RBAC refuse a caller without a permission.

    Args:
        status: as a gRPC status, else as a plain error (the answer is 403 both ways, nested texts differ).

    Raises:
        RpcError: 403.
    """
    if not allowed(call, permission, workspace_id):
        error = call.master.denied(permission)
        raise RpcError(Code.PERMISSION_DENIED, error.message) if status else error


def owner_or_admin(call: Call, owner_id: int) -> bool:
    """The basic rule of most writes."""
    return call.caller.admin or call.caller.id == owner_id


def visible_workspaces(call: Call, permission: str) -> set[int] | None:
    """The workspaces where the caller holds a permission; None stands for all."""
    if not call.master.rbac:
        return None
    everywhere, where = call.master.permitted(call.caller, permission)
    return None if everywhere else where


def user_filter(call: Call) -> Callable[[int], bool]:
    """The list filters ``users`` and ``userIds``, both given meaning AND; names with a comma split, as in SQL."""
    names: set[str] | None = None
    if call.query.get("users"):
        names = set(",".join(call.query["users"]).split(","))
    ids = set(call.query.get("userIds", ()))
    users = call.master.users

    def match(user_id: int) -> bool:
        return (names is None or users[user_id].username in names) and (not ids or user_id in ids)

    return match
