#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change the priority, weight and pool of jobs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_job
short_description: Change the priority, weight or resource pool of a job of a Determined cluster
version_added: 1.0.0
description:
  - Changes where an experiment or a task that waits or runs stands in the queue, and in which queue.
  - What has ended has no job any more, and is refused.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.state
  - determined.ai.contract
options:
  job:
    description:
      - The server's id of the job. The queues of all pools are read to find it, one call each.
      - One of this, O(experiment) and O(task) is required.
    type: str
  experiment:
    description:
      - Number of the experiment whose job it is.
      - A paused one is in no queue, but can be changed all the same; what it has is read from its configuration.
    type: int
  task:
    description: Whole id of the notebook, shell, command or TensorBoard whose job it is. The queues of all pools are read to find it.
    type: str
  priority:
    description:
      - Its priority, from 1 to 99. With agents the smaller number comes first, on Kubernetes the larger.
      - Only a priority scheduler heeds it; the module warns where the pool has another. On Kubernetes only that of experiments can
        be changed, and others are refused, as the master would say yes and do nothing.
    type: int
  weight:
    description:
      - Its share under the fair-share scheduler, more than 0. The module warns where the pool has another scheduler.
      - Refused on Kubernetes, where the master would say yes and do nothing.
    type: float
  resource_pool:
    description:
      - The resource pool that it must be in. Only experiments can move.
      - B(An experiment that runs is preempted by a move), and queued in the new pool.
    type: str
notes:
  - Under basic authorisation any user may change any job. Under RBAC so may anyone, unless the master's setting
    C(security.authz.strict_job_queue_control) asks for the permission CONTROL_STRICT_JOB_QUEUE.
  - Of an experiment the changes are kept in its configuration. Those of a task are gone after a restart of the master.
  - The place in a queue can't be declared. The server can't change it any more.
  - Several changes of one task are applied one by one. When one fails, the failure says what has changed.
seealso:
  - module: determined.ai.det_job_info
  - module: determined.ai.det_experiment
"""

EXAMPLES = r"""
- name: This experiment first
  determined.ai.det_job:
    experiment: 14
    priority: 1

- name: To the machines with the large GPUs
  determined.ai.det_job:
    experiment: 14
    resource_pool: gpu
"""

RETURN = r"""
job:
  description: The job as it is, or in check mode as it would be.
  returned: success
  type: dict
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
requests:
  description: Number of API calls that the task made, login and logout aside.
  returned: always
  type: int
  sample: 4
failure:
  description: The call that failed, see M(determined.ai.det_user).
  returned: when a call failed
  type: dict
  sample:
    method: POST
    path: /api/v1/job-queues
    status: 500
    reason: Internal
    message: priority exceeds task config policy's priority_limit
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import StateOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.job import JOB

OPERATION = StateOperation(JOB)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
