# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Projects, which hold the experiments of a workspace (API page ml-resources, section 8)."""

from __future__ import annotations

import re
import typing as t

from .._wire.errors import DeterminedError, InvalidOption, NotFound
from .._wire.paging import Page, read_memory_list
from .._wire.session import Live, Session, route, unwrap
from .._wire.wait import WAIT_SPEC, check_wait, wait_until
from .archiving import archive_again
from .contents import deletion_failed, end_experiments, experiments, refuse_without_right, telling
from .kind import Arguments, Declarable, Normal, Reader, Reference, Task
from .lookup import Named, Names, literal, refuse_empty
from .rights import doubt_absence
from .user import check_limit

NAME_CHARACTERS = 80
UNCATEGORIZED = 1
"""The built-in workspace, which takes no further projects."""

PATCHED = ("name", "description", "key")
"""The fields of a PATCH, which an archived project and the built-in one refuse."""


class Note(Live):
    """A note of a project."""

    name: str = ""
    contents: str = ""


class Project(Live):
    """A project as the list has it (``proto/src/determined/project/v1/project.proto``); a single GET hides its state."""

    id: int
    name: str
    workspace_id: int = 0
    description: str = ""
    key: str | None = None
    notes: list[Note] | None = None
    archived: bool = False
    immutable: bool = False
    user_id: int | None = None
    username: str | None = None
    num_experiments: int = 0
    num_active_experiments: int = 0
    num_runs: int = 0
    last_experiment_started_at: str | None = None
    state: str = ""
    error_message: str | None = None

    def normal(self) -> Normal:
        """The normal form, the state as a word in lower case."""
        shown = self.model_dump()
        return {
            **shown,
            "notes": shown["notes"] or [],
            "state": self.state.removeprefix("WORKSPACE_STATE_").lower(),
        }


class Projects(Page):
    """One answer of ``GET /workspaces/{id}/projects``."""

    projects: list[Project]

    def items(self) -> list[Project]:
        """The projects."""
        return self.projects


def read_projects(session: Session, workspace_id: int, query: t.Mapping[str, t.Any] | None = None) -> list[Project]:
    """Read the projects of a workspace, or of all (0), each with its own archived flag.

    Projects of an archived workspace all read as archived; their own flags show in what the list's filter lets pass. That
    takes a second call, if there is any that reads so.
    """
    path, query = route("workspaces", workspace_id, "projects"), query or {}
    found: list[Project] = read_memory_list(session, Projects, path, query)
    if "archived" in query or not any(project.archived for project in found):
        # The filter looks at their own flags.
        own = {project.id for project in found if query.get("archived")}
    else:
        marked = read_memory_list(session, Projects, path, {**query, "archived": True})
        own = {project.id for project in marked}
    return [project.model_copy(update={"archived": project.id in own}) for project in found]


def find_project(session: Session, workspace_id: int, name: str) -> Normal | None:
    """Find a project by its exact name in a workspace; the server's filter is a pattern without case."""
    found = read_projects(session, workspace_id, {"name": literal(name)})
    return next((project.normal() for project in found if project.name == name), None)


