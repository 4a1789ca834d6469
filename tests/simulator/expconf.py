# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The experiment configuration as master 0.38.1 reads it: YAML, validation, Go's decoding, templates, defaults.

Validation is in :mod:`.expconf_schema`. :data:`STRUCTS` is the second source of truth that the master has: the types into which
it decodes, which decide what a template may contain and what is stored.
"""

from __future__ import annotations

import copy
import json
import math
import re
import time
import typing as t

import yaml

from .config_rules import go_syntax, json_type
from .expconf_schema import ConfigError as ConfigError
from .expconf_schema import default, problems
from .expconf_schema import require_complete as require_complete

# Kind -> "GoType field:type ...". A trailing "?" is Go's omitempty. Types: str int float bool any map, [x] a list, {x} a map of x,
# else the name of another kind. Defaults are those of .expconf_schema.
STRUCTS = {
    "experiment": "ExperimentConfigV0 bind_mounts:[bind-mount] checkpoint_policy:str checkpoint_storage:checkpoint-storage data:map "
    "integrations:integrations debug:bool description:str entrypoint:any environment:environment hyperparameters:{hyperparameter} "
    "labels:labels log_policies:log-policies retention_policy?:retention-policy max_restarts:int min_checkpoint_period:length "
    "min_validation_period:length name:name optimizations:optimizations perform_initial_validation:bool profiling:profiling "
    "project:str records_per_epoch:int reproducibility:reproducibility resources:resources scheduling_unit:int searcher:searcher "
    "security?:security tensorboard_storage?:tensorboard-storage workspace:str slurm?:hpc-cluster-slurm pbs?:hpc-cluster-pbs "
    "preemption_timeout:int",
    "bind-mount": "BindMountV0 host_path:str container_path:str read_only:bool propagation:str",
    "environment": "EnvironmentConfigV0 image:environment-image-map environment_variables:environment-variables-map "
    "proxy_ports:[proxy-port] ports:{int} registry_auth:registry-auth force_pull_image:bool pod_spec:pod-spec "
    "add_capabilities:[str] drop_capabilities:[str]",
    "registry-auth": "AuthConfig username?:str password?:str auth?:str email?:str serveraddress?:str identitytoken?:str "
    "registrytoken?:str",
    "pod-spec": "PodSpec kind?:str apiVersion?:str metadata?:map spec?:map status?:map",
    "proxy-port": "ProxyPortV0 proxy_port:int proxy_tcp:bool unauthenticated:bool default_service_id:bool",
    "integrations": "IntegrationsConfigV0 pachyderm?:pachyderm webhooks?:webhooks",
    "webhooks": "WebhooksConfigV0 webhook_id?:[int] webhook_name?:[str] exclude?:bool",
    "pachyderm": "PachydermConfigV0 pachd:pachyderm-pachd proxy:pachyderm-proxy dataset:pachyderm-dataset",
    "pachyderm-pachd": "PachydermPachdConfigV0 host:str port:int",
    "pachyderm-proxy": "PachydermProxyConfigV0 scheme:str host:str port:int",
    "pachyderm-dataset": "PachydermDatasetConfigV0 project:str repo:str commit:str branch:str token:str",
    "log-policy": "LogPolicyV0 name?:str pattern?:str action?:log-action",
    "retention-policy": "RetentionPolicyConfigV0 log_retention_days?:int",
    "optimizations": "OptimizationsConfigV0 aggregation_frequency:int average_aggregated_gradients:bool "
    "average_training_metrics:bool gradient_compression:bool grad_updates_size_file:str mixed_precision?:str "
    "tensor_fusion_threshold:int tensor_fusion_cycle_time:int auto_tune_tensor_fusion:bool",
    "profiling": "ProfilingConfigV0 enabled:bool begin_on_batch:int end_after_batch:int sync_timings:bool",
    "reproducibility": "ReproducibilityConfigV0 experiment_seed:seed",
    "resources": "ResourcesConfigV0 slots?:int max_slots:int slots_per_trial:int weight:float native_parallel?:bool shm_size:int "
    "resource_pool:str priority:int is_single_node:bool devices:[device]",
    "device": "DeviceV0 host_path:str container_path:str mode:str",
    "security": "SecurityConfigV0 kerberos:kerberos",
    "kerberos": "KerberosConfigV0 config_file:str",
    "hpc-cluster-slurm": "SlurmConfigV0 slots_per_node?:int gpu_type?:str sbatch_args?:[str]",
    "hpc-cluster-pbs": "PbsConfigV0 slots_per_node?:int pbsbatch_args?:[str]",
    "searcher": "SearcherConfigV0 metric:str smaller_is_better:bool source_trial_id:int source_checkpoint_uuid:str",
    "searcher-single": "SingleConfigV0 max_length?:length",
    "searcher-random": "RandomConfigV0 max_length?:length max_trials:int max_concurrent_trials:int",
    "searcher-grid": "GridConfigV0 max_length?:length max_concurrent_trials:int",
    "searcher-async-halving": "AsyncHalvingConfigV0 num_rungs:int max_trials:int divisor:float max_concurrent_trials:int "
    "max_time:int time_metric:str max_length?:length stop_once?:bool",
    "searcher-adaptive-asha": "AdaptiveASHAConfigV0 max_trials:int bracket_rungs:[int] divisor:float mode:str max_rungs:int "
    "max_concurrent_trials:int max_time:int time_metric:str max_length?:length stop_once?:bool",
    "searcher-sync-halving": "SyncHalvingConfigV0 num_rungs:int max_length?:length budget:length divisor:float train_stragglers:bool",
    "searcher-adaptive": "AdaptiveConfigV0 max_length?:length budget:length bracket_rungs:[int] divisor:float train_stragglers:bool "
    "mode:str max_rungs:int",
    "searcher-adaptive-simple": "AdaptiveSimpleConfigV0 max_length?:length max_trials:int divisor:float mode:str max_rungs:int",
    "searcher-custom": "CustomConfigV0 unit:str",
    "checkpoint-storage": "CheckpointStorageConfigV0 save_experiment_best:int save_trial_best:int save_trial_latest:int",
    "tensorboard-storage": "TensorboardStorageConfigV0",
    "shared-fs": "SharedFSConfigV0 host_path:str container_path?:str checkpoint_path?:str tensorboard_path?:str storage_path:str "
    "propagation:str",
    "s3": "S3ConfigV0 bucket:str access_key:str secret_key:str endpoint_url:str prefix:str",
    "gcs": "GCSConfigV0 bucket:str prefix:str",
    "azure": "AzureConfigV0 container:str connection_string?:str account_url?:str credential?:str",
    "directory": "DirectoryConfigV0 container_path:str",
}
_STORAGE = {"shared_fs": "shared-fs", "s3": "s3", "gcs": "gcs", "azure": "azure", "directory": "directory"}
_SEARCHERS = (
    "single",
    "random",
    "grid",
    "async_halving",
    "adaptive_asha",
    "sync_halving",
    "adaptive",
    "adaptive_simple",
    "custom",
)
UNIONS: dict[str, tuple[str, dict[str, str]]] = {
    "checkpoint-storage": ("type", _STORAGE),
    "tensorboard-storage": ("type", _STORAGE),
    "searcher": ("name", {name: "searcher-" + name.replace("_", "-") for name in _SEARCHERS}),
}
# master/pkg/schemas/expconf/const.go
IMAGES = {
    "cpu": "determinedai/pytorch-ngc:0.38.1",
    "cuda": "determinedai/pytorch-ngc:0.38.1",
    "rocm": "determinedai/environments:rocm-5.6-pytorch-1.3-tf-2.10-rocm-mpich-0736b6d",
}
LOG_POLICIES = [
    {"name": "CUDA OOM", "pattern": ".*CUDA out of memory.*", "action": None},
    {"name": "ECC Error", "pattern": ".*uncorrectable ECC error encountered.*", "action": None},
]


class Struct(t.NamedTuple):
    """One Go struct: its name and, by JSON key, (type, omitempty)."""

    go_name: str
    fields: dict[str, tuple[str, bool]]


def _parse_structs() -> dict[str, Struct]:
    out = {}
    for kind, text in STRUCTS.items():
        go_name, *fields = text.split()
        parsed = {}
        for field in fields:
            name, _colon, kind_of = field.partition(":")
            parsed[name.rstrip("?")] = (kind_of, name.endswith("?"))
        out[kind] = Struct(go_name, parsed)
    return out


_STRUCTS = _parse_structs()


# --- YAML as yaml.v2 reads it ----------------------------------------------------------------------------------------------


class _GoYaml(yaml.SafeLoader):
    """YAML 1.1 as gopkg.in/yaml.v2 resolves it: y and n are booleans, 1e3 is a number, times stay strings."""


_GoYaml.yaml_implicit_resolvers = {
    key: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":bool", ":float"))]
    for key, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_GoYaml.add_implicit_resolver(
    "tag:yaml.org,2002:bool",
    re.compile(r"^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$"),
    list("yYnNtTfFoO"),
)
_GoYaml.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)
_GoYaml.bool_values = {**yaml.SafeLoader.bool_values, "y": True, "n": False}


def parse_yaml(text: str) -> t.Any:
    """YAML (or JSON) text as plain JSON data, as ``ghodss/yaml`` turns it.

    Raises:
        ConfigError: the text is no YAML.
    """
    try:
        value = yaml.load(text, _GoYaml)
    except yaml.YAMLError as error:
        raise ConfigError(f"error converting YAML to JSON: yaml: {_go_problem(error, text)}") from None
    return _json_ready(value)


_GO_PROBLEMS = (
    (r"expected the node content, but found .*", "did not find expected node content"),
    (r"found character .* that cannot start any token", "found character that cannot start any token"),
    (r"mapping values are not allowed here", "mapping values are not allowed in this context"),
    (r"expected (',' or '[]}]'), but got .*", r"did not find expected \1"),
    (r"expected <block end>, but found .*", "did not find expected key"),
    (r"found undefined alias '(.*)'", r"unknown anchor '\1' referenced"),
)


def _go_problem(error: yaml.YAMLError, text: str) -> str:
    """A syntax error of libyaml's grammar in yaml.v2's words, with its line where it gives one."""
    problem, mark = getattr(error, "problem", None) or str(error), getattr(error, "problem_mark", None)
    line = 0 if mark is None else mark.line + (1 if mark.line and isinstance(error, yaml.scanner.ScannerError) else 0)
    if problem.endswith("'<stream end>'"):
        line = len(text.splitlines()) or 1
    for pattern, words in _GO_PROBLEMS:
        problem = re.sub(f"^{pattern}$", words, problem)
    return f"line {line}: {problem}" if line else problem


def _json_ready(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {_json_key(key): _json_ready(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_ready(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        word = "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
        raise ConfigError(f"error converting YAML to JSON: json: unsupported value: {word}")
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    return value


def _json_key(key: t.Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return key if isinstance(key, str) else str(_json_ready(key))


# --- Go's decoding ---------------------------------------------------------------------------------------------------------

_LEAF: dict[str, tuple[str, type | tuple[type, ...]]] = {
    "str": ("string", str),
    "int": ("int", int),
    "float": ("float64", (int, float)),
    "bool": ("bool", bool),
}


def _go_mismatch(value: t.Any, where: str, go_type: str) -> ConfigError:
    found = {"boolean": "bool", "null": "null"}.get(json_type(value), json_type(value))
    if found == "number" and "int" in go_type:
        found = f"number {value}"
    target = f"Go struct field {where} of type" if where else "Go value of type"
    return ConfigError(f"json: cannot unmarshal {found} into {target} {go_type}")


def decode(kind: str, value: t.Any, *, strict: bool, stringly: bool = False, where: str = "") -> t.Any:
    """Read JSON into the shape of a Go struct: missing fields are None, unknown ones refused if ``strict``, keys in any case.

    Args:
        kind: a kind of :data:`STRUCTS` or a field type.
        value: the JSON value.
        strict: refuse unknown fields, as a template is read. Types with their own decoder never pass it on.
        stringly: numbers and booleans become text where text is expected, which ``ghodss/yaml`` does for templates.
        where: the path for error texts, as ``ExperimentConfigV0.resources.slots``.

    Raises:
        ConfigError: the text of encoding/json, without the prefixes of the caller.
    """
    if value is None:
        return None
    special = _DECODERS.get(kind)
    if special is not None:
        return special(value, where)
    if kind in UNIONS:
        return _decode_union(kind, value)
    if kind in ("any", "map"):
        if kind == "map" and not isinstance(value, dict):
            raise _go_mismatch(value, where, "map[string]interface {}")
        return copy.deepcopy(value)
    if kind in _LEAF:
        go_type, wanted = _LEAF[kind]
        if stringly and kind == "str" and json_type(value) in ("number", "boolean"):
            return json.dumps(value)
        if not isinstance(value, wanted) or (isinstance(value, bool) and kind != "bool"):
            raise _go_mismatch(value, where, go_type)
        return value
    if kind.startswith("["):
        if not isinstance(value, list):
            raise _go_mismatch(value, where, "[]" + {"str": "string"}.get(kind[1:-1], kind[1:-1]))
        return [decode(kind[1:-1], item, strict=strict, stringly=stringly, where=where) for item in value]
    if kind.startswith("{"):
        if not isinstance(value, dict):
            raise _go_mismatch(value, where, "map[string]" + {"int": "int"}.get(kind[1:-1], "expconf.HyperparameterV0"))
        if kind == "{hyperparameter}":  # null, too, is a constant
            return {key: _decode_hyperparameter(item) for key, item in sorted(value.items())}
        return {
            key: decode(kind[1:-1], item, strict=strict, stringly=stringly, where=where)
            for key, item in sorted(value.items())
        }
    struct = _STRUCTS[kind]
    if not isinstance(value, dict):
        raise _go_mismatch(value, where, "expconf." + struct.go_name)
    folded = {name.lower(): name for name in struct.fields}
    out: dict[str, t.Any] = dict.fromkeys(struct.fields)
    for key in sorted(value):
        name = folded.get(key.lower())
        if name is None:
            if strict:
                raise ConfigError(f"json: unknown field {go_syntax(key)}")
            continue
        trail = where.partition(".")[2]
        inner = f"{struct.go_name}.{trail + '.' if trail else ''}{name}"
        out[name] = decode(struct.fields[name][0], value[key], strict=strict, stringly=stringly, where=inner)
    if kind == "pod-spec":  # what Kubernetes' Pod prints although it is empty
        out["metadata"] = {"creationTimestamp": None, **(out["metadata"] or {})}
        out["spec"] = {"containers": None, **(out["spec"] or {})}
        out["status"] = out["status"] or {}
    return out


def _decode_union(kind: str, value: t.Any) -> dict[str, t.Any]:
    """master/pkg/union/unmarshal.go: the member's fields and the common ones; anything else is an error."""
    if not isinstance(value, dict):
        raise _go_mismatch(value, "", "map[string]interface {}")
    tag, members = UNIONS[kind]
    struct = _STRUCTS[kind]
    member = value.get(tag)
    parts = [struct]
    out: dict[str, t.Any] = {}
    if member is not None:
        if member not in members:
            raise ConfigError(f"unexpected {tag}: {member}")
        parts.insert(0, _STRUCTS[members[member]])
        out[tag] = member
    for part in parts:
        for name, (kind_of, _omit) in part.fields.items():
            out[name] = decode(kind_of, value.get(name), strict=False, where=f"{part.go_name}.{name}")
    unknown = sorted(key for key in value if key != tag and key not in out)
    if unknown:
        raise ConfigError(f"json: unknown field {go_syntax(unknown[0])}")
    return out


