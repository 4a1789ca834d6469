# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs det_audit inside the controller, wherever the task would run: all its files are the controller's."""

from __future__ import annotations

import pathlib
import typing as t

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.utils.display import Display

from ansible_collections.determined.ai.plugins.module_utils._audit.operation import REPORTS, Loaded
from ansible_collections.determined.ai.plugins.module_utils._gitops.manifest import Manifest
from ansible_collections.determined.ai.plugins.module_utils._wire.errors import InvalidOption
from ansible_collections.determined.ai.plugins.modules.det_audit import OPERATION
from ansible_collections.determined.ai.plugins.plugin_utils.audit_conditions import TemplarConditions
from ansible_collections.determined.ai.plugins.plugin_utils.audit_html import write as write_html
from ansible_collections.determined.ai.plugins.plugin_utils.audit_tls import read_tls
from ansible_collections.determined.ai.plugins.plugin_utils.in_controller import TERMINAL, DeterminedAction, plain
from ansible_collections.determined.ai.plugins.plugin_utils.manifest_files import load_manifest

display = Display()

FILES = ("waivers", "baseline", "custom_controls", "history", "from_report")


class ActionModule(DeterminedAction):
    """The action of det_audit."""

    operation = OPERATION
    ships = False

    def prepared(self, options: dict[str, t.Any]) -> dict[str, t.Any]:
        """Paths as Ansible takes those of the controller, from the playbook's folder, and what only the controller can do."""
        options = {**options, **{name: self.absolute(name, options[name]) for name in FILES}}
        if options["reports"] is not None:
            reports = options["reports"]
            options["reports"] = {form: self.absolute(f"reports.{form}", reports[form]) for form in REPORTS}
        return {**options, "controller": _Controller(self, options)}


class _Controller(TemplarConditions):
    """What the operation asks of the controller; see `_audit.operation.Controller`."""

    read_tls = staticmethod(read_tls)
    write_html = staticmethod(write_html)

    def __init__(self, action: ActionModule, options: dict[str, t.Any]) -> None:
        super().__init__(action._templar)
        self._action = action
        self._options = options

    def load_text(self, option: str) -> Loaded | None:
        """Read the file that an option names."""
        path = self._options[option]
        if path is None:
            return None
        try:
            return Loaded(path, pathlib.Path(path).read_bytes())
        except OSError as error:
            raise InvalidOption(f"{option} is {path!r}: it can't be read ({error.strerror}).") from error

    def load_yaml(self, option: str) -> Loaded | None:
        """Read the YAML file that an option names, vaulted or not. Nothing in it is a template yet."""
        found = self.load_text(option)
        if found is None:
            return None
        loader: DataLoader = self._action._loader
        try:
            data = plain(loader.load_from_file(found.path, cache="none"))
        except AnsibleError as error:
            raise InvalidOption(f"{option} is {found.path!r}: it is no YAML: {' '.join(str(error).split())}") from error
        return Loaded(found.path, found.content, data)

    def load_manifest(self) -> Manifest | None:
        """Load the manifest that the cluster is compared with."""
        if self._options["manifest"] is None:
            return None
        return load_manifest(
            # As the task has it: with lines, dates, and what is vaulted still closed.
            self._action._task.args["manifest"],
            self._options["environment"],
            loader=self._action._loader,
            templar=self._action._templar,
        )

    def tell(self, text: str) -> None:
        """Show a line of progress."""
        if TERMINAL:
            display.display(text)
