#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manage versions of registered models."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_model_version
short_description: Manage versions of registered models of a Determined cluster
version_added: 1.0.0
description:
  - Register checkpoints as versions of a model, and edit and delete versions.
  - The number of a version is the server's. It takes the next one for a new version, and a number can come again after the last
    version was deleted.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.state
  - determined.ai.contract
options:
  model:
    description: Name of the model, exact and case-sensitive. It must exist.
    type: str
    required: true
  checkpoint_uuid:
    description:
      - UUID of the checkpoint that the version is of. A checkpoint that is not yet registered in this model is registered, which it
        can be only when it is completed and the model is not archived.
      - A checkpoint that is registered there more than once is refused unless O(version) says which version is meant.
    type: str
  version:
    description:
      - Number of the version, which must exist unless O(state=absent). It is refused when it is of another checkpoint than
        O(checkpoint_uuid).
      - Leave it out to register a checkpoint.
    type: int
  state:
    description:
      - V(present) makes sure that the checkpoint is registered, with the declared fields.
      - V(absent) deletes the version. The checkpoint stays.
    type: str
    choices: [present, absent]
    default: present
  new_name:
    description: Name that the version must have. Names need not be unique. An empty text clears it.
    type: str
    aliases: [name]
  comment:
    description: Comment on the version. An empty text clears it.
    type: str
  notes:
    description: Notes in Markdown. An empty text clears them.
    type: str
  labels:
    description:
      - All labels of the version, as a set. An empty list removes them.
      - A label with a comma is refused, the server would make two of it.
    type: list
    elements: str
  metadata:
    description:
      - Free-form mapping. Numbers are compared as numbers, so V(1) is V(1.0), and the order of keys does not count.
      - In results and diffs, what looks like a secret in it shows C(********). The value C(<keep>) at any place keeps what is there.
    type: dict
  metadata_mode:
    description:
      - V(exact) makes O(metadata) the whole of it; an empty mapping clears it.
      - V(merge) adds and replaces the declared keys, at every depth, and keeps all others.
    type: str
    choices: [exact, merge]
    default: exact
notes:
  - Versions of an archived model can be edited and deleted, but none can be added.
seealso:
  - module: determined.ai.det_model_version_info
  - module: determined.ai.det_model
  - module: determined.ai.det_checkpoint
"""

EXAMPLES = r"""
- name: The checkpoints of an experiment that are there
  determined.ai.det_checkpoint_info:
    experiment_id: 1
    states: [completed]
  register: found

- name: A model for them
  determined.ai.det_model:
    name: doc-classifier

- name: Register the last one
  determined.ai.det_model_version:
    model: doc-classifier
    checkpoint_uuid: "{{ found.checkpoints[-1].uuid }}"
    new_name: baseline
    labels: [candidate]
  when: found.checkpoints | length > 0

- name: Promote it
  determined.ai.det_model_version:
    model: doc-classifier
    checkpoint_uuid: "{{ found.checkpoints[-1].uuid }}"
    labels: [production]
    metadata:
      approved_by: ana
    metadata_mode: merge
  when: found.checkpoints | length > 0

- name: Delete a version by its number
  determined.ai.det_model_version:
    model: doc-classifier
    version: 1
    state: absent
"""

RETURN = r"""
model_version:
  description:
    - The version as it is, or in check mode as it would be. Null if it does not exist.
    - What only the server makes (C(id), C(version), times) is null where check mode predicts a new version.
  returned: success
  type: dict
  contains:
    id:
      description: The server's number for the version among all versions of all models.
      type: int
      sample: 5
    model_id:
      description: Number of the model.
      type: int
      sample: 3
    version:
      description: Number of the version in its model.
      type: int
      sample: 1
    name:
      description: Name of the version.
      type: str
      sample: baseline
    comment:
      description: Comment on the version.
      type: str
      sample: ""
    notes:
      description: Notes in Markdown.
      type: str
      sample: ""
    labels:
      description: Labels.
      type: list
      elements: str
      sample: [candidate]
    metadata:
      description: Free-form mapping, secrets masked.
      type: dict
      sample:
        approved_by: ana
    checkpoint:
      description: The checkpoint's C(uuid), and its C(state) as a word in lower case.
      type: dict
      sample:
        uuid: f0a5ca40-a802-5667-8d00-dd65966a17f9
        state: completed
    user_id:
      description: Number of the user who registered it.
      type: int
      sample: 1
    username:
      description: Name of the user who registered it.
      type: str
      sample: admin
    creation_time:
      description: Time of registration, UTC.
      type: str
      sample: "2026-01-01T10:00:00.123456Z"
    last_updated_time:
      description: Time of the last edit, UTC.
      type: str
      sample: "2026-01-01T12:00:00.123456Z"
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
    method: POST
    path: /api/v1/models/3/versions
    status: 403
    reason: PermissionDenied
    message: "access denied; required permissions: PERMISSION_TYPE_EDIT_MODEL_REGISTRY"
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import StateOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.model_version import MODEL_VERSION

OPERATION = StateOperation(MODEL_VERSION)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
