# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes namespaces of workspaces and quotas in them (master/internal/api_workspace.go).

A master with agents, which is what the recordings were made with, refuses nearly all of it. What one on Kubernetes does was
read in its source and never seen running; tests turn it on by ``master.kubernetes``.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .fields import List, Message, String
from .gateway import Call, Code, RpcError, bad, plain, route
from .ml_state import WorkspaceRow, need
from .workspaces import NAMESPACES, QUOTAS, find

if t.TYPE_CHECKING:
    from .state import Master

UNSUPPORTED = "operation not supported"
AGENTS = "with resource manager type AgentRM: operation not supported"


@dataclasses.dataclass
class Cluster:
    """A Kubernetes cluster: the namespaces that exist, quotas in them, and which workspace is bound where."""

    default: str = "default"
    existing: set[str] = dataclasses.field(default_factory=set)
    bound: dict[int, str] = dataclasses.field(default_factory=dict)
    quotas: dict[str, float] = dataclasses.field(default_factory=dict)


def _cluster(master: Master, name: str) -> tuple[str, Cluster | None]:
    """The cluster that a request means; the only one needs no name. None stands for agents."""
    known: dict[str, Cluster | None] = dict(master.kubernetes) or {"default": None}
    if not name and len(known) > 1:
        raise bad("must specify a cluster name when using MultiRM")
    name = name or next(iter(known))
    if name not in known:
        raise bad(f"no resource manager with cluster name {name}")
    return name, known[name]


def _auto(row: WorkspaceRow) -> str:
    return f"det-{row.id}-{''.join(char for char in row.name.lower() if char.isalnum())}"


def _may(call: Call, permission: str, refusal: str) -> None:
    if call.master.rbac:
        need(call, permission, None, status=True)
    elif not call.caller.admin:
        raise RpcError(Code.PERMISSION_DENIED, refusal)


def bind(call: Call, row: WorkspaceRow, meta: dict[str, dict[str, t.Any]]) -> dict[str, t.Any]:
    """SetWorkspaceNamespaceBindings, all or nothing."""
    _may(call, "SET_WORKSPACE_NAMESPACE_BINDINGS", "only admins may set workspace bindings")
    chosen: dict[str, tuple[Cluster, str]] = {}
    for asked, wanted in meta.items():
        namespace, auto = wanted.get("namespace"), wanted.get("autoCreateNamespace", False)
        if asked and namespace is None and not auto:
            raise bad(
                "must either specify a Kubernetes namespace or indicate that you would like an auto-created namespace."
            )
        name, cluster = _cluster(call.master, asked)
        if namespace is not None:
            if auto:
                raise bad(
                    "must either specify a namespace or indicate that you would like an auto-created namespace, but cannot "
                    "request both."
                )
            where = "error verifying Kubernetes namespace: "
            if cluster is None:
                raise plain(f"{where}cannot verify namespace existence {AGENTS}")
            if namespace not in {*cluster.existing, cluster.default}:
                raise plain(f'{where}error finding namespace {namespace}: namespaces "{namespace}" not found')
        elif cluster is None:
            raise plain(f"cannot create a namespace {AGENTS}")
        chosen[name] = (cluster, namespace or _auto(row))
    for cluster, namespace in chosen.values():
        cluster.existing.add(namespace)
        # The default is what there is without a binding, so none is kept for it.
        if namespace == cluster.default:
            cluster.bound.pop(row.id, None)
        else:
            cluster.bound[row.id] = namespace
    return {name: _binding(row, name, namespace) for name, (_, namespace) in chosen.items()}


