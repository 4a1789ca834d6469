# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Workspaces, which hold projects, models and templates (API page ml-resources, section 7)."""

from __future__ import annotations

import typing as t

from .._wire.errors import Conflict, DeterminedError, InvalidOption, LostAnswer, NotFound
from .._wire.paging import Page, read_memory_list
from .._wire.session import Live, Session, route, unwrap
from .._wire.wait import WAIT_SPEC, check_wait, wait_until
from . import workspace_namespaces as namespaces
from .archiving import archive_again
from .contents import (
    contents_of,
    deletion_failed,
    end_experiments,
    experiments,
    models_in,
    projects_in,
    refuse_without_right,
    telling,
    webhooks_in,
)
from .kind import PLAIN, Arguments, Declarable, Field, Normal, Task, same_config
from .lookup import Names, literal
from .masking import masked
from .rights import doubt_absence
from .user import AGENT_FIELDS, AgentUserGroup
from .workspace_storage import as_live, check_storage, declared_storage, on_wire, storage_with_keeps

NAME_BYTES = 80
"""The longest name, in bytes; the server's own message says 53."""

PATCHED = {
    "name": "name",
    "agent_user_group": "agentUserGroup",
    "checkpoint_storage": "checkpointStorageConfig",
    # A POST and a GET call the two defaultComputePool and defaultAuxPool; a PATCH ignores those (API page, trap 15).
    "default_compute_pool": "defaultComputeResourcePool",
    "default_aux_pool": "defaultAuxResourcePool",
}
"""The fields of a PATCH, which an archived workspace and ``Uncategorized`` refuse."""

POOLS = ("default_compute_pool", "default_aux_pool")
KEYS = "checkpoint_storage_keys"
"""The field that stands for keys to be written, which can't be read back."""


class Workspace(Live):
    """A workspace as lists have it, that is without its checkpoint storage (``proto/src/determined/workspace/v1``)."""

    id: int
    name: str
    archived: bool = False
    immutable: bool = False
    pinned: bool = False
    user_id: int | None = None
    username: str | None = None
    num_projects: int = 0
    num_experiments: int = 0
    state: str = ""
    error_message: str | None = None
    default_compute_pool: str | None = None
    default_aux_pool: str | None = None
    agent_user_group: AgentUserGroup | None = None

    def normal(self) -> Normal:
        """The normal form, the state as a word in lower case; no pool is an empty text."""
        shown = {**self.model_dump(), "state": self.state.removeprefix("WORKSPACE_STATE_").lower()}
        return {**shown, **{name: shown[name] or "" for name in POOLS}}


class WholeWorkspace(Workspace):
    """A workspace as a single GET has it."""

    checkpoint_storage_config: dict[str, t.Any] | None = None

    def normal(self) -> Normal:
        """The normal form, with the storage as it is compared."""
        shown = super().normal()
        storage = as_live(shown.pop("checkpoint_storage_config"))
        return {**shown, "checkpoint_storage": storage}


class Workspaces(Page):
    """One answer of ``GET /workspaces``."""

    workspaces: list[Workspace]

    def items(self) -> list[Workspace]:
        """The workspaces."""
        return self.workspaces


def listed_workspace(session: Session, name: str) -> Workspace | None:
    """Find a workspace by its exact name; the server's filter is a pattern (API page, trap 6)."""
    found = read_memory_list(session, Workspaces, "/api/v1/workspaces", {"nameCaseSensitive": literal(name)})
    return next((workspace for workspace in found if workspace.name == name), None)


def whole_workspace(session: Session, workspace_id: int) -> WholeWorkspace | None:
    """Find a workspace by its number."""
    return session.find(WholeWorkspace, "workspace", route("workspaces", workspace_id))


