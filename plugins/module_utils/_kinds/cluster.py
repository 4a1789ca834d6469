# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""The cluster: its master, health, configuration, resource pools and agents (API page identity-and-cluster, sections 7 to 9)."""

from __future__ import annotations

import typing as t

from .._wire.errors import BadAnswer, DeterminedError, Forbidden, NotFound, NotSupported, Unauthenticated
from .._wire.paging import Page, read_memory_list
from .._wire.session import Live, Session, decode, unwrap
from .kind import Arguments, Normal, Reader, Task
from .masking import masked

UNHEALTHY = 503
"""With which ``/health`` reports that something is down, in a body of the same form."""


class SsoProvider(Live):
    """A way of single sign-on."""

    name: str = ""
    sso_url: str = ""
    type: str = ""
    always_redirect: bool = False


class ClusterMessage(Live):
    """What an administrator tells everybody."""

    message: str = ""
    start_time: str | None = None
    end_time: str | None = None
    created_time: str | None = None


class MessageAnswer(Live):
    """``GET /master/cluster_message``: unlike ``GET /master`` it also has a message that is still to come."""

    cluster_message: ClusterMessage | None = None


class Master(Live):
    """``GET /master``. A field that the master does not know is null."""

    version: str
    cluster_id: str
    master_id: str | None = None
    cluster_name: str | None = None
    telemetry_enabled: bool | None = None
    rbac_enabled: bool | None = None
    sso_providers: list[SsoProvider] | None = None
    external_login_uri: str | None = None
    external_logout_uri: str | None = None
    user_management_enabled: bool | None = None
    strict_job_queue_control: bool | None = None
    feature_switches: list[str] | None = None
    product: str | None = None
    branding: str | None = None
    has_custom_logo: bool | None = None
    cluster_message: ClusterMessage | None = None


class Health(Live):
    """``GET /health``."""

    class Manager(Live):
        """The health of one resource manager."""

        cluster_name: str = ""
        status: str = ""

    status: str
    database: str | None = None
    resource_managers: list[Manager] | None = None


class Config(Live):
    """``GET /master/config``."""

    config: dict[str, t.Any]


class ResourcePool(Live):
    """A resource pool (``proto/src/determined/resourcepool/v1/resourcepool.proto``), its start-up scripts left out."""

    class Stats(Live):
        """Its queue."""

        queued_count: int = 0
        scheduled_count: int = 0

    name: str
    description: str = ""
    type: str = ""
    cluster_name: str | None = None
    location: str | None = None
    num_agents: int = 0
    slots_available: int = 0
    slots_used: int = 0
    slot_type: str | None = None
    slots_per_agent: int | None = None
    accelerator: str | None = None
    aux_container_capacity: int = 0
    aux_container_capacity_per_agent: int = 0
    aux_containers_running: int = 0
    default_compute_pool: bool = False
    default_aux_pool: bool = False
    preemptible: bool = False
    min_agents: int = 0
    max_agents: int = 0
    max_idle_agent_period: float | None = None
    max_agent_starting_period: float | None = None
    scheduler_type: str | None = None
    scheduler_fitting_policy: str | None = None
    image_id: str | None = None
    instance_type: str | None = None
    agent_docker_image: str | None = None
    stats: Stats | None = None
    resource_manager_metadata: dict[str, str] | None = None


class ResourcePools(Page):
    """One answer of ``GET /resource-pools``."""

    resource_pools: list[ResourcePool]

    def items(self) -> list[ResourcePool]:
        """The pools."""
        return self.resource_pools


class Container(Live):
    """A container on an agent."""

    id: str = ""
    parent: str | None = None
    state: str = ""


class Slot(Live):
    """A slot of an agent."""

    class Device(Live):
        """What it computes with. Under RBAC ``id`` is -1 and ``uuid`` a mask without the right to see them."""

        id: int | None = None
        brand: str = ""
        uuid: str = ""
        type: str = ""

    id: str
    enabled: bool = False
    draining: bool = False
    device: Device | None = None
    container: Container | None = None


