# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images, privilege, mounts, storage and keys: what a person would object to, and what not."""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.determined.ai.plugins.module_utils._audit.containers import (
    config_faults,
    default_configs,
    images,
    pinning_fault,
    privilege_faults,
    registry_fault,
    static_keys,
    storage_fault,
)

DIGEST = "@sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("a:1", {"cpu": "a:1", "cuda": "a:1", "rocm": "a:1"}),
        ({"cpu": "a:1", "cuda": "b:1"}, {"cpu": "a:1", "cuda": "b:1"}),
        ({"cpu": "a:1", "gpu": "b:1"}, {"cpu": "a:1", "cuda": "b:1"}),
        ({"cuda": "a:1", "gpu": "b:1"}, {"cuda": "a:1"}),
        ({"cpu": None, "cuda": "", "rocm": 5, 7: "x"}, {}),
        ({}, {}),
        ("", {}),
        (None, {}),
        (["a"], {}),
        (5, {}),
    ],
)
def test_images_by_slot_type(image: t.Any, expected: dict[str, str]) -> None:
    assert images({"image": image}) == expected


@pytest.mark.parametrize("environment", [None, [], "x", 5, {}])
def test_no_environment_has_no_images(environment: t.Any) -> None:
    assert images(environment) == {}


@pytest.mark.parametrize(
    ("image", "tag", "digest"),
    [
        ("ubuntu:22.04", True, False),
        ("ubuntu", False, False),
        ("ubuntu:latest", False, False),
        ("ubuntu:LATEST", False, False),
        ("ubuntu:latest-gpu", True, False),
        ("ubuntu:", False, False),
        ("host:5000/x", False, False),
        ("host:5000/x:latest", False, False),
        ("host:5000/x:1", True, False),
        ("host:5000/team/x" + DIGEST, True, True),
        ("host:5000/team/x:latest" + DIGEST, True, True),
        ("ubuntu@sha256:0123", False, False),
        ("ubuntu:1@sha256:0123", True, False),
        ("ubuntu@", False, False),
    ],
)
def test_pinning(image: str, tag: bool, digest: bool) -> None:
    assert (pinning_fault(image, "tag") is None, pinning_fault(image, "digest") is None) == (tag, digest)


@pytest.mark.parametrize(
    ("image", "allowed", "good"),
    [
        ("registry.example.com/team/x:1", ["registry.example.com"], True),
        ("registry.example.com/team/x:1", ["registry.example.com/team"], True),
        ("registry.example.com/team/x:1", ["registry.example.com/team/"], True),
        ("registry.example.com/team/x:1", ["https://registry.example.com"], True),
        ("registry.example.com/team/x:1", ["registry.example.com/team/x"], True),
        ("registry.example.com/team/x" + DIGEST, ["registry.example.com/team/x"], True),
        ("Registry.Example.com/team/x", ["registry.example.COM/team"], True),
        ("registry.example.com/team2/x", ["registry.example.com/team"], False),
        ("registry.example.com/team/x2", ["registry.example.com/team/x"], False),
        ("registry.example.com/team", ["registry.example.com/team/x"], False),
        ("registry.example.com.evil.org/team/x", ["registry.example.com"], False),
        ("evil.org/registry.example.com/x", ["registry.example.com"], False),
        ("registry.example.com@evil.org/x", ["registry.example.com"], False),
        ("registry.example.com/x@evil.org/y", ["registry.example.com/x"], False),
        ("registry.example.com/team/../x", ["registry.example.com/team"], False),
        ("registry.example.com:5000/x", ["registry.example.com"], False),
        ("registry.example.com:5000/x", ["registry.example.com:5000"], True),
        ("registry.example.com/x", ["registry.example.com:5000"], False),
        ("ubuntu", ["docker.io"], True),
        ("ubuntu:22.04", ["docker.io/library"], True),
        ("ubuntu", ["docker.io/library/ubuntu"], True),
        ("determinedai/pytorch:1", ["docker.io/determinedai"], True),
        ("determinedai/pytorch:1", ["determinedai"], True),
        ("determinedai/pytorch:1", ["determinedai/pytorch"], True),
        ("docker.io/determinedai/pytorch", ["determinedai"], True),
        ("index.docker.io/determinedai/pytorch", ["determinedai"], True),
        ("determinedai2/pytorch", ["determinedai"], False),
        ("evil/pytorch", ["determinedai"], False),
        ("evil.org/determinedai/pytorch", ["determinedai"], False),
        ("localhost/x", ["localhost"], True),
        ("docker://registry.example.com/x:1", ["registry.example.com"], True),
        ("eu.registry.example.com/x", ["*.registry.example.com"], True),
        ("registry.example.com/x", ["*.registry.example.com"], False),
        ("eu.registry.example.com.evil.org/x", ["*.registry.example.com"], False),
        ("evil.org/a.registry.example.com/x", ["*.registry.example.com"], False),
        ("registry.example.com/team-a/x", ["registry.example.com/team-*"], True),
        ("registry.example.com/other/x", ["registry.example.com/team-*"], False),
        ("registry.example.com/a/prod/x", ["registry.example.com/*/prod"], True),
        ("registry.example.com/a/b/prod/x", ["registry.example.com/*/prod"], False),
        ("registryXexample.com/x", ["registry.example.com"], False),
        ("anything.example.org/x", ["*"], True),
        ("x", ["registry.example.com", "docker.io"], True),
        ("x", [], False),
        ("x", ["", "  "], False),
        ("/shared/images/x.sif", ["docker.io", "*"], False),
        ("", ["*"], False),
    ],
)
def test_registries(image: str, allowed: list[str], good: bool) -> None:
    assert (registry_fault(image, allowed) is None) is good


