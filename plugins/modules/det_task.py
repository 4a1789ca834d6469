#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Launch and kill notebooks, shells, commands and TensorBoards."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_task
short_description: Launch and kill notebooks, shells, commands and TensorBoards of a Determined cluster
version_added: 1.0.0
description:
  - Makes sure that one task of a description is live in a workspace, or that it is killed. A TensorBoard is told by its
    experiments instead, as the server overwrites its description.
  - A task that has ended stays in the master's lists for a day. It is not live, so a second run launches anew what has ended; for
    a command this is each run after its end.
  - The server can't edit a task. A live one that was launched otherwise than declared is left alone, with a warning and the
    places in RV(differs); only its O(priority) is set.
  - With O(state=killed) and at least one of O(older_than), O(users) and O(resource_pool), all live tasks that match are killed.
    Check mode lists them. Idle tasks can't be found, as no call tells when a task was last used.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.state
  - determined.ai.contract
  - determined.ai.contract.wait
options:
  id:
    description:
      - The server's id of the task, with its O(type). One that the master has forgotten is taken for killed.
      - One of O(id), O(description), O(experiments) or an option that selects many is required.
    type: str
  type:
    description: What it is. Required for a single task; many are narrowed to that type.
    type: str
    choices: [notebook, shell, command, tensorboard]
  description:
    description:
      - Description of the notebook, shell or command, exact. There must not be two live ones of it in the workspace; the task
        fails, with the ids, if there are.
    type: str
  experiments:
    description: Ids of the experiments that the TensorBoard shows, in any order.
    type: list
    elements: int
  workspace:
    description: Workspace of the task; by default V(Uncategorized) for a single one, and any for many.
    type: str
  state:
    description:
      - V(running) makes sure that it is live, V(killed) that it is not.
    type: str
    choices: [running, killed]
    default: running
  config:
    description:
      - Its configuration, as the server takes it. Unknown keys are refused by the server.
      - The server asks for one slot unless C(resources.slots) says otherwise.
      - Of a live task, what is declared is compared; what the cluster, a template or the server has set besides is not.
        A command's C(entrypoint) is compared without what the server puts before it, that of the others not at all.
      - For each notebook the master makes a key, which can take it seconds; set O(timeout) accordingly on a slow one.
    type: dict
  template:
    description: Template that the server puts under the O(config) at the launch. It is not compared later.
    type: str
  priority:
    description:
      - Scheduling priority, from 1 to 99. With agents the smaller number comes first, on Kubernetes the larger.
      - By default that of C(resources.priority) in O(config).
    type: int
  older_than:
    description:
      - Selects tasks that were launched longer ago than this, such as V(12h) or V(7d). The clock is that of the machine that the
        module runs on.
    type: str
  users:
    description: Selects tasks of one of these users. A name that no user has is a failure.
    type: list
    elements: str
  resource_pool:
    description: Selects tasks in this resource pool. A name that no pool has is a failure.
    type: str
  wait:
    description:
      - Whether to wait until the task runs, or has ended. With V(false) a task in a queue will do.
      - A notebook, shell or TensorBoard that ends before it runs is a failure; a command may have ended by then.
seealso:
  - module: determined.ai.det_task_info
  - module: determined.ai.det_job
"""

EXAMPLES = r"""
- name: A notebook for the team, without slots
  determined.ai.det_task:
    type: notebook
    description: team notebook
    workspace: research
    config:
      resources:
        slots: 0
      idle_timeout: 4h
  register: notebook

- name: A TensorBoard of two experiments
  determined.ai.det_task:
    type: tensorboard
    experiments: [4, 5]
    workspace: research

- name: First in the queue
  determined.ai.det_task:
    type: notebook
    description: team notebook
    workspace: research
    priority: 10

- name: End it
  determined.ai.det_task:
    type: notebook
    description: team notebook
    workspace: research
    state: killed

- name: End what has been open for more than a week, whoever opened it
  determined.ai.det_task:
    state: killed
    older_than: 7d

- name: End the shells of somebody who has left
  determined.ai.det_task:
    state: killed
    type: shell
    users:
      - svc-gitops
