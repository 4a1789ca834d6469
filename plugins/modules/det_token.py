#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manage access tokens."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_token
short_description: Manage access tokens of a Determined cluster
version_added: 1.0.0
description:
  - Create, rotate and revoke access tokens, and keep the present one in a file.
  - A token is found by its user and its description among the live ones. The server lets several have the same description;
    two live matches are an error that names both.
  - The server tells a token's value once, when it is created, and never prolongs or deletes a token. So a token is replaced by
    a new one, and one that must be absent is revoked.
  - A replacement can be interrupted anywhere. The old token is first set aside, which means that its description becomes
    C(<description> [superseded, revoke after <UTC time>]), then the new one is created and handed over, and only then is the
    old one revoked. If handing over fails, the new token is revoked and the old one kept.
  - With O(dest), a run that was killed in between mends itself in the next run, as a token that the file does not hold is
    replaced. Without O(dest), a value that got lost on its way can't be noticed; use O(state=rotated) then.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.state
  - determined.ai.contract
attributes:
  idempotent:
    support: partial
    details: O(state=rotated) makes a new token each time.
options:
  user:
    description:
      - Name of the user that the token is for. By default it is the user that the task logs in as.
      - Without RBAC only administrators may create, edit and revoke tokens, their own included. With RBAC a user with the role
        C(TokenCreator) may do so with its own.
      - In check mode, a user that does not exist is only warned about, as an earlier task may create it.
    type: str
  description:
    description:
      - What the token is for. With O(user) it is what the token is found by, so it must not be empty.
    type: str
    required: true
  state:
    description:
      - V(present) makes sure that there is a live token, and does nothing more to it unless one of the rotate options says that
        it is due, or O(dest) does not hold it.
      - V(rotated) makes a new token each time, so the task always reports a change.
      - V(absent) revokes all live matches, superseded ones included. O(dest) is left alone.
    type: str
    choices: [present, absent, rotated]
    default: present
  lifespan:
    description:
      - How long a new token lives, as days (V(30d)) or a Go duration (V(12h), V(1h30m)). By default the cluster decides, usually
        30 days.
      - It says nothing about a token that is there already, as none can be prolonged.
      - A life beyond the cluster's maximum is refused. Only who may read the master's config can be told that maximum.
    type: str
  rotate_before_expiry:
    description:
      - Replace the token when it expires within this time, written as O(lifespan) is.
      - It must be shorter than the life of a new token, or each run would rotate.
    type: str
  rotate_if_older_than:
    description: Replace the token when it was created this long ago, written as O(lifespan) is.
    type: str
  overlap:
    description:
      - How long a replaced token stays valid, written as O(lifespan) is, so that whoever uses it has time to take up the new
        one. The first run of this module for the same token past that time revokes it.
      - By default, and with V(0s), it is revoked as soon as the new one is handed over.
    type: str
  dest:
    description:
      - Absolute path of the file that holds the token, on the host that the task runs on, as for any module. On a local
        connection this is the controller.
      - The file holds the token alone, without a line end, and is replaced in one step.
      - If the file is missing, is empty or holds another token, a new token is made, as the value of the present one can't be
        read back. So a token has one file. A second one, on another host too, would take it away from the first, and that one
        back in its next run. A file that holds something else is refused, and so is a symbolic link.
      - With it, RV(token_value) is not returned.
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
  - Whether a token is live is the master's to say. O(rotate_before_expiry), O(rotate_if_older_than) and the end of an
    O(overlap) compare the master's times with the clock of the host that runs the task, so they are as exact as the two clocks
    agree.
  - While a result holds RV(token_value), nothing of it is displayed or logged, as under C(no_log). For an C(async) task,
    set C(no_log) yourself.
  - A token that rotates itself, being the O(auth_token) of the task, needs O(dest) or O(overlap), or else the tasks that follow
    have lost their credentials.
seealso:
  - module: determined.ai.det_token_info
  - module: determined.ai.det_user
"""

EXAMPLES = r"""
- name: A token for the pipeline, kept in a file and replaced a week before it expires
  determined.ai.det_token:
    user: svc-gitops
    description: deployment
    lifespan: 30d
    rotate_before_expiry: 7d
    overlap: 1d
    dest: ~/.determined-deployment-token

- name: A token whose value is handed to another task
  determined.ai.det_token:
    user: svc-nightly
    description: nightly audit
    lifespan: 12h
  register: audit_token

- name: A new token at once, since the old one may be known
  determined.ai.det_token:
    user: svc-gitops
    description: deployment
    state: rotated
    dest: ~/.determined-deployment-token

- name: No token any more
  determined.ai.det_token:
    user: svc-gitops
    description: deployment
    state: absent
"""

RETURN = r"""
token:
  description:
    - The token as it is, or in check mode as it would be, without its value. Null if there is none.
    - What only the server makes (C(id), times) is null where check mode predicts a new token.
  returned: success
  type: dict
  contains:
    id:
      description: The server's number of the token.
      type: int
      sample: 17
    user_id:
      description: The server's number of the user.
      type: int
      sample: 8
    username:
      description: Name of the user.
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
      description: Whether it is revoked, which a live token is not.
      type: bool
      sample: false
    superseded:
      description: Tokens that this one has replaced and that are still valid, each with its C(id) and C(revoke_after).
      type: list
      elements: dict
      sample:
        - id: 16
          revoke_after: "2026-01-02T10:00:01Z"
    dest:
      description: The file that holds the token.
      returned: when O(dest) is given and O(state) is not V(absent)
      type: str
      sample: /home/ci/.determined-deployment-token
    dest_mode:
      description: Its permissions.
      returned: when O(dest) is given and O(state) is not V(absent)
      type: str
      sample: "0600"
    dest_owner:
      description: Its owner.
      returned: when O(dest_owner) is given and O(state) is not V(absent)
      type: str
      sample: ci
    dest_group:
      description: Its group.
      returned: when O(dest_group) is given and O(state) is not V(absent)
      type: str
      sample: ci
token_value:
  description: The value of a new token. It is told here, once, and nowhere else.
  returned: when a token is created and O(dest) is not given, not in check mode
  type: str
  sample: v2.public.eyJpZCI6MTd9...
reason:
  description: Why a new token is made.
  returned: when one is
  type: str
  sample: dest does not exist
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
    path: /api/v1/tokens
    status: 403
    reason: PermissionDenied
    message: only admin privileged users can create token for own/other users
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import StateOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.token import TOKEN

OPERATION = StateOperation(TOKEN)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