def mount(path: t.Any, read_only: t.Any = True) -> dict[str, t.Any]:
    """A configuration with one mount."""
    return {"bind_mounts": [{"host_path": path, "container_path": "/x", "read_only": read_only}]}


@pytest.mark.parametrize(
    "path",
    [
        "/", "//", "/etc", "/etc/", "/etc/passwd", "//etc", "/data/../etc", "/etc/../root", "/./root/.ssh", "/home", "/home/alice", "/proc/1",
        "/sys", "/dev", "/dev/sda", "/run", "/var/run", "/var/run/docker.sock", "/run/containerd/containerd.sock", "/var/lib/kubelet/pki",
        "/var", "/var/lib", "/srv/docker.sock", "etc", "../etc",
    ],
)  # fmt: skip
def test_sensitive_paths_are_faults_read_only_or_not(path: str) -> None:
    for allowed in (None, [], ["/data"], ["/"], ["/var"] if path.startswith("/var/run") else []):
        assert len(privilege_faults(mount(path), allowed)) == 1
        assert len(privilege_faults(mount(path, read_only=False), allowed)) == 1


@pytest.mark.parametrize(
    ("config", "allowed", "count"),
    [
        (mount("/data"), [], 0),
        (mount("/data", read_only=False), None, 0),
        (mount("/data", read_only=False), [], 1),
        (mount("/data", read_only=None), [], 1),
        (mount("/data", read_only="true"), [], 1),
        ({"bind_mounts": [{"host_path": "/data", "container_path": "/x"}]}, [], 1),
        (mount("/data/x", read_only=False), ["/data"], 0),
        (mount("/data/", read_only=False), ["/data"], 0),
        (mount("/data", read_only=False), ["/data/"], 0),
        (mount("/data/../other", read_only=False), ["/data"], 1),
        (mount("/database", read_only=False), ["/data"], 1),
        (mount("/data", read_only=False), ["/"], 0),
        (mount("/etcetera"), [], 0),
        (mount("/homes/alice"), [], 0),
        # allowed by name
        (mount("/home/shared/x", read_only=False), ["/home/shared"], 0),
        (mount("/home/alice"), ["/home/shared"], 1),
        (mount("/home"), ["/home/shared"], 1),
        (mount("/dev/infiniband"), ["/dev/infiniband"], 0),
    ],
)
def test_mounts(config: t.Any, allowed: list[str] | None, count: int) -> None:
    assert len(privilege_faults(config, allowed)) == count


def pod(**spec: t.Any) -> dict[str, t.Any]:
    """A configuration with a pod."""
    return {"environment": {"pod_spec": {"apiVersion": "v1", "kind": "Pod", "spec": spec}}}


def container(kind: str = "containers", **context: t.Any) -> dict[str, t.Any]:
    """A configuration with a pod of one container with this security context."""
    return pod(**{kind: [{"name": "determined-container", "securityContext": context}]})


