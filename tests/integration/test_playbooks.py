# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users copy and run: each playbook, each module's EXAMPLES, and each example in a README."""

from __future__ import annotations

import ast
import json
import pathlib
import re
import typing as t

import pytest
import yaml

from tests.simulator import Simulator

from .conftest import ROOT, SHIPPED, Playbooks, Run

PLAYBOOKS = ROOT / "playbooks"
MODULES = sorted((ROOT / "plugins" / "modules").glob("det_*.py"))
READMES = [path for path in (ROOT / "README.md", *sorted(ROOT.glob("roles/*/README.md"))) if path.exists()]
PASSWORD = "CANARY-Passw0rd-1"
GIVEN = {
    "alice_initial_password": PASSWORD,
    "operations_password": PASSWORD,
    "wandb_api_key": "CANARY-wandb",
    "s3_access_key": "CANARY-access-key",
    "s3_secret_key": "CANARY-secret-key",
    "vaulted_initial_passwords": {"lena.vogel": PASSWORD},
}
"""Values of the variables that examples leave to the reader."""

PLAIN_RUNS: dict[str, tuple[str, ...]] = {
    "users": ("-e", f"@{PLAYBOOKS}/vars/users.example.yml"),
    "rotate_tokens": ("-e", f"@{PLAYBOOKS}/vars/tokens.example.yml"),
    "templates": ("-e", f"templates_folder={PLAYBOOKS}/files/templates"),
    "unarchive_experiment": ("-e", "unarchive_workspace=research", "-e", "unarchive_project=language"),
    "archive_old_experiments": ("-e", "archive_after_days=60"),
}
"""Playbooks that change something the first time and nothing the second, with their variables."""

ON_A_REPOSITORY = {f"gitops_{entry}" for entry in ("validate", "plan", "apply", "drift", "export")}
"""Playbooks that `test_gitops.py` runs, with the folders that they need."""

DEMO = {"demo"}
"""Playbooks that `test_demo.py` runs."""

AUDITS = {f"compliance_audit{name}" for name in ("", "_schedule", "_mail", "_chat", "_ticket")}
"""Playbooks that `test_compliance_audit.py` runs."""

WITHOUT_CHANGES = {"cluster_report": ("-e", "report_path=report/cluster")}


@pytest.fixture
def ready(playbooks: Playbooks) -> Playbooks:
    """With the folder and the variable that the example files of variables name."""
    (playbooks.folder / "home" / ".config" / "determined").mkdir(parents=True)
    playbooks.environment["LENA_INITIAL_PASSWORD"] = PASSWORD
    playbooks.environment["ALICE_PASSWORD"] = PASSWORD
    return playbooks


def changed(run: Run) -> int:
    """Ansible's own count."""
    return sum(int(number) for number in re.findall(r"changed=(\d+)", run.ok().output))


def writes(sim: Simulator) -> list[tuple[str, str]]:
    """What a master was asked that could have changed it; validateOnly is sent by POST too, but in no playbook."""
    searches = ("auth/login", "auth/logout", "groups/search", "roles/search", "roles/search/by-ids")
    reads = {("POST", f"/api/v1/{path}") for path in searches}
    return [
        (entry.method, entry.path)
        for entry in sim.journal
        if entry.method != "GET" and (entry.method, entry.path) not in reads
    ]


def test_each_playbook_is_tested() -> None:
    tested = {*PLAIN_RUNS, *WITHOUT_CHANGES, *ON_A_REPOSITORY, *DEMO, *AUDITS}
    assert {path.stem for path in PLAYBOOKS.glob("*.yml")} == tested


@pytest.mark.parametrize("name", PLAIN_RUNS)
def test_planned_applied_unchanged(ready: Playbooks, sim: Simulator, name: str) -> None:
    path, arguments = PLAYBOOKS / f"{name}.yml", PLAIN_RUNS[name]
    planned = ready.run(path, *arguments, "--check", "--diff")
    assert changed(planned) > 0
    assert writes(sim) == []
    assert changed(ready.run(path, *arguments)) == changed(planned)
    assert writes(sim) != []
    assert changed(ready.run(path, *arguments)) == 0
    assert sim.sessions() == []


