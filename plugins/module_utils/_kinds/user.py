# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Users. There is no delete: a user that must be absent is deactivated (API page identity-and-cluster, section 3)."""

from __future__ import annotations

import hashlib
import typing as t

from .._wire.errors import Forbidden, InvalidOption, NotFound, Rejected
from .._wire.paging import Page, read_memory_list
from .._wire.session import Live, Session, decode, route, unwrap
from .kind import Arguments, Declarable, Field, Normal, Reader, Task
from .lookup import Names

BUILT_IN = ("admin", "determined")
BUILT_IN_IDS = (1, 2)
"""Theirs, whatever they are called by now: ``admin`` can be renamed."""

PASSWORD_LENGTH = 8
PASSWORD_SALT = "GubPEmmotfiK9TMD6Zdw"
"""The constant that the product's own clients put before a password (API page, section 2)."""

AGENT_FIELDS = ("uid", "gid", "user", "group")
ID_MAX = 2**31 - 1
"""The largest ``agentUid`` and ``agentGid``, which are int32 on the wire (``user.proto``)."""


class AgentUserGroup(Live):
    """The Unix identity that a user's tasks run as on an agent."""

    agent_uid: int | None = None
    agent_gid: int | None = None
    agent_user: str | None = None
    agent_group: str | None = None


class User(Live):
    """A user (``proto/src/determined/user/v1/user.proto``). ``last_auth_at`` is null for one who never logged in."""

    id: int
    username: str
    admin: bool = False
    active: bool = False
    display_name: str = ""
    remote: bool = False
    agent_user_group: AgentUserGroup | None = None
    modified_at: str | None = None
    last_auth_at: str | None = None


class Users(Page):
    """One answer of ``GET /users``."""

    users: list[User]

    def items(self) -> list[User]:
        """The users."""
        return self.users


class Activation(Live):
    """What became of one user of a bulk call."""

    error: str = ""


class Activations(Live):
    """The answer of ``PATCH /users``."""

    results: list[Activation] | None = None


def find_user(session: Session, username: str) -> User | None:
    """Find a user by the exact, case-sensitive name."""
    if "/" in username or username in {".", ".."}:
        # No path can carry it; the list's filter is a substring, so equality is checked here.
        query = {} if "\\" in username else {"name": username}
        found = read_memory_list(session, Users, "/api/v1/users", query)
        return next((user for user in found if user.username == username), None)
    return session.find(User, "user", route("users", username, "by-username"))


def hashed(password: str) -> str:
    """A password as the product's own clients send it, so that no log along the way holds it in clear."""
    return hashlib.sha512((PASSWORD_SALT + password).encode()).hexdigest() if password else ""


