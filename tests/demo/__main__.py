# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""``make demo``: playbooks/demo.yml with real ansible-playbook, planned, applied and applied again.

It runs on a simulated master of its own, or on the one that DET_MASTER names: there it touches only what it makes itself,
under names that start with det-demo-, and removes it at the end (users, which the server can't delete, are deactivated).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import typing as t
from collections.abc import Iterator

if t.TYPE_CHECKING:
    from tests.simulator import Simulator

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
COLLECTIONS = ROOT / ".cache" / "collections"
REPORT = pathlib.Path(os.environ.get("DET_DEMO_REPORT") or ROOT / ".cache" / "demo" / "cluster").absolute()
"""The report's path without its ending."""

DRIFT = REPORT.parent / "drift.md"
"""The report of what was changed behind the tree's back."""

AUDIT = REPORT.parent / "audit"
"""The audit's reports, without their ending."""

TEMPLATES = ROOT / "playbooks" / "files" / "templates"
STOPPERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE = 30
"""Seconds that an interrupted ansible-playbook has to log out and end."""

PREFIX = "det-demo-"
OWN_NAMES: dict[str, t.Any] = {
    "demo_joiner": f"{PREFIX}lena",
    "demo_sso_joiner": f"{PREFIX}tomas",
    "demo_service": f"{PREFIX}reports",
    "demo_edited": f"{PREFIX}hugo",
    "demo_leaver": f"{PREFIX}carla",
    "demo_mark": " (det-demo)",
    "demo_model": f"{PREFIX}classifier",
    "demo_restore": {"name_contains": f"{PREFIX}summaries"},
    "demo_retire": {"name_contains": f"{PREFIX}nightly"},
}
"""On a master that others use, the demo's variables name what prepare.yml has made."""


class Stopped(Exception):
    """The demo can't go on; the message says why, in a sentence."""


@dataclasses.dataclass
class Figures:
    """What one run of the playbook did and cost.

    :ivar title: for the table.
    :ivar changed: tasks that changed something, as Ansible's recap counts them.
    :ivar objects: objects that changed.
    :ivar requests: API calls, as the modules' results count them.
    :ivar logins: as the simulated master counted them, or None.
    :ivar seconds: from start to end of ansible-playbook.
    """

    title: str
    changed: int
    objects: int
    requests: int
    logins: int | None
    seconds: float


class Stage:
    """Runs ansible-playbook, with nothing of the person's own Ansible set-up, in a folder that is removed at the end.

    :param folder: for everything that is written.
    :param environment: the connection to the master.
    """

    def __init__(self, folder: pathlib.Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.figures = folder / "figures.json"
        (folder / "ansible.cfg").touch()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        self._environment = {
            **inherited,
            # Ansible refuses to start in a locale without UTF-8.
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "ANSIBLE_HOME": str(folder / "home"),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callbacks"),
            "ANSIBLE_STDOUT_CALLBACK": "story",
            # When interrupted, let workers end their task (10 s) instead of leaving it to run on by itself.
            "ANSIBLE_WORKER_SHUTDOWN_POLL_COUNT": "100",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "DETERMINED_DEMO_FIGURES": str(self.figures),
            **environment,
        }

    def play(
        self, playbook: pathlib.Path, variables: dict[str, t.Any], *arguments: str, fields: bool = False
    ) -> dict[str, t.Any]:
        """Run a playbook to its end, with its output on ours.

        :param fields: whether the fields of changed objects are printed.
        :returns: the figures that the callback counted, and the time in seconds.
        :raises Stopped: it failed.
        """
        given = self.folder / "variables.json"
        given.write_text(json.dumps(variables), encoding="utf-8")
        self.figures.unlink(missing_ok=True)
        command = [
            str(pathlib.Path(sys.executable).parent / "ansible-playbook"),
            str(playbook),
            "-e",
            f"@{given}",
            *arguments,
        ]
        begun = time.monotonic()
        # A session of its own: Ctrl-C reaches it through us alone, so that it is told once and waited for.
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**self._environment, "DETERMINED_DEMO_FIELDS": str(int(fields))},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            code = process.wait()
        except BaseException:
            _end(process)
            raise
        seconds = time.monotonic() - begun
        found = json.loads(self.figures.read_text(encoding="utf-8")) if self.figures.exists() else {"failures": []}
        if code != 0 or found["failures"]:
            raise Stopped(f"{playbook.name} failed (ansible-playbook ended with {code}), see above.")
        return {**found, "seconds": seconds}


def _end(process: subprocess.Popen[bytes]) -> None:
    """End ansible-playbook and its workers: first as Ctrl-C does, so that it logs out."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
            return


def main() -> int:
    """Run the demo.

    :returns: the exit status.
    """
    for number in STOPPERS:
        signal.signal(number, _interrupt)
    try:
        _check_set_up()
        with tempfile.TemporaryDirectory(prefix="determined-demo-") as folder:
            if os.environ.get("DET_MASTER"):
                _on_real_master(pathlib.Path(folder))
            else:
                _on_simulated_master(pathlib.Path(folder))
    except Stopped as reason:
        print(f"\n{reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; nothing is left behind.", file=sys.stderr)
        return 130
    return 0


def _interrupt(number: int, _frame: object) -> t.NoReturn:
    """Stop, once: what follows is cleaning up, which another Ctrl-C must not cut short."""
    for each in STOPPERS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _check_set_up() -> None:
    """Refuse an interpreter or a set-up that can't run the demo."""
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever starts it without make may have an older one
        raise Stopped(f"The demo needs Python 3.11 or later, this is {sys.version.split()[0]}: run it by make demo.")
    if not (COLLECTIONS / "ansible_collections" / "determined" / "ai" / "galaxy.yml").exists():
        raise Stopped("The collection is not set up in .cache/collections: run the demo by make demo.")
    if not (pathlib.Path(sys.executable).parent / "ansible-playbook").exists():
        raise Stopped(f"There is no ansible-playbook beside {sys.executable}: run the demo by make demo.")


def _on_simulated_master(folder: pathlib.Path) -> None:
    try:
        from tests.simulator import Simulator
        from tests.simulator.fixtures import INITIAL_PASSWORD
    except ModuleNotFoundError as error:
        raise Stopped(
            f"The simulated master needs {error.name}, which is not installed: run the demo by make demo."
        ) from error
    try:
        simulator = Simulator(fixture="demo")
    except OSError as error:
        raise Stopped(f"The simulated master gets no port on 127.0.0.1: {error.strerror}.") from error
    with simulator:
        connection = {
            "DET_MASTER": simulator.url,
            "DET_USER": "admin",
            "DET_PASS": INITIAL_PASSWORD,
            "DET_USER_TOKEN": "",
        }
        # A proxy for the way out must not be asked for the way to ourselves.
        connection |= dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1")
        connection |= dict.fromkeys(("DET_MASTER_CERT_FILE", "DET_MASTER_CERT_NAME"), "")
        print(f"A simulated Determined master listens on {simulator.url}, with the users,")
        print("experiments and models of a small cluster. With DET_MASTER and credentials in the environment")
        print("the demo runs on that master instead.")
        _story(Stage(folder, connection), {}, simulator)


def _on_real_master(folder: pathlib.Path) -> None:
    if not os.environ.get("DET_USER_TOKEN") and not (os.environ.get("DET_USER") and "DET_PASS" in os.environ):
        raise Stopped(
            "DET_MASTER is set without credentials: set DET_USER and DET_PASS of an administrator, or DET_USER_TOKEN."
        )
    stage = Stage(folder, {})
    own = {"demo_prefix": PREFIX, "demo_clean": os.environ.get("DET_DEMO_CLEAN") == "1", **OWN_NAMES}
    print(f"The demo runs on {os.environ['DET_MASTER']}.")
    print(f"Everything that it touches there is its own, and is named {PREFIX}...")
    _heading("Before: look for its names, then make what it works on")
    stage.play(HERE / "check.yml", own)
    with _cleaned_up(stage, own):
        stage.play(HERE / "prepare.yml", own)
        own["demo_templates_folder"] = str(_own_templates(folder))
        _story(stage, own, None)


@contextlib.contextmanager
def _cleaned_up(stage: Stage, own: dict[str, t.Any]) -> Iterator[None]:
    """Remove the demo's objects from the master at the end, however it comes."""
    try:
        yield
    finally:
        for number in STOPPERS:
            signal.signal(number, signal.SIG_IGN)
        _heading("After: remove everything again")
        try:
            stage.play(HERE / "cleanup.yml", own)
        except Stopped as reason:
            raise Stopped(
                f"Cleaning up failed, see above; objects named {PREFIX}... may be left on the master. "
                "DET_DEMO_CLEAN=1 make demo removes them first."
            ) from reason


def _own_templates(folder: pathlib.Path) -> pathlib.Path:
    """The same templates under names of the demo's own, in no workspace of others."""
    own = folder / "templates"
    own.mkdir()
    for path in TEMPLATES.rglob("*.yml"):
        shutil.copy(path, own / f"{PREFIX}{path.name}")
    return own


def _story(stage: Stage, variables: dict[str, t.Any], simulator: Simulator | None) -> None:
    """Plan, apply, apply again; then the figures."""
    playbook = ROOT / "playbooks" / "demo.yml"
    token = stage.folder / "reports.token"
    variables = {**variables, "demo_token_file": str(token), "demo_report": str(REPORT)}
    _remove_report()
    table = []
    try:
        for number, title, what, arguments in (
            (1, "plan", "What would change: ansible-playbook playbooks/demo.yml --check --diff", ("--check", "--diff")),
            (2, "apply", "Apply it: ansible-playbook playbooks/demo.yml", ()),
            (3, "apply again", "Once more: everything is as declared", ()),
        ):
            _heading(f"{number}. {what}")
            before = len(simulator.journal) if simulator else 0
            found = stage.play(playbook, variables, *arguments, fields=title == "plan")
            logins = None
            if simulator:
                paths = [entry.path for entry in simulator.journal[before:]]
                logins = paths.count("/api/v1/auth/login")
                counted = len(paths) - logins - paths.count("/api/v1/auth/logout")
                if counted != found["requests"]:
                    raise Stopped(f"The master counted {counted} API calls, the results say {found['requests']}.")
            table.append(
                Figures(title, found["changed"], found["objects"], found["requests"], logins, found["seconds"])
            )
            print(f"  changed={found['changed']}, {found['seconds']:.1f} s")
        _heading("4. The cluster in git: export, a change in the tree, plan, apply, drift")
        tree = {"demo_tree": str(stage.folder / "cluster"), "demo_drift": str(DRIFT)}
        stage.play(HERE / "gitops.yml", {**variables, **tree}, fields=True)
        _heading("5. The cluster in front of an auditor")
        audit = {**tree, "demo_audit": str(AUDIT), "demo_simulated": simulator is not None}
        stage.play(HERE / "audit.yml", {**variables, **audit})
        _outcome(table, token, simulator)
    except BaseException:
        _remove_report()
        with contextlib.suppress(OSError):
            REPORT.parent.rmdir()
        raise


def _outcome(table: list[Figures], token: pathlib.Path, simulator: Simulator | None) -> None:
    """Print the figures, and hold them against what was promised."""
    _heading("What it took")
    print(f"  {'':<14}{'objects changed':>17}{'Ansible says':>16}{'API calls':>11}{'logins':>8}{'time':>9}")
    for row in table:
        logins = "-" if row.logins is None else row.logins
        says = f"changed={row.changed}"
        print(f"  {row.title:<14}{row.objects:>17}{says:>16}{row.requests:>11}{logins:>8}{row.seconds:>7.1f} s")
    print()
    if simulator:
        print(f"  Login sessions left on the master: {len(simulator.sessions())}")
    mode = stat.S_IMODE(token.stat().st_mode)
    print(f"  Token of the service user: {token.stat().st_size} bytes, mode {mode:04o}; the file goes with the demo")
    for path in _reports():
        print(f"  Report: {path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}")
    broken = []
    if table[0].objects != table[1].objects:
        broken.append(f"{table[0].objects} objects were planned, but {table[1].objects} changed")
    if table[2].changed:
        broken.append(f"the third run changed {table[2].changed} tasks")
    if simulator and simulator.sessions():
        broken.append("a login session is left on the master")
    if mode != 0o600:
        broken.append(f"the token's file has mode {mode:04o}")
    if broken:
        raise Stopped(f"This is not as promised: {'; '.join(broken)}.")


def _reports() -> list[pathlib.Path]:
    endings = [(REPORT, ".md"), (REPORT, ".json"), (AUDIT, ".html"), (AUDIT, ".json"), (AUDIT, ".json.sha256")]
    return [*(pathlib.Path(f"{path}{ending}") for path, ending in endings), DRIFT]


def _remove_report() -> None:
    for path in _reports():
        path.unlink(missing_ok=True)


def _heading(text: str) -> None:
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() and "NO_COLOR" not in os.environ else ("", "")
    print(f"\n{bold}{text}{plain}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
