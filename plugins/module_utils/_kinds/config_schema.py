# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""The keys that a template may hold: those of experiments, notebooks, shells, commands and TensorBoards of 0.38.1.

A key is known when any of these configurations has it, in any variant of a union (searchers, storage types, images by
accelerator), deprecated ones included: the master stores templates unread, and a misspelt key fails, or is silently ignored,
only when somebody uses the template (API page ml-resources, section 2). The facts are those of ``schemas/expconf/v0`` and of
``CommandConfig`` (``master/pkg/model/command_config.go``) of the release.
"""

from __future__ import annotations

import difflib
import itertools
import typing as t

from .._wire.errors import InvalidOption
from .free_form import listed

Keys = dict[str, t.Any]
"""The known keys of one mapping, each with the `Keys` below it, or None where anything may stand. The items of a list are
checked as if they stood in its place, and a text in place of a mapping is let through: both are variants of a union."""


def _keys(names: str, **below: Keys) -> Keys:
    return {**dict.fromkeys(names.split()), **below}


_LENGTH = _keys("batches records epochs")

_STORAGE = _keys(
    # shared_fs and directory, then s3, gcs and azure, and what was HDFS's
    "type save_experiment_best save_trial_best save_trial_latest "
    "host_path container_path storage_path checkpoint_path tensorboard_path propagation "
    "bucket prefix access_key secret_key endpoint_url "
    "container connection_string account_url credential "
    "user"
)

KNOWN = _keys(
    # experiments; what is below data, hyperparameters and integrations is the user's own
    "name description labels data workspace project entrypoint hyperparameters integrations debug "
    "max_restarts perform_initial_validation checkpoint_policy preemption_timeout "
    # deprecated, still accepted
    "data_layer internal records_per_epoch scheduling_unit "
    # notebooks, shells, commands and TensorBoards
    "idle_timeout notebook_idle_type tensorboard_args work_dir",
    bind_mounts=_keys("host_path container_path read_only propagation"),
    checkpoint_storage=_STORAGE,
    environment=_keys(
        # environment_variables, ports and pod_spec hold names of the user's own
        "environment_variables ports pod_spec force_pull_image add_capabilities drop_capabilities",
        image=_keys("cpu cuda rocm gpu"),
        proxy_ports=_keys("proxy_port proxy_tcp unauthenticated default_service_id"),
        registry_auth=_keys("username password auth email serveraddress identitytoken registrytoken"),
    ),
    log_policies=_keys("name pattern", action=_keys("type")),
    min_checkpoint_period=_LENGTH,
    min_validation_period=_LENGTH,
    optimizations=_keys(
        "aggregation_frequency auto_tune_tensor_fusion average_aggregated_gradients average_training_metrics "
        "gradient_compression grad_updates_size_file mixed_precision tensor_fusion_cycle_time tensor_fusion_threshold"
    ),
    pbs=_keys("slots_per_node pbsbatch_args"),
    profiling=_keys("enabled begin_on_batch end_after_batch sync_timings"),
    reproducibility=_keys("experiment_seed"),
    resources=_keys(
        "agent_label is_single_node max_slots native_parallel priority resource_pool shm_size slots slots_per_trial weight",
        devices=_keys("host_path container_path mode"),
    ),
    retention_policy=_keys("log_retention_days"),
    searcher=_keys(
        "name metric smaller_is_better source_trial_id source_checkpoint_uuid "
        "bracket_rungs divisor max_concurrent_trials max_rungs max_time max_trials mode num_rungs stop_once time_metric "
        # of searchers that new experiments can't use
        "train_stragglers unit",
        budget=_LENGTH,
        max_length=_LENGTH,
    ),
    security=_keys("", kerberos=_keys("config_file")),
    slurm=_keys("slots_per_node gpu_type sbatch_args"),
    tensorboard_storage=_STORAGE,
)


_TRAINING_CODE = "training code sets it"
_OLD_SEARCHERS = "no searcher of this release reads it"
_NO_LONGER_USED = "it has not been used for long"

_DEPRECATED: dict[tuple[str, ...], str] = {
    # comments of schemas/expconf/v0
    ("data_layer",): "it is ignored since 0.19.10",
    ("resources", "agent_label"): "it is ignored since 0.20.0",
    ("tensorboard_storage",): _NO_LONGER_USED,
    ("security",): _NO_LONGER_USED,
    ("internal",): "it is for forks of experiments from before 0.15.6",
    # docs/reference/experiment-config-reference.rst
    ("scheduling_unit",): _TRAINING_CODE,
    ("records_per_epoch",): _TRAINING_CODE,
    ("min_validation_period",): _TRAINING_CODE,
    ("min_checkpoint_period",): _TRAINING_CODE,
    ("optimizations",): _TRAINING_CODE,
    # master/pkg/schemas/expconf/searcher_config.go: AssertCurrent
    ("searcher", "max_length"): "training code, or time_metric and max_time, set it",
    ("searcher", "stop_once"): "it goes away in a later release",
    ("searcher", "budget"): _OLD_SEARCHERS,
    ("searcher", "train_stragglers"): _OLD_SEARCHERS,
    ("searcher", "unit"): _OLD_SEARCHERS,
    # master/pkg/model/environment_config.go: RuntimeItem
    ("environment", "image", "gpu"): "its name is cuda",
    ("environment", "environment_variables", "gpu"): "its name is cuda",
}
"""Where keys stand that are still accepted, and why nobody should set them."""


def deprecated_keys(config: dict[str, t.Any]) -> t.Iterator[tuple[str, str]]:
    """The deprecated keys that a template's configuration sets, each with the reason. Null sets nothing."""
    for path, why in _DEPRECATED.items():
        value: t.Any = config
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None:
            yield ".".join(path), why


