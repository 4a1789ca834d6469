#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read user groups."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_group_info
short_description: Read user groups of a Determined cluster
version_added: 1.0.0
description:
  - Returns all groups that match, with their members. This takes one more API call for each group that is returned.
  - The personal group that the server keeps for each user is never among them.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.info
  - determined.ai.contract.info
options:
  name:
    description: The one group with exactly this name. One that is not there gives an empty list.
    type: str
  name_contains:
    description: Text that the name contains, whatever its case; V(%) and V(_) are taken literally.
    type: str
  user:
    description: Only groups that this user is a member of.
    type: str
notes:
  - Under RBAC the server leaves out groups that the caller is not in, unless it may assign roles somewhere.
seealso:
  - module: determined.ai.det_group
"""

EXAMPLES = r"""
- name: All groups
  determined.ai.det_group_info:
  register: all

- name: The groups of one user
  determined.ai.det_group_info:
    user: bjarne.holm
  register: own
"""

RETURN = r"""
groups:
  description: The groups, in the order of their numbers.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The server's number of the group.
      type: int
      sample: 12
    name:
      description: Name of the group.
      type: str
      sample: research
    members:
      description: Usernames of its members, in alphabetical order.
      type: list
      elements: str
      sample: [ana, bjarne]
total:
  description: How many groups match, whatever the limit.
  returned: success
  type: int
  sample: 3
requests:
  description: Number of API calls that the task made, login and logout aside.
  returned: always
  type: int
  sample: 4
failure:
  description: The call that failed, see M(determined.ai.det_user).
  returned: when a call failed
  type: dict
  sample:
    method: POST
    path: /api/v1/groups/search
    status: 401
    reason: Unauthenticated
    message: "invalid credentials"
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import ReadOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.group import GROUPS

OPERATION = ReadOperation(GROUPS)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
