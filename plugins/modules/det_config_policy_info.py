#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read config policies."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_config_policy_info
short_description: Read config policies of a Determined cluster
version_added: 1.0.0
description:
  - Returns the policies that are set. A scope without one is left out.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.info
  - determined.ai.contract.info
options:
  workload_type:
    description: Only policies for these workloads.
    type: str
    choices: [experiments, tasks]
  workspace:
    description: Only policies of the workspace of this name.
    type: str
  scope:
    description: Only the cluster's own policies, or only those of workspaces.
    type: str
    choices: [all, global, workspaces]
    default: all
notes:
  - The server has no list of policies, so each scope takes two calls. Name O(workspace) or O(scope=global) where that is enough.
  - Under RBAC the policies of workspaces that the caller may not see are left out.
seealso:
  - module: determined.ai.det_config_policy
"""

EXAMPLES = r"""
- name: What the cluster prescribes to all
  determined.ai.det_config_policy_info:
    scope: global
  register: policies

- name: The policies of one workspace
  determined.ai.det_config_policy_info:
    workspace: Uncategorized
  register: policies
"""

RETURN = r"""
config_policies:
  description: The policies, the cluster's first. The fields are those of M(determined.ai.det_config_policy), with C(workspace).
  returned: success
  type: list
  elements: dict
  sample:
    - workload_type: experiments
      workspace_id: 3
      workspace: research
      invariant_config: {}
      constraints:
        resources:
          max_slots: 8
total:
  description: How many policies match, whatever the limit.
  returned: success
  type: int
  sample: 1
requests:
  description: Number of API calls that the task made, login and logout aside.
  returned: always
  type: int
  sample: 5
failure:
  description: The call that failed, see M(determined.ai.det_user).
  returned: when a call failed
  type: dict
  sample:
    method: GET
    path: /api/v1/config-policies/global/EXPERIMENT
    status: 403
    reason: PermissionDenied
    message: "access denied; required permissions: PERMISSION_TYPE_VIEW_GLOBAL_CONFIG_POLICIES"
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import ReadOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.config_policy import CONFIG_POLICIES

OPERATION = ReadOperation(CONFIG_POLICIES)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
