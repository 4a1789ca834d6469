# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls of the master and its configuration, each on a planted cluster that fails, passes, and can't be judged.

CLU-01, which makes a handshake, is in test_audit_tls.py.
"""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterator

import pytest

from ansible_collections.determined.ai.plugins.module_utils._audit.controls_cluster import is_local, version_key
from tests.simulator import Simulator
from tests.simulator.cluster import printable
from tests.simulator.ml_state import ConfigBase
from tests.simulator.state import AgentRow

from .conftest import Auditor, blind

CANARY = "CANARY-7f3a9c2e"


@pytest.fixture
def rbac() -> Iterator[Simulator]:
    """A freshly installed cluster under RBAC."""
    with Simulator(fixture="empty", authz="rbac") as simulator:
        yield simulator


def faults(auditor: Auditor, control: str, **parameters: t.Any) -> list[str]:
    """The faults of a control's one finding about the cluster, which fails; none if it passes."""
    found = auditor(control, parameters=parameters)
    if found.status(control) == "pass":
        assert found.of(control) == []
        return []
    assert found.keys(control) == [f"fail cluster/{auditor.sim.master.cluster_id}"]
    return t.cast("list[str]", found.of(control)[0]["evidence"]["faults"])


def agent(sim: Simulator, name: str, **fields: t.Any) -> AgentRow:
    row = AgentRow(name, fields.pop("resource_pool", "default"), sim.master.now(), "10.0.0.7", **fields)
    sim.master.agents[name] = row
    return row


def test_who_may_not_see_the_configuration_passes_nothing(sim: Simulator, rbac: Simulator) -> None:
    names = ("CLU-01", "CLU-02", "CLU-04", "CLU-05", "CLU-06", "CLU-07")
    for cluster in (sim, rbac):
        found = blind(cluster)(*names)
        assert [found.status(name) for name in names] == ["unknown"] * len(names)
        assert found.keys("CLU-05") == ["unknown master_config/*"]


# --- CLU-02


def test_clu_02(sim: Simulator, auditor: Auditor) -> None:
    manager = sim.master.config["resource_manager"]
    assert faults(auditor, "CLU-02") == ["default: require_authentication is false."]
    manager.update(require_authentication=True, client_ca="/etc/agents.crt")
    # Without TLS of its own the master never looks at a certificate.
    assert faults(auditor, "CLU-02") == ["default: require_authentication has no effect: the master serves no TLS."]
    sim.master.config["security"]["tls"].update(cert="/etc/master.crt", key="/etc/master.key")
    assert faults(auditor, "CLU-02") == []
    manager["client_ca"] = ""
    assert len(faults(auditor, "CLU-02")) == 1


def test_clu_02_each_agent_resource_manager_counts_and_kubernetes_does_not(sim: Simulator, auditor: Auditor) -> None:
    config = sim.master.config
    kubernetes = {"type": "kubernetes", "cluster_name": "k8s", "default_namespace": "default"}
    agents = {**config["resource_manager"], "cluster_name": "west"}
    config["resource_manager"] = {**config["resource_manager"], **kubernetes}
    assert auditor("CLU-02").status("CLU-02") == "not_applicable"
    config["additional_resource_managers"] = [{"resource_manager": agents, "resource_pools": []}]
    assert faults(auditor, "CLU-02") == ["west: require_authentication is false."]


# --- CLU-03


def test_versions_compare_by_their_numbers() -> None:
    texts = ["0.9.12", "0.38.1-dev0", "0.38.1", "0.38.2-rc1", "0.38.2", "0.38.10", "0.39.0-dev0", "0.39", "1"]
    keys = [version_key(text) for text in texts]
    assert None not in keys
    assert sorted(keys, key=lambda key: key or (0, 0, 0, False)) == keys
    assert version_key("v0.38.1") == version_key("0.38.1") == version_key("0.38.1+abc123")
    assert version_key("0.38") == version_key("0.38.0")
    assert version_key("unknown") is None


def test_clu_03_the_masters_own(sim: Simulator, auditor: Auditor) -> None:
    assert auditor("CLU-03").status("CLU-03") == "not_applicable"
    assert auditor("CLU-03").site.parameters.unset == {"minimum_version"}
    for least, status in (("0.38.1", "pass"), ("0.38", "pass"), ("0.38.10", "fail"), ("0.39", "fail")):
        found = auditor("CLU-03", parameters={"minimum_version": least})
        assert found.status("CLU-03") == status, least
    assert found.keys("CLU-03") == [f"fail cluster/{sim.master.cluster_id}"]


