# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Config policies (master/internal/api_config_policies.go, master/internal/configpolicy), and what they do to experiments.

Not here: what they do to notebooks, shells and commands, and to later edits of an experiment's priority.
"""

from __future__ import annotations

import typing as t

from . import expconf
from .config_rules import go_syntax, json_type
from .fields import Message, String, as_struct_value
from .gateway import Call, Code, RpcError, bad, route
from .ml_state import need, owner_or_admin
from .workspaces import find

if t.TYPE_CHECKING:
    from .ml_state import WorkspaceRow
    from .state import Master

EXPERIMENT, NTSC = "EXPERIMENT", "NTSC"
GLOBAL = "/api/v1/config-policies/global/{workloadType}"
WORKSPACE = "/api/v1/config-policies/workspaces/{workspaceId:int32}/{workloadType}"
BODY = Message({"configPolicies": String})
ADMINS = "rpc error: code = PermissionDenied desc = user does not have permission"
NO_NTSC_CONFIG = (
    "not supported: invariant config policies for tasks is not yet supported, \n\t\t  please remove "
    '"invariant_config" section and try again.'
)
PANIC = "runtime error: invalid memory address or nil pointer dereference"

Policy = dict[str, t.Any]


def policy_of(master: Master, workspace_id: int | None, workload: str) -> Policy:
    """What is stored for a scope, with the sections that it was put with; empty if nothing is."""
    return t.cast(Policy, master.config_policies.get((workspace_id, workload), {}))


# --- reading a document ---


def _policy_error(workload: str, error: object) -> RpcError:
    word = "experiment" if workload == EXPERIMENT else "ntsc"
    return bad(f"invalid {word} config policy: {error}")


def _struct(value: t.Any, where: str, go_type: str, known: dict[str, t.Callable[[t.Any, str], t.Any]]) -> t.Any:
    """A Go struct out of JSON, unknown fields refused."""
    if value is None:
        return None
    if not isinstance(value, dict):
        found = {"boolean": "bool"}.get(json_type(value), json_type(value))
        target = f"Go struct field {where}" if where else "Go value"
        raise expconf.ConfigError(f"json: cannot unmarshal {found} into {target} of type {go_type}")
    trail = where.partition(".")[2]
    out = {}
    for key in sorted(value):
        if key not in known:
            raise expconf.ConfigError(f"json: unknown field {go_syntax(key)}")
        name = go_type.partition(".")[2]
        out[key] = known[key](value[key], f"{name}.{trail + '.' if trail else ''}{key}")
    return out


def _number(value: t.Any, where: str) -> int | None:
    return t.cast("int | None", expconf.decode("int", value, strict=True, where=where))


def _resources(value: t.Any, where: str) -> t.Any:
    return _struct(value, where, "model.ResourceConstraints", {"max_slots": _number})


def _constraints(value: t.Any, where: str) -> t.Any:
    known = {"resources": _resources, "priority_limit": _number}
    return _struct(value, where, "model.Constraints", known)


def _experiment_config(value: t.Any, where: str) -> t.Any:
    return expconf.decode("experiment", value, strict=True, stringly=True, where=where)


def _any_config(value: t.Any, where: str) -> t.Any:
    return {} if value is not None else None


def _parsed(workload: str, text: str) -> tuple[Policy, Policy]:
    """The document as it is stored, and as Go reads it. Raises RpcError 400."""
    if not text:
        raise bad("no specified config policies")
    try:
        document = expconf.parse_yaml(text)
    except expconf.ConfigError as error:
        raise _policy_error(workload, f"error converting YAML to JSON: yaml: {error}") from None
    config = _experiment_config if workload == EXPERIMENT else _any_config
    go_type = f"configpolicy.{'Experiment' if workload == EXPERIMENT else 'NTSC'}ConfigPolicies"
    try:
        read = _struct(document, "", go_type, {"invariant_config": config, "constraints": _constraints})
    except expconf.ConfigError as error:
        raise _policy_error(workload, f"error unmarshaling JSON: while decoding JSON: {error}") from None
    return as_struct_value(document or {}), read or {}


def _limit(constraints: Policy | None) -> int | None:
    return t.cast("int | None", ((constraints or {}).get("resources") or {}).get("max_slots"))


def _conflict(constraints: Policy | None, resources: Policy) -> str | None:
    """checkConstraintConflicts."""
    if not constraints:
        return None
    priority, slots, limit = resources.get("priority"), resources.get("slots_per_trial"), _limit(constraints)
    if None not in (priority, constraints.get("priority_limit")) and priority != constraints["priority_limit"]:
        return "invariant config & constraints are trying to set the priority limit"
    if None not in (resources.get("max_slots"), limit) and resources["max_slots"] != limit:
        return "invariant config & constraints are trying to set the max slots"
    if slots is not None and limit is not None and limit < slots:
        return f"invariant config has {slots} slots per trial. violates constraints max slots of {limit}"
    return None


def _checked(workload: str, text: str, above: Policy | None) -> Policy:
    """The document, if it may be stored.

    Args:
        workload: EXPERIMENT or NTSC.
        text: YAML or JSON.
        above: the global policy of the same workload, for one of a workspace.

    Raises:
        RpcError: 400.
    """
    document, read = _parsed(workload, text)
    wrapped = "rpc error: code = InvalidArgument desc = "
    if workload == NTSC:
        if read.get("invariant_config") is not None:
            raise bad(wrapped + NO_NTSC_CONFIG)
        return document
    resources = (read.get("invariant_config") or {}).get("resources")
    if resources:
        known = "invalid experiment config policy: "
        conflict = _conflict(read.get("constraints"), resources)
        if conflict is None:
            known += "workspace invariant_config conflicts with global constraints: "
            conflict = _conflict((above or {}).get("constraints"), resources)
        if conflict is not None:
            raise bad(f"{wrapped}{known}{conflict}.")
    return document


# --- calls ---


def _workspace(call: Call) -> WorkspaceRow:
    try:
        return find(call, call.path["workspaceId"])
    except RpcError as error:
        raise RpcError(Code.NOT_FOUND, f"rpc error: code = NotFound desc = {error.message}") from None


def _modifies_global(call: Call) -> None:
    need(call, "MODIFY_GLOBAL_CONFIG_POLICIES", None, status=True)
    if not call.master.rbac and not call.caller.admin:
        raise RpcError(Code.PERMISSION_DENIED, ADMINS)


def _modifies_workspace(call: Call) -> int:
    row = _workspace(call)
    if call.master.rbac:
        need(call, "MODIFY_WORKSPACE_CONFIG_POLICIES", row.id, status=True)
    elif not owner_or_admin(call, row.user_id):
        raise RpcError(Code.PERMISSION_DENIED, "only admins may set config policies for workspaces")
    return row.id


def _get(call: Call, workspace_id: int | None) -> dict[str, t.Any]:
    workload = call.path["workloadType"]
    if workload not in (EXPERIMENT, NTSC):
        text = f"rpc error: code = InvalidArgument desc = invalid workload type: {workload}."
        raise RpcError(Code.INTERNAL, text)
    return {"configPolicies": policy_of(call.master, workspace_id, workload)}


def _delete(call: Call, workspace_id: int | None) -> dict[str, t.Any]:
    workload = call.path["workloadType"]
    if workload not in (EXPERIMENT, NTSC):
        raise bad(f"invalid workload type: {workload}.")
    call.master.config_policies.pop((workspace_id, workload), None)
    return {}


def _put(call: Call, workspace_id: int | None) -> dict[str, t.Any]:
    workload = call.path["workloadType"]
    if workload not in (EXPERIMENT, NTSC):
        raise bad(f"invalid workload type: {workload}")
    above = None if workspace_id is None else policy_of(call.master, None, workload)
    document = _checked(workload, call.body.get("configPolicies", ""), above)
    call.master.config_policies[workspace_id, workload] = document
    return {"configPolicies": document}


@route("GET", GLOBAL)
def get_global(call: Call) -> dict[str, t.Any]:
    """GetGlobalConfigPolicies."""
    need(call, "VIEW_GLOBAL_CONFIG_POLICIES", None, status=True)
    return _get(call, None)


@route("PUT", GLOBAL, body=BODY)
def put_global(call: Call) -> dict[str, t.Any]:
    """PutGlobalConfigPolicies: both sections are replaced, one that is left out is gone."""
    _modifies_global(call)
    return _put(call, None)


@route("DELETE", GLOBAL)
def delete_global(call: Call) -> dict[str, t.Any]:
    """DeleteGlobalConfigPolicies."""
    _modifies_global(call)
    return _delete(call, None)


@route("GET", WORKSPACE)
def get_of_workspace(call: Call) -> dict[str, t.Any]:
    """GetWorkspaceConfigPolicies."""
    row = _workspace(call)
    need(call, "VIEW_WORKSPACE_CONFIG_POLICIES", row.id, status=True)
    return _get(call, row.id)


@route("PUT", WORKSPACE, body=BODY)
def put_of_workspace(call: Call) -> dict[str, t.Any]:
    """PutWorkspaceConfigPolicies; a wrong workload type reaches the database before it is checked."""
    workspace_id, workload = _modifies_workspace(call), call.path["workloadType"]
    if workload not in (EXPERIMENT, NTSC):
        raise RpcError(
            Code.NOT_FOUND,
            f"error retrieving {workload} task config policies for workspace with ID 0: ERROR: invalid input value for enum "
            f'workload_type: "{workload}" (SQLSTATE 22P02)',
        )
    return _put(call, workspace_id)


@route("DELETE", WORKSPACE)
def delete_of_workspace(call: Call) -> dict[str, t.Any]:
    """DeleteWorkspaceConfigPolicies."""
    return _delete(call, _modifies_workspace(call))


# --- what they do to a new experiment ---


def with_invariants(master: Master, workspace_id: int, config: dict[str, t.Any]) -> dict[str, t.Any]:
    """MergeWithInvariantExperimentConfigs: the workspace's invariants over a configuration, the global ones over both.

    Args:
        master: the state.
        workspace_id: where the experiment is created.
        config: decoded, with defaults.

    Raises:
        RpcError: 500, for values that the PUT had not looked at.
    """
    merged = config
    for scope, word in ((workspace_id, "workspace"), (None, "global")):
        invariant = policy_of(master, scope, EXPERIMENT).get("invariant_config")
        if invariant is None:
            continue
        try:
            over = expconf.decode("experiment", invariant, strict=False)
        except expconf.ConfigError as error:
            text = f"error merging invariant experiment configs: error unmarshaling {word} invariant config: {error}"
            raise RpcError(Code.INTERNAL, text) from None
        if any(item["name"] is None and item["action"] is None for item in over["log_policies"] or ()):
            raise RpcError(Code.INTERNAL, PANIC)
        try:
            merged = expconf.merge("experiment", over, merged)
        except expconf.ConfigError as error:
            raise RpcError(Code.INTERNAL, str(error)) from None
    return config if merged is config else t.cast("dict[str, t.Any]", expconf.with_defaults("experiment", merged))


def check_constraints(master: Master, workspace_id: int, resources: dict[str, t.Any]) -> None:
    """CheckExperimentConstraints; the number of slots in its text is the address of a pointer.

    Raises:
        RpcError: 400.
    """
    merged: Policy = {}
    for scope in (workspace_id, None):
        found = policy_of(master, scope, EXPERIMENT).get("constraints") or {}
        merged.update({key: value for key, value in found.items() if value is not None})
    limit, lowest = _limit(merged), merged.get("priority_limit")
    failed = "exceeds limit set by admin [{}]: submitted workload failed a resource constraint"
    if limit is not None:
        for name in ("slots_per_trial", "max_slots"):
            if resources[name] is not None and limit < resources[name]:
                raise bad(f"requested resources.slots [{id(resources)}] {failed.format(limit)}")
            if resources["max_slots"] is not None and limit < resources["max_slots"]:
                raise bad(f"requested resources.max_slots [{resources['max_slots']}] {failed.format(limit)}")
    priority = resources["priority"]
    if lowest is not None and priority is not None and priority < lowest:
        text = f"requested priority [{priority}] exceeds limit set by admin [{lowest}]"
        raise bad(f"{text}: submitted workload failed priority constraint")
