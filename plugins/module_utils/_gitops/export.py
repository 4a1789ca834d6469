# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""What det_export does: a live cluster becomes a manifest that declares it as it is. Writes nothing to the cluster.

What can't be declared, or can't be seen, is listed and not left out in silence.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._engine.report_text import markdown_cell
from .._kinds.kind import Arguments, Declarable, Normal, Task
from .._kinds.masking import KEEP
from .._kinds.rights import Rights
from .._wire.errors import InvalidOption
from .directory import UNREADABLE, Directory
from .kinds import KINDS, NESTED, POOL_BINDINGS, POOLS, SINGLE, WORKSPACES
from .operation import PLURALS, Cluster

WHEN_ASKED = frozenset({"tokens", "oauth_clients"})
"""Kinds that are exported only if they are named: what the server tells once can't be read, so a declaration needs a file that
holds it, and makes a new one where there is none."""

SETTINGS_FILE = "determined.yml"


class Writer(t.Protocol):
    """Where the files go: the controller."""

    def write(self, files: t.Mapping[str, t.Any], *, really: bool) -> list[str]:
        """Write the files, and remove those of an earlier export that are not among them.

        :param files: by their relative paths; a text is written as it is, all else as YAML.
        :param really: False to find out what would change.
        :returns: the paths that differ from what is there.
        :raises InvalidOption: a file is in the way that no export has made.
        """


@dataclasses.dataclass
class Exported:
    """One object.

    :ivar options: the options that declare it.
    :ivar live: the object.
    """

    kind: Declarable
    key: str
    options: dict[str, t.Any]
    live: Normal


class ExportOperation:
    """Writes a manifest of a live cluster."""

    arguments = Arguments(
        spec={
            "dest": {"type": "path", "required": True},
            "layout": {"type": "str", "choices": ["kind", "workspace"], "default": "kind"},
            "kinds": {"type": "list", "elements": "str", "choices": list(PLURALS)},
            "name": {"type": "str", "default": "exported"},
            "concurrency": {"type": "int", "default": 4},
        }
    )

    def run(self, task: Task) -> dict[str, t.Any]:
        """Read all, and write the files.

        :raises InvalidOption: a file is in the way.
        """
        options = task.options
        if options["concurrency"] < 1:
            raise InvalidOption(f"concurrency is {options['concurrency']}: it must be 1 or more.")
        writer = t.cast(Writer, options["dest"])
        cluster = task.session.read(Cluster, "master", "/api/v1/master")
        asked = options["kinds"]
        chosen = [
            kind
            for kind in KINDS
            if (asked is None and kind.plural not in WHEN_ASKED) or (asked is not None and kind.plural in asked)
        ]
        found = _Reading(task, chosen).read(options["concurrency"])
        if asked is None:
            found.not_exported += [
                {
                    "kind": plural,
                    "key": "*",
                    "reason": "Exported only if named in kinds: each entry then needs dest, the file with what was told once.",
                }
                for plural in sorted(WHEN_ASKED)
            ]
        settings = {"schema": 1, "name": options["name"], "cluster_id": cluster.cluster_id}
        layout = _by_workspace if options["layout"] == "workspace" else _by_kind
        files: dict[str, t.Any] = {SETTINGS_FILE: settings, **layout(found.objects, chosen)}
        files["SECRETS.md"] = _secrets_page(found.secrets)
        files["NOT-EXPORTED.md"] = _not_exported_page(found.not_exported)
        changed = writer.write(files, really=not task.check_mode)
        return {
            "changed": bool(changed),
            "files": sorted(files),
            "changed_files": changed,
            "cluster_id": cluster.cluster_id,
            "counts": {kind.plural: sum(1 for item in found.objects if item.kind is kind) for kind in chosen},
            "secrets": found.secrets,
            "not_exported": found.not_exported,
        }


class _Reading:
    """Reads kinds whole, and says of each object how it is declared or why it can't be."""

    def __init__(self, task: Task, chosen: t.Sequence[Declarable]) -> None:
        self._task = task
        self._chosen = chosen
        self._directory = Directory(task.session, {kind.plural: kind for kind in KINDS})
        self.objects: list[Exported] = []
        self.secrets: list[dict[str, t.Any]] = []
        self.not_exported: list[dict[str, str]] = []

    def read(self, concurrency: int) -> _Reading:
        rights = Rights.read(self._task.session)
        for kind in self._chosen:
            try:
                found = self._directory.objects(kind.plural)
            except UNREADABLE as error:
                self._leave_out(kind, "*", str(error))
                continue
            gap = rights.gap(kind.plural)
            if gap is not None:
                self._leave_out(kind, "*", f"The list may not be whole: {gap}.")
            failed = self._directory.complete(kind.plural, found, concurrency)
            for key in sorted(found):
                if key in failed:
                    self._leave_out(kind, key, str(failed[key]))
                else:
                    self._add(kind, key)
        return self

    def _add(self, kind: Declarable, key: str) -> None:
        live = self._directory.objects(kind.plural)[key]
        twice = self._directory.twice(kind.plural).get(key)
        why = kind.undeclarable(live, self._directory)
        if twice is not None:
            ids = ", ".join(str(one.get("id")) for one in twice)
            why = f"Several live objects have this key (ids {ids})."
        if why is not None:
            self._leave_out(kind, key, why)
            return
        if live.get("server_made"):
            return
        options = kind.declaration(live, self._directory)
        secrets = [*kind.left_out(live), *_keeps(options)]
        if secrets:
            self.secrets.append({"kind": kind.plural, "key": key, "options": secrets})
        self.objects.append(Exported(kind, key, options, live))

    def _leave_out(self, kind: Declarable, key: str, reason: str) -> None:
        self.not_exported.append({"kind": kind.plural, "key": key, "reason": reason})


