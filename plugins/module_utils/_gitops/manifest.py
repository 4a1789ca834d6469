# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""A manifest: what a tree of YAML declares.

What reads the files hands over `Document`: plain data, in which `Deferred` stands for templates and vaulted text and `Odd` for
scalars that YAML 1.1 reads in a surprising way. `manifest_builder` checks it as a whole, before any call. Nothing here knows
YAML, Jinja or the vault.
"""

from __future__ import annotations

import copy
import dataclasses
import re
import typing as t

from .._kinds.kind import Declarable
from .._wire.errors import InvalidOption
from .kinds import NEEDED, POOLS, SPECIAL, WORKSPACES

Path = tuple[t.Union[str, int], ...]  # noqa: UP007 - pylint doesn't know the bar outside of annotations
"""Where a value stands in a document or an entry: keys of mappings and indexes of lists."""

Spec = dict[str, dict[str, t.Any]]
"""Options in the terms of Ansible's argument specs."""

SCHEMA_VERSION = 1

SETTINGS: Spec = {
    "schema": {"type": "int", "choices": [SCHEMA_VERSION], "default": SCHEMA_VERSION},
    "name": {"type": "str"},
    "cluster_id": {"type": "str"},
    "prune": {"type": "dict", "default": {}},
    "protect": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"kind": {"type": "str", "required": True}, "name": {"type": "str", "required": True}},
    },
    "ignore": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "kind": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "fields": {"type": "list", "elements": "str"},
        },
    },
    "max_removals": {
        "type": "dict",
        "options": {"count": {"type": "int", "default": 25}, "percent": {"type": "float", "default": 20}},
        "apply_defaults": True,
    },
    "allow_empty": {"type": "list", "elements": "str", "default": []},
    "creator": {"type": "str", "choices": ["keep", "remove"], "default": "keep"},
}
"""What ``determined.yml`` holds; `Settings` says what it means."""

PRUNE_MODES = ("managed", "exclusive")


@dataclasses.dataclass(frozen=True, order=True)
class Position:
    """Where something is written: ``users.yml:12``.

    :ivar file: relative to the manifest's folder.
    :ivar line: from 1 on, or 0 where there are no lines.
    """

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class ManifestErrors(InvalidOption):
    """All that is wrong with a manifest, each on a line of its own: ``file:line: sentence``.

    :ivar errors: positions and sentences, in the order of files and lines.
    """

    def __init__(self, found: t.Iterable[tuple[Position, str]]) -> None:
        self.errors = sorted(set(found))
        super().__init__("\n".join(f"{position}: {sentence}" for position, sentence in self.errors))


class Locked(InvalidOption):
    """A value is vaulted, and there is no password that opens it."""


class Deferred:
    """A value that is not known before it is asked for: a template, or vaulted text.

    :ivar text: the template as it is written; empty for vaulted text.
    :ivar vaulted: whether it is vaulted text.
    """

    def __init__(self, text: str, vaulted: bool, work: t.Callable[[], t.Any]) -> None:
        self.text = text
        self.vaulted = vaulted
        self._work = work
        self._known: list[t.Any] = []

    def resolve(self) -> t.Any:
        """Work the value out, once: a lookup may give another one each time.

        :returns: plain data.
        :raises Locked: it is vaulted, and no password opens it.
        :raises InvalidOption: it can't be worked out.
        """
        if not self._known:
            self._known.append(self._work())
        return self._known[0]


@dataclasses.dataclass(frozen=True)
class Odd:
    """A scalar that YAML 1.1 reads in another way than its looks suggest: ``1e-3``, ``2024-01-01``, ``017``, ``1:30``.

    :ivar value: what is taken where a text is meant, as in most options: the text as it is written, or the number.
    :ivar hint: what it is and how to write what is meant; refuses it in a free-form option.
    """

    value: t.Any
    hint: str


@dataclasses.dataclass(frozen=True)
class Document:
    """One file of a manifest, or a manifest given inline.

    :ivar content: mappings with texts as keys, lists and scalars, with `Deferred` and `Odd` in place of some.
    :ivar place: the position of what stands at a path, or of the nearest thing above it that has one.
    """

    content: t.Any
    place: t.Callable[[Path], Position]


Problems = list[tuple[Position, str]]
"""What was found to be wrong so far: everything is told at once."""


@dataclasses.dataclass
class Entry:
    """One declared object.

    :ivar options: all options of the kind's module, validated, defaults included. Secrets that are not resolved yet are null,
        and inside a free-form option `masking.KEEP`, so that all else of it can be compared.
    :ivar key: the object's key as text.
    :ivar renamed_from: the key that the object had before, as it is written.
    :ivar position: where it is written.
    :ivar secrets: per unresolved secret (``password``, ``config.environment.registry_auth.password``) what resolves it.
    """

    kind: Declarable
    options: dict[str, t.Any]
    key: str
    renamed_from: str | None
    position: Position
    secrets: dict[str, t.Callable[[], t.Any]]
    _places: dict[str, Path] = dataclasses.field(default_factory=dict)
    _finish: t.Callable[[dict[str, t.Any]], dict[str, t.Any]] = dict
    _resolved: dict[str, t.Any] | None = None

    def resolved(self) -> dict[str, t.Any]:
        """The options with the secrets resolved and checked. Resolves once.

        :raises ManifestErrors: a secret can't be resolved, or may not be what it is.
        """
        if not self.secrets:
            return self.options
        if self._resolved is None:
            values: dict[str, t.Any] = {}
            wrong: Problems = []
            for name, resolve in self.secrets.items():
                try:
                    values[name] = resolve()
                except ManifestErrors as error:
                    wrong += error.errors
            if wrong:
                raise ManifestErrors(wrong)
            self._resolved = self._finish(values)
        return self._resolved

    @property
    def compares_secrets(self) -> bool:
        """Whether a secret that is not resolved yet can be compared with what is live, so that a plan without it may be wrong.

        Those of ``no_log`` options can't be read back; those inside a free-form option, and a webhook's url, can, in part.
        """
        spec = self.kind.arguments.spec
        return any(not (typed(spec, path) or {}).get("no_log") for path in self._places.values())

    def presumed(self, text: str) -> dict[str, t.Any]:
        """The options with a text in place of each unresolved secret, as a plan shows an object that is to be made."""
        options = copy.deepcopy(self.options)
        for path in self._places.values():
            put(options, path, text)
        return options