class ProjectKind(Declarable):
    """Projects, by workspace and name; written by number."""

    name = "project"
    plural = "projects"
    switches = frozenset({"new_name", "move_to_workspace", "force_non_empty", *WAIT_SPEC})
    rename_option = "new_name"
    refers: t.ClassVar = {"workspace_id": "workspaces"}
    volatile = frozenset({"num_experiments", "num_active_experiments", "num_runs", "last_experiment_started_at"})
    arguments = Arguments(
        spec={
            "workspace": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "new_name": {"type": "str"},
            "move_to_workspace": {"type": "str"},
            "description": {"type": "str"},
            "key": {"type": "str", "no_log": False},
            "notes": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "name": {"type": "str", "required": True},
                    "contents": {"type": "str", "default": ""},
                },
            },
            "archived": {"type": "bool"},
            "force_non_empty": {"type": "bool", "default": False},
            **WAIT_SPEC,
        },
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Apply the server's rules for names and keys, of which it tells with a 500."""
        _check_name("name", options["name"])
        check_wait(options)
        for option in ("new_name", "move_to_workspace"):
            if options[option] is not None and options["state"] == "absent":
                raise InvalidOption(
                    f"{option} is given with state absent: a project that is removed can't be renamed or moved."
                )
        if options["new_name"] is not None:
            _check_name("new_name", options["new_name"])
        for option in ("workspace", "move_to_workspace"):
            if options[option] == "":
                raise InvalidOption(f"{option} is empty: it must be a workspace's name.")
        key = options["key"]
        if key is not None and not re.fullmatch(r"[A-Za-z0-9]{1,5}", key):
            raise InvalidOption(f"key is {key!r}: it must be one to five letters and digits (A-Z, 0-9).")

    # --- finding ---

    def find(self, task: Task) -> Normal | None:
        """Find the project, where it goes too when it is being renamed or moved."""
        options, session = task.options, task.session
        here, there = _places(options)
        if options["state"] == "absent":
            return self._find_to_remove(task)
        target = task.names.workspace("workspace" if here[0] == there[0] else "move_to_workspace", there[0])
        found = find_project(session, target.id, there[1])
        if here == there:
            return found
        try:
            origin = target if here[0] == there[0] else task.names.workspace("workspace", here[0])
        except InvalidOption:
            # Where it came from may be gone, once it has moved.
            if found is None:
                raise
            return found
        old = find_project(session, origin.id, here[1])
        if found is not None and old is not None:
            raise InvalidOption(
                f"{_called(*there)} exists already (id {found['id']}), and so does {_called(*here)} (id {old['id']}); one of them has "
                "to go first."
            )
        return found or old

    def _find_to_remove(self, task: Task) -> Normal | None:
        name = task.options["workspace"]
        workspace = next((found for found in task.names.all_workspaces() if found.name == name), None)
        # A workspace that is gone took its projects along.
        found = None if workspace is None else find_project(task.session, workspace.id, task.options["name"])
        if found is None:
            doubt_absence(task, self.plural, f"{_called(name, task.options['name'])} is not seen.")
        elif found["state"] == "deleting" and not task.options["wait"]:
            return None
        return found

    # --- deciding ---

    def wanted(self, task: Task, live: Normal | None) -> Normal | None:
        """Say what is declared, and refuse what the states of project and workspaces do not allow."""
        options = task.options
        if options["state"] == "absent":
            if live is not None:
                self._check_removal(task, live)
            return None
        if live is not None and live["state"] == "deleting":
            raise InvalidOption(f"{_who(live)} is being deleted: nothing of it can be declared any more.")
        here, there = _places(options)
        target = task.names.workspace("workspace" if here[0] == there[0] else "move_to_workspace", there[0])
        wanted: Normal = {"name": there[1], "workspace_id": target.id}
        for field in ("description", "archived"):
            if options[field] is not None:
                wanted[field] = options[field]
        if options["key"] is not None:
            wanted["key"] = options["key"].upper()
        if options["notes"] is not None:
            wanted["notes"] = [{"name": note["name"], "contents": note["contents"] or ""} for note in options["notes"]]
        moves = live is None or live["workspace_id"] != target.id
        if moves and target.id == UNCATEGORIZED:
            raise InvalidOption(f"The workspace {target.name!r} is built in and takes no projects.")
        if moves and target.archived:
            raise InvalidOption(f"The workspace {target.name!r} is archived and takes no projects: unarchive it first.")
        if live is not None:
            self._check_edits(task, live, wanted, here[0], target)
        return wanted

    def _check_edits(self, task: Task, live: Normal, wanted: Normal, origin: str, target: Named) -> None:
        edits = [
            name for name in (*PATCHED, "workspace_id", "archived") if name in wanted and live[name] != wanted[name]
        ]
        if not edits:
            return
        if live["immutable"]:
            raise InvalidOption(f"{_who(live)} is built in and can't be changed ({', '.join(edits)}).")
        workspace = target if live["workspace_id"] == target.id else task.names.workspace("workspace", origin)
        if workspace.id != live["workspace_id"]:
            # By key: one of the two names has a slash in it.
            raise InvalidOption(
                f"{_called(origin, task.options['name'])} can't be told from {live['name']!r} of another workspace (id "
                f"{live['workspace_id']}): rename one of them."
            )
        if workspace.archived:
            raise InvalidOption(
                f"{_who(live)} can't be changed ({', '.join(edits)}), as its workspace {workspace.name!r} is archived: unarchive that "
                "first."
            )
        if live["archived"] and task.options["archived"] is None:
            raise InvalidOption(
                f"{_who(live)} is archived and refuses edits ({', '.join(edits)}): set archived to true to have it unarchived, edited "
                "and archived again, or to false to unarchive it."
            )

    def _check_removal(self, task: Task, live: Normal) -> None:
        if live["immutable"]:
            raise InvalidOption(f"{_who(live)} is built in and can't be removed.")
        held = live["num_experiments"]
        if held and not task.options["force_non_empty"] and live["state"] != "deleting":
            raise InvalidOption(
                f"{_who(live)} holds {experiments(held)}: move or remove them first, or set force_non_empty to true to have them removed "
                "with it."
            )
        if held:
            workspace = task.names.workspace("workspace", task.options["workspace"])
            refuse_without_right(task, _who(live), "DELETE_PROJECT", {live["user_id"], workspace.user_id})
        task.extra["removed_along"] = {"experiments": held} if held else {}

    # --- writing ---

    def create(self, task: Task, wanted: Normal) -> Normal:
        """Create the project; notes and archiving are calls of their own."""
        body = {name: wanted[name] for name in PATCHED if name in wanted}
        answer = task.session.write("POST", route("workspaces", wanted["workspace_id"], "projects"), body)
        made = unwrap(answer, "project", Project).normal()
        later = {name: wanted[name] for name in ("notes", "archived") if wanted.get(name)}
        if not later:
            return made
        try:
            return self.update(task, made, later)
        except DeterminedError as error:
            raise type(error)(
                f"The project {made['name']!r} was created, but without {' and '.join(later)}: {error}", error.failure
            ) from error

    def update(self, task: Task, live: Normal, changes: Normal) -> Normal:
        """Write the changes, unarchiving an archived project for as long as that takes. Only notes can be written to one."""
        session, number = task.session, live["id"]
        edits = {name: changes[name] for name in PATCHED if name in changes}
        archived: bool = live["archived"]
        archived_then: bool = changes.get("archived", archived)
        opens = archived and (bool(edits) or "workspace_id" in changes)
        try:
            if opens:
                session.write("POST", route("projects", number, "unarchive"))
                archived = False
            if edits:
                session.write("PATCH", route("projects", number), edits)
            if "workspace_id" in changes:
                body = {"destinationWorkspaceId": changes["workspace_id"]}
                session.write("POST", route("projects", number, "move"), body)
            if "notes" in changes:
                session.write("PUT", route("projects", number, "notes"), {"notes": changes["notes"]})
        except DeterminedError as error:
            if opens and archived_then:
                archive_again(session, "projects", number, error)
            raise
        if archived != archived_then:
            session.write("POST", route("projects", number, "archive" if archived_then else "unarchive"))
        return _reread(task, live, archived_then)

    def remove(self, task: Task, live: Normal) -> None:
        """End what still runs in it, delete it with its experiments, and wait until it is gone."""
        done: list[str] = []
        with telling(done):
            if live["num_experiments"]:
                killed = end_experiments(task, [live["id"]])
                done += [f"{experiments(killed)} killed"] if killed else []
            task.session.write("DELETE", route("projects", live["id"]))
            if task.options["wait"]:
                _wait_until_gone(task, live)

    # --- predicting ---

    def blank(self, task: Task) -> Normal:
        """A new project as the server makes it, owned by the caller; it makes up a key of its own."""
        caller = task.session.caller()
        made = Project(id=0, name="", user_id=caller.id, username=caller.username, state="UNSPECIFIED").normal()
        return {**made, "id": None, "key": None, "error_message": ""}

    # --- a whole cluster ---

    def key(self, options: dict[str, t.Any]) -> str:
        """Its workspace and its name."""
        return f"{options['workspace']}/{options['name']}"

    def key_of(self, live: Normal, names: Names) -> str:
        """Its workspace and its name; a workspace that the caller may not see stands there by its number."""
        return f"{_workspace_of(live, names)}/{live['name']}"

    def read_all(self, session: Session, names: Names) -> t.Sequence[Normal]:
        """Read the list of all workspaces' projects, which holds all of each."""
        return [project.normal() for project in read_projects(session, 0)]

    def references(self, options: dict[str, t.Any]) -> t.Sequence[Reference]:
        """Its workspace."""
        return [Reference("workspaces", options["workspace"], "workspace")]

    def renamed(self, options: dict[str, t.Any], old_key: str) -> dict[str, t.Any]:
        """Rename, move, or both. The old key is taken apart at its first slash, unless the workspace stays and has one."""
        stays = f"{options['workspace']}/"
        split = len(stays) if old_key.startswith(stays) else old_key.find("/") + 1
        if split == 0:
            raise InvalidOption(
                f"renamed_from is {old_key!r}: it must be a workspace and a project, as in workspace/project."
            )
        moved = {"workspace": old_key[: split - 1], "name": old_key[split:], "new_name": options["name"]}
        return {**options, **moved, "move_to_workspace": options["workspace"]}

    def declaration(self, live: Normal, names: Names) -> dict[str, t.Any]:
        """The options that declare it."""
        options: dict[str, t.Any] = {"workspace": _workspace_of(live, names), "name": live["name"]}
        # The key of the built-in one is the server's, and can't be changed.
        fields = ("description", "notes") if live["immutable"] else ("description", "key", "notes")
        options.update({field: live[field] for field in fields if live[field]})
        if live["archived"]:
            options["archived"] = True
        return options

    def undeclarable(self, live: Normal, names: Names) -> str | None:
        """One that is on its way out, or whose workspace can't be named."""
        if live["state"] == "deleting":
            return "it is being deleted"
        if names.name_of("workspaces", live["workspace_id"]) is None:
            return f"its workspace (id {live['workspace_id']}) can't be seen"
        return None

    def built_in(self, live: Normal) -> str | None:
        """``Uncategorized``, which the server marks."""
        return "it is built in" if live["immutable"] else None


