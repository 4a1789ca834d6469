#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manage webhooks."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_webhook
short_description: Manage webhooks of a Determined cluster
version_added: 1.0.0
description:
  - Create, edit, test and delete webhooks, by which a master tells other services of experiments and of lines in logs.
  - The server edits nothing but the url. Any other change deletes the webhook and creates another one, with another id; the result
    says so. Experiments that name the webhook by its id under C(integrations.webhooks.webhook_id) have to be told, those that use
    C(webhook_name) need not.
  - Should the new one be refused then, the old one is put back, and the failure says so.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.state
  - determined.ai.contract
attributes:
  idempotent:
    support: partial
    details: With O(test=true) an event is sent in each run.
options:
  name:
    description:
      - Name of the webhook, exact and case-sensitive. It is unique within a workspace.
      - Two global webhooks can have one name, made by other means than this module. Such a name is refused.
    type: str
    required: true
  workspace:
    description:
      - Name of the workspace whose experiments the webhook is told of. Without it the webhook is a global one.
      - Together with O(name) it says which webhook is meant, so a webhook can't be moved.
    type: str
  state:
    description:
      - V(present) makes sure that the webhook exists with the declared fields.
      - V(absent) deletes it.
    type: str
    choices: [present, absent]
    default: present
  url:
    description:
      - Where events are sent, with C(http) or C(https). A new webhook needs it.
      - Of a webhook of the type V(slack) it is a secret and is never shown. Of others the user part, the query and the fragment are
        shown as C(********), and so are the paths of Slack and Discord.
    type: str
  type:
    description:
      - What is sent. V(default) is a signed JSON document, V(slack) a message for Slack.
      - A new webhook is V(default) unless told otherwise.
    type: str
    choices: [default, slack]
  mode:
    description:
      - V(workspace) tells of all experiments of the workspace, or of the cluster for a global webhook.
      - V(specific) tells only of experiments that name the webhook in their configuration.
      - A new webhook is V(workspace) unless told otherwise.
    type: str
    choices: [workspace, specific]
  triggers:
    description:
      - All triggers of the webhook, as a set. A new webhook needs at least one.
      - Not needed where only the url is to change.
    type: list
    elements: dict
    suboptions:
      type:
        description:
          - V(experiment_state_change) is an experiment's coming into a state, V(task_log) a line in the log of any task that
            matches, V(custom) an alert from training code, which needs O(mode=specific).
        type: str
        choices: [experiment_state_change, task_log, custom]
        required: true
      condition:
        description: What the trigger waits for. V(custom) has none.
        type: dict
        suboptions:
          state:
            description:
              - State of an experiment, in upper or lower case, such as V(COMPLETED), V(ERROR), V(CANCELED), V(PAUSED) or V(ACTIVE).
              - For V(experiment_state_change), which needs it.
            type: str
          regex:
            description:
              - Regular expression in Go's syntax (RE2), found anywhere in a line. The webhook is called once for each task.
              - For V(task_log), which needs it.
            type: str
  test:
    description:
      - V(true) has the master send a test event and wait for the receiver. It fails if the receiver does not take it.
      - It acts in each run, which is then V(changed). In check mode nothing is sent.
    type: bool
    default: false
notes:
  - Under basic authorisation only administrators edit global webhooks, and owners of a workspace those in it. With RBAC that
    takes the permission to edit webhooks there.
  - Experiments that the master does not manage (detached ones) call no webhooks.
seealso:
  - module: determined.ai.det_webhook_info
"""

EXAMPLES = r"""
- name: Tell our service of what ends
  determined.ai.det_webhook:
    name: tracker
    url: https://tracker.example.com/determined
    triggers:
      - type: experiment_state_change
        condition: {state: COMPLETED}
      - type: experiment_state_change
        condition: {state: ERROR}

- name: Tell a channel of broken hardware
  determined.ai.det_webhook:
    name: hardware
    workspace: production
    type: slack
    url: https://hooks.slack.com/services/T00000000/B00000000/example
    triggers:
      - type: task_log
        condition: {regex: 'uncorrectable ECC|Xid'}

- name: Another address, and nothing else
  determined.ai.det_webhook:
    name: tracker
    url: https://tracker.example.com/v2/determined

- name: Delete it
  determined.ai.det_webhook:
    name: tracker
    state: absent
"""

RETURN = r"""
webhook:
  description:
    - The webhook as it is, or in check mode as it would be. Null if it does not exist.
    - Its C(id) is null where check mode predicts a new webhook.
  returned: success
  type: dict
  contains:
    id:
      description: The server's number of the webhook.
      type: int
      sample: 3
    name:
      description: Name of the webhook.
      type: str
      sample: tracker
    workspace_id:
      description: Number of the workspace that the webhook is in, null for a global one.
      type: int
      sample: 2
    url:
      description: Where events are sent, without what can be secret.
      type: str
      sample: https://tracker.example.com/determined
    type:
      description: What is sent, C(default) or C(slack).
      type: str
      sample: default
    mode:
      description: C(workspace) or C(specific).
      type: str
      sample: workspace
    triggers:
      description: When it is called.
      type: list
      elements: dict
      sample:
        - type: experiment_state_change
          condition:
            state: COMPLETED
recreated:
  description: Whether the webhook was deleted and created anew, or in check mode would be.
  returned: always
  type: bool
  sample: false
old_id:
  description: Number of the webhook that was deleted for it.
  returned: when recreated
  type: int
  sample: 3
new_id:
  description: Number of the one in its place. Null in check mode.
  returned: when recreated
  type: int
  sample: 4
tested:
  description: Whether a test event was sent and taken, or in check mode would be sent.
  returned: with O(test=true)
  type: bool
  sample: true
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
    method: POST
    path: /api/v1/webhooks
    status: 403
    reason: PermissionDenied
    message: "access denied; required permissions: PERMISSION_TYPE_EDIT_WEBHOOKS"
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import StateOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.webhook import WEBHOOK

OPERATION = StateOperation(WEBHOOK)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
