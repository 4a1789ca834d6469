# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control of drift from git, on a planted cluster that fails, passes, and can't be judged."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.determined.ai.plugins.module_utils._audit.drift import declared_at
from ansible_collections.determined.ai.plugins.module_utils._gitops.manifest import (
    Deferred,
    Document,
    Locked,
    Manifest,
    Position,
)
from ansible_collections.determined.ai.plugins.module_utils._gitops.manifest_builder import build
from tests.simulator import Fault, Simulator
from tests.simulator.ml_state import TemplateRow

from .conftest import PASSWORD, Auditor, blind

CANARY = "CANARY-51d0"


def manifest(content: dict[str, t.Any], settings: dict[str, t.Any] | None = None) -> Manifest:
    """A manifest as if it lay in files: each entry of a kind on a line of its own, from 10 on."""

    def place(path: tuple[str | int, ...]) -> Position:
        return Position(
            f"{path[0]}.yml" if path else "determined.yml", 10 + next((i for i in path if isinstance(i, int)), 0)
        )

    return build([Document(content, place)], settings=[Document(settings or {}, place)], folder=None)


def users(**entry: t.Any) -> dict[str, t.Any]:
    return {"users": [{"username": "alice", "display_name": "Alice", "password": "Passw0rd-alice", **entry}]}


def plant(sim: Simulator, **fields: t.Any) -> None:
    sim.master.add_user("alice", active=True, **{"display_name": "Alice", **fields})


def test_gov_01_without_a_manifest_does_not_apply_and_reads_nothing(sim: Simulator, auditor: Auditor) -> None:
    found = auditor("GOV-01")
    assert found.status("GOV-01") == "not_applicable"
    assert found.controls["GOV-01"]["reason"] == "No manifest is given."
    assert not any(entry.method == "GET" and entry.path == "/api/v1/workspaces" for entry in sim.journal)


def test_gov_01_missing_changed_and_same(sim: Simulator, auditor: Auditor) -> None:
    declared = manifest(users())
    found = auditor("GOV-01", manifest=declared)
    assert found.keys("GOV-01") == ["fail users/alice"]
    assert found.of("GOV-01")[0]["evidence"]["fields"] == {"drift": "missing"}
    plant(sim)
    assert auditor("GOV-01", manifest=declared).status("GOV-01") == "pass"
    alice = sim.master.user_by_name("alice")
    assert alice is not None
    alice.display_name, alice.rendered = f"{CANARY} by hand", None
    found = auditor("GOV-01", manifest=declared)
    assert found.keys("GOV-01") == ["fail users/alice"]
    # Names of fields, no values: those may be secret.
    assert found.of("GOV-01")[0]["evidence"]["fields"] == {"drift": "changed", "changed": ["display_name"]}
    assert CANARY not in str(found.findings)


def test_gov_01_nothing_is_written(sim: Simulator, auditor: Auditor) -> None:
    auditor("GOV-01", manifest=manifest({**users(), "workspaces": [{"name": "new", "projects": [{"name": "one"}]}]}))
    writes = {
        (entry.method, entry.path)
        for entry in sim.journal
        if entry.method != "GET" and not entry.path.startswith("/api/v1/auth/") and "/search" not in entry.path
    }
    assert writes == set()
    assert [row.name for row in sim.master.workspaces.values()] == ["Uncategorized"]


def test_gov_01_extra_counts_in_exclusive_kinds_only(sim: Simulator, auditor: Auditor) -> None:
    plant(sim)
    sim.master.add_user("mallory", active=True)
    assert auditor("GOV-01", manifest=manifest(users())).status("GOV-01") == "pass"
    assert auditor("GOV-01", manifest=manifest(users(), {"prune": {"users": "managed"}})).status("GOV-01") == "pass"
    settings = {"prune": {"users": "exclusive"}, "protect": [{"kind": "users", "name": "svc-*"}]}
    sim.master.add_user("svc-backup", active=True)
    found = auditor("GOV-01", manifest=manifest(users(), settings))
    # The built-in users and the auditor are kept.
    assert found.keys("GOV-01") == ["fail users/mallory"]
    assert found.of("GOV-01")[0]["evidence"]["faults"] == ["It is there, and not declared."]


def test_gov_01_what_is_declared_absent_and_there(sim: Simulator, auditor: Auditor) -> None:
    plant(sim)
    found = auditor("GOV-01", manifest=manifest({"users": [{"username": "alice", "state": "absent"}]}))
    assert found.keys("GOV-01") == ["fail users/alice"]


