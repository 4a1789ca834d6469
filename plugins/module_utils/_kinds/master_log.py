# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""The master's log, as far as it is in its memory (API page identity-and-cluster, section 7.4).

Entry 0 is the whole configuration, in which the server leaves secrets in clear. The API has no filters: they are applied here.
"""

from __future__ import annotations

import json
import typing as t

from .._deps import from_json
from .._wire import errors
from .._wire.session import Live, Session, decode
from .._wire.transport import Answer
from .kind import Arguments, Normal, Reader, Task
from .masking import MASK, masked, masked_text
from .user import check_limit

LOG = "/api/v1/master/logs"
CAPACITY = 25000
"""How many entries the master keeps, a constant of release 0.38.1 (``logStoreSize`` in ``master/cmd/determined-master/root.go``)."""

CONFIG = "master configuration: "
"""How the entry with the configuration begins."""

RBAC = "RBAC Audit Logs"
DENIED = 'permissionGranted="false"'
"""What an audit line of a denied permission holds; granted ones never get here (``Fire`` in ``master/pkg/logger/log_buffer.go``)."""

LEVELS = ("trace", "debug", "info", "warning", "error", "critical")


class LogEntry(Live):
    """An entry (``proto/src/determined/log/v1/log.proto``)."""

    id: int
    message: str = ""
    timestamp: str | None = None
    level: str = ""

    def normal(self) -> Normal:
        """The normal form: the level as a word in lower case, secrets masked."""
        return {**self.model_dump(), "level": self.word(), "message": shown_message(self.id, self.message)}

    def word(self) -> str:
        """Its level as options and results write it."""
        return self.level.removeprefix("LOG_LEVEL_").lower()


def shown_message(number: int, text: str) -> str:
    """The text of an entry with its secrets masked; of the first, the configuration, as JSON."""
    if not text.startswith(CONFIG):
        # The first entry is a configuration, whatever form a release gives it.
        return masked_text(text) if number else MASK
    try:
        config, end = json.JSONDecoder().raw_decode(text, len(CONFIG))
    except ValueError:
        return f"{CONFIG}{MASK}"
    return f"{CONFIG}{json.dumps(masked(config), ensure_ascii=False)}{masked_text(text[end:])}"


def logged_config(text: str) -> dict[str, t.Any] | None:
    """The configuration in the text of an entry as anyone reads it there, secrets and all; None for other entries."""
    if not text.startswith(CONFIG):
        return None
    try:
        config, _end = json.JSONDecoder().raw_decode(text, len(CONFIG))
    except ValueError:
        return None
    return config if isinstance(config, dict) else None


def read_entries(session: Session, offset: int, limit: int | None = None) -> list[LogEntry]:
    """Read entries from the oldest to the newest.

    :param offset: where to begin; a negative one counts from the end.
    :param limit: how many to read at most; None reads to the end.
    :raises errors.BadAnswer: the stream is not one of entries, or ended with an error.
    """
    answer = session.call("GET", LOG, query={"offset": offset, "limit": limit})
    return [_entry(answer, line) for line in answer.content.splitlines() if line.strip()]


def _entry(answer: Answer, line: bytes) -> LogEntry:
    try:
        found = from_json(line)
    except ValueError as error:
        raise answer.bad(f"a line of it is not JSON ({error})") from error
    data = found.get("result") if isinstance(found, dict) else None
    if not isinstance(data, dict):
        # An error in the middle of a stream comes as a line of its own, after a 200.
        inner = found.get("error") if isinstance(found, dict) else None
        said = str(inner.get("message")) if isinstance(inner, dict) else "a line of it is no entry"
        raise answer.bad(said)
    return decode(answer, LogEntry.model_validate, data.get("logEntry"), "an entry of the log")


class MasterLogReader(Reader):
    """The master's log, newest first."""

    arguments = Arguments(
        spec={
            "levels": {"type": "list", "elements": "str", "choices": list(LEVELS)},
            "contains": {"type": "str"},
            "rbac_denied": {"type": "bool", "default": False},
            "offset": {"type": "int", "default": 0},
            "limit": {"type": "int"},
        },
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse a limit below 1 and an offset below 0."""
        check_limit(options["limit"])
        if options["offset"] < 0:
            raise errors.InvalidOption(f"offset is {options['offset']}: it must be 0 or more, counted from the newest.")

    def read(self, task: Task) -> dict[str, t.Any]:
        """Read all entries, or only the end of the log where that is all that is asked for."""
        options = task.options
        skipped, limit = options["offset"], options["limit"]
        whole = limit is None or options["levels"] or options["contains"] or options["rbac_denied"]
        entries = read_entries(task.session, 0 if whole else -(skipped + limit))
        entries.reverse()
        # The rest of the log is as long as the newest entry's number tells, but the oldest are overwritten.
        total = min(entries[0].id + 1, CAPACITY) if entries else 0
        if whole:
            entries = [entry for entry in entries if _matches(entry, options)]
            total = len(entries)
        stop = None if limit is None else skipped + limit
        return {"master_logs": [entry.normal() for entry in entries[skipped:stop]], "total": total}


def _matches(entry: LogEntry, options: dict[str, t.Any]) -> bool:
    message = entry.message
    return (
        (not options["levels"] or entry.word() in options["levels"])
        and (not options["rbac_denied"] or (message.startswith(RBAC) and DENIED in message))
        # In what is shown: whether a secret is in the log is not to be found out by asking.
        and (not options["contains"] or options["contains"].casefold() in shown_message(entry.id, message).casefold())
    )


MASTER_LOG = MasterLogReader()
