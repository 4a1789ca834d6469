# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""User groups, against the simulated master."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.determined.ai.plugins.module_utils._engine.compare import compare
from ansible_collections.determined.ai.plugins.module_utils._kinds.group import GROUP
from ansible_collections.determined.ai.plugins.modules.det_group import OPERATION
from ansible_collections.determined.ai.plugins.modules.det_group_info import OPERATION as INFO
from tests.simulator import Fault, Simulator
from tests.simulator.fixtures import INITIAL_PASSWORD
from tests.simulator.state import GroupRow, hash_password, stored_password
from tests.unit.conftest import Runner

PEOPLE = ("ana", "ben", "cleo", "dora")
DIGEST = stored_password(hash_password(INITIAL_PASSWORD))


def writes(sim: Simulator) -> list[tuple[str, str]]:
    """What the journal holds beside reads, two of which are a POST, and logins."""
    quiet = ("/auth/", "/search")
    return [
        (entry.method, entry.path)
        for entry in sim.journal
        if entry.method != "GET" and not any(part in entry.path for part in quiet)
    ]


def named(group: dict[str, t.Any]) -> dict[str, t.Any]:
    """The group without its number."""
    return {name: value for name, value in group.items() if name != "id"}


@pytest.fixture
def people(sim: Simulator) -> dict[str, int]:
    """Four local users; their ids by name."""
    return {name: sim.master.add_user(name, active=True, password=DIGEST).id for name in PEOPLE}


def members_of(sim: Simulator, name: str) -> set[str]:
    """Whom the server has in a group."""
    row = next(row for row in sim.master.groups.values() if row.name == name)
    return {sim.master.users[key].username for key in row.members}


# What is declared of a group with ana and ben in it, and how the result then differs.
TABLE: dict[str, tuple[dict[str, t.Any], dict[str, t.Any]]] = {
    "exact": ({"members": ["cleo", "ana"]}, {"members": ["ana", "cleo"]}),
    "exact, said twice": ({"members": ["cleo", "cleo"]}, {"members": ["cleo"]}),
    "cleared": ({"members": []}, {"members": []}),
    "add": ({"members": ["dora", "ana"], "members_mode": "add"}, {"members": ["ana", "ben", "dora"]}),
    "remove": ({"members": ["ana", "dora"], "members_mode": "remove"}, {"members": ["ben"]}),
    "renamed": ({"new_name": "beta"}, {"name": "beta"}),
    "renamed and filled": ({"new_name": "beta", "members": ["dora"]}, {"name": "beta", "members": ["dora"]}),
    "renamed in case": ({"new_name": "Alpha"}, {"name": "Alpha"}),
}


@pytest.mark.parametrize("case", TABLE)
@pytest.mark.usefixtures("people")
def test_a_change_is_predicted_made_in_one_write_and_not_made_again(sim: Simulator, run: Runner, case: str) -> None:
    declared, differs = TABLE[case]
    created = run.ok(OPERATION, name="alpha", members=["ben", "ana"])["group"]
    options = {"name": "alpha", **declared}
    sim.journal.clear()
    predicted = run.ok(OPERATION, check=True, **options)
    assert writes(sim) == []
    result = run.ok(OPERATION, **options)
    assert (predicted["changed"], result["changed"]) == (True, True)
    assert result["group"] == {**created, **differs} == predicted["group"]
    assert writes(sim) == [("PUT", f"/api/v1/groups/{created['id']}")]
    assert result["diff"] == predicted["diff"]
    for name, value in differs.items():
        assert (result["diff"]["before"][name], result["diff"]["after"][name]) == (created[name], value)
    assert members_of(sim, result["group"]["name"]) == set(result["group"]["members"])
    sim.journal.clear()
    again = run.ok(OPERATION, **options)
    assert (again["changed"], again["group"], writes(sim)) == (False, result["group"], [])
    assert "diff" not in again


