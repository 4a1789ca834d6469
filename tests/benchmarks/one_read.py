# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.benchmarks.one_read``: one reading of experiments in a fresh process, which prints what it took as JSON.

``read LIMIT [FILE]`` runs the operation of det_experiment_info, without a limit where LIMIT is 0, and leaves the result in FILE.
``hold FILE`` loads such a result, to find out how much memory it takes by itself.
"""

from __future__ import annotations

import gc
import json
import pathlib
import resource
import sys
import time
import typing as t


def read(limit: int, file: pathlib.Path | None) -> dict[str, t.Any]:
    """Read experiments as a task does.

    :returns: seconds, experiments, and the peak memory of this process in bytes.
    """
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

    from ansible_collections.determined.ai.plugins.module_utils._engine.entry import Sessions, argument_spec, execute
    from ansible_collections.determined.ai.plugins.modules.det_experiment_info import OPERATION

    spec = argument_spec(OPERATION)
    options = ArgumentSpecValidator(spec).validate({"limit": limit or None}).validated_parameters
    sessions = Sessions(folder=None)
    began = time.perf_counter()
    result, _secrets = execute(OPERATION, options, sessions, check_mode=False, warn=lambda text: None)
    seconds = time.perf_counter() - began
    # In KiB on Linux.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    sessions.close()
    if result.get("failed"):
        sys.exit(result["msg"])
    if file is not None:
        with file.open("w", encoding="utf-8") as out:
            json.dump(result, out)
    return {"seconds": seconds, "experiments": len(result["experiments"]), "peak": peak}


def hold(file: pathlib.Path) -> dict[str, t.Any]:
    """Load a result.

    :returns: the memory in bytes that it takes, without this interpreter and without the text that it was loaded from.
    """
    empty = _resident()
    with file.open(encoding="utf-8") as text:
        result = json.load(text)
    gc.collect()
    return {"bytes": _resident() - empty, "experiments": len(result["experiments"])}


def _resident() -> int:
    """The memory that this process has now, in bytes."""
    pages = int(pathlib.Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def main(arguments: list[str]) -> None:
    """Do what the arguments say."""
    if arguments[0] == "hold":
        figures = hold(pathlib.Path(arguments[1]))
    else:
        figures = read(int(arguments[1]), pathlib.Path(arguments[2]) if len(arguments) > 2 else None)
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1:])
