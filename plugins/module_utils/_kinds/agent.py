# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Agents: the machines that run tasks (API page identity-and-cluster, section 8).

What the master says of an agent has to be taken with care: one that lost its connection reads like a drained one, and after a
restart of the master one can read as enabled while none of its slots is. So the slots decide, and a drain is repeated.
"""

from __future__ import annotations

import typing as t

from .._wire.errors import InvalidOption, NotFound, Rejected
from .._wire.paging import read_memory_list
from .._wire.session import Live, Session, decode, route, unwrap
from .._wire.wait import WAIT_SPEC, check_wait, wait_until
from .cluster import Agent, Agents, ResourcePools
from .kind import Arguments, Field, Kind, Normal, Reader, Task
from .lookup import nearest
from .rights import Rights
from .user import check_limit

FLAGS = {"enabled": (True, False), "disabled": (False, False), "drained": (False, True)}
"""What ``enabled`` and ``draining`` read in each state, of an agent and of its slots alike."""

UNREGISTERED = [""]
"""The addresses of an agent that has connected but not yet registered: it has no slots, and the master refuses each write."""

SHOWN_TASKS = 3


class Allocation(Live):
    """What ``GET /tasks`` says of an allocation: its devices by agent, in a list that is empty for one without slots."""

    class Resources(Live):
        """A container of it."""

        agent_devices: dict[str, t.Any] | None = None

    task_id: str = ""
    name: str = ""
    resources: list[Resources] | None = None

    def is_on(self, agent: str) -> bool:
        """Whether a part of it is on an agent."""
        return any(agent in (part.agent_devices or {}) for part in self.resources or [])


class Allocations(Live):
    """The answer of ``GET /tasks``: what is scheduled, whatever its kind."""

    allocation_id_to_summary: dict[str, Allocation]


def read_agents(session: Session) -> list[Agent]:
    """Read all agents; anyone sees them all."""
    return read_memory_list(session, Agents, "/api/v1/agents")


def find_agent(session: Session, name: str) -> Agent | None:
    """Find an agent by its exact name.

    A last segment of a path can't have a colon in it, as ``host:80`` has, so such agents are looked up in the list. On
    Kubernetes the answer for an unknown one is 200 with null.
    """
    if not name.strip(".") or ":" in name or "/" in name:
        return next((agent for agent in read_agents(session) if agent.id == name), None)
    try:
        answer = session.call("GET", route("agents", name))
    except NotFound:
        return None
    data = answer.json()
    if isinstance(data, dict) and data.get("agent", data) is None:
        return None
    return unwrap(answer, "agent", Agent)


def unknown_agent(session: Session, name: str) -> InvalidOption:
    """Say that there is no such agent, with the nearest right names."""
    near = nearest(name, [agent.id for agent in read_agents(session)])
    return InvalidOption(
        f"agent is {name!r}: the master knows no such agent; one that stays away for longer than agent_reconnect_wait is forgotten."
        f"{near}"
    )


def tasks_on(session: Session, agent: str) -> list[str]:
    """What still runs on an agent, in words.

    An agent's own list of containers lacks those without slots, so the allocations tell.
    """
    answer = session.call("GET", "/api/v1/tasks")
    found = decode(answer, Allocations.model_validate, answer.json(), "allocations")
    held = [one for one in found.allocation_id_to_summary.values() if one.is_on(agent)]
    return sorted(f"{one.name or 'a task'} ({one.task_id})" for one in held)


def _normal(agent: Agent) -> Normal:
    """An agent without what comes and goes on it by itself: containers."""
    found = agent.normal()
    del found["containers"]
    return {**found, "slots": [{name: slot[name] for name in slot if name != "container"} for slot in found["slots"]]}


def _same_flags(live: t.Any, declared: t.Any) -> bool:
    return [(slot["enabled"], slot["draining"]) for slot in live or ()] == [
        (slot["enabled"], slot["draining"]) for slot in declared
    ]


class AgentKind(Kind):
    """Agents, by id. None is ever created or removed here: they register themselves."""

    name = "agent"
    fields: t.ClassVar = {"slots": Field(same=_same_flags)}
    volatile = frozenset({"registered_time"})
    arguments = Arguments(
        spec={
            "agent": {"type": "str", "required": True},
            "state": {"type": "str", "choices": list(FLAGS), "default": "enabled"},
            "wait_drained": {"type": "bool", "default": False},
            **{name: option for name, option in WAIT_SPEC.items() if name != "wait"},
        },
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse to wait for a drain that is not asked for."""
        check_wait(options)
        if options["wait_drained"] and options["state"] != "drained":
            raise InvalidOption(
                f"wait_drained is true with state {options['state']}: only a drained agent is waited for, as the others have "
                "nothing left to finish."
            )

    def find(self, task: Task) -> Normal | None:
        """Find the agent."""
        found = find_agent(task.session, task.options["agent"])
        return None if found is None else _normal(found)

    def wanted(self, task: Task, live: Normal | None) -> Normal | None:
        """Say what is declared of the agent and of its slots.

        A slot that was disabled by itself does not make an enabled agent differ, but one with no slot enabled is none.
        """
        name, state = task.options["agent"], task.options["state"]
        if live is None:
            raise unknown_agent(task.session, name)
        if live["addresses"] == UNREGISTERED:
            raise InvalidOption(
                f"agent is {name!r}: it has connected but not yet registered, and can't be {state} before: try again."
            )
        enabled, draining = FLAGS[state]
        wanted: Normal = {"enabled": enabled, "draining": draining}
        slots = live["slots"]
        if state != "enabled" or not live["enabled"] or not any(slot["enabled"] for slot in slots):
            wanted["slots"] = [{**slot, "enabled": enabled, "draining": draining} for slot in slots]
        return wanted

    def guard(self, task: Task, changes: t.Sequence[tuple[Normal | None, Normal | None]]) -> None:
        """Refuse to wait for what the caller can't see."""
        _check_sight(task)

    def confirm(self, task: Task, live: Normal) -> None:
        """Drain an agent once more that reads as drained: one without a connection reads the same, and refuses it."""
        if task.options["state"] != "drained":
            return
        _check_sight(task)
        try:
            self._write(task)
        except Rejected as error:
            raise Rejected(
                f"agent is {live['id']!r}: it reads as drained, as one does that has lost its connection, and draining it once "
                f"more was refused: {error} Wait for it to come back, or to be forgotten.",
                error.failure,
            ) from error

    def create(self, task: Task, wanted: Normal) -> Normal:
        """Never called: `wanted` refuses an agent that is not there."""
        raise InvalidOption("agents register themselves.")

    def update(self, task: Task, live: Normal, changes: Normal) -> Normal:
        """Enable, disable or drain the agent with all its slots."""
        return self._write(task)

    def remove(self, task: Task, live: Normal) -> None:
        """Never called: no state removes an agent."""
        raise InvalidOption("agents can't be removed.")

    def _write(self, task: Task) -> Normal:
        """Make the call, and judge by the answer: on Kubernetes a read shows what was up to 15 seconds ago."""
        name, state = task.options["agent"], task.options["state"]
        verb, body = ("enable", None) if state == "enabled" else ("disable", {"drain": state == "drained"})
        after = _normal(unwrap(task.session.write("POST", route("agents", name, verb), body), "agent", Agent))
        _check_reached(after, state)
        if task.options["wait_drained"]:
            _wait_until_empty(task)
        return after


