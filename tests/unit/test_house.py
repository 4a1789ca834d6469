# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the house: what must hold for every file, so that nobody has to remember it."""

from __future__ import annotations

import ast
import importlib
import pathlib
import re

import pytest
import yaml

from ansible_collections.determined.ai.plugins.module_utils._engine.entry import argument_spec
from ansible_collections.determined.ai.plugins.module_utils._wire._version import COLLECTION_VERSION

ROOT = pathlib.Path(__file__).parent.parent.parent
PLUGINS = ROOT / "plugins"
MODULES = sorted(path.stem for path in (PLUGINS / "modules").glob("det_*.py"))
PACKAGE = "ansible_collections.determined.ai.plugins"
LAYERS = {"_deps": 0, "_wire": 1, "_kinds": 2, "_engine": 3, "_gitops": 4, "_audit": 4}
"""Imports go down only: from a layer to itself and to smaller numbers."""


def documentation(module: str) -> dict[str, object]:
    source = ast.parse((PLUGINS / "modules" / f"{module}.py").read_text())
    for node in source.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DOCUMENTATION":
            return yaml.safe_load(ast.literal_eval(node.value))
    raise AssertionError(f"{module} has no DOCUMENTATION")


def imported(path: pathlib.Path) -> set[str]:
    """The layers that a file in module_utils imports, absolutely or relatively."""
    parts = path.relative_to(PLUGINS / "module_utils").parts
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            base = list(parts[: len(parts) - node.level])
            names = [*base, *(node.module or "").split(".")]
            first = next((name for name in names if name), None)
            found |= {first} if first else {alias.name for alias in node.names}
        elif (node.module or "").startswith(f"{PACKAGE}.module_utils."):
            found.add((node.module or "").split(".")[5])
    return found


def test_imports_go_down_only() -> None:
    seen = 0
    for path in sorted((PLUGINS / "module_utils").rglob("*.py")):
        here = LAYERS[path.relative_to(PLUGINS / "module_utils").parts[0].removesuffix(".py")]
        for layer in imported(path) & LAYERS.keys():
            seen += 1
            assert LAYERS[layer] <= here, f"{path} imports {layer}"
    assert seen > 20


def test_the_engine_knows_no_kind_by_name() -> None:
    kinds = {path.stem for path in (PLUGINS / "module_utils" / "_kinds").glob("*.py")} - {
        "kind",
        "lookup",
        "masking",
        "rights",
    }
    for path in (PLUGINS / "module_utils" / "_engine").glob("*.py"):
        assert not kinds & set(re.findall(r"_kinds\.(\w+)", path.read_text())), path


def test_the_wire_knows_no_kind() -> None:
    for path in (PLUGINS / "module_utils" / "_wire").glob("*.py"):
        assert "_kinds" not in path.read_text(), path


def test_the_action_group_is_the_list_of_modules() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
    assert sorted(runtime["action_groups"]["all"]) == MODULES


def test_nothing_stands_in_the_way_of_a_playbook() -> None:
    """`ansible-playbook determined.ai.NAME` takes a folder or file of that very name before `NAME.yml`."""
    folder = ROOT / "playbooks"
    names = {path.stem for path in folder.glob("*.yml")}
    assert "templates" in names
    assert names & {path.name for path in folder.iterdir()} == set()


def test_every_module_has_an_action_of_its_own_name() -> None:
    assert sorted(path.stem for path in (PLUGINS / "action").glob("*.py")) == MODULES
    for module in MODULES:
        action = importlib.import_module(f"{PACKAGE}.action.{module}").ActionModule
        assert action.operation is importlib.import_module(f"{PACKAGE}.modules.{module}").OPERATION


def test_the_version_is_the_one_of_the_collection() -> None:
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text())
    assert galaxy["version"] == COLLECTION_VERSION


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_documentation_and_a_few_lines(module: str) -> None:
    source = (PLUGINS / "modules" / f"{module}.py").read_text()
    strings = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
    code = 0
    for node in ast.parse(source).body:
        if not (isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in strings):
            code += (node.end_lineno or 0) - node.lineno + 1
    assert code <= 30


@pytest.mark.parametrize("module", MODULES)
def test_options_with_secrets_are_no_log(module: str) -> None:
    operation = importlib.import_module(f"{PACKAGE}.modules.{module}").OPERATION
    for name, option in argument_spec(operation).items():
        if re.search(r"pass(word)?$|secret|auth_token$", name):
            assert "no_log" in option, f"{module}.{name} does not say whether it is a secret"


@pytest.mark.parametrize("module", MODULES)
def test_every_module_is_tested_and_documented_alike(module: str) -> None:
    found = documentation(module)
    fragments = found["extends_documentation_fragment"]
    assert "determined.ai.connection" in fragments
    assert "determined.ai.attributes" in fragments
    assert found["short_description"]
    texts = "".join(path.read_text() for path in (ROOT / "tests" / "unit").rglob("*.py"))
    assert re.search(rf"modules\.{module}\b|modules import .*\b{module}\b", texts), f"no unit test imports {module}"


def test_no_file_speaks_of_things_to_do() -> None:
    for path in [*PLUGINS.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        if path != pathlib.Path(__file__):
            assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b|except Exception\b", path.read_text()), path
