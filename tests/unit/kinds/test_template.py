# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates, against the simulated master, and the keys that their configurations may have."""

from __future__ import annotations

import time
import typing as t

import pytest
import requests

from ansible_collections.determined.ai.plugins.module_utils._engine.compare import compare
from ansible_collections.determined.ai.plugins.module_utils._engine.entry import shown_arguments
from ansible_collections.determined.ai.plugins.module_utils._kinds.config_schema import KNOWN, wrong_keys
from ansible_collections.determined.ai.plugins.module_utils._kinds.kind import Reference
from ansible_collections.determined.ai.plugins.module_utils._kinds.lookup import Named, Names
from ansible_collections.determined.ai.plugins.module_utils._kinds.template import TEMPLATE
from ansible_collections.determined.ai.plugins.modules.det_template import OPERATION
from ansible_collections.determined.ai.plugins.modules.det_template_info import OPERATION as INFO
from tests.simulator import Fault, Simulator
from tests.simulator.config_rules import Rule
from tests.simulator.expconf_schema import EXPERIMENT
from tests.unit.conftest import ADMIN, Runner

CANARY = "CANARY-template-secret"
CONFIG: dict[str, t.Any] = {
    "resources": {"slots_per_trial": 4, "weight": 1.5},
    "environment": {"environment_variables": ["NCCL_DEBUG=INFO", f"API_TOKEN={CANARY}"]},
    "hyperparameters": {"rate": {"type": "log", "base": 10, "minval": -4, "maxval": -1}},
}


def writes(sim: Simulator) -> list[tuple[str, str]]:
    """What the journal holds beside reads and logins."""
    return [(entry.method, entry.path) for entry in sim.journal if entry.method != "GET" and "/auth/" not in entry.path]


def call(sim: Simulator, method: str, path: str, body: t.Any = None) -> t.Any:
    """Make a call of the test's own."""
    header = {"Authorization": f"Bearer {sim.login()}"}
    answer = requests.request(method, f"{sim.url}/api/v1/{path}", json=body, headers=header, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def lab(sim: Simulator) -> int:
    """A workspace `lab`; returns its id."""
    return int(call(sim, "POST", "workspaces", {"name": "lab"})["workspace"]["id"])


def test_life_of_a_template(sim: Simulator, run: Runner) -> None:
    predicted = run.ok(OPERATION, check=True, name="four", config=CONFIG)
    assert writes(sim) == []
    created = run.ok(OPERATION, name="four", config=CONFIG)
    assert created["changed"]
    assert created == {**predicted, "requests": 2}
    masked = ["NCCL_DEBUG=INFO", "API_TOKEN=********"]
    assert created["template"] == {
        "name": "four",
        "config": {**CONFIG, "environment": {"environment_variables": masked}},
        "workspace_id": 1,
    }
    assert created["diff"] == {"before": {}, "after": created["template"]}
    assert call(sim, "GET", "templates/four")["template"]["config"] == CONFIG
    again = run.ok(OPERATION, name="four", config=CONFIG)
    assert again == {"changed": False, "template": created["template"], "requests": 1}
    assert run.ok(OPERATION, name="four")["requests"] == 1
    for check in (True, False):
        gone = run.ok(OPERATION, check=check, name="four", state="absent")
        assert gone["changed"]
        assert gone["template"] is None
        assert gone["diff"] == {"before": created["template"], "after": {}}
        assert CANARY not in str(gone)
    absent = run.ok(OPERATION, name="four", state="absent")
    assert absent == {"changed": False, "template": None, "requests": 1}


TABLE: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], int]] = {
    "config": ({"config": {"max_restarts": 1}}, {"config": {"max_restarts": 1}}, 1),
    "config emptied": ({"config": {}}, {"config": {}}, 1),
    "moved": ({"workspace": "lab"}, {"workspace_id": 2}, 2),
    "moved and edited": (
        {"workspace": "lab", "config": {"debug": True}},
        {"workspace_id": 2, "config": {"debug": True}},
        2,
    ),
    "renamed": ({"new_name": "beta"}, {"name": "beta"}, 2),
    "everything": (
        {"new_name": "b % é'\"" + "x" * 300, "workspace": "lab", "config": {"name": "n"}},
        {"name": "b % é'\"" + "x" * 300, "workspace_id": 2, "config": {"name": "n"}},
        3,
    ),
}


