#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manage the OAuth client."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_oauth_client
short_description: Manage the OAuth client of a Determined cluster
version_added: 1.0.0
description:
  - Create, replace and remove the client with which an identity provider gets at SCIM.
  - Only a master whose configuration has C(scim.enabled) and C(oauth) as C(scim.auth.type) has OAuth clients, and it keeps one.
    With any other master the module fails with a sentence that says so.
  - A client's secret is told once, when it is created, and a client can't be edited. So one whose O(domain) differs, or that
    O(dest) does not hold, is deleted and created anew, with another id and another secret.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.state
  - determined.ai.contract
options:
  name:
    description: Name of the client, by which it is found.
    type: str
    required: true
  domain:
    description: Where the identity provider is sent back to, such as V(https://sso.example.com). Required with O(state=present).
    type: str
  state:
    description: V(absent) deletes the client. O(dest) is left alone.
    type: str
    choices: [present, absent]
    default: present
  dest:
    description:
      - Absolute path of the file that holds the client's id and secret, on the host that the task runs on, as for any module. On
        a local connection this is the controller.
      - The file holds one JSON object with C(client_id) and C(client_secret), and is replaced in one step.
      - If the file is missing, is empty or holds another client, a new client is made, as the secret of the present one can't be
        read back. A file that holds something else is refused, and so is a symbolic link.
      - With it, RV(client_secret) is not returned.
    type: path
  dest_mode:
    description:
      - Permissions of O(dest), in octal digits and quotes. A file that is there with others is mended.
      - What would let everybody at the file is refused.
    type: raw
    default: "0600"
  dest_owner:
    description:
      - Owner of O(dest), as name or number. By default that of the file that is there, else the user that the task runs as.
    type: str
  dest_group:
    description:
      - Group of O(dest), as name or number. By default that of the file that is there, else what the system gives.
    type: str
notes:
  - While a result holds RV(client_secret), nothing of it is displayed or logged, as under C(no_log). For an C(async) task,
    set C(no_log) yourself.
  - It takes an administrator, under RBAC the permission C(ADMINISTRATE_OAUTH).
seealso:
  - module: determined.ai.det_oauth_client_info
"""

EXAMPLES = r"""
- name: The client of our identity provider, its secret kept in a file
  determined.ai.det_oauth_client:
    name: okta
    domain: https://sso.example.com
    dest: ~/.determined-oauth-client

- name: No client any more
  determined.ai.det_oauth_client:
    name: okta
    state: absent
"""

RETURN = r"""
oauth_client:
  description:
    - The client as it is, or in check mode as it would be, without its secret. Null if there is none.
    - C(id) is null where check mode predicts a new client.
  returned: success
  type: dict
  contains:
    id:
      description: The client's id, which the identity provider has to know.
      type: str
      sample: 4559bac157604ee2f953ff2670d4dcf71af7e63e15bf7b06ecf9f21298828a34
    name:
      description: Its name.
      type: str
      sample: okta
    domain:
      description: Where the identity provider is sent back to.
      type: str
      sample: https://sso.example.com
    dest:
      description: The file that holds its id and secret.
      returned: when O(dest) is given and O(state) is not V(absent)
      type: str
      sample: /home/ci/.determined-oauth-client
    dest_mode:
      description: The file's permissions.
      returned: when O(dest) is given and O(state) is not V(absent)
      type: str
      sample: "0600"
client_secret:
  description: The secret of a new client. It is told here, once, and nowhere else.
  returned: when a client is created and O(dest) is not given, not in check mode
  type: str
  sample: 3e39b200cfc651effb8346d5fa708a2a975a2d4abbbab43601fae316cc76b300
recreated:
  description: Whether a client that was there is replaced.
  returned: when a new client is made
  type: bool
  sample: false
reason:
  description: Why a new client is made.
  returned: when one is
  type: str
  sample: there is no such client
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
    path: /oauth2/clients
    status: 403
    reason: Forbidden
    message: non-admin users may not view or modify oauth clients or settings access denied
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import StateOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.oauth_client import OAUTH_CLIENT

OPERATION = StateOperation(OAUTH_CLIENT)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
