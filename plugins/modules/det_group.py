#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manage user groups."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_group
short_description: Manage user groups of a Determined cluster
version_added: 1.0.0
description:
  - Create, rename and delete user groups, and declare their members.
  - Groups work under every authorisation; the roles that are assigned to them have an effect only where RBAC is enforced.
  - The personal group that the server keeps for each user is never touched nor shown.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.state
  - determined.ai.contract
options:
  name:
    description: Name of the group, exact and case-sensitive.
    type: str
    required: true
  state:
    description:
      - V(present) makes sure that the group exists with the declared members.
      - V(absent) deletes it, and with it its memberships and role assignments. Where one that was not found may just not be
        seen, a warning says so.
    type: str
    choices: [present, absent]
    default: present
  new_name:
    description:
      - Name that the group must have. Whichever of O(name) and this exists ends up under this name.
      - It is refused when both exist. When neither exists, the group is created under this name.
    type: str
  members:
    description:
      - Usernames, as a set; see O(members_mode). An empty list with O(members_mode=exact) leaves nobody in the group.
      - Finding out the users takes one more API call.
    type: list
    elements: str
  members_mode:
    description:
      - V(exact) makes O(members) the whole of the group.
      - V(add) adds those who are not in it, and V(remove) removes those who are. Both leave all others alone.
    type: str
    choices: [exact, add, remove]
    default: exact
  force:
    description:
      - Whether to write the memberships of remote users where an identity provider decides about them. No group carries a mark
        of that; it is so where C(oidc) or C(saml) of the master's configuration has C(groups_attribute_name) set. Each login
        of a remote user then rewrites all memberships of that user, so without this they are not compared, and a warning
        names those that differ. If the configuration can't be read, they are left alone too.
      - Whether, under RBAC, the change may take away the last right to assign roles, or the C(ClusterAdmin), of the user that
        the task logs in as, or leave the cluster without an active C(ClusterAdmin).
    type: bool
    default: false
notes:
  - Writing needs an administrator, under RBAC the permission UPDATE_GROUP.
seealso:
  - module: determined.ai.det_group_info
  - module: determined.ai.det_role_assignment
"""

EXAMPLES = r"""
- name: A group with exactly these members
  determined.ai.det_group:
    name: reviewers
    members: [bjarne.holm, grace.lindqvist]

- name: One more, whoever else is in it
  determined.ai.det_group:
    name: reviewers
    members: [carla.mendes]
    members_mode: add

- name: Another name
  determined.ai.det_group:
    name: reviewers
    new_name: senior-reviewers

- name: Delete it with its role assignments
  determined.ai.det_group:
    name: senior-reviewers
    state: absent
"""

RETURN = r"""
group:
  description:
    - The group as it is, or in check mode as it would be. Null if it does not exist.
    - C(id) is null where check mode predicts a new group.
  returned: success
  type: dict
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
requests:
  description: Number of API calls that the task made, login and logout aside.
  returned: always
  type: int
  sample: 3
failure:
  description: The call that failed, see M(determined.ai.det_user).
  returned: when a call failed
  type: dict
  sample:
    method: PUT
    path: /api/v1/groups/12
    status: 403
    reason: PermissionDenied
    message: "user does not have permission"
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import StateOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.group import GROUP

OPERATION = StateOperation(GROUP)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
