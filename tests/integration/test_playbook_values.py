# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people give playbooks on the command line: `-e name=value` is always text, and may be wrong."""

from __future__ import annotations

import json
import pathlib

import pytest

from tests.simulator import Fault, Simulator

from .conftest import ROOT, Playbooks

PLAYBOOKS = ROOT / "playbooks"
TEMPLATES = PLAYBOOKS / "files" / "templates"

WRONG = {
    "archive_old_experiments": (
        ("archive_after_days=soon",),
        "archive_after_days is 'soon' and archive_at_most is '200', both must be numbers, 0 or more.",
    ),
    "compliance_audit": (
        ('compliance_audit_reports={"csv":"audit.csv"}',),
        "compliance_audit_reports is text: it must be a mapping",
    ),
    "compliance_audit_mail": (("audit_report=audit.json",), "Both audit_report and audit_mail_to are needed"),
    "compliance_audit_chat": ((), "Both audit_report and audit_chat_url are needed"),
    # A token of GitLab must not go to GitHub for a slip of the pen.
    "compliance_audit_ticket": (
        (
            "audit_report=audit.json",
            "audit_ticket_kind=gitlap",
            "audit_ticket_project=a/b",
            "audit_ticket_token=CANARY-token",
        ),
        "audit_ticket_kind is 'gitlap', it must be github or gitlab.",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_values_are_told_before_anything_is_done(playbooks: Playbooks, sim: Simulator, name: str) -> None:
    given, sentence = WRONG[name]
    (playbooks.folder / "audit.json").write_text("{}")
    run = playbooks.run(PLAYBOOKS / f"{name}.yml", *(part for value in given for part in ("-e", value)))
    assert run.returncode == 2
    assert sentence in run.output
    assert [entry.path for entry in sim.journal] == []
    assert "CANARY" not in run.output


def test_drift_takes_its_classes_as_text(playbooks: Playbooks, sim: Simulator) -> None:
    manifest = {"gitops_manifest": "cluster", "gitops_export_dest": "cluster"}

    def entry(name: str, **variables: str) -> dict[str, object]:
        role = {"name": "determined.ai.gitops", "tasks_from": name}
        return {"ansible.builtin.include_role": role, "vars": manifest | variables}

    run = playbooks.tasks(
        entry("export"),
        {"determined.ai.det_template": {"name": "cpu-small", "state": "absent"}},
        entry("drift", gitops_fail_on_drift="changed,extra"),
        entry("drift", gitops_fail_on_drift="changed,missing"),
    )
    assert run.returncode == 2
    assert "The cluster is not as declared: templates/cpu-small" in run.output
    assert run.output.count("Keep the objects that the run fails for") == 2


def test_a_playbook_runs_by_its_name(playbooks: Playbooks, sim: Simulator) -> None:
    absent = "templates_absent=cpu-small,empty"
    playbooks.run(pathlib.Path("determined.ai.templates"), "-e", f"templates_folder={TEMPLATES}", "-e", absent).ok()
    assert "demo-cpu" in sim.master.templates
    assert not {"cpu-small", "empty"} & set(sim.master.templates)


def test_a_report_says_so_where_tokens_may_not_be_seen(playbooks: Playbooks, sim: Simulator) -> None:
    """As a user who is no administrator is answered (API page identity-and-cluster, access tokens)."""
    refusal = {
        "error": {"code": 7, "reason": "PermissionDenied", "error": "only admin privileged users can view other users"}
    }
    sim.faults.add(Fault("status", "GET", "/api/v1/tokens", status=403, body=refusal))
    playbooks.run(PLAYBOOKS / "cluster_report.yml", "-e", "report_path=report").ok()
    assert "This user may not see the tokens of all users." in (playbooks.folder / "report.md").read_text()
    report = json.loads((playbooks.folder / "report.json").read_text())
    assert report["expiring_tokens"] is None
    assert report["users"] != []
