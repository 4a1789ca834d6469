# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role compliance_audit: one audit, its schedule on machines of all sorts, the job that runs, and how people are told."""

from __future__ import annotations

import dataclasses
import datetime
import fcntl
import functools
import hashlib
import http.server
import json
import os
import pathlib
import re
import shlex
import shutil
import stat
import subprocess
import threading
import time
import typing as t
from collections.abc import Iterator

import pytest
import yaml

from tests.simulator import Simulator
from tests.simulator.fixtures import INITIAL_PASSWORD

from .conftest import CONNECTION, ROOT, Playbooks, Run

# Roles and their files do not depend on the versions of Python; what they call is tested with each.
pytestmark = pytest.mark.once

AUDIT = ROOT / "playbooks" / "compliance_audit.yml"
SCHEDULE = ROOT / "playbooks" / "compliance_audit_schedule.yml"
BRACES, BRACES_GIVEN = "{{ 1 + 1 }}", "{{ '{' ~ '{ 1 + 1 }' ~ '}' }}"
"""A value that looks like a template, and a template of it."""

UNIT = "determined-compliance-audit"
KEY, PROXY = "CANARY-evidence-key", "http://user:CANARY-proxy@localhost:1"
JOB_FILES = {"job.yml": 0o600, "ansible.cfg": 0o600, "run": 0o700, "token": 0o600}
UNIT_FILES = {f"{UNIT}.service": 0o644, f"{UNIT}.timer": 0o644}
NO_VERDICT: dict[str, t.Any] = {"fail_on": "never", "max_unknown": 100}

SYSTEMCTL = """\
#!/bin/sh
# As much of systemctl as a timer needs: what is enabled and active is kept in files.
case $1 in
daemon-reload) echo "$*" >>"$STUBS/calls"; exit 0 ;;
show)
    [ -e "/etc/systemd/system/$2" ] && echo LoadState=loaded || echo LoadState=not-found
    [ -e "$STUBS/active" ] && echo ActiveState=active || echo ActiveState=inactive ;;
is-enabled) [ -e "$STUBS/enabled" ] && echo enabled || { echo disabled; exit 1; } ;;
enable) touch "$STUBS/enabled" ;;
disable) rm "$STUBS/enabled" ;;
start | restart) touch "$STUBS/active" ;;
stop) rm "$STUBS/active" ;;
*) echo "no such command: $*" >&2; exit 1 ;;
esac
case $1 in show | is-enabled) ;; *) echo "$*" >>"$STUBS/calls" ;; esac
"""
CRONTAB = """\
#!/bin/sh
# As much of crontab as ansible.builtin.cron needs.
case $1 in
-l) [ -e "$STUBS/crontab" ] || { echo "no crontab" >&2; exit 1; }; cat "$STUBS/crontab" ;;
-u) echo "only root has a crontab here: $*" >&2; exit 1 ;;
*) cat "$1" >"$STUBS/crontab" ;;
esac
"""
SENDMAIL = """\
#!/bin/sh
echo "$*" >"$STUBS/arguments"
cat >"$STUBS/mail"
"""


def changed(run: Run) -> int:
    """Ansible's own count."""
    return sum(bool(entry["result"].get("changed")) for entry in run.ok().results)


def shown(run: Run) -> str:
    """All that a person or a log could see of a run."""
    return run.output + json.dumps(run.results)


def mode(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def tokens(sim: Simulator) -> list[t.Any]:
    """The live access tokens of the audit."""
    now = datetime.datetime.now(datetime.UTC)
    rows = sim.master.sessions.values()
    return [row for row in rows if row.description == UNIT and row.revoked_at is None and row.expiry > now]


def given(**variables: t.Any) -> tuple[str, str]:
    return "-e", json.dumps({f"compliance_audit_{name}": value for name, value in variables.items()})


@pytest.fixture
def playbooks(playbooks: Playbooks) -> Playbooks:
    """Quicker with the modules of others, which these runs consist of."""
    playbooks.environment["ANSIBLE_PIPELINING"] = "true"
    return playbooks


# --- machines ---


@functools.cache
def world() -> str | None:
    """Why no world of one's own can be made for a process; None if it can."""
    if shutil.which("unshare") is None:
        return "there is no unshare"
    if not pathlib.Path("/etc/systemd/system").is_dir():
        return "there is no /etc/systemd/system to lay another folder over"
    tried = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/run"],
        capture_output=True,
        text=True,
    )
    return None if tried.returncode == 0 else f"unshare is not allowed: {tried.stderr.strip()}"


