# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs det_task_info inside the controller."""

from __future__ import annotations

from ansible_collections.determined.ai.plugins.modules.det_task_info import OPERATION
from ansible_collections.determined.ai.plugins.plugin_utils.in_controller import DeterminedAction


class ActionModule(DeterminedAction):
    """The action of det_task_info."""

    operation = OPERATION
