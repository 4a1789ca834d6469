# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Controls of access tokens (API page identity-and-cluster, section 4)."""

from __future__ import annotations

import collections
import re
import typing as t

from .control import HIGH, LOW, MEDIUM, NOT_APPLICABLE, PASS, Outcome, Resource, control, fail, failing
from .site import Site, moment

NEVER_DAYS = 3653
"""A life of more than ten years is none: the product turns -1 into 106,751 days."""


def is_live(token: Resource, site: Site) -> bool:
    """Whether a token can still be used: the list says who revoked one, not which have expired."""
    return not token.data["revoked"] and moment(token.data["expiry"]) > site.now


def live_tokens(site: Site) -> collections.Counter[int]:
    """How many live tokens each user has, as far as they can be seen: for `Site.memo`."""
    return collections.Counter(token.data["user_id"] for token in site.seen("tokens") if is_live(token, site))


def is_auditors(token: Resource, site: Site) -> bool:
    """Whether a token is the auditor's, who needs one to look."""
    return bool(token.data["user_id"] == site.rights.user_id)


def _life_days(token: Resource) -> float:
    return (moment(token.data["expiry"]) - moment(token.data["created_at"])).total_seconds() / 86400


def _shown_life(days: float) -> float | str:
    return "no expiry" if days > NEVER_DAYS else round(days, 1)


@control(
    "TOK-01",
    "Live token of an inactive user",
    HIGH,
    of="tokens",
    reads=("users",),
    remediation="Revoke the token, or activate its owner again.",
    example="- determined.ai.det_token:\n    user: alice\n    description: ci/nightly\n    state: absent\n",
    cis="6.2",
    nist="AC-2(3), IA-4",
    iso="A.5.18",
    soc2="CC6.2",
)
def _token_of_an_inactive_user(site: Site, token: Resource) -> Outcome:
    if not is_live(token, site):
        return NOT_APPLICABLE
    owner = site.by_id("users", token.data["user_id"])
    if owner is not None and owner.data["active"]:
        return PASS
    return fail("Its owner is not active.", owner=site.username(token.data["user_id"]), expiry=token.data["expiry"])


@control(
    "TOK-02",
    "Token lives longer than the policy allows",
    HIGH,
    of="tokens",
    remediation="Rotate the token with a shorter lifespan.",
    example=(
        "- determined.ai.det_token:\n    user: alice\n    description: ci/nightly\n    state: rotated\n    lifespan: 30d\n"
        "    dest: /etc/ci/determined.token\n"
    ),
    cis="5.2, 6.2",
    nist="IA-5",
    iso="A.5.17",
    soc2="CC6.1",
)
def _token_lives_too_long(site: Site, token: Resource) -> Outcome:
    if not is_live(token, site) or is_auditors(token, site):
        return NOT_APPLICABLE
    days, most = _life_days(token), site.parameters.token_max_days
    if days <= most:
        return PASS
    return fail(f"It lives longer than {most} days.", life_days=_shown_life(days), expiry=token.data["expiry"])


@control(
    "TOK-03",
    "Token not rotated",
    MEDIUM,
    of="tokens",
    remediation="Rotate the token.",
    example=(
        "- determined.ai.det_token:\n    user: alice\n    description: ci/nightly\n    rotate_if_older_than: 30d\n"
        "    dest: /etc/ci/determined.token\n"
    ),
    cis="5.5",
    nist="IA-5",
    iso="A.5.17",
    soc2="CC6.1",
)
def _token_not_rotated(site: Site, token: Resource) -> Outcome:
    if not is_live(token, site) or is_auditors(token, site):
        return NOT_APPLICABLE
    days = (site.now - moment(token.data["created_at"])).total_seconds() / 86400
    most = site.parameters.token_rotation_days
    if days <= most:
        return PASS
    return fail(f"It is older than {most} days.", age_days=round(days, 1), created_at=token.data["created_at"])


@control(
    "TOK-04",
    "Token without purpose",
    LOW,
    of="tokens",
    remediation="Make a token whose description says who uses it and what for, as in owner/purpose, and revoke this one.",
    example="- determined.ai.det_token:\n    user: alice\n    description: ml-platform/nightly training\n",
    cis="5.5",
    nist="AC-2, IA-4",
    iso="A.5.16",
    soc2="CC6.1",
)
def _token_without_purpose(site: Site, token: Resource) -> Outcome:
    if not is_live(token, site) or is_auditors(token, site):
        return NOT_APPLICABLE
    description = token.data["description"]
    if not description.strip():
        return fail("It has no description.", description=description)
    if re.fullmatch(site.parameters.token_description_pattern, description):
        return PASS
    return fail("Its description does not match the pattern owner/purpose.", description=description)


@control(
    "TOK-05",
    "Administrator's standing tokens, or too many of one user",
    MEDIUM,
    of="users",
    reads=("tokens", "role_assignments", "groups"),
    details=("members",),
    remediation="Give the work to a service user with less right, and revoke what is not used.",
    example="- determined.ai.det_token:\n    user: alice\n    description: laptop\n    state: absent\n",
    cis="5.4, 5.5",
    nist="AC-6(5)",
    iso="A.8.2",
    soc2="CC6.3",
)
def _standing_tokens(site: Site, user: Resource) -> Outcome:
    if user.id == site.rights.user_id:
        return NOT_APPLICABLE
    site.all("tokens")
    live = site.memo(live_tokens)[t.cast(int, user.id)]
    faults: list[str] = []
    most = site.parameters.max_tokens_per_user
    if live > most:
        faults.append(f"The user has more than {most} live tokens.")
    allowed: t.Sequence[str] = site.parameters.allowed_admin_tokens or ()
    if live and user.key not in allowed and user.id in site.admins:
        faults.append("The user is an administrator and has live tokens.")
    return failing(faults, live_tokens=live)


@control(
    "TOK-06",
    "Cluster allows too long a life of tokens",
    MEDIUM,
    of="cluster",
    reads=("master_config",),
    remediation="Set security.token.max_lifespan_days and default_lifespan_days in the master's configuration.",
    example="security:\n  token:\n    max_lifespan_days: 90\n    default_lifespan_days: 30\n",
    cis="4.1",
    nist="IA-5, CM-6",
    iso="A.5.17",
    soc2="CC6.1",
)
def _cluster_allows_long_tokens(site: Site, cluster: Resource) -> Outcome:
    most = site.parameters.token_max_days
    found = {name: site.config(f"security.token.{name}") for name in ("max_lifespan_days", "default_lifespan_days")}
    faults = [
        f"{name} is {'without limit' if days == -1 else days}, more than {most}."
        for name, days in found.items()
        if days == -1 or days > most
    ]
    return failing(faults, **found)
