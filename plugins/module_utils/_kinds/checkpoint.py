# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Checkpoints (API page ml-resources, section 5). A deleted one keeps its row: it is listed, with state ``deleted``."""

from __future__ import annotations

import re
import typing as t

from .._deps import AliasPath, ModelField
from .._wire.errors import InvalidOption, NotFound, Rejected
from .._wire.paging import Page, read_memory_list
from .._wire.session import Live, Session, route
from .._wire.wait import WAIT_SPEC, check_wait, wait_until
from .free_form import as_stored, check_free_form
from .kind import Arguments, Field, Kind, Normal, Reader, Task, merged, same_config
from .lookup import refuse_empty
from .masking import kept, masked
from .model import Models, read_versions
from .rights import find_or_doubt
from .user import check_limit

STATES = ("active", "completed", "error", "deleted", "partially_deleted")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
ID_MAX = 2**31 - 1


class Checkpoint(Live):
    """A checkpoint (``proto/src/determined/checkpoint/v1/checkpoint.proto``), without its experiment's configuration.

    A metric that is no number comes as the text ``NaN`` or ``Infinity``.
    """

    uuid: str
    state: str = ""
    experiment_id: int | None = ModelField(None, validation_alias=AliasPath("training", "experimentId"))
    trial_id: int | None = ModelField(None, validation_alias=AliasPath("training", "trialId"))
    task_id: str | None = None
    allocation_id: str | None = None
    report_time: str | None = None
    resources: dict[str, int] | None = None
    metadata: dict[str, t.Any] | None = None
    hparams: dict[str, t.Any] | None = ModelField(None, validation_alias=AliasPath("training", "hparams"))
    training_metrics: dict[str, t.Any] | None = ModelField(
        None, validation_alias=AliasPath("training", "trainingMetrics", "avgMetrics")
    )
    validation_metrics: dict[str, t.Any] | None = ModelField(
        None, validation_alias=AliasPath("training", "validationMetrics", "avgMetrics")
    )
    searcher_metric: float | str | None = ModelField(None, validation_alias=AliasPath("training", "searcherMetric"))
    storage_id: int | None = None

    def steps(self) -> int | None:
        """How many steps the training had completed, or None where the metadata does not say."""
        steps = (self.metadata or {}).get("steps_completed")
        return int(steps) if isinstance(steps, (int, float)) and not isinstance(steps, bool) else None

    def word(self) -> str:
        """The state as options and results write it."""
        return self.state.removeprefix("STATE_").lower()

    def normal(self) -> Normal:
        """The normal form: sizes in bytes and summed up, the state as a word in lower case."""
        resources = self.resources or {}
        return {
            **self.model_dump(),
            "state": self.word(),
            "resources": resources,
            "total_size_bytes": sum(resources.values()),
            "steps_completed": self.steps(),
            "metadata": self.metadata or {},
        }


class Checkpoints(Page):
    """One answer of ``GET /experiments/{id}/checkpoints`` and ``GET /trials/{id}/checkpoints``."""

    checkpoints: list[Checkpoint]

    def items(self) -> list[Checkpoint]:
        """The checkpoints, by trial and steps: the server's own order is unstable among equals."""
        return sorted(self.checkpoints, key=lambda found: (found.trial_id or 0, found.steps() or 0, found.uuid))


def check_uuid(option: str, uuid: str) -> None:
    """Refuse what can't be a uuid: the server's own answer to it is no sentence.

    :raises InvalidOption: naming the option.
    """
    if not UUID.fullmatch(uuid):
        raise InvalidOption(
            f"{option} is {uuid!r}: it must be a checkpoint's uuid, such as f0a5ca40-a802-5667-8d00-dd65966a17f9."
        )


def find_checkpoint(session: Session, uuid: str) -> Checkpoint | None:
    """Find a checkpoint, a deleted one too."""
    return session.find(Checkpoint, "checkpoint", route("checkpoints", uuid.lower()))