def test_clu_03_agents_of_another_version(sim: Simulator, auditor: Auditor) -> None:
    agent(sim, "new")
    assert auditor("CLU-03").status("CLU-03") == "pass"
    agent(sim, "old", version="0.37.0")
    found = auditor("CLU-03", parameters={"minimum_version": "0.38.1"})
    assert found.keys("CLU-03") == ["fail agents/old"]
    assert found.of("CLU-03")[0]["evidence"]["fields"] == {"version": "0.37.0", "master_version": "0.38.1"}
    assert found.controls["CLU-03"]["seen"] == 3


def test_clu_03_an_agent_without_a_version_is_unknown_but_for_nodes_of_kubernetes(
    sim: Simulator, auditor: Auditor
) -> None:
    agent(sim, "silent", version="")
    assert auditor("CLU-03").keys("CLU-03") == ["unknown agents/silent"]
    sim.master.resource_pools["default"] = {"type": "RESOURCE_POOL_TYPE_K8S"}
    assert auditor("CLU-03").status("CLU-03") == "not_applicable"


# --- CLU-04


@pytest.mark.parametrize(
    ("telemetry", "expected"),
    [
        ({}, []),
        ({"enabled": True}, []),
        ({"segment_master_key": CANARY}, []),
        ({"enabled": True, "segment_master_key": CANARY}, ["Telemetry is sent to Segment."]),
        ({"enabled": True, "segment_webui_key": CANARY}, ["Telemetry is sent to Segment."]),
        ({"otel_enabled": True}, []),
        ({"otel_enabled": True, "otel_endpoint": "127.0.0.1:4317"}, []),
        ({"otel_enabled": True, "otel_endpoint": "otel.example.com:4317"}, ["Traces are sent to another host."]),
        ({"otel_enabled": True, "otel_endpoint": "https://otel.example.com"}, ["Traces are sent to another host."]),
        ({"otel_endpoint": "otel.example.com:4317"}, []),
    ],
)
def test_clu_04(sim: Simulator, auditor: Auditor, telemetry: dict[str, t.Any], expected: list[str]) -> None:
    sim.master.config["telemetry"].update(telemetry)
    assert faults(auditor, "CLU-04") == expected
    assert faults(auditor, "CLU-04", telemetry_accepted=True) == []
    assert CANARY not in str(auditor("CLU-04").findings)


def test_clu_04_what_the_master_tells_everybody_fails_without_the_configuration(sim: Simulator) -> None:
    sim.master.config["telemetry"].update(enabled=True, segment_webui_key=CANARY)
    assert blind(sim)("CLU-04").keys("CLU-04") == [f"fail cluster/{sim.master.cluster_id}"]


# --- CLU-05


@pytest.mark.parametrize(
    ("enabled", "level", "number"),
    [
        (True, "info", 0),
        (True, "DEBUG", 0),
        (True, "trace", 0),
        (False, "info", 1),
        (True, "warning", 1),
        (False, "error", 2),
    ],
)
def test_clu_05(sim: Simulator, auditor: Auditor, enabled: bool, level: str, number: int) -> None:
    sim.master.config["__internal"]["audit_logging_enabled"] = enabled
    sim.master.config["log"]["level"] = level
    assert len(faults(auditor, "CLU-05")) == number


def test_a_configuration_without_a_key_that_each_has_is_unknown(sim: Simulator, auditor: Auditor) -> None:
    del sim.master.config["__internal"]
    assert auditor("CLU-05").keys("CLU-05") == [f"unknown cluster/{sim.master.cluster_id}"]


# --- CLU-06


@pytest.mark.parametrize(
    ("days", "schedule", "parameters", "expected"),
    [
        (None, None, {}, ["No log_retention_days is set."]),
        (None, "1h", {}, ["No log_retention_days is set."]),
        (90, "0 3 * * *", {}, []),
        (89, "0 3 * * *", {}, ["Logs are kept for less than 90 days."]),
        (0, "0 3 * * *", {}, ["Logs are kept for less than 90 days."]),
        (60, "0 3 * * *", {"log_retention_days": 60}, []),
        (120, None, {}, ["No schedule is set, so nothing cleans up."]),
        (
            30,
            None,
            {},
            ["Logs are kept for less than 90 days.", "No schedule is set, so nothing cleans up."],
        ),
        (-1, None, {}, []),
        (-1, None, {"max_retention_days": 400}, ["Logs are kept for ever, not 400 days at most."]),
        (401, "1h", {"max_retention_days": 400}, ["Logs are kept for more than 400 days."]),
        (400, "1h", {"max_retention_days": 400}, []),
    ],
)
def test_clu_06(
    sim: Simulator,
    auditor: Auditor,
    days: int | None,
    schedule: str | None,
    parameters: dict[str, int],
    expected: list[str],
) -> None:
    sim.master.config["retention_policy"].update(log_retention_days=days, schedule=schedule)
    assert faults(auditor, "CLU-06", **parameters) == expected


