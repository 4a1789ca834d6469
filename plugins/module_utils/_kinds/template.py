# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Configuration templates: stored by the master unread, under a name that is unique over all workspaces.

Facts: API page ml-resources, section 2.
"""

from __future__ import annotations

import json
import typing as t

from .._wire.errors import Conflict, InvalidOption, NotFound, Rejected
from .._wire.paging import Page, read_memory_list
from .._wire.session import Live, Session, route, unwrap
from .config_schema import check_keys, wrong_keys_told
from .free_form import as_stored, check_free_form
from .kind import Arguments, Declarable, Field, Normal, Reader, Reference, Task, merged, same_config
from .lookup import Names, literal
from .masking import kept, masked, masked_text, with_keeps
from .rights import find_or_doubt
from .user import check_limit

DEFAULT_WORKSPACE = 1
"""Where the server puts a template that is created without a workspace: ``Uncategorized``."""


class Template(Live):
    """A template (``proto/src/determined/template/v1/template.proto``)."""

    name: str
    config: dict[str, t.Any] | None = None
    workspace_id: int = DEFAULT_WORKSPACE

    def normal(self) -> Normal:
        """The normal form; no config is an empty one."""
        return {"name": self.name, "config": self.config or {}, "workspace_id": self.workspace_id}


class Templates(Page):
    """One answer of ``GET /templates``."""

    templates: list[Template]

    def items(self) -> list[Template]:
        """The templates."""
        return self.templates


class Warnings(Live):
    """What is wanted of the answer to ``POST /experiments``."""

    warnings: list[str] | None = None


def read_templates(session: Session, query: t.Mapping[str, t.Any]) -> list[Template]:
    """Read the templates that a query matches, all in one answer: -1 is all for this list, whose default is 100 (API page,
    section 1.5)."""
    found: list[Template] = read_memory_list(session, Templates, "/api/v1/templates", {"limit": -1, **query})
    return found


def find_template(session: Session, name: str) -> Template | None:
    """Find a template by its exact, case-sensitive name.

    :raises InvalidOption: no path can carry the name.
    """
    return session.find(Template, "template", route("templates", name))


class TemplateKind(Declarable):
    """Templates, by name."""

    name = "template"
    plural = "templates"
    switches = frozenset({"new_name", "validate"})
    rename_option = "new_name"
    refers: t.ClassVar = {"workspace_id": "workspaces"}
    fields: t.ClassVar = {"config": Field(same=same_config)}
    arguments = Arguments(
        spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "new_name": {"type": "str"},
            "config": {"type": "dict"},
            "workspace": {"type": "str"},
            "validate": {"type": "str", "choices": ["schema", "server", "none"], "default": "schema"},
        },
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse names that can't be reached, and configurations that would be stored and then fail whoever uses them."""
        _check_name("name", options["name"])
        if options["new_name"] is not None:
            _check_name("new_name", options["new_name"])
            if options["state"] == "absent":
                raise InvalidOption("new_name is given with state absent: a template that is removed can't be renamed.")
        if options["workspace"] == "":
            raise InvalidOption(
                "workspace is empty: it must be a workspace's name; leave it out to keep the template's."
            )
        if options["state"] == "present" and options["config"] is not None:
            _check_config(options["config"], options["validate"])

    def find(self, task: Task) -> Normal | None:
        """Find the template, under the new name too when it is being renamed."""
        name, new = task.options["name"], task.options["new_name"]
        found = None if new is None or new == name else find_template(task.session, new)
        old = find_or_doubt(task, self.plural, Template, "template", route("templates", name))
        if found is not None and old is not None:
            raise InvalidOption(
                f"new_name is {new!r}: that template exists already, and so does {name!r}; one of them has to go first."
            )
        found = found or old
        return None if found is None else found.normal()

    def wanted(self, task: Task, live: Normal | None) -> Normal | None:
        """Say what is declared, and ask the master about a configuration that is to be written, if that is wanted."""
        options = task.options
        if options["state"] == "absent":
            return None
        wanted: Normal = {"name": options["new_name"] or options["name"]}
        if options["config"] is not None:
            wanted["config"] = as_stored(kept(options["config"], live and live["config"], "config"))
        elif live is None:
            raise InvalidOption(f"There is no template {options['name']!r} that you may see: a new one needs config.")
        if options["workspace"] is not None:
            workspace = task.names.workspace("workspace", options["workspace"])
            if workspace.archived and (live is None or live["workspace_id"] != workspace.id):
                raise InvalidOption(
                    f"workspace is {workspace.name!r}: it is archived and takes no templates; unarchive it first."
                )
            wanted["workspace_id"] = workspace.id
        written = "config" in wanted and (live is None or not same_config(live["config"], wanted["config"]))
        if written and options["validate"] == "server":
            _ask_master(task, wanted["config"])
        return wanted

    def create(self, task: Task, wanted: Normal) -> Normal:
        """Create the template."""
        body = {"config": wanted["config"], "workspaceId": wanted.get("workspace_id", DEFAULT_WORKSPACE)}
        try:
            answer = task.session.write("POST", route("templates", wanted["name"]), body)
        except Rejected as error:
            if "23505" not in error.server_message:
                raise
            raise Rejected(
                f"{error} The name {wanted['name']!r} is taken: names are unique over all workspaces, those that you may not "
                "see included.",
                error.failure,
            ) from error
        return unwrap(answer, "template", Template).normal()

    def update(self, task: Task, live: Normal, changes: Normal) -> Normal:
        """Write what changes: the configuration always whole, the name last."""
        path = route("templates", live["name"])
        answer = None
        if "workspace_id" in changes:
            body = {"workspaceId": changes["workspace_id"]}
            if "config" in changes:
                body["config"] = changes["config"]
            answer = task.session.write("PUT", path, body)
        elif "config" in changes:
            # Not PUT: it would create the template anew, in another workspace, if it was removed meanwhile.
            answer = task.session.write("PATCH", path, changes["config"])
        if "name" in changes:
            names = {"oldName": live["name"], "newName": changes["name"]}
            answer = task.session.write("PATCH", route("template", "rename"), names)
        return live if answer is None else unwrap(answer, "template", Template).normal()

    def remove(self, task: Task, live: Normal) -> None:
        """Delete the template."""
        task.session.write("DELETE", route("templates", live["name"]))

    def blank(self, task: Task) -> Normal:
        """A new template as the server makes it."""
        return Template(name="").normal()

    def shown(self, task: Task, item: Normal) -> Normal:
        """The template with the secrets in its configuration masked."""
        return {**item, "config": masked(item["config"])}

    # --- a whole cluster ---

    def key(self, options: dict[str, t.Any]) -> str:
        """Its name."""
        return str(options["name"])

    def key_of(self, live: Normal, names: Names) -> str:
        """Its name."""
        return str(live["name"])

    def read_all(self, session: Session, names: Names) -> t.Sequence[Normal]:
        """Read the list, which holds all of each."""
        return [template.normal() for template in read_templates(session, {})]

    def references(self, options: dict[str, t.Any]) -> t.Sequence[Reference]:
        """Its workspace."""
        workspace = options["workspace"]
        return [] if workspace is None else [Reference("workspaces", workspace, "workspace")]

    def declaration(self, live: Normal, names: Names) -> dict[str, t.Any]:
        """The options that declare it, its secrets as place holders."""
        options: dict[str, t.Any] = {"name": live["name"], "config": with_keeps(live["config"])}
        workspace = names.name_of("workspaces", live["workspace_id"])
        if workspace is not None and live["workspace_id"] != DEFAULT_WORKSPACE:
            options["workspace"] = workspace
        return options

    def undeclarable(self, live: Normal, names: Names) -> str | None:
        """One that the module would refuse to write: the server takes any name and any configuration."""
        try:
            _check_name("name", live["name"])
            _check_config(live["config"], "schema")
        except InvalidOption as error:
            return str(error)
        if names.name_of("workspaces", live["workspace_id"]) is None:
            return f"its workspace (id {live['workspace_id']}) can't be seen"
        return None


