# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret of a cluster, and no hash of one, gets into a finding."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import typing as t

import pytest

from tests.simulator import Simulator

from . import plant
from .conftest import Auditor

CONTROLS = (
    *(f"TPL-0{number}" for number in range(1, 7)),
    *(f"EXP-0{number}" for number in range(1, 8)),
    "TSK-01", "TSK-02", "MOD-01", "MOD-02", "CKP-01", "CKP-02", "CKP-03",
)  # fmt: skip
PARAMETERS = {
    "allowed_registries": ["registry.example.org"],
    "allowed_storage_paths": ["/mnt"],
    "allowed_bind_mounts": ["/mnt/models"],
    "required_labels": ["team"],
    "archived_checkpoint_gib": 0,
    "checkpoint_budget_gib": 1,
}
PLACES: dict[str, t.Any] = {
    "environment": {
        "environment_variables": ["DB_PASSWORD=CANARY-variable", "URL=https://u:CANARY-url@example.com"],
        "registry_auth": {"username": "u", "password": "CANARY-own-registry"},
        "pod_spec": {"spec": {"containers": [{"name": "x", "env": [{"name": "API_KEY", "value": "CANARY-pod-spec"}]}]}},
        "image": "registry.example.org/team/train?token=CANARY-image",
    },
    "entrypoint": ["train", "--password", "CANARY-entrypoint"],
    "hyperparameters": {"wandb_api_key": "CANARY-hyperparameter"},
    "data": {"secrets": {"any": "CANARY-data"}},
    "checkpoint_storage": {"type": "s3", "bucket": "b", "access_key": "CANARY-ak", "secret_key": "CANARY-sk"},
}


def found_in(value: t.Any) -> set[str]:
    """The canaries of any data."""
    return set(re.findall(r"CANARY[\w-]*", json.dumps(value, default=str)))


@pytest.fixture
def planted(demo: Simulator) -> Simulator:
    """The demo cluster, with secrets of an experiment's and a template's own."""
    plant.experiment(demo, PLACES)
    plant.experiment(demo, PLACES, state="PAUSED", days=60)
    plant.task(demo, "notebook", hours=60, config={"environment": PLACES["environment"]})
    plant.call(demo, "POST", "/templates/canaries", {"config": PLACES})
    return demo


@pytest.mark.parametrize("key", [None, b"evidence key"])
def test_no_secret_gets_into_a_finding(planted: Simulator, key: bytes | None) -> None:
    master = planted.master
    canaries = found_in(master.config) | found_in([row.config() for row in master.experiments.values()])
    canaries |= found_in([row.config for row in (*master.templates.values(), *master.tasks.values())])
    canaries |= found_in([row.checkpoint_storage for row in master.workspaces.values()])
    assert len(canaries) >= 18
    found = Auditor(planted)(*CONTROLS, parameters=PARAMETERS, evidence_key=key)
    assert not [name for name in CONTROLS if found.status(name) == "error"]
    for name in ("TPL-03", "TPL-06", "EXP-02", "CKP-02", "TSK-02", "CKP-03"):
        assert found.status(name) == "fail", name
    text = json.dumps([found.findings, found.audit.shown_controls()])
    assert "CANARY" not in text
    for canary in canaries:
        for raw in (canary, canary.removeprefix("CANARY-")):
            data = raw.encode()
            digests = [hashlib.new(name, data).hexdigest()[:16] for name in ("md5", "sha1", "sha256", "sha512")]
            digests.append(base64.b64encode(data).decode().rstrip("="))
            assert not [one for one in digests if one in text]
