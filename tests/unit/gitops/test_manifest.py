# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a manifest declares: nesting, overlays, and all that can be wrong, told at once with file and line."""

from __future__ import annotations

import itertools
import pathlib
import typing as t

import pytest

from ansible_collections.determined.ai.plugins.module_utils._gitops.kinds import KINDS
from ansible_collections.determined.ai.plugins.module_utils._gitops.manifest import (
    Document,
    Entry,
    Manifest,
    Position,
    Settings,
)
from ansible_collections.determined.ai.plugins.module_utils._gitops.manifest_builder import build
from ansible_collections.determined.ai.plugins.module_utils._gitops.manifest_values import merged_overlay
from ansible_collections.determined.ai.plugins.module_utils._kinds.kind import Declarable, Reference
from ansible_collections.determined.ai.plugins.module_utils._wire.errors import InvalidOption
from tests.unit.gitops.tree import Tree

ORDER = [
    "users",
    "groups",
    "workspaces",
    "resource_pool_bindings",
    "projects",
    "role_assignments",
    "config_policies",
    "templates",
    "models",
    "webhooks",
    "tokens",
    "oauth_clients",
    "cluster_message",
]


@pytest.fixture
def tree(tmp_path: pathlib.Path) -> Tree:
    return Tree(tmp_path)


def keys(manifest: Manifest, plural: str) -> list[str]:
    return [entry.key for entry in manifest.entries if entry.kind.plural == plural]


def entry(manifest: Manifest, plural: str, key: str) -> Entry:
    return next(found for found in manifest.entries if (found.kind.plural, found.key) == (plural, key))


# --- entries ---


def test_all_kinds_can_be_declared_in_the_order_of_the_phases() -> None:
    assert [kind.plural for kind in KINDS] == ORDER


def test_an_entry_has_all_options_of_its_module(tree: Tree) -> None:
    tree.write(users="users: [{username: alice, admin: 'yes', display_name: null}]")
    found = tree.load().entries[0]
    assert found.options.keys() == found.kind.arguments.spec.keys()
    assert found.options["state"] == "present"
    assert found.options["admin"] is True
    assert found.options["display_name"] is None
    assert found.options["update_password"] == "on_create"
    assert found.renamed_from is None


def test_an_absent_object_is_declared(tree: Tree) -> None:
    tree.write(users="users: [{username: alice, state: absent}]")
    assert tree.load().entries[0].options["state"] == "absent"


def test_a_kind_with_an_empty_list_is_declared_and_one_with_nothing_is_not(tree: Tree) -> None:
    tree.write(all="users: []\ngroups:\ncluster_message:\n")
    assert tree.load().kinds == {"users"}


def test_the_cluster_message_is_one_mapping(tree: Tree) -> None:
    tree.write(message="cluster_message: {text: hello, duration: 1d}")
    assert [found.key for found in tree.load().entries] == ["cluster_message"]
    tree.write(message="cluster_message: [{text: hello}]")
    assert tree.errors() == ["message.yml:1: an entry of cluster_message is a mapping of options, this is a list."]


def test_tokens_and_oauth_clients_need_a_file_for_what_is_told_once(tree: Tree) -> None:
    text = """
        tokens:
        - {user: alice, description: ci, state: absent}
        - {user: alice, description: cd, dest: /tmp/token}
        - {user: alice, description: other}
        oauth_clients:
        - {name: okta, domain: 'https://x.example'}
        """
    tree.write(all=text)
    assert tree.errors() == [
        "all.yml:4: dest is missing: tokens are told once, and it says into which file.",
        "all.yml:6: dest is missing: oauth clients are told once, and it says into which file.",
    ]


def test_acts_are_no_declarations(tree: Tree) -> None:
    tree.write(
        all="""
        users:
        - username: alice
          force: true
        tokens:
        - {user: alice, description: ci, dest: /tmp/x, state: rotated}
        groups:
        - name: team
          new_name: crew
        """
    )
    assert tree.errors() == [
        "all.yml:3: force says how a module acts and declares nothing: a manifest does not take it.",
        "all.yml:5: state is 'rotated': a manifest declares present or absent, all else is an act.",
        "all.yml:8: new_name says how a module acts and declares nothing: a manifest does not take it.",
    ]


# --- inside a workspace ---


