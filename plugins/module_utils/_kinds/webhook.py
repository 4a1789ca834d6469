# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Webhooks, which tell other services of experiments and logs (API page ml-resources, section 9).

The server lists them all in one call and has no other read. Of a webhook it edits the url alone; any other change is a deletion
and a creation, which gives it another id.
"""

from __future__ import annotations

import json
import re
import typing as t
from urllib.parse import urlsplit, urlunsplit

from .._wire.errors import BadAnswer, DeterminedError, InvalidOption, LostAnswer
from .._wire.paging import Page, read_memory_list
from .._wire.session import Live, Session, route, unwrap
from .kind import Arguments, Declarable, Field, Normal, Reader, Reference, Task
from .lookup import Names, nearest
from .masking import MASK, holds_mask, masked_text
from .user import check_limit

STATES = (
    "ACTIVE",
    "PAUSED",
    "STOPPING_CANCELED",
    "STOPPING_KILLED",
    "STOPPING_COMPLETED",
    "STOPPING_ERROR",
    "CANCELED",
    "COMPLETED",
    "ERROR",
)
"""The states of an experiment that are told; the server stores any word and compares it as it is."""

STATE_CHANGE, TASK_LOG, CUSTOM = "experiment_state_change", "task_log", "custom"
CONDITION_OF = {STATE_CHANGE: "state", TASK_LOG: "regex"}
"""What each type of trigger must have in its condition, and nothing else."""

DEFAULT, SLACK = "default", "slack"
WORKSPACE, SPECIFIC = "workspace", "specific"
QUOTED_URL = re.compile(r'(?<=")[^"\s]+(?=")|\b[a-z][a-z0-9+.-]*://[^\s"]+', re.IGNORECASE)


class Trigger(Live):
    """When a webhook is called."""

    trigger_type: str = ""
    condition: dict[str, t.Any] | None = None

    def normal(self) -> Normal:
        """The normal form, the type as a word in lower case. Its id is the server's and says nothing."""
        return {"type": self.trigger_type.removeprefix("TRIGGER_TYPE_").lower(), "condition": self.condition or {}}


class Webhook(Live):
    """A webhook (``proto/src/determined/webhook/v1/webhook.proto``); a global one has the workspace 0."""

    id: int
    name: str = ""
    url: str = ""
    webhook_type: str = ""
    mode: str = ""
    workspace_id: int = 0
    triggers: list[Trigger] | None = None

    def normal(self) -> Normal:
        """The normal form, words in lower case."""
        return {
            "id": self.id,
            "name": self.name,
            "workspace_id": self.workspace_id or None,
            "url": self.url,
            "type": self.webhook_type.removeprefix("WEBHOOK_TYPE_").lower(),
            "mode": self.mode.removeprefix("WEBHOOK_MODE_").lower(),
            "triggers": [trigger.normal() for trigger in self.triggers or []],
        }


class Webhooks(Page):
    """The answer of ``GET /webhooks``."""

    webhooks: list[Webhook]

    def items(self) -> list[Webhook]:
        """The webhooks, oldest first: the server puts those whose url was edited at the end."""
        return sorted(self.webhooks, key=lambda webhook: webhook.id)


def read_webhooks(session: Session) -> list[Normal]:
    """Read the global webhooks and those of the workspaces where the caller may see them."""
    return [webhook.normal() for webhook in read_memory_list(session, Webhooks, "/api/v1/webhooks")]


def masked_url(url: str, webhook_type: str) -> str:
    """A webhook's url as it may be shown: without what can be a secret.

    A Slack url is the right to post and is no more than a mask. Of others the user part, the query and the fragment are masked,
    and the paths of services whose urls are secrets.
    """
    if webhook_type == SLACK:
        return MASK if url else url
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    _user, at, host = parts.netloc.rpartition("@")
    shown = parts._replace(
        netloc=f"{MASK}@{host}" if at else host,
        query=MASK if parts.query else "",
        fragment=MASK if parts.fragment else "",
    )
    return masked_text(urlunsplit(shown)) if shown != parts else masked_text(url)


def same_triggers(live: t.Any, declared: t.Any) -> bool:
    """Whether two lists hold the same triggers, whatever their order and repetitions."""
    return _trigger_set(live) == _trigger_set(declared)


def _trigger_set(triggers: t.Any) -> set[str]:
    return {json.dumps(trigger, sort_keys=True) for trigger in triggers or ()}


