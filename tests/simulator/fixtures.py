# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a simulated master starts with: ``empty`` (a fresh install), ``demo`` (a small lab), ``large`` (for benchmarks).

Everything that reads like a secret says CANARY, so that a test can look for it where it must not appear.
"""

from __future__ import annotations

import copy
import json
import pickle
import random
import time
import typing as t
from datetime import timedelta
from pathlib import Path

from .cluster import printable
from .ml_fixtures import populate_ml
from .permissions import ROLE_NAMES
from .state import (
    ACCESS_TOKEN,
    NO_PASSWORD_LOGIN,
    VERSION,
    AgentRow,
    AgentUserGroup,
    GroupRow,
    Master,
    SlotRow,
    hash_password,
    stored_password,
)
from .tasks import demo_tasks
from .usage import demo_usage
from .webhooks import demo_webhooks

FIXTURES = ("empty", "demo", "large")
INITIAL_PASSWORD = "Passw0rd-demo"
LARGE_USERS = 10_000
SEED = 20260101
# What a fresh master of our own, with a canary for a signing key, answered to GET /master/config; hosts and folders renamed.
CONFIG: dict[str, t.Any] = json.loads((Path(__file__).parent / "master_config.json").read_text(encoding="utf-8"))
ROLE_IDS = {name: key for key, name in ROLE_NAMES.items()}

# username, display name, then what differs from an active local user: flags, agent group
DEMO_USERS: tuple[tuple[str, str | None, dict[str, t.Any]], ...] = (
    ("ada.brandt", "Ada Brandt", {"admin": True}),
    ("bjarne.holm", "Bjarne Holm", {"agent": AgentUserGroup(2001, 3000, "bholm", "research")}),
    ("carla.mendes", "Carla Mendes", {"agent": AgentUserGroup(2002, 3000, "cmendes", "research")}),
    ("deniz.kaya", "Deniz Kaya", {"active": False}),
    ("elif.aydin", "Elif Aydin", {"remote": True}),
    ("farid.noor", "Farid Noor", {"remote": True, "agent": AgentUserGroup(2005, 3100, "fnoor", "vision")}),
    ("grace.lindqvist", "Grace Lindqvist", {}),
    ("hugo.martin", None, {}),
    ("ines.costa", "Ines Costa", {"active": False, "remote": True}),
    ("jonas.weber", "Jonas Weber", {"agent": AgentUserGroup(2009, 3100, "jweber", "vision")}),
    ("svc-gitops", "GitOps service", {"admin": True}),
    ("svc-nightly", "Nightly training", {}),
)
DEMO_GROUPS = {
    "research": ("bjarne.holm", "carla.mendes"),
    "vision": ("farid.noor", "jonas.weber"),
    "contractors": ("hugo.martin",),
}
DEMO_ROLES = (
    ("user", "ada.brandt", "ClusterAdmin"),
    ("user", "svc-gitops", "ClusterAdmin"),
    ("user", "grace.lindqvist", "Viewer"),
    ("user", "svc-nightly", "TokenCreator"),
    ("user", "bjarne.holm", "WorkspaceCreator"),
    ("group", "research", "Editor"),
    ("group", "vision", "Editor"),
)


_filled: dict[tuple[str, str, str], tuple[float, bytes]] = {}
"""By what distinguishes them: when a master was filled, in seconds, and its copy."""


def filled(authz: str, fixture: str, initial_password: str = INITIAL_PASSWORD) -> Master:
    """A master with a fixture; tests start thousands, so a small one is a copy of one filled in the same minute.

    Args:
        authz: one of AUTHZ_MODES.
        fixture: one of FIXTURES.
        initial_password: as of `build`.

    Raises:
        ValueError: for an unknown mode or fixture.
    """
    key = (authz, fixture, initial_password)
    since, copied = _filled.get(key, (0.0, b""))
    if not copied or time.monotonic() - since > 60:
        master = Master(authz)
        build(master, fixture, initial_password)
        if fixture != "large":
            _filled[key] = (time.monotonic(), pickle.dumps(master))
        return master
    master = pickle.loads(copied)
    master.identify()
    return master


def build(master: Master, fixture: str, initial_password: str = INITIAL_PASSWORD) -> None:
    """Fill an empty master.

    Args:
        master: the state to fill.
        fixture: one of FIXTURES.
        initial_password: of ``admin`` and ``determined``; blank gives them blank passwords.

    Raises:
        ValueError: for an unknown fixture.
    """
    if fixture not in FIXTURES:
        raise ValueError(f"a fixture is one of {', '.join(FIXTURES)}, not {fixture!r}")
    master.config = copy.deepcopy(CONFIG)
    master.config["security"]["authz"]["type"] = master.authz
    master.config["security"]["initial_user_password"] = initial_password
    master.config["db"]["password"] = "CANARY-database-password"
    master.resource_pools["default"] = {}
    digest = hash_password(initial_password)
    admin = master.add_user("admin", admin=True, active=True, password=stored_password(digest))
    master.add_user("determined", active=True, password=stored_password(digest))
    master.role_assignments[(admin.personal_group, ROLE_IDS["ClusterAdmin"], None)] = None
    for _burnt in range(2):
        master.next_id("groups")  # as the migrations of a fresh install leave the sequence
    if fixture == "demo":
        demo_cluster(master)
        demo_people(master, stored_password(digest))
    elif fixture == "large":
        large_people(master)
    populate_ml(master, fixture)
    if fixture == "demo":
        demo_tasks(master)
        demo_usage(master)
        demo_webhooks(master)
    now = master.now()
    config = json.dumps(printable(master.config), separators=(",", ":"))
    for text in (
        f"master configuration: {config}",
        f"Determined master {VERSION} (built with go1.22.0)",
        "connecting to database",
        "accepting incoming connections",
    ):
        master.log_lines.append((now, "LOG_LEVEL_INFO", text))


def demo_cluster(master: Master) -> None:
    """Two pools with agents, and a config with secrets in every place that the real master leaves readable."""
    config, now = master.config, master.now()
    config["cluster_name"] = "demo"
    config["oidc"].update(
        enabled=True,
        provider="Okta",
        client_id="determined-demo",
        client_secret="CANARY-oidc-client-secret",
        idp_recipient_url="https://det.example.com",
        idp_sso_url="https://sso.example.com",
    )
    config["scim"] = {
        "enabled": True,
        "auth": {"type": "basic", "username": "scim", "password": "CANARY-scim-password"},
    }
    config["checkpoint_storage"] = {
        "type": "s3",
        "bucket": "demo-checkpoints",
        "access_key": "CANARY-s3-access-key",
        "secret_key": "CANARY-s3-secret-key",
        "endpoint_url": None,
        "prefix": None,
        "save_experiment_best": None,
        "save_trial_best": None,
        "save_trial_latest": None,
    }
    config["task_container_defaults"].update(
        environment_variables={"cpu": ["WANDB_API_KEY=CANARY-wandb-key"], "cuda": [], "rocm": []},
        registry_auth={
            "username": "puller",
            "password": "CANARY-registry-password",
            "serveraddress": "registry.example.com",
            "auth": "",
            "email": "",
            "identitytoken": "",
            "registrytoken": "",
        },
        startup_hook="export HTTPS_PROXY=http://proxy:CANARY-proxy-password@proxy.example.com:3128",
    )
    gpu = copy.deepcopy(config["resource_pools"][0])
    gpu.update(
        pool_name="gpu",
        description="A100 nodes",
        task_container_defaults={
            "environment_variables": {"cuda": ["HF_TOKEN=CANARY-hf-token"], "cpu": [], "rocm": []}
        },
    )
    config["resource_pools"].append(gpu)
    master.resource_pools["gpu"] = {"description": "A100 nodes"}
    for name, pool, slots in (
        ("cpu-node-1", "default", 0),
        ("gpu-node-1", "default", 8),
        ("gpu-node-2", "default", 4),
        ("gpu-node-3", "gpu", 8),
    ):
        number = len(master.agents)
        row = AgentRow(name, pool, now - timedelta(days=3, minutes=number), f"10.20.0.{11 + number}")
        for slot in range(slots):
            row.slots[slot] = SlotRow(slot, "TYPE_CUDA", "NVIDIA A100-SXM4-80GB", f"GPU-{number:08x}-{slot:04x}")
        master.agents[name] = row
    master.agents["gpu-node-3"].slots[7].enabled = False


def demo_people(master: Master, password: str | None) -> None:
    """A dozen users, three groups with roles, and the service users' tokens in every state."""
    now = master.now()
    for number, (username, display_name, fields) in enumerate(DEMO_USERS):
        values = {"active": True, **copy.deepcopy(fields)}
        master.add_user(
            username,
            display_name=display_name,
            password=NO_PASSWORD_LOGIN if values.get("remote") else password,
            modified_at=now - timedelta(days=90 - 5 * number, seconds=number * 7.25),
            last_auth_at=None if username.startswith("svc-") else now - timedelta(days=number, seconds=number * 3.5),
            **values,
        )
    for name, members in DEMO_GROUPS.items():
        group = GroupRow(master.next_id("groups"), name, members={master.user_ids[member]: None for member in members})
        master.groups[group.id] = group
    groups = {group.name: group.id for group in master.groups.values()}
    for kind, name, role in DEMO_ROLES:
        target = groups[name] if kind == "group" else master.users[master.user_ids[name]].personal_group
        master.role_assignments[(target, ROLE_IDS[role], None)] = None
    for owner, description, age, life, revoked in (
        ("svc-gitops", "gitops pipeline", 2, 30, False),
        ("svc-gitops", "gitops pipeline, last quarter", 100, 30, False),
        ("svc-gitops", "laptop of Ada", 20, 30, True),
        ("svc-nightly", "nightly training", 27, 30, False),
        ("ada.brandt", None, 1, 7, False),
    ):
        user = master.users[master.user_ids[owner]]
        row = master.add_session(
            user, ACCESS_TOKEN, timedelta(days=life), description=description, created=now - timedelta(days=age)
        )
        row.revoked_at = now - timedelta(days=1) if revoked else None


