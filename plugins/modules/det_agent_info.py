#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read agents."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_agent_info
short_description: Read agents of a Determined cluster with their slots
version_added: 1.0.0
description:
  - Returns agents, the machines that run tasks, with their slots and the containers that hold slots.
  - A task without slots is not among an agent's containers.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.info
  - determined.ai.contract.info
options:
  agent:
    description: Only the agent with this name (id), exact. One that is not there gives an empty list.
    type: str
  resource_pool:
    description: Only agents of this resource pool. One that is not there is an error.
    type: str
  enabled:
    description: Only agents that are enabled, or only those that are not.
    type: bool
  draining:
    description: Only agents that are draining, or only those that are not. One that has lost its connection reads as draining.
    type: bool
seealso:
  - module: determined.ai.det_agent
  - module: determined.ai.det_slot
"""

EXAMPLES = r"""
- name: The machines of a pool
  determined.ai.det_agent_info:
    resource_pool: gpu
  register: pool

- name: Their slots that hold nothing
  ansible.builtin.debug:
    msg: "{{ pool.agents | map(attribute='slots') | flatten | selectattr('container', 'none') | length }} slots are free"

- name: What is out of use
  determined.ai.det_agent_info:
    enabled: false
"""

RETURN = r"""
agents:
  description: The agents, by name.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Name of the agent.
      type: str
      sample: gpu-node-1
    enabled:
      description: Whether work is placed on it. Of one that has lost its connection this is false.
      type: bool
      sample: true
    draining:
      description: Whether it takes no new work but finishes what it has. Of one that has lost its connection this is true.
      type: bool
      sample: false
    version:
      description: Version of the product that it runs.
      type: str
      sample: 0.38.1
    registered_time:
      description: When it registered, UTC; anew after a restart of the master.
      type: str
      sample: "2026-01-15T10:00:00Z"
    addresses:
      description: Its addresses. Under RBAC masked without VIEW_SENSITIVE_AGENT_INFO.
      type: list
      elements: str
      sample: [10.20.0.12]
    resource_pools:
      description: The resource pools that it is in.
      type: list
      elements: str
      sample: [default]
    slots:
      description: Its slots, by number.
      type: list
      elements: dict
      contains:
        id:
          description: Number of the slot on its agent, as a text.
          type: str
          sample: "0"
        enabled:
          description: Whether work is placed on it.
          type: bool
          sample: true
        draining:
          description: Whether it takes no new work but finishes what it has.
          type: bool
          sample: false
        device:
          description: What it computes with. Under RBAC its C(id) is -1 and its C(uuid) masked without VIEW_SENSITIVE_AGENT_INFO.
          type: dict
          sample:
            id: 0
            brand: NVIDIA A100-SXM4-80GB
            uuid: GPU-00000001-0000
            type: TYPE_CUDA
        container:
          description: The container that holds it, or null.
          type: dict
          sample: null
    containers:
      description: The containers that hold slots.
      type: list
      elements: dict
      sample:
        - id: 6f1c8f2a-2f3d-5f80-9f2a-0e6d4b1c9d11
          parent: gpu-node-1
          state: STATE_RUNNING
total:
  description: How many agents match, whatever the limit.
  returned: success
  type: int
  sample: 1
requests:
  description: Number of API calls that the task made, login and logout aside.
  returned: always
  type: int
  sample: 1
failure:
  description: The call that failed, see M(determined.ai.det_user).
  returned: when a call failed
  type: dict
  sample:
    method: GET
    path: /api/v1/agents
    status: 401
    reason: Unauthenticated
    message: invalid credentials
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import ReadOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.agent import AGENTS

OPERATION = ReadOperation(AGENTS)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
