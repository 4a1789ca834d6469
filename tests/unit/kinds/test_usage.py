# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Usage reports, against the simulated master; the demo fixture has three days and two workloads."""

from __future__ import annotations

import csv
import datetime
import io
import os
import pathlib
import stat
import typing as t

import pytest

from ansible_collections.determined.ai.plugins.modules.det_usage_info import OPERATION
from tests.simulator import Simulator
from tests.unit.conftest import Runner

HOUR = 3600.0


@pytest.fixture
def days(sim: Simulator) -> Simulator:
    """A master with use on three days of two months, and a workload over midnight."""
    for day, seconds in (
        (datetime.date(2026, 1, 30), 100.0),
        (datetime.date(2026, 1, 31), 60.0),
        (datetime.date(2026, 2, 1), 7.5),
    ):
        sim.master.usage_days[day] = {
            "username": {"ana": seconds, "Bob": 0.0},
            "experiment_label": {'a,"b"\nc': seconds / 2},
            "resource_pool": {"default": seconds},
        }
    midnight = datetime.datetime(2026, 2, 1, tzinfo=datetime.UTC)
    sim.master.workloads.append(
        {
            "kind": "training",
            "start": midnight - datetime.timedelta(hours=2),
            "end": midnight + datetime.timedelta(hours=1),
            "experiment_id": 3,
            "username": "ana",
            "user_id": 4,
            "labels": ["x,y", "z\\"],
            "slots": 2,
        }
    )
    sim.master.workloads.append(
        {
            "kind": "agent",
            "start": midnight,
            "end": midnight + datetime.timedelta(hours=1),
            "experiment_id": 0,
            "username": "gpu-node-1",
            "user_id": 0,
            "labels": [],
            "slots": 8,
        }
    )
    return sim


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"start": "2026-01-30", "end": "2026-02-01"}, {"2026-01-30": 100, "2026-01-31": 60, "2026-02-01": 7.5}),
        ({"start": "2026-01-31", "end": "2026-01-31"}, {"2026-01-31": 60}),
        ({"start": "2026-01", "end": "2026-01"}, {"2026-01-30": 100, "2026-01-31": 60}),
        ({"start": "2026-02"}, {"2026-02-01": 7.5}),
        ({"start": "2020-01-01", "end": "2020-12-31"}, {}),
        ({"start": "2026-01", "end": "2026-02", "period": "month"}, {"2026-01": 160, "2026-02": 7.5}),
        # Months are whole, whatever days are given.
        ({"start": "2026-01-31", "end": "2026-02-01", "period": "month"}, {"2026-01": 160, "2026-02": 7.5}),
    ],
)
def test_days_and_months(days: Simulator, run: Runner, options: dict[str, t.Any], expected: dict[str, float]) -> None:
    result = run.ok(OPERATION, **options)
    assert {entry["period_start"]: entry["seconds"] for entry in result["usage"]} == expected
    assert {entry["period"] for entry in result["usage"]} <= {options.get("period", "day")}
    assert (result["total"], result["requests"], result["changed"]) == (len(expected), 1, False)
    assert "dest" not in result


def test_shares(days: Simulator, run: Runner) -> None:
    entry = run.ok(OPERATION, start="2026-01", end="2026-02", period="month", limit=1)["usage"][0]
    assert entry["by_username"] == {"ana": 160, "Bob": 0}
    assert entry["by_resource_pool"] == {"default": 160}
    assert list(entry["by_experiment_label"].values()) == [80]


def test_workloads(days: Simulator, run: Runner) -> None:
    result = run.ok(OPERATION, start="2026-02-01", end="2026-02-01", raw=True)
    assert [(entry["kind"], entry["seconds"]) for entry in result["usage"]] == [("training", HOUR), ("agent", HOUR)]
    training, agent = result["usage"]
    assert training["start_time"] == "2026-01-31T22:00:00Z"
    assert (training["experiment_id"], training["user_id"], training["labels"]) == (3, 4, ["x,y", "z\\"])
    assert (agent["experiment_id"], agent["user_id"], agent["username"], agent["slots"]) == (
        None,
        None,
        "gpu-node-1",
        8,
    )
    both = run.ok(OPERATION, start="2026-01-31", end="2026-02-01", raw=True)["usage"]
    assert both[0]["seconds"] == 3 * HOUR
    # The last day counts to its end.
    assert run.ok(OPERATION, start="2026-01-31", end="2026-01-31", raw=True)["usage"][0]["seconds"] == 2 * HOUR
    assert run.ok(OPERATION, start="2026-02-02", end="2026-02-02", raw=True)["usage"] == []


