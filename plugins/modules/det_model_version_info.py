#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read versions of a registered model."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_model_version_info
short_description: Read versions of a registered model of a Determined cluster
version_added: 1.0.0
description:
  - Returns all versions of a model that match.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.info
  - determined.ai.contract.info
options:
  model:
    description: Name of the model, exact and case-sensitive. One that is not there is an error.
    type: str
    required: true
  checkpoint_uuid:
    description: Only versions of this checkpoint.
    type: str
  labels:
    description: Only versions that have all of these labels.
    type: list
    elements: str
notes:
  - A version whose checkpoint is gone from the master is not shown by the server.
seealso:
  - module: determined.ai.det_model_version
  - module: determined.ai.det_model_info
"""

EXAMPLES = r"""
- name: What of it is in production
  determined.ai.det_model_version_info:
    model: image-classifier
    labels: [production]
  register: production
"""

RETURN = r"""
model_versions:
  description: The versions, in the order of their numbers. The fields are those of M(determined.ai.det_model_version).
  returned: success
  type: list
  elements: dict
  sample:
    - id: 5
      model_id: 3
      version: 1
      name: baseline
      comment: ""
      notes: ""
      labels: [production]
      metadata: {}
      checkpoint:
        uuid: f0a5ca40-a802-5667-8d00-dd65966a17f9
        state: completed
      user_id: 1
      username: admin
      creation_time: "2026-01-01T11:00:00.123456Z"
      last_updated_time: "2026-01-01T11:00:00.123456Z"
total:
  description: How many versions match, whatever the limit.
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
    path: /api/v1/models/doc-classifier
    status: 401
    reason: Unauthenticated
    message: invalid credentials
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import ReadOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.model_version import MODEL_VERSIONS

OPERATION = ReadOperation(MODEL_VERSIONS)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
