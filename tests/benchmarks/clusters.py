# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The speed of planning and applying a whole cluster, against the least that could do the same.

The floor is a bare ``requests`` read of the same lists, ``include_vars`` of the same folder, and a task that returns an equal
result.
"""

from __future__ import annotations

import json
import pathlib
import statistics
import sys
import typing as t

import requests
import yaml

from tests.simulator import Simulator
from tests.simulator.fixtures import INITIAL_PASSWORD

from .stage import Failed, Played, Stage, Tasks
from .table import Row

ROUNDS = 3
TEMPLATES = 1000
URI_ITEMS = 50
MEBIBYTE = 2**20

BODIES = {
    "/api/v1/groups/search": {"limit": -1},
    "/api/v1/roles/search": {"limit": -1},
    "/api/v1/roles/search/by-ids": {"roleIds": list(range(1, 11))},
}
"""Of the lists that are read by POST."""

KINDS = 10
DETAILS = {"groups": 1, "workspaces": 1, "resource_pool_bindings": 1, "config_policies": 1}
"""Calls for each declared object, beside one for each list (the table of kinds)."""

Manifest = dict[str, list[dict[str, t.Any]]]


def cluster() -> Manifest:
    """3,000 objects of ten kinds."""
    users = [{"username": f"user{number:04}", "remote": True} for number in range(800)]
    groups = [
        {"name": f"group{number:02}", "members": [users[number * 10 + i]["username"] for i in range(10)]}
        for number in range(50)
    ]
    workspaces = [{"name": f"workspace{number:03}"} for number in range(100)]
    names = [workspace["name"] for workspace in workspaces]
    return {
        "users": users,
        "groups": groups,
        "workspaces": workspaces,
        "projects": [
            {"workspace": names[number % 100], "name": f"project{number}", "description": f"Number {number}"}
            for number in range(300)
        ],
        "role_assignments": [
            {"role": "Editor", "group": groups[number % 50]["name"], "workspace": names[number // 2]}
            for number in range(200)
        ],
        "config_policies": [
            {
                "workload_type": "experiments",
                "workspace": names[number],
                "constraints": {"resources": {"max_slots": 8}},
            }
            for number in range(50)
        ],
        "templates": templates(900),
        "models": [
            {"name": f"model{number}", "workspace": names[number % 100], "labels": ["b", "a"]} for number in range(500)
        ],
        "webhooks": [
            {
                "name": f"hook{number}",
                "workspace": names[number],
                "url": f"https://hooks.example.com/{number}",
                "type": "default",
                "mode": "workspace",
                "triggers": [{"type": "experiment_state_change", "condition": {"state": "COMPLETED"}}],
            }
            for number in range(99)
        ],
        "cluster_message": [{"text": "Maintenance on Sunday"}],
    }


def templates(count: int) -> list[dict[str, t.Any]]:
    """Templates of a usual size."""
    return [
        {
            "name": f"template{number:04}",
            "config": {
                "description": f"Template {number}",
                "resources": {"slots_per_trial": number % 8, "resource_pool": "default"},
                "environment": {"image": {"cpu": "registry.example.com/cpu:1", "gpu": "registry.example.com/gpu:1"}},
                "bind_mounts": [{"host_path": "/data", "container_path": "/data", "read_only": True}],
                "max_restarts": 2,
            },
        }
        for number in range(count)
    ]


def write(folder: pathlib.Path, manifest: Manifest) -> pathlib.Path:
    """Write a manifest, one file a kind."""
    folder.mkdir()
    for plural, entries in manifest.items():
        content = entries[0] if plural == "cluster_message" else entries
        (folder / f"{plural}.yml").write_text(yaml.safe_dump({plural: content}, sort_keys=False))
    return folder


def token(url: str) -> str:
    """For what is compared with the collection."""
    login = {"username": "admin", "password": INITIAL_PASSWORD}
    answer = requests.post(f"{url}/api/v1/auth/login", json=login, timeout=60)
    answer.raise_for_status()
    return t.cast(str, answer.json()["token"])


def recorded(simulator: Simulator, since: int, file: pathlib.Path, writes: list[list[t.Any]] | None = None) -> int:
    """Write down the calls that were made, for the floor; returns how many reads there were."""
    reads = [
        [entry.method, f"{entry.path}?{entry.query}" if entry.query else entry.path, BODIES.get(entry.path)]
        for entry in simulator.journal[since:]
        if (entry.method == "GET" and entry.status == 200) or entry.path in BODIES
    ]
    file.write_text(json.dumps(reads + (writes or [])))
    return len(reads)


def apply(folder: pathlib.Path, name: str, **options: t.Any) -> dict[str, t.Any]:
    """A task."""
    return {"name": name, "determined.ai.det_apply": {"manifest": str(folder), **options}}


def floor(folder: pathlib.Path, calls: pathlib.Path, result: pathlib.Path, bearer: str) -> Tasks:
    """The tasks that together are the floor."""
    return [
        {"name": "floor", "ansible.builtin.include_vars": {"dir": str(folder), "name": "declared"}},
        {"name": "floor", "bare_calls": {"file": str(calls), "token": bearer}},
        {"name": "floor", "bare_result": {"file": str(result)}},
    ]


def rounds(played: Played, name: str, parts: int) -> list[float]:
    """The times of what consists of several tasks, the first round left out."""
    seconds = played.seconds(name)
    return [sum(seconds[start : start + parts]) for start in range(0, len(seconds), parts)][1:]


def measure_plan(stage: Stage) -> list[Row]:
    """3,000 unchanged objects."""
    folder = write(stage.folder / "cluster", cluster())
    calls, result = stage.folder / "plan-calls.json", stage.folder / "plan-result.json"
    with Simulator("empty") as simulator:
        stage.play(simulator.url, [apply(folder, "made")])
        since = len(simulator.journal)
        once = stage.play(
            simulator.url,
            [
                {**apply(folder, "plan"), "check_mode": True, "register": "planned"},
                {"ansible.builtin.copy": {"content": "{{ planned | to_json }}", "dest": str(result), "mode": "0600"}},
            ],
        )
        if once.timings[0].changed:
            raise Failed("The plan of an applied manifest is not empty")
        made = once.timings[0].requests or 0
        recorded(simulator, since, calls)
        (folder / ".determined.lock.yml").unlink()
        planned = {**apply(folder, "plan"), "check_mode": True}
        bearer = token(simulator.url)
        played = stage.play(simulator.url, [*(planned, *floor(folder, calls, result, bearer))] * (ROUNDS + 1))
    least = statistics.median(rounds(played, "floor", 3))
    mine = statistics.median(rounds(played, "plan", 1))
    manifest = cluster()
    count = sum(map(len, manifest.values()))
    details = sum(len(manifest.get(plural, ())) for plural in DETAILS)
    # Who and what this is, and what the caller may see: the master, the caller, the mode of authorisation, the roles.
    allowed = KINDS + details + 6
    return [
        Row(
            f"plan of {count:,} unchanged objects of {KINDS} kinds: API calls",
            f"one a kind, those for each object of the table of kinds ({details}), and 6",
            str(made),
            made <= allowed,
        ),
        Row(
            "the same: time, against a bare read of the same lists, `include_vars` of the same folder, and an equal result",
            "at most 1.5 × the time",
            f"{mine / least:.2f} × ({mine:.2f} s against {least:.2f} s)",
            mine / least <= 1.5,
        ),
    ]


def measure_templates(stage: Stage) -> list[Row]:
    """1,000 templates, from nothing and unchanged."""
    manifest = {"templates": templates(TEMPLATES)}
    folder = write(stage.folder / "templates", manifest)
    calls, result = stage.folder / "template-calls.json", stage.folder / "template-result.json"
    mine, least = [], []
    for _round in range(ROUNDS):
        with Simulator("empty") as simulator:
            since = len(simulator.journal)
            played = stage.play(
                simulator.url,
                [
                    {**apply(folder, "apply", concurrency=1), "register": "made"},
                    {"ansible.builtin.copy": {"content": "{{ made | to_json }}", "dest": str(result), "mode": "0600"}},
                ],
            )
            mine += played.seconds("apply")
            writes = [
                ["POST", f"/api/v1/templates/{entry['name']}", {"config": entry["config"], "workspaceId": 1}]
                for entry in manifest["templates"]
            ]
            recorded(simulator, since, calls, writes)
        with Simulator("empty") as simulator:
            (folder / ".determined.lock.yml").unlink()
            played = stage.play(simulator.url, floor(folder, calls, result, token(simulator.url)))
            least.append(sum(played.seconds("floor")))
            # And what is there now, unchanged, against uri.
            read = {
                "name": "uri",
                "ansible.builtin.uri": {
                    "url": f"{simulator.url}/api/v1/templates/{{{{ item }}}}",
                    "headers": {"Authorization": f"Bearer {token(simulator.url)}"},
                },
                "loop": [entry["name"] for entry in manifest["templates"][:URI_ITEMS]],
            }
            unchanged = {**apply(folder, "unchanged"), "check_mode": True}
            last = stage.play(simulator.url, [unchanged, read, unchanged])
    made, bare = statistics.median(mine), statistics.median(least)
    by_uri = statistics.median(last.seconds("uri")) / URI_ITEMS * TEMPLATES
    again = last.seconds("unchanged")[1]
    return [
        Row(
            f"{TEMPLATES:,} templates from nothing, one call at a time, against the floor with a bare loop of the same writes",
            "at most 1.3 × the time",
            f"{made / bare:.2f} × ({made:.2f} s against {bare:.2f} s)",
            made / bare <= 1.3,
        ),
        Row(
            f"{TEMPLATES:,} templates unchanged, against a loop of `ansible.builtin.uri` (from {URI_ITEMS})",
            "100 × faster",
            f"{by_uri / again:.0f} × faster ({again:.2f} s against {by_uri:.0f} s)",
            by_uri / again >= 100,
        ),
    ]


def measure_memory(stage: Stage) -> list[Row]:
    """10,000 users and 2,000 workspaces: the worker's memory."""
    manifest = {
        "users": [{"username": f"user{number:05}", "remote": True} for number in range(10_000)],
        "workspaces": [{"name": f"workspace{number:04}"} for number in range(2_000)],
    }
    folder = write(stage.folder / "many", manifest)
    with Simulator("empty") as simulator:
        headers = {"Authorization": f"Bearer {token(simulator.url)}"}
        with requests.Session() as session:
            session.headers.update(headers)
            for user in manifest["users"]:
                body = {"user": {"username": user["username"], "active": True, "remote": True}}
                session.post(f"{simulator.url}/api/v1/users", json=body, timeout=60).raise_for_status()
            for workspace in manifest["workspaces"]:
                session.post(f"{simulator.url}/api/v1/workspaces", json=workspace, timeout=60).raise_for_status()
        bare = stage.play(simulator.url, [{"ansible.builtin.assert": {"that": True}}]).peak
        full = stage.play(simulator.url, [{**apply(folder, "plan"), "check_mode": True}]).peak
    return [
        Row(
            "plan of 10,000 users and 2,000 workspaces: memory of the worker, over one that does nothing",
            "at most 400 MiB",
            f"{(full - bare) / MEBIBYTE:.0f} MiB ({full / MEBIBYTE:.0f} against {bare / MEBIBYTE:.0f})",
            full - bare <= 400 * MEBIBYTE,
        )
    ]