@pytest.mark.parametrize("case", TABLE)
@pytest.mark.usefixtures("lab")
def test_a_change_is_predicted_made_and_not_made_again(sim: Simulator, run: Runner, case: str) -> None:
    declared, differs, calls = TABLE[case]
    created = run.ok(OPERATION, name="alpha", config=CONFIG)["template"]
    options = {"name": "alpha", **declared}
    sim.journal.clear()
    predicted = run.ok(OPERATION, check=True, **options)
    assert writes(sim) == []
    result = run.ok(OPERATION, **options)
    assert result["changed"]
    assert result["template"] == {**created, **differs}
    assert predicted["template"] == result["template"]
    assert predicted["diff"] == result["diff"]
    assert result["diff"] == {"before": created, "after": result["template"]}
    assert CANARY not in str(result)
    again = run.ok(OPERATION, **options)
    assert again == {"changed": False, "template": result["template"], "requests": calls}


def test_a_name_that_no_path_carries_is_refused_before_any_call(sim: Simulator, run: Runner) -> None:
    for option, other in (("name", {}), ("new_name", {"name": "x"})):
        for name in ("", "a/b", "a:b", ".", ".."):
            message = run.failed(OPERATION, **{option: name, **other}, config={})
            assert message.startswith(f"{option}: ")
            assert repr(name) in message
    assert [entry for entry in sim.journal if "/templates" in entry.path] == []


def test_names_of_any_other_characters_work(run: Runner) -> None:
    for name in ("a b", " a ", "100%", "quo'te\"s", "模板", "%2F", "a+b;c?d#e", "y" * 300):
        assert run.ok(OPERATION, name=name, config={"name": "n"})["template"]["name"] == name
        assert not run.ok(OPERATION, name=name, config={"name": "n"})["changed"]
        found = run.ok(INFO, name=name)
        assert [item["name"] for item in found["templates"]] == [name]


def test_options_that_do_not_fit_are_refused(run: Runner) -> None:
    assert "new_name is given with state absent" in run.failed(OPERATION, name="a", new_name="b", state="absent")
    assert "workspace is empty" in run.failed(OPERATION, name="a", workspace="", config={})
    assert "needs config" in run.failed(OPERATION, name="a")
    run.ok(OPERATION, name="a", config={})
    run.ok(OPERATION, name="b", config={})
    assert "'b': that template exists already, and so does 'a'" in run.failed(OPERATION, name="a", new_name="b")


def test_that_one_is_gone_is_not_said_by_who_may_not_see_it() -> None:
    with Simulator(fixture="demo", authz="rbac") as demo:
        blind = Runner(demo, **{**ADMIN, "auth_username": "hugo.martin"})
        assert not blind.ok(OPERATION, name="gpu-large", state="absent")["changed"]
        assert len(blind.warnings) == 1
        assert "template 'gpu-large' not found, please check your permissions." in blind.warnings[0]
        assert "not proved: 'hugo.martin' lacks VIEW_TEMPLATES cluster-wide" in blind.warnings[0]
        blind.close()
        whole = Runner(demo, **{**ADMIN, "auth_username": "grace.lindqvist"})
        assert not whole.ok(OPERATION, name="none", state="absent")["changed"]
        assert whole.warnings == []
        whole.close()


def test_a_rename_of_what_is_nowhere_creates_it_under_the_new_name(run: Runner) -> None:
    predicted = run.ok(OPERATION, check=True, name="old", new_name="new", config={"debug": True})
    result = run.ok(OPERATION, name="old", new_name="new", config={"debug": True})
    assert result["template"] == predicted["template"] == {"name": "new", "config": {"debug": True}, "workspace_id": 1}


