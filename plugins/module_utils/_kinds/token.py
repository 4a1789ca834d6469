# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Access tokens. Their values are told once, at creation; they can't be deleted, only revoked, and never prolonged
(API page identity-and-cluster, section 4).

A token is replaced in an order that can end anywhere: the old one is set aside (it gets the superseded description, so the
key is free), the new one is made, its file is put in place, the old one is revoked. Whatever a run that was killed left
behind, the next one goes on from: a token whose file lacks it is replaced, a token set aside is revoked once it is due.
"""

from __future__ import annotations

import datetime
import typing as t

from .._wire import errors
from .._wire.errors import DeterminedError, InvalidOption
from .._wire.login import uninterrupted
from .._wire.session import Live, Session, decode, route
from .duration import DAY, DURATION_MAX, delta, on_wire, parse_duration
from .kind import Arguments, Declarable, Field, Normal, Reference, Task
from .lookup import Names
from .token_file import Place, Replacement, read_claims
from .token_list import SUPERSEDED, Token, deadline, moment, now, read_all_tokens, read_tokens, superseded_entry


class MadeToken(Live):
    """The answer of ``POST /tokens``, the only one that holds a value."""

    token: str
    token_id: int


class TokenLimits(Live):
    """What a master grants tokens, in days."""

    default_lifespan_days: int | None = None
    max_lifespan_days: int | None = None


class SecurityConfig(Live):
    """The part of a master's config that holds the limits."""

    token: TokenLimits = TokenLimits()


class MasterConfig(Live):
    """What is needed of ``GET /master/config``, which is in snake_case."""

    security: SecurityConfig = SecurityConfig()


def owner(task: Task) -> str:
    """The name of the user whose tokens are meant; by default the one that the task logs in as."""
    return str(task.options["user"] or task.session.connection.username or task.session.caller().username)


def own_token(session: Session) -> int | None:
    """The id of the access token that the session itself uses, or None where it uses a password."""
    claims = read_claims((session.connection.token or "").encode())
    return None if claims is None else claims.id


