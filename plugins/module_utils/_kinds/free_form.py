# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Free-form values, such as a template's config and a model's metadata: what can be stored, and how it is given back."""

from __future__ import annotations

import itertools
import math
import typing as t

from .._wire.errors import InvalidOption
from .masking import mask_places

EXACT_INTEGERS = 2**53
"""Integers above it have no double of their own."""

DEPTH = 100
"""How deep values may be nested. The server stores more, but an answer with more than about 200 levels can't be read any more, here
or in other clients, and lists it would be in neither."""

TOLD = 20
"""How many places a failure names at most."""


def listed(texts: t.Iterable[str]) -> str:
    """The first of some texts, and whether there are more."""
    found = list(itertools.islice(texts, TOLD + 1))
    return ", ".join(found[:TOLD]) + (" and more" if len(found) > TOLD else "")


def check_free_form(option: str, value: t.Any) -> None:
    """Refuse a declared value that can't be stored, or would be stored as another.

    :param option: the option that it is of, for the failure's text.
    :raises InvalidOption: JSON does not have it, it is nested too deep, or a mask is in it.
    """
    odd = listed(_not_in_json(value, option))
    if odd:
        raise InvalidOption(f"{option} holds what can't be stored and read back: {odd}.")
    masks = mask_places(value, option)
    if masks:
        raise InvalidOption(
            f"{option} holds a mask (asterisks) at {listed(masks)}: that is what is shown in place of a secret, and no value; "
            "give the value itself."
        )


def _not_in_json(value: t.Any, path: str, depth: int = 0) -> t.Iterator[str]:
    """Where something stands that can't be sent, with what it is."""
    if isinstance(value, (dict, list)):
        if depth == DEPTH:
            yield f"more than {DEPTH} levels at {path}"
            return
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for name, item in pairs:
            place = f"{path}.{name}" if isinstance(value, dict) else f"{path}[{name}]"
            yield from _not_in_json(item, place, depth + 1)
    elif isinstance(value, (int, float)):
        try:
            if not math.isfinite(value):
                yield f"{value} at {path}"
        except OverflowError:
            yield f"too large a number at {path}"
    elif value is not None and not isinstance(value, str):
        yield f"{type(value).__name__} at {path}"


def as_stored(value: t.Any) -> t.Any:
    """A free-form value as the server gives it back: each number went through a double (protobuf's ``Struct``)."""
    if isinstance(value, dict):
        return {str(name): as_stored(item) for name, item in value.items()}
    if isinstance(value, list):
        return [as_stored(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT_INTEGERS:
        return int(value)
    if isinstance(value, int) and abs(value) > EXACT_INTEGERS:
        return int(float(value))
    return value
