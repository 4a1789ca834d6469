# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""The shape of a kind of object on a master: what the engine knows of each, and all that it knows."""

from __future__ import annotations

import abc
import dataclasses
import operator
import typing as t

from .._wire.errors import DeterminedError, InvalidOption
from .._wire.session import Session
from .lookup import Names

Normal = dict[str, t.Any]
"""An object in normal form: plain data, snake_case, the API's own field names."""


@dataclasses.dataclass(frozen=True)
class Arguments:
    """The options of a module beside the connection, in the terms of Ansible's argument specs.

    :ivar unrepeated: options that a result's ``invocation`` hides like those with ``no_log``: what they hold may be secret, but is
        shown in part.
    """

    spec: dict[str, dict[str, t.Any]]
    mutually_exclusive: tuple[tuple[str, ...], ...] = ()
    required_together: tuple[tuple[str, ...], ...] = ()
    required_one_of: tuple[tuple[str, ...], ...] = ()
    required_if: tuple[tuple[t.Any, ...], ...] = ()
    required_by: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    unrepeated: frozenset[str] = frozenset()

    def constraints(self) -> dict[str, t.Any]:
        """The keyword arguments that AnsibleModule and ArgumentSpecValidator take beside the spec."""
        names = [field.name for field in dataclasses.fields(self) if field.name not in ("spec", "unrepeated")]
        return {name: getattr(self, name) for name in names}


