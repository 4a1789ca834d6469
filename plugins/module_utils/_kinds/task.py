# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Notebooks, shells, commands and TensorBoards (API page ml-resources, section 11.1).

The master gives each launch a new id, whatever it is called, keeps an ended one in its lists for a day, and can't edit any but
for its priority.
"""

from __future__ import annotations

import re
import typing as t

from .._wire.errors import InvalidOption, NotFound, Rejected, TimedOut
from .._wire.paging import Page, read_memory_list
from .._wire.session import Live, Session, route, unwrap
from .._wire.wait import WAIT_SPEC, check_wait, wait_until
from .duration import parse_duration
from .experiment import PRIORITIES
from .free_form import check_free_form
from .kind import Arguments, Kind, Normal, Task, same_config
from .masking import masked, masked_text

TYPES = {"notebook": "notebooks", "shell": "shells", "command": "commands", "tensorboard": "tensorboards"}
"""Types as options and results write them, and as paths do."""

ENDING = frozenset({"terminating", "terminated"})
UNDER_WAY = frozenset({"queued", "pulling", "starting", "waiting"})
DEFAULT_WORKSPACE = 1
"""Where the server launches without a workspace: ``Uncategorized``."""

SELECTORS = ("older_than", "users", "resource_pool")
"""The options that select many tasks to be killed."""

IMAGES = ("cpu", "cuda", "rocm")
"""What the server spreads one image, or one list of variables, over."""

REPEATED = re.compile(r"(merged config: )\{.*\}(: )", re.DOTALL)
"""What a refusal repeats of the configuration, in the place of the braces."""

SERVER_ENTRYPOINT = 1
"""How many items the server puts before a command's own ``entrypoint``."""


class LiveTask(Live):
    """A task, whatever its type. The private key of a shell is left on the wire."""

    id: str
    description: str = ""
    state: str = ""
    workspace_id: int | None = None
    user_id: int | None = None
    username: str | None = None
    resource_pool: str | None = None
    job_id: str | None = None
    start_time: str | None = None
    exit_status: str = ""
    service_address: str | None = None
    experiment_ids: list[int] | None = None
    trial_ids: list[int] | None = None

    def of(self, kind: str, config: dict[str, t.Any] | None = None) -> Normal:
        """The normal form: the state as a word in lower case, the priority out of the configuration.

        :param kind: a key of `TYPES`.
        :param config: the configuration, which lists do not have.
        """
        return {
            **self.model_dump(),
            "type": kind,
            "state": self.state.removeprefix("STATE_").lower(),
            "priority": ((config or {}).get("resources") or {}).get("priority"),
            "config": config,
        }


class Notebooks(Page):
    """One answer of ``GET /notebooks``."""

    notebooks: list[LiveTask]

    def items(self) -> list[LiveTask]:
        """The notebooks."""
        return self.notebooks


class Shells(Page):
    """One answer of ``GET /shells``."""

    shells: list[LiveTask]

    def items(self) -> list[LiveTask]:
        """The shells."""
        return self.shells


class Commands(Page):
    """One answer of ``GET /commands``."""

    commands: list[LiveTask]

    def items(self) -> list[LiveTask]:
        """The commands."""
        return self.commands


class Tensorboards(Page):
    """One answer of ``GET /tensorboards``."""

    tensorboards: list[LiveTask]

    def items(self) -> list[LiveTask]:
        """The TensorBoards."""
        return self.tensorboards


PAGES: dict[str, type[Page]] = {
    "notebook": Notebooks,
    "shell": Shells,
    "command": Commands,
    "tensorboard": Tensorboards,
}


def find_task(session: Session, kind: str, number: str) -> Normal | None:
    """Find a task by id, with its configuration; one that the master has forgotten is None."""
    try:
        answer = session.call("GET", route(TYPES[kind], number))
    except NotFound:
        return None
    found, data = unwrap(answer, kind, LiveTask), answer.json()
    config = data.get("config") if kind in data else None
    return found.of(kind, config or {})


