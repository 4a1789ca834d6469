# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""What the state of an experiment or task in its list means for the controls (API page ml-resources, sections 3.2 and 11)."""

from __future__ import annotations

from .control import Resource, Unseen

ENDED = frozenset({"completed", "canceled", "error", "deleted", "deleting", "delete_failed", "terminated"})
"""States after which an experiment or task does nothing more of itself. All others are live, paused included."""

LIVE = frozenset(
    {"active", "paused", "stopping_completed", "stopping_canceled", "stopping_killed", "stopping_error"}
    | {"queued", "pulling", "starting", "running", "waiting", "terminating"}
)


def state_of(workload: Resource) -> str:
    """The state of an experiment or task, in lower case.

    :raises Unseen: it is a word that this version does not know: nothing can be concluded from it.
    """
    state = workload.data["state"]
    if state not in ENDED and state not in LIVE:
        raise Unseen(f"its state is {state!r}, which is not known here")
    return str(state)


def is_live(workload: Resource) -> bool:
    """Whether an experiment or task is not over; a paused one is not.

    :raises Unseen: see `state_of`.
    """
    return state_of(workload) not in ENDED


def holds_resources(experiment: Resource) -> bool:
    """Whether an experiment holds an allocation or is queued for one. The master runs nothing for an unmanaged one.

    :raises Unseen: see `state_of`.
    """
    return is_live(experiment) and experiment.data["state"] != "paused" and not experiment.data.get("unmanaged")


def is_archived(experiment: Resource) -> bool:
    """Whether an experiment is archived, by itself or with its project or workspace."""
    return bool(experiment.data["archived"] or experiment.data.get("parent_archived"))
