#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read users."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_user_info
short_description: Read users of a Determined cluster
version_added: 1.0.0
description:
  - Returns all users that match, with their agent identity and last login.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.info
  - determined.ai.contract.info
options:
  username:
    description: The one user with exactly this name. One that is not there gives an empty list.
    type: str
  name_contains:
    description: Text that the username or the display name contains, whatever its case; V(%) and V(_) are taken literally.
    type: str
  active:
    description: Only users that can, or cannot, log in.
    type: bool
  admin:
    description: Only users that are, or are not, administrators.
    type: bool
  remote:
    description: Only users that do, or do not, log in by single sign-on.
    type: bool
seealso:
  - module: determined.ai.det_user
"""

EXAMPLES = r"""
- name: One user
  determined.ai.det_user_info:
    username: alice
  register: found

- name: Active administrators
  determined.ai.det_user_info:
    active: true
    admin: true
  register: administrators
"""

RETURN = r"""
users:
  description: The users, in the order of their ids. The fields are those of M(determined.ai.det_user).
  returned: success
  type: list
  elements: dict
  sample:
    - id: 7
      username: alice
      display_name: Alice Example
      admin: false
      active: true
      remote: false
      agent_user_group: null
      modified_at: "2026-01-01T10:00:00.123456Z"
      last_auth_at: null
total:
  description: How many users match, whatever the limit.
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
    path: /api/v1/users
    status: 401
    reason: Unauthenticated
    message: invalid credentials
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import ReadOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.user import USERS

OPERATION = ReadOperation(USERS)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
