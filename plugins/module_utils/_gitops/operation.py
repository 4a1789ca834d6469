# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""What det_apply does: load, read, plan; check mode stops here; lock, apply, lock."""

from __future__ import annotations

import time
import typing as t

from .._engine.compare import NONE
from .._kinds.kind import Arguments, Task
from .._kinds.rights import Rights
from .._wire import errors
from .._wire.errors import DeterminedError, InvalidOption
from .._wire.session import Live
from .apply import APPLIED, FAILED, SKIPPED, Applier
from .directory import Directory
from .kinds import KINDS
from .lock import Lock, Owned, Record, alone, check_writable, read_lock, write_text
from .manifest import Manifest
from .plan import BLOCKED, Item, Plan
from .plan_file import check_plan, plan_text
from .planner import Planner
from .report import CLASSES, WRITERS, document

PLURALS = tuple(kind.plural for kind in KINDS)
SECONDS_BETWEEN = 3.0
"""How often progress is told."""

NAMED = 10
"""How many objects of a sort a failure names; all are in the result."""


class Source(t.Protocol):
    """Where the manifest comes from: Ansible's loader in the controller."""

    def load(self) -> Manifest:
        """Load, template and check it.

        :raises ManifestErrors: with all that is wrong.
        """

    def tell(self, text: str) -> None:
        """Show a line of progress."""

    def written(self, content: t.Mapping[str, t.Any]) -> str:
        """Make a file's text of entries, which the loader reads back as they are."""


class Cluster(Live):
    """Which cluster this is (``GET /master``)."""

    cluster_id: str
    version: str = ""


class ApplyOperation:
    """Brings a whole cluster to what a manifest declares, or plans it in check mode."""

    arguments = Arguments(
        spec={
            "manifest": {"type": "raw", "required": True},
            "environment": {"type": "str"},
            "kinds": {"type": "list", "elements": "str", "choices": list(PLURALS)},
            "only": {"type": "list", "elements": "str", "default": []},
            "prune": {"type": "dict"},
            "plan_out": {"type": "path"},
            "plan": {"type": "path"},
            "lock_file": {"type": "path"},
            "validate_only": {"type": "bool", "default": False},
            "concurrency": {"type": "int", "default": 4},
            "on_error": {"type": "str", "choices": ["stop", "continue"], "default": "stop"},
            "retry_for": {"type": "int", "default": 60},
            "reports": {
                "type": "dict",
                "options": {
                    "style": {"type": "str", "choices": ["plan", "drift"], "default": "plan"},
                    "json": {"type": "path"},
                    "markdown": {"type": "path"},
                    "junit": {"type": "path"},
                    "commit": {"type": "str"},
                    "dirty": {"type": "bool"},
                    "actor": {"type": "str"},
                },
            },
            "progress": {"type": "str", "choices": ["auto", "always", "never"], "default": "auto"},
        },
        mutually_exclusive=(("plan", "plan_out"),),
    )

    def run(self, task: Task) -> dict[str, t.Any]:
        """Plan, and in a real run apply.

        :raises DeterminedError: something is wrong, or was blocked or failed; `task.extra` then has the plan all the same.
        """
        options = task.options
        _check(options)
        source = t.cast(Source, options["manifest"])
        manifest = source.load()
        for warning in manifest.warnings:
            task.warn(warning)
        result: dict[str, t.Any] = {
            "changed": False,
            "manifest": manifest.settings.name,
            "environment": manifest.environment,
            "declared": len(manifest.entries),
        }
        if options["validate_only"]:
            return result
        cluster = task.session.read(Cluster, "master", "/api/v1/master")
        manifest.check_cluster(cluster.cluster_id, task.session.connection.master)
        result["cluster_id"] = cluster.cluster_id
        if task.check_mode:
            return self._planned(task, manifest, cluster, result)
        with alone(cluster.cluster_id):
            return self._applied(task, manifest, cluster, result)

    def _planned(self, task: Task, manifest: Manifest, cluster: Cluster, result: dict[str, t.Any]) -> dict[str, t.Any]:
        plan, _lock, _path = _make_plan(task, manifest, cluster)
        _write_plan(task, plan, manifest, cluster)
        _write_reports(task, plan, manifest, cluster)
        for refusal in plan.refusals:
            task.warn(f"A real run would refuse this plan: {refusal}")
        return {**result, **_results(plan), "drift": _drift(plan, manifest), "refusals": plan.refusals}

    def _applied(self, task: Task, manifest: Manifest, cluster: Cluster, result: dict[str, t.Any]) -> dict[str, t.Any]:
        options, session = task.options, task.session
        plan, lock, path = _make_plan(task, manifest, cluster)
        _write_plan(task, plan, manifest, cluster)
        # What the result holds if this fails.
        task.extra.update(result, **_results_of_failure(plan), refusals=plan.refusals)
        if plan.refusals:
            _write_reports(task, plan, manifest, cluster)
            raise InvalidOption(
                f"Nothing was written: {' '.join(plan.refusals)} Raise the limit in the settings if it is meant."
            )
        _resolve_secrets(plan)
        old = {} if lock is None else dict(lock.objects)
        # What refers to something that is renamed has another key then.
        old |= {(plural, plan.now.present_key(plural, key)): record for (plural, key), record in old.items()}
        if path is not None:
            _write_lock(path, manifest, cluster, {**old, **_owned(plan, manifest, plan.now, old)})
        applier = Applier(
            session,
            plan,
            KINDS,
            concurrency=options["concurrency"],
            stop_on_error=options["on_error"] == "stop",
            retry_for=options["retry_for"],
            tell=_progress(t.cast(Source, options["manifest"]).tell),
        )
        try:
            applier.run()
        finally:
            if path is not None:
                now = applier.directory
                left = {name: record for name, record in old.items() if now.has(*name) is not False}
                _write_lock(path, manifest, cluster, {**left, **_owned(plan, manifest, now, old)})
            for warning in applier.warnings:
                task.warn(warning)
            task.extra.update(_results_of_failure(plan))
            _write_reports(task, plan, manifest, cluster)
        if any(item.status == FAILED or item.action == BLOCKED for item in plan.items):
            raise DeterminedError(_summary(plan), applier.failure)
        return {**result, **_results(plan), "refusals": plan.refusals}


