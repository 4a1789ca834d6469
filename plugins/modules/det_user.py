#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manage users."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_user
short_description: Manage users of a Determined cluster
version_added: 1.0.0
description:
  - Create, edit, rename and deactivate users.
  - Determined has no deletion of users. O(state=absent) deactivates the user and revokes its access tokens.
  - The server revokes all access tokens of a user on most edits that do not say that the user stays active. This module
    always says it, so a new display name never kills a CI token.
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
  - determined.ai.attributes.state
  - determined.ai.contract
options:
  username:
    description:
      - Name to log in with, exact and case-sensitive.
      - Printable ASCII, at least 2 characters, without blanks around it.
    type: str
    required: true
  state:
    description:
      - V(present) makes sure that the user exists with the declared fields.
      - V(absent) makes sure that it is inactive and holds no live access token. A user that does not exist is left so.
    type: str
    choices: [present, absent]
    default: present
  new_username:
    description:
      - Name that the user must have. Whichever of O(username) and this exists ends up under this name.
      - It is refused when both exist, for the built-in users C(admin) and C(determined), and for remote users, whom the server
        does not rename. When neither exists, the user is created under this name.
    type: str
  display_name:
    description: Name that people see, printable ASCII without blanks around it. An empty text clears it.
    type: str
  admin:
    description:
      - Whether the user is an administrator. Under RBAC the server gives this flag no meaning, roles decide.
    type: bool
  active:
    description:
      - Whether the user can log in. A new user is active unless told otherwise.
    type: bool
  remote:
    description:
      - Whether the user logs in by single sign-on only. A remote user has no password; one that becomes local needs O(password).
    type: bool
  password:
    description:
      - Password of a local user. A new local user needs one, unless O(allow_blank_password=true).
      - Passwords can't be read back, see O(update_password).
    type: str
  update_password:
    description:
      - V(on_create) sets the password of a new user, and of a remote user that becomes local, and leaves others alone.
      - V(on_mismatch) also tries to log in with O(password), logs out again, and sets it if that was refused. This moves the
        user's last-login time.
      - V(always) sets it each time, so the task always reports a change.
      - Setting a password ends the user's login sessions and keeps its access tokens.
    type: str
    choices: [on_create, on_mismatch, always]
    default: on_create
  password_policy:
    description:
      - V(enforce) refuses a password that does not meet the product's own rules of at least 8 characters with an upper-case
        letter, a lower-case letter and a digit. The server itself checks nothing.
    type: str
    choices: [enforce, "off"]
    default: enforce
  allow_blank_password:
    description:
      - Whether O(password) may be empty, or left out for a new user, so that anyone can log in as this user.
    type: bool
    default: false
  agent_user_group:
    description:
      - Unix identity that the user's tasks run as on agents. All four are needed.
      - The server has no way to remove it once it is set, so an empty mapping is refused.
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
  revoke_tokens:
    description:
      - Whether deactivating the user revokes its access tokens for good. With V(false) they are refused while the user is
        inactive, and work again afterwards.
      - The server revokes them with any edit of a user that stays inactive too. With V(false) such an edit is refused while there
        are any.
    type: bool
    default: true
  force:
    description: Whether the user that the task logs in as may deactivate itself, or take its own administrator's right away.
    type: bool
    default: false
seealso:
  - module: determined.ai.det_user_info
  - module: determined.ai.det_token
"""

EXAMPLES = r"""
- name: A user with an initial password
  determined.ai.det_user:
    username: alice
    display_name: Alice Example
    password: "{{ alice_initial_password }}"

- name: An administrator whose password is kept as declared
  determined.ai.det_user:
    username: operations
    admin: true
    password: "{{ operations_password }}"
    update_password: on_mismatch

- name: A user for single sign-on, with the identity of its tasks on the agents
  determined.ai.det_user:
    username: bob
    remote: true
    agent_user_group:
      uid: 2001
      gid: 2001
      user: bob
      group: ml

- name: A new name, which keeps the user's tokens
  determined.ai.det_user:
    username: alice
    new_username: alice.example

- name: Someone has left
  determined.ai.det_user:
    username: bob
    state: absent
"""

RETURN = r"""
user:
  description:
    - The user as it is, or in check mode as it would be. Null if it does not exist.
    - What only the server makes (C(id), times) is null where check mode predicts a new user.
  returned: success
  type: dict
  contains:
    id:
      description: The server's number of the user.
      type: int
      sample: 7
    username:
      description: Name to log in with.
      type: str
      sample: alice
    display_name:
      description: Name that people see.
      type: str
      sample: Alice Example
    admin:
      description: Whether the user is an administrator.
      type: bool
      sample: false
    active:
      description: Whether the user can log in.
      type: bool
      sample: true
    remote:
      description: Whether the user logs in by single sign-on only.
      type: bool
      sample: false
    agent_user_group:
      description: Unix identity on agents, or null.
      type: dict
      sample:
        agent_uid: 2001
        agent_gid: 2001
        agent_user: bob
        agent_group: ml
    modified_at:
      description: Time of the last edit, UTC.
      type: str
      sample: "2026-01-01T10:00:00.123456Z"
    last_auth_at:
      description: Time of the last login, UTC, or null.
      type: str
      sample: "2026-01-01T12:00:00.123456Z"
requests:
  description: Number of API calls that the task made, login and logout aside.
  returned: always
  type: int
  sample: 1
failure:
  description:
    - The call that failed, with C(method), C(path), C(status), C(reason), the server's own C(message), C(attempts), and
      C(request_id) if there is one.
  returned: when a call failed
  type: dict
  sample:
    method: GET
    path: /api/v1/users/alice/by-username
    status: 401
    reason: Unauthenticated
    message: invalid credentials
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import StateOperation
from ansible_collections.determined.ai.plugins.module_utils._kinds.user import USER

OPERATION = StateOperation(USER)


def main() -> None:
    """Run as a shipped module."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
