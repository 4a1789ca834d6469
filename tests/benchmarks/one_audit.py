# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.benchmarks.one_audit COUNT``: an audit of experiments in a fresh process, which prints as JSON the seconds
per experiment over the first COUNT of them and over all."""

from __future__ import annotations

import datetime
import json
import sys
import time

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.determined.ai.plugins.module_utils._audit.catalogue import CATALOGUE
from ansible_collections.determined.ai.plugins.module_utils._audit.judge import Audit
from ansible_collections.determined.ai.plugins.module_utils._audit.profile import chosen_controls, chosen_parameters
from ansible_collections.determined.ai.plugins.module_utils._audit.site import Site
from ansible_collections.determined.ai.plugins.module_utils._audit.snapshot import Snapshot
from ansible_collections.determined.ai.plugins.module_utils._audit.sources import EXPERIMENT_LIST
from ansible_collections.determined.ai.plugins.module_utils._wire.connection import CONNECTION_SPEC, Connection
from ansible_collections.determined.ai.plugins.module_utils._wire.session import Session


def main(count: int) -> None:
    """Audit, and note when `count` experiments had been judged."""
    session = Session(Connection.resolve(ArgumentSpecValidator(CONNECTION_SPEC).validate({}).validated_parameters))
    parameters, now = chosen_parameters("standard", {}), datetime.datetime.now(datetime.UTC)
    chosen = chosen_controls("standard", CATALOGUE, [], only=None, exclude=[], waives=False)
    controls = [one for one in chosen if EXPERIMENT_LIST in one.of]
    times: list[tuple[int, float]] = []

    class Timed(Snapshot):
        def experiments(self):
            times.append((0, time.perf_counter()))
            for page in super().experiments():
                yield page
                times.append((self.experiments_seen, time.perf_counter()))

    snapshot = Timed(session, now, concurrency=4, paused_max_days=parameters.paused_max_days)
    snapshot.identify()
    Audit(snapshot, Site(snapshot, parameters, now), controls).run()
    session.close()
    first, last = times[0], times[-1]
    early = next(at for at in times if at[0] >= count)
    few, many = ((at[1] - first[1]) / at[0] for at in (early, last))
    print(json.dumps({"few": few, "many": many}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
