# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role assignments, against the simulated master under RBAC and basic authorisation."""

from __future__ import annotations

import typing as t

import pytest
import requests

from ansible_collections.determined.ai.plugins.module_utils._engine.compare import compare
from ansible_collections.determined.ai.plugins.module_utils._kinds.role_assignment import ROLE_ASSIGNMENT, scope_key
from ansible_collections.determined.ai.plugins.modules.det_role_assignment import OPERATION
from ansible_collections.determined.ai.plugins.modules.det_role_assignment_info import OPERATION as INFO
from tests.simulator import Fault, Simulator
from tests.simulator.fixtures import INITIAL_PASSWORD, ROLE_IDS
from tests.simulator.state import GroupRow, hash_password, stored_password
from tests.unit.conftest import Runner

DIGEST = stored_password(hash_password(INITIAL_PASSWORD))
ADD, REMOVE = "/api/v1/roles/add-assignments", "/api/v1/roles/remove-assignments"
NO_EFFECT = "This master does not enforce RBAC: role assignments are kept, but have no effect."


def writes(sim: Simulator) -> list[str]:
    """The writes of role assignments since the last look."""
    found = [entry.path for entry in sim.journal if "-assignments" in entry.path]
    sim.journal.clear()
    return found


def grants(sim: Simulator) -> set[tuple[str, str, str | None]]:
    """What the server has: role, user or group, and workspace."""
    found = set()
    for group, role, workspace in sim.master.role_assignments:
        row = sim.master.groups[group]
        who = sim.master.users[row.owner].username if row.owner else row.name
        where = None if workspace is None else sim.master.workspaces[workspace].name
        found.add((next(name for name, number in ROLE_IDS.items() if number == role), who, where))
    return found


def assign(sim: Simulator, role: str, who: str, workspace: int | None = None) -> None:
    """Give a user or group a role, at the server."""
    group = next((row.id for row in sim.master.groups.values() if row.name == who), None)
    user = sim.master.user_by_name(who)
    sim.master.role_assignments[(group or user.personal_group, ROLE_IDS[role], workspace)] = None


def fill(sim: Simulator) -> None:
    """Users ana, ben and cleo; `devs` with ana in it; the workspaces `lab` and `hut`, made by ben, who is admin there by that."""
    ids = {name: sim.master.add_user(name, active=True, password=DIGEST).id for name in ("ana", "ben", "cleo")}
    group = GroupRow(sim.master.next_id("groups"), "devs", members={ids["ana"]: None})
    sim.master.groups[group.id] = group
    assign(sim, "WorkspaceCreator", "ben")
    answer = requests.post(
        f"{sim.url}/api/v1/auth/login", json={"username": "ben", "password": INITIAL_PASSWORD}, timeout=10
    )
    header = {"Authorization": f"Bearer {answer.json()['token']}"}
    for name in ("lab", "hut"):
        made = requests.post(f"{sim.url}/api/v1/workspaces", json={"name": name}, headers=header, timeout=10)
        assert made.status_code == 200, made.text
    del sim.master.role_assignments[(sim.master.user_by_name("ben").personal_group, ROLE_IDS["WorkspaceCreator"], None)]
    sim.journal.clear()


SERVER_MADE = {("WorkspaceAdmin", "ben", "lab"), ("WorkspaceAdmin", "ben", "hut"), ("ClusterAdmin", "admin", None)}


@pytest.fixture(params=["rbac", "basic"])
def either(request: pytest.FixtureRequest) -> t.Iterator[Simulator]:
    """A master of either authorisation."""
    with Simulator(fixture="empty", authz=request.param) as sim:
        fill(sim)
        yield sim


@pytest.fixture
def rbac() -> t.Iterator[Simulator]:
    """A master that enforces RBAC."""
    with Simulator(fixture="empty", authz="rbac") as sim:
        fill(sim)
        yield sim


