# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster in git, as a team uses it: the playbooks of the role gitops on a repository, and what can happen to them."""

from __future__ import annotations

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import typing as t
import xml.etree.ElementTree as ET

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from tests.simulator import Fault, Simulator

from .conftest import ROOT, Playbooks, Run

APPLY, EXPORT = "determined.ai.det_apply", "determined.ai.det_export"
PASSWORD, KEY, VAULT = "CANARY-Passw0rd-1", "CANARY-registry-key", "CANARY-vault-password"


def vaulted(text: str, indent: int) -> str:
    """A text as ``ansible-vault encrypt_string`` writes it."""
    secret = VaultLib([("default", VaultSecret(VAULT.encode()))]).encrypt(text.encode(), vault_id="default").decode()
    return "!vault |\n" + "".join(f"{' ' * indent}{line}\n" for line in secret.splitlines())


class Repository:
    """A git repository with a manifest in ``cluster/``."""

    def __init__(self, playbooks: Playbooks, sim: Simulator) -> None:
        self.playbooks = playbooks
        self.sim = sim
        self.folder = playbooks.folder / "repository"
        self.cluster = self.folder / "cluster"
        self.reports = playbooks.folder / "gitops-reports"
        self.cluster.mkdir(parents=True)
        self.write("determined.yml", "schema: 1\nname: test\nprune: {templates: managed, webhooks: exclusive}\n")
        self.write(
            "people.yml",
            f"users:\n  - username: det-it-ada\n    password: {vaulted(PASSWORD, 6)}",
        )
        self.write(
            "work.yml",
            f"""\
workspaces:
  - name: det-it-engines
    projects:
      - name: difference
        description: The first.
    templates:
      - name: det-it-base
        config:
          environment:
            registry_auth:
              username: puller
              password: {vaulted(KEY, 16)}
""",
        )
        # Whatever else the cluster has stays out of the way of `exclusive`.
        sim.master.webhooks.clear()
        self.write(
            "webhooks.yml",
            "webhooks:\n  - {name: det-it-hook, url: 'http://localhost:1/', mode: workspace, "
            "type: default, triggers: [{type: experiment_state_change, condition: {state: COMPLETED}}]}\n",
        )
        self.git("init", "--quiet")
        self.commit()

    def write(self, name: str, text: str) -> None:
        path = self.cluster / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
        command = ["git", "-C", str(self.folder), *who, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "change")
        return self.git("rev-parse", "HEAD")

    def start(self, entry: str, *arguments: str, vault: bool = False) -> subprocess.Popen[str]:
        """Start a playbook of the role, with the vault's password if asked to."""
        given = [] if entry == "export" else ["-e", f"gitops_manifest={self.cluster}"]
        if vault:
            file = self.playbooks.folder / "vault-password"
            file.write_text(VAULT)
            given += ["--vault-password-file", str(file)]
        path = ROOT / "playbooks" / f"gitops_{entry}.yml"
        return self.playbooks.start(path, *given, *arguments)

    def run(self, entry: str, *arguments: str, vault: bool = False) -> Run:
        return self.playbooks.finish(self.start(entry, *arguments, vault=vault))

    def report(self, name: str = "plan") -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", json.loads((self.reports / f"{name}.json").read_text()))

    def writes(self) -> list[str]:
        """What changed something on the master."""
        return [
            f"{entry.method} {entry.path}"
            for entry in self.sim.journal
            if entry.method != "GET" and not entry.path.endswith(("/login", "/logout", "/search", "/by-ids"))
        ]


@pytest.fixture
def repository(playbooks: Playbooks, sim: Simulator) -> Repository:
    """A repository with a manifest, of which nothing is on the master yet."""
    return Repository(playbooks, sim)


def inline(names: t.Iterable[str], **more: t.Any) -> dict[str, t.Any]:
    """A manifest of templates, as a task has it."""
    return {"templates": [{"name": name, "config": {"description": name}} for name in names], **more}


def shown(run: Run) -> str:
    """All that a person or a log could see of a run."""
    return run.output + json.dumps(run.results)


# --- the story ---


