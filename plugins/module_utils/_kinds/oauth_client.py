# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""The OAuth client with which an identity provider gets at SCIM.

Its routes are outside the API, and are there only where the master's config has ``scim.auth.type: oauth``. A master keeps one
client. It can't be edited, and its secret is told once (``master/internal/plugin/oauth/management.go``; all tried on a running
0.38.1 master).
"""

from __future__ import annotations

import json
import typing as t

from .._wire import errors
from .._wire.errors import DeterminedError, InvalidOption
from .._wire.login import uninterrupted
from .._wire.session import Live, Session, decode, unwrap
from .kind import Arguments, Declarable, Field, Normal, Reader, Task
from .lookup import Names
from .token_file import Place, Replacement, Seen
from .user import check_limit

PATH = "/oauth2/clients"
ABSENT = (
    "This master has no OAuth clients: only one whose config has scim.enabled, and oauth as scim.auth.type, knows them."
)


class OauthClient(Live):
    """An OAuth client."""

    id: str
    name: str
    domain: str = ""


class NewOauthClient(OauthClient):
    """The answer of ``POST /oauth2/clients``, the only one that holds the secret."""

    secret: str


def read_clients(session: Session) -> list[OauthClient] | None:
    """Read the clients, one at most, or None where this master has none of them at all."""
    try:
        answer = session.call("GET", PATH)
    except errors.NotFound:
        return None
    found = answer.json()
    items = found if isinstance(found, list) else [found]
    return [decode(answer, OauthClient.model_validate, item, "an OAuth client") for item in items]


class OauthClientKind(Declarable):
    """The OAuth client, by its name."""

    name = "oauth_client"
    plural = "oauth_clients"
    fields: t.ClassVar = {"client_secret": Field(write_only=True)}
    arguments = Arguments(
        spec={
            "name": {"type": "str", "required": True},
            "domain": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "dest": {"type": "path"},
            "dest_mode": {"type": "raw", "default": "0600"},
            "dest_owner": {"type": "str"},
            "dest_group": {"type": "str"},
        },
        required_if=(("state", "present", ("domain",)),),
        required_by={"dest_owner": ("dest",), "dest_group": ("dest",)},
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse what the master would, and a file open to the world."""
        for option in ("name", "domain"):
            if options[option] is not None and not options[option].strip():
                raise InvalidOption(f"{option} is empty: an OAuth client needs one.")
        Place.of(options)

    def find(self, task: Task) -> Normal | None:
        """Find the client."""
        clients = read_clients(task.session) or []
        return next((client.normal() for client in clients if client.name == task.options["name"]), None)

    def wanted(self, task: Task, live: Normal | None) -> Normal | None:
        """Say whether a new client is due, and how the file has to be."""
        options = task.options
        if options["state"] == "absent":
            return None
        if live is None:
            self._check_room(task)
        wanted: Normal = {"name": options["name"], "domain": options["domain"]}
        place, why = Place.of(options), None
        if place is not None:
            wanted.update(place.declared())
            seen = place.look()
            why = _why_not(place, seen, live)
            if live is not None:
                # What is on this host belongs to the object, but no list of the master has it.
                live["dest"] = None if why else place.path
                if seen is not None:
                    live.update(dest_mode=seen.mode, dest_owner=seen.owner, dest_group=seen.group)
        if live is None:
            why = "there is no such client"
        elif live["domain"] != options["domain"]:
            why = f"its domain is {live['domain']!r}, and a client can't be edited"
        if why is not None:
            task.extra.update(reason=why, recreated=live is not None)
            wanted.update(client_secret="", id=None)
        return wanted

    def _check_room(self, task: Task) -> None:
        """Refuse a client that the master would.

        :raises InvalidOption: it has another one, or none ever.
        """
        clients = read_clients(task.session)
        if clients is None:
            raise InvalidOption(ABSENT)
        for client in clients:
            if client.name != task.options["name"]:
                raise InvalidOption(
                    f"name is {task.options['name']!r}: the master keeps one OAuth client, and has {client.name!r} already; that "
                    "one has to be removed first."
                )

    def blank(self, task: Task) -> Normal:
        """A client before it is there."""
        return {"id": None, "name": None, "domain": None}

    def create(self, task: Task, wanted: Normal) -> Normal:
        """Create the client and hand its secret over."""
        return self._renew(task, None)

    def update(self, task: Task, live: Normal, changes: Normal) -> Normal:
        """Replace the client by a new one, or mend the file's mode and owner."""
        if "client_secret" in changes:
            return self._renew(task, live)
        place = Place.of(task.options)
        if place is not None:
            place.mend()
        return {**live, **changes}

    def remove(self, task: Task, live: Normal) -> None:
        """Delete the client."""
        # An id has no character that a path can't carry: it is made by the server, of hex digits.
        task.session.write("DELETE", f"{PATH}/{live['id']}")

    def shown(self, task: Task, item: Normal) -> Normal:
        """The client without what nobody has declared of the file."""
        undeclared = {field for field in ("dest_owner", "dest_group") if task.options[field] is None}
        return {name: value for name, value in item.items() if name not in undeclared}

    # --- replacing a client ---

    def _renew(self, task: Task, live: Normal | None) -> Normal:
        """Make a client in place of the present one, and hand its secret over.

        Every failure is a plain `DeterminedError`, which the engine does not settle: it would find a client and be content,
        while its secret is lost.
        """
        place = Place.of(task.options)
        if place is None:
            with uninterrupted():
                return self._replace(task, live, None)
        with uninterrupted(), place.replacement() as file:
            return {**self._replace(task, live, file), **place.declared()}

    def _replace(self, task: Task, live: Normal | None, file: Replacement | None) -> Normal:
        gone = ""
        try:
            if live is not None:
                # There is room for one.
                self.remove(task, live)
                gone = f" The client {live['id']} that was there before is gone."
            made = self._make(task)
        except DeterminedError as error:
            raise DeterminedError(f"{error}{gone}", error.failure) from error
        if file is None:
            task.extra["client_secret"] = made.secret
        else:
            try:
                file.put(json.dumps({"client_id": made.id, "client_secret": made.secret}))
            except DeterminedError as error:
                raise DeterminedError(f"{error}{gone} {self._undone(task, made)}") from error
        return {"id": made.id, "name": made.name, "domain": made.domain}

    def _make(self, task: Task) -> NewOauthClient:
        body = {"name": task.options["name"], "domain": task.options["domain"]}
        try:
            return unwrap(task.session.write("POST", PATH, body), "client", NewOauthClient)
        except (errors.LostAnswer, errors.BadAnswer) as error:
            # If it was made, nobody will ever know its secret; the next run replaces it where there is a file to miss it in.
            found = next((one for one in read_clients(task.session) or [] if one.name == body["name"]), None)
            if found is None:
                raise
            raise DeterminedError(f"{error} {self._undone(task, found)}", error.failure) from error

    def _undone(self, task: Task, made: OauthClient) -> str:
        """Delete a new client whose secret reached nobody, and say so."""
        try:
            self.remove(task, made.normal())
        except DeterminedError as error:
            return f"The new client {made.id} is of no use, and it could not be deleted: {error}"
        return f"The new client {made.id} is of no use, and it has been deleted."

    # --- in a manifest ---

    def key(self, options: dict[str, t.Any]) -> str:
        """The name."""
        return str(options["name"])

    def read_all(self, session: Session, names: Names) -> list[Normal]:
        """The client, if there is one."""
        return [client.normal() for client in read_clients(session) or []]

    def key_of(self, live: Normal, names: Names) -> str:
        """The name."""
        return str(live["name"])

    def declaration(self, live: Normal, names: Names) -> dict[str, t.Any]:
        """The options that declare the client; which file holds its secret nobody can tell."""
        return {"name": live["name"], "domain": live["domain"]}

    def left_out(self, live: Normal) -> t.Sequence[str]:
        """The secret, which is in a file of the manifest's choice."""
        return ("dest",)


