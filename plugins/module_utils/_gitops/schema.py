# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""The JSON Schema of manifests, for editors and pipelines, out of the kinds' own options.

It is for what is written, before templates are resolved: a template or vaulted text may stand for any value but a key.
"""

from __future__ import annotations

import json
import typing as t

from .._kinds.kind import Declarable
from .kinds import KINDS, NESTED, POOL_BINDINGS, POOLS, SINGLE, WORKSPACES
from .manifest import PRUNE_MODES, SCHEMA_VERSION, SETTINGS, Spec, entry_options

Schema = dict[str, t.Any]

TEMPLATE: Schema = {
    "title": "A template, or vaulted text",
    "type": "string",
    "pattern": r"\{[{%#]|^\$ANSIBLE_VAULT;",
}
OR_TEMPLATE: Schema = {"$ref": "#/$defs/template"}

SCALARS: dict[str, list[str]] = {
    # Ansible makes texts of numbers.
    "str": ["string", "number", "null"],
    "path": ["string", "null"],
    "bool": ["boolean", "null"],
    "int": ["integer", "null"],
    "float": ["number", "null"],
}


def manifest_schema(kinds: t.Sequence[Declarable] = KINDS) -> Schema:
    """The schema of a file of kinds; ``#/$defs/settings`` in it is that of ``determined.yml``."""
    plurals = [kind.plural for kind in kinds]
    definitions: Schema = {"template": TEMPLATE, "settings": _settings(plurals)}
    for kind in kinds:
        definitions[kind.plural] = _entry(kind, False)
        if kind.plural in NESTED:
            definitions[_nested(kind.plural)] = _entry(kind, True)
    if WORKSPACES in definitions:
        inside = definitions[WORKSPACES]["properties"]
        inside |= {plural: _list({"$ref": f"#/$defs/{_nested(plural)}"}) for plural in NESTED if plural in plurals}
        if POOL_BINDINGS not in plurals:
            del inside[POOLS]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A file of a manifest of the Ansible collection determined.ai",
        "description": "Settings (determined.yml) are checked against #/$defs/settings.",
        "type": "object",
        "properties": {
            plural: _or_template({"$ref": f"#/$defs/{plural}"}, {"type": "null"})
            if plural in SINGLE
            else _list({"$ref": f"#/$defs/{plural}"})
            for plural in plurals
        },
        "additionalProperties": False,
        "$defs": definitions,
    }


def schema_text(kinds: t.Sequence[Declarable] = KINDS) -> str:
    """The schema as it is committed."""
    return json.dumps(manifest_schema(kinds), indent=2) + "\n"


FILE = f"manifest-v{SCHEMA_VERSION}.json"


def _nested(plural: str) -> str:
    return f"{plural}_of_a_workspace"


def _settings(plurals: list[str]) -> Schema:
    found = _mapping(SETTINGS)
    inside = found["properties"]
    inside["prune"] = {
        "type": ["object", "null"],
        "properties": {plural: {"enum": [*PRUNE_MODES, None]} for plural in plurals},
        "additionalProperties": False,
    }
    for option in ("protect", "ignore"):
        _items(inside[option])["properties"]["kind"] = {"enum": plurals}
    inside["allow_empty"] = _list({"enum": plurals})
    return found


def _items(schema: Schema) -> Schema:
    return t.cast(Schema, schema["anyOf"][0]["items"]["anyOf"][0])


def _entry(kind: Declarable, nested: bool) -> Schema:
    return _mapping(entry_options(kind, nested=nested))


def _mapping(spec: Spec) -> Schema:
    """The schema of a mapping of options."""
    found: Schema = {
        "type": "object",
        "properties": {name: _option(option) for name, option in spec.items()},
        "additionalProperties": False,
    }
    required = [name for name, option in spec.items() if option.get("required")]
    return {**found, "required": required} if required else found


def _option(option: dict[str, t.Any]) -> Schema:
    """The schema of one option. Null is as good as left out, and takes a base's declaration back in an overlay."""
    name = option.get("type", "str")
    if "choices" in option:
        return _or_template({"enum": [*option["choices"], None]})
    if name == "list":
        return _list(_option({**option, "type": option.get("elements", "raw"), "elements": None}))
    if name == "dict":
        inner = option.get("options")
        return _or_template({"type": "object"} if inner is None else _mapping(inner), {"type": "null"})
    if name == "raw":
        return {}
    types = SCALARS[name]
    if option.get("required"):
        types = [found for found in types if found != "null"]
    return {"type": types} if "string" in types else _or_template({"type": types})


def _list(items: Schema) -> Schema:
    return _or_template({"type": "array", "items": _with_template(items)}, {"type": "null"})


def _with_template(schema: Schema) -> Schema:
    return schema if "anyOf" in schema or "string" in schema.get("type", ()) else _or_template(schema)


def _or_template(*schemas: Schema) -> Schema:
    return {"anyOf": [*schemas, OR_TEMPLATE]}
