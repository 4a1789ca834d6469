# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls of templates and of the cluster's container defaults, each on a planted cluster that fails, passes, and can't be judged."""

from __future__ import annotations

import json
import typing as t

import pytest

from tests.simulator import Simulator
from tests.simulator.ml_state import TemplateRow

from . import plant
from .conftest import Auditor, blind

TEMPLATES = ("TPL-01", "TPL-02", "TPL-03", "TPL-04", "TPL-05")
DIGEST = "registry.example.com/team/train@sha256:" + "0123456789abcdef" * 4


def template(sim: Simulator, name: str, config: dict[str, t.Any], workspace: int = 2) -> None:
    """A template as the master stores it: unread."""
    sim.master.templates[name] = TemplateRow(name, config, workspace)


def image(value: t.Any) -> dict[str, t.Any]:
    return {"environment": {"image": value}}


def test_tpl_01(sim: Simulator, auditor: Auditor) -> None:
    template(sim, "tagged", image("registry.example.com:5000/team/train:1.2"))
    template(sim, "digest", image({"cpu": DIGEST, "cuda": DIGEST}))
    template(sim, "imageless", {"max_restarts": 1})
    found = auditor("TPL-01")
    assert (found.status("TPL-01"), found.controls["TPL-01"]["seen"]) == ("pass", 2)
    template(sim, "bare", image("registry.example.com:5000/team/train"))
    template(sim, "latest", image({"cpu": "team/train:1.2", "cuda": "team/train:latest"}))
    template(sim, "old-key", image({"cpu": "team/train:1.2", "gpu": "team/train"}))
    assert auditor("TPL-01").keys("TPL-01") == [f"fail templates/{name}" for name in ("bare", "latest", "old-key")]
    strict = ["bare", "latest", "old-key", "tagged"]
    assert auditor("TPL-01", profile="strict").keys("TPL-01") == [f"fail templates/{name}" for name in strict]


def test_tpl_02(sim: Simulator, auditor: Auditor) -> None:
    ours = {"allowed_registries": ["registry.example.com"]}
    template(sim, "ours", image("registry.example.com/team/train:1.2"))
    assert auditor("TPL-02", parameters=ours).status("TPL-02") == "pass"
    template(sim, "hub", image("team/train:1.2"))
    template(sim, "alike", image({"cpu": "registry.example.com.evil.example/train:1.2"}))
    found = auditor("TPL-02", parameters=ours)
    assert found.keys("TPL-02") == ["fail templates/alike", "fail templates/hub"]


def test_tpl_02_without_a_list_does_not_apply(sim: Simulator, auditor: Auditor) -> None:
    template(sim, "hub", image("team/train:1.2"))
    found = auditor("TPL-02")
    assert found.status("TPL-02") == "not_applicable"
    assert found.site.parameters.unset == {"allowed_registries"}


SECRETS: dict[str, dict[str, t.Any]] = {
    "variables": {"environment": {"environment_variables": ["DB_PASSWORD=CANARY-one"]}},
    "by-slot": {"environment": {"environment_variables": {"cuda": ["HF_TOKEN=CANARY-two-3"]}}},
    "registry": {"environment": {"registry_auth": {"username": "puller", "password": "CANARY-three"}}},
    "s3": {"checkpoint_storage": {"type": "s3", "bucket": "b", "secret_key": "CANARY-four"}},
    "azure": {"checkpoint_storage": {"type": "azure", "container": "c", "connection_string": "AccountKey=CANARY5"}},
    "data": {"data": {"secrets": {"anything": "CANARY-six"}}},
}


def test_tpl_03(sim: Simulator, auditor: Auditor) -> None:
    clean = {
        "environment": {"environment_variables": ["DB_PASSWORD=$DB_PASSWORD", "LANG=C.UTF-8", "KEY_FILE=/run/key"]}
    }
    template(sim, "clean", clean)
    template(sim, "masked", {"checkpoint_storage": {"type": "s3", "bucket": "b", "secret_key": "********"}})
    assert auditor("TPL-03").status("TPL-03") == "pass"
    for name, config in SECRETS.items():
        template(sim, name, config)
    found = auditor("TPL-03")
    assert found.keys("TPL-03") == [f"fail templates/{name}" for name in sorted(SECRETS)]
    text = json.dumps(found.findings)
    assert "CANARY" not in text
    assert "environment.registry_auth.password" in text


