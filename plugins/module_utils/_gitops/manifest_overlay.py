# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""An overlay laid over the base of a manifest: their entries are matched by their keys."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible.module_utils.parsing.convert_bool import boolean

from .._kinds.kind import Declarable
from .._kinds.lookup import nearest
from .._wire.errors import InvalidOption
from .kinds import POOL_BINDINGS, POOLS, WORKSPACES
from .manifest import Document, Path, Position, entry_options
from .manifest_layers import Layer, Written
from .manifest_values import Wrong, has, merged_overlay, what_is


@dataclasses.dataclass(eq=False)
class Declared:
    """One entry of the base with what an overlay says of it."""

    kind: Declarable
    options: dict[str, t.Any]
    layers: list[Written]

    def place(self, path: Path = ()) -> Position:
        """The position of a part of it: where the last word on it is written."""
        for written in reversed(self.layers):
            if path and has(written.options, path):
                return written.place(path)
        return self.layers[0].place(path)

    def detached(self) -> Declared:
        """The same without the documents, which need not be kept: positions are those of the options."""
        places = {name: self.place((name,)) for name in self.options}
        here = self.place()
        document = Document(None, lambda path: places.get(str(path[0]), here) if path else here)
        return Declared(self.kind, self.options, [Written(self.kind, document, (), None, self.options)])

    def place_of(self, error: InvalidOption) -> Position:
        """The position of the option that a kind's refusal begins with."""
        option = re.split(r"\W", str(error), maxsplit=1)[0]
        return self.place((option,) if option in self.options else ())


def united(below: Layer, above: Layer, kinds: t.Mapping[str, Declarable], wrong: Wrong) -> dict[str, list[Declared]]:
    """Match the overlay's entries with the base's by their keys.

    :param kinds: all kinds that can be declared, by their plural.
    :returns: what is declared, per kind in the plural.
    """
    found: dict[str, list[Declared]] = {}
    gone: set[str] = set()
    # Workspaces first: one that is taken back takes along what stands in its entry.
    for plural in sorted(kinds, key=lambda name: name != WORKSPACES):
        base = [
            Declared(written.kind, written.options, [written])
            for written in below.written.get(plural, ())
            if (plural, written.parent) not in above.taken_back and written.parent not in gone
        ]
        over = above.written.get(plural, ())
        keys = {_key(declared.layers[0], wrong): declared for declared in reversed(base)} if over else {}
        seen: dict[str, Written] = {}
        for written in over:
            key = _key(written, wrong)
            if key is None:
                continue
            if key in seen:
                wrong(written.place(), twice(plural, key, seen[key].place()))
                continue
            seen[key] = written
            match = keys.get(key)
            if not _takes_back(written, wrong):
                if match is None:
                    base.append(Declared(written.kind, written.options, [written]))
                else:
                    match.options = merged_overlay(match.options, written.options)
                    match.layers.append(written)
            elif match is None:
                near = nearest(key, [known for known in keys if known is not None])
                wrong(written.place(("undeclare",)), f"the base does not declare {plural}/{key}.{near}")
            else:
                base.remove(match)
                if plural == WORKSPACES:
                    gone.add(key)
        found[plural] = base
    return found


def _takes_back(written: Written, wrong: Wrong) -> bool:
    """Whether an overlay's entry says no more than that the base's does not count."""
    value = written.options.pop("undeclare", None)
    try:
        return value is not None and bool(boolean(value))
    except TypeError:
        wrong(written.place(("undeclare",)), f"undeclare is {value!r}: it must be true or false.")
        return False


def _key(written: Written, wrong: Wrong) -> str | None:
    """The key of an entry that may be a part only; None if it has none, which has been noted."""
    if written.broken:
        return None
    spec = written.kind.arguments.spec
    options = {name: option.get("default") for name, option in spec.items()}
    for name, value in written.options.items():
        option = spec.get(name)
        if option is None or value is None:
            continue
        kind = option.get("type", "str")
        if isinstance(value, (dict, list)) and kind in ("str", "bool", "int", "float", "path"):
            wrong(written.place((name,)), f"{name} is {what_is(value)}: it must be of the type {kind}.")
            written.broken = True
        options[name] = str(value) if kind == "str" else value
    for name, option in entry_options(written.kind, nested=False).items():
        if option.get("required") and options[name] is None:
            wrong(written.place(), f"{name} is missing: without it the entry is of no object.")
            written.broken = True
    return None if written.broken else written.kind.key(options)


def twice(plural: str, key: str, first: Position) -> str:
    """What is wrong with an entry of an object that another entry declares."""
    return f"{plural}/{key} is declared already, at {first}."


def bind_pools(
    declared: dict[str, list[Declared]], kinds: t.Mapping[str, Declarable], wrong: Wrong, *, exactly: bool
) -> None:
    """Make one binding a pool of all that workspaces say of it.

    Such a binding adds: what is bound beside it may be somebody else's, unless the manifest owns all bindings.
    """
    kind = kinds.get(POOL_BINDINGS)
    for holder in declared.get(WORKSPACES, ()):
        pools = holder.options.pop(POOLS, None)
        name = holder.options.get("name")
        if kind is None or pools is None or name is None:
            continue
        if not isinstance(pools, list) or not all(isinstance(pool, str) for pool in pools):
            wrong(holder.place((POOLS,)), f"{POOLS} is a list of names of resource pools.")
            continue
        bindings = declared.setdefault(POOL_BINDINGS, [])
        for index, pool in enumerate(pools):
            binding = next((one for one in bindings if one.options.get("pool") == pool), None)
            if binding is None:
                origin = holder.layers[-1]
                written = Written(kind, origin.document, (*origin.path, POOLS, index), None)
                options = {"pool": pool, "workspaces": [], "workspaces_mode": "exact" if exactly else "add"}
                binding = Declared(kind, options, [written])
                bindings.append(binding)
            elif binding.options.get("workspaces_mode") == "remove":
                wrong(
                    holder.place((POOLS, index)),
                    f"{POOLS} has {pool!r}, whose binding at {binding.place()} takes workspaces away: {str(name)!r} can't be "
                    "bound to it too.",
                )
            bound = binding.options.get("workspaces") or []
            if isinstance(bound, list) and str(name) not in bound:
                binding.options["workspaces"] = [*bound, str(name)]
