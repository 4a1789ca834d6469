# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Config policies: what an administrator prescribes to all experiments, or all tasks, of a workspace or of the cluster.

A policy has two halves, an experiment configuration that wins over what users submit, and limits. The master replaces both
together, hardly looks at the values, and then fails each new experiment of the scope with 500 if one is wrong
(API page ml-resources, section 10). So a written policy is tried, and put back if it does that.
"""

from __future__ import annotations

import json
import typing as t

from .._wire import errors
from .._wire.errors import DeterminedError, InvalidOption
from .._wire.paging import read_memory_list
from .._wire.session import Live, Session, route, unwrap
from .config_schema import check_keys, wrong_keys_told
from .free_form import as_stored, check_free_form
from .kind import Arguments, Declarable, Field, Normal, Reader, Reference, Task, same_config
from .lookup import Names, Projects
from .masking import kept, masked, masked_text, with_keeps
from .user import check_limit

WIRE = {"experiments": "EXPERIMENT", "tasks": "NTSC"}
"""The words of the API for the kinds of workloads."""

HALVES = ("invariant_config", "constraints")
EVERYWHERE = "*"
"""Stands in keys for the whole cluster."""

DEFAULT = "Uncategorized"
"""The workspace and the project that every cluster has."""


class Policies(Live):
    """The answer of a call about policies; a half that is not set is missing or null."""

    invariant_config: dict[str, t.Any] | None = None
    constraints: dict[str, t.Any] | None = None


def find_policy(session: Session, workload: str, workspace_id: int | None) -> Normal | None:
    """Read a policy, or None where neither half says anything."""
    found = session.read(Policies, "configPolicies", _path(workload, workspace_id))
    if not found.invariant_config and not found.constraints:
        return None
    return {
        "workload_type": workload,
        "workspace_id": workspace_id,
        "invariant_config": found.invariant_config or {},
        "constraints": found.constraints or {},
    }


class ConfigPolicyKind(Declarable):
    """Config policies, by what they are for and where."""

    name = "config_policy"
    plural = "config_policies"
    refers: t.ClassVar = {"workspace_id": "workspaces"}
    completes = True
    fields: t.ClassVar = {half: Field(same=same_config) for half in HALVES}
    arguments = Arguments(
        spec={
            "workload_type": {"type": "str", "choices": list(WIRE), "required": True},
            "workspace": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "invariant_config": {"type": "dict"},
            "constraints": {
                "type": "dict",
                "options": {
                    "priority_limit": {"type": "int"},
                    "resources": {"type": "dict", "options": {"max_slots": {"type": "int"}}},
                },
            },
        },
        required_if=(("state", "present", HALVES, True),),
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse what would be stored and then fail whoever creates an experiment."""
        if options["workspace"] == "":
            raise InvalidOption(
                "workspace is empty: it must be a workspace's name; leave it out for the whole cluster."
            )
        if options["state"] == "absent":
            given = [half for half in HALVES if options[half] is not None]
            if given:
                raise InvalidOption(
                    f"{given[0]} is given with state absent, which takes both halves away; to clear one half, set it to {{}}."
                )
            return
        config = options["invariant_config"]
        if config:
            if options["workload_type"] == "tasks":
                raise InvalidOption(
                    "invariant_config is given for tasks: this release has it for experiments only, tasks can be given "
                    "constraints."
                )
            _check_config(config)

    def find(self, task: Task) -> Normal | None:
        """Read the policy."""
        return find_policy(task.session, task.options["workload_type"], _workspace_id(task))

    def wanted(self, task: Task, live: Normal | None) -> Normal | None:
        """Say what is declared. A policy of which nothing is left is none."""
        options = task.options
        if options["state"] == "absent":
            return None
        wanted: Normal = {}
        if options["invariant_config"] is not None:
            present = {} if live is None else live["invariant_config"]
            wanted["invariant_config"] = as_stored(kept(options["invariant_config"], present, "invariant_config"))
        if options["constraints"] is not None:
            wanted["constraints"] = _given(options["constraints"])
        after = {**(live or {}), **wanted}
        if not any(after.get(half) for half in HALVES):
            return None
        _check_conflict(after)
        return {"workload_type": options["workload_type"], "workspace_id": _workspace_id(task), **wanted}

    def create(self, task: Task, wanted: Normal) -> Normal:
        """Set the policy, and try it."""
        return self._put(task, None, {**self.blank(task), **wanted})

    def update(self, task: Task, live: Normal, changes: Normal) -> Normal:
        """Set the policy, the half that does not change as it is, and try it."""
        return self._put(task, live, {**live, **changes})

    def remove(self, task: Task, live: Normal) -> None:
        """Take the policy away."""
        task.session.write("DELETE", _path(live["workload_type"], live["workspace_id"]))

    def blank(self, task: Task) -> Normal:
        """A policy that says nothing."""
        return {
            "workload_type": task.options["workload_type"],
            "workspace_id": _workspace_id(task),
            "invariant_config": {},
            "constraints": {},
        }

    def shown(self, task: Task, item: Normal) -> Normal:
        """The policy with the secrets in it masked."""
        return masked_policy(item)

    # --- in a manifest ---

    def key(self, options: dict[str, t.Any]) -> str:
        """``experiments@workspace``, or ``tasks@*`` for the whole cluster."""
        return f"{options['workload_type']}@{options['workspace'] or EVERYWHERE}"

    def read_all(self, session: Session, names: Names) -> list[Normal]:
        """All scopes that may have a policy; nothing lists those that have one."""
        scopes = [None, *(workspace.id for workspace in names.all_workspaces())]
        return [{"workload_type": workload, "workspace_id": scope} for scope in scopes for workload in WIRE]

    def complete(self, session: Session, live: Normal) -> Normal | None:
        """Read the policy of a scope."""
        if live["workspace_id"] is not None and live["workspace_id"] < 0:
            # Of a workspace that is only planned.
            return None
        return find_policy(session, live["workload_type"], live["workspace_id"])

    def key_of(self, live: Normal, names: Names) -> str:
        """The key, with the workspace's name."""
        scope = live["workspace_id"]
        name = EVERYWHERE if scope is None else names.name_of("workspaces", scope) or str(scope)
        return f"{live['workload_type']}@{name}"

    def references(self, options: dict[str, t.Any]) -> t.Sequence[Reference]:
        """Its workspace."""
        if options["workspace"] is None:
            return ()
        return (Reference("workspaces", options["workspace"], "workspace"),)

    def declaration(self, live: Normal, names: Names) -> dict[str, t.Any]:
        """The options that declare the policy."""
        options = {"workload_type": live["workload_type"]}
        if live["workspace_id"] is not None:
            options["workspace"] = names.name_of("workspaces", live["workspace_id"])
        return {**options, **{half: with_keeps(live[half]) for half in HALVES if live.get(half)}}

    def undeclarable(self, live: Normal, names: Names) -> str | None:
        """A workspace's name may read like the whole cluster."""
        if live["workspace_id"] is not None and names.name_of("workspaces", live["workspace_id"]) == EVERYWHERE:
            return f"Its workspace is called {EVERYWHERE!r}, which stands for the whole cluster."
        return None

    # --- writing ---

    def _put(self, task: Task, before: Normal | None, after: Normal) -> Normal:
        """Write a policy and try it.

        :raises InvalidOption: new experiments fail with it; the old one is in force again.
        """
        try:
            _write(task.session, after)
        except (errors.LostAnswer, errors.BadAnswer) as error:
            # Whether it was written decides whether it has to be tried.
            found = find_policy(task.session, after["workload_type"], after["workspace_id"])
            if found is None or not all(same_config(found[half], after[half]) for half in HALVES):
                raise
            task.warn(f"{error} Read again: the config_policy is as declared.")
        if after["invariant_config"]:
            try:
                self._try(task, after)
            except _Broken as broken:
                restored = self._put_back(task, before, after)
                words = masked_text(broken.error.server_message)
                raise InvalidOption(
                    f"invariant_config makes the master fail each new experiment of the scope: {words} {restored}",
                    broken.error.failure,
                ) from broken
        return find_policy(task.session, after["workload_type"], after["workspace_id"]) or after

    def _put_back(self, task: Task, before: Normal | None, after: Normal) -> str:
        try:
            if before is None:
                self.remove(task, after)
            else:
                _write(task.session, before)
        except DeterminedError as error:
            return f"It could not be taken back, so no experiment can be created there until that is done: {error}"
        return "The policy that was there before is in force again." if before else "It was taken away again."

    def _try(self, task: Task, policy: Normal) -> None:
        """Ask the master whether it would create an experiment under the policy; it stores nothing.

        Only invariants can break it: the limits are checked when they are written, and a 400 is their refusal of this
        experiment, which is what they are for.

        :raises _Broken: it would fail.
        """
        try:
            place = self._place(task, policy["workspace_id"])
            if place is None:
                task.warn(f"{_UNTRIED} the workspace has no project that is not archived.")
                return
            task.session.write("POST", "/api/v1/experiments", _probe(policy["invariant_config"], *place))
        except errors.Rejected as error:
            if (error.failure or {}).get("status") != INTERNAL:
                return
            raise _Broken(error) from error
        except DeterminedError as error:
            task.warn(f"{_UNTRIED} {error}")

    def _place(self, task: Task, workspace_id: int | None) -> tuple[str, str] | None:
        """A workspace and a project in it where an experiment could be created."""
        if workspace_id is None:
            return DEFAULT, DEFAULT
        workspace = next(found for found in task.names.all_workspaces() if found.id == workspace_id)
        if workspace.archived:
            return None
        projects = read_memory_list(task.session, Projects, route("workspaces", workspace_id, "projects"))
        name = next((project.name for project in projects if not project.archived), None)
        return None if name is None else (workspace.name, name)