def read_tasks(session: Session, kind: str, workspace_id: int | None = None) -> list[Normal]:
    """Read all tasks of a type that the master remembers, oldest first; without their configurations."""
    query = {"workspaceId": workspace_id}
    found = [one.of(kind) for one in read_memory_list(session, PAGES[kind], route(TYPES[kind]), query)]
    return sorted(found, key=lambda one: (one["start_time"] or "", one["id"]))


def shown_task(item: Normal) -> Normal:
    """A task without what is secret in its address and its configuration."""
    address = item["service_address"]
    return {
        **item,
        "service_address": None if address is None else masked_text(address),
        "config": masked(item["config"]),
    }


class TaskKind(Kind):
    """Notebooks, shells and commands by description and workspace, TensorBoards by experiments and workspace, all by id."""

    name = "task"
    volatile = frozenset({"exit_status"})
    arguments = Arguments(
        spec={
            "id": {"type": "str"},
            "type": {"type": "str", "choices": list(TYPES)},
            "description": {"type": "str"},
            "experiments": {"type": "list", "elements": "int"},
            "workspace": {"type": "str"},
            "state": {"type": "str", "choices": ["running", "killed"], "default": "running"},
            "config": {"type": "dict"},
            "template": {"type": "str"},
            "priority": {"type": "int"},
            "older_than": {"type": "str"},
            "users": {"type": "list", "elements": "str"},
            "resource_pool": {"type": "str"},
            **WAIT_SPEC,
        },
        required_one_of=(("id", "description", "experiments", *SELECTORS),),
        mutually_exclusive=(
            ("id", "description", "experiments"),
            *(("id", option) for option in ("workspace", "config", "template")),
            *((one, many) for many in SELECTORS for one in ("id", "description", "experiments")),
        ),
        required_by={"id": ("type",), "description": ("type",), "experiments": ("type",)},
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse what no type or the declared state can't have."""
        check_wait(options)
        kind = options["type"]
        if (kind == "tensorboard") != (options["experiments"] is not None) and options["id"] is None:
            raise InvalidOption(
                f"type is {kind}: a TensorBoard is told by its experiments, as the server overwrites its description, and all "
                "others are told by their description."
            )
        if options["experiments"] == []:
            raise InvalidOption("experiments is empty: a TensorBoard has at least one experiment.")
        if options["description"] is not None and not options["description"].strip():
            raise InvalidOption("description is empty: the server would make one up, and no second run would find it.")
        if options["priority"] is not None and options["priority"] not in PRIORITIES:
            raise InvalidOption(f"priority is {options['priority']}: it must be between 1 and 99.")
        if options["state"] == "killed":
            for option in ("config", "template", "priority"):
                if options[option] is not None:
                    raise InvalidOption(f"{option} is given with state killed: what is killed can't have it.")
        config = options["config"] or {}
        if "description" in config:
            raise InvalidOption("config has a description: give it as the option description.")
        check_free_form("config", config)

    # --- finding ---

    def find(self, task: Task) -> Normal | None:
        """Find the one live task of that key; one that is on its way to where the task wants it is waited for."""
        options = task.options
        found = find_task(task.session, options["type"], options["id"]) if options["id"] else self._by_key(task)
        if found is None or not options["wait"]:
            return found
        if options["state"] == "killed" and found["state"] == "terminating":
            return _wait_for(task, found, ENDING - {"terminating"})
        if options["state"] == "running" and found["state"] in UNDER_WAY:
            return _wait_until_it_runs(task, found)
        return found

    def _by_key(self, task: Task) -> Normal | None:
        options, kind = task.options, task.options["type"]
        matching = [one for one in read_tasks(task.session, kind, _workspace_id(task)) if _is_meant(one, options)]
        if len(matching) > 1:
            ids = ", ".join(f"{one['id']} ({one['username']}, {one['state']})" for one in matching)
            raise InvalidOption(
                f"{_key(options)}: {len(matching)} live {TYPES[kind]} answer to it, {ids}; give the id of the one that is meant, "
                "or kill the others."
            )
        return find_task(task.session, kind, matching[0]["id"]) if matching else None

    # --- deciding ---

    def wanted(self, task: Task, live: Normal | None) -> Normal | None:
        """Say what is declared; of a live task that is only its priority, and how its configuration differs is told."""
        options = task.options
        if options["state"] == "killed":
            if live is None:
                return None
            if live["state"] in ENDING:
                return {}
            # What is queued has ended when the kill is answered; what runs has yet to stop.
            at_once = options["wait"] or live["state"] == "queued"
            return {"state": "terminated" if at_once else "terminating"}
        config = options["config"] or {}
        priority = options["priority"] or (config.get("resources") or {}).get("priority")
        declared = {} if priority is None else {"priority": priority}
        if live is None:
            if options["id"] is not None:
                raise InvalidOption(
                    f"id is {options['id']!r}: there is no such {options['type']}, or you may not see it."
                )
            declared |= {"type": options["type"], "workspace_id": _workspace_id(task), "config": config}
            for option, field in (("description", "description"), ("experiments", "experiment_ids")):
                if options[option] is not None:
                    declared[field] = options[option]
            return declared
        if live["state"] in ENDING and options["id"] is not None:
            raise InvalidOption(
                f"state is running: {_who(live)} is {live['state']}, and one that has ended can't be started again; launch "
                "another one by its description, or its experiments."
            )
        if live["state"] in ENDING:
            # A command that was live at the first look, and came to its end while it was waited for.
            return {}
        differing = _differences(_comparable(options), live["config"], "config")
        if differing:
            task.extra["differs"] = differing
            task.warn(
                f"{_who(live)} is left alone although it was launched otherwise than declared ({', '.join(differing)}): a task "
                "can't be edited. Kill it first to have it launched anew."
            )
        return declared

    def blank(self, task: Task) -> Normal:
        """A task of the caller that was just launched."""
        caller = task.session.caller()
        state = "running" if task.options["wait"] else "queued"
        made = LiveTask(id="", state=state, user_id=caller.id, username=caller.username)
        return {**made.of(task.options["type"]), "id": None}

    # --- writing ---

    def create(self, task: Task, wanted: Normal) -> Normal:
        """Launch it, and wait until it runs."""
        options, kind = task.options, task.options["type"]
        config = dict(options["config"] or {})
        if options["description"] is not None:
            config["description"] = options["description"]
        if "priority" in wanted:
            config["resources"] = {**(config.get("resources") or {}), "priority": wanted["priority"]}
        body = {
            "config": config,
            "workspaceId": wanted["workspace_id"],
            "templateName": options["template"] or "",
            **({"experimentIds": options["experiments"]} if kind == "tensorboard" else {}),
        }
        try:
            answer = task.session.write("POST", route(TYPES[kind]), body)
        except Rejected as error:
            raise _without_config(error) from error
        made = unwrap(answer, kind, LiveTask)
        if options["wait"]:
            return _wait_until_it_runs(task, made.of(kind))
        return _reread(task, made.of(kind))

    def update(self, task: Task, live: Normal, changes: Normal) -> Normal:
        """Kill it, or set its priority."""
        session, path = task.session, (TYPES[live["type"]], live["id"])
        if "state" in changes:
            session.write("POST", route(*path, "kill"))
            return _wait_for(task, live, ENDING - {"terminating"}) if task.options["wait"] else _reread(task, live)
        session.write("POST", route(*path, "set_priority"), {"priority": changes["priority"]})
        after = _reread(task, live)
        if after["priority"] != changes["priority"]:
            raise Rejected(f"The master answered 200, but kept priority {after['priority']} of {_who(live)}.")
        return after

    def remove(self, task: Task, live: Normal) -> None:
        """Never called: a killed task is still listed, as terminated."""
        raise InvalidOption("tasks can't be removed, only killed.")

    def shown(self, task: Task, item: Normal) -> Normal:
        """The task without secrets."""
        return shown_task(item)


def _without_config(error: Rejected) -> Rejected:
    """The same refusal: of a configuration that it can't read, the server's text repeats all, secrets included."""
    failure = error.failure and {**error.failure, "message": REPEATED.sub(r"\1(not shown)\2", error.server_message)}
    return Rejected(REPEATED.sub(r"\1(not shown)\2", str(error)), failure)


# --- which one is meant ---


def _workspace_id(task: Task) -> int:
    name = task.options["workspace"]
    return DEFAULT_WORKSPACE if name is None else task.names.workspace("workspace", name).id


def _is_meant(found: Normal, options: dict[str, t.Any]) -> bool:
    """Whether a task has the declared key and is live: one that is terminating is, where it is to be killed."""
    if found["state"] == "terminated" or (found["state"] in ENDING and options["state"] == "running"):
        return False
    if options["experiments"] is None:
        return bool(found["description"] == options["description"])
    return set(found["experiment_ids"] or ()) == set(options["experiments"]) and not found["trial_ids"]


def _key(options: dict[str, t.Any]) -> str:
    if options["experiments"] is None:
        return f"description is {options['description']!r}"
    return f"experiments is {sorted(set(options['experiments']))}"


def _who(live: Normal) -> str:
    return f"{live['type']} {live['id']} ({live['description']!r})"


# --- comparing configurations ---


def _comparable(options: dict[str, t.Any]) -> dict[str, t.Any]:
    """The declared configuration in the form that the server makes of it, without what it decides by itself."""
    config = {name: value for name, value in (options["config"] or {}).items() if value is not None}
    resources = {name: value for name, value in (config.get("resources") or {}).items() if name != "priority"}
    if options["type"] == "tensorboard":
        # The server sets it to 0.
        resources.pop("slots", None)
    environment = dict(config.get("environment") or {})
    if isinstance(environment.get("image"), str):
        environment["image"] = dict.fromkeys(IMAGES, environment["image"])
    if isinstance(environment.get("environment_variables"), list):
        environment["environment_variables"] = dict.fromkeys(IMAGES, environment["environment_variables"])
    config |= {"resources": resources, "environment": environment}
    if options["type"] != "command":
        config.pop("entrypoint", None)
    return config


def _differences(declared: t.Any, live: t.Any, place: str) -> list[str]:
    """The places where a declared configuration is not what is live; places only, as values may be secret.

    What is not declared may be anything: a template, the cluster or the server has set it.
    """
    name = place.rpartition(".")[2]
    if declared is None or declared == {}:
        return []
    if isinstance(declared, dict) and isinstance(live, dict):
        return [
            found for key, value in declared.items() for found in _differences(value, live.get(key), f"{place}.{key}")
        ]
    if name == "idle_timeout" and isinstance(live, str) and isinstance(declared, str):
        same = parse_duration(place, declared) == parse_duration(place, live)
    elif name == "entrypoint" and isinstance(live, list):
        same = live[SERVER_ENTRYPOINT:] == declared
    elif isinstance(declared, list) and isinstance(live, list) and _is_united(place, declared):
        same = all(any(not _differences(item, one, "") for one in live) for item in declared)
    elif isinstance(declared, str) != isinstance(live, str) and live is not None and not isinstance(live, (list, dict)):
        # Two ways to write the same: a shm_size of 2g is stored as a number of bytes.
        same = True
    else:
        same = same_config(live, declared)
    return [] if same else [place]


def _is_united(place: str, declared: list[t.Any]) -> bool:
    """Whether the server adds its own items to such a list: mounts, ports and variables of the cluster and the template."""
    return any(isinstance(item, dict) for item in declared) or ".environment_variables." in place


# --- waiting ---


def _reread(task: Task, live: Normal) -> Normal:
    found = find_task(task.session, live["type"], live["id"])
    if found is None:
        raise NotFound(f"{_who(live)} disappeared: the master forgets tasks that have ended when it restarts.")
    return found


def _wait_for(task: Task, live: Normal, states: t.Collection[str]) -> Normal:
    return wait_until(
        task.options,
        lambda: _reread(task, live),
        lambda found: found["state"] in states,
        lambda found: f"{_who(found)} is {found['state']}.",
    )


def _wait_until_it_runs(task: Task, live: Normal) -> Normal:
    """Wait until it runs. A command may have come to its end by then, the others serve until they are ended.

    :raises TimedOut: it does not run in time, or not any more.
    """
    after = _wait_for(task, live, {"running", *ENDING})
    if after["state"] in ENDING and after["type"] != "command":
        raise TimedOut(f"{_who(after)} is {after['state']} by now and did not come to run: {after['exit_status']}.")
    return after


TASK = TaskKind()
