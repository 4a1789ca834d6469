# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""What is written in the files of one layer of a manifest, the base or an overlay: entry by entry, before the two are united."""

from __future__ import annotations

import dataclasses
import typing as t

from .._kinds.kind import Declarable
from .._kinds.lookup import nearest
from .._kinds.masking import masked
from .._wire.errors import InvalidOption
from .kinds import NESTED, POOL_BINDINGS, POOLS, SINGLE, WORKSPACES
from .manifest import Deferred, Document, Locked, Odd, Path, Position, entry_options
from .manifest_values import (
    Failed,
    Wrong,
    all_of,
    deferred_in,
    path_text,
    shadow,
    what_is,
    without_odd,
    worked_out,
)


@dataclasses.dataclass(eq=False)
class Written:
    """One entry as it is written in one place.

    :ivar parent: the name of the workspace in whose entry it stands, or None.
    :ivar broken: whether a part of it is already known to be wrong.
    """

    kind: Declarable
    document: Document
    path: Path
    parent: str | None
    options: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    broken: bool = False

    def place(self, path: Path = ()) -> Position:
        """The position of a part of it."""
        return self.document.place((*self.path, *path))


@dataclasses.dataclass
class Layer:
    """All entries of the base or of an overlay.

    :ivar taken_back: kinds whose key is null, with the workspace in whose entry it stands or None.
    """

    overlay: bool
    written: dict[str, list[Written]] = dataclasses.field(default_factory=dict)
    kinds: set[str] = dataclasses.field(default_factory=set)
    taken_back: set[tuple[str, str | None]] = dataclasses.field(default_factory=set)


def read_layer(
    documents: t.Iterable[Document], kinds: t.Mapping[str, Declarable], wrong: Wrong, *, overlay: bool
) -> Layer:
    """Read documents into a layer.

    :param kinds: all kinds that can be declared, by their plural.
    """
    reader = _Reader(kinds, wrong, Layer(overlay))
    for document in documents:
        reader.read(document)
    return reader.layer