def _places(options: dict[str, t.Any]) -> tuple[tuple[str, str], tuple[str, str]]:
    """Where the project is, and where it must be: workspace and name."""
    here = options["workspace"], options["name"]
    return here, (options["move_to_workspace"] or here[0], options["new_name"] or here[1])


def _called(workspace: str, name: str) -> str:
    return f"The project {name!r} of the workspace {workspace!r}"


def _who(live: Normal) -> str:
    return f"The project {live['name']!r}"


def _workspace_of(live: Normal, names: Names) -> str:
    return names.name_of("workspaces", live["workspace_id"]) or str(live["workspace_id"])


def _check_name(option: str, name: str) -> None:
    """Apply the server's rules for names (the constraints ``namemin`` and ``namemax`` of its table)."""
    if not name:
        raise InvalidOption(f"{option} is empty: it must be a project's name.")
    if len(name) > NAME_CHARACTERS:
        raise InvalidOption(
            f"{option} is {name!r}: a project's name has at most {NAME_CHARACTERS} characters, this one has {len(name)}."
        )


def _reread(task: Task, live: Normal, archived: bool) -> Normal:
    """Read a project that has been written to. A single GET hides its own archived flag and its state, both known here."""
    try:
        found = task.session.read(Project, "project", route("projects", live["id"])).normal()
    except NotFound as error:
        raise NotFound(f"{_who(live)} disappeared while it was being changed: {error}", error.failure) from error
    return {**found, "archived": archived, "state": live["state"]}


