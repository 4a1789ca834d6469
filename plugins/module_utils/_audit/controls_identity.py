# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Controls of identity and access (API page identity-and-cluster, sections 2, 3, 5 and 6)."""

from __future__ import annotations

import datetime
import typing as t

from .._kinds.rights import CLUSTER_ADMIN
from .._kinds.user import BUILT_IN_IDS
from .._wire.login import INACTIVE, REFUSED
from .control import (
    CRITICAL,
    HIGH,
    LOW,
    MEDIUM,
    NOT_APPLICABLE,
    PASS,
    Outcome,
    Resource,
    Unseen,
    control,
    fail,
    unknown,
)
from .controls_tokens import live_tokens
from .site import Site
from .sources import BLANK_PASSWORDS, WORKSPACE_ADMIN
from .workload_state import holds_resources, is_live

FIRST_ADMIN = 1
"""The id of the user that a fresh master has as its administrator."""

WIDE_ROLES = frozenset({"Editor", WORKSPACE_ADMIN, CLUSTER_ADMIN})
"""Roles that change what everybody has, where they are held in the whole cluster."""

CREATOR_SETTING = "security.authz.workspace_creator_assign_role"

ADMINS = ("role_assignments", "groups")
"""The lists beside users that tell who is an administrator under RBAC; with them goes the detail ``members``."""

NAMES_SHOWN = 20
"""How many names a finding lists at most: a group may have thousands of members."""


def _without_rbac(site: Site) -> str | None:
    return None if site.rbac else "RBAC is not enforced: role assignments have no effect."


@control(
    "IAM-01",
    "Built-in account answers to a blank password",
    CRITICAL,
    of=BLANK_PASSWORDS,
    remediation="Set a password with det_user, or deactivate the account.",
    example=(
        '- determined.ai.det_user:\n    username: admin\n    password: "{{ admin_password }}"\n'
        "    update_password: on_mismatch\n"
    ),
    cis="4.7, 5.2",
    nist="IA-5, AC-2",
    iso="A.5.17, A.8.5",
    soc2="CC6.1",
)
def _blank_password(site: Site, account: Resource) -> Outcome:
    answer = account.data["answer"]
    if answer is None:
        return unknown(f"Its login with a blank password was not answered: {account.data['why']}")
    if answer == REFUSED:
        return PASS
    if answer == INACTIVE:
        return fail(
            "It has a blank password: the master refused the login only as the account is not active.", active=False
        )
    return fail(
        "It can be logged into with a blank password. (The login of this audit ended at once, and moved last_auth_at.)",
        active=True,
        last_auth_at=account.data["last_auth_at"],
    )


@control(
    "IAM-02",
    "Built-in accounts still active",
    HIGH,
    of="users",
    reads=ADMINS,
    details=("members",),
    remediation="Give everybody an account of their own, then deactivate the built-in ones with det_user.",
    example="- determined.ai.det_user:\n    username: determined\n    state: absent\n",
    cis="4.7",
    nist="AC-2, IA-4",
    iso="A.5.16",
    soc2="CC6.1",
)
def _active_built_in(site: Site, user: Resource) -> Outcome:
    if user.id not in BUILT_IN_IDS:
        return NOT_APPLICABLE
    if not user.data["active"]:
        return PASS
    if user.id != FIRST_ADMIN:
        return fail("It is active.", active=True)
    others = site.admins - {FIRST_ADMIN}
    if not others:
        return PASS
    return fail(
        "It is active although there is another administrator.",
        active=True,
        another_administrator=min(map(site.username, others)),
    )


@control(
    "IAM-03",
    "Number of administrators",
    HIGH,
    of="cluster",
    reads=("users", *ADMINS),
    details=("members",),
    remediation="Give the right to a small group with det_role_assignment, or det_user admin under basic authorisation, and "
    "keep a second administrator for emergencies.",
    example=(
        "- determined.ai.det_group:\n    name: cluster-admins\n    members: [alice, bob]\n"
        "- determined.ai.det_role_assignment:\n    role: ClusterAdmin\n    group: cluster-admins\n"
    ),
    cis="5.4",
    nist="AC-6(5), AC-2(7)",
    iso="A.8.2",
    soc2="CC6.3",
)
def _number_of_administrators(site: Site, cluster: Resource) -> Outcome:
    least, most, number = site.parameters.min_admins, site.parameters.max_admins, len(site.admins)
    if least <= number <= most:
        return PASS
    fault = f"There are fewer than {least}." if number < least else f"There are more than {most}."
    names = sorted(map(site.username, site.admins))
    return fail(fault, administrators=number, names=names[:NAMES_SHOWN])


