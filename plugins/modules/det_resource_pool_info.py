#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read resource pools."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_resource_pool_info
short_description: Read resource pools of a Determined cluster
version_added: 1.0.0
description:
  - Returns all resource pools that match, with the workspaces that they are bound to.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.info
  - determined.ai.contract.info
options:
  name:
    description: The one pool with exactly this name. One that is not there gives an empty list.
    type: str
  name_contains:
    description: Text that the name contains, whatever its case.
    type: str
  workspace:
    description: Only pools that the workspace of this name may use, which are those bound to it and those open to all.
    type: str
  bound:
    description: Only pools that are, or are not, bound to any workspace. Both by default.
    type: bool
notes:
  - Under RBAC the server leaves out pools that are bound only to workspaces where the caller may not see them, and such
    workspaces of other pools.
seealso:
  - module: determined.ai.det_resource_pool_binding
  - module: determined.ai.det_cluster_info
"""

EXAMPLES = r"""
- name: Pools that a workspace may use
  determined.ai.det_resource_pool_info:
    workspace: Uncategorized
  register: pools

- name: Pools that are kept for some workspaces
  determined.ai.det_resource_pool_info:
    bound: true
  register: pools
"""

RETURN = r"""
resource_pools:
  description:
    - The pools, by name. The fields are those of C(resource_pools) of M(determined.ai.det_cluster_info).
    - C(workspaces) holds the workspaces that the pool is bound to. None means that it is open to all.
  returned: success
  type: list
  elements: dict
  sample:
    - name: gpu
      description: A100 nodes
      num_agents: 1
      slots_available: 8
      slots_used: 0
      default_compute_pool: false
      default_aux_pool: false
      workspaces:
        - id: 3
          name: language-models
total:
  description: How many pools match, whatever the limit.
  returned: success
  type: int
  sample: 1
requests:
  description: Number of API calls that the task made, login and logout aside.
  returned: always
  type: int
  sample: 3
failure:
  description: The call that failed, see M(determined.ai.det_user).
  returned: when a call failed
  type: dict
  sample:
    method: GET
    path: /api/v1/resource-pools
    status: 401
    reason: Unauthenticated
    message: invalid credentials
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import ReadOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.resource_pool import RESOURCE_POOLS

OPERATION = ReadOperation(RESOURCE_POOLS)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
