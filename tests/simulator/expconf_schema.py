# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""What master 0.38.1 takes for an experiment configuration: keys, kinds, limits, defaults and its words for what is wrong.

The facts are compared with the answers of a running master, which says them in two steps: a submitted configuration may lack
what a template or a default brings, a complete one may not.
"""

from __future__ import annotations

import posixpath
import re
import typing as t

from .config_rules import (
    ANYTHING,
    Both,
    Choose,
    Field,
    ListOf,
    MapOf,
    OneOf,
    Plain,
    Rule,
    Says,
    Struct,
    Summed,
    late,
    must,
    open_struct,
    opt,
    ordered,
    struct,
    tagged,
    without,
)


class ConfigError(Exception):
    """A configuration that the master refuses; the text is the master's, without the handler's own prefix."""


TEXT = Plain(kinds=("string",))
FLAG = Plain(kinds=("boolean",))
NUMBER = Plain(kinds=("number",))
WHOLE = Plain(kinds=("integer",))
COUNT = Plain(kinds=("integer",), at_least=0)
POSITIVE = Plain(kinds=("integer",), at_least=1)
MAPPING = Rule(kinds=("object",))
TEXTS = ListOf(item=TEXT)

# --- lengths ---------------------------------------------------------------------------------------------------------------

_UNITS = {"batches", "records", "epochs"}
_LENGTH_WORDS = 'a length object must have one attribute named "batches", "records", or "epochs"'
_NO_LENGTH = Rule(says=(Says(_LENGTH_WORDS, lambda value: False),))
LENGTH = Choose(
    kinds=("object",),
    pick=lambda value: MapOf(item=COUNT) if len(value) == 1 and value.keys() <= _UNITS else _NO_LENGTH,
    variants=(struct({unit: opt(COUNT) for unit in sorted(_UNITS)}),),
)
SOME_LENGTH = Both(kinds=("object",), first=LENGTH, second=MapOf(item=POSITIVE))
MAX_LENGTH = Choose(
    kinds=("object", "integer"),
    pick=lambda value: SOME_LENGTH if isinstance(value, dict) else COUNT,
    variants=(SOME_LENGTH,),
)

# --- hyperparameters -------------------------------------------------------------------------------------------------------

_RANGES = ("double", "log", "int")
_ORDERED = ordered("minval", "maxval")


def _range(kind: Rule, **more: Field) -> Struct:
    return struct(_ORDERED, minval=must(kind), maxval=must(kind), **more, count=opt(POSITIVE))


_HYPERPARAMETERS = {
    "int": _range(WHOLE),
    "double": _range(NUMBER),
    "log": _range(NUMBER, base=must(Plain(kinds=("number",), above=0))),
    "const": struct(val=must(ANYTHING)),
    "categorical": struct(vals=must(ListOf(item=ANYTHING))),
}
_NO_TYPE = without(
    "type",
    'if a hyperparameter object\'s ["type"] is set, it must be one of "int", "double", "log", const", or "categorical"',
)
HYPERPARAMETER: Rule = tagged(
    "type",
    _HYPERPARAMETERS,
    Choose(pick=lambda value: MapOf(item=HYPERPARAMETER, says=(_NO_TYPE,)) if isinstance(value, dict) else ANYTHING),
)

_COUNTED = open_struct(
    Says(
        "grid search is in use but count was not provided",
        lambda value: value["type"] not in _RANGES or value.get("count") is not None,
    ),
    type=must(TEXT),
)


def _grid_rule(value: t.Any) -> Rule:
    if isinstance(value, list):
        return ListOf(item=_GRID)
    if not isinstance(value, dict):
        return ANYTHING
    return _COUNTED if "type" in value else MapOf(item=_GRID)


_GRID = Choose(pick=_grid_rule)


def _may_be_grid(config: dict[str, t.Any]) -> bool:
    """Whether a grid search is possible: a searcher without a name, or none, counts."""
    searcher = config.get("searcher")
    return not isinstance(searcher, dict) or searcher.get("name", "grid") == "grid"


_GRID_CONFIG = open_struct(hyperparameters=opt(MapOf(kinds=(), item=_GRID)))

# --- searchers -------------------------------------------------------------------------------------------------------------

_GOAL = {
    "metric": late(TEXT),
    "smaller_is_better": opt(FLAG, True),
    "source_trial_id": opt(WHOLE),
    "source_checkpoint_uuid": opt(TEXT),
}
_DIVISOR = {"divisor": opt(Plain(kinds=("number",), above=1), 4)}
_AT_ONCE = {"max_concurrent_trials": opt(COUNT, 16)}
_MODES = {
    "mode": opt(OneOf(values=(None, "aggressive", "standard", "conservative")), "standard"),
    "max_rungs": opt(POSITIVE, 5),
}
_BRACKETS = {"bracket_rungs": opt(ListOf(item=WHOLE), [])}
_STOPPING = {"stop_once": opt(FLAG), "max_time": opt(WHOLE), "time_metric": opt(TEXT)}
_STRAGGLERS = {"train_stragglers": opt(FLAG, True)}
_MAX_TRIALS = {"max_trials": late(POSITIVE)}
_NUM_RUNGS = {"num_rungs": late(POSITIVE)}
_OLD_LENGTH = {"max_length": opt(SOME_LENGTH)}
_ANY_LENGTH = {"max_length": opt(MAX_LENGTH)}

SEARCHERS = {
    "single": struct(_GOAL, _ANY_LENGTH),
    "random": struct(_GOAL, _ANY_LENGTH, _AT_ONCE, _MAX_TRIALS),
    "grid": struct(_GOAL, _ANY_LENGTH, _AT_ONCE),
    "adaptive_asha": struct(_GOAL, _ANY_LENGTH, _AT_ONCE, _MAX_TRIALS, _BRACKETS, _STOPPING, _DIVISOR, _MODES),
    "async_halving": struct(_GOAL, _OLD_LENGTH, _AT_ONCE, _MAX_TRIALS, _NUM_RUNGS, _STOPPING, _DIVISOR),
    "adaptive": struct(_GOAL, _OLD_LENGTH, _BRACKETS, _DIVISOR, _MODES, _STRAGGLERS, budget=late(LENGTH)),
    "adaptive_simple": struct(
        _GOAL, _OLD_LENGTH, _DIVISOR, _MODES, max_trials=late(Plain(kinds=("integer",), at_least=1, at_most=2000))
    ),
    "sync_halving": struct(_GOAL, _OLD_LENGTH, _NUM_RUNGS, _DIVISOR, _STRAGGLERS, budget=late(SOME_LENGTH)),
    "custom": open_struct(
        metric=late(TEXT),
        smaller_is_better=opt(FLAG, True),
        unit=opt(OneOf(values=("batches", "records", "epochs", None))),
    ),
}

# --- storage ---------------------------------------------------------------------------------------------------------------

_KEPT = {
    "save_experiment_best": opt(COUNT, 0),
    "save_trial_best": opt(COUNT, 1),
    "save_trial_latest": opt(COUNT, 1),
}
_PREFIX = opt(
    Plain(kinds=("string",), says=(Says("prefix cannot contain /../", lambda value: ".." not in value.split("/")),))
)


def _below_host_path(value: dict[str, t.Any]) -> bool:
    inner, outer = value.get("storage_path"), value.get("host_path")
    if not isinstance(inner, str) or not isinstance(outer, str):
        return True
    inner = posixpath.normpath(inner)
    return inner.startswith(posixpath.normpath(outer)) if inner.startswith("/") else not inner.startswith("..")


STORAGES = {
    "shared_fs": struct(
        Says("storage_path must either be a relative directory or a subdirectory of host_path", _below_host_path),
        _KEPT,
        host_path=late(TEXT),
        storage_path=opt(TEXT),
        container_path=opt(TEXT),
        checkpoint_path=opt(TEXT),
        tensorboard_path=opt(TEXT),
        propagation=opt(TEXT, "rprivate"),
    ),
    "directory": struct(_KEPT, container_path=late(TEXT)),
    "s3": struct(
        _KEPT,
        bucket=late(TEXT),
        prefix=_PREFIX,
        access_key=opt(TEXT),
        secret_key=opt(TEXT),
        endpoint_url=opt(TEXT),
    ),
    "gcs": struct(_KEPT, bucket=late(TEXT), prefix=_PREFIX),
    "azure": struct(
        Says(
            "credential and connection_string must not both be set",
            lambda value: not all(isinstance(value.get(name), str) for name in ("credential", "connection_string")),
        ),
        Says(
            "Exactly one of connection_string or account_url must be set",
            lambda value: (value.get("connection_string") is None) != (value.get("account_url") is None),
            late=True,
        ),
        _KEPT,
        container=late(TEXT),
        connection_string=opt(TEXT),
        account_url=opt(TEXT),
        credential=opt(TEXT),
    ),
}


def _union(tag: str, members: dict[str, Struct], common: dict[str, Field], message: str, *more: str) -> Both:
    """A mapping of one of several types that may still lack its tag; then it may have the keys of all of them."""
    keys = {name: opt(ANYTHING) for name in (*more, *(key for member in members.values() for key in member.fields))}
    untagged = Rule(says=(without(tag, message),))
    return Both(
        kinds=("object",),
        first=tagged(tag, members, untagged),
        second=struct({**keys, tag: late(ANYTHING), **common}),
    )


CHECKPOINT_STORAGE = _union(
    "type",
    STORAGES,
    _KEPT,
    "is not an object where object[\"type\"] is one of 'shared_fs', 'directory', 's3', 'gcs', or 'azure'",
    "user",
)
SEARCHER = _union(
    "name",
    SEARCHERS,
    _GOAL,
    "is not an object where object[\"name\"] is one of 'single', 'random', 'grid', 'custom', or 'adaptive_asha'",
)
_IGNORED = "this field is deprecated and will be ignored"
TENSORBOARD_STORAGE = Summed(
    kinds=("object",),
    rule=tagged(
        "type",
        {name: STORAGES[name] for name in ("shared_fs", "s3", "gcs")},
        Rule(says=(Says(_IGNORED, lambda value: False),)),
    ),
    message=_IGNORED,
    says=tuple(without(name, _IGNORED) for name in _KEPT),
)

# --- where trials run ------------------------------------------------------------------------------------------------------


def _by_accelerator(rule: Rule, default: t.Any = None) -> dict[str, Field]:
    return {name: opt(rule, default) for name in ("cpu", "cuda", "rocm", "gpu")}


def _text_or(other: Rule, plain: Rule = TEXT) -> Choose:
    """A mapping, or in short a value of another kind."""
    return Choose(pick=lambda value: other if isinstance(value, dict) else plain, variants=(other,))


IMAGE_MAP = struct({**_by_accelerator(TEXT), **{name: late(TEXT) for name in ("cpu", "cuda", "rocm")}})
VARIABLES_MAP = struct(_by_accelerator(TEXTS, []))

_MAIN_CONTAINER = "determined-container"
_ELSEWHERE = ", set it in the experiment config"
_FIXED = {
    "image": _ELSEWHERE,
    "command": "",
    "args": "",
    "working_dir": "",
    "ports": "",
    "liveness_probe": "",
    "readiness_probe": "",
    "startup_probe": "",
    "lifecycle": "",
    "termination_message_path": "",
    "termination_message_policy": "",
    "image_pull_policy": _ELSEWHERE,
    "security_context": _ELSEWHERE,
}


def _fixed(name: str, more: str) -> Says:
    verb = "are" if name in ("args", "ports") else "is"
    return without(name, f"container {name.title().replace('_', '')} {verb} not configurable{more}")


_CONTAINER = open_struct(*(_fixed(name, more) for name, more in _FIXED.items()))
POD_SPEC = open_struct(
    without("name", "pod Name is not a configurable option"),
    without("name_space", "pod NameSpace is not a configurable option"),
    spec=opt(
        open_struct(
            containers=opt(
                ListOf(
                    item=Choose(
                        pick=lambda value: (
                            ANYTHING
                            if isinstance(value, dict) and value.get("name", _MAIN_CONTAINER) != _MAIN_CONTAINER
                            else _CONTAINER
                        )
                    )
                )
            )
        )
    ),
)

PROXY_PORT = struct(
    proxy_port=must(NUMBER),
    proxy_tcp=opt(FLAG, False),
    unauthenticated=opt(FLAG, False),
    default_service_id=opt(FLAG, False),
)
ENVIRONMENT = struct(
    image=late(
        Summed(
            kinds=("object", "string"),
            rule=_text_or(IMAGE_MAP),
            message="is neither a string nor a map of cpu, cuda, or rocm to strings",
        ),
        {},
    ),
    environment_variables=opt(
        Summed(
            kinds=("object", "array"),
            rule=_text_or(VARIABLES_MAP, TEXTS),
            message="is neither a list of strings nor a map of cpu, cuda, or rocm to lists of strings",
        ),
        [],
    ),
    proxy_ports=opt(ListOf(item=PROXY_PORT), []),
    ports=opt(MapOf(item=WHOLE), {}),
    force_pull_image=opt(FLAG, False),
    registry_auth=opt(
        struct(
            username=opt(TEXT),
            password=opt(TEXT),
            auth=opt(TEXT),
            email=opt(TEXT),
            serveraddress=opt(TEXT),
            identitytoken=opt(TEXT),
            registrytoken=opt(TEXT),
        )
    ),
    add_capabilities=opt(TEXTS, []),
    drop_capabilities=opt(TEXTS, []),
    pod_spec=opt(POD_SPEC),
)

_DEVICE_TEXT = Plain(kinds=("string",), says=(Says("", lambda value: value[:1] == value.partition(":")[2][:1] == "/"),))
DEVICE = struct(host_path=must(TEXT), container_path=must(TEXT), mode=opt(TEXT, "mrw"))
_MEMORY = re.compile(r"([0-9]*\.)?[0-9]+ ?([kmgtp](i?b)?|b)?", re.IGNORECASE | re.ASCII)
RESOURCES = struct(
    slots=opt(WHOLE),
    slots_per_trial=opt(COUNT, 1),
    max_slots=opt(WHOLE),
    weight=opt(NUMBER, 1),
    priority=opt(Plain(kinds=("integer",), at_least=1, at_most=99)),
    resource_pool=opt(TEXT, ""),
    is_single_node=opt(FLAG),
    native_parallel=opt(FLAG, False),
    agent_label=opt(TEXT),
    shm_size=opt(
        Plain(
            kinds=("integer", "string"),
            says=(
                Says(
                    "must be a valid memory size",
                    lambda value: not isinstance(value, str) or _MEMORY.fullmatch(value) is not None,
                ),
            ),
        )
    ),
    devices=opt(
        ListOf(
            item=Summed(
                rule=_text_or(DEVICE, _DEVICE_TEXT),
                message="is neither a list of --device strings nor a map containing host_path, container_path, and mode",
            )
        ),
        [],
    ),
)

BIND_MOUNT = struct(
    host_path=must(
        Plain(
            kinds=("string",),
            says=(Says("host_path must be an absolute path", lambda value: value.startswith("/")),),
        )
    ),
    container_path=must(
        Plain(kinds=("string",), says=(Says('container_path must not be "."', lambda value: value != "."),))
    ),
    read_only=opt(FLAG, False),
    propagation=opt(TEXT, "rprivate"),
)

# --- the rest --------------------------------------------------------------------------------------------------------------

_ACTIONS = ("cancel_retries", "exclude_node")
LOG_POLICY = struct(
    Says(
        '"name" must be set, and "pattern" is also required unless you intend to disable an existing policy',
        lambda value: "name" in value or {"pattern", "action"} <= value.keys(),
    ),
    name=opt(TEXT),
    pattern=opt(TEXT),
    action=opt(
        tagged(
            "type",
            dict.fromkeys(_ACTIONS, struct()),
            Rule(says=(Says('must be one of "cancel_retries" or "exclude_node"', lambda value: value in _ACTIONS),)),
            kinds=("string", "object"),
        )
    ),
)
OPTIMIZATIONS = struct(
    aggregation_frequency=opt(POSITIVE, 1),
    auto_tune_tensor_fusion=opt(FLAG, False),
    average_aggregated_gradients=opt(FLAG, True),
    average_training_metrics=opt(FLAG, True),
    gradient_compression=opt(FLAG, False),
    grad_updates_size_file=opt(TEXT),
    mixed_precision=opt(
        OneOf(
            values=(None, "O0", "O1", "O2", "O3"),
            says=(
                Says(
                    "mixed_precision should be a string starting with an uppercase letter 'O'",
                    lambda value: not isinstance(value, str) or value.startswith("O"),
                ),
            ),
        ),
        "O0",
    ),
    tensor_fusion_cycle_time=opt(COUNT, 1),
    tensor_fusion_threshold=opt(COUNT, 64),
)
PROFILING = struct(
    ordered("begin_on_batch", "end_after_batch", equal=True),
    enabled=opt(FLAG, False),
    begin_on_batch=opt(COUNT, 0),
    end_after_batch=opt(COUNT),
    sync_timings=opt(FLAG, True),
)
WEBHOOKS = struct(webhook_id=opt(ListOf(item=WHOLE)), webhook_name=opt(TEXTS), exclude=opt(FLAG, False))
INTEGRATIONS = struct(
    pachyderm=opt(
        struct(
            pachd=must(struct(host=must(TEXT), port=must(WHOLE))),
            proxy=must(struct(scheme=must(TEXT), host=must(TEXT), port=must(WHOLE))),
            dataset=must(struct({name: must(TEXT) for name in ("project", "repo", "commit", "branch", "token")})),
        )
    ),
    webhooks=opt(WEBHOOKS),
)

EXPERIMENT = struct(
    name=late(TEXT),
    description=opt(TEXT),
    labels=opt(TEXTS, []),
    workspace=opt(TEXT, ""),
    project=opt(TEXT, ""),
    entrypoint=opt(ListOf(kinds=("string", "array"), item=TEXT)),
    data=opt(MAPPING, {}),
    hyperparameters=late(MapOf(item=HYPERPARAMETER), {}),
    searcher=late(SEARCHER),
    resources=opt(RESOURCES, {}),
    environment=opt(ENVIRONMENT, {}),
    bind_mounts=opt(ListOf(item=BIND_MOUNT), []),
    checkpoint_storage=late(CHECKPOINT_STORAGE),
    checkpoint_policy=opt(OneOf(values=(None, "best", "all", "none")), "best"),
    min_checkpoint_period=opt(LENGTH, {"batches": 0}),
    min_validation_period=opt(LENGTH, {"batches": 0}),
    perform_initial_validation=opt(FLAG, False),
    max_restarts=opt(COUNT, 5),
    preemption_timeout=opt(WHOLE),
    reproducibility=late(struct(experiment_seed=late(COUNT)), {}),
    optimizations=opt(OPTIMIZATIONS, {}),
    profiling=opt(PROFILING, {}),
    log_policies=opt(ListOf(item=LOG_POLICY), []),
    retention_policy=opt(
        struct(log_retention_days=late(Plain(kinds=("integer",), at_least=-1, at_most=32767))),
    ),
    integrations=opt(INTEGRATIONS),
    security=opt(struct(kerberos=opt(struct(config_file=must(TEXT))))),
    slurm=opt(struct(slots_per_node=opt(POSITIVE), gpu_type=opt(TEXT), sbatch_args=opt(TEXTS)), {}),
    pbs=opt(struct(slots_per_node=opt(POSITIVE), pbsbatch_args=opt(TEXTS)), {}),
    debug=opt(FLAG, False),
    # Accepted and of no effect.
    records_per_epoch=opt(WHOLE, 0),
    scheduling_unit=opt(POSITIVE, 100),
    tensorboard_storage=opt(TENSORBOARD_STORAGE),
    data_layer=opt(MAPPING),
    internal=Field(Plain(kinds=("null",)), null=False),
)

CONFIGS: dict[str, Rule] = {
    "experiment": Both(
        kinds=("object",),
        first=EXPERIMENT,
        second=Choose(pick=lambda value: _GRID_CONFIG if _may_be_grid(value) else ANYTHING),
    ),
    "checkpoint-storage": CHECKPOINT_STORAGE,
}
# Whose defaults count, by the names of the structs in .expconf; a union's own are those that all its types have.
_DEFAULTED: dict[str, dict[str, Field]] = {
    "experiment": EXPERIMENT.fields,
    "bind-mount": BIND_MOUNT.fields,
    "environment": ENVIRONMENT.fields,
    "proxy-port": PROXY_PORT.fields,
    "webhooks": WEBHOOKS.fields,
    "optimizations": OPTIMIZATIONS.fields,
    "profiling": PROFILING.fields,
    "resources": RESOURCES.fields,
    "device": DEVICE.fields,
    "searcher": _GOAL,
    "checkpoint-storage": _KEPT,
    **{f"searcher-{name.replace('_', '-')}": rule.fields for name, rule in SEARCHERS.items()},
    **{name.replace("_", "-"): rule.fields for name, rule in STORAGES.items()},
}


def default(kind: str, name: str) -> t.Any:
    """What the master fills in for a field of a struct of :data:`.expconf.STRUCTS`; None is nothing."""
    field = _DEFAULTED.get(kind, {}).get(name)
    return None if field is None else field.default


def problems(value: t.Any, schema: str = "experiment", *, complete: bool = False) -> list[str]:
    """What the master has against ``value``, each line as it words it, sorted."""
    return sorted(f"<config>{path}: {message}" for path, message in CONFIGS[schema].problems(value, "", complete))


def require_complete(value: t.Any, schema: str = "experiment") -> None:
    """The master's last check, after templates and defaults.

    Raises:
        ConfigError: ``config is invalid or incomplete: ...``.
    """
    found = problems(value, schema, complete=True)
    if found:
        raise ConfigError("config is invalid or incomplete: " + "\n".join(found))