def _keeps(value: t.Any, path: str = "") -> list[str]:
    """Where a declaration says that what is live stays."""
    if value == KEEP:
        return [path]
    if isinstance(value, dict):
        parts = ((f"{path}.{name}" if path else str(name), item) for name, item in value.items())
    elif isinstance(value, list):
        parts = ((f"{path}[{index}]", item) for index, item in enumerate(value))
    else:
        return []
    return [place for inner, item in parts for place in _keeps(item, inner)]


def _by_kind(objects: list[Exported], chosen: t.Sequence[Declarable]) -> dict[str, t.Any]:
    files: dict[str, t.Any] = {}
    for kind in chosen:
        declared = [item.options for item in objects if item.kind is kind]
        if kind.plural not in SINGLE:
            files[f"{kind.plural}.yml"] = {kind.plural: declared}
        elif declared:
            files[f"{kind.plural}.yml"] = {kind.plural: declared[0]}
    return files


def _by_workspace(objects: list[Exported], chosen: t.Sequence[Declarable]) -> dict[str, t.Any]:
    """One file a workspace with what belongs to it; what belongs to none is in files by kind."""
    homes = {item.options["name"]: dict(item.options) for item in objects if item.kind.plural == WORKSPACES}
    rest: list[Exported] = []
    for item in objects:
        plural = item.kind.plural
        home = homes.get(item.options.get("workspace", ""))
        if plural in NESTED and home is not None:
            options = {name: value for name, value in item.options.items() if name != "workspace"}
            home.setdefault(plural, []).append(options)
        elif plural == POOL_BINDINGS and all(name in homes for name in item.options["workspaces"]):
            for name in item.options["workspaces"]:
                homes[name].setdefault(POOLS, []).append(item.options["pool"])
        elif plural != WORKSPACES:
            rest.append(item)
    files = _by_kind(rest, [kind for kind in chosen if kind.plural not in {WORKSPACES, *NESTED, POOL_BINDINGS}])
    for kind in chosen:
        left = [item.options for item in rest if item.kind is kind]
        if left and f"{kind.plural}.yml" not in files:
            files[f"{kind.plural}.yml"] = {kind.plural: left}
    used: set[str] = set()
    for name in sorted(homes):
        files[f"workspaces/{_slug(name, used)}.yml"] = {WORKSPACES: [homes[name]]}
    return files


def _slug(name: str, used: set[str]) -> str:
    """A file's name for any text, unlike those that are taken."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "workspace"
    slug, number = plain, 2
    while slug in used:
        slug, number = f"{plain}-{number}", number + 1
    used.add(slug)
    return slug


def _secrets_page(secrets: list[dict[str, t.Any]]) -> str:
    lines = [
        "# Secrets",
        "",
        "What the cluster holds and these files do not. An option that is left out stays as it is on the cluster, and so does what",
        f"is written as `{KEEP}` inside a configuration. To make these objects on another cluster, give the values, best from a vault.",
        "",
    ]
    if not secrets:
        return "\n".join([*lines, "None.", ""])
    rows = [
        f"| {item['kind']} | {markdown_cell(item['key'])} | {markdown_cell(', '.join(item['options']))} |"
        for item in secrets
    ]
    return "\n".join([*lines, "| Kind | Object | Options |", "|---|---|---|", *rows, ""])


def _not_exported_page(items: list[dict[str, str]]) -> str:
    lines = [
        "# Not exported",
        "",
        "What is on the cluster and can't be declared as it is, or may be there and can't be seen.",
        "",
    ]
    if not items:
        return "\n".join([*lines, "Nothing.", ""])
    rows = [f"| {item['kind']} | {markdown_cell(item['key'])} | {markdown_cell(item['reason'])} |" for item in items]
    return "\n".join([*lines, "| Kind | Object | Why |", "|---|---|---|", *rows, ""])


EXPORT = ExportOperation()