@control(
    "IAM-04",
    "Dormant accounts",
    MEDIUM,
    of="users",
    reads=("tokens",),
    remediation="Deactivate the user with det_user.",
    example="- determined.ai.det_user:\n    username: alice\n    state: absent\n",
    cis="5.3",
    nist="AC-2(3)",
    iso="A.5.18",
    soc2="CC6.2",
)
def _dormant(site: Site, user: Resource) -> Outcome:
    data, most = user.data, datetime.timedelta(days=site.parameters.dormant_days)
    login, change = site.age(data["last_auth_at"]), site.age(data["modified_at"])
    # Inactive ones are noted too: one that is activated later is not new.
    sighting = site.sighted("users", t.cast(int, user.id)) if login is None else None
    if not data["active"]:
        return NOT_APPLICABLE
    if (login is not None and login <= most) or site.memo(live_tokens)[t.cast(int, user.id)]:
        return PASS
    fields = {"last_auth_at": data["last_auth_at"], "modified_at": data["modified_at"]}
    if login is None and (change is None or change <= most):
        # No field says when a user was made; this one may have been yesterday, or changed yesterday.
        if sighting is not None and sighting.after is not None and site.now - sighting.after <= most:
            return PASS
        if sighting is None or site.now - sighting.first <= most:
            return unknown("It has never logged in, and when it was made can't be told.", **fields)
        fields["first_seen"] = sighting.first.isoformat(timespec="seconds")
    site.all("tokens")
    fault = (
        "It has never logged in" if login is None else f"It has not logged in for {site.parameters.dormant_days} days"
    )
    return fail(f"{fault}, and has no live token.", **fields)


def _without_sso(site: Site) -> str | None:
    return "No single sign-on is configured." if site.master["sso_providers"] == [] else None


@control(
    "IAM-05",
    "Local accounts beside SSO",
    MEDIUM,
    of="users",
    when=_without_sso,
    remediation="Make the user remote with det_user, so that it logs in by single sign-on only.",
    example="- determined.ai.det_user:\n    username: alice\n    remote: true\n",
    cis="5.6, 6.7",
    nist="IA-2, AC-2",
    iso="A.5.16",
    soc2="CC6.1",
)
def _local_beside_sso(site: Site, user: Resource) -> Outcome:
    if site.master["sso_providers"] is None:
        raise Unseen("this master does not say whether single sign-on is configured", "cluster")
    kept = site.parameters.break_glass_users
    if kept is None or not user.data["active"]:
        return NOT_APPLICABLE
    if user.data["remote"] or user.key in kept:
        return PASS
    providers = [provider["name"] for provider in site.master["sso_providers"]]
    return fail("It is local, and not kept for emergencies.", remote=False, sso_providers=providers)


@control(
    "IAM-06",
    "Role-based access off",
    HIGH,
    of="cluster",
    reads=("users",),
    remediation="Set security.authz.type to rbac in the master's configuration, and declare who may do what with "
    "det_role_assignment.",
    example="security:\n  authz:\n    type: rbac\n",
    cis="6.8",
    nist="AC-3, AC-6",
    iso="A.5.15",
    soc2="CC6.3",
)
def _role_based_access_off(site: Site, cluster: Resource) -> Outcome:
    if site.rbac:
        return PASS
    people = {user.key for user in site.all("users") if user.data["active"] and user.id not in BUILT_IN_IDS}
    if len(people) <= 1:
        return PASS
    services = site.parameters.service_users
    if services is None:
        # Who of them is a person nobody has said.
        return NOT_APPLICABLE
    if len(people.difference(services)) <= 1:
        return PASS
    return fail(
        "The master enforces basic authorisation, and more than one person uses it.",
        people=len(people.difference(services)),
        rbac_enabled=site.master["rbac_enabled"],
    )


@control(
    "IAM-07",
    "Cluster-wide or direct role grants",
    MEDIUM,
    of="role_assignments",
    reads=("users", "master_config"),
    when=_without_rbac,
    remediation="Give the role to a group, and in a workspace, with det_role_assignment; then take this assignment away.",
    example=(
        "- determined.ai.det_role_assignment:\n    role: Editor\n    group: vision\n    workspace: research\n"
        "- determined.ai.det_role_assignment:\n    role: Editor\n    user: alice\n    state: absent\n"
    ),
    cis="6.8",
    nist="AC-6, AC-2(7)",
    iso="A.5.18",
    soc2="CC6.3",
)
def _wide_or_direct_grant(site: Site, grant: Resource) -> Outcome:
    data = grant.data
    role, user_id, cluster_wide = data["role"], data["user_id"], data["workspace_id"] is None
    if user_id == FIRST_ADMIN and role == CLUSTER_ADMIN and cluster_wide:
        return NOT_APPLICABLE
    if data["server_made"]:
        # That it is the server's is certain only where its setting can be read.
        site.config(CREATOR_SETTING)
        return NOT_APPLICABLE
    faults: list[str] = []
    wide = cluster_wide and role in WIDE_ROLES
    allowed = site.parameters.allowed_role_holders if wide else ()
    holder = site.username(user_id) if user_id is not None else data["group"] or f"group {data['group_id']}"
    if wide and allowed is not None and holder not in allowed:
        faults.append("It is for the whole cluster, and its holder is not among those who may have that.")
    if user_id is not None:
        faults.append("It is a user's own, and not a group's.")
    if faults:
        scope = "cluster" if cluster_wide else data["workspace"] or f"workspace {data['workspace_id']}"
        return fail(*faults, role=role, holder=holder, scope=scope)
    return NOT_APPLICABLE if allowed is None else PASS