@pytest.fixture
def as_admin(rbac: Simulator) -> t.Iterator[Runner]:
    """Run tasks on `rbac` as its administrator."""
    runner = Runner(rbac)
    yield runner
    runner.close()


@pytest.fixture
def login(rbac: Simulator) -> t.Iterator[t.Callable[[str], Runner]]:
    """Run tasks on `rbac` as a user."""
    made: list[Runner] = []

    def new(name: str) -> Runner:
        made.append(Runner(rbac, auth_username=name, auth_password=INITIAL_PASSWORD))
        return made[-1]

    yield new
    for runner in made:
        runner.close()


# -- one

TABLE: dict[str, tuple[dict[str, t.Any], tuple[str, str, str | None]]] = {
    "user, cluster": ({"role": "Viewer", "user": "ana"}, ("Viewer", "ana", None)),
    "user, workspace": ({"role": "Editor", "user": "ana", "workspace": "lab"}, ("Editor", "ana", "lab")),
    "group, cluster": ({"role": "TokenCreator", "group": "devs"}, ("TokenCreator", "devs", None)),
    "group, workspace": ({"role": "Viewer", "group": "devs", "workspace": "hut"}, ("Viewer", "devs", "hut")),
    "admin": ({"role": "ClusterAdmin", "user": "ana"}, ("ClusterAdmin", "ana", None)),
}


@pytest.mark.parametrize("case", TABLE)
def test_one_is_predicted_made_not_made_again_and_taken_away(either: Simulator, case: str) -> None:
    run = Runner(either)
    options, granted = TABLE[case]
    before = grants(either)
    assert before == SERVER_MADE
    predicted = run.ok(OPERATION, check=True, **options)
    assert (grants(either), writes(either)) == (before, [])
    result = run.ok(OPERATION, **options)
    assert run.warnings == ([] if either.master.rbac else [NO_EFFECT])
    assert (grants(either), writes(either)) == (before | {granted}, [ADD])
    assert predicted == {**result, "requests": predicted["requests"]}
    assert result["changed"]
    made = result["role_assignment"]
    assert (made["role"], made["user"] or made["group"], made["workspace"]) == granted
    assert not made["server_made"]
    assert result["diff"] == {"before": {}, "after": made}
    again = run.ok(OPERATION, **options)
    assert (again["changed"], again["role_assignment"], run.warnings) == (False, made, [])
    gone = run.ok(OPERATION, check=True, **options, state="absent")
    assert (grants(either), writes(either)) == (before | {granted}, [])
    removed = run.ok(OPERATION, **options, state="absent")
    assert (removed["changed"], removed["role_assignment"], removed["diff"]) == (
        True,
        None,
        {"before": made, "after": {}},
    )
    assert gone["diff"] == removed["diff"]
    assert (grants(either), writes(either)) == (before, [REMOVE])
    again = run.ok(OPERATION, **options, state="absent")
    assert (again["changed"], again["role_assignment"]) == (False, None)
    assert writes(either) == []
    run.close()


@pytest.mark.parametrize(
    "options",
    [
        {"role": "Viewer", "user": "nobody"},
        {"role": "Viewer", "group": "nobodies"},
        {"role": "Viewer", "user": "ana", "workspace": "nowhere"},
        {"role": "ClusterAdmin", "user": "ana", "workspace": "lab"},
    ],
)
def test_from_whom_or_where_there_is_not_nothing_can_be_taken(as_admin: Runner, options: dict[str, t.Any]) -> None:
    assert not as_admin.ok(OPERATION, **options, state="absent")["changed"]
    assert not as_admin.ok(OPERATION, assignments=[{**options, "state": "absent"}])["changed"]
    assert as_admin.warnings == []