@dataclasses.dataclass
class Machine:
    """What a run sees instead of this machine: who is init, which tools there are, /etc/systemd/system and /var/lib."""

    playbooks: Playbooks
    units: pathlib.Path
    state: pathlib.Path
    stubs: pathlib.Path
    bin: pathlib.Path

    @property
    def folder(self) -> pathlib.Path:
        """The job's folder, from outside; inside it is in /var/lib."""
        return self.state / UNIT

    def install(self, name: str, text: str) -> None:
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def schedule(self, *arguments: str, **variables: t.Any) -> Run:
        return self.playbooks.run(SCHEDULE, *given(**variables), *arguments)

    def calls(self) -> list[str]:
        """What systemctl was told to change since the last call."""
        path = self.stubs / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def files(self) -> set[str]:
        """All files of the machine that a schedule could leave."""
        folders = {"units": self.units, "state": self.state}
        return {f"{name}/{path.relative_to(folder)}" for name, folder in folders.items() for path in folder.rglob("*")}


@pytest.fixture
def machine(playbooks: Playbooks, tmp_path: pathlib.Path) -> Machine:
    """A machine without systemd and crontab, but with a systemctl, which tells nothing."""
    if reason := world():
        pytest.skip(reason)
    made = Machine(playbooks, tmp_path / "units", tmp_path / "state", tmp_path / "stubs", tmp_path / "bin")
    for folder in (made.units, made.state, made.stubs, made.bin):
        folder.mkdir()
    for place in ("/bin", "/usr/bin"):
        for tool in pathlib.Path(place).iterdir():
            if tool.name != "crontab" and not (made.bin / tool.name).is_symlink():
                (made.bin / tool.name).symlink_to(tool)
    made.install("systemctl", SYSTEMCTL)
    playbooks.environment.update(PATH=str(made.bin), STUBS=str(made.stubs))
    in_another_world(made, booted=False)
    return made


def in_another_world(machine: Machine, *, booted: bool) -> None:
    """Change what runs see: whether systemd is init, and the two folders."""
    steps = [
        "mount -t tmpfs none /run",
        "mkdir -p /run/systemd/system" if booted else ":",
        f"mount --bind {shlex.quote(str(machine.units))} /etc/systemd/system",
        f"mount --bind {shlex.quote(str(machine.state))} /var/lib",
        'exec "$@"',
    ]
    machine.playbooks.within = ["unshare", "--map-root-user", "--mount", "/bin/sh", "-c", " && ".join(steps), "sh"]


