# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Slots of agents, one at a time (API page identity-and-cluster, section 8).

Draining a slot is broken on the server: it goes on giving work to it, and then can't end that. So it is not offered.
"""

from __future__ import annotations

import typing as t

from .._wire.errors import InvalidOption, NotFound, Rejected
from .._wire.session import Live, Session, decode, route, unwrap
from .agent import find_agent, unknown_agent
from .cluster import Slot
from .kind import Arguments, Kind, Normal, Task


class Slots(Live):
    """The answer of ``GET /agents/{agent}/slots``; with the true numbers, which a masked agent hides."""

    slots: list[Slot]


def read_slots(session: Session, agent: str) -> list[Slot]:
    """Read the slots of an agent.

    :raises InvalidOption: there is no such agent.
    """
    try:
        answer = session.call("GET", route("agents", agent, "slots"))
    except NotFound:
        raise unknown_agent(session, agent) from None
    found = decode(answer, Slots.model_validate, answer.json(), "slots").slots
    if not found and find_agent(session, agent) is None:
        # Kubernetes answers 200 for any agent.
        raise unknown_agent(session, agent)
    return found


def _number(slot: Slot) -> int | None:
    """The number of a slot, which Kubernetes fills up with zeros."""
    return int(slot.id) if slot.id.isascii() and slot.id.isdigit() else None


def _normal(agent: str, slot: Slot) -> Normal:
    found: Normal = slot.model_dump()
    del found["container"]
    return {"agent": agent, **found}


class SlotKind(Kind):
    """Slots, by agent and number."""

    name = "slot"
    arguments = Arguments(
        spec={
            "agent": {"type": "str", "required": True},
            "slot": {"type": "int", "required": True},
            "state": {"type": "str", "choices": ["enabled", "disabled"], "default": "enabled"},
        },
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse what can't be a slot's number."""
        if options["slot"] < 0:
            raise InvalidOption(f"slot is {options['slot']}: slots are numbered from 0.")

    def find(self, task: Task) -> Normal | None:
        """Find the slot among those of its agent: the master's answer for one that is not there is a 500."""
        agent, number = task.options["agent"], task.options["slot"]
        slots = read_slots(task.session, agent)
        found = next((slot for slot in slots if _number(slot) == number), None)
        if found is None:
            have = ", ".join(slot.id for slot in slots) or "none"
            raise InvalidOption(f"slot is {number}: agent {agent!r} has no such slot; it has {have}.")
        return _normal(agent, found)

    def wanted(self, task: Task, live: Normal | None) -> Normal | None:
        """Say what is declared. An enabled slot may read as draining after a drain of its agent; work is placed on it."""
        if task.options["state"] == "enabled":
            return {"enabled": True}
        return {"enabled": False, "draining": False}

    def guard(self, task: Task, changes: t.Sequence[tuple[Normal | None, Normal | None]]) -> None:
        """Warn of an agent on which an enabled slot is of no use."""
        agent = task.options["agent"]
        if task.options["state"] != "enabled":
            return
        found = find_agent(task.session, agent)
        if found is not None and not found.enabled:
            task.warn(
                f"agent {agent!r} is disabled, or has lost its connection: nothing will run on the slot before the agent is "
                "enabled, which enables all its slots."
            )

    def create(self, task: Task, wanted: Normal) -> Normal:
        """Never called: `find` refuses a slot that is not there."""
        raise InvalidOption("slots are made by their agent.")

    def update(self, task: Task, live: Normal, changes: Normal) -> Normal:
        """Enable or disable it, and judge by the slot in the answer: the status is 200 either way."""
        agent, number, state = task.options["agent"], live["id"], task.options["state"]
        verb, body = ("enable", None) if state == "enabled" else ("disable", {"drain": False})
        answer = task.session.write("POST", route("agents", agent, "slots", number, verb), body)
        after = _normal(agent, unwrap(answer, "slot", Slot))
        if any(after[name] != value for name, value in changes.items()):
            raise Rejected(
                f"The master answered 200, but slot {number} of agent {agent!r} is not {state}. So it is after a restart of the "
                "master: stop the agent, wait until the master has forgotten it (agent_reconnect_wait), and start it again."
            )
        return after

    def remove(self, task: Task, live: Normal) -> None:
        """Never called: no state removes a slot."""
        raise InvalidOption("slots can't be removed.")


SLOT = SlotKind()
