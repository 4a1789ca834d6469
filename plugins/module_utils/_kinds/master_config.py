# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Settings of the master that decide what objects mean (API page identity-and-cluster, section 7.3)."""

from __future__ import annotations

import weakref

from .._wire.errors import Forbidden
from .._wire.session import Live, Session, decode

CREATOR_ROLE = 2
"""The role (``WorkspaceAdmin``) that a master gives to the creator of a workspace unless it is configured otherwise."""


class Provider(Live):
    """What counts of ``oidc`` and ``saml``. The master empties the attribute where it does not synchronise groups."""

    enabled: bool = False
    groups_attribute_name: str = ""


class CreatorRole(Live):
    """``security.authz.workspace_creator_assign_role``."""

    enabled: bool = True
    role_id: int = CREATOR_ROLE


class MasterConfig(Live):
    """``GET /master/config``, as far as it counts here. Its keys are in snake_case."""

    class Security(Live):
        """``security``."""

        class Authz(Live):
            """``authz``."""

            workspace_creator_assign_role: CreatorRole | None = None

        authz: Authz | None = None

    oidc: Provider | None = None
    saml: Provider | None = None
    security: Security | None = None


_known: weakref.WeakKeyDictionary[Session, MasterConfig | None] = weakref.WeakKeyDictionary()
"""A master reads its configuration when it starts, so a session asks once."""


def read_config(session: Session) -> MasterConfig | None:
    """Read the configuration, or None where the caller has no right to (administrators, under RBAC VIEW_MASTER_CONFIG)."""
    if session not in _known:
        try:
            answer = session.call("GET", "/api/v1/master/config")
        except Forbidden:
            _known[session] = None
        else:
            data = answer.json()
            inner = data.get("config") if isinstance(data, dict) else None
            _known[session] = decode(answer, MasterConfig.model_validate, inner, "a configuration")
    return _known[session]


def provider_syncs_groups(session: Session) -> bool | None:
    """Whether an identity provider decides which groups remote users are in, or None if that can't be seen.

    Each login then rewrites all memberships of that remote user, those made by hand too
    (``UpdateUserGroupMembershipTx`` in ``master/internal/usergroup/postgres_groups.go``).
    """
    config = read_config(session)
    if config is None:
        return None
    return any(one is not None and one.enabled and one.groups_attribute_name for one in (config.oidc, config.saml))


def creator_role(session: Session) -> int | None:
    """The id of the role that the creator of a workspace is given there, or None; the default if it can't be seen."""
    config = read_config(session)
    authz = config.security.authz if config is not None and config.security is not None else None
    setting = (authz.workspace_creator_assign_role if authz is not None else None) or CreatorRole()
    return setting.role_id if setting.enabled else None