PRIVILEGED: list[tuple[t.Any, str]] = [
    ({"environment": {"add_capabilities": ["SYS_ADMIN"]}}, "SYS_ADMIN"),
    ({"resources": {"devices": [{"host_path": "/dev/kmsg", "container_path": "/dev/kmsg"}]}}, "/dev/kmsg"),
    ({"resources": {"devices": ["/dev/kmsg:/dev/kmsg:rw"]}}, "/dev/kmsg"),
    ({"resources": {"devices": [{}]}}, "a device"),
    (pod(hostNetwork=True), "hostNetwork"),
    (pod(HostNetwork=True), "hostNetwork"),
    (pod(hostPID=True), "hostPID"),
    (pod(hostIPC=True), "hostIPC"),
    (pod(securityContext={"runAsUser": 0}), "user 0"),
    (container(privileged=True), "privileged"),
    (container("initContainers", privileged=True), "privileged"),
    (container(allowPrivilegeEscalation=True), "allowPrivilegeEscalation"),
    (container(runAsUser=0), "user 0"),
    (container(capabilities={"add": ["NET_ADMIN"]}), "NET_ADMIN"),
    (pod(volumes=[{"name": "v", "hostPath": {"path": "/data/"}}]), "/data"),
    (pod(volumes=[{"name": "v", "hostPath": {"path": "/var/run/docker.sock"}}]), "/var/run/docker.sock"),
]


@pytest.mark.parametrize(("config", "told"), PRIVILEGED)
def test_privilege(config: t.Any, told: str) -> None:
    faults = privilege_faults(config, None)
    assert len(faults) == 1
    assert told in faults[0]


@pytest.mark.parametrize(
    "config",
    [
        {
            "environment": {"add_capabilities": [], "drop_capabilities": ["ALL"], "pod_spec": None},
            "resources": {"devices": []},
        },
        pod(hostNetwork=False, hostPID=None, hostIPC=False, securityContext={"runAsUser": 1000, "runAsNonRoot": True}),
        pod(volumes=[{"emptyDir": {}}, {"persistentVolumeClaim": {"claimName": "x"}}, {"secret": {"secretName": "s"}}]),
        container(
            privileged=False, allowPrivilegeEscalation=False, runAsUser=False, capabilities={"drop": ["ALL"], "add": []}
        ),
        {"bind_mounts": [], "environment": {"proxy_ports": [{"proxy_port": 1}]}},
    ],
)
def test_no_privilege(config: t.Any) -> None:
    assert privilege_faults(config, []) == []


def test_a_path_of_a_pod_may_be_allowed() -> None:
    config = pod(volumes=[{"hostPath": {"path": "/data/x"}}])
    assert privilege_faults(config, ["/data"]) == []
    assert len(privilege_faults(config, ["/other"])) == 1


def test_each_fault_is_told_once() -> None:
    config = {"environment": {"add_capabilities": ["A", "A", "B"]}, "bind_mounts": [*mount("/etc")["bind_mounts"]] * 3}
    assert len(privilege_faults(config, [])) == 3


def test_defaults_are_judged_as_what_they_are_merged_into() -> None:
    defaults = {
        "image": "x:1",
        "add_capabilities": ["A"],
        "devices": [{"host_path": "/dev/x", "container_path": "/x"}],
        "bind_mounts": [{"host_path": "/etc", "container_path": "/x"}],
        "cpu_pod_spec": {"spec": {"hostPID": True}},
        "gpu_pod_spec": {"spec": {"hostIPC": True}},
        "checkpoint_gc_pod_spec": None,
    }
    faults = [privilege_faults(config, []) for config in default_configs(defaults)]
    assert [len(told) for told in faults] == [4, 4]
    assert len(set(faults[0]) ^ set(faults[1])) == 2
    assert [images(config["environment"]) for config in default_configs(defaults)] == [
        dict.fromkeys(("cpu", "cuda", "rocm"), "x:1")
    ] * 2
    for empty in (None, {}, [], {"devices": None, "bind_mounts": None, "image": None}):
        assert [privilege_faults(config, []) for config in default_configs(empty)] == [[]]


HOSTILE: list[t.Any] = [
    None,
    5,
    "x",
    [],
    {1: 2, None: None},
    {"environment": 5, "resources": [], "bind_mounts": {"host_path": "/etc"}},
    {"environment": {"add_capabilities": "X", "pod_spec": [1]}, "resources": {"devices": 5}, "bind_mounts": [None, 1, [], {}]},
    {"bind_mounts": [{"host_path": 5}, {"host_path": None}, [[[[]]]]]},
    {"environment": {"pod_spec": {5: 6, "spec": {7: 8, "containers": [None, {"securityContext": 5, "name": 6}], "volumes": [{"hostPath": 5}]}}}},
    {"environment": {"pod_spec": {"spec": {"containers": {"a": 1}, "volumes": 5, "securityContext": {"runAsUser": "0"}}}}},
]  # fmt: skip