def test_clu_06_an_experiment_with_days_of_its_own(demo: Simulator) -> None:
    demo.master.config["retention_policy"].update(log_retention_days=90, schedule="1h")
    auditor = Auditor(demo)
    assert auditor("CLU-06").status("CLU-06") == "pass"
    numbers = sorted(demo.master.experiments)[:3]
    for number, days in zip(numbers, (7, 365, None), strict=True):
        set_config(demo, number, {"retention_policy": {"log_retention_days": days}})
    assert auditor("CLU-06").keys("CLU-06") == [f"fail experiments/{numbers[0]}"]


def set_config(sim: Simulator, number: int, part: dict[str, t.Any]) -> None:
    """Put something into the stored config of an experiment."""
    row = sim.master.experiments[number]
    row.base = ConfigBase({**row.base.data, **part})


# --- CLU-07


@pytest.mark.parametrize(
    ("host", "mode", "status"),
    [
        ("db.internal", "disable", "fail"),
        ("10.0.0.3", "disable", "fail"),
        ("localhost", "disable", "pass"),
        ("127.0.0.1", "disable", "pass"),
        ("::1", "disable", "pass"),
        ("/var/run/postgresql", "disable", "pass"),
        ("db.internal", "require", "pass"),
        ("db.internal", "verify-ca", "pass"),
        ("db.internal", "verify-full", "pass"),
        ("db.internal", "prefer", "unknown"),
        ("db.internal", "allow", "unknown"),
    ],
)
def test_clu_07(sim: Simulator, auditor: Auditor, host: str, mode: str, status: str) -> None:
    sim.master.config["db"].update(host=host, ssl_mode=mode)
    assert auditor("CLU-07").status("CLU-07") == status


def test_a_host_that_only_looks_local_is_not() -> None:
    assert [is_local(host) for host in ("localhost.example.com", "127.0.0.1.example.com", "128.0.0.1")] == [False] * 3


# --- CLU-08


def test_clu_08(sim: Simulator, auditor: Auditor) -> None:
    config = sim.master.config
    assert faults(auditor, "CLU-08") == []
    config["security"]["ssh"].update(key_type="RSA", rsa_key_size=3072)
    assert faults(auditor, "CLU-08") == []
    config["enable_cors"] = True
    config["security"]["ssh"]["rsa_key_size"] = 3071
    assert faults(auditor, "CLU-08") == [
        "enable_cors is true: pages of any site may call the API.",
        "The RSA keys for shells have less than 3072 bits.",
    ]
    assert len(faults(auditor, "CLU-08", rsa_min_bits=2048)) == 1
    config["security"]["ssh"].update(key_type="ED25519", rsa_key_size=0)
    config["enable_cors"] = False
    assert faults(auditor, "CLU-08") == []


def test_clu_08_the_job_queue_counts_under_rbac(rbac: Simulator) -> None:
    auditor = Auditor(rbac)
    assert faults(auditor, "CLU-08") == ["Everybody may change the job queue."]
    rbac.master.config["security"]["authz"]["strict_job_queue_control"] = True
    assert faults(auditor, "CLU-08") == []
    assert blind(rbac)("CLU-08").status("CLU-08") == "unknown"


def test_clu_08_one_half_fails_where_the_other_is_not_seen(rbac: Simulator, sim: Simulator) -> None:
    found = blind(rbac)("CLU-08")
    assert found.keys("CLU-08") == [f"fail cluster/{rbac.master.cluster_id}"]
    assert len(found.of("CLU-08")[0]["evidence"]["faults"]) == 2
    assert blind(sim)("CLU-08").status("CLU-08") == "unknown"


# --- CLU-09


def clean(sim: Simulator) -> None:
    """Take what a master of our own has from the start out of the configuration, and restart it."""
    sim.master.config["webhooks"]["signing_key"] = ""
    relog(sim)


def relog(sim: Simulator) -> None:
    """Restart the master: it logs its configuration anew."""
    when, level, _text = sim.master.log_lines[0]
    config = json.dumps(printable(sim.master.config), separators=(",", ":"))
    sim.master.log_lines[0] = (when, level, f"master configuration: {config}")