def _runs(workload: Resource) -> bool:
    if workload.kind == "experiments":
        return holds_resources(workload)
    # A TensorBoard shows, it computes nothing.
    return bool(workload.data["type"] != "tensorboard" and is_live(workload))


@control(
    "IAM-08",
    "Admin or built-in identity runs workloads",
    MEDIUM,
    of=("experiments", "tasks"),
    reads=("users", *ADMINS),
    details=("members",),
    remediation="Run it under a personal account without an administrator's rights, and end this one with det_task or "
    "det_experiment.",
    example="- determined.ai.det_task:\n    type: notebook\n    users: [admin]\n    state: killed\n",
    cis="5.4",
    nist="AC-6(2)",
    iso="A.8.2",
    soc2="CC6.3",
)
def _workload_of_an_administrator(site: Site, workload: Resource) -> Outcome:
    if not _runs(workload):
        return NOT_APPLICABLE
    owner = workload.data["user_id"]
    if owner in BUILT_IN_IDS:
        return fail("It runs under a built-in account.", owner=site.username(owner), state=workload.data["state"])
    if owner in site.admins:
        return fail(
            "It runs under an administrator's account.", owner=site.username(owner), state=workload.data["state"]
        )
    return PASS


@control(
    "IAM-09",
    "Ownerless workspace, project, model",
    MEDIUM,
    of=("workspaces", "projects", "models"),
    reads=("users", *ADMINS),
    details=("members",),
    remediation="Under RBAC make somebody WorkspaceAdmin with det_role_assignment; else move or archive it with det_project or "
    "det_model, or have somebody make it anew.",
    example=(
        "- determined.ai.det_role_assignment:\n    role: WorkspaceAdmin\n    group: research-leads\n"
        "    workspace: research\n"
    ),
    cis="5.1",
    nist="AC-2, CM-8",
    iso="A.5.9",
    soc2="CC6.2",
)
def _ownerless(site: Site, owned: Resource) -> Outcome:
    # User 1 owns these, and is to be deactivated.
    if owned.data.get("immutable"):
        return NOT_APPLICABLE
    owner = owned.data["user_id"]
    if site.is_active(owner):
        return PASS
    if not site.rbac:
        return fail("Its owner is not active.", owner=site.username(owner))
    workspace = owned.id if owned.kind == "workspaces" else owned.data["workspace_id"]
    admins = site.holders(WORKSPACE_ADMIN, t.cast(int, workspace)) | site.holders(WORKSPACE_ADMIN, None)
    if any(site.is_active(number) for number in admins):
        return PASS
    return fail(
        "Its owner is not active, and no active user is WorkspaceAdmin of its workspace.", owner=site.username(owner)
    )


def _cluster_admins(site: Site) -> set[int]:
    return site.holders(CLUSTER_ADMIN, None)


@control(
    "IAM-10",
    "Admin flag that means nothing, or power without the flag",
    LOW,
    of="users",
    reads=ADMINS,
    details=("members",),
    when=_without_rbac,
    remediation="Let the flag (det_user admin) say what the role says (det_role_assignment).",
    example="- determined.ai.det_user:\n    username: alice\n    admin: false\n",
    cis="5.4",
    nist="AC-6(7)",
    iso="A.5.18",
    soc2="CC6.3",
)
def _flag_without_power(site: Site, user: Resource) -> Outcome:
    holds, flag = user.id in site.memo(_cluster_admins), user.data["admin"]
    if holds == flag or user.key in (site.parameters.allowed_admin_flags or ()):
        return PASS
    fault = (
        "It holds ClusterAdmin without the admin flag."
        if holds
        else "Its admin flag grants nothing: it does not hold ClusterAdmin."
    )
    return fail(fault, admin=flag, cluster_admin=holds)