def measure_planner(stage: Stage) -> list[Row]:
    """The planner alone, without Ansible."""
    seconds = {}
    for count in (1_000, 10_000):
        entries = templates(count)
        file = stage.folder / f"planner{count}.json"
        file.write_text(json.dumps({"templates": entries}))
        with Simulator("empty") as simulator:
            with requests.Session() as session:
                session.headers["Authorization"] = f"Bearer {token(simulator.url)}"
                for entry in entries:
                    body = {"config": entry["config"], "workspaceId": 1}
                    session.post(f"{simulator.url}/api/v1/templates/{entry['name']}", json=body, timeout=60)
            command = [sys.executable, "-m", "tests.benchmarks.one_plan", str(file)]
            seconds[count] = statistics.median(
                json.loads(stage.command(command, simulator.url)[0])["seconds"] for _run in range(ROUNDS)
            )
    few, many = seconds[1_000], seconds[10_000]
    return [
        Row(
            "the planner alone: 10,000 objects against 1,000",
            "at most 12 × the time",
            f"{many / few:.1f} × ({many:.2f} s against {few:.2f} s)",
            many / few <= 12,
        )
    ]


def measure(stage: Stage, say: t.Callable[[str], None]) -> list[Row]:
    """Everything about whole clusters."""
    rows = []
    for what, measured in (
        ("plan of 3,000 objects", measure_plan),
        ("1,000 templates", measure_templates),
        ("memory of a large plan", measure_memory),
        ("the planner alone", measure_planner),
    ):
        say(what)
        rows += measured(stage)
    return rows
