# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Building a manifest out of what was read, base and overlay, and checking all of it before any call."""

from __future__ import annotations

import copy
import dataclasses
import graphlib
import re
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values

from .._kinds.kind import Declarable
from .._kinds.lookup import nearest
from .._kinds.masking import KEEP, MASK, mask_places, masked
from .._wire.errors import InvalidOption
from .kinds import KINDS, NEEDED, NESTED, POOL_BINDINGS, POOLS, SINGLE, SPECIAL, WORKSPACES
from .manifest import (
    PRUNE_MODES,
    SETTINGS,
    Deferred,
    Document,
    Entry,
    Locked,
    Manifest,
    ManifestErrors,
    Odd,
    Path,
    Position,
    Problems,
    Settings,
    Spec,
    entry_options,
    put,
    typed,
)


def build(
    base: t.Sequence[Document],
    overlay: t.Sequence[Document] = (),
    settings: t.Sequence[Document] = (),
    *,
    kinds: t.Sequence[Declarable] = KINDS,
    folder: str | None = None,
    environment: str | None = None,
    problems: t.Iterable[tuple[Position, str]] = (),
    prune: t.Mapping[str, str] | None = None,
) -> Manifest:
    """Make one manifest of what was read.

    :param base: the documents outside all overlays.
    :param overlay: those of the environment.
    :param settings: the top settings, then the overlay's; each may be missing.
    :param problems: what was found wrong while reading.
    :param prune: takes the place of the settings' ``prune``.
    :raises ManifestErrors: everything that is wrong.
    """
    return _Builder(kinds, list(problems)).build(base, overlay, settings, folder, environment, prune)


@dataclasses.dataclass(eq=False)
class _Written:
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
class _Layer:
    """All entries of the base or of an overlay.

    :ivar taken_back: kinds whose key is null, with the workspace in whose entry it stands or None.
    """

    overlay: bool
    written: dict[str, list[_Written]] = dataclasses.field(default_factory=dict)
    kinds: set[str] = dataclasses.field(default_factory=set)
    taken_back: set[tuple[str, str | None]] = dataclasses.field(default_factory=set)


@dataclasses.dataclass(eq=False)
class _Declared:
    """One entry of the base with what an overlay says of it."""

    kind: Declarable
    options: dict[str, t.Any]
    layers: list[_Written]

    def place(self, path: Path = ()) -> Position:
        """The position of a part of it: where the last word on it is written."""
        for written in reversed(self.layers):
            if path and _has(written.options, path):
                return written.place(path)
        return self.layers[0].place(path)

    def detached(self) -> _Declared:
        """The same without the documents, which need not be kept: positions are those of the options."""
        places = {name: self.place((name,)) for name in self.options}
        here = self.place()
        document = Document(None, lambda path: places.get(str(path[0]), here) if path else here)
        return _Declared(self.kind, self.options, [_Written(self.kind, document, (), None, self.options)])

    def place_of(self, error: InvalidOption) -> Position:
        """The position of the option that a kind's refusal begins with."""
        option = re.split(r"\W", str(error), maxsplit=1)[0]
        return self.place((option,) if option in self.options else ())


class _Failed(Exception):
    """Something of an entry could not be worked out. It has been noted."""