def _decode_images(value: t.Any, where: str) -> dict[str, t.Any]:
    if isinstance(value, str):
        return dict.fromkeys(IMAGES, value)
    return {"cpu": value.get("cpu"), "cuda": value.get("cuda") or value.get("gpu"), "rocm": value.get("rocm")}


def _decode_variables(value: t.Any, where: str) -> dict[str, t.Any]:
    if isinstance(value, list):
        return {name: list(value) for name in IMAGES}
    cuda = value.get("cuda") if value.get("cuda") is not None else value.get("gpu")
    return {"cpu": list(value.get("cpu") or []), "cuda": list(cuda or []), "rocm": list(value.get("rocm") or [])}


def _decode_hyperparameter(value: t.Any, where: str = "") -> t.Any:
    if not isinstance(value, dict):
        return {"type": "const", "val": value}
    if "type" not in value:
        return {key: _decode_hyperparameter(item) for key, item in value.items()}
    return {key: item for key, item in value.items() if not (key == "count" and item is None)}


def _decode_device(value: t.Any, where: str) -> dict[str, t.Any]:
    if not isinstance(value, str):
        return {
            "host_path": value.get("host_path"),
            "container_path": value.get("container_path"),
            "mode": value.get("mode"),
        }
    parts = value.split(":")
    if not 2 <= len(parts) <= 3:
        raise ConfigError(f"invalid device string: {go_syntax(value)}")
    return {"host_path": parts[0], "container_path": parts[1], "mode": parts[2] if len(parts) > 2 else None}