def test_a_workspace_holds_what_belongs_to_it(tree: Tree) -> None:
    tree.write(
        all="""
        workspaces:
        - name: vision
          projects: [{name: yolo, description: d}]
          templates:
          - name: base
            config: {max_restarts: 1}
          webhooks: [{name: hook, url: 'https://x.example/h', triggers: [{type: custom}], mode: specific}]
          config_policies: [{workload_type: tasks, constraints: {priority_limit: 10}}]
          role_assignments: [{role: Editor, group: team}]
        """
    )
    found = tree.load()
    assert [(one.kind.plural, one.key, one.options.get("workspace")) for one in found.entries] == [
        ("workspaces", "vision", None),
        ("projects", "vision/yolo", "vision"),
        ("role_assignments", "Editor:group:team@vision", "vision"),
        ("config_policies", "tasks@vision", "vision"),
        ("templates", "base", "vision"),
        ("webhooks", "hook@vision", "vision"),
    ]
    assert str(entry(found, "templates", "base").position) == "all.yml:5"
    assert found.kinds == {
        "workspaces",
        "projects",
        "role_assignments",
        "config_policies",
        "templates",
        "webhooks",
    }


def test_what_stands_in_a_workspace_has_no_other(tree: Tree) -> None:
    tree.write(all="workspaces:\n- name: a\n  projects:\n  - name: p\n    workspace: b\n")
    assert tree.errors() == ["all.yml:5: workspace is 'a' here, by the entry that this one stands in: leave it out."]


def test_an_entry_in_a_workspace_and_one_outside_are_the_same_object(tree: Tree) -> None:
    tree.write(all="workspaces:\n- name: a\n  projects:\n  - name: p\nprojects:\n- {workspace: a, name: p}\n")
    assert tree.errors() == ["all.yml:6: projects/a/p is declared already, at all.yml:4."]


def test_pools_are_bound_by_the_workspaces_that_name_them(tree: Tree) -> None:
    tree.write(
        all="""
        workspaces:
        - {name: a, resource_pools: [gpu, cpu]}
        - name: b
          resource_pools:
          - gpu
        resource_pool_bindings:
        - {pool: cpu, workspaces: [c]}
        """
    )
    found = tree.load()
    assert {one.key: one.options["workspaces"] for one in found.entries if one.kind.plural == ORDER[3]} == {
        "cpu": ["c", "a"],
        "gpu": ["a", "b"],
    }
    # What others have bound beside stays, but for a binding that is declared as one.
    assert entry(found, "resource_pool_bindings", "gpu").options["workspaces_mode"] == "add"
    assert entry(found, "resource_pool_bindings", "cpu").options["workspaces_mode"] == "exact"
    assert str(entry(found, "resource_pool_bindings", "gpu").position) == "all.yml:2"
    assert "resource_pool_bindings" in found.kinds
    whole = tree.load(prune={"resource_pool_bindings": "exclusive"})
    assert entry(whole, "resource_pool_bindings", "gpu").options["workspaces_mode"] == "exact"


def test_a_pool_is_not_bound_and_taken_away_at_once(tree: Tree) -> None:
    tree.write(
        all="""
        workspaces: [{name: a, resource_pools: [gpu]}]
        resource_pool_bindings:
        - {pool: gpu, workspaces: [b], workspaces_mode: remove}
        """
    )
    assert tree.errors() == [
        "all.yml:1: resource_pools has 'gpu', whose binding at all.yml:3 takes workspaces away: 'a' can't be bound to it too."
    ]


def test_an_overlay_replaces_a_workspaces_pools(tree: Tree) -> None:
    tree.write(all="workspaces: [{name: a, resource_pools: [gpu]}, {name: b, resource_pools: [gpu]}]")
    tree.write(environments__x__all="workspaces: [{name: a, resource_pools: [cpu]}, {name: b, resource_pools: null}]")
    found = tree.load("x")
    assert {one.key: one.options["workspaces"] for one in found.entries if one.kind.plural == ORDER[3]} == {
        "cpu": ["a"]
    }


# --- overlays ---


@pytest.mark.parametrize(
    ("base", "over", "found"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"b": {"c": 1, "d": 2}}}, {"a": {"b": {"c": 3}}}, {"a": {"b": {"c": 3, "d": 2}}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"b": 1}}, {"a": "text"}, {"a": "text"}),
        ({"a": "text"}, {"a": {"b": None}}, {"a": {"b": None}}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}, {"a": {"c": 2}}),
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({"a": 1}, {"b": None}, {"a": 1}),
        ({"a": 0}, {"a": False}, {"a": False}),
    ],
)
def test_mappings_unite_and_all_else_replaces(base: t.Any, over: t.Any, found: t.Any) -> None:
    assert merged_overlay(base, over) == found