@pytest.mark.usefixtures("people")
def test_creation_and_removal_are_predicted_made_and_not_made_again(sim: Simulator, run: Runner) -> None:
    options = {"name": "alpha", "members": ["ben", "ana", "ben"]}
    predicted = run.ok(OPERATION, check=True, **options)
    assert (predicted["changed"], predicted["group"]["id"]) == (True, None)
    assert writes(sim) == []
    result = run.ok(OPERATION, **options)
    assert named(result["group"]) == named(predicted["group"]) == {"name": "alpha", "members": ["ana", "ben"]}
    again = run.ok(OPERATION, **options)
    # The search, the group, the users.
    assert (again["changed"], again["requests"]) == (False, 3)
    assert not run.ok(OPERATION, name="alpha", members=["ana", "ben"])["changed"]
    gone = run.ok(OPERATION, check=True, name="alpha", state="absent")
    assert (gone["changed"], gone["group"]) == (True, None)
    assert members_of(sim, "alpha") == {"ana", "ben"}
    assert run.ok(OPERATION, name="alpha", state="absent")["changed"]
    again = run.ok(OPERATION, name="alpha", state="absent")
    # The search, who asks, and whether that one sees all groups.
    assert (again["changed"], again["requests"]) == (False, 3)


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("mode", ["add", "remove"])
def test_a_new_group_has_those_to_add_and_none_of_those_to_remove(run: Runner, mode: str) -> None:
    made = run.ok(OPERATION, name="alpha", members=["ana"], members_mode=mode)["group"]
    assert made["members"] == (["ana"] if mode == "add" else [])


@pytest.mark.usefixtures("people")
def test_omitted_members_are_left_alone(run: Runner) -> None:
    run.ok(OPERATION, name="alpha", members=["ana"])
    result = run.ok(OPERATION, name="alpha")
    assert (result["changed"], result["group"]["members"], result["requests"]) == (False, ["ana"], 2)


@pytest.mark.parametrize(
    "name", ["a:b", "a/b", "100%", "a_b", "naïve ☃", " leading", "x" * 300, "..", "a\\b", "#1", "*"]
)
def test_names_of_all_kinds(run: Runner, name: str) -> None:
    run.ok(OPERATION, name=name.upper() + "_decoy")
    assert run.ok(OPERATION, name=name)["group"]["name"] == name
    assert not run.ok(OPERATION, name=name)["changed"]
    assert [group["name"] for group in run.ok(INFO, name=name)["groups"]] == [name]
    assert run.ok(OPERATION, name=name, state="absent")["changed"]
    assert run.ok(INFO)["total"] == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"name": ""}, "name is empty"),
        ({"name": " \t"}, "name is empty"),
        ({"name": "a\0b"}, "the server would drop the NUL in it"),
        ({"name": "7DeterminedPersonalGroup"}, "are those of users' personal groups"),
        ({"name": "a", "new_name": "b", "state": "absent"}, "new_name is given with state absent"),
        ({"name": "a", "new_name": ""}, "new_name is empty"),
        # The server does not refuse this one, and the group would look like a personal one.
        ({"name": "a", "new_name": "xDeterminedPersonalGroup"}, "new_name is 'xDeterminedPersonalGroup'"),
    ],
)
def test_what_is_refused_before_any_call(sim: Simulator, run: Runner, options: dict[str, t.Any], sentence: str) -> None:
    assert sentence in run.failed(OPERATION, **options)
    assert sim.journal == []


@pytest.mark.usefixtures("people")
def test_an_unknown_member_is_told_with_the_nearest(sim: Simulator, run: Runner) -> None:
    message = run.failed(OPERATION, name="alpha", members=["ana", "doro"])
    assert message == "members is 'doro': there is no such user. Nearest: 'dora'."
    assert writes(sim) == []


def test_rename_with_both_there_is_refused(run: Runner) -> None:
    first = run.ok(OPERATION, name="old", new_name="new")["group"]
    second = run.ok(OPERATION, name="old")["group"]
    message = run.failed(OPERATION, name="old", new_name="new")
    assert f"'new': that group exists already (id {first['id']}), and so does 'old' (id {second['id']})" in message


