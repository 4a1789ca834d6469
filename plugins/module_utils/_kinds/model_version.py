# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Versions of registered models: checkpoints that were given a number (API page ml-resources, section 6.1).

The number is the server's, and nothing keeps a checkpoint from being registered a second time, under another number.
"""

from __future__ import annotations

import typing as t

from .._wire.errors import InvalidOption, NotFound
from .._wire.paging import read_memory_list
from .._wire.session import Session, route, unwrap
from .checkpoint import ID_MAX, check_uuid, find_checkpoint
from .free_form import as_stored, check_free_form
from .kind import Arguments, Field, Kind, Normal, Reader, Task, merged, same_config, same_set
from .lookup import nearest
from .masking import kept
from .model import Models, ModelVersion, check_labels, find_model, read_versions, shown_version
from .user import check_limit

EDITABLE = ("name", "comment", "notes", "labels", "metadata")


def _no_model(session: Session, name: str) -> InvalidOption:
    names = [model.name for model in read_memory_list(session, Models, "/api/v1/models")]
    return InvalidOption(f"model is {name!r}: there is no such model, or you may not see it.{nearest(name, names)}")


class ModelVersionKind(Kind):
    """Versions of models, by model and checkpoint, or by their number."""

    name = "model_version"
    fields: t.ClassVar = {"labels": Field(same=same_set), "metadata": Field(same=same_config)}
    volatile = frozenset({"last_updated_time"})
    arguments = Arguments(
        spec={
            "model": {"type": "str", "required": True},
            "checkpoint_uuid": {"type": "str"},
            "version": {"type": "int"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "new_name": {"type": "str", "aliases": ["name"]},
            "comment": {"type": "str"},
            "notes": {"type": "str"},
            "labels": {"type": "list", "elements": "str"},
            "metadata": {"type": "dict"},
            "metadata_mode": {"type": "str", "choices": ["exact", "merge"], "default": "exact"},
        },
        required_one_of=(("checkpoint_uuid", "version"),),
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse what can't be the name of a model, a uuid, a number or a label."""
        if not options["model"].strip():
            raise InvalidOption("model is empty: it must be a model's name.")
        if options["checkpoint_uuid"] is not None:
            check_uuid("checkpoint_uuid", options["checkpoint_uuid"])
        if options["version"] is not None and not 1 <= options["version"] <= ID_MAX:
            raise InvalidOption(f"version is {options['version']}: it must be between 1 and {ID_MAX}.")
        check_labels(options["labels"])
        check_free_form("metadata", options["metadata"])

    def find(self, task: Task) -> Normal | None:
        """Find the version.

        :raises InvalidOption: the checkpoint is registered more than once, or under another number than the declared one.
        """
        options = task.options
        model = find_model(task.session, options["model"])
        if model is None:
            if options["state"] == "absent":
                return None
            raise _no_model(task.session, options["model"])
        number, uuid = options["version"], (options["checkpoint_uuid"] or "").lower()
        versions = read_versions(task.session, model)
        if number is not None:
            found = [version for version in versions if version.version == number]
            if found and uuid and found[0].checkpoint.uuid != uuid:
                raise InvalidOption(
                    f"version {number} of the model {model.name!r} is of the checkpoint {found[0].checkpoint.uuid}, not of "
                    f"{uuid}; the checkpoint of a version can't be changed."
                )
        else:
            found = [version for version in versions if version.checkpoint.uuid == uuid]
        if len(found) > 1:
            numbers = ", ".join(str(version.version) for version in found)
            raise InvalidOption(
                f"The checkpoint {uuid} is registered more than once in the model {model.name!r} (versions {numbers}): say which "
                "one is meant with version."
            )
        return {**found[0].normal(), "model_id": model.id} if found else None

    def wanted(self, task: Task, live: Normal | None) -> Normal | None:
        """Say what is declared, and refuse a registration that the server would."""
        options = task.options
        if options["state"] == "absent":
            return None
        wanted: Normal = {}
        for field, option in (("name", "new_name"), ("comment", "comment"), ("notes", "notes")):
            if options[option] is not None:
                wanted[field] = options[option]
        if options["labels"] is not None:
            wanted["labels"] = list(dict.fromkeys(options["labels"]))
        if options["metadata"] is not None:
            there = live["metadata"] if live is not None else {}
            declared = kept(options["metadata"], there, "metadata")
            wanted["metadata"] = as_stored(merged(there if options["metadata_mode"] == "merge" else {}, declared))
        if live is None:
            wanted.update(self._registration(task))
        return wanted

    def _registration(self, task: Task) -> Normal:
        """What a new version is of: its model and checkpoint."""
        options, session = task.options, task.session
        if options["version"] is not None:
            raise InvalidOption(
                f"version is {options['version']}: the model {options['model']!r} has no such version. The server numbers new ones "
                "itself: leave it out to register a checkpoint."
            )
        model = find_model(session, options["model"])
        if model is None:
            raise _no_model(session, options["model"])
        if model.archived:
            raise InvalidOption(f"The model {model.name!r} is archived and takes no new versions: unarchive it first.")
        checkpoint = find_checkpoint(session, options["checkpoint_uuid"])
        if checkpoint is None:
            raise InvalidOption(
                f"checkpoint_uuid is {options['checkpoint_uuid']}: there is no such checkpoint, or you may not see it."
            )
        if checkpoint.word() != "completed":
            raise InvalidOption(
                f"The checkpoint {checkpoint.uuid} is in the state {checkpoint.word()}: only completed ones can be registered."
            )
        return {"model_id": model.id, "checkpoint": {"uuid": checkpoint.uuid, "state": checkpoint.word()}}

    def create(self, task: Task, wanted: Normal) -> Normal:
        """Register the checkpoint; the answer lacks its owner and notes, so it is read again."""
        body = {name: wanted[name] for name in EDITABLE if name in wanted}
        body["checkpointUuid"] = wanted["checkpoint"]["uuid"]
        answer = task.session.write("POST", route("models", wanted["model_id"], "versions"), body)
        return self._read(task, wanted["model_id"], unwrap(answer, "modelVersion", ModelVersion).version)

    def update(self, task: Task, live: Normal, changes: Normal) -> Normal:
        """Write the changes; the answer is partial, so it is read again (API page, trap 7)."""
        task.session.write("PATCH", route("models", live["model_id"], "versions", live["version"]), changes)
        return self._read(task, live["model_id"], live["version"])

    def remove(self, task: Task, live: Normal) -> None:
        """Delete the version; its checkpoint stays."""
        task.session.write("DELETE", route("models", live["model_id"], "versions", live["version"]))

    def _read(self, task: Task, model_id: int, number: int) -> Normal:
        path = route("models", model_id, "versions", number)
        try:
            version = task.session.read(ModelVersion, "modelVersion", path)
        except NotFound as error:
            raise NotFound(
                f"Version {number} disappeared while it was being changed: {error}", error.failure
            ) from error
        return {**version.normal(), "model_id": model_id}

    def blank(self, task: Task) -> Normal:
        """A new version as the server makes it, owned by the caller."""
        caller = task.session.caller()
        return {
            "id": None,
            "version": None,
            "name": "",
            "comment": "",
            "notes": "",
            "labels": [],
            "metadata": {},
            "user_id": caller.id,
            "username": caller.username,
            "creation_time": None,
            "last_updated_time": None,
        }

    def shown(self, task: Task, item: Normal) -> Normal:
        """The version with what is secret in its metadata masked."""
        return shown_version(item)


class ModelVersionReader(Reader):
    """Versions of one model."""

    arguments = Arguments(
        spec={
            "model": {"type": "str", "required": True},
            "checkpoint_uuid": {"type": "str"},
            "labels": {"type": "list", "elements": "str"},
            "limit": {"type": "int"},
        },
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse a limit below 1, and what can't be a uuid."""
        check_limit(options["limit"])
        if options["checkpoint_uuid"] is not None:
            check_uuid("checkpoint_uuid", options["checkpoint_uuid"])

    def read(self, task: Task) -> dict[str, t.Any]:
        """Read the versions that match."""
        options = task.options
        model = find_model(task.session, options["model"])
        if model is None:
            raise _no_model(task.session, options["model"])
        uuid = None if options["checkpoint_uuid"] is None else options["checkpoint_uuid"].lower()
        matching = [
            {**shown_version(version.normal()), "model_id": model.id}
            for version in read_versions(task.session, model)
            if uuid in (None, version.checkpoint.uuid) and set(options["labels"] or ()) <= set(version.labels or ())
        ]
        return {"model_versions": matching[: options["limit"]], "total": len(matching)}


MODEL_VERSION = ModelVersionKind()
MODEL_VERSIONS = ModelVersionReader()
