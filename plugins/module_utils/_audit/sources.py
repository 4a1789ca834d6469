# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""How an audit reads each list of a cluster, and what is beyond the lists."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import re
import typing as t

from .._gitops.directory import Directory
from .._kinds.checkpoint import Checkpoint
from .._kinds.cluster import Agents, Config, ResourcePool, ResourcePools
from .._kinds.config_policy import WIRE as WORKLOADS
from .._kinds.config_policy import find_policy
from .._kinds.kind import Normal
from .._kinds.master_log import logged_config, read_entries
from .._kinds.rights import CLUSTER_ADMIN, Rights
from .._kinds.task import TYPES, find_task, read_tasks
from .._kinds.token_list import read_all_tokens
from .._kinds.user import BUILT_IN_IDS
from .._wire import errors
from .._wire.login import ACCEPTED, INACTIVE, try_password
from .._wire.paging import Page, read_memory_list
from .._wire.session import Session, decode, route
from .control import Resource
from .workload_state import ENDED

if t.TYPE_CHECKING:
    from .snapshot import Snapshot

WORKSPACE_ADMIN = "WorkspaceAdmin"
BLANK_PASSWORDS = "blank_passwords"


@dataclasses.dataclass(frozen=True)
class Source:
    """How a list is read.

    :ivar endpoint: for the evidence.
    :ivar read: reads it.
    :ivar whole: the list of `rights.WHOLE` that tells whether it is whole, or None: anyone sees all of it.
    :ivar unasked: for what is read only on demand, since it leaves a trace on the master: the gap where nobody demands it.
    :ivar doubt: says why what arrived can't be all, or right, or None.
    """

    endpoint: str
    read: t.Callable[[Session, Directory], list[Resource]]
    whole: str | None
    unasked: str | None = None
    doubt: t.Callable[[Rights, t.Sequence[Resource]], str | None] = lambda rights, items: None


@dataclasses.dataclass(frozen=True)
class Detail:
    """What is read of single resources, beyond their list.

    :ivar of: the list of the resources.
    :ivar endpoint: for the evidence.
    :ivar wants: whether it is read of a resource.
    :ivar read: reads it.
    """

    of: str
    endpoint: str
    wants: t.Callable[[Snapshot, Resource], bool]
    read: t.Callable[[Session, Resource], t.Any]


# --- lists ---


def _declarable(plural: str) -> t.Callable[[Session, Directory], list[Resource]]:
    """A list of a kind that manifests know, with their keys."""

    def read(session: Session, directory: Directory) -> list[Resource]:
        found, twice = directory.objects(plural), directory.twice(plural)
        return [
            Resource(plural, key, one.get("id"), one) for key, item in found.items() for one in twice.get(key, [item])
        ]

    return read


def _lacks_the_auditor(rights: Rights, users: t.Sequence[Resource]) -> str | None:
    """Whoever asks is an active user, with a flag that is known: a list that says otherwise leaves out users, or what they are."""
    own = next((user.data for user in users if user.id == rights.user_id), None)
    if own is not None and own["active"] and own["admin"] == rights.admin:
        return None
    return f"the list of users does not have {rights.username!r}, who asks, as the active user that it is"


def _read_tokens(session: Session, directory: Directory) -> list[Resource]:
    """All tokens, the expired and revoked ones too; sessions are none of them."""
    usernames = {user.id: user.username for user in directory.all_users()}
    return [
        Resource(
            "tokens",
            f"{usernames.get(token.user_id, token.user_id)}/{token.description}",
            token.id,
            {**token.normal(), "username": usernames.get(token.user_id)},
        )
        for token in read_all_tokens(session, inactive=True)
    ]


def _read_tasks(session: Session, directory: Directory) -> list[Resource]:
    return [Resource("tasks", one["id"], one["id"], one) for kind in TYPES for one in read_tasks(session, kind)]


def _read_agents(session: Session, directory: Directory) -> list[Resource]:
    found = read_memory_list(session, Agents, "/api/v1/agents")
    return [Resource("agents", agent.id, agent.id, agent.normal()) for agent in found]


class DetailedPool(ResourcePool):
    """A pool with the ``details`` of what runs its agents, which are the provider's own."""

    details: dict[str, t.Any]


class DetailedPools(Page):
    """One answer of ``GET /resource-pools``."""

    resource_pools: list[DetailedPool]

    def items(self) -> list[DetailedPool]:
        """The pools."""
        return self.resource_pools