BASE = """
templates:
- name: base
  workspace: w
  config:
    max_restarts: 3
    environment: {image: a, environment_variables: [A=1, B=2]}
- name: other
  config: {max_restarts: 1}
users:
- {username: alice, admin: true, display_name: Alice}
"""


def test_an_overlays_entries_are_matched_by_their_keys(tree: Tree) -> None:
    tree.write(
        base=BASE,
        environments__prod__over="""
        templates:
        - name: base
          config:
            max_restarts: 5
            environment: {environment_variables: [C=3]}
            resources: {priority: 1}
        - name: new
          config: {}
        users: [{username: alice, admin: null}]
        """,
    )
    found = tree.load("prod")
    base = entry(found, "templates", "base")
    assert base.options["workspace"] == "w"
    assert base.options["config"] == {
        "max_restarts": 5,
        "environment": {"image": "a", "environment_variables": ["C=3"]},
        "resources": {"priority": 1},
    }
    assert str(base.position) == "base.yml:2"
    assert keys(found, "templates") == ["base", "other", "new"]
    alice = entry(found, "users", "alice").options
    assert (alice["admin"], alice["display_name"]) == (None, "Alice")
    # The base is as it was.
    assert entry(tree.load(), "templates", "base").options["config"]["max_restarts"] == 3


def test_templates_are_resolved_before_entries_are_matched(tree: Tree) -> None:
    tree.variables = {"name": "alice"}
    tree.write(users="users: [{username: '{{ name }}', admin: true}]")
    tree.write(environments__x__users="users: [{username: '{{ name }}', display_name: A}]")
    (found,) = tree.load("x").entries
    assert (found.key, found.options["admin"], found.options["display_name"]) == ("alice", True, "A")


def test_keys_of_several_options_are_matched(tree: Tree) -> None:
    tree.write(all="projects: [{workspace: w, name: p, description: one}, {workspace: v, name: p}]")
    tree.write(environments__x__all="workspaces: [{name: w, projects: [{name: p, description: two}]}]")
    found = tree.load("x")
    assert keys(found, "projects") == ["w/p", "v/p"]
    assert entry(found, "projects", "w/p").options["description"] == "two"


def test_undeclare_takes_the_whole_entry_back(tree: Tree) -> None:
    tree.write(base=BASE, environments__x__over="templates: [{name: other, undeclare: true}]")
    found = tree.load("x")
    assert keys(found, "templates") == ["base"]
    tree.write(environments__x__over="templates: [{name: other, undeclare: true}, {name: base, undeclare: true}]")
    found = tree.load("x")
    assert keys(found, "templates") == []
    assert "templates" in found.kinds
    tree.write(environments__x__over="templates: [{name: other, undeclare: false}]")
    assert keys(tree.load("x"), "templates") == ["base", "other"]


@pytest.mark.parametrize(("flag", "left"), [("true", []), ("no", ["base"]), (True, []), (False, ["base"])])
def test_undeclare_may_come_from_a_variable(tree: Tree, flag: t.Any, left: list[str]) -> None:
    """Those of the command line are texts."""
    tree.variables = {"without_it": flag}
    tree.write(all="templates: [{name: base, config: {}}]")
    tree.write(environments__x__all="templates: [{name: base, undeclare: '{{ without_it }}'}]")
    assert keys(tree.load("x"), "templates") == left


def test_undeclare_is_yes_or_no(tree: Tree) -> None:
    tree.write(all="templates: [{name: base, config: {}}]")
    tree.write(environments__x__all="templates:\n- name: base\n  undeclare: perhaps\n")
    assert tree.errors("x") == ["environments/x/all.yml:3: undeclare is 'perhaps': it must be true or false."]


def test_a_workspace_that_is_taken_back_takes_along_what_stands_in_it(tree: Tree) -> None:
    tree.write(all="workspaces: [{name: a, projects: [{name: p}], resource_pools: [gpu]}, {name: b}]")
    tree.write(environments__x__all="workspaces: [{name: a, undeclare: true}]")
    assert [(one.kind.plural, one.key) for one in tree.load("x").entries] == [("workspaces", "b")]


