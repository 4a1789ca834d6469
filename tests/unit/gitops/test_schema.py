# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON Schema of manifests: committed as it is generated, and of one mind with the loader."""

from __future__ import annotations

import json
import pathlib
import typing as t

import jsonschema
import pytest
import yaml

from ansible_collections.determined.ai.plugins.module_utils._gitops.kinds import KINDS
from ansible_collections.determined.ai.plugins.module_utils._gitops.schema import FILE, manifest_schema, schema_text
from tests.unit.gitops.tree import Tree

ROOT = pathlib.Path(__file__).parent.parent.parent.parent
COMMITTED = ROOT / "docs" / "schemas" / FILE

RIGHT = [
    "users: []",
    "users:",
    "users: [{username: alice, admin: true, display_name: null}]",
    "users: [{username: 55, password: Correct-horse-1}]",
    "users: [{username: alice, agent_user_group: {uid: 1, gid: 1, user: a, group: b}}]",
    "groups: [{name: team, members: [alice, bob], members_mode: add, renamed_from: crew}]",
    "workspaces: [{name: w, projects: [{name: p, notes: [{name: n, contents: text}]}], resource_pools: [gpu]}]",
    "workspaces: [{name: w, role_assignments: [{role: Editor, group: team}], templates: [{name: t, config: {}}]}]",
    "templates: [{name: t, config: {data: {any: [thing, 1, null]}}}]",
    "config_policies: [{workload_type: experiments, constraints: {resources: {max_slots: 4}}}]",
    "cluster_message: {text: hello, duration: 1d}",
    "cluster_message:",
]
WRONG = [
    "users: {username: alice}",
    "users: [alice]",
    "user: []",
    "users: [{admin: true}]",
    "users: [{username: alice, admn: true}]",
    "users: [{username: alice, admin: perhaps}]",
    "users: [{username: alice, new_username: bob}]",
    "users: [{username: alice, agent_user_group: {uidd: 1}}]",
    "groups: [{name: team, members: {alice: 1}}]",
    "groups: [{name: team, members_mode: all}]",
    "workspaces: [{name: w, models: []}]",
    "workspaces: [{name: w, projects: [{name: p, workspace: w}]}]",
    "cluster_message: [{text: hello}]",
]
RIGHT_SETTINGS = [
    "schema: 1",
    "{schema: 1, name: lab, cluster_id: c, prune: {users: managed, webhooks: exclusive}, creator: remove}",
    "{protect: [{kind: users, name: 'svc-*'}], ignore: [{kind: users, name: '*', fields: [display_name]}]}",
    "{max_removals: {count: 0, percent: 5.5}, allow_empty: [templates]}",
]
WRONG_SETTINGS = [
    "schema: 2",
    "shema: 1",
    "prune: {users: always}",
    "prune: {user: managed}",
    "protect: [{kind: users}]",
    "protect: [{kind: user, name: x}]",
    "max_removals: {cuont: 1}",
    "allow_empty: [template]",
    "creator: drop",
]


@pytest.fixture
def tree(tmp_path: pathlib.Path) -> Tree:
    return Tree(tmp_path)


def valid(text: str, part: str = "") -> bool:
    schema = manifest_schema()
    if part:
        schema = {"$defs": schema["$defs"], "$ref": f"#/$defs/{part}"}
    return jsonschema.Draft202012Validator(schema).is_valid(yaml.safe_load(text))


@pytest.mark.once
def test_what_is_committed_is_what_is_generated() -> None:
    assert COMMITTED.read_text() == schema_text(), "run `make schemas`"


def test_it_is_a_schema_and_knows_each_kind() -> None:
    schema = json.loads(schema_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert list(schema["properties"]) == [kind.plural for kind in KINDS]


def test_it_is_in_the_artefact() -> None:
    ignored = yaml.safe_load((ROOT / "galaxy.yml").read_text())["build_ignore"]
    path = COMMITTED.relative_to(ROOT)
    assert not [glob for glob in ignored if any(part.match(glob) for part in (path, *path.parents)[:-1])]


@pytest.mark.parametrize("text", RIGHT)
def test_what_the_loader_takes_the_schema_takes(text: str, tree: Tree) -> None:
    tree.write(all=text)
    tree.load()
    assert valid(text)


@pytest.mark.parametrize("text", WRONG)
def test_what_the_loader_refuses_the_schema_refuses(text: str, tree: Tree) -> None:
    tree.write(all=text)
    assert tree.errors()
    assert not valid(text)


@pytest.mark.parametrize("text", RIGHT_SETTINGS)
def test_right_settings(text: str, tree: Tree) -> None:
    tree.write(determined=text)
    tree.load()
    assert valid(text, "settings")


@pytest.mark.parametrize("text", WRONG_SETTINGS)
def test_wrong_settings(text: str, tree: Tree) -> None:
    tree.write(determined=text)
    assert tree.errors()
    assert not valid(text, "settings")


@pytest.mark.parametrize(
    "value",
    [
        "'{{ people }}'",
        "['{{ alice }}']",
        "[{username: '{{ name }}', admin: '{{ flag }}', agent_user_group: '{{ link }}', password: '{{ secret }}'}]",
        "[{username: a, agent_user_group: {uid: '{{ n }}', gid: '{% if x %}1{% endif %}', user: u, group: g}}]",
    ],
)
def test_a_template_may_stand_for_anything(value: str) -> None:
    assert valid(f"users: {value}")


def test_a_plain_text_stands_for_no_other_type() -> None:
    assert not valid("users: people")
    assert not valid("users: [{username: a, admin: text}]")


def test_vaulted_text_may_stand_for_anything() -> None:
    text: t.Any = "$ANSIBLE_VAULT;1.1;AES256\n6162"
    schema = jsonschema.Draft202012Validator(manifest_schema())
    assert schema.is_valid({"users": [{"username": "a", "password": text, "admin": text}]})
