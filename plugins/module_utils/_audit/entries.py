# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""The files that a site writes for an audit, waivers and custom controls: a list of mappings, of which all that is wrong is told
at once."""

from __future__ import annotations

import dataclasses
import typing as t

from .._kinds.lookup import nearest
from .._wire.errors import InvalidOption


class EntryErrors(InvalidOption):
    """All that is wrong with such a file, each on a line of its own.

    :ivar errors: the sentences, in the order of the entries.
    """

    def __init__(self, errors: t.Sequence[str]) -> None:
        self.errors = list(errors)
        super().__init__("\n".join(self.errors))


@dataclasses.dataclass
class Entry:
    """One entry that is being read.

    :ivar place: the option and the entry's number, from 1 on, for failures.
    :ivar values: its fields.
    :ivar errors: receives a sentence for each thing that is wrong.
    """

    place: str
    values: dict[str, t.Any]
    errors: list[str]

    def wrong(self, sentence: str) -> None:
        """Note that something is wrong."""
        self.errors.append(f"{self.place}: {sentence}")

    def text(self, field: str, what: str) -> str:
        """A text that must be there; a number is taken as it is written. Empty where it is wrong.

        :param what: what it should be, for the sentence.
        """
        value = self.values.get(field)
        if isinstance(value, bool) or not isinstance(value, (str, int, type(None))):
            self.wrong(f"{field} is {value!r}: it must be a text, {what}.")
            return ""
        found = "" if value is None else str(value).strip()
        if not found:
            how = "is empty" if field in self.values else "is missing"
            self.wrong(f"{field} {how}: give {what}.")
        return found

    def choice(self, field: str, choices: t.Collection[str], what: str) -> str:
        """A text that must be one of some. Empty where it is wrong.

        :param what: what they are, in the plural.
        """
        listed = ", ".join(choices)
        found = self.text(field, f"one of the {what} {listed}")
        if found and found not in choices:
            self.wrong(f"{field} is {found!r}: the {what} are {listed}.{nearest(found, choices)}")
            return ""
        return found


def entries(option: str, data: t.Any, fields: t.Collection[str], errors: list[str]) -> t.Iterator[Entry]:
    """Read the entries of a file one after the other.

    :param option: the option that names the file.
    :param data: what the file holds.
    :param fields: the fields that an entry may have.
    :param errors: receives what is wrong; an entry that is no mapping is left out.
    """
    if not isinstance(data, list):
        what = "the file is empty" if data is None else f"there is {_described(data)} at the top"
        errors.append(f"{option}: {what}, it must be a list; write [] for none.")
        return
    for number, values in enumerate(data, 1):
        place = f"{option}: entry {number}"
        if not isinstance(values, dict):
            errors.append(f"{place}: it is {_described(values)}, it must be a mapping with {', '.join(fields)}.")
            continue
        entry = Entry(place, {str(name): value for name, value in values.items()}, errors)
        for name in entry.values:
            if name not in fields:
                entry.wrong(f"{name!r} is no field, those are {', '.join(fields)}.{nearest(name, fields)}")
        yield entry


def _described(value: t.Any) -> str:
    kinds = {dict: "a mapping", list: "a list", str: "a text", type(None): "nothing"}
    return kinds.get(type(value), f"{value!r}")