def test_a_machine_with_systemd_gets_a_timer(machine: Machine, sim: Simulator) -> None:
    in_another_world(machine, booted=True)
    before = machine.files()

    machine.schedule("--check").ok()
    assert machine.files() == before
    assert tokens(sim) == []

    assert changed(machine.schedule()) > 0
    assert {path.name for path in machine.units.iterdir()} == set(UNIT_FILES)
    assert machine.calls() == ["daemon-reload", f"enable {UNIT}.timer", f"start {UNIT}.timer"]
    assert {name: mode(machine.folder / name) for name in JOB_FILES} == JOB_FILES
    assert mode(machine.folder) == 0o700
    timer = (machine.units / f"{UNIT}.timer").read_text()
    assert "\nOnCalendar=*-*-* 02:30:00\n" in timer
    assert "\nPersistent=true\n" in timer
    service = (machine.units / f"{UNIT}.service").read_text()
    assert f'\nExecStart=/bin/sh "/var/lib/{UNIT}/run"\n' in service
    assert f'\nReadWritePaths="/var/lib/{UNIT}"\n' in service
    assert len(tokens(sim)) == 1

    assert changed(machine.schedule()) == 0
    assert machine.calls() == []

    # Another time; systemd is what reads it.
    refused = machine.schedule(on_calendar="Mon..Blursday 03:00")
    assert refused.returncode != 0
    assert "Blursday" in shown(refused)
    assert machine.calls() == []
    assert changed(machine.schedule(on_calendar="Mon..Fri 03:00")) > 0
    assert "\nOnCalendar=Mon..Fri 03:00\n" in (machine.units / f"{UNIT}.timer").read_text()
    assert machine.calls() == ["daemon-reload", f"restart {UNIT}.timer"]

    # What others have put beside it stays, and so does the evidence.
    stamps = machine.state / "systemd" / "timers"
    stamps.mkdir(parents=True)
    for path in (machine.units / "other.timer", machine.folder / "notes", stamps / f"stamp-{UNIT}.timer"):
        path.touch()
    machine.schedule("--check", state="absent").ok()
    assert (machine.units / f"{UNIT}.timer").exists()
    assert changed(machine.schedule(state="absent")) > 0
    assert machine.calls() == [f"disable {UNIT}.timer", f"stop {UNIT}.timer", "daemon-reload"]
    left = {"units/other.timer", "state/systemd", "state/systemd/timers", f"state/{UNIT}", f"state/{UNIT}/notes"}
    assert machine.files() == left
    assert tokens(sim) == []
    assert changed(machine.schedule(state="absent")) == 0
    assert sim.sessions() == []


def test_a_machine_with_cron_gets_lines(machine: Machine, sim: Simulator) -> None:
    """Also one that has systemd's commands and was booted with something else."""
    machine.install("crontab", CRONTAB)
    crontab = machine.stubs / "crontab"
    crontab.write_text("5 4 * * * true\n")
    refused = machine.schedule(on_calendar="Mon..Fri 03:00")
    assert refused.returncode != 0
    assert "must be daily" in refused.output
    assert tokens(sim) == []
    assert machine.files() == set()

    assert changed(machine.schedule(on_calendar="23:05")) > 0
    assert crontab.read_text().splitlines() == [
        "5 4 * * * true",
        f"#Ansible: {UNIT}",
        f"5 23 * * * /bin/sh /var/lib/{UNIT}/run --scheduled",
        f"#Ansible: {UNIT} after a reboot",
        f"@reboot /bin/sh /var/lib/{UNIT}/run --missed",
    ]
    assert {name: mode(machine.folder / name) for name in JOB_FILES} == JOB_FILES
    assert changed(machine.schedule(on_calendar="23:05")) == 0
    assert list(machine.units.iterdir()) == []
    assert machine.calls() == []

    assert changed(machine.schedule(state="absent")) > 0
    assert crontab.read_text().splitlines() == ["5 4 * * * true"]
    assert machine.files() == set()
    assert tokens(sim) == []


def test_a_machine_with_neither_is_told_so_and_not_changed(machine: Machine, sim: Simulator) -> None:
    run = machine.schedule()
    assert run.returncode != 0
    assert "not booted with systemd" in run.output
    assert "compliance_audit_render_to" in run.output
    assert machine.files() == set()
    assert machine.calls() == []
    assert sim.journal == []


def test_who_is_not_root_installs_no_units(machine: Machine, sim: Simulator) -> None:
    in_another_world(machine, booted=True)
    machine.install("id", "#!/bin/sh\necho 1000\n")
    run = machine.schedule()
    assert run.returncode != 0
    assert "--become" in run.output
    assert machine.files() == set()
    assert sim.journal == []


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"unit_name": "../etc"}, "compliance_audit_unit_name takes"),
        ({"on_calendar": "02:30\n[Service]"}, "compliance_audit_on_calendar"),
        ({"reports": {"json": "/nowhere/at/all/audit.json"}}, "/nowhere/at/all, which is not a folder"),
        ({"state": "gone"}, "value of compliance_audit_state must be one of"),
        ({"fail_on": "medium-rare"}, "value of compliance_audit_fail_on must be one of"),
    ],
)
def test_bad_input_is_refused_before_any_change(
    playbooks: Playbooks, sim: Simulator, variables: dict[str, t.Any], message: str
) -> None:
    run = playbooks.run(SCHEDULE, *given(render_to="rendered", **variables))
    assert run.returncode != 0
    assert message in run.output
    assert not (playbooks.folder / "rendered").exists()
    assert sim.journal == []


