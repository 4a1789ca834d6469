# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exporting a cluster: what comes out plans nothing, holds no secret, and runs nothing."""

from __future__ import annotations

import json
import pathlib
import re
import typing as t

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.determined.ai.plugins.module_utils._gitops.kinds import KINDS
from ansible_collections.determined.ai.plugins.module_utils._gitops.manifest import Manifest
from ansible_collections.determined.ai.plugins.module_utils._kinds.kind import Task
from ansible_collections.determined.ai.plugins.modules.det_apply import OPERATION as APPLY
from ansible_collections.determined.ai.plugins.modules.det_export import OPERATION as EXPORT
from ansible_collections.determined.ai.plugins.plugin_utils.manifest_files import load_manifest
from ansible_collections.determined.ai.plugins.plugin_utils.manifest_writer import ManifestWriter
from tests.simulator import Fault, Simulator

from ..conftest import Runner
from .conftest import Applier

HOSTILE = "{{ lookup('ansible.builtin.pipe', 'touch CANARY-ran') }}"


class FolderSource:
    """A folder, by Ansible's own loader."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder

    def load(self) -> Manifest:
        loader = DataLoader()
        return load_manifest(str(self._folder), None, loader=loader, templar=Templar(loader=loader, variables={}))

    def tell(self, text: str) -> None:
        pass


class Exporting:
    """det_export as its action runs it."""

    arguments = EXPORT.arguments

    def run(self, task: Task) -> dict[str, t.Any]:
        task.options["dest"] = ManifestWriter(task.options["dest"])
        return EXPORT.run(task)


def export(run: Runner, folder: pathlib.Path, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    return run(Exporting(), check, dest=str(folder), **options)


def planned(run: Runner, folder: pathlib.Path) -> list[dict[str, t.Any]]:
    """What an apply of a folder would do."""
    result = run.ok(APPLY, check=True, manifest=FolderSource(folder), lock_file=str(folder.parent / "lock"))
    return [item for item in result["plan"] if item["action"] != "none"]


@pytest.mark.parametrize("layout", ["kind", "workspace"])
def test_an_exported_cluster_plans_nothing(run_demo: Runner, tmp_path: pathlib.Path, layout: str) -> None:
    folder = tmp_path / "cluster"
    result = export(run_demo, folder, layout=layout)
    assert not result.get("failed"), result["msg"]
    assert result["counts"]["users"] == len(run_demo.sim.master.users)
    assert result["counts"]["templates"] == len(run_demo.sim.master.templates)
    assert planned(run_demo, folder) == []


@pytest.mark.parametrize("layout", ["kind", "workspace"])
def test_a_second_export_changes_no_file(run_demo: Runner, tmp_path: pathlib.Path, layout: str) -> None:
    assert export(run_demo, tmp_path / "cluster", check=True, layout=layout)["changed"]
    assert not (tmp_path / "cluster").exists()
    assert export(run_demo, tmp_path / "cluster", layout=layout)["changed"]
    again = export(run_demo, tmp_path / "cluster", layout=layout)
    assert (again["changed"], again["changed_files"]) == (False, [])


def test_the_other_layout_replaces_the_files_of_the_first(run_demo: Runner, tmp_path: pathlib.Path) -> None:
    export(run_demo, tmp_path / "cluster", layout="kind")
    assert (tmp_path / "cluster" / "workspaces.yml").exists()
    export(run_demo, tmp_path / "cluster", layout="workspace")
    assert not (tmp_path / "cluster" / "workspaces.yml").exists()
    assert planned(run_demo, tmp_path / "cluster") == []


def test_a_file_that_no_export_made_is_left_alone(run_demo: Runner, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "cluster"
    folder.mkdir()
    (folder / "users.yml").write_text("users: []\n")
    said = export(run_demo, folder)["msg"]
    assert "users.yml" in said
    assert [path.name for path in folder.iterdir()] == ["users.yml"]
    (folder / "users.yml").rename(folder / "mine.yml")
    assert not export(run_demo, folder).get("failed")
    assert (folder / "mine.yml").read_text() == "users: []\n"


def test_no_secret_is_exported_and_each_place_is_listed(run_demo: Runner, tmp_path: pathlib.Path) -> None:
    result = export(run_demo, tmp_path / "cluster")
    text = "".join(path.read_text() for path in (tmp_path / "cluster").rglob("*") if path.is_file())
    assert "CANARY" not in text
    assert "CANARY" not in str(result)
    assert {item["kind"] for item in result["secrets"]} >= {"users", "templates"}
    assert "registry\\_auth" in (tmp_path / "cluster" / "SECRETS.md").read_text()


EVERYTHING: dict[str, t.Any] = {
    "users": [
        {
            "username": "ada.l",
            "password": "Correct-Horse-7",
            "agent_user_group": {"uid": 7, "gid": 7, "user": "a", "group": "a"},
        },
        {"username": "sso", "remote": True, "display_name": "Single Sign-On", "active": False},
    ],
    "groups": [{"name": "engineers", "members": ["ada.l", "sso"]}, {"name": "nobody", "members": []}],
    "workspaces": [
        {
            "name": "engines",
            "archived": True,
            "checkpoint_storage": {"type": "shared_fs", "host_path": "/checkpoints"},
            "default_compute_pool": "gpu",
            "agent_user_group": {"uid": 8, "gid": 8, "user": "b", "group": "b"},
            "projects": [
                {"name": "difference", "key": "DIFF", "notes": [{"name": "n", "contents": "c\n"}], "archived": True}
            ],
            "templates": [
                {
                    "name": "puller",
                    "config": {"environment": {"registry_auth": {"username": "u", "password": "CANARY"}}},
                }
            ],
            "webhooks": [
                {
                    "name": "slack",
                    "type": "slack",
                    "url": "https://hooks.slack.com/services/CANARY",
                    "mode": "workspace",
                    "triggers": [{"type": "task_log", "condition": {"regex": "Out of .*"}}],
                }
            ],
            "config_policies": [
                {
                    "workload_type": "experiments",
                    "invariant_config": {"environment": {"registry_auth": {"username": "u", "password": "CANARY"}}},
                    "constraints": {"resources": {"max_slots": 4}},
                }
            ],
            "role_assignments": [{"role": "Editor", "group": "engineers"}, {"role": "Viewer", "user": "sso"}],
            "resource_pools": ["gpu"],
        }
    ],
    "config_policies": [{"workload_type": "tasks", "constraints": {"priority_limit": 10}}],
    "role_assignments": [{"role": "ClusterAdmin", "user": "ada.l"}],
    "models": [
        {
            "name": "mill",
            "workspace": "engines",
            "labels": ["b", "a"],
            "metadata": {"1e3": 1e-3, "{{ a }}": ["{% b %}"]},
            "archived": True,
            "notes": "{# none #}",
        }
    ],
    "cluster_message": {"text": "Down on {{ day }}.", "end": "2099-01-01T00:00:00Z"},
}


@pytest.mark.parametrize("layout", ["kind", "workspace"])
def test_every_kind_comes_back_as_it_is(run_demo: Runner, tmp_path: pathlib.Path, layout: str) -> None:
    Applier(run_demo, tmp_path).ok(EVERYTHING)
    folder = tmp_path / "cluster"
    result = export(run_demo, folder, layout=layout)
    assert result["counts"].keys() == {kind.plural for kind in KINDS} - {"tokens", "oauth_clients"}
    assert all(result["counts"].values()), result["counts"]
    assert "CANARY" not in "".join(path.read_text() for path in folder.rglob("*") if path.is_file())
    assert planned(run_demo, folder) == []
    # Nor is there anything on the cluster that it does not declare.
    settings = folder / "determined.yml"
    settings.write_text(f"{settings.read_text()}prune: {dict.fromkeys(result['counts'], 'exclusive')}\n")
    assert planned(run_demo, folder) == []


def test_what_is_told_once_is_exported_when_asked_for_and_declares_once_it_has_a_file(
    run_demo: Runner, tmp_path: pathlib.Path
) -> None:
    run_demo.sim.master.config["scim"] = {"enabled": True, "auth": {"type": "oauth"}}
    files = {
        "tokens": {"user": "ada.brandt", "description": "ci", "dest": str(tmp_path / "token")},
        "oauth_clients": {"name": "okta", "domain": "https://okta.example", "dest": str(tmp_path / "client")},
    }
    Applier(run_demo, tmp_path).ok({kind: [entry] for kind, entry in files.items()})
    folder = tmp_path / "cluster"
    # An export can be applied as it is, so these are not in it, which it says.
    result = export(run_demo, folder)
    left = {item["kind"]: item["reason"] for item in result["not_exported"] if item["key"] == "*"}
    assert left.keys() == files.keys()
    assert all("dest" in why for why in left.values())
    assert planned(run_demo, folder) == []
    asked = export(run_demo, folder, kinds=list(files))
    assert not {item["kind"] for item in asked["not_exported"] if item["key"] == "*"}
    for kind, entry in files.items():
        path = folder / f"{kind}.yml"
        exported = yaml.safe_load(path.read_text())[kind]
        (mine,) = [one for one in exported if one.get("description") == "ci" or one.get("name") == "okta"]
        assert mine == {name: value for name, value in entry.items() if name != "dest"}
        path.write_text(json.dumps({kind: [entry]}))
    assert planned(run_demo, folder) == []


@pytest.mark.parametrize("authz", ["basic", "rbac"])
def test_what_is_removed_while_the_cluster_is_read_is_left_out(tmp_path: pathlib.Path, authz: str) -> None:
    """An export goes through a busy cluster, so that each of its details may be of an object that was only listed."""
    gone = {"error": {"code": 5, "reason": "NotFound", "error": "not found"}}
    with Simulator("demo", authz=authz) as sim:
        run = Runner(sim)
        export(run, tmp_path / "whole")
        details = [entry.path for entry in sim.journal if re.search(r"/\d+(/|$)", entry.path)]
        first = {re.sub(r"\d+", "", path): path for path in reversed(details)}
        assert len(first) >= 5
        for number, path in enumerate(first.values()):
            sim.faults.clear()
            fault = sim.faults.add(Fault("status", "GET", f"{path}$", status=404, body=gone, count=0))
            result = export(run, tmp_path / str(number))
            assert not result.get("failed"), result["msg"]
            assert fault.seen > 0
        run.close()


HOSTILE_NAMES = (
    HOSTILE,
    "{% raw %}",
    "{# a comment #}",
    "../../etc/passwd",
    "yes",
    "1e-3",
    "2024-01-01",
    "017",
    "1:30",
    "null",
    "~",
    "a: b # c",
    "- x",
    "'\"\\",
    "  inside  blanks",
    "ünïcode ☃",
    "*alias",
    "&anchor",
    "!tag",
    "<keep>x",
    "%percent_",
    "`tick`|pipe@mention",
)


@pytest.fixture
def hostile(run: Runner) -> Runner:
    """A master on which everything that takes any text has an odd one."""
    for number, text in enumerate(HOSTILE_NAMES):
        workspace = _call(run.sim, "POST", "workspaces", {"name": f"{text.strip()} {number:02}"})["workspace"]
        _call(run.sim, "POST", f"workspaces/{workspace['id']}/projects", {"name": text.strip(), "description": text})
        config = {"description": text, "hyperparameters": {text: text, "list": [text, 1e-3, None, True]}}
        _call(run.sim, "POST", f"templates/t{number}", {"config": config, "workspaceId": workspace["id"]})
        _call(run.sim, "POST", "groups", {"name": text})
    return run


def _call(sim: Simulator, method: str, path: str, body: t.Any) -> t.Any:
    import requests

    from tests.simulator.fixtures import INITIAL_PASSWORD

    if not hasattr(sim, "token_for_tests"):
        login = {"username": "admin", "password": INITIAL_PASSWORD}
        sim.token_for_tests = requests.post(f"{sim.url}/api/v1/auth/login", json=login, timeout=10).json()["token"]
    headers = {"Authorization": f"Bearer {sim.token_for_tests}"}
    answer = requests.request(method, f"{sim.url}/api/v1/{path}", json=body, headers=headers, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("layout", ["kind", "workspace"])
def test_odd_texts_survive_and_none_is_run(
    hostile: Runner, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "cluster"
    result = export(hostile, folder, layout=layout)
    assert not result.get("failed"), result["msg"]
    assert not list(tmp_path.rglob("CANARY-ran"))
    assert planned(hostile, folder) == []
    assert not list(tmp_path.rglob("CANARY-ran"))
    assert all(path.resolve().is_relative_to(folder) for path in folder.rglob("*"))
    # All is declared but what the page of the leftovers names.
    assert result["counts"]["workspaces"] == len(HOSTILE_NAMES) + 1
    assert result["counts"]["templates"] == len(HOSTILE_NAMES)


@pytest.mark.parametrize("authz", ["basic", "rbac"])
def test_with_fewer_rights_what_can_be_seen_is_exported_and_the_rest_named(tmp_path: pathlib.Path, authz: str) -> None:
    with Simulator(fixture="demo", authz=authz) as sim:
        admin = Runner(sim)
        user = _call(sim, "POST", "users", {"user": {"username": "auditor", "active": True, "remote": True}})["user"]
        token = _call(sim, "POST", "tokens", {"userId": user["id"]})["token"]
        some = Runner(sim, auth_token=token)
        result = export(some, tmp_path / "cluster")
        assert not result.get("failed"), result["msg"]
        named = {item["kind"] for item in result["not_exported"] if item["key"] == "*"}
        assert "webhooks" in named
        if authz == "rbac":
            assert {"workspaces", "templates"} <= named
        assert planned(some, tmp_path / "cluster") == []
        some.close()
        admin.close()
