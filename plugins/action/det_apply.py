# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs det_apply inside the controller, wherever the task would run: the manifest is the controller's."""

from __future__ import annotations

import typing as t

from ansible.utils.display import Display

from ansible_collections.determined.ai.plugins.module_utils._gitops.manifest import Manifest
from ansible_collections.determined.ai.plugins.module_utils._gitops.report import WRITERS
from ansible_collections.determined.ai.plugins.modules.det_apply import OPERATION
from ansible_collections.determined.ai.plugins.plugin_utils.in_controller import TERMINAL, DeterminedAction
from ansible_collections.determined.ai.plugins.plugin_utils.manifest_files import load_manifest
from ansible_collections.determined.ai.plugins.plugin_utils.manifest_writer import manifest_text

display = Display()


class ActionModule(DeterminedAction):
    """The action of det_apply."""

    operation = OPERATION
    ships = False

    def prepared(self, options: dict[str, t.Any]) -> dict[str, t.Any]:
        """The manifest as what loads it, and paths as Ansible takes those of the controller: from the playbook's folder."""
        absolute = {name: self.absolute(name, options[name]) for name in ("plan_out", "plan", "lock_file")}
        reports = options["reports"]
        if reports is not None:
            reports = {**reports, **{form: self.absolute(f"reports.{form}", reports[form]) for form in WRITERS}}
        return {**options, **absolute, "reports": reports, "manifest": _Source(self, options)}


class _Source:
    """Loads the manifest with the task's loader and variables."""

    def __init__(self, action: ActionModule, options: dict[str, t.Any]) -> None:
        self._action = action
        self._options = options
        self._shows = {"always": True, "never": False}.get(options["progress"], TERMINAL)

    def load(self) -> Manifest:
        """Load, template and check it."""
        return load_manifest(
            # As the task has it: with lines, dates, and what is vaulted still closed.
            self._action._task.args["manifest"],
            self._options["environment"],
            loader=self._action._loader,
            templar=self._action._templar,
            prune=self._options["prune"],
        )

    def tell(self, text: str) -> None:
        """Show a line of progress."""
        if self._shows:
            display.display(text)

    def written(self, content: t.Mapping[str, t.Any]) -> str:
        """Make a file's text of entries, which the loader reads back as they are."""
        return manifest_text(content)
