# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls of webhooks, each on a planted cluster that fails, passes, and can't be judged."""

from __future__ import annotations

import pytest

from tests.simulator import Simulator
from tests.simulator.webhooks import WebhookRow

from .conftest import Auditor, blind

CANARY = "CANARY-4be2"


def webhook(sim: Simulator, name: str, url: str, workspace_id: int | None = None) -> None:
    number = sim.master.next_id("webhooks")
    sim.master.webhooks[number] = WebhookRow(
        number, name, url, "WEBHOOK_TYPE_DEFAULT", "WEBHOOK_MODE_WORKSPACE", workspace_id, []
    )


# --- WHK-01


def test_whk_01(sim: Simulator, auditor: Auditor) -> None:
    webhook(sim, "good", "https://hooks.example.com/x")
    assert auditor("WHK-01").status("WHK-01") == "pass"
    webhook(sim, "plain", f"http://hooks.example.com:8080/services/{CANARY}?token={CANARY}", 1)
    found = auditor("WHK-01")
    assert found.keys("WHK-01") == ["fail webhooks/plain@Uncategorized"]
    assert found.of("WHK-01")[0]["evidence"]["fields"] == {"scheme": "http", "host": "hooks.example.com"}
    assert CANARY not in str(found.findings)


@pytest.mark.parametrize(
    ("allowed", "status"),
    [
        (["hooks.slack.com"], "pass"),
        (["HOOKS.slack.com"], "pass"),
        (["*.slack.com"], "pass"),
        (["slack.com"], "fail"),
        (["hooks.slack.com.example"], "fail"),
        ([], "fail"),
    ],
)
def test_whk_01_hosts(sim: Simulator, auditor: Auditor, allowed: list[str], status: str) -> None:
    webhook(sim, "slack", f"https://user:{CANARY}@Hooks.slack.com/services/{CANARY}")
    found = auditor("WHK-01", parameters={"allowed_webhook_hosts": allowed})
    assert found.status("WHK-01") == status
    assert CANARY not in str(found.findings)


def test_whk_01_both_faults_are_one_finding(sim: Simulator, auditor: Auditor) -> None:
    webhook(sim, "bad", "http://evil.example/x")
    found = auditor("WHK-01", parameters={"allowed_webhook_hosts": ["hooks.slack.com"]})
    assert [len(one["evidence"]["faults"]) for one in found.of("WHK-01")] == [2]


@pytest.mark.parametrize("url", ["", "hooks.example.com/x", "ftp://hooks.example.com", "https://[bad"])
def test_whk_01_what_is_no_address_is_unknown(sim: Simulator, auditor: Auditor, url: str) -> None:
    webhook(sim, "odd", url)
    assert auditor("WHK-01").keys("WHK-01") == ["unknown webhooks/odd@*"]


def test_whk_01_two_of_one_name_have_fingerprints_of_their_own(sim: Simulator, auditor: Auditor) -> None:
    for host in ("a", "b"):
        webhook(sim, "twin", f"http://{host}.example.com")
    found = auditor("WHK-01").of("WHK-01")
    assert [one["key"] for one in found] == ["twin@*", "twin@*"]
    assert len({one["fingerprint"] for one in found}) == 2


def test_without_webhooks_neither_applies_and_blind_is_unknown(sim: Simulator, auditor: Auditor) -> None:
    names = ("WHK-01", "WHK-02")
    assert [auditor(*names).status(name) for name in names] == ["not_applicable"] * 2
    found = blind(sim)(*names)
    assert [found.status(name) for name in names] == ["unknown"] * 2


# --- WHK-02


@pytest.mark.parametrize(
    ("key", "status", "fault"),
    [
        (f"{CANARY}-" + "x" * 32, "pass", ""),
        ("0123456789abcdef0123456789abcdef", "pass", ""),
        ("0a1b2c3d4e5f", "fail", "No key is set: the master makes one of 48 bits at each start."),
        ("x" * 31, "fail", "It has fewer than 32 characters."),
        ("", "fail", "It has fewer than 32 characters."),
        ("********", "unknown", "webhooks.signing_key of the master's configuration is masked"),
    ],
)
def test_whk_02(sim: Simulator, auditor: Auditor, key: str, status: str, fault: str) -> None:
    webhook(sim, "one", "https://hooks.example.com/x")
    sim.master.config["webhooks"]["signing_key"] = key
    found = auditor("WHK-02")
    assert found.status("WHK-02") == status
    assert [one["evidence"]["faults"] for one in found.of("WHK-02")] == ([[fault]] if fault else [])
    assert not key or key == "********" or key not in str(found.findings)


def test_whk_02_the_length_is_a_parameter(sim: Simulator, auditor: Auditor) -> None:
    webhook(sim, "one", "https://hooks.example.com/x")
    sim.master.config["webhooks"]["signing_key"] = "x" * 40
    assert auditor("WHK-02", parameters={"signing_key_min_length": 41}).status("WHK-02") == "fail"


def test_whk_02_with_webhooks_and_without_the_configuration_is_unknown(sim: Simulator) -> None:
    webhook(sim, "one", "https://hooks.example.com/x")
    assert blind(sim)("WHK-02").keys("WHK-02") == ["unknown master_config/*"]