def test_a_workspace_that_is_unknown_or_archived_is_refused(sim: Simulator, run: Runner, lab: int) -> None:
    message = run.failed(OPERATION, name="a", config={}, workspace="Uncategorised")
    assert "'Uncategorised'" in message
    assert "Nearest: 'Uncategorized'" in message
    run.ok(OPERATION, name="there", config={}, workspace="lab")
    run.ok(OPERATION, name="here", config={})
    call(sim, "POST", f"workspaces/{lab}/archive")
    for name in ("new", "here"):
        assert "'lab': it is archived" in run.failed(OPERATION, name=name, config={}, workspace="lab")
    assert not run.ok(OPERATION, name="there", workspace="lab")["changed"]
    edited = run.ok(OPERATION, name="there", workspace="lab", config={"debug": True})
    assert edited["template"]["workspace_id"] == lab


SAME: list[tuple[t.Any, t.Any, bool]] = [
    (1, 1.0, True),
    (1.5, 1.5, True),
    (2**53 + 1, 2**53, True),
    (1e300, 10**300, True),
    (1, True, False),
    (0, False, False),
    (1, "1", False),
    (None, 0, False),
    (None, {}, False),
    ([1, 2], [2, 1], False),
    ([1, 2], [1.0, 2], True),
    ({"a": 1, "b": 2}, {"b": 2.0, "a": 1}, True),
    ({"a": 1}, {"a": 1, "b": None}, False),
]


@pytest.mark.parametrize(("before", "declared", "same"), SAME)
def test_comparison_of_values(run: Runner, before: t.Any, declared: t.Any, same: bool) -> None:
    run.ok(OPERATION, name="a", config={"data": {"value": before}})
    predicted = run.ok(OPERATION, check=True, name="a", config={"data": {"value": declared}})
    result = run.ok(OPERATION, name="a", config={"data": {"value": declared}})
    assert result["changed"] is not same
    assert predicted["template"] == result["template"]
    assert not run.ok(OPERATION, name="a", config={"data": {"value": declared}})["changed"]


def test_check_mode_predicts_numbers_as_the_server_returns_them(run: Runner) -> None:
    config = {"data": {"whole": 3.0, "part": 0.1, "large": 2**53 + 1, "list": [1.0], "truth": True}}
    predicted = run.ok(OPERATION, check=True, name="a", config=config)["template"]["config"]["data"]
    assert repr(predicted["whole"]) == "3"
    assert repr(predicted["list"]) == "[1]"
    assert predicted["large"] == 2**53
    assert predicted["truth"] is True
    assert run.ok(OPERATION, name="a", config=config)["template"]["config"]["data"] == predicted


@pytest.mark.parametrize("validate", ["schema", "server", "none"])
@pytest.mark.parametrize("check", [True, False])
def test_what_json_can_not_hold_is_refused(sim: Simulator, run: Runner, validate: str, check: bool) -> None:
    config = {"data": {"a": float("inf"), "b": [1, float("nan")], "c": 10**400, "d": b"text"}}
    message = run.failed(OPERATION, check, name="a", config=config, validate=validate)
    places = (
        "inf at config.data.a, nan at config.data.b[1], too large a number at config.data.c, bytes at config.data.d."
    )
    assert message == f"config holds what can't be stored and read back: {places}"
    assert sim.journal == []


def test_what_no_client_could_read_any_more_is_refused(run: Runner) -> None:
    deep: t.Any = 1
    for _level in range(98):
        deep = [deep]
    config = {"data": {"deep": deep}}
    assert run.ok(OPERATION, name="a", config=config)["template"]["config"] == config
    message = run.failed(OPERATION, name="a", config={"data": {"deep": [deep]}})
    assert "more than 100 levels at config.data.deep[0]" in message


