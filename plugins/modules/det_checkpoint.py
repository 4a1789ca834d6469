#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Edit and delete checkpoints."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_checkpoint
short_description: Edit and delete checkpoints of a Determined cluster
version_added: 1.0.0
description:
  - Edit the metadata of a checkpoint, or have its files deleted.
  - Checkpoints are made by training code only.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.state
  - determined.ai.contract
  - determined.ai.contract.wait
options:
  uuid:
    description: UUID of the checkpoint.
    type: str
    required: true
  state:
    description:
      - V(present) makes sure that the checkpoint, which must exist and not be deleted, has the declared metadata.
      - V(absent) deletes its files. The checkpoint stays listed, with the state C(deleted). Deleting is done by a task on an agent,
        so without agents it does not end. A deleted checkpoint is left alone; one whose deletion is still waiting for an agent can't
        be told from any other, and is deleted again.
      - A checkpoint that is a version of a model is refused. As the server can't be asked for that, the versions of all models are
        read, which takes a call for each model that has any.
    type: str
    choices: [present, absent]
    default: present
  metadata:
    description:
      - Free-form mapping. Numbers are compared as numbers, so V(1) is V(1.0), and the order of keys does not count.
      - Training code keeps here what is needed to load the checkpoint, such as C(framework), C(format) and C(steps_completed), by
        which the server also finds its metrics.
      - In results and diffs, what looks like a secret in it shows C(********). The value C(<keep>) at any place keeps what is there.
    type: dict
  metadata_mode:
    description:
      - V(exact) makes O(metadata) the whole of it, and warns when that loses C(steps_completed).
      - V(merge) adds and replaces the declared keys, at every depth, and keeps all others.
    type: str
    choices: [exact, merge]
    default: exact
seealso:
  - module: determined.ai.det_checkpoint_info
  - module: determined.ai.det_model_version
"""

EXAMPLES = r"""
- name: The checkpoints of an experiment that are there
  determined.ai.det_checkpoint_info:
    experiment_id: 4
    states: [completed]
  register: found

- name: A remark on the first
  determined.ai.det_checkpoint:
    uuid: "{{ found.checkpoints[0].uuid }}"
    metadata:
      reviewed_by: ana
    metadata_mode: merge
  when: found.checkpoints | length > 0

- name: Delete the others
  determined.ai.det_checkpoint:
    uuid: "{{ item.uuid }}"
    state: absent
  loop: "{{ found.checkpoints[1:] }}"
  loop_control:
    label: "{{ item.uuid }}"
"""

RETURN = r"""
checkpoint:
  description:
    - The checkpoint as it is, or in check mode as it would be. Null if it never existed.
    - The metrics are null where check mode predicts another C(steps_completed).
  returned: success
  type: dict
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
size_before_bytes:
  description: Sum of the sizes of its files before; 0 if it was deleted already.
  returned: with O(state=absent), if the checkpoint exists
  type: int
  sample: 5001000000
size_after_bytes:
  description: Sum of the sizes of its files after, or in check mode as it would be.
  returned: with O(state=absent), if the checkpoint exists
  type: int
  sample: 0
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
    method: DELETE
    path: /api/v1/checkpoints
    status: 403
    reason: PermissionDenied
    message: "access denied; required permissions: PERMISSION_TYPE_UPDATE_EXPERIMENT"
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import StateOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.checkpoint import CHECKPOINT

OPERATION = StateOperation(CHECKPOINT)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
