# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""What a cluster has, each list read once; and then what it will have, change by change.

A plan is made against this model, not against the master: what an entry refers to may only exist because an entry before it
creates it. Such an object has a negative id until it is really there.
"""

from __future__ import annotations

import itertools
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

from .._kinds.kind import Declarable, Normal
from .._kinds.lookup import Named, NamedGroup, NamedUser, Names, Role, nearest
from .._wire import errors
from .._wire.errors import InvalidOption
from .._wire.session import Session
from .._wire.session_pool import SessionPool

UNREADABLE = (errors.Forbidden, errors.NotFound, errors.NotSupported, errors.Rejected)
"""What a master says of a kind or object that it does not show; the others can be read all the same."""


class Directory(Names):
    """The objects of a cluster by kind and key. Threads may share it.

    :param kinds: all kinds that a manifest can declare, by their plural.
    :param origin: the directory that this one is a fork of, which knows what has not been asked for here.
    """

    def __init__(self, session: Session, kinds: t.Mapping[str, Declarable], origin: Directory | None = None) -> None:
        super().__init__(session)
        self._kinds = kinds
        self._objects: dict[str, dict[str, Normal]] = {}
        self._twice: dict[str, dict[str, list[Normal]]] = {}
        self._names: dict[str, dict[int, str]] = {}
        self._former: dict[str, dict[str, str]] = {}
        self._roles: list[Role] | None = None
        self._token_owners: frozenset[int] | None = None
        self._origin = origin
        self._planned = itertools.count(-1, -1)
        self._lock = threading.RLock()

    def fork(self) -> Directory:
        """A copy that goes its own way: one is what is, the other what will be."""
        other = Directory(self._session, self._kinds, origin=self)
        other._objects = {plural: dict(objects) for plural, objects in self._objects.items()}
        other._twice = dict(self._twice)
        other._former = dict(self._former)
        other._roles = self._roles
        return other

    def objects(self, plural: str) -> t.Mapping[str, Normal]:
        """The objects of a kind by their keys, read when first asked for.

        :raises errors.DeterminedError: the list can't be read.
        """
        with self._lock:
            if plural not in self._objects:
                if self._origin is None:
                    self._read(plural)
                else:
                    self.adopt(plural, self._origin)
            return self._objects[plural]

    def _read(self, plural: str) -> None:
        kind = self._kinds[plural]
        found: dict[str, list[Normal]] = {}
        for item in kind.read_all(self._session, self):
            found.setdefault(kind.key_of(item, self), []).append(item)
        self._objects[plural] = {key: items[0] for key, items in found.items()}
        self._twice[plural] = {key: items for key, items in found.items() if len(items) > 1}

    def has(self, plural: str, key: str) -> bool | None:
        """Whether there is such an object; None if this kind was not read."""
        with self._lock:
            return key in self._objects[plural] if plural in self._objects else None

    def twice(self, plural: str) -> t.Mapping[str, t.Sequence[Normal]]:
        """The keys that more than one live object has, with these objects: none of them can be declared."""
        self.objects(plural)
        return self._twice[plural]

    def complete(self, plural: str, keys: t.Collection[str], concurrency: int) -> dict[str, errors.DeterminedError]:
        """Read what the list of a kind lacks of some of its objects. One that turns out not to be there is dropped.

        :param concurrency: how many reads go on at once.
        :returns: what could not be read and why, by key.
        """
        kind, objects = self._kinds[plural], self.objects(plural)
        wanted = [key for key in objects if key in keys]
        if not kind.completes or not wanted:
            return {}

        def read(key: str) -> Normal | errors.DeterminedError | None:
            with sessions.one() as session:
                try:
                    return kind.complete(session, objects[key])
                except errors.DeterminedError as error:
                    return error

        with SessionPool(self._session) as sessions, ThreadPoolExecutor(concurrency) as pool:
            found = dict(zip(wanted, pool.map(read, wanted), strict=True))
        failed: dict[str, errors.DeterminedError] = {}
        for key, item in found.items():
            if isinstance(item, errors.DeterminedError):
                failed[key] = item
            elif item is None:
                self.drop(plural, key)
            else:
                self.put(plural, key, key, item)
        return failed

    def follow(self, plural: str, names: Directory) -> None:
        """Give the objects of a kind the keys that they have once what they refer to is renamed as another directory has it."""
        kind = self._kinds[plural]
        objects: dict[str, Normal] = {}
        former: dict[str, str] = {}
        for old_key, item in self.objects(plural).items():
            item = kind.relabeled(item, names)
            key = kind.key_of(item, names)
            objects[key], former[key] = item, self.former_key(plural, old_key)
        self._objects[plural], self._former[plural] = objects, former

    def former_key(self, plural: str, key: str) -> str:
        """The key that an object has on the cluster as long as what it refers to is not renamed."""
        return self._former.get(plural, {}).get(key, key)

    def present_key(self, plural: str, former_key: str) -> str:
        """The key here of what has another one on the cluster as long as what it refers to is not renamed."""
        found = (key for key, former in self._former.get(plural, {}).items() if former == former_key)
        return next(found, former_key)

    def adopt(self, plural: str, other: Directory) -> None:
        """Take the objects of a kind from another directory."""
        found = other.objects(plural)
        with self._lock:
            self._objects[plural] = dict(found)
            self._twice[plural] = other._twice[plural]
            self._names.pop(plural, None)

    def put(self, plural: str, old_key: str | None, key: str, item: Normal) -> None:
        """Note what an object is now, or will be.

        :param old_key: the key that it had, or None for a new one.
        """
        with self._lock:
            objects = t.cast("dict[str, Normal]", self.objects(plural))
            # Of two that change names, the other one may be there by now.
            if old_key is not None and old_key != key and objects.get(old_key, {}).get("id") == item.get("id"):
                objects.pop(old_key, None)
            if "id" in item and item["id"] is None:
                item = {**item, "id": next(self._planned)}
            objects[key] = item
            self._names.pop(plural, None)

    def drop(self, plural: str, key: str) -> None:
        """Note that an object is gone, or will be."""
        with self._lock:
            t.cast("dict[str, Normal]", self.objects(plural)).pop(key, None)
            self._names.pop(plural, None)

    # --- what kinds ask ---

    def all_workspaces(self) -> list[Named]:
        """All workspaces."""
        return [_named(item) for item in self.objects("workspaces").values()]

    def all_users(self) -> list[NamedUser]:
        """All users."""
        return [_user(item) for item in self.objects("users").values()]

    def all_groups(self) -> list[NamedGroup]:
        """All groups."""
        return [_group(item) for item in self.objects("groups").values()]

    def all_roles(self) -> list[Role]:
        """All roles."""
        with self._lock:
            if self._roles is None:
                self._roles = super().all_roles()
            return self._roles

    def token_owners(self) -> frozenset[int]:
        """The ids of the users that hold a live token, as it was when first asked for."""
        with self._lock:
            if self._token_owners is None:
                self._token_owners = super().token_owners()
            return self._token_owners

    def name_of(self, kind: str, number: int) -> str | None:
        """The name to an id, or None."""
        with self._lock:
            if kind == "roles":
                return next((role.name for role in self.all_roles() if role.role_id == number), None)
            if kind not in self._names:
                label = "username" if kind == "users" else "name"
                self._names[kind] = {item["id"]: item[label] for item in self.objects(kind).values()}
            return self._names[kind].get(number)

    def leaving(self, kind: str) -> t.Collection[str]:
        """The objects that the plan removes, or moves to another workspace."""
        before = {} if self._origin is None else self._origin._objects.get(kind, {})
        after = self._objects.get(kind, {})
        return {
            key for key, item in before.items() if after.get(key, {}).get("workspace_id") != item.get("workspace_id")
        }

    def workspace(self, option: str, name: str) -> Named:
        """Find a workspace that is there or will be."""
        return _named(self._found("workspaces", "workspace", option, name))

    def project(self, option: str, name: str, workspace: Named) -> Named:
        """Find a project that is there or will be."""
        return _named(self._found("projects", "project", option, f"{workspace.name}/{name}"))

    def users(self, option: str, names: t.Iterable[str]) -> list[NamedUser]:
        """Find users that are there or will be."""
        return [_user(self._found("users", "user", option, name)) for name in names]

    def group(self, option: str, name: str) -> NamedGroup:
        """Find a group that is there or will be."""
        return _group(self._found("groups", "group", option, name))

    def _found(self, plural: str, noun: str, option: str, key: str) -> Normal:
        objects = self.objects(plural)
        if key not in objects:
            raise InvalidOption(
                f"{option} is {key!r}: there is no such {noun}, neither on the cluster nor in the manifest, or you may not see "
                f"it.{nearest(key, objects)}"
            )
        return objects[key]


def _named(item: Normal) -> Named:
    return Named(id=item["id"], name=item["name"], archived=bool(item.get("archived")), user_id=item.get("user_id"))


def _user(item: Normal) -> NamedUser:
    return NamedUser(id=item["id"], username=item["username"], active=item["active"], remote=item["remote"])


def _group(item: Normal) -> NamedGroup:
    return NamedGroup(group_id=item["id"], name=item["name"])