@pytest.mark.parametrize("mode", ["--check", "--diff"])
def test_report_holds_the_cluster(ready: Playbooks, sim: Simulator, mode: str) -> None:
    """In check mode too, as the files are what the playbook is for."""
    user = sim.master.users[sim.master.user_ids["hugo.martin"]]
    user.display_name = "a|b <script>alert(1)</script>\n# head {{ 1 + 1 }}"
    assert changed(ready.run(PLAYBOOKS / "cluster_report.yml", *WITHOUT_CHANGES["cluster_report"], mode)) == 0
    assert writes(sim) == []
    report = json.loads((ready.folder / "report" / "cluster.json").read_text())
    assert len(report["users"]) == len(sim.master.users)
    assert len(report["experiments"]) == len(sim.master.experiments)
    assert {model["name"] for model in report["models"]} == {model.name for model in sim.master.models.values()}
    assert report["cluster"]["version"] == "0.38.1"
    markdown = (ready.folder / "report" / "cluster.md").read_text()
    assert f"| Users | {len(sim.master.users)}, " in markdown
    assert "| svc-nightly | nightly training |" in markdown
    hugo = next(line for line in markdown.splitlines() if line.startswith("| hugo.martin |"))
    assert hugo.split(" | ")[1] == r"a\|b &lt;script&gt;alert(1)&lt;/script&gt; \# head {{ 1 + 1 }}"
    tables = [line for line in markdown.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)
    assert "CANARY" not in markdown + json.dumps(report)


def test_users_needs_a_list(playbooks: Playbooks) -> None:
    run = playbooks.run(PLAYBOOKS / "users.yml")
    assert run.returncode != 0
    assert "access_users is not set" in run.output


def test_unlisted_users_leave_within_the_guard(playbooks: Playbooks, sim: Simulator) -> None:
    active = {user.username for user in sim.master.users.values() if user.active}
    given = {
        "access_users": [{"username": "ada.brandt"}, {"username": "svc-gitops"}],
        "access_keep": ["admin", "determined", "svc-nightly"],
        "access_deactivate_unlisted": True,
    }
    unlisted = active - {"ada.brandt", "svc-gitops", "admin", "determined", "svc-nightly"}
    assert len(unlisted) > 5
    refused = playbooks.run(PLAYBOOKS / "users.yml", "-e", json.dumps(given))
    assert refused.returncode != 0
    assert all(name in refused.output for name in unlisted)
    assert writes(sim) == []
    enough = {**given, "access_deactivate_at_most": len(unlisted)}
    assert changed(playbooks.run(PLAYBOOKS / "users.yml", "-e", json.dumps(enough), "--check")) == 1
    assert writes(sim) == []
    playbooks.run(PLAYBOOKS / "users.yml", "-e", json.dumps(enough)).ok()
    assert {user.username for user in sim.master.users.values() if user.active} == active - unlisted
    assert changed(playbooks.run(PLAYBOOKS / "users.yml", "-e", json.dumps(enough))) == 0


def test_who_runs_it_is_not_unlisted(playbooks: Playbooks, sim: Simulator) -> None:
    everybody = [
        {"username": user.username}
        for user in sim.master.users.values()
        if user.active and user.username != "ada.brandt"
    ]
    given = json.dumps({"access_users": everybody, "access_keep": [], "access_deactivate_unlisted": True})
    assert changed(playbooks.run(PLAYBOOKS / "users.yml", "-e", given, DET_USER="ada.brandt")) == 0
    assert sim.master.users[sim.master.user_ids["ada.brandt"]].active


def test_an_empty_list_deactivates_nobody(playbooks: Playbooks, sim: Simulator) -> None:
    given = json.dumps({"access_users": [], "access_deactivate_unlisted": True, "access_deactivate_at_most": 1000})
    run = playbooks.run(PLAYBOOKS / "users.yml", "-e", given)
    assert run.returncode != 0
    assert "Nothing was changed" in run.output
    assert writes(sim) == []


def test_archiving_has_a_guard_and_an_exception(playbooks: Playbooks, sim: Simulator) -> None:
    old = ("-e", "archive_after_days=60")
    refused = playbooks.run(PLAYBOOKS / "archive_old_experiments.yml", *old, "-e", "archive_at_most=1")
    assert refused.returncode != 0
    assert "archive_at_most allows 1" in refused.output
    assert writes(sim) == []
    kept = next(row for row in sim.master.experiments.values() if row.name == "resnet50-baseline")
    playbooks.run(PLAYBOOKS / "archive_old_experiments.yml", *old, "-e", "archive_keep_label=baseline").ok()
    assert writes(sim) != []
    assert not kept.archived


def test_templates_of_one_name_are_refused(playbooks: Playbooks, sim: Simulator) -> None:
    for place in ("research", "production"):
        (playbooks.folder / "tree" / place).mkdir(parents=True)
        (playbooks.folder / "tree" / place / "same.yml").write_text("max_restarts: 1\n")
    run = playbooks.run(PLAYBOOKS / "templates.yml", "-e", "templates_folder=tree")
    assert run.returncode != 0
    assert "several files" in run.output
    assert writes(sim) == []


