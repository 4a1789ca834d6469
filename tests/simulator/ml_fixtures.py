# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workspaces, templates, experiments and models of the fixtures ``empty``, ``demo`` and ``large``.

What looks like a secret starts with ``CANARY-``, so that a test can prove that it never leaks. Times are relative to the start.
"""

from __future__ import annotations

import json
import random
import typing as t
import uuid
from datetime import datetime, timedelta

from . import (  # noqa: F401  (most are imported for their routes only)
    checkpoints,
    expconf,
    experiment_create,
    experiment_verbs,
    experiments,
    model_versions,
    models,
    projects,
    templates,
    trials,
    workspaces,
)
from .ml_state import (
    TERMINAL,
    CheckpointRow,
    ConfigBase,
    ExperimentRow,
    ModelRow,
    ModelVersionRow,
    ProjectRow,
    TemplateRow,
    TrialRow,
    WorkspaceRow,
)

if t.TYPE_CHECKING:
    from .state import Master

SEED = 20260101
LARGE_EXPERIMENTS = 100_000
LARGE_TEMPLATES = 1_000
Config = dict[str, t.Any]

_SINGLE = {"name": "single", "metric": "validation_loss", "smaller_is_better": True}
_RANDOM = {"name": "random", "metric": "accuracy", "smaller_is_better": False, "max_trials": 4}
_ASHA = {
    "name": "adaptive_asha",
    "metric": "validation_loss",
    "smaller_is_better": True,
    "max_trials": 16,
    "time_metric": "epochs",
    "max_time": 20,
}
ARCHETYPES: dict[str, Config] = {
    "vision": {
        "entrypoint": "python3 -m torch_vision.train",
        "searcher": _RANDOM,
        "resources": {"slots_per_trial": 2},
        "hyperparameters": {
            "learning_rate": {"type": "log", "base": 10, "minval": -4, "maxval": -1},
            "batch_size": 128,
            "optimizer": {"type": "categorical", "vals": ["sgd", "adamw"]},
            "augment": {"flip": True, "crop": 224},
        },
        "environment": {
            "image": "registry.example.org/research/vision:2.3",
            "environment_variables": ["OMP_NUM_THREADS=8"],
        },
        "data": {"root": "/data/imagenet", "workers": 8},
        "max_restarts": 2,
        "min_validation_period": {"epochs": 1},
    },
    "language": {
        "entrypoint": ["python3", "finetune.py", "--bf16"],
        "searcher": _SINGLE,
        "resources": {"slots_per_trial": 4, "priority": 30},
        "hyperparameters": {"learning_rate": 2e-05, "warmup": 500, "lora": {"rank": 16, "alpha": 32}},
        "data": {"dataset": "news-2025", "secrets": {"hf_token": "CANARY-hf-token"}},
        "max_restarts": 5,
        "bind_mounts": [{"host_path": "/mnt/models", "container_path": "/models", "read_only": True}],
    },
    "ranking": {
        "entrypoint": "python3 rank.py",
        "searcher": _ASHA,
        "resources": {"slots_per_trial": 1},
        "hyperparameters": {
            "learning_rate": {"type": "double", "minval": 0.001, "maxval": 0.1},
            "layers": {"type": "int", "minval": 2, "maxval": 8},
            "dropout": 0.1,
        },
        "profiling": {"enabled": True},
        "max_restarts": 0,
        "log_policies": [{"name": "nan", "pattern": ".*loss is NaN.*", "action": "cancel_retries"}],
    },
    "smoke": {
        "entrypoint": "python3 smoke.py",
        "searcher": _SINGLE,
        "resources": {"slots_per_trial": 0},
        "hyperparameters": {"learning_rate": 0.01, "batch_size": 64},
        "max_restarts": 0,
    },
}

# workspace, owner, projects as (name, key, description)
DEMO_WORKSPACES: tuple[tuple[str, str, tuple[tuple[str, str, str], ...]], ...] = (
    ("research", "ada.brandt", (("vision", "VIS", "Image models"), ("language", "LANG", "Language models"))),
    ("production", "svc-gitops", (("ranking", "RANK", "Search ranking"), ("nightly", "NIGHT", "Nightly retraining"))),
    ("attic", "ada.brandt", (("legacy", "LEG", "What nobody trains any more"),)),
)
DEMO_TEMPLATES: tuple[tuple[str, str | None, Config], ...] = (
    ("cpu-small", None, {"resources": {"slots_per_trial": 0}, "max_restarts": 1}),
    (
        "gpu-large",
        "research",
        {
            "resources": {"slots_per_trial": 8, "resource_pool": "gpu", "priority": 40, "shm_size": 17179869184},
            "max_restarts": 3,
            "environment": {"environment_variables": ["NCCL_DEBUG=INFO"]},
        },
    ),
    (
        "private-registry",
        "production",
        {
            "environment": {
                "image": {"cpu": "registry.example.org/train:1.4", "cuda": "registry.example.org/train:1.4-cuda"},
                "registry_auth": {"username": "puller", "password": "CANARY-registry-password"},
                "environment_variables": ["OMP_NUM_THREADS=4", "WANDB_API_KEY=CANARY-wandb-key"],
            }
        },
    ),
    (
        "s3-checkpoints",
        "production",
        {
            "checkpoint_storage": {
                "type": "s3",
                "bucket": "checkpoints",
                "access_key": "CANARY-access-key",
                "secret_key": "CANARY-secret-key",
                "save_trial_latest": 2,
            }
        },
    ),
    ("notebook", "research", {"description": "Interactive work", "idle_timeout": "30m", "work_dir": "/home"}),
    ("empty", None, {}),
)
# name, project, owner, archetype, state, age in days, labels, trials, checkpoints a trial, archived
DEMO_EXPERIMENTS: tuple[tuple[str, str, str, str, str, float, tuple[str, ...], int, int, bool], ...] = (
    ("resnet50-baseline", "vision", "bjarne.holm", "vision", "COMPLETED", 61, ("resnet", "baseline"), 4, 2, False),
    ("resnet50-augment", "vision", "bjarne.holm", "vision", "COMPLETED", 58, ("resnet",), 4, 1, False),
    ("resnet50-mixup", "vision", "carla.mendes", "vision", "ERROR", 55, ("resnet", "mixup"), 2, 0, False),
    ("vit-small", "vision", "carla.mendes", "vision", "COMPLETED", 40, ("vit",), 4, 2, False),
    ("vit-small lr sweep", "vision", "carla.mendes", "vision", "CANCELED", 39, ("vit", "sweep"), 3, 1, False),
    ("vit-large", "vision", "jonas.weber", "vision", "RUNNING", 1.5, ("vit", "long"), 2, 1, False),
    ("detector-v1", "vision", "jonas.weber", "vision", "COMPLETED", 95, ("detector", "old"), 3, 1, True),
    ("detector-v2", "vision", "jonas.weber", "vision", "ERROR", 90, ("detector", "old"), 1, 0, True),
    ("detector-v3", "vision", "jonas.weber", "vision", "PAUSED", 6, ("detector",), 1, 1, False),
    ("bert-news", "language", "farid.noor", "language", "COMPLETED", 33, ("bert", "news"), 1, 3, False),
    ("bert-news-long", "language", "farid.noor", "language", "COMPLETED", 21, ("bert", "news"), 1, 3, False),
    ("bert-legal", "language", "grace.lindqvist", "language", "CANCELED", 18, ("bert",), 1, 0, False),
    ("llama-lora", "language", "farid.noor", "language", "RUNNING", 0.8, ("llm", "lora"), 1, 2, False),
    ("llama-lora-eval", "language", "farid.noor", "language", "QUEUED", 0.1, ("llm",), 1, 0, False),
    ("tokenizer-test", "language", "hugo.martin", "smoke", "ERROR", 12, (), 1, 0, False),
    ("summaries", "language", "grace.lindqvist", "language", "COMPLETED", 70, ("old",), 1, 1, True),
    ("ranker-2025-q3", "ranking", "svc-gitops", "ranking", "COMPLETED", 80, ("ranker", "quarterly"), 5, 1, False),
    ("ranker-2025-q4", "ranking", "svc-gitops", "ranking", "COMPLETED", 15, ("ranker", "quarterly"), 5, 1, False),
    ("ranker-next", "ranking", "ada.brandt", "ranking", "STARTING", 0.02, ("ranker",), 1, 0, False),
    ("ranker-pull", "ranking", "ada.brandt", "ranking", "PULLING", 0.01, (), 1, 0, False),
    ("nightly-01", "nightly", "svc-nightly", "smoke", "COMPLETED", 5, ("nightly",), 1, 1, False),
    ("nightly-02", "nightly", "svc-nightly", "smoke", "COMPLETED", 4, ("nightly",), 1, 1, False),
    ("nightly-03", "nightly", "svc-nightly", "smoke", "ERROR", 3, ("nightly", "flaky"), 1, 0, False),
    ("nightly-04", "nightly", "svc-nightly", "smoke", "COMPLETED", 2, ("nightly",), 1, 1, False),
    ("nightly-05", "nightly", "svc-nightly", "smoke", "PAUSED", 1, ("nightly",), 1, 0, False),
    ("legacy-gan", "legacy", "ada.brandt", "vision", "COMPLETED", 400, ("gan", "old"), 2, 1, True),
    ("legacy-gan-2", "legacy", "ada.brandt", "vision", "ERROR", 390, ("gan", "old"), 1, 0, False),
    ("legacy-lm", "legacy", "deniz.kaya", "language", "DELETE_FAILED", 380, ("old",), 1, 1, False),
    ("scratch", "Uncategorized", "hugo.martin", "smoke", "CANCELED", 9, ("a,b",), 1, 0, False),
    ("hello world", "Uncategorized", "hugo.martin", "smoke", "COMPLETED", 8, (), 1, 1, True),
    ("detached-run", "Uncategorized", "grace.lindqvist", "smoke", "UNMANAGED", 7, ("detached",), 1, 1, False),
)
# name, workspace, owner, description, labels, archived, experiments whose first checkpoint becomes a version
DEMO_MODELS: tuple[tuple[str, str, str, str, tuple[str, ...], bool, tuple[str, ...]], ...] = (
    (
        "image-classifier",
        "research",
        "bjarne.holm",
        "ResNet family",
        ("vision", "served"),
        False,
        ("resnet50-baseline", "resnet50-augment"),
    ),
    ("news-bert", "research", "farid.noor", "", ("language",), False, ("bert-news", "bert-news-long")),
    ("ranker:stable", "production", "svc-gitops", "What the search uses", ("served",), False, ("ranker-2025-q4",)),
    ("old detector", "attic", "jonas.weber", "Replaced", ("vision", "old"), True, ("detector-v1",)),
)


def populate_ml(master: Master, fixture: str) -> None:
    """Add what the fixture has of machine learning; users, agents and the master's configuration are there.

    Args:
        master: the state.
        fixture: ``empty`` (the built-in workspace and project only), ``demo`` or ``large``.
    """
    start = master.now() - timedelta(days=420)
    master.workspaces[1] = WorkspaceRow(master.next_id("workspaces"), "Uncategorized", 1, immutable=True)
    master.projects[1] = ProjectRow(master.next_id("projects"), "Uncategorized", 1, 1, "UNC0A", start, immutable=True)
    if fixture == "demo":
        _Filler(master, random.Random(SEED)).demo()
    elif fixture == "large":
        _Filler(master, random.Random(SEED)).large()


class _Filler:
    """Inserts rows; everything random comes from one seeded source."""

    def __init__(self, master: Master, source: random.Random) -> None:
        self.master = master
        self.source = source
        self.now = master.now()
        self.bases: dict[tuple[str, int], ConfigBase] = {}

    def uuid(self) -> str:
        """A UUID from the seed."""
        return str(uuid.UUID(int=self.source.getrandbits(128), version=4))

    def ago(self, days: float) -> datetime:
        """A time in the past with a fraction of a second."""
        return self.now - timedelta(days=days, microseconds=self.source.randrange(10**6))

    def workspace(self, name: str, owner: int, days: float, **fields: t.Any) -> WorkspaceRow:
        """A workspace, pinned by its owner, who administers it."""
        row = WorkspaceRow(self.master.next_id("workspaces"), name, owner, pins={owner: self.ago(days)}, **fields)
        self.master.workspaces[row.id] = row
        self.master.role_assignments[self.master.users[owner].personal_group, workspaces.WORKSPACE_ADMIN, row.id] = None
        return row

    def project(self, name: str, key: str, workspace: WorkspaceRow, days: float, **fields: t.Any) -> ProjectRow:
        """A project of the workspace's owner."""
        number = self.master.next_id("projects")
        row = ProjectRow(number, name, workspace.id, workspace.user_id, key, self.ago(days), **fields)
        self.master.projects[row.id] = row
        return row

    def base(self, archetype: str, project: ProjectRow) -> ConfigBase:
        """The configuration that all experiments of an archetype in a project share."""
        known = self.bases.get((archetype, project.id))
        if known is None:
            workspace = self.master.workspaces[project.workspace_id]
            submitted = {**ARCHETYPES[archetype], "name": "", "workspace": workspace.name, "project": project.name}
            config = expconf.decode("experiment", submitted, strict=True)
            gpu = config["resources"]["slots_per_trial"] and "gpu" in self.master.resource_pools
            config["resources"]["resource_pool"] = "gpu" if gpu else "default"
            for storage in (workspace.checkpoint_storage, self.master.config["checkpoint_storage"]):
                under = None if storage is None else expconf.decode("checkpoint-storage", storage, strict=False)
                config["checkpoint_storage"] = expconf.merge("checkpoint-storage", config["checkpoint_storage"], under)
            config["preemption_timeout"] = 3600
            config["reproducibility"] = {"experiment_seed": self.source.getrandbits(31)}
            if config["resources"]["priority"] is None:
                config["resources"]["priority"] = experiment_create.DEFAULT_PRIORITY
            full = expconf.stored("experiment", expconf.with_defaults("experiment", config))
            expconf.require_complete(full)
            known = self.bases[archetype, project.id] = ConfigBase(full)
        return known

    def experiment(
        self,
        name: str,
        project: ProjectRow,
        owner: int,
        archetype: str,
        state: str,
        days: float,
        labels: list[str],
        **fields: t.Any,
    ) -> ExperimentRow:
        """An experiment in a state; QUEUED, PULLING, STARTING and RUNNING are shades of ACTIVE, UNMANAGED is a running detached one."""
        allocation = state if state in ("QUEUED", "PULLING", "STARTING", "RUNNING") else "QUEUED"
        unmanaged = state == "UNMANAGED"
        word = "RUNNING" if unmanaged else "ACTIVE" if state == allocation else state
        start = self.ago(days)
        ended = word in TERMINAL or word == "DELETE_FAILED"
        base = self.base(archetype, project)
        row = ExperimentRow(
            self.master.next_id("experiments"),
            base,
            name,
            fields.pop("description", None),
            labels,
            project.id,
            owner,
            word,
            start,
            end_time=start + timedelta(seconds=self.source.uniform(60, 40_000)) if ended else None,
            progress=1
            if word == "COMPLETED"
            else 0
            if word in ("PAUSED", "ACTIVE") and allocation != "RUNNING"
            else 0.4375,
            job_id=self.uuid(),
            allocation=allocation,
            unmanaged=unmanaged,
            live=word in ("ACTIVE", "PAUSED"),
            model_definition_size=0 if unmanaged else 4096 + self.source.randrange(9000),
            **fields,
        )
        row.memory = row.snapshot() if row.live else None
        self.master.experiments[row.id] = row
        project.reserved_keys.add(project.key)
        return row

    def trial(self, experiment: ExperimentRow, number: int, checkpoint_count: int, hparams: Config) -> TrialRow:
        """A trial with three validations and checkpoints at the last of them."""
        state = experiment.state if experiment.state != "DELETE_FAILED" else "COMPLETED"
        begin = experiment.start_time + timedelta(seconds=2.125 + number)
        row = TrialRow(
            self.master.next_id("trials"),
            experiment.id,
            state,
            begin,
            hparams,
            f"{experiment.id}.{self.uuid()}",
            end_time=experiment.end_time,
        )
        self.master.trials[row.id] = row
        experiment.trial_ids.append(row.id)
        if experiment.state not in ("PAUSED", "ACTIVE") or checkpoint_count:
            self._metrics(experiment, row, number)
        for index in range(checkpoint_count):
            self._checkpoint(experiment, row, 3 - checkpoint_count + index + 1 if checkpoint_count <= 3 else index + 1)
        return row

    def _metrics(self, experiment: ExperimentRow, row: TrialRow, number: int) -> None:
        end = experiment.end_time or self.now
        summary: Config = {"avg_metrics": {}, "validation_metrics": {}}
        for step in (1, 2, 3):
            batches = 100 * step
            row.training_metrics[batches] = {"loss": round(2.0 / (step + number), 6)}
            metrics = {
                "validation_loss": round(2.2 / (step + number), 6),
                "accuracy": round(1 - 0.9 / (step + number), 6),
            }
            row.validations.append((batches, row.start_time + (end - row.start_time) * step / 3, metrics))
            summary["avg_metrics"] = trials.summarise(summary["avg_metrics"], row.training_metrics[batches])
            summary["validation_metrics"] = trials.summarise(summary["validation_metrics"], metrics)
        row.summary_metrics, row.total_batches = summary, 300
        row.wall_clock_time = round((end - row.start_time).total_seconds(), 6)

    def _checkpoint(self, experiment: ExperimentRow, trial: TrialRow, step: int) -> CheckpointRow:
        resources = {
            "code/train.py": 3_211,
            "metadata.json": 142,
            "state/": 0,
            "state/weights.pt": 45_000_000 + self.source.randrange(10**9),
            "state/optimizer.pt": 3_500_000_000,
        }
        metadata = {"framework": "torch-2.4.0", "format": "pickle", "steps_completed": 100 * step}
        time = trial.validations[step - 1][1]
        row = CheckpointRow(
            self.uuid(),
            trial.id,
            experiment.id,
            trial.task_id,
            time,
            resources,
            metadata,
            allocation_id=None if experiment.unmanaged else f"{trial.task_id}.1",
        )
        self.master.checkpoints[row.uuid] = row
        trial.checkpoint_uuids.append(row.uuid)
        experiment.size += row.size
        experiment.count += 1
        return row

    # --- demo ---

    def demo(self) -> None:
        """A small company: research, production, and an attic that is archived."""
        master, ids = self.master, self.master.user_ids
        by_name = {"Uncategorized": master.projects[1]}
        spaces = {}
        for number, (name, owner, held) in enumerate(DEMO_WORKSPACES):
            spaces[name] = self.workspace(name, ids[owner], 410 - number)
            for project, key, description in held:
                by_name[project] = self.project(project, key, spaces[name], 405 - number, description=description)
        spaces["production"].checkpoint_storage = expconf.parse_storage(
            {
                "type": "s3",
                "bucket": "prod-checkpoints",
                "access_key": "CANARY-workspace-access-key",
                "secret_key": "CANARY-workspace-secret-key",
            }
        )
        spaces["production"].agent = {"agentUid": 900, "agentGid": 900, "agentUser": "prod", "agentGroup": "prod"}
        by_name["ranking"].notes = [{"name": "Runbook", "contents": "# Ranking\nRetrain each quarter."}]
        for template, workspace, config in DEMO_TEMPLATES:
            master.templates[template] = TemplateRow(template, config, spaces[workspace].id if workspace else 1)
        found = {}
        for name, project, owner, archetype, state, days, labels, trial_count, saved, archived in DEMO_EXPERIMENTS:
            row = self.experiment(
                name,
                by_name[project],
                ids[owner],
                archetype,
                state,
                days,
                list(labels),
                archived=archived,
                description=f"{name} of {project}" if trial_count > 1 else None,
                notes="# Result\nGood." if saved > 1 else "",
            )
            row.original_config = _submitted(row)
            found[name] = row
            for number in range(trial_count):
                hparams = {
                    **experiment_create.sampled(row.base.data["hyperparameters"]),
                    "learning_rate": round(0.01 * (number + 1), 4),
                }
                self.trial(row, number, saved, hparams)
            trials.choose_best_trial(master, row)
        found["resnet50-augment"].parent_id = found["resnet50-baseline"].id
        self._demo_checkpoints(found)
        for name, workspace, owner, description, labels, archived, sources in DEMO_MODELS:
            model = self.model(name, spaces[workspace].id, ids[owner], description, list(labels), archived)
            for source in sources:
                trial = master.trials[found[source].trial_ids[0]]
                self.version(model, trial.checkpoint_uuids[-1], found[source].name)
        spaces["attic"].archived = True

    def _demo_checkpoints(self, found: dict[str, ExperimentRow]) -> None:
        """One checkpoint deleted and one partially, as a garbage collection leaves them."""
        master = self.master
        first = master.trials[found["resnet50-baseline"].trial_ids[1]].checkpoint_uuids
        master.checkpoints[first[0]].state = "DELETED"
        second = master.checkpoints[master.trials[found["vit-small"].trial_ids[0]].checkpoint_uuids[0]]
        second.state, second.resources = (
            "PARTIALLY_DELETED",
            {"metadata.json": 142, "state/": 0, "state/weights.pt": 45_000_000},
        )
        for name in ("resnet50-baseline", "vit-small"):
            checkpoints.recount(master, found[name])

    def model(
        self, name: str, workspace_id: int, owner: int, description: str, labels: list[str], archived: bool
    ) -> ModelRow:
        """A registered model."""
        made = self.ago(30)
        row = ModelRow(
            self.master.next_id("models"),
            name,
            owner,
            workspace_id,
            made,
            made,
            description=description,
            labels=labels,
            metadata={"team": "ml", "tier": 1} if labels else {},
            archived=archived,
        )
        self.master.models[row.id] = row
        return row

    def version(self, model: ModelRow, checkpoint_uuid: str, name: str) -> None:
        """The next version of a model."""
        made = self.ago(20 - len(model.version_ids))
        row = ModelVersionRow(
            self.master.next_id("model_versions"),
            model.id,
            len(model.version_ids) + 1,
            checkpoint_uuid,
            model.user_id,
            made,
            made,
            name=name,
            labels=["candidate"],
            comment=f"from {name}",
        )
        self.master.model_versions[row.id] = row
        model.version_ids.append(row.id)
        model.last_updated_time = max(model.last_updated_time, made)

    # --- large ---

    def large(self) -> None:
        """Many of everything, for benchmarks; experiments share their configurations."""
        master, source = self.master, self.source
        owners = [user.id for user in master.users.values()][:500]
        held = []
        for number in range(20):
            space = self.workspace(f"team-{number:02d}", source.choice(owners), 400)
            held += [self.project(f"project-{part}", f"T{number:02d}P{part}", space, 390) for part in range(5)]
        for number in range(LARGE_TEMPLATES):
            config = {
                "resources": {"slots_per_trial": number % 9, "priority": 20 + number % 60},
                "environment": {"environment_variables": [f"RUN={number}", "OMP_NUM_THREADS=4"]},
                "max_restarts": number % 6,
                "labels": [f"group-{number % 25}"],
                "description": f"Template {number} " + "x" * (number % 80),
            }
            name = f"template-{number:04d}"
            master.templates[name] = TemplateRow(
                name, config, held[number % len(held)].workspace_id if number % 3 else 1
            )
        states = ("COMPLETED",) * 70 + ("ERROR",) * 12 + ("CANCELED",) * 12 + ("PAUSED",) * 3 + ("QUEUED",) * 3
        kinds = tuple(ARCHETYPES)
        hparams = [{"learning_rate": 0.001 * (index + 1), "batch_size": 64} for index in range(50)]
        for number in range(LARGE_EXPERIMENTS):
            archetype = kinds[number % len(kinds)]
            row = self.experiment(
                f"{archetype}-{number:06d}",
                source.choice(held),
                source.choice(owners),
                archetype,
                source.choice(states),
                380 * (1 - number / LARGE_EXPERIMENTS),
                [f"label-{number % 40}", archetype],
                description=f"run {number}",
                original_config="name: generated\n",
            )
            row.archived = row.state in TERMINAL and number % 10 < 3
            saved = 1 if row.state == "COMPLETED" and number % 10 == 0 else 0
            if saved:
                self.trial(row, number % 7, saved, hparams[number % 50])
            else:
                trial = TrialRow(
                    master.next_id("trials"),
                    row.id,
                    row.state,
                    row.start_time,
                    hparams[number % 50],
                    f"{row.id}.{self.uuid()}",
                    end_time=row.end_time,
                )
                master.trials[trial.id] = trial
                row.trial_ids.append(trial.id)
        for number in range(200):
            self.model(
                f"model-{number:03d}",
                held[number % len(held)].workspace_id,
                source.choice(owners),
                "",
                [f"group-{number % 9}"],
                False,
            )


def _submitted(row: ExperimentRow) -> str:
    """The text that somebody may have submitted for an experiment; JSON is YAML, too."""
    kept = {"name": row.name, "labels": row.labels} | {
        key: row.base.data[key]
        for key in ("workspace", "project", "entrypoint", "searcher", "hyperparameters", "max_restarts", "data")
    }
    return json.dumps(kept)
