#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read projects."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_project_info
short_description: Read projects of a Determined cluster
version_added: 1.0.0
description:
  - Returns all projects that match, of one workspace or all.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.info
  - determined.ai.contract.info
options:
  workspace:
    description: Only projects of the workspace of this name.
    type: str
  name:
    description: Only projects with exactly this name. One that is not there gives an empty list.
    type: str
  name_contains:
    description: Text that the name contains, whatever its case; V(%) and V(_) are taken literally.
    type: str
  key:
    description: The one project with this key, whatever its case.
    type: str
  archived:
    description: Only projects that are, or are not, archived themselves. Both by default.
    type: bool
  users:
    description: Only projects that one of these users created.
    type: list
    elements: str
notes:
  - Under RBAC the server leaves out projects that the caller may not see.
  - Projects of an archived workspace look archived to the server. Where there are such, one more call finds out which of them are
    archived themselves.
seealso:
  - module: determined.ai.det_project
  - module: determined.ai.det_workspace_info
"""

EXAMPLES = r"""
- name: All projects of the cluster that are in use
  determined.ai.det_project_info:
    archived: false
  register: in_use

- name: Those of one workspace
  determined.ai.det_project_info:
    workspace: Uncategorized
  register: found
"""

RETURN = r"""
projects:
  description: The projects, in the order of their ids.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The server's number of the project.
      type: int
      sample: 4
    name:
      description: Name of the project.
      type: str
      sample: detection
    workspace_id:
      description: Number of the workspace that it is in.
      type: int
      sample: 2
    description:
      description: What the project is.
      type: str
      sample: Finds things in pictures
    key:
      description: Its key, in upper case, which the numbers of its runs begin with.
      type: str
      sample: DET
    notes:
      description: Its notes.
      type: list
      elements: dict
      sample:
        - name: Runbook
          contents: "# Retrain each quarter"
    archived:
      description: Whether the project itself is archived. That of its workspace does not count.
      type: bool
      sample: false
    immutable:
      description: Whether it is the built-in one, which can't be changed.
      type: bool
      sample: false
    user_id:
      description: Number of the user who created it.
      type: int
      sample: 1
    username:
      description: Name of the user who created it.
      type: str
      sample: admin
    num_experiments:
      description: How many experiments it has.
      type: int
      sample: 7
    num_active_experiments:
      description: How many of them are active.
      type: int
      sample: 1
    num_runs:
      description: How many runs it has.
      type: int
      sample: 9
    last_experiment_started_at:
      description: When its newest experiment was started, UTC, or null.
      type: str
      sample: "2026-01-01T10:00:00.123456Z"
    state:
      description: V(unspecified) in general, V(deleting) or V(delete_failed) once it is being deleted.
      type: str
      sample: unspecified
    error_message:
      description: Why the deletion failed.
      type: str
      sample: ""
total:
  description: How many projects match, whatever the limit.
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
    path: /api/v1/workspaces/0/projects
    status: 401
    reason: Unauthenticated
    message: invalid credentials
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import ReadOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.project import PROJECTS

OPERATION = ReadOperation(PROJECTS)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