def test_a_misspelt_role_is_not_taken_for_one_that_is_gone(as_admin: Runner) -> None:
    options = {"role": "Viewr", "user": "admin", "state": "absent"}
    sentence = "role is 'Viewr': there is no such role, or you may not see it. Nearest: 'Viewer'."
    assert sentence in as_admin.failed(OPERATION, **options)
    assert sentence in as_admin.failed(OPERATION, assignments=[options])


def test_where_it_may_just_not_be_seen_nothing_is_said_to_be_gone(login: t.Callable[[str], Runner]) -> None:
    """Lists are cut silently by what the caller may see: ben has a right in lab, and not in Uncategorized."""
    run = login("ben")
    for workspace, words in (("lab", 0), ("Uncategorized", 1)):
        options = {"role": "Viewer", "user": "ana", "workspace": workspace, "state": "absent"}
        for task in (options, {"assignments": [options]}):
            assert not run.ok(OPERATION, **task)["changed"]
            assert len(run.warnings) == words
    assert run.warnings == [
        "workspace is 'Uncategorized': there is no such workspace, or you may not see it. That it is not there is not proved: 'ben' lacks "
        "VIEW_WORKSPACE cluster-wide, without which workspaces are left out."
    ]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"role": "Viewr", "user": "ana"},
            "role is 'Viewr': there is no such role, or you may not see it. Nearest: 'Viewer'.",
        ),
        ({"role": "viewer", "user": "ana"}, "role is 'viewer'"),
        ({"role": "Viewer", "user": "anna"}, "user is 'anna': there is no such user. Nearest: 'ana'."),
        (
            {"role": "Viewer", "group": "dev"},
            "group is 'dev': there is no such group, or you may not see it. Nearest: 'devs'.",
        ),
        (
            {"role": "Viewer", "user": "ana", "workspace": "lap"},
            "there is no such workspace, or you may not see it. Nearest: 'lab'.",
        ),
        (
            {"role": "WorkspaceCreator", "user": "ana", "workspace": "lab"},
            "workspace is 'lab': the role 'WorkspaceCreator' has permissions for the whole cluster only, so it can't be assigned in a "
            "workspace; leave workspace out, or take another role.",
        ),
    ],
)
def test_what_is_refused_after_a_look(
    rbac: Simulator, as_admin: Runner, options: dict[str, t.Any], sentence: str
) -> None:
    assert sentence in as_admin.failed(OPERATION, **options)
    assert sentence in as_admin.failed(OPERATION, assignments=[options])
    assert writes(rbac) == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "one of the following is required: role, assignments"),
        ({"role": "Viewer"}, "neither user nor group is given"),
        ({"role": "Viewer", "user": "a", "group": "b"}, "both user and group are given"),
        ({"role": "Viewer", "user": " "}, "user is empty"),
        ({"role": "", "user": "a"}, "role is empty"),
        ({"role": "Viewer", "user": "ana", "workspace": ""}, "workspace is empty"),
        ({"role": "Viewer", "user": "ana", "exclusive": True}, "exclusive is true without assignments"),
        ({"role": "Viewer", "user": "ana", "assignments": []}, "mutually exclusive"),
        ({"workspace": "lab", "assignments": []}, "mutually exclusive"),
        # It would be assigned: each entry has a state of its own, present by default.
        (
            {"state": "absent", "assignments": [{"role": "Viewer", "user": "ana"}]},
            "state is 'absent' beside assignments: it has to stand in each of them.",
        ),
        ({"assignments": [{"user": "ana"}]}, "missing required arguments: role"),
        ({"assignments": [{"role": "Viewer"}]}, "neither user nor group is given"),
        ({"assignments": [{"role": "Viewer", "user": "ana"}] * 2}, "assignments has 'Viewer:user:ana@*' twice"),
    ],
)
def test_what_is_refused_before_any_call(
    rbac: Simulator, as_admin: Runner, options: dict[str, t.Any], sentence: str
) -> None:
    assert sentence in as_admin.failed(OPERATION, **options)
    assert rbac.journal == []


# -- many


