#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manage registered models."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_model
short_description: Manage registered models of a Determined cluster
version_added: 1.0.0
description:
  - Create, edit, rename, move, archive and delete models of the model registry.
  - Versions of a model are managed by M(determined.ai.det_model_version).
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.state
  - determined.ai.contract
options:
  name:
    description:
      - Name of the model, exact and case-sensitive, unique in the whole cluster.
      - It must not be digits only, nor have V(/), V(\\) or two blanks in a row in it.
    type: str
    required: true
  state:
    description:
      - V(present) makes sure that the model exists with the declared fields.
      - V(absent) deletes it with all its versions, archived or not. The versions' checkpoints stay.
    type: str
    choices: [present, absent]
    default: present
  new_name:
    description:
      - Name that the model must have. Whichever of O(name) and this exists ends up under this name.
      - It is refused when both exist. When neither exists, the model is created under this name.
    type: str
  description:
    description: What the model is. An empty text clears it.
    type: str
  notes:
    description: Notes in Markdown. An empty text clears them.
    type: str
  labels:
    description:
      - All labels of the model, as a set. An empty list removes them.
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
  workspace:
    description:
      - Name of the workspace that the model must be in. A model in another one is moved.
      - A new model is created in the workspace C(Uncategorized) unless told otherwise.
      - Finding out the workspace takes one more API call.
    type: str
  archived:
    description:
      - Whether the model is archived. An archived model refuses edits of all but its workspace, so a task that would make one
        fails unless it has this option.
      - With V(true) an archived model is unarchived, edited and archived again. If the edit fails, it is archived again too.
      - With V(false) it is unarchived and edited.
    type: bool
seealso:
  - module: determined.ai.det_model_info
  - module: determined.ai.det_model_version
"""

EXAMPLES = r"""
- name: A model with labels and metadata
  determined.ai.det_model:
    name: doc-classifier
    description: Sorts incoming documents
    labels: [nlp, production]
    metadata:
      owner: ana
      tier: 1

- name: One more key of its metadata
  determined.ai.det_model:
    name: doc-classifier
    metadata:
      reviewed: true
    metadata_mode: merge

- name: Another name and workspace
  determined.ai.det_model:
    name: doc-classifier
    new_name: document-classifier
    workspace: Uncategorized

- name: Into the archive, with a last note
  determined.ai.det_model:
    name: document-classifier
    notes: Replaced by the multilingual one.
    archived: true

- name: Delete it with its versions
  determined.ai.det_model:
    name: document-classifier
    state: absent
"""

RETURN = r"""
model:
  description:
    - The model as it is, or in check mode as it would be. Null if it does not exist.
    - What only the server makes (C(id), times) is null where check mode predicts a new model.
  returned: success
  type: dict
  contains:
    id:
      description: The server's number of the model.
      type: int
      sample: 3
    name:
      description: Name of the model.
      type: str
      sample: doc-classifier
    description:
      description: What the model is.
      type: str
      sample: Sorts incoming documents
    notes:
      description: Notes in Markdown.
      type: str
      sample: ""
    labels:
      description: Labels.
      type: list
      elements: str
      sample: [nlp, production]
    metadata:
      description: Free-form mapping, secrets masked.
      type: dict
      sample:
        owner: ana
        tier: 1
    workspace_id:
      description: Number of the workspace that the model is in.
      type: int
      sample: 1
    archived:
      description: Whether the model is archived.
      type: bool
      sample: false
    num_versions:
      description: How many versions it has.
      type: int
      sample: 2
    user_id:
      description: Number of the user who created it.
      type: int
      sample: 1
    username:
      description: Name of the user who created it.
      type: str
      sample: admin
    creation_time:
      description: Time of creation, UTC.
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
  sample: 1
failure:
  description: The call that failed, see M(determined.ai.det_user).
  returned: when a call failed
  type: dict
  sample:
    method: PATCH
    path: /api/v1/models/3
    status: 403
    reason: PermissionDenied
    message: "access denied; required permissions: PERMISSION_TYPE_EDIT_MODEL_REGISTRY"
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import StateOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.model import MODEL

OPERATION = StateOperation(MODEL)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
