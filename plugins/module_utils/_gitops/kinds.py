# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""The kinds that a manifest can declare, in the order in which they are written; removals go backwards."""

from __future__ import annotations

import typing as t

from .._kinds.cluster_message import CLUSTER_MESSAGE
from .._kinds.config_policy import CONFIG_POLICY
from .._kinds.group import GROUP
from .._kinds.kind import Declarable
from .._kinds.model import MODEL
from .._kinds.oauth_client import OAUTH_CLIENT
from .._kinds.project import PROJECT
from .._kinds.resource_pool import RESOURCE_POOL_BINDING
from .._kinds.role_assignment import ROLE_ASSIGNMENT
from .._kinds.template import TEMPLATE
from .._kinds.token import TOKEN
from .._kinds.user import USER
from .._kinds.webhook import WEBHOOK
from .._kinds.workspace import WORKSPACE

KINDS: tuple[Declarable, ...] = (
    USER,
    GROUP,
    WORKSPACE,
    RESOURCE_POOL_BINDING,
    PROJECT,
    ROLE_ASSIGNMENT,
    CONFIG_POLICY,
    TEMPLATE,
    MODEL,
    WEBHOOK,
    TOKEN,
    OAUTH_CLIENT,
    CLUSTER_MESSAGE,
)

WORKSPACES = "workspaces"

NESTED = ("projects", "templates", "webhooks", "config_policies", "role_assignments")
"""What an entry of a workspace may hold lists of; their ``workspace`` is the one that they stand in."""

POOLS, POOL_BINDINGS = "resource_pools", "resource_pool_bindings"
"""What an entry of a workspace names the pools with that are bound to it, and the kind that these bindings are of."""

SINGLE = frozenset({"cluster_message"})
"""Kinds of which there is one object: a mapping, no list."""

SPECIAL: dict[str, dict[str, t.Any]] = {
    "renamed_from": {"type": "str"},
    "undeclare": {"type": "bool"},
}
"""What each entry may say beside the options of its module."""

NEEDED: dict[str, tuple[str, ...]] = {"tokens": ("user",)}
"""Options that an entry needs and a module does not: whose an object is must not depend on who applies the manifest."""