def _check_name(option: str, name: str) -> None:
    try:
        route("templates", name)
    except InvalidOption as error:
        raise InvalidOption(f"{option}: {error}") from None


def _check_config(config: dict[str, t.Any], validate: str) -> None:
    check_free_form("config", config)
    if validate == "none":
        return
    check_keys("config", config)
    if validate == "server":
        return
    wrong = wrong_keys_told(config)
    if wrong:
        raise InvalidOption(
            f"config has keys that neither experiments nor notebooks, shells, commands or TensorBoards know: {wrong}. With "
            "validate set to server the master judges, with none nobody does."
        )


def _ask_master(task: Task, config: dict[str, t.Any]) -> None:
    """Ask the master whether it would create an experiment with this configuration; it stores nothing.

    :raises InvalidOption: it would not, in the master's own words.
    """
    # JSON is valid YAML; the text's own characters, as YAML does not know JSON's pairs of escapes for one character.
    body = {"config": json.dumps(_probe(config), ensure_ascii=False), "validateOnly": True}
    try:
        answer = task.session.write("POST", "/api/v1/experiments", body)
    except (Rejected, Conflict, NotFound) as error:
        words = "; ".join(line.strip() for line in masked_text(error.server_message).splitlines() if line.strip())
        failure = {**(error.failure or {}), "message": words}
        raise InvalidOption(f"config is refused by the master as an experiment's: {words}", failure) from error
    for warning in unwrap(answer, "answer", Warnings).warnings or []:
        task.warn(f"The master warns about config: {warning}")