def plant(config: dict[str, t.Any], path: str, value: t.Any) -> None:
    """Set a value of the configuration."""
    *above, last = path.split(".")
    for name in above:
        config[name] = config.get(name) or {}
        config = config[name]
    config[last] = value


FACT_9 = {
    "webhooks.signing_key": CANARY,
    "scim.auth": {"type": "basic", "username": CANARY, "password": CANARY},
    "oidc.client_secret": CANARY,
    "checkpoint_storage": {"type": "azure", "container": "c", "connection_string": f"AccountKey={CANARY}"},
    "task_container_defaults.environment_variables": {"cpu": [f"DB_PASSWORD={CANARY}"], "cuda": [], "rocm": []},
    "task_container_defaults.startup_hook": f"export API_TOKEN={CANARY}-8b1d0e77c2",
}
"""What the master leaves in clear, as it shows it."""


@pytest.mark.parametrize("path", FACT_9)
def test_clu_09_each_secret_counts_under_basic_and_none_gets_out(sim: Simulator, auditor: Auditor, path: str) -> None:
    clean(sim)
    assert faults(auditor, "CLU-09") == []
    plant(sim.master.config, path, FACT_9[path])
    relog(sim)
    found = auditor("CLU-09")
    assert found.keys("CLU-09") == [f"fail cluster/{sim.master.cluster_id}"]
    places = found.of("CLU-09")[0]["evidence"]["fields"]["places"]
    assert places
    assert all(place.startswith(path) for place in places)
    assert CANARY not in str(found.findings)


@pytest.mark.parametrize("section", ["webhooks", "scim", "resource_pools"])
def test_clu_09_a_section_that_is_not_shown_is_not_without_secrets(
    sim: Simulator, auditor: Auditor, section: str
) -> None:
    clean(sim)
    del sim.master.config[section]
    relog(sim)
    assert auditor("CLU-09").status("CLU-09") == "unknown"


def test_clu_09_any_user_finds_it_in_the_log(sim: Simulator) -> None:
    found = blind(sim)("CLU-09")
    assert found.keys("CLU-09") == [f"fail cluster/{sim.master.cluster_id}"]
    assert found.of("CLU-09")[0]["evidence"]["fields"] == {
        "places": ["webhooks.signing_key"],
        "read_in": "master log",
    }


def test_clu_09_once_the_log_has_gone_round_the_configuration_decides(sim: Simulator, auditor: Auditor) -> None:
    sim.master.log_gone = 40_000
    found = auditor("CLU-09")
    assert found.of("CLU-09")[0]["evidence"]["fields"]["read_in"] == "master configuration"
    assert found.status("CLU-09") == "fail"
    assert blind(sim)("CLU-09").keys("CLU-09") == ["unknown master_config/*"]


POOL = {
    "registry": {"registry_auth": {"username": "u", "password": CANARY}},
    "variables": {"environment_variables": {"cpu": [f"DB_PASSWORD={CANARY}"]}},
    "none": {"environment_variables": {"cpu": ["NCCL_DEBUG=INFO", "DB_PASSWORD=$DB_PASSWORD"]}},
}


@pytest.mark.parametrize(("what", "status"), [("registry", "fail"), ("variables", "fail"), ("none", "pass")])
def test_clu_09_pools_count_under_rbac_too(rbac: Simulator, what: str, status: str) -> None:
    auditor = Auditor(rbac)
    # The signing key is in clear here as well, for administrators only.
    assert faults(auditor, "CLU-09") == []
    rbac.master.config["resource_pools"][0]["task_container_defaults"] = POOL[what]
    relog(rbac)
    found = auditor("CLU-09")
    assert found.status("CLU-09") == status
    assert CANARY not in str(found.findings)
    if status == "fail":
        (place,) = found.of("CLU-09")[0]["evidence"]["fields"]["places"]
        assert place.startswith("resource_pools[default].task_container_defaults.")


def test_clu_09_pools_of_another_resource_manager(rbac: Simulator) -> None:
    pools = [{"pool_name": "west", "task_container_defaults": POOL["registry"]}]
    rbac.master.config["additional_resource_managers"] = [{"resource_manager": {}, "resource_pools": pools}]
    relog(rbac)
    assert len(faults(Auditor(rbac), "CLU-09")) == 1


def test_clu_09_under_rbac_nobody_else_sees_either(rbac: Simulator) -> None:
    assert blind(rbac)("CLU-09").keys("CLU-09") == ["unknown master_config/*"]
