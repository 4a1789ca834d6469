# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor for a large result: a task that returns what a file holds."""

from __future__ import annotations

import json
import pathlib

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Returns the JSON of a file."""

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        return {**result, **json.loads(pathlib.Path(self._task.args["file"]).read_text(encoding="utf-8"))}
