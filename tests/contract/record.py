# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record the contract scenarios from a real master: ``python -m tests.contract.record``. See README.md."""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import sys
import tempfile
import typing as t

import requests

from .player import TIMEOUT, Answer, Player, PlayError, differences
from .scenario import Scenario, load_all

VERSION = "0.38.1"


def mode_of(http: requests.Session, url: str) -> str:
    """The authorisation mode that a master enforces; ``rbacEnabled`` of ``GET /master`` only says what its UI shows."""
    answer = http.get(f"{url}/api/v1/users?roleIdAssignedDirectlyToUser=1", timeout=TIMEOUT)
    return "rbac" if answer.status_code == 200 else "basic"


def sign_in(http: requests.Session, url: str, user: str, password: str) -> str:
    """Log in. Raises SystemExit with a sentence."""
    answer = http.post(f"{url}/api/v1/auth/login", json={"username": user, "password": password}, timeout=TIMEOUT)
    if answer.status_code != 200:
        raise SystemExit(f"{url} refuses the login of {user!r}: {answer.text.strip()}")
    return t.cast(str, answer.json()["token"])


def check(http: requests.Session, url: str, any_master: bool, wanted: list[str]) -> None:
    """Refuse a master that would not answer as the recordings are meant. Raises SystemExit with a sentence.

    Args:
        wanted: the resource pools that it must have, in the order of their names.
    """
    version = http.get(f"{url}/api/v1/master", timeout=TIMEOUT).json()["version"]
    agents = http.get(f"{url}/api/v1/agents", timeout=TIMEOUT).json()["agents"]
    pools = [pool["name"] for pool in http.get(f"{url}/api/v1/resource-pools", timeout=TIMEOUT).json()["resourcePools"]]
    objections = []
    if version != VERSION:
        objections.append(f"it is version {version}, not {VERSION}")
    if agents:
        objections.append("it has agents, on which the scenarios' experiments would run")
    if pools != wanted:
        fresh = "the one of a fresh installation, default" if wanted == ["default"] else ", ".join(wanted)
        objections.append(f"its resource pools are {', '.join(pools)}, not {fresh}")
    if objections and not any_master:
        raise SystemExit(f"{url} is not recorded: {'; '.join(objections)}. --any-master records it all the same.")


def read(path: pathlib.Path) -> list[Answer] | None:
    """A recording, None if there is none."""
    if not path.exists():
        return None
    return t.cast("list[Answer]", json.loads(path.read_text(encoding="utf-8")))


def summary(scenario: Scenario, old: list[Answer] | None, new: list[Answer]) -> list[str]:
    """What a new recording changes, in a few lines; none if it changes nothing."""
    if old is None:
        return [f"{scenario.name}: new, {len(new)} steps"]
    if [answer["step"] for answer in old] != [answer["step"] for answer in new]:
        return [f"{scenario.name}: other steps, {len(old)} before and {len(new)} now"]
    lines = []
    for number, (before, now) in enumerate(zip(old, new, strict=True), 1):
        changes = differences(before, now)
        if changes:
            lines.append(f"{scenario.name}, answer {number} ({now['step']}):")
            lines += [f"  {line}" for line in changes[:5]]
            lines += [f"  and {len(changes) - 5} more"] if len(changes) > 5 else []
    return lines


def write(path: pathlib.Path, answers: list[Answer]) -> None:
    """Replace a recording in one step, so that it is never half written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "[\n" + ",\n".join(json.dumps(answer, ensure_ascii=False, indent=1) for answer in answers) + "\n]\n"
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=".part", delete=False) as file:
        file.write(text)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit status: with ``--dry-run`` 1 if anything would change."""
    parser = argparse.ArgumentParser(prog="python -m tests.contract.record", description=__doc__)
    parser.add_argument("scenarios", nargs="*", help="names of the scenarios to record, all by default")
    parser.add_argument("--dry-run", action="store_true", help="show what would change, and write nothing")
    parser.add_argument("--any-master", action="store_true", help=f"also one that is not a fresh {VERSION} install")
    options = parser.parse_args(arguments)
    url = os.environ.get("DET_MASTER", "").rstrip("/")
    if not url:
        raise SystemExit("Set DET_MASTER to the master to record from, and DET_USER and DET_PASS to its administrator.")
    url = url if "://" in url else f"http://{url}"
    try:
        scenarios = load_all()
    except ValueError as error:
        raise SystemExit(f"{error}.") from error
    unknown = sorted(set(options.scenarios) - {scenario.name for scenario in scenarios})
    if unknown:
        raise SystemExit(f"No scenario is named {', '.join(unknown)}.")

    # What needs a master of its own is recorded when it is named.
    wanted = [
        scenario
        for scenario in scenarios
        if (scenario.name in options.scenarios if options.scenarios else not scenario.special)
    ]
    pools = sorted({"default", *(pool for scenario in wanted for pool in scenario.pools)})
    recorded: dict[pathlib.Path, list[Answer]] = {}
    changes: list[str] = []
    with requests.Session() as http:
        http.trust_env = False
        try:
            token = sign_in(http, url, os.environ.get("DET_USER", "admin"), os.environ.get("DET_PASS", ""))
            http.cookies.clear()
            http.headers["Authorization"] = f"Bearer {token}"
            try:
                check(http, url, options.any_master, pools)
                mode = mode_of(http, url)
                player = Player(url, token)
                for scenario in wanted:
                    if mode in scenario.modes:
                        path = scenario.recording(mode)
                        recorded[path] = player.play(scenario, mode)
                        changes += summary(scenario, read(path), recorded[path])
                player.close()
            finally:
                http.post(f"{url}/api/v1/auth/logout", timeout=TIMEOUT)
        except (PlayError, requests.RequestException) as error:
            raise SystemExit(f"Nothing was written: {error}") from error
    print("\n".join(changes) if changes else "No answer changed.")
    steps = sum(map(len, recorded.values()))
    if not options.dry_run:
        for path, answers in recorded.items():
            write(path, answers)
    verb = "Compared" if options.dry_run else "Recorded"
    print(f"{verb} {len(recorded)} scenarios, {steps} steps, authorisation mode {mode}.")
    return 1 if options.dry_run and changes else 0


if __name__ == "__main__":
    sys.exit(main())
