# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Registered models and their versions (API page ml-resources, section 6)."""

from __future__ import annotations

import re
import typing as t

from .._wire.errors import DeterminedError, InvalidOption, NotFound
from .._wire.paging import Page, read_memory_list
from .._wire.session import Live, Session, route, unwrap
from .archiving import archive_again
from .free_form import as_stored, check_free_form
from .kind import PLAIN, Arguments, Declarable, Field, Normal, Reader, Reference, Task, merged, same_config, same_set
from .lookup import Names, refuse_empty
from .masking import holds_mask, kept, masked, with_keeps
from .user import check_limit

EDITABLE = ("name", "description", "notes", "labels", "metadata")
"""The fields of a PATCH, which an archived model refuses; a move it accepts."""

DEFAULT_WORKSPACE = 1
"""Where the server puts a model that is created without a workspace: ``Uncategorized``."""


class Model(Live):
    """A registered model (``proto/src/determined/model/v1/model.proto``)."""

    id: int
    name: str
    description: str = ""
    notes: str = ""
    labels: list[str] | None = None
    metadata: dict[str, t.Any] | None = None
    workspace_id: int | None = None
    archived: bool = False
    num_versions: int = 0
    user_id: int | None = None
    username: str | None = None
    creation_time: str | None = None
    last_updated_time: str | None = None

    def normal(self) -> Normal:
        """The normal form; no metadata is an empty mapping."""
        return {**self.model_dump(), "labels": self.labels or [], "metadata": self.metadata or {}}


class Models(Page):
    """One answer of ``GET /models``."""

    models: list[Model]

    def items(self) -> list[Model]:
        """The models."""
        return self.models


class VersionCheckpoint(Live):
    """What a model's version says of its checkpoint."""

    uuid: str
    state: str = ""


class ModelVersion(Live):
    """A version of a registered model."""

    id: int
    version: int
    name: str = ""
    comment: str = ""
    notes: str = ""
    labels: list[str] | None = None
    metadata: dict[str, t.Any] | None = None
    user_id: int | None = None
    username: str | None = None
    creation_time: str | None = None
    last_updated_time: str | None = None
    checkpoint: VersionCheckpoint

    def normal(self) -> Normal:
        """The normal form, the checkpoint's state as a word in lower case."""
        shown = {**self.model_dump(), "labels": self.labels or [], "metadata": self.metadata or {}}
        shown["checkpoint"]["state"] = self.checkpoint.state.removeprefix("STATE_").lower()
        return shown


class ModelVersions(Page):
    """One answer of ``GET /models/{model}/versions``."""

    model_versions: list[ModelVersion]

    def items(self) -> list[ModelVersion]:
        """The versions."""
        return self.model_versions


def find_model(session: Session, name: str) -> Model | None:
    """Find a model by its exact, case-sensitive name.

    A path takes digits for an id and can't end with a name that has a colon in it (API page, trap 2), so those are looked
    up in the list, whose filter is a substring without case.
    """
    if name and not re.fullmatch(r"[0-9]+|\.\.?|.*[:/].*", name, re.DOTALL):
        return session.find(Model, "model", route("models", name))
    query = {} if "\\" in name else {"name": name}
    found = read_memory_list(session, Models, "/api/v1/models", query)
    return next((model for model in found if model.name == name), None)


def same_labels(live: t.Any, declared: t.Any) -> bool:
    """As `same_set`, for labels of models, among which the server lets a creation put empty ones: they mean nothing."""
    return same_set([label for label in live or () if label], declared)


def read_versions(session: Session, model: Model) -> list[ModelVersion]:
    """Read the versions of a model by their numbers, without those whose checkpoint is gone from the master."""
    if not model.num_versions:
        return []
    return t.cast("list[ModelVersion]", read_memory_list(session, ModelVersions, route("models", model.id, "versions")))


