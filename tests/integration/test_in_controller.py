# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running inside the controller: one login a run, no session left, and the same behaviour as any module."""

from __future__ import annotations

import os
import pathlib
import signal
import time
import typing as t
import venv

import pytest

from tests.simulator import Simulator
from tests.simulator.server import Fault

from .conftest import SHIPPED, Playbooks

USER = "determined.ai.det_user"
USER_INFO = "determined.ai.det_user_info"


def logins(sim: Simulator) -> int:
    return sum(entry.path == "/api/v1/auth/login" for entry in sim.journal)


def read(name: str = "admin", **keywords: t.Any) -> dict[str, t.Any]:
    return {USER_INFO: {"username": name}, **keywords}


def test_one_login_whatever_the_number_of_tasks_hosts_and_forks(playbooks: Playbooks, sim: Simulator) -> None:
    # A login that takes a while, so that the forks that start together all wait for it.
    sim.master.login_cost = 0.5
    inventory = playbooks.folder / "hosts.ini"
    inventory.write_text("".join(f"h{number} ansible_connection=local\n" for number in range(8)))
    play = {"hosts": "all", "gather_facts": False, "tasks": [read(), read("determined"), read(loop=[1, 2, 3])]}
    run = playbooks.run([play, play], "-i", str(inventory), "--forks", "8").ok()
    assert len(run.results) == 2 * 8 * 3
    assert logins(sim) == 1
    assert sim.sessions() == []


def test_no_session_is_left_by_a_run_that_fails(measured: Playbooks, sim: Simulator) -> None:
    run = measured.tasks(read(), {USER: {"username": "x"}})
    assert run.returncode == 2
    assert logins(sim) == 1
    assert sim.sessions() == []


