#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manage projects."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_project
short_description: Manage projects of a Determined cluster
version_added: 1.0.0
description:
  - Create, edit, rename, move, archive and delete projects, which hold the experiments of a workspace.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.state
  - determined.ai.contract
  - determined.ai.contract.wait
options:
  workspace:
    description: Name of the workspace that the project is in.
    type: str
    required: true
  name:
    description:
      - Name of the project, exact and case-sensitive, unique in its workspace, of at most 80 characters.
      - C(Uncategorized) of the workspace C(Uncategorized) is built in. It can't be changed or removed.
    type: str
    required: true
  state:
    description:
      - V(present) makes sure that the project exists with the declared fields.
      - V(absent) deletes it. One that holds experiments is refused unless O(force_non_empty) is set. A project of a workspace that
        is not there is absent.
    type: str
    choices: [present, absent]
    default: present
  new_name:
    description:
      - Name that the project must have. Whichever of O(name) and this exists ends up under this name.
      - It is refused when both exist. When neither exists, the project is created under this name.
    type: str
  move_to_workspace:
    description:
      - Name of the workspace that the project must be in. It is looked for in both, and moved from O(workspace) with all its
        experiments.
      - It is refused when both have it. When neither has it, it is created in this one.
    type: str
  description:
    description: What the project is. An empty text clears it.
    type: str
  key:
    description:
      - Up to five letters and digits that the numbers of its runs begin with, unique in the whole cluster whatever their case. The
        server stores them in upper case.
      - A new project without one is given one by the server.
    type: str
  notes:
    description: All notes of the project, in their order. An empty list removes them.
    type: list
    elements: dict
    suboptions:
      name:
        description: Title of the note.
        type: str
        required: true
      contents:
        description: Its text, in Markdown.
        type: str
        default: ""
  archived:
    description:
      - Whether the project itself is archived. Its workspace being archived does not count, but in an archived workspace nothing
        but O(notes) can be changed.
      - An archived project refuses edits of all but its notes, so a task that would make one fails unless it has this option.
      - With V(true) an archived project is unarchived, edited and archived again. If the edit fails, it is archived again too.
      - With V(false) it is unarchived and edited.
    type: bool
  force_non_empty:
    description:
      - Whether O(state=absent) also removes a project that holds experiments. What still runs is killed first.
    type: bool
    default: false
notes:
  - Checkpoints inside are removed by a task on an agent. Without an agent such a deletion does not end.
seealso:
  - module: determined.ai.det_project_info
  - module: determined.ai.det_workspace
"""

EXAMPLES = r"""
- name: A workspace
  determined.ai.det_workspace:
    name: vision

- name: A project in it
  determined.ai.det_project:
    workspace: vision
    name: detection
    description: Finds things in pictures
    key: DET
    notes:
      - name: Runbook
        contents: "# Retrain each quarter"

- name: Another name
  determined.ai.det_project:
    workspace: vision
    name: detection
    new_name: object-detection

- name: Into the archive
  determined.ai.det_project:
    workspace: vision
    name: object-detection
    archived: true

- name: Delete it with its experiments
  determined.ai.det_project:
    workspace: vision
    name: object-detection
    state: absent
    force_non_empty: true
"""

RETURN = r"""
project:
  description:
    - The project as it is, or in check mode as it would be. Null if it does not exist.
    - What only the server makes (C(id), a C(key) that is not declared) is null where check mode predicts a new project.
  returned: success
  type: dict
  contains:
    id:
      description: The server's number of the project.
      type: int
      sample: 4
    name:
      description: Name of the project.
      type: str
      sample: detection
    workspace_id:
      description: Number of the workspace that it is in.
      type: int
      sample: 2
    description:
      description: What the project is.
      type: str
      sample: Finds things in pictures
    key:
      description: Its key, in upper case, which the numbers of its runs begin with.
      type: str
      sample: DET
    notes:
      description: Its notes.
      type: list
      elements: dict
      sample:
        - name: Runbook
          contents: "# Retrain each quarter"
    archived:
      description: Whether the project itself is archived. That of its workspace does not count.
      type: bool
      sample: false
    immutable:
      description: Whether it is the built-in one, which can't be changed.
      type: bool
      sample: false
    user_id:
      description: Number of the user who created it.
      type: int
      sample: 1
    username:
      description: Name of the user who created it.
      type: str
      sample: admin
    num_experiments:
      description: How many experiments it has.
      type: int
      sample: 7
    num_active_experiments:
      description: How many of them are active.
      type: int
      sample: 1
    num_runs:
      description: How many runs it has.
      type: int
      sample: 9
    last_experiment_started_at:
      description: When its newest experiment was started, UTC, or null.
      type: str
      sample: "2026-01-01T10:00:00.123456Z"
    state:
      description: V(unspecified) in general, V(deleting) or V(delete_failed) once it is being deleted.
      type: str
      sample: unspecified
    error_message:
      description: Why the deletion failed.
      type: str
      sample: ""
removed_along:
  description: What goes along with a project that is removed, the number of its C(experiments). Empty if it has none.
  returned: when O(state=absent) and the project existed
  type: dict
  sample:
    experiments: 7
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
    method: PATCH
    path: /api/v1/projects/4
    status: 409
    reason: AlreadyExists
    message: project key DET is already in use
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import StateOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.project import PROJECT

OPERATION = StateOperation(PROJECT)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
