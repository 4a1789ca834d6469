#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make any call of the API."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_api
short_description: Make any call of a Determined master's API
version_added: 1.0.0
description:
  - Makes one call, for whatever no other module of the collection covers, with the same connection, login, retries and errors.
  - It does what it is told each time. It does not look whether anything has to be done.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
attributes:
  check_mode:
    support: partial
    details: A C(GET) is sent in check mode too. Any other call is not, and is predicted as a change.
  diff_mode:
    support: none
    details: The module does not know what a call changes.
  idempotent:
    support: none
    details: Each run makes the call again. What the master then does depends on the call.
options:
  method:
    description: HTTP method.
    type: str
    choices: [GET, POST, PUT, PATCH, DELETE]
    default: GET
  path:
    description:
      - Path of the call, from the root, such as V(/api/v1/users). Without a leading slash it is below C(/api/v1/), as V(users).
      - Names in it have to be percent-encoded where they hold C(/), C(?), C(#) or C(%), as with the filter
        P(ansible.builtin.urlencode#filter). The master has no path for a name with C(/) in it, nor for one with C(:) at the end.
    type: str
    required: true
  query:
    description: Query parameters. A list repeats its parameter, null leaves it out.
    type: dict
  body:
    description:
      - Body of the call, sent as JSON. The master ignores keys that it does not know.
      - Which part of an object is the body differs from call to call.
    type: raw
  secret_body:
    description:
      - As O(body), for what must not be seen. Where both are given they are mappings, and this one is merged over the other, at
        every depth.
      - Its values are kept out of the output and of results, even where the master repeats them. So give only the secret parts
        here, as a common word would be hidden wherever it occurs.
    type: raw
  changed_when_status:
    description:
      - HTTP statuses that mean a change, instead of any of 2xx to a call other than C(GET).
      - A status outside of 2xx fails the task unless it is listed here. An empty list says that the call never changes anything.
    type: list
    elements: int
  paginate:
    description:
      - Whether to read all pages of a list. RV(json) then is the list itself.
      - C(limit) in O(query) is the size of a page then, 1000 by default.
    type: bool
    default: false
seealso:
  - module: determined.ai.det_cluster_info
notes:
  - The server answers many ordinary conflicts with HTTP 500, so a status says little. Read before writing where it matters.
  - Answers that are streams of lines, as those of logs, are not understood.
  - Some calls answer with a new secret, such as a token. Use C(no_log) for the task then.
"""

EXAMPLES = r"""
- name: Who am I
  determined.ai.det_api:
    path: me
  register: me

- name: All groups are read with a POST, which changes nothing
  determined.ai.det_api:
    method: POST
    path: groups/search
    body:
      limit: 500
    changed_when_status: []
  register: groups

- name: All projects of all workspaces
  determined.ai.det_api:
    path: workspaces/0/projects
    paginate: true
  register: projects

- name: A message to everybody
  determined.ai.det_api:
    method: PUT
    path: /api/v1/master/cluster_message
    body:
      message: Maintenance tonight
      startTime: "2026-01-01T18:00:00Z"

- name: A workspace that keeps its checkpoints in a bucket
  determined.ai.det_api:
    method: POST
    path: workspaces
    body:
      name: archive
      checkpointStorageConfig:
        type: s3
        bucket: checkpoints
    secret_body:
      checkpointStorageConfig:
        access_key: "{{ s3_access_key }}"
        secret_key: "{{ s3_secret_key }}"
"""

RETURN = r"""
status:
  description: HTTP status of the answer, or null where check mode did not send the call.
  returned: success
  type: int
  sample: 200
json:
  description:
    - The answer as it is, or the whole list with O(paginate=true). Null where it is empty, and where check mode did not send the call.
  returned: success
  type: raw
  sample:
    user:
      id: 1
      username: admin
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
    path: /api/v1/groups/7
    status: 404
    reason: NotFound
    message: group '7' not found
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._kinds.api_call import API_CALL

OPERATION = API_CALL


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