def test_no_master_is_refused_before_any_change(playbooks: Playbooks) -> None:
    del playbooks.environment["DET_MASTER"]
    run = playbooks.run(SCHEDULE, *given(render_to="rendered"))
    assert run.returncode != 0
    assert "which master to audit" in run.output
    assert not (playbooks.folder / "rendered").exists()


# --- the rendered files, and the job that they run ---


class Job:
    """A job that was written to a folder whose name wants quoting everywhere."""

    def __init__(self, playbooks: Playbooks, sim: Simulator) -> None:
        self.playbooks = playbooks
        self.sim = sim
        self.folder = playbooks.folder / "5% of it all"
        self.reports = self.folder / "compliance-audit"

    def render(self, *arguments: str, **variables: t.Any) -> Run:
        return self.playbooks.run(SCHEDULE, *given(render_to=str(self.folder), **variables), *arguments)

    def command(self) -> list[str]:
        """What the service starts, read as systemd reads it."""
        lines = (self.folder / f"{UNIT}.service").read_text().splitlines()
        line = next(line.removeprefix("ExecStart=") for line in lines if line.startswith("ExecStart="))
        return shlex.split(line.replace("%%", "%").replace("$$", r"\$"))

    def cron(self, number: int) -> list[str]:
        """What one of the lines for a crontab starts, read as cron reads it."""
        lines = [line for line in (self.folder / f"{UNIT}.cron").read_text().splitlines() if not line.startswith("#")]
        fields = 1 if lines[number].startswith("@") else 5
        return ["/bin/sh", "-c", lines[number].split(maxsplit=fields)[fields].replace(r"\%", "%")]

    def start(self, command: list[str]) -> subprocess.Popen[str]:
        """Start it with next to no environment, as systemd and cron do, and in another folder."""
        environment = {"HOME": self.playbooks.environment["HOME"], "PATH": "/usr/bin:/bin"}
        return subprocess.Popen(
            command,
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: list[str] | None = None) -> tuple[int, str]:
        process = self.start(self.command() if command is None else command)
        output, _nothing = process.communicate(timeout=600)
        return process.returncode, output

    def report(self) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", json.loads((self.reports / "audit.json").read_text()))

    def history(self) -> list[dict[str, t.Any]]:
        """The reports in the history, oldest first."""
        found = [json.loads(path.read_text()) for path in (self.reports / "history").glob("*.json")]
        return sorted((one for one in found if "verdict" in one), key=lambda one: str(one["started"]))


@pytest.fixture
def job(playbooks: Playbooks, sim: Simulator) -> Job:
    return Job(playbooks, sim)


def test_files_are_written_and_nothing_is_installed(job: Job, sim: Simulator) -> None:
    job.playbooks.environment["HTTPS_PROXY"] = PROXY
    job.playbooks.environment["NO_PROXY"] = "127.0.0.1"
    secret = {"evidence_key": KEY, "parameters": {"token_description_pattern": BRACES_GIVEN}}
    planned = job.render("--check", "--diff", **secret)
    assert not job.folder.exists()
    written = job.render("--diff", "-vvv", **secret)
    assert changed(written) == changed(planned)
    expected = {**JOB_FILES, **UNIT_FILES, f"{UNIT}.cron": 0o644}
    assert {path.name: mode(path) for path in job.folder.iterdir()} == expected
    assert mode(job.folder) == 0o700
    again = job.render(**secret)
    assert changed(again) == 0

    token = (job.folder / "token").read_text()
    for text in (shown(planned), shown(written), shown(again)):
        assert not any(secret in text for secret in (token, KEY, "CANARY-proxy", INITIAL_PASSWORD))
    for name in UNIT_FILES:
        text = (job.folder / name).read_text()
        assert not any(secret in text for secret in (token, KEY, "CANARY-proxy", INITIAL_PASSWORD))
    kept = "".join((job.folder / name).read_text() for name in ("job.yml", "run", "ansible.cfg"))
    assert KEY in kept
    assert "CANARY-proxy" in kept
    assert token not in kept
    assert INITIAL_PASSWORD not in kept

    class Loader(yaml.SafeLoader):
        """Knows !unsafe, as Ansible does."""

    Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_mapping(node, deep=True))
    data = yaml.load((job.folder / "job.yml").read_text(), Loader=Loader)
    assert data["compliance_audit_parameters"] == {"token_description_pattern": BRACES}
    assert data["compliance_audit_master"] == sim.url
    assert data["compliance_audit_token_file"] == str(job.folder / "token")

    assert changed(job.render("--check", state="absent")) > 0
    assert (job.folder / "token").exists()
    assert len(tokens(sim)) == 1
    job.render(state="absent").ok()
    assert not job.folder.exists()
    assert tokens(sim) == []
    assert changed(job.render(state="absent")) == 0
    assert sim.sessions() == []