"""

RETURN = r"""
task:
  description:
    - The task as it is, or in check mode as it would be. Null if there is none. A task that was just killed is shown as such.
    - In check mode, O(config) of a task that is not there yet is shown as declared.
  returned: success, for a single task
  type: dict
  contains:
    id:
      description: The server's id of the task.
      type: str
      sample: 12e2312c-ff29-4272-bd95-06c1ae25032f
    type:
      description: One of C(notebook), C(shell), C(command), C(tensorboard).
      type: str
      sample: notebook
    description:
      description: Its description.
      type: str
      sample: team notebook
    state:
      description:
        - One of C(queued), C(pulling), C(starting), C(waiting), C(running), C(terminating), C(terminated).
      type: str
      sample: running
    workspace_id:
      description: Id of its workspace.
      type: int
      sample: 2
    user_id:
      description: Id of its owner.
      type: int
      sample: 1
    username:
      description: Name of its owner.
      type: str
      sample: admin
    resource_pool:
      description: Resource pool that it runs in.
      type: str
      sample: default
    priority:
      description: Scheduling priority.
      type: int
      sample: 42
    job_id:
      description: Id of its job in the scheduler's queue.
      type: str
      sample: ee94b6dd-7db5-4321-b5b4-0649fffdd83d
    start_time:
      description: When it was launched, UTC.
      type: str
      sample: "2026-01-01T10:00:00.123Z"
    exit_status:
      description: How it ended, empty while it is live.
      type: str
      sample: ""
    service_address:
      description: Path of a notebook or a TensorBoard on the master, or null. The token in a notebook's is masked.
      type: str
      sample: /proxy/12e2312c-ff29-4272-bd95-06c1ae25032f/?token=********
    experiment_ids:
      description: Experiments of a TensorBoard, null for others.
      type: list
      elements: int
      sample: null
    trial_ids:
      description: Trials of a TensorBoard, null for others.
      type: list
      elements: int
      sample: null
    config:
      description: Its whole configuration, secrets masked.
      type: dict
      sample:
        description: team notebook
        resources:
          slots: 0
differs:
  description: Places in the configuration of a live task that are not as declared. They can't be changed.
  returned: when a live task was launched otherwise than declared
  type: list
  elements: str
  sample: [config.resources.slots]
tasks:
  description: The live tasks that were selected, each with what changes of it.
  returned: for many tasks
  type: list
  elements: dict
  contains:
    id:
      description: The server's id of the task.
      type: str
      sample: 12e2312c-ff29-4272-bd95-06c1ae25032f
    description:
      description: Its description.
      type: str
      sample: data exploration
    action:
      description: C(update) for one that was killed, or would be in check mode; C(failed) for one that could not be.
      type: str
      sample: update
    before:
      description: What it was.
      type: dict
      sample:
        state: running
    after:
      description: What it is.
      type: dict
      sample:
        state: terminated
counts:
  description: How many tasks were found, and how many of them were killed (C(changed)) or could not be (C(failed)).
  returned: for many tasks
  type: dict
  sample:
    found: 3
    changed: 3
    removed: 0
    unchanged: 0
    failed: 0
failures:
  description: The tasks that could not be killed, with C(id), C(description) and the server's own C(message).
  returned: for many tasks
  type: list
  elements: dict
  sample: []
requests:
  description: Number of API calls that the task made, login and logout aside.
  returned: always
  type: int
  sample: 2
failure:
  description:
    - The call that failed, with C(method), C(path), C(status), C(reason), the server's own C(message), C(attempts), and
      C(request_id) if there is one.
  returned: when a call failed
  type: dict
  sample:
    method: POST
    path: /api/v1/notebooks
    status: 400
    reason: InvalidArgument
    message: "failed to prepare launch params: validating resources: request unfulfillable, please try requesting less slots"
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import StateOperation
from ansible_collections.determined.ai.plugins.module_utils._engine.selection import (
    OneOrManyOperation,
    SelectionOperation,
)
from ansible_collections.determined.ai.plugins.module_utils._kinds.task import SELECTORS, TASK
from ansible_collections.determined.ai.plugins.module_utils._kinds.task_list import TASKS_TO_KILL

OPERATION = OneOrManyOperation(StateOperation(TASK), SelectionOperation(TASKS_TO_KILL), SELECTORS)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
