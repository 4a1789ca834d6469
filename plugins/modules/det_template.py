#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manage configuration templates."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_template
short_description: Manage configuration templates of a Determined cluster
version_added: 1.0.0
description:
  - Create, edit, rename, move and delete templates, the configurations that experiments, notebooks, shells, commands and
    TensorBoards can start from.
  - The master stores a template unread, so a misspelt key would only fail, or be ignored, when somebody uses it. This module
    refuses it before it is stored.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.state
  - determined.ai.contract
options:
  name:
    description:
      - Name of the template, exact and case-sensitive, unique over all workspaces.
      - A name with V(/) or V(:) is refused, as the master has no path for it.
    type: str
    required: true
  state:
    description:
      - V(present) makes sure that the template exists with the declared fields.
      - V(absent) deletes it. Experiments that were created with it keep their configuration.
    type: str
    choices: [present, absent]
    default: present
  new_name:
    description:
      - Name that the template must have. Whichever of O(name) and this exists ends up under this name.
      - It is refused when both exist. When neither exists, the template is created under this name.
    type: str
  config:
    description:
      - The whole configuration, which replaces the one that is there. An empty mapping empties it. A new template needs it.
      - Numbers are compared as numbers, so V(1) is V(1.0), and the order of keys does not count. The order of a list counts.
      - To take it from a YAML file, use the lookup P(ansible.builtin.file#lookup) with the filter
        P(ansible.builtin.from_yaml#filter).
      - A value of C(********) is refused, it is what results show in place of a secret.
      - The text C(<keep>) stands for what is live in its place.
    type: dict
  workspace:
    description:
      - Name of the workspace that the template is in. One that is elsewhere is moved.
      - A new template is put into C(Uncategorized) if this is omitted. An archived workspace takes no templates.
    type: str
  validate:
    description:
      - How O(config) is checked before anything is written, in check mode too.
      - V(schema) refuses keys that are unknown or misspelt, and names the first twenty with the nearest right ones. As templates serve
        several kinds of tasks, a key is right when a configuration of an experiment, notebook, shell, command or TensorBoard
        has it in version 0.38.1, deprecated ones included. Below C(hyperparameters), C(data), C(integrations),
        C(environment.environment_variables), C(environment.ports) and C(environment.pod_spec) any key is right. Values are
        not checked.
      - V(server) asks the master, when a configuration is about to be written, whether it would create an experiment with it,
        values and limits of the cluster included. What a template may leave to its users is filled in, and nothing is stored.
        Keys that only notebooks, shells, commands and TensorBoards have are refused by it, as they make a template unusable
        for experiments.
      - V(none) writes what is given.
    type: str
    choices: [schema, server, none]
    default: schema
seealso:
  - module: determined.ai.det_template_info
"""

EXAMPLES = r"""
- name: Defaults for training on four accelerators
  determined.ai.det_template:
    name: four-slots
    workspace: Uncategorized
    config:
      resources:
        slots_per_trial: 4
        shm_size: 8G
      environment:
        environment_variables:
          - NCCL_DEBUG=INFO
          - "WANDB_API_KEY={{ wandb_api_key }}"
      max_restarts: 2

- name: A template that the master itself has checked
  determined.ai.det_template:
    name: nightly
    validate: server
    config:
      searcher:
        name: random
        max_trials: 8

- name: A new name
  determined.ai.det_template:
    name: nightly
    new_name: nightly-search

- name: No longer needed
  determined.ai.det_template:
    name: nightly-search
    state: absent
"""

RETURN = r"""
template:
  description: The template as it is, or in check mode as it would be. Null if it does not exist.
  returned: success
  type: dict
  contains:
    name:
      description: Name of the template.
      type: str
      sample: four-slots
    config:
      description:
        - The configuration as it is stored, without defaults. Registry credentials, storage keys, connection strings, all
          below C(data.secrets), and environment variables that look secret by name or value show C(********).
      type: dict
      sample:
        environment:
          environment_variables:
            - NCCL_DEBUG=INFO
            - WANDB_API_KEY=********
        max_restarts: 2
        resources:
          shm_size: 8G
          slots_per_trial: 4
    workspace_id:
      description: The server's number of the workspace that it is in; 1 is C(Uncategorized).
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
    method: POST
    path: /api/v1/experiments
    status: 500
    reason: Internal
    message: "<config>.resources: additionalProperties \"slots\" not allowed"
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import StateOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.template import TEMPLATE

OPERATION = StateOperation(TEMPLATE)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
