# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole catalogue on a cluster where it passes, seen by an auditor without rights, and with each list in turn hidden or cut.

Nothing may pass that was not proved. What a control needs, it declares; so each that declares what was not seen must not pass,
but for the few that can prove it by something else, which stand here with their reasons.
"""

from __future__ import annotations

import json
import re
import typing as t
from collections.abc import Iterator
from datetime import timedelta

import pytest

from ansible_collections.determined.ai.plugins.module_utils._audit.catalogue import CATALOGUE
from ansible_collections.determined.ai.plugins.module_utils._audit.control import Control, Unseen
from ansible_collections.determined.ai.plugins.module_utils._audit.sources import (
    DETAILS,
    DRIFT,
    EXPERIMENT_LIST,
    SOURCES,
    WAIVERS,
)
from tests.simulator import Fault, Simulator
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
from .conftest import PASSWORD, Auditor, Judged, blind

PARAMETERS = {
    "allowed_registries": ["registry.example.com"],
    "allowed_webhook_hosts": ["hooks.example.com"],
    "allowed_storage_paths": ["/tmp/determined-cp"],
    "allowed_open_pools": [],
    "allowed_role_holders": ["admins"],
    "service_users": ["auditor", "chief"],
    "break_glass_users": ["auditor", "chief"],
    "minimum_version": "0.38.1",
    "required_labels": ["team"],
    "archived_checkpoint_gib": 1,
    "checkpoint_budget_gib": 1000,
}

NOT_PASSING = {
    "CLU-09": "under basic authorisation any user reads the signing key, without which there would be no WHK-02",
    "GOV-01": "no manifest is given",
    "GOV-02": "no waivers are given",
    "IAM-01": "the passwords are not tried",
}
"""Controls that do not pass on the tidy cluster in both modes of authorisation, and why."""

BASIC_ONLY_NOT_PASSING = {"IAM-07", "IAM-10"}
"""Controls of RBAC."""

PROVED = {
    ("CLU-03", "resource_pools"): "only asked of agents without a version",
    ("EXP-01", "master_config"): "without it what is inherited is judged as well",
    ("EXP-02", "master_config"): "without it what is inherited is judged as well",
    ("EXP-02", "storage"): "without it what is inherited is judged as well",
    ("EXP-02", "workspaces"): "without them what is inherited is judged as well",
    ("IAM-02", "groups"): "only asked while the first built-in account is active",
    ("IAM-02", "members"): "only asked while the first built-in account is active",
    ("IAM-02", "role_assignments"): "only asked while the first built-in account is active",
    ("IAM-04", "tokens"): "only asked of users that have not logged in for long",
    ("IAM-09", "groups"): "only asked where the owner is not active",
    ("IAM-09", "members"): "only asked where the owner is not active",
    ("IAM-09", "role_assignments"): "only asked where the owner is not active",
    ("POL-01", "resource_pools"): "only asked where there is no limit of priorities",
    ("TSK-01", "tasks"): "only asked of open ports",
}
"""Controls that may pass although what they declare was not seen, and why."""

PROVED_UNDER = {
    "basic": {
        (number, name): "administrators are those with the flag"
        for number in ("IAM-03", "IAM-08", "TOK-05")
        for name in ("groups", "members", "role_assignments")
    },
    "rbac": {
        ("CLU-09", "master_config"): "the log's first entry is the same text",
        ("CLU-09", "master_log"): "the configuration is the same text",
        ("IAM-07", "master_config"): "only asked of what creators of workspaces get",
        ("IAM-06", "users"): "RBAC is enforced, whoever the users are",
    },
}
"""The same in one mode of authorisation."""

ANSWERS = {
    403: {"error": {"code": 7, "reason": "PermissionDenied", "error": "access denied"}},
    404: {"error": {"code": 5, "reason": "NotFound", "error": "not found"}},
    500: {"error": {"code": 13, "reason": "Internal", "error": "current user doesn't have view permissions"}},
    501: {"error": {"code": 12, "reason": "Unimplemented", "error": "Not Implemented"}},
}
"""What the master answers that does not show a list, or has none (API page identity-and-cluster, 1.4)."""


def needs(one: Control) -> set[str]:
    """What a control declares that it needs: lists and details, and the lists that those are of."""
    return {*one.of, *one.reads, *one.details, *(DETAILS[name].of for name in one.details)} | (
        {"role_assignments"} if "members" in one.details else set()
    )


class Place(t.NamedTuple):
    """Where something is read: the method, and the path with ``{id}`` for ids."""

    method: str
    path: str

    def fault(self, kind: str, **what: t.Any) -> Fault:
        """A fault that strikes each call of this place, but for the first one of the users: by that the audit learns which
        authorisation is enforced."""
        pattern = f"^{re.sub(r'{[a-z]+}', '[^/]+', self.path)}(/EXPERIMENT|/NTSC)?$"
        first = 2 if self.path == "/api/v1/users" else 1
        return Fault(kind, method=self.method, path=pattern, nth=first, count=0, **what)


def place_of(endpoint: str) -> Place:
    """The place of an endpoint, as `Source` and `Detail` write it; the first where there are several."""
    found = re.match(r"(GET|POST) (/api/v1/[a-z0-9/{}-]+)", endpoint)
    assert found, endpoint
    return Place(found[1], found[2])


LISTS = {name: place_of(source.endpoint) for name, source in SOURCES.items() if source.unasked is None}
LISTS[EXPERIMENT_LIST] = Place("GET", "/api/v1/experiments")
PLACES = LISTS | {name: place_of(detail.endpoint) for name, detail in DETAILS.items()}
"""Per list and detail where it is read."""


# --- a cluster on which everything passes


def tidy(sim: Simulator) -> Auditor:
    """Make a fresh cluster one without findings, in which there is something for each control to judge.

    :returns: its administrator.
    """
    master, config = sim.master, sim.master.config
    config["security"]["tls"].update(cert="/etc/master.crt", key="/etc/master.key")
    config["security"]["default_task"].update(uid=1000, gid=1000, user="det", group="det")
    config["security"]["authz"]["strict_job_queue_control"] = True
    config["resource_manager"].update(require_authentication=True, client_ca="/etc/agents.crt")
    config["__internal"]["audit_logging_enabled"] = True
    config["retention_policy"].update(log_retention_days=90, schedule="0 3 * * *")
    config["db"]["ssl_mode"] = "verify-full"
    config["webhooks"]["signing_key"] = "CANARY-" + "x" * 40
    config["task_container_defaults"]["image"] = dict.fromkeys(("cpu", "cuda", "rocm"), "registry.example.com/base:1.2")
    config["oidc"].update(enabled=True, provider="Okta", idp_recipient_url="https://det.example.com")
    people = _people(sim)
    owner = people["alice"].id
    project = plant.project(sim)
    for row in (*master.workspaces.values(), *master.projects.values()):
        if row.id != 1:
            row.user_id = owner
    master.workspaces[2].checkpoint_storage = {"type": "s3", "bucket": "checkpoints"}
    # What the creator of a workspace gets, and what it should be.
    master.role_assignments.pop((master.users[1].personal_group, ROLE_IDS["WorkspaceAdmin"], 2))
    master.role_assignments[_group(sim, "leads", people["alice"]), ROLE_IDS["WorkspaceAdmin"], 2] = None
    _work(sim, project)
    master.templates["base"] = TemplateRow("base", {"environment": {"image": "registry.example.com/train:1.2"}}, 2)
    for row in master.models.values():
        row.user_id = owner
    number = master.next_id("webhooks")
    master.webhooks[number] = WebhookRow(
        number,
        "one",
        "https://hooks.example.com/x",
        "WEBHOOK_TYPE_DEFAULT",
        "WEBHOOK_MODE_WORKSPACE",
        2,
        [],
    )
    for workload in ("EXPERIMENT", "NTSC"):
        limits = {"priority_limit": 40, "resources": {"max_slots": 8}}
        master.config_policies[None, workload] = {"constraints": limits}
    none = {"aws": None, "gcp": None, "priorityScheduler": None}
    master.resource_pools["cloud"] = {"details": {**none, "aws": {"publicIp": False}}}
    master.pool_bindings["cloud"] = {2: None}
    master.agents["one"] = AgentRow("one", "default", master.now(), "10.0.0.7")
    when, level, _text = master.log_lines[0]
    master.log_lines[0] = (when, level, f"master configuration: {json.dumps(printable(config))}")
    # The built-in accounts go last: everything above was done by one of them.
    for number in (1, 2):
        master.users[number].active = False
        master.users[number].rendered = None
    return Auditor(sim, "auditor", PASSWORD)


def _people(sim: Simulator) -> dict[str, UserRow]:
    master = sim.master
    login = {"active": True, "last_auth_at": master.now(), "password": stored_password(hash_password(PASSWORD))}
    people = {name: master.add_user(name, admin=True, **login) for name in ("auditor", "chief")}
    people["alice"] = master.add_user("alice", agent=AgentUserGroup(1001, 1001, "alice", "alice"), remote=True, **login)
    master.add_session(people["alice"], ACCESS_TOKEN, timedelta(days=30), description="team/ci")
    admins = _group(sim, "admins", people["auditor"], people["chief"])
    master.role_assignments[admins, ROLE_IDS["ClusterAdmin"], None] = None
    return people


def _group(sim: Simulator, name: str, *members: UserRow) -> int:
    row = GroupRow(sim.master.next_id("groups"), name, members=dict.fromkeys(member.id for member in members))
    sim.master.groups[row.id] = row
    return row.id


def _work(sim: Simulator, project: int) -> None:
    image = {"environment": {"image": "registry.example.com/train:1.2"}, "labels": ["team"], "description": "Planted"}
    for state, days in (("RUNNING", 1), ("PAUSED", 40), ("COMPLETED", 3)):
        row = plant.experiment(sim, image, state, days, "alice", project)
        sim.master.trials[row.trial_ids[0]].released = sim.master.now() - timedelta(days=min(days, 2))
    task = {**image, "idle_timeout": "1h"}
    trial = sim.master.trials[row.trial_ids[0]]
    uuid = "00000000-0000-4000-8000-000000000001"
    sim.master.checkpoints[uuid] = CheckpointRow(
        uuid, trial.id, row.id, trial.task_id, sim.master.now(), {"model.pt": 1000}, {"steps_completed": 100}
    )
    trial.checkpoint_uuids.append(uuid)
    plant.call(sim, "POST", "/models", {"name": "good", "description": "What it tells", "labels": ["served"]})
    plant.call(sim, "POST", "/models/good/versions", {"checkpointUuid": uuid})
    task.pop("labels")
    plant.task(sim, "notebook", 1, task, owner_id=sim.master.user_ids["alice"])


@pytest.fixture(params=["basic", "rbac"])
def cluster(request: pytest.FixtureRequest) -> Iterator[tuple[Simulator, Auditor]]:
    """A tidy cluster and its administrator."""
    with Simulator(fixture="empty", authz=request.param) as sim:
        yield sim, tidy(sim)


# --- what was not seen


def unseen(judged: Judged) -> set[str]:
    """The lists and details of which something was not seen."""
    snapshot = judged.site._snapshot
    hidden = {name for name, listed in snapshot.lists.items() if listed.gap is not None}
    return hidden | {name for (name, _kind, _id), value in snapshot._details.items() if isinstance(value, Unseen)}


Pair = tuple[str, str]


def proved(sim: Simulator) -> t.KeysView[Pair]:
    """The exceptions that count on a cluster."""
    return (PROVED | PROVED_UNDER[sim.authz]).keys()


def passed_without(judged: Judged, hidden: t.Collection[str]) -> set[Pair]:
    """Controls that passed, each with something that it declares and that was not seen."""
    return {
        (number, name)
        for number in judged.controls
        if judged.status(number) == "pass"
        for name in needs(CATALOGUE[number]) & set(hidden)
    }


def test_the_catalogue_passes_where_all_is_well_and_seen(cluster: tuple[Simulator, Auditor]) -> None:
    sim, admin = cluster
    judged = admin(*CATALOGUE, parameters=PARAMETERS)
    assert unseen(judged) <= {"blank_passwords"}
    expected = set(NOT_PASSING) - ({"CLU-09"} if sim.master.rbac else set())
    expected |= set() if sim.master.rbac else BASIC_ONLY_NOT_PASSING
    found = {
        number: [one["evidence"] for one in judged.of(number)]
        for number in CATALOGUE
        if judged.status(number) != "pass"
    }
    assert {number: why for number, why in found.items() if number not in expected} == {}
    assert {number for number in expected if number not in found} & set(CATALOGUE) == set()


def test_who_has_no_rights_is_told_so(cluster: tuple[Simulator, Auditor]) -> None:
    sim, _admin = cluster
    judged = blind(sim)(*CATALOGUE, parameters=PARAMETERS)
    hidden = unseen(judged)
    assert {"tokens", "webhooks", "master_config"} <= hidden
    assert not sim.master.rbac or hidden >= LISTS.keys() - {"users", "agents"}
    assert passed_without(judged, hidden) - proved(sim) == set()
    # Where nothing was seen, the score can't be better than where all was.
    unknown = [number for number in CATALOGUE if judged.status(number) == "unknown"]
    assert len(unknown) >= (25 if sim.master.rbac else 12)


def hide(sim: Simulator, admin: Auditor, name: str, fault: Fault) -> Judged:
    """Judge what needs a list or detail while a fault strikes it."""
    sim.faults.clear()
    sim.faults.add(fault)
    controls = [number for number, one in CATALOGUE.items() if name in needs(one)]
    judged = admin(*controls, parameters=PARAMETERS)
    assert fault.seen >= fault.nth, f"{name} was not read"
    return judged


def wanted() -> list[str]:
    """The lists and details that some control needs."""
    return sorted({name for one in CATALOGUE.values() for name in needs(one)} & PLACES.keys())


def test_each_source_is_looked_at() -> None:
    of_no_server = {"cluster", "tls", DRIFT, WAIVERS, *(name for name, source in SOURCES.items() if source.unasked)}
    assert {name for one in CATALOGUE.values() for name in needs(one)} - of_no_server == set(wanted())
    known = PROVED | PROVED_UNDER["basic"] | PROVED_UNDER["rbac"]
    assert all(name in needs(CATALOGUE[number]) for number, name in known)


def test_what_is_hidden_passes_nowhere(cluster: tuple[Simulator, Auditor]) -> None:
    sim, admin = cluster
    excused: set[Pair] = set()
    for name in wanted():
        for status, body in ANSWERS.items():
            judged = hide(sim, admin, name, PLACES[name].fault("status", status=status, body=body))
            assert name in unseen(judged), (name, status)
            found = passed_without(judged, {name})
            assert found - proved(sim) == set(), status
            excused |= found
    # An exception that is not needed hides the next mistake.
    assert excused == proved(sim)


def test_what_is_cut_short_passes_nowhere(cluster: tuple[Simulator, Auditor]) -> None:
    sim, admin = cluster
    tried = set()
    for name in set(wanted()) & LISTS.keys():
        whole = whole_list(sim, LISTS[name])
        if whole is None:
            continue
        key = next(key for key, value in whole.items() if isinstance(value, list))
        total = max(1, whole["pagination"]["total"])
        for left in ([], whole[key][:-1]):
            short = {**whole, key: left, "pagination": {**whole["pagination"], "total": total}}
            judged = hide(sim, admin, name, LISTS[name].fault("shape", body=short))
            assert name in unseen(judged), name
            assert passed_without(judged, {name}) - proved(sim) == set()
        tried.add(name)
    lists = {"users", "groups", "tokens", "workspaces", "models", "tasks", "agents", "resource_pools", "experiments"}
    assert lists <= tried


def whole_list(sim: Simulator, place: Place) -> dict[str, t.Any] | None:
    """A list as the master gives it to an administrator; None for one that does not say how long it is."""
    if place.path in ("/api/v1/master/logs", "/api/v1/config-policies/global"):
        return None
    sim.faults.clear()
    sim.master.users[1].active = True
    try:
        body = {"limit": 500, "roleIds": [1]} if place.method == "POST" else None
        found = plant.call(sim, place.method, place.path.removeprefix("/api/v1"), body)
    finally:
        sim.master.users[1].active = False
    return t.cast("dict[str, t.Any]", found) if found.get("pagination") else None