@dataclasses.dataclass
class Settings:
    """What ``determined.yml`` says; all of it may be left out.

    :ivar schema: the version of the manifest's form.
    :ivar name: the manifest's name, by which its lock file knows it.
    :ivar cluster_id: the one cluster that it is for.
    :ivar prune: per kind in the plural ``managed`` or ``exclusive``.
    :ivar protect: rules ``{kind, name}``, the name a glob: never removed or renamed, nor taken along.
    :ivar ignore: rules ``{kind, name, fields}``: these fields are not compared; without fields the objects are left alone.
    :ivar max_removals: ``count``, and ``percent`` of the objects of a kind that has over ten.
    :ivar allow_empty: kinds that may be pruned although their list is empty.
    :ivar creator: ``keep`` or ``remove`` the role that the server gives to whoever makes a workspace.
    """

    schema: int = SCHEMA_VERSION
    name: str | None = None
    cluster_id: str | None = None
    prune: dict[str, str] = dataclasses.field(default_factory=dict)
    protect: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    ignore: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    max_removals: dict[str, t.Any] = dataclasses.field(default_factory=lambda: {"count": 25, "percent": 20})
    allow_empty: list[str] = dataclasses.field(default_factory=list)
    creator: str = "keep"


@dataclasses.dataclass
class Manifest:
    """All that a tree declares.

    :ivar entries: in the order of the kinds, and in that of the files.
    :ivar kinds: the kinds that are declared at all, in the plural; an empty list counts.
    :ivar folder: where it was read, or None for one given inline.
    :ivar environment: whose overlay is in it, or None.
    :ivar warnings: what a person should know.
    """

    settings: Settings
    entries: list[Entry]
    kinds: set[str]
    folder: str | None = None
    environment: str | None = None
    warnings: list[str] = dataclasses.field(default_factory=list)

    def check_cluster(self, cluster_id: str, master: str) -> None:
        """Refuse a cluster that the manifest is not for.

        :param master: where the cluster is reached.
        :raises InvalidOption: its settings name another cluster.
        """
        expected = self.settings.cluster_id
        if expected is not None and expected != cluster_id:
            raise InvalidOption(
                f"cluster_id in the settings is {expected!r}, but the master at {master} belongs to the cluster "
                f"{cluster_id!r}: this manifest is not for it."
            )


def entry_options(kind: Declarable, *, nested: bool) -> Spec:
    """What an entry of a kind may hold, but for the lists of a workspace's entry.

    :param nested: whether it stands in a workspace's entry, which says its workspace.
    """
    key = (kind.plural, nested)
    if _ENTRY_OPTIONS.get(key, (None, {}))[0] is not kind:
        left_out = kind.switches | ({"workspace"} if nested else set())
        found = {name: option for name, option in kind.arguments.spec.items() if name not in left_out}
        found |= {name: {**found[name], "no_log": True} for name in kind.arguments.unrepeated & found.keys()}
        found |= {name: {**found[name], "required": True} for name in NEEDED.get(kind.plural, ())}
        if kind.plural == WORKSPACES:
            found[POOLS] = {"type": "list", "elements": "str"}
        _ENTRY_OPTIONS[key] = (kind, {**found, **SPECIAL})
    return _ENTRY_OPTIONS[key][1]


_ENTRY_OPTIONS: dict[tuple[str, bool], tuple[Declarable, Spec]] = {}


# Positive and negative numbers that YAML 1.2, JSON and people read as such, and YAML 1.1 as texts.
NUMBER_LIKE = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+|0o[0-7]+")


def is_number_like(text: str) -> bool:
    """Whether a text looks like a number and is none in YAML 1.1, which wants a point and a sign: 1.0e-3 and not 1e-3.

    Whoever writes such a text as a text puts it in quotes.
    """
    return NUMBER_LIKE.fullmatch(text) is not None


def typed(spec: Spec, path: Path) -> dict[str, t.Any] | None:
    """The option at a path, or None for what stands inside a free-form one."""
    option: dict[str, t.Any] = {"options": spec}
    for step in path:
        if isinstance(step, int) and "options" in option:
            continue
        inner = option.get("options")
        if inner is None or step not in inner:
            return None
        option = inner[step]
    return option


def put(value: t.Any, path: Path, item: t.Any) -> None:
    """Put something in the place of what stands at a path."""
    for step in path[:-1]:
        value = value[step]
    value[path[-1]] = item
