# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Controls of governance: what git says of the cluster."""

from __future__ import annotations

from .control import HIGH, PASS, Outcome, Resource, control, fail, unknown
from .site import Site
from .sources import DRIFT


def _without_manifest(site: Site) -> str | None:
    return None if site.has_manifest else "No manifest is given."


@control(
    "GOV-01",
    "Cluster drifts from git",
    HIGH,
    of=DRIFT,
    when=_without_manifest,
    remediation="Apply the manifest, or adopt what is live into it.",
    example="- determined.ai.det_apply:\n    manifest: cluster\n",
    cis="4.1",
    nist="CM-3, CM-6(1)",
    iso="A.8.9, A.8.32",
    soc2="CC8.1",
)
def _drift(site: Site, item: Resource) -> Outcome:
    drift, declared = item.data["class"], item.data["declared"]
    if drift == "same":
        return PASS
    if drift == "blocked":
        return unknown(f"How it differs can't be told: {item.data['reason']}", drift=drift)
    if drift == "missing":
        gap = site.rights.gap(item.kind)
        if gap is not None:
            return unknown(f"It is declared and was not seen, and {gap}.", drift=drift)
        return fail("It is declared, and not there.", drift=drift)
    if drift == "extra":
        return fail(f"It is there, and {'declared absent' if declared else 'not declared'}.", drift=drift)
    return fail("It is not as it is declared.", drift=drift, changed=item.data["fields"])
