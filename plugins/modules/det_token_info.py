#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read access tokens."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_token_info
short_description: Read access tokens of a Determined cluster
version_added: 1.0.0
description:
  - Returns all access tokens that match, with their owners' names and whether they are live, and never their values, which the
    server does not tell. Login sessions are not access tokens and are not listed.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.info
  - determined.ai.contract.info
options:
  user:
    description:
      - Only tokens of the user with exactly this name.
      - By default those of all users, which only administrators may see (with RBAC, who may view other users' tokens).
    type: str
  include_inactive:
    description: Whether revoked and expired tokens are returned too.
    type: bool
    default: false
  description:
    description: Only tokens with exactly this description. An empty text means those without one.
    type: str
  expires_within:
    description: Only live tokens that expire within this time, as days (V(7d)) or a Go duration (V(12h), V(1h30m)).
    type: str
notes:
  - RV(tokens[].expires_in_days) and O(expires_within) compare the master's times with the clock of the host that runs the
    task, and so does the difference between V(live) and V(expired) with O(include_inactive=true).
seealso:
  - module: determined.ai.det_token
"""

EXAMPLES = r"""
- name: Live tokens that expire within a week
  determined.ai.det_token_info:
    expires_within: 7d
  register: expiring

- name: Every token that one user ever had
  determined.ai.det_token_info:
    user: svc-gitops
    include_inactive: true
  register: history
"""

RETURN = r"""
tokens:
  description: The tokens, in the order of their ids.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The server's number of the token.
      type: int
      sample: 17
    user_id:
      description: The server's number of the owner.
      type: int
      sample: 8
    username:
      description: Name of the owner.
      type: str
      sample: svc-gitops
    description:
      description: What the token is for.
      type: str
      sample: deployment
    created_at:
      description: Time of creation, UTC.
      type: str
      sample: "2026-01-01T10:00:00.123456Z"
    expiry:
      description: Time of expiry, UTC.
      type: str
      sample: "2026-01-31T10:00:00.123457Z"
    token_type:
      description: The server's type of the token.
      type: str
      sample: TOKEN_TYPE_ACCESS_TOKEN
    revoked:
      description: Whether it was revoked. The server does not count an expired token as revoked.
      type: bool
      sample: false
    status:
      description: V(live), V(expired) or V(revoked).
      type: str
      sample: live
    expires_in_days:
      description: Days until it expires, negative once it has, and null if it was revoked.
      type: float
      sample: 29.5
total:
  description: How many tokens match, whatever the limit.
  returned: success
  type: int
  sample: 1
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
    method: GET
    path: /api/v1/tokens
    status: 403
    reason: PermissionDenied
    message: only admin privileged users can view other users
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import ReadOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.token_list import TOKENS

OPERATION = ReadOperation(TOKENS)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