def test_null_takes_back_a_kind_or_a_workspaces_list(tree: Tree) -> None:
    tree.write(
        all="users: [{username: alice}]\nworkspaces: [{name: a, projects: [{name: p}]}, {name: b, projects: [{name: q}]}]"
    )
    tree.write(environments__x__all="users:\nworkspaces: [{name: a, projects: null}]")
    found = tree.load("x")
    assert [(one.kind.plural, one.key) for one in found.entries] == [
        ("workspaces", "a"),
        ("workspaces", "b"),
        ("projects", "b/q"),
    ]
    assert found.kinds == {"workspaces", "projects"}


def test_undeclare_has_something_to_take_back_and_stands_in_an_overlay(tree: Tree) -> None:
    tree.write(users="users: [{username: alice, undeclare: true}]")
    assert tree.errors() == ["users.yml:1: undeclare takes back what a base declares, and stands in an overlay only."]
    tree.write(users="users: [{username: alice}]", environments__x__u="users:\n- username: alise\n  undeclare: true\n")
    assert tree.errors("x") == ["environments/x/u.yml:3: the base does not declare users/alise. Nearest: 'alice'."]


def test_an_error_is_told_where_the_last_word_is_written(tree: Tree) -> None:
    tree.write(users="users:\n- username: alice\n  admin: true\n")
    tree.write(environments__x__u="users:\n- username: alice\n  display_name: x\n  admin: perhaps\n")
    (error,) = tree.errors("x")
    assert error.startswith("environments/x/u.yml:4: argument 'admin' is of type ")


def test_a_wrong_value_that_an_overlay_replaces_is_not_used(tree: Tree) -> None:
    tree.write(users="users:\n- username: alice\n  admin: perhaps\n")
    tree.write(environments__x__u="users: [{username: alice, admin: true}]")
    assert tree.load("x").entries[0].options["admin"] is True


def test_the_same_entry_twice_in_an_overlay(tree: Tree) -> None:
    tree.write(users="users: [{username: alice}]")
    tree.write(environments__x__a="users: [{username: alice}]", environments__x__b="users: [{username: alice}]")
    assert tree.errors("x") == ["environments/x/b.yml:1: users/alice is declared already, at environments/x/a.yml:1."]


def test_an_overlays_entry_without_its_key(tree: Tree) -> None:
    tree.write(users="users: [{username: alice}]", environments__x__a="users:\n- admin: true\n- username: [a]\n")
    assert tree.errors("x") == [
        "environments/x/a.yml:2: username is missing: without it the entry is of no object.",
        "environments/x/a.yml:3: username is a list: it must be of the type str.",
    ]


# --- renames ---


def test_what_an_object_was_called_before(tree: Tree) -> None:
    tree.write(
        all="users: [{username: alice, renamed_from: alicia}]\nprojects: [{workspace: w, name: p, renamed_from: v/q}]"
    )
    found = tree.load()
    assert [one.renamed_from for one in found.entries] == ["alicia", "v/q"]


def test_renames_that_can_not_be(tree: Tree) -> None:
    tree.write(
        all="""
        users:
        - {username: alice, renamed_from: old}
        - {username: bob, renamed_from: old}
        - username: carol
          state: absent
          renamed_from: x
        - {username: dave, renamed_from: ''}
        cluster_message: {text: hello, renamed_from: x}
        projects:
        - {workspace: w, name: p, renamed_from: q}
        """
    )
    assert tree.errors() == [
        "all.yml:3: renamed_from is 'old', as it is of 'alice' at all.yml:2.",
        "all.yml:6: renamed_from is given with state absent: what is removed can't be renamed.",
        "all.yml:7: renamed_from is the key that the object had before.",
        "all.yml:8: renamed_from is 'x': cluster message can't be renamed.",
        "all.yml:10: renamed_from is 'q': it must be a workspace and a project, as in workspace/project.",
    ]


# --- everything that is wrong, at once ---


