# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""What binds workspaces to Kubernetes: a namespace for each cluster, and a quota of accelerators in a namespace of its own.

Only a master that runs on Kubernetes has them; elsewhere the calls are a 404 (API page ml-resources, sections 7 and 13).
"""

from __future__ import annotations

import contextlib
import typing as t

from .._wire.errors import Forbidden, InvalidOption, NotFound
from .._wire.session import Live, Session, route
from .kind import Normal

STALE = "(stale)"
"""What the server puts after the name of a cluster that its configuration has no longer."""


class Binding(Live):
    """The namespace of a workspace in one cluster."""

    namespace: str = ""
    auto_create_namespace: bool = False


class Bindings(Live):
    """The answer of ``GET /workspaces/{id}/list-namespace-bindings``; a cluster without a binding shows its default."""

    namespace_bindings: dict[str, Binding] | None = None


class Quotas(Live):
    """The answer of ``GET /workspaces/{id}/get-k8s-resource-quotas``."""

    resource_quotas: dict[str, float] | None = None


NOWHERE: Normal = {"namespace_bindings": None, "resource_quota": None}
"""What is shown where there is no Kubernetes, or where nobody asked."""


def read_bindings(session: Session, workspace_id: int) -> Normal | None:
    """Read a workspace's namespaces by cluster, or None: the master does not run on Kubernetes."""
    try:
        found = session.read(Bindings, "bindings", route("workspaces", workspace_id, "list-namespace-bindings"))
    except NotFound as error:
        if "not supported" in error.server_message:
            return None
        raise
    return {
        cluster: binding.normal()
        for cluster, binding in sorted((found.namespace_bindings or {}).items())
        if not cluster.endswith(STALE)
    }


def are_there(session: Session, workspace_ids: list[int]) -> bool:
    """Whether the master runs on Kubernetes, by the first of the workspaces that has not been removed meanwhile."""
    for workspace_id in workspace_ids:
        with contextlib.suppress(NotFound):
            return read_bindings(session, workspace_id) is not None
    return False


def read_namespaces(session: Session, workspace_id: int) -> Normal:
    """Read a workspace's namespaces and quotas; quotas that the caller may not see are None."""
    bindings = read_bindings(session, workspace_id)
    if bindings is None:
        return NOWHERE
    try:
        found = session.read(Quotas, "quotas", route("workspaces", workspace_id, "get-k8s-resource-quotas"))
    except Forbidden:
        return {"namespace_bindings": bindings, "resource_quota": None}
    quotas = {
        cluster: int(quota) if quota.is_integer() else quota
        for cluster, quota in sorted((found.resource_quotas or {}).items())
    }
    return {"namespace_bindings": bindings, "resource_quota": quotas}


def check_namespaces(bindings: Normal | None, quotas: Normal | None) -> None:
    """Refuse what names no namespace or no quota.

    :raises InvalidOption: naming the cluster.
    """
    for option, declared in (("namespace_bindings", bindings), ("resource_quota", quotas)):
        if declared == {}:
            raise InvalidOption(
                f"{option} is empty: it can be changed but not taken away; name a cluster and what it must be there."
            )
    for cluster, value in (bindings or {}).items():
        one_of = isinstance(value, dict) and (
            value == {"auto_create_namespace": True}
            or (value.keys() == {"namespace"} and isinstance(value["namespace"], str) and value["namespace"])
        )
        if not one_of and not (isinstance(value, str) and value):
            raise InvalidOption(
                f"namespace_bindings.{cluster} must be a namespace's name, or a mapping with either namespace or "
                "auto_create_namespace: true."
            )
    for cluster, value in (quotas or {}).items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise InvalidOption(f"resource_quota.{cluster} is {value!r}: it must be a whole number of 0 or more.")


def declared_bindings(declared: Normal, live: Normal) -> Normal:
    """All bindings as they must be; clusters that are not named keep theirs."""
    return {**live, **{cluster: _declared(value, live.get(cluster)) for cluster, value in declared.items()}}


def _declared(value: t.Any, live: Normal | None) -> Normal:
    name = value if isinstance(value, str) else value.get("namespace")
    # Of the namespace's name only the server knows, once it is made.
    same = live is not None and (live["auto_create_namespace"] if name is None else live["namespace"] == name)
    return live if live is not None and same else {"namespace": name, "auto_create_namespace": name is None}


def on_wire(bindings: Normal, live: Normal) -> Normal:
    """The ``clusterNamespaceMeta`` of those bindings that differ from the live ones."""
    return {
        cluster: {"namespace": binding["namespace"]} if binding["namespace"] else {"autoCreateNamespace": True}
        for cluster, binding in bindings.items()
        if binding != live.get(cluster)
    }


def as_declared(binding: Normal) -> t.Any:
    """A live binding as an export declares it."""
    return {"auto_create_namespace": True} if binding["auto_create_namespace"] else binding["namespace"]
