#!/usr/bin/python
# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""Audit a cluster, and write reports."""

from __future__ import annotations

DOCUMENTATION = r"""
module: det_audit
short_description: Audit a Determined cluster for compliance
version_added: 1.0.0
description:
  - Reads a cluster without changing it, judges it by controls, and writes reports for people and for other tools.
  - What could not be seen is C(unknown) and never a pass. An audit that could not see enough is C(incomplete), and fails.
  - The task fails when the verdict is C(fail) or C(incomplete). Reports and history are written first.
  - The controls, what each reads, and where each was proved are listed in the collection's C(docs/audit-controls.md).
author:
  - Contributors to the determined.ai collection (@determined-ai)
extends_documentation_fragment:
  - determined.ai.connection
  - determined.ai.attributes
attributes:
  check_mode:
    support: full
    details: The cluster is read and judged, and reports are written, but nothing is kept in the history.
  diff_mode:
    support: none
    details: The comparison with the previous audit is in the reports.
  idempotent:
    support: full
options:
  profile:
    description:
      - Which controls are judged, and by which thresholds.
      - V(standard) has all controls of critical, high and medium severity.
      - V(strict) has all controls, and tighter thresholds. Images must be pinned by digest, tokens live 30 days at most and are
        rotated after 20, and experiments run 7 days at most.
      - V(cis8-ig1) has the controls that support safeguards of implementation group 1 of the CIS Controls v8.
      - V(ml-governance) has the controls of experiments, models, checkpoints, templates, config policies and tasks.
    type: str
    choices: [standard, strict, cis8-ig1, ml-governance]
    default: standard
  parameters:
    description:
      - Thresholds and lists of the site, which override those of the O(profile).
      - A list that is not set is named in the reports as not configured. The part of a control that needs it is not judged, and
        does not pass.
      - 'Lists: C(allowed_registries), C(allowed_webhook_hosts), C(allowed_storage_paths), C(allowed_open_pools),
        C(allowed_bind_mounts), C(allowed_capabilities), C(allowed_devices), C(allowed_role_holders), C(allowed_admin_tokens),
        C(allowed_admin_flags), C(service_users), C(break_glass_users), C(required_labels), C(required_invariants).'
      - 'Numbers, with their defaults: C(token_max_days) (90), C(token_rotation_days) (60), C(max_tokens_per_user) (3),
        C(min_admins) (2), C(max_admins) (4), C(dormant_days) (45), C(experiment_max_days) (14), C(experiment_recent_days) (90),
        C(paused_max_days) (30), C(deleting_max_days) (1), C(interactive_max_hours) (48), C(log_retention_days) (90),
        C(max_retention_days) (not set), C(archived_checkpoint_gib) (not set), C(checkpoint_budget_gib) (not set),
        C(certificate_min_days) (30), C(rsa_min_bits) (3072), C(signing_key_min_length) (32).'
      - 'Others: C(minimum_version) (not set), C(image_pinning) (C(tag) or C(digest)), C(tls_terminated) (false),
        C(telemetry_accepted) (false), C(token_description_pattern).'
      - What each means, and in which unit, is said in the collection's C(docs/audit-controls.md).
    type: dict
    default: {}
  controls:
    description: Only these controls, by their ids, whatever the O(profile) selects.
    type: list
    elements: str
  exclude:
    description: Leave out these controls, by their ids.
    type: list
    elements: str
    default: []
  waivers:
    description:
      - A YAML file with a list of findings that the site accepts.
      - Each entry has C(control) (the id), C(resources) (a pattern of keys such as C(alice/*), or a list of them), C(reason),
        C(ticket), C(approved_by) and C(expires) (a day at most 366 days ahead).
      - A waived finding stays in every report. A waiver that has ended no longer waives, and is a finding of its own.
    type: path
  baseline:
    description: An earlier JSON report of this cluster. Only findings that are not in it make the audit fail.
    type: path
  custom_controls:
    description:
      - A YAML file with a list of controls of the site.
      - Each entry has C(id), C(title), C(kind), C(fail_when) (a condition in Ansible's expression language on C(resource)),
        C(severity), C(remediation) and, if wanted, C(mapping).
      - Only the file's text is trusted as a template. What the cluster returns never is.
    type: path
  fail_on:
    description: The audit fails for findings of this severity or worse. V(never) leaves it to whoever reads the reports.
    type: str
    choices: [critical, high, medium, low, never]
    default: high
  max_unknown:
    description: How many per cent of the controls that apply may be unknown before the audit is incomplete.
    type: int
    default: 10
  reports:
    description: The reports to write, each to a file on the controller.
    type: dict
    suboptions:
      json:
        description:
          - The canonical report, which all others are made from; see C(docs/schemas/audit-report-v1.json).
          - Its SHA-256 is written to a file of the same name with C(.sha256) behind it, for C(sha256sum --check).
        type: path
      junit:
        description: JUnit XML, for the test pages of CI systems.
        type: path
      sarif:
        description: SARIF 2.1.0, for code scanning.
        type: path
      markdown:
        description: Markdown, for pull requests and job summaries.
        type: path
      csv:
        description: CSV, with a row for each finding and a column for each framework.
        type: path
      html:
        description: One self-contained page for people.
        type: path
  report_mode:
    description: Permissions of the reports, as octal digits in quotes.
    type: raw
    default: "0640"
  frameworks:
    description: The frameworks whose criteria are shown. A mapping says "supports evidence for", never "satisfies".
    type: list
    elements: str
    choices: [cis, nist, iso, soc2]
    default: [cis, nist, iso, soc2]
  sarif_waived:
    description: Whether waived findings are in the SARIF report as suppressed ones. Some tools show those as alerts.
    type: str
    choices: [suppress, omit]
    default: suppress
  history:
    description:
      - A folder for the reports of this and earlier audits of one cluster. It is made if it is not there.
      - With it, reports compare with the previous audit and show a trend. An audit that could not be made leaves a report too.
    type: path
  history_keep:
    description: How many audits the O(history) keeps.
    type: int
    default: 400
  manifest:
    description:
      - What the cluster should be, as M(determined.ai.det_apply) takes it. Where the cluster differs is a finding.
      - One whose settings name another cluster is refused before anything is judged.
    type: raw
  environment:
    description: The environment of the O(manifest).
    type: str
  evidence_key:
    description:
      - A secret of the site. With it, the evidence of a secret that was found has a keyed digest, so that one secret can be
        followed over time. It is in no report.
    type: str
  probe_blank_passwords:
    description:
      - Try to log in as the built-in users with a blank password, for IAM-01. Without it that control is unknown.
      - A login that succeeds is ended at once, but it moves the user's time of last login.
    type: bool
    default: false
  concurrency:
    description: How many calls are under way at once.
    type: int
    default: 4
  from_report:
    description: Write the reports from this earlier JSON report. No call is made.
    type: path
notes:
  - The user must be an administrator, under RBAC a C(ClusterAdmin), to see all. With less, controls are unknown.
  - It always runs inside the controller, and all paths are the controller's. It needs C(requests) and C(pydantic) there.
seealso:
  - module: determined.ai.det_apply
  - module: determined.ai.det_token
"""

