# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.benchmarks.one_plan FILE``: plan a manifest given as JSON in a fresh process; prints the seconds.

What is timed begins when the manifest has been checked, with the reading of the lists, and ends with the plan.
"""

from __future__ import annotations

import json
import pathlib
import sys
import time


def main(file: str) -> None:
    """Plan."""
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

    from ansible_collections.determined.ai.plugins.module_utils._engine.entry import argument_spec
    from ansible_collections.determined.ai.plugins.module_utils._gitops.kinds import KINDS
    from ansible_collections.determined.ai.plugins.module_utils._gitops.manifest import Document, Position
    from ansible_collections.determined.ai.plugins.module_utils._gitops.manifest_builder import build
    from ansible_collections.determined.ai.plugins.module_utils._gitops.operation import APPLY
    from ansible_collections.determined.ai.plugins.module_utils._gitops.planner import Planner
    from ansible_collections.determined.ai.plugins.module_utils._kinds.rights import Rights
    from ansible_collections.determined.ai.plugins.module_utils._wire.connection import Connection
    from ansible_collections.determined.ai.plugins.module_utils._wire.session import Session

    content = json.loads(pathlib.Path(file).read_text(encoding="utf-8"))
    manifest = build([Document(content, lambda path: Position(file, 0))])
    validated = ArgumentSpecValidator(argument_spec(APPLY)).validate({"manifest": file}).validated_parameters
    session = Session(Connection.resolve(validated))
    rights = Rights.read(session)
    planner = Planner(
        session,
        manifest,
        rights,
        KINDS,
        selected=None,
        only=[],
        prune={},
        lock=None,
        distrust=None,
        concurrency=4,
    )
    began = time.perf_counter()
    plan = planner.plan()
    seconds = time.perf_counter() - began
    session.close()
    if any(item.writes for item in plan.items):
        sys.exit("the plan is not empty")
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main(sys.argv[1])
