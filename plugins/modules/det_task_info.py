#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read notebooks, shells, commands and TensorBoards."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_task_info
short_description: Read notebooks, shells, commands and TensorBoards of a Determined cluster
version_added: 1.0.0
description:
  - Returns the tasks that the master remembers, by their type and the time of their launch. Ended ones are among them for a day,
    or until the master restarts.
  - A task must match all options that are given.
  - Under RBAC the server leaves out what the caller may not see, without a word.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.info
  - determined.ai.contract.info
options:
  id:
    description: The one task with this id. One that is not there gives an empty list.
    type: str
  types:
    description: Only tasks of these types. Each type takes one call.
    type: list
    elements: str
    choices: [notebook, shell, command, tensorboard]
  description:
    description: Only tasks of exactly this description. Descriptions are not unique.
    type: str
  states:
    description: Only tasks in one of these states.
    type: list
    elements: str
    choices: [queued, pulling, starting, waiting, running, terminating, terminated]
  users:
    description: Only tasks of one of these users. A name that no user has is a failure.
    type: list
    elements: str
  workspace:
    description: Only tasks of this workspace. A name that no workspace has is a failure.
    type: str
  resource_pool:
    description: Only tasks in this resource pool.
    type: str
  include:
    description:
      - What to return of each task besides. V(config) is its configuration with secrets masked, and with it its priority, read
        with one more call a task.
    type: list
    elements: str
    choices: [config]
    default: []
seealso:
  - module: determined.ai.det_task
"""

EXAMPLES = r"""
- name: Everything that is open
  determined.ai.det_task_info:
    states: [queued, pulling, starting, waiting, running]
  register: open_tasks

- name: Notebooks of a workspace, with their configurations
  determined.ai.det_task_info:
    types: [notebook]
    workspace: research
    include: [config]
  register: notebooks
"""

RETURN = r"""
tasks:
  description:
    - The tasks. The fields are those of M(determined.ai.det_task); C(config) and C(priority) are null unless O(include) asks for
      them.
  returned: success
  type: list
  elements: dict
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
      sample: data exploration
    state:
      description: Its state.
      type: str
      sample: running
    username:
      description: Name of its owner.
      type: str
      sample: carla.mendes
total:
  description: How many tasks match, whatever O(limit) is.
  returned: success
  type: int
  sample: 5
requests:
  description: Number of API calls that the task made, login and logout aside.
  returned: always
  type: int
  sample: 4
failure:
  description: The call that failed, see M(determined.ai.det_task).
  returned: when a call failed
  type: dict
  sample:
    method: GET
    path: /api/v1/notebooks
    status: 401
    reason: Unauthenticated
    message: invalid credentials
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import ReadOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.task_list import TASKS

OPERATION = ReadOperation(TASKS)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
