# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs det_export inside the controller, wherever the task would run: the files are the controller's."""

from __future__ import annotations

import typing as t

from ansible_collections.determined.ai.plugins.modules.det_export import OPERATION
from ansible_collections.determined.ai.plugins.plugin_utils.in_controller import DeterminedAction
from ansible_collections.determined.ai.plugins.plugin_utils.manifest_writer import ManifestWriter


class ActionModule(DeterminedAction):
    """The action of det_export."""

    operation = OPERATION
    ships = False

    def prepared(self, options: dict[str, t.Any]) -> dict[str, t.Any]:
        """The folder as what writes to it."""
        return {**options, "dest": ManifestWriter(self.absolute("dest", options["dest"]))}
