#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read experiments."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_experiment_info
short_description: Read experiments of a Determined cluster
version_added: 1.0.0
description:
  - Returns all experiments that match, in the order of their ids unless O(sort_by) says otherwise.
  - The list is read in pages, and in the order of ids each page begins after the last id of the one before, so that experiments
    which come or go meanwhile neither hide nor double others.
  - An experiment must match all options that are given.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.info
  - determined.ai.contract.info
options:
  id:
    description:
      - The one experiment with this number. One that is not there gives an empty list.
      - Only so are C(notes) and C(trial_ids) known; the server leaves them out of lists, where they are null unless empty.
    type: int
  archived:
    description:
      - Only experiments that are, or are not, archived themselves, whatever their project and workspace are; see
        C(parent_archived).
    type: bool
  states:
    description:
      - Only experiments in one of these states. V(active) stands for V(queued), V(pulling), V(starting) and V(running).
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
    description: Only experiments that have all of these labels.
    type: list
    elements: str
  users:
    description: Only experiments of one of these users. A name that no user has is a failure.
    type: list
    elements: str
  name:
    description: Only experiments of exactly this name. Names are not unique.
    type: str
  name_contains:
    description: Text that the name contains, whatever its case; V(%) and V(_) are taken literally.
    type: str
  description_contains:
    description: Text that the description contains, whatever its case; V(%) and V(_) are taken literally.
    type: str
  project:
    description:
      - Only experiments of the project of this name, or without O(workspace), of all projects of this name.
      - A name that no project has is a failure.
    type: str
  workspace:
    description: Only experiments of this workspace. A name that no workspace has is a failure.
    type: str
  sort_by:
    description:
      - Field to sort by, on the server. Equal ones are in the order of their ids, and null comes last.
      - In another order than that of ids, an experiment that moves in the list while it is read may be missed; the module
        fails where that can be seen.
    type: str
    choices:
      - id
      - name
      - description
      - start_time
      - end_time
      - state
      - num_trials
      - progress
      - user
      - forked_from
      - resource_pool
      - project_id
      - checkpoint_size
      - checkpoint_count
      - searcher_metric_val
    default: id
  order:
    description: Whether the smallest or the largest comes first.
    type: str
    choices: [asc, desc]
    default: asc
  offset:
    description: How many of the experiments that match to leave out at the start.
    type: int
    default: 0
  include:
    description:
      - What to return of each experiment besides.
      - V(config) is its configuration as C(config), with its secrets replaced by asterisks. It takes much memory for a long list.
      - V(trials) are its trials, and V(checkpoints) its checkpoints, each read with one more call an experiment.
    type: list
    elements: str
    choices: [config, trials, checkpoints]
    default: []
seealso:
  - module: determined.ai.det_experiment
  - module: determined.ai.det_checkpoint_info
"""

EXAMPLES = r"""
- name: One archived experiment
  determined.ai.det_experiment_info:
    archived: true
    limit: 1
  register: found

- name: The newest completed experiments of a project
  determined.ai.det_experiment_info:
    project: vision
    workspace: research
    states:
      - completed
    sort_by: end_time
    order: desc
    limit: 3
  register: newest

- name: Everything that waits or runs, with its trials
  determined.ai.det_experiment_info:
    states:
      - active
    include:
      - trials
  register: running

- name: How many there are
  determined.ai.det_experiment_info:
    users:
      - bjarne.holm
    labels:
      - resnet
    limit: 1
  register: counted
"""

RETURN = r"""
experiments:
  description:
    - The experiments. The fields are those of M(determined.ai.det_experiment), and C(config), C(trials) and C(checkpoints) where
      O(include) asks for them.
    - C(checkpoints) has the fields of M(determined.ai.det_checkpoint_info).
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The server's number of the experiment.
      type: int
      sample: 7
    notes:
      description: Its notes, or null where a list leaves them out.
      type: str
      sample: null
    trial_ids:
      description: Ids of its trials, or null where a list leaves them out.
      type: list
      elements: int
      sample: null
    config:
      description: Its configuration, secrets masked.
      returned: when O(include) has V(config)
      type: dict
      sample:
        entrypoint: python3 train.py
        max_restarts: 5
    trials:
      description: Its trials, in the order of their ids.
      returned: when O(include) has V(trials)
      type: list
      elements: dict
      sample:
        - id: 20
          state: completed
          start_time: "2026-01-01T10:00:02.123456Z"
          end_time: "2026-01-01T12:00:00.123456Z"
          restarts: 0
          hparams:
            learning_rate: 0.01
          total_batches_processed: 300
          best_validation:
            end_time: "2026-01-01T11:00:00.123456Z"
            total_batches: 100
            metrics:
              avg_metrics:
                accuracy: 0.7
          latest_validation:
            end_time: "2026-01-01T12:00:00.123456Z"
            total_batches: 300
            metrics:
              avg_metrics:
                accuracy: 0.6
          best_checkpoint:
            uuid: 1f2b6a3c-9a55-4d7a-8d3e-0a5d4c3b2a19
            state: completed
            total_batches: 300
          wall_clock_time: 7199.8
          warm_start_checkpoint_uuid: ""
          checkpoint_count: 1
          total_checkpoint_size: 4178264521
          task_ids:
            - 7.4c1e7c3a-0d0c-4c54-9b3f-2f7a7b1d5e10
    checkpoints:
      description: Its checkpoints, deleted ones too.
      returned: when O(include) has V(checkpoints)
      type: list
      elements: dict
      sample: []
total:
  description: How many experiments match, whatever O(limit) and O(offset) are.
  returned: success
  type: int
  sample: 12
requests:
  description: Number of API calls that the task made, login and logout aside.
  returned: always
  type: int
  sample: 1
failure:
  description: The call that failed, see M(determined.ai.det_experiment).
  returned: when a call failed
  type: dict
  sample:
    method: GET
    path: /api/v1/experiments
    status: 401
    reason: Unauthenticated
    message: invalid credentials
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import ReadOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.experiment_list import EXPERIMENTS

OPERATION = ReadOperation(EXPERIMENTS)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
