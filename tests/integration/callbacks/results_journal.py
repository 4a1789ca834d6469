# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes every result of a run to the file that DETERMINED_TEST_JOURNAL names, one JSON object a line."""

from __future__ import annotations

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: results_journal
type: notification
short_description: Results as JSON lines, for tests
description: Writes each result with its task's name, host, item and status to a file.
options: {}
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "results_journal"

    def _write(self, status, result):
        with open(os.environ["DETERMINED_TEST_JOURNAL"], "a", encoding="utf-8") as journal:
            fields = {"status": status, "task": result.task.get_name(), "action": result.task.action}
            json.dump({**fields, "host": result.host.get_name(), "result": result.result}, journal, default=str)
            journal.write("\n")

    def v2_runner_on_ok(self, result):
        self._write("ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._write("ignored" if ignore_errors else "failed", result)

    def v2_runner_on_unreachable(self, result):
        self._write("unreachable", result)