MANY = [
    {"role": "Editor", "user": "ana", "workspace": "lab"},
    {"role": "Viewer", "group": "devs", "workspace": "lab"},
    {"role": "Viewer", "user": "cleo"},
    {"role": "Viewer", "user": "cleo", "workspace": "hut", "state": "absent"},
]


def test_many_take_one_call_to_add_and_one_to_remove(either: Simulator) -> None:
    run = Runner(either)
    assign(either, "Viewer", "cleo", 3)
    assign(either, "Viewer", "devs", 2)
    before = grants(either)
    predicted = run.ok(OPERATION, check=True, assignments=MANY)
    assert (grants(either), writes(either)) == (before, [])
    result = run.ok(OPERATION, assignments=MANY)
    assert writes(either) == [ADD, REMOVE]
    assert grants(either) == SERVER_MADE | {
        ("Editor", "ana", "lab"),
        ("Viewer", "devs", "lab"),
        ("Viewer", "cleo", None),
    }
    assert {**predicted, "requests": 0} == {**result, "requests": 0}
    assert result["diff"] == {
        "before": {"role_assignments": ["Viewer:user:cleo@hut"]},
        "after": {"role_assignments": ["Editor:user:ana@lab", "Viewer:user:cleo@*"]},
    }
    shown = [(one["role"], one["user"] or one["group"], one["workspace"]) for one in result["role_assignments"]]
    assert shown == [("Editor", "ana", "lab"), ("Viewer", "devs", "lab"), ("Viewer", "cleo", None)]
    again = run.ok(OPERATION, assignments=MANY)
    assert not again["changed"]
    assert "diff" not in again
    assert again["role_assignments"] == result["role_assignments"]
    # Roles, assignments, users, groups and workspaces, each once, however many are declared.
    assert (again["requests"], writes(either), run.warnings) == (5, [], [])
    run.close()


def test_an_empty_list_that_is_not_exclusive_is_nothing(as_admin: Runner) -> None:
    result = as_admin.ok(OPERATION, assignments=[])
    assert (result["changed"], result["role_assignments"]) == (False, [])


def test_exclusive_makes_the_named_scopes_exact_and_no_others(rbac: Simulator, as_admin: Runner) -> None:
    for who, where in (("ana", 2), ("devs", 2), ("cleo", 3), ("cleo", None)):
        assign(rbac, "Viewer", who, where)
    declared = [
        {"role": "Editor", "user": "cleo", "workspace": "lab"},
        {"role": "Viewer", "user": "ana", "workspace": "lab"},
    ]
    predicted = as_admin.ok(OPERATION, check=True, assignments=declared, exclusive=True)
    result = as_admin.ok(OPERATION, assignments=declared, exclusive=True)
    assert result["diff"] == predicted["diff"]
    assert result["diff"] == {
        "before": {"role_assignments": ["Viewer:group:devs@lab"]},
        "after": {"role_assignments": ["Editor:user:cleo@lab"]},
    }
    assert grants(rbac) == SERVER_MADE | {
        ("Editor", "cleo", "lab"),
        ("Viewer", "ana", "lab"),
        ("Viewer", "cleo", "hut"),
        ("Viewer", "cleo", None),
    }
    assert not as_admin.ok(OPERATION, assignments=declared, exclusive=True)["changed"]


def test_exclusive_in_the_whole_cluster(rbac: Simulator, as_admin: Runner) -> None:
    assign(rbac, "Viewer", "cleo")
    assign(rbac, "Viewer", "cleo", 2)
    as_admin.ok(OPERATION, assignments=[{"role": "ClusterAdmin", "user": "admin"}], exclusive=True)
    assert grants(rbac) == SERVER_MADE | {("Viewer", "cleo", "lab")}