def _wait_until_gone(task: Task, live: Normal) -> None:
    """Wait for the end of a deletion in the list, as a single GET never shows that it failed (API page, trap 8)."""

    def look() -> Normal | None:
        try:
            return find_project(task.session, live["workspace_id"], live["name"])
        except NotFound:
            # The workspace went as well.
            return None

    left = wait_until(
        task.options,
        look,
        lambda found: found is None or found["id"] != live["id"] or found["state"] == "delete_failed",
        lambda found: (
            f"the project {live['name']!r} is {found['state'] if found else 'gone'}; checkpoints inside are removed by a task on an "
            "agent: no agent, no end."
        ),
    )
    if left is not None and left["id"] == live["id"]:
        raise deletion_failed("project", left)


class ProjectReader(Reader):
    """Projects of one workspace or all."""

    arguments = Arguments(
        spec={
            "workspace": {"type": "str"},
            "name": {"type": "str"},
            "name_contains": {"type": "str"},
            "key": {"type": "str", "no_log": False},
            "archived": {"type": "bool"},
            "users": {"type": "list", "elements": "str"},
            "limit": {"type": "int"},
        },
        mutually_exclusive=(("name", "name_contains"),),
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse a limit below 1, and users that are none."""
        check_limit(options["limit"])
        refuse_empty(options, "users")

    def read(self, task: Task) -> dict[str, t.Any]:
        """Read the projects that match; the server's filters narrow, this side decides."""
        options = task.options
        if options["users"]:
            task.names.users("users", options["users"])
        workspace = options["workspace"]
        workspace_id = 0 if workspace is None else task.names.workspace("workspace", workspace).id
        query: dict[str, t.Any] = {}
        if options["archived"] is not None:
            query["archived"] = options["archived"]
        if options["name"]:
            query["name"] = literal(options["name"])
        found = read_projects(task.session, workspace_id, query)
        matching = [project.normal() for project in found if _matches(project, options)]
        return {"projects": matching[: options["limit"]], "total": len(matching)}


def _matches(project: Project, options: dict[str, t.Any]) -> bool:
    return (
        (options["name"] is None or project.name == options["name"])
        and (options["name_contains"] or "").casefold() in project.name.casefold()
        and (options["key"] is None or project.key == options["key"].upper())
        and (options["archived"] is None or project.archived is options["archived"])
        and (not options["users"] or project.username in options["users"])
    )


PROJECT = ProjectKind()
PROJECTS = ProjectReader()