@dataclasses.dataclass
class Task:
    """One task, or one item of its loop.

    :ivar options: validated options, plain data; null where not given.
    :ivar session: the client.
    :ivar names: finds what the options refer to by name. Always asked, never the master directly: where a whole cluster is
        planned, it knows objects that do not exist yet.
    :ivar check_mode: whether nothing may be written. Kinds never look at it: the engine calls them or does not.
    :ivar warn: receives a sentence for the user.
    :ivar extra: what the result holds beside the object.
    """

    options: dict[str, t.Any]
    session: Session
    names: Names
    check_mode: bool
    warn: t.Callable[[str], None]
    extra: dict[str, t.Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Field:
    """How one field of a kind is compared.

    :ivar same: whether a live value (first) is what is declared (second).
    :ivar write_only: it can't be read back: declared means changed, and its value is never shown.
    """

    same: t.Callable[[t.Any, t.Any], bool] = operator.eq
    write_only: bool = False


PLAIN = Field()


def same_set(live: t.Any, declared: t.Any) -> bool:
    """Whether two lists hold the same texts, whatever their order and repetitions: the server shuffles labels."""
    return set(live or ()) == set(declared or ())


def same_config(live: t.Any, declared: t.Any) -> bool:
    """Whether two free-form values are the same to the server, which keeps each number as a double.

    1 is 1.0, but True is not 1. The order of keys does not count, the order of a list does.
    """
    if isinstance(live, dict) and isinstance(declared, dict):
        return live.keys() == declared.keys() and all(same_config(live[name], declared[name]) for name in live)
    if isinstance(live, list) and isinstance(declared, list):
        return len(live) == len(declared) and all(map(same_config, live, declared))
    if isinstance(live, bool) or isinstance(declared, bool):
        return live is declared
    if isinstance(live, (int, float)) and isinstance(declared, (int, float)):
        try:
            return float(live) == float(declared)
        except OverflowError:
            return live == declared
    return bool(live == declared)


def merged(base: t.Any, more: t.Any) -> t.Any:
    """`base` with what `more` has added or put in its place; mappings are merged at every depth, all else is replaced."""
    if isinstance(base, dict) and isinstance(more, dict):
        return {**base, **{name: merged(base.get(name), value) for name, value in more.items()}}
    return more


class Kind(abc.ABC):
    """A kind of object with a state module. One instance serves all tasks, so it keeps nothing between calls.

    :cvar name: the noun, which is also the key of the object in results.
    :cvar arguments: its options.
    :cvar fields: the fields that are compared in another way than by equality.
    :cvar volatile: fields that the server changes by itself; diffs leave them out.
    """

    name: t.ClassVar[str]
    arguments: t.ClassVar[Arguments]
    fields: t.ClassVar[dict[str, Field]] = {}
    volatile: t.ClassVar[frozenset[str]] = frozenset()

    def check(self, options: dict[str, t.Any]) -> None:  # noqa: B027 - most options need no more than Ansible's checks
        """Refuse options that can't be right, before any call.

        :raises InvalidOption: naming the option, the value and what would be right.
        """

    @abc.abstractmethod
    def find(self, task: Task) -> Normal | None:
        """Read the live object that the options name, or None. Never writes."""

    @abc.abstractmethod
    def wanted(self, task: Task, live: Normal | None) -> Normal | None:
        """Say what is declared: the fields that have a declared value, or None for an object that must not be there.

        Reads more where the decision needs it, never writes.

        :raises InvalidOption: the live object does not allow it, in words that say what would.
        """

    def guard(  # noqa: B027 - most changes lock nobody out
        self, task: Task, changes: t.Sequence[tuple[Normal | None, Normal | None]]
    ) -> None:
        """Refuse changes for what is so after all of them together, or warn of it. Asked only if there are any; never writes.

        :param changes: of each object what is live, or None, and the fields to write, or None for one that goes.
        :raises InvalidOption: they would lock somebody out, in words that say whom.
        """

    def confirm(self, task: Task, live: Normal) -> None:  # noqa: B027 - most of what is read is so
        """Make sure, in a real run that finds nothing to change, that what was read is so. May only repeat what was declared.

        :raises DeterminedError: it is not.
        """

    @abc.abstractmethod
    def create(self, task: Task, wanted: Normal) -> Normal:
        """Create the object, and return it as it then is."""

    @abc.abstractmethod
    def update(self, task: Task, live: Normal, changes: Normal) -> Normal:
        """Write the fields of `changes`, and return the object as it then is."""

    @abc.abstractmethod
    def remove(self, task: Task, live: Normal) -> None:
        """Remove the object and wait until it is gone."""

    def blank(self, task: Task) -> Normal:
        """A new object before any field is set; what only the server makes is None. Predicts a creation."""
        return {}

    def predicted(self, live: Normal, changes: Normal) -> Normal:
        """The object after `changes`, as far as it can be known without writing."""
        return {**live, **changes}

    def shown(self, task: Task, item: Normal) -> Normal:
        """The object as results and diffs show it: secrets masked."""
        return item


@dataclasses.dataclass(frozen=True)
class Reference:
    """What an object needs another one for, by that one's key.

    :ivar kind: the other's kind, in the plural.
    :ivar key: its key as text.
    :ivar option: the option that names it, for failures.
    """

    kind: str
    key: str
    option: str


class Declarable(Kind):
    """A kind that a manifest can declare: it can be listed, each object has a key as text, and can be written as options.

    A whole cluster is planned on lists, so `find` is not called: the live object is the one of `read_all` whose `key_of` is the
    `key` of the declared options, with what `complete` adds. `wanted`, `create`, `update` and `remove` are those of the module.

    :cvar plural: its key in a manifest; with it the kind is known to `rights.WHOLE`.
    :cvar switches: options that declare nothing and that a manifest does not take: how to act, and how to rename. ``state`` is
        none of them: ``absent`` is a declaration.
    :cvar rename_option: the option with an object's new name, if it can have one; see `renamed`.
    :cvar late: groups of options that are written in steps of their own after all else of the object, in this order, as they
        need other objects to be there first: a workspace's default pools, its being archived.
    :cvar refers: fields of the normal form that hold an id, and the kind (in the plural) of what it is the id of: shown by name.
    :cvar completes: whether `complete` makes calls, so that it is done for declared objects only, unless all are needed.
    """

    plural: t.ClassVar[str]
    switches: t.ClassVar[frozenset[str]] = frozenset()
    rename_option: t.ClassVar[str | None] = None
    late: t.ClassVar[tuple[frozenset[str], ...]] = ()
    refers: t.ClassVar[dict[str, str]] = {}
    completes: t.ClassVar[bool] = False

    @abc.abstractmethod
    def key(self, options: dict[str, t.Any]) -> str:
        """The key as text of what the options declare: ``alice``, ``workspace/project``, ``alice/token description``."""

    @abc.abstractmethod
    def read_all(self, session: Session, names: Names) -> t.Sequence[Normal]:
        """Read all live objects that can be managed, each as `find` returns it but for what `complete` adds.

        What the product makes and keeps for itself (personal groups) is left out. Objects that can't be declared are in it.
        """

    def relabeled(self, live: Normal, names: Names) -> Normal:
        """The live object with the names that what it refers to has by now; where it holds ids alone, itself.

        Asked when a plan has renamed something: the same reference under its new name is no change.
        """
        return live

    @abc.abstractmethod
    def key_of(self, live: Normal, names: Names) -> str:
        """The key as text of a live object. Equal to `key` of the options that declare it."""

    def complete(self, session: Session, live: Normal) -> Normal | None:
        """Read what `read_all` lacks of one object, and return it as `find` does.

        None where it turns out that there is none: some lists only tell where an object may be, such as a workspace's policies.
        """
        return live

    def references(self, options: dict[str, t.Any]) -> t.Sequence[Reference]:
        """What must be there before this object can be written."""
        return ()

    def renamed(self, options: dict[str, t.Any], old_key: str) -> dict[str, t.Any]:
        """The options that turn the object with `old_key` into the declared one.

        :raises InvalidOption: this kind has no way to.
        """
        if self.rename_option is None:
            raise InvalidOption(f"renamed_from is {old_key!r}: {self.plural.replace('_', ' ')} can't be renamed.")
        name_option = self.rename_option.removeprefix("new_")
        return {**options, name_option: old_key, self.rename_option: options[name_option]}

    @abc.abstractmethod
    def declaration(self, live: Normal, names: Names) -> dict[str, t.Any]:
        """The options that declare the live object as it is, without server-made fields, defaults and secrets.

        Names stand for ids. A secret option is left out; inside a free-form option a secret is `masking.KEEP`.
        """

    def undeclarable(self, live: Normal, names: Names) -> str | None:
        """Say why a live object can't be declared or not wholly, or None."""
        return None

    def left_out(self, live: Normal) -> t.Sequence[str]:
        """The options that `declaration` leaves out of this object as they hold secrets, or parts of them."""
        return ()

    def built_in(self, live: Normal) -> str | None:
        """Say why a live object is never removed, whatever a manifest says, or None."""
        return None


class Batched(Declarable):
    """A kind whose objects are there or not and have nothing to edit, and of which many are written in a call or two.

    Its module takes one object by the kind's own options, or many in a list option.

    :cvar many: that option: a list of the kind's own options, but for `switches`.
    """

    many: t.ClassVar[str]

    @abc.abstractmethod
    def surplus(
        self, task: Task, live: t.Mapping[str, Normal], declared: t.Mapping[str, dict[str, t.Any]]
    ) -> t.Collection[str]:
        """The keys of live objects that an exclusive declaration takes away, beside those that are declared absent.

        :param live: all live objects by their keys.
        :param declared: the declared options by their keys.
        :raises InvalidOption: not all live objects were seen, or the declaration names nothing that it is exclusive in.
        """

    @abc.abstractmethod
    def write_all(self, task: Task, new: t.Sequence[Normal], gone: t.Sequence[Normal]) -> None:
        """Create and remove objects; either call is all or nothing."""


class Selection(abc.ABC):
    """Objects of one kind that a task selects by ids or a filter, all of which are brought to one declared state.

    :cvar kind: the kind. Its `wanted` decides for each object, by the options that `options_for` makes.
    :cvar plural: the noun, which is also the key of the objects in results.
    :cvar title: the field that people know an object by.
    :cvar arguments: its options. If ``max_objects`` is among them, no more than that are changed at once.
    """

    kind: t.ClassVar[Kind]
    plural: t.ClassVar[str]
    title: t.ClassVar[str] = "name"
    arguments: t.ClassVar[Arguments]

    @abc.abstractmethod
    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse options that can't be right, before any call.

        :raises InvalidOption: naming the option, the value and what would be right; also where they would select everything.
        """

    @abc.abstractmethod
    def read(self, task: Task) -> list[Normal]:
        """Read the objects that are selected, all of them. Never writes.

        :raises InvalidOption: one that is named is not there.
        """

    @abc.abstractmethod
    def read_again(self, task: Task, items: t.Sequence[Normal]) -> dict[t.Any, Normal]:
        """Read these objects as they are now, by id; one that is gone is not in it."""

    @abc.abstractmethod
    def options_for(self, options: dict[str, t.Any], item: Normal) -> dict[str, t.Any]:
        """The kind's own options that declare the state for this object."""

    @abc.abstractmethod
    def write(self, task: Task, changes: t.Sequence[tuple[Normal, Normal | None]]) -> dict[t.Any, DeterminedError]:
        """Write the changes, and wait for them where the task says so.

        :param changes: of each object what is live, and the fields to write, or None for one that goes.
        :returns: what went wrong, by id of the object; what is not named was done. It raises nothing for a single object.
        """


class Reader(abc.ABC):
    """What an info module reads.

    :cvar arguments: its options.
    """

    arguments: t.ClassVar[Arguments]

    def check(self, options: dict[str, t.Any]) -> None:  # noqa: B027 - most options need no more than Ansible's checks
        """Refuse options that can't be right, before any call.

        :raises InvalidOption: naming the option, the value and what would be right.
        """

    @abc.abstractmethod
    def read(self, task: Task) -> dict[str, t.Any]:
        """Read, and return the parts of the result. Never writes."""
