# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Controls of the master and its configuration (API page identity-and-cluster, section 7; ``master/internal/config`` of 0.38.1)."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from urllib.parse import urlsplit

from .._kinds.masking import MASK
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
    failing,
    unknown,
)
from .secrets import find_secrets
from .site import Site, moment
from .sources import TLS


def is_local(host: str | None) -> bool:
    """Whether a host is the machine itself; an empty one and a socket's path are for the database driver."""
    if not host or host.startswith("/") or host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# --- TLS ---

OLD_TLS = frozenset({"SSLv2", "SSLv3", "TLSv1", "TLSv1.1"})


@control(
    "CLU-01",
    "API without TLS",
    CRITICAL,
    of="cluster",
    reads=("master_config", TLS),
    remediation="Give the master a certificate, or put a proxy in front of it that ends TLS and set tls_terminated.",
    example="security:\n  tls:\n    cert: /etc/determined/master.crt\n    key: /etc/determined/master.key\n",
    cis="3.10",
    nist="SC-8, SC-23",
    iso="A.8.24",
    soc2="CC6.7",
)
def _api_without_tls(site: Site, cluster: Resource) -> Outcome:
    parts = urlsplit(site.connection["url"])
    if parts.scheme == "https":
        return _handshake(site)
    if not is_local(parts.hostname):
        return fail("It is reached by http.", scheme=parts.scheme, host=parts.hostname)
    # Whoever audits on the master's own host sees nothing of what the others go through.
    if site.parameters.tls_terminated or site.config("security.tls.cert"):
        return PASS
    return unknown(
        "It is reached by http on this host itself: whether others need TLS can't be told. If a proxy ends it, set tls_terminated.",
        scheme=parts.scheme,
        host=parts.hostname,
    )


def _handshake(site: Site) -> Outcome:
    found = site.all(TLS)
    if not found:
        return unknown("No TLS handshake could be made here.")
    version, not_after = found[0].data["version"], found[0].data["not_after"]
    days, least = (moment(not_after) - site.now).total_seconds() / 86400, site.parameters.certificate_min_days
    faults = [f"{version} was negotiated, older than TLS 1.2."] if version in OLD_TLS else []
    if days < 0:
        faults.append("Its certificate has expired.")
    elif days < least:
        faults.append(f"Its certificate expires in less than {least} days.")
    return failing(faults, tls_version=version, certificate_not_after=not_after)


def _agents_are_not_the_masters(site: Site, manager: t.Mapping[str, t.Any]) -> list[str]:
    """What is wrong with how the agents of a resource manager are authenticated.

    The master looks at certificates of agents where it ends TLS itself (``HandleWebsocketConnection`` in
    ``master/internal/rm/agentrm/agents.go``), and without ``client_ca`` it takes those of each authority that its host trusts
    (``master/internal/core.go``).
    """
    if not manager["require_authentication"]:
        return ["require_authentication is false."]
    faults = (
        [] if site.config("security.tls.cert") else ["require_authentication has no effect: the master serves no TLS."]
    )
    if not manager["client_ca"]:
        faults.append("client_ca is not set, so certificates of any authority that the master's host trusts are taken.")
    return faults


@control(
    "CLU-02",
    "Agents not authenticated",
    HIGH,
    of="cluster",
    reads=("master_config",),
    remediation="Set resource_manager.require_authentication and client_ca in the master's configuration, and give agents certificates.",
    example="resource_manager:\n  type: agent\n  require_authentication: true\n  client_ca: /etc/determined/agents-ca.crt\n",
    cis="12.6",
    nist="IA-3, SC-8",
    iso="A.8.20",
    soc2="CC6.6",
)
def _agents_not_authenticated(site: Site, cluster: Resource) -> Outcome:
    managers = [site.config("resource_manager")]
    managers += [one["resource_manager"] for one in site.config("additional_resource_managers", None) or ()]
    strange = {str(manager["type"]) for manager in managers} - {"agent", "kubernetes"}
    if strange:
        raise Unseen(
            f"how agents are authenticated with resource managers of the type {', '.join(sorted(strange))} is not known here"
        )
    agents = [manager for manager in managers if manager["type"] == "agent"]
    if not agents:
        return NOT_APPLICABLE
    faults = [
        f"{manager.get('cluster_name') or 'default'}: {fault}"
        for manager in agents
        for fault in _agents_are_not_the_masters(site, manager)
    ]
    return failing(faults)