@pytest.mark.parametrize(
    ("moment", "way", "times"),
    [
        ("/api/v1/auth/login", {}, 1),
        ("/api/v1/auth/login", {}, 2),
        ("/api/v1/auth/login", SHIPPED, 1),
        ("/api/v1/users/", {}, 1),
        ("/api/v1/auth/logout", {}, 1),
    ],
    ids=["login", "login twice", "shipped login", "call", "logout"],
)
def test_ctrl_c_logs_out(playbooks: Playbooks, sim: Simulator, moment: str, way: dict[str, t.Any], times: int) -> None:
    """Interrupted during the login, in a later call, or at the end, and again by the impatient."""
    sim.faults.add(Fault("delay", ".*", moment, seconds=2, count=0))
    process = playbooks.start([{"hosts": "localhost", "gather_facts": False, **way, "tasks": [read(), read()]}])
    # The request is in the simulator's hands once the fault has counted it.
    deadline = time.monotonic() + 60
    while sim.faults[0].seen == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert sim.faults[0].seen
    for _time in range(times):
        time.sleep(0.3)
        os.killpg(process.pid, signal.SIGINT)
    run = playbooks.finish(process, timeout=60)
    assert (run.returncode == 0) == (moment == "/api/v1/auth/logout")
    assert "Traceback" not in run.output
    # A task's process may outlive the run by what it has to end.
    deadline = time.monotonic() + 10
    while (logins(sim) == 0 or sim.sessions()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert logins(sim) == 1
    assert sim.sessions() == []


def test_a_shipped_module_logs_in_and_out_by_itself(playbooks: Playbooks, sim: Simulator) -> None:
    playbooks.tasks(read(), read(), **SHIPPED).ok()
    assert logins(sim) == 2
    assert sim.sessions() == []


def test_an_asynchronous_task_works(playbooks: Playbooks, sim: Simulator) -> None:
    run = playbooks.tasks(read(name="admin", register="found", **{"async": 60, "poll": 1})).ok()
    assert run.results[-1]["result"]["users"][0]["username"] == "admin"
    assert sim.sessions() == []


def test_a_wrong_password_after_a_right_one_is_refused(playbooks: Playbooks, sim: Simulator) -> None:
    wrong = {USER_INFO: {"username": "admin", "auth_username": "admin", "auth_password": "wrong-Passw0rd"}}
    run = playbooks.tasks(read(), wrong)
    assert run.returncode == 2
    assert "refuses the login of 'admin'" in run.output
    assert "wrong-Passw0rd" not in run.output


def test_the_runs_token_lies_in_private_files_that_go_with_it(playbooks: Playbooks) -> None:
    listing = {"ansible.builtin.shell": "find $HOME/.ansible/tmp -name 'determined-login-*' -printf '%m %f\\n'"}
    run = playbooks.tasks(read(), {"name": "list", **listing}).ok()
    files = run.result("list")["stdout_lines"]
    assert len([name for name in files if name.endswith(".json")]) == 1
    assert all(name.startswith("600 ") for name in files)
    left = list((playbooks.folder / "home" / ".ansible").rglob("determined-login-*"))
    assert left == []


def test_module_defaults_of_the_group_and_of_one_module(playbooks: Playbooks, sim: Simulator) -> None:
    defaults = {
        "group/determined.ai.all": {"timeout": 21},
        USER: {"display_name": "From the defaults", "retries": 2},
    }
    run = playbooks.tasks(
        {"name": "user", USER: {"username": "det-it-dora", "password": "Passw0rd-dora"}},
        {"name": "info", **read("det-it-dora")},
        arguments=("-vvv",),
        module_defaults=defaults,
    ).ok()
    assert run.result("user")["user"]["display_name"] == "From the defaults"
    arguments = {name: run.result(name)["invocation"]["module_args"] for name in ("user", "info")}
    assert (arguments["user"]["timeout"], arguments["user"]["retries"]) == (21, 2)
    assert (arguments["info"]["timeout"], arguments["info"]["retries"]) == (21, 3)


def test_arguments_of_ansibles_own_types_arrive_as_plain_data(measured: Playbooks, sim: Simulator) -> None:
    (measured.folder / "vault-password").write_text("vault-pass\n")
    encrypt = {
        "ansible.builtin.copy": {
            "dest": "{{ playbook_dir }}/secret.yml",
            "content": "vaulted: {{ 'Passw0rd-vaulted' | vault('vault-pass') | to_json }}",
        }
    }
    measured.tasks(encrypt).ok()
    text = (measured.folder / "secret.yml").read_text()
    assert "$ANSIBLE_VAULT" in text
    plain_vars = measured.folder / "secret.yml"
    body = text.split(": ", 1)[1].strip().strip('"').replace("\\n", "\n").strip()
    plain_vars.write_text("vaulted: !vault |\n" + "".join(f"  {line}\n" for line in body.splitlines()))
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars_files": [str(plain_vars)],
        "vars": {"group": {"uid": "{{ 2000 + 1 }}", "gid": 3, "user": "u", "group": "g"}},
        "tasks": [
            {
                "name": "user",
                USER: {
                    "username": "{{ 'det-it-' ~ 'eve' }}",
                    "password": "{{ vaulted }}",
                    "admin": "{{ 1 == 2 }}",
                    "agent_user_group": "{{ group }}",
                },
            },
        ],
    }
    run = measured.run([play], "--vault-password-file", str(measured.folder / "vault-password"), "-vvv").ok()
    assert run.result("user")["user"]["agent_user_group"]["agent_uid"] == 2001
    assert run.result("user")["invocation"]["module_args"]["password"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    assert "Passw0rd-vaulted" not in run.output
    assert sim.master.user_by_name("det-it-eve") is not None


def test_what_the_cluster_says_is_never_a_template(playbooks: Playbooks, sim: Simulator) -> None:
    sim.master.user_by_name("admin").display_name = "{{ lookup('ansible.builtin.pipe', 'touch hostile') }}"
    run = playbooks.tasks(
        {**read(), "register": "found"},
        {"ansible.builtin.set_fact": {"shown": "{{ found.users[0].display_name }}"}},
        {"name": "show", "ansible.builtin.debug": {"msg": "{{ shown }} {{ found }}"}},
        {
            "name": "used again",
            USER: {
                "username": "det-it-frank",
                "password": "Passw0rd-f",
                "display_name": "{{ found.users[0].display_name }}",
            },
        },
    ).ok()
    assert run.result("used again")["user"]["display_name"].startswith("{{ lookup")
    assert not list(playbooks.folder.rglob("hostile"))


def test_loops_until_throttle_run_once_and_no_log_behave_as_with_any_module(
    measured: Playbooks, sim: Simulator
) -> None:
    run = measured.tasks(
        {"name": "loop", **read("{{ item }}"), "loop": ["admin", "determined", "nobody"]},
        {
            "name": "until",
            **read(),
            "register": "found",
            "until": "found.total == 2",
            "retries": 2,
            "delay": 0,
            "ignore_errors": True,
        },
        {"name": "once", **read(), "run_once": True, "throttle": 1},
        {"name": "quiet", **read(), "no_log": True},
        {"name": "when", **read(), "when": False},
        {"name": "to localhost", **read(), "delegate_to": "localhost"},
    ).ok()
    assert [item["total"] for item in run.result("loop")["results"]] == [1, 1, 0]
    assert run.result("until")["attempts"] == 2
    assert "censored" in run.result("quiet")
    assert logins(sim) == 1


def test_the_items_of_a_loop_share_a_connection(playbooks: Playbooks) -> None:
    # Ansible makes a new one for each item, unless it finds the last one's connected; at -vvv a connection says that it is.
    run = playbooks.tasks({"name": "loop", **read("{{ item }}"), "loop": ["a", "b", "c"]}, arguments=("-vvv",)).ok()
    assert run.output.count("ESTABLISH LOCAL CONNECTION") == 1


def test_an_empty_path_is_not_the_playbooks_folder(measured: Playbooks, sim: Simulator) -> None:
    given: dict[str, dict[str, object]] = {
        "dest": {"determined.ai.det_export": {"dest": ""}},
        "plan_out": {"determined.ai.det_apply": {"manifest": {"users": []}, "plan_out": ""}},
        "reports.json": {"determined.ai.det_audit": {"reports": {"json": ""}}},
    }
    run = measured.tasks(*({"name": name, "ignore_errors": True, **task} for name, task in given.items())).ok()
    for name in given:
        assert f"{name} is empty: it must be a path" in run.result(name)["msg"]
    assert sim.journal == []


def test_an_unknown_option_is_told_as_ansible_tells_it(playbooks: Playbooks) -> None:
    task = {USER: {"username": "admin", "displayname": "A"}}
    messages = []
    for way in ({}, SHIPPED):
        run = playbooks.tasks(task, **way)
        assert run.returncode == 2
        messages.append(run.results[-1]["result"]["msg"])
    assert (
        "Unsupported parameters for (determined.ai.det_user) module: displayname. Supported parameters include:"
        in messages[0]
    )
    assert "display_name" in messages[0]
    assert messages[0].partition("Supported")[2] == messages[1].partition("Supported")[2]


def test_both_ways_give_the_same_result(measured: Playbooks, sim: Simulator) -> None:
    options = {"username": "det-it-gina", "password": "Passw0rd-gina", "display_name": "Gina"}
    for check in (True, False):
        results = []
        for way in ({}, SHIPPED):
            sim.reset()
            run = measured.tasks(
                {"name": "user", USER: options}, arguments=("--diff", "-vvv"), check_mode=check, **way
            ).ok()
            result = run.result("user")
            for name in ("modified_at", "last_auth_at"):
                result["user"].pop(name)
            results.append({name: value for name, value in result.items() if not name.startswith("_")})
        assert results[0] == results[1]


def test_secrets_stay_out_of_everything_at_the_highest_verbosity(
    playbooks: Playbooks, sim: Simulator, tmp_path: pathlib.Path
) -> None:
    # From the environment: Ansible quotes the lines of a playbook in its messages.
    canary = "Canary-Passw0rd"
    password = "{{ lookup('ansible.builtin.env', 'CANARY') }}"
    missing = {"error": {"code": 5, "reason": "NotFound", "error": "user not found"}}
    repeated = {"error": {"code": 13, "reason": "Internal", "error": f"user determined with {canary} already exists"}}
    for way in ({}, SHIPPED):
        # A refusal that repeats the password, and turns out to be no failure: it is told in a warning.
        sim.faults.add(Fault("status", "GET", "/users/determined/", status=404, body=missing))
        sim.faults.add(Fault("status", "POST", "/users$", status=500, body=repeated))
        tasks = [
            {USER: {"username": "determined", "password": password}},
            {USER: {"username": "det-it-hugo", "password": password}, "register": "made"},
            {"ansible.builtin.debug": {"var": "made"}},
            {USER: {"username": "det-it-hugo", "password": password + "2", "update_password": "always"}},
            {
                USER: {"username": "det-it-hugo", "password": "{{ lookup('ansible.builtin.env', 'CANARY')[:6] }}"},
                "ignore_errors": True,
            },
        ]
        play = {"hosts": "localhost", "gather_facts": False, **way, "tasks": tasks}
        run = playbooks.run(
            [play], "-vvvv", "--diff", CANARY=canary, ANSIBLE_LOG_PATH=str(tmp_path / "ansible.log")
        ).ok()
        assert len(run.results) == 5
        assert "Read again: the user is as declared." in run.output
        for secret in (canary, playbooks.environment["DET_PASS"]):
            assert secret not in run.output
            assert secret not in str(run.results)
            assert secret not in (tmp_path / "ansible.log").read_text()


def test_a_missing_library_is_told_with_what_to_install(playbooks: Playbooks) -> None:
    """On a host whose Python has neither requests nor pydantic."""
    bare = playbooks.folder / "bare"
    venv.create(bare, with_pip=False)
    run = playbooks.tasks(read(), vars={"ansible_python_interpreter": str(bare / "bin" / "python")}, **SHIPPED)
    assert run.returncode == 2
    message = run.results[-1]["result"]["msg"]
    assert "Failed to import the required Python library (requests)" in message
    assert "Traceback" not in message


def test_arguments_are_in_results_exactly_when_ansible_puts_them_there(playbooks: Playbooks) -> None:
    """Whatever the setting means to the release of ansible-core, an ordinary module tells."""
    run = playbooks.run(
        [
            {
                "hosts": "localhost",
                "gather_facts": False,
                "tasks": [{"name": "own", **read()}, {"name": "other", "ansible.builtin.ping": {}}],
            }
        ],
        ANSIBLE_INJECT_INVOCATION="false",
    ).ok()
    assert ("invocation" in run.result("own")) == ("invocation" in run.result("other"))
