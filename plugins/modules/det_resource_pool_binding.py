#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bind resource pools to workspaces."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_resource_pool_binding
short_description: Bind resource pools to workspaces of a Determined cluster
version_added: 1.0.0
description:
  - Bind a resource pool to workspaces, which are then the only ones that may use it. A pool that is bound to none is open to all.
  - The server replaces bindings in two steps that can end between them, with no binding at all. This module binds what is new
    first, and then unbinds what is left over.
  - Bindings to workspaces that the caller can't see are never removed.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.state
  - determined.ai.contract
options:
  pool:
    description: Name of the resource pool. The cluster's default pools can't be bound.
    type: str
    required: true
  workspaces:
    description: Names of the workspaces. Required with O(state=present).
    type: list
    elements: str
  workspaces_mode:
    description:
      - V(exact) binds the pool to these workspaces and to no other.
      - V(add) binds it to these too, V(remove) unbinds it from these.
    type: str
    choices: [exact, add, remove]
    default: exact
  state:
    description: V(absent) unbinds the pool from all workspaces that the caller can see.
    type: str
    choices: [present, absent]
    default: present
notes:
  - When the last binding goes, a warning says that the pool is then open to all.
  - Work that is queued or running in a pool stays there when its workspace is unbound.
  - The server takes the last binding away along with a workspace that is deleted.
seealso:
  - module: determined.ai.det_resource_pool_info
"""

EXAMPLES = r"""
- name: The pool is for these two workspaces alone
  determined.ai.det_resource_pool_binding:
    pool: gpu
    workspaces: [research, Uncategorized]

- name: One more may use it
  determined.ai.det_resource_pool_binding:
    pool: gpu
    workspaces: [production]
    workspaces_mode: add

- name: It is open to all
  determined.ai.det_resource_pool_binding:
    pool: gpu
    state: absent
"""

RETURN = r"""
resource_pool_binding:
  description: What the pool is bound to, or in check mode would be; null if it is bound to no workspace and so open to all.
  returned: success
  type: dict
  contains:
    pool:
      description: Name of the pool.
      type: str
      sample: gpu
    workspaces:
      description: Names of the workspaces. One that the caller may not see by name is its number.
      type: list
      elements: raw
      sample: [language-models, vision]
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
    path: /api/v1/resource-pools/gpu/workspace-bindings
    status: 500
    reason: Internal
    message: only admin privileged users can bind resource pool to a workspace
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import StateOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.resource_pool import RESOURCE_POOL_BINDING

OPERATION = StateOperation(RESOURCE_POOL_BINDING)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