INTERNAL = 500
_UNTRIED = "The policy was set, but not tried by creating an experiment under it:"


class _Broken(Exception):
    """A policy breaks the creation of experiments."""

    def __init__(self, error: errors.Rejected) -> None:
        super().__init__(str(error))
        self.error = error


def _path(workload: str, workspace_id: int | None) -> str:
    if workspace_id is None:
        return route("config-policies", "global", WIRE[workload])
    return route("config-policies", "workspaces", workspace_id, WIRE[workload])


def _write(session: Session, policy: Normal) -> None:
    # JSON text, as YAML 1.1 would make booleans of a `y` (API page, trap 18). An empty half is left out, which clears it.
    document = {half: policy[half] for half in HALVES if policy[half]}
    body = {"configPolicies": json.dumps(document, ensure_ascii=False)}
    unwrap(
        session.write("PUT", _path(policy["workload_type"], policy["workspace_id"]), body), "configPolicies", Policies
    )


def _workspace_id(task: Task) -> int | None:
    name = task.options["workspace"]
    return None if name is None else task.names.workspace("workspace", name).id


def _given(value: dict[str, t.Any]) -> dict[str, t.Any]:
    """A mapping without the options that Ansible filled up with null, and without mappings that are empty then."""
    inner = {name: _given(item) if isinstance(item, dict) else item for name, item in value.items()}
    return {name: item for name, item in inner.items() if item is not None and item != {}}


