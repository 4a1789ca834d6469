# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's description, against the simulated master."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.determined.ai.plugins.modules.det_cluster_info import OPERATION
from tests.simulator import Fault, Simulator
from tests.unit.conftest import Runner

MASK = "********"
EVERYTHING = ["master", "health", "config", "resource_pools", "agents"]
UNKNOWN_ROUTE = {"error": {"code": 12, "reason": "Unimplemented", "error": "Not Implemented"}}


@pytest.fixture
def stranger(demo: Simulator) -> t.Iterator[Runner]:
    """Runs tasks without any credentials."""
    runner = Runner(demo, auth_token=None)
    yield runner
    runner.close()


def test_the_master_alone_takes_one_call_and_no_login(demo: Simulator, run_demo: Runner) -> None:
    result = run_demo.ok(OPERATION)
    assert [(entry.method, entry.path) for entry in demo.journal] == [("GET", "/api/v1/master")]
    assert result["changed"] is False
    assert result["requests"] == 1
    cluster = result["cluster"]
    assert cluster["cluster_id"] == demo.master.cluster_id
    assert cluster["master_id"] == demo.master.master_id
    assert cluster["version"] == "0.38.1"
    assert cluster["rbac_enabled"] is False
    assert cluster["cluster_message"] is None
    assert set(EVERYTHING).isdisjoint(cluster)


def test_without_credentials_no_token_is_sent(demo: Simulator, stranger: Runner) -> None:
    assert stranger.ok(OPERATION)["cluster"]["cluster_id"] == demo.master.cluster_id
    assert "authorization" not in demo.app.recent_headers[-1]


@pytest.mark.parametrize("part", ["health", "config", "resource_pools", "agents"])
def test_without_credentials_the_rest_is_refused_in_a_sentence(demo: Simulator, stranger: Runner, part: str) -> None:
    result = stranger(OPERATION, gather=["master", part])
    assert result["failed"]
    assert result["msg"].startswith(f"gather has '{part}', which takes ")
    assert "no credentials are given: set auth_token, or auth_username and auth_password" in result["msg"]
    assert result["failure"]["status"] == 401
    assert all("authorization" not in headers for headers in demo.app.recent_headers)


def test_without_the_right_to_it_the_config_is_refused_in_a_sentence(demo: Simulator) -> None:
    runner = Runner(demo, auth_username="grace.lindqvist", auth_password="Passw0rd-demo")
    result = runner(OPERATION, gather=["config"])
    runner.close()
    assert result["msg"] == (
        "gather has 'config', which takes an administrator, under RBAC the permission VIEW_MASTER_CONFIG: "
        "GET /api/v1/master/config: HTTP 403: user does not have permission (it says so to a deactivated user, too)"
    )


def test_everything(demo: Simulator, run_demo: Runner) -> None:
    result = run_demo.ok(OPERATION, gather=EVERYTHING)
    assert result["requests"] == 5
    cluster = result["cluster"]
    assert cluster["health"] == {
        "status": "up",
        "database": "up",
        "resource_managers": [{"cluster_name": "default", "status": "up"}],
    }
    pools = {pool["name"]: pool for pool in cluster["resource_pools"]}
    assert set(pools) == set(demo.master.resource_pools)
    for name, pool in pools.items():
        rows = [row for row in demo.master.agents.values() if row.resource_pool == name]
        assert pool["num_agents"] == len(rows)
        assert pool["slots_available"] == sum(slot.enabled for row in rows for slot in row.slots.values())
        assert pool["stats"].keys() == {"queued_count", "scheduled_count"}
    assert [agent["id"] for agent in cluster["agents"]] == sorted(demo.master.agents)
    for agent in cluster["agents"]:
        row = demo.master.agents[agent["id"]]
        assert [int(slot["id"]) for slot in agent["slots"]] == sorted(row.slots)
        assert agent["resource_pools"] == [row.resource_pool]
        held = {slot["container"]["id"] for slot in agent["slots"] if slot["container"]}
        assert held <= {container["id"] for container in agent["containers"]}
    assert cluster["config"]["port"] == 8080


def test_slots_are_in_the_order_of_their_numbers(demo: Simulator, run_demo: Runner) -> None:
    slots = {f"/agents/a/slots/{number}": {"id": str(number), "device": None} for number in (10, 9, 2)}
    demo.faults.add(Fault("shape", path="/agents$", body={"agents": [{"id": "a", "slots": slots, "containers": None}]}))
    agent = run_demo.ok(OPERATION, gather=["agents"])["cluster"]["agents"][0]
    assert [slot["id"] for slot in agent["slots"]] == ["2", "9", "10"]