def _check(options: dict[str, t.Any]) -> None:
    """Refuse options that can't be right, before anything is read."""
    if options["concurrency"] < 1:
        raise InvalidOption(f"concurrency is {options['concurrency']}: it must be 1 or more.")
    if options["retry_for"] < 0:
        raise InvalidOption(f"retry_for is {options['retry_for']}: it must be 0 or more seconds.")
    for option in ("plan_out", "lock_file"):
        if options[option] is not None:
            check_writable(option, options[option])
    for form in WRITERS:
        path = (options["reports"] or {}).get(form)
        if path is not None:
            check_writable(f"reports.{form}", path)


def _make_plan(task: Task, manifest: Manifest, cluster: Cluster) -> tuple[Plan, Lock | None, str | None]:
    """The plan, the lock as it is, and the file to write it to: none if what is there is not to be trusted."""
    options = task.options
    path = _lock_path(options, manifest)
    lock, distrust = (None, None) if path is None else read_lock(path, manifest.settings.name or "", cluster.cluster_id)
    if distrust is not None:
        path = None
        task.warn(
            f"{distrust[0].upper()}{distrust[1:]}. It is left as it is, and nothing counts as managed; put the right one in its "
            "place, or remove it to begin anew."
        )
    planner = Planner(
        task.session,
        manifest,
        Rights.read(task.session),
        KINDS,
        selected=options["kinds"],
        only=options["only"],
        prune=manifest.settings.prune,
        lock=lock,
        distrust=distrust,
        concurrency=options["concurrency"],
    )
    plan = planner.plan()
    for warning in plan.warnings:
        task.warn(warning)
    if options["plan"] is not None:
        check_plan(
            options["plan"],
            plan,
            task,
            cluster_id=cluster.cluster_id,
            manifest=manifest.settings.name or "",
            environment=manifest.environment,
        )
    return plan, lock, path


def _write_plan(task: Task, plan: Plan, manifest: Manifest, cluster: Cluster) -> None:
    if task.options["plan_out"] is None:
        return
    text = plan_text(
        plan,
        task,
        cluster_id=cluster.cluster_id,
        manifest=manifest.settings.name or "",
        environment=manifest.environment,
    )
    write_text(task.options["plan_out"], text)


