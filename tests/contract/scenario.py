# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Contract scenarios: what is in a scenario file. README.md describes the format."""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
import re
import typing as t

import yaml

FOLDER = pathlib.Path(__file__).parent
MODES = ("basic", "rbac")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"})
VARIABLE = re.compile(r"<([a-z][a-z0-9_]*)>")


class JsonText:
    """A value of the file that goes over the wire as JSON text inside a string, as experiment configs do."""

    def __init__(self, value: t.Any) -> None:
        self.value = value


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the quick one, where there is one
    """YAML with ``!json``. Times stay text, as nothing else is ever sent."""


def _json_text(loader: yaml.SafeLoader, node: yaml.Node) -> JsonText:
    if isinstance(node, yaml.MappingNode):
        return JsonText(loader.construct_mapping(node, deep=True))
    if isinstance(node, yaml.SequenceNode):
        return JsonText(loader.construct_sequence(node, deep=True))
    raise ValueError(f"!json stands before a mapping or a list, not so in line {node.start_mark.line + 1}")


_Loader.add_constructor("!json", _json_text)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", yaml.SafeLoader.construct_yaml_str)


@dataclasses.dataclass(frozen=True)
class Step:
    """One request of a scenario.

    Attributes:
        number: its place, from 1.
        method: HTTP verb.
        path: path and query as sent, with variables; below ``/api/v1/`` unless it starts with ``/``.
        why: what the step shows.
        actor: name of a kept token, ``admin``, or ``nobody`` for a request without one.
        body: JSON value of the body; None when there is none, or ``raw`` has it.
        raw: the body's text as it is.
        headers: further request headers.
        keep: name -> path in the answer: kept as a variable.
        token: the name under which the answer's token is kept, for ``actor``.
        until: path in the answer -> value (``status`` is the HTTP status): the request is repeated until it is so.
        unordered: paths of lists whose order the master leaves open.
        mask: paths of values that say nothing, as the place in a queue that others share.
        shape: keep types in place of values, in all of the answer.
        modes: authorisation modes in which the step is taken.
    """

    number: int
    method: str
    path: str
    why: str = ""
    actor: str = "admin"
    body: t.Any = None
    raw: str | None = None
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    keep: dict[str, str] = dataclasses.field(default_factory=dict)
    token: str | None = None
    until: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    unordered: tuple[str, ...] = ()
    mask: tuple[str, ...] = ()
    shape: bool = False
    modes: tuple[str, ...] = MODES

    @property
    def title(self) -> str:
        """The step in one line, for recordings and messages."""
        return f"{self.method} {self.path}"


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A scenario file.

    Attributes:
        name: the file's name without its suffix.
        about: what it covers, in one sentence.
        uuids: names of variables that hold UUIDs nobody else has, in ascending order.
        steps: the requests, in order.
        modes: authorisation modes in which it is recorded.
        text: the file's text.
        pools: resource pools that the master must have beside `default`.
        scim: how SCIM authenticates on the master, as `oauth`; empty where SCIM is off.
    """

    name: str
    about: str
    uuids: tuple[str, ...]
    steps: tuple[Step, ...]
    modes: tuple[str, ...]
    text: str
    pools: tuple[str, ...] = ()
    scim: str = ""

    @property
    def special(self) -> bool:
        """Whether it needs a master that is set up for it."""
        return bool(self.pools or self.scim)

    def recording(self, mode: str) -> pathlib.Path:
        """Where its answers in an authorisation mode are kept."""
        return FOLDER / "recordings" / mode / f"{self.name}.json"


def _step(number: int, found: dict[str, t.Any], common: dict[str, t.Any]) -> Step:
    known = {**common, **found}
    methods = [key for key in known if key in METHODS]
    if len(methods) != 1:
        raise ValueError(f"step {number}: one of {', '.join(sorted(METHODS))} is the key of its path")
    method = methods[0]
    names = {"as": "actor", "set": "keep"}
    options = {names.get(key, key): value for key, value in known.items() if key != method}
    for key in ("unordered", "mask", "modes"):
        if key in options:
            options[key] = tuple(options[key])
    unknown = sorted(set(options) - {field.name for field in dataclasses.fields(Step)})
    if unknown:
        raise ValueError(f"step {number}: unknown {', '.join(unknown)}")
    return Step(number, method, str(known[method]), **options)


def load(path: pathlib.Path) -> Scenario:
    """Read a scenario file.

    Raises:
        ValueError: the file is no scenario; the text says where.
    """
    text = path.read_text(encoding="utf-8")
    found = yaml.load(text, _Loader)
    try:
        # `let` holds YAML anchors only.
        unknown = sorted(set(found) - {"about", "steps", "modes", "uuids", "unordered", "mask", "let", "master"})
        if unknown:
            raise ValueError(f"unknown {', '.join(unknown)}")
        common = {key: found[key] for key in ("unordered", "mask") if key in found}
        steps = tuple(_step(number, step, common) for number, step in enumerate(found["steps"], 1))
        modes = tuple(found.get("modes", MODES))
        master = dict(found.get("master", {}))
        pools, scim = tuple(master.pop("pools", ())), str(master.pop("scim", ""))
        if master:
            raise ValueError(f"unknown {', '.join(sorted(master))} of master")
        return Scenario(path.stem, found["about"], tuple(found.get("uuids", ())), steps, modes, text, pools, scim)
    except KeyError as error:
        raise ValueError(f"{path.name}: {error} is missing") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path.name}: {error}") from error


@functools.cache
def load_all() -> list[Scenario]:
    """Every scenario, by name."""
    return [load(path) for path in sorted((FOLDER / "scenarios").glob("*.yml"))]


def filled(value: t.Any, variables: dict[str, t.Any], used: dict[str, t.Any]) -> t.Any:
    """Put variables into a value of the file; a text that is one variable becomes the variable's own value.

    Args:
        used: gets the variables that were put in.

    Raises:
        KeyError: a variable that no step has set.
    """

    def put(match: re.Match[str]) -> str:
        used[match[1]] = variables[match[1]]
        return str(variables[match[1]])

    if isinstance(value, str):
        whole = VARIABLE.fullmatch(value)
        if whole is not None:
            put(whole)
            return variables[whole[1]]
        return VARIABLE.sub(put, value)
    if isinstance(value, JsonText):
        return json.dumps(filled(value.value, variables, used))
    if isinstance(value, dict):
        return {filled(key, variables, used): filled(item, variables, used) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, variables, used) for item in value]
    return value
