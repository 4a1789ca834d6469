# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor for reading a list: a bare requests read and json parse, returned as a task's result."""

from __future__ import annotations

import json
import os

import requests
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Reads DET_MASTER's users with the token in DET_USER_TOKEN."""

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        headers = {"Authorization": f"Bearer {self._task.args['token']}"}
        answer = requests.get(f"{os.environ['DET_MASTER']}/api/v1/users", headers=headers, timeout=60)
        result["users"] = json.loads(answer.content)["users"]
        return result
