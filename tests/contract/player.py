# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the steps of a scenario on a master and returns the answers in the form that recordings have."""

from __future__ import annotations

import json
import random
import re
import time
import typing as t

import requests

from .placeholders import Path, Placeholders, shape
from .scenario import Scenario, Step, filled

WAIT = 30.0  # s that a step with `until` is repeated at most
PAUSE = 0.02  # s between two of its requests
TIMEOUT = 60.0  # s for an answer; hashing a password takes a master 1.5 s and more
COMING = re.compile(r"\w{3}, \d\d \w{3} 2\d{3} [\d:]{8} GMT")  # a cookie's end; 1970 says that it is gone

Answer = dict[str, t.Any]


class PlayError(Exception):
    """A scenario cannot go on."""


class Player:
    """A master on which scenarios are played.

    Args:
        url: where it is, without a path.
        token: of a user who may do everything.
        seed: of the names of this run; a random one by default, so that a scenario can be played again on a master.
    """

    def __init__(self, url: str, token: str, seed: int | None = None) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self.random = random.Random(seed)
        self.http = requests.Session()
        self.http.trust_env = False

    def close(self) -> None:
        """Close the connection."""
        self.http.close()

    def send(self, step: Step, tokens: dict[str, str], variables: dict[str, t.Any], used: dict[str, t.Any]) -> t.Any:
        """Make a step's request once."""
        path = filled(step.path, variables, used)
        headers = {name: filled(value, variables, used) for name, value in step.headers.items()}
        data = None
        if step.raw is not None:
            data = filled(step.raw, variables, used).encode()
        elif step.body is not None:
            data = json.dumps(filled(step.body, variables, used)).encode()
        if data is not None:
            headers.setdefault("Content-Type", "application/json")
        if step.actor != "nobody":
            headers.setdefault("Authorization", f"Bearer {tokens[step.actor]}")
        request = requests.Request(step.method, self.url, headers=headers, data=data).prepare()
        request.url = self.url + (path if path.startswith("/") else f"/api/v1/{path}")  # as it is, not quoted again
        answer = self.http.send(request, timeout=TIMEOUT, allow_redirects=False)
        self.http.cookies.clear()
        return answer

    def play(self, scenario: Scenario, mode: str) -> list[Answer]:
        """Take all steps of a mode.

        Raises:
            PlayError: a variable was never set, or a state never reached.
        """
        run = "".join(self.random.choices("bcdfghjkmnpqrstvwxz", k=7))
        key = "Z" + "".join(self.random.choices("23456789", k=1) + self.random.choices("BCDFGHJKLMNPQRSTVWX", k=2))
        tail = f"{self.random.getrandbits(96):024x}"
        variables: dict[str, t.Any] = {"run": run, "key": key, "lowkey": key.lower()}
        for number, name in enumerate(scenario.uuids, 1):
            variables[name] = f"{number:08x}-{tail[:4]}-4{tail[4:7]}-8{tail[7:10]}-{tail[10:22]}"
        texts = {value: f"<{name}>" for name, value in variables.items()}
        placeholders = Placeholders(scenario.text, texts)
        tokens = {"admin": self.token}
        answers = []
        for step in scenario.steps:
            if mode in step.modes:
                try:
                    answers.append(self._take(scenario, step, tokens, variables, placeholders))
                except KeyError as error:
                    raise PlayError(f"{scenario.name}, step {step.number} ({step.title}): no {error} yet") from error
        return answers

    def _take(
        self,
        scenario: Scenario,
        step: Step,
        tokens: dict[str, str],
        variables: dict[str, t.Any],
        placeholders: Placeholders,
    ) -> Answer:
        used: dict[str, t.Any] = {}
        deadline = time.monotonic() + WAIT
        while True:
            response = self.send(step, tokens, variables, used)
            body = _body(response)
            found = {"status": response.status_code, "body": body}
            if all(_reached(found, name, value) for name, value in step.until.items()):
                break
            if time.monotonic() > deadline:
                raise PlayError(f"{scenario.name}, step {step.number} ({step.title}): never {step.until}, last {found}")
            time.sleep(PAUSE)
        try:
            if step.token is not None:
                tokens[step.token] = body["token"]
            for name, wanted in step.keep.items():
                path = _path(wanted)
                variables[name] = _at(body, path)
                placeholders.name(name, path, variables[name])
        except (KeyError, IndexError, TypeError) as error:
            raise PlayError(
                f"{scenario.name}, step {step.number} ({step.title}): nothing to keep in {_short(found)}"
            ) from error
        placeholders.start(step.number, step.path, used)
        cookie = response.headers.get("Set-Cookie")
        return {
            "step": step.title,
            "as": step.actor,
            "status": response.status_code,
            "type": response.headers.get("Content-Type", "").partition(";")[0],
            **({} if cookie is None else {"cookie": COMING.sub("<date>", placeholders.text(cookie))}),
            "body": shape(body) if step.shape else placeholders.put_away(body, step.unordered, step.mask),
        }


def _body(response: requests.Response) -> t.Any:
    """The JSON of an answer, the list of JSON values of a streamed one, the text of another, None without a body."""
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        try:
            return [json.loads(line) for line in response.text.splitlines()]
        except ValueError:
            return response.text


def _path(dotted: str) -> Path:
    return tuple(int(key) if key.isdecimal() else key for key in dotted.split("."))


def _at(value: t.Any, path: Path) -> t.Any:
    for key in path:
        value = value[key]
    return value


def _reached(found: dict[str, t.Any], name: str, wanted: t.Any) -> bool:
    try:
        return bool(_at(found if name == "status" else found["body"], _path(name)) == wanted)
    except (KeyError, IndexError, TypeError):
        return False


def differences(recorded: t.Any, found: t.Any, path: str = "") -> list[str]:
    """Where two recorded values differ, one line each; the order of keys does not count."""
    if isinstance(recorded, dict) and isinstance(found, dict):
        lines = []
        for key in sorted(recorded.keys() | found.keys()):
            where = f"{path}.{key}" if path else key
            if key not in found:
                lines.append(f"{where}: {_short(recorded[key])} is missing")
            elif key not in recorded:
                lines.append(f"{where}: {_short(found[key])} is new")
            else:
                lines += differences(recorded[key], found[key], where)
        return lines
    if isinstance(recorded, list) and isinstance(found, list) and len(recorded) == len(found):
        return [
            line
            for place, (one, other) in enumerate(zip(recorded, found, strict=True))
            for line in differences(one, other, f"{path}[{place}]")
        ]
    # 1 and 1.0 are the same number in JSON; 1 and true are not.
    same = recorded == found and isinstance(recorded, bool) == isinstance(found, bool)
    return [] if same else [f"{path}: {_short(recorded)} became {_short(found)}"]


def _short(value: t.Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 400 else text[:400] + "…"