def test_all_wrong_keys_are_told_at_once_with_the_nearest_right_ones(sim: Simulator, run: Runner) -> None:
    config = {
        "resource": {"slots": 1},
        "resources": {"slot_per_trial": 1, "max_restarts": 2, "devices": [{"hostpath": "/dev/x"}, "/dev/y:/dev/y"]},
        "searcher": {"Metric": "loss", "max_lenght": {"batches": 1}, "max_length": {"batchs": 1}},
        "checkpoint_storage": {"type": "s3", "acess_key": "x"},
        "bind_mounts": [{"host_path": "/a", "container_path": "/b"}, {"hostPath": "/a"}],
        "slots_per_trial": 4,
        "environment": {"registry_auth": {"server": "x"}, "shm_size": 1, "image": {"cpu": "a", "cudda": "b"}},
        "log_policies": [{"pattern": "x", "action": {"typ": "cancel_retries"}}],
    }
    right = {
        "resource": "resources",
        "resources.slot_per_trial": "resources.slots_per_trial",
        "resources.max_restarts": "max_restarts",
        "resources.devices[0].hostpath": "resources.devices[0].host_path",
        "searcher.Metric": "searcher.metric",
        "searcher.max_lenght": "searcher.max_length",
        "searcher.max_length.batchs": "searcher.max_length.batches",
        "checkpoint_storage.acess_key": "checkpoint_storage.access_key",
        "bind_mounts[1].hostPath": "bind_mounts[1].host_path",
        "slots_per_trial": "resources.slots_per_trial",
        "environment.registry_auth.server": "environment.registry_auth.serveraddress",
        "environment.shm_size": "resources.shm_size",
        "environment.image.cudda": "environment.image.cuda",
        "log_policies[0].action.typ": "log_policies[0].action.type",
    }
    message = run.failed(OPERATION, name="a", config=config)
    assert "\n" not in message
    for wrong, nearest in right.items():
        assert f" {wrong} (nearest: {nearest})" in message
    assert message.count("(nearest: ") == len(right)
    assert [entry for entry in sim.journal if "/templates" in entry.path] == []
    assert run.ok(OPERATION, name="a", config=config, validate="none")["changed"]
    assert run.ok(OPERATION, name="a", config=config, state="absent")["changed"]


def test_of_many_wrong_keys_the_first_are_told(run: Runner) -> None:
    """Each takes milliseconds to find the nearest right one, and a message of thousands helps nobody."""
    config = {f"wrong{number}": 1 for number in range(3000)}
    start = time.monotonic()
    message = run.failed(OPERATION, name="a", config=config)
    assert time.monotonic() - start < 3
    assert "wrong19 (nearest: " in message
    assert "wrong20" not in message
    assert " and more. With" in message


def test_free_parts_take_any_key() -> None:
    assert not wrong_keys(
        {
            "hyperparameters": {"any": {"type": "const", "val": {"thing": 1}}},
            "data": {"any": {"thing": 1}, "secrets": {"x": "y"}},
            "integrations": {"pachyderm": {"any": 1}, "webhooks": {"exclude": True}},
            "environment": {
                "environment_variables": {"cpu": ["A=1"], "gpu": ["B=2"]},
                "pod_spec": {"spec": {"containers": [{"name": "determined-container"}]}},
                "ports": {"anything": 8080},
            },
        }
    )


FREE = {
    "data",
    "hyperparameters",
    "integrations",
    "environment_variables",
    "pod_spec",
    "ports",
    "data_layer",
    "internal",
}
"""Keys of an experiment's configuration below which anything may stand."""

TASKS = ["idle_timeout", "notebook_idle_type", "tensorboard_args", "work_dir"]
"""What CommandConfig (master/pkg/model/command_config.go) of the release has and no experiment."""


def mismatch(known: dict[str, t.Any], rules: list[Rule], path: str) -> t.Iterator[str]:
    """Where the known keys and those that the simulated master takes differ."""
    named: dict[str, list[Rule]] = {}
    for rule in rules:
        for name, inner in rule.named_keys():
            named.setdefault(name, []).append(inner)
    for name in sorted(known.keys() ^ named.keys()):
        yield f"{path}{name}"
    for name, below in known.items():
        inside = [] if name in FREE else [key for inner in named.get(name, []) for key, _inner in inner.named_keys()]
        if below is not None:
            yield from mismatch(below, named.get(name, []), f"{path}{name}.")
        elif inside:
            yield f"{path}{name}.{inside[0]}"


