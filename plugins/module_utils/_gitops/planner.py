# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""From a manifest and a cluster to a plan. Writes nothing."""

from __future__ import annotations

import contextlib
import fnmatch
import typing as t

from .._engine.compare import CREATE, NONE, REMOVE, UPDATE, Change, compare
from .._engine.diff import difference
from .._engine.garbage import uncollected
from .._engine.operation import StateOperation
from .._kinds.kind import Declarable, Normal, Task
from .._kinds.lookup import nearest
from .._kinds.rights import Rights
from .._kinds.role_assignment import NO_EFFECT, ROLE_ASSIGNMENT
from .._kinds.token import own_token
from .._wire import errors
from .._wire.errors import InvalidOption
from .._wire.session import Session
from .directory import UNREADABLE, Directory
from .kinds import WORKSPACES
from .lock import Lock
from .manifest import Entry, Manifest, ManifestErrors, Position
from .plan import (
    RECREATE,
    RENAME,
    UNRESOLVED,
    Item,
    Key,
    Plan,
    removal_options,
    stages,
    untangled,
    with_temporary_name,
)
from .protection import check_caps, protect_administrators

MEMBERS = {"groups": "members", "resource_pool_bindings": "workspaces"}
"""Fields whose lost items count as removals of their own."""

OWN_TOKEN = "it is the token that this run logs in with"