def test_a_team_validates_plans_applies_and_finds_drift(repository: Repository) -> None:
    validated = repository.run("validate").ok()
    assert "declared" in shown(validated)
    assert repository.sim.journal == []

    # The pull request's plan: without the vault's password.
    commit = repository.git("rev-parse", "HEAD")
    planned = repository.run("plan", "--diff").ok()
    assert repository.writes() == []
    report = repository.report()
    assert (report["exit_hint"], report["commit"], report["dirty"]) == (2, commit, False)
    assert len(commit) == 40
    assert report["counts"]["create"] == 5
    page = (repository.reports / "plan.md").read_text()
    assert commit in page
    assert "uncommitted" not in page
    assert len(ET.parse(repository.reports / "plan.xml").getroot().findall("*/testcase")) == 5
    assert not list(repository.cluster.glob(".determined.lock*"))
    assert "5 create; see " in planned.output

    # The merge: with it.
    repository.run("apply", vault=True).ok()
    report = repository.report()
    assert {item["status"] for item in report["objects"]} == {"applied"}
    template = repository.sim.master.templates["det-it-base"].config
    assert template["environment"]["registry_auth"]["password"] == KEY
    lock = (repository.cluster / ".determined.lock.yml").read_text()
    assert '"key": "det-it-engines"' in lock

    # The night: nothing, with the new lock file noted as a change that is not committed; then somebody's hand.
    repository.run("drift", vault=True).ok()
    report = repository.report("drift")
    assert (report["exit_hint"], report["dirty"], report["objects"]) == (0, True, [])
    master = repository.sim.master
    del master.templates["det-it-base"]
    next(row for row in master.projects.values() if row.name == "difference").description = "Somebody's."
    drifted = repository.run("drift", vault=True)
    assert drifted.returncode != 0
    said = drifted.results[-1]["result"]["msg"]
    assert "templates/det-it-base" in said
    assert "projects/det-it-engines/difference" in said
    report = repository.report("drift")
    assert report["classes"] == {"missing": 1, "changed": 1, "extra": 0, "blocked": 0}
    assert report["exit_hint"] == 2
    page = (repository.reports / "drift.md").read_text()
    assert "| description | Somebody's. | The first. |" in page
    failures = ET.parse(repository.reports / "drift.xml").getroot().findall("*/testcase/failure")
    assert sorted(failure.get("type", "") for failure in failures) == ["changed", "missing"]
    # What is only extra does not fail for the others.
    repository.run("drift", "-e", '{"gitops_fail_on_drift": ["extra"]}', vault=True).ok()
    assert repository.sim.sessions() == []


@pytest.mark.once
def test_a_plan_is_kept_and_applied_or_refused_once_something_moved(repository: Repository) -> None:
    file = repository.playbooks.folder / "plan.saved.json"
    repository.run("plan", "-e", f"gitops_plan_out={file}").ok()
    master = repository.sim.master
    text = file.read_text()
    # Another one has made one of the objects meanwhile.
    made = repository.playbooks.tasks({"determined.ai.det_workspace": {"name": "det-it-engines"}})
    made.ok()
    before = repository.writes()
    refused = repository.run("apply", "-e", f"gitops_plan={file}", vault=True)
    assert refused.returncode != 0
    assert "workspaces/det-it-engines changed in the manifest or on the cluster" in refused.output
    assert repository.writes() == before
    repository.run("plan", "-e", f"gitops_plan_out={file}").ok()
    assert file.read_text() != text
    repository.run("apply", "-e", f"gitops_plan={file}", vault=True).ok()
    assert "det-it-base" in master.templates


@pytest.mark.once
def test_an_export_plans_nothing(repository: Repository) -> None:
    repository.run("export", "-e", "gitops_export_dest=exported", "-e", "gitops_export_layout=workspace").ok()
    folder = repository.playbooks.folder / "exported"
    assert {"determined.yml", "SECRETS.md", "NOT-EXPORTED.md", "workspaces"} <= {path.name for path in folder.iterdir()}
    planned = repository.playbooks.run(ROOT / "playbooks" / "gitops_plan.yml", "-e", "gitops_manifest=exported").ok()
    report = repository.report()
    assert (report["exit_hint"], report["objects"], report["commit"], report["dirty"]) == (0, [], None, None)
    assert "CANARY" not in shown(planned) + "".join(p.read_text() for p in folder.rglob("*") if p.is_file())


