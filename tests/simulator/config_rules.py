# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for JSON values, to be put together as one writes a type; what they find wrong is worded as a master words it.

A rule knows which kinds of value it takes and what must hold inside; a :class:`Field` says how a rule stands under a key of a
mapping. :mod:`.expconf_schema` puts the rules of experiment configurations together.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t
from collections.abc import Callable, Iterator

Problem = tuple[str, str]  # (path as ".key[0]", message)


class Says(t.NamedTuple):
    """A condition and what the master says where it does not hold; a late one counts for complete configurations only."""

    message: str
    holds: Callable[[t.Any], bool]
    late: bool = False


def json_type(value: t.Any) -> str:
    """The word of JSON for the kind of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def go_syntax(value: t.Any) -> str:
    """A scalar as Go's ``%#v`` prints it."""
    if value is None:
        return "<nil>"
    return json.dumps(value, ensure_ascii=False)


def _listed(values: t.Iterable[t.Any]) -> str:
    return ", ".join(go_syntax(value) for value in values)


def _is(value: t.Any, kind: str) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) if kind == "integer" else json_type(value) == kind


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule:
    """Any value of the right kind for which the conditions hold.

    Attributes:
        kinds: the kinds of value that are taken, in the order in which the master lists them; none takes all.
        says: conditions on the value.
    """

    kinds: tuple[str, ...] = ()
    says: tuple[Says, ...] = ()

    def problems(self, value: t.Any, path: str, complete: bool, *, null: bool = False) -> Iterator[Problem]:
        """What is wrong with ``value``; ``complete`` also asks for what templates and defaults may still bring."""
        kinds = (*self.kinds, "null") if null and self.kinds else self.kinds
        if kinds and not any(_is(value, kind) for kind in kinds):
            yield path, f"expected {' or '.join(kinds)}, but got {json_type(value)}"
        elif value is not None or not null:
            yield from self.inside(value, path, complete)
            for condition in self.says:
                if (complete or not condition.late) and not condition.holds(value):
                    yield path, condition.message

    def inside(self, value: t.Any, path: str, complete: bool) -> Iterator[Problem]:
        """What is wrong with a value of the right kind, its own conditions aside."""
        yield from ()

    def named_keys(self) -> Iterator[tuple[str, Rule]]:
        """Every key that any variant names, in lists as well, with the rule for what stands there."""
        yield from ()


class Field(t.NamedTuple):
    """A rule under a key.

    Attributes:
        rule: for the value.
        default: what the master fills in; None is nothing.
        null: the value may be null, which is the same as no value.
        needed: ``now`` (each submitted configuration has it), ``late`` (each complete one) or nothing.
    """

    rule: Rule
    default: t.Any = None
    null: bool = True
    needed: t.Literal["", "now", "late"] = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plain(Rule):
    """A scalar, a number of it within limits."""

    at_least: int | None = None
    above: int | None = None
    at_most: int | None = None

    def inside(self, value: t.Any, path: str, complete: bool) -> Iterator[Problem]:
        """See Rule."""
        if json_type(value) != "number":
            return
        if self.at_least is not None and value < self.at_least:
            yield path, f"must be >= {self.at_least} but found {value}"
        if self.above is not None and value <= self.above:
            yield path, f"must be > {self.above} but found {value}"
        if self.at_most is not None and value > self.at_most:
            yield path, f"must be <= {self.at_most} but found {value}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneOf(Rule):
    """One of a few values, in the order in which the master lists them."""

    values: tuple[t.Any, ...]

    def inside(self, value: t.Any, path: str, complete: bool) -> Iterator[Problem]:
        """See Rule."""
        if value not in self.values:
            yield path, f"value must be one of {_listed(self.values)}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ListOf(Rule):
    """A list of like items. With other kinds beside ``array``, a value of those is taken as it is."""

    kinds: tuple[str, ...] = ("array",)
    item: Rule

    def inside(self, value: t.Any, path: str, complete: bool) -> Iterator[Problem]:
        """See Rule."""
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield from self.item.problems(item, f"{path}[{index}]", complete)

    def named_keys(self) -> Iterator[tuple[str, Rule]]:
        """See Rule."""
        yield from self.item.named_keys()