class WebhookKind(Declarable):
    """Webhooks, by name and workspace."""

    name = "webhook"
    plural = "webhooks"
    switches = frozenset({"test"})
    refers: t.ClassVar = {"workspace_id": "workspaces"}
    fields: t.ClassVar = {"triggers": Field(same=same_triggers), "test": Field(write_only=True)}
    arguments = Arguments(
        spec={
            "name": {"type": "str", "required": True},
            "workspace": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "url": {"type": "str"},
            "type": {"type": "str", "choices": [DEFAULT, SLACK]},
            "mode": {"type": "str", "choices": [WORKSPACE, SPECIFIC]},
            "triggers": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "type": {"type": "str", "choices": [STATE_CHANGE, TASK_LOG, CUSTOM], "required": True},
                    "condition": {"type": "dict", "options": {"state": {"type": "str"}, "regex": {"type": "str"}}},
                },
            },
            "test": {"type": "bool", "default": False},
        },
        unrepeated=frozenset({"url"}),
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse what the server would store and that could then never work."""
        if not options["name"].strip():
            raise InvalidOption("name is empty: it must be a webhook's name.")
        if options["workspace"] == "":
            raise InvalidOption("workspace is empty: it must be a workspace's name; leave it out for a global webhook.")
        if options["state"] == "absent" and options["test"]:
            raise InvalidOption("test is given with state absent: a webhook that is removed can't be tested.")
        if options["url"] is not None:
            _check_url(options["url"])
        if options["triggers"] is not None:
            if not options["triggers"]:
                raise InvalidOption("triggers is empty: a webhook must have at least one; leave it out to keep them.")
            for trigger in options["triggers"]:
                _check_trigger(trigger)

    def find(self, task: Task) -> Normal | None:
        """Find the webhook.

        :raises InvalidOption: two global ones have this name, so that none can be meant.
        """
        workspace_id = _workspace_id(task)
        name = task.options["name"]
        found = [
            webhook
            for webhook in read_webhooks(task.session)
            if (webhook["name"], webhook["workspace_id"]) == (name, workspace_id)
        ]
        if len(found) > 1:
            ids = ", ".join(str(webhook["id"]) for webhook in found)
            raise InvalidOption(
                f"name is {name!r}: several global webhooks have this name (ids {ids}), and which one is meant can't be told. "
                "Delete all but one of them with det_api, such as method DELETE and path webhooks/ID."
            )
        return found[0] if found else None

    def wanted(self, task: Task, live: Normal | None) -> Normal | None:
        """Say what is declared, and whether that takes another webhook in this one's place."""
        options, extra = task.options, task.extra
        extra.setdefault("recreated", False)
        if options["state"] == "absent":
            return None
        workspace_id = _workspace_id(task) if live is None else live["workspace_id"]
        wanted: Normal = {"name": options["name"], "workspace_id": workspace_id}
        for field in ("url", "type", "mode"):
            if options[field] is not None:
                wanted[field] = options[field]
        if options["triggers"] is not None:
            triggers = [_declared(trigger) for trigger in options["triggers"]]
            wanted["triggers"] = [one for index, one in enumerate(triggers) if one not in triggers[:index]]
        lacking = [name for name in ("url", "triggers") if name not in wanted]
        if live is None and lacking:
            where = f"in the workspace {options['workspace']!r}" if options["workspace"] else "among the global ones"
            raise InvalidOption(
                f"There is no webhook {options['name']!r} {where} that you may see: a new one needs {' and '.join(lacking)}."
            )
        after = {**(live or self.blank(task)), **wanted}
        if after["mode"] != SPECIFIC and any(trigger["type"] == CUSTOM for trigger in after["triggers"]):
            raise InvalidOption("mode must be specific: a webhook with a trigger of the type custom can have no other.")
        if live is not None:
            self._note_recreation(extra, live, wanted)
        if options["test"]:
            wanted["test"] = True
            extra["tested"] = True
        return wanted

    def _note_recreation(self, extra: dict[str, t.Any], live: Normal, wanted: Normal) -> None:
        """Put into the result whether the webhook is replaced. Asked again after a write, the live one may be the new one."""
        if extra["recreated"]:
            if live["id"] != extra["old_id"]:
                extra["new_id"] = live["id"]
        elif any(live[name] != wanted.get(name, live[name]) for name in ("type", "mode")) or not same_triggers(
            live["triggers"], wanted.get("triggers", live["triggers"])
        ):
            extra.update(recreated=True, old_id=live["id"], new_id=None)

    def create(self, task: Task, wanted: Normal) -> Normal:
        """Create the webhook, and test it if wanted."""
        made = _post(task.session, {**self.blank(task), **wanted})
        if wanted.get("test"):
            _test(task, made, "was created")
        return made

    def update(self, task: Task, live: Normal, changes: Normal) -> Normal:
        """Edit the url, or put a new webhook in the place of the old one; test it if wanted."""
        declared = {name: value for name, value in changes.items() if name != "test"}
        after = {**live, **declared}
        if declared.keys() <= {"url"}:
            if declared:
                task.session.write("PATCH", route("webhooks", live["id"]), {"url": after["url"]})
        else:
            after = self._replace(task, live, after)
        if "test" in changes:
            _test(task, after, "was changed" if declared else "is there")
        return after

    def _replace(self, task: Task, live: Normal, after: Normal) -> Normal:
        """Delete the old one first: two of one name can't be in a workspace, and global ones could not be told apart."""
        session = task.session
        try:
            session.write("DELETE", route("webhooks", live["id"]))
        except (LostAnswer, BadAnswer):
            if any(webhook["id"] == live["id"] for webhook in read_webhooks(session)):
                raise
        try:
            made = _post(session, after)
        except DeterminedError as error:
            raise self._put_back(task, live, error) from error
        task.extra["new_id"] = made["id"]
        return made

    def _put_back(self, task: Task, live: Normal, error: DeterminedError) -> DeterminedError:
        """Create the old one again after the new one could not be created.

        :returns: the failure to raise, which says what was done.
        """
        key = ("name", "workspace_id")
        try:
            if isinstance(error, (LostAnswer, BadAnswer)) and any(
                all(webhook[name] == live[name] for name in key) for webhook in read_webhooks(task.session)
            ):
                # Created all the same, or by someone else: reading it tells.
                return error
            back = _post(task.session, live)
        except DeterminedError as second:
            # Not of the type of the first: there is nothing left that reading again could settle.
            return DeterminedError(
                f"{error} The old webhook {live['name']!r} had been deleted for this, and putting it back failed too: {second}",
                error.failure,
            )
        task.extra["new_id"] = back["id"]
        return type(error)(f"{error} The old webhook was put back, now with the id {back['id']}.", error.failure)

    def remove(self, task: Task, live: Normal) -> None:
        """Delete the webhook."""
        task.session.write("DELETE", route("webhooks", live["id"]))

    def blank(self, task: Task) -> Normal:
        """A new webhook as the server makes it."""
        return {
            "id": None,
            "name": "",
            "workspace_id": None,
            "url": "",
            "type": DEFAULT,
            "mode": WORKSPACE,
            "triggers": [],
        }

    def predicted(self, live: Normal, changes: Normal) -> Normal:
        """The webhook after `changes`; another one, with an id that only the server knows, if more than the url changes."""
        return {**live, **changes, **({} if changes.keys() <= {"url"} else {"id": None})}

    def shown(self, task: Task, item: Normal) -> Normal:
        """The webhook without what is secret in its url."""
        return {**item, "url": masked_url(item["url"], item["type"])}

    # --- in a manifest ---

    def key(self, options: dict[str, t.Any]) -> str:
        """``name@workspace``, or ``name@*`` for a global one."""
        return f"{options['name']}@{options['workspace'] or '*'}"

    def read_all(self, session: Session, names: Names) -> t.Sequence[Normal]:
        """All webhooks that the caller may see."""
        return read_webhooks(session)

    def key_of(self, live: Normal, names: Names) -> str:
        """As `key`; a workspace that can't be seen is named by its number."""
        number = live["workspace_id"]
        return f"{live['name']}@{'*' if number is None else names.name_of('workspaces', number) or number}"

    def references(self, options: dict[str, t.Any]) -> t.Sequence[Reference]:
        """Its workspace."""
        return () if options["workspace"] is None else (Reference("workspaces", options["workspace"], "workspace"),)

    def declaration(self, live: Normal, names: Names) -> dict[str, t.Any]:
        """The options that declare the webhook; a url with anything secret in it is left out."""
        declared: dict[str, t.Any] = {"name": live["name"]}
        if live["workspace_id"] is not None:
            declared["workspace"] = names.name_of("workspaces", live["workspace_id"])
        if not self.left_out(live):
            declared["url"] = live["url"]
        if live["type"] != DEFAULT:
            declared["type"] = live["type"]
        if live["mode"] != WORKSPACE:
            declared["mode"] = live["mode"]
        triggers = [
            {name: trigger[name] for name in ("type", "condition") if trigger[name]} for trigger in live["triggers"]
        ]
        declared["triggers"] = [one for index, one in enumerate(triggers) if one not in triggers[:index]]
        return declared

    def left_out(self, live: Normal) -> t.Sequence[str]:
        """The url, if there is anything secret in it."""
        return () if masked_url(live["url"], live["type"]) == live["url"] else ("url",)

    def undeclarable(self, live: Normal, names: Names) -> str | None:
        """Say why no options of `det_webhook` lead to this webhook; two global ones of one name are found by their key."""
        number = live["workspace_id"]
        if number is not None and names.name_of("workspaces", number) is None:
            return f"It is in a workspace (id {number}) that you may not see."
        for trigger in live["triggers"]:
            if trigger["type"] not in (STATE_CHANGE, TASK_LOG, CUSTOM):
                return f"It has a trigger of the type {trigger['type']}, which nothing ever fires."
        options = (
            dict.fromkeys(self.arguments.spec) | {"state": "present", "test": False} | self.declaration(live, names)
        )
        options["triggers"] = live["triggers"]
        try:
            self.check(options)
        except InvalidOption as error:
            return str(error)
        if not same_triggers(live["triggers"], [_declared(trigger) for trigger in live["triggers"]]):
            return "It has a trigger for a state that is not written in upper case, and so never comes."
        return None