class WorkspaceKind(Declarable):
    """Workspaces, by name; written by number."""

    name = "workspace"
    plural = "workspaces"
    switches = frozenset({"new_name", "update_secrets", "force_non_empty", *WAIT_SPEC})
    rename_option = "new_name"
    late = (frozenset(POOLS), frozenset({"archived"}))
    completes = True
    fields: t.ClassVar = {
        "checkpoint_storage": Field(same=same_config),
        KEYS: Field(write_only=True),
        "resource_quota": Field(same=same_config),
    }
    volatile = frozenset({"num_projects", "num_experiments"})
    arguments = Arguments(
        spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "new_name": {"type": "str"},
            "archived": {"type": "bool"},
            "agent_user_group": {
                "type": "dict",
                "options": {
                    "uid": {"type": "int"},
                    "gid": {"type": "int"},
                    "user": {"type": "str"},
                    "group": {"type": "str"},
                },
            },
            "checkpoint_storage": {"type": "dict"},
            "update_secrets": {
                "type": "str",
                "choices": ["on_create", "always"],
                "default": "on_create",
                "no_log": False,
            },
            "default_compute_pool": {"type": "str"},
            "default_aux_pool": {"type": "str"},
            "namespace_bindings": {"type": "dict"},
            "resource_quota": {"type": "dict"},
            "force_non_empty": {"type": "bool", "default": False},
            **WAIT_SPEC,
        },
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Apply the server's rules for names, and refuse what could only be stored and then fail."""
        _check_name("name", options["name"])
        check_wait(options)
        if options["new_name"] is not None:
            _check_name("new_name", options["new_name"])
            if options["state"] == "absent":
                raise InvalidOption(
                    "new_name is given with state absent: a workspace that is removed can't be renamed."
                )
        _check_agent(options["agent_user_group"])
        if options["checkpoint_storage"] is not None:
            check_storage(options["checkpoint_storage"])
        namespaces.check_namespaces(options["namespace_bindings"], options["resource_quota"])

    # --- finding ---

    def find(self, task: Task) -> Normal | None:
        """Find the workspace, under the new name too when it is being renamed."""
        name, new = task.options["name"], task.options["new_name"]
        found = None if new is None or new == name else listed_workspace(task.session, new)
        old = listed_workspace(task.session, name)
        if found is not None and old is not None:
            raise InvalidOption(
                f"new_name is {new!r}: that workspace exists already (id {found.id}), and so does {name!r} (id {old.id}); one of "
                "them has to go first."
            )
        found, absent = found or old, task.options["state"] == "absent"
        if found is None and absent:
            doubt_absence(task, self.plural, f"name is {name!r}: you see no such workspace.")
        if found is None or (absent and _is_as_good_as_gone(task, found.normal())):
            return None
        return self._read(task, found.id)

    def _read(self, task: Task, workspace_id: int) -> Normal | None:
        """Read one workspace, and its namespaces where they are declared."""
        whole = whole_workspace(task.session, workspace_id)
        if whole is None:
            return None
        found = {**whole.normal(), **namespaces.NOWHERE}
        if task.options["namespace_bindings"] is not None or task.options["resource_quota"] is not None:
            found.update(namespaces.read_namespaces(task.session, workspace_id))
        return found

    # --- deciding ---

    def wanted(self, task: Task, live: Normal | None) -> Normal | None:
        """Say what is declared, and refuse what the workspace's state does not allow."""
        options = task.options
        if options["state"] == "absent":
            if live is not None:
                self._check_removal(task, live)
            return None
        if live is not None and live["state"] == "deleting":
            raise InvalidOption(f"{_who(live)} is being deleted: nothing of it can be declared any more.")
        wanted: Normal = {"name": options["new_name"] or options["name"]}
        for field in ("archived", *POOLS):
            if options[field] is not None:
                wanted[field] = options[field]
        if options["agent_user_group"] is not None:
            wanted["agent_user_group"] = _agent(options["agent_user_group"])
        if options["checkpoint_storage"] is not None:
            storage, keys = declared_storage(
                options["checkpoint_storage"],
                live and live["checkpoint_storage"],
                options["update_secrets"] == "always",
            )
            wanted["checkpoint_storage"] = storage
            if keys:
                wanted[KEYS] = keys
        wanted.update(_namespaces(options, live))
        if live is not None:
            self._check_edits(live, wanted, options["archived"])
        return wanted

    def _check_edits(self, live: Normal, wanted: Normal, archived: bool | None) -> None:
        edits = [
            name
            for name in wanted
            if name in {*PATCHED, KEYS, "archived"}
            and (name == KEYS or not self.fields.get(name, PLAIN).same(live[name], wanted[name]))
        ]
        if edits and live["immutable"]:
            raise InvalidOption(f"{_who(live)} is built in and can't be changed ({', '.join(edits)}).")
        if edits and live["archived"] and archived is None:
            raise InvalidOption(
                f"{_who(live)} is archived and refuses edits ({', '.join(edits)}): set archived to true to have it unarchived, edited "
                "and archived again, or to false to unarchive it."
            )

    def _check_removal(self, task: Task, live: Normal) -> None:
        """Refuse to remove what is built in or not empty, and say what goes along."""
        if live["immutable"]:
            raise InvalidOption(f"{_who(live)} is built in and can't be removed.")
        contents = contents_of(task, live["id"])
        inside = []
        if live["num_experiments"]:
            inside.append(experiments(live["num_experiments"]))
        staying = [model for model in contents.models if model.name not in task.names.leaving("models")]
        if staying:
            inside.append(f"the models {', '.join(repr(model.name) for model in staying)}")
        # One that is half deleted is no longer worth protecting.
        if inside and not task.options["force_non_empty"] and live["state"] != "deleting":
            raise InvalidOption(
                f"{_who(live)} holds {' and '.join(inside)}: move or remove them first, or set force_non_empty to true to have them "
                "removed with it."
            )
        if live["num_experiments"] or contents.models or contents.webhooks:
            refuse_without_right(task, _who(live), "DELETE_WORKSPACE", {live["user_id"]})
        along = contents.named()
        if live["num_experiments"]:
            along["experiments"] = live["num_experiments"]
        task.extra["removed_along"] = along

    # --- writing ---

    def create(self, task: Task, wanted: Normal) -> Normal:
        """Create the workspace. Its pools come second: a POST stores pools that do not exist."""
        body: dict[str, t.Any] = {"name": wanted["name"]}
        if wanted.get("agent_user_group"):
            body["agentUserGroup"] = _agent_on_wire(wanted["agent_user_group"])
        if wanted.get("checkpoint_storage"):
            body["checkpointStorageConfig"] = on_wire(wanted["checkpoint_storage"], wanted.get(KEYS, {}))
        if "namespace_bindings" in wanted:
            body["clusterNamespaceMeta"] = namespaces.on_wire(wanted["namespace_bindings"], {})
        if "resource_quota" in wanted:
            body["clusterQuotaPairs"] = wanted["resource_quota"]
        try:
            made = unwrap(task.session.write("POST", "/api/v1/workspaces", body), "workspace", WholeWorkspace)
        except Conflict as error:
            raise Conflict(
                f"{error} The name {wanted['name']!r} is taken, if not by a workspace that you see, then by one that you may not see.",
                error.failure,
            ) from error
        later = {name: wanted[name] for name in (*POOLS, "archived") if wanted.get(name)}
        if not later and not {"namespace_bindings", "resource_quota"} & wanted.keys():
            return {**made.normal(), **namespaces.NOWHERE}
        try:
            return self.update(task, {**made.normal(), **namespaces.NOWHERE}, later)
        except DeterminedError as error:
            raise type(error)(
                f"The workspace {made.name!r} was created, but without {' and '.join(later)}: {error}", error.failure
            ) from error

    def update(self, task: Task, live: Normal, changes: Normal) -> Normal:
        """Write the changes, unarchiving an archived workspace for as long as that takes."""
        session, workspace_id = task.session, live["id"]
        edits = _edits(live, changes)
        archived, archived_then = live["archived"], changes.get("archived", live["archived"])
        opens = bool(edits) and archived
        try:
            if opens:
                session.write("POST", route("workspaces", workspace_id, "unarchive"))
                archived = False
            if edits:
                session.write("PATCH", route("workspaces", workspace_id), edits)
            if "namespace_bindings" in changes:
                meta = namespaces.on_wire(changes["namespace_bindings"], live["namespace_bindings"] or {})
                path = route("workspaces", workspace_id, "namespace-bindings")
                session.write("POST", path, {"clusterNamespaceMeta": meta})
            if "resource_quota" in changes:
                path = route("workspaces", workspace_id, "set-resource-quota")
                known = live["resource_quota"] or {}
                quotas = {name: quota for name, quota in changes["resource_quota"].items() if known.get(name) != quota}
                session.write("POST", path, {"clusterQuotaPairs": quotas})
        except DeterminedError as error:
            if opens and archived_then:
                archive_again(session, "workspaces", workspace_id, error)
            raise
        if archived != archived_then:
            session.write("POST", route("workspaces", workspace_id, "archive" if archived_then else "unarchive"))
        return self._reread(task, live)

    def _reread(self, task: Task, live: Normal) -> Normal:
        found = self._read(task, live["id"])
        if found is None:
            raise NotFound(f"{_who(live)} disappeared while it was being changed.")
        return found

    def remove(self, task: Task, live: Normal) -> None:
        """Remove what would stop the deletion, delete the workspace, and wait until it is gone.

        The server deletes within the request, which so can take longer than any time-out of it: whether it goes on is seen in
        the workspace's state, and its answer says nothing (API page, trap 14).
        """
        session, number = task.session, live["id"]
        done: list[str] = []
        with telling(done):
            if live["num_experiments"]:
                killed = end_experiments(task, [project.id for project in projects_in(session, number)])
                done += [f"{experiments(killed)} killed"] if killed else []
            if task.options["force_non_empty"]:
                for model in models_in(session, number):
                    session.write("DELETE", route("models", model.id))
                    done.append(f"model {model.name!r} removed")
            # A foreign key: with one of them left, the deletion fails when all else is gone already.
            for webhook in webhooks_in(session, number):
                session.write("DELETE", route("webhooks", webhook["id"]))
                done.append(f"webhook {webhook['name']!r} removed")
            try:
                session.write("DELETE", route("workspaces", number))
            except LostAnswer:
                left = whole_workspace(session, number)
                if left is not None and left.normal()["state"] != "deleting":
                    raise
            if task.options["wait"]:
                _wait_until_gone(task, live)

    # --- predicting and showing ---

    def blank(self, task: Task) -> Normal:
        """A new workspace as the server makes it, owned and pinned by the caller."""
        caller = task.session.caller()
        made = WholeWorkspace(
            id=0, name="", pinned=True, user_id=caller.id, username=caller.username, state="UNSPECIFIED"
        )
        return {**made.normal(), **namespaces.NOWHERE, "id": None, "error_message": ""}

    def shown(self, task: Task, item: Normal) -> Normal:
        """The workspace with the secrets of its storage masked."""
        return {**item, "checkpoint_storage": masked(item["checkpoint_storage"])}

    # --- a whole cluster ---

    def key(self, options: dict[str, t.Any]) -> str:
        """Its name."""
        return str(options["name"])

    def key_of(self, live: Normal, names: Names) -> str:
        """Its name."""
        return str(live["name"])

    def read_all(self, session: Session, names: Names) -> t.Sequence[Normal]:
        """Read the list, and of one workspace whether there are namespaces at all."""
        found = read_memory_list(session, Workspaces, "/api/v1/workspaces")
        there = namespaces.are_there(session, [workspace.id for workspace in found])
        unread = {"namespace_bindings": {}, "resource_quota": {}} if there else namespaces.NOWHERE
        return [{**workspace.normal(), "checkpoint_storage": None, **unread} for workspace in found]

    def complete(self, session: Session, live: Normal) -> Normal:
        """Read the storage, and on Kubernetes namespaces and quotas."""
        whole = session.read(WholeWorkspace, "workspace", route("workspaces", live["id"])).normal()
        found = namespaces.NOWHERE
        if live["namespace_bindings"] is not None:
            found = namespaces.read_namespaces(session, live["id"])
        return {**whole, **found}

    def declaration(self, live: Normal, names: Names) -> dict[str, t.Any]:
        """The options that declare it, its keys as place holders."""
        options: dict[str, t.Any] = {"name": live["name"]}
        if live["archived"]:
            options["archived"] = True
        group = live["agent_user_group"]
        if group is not None and not _lacking(group):
            options["agent_user_group"] = {field: group[f"agent_{field}"] for field in AGENT_FIELDS}
        if live["checkpoint_storage"]:
            options["checkpoint_storage"] = storage_with_keeps(live["checkpoint_storage"])
        options.update({name: live[name] for name in POOLS if live[name]})
        if live["namespace_bindings"]:
            bindings = live["namespace_bindings"]
            options["namespace_bindings"] = {name: namespaces.as_declared(bindings[name]) for name in bindings}
        if live["resource_quota"]:
            options["resource_quota"] = live["resource_quota"]
        return options

    def undeclarable(self, live: Normal, names: Names) -> str | None:
        """One that is on its way out, and an agent identity in part."""
        if live["state"] == "deleting":
            return "it is being deleted"
        group = live["agent_user_group"]
        if group is not None and _lacking(group):
            return f"its agent_user_group lacks {', '.join(_lacking(group))}, and is declared with all four or none"
        return None

    def built_in(self, live: Normal) -> str | None:
        """``Uncategorized``, which the server marks."""
        return "it is built in" if live["immutable"] else None