class TokenKind(Declarable):
    """Access tokens, by user and description."""

    name = "token"
    plural = "tokens"
    refers: t.ClassVar = {"user_id": "users"}
    fields: t.ClassVar[dict[str, Field]] = {"token_value": Field(write_only=True)}
    arguments = Arguments(
        spec={
            "user": {"type": "str"},
            "description": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent", "rotated"], "default": "present"},
            "lifespan": {"type": "str"},
            "rotate_before_expiry": {"type": "str"},
            "rotate_if_older_than": {"type": "str"},
            "overlap": {"type": "str"},
            "dest": {"type": "path"},
            "dest_mode": {"type": "raw", "default": "0600"},
            "dest_owner": {"type": "str"},
            "dest_group": {"type": "str"},
        },
        required_by={"dest_owner": ("dest",), "dest_group": ("dest",)},
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse a key that could not be found again, durations that make no sense, and a file open to the world."""
        if options["user"] == "":
            raise InvalidOption(
                "user is empty: it must be a username; leave it out for the user that the task logs in as."
            )
        description = options["description"]
        if not description.strip():
            raise InvalidOption(
                "description is empty: with the user it is what the token is found by, so it must be a text."
            )
        if SUPERSEDED.fullmatch(description):
            raise InvalidOption(f"description is {description!r}: that form is kept for tokens that were replaced.")
        durations = {}
        for option in ("lifespan", "rotate_before_expiry", "rotate_if_older_than", "overlap"):
            if options[option] is not None:
                durations[option] = parse_duration(option, options[option])
                if durations[option] == 0 and option != "overlap":
                    raise InvalidOption(f"{option} is {options[option]!r}: it must be longer than nothing.")
        rotate = [option for option in durations if option.startswith("rotate_")]
        if options["state"] == "rotated" and rotate:
            raise InvalidOption(
                f"{rotate[0]} is given with state rotated, which rotates each time: give it with state present."
            )
        if durations.get("rotate_before_expiry", 0) >= durations.get("lifespan", DURATION_MAX):
            raise InvalidOption(
                f"rotate_before_expiry is {options['rotate_before_expiry']!r}: it must be shorter than lifespan "
                f"({options['lifespan']!r}), or each run would rotate."
            )
        Place.of(options)

    def find(self, task: Task) -> Normal | None:
        """Find the live token, those that it has replaced and that still live, and what the file holds."""
        options = task.options
        description, absent = options["description"], options["state"] == "absent"
        place = None if absent else Place.of(options)
        if place is not None:
            # What can't be read ends the task before its first call.
            place.look()
        username = owner(task)
        tokens = read_tokens(task.session, username)
        if tokens is None:
            if absent:
                task.names.users("user", [username])
            # An earlier task may make the user, which check mode can't see; `create` decides.
            tokens = []
        matching = [token for token in tokens if token.description == description]
        superseded = [entry for token in tokens if (entry := superseded_entry(token, description)) is not None]
        if len(matching) > 1 and not absent:
            raise InvalidOption(
                f"{username!r} has {len(matching)} live tokens with the description {description!r}, ids "
                f"{', '.join(str(token.id) for token in matching)}: which one is meant can't be told. Revoke all but one of "
                "them (PATCH /api/v1/tokens/ID with setRevoked by det_api), or all by state absent."
            )
        if not matching and not superseded:
            return None
        user_id = next(token.user_id for token in tokens)
        return _normal(matching[0] if matching else None, username, user_id, description, superseded)

    def wanted(self, task: Task, live: Normal | None) -> Normal | None:
        """Say whether a new token is due, which of those set aside stay, and how the file has to be."""
        options = task.options
        if options["state"] == "absent":
            return None
        wanted: Normal = {"description": options["description"]}
        place = Place.of(options)
        if place is not None:
            wanted.update(place.declared())
            _look(place, live)
        superseded = [] if live is None else [entry for entry in live["superseded"] if not _is_over(entry)]
        why = self._why(task, live)
        if why is not None:
            self._check_lifespan(task)
            task.extra["reason"] = why
            wanted.update(token_value="", id=None, created_at=None, expiry=None)
            overlap = 0 if options["overlap"] is None else parse_duration("overlap", options["overlap"])
            if live is not None and live["id"] is not None and overlap:
                superseded = [*superseded, {"id": live["id"], "revoke_after": deadline(overlap)}]
        wanted["superseded"] = superseded
        return wanted

    def _why(self, task: Task, live: Normal | None) -> str | None:
        """Say why a new token is due, or None."""
        options = task.options
        if live is None or live["id"] is None:
            return "there is no live token"
        if options["state"] == "rotated":
            return "state is rotated"
        if live.get("file_lacks"):
            return str(live["file_lacks"])
        if options["rotate_before_expiry"] is not None:
            expiry = moment(live, "expiry")
            if expiry - now() <= delta(parse_duration("rotate_before_expiry", options["rotate_before_expiry"])):
                return f"it expires at {live['expiry']}"
        if options["rotate_if_older_than"] is not None:
            created = moment(live, "created_at")
            if now() - created >= delta(parse_duration("rotate_if_older_than", options["rotate_if_older_than"])):
                return f"it was created at {live['created_at']}"
        return None

    def _check_lifespan(self, task: Task) -> None:
        """Hold a new token's life against the cluster's limits, if the caller may see them; else the server's refusal speaks."""
        lifespan, before = task.options["lifespan"], task.options["rotate_before_expiry"]
        if lifespan is None and before is None:
            return
        try:
            limits = task.session.read(MasterConfig, "config", "/api/v1/master/config").security.token
        except errors.Forbidden:
            return
        longest, default = limits.max_lifespan_days, limits.default_lifespan_days
        if lifespan is not None:
            if longest is not None and 0 <= longest * DAY < parse_duration("lifespan", lifespan):
                raise InvalidOption(
                    f"lifespan is {lifespan!r}: the longest that this cluster allows is {longest}d "
                    "(security.token.max_lifespan_days in the master's config)."
                )
        elif default is not None and 0 <= default * DAY <= parse_duration("rotate_before_expiry", before):
            raise InvalidOption(
                f"rotate_before_expiry is {before!r}: it must be shorter than a new token's life, here {default}d "
                "(security.token.default_lifespan_days in the master's config), or each run would rotate; give lifespan."
            )

    def blank(self, task: Task) -> Normal:
        """A new token as the server makes it."""
        username = owner(task)
        try:
            user_id = self._owner_id(task)
        except InvalidOption as error:
            task.warn(f"{error} The real run fails unless it exists by then.")
            user_id = None
        return _normal(None, username, user_id, task.options["description"], [])

    def _owner_id(self, task: Task) -> int:
        username = owner(task)
        if task.options["user"] is None:
            return task.session.caller().id
        return task.names.users("user", [username])[0].id

    def create(self, task: Task, wanted: Normal) -> Normal:
        """Make the first token of its description."""
        live = _normal(None, owner(task), self._owner_id(task), task.options["description"], [])
        return self._renew(task, live, wanted)

    def update(self, task: Task, live: Normal, changes: Normal) -> Normal:
        """Replace the token, or mend the file's mode and owner and revoke what is over."""
        if "token_value" in changes:
            return self._renew(task, live, changes)
        place = Place.of(task.options)
        if place is not None and any(field.startswith("dest") for field in changes):
            place.mend()
        if "superseded" in changes:
            self._revoke(task, _ids(live["superseded"]) - _ids(changes["superseded"]))
        return {**live, **changes}

    def remove(self, task: Task, live: Normal) -> None:
        """Revoke all that bear the description, those set aside included."""
        description = task.options["description"]
        self._revoke(
            task,
            {
                token.id
                for token in read_tokens(task.session, live["username"]) or []
                if token.description == description or superseded_entry(token, description) is not None
            },
        )

    def shown(self, task: Task, item: Normal) -> Normal:
        """The token without what only this kind needs to know."""
        undeclared = {field for field in ("dest_owner", "dest_group") if task.options[field] is None}
        return {name: value for name, value in item.items() if name != "file_lacks" and name not in undeclared}

    # --- in a manifest ---

    def key(self, options: dict[str, t.Any]) -> str:
        """``alice/token description``."""
        return f"{options['user']}/{options['description']}"

    def read_all(self, session: Session, names: Names) -> list[Normal]:
        """All live tokens, each with those that it has replaced, which are none of their own."""
        usernames = {user.id: user.username for user in names.all_users()}
        plain: dict[tuple[int, str], list[Token]] = {}
        replaced: dict[tuple[int, str], list[Normal]] = {}
        for token in read_all_tokens(session):
            match = SUPERSEDED.fullmatch(token.description)
            entry = None if match is None else superseded_entry(token, match["description"])
            if match is None or entry is None:
                plain.setdefault((token.user_id, token.description), []).append(token)
            else:
                replaced.setdefault((token.user_id, match["description"]), []).append(entry)
        found: list[Normal] = []
        for user_id, description in dict.fromkeys([*plain, *replaced]):
            tokens: t.Sequence[Token | None] = plain.get((user_id, description)) or [None]
            superseded = replaced.get((user_id, description), [])
            username = usernames.get(user_id, str(user_id))
            found += [_normal(token, username, user_id, description, superseded) for token in tokens]
        return found

    def key_of(self, live: Normal, names: Names) -> str:
        """``alice/token description``."""
        return f"{live['username']}/{live['description']}"

    def references(self, options: dict[str, t.Any]) -> t.Sequence[Reference]:
        """Its user."""
        return (Reference("users", options["user"], "user"),) if options["user"] else ()

    def declaration(self, live: Normal, names: Names) -> dict[str, t.Any]:
        """The options that declare that there is such a token; which file holds it nobody can tell."""
        return {"user": live["username"], "description": live["description"]}

    def undeclarable(self, live: Normal, names: Names) -> str | None:
        """A token without a description can't be told from others."""
        if not live["description"].strip():
            return "It has no description, by which a token is found."
        return "It was replaced, and lives on for a while." if live["id"] is None else None

    def left_out(self, live: Normal) -> t.Sequence[str]:
        """The value, which is in a file of the manifest's choice."""
        return ("dest",)

    # --- replacing a token ---

    def _renew(self, task: Task, live: Normal, changes: Normal) -> Normal:
        """Make a new token, hand it over, then revoke the old one or leave it for the overlap.

        Every failure is a plain `DeterminedError`, which the engine does not settle: it would find a live token and be
        content, while its value is lost.
        """
        superseded = changes["superseded"] if "superseded" in changes else live["superseded"]
        place = Place.of(task.options)
        if place is None:
            with uninterrupted():
                return self._replace(task, live, superseded, None)
        with uninterrupted(), place.replacement() as file:
            return {**self._replace(task, live, superseded, file), **place.declared()}

    def _replace(self, task: Task, live: Normal, superseded: list[Normal], file: Replacement | None) -> Normal:
        aside = self._set_aside(task, live, superseded)
        if not aside:
            superseded = [entry for entry in superseded if entry["id"] != live["id"]]
        try:
            made = self._make(task, live)
            self._hand_over(task, made, file)
        except DeterminedError as error:
            kept = self._put_back(task, live) if aside else ""
            raise DeterminedError(f"{error}{kept}", error.failure) from error
        token = self._reread(task, made, live)
        over = (_ids(live["superseded"]) | ({live["id"]} if aside else set())) - _ids(superseded)
        try:
            self._revoke(task, over)
        except DeterminedError as error:
            done = f"The new token {made.token_id} is in place, but an old one is still live, and the next run revokes it: {error}"
            if file is not None:
                raise DeterminedError(done, error.failure) from error
            # A failed task would lose the new token's value.
            task.warn(done)
        if file is None:
            task.extra["token_value"] = made.token
        return _normal(token, live["username"], live["user_id"], live["description"], superseded)

    def _set_aside(self, task: Task, live: Normal, superseded: list[Normal]) -> bool:
        """Give the old token its superseded description. False where there is none, or no longer."""
        if live["id"] is None:
            return False
        overlapping = (entry["revoke_after"] for entry in superseded if entry["id"] == live["id"])
        description = f"{live['description']} [superseded, revoke after {next(overlapping, deadline(0))}]"
        try:
            return self._patch(task, live["id"], {"description": description})
        except DeterminedError as error:
            raise DeterminedError(
                f"The token {live['id']} could not be given the description {description!r}, so no new one was made; the next "
                f"run goes on from here: {error}",
                error.failure,
            ) from error

    def _put_back(self, task: Task, live: Normal) -> str:
        """Give the old token its description again, and say so."""
        try:
            self._patch(task, live["id"], {"description": live["description"]})
        except DeterminedError as error:
            return f" The old token {live['id']} is still valid, but described as superseded: {error}"
        return f" The old token {live['id']} is kept."

    def _make(self, task: Task, live: Normal) -> MadeToken:
        body = {"userId": live["user_id"], "description": live["description"]}
        if task.options["lifespan"] is not None:
            body["lifespan"] = on_wire(parse_duration("lifespan", task.options["lifespan"]))
        try:
            answer = task.session.write("POST", "/api/v1/tokens", body)
            made = decode(answer, MadeToken.model_validate_json, answer.content, "a new token")
            if not made.token:
                raise answer.bad("a new token expected, but its value is empty")
        except (errors.LostAnswer, errors.BadAnswer) as error:
            raise DeterminedError(f"{error} {self._undo_unknown(task, live)}", error.failure) from error
        return made

    def _undo_unknown(self, task: Task, live: Normal) -> str:
        """Revoke the token that may have been made although its value never arrived, and say so."""
        try:
            tokens = read_tokens(task.session, live["username"]) or []
        except DeterminedError as error:
            return f"Whether a token was made could not be found out either: {error}"
        # The old one has been set aside, so whatever bears the description is new.
        made = [token.id for token in tokens if token.description == live["description"]]
        if not made:
            return (
                "No new token is listed; should one with this description turn up later, its value is lost: revoke it."
            )
        if len(made) > 1:
            listed = ", ".join(str(number) for number in made)
            return f"The tokens {listed} now bear the description, and which one is new can't be told: revoke them."
        return f"The token {made[0]} was made, but its value is lost, {self._undone(task, made[0])}."

    def _hand_over(self, task: Task, made: MadeToken, file: Replacement | None) -> None:
        """Put the value where it is read: into the file, else (after all else) into the result."""
        if file is not None:
            try:
                file.put(made.token)
            except DeterminedError as error:
                raise DeterminedError(
                    f"{error} The new token {made.token_id} is of no use, {self._undone(task, made.token_id)}."
                ) from error
            return
        options = task.options
        secrets = [*task.session.connection.secrets, options["auth_password"], options["auth_token"]]
        if any(secret and secret in made.token for secret in secrets):
            raise DeterminedError(
                f"The new token's value happens to contain the password, so Ansible would mask it in the result; give dest. The "
                f"new token {made.token_id} is of no use, {self._undone(task, made.token_id)}."
            )

    def _undone(self, task: Task, number: int) -> str:
        """Revoke a new token that reached nobody, and say so."""
        try:
            self._revoke(task, {number})
        except DeterminedError as error:
            return f"and it could not be revoked: {error}"
        return "and it has been revoked"

    def _reread(self, task: Task, made: MadeToken, live: Normal) -> Token:
        """The new token as the server shows it. Not seeing it is no reason to lose its value."""
        token = Token(id=made.token_id, user_id=live["user_id"])
        try:
            tokens = {one.id: one for one in read_tokens(task.session, live["username"]) or []}
        except DeterminedError as error:
            task.warn(f"The new token {made.token_id} could not be read again: {error}")
            return token
        if made.token_id not in tokens:
            task.warn(f"The new token {made.token_id} is not listed among the live ones: it may be very short-lived.")
            return token
        alike = [number for number, one in tokens.items() if one.description == live["description"]]
        if len(alike) > 1:
            others = ", ".join(str(number) for number in alike if number != made.token_id)
            task.warn(
                f"Beside the new token {made.token_id} somebody else has made {others} with the same description: the next run "
                "can't tell which one is meant, so revoke one of them."
            )
        return tokens[made.token_id]

    def _revoke(self, task: Task, numbers: set[int]) -> None:
        """Revoke tokens. The one that the task itself uses comes last.

        :raises DeterminedError: one is still live.
        """
        own = own_token(task.session)
        for number in sorted(numbers, key=lambda number: (number == own, number)):
            self._patch(task, number, {"setRevoked": True})

    def _patch(self, task: Task, number: int, body: dict[str, t.Any]) -> bool:
        """Edit a live token.

        :returns: False where it has expired or been revoked meanwhile, which the server answers with 500.
        """
        try:
            task.session.write("PATCH", route("tokens", number), body)
        except (errors.Rejected, errors.NotFound, errors.LostAnswer, errors.BadAnswer) as error:
            return self._looked(task, number, body, error)
        return True

    def _looked(self, task: Task, number: int, body: dict[str, t.Any], error: DeterminedError) -> bool:
        """Decide by what is there whether a failed edit has been made all the same."""
        try:
            tokens = read_tokens(task.session, owner(task)) or []
        except DeterminedError as unread:
            raise DeterminedError(f"{error} Reading again did not tell either: {unread}", error.failure) from error
        there = next((token for token in tokens if token.id == number), None)
        if there is None:
            return False
        if there.description == body.get("description"):
            return True
        raise DeterminedError(f"{error} Read again: the token {number} is as it was.", error.failure) from error


def _normal(
    token: Token | None, username: str, user_id: int | None, description: str, superseded: list[Normal]
) -> Normal:
    found = (token or Token(id=0, user_id=0)).normal()
    if token is None:
        found["id"] = None
    return {**found, "user_id": user_id, "username": username, "description": description, "superseded": superseded}


def _is_over(entry: Normal) -> bool:
    return now() >= datetime.datetime.fromisoformat(entry["revoke_after"])


def _ids(entries: list[Normal]) -> set[int]:
    return {entry["id"] for entry in entries}


def _look(place: Place, live: Normal | None) -> None:
    """Put what the file is into the live object: it belongs to it, but no list of the master has it.

    :raises InvalidOption: the file holds something else than a token, which must not be overwritten.
    """
    seen = place.look()
    content = b"" if seen is None else seen.content.strip()
    if content and not content.startswith(b"v2.public."):
        raise InvalidOption(
            f"dest is {place.path!r}: it holds something else than an access token; remove it, or name another file."
        )
    if live is None:
        return
    why = "dest does not exist" if seen is None else _why_not(content, live)
    live.update(file_lacks=why, dest=None if why else place.path)
    if seen is not None:
        live.update(dest_mode=seen.mode, dest_owner=seen.owner, dest_group=seen.group)


def _why_not(content: bytes, live: Normal) -> str | None:
    """Say why a file's content is not the token's value, or None if it is."""
    if not content:
        return "dest is empty"
    claims = read_claims(content)
    if claims is None:
        return "dest holds a token that is cut short"
    # Another cluster has tokens of the same number, and so has this one after it was set up anew.
    if claims.id == live["id"] and claims.user_id == live["user_id"] and _expires_alike(claims.expiry, live):
        return None
    return f"dest holds another token, {claims.id}"


def _expires_alike(expiry: str, live: Normal) -> bool:
    """Whether two times of expiry are one: the value has nanoseconds, the list microseconds."""
    try:
        return abs(datetime.datetime.fromisoformat(expiry) - moment(live, "expiry")).total_seconds() < 1
    except ValueError:
        return False


TOKEN = TokenKind()
