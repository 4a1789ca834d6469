#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read webhooks."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_webhook_info
short_description: Read webhooks of a Determined cluster
version_added: 1.0.0
description:
  - Returns all webhooks that match, global ones and those of workspaces.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.info
  - determined.ai.contract.info
options:
  name:
    description: Only webhooks of exactly this name, of which each workspace can have one.
    type: str
  name_contains:
    description: Text that the name contains, whatever its case.
    type: str
  workspace:
    description: Only webhooks of the workspace of this name. Global ones are not among them.
    type: str
notes:
  - The server leaves out webhooks of workspaces where the caller may not see them. Under basic authorisation those are all that the
    caller does not own, unless it is an administrator. Global webhooks are shown to everyone.
seealso:
  - module: determined.ai.det_webhook
"""

EXAMPLES = r"""
- name: All webhooks
  determined.ai.det_webhook_info:
  register: webhooks

- name: Those of one workspace
  determined.ai.det_webhook_info:
    workspace: production
  register: production
"""

RETURN = r"""
webhooks:
  description: The webhooks, in the order of their ids. The fields are those of M(determined.ai.det_webhook).
  returned: success
  type: list
  elements: dict
  sample:
    - id: 3
      name: tracker
      workspace_id: null
      url: https://tracker.example.com/determined
      type: default
      mode: workspace
      triggers:
        - type: experiment_state_change
          condition:
            state: COMPLETED
total:
  description: How many webhooks match, whatever the limit.
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
    path: /api/v1/webhooks
    status: 401
    reason: Unauthenticated
    message: invalid credentials
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import ReadOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.webhook import WEBHOOKS

OPERATION = ReadOperation(WEBHOOKS)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