# --- versions ---

_VERSION = re.compile(
    r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:[-.]?(dev|rc|alpha|beta|pre|[ab](?=\d))[\w.]*)?(?:[-+].*)?", re.IGNORECASE
)


def version_key(text: str) -> tuple[int, int, int, bool] | None:
    """A version as something that compares: 0.38.9 before 0.38.10, and 0.38.1-rc1 before 0.38.1. None for a text that is none."""
    found = _VERSION.fullmatch(text.strip())
    if found is None:
        return None
    return int(found[1]), int(found[2] or 0), int(found[3] or 0), found[4] is None


@control(
    "CLU-03",
    "Old or mixed versions",
    HIGH,
    of=("cluster", "agents"),
    reads=("resource_pools",),
    remediation="Upgrade the master, and its agents to the same version.",
    cis="2.2, 7.4",
    nist="SI-2, SA-22",
    iso="A.8.8",
    soc2="CC7.1",
)
def _old_or_mixed_versions(site: Site, resource: Resource) -> Outcome:
    master = site.master["version"]
    if resource.kind == "agents":
        return _agent_of_another_version(site, resource, master)
    least = site.parameters.minimum_version
    if least is None:
        return NOT_APPLICABLE
    found, wanted = version_key(master), version_key(least)
    if found is None or wanted is None:
        return unknown("The master does not say its version.", version=master, minimum_version=least)
    return failing([f"It is older than {least}."] if found < wanted else [], version=master)


def _agent_of_another_version(site: Site, agent: Resource, master: str) -> Outcome:
    version = agent.data["version"]
    if version:
        faults = [] if version == master else ["Its version is another than the master's."]
        return failing(faults, version=version, master_version=master)
    # What Kubernetes lists as agents are nodes: nothing of this product runs there by itself.
    pools = [site.by_id("resource_pools", name) for name in agent.data["resource_pools"] or ()]
    if pools and all(pool is not None and pool.data["type"] == "RESOURCE_POOL_TYPE_K8S" for pool in pools):
        return NOT_APPLICABLE
    return unknown("It does not say its version.", master_version=master)


# --- what leaves the site, and what is kept ---

SEGMENT_KEYS = ("segment_master_key", "segment_webui_key")


@control(
    "CLU-04",
    "Telemetry leaves the site",
    MEDIUM,
    of="cluster",
    reads=("master_config",),
    remediation="Set telemetry.enabled and telemetry.otel_enabled to false in the master's configuration, or accept it by telemetry_accepted.",
    example="telemetry:\n  enabled: false\n  otel_enabled: false\n",
    cis="4.8",
    nist="SC-7, AC-4",
    iso="A.8.12",
    soc2="CC6.7",
)
def _telemetry_leaves(site: Site, cluster: Resource) -> Outcome:
    if site.parameters.telemetry_accepted:
        return PASS
    if site.master["telemetry_enabled"]:
        # True only with a key (API page identity-and-cluster, 7.2), and told to anybody.
        return fail("Telemetry is sent to Segment.", telemetry_enabled=True)
    telemetry = site.config("telemetry")
    # A key that is set shows as a mask.
    keys = [name for name in SEGMENT_KEYS if telemetry[name]]
    faults = ["Telemetry is sent to Segment."] if telemetry["enabled"] and keys else []
    host = _host(telemetry["otel_endpoint"])
    if telemetry["otel_enabled"] and not (host and is_local(host)):
        faults.append("Traces are sent to another host.")
    return failing(
        faults, enabled=telemetry["enabled"], keys=keys, otel_enabled=telemetry["otel_enabled"], otel_host=host
    )


def _host(endpoint: str) -> str | None:
    """The host of ``host:port`` or of a URL."""
    return urlsplit(endpoint if "://" in endpoint else f"//{endpoint}").hostname


LOUD_ENOUGH = frozenset({"info", "debug", "trace"})
"""The levels at which lines of level info are logged; the product reads them without regard to case."""


