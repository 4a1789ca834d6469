# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Custom controls: a site's own, each a condition about the resources of one kind.

The conditions are Ansible's expressions, so the controller evaluates them (`Conditions`). What they see of a resource is what
the info modules return of it, secrets masked.
"""

from __future__ import annotations

import functools
import types
import typing as t

from .._deps import ValidationError
from .._kinds.cluster import Agent, Master, ResourcePool
from .._kinds.experiment_list import ConfiguredListed
from .._kinds.kind import Normal
from .._kinds.lookup import nearest
from .._kinds.masking import masked, masked_text
from .._kinds.model import Model
from .._kinds.project import Project
from .._kinds.task import LiveTask
from .._kinds.template import Template
from .._kinds.token_list import Token
from .._kinds.user import User
from .._kinds.webhook import Webhook, masked_url
from .._kinds.workspace import Workspace
from .._wire.errors import InvalidOption
from .._wire.session import Live
from .control import FRAMEWORKS, PASS, SEVERITIES, Control, Outcome, Resource, fail
from .entries import Entry, EntryErrors, entries

if t.TYPE_CHECKING:
    from .site import Site

OPTION = "custom_controls"
FIELDS = ("id", "title", "kind", "fail_when", "severity", "remediation", "mapping")

EXPERIMENTS = "experiments"

Fields = dict[str, t.Optional["Fields"]]
"""The fields of an object: those of an inner object, or of the objects in a list; None for a value, and for what is free in form."""

Path = tuple[t.Union[str, int], ...]  # noqa: UP007 - pylint doesn't know the bar outside of annotations
"""What a condition reads of a resource: ``("agent_user_group", "agent_uid")``. A number is a place in a list."""


class Conditions(t.Protocol):
    """What only the controller can do; `plugin_utils.audit_conditions` does it."""

    def references(self, condition: str) -> list[Path]:
        """What a condition reads of ``resource``, each once.

        :raises InvalidOption: it is no condition, in words that go on from it.
        """

    def evaluate(self, condition: str, resources: t.Sequence[Normal]) -> list[bool | str]:
        """Whether the condition holds for each resource, or a sentence on why that can't be told."""


# --- what there is ---


def _specimen(model: type[Live]) -> t.Any:
    """An object of which everything is there: each inner object, and one in each list of them."""
    fields = model.model_fields.items()
    return model.model_construct(**{name: _example(field.annotation) for name, field in fields})


def _example(annotation: t.Any) -> t.Any:
    origin, inner = t.get_origin(annotation), t.get_args(annotation)
    if origin in (t.Union, types.UnionType):
        return _example(next(one for one in inner if one is not types.NoneType))
    if origin is list:
        return [_specimen(inner[0])] if _is_object(inner[0]) else []
    if origin is dict:
        return {"": _specimen(inner[1])} if _is_object(inner[1]) else {}
    return _specimen(annotation) if _is_object(annotation) else annotation()


def _is_object(annotation: t.Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Live)


def _all(normal: Normal) -> Fields:
    return {name: _inner(value) for name, value in normal.items()}


def _inner(value: t.Any) -> Fields | None:
    if isinstance(value, list):
        value = value[0] if value else None
    return _all(value) if isinstance(value, dict) and value else None


_OF: dict[str, t.Callable[[], Normal]] = {
    "agents": lambda: _specimen(Agent).normal(),
    "cluster": lambda: _specimen(Master).normal(),
    # Lists have none of the notes and ids of trials.
    EXPERIMENTS: lambda: _without(_specimen(ConfiguredListed).normal(), "notes", "trial_ids"),
    "groups": lambda: dict.fromkeys(("id", "name")),
    "models": lambda: _specimen(Model).normal(),
    "projects": lambda: _specimen(Project).normal(),
    # What runs a pool's agents has details of its own.
    "resource_pools": lambda: {**_specimen(ResourcePool).normal(), "details": {}},
    "role_assignments": lambda: dict.fromkeys(
        ("role", "role_id", "user", "user_id", "group", "group_id", "workspace", "workspace_id", "server_made")
    ),
    # Lists have no configuration, and the priority is out of that.
    "tasks": lambda: _without(_specimen(LiveTask).of("notebook"), "config", "priority"),
    "templates": lambda: _specimen(Template).normal(),
    "tokens": lambda: {**_specimen(Token).normal(), "username": ""},
    "users": lambda: _specimen(User).normal(),
    "webhooks": lambda: _specimen(Webhook).normal(),
    "workspaces": lambda: _specimen(Workspace).normal(),
}

KINDS = tuple(_OF)
"""The kinds that a custom control can be about: what an audit reads in lists."""


def _without(normal: Normal, *names: str) -> Normal:
    return {name: value for name, value in normal.items() if name not in names}


@functools.cache
def fields_of(kind: str) -> Fields:
    """The fields that a condition can read of the resources of a kind, made from what decodes them."""
    return _all(_OF[kind]())


def wrong_field(kind: str, path: Path) -> str | None:
    """Say which part of a path no resource of a kind has, or None if there is nothing wrong with it."""
    known: Fields | None = fields_of(kind)
    place = "resource"
    for step in path:
        if known is None:
            return None
        if isinstance(step, int):
            continue
        if step not in known:
            listed = ", ".join(known)
            return f"{place} has no field {step!r}.{nearest(step, known) or f' It has {listed}.'}"
        known = known[step]
        place = f"{place}.{step}"
    return None


# --- the file ---