def test_a_scope_is_emptied_by_an_absent_one(rbac: Simulator, as_admin: Runner) -> None:
    assign(rbac, "Viewer", "cleo", 2)
    empty = [{"role": "Viewer", "user": "ana", "workspace": "lab", "state": "absent"}]
    assert as_admin.ok(OPERATION, assignments=empty, exclusive=True)["role_assignments"] == []
    assert grants(rbac) == SERVER_MADE
    assert "names no scope" in as_admin.failed(OPERATION, assignments=[], exclusive=True)


def test_the_creators_right_goes_only_when_told_so(rbac: Simulator, as_admin: Runner) -> None:
    assign(rbac, "WorkspaceAdmin", "ana", 2)
    assign(rbac, "Viewer", "ben", 2)
    declared = {"role": "WorkspaceAdmin", "user": "ben", "workspace": "lab"}
    as_admin.ok(OPERATION, assignments=[{**declared, "state": "absent", "user": "cleo"}], exclusive=True)
    assert grants(rbac) == SERVER_MADE
    found = as_admin.ok(OPERATION, **declared)
    assert (found["changed"], found["role_assignment"]["server_made"]) == (False, True)
    as_admin.ok(OPERATION, assignments=[{**declared, "state": "absent"}], exclusive=True)
    assert grants(rbac) == SERVER_MADE - {("WorkspaceAdmin", "ben", "lab")}


@pytest.mark.parametrize("setting", [{"enabled": False, "role_id": 2}, {"enabled": True, "role_id": 4}])
def test_the_configuration_says_what_the_creators_right_is(
    rbac: Simulator, as_admin: Runner, setting: dict[str, t.Any]
) -> None:
    rbac.master.config["security"]["authz"]["workspace_creator_assign_role"] = setting
    declared = [{"role": "Editor", "user": "ana", "workspace": "lab"}]
    as_admin.ok(OPERATION, assignments=declared, exclusive=True)
    assert grants(rbac) == SERVER_MADE - {("WorkspaceAdmin", "ben", "lab")} | {("Editor", "ana", "lab")}


def test_exclusive_needs_to_see_all(rbac: Simulator, login: t.Callable[[str], Runner]) -> None:
    assign(rbac, "Viewer", "cleo")
    assign(rbac, "Viewer", "ana", 2)
    declared = [{"role": "Viewer", "user": "cleo", "workspace": "lab"}]
    message = login("cleo").failed(OPERATION, assignments=declared, exclusive=True)
    assert message == (
        "exclusive is true, but not all role assignments can be seen: 'cleo' lacks ASSIGN_ROLES in any workspace, without "
        "which role assignments are left out."
    )
    assert writes(rbac) == []


def test_who_assigns_in_one_workspace_makes_that_one_exact(rbac: Simulator, login: t.Callable[[str], Runner]) -> None:
    assign(rbac, "WorkspaceAdmin", "cleo", 2)
    assign(rbac, "Viewer", "ana", 2)
    assign(rbac, "Viewer", "ana", 3)
    declared = [
        {"role": "WorkspaceAdmin", "user": "cleo", "workspace": "lab"},
        {"role": "Editor", "group": "devs", "workspace": "lab"},
    ]
    # The configuration can't be read, and the default is taken for granted.
    login("cleo").ok(OPERATION, assignments=declared, exclusive=True)
    assert grants(rbac) == SERVER_MADE | {
        ("WorkspaceAdmin", "cleo", "lab"),
        ("Editor", "devs", "lab"),
        ("Viewer", "ana", "hut"),
    }


# -- nobody is locked out