REMOVED_SEARCHERS = frozenset({"adaptive", "adaptive_simple", "custom", "sync_halving"})
"""Searchers that the schema knows and no new experiment can have (``AssertCurrent`` too)."""


class WrongKey(t.NamedTuple):
    """A key that nothing reads.

    :ivar path: where it stands, such as ``bind_mounts[0].hostpath``.
    :ivar nearest: where the right key most like it stands.
    """

    path: str
    nearest: str


def wrong_keys(config: dict[str, t.Any], limit: int | None = None) -> list[WrongKey]:
    """The keys of a template's configuration that are unknown or misspelt, in the order in which they stand there.

    :param limit: how many at most; None for all.
    """
    return list(itertools.islice(_wrong(config, KNOWN, ""), limit))


def wrong_keys_told(config: dict[str, t.Any]) -> str:
    """The same in words, each key with the nearest right one; an empty text if all are right."""
    return listed(f"{key.path} (nearest: {key.nearest})" for key in _wrong(config, KNOWN, ""))


def check_keys(option: str, config: dict[str, t.Any]) -> None:
    """Refuse keys that are no texts.

    :param option: the option that they are of, for the failure's text.
    :raises InvalidOption: naming their places.
    """
    booleans = listed(_boolean_keys(config))
    if booleans:
        raise InvalidOption(
            f"{option} has a boolean as a key at {booleans}: YAML reads on, off, yes and no so; put quotes around the key."
        )


def _boolean_keys(value: t.Any, path: str = "") -> t.Iterator[str]:
    """Where keys stand that were booleans in YAML 1.1 (``on:``, ``no:`` and so on, unquoted).

    They arrive as booleans or as their texts, depending on the way that a task runs; JSON has neither, so the server would
    store a name that nobody wrote.
    """
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _boolean_keys(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            place = _below(path, str(name))
            if isinstance(name, bool) or name in {"True", "False", "true", "false"}:
                yield place
            yield from _boolean_keys(item, place)


def _wrong(value: t.Any, known: Keys | None, path: str) -> t.Iterator[WrongKey]:
    if known is None:
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            # No list of the schemas holds lists, and a master stores them as deep as anybody likes.
            if isinstance(item, dict):
                yield from _wrong(item, known, f"{path}[{index}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            place = _below(path, str(name))
            if name in known:
                yield from _wrong(item, known[name], place)
            else:
                yield WrongKey(place, _nearest(str(name), known, path))


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _nearest(name: str, known: Keys, path: str) -> str:
    """The right key for a wrong one: of the same level if it is much like one, else the same name in its one right place."""
    # Comparing takes a time that grows with the square of the length.
    name = name[:100]
    close = difflib.get_close_matches(name.casefold(), known, n=1, cutoff=0.75)
    if not close:
        places = list(_places(name, KNOWN, ""))
        if len(places) == 1:
            return places[0]
        close = difflib.get_close_matches(name.casefold(), known, n=1, cutoff=0.0)
    return _below(path, close[0])


def _places(name: str, known: Keys, path: str) -> t.Iterator[str]:
    for key, below in known.items():
        if key == name:
            yield _below(path, key)
        if below is not None:
            yield from _places(name, below, _below(path, key))