@pytest.mark.parametrize("check", [False, True])
def test_the_file_has_all_of_it_and_is_replaced(
    days: Simulator, run: Runner, tmp_path: pathlib.Path, check: bool
) -> None:
    dest = tmp_path / "usage.csv"
    dest.write_text("old")
    dest.chmod(0o640)
    result = run.ok(OPERATION, check=check, start="2026-01-31", end="2026-02-01", limit=1, dest=str(dest))
    assert (len(result["usage"]), result["total"], result["dest"], result["changed"]) == (1, 2, str(dest), False)
    assert dest.stat().st_mode & 0o777 == 0o640
    rows = list(csv.reader(io.StringIO(dest.read_text())))
    assert rows == [
        ["aggregation_type", "aggregation_key", "date", "seconds"],
        ["experiment_label", 'a,"b"\nc', "2026-01-31", "30.0"],
        ["username", "Bob", "2026-01-31", "0.0"],
        ["username", "ana", "2026-01-31", "60.0"],
        ["resource_pool", "default", "2026-01-31", "60.0"],
        ["total", "total", "2026-01-31", "60.0"],
        ["experiment_label", 'a,"b"\nc', "2026-02-01", "3.75"],
        ["username", "Bob", "2026-02-01", "0.0"],
        ["username", "ana", "2026-02-01", "7.5"],
        ["resource_pool", "default", "2026-02-01", "7.5"],
        ["total", "total", "2026-02-01", "7.5"],
    ]
    assert list(tmp_path.iterdir()) == [dest]


def test_the_file_of_workloads(days: Simulator, run: Runner, tmp_path: pathlib.Path) -> None:
    dest = tmp_path / "usage.csv"
    run.ok(OPERATION, start="2026-01-31", end="2026-02-01", raw=True, dest=str(dest))
    rows = list(csv.reader(io.StringIO(dest.read_text())))
    assert rows[0] == ["experiment_id", "kind", "username", "labels", "slots", "start_time", "end_time", "seconds"]
    assert rows[1] == [
        "3",
        "training",
        "ana",
        r"x\,y,z\\",
        "2",
        "2026-01-31T22:00:00Z",
        "2026-02-01T01:00:00Z",
        "10800.0",
    ]
    assert rows[2][:4] == ["", "agent", "gpu-node-1", ""]
    assert dest.stat().st_mode & 0o777 == 0o644


def test_a_file_that_can_not_be_written_is_told(days: Simulator, run: Runner, tmp_path: pathlib.Path) -> None:
    message = run.failed(OPERATION, start="2026-01", dest=str(tmp_path / "no" / "usage.csv"))
    assert "it can't be written (No such file or directory)" in message


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"start": "today"}, "start is 'today': it must be a day such as 2026-01-31, or a month such as 2026-01"),
        ({"start": "2026-1-1"}, "start is '2026-1-1'"),
        ({"start": "2026-02-30"}, "start is '2026-02-30'"),
        ({"start": "2026-13"}, "start is '2026-13'"),
        ({"start": "2026-01", "end": "2026-01-01T00:00:00Z"}, "end is '2026-01-01T00:00:00Z'"),
        ({"start": "2026-02-02", "end": "2026-02-01"}, "start is 2026-02-02, which is after end (2026-02-01)"),
        ({"start": "2999-01-01"}, "start is 2999-01-01, which is after end"),
        ({"start": "2026-01", "dest": "usage.csv"}, "dest is 'usage.csv': it must be the absolute path of a file"),
        ({"start": "2026-01", "dest": "/tmp"}, "dest is '/tmp'"),
        ({"start": "2026-01", "limit": 0}, "limit is 0"),
        ({"start": "2026-01", "raw": True, "period": "day"}, "mutually exclusive"),
    ],
)
def test_what_is_refused_before_any_call(sim: Simulator, run: Runner, options: dict[str, t.Any], sentence: str) -> None:
    assert sentence in run.failed(OPERATION, **options)
    assert sim.journal == []


def test_dest_takes_the_place_of_no_device(sim: Simulator, run: Runner, tmp_path: pathlib.Path) -> None:
    # Root would have a file instead of /dev/null.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    message = run.failed(OPERATION, start="2026-01", dest=str(pipe))
    assert message == f"dest is {str(pipe)!r}: it must be the absolute path of a file."
    assert sim.journal == []
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_the_demo_cluster(run_demo: Runner) -> None:
    start = str(datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=5))
    assert [entry["seconds"] / HOUR for entry in run_demo.ok(OPERATION, start=start)["usage"]] == [40, 64, 12]
    assert run_demo.ok(OPERATION, start=start, raw=True)["total"] == 2


def test_without_the_right_to_it() -> None:
    with Simulator(fixture="demo", authz="rbac") as rbac:
        runner = Runner(rbac, auth_username="hugo.martin", auth_password="Passw0rd-demo")
        result = runner(OPERATION, start="2026-01")
        runner.close()
    assert result["failure"]["status"] == 403
    assert "PERMISSION_TYPE_VIEW_CLUSTER_USAGE" in result["msg"]
