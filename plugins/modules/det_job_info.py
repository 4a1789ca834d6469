#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the job queues."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_job_info
short_description: Read the job queues of a Determined cluster
version_added: 1.0.0
description:
  - Returns what waits for resources or has them, in the order of the queues.
  - Each resource pool has a queue of its own. All are read, one call each, unless one is named.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.info
  - determined.ai.contract.info
options:
  resource_pool:
    description: Only the queue of this resource pool. One that is not there is an error.
    type: str
  types:
    description: Only jobs of these types.
    type: list
    elements: str
    choices: [experiment, notebook, tensorboard, shell, command, checkpoint_gc, external, generic]
  states:
    description: Only jobs in one of these states.
    type: list
    elements: str
    choices: [queued, scheduled, scheduled_backfilled]
  users:
    description: Only jobs that these users submitted. A user that is not there is an error.
    type: list
    elements: str
  workspace:
    description: Only jobs of this workspace. One that is not there is an error.
    type: str
notes:
  - Paused experiments are in no queue, nor is what has ended.
  - Under RBAC, of a job that the caller may not see, owner, name, what it belongs to and when it was submitted are null, so that
    the queue is whole all the same. Resource pools that the caller may not see are left out.
seealso:
  - module: determined.ai.det_job
"""

EXAMPLES = r"""
- name: What waits
  determined.ai.det_job_info:
    states: [queued]
  register: waiting

- name: Who waits for how many slots
  ansible.builtin.debug:
    msg: "{{ item.username }} waits for {{ item.requested_slots }} slots of {{ item.resource_pool }}"
  loop: "{{ waiting.jobs }}"
  loop_control:
    label: "{{ item.id }}"
"""

RETURN = r"""
jobs:
  description: The jobs, by pool and place in its queue.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The server's id of the job.
      type: str
      sample: 0c8f2b1e-7f8d-5a53-9d5b-6d4c6c2a1e11
    type:
      description: One of V(experiment), V(notebook), V(tensorboard), V(shell), V(command), V(checkpoint_gc), V(external), V(generic).
      type: str
      sample: experiment
    entity_id:
      description: Number of the experiment, or id of the task. Null where the caller may not see it.
      type: str
      sample: "12"
    name:
      description: Name of the experiment, or description of the task. Null where the caller may not see it.
      type: str
      sample: resnet50-sweep
    username:
      description: Name of who submitted it. Null where the caller may not see it.
      type: str
      sample: bjarne.holm
    user_id:
      description: Number of who submitted it. Null where the caller may not see it.
      type: int
      sample: 4
    workspace_id:
      description: Number of its workspace.
      type: int
      sample: 2
    resource_pool:
      description: The resource pool in whose queue it is.
      type: str
      sample: default
    priority:
      description: Its priority, from 1 to 99. With agents the smaller number comes first, on Kubernetes the larger.
      type: int
      sample: 42
    weight:
      description: Its share under the fair-share scheduler.
      type: float
      sample: 1.0
    state:
      description:
        - One of V(queued), V(scheduled), V(scheduled_backfilled).
        - Of an experiment that is in no queue, its own state, such as V(paused).
      type: str
      sample: queued
    jobs_ahead:
      description: Its place in the queue, from 0; -1 under fair share, null outside of any queue.
      type: int
      sample: 0
    is_preemptible:
      description: Whether its resources may be taken for a job that comes first.
      type: bool
      sample: false
    requested_slots:
      description: How many slots it wants.
      type: int
      sample: 4
    allocated_slots:
      description: How many slots it has.
      type: int
      sample: 0
    progress:
      description: How far it is, from 0 to 1.
      type: float
      sample: 0.5
    submission_time:
      description: When it was submitted, UTC. Null where the caller may not see it.
      type: str
      sample: "2026-01-15T10:00:00Z"
total:
  description: How many jobs match, whatever the limit.
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
    path: /api/v1/job-queues-v2
    status: 401
    reason: Unauthenticated
    message: invalid credentials
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import ReadOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.job import JOBS

OPERATION = ReadOperation(JOBS)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
