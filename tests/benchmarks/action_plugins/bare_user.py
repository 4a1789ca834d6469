# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor for an item of a loop: a bare requests read of one user, over a connection that lives on."""

from __future__ import annotations

import json
import os

import requests
from ansible.plugins.action import ActionBase

# Ansible runs all items of a loop in one process.
SESSION = requests.Session()


class ActionModule(ActionBase):
    """Reads one of DET_MASTER's users with the token in the option; decides nothing, and returns nothing of it."""

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        answer = SESSION.get(
            f"{os.environ['DET_MASTER']}/api/v1/users/{self._task.args['username']}/by-username",
            headers={"Authorization": f"Bearer {self._task.args['token']}"},
            timeout=60,
        )
        json.loads(answer.content)
        return result
