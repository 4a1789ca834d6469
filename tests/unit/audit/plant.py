# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Experiments and tasks on a simulated cluster, made through its API, so that the master's defaults are in their configurations."""

from __future__ import annotations

import json
import typing as t
import urllib.request
from datetime import timedelta

from tests.simulator import Simulator
from tests.simulator.ml_state import ConfigBase, ExperimentRow
from tests.simulator.state import USER_SESSION
from tests.simulator.tasks import TaskRow

MINIMAL = {
    "name": "planted",
    "entrypoint": "python3 train.py",
    "searcher": {"name": "single", "metric": "loss"},
    "resources": {"slots_per_trial": 0},
}


def call(sim: Simulator, method: str, path: str, body: t.Any = None) -> t.Any:
    """Call the simulated master as its first administrator."""
    user = sim.master.users[1]
    token = sim.master.token_value(sim.master.add_session(user, USER_SESSION, timedelta(hours=1)))
    request = urllib.request.Request(
        f"{sim.url}/api/v1{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def experiment(
    sim: Simulator,
    config: dict[str, t.Any] | None = None,
    state: str = "RUNNING",
    days: float = 0,
    owner: str = "admin",
    project: int = 0,
    unmanaged: bool = False,
    **fields: t.Any,
) -> ExperimentRow:
    """An experiment in a state; QUEUED, PULLING, STARTING and RUNNING are what an active one shows.

    :param days: how long ago it was started.
    :param fields: of the row.
    """
    body = {"config": json.dumps({**MINIMAL, **(config or {})}), "projectId": project, "unmanaged": unmanaged}
    row = sim.master.experiments[call(sim, "POST", "/experiments", body)["experiment"]["id"]]
    if state in ("QUEUED", "PULLING", "STARTING", "RUNNING") and not unmanaged:
        row.state, row.allocation = "ACTIVE", state
    else:
        row.state = state
    row.start_time -= timedelta(days=days)
    row.owner_id = sim.master.user_ids[owner]
    for name, value in fields.items():
        setattr(row, name, value)
    return t.cast(ExperimentRow, row)


def stored(row: ExperimentRow, **sections: t.Any) -> None:
    """Give an experiment sections of a configuration as they are, such as an older master may have stored."""
    row.base = ConfigBase({**row.config(), **sections})


def task(
    sim: Simulator, kind: str, hours: float = 0, config: dict[str, t.Any] | None = None, **fields: t.Any
) -> TaskRow:
    """A notebook, shell, command or TensorBoard that runs.

    :param hours: how long ago it was launched.
    """
    given = {"description": f"planted {kind}", "resources": {"slots": 0}, **(config or {})}
    if kind == "command":
        given.setdefault("entrypoint", ["sleep", "60"])
    body = {"config": given, **({"experimentIds": [1]} if kind == "tensorboard" else {})}
    row = sim.master.tasks[call(sim, "POST", f"/{kind}s", body)[kind]["id"]]
    row.state = "RUNNING"
    row.start_time -= timedelta(hours=hours)
    for name, value in fields.items():
        setattr(row, name, value)
    return t.cast(TaskRow, row)


def user(sim: Simulator, username: str, **fields: t.Any) -> int:
    """A user, active unless told otherwise."""
    sim.master.add_user(username, **{"active": True, **fields})
    return t.cast(int, sim.master.user_ids[username])


def project(sim: Simulator, workspace: str = "lab", name: str = "trials") -> int:
    """A project in a workspace of its own; the id."""
    made = call(sim, "POST", "/workspaces", {"name": workspace})["workspace"]["id"]
    return t.cast(int, call(sim, "POST", f"/workspaces/{made}/projects", {"name": name})["project"]["id"])
