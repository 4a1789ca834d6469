# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of experiments: exact filters, right counts, whole lists, no secrets."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest

from ansible_collections.determined.ai.plugins.module_utils._kinds.experiment_list import SORT_BY, STATES
from ansible_collections.determined.ai.plugins.modules.det_experiment_info import OPERATION as DET_EXPERIMENT_INFO
from tests.simulator import Simulator
from tests.simulator.ml_state import ExperimentRow
from tests.simulator.server import Fault
from tests.unit.conftest import Runner

# What the demo fixture holds (tests/simulator/ml_fixtures.py), by hand.
VISION, LANGUAGE, RANKING, NIGHTLY = range(1, 10), range(10, 17), range(17, 21), range(21, 26)
ATTIC, UNCATEGORIZED = range(26, 29), range(29, 32)
ARCHIVED = [7, 8, 16, 26, 30]
ALL = list(range(1, 32))


def ids(result: dict[str, t.Any]) -> list[int]:
    return [experiment["id"] for experiment in result["experiments"]]


def queries(sim: Simulator) -> list[str]:
    return [entry.query for entry in sim.journal if entry.path == "/api/v1/experiments"]


def many(sim: Simulator, number: int) -> list[ExperimentRow]:
    """Add completed experiments, copies of one of the fixture's."""
    rows = []
    for _copy in range(number):
        row = copy.copy(sim.master.experiments[21])
        row.id, row.trial_ids, row.labels = sim.master.next_id("experiments"), [], ["nightly"]
        sim.master.experiments[row.id] = row
        rows.append(row)
    return rows


# -- the query of the tutorial


def test_an_archived_one_with_one_call(run_demo: Runner, demo: Simulator) -> None:
    result = run_demo.ok(DET_EXPERIMENT_INFO, archived=True, limit=1)
    assert (result["changed"], ids(result), result["total"], result["requests"]) == (False, [7], 5, 1)
    assert "archived=true" in queries(demo)[0]
    assert "limit=1&" in queries(demo)[0] + "&"


# -- filters

FILTERS: list[tuple[dict[str, t.Any], list[int]]] = [
    ({}, ALL),
    ({"archived": True}, ARCHIVED),
    # Those of an archived workspace that are not archived themselves belong here, whatever the server's own filter says.
    ({"archived": False}, [number for number in ALL if number not in ARCHIVED]),
    ({"archived": False, "workspace": "attic"}, [27, 28]),
    ({"archived": False, "workspace": "attic", "sort_by": "name"}, [27, 28]),
    ({"states": ["error"]}, [3, 8, 15, 23, 27]),
    ({"states": ["active"]}, [6, 13, 14, 19, 20, 31]),
    ({"states": ["active", "paused"]}, [6, 9, 13, 14, 19, 20, 25, 31]),
    ({"states": ["running"]}, [6, 13, 31]),
    ({"states": ["queued"]}, [14]),
    ({"states": ["pulling", "starting"]}, [19, 20]),
    ({"states": ["queued", "pulling", "starting", "running"]}, [6, 13, 14, 19, 20, 31]),
    ({"states": ["delete_failed", "canceled"]}, [5, 12, 28, 29]),
    ({"labels": ["detector", "old"]}, [7, 8]),
    ({"labels": ["old"], "archived": False}, [27, 28]),
    ({"labels": ["a,b"]}, [29]),
    ({"labels": ["a"]}, []),
    ({"labels": []}, ALL),
    ({"labels": ["nightly", "flaky"]}, [23]),
    ({"users": ["bjarne.holm", "svc-gitops"]}, [1, 2, 17, 18]),
    ({"name": "vit-small"}, [4]),
    ({"name": "VIT-small"}, []),
    ({"name_contains": "VIT-SMALL"}, [4, 5]),
    ({"name_contains": "%"}, []),
    ({"name_contains": "_"}, []),
    ({"name_contains": "\\"}, []),
    ({"description_contains": "OF vision"}, [1, 2, 3, 4, 5, 6, 7]),
    ({"project": "vision"}, list(VISION)),
    ({"project": "ranking", "workspace": "production"}, list(RANKING)),
    ({"workspace": "research"}, [*VISION, *LANGUAGE]),
    ({"workspace": "production", "states": ["completed"]}, [17, 18, 21, 22, 24]),
    ({"workspace": "Uncategorized"}, list(UNCATEGORIZED)),
    ({"id": 7}, [7]),
    ({"id": 7, "archived": False}, []),
    ({"id": 999}, []),
]