def test_the_known_keys_are_those_that_the_master_takes() -> None:
    differs = set(mismatch(KNOWN, [EXPERIMENT], ""))
    # Storage types share one table, of which tensorboard_storage takes the first three types only.
    azure = {
        f"tensorboard_storage.{name}"
        for name in ("container", "connection_string", "account_url", "credential", "user")
    }
    assert differs == {*TASKS, *azure}


@pytest.mark.parametrize("key", [True, False, "True", "false"])
def test_a_key_that_yaml_took_for_a_boolean_is_refused(run: Runner, key: t.Any) -> None:
    for config in ({"hyperparameters": {"deep": [{key: 1}]}}, {"hyperparameters": {"deep": [{"a": {key: 1}}]}}):
        for validate in ("schema", "server"):
            message = run.failed(OPERATION, name="a", config=config, validate=validate)
            assert "boolean as a key at hyperparameters.deep[0]." in message
            assert "quotes" in message


def test_a_mask_is_refused_with_its_place(run: Runner) -> None:
    config = {
        "environment": {"environment_variables": ["A=1", "TOKEN=********"], "registry_auth": {"password": "********"}},
        "description": "a banner ************ is no mask",
    }
    message = run.failed(OPERATION, name="a", config=config, validate="none")
    assert "config.environment.environment_variables[1], config.environment.registry_auth.password:" in message


def test_a_changed_secret_is_shown_as_changed_and_not_at_all(run: Runner) -> None:
    def config(token: str, password: str, *variables: str) -> dict[str, t.Any]:
        return {
            "environment": {
                "environment_variables": [*variables, f"TOKEN={token}", "PLAIN=1"],
                "registry_auth": {"username": "u", "password": password},
            },
            "data": {"url": f"https://u:{password}@host/x"},
        }

    run.ok(OPERATION, name="a", config=config("CANARY-1", "CANARY-2"))
    first = run.ok(OPERATION, name="a", config=config("CANARY-3", "CANARY-4"))
    after = first["diff"]["after"]["config"]
    assert after["environment"]["environment_variables"] == ["TOKEN=******** (changed)", "PLAIN=1"]
    assert after["environment"]["registry_auth"] == {"username": "u", "password": "******** (changed)"}
    assert after["data"]["url"] == "https://u:********@host/x (changed)"
    assert first["template"]["config"]["environment"]["environment_variables"] == ["TOKEN=********", "PLAIN=1"]
    moved = run.ok(OPERATION, name="a", config=config("CANARY-3", "CANARY-4", "NEW=1"))
    after = moved["diff"]["after"]["config"]
    assert after["environment"]["environment_variables"] == ["NEW=1", "TOKEN=********", "PLAIN=1"]
    both = run.ok(OPERATION, name="a", config=config("CANARY-5", "CANARY-4", "NEWER=1", "NEW=1"))
    after = both["diff"]["after"]["config"]
    assert after["environment"]["environment_variables"] == ["NEWER=1", "NEW=1", "TOKEN=******** (changed)", "PLAIN=1"]
    for result in (first, moved, both):
        assert "CANARY" not in str(result)


PARTIAL: list[dict[str, t.Any]] = [
    {},
    {"searcher": {"name": "adaptive_asha", "mode": "standard"}},
    {"searcher": {"name": "async_halving"}},
    {"searcher": {"name": "random", "max_concurrent_trials": 2}},
    {"searcher": {"name": "grid"}},
    {"searcher": {"metric": "accuracy"}},
    {"checkpoint_storage": {"type": "s3"}},
    {"checkpoint_storage": {"type": "gcs", "save_trial_best": 2}},
    {"checkpoint_storage": {"type": "azure", "account_url": "https://x.example.org"}},
    {"checkpoint_storage": {"type": "directory"}},
    {"checkpoint_storage": {"save_trial_best": 2}},
    {"workspace": "lab"},
    {"description": 'emoji 🚀 and "quotes"', "labels": ["y", "no"]},
]


