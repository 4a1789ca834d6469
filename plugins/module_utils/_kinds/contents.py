# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""What workspaces and projects hold, which their deletion takes along, is stopped by, or leaves behind in a bad state."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import typing as t

from .._wire.errors import DeterminedError, Forbidden, InvalidOption, NotFound, NotSupported, Rejected
from .._wire.paging import Page, pages_by_key, read_memory_list
from .._wire.session import Live, Session, route
from .._wire.wait import wait_until
from .cluster import ResourcePools
from .config_policy import WIRE, find_policy
from .experiment import BY_ID, KEY
from .experiment_bulk import bulk
from .kind import Normal, Task
from .lookup import Named, Projects
from .model import Model, Models
from .rights import Rights
from .template import Template, read_templates
from .webhook import read_webhooks

RUNNING_STATES = (
    "STATE_ACTIVE",
    "STATE_PAUSED",
    "STATE_STOPPING_CANCELED",
    "STATE_STOPPING_KILLED",
    "STATE_STOPPING_COMPLETED",
    "STATE_STOPPING_ERROR",
)
"""What the list of experiments can be asked for (API page ml-resources, trap 13); together all that have not ended."""


class Running(Live):
    """What stopping an experiment needs of it."""

    id: int
    unmanaged: bool = False

    def identity(self) -> int:
        """What tells it from others."""
        return self.id


class RunningPage(Page):
    """One answer of ``GET /experiments``."""

    experiments: list[Running]

    def items(self) -> list[Running]:
        """The experiments."""
        return self.experiments


class PoolNames(Page):
    """One answer of ``GET /workspaces/{id}/available-resource-pools``."""

    resource_pools: list[str]

    def items(self) -> list[str]:
        """The names."""
        return self.resource_pools


@dataclasses.dataclass(frozen=True)
class Contents:
    """What a workspace holds beside experiments, as far as the caller may see it."""

    projects: list[Named]
    models: list[Model]
    templates: list[Template]
    webhooks: list[Normal]
    config_policies: list[str]
    resource_pool_bindings: list[str]

    def named(self) -> Normal:
        """What there is, by name, for a result."""
        found = {
            "projects": sorted(project.name for project in self.projects),
            "models": sorted(model.name for model in self.models),
            "templates": sorted(template.name for template in self.templates),
            "webhooks": sorted(webhook["name"] for webhook in self.webhooks),
            "config_policies": self.config_policies,
            "resource_pool_bindings": self.resource_pool_bindings,
        }
        return {name: items for name, items in found.items() if items}


def models_in(session: Session, workspace_id: int) -> list[Model]:
    """The models of a workspace; without the right to see any, the server answers 500."""
    found = read_memory_list(session, Models, "/api/v1/models", {"workspaceIds": workspace_id})
    return [model for model in found if model.workspace_id == workspace_id]


def projects_in(session: Session, workspace_id: int) -> list[Named]:
    """The projects of a workspace."""
    return read_memory_list(session, Projects, route("workspaces", workspace_id, "projects"))


def webhooks_in(session: Session, workspace_id: int) -> list[Normal]:
    """The webhooks of a workspace that the caller may see."""
    return [webhook for webhook in read_webhooks(session) if webhook["workspace_id"] == workspace_id]


def _templates_in(session: Session, workspace_id: int) -> list[Template]:
    found = read_templates(session, {"workspaceIds": workspace_id})
    return [template for template in found if template.workspace_id == workspace_id]


def _policies_of(session: Session, workspace_id: int) -> list[str]:
    return [workload for workload in WIRE if find_policy(session, workload, workspace_id) is not None]


def _bound_pools(session: Session, workspace_id: int) -> list[str]:
    """The pools bound to a workspace: those that it may use, without those that all may."""
    path = route("workspaces", workspace_id, "available-resource-pools")
    usable = read_memory_list(session, PoolNames, path, {"limit": -1})
    unbound = read_memory_list(session, ResourcePools, "/api/v1/resource-pools", {"unbound": True})
    return sorted(set(usable) - {pool.name for pool in unbound})