@pytest.fixture(scope="module")
def still() -> t.Iterator[Runner]:
    """A master that nobody changes."""
    with Simulator(fixture="demo") as simulator:
        runner = Runner(simulator)
        yield runner
        runner.close()


@pytest.mark.parametrize(("options", "expected"), FILTERS)
def test_filters_are_exact_however_much_is_read(still: Runner, options: dict[str, t.Any], expected: list[int]) -> None:
    """All, the first, the last, and those in between: always the same total."""
    whole = still.ok(DET_EXPERIMENT_INFO, **options)
    assert (sorted(ids(whole)), whole["total"]) == (expected, len(expected))
    order = ids(whole)
    for limit, offset in ((1, 0), (2, 1), (3, 2), (100, 1), (1, 40)):
        part = still.ok(DET_EXPERIMENT_INFO, **options, limit=limit, offset=offset)
        assert (ids(part), part["total"]) == (order[offset : offset + limit], len(expected))
    rest = still.ok(DET_EXPERIMENT_INFO, **options, offset=1)
    assert (ids(rest), rest["total"]) == (order[1:], len(expected))
    last = still.ok(DET_EXPERIMENT_INFO, **{"sort_by": "id", **options}, order="desc", limit=2)
    assert last["total"] == len(expected)
    if "sort_by" not in options:
        assert ids(last) == expected[::-1][:2]


@pytest.mark.parametrize("state", STATES)
def test_no_state_makes_the_server_fail(still: Runner, state: str) -> None:
    result = still.ok(DET_EXPERIMENT_INFO, states=[state])
    shown = {experiment["state"] for experiment in result["experiments"]}
    assert shown <= ({"queued", "pulling", "starting", "running"} if state == "active" else {state})


@pytest.mark.parametrize("sort_by", SORT_BY)
def test_the_server_sorts(still: Runner, sort_by: str) -> None:
    up = still.ok(DET_EXPERIMENT_INFO, sort_by=sort_by)
    down = still.ok(DET_EXPERIMENT_INFO, sort_by=sort_by, order="desc", limit=31)
    assert set(ids(up)) == set(ids(down)) == set(ALL)
    if sort_by not in {"user", "searcher_metric_val", "state"}:
        # An empty description is null to the server's order.
        values = [experiment[sort_by] for experiment in up["experiments"] if experiment[sort_by] not in (None, "")]
        assert values == sorted(values)
        assert [e[sort_by] for e in down["experiments"] if e[sort_by] not in (None, "")] == values[::-1]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"users": ["bjarne.hol"]}, "users is 'bjarne.hol': there is no such user. Nearest: 'bjarne.holm'."),
        (
            {"project": "visio"},
            "project is 'visio': there is no such project, or you may not see it. Nearest: 'vision'.",
        ),
        ({"project": "ranking", "workspace": "research"}, "no such project in the workspace 'research'"),
        ({"workspace": "Research"}, "workspace is 'Research': there is no such workspace"),
        ({"users": []}, "users is empty"),
        ({"states": []}, "states is empty"),
        ({"states": ["deleted"]}, "value of states must be one or more of"),
        ({"limit": 0}, "limit is 0"),
        ({"offset": -1}, "offset is -1"),
        ({"id": 0}, "id is 0"),
        ({"name": "a", "name_contains": "b"}, "mutually exclusive"),
        ({"include": ["logs"]}, "value of include must be one or more of"),
    ],
)
def test_bad_options(still: Runner, options: dict[str, t.Any], text: str) -> None:
    assert text in still.failed(DET_EXPERIMENT_INFO, **options)


def test_wildcards_and_case_beyond_ascii(run_demo: Runner, demo: Simulator) -> None:
    for number, name in ((1, "100%_a"), (2, "100x_a"), (3, "Übung"), (4, "a\\b")):
        demo.master.experiments[number].name = name
    assert ids(run_demo.ok(DET_EXPERIMENT_INFO, name_contains="0%_A")) == [1]
    assert ids(run_demo.ok(DET_EXPERIMENT_INFO, name="100%_a", limit=1)) == [1]
    assert ids(run_demo.ok(DET_EXPERIMENT_INFO, name_contains="\\B", limit=1)) == [4]
    found = run_demo.ok(DET_EXPERIMENT_INFO, name_contains="üB", limit=1)
    assert (ids(found), found["total"]) == ([3], 1)


