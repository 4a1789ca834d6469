# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The master itself (description, config, log, message) and resource pools."""

from __future__ import annotations

import copy
import typing as t
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
    RpcError,
    String,
    Timestamp,
    bad,
    page_memory,
    route,
    timestamp,
)
from .identity import forbidden, go_duration
from .running import placement, queue_stats
from .state import VERSION, ClusterMessage, Master, nanos

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


def sso_providers(config: dict[str, t.Any]) -> list[tuple[str, str, str, bool]]:
    """Type, name, address and redirection of what logs people in (master/internal/plugin/sso/sso.go)."""
    saml, oidc, cloud = config["saml"], config["oidc"], config["det_cloud"]
    found = []
    if saml["enabled"]:
        found.append(
            ("SAML", saml["provider"], f"{saml['idp_recipient_url']}/saml/initiate", bool(saml.get("always_redirect")))
        )
    if oidc["enabled"]:
        found.append(
            ("OIDC", oidc["provider"] or "SSO", f"{oidc['idp_recipient_url']}/oidc/sso", oidc["always_redirect"])
        )
    if cloud["enabled"]:
        found.append(("DetCloud", "det-cloud", cloud["login_url"], cloud["always_redirect"]))
    return found


@route("GET", "/api/v1/master", auth=False)
def get_master(call: Call) -> dict[str, t.Any]:
    """What the cluster is, without a login."""
    master = call.master
    telemetry = master.config["telemetry"]
    out = {
        "version": VERSION,
        "masterId": master.master_id,
        "clusterId": master.cluster_id,
        "clusterName": master.config["cluster_name"],
        "telemetryEnabled": bool(telemetry["enabled"] and telemetry["segment_webui_key"]),
        "ssoProviders": [
            {"name": name, "ssoUrl": url, "type": kind, "alwaysRedirect": redirects}
            for kind, name, url, redirects in sso_providers(master.config)
        ],
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
        "sso_providers": [
            {"sso_url": url, "name": name, "type": kind, "always_redirect": redirects}
            for kind, name, url, redirects in sso_providers(master.config)
        ]
        or None,
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
    for key in ("segment_master_key", "segment_webui_key"):
        if out["telemetry"][key]:
            out["telemetry"][key] = HIDDEN
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
    """The master's log; its first entry is the config. Ids count all entries ever written (master/pkg/logger/log_buffer.go)."""
    offset, limit, lines = call.query.get("offset", 0), call.query.get("limit", 0), call.master.log_lines
    gone = call.master.log_gone
    if limit < 0:
        raise bad("Limit must be >= 0")
    if call.master.rbac and not call.master.can(call.caller, "VIEW_MASTER_LOGS"):
        raise forbidden(Master.denied("VIEW_MASTER_LOGS").message)
    start = max(0, len(lines) + offset if offset < 0 else offset - gone)
    stop = len(lines) if limit == 0 else start + limit
    return Lines(
        [
            {"logEntry": {"id": number, "message": text, "timestamp": nanos(when), "level": level}}
            for number, (when, level, text) in list(enumerate(lines, gone))[start:stop]
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
