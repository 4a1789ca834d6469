#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read roles, and who holds which."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_role_info
short_description: Read roles of a Determined cluster, and what somebody may do
version_added: 1.0.0
description:
  - Returns the roles with their permissions and where they can be assigned. The product fixes roles, none can be made or edited.
  - With O(user) or O(group) only those that reach this user, directly or by a group, or this group, with where they do.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.info
  - determined.ai.contract.info
options:
  name:
    description: The one role with exactly this name.
    type: str
  permission:
    description: Only roles with this permission, such as V(ASSIGN_ROLES).
    type: str
  user:
    description: Only roles that this user holds, itself or by its groups.
    type: str
  group:
    description: Only roles that this group holds.
    type: str
notes:
  - Under RBAC, without the permission ASSIGN_ROLES in some workspace, the server shows the roles that the caller itself holds, and
    refuses those of others.
  - Assignments can be made and read under every authorisation; they have an effect only where RBAC is enforced.
seealso:
  - module: determined.ai.det_role_assignment
  - module: determined.ai.det_role_assignment_info
"""

EXAMPLES = r"""
- name: Which roles let somebody assign roles?
  determined.ai.det_role_info:
    permission: ASSIGN_ROLES
  register: assigning

- name: What may this user do, and where?
  determined.ai.det_role_info:
    user: bjarne.holm
  register: effective
"""

RETURN = r"""
roles:
  description: The roles, by name.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The server's number of the role.
      type: int
      sample: 3
    name:
      description: Name of the role.
      type: str
      sample: WorkspaceCreator
    permissions:
      description: Names of its permissions, in alphabetical order.
      type: list
      elements: str
      sample: [CREATE_WORKSPACE, VIEW_GLOBAL_CONFIG_POLICIES, VIEW_WORKSPACE_CONFIG_POLICIES]
    scope_type_mask:
      description: Whether it can be assigned in the whole C(cluster), and in a single C(workspace).
      type: dict
      sample:
        cluster: true
        workspace: false
    assignments:
      description:
        - Where it is held, the whole cluster first. Each has C(workspace) and C(workspace_id), null for the whole cluster, and
          C(group) and C(group_id), null where the user holds it itself.
        - The name of a workspace or group that you may not see is null.
      returned: with O(user) or O(group)
      type: list
      elements: dict
      sample:
        - workspace: null
          workspace_id: null
          group: research
          group_id: 12
total:
  description: How many roles match, whatever the limit.
  returned: success
  type: int
  sample: 10
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
    path: /api/v1/roles/search/by-user/7
    status: 403
    reason: PermissionDenied
    message: "access denied; required permissions: PERMISSION_TYPE_ASSIGN_ROLES"
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import ReadOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.role import ROLES

OPERATION = ReadOperation(ROLES)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
