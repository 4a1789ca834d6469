# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""What the caller may see, and so which lists are whole.

The server shortens lists silently by what the caller may see. Whoever concludes something from an absence (prune, exclusive
and exact modes, audits) asks here first.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._wire import errors
from .._wire.session import Live, Session
from .kind import Task
from .lookup import Role

M = t.TypeVar("M", bound=Live)

CLUSTER_ADMIN = "ClusterAdmin"

ANYONE: tuple[str, ...] = ()
WHOLE: dict[str, tuple[bool, tuple[str, ...]]] = {
    "users": (False, ANYONE),
    "agents": (False, ANYONE),
    "resource_pools": (False, ("VIEW_WORKSPACE",)),
    "groups": (False, ("ASSIGN_ROLES somewhere",)),
    "role_assignments": (False, ("ASSIGN_ROLES somewhere",)),
    "tokens": (True, ("VIEW_OTHER_TOKEN",)),
    "workspaces": (False, ("VIEW_WORKSPACE",)),
    "projects": (False, ("VIEW_WORKSPACE", "VIEW_PROJECT")),
    "resource_pool_bindings": (False, ("VIEW_WORKSPACE",)),
    "templates": (False, ("VIEW_TEMPLATES",)),
    "models": (False, ("VIEW_MODEL_REGISTRY",)),
    "tasks": (False, ("VIEW_NSC", "VIEW_EXPERIMENT_ARTIFACTS")),
    "experiments": (False, ("VIEW_EXPERIMENT_METADATA",)),
    "checkpoints": (False, ("VIEW_EXPERIMENT_ARTIFACTS",)),
    "webhooks": (True, ("VIEW_WEBHOOKS",)),
    "config_policies": (False, ("VIEW_GLOBAL_CONFIG_POLICIES", "VIEW_WORKSPACE_CONFIG_POLICIES")),
    "master_config": (True, ("VIEW_MASTER_CONFIG",)),
    "cluster_message": (True, ("UPDATE_MASTER_CONFIG",)),
    "oauth_clients": (True, ("ADMINISTRATE_OAUTH",)),
    "master_log": (False, ("VIEW_MASTER_LOGS",)),
}
"""Per list: whether only an administrator sees it whole under basic authorisation, and the permissions that must be held
cluster-wide for it under RBAC. All checked on a running 0.38.1 master."""


class Held(Live):
    """Where somebody holds a role."""

    role_id: int
    scope_workspace_ids: list[int] | None = None
    scope_cluster: bool = False


class Summary(Live):
    """What somebody holds: the answer of ``GET /permissions/summary`` and of ``GET /roles/search/by-group/{id}``."""

    roles: list[Role] | None = None
    assignments: list[Held] | None = None


@dataclasses.dataclass(frozen=True)
class Rights:
    """What the caller may do.

    :ivar username: the caller's name.
    :ivar user_id: its id.
    :ivar admin: its flag, which grants everything under basic authorisation and nothing under RBAC.
    :ivar rbac: whether RBAC is enforced; a master that is ``permissive`` enforces basic authorisation.
    :ivar cluster: permissions that it holds cluster-wide, without their prefix. Empty under basic authorisation.
    :ivar somewhere: permissions that it holds in at least one workspace or cluster-wide.
    :ivar roles: names of the roles that it holds cluster-wide.
    """

    username: str
    user_id: int
    admin: bool
    rbac: bool
    cluster: frozenset[str] = frozenset()
    somewhere: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()

    @classmethod
    def read(cls, session: Session) -> Rights:
        """Ask the master: two calls, three under RBAC."""
        caller = session.caller()
        if not enforces_rbac(session):
            return cls(caller.username, caller.id, caller.admin, rbac=False)
        summary = session.read(Summary, "summary", "/api/v1/permissions/summary")
        roles = {role.role_id: role for role in summary.roles or []}
        cluster: set[str] = set()
        somewhere: set[str] = set()
        names: set[str] = set()
        for held in summary.assignments or []:
            role = roles.get(held.role_id)
            if role is None:
                continue
            permissions = {permission.name for permission in role.permissions or []}
            somewhere |= permissions
            if held.scope_cluster:
                cluster |= permissions
                names.add(role.name)
        return cls(
            caller.username, caller.id, caller.admin, True, frozenset(cluster), frozenset(somewhere), frozenset(names)
        )

    def gap(self, what: str) -> str | None:
        """Say why a list may not have been seen whole, or None: it was.

        :param what: a key of `WHOLE`.
        """
        needs_admin, permissions = WHOLE[what]
        if not self.rbac:
            if needs_admin and not self.admin:
                return f"{self.username!r} is no administrator, and only those see all {what.replace('_', ' ')}"
            return None
        lacking = [name for name in permissions if not self._holds(name)]
        if not lacking:
            return None
        names = " and ".join(name.partition(" ")[0] for name in lacking)
        where = "in any workspace" if any(" " in name for name in lacking) else "cluster-wide"
        return f"{self.username!r} lacks {names} {where}, without which {what.replace('_', ' ')} are left out"

    def _holds(self, name: str) -> bool:
        permission, _blank, somewhere = name.partition(" ")
        return permission in (self.somewhere if somewhere else self.cluster)


def doubt_absence(task: Task, what: str, said: str) -> None:
    """Warn where an object that was not found may just not be seen, so that nobody takes it for gone.

    :param what: a key of `WHOLE`.
    :param said: the sentence that it was not found.
    """
    gap = Rights.read(task.session).gap(what)
    if gap is not None:
        task.warn(f"{said} That it is not there is not proved: {gap}.")


def find_or_doubt(task: Task, what: str, model: type[M], key: str, path: str) -> M | None:
    """As `Session.find`, with a warning where an object that is to be absent is not proved to be so by the master's 404.

    Under RBAC each 404 says that rights may be lacking; only then this costs further calls.

    :param what: a key of `WHOLE`.
    """
    try:
        return task.session.read(model, key, path)
    except errors.NotFound as error:
        if task.options["state"] == "absent" and "check your permissions" in error.server_message:
            doubt_absence(task, what, str(error))
        return None


def enforces_rbac(session: Session) -> bool:
    """Whether the master enforces RBAC, asked in the one way that needs no rights (API page identity-and-cluster, 1.6).

    ``rbacEnabled`` in ``GET /master`` tells which user interface is on, and can disagree.
    """
    try:
        session.get("/api/v1/users", {"roleIdAssignedDirectlyToUser": 1, "limit": 1})
    except errors.Rejected as error:
        if error.failure and error.failure.get("status") == 400:
            return False
        raise
    return True
