#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read configuration templates."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_template_info
short_description: Read configuration templates of a Determined cluster
version_added: 1.0.0
description:
  - Returns all templates that match, with their configurations.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.info
  - determined.ai.contract.info
options:
  name:
    description: The one template with exactly this name. One that is not there gives an empty list.
    type: str
  name_contains:
    description: Text that the name contains, whatever its case; V(%) and V(_) are taken literally.
    type: str
  workspace:
    description: Only templates of the workspace with exactly this name. An unknown one is a failure.
    type: str
  reveal_secrets:
    description:
      - Whether configurations are returned with the secrets in them. Use it with C(no_log) on the task.
    type: bool
    default: false
seealso:
  - module: determined.ai.det_template
"""

EXAMPLES = r"""
- name: One template
  determined.ai.det_template_info:
    name: four-slots
  register: found

- name: All templates of a workspace
  determined.ai.det_template_info:
    workspace: Uncategorized
  register: templates

- name: A copy to move to another cluster, with the secrets
  determined.ai.det_template_info:
    reveal_secrets: true
  no_log: true
  register: everything
"""

RETURN = r"""
templates:
  description: The templates, in the order of their names. The fields are those of M(determined.ai.det_template).
  returned: success
  type: list
  elements: dict
  sample:
    - name: four-slots
      config:
        environment:
          environment_variables:
            - WANDB_API_KEY=********
        resources:
          slots_per_trial: 4
      workspace_id: 1
total:
  description: How many templates match, whatever the limit.
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
    path: /api/v1/templates
    status: 401
    reason: Unauthenticated
    message: invalid credentials
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import ReadOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.template import TEMPLATES

OPERATION = ReadOperation(TEMPLATES)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