@control(
    "CLU-05",
    "No audit trail",
    HIGH,
    of="cluster",
    reads=("master_config",),
    remediation=(
        "Set __internal.audit_logging_enabled and log.level info in the master's configuration, and ship its standard output; its own "
        "log keeps only denied requests."
    ),
    example="__internal:\n  audit_logging_enabled: true\nlog:\n  level: info\n",
    cis="8.2, 8.5",
    nist="AU-2, AU-12",
    iso="A.8.15",
    soc2="CC7.2",
)
def _no_audit_trail(site: Site, cluster: Resource) -> Outcome:
    enabled, level = site.config("__internal.audit_logging_enabled"), site.config("log.level")
    faults = [] if enabled else ["audit_logging_enabled is false."]
    if str(level).lower() not in LOUD_ENOUGH:
        faults.append("log.level is above info, the level of the audit lines.")
    return failing(faults, audit_logging_enabled=enabled, log_level=level)


FOR_EVER = -1


def _wrong_days(site: Site, days: int) -> list[str]:
    """What is wrong with how long logs are kept."""
    least, most = site.parameters.log_retention_days, site.parameters.max_retention_days
    if 0 <= days < least:
        return [f"Logs are kept for less than {least} days."]
    if days == FOR_EVER:
        return [] if most is None else [f"Logs are kept for ever, not {most} days at most."]
    return [f"Logs are kept for more than {most} days."] if most is not None and days > most else []


@control(
    "CLU-06",
    "Log retention undefined",
    MEDIUM,
    of=("cluster", "experiments"),
    reads=("master_config",),
    remediation=(
        "Set retention_policy.log_retention_days and its schedule in the master's configuration; days of an experiment's own are "
        "changed with det_api (PUT /api/v1/experiments/retain_logs). It is about trial logs only."
    ),
    example='retention_policy:\n  log_retention_days: 90\n  schedule: "0 3 * * *"\n',
    cis="8.10, 3.4",
    nist="AU-11",
    iso="A.8.10, A.8.15",
    soc2="CC7.2",
)
def _log_retention_undefined(site: Site, resource: Resource) -> Outcome:
    if resource.kind == "experiments":
        # Only its own: what it inherits is not written into its config (``master/internal/core_experiment.go``).
        own = ((resource.data.get("config") or {}).get("retention_policy") or {}).get("log_retention_days")
        return NOT_APPLICABLE if own is None else failing(_wrong_days(site, own), log_retention_days=own)
    days, schedule = site.config("retention_policy.log_retention_days"), site.config("retention_policy.schedule")
    if days is None:
        return fail("No log_retention_days is set.", log_retention_days=None, schedule=schedule)
    faults = _wrong_days(site, days)
    if days != FOR_EVER and not schedule:
        faults.append("No schedule is set, so nothing cleans up.")
    return failing(faults, log_retention_days=days, schedule=schedule)


ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})


@control(
    "CLU-07",
    "Database without TLS",
    MEDIUM,
    of="cluster",
    reads=("master_config",),
    remediation="Set db.ssl_mode to verify-full and db.ssl_root_cert in the master's configuration.",
    example="db:\n  ssl_mode: verify-full\n  ssl_root_cert: /etc/determined/db-ca.crt\n",
    cis="3.10",
    nist="SC-8",
    iso="A.8.24",
    soc2="CC6.7",
)
def _database_without_tls(site: Site, cluster: Resource) -> Outcome:
    mode, host = site.config("db.ssl_mode"), site.config("db.host")
    if is_local(host) or mode in ENCRYPTED:
        return PASS
    if mode == "disable":
        return fail("The database is on another host and ssl_mode is disable.", ssl_mode=mode, host=host)
    return unknown("The database is on another host, and whether TLS is used is left to it.", ssl_mode=mode, host=host)