def test_all_errors_are_told_at_once_with_file_and_line(tree: Tree) -> None:
    tree.write(
        users="""
        users:
        - username: alice
          admn: true
        - username: bob
          admin: perhaps
        - username: alice2
          agent_user_group: {uid: 1, gid: 1, user: a, grup: b}
        - just text
        user: []
        """,
        more="""
        users:
        - username: dave
        - username: dave
        groups: {name: team}
        templates:
        - name: t
          config:
            environment:
              registry_auth: {password: '********'}
        """,
    )
    found = tree.errors()
    assert found[:3] == [
        "more.yml:3: users/dave is declared already, at more.yml:2.",
        "more.yml:4: groups is a list of entries, this is a mapping.",
        "more.yml:9: config.environment.registry_auth.password is or holds a mask (asterisks), which stands for a secret and is "
        "no value.",
    ]
    assert found[3] == "users.yml:3: users have no option 'admn'. Nearest: 'admin'."
    assert found[4].startswith("users.yml:5: argument 'admin' is of type ")
    assert found[5] == "users.yml:7: agent_user_group has no option 'grup'. Nearest: 'group'."
    assert found[6] == "users.yml:8: an entry of users is a mapping of options, this is a text."
    assert found[7] == "users.yml:9: there is no kind 'user'. Nearest: 'users'."
    assert len(found) == 8


def test_an_unknown_key_unlike_any_other_names_all(tree: Tree) -> None:
    tree.write(groups="zzz: []\ngroups: [{name: g, qqqq: 1}]")
    first, second = tree.errors()
    assert first.startswith("groups.yml:1: there is no kind 'zzz'. There are users, groups, workspaces, ")
    assert second.startswith(
        "groups.yml:2: groups have no option 'qqqq'. There are name, state, members, members_mode, "
    )
    assert "new_name" not in second


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("users: [{username: ' alice'}]", "all.yml:1: username is ' alice'"),
        ("groups: [{name: '  '}]", "all.yml:1: name is "),
        ("users:\n- username: alice\n  password: short", "all.yml:3: password does not meet the product's rules"),
        ("users:\n- username: alice\n  password: '********'", "all.yml:3: password is or holds a mask"),
        ("templates:\n- name: t\n  config:\n    resorces: {}", "all.yml:3: config has keys that neither experiments"),
        ("users: [{admin: true}]", "all.yml:1: missing required arguments: username."),
        (
            "config_policies: [{workload_type: task, constraints: {}}]",
            "all.yml:1: value of workload_type must be one of: ",
        ),
        (
            "cluster_message:\n  text: hi\n  end: x\n  duration: 1d",
            "all.yml:1: parameters are mutually exclusive: end|dur",
        ),
        ("tokens: [{description: ci, dest: /tmp/x}]", "all.yml:1: user is missing: it is a part of the key here."),
        ("role_assignments: [{role: Editor}]", "all.yml:1: role is 'Editor', but neither user nor group is given"),
    ],
)
def test_what_the_module_refuses_the_manifest_refuses(tree: Tree, text: str, expected: str) -> None:
    tree.write(all=text)
    (error,) = tree.errors()
    assert error.startswith(expected)


def test_a_secret_that_is_refused_is_not_told(tree: Tree) -> None:
    tree.write(users="users:\n- username: alice\n  admin: canary\n  password: canary\n")
    found = "".join(tree.errors())
    assert "admin" in found
    assert "canary" not in found


def test_keys_that_differ_only_in_case_are_warned_of(tree: Tree) -> None:
    tree.write(
        users="users:\n- username: alice\n- username: Alice\n- username: bob\n", groups="groups: [{name: ALICE}]"
    )
    assert tree.load().warnings == [
        "users.yml:3: users/Alice and users/alice (users.yml:2) differ only in case: they are different objects."
    ]


# --- circles ---


class Linked(Declarable):
    """A kind whose objects need each other, as those of no real kind do by themselves."""

    name = "user"
    plural = "users"
    arguments = KINDS[0].arguments
    late = (frozenset({"later"}),)

    def __init__(self, needs: dict[str, list[str]], option: str = "needs") -> None:
        self._needs = needs
        self._option = option

    def key(self, options: dict[str, t.Any]) -> str:
        return str(options["username"])

    def references(self, options: dict[str, t.Any]) -> list[Reference]:
        return [Reference("users", key, self._option) for key in self._needs.get(options["username"], [])]

    find = wanted = create = update = remove = read_all = key_of = declaration = None  # type: ignore[assignment]


def linked(needs: dict[str, list[str]], option: str = "needs") -> Manifest:
    content = {"users": [{"username": name} for name in needs]}
    document = Document(content, lambda path: Position("all.yml", int(path[1]) + 1 if len(path) > 1 else 0))
    return build([document], kinds=[Linked(needs, option)])


