#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manage workspaces."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_workspace
short_description: Manage workspaces of a Determined cluster
version_added: 1.0.0
description:
  - Create, edit, rename, archive and delete workspaces, which hold projects, models and templates.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.state
  - determined.ai.contract
  - determined.ai.contract.wait
options:
  name:
    description:
      - Name of the workspace, exact and case-sensitive, of at most 80 bytes.
      - C(Uncategorized) is built in. It can't be changed or removed.
    type: str
    required: true
  state:
    description:
      - V(present) makes sure that the workspace exists with the declared fields.
      - V(absent) deletes it with all that is in it, which RV(removed_along) names. One that holds experiments or models is refused
        unless O(force_non_empty) is set.
      - Who has no right to delete the workspace is told so before anything in it is removed.
    type: str
    choices: [present, absent]
    default: present
  new_name:
    description:
      - Name that the workspace must have. Whichever of O(name) and this exists ends up under this name.
      - It is refused when both exist. When neither exists, the workspace is created under this name.
    type: str
  archived:
    description:
      - Whether the workspace is archived. An archived workspace refuses edits, so a task that would make one fails unless it has
        this option.
      - With V(true) an archived workspace is unarchived, edited and archived again. If the edit fails, it is archived again too.
      - With V(false) it is unarchived and edited.
    type: bool
  agent_user_group:
    description:
      - Unix identity that tasks of the workspace run as on agents. All four are needed; an empty mapping clears it.
    type: dict
    suboptions:
      uid:
        description: User id, 0 or more.
        type: int
      gid:
        description: Group id, 0 or more.
        type: int
      user:
        description: User name.
        type: str
      group:
        description: Group name.
        type: str
  checkpoint_storage:
    description:
      - The whole storage of checkpoints, in the terms of an experiment's configuration. An empty mapping takes it away.
      - The server shows C(access_key) and C(secret_key) of S3 as C(********), so they can't be compared. A storage that leaves them
        out and is otherwise as declared is unchanged. One that leaves them out and would change anything else is refused, as the
        server would wipe the live ones. An empty text has them wiped.
      - The text C(<keep>) stands for what is live in its place.
    type: dict
  update_secrets:
    description:
      - When the keys of an S3 storage in O(checkpoint_storage) are written.
      - V(on_create) writes them with a new storage and with every other change of it.
      - V(always) writes them each time, and each time reports a change.
    type: str
    choices: [on_create, always]
    default: on_create
  default_compute_pool:
    description: Resource pool of its experiments unless they name one. An empty text leaves it to the cluster.
    type: str
  default_aux_pool:
    description: Resource pool of its other tasks unless they name one. An empty text leaves it to the cluster.
    type: str
  namespace_bindings:
    description:
      - Namespace by name of the Kubernetes cluster, either the namespace's name, or a mapping with either C(namespace) or
        C(auto_create_namespace=true), which has the server make one.
      - Clusters that are not named keep theirs. To go back to a cluster's default, name the default namespace.
      - Refused on a master that does not run on Kubernetes.
    type: dict
  resource_quota:
    description:
      - Highest number of accelerators by name of the Kubernetes cluster. The server takes it for namespaces that it made itself.
      - Clusters that are not named keep theirs.
    type: dict
  force_non_empty:
    description:
      - Whether O(state=absent) also removes a workspace that holds experiments or models. What still runs is killed first. Models
        are deleted with their versions, as the server refuses the deletion otherwise.
    type: bool
    default: false
notes:
  - Webhooks of the workspace are deleted before it, as the server's deletion fails half-way otherwise.
  - Checkpoints inside are removed by a task on an agent. Without an agent such a deletion does not end.
seealso:
  - module: determined.ai.det_workspace_info
  - module: determined.ai.det_project
"""

EXAMPLES = r"""
- name: A workspace whose checkpoints go to S3
  determined.ai.det_workspace:
    name: vision
    agent_user_group:
      uid: 2001
      gid: 2001
      user: vision
      group: ml
    checkpoint_storage:
      type: s3
      bucket: vision-checkpoints
      access_key: "{{ s3_access_key }}"
      secret_key: "{{ s3_secret_key }}"
    default_compute_pool: default

- name: Another prefix, which needs the keys again
  determined.ai.det_workspace:
    name: vision
    checkpoint_storage:
      type: s3
      bucket: vision-checkpoints
      prefix: "2026"
      access_key: "{{ s3_access_key }}"
      secret_key: "{{ s3_secret_key }}"

- name: Another name, and into the archive
  determined.ai.det_workspace:
    name: vision
    new_name: vision-2026
    archived: true

- name: Delete it with all that is in it
  determined.ai.det_workspace:
    name: vision-2026
    state: absent
    force_non_empty: true
  register: removal

- name: What has gone along
  ansible.builtin.debug:
    var: removal.removed_along
"""

RETURN = r"""
workspace:
  description:
    - The workspace as it is, or in check mode as it would be. Null if it does not exist.
    - What only the server makes (C(id)) is null where check mode predicts a new workspace.
  returned: success
  type: dict
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
    checkpoint_storage:
      description: The storage of its checkpoints, secrets masked, or null for the cluster's.
      type: dict
      sample:
        type: s3
        bucket: vision-checkpoints
        access_key: "********"
        secret_key: "********"
    namespace_bindings:
      description: Namespace by Kubernetes cluster. Null unless namespaces or quotas are declared.
      type: dict
      sample: null
    resource_quota:
      description: Highest number of accelerators by Kubernetes cluster. Null unless namespaces or quotas are declared.
      type: dict
      sample: null
removed_along:
  description:
    - What goes along with a workspace that is removed, by name, as far as the caller may see it. What there is none of is left out.
    - C(projects), C(models), C(templates), C(webhooks), C(config_policies) (V(experiments), V(tasks)) and
      C(resource_pool_bindings) are lists, C(experiments) is a number.
  returned: when O(state=absent) and the workspace existed
  type: dict
  sample:
    projects: [detection]
    templates: [four-slots]
    webhooks: [pager]
requests:
  description: Number of API calls that the task made, login and logout aside.
  returned: always
  type: int
  sample: 2
failure:
  description: The call that failed, see M(determined.ai.det_user).
  returned: when a call failed
  type: dict
  sample:
    method: PATCH
    path: /api/v1/workspaces/3
    status: 400
    reason: FailedPrecondition
    message: unable to bind a resource pool that does not exist or is not available to the workspace
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import StateOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.workspace import WORKSPACE

OPERATION = StateOperation(WORKSPACE)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
