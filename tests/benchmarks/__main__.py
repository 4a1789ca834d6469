# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.benchmarks``: measure the speed, side by side with Ansible's own tasks and the official client.

What is compared runs in the same minutes on the same simulated masters, in turns, so that only ratios matter. It prints a
Markdown table; a target that is missed is told, but is no failure.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time
import typing as t

import requests

from tests.simulator import Simulator

from . import audits, clusters
from .stage import ROOT, Failed, Played, Stage, Tasks
from .table import Row, markdown, write

PAGE = ROOT / "docs" / "performance.md"
CLIENT = pathlib.Path(os.environ.get("DETERMINED_CLIENT") or ROOT / ".venv-client") / "bin" / "det"
MEBIBYTE = 2**20
ROUNDS = 42
"""How often each of the tasks that are compared with each other runs: as often in each of their six orders."""

FIRSTS = 5
LOOPS = 5
USERS = 200
URI_ITEMS = 10
CLIENT_RUNS = 5
LISTS = 7

UNCHANGED: dict[str, dict[str, t.Any]] = {
    "det_user": {"username": "hugo.martin", "active": True, "admin": False},
    "det_template": {"name": "cpu-small", "config": {"resources": {"slots_per_trial": 0}, "max_restarts": 1}},
    "det_model": {"name": "news-bert", "labels": ["language"]},
    "det_token": {"user": "svc-gitops", "description": "gitops pipeline"},
}
"""Objects of the demo fixture, declared as they are."""

began = time.monotonic()


def say(text: str) -> None:
    """Print a line of progress, with the minutes since the start."""
    minutes, seconds = divmod(int(time.monotonic() - began), 60)
    print(f"[{minutes}:{seconds:02d}] {text}", file=sys.stderr, flush=True)


def unchanged(module: str) -> dict[str, t.Any]:
    """A task that declares what is so already."""
    return {"name": module, f"determined.ai.{module}": UNCHANGED[module]}


def uri(url: str, token: str, username: str) -> dict[str, t.Any]:
    """The task that reads a user with what Ansible has."""
    return {
        "ansible.builtin.uri": {
            "url": f"{url}/api/v1/users/{username}/by-username",
            "headers": {"Authorization": f"Bearer {token}"},
        }
    }


def of_milliseconds(seconds: float) -> str:
    """Seconds as text, in the unit that reads well."""
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"


def faster(slow: float, fast: float) -> str:
    """How much faster, as text."""
    return f"{slow / fast:.0f} × faster ({of_milliseconds(fast)} against {of_milliseconds(slow)})"


def must_be_unchanged(played: Played) -> None:
    """Check that what was measured is what the table says.

    :raises Failed: a task changed something.
    """
    changed = {timing.name for timing in played.timings if timing.changed}
    if changed:
        raise Failed(f"These tasks had to change nothing, but did: {', '.join(sorted(changed))}")


def measure_tasks(stage: Stage, url: str) -> list[Row]:
    """A task against assert and uri, in turns."""
    say(f"assert, det_user and uri, {ROUNDS} times each, in turns")
    trio: Tasks = [
        {"name": "assert", "ansible.builtin.assert": {"that": True}},
        unchanged("det_user"),
        {"name": "uri", **uri(url, clusters.token(url), UNCHANGED["det_user"]["username"])},
    ]
    # Each follows each other one equally often, as a task that leaves caches cold burdens the next.
    orders = itertools.cycle(itertools.permutations(trio))
    # The first round is for what happens once a run, which is another row of the table.
    played = stage.play(url, [*trio, *itertools.chain.from_iterable(itertools.islice(orders, ROUNDS))])
    must_be_unchanged(played)
    nothing, task, by_uri = (statistics.median(played.seconds(name)[1:]) for name in ("assert", "det_user", "uri"))
    return [
        Row(
            "unchanged `det_user` task, against an `ansible.builtin.assert` task",
            "at most 1.25 × the time",
            f"{task / nothing:.2f} × ({of_milliseconds(task)} against {of_milliseconds(nothing)})",
            task / nothing <= 1.25,
        ),
        Row(
            "the same, against an `ansible.builtin.uri` GET of the same user",
            "18 × faster",
            faster(by_uri, task),
            by_uri / task >= 18,
        ),
    ]