@pytest.mark.parametrize("config", PARTIAL)
def test_the_master_accepts_what_leaves_the_rest_to_its_users(
    sim: Simulator, run: Runner, config: dict[str, t.Any]
) -> None:
    result = run.ok(OPERATION, check=True, name="a", config=config, validate="server")
    assert result["changed"]
    assert writes(sim) == [("POST", "/api/v1/experiments")]
    assert call(sim, "GET", "experiments")["experiments"] == []
    assert call(sim, "GET", "templates")["templates"] == []


def test_the_masters_refusal_is_told_in_check_mode_too(sim: Simulator, run: Runner) -> None:
    for check in (True, False):
        result = run(OPERATION, check=check, name="a", config={"max_restarts": "two", "labels": "x"}, validate="server")
        assert result["failed"]
        assert "refused by the master" in result["msg"]
        assert "<config>.max_restarts" in result["msg"]
        assert "\n" not in result["msg"]
        assert result["failure"]["path"] == "/api/v1/experiments"
        assert result["failure"]["message"] in result["msg"]
    assert "'none/such' not found" in run.failed(
        OPERATION, name="a", config={"workspace": "none", "project": "such"}, validate="server"
    )
    assert "idle_timeout" in run.failed(OPERATION, name="a", config={"idle_timeout": "1h"}, validate="server")
    assert run.ok(OPERATION, name="a", config={"idle_timeout": "1h"})["changed"]
    assert call(sim, "GET", "templates")["pagination"]["total"] == 1


def test_a_secret_in_the_masters_refusal_is_masked(sim: Simulator, run: Runner) -> None:
    said = {"error": {"code": 13, "error": f"bad url https://u:{CANARY}@host/x"}}
    sim.faults.add(Fault("status", method="POST", path="/experiments", status=500, body=said))
    result = run(OPERATION, name="a", config={"name": "n"}, validate="server")
    assert result["failure"]["message"] == "bad url https://u:********@host/x"
    assert CANARY not in str(result)


def test_the_master_is_asked_only_before_a_write(run: Runner) -> None:
    run.ok(OPERATION, name="a", config={"labels": "not a list"})
    assert run.ok(OPERATION, name="a", config={"labels": "not a list"}, validate="server")["requests"] == 1


def test_a_lost_answer_is_settled_by_reading(sim: Simulator, run: Runner) -> None:
    sim.faults.add(Fault("lost", method="POST", path=r"/templates/a$"))
    result = run.ok(OPERATION, name="a", config={"debug": True})
    assert result["changed"]
    assert run.warnings
    sim.faults.add(Fault("lost", method="PATCH", path=r"/templates/a$"))
    assert run.ok(OPERATION, name="a", config={"debug": False})["template"]["config"] == {"debug": False}


def test_a_taken_name_that_can_not_be_seen_is_explained(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, name="hidden", config={"debug": True})
    unseen = {"error": {"code": 5, "error": "template 'hidden' not found"}}
    sim.faults.add(Fault("status", method="GET", path=r"/templates/hidden$", count=2, status=404, body=unseen))
    message = run.failed(OPERATION, name="hidden", config={"debug": True})
    assert "names are unique over all workspaces" in message
    assert "no such template was created" in message


@pytest.fixture
def some(sim: Simulator, run: Runner, lab: int) -> None:
    for name, workspace in (
        ("Alpha_1", "lab"),
        ("alphaX1", "Uncategorized"),
        ("100% beta", "lab"),
        ("back\\slash", "lab"),
    ):
        run.ok(OPERATION, name=name, workspace=workspace, config={"data": {"secrets": {"x": CANARY}}})
    call(sim, "PATCH", "template/rename", {"oldName": "back\\slash", "newName": "team/back\\slash"})


