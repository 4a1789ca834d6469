# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""What the state of an experiment in the list means for the controls (API page ml-resources, section 3.2)."""

from __future__ import annotations

from .control import Resource

ENDED = frozenset({"completed", "canceled", "error", "deleted", "deleting", "delete_failed"})
"""States after which an experiment does nothing more of itself. All others are live, paused included."""


def is_live(experiment: Resource) -> bool:
    """Whether an experiment is not over; a paused one is not."""
    return experiment.data["state"] not in ENDED


def holds_resources(experiment: Resource) -> bool:
    """Whether an experiment holds an allocation or is queued for one. The master runs nothing for an unmanaged one."""
    state = experiment.data["state"]
    return state != "paused" and state not in ENDED and not experiment.data.get("unmanaged")


def is_archived(experiment: Resource) -> bool:
    """Whether an experiment is archived, by itself or with its project or workspace."""
    return bool(experiment.data["archived"] or experiment.data.get("parent_archived"))
