#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the master's log."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_master_log_info
short_description: Read the log of a Determined master
version_added: 1.0.0
description:
  - Returns entries of the master's log, newest first.
  - The master keeps its last 25,000 entries in memory. What is older, or was before its last start, is not there, so this is no
    archive.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.info
  - determined.ai.contract.info
options:
  levels:
    description: Only entries of these levels.
    type: list
    elements: str
    choices: [trace, debug, info, warning, error, critical]
  contains:
    description: Only entries with this text in them, in any case. It is looked for in the text as it is returned.
    type: str
  rbac_denied:
    description:
      - Only the entries that tell of a permission that was denied under RBAC, with who wanted to do what.
      - What was granted is not in this log.
    type: bool
    default: false
  offset:
    description: How many entries that match to leave out at the start, the newest first.
    type: int
    default: 0
notes:
  - Secrets are masked in the messages. The first entry after a start is the master's whole configuration, in which the server
    leaves secrets in clear.
  - The API has no filters. With one, the whole log is read; with O(limit) alone only the end of it.
  - Under RBAC it takes the permission VIEW_MASTER_LOGS. Under basic authorisation any user may read it.
seealso:
  - module: determined.ai.det_cluster_info
"""

EXAMPLES = r"""
- name: The last warnings and errors
  determined.ai.det_master_log_info:
    levels: [warning, error, critical]
    limit: 20
  register: log

- name: Who was denied what
  determined.ai.det_master_log_info:
    rbac_denied: true
  register: denied

- name: Show it
  ansible.builtin.debug:
    msg: "{{ (log.master_logs + denied.master_logs) | map(attribute='message') | list }}"
"""

RETURN = r"""
master_logs:
  description: The entries, newest first.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Number of the entry, from 0 at the start of the master.
      type: int
      sample: 17
    timestamp:
      description: When it was written, UTC.
      type: str
      sample: "2026-01-15T10:00:00.123456789Z"
    level:
      description: One of V(trace), V(debug), V(info), V(warning), V(error), V(critical).
      type: str
      sample: info
    message:
      description: Its text, secrets masked.
      type: str
      sample: accepting incoming connections
total:
  description: How many entries match, whatever the limit.
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
    path: /api/v1/master/logs
    status: 403
    reason: ""
    message: "access denied; required permissions: PERMISSION_TYPE_VIEW_MASTER_LOGS"
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import ReadOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.master_log import MASTER_LOG

OPERATION = ReadOperation(MASTER_LOG)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