def test_templates_take_jinja_as_text(playbooks: Playbooks, sim: Simulator) -> None:
    (playbooks.folder / "tree").mkdir()
    (playbooks.folder / "tree" / "braces.yml").write_text("description: \"{{ lookup('env', 'DET_PASS') }}\"\n")
    (playbooks.folder / "tree" / "nothing.yaml").write_text("# no config\n")
    playbooks.run(PLAYBOOKS / "templates.yml", "-e", "templates_folder=tree").ok()
    assert sim.master.templates["braces"].config == {"description": "{{ lookup('env', 'DET_PASS') }}"}
    assert sim.master.templates["nothing"].config == {}


@pytest.mark.parametrize("name", ["users", "rotate_tokens"])
def test_no_secret_is_shown(ready: Playbooks, sim: Simulator, name: str) -> None:
    run = ready.run(PLAYBOOKS / f"{name}.yml", *PLAIN_RUNS[name], "-vvvv", "--diff").ok()
    for path in (ready.folder / "home" / ".config" / "determined").iterdir():
        assert path.read_text().strip() not in run.output
    assert PASSWORD not in run.output
    assert PASSWORD not in json.dumps(run.results)


# --- examples ---


def examples(path: pathlib.Path) -> list[dict[str, t.Any]]:
    """The tasks of a module's EXAMPLES."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "EXAMPLES":
            return t.cast("list[dict[str, t.Any]]", yaml.safe_load(ast.literal_eval(node.value)))
    raise AssertionError(f"{path.name} has no EXAMPLES")


def is_reader(path: pathlib.Path) -> bool:
    """Whether the module never changes the cluster."""
    return path.stem.endswith("_info") or path.stem == "det_audit"


def run_twice(
    playbooks: Playbooks, sim: Simulator, tasks: list[dict[str, t.Any]], shipped: set[int]
) -> list[dict[str, t.Any]]:
    """Run each task in check mode, then for real, on a master that knows all kinds.

    :param shipped: the places of those of which the first run is as a shipped module.
    :returns: the results, two a task.
    """
    # The one kind that a master knows only when it is configured for it.
    sim.master.config["scim"] = {"enabled": True, "auth": {"type": "oauth"}}
    twice = [{**task, **mode} for task in tasks for mode in ({"check_mode": True}, {})]
    for place in shipped:
        twice[2 * place] |= SHIPPED
    play = {"hosts": "localhost", "gather_facts": False, "vars": GIVEN, "tasks": twice}
    results = playbooks.run([play], "--diff").ok().results
    assert [entry["task"] for entry in results] == [task["name"] for task in twice]
    assert "CANARY" not in json.dumps(
        [entry["result"] for entry in results if not entry["result"].get("_ansible_no_log")]
    )
    assert sim.sessions() == []
    return results


@pytest.mark.once
@pytest.mark.parametrize("path", [path for path in MODULES if not is_reader(path)], ids=lambda path: path.stem)
def test_examples_of_the_module_run(playbooks: Playbooks, sim: Simulator, path: pathlib.Path) -> None:
    """Later examples of a module work on what earlier ones have made.

    The very first is also shipped, as each module can be but for those that work on the controller's files.
    """
    changes = [entry["result"]["changed"] for entry in run_twice(playbooks, sim, examples(path), {0})]
    assert changes[::2] == changes[1::2]
    assert any(changes)


@pytest.mark.once
def test_examples_of_the_modules_that_read_run(playbooks: Playbooks, sim: Simulator) -> None:
    """All in one play, as they leave the cluster as it is. Those that have no module beside them that changes are shipped too."""
    tasks: list[dict[str, t.Any]] = []
    shipped = set()
    for path in filter(is_reader, MODULES):
        if not path.with_stem(path.stem.removesuffix("_info")).exists():
            shipped.add(len(tasks))
        tasks += examples(path)
    results = run_twice(playbooks, sim, tasks, shipped)
    assert not any(entry["result"]["changed"] for entry in results)
    assert writes(sim) == []


def blocks() -> list[t.Any]:
    """The yaml blocks of the READMEs that hold plays or tasks."""
    found = []
    for path in READMES:
        for number, text in enumerate(
            re.findall(r"^```ya?ml\n(.*?)^```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE), 1
        ):
            if isinstance(data := yaml.safe_load(text), list):
                found.append(pytest.param(data, id=f"{path.parent.name}-{number}"))
    return found


@pytest.mark.once
@pytest.mark.parametrize("block", blocks())
def test_examples_in_the_readmes_run(ready: Playbooks, sim: Simulator, block: list[dict[str, t.Any]]) -> None:
    given = ready.folder / "given.json"
    given.write_text(json.dumps(GIVEN))
    plays = block if "hosts" in block[0] else [{"hosts": "localhost", "gather_facts": False, "tasks": block}]
    ready.run(plays, "-e", f"@{given}", "--check").ok()
    assert writes(sim) == []
    ready.run(plays, "-e", f"@{given}").ok()
    assert sim.sessions() == []