def large_people(master: Master) -> None:
    """Ten thousand users from a fixed seed."""
    source, now = random.Random(SEED), master.now()
    given = (
        "alex",
        "blake",
        "casey",
        "dana",
        "ellis",
        "finley",
        "gray",
        "harper",
        "indigo",
        "jules",
        "kit",
        "lane",
        "noa",
    )
    family = (
        "abel",
        "berg",
        "chen",
        "diaz",
        "eriksen",
        "fischer",
        "gupta",
        "haas",
        "ito",
        "jansen",
        "kim",
        "lopez",
        "novak",
    )
    for number in range(LARGE_USERS - len(master.users)):
        first, last = source.choice(given), source.choice(family)
        remote = source.random() < 0.3
        agent = AgentUserGroup(10_000 + number, 3000, f"u{number}", "staff") if source.random() < 0.2 else None
        master.add_user(
            f"{first}.{last}.{number:05d}",
            display_name=f"{first.title()} {last.title()} {number}",
            active=source.random() < 0.9,
            admin=source.random() < 0.01,
            remote=remote,
            agent=agent,
            password=NO_PASSWORD_LOGIN if remote else stored_password(hash_password(f"Large-{number}")),
            modified_at=now - timedelta(seconds=source.randrange(10**7), microseconds=source.randrange(10**6)),
            last_auth_at=now - timedelta(seconds=source.randrange(10**6)) if source.random() < 0.7 else None,
        )