def _check_config(config: dict[str, t.Any]) -> None:
    check_free_form("invariant_config", config)
    check_keys("invariant_config", config)
    wrong = wrong_keys_told(config)
    if wrong:
        raise InvalidOption(f"invariant_config has keys that an experiment's configuration does not have: {wrong}.")


def _check_conflict(policy: Normal) -> None:
    """Refuse what the master would: one thing set by both halves to different values (API page ml-resources, section 10)."""
    limits, resources = policy.get("constraints") or {}, (policy.get("invariant_config") or {}).get("resources")
    if not isinstance(resources, dict):
        return
    priority, limit = resources.get("priority"), limits.get("priority_limit")
    if None not in (priority, limit) and priority != limit:
        raise InvalidOption(
            f"invariant_config sets resources.priority to {priority!r} and constraints sets priority_limit to {limit}: they must "
            "be the same, or one be left out."
        )
    slots, limit = resources.get("max_slots"), (limits.get("resources") or {}).get("max_slots")
    if None not in (slots, limit) and slots != limit:
        raise InvalidOption(
            f"invariant_config sets resources.max_slots to {slots!r} and constraints to {limit}: they must be the same, or one "
            "be left out."
        )


def _probe(config: dict[str, t.Any], workspace: str, project: str) -> dict[str, t.Any]:
    """A request that validates the smallest experiment in a project."""
    probe = {
        "name": "policy",
        # Merging a list over a text is a failure of its own.
        "entrypoint": ["true"] if isinstance(config.get("entrypoint"), list) else "true",
        "workspace": workspace,
        "project": project,
        "hyperparameters": {},
        # The default, 1, is refused by a cluster without accelerators.
        "resources": {"slots_per_trial": 0},
        "searcher": {"name": "single", "metric": "loss"},
    }
    return {"config": json.dumps(probe, ensure_ascii=False), "validateOnly": True}


def masked_policy(policy: Normal) -> Normal:
    """A policy with the secrets in it masked."""
    return {**policy, "invariant_config": masked(policy["invariant_config"])}


class ConfigPolicyReader(Reader):
    """Config policies."""

    arguments = Arguments(
        spec={
            "workload_type": {"type": "str", "choices": list(WIRE)},
            "workspace": {"type": "str"},
            "scope": {"type": "str", "choices": ["all", "global", "workspaces"], "default": "all"},
            "limit": {"type": "int"},
        },
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse a limit below 1, and a workspace of the whole cluster."""
        check_limit(options["limit"])
        if options["workspace"] is not None and options["scope"] == "global":
            raise InvalidOption("workspace is given with scope global: a workspace's policies are not the cluster's.")

    def read(self, task: Task) -> dict[str, t.Any]:
        """Read the policies that are set, two calls a scope."""
        options = task.options
        scopes: list[tuple[int | None, str | None]] = []
        if options["workspace"] is not None:
            workspace = task.names.workspace("workspace", options["workspace"])
            scopes.append((workspace.id, workspace.name))
        else:
            if options["scope"] != "workspaces":
                scopes.append((None, None))
            if options["scope"] != "global":
                scopes += [(workspace.id, workspace.name) for workspace in task.names.all_workspaces()]
        found = []
        for scope, name in scopes:
            for workload in WIRE if options["workload_type"] is None else (options["workload_type"],):
                policy = find_policy(task.session, workload, scope)
                if policy is not None:
                    found.append({**masked_policy(policy), "workspace": name})
        return {"config_policies": found[: options["limit"]], "total": len(found)}


CONFIG_POLICY = ConfigPolicyKind()
CONFIG_POLICIES = ConfigPolicyReader()