def test_tpl_03_follows_a_secret_by_the_evidence_key_only(sim: Simulator, auditor: Auditor) -> None:
    template(sim, "one", SECRETS["variables"])
    plain, again = auditor("TPL-03"), auditor("TPL-03")
    assert plain.of("TPL-03")[0]["evidence"]["fields"] == again.of("TPL-03")[0]["evidence"]["fields"]
    keyed = [auditor("TPL-03", evidence_key=key).of("TPL-03")[0]["evidence"]["fields"] for key in (b"k1", b"k1", b"k2")]
    assert keyed[0] == keyed[1] != keyed[2]


PRIVILEGES: dict[str, dict[str, t.Any]] = {
    "capability": {"environment": {"add_capabilities": ["SYS_ADMIN"]}},
    "device": {"resources": {"devices": [{"host_path": "/dev/kvm", "container_path": "/dev/kvm"}]}},
    "sensitive": {"bind_mounts": [{"host_path": "/etc", "container_path": "/e", "read_only": True}]},
    "socket": {"bind_mounts": [{"host_path": "/var/run/docker.sock", "container_path": "/s", "read_only": True}]},
    "writable": {"bind_mounts": [{"host_path": "/data", "container_path": "/data"}]},
    "privileged": {
        "environment": {"pod_spec": {"spec": {"containers": [{"name": "x", "securityContext": {"privileged": True}}]}}}
    },
    "host": {"environment": {"pod_spec": {"spec": {"hostNetwork": True, "hostPID": True}}}},
    "root": {"environment": {"pod_spec": {"spec": {"securityContext": {"runAsUser": 0}}}}},
}


def test_tpl_04(sim: Simulator, auditor: Auditor) -> None:
    template(sim, "modest", {"bind_mounts": [{"host_path": "/data", "container_path": "/data", "read_only": True}]})
    listed = {"allowed_bind_mounts": ["/scratch"]}
    assert auditor("TPL-04", parameters=listed).status("TPL-04") == "pass"
    for name, config in PRIVILEGES.items():
        template(sim, name, config)
    found = auditor("TPL-04", parameters=listed)
    assert found.keys("TPL-04") == [f"fail templates/{name}" for name in sorted(PRIVILEGES)]


def test_tpl_04_judges_writable_mounts_only_with_a_list(sim: Simulator, auditor: Auditor) -> None:
    template(sim, "writable", PRIVILEGES["writable"])
    template(sim, "sensitive", PRIVILEGES["sensitive"])
    found = auditor("TPL-04")
    assert found.keys("TPL-04") == ["fail templates/sensitive"]
    assert "allowed_bind_mounts" in found.site.parameters.unset


def test_tpl_04_lets_through_what_the_site_allows(sim: Simulator, auditor: Auditor) -> None:
    for name in ("capability", "device", "writable", "sensitive"):
        template(sim, name, PRIVILEGES[name])
    allowed = {
        "allowed_capabilities": ["SYS_ADMIN"],
        "allowed_devices": ["/dev/kvm"],
        "allowed_bind_mounts": ["/data"],
    }
    # A sensitive path is a fault whether or not mounts are allowed.
    assert auditor("TPL-04", parameters=allowed).keys("TPL-04") == ["fail templates/sensitive"]


def test_tpl_05(sim: Simulator, auditor: Auditor) -> None:
    template(sim, "experiment", {"resources": {"slots_per_trial": 4}, "searcher": {"name": "single"}})
    template(sim, "notebook", {"idle_timeout": "30m", "work_dir": "/w", "resources": {"slots": 1}})
    assert auditor("TPL-05").status("TPL-05") == "pass"
    template(sim, "unknown", {"max_restart": 3})
    template(sim, "nested", {"resources": {"slots_pertrial": 4}})
    template(sim, "deprecated", {"resources": {"agent_label": "a"}, "searcher": {"max_length": {"batches": 1}}})
    template(sim, "default", {}, workspace=1)
    found = auditor("TPL-05")
    assert found.keys("TPL-05") == [f"fail templates/{name}" for name in ("default", "deprecated", "nested", "unknown")]
    faults = {one["key"]: " ".join(one["evidence"]["faults"]) for one in found.of("TPL-05")}
    assert "resources.slots_pertrial" in faults["nested"]
    assert "max_restart is no key" in faults["unknown"]
    assert "resources.agent_label is deprecated" in faults["deprecated"]
    assert "searcher.max_length is deprecated" in faults["deprecated"]


