# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Plan files: what a plan saw and wants to do, so that exactly this is applied later, or nothing.

There is no secret in one, nor a digest of one: digests are taken of what may be seen.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
import typing as t

from .._kinds.kind import PLAIN, Task
from .._wire.errors import InvalidOption
from .plan import Item, Plan

SCHEMA = 1


def plan_text(plan: Plan, task: Task, *, cluster_id: str, manifest: str, environment: str | None) -> str:
    """A plan as a file's text: JSON, sorted, without the objects of which nothing is to be done."""
    items = [
        {
            "kind": item.kind.plural,
            "key": item.key,
            "action": item.action,
            "digest": _digest(item, task),
            "fields": item.fields,
        }
        for item in _sorted(plan)
    ]
    head = {"schema": SCHEMA, "cluster_id": cluster_id, "manifest": manifest, "environment": environment}
    return json.dumps({**head, "items": items}, indent=1, sort_keys=True, default=str) + "\n"


def check_plan(path: str, plan: Plan, task: Task, *, cluster_id: str, manifest: str, environment: str | None) -> None:
    """Refuse to apply a plan that is no longer what would be done.

    :raises InvalidOption: it can't be read, is another manifest's or cluster's, or something has moved since; with what.
    """
    try:
        kept = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        head = (kept["cluster_id"], kept["manifest"], kept["environment"])
        if kept["schema"] != SCHEMA:
            raise ValueError("schema")
        before = {(item["kind"], item["key"]): (item["action"], item["digest"]) for item in kept["items"]}
    except OSError as error:
        raise InvalidOption(f"plan is {path!r}: it can't be read ({error.strerror or error}).") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidOption(f"plan is {path!r}: that is no plan file of this collection.") from error
    for what, was, now in zip(
        ("cluster", "manifest", "environment"), head, (cluster_id, manifest, environment), strict=True
    ):
        if was != now:
            raise InvalidOption(f"plan is {path!r}: it was made for the {what} {was!r}, and this is {now!r}.")
    after = {item.name: (item.action, _digest(item, task)) for item in _sorted(plan)}
    moved = sorted(
        f"{kind}/{key}"
        for kind, key in before.keys() | after.keys()
        if before.get((kind, key)) != after.get((kind, key))
    )
    if moved:
        more = f" and {len(moved) - 10} more" if len(moved) > 10 else ""
        raise InvalidOption(
            f"plan is {path!r}: since it was made, {', '.join(moved[:10])}{more} changed in the manifest or on the cluster, or "
            "in a secret that could not be resolved then; make a new plan."
        )


def _sorted(plan: Plan) -> list[Item]:
    return sorted((item for item in plan.items if item.action != "none"), key=lambda item: item.name)


def _digest(item: Item, task: Task) -> str:
    """Of what is declared and what is live, as far as it may be seen; what the server changes by itself is left out."""
    kind = item.kind
    live = {} if item.live is None else kind.shown(task, item.live)
    seen = {name: value for name, value in live.items() if name not in kind.volatile}
    after = {} if item.after is None else kind.shown(task, item.after)
    hidden = {name for name in item.written if kind.fields.get(name, PLAIN).write_only}
    declared: dict[str, t.Any] = {name: after.get(name) for name in item.written if name not in hidden}
    text = json.dumps([seen, declared, sorted(hidden)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
