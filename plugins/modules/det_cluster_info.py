#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read a cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_cluster_info
short_description: Read what a Determined cluster is and how it is
version_added: 1.0.0
description:
  - Returns what the master says of itself, and when asked for its health, configuration, resource pools and agents.
  - The master itself is read without credentials and without a login, so this is also a check whether it is up.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.info
options:
  gather:
    description:
      - What to read, one API call each.
      - V(master) is what anybody may know. Its fields stand directly in RV(cluster). An older master without the call for it is
        asked as the published API says.
      - V(health) is whether the database and the resource managers are up. It needs a user. A master that reports that
        something is down is no failure of the task.
      - V(config) is the master's whole configuration. It needs an administrator, or under RBAC the permission to view it. The
        master leaves some secrets in clear (signing keys, the secrets of OIDC and SCIM, connection strings, environment
        variables); they are masked here.
      - V(cluster_message) is the message to everybody, also one that is still to come. It needs an administrator, or under RBAC
        the permission C(UPDATE_MASTER_CONFIG). The one that is shown now is in V(master) too, for anybody.
      - V(resource_pools) and V(agents) need a user. Under RBAC pools that are bound to workspaces which the user may not see are
        left out, and the agents' addresses and devices are masked by the server.
    type: list
    elements: str
    choices: [master, health, config, cluster_message, resource_pools, agents]
    default: [master]
seealso:
  - module: determined.ai.det_api
  - module: determined.ai.det_cluster_message
  - module: determined.ai.det_resource_pool_info
"""

EXAMPLES = r"""
- name: Wait until the master is up
  determined.ai.det_cluster_info:
  register: found
  until: found is succeeded
  retries: 10
  delay: 3

- name: Everything
  determined.ai.det_cluster_info:
    gather: [master, health, config, cluster_message, resource_pools, agents]
  register: found

- name: Show the free slots of each pool
  ansible.builtin.debug:
    msg: "{{ item.name }} has {{ item.slots_available - item.slots_used }} free slots"
  loop: "{{ found.cluster.resource_pools }}"
  loop_control:
    label: "{{ item.name }}"
"""

RETURN = r"""
cluster:
  description: The parts that O(gather) asks for. What an older master does not know is null.
  returned: success
  type: dict
  contains:
    version:
      description: Version of the master.
      returned: with V(master) in O(gather)
      type: str
      sample: 0.38.1
    cluster_id:
      description: Identity of the cluster. It is kept in the master's database.
      returned: with V(master) in O(gather)
      type: str
      sample: 365c0e9d-acaa-459f-b7f8-838c8dacfd95
    master_id:
      description: Identity of the master's process, a new one at each start.
      returned: with V(master) in O(gather)
      type: str
      sample: 883fceab-28e7-4609-ae0a-63888f7438f3
    cluster_name:
      description: Name in the master's configuration, often empty.
      returned: with V(master) in O(gather)
      type: str
      sample: research
    telemetry_enabled:
      description: Whether the WebUI reports its use to the vendor.
      returned: with V(master) in O(gather)
      type: bool
      sample: false
    rbac_enabled:
      description: Whether roles decide who may do what.
      returned: with V(master) in O(gather)
      type: bool
      sample: false
    sso_providers:
      description: Ways of single sign-on, each with C(name), C(sso_url), C(type) and C(always_redirect).
      returned: with V(master) in O(gather)
      type: list
      elements: dict
      sample: []
    external_login_uri:
      description: Where users log in if not here.
      returned: with V(master) in O(gather)
      type: str
      sample: ""
    external_logout_uri:
      description: Where users log out if not here.
      returned: with V(master) in O(gather)
      type: str
      sample: ""
    user_management_enabled:
      description: Whether users are managed here.
      returned: with V(master) in O(gather)
      type: bool
      sample: true
    strict_job_queue_control:
      description: Whether editing the job queue takes a permission.
      returned: with V(master) in O(gather)
      type: bool
      sample: false
    feature_switches:
      description: Experimental features that are on.
      returned: with V(master) in O(gather)
      type: list
      elements: str
      sample: []
    product:
      description: The product's edition.
      returned: with V(master) in O(gather)
      type: str
      sample: PRODUCT_UNSPECIFIED
    branding:
      description: Whose brand the WebUI shows.
      returned: with V(master) in O(gather)
      type: str
      sample: determined
    has_custom_logo:
      description: Whether the WebUI has a logo of its own.
      returned: with V(master) in O(gather)
      type: bool
      sample: false
    cluster_message:
      description:
        - The message that is shown to everybody now, with C(message), C(start_time), C(end_time), C(created_time), or null.
        - With V(cluster_message) in O(gather) it may also be one that is still to come.
      returned: with V(master) or V(cluster_message) in O(gather)
      type: dict
      sample:
        message: Maintenance tonight
        start_time: "2026-01-01T10:00:00Z"
        end_time: null
        created_time: "2026-01-01T09:59:00Z"
    health:
      description: Whether the cluster and its parts are V(up) or V(down).
      returned: with V(health) in O(gather)
      type: dict
      sample:
        status: up
        database: up
        resource_managers:
          - cluster_name: default
            status: up
    config:
      description: The master's configuration as it is written, secrets masked.
      returned: with V(config) in O(gather)
      type: dict
      sample:
        port: 8080
        webhooks:
          base_url: ""
          signing_key: "********"
    resource_pools:
      description:
        - The pools, by name. C(slots_available) are all slots of enabled agents, those in use among them.
      returned: with V(resource_pools) in O(gather)
      type: list
      elements: dict
      sample:
        - name: default
          type: RESOURCE_POOL_TYPE_STATIC
          num_agents: 2
          slots_available: 8
          slots_used: 3
    agents:
      description: The agents, by id, each with its C(slots) and C(containers) as lists.
      returned: with V(agents) in O(gather)
      type: list
      elements: dict
      sample:
        - id: agent-1
          enabled: true
          draining: false
          resource_pools: [default]
          slots:
            - id: "0"
              enabled: true
              draining: false
              device:
                id: 0
                brand: NVIDIA A100
                uuid: GPU-1
                type: TYPE_CUDA
              container: null
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
    path: /api/v1/master/config
    status: 403
    reason: PermissionDenied
    message: user does not have permission
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import ReadOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.cluster import CLUSTER

OPERATION = ReadOperation(CLUSTER)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