def _read_pools(session: Session, directory: Directory) -> list[Resource]:
    found = read_memory_list(session, DetailedPools, "/api/v1/resource-pools")
    return [Resource("resource_pools", pool.name, pool.name, pool.normal()) for pool in found]


def _read_unbound_pools(session: Session, directory: Directory) -> list[Resource]:
    found = read_memory_list(session, ResourcePools, "/api/v1/resource-pools", {"unbound": True})
    return [Resource("resource_pools", pool.name, pool.name, pool.normal()) for pool in found]


def _read_config(session: Session, directory: Directory) -> list[Resource]:
    """The master's configuration as one object, secrets and all: what it shows of them is evidence."""
    answer = session.call("GET", "/api/v1/master/config")
    found = decode(answer, Config.model_validate, answer.json(), "a configuration")
    return [Resource("master_config", "config", None, found.config)]


def _read_first_log_entry(session: Session, directory: Directory) -> list[Resource]:
    """The oldest entry of the log's ring, with the configuration that the first of all is, secrets and all."""
    return [
        Resource("master_log", str(entry.id), entry.id, {"config": logged_config(entry.message)})
        for entry in read_entries(session, 0, limit=1)
    ]


def _read_allocations(session: Session, directory: Directory) -> list[Resource]:
    """What is scheduled, whatever its kind (``GET /tasks``): the allocations, each under the id of its task."""
    found = session.get("/api/v1/tasks")["allocationIdToSummary"]
    return [Resource("tasks", one["taskId"], one["taskId"], snake(one)) for one in found.values()]


def _read_global_policies(session: Session, directory: Directory) -> list[Resource]:
    return [
        Resource("config_policies", f"global/{workload}", workload, find_policy(session, workload, None) or {})
        for workload in WORKLOADS
    ]


def _probe_blank_passwords(session: Session, directory: Directory) -> list[Resource]:
    """The built-in accounts, with the ``answer`` to a login with a blank password: one try each, one after the other.

    Where there was no such answer it is None, and ``why`` says so.
    """
    once = dataclasses.replace(session.connection, retries=0)
    found = []
    for user in directory.objects("users").values():
        if user["id"] not in BUILT_IN_IDS:
            continue
        answer, why = None, ""
        try:
            answer = try_password(once, session.warn, user["username"], "")
            session.requests += 2 if answer == ACCEPTED else 1
        except errors.DeterminedError as error:
            why = str(error)
        if answer == INACTIVE and user["active"]:
            answer, why = (
                None,
                "its login is forbidden, although it is active: something else than the master may say so",
            )
        found.append(Resource("users", user["username"], user["id"], {**user, "answer": answer, "why": why}))
    return found


SOURCES: dict[str, Source] = {
    "users": Source("GET /api/v1/users", _declarable("users"), "users", doubt=_lacks_the_auditor),
    "groups": Source("POST /api/v1/groups/search", _declarable("groups"), "groups"),
    "role_assignments": Source("POST /api/v1/roles/search/by-ids", _declarable("role_assignments"), "role_assignments"),
    "tokens": Source("GET /api/v1/tokens?showInactive=true", _read_tokens, "tokens"),
    "templates": Source("GET /api/v1/templates", _declarable("templates"), "templates"),
    "workspaces": Source("GET /api/v1/workspaces", _declarable("workspaces"), "workspaces"),
    "projects": Source("GET /api/v1/workspaces/0/projects", _declarable("projects"), "projects"),
    "models": Source("GET /api/v1/models", _declarable("models"), "models"),
    "webhooks": Source("GET /api/v1/webhooks", _declarable("webhooks"), "webhooks"),
    "tasks": Source("GET /api/v1/notebooks, shells, commands, tensorboards", _read_tasks, "tasks"),
    "allocations": Source("GET /api/v1/tasks", _read_allocations, "tasks"),
    "agents": Source("GET /api/v1/agents", _read_agents, "agents"),
    "resource_pools": Source("GET /api/v1/resource-pools", _read_pools, "resource_pools"),
    "unbound_pools": Source("GET /api/v1/resource-pools?unbound=true", _read_unbound_pools, "resource_pools"),
    "master_config": Source("GET /api/v1/master/config", _read_config, "master_config"),
    "master_log": Source("GET /api/v1/master/logs", _read_first_log_entry, "master_log"),
    "global_policies": Source("GET /api/v1/config-policies/global", _read_global_policies, "config_policies"),
    BLANK_PASSWORDS: Source(
        "POST /api/v1/auth/login",
        _probe_blank_passwords,
        None,
        unasked="whether the built-in accounts answer to a blank password was not tried (probe_blank_passwords is false)",
    ),
}
"""How each list is read, but for experiments, which are not held."""