@control(
    "CLU-08",
    "Weak master settings",
    LOW,
    of="cluster",
    reads=("master_config",),
    remediation=(
        "In the master's configuration, set enable_cors to false, security.ssh.key_type to ED25519, and under RBAC "
        "security.authz.strict_job_queue_control to true."
    ),
    example=(
        "enable_cors: false\nsecurity:\n  ssh:\n    key_type: ED25519\n  authz:\n    type: rbac\n    strict_job_queue_control: true\n"
    ),
    cis="4.1",
    nist="CM-6, SC-13",
    iso="A.8.9, A.8.24",
    soc2="CC6.1",
)
def _weak_settings(site: Site, cluster: Resource) -> Outcome:
    faults: list[str] = []
    fields: dict[str, t.Any] = {}
    gaps: list[str] = []
    if site.rbac:
        # Told to anybody.
        fields["strict_job_queue_control"] = site.master["strict_job_queue_control"]
        if fields["strict_job_queue_control"] is None:
            gaps.append("This master does not say whether the job queue is open to all.")
        elif not fields["strict_job_queue_control"]:
            faults.append("Everybody may change the job queue.")
    try:
        fields |= {"enable_cors": site.config("enable_cors"), **site.config("security.ssh")}
    except Unseen as unseen:
        if not faults:
            raise
        gaps.append(f"{str(unseen)[0].upper()}{str(unseen)[1:]}.")
    else:
        least = site.parameters.rsa_min_bits
        if fields["enable_cors"]:
            faults.append("enable_cors is true: pages of any site may call the API.")
        # Of other types the size is 0.
        if str(fields["key_type"]).upper() == "RSA" and fields["rsa_key_size"] < least:
            faults.append(f"The RSA keys for shells have less than {least} bits.")
    if faults:
        return fail(*faults, *gaps, **fields)
    return unknown(*gaps, **fields) if gaps else PASS


# --- secrets that everybody reads ---

CLEAR = (
    "webhooks.signing_key",
    "scim.auth.username",
    "scim.auth.password",
    "oidc.client_secret",
    "checkpoint_storage.connection_string",
    "checkpoint_storage.credential",
)
"""What the master leaves in clear in its configuration if it is set ([live]); its log has the same text."""


SECTIONS = frozenset({*(path.partition(".")[0] for path in CLEAR), "task_container_defaults", "resource_pools"})
"""Where these secrets and those of containers are looked for; each master of this release has all of them."""


def _in_clear(config: t.Mapping[str, t.Any]) -> list[str]:
    """Where secrets stand in clear in a master's configuration, pools' own defaults aside."""
    found = [path for path in CLEAR if _is_clear(_at(config, path))]
    return [*found, *_secrets_of(config.get("task_container_defaults"), "task_container_defaults")]


def _in_pools(config: t.Mapping[str, t.Any]) -> list[str]:
    """Where secrets stand in the defaults of a pool, none of which the master masks."""
    managers = config.get("additional_resource_managers") or []
    pools = [
        *(config.get("resource_pools") or []),
        *(pool for one in managers for pool in one.get("resource_pools") or []),
    ]
    return [
        place
        for pool in pools
        for place in _secrets_of(
            pool.get("task_container_defaults"), f"resource_pools[{pool.get('pool_name')}].task_container_defaults"
        )
    ]


def _secrets_of(defaults: t.Mapping[str, t.Any] | None, place: str) -> list[str]:
    return sorted({f"{place}.{hit.path}" for hit in find_secrets(defaults or {})})


def _at(config: t.Any, path: str) -> t.Any:
    for name in path.split("."):
        config = config.get(name) if isinstance(config, dict) else None
    return config


def _is_clear(value: t.Any) -> bool:
    return bool(value) and value != MASK


@control(
    "CLU-09",
    "Secrets in the master's log and config, readable by every user",
    CRITICAL,
    of="cluster",
    reads=("master_config", "master_log"),
    remediation="Enable RBAC, take secrets out of the master's configuration, and rotate those that stand there.",
    example="security:\n  authz:\n    type: rbac\n",
    cis="3.11, 6.8",
    nist="IA-5(7), AC-3",
    iso="A.5.17, A.8.3",
    soc2="CC6.1",
)
def _secrets_readable_by_all(site: Site, cluster: Resource) -> Outcome:
    # The log has the configuration as it was at the start, and so has the same in another place: either will do. Once the
    # log's ring has gone round, its first entry is gone.
    logged = next((entry.data["config"] for entry in site.seen("master_log") if entry.id == 0), None)
    config = site.all("master_config")[0].data if logged is None else logged
    places = _in_pools(config)
    if not site.rbac:
        places = [*_in_clear(config), *places]
    if not places:
        absent = sorted(SECTIONS - config.keys())
        if absent:
            raise Unseen(f"{absent[0]} is not in the configuration that this master shows")
        return PASS
    who = "who may read the configuration or the log" if site.rbac else "every user"
    return fail(
        f"Secrets stand there in clear for {who}.",
        places=places,
        read_in="master configuration" if logged is None else "master log",
    )
