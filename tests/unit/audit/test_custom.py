# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Custom controls: what a file may say, what conditions can read of each kind, and what they find."""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Iterator

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.determined.ai.plugins.module_utils._audit import custom
from ansible_collections.determined.ai.plugins.module_utils._audit.control import Control, Outcome, Resource
from ansible_collections.determined.ai.plugins.module_utils._audit.entries import EntryErrors
from ansible_collections.determined.ai.plugins.module_utils._audit.snapshot import Snapshot
from ansible_collections.determined.ai.plugins.module_utils._audit.sources import SOURCES
from ansible_collections.determined.ai.plugins.module_utils._kinds.user import UserKind
from ansible_collections.determined.ai.plugins.plugin_utils.audit_conditions import TemplarConditions
from tests.simulator import Simulator
from tests.unit.conftest import Runner

CATALOGUE = ("IAM-02", "TOK-02")


def entry(**fields: t.Any) -> dict[str, t.Any]:
    """An entry with nothing wrong about it."""
    return {
        "id": "SITE-1",
        "title": "Remote administrator",
        "kind": "users",
        "fail_when": "resource.admin and resource.remote",
        "severity": "high",
        "remediation": "Take the flag away.",
        "mapping": {"cis": "5.4, 6.8", "nist": ["AC-6(5)"]},
        **fields,
    }


def conditions() -> TemplarConditions:
    return TemplarConditions(Templar(loader=DataLoader(), variables={}))


def parse(*data: t.Any) -> list[Control]:
    return custom.parse(list(data), CATALOGUE, conditions())


def errors(*data: t.Any) -> list[str]:
    with pytest.raises(EntryErrors) as found:
        parse(*data)
    return found.value.errors


def judge(control: Control, *resources: Resource) -> list[Outcome]:
    assert control.page is not None
    # Custom controls see their resources alone.
    return list(control.page(t.cast(t.Any, None), resources))


# --- the file ---


def test_a_control_as_it_is_meant_to_be() -> None:
    [found] = parse(entry())
    assert (found.id, found.title, found.severity, found.of) == ("SITE-1", "Remote administrator", "high", ("users",))
    assert (found.remediation, found.custom, found.area) == ("Take the flag away.", True, "Custom controls")
    assert found.mapping == {"cis": ("5.4", "6.8"), "nist": ("AC-6(5)",), "iso": (), "soc2": ()}


def test_what_else_is_right() -> None:
    assert parse() == []
    [found] = parse({name: value for name, value in entry(severity="info").items() if name != "mapping"})
    assert set(found.mapping) == {"cis", "nist", "iso", "soc2"}
    assert [one.id for one in parse(entry(id=7), entry(id="b"))] == ["7", "b"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"id": "TOK-02"}, ["id is 'TOK-02'", "the collection has"]),
        ({"id": ""}, ["id is empty"]),
        ({"title": None}, ["title is empty"]),
        ({"title": ["x"]}, ["title is ['x']", "text"]),
        ({"kind": "user"}, ["kind is 'user'", "the kinds are agents", "Nearest: 'users'"]),
        ({"kind": "checkpoints"}, ["kind is 'checkpoints'"]),
        ({"severity": "hihg"}, ["severity is 'hihg'", "critical, high, medium, low, info", "Nearest: 'high'"]),
        ({"remediation": " "}, ["remediation is empty"]),
        ({"fail_when": True}, ["fail_when is True", "text"]),
        ({"fail_when": "resource.admin and"}, ["fail_when is 'resource.admin and'", "no expression"]),
        ({"fail_when": "{{ resource.admin }}"}, ["without {{ }}"]),
        ({"fail_when": "resource.admn"}, ["resource has no field 'admn'", "Nearest: 'admin'"]),
        ({"fail_when": "resource['admn']"}, ["resource has no field 'admn'"]),
        ({"fail_when": "resource.get('admn')"}, ["resource has no field 'admn'"]),
        ({"fail_when": "resource.agent_user_group.uid == 0"}, ["resource.agent_user_group has no field 'uid'"]),
        ({"fail_when": "resource.zzz == 0"}, ["resource has no field 'zzz'", "It has id, username, admin"]),
        (
            {"kind": "webhooks", "fail_when": "resource.triggers[0].kind == 'x'"},
            ["resource.triggers has no field 'kind'"],
        ),
        # An audit does not read them in its lists.
        ({"kind": "workspaces", "fail_when": "resource.checkpoint_storage == {}"}, ["no field 'checkpoint_storage'"]),
        ({"kind": "tasks", "fail_when": "resource.config.debug"}, ["no field 'config'"]),
        ({"kind": "experiments", "fail_when": "resource.trial_ids == []"}, ["no field 'trial_ids'"]),
        ({"mapping": "5.4"}, ["mapping is '5.4'", "cis, nist, iso, soc2"]),
        ({"mapping": {"ciss": "5.4"}}, ["mapping has 'ciss'", "Nearest: 'cis'"]),
        ({"mapping": {"cis": ""}}, ["mapping.cis is ''"]),
        ({"mapping": {"cis": ["5.4", {}]}}, ["mapping.cis is ['5.4', {}]"]),
        ({"when": "resource.admin"}, ["'when' is no field", "Nearest: 'fail_when'"]),
    ],
)
def test_what_is_wrong_is_told_in_one_sentence(fields: dict[str, t.Any], words: list[str]) -> None:
    [error] = errors(entry(id="OTHER"), entry(**fields))
    assert error.startswith("custom_controls: entry 2: ")
    assert all(word in error for word in words), error
    assert "\n" not in error