def shown_version(version: Normal) -> Normal:
    """A version with what is secret in its metadata masked."""
    return {**version, "metadata": masked(version["metadata"])}


class ModelKind(Declarable):
    """Registered models, by name; written by id, which a path can carry whatever the name."""

    name = "model"
    plural = "models"
    switches = frozenset({"new_name", "metadata_mode"})
    rename_option = "new_name"
    refers: t.ClassVar = {"workspace_id": "workspaces"}
    fields: t.ClassVar = {"labels": Field(same=same_labels), "metadata": Field(same=same_config)}
    volatile = frozenset({"last_updated_time"})
    arguments = Arguments(
        spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "new_name": {"type": "str"},
            "description": {"type": "str"},
            "notes": {"type": "str"},
            "labels": {"type": "list", "elements": "str"},
            "metadata": {"type": "dict"},
            "metadata_mode": {"type": "str", "choices": ["exact", "merge"], "default": "exact"},
            "workspace": {"type": "str"},
            "archived": {"type": "bool"},
        },
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Apply the server's rules for names and labels, of which it tells late or never."""
        _check_name("name", options["name"])
        if options["new_name"] is not None:
            _check_name("new_name", options["new_name"])
            if options["state"] == "absent":
                raise InvalidOption("new_name is given with state absent: a model that is removed can't be renamed.")
        if options["workspace"] == "":
            raise InvalidOption("workspace is empty: it must be a workspace's name; leave it out to keep the model's.")
        check_labels(options["labels"])
        check_free_form("metadata", options["metadata"])

    def find(self, task: Task) -> Normal | None:
        """Find the model, under the new name too when it is being renamed."""
        name, new = task.options["name"], task.options["new_name"]
        found = None if new is None or new == name else find_model(task.session, new)
        old = find_model(task.session, name)
        if found is not None and old is not None:
            raise InvalidOption(
                f"new_name is {new!r}: that model exists already (id {found.id}), and so does {name!r} (id {old.id}); one of "
                "them has to go first."
            )
        found = found or old
        return None if found is None else found.normal()

    def wanted(self, task: Task, live: Normal | None) -> Normal | None:
        """Say what is declared, and refuse edits that an archived model refuses."""
        options = task.options
        if options["state"] == "absent":
            return None
        wanted: Normal = {"name": options["new_name"] or options["name"]}
        for field in ("description", "notes", "archived"):
            if options[field] is not None:
                wanted[field] = options[field]
        if options["labels"] is not None:
            wanted["labels"] = list(dict.fromkeys(options["labels"]))
        if options["metadata"] is not None:
            there = live["metadata"] if live is not None else {}
            declared = kept(options["metadata"], there, "metadata")
            wanted["metadata"] = as_stored(merged(there if options["metadata_mode"] == "merge" else {}, declared))
        if options["workspace"] is not None:
            wanted["workspace_id"] = task.names.workspace("workspace", options["workspace"]).id
        if live is not None and live["archived"] and options["archived"] is None:
            self._refuse_edits(live, wanted)
        return wanted

    def _refuse_edits(self, live: Normal, wanted: Normal) -> None:
        edits = [
            name
            for name in EDITABLE
            if name in wanted and not self.fields.get(name, PLAIN).same(live[name], wanted[name])
        ]
        if edits:
            raise InvalidOption(
                f"The model {live['name']!r} is archived and refuses edits ({', '.join(edits)}): set archived to true to have it "
                "unarchived, edited and archived again, or to false to unarchive it."
            )

    def create(self, task: Task, wanted: Normal) -> Normal:
        """Create the model; the answer lacks its owner, so it is read again."""
        body = {name: wanted[name] for name in EDITABLE if name in wanted}
        if "workspace_id" in wanted:
            body["workspaceId"] = wanted["workspace_id"]
        made = unwrap(task.session.write("POST", "/api/v1/models", body), "model", Model)
        if wanted.get("archived"):
            try:
                task.session.write("POST", route("models", made.id, "archive"))
            except DeterminedError as error:
                raise type(error)(
                    f"The model {made.name!r} was created but not archived: {error}", error.failure
                ) from error
        return _reread(task, made.id, made.name)

    def update(self, task: Task, live: Normal, changes: Normal) -> Normal:
        """Write the changes; the answers are partial, so it is read again (API page, trap 7)."""
        session, model_id = task.session, live["id"]
        edits = {name: changes[name] for name in EDITABLE if name in changes}
        archived, archived_then = live["archived"], changes.get("archived", live["archived"])
        opens = bool(edits) and archived
        try:
            if opens:
                session.write("POST", route("models", model_id, "unarchive"))
                archived = False
            if edits:
                session.write("PATCH", route("models", model_id), edits)
            if "workspace_id" in changes:
                move = {"destinationWorkspaceId": changes["workspace_id"]}
                session.write("POST", route("models", model_id, "move"), move)
        except DeterminedError as error:
            if opens and archived_then:
                archive_again(session, "models", model_id, error)
            raise
        if archived != archived_then:
            session.write("POST", route("models", model_id, "archive" if archived_then else "unarchive"))
        return _reread(task, model_id, live["name"])

    def remove(self, task: Task, live: Normal) -> None:
        """Delete the model with its versions; their checkpoints stay."""
        task.session.write("DELETE", route("models", live["id"]))

    def blank(self, task: Task) -> Normal:
        """A new model as the server makes it, owned by the caller."""
        caller = task.session.caller()
        made = Model(
            id=0, name="", workspace_id=DEFAULT_WORKSPACE, user_id=caller.id, username=caller.username
        ).normal()
        return {**made, "id": None}

    def shown(self, task: Task, item: Normal) -> Normal:
        """The model with what is secret in its metadata masked."""
        return {**item, "metadata": masked(item["metadata"])}

    # --- in a manifest ---

    def key(self, options: dict[str, t.Any]) -> str:
        """Its name."""
        return str(options["name"])

    def read_all(self, session: Session, names: Names) -> t.Sequence[Normal]:
        """All models that the caller may see."""
        return [model.normal() for model in read_memory_list(session, Models, "/api/v1/models")]

    def key_of(self, live: Normal, names: Names) -> str:
        """Its name."""
        return str(live["name"])

    def references(self, options: dict[str, t.Any]) -> t.Sequence[Reference]:
        """Its workspace."""
        return () if options["workspace"] is None else (Reference("workspaces", options["workspace"], "workspace"),)

    def declaration(self, live: Normal, names: Names) -> dict[str, t.Any]:
        """The options that declare the model, each label once and no empty one."""
        declared: dict[str, t.Any] = {"name": live["name"]}
        labels = list(dict.fromkeys(label for label in live["labels"] if label))
        values = {
            "description": live["description"],
            "notes": live["notes"],
            "labels": labels,
            "metadata": with_keeps(live["metadata"]),
            "archived": live["archived"],
        }
        declared.update({option: value for option, value in values.items() if value})
        if live["workspace_id"] not in (None, DEFAULT_WORKSPACE):
            declared["workspace"] = names.name_of("workspaces", live["workspace_id"])
        return declared

    def undeclarable(self, live: Normal, names: Names) -> str | None:
        """Say that its workspace has no name here, or that its metadata has asterisks, which would be taken for a mask."""
        number = live["workspace_id"]
        if number is not None and names.name_of("workspaces", number) is None:
            return f"It is in a workspace (id {number}) that you may not see."
        if holds_mask(with_keeps(live["metadata"])):
            return "Its metadata holds asterisks, which stand for a secret and can't be declared as a value."
        return None


