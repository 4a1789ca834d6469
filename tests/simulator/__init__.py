# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stateful Determined master 0.38.1 in memory, over real HTTP."""

from __future__ import annotations

from .server import Fault, Simulator

__all__ = ["Fault", "Simulator"]
