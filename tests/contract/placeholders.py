# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers with everything that differs from master to master, and from run to run, put away.

Equal values get equal placeholders within a scenario. A value that the scenario named (``set: {alice: user.id}``) is
``<alice>``; another one is numbered after the step that first showed it (``<time 7.2>``). Ids are kept apart by kind,
which the keys on the way to a number tell; 0, negative ids and those of what every master has at birth (the users 1 and
2, workspace and project 1, the roles) stay as they are, and so does 999999, the scenarios' id of nobody.
"""

from __future__ import annotations

import json
import re
import typing as t

# What a gRPC gateway prints of a time: no fraction, or 3, 6 or 9 digits of one.
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(?:\d{9}|\d{6}|\d{3}))?Z")
TOKEN = re.compile(r"v2\.public\.[\w-]+(?:\.[\w-]+)?")
UUID = re.compile(r"(?:\d+\.)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# Ids that no answer shows otherwise, in the texts of errors.
TEXTS = ((re.compile(r"(for group id) \d+"), r"\1 <personal group>"),)
NATIVE = {"user": {1, 2}, "workspace": {1}, "project": {1}}
NOBODY = 999999
KIND_OF = {
    "tokenInfo": "token",
    "scopeWorkspace": "workspace",
    "projectOwner": "user",
    "bestTrial": "trial",
    "role": "fixed",
    "trialRun": "fixed",
    "results": "",
    "forkedFrom": "experiment",
}
# Numbers that time and chance make.
CHANCE = frozenset({"duration", "experiment_seed", "wallClockTime"})
# Before an id in the text of an error: its kind in words, as in "experiment '7'" or "token with ID 7".
ID_IN_TEXT = re.compile(r"(?<![\w<])([A-Za-z]+)(:? ?['\"(#]?)(\d+)(?![\w>])")
ERROR_KEYS = frozenset({"error", "message", "errorMessage"})

Path = tuple["str | int", ...]


def kind_of(path: Path) -> str | None:
    """The kind of object whose id is found at a path; None where no id is.

    "fixed" are ids that come with the release, "" ids of a kind that the path does not tell.
    """
    keys = [key for key in path if isinstance(key, str)]
    if not keys:
        return None
    key = keys[-1]
    if key == "id":
        name = keys[-2] if len(keys) > 1 else ""
    elif key.endswith("Ids"):
        name = key[:-3]
    elif key.endswith("Id"):
        name = key[:-2]
    elif key in KIND_OF:
        name = key
    else:
        return None
    if name in KIND_OF:
        return KIND_OF[name]
    name = name.removesuffix("s")
    return KIND_OF.get(name, name)


def lies_at(path: Path, wanted: t.Iterable[str]) -> bool:
    """Whether a path ends in one of the dotted paths, indices aside."""
    keys = "." + ".".join(key for key in path if isinstance(key, str))
    return any(keys.endswith("." + name) for name in wanted)


def shape(value: t.Any) -> t.Any:
    """Types in place of values; a list becomes the list of the shapes in it."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        shapes = {json.dumps(shape(item), sort_keys=True) for item in value}
        return [json.loads(text) for text in sorted(shapes)]
    if value is None:
        return None
    return f"<{'bool' if isinstance(value, bool) else 'text' if isinstance(value, str) else 'number'}>"


class Placeholders:
    """Puts away what is not the same everywhere, in the answers of one run of a scenario.

    Args:
        given: the scenario's text, whose times and UUIDs stay.
        fixed: texts of this run -> what stands for them.
    """

    def __init__(self, given: str, fixed: dict[str, str]) -> None:
        self.given = given
        self.fixed = fixed
        self.names: dict[tuple[str, t.Any], str] = {}
        self._step = 0
        self._count: dict[str, int] = {}
        self._used: dict[str, t.Any] = {}
        self._results = ""

    def name(self, name: str, path: Path, value: t.Any) -> None:
        """A step keeps the value at a path of its answer as a variable."""
        if isinstance(value, str):
            self.fixed.setdefault(value, f"<{name}>")
        else:
            self.names.setdefault((kind_of(path) or "", value), f"<{name}>")

    def start(self, number: int, path: str, used: dict[str, t.Any]) -> None:
        """A step begins: its number, its path and the variables in its request."""
        self._step, self._used = number, used
        # What a bulk request's results are about.
        self._results = "experiment" if "/experiments/" in path else "user"
        self._count.clear()

    def _new(self, kind: str, value: t.Any) -> str:
        found = self.names.get((kind, value))
        if found is None:
            self._count[kind] = self._count.get(kind, 0) + 1
            found = self.names[kind, value] = f"<{kind} {self._step}.{self._count[kind]}>"
        return found

    def text(self, text: str, path: Path = ()) -> str:
        """A text with what is in it put away."""
        for value, name in self.fixed.items():
            text = text.replace(value, name)
        text = TOKEN.sub(lambda match: self._new("token", match[0]), text)
        text = TIME.sub(lambda match: match[0] if match[0] in self.given else self._new("time", match[0]), text)
        text = UUID.sub(lambda match: match[0] if match[0] in self.given else self._new("uuid", match[0]), text)
        for pattern, replacement in TEXTS:
            text = pattern.sub(replacement, text)
        if lies_at(path, ERROR_KEYS):
            text = ID_IN_TEXT.sub(self._id_in_text, text)
        return text

    def _id_in_text(self, match: re.Match[str]) -> str:
        word = match[1].lower()
        found = self.names.get((word, int(match[3])))
        if found is None and word == "id":
            used = (name for name, value in self._used.items() if str(value) == match[3])
            found = next((f"<{name}>" for name in used), None)
        return f"{match[1]}{match[2]}{found}" if found else match[0]

    def number(self, value: int, path: Path) -> t.Any:
        """A number, or what stands for it if it is an id."""
        kind = kind_of(path)
        if kind is None or kind == "fixed":
            return value
        kind = kind or self._results
        if value <= 0 or value >= NOBODY or value in NATIVE.get(kind, ()):
            return value
        return self._new(kind, value)

    def put_away(self, value: t.Any, unordered: t.Collection[str], mask: t.Collection[str], path: Path = ()) -> t.Any:
        """An answer's value with everything put away that is not the same everywhere.

        Args:
            unordered: dotted paths of lists that are sorted here.
            mask: dotted paths of values that become ``<any>``.
        """
        if mask and path and isinstance(path[-1], str) and lies_at(path, mask):
            return "<any>"
        if isinstance(value, dict):
            return {key: self.put_away(value[key], unordered, mask, (*path, key)) for key in sorted(value)}
        if isinstance(value, list):
            if unordered and lies_at(path, unordered):
                value = sorted(value, key=lambda item: self._rank(item, mask, path))
            return [self.put_away(item, unordered, mask, (*path, place)) for place, item in enumerate(value)]
        if isinstance(value, str):
            return self.text(value, path)
        if isinstance(value, bool) or value is None:
            return value
        if path and path[-1] in CHANCE:
            return "<number>"
        return self.number(value, path) if isinstance(value, int) else value

    def _rank(self, value: t.Any, mask: t.Collection[str], path: Path) -> str:
        """A sort key that is the same on every master: new values all look alike in it."""
        names, count = dict(self.names), dict(self._count)
        known = json.dumps(self.put_away(value, (), mask, (*path, 0)), sort_keys=True)
        self.names, self._count = names, count
        return known