class _Reader:
    def __init__(self, kinds: t.Mapping[str, Declarable], wrong: Wrong, layer: Layer) -> None:
        self._kinds = kinds
        self._nested = [plural for plural in NESTED if plural in kinds]
        self._wrong = wrong
        self.layer = layer

    def read(self, document: Document) -> None:
        """Read the kinds of a document."""
        if not isinstance(document.content, dict):
            self._wrong(
                document.place(()),
                f"a manifest is a mapping of kinds, such as users, this is {what_is(document.content)}.",
            )
            return
        for plural, value in document.content.items():
            if plural in self._kinds:
                self._read_list(self._kinds[plural], value, document, (plural,), None)
            else:
                near = nearest(plural, self._kinds) or all_of(self._kinds)
                self._wrong(document.place((plural,)), f"there is no kind {plural!r}.{near}")

    def _read_list(self, kind: Declarable, value: t.Any, document: Document, path: Path, parent: str | None) -> None:
        """Read the entries of a kind: from the top of a document, or from a workspace's entry."""
        position = document.place(path)
        if isinstance(value, Deferred):
            try:
                value = worked_out(value, path_text(path), position, self._wrong)
            except Failed:
                return
        if value is None:
            self.layer.taken_back.add((kind.plural, parent))
            return
        self.layer.kinds.add(kind.plural)
        if kind.plural in SINGLE:
            self._read_entry(kind, value, document, path, parent)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self._read_entry(kind, item, document, (*path, index), parent)
        else:
            self._wrong(position, f"{kind.plural} is a list of entries, this is {what_is(value)}.")

    def _read_entry(self, kind: Declarable, value: t.Any, document: Document, path: Path, parent: str | None) -> None:
        written = Written(kind, document, path, parent)
        try:
            if isinstance(value, Deferred):
                value = worked_out(value, f"an entry of {kind.plural}", written.place(), self._wrong)
        except Failed:
            return
        if not isinstance(value, dict):
            self._wrong(
                written.place(), f"an entry of {kind.plural} is a mapping of options, this is {what_is(value)}."
            )
            return
        self.layer.written.setdefault(kind.plural, []).append(written)
        below = {}
        for name, item in value.items():
            if kind.plural == WORKSPACES and name in self._nested:
                below[name] = item
                continue
            try:
                option = self._option(written, name)
                if option is not None:
                    written.options[name] = self._settled(written, item, option, (name,))
            except Failed:
                written.broken = True
        if parent is not None:
            written.options["workspace"] = parent
        holder = written.options.get("name")
        if isinstance(holder, (str, int)):
            for plural, item in below.items():
                self._read_list(self._kinds[plural], item, document, (*path, plural), str(holder))
        if written.options.get(POOLS) is not None:
            self.layer.kinds.add(POOL_BINDINGS)

    def _option(self, written: Written, name: str) -> dict[str, t.Any] | None:
        """The spec of an option that an entry has, or None for one that it may not have."""
        kind, position = written.kind, written.place((name,))
        spec = entry_options(kind, nested=written.parent is not None)
        if name == "undeclare" and not self.layer.overlay:
            self._wrong(position, "undeclare takes back what a base declares, and stands in an overlay only.")
        elif name in spec:
            return spec[name]
        elif name == "workspace" and written.parent is not None:
            self._wrong(
                position, f"workspace is {written.parent!r} here, by the entry that this one stands in: leave it out."
            )
        elif name in kind.switches:
            self._wrong(position, f"{name} says how a module acts and declares nothing: a manifest does not take it.")
        else:
            known = [*spec, *(self._nested if kind.plural == WORKSPACES else ())]
            self._wrong(position, f"{kind.plural} have no option {name!r}.{nearest(name, known) or all_of(known)}")
        written.broken = True
        return None

    def _settled(self, written: Written, value: t.Any, option: dict[str, t.Any], path: Path) -> t.Any:
        """The value of an option with all but its secrets worked out.

        :raises Failed: something can't be worked out.
        """
        if option.get("no_log"):
            return without_odd(value)
        name, position = path_text(path), written.place(path)
        inner = option.get("options")
        if isinstance(value, Deferred) or (inner is None and not _is_free(option)):
            return worked_out(value, name, position, self._wrong)
        if inner is None:
            hides = next(deferred_in(value), None) is not None
            return self._settled_free(written, value, masked(shadow(value)) if hides else value, path)
        if isinstance(value, list):
            return [self._settled(written, item, {"options": inner}, (*path, i)) for i, item in enumerate(value)]
        if not isinstance(value, dict):
            return worked_out(value, name, position, self._wrong)
        known = {}
        for key, item in value.items():
            if key in inner:
                known[key] = self._settled(written, item, inner[key], (*path, key))
            else:
                written.broken = True
                self._wrong(
                    written.place((*path, key)), f"{name} has no option {key!r}.{nearest(key, inner) or all_of(inner)}"
                )
        return known

    def _settled_free(self, written: Written, value: t.Any, shown: t.Any, path: Path) -> t.Any:
        """What may hold anything: all worked out but what is a secret by its place or its look.

        :param shown: the value with its secrets masked.
        """
        if isinstance(value, dict):
            return {key: self._settled_free(written, item, shown[key], (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._settled_free(written, item, shown[i], (*path, i)) for i, item in enumerate(value)]
        if isinstance(value, Odd):
            written.broken = True
            self._wrong(written.place(path), f"{path_text(path)}: {value.hint}")
        elif isinstance(value, Deferred) and not value.vaulted and value.text == shown:
            try:
                return value.resolve()
            except Locked:
                return value
            except InvalidOption as error:
                written.broken = True
                self._wrong(written.place(path), f"{path_text(path)}: {error}")
        return value


def _is_free(option: dict[str, t.Any]) -> bool:
    """Whether an option without options of its own takes any mapping."""
    return option.get("type") == "dict" or (option.get("type") == "list" and option.get("elements") == "dict")