def shown_checkpoint(item: Normal) -> Normal:
    """A checkpoint with what is secret in its metadata and hyperparameters masked."""
    return {
        **item,
        "metadata": masked(item["metadata"]),
        "hparams": masked({"hyperparameters": item["hparams"] or {}})["hyperparameters"],
    }


class CheckpointKind(Kind):
    """Checkpoints, by uuid. Only training makes them; here their metadata is edited, and their files are deleted."""

    name = "checkpoint"
    fields: t.ClassVar = {"metadata": Field(same=same_config)}
    arguments = Arguments(
        spec={
            "uuid": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "metadata": {"type": "dict"},
            "metadata_mode": {"type": "str", "choices": ["exact", "merge"], "default": "exact"},
            **WAIT_SPEC,
        },
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse what can't be a uuid, and edits of what is to be deleted."""
        check_uuid("uuid", options["uuid"])
        check_wait(options)
        if options["metadata"] is not None and options["state"] == "absent":
            raise InvalidOption("metadata is given with state absent: give one of them.")
        check_free_form("metadata", options["metadata"])

    def find(self, task: Task) -> Normal | None:
        """Find the checkpoint."""
        path = route("checkpoints", task.options["uuid"].lower())
        found = find_or_doubt(task, "checkpoints", Checkpoint, "checkpoint", path)
        return None if found is None else found.normal()

    def wanted(self, task: Task, live: Normal | None) -> Normal | None:
        """Say what is declared. The row of a deleted checkpoint stays, so deletion is a state of it."""
        options = task.options
        absent = options["state"] == "absent"
        if live is None:
            if absent:
                return None
            raise InvalidOption(
                f"There is no checkpoint {options['uuid']}, or you may not see it; only training makes checkpoints."
            )
        deleted = live["state"] == "deleted"
        if absent:
            task.extra.setdefault("size_before_bytes", _size(live))
            task.extra.setdefault("size_after_bytes", 0)
            if not deleted:
                _refuse_registered(task.session, live["uuid"])
            return {"state": "deleted"}
        if deleted:
            raise InvalidOption(f"The checkpoint {live['uuid']} is deleted: its files can't be brought back.")
        if options["metadata"] is None:
            return {}
        declared = kept(options["metadata"], live["metadata"], "metadata")
        metadata = as_stored(merged(live["metadata"] if options["metadata_mode"] == "merge" else {}, declared))
        if "steps_completed" in live["metadata"] and "steps_completed" not in metadata:
            task.warn(
                "metadata leaves out steps_completed, by which the master knows a checkpoint's metrics: metadata_mode merge keeps "
                "what is not declared."
            )
        return {"metadata": metadata}

    def create(self, task: Task, wanted: Normal) -> Normal:
        """Never asked for: `wanted` refuses what is not there."""
        raise InvalidOption("Only training makes checkpoints.")

    def update(self, task: Task, live: Normal, changes: Normal) -> Normal:
        """Replace the metadata, which the server only does as a whole, or delete the files."""
        if "state" in changes:
            return self._delete(task, live)
        body = {"checkpoint": {"metadata": changes["metadata"]}}
        task.session.write("POST", route("checkpoints", live["uuid"], "metadata"), body)
        return task.session.read(Checkpoint, "checkpoint", route("checkpoints", live["uuid"])).normal()

    def _delete(self, task: Task, live: Normal) -> Normal:
        """Have the files deleted by a task of the master, and wait for its end."""
        uuid, path = live["uuid"], route("checkpoints", live["uuid"])
        task.extra["size_after_bytes"] = _size(live)
        task.session.write("DELETE", "/api/v1/checkpoints", {"checkpointUuids": [uuid]})

        def look() -> Normal:
            found = task.session.read(Checkpoint, "checkpoint", path).normal()
            task.extra["size_after_bytes"] = _size(found)
            if found["state"] != live["state"] and re.search(r"error|fail", found["state"]):
                raise Rejected(
                    f"The deletion of the checkpoint {uuid} failed (state {found['state']}); the log of its task says why."
                )
            return found

        if not task.options["wait"]:
            return look()
        return wait_until(
            task.options,
            look,
            lambda found: found["state"] == "deleted",
            lambda found: (
                f"checkpoint {uuid} is {found['state']}. Its files are removed by a task on an agent: no agent, no end."
            ),
        )

    def remove(self, task: Task, live: Normal) -> None:
        """Never asked for: the row of a deleted checkpoint stays."""
        raise InvalidOption("A checkpoint's row can't be removed.")

    def predicted(self, live: Normal, changes: Normal) -> Normal:
        """The checkpoint after `changes`: by its steps the server finds its metrics, which are then not known here."""
        after = {**live, **changes}
        after["steps_completed"] = Checkpoint(uuid=live["uuid"], metadata=after["metadata"]).steps()
        if after["steps_completed"] != live["steps_completed"]:
            after.update(dict.fromkeys(("training_metrics", "validation_metrics", "searcher_metric")))
        return after

    def shown(self, task: Task, item: Normal) -> Normal:
        """The checkpoint with secrets masked."""
        return shown_checkpoint(item)


def _size(item: Normal) -> int:
    """Bytes that a checkpoint takes; a deleted one keeps its list of files."""
    return 0 if item["state"] == "deleted" else int(item["total_size_bytes"])


def _refuse_registered(session: Session, uuid: str) -> None:
    """Refuse to delete a version of a model, which the server would refuse too.

    No call tells where a checkpoint is registered, so the versions of all models are read.

    :raises InvalidOption: naming models and versions.
    """
    found = [
        f"{model.name!r} (version {version.version})"
        for model in read_memory_list(session, Models, "/api/v1/models")
        for version in read_versions(session, model)
        if version.checkpoint.uuid == uuid
    ]
    if found:
        raise InvalidOption(
            f"The checkpoint {uuid} is registered in the model {' and in the model '.join(found)}: remove that version first."
        )


class CheckpointReader(Reader):
    """Checkpoints: some by uuid, or all of an experiment or a trial."""

    arguments = Arguments(
        spec={
            "uuid": {"type": "list", "elements": "str"},
            "experiment_id": {"type": "int"},
            "trial_id": {"type": "int"},
            "states": {"type": "list", "elements": "str", "choices": list(STATES)},
            "limit": {"type": "int"},
        },
        mutually_exclusive=(("uuid", "experiment_id", "trial_id"),),
        required_one_of=(("uuid", "experiment_id", "trial_id"),),
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse what can't be an id or a uuid."""
        check_limit(options["limit"])
        refuse_empty(options, "states")
        for uuid in options["uuid"] or []:
            check_uuid("uuid", uuid)
        for option in ("experiment_id", "trial_id"):
            if options[option] is not None and not 1 <= options[option] <= ID_MAX:
                raise InvalidOption(f"{option} is {options[option]}: it must be between 1 and {ID_MAX}.")

    def read(self, task: Task) -> dict[str, t.Any]:
        """Read the checkpoints that match."""
        options = task.options
        states = options["states"]
        found = [one for one in _candidates(task.session, options) if not states or one.word() in states]
        return {
            "checkpoints": [shown_checkpoint(one.normal()) for one in found[: options["limit"]]],
            "total": len(found),
        }


def _candidates(session: Session, options: dict[str, t.Any]) -> list[Checkpoint]:
    if options["uuid"] is not None:
        wanted = dict.fromkeys(uuid.lower() for uuid in options["uuid"])
        found = [find_checkpoint(session, uuid) for uuid in wanted]
        return [one for one in found if one is not None]
    parent = ("experiments", options["experiment_id"]) if options["experiment_id"] else ("trials", options["trial_id"])
    query = {"states": [f"STATE_{state.upper()}" for state in options["states"] or []]}
    try:
        return t.cast("list[Checkpoint]", read_memory_list(session, Checkpoints, route(*parent, "checkpoints"), query))
    except NotFound:
        return []


CHECKPOINT = CheckpointKind()
CHECKPOINTS = CheckpointReader()