def test_secrets_that_the_master_leaves_in_clear_are_masked(demo: Simulator, run_demo: Runner) -> None:
    config = demo.master.config
    config["webhooks"]["signing_key"] = "CANARY-1"
    config["oidc"]["client_secret"] = "CANARY-2"
    config["scim"]["auth"] = {"type": "basic", "username": "scim", "password": "CANARY-3"}
    config["checkpoint_storage"] = {"type": "azure", "container": "c", "connection_string": "CANARY-4"}
    config["resource_pools"][0]["task_container_defaults"] = {
        "registry_auth": {"username": "puller", "password": "CANARY-5"},
        "environment_variables": {"cuda": ["HF_TOKEN=CANARY-6", "NCCL_DEBUG=INFO"], "cpu": []},
    }
    config["task_container_defaults"]["environment_variables"] = ["WANDB_API_KEY=CANARY-7"]
    config["__internal"]["external_sessions"]["jwt_key"] = "CANARY-8"
    result = run_demo.ok(OPERATION, gather=["config"])
    assert "CANARY" not in str(result)
    shown = result["cluster"]["config"]
    assert shown["webhooks"]["signing_key"] == MASK
    assert shown["scim"]["auth"] == {"type": "basic", "username": "scim", "password": MASK}
    pool = shown["resource_pools"][0]["task_container_defaults"]
    assert pool["registry_auth"] == {"username": "puller", "password": MASK}
    assert pool["environment_variables"]["cuda"] == [f"HF_TOKEN={MASK}", "NCCL_DEBUG=INFO"]
    # What is no secret stays as it is.
    assert shown["security"]["token"] == {"default_lifespan_days": 30, "max_lifespan_days": 30}
    assert shown["security"]["ssh"]["key_type"] == "ED25519"
    assert shown["oidc"]["client_id"] == config["oidc"]["client_id"]


def test_a_cluster_message(demo: Simulator, run_demo: Runner) -> None:
    body = {
        "version": "1",
        "clusterId": "c",
        "clusterMessage": {"message": "Tonight", "startTime": "2026-01-01T00:00:00Z"},
    }
    demo.faults.add(Fault("shape", path="/master$", body=body))
    message = run_demo.ok(OPERATION)["cluster"]["cluster_message"]
    assert (message["message"], message["start_time"], message["end_time"]) == ("Tonight", "2026-01-01T00:00:00Z", None)


def test_an_unhealthy_master_is_reported(demo: Simulator, run_demo: Runner) -> None:
    body = {"status": "down", "database": "down", "resource_managers": []}
    demo.faults.add(Fault("status", path="/health$", count=0, status=503, body=body))
    result = run_demo.ok(OPERATION, gather=["health"])
    assert result["cluster"]["health"] == body


def test_a_proxy_that_answers_for_the_master_is_no_health(demo: Simulator, run_demo: Runner) -> None:
    demo.faults.add(Fault("status", path="/health$", count=0, status=503, body="<html>Service Unavailable</html>"))
    assert "it is a web page" in run_demo.failed(OPERATION, gather=["health"])


@pytest.mark.parametrize(
    ("status", "body"),
    [(501, UNKNOWN_ROUTE), (404, UNKNOWN_ROUTE), (404, {"message": "Not Found"}), (404, "not found")],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_the_published_api(demo: Simulator, run_demo: Runner, status: int, body: t.Any, wrapped: bool) -> None:
    simple = {"version": "0.20.0", "clusterId": "c1", "masterId": "m1", "telemetryEnabled": True}
    demo.faults.add(Fault("status", path="/master$", status=status, body=body))
    demo.faults.add(Fault("shape", path="/cluster$", body={"cluster": simple} if wrapped else simple))
    result = run_demo.ok(OPERATION)
    cluster = result["cluster"]
    assert (cluster["cluster_id"], cluster["master_id"], cluster["version"]) == ("c1", "m1", "0.20.0")
    assert cluster["telemetry_enabled"] is True
    assert cluster["rbac_enabled"] is None
    assert result["requests"] == 2


def test_what_knows_neither_call_is_told_of_the_first(demo: Simulator, run_demo: Runner) -> None:
    demo.faults.add(Fault("status", path="/(master|cluster)$", count=0, status=501, body=UNKNOWN_ROUTE))
    result = run_demo(OPERATION)
    assert "GET /api/v1/master: this master does not know that call" in result["msg"]
    assert result["failure"]["path"] == "/api/v1/master"


def test_another_server(demo: Simulator, run_demo: Runner) -> None:
    demo.faults.add(Fault("shape", path="/master$", body={"status": "ok"}))
    assert "the answer is not one of a Determined master" in run_demo.failed(OPERATION)
    demo.faults.add(Fault("html", path="/master$"))
    assert "does a proxy answer in its place?" in run_demo.failed(OPERATION)


def test_an_unknown_part(run_demo: Runner) -> None:
    assert "value of gather must be one or more of: master, health" in run_demo.failed(OPERATION, gather=["pools"])