class _Builder:
    def __init__(self, kinds: t.Sequence[Declarable], problems: Problems) -> None:
        self._kinds = {kind.plural: kind for kind in kinds}
        self._nested = [plural for plural in NESTED if plural in self._kinds]
        self._problems = problems
        self._validators: dict[str, ArgumentSpecValidator] = {}
        self._warnings: list[str] = []

    def build(
        self,
        base: t.Sequence[Document],
        overlay: t.Sequence[Document],
        settings: t.Sequence[Document],
        folder: str | None,
        environment: str | None,
        prune: t.Mapping[str, str] | None,
    ) -> Manifest:
        """See `build`."""
        found = self._settings(settings, prune)
        below, above = _Layer(False), _Layer(True)
        for layer, documents in ((below, base), (above, overlay)):
            for document in documents:
                self._read(layer, document)
        declared = self._united(below, above)
        self._bind_pools(declared, found.prune.get(POOL_BINDINGS) == "exclusive")
        entries = [
            entry
            for plural in self._kinds
            for one in declared.get(plural, ())
            if (entry := self._entry(one)) is not None
        ]
        self._check_keys(entries)
        self._check_order(entries)
        if self._problems:
            raise ManifestErrors(self._problems)
        back = {plural for plural, parent in above.taken_back if parent is None}
        kinds = (below.kinds - back) | above.kinds | {entry.kind.plural for entry in entries}
        return Manifest(found, entries, kinds, folder, environment, self._warnings)

    def _wrong(self, position: Position, sentence: str) -> None:
        self._problems.append((position, sentence))

    # --- values ---

    def _now(self, value: t.Any, name: str, position: Position) -> t.Any:
        """A value with all that is deferred in it worked out, and what is odd taken as outside free-form options.

        :raises _Failed: something can't be worked out; all of that has been noted.
        """
        before = len(self._problems)
        found = self._worked_out(value, name, position)
        if len(self._problems) > before:
            raise _Failed
        return found

    def _worked_out(self, value: t.Any, name: str, position: Position) -> t.Any:
        if isinstance(value, Deferred):
            try:
                return value.resolve()
            except InvalidOption as error:
                self._wrong(position, f"{name}: {error}")
                return None
        if isinstance(value, dict):
            return {key: self._worked_out(item, f"{name}.{key}", position) for key, item in value.items()}
        if isinstance(value, list):
            return [self._worked_out(item, f"{name}[{index}]", position) for index, item in enumerate(value)]
        return value.value if isinstance(value, Odd) else value

    def _settled(self, written: _Written, value: t.Any, option: dict[str, t.Any], path: Path) -> t.Any:
        """The value of an option with all but its secrets worked out.

        :raises _Failed: something can't be worked out.
        """
        if option.get("no_log"):
            return _without_odd(value)
        name, position = _text(path), written.place(path)
        inner = option.get("options")
        if isinstance(value, Deferred) or (inner is None and not _is_free(option)):
            return self._now(value, name, position)
        if inner is None:
            hides = next(_deferred(value, ()), None) is not None
            return self._settled_free(written, value, masked(_shadow(value)) if hides else value, path)
        if isinstance(value, list):
            return [self._settled(written, item, {"options": inner}, (*path, i)) for i, item in enumerate(value)]
        if not isinstance(value, dict):
            return self._now(value, name, position)
        known = {}
        for key, item in value.items():
            if key in inner:
                known[key] = self._settled(written, item, inner[key], (*path, key))
            else:
                written.broken = True
                self._wrong(
                    written.place((*path, key)), f"{name} has no option {key!r}.{nearest(key, inner) or _all(inner)}"
                )
        return known

    def _settled_free(self, written: _Written, value: t.Any, shown: t.Any, path: Path) -> t.Any:
        """What may hold anything: all worked out but what is a secret by its place or its look.

        :param shown: the value with its secrets masked.
        """
        if isinstance(value, dict):
            return {key: self._settled_free(written, item, shown[key], (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._settled_free(written, item, shown[i], (*path, i)) for i, item in enumerate(value)]
        if isinstance(value, Odd):
            written.broken = True
            self._wrong(written.place(path), f"{_text(path)}: {value.hint}")
        elif isinstance(value, Deferred) and not value.vaulted and value.text == shown:
            try:
                return value.resolve()
            except Locked:
                return value
            except InvalidOption as error:
                written.broken = True
                self._wrong(written.place(path), f"{_text(path)}: {error}")
        return value

    # --- what is written ---

    def _read(self, layer: _Layer, document: Document) -> None:
        if not isinstance(document.content, dict):
            self._wrong(
                document.place(()),
                f"a manifest is a mapping of kinds, such as users, this is {_what(document.content)}.",
            )
            return
        for plural, value in document.content.items():
            if plural in self._kinds:
                self._read_list(layer, self._kinds[plural], value, document, (plural,), None)
            else:
                near = nearest(plural, self._kinds) or _all(self._kinds)
                self._wrong(document.place((plural,)), f"there is no kind {plural!r}.{near}")

    def _read_list(
        self, layer: _Layer, kind: Declarable, value: t.Any, document: Document, path: Path, parent: str | None
    ) -> None:
        """Read the entries of a kind: from the top of a document, or from a workspace's entry."""
        position = document.place(path)
        if isinstance(value, Deferred):
            try:
                value = self._now(value, _text(path), position)
            except _Failed:
                return
        if value is None:
            layer.taken_back.add((kind.plural, parent))
            return
        layer.kinds.add(kind.plural)
        if kind.plural in SINGLE:
            self._read_entry(layer, kind, value, document, path, parent)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self._read_entry(layer, kind, item, document, (*path, index), parent)
        else:
            self._wrong(position, f"{kind.plural} is a list of entries, this is {_what(value)}.")

    def _read_entry(
        self, layer: _Layer, kind: Declarable, value: t.Any, document: Document, path: Path, parent: str | None
    ) -> None:
        written = _Written(kind, document, path, parent)
        try:
            if isinstance(value, Deferred):
                value = self._now(value, f"an entry of {kind.plural}", written.place())
        except _Failed:
            return
        if not isinstance(value, dict):
            self._wrong(written.place(), f"an entry of {kind.plural} is a mapping of options, this is {_what(value)}.")
            return
        layer.written.setdefault(kind.plural, []).append(written)
        below = {}
        for name, item in value.items():
            if kind.plural == WORKSPACES and name in self._nested:
                below[name] = item
                continue
            try:
                option = self._option(written, layer, name)
                if option is not None:
                    written.options[name] = self._settled(written, item, option, (name,))
            except _Failed:
                written.broken = True
        if parent is not None:
            written.options["workspace"] = parent
        holder = written.options.get("name")
        if isinstance(holder, (str, int)):
            for plural, item in below.items():
                self._read_list(layer, self._kinds[plural], item, document, (*path, plural), str(holder))
        if written.options.get(POOLS) is not None:
            layer.kinds.add(POOL_BINDINGS)

    def _option(self, written: _Written, layer: _Layer, name: str) -> dict[str, t.Any] | None:
        """The spec of an option that an entry has, or None for one that it may not have."""
        kind, position = written.kind, written.place((name,))
        spec = entry_options(kind, nested=written.parent is not None)
        if name == "undeclare" and not layer.overlay:
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
            self._wrong(position, f"{kind.plural} have no option {name!r}.{nearest(name, known) or _all(known)}")
        written.broken = True
        return None

    # --- base and overlay ---

    def _united(self, below: _Layer, above: _Layer) -> dict[str, list[_Declared]]:
        """Match the overlay's entries with the base's by their keys."""
        found: dict[str, list[_Declared]] = {}
        gone: set[str] = set()
        # Workspaces first: one that is taken back takes along what stands in its entry.
        for plural in sorted(self._kinds, key=lambda name: name != WORKSPACES):
            base = [
                _Declared(written.kind, written.options, [written])
                for written in below.written.get(plural, ())
                if (plural, written.parent) not in above.taken_back and written.parent not in gone
            ]
            over = above.written.get(plural, ())
            keys = {self._key(declared.layers[0]): declared for declared in reversed(base)} if over else {}
            seen: dict[str, _Written] = {}
            for written in over:
                key = self._key(written)
                if key is None:
                    continue
                if key in seen:
                    self._twice(plural, key, seen[key].place(), written.place())
                    continue
                seen[key] = written
                match = keys.get(key)
                if written.options.pop("undeclare", None) in (None, False):
                    if match is None:
                        base.append(_Declared(written.kind, written.options, [written]))
                    else:
                        match.options = merged_overlay(match.options, written.options)
                        match.layers.append(written)
                elif match is None:
                    near = nearest(key, [known for known in keys if known is not None])
                    self._wrong(written.place(("undeclare",)), f"the base does not declare {plural}/{key}.{near}")
                else:
                    base.remove(match)
                    if plural == WORKSPACES:
                        gone.add(key)
            found[plural] = base
        return found

    def _key(self, written: _Written) -> str | None:
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
                self._wrong(written.place((name,)), f"{name} is {_what(value)}: it must be of the type {kind}.")
                written.broken = True
            options[name] = str(value) if kind == "str" else value
        for name, option in entry_options(written.kind, nested=False).items():
            if option.get("required") and options[name] is None:
                self._wrong(written.place(), f"{name} is missing: without it the entry is of no object.")
                written.broken = True
        return None if written.broken else written.kind.key(options)

    def _twice(self, plural: str, key: str, first: Position, second: Position) -> None:
        self._wrong(second, f"{plural}/{key} is declared already, at {first}.")

    def _bind_pools(self, declared: dict[str, list[_Declared]], exactly: bool) -> None:
        """Make one binding a pool of all that workspaces say of it.

        Such a binding adds: what is bound beside it may be somebody else's, unless the manifest owns all bindings.
        """
        kind = self._kinds.get(POOL_BINDINGS)
        for holder in declared.get(WORKSPACES, ()):
            pools = holder.options.pop(POOLS, None)
            name = holder.options.get("name")
            if kind is None or pools is None or name is None:
                continue
            if not isinstance(pools, list) or not all(isinstance(pool, str) for pool in pools):
                self._wrong(holder.place((POOLS,)), f"{POOLS} is a list of names of resource pools.")
                continue
            bindings = declared.setdefault(POOL_BINDINGS, [])
            for index, pool in enumerate(pools):
                binding = next((one for one in bindings if one.options.get("pool") == pool), None)
                if binding is None:
                    origin = holder.layers[-1]
                    written = _Written(kind, origin.document, (*origin.path, POOLS, index), None)
                    options = {"pool": pool, "workspaces": [], "workspaces_mode": "exact" if exactly else "add"}
                    binding = _Declared(kind, options, [written])
                    bindings.append(binding)
                bound = binding.options.get("workspaces") or []
                if isinstance(bound, list) and str(name) not in bound:
                    binding.options["workspaces"] = [*bound, str(name)]

    # --- entries ---

    def _entry(self, declared: _Declared) -> Entry | None:
        """Check one entry; None for one that is wrong."""
        if any(written.broken for written in declared.layers):
            return None
        kind = declared.kind
        spec = kind.arguments.spec
        options = {name: value for name, value in declared.options.items() if name not in SPECIAL}
        masks = [path for name, value in options.items() for path in _masks(value, name)]
        for path in masks:
            self._wrong(
                declared.place(path),
                f"{_text(path)} is or holds a mask (asterisks), which stands for a secret and is no value.",
            )
        deferred = {_text(path): (path, value) for path, value in _deferred(options, ())}
        filled = _replaced(options, lambda path, _value: _stand_in(spec, path))
        try:
            found = self._validated(declared, filled)
            for path, _value in deferred.values():
                if typed(spec, path) is not None:
                    put(found, path, None)
            if not masks:
                self._checked(declared, found)
            entry = Entry(
                kind, found, kind.key(found), self._renamed_from(declared, found), declared.place(), secrets={}
            )
        except ManifestErrors as error:
            self._problems += error.errors
            return None
        if deferred:
            later = declared.detached()
            for name, (path, value) in deferred.items():
                entry.secrets[name] = _resolver(value, name, declared.place(path))
                entry._places[name] = path
            entry._finish = lambda values: self._finished(later, options, values)
        return None if masks else entry

    def _finished(self, declared: _Declared, options: dict[str, t.Any], values: dict[str, t.Any]) -> dict[str, t.Any]:
        """The options of an entry with its secrets.

        :raises ManifestErrors: with them, they can't be right.
        """
        complete = _replaced(options, lambda path, _value: values[_text(path)])
        masks = [path for name, value in complete.items() for path in _masks(value, name)]
        if masks:
            raise ManifestErrors(
                (declared.place(path), f"{_text(path)} is or holds a mask (asterisks), which is no value.")
                for path in masks
            )
        found = self._validated(declared, complete)
        self._checked(declared, found)
        return found

    def _validated(self, declared: _Declared, options: dict[str, t.Any]) -> dict[str, t.Any]:
        """Have Ansible's own validator complete and convert the options.

        :raises ManifestErrors: they are not what the module takes.
        """
        kind = declared.kind
        validator = self._validators.get(kind.plural)
        if validator is None:
            arguments = kind.arguments
            validator = ArgumentSpecValidator(arguments.spec, **arguments.constraints())
            self._validators[kind.plural] = validator
        result = validator.validate(options)
        if result.error_messages:
            sentences = [str(remove_values(text, result._no_log_values)) for text in result.error_messages]
            raise ManifestErrors((declared.place(_option_in(text, options)), f"{text}.") for text in sentences)
        return t.cast("dict[str, t.Any]", result.validated_parameters)

    def _checked(self, declared: _Declared, options: dict[str, t.Any]) -> None:
        """Apply the rules of the kind and of manifests.

        :raises ManifestErrors: the options can't be right.
        """
        if options.get("state", "present") not in ("present", "absent"):
            sentence = f"state is {options['state']!r}: a manifest declares present or absent, all else is an act."
            raise ManifestErrors([(declared.place(("state",)), sentence)])
        for name in NEEDED.get(declared.kind.plural, ()):
            if options[name] is None:
                raise ManifestErrors([(declared.place(), f"{name} is missing: it is a part of the key here.")])
        if "dest" in options and options["dest"] is None and options.get("state") != "absent":
            sentence = (
                f"dest is missing: {declared.kind.plural.replace('_', ' ')} are told once, and it says into which file."
            )
            raise ManifestErrors([(declared.place(), sentence)])
        try:
            declared.kind.check(options)
        except InvalidOption as error:
            raise ManifestErrors([(declared.place_of(error), str(error))]) from error

    def _renamed_from(self, declared: _Declared, options: dict[str, t.Any]) -> str | None:
        """The key that the object had before.

        :raises ManifestErrors: there is no way from that one to this.
        """
        old = declared.options.get("renamed_from")
        if old is None:
            return None
        position = declared.place(("renamed_from",))
        if isinstance(old, (dict, list)) or str(old) == "":
            raise ManifestErrors([(position, "renamed_from is the key that the object had before.")])
        if options.get("state") == "absent":
            raise ManifestErrors(
                [(position, "renamed_from is given with state absent: what is removed can't be renamed.")]
            )
        try:
            declared.kind.renamed(options, str(old))
        except InvalidOption as error:
            raise ManifestErrors([(position, str(error))]) from error
        return str(old)

    # --- all entries together ---

    def _check_keys(self, entries: list[Entry]) -> None:
        """Find keys that stand twice, that were one object before, and that differ in case only."""
        known: dict[tuple[str, str], Entry] = {}
        alike: dict[tuple[str, str], Entry] = {}
        before: dict[tuple[str, str], Entry] = {}
        for entry in entries:
            plural, key = entry.kind.plural, entry.key
            first = known.setdefault((plural, key), entry)
            if first is not entry:
                self._twice(plural, key, first.position, entry.position)
                continue
            other = alike.setdefault((plural, key.casefold()), entry)
            if other is not entry:
                self._warnings.append(
                    f"{entry.position}: {plural}/{key} and {plural}/{other.key} ({other.position}) differ only in case: they are "
                    "different objects."
                )
            if entry.renamed_from is not None:
                other = before.setdefault((plural, entry.renamed_from), entry)
                if other is not entry:
                    self._wrong(
                        entry.position,
                        f"renamed_from is {entry.renamed_from!r}, as it is of {other.key!r} at {other.position}.",
                    )

    def _check_order(self, entries: list[Entry]) -> None:
        """Find entries that need each other: none of them could be written first."""
        known = {(entry.kind.plural, entry.key): entry for entry in entries if entry.options.get("state") != "absent"}
        needs: dict[tuple[str, str], set[tuple[str, str]]] = {}
        for name, entry in known.items():
            late = frozenset[str]().union(*entry.kind.late)
            needs[name] = {
                (reference.kind, reference.key)
                for reference in entry.kind.references(entry.options)
                if reference.option not in late
            }
        while True:
            try:
                graphlib.TopologicalSorter(needs).prepare()
            except graphlib.CycleError as error:
                # Each one comes before the one that needs it.
                circle = error.args[1][::-1]
                told = " needs ".join(f"{plural}/{key} ({known[plural, key].position})" for plural, key in circle)
                self._wrong(known[circle[0]].position, f"a circle, in which none can be written first: {told}.")
                needs[circle[0]].discard(circle[1])
            else:
                return

    # --- settings ---

    def _settings(self, documents: t.Sequence[Document], prune: t.Mapping[str, str] | None) -> Settings:
        """Check the settings; where they are wrong, which has been noted, the defaults."""
        said: dict[str, t.Any] = {}
        places: dict[str, Position] = {}
        right = True
        for document in documents:
            content = {} if document.content is None else document.content
            if not isinstance(content, dict):
                self._wrong(document.place(()), f"settings are a mapping, this is {_what(content)}.")
                right = False
                continue
            for name, value in content.items():
                places[name] = document.place((name,))
                if name not in SETTINGS:
                    self._wrong(
                        places[name], f"there is no setting {name!r}.{nearest(name, SETTINGS) or _all(SETTINGS)}"
                    )
                    right = False
                    continue
                try:
                    said = merged_overlay(said, {name: self._now(value, name, places[name])})
                except _Failed:
                    right = False
        if prune is not None:
            said["prune"] = dict(prune)
        nowhere = documents[0].place(()) if documents else Position("prune", 0)
        result = ArgumentSpecValidator(SETTINGS).validate(said)
        for text in result.error_messages:
            self._wrong(places.get("".join(map(str, _option_in(text, said))), nowhere), f"{text}.")
        if result.error_messages or not right:
            return Settings()
        found = Settings(**copy.deepcopy(result.validated_parameters))
        for option, sentence in self._wrong_settings(found):
            self._wrong(places.get(option, nowhere), sentence)
        return found

    def _wrong_settings(self, settings: Settings) -> t.Iterator[tuple[str, str]]:
        named = [
            *(("prune", plural) for plural in settings.prune),
            *(("allow_empty", plural) for plural in settings.allow_empty),
            *(("protect", rule["kind"]) for rule in settings.protect),
            *(("ignore", rule["kind"]) for rule in settings.ignore),
        ]
        for option, plural in named:
            if plural not in self._kinds:
                yield (
                    option,
                    f"{option}: there is no kind {plural!r}.{nearest(plural, self._kinds) or _all(self._kinds)}",
                )
        for plural, mode in settings.prune.items():
            if mode not in PRUNE_MODES:
                yield "prune", f"prune.{plural} is {mode!r}: it is managed or exclusive."
        count, percent = settings.max_removals["count"], settings.max_removals["percent"]
        if count < 0:
            yield "max_removals", f"max_removals.count is {count}: it must be 0 or more."
        if not 0 <= percent <= 100:
            yield "max_removals", f"max_removals.percent is {percent}: it must be from 0 to 100."


def merged_overlay(base: t.Any, over: t.Any) -> t.Any:
    """What a base says with what an overlay says of the same: mappings unite at every depth, lists and scalars replace, null
    takes back."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    found = dict(base)
    for name, value in over.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merged_overlay(found[name], value) if name in found else value
    return found


def _is_free(option: dict[str, t.Any]) -> bool:
    """Whether an option without options of its own takes any mapping."""
    return option.get("type") == "dict" or (option.get("type") == "list" and option.get("elements") == "dict")


def _without_odd(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {name: _without_odd(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_odd(item) for item in value]
    return value.value if isinstance(value, Odd) else value


def _shadow(value: t.Any) -> t.Any:
    """A value with texts in place of what is deferred in it, for its secrets to be found."""
    return _replaced(value, lambda _path, deferred: deferred.text)


def _replaced(value: t.Any, by: t.Callable[[Path, Deferred], t.Any], path: Path = ()) -> t.Any:
    """A copy with something in place of all that is deferred in it; `_LEFT_OUT` leaves it out of a mapping."""
    if isinstance(value, Deferred):
        return by(path, value)
    if isinstance(value, dict):
        found = {name: _replaced(item, by, (*path, name)) for name, item in value.items()}
        return {name: item for name, item in found.items() if item is not _LEFT_OUT}
    if isinstance(value, list):
        return [_replaced(item, by, (*path, index)) for index, item in enumerate(value)]
    return value


_LEFT_OUT = object()


def _deferred(value: t.Any, path: Path) -> t.Iterator[tuple[Path, Deferred]]:
    if isinstance(value, Deferred):
        yield path, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _deferred(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _deferred(item, (*path, index))


def _masks(value: t.Any, *path: str | int) -> t.Iterator[Path]:
    """Where a declared value has a mask in it."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _masks(item, *path, name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _masks(item, *path, index)
    elif isinstance(value, str) and MASK in value and mask_places(value, "here"):
        yield path


def _stand_in(spec: Spec, path: Path) -> t.Any:
    """What stands for an unresolved secret while all else is validated."""
    option = typed(spec, path)
    if option is None:
        return KEEP
    return MASK if option.get("type", "str") in ("str", "path", "raw") else _LEFT_OUT


def _has(value: t.Any, path: Path) -> bool:
    for step in path:
        if isinstance(value, dict):
            if step not in value:
                return False
        elif not isinstance(value, list) or not isinstance(step, int) or step >= len(value):
            return False
        value = value[step]
    return True


def _resolver(deferred: Deferred, name: str, position: Position) -> t.Callable[[], t.Any]:
    def resolve() -> t.Any:
        try:
            return deferred.resolve()
        except InvalidOption as error:
            raise ManifestErrors([(position, f"{name}: {error}")]) from error

    return resolve


def _option_in(text: str, options: dict[str, t.Any]) -> Path:
    """The option that one of the validator's sentences is about, as a path; empty if that can't be told."""
    named = re.findall(
        r"argument '(\w+)'|value of '?(\w+)|found in '?(\w+)|parameter '(\w+)'|Elements value for option '(\w+)'", text
    )
    path = [name for names in named for name in names if name]
    found = [name for name in path if name in options]
    return tuple(found[:1])


def _text(path: Path) -> str:
    """A path as texts show it: ``config.bind_mounts[0].host_path``."""
    found = ""
    for step in path:
        found += f"[{step}]" if isinstance(step, int) else f".{step}" if found else step
    return found


def _what(value: t.Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, (Deferred, Odd)):
        return "a text"
    names = {dict: "a mapping", list: "a list", str: "a text", bool: "a boolean"}
    return next((name for kind, name in names.items() if isinstance(value, kind)), "a number")


def _all(names: t.Iterable[str]) -> str:
    return f" There are {', '.join(names)}."