@dataclasses.dataclass(frozen=True, kw_only=True)
class MapOf(Rule):
    """A mapping from any key to like values."""

    kinds: tuple[str, ...] = ("object",)
    item: Rule

    def inside(self, value: t.Any, path: str, complete: bool) -> Iterator[Problem]:
        """See Rule."""
        for name, item in value.items() if isinstance(value, dict) else ():
            yield from self.item.problems(item, f"{path}.{name}", complete)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Struct(Rule):
    """A mapping with known keys; an ``open`` one may have others."""

    kinds: tuple[str, ...] = ("object",)
    fields: dict[str, Field]
    open: bool = False

    def inside(self, value: t.Any, path: str, complete: bool) -> Iterator[Problem]:
        """See Rule."""
        missing = [name for name, field in self.fields.items() if field.needed == "now" and name not in value]
        if missing:
            yield path, f"missing properties: {_listed(missing)}"
        unknown = sorted(value.keys() - self.fields.keys())
        if unknown and not self.open:
            yield path, f"additionalProperties {_listed(unknown)} not allowed"
        for name, field in self.fields.items():
            if complete and field.needed == "late" and value.get(name) is None:
                yield path, f"{name} is a required property"
            if name in value:
                yield from field.rule.problems(value[name], f"{path}.{name}", complete, null=field.null)

    def named_keys(self) -> Iterator[tuple[str, Rule]]:
        """See Rule."""
        for name, field in self.fields.items():
            yield name, field.rule


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choose(Rule):
    """The rule depends on the value; ``variants`` are those rules that name keys."""

    pick: Callable[[t.Any], Rule]
    variants: tuple[Rule, ...] = ()

    def inside(self, value: t.Any, path: str, complete: bool) -> Iterator[Problem]:
        """See Rule."""
        yield from self.pick(value).problems(value, path, complete)

    def named_keys(self) -> Iterator[tuple[str, Rule]]:
        """See Rule."""
        for variant in self.variants:
            yield from variant.named_keys()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Both(Rule):
    """Two rules at once."""

    first: Rule
    second: Rule

    def inside(self, value: t.Any, path: str, complete: bool) -> Iterator[Problem]:
        """See Rule."""
        yield from self.first.problems(value, path, complete)
        yield from self.second.problems(value, path, complete)

    def named_keys(self) -> Iterator[tuple[str, Rule]]:
        """See Rule."""
        yield from self.first.named_keys()
        yield from self.second.named_keys()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Summed(Rule):
    """A rule of whose problems, however many, the master says one sentence."""

    rule: Rule
    message: str

    def inside(self, value: t.Any, path: str, complete: bool) -> Iterator[Problem]:
        """See Rule."""
        if any(self.rule.problems(value, path, complete)):
            yield path, self.message

    def named_keys(self) -> Iterator[tuple[str, Rule]]:
        """See Rule."""
        yield from self.rule.named_keys()


ANYTHING = Rule()


def opt(rule: Rule, default: t.Any = None) -> Field:
    """A key that may be left out."""
    return Field(rule, default)


def must(rule: Rule) -> Field:
    """A key that each submitted mapping has."""
    return Field(rule, null=False, needed="now")


def late(rule: Rule, default: t.Any = None) -> Field:
    """A key that each complete mapping has, whether submitted, from a template or by default."""
    return Field(rule, default, needed="late")


def struct(*parts: dict[str, Field] | Says, **fields: Field) -> Struct:
    """A mapping with these keys, those of ``parts`` and no others; conditions may stand among the parts."""
    says = tuple(part for part in parts if isinstance(part, Says))
    for part in parts:
        if not isinstance(part, Says):
            fields |= part
    return Struct(fields=fields, says=says)


def open_struct(*says: Says, **fields: Field) -> Struct:
    """A mapping with these keys and any others."""
    return Struct(fields=fields, says=says, open=True)


def tagged(tag: str, members: dict[str, Struct], other: Rule, kinds: tuple[str, ...] = ()) -> Choose:
    """A mapping whose other keys depend on what ``tag`` says; ``other`` is for values without a known tag."""
    whole = {
        name: dataclasses.replace(member, fields={tag: Field(ANYTHING), **member.fields})
        for name, member in members.items()
    }

    def pick(value: t.Any) -> Rule:
        found = value.get(tag) if isinstance(value, dict) else None
        return whole.get(found, other) if isinstance(found, str) else other

    return Choose(kinds=kinds, pick=pick, variants=tuple(whole.values()))


def without(name: str, message: str) -> Says:
    """The mapping does not have a key."""
    return Says(message, lambda value: not isinstance(value, dict) or name not in value)


def ordered(first: str, second: str, *, equal: bool = False) -> Says:
    """Of two numbers in a mapping, the first is less; ``equal`` lets them be the same. The text is one for both cases."""

    def holds(value: dict[str, t.Any]) -> bool:
        low, high = value.get(first), value.get(second)
        if not isinstance(low, (int, float)) or not isinstance(high, (int, float)):
            return True
        return low < high or (equal and low == high)

    return Says(f"{first} must be less than {second}", holds)
