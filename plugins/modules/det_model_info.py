#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read registered models."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_model_info
short_description: Read registered models of a Determined cluster
version_added: 1.0.0
description:
  - Returns all models of the registry that match, with their versions when asked for.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.info
  - determined.ai.contract.info
options:
  name:
    description: The one model with exactly this name. One that is not there gives an empty list.
    type: str
  name_contains:
    description: Text that the name contains, whatever its case; V(%) and V(_) are taken literally.
    type: str
  labels:
    description: Only models that have all of these labels.
    type: list
    elements: str
  workspace:
    description: Only models in the workspace of this name.
    type: str
  archived:
    description: Only models that are, or are not, archived. Both by default.
    type: bool
  users:
    description: Only models that one of these users created.
    type: list
    elements: str
  include:
    description:
      - V(versions) adds the versions of each model, which takes one more API call for each model that has any.
    type: list
    elements: str
    choices: [versions]
    default: []
notes:
  - Under RBAC the server leaves out models in workspaces where the caller may not see them, and refuses the call when there is
    no workspace where it may.
seealso:
  - module: determined.ai.det_model
  - module: determined.ai.det_checkpoint_info
"""

EXAMPLES = r"""
- name: One model with its versions
  determined.ai.det_model_info:
    name: doc-classifier
    include: [versions]
  register: found

- name: Models in production that are not archived
  determined.ai.det_model_info:
    labels: [production]
    archived: false
  register: production
"""

RETURN = r"""
models:
  description:
    - The models, in the order of their ids. The fields are those of M(determined.ai.det_model).
    - With O(include=versions) each has C(versions), in the order of their numbers. A version whose checkpoint is gone from the
      master is missing there but still counted in C(num_versions).
  returned: success
  type: list
  elements: dict
  sample:
    - id: 3
      name: doc-classifier
      description: Sorts incoming documents
      notes: ""
      labels: [nlp, production]
      metadata:
        owner: ana
      workspace_id: 1
      archived: false
      num_versions: 1
      user_id: 1
      username: admin
      creation_time: "2026-01-01T10:00:00.123456Z"
      last_updated_time: "2026-01-01T12:00:00.123456Z"
      versions:
        - id: 5
          version: 1
          name: baseline
          comment: ""
          notes: ""
          labels: []
          metadata: {}
          user_id: 1
          username: admin
          creation_time: "2026-01-01T11:00:00.123456Z"
          last_updated_time: "2026-01-01T11:00:00.123456Z"
          checkpoint:
            uuid: f0a5ca40-a802-5667-8d00-dd65966a17f9
            state: completed
total:
  description: How many models match, whatever the limit.
  returned: success
  type: int
  sample: 1
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
    method: GET
    path: /api/v1/models
    status: 401
    reason: Unauthenticated
    message: invalid credentials
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import ReadOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.model import MODELS

OPERATION = ReadOperation(MODELS)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