def test_mistakes_are_told_with_file_line_and_the_nearest_right_name(repository: Repository) -> None:
    repository.write("groups.yml", "groups:\n  - name: det-it-team\n    member: [det-it-ada]\n")
    repository.write("models.yml", "model:\n  - name: mill\n")
    run = repository.run("validate")
    assert run.returncode != 0
    said = run.results[-1]["result"]["msg"]
    assert said.splitlines() == [
        "groups.yml:3: groups have no option 'member'. Nearest: 'members', 'members_mode'.",
        "models.yml:1: there is no kind 'model'. Nearest: 'models'.",
    ]


# --- secrets ---


@pytest.mark.once
def test_no_secret_is_in_any_output_or_file(repository: Repository) -> None:
    log = repository.playbooks.folder / "ansible.log"
    repository.playbooks.environment["ANSIBLE_LOG_PATH"] = str(log)
    plan = repository.playbooks.folder / "plan.saved.json"
    planned = repository.run("plan", "-vvvv", "--diff", "-e", f"gitops_plan_out={plan}", vault=True).ok()
    repository.sim.faults.add(Fault("status", method="POST", path="/templates", status=500, body={"error": "no"}))
    failed = repository.run("apply", "-vvvv", "--diff", vault=True)
    assert failed.returncode != 0
    applied = repository.run("apply", "-vvvv", "--diff", vault=True).ok()
    files = [*repository.reports.iterdir(), *repository.cluster.glob(".determined.lock*"), plan, log]
    assert len(files) == 6
    text = "".join(map(shown, (planned, failed, applied))) + "".join(path.read_text() for path in files)
    for secret in (PASSWORD, KEY, VAULT, repository.playbooks.environment["DET_PASS"]):
        assert secret not in text


@pytest.mark.once
def test_without_the_vault_password_an_apply_writes_nothing(repository: Repository) -> None:
    run = repository.run("apply")
    assert run.returncode != 0
    assert "people.yml:3: password: " in run.output
    assert "work.yml:" in run.output
    assert repository.writes() == []


# --- what happens to a run ---


@pytest.mark.once
def test_a_second_apply_at_once_is_refused_with_who_holds_the_lock(repository: Repository) -> None:
    repository.sim.faults.add(Fault("delay", method="POST", path="/workspaces", seconds=6))
    first = repository.start("apply", vault=True)
    wait_for(lambda: repository.writes() != [] or repository.sim.faults[0].seen > 0, first)
    second = repository.playbooks.tasks({APPLY: {"manifest": inline(["det-it-x"])}})
    assert second.returncode != 0
    said = second.results[-1]["result"]["msg"]
    assert re.search(r"Another apply to this cluster is at work on this machine: process \d+ of \w+, since 20", said)
    output, _nothing = first.communicate(timeout=60)
    assert first.returncode == 0, output
    assert "det-it-x" not in repository.sim.master.templates


@pytest.mark.once
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_ended_half_way_is_finished_by_the_next(repository: Repository, how: signal.Signals) -> None:
    fault = repository.sim.faults.add(Fault("delay", method="POST", path="/templates", seconds=5))
    process = repository.start("apply", vault=True)
    wait_for(lambda: fault.seen > 0, process)
    end_group(process, how)
    output, _nothing = process.communicate(timeout=60)
    assert process.returncode != 0, output
    lock = yaml.safe_load((repository.cluster / ".determined.lock.yml").read_text())
    owned = {f"{record['kind']}/{record['key']}" for record in lock["objects"]}
    assert owned >= {"users/det-it-ada", "workspaces/det-it-engines", "templates/det-it-base"}
    time.sleep(5)
    repository.run("apply", vault=True).ok()
    assert repository.report()["counts"]["none"] >= 2
    # Nothing was lost: what the ended run had begun is managed.
    repository.write("work.yml", "templates: []\n")
    repository.write("determined.yml", "schema: 1\nname: test\nprune: {templates: managed}\nallow_empty: [templates]\n")
    repository.run("plan").ok()
    assert [(o["key"], o["action"]) for o in repository.report()["objects"]] == [("det-it-base", "remove")]