class UserKind(Declarable):
    """Users, by name."""

    name = "user"
    plural = "users"
    switches = frozenset({"new_username", "update_password", "revoke_tokens", "force"})
    rename_option = "new_username"
    fields: t.ClassVar[dict[str, Field]] = {"password": Field(write_only=True), "tokens": Field(write_only=True)}
    volatile = frozenset({"modified_at", "last_auth_at"})
    arguments = Arguments(
        spec={
            "username": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "new_username": {"type": "str"},
            "display_name": {"type": "str"},
            "admin": {"type": "bool"},
            "active": {"type": "bool"},
            "remote": {"type": "bool"},
            "password": {"type": "str", "no_log": True},
            "update_password": {
                "type": "str",
                "choices": ["on_create", "on_mismatch", "always"],
                "default": "on_create",
                "no_log": False,
            },
            "password_policy": {"type": "str", "choices": ["enforce", "off"], "default": "enforce", "no_log": False},
            "allow_blank_password": {"type": "bool", "default": False, "no_log": False},
            "agent_user_group": {
                "type": "dict",
                "options": {
                    "uid": {"type": "int"},
                    "gid": {"type": "int"},
                    "user": {"type": "str"},
                    "group": {"type": "str"},
                },
            },
            "revoke_tokens": {"type": "bool", "default": True, "no_log": False},
            "force": {"type": "bool", "default": False},
        },
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Apply the server's rules for names, the product's for passwords, and what the server should have."""
        _check_name("username", options["username"])
        if options["new_username"] is not None:
            _check_name("new_username", options["new_username"])
            if options["username"] in BUILT_IN:
                raise InvalidOption(f"username is {options['username']!r}: a built-in user can't be renamed.")
            if options["state"] == "absent":
                raise InvalidOption("new_username is given with state absent: a user that is removed can't be renamed.")
        if options["display_name"]:
            _check_blanks("display_name", options["display_name"])
            _check_text("display_name", options["display_name"])
        self._check_password(options)
        group = options["agent_user_group"]
        if group is not None:
            missing = [field for field in AGENT_FIELDS if group.get(field) in (None, "")]
            if missing:
                raise InvalidOption(
                    f"agent_user_group lacks {', '.join(missing)}: it needs all of {', '.join(AGENT_FIELDS)}, and the server "
                    "has no way to remove it once set."
                )
            for field in ("uid", "gid"):
                if not 0 <= group[field] <= ID_MAX:
                    raise InvalidOption(f"agent_user_group.{field} is {group[field]}: it must be from 0 to {ID_MAX}.")

    def _check_password(self, options: dict[str, t.Any]) -> None:
        password = options["password"]
        if password is None:
            return
        if options["remote"]:
            raise InvalidOption(
                "password is given with remote true: a remote user logs in by single sign-on and has none."
            )
        if password == "":
            if not options["allow_blank_password"]:
                raise InvalidOption(
                    "password is empty: anyone could log in as this user; set allow_blank_password to true if you mean it."
                )
            return
        if password == "********":
            raise InvalidOption("password is a mask (asterisks), not a value.")
        if options["password_policy"] == "enforce":
            lacks = [
                what
                for what, met in (
                    (f"{PASSWORD_LENGTH} characters", len(password) >= PASSWORD_LENGTH),
                    ("an upper-case letter", any(char.isupper() for char in password)),
                    ("a lower-case letter", any(char.islower() for char in password)),
                    ("a digit", any(char.isdigit() for char in password)),
                )
                if not met
            ]
            if lacks:
                raise InvalidOption(
                    f"password does not meet the product's rules, it lacks {', '.join(lacks)}; set password_policy to off to "
                    "use it all the same."
                )

    def find(self, task: Task) -> Normal | None:
        """Find the user, under the new name too when it is being renamed."""
        username, new = task.options["username"], task.options["new_username"]
        found = None if new is None or new == username else find_user(task.session, new)
        old = find_user(task.session, username)
        if found is not None and old is not None:
            raise InvalidOption(
                f"new_username is {new!r}: that user exists already (id {found.id}), and so does {username!r} (id {old.id}); "
                "one of them has to go first."
            )
        found = found or old
        return None if found is None else found.normal()

    def wanted(self, task: Task, live: Normal | None) -> Normal | None:
        """Say what is declared, and refuse what would lock someone out or let anyone in."""
        options = task.options
        if options["state"] == "absent":
            return self._wanted_absent(task, live)
        wanted: Normal = {"username": options["new_username"] or options["username"]}
        for field in ("display_name", "admin", "active", "remote"):
            if options[field] is not None:
                wanted[field] = options[field]
        if options["agent_user_group"] is not None:
            wanted["agent_user_group"] = {
                f"agent_{field}": options["agent_user_group"][field] for field in AGENT_FIELDS
            }
        if live is None:
            wanted.setdefault("active", True)
        if live is not None and wanted["username"] != live["username"] and wanted.get("remote", live["remote"]):
            raise InvalidOption(
                f"new_username is {options['new_username']!r}: {live['username']!r} is or becomes remote, and the server gives a "
                "new name to local users only."
            )
        if self._password_is_due(task, live):
            wanted["password"] = options["password"]
        self._protect_caller(task, live, wanted)
        return wanted

    def guard(self, task: Task, changes: t.Sequence[tuple[Normal | None, Normal | None]]) -> None:
        """Refuse to edit an inactive user whose tokens must be kept: the server revokes them with any edit but one that makes it
        active (API page, section 3.5)."""
        for live, fields in changes:
            if live is None or live["active"] or fields is None or fields.get("active"):
                continue
            if not task.options["revoke_tokens"] and self._holds_tokens(task, live):
                raise InvalidOption(
                    f"revoke_tokens is false, but {live['username']!r} is inactive, and any edit would revoke its access tokens "
                    "unless it sets active to true; set revoke_tokens to true if they may go."
                )

    def _wanted_absent(self, task: Task, live: Normal | None) -> Normal | None:
        if live is None:
            return None
        wanted: Normal = {"active": False}
        # An inactive user may hold live tokens: bulk deactivation keeps them, and they work again once it is active.
        if not live["active"] and task.options["revoke_tokens"] and self._holds_tokens(task, live):
            wanted["tokens"] = "revoked"
        self._protect_caller(task, live, wanted)
        return wanted

    def _holds_tokens(self, task: Task, live: Normal) -> bool:
        try:
            return live["id"] in task.names.token_owners()
        except Forbidden:
            task.warn(
                f"Whether the inactive user {live['username']!r} holds live tokens could not be seen: no right to list them."
            )
            return False

    def _password_is_due(self, task: Task, live: Normal | None) -> bool:
        options = task.options
        password, update = options["password"], options["update_password"]
        becomes_local = live is not None and live["remote"] and options["remote"] is False
        if live is None or becomes_local:
            if live is None and options["remote"]:
                return False
            if password is not None:
                return True
            if live is None and options["allow_blank_password"]:
                return False
            what = "A new user" if live is None else "A remote user that becomes local"
            raise InvalidOption(
                f"{what} without a password can be logged into by anyone: give password (an empty one with "
                "allow_blank_password: true), or remote: true."
            )
        if password is None or update == "on_create":
            return False
        if live["remote"]:
            raise InvalidOption(
                f"password is given for {live['username']!r}, who is remote and can't have one: set remote to false with it, or "
                "update_password to on_create."
            )
        return update == "always" or not task.session.password_matches(live["username"], password)

    def _protect_caller(self, task: Task, live: Normal | None, wanted: Normal) -> None:
        """Keep the caller from locking itself out; the server has no such guard."""
        if live is None or task.options["force"]:
            return
        for field, what in (("active", "deactivate itself"), ("admin", "take its own admin right away")):
            if live[field] and wanted.get(field) is False and task.session.caller().id == live["id"]:
                raise InvalidOption(
                    f"{live['username']!r} is the user that this task logs in as and would {what}: set force to true if you mean it."
                )

    def create(self, task: Task, wanted: Normal) -> Normal:
        """Create the user; active, as an inactive one is the server's default."""
        password = wanted.get("password")
        body: dict[str, t.Any] = {"user": _on_wire(wanted)}
        if password is not None:
            body.update(password=hashed(password), isHashed=True)
        return unwrap(task.session.write("POST", "/api/v1/users", body), "user", User).normal()

    def update(self, task: Task, live: Normal, changes: Normal) -> Normal:
        """Patch the user. Each patch carries ``active``: without it the server revokes the user's tokens (API page, 3.5)."""
        suspend = changes.get("active") is False and live["active"] and not task.options["revoke_tokens"]
        edits = {
            name: value for name, value in changes.items() if name != "tokens" and not (suspend and name == "active")
        }
        user = live
        if edits or "tokens" in changes:
            body = _on_wire(edits)
            body["active"] = edits.get("active", live["active"])
            if "password" in edits:
                body.update(password=hashed(edits["password"]), isHashed=True)
            user = unwrap(task.session.write("PATCH", route("users", live["id"]), body), "user", User).normal()
        if suspend:
            user = self._suspend(task, live)
        return user

    def _suspend(self, task: Task, live: Normal) -> Normal:
        """Deactivate by the bulk call, the one way that keeps the user's tokens; it answers 200 for each failure too."""
        answer = task.session.write("PATCH", "/api/v1/users", {"userIds": [live["id"]], "activate": False})
        found = decode(answer, Activations.model_validate, answer.json(), "results")
        why = next((one.error for one in found.results or [] if one.error), "")
        if not why:
            user = self._reread(task, live)
            if not user["active"]:
                return user
        raise Rejected(
            f"{live['username']!r} could not be deactivated: {why or 'it is still active'}",
            {
                "method": "PATCH",
                "path": "/api/v1/users",
                "status": answer.status,
                "reason": "",
                "message": why,
                "attempts": answer.attempts,
            },
        )

    def _reread(self, task: Task, live: Normal) -> Normal:
        try:
            return task.session.read(User, "user", route("users", live["id"])).normal()
        except NotFound as error:
            raise NotFound(
                f"{live['username']!r} disappeared while it was being changed: {error}", error.failure
            ) from error

    def remove(self, task: Task, live: Normal) -> None:
        """Never called: the server has no delete, and `wanted` asks for an inactive user instead."""
        raise InvalidOption("users can't be deleted.")

    def blank(self, task: Task) -> Normal:
        """A new user as the server makes it."""
        return User(id=0, username="").normal() | {"id": None}

    def key(self, options: dict[str, t.Any]) -> str:
        """The username."""
        return str(options["username"])

    def key_of(self, live: Normal, names: Names) -> str:
        """The username."""
        return str(live["username"])

    def read_all(self, session: Session, names: Names) -> t.Sequence[Normal]:
        """Read all users, the inactive ones too."""
        return [user.normal() for user in read_memory_list(session, Users, "/api/v1/users")]

    def declaration(self, live: Normal, names: Names) -> dict[str, t.Any]:
        """All but the password, which can't be read; a new user is active, local and no administrator."""
        found: dict[str, t.Any] = {"username": live["username"]}
        usual = {"display_name": "", "admin": False, "active": True, "remote": False}
        found |= {field: live[field] for field, value in usual.items() if live[field] != value}
        link = live["agent_user_group"]
        if link is not None and _lacking(link) is None:
            found["agent_user_group"] = {field: link[f"agent_{field}"] for field in AGENT_FIELDS}
        return found

    def undeclarable(self, live: Normal, names: Names) -> str | None:
        """Names with tabs and line breaks in them, and the agent identity that an empty mapping makes."""
        try:
            _check_name("username", live["username"])
            _check_text("display_name", live["display_name"])
        except InvalidOption as error:
            return str(error)
        link = live["agent_user_group"]
        lacking = None if link is None else _lacking(link)
        return None if lacking is None else f"its agent_user_group can't be declared: {lacking}"

    def left_out(self, live: Normal) -> t.Sequence[str]:
        """The password of a user that has one."""
        return () if live["remote"] else ("password",)

    def built_in(self, live: Normal) -> str | None:
        """The product's own users, and those that an identity provider manages."""
        if live["id"] in BUILT_IN_IDS:
            return "built-in user"
        return "remote user" if live["remote"] else None


def _lacking(link: Normal) -> str | None:
    """Why the server would not take an agent identity, although it holds it, or None.

    An empty one is stored as 0, 0 and two empty names, and can't be removed (API page, section 3.3).
    """
    empty = [field for field in AGENT_FIELDS if link[f"agent_{field}"] in (None, "")]
    negative = [field for field in ("uid", "gid") if (link[f"agent_{field}"] or 0) < 0]
    if empty:
        return f"{' and '.join(empty)} {'is' if len(empty) == 1 else 'are'} empty"
    return f"{' and '.join(negative)} below 0" if negative else None


def _on_wire(fields: Normal) -> dict[str, t.Any]:
    """The API's names for declared fields, the password aside."""
    names = {"display_name": "displayName", "agent_user_group": "agentUserGroup"}
    body = {names.get(name, name): value for name, value in fields.items() if name != "password"}
    if "agentUserGroup" in body:
        group = body["agentUserGroup"]
        body["agentUserGroup"] = {f"agent{field.capitalize()}": group[f"agent_{field}"] for field in AGENT_FIELDS}
    return body


def _check_name(option: str, name: str) -> None:
    if not name.strip():
        raise InvalidOption(f"{option} is empty: it must be a user's name of at least 2 characters.")
    _check_blanks(option, name)
    if len(name) < 2:
        raise InvalidOption(f"{option} is {name!r}: a user's name has at least 2 characters.")
    _check_text(option, name)


def _check_blanks(option: str, name: str) -> None:
    if name != name.strip():
        raise InvalidOption(
            f"{option} is {name!r}: blanks around a name are cut off by the server; write it without them."
        )


def _check_text(option: str, text: str) -> None:
    wrong = sorted({char for char in text if not " " <= char <= "~"})
    if wrong:
        raise InvalidOption(
            f"{option} is {text!r}: {wrong[0]!r} is not allowed, the server takes printable ASCII characters only."
        )


class UserReader(Reader):
    """Users, all pages."""

    arguments = Arguments(
        spec={
            "username": {"type": "str"},
            "name_contains": {"type": "str"},
            "active": {"type": "bool"},
            "admin": {"type": "bool"},
            "remote": {"type": "bool"},
            "limit": {"type": "int"},
        },
        mutually_exclusive=(("username", "name_contains"),),
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse a limit below 1."""
        check_limit(options["limit"])

    def read(self, task: Task) -> dict[str, t.Any]:
        """Read the users that match; the server's filters narrow, this side decides."""
        options = task.options
        if options["username"] is not None:
            one = find_user(task.session, options["username"]) if options["username"] else None
            found = [] if one is None else [one]
        else:
            query: dict[str, t.Any] = {name: options[name] for name in ("active", "admin")}
            contains = options["name_contains"] or ""
            # The server's filter reads % and _ as wildcards, which widens, and \ as an escape, which would narrow.
            if contains and "\\" not in contains:
                query["name"] = contains
            found = read_memory_list(task.session, Users, "/api/v1/users", query)
        matching = [user for user in found if _matches(user, options)]
        return {"users": [user.normal() for user in matching[: options["limit"]]], "total": len(matching)}


def _matches(user: User, options: dict[str, t.Any]) -> bool:
    contains = (options["name_contains"] or "").casefold()
    return (contains in user.username.casefold() or contains in user.display_name.casefold()) and all(
        options[name] is None or getattr(user, name) is options[name] for name in ("active", "admin", "remote")
    )


def check_limit(limit: int | None) -> None:
    """Refuse a limit that asks for nothing.

    :raises InvalidOption: below 1.
    """
    if limit is not None and limit < 1:
        raise InvalidOption(f"limit is {limit}: it must be 1 or more; leave it out for all.")


USER = UserKind()
USERS = UserReader()
