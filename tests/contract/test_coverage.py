# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenarios leave nothing out: no route that the collection calls, none that the simulated master serves."""

from __future__ import annotations

import ast
import dataclasses
import pathlib
import re
from collections.abc import Iterator

import pytest

from tests.simulator import server  # noqa: F401  (its imports register the routes)
from tests.simulator.gateway import ROUTES, find_route

from .scenario import FOLDER, METHODS, VARIABLE, load_all

PLUGINS = FOLDER.parent.parent / "plugins"
READS = frozenset({"get", "read", "find"})
ANY = "[^/]+"


@dataclasses.dataclass(frozen=True)
class Use:
    """A place in the collection that names a route; the verb is "" where the place does not tell."""

    where: str
    verb: str
    pattern: str


def taken() -> set[tuple[str, str]]:
    """Verb and path of every step, without its query and with 1 for each variable."""
    found = set()
    for scenario in load_all():
        for step in scenario.steps:
            path = VARIABLE.sub("1", step.path.partition("?")[0])
            found.add((step.method, path if path.startswith("/") else f"/api/v1/{path}"))
    return found


def pattern_of(node: ast.expr) -> str:
    """A regular expression for what an argument of ``route()``, or a text that is a path, can be."""
    match node:
        case ast.Constant(value=value):
            return re.escape(str(value))
        case ast.IfExp(body=body, orelse=orelse):
            return f"(?:{pattern_of(body)}|{pattern_of(orelse)})"
        case ast.JoinedStr(values=values):
            return "".join(pattern_of(value) for value in values)
        case ast.Starred():
            return ".+"
        case _:
            return ANY


def uses_in(path: pathlib.Path) -> Iterator[Use]:
    """The routes that a file of the collection names."""

    def visit(node: ast.AST, verb: str) -> Iterator[Use]:
        if isinstance(node, ast.Call):
            function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if function == "route":
                pattern = "/api/v1/" + "/".join(map(pattern_of, node.args))
                yield Use(f"{path.name}:{node.lineno}", verb, pattern)
                return
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and first.value in METHODS:
                verb = str(first.value)
            elif function in READS:
                verb = "GET"
        elif isinstance(node, (ast.Constant, ast.JoinedStr)):
            pattern = pattern_of(node)
            if re.match(r"/api/v1/\w|/health|/info", pattern) and " " not in pattern:
                yield Use(f"{path.name}:{node.lineno}", verb, pattern)
            return
        for child in ast.iter_child_nodes(node):
            yield from visit(child, verb)

    yield from visit(ast.parse(path.read_text(encoding="utf-8")), "")


STEPS = taken()
USES = [use for path in sorted((PLUGINS / "module_utils").rglob("*.py")) for use in uses_in(path)]


@pytest.mark.parametrize("use", USES, ids=lambda use: use.where)
def test_calls_of_the_collection(use: Use) -> None:
    pattern = re.compile(use.pattern)
    assert any(use.verb in ("", verb) and pattern.fullmatch(path) for verb, path in STEPS), (
        f"no step of a scenario makes {use.verb or 'any call of'} {use.pattern}"
    )


def test_the_collection_names_routes() -> None:
    """The search above finds what it should: each kind's own route is among them."""
    named = {use.pattern for use in USES}
    assert {"/api/v1/users", "/api/v1/tokens", "/api/v1/templates", "/api/v1/experiments", "/api/v1/models"} <= named
    assert any(use.verb == "PATCH" for use in USES)


def test_routes_of_the_simulated_master() -> None:
    handlers = {found[0].handler for verb, path in STEPS if (found := find_route(verb, path.removesuffix("/")))}
    served = {
        route.handler: f"{route.method} /{'/'.join(name if kind is None else f'<{name}>' for name, kind in route.segments)}"
        for by_length in ROUTES.values()
        for routes in by_length.values()
        for route in routes
    }
    assert sorted(served[handler] for handler in served.keys() - handlers) == []
