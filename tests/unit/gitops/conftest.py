# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of whole clusters share: a way to apply a manifest that is plain data."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.determined.ai.plugins.module_utils._gitops.manifest import (
    Document,
    Manifest,
    Position,
)
from ansible_collections.determined.ai.plugins.module_utils._gitops.manifest_builder import build
from ansible_collections.determined.ai.plugins.modules.det_apply import OPERATION as APPLY
from ansible_collections.determined.ai.plugins.plugin_utils.manifest_writer import manifest_text
from tests.simulator import Simulator

from ..conftest import Runner


class PlainSource:
    """A manifest as plain data, in the place of Ansible's loader."""

    def __init__(self, content: dict[str, t.Any], folder: pathlib.Path | None) -> None:
        content = dict(content)
        self._settings = content.pop("settings", {})
        self._content = content
        self._folder = folder
        self.told: list[str] = []

    def load(self) -> Manifest:
        def place(path: tuple[str | int, ...]) -> Position:
            return Position("manifest.yml", 0)

        return build(
            [Document(self._content, place)],
            settings=[Document(self._settings, place)],
            folder=None if self._folder is None else str(self._folder),
        )

    def tell(self, text: str) -> None:
        self.told.append(text)

    def written(self, content: t.Mapping[str, t.Any]) -> str:
        return manifest_text(content)


class Applier:
    """Applies manifests to one master."""

    def __init__(self, runner: Runner, folder: pathlib.Path) -> None:
        self.runner = runner
        self.sim: Simulator = runner.sim
        self.folder = folder

    def __call__(self, manifest: dict[str, t.Any], check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        """Run det_apply; the lock file lies in the test's folder. The result is a module's, ``failed`` included."""
        options.setdefault("concurrency", 1)
        options.setdefault("retry_for", 0)
        source = PlainSource(manifest, self.folder)
        result = self.runner(APPLY, check, manifest=source, **options)
        result["told"] = source.told
        return result

    def ok(self, manifest: dict[str, t.Any], check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        """Run det_apply, which must succeed."""
        result = self(manifest, check, **options)
        assert not result.get("failed"), result["msg"]
        return result

    def failed(self, manifest: dict[str, t.Any], check: bool = False, **options: t.Any) -> str:
        """Run det_apply, which must fail, and return its text."""
        result = self(manifest, check, **options)
        assert result.get("failed"), result
        return t.cast(str, result["msg"])

    def writes(self, since: int = 0) -> list[tuple[str, str]]:
        """The calls that changed something, login and searches left out."""
        return [
            (method, path)
            for method, path, *_ in self.sim.journal[since:]
            if method != "GET" and not path.endswith(("/login", "/logout", "/search", "/by-ids"))
        ]


def actions(result: dict[str, t.Any]) -> dict[str, str]:
    """What a result's plan does: ``{"users/alice": "create"}``, without what stays as it is."""
    return {f"{item['kind']}/{item['key']}": item["action"] for item in result["plan"] if item["action"] != "none"}


def reason(result: dict[str, t.Any], name: str) -> str:
    """Why the plan does what it does with one object."""
    return next(item["reason"] for item in result["plan"] if f"{item['kind']}/{item['key']}" == name)


@pytest.fixture
def apply(run: Runner, tmp_path: pathlib.Path) -> Applier:
    """Apply manifests to a fresh master, as its administrator."""
    return Applier(run, tmp_path)


@pytest.fixture
def apply_demo(run_demo: Runner, tmp_path: pathlib.Path) -> Applier:
    """Apply manifests to a master with data, as its administrator."""
    return Applier(run_demo, tmp_path)
