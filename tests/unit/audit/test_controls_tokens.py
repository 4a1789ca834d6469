# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls of access tokens, each on a planted cluster that fails, passes, and can't be judged."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from tests.simulator import Simulator
from tests.simulator.state import ACCESS_TOKEN, SessionRow

from .conftest import Auditor, blind


def token(
    sim: Simulator, owner: str, description: str | None = "team/ci", *, age: float = 1, life: float = 30, **user: t.Any
) -> SessionRow:
    """A token of a user, who is made if there is none."""
    master = sim.master
    if owner not in master.user_ids:
        master.add_user(owner, active=user.get("active", True), admin=user.get("admin", False))
    row = master.users[master.user_ids[owner]]
    created = master.now() - timedelta(days=age)
    return master.add_session(row, ACCESS_TOKEN, timedelta(days=life), description=description, created=created)


def test_tok_01(sim: Simulator, auditor: Auditor) -> None:
    token(sim, "alice")
    assert auditor("TOK-01").status("TOK-01") == "pass"
    token(sim, "bob", active=False)
    token(sim, "carl", active=False, age=40, life=30)
    token(sim, "dora", active=False).revoked_at = sim.master.now()
    assert auditor("TOK-01").keys("TOK-01") == ["fail tokens/bob/team/ci"]


def test_tok_01_without_tokens_does_not_apply_and_blind_is_unknown(sim: Simulator, auditor: Auditor) -> None:
    assert auditor("TOK-01").status("TOK-01") == "not_applicable"
    found = blind(sim)("TOK-01")
    assert found.keys("TOK-01") == ["unknown tokens/*"]


def test_tok_02(sim: Simulator, auditor: Auditor) -> None:
    token(sim, "alice", life=90)
    assert auditor("TOK-02").status("TOK-02") == "pass"
    token(sim, "bob", life=91)
    token(sim, "carl", life=106_751)
    found = auditor("TOK-02")
    assert found.keys("TOK-02") == ["fail tokens/bob/team/ci", "fail tokens/carl/team/ci"]
    assert [one["evidence"]["fields"]["life_days"] for one in found.of("TOK-02")] == [91.0, "no expiry"]
    assert auditor("TOK-02", parameters={"token_max_days": 91}).keys("TOK-02") == ["fail tokens/carl/team/ci"]


def test_tok_03(sim: Simulator, auditor: Auditor) -> None:
    token(sim, "alice", age=59, life=80)
    assert auditor("TOK-03").status("TOK-03") == "pass"
    token(sim, "bob", age=61, life=80)
    token(sim, "carl", age=61, life=30)
    assert auditor("TOK-03").keys("TOK-03") == ["fail tokens/bob/team/ci"]


def test_tok_04(sim: Simulator, auditor: Auditor) -> None:
    token(sim, "alice", "platform/nightly training")
    assert auditor("TOK-04").status("TOK-04") == "pass"
    token(sim, "bob", None)
    token(sim, "carl", "laptop")
    assert auditor("TOK-04").keys("TOK-04") == ["fail tokens/bob/", "fail tokens/carl/laptop"]


def test_tok_05(sim: Simulator, auditor: Auditor) -> None:
    for number in range(3):
        token(sim, "alice", f"team/{number}")
    assert auditor("TOK-05").status("TOK-05") == "pass"
    token(sim, "alice", "team/one more")
    token(sim, "root2", admin=True)
    assert auditor("TOK-05").keys("TOK-05") == ["fail users/alice", "fail users/root2"]
    allowed = {"allowed_admin_tokens": ["root2"], "max_tokens_per_user": 4}
    assert auditor("TOK-05", parameters=allowed).status("TOK-05") == "pass"


def test_the_auditors_own_token_is_exempt(sim: Simulator, auditor: Auditor) -> None:
    for number in range(5):
        token(sim, "admin", str(number), age=100, life=200)
    token(sim, "alice")
    names = ("TOK-02", "TOK-03", "TOK-04", "TOK-05")
    found = auditor(*names)
    assert [found.status(name) for name in names] == ["pass"] * 4


def test_tok_06(sim: Simulator, auditor: Auditor) -> None:
    limits = sim.master.config["security"]["token"]
    limits.update(max_lifespan_days=90, default_lifespan_days=30)
    assert auditor("TOK-06").status("TOK-06") == "pass"
    for days in (91, -1):
        limits["max_lifespan_days"] = days
        found = auditor("TOK-06")
        assert found.keys("TOK-06") == [f"fail cluster/{sim.master.cluster_id}"]
    assert found.of("TOK-06")[0]["evidence"]["faults"] == ["max_lifespan_days is without limit, more than 90."]


def test_who_may_not_see_tokens_and_configuration_passes_nothing(sim: Simulator) -> None:
    names = ("TOK-01", "TOK-02", "TOK-03", "TOK-04", "TOK-05", "TOK-06")
    found = blind(sim)(*names)
    assert [found.status(name) for name in names] == ["unknown"] * 6
    assert found.keys("TOK-06") == ["unknown master_config/*"]