def set_quotas(call: Call, row: WorkspaceRow, pairs: dict[str, int]) -> None:
    """SetResourceQuotas: only in namespaces that were made for the workspace."""
    _may(call, "SET_RESOURCE_QUOTAS", "only admins may set resource quotas")
    for asked, quota in pairs.items():
        _name, cluster = _cluster(call.master, asked)
        if cluster is None:
            raise RpcError(Code.NOT_FOUND, UNSUPPORTED)
        namespace = cluster.bound.get(row.id)
        if namespace is None:
            raise plain("cannot set resource quota on a namespace that was not auto-created by Determined.")
        if namespace != _auto(row):
            raise plain("cannot set quota on a workspace that is not bound to an auto-created namespace")
        cluster.quotas[namespace] = float(quota)


def _binding(row: WorkspaceRow, cluster: str, namespace: str) -> dict[str, t.Any]:
    return {
        "workspaceId": row.id,
        "namespace": namespace,
        "clusterName": cluster,
        "autoCreateNamespace": namespace == _auto(row),
    }


def _bindings(call: Call, row: WorkspaceRow) -> dict[str, dict[str, t.Any]]:
    clusters = call.master.kubernetes
    if not clusters:
        text = f"error getting default namespace: rpc error: code = NotFound desc = {UNSUPPORTED}"
        raise RpcError(Code.NOT_FOUND, text)
    return {name: _binding(row, name, cluster.bound.get(row.id, cluster.default)) for name, cluster in clusters.items()}


@route("GET", "/api/v1/workspaces/{id:int32}/list-namespace-bindings")
def list_namespace_bindings(call: Call) -> dict[str, t.Any]:
    """ListWorkspaceNamespaceBindings."""
    return {"namespaceBindings": _bindings(call, find(call, call.path["id"]))}


@route("GET", "/api/v1/workspaces/{id:int32}/get-k8s-resource-quotas")
def get_quotas(call: Call) -> dict[str, t.Any]:
    """GetKubernetesResourceQuotas."""
    row = find(call, call.path["id"])
    if call.master.rbac:
        need(call, "VIEW_RESOURCE_QUOTAS", None)
    clusters = call.master.kubernetes
    held = {name: clusters[name].quotas.get(binding["namespace"]) for name, binding in _bindings(call, row).items()}
    return {"resourceQuotas": {name: quota for name, quota in held.items() if quota is not None}}


@route(
    "POST",
    "/api/v1/workspaces/{workspaceId:int32}/namespace-bindings",
    body=Message({"clusterNamespaceMeta": NAMESPACES}),
)
def set_namespace_bindings(call: Call) -> dict[str, t.Any]:
    """SetWorkspaceNamespaceBindings."""
    row = find(call, call.path["workspaceId"])
    return {"namespaceBindings": bind(call, row, call.body.get("clusterNamespaceMeta", {}))}


@route(
    "DELETE",
    "/api/v1/workspaces/{workspaceId:int32}/namespace-bindings",
    query={"clusterNames": List(String)},
)
def delete_namespace_bindings(call: Call) -> dict[str, t.Any]:
    """DeleteWorkspaceNamespaceBindings; a default is no binding, and so not there."""
    asked = [_cluster(call.master, name) for name in call.query.get("clusterNames", ())]
    _may(call, "SET_WORKSPACE_NAMESPACE_BINDINGS", "only admins may set workspace bindings")
    workspace_id = call.path["workspaceId"]
    left = [name for name, cluster in asked if cluster is None or workspace_id not in cluster.bound]
    if left:
        what = f"cluster {left[0]}" if len(asked) == 1 else f"clusters: {', '.join(left)}"
        raise plain(
            "error deleting workspace-namespace bindings: failed to delete namespace binding: tried to delete default binding "
            f"for {what}: cannot delete the default namespace binding"
        )
    for _name, cluster in asked:
        if cluster is not None:
            del cluster.bound[workspace_id]
    return {}


@route("POST", "/api/v1/workspaces/{id:int32}/set-resource-quota", body=Message({"clusterQuotaPairs": QUOTAS}))
def set_resource_quota(call: Call) -> dict[str, t.Any]:
    """SetResourceQuotas."""
    set_quotas(call, find(call, call.path["id"]), call.body.get("clusterQuotaPairs", {}))
    return {}
