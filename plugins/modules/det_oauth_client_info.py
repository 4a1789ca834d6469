#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the OAuth client."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_oauth_client_info
short_description: Read the OAuth client of a Determined cluster
version_added: 1.0.0
description:
  - Returns the OAuth client with which an identity provider gets at SCIM, without its secret. A master keeps one at most.
  - A master whose configuration does not have C(oauth) as C(scim.auth.type) has none, which a warning tells.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.info
  - determined.ai.contract.info
options:
  name:
    description: The client with exactly this name. One that is not there gives an empty list.
    type: str
seealso:
  - module: determined.ai.det_oauth_client
"""

EXAMPLES = r"""
- name: Is there a client?
  determined.ai.det_oauth_client_info:
  register: found
"""

RETURN = r"""
oauth_clients:
  description: The client, if there is one. The fields are those of M(determined.ai.det_oauth_client).
  returned: success
  type: list
  elements: dict
  sample:
    - id: 4559bac157604ee2f953ff2670d4dcf71af7e63e15bf7b06ecf9f21298828a34
      name: okta
      domain: https://sso.example.com
total:
  description: How many clients match, whatever the limit.
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
    path: /oauth2/clients
    status: 403
    reason: Forbidden
    message: non-admin users may not view or modify oauth clients or settings access denied
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import ReadOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.oauth_client import OAUTH_CLIENTS

OPERATION = ReadOperation(OAUTH_CLIENTS)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