@pytest.mark.parametrize("field", [name for name in custom.FIELDS if name != "mapping"])
def test_every_field_but_the_mapping_is_needed(field: str) -> None:
    data = entry()
    del data[field]
    [error] = errors(data)
    assert f"{field} is missing" in error


def test_an_id_stands_once() -> None:
    [error] = errors(entry(), entry(title="Another"))
    assert error == "custom_controls: entry 2: id is 'SITE-1': an entry before it has it already."


def test_everything_is_told_at_once() -> None:
    found = errors(entry(severity="x", fail_when="resource.a or resource.b"), 7, entry(id="IAM-02"))
    assert [error.split(":")[1].strip() for error in found] == ["entry 1"] * 3 + ["entry 2", "entry 3"]


def test_what_is_free_in_form_is_not_checked() -> None:
    assert parse(
        entry(id="1", kind="templates", fail_when="resource.config.anything.at.all is defined"),
        entry(id="2", kind="experiments", fail_when="resource.config.searcher.name == 'grid'"),
        entry(id="3", kind="models", fail_when="resource.metadata.owner is not defined"),
        entry(id="4", kind="resource_pools", fail_when="resource.details.aws.publicIp | default(false)"),
        entry(id="5", kind="webhooks", fail_when="resource.triggers[0].condition.state == 'x'"),
        entry(id="6", fail_when="resource.username.startswith('x')"),
    )


# --- fields ---


def snapshot(runner: Runner) -> Snapshot:
    session = runner.task(UserKind(), username="admin").session
    now = datetime.datetime.now(datetime.UTC)
    found = Snapshot(session, now, concurrency=1, paused_max_days=30)
    found.identify()
    return found


@pytest.fixture(params=["basic", "rbac"])
def site(request: pytest.FixtureRequest) -> Iterator[Snapshot]:
    """A cluster's lists as an audit reads them."""
    with Simulator(fixture="demo", authz=request.param) as sim:
        runner = Runner(sim)
        yield snapshot(runner)
        runner.close()


NOT_IN_LISTS = {
    "workspaces": {"checkpoint_storage", "namespace_bindings", "resource_quota"},
    "tasks": {"config", "priority"},
}
"""What the objects of a list have no value of, so that a condition on it would never say anything true."""


def check(known: custom.Fields, found: t.Any) -> None:
    """Compare the fields of an object, and of those in it, with what is known."""
    assert set(found) == set(known)
    for name, inner in known.items():
        parts = found[name] if isinstance(found[name], list) else [found[name]]
        for part in parts:
            if inner is not None and part is not None:
                check(inner, part)


@pytest.mark.parametrize("kind", sorted(set(custom.KINDS) - {"cluster", "experiments"}))
def test_the_fields_are_those_that_arrive(site: Snapshot, kind: str) -> None:
    site.read([kind])
    listed = site.lists[kind]
    assert listed.gap is None
    assert listed.items
    for resource in listed.items:
        here = {name: value for name, value in resource.data.items() if name not in NOT_IN_LISTS.get(kind, ())}
        check(custom.fields_of(kind), here)
        assert set(custom.view(resource)) == set(here)


def test_the_fields_of_the_cluster_are_those_that_arrive(site: Snapshot) -> None:
    check(custom.fields_of("cluster"), site.master)


FROM_CONFIG = {"priority", "weight", "max_slots", "searcher_type", "searcher_metric"}


def test_the_fields_of_experiments_are_those_that_arrive(site: Snapshot) -> None:
    resources = [resource for page in site.experiments() for resource in page]
    assert resources
    for resource in resources:
        assert set(custom.fields_of("experiments")) - FROM_CONFIG <= set(resource.data)
        check(custom.fields_of("experiments"), custom.view(resource))


def test_every_kind_is_a_list_of_the_audit() -> None:
    assert set(custom.KINDS) - set(SOURCES) == {"cluster", "experiments"}


# --- what is found ---


def user(username: str, **fields: t.Any) -> Resource:
    data = dict.fromkeys(custom.fields_of("users"))
    return Resource("users", username, 1, {**data, "username": username, "admin": False, "remote": False, **fields})