def test_personal_groups_are_invisible(sim: Simulator, run: Runner, people: dict[str, int]) -> None:
    assert run.ok(INFO)["groups"] == []
    assert run.ok(INFO, user="ana")["groups"] == []
    assert run.ok(INFO, name=f"{people['ana']}DeterminedPersonalGroup")["groups"] == []


# -- remote members, whom an identity provider may put into groups


@pytest.fixture
def synced(sim: Simulator, people: dict[str, int]) -> dict[str, int]:
    """An identity provider that decides about the groups of `rae` and `rob`; `staff` has ana and rae in it."""
    sim.master.config["oidc"].update(enabled=True, groups_attribute_name="groups")
    ids = {**people, **{name: sim.master.add_user(name, active=True, remote=True).id for name in ("rae", "rob")}}
    group = GroupRow(sim.master.next_id("groups"), "staff", members=dict.fromkeys([ids["ana"], ids["rae"]]))
    sim.master.groups[group.id] = group
    return ids


@pytest.mark.usefixtures("synced")
@pytest.mark.parametrize(
    ("declared", "after"),
    [
        ({"members": ["ben"]}, {"ben", "rae"}),
        ({"members": ["ana", "rob"]}, {"ana", "rae"}),
        ({"members": ["ben", "rob"], "members_mode": "add"}, {"ana", "ben", "rae"}),
        ({"members": ["ana", "rae"], "members_mode": "remove"}, {"rae"}),
        ({"members": ["ben"], "force": True}, {"ben"}),
        ({"members": ["ana", "rob"], "force": True}, {"ana", "rob"}),
    ],
)
def test_memberships_of_remote_users_are_the_providers(
    sim: Simulator, run: Runner, declared: dict[str, t.Any], after: set[str]
) -> None:
    before = members_of(sim, "staff")
    predicted = run.ok(OPERATION, check=True, name="staff", **declared)
    result = run.ok(OPERATION, name="staff", **declared)
    assert predicted["group"] == result["group"]
    assert members_of(sim, "staff") == after == set(result["group"]["members"])
    assert result["changed"] is (after != before)
    if declared.get("force"):
        assert run.warnings == []
    else:
        assert "the identity provider decides about their groups" in run.warnings[0]
        assert "force" in run.warnings[0]
        assert ("rob" in run.warnings[0]) is ("rob" in declared["members"])
    assert not run.ok(OPERATION, name="staff", **declared)["changed"]


@pytest.mark.usefixtures("synced")
def test_the_configuration_is_read_only_where_a_remote_membership_differs(sim: Simulator, run: Runner) -> None:
    def asked() -> bool:
        found = any(entry.path == "/api/v1/master/config" for entry in sim.journal)
        sim.journal.clear()
        return found

    run.ok(OPERATION, name="staff", members=["ana", "rae"])
    run.ok(OPERATION, name="staff", members=["ana", "rae", "ben"])
    run.ok(OPERATION, name="staff", members=["rob"], members_mode="remove")
    assert not asked()
    run.ok(OPERATION, name="staff", members=["ana", "ben"])
    assert asked()


@pytest.mark.parametrize(
    "setting",
    [
        {"oidc": {"enabled": False}},
        {"oidc": {"groups_attribute_name": ""}},
        {"oidc": None},
    ],
)
@pytest.mark.usefixtures("synced")
def test_where_no_provider_syncs_remote_users_are_like_all(
    sim: Simulator, run: Runner, setting: dict[str, t.Any]
) -> None:
    for name, values in setting.items():
        if values is None:
            del sim.master.config[name]
        else:
            sim.master.config[name].update(values)
    run.ok(OPERATION, name="staff", members=["ben"])
    assert members_of(sim, "staff") == {"ben"}
    assert run.warnings == []