def _probe(config: dict[str, t.Any]) -> dict[str, t.Any]:
    """The smallest valid experiment with a template's configuration over it: a template may leave to its users what they must
    say, such as the bucket of a storage type, or the number of trials of a searcher."""
    base: dict[str, t.Any] = {
        "name": "template",
        "entrypoint": "true",
        "hyperparameters": {},
        # The default, 1, is refused by a cluster without accelerators.
        "resources": {"slots_per_trial": 0},
        "searcher": {
            "name": "single",
            "metric": "loss",
            **_REQUIRED_OF_SEARCHERS.get(_text(config, "searcher", "name"), {}),
        },
    }
    storage = _text(config, "checkpoint_storage", "type")
    if storage in _REQUIRED_OF_STORAGES:
        base["checkpoint_storage"] = _REQUIRED_OF_STORAGES[storage]
    probe = merged(base, config)
    if ("workspace" in probe) != ("project" in probe):
        # The master wants both or neither.
        probe.pop("workspace", None)
        probe.pop("project", None)
    return t.cast("dict[str, t.Any]", probe)


_ASHA: Normal = {"max_trials": 1, "max_time": 1, "time_metric": "batches"}
_REQUIRED_OF_SEARCHERS: dict[str, Normal] = {
    "random": {"max_trials": 1},
    "adaptive_asha": _ASHA,
    "async_halving": {**_ASHA, "num_rungs": 1},
}
_REQUIRED_OF_STORAGES: dict[str, Normal] = {
    "shared_fs": {"host_path": "/tmp"},
    "directory": {"container_path": "/tmp"},
    "s3": {"bucket": "bucket"},
    "gcs": {"bucket": "bucket"},
    "azure": {"container": "container"},
}


def _text(config: dict[str, t.Any], section: str, key: str) -> str:
    inner = config.get(section)
    return str(inner.get(key)) if isinstance(inner, dict) else ""


class TemplateReader(Reader):
    """Templates, all in one answer."""

    arguments = Arguments(
        spec={
            "name": {"type": "str"},
            "name_contains": {"type": "str"},
            "workspace": {"type": "str"},
            "reveal_secrets": {"type": "bool", "default": False, "no_log": False},
            "limit": {"type": "int"},
        },
        mutually_exclusive=(("name", "name_contains"),),
    )

    def check(self, options: dict[str, t.Any]) -> None:
        """Refuse a limit below 1."""
        check_limit(options["limit"])

    def read(self, task: Task) -> dict[str, t.Any]:
        """Read the templates that match; the server's filters narrow, this side decides."""
        options = task.options
        name, contains, workspace_id = options["name"], options["name_contains"], None
        if options["workspace"] is not None:
            workspace_id = task.names.workspace("workspace", options["workspace"]).id
        # A rename can give names that no path carries; the list has them all.
        if name and not _unreachable(name):
            one = find_template(task.session, name)
            found = [] if one is None else [one]
        else:
            query = {"name": literal(name or contains or "") or None, "workspaceIds": workspace_id}
            found = read_templates(task.session, query)
        matching = [
            item
            for item in found
            if (name is None or item.name == name)
            and (contains or "").casefold() in item.name.casefold()
            and workspace_id in (None, item.workspace_id)
        ]
        shown = [item.normal() for item in matching[: options["limit"]]]
        if not options["reveal_secrets"]:
            shown = [TEMPLATE.shown(task, item) for item in shown]
        return {"templates": shown, "total": len(matching)}


def _unreachable(name: str) -> bool:
    try:
        route("templates", name)
    except InvalidOption:
        return True
    return False


TEMPLATE = TemplateKind()
TEMPLATES = TemplateReader()
