#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manage role assignments."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_role_assignment
short_description: Manage role assignments of a Determined cluster
version_added: 1.0.0
description:
  - Assign roles to users and groups, in a workspace or the whole cluster, and take them away.
  - One task declares one assignment, or many in O(assignments), which go in one call that adds and one that removes.
  - Where RBAC is not enforced, assignments are kept without an effect, and a task that changes one says so in a warning.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.state
  - determined.ai.contract
options:
  role:
    description: Name of the role, see M(determined.ai.det_role_info).
    type: str
  user:
    description: Username of who must hold it. Each assignment has this or O(group).
    type: str
  group:
    description: Name of the group that must hold it.
    type: str
  workspace:
    description:
      - Name of the workspace that it holds in. The whole cluster without it.
      - Some roles have permissions for the whole cluster only, and can't be assigned in a workspace.
    type: str
  state:
    description:
      - V(present) assigns the role.
      - V(absent) takes it away. From a user or group, or in a workspace, that is not there, there is nothing to take.
        Where a group or workspace may just not be seen, a warning says so.
    type: str
    choices: [present, absent]
    default: present
  assignments:
    description: Many assignments, instead of O(role) and what belongs to it. Each has a state of its own.
    type: list
    elements: dict
    suboptions:
      role:
        description: Name of the role, see M(determined.ai.det_role_info).
        type: str
        required: true
      user:
        description: Username of who must hold it. Each assignment has this or O(assignments[].group).
        type: str
      group:
        description: Name of the group that must hold it.
        type: str
      workspace:
        description:
          - Name of the workspace that it holds in. The whole cluster without it.
          - Some roles have permissions for the whole cluster only, and can't be assigned in a workspace.
        type: str
      state:
        description:
          - V(present) assigns the role.
          - V(absent) takes it away. From a user or group, or in a workspace, that is not there, there is nothing to take.
            Where a group or workspace may just not be seen, a warning says so.
        type: str
        choices: [present, absent]
        default: present
  exclusive:
    description:
      - With V(true), O(assignments) is all that there may be in the scopes that it names, which are workspaces and, where an
        entry has none, the whole cluster. What else is assigned there is taken away. To empty a scope, name it by an assignment
        that is V(absent).
      - The right that the server itself gives the creator of a workspace there stays, unless it is declared V(absent).
      - This is refused when you may not see all assignments, which under RBAC takes the permission ASSIGN_ROLES in some workspace.
      - It is V(false) by default.
    type: bool
  force:
    description:
      - Whether, under RBAC, the change may take away the last right to assign roles, or the C(ClusterAdmin), of the user that the
        task logs in as, or leave the cluster without an active C(ClusterAdmin). This is judged on what is so after it, groups
        included.
    type: bool
    default: false
notes:
  - Writing needs an administrator, under RBAC the permission ASSIGN_ROLES in each scope.
seealso:
  - module: determined.ai.det_role_assignment_info
  - module: determined.ai.det_role_info
"""

EXAMPLES = r"""
- name: A user may see everything
  determined.ai.det_role_assignment:
    role: Viewer
    user: hugo.martin

- name: Exactly these may do something in the workspace, beside who made it
  determined.ai.det_role_assignment:
    assignments:
      - role: WorkspaceAdmin
        user: ada.brandt
        workspace: research
      - role: Editor
        group: vision
        workspace: research
    exclusive: true

- name: No longer
  determined.ai.det_role_assignment:
    role: Viewer
    user: hugo.martin
    state: absent
"""

RETURN = r"""
role_assignment:
  description: The assignment as it is, or in check mode as it would be. Null if there is none.
  returned: success, without O(assignments)
  type: dict
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
role_assignments:
  description: Of O(assignments) those that are there, or in check mode would be, in the order of their keys.
  returned: success, with O(assignments)
  type: list
  elements: dict
  sample:
    - role: Editor
      role_id: 5
      user: ana
      user_id: 7
      group: null
      group_id: null
      workspace: vision
      workspace_id: 3
      server_made: false
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
    path: /api/v1/roles/add-assignments
    status: 403
    reason: PermissionDenied
    message: "access denied; required permissions: PERMISSION_TYPE_ASSIGN_ROLES"
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import BatchOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.role_assignment import ROLE_ASSIGNMENT

OPERATION = BatchOperation(ROLE_ASSIGNMENT)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
