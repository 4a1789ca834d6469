#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what was used of a cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_usage_info
short_description: Report what was used of a Determined cluster
version_added: 1.0.0
description:
  - Returns how many slot-seconds were used by day or month, shared out by user, experiment label and resource pool, or all workloads
    one by one.
  - Writes the same as a CSV file for a spreadsheet.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.info
  - determined.ai.contract.info
options:
  start:
    description: First day, such as V(2026-01-01), or a month, such as V(2026-01), for its first day. Days begin at midnight UTC.
    type: str
    required: true
  end:
    description: Last day, which is included, or a month for its last day. Today unless given.
    type: str
  period:
    description:
      - What to add up by. With V(month) the months of O(start) and O(end) are reported whole.
      - By default V(day), unless O(raw) is given.
    type: str
    choices: [day, month]
  raw:
    description: Whether to return workloads one by one instead.
    type: bool
  dest:
    description:
      - Absolute path of a file that gets all that matches as CSV, whatever O(limit), with the columns of the product's own reports.
      - The path is the controller's, on whichever host the task runs. The file is replaced in one step, and written in check
        mode too, as nothing on the cluster is. The module reports no change.
    type: path
notes:
  - The module always runs inside the controller, so C(become), C(environment) and the connection of the task have no effect on it,
    and C(async) is refused.
  - A day is added up by the master when it is over, so today has no entry yet; neither has a day before the cluster was installed.
  - Names and labels come from the cluster's users. A spreadsheet may take one that begins with V(=) for a formula.
  - Under RBAC it takes the permission VIEW_CLUSTER_USAGE. Under basic authorisation any user may read it.
seealso:
  - module: determined.ai.det_job_info
"""

EXAMPLES = r"""
- name: Who used how much this year
  determined.ai.det_usage_info:
    start: "2026-01"
    period: month
    dest: "{{ lookup('ansible.builtin.env', 'TMPDIR') | default('/tmp', true) }}/usage-2026.csv"
  register: year

- name: Show it
  ansible.builtin.debug:
    msg: "{{ item.period_start }}: {{ (item.seconds / 3600) | round(1) }} slot-hours"
  loop: "{{ year.usage }}"
  loop_control:
    label: "{{ item.period_start }}"
"""

RETURN = r"""
usage:
  description:
    - The days or months, in order. One with C(raw) is a workload.
    - C(period), C(period_start) and the shares are there without O(raw), the other keys with it. C(seconds) is there with both.
  returned: success
  type: list
  elements: dict
  contains:
    period:
      description: V(day) or V(month).
      type: str
      sample: month
    period_start:
      description: The day or month.
      type: str
      sample: 2026-01
    seconds:
      description: Slot-seconds in all; of a workload the seconds of it that fall into the time asked for, whatever its slots.
      type: float
      sample: 86400.0
    by_username:
      description: Slot-seconds by user.
      type: dict
      sample:
        bjarne.holm: 86400.0
    by_experiment_label:
      description: Slot-seconds by label; an experiment with several labels counts for each.
      type: dict
      sample:
        baseline: 43200.0
    by_resource_pool:
      description: Slot-seconds by resource pool.
      type: dict
      sample:
        default: 86400.0
    kind:
      description: V(training), V(validation), V(checkpointing), V(imagepulling), or V(agent) and V(instance) for the time that one was there.
      type: str
      sample: training
    start_time:
      description: When the workload began, UTC.
      type: str
      sample: "2026-01-15T10:00:00Z"
    end_time:
      description: When it ended, UTC, or null.
      type: str
      sample: "2026-01-15T11:00:00Z"
    experiment_id:
      description: Number of its experiment, or null.
      type: int
      sample: 1
    username:
      description: Name of the experiment's owner; of V(agent) and V(instance) its id.
      type: str
      sample: bjarne.holm
    user_id:
      description: Number of that user, or null.
      type: int
      sample: 4
    labels:
      description: Labels of the experiment.
      type: list
      elements: str
      sample: [baseline]
    slots:
      description: How many slots it had.
      type: int
      sample: 4
dest:
  description: The file that was written.
  returned: when O(dest) is given
  type: str
  sample: /tmp/usage-2026.csv
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
    path: /api/v1/resources/allocation/aggregated
    status: 401
    reason: Unauthenticated
    message: invalid credentials
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import ReadOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.usage import USAGE

OPERATION = ReadOperation(USAGE)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
