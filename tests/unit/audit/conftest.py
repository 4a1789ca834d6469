# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the audit share: a way to judge a simulated cluster by some controls."""

from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.determined.ai.plugins.module_utils._audit.catalogue import CATALOGUE
from ansible_collections.determined.ai.plugins.module_utils._audit.judge import Audit, Finding
from ansible_collections.determined.ai.plugins.module_utils._audit.profile import chosen_parameters
from ansible_collections.determined.ai.plugins.module_utils._audit.site import Site
from ansible_collections.determined.ai.plugins.module_utils._audit.snapshot import Snapshot
from ansible_collections.determined.ai.plugins.module_utils._wire.connection import CONNECTION_SPEC, Connection
from ansible_collections.determined.ai.plugins.module_utils._wire.session import Session
from tests.simulator import Simulator
from tests.simulator.fixtures import INITIAL_PASSWORD
from tests.simulator.state import hash_password, stored_password

UTC = datetime.UTC
PASSWORD = "Auditor-Passw0rd"


class Judged:
    """What controls said of a cluster."""

    def __init__(self, audit: Audit, site: Site, requests: int) -> None:
        self.audit = audit
        self.site = site
        self.requests = requests
        self.controls = {one["id"]: one for one in audit.shown_controls()}
        self.findings = audit.findings()

    def status(self, control: str) -> str:
        """The status of a control."""
        return t.cast(str, self.controls[control]["status"])

    def of(self, control: str) -> list[Finding]:
        """The findings of a control."""
        return [one for one in self.findings if one["control"] == control]

    def keys(self, control: str) -> list[str]:
        """What a control has findings about, as ``fail users/alice``."""
        return [f"{one['status']} {one['kind']}/{one['key']}" for one in self.of(control)]


class Auditor:
    """Judges one master."""

    def __init__(
        self, sim: Simulator, username: str = "admin", password: str = INITIAL_PASSWORD, **connection: t.Any
    ) -> None:
        self.sim = sim
        given = {"master": sim.url, "auth_username": username, "auth_password": password, "retries": 0, "timeout": 10}
        self._options = {**dict.fromkeys(CONNECTION_SPEC), **given, **connection}

    def __call__(
        self,
        *controls: str,
        parameters: dict[str, t.Any] | None = None,
        profile: str = "standard",
        **site: t.Any,
    ) -> Judged:
        """Judge by some controls.

        :param site: what `Site` takes beside the snapshot and the parameters, ``now``, and ``read_tls``, ``manifest`` and
            ``probes`` of `Snapshot`.
        """
        session = Session(Connection.resolve(self._options))
        try:
            found = chosen_parameters(profile, parameters or {})
            now = site.pop("now", None) or datetime.datetime.now(UTC)
            given = {name: site.pop(name) for name in ("read_tls", "manifest", "probes") if name in site}
            snapshot = Snapshot(session, now, concurrency=2, paused_max_days=found.paused_max_days, **given)
            snapshot.identify()
            view = Site(snapshot, found, now, **site)
            audit = Audit(snapshot, view, [CATALOGUE[name] for name in controls])
            audit.run()
            return Judged(audit, view, session.requests)
        finally:
            session.close()


def blind(sim: Simulator) -> Auditor:
    """An auditor without any right that a user does not have by default."""
    sim.master.add_user("blind", active=True, password=stored_password(hash_password(PASSWORD)))
    return Auditor(sim, "blind", PASSWORD)


@pytest.fixture
def auditor(sim: Simulator) -> Auditor:
    """The administrator of a freshly installed cluster under basic authorisation, as auditor."""
    return Auditor(sim)