def test_gov_01_the_fingerprint_of_an_object_is_the_same_whatever_else_is_read(
    sim: Simulator, auditor: Auditor
) -> None:
    alone = auditor("GOV-01", manifest=manifest(users())).of("GOV-01")
    plant(sim, display_name="Other")
    beside = auditor("GOV-01", "TOK-05", manifest=manifest(users())).of("GOV-01")
    assert alone[0]["fingerprint"] == beside[0]["fingerprint"]


def test_gov_01_what_can_not_be_seen_is_unknown() -> None:
    declared = manifest({"templates": [{"name": "base", "config": {"max_restarts": 1}}]})
    with Simulator(fixture="empty", authz="rbac") as sim:
        assert Auditor(sim)("GOV-01", manifest=declared).keys("GOV-01") == ["fail templates/base"]
        # What is not there may be what is not shown.
        assert blind(sim)("GOV-01", manifest=declared).keys("GOV-01") == ["unknown templates/base"]
        # Prune refuses where the list may not be whole.
        exclusive = manifest(users(), {"prune": {"groups": "exclusive", "users": "exclusive"}})
        assert Auditor(sim)("GOV-01", manifest=exclusive).status("GOV-01") == "fail"
        webhooks = manifest({"webhooks": []}, {"prune": {"webhooks": "exclusive"}, "allow_empty": ["webhooks"]})
        nobody = Auditor(sim, "blind", PASSWORD)
        assert nobody("GOV-01", manifest=webhooks).keys("GOV-01") == ["unknown webhooks/*"]


@pytest.mark.parametrize("status", [403, 404, 500, 501])
def test_gov_01_a_list_that_is_not_shown_is_unknown(sim: Simulator, auditor: Auditor, status: int) -> None:
    sim.master.templates["base"] = TemplateRow("base", {"max_restarts": 1}, 1)
    declared = manifest({"templates": [{"name": "base", "config": {"max_restarts": 1}}]})
    assert auditor("GOV-01", manifest=declared).status("GOV-01") == "pass"
    body = {"error": {"code": 7, "reason": "", "error": "not shown"}}
    sim.faults.add(Fault("status", path="/api/v1/templates$", status=status, body=body, count=0))
    assert auditor("GOV-01", manifest=declared).keys("GOV-01") == ["unknown templates/base"]


def test_gov_01_a_manifest_that_refers_to_what_is_not_there_is_unknown(sim: Simulator, auditor: Auditor) -> None:
    declared = manifest({"groups": [{"name": "team", "members": ["nobody-here"]}]})
    found = auditor("GOV-01", "TOK-01", manifest=declared)
    assert found.keys("GOV-01") == ["unknown cluster/*"]
    assert "groups.yml:10" in found.of("GOV-01")[0]["evidence"]["faults"][0]
    assert found.status("TOK-01") == "not_applicable"


def test_gov_01_secrets_that_could_not_be_compared_are_unknown(sim: Simulator, auditor: Auditor) -> None:
    def locked() -> t.Any:
        raise Locked("it is vaulted, and no password opens it")

    def registry(password: t.Any) -> dict[str, t.Any]:
        return {"environment": {"registry_auth": {"username": "ci", "password": password}}}

    sim.master.templates["base"] = TemplateRow("base", registry(CANARY), 1)

    def declared(work: t.Callable[[], t.Any]) -> Manifest:
        return manifest({"templates": [{"name": "base", "config": registry(Deferred("", True, work))}]})

    assert auditor("GOV-01", manifest=declared(lambda: CANARY)).status("GOV-01") == "pass"
    assert auditor("GOV-01", manifest=declared(lambda: "another")).keys("GOV-01") == ["fail templates/base"]
    found = auditor("GOV-01", manifest=declared(locked))
    assert found.keys("GOV-01") == ["unknown templates/base"]
    assert CANARY not in str(found.findings)


def test_where_objects_are_declared() -> None:
    declared = manifest({**users(), "groups": [{"name": "one"}, {"name": "two"}]})
    assert declared_at(declared) == {
        ("users", "alice"): {"file": "users.yml", "line": 10},
        ("groups", "one"): {"file": "groups.yml", "line": 10},
        ("groups", "two"): {"file": "groups.yml", "line": 11},
    }