@pytest.mark.usefixtures("some")
def test_info_filters(run: Runner) -> None:
    def names(**options: t.Any) -> list[str]:
        found = run.ok(INFO, **options)
        assert not found["changed"]
        assert found["total"] >= len(found["templates"])
        return [item["name"] for item in found["templates"]]

    assert names() == ["100% beta", "Alpha_1", "alphaX1", "team/back\\slash"]
    assert names(limit=2) == ["100% beta", "Alpha_1"]
    assert run.ok(INFO, limit=2)["total"] == 4
    assert names(name="alphaX1") == ["alphaX1"]
    assert names(name="ALPHAX1") == []
    assert names(name="") == []
    assert names(name="team/back\\slash") == ["team/back\\slash"]
    assert names(name="Alpha_1", workspace="Uncategorized") == []
    assert names(name_contains="ALPHA") == ["Alpha_1", "alphaX1"]
    assert names(name_contains="a_1") == ["Alpha_1"]
    assert names(name_contains="%") == ["100% beta"]
    assert names(name_contains="K\\S") == ["team/back\\slash"]
    assert names(workspace="lab", name_contains="alpha") == ["Alpha_1"]
    assert "Nearest: 'lab'" in run.failed(INFO, workspace="labs")
    assert "limit is 0" in run.failed(INFO, limit=0)
    assert run.ok(INFO)["requests"] == run.ok(INFO, name="alphaX1")["requests"] == 1


@pytest.mark.usefixtures("some")
def test_info_masks_secrets_unless_asked(run: Runner) -> None:
    for options in ({}, {"name": "Alpha_1"}):
        found = run.ok(INFO, **options)
        assert all(item["config"] == {"data": {"secrets": {"x": "********"}}} for item in found["templates"])
        shown = run.ok(INFO, **options, reveal_secrets=True)
        assert all(item["config"] == {"data": {"secrets": {"x": CANARY}}} for item in shown["templates"])


def test_more_than_a_hundred_templates_are_listed_whole(sim: Simulator, run: Runner) -> None:
    for number in range(105):
        call(sim, "POST", f"templates/t{number:03}", {"config": {}})
    found = run.ok(INFO)
    assert len(found["templates"]) == found["total"] == 105
    assert found["requests"] == 1


def test_the_invocation_shows_no_secrets() -> None:
    config = {"environment": {"environment_variables": ["A=1", f"API_TOKEN={CANARY}"]}}
    shown = shown_arguments(OPERATION, {"name": "a", "config": config, "auth_password": CANARY, "auth_token": None})
    assert shown == {
        "name": "a",
        "config": {"environment": {"environment_variables": ["A=1", "API_TOKEN=********"]}},
        "auth_password": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER",
        "auth_token": None,
    }


# --- places that keep what is live ---


def test_a_place_is_kept(sim: Simulator, run: Runner) -> None:
    run.ok(OPERATION, name="a", config=CONFIG)
    kept = {**CONFIG, "environment": {"environment_variables": ["NCCL_DEBUG=INFO", "<keep>"]}}
    assert not run.ok(OPERATION, name="a", config=kept)["changed"]
    edited = {**kept, "resources": {"slots_per_trial": 2, "weight": "<keep>"}}
    predicted = run.ok(OPERATION, check=True, name="a", config=edited)
    result = run.ok(OPERATION, name="a", config=edited)
    assert result["template"] == predicted["template"]
    assert CANARY not in f"{predicted} {result}"
    assert call(sim, "GET", "templates/a")["template"]["config"] == {
        **CONFIG,
        "resources": {"slots_per_trial": 2, "weight": 1.5},
    }


def test_there_must_be_something_to_keep(run: Runner) -> None:
    wanted = {"config": {"resources": {"weight": "<keep>"}}}
    sentence = "config.resources.weight is <keep>: there is nothing to keep, give the value itself."
    assert run.failed(OPERATION, name="a", **wanted) == sentence
    run.ok(OPERATION, name="a", config={"resources": {}})
    assert run.failed(OPERATION, check=True, name="a", **wanted) == sentence


