# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""All controls of the collection: each file of them puts its own into the catalogue when it is imported."""

from __future__ import annotations

from . import (
    controls_checkpoints,
    controls_cluster,
    controls_experiments,
    controls_governance,
    controls_identity,
    controls_models,
    controls_pools,
    controls_runs,
    controls_tasks,
    controls_templates,
    controls_tokens,
    controls_webhooks,
    waivers,
)
from .control import CATALOGUE

FILES = (
    controls_checkpoints,
    controls_cluster,
    controls_experiments,
    controls_governance,
    controls_identity,
    controls_models,
    controls_pools,
    controls_runs,
    controls_tasks,
    controls_templates,
    controls_tokens,
    controls_webhooks,
    waivers,
)
"""The files that hold controls."""

CATALOGUE_VERSION = "1.0.0"
"""Rises with each change of what a control judges: scores of two versions are not compared."""

NOT_ASSESSABLE = (
    "Multi-factor authentication, which the identity provider decides.",
    "Age and strength of the passwords that users have.",
    "Physical security, and the settings of the identity provider.",
    "Encryption at rest of the database and of checkpoints.",
    "Vulnerabilities of container images.",
    "Since when an experiment is paused, but by the end of its last allocation.",
    "Whether webhooks were delivered.",
    "When a token was last used.",
    "What TLS versions the master's port accepts beside the one that was negotiated.",
)
"""What nobody can see through this API; each report says so, so that silence is not taken for a pass."""

__all__ = ["CATALOGUE", "CATALOGUE_VERSION", "NOT_ASSESSABLE"]