def test_the_units_are_right(job: Job) -> None:
    """As systemd itself judges them."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze")
    outside = job.playbooks.folder / 'a "quoted" folder'
    outside.mkdir()
    job.render(history=str(outside), on_calendar="Mon..Fri 03:00 Europe/Berlin").ok()

    def verify() -> str:
        names = [f"./{UNIT}.{kind}" for kind in ("service", "timer")]
        command = ["systemd-analyze", "--man=no", "verify", *names]
        done = subprocess.run(command, cwd=job.folder, capture_output=True, text=True)
        return f"{done.returncode}{done.stdout}{done.stderr}"

    assert verify() == "0"
    # The judge is awake.
    service = job.folder / f"{UNIT}.service"
    text = service.read_text()
    for right, wrong in (
        ("ProtectHome=read-only", "ProtectHome=sometimes"),
        ("ExecStart=/bin/sh", "ExecStart=/nowhere/sh"),
    ):
        service.write_text(text.replace(right, wrong))
        assert verify() != "0"
    # What can't be daily is not for cron.
    assert not (job.folder / f"{UNIT}.cron").exists()


def test_the_job_audits_and_renews_its_token(job: Job, sim: Simulator) -> None:
    job.render().ok()
    first = (job.folder / "token").read_text()
    status, output = job.run()
    assert status == 2, output
    report = job.report()
    assert report["verdict"] != "pass"
    assert report["auditor"]["username"] == "admin"
    assert {path.name for path in job.reports.iterdir()} == {
        *("audit.json", "audit.json.sha256", "audit.html", "audit.md", "history"),
    }
    assert [one["verdict"] for one in job.history()] == [report["verdict"]]
    assert (job.folder / "token").read_text() == first
    assert first not in output

    # Two days before its end, and although the verdict fails the play.
    (row,) = tokens(sim)
    row.expiry = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=2)
    status, output = job.run()
    assert status == 2, output
    second = (job.folder / "token").read_text()
    assert second != first
    assert row.revoked_at is not None
    assert mode(job.folder / "token") == 0o600
    assert len(job.history()) == 2

    # A verdict that is a pass, with the new one, as cron starts it: nothing to mail.
    job.render(random_delay=0, **NO_VERDICT, parameters={"token_description_pattern": BRACES_GIVEN}).ok()
    assert (job.folder / "token").read_text() == second
    assert job.run(job.cron(0)) == (0, "")
    assert job.report()["verdict"] == "pass"
    assert job.report()["parameters"]["token_description_pattern"] == BRACES
    assert len(job.history()) == 3

    # After a reboot only what was missed is made up for.
    assert job.run(job.cron(1)) == (0, "")
    assert len(job.history()) == 3
    yesterday = time.time() - 24 * 3600 - 60
    os.utime(job.folder / "ended", (yesterday, yesterday))
    assert job.run(job.cron(1)) == (0, "")
    assert len(job.history()) == 4

    # Reports stay when the schedule goes.
    job.render(state="absent").ok()
    assert [path.name for path in job.folder.iterdir()] == ["compliance-audit"]
    assert sim.sessions() == []


def test_a_job_that_can_not_log_in_is_not_silent(job: Job, sim: Simulator) -> None:
    job.render(random_delay=0, **NO_VERDICT).ok()
    for row in tokens(sim):
        row.revoked_at = datetime.datetime.now(datetime.UTC)
    for number in (1, 2):
        status, output = job.run(job.cron(0))
        assert status == 2
        assert "401" in output
        errors = job.history()
        assert [(error["verdict"], error["exit_hint"]) for error in errors] == [("incomplete", 1)] * number
        assert all(error["error"] for error in errors)
        # Then without one at all.
        (job.folder / "token").unlink(missing_ok=True)
    # What is refused already need not be revoked.
    job.render(state="absent").ok()
    assert [path.name for path in job.folder.iterdir()] == ["compliance-audit"]


def test_two_jobs_do_not_overlap(job: Job, sim: Simulator) -> None:
    job.render(random_delay=0, **NO_VERDICT).ok()
    processes = [job.start(job.command()) for _number in range(2)]
    outputs = {process.communicate(timeout=600)[0]: process.returncode for process in processes}
    assert sorted(outputs.values()) == [0, 75], outputs
    (refused,) = (text for text, status in outputs.items() if status == 75)
    assert refused == f"{job.folder}: an audit is at work already, so this one was not started\n"
    assert len(job.history()) == 1
    with (job.folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert job.run(job.cron(0)) == (75, refused)
    assert job.run(job.cron(0)) == (0, "")


# --- one audit ---


def test_an_audit_by_hand(playbooks: Playbooks, sim: Simulator) -> None:
    """Relative paths start where ansible-playbook does; the connection comes from variables."""
    connection = {"master": sim.url, "auth_username": "admin", "auth_password": INITIAL_PASSWORD}
    for name in CONNECTION:
        playbooks.environment.pop(name, None)
    (playbooks.folder / "waivers.yml").write_text("[]\n")
    reports = {"json": "out/deep/audit.json", "csv": "out/audit.csv"}
    run = playbooks.run(AUDIT, *given(**connection, **NO_VERDICT, reports=reports, waivers="waivers.yml"))
    assert changed(run) == 0
    assert "The audit passed; see " in run.output
    assert INITIAL_PASSWORD not in shown(run)
    report = json.loads((playbooks.folder / "out" / "deep" / "audit.json").read_text())
    assert report["waivers"]["given"] == 0
    assert report["fail_on"] == "never"
    assert (playbooks.folder / "out" / "audit.csv").exists()
    assert (playbooks.folder / "compliance-audit" / "history").is_dir()
    assert sim.sessions() == []

    # Other reports of the same audit, without a call.
    calls = len(sim.journal)
    again = {"from_report": "out/deep/audit.json", "reports": {"markdown": "again.md"}}
    playbooks.run(AUDIT, *given(**connection, **again)).ok()
    assert len(sim.journal) == calls
    assert report["cluster"]["id"] in (playbooks.folder / "again.md").read_text()


def test_no_secret_of_the_cluster_and_no_hash_of_one_is_in_any_output_or_file(
    playbooks: Playbooks, sim: Simulator
) -> None:
    master = sim.master
    places = [master.config, *(row.config for row in master.templates.values())]
    places += [row.config for row in master.tasks.values()] + [row.url for row in master.webhooks.values()]
    secrets = set(re.findall(r"CANARY[\w-]*", json.dumps(places, default=str)))
    assert len(secrets) > 10
    reports = {form: f"out/audit.{form}" for form in ("json", "html", "markdown", "csv", "junit", "sarif")}
    audit = given(profile="strict", reports=reports, evidence_key=KEY, probe_blank_passwords=True, **NO_VERDICT)
    # What is on the command line is shown at this verbosity, so the options are in a file.
    (playbooks.folder / "options.json").write_text(audit[1])
    run = playbooks.run(AUDIT, "-e", "@options.json", "-vvvv", "--diff").ok()
    files = [path for path in playbooks.folder.rglob("*") if path.is_file() and "audit" in path.name]
    assert len(files) >= 9
    hashes = {getattr(hashlib, name)(one.encode()).hexdigest() for one in secrets for name in ("md5", "sha1", "sha256")}
    for text in (shown(run), *(path.read_text() for path in files)):
        assert "CANARY" not in text
        assert not any(one in text for one in hashes)


def test_check_mode_writes_reports_and_no_history(playbooks: Playbooks) -> None:
    assert changed(playbooks.run(AUDIT, *given(**NO_VERDICT), "--check")) == 0
    assert (playbooks.folder / "compliance-audit" / "audit.json").exists()
    assert list((playbooks.folder / "compliance-audit").glob("history/*.json")) == []


def test_the_own_defaults_of_a_play_hold(playbooks: Playbooks, sim: Simulator) -> None:
    """What the role gives the modules does not push away what the play does."""
    for name in CONNECTION:
        playbooks.environment.pop(name, None)
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {
            "group/determined.ai.all": {"master": sim.url, "auth_username": "admin", "auth_password": INITIAL_PASSWORD}
        },
        "tasks": [{"ansible.builtin.include_role": {"name": "determined.ai.compliance_audit"}}],
    }
    playbooks.run([play], *given(**NO_VERDICT)).ok()


# --- telling people ---

HOSTILE = (
    "{{ lookup('env', 'HOME') }} <!channel> @here `x` [a](http://evil.example) *b*\r\nBcc: evil@example.com\u2028.\n\n"
)


class Receiver(http.server.BaseHTTPRequestHandler):
    """A chat, a GitHub and a GitLab with one project."""

    requests: t.ClassVar[list[tuple[str, str, t.Any]]] = []
    open_issues: t.ClassVar[list[dict[str, t.Any]]] = []

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.requests.append((self.command, self.path, body))
        status, answer = 200, t.cast("t.Any", {})
        if self.command == "GET":
            answer = self.open_issues
        elif self.command == "POST" and "/issues" in self.path:
            status, answer = 201, {}
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_PUT = _answer

    def log_message(self, *_arguments: t.Any) -> None:
        """Silent."""


@pytest.fixture
def receiver() -> Iterator[str]:
    Receiver.requests.clear()
    Receiver.open_issues.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> dict[str, t.Any]:
    """A report of a real audit, in which the cluster has hostile names."""
    folder = tmp_path_factory.mktemp("audited")
    with Simulator(fixture="demo") as sim:
        connection = {"DET_MASTER": sim.url, "DET_USER": "admin", "DET_PASS": INITIAL_PASSWORD}
        Playbooks(folder, connection).run(AUDIT, *given(fail_on="low"))
    report = t.cast("dict[str, t.Any]", json.loads((folder / "compliance-audit" / "audit.json").read_text()))
    assert report["verdict"] == "fail"
    report["cluster"]["name"] = HOSTILE
    for finding in report["findings"]:
        finding["key"] = HOSTILE
        finding["evidence"]["faults"] = [HOSTILE]
    return report


def tell(playbooks: Playbooks, name: str, report: dict[str, t.Any], **variables: t.Any) -> Run:
    """Run one of the playbooks that tell people, on a report."""
    (playbooks.folder / "audit.json").write_text(json.dumps(report))
    arguments = ("-e", json.dumps({"audit_report": "audit.json", **variables}))
    return playbooks.run(ROOT / "playbooks" / f"compliance_audit_{name}.yml", *arguments).ok()


def passed(report: dict[str, t.Any], **changes: t.Any) -> dict[str, t.Any]:
    return {**report, "verdict": "pass", "findings": [], "reasons": [], **changes}


LONG_AGO = "2026-01-02T03:04:05Z"


def test_mail(playbooks: Playbooks, tmp_path: pathlib.Path, audited: dict[str, t.Any]) -> None:
    stub = tmp_path / "sendmail"
    stub.write_text(SENDMAIL)
    stub.chmod(0o755)
    playbooks.environment["STUBS"] = str(tmp_path)
    addresses = {"audit_mail_to": "security@example.com", "audit_mail_command": str(stub)}
    tell(playbooks, "mail", audited, **addresses)
    head, _blank, body = (tmp_path / "mail").read_text().partition("\n\n")
    assert (tmp_path / "arguments").read_text().split() == ["-i", "-t"]
    assert head.splitlines() == [
        "To: security@example.com",
        "Subject: Compliance audit: fail",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
    ]
    assert "Verdict: fail" in body
    assert "{{ lookup('env', 'HOME') }} <!channel>" in body
    assert not any(line.startswith(("Bcc", ".")) for line in body.splitlines())
    assert str(playbooks.environment["HOME"]) not in body
    failed = [finding for finding in audited["findings"] if finding["status"] == "fail"]
    worst = next(finding["control"] for finding in failed if finding["severity"] == "critical")
    assert f"- critical {worst}: " in body

    # Silent on a pass, unless it is of long ago: then the audit itself has failed to run.
    (tmp_path / "mail").unlink()
    tell(playbooks, "mail", passed(audited), **addresses)
    assert not (tmp_path / "mail").exists()
    tell(playbooks, "mail", passed(audited, ended=LONG_AGO), **addresses)
    assert "Subject: Compliance audit: none for " in (tmp_path / "mail").read_text()
    refused = playbooks.run(
        ROOT / "playbooks" / "compliance_audit_mail.yml",
        "-e",
        json.dumps({"audit_report": "audit.json", **addresses, "audit_mail_to": "a@example.com\nBcc: b@example.com"}),
    )
    assert refused.returncode != 0
    assert "one line each" in refused.output


def test_chat(playbooks: Playbooks, receiver: str, audited: dict[str, t.Any]) -> None:
    url = f"{receiver}/services/CANARY-hook"
    run = tell(playbooks, "chat", audited, audit_chat_url=url)
    ((method, path, body),) = Receiver.requests
    assert (method, path) == ("POST", "/services/CANARY-hook")
    assert "CANARY" not in run.output
    text = body["text"]
    assert "Verdict: fail" in text
    assert "{{ lookup(&" in text or "{{ lookup('env'" in text
    assert "&lt;!channel&gt; (at)here" in text
    assert not set("<>@`[]*") & set(text)
    assert "http://" not in text
    tell(playbooks, "chat", passed(audited), audit_chat_url=url)
    assert len(Receiver.requests) == 1


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_ticket(playbooks: Playbooks, receiver: str, audited: dict[str, t.Any], kind: str) -> None:
    variables = {
        "audit_ticket_kind": kind,
        "audit_ticket_project": "team/cluster",
        "audit_ticket_token": "CANARY-token",
        "audit_ticket_api": receiver,
    }
    issues, text_name, number = {
        "github": ("/repos/team/cluster/issues", "body", "number"),
        "gitlab": ("/projects/team%2Fcluster/issues", "description", "iid"),
    }[kind]
    run = tell(playbooks, "ticket", audited, **variables)
    assert "CANARY" not in shown(run)
    (look, opened) = Receiver.requests
    assert look[1] == f"{issues}?state={'open' if kind == 'github' else 'opened'}&labels=compliance-audit"
    assert opened[:2] == ("POST", issues)
    text = opened[2][text_name]
    assert opened[2]["title"] == "Compliance audit of the Determined cluster"
    # All of it is in one indented block, so that nothing in it is markup.
    assert all(line.startswith("    ") for line in text.splitlines() if line)
    assert "{{ lookup('env', 'HOME') }} <!channel> @here" in text

    # The same again changes nothing; another state of things is written to the same ticket; a pass closes it.
    Receiver.open_issues.append({number: 7, text_name: text, "title": "Compliance audit of the Determined cluster"})
    Receiver.requests.clear()
    assert changed(tell(playbooks, "ticket", audited, **variables)) == 0
    assert [request[0] for request in Receiver.requests] == ["GET"]
    Receiver.requests.clear()
    edit = "PATCH" if kind == "github" else "PUT"
    tell(playbooks, "ticket", {**audited, "score": 1.5}, **variables)
    assert Receiver.requests[1][:2] == (edit, f"{issues}/7")
    assert "score 1.5" in Receiver.requests[1][2][text_name]
    Receiver.requests.clear()
    tell(playbooks, "ticket", passed(audited), **variables)
    closing = {"state": "closed"} if kind == "github" else {"state_event": "close"}
    assert Receiver.requests[1] == (edit, f"{issues}/7", closing)
    Receiver.requests.clear()
    Receiver.open_issues.clear()
    tell(playbooks, "ticket", passed(audited), **variables)
    assert [request[0] for request in Receiver.requests] == ["GET"]