@pytest.mark.usefixtures("synced")
def test_saml_syncs_too(sim: Simulator, run: Runner) -> None:
    sim.master.config["oidc"]["enabled"] = False
    sim.master.config["saml"] = {"enabled": True, "groups_attribute_name": "memberOf"}
    run.ok(OPERATION, name="staff", members=["ben"])
    assert members_of(sim, "staff") == {"ben", "rae"}


@pytest.mark.usefixtures("synced")
def test_without_the_right_to_the_configuration_a_provider_is_taken_for_granted(sim: Simulator) -> None:
    sim.master.config["oidc"]["enabled"] = False
    plain = Runner(sim, auth_username="ana", auth_password=INITIAL_PASSWORD)
    predicted = plain.ok(OPERATION, check=True, name="staff", members=["ben"])
    assert predicted["group"]["members"] == ["ben", "rae"]
    assert "can't be seen without the right to read the master's configuration" in plain.warnings[0]
    plain.close()


# -- what happens meanwhile, and what goes wrong


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("declared", [{"members": ["ana", "cleo"]}, {"members": ["cleo"], "members_mode": "add"}])
def test_a_member_that_someone_else_adds_meanwhile_is_not_added_again(
    sim: Simulator, run: Runner, people: dict[str, int], declared: dict[str, t.Any]
) -> None:
    run.ok(OPERATION, name="alpha", members=["ana"])
    live = find(run, "alpha")
    row = next(row for row in sim.master.groups.values() if row.name == "alpha")
    row.members[people["cleo"]] = None
    row.members[people["dora"]] = None
    task = run.task(GROUP, name="alpha", **declared)
    wanted = GROUP.wanted(task, live)
    after = GROUP.update(task, live, compare(GROUP, live, wanted).fields)
    # What the other one did stays: nobody decided about it.
    assert after["members"] == ["ana", "cleo", "dora"]
    assert not [entry for entry in sim.journal if entry.method == "PUT"]


@pytest.mark.usefixtures("people")
def test_a_member_that_someone_else_removes_meanwhile_is_gone_too(
    sim: Simulator, run: Runner, people: dict[str, int]
) -> None:
    run.ok(OPERATION, name="alpha", members=["ana", "ben"])
    live = find(run, "alpha")
    row = next(row for row in sim.master.groups.values() if row.name == "alpha")
    del row.members[people["ben"]]
    task = run.task(GROUP, name="alpha", members=["cleo", "ana"])
    assert GROUP.update(task, live, {"members": ["ana", "cleo"]})["members"] == ["ana", "cleo"]


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_write_whose_answer_is_lost_is_made_once_and_settled_by_reading(
    sim: Simulator, run: Runner, method: str
) -> None:
    if method != "POST":
        run.ok(OPERATION, name="alpha")
    sim.journal.clear()
    sim.faults.add(Fault("lost", method=method, path=r"/groups(/\d+)?$"))
    options = {"state": "absent"} if method == "DELETE" else {"members": ["ana"]}
    result = run.ok(OPERATION, name="alpha", **options)
    assert result["changed"]
    assert len(writes(sim)) == 1
    assert "the group is as declared" in run.warnings[0]


@pytest.mark.usefixtures("people")
def test_a_group_made_by_someone_else_meanwhile_is_taken(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, name="alpha", members=["ana"])
    sim.faults.add(Fault("shape", path="/groups/search", body={"groups": []}))
    result = run.ok(OPERATION, name="alpha", members=["ben"], members_mode="add")
    assert result["group"]["members"] == ["ana", "ben"]


def test_a_group_removed_meanwhile_is_told(sim: Simulator, run: Runner, people: dict[str, int]) -> None:
    run.ok(OPERATION, name="alpha")
    sim.faults.add(
        Fault("status", method="GET", path=r"/groups/\d+$", nth=2, status=404, body={"error": {"error": "x"}})
    )
    assert "disappeared" in run.failed(OPERATION, name="alpha", members=["ana"])


def test_without_rights_the_servers_words_are_told(sim: Simulator, people: dict[str, int]) -> None:
    plain = Runner(sim, auth_username="ana", auth_password=INITIAL_PASSWORD)
    assert "user does not have permission" in plain.failed(OPERATION, name="alpha")
    plain.close()


