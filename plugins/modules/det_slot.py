#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Enable and disable slots."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_slot
short_description: Enable and disable a slot of an agent of a Determined cluster
version_added: 1.0.0
description:
  - Brings one slot of an agent, a GPU or what stands for one, to the declared state. For a whole agent use M(determined.ai.det_agent).
  - Slots can't be drained. The server would go on placing work on such a slot, and could then neither track nor end it.
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
  slot:
    description: Number of the slot on that agent, from 0.
    type: int
    required: true
  state:
    description:
      - V(enabled) makes sure that work is placed on it. The scheduler does not look at once; work that waits for it starts with
        the next event of the pool.
      - V(disabled) takes it out at once. B(The whole task that holds it is killed), also where it holds other slots.
    type: str
    choices: [enabled, disabled]
    default: enabled
notes:
  - It takes an administrator, under RBAC the permission UPDATE_AGENTS.
  - A disabled slot does not stay so. Each reconnect of its agent, each enabling of the agent and each restart of the master or the
    agent gives all slots the state of the agent. Declare it again then.
  - The master accepts the change for a slot of a disabled agent, on which nothing runs; the module warns of it.
  - Kubernetes and clusters with several resource managers can't change slots.
seealso:
  - module: determined.ai.det_agent
  - module: determined.ai.det_agent_info
"""

EXAMPLES = r"""
- name: A broken GPU
  determined.ai.det_slot:
    agent: gpu-node-1
    slot: 3
    state: disabled

- name: It was replaced
  determined.ai.det_slot:
    agent: gpu-node-1
    slot: 3
"""

RETURN = r"""
slot:
  description: The slot as it is, or in check mode as it would be.
  returned: success
  type: dict
  contains:
    agent:
      description: Name of the agent.
      type: str
      sample: gpu-node-1
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
    path: /api/v1/agents/gpu-node-1/slots/3/disable
    status: 403
    reason: PermissionDenied
    message: "rpc error: code = PermissionDenied desc = user does not have permission"
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import StateOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.slot import SLOT

OPERATION = StateOperation(SLOT)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