def _workspace_id(task: Task) -> int | None:
    name = task.options["workspace"]
    return None if name is None else task.names.workspace("workspace", name).id


def _check_url(url: str) -> None:
    """Refuse a url that could not be called: the server takes any with a scheme, and edits it to any text."""
    if holds_mask(url):
        raise InvalidOption(
            "url holds a mask (asterisks), which is not a value: give the value, or leave it out to keep the live one."
        )
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"[\s\x00-\x1f]", url)
    except ValueError:
        right = False
    if not right:
        raise InvalidOption("url must be a whole one, such as https://hooks.example.com/determined.")


def _check_trigger(trigger: dict[str, t.Any]) -> None:
    needed = CONDITION_OF.get(trigger["type"])
    given = {name: value for name, value in (trigger["condition"] or {}).items() if value is not None}
    if given.keys() != ({needed} if needed else set()):
        what = f"a condition with {needed} and nothing else" if needed else "no condition"
        raise InvalidOption(f"triggers has one of the type {trigger['type']}: it must have {what}.")
    if needed == "state" and str(given["state"]).upper() not in STATES:
        raise InvalidOption(
            f"triggers has the state {given['state']!r}, which no experiment is ever told to be in; it must be one of "
            f"{', '.join(STATES)}.{nearest(str(given['state']), STATES)}"
        )
    if needed == "regex" and not given["regex"]:
        raise InvalidOption("triggers has an empty regex: it would match every line of every log.")