def test_findings_say_what_was_read() -> None:
    [control] = parse(entry())
    found = judge(control, user("alice", admin=True, remote=True), user("bob"))
    assert [one.status for one in found] == ["fail", "pass"]
    assert found[0].faults == ("Its condition holds: resource.admin and resource.remote",)
    assert found[0].fields == {"admin": True, "remote": True}


def test_one_at_a_time_it_is_the_same() -> None:
    [control] = parse(entry())
    alice = user("alice", admin=True, remote=True)
    assert control.judge(t.cast(t.Any, None), alice) == judge(control, alice)[0]
    assert judge(control) == []


def test_evidence_of_what_lies_deeper() -> None:
    [control] = parse(
        entry(
            fail_when="resource.agent_user_group is not none and resource.agent_user_group.agent_uid == 0 and "
            "resource.username.startswith('a')"
        )
    )
    group = {"agent_uid": 0, "agent_gid": 0, "agent_user": "root", "agent_group": "root"}
    nobody, root = judge(control, user("alice"), user("anna", agent_user_group=group))
    assert nobody.status == "pass"
    assert root.status == "fail"
    assert root.fields == {"agent_user_group.agent_uid": 0, "username": "anna"}


def test_a_condition_that_can_not_be_evaluated_is_an_error_of_that_resource() -> None:
    [control] = parse(entry(kind="templates", fail_when="resource.config.resources.slots > 8"))
    templates = [
        Resource("templates", name, None, {"name": name, "config": config, "workspace_id": 1})
        for name, config in (("big", {"resources": {"slots": 9}}), ("none", {}), ("one", {"resources": {"slots": 1}}))
    ]
    big, none, one = judge(control, *templates)
    assert (big.status, none.status, one.status) == ("fail", "error", "pass")
    [fault] = none.faults
    assert fault.startswith("The condition can't be evaluated: ")


def test_an_object_of_another_shape_is_an_error_of_that_object() -> None:
    [control] = parse(entry(kind="experiments", fail_when="resource.archived"))
    whole = {"id": 1, "name": "a", "archived": True, "config": {}}
    strange = {**whole, "id": 2, "labels": {"not": "a list"}}
    found = judge(
        control,
        Resource("experiments", "2", 2, strange),
        Resource("experiments", "1", 1, whole),
    )
    assert [one.status for one in found] == ["error", "fail"]


def test_numbers_of_experiments_are_numbers() -> None:
    [control] = parse(entry(kind="experiments", fail_when="resource.checkpoint_size > 10 ** 9"))
    data = {"id": 1, "name": "a", "checkpoint_size": "28209430885", "config": {}}
    [found] = judge(control, Resource("experiments", "1", 1, data))
    assert (found.status, found.fields) == ("fail", {"checkpoint_size": 28209430885})


CANARY = "CANARY-5ecret-Value-99"


@pytest.mark.parametrize(
    ("kind", "data", "place"),
    [
        (
            "templates",
            {"name": "t", "workspace_id": 1, "config": {"environment": {"registry_auth": {"password": CANARY}}}},
            "resource.config.environment.registry_auth.password",
        ),
        (
            "experiments",
            {"id": 1, "config": {"checkpoint_storage": {"secret_key": CANARY}}},
            "resource.config.checkpoint_storage.secret_key",
        ),
        (
            "experiments",
            {"id": 1, "name": f"https://bob:{CANARY}@example.org/x", "config": {}},
            "resource.name",
        ),
        (
            "webhooks",
            {"id": 1, "name": "w", "type": "slack", "url": f"https://chat.example.org/{CANARY}", "triggers": []},
            "resource.url",
        ),
        (
            "models",
            {"id": 1, "name": "m", "metadata": {"api_key": CANARY}},
            "resource.metadata.api_key",
        ),
    ],
)
def test_conditions_see_no_secret(kind: str, data: dict[str, t.Any], place: str) -> None:
    [seeing, there, quoting] = parse(
        entry(id="1", kind=kind, fail_when=f"{place} is search('CANARY')"),
        entry(id="2", kind=kind, fail_when=f"{place} is search('[*]{{8}}')"),
        entry(id="3", kind=kind, fail_when=f"{place} | from_json"),
    )
    resource = Resource(kind, "x", 1, data)
    assert judge(seeing, resource)[0].status == "pass"
    [fail], [error] = judge(there, resource), judge(quoting, resource)
    assert (fail.status, error.status) == ("fail", "error")
    assert CANARY not in repr((fail, error))


def test_a_secret_in_the_condition_itself_is_not_told() -> None:
    secret = "ghp_0123456789abcdefghijklmnopqrstuvwxyz"
    [control] = parse(entry(fail_when=f"resource.username != '{secret}'"))
    [found] = judge(control, user("alice"))
    assert found.status == "fail"
    assert secret not in repr(found)