EXAMPLES = r"""
- name: Audit the cluster, and write a page for people and a file for other tools
  determined.ai.det_audit:
    fail_on: never
    max_unknown: 100
    reports:
      html: /tmp/det-audit.html
      json: /tmp/det-audit.json

- name: Look at the tokens alone, by the site's own rules
  determined.ai.det_audit:
    controls: [TOK-01, TOK-02, TOK-03]
    parameters:
      token_max_days: 30
      token_rotation_days: 20
    fail_on: never
  register: tokens

- name: Write the findings of an earlier audit as a table
  determined.ai.det_audit:
    from_report: /tmp/det-audit.json
    reports:
      csv: /tmp/det-audit.csv
"""

RETURN = r"""
audit:
  description: The report without its controls, findings and trend; see C(docs/schemas/audit-report-v1.json).
  returned: when the audit was made
  type: dict
  contains:
    verdict:
      description: V(pass), V(fail) or V(incomplete).
      type: str
      sample: fail
    exit_hint:
      description: What a wrapper may exit with. 0 is pass, 2 fail, 3 incomplete, 1 an audit that could not be made.
      type: int
      sample: 2
    reasons:
      description: Why the verdict is no pass.
      type: list
      elements: str
      sample: ["3 findings at or above high."]
    score:
      description: The weight of the controls that pass, in per cent of those that apply.
      type: float
      sample: 71.4
    counts:
      description: How many controls and findings of each status there are, objects that were seen, and API calls.
      type: dict
      sample: {"controls": {"pass": 31, "fail": 9}, "findings": {"fail": {"high": 3}}, "objects": {"users": 12}, "requests": 41}
    cluster:
      description: Which cluster was audited.
      type: dict
      sample: {"id": "9d8de5a7-0b2f-4d3e-8b5f-3d1f6f3a0c11", "name": "", "version": "0.38.1", "authorisation": "basic",
        "url": "https://det.example.com"}
    auditor:
      description: Who audited.
      type: dict
      sample: {"username": "auditor", "id": 9, "admin": true, "roles": []}
    comparison:
      description: What is new, fixed, still there and no longer judged since the previous audit in the O(history).
      type: dict
      sample: null
    not_configured:
      description: The parameters that controls asked for and that nobody has set.
      type: list
      elements: str
      sample: [allowed_registries]
    not_seen:
      description: What was not seen whole, and why.
      type: list
      elements: str
      sample: []
findings:
  description: The findings that make the audit fail, worst first.
  returned: when the audit was made
  type: list
  elements: dict
  contains:
    control:
      description: Id of the control.
      type: str
      sample: TOK-01
    kind:
      description: Kind of the resource, in the plural.
      type: str
      sample: tokens
    key:
      description: The resource, as a manifest names it.
      type: str
      sample: alice/ci
    severity:
      description: How bad it is.
      type: str
      sample: high
    fingerprint:
      description: The same in each audit that finds it.
      type: str
      sample: 0f0e8c0f2a4b6d1f7b2f5c8a9d3e6f10b7a1c5d9e2f4861ab3c7d5e9f1a2b4c6
    evidence:
      description: What was read, where and when. Without secrets.
      type: dict
      sample: {"faults": ["Its owner is not active."], "fields": {"owner": "alice"}, "endpoint": "GET /api/v1/tokens?showInactive=true",
        "read_at": "2026-01-31T02:30:04Z"}
    remediation:
      description: How to mend it.
      type: str
      sample: Revoke the token, or activate its owner again.
reports:
  description: The reports that were written, by format.
  returned: when the audit was made
  type: dict
  sample: {"html": "/var/lib/determined-audit/audit.html"}
requests:
  description: Number of API calls that the task made.
  returned: always
  type: int
  sample: 41
failure:
  description: The call that failed, see M(determined.ai.det_user).
  returned: when a call failed
  type: dict
  sample:
    method: GET
    path: /api/v1/users
    status: 403
    reason: PermissionDenied
    message: access denied
    attempts: 1
"""

from ansible_collections.determined.ai.plugins.module_utils._audit.operation import AUDIT
from ansible_collections.determined.ai.plugins.module_utils._engine.entry import run_as_module

OPERATION = AUDIT


def main() -> None:
    """Never called: the action plugin of this name does the work, as the files are the controller's."""
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
