#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Enable, disable and drain agents."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_agent
short_description: Enable, disable and drain an agent of a Determined cluster
version_added: 1.0.0
description:
  - Brings an agent, a machine that runs tasks, and all its slots to the declared state.
  - Agents register themselves. This module neither adds nor removes any.
  - Success is what the slots say. Where the master answers yes and leaves slots as they were, the task fails.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.state
  - determined.ai.contract
options:
  agent:
    description: Name (id) of the agent, exact.
    type: str
    required: true
  state:
    description:
      - V(enabled) makes sure that work is placed on it. Slots of an enabled agent that were disabled by themselves, see
        M(determined.ai.det_slot), are left alone, but an agent of which no slot is enabled does not count as enabled.
        Enabling a disabled agent enables all its slots.
      - V(disabled) takes it out at once. B(What runs on it is killed), and looks afterwards as if it had ended well.
      - V(drained) takes it out of use, and lets what runs on it finish. See O(wait_drained).
    type: str
    choices: [enabled, disabled, drained]
    default: enabled
  wait_drained:
    description:
      - Whether to wait, with O(state=drained), until nothing runs on the agent any more, tasks without slots included.
      - The caller must see all tasks for that. Under RBAC these take the permissions VIEW_NSC, VIEW_EXPERIMENT_ARTIFACTS and
        VIEW_EXPERIMENT_METADATA cluster-wide; without them the task is refused.
      - In check mode nothing is waited for.
    type: bool
    default: false
  wait_timeout:
    description: Seconds to wait at most. The failure then names what still runs. The agent stays draining.
    type: int
    default: 300
  wait_interval:
    description: Seconds between two looks.
    type: float
    default: 2
notes:
  - It takes an administrator, under RBAC the permission UPDATE_AGENTS.
  - An agent that has lost its connection reads like a drained one. So a real run repeats the drain of an agent that reads as
    drained, which changes nothing if it is, and fails if the agent is not there. Check mode can't tell.
  - "The state is kept in the master's memory. After a restart of the master an agent may be enabled again: declare it again then.
    An agent on which a container ended while it was disabled or drained comes back disabled, and can't be enabled until it was
    stopped for longer than the master's C(agent_reconnect_wait); the task then fails and says so."
  - A restart of the agent keeps the state of the agent, and gives it to all slots.
  - On Kubernetes the state is a label of the node, and what is read may be 15 seconds old. With several resource managers the
    master can't change agents by name.
seealso:
  - module: determined.ai.det_agent_info
  - module: determined.ai.det_slot
"""

EXAMPLES = r"""
- name: Take a machine out of use, and wait until it is empty
  determined.ai.det_agent:
    agent: gpu-node-2
    state: drained
    wait_drained: true
    wait_timeout: 14400
    wait_interval: 30

- name: Back to work
  determined.ai.det_agent:
    agent: gpu-node-2

- name: Out at once, whatever runs there
  determined.ai.det_agent:
    agent: gpu-node-3
    state: disabled
"""

RETURN = r"""
agent:
  description: The agent as it is, or in check mode as it would be.
  returned: success
  type: dict
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
requests:
  description: Number of API calls that the task made, login and logout aside.
  returned: always
  type: int
  sample: 2
failure:
  description: The call that failed, see M(determined.ai.det_user).
  returned: when a call failed
  type: dict
  sample:
    method: POST
    path: /api/v1/agents/gpu-node-3/disable
    status: 403
    reason: PermissionDenied
    message: "rpc error: code = PermissionDenied desc = user does not have permission"
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import StateOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.agent import AGENT

OPERATION = StateOperation(AGENT)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
