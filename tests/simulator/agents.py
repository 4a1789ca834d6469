# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Agents and their slots (master/internal/api_agents.go, master/internal/rm/agentrm/agent.go)."""

from __future__ import annotations

import typing as t
import uuid

from .cluster import HIDDEN, needs
from .gateway import Bool, Call, Enum, Int32, Message, OrderBy, String, page_memory, plain, route, timestamp
from .running import containers, placement
from .state import AgentRow, Master, SlotRow

Container = dict[str, t.Any]


def mask_container(container: Container) -> Container:
    """A container without what tells whose it is."""
    devices = [{**device, "id": -1, "uuid": HIDDEN} for device in container["devices"]]
    return {**container, "id": HIDDEN, "parent": HIDDEN, "permissionDenied": True, "devices": devices}


def slot_object(slot: SlotRow, container: Container | None, *, masked: bool, away: bool = False) -> dict[str, t.Any]:
    """The Slot message; without the right to see them device and container ids are hidden. Of an agent without a connection
    all slots read as drained."""
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
        "enabled": slot.enabled and not away,
        "container": container,
        "draining": slot.draining or away,
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
    return [slot_object(slot, held.get(slot.id), masked=masked, away=row.link == "down") for slot in slots]


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
    if row.link == "new":
        slots, stats, shown = [], {"typeStats": {}, "brandStats": {}}, {}
    if masked:
        shown = {str(uuid.uuid4()): mask_container(container) for container in shown.values()}
    return {
        "id": row.id,
        "registeredTime": timestamp(row.registered),
        "slots": {slot["id"] if masked else f"/agents/{row.id}/slots/{slot['id']}": slot for slot in slots},
        "containers": shown,
        "addresses": [HIDDEN if masked else "" if row.link == "new" else row.address],
        "enabled": row.link == "new" or (row.enabled and row.link == "up"),
        "draining": row.link != "new" and (row.draining or row.link == "down"),
        "version": row.version,
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


def slot_or_500(call: Call) -> tuple[AgentRow, SlotRow]:
    """The slot of the path. Raises RpcError 404 for an unknown agent, 500 for a slot."""
    key = call.path["slotId"]
    if not key.isascii() or not key.isdigit():
        raise plain(f"invalid slot id: {key}")
    row = agent_or_404(call)
    slot = row.slots.get(int(key))
    if slot is None:
        raise plain(f"bad updateSlotDeviceView on device: {int(key)} ({row.id}): not found")
    return row, slot


def shown_slot(call: Call, row: AgentRow, slot: SlotRow, *, masked: bool = False) -> dict[str, t.Any]:
    """The Slot message of one slot."""
    held = containers(call.master, row)
    return slot_object(slot, held.get(slot.id), masked=masked, away=row.link == "down")


@route("GET", "/api/v1/agents/{agentId}/slots/{slotId}")
def get_slot(call: Call) -> dict[str, t.Any]:
    """One slot; ``00`` is slot 0."""
    row, slot = slot_or_500(call)
    return {"slot": shown_slot(call, row, slot, masked=masked_for(call))}


# --- writes ---


def evict(call: Call, row: AgentRow, slots: set[int], *, aux: bool) -> None:
    """Kill what holds some of an agent's slots, and with ``aux`` what is on it without any.

    A task has then ended as if by itself, an experiment's trial waits to be started again.
    """
    placement(call.master, row.resource_pool)
    jobs = {job for slot, job in row.held.items() if slot in slots} | (set(row.aux) if aux else set())
    for task in call.master.tasks.values():
        if task.job_id in jobs and task.ended is None:
            task.finish(call.master.now())
    for experiment in call.master.experiments.values():
        if experiment.job_id in jobs:
            experiment.allocation = "QUEUED"


def may_update(call: Call) -> None:
    """The right to change agents and slots, which is judged before existence."""
    needs(call, "UPDATE_AGENTS", "rpc error: code = PermissionDenied desc = user does not have permission")


def set_agent(call: Call, *, enabled: bool, draining: bool) -> dict[str, t.Any]:
    """Enable or disable an agent with all its slots."""
    may_update(call)
    row = agent_or_404(call)
    if row.link == "down":
        raise plain("agent disconnected, wait for recovery")
    if row.link == "new":
        raise plain(f"can't {'enable' if enabled else 'disable'} agent: agent not started")
    if enabled or draining:
        placement(call.master, row.resource_pool)
    else:
        evict(call, row, set(row.slots), aux=True)
    row.enabled, row.draining = enabled, draining
    for slot in row.slots.values():
        slot.enabled, slot.draining = enabled and not row.stuck, draining
    return {"agent": agent_object(call.master, row)}


@route("POST", "/api/v1/agents/{agentId}/enable")
def enable_agent(call: Call) -> dict[str, t.Any]:
    """Enable an agent."""
    return set_agent(call, enabled=True, draining=False)


@route("POST", "/api/v1/agents/{agentId}/disable", body=Message({"agentId": String, "drain": Bool}))
def disable_agent(call: Call) -> dict[str, t.Any]:
    """Disable an agent, draining it or at once."""
    return set_agent(call, enabled=False, draining=call.body.get("drain", False))


@route("POST", "/api/v1/agents/{agentId}/slots/{slotId}/enable")
def enable_slot(call: Call) -> dict[str, t.Any]:
    """Enable a slot, on a disabled agent too; a slot that drains goes on saying so."""
    may_update(call)
    row, slot = slot_or_500(call)
    slot.enabled = not row.stuck
    return {"slot": shown_slot(call, row, slot)}


@route(
    "POST",
    "/api/v1/agents/{agentId}/slots/{slotId}/disable",
    body=Message({"agentId": String, "slotId": String, "drain": Bool}),
)
def disable_slot(call: Call) -> dict[str, t.Any]:
    """Disable a slot; without a drain the whole task that holds it is killed."""
    may_update(call)
    row, slot = slot_or_500(call)
    drain = call.body.get("drain", False)
    if not drain:
        evict(call, row, {slot.id}, aux=False)
    slot.enabled, slot.draining = False, drain
    return {"slot": shown_slot(call, row, slot)}