def _who(live: Normal) -> str:
    return f"The workspace {live['name']!r}"


def _check_name(option: str, name: str) -> None:
    """Apply the server's rules for names (``validateWorkspaceName`` in ``master/internal/api_workspace.go``)."""
    if not name.strip():
        raise InvalidOption(f"{option} is empty: it must be a workspace's name.")
    size = len(name.encode())
    if size > NAME_BYTES:
        raise InvalidOption(
            f"{option} is {name!r}: a workspace's name has at most {NAME_BYTES} bytes, this one has {size}."
        )


def _check_agent(group: Normal | None) -> None:
    if group is None or not _given(group):
        return
    missing = [field for field in AGENT_FIELDS if field not in _given(group)]
    if missing:
        raise InvalidOption(
            f"agent_user_group lacks {', '.join(missing)}: it needs all of {', '.join(AGENT_FIELDS)}, or none to clear it."
        )
    for field in ("uid", "gid"):
        if group[field] < 0:
            raise InvalidOption(f"agent_user_group.{field} is {group[field]}: it must be 0 or more.")


def _given(group: Normal) -> Normal:
    return {field: value for field, value in group.items() if value not in (None, "")}


def _lacking(group: Normal) -> list[str]:
    return [field for field in AGENT_FIELDS if group[f"agent_{field}"] in (None, "")]