def _declared(trigger: dict[str, t.Any]) -> Normal:
    """A declared trigger in the normal form."""
    condition = {name: value for name, value in (trigger["condition"] or {}).items() if value is not None}
    if "state" in condition:
        condition["state"] = condition["state"].upper()
    return {"type": trigger["type"], "condition": condition}


def _post(session: Session, webhook: Normal) -> Normal:
    body = {
        "name": webhook["name"],
        "url": webhook["url"],
        "webhookType": f"WEBHOOK_TYPE_{webhook['type'].upper()}",
        "mode": f"WEBHOOK_MODE_{webhook['mode'].upper()}",
        "triggers": [
            {"triggerType": f"TRIGGER_TYPE_{trigger['type'].upper()}", "condition": trigger["condition"]}
            for trigger in webhook["triggers"]
        ],
    }
    if webhook["workspace_id"] is not None:
        body["workspaceId"] = webhook["workspace_id"]
    return unwrap(session.write("POST", "/api/v1/webhooks", body), "webhook", Webhook).normal()


def _test(task: Task, webhook: Normal, what: str) -> None:
    """Have the master send a test event, and wait for the receiver's answer.

    :raises DeterminedError: it was not taken. Not one of the types that are settled by reading again, as there is nothing to
        read. The master's text has the url in it, all but the password.
    """
    try:
        task.session.write("POST", route("webhooks", webhook["id"], "test"))
    except DeterminedError as error:
        task.extra["tested"] = False

        def hidden(text: str) -> str:
            return QUOTED_URL.sub(lambda found: masked_url(found[0], webhook["type"]), text)

        failure = error.failure and {**error.failure, "message": hidden(error.server_message)}
        raise DeterminedError(
            f"The webhook {webhook['name']!r} {what}, but its test event was not taken: {hidden(str(error))}", failure
        ) from None


class WebhookReader(Reader):
    """Webhooks, all in one answer."""

    arguments = Arguments(
        spec={
            "name": {"type": "str"},
            "name_contains": {"type": "str"},
            "workspace": {"type": "str"},
            "limit": {"type": "int"},
        },
        mutually_exclusive=(("name", "name_contains"),),
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse a limit below 1."""
        check_limit(options["limit"])

    def read(self, task: Task) -> dict[str, t.Any]:
        """Read the webhooks that match."""
        options = task.options
        workspace_id = _workspace_id(task)
        matching = [
            webhook
            for webhook in read_webhooks(task.session)
            if options["name"] in (None, webhook["name"])
            and (options["name_contains"] or "").casefold() in webhook["name"].casefold()
            and workspace_id in (None, webhook["workspace_id"])
        ]
        shown = [WEBHOOK.shown(task, webhook) for webhook in matching[: options["limit"]]]
        return {"webhooks": shown, "total": len(matching)}


WEBHOOK = WebhookKind()
WEBHOOKS = WebhookReader()
