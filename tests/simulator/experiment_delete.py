# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deletion takes along, and how long it waits for the checkpoint garbage collection task."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Sequence

from .ml_state import QUICK, ExperimentRow, ProjectRow

if t.TYPE_CHECKING:
    from .state import Master

FOREVER = 24 * 3600.0  # a collection task that no agent can run stays queued


def gc_time(master: Master, rows: Sequence[ExperimentRow]) -> float:
    """Seconds until the collection tasks of these experiments have run.

    Without checkpoint rows there is nothing to run; with any, deleted ones too, a task needs an enabled agent.
    """
    ids = {row.id for row in rows}
    if not any(checkpoint.experiment_id in ids for checkpoint in master.checkpoints.values()):
        return 0.0
    return master.async_delay if any(agent.enabled for agent in master.agents.values()) else FOREVER


def after_gc(master: Master, rows: Sequence[ExperimentRow], action: Callable[[], t.Any]) -> None:
    """Run ``action`` once the collection is over; the answer of the request does not wait for it."""
    wait = gc_time(master, rows)
    if master.call_later is None:
        action()
    elif wait < FOREVER:
        master.call_later(max(wait, min(master.async_delay, QUICK)), lambda: action() and None)


def remove_experiment(master: Master, row: ExperimentRow) -> bool:
    """Drop the rows of an experiment, its trials and checkpoints; False (DELETE_FAILED) when the collection failed."""
    if row.delete_fails:
        row.state = "DELETE_FAILED"
        return False
    for trial_id in row.trial_ids:
        trial = master.trials.pop(trial_id, None)
        for uuid in trial.checkpoint_uuids if trial is not None else ():
            master.checkpoints.pop(uuid, None)
    master.experiments.pop(row.id, None)
    row.live = False
    return True


def remove_project(master: Master, project: ProjectRow) -> str:
    """Drop a project and all that is in it; else its error message, with the state DELETE_FAILED."""
    held = [row for row in master.experiments.values() if row.project_id == project.id]
    failed = [row for row in held if not remove_experiment(master, row)]
    if failed:
        project.state = "DELETE_FAILED"
        project.error_message = "failed to checkpoint gc: failed to gc checkpoints"
        return project.error_message
    master.projects.pop(project.id, None)
    return ""
