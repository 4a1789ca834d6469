#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read workspaces."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_workspace_info
short_description: Read workspaces of a Determined cluster
version_added: 1.0.0
description:
  - Returns all workspaces that match.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.info
  - determined.ai.contract.info
options:
  name:
    description: The one workspace with exactly this name. One that is not there gives an empty list.
    type: str
  name_contains:
    description: Text that the name contains, whatever its case; V(%) and V(_) are taken literally.
    type: str
  archived:
    description: Only workspaces that are, or are not, archived. Both by default.
    type: bool
  users:
    description: Only workspaces that one of these users created.
    type: list
    elements: str
  include:
    description:
      - V(storage) adds C(checkpoint_storage), the storage of its checkpoints with its secrets masked, which takes one more API call
        for each workspace.
      - V(namespace_bindings) adds C(namespace_bindings) and C(resource_quota), both null where the master does not run on
        Kubernetes, which takes two more.
    type: list
    elements: str
    choices: [storage, namespace_bindings]
    default: []
notes:
  - Under RBAC the server leaves out workspaces that the caller may not see.
seealso:
  - module: determined.ai.det_workspace
  - module: determined.ai.det_project_info
"""

EXAMPLES = r"""
- name: One workspace
  determined.ai.det_workspace_info:
    name: research
  register: found

- name: Workspaces that are in use
  determined.ai.det_workspace_info:
    archived: false
  register: in_use

- name: All of them with their storages
  determined.ai.det_workspace_info:
    include: [storage]
  register: storages
"""

RETURN = r"""
workspaces:
  description: The workspaces, in the order of their ids. With O(include) they have more fields than these.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The server's number of the workspace.
      type: int
      sample: 2
    name:
      description: Name of the workspace.
      type: str
      sample: research
    archived:
      description: Whether it is archived.
      type: bool
      sample: false
    immutable:
      description: Whether it is the built-in one, which can't be changed.
      type: bool
      sample: false
    pinned:
      description: Whether the caller has pinned it.
      type: bool
      sample: true
    user_id:
      description: Number of the user who created it.
      type: int
      sample: 1
    username:
      description: Name of the user who created it.
      type: str
      sample: admin
    num_projects:
      description: How many projects it has.
      type: int
      sample: 2
    num_experiments:
      description: How many experiments it has.
      type: int
      sample: 7
    state:
      description: V(unspecified) in general, V(deleting) or V(delete_failed) once it is being deleted.
      type: str
      sample: unspecified
    error_message:
      description: Why the deletion failed.
      type: str
      sample: ""
    default_compute_pool:
      description: Resource pool of its experiments unless they name one, or an empty text for the cluster's.
      type: str
      sample: ""
    default_aux_pool:
      description: Resource pool of its other tasks unless they name one, or an empty text for the cluster's.
      type: str
      sample: ""
    agent_user_group:
      description: Unix identity that its tasks run as on agents, or null.
      type: dict
      sample:
        agent_uid: 900
        agent_gid: 900
        agent_user: prod
        agent_group: prod
total:
  description: How many workspaces match, whatever the limit.
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
    path: /api/v1/workspaces
    status: 401
    reason: Unauthenticated
    message: invalid credentials
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import ReadOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.workspace_list import WORKSPACES

OPERATION = ReadOperation(WORKSPACES)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
