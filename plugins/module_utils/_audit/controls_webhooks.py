# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Controls of webhooks (API page ml-resources, section 9)."""

from __future__ import annotations

import fnmatch
import re
from urllib.parse import urlsplit

from .control import HIGH, MEDIUM, NOT_APPLICABLE, Outcome, Resource, control, failing, unknown
from .site import Site

SCHEMES = frozenset({"http", "https"})


@control(
    "WHK-01",
    "Webhook over plain http or to an unknown host",
    HIGH,
    of="webhooks",
    remediation="Point the webhook to an https address of an allowed host, or remove it.",
    example=("- determined.ai.det_webhook:\n    name: alerts\n    url: https://hooks.example.com/determined\n"),
    cis="3.10",
    nist="SC-8, AC-4",
    iso="A.8.12",
    soc2="CC6.7",
)
def _webhook_to_anywhere(site: Site, webhook: Resource) -> Outcome:
    scheme, host = _scheme_and_host(webhook.data["url"])
    if scheme not in SCHEMES or not host:
        # The master stores any text that a PATCH gives it, an empty one too.
        return unknown("Its url is no address of http or https: where it posts to can't be told.")
    faults = ["It posts over plain http."] if scheme == "http" else []
    allowed = site.parameters.allowed_webhook_hosts
    if allowed is not None and not any(fnmatch.fnmatchcase(host, pattern.lower()) for pattern in allowed):
        faults.append("Its host is none of allowed_webhook_hosts.")
    # What comes after the host may be the right to post there: Slack's path is.
    return failing(faults, scheme=scheme, host=host)


def _scheme_and_host(url: str) -> tuple[str, str | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname
    except ValueError:
        return "", None


GENERATED = re.compile(r"[0-9a-f]{12}")
"""What the master makes up at each start if no key is set: six random bytes (``Resolve`` in ``master/internal/config/config.go``)."""


@control(
    "WHK-02",
    "Signing key not set or weak",
    MEDIUM,
    of="cluster",
    reads=("master_config", "webhooks"),
    remediation="Set a random webhooks.signing_key of 32 characters or more in the master's configuration, and rotate it.",
    example="webhooks:\n  signing_key: <what openssl rand -hex 32 printed>\n",
    cis="3.10",
    nist="SC-12, IA-5",
    iso="A.8.24",
    soc2="CC6.1",
)
def _weak_signing_key(site: Site, cluster: Resource) -> Outcome:
    if not site.seen("webhooks") and not site.all("webhooks"):
        return NOT_APPLICABLE
    key, least = site.config("webhooks.signing_key") or "", site.parameters.signing_key_min_length
    if GENERATED.fullmatch(key):
        return failing(["No key is set: the master makes one of 48 bits at each start."])
    return failing([f"It has fewer than {least} characters."] if len(key) < least else [])