def _check_reached(after: Normal, state: str) -> None:
    flags = FLAGS[state]
    wrong = [slot["id"] for slot in after["slots"] if (slot["enabled"], slot["draining"]) != flags]
    if not wrong and (after["enabled"], after["draining"]) == flags:
        return
    what = f"its slots {', '.join(wrong)} are not" if wrong else "it is not"
    raise Rejected(
        f"The master answered 200, but of agent {after['id']!r} {what} {state}. So it is after a restart of the master: stop the "
        "agent, wait until the master has forgotten it (agent_reconnect_wait), and start it again."
    )


def _check_sight(task: Task) -> None:
    """Refuse to conclude from a list of tasks that is not whole that an agent is empty.

    :raises InvalidOption: it is not.
    """
    if not task.options["wait_drained"]:
        return
    rights = Rights.read(task.session)
    for what in ("tasks", "experiments"):
        gap = rights.gap(what)
        if gap is not None:
            raise InvalidOption(f"wait_drained is true, but {gap}: whether the agent is empty can't be told.")


def _wait_until_empty(task: Task) -> None:
    name = task.options["agent"]

    def describe(left: list[str]) -> str:
        more = f" and {len(left) - SHOWN_TASKS} more" if len(left) > SHOWN_TASKS else ""
        return f"agent {name!r} is draining, and {', '.join(left[:SHOWN_TASKS])}{more} still on it."

    wait_until(task.options, lambda: tasks_on(task.session, name), lambda left: not left, describe)


class AgentReader(Reader):
    """Agents with their slots and containers."""

    arguments = Arguments(
        spec={
            "agent": {"type": "str"},
            "resource_pool": {"type": "str"},
            "enabled": {"type": "bool"},
            "draining": {"type": "bool"},
            "limit": {"type": "int"},
        },
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse a limit below 1."""
        check_limit(options["limit"])

    def read(self, task: Task) -> dict[str, t.Any]:
        """Read the agents that match."""
        options, session = task.options, task.session
        if options["agent"] is None:
            found = read_agents(session)
        else:
            one = find_agent(session, options["agent"])
            found = [] if one is None else [one]
        pool = options["resource_pool"]
        matching = [agent for agent in found if _matches(agent, options)]
        if pool is not None and not any(pool in (agent.resource_pools or ()) for agent in found):
            check_pool(session, pool)
        return {"agents": [agent.normal() for agent in matching[: options["limit"]]], "total": len(matching)}


def _matches(agent: Agent, options: dict[str, t.Any]) -> bool:
    return (
        (options["resource_pool"] is None or options["resource_pool"] in (agent.resource_pools or ()))
        and (options["enabled"] is None or agent.enabled is options["enabled"])
        and (options["draining"] is None or agent.draining is options["draining"])
    )


def check_pool(session: Session, name: str) -> None:
    """Refuse the name of a resource pool that is not there.

    :raises InvalidOption: with the nearest right names.
    """
    names = [pool.name for pool in read_memory_list(session, ResourcePools, "/api/v1/resource-pools")]
    if name not in names:
        raise InvalidOption(
            f"resource_pool is {name!r}: there is no such resource pool, or you may not see it.{nearest(name, names)}"
        )


AGENT = AgentKind()
AGENTS = AgentReader()