# -- nobody is locked out


@pytest.fixture
def rbac() -> t.Iterator[tuple[Simulator, Runner]]:
    """A master that enforces RBAC; `boss` is ClusterAdmin by the group `admins` alone, with ana, and `gone`, who is inactive."""
    with Simulator(fixture="empty", authz="rbac") as sim:
        ids = [sim.master.add_user(name, active=name != "gone", password=DIGEST).id for name in ("boss", "ana", "gone")]
        group = GroupRow(sim.master.next_id("groups"), "admins", members=dict.fromkeys(ids))
        sim.master.groups[group.id] = group
        sim.master.role_assignments[(group.id, 1, None)] = None
        runner = Runner(sim, auth_username="boss", auth_password=INITIAL_PASSWORD)
        yield sim, runner
        runner.close()


def test_a_group_that_is_not_seen_is_not_said_to_be_gone(rbac: tuple[Simulator, Runner]) -> None:
    """Who may not assign roles sees its own groups only, and the list does not say so (API page, section 5)."""
    sim, run = rbac
    assert not run.ok(OPERATION, name="ghosts", state="absent")["changed"]
    assert run.warnings == []
    sim.master.add_user("zoe", active=True, password=DIGEST)
    outsider = Runner(sim, auth_username="zoe", auth_password=INITIAL_PASSWORD)
    for check in (True, False):
        assert not outsider.ok(OPERATION, check=check, name="admins", state="absent")["changed"]
        assert outsider.warnings == [
            "name is 'admins': you see no such group. That it is not there is not proved: 'zoe' lacks ASSIGN_ROLES in any workspace, "
            "without which groups are left out."
        ]
    outsider.close()


def test_leaving_the_group_that_one_is_administrator_by_is_refused(rbac: tuple[Simulator, Runner]) -> None:
    sim, run = rbac
    for options in ({"state": "absent"}, {"members": ["ana"]}, {"members": ["boss"], "members_mode": "remove"}):
        for check in (True, False):
            message = run.failed(OPERATION, check=check, name="admins", **options)
            assert message == (
                "After this 'boss', the user that this task logs in as, would take its own ClusterAdmin away: set force to true if "
                "you mean it."
            )
    assert members_of(sim, "admins") == {"boss", "ana", "gone"}
    assert run.ok(OPERATION, name="admins", members=["boss"])["changed"]
    assert run.ok(OPERATION, name="admins", state="absent", force=True)["changed"]


def test_the_last_active_administrator_stays(rbac: tuple[Simulator, Runner]) -> None:
    sim, run = rbac
    del sim.master.role_assignments[(sim.master.users[1].personal_group, 1, None)]
    message = run.failed(OPERATION, name="admins", members=["gone"])
    assert message.startswith("After this no active user would hold ClusterAdmin any more")
    assert run.ok(OPERATION, name="admins", members=["gone"], force=True)["group"]["members"] == ["gone"]


def test_a_group_that_gives_no_such_right_costs_one_call_to_know(rbac: tuple[Simulator, Runner]) -> None:
    sim, run = rbac
    run.ok(OPERATION, name="staff", members=["boss"])
    sim.journal.clear()
    assert run.ok(OPERATION, name="staff", members=[])["changed"]
    paths = [entry.path.removeprefix("/api/v1/") for entry in sim.journal]
    number = next(row.id for row in sim.master.groups.values() if row.name == "staff")
    assert paths == [
        "groups/search",
        f"groups/{number}",
        f"roles/search/by-group/{number}",
        f"groups/{number}",
        f"groups/{number}",
    ]


def test_under_basic_authorisation_roles_lock_nobody_out(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, name="admins", members=["admin"])
    number = next(row.id for row in sim.master.groups.values() if row.name == "admins")
    sim.master.role_assignments.clear()
    sim.master.role_assignments[(number, 1, None)] = None
    assert run.ok(OPERATION, name="admins", members=[])["changed"]


# -- as a part of a manifest