@pytest.mark.parametrize("config", HOSTILE)
def test_any_shape_is_judged(config: t.Any) -> None:
    assert privilege_faults(config, []) == []
    assert isinstance(config_faults(config), list)
    assert storage_fault(config, []) is None
    assert static_keys(config) == []


@pytest.mark.parametrize(
    ("storage", "allowed", "good"),
    [
        ({"type": "s3", "bucket": "b"}, [], True),
        ({"type": "gcs", "bucket": "b"}, [], True),
        ({"type": "azure", "container": "c"}, [], True),
        ({"type": "shared_fs", "host_path": "/mnt/x"}, [], False),
        ({"type": "shared_fs", "host_path": "/mnt/x"}, ["/mnt"], True),
        ({"type": "shared_fs", "host_path": "/mnt/x/"}, ["/mnt/x"], True),
        ({"type": "shared_fs", "host_path": "/mnt/../tmp"}, ["/mnt"], False),
        ({"type": "shared_fs", "host_path": "/mnt2"}, ["/mnt"], False),
        ({"type": "shared_fs", "host_path": None}, ["/mnt"], False),
        ({"type": "directory", "container_path": "/ckpt"}, ["/mnt"], False),
        ({"type": "directory", "container_path": "/ckpt/x"}, ["/ckpt"], True),
        ({"type": ["shared_fs"]}, [], True),
        ({}, [], True),
        (None, [], True),
    ],
)
def test_storage(storage: t.Any, allowed: list[str], good: bool) -> None:
    assert (storage_fault(storage, allowed) is None) is good


def test_static_keys_are_named() -> None:
    assert static_keys({"type": "s3", "access_key": "********", "secret_key": "********"}) == [
        "access_key",
        "secret_key",
    ]
    assert static_keys({"type": "azure", "connection_string": "x", "credential": None}) == ["connection_string"]
    assert static_keys({"type": "azure", "account_url": "https://x", "credential": "x"}) == ["credential"]
    assert static_keys({"type": "s3", "bucket": "b", "access_key": None, "secret_key": ""}) == []


WRONG: list[tuple[t.Any, list[str]]] = [
    ({"resorces": {}}, ["resorces", "resources"]),
    ({"resources": {"slot": 1}}, ["resources.slot"]),
    ({"bind_mounts": [{"hostpath": "/x"}]}, ["bind_mounts[0].hostpath", "host_path"]),
    ({"data_layer": {"type": "s3"}}, ["data_layer", "deprecated"]),
    ({"resources": {"agent_label": "x"}}, ["resources.agent_label", "deprecated"]),
    ({"optimizations": {"mixed_precision": "O1"}}, ["optimizations", "deprecated"]),
    ({"min_validation_period": {"batches": 1}}, ["min_validation_period", "deprecated"]),
    ({"searcher": {"name": "single", "max_length": {"batches": 1}}}, ["searcher.max_length", "deprecated"]),
    ({"searcher": {"name": "adaptive_simple"}}, ["adaptive_simple", "removed"]),
    ({"environment": {"image": {"gpu": "x:1"}}}, ["environment.image.gpu", "deprecated"]),
]


@pytest.mark.parametrize(("config", "told"), WRONG)
def test_wrong_and_deprecated_keys(config: t.Any, told: list[str]) -> None:
    faults = config_faults(config)
    assert len(faults) == 1
    assert all(part in faults[0] for part in told)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {
            "work_dir": "/x",
            "idle_timeout": "1h",
            "resources": {"slots": 1, "agent_label": None},
            "tensorboard_args": [],
        },
        {"searcher": {"name": "single", "metric": "x", "max_length": None}, "data_layer": None},
        {"environment": {"environment_variables": {"cpu": ["A=1"]}, "image": "x:1", "pod_spec": {"spec": {"any": 1}}}},
        {"hyperparameters": {"anything": 1}, "data": {"anything": 1}, "integrations": {"pachyderm": {}}},
    ],
)
def test_right_keys(config: t.Any) -> None:
    assert config_faults(config) == []


def test_wrong_keys_are_not_told_without_end_and_show_no_secret() -> None:
    start = time.process_time()
    assert len(config_faults({f"wrong{number}": 1 for number in range(100_000)})) == 20
    token = "gh" + "p_0123456789abcdefghij0123456789abcdef"
    assert token not in "".join(config_faults({token: 1, "x" * 1_000_000: 2}))
    deep: t.Any = []
    for _ in range(20_000):
        deep = [deep]
    assert config_faults({"bind_mounts": deep}) == []
    assert time.process_time() - start < 5
