# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The master itself (description, config, log, message), agents and resource pools."""

from __future__ import annotations

import copy
import typing as t
import uuid
from datetime import UTC, datetime, timedelta

from .gateway import (
    Bool,
    Call,
    Code,
    Enum,
    Int32,
    Lines,
    List,
    Message,
    OrderBy,
    RpcError,
    String,
    Timestamp,
    bad,
    page_memory,
    plain,
    route,
    timestamp,
)
from .identity import forbidden, go_duration
from .running import containers, placement, queue_stats
from .state import VERSION, AgentRow, ClusterMessage, Master, SlotRow, nanos

HIDDEN = "********"


def needs(call: Call, permission: str, basic_text: str = "user does not have permission") -> None:
    """Admins under basic authorisation, a global permission under RBAC. Raises RpcError 403."""
    if call.master.rbac:
        if not call.master.can(call.caller, permission):
            raise Master.denied(permission)
    elif not call.caller.admin:
        raise forbidden(basic_text)


# --- the master ---


def message_object(row: ClusterMessage) -> dict[str, t.Any]:
    """The ClusterMessage message."""
    out = {"message": row.message, "startTime": timestamp(row.start), "createdTime": timestamp(row.created)}
    if row.end is not None:
        out["endTime"] = timestamp(row.end)
    return out


@route("GET", "/api/v1/master", auth=False)
def get_master(call: Call) -> dict[str, t.Any]:
    """What the cluster is, without a login."""
    master = call.master
    out = {
        "version": VERSION,
        "masterId": master.master_id,
        "clusterId": master.cluster_id,
        "clusterName": master.config["cluster_name"],
        "telemetryEnabled": False,
        "ssoProviders": [],
        "externalLoginUri": "",
        "externalLogoutUri": "",
        "branding": "determined",
        "rbacEnabled": master.rbac_enabled,
        "product": "PRODUCT_UNSPECIFIED",
        "featureSwitches": [],
        "userManagementEnabled": True,
        "strictJobQueueControl": master.config["security"]["authz"]["strict_job_queue_control"],
        "hasCustomLogo": False,
    }
    row, now = master.cluster_message, master.now()
    if row is not None and row.start < now and (row.end is None or row.end > now):
        out["clusterMessage"] = message_object(row)
    return out


def info(master: Master) -> dict[str, t.Any]:
    """``GET /info``, outside the API."""
    return {
        "version": VERSION,
        "master_id": master.master_id,
        "cluster_id": master.cluster_id,
        "cluster_name": master.config["cluster_name"],
        "telemetry": {"enabled": False, "otel_enabled": False, "otel_endpoint": ""},
        "sso_providers": None,
    }


def health(_master: Master) -> dict[str, t.Any]:
    """``GET /health``, outside the API."""
    return {"status": "up", "database": "up", "resource_managers": [{"cluster_name": "default", "status": "up"}]}


@route("GET", "/api/v1/master/telemetry", auth=False)
def get_telemetry(_call: Call) -> dict[str, t.Any]:
    """Whether telemetry is on."""
    return {"enabled": False, "segmentKey": ""}


def printable(config: dict[str, t.Any]) -> dict[str, t.Any]:
    """The config as the master shows it: some secrets masked, others left in clear (config.go, Printable)."""
    out = copy.deepcopy(config)
    out["db"]["password"] = HIDDEN
    out["security"]["initial_user_password"] = HIDDEN
    storage = out["checkpoint_storage"]
    for key in ("access_key", "secret_key"):
        if storage.get(key):
            storage[key] = HIDDEN
    registry = out["task_container_defaults"].get("registry_auth")
    if registry:
        registry["password"] = HIDDEN
    return out


@route("GET", "/api/v1/master/config")
def get_master_config(call: Call) -> dict[str, t.Any]:
    """The effective config."""
    needs(call, "VIEW_MASTER_CONFIG")
    return {"config": printable(call.master.config)}


LEVELS = ("UNSPECIFIED", "TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LEVEL = Enum(
    "logv1.LogLevel",
    *(f"LOG_LEVEL_{name}" for name in LEVELS),
    proto_name="determined.log.v1.LogLevel",
)
LOG_CONFIG = Message({"level": LEVEL, "color": Bool})


