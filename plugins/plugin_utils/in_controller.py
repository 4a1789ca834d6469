# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Running a module's operation inside the controller.

An ordinary module costs a new Python process for each task and loop item, most of it imports. The strategy loads an action
plugin's class in the parent before it forks its workers, so everything imported here is imported once a run, and the
worker that a task runs in anyway does the work.
"""

from __future__ import annotations

import atexit
import os
import pathlib
import sys
import typing as t
from collections.abc import Mapping, Sequence

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.module_utils.basic import missing_required_lib
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import UnsupportedError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import merge_hash

from ansible_collections.determined.ai.plugins.module_utils._deps import MISSING, to_json
from ansible_collections.determined.ai.plugins.module_utils._engine.entry import (
    Sessions,
    argument_spec,
    execute,
    shown_arguments,
)
from ansible_collections.determined.ai.plugins.module_utils._engine.operation import Operation
from ansible_collections.determined.ai.plugins.module_utils._wire.login import end_run
from ansible_collections.determined.ai.plugins.module_utils._wire.rehearsal import rehearse

_LOADED_BY = os.getpid()
"""The process that loaded this file: the controller itself, unless an unusual strategy loads actions in its workers."""

_FOLDER = pathlib.Path(C.DEFAULT_LOCAL_TMP)
"""The run's private folder: Ansible makes it 0700 and removes it at the end."""

_sessions: dict[int, Sessions] = {}
"""The sessions of this process. A fork must not use its parent's connections, so they are kept by process id."""

TERMINAL = sys.stdout.isatty()
"""Whether somebody watches: asked when this is loaded, as a worker's own output leads nowhere."""

display = Display()


class DeterminedAction(ActionBase):
    """Runs `operation` here when the task is plainly local, and as a shipped module otherwise."""

    operation: t.ClassVar[Operation]
    secret_results: t.ClassVar[frozenset[str]] = frozenset()
    """Keys of a result that hands a secret over: what is registered holds it, what is displayed is hidden."""

    ships: t.ClassVar[bool] = True
    """Whether the task runs on another host when it is not plainly local. An operation that reads or writes the controller's
    files does not."""

    _supports_check_mode = True
    _supports_async = True
    _requires_connection = False
    _validator: t.ClassVar[ArgumentSpecValidator]

    def __init_subclass__(cls) -> None:
        """Do once a run, before the forks, what each task and each item would repeat."""
        cls._validator = ArgumentSpecValidator(argument_spec(cls.operation), **cls.operation.arguments.constraints())
        # An asynchronous task is a job on a host.
        cls._supports_async = cls.ships

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the task.

        :returns: the module's result.
        """
        result = self._run(super().run(tmp, task_vars), task_vars)
        if self.secret_results & result.keys():
            # Displayed and logged as under `no_log: true`, which the user need not think of.
            result["_ansible_no_log"] = True
        return result

    def _run(self, result: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        if self.ships:
            if not self._is_local():
                return self._ship(result, task_vars)
            # Ansible makes a new connection for each item of a loop unless it finds the last one's connected.
            self._connection._connect()
        for library, _traceback in MISSING:
            raise AnsibleActionFail(missing_required_lib(library))
        options, secrets = self._validated()
        sessions = _process_sessions()
        try:
            found, more = execute(
                self.operation,
                self.prepared(options),
                sessions,
                check_mode=self._task.check_mode,
                # What the server says in a warning may repeat what it was sent.
                warn=lambda text: display.warning(str(remove_values(text, secrets))),
            )
        finally:
            if os.getpid() == _LOADED_BY:
                # No parent outlives this process to log out for it.
                sessions.close()
        secrets.update(more)
        if _shows_invocation(task_vars):
            found["invocation"] = {"module_args": shown_arguments(self.operation, options)}
        result.update(_scrubbed(found, secrets))
        return result

    def prepared(self, options: dict[str, t.Any]) -> dict[str, t.Any]:
        """The options as the operation gets them: with what only the controller can give in place of a path."""
        return options

    def absolute(self, option: str, path: str | None) -> str | None:
        """A path as Ansible takes those of the controller: from the playbook's folder.

        :param option: the option that holds it.
        :raises AnsibleActionFail: it is empty, which would be the playbook's folder itself.
        """
        if path == "":
            raise AnsibleActionFail(f"{option} is empty: it must be a path; leave the option out if there is none.")
        return None if path is None else t.cast(str, self._loader.path_dwim(path))

    def _is_local(self) -> bool:
        """Whether nothing about the task asks for another machine, user or environment."""
        return not (
            MISSING
            or self._connection.transport != "local"
            or self._connection.become
            or self._task.async_val
            or any(self._task.environment or [])
        )

    def _ship(self, result: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        """Do what Ansible's own ``normal`` action does."""
        wrap_async = bool(self._task.async_val and not self._connection.has_native_async)
        result = merge_hash(result, self._execute_module(task_vars=task_vars, wrap_async=wrap_async))
        if not wrap_async:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _validated(self) -> tuple[dict[str, t.Any], set[str]]:
        """Validate the task's arguments with Ansible's own validator.

        :returns: plain options, and the values that must not be shown.
        """
        found = self._validator.validate(plain(self._task.args))
        if found.error_messages:
            message = found.errors.msg
            if isinstance(found.errors[0], UnsupportedError):
                message = f"Unsupported parameters for ({self._task.action}) module: {message}"
            raise AnsibleActionFail(str(remove_values(message, found._no_log_values)), obj=self._task.args)
        return found.validated_parameters, set(found._no_log_values)


