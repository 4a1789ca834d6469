# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor for work on a whole cluster: given calls by bare requests, each answer parsed, over one connection."""

from __future__ import annotations

import json
import os
import pathlib

import requests
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Makes the calls that a file lists, as [method, path with query, body], with the token in the option."""

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        calls = json.loads(pathlib.Path(self._task.args["file"]).read_text(encoding="utf-8"))
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {self._task.args['token']}"
            for method, path, body in calls:
                answer = session.request(method, f"{os.environ['DET_MASTER']}{path}", json=body, timeout=60)
                answer.raise_for_status()
                json.loads(answer.content)
        return result
