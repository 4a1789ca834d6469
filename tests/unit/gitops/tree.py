# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""A manifest's folder to write into, and to load as an action plugin does."""

from __future__ import annotations

import pathlib
import textwrap
import typing as t

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.determined.ai.plugins.module_utils._gitops.manifest import Manifest, ManifestErrors
from ansible_collections.determined.ai.plugins.plugin_utils.manifest_files import load_manifest


class Tree:
    """A manifest's folder.

    :ivar variables: what templates in it can use.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.root = folder / "tree"
        self.root.mkdir()
        self.loader = DataLoader()
        self.variables: dict[str, t.Any] = {}

    def write(self, **files: str) -> Tree:
        """Write YAML files; in their names two underscores stand for a slash."""
        for name, text in files.items():
            self.file(f"{name.replace('__', '/')}.yml", text)
        return self

    def file(self, name: str, text: str | bytes) -> pathlib.Path:
        """Write one file."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).lstrip("\n").encode())
        return path

    def load(self, environment: str | None = None, manifest: t.Any = None, **options: t.Any) -> Manifest:
        """Load the folder, or an inline manifest."""
        templar = Templar(loader=self.loader, variables=self.variables)
        source = str(self.root) if manifest is None else manifest
        return load_manifest(source, environment, loader=self.loader, templar=templar, **options)

    def errors(self, environment: str | None = None, manifest: t.Any = None, **options: t.Any) -> list[str]:
        """Load it, and return the lines of the failure."""
        with pytest.raises(ManifestErrors) as found:
            self.load(environment, manifest, **options)
        return str(found.value).splitlines()