def test_the_last_administrator_stays(rbac: Simulator, as_admin: Runner) -> None:
    sentence = "After this no active user would hold ClusterAdmin any more: set force to true if you mean it."
    own = {"role": "ClusterAdmin", "user": "admin"}
    for check in (True, False):
        assert as_admin.failed(OPERATION, check=check, **own, state="absent") == sentence
        assert as_admin.failed(OPERATION, check=check, assignments=[{**own, "state": "absent"}]) == sentence
        everything = [{"role": "Viewer", "user": "ana"}]
        assert as_admin.failed(OPERATION, check=check, assignments=everything, exclusive=True) == sentence
    assert writes(rbac) == []
    assert grants(rbac) == SERVER_MADE
    # An inactive one does not count, nor does one in a group of inactive ones.
    assign(rbac, "ClusterAdmin", "cleo")
    inactive = rbac.master.user_by_name("cleo")
    inactive.active, inactive.rendered = False, None
    assert as_admin.failed(OPERATION, **own, state="absent") == sentence
    assert as_admin.ok(OPERATION, **own, state="absent", force=True)["changed"]


def test_the_callers_own_right_stays_unless_it_is_kept_in_another_way(rbac: Simulator, as_admin: Runner) -> None:
    assign(rbac, "ClusterAdmin", "cleo")
    own = {"role": "ClusterAdmin", "user": "admin", "state": "absent"}
    sentence = "After this 'admin', the user that this task logs in as, would take its own ClusterAdmin away"
    assert sentence in as_admin.failed(OPERATION, **own)
    # To a group without the caller is no other way.
    group = {"role": "ClusterAdmin", "group": "devs"}
    assert sentence in as_admin.failed(OPERATION, assignments=[own, group])
    rbac.master.groups[next(row.id for row in rbac.master.groups.values() if row.name == "devs")].members[1] = None
    assert as_admin.ok(OPERATION, assignments=[own, group])["changed"]
    assert ("ClusterAdmin", "admin", None) not in grants(rbac)


def test_the_callers_last_right_to_assign_stays(rbac: Simulator, login: t.Callable[[str], Runner]) -> None:
    ben = login("ben")
    for workspace in ("lab", "hut"):
        own = {"role": "WorkspaceAdmin", "user": "ben", "workspace": workspace, "state": "absent"}
        if workspace == "lab":
            assert ben.ok(OPERATION, **own)["changed"]
        else:
            message = ben.failed(OPERATION, **own)
            assert message.startswith(
                "After this 'ben', the user that this task logs in as, would take its own last right to"
            )
            assert ben.ok(OPERATION, **own, force=True)["changed"]


def test_rights_of_others_are_taken_without_ado(rbac: Simulator, as_admin: Runner) -> None:
    assign(rbac, "ClusterAdmin", "cleo")
    assert as_admin.ok(OPERATION, role="ClusterAdmin", user="cleo", state="absent")["changed"]
    assert as_admin.ok(OPERATION, role="WorkspaceAdmin", user="ben", workspace="lab", state="absent")["changed"]


def test_under_basic_authorisation_nobody_can_be_locked_out(sim: Simulator, run: Runner) -> None:
    assert run.ok(OPERATION, role="ClusterAdmin", user="admin", state="absent")["changed"]
    assert run.warnings == [NO_EFFECT]


# -- what goes wrong


@pytest.mark.parametrize("path", [ADD, REMOVE])
def test_a_lost_answer_is_settled_by_reading(rbac: Simulator, as_admin: Runner, path: str) -> None:
    declared = MANY if path == REMOVE else MANY[:3]
    assign(rbac, "Viewer", "cleo", 3)
    rbac.faults.add(Fault("lost", path=path))
    result = as_admin.ok(OPERATION, assignments=declared)
    assert result["changed"]
    assert [one["user"] or one["group"] for one in result["role_assignments"]] == ["ana", "devs", "cleo"]
    assert "all is as declared" in as_admin.warnings[0]
    assert writes(rbac) == [ADD, REMOVE][: 1 + (path == REMOVE)]
    assert (("Viewer", "cleo", "hut") in grants(rbac)) is (path == ADD)