@route(
    "PATCH",
    "/api/v1/master/config",
    body=Message(
        {
            "config": Message({"log": LOG_CONFIG}),
            "fieldMask": Message({"paths": List(String)}),
        }
    ),
)
def patch_master_config(call: Call) -> dict[str, t.Any]:
    """Answers 200 and changes nothing, as release 0.38.1 does; other paths panic."""
    needs(call, "UPDATE_MASTER_CONFIG")
    for path in call.body.get("fieldMask", {}).get("paths", ()):
        if path not in ("log.level", "log.color"):
            raise RpcError(Code.INTERNAL, f"unsupported or invalid field: {path}")
    return {}


@route("GET", "/api/v1/master/logs", query={"offset": Int32, "limit": Int32, "follow": Bool}, stream=True)
def master_logs(call: Call) -> Lines:
    """The master's log; its first entry is the config."""
    offset, limit, lines = call.query.get("offset", 0), call.query.get("limit", 0), call.master.log_lines
    if limit < 0:
        raise bad("Limit must be >= 0")
    if call.master.rbac and not call.master.can(call.caller, "VIEW_MASTER_LOGS"):
        raise forbidden(Master.denied("VIEW_MASTER_LOGS").message)
    start = max(0, len(lines) + offset) if offset < 0 else offset
    stop = len(lines) if limit == 0 else start + limit
    return Lines(
        [
            {"logEntry": {"id": number, "message": text, "timestamp": nanos(when), "level": level}}
            for number, (when, level, text) in list(enumerate(lines))[start:stop]
        ]
    )


@route("GET", "/api/v1/master/cluster_message")
def get_cluster_message(call: Call) -> dict[str, t.Any]:
    """The message that is shown now or will be."""
    needs(call, "UPDATE_MASTER_CONFIG")
    row = call.master.cluster_message
    if row is None or (row.end is not None and row.end <= call.master.now()):
        return {}
    return {"clusterMessage": message_object(row)}


