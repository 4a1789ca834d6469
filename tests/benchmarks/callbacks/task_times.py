# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what each task took to the file that DETERMINED_BENCH_TIMES names, one JSON object a line.

A task's time begins where the one before it ended: the strategy loads an action's class, and with it all that the class
imports, before it announces the task, and a user waits for that too.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: task_times
type: notification
short_description: Time of each task
description: Writes the seconds from the end of one task to the end of the next, and the most memory that a worker took.
options: {}
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "task_times"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._ended = 0.0

    def v2_playbook_on_play_start(self, play):
        self._ended = time.perf_counter()

    def v2_runner_on_ok(self, result):
        now = time.perf_counter()
        found = result.result
        entry = {
            "name": result.task.get_name(),
            "seconds": now - self._ended,
            "requests": found.get("requests"),
            "changed": found.get("changed", False),
        }
        self._write(entry)
        # What this callback does itself is nobody's time.
        self._ended = time.perf_counter()

    def v2_playbook_on_stats(self, stats):
        # The last worker may still be ending, and only one that has ended is counted.
        deadline = time.monotonic() + 10
        while multiprocessing.active_children() and time.monotonic() < deadline:
            time.sleep(0.02)
        # In KiB on Linux; of the largest child that has ended, which is a worker or what it started.
        self._write({"name": "workers", "peak": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024})

    def _write(self, entry):
        with open(os.environ["DETERMINED_BENCH_TIMES"], "a", encoding="utf-8") as times:
            times.write(json.dumps(entry) + "\n")