def _decode_labels(value: t.Any, where: str) -> list[str]:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return list(dict.fromkeys(value))
    if not isinstance(value, dict):
        raise _go_mismatch(value, where, "map[string]bool")
    return list(value)


def _decode_length(value: t.Any, where: str) -> t.Any:
    if isinstance(value, dict) and len(value.keys() & {"records", "batches", "epochs"}) != 1:
        raise ConfigError(f"invalid length: {json.dumps(value, separators=(',', ':'), sort_keys=True)}")
    return value


def _decode_seed(value: t.Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        raise _go_mismatch(value, where, "uint32")
    return value


def _decode_log_policies(value: t.Any, where: str) -> list[dict[str, t.Any]]:
    seen: set[str] = set()
    out = []
    for item in value:
        name = item.get("name")
        if name in seen:
            raise ConfigError(f"log_policies have duplicated names {go_syntax(name)}")
        seen |= {name} if name is not None else set()
        action = item.get("action")
        action = action.get("type") if isinstance(action, dict) else action
        out.append({"name": name, "pattern": item.get("pattern"), "action": action})
    return out


def _decode_name(value: t.Any, where: str) -> str:
    if not isinstance(value, str):
        raise _go_mismatch(value, where, "string")
    return value


_DECODERS: dict[str, t.Callable[[t.Any, str], t.Any]] = {
    "environment-image-map": _decode_images,
    "environment-variables-map": _decode_variables,
    "hyperparameter": _decode_hyperparameter,
    "device": _decode_device,
    "labels": _decode_labels,
    "log-policies": _decode_log_policies,
    "length": _decode_length,
    "seed": _decode_seed,
    "name": _decode_name,
}


# --- merging, defaults, storing --------------------------------------------------------------------------------------------


def merge(kind: str, value: t.Any, under: t.Any) -> t.Any:
    """``schemas.Merge(value, under)``: what ``value`` has wins; maps are united, lists are one or the other, some types differ.

    Raises:
        ConfigError: the text of the master's panic over free values of two types.
    """
    if value is None or under is None:
        return copy.deepcopy(under if value is None else value)
    if kind in UNIONS:
        tag, members = UNIONS[kind]
        member = value.get(tag) or under.get(tag)
        fields = {name: kind_of for name, (kind_of, _omit) in _STRUCTS[kind].fields.items()}
        same = value.get(tag) in (None, member) and under.get(tag) in (None, member)
        out = {name: merge(kind_of, value.get(name), under.get(name)) for name, kind_of in fields.items()}
        if member is not None:
            source = under if same else {}
            for name, (kind_of, _omit) in _STRUCTS[members[member]].fields.items():
                out[name] = merge(kind_of, value.get(name), source.get(name))
            out[tag] = member
        return out
    if kind == "registry-auth":
        return copy.deepcopy(value)  # plain strings in Go: what is missing counts as empty, and empty wins
    if kind == "environment-variables-map":
        return {name: [*under[name], *value[name]] for name in IMAGES}
    if kind == "labels":
        return list(dict.fromkeys([*value, *under]))
    if kind in ("[bind-mount]", "[device]", "[proxy-port]"):
        key = "proxy_port" if kind == "[proxy-port]" else "container_path"
        taken = {item[key] for item in value}
        return [*value, *(item for item in under if item[key] not in taken)]
    if kind == "log-policies":
        names = {(item["name"], None if item["name"] else (item["action"], item["pattern"])) for item in value}
        extra = [
            item
            for item in under
            if (item["name"], None if item["name"] else (item["action"], item["pattern"])) not in names
        ]
        return [*value, *extra]
    if kind == "hyperparameter":
        nested = [isinstance(item, dict) and "type" not in item for item in (value, under)]
        return _merge_maps(kind, value, under) if all(nested) else copy.deepcopy(value)
    if kind.startswith("{"):
        return _merge_maps(kind[1:-1], value, under)
    if kind in ("map", "any"):
        if json_type(value) != json_type(under):
            raise ConfigError(f"type mismatch in merge; can't merge {_go_type(under)} into {_go_type(value)}")
        return _merge_maps("any", value, under) if isinstance(value, dict) else copy.deepcopy(value)
    if kind == "pod-spec":
        return {name: item if item is not None else copy.deepcopy(under[name]) for name, item in value.items()}
    if kind in _STRUCTS:
        return {
            name: merge(kind_of, value[name], under[name]) for name, (kind_of, _omit) in _STRUCTS[kind].fields.items()
        }
    if kind == "environment-image-map":
        return {name: value[name] if value[name] is not None else under[name] for name in IMAGES}
    return copy.deepcopy(value)


def _go_type(value: t.Any) -> str:
    names = {"number": "float64", "boolean": "bool", "string": "string", "array": "[]interface {}"}
    return names.get(json_type(value), "map[string]interface {}")


def _merge_maps(kind: str, value: dict[str, t.Any], under: dict[str, t.Any]) -> dict[str, t.Any]:
    out = {key: merge(kind, item, under[key]) if key in under else copy.deepcopy(item) for key, item in value.items()}
    out.update({key: copy.deepcopy(item) for key, item in under.items() if key not in value})
    return out


def with_defaults(kind: str, value: t.Any) -> t.Any:
    """``schemas.WithDefaults``: the fixed defaults, and those that are made at run time (name, seed, images, log policies)."""
    if kind == "environment-image-map":
        return {name: (value or {}).get(name) or image for name, image in IMAGES.items()}
    if kind == "log-policies":
        return merge(kind, value, LOG_POLICIES)
    if kind == "reproducibility":
        seed = (value or {}).get("experiment_seed")
        return {"experiment_seed": int(time.time()) if seed is None else seed}
    if kind == "name":
        return f"Experiment ({_petname()})" if value is None else value
    if value is None:
        return None
    if kind in UNIONS:
        tag, members = UNIONS[kind]
        out = dict(value)
        for part in (kind, members.get(value.get(tag, ""))):
            if part is not None:
                out.update(_defaulted_fields(part, value))
        return out
    if kind.startswith("[") and kind[1:-1] in _STRUCTS:
        return [with_defaults(kind[1:-1], item) for item in value]
    if kind in _STRUCTS:
        return {**value, **_defaulted_fields(kind, value)}
    return value


def _defaulted_fields(kind: str, value: dict[str, t.Any]) -> dict[str, t.Any]:
    out = {}
    for name, (kind_of, _omit) in _STRUCTS[kind].fields.items():
        item = value.get(name)
        if item is None:
            item = decode(kind_of, default(kind, name), strict=False)
        out[name] = with_defaults(kind_of, item)
    return out


_PETNAMES = (("usually", "fairly", "rarely", "easily", "evenly"), ("fresh", "clever", "sound", "valid", "calm"),
             ("heron", "marlin", "otter", "lynx", "condor"))  # fmt: skip


def _petname() -> str:
    """Three words, as golang-petname makes them; by the clock, nothing depends on which."""
    tick = time.monotonic_ns() // 1000
    return "-".join(words[(tick // 7**index) % len(words)] for index, words in enumerate(_PETNAMES))


def stored(kind: str, value: t.Any) -> t.Any:
    """What ``json.Marshal`` makes of a decoded value: every field, null when unset, empty omitempty ones left out."""
    if value is None:
        return None
    if kind == "log-policies":
        return [{key: item[key] for key in ("name", "pattern", "action") if item[key] is not None} for item in value]
    if kind in UNIONS:
        tag, members = UNIONS[kind]
        out = {tag: value[tag]} if value.get(tag) else {}
        for part in (members.get(value.get(tag, "")), kind):
            if part is not None:
                out.update(_stored_fields(part, value))
        return out
    if kind.startswith("["):
        return [stored(kind[1:-1], item) for item in value]
    if kind in _STRUCTS:
        return _stored_fields(kind, value)
    return value


def _stored_fields(kind: str, value: dict[str, t.Any]) -> dict[str, t.Any]:
    out = {}
    for name, (kind_of, omit) in _STRUCTS[kind].fields.items():
        item = value.get(name)
        empty = item is None or item == []
        if omit and (empty or (kind == "webhooks" and item is False) or (kind == "registry-auth" and item == "")):
            continue
        out[name] = stored(kind_of, item)
    return out


# --- whole configurations --------------------------------------------------------------------------------------------------


def parse_experiment(text: str) -> dict[str, t.Any]:
    """The submitted YAML, checked for sanity and decoded (``expconf.ParseAnyExperimentConfigYAML``).

    Raises:
        ConfigError: the text after ``invalid experiment configuration: ``.
    """
    try:
        value = parse_yaml(text)
    except ConfigError as error:
        raise ConfigError(f"unable to convert yaml to json: not valid yaml: {error}") from None
    prefix = "unable to unmarshal json-formatted experiment config: json: cannot unmarshal "
    go_type = ' into Go value of type struct { Version int "json:\\"version\\"" }'
    if value is not None and not isinstance(value, dict):
        raise ConfigError(prefix + {"boolean": "bool"}.get(json_type(value), json_type(value)) + go_type)
    version = (value or {}).get("version") or 0
    if isinstance(version, bool) or not isinstance(version, int):
        raise ConfigError(f"{prefix}{json_type(version)} into Go struct field .version of type int")
    if version:
        raise ConfigError(f"invalid version: {version}")
    found = problems(value)
    if found:
        raise ConfigError("version 0 experiment config is invalid: config is invalid: " + "\n".join(found))
    try:
        return t.cast("dict[str, t.Any]", decode("experiment", value, strict=False))
    except ConfigError as error:
        raise ConfigError(f"unable to unmarshal experiment config as version 0: {error}") from None


def parse_template(config: dict[str, t.Any]) -> dict[str, t.Any]:
    """A template read as an experiment configuration, unknown fields refused (``templates.UnmarshalTemplateConfig``).

    Raises:
        ConfigError: the text after ``yaml.Unmarshal(template=x): ``.
    """
    try:
        return t.cast("dict[str, t.Any]", decode("experiment", config, strict=True, stringly=True))
    except ConfigError as error:
        raise ConfigError(f"error unmarshaling JSON: while decoding JSON: {error}") from None


def parse_storage(value: dict[str, t.Any]) -> dict[str, t.Any]:
    """A workspace's checkpoint storage configuration, as it is stored.

    Raises:
        ConfigError: a plain error (unknown key or type).
    """
    return t.cast("dict[str, t.Any]", stored("checkpoint-storage", decode("checkpoint-storage", value, strict=False)))
