# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Values of a manifest: finding and replacing what is deferred, odd or a mask in them, wherever it stands."""

from __future__ import annotations

import re
import typing as t

from .._kinds.masking import MASK, mask_places
from .._wire.errors import InvalidOption
from .manifest import Deferred, Odd, Path, Position

Wrong = t.Callable[[Position, str], None]
"""Takes note of something that is wrong: everything is told at once."""

LEFT_OUT = object()
"""What `replaced` leaves out of a mapping."""


class Failed(Exception):
    """Something of an entry could not be worked out. It has been noted."""


def worked_out(value: t.Any, name: str, position: Position, wrong: Wrong) -> t.Any:
    """A value with all that is deferred in it worked out, and what is odd taken as outside free-form options.

    :raises Failed: something can't be worked out; all of that has been noted.
    """
    sentences: list[str] = []
    found = _worked_out(value, name, sentences)
    for sentence in sentences:
        wrong(position, sentence)
    if sentences:
        raise Failed
    return found


def _worked_out(value: t.Any, name: str, sentences: list[str]) -> t.Any:
    if isinstance(value, Deferred):
        try:
            return value.resolve()
        except InvalidOption as error:
            sentences.append(f"{name}: {error}")
            return None
    if isinstance(value, dict):
        return {key: _worked_out(item, f"{name}.{key}", sentences) for key, item in value.items()}
    if isinstance(value, list):
        return [_worked_out(item, f"{name}[{index}]", sentences) for index, item in enumerate(value)]
    return value.value if isinstance(value, Odd) else value


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


def without_odd(value: t.Any) -> t.Any:
    """A copy with what is odd taken as outside free-form options."""
    if isinstance(value, dict):
        return {name: without_odd(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_odd(item) for item in value]
    return value.value if isinstance(value, Odd) else value


def shadow(value: t.Any) -> t.Any:
    """A value with texts in place of what is deferred in it, for its secrets to be found."""
    return replaced(value, lambda _path, deferred: deferred.text)


def replaced(value: t.Any, by: t.Callable[[Path, Deferred], t.Any], path: Path = ()) -> t.Any:
    """A copy with something in place of all that is deferred in it; `LEFT_OUT` leaves it out of a mapping."""
    if isinstance(value, Deferred):
        return by(path, value)
    if isinstance(value, dict):
        found = {name: replaced(item, by, (*path, name)) for name, item in value.items()}
        return {name: item for name, item in found.items() if item is not LEFT_OUT}
    if isinstance(value, list):
        return [replaced(item, by, (*path, index)) for index, item in enumerate(value)]
    return value


def deferred_in(value: t.Any, path: Path = ()) -> t.Iterator[tuple[Path, Deferred]]:
    """What is deferred in a value, each with its place."""
    if isinstance(value, Deferred):
        yield path, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from deferred_in(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from deferred_in(item, (*path, index))


def masks_in(value: t.Any, *path: str | int) -> t.Iterator[Path]:
    """Where a declared value has a mask in it."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from masks_in(item, *path, name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from masks_in(item, *path, index)
    elif isinstance(value, str) and MASK in value and mask_places(value, "here"):
        yield path


def has(value: t.Any, path: Path) -> bool:
    """Whether there is anything at a path."""
    for step in path:
        if isinstance(value, dict):
            if step not in value:
                return False
        elif not isinstance(value, list) or not isinstance(step, int) or step >= len(value):
            return False
        value = value[step]
    return True


def option_in(text: str, options: dict[str, t.Any]) -> Path:
    """The option that one of the validator's sentences is about, as a path; empty if that can't be told."""
    named = re.findall(
        r"argument '(\w+)'|value of '?(\w+)|found in '?(\w+)|parameter '(\w+)'|Elements value for option '(\w+)'", text
    )
    path = [name for names in named for name in names if name]
    found = [name for name in path if name in options]
    return tuple(found[:1])


def path_text(path: Path) -> str:
    """A path as texts show it: ``config.bind_mounts[0].host_path``."""
    found = ""
    for step in path:
        found += f"[{step}]" if isinstance(step, int) else f".{step}" if found else step
    return found


def what_is(value: t.Any) -> str:
    """What a value is, in words, where something else was expected."""
    if value is None:
        return "nothing"
    if isinstance(value, (Deferred, Odd)):
        return "a text"
    names = {dict: "a mapping", list: "a list", str: "a text", bool: "a boolean"}
    return next((name for kind, name in names.items() if isinstance(value, kind)), "a number")


def all_of(names: t.Iterable[str]) -> str:
    """A sentence that names all that there is, for a name that is like none of them."""
    return f" There are {', '.join(names)}."