def test_a_master_that_goes_away_and_comes_back_is_waited_for(playbooks: Playbooks, sim: Simulator) -> None:
    """As behind a proxy, which answers 503, and then as a closed port."""
    gone = sim.faults.add(Fault("status", path=".", status=503, body="restarting", count=0, nth=10_000))
    lost = sim.faults.add(Fault("reset", method="POST", path="/templates/det-it-c", count=2))
    sim.faults.add(Fault("status", method="POST", path="/templates/det-it-b", status=503, body="restarting", count=2))
    task = {APPLY: {"manifest": inline(["det-it-a", "det-it-b", "det-it-c"]), "concurrency": 1, "retries": 0}}
    run = playbooks.tasks(task).ok()
    assert run.results[-1]["result"]["counts"]["create"] == 3
    assert {"det-it-a", "det-it-b", "det-it-c"} <= sim.master.templates.keys()
    assert (lost.seen, gone.seen < 10_000) == (3, True)


@pytest.mark.once
def test_a_master_that_stays_away_ends_the_run_which_says_what_was_not_tried(
    playbooks: Playbooks, sim: Simulator
) -> None:
    sim.faults.add(Fault("status", method="POST", path="/templates/det-it-b", status=503, body="restarting", count=0))
    sim.faults.add(Fault("status", path="/api/v1/me", status=503, body="restarting", count=0, nth=2))
    names = ["det-it-a", "det-it-b", "det-it-c"]
    options = {"manifest": inline(names), "concurrency": 1, "retries": 0, "retry_for": 1}
    run = playbooks.tasks({APPLY: options})
    assert run.returncode != 0
    result = run.results[-1]["result"]
    assert result["msg"].startswith("1 applied, 1 failed, 1 not tried, 0 blocked; a second run goes on from here.")
    assert "did not come back within retry_for (1 s)" in result["msg"]
    assert {item["key"]: item["status"] for item in result["plan"]} == dict(
        zip(names, ("applied", "failed", "skipped"), strict=True)
    )
    sim.faults.clear()
    assert playbooks.tasks({APPLY: options}).ok().results[-1]["result"]["counts"]["create"] == 2


@pytest.mark.once
def test_progress_is_told_in_a_terminal_or_when_asked(playbooks: Playbooks, sim: Simulator) -> None:
    sim.faults.add(Fault("delay", method="POST", path="/templates", seconds=1.6, count=0))
    outputs = {}
    for asked in ("always", "auto"):
        names = [f"det-it-{asked}-{number}" for number in range(3)]
        options = {"manifest": inline(names), "concurrency": 1, "progress": asked}
        outputs[asked] = playbooks.tasks({APPLY: options}).ok().output
    assert re.search(r"^[23] of 3 objects: templates/det-it-always-[12]$", outputs["always"], re.MULTILINE)
    assert "of 3 objects" not in outputs["auto"]


# --- where it runs ---


@pytest.mark.once
@pytest.mark.parametrize("way", ["become", "connection", "environment"])
def test_it_runs_in_the_controller_however_the_task_would(playbooks: Playbooks, way: str) -> None:
    """The paths are the controller's: the host can't even be reached."""
    (playbooks.folder / "cluster").mkdir()
    (playbooks.folder / "cluster" / "t.yml").write_text(yaml.safe_dump(inline(["det-it-a"])))
    keywords: dict[str, t.Any] = {
        "become": {"become": True, "become_user": "nobody", "become_exe": "/no/such/sudo"},
        "connection": {"connection": "ansible.builtin.ssh", "vars": {"ansible_host": "192.0.2.1"}},
        "environment": {"environment": {"DET_IT": "1"}},
    }[way]
    run = playbooks.tasks(
        {"name": "apply", APPLY: {"manifest": "cluster"}},
        {"name": "export", EXPORT: {"dest": "exported", "kinds": ["templates"]}},
        **keywords,
    ).ok()
    assert run.result("apply")["counts"]["create"] == 1
    assert "det-it-a" in (playbooks.folder / "exported" / "templates.yml").read_text()


@pytest.mark.once
def test_an_asynchronous_apply_is_refused_before_anything_is_written(playbooks: Playbooks, sim: Simulator) -> None:
    run = playbooks.tasks({APPLY: {"manifest": inline(["det-it-a"])}, "async": 60, "poll": 1})
    assert run.returncode != 0
    assert "async" in run.output
    assert "det-it-a" not in sim.master.templates


