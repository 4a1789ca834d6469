#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manage the cluster message."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_cluster_message
short_description: Manage the cluster message of a Determined cluster
version_added: 1.0.0
description:
  - Set and remove the one message that the web interface and the CLI show to everybody.
  - Reading and writing it takes an administrator, under RBAC the permission C(UPDATE_MASTER_CONFIG).
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.state
  - determined.ai.contract
options:
  text:
    description: The text, of at most 250 characters. Required with O(state=present).
    type: str
  start:
    description:
      - From when on it is shown, with its time zone, as in V(2026-01-31T18:00:00Z).
      - By default from now on. It is compared with the present message's only if it is given.
    type: str
  end:
    description:
      - Until when it is shown, written as O(start) is. An empty text takes an end away.
      - Once the end has gone by, the task does nothing any more.
    type: str
  duration:
    description:
      - How long it is shown from its start on, as days (V(2d)) or a Go duration (V(90m)).
      - It has no fixed end, so it counts only when the message is set, which is when there is none or its text changes.
    type: str
  state:
    description: V(absent) takes the message down.
    type: str
    choices: [present, absent]
    default: present
notes:
  - A message that is over counts as none.
  - What is now, and what has gone by, is told by the clock of the host that runs the task.
seealso:
  - module: determined.ai.det_cluster_info
"""

EXAMPLES = r"""
- name: Announce the maintenance
  determined.ai.det_cluster_message:
    text: Maintenance on Saturday from 18:00 UTC, all experiments will be paused.
    end: "2126-01-31T22:00:00Z"

- name: Something is slow for an hour
  determined.ai.det_cluster_message:
    text: Storage is slow at present, we are on it.
    duration: 1h

- name: Nothing to say
  determined.ai.det_cluster_message:
    state: absent
"""

RETURN = r"""
cluster_message:
  description: The message as it is, or in check mode as it would be; null if there is none.
  returned: success
  type: dict
  contains:
    message:
      description: The text.
      type: str
      sample: Storage is slow at present, we are on it.
    start_time:
      description: From when on it is shown, UTC.
      type: str
      sample: "2026-01-01T10:00:00.123456Z"
    end_time:
      description: Until when it is shown, UTC. Null if there is no end.
      type: str
      sample: "2026-01-01T11:00:00.123456Z"
    created_time:
      description: When it was set, UTC. Null where check mode predicts a new one.
      type: str
      sample: "2026-01-01T10:00:00.234567Z"
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
    path: /api/v1/master/cluster_message
    status: 403
    reason: PermissionDenied
    message: user does not have permission
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import StateOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.cluster_message import CLUSTER_MESSAGE

OPERATION = StateOperation(CLUSTER_MESSAGE)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
