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
from .._wire.errors import InvalidOption, NotFound
from .._wire.paging import Page, read_memory_list
from .._wire.session import Live, Session, route
from .kind import Arguments, Normal, Reader, Task
from .masking import masked
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
        """The normal form: sizes in bytes and summed up, the state as a word in lower case, secrets masked."""
        resources = self.resources or {}
        return {
            **self.model_dump(),
            "state": self.word(),
            "resources": resources,
            "total_size_bytes": sum(resources.values()),
            "steps_completed": self.steps(),
            "metadata": masked(self.metadata or {}),
            "hparams": masked({"hyperparameters": self.hparams or {}})["hyperparameters"],
        }


class Checkpoints(Page):
    """One answer of ``GET /experiments/{id}/checkpoints`` and ``GET /trials/{id}/checkpoints``."""

    checkpoints: list[Checkpoint]

    def items(self) -> list[Checkpoint]:
        """The checkpoints, by trial and steps: the server's own order is unstable among equals."""
        return sorted(self.checkpoints, key=lambda found: (found.trial_id or 0, found.steps() or 0, found.uuid))


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
        """Refuse what can't be an id or a uuid; the server's own answer to it is no sentence."""
        check_limit(options["limit"])
        for uuid in options["uuid"] or []:
            if not UUID.fullmatch(uuid):
                raise InvalidOption(
                    f"uuid is {uuid!r}: it must be a checkpoint's uuid, such as f0a5ca40-a802-5667-8d00-dd65966a17f9."
                )
        for option in ("experiment_id", "trial_id"):
            if options[option] is not None and not 1 <= options[option] <= ID_MAX:
                raise InvalidOption(f"{option} is {options[option]}: it must be between 1 and {ID_MAX}.")

    def read(self, task: Task) -> dict[str, t.Any]:
        """Read the checkpoints that match."""
        options = task.options
        states = options["states"]
        found = [one for one in _candidates(task.session, options) if not states or one.word() in states]
        return {"checkpoints": [one.normal() for one in found[: options["limit"]]], "total": len(found)}


def _candidates(session: Session, options: dict[str, t.Any]) -> list[Checkpoint]:
    if options["uuid"] is not None:
        wanted = dict.fromkeys(uuid.lower() for uuid in options["uuid"])
        found = [session.find(Checkpoint, "checkpoint", route("checkpoints", uuid)) for uuid in wanted]
        return [one for one in found if one is not None]
    parent = ("experiments", options["experiment_id"]) if options["experiment_id"] else ("trials", options["trial_id"])
    query = {"states": [f"STATE_{state.upper()}" for state in options["states"] or []]}
    try:
        return t.cast("list[Checkpoint]", read_memory_list(session, Checkpoints, route(*parent, "checkpoints"), query))
    except NotFound:
        return []


CHECKPOINTS = CheckpointReader()
