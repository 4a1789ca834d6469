# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated cluster on which almost every control fails."""

from __future__ import annotations

import json
import typing as t
from datetime import timedelta

from tests.simulator import Simulator
from tests.simulator.cluster import printable
from tests.simulator.fixtures import ROLE_IDS
from tests.simulator.ml_state import CheckpointRow, TemplateRow
from tests.simulator.state import (
    ACCESS_TOKEN,
    AgentRow,
    AgentUserGroup,
    GroupRow,
    UserRow,
    hash_password,
    stored_password,
)
from tests.simulator.webhooks import WebhookRow

from . import plant
from .conftest import PASSWORD, Auditor

PARAMETERS: dict[str, t.Any] = {
    "allowed_registries": ["registry.example.com"],
    "allowed_webhook_hosts": ["hooks.example.com"],
    "allowed_storage_paths": ["/nowhere"],
    "allowed_open_pools": [],
    "allowed_bind_mounts": [],
    "allowed_role_holders": [],
    "service_users": [],
    "break_glass_users": [],
    "minimum_version": "9.9",
    "required_labels": ["team"],
    "archived_checkpoint_gib": 1,
    "checkpoint_budget_gib": 1,
    "min_admins": 0,
    "max_admins": 0,
}
"""Under which nothing is good enough."""

BAD: dict[str, t.Any] = {
    "environment": {
        "image": "evil.example/train:latest",
        "environment_variables": ["DB_PASSWORD=CANARY-hunter2"],
        "proxy_ports": [{"proxy_port": 8000, "unauthenticated": True}],
    },
    "bind_mounts": [{"host_path": "/etc", "container_path": "/host"}],
}

GIB = 1 << 30


def person(
    sim: Simulator, name: str, role: str | None = None, workspace: int | None = None, **fields: t.Any
) -> UserRow:
    """An active user that has just logged in, with a role of its own."""
    login = {"active": True, "last_auth_at": sim.master.now(), "password": stored_password(hash_password(PASSWORD))}
    row = sim.master.add_user(name, **{**login, **fields})
    if role is not None:
        sim.master.role_assignments[row.personal_group, ROLE_IDS[role], workspace] = None
    return t.cast(UserRow, row)


def spoil(sim: Simulator) -> Auditor:
    """Spoil a fresh cluster.

    :returns: its administrator.
    """
    config = sim.master.config
    config["security"]["token"]["max_lifespan_days"] = 3650
    config["enable_cors"] = True
    config["telemetry"].update(otel_enabled=True, otel_endpoint="otel.example.com:4317")
    config["db"].update(host="db.internal", ssl_mode="disable")
    config["oidc"].update(enabled=True, provider="Okta", idp_recipient_url="https://det.example.com")
    config["checkpoint_storage"] = {"type": "s3", "bucket": "all", "secret_key": "CANARY-storage"}
    image = dict.fromkeys(("cpu", "cuda", "rocm"), "ubuntu")
    config["task_container_defaults"]["image"] = image
    secret = {"registry_auth": {"username": "ci", "password": "CANARY-registry"}}
    config["resource_pools"] = [{"pool_name": "default", "task_container_defaults": secret}]
    # As it says at its start.
    when, level, _text = sim.master.log_lines[0]
    sim.master.log_lines[0] = (when, level, f"master configuration: {json.dumps(printable(config))}")
    auditor = person(sim, "auditor", "ClusterAdmin", admin=True)
    boss = person(sim, "boss", admin=True, agent=AgentUserGroup(0, 0, "root", "root"))
    shadow = person(sim, "shadow")
    gone = person(sim, "gone", active=False)
    person(sim, "dormant", last_auth_at=sim.master.now() - timedelta(days=90))
    group = GroupRow(sim.master.next_id("groups"), "bosses", members={boss.id: None, shadow.id: None})
    sim.master.groups[group.id] = group
    sim.master.role_assignments[group.id, ROLE_IDS["ClusterAdmin"], None] = None
    old = sim.master.now() - timedelta(days=70)
    for owner in (boss, gone, shadow):
        sim.master.add_session(owner, ACCESS_TOKEN, timedelta(days=400), description="", created=old)
    _work(sim, boss, gone)
    _pools_and_agents(sim)
    return Auditor(sim, auditor.username, PASSWORD)


def _work(sim: Simulator, boss: UserRow, gone: UserRow) -> None:
    master, now = sim.master, sim.master.now()
    project = plant.project(sim)
    workspace = master.workspaces[master.projects[project].workspace_id]
    workspace.user_id = master.projects[project].user_id = gone.id
    workspace.checkpoint_storage = {"type": "shared_fs", "host_path": "/srv"}
    for key in [one for one in master.role_assignments if one[1] == ROLE_IDS["WorkspaceAdmin"]]:
        del master.role_assignments[key]
    for owner in ("boss", "gone"):
        plant.experiment(sim, BAD, "RUNNING", 30, owner, project)
    plant.experiment(sim, {"retention_policy": {"log_retention_days": 1}}, "DELETE_FAILED", 3, "gone", project)
    plant.experiment(sim, {}, "COMPLETED", 3, "boss", project, archived=True, size=10 * GIB)
    paused = plant.experiment(sim, {}, "PAUSED", 90, "boss", project)
    trial = master.trials[paused.trial_ids[0]]
    trial.released = now - timedelta(days=60)
    for kind, hours in (("command", 1), ("notebook", 100)):
        plant.task(sim, kind, hours, {"environment": BAD["environment"]}, owner_id=boss.id)
    master.templates["bad"] = TemplateRow("bad", {**BAD, "no_such_key": 1}, 1)
    uuid = "00000000-0000-4000-8000-000000000001"
    master.checkpoints[uuid] = CheckpointRow(
        uuid, trial.id, paused.id, trial.task_id, now, {"a": 1}, {"steps_completed": 1}
    )
    trial.checkpoint_uuids.append(uuid)
    plant.call(sim, "POST", "/models", {"name": "bad"})
    plant.call(sim, "POST", "/models/bad/versions", {"checkpointUuid": uuid})
    master.checkpoints[uuid].state = "DELETED"
    number = master.next_id("webhooks")
    hook = ("http://evil.example/x", "WEBHOOK_TYPE_DEFAULT", "WEBHOOK_MODE_WORKSPACE", workspace.id, [])
    master.webhooks[number] = WebhookRow(number, "bad", *hook)


def _pools_and_agents(sim: Simulator) -> None:
    none = {"aws": None, "gcp": None, "priorityScheduler": None}
    cloud = {"type": "RESOURCE_POOL_TYPE_AWS", "details": {**none, "aws": {"publicIp": True}}}
    sim.master.resource_pools["cloud"] = cloud
    sim.master.agents["old"] = AgentRow("old", "default", sim.master.now(), "10.0.0.7", version="0.1.0")
