# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells a run as a person wants to read it: what changes, and why it failed if it did. Counts what it cost."""

from __future__ import annotations

import json
import os
import textwrap

from ansible import constants as C
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: story
type: stdout
short_description: The changes of a run, for the demo
description:
  - Prints each object that changes, its fields if DETERMINED_DEMO_FIELDS is 1, and failures.
  - Writes the figures of the run to the file that DETERMINED_DEMO_FIGURES names, as JSON.
options: {}
"""

WIDTH = 98
MOST_FIELDS = 8
ACTIONS = {"create": "+", "update": "~", "rename": "~", "recreate": "~", "remove": "-"}
SIGNS = {"+": C.COLOR_OK, "~": C.COLOR_CHANGED, "-": C.COLOR_ERROR}


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "story"

    def __init__(self):
        super().__init__()
        self._with_fields = os.environ.get("DETERMINED_DEMO_FIELDS") == "1"
        self._figures = {"tasks": 0, "changed": 0, "objects": 0, "requests": 0, "failures": []}
        self._headed = False
        self._unchanged = 0

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._headed = False
        self._unchanged = 0

    def v2_runner_on_ok(self, result):
        looped = result.task.loop is not None and "results" in result.result
        if not looped:
            self._tell(result.task, _name(result.result) or result.task.name, result.result)
        if result.task.action.startswith("determined.ai."):
            self._close(result.task, result.result, looped)

    def v2_runner_item_on_ok(self, result):
        self._tell(result.task, str(result.result.get("_ansible_item_label")), result.result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        # A loop's own message says only that items failed.
        if not ignore_errors and not (result.task.loop is not None and "results" in result.result):
            self._fail(result)

    v2_runner_item_on_failed = v2_runner_on_failed
    v2_runner_on_unreachable = v2_runner_on_failed

    def v2_playbook_on_stats(self, stats):
        for host in stats.processed:
            recap = stats.summarize(host)
            self._figures["tasks"] += recap["ok"]
            self._figures["changed"] += recap["changed"]
        with open(os.environ["DETERMINED_DEMO_FIGURES"], "w", encoding="utf-8") as figures:
            json.dump(self._figures, figures)

    def _tell(self, task, label, data):
        """Tell of one object."""
        self._figures["requests"] += data.get("requests", 0)
        if isinstance(data.get("plan"), list):
            self._plan(task, data["plan"])
            return
        if isinstance(data.get("audit"), dict):
            self._audit(task, data["audit"])
            return
        if not data.get("changed"):
            self._unchanged += 1
            return
        self._figures["objects"] += 1
        before, after = _sides(data.get("diff"))
        sign = "+" if after and not before else "-" if before and not after else "~"
        self._head(task)
        self._print(f"    {sign} {_plain(label)}", SIGNS[sign])
        if self._with_fields:
            self._fields(label, data.get("msg"), before, after)
        for warning in data.get("warnings") or []:
            text = _plain(getattr(warning, "msg", warning))
            self._print(textwrap.fill(text, WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8), C.COLOR_WARN)

    def _fields(self, label, message, before, after):
        if message:
            self._print(textwrap.fill(_plain(message), WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8))
        lines = []
        for name in sorted({*before, *after}, key=list({**after, **before}).index):
            old, new = before.get(name), after.get(name)
            if old == new or (not before and new in (label, None, "", [], {}, False)):
                continue
            lines.append(f"{name}: {_text(new)}" if not before else f"{name}: {_text(old)} -> {_text(new)}")
        for line in lines[:MOST_FIELDS]:
            self._print(f"        {line if len(line) <= WIDTH - 8 else line[: WIDTH - 11] + '...'}")
        if len(lines) > MOST_FIELDS:
            self._print(f"        and {len(lines) - MOST_FIELDS} more fields")

    def _plan(self, task, plan):
        """Tell of a whole cluster's objects."""
        self._unchanged += sum(1 for item in plan if item["action"] == "none")
        for item in plan:
            sign = ACTIONS.get(item["action"])
            if sign is None:
                continue
            self._figures["objects"] += 1
            self._head(task)
            self._print(f"    {sign} {_plain(item['kind'])}/{_plain(item['key'])}", SIGNS[sign])
            for name, pair in item["fields"].items():
                old, new = pair["before"], pair["after"]
                line = f"{name}: {_text(new)}" if sign == "+" else f"{name}: {_text(old)} -> {_text(new)}"
                self._print(f"        {line if len(line) <= WIDTH - 8 else line[: WIDTH - 11] + '...'}")

    def _audit(self, task, audit):
        """Tell of an audit."""
        self._head(task)
        controls, findings = audit["counts"]["controls"], audit["counts"]["findings"]
        self._print(f"    {_counted(controls)} of {sum(controls.values())} controls; score {audit['score']}")
        for status, by_severity in sorted(findings.items()):
            self._print(f"    {_plain(status)} findings: {_counted(by_severity)}")
        for reason in audit["reasons"]:
            self._print(f"    ! {_plain(reason)}", C.COLOR_ERROR)

    def _close(self, task, data, looped):
        """End a task of the collection: say what there is to say of what did not change."""
        if task.action.endswith("_info"):
            rest = f"{data['total']} found" if "total" in data else "done"
        elif self._unchanged:
            rest = f"{self._unchanged} as declared" if looped or self._unchanged > 1 else "as declared"
        else:
            return
        self._print(f"    = {rest}" if self._headed else f"  {_plain(task.name)}: {rest}")

    def _fail(self, result):
        label = result.result.get("_ansible_item_label")
        what = f"{result.task.name} ({label})" if label else result.task.name
        message = _plain(str(result.result.get("msg", "failed without a message")))
        self._figures["failures"].append(f"{_plain(what)}: {message}")
        self._head(result.task)
        self._print(f"    ! {_plain(what)}", C.COLOR_ERROR)
        self._print(textwrap.fill(message, WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8), C.COLOR_ERROR)

    def _head(self, task):
        if not self._headed:
            self._print(f"  {_plain(task.name)}")
            self._headed = True

    def _print(self, text, colour=None):
        self._display.display(text, color=colour)


def _name(data):
    """The name of the one object of a result, or None."""
    objects = (value for key, value in data.items() if isinstance(value, dict) and key not in ("diff", "invocation"))
    return next((item.get("name") or item.get("username") for item in objects if "id" in item), None)


def _sides(diff):
    """The flat fields before and after."""
    first = diff[0] if isinstance(diff, list) and diff else diff if isinstance(diff, dict) else {}
    return tuple(_flat(first.get(side)) for side in ("before", "after"))


def _flat(value, name=""):
    if isinstance(value, dict) and (value or not name):
        return {
            key: item
            for part, inner in value.items()
            for key, item in _flat(inner, f"{name}.{part}" if name else str(part)).items()
        }
    return {name: value} if name else {}


def _counted(numbers):
    """Such as ``3 high, 1 low``."""
    return ", ".join(f"{number} {_plain(name.replace('_', ' '))}" for name, number in sorted(numbers.items()))


def _text(value):
    return json.dumps(value, default=str)


def _plain(text):
    """Text that can't move the cursor: names come from the cluster."""
    return "".join(char if char.isprintable() else "?" for char in str(text))