CLUSTER, EXPERIMENT_LIST, DRIFT, WAIVERS, TLS = "cluster", "experiments", "drift", "waivers", "tls"
"""Lists that are none of the server's, or are not held."""


# --- details ---


def _read_members(session: Session, group: Resource) -> frozenset[int]:
    found = session.get(route("groups", t.cast(int, group.id)))["group"]
    return frozenset(user["id"] for user in found["users"])


def _is_powerful(snapshot: Snapshot, group: Resource) -> bool:
    """Whether a group holds a role that makes its members administrators of something."""
    return any(
        grant.data["group_id"] == group.id and grant.data["role"] in (CLUSTER_ADMIN, WORKSPACE_ADMIN)
        for grant in snapshot.lists["role_assignments"].items
    )


def _read_storage(session: Session, workspace: Resource) -> Normal | None:
    found = session.get(route("workspaces", t.cast(int, workspace.id)))
    return t.cast("Normal | None", found.get("workspace", found).get("checkpointStorageConfig"))


def _read_policies(session: Session, workspace: Resource) -> dict[str, Normal]:
    number = t.cast(int, workspace.id)
    return {workload: find_policy(session, workload, number) or {} for workload in WORKLOADS}


def _read_task_config(session: Session, task: Resource) -> Normal:
    """The configuration of a task. The master remembers for a day what has ended: one that was listed does not just go."""
    found = find_task(session, task.data["type"], str(task.id))
    if found is None:
        raise errors.NotFound("it is listed, and not found by its id")
    return t.cast(Normal, found["config"])


def _read_versions(session: Session, model: Resource) -> list[Normal]:
    found = session.get(route("models", str(model.id), "versions")).get("modelVersions") or []
    return [
        {
            "version": one.get("version"),
            "name": one.get("name") or "",
            "checkpoint": Checkpoint.model_validate(one.get("checkpoint") or {"uuid": ""}).normal(),
        }
        for one in found
    ]


def _read_last_allocation(session: Session, experiment: Resource) -> str | None:
    """When an experiment last gave back what it held; None for one that never held anything.

    No list tells when an experiment was paused (API page ml-resources, section 3): the ends of its trials' allocations do.
    """
    path = route("experiments", t.cast(int, experiment.id), "trials")
    # -1 is all for this list, whose default is 100 (API page, section 1.5).
    trials = session.get(path, {"limit": -1}).get("trials") or []
    ends = []
    for name in dict.fromkeys(name for trial in trials for name in trial.get("taskIds") or []):
        task = session.get(route("tasks", name)).get("task") or {}
        for one in task.get("allocations") or []:
            if one.get("endTime"):
                ends.append(one["endTime"])
            elif one.get("startTime"):
                # It has yet to give back what it holds; one without a start never held anything.
                return datetime.datetime.now(datetime.UTC).isoformat()
    return max(ends, default=None)


DETAILS: dict[str, Detail] = {
    "members": Detail("groups", "GET /api/v1/groups/{id}", _is_powerful, _read_members),
    "storage": Detail("workspaces", "GET /api/v1/workspaces/{id}", lambda snapshot, one: True, _read_storage),
    "policies": Detail(
        "workspaces", "GET /api/v1/config-policies/workspaces/{id}", lambda snapshot, one: True, _read_policies
    ),
    "task_config": Detail(
        "tasks",
        "GET /api/v1/notebooks/{id} (shells, commands, tensorboards)",
        lambda snapshot, one: one.data["state"] not in ENDED,
        _read_task_config,
    ),
    "versions": Detail(
        "models",
        "GET /api/v1/models/{id}/versions",
        lambda snapshot, one: bool(one.data["num_versions"]),
        _read_versions,
    ),
    "last_allocation": Detail(
        EXPERIMENT_LIST,
        "GET /api/v1/experiments/{id}/trials, GET /api/v1/tasks/{id}",
        lambda snapshot, one: one.data["state"] == "paused" and snapshot.is_long_ago(one.data["start_time"]),
        _read_last_allocation,
    ),
}


def snake(raw: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """An object of the API with its own fields in snake_case; what is inside them stays as it is."""
    return {_snake(name): value for name, value in raw.items()}


_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@functools.lru_cache(maxsize=1024)
def _snake(name: str) -> str:
    return _HUMP.sub("_", name).lower()
