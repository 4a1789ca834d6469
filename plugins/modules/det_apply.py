#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring a whole cluster to what a manifest declares."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_apply
short_description: Bring a Determined cluster to what a tree of YAML files declares
version_added: 1.0.0
description:
  - Reads a manifest, which is a folder of YAML files that declare users, groups, workspaces and more, reads each list of the
    cluster once, and creates, changes and removes what differs.
  - In check mode it plans. The plan names each object and each field that would change, also for a cluster that is still empty.
  - What is not declared is left alone, unless the settings of the manifest say that a kind is pruned.
  - The guide C(docs/gitops.md) of the collection explains the manifest, overlays, prune and the lock file.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
attributes:
  check_mode:
    support: full
    details: Plans, and writes the file named by O(plan_out), nothing else. Secrets need not be readable.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  manifest:
    description:
      - The folder with the manifest, or the manifest itself as a mapping.
      - A relative path is looked for from the folder of the playbook.
      - The files are read by Ansible's own loader in the controller, wherever the task runs, so vaulted values, templates and
        lookups work in them. Options that hold secrets are resolved in real runs only.
    type: raw
    required: true
  environment:
    description: The overlay in C(environments/) that is laid over the rest of the manifest.
    type: str
  kinds:
    description:
      - Only these kinds are planned, of those that the manifest declares. What they refer to is still looked up.
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
  only:
    description: Only objects that match one of these globs of kind and key, such as V(templates/base-*).
    type: list
    elements: str
    default: []
  prune:
    description:
      - Takes the place of C(prune) in the settings. Per kind V(managed), to remove what an earlier apply of this manifest
        declared and this one no longer does, or V(exclusive), to remove whatever is not declared.
      - An empty mapping prunes nothing.
    type: dict
  plan_out:
    description:
      - File to write the plan to, as JSON without secrets. Give it as O(plan) to apply just this.
    type: path
  plan:
    description:
      - A plan that an earlier run wrote. It is applied only if the same O(manifest) still comes to the same on the same
        cluster. If anything that it saw has moved, nothing is written.
    type: path
  lock_file:
    description:
      - File that keeps which objects the manifest manages. By default C(.determined.lock.<environment>.yml) in the manifest's
        folder, and none for a manifest that is given as a mapping.
      - Keep it with the manifest, as pruning what is V(managed) depends on it.
    type: path
  validate_only:
    description: Only load and check the manifest, without any call.
    type: bool
    default: false
  concurrency:
    description: How many calls are under way at once.
    type: int
    default: 4
  on_error:
    description:
      - What happens when an object can't be written. V(stop) begins nothing more, V(continue) goes on with what does not depend
        on it.
    type: str
    choices: [stop, continue]
    default: stop
  retry_for:
    description: Seconds to wait for a master that goes away during the run, each time, before the run ends.
    type: int
    default: 60
  reports:
    description: Reports to write, in check mode too. Paths are the controller's.
    type: dict
    suboptions:
      style:
        description: Whether they speak of what is to be done, or of how the cluster has drifted from what is declared.
        type: str
        choices: [plan, drift]
        default: plan
      json:
        description: File for the report as JSON.
        type: path
      markdown:
        description: File for the report as Markdown, short enough for a comment on a pull request.
        type: path
      junit:
        description: File for the report as JUnit XML. Drift, and what is blocked or failed, is a failure in it.
        type: path
      commit:
        description: The commit that the manifest was checked out from, to be named in the reports.
        type: str
      dirty:
        description: Whether the manifest has changes that are not committed.
        type: bool
      actor:
        description: Who runs this. By default the user that the task logs in as.
        type: str
  progress:
    description: Whether to print a line every few seconds. V(auto) does so in a terminal.
    type: str
    choices: [auto, always, never]
    default: auto
notes:
  - It always runs inside the controller, and needs C(requests) and C(pydantic) there.
  - A second apply to a cluster at once, by the same user of the same machine, is refused. Elsewhere that is the pipeline's task.
  - A run that fails or is killed half-way leaves nothing that a second run does not finish.
seealso:
  - module: determined.ai.det_export
"""

EXAMPLES = r"""
- name: Two users and what they work with
  determined.ai.det_apply:
    manifest:
      users:
        - username: ada
          display_name: Ada Lovelace
          password: "{{ lookup('ansible.builtin.env', 'ADA_PASSWORD') | default('Correct-Horse-7', true) }}"
      workspaces:
        - name: engines
          projects:
            - name: difference
              description: The first of them.

- name: Nothing but check what would be applied
  determined.ai.det_apply:
    manifest:
      groups:
        - name: engineers
          members: [ada]
    validate_only: true
"""

RETURN = r"""
plan:
  description:
    - What the run does to each declared object, and to those that are pruned, in this order.
    - Of a run that fails, only those of which something was to be done.
  returned: unless O(validate_only)
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the object, in the plural.
      type: str
      sample: workspaces
    key:
      description: What names the object, such as V(alice), V(workspace/project) or V(role:user:alice@workspace).
      type: str
      sample: engines
    action:
      description: What is done. An object that is V(blocked) is left alone.
      type: str
      sample: update
    fields:
      description:
        - The fields that change, each with its value before and after. Of a secret only that it changes.
        - In the result of a run that fails, only of what has failed. The reports have them all.
      type: dict
      sample: {"archived": {"before": false, "after": true}}
    reason:
      description: Why an object is blocked, kept, or not written, and what goes along with a workspace that is removed.
      type: str
      sample: ""
    status:
      description: What became of it in a real run, V(applied), V(failed) or V(skipped); null for what is not to be written.
      type: str
      sample: applied
counts:
  description: How many objects there are of each action.
  returned: unless O(validate_only)
  type: dict
  sample: {"create": 3, "update": 0, "remove": 0, "recreate": 0, "rename": 0, "none": 12, "blocked": 0}
exit_hint:
  description: V(0) for nothing to do, V(2) for changes, V(1) if something is blocked, refused or failed.
  returned: unless O(validate_only)
  type: int
  sample: 2
drift:
  description:
    - In check mode, the objects that differ, as V(kind/key), by how they do. Extra are those that are not declared, in kinds that
      are pruned V(exclusive).
  returned: in check mode
  type: dict
  sample: {"missing": [], "changed": ["workspaces/engines"], "extra": [], "blocked": []}
refusals:
  description: Why a real run would refuse the plan as a whole.
  returned: unless O(validate_only)
  type: list
  elements: str
  sample: []
cluster_id:
  description: The cluster's own id.
  returned: unless O(validate_only)
  type: str
  sample: 9d8de5a7-0b2f-4d3e-8b5f-3d1f6f3a0c11
manifest:
  description: Name of the manifest, from its settings.
  returned: success
  type: str
  sample: production
environment:
  description: The overlay.
  returned: success
  type: str
  sample: null
declared:
  description: How many objects the manifest declares.
  returned: success
  type: int
  sample: 15
requests:
  description: Number of API calls that the task made.
  returned: always
  type: int
  sample: 9
failure:
  description: The call that failed, see M(determined.ai.det_user). Of several the first.
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
from ansible_collections.determined.ai.plugins.module_utils._gitops.operation import APPLY

OPERATION = APPLY


def main() -> None:
    """Refuse: the action plugin of this name does the work, as only the controller has Ansible's loader."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