def plain(value: t.Any) -> t.Any:
    """Turn what templating gives (tagged, lazy, vaulted and unsafe values) into plain Python data.

    Done once at the door: pydantic, json and requests then never meet Ansible's own types.
    """
    if value is None or isinstance(value, bool):
        return value
    for kind in (str, bytes, int, float):
        if isinstance(value, kind):
            return kind(value)
    # The abstract types last: in a fork, the first question to one of them costs about a millisecond.
    for kind in (dict, list, tuple, Mapping, Sequence):
        if isinstance(value, kind):
            if kind in (dict, Mapping):
                return {str(key): plain(item) for key, item in value.items()}
            return [plain(item) for item in value]
    return str(value)


def _shows_invocation(task_vars: dict[str, t.Any] | None) -> bool:
    """Whether results hold their arguments: since ansible-core 2.21 that is a setting, before they always do."""
    if "INJECT_INVOCATION" not in C.config.get_configuration_definitions():
        return True
    return bool(C.config.get_config_value("INJECT_INVOCATION", variables=task_vars))


def _scrubbed(result: dict[str, t.Any], secrets: set[str]) -> dict[str, t.Any]:
    """Take secrets out of a result, as AnsibleModule does.

    The walk over every value is skipped where the whole text holds no secret at all: large lists stay cheap.
    """
    flags = {name: value for name, value in result.items() if value is None or isinstance(value, bool)}
    if _may_hold(result, secrets):
        result = t.cast("dict[str, t.Any]", remove_values(result, secrets))
    return {**result, **flags}


def _may_hold(result: dict[str, t.Any], secrets: set[str]) -> bool:
    try:
        text = to_json(result, fallback=str)
        return any(to_json(secret)[1:-1] in text for secret in secrets)
    except ValueError:
        # Text that is no Unicode, such as a file's name with surrogates.
        return True


def _process_sessions() -> Sessions:
    pid = os.getpid()
    if pid not in _sessions:
        _sessions[pid] = Sessions(folder=None if pid == _LOADED_BY else _FOLDER)
    return _sessions[pid]


def _end_run() -> None:
    # Forked workers inherit the registration, but only the process that loaded the class ends the run.
    if os.getpid() == _LOADED_BY:
        try:
            end_run(_FOLDER, display.warning)
        except KeyboardInterrupt:
            # What is left takes a moment. Ansible hands the next interrupt to the system, which ends the process.
            end_run(_FOLDER, display.warning)


atexit.register(_end_run)
if not MISSING:
    rehearse()