def find(run: Runner, name: str) -> dict[str, t.Any]:
    """The live object."""
    found = GROUP.find(run.task(GROUP, name=name))
    assert found is not None
    return found


def test_every_group_declares_itself(run_demo: Runner) -> None:
    task = run_demo.task(GROUP, name="any")
    listed = GROUP.read_all(task.session, task.names)
    assert [item["name"] for item in listed] == ["research", "vision", "contractors"]
    for item in listed:
        live = GROUP.complete(task.session, item)
        assert live == find(run_demo, live["name"])
        declared = GROUP.declaration(live, task.names)
        assert GROUP.key(declared) == GROUP.key_of(live, task.names) == live["name"]
        assert compare(GROUP, live, GROUP.wanted(run_demo.task(GROUP, **declared), live)).action == "none"
        assert GROUP.undeclarable(live, task.names) is None
        assert [(one.kind, one.key) for one in GROUP.references({**task.options, **declared})] == [
            ("users", name) for name in live["members"]
        ]


def test_an_empty_group_is_declared_by_its_name(run: Runner) -> None:
    run.ok(OPERATION, name="alpha")
    live = find(run, "alpha")
    assert GROUP.declaration(live, run.task(GROUP, name="alpha").names) == {"name": "alpha"}


def test_names_that_can_not_be_declared(run: Runner) -> None:
    names = run.task(GROUP, name="any").names
    for name in ("", "  ", "xDeterminedPersonalGroup"):
        assert GROUP.undeclarable({"id": 9, "name": name}, names) is not None


def test_a_member_renamed_in_the_same_plan_is_the_same_member(
    sim: Simulator, people: dict[str, int], run: Runner
) -> None:
    run.ok(OPERATION, name="alpha", members=["ana"])
    live = find(run, "alpha")
    row = sim.master.users[people["ana"]]
    del sim.master.user_ids["ana"]
    row.username, row.rendered = "anna", None
    sim.master.user_ids["anna"] = row.id
    assert compare(GROUP, live, GROUP.wanted(run.task(GROUP, name="alpha", members=["anna"]), live)).action == "none"


# -- the info module


def test_info(run_demo: Runner) -> None:
    found = run_demo.ok(INFO)
    assert [(group["name"], group["members"]) for group in found["groups"]] == [
        ("research", ["bjarne.holm", "carla.mendes"]),
        ("vision", ["farid.noor", "jonas.weber"]),
        ("contractors", ["hugo.martin"]),
    ]
    assert (found["total"], found["requests"], found["changed"]) == (3, 4, False)
    limited = run_demo.ok(INFO, limit=1)
    assert ([group["name"] for group in limited["groups"]], limited["total"], limited["requests"]) == (
        ["research"],
        3,
        2,
    )
    assert [group["name"] for group in run_demo.ok(INFO, name_contains="ON")["groups"]] == ["vision", "contractors"]
    assert run_demo.ok(INFO, name_contains="%")["groups"] == []
    assert [group["name"] for group in run_demo.ok(INFO, name="vision")["groups"]] == ["vision"]
    assert run_demo.ok(INFO, name="Vision")["groups"] == []
    assert run_demo.ok(INFO, name="")["groups"] == []
    assert [group["name"] for group in run_demo.ok(INFO, user="farid.noor")["groups"]] == ["vision"]
    both = run_demo.ok(INFO, user="farid.noor", name="research")
    assert (both["groups"], both["total"]) == ([], 0)
    assert "there is no such user" in run_demo.failed(INFO, user="farid")
    assert "limit is 0" in run_demo.failed(INFO, limit=0)


def test_info_leaves_out_what_is_removed_meanwhile(demo: Simulator, run_demo: Runner) -> None:
    demo.faults.add(Fault("status", method="GET", path=r"/groups/\d+$", status=404, body={"error": {"error": "gone"}}))
    found = run_demo.ok(INFO)
    assert ([group["name"] for group in found["groups"]], found["total"]) == (["vision", "contractors"], 2)