class Agent(Live):
    """An agent (``proto/src/determined/agent/v1/agent.proto``)."""

    id: str
    enabled: bool = False
    draining: bool = False
    version: str | None = None
    registered_time: str | None = None
    addresses: list[str] | None = None
    resource_pools: list[str] | None = None
    slots: dict[str, Slot] | None = None
    containers: dict[str, Container] | None = None

    def normal(self) -> Normal:
        """The normal form, slots and containers as lists: their keys differ from one resource manager to another."""
        slots = sorted((self.slots or {}).values(), key=lambda slot: (len(slot.id), slot.id))
        containers = sorted((self.containers or {}).values(), key=lambda container: container.id)
        return {
            **self.model_dump(),
            "slots": [slot.model_dump() for slot in slots],
            "containers": [container.model_dump() for container in containers],
        }


class Agents(Page):
    """One answer of ``GET /agents``."""

    agents: list[Agent]

    def items(self) -> list[Agent]:
        """The agents."""
        return self.agents


def read_master(session: Session) -> Normal:
    """What the master says of itself to anybody, so no login is made for it."""
    try:
        answer = session.call("GET", "/api/v1/master", anonymous=True)
    except (BadAnswer, NotFound, NotSupported) as error:
        # The published, simplified API has it here, and does not say how it words what it does not know.
        try:
            answer = session.call("GET", "/api/v1/cluster", anonymous=True)
        except DeterminedError:
            raise error from None
        return unwrap(answer, "cluster", Master).normal()
    return unwrap(answer, "master", Master).normal()


def _read_health(session: Session) -> Normal:
    answer = session.call("GET", "/health", accept={UNHEALTHY})
    return decode(answer, Health.model_validate, answer.json(), "health").normal()


def _read_config(session: Session) -> Normal:
    answer = session.call("GET", "/api/v1/master/config")
    found = decode(answer, Config.model_validate, answer.json(), "a configuration")
    return t.cast(Normal, masked(found.config))


def read_message(session: Session) -> Normal | None:
    """Read the cluster message that is shown or will be; one that is over is none."""
    found = session.read(MessageAnswer, "answer", "/api/v1/master/cluster_message").cluster_message
    return None if found is None else found.normal()


def _read_pools(session: Session) -> list[Normal]:
    return [pool.normal() for pool in read_memory_list(session, ResourcePools, "/api/v1/resource-pools")]


def _read_agents(session: Session) -> list[Normal]:
    return [agent.normal() for agent in read_memory_list(session, Agents, "/api/v1/agents")]


PARTS: dict[str, tuple[t.Callable[[Session], t.Any], str]] = {
    "health": (_read_health, "any user"),
    "config": (_read_config, "an administrator, under RBAC the permission VIEW_MASTER_CONFIG"),
    "cluster_message": (read_message, "an administrator, under RBAC the permission UPDATE_MASTER_CONFIG"),
    "resource_pools": (_read_pools, "any user"),
    "agents": (_read_agents, "any user"),
}
"""How each part beside ``master`` is read, and by whom."""


class ClusterReader(Reader):
    """The cluster, in the parts that are asked for."""

    arguments = Arguments(
        spec={
            "gather": {
                "type": "list",
                "elements": "str",
                "choices": ["master", *PARTS],
                "default": ["master"],
            },
        },
    )

    def read(self, task: Task) -> dict[str, t.Any]:
        """Read each part once."""
        gather, session = task.options["gather"], task.session
        cluster = read_master(session) if "master" in gather else {}
        for part, (read, who) in PARTS.items():
            if part not in gather:
                continue
            try:
                cluster[part] = read(session)
            except (Unauthenticated, Forbidden) as error:
                raise type(error)(f"gather has {part!r}, which takes {who}: {error}", error.failure) from error
        return {"cluster": cluster}


CLUSTER = ClusterReader()