def test_a_lost_answer_to_the_first_of_two_calls_tells_what_is_left(rbac: Simulator, as_admin: Runner) -> None:
    assign(rbac, "Viewer", "cleo", 3)
    rbac.faults.add(Fault("lost", path=ADD))
    message = as_admin.failed(OPERATION, assignments=MANY)
    assert message.endswith("Read again: Viewer:user:cleo@hut is still there.")
    assert as_admin.ok(OPERATION, assignments=MANY)["changed"]
    assert writes(rbac) == [ADD, REMOVE]


def test_what_someone_else_does_meanwhile_is_not_done_again(rbac: Simulator, as_admin: Runner) -> None:
    assign(rbac, "Editor", "ana", 2)
    stale = {"roles": [{"role": {"roleId": number, "name": name}} for name, number in ROLE_IDS.items()]}
    rbac.faults.add(Fault("shape", path="/roles/search/by-ids", body=stale))
    assert as_admin.ok(OPERATION, assignments=MANY)["changed"]
    # The first is refused whole for the one that is there, the second has the others.
    assert writes(rbac) == [ADD, ADD]
    assert grants(rbac) == SERVER_MADE | {
        ("Editor", "ana", "lab"),
        ("Viewer", "devs", "lab"),
        ("Viewer", "cleo", None),
    }
    stale = {"roles": [{"role": {"roleId": ROLE_IDS["Editor"], "name": "Editor"}}]}
    rbac.faults.add(Fault("shape", path="/roles/search/by-ids", body=stale))
    assert as_admin.ok(OPERATION, role="Editor", user="ana", workspace="lab")["changed"]
    assert "the role_assignment is as declared" in as_admin.warnings[0]


def test_a_failure_names_what_is_missing(rbac: Simulator, as_admin: Runner) -> None:
    rbac.faults.add(Fault("status", path=ADD, status=500, body={"error": {"code": 13, "error": "disk full"}}))
    message = as_admin.failed(OPERATION, assignments=MANY[:2])
    assert "disk full" in message
    assert message.endswith("Read again: Editor:user:ana@lab is missing; Viewer:group:devs@lab is missing.")


def test_without_the_right_the_servers_words_are_told(rbac: Simulator, login: t.Callable[[str], Runner]) -> None:
    ben = login("ben")
    assert ben.ok(OPERATION, role="Viewer", user="ana", workspace="lab")["changed"]
    message = ben.failed(OPERATION, role="Viewer", user="ana")
    assert "access denied; required permissions: PERMISSION_TYPE_ASSIGN_ROLES" in message
    nobody = login("cleo")
    assert "role is 'Viewer': there is no such role, or you may not see it." in nobody.failed(
        OPERATION, role="Viewer", user="ana"
    )


# -- as a part of a manifest


@pytest.mark.parametrize("authz", ["basic", "rbac"])
def test_every_assignment_declares_itself(authz: str) -> None:
    with Simulator(fixture="demo", authz=authz) as demo:
        run = Runner(demo)
        task = run.task(ROLE_ASSIGNMENT, role="any")
        found = ROLE_ASSIGNMENT.read_all(task.session, task.names)
        assert len(found) == len(demo.master.role_assignments) > 7
        for live in found:
            declared = ROLE_ASSIGNMENT.declaration(live, task.names)
            own = run.task(ROLE_ASSIGNMENT, **declared)
            assert ROLE_ASSIGNMENT.key(own.options) == ROLE_ASSIGNMENT.key_of(live, task.names)
            assert ROLE_ASSIGNMENT.find(own) == live
            assert compare(ROLE_ASSIGNMENT, live, ROLE_ASSIGNMENT.wanted(own, live)).action == "none"
            assert (ROLE_ASSIGNMENT.undeclarable(live, task.names) is None) is not live["server_made"]
            assert ROLE_ASSIGNMENT.built_in(live) is None
            assert {**ROLE_ASSIGNMENT.wanted(own, None)} == live
        keys = {ROLE_ASSIGNMENT.key_of(live, task.names) for live in found}
        assert {"ClusterAdmin:user:admin@*", "Editor:group:vision@*"} < keys
        run.close()