class Planner:
    """Makes the plan of one manifest for one cluster.

    :param kinds: all kinds that can be declared, in the order in which they are written.
    :param selected: the kinds to look at, or None for all that are declared.
    :param only: globs of ``kind/key``; other objects are neither planned nor pruned. Empty for all.
    :param prune: per kind ``managed`` or ``exclusive``.
    :param lock: what the manifest managed before, or None.
    :param distrust: why there is no trustworthy lock although there is a file, or None.
    :param concurrency: how many reads go on at once.
    """

    def __init__(
        self,
        session: Session,
        manifest: Manifest,
        rights: Rights,
        kinds: t.Sequence[Declarable],
        *,
        selected: t.Collection[str] | None,
        only: t.Sequence[str],
        prune: t.Mapping[str, str],
        lock: Lock | None,
        distrust: str | None,
        concurrency: int,
    ) -> None:
        self._session = session
        self._manifest = manifest
        self._settings = manifest.settings
        self._rights = rights
        self._kinds = kinds
        self._selected = set(manifest.kinds) if selected is None else set(selected) & set(manifest.kinds)
        self._only = only
        self._prune = prune
        self._lock = lock
        self._distrust = distrust
        self._concurrency = concurrency
        self._now = Directory(session, {kind.plural: kind for kind in kinds})
        self._then = self._now
        self._unreadable: dict[str, str] = {}
        self._warnings: list[str] = []
        self._incomplete: dict[Key, errors.DeterminedError] = {}
        self._renamed = False
        self._leaving: dict[str, set[str]] = {}
        self._token = own_token(session)

    @uncollected()
    def plan(self) -> Plan:
        """Read, compare, and find out what may not be done.

        :raises ManifestErrors: entries refer to what is neither there nor declared.
        """
        entries = [entry for entry in self._manifest.entries if self._is_selected(entry.kind.plural, entry.key)]
        entries = [entry for entry in entries if not self._is_ignored(entry.kind.plural, entry.key)]
        for kind in self._kinds:
            if kind.plural in self._selected:
                self._read(kind)
        self._check_references(entries)
        self._then = self._now.fork()
        by_kind: dict[str, list[Entry]] = {}
        for entry in entries:
            by_kind.setdefault(entry.kind.plural, []).append(entry)
        present: list[Item] = []
        absent: list[Item] = []
        for kind in self._kinds:
            self._look_closer(kind, by_kind.get(kind.plural, []))
            present += untangled(
                [
                    self._plan_entry(entry)
                    for entry in by_kind.get(kind.plural, ())
                    if entry.options.get("state") != "absent"
                ]
            )
        for kind in reversed(self._kinds):
            gone = [entry for entry in by_kind.get(kind.plural, ()) if entry.options.get("state") == "absent"]
            absent += [self._plan_entry(entry) for entry in gone]
            if kind.plural in self._selected:
                absent += self._plan_prune(kind)
        plan = Plan(present + absent, self._now, self._then, [], self._warnings)
        self._doubt(present)
        if not self._rights.rbac and any(item.kind is ROLE_ASSIGNMENT and item.writes for item in plan.items):
            self._warnings.append(NO_EFFECT)
        protect_administrators(plan, self._session, self._rights)
        check_caps(plan, self._kinds, self._settings)
        return plan

    def _doubt(self, present: list[Item]) -> None:
        """Say of which kinds what is to be created may be there all the same, as the caller may not see all of them."""
        for plural in dict.fromkeys(item.kind.plural for item in present if item.action == CREATE):
            gap = self._rights.gap(plural)
            if gap is not None:
                self._warnings.append(
                    f"{plural.replace('_', ' ')}: what is planned as create may be there, and not be seen: {gap}."
                )

    # --- reading ---

    def _is_selected(self, plural: str, key: str) -> bool:
        if plural not in self._selected:
            return False
        return not self._only or any(fnmatch.fnmatchcase(f"{plural}/{key}", glob) for glob in self._only)

    def _is_ignored(self, plural: str, key: str) -> bool:
        return any(
            rule["kind"] == plural and not rule.get("fields") and fnmatch.fnmatchcase(key, rule["name"])
            for rule in self._settings.ignore
        )

    def _ignored_fields(self, plural: str, key: str) -> frozenset[str]:
        found: set[str] = set()
        for rule in self._settings.ignore:
            if rule["kind"] == plural and rule.get("fields") and fnmatch.fnmatchcase(key, rule["name"]):
                found.update(rule["fields"])
        return frozenset(found)

    def _read(self, kind: Declarable) -> None:
        try:
            self._now.objects(kind.plural)
        except UNREADABLE as error:
            self._unreadable[kind.plural] = str(error)

    def _look_closer(self, kind: Declarable, declared: list[Entry]) -> None:
        """Read what the list of a kind lacks, of declared objects and of those that may be pruned; and take note of what has
        been renamed before it is this kind's turn, as keys and references hold names."""
        plural = kind.plural
        if plural not in self._selected or plural in self._unreadable:
            return
        if self._renamed:
            self._now.follow(plural, self._then)
        keys = {key for entry in declared for key in (entry.key, self._old_key(entry)) if key is not None}
        if self._prune.get(plural) == "exclusive":
            keys |= self._now.objects(plural).keys()
        elif plural in self._prune and self._lock is not None:
            keys |= {self._now.present_key(plural, key) for owned, key in self._lock.objects if owned == plural}
        failed = self._now.complete(plural, keys, self._concurrency)
        self._incomplete.update({(plural, key): error for key, error in failed.items()})
        if self._renamed:
            self._now.follow(plural, self._then)
        self._then.adopt(plural, self._now)
        self._note_leaving(kind)

    def _old_key(self, entry: Entry) -> str | None:
        """The key that the object is found by which an entry renames, if it does."""
        plural, old = entry.kind.plural, entry.renamed_from
        if old is None:
            return None
        key, objects = self._now.present_key(plural, old), self._now.objects(plural)
        record = None if self._lock is None else self._lock.objects.get((plural, old))
        if key in objects or record is None or record.id is None:
            return key
        # What it stands in was renamed before this one's turn came, as that run was killed: it is the same by its id.
        declared = {other.key for other in self._manifest.entries if other.kind is entry.kind}
        found = (name for name, item in objects.items() if item["id"] == record.id and name not in declared)
        return next(found, key)

    def _live(self, kind: Declarable, key: str | None) -> Normal | None:
        """The live object, complete.

        :raises errors.DeterminedError: it could not be read.
        """
        if key is None:
            return None
        if (kind.plural, key) in self._incomplete:
            raise self._incomplete[kind.plural, key]
        return self._now.objects(kind.plural).get(key)

    # --- references ---

    def _check_references(self, entries: list[Entry]) -> None:
        """Find all references to what is neither there nor declared, at once.

        :raises ManifestErrors: there are some.
        """
        declared: dict[str, set[str]] = {}
        going: dict[str, dict[str, str]] = {}
        for entry in entries:
            if entry.options.get("state") == "absent":
                going.setdefault(entry.kind.plural, {})[entry.key] = "it is declared absent"
            else:
                declared.setdefault(entry.kind.plural, set()).add(entry.key)
                if entry.renamed_from is not None:
                    going.setdefault(entry.kind.plural, {})[entry.renamed_from] = f"it is renamed to {entry.key!r}"
        wrong: list[tuple[Position, str]] = []
        known = {kind.plural for kind in self._kinds}
        for entry in entries:
            if entry.options.get("state") == "absent":
                continue
            for reference in entry.kind.references(entry.options):
                if reference.kind not in known or reference.key in declared.get(reference.kind, ()):
                    continue
                try:
                    live = self._now.objects(reference.kind)
                except errors.DeterminedError as error:
                    self._unreadable.setdefault(reference.kind, str(error))
                    continue
                why = going.get(reference.kind, {}).get(reference.key)
                if reference.key in live and why is None:
                    continue
                noun = reference.kind.replace("_", " ")
                if why is None:
                    near = nearest(reference.key, [*live, *declared.get(reference.kind, ())])
                    why = f"it is neither on the cluster nor declared, or you may not see it.{near}"
                wrong.append((entry.position, f"{reference.option} is {reference.key!r}: of these {noun}, {why}"))
        if wrong:
            raise ManifestErrors(wrong)

    # --- declared objects ---

    def _plan_entry(self, entry: Entry) -> Item:
        kind = entry.kind
        item = Item(kind, entry.key, NONE, entry, dict(entry.options))
        item.needs = frozenset((reference.kind, reference.key) for reference in kind.references(entry.options))
        if kind.plural in self._unreadable:
            item.block(f"{kind.plural.replace('_', ' ')} can't be read: {self._unreadable[kind.plural]}")
            return item
        try:
            self._match(item, entry)
            if self._shuts_caller_out(item):
                item.block(
                    "it is the user that this run logs in as, which would lose its own rights; let another one apply this."
                )
                return item
            self._stand_in_for_secrets(item, entry)
            task = self._task(item)
            change = self._compared(item, kind.wanted(task, item.live))
            why = self._refused(item, change)
            if why is not None:
                item.block(why)
                return item
            self._note(item, task, change)
            if self._uses(item.kind.plural, item.live):
                item.last = 2
        except (InvalidOption, *UNREADABLE) as error:
            item.block(str(error))
        return item

    def _match(self, item: Item, entry: Entry) -> None:
        """Find the live object, under its old name too when it is renamed.

        :raises InvalidOption: which one is meant can't be told.
        """
        found = self._found_under(entry)
        if found == entry.key and found in self._leaving.get(entry.kind.plural, ()):
            # That one gets another name, and this one is new.
            found = None
        item.live = self._live(entry.kind, found)
        item.old_key = None if item.live is None else found
        item.declare(entry.options)

    def _note_leaving(self, kind: Declarable) -> None:
        """Take note of the keys of a kind's objects that get another one, if not by this run then by one that is not narrowed."""
        leaving = self._leaving.setdefault(kind.plural, set())
        for entry in self._manifest.entries:
            if entry.kind is not kind or entry.renamed_from is None:
                continue
            with contextlib.suppress(InvalidOption, *UNREADABLE):
                found = self._found_under(entry)
                if found is not None and found != entry.key:
                    leaving.add(found)

    def _found_under(self, entry: Entry) -> str | None:
        """The key under which the object of an entry has to be looked for, or None where it is new.

        :raises InvalidOption: which one is meant can't be told.
        """
        kind, key, old = entry.kind, entry.key, self._old_key(entry)
        for name in (key, old):
            if name is not None and name in self._now.twice(kind.plural):
                ids = ", ".join(str(found.get("id")) for found in self._now.twice(kind.plural)[name])
                raise InvalidOption(
                    f"{name!r} is the key of several live objects (ids {ids}): which one is meant can't be told."
                )
        if old is None or old == key:
            return key
        objects = self._now.objects(kind.plural)
        temporary = kind.key(with_temporary_name(kind, entry.options))
        if temporary in objects:
            # An earlier run was killed between the two halves of a swap; the other one may have either name.
            return temporary
        if old not in objects:
            return key
        return old if key not in objects or self._is_to_swap(entry, old) else key

    def _is_to_swap(self, entry: Entry, old: str) -> bool:
        """Whether an object has to be renamed although another one has its new name. That is right where the other one is renamed
        too, and once, as the lock file tells.

        :param old: the key under which the object is, if it has not been renamed yet.
        :raises InvalidOption: it can't be told.
        """
        kind, said = entry.kind, t.cast(str, entry.renamed_from)
        live = self._now.objects(kind.plural)[entry.key]
        moves = {other.renamed_from for other in self._manifest.entries if other.kind is kind and other.renamed_from}
        declared = {other.key for other in self._manifest.entries if other.kind is kind}
        records = {} if self._lock is None else self._lock.objects
        record, former = records.get((kind.plural, entry.key)), records.get((kind.plural, said))
        if record is not None and record.renamed_from == said and record.id == live["id"]:
            return False
        if former is not None and former.id == live["id"]:
            # A run that was killed has renamed it: before that, it noted which object had the old name.
            return False
        if entry.key in moves:
            if said in declared and self._lock is None:
                raise InvalidOption(
                    f"renamed_from is {said!r}: {said!r} and {entry.key!r} change names, and whether they have done so only the "
                    "lock file can tell, which is not there."
                )
            return True
        if said in declared:
            # The old name has been given to a new object since.
            return False
        raise InvalidOption(
            f"renamed_from is {said!r}: both {old!r} and {entry.key!r} exist; one of them has to go first."
        )

    def _stand_in_for_secrets(self, item: Item, entry: Entry) -> None:
        """Do with secrets what a plan can: a new object gets something in their place, and those inside a free-form option
        are compared if they can be resolved, which a plan without the vault's password can't."""
        if not entry.secrets:
            return
        if item.live is None:
            item.options = entry.presumed(UNRESOLVED)
        elif entry.compares_secrets:
            try:
                item.declare(entry.resolved())
            except InvalidOption:
                self._warnings.append(
                    f"{item.kind.plural}/{item.key}: secrets could not be resolved, so it is not known whether they change: "
                    f"{', '.join(sorted(entry.secrets))}"
                )

    def _shuts_caller_out(self, item: Item) -> bool:
        if item.kind.plural != "users" or item.live is None or item.live["id"] != self._rights.user_id:
            return False
        options, live = item.options, item.live
        return (
            options["state"] == "absent" or options["active"] is False or (options["admin"] is False and live["admin"])
        )

    def _uses(self, plural: str, live: Normal | None) -> bool:
        """Whether an object is the token that this run logs in with, one that another has replaced included."""
        if plural != "tokens" or live is None or self._token is None:
            return False
        return self._token in (live["id"], *(entry["id"] for entry in live["superseded"]))

    def _refused(self, item: Item, change: Change) -> str | None:
        """Why a declared change of a live object may not be made, or None."""
        if item.live is None or not change.changed:
            return None
        goes = item.options.get("state") == "absent"
        if goes and self._uses(item.kind.plural, item.live):
            return f"{OWN_TOKEN}; let another one apply this."
        if goes or item.old_key != item.key:
            rule = self._protected(item.kind.plural, t.cast(str, item.old_key))
            if rule is not None:
                return f"{rule}: it may change, but is neither removed nor renamed."
        return self._kept_inside(item) if change.action == REMOVE else None

    def _kept_inside(self, item: Item) -> str | None:
        """Why a workspace may not go for what would go along with it, or None."""
        if item.kind.plural != WORKSPACES:
            return None
        inside = t.cast(Normal, item.live)["id"]
        rules = [*self._settings.protect, *(rule for rule in self._settings.ignore if not rule.get("fields"))]
        for plural in sorted({rule["kind"] for rule in rules} - {WORKSPACES}):
            for key, other in self._then.objects(plural).items():
                if other.get("workspace_id") != inside:
                    continue
                if self._protected(plural, key) is not None or self._is_ignored(plural, key):
                    return f"{plural}/{key} would go along with it, which the settings protect or ignore."
        return None

    def _task(self, item: Item) -> Task:
        return Task(
            options=item.options,
            session=self._session,
            names=self._then,
            check_mode=True,
            warn=lambda text: self._warnings.append(f"{item.kind.plural}/{item.key}: {text}"),
        )

    def _compared(self, item: Item, wanted: Normal | None) -> Change:
        """Compare, without the fields that the settings ignore."""
        item.ignored = self._ignored_fields(*item.name)
        return compare(item.kind, item.live, item.heeded(wanted))

    def _note(self, item: Item, task: Task, change: Change) -> None:
        """Write down what a change means, and let the directory know of it."""
        kind, plural = item.kind, item.kind.plural
        item.action, item.written = change.action, change.fields
        if change.action == NONE:
            item.after = item.live
            return
        after = StateOperation(kind).predict(task, change)
        item.after = after
        item.diff = difference(kind, task, item.live, after, change.fields)
        item.fields = self._fields(item)
        if task.extra.get("recreated"):
            item.action = RECREATE
        elif item.old_key is not None and item.old_key != item.key and change.action == UPDATE:
            item.action = RENAME
            self._renamed = True
        along = self._along(item, task)
        item.removals = _removals(item, along)
        if along:
            item.reason = f"takes along: {'; '.join(f'{what} {_named_or_counted(which)}' for what, which in sorted(along.items()))}"
        if after is None:
            self._then.drop(plural, t.cast(str, item.old_key))
        else:
            # As others will find it: what is written late, such as being archived, comes after them.
            late = {name: (item.live or {}).get(name) for name in stages(item)[0] if name in after}
            self._then.put(plural, item.old_key, item.key, {**after, **late})

    def _along(self, item: Item, task: Task) -> dict[str, int | list[str]]:
        """What a removal takes along, by name or number, without what the plan removes by itself or moves away."""
        found: dict[str, int | list[str]] = {}
        for what, which in (task.extra.get("removed_along") or {}).items():
            if not isinstance(which, int):
                leaving = self._then.leaving(what)
                which = [
                    name for name in which if not {name, f"{item.key}/{name}", f"{name}@{item.key}"} & set(leaving)
                ]
            if which:
                found[what] = which
        return found

    def _fields(self, item: Item) -> dict[str, dict[str, t.Any]]:
        if item.action == REMOVE:
            return {}
        before, after = item.diff["before"], item.diff["after"]
        names = [
            name
            for name, value in after.items()
            if name in item.written or (item.live is not None and before.get(name) != value)
        ]
        fields = {}
        for name in names:
            refers = item.kind.refers.get(name)
            pair = {"before": before.get(name), "after": after[name]}
            if refers is not None:
                pair = {when: self._named(refers, number) for when, number in pair.items()}
                name = name.removesuffix("_id")
            fields[name] = pair
        return fields

    def _named(self, kind: str, number: t.Any) -> t.Any:
        return (
            None if number is None else (self._then.name_of(kind, number) or self._now.name_of(kind, number) or number)
        )

    # --- prune ---

    def _plan_prune(self, kind: Declarable) -> list[Item]:
        mode = self._prune.get(kind.plural)
        if mode is None:
            return []
        plural = kind.plural
        noun = plural.replace("_", " ")
        whole = Item(kind, "*", NONE)
        gap = self._unreadable.get(plural) or self._rights.gap(plural)
        if gap is not None:
            whole.block(f"{noun} are not pruned: {gap}.")
            return [whole]
        declared = [entry for entry in self._manifest.entries if entry.kind.plural == plural]
        if not declared and plural not in self._settings.allow_empty:
            self._warnings.append(
                f"{noun} are declared as an empty list: not pruned, as allow_empty does not name them."
            )
            return []
        if mode == "managed" and self._lock is None:
            if self._distrust is not None:
                whole.block(f"{noun} are not pruned: {self._distrust}.")
                return [whole]
            return []
        kept = {entry.key for entry in declared}
        kept |= {old for entry in declared if (old := self._old_key(entry)) is not None}
        return [
            item
            for key, live in self._now.objects(plural).items()
            if key not in kept
            and self._is_selected(plural, key)
            and not self._is_ignored(plural, key)
            and (mode == "exclusive" or self._owns(plural, key, live))
            and (item := self._plan_removal(kind, key)) is not None
        ]

    def _owns(self, plural: str, key: str, live: Normal) -> bool:
        record = t.cast(Lock, self._lock).objects.get((plural, self._now.former_key(plural, key)))
        return record is not None and record.id in (None, live.get("id"))

    def _plan_removal(self, kind: Declarable, key: str) -> Item | None:
        item = Item(kind, key, NONE, old_key=key)
        try:
            item.live = self._live(kind, key)
            live = t.cast(Normal, item.live)
            protected = kind.built_in(live) or self._caller(kind.plural, key, live) or self._protected(kind.plural, key)
            if protected is not None:
                item.reason = f"kept: {protected}"
                return item
            if live.get("server_made") and self._settings.creator != "remove":
                return None
            if key in self._now.twice(kind.plural):
                raise InvalidOption("several live objects have this key, so which one is meant can't be told")
            item.options = removal_options(kind, kind.declaration(live, self._now))
            task = self._task(item)
            change = compare(kind, live, kind.wanted(task, live))
            why = self._kept_inside(item) if change.action == REMOVE else None
            if why is not None:
                item.block(why)
                return item
            if change.action == NONE:
                # A user that is inactive already and holds no token.
                return None
            self._note(item, task, change)
        except errors.DeterminedError as error:
            item.block(str(error))
        return item

    def _protected(self, plural: str, key: str) -> str | None:
        for rule in self._settings.protect:
            if rule["kind"] == plural and fnmatch.fnmatchcase(key, rule["name"]):
                return f"protected by {rule['name']!r} in the settings"
        return None

    def _caller(self, plural: str, key: str, live: Normal) -> str | None:
        if plural == "users" and key == self._rights.username:
            return "it is the user that this run logs in as"
        return OWN_TOKEN if self._uses(plural, live) else None


def _named_or_counted(which: int | t.Sequence[str]) -> str:
    return str(which) if isinstance(which, int) else ", ".join(which)


def _removals(item: Item, along: t.Mapping[str, int | t.Sequence[str]]) -> int:
    """How many objects are lost by a change: what is deleted or replaced, users shut out, members taken away.

    :param along: what the deletion of a workspace or project takes along, by name or number.
    """
    if item.action in (REMOVE, RECREATE):
        versions = (item.live or {}).get("num_versions") or 0
        return 1 + versions + sum(what if isinstance(what, int) else len(what) for what in along.values())
    if item.live is None or item.after is None:
        return 0
    if item.removes or (item.live.get("active") is True and item.after.get("active") is False):
        return 1
    members = MEMBERS.get(item.kind.plural)
    if members is not None:
        return len(_as_set(item.live.get(members)) - _as_set(item.after.get(members)))
    return 0


def _as_set(value: t.Any) -> set[t.Any]:
    return {str(item) for item in value or ()}