def test_entries_that_need_each_other_are_told() -> None:
    with pytest.raises(InvalidOption) as failure:
        linked({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"], "e": ["e"]})
    first, second = str(failure.value).splitlines()
    assert first.startswith("all.yml:")
    assert "a circle, in which none can be written first: " in first
    ring = first.partition("first: ")[2].rstrip(".").split(" needs ")
    assert ring[0] == ring[-1]
    assert sorted(ring[1:]) == ["users/a (all.yml:1)", "users/b (all.yml:2)", "users/c (all.yml:3)"]
    assert second == (
        "all.yml:5: a circle, in which none can be written first: users/e (all.yml:5) needs users/e (all.yml:5)."
    )


def test_the_circle_is_told_in_its_direction() -> None:
    with pytest.raises(InvalidOption) as failure:
        linked({"a": ["b"], "b": ["c"], "c": ["a"]})
    ring = str(failure.value).partition("first: ")[2].rstrip(".").split(" needs ")
    pairs = {(one[6], other[6]) for one, other in itertools.pairwise(ring)}
    assert pairs == {("a", "b"), ("b", "c"), ("c", "a")}


def test_what_is_written_late_makes_no_circle() -> None:
    assert len(linked({"a": ["b"], "b": ["a"]}, "later").entries) == 2


def test_chains_and_what_is_not_declared_make_no_circle() -> None:
    assert len(linked({"a": ["b", "z"], "b": ["c"], "c": []}).entries) == 3


# --- settings ---


def test_settings_may_be_left_out(tree: Tree) -> None:
    tree.write(users="users: []")
    assert tree.load().settings == Settings()
    assert Settings().max_removals == {"count": 25, "percent": 20}


def test_settings(tree: Tree) -> None:
    tree.variables = {"cluster": "c-1"}
    tree.write(
        determined="""
        schema: 1
        name: lab
        cluster_id: "{{ cluster }}"
        prune: {templates: managed, webhooks: exclusive}
        protect: [{kind: users, name: 'svc-*'}]
        ignore: [{kind: users, name: '*', fields: [display_name]}, {kind: groups, name: x}]
        max_removals: {percent: 50}
        allow_empty: [templates]
        creator: remove
        """
    )
    assert tree.load().settings == Settings(
        schema=1,
        name="lab",
        cluster_id="c-1",
        prune={"templates": "managed", "webhooks": "exclusive"},
        protect=[{"kind": "users", "name": "svc-*"}],
        ignore=[
            {"kind": "users", "name": "*", "fields": ["display_name"]},
            {"kind": "groups", "name": "x", "fields": None},
        ],
        max_removals={"count": 25, "percent": 50},
        allow_empty=["templates"],
        creator="remove",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("schema: 2", "determined.yml:1: value of schema must be one of: 1, got: 2."),
        ("name: a\nclusterid: x", "determined.yml:2: there is no setting 'clusterid'. Nearest: 'cluster_id'."),
        ("name: a\nprune: {user: managed}", "determined.yml:2: prune: there is no kind 'user'. Nearest: 'users'."),
        ("prune: {users: yes}", "determined.yml:1: prune.users is True: it is managed or exclusive."),
        ("prune: [users]", "determined.yml:1: argument 'prune' is of type "),
        ("name: a\nmax_removals: {count: -1}", "determined.yml:2: max_removals.count is -1: it must be 0 or more."),
        ("max_removals: {percent: 101}", "determined.yml:1: max_removals.percent is 101.0: it must be from 0 to 100."),
        ("allow_empty: [user]", "determined.yml:1: allow_empty: there is no kind 'user'. Nearest: 'users'."),
        ("protect: [{kind: users}]", "determined.yml:1: missing required arguments: name found in protect."),
        ("creator: drop", "determined.yml:1: value of creator must be one of: keep, remove, got: drop."),
        ("- a", "determined.yml:1: settings are a mapping, this is a list."),
        ("name: '{{ nobody }}'", "determined.yml:1: name: the template can't be resolved: "),
    ],
)
def test_wrong_settings(tree: Tree, text: str, expected: str) -> None:
    tree.write(determined=text, users="users: []")
    (error,) = tree.errors()
    assert error.startswith(expected)


def test_settings_are_not_shared_between_manifests(tree: Tree) -> None:
    tree.write(users="users: []", determined="name: a")
    tree.load().settings.prune["users"] = "managed"
    assert tree.load().settings.prune == {}
