# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated master answers every step of every scenario as the real master did when it was recorded."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

import pytest

from tests.simulator import Simulator
from tests.simulator.fixtures import INITIAL_PASSWORD

from .player import Player, differences
from .record import mode_of, read, sign_in
from .scenario import FOLDER, MODES, Scenario, load_all

SCENARIOS = load_all()
CASES = [pytest.param(mode, one, id=f"{mode}-{one.name}") for one in SCENARIOS for mode in one.modes]


@pytest.fixture(scope="module")
def masters() -> Iterator[dict[str, Simulator]]:
    """A simulated master for each authorisation mode."""
    with Simulator("empty", "basic", async_delay=0.05) as basic, Simulator("empty", "rbac", async_delay=0.05) as rbac:
        yield {"basic": basic, "rbac": rbac}


@pytest.mark.parametrize(("mode", "scenario"), CASES)
def test_scenario(masters: dict[str, Simulator], mode: str, scenario: Scenario) -> None:
    recorded = read(scenario.recording(mode))
    if recorded is None:
        pytest.fail(f"{scenario.name} is not recorded for {mode}; README.md says how", pytrace=False)
    sim = masters[mode]
    sim.reset("empty")
    sim.master.resource_pools.update({pool: {} for pool in scenario.pools})
    if scenario.scim:
        sim.master.config["scim"] = {"enabled": True, "auth": {"type": scenario.scim}}
    player = Player(sim.url, "", seed=1)
    try:
        player.token = sign_in(player.http, sim.url, "admin", INITIAL_PASSWORD)
        answers = player.play(scenario, mode)
    finally:
        player.close()
    assert [answer["step"] for answer in recorded] == [answer["step"] for answer in answers], "record it again"
    wrong = []
    for number, (before, now) in enumerate(zip(recorded, answers, strict=True), 1):
        lines = differences(before, now)
        if lines:
            wrong.append(f"answer {number}, {now['step']} as {now['as']}:")
            wrong += [f"    {line}" for line in lines[:8]]
    if wrong:
        pytest.fail(f"{scenario.name} ({mode}): recorded, and what became of it\n" + "\n".join(wrong), pytrace=False)


def test_recordings_have_a_scenario() -> None:
    wanted = {scenario.recording(mode) for scenario in SCENARIOS for mode in scenario.modes}
    assert set((FOLDER / "recordings").glob("*/*")) == wanted


@pytest.mark.parametrize("mode", MODES)
def test_recorder_tells_the_mode(masters: dict[str, Simulator], mode: str) -> None:
    sim = masters[mode]
    player = Player(sim.url, sim.login("admin"))
    player.http.headers["Authorization"] = f"Bearer {player.token}"
    try:
        assert mode_of(player.http, sim.url) == mode
    finally:
        player.close()


def test_recordings_hold_no_secret() -> None:
    """A token is the one secret that answers carry; placeholders stand for them."""
    found: list[t.Any] = [
        path for path in (FOLDER / "recordings").glob("*/*") if "v2.public." in path.read_text("utf-8")
    ]
    assert found == []