def test_tpl_05_shows_no_secret_that_stands_in_place_of_a_key(sim: Simulator, auditor: Auditor) -> None:
    template(sim, "odd", {"hf_CANARY0123456789abcdefghij": 1})
    found = auditor("TPL-05")
    assert found.status("TPL-05") == "fail"
    assert "CANARY" not in json.dumps(found.findings)


def test_without_templates_nothing_applies(sim: Simulator, auditor: Auditor) -> None:
    found = auditor(*TEMPLATES)
    assert [found.status(name) for name in TEMPLATES] == ["not_applicable"] * 5


def test_who_may_not_see_templates_passes_none() -> None:
    with Simulator(fixture="empty", authz="rbac") as sim:
        plant.project(sim)
        template(sim, "hidden", image("team/train"))
        found = blind(sim)(*TEMPLATES, parameters={"allowed_registries": ["registry.example.com"]})
        assert [found.status(name) for name in TEMPLATES] == ["unknown"] * 5


# --- the cluster's own ---


def defaults(sim: Simulator) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", sim.master.config["task_container_defaults"])


def test_tpl_06(sim: Simulator, auditor: Auditor) -> None:
    defaults(sim).update(image={"cpu": "registry.example.com/a:1", "cuda": "registry.example.com/a:1", "rocm": ""})
    assert auditor("TPL-06").status("TPL-06") == "pass"
    defaults(sim).update(
        image={"cpu": "team/train", "cuda": "team/train"},
        environment_variables={"cpu": ["WANDB_API_KEY=CANARY-wandb-1"], "cuda": ["WANDB_API_KEY=CANARY-wandb-1"]},
        add_capabilities=["SYS_ADMIN"],
        devices=[{"host_path": "/dev/kvm", "container_path": "/dev/kvm", "mode": "mrw"}],
        bind_mounts=[{"host_path": "/etc", "container_path": "/e", "read_only": True}],
        gpu_pod_spec={"spec": {"hostNetwork": True}},
        startup_hook="export HTTPS_PROXY=http://proxy:CANARY-proxy@proxy.example.com:3128",
    )
    found = auditor("TPL-06", parameters={"allowed_registries": ["registry.example.com"]})
    assert found.keys("TPL-06") == [f"fail cluster/{sim.master.cluster_id}"]
    text = " ".join(found.of("TPL-06")[0]["evidence"]["faults"])
    for told in ("team/train", "WANDB_API_KEY", "SYS_ADMIN", "/dev/kvm", "/etc", "hostNetwork", "startup_hook"):
        assert told in text
    assert "CANARY" not in json.dumps(found.findings)


def test_tpl_06_of_a_pool_and_of_what_is_masked(sim: Simulator, auditor: Auditor) -> None:
    sim.master.config["resource_pools"][0]["task_container_defaults"] = {
        "environment_variables": {"cuda": ["HF_TOKEN=CANARY-hf-1"], "cpu": [], "rocm": []}
    }
    found = auditor("TPL-06")
    assert "resource_pools.default" in " ".join(found.of("TPL-06")[0]["evidence"]["faults"])
    assert "CANARY" not in json.dumps(found.findings)
    sim.master.config["resource_pools"][0]["task_container_defaults"] = None
    assert auditor("TPL-06").status("TPL-06") == "pass"
    # The server shows a mask where a password is set (API page identity-and-cluster, section 7.3).
    defaults(sim)["registry_auth"] = {"username": "puller", "password": "CANARY-registry"}
    assert auditor("TPL-06").status("TPL-06") == "fail"


def test_tpl_06_does_not_judge_the_image_of_the_release(sim: Simulator, auditor: Auditor) -> None:
    """Where none is set, the configuration shows none; that nothing else is set is to be seen."""
    limits = {"allowed_registries": ["registry.example.com"]}
    assert auditor("TPL-06", profile="strict", parameters=limits).status("TPL-06") == "pass"


@pytest.mark.parametrize("authz", ["basic", "rbac"])
def test_tpl_06_of_who_may_not_see_the_configuration_is_unknown(authz: str) -> None:
    with Simulator(fixture="empty", authz=authz) as sim:
        assert blind(sim)("TPL-06").keys("TPL-06") == ["unknown master_config/*"]