# -- paging


def test_ids_are_read_by_key_in_pages_of_a_thousand(run_demo: Runner, demo: Simulator) -> None:
    many(demo, 2100)
    result = run_demo.ok(DET_EXPERIMENT_INFO)
    assert (ids(result), result["total"], result["requests"]) == ([*ALL, *range(32, 2132)], 2131, 3)
    assert not any("offset" in query for query in queries(demo)[1:])
    assert "experimentIdFilter.gt=1000&" in queries(demo)[1]
    down = run_demo.ok(DET_EXPERIMENT_INFO, order="desc")
    assert (ids(down), down["requests"]) == (ids(result)[::-1], 3)


def test_what_comes_and_goes_meanwhile_neither_hides_nor_doubles_others(
    run_demo: Runner, demo: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(demo, 2100)
    answer = demo.app.answer
    seen: list[str] = []

    def moving(method: str, path: str, query: str, *rest: t.Any) -> t.Any:
        found = answer(method, path, query, *rest)
        if path == "/api/v1/experiments":
            seen.append(query)
            demo.master.experiments.pop(len(seen))
            many(demo, 1)
        return found

    monkeypatch.setattr(demo.app, "answer", moving)
    result = run_demo.ok(DET_EXPERIMENT_INFO)
    assert set(range(4, 2132)) <= set(ids(result))
    assert len(set(ids(result))) == len(ids(result))


def test_another_order_that_moves_while_it_is_read_is_not_taken_for_whole(
    run_demo: Runner, demo: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(demo, 1500)
    answer = demo.app.answer

    def moving(method: str, path: str, query: str, *rest: t.Any) -> t.Any:
        found = answer(method, path, query, *rest)
        if path == "/api/v1/experiments":
            # The last becomes the first, so that what was at the end of the first page is at the start of the second again.
            demo.master.experiments[1531].name = "!"
        return found

    monkeypatch.setattr(demo.app, "answer", moving)
    assert "the list changed while it was read" in run_demo.failed(DET_EXPERIMENT_INFO, sort_by="name")


def test_a_limit_reads_no_more_than_it_needs(run_demo: Runner, demo: Simulator) -> None:
    many(demo, 3000)
    for options, calls in (
        ({"limit": 5}, 1),
        ({"limit": 5, "offset": 2000}, 1),
        ({"limit": 1500}, 2),
        ({"limit": 5, "sort_by": "start_time", "order": "desc"}, 1),
        ({"limit": 5, "archived": False}, 2),
        ({"limit": 5, "archived": False, "order": "desc"}, 2),
        ({"limit": 5, "archived": False, "sort_by": "end_time", "order": "desc"}, 2),
    ):
        result = run_demo.ok(DET_EXPERIMENT_INFO, **options)
        expected = 3031 - (len(ARCHIVED) if options.get("archived") is False else 0)
        assert (len(result["experiments"]), result["total"], result["requests"]) == (options["limit"], expected, calls)


def test_a_filter_of_this_side_reads_on_for_the_total(run_demo: Runner, demo: Simulator) -> None:
    rows = many(demo, 3000)
    for row in rows[::1000]:
        row.labels = ["x,y"]
    result = run_demo.ok(DET_EXPERIMENT_INFO, labels=["x,y"], limit=2, offset=1)
    assert (ids(result), result["total"], result["requests"]) == ([rows[1000].id, rows[2000].id], 3, 4)


@pytest.mark.parametrize(("sort_by", "order"), [("id", "asc"), ("id", "desc"), ("name", "asc")])
def test_a_list_that_lacks_something_is_a_failure(run_demo: Runner, demo: Simulator, sort_by: str, order: str) -> None:
    short = {"experiments": [{"id": 1}, {"id": 2}], "pagination": {"total": 3}}
    demo.faults.add(Fault("status", path="/experiments", status=200, body=short))
    text = run_demo.failed(DET_EXPERIMENT_INFO, sort_by=sort_by, order=order)
    assert "2 objects arrived, but the master says that there are 3" in text


def test_a_master_that_does_not_heed_the_key_is_found_out(run_demo: Runner, demo: Simulator) -> None:
    page = {"experiments": [{"id": number} for number in range(1, 1001)], "pagination": {"total": 2000}}
    demo.faults.add(Fault("status", path="/experiments", status=200, count=0, body=page))
    assert "experimentIdFilter.gt was not heeded" in run_demo.failed(DET_EXPERIMENT_INFO)


def test_the_simplified_api_without_pagination(run_demo: Runner, demo: Simulator) -> None:
    demo.faults.add(Fault("status", path="/experiments", status=200, body={"experiments": [{"id": 5, "name": "bare"}]}))
    result = run_demo.ok(DET_EXPERIMENT_INFO)
    assert (ids(result), result["total"], result["requests"]) == ([5], 1, 1)


# -- parts


def test_what_a_list_leaves_out_is_null_and_not_wrong(run_demo: Runner, demo: Simulator) -> None:
    demo.master.experiments[1].notes = "Long"
    demo.master.experiments[2].notes = ""
    demo.master.experiments[2].trial_ids = []
    first, second = run_demo.ok(DET_EXPERIMENT_INFO, limit=2)["experiments"]
    assert (first["notes"], first["trial_ids"]) == (None, None)
    assert (second["notes"], second["trial_ids"]) == ("", [])
    one = run_demo.ok(DET_EXPERIMENT_INFO, id=1)["experiments"][0]
    assert (one["notes"], len(one["trial_ids"])) == ("Long", 4)
    assert {**first, "notes": "", "trial_ids": 0} == {**one, "notes": "", "trial_ids": 0}


@pytest.mark.parametrize("options", [{"id": 10}, {"project": "language"}, {}])
def test_configs_are_whole_but_for_their_secrets(run_demo: Runner, demo: Simulator, options: dict[str, t.Any]) -> None:
    assert "CANARY" in json.dumps(demo.master.experiments[10].config())
    result = run_demo.ok(DET_EXPERIMENT_INFO, **options, include=["config"])
    assert "CANARY" not in json.dumps(result)
    config = next(experiment["config"] for experiment in result["experiments"] if experiment["id"] == 10)
    assert config["data"] == {"dataset": "news-2025", "secrets": {"hf_token": "********"}}
    assert config["hyperparameters"]["warmup"] == {"type": "const", "val": 500}
    assert "config" not in run_demo.ok(DET_EXPERIMENT_INFO, **options)["experiments"][0]


def test_trials_and_checkpoints_cost_a_call_an_experiment(run_demo: Runner, demo: Simulator) -> None:
    result = run_demo.ok(
        DET_EXPERIMENT_INFO, workspace="research", project="vision", limit=2, include=["trials", "checkpoints"]
    )
    assert result["requests"] == 3 + 2 * 2
    first = result["experiments"][0]
    assert [trial["id"] for trial in first["trials"]] == demo.master.experiments[1].trial_ids
    trial = first["trials"][0]
    assert (trial["state"], trial["total_batches_processed"], trial["checkpoint_count"]) == ("completed", 300, 2)
    assert trial["best_validation"]["metrics"]["avg_metrics"].keys() == {"accuracy", "validation_loss"}
    assert trial["best_checkpoint"]["state"] == "completed"
    assert trial["total_checkpoint_size"] == sum(
        checkpoint["total_size_bytes"] for checkpoint in first["checkpoints"] if checkpoint["trial_id"] == trial["id"]
    )
    assert len(first["checkpoints"]) == 8
    assert {checkpoint["state"] for checkpoint in first["checkpoints"]} == {"completed", "deleted"}


def test_included_checkpoints_show_no_secrets(run_demo: Runner, demo: Simulator) -> None:
    row = next(row for row in demo.master.checkpoints.values() if row.experiment_id == 1)
    row.metadata = {**row.metadata, "api_key": "CANARY", "origin": "https://u:CANARY@host/x"}
    result = run_demo.ok(DET_EXPERIMENT_INFO, id=1, include=["checkpoints"])
    assert "CANARY" not in json.dumps(result)
    shown = next(one for one in result["experiments"][0]["checkpoints"] if one["uuid"] == row.uuid)
    assert shown["metadata"] == {**row.metadata, "api_key": "********", "origin": "https://u:********@host/x"}


def test_one_deleted_between_list_and_trials_is_left_out(run_demo: Runner, demo: Simulator) -> None:
    gone = {"error": {"code": 5, "error": "experiment '1' not found"}}
    demo.faults.add(Fault("status", path="/experiments/1/trials", status=404, body=gone))
    result = run_demo.ok(DET_EXPERIMENT_INFO, project="vision", include=["trials"])
    assert (ids(result), result["total"]) == ([2, 3, 4, 5, 6, 7, 8, 9], 8)