def measure_first(stage: Stage, url: str) -> list[Row]:
    """The first task of a run, with imports and login, against uri in the same runs."""
    say(f"first task of a run, {FIRSTS} runs")
    read = {"name": "uri", **uri(url, clusters.token(url), UNCHANGED["det_user"]["username"])}
    firsts, reads = [], []
    for _run in range(FIRSTS):
        played = stage.play(url, [unchanged("det_user"), read, read])
        firsts += played.seconds("det_user")
        # The second: the first has something to do once a run as well.
        reads.append(played.seconds("uri")[1])
    first, by_uri = statistics.median(firsts), statistics.median(reads)
    return [
        Row(
            "first task of a run (imports, login), against an `ansible.builtin.uri` task",
            "less time",
            f"{first / by_uri:.2f} × ({of_milliseconds(first)} against {of_milliseconds(by_uri)})",
            first < by_uri,
        )
    ]


def measure_loops(stage: Stage, url: str, client_url: str) -> list[Row]:
    """An item of a loop against an item of uri's, and against the official client."""
    say(f"loops: {LOOPS} times {USERS} users with det_user, {USERS} bare reads and {URI_ITEMS} with uri, in turns")
    token = clusters.token(url)
    answer = requests.get(
        f"{url}/api/v1/users",
        params={"active": "true", "admin": "false", "limit": USERS, "sortBy": "SORT_BY_USER_NAME"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    )
    answer.raise_for_status()
    users = [user["username"] for user in answer.json()["users"]]
    tasks: Tasks = []
    for number in range(LOOPS):
        tasks += [
            {
                "name": "det_user",
                "determined.ai.det_user": {"username": "{{ item }}", "active": True, "admin": False},
                "loop": users,
            },
            {"name": "bare", "bare_user": {"username": "{{ item }}", "token": token}, "loop": users},
            {"name": "uri", **uri(url, token, "{{ item }}"), "loop": users[number * URI_ITEMS :][:URI_ITEMS]},
        ]
    played = stage.play(url, tasks)
    must_be_unchanged(played)
    item = statistics.median(played.seconds("det_user")) / len(users)
    bare = statistics.median(played.seconds("bare")) / len(users)
    by_uri = statistics.median(played.seconds("uri")) / URI_ITEMS
    say(f"det user list, {CLIENT_RUNS} runs")
    by_client = statistics.median(
        stage.command([str(CLIENT), "user", "list"], client_url)[1] for _run in range(CLIENT_RUNS)
    )
    what = f"an item of a loop of {len(users)} unchanged users"
    return [
        Row(
            f"{what}, against `ansible.builtin.uri` per item",
            "70 × faster",
            # What nothing on this machine can be faster than: Ansible's own work for an item, and the call.
            f"{faster(by_uri, item)}; an action that only reads the user: {faster(by_uri, bare)}",
            by_uri / item >= 70,
        ),
        Row(
            f"{what}, against one run of `det user list`",
            "60 × faster",
            faster(by_client, item),
            by_client / item >= 60,
        ),
    ]


def measure_calls(stage: Stage) -> list[Row]:
    """Logins and API calls, as a master in this process counts them."""
    say("logins and API calls")
    rows = []
    with Simulator("demo") as simulator:
        tasks = list(itertools.islice(itertools.cycle(map(unchanged, UNCHANGED)), 50))
        must_be_unchanged(stage.play(simulator.url, tasks))
        logins, _calls = _counted(simulator)
        left = len(simulator.sessions())
        rows.append(
            Row(
                f"logins in a play of {len(tasks)} tasks",
                "1",
                f"{logins}, and {left} sessions left at the end",
                logins == 1 and left == 0,
            )
        )
    counts = {}
    for module in UNCHANGED:
        with Simulator("demo") as simulator:
            played = stage.play(simulator.url, [unchanged(module), unchanged(module)])
            must_be_unchanged(played)
            first, second = (timing.requests or 0 for timing in played.timings)
            _logins, calls = _counted(simulator)
        if calls != first + second:
            raise Failed(f"{module} says that it made {first + second} API calls, but the master counted {calls}")
        counts[module] = (first, second)
    rows.append(
        Row(
            "API calls of an unchanged task",
            "1, and at most one more in the first task of a run",
            ", ".join(f"`{module}` {second} (first {first})" for module, (first, second) in counts.items()),
            all(second == 1 and first <= 2 for first, second in counts.values()),
        )
    )
    return rows


def _counted(simulator: Simulator) -> tuple[int, int]:
    """The logins so far, and the API calls beside login and logout."""
    paths = [entry.path for entry in simulator.journal]
    logins = paths.count("/api/v1/auth/login")
    return logins, len(paths) - logins - paths.count("/api/v1/auth/logout")


def measure_users(stage: Stage, url: str) -> list[Row]:
    """Ten thousand users, against the least that a task can do to read them."""
    say(f"all users, {LISTS} times each, in turns")
    pair: Tasks = [
        {"name": "bare", "bare_users": {"token": clusters.token(url)}},
        {"name": "users", "determined.ai.det_user_info": {}},
    ]
    played = stage.play(url, [*pair, *pair * LISTS])
    bare, users = (statistics.median(played.seconds(name)[1:]) for name in ("bare", "users"))
    return [
        Row(
            "`det_user_info` over 10,000 users, against a task that only reads, parses and returns the same list",
            "at most 1.5 × the time",
            f"{users / bare:.2f} × ({of_milliseconds(users)} against {of_milliseconds(bare)})",
            users / bare <= 1.5,
        )
    ]


def measure_experiments(stage: Stage, url: str) -> list[Row]:
    """A hundred thousand experiments: memory, and whether time grows with their number only."""

    def one_read(*arguments: str) -> dict[str, t.Any]:
        output, _seconds = stage.command([sys.executable, "-m", "tests.benchmarks.one_read", *arguments], url)
        return t.cast("dict[str, t.Any]", json.loads(output))

    say("10,000 experiments and 100,000, the operation alone")
    file = str(stage.folder / "experiments.json")
    reads = [one_read("read", "10000"), one_read("read", "0", file), one_read("read", "10000")]
    few, many = (
        statistics.mean(read["seconds"] / read["experiments"] for read in part) for part in (reads[::2], reads[1:2])
    )
    say("100,000 experiments, as a task")
    itself = one_read("hold", file)["bytes"]
    worker = stage.play(url, [{"name": "experiments", "determined.ai.det_experiment_info": {}}]).peak
    count = f"{reads[1]['experiments']:,}"
    return [
        Row(
            f"`det_experiment_info` over {count} experiments: peak memory of the worker",
            "at most 1 GiB more than the result itself",
            f"{(worker - itself) / MEBIBYTE:.0f} MiB more ({worker / MEBIBYTE:.0f} MiB, the result {itself / MEBIBYTE:.0f} "
            f"MiB; a process that only reads: {reads[1]['peak'] / MEBIBYTE:.0f} MiB)",
            worker - itself <= 2**30,
        ),
        Row(
            f"the same: time per experiment at {count}, against that at 10,000",
            "at most 1.3 ×",
            f"{many / few:.2f} × ({many * 1e6:.0f} µs against {few * 1e6:.0f} µs)",
            many / few <= 1.3,
        ),
    ]


def measure(stage: Stage) -> list[Row]:
    """Everything."""
    say("starting the simulated masters")
    with stage.master("large") as large, stage.master("demo") as demo:
        return [
            *measure_tasks(stage, demo),
            *measure_loops(stage, large, demo),
            *measure_calls(stage),
            *measure_users(stage, large),
            *measure_experiments(stage, large),
            *measure_first(stage, demo),
            *clusters.measure(stage, say),
            *audits.measure(stage, say),
        ]


def main() -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=(__doc__ or "").partition("\n\n")[2]
    )
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.relative_to(ROOT)} too")
    options = parser.parse_args()
    if not CLIENT.exists():
        print(
            f"The official client is not in {CLIENT.parent}: run make bench, or name its environment with DETERMINED_CLIENT."
        )
        return 2
    try:
        with tempfile.TemporaryDirectory(prefix="determined-bench-") as folder:
            rows = measure(Stage(pathlib.Path(folder)))
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    table = markdown(rows)
    print(table)
    if options.write:
        write(PAGE, table)
    missed = [row.what for row in rows if not row.met]
    print()
    print(
        f"{len(missed)} of {len(rows)} targets missed: {'; '.join(missed)}"
        if missed
        else f"All {len(rows)} targets met."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
