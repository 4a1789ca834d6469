#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manage an experiment that exists."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_experiment
short_description: Edit, move, pause, end, archive and delete an experiment of a Determined cluster
version_added: 1.0.0
description:
  - Brings an experiment that exists to its declared state. Experiments are created by their authors, not by this module.
  - The server takes each of its verbs in some states only. What the experiment's state does not allow is refused before
    anything is written, and a state that is already reached is left as it is.
  - Of several changes, a return from the archive comes first, then edits and resources, the move, the O(lifecycle), and the
    archive last. So O(lifecycle=killed) with O(archived=true) ends a running experiment and archives it.
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
      - The server's number of the experiment.
      - One of O(id) and O(name) is required.
    type: int
  name:
    description:
      - Name of the experiment, exact, which O(project) and O(workspace) must be given with.
      - Names are not unique on the server. The task fails, with the ids, when several experiments answer to it.
      - With O(new_name) or O(move_to_project), the experiment is also found under its new name and in its new place, so that
        a second run finds it.
    type: str
  project:
    description: Project that the experiment of that O(name) is in.
    type: str
  workspace:
    description: Workspace of that O(project).
    type: str
  state:
    description:
      - V(present) declares fields of an experiment that must exist.
      - V(absent) deletes it and waits until it is gone; that the server could not delete it is a failure. An experiment that
        has not ended is refused, unless O(lifecycle=killed) is given with it; it is then killed first.
      - O(new_name) and O(move_to_project) are refused with V(absent), and the other options that edit mean nothing with it. What
        was in a project or workspace that is not there is absent.
      - An experiment with checkpoints is gone only when an agent has removed their files.
    type: str
    choices: [present, absent]
    default: present
  new_name:
    description: Name that the experiment must have.
    type: str
  description:
    description: Its description. An empty text clears it.
    type: str
  notes:
    description: Its notes, in Markdown. An empty text clears them.
    type: str
  labels:
    description: Its labels, in any order. See O(labels_mode).
    type: list
    elements: str
  labels_mode:
    description:
      - V(exact) makes sure that it has just these O(labels); an empty list clears them.
      - V(add) makes sure that it has these, and V(remove) that it has none of these.
    type: str
    choices: [exact, add, remove]
    default: exact
  archived:
    description:
      - Whether it is archived. Only an experiment that has ended can be.
      - V(true) with O(move_to_project) takes an archived one out of the archive for the move, as the server moves no archived
        experiment.
    type: bool
  move_to_project:
    description:
      - Project that it must be in. Where it is there, nothing is called, as the server numbers its runs anew with each move.
    type: str
  move_to_workspace:
    description: Workspace of O(move_to_project); by default the one that the experiment is in.
    type: str
  priority:
    description:
      - Scheduling priority, from 1 to 99. With agents the smaller number comes first, on Kubernetes the larger.
      - This, O(weight) and O(max_slots) can be changed only while the master runs the experiment or holds it paused.
    type: int
  weight:
    description: Share of the resource pool where the fair-share scheduler is used, 0 or more.
    type: float
  max_slots:
    description: Most slots that it may use at a time, 0 or more. The server has no way to take a limit off again.
    type: int
  lifecycle:
    description:
      - V(active) makes sure that it runs or is queued, V(paused) that it is paused. Neither is possible once it has ended.
      - V(canceled) ends it after the checkpoint that its trials then write, V(killed) ends it at once. An experiment that has
        ended already is left as it is, however it ended.
      - What is unmanaged is not run by the master and can't be steered.
    type: str
    choices: [active, paused, canceled, killed]
  wait:
    description:
      - Whether to wait until the O(lifecycle) is reached, or a deleted experiment is gone.
      - A deletion waits for the end of what it kills in any case.
seealso:
  - module: determined.ai.det_experiment_info
"""

EXAMPLES = r"""
- name: Out of the archive
  determined.ai.det_experiment:
    id: 7
    archived: false

- name: One more label, whatever others there are
  determined.ai.det_experiment:
    name: resnet50-baseline
    project: vision
    workspace: research
    labels:
      - paper
    labels_mode: add