# --- pipelines ---


def pipelines() -> list[pathlib.Path]:
    return sorted((ROOT / "docs" / "ci").glob("*.yml"))


def scripts(path: pathlib.Path) -> dict[str, list[str]]:
    """The shell of each job of a pipeline."""
    content = yaml.safe_load(path.read_text())
    if "jobs" in content:
        return {name: [step["run"] for step in job["steps"] if "run" in step] for name, job in content["jobs"].items()}
    return {
        name: [*job["script"], *job.get("after_script", [])]
        for name, job in content.items()
        if isinstance(job, dict) and "script" in job
    }


@pytest.mark.parametrize("path", pipelines(), ids=lambda path: path.stem)
def test_pipelines_name_what_there_is(path: pathlib.Path) -> None:
    specs = yaml.safe_load((ROOT / "roles" / "gitops" / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    steps = "\n".join(step for job in scripts(path).values() for step in job)
    runs = re.findall(r"ansible-playbook determined\.ai\.gitops_(\w+)(.*)", steps)
    assert {entry for entry, _arguments in runs} == {"plan", "apply", "drift"}
    for entry, arguments in runs:
        named = re.findall(r"-e (\w+)=", arguments)
        assert named
        assert set(named) <= specs[entry]["options"].keys()


@pytest.mark.once
@pytest.mark.parametrize("path", pipelines(), ids=lambda path: path.stem)
def test_pipelines_run_as_far_as_a_shell_can(repository: Repository, path: pathlib.Path) -> None:
    """All steps but those that install: what talks to the host of the repository is a command that notes what it was given."""
    folder, home = repository.folder, repository.playbooks.folder
    (home / "bin").mkdir()
    for name in ("gh", "pip", "ansible-galaxy"):
        (home / "bin" / name).write_text(
            f'#!/bin/sh\necho "{name} $*" >> "{home}/called"\ncat "$5" >> "{home}/called" 2>&1\nexit 0\n'
        )
        (home / "bin" / name).chmod(0o755)
    remote = home / "remote.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(remote)], check=True)
    branch = repository.git("branch", "--show-current")
    repository.git("remote", "add", "origin", str(remote))
    repository.git("push", "--quiet", "--set-upstream", "origin", branch)
    environment = {
        **repository.playbooks.environment,
        "PATH": f"{home / 'bin'}:{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
        "VAULT_PASSWORD": VAULT,
        "RUNNER_TEMP": str(home),
        "NUMBER": "7",
        "GITHUB_STEP_SUMMARY": str(home / "summary.md"),
    }
    jobs = scripts(path)
    assert list(jobs) == ["plan", "apply", "drift"]
    for job, steps in jobs.items():
        for step in steps:
            # The nightly job has no vault: secrets inside a configuration are then not compared.
            done = subprocess.run(
                ["bash", "-eo", "pipefail", "-c", step], cwd=folder, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{job}: {step}\n{done.stdout}\n{done.stderr}"
    assert "det-it-base" in repository.sim.master.templates
    assert not (folder / "vault").exists()
    if path.stem.startswith("github"):
        assert "pr comment 7" in (home / "called").read_text()
        assert "## Plan: 5 create" in (home / "called").read_text()
        assert "Drift: none" in (home / "summary.md").read_text()
        committed = subprocess.run(
            ["git", "-C", str(remote), "show", f"{branch}:cluster/.determined.lock.yml"], capture_output=True, text=True
        )
        assert '"key": "det-it-base"' in committed.stdout
    else:
        assert '"key": "det-it-base"' in (folder / "lock" / "production.yml").read_text()


# --- processes ---


def wait_for(condition: t.Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until something happens that a running playbook does."""
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def end_group(process: subprocess.Popen[str], how: signal.Signals) -> None:
    """Send a signal to a playbook and all its workers, which have sessions of their own; Ctrl-C reaches the playbook only."""
    if how == signal.SIGINT:
        os.killpg(process.pid, how)
        return
    children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()
    for pid in (process.pid, *map(int, children)):
        os.kill(pid, how)