def _write_reports(task: Task, plan: Plan, manifest: Manifest, cluster: Cluster) -> None:
    reports = task.options["reports"]
    if reports is None:
        return
    about = {
        "cluster_id": cluster.cluster_id,
        "version": cluster.version,
        "manifest": manifest.settings.name,
        "environment": manifest.environment,
        "commit": reports["commit"],
        "dirty": reports["dirty"],
        "actor": reports["actor"] or task.session.caller().username,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    written = t.cast(Source, task.options["manifest"]).written
    found = document(plan, style=reports["style"], exit_hint=_exit_hint(plan), about=about, written=written)
    for form, writer in WRITERS.items():
        if reports[form] is not None:
            write_text(reports[form], writer(found))


def _resolve_secrets(plan: Plan) -> None:
    """Resolve all secrets before the first write.

    :raises InvalidOption: with each that can't be.
    """
    wrong = []
    for item in plan.items:
        if item.writes:
            try:
                item.resolve()
            except errors.DeterminedError as error:
                place = "" if item.entry is None else f"{item.entry.position}: "
                wrong.append(f"{place}{item.kind.plural}/{item.key}: {error}")
    if wrong:
        raise InvalidOption("Nothing was written. " + "\n".join(wrong))


def _lock_path(options: dict[str, t.Any], manifest: Manifest) -> str | None:
    if options["lock_file"] is not None:
        return str(options["lock_file"])
    if manifest.folder is None:
        return None
    middle = "" if manifest.environment is None else f".{manifest.environment}"
    return f"{manifest.folder}/.determined.lock{middle}.yml"


def _owned(plan: Plan, manifest: Manifest, directory: Directory, old: t.Mapping[Owned, Record]) -> dict[Owned, Record]:
    """What is declared, as the lock file has it; without an id as long as it isn't there."""
    found: dict[Owned, Record] = {}
    for item in plan.items:
        if item.entry is None or item.entry.options.get("state") == "absent":
            continue
        before = old.get(item.name)
        if directory.has(*item.name) is None and before is not None:
            # The kind can't be read: it is as it was.
            found[item.name] = before
            continue
        live = directory.objects(item.kind.plural).get(item.key) if directory.has(*item.name) else None
        renamed = item.entry.renamed_from
        done = (
            item.status == APPLIED or item.action == "none" or (before is not None and before.renamed_from == renamed)
        )
        found[item.name] = Record(None if live is None else live.get("id"), renamed if done else None)
    return found


def _write_lock(path: str, manifest: Manifest, cluster: Cluster, objects: dict[Owned, Record]) -> None:
    write_text(path, Lock(manifest.settings.name or "", cluster.cluster_id, objects).text())


def _results(plan: Plan) -> dict[str, t.Any]:
    return {
        "changed": any(item.writes for item in plan.items),
        "plan": [item.result() for item in plan.items],
        "counts": plan.counts(),
        "exit_hint": _exit_hint(plan),
        **_diff(item for item in plan.items if item.writes),
    }


def _results_of_failure(plan: Plan) -> dict[str, t.Any]:
    """The same for a run that fails, of which Ansible prints all but the diff: what stays as it is is only counted, and the
    fields of what was or would be written, which can be whole configurations, are in the diff and the reports."""
    return {
        "changed": any(item.status == APPLIED for item in plan.items),
        "plan": [
            {**item.result(), "fields": item.fields if item.status == FAILED else {}}
            for item in plan.items
            if item.action != NONE
        ],
        "counts": plan.counts(),
        "exit_hint": _exit_hint(plan),
        **_diff(item for item in plan.items if item.status == APPLIED),
    }


def _diff(items: t.Iterable[Item]) -> dict[str, t.Any]:
    diff = [
        {
            "before_header": f"{item.kind.plural}/{item.key}",
            "after_header": f"{item.kind.plural}/{item.key}",
            **item.diff,
        }
        for item in items
        if item.diff
    ]
    return {"diff": diff} if diff else {}


def _drift(plan: Plan, manifest: Manifest) -> dict[str, list[str]]:
    """The objects by how they differ; extra are only those of kinds in which nothing else may be."""
    found: dict[str, list[str]] = {"missing": [], "changed": [], "extra": [], "blocked": []}
    for item in plan.items:
        what = CLASSES.get(item.action)
        if what is not None and (what != "extra" or manifest.settings.prune.get(item.kind.plural) == "exclusive"):
            found[what].append(f"{item.kind.plural}/{item.key}")
    return found


def _exit_hint(plan: Plan) -> int:
    """0 nothing to do, 2 changes, 1 something is in the way."""
    if plan.refusals or any(item.action == BLOCKED or item.status == FAILED for item in plan.items):
        return 1
    return 2 if any(item.writes for item in plan.items) else 0


def _summary(plan: Plan) -> str:
    """What a failed run comes to: why for each object that needs a person, and what was done and not done by name."""
    by_status = {
        status: [item for item in plan.items if item.status == status] for status in (APPLIED, FAILED, SKIPPED)
    }
    blocked = [item for item in plan.items if item.action == BLOCKED]
    counts = [len(items) for items in by_status.values()]
    lines = [
        f"{counts[0]} applied, {counts[1]} failed, {counts[2]} not tried, {len(blocked)} blocked; a second run goes on from here."
    ]
    wrong = [*by_status[FAILED], *blocked]
    lines += [f"{item.kind.plural}/{item.key}: {item.reason}" for item in wrong[:NAMED]]
    if len(wrong) > NAMED:
        lines.append(f"and {len(wrong) - NAMED} more, see plan")
    for said, status in (("Applied", APPLIED), ("Not tried", SKIPPED)):
        if by_status[status]:
            names = [f"{item.kind.plural}/{item.key}" for item in by_status[status]]
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            lines.append(f"{said}: {', '.join(names[:NAMED])}{more}.")
    return "\n".join(lines)


def _progress(tell: t.Callable[[str], None]) -> t.Callable[[int, int, str], None]:
    last = time.monotonic()

    def told(done: int, total: int, name: str) -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_BETWEEN:
            last = time.monotonic()
            tell(f"{done} of {total} objects: {name}")

    return told


APPLY = ApplyOperation()
