# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Writing an exported manifest on the controller.

What a cluster says is data: text that Ansible would take for a template is written ``!unsafe``, or the next apply would run it
on the controller.
"""

from __future__ import annotations

import pathlib
import re
import typing as t

import yaml

from ansible_collections.determined.ai.plugins.module_utils._gitops.lock import write_text
from ansible_collections.determined.ai.plugins.module_utils._wire.errors import InvalidOption

MARK = "Written by determined.ai.det_export"
"""In the first line of each file: only such files are replaced or removed."""

HEADS = {".yml": f"# {MARK}; the next export replaces this file.\n---\n", ".md": f"<!-- {MARK} -->\n"}
TEMPLATE = ("{{", "{%", "{#")
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.@/-]*(?: [A-Za-z0-9_.@/-]+)*")
"""Texts that can stand without quotes, whatever reads the YAML, but for the words that `yaml` itself knows."""


class ManifestWriter:
    """A folder for exported files.

    :param dest: the folder, absolute; made if it isn't there.
    """

    def __init__(self, dest: str) -> None:
        self._root = pathlib.Path(dest)

    def write(self, files: t.Mapping[str, t.Any], *, really: bool) -> list[str]:
        """Write the files, and remove those of an earlier export that are not among them.

        :param files: by their relative paths; a text is written as it is, all else as YAML.
        :param really: False to find out what would change.
        :returns: the paths that differ from what is there.
        :raises InvalidOption: a file is in the way that no export has made.
        """
        texts = {name: HEADS[pathlib.PurePath(name).suffix] + manifest_text(content) for name, content in files.items()}
        if self._root.exists() and not self._root.is_dir():
            raise InvalidOption(f"dest is {str(self._root)!r}: that is a file, it must be a folder.")
        theirs = [name for name in texts if not self._is_ours(self._root / name)]
        if theirs:
            raise InvalidOption(
                f"dest is {str(self._root)!r}: {', '.join(sorted(theirs))} in it was not made by an export and would be "
                "replaced; give another folder, or move it away."
            )
        stale = [name for name in self._earlier() if name not in texts]
        changed = [name for name, text in texts.items() if self._content(self._root / name) != text]
        if really:
            for name in changed:
                path = self._root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                write_text(str(path), texts[name])
            for name in stale:
                (self._root / name).unlink()
        return sorted([*changed, *stale])

    def _earlier(self) -> list[str]:
        """The files of an earlier export."""
        found = [
            path for suffix in HEADS for folder in ("", "workspaces/") for path in self._root.glob(f"{folder}*{suffix}")
        ]
        return [str(path.relative_to(self._root)) for path in found if self._is_ours(path)]

    def _is_ours(self, path: pathlib.Path) -> bool:
        text = self._content(path)
        return text is None or MARK in text.partition("\n")[0]

    @staticmethod
    def _content(path: pathlib.Path) -> str | None:
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidOption(f"dest: {path} is in the way and can't be read ({error}).") from error


def manifest_text(content: t.Any) -> str:
    """A file's text: a text as it is, all else as YAML that Ansible reads back as it was."""
    if isinstance(content, str):
        return content
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=False)


class _Dumper(yaml.SafeDumper):
    """Writes what Ansible's loader reads back as it was."""

    def ignore_aliases(self, data: t.Any) -> bool:
        """Write what occurs twice twice: aliases are hard to read."""
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.Node:
    if any(sign in text for sign in TEMPLATE):
        return dumper.represent_scalar("!unsafe", text, style='"')
    if "\n" in text and text == text.rstrip(" \t") and text.isprintable() is False and "\r" not in text:
        lines = text.split("\n")
        if all(line.isprintable() and line == line.rstrip() for line in lines):
            return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")
    style = None if PLAIN.fullmatch(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