def _reread(task: Task, model_id: int, name: str) -> Normal:
    try:
        return task.session.read(Model, "model", route("models", model_id)).normal()
    except NotFound as error:
        raise NotFound(f"The model {name!r} disappeared while it was being changed: {error}", error.failure) from error


def check_labels(labels: t.Sequence[str] | None) -> None:
    """Refuse labels that the server would store as others.

    :raises InvalidOption: naming the first.
    """
    for label in labels or ():
        if not label or "," in label:
            raise InvalidOption(
                f"labels has {label!r}: a label must not be empty nor have a comma, at which the server would split it."
            )


def _check_name(option: str, name: str) -> None:
    """Apply the server's rules for names (``checkModelName`` in ``master/internal/api_model.go``)."""
    if not name.strip():
        raise InvalidOption(f"{option} is empty: it must be a model's name.")
    for wrong, why in (("/", "a slash"), ("\\", "a backslash"), ("  ", "two blanks in a row")):
        if wrong in name:
            raise InvalidOption(f"{option} is {name!r}: a model's name must not have {why} in it.")
    if re.fullmatch(r"[0-9]+", name):
        raise InvalidOption(f"{option} is {name!r}: a model's name must not be digits only, that is an id.")


class ModelReader(Reader):
    """Registered models, all pages, with their versions when asked for."""

    arguments = Arguments(
        spec={
            "name": {"type": "str"},
            "name_contains": {"type": "str"},
            "labels": {"type": "list", "elements": "str"},
            "workspace": {"type": "str"},
            "archived": {"type": "bool"},
            "users": {"type": "list", "elements": "str"},
            "include": {"type": "list", "elements": "str", "choices": ["versions"], "default": []},
            "limit": {"type": "int"},
        },
        mutually_exclusive=(("name", "name_contains"),),
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse a limit below 1, and users that are none."""
        check_limit(options["limit"])
        refuse_empty(options, "users")

    def read(self, task: Task) -> dict[str, t.Any]:
        """Read the models that match; the server's filters narrow, this side decides."""
        options, session = task.options, task.session
        workspace = options["workspace"]
        workspace_id = None if workspace is None else task.names.workspace("workspace", workspace).id
        if options["users"]:
            task.names.users("users", options["users"])
        found = self._candidates(session, options, workspace_id)
        matching = [model for model in found if _matches(model, options, workspace_id)]
        total, models = len(matching), []
        for model in matching[: options["limit"]]:
            shown = MODEL.shown(task, model.normal())
            if "versions" in options["include"]:
                try:
                    shown["versions"] = [shown_version(version.normal()) for version in read_versions(session, model)]
                except NotFound:
                    # Removed since the list was read.
                    total -= 1
                    continue
            models.append(shown)
        return {"models": models, "total": total}

    def _candidates(self, session: Session, options: dict[str, t.Any], workspace_id: int | None) -> list[Model]:
        if options["name"] is not None:
            one = find_model(session, options["name"])
            return [] if one is None else [one]
        query: dict[str, t.Any] = {"archived": options["archived"], "workspaceIds": workspace_id}
        contains = options["name_contains"] or ""
        # The server reads % and _ as wildcards, which widens, and \ as an escape, which would narrow.
        if "\\" not in contains:
            query["name"] = contains or None
        # Lists are joined with commas on the server; of several labels it wants any, so one narrows most.
        labels = [label for label in options["labels"] or [] if label and "," not in label]
        query["labels"] = labels[:1]
        if not any("," in user for user in options["users"] or []):
            query["users"] = options["users"]
        return t.cast("list[Model]", read_memory_list(session, Models, "/api/v1/models", query))


def _matches(model: Model, options: dict[str, t.Any], workspace_id: int | None) -> bool:
    return (
        (options["name_contains"] or "").casefold() in model.name.casefold()
        and set(options["labels"] or ()) <= set(model.labels or ())
        and (workspace_id is None or model.workspace_id == workspace_id)
        and (options["archived"] is None or model.archived is options["archived"])
        and (not options["users"] or model.username in options["users"])
    )


MODEL = ModelKind()
MODELS = ModelReader()
