#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read checkpoints."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_checkpoint_info
short_description: Read checkpoints of a Determined cluster
version_added: 1.0.0
description:
  - Returns checkpoints with the sizes of their files, the steps of their training and its metrics.
  - A checkpoint whose files were deleted is still there, with state V(deleted).
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.info
  - determined.ai.contract.info
options:
  uuid:
    description: Only the checkpoints with these uuids, in this order. One that is not there is left out.
    type: list
    elements: str
  experiment_id:
    description: All checkpoints of the experiment with this number. One that is not there has none.
    type: int
  trial_id:
    description: All checkpoints of the trial with this number. One that is not there has none.
    type: int
  states:
    description: Only checkpoints in one of these states.
    type: list
    elements: str
    choices: [active, completed, error, deleted, partially_deleted]
notes:
  - One of O(uuid), O(experiment_id) and O(trial_id) is needed. The master has no list of all checkpoints.
  - With O(uuid) each checkpoint takes one API call.
  - Under RBAC what the caller may not see is left out too.
seealso:
  - module: determined.ai.det_checkpoint
  - module: determined.ai.det_experiment_info
  - module: determined.ai.det_model_info
"""

EXAMPLES = r"""
- name: What the checkpoints of an experiment take
  determined.ai.det_checkpoint_info:
    experiment_id: 1
    states: [completed, partially_deleted]
  register: kept

- name: Show it
  ansible.builtin.debug:
    msg: "{{ kept.checkpoints | map(attribute='total_size_bytes') | sum }} bytes in {{ kept.total }} checkpoints"

- name: One checkpoint
  determined.ai.det_checkpoint_info:
    uuid: f0a5ca40-a802-5667-8d00-dd65966a17f9
  register: found
"""

RETURN = r"""
checkpoints:
  description:
    - The checkpoints, by trial and steps, or in the order of O(uuid).
    - The configuration of their experiment is not among it, see M(determined.ai.det_experiment_info).
  returned: success
  type: list
  elements: dict
  contains:
    uuid:
      description: Identity of the checkpoint.
      type: str
      sample: f0a5ca40-a802-5667-8d00-dd65966a17f9
    state:
      description: One of V(active), V(completed), V(error), V(deleted), V(partially_deleted).
      type: str
      sample: completed
    experiment_id:
      description: Number of the experiment that made it, or null.
      type: int
      sample: 1
    trial_id:
      description: Number of the trial that made it, or null.
      type: int
      sample: 1
    task_id:
      description: Task that made it.
      type: str
      sample: 1.fc3d8d62-717a-4b5a-915f-94251f392733
    allocation_id:
      description: Allocation that made it, or null.
      type: str
      sample: 1.fc3d8d62-717a-4b5a-915f-94251f392733.1
    report_time:
      description: When it was reported, UTC.
      type: str
      sample: "2026-01-15T10:00:00Z"
    resources:
      description: Size of each file in bytes. Those of a deleted checkpoint stay listed.
      type: dict
      sample:
        model.pt: 1000000
        state/: 0
        state/optimizer.pt: 5000000000
    total_size_bytes:
      description: Sum of the sizes.
      type: int
      sample: 5001000000
    steps_completed:
      description: Steps that the training had completed, or null if the checkpoint's metadata does not say.
      type: int
      sample: 100
    metadata:
      description: What the training code said of it, secrets masked.
      type: dict
      sample:
        framework: torch-2.4
        steps_completed: 100
    hparams:
      description: Hyperparameters of the trial.
      type: dict
      sample:
        batch_size: 64
    training_metrics:
      description: Metrics of the training at that step, or null. A value that is no number is the text V(NaN) or V(Infinity).
      type: dict
      sample:
        loss: 0.5
    validation_metrics:
      description: Metrics of the validation at that step, or null.
      type: dict
      sample:
        validation_loss: 0.6
    searcher_metric:
      description: The metric that the experiment searches by, or null.
      type: float
      sample: 0.6
    storage_id:
      description: Number of the storage that holds it, or null.
      type: int
      sample: 1
total:
  description: How many checkpoints match, whatever the limit.
  returned: success
  type: int
  sample: 1
requests:
  description: Number of API calls that the task made, login and logout aside.
  returned: always
  type: int
  sample: 1
failure:
  description: The call that failed, see M(determined.ai.det_user).
  returned: when a call failed
  type: dict
  sample:
    method: GET
    path: /api/v1/experiments/1/checkpoints
    status: 401
    reason: Unauthenticated
    message: invalid credentials
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import ReadOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.checkpoint import CHECKPOINTS

OPERATION = ReadOperation(CHECKPOINTS)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