@route(
    "PUT",
    "/api/v1/master/cluster_message",
    body=Message(
        {
            "message": String,
            "startTime": Timestamp,
            "endTime": Timestamp,
            "duration": String,
        }
    ),
)
def set_cluster_message(call: Call) -> dict[str, t.Any]:
    """Replace the message; without a start it began in 1970."""
    needs(call, "UPDATE_MASTER_CONFIG")
    body, now = call.body, call.master.now()
    text, start, end = (
        body.get("message", ""),
        body.get("startTime", datetime(1970, 1, 1, tzinfo=UTC)),
        body.get("endTime"),
    )
    if end is not None and "duration" in body:
        raise bad("EndTime and Duration are mutually exclusive")
    if "duration" in body:
        try:
            length = go_duration(body["duration"])
        except ValueError:
            length = -1
        if length < 0:
            raise bad("Duration must be a Go-formatted duration string with a positive value")
        end = start + timedelta(microseconds=length // 1000)
    if len(text) > 250:
        raise bad(f"invalid input: message must be at most 250 characters; got {len(text)}")
    if end is not None and end < start:
        raise bad("invalid input, end time must be after start time")
    if end is not None and end < now:
        raise bad("invalid input, end time must be after current time")
    call.master.cluster_message = ClusterMessage(text, start, end, now)
    return {}


@route("DELETE", "/api/v1/master/cluster_message")
def delete_cluster_message(call: Call) -> dict[str, t.Any]:
    """Take the message down; fine when there is none."""
    needs(call, "UPDATE_MASTER_CONFIG")
    call.master.cluster_message = None
    return {}


# --- agents ---

Container = dict[str, t.Any]


def mask_container(container: Container) -> Container:
    """A container without what tells whose it is."""
    devices = [{**device, "id": -1, "uuid": HIDDEN} for device in container["devices"]]
    return {**container, "id": HIDDEN, "parent": HIDDEN, "permissionDenied": True, "devices": devices}


def slot_object(slot: SlotRow, container: Container | None, *, masked: bool) -> dict[str, t.Any]:
    """The Slot message; without the right to see them device and container ids are hidden."""
    if container is not None and masked:
        container = mask_container(container)
    device = {
        "id": -1 if masked else slot.id,
        "brand": slot.brand,
        "uuid": HIDDEN if masked else slot.uuid,
        "type": slot.type,
    }
    return {
        "id": str(slot.id),
        "device": device,
        "enabled": slot.enabled,
        "container": container,
        "draining": slot.draining,
    }


def device_stats(slots: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    """The DeviceStats message of Slot messages."""
    states: dict[str, int] = {}
    for slot in slots:
        if slot["container"] is not None:
            states[slot["container"]["state"]] = states.get(slot["container"]["state"], 0) + 1
    return {
        "states": states,
        "draining": sum(slot["draining"] for slot in slots),
        "disabled": sum(not slot["enabled"] for slot in slots),
        "total": len(slots),
    }


def slots_of(master: Master, row: AgentRow, *, masked: bool) -> list[dict[str, t.Any]]:
    """The Slot messages of an agent, sorted by id as text."""
    held = containers(master, row)
    slots = sorted(row.slots.values(), key=lambda slot: str(slot.id))
    return [slot_object(slot, held.get(slot.id), masked=masked) for slot in slots]


def agent_object(master: Master, row: AgentRow, *, masked: bool = False) -> dict[str, t.Any]:
    """The Agent message; masked, slots and containers come under made-up keys."""
    slots = slots_of(master, row, masked=masked)
    stats: dict[str, dict[str, t.Any]] = {"typeStats": {}, "brandStats": {}}
    for name, field in (("typeStats", "type"), ("brandStats", "brand")):
        for key in sorted({slot["device"][field] for slot in slots}):
            stats[name][key] = device_stats([slot for slot in slots if slot["device"][field] == key])
    if masked:
        slots = [{**slot, "id": f"{number:03d}"} for number, slot in enumerate(slots)]
    shown = {container["id"]: container for container in containers(master, row).values()}
    if masked:
        shown = {str(uuid.uuid4()): mask_container(container) for container in shown.values()}
    return {
        "id": row.id,
        "registeredTime": timestamp(row.registered),
        "slots": {slot["id"] if masked else f"/agents/{row.id}/slots/{slot['id']}": slot for slot in slots},
        "containers": shown,
        "addresses": [HIDDEN if masked else row.address],
        "enabled": row.enabled,
        "draining": row.draining,
        "version": VERSION,
        "resourcePools": [row.resource_pool],
        "slotStats": stats,
    }


def masked_for(call: Call) -> bool:
    """Whether agent details are hidden from the caller."""
    return call.master.rbac and not call.master.can(call.caller, "VIEW_SENSITIVE_AGENT_INFO")


def agent_or_404(call: Call) -> AgentRow:
    """The agent of the path. Raises RpcError 404."""
    row = call.master.agents.get(call.path["agentId"])
    if row is None:
        raise call.master.not_found("agent", call.path["agentId"])
    return row


@route(
    "GET",
    "/api/v1/agents",
    query={
        "sortBy": Enum("apiv1.GetAgentsRequest_SortBy", "SORT_BY_UNSPECIFIED", "SORT_BY_ID", "SORT_BY_TIME"),
        "orderBy": OrderBy,
        "offset": Int32,
        "limit": Int32,
        "excludeSlots": Bool,
        "excludeContainers": Bool,
    },
)
def get_agents(call: Call) -> dict[str, t.Any]:
    """The agents, by id or by registration."""
    rows = sorted(call.master.agents.values(), key=lambda row: row.id)
    down = call.query.get("orderBy") == "ORDER_BY_DESC"
    if call.query.get("sortBy") == "SORT_BY_TIME":
        rows.sort(key=lambda row: row.registered, reverse=down)
    elif down:
        rows.reverse()
    shown = [agent_object(call.master, row, masked=masked_for(call)) for row in rows]
    if call.query.get("excludeSlots"):
        shown = [{**agent, "slots": {}} for agent in shown]
    if call.query.get("excludeContainers"):
        shown = [{**agent, "containers": {}} for agent in shown]
    page, pagination = page_memory(shown, call)
    return {"agents": page, "pagination": pagination}


@route("GET", "/api/v1/agents/{agentId}")
def get_agent(call: Call) -> dict[str, t.Any]:
    """One agent."""
    return {"agent": agent_object(call.master, agent_or_404(call), masked=masked_for(call))}


@route("GET", "/api/v1/agents/{agentId}/slots")
def get_slots(call: Call) -> dict[str, t.Any]:
    """The slots of an agent."""
    return {"slots": slots_of(call.master, agent_or_404(call), masked=masked_for(call))}


@route("GET", "/api/v1/agents/{agentId}/slots/{slotId}")
def get_slot(call: Call) -> dict[str, t.Any]:
    """One slot; ``00`` is slot 0."""
    key = call.path["slotId"]
    if not key.isascii() or not key.isdigit():
        raise plain(f"invalid slot id: {key}")
    row = agent_or_404(call)
    slot = row.slots.get(int(key))
    if slot is None:
        raise plain(f"bad updateSlotDeviceView on device: {int(key)} ({row.id}): not found")
    held = containers(call.master, row)
    return {"slot": slot_object(slot, held.get(slot.id), masked=masked_for(call))}


def set_agent(call: Call, *, enabled: bool, draining: bool) -> dict[str, t.Any]:
    """Enable or disable an agent with all its slots; the right is judged before existence."""
    needs(call, "UPDATE_AGENTS", "rpc error: code = PermissionDenied desc = user does not have permission")
    row = agent_or_404(call)
    parts: list[AgentRow | SlotRow] = [row, *row.slots.values()]
    for part in parts:
        part.enabled, part.draining = enabled, draining
    return {"agent": agent_object(call.master, row)}


@route("POST", "/api/v1/agents/{agentId}/enable")
def enable_agent(call: Call) -> dict[str, t.Any]:
    """Enable an agent."""
    return set_agent(call, enabled=True, draining=False)


@route("POST", "/api/v1/agents/{agentId}/disable", body=Message({"agentId": String, "drain": Bool}))
def disable_agent(call: Call) -> dict[str, t.Any]:
    """Disable an agent, draining it or at once."""
    return set_agent(call, enabled=False, draining=call.body.get("drain", False))


# --- resource pools ---

NO_POOL = {
    "description": "",
    "type": "RESOURCE_POOL_TYPE_STATIC",
    "preemptible": False,
    "minAgents": 0,
    "maxAgents": 0,
    "slotsPerAgent": -1,
    "auxContainerCapacityPerAgent": 100,
    "schedulerType": "SCHEDULER_TYPE_PRIORITY",
    "schedulerFittingPolicy": "FITTING_POLICY_BEST",
    "location": "on-prem",
    "imageId": "",
    "instanceType": "",
    "masterUrl": "",
    "masterCertName": "",
    "startupScript": "",
    "containerStartupScript": "",
    "agentDockerNetwork": "",
    "agentDockerRuntime": "",
    "agentDockerImage": "",
    "agentFluentImage": "",
    "maxIdleAgentPeriod": 0,
    "maxAgentStartingPeriod": 0,
    "details": {
        "aws": None,
        "gcp": None,
        "priorityScheduler": {"preemption": False, "defaultPriority": 42, "k8Priorities": []},
    },
    "accelerator": "",
    "resourceManagerMetadata": {},
    "clusterName": "default",
}


def pool_object(master: Master, name: str) -> dict[str, t.Any]:
    """The ResourcePool message."""
    manager = master.config["resource_manager"]
    agents = [agent for agent in master.agents.values() if agent.resource_pool == name]
    slots = [slot for agent in agents for slot in agent.slots.values()]
    return {
        **NO_POOL,
        **master.resource_pools[name],
        "name": name,
        "numAgents": len(agents),
        "slotsAvailable": sum(slot.enabled for slot in slots),
        "slotsUsed": len(placement(master, name)),
        "slotType": slots[0].type if slots else "TYPE_UNSPECIFIED",
        "auxContainerCapacity": 100 * len(agents),
        "auxContainersRunning": 0,
        "defaultComputePool": name == manager["default_compute_resource_pool"],
        "defaultAuxPool": name == manager["default_aux_resource_pool"],
        "stats": queue_stats(master, name),
    }


@route("GET", "/api/v1/resource-pools", query={"offset": Int32, "limit": Int32, "unbound": Bool})
def get_resource_pools(call: Call) -> dict[str, t.Any]:
    """The pools by name; under RBAC those that are unbound or bound to a visible workspace."""
    master, names = call.master, sorted(call.master.resource_pools)
    if master.rbac:
        everywhere, where = master.permitted(call.caller, "VIEW_WORKSPACE")
        names = [
            name
            for name in names
            if everywhere or not master.pool_bindings.get(name) or where & set(master.pool_bindings[name])
        ]
    if call.query.get("unbound"):
        names = [name for name in names if not master.pool_bindings.get(name)]
    page, pagination = page_memory(names, call)
    return {"resourcePools": [pool_object(master, name) for name in page], "pagination": pagination}