def _agent(group: Normal) -> Normal | None:
    """The identity as the server shows it; an empty mapping clears it."""
    return {f"agent_{field}": group[field] for field in AGENT_FIELDS} if _given(group) else None


def _agent_on_wire(group: Normal | None) -> Normal:
    return {f"agent{field.capitalize()}": group[f"agent_{field}"] for field in AGENT_FIELDS} if group else {}


def _namespaces(options: dict[str, t.Any], live: Normal | None) -> Normal:
    wanted: Normal = {}
    for option in ("namespace_bindings", "resource_quota"):
        if options[option] is None:
            continue
        if live is not None and live["namespace_bindings"] is None:
            raise InvalidOption(f"{option} is given, but this master does not run on Kubernetes and has no namespaces.")
        known = (live and live[option]) or {}
        if option == "namespace_bindings":
            wanted[option] = namespaces.declared_bindings(options[option], known)
        else:
            wanted[option] = {**known, **options[option]}
    return wanted


def _edits(live: Normal, changes: Normal) -> dict[str, t.Any]:
    """The body of a PATCH."""
    edits = {wire: changes[name] for name, wire in PATCHED.items() if name in changes}
    if "agent_user_group" in changes:
        edits["agentUserGroup"] = _agent_on_wire(changes["agent_user_group"])
    if "checkpoint_storage" in changes or KEYS in changes:
        storage = changes.get("checkpoint_storage", live["checkpoint_storage"])
        edits["checkpointStorageConfig"] = on_wire(storage, changes.get(KEYS, {}))
    return edits


def _is_as_good_as_gone(task: Task, found: Normal) -> bool:
    """Whether a deletion is under way that nobody waits for. One that is waited for is asked for again: a restart of the
    master ends deletions without a sign (API page, section 7)."""
    return found["state"] == "deleting" and not task.options["wait"]


def _wait_until_gone(task: Task, live: Normal) -> None:
    def look() -> Normal | None:
        found = whole_workspace(task.session, live["id"])
        return None if found is None else found.normal()

    left = wait_until(
        task.options,
        look,
        lambda found: found is None or found["state"] == "delete_failed",
        lambda found: (
            f"the workspace {live['name']!r} is {found['state'] if found else 'gone'}; checkpoints inside are removed by a task on an "
            "agent: no agent, no end."
        ),
    )
    if left is not None:
        raise deletion_failed("workspace", left)


WORKSPACE = WorkspaceKind()