def _why_not(place: Place, seen: Seen | None, live: Normal | None) -> str | None:
    """Say why the file is not that of the client, or None if it is.

    :raises InvalidOption: it holds something else, which must not be overwritten.
    """
    if seen is None:
        return "dest does not exist"
    if not seen.content.strip():
        return "dest is empty"
    try:
        found = json.loads(seen.content)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not {"client_id", "client_secret"} <= found.keys():
        raise InvalidOption(
            f"dest is {place.path!r}: it holds something else than an OAuth client; remove it, or name another file."
        )
    if live is not None and found["client_id"] == live["id"]:
        return None
    return f"dest holds another client, {found['client_id']}"


class OauthClientReader(Reader):
    """OAuth clients, without their secrets."""

    arguments = Arguments(spec={"name": {"type": "str"}, "limit": {"type": "int"}})

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse a limit below 1."""
        check_limit(options["limit"])

    def read(self, task: Task) -> dict[str, t.Any]:
        """Read the clients."""
        found = read_clients(task.session)
        if found is None:
            task.warn(ABSENT)
        matching = [client.normal() for client in found or [] if task.options["name"] in (None, client.name)]
        return {"oauth_clients": matching[: task.options["limit"]], "total": len(matching)}


OAUTH_CLIENT = OauthClientKind()
OAUTH_CLIENTS = OauthClientReader()
