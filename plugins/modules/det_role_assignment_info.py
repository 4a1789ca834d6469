#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read role assignments."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_role_assignment_info
short_description: Read role assignments of a Determined cluster
version_added: 1.0.0
description:
  - Returns all role assignments that match, of all scopes. What a user holds by its groups is shown by
    M(determined.ai.det_role_info).
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.info
  - determined.ai.contract.info
options:
  role:
    description: Only assignments of the role of this name.
    type: str
  user:
    description: Only assignments to this user itself.
    type: str
  group:
    description: Only assignments to this group.
    type: str
  workspace:
    description: Only assignments in the workspace of this name.
    type: str
notes:
  - Under RBAC, without the permission ASSIGN_ROLES in some workspace, the server shows the assignments of those roles only that the
    caller itself holds.
seealso:
  - module: determined.ai.det_role_assignment
"""

EXAMPLES = r"""
- name: Who may do everything?
  determined.ai.det_role_assignment_info:
    role: ClusterAdmin
  register: administrators

- name: Who may do something in this workspace, beside those with rights everywhere?
  determined.ai.det_role_assignment_info:
    workspace: research
  register: found
"""

RETURN = r"""
role_assignments:
  description: The assignments, in the order of role, user, group and workspace.
  returned: success
  type: list
  elements: dict
  contains:
    role:
      description: Name of the role.
      type: str
      sample: Editor
    role_id:
      description: The server's number of the role.
      type: int
      sample: 5
    user:
      description: Username of who holds it, or null.
      type: str
      sample: ana
    user_id:
      description: The server's number of the user, or null.
      type: int
      sample: 7
    group:
      description: Name of the group that holds it, or null.
      type: str
      sample: null
    group_id:
      description: The server's number of the group, or null.
      type: int
      sample: null
    workspace:
      description: Name of the workspace that it holds in. Null for the whole cluster, and for a workspace that you may not see.
      type: str
      sample: vision
    workspace_id:
      description: The server's number of the workspace. Null for the whole cluster.
      type: int
      sample: 3
    server_made:
      description:
        - Whether it is the right that the server itself gave the creator of the workspace, as
          C(security.authz.workspace_creator_assign_role) of its configuration says.
        - Without the right to read the configuration, the product's default (C(WorkspaceAdmin)) is assumed.
      type: bool
      sample: false
total:
  description: How many assignments match, whatever the limit.
  returned: success
  type: int
  sample: 4
requests:
  description: Number of API calls that the task made, login and logout aside.
  returned: always
  type: int
  sample: 5
failure:
  description: The call that failed, see M(determined.ai.det_user).
  returned: when a call failed
  type: dict
  sample:
    method: POST
    path: /api/v1/roles/search/by-ids
    status: 401
    reason: Unauthenticated
    message: "invalid credentials"
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import ReadOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.role_assignment import ROLE_ASSIGNMENTS

OPERATION = ReadOperation(ROLE_ASSIGNMENTS)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
