#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manage config policies."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_config_policy
short_description: Manage config policies of a Determined cluster
version_added: 1.0.0
description:
  - Set and remove what an administrator prescribes to all experiments, or to all tasks, of a workspace or of the whole cluster.
  - A policy has two halves. O(invariant_config) wins over what users submit, O(constraints) refuses what goes beyond it. The
    server replaces both together; this module keeps the half that is not declared.
  - The server hardly looks at the values, and then fails each new experiment of the scope with HTTP 500 if one of them is wrong.
    So the keys are checked before, and after the write the server is asked once whether it would create an experiment under the
    policy, which stores nothing. If it would fail, the policy that was there before is put back and the task fails with the
    server's words. Without a project where that can be tried, a warning says so.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.state
  - determined.ai.contract
options:
  workload_type:
    description: V(experiments), or V(tasks) for notebooks, shells, commands and TensorBoards.
    type: str
    choices: [experiments, tasks]
    required: true
  workspace:
    description: Name of the workspace that the policy is for. By default it is for the whole cluster.
    type: str
  state:
    description:
      - V(present) makes sure that the policy is set, with at least one of O(invariant_config) and O(constraints).
      - V(absent) takes both halves away.
    type: str
    choices: [present, absent]
    default: present
  invariant_config:
    description:
      - A part of an experiment's configuration, which replaces what users submit. For O(workload_type=experiments) only.
      - It is replaced as a whole; an empty mapping clears it.
      - C(<keep>) in place of a value keeps what is there now, such as a secret.
    type: dict
  constraints:
    description: Limits. They are replaced as a whole; an empty mapping clears them.
    type: dict
    suboptions:
      priority_limit:
        description:
          - The highest priority that may be asked for, from 1 to 99. Where the cluster's smaller numbers are the higher
            priorities, as they usually are, it is the smallest number.
        type: int
      resources:
        description: Limits of resources.
        type: dict
        suboptions:
          max_slots:
            description: How many slots may be asked for at most.
            type: int
notes:
  - A policy is for new experiments and tasks; those that are there already are left alone.
  - The cluster's policy wins over a workspace's.
seealso:
  - module: determined.ai.det_config_policy_info
"""

EXAMPLES = r"""
- name: Experiments in Uncategorized use at most 8 slots, and an image of ours
  determined.ai.det_config_policy:
    workload_type: experiments
    workspace: Uncategorized
    invariant_config:
      environment:
        image: registry.example.com/pytorch:2.4
    constraints:
      resources:
        max_slots: 8

- name: No notebook may ask for a priority higher than 40
  determined.ai.det_config_policy:
    workload_type: tasks
    constraints:
      priority_limit: 40

- name: Any image may be used again, the limits stay
  determined.ai.det_config_policy:
    workload_type: experiments
    workspace: Uncategorized
    invariant_config: {}

- name: No policy any more
  determined.ai.det_config_policy:
    workload_type: tasks
    state: absent
"""

RETURN = r"""
config_policy:
  description:
    - The policy as it is, or in check mode as it would be; null if there is none.
    - Secrets in it are masked.
  returned: success
  type: dict
  contains:
    workload_type:
      description: What it is for.
      type: str
      sample: experiments
    workspace_id:
      description: The server's number of the workspace, null for the whole cluster.
      type: int
      sample: 3
    invariant_config:
      description: What replaces a part of each configuration.
      type: dict
      sample:
        environment:
          image: registry.example.com/pytorch:2.4
    constraints:
      description: The limits.
      type: dict
      sample:
        resources:
          max_slots: 8
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
    method: PUT
    path: /api/v1/config-policies/workspaces/3/EXPERIMENT
    status: 403
    reason: PermissionDenied
    message: only admins may set config policies for workspaces
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import StateOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.config_policy import CONFIG_POLICY

OPERATION = StateOperation(CONFIG_POLICY)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
