# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Entries of a manifest: each checked by the rules of its module and of manifests, secrets aside until they are resolved."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values

from .._kinds.masking import KEEP, MASK
from .._wire.errors import InvalidOption
from .kinds import NEEDED, SPECIAL
from .manifest import Deferred, Entry, ManifestErrors, Path, Position, Spec, put, typed
from .manifest_overlay import Declared
from .manifest_values import LEFT_OUT, Wrong, deferred_in, masks_in, option_in, path_text, replaced


class EntryMaker:
    """Makes entries of what is declared."""

    def __init__(self, wrong: Wrong) -> None:
        self._wrong = wrong
        self._validators: dict[str, ArgumentSpecValidator] = {}

    def make(self, declared: Declared) -> Entry | None:
        """Check one entry; None for one that is wrong, which has been noted."""
        if any(written.broken for written in declared.layers):
            return None
        kind = declared.kind
        spec = kind.arguments.spec
        options = {name: value for name, value in declared.options.items() if name not in SPECIAL}
        masks = [path for name, value in options.items() for path in masks_in(value, name)]
        for path in masks:
            self._wrong(
                declared.place(path),
                f"{path_text(path)} is or holds a mask (asterisks), which stands for a secret and is no value.",
            )
        deferred = {path_text(path): (path, value) for path, value in deferred_in(options)}
        filled = replaced(options, lambda path, _value: _stand_in(spec, path))
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
            for position, sentence in error.errors:
                self._wrong(position, sentence)
            return None
        if deferred:
            later = declared.detached()
            for name, (path, value) in deferred.items():
                entry.secrets[name] = _resolver(value, name, declared.place(path))
                entry._places[name] = path
            entry._finish = lambda values: self._finished(later, options, values)
        return None if masks else entry

    def _finished(self, declared: Declared, options: dict[str, t.Any], values: dict[str, t.Any]) -> dict[str, t.Any]:
        """The options of an entry with its secrets.

        :raises ManifestErrors: with them, they can't be right.
        """
        complete = replaced(options, lambda path, _value: values[path_text(path)])
        masks = [path for name, value in complete.items() for path in masks_in(value, name)]
        if masks:
            raise ManifestErrors(
                (declared.place(path), f"{path_text(path)} is or holds a mask (asterisks), which is no value.")
                for path in masks
            )
        found = self._validated(declared, complete)
        self._checked(declared, found)
        return found

    def _validated(self, declared: Declared, options: dict[str, t.Any]) -> dict[str, t.Any]:
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
            raise ManifestErrors((declared.place(option_in(text, options)), f"{text}.") for text in sentences)
        return t.cast("dict[str, t.Any]", result.validated_parameters)

    def _checked(self, declared: Declared, options: dict[str, t.Any]) -> None:
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

    def _renamed_from(self, declared: Declared, options: dict[str, t.Any]) -> str | None:
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


def _stand_in(spec: Spec, path: Path) -> t.Any:
    """What stands for an unresolved secret while all else is validated."""
    option = typed(spec, path)
    if option is None:
        return KEEP
    return MASK if option.get("type", "str") in ("str", "path", "raw") else LEFT_OUT


def _resolver(deferred: Deferred, name: str, position: Position) -> t.Callable[[], t.Any]:
    def resolve() -> t.Any:
        try:
            return deferred.resolve()
        except InvalidOption as error:
            raise ManifestErrors([(position, f"{name}: {error}")]) from error

    return resolve
