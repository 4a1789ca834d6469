# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""From validated options to a result: one function, called by the shipped module and inside the controller alike."""

from __future__ import annotations

import pathlib
import re
import typing as t
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible.module_utils.common.parameters import remove_values

from .._deps import MISSING
from .._kinds.kind import Task
from .._kinds.lookup import Names
from .._kinds.masking import masked
from .._wire import errors
from .._wire.connection import CONNECTION_SPEC, Connection
from .._wire.session import Session
from .operation import Operation

CENSORED = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
"""What Ansible itself shows in place of a no_log option."""

LOOPBACK = re.compile(r"127(\.\d{1,3}){3}")


def argument_spec(operation: Operation) -> dict[str, dict[str, t.Any]]:
    """The operation's whole argument spec, the connection included."""
    return {**CONNECTION_SPEC, **operation.arguments.spec}


class Sessions:
    """Sessions of one process, kept open while the same connection is asked for: the items of a loop share one.

    :param folder: the run's private folder, or None: then each task logs in and out itself.
    """

    def __init__(self, folder: pathlib.Path | None) -> None:
        self._folder = folder
        self._open: dict[Connection, Session] = {}

    def get(self, connection: Connection) -> Session:
        """The open session, or a new one."""
        if connection not in self._open:
            self._open[connection] = Session(connection, folder=self._folder)
        return self._open[connection]

    def close(self) -> None:
        """End them all."""
        for session in self._open.values():
            session.close()
        self._open.clear()


def execute(
    operation: Operation,
    options: dict[str, t.Any],
    sessions: Sessions,
    *,
    check_mode: bool,
    warn: t.Callable[[str], None],
) -> tuple[dict[str, t.Any], list[str]]:
    """Run an operation.

    :param options: validated options, the connection's included.
    :param sessions: where the client comes from.
    :param warn: receives sentences for the user.
    :returns: the result (``failed: true`` with ``msg`` when it can't be done), and the secrets that came from the environment
        and must be kept out of what is shown.
    """
    try:
        connection = Connection.resolve(options)
    except errors.DeterminedError as error:
        return _failed(error, 0), []
    session = sessions.get(connection)
    session.warn = warn
    before = session.requests
    task = Task(options=options, session=session, names=Names(session), check_mode=check_mode, warn=warn)
    if _in_clear(connection):
        warn(f"The password for {connection.master} goes over the network in clear: use https.")
    try:
        result = operation.run(task)
    except errors.DeterminedError as error:
        # What was done before it failed counts as a change, where the operation says so.
        return {**_failed(error, session.requests - before), **task.extra}, connection.secrets
    return {**result, "requests": session.requests - before}, connection.secrets


def shown_arguments(operation: Operation, options: dict[str, t.Any]) -> dict[str, t.Any]:
    """The options as a result's ``invocation`` shows them: without no_log values, and without secrets in what is free-form."""
    spec = argument_spec(operation)
    hidden = {name for name, option in spec.items() if option.get("no_log")} | operation.arguments.unrepeated
    return {
        name: CENSORED if value is not None and name in hidden else masked(value) for name, value in options.items()
    }


def _failed(error: errors.DeterminedError, requests: int) -> dict[str, t.Any]:
    failure = {} if error.failure is None else {"failure": error.failure}
    return {"failed": True, "changed": False, "msg": str(error), "requests": requests, **failure}


def _in_clear(connection: Connection) -> bool:
    """Whether a password is sent unencrypted to another machine."""
    if not connection.password or connection.master.startswith("https:"):
        return False
    host = urlsplit(connection.master).hostname or ""
    return host not in {"localhost", "::1"} and not LOOPBACK.fullmatch(host)


class _Module(AnsibleModule):  # type: ignore[misc]
    def log(self, msg: str, log_args: dict[str, t.Any] | None = None) -> None:
        """Leave the options out of the target's system log: free-form ones may hold secrets."""
        super().log(msg.partition(" with ")[0] if log_args else msg)


def run_as_module(operation: Operation) -> None:
    """Be an ordinary Ansible module: one process, one task, its own login."""
    module = _Module(
        argument_spec=argument_spec(operation), supports_check_mode=True, **operation.arguments.constraints()
    )
    for library, traceback in MISSING:
        module.fail_json(msg=missing_required_lib(library), exception=traceback)
    sessions = Sessions(folder=None)
    try:
        result, secrets = execute(
            operation,
            dict(module.params),
            sessions,
            check_mode=module.check_mode,
            # What the server says in a warning may repeat what it was sent; Ansible scrubs results only.
            warn=lambda text: module.warn(remove_values(text, module.no_log_values)),
        )
    finally:
        sessions.close()
    module.no_log_values.update(secrets)
    result["invocation"] = {"module_args": shown_arguments(operation, module.params)}
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