# --- as a plan uses it ---


def test_a_declaration_of_what_is_there_changes_nothing(demo: Simulator, run_demo: Runner) -> None:
    task = run_demo.task(TEMPLATE, name="x")
    names = task.names
    names.all_workspaces()
    before = task.session.requests
    found = TEMPLATE.read_all(task.session, names)
    assert task.session.requests - before == 1
    declared = {live["name"]: TEMPLATE.declaration(live, names) for live in found}
    assert "CANARY" not in str(declared)
    for live in found:
        again = run_demo.task(TEMPLATE, **declared[live["name"]])
        TEMPLATE.check(again.options)
        assert TEMPLATE.key(again.options) == TEMPLATE.key_of(live, names)
        assert compare(TEMPLATE, live, TEMPLATE.wanted(again, live)).action == "none"
        assert TEMPLATE.undeclarable(live, names) is None
    assert declared["cpu-small"] == {
        "name": "cpu-small",
        "config": {"resources": {"slots_per_trial": 0}, "max_restarts": 1},
    }
    assert declared["private-registry"] == {
        "name": "private-registry",
        "workspace": "production",
        "config": {
            "environment": {
                "image": {"cpu": "registry.example.org/train:1.4", "cuda": "registry.example.org/train:1.4-cuda"},
                "registry_auth": {"username": "puller", "password": "<keep>"},
                "environment_variables": ["OMP_NUM_THREADS=4", "<keep>"],
            }
        },
    }
    assert len(declared) == 6


class Planned(Names):
    """Names of a plan: the workspace `new` is not there yet."""

    def workspace(self, option: str, name: str) -> Named:
        return Named(id=-7, name=name)


def test_a_workspace_that_is_only_planned(run: Runner) -> None:
    run.ok(OPERATION, name="a", config={})
    task = run.task(TEMPLATE, name="a", config={}, workspace="new")
    task.names = Planned(task.session)
    assert TEMPLATE.wanted(task, None) == {"name": "a", "config": {}, "workspace_id": -7}
    live = {"name": "a", "config": {}, "workspace_id": 1}
    assert compare(TEMPLATE, live, TEMPLATE.wanted(task, live)).fields == {"workspace_id": -7}
    assert list(TEMPLATE.references(task.options)) == [Reference("workspaces", "new", "workspace")]
    assert list(TEMPLATE.references(run.task(TEMPLATE, name="a").options)) == []


def test_what_the_server_holds_and_no_manifest_can_declare(sim: Simulator, run: Runner) -> None:
    for name, config in (("plain", {}), ("typo", {"resuorces": {}}), ("mask", {"name": "********"})):
        call(sim, "POST", f"templates/{name}", {"config": config})
    for name in ("a/b", "a:b", ""):
        call(sim, "POST", "templates/made", {"config": {}})
        call(sim, "PATCH", "template/rename", {"oldName": "made", "newName": name})
    task = run.task(TEMPLATE, name="x")
    why = {
        live["name"]: TEMPLATE.undeclarable(live, task.names) for live in TEMPLATE.read_all(task.session, task.names)
    }
    assert why.pop("plain") is None
    assert "resuorces (nearest: resources)" in (why.pop("typo") or "")
    assert "config holds a mask (asterisks) at config.name" in (why.pop("mask") or "")
    assert why.keys() == {"a/b", "a:b", ""}
    assert all("cannot be reached" in (reason or "") for reason in why.values())
    hidden = {"name": "plain", "config": {}, "workspace_id": 9}
    assert TEMPLATE.undeclarable(hidden, task.names) == "its workspace (id 9) can't be seen"


def test_a_rename_as_options(run: Runner) -> None:
    options = TEMPLATE.renamed({"name": "new", "config": {}}, "old")
    assert options == {"name": "old", "new_name": "new", "config": {}}
    assert TEMPLATE.switches == {"new_name", "validate"}