def contents_of(task: Task, workspace_id: int) -> Contents:
    """Read what a workspace holds. What the caller may not see is left out, and said."""

    def seen(what: str, read: t.Callable[[Session, int], list[t.Any]]) -> list[t.Any]:
        try:
            return read(task.session, workspace_id)
        except (Forbidden, NotFound, NotSupported, Rejected) as error:
            task.warn(f"Which {what} the removal takes along could not be seen: {error}")
            return []

    return Contents(
        projects=seen("projects", projects_in),
        models=seen("models", models_in),
        templates=seen("templates", _templates_in),
        webhooks=seen("webhooks", webhooks_in),
        config_policies=seen("config policies", _policies_of),
        resource_pool_bindings=seen("resource pool bindings", _bound_pools),
    )


def end_experiments(task: Task, project_ids: t.Iterable[int]) -> int:
    """Kill what still runs in some projects, and wait until it has ended, whatever the option wait says.

    Deleted together with its project, a running experiment stays in the queue, and nobody can kill it any more before the
    master starts again (API page ml-resources, trap 14). Unmanaged ones run elsewhere and have no end to wait for.

    :returns: how many were killed.
    :raises TimedOut: some did not end within ``wait_timeout``.
    :raises DeterminedError: some could not be killed.
    """
    session = task.session

    def running(project_id: int) -> list[int]:
        query = {"projectId": project_id, "states": RUNNING_STATES, **BY_ID}
        pages = pages_by_key(session, RunningPage, "/api/v1/experiments", query, KEY)
        found = itertools.chain.from_iterable(items for items, _total in pages)
        return [experiment.id for experiment in found if not experiment.unmanaged]

    projects = {project_id: numbers for project_id in project_ids if (numbers := running(project_id))}
    numbers = list(itertools.chain.from_iterable(projects.values()))
    failed = bulk(session, "kill", numbers)
    if failed:
        # What has ended by itself meanwhile is no failure.
        left = [number for project_id in projects for number in running(project_id) if number in failed]
        if left:
            first = failed[left[0]]
            raise type(first)(
                f"Nothing was removed, as the experiments {', '.join(map(str, left))} still run and could not be killed: {first}",
                first.failure,
            )
    for project_id in projects:
        wait_until(
            task.options,
            functools.partial(running, project_id),
            lambda numbers: not numbers,
            lambda numbers: f"the experiments {', '.join(map(str, numbers))} were killed and have not ended.",
        )
    return len(numbers)


def refuse_without_right(task: Task, who: str, permission: str, owners: t.Collection[int | None]) -> None:
    """Refuse a removal that the server would refuse, before what is in the way of it has been removed.

    Under RBAC a right that is held in other workspaces only is not told from one that is held here.

    :param who: what is to be removed, for the failure's text.
    :param permission: what RBAC asks for.
    :param owners: the users to whom basic authorisation allows it beside administrators.
    :raises InvalidOption: naming who lacks what.
    """
    rights = Rights.read(task.session)
    if rights.rbac and permission not in rights.somewhere:
        raise InvalidOption(f"{who} can't be removed by {rights.username!r}, who lacks {permission}.")
    if not rights.rbac and not rights.admin and rights.user_id not in owners:
        raise InvalidOption(
            f"{who} can only be removed by its owner or an administrator, and not by {rights.username!r}."
        )


@contextlib.contextmanager
def telling(done: t.Sequence[str]) -> t.Iterator[None]:
    """Add to a failure what had been done before it."""
    try:
        yield
    except DeterminedError as error:
        if not done:
            raise
        raise type(error)(f"{error} Done before that: {', '.join(done)}.", error.failure) from error


def experiments(count: int) -> str:
    """So many experiments, in words."""
    return f"{count} experiment{'' if count == 1 else 's'}"


def deletion_failed(noun: str, left: Normal) -> Rejected:
    """The failure of a deletion that the server gave up, with what it left behind."""
    why = left["error_message"] or "the master's log says why"
    return Rejected(f"The deletion of the {noun} {left['name']!r} failed (state delete_failed): {why}.")
