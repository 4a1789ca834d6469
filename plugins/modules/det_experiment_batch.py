#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring many experiments to one state."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_experiment_batch
short_description: Archive, end, label, move and delete many experiments of a Determined cluster
version_added: 1.0.0
description:
  - Brings all experiments that are named by O(ids), or that match a O(filter), to the same declared state.
  - The rules are those of M(determined.ai.det_experiment), for each of them. If one does not allow what is declared, the task fails
    before anything is written, and says which and why.
  - Only experiments that are not there yet are written to, by the server's bulk calls; labels take one call for each experiment.
  - If something fails for some of them, it is done for the others, and the task fails with what was done and what was not in
    RV(experiments), RV(counts) and RV(failures).
  - Under basic authorisation the server lets anybody delete anybody's experiments by its bulk call.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.state
  - determined.ai.contract
  - determined.ai.contract.wait
options:
  ids:
    description:
      - The server's numbers of the experiments.
      - One that is not there, or that may not be seen, is a failure before anything is written; with O(state=absent) it is as
        declared, and a warning names it.
      - One of O(ids) and O(filter) is required.
    type: list
    elements: int
  filter:
    description:
      - What an experiment must match, all of it. At least one part must be given, as an empty filter never means all.
      - Experiments that may not be seen do not match.
    type: dict
    suboptions:
      project:
        description: The project of this name, or without O(filter.workspace), all projects of this name.
        type: str
      workspace:
        description: The workspace that it is in.
        type: str
      states:
        description: One of these states. V(active) stands for V(queued), V(pulling), V(starting) and V(running).
        type: list
        elements: str
        choices:
          - active
          - queued
          - pulling
          - starting
          - running
          - paused
          - stopping_completed
          - stopping_canceled
          - stopping_error
          - stopping_killed
          - completed
          - canceled
          - error
          - deleting
          - delete_failed
      labels:
        description: All of these labels.
        type: list
        elements: str
      users:
        description: One of these users owns it. A name that no user has is a failure.
        type: list
        elements: str
      name_contains:
        description: Text that its name contains, whatever its case; V(%) and V(_) are taken literally.
        type: str
      archived:
        description: Whether it is archived itself, whatever its project and workspace are.
        type: bool
      older_than:
        description:
          - How long ago it has ended, or was started where it has not, such as V(12h) or V(90d). The clock is that of the machine
            that the module runs on.
        type: str
      larger_than:
        description: What its checkpoints take in all, in bytes or such as V(10GB), where a kilobyte has 1024 bytes.
        type: bytes
  state:
    description:
      - V(present) declares fields of experiments that must exist.
      - V(absent) deletes them and waits until they are gone. One that has not ended is refused, unless O(lifecycle=killed) is
        given with it; it is then killed first.
    type: str
    choices: [present, absent]
    default: present
  labels:
    description: Their labels, in any order. See O(labels_mode).
    type: list
    elements: str
  labels_mode:
    description:
      - V(exact) makes sure that each has just these O(labels); an empty list clears them.
      - V(add) makes sure that each has these, and V(remove) that each has none of these.
    type: str
    choices: [exact, add, remove]
    default: exact
  archived:
    description: Whether they are archived. Only experiments that have ended can be. See also O(move_to_project).
    type: bool
  move_to_project:
    description:
      - Project that they must be in. With O(archived=true), archived ones are taken out of the archive for the move.
    type: str
  move_to_workspace:
    description: Workspace of O(move_to_project); by default the one that each experiment is in.
    type: str
  lifecycle:
    description:
      - V(active) makes sure that they run or are queued, V(paused) that they are paused. Neither is possible for one that has
        ended, so leave those out by O(filter.states).
      - V(canceled) ends them after the checkpoint that their trials then write, V(killed) ends them at once.
    type: str
    choices: [active, paused, canceled, killed]
  max_objects:
    description:
      - How many experiments may be changed at most. If more would be, the task fails before anything is written, with their number.
    type: int
    default: 100
  wait:
    description:
      - Whether to wait until the O(lifecycle) is reached, or deleted experiments are gone.
      - A deletion waits for the end of what it kills in any case.
seealso:
  - module: determined.ai.det_experiment
  - module: determined.ai.det_experiment_info
"""

EXAMPLES = r"""
- name: Into the archive with what failed long ago
  determined.ai.det_experiment_batch:
    filter:
      states: [error, canceled]
      archived: false
      older_than: 30d
    archived: true

- name: Label two experiments, whatever other labels they have
  determined.ai.det_experiment_batch:
    ids: [2, 3]
    labels: [paper]
    labels_mode: add

- name: Pause what somebody has running or queued
  determined.ai.det_experiment_batch:
    filter:
      users: [carla.mendes]
      states: [active]
    lifecycle: paused

- name: Move a project's experiments
  determined.ai.det_experiment_batch:
    filter:
      project: nightly
      workspace: production
      archived: false
    move_to_project: ranking
    max_objects: 20

- name: Delete large failures
  determined.ai.det_experiment_batch:
    filter:
      states: [error]
      larger_than: 10GB
    state: absent
"""

RETURN = r"""
experiments:
  description:
    - All experiments that were selected, each with what changes of it, or in check mode would change.
  returned: success, and on a failure after the first write
  type: list
  elements: dict
  contains:
    id:
      description: The server's number of the experiment.
      type: int
      sample: 2
    name:
      description: Its name.
      type: str
      sample: resnet50-augment
    action:
      description:
        - C(update), C(remove), C(none) for one that was as declared, or C(failed).
      type: str
      sample: update
    before:
      description: The fields that change, as they were; of one that is deleted, all of them.
      type: dict
      sample:
        archived: false
    after:
      description: The fields that change, as they are; null for one that is gone.
      type: dict
      sample:
        archived: true
counts:
  description: How many experiments were found, and what was done with them.
  returned: success, and on a failure after the first write
  type: dict
  sample:
    found: 12
    changed: 5
    removed: 0
    unchanged: 7
    failed: 0
failures:
  description: The experiments for which it could not be done, with C(id), C(name) and the server's own C(message).
  returned: success, and on a failure after the first write
  type: list
  elements: dict
  sample: []
requests:
  description: Number of API calls that the task made, login and logout aside.
  returned: always
  type: int
  sample: 3
failure:
  description: The first call that failed, see M(determined.ai.det_experiment). A bulk call fails for an experiment with status 200.
  returned: when a call failed
  type: dict
  sample:
    method: POST
    path: /api/v1/projects/-1/experiments/archive
    status: 200
    reason: FailedPrecondition
    message: Experiment is not in terminal state.
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.selection import SelectionOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.experiment_batch import EXPERIMENT_SELECTION

OPERATION = SelectionOperation(EXPERIMENT_SELECTION)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