def parse(data: t.Any, catalogue: t.Collection[str], conditions: Conditions) -> list[Control]:
    """Read a file of custom controls.

    :param data: what the file holds, plain data.
    :param catalogue: the ids of the collection's own controls.
    :raises EntryErrors: all that is wrong, a sentence each.
    """
    errors: list[str] = []
    found: dict[str, Control] = {}
    for entry in entries(OPTION, data, FIELDS, errors):
        one = _control(entry, conditions)
        if one.id in catalogue:
            entry.wrong(f"id is {one.id!r}: the collection has a control of that id, take another one.")
        elif one.id in found:
            entry.wrong(f"id is {one.id!r}: an entry before it has it already.")
        if one.id:
            found[one.id] = one
    if errors:
        raise EntryErrors(errors)
    return list(found.values())


def _control(entry: Entry, conditions: Conditions) -> Control:
    """An entry as a control; of no use where something was wrong with it."""
    number = entry.text("id", "an id of your own, such as SITE-01")
    title = entry.text("title", "a title")
    kind = entry.choice("kind", KINDS, "kinds")
    condition = entry.text("fail_when", "a condition about resource, such as resource.admin and resource.remote")
    severity = entry.choice("severity", SEVERITIES, "severities")
    remediation = entry.text("remediation", "a sentence on how to mend it")
    paths: list[Path] = []
    if condition:
        try:
            paths = conditions.references(condition)
        except InvalidOption as error:
            entry.wrong(f"fail_when is {condition!r}: {error}")
    if kind:
        wrong = dict.fromkeys(wrong_field(kind, path) for path in paths)
        for sentence in filter(None, wrong):
            entry.wrong(f"fail_when is {condition!r}: of {kind}, {sentence}")

    def page(site: Site, resources: t.Sequence[Resource]) -> list[Outcome]:
        return judge(condition, paths, resources, conditions)

    return Control(
        id=number,
        title=title,
        severity=severity,
        of=(kind,),
        judge=lambda site, resource: page(site, [resource])[0],
        remediation=remediation,
        mapping=_mapping(entry),
        custom=True,
        page=page,
    )


def _mapping(entry: Entry) -> dict[str, tuple[str, ...]]:
    """The criteria per framework, a text with commas or a list each."""
    found: dict[str, tuple[str, ...]] = dict.fromkeys(FRAMEWORKS, ())
    value = entry.values.get("mapping")
    if value is None:
        return found
    if not isinstance(value, dict):
        entry.wrong(f"mapping is {value!r}: it must be a mapping of frameworks ({', '.join(FRAMEWORKS)}) to criteria.")
        return found
    for name, criteria in value.items():
        if name not in FRAMEWORKS:
            listed = ", ".join(FRAMEWORKS)
            entry.wrong(f"mapping has {name!r}: the frameworks are {listed}.{nearest(str(name), FRAMEWORKS)}")
            continue
        parts = criteria if isinstance(criteria, list) else str("" if criteria is None else criteria).split(",")
        if any(isinstance(part, (bool, dict, list)) or not str(part).strip() for part in parts):
            entry.wrong(f"mapping.{name} is {criteria!r}: it must be criteria such as '5.1, 5.2', or a list of such.")
            continue
        found[name] = tuple(str(part).strip() for part in parts)
    return found


# --- judging ---


def judge(
    condition: str, paths: t.Sequence[Path], resources: t.Sequence[Resource], conditions: Conditions
) -> list[Outcome]:
    """Judge resources of one kind, in their order.

    :param paths: what the condition reads, for the evidence.
    """
    found: list[Outcome | None] = [None] * len(resources)
    views: dict[int, Normal] = {}
    for index, resource in enumerate(resources):
        try:
            views[index] = view(resource)
        except ValidationError:
            found[index] = Outcome("error", ("The object has another shape than the collection knows.",))
    results = conditions.evaluate(condition, list(views.values())) if views else []
    for (index, shown), result in zip(views.items(), results, strict=True):
        found[index] = _outcome(condition, paths, shown, result)
    return t.cast("list[Outcome]", found)


def _outcome(condition: str, paths: t.Sequence[Path], shown: Normal, result: bool | str) -> Outcome:
    if result is False:
        return PASS
    fields = dict(filter(None, (_evidence(shown, path) for path in paths)))
    if result is True:
        return fail(f"Its condition holds: {masked_text(condition)}", **fields)
    return Outcome("error", (str(result),), fields)


def _evidence(shown: t.Any, path: Path) -> tuple[str, t.Any] | None:
    """The value at a path, if it is one that a report can show."""
    names: list[str] = []
    for step in path:
        if isinstance(step, int):
            shown = shown[step] if isinstance(shown, list) and -len(shown) <= step < len(shown) else None
        elif isinstance(shown, dict):
            shown = shown.get(step)
            names.append(step)
        else:
            # A method of a text, such as startswith.
            break
    if not names or isinstance(shown, dict):
        return None
    if isinstance(shown, list) and any(isinstance(item, (dict, list)) for item in shown):
        return None
    return ".".join(names), shown


def view(resource: Resource) -> Normal:
    """What a condition sees of a resource: the fields of `fields_of`, secrets masked; what did not arrive is None.

    :raises ValidationError: the resource has another shape.
    """
    if resource.kind == EXPERIMENTS:
        # The audit reads them raw. Their model masks the configuration, and makes numbers of numbers.
        found = ConfiguredListed.model_validate(resource.data).normal()
        config = found.pop("config")
        found = {**masked(found), "config": config}
    else:
        found = masked(resource.data)
        if resource.kind == "webhooks":
            found["url"] = masked_url(resource.data["url"], resource.data["type"])
    return {name: found.get(name) for name in fields_of(resource.kind)}