- name: End it, write down why, and put it away
  determined.ai.det_experiment:
    id: 6
    lifecycle: canceled
    notes: Superseded by the run with augmentation.
    archived: true

- name: First in the queue
  determined.ai.det_experiment:
    id: 14
    lifecycle: active
    priority: 10

- name: To another project
  determined.ai.det_experiment:
    id: 4
    move_to_project: ranking
    move_to_workspace: production

- name: Gone, even if it runs
  determined.ai.det_experiment:
    id: 25
    state: absent
    lifecycle: killed
"""

RETURN = r"""
experiment:
  description:
    - The experiment as it is, or in check mode as it would be, without its configuration. Null if it does not exist.
  returned: success
  type: dict
  contains:
    id:
      description: The server's number of the experiment.
      type: int
      sample: 7
    name:
      description: Its name.
      type: str
      sample: detector-v1
    description:
      description: Its description.
      type: str
      sample: detector-v1 of vision
    notes:
      description: Its notes.
      type: str
      sample: ""
    labels:
      description: Its labels, sorted.
      type: list
      elements: str
      sample: [detector, old]
    state:
      description:
        - One of C(queued), C(pulling), C(starting), C(running), C(paused), C(stopping_completed), C(stopping_canceled),
          C(stopping_error), C(stopping_killed), C(completed), C(canceled), C(error), C(deleting), C(delete_failed).
      type: str
      sample: completed
    archived:
      description: Whether it is archived itself.
      type: bool
      sample: false
    parent_archived:
      description: Whether its project or workspace is archived.
      type: bool
      sample: false
    unmanaged:
      description: Whether it runs outside of the cluster and only reports to it.
      type: bool
      sample: false
    user_id:
      description: Id of its owner.
      type: int
      sample: 12
    username:
      description: Name of its owner.
      type: str
      sample: jonas.weber
    project_id:
      description: Id of its project.
      type: int
      sample: 2
    project_name:
      description: Name of its project.
      type: str
      sample: vision
    workspace_id:
      description: Id of its workspace.
      type: int
      sample: 2
    workspace_name:
      description: Name of its workspace.
      type: str
      sample: research
    resource_pool:
      description: Resource pool that it runs in.
      type: str
      sample: default
    priority:
      description: Scheduling priority, or null.
      type: int
      sample: 42
    weight:
      description: Weight under fair-share scheduling.
      type: float
      sample: 1.0
    max_slots:
      description: Most slots that it may use at a time, or null.
      type: int
      sample: null
    searcher_type:
      description: Name of the search method.
      type: str
      sample: random
    searcher_metric:
      description: Metric that the search goes by.
      type: str
      sample: accuracy
    start_time:
      description: When it was created, UTC.
      type: str
      sample: "2026-01-01T10:00:00.123456Z"
    end_time:
      description: When it ended, UTC, or null.
      type: str
      sample: "2026-01-01T12:00:00.123456Z"
    progress:
      description: How far it has come, from 0 to 1, or null.
      type: float
      sample: 1.0
    num_trials:
      description: Number of its trials.
      type: int
      sample: 1
    trial_ids:
      description: Ids of its trials.
      type: list
      elements: int
      sample: [20]
    checkpoint_count:
      description: Number of its checkpoints that are not deleted.
      type: int
      sample: 1
    checkpoint_size:
      description: Bytes of its checkpoints.
      type: int
      sample: 4178264521
    forked_from:
      description: Id of the experiment that it was made from, or null.
      type: int
      sample: null
    job_id:
      description: Id of its job in the scheduler's queue.
      type: str
      sample: 5e523f59-03f3-45d5-84e3-6fdf75f49616
requests:
  description: Number of API calls that the task made, login and logout aside.
  returned: always
  type: int
  sample: 1
failure:
  description:
    - The call that failed, with C(method), C(path), C(status), C(reason), the server's own C(message), C(attempts), and
      C(request_id) if there is one.
  returned: when a call failed
  type: dict
  sample:
    method: PATCH
    path: /api/v1/experiments/7
    status: 403
    reason: PermissionDenied
    message: access denied
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import StateOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.experiment import EXPERIMENT

OPERATION = StateOperation(EXPERIMENT)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
