# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The permissions and predefined roles of release 0.38.1, as a fresh master lists them."""

from __future__ import annotations

import dataclasses

PREFIX = "PERMISSION_TYPE_"


@dataclasses.dataclass(frozen=True)
class Permission:
    """One permission: its number, its name without PERMISSION_TYPE_, the label, and the roles that carry it."""

    id: int
    name: str
    label: str
    global_only: bool
    roles: tuple[int, ...]


ROLE_NAMES = {
    1: "ClusterAdmin",
    2: "WorkspaceAdmin",
    3: "WorkspaceCreator",
    4: "Viewer",
    5: "Editor",
    6: "ModelRegistryViewer",
    7: "EditorRestricted",
    8: "GenAIUser",
    9: "EditorProjectRestricted",
    10: "TokenCreator",
}

PERMISSIONS = tuple(
    Permission(*row)
    for row in (
        (2001, "CREATE_EXPERIMENT", "create experiment", False, (1, 2, 5, 7, 8, 9)),
        (2004, "UPDATE_EXPERIMENT", "update experiment", False, (1, 2, 5, 7, 8, 9)),
        (5002, "VIEW_PROJECT", "view project", False, (1, 2, 4, 5, 7, 8, 9)),
        (96001, "UPDATE_ROLES", "update roles", True, (1,)),
        (2005, "UPDATE_EXPERIMENT_METADATA", "update experiment metadata", False, (1, 2, 5, 7, 8, 9)),
        (93001, "UPDATE_GROUP", "update group", True, (1,)),
        (94001, "CREATE_WORKSPACE", "create workspace", True, (1, 3, 8)),
        (4004, "DELETE_WORKSPACE", "delete workspace", False, (1, 2)),
        (5003, "UPDATE_PROJECT", "update project", False, (1, 2, 5, 7, 8)),
        (5004, "DELETE_PROJECT", "delete project", False, (1, 2, 8)),
        (6002, "ASSIGN_ROLES", "assign roles", False, (1, 2)),
        (91001, "ADMINISTRATE_USER", "administrate user", True, (1,)),
        (2002, "VIEW_EXPERIMENT_ARTIFACTS", "view experiment artifacts", False, (1, 2, 4, 5, 7, 8, 9)),
        (4003, "UPDATE_WORKSPACE", "update workspace", False, (1, 2)),
        (2003, "VIEW_EXPERIMENT_METADATA", "view experiment metadata", False, (1, 2, 4, 5, 7, 8, 9)),
        (2006, "DELETE_EXPERIMENT", "delete experiment", False, (1, 2, 5, 7, 8, 9)),
        (4002, "VIEW_WORKSPACE", "view workspace", False, (1, 2, 4, 5, 7, 8, 9)),
        (5001, "CREATE_PROJECT", "create project", False, (1, 2, 5, 7, 8)),
        (4005, "SET_WORKSPACE_AGENT_USER_GROUP", "set agent user group on workspace", False, (1,)),
        (97001, "EDIT_WEBHOOKS", "edit webhooks", False, (1, 2, 5, 7, 9)),
        (4006, "SET_WORKSPACE_CHECKPOINT_STORAGE_CONFIG", "set checkpoint storage config on workspace", False, (1, 2)),
        (7001, "VIEW_MODEL_REGISTRY", "view model registry", False, (1, 2, 4, 5, 6, 7, 8, 9)),
        (7002, "EDIT_MODEL_REGISTRY", "edit model registry", False, (1, 2, 5, 7, 8, 9)),
        (7003, "CREATE_MODEL_REGISTRY", "create model registry", False, (1, 2, 5, 7, 8, 9)),
        (3001, "CREATE_NSC", "create notebooks/shells/commands", False, (1, 2, 5, 8, 9)),
        (3002, "VIEW_NSC", "view notebooks/shells/commands", False, (1, 2, 4, 5, 7, 8, 9)),
        (3003, "UPDATE_NSC", "update notebooks/shells/commands", False, (1, 2, 5, 8, 9)),
        (8003, "UPDATE_AGENTS", "update agents", True, (1,)),
        (7004, "DELETE_MODEL_REGISTRY", "delete model registry", False, (1, 2, 5, 7, 8, 9)),
        (8001, "VIEW_MASTER_LOGS", "view master logs", True, (1,)),
        (8002, "VIEW_CLUSTER_USAGE", "view detailed cluster usage", True, (1,)),
        (8004, "VIEW_SENSITIVE_AGENT_INFO", "view sensitive agent info", True, (1,)),
        (9001, "VIEW_TEMPLATES", "view templates", False, (1, 2, 4, 5, 7, 8, 9)),
        (9002, "UPDATE_TEMPLATES", "update templates", False, (1, 2, 5, 7, 8, 9)),
        (9003, "CREATE_TEMPLATES", "create templates", False, (1, 2, 5, 7, 8, 9)),
        (9004, "DELETE_TEMPLATES", "delete templates", False, (1, 2, 5, 7, 8, 9)),
        (8101, "CONTROL_STRICT_JOB_QUEUE", "control strict job queue", True, (1,)),
        (7005, "DELETE_MODEL_VERSION", "delete model version", False, (1, 2, 5, 7, 8, 9)),
        (7006, "DELETE_OTHER_USER_MODEL_REGISTRY", "delete other user model registry", False, (1, 2)),
        (7007, "DELETE_OTHER_USER_MODEL_VERSION", "delete other user model version", False, (1, 2)),
        (8005, "VIEW_MASTER_CONFIG", "view master config", True, (1,)),
        (8006, "UPDATE_MASTER_CONFIG", "update master config", True, (1,)),
        (91002, "ADMINISTRATE_OAUTH", "manage oauth", True, (1,)),
        (4007, "SET_WORKSPACE_DEFAULT_RESOURCE_POOL", "set default resource pool on workspace", False, (1, 2)),
        (10001, "MODIFY_RP_WORKSPACE_BINDINGS", "modify rp workspace bindings", True, (1,)),
        (8007, "VIEW_EXTERNAL_JOBS", "view external jobs", True, (1,)),
        (11001, "SET_WORKSPACE_NAMESPACE_BINDINGS", "set workspace-namespace bindings", True, (1,)),
        (11002, "SET_RESOURCE_QUOTAS", "set resource quotas", True, (1,)),
        (11003, "VIEW_RESOURCE_QUOTAS", "view resource quotas", False, (1, 2, 4, 5, 7, 8, 9)),
        (97002, "VIEW_WEBHOOKS", "view webhooks", False, (1, 2, 4, 5, 7, 9)),
        (11004, "MODIFY_GLOBAL_CONFIG_POLICIES", "modify global config policies", True, (1,)),
        (11005, "MODIFY_WORKSPACE_CONFIG_POLICIES", "modify workspace config policies", False, (1, 2)),
        (11006, "VIEW_GLOBAL_CONFIG_POLICIES", "view global config policies", False, (1, 2, 3, 4, 5, 6, 7, 8, 9)),
        (11007, "VIEW_WORKSPACE_CONFIG_POLICIES", "view workspace config policies", False, (1, 2, 3, 4, 5, 6, 7, 8, 9)),
        (12001, "ADMINISTRATE_TOKEN", "administrate access token", True, (1,)),
        (12002, "UPDATE_TOKEN", "update own access token", True, (1, 10)),
        (12003, "CREATE_TOKEN", "create access token", True, (1, 10)),
        (12004, "CREATE_OTHER_TOKEN", "create other access token", True, (1,)),
        (12005, "VIEW_OTHER_TOKEN", "view other access token", True, (1,)),
        (12006, "VIEW_TOKEN", "view own access token", True, (1, 10)),
    )
)

ROLE_PERMISSIONS: dict[int, tuple[Permission, ...]] = {
    role: tuple(permission for permission in PERMISSIONS if role in permission.roles) for role in ROLE_NAMES
}
ROLE_PERMISSION_NAMES = {
    role: frozenset(permission.name for permission in rows) for role, rows in ROLE_PERMISSIONS.items()
}


def global_only(role: int) -> bool:
    """Whether a role may only be assigned globally: it carries a permission that has no workspace scope."""
    return any(permission.global_only for permission in ROLE_PERMISSIONS[role])
