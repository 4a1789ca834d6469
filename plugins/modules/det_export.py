#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write a manifest of a live cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_export
short_description: Write a live Determined cluster as a tree of YAML files
version_added: 1.0.0
description:
  - Reads a cluster and writes a manifest that declares it as it is, so that M(determined.ai.det_apply) finds nothing to do.
  - The order is stable, and there are no ids and no times in it, so that two exports differ only where the cluster does.
  - Nothing is written to the cluster.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: The files are the difference; git shows it.
  idempotent:
    support: full
options:
  dest:
    description:
      - The folder to write to, on the controller. It is made if it is not there.
      - Files that an earlier export made are replaced, or removed if nothing is left for them. Another file that is in the way
        is an error.
    type: path
    required: true
  layout:
    description: One file for each kind, or one for each workspace with all that belongs to it.
    type: str
    choices: [kind, workspace]
    default: kind
  kinds:
    description:
      - Only these kinds. By default all but V(tokens) and V(oauth_clients), which are exported only if they are named. What the server
        tells once can't be read, so their entries need C(dest) before they can be applied, and are made anew where that file is not
        there.
    type: list
    elements: str
    choices:
      - users
      - groups
      - workspaces
      - resource_pool_bindings
      - projects
      - role_assignments
      - config_policies
      - templates
      - models
      - webhooks
      - tokens
      - oauth_clients
      - cluster_message
  name:
    description: Name of the manifest, which is written to its settings.
    type: str
    default: exported
  concurrency:
    description: How many calls are under way at once.
    type: int
    default: 4
notes:
  - Secrets are not exported. Options that hold one are left out, and inside a configuration C(<keep>) stands for it, which
    M(determined.ai.det_apply) takes for what is live. C(SECRETS.md) in the folder lists them.
  - What can't be declared, and lists that the user may not see whole, are named in C(NOT-EXPORTED.md).
  - Text that looks like a template is written as C(!unsafe), so that Ansible never runs it.
  - It always runs inside the controller, and needs C(requests) and C(pydantic) there.
seealso:
  - module: determined.ai.det_apply
"""

EXAMPLES = r"""
- name: Bring a cluster under git
  determined.ai.det_export:
    dest: /tmp/det-cluster
    layout: workspace

- name: The users alone
  determined.ai.det_export:
    dest: /tmp/det-users
    kinds: [users]
"""

RETURN = r"""
files:
  description: The files that make up the export, relative to O(dest).
  returned: success
  type: list
  elements: str
  sample: [NOT-EXPORTED.md, SECRETS.md, determined.yml, users.yml]
changed_files:
  description: Those that were written or removed.
  returned: success
  type: list
  elements: str
  sample: [users.yml]
counts:
  description: How many objects of each kind were exported.
  returned: success
  type: dict
  sample: {"users": 12}
cluster_id:
  description: The cluster's own id.
  returned: success
  type: str
  sample: 9d8de5a7-0b2f-4d3e-8b5f-3d1f6f3a0c11
secrets:
  description: What was left out as it is secret.
  returned: success
  type: list
  elements: dict
  sample: [{"kind": "users", "key": "alice", "options": ["password"]}]
not_exported:
  description: What can't be declared as it is, or may be there and can't be seen. A key of V(*) is the kind as a whole.
  returned: success
  type: list
  elements: dict
  sample: [{"kind": "webhooks", "key": "*", "reason": "The list may not be whole"}]
requests:
  description: Number of API calls that the task made.
  returned: always
  type: int
  sample: 9
failure:
  description: The call that failed, see M(determined.ai.det_user).
  returned: when a call failed
  type: dict
  sample:
    method: GET
    path: /api/v1/users
    status: 403
    reason: PermissionDenied
    message: access denied
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._gitops.export import EXPORT

OPERATION = EXPORT


def main() -> None:
    """Refuse: the action plugin of this name does the work, as the files are the controller's."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