def test_references() -> None:
    options = {"role": "Editor", "user": None, "group": "devs", "workspace": "lab"}
    found = [(one.kind, one.key, one.option) for one in ROLE_ASSIGNMENT.references(options)]
    assert found == [("groups", "devs", "group"), ("workspaces", "lab", "workspace")]


@pytest.mark.parametrize(
    ("workspace", "number", "key"),
    [
        (None, None, "*"),
        ("lab", 2, "lab"),
        ("*", 2, "%2A"),
        ("**", 2, "**"),
        ("a@b", 2, "a%40b"),
        ("50%", 2, "50%25"),
        (None, 7, "#7"),
        ("#7", 8, "%237"),
        ("c#", 8, "c#"),
    ],
)
def test_keys_of_scopes_are_never_two_things(workspace: str | None, number: int | None, key: str) -> None:
    assert scope_key(workspace, number) == key


def test_in_a_workspace_that_is_not_seen_it_goes_by_number_and_is_left_alone(
    rbac: Simulator, login: t.Callable[[str], Runner]
) -> None:
    assign(rbac, "WorkspaceAdmin", "cleo", 2)
    run = login("cleo")
    task = run.task(ROLE_ASSIGNMENT, role="any")
    found = {
        ROLE_ASSIGNMENT.key_of(live, task.names): live for live in ROLE_ASSIGNMENT.read_all(task.session, task.names)
    }
    assert set(found) == {
        "ClusterAdmin:user:admin@*",
        "WorkspaceAdmin:user:ben@lab",
        "WorkspaceAdmin:user:cleo@lab",
        "WorkspaceAdmin:user:ben@#3",
    }
    dark = found["WorkspaceAdmin:user:ben@#3"]
    assert (dark["workspace"], dark["workspace_id"]) == (None, 3)
    why = "you may not see its workspace (id 3)"
    assert (ROLE_ASSIGNMENT.undeclarable(dark, task.names), ROLE_ASSIGNMENT.built_in(dark)) == (why, why)


# -- the info module


def test_info(rbac: Simulator, as_admin: Runner) -> None:
    assign(rbac, "Viewer", "devs", 2)
    found = as_admin.ok(INFO)
    assert (found["total"], found["changed"]) == (4, False)
    shown = [(one["role"], one["user"], one["group"], one["workspace"]) for one in found["role_assignments"]]
    assert shown == [
        ("ClusterAdmin", "admin", None, None),
        ("WorkspaceAdmin", "ben", None, "lab"),
        ("WorkspaceAdmin", "ben", None, "hut"),
        ("Viewer", None, "devs", "lab"),
    ]
    assert [one["server_made"] for one in found["role_assignments"]] == [False, True, True, False]
    for options, total in (
        ({"role": "WorkspaceAdmin"}, 2),
        ({"user": "ben"}, 2),
        ({"user": "ana"}, 0),
        ({"group": "devs"}, 1),
        ({"workspace": "lab"}, 2),
        ({"workspace": "lab", "user": "ben"}, 1),
        ({"workspace": "hut", "group": "devs"}, 0),
    ):
        result = as_admin.ok(INFO, **options)
        assert (result["total"], len(result["role_assignments"])) == (total, total), options
    limited = as_admin.ok(INFO, limit=1)
    assert (len(limited["role_assignments"]), limited["total"]) == (1, 4)
    for options in ({"role": "x"}, {"user": "x"}, {"group": "x"}, {"workspace": "x"}):
        assert "there is no such" in as_admin.failed(INFO, **options)
    assert "limit is 0" in as_admin.failed(INFO, limit=0)


def test_info_for_somebody_without_roles_is_empty(login: t.Callable[[str], Runner]) -> None:
    assert login("cleo").ok(INFO)["role_assignments"] == []
