# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.simulator``: serve a simulated master until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import ssl
import sys
import threading
from pathlib import Path

from .fixtures import FIXTURES, INITIAL_PASSWORD
from .server import Fault, Simulator
from .state import AUTHZ_MODES


def read_faults(path: str) -> list[Fault]:
    """The faults of a JSON file: a list of objects with the fields of Fault.

    Raises:
        ValueError: with a sentence about what is wrong.
    """
    try:
        rows = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError("it is not a list of objects")
        return [Fault(**row) for row in rows]
    except OSError as error:
        raise ValueError(f"The faults file {path} cannot be read: {error.strerror}.") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"The faults file {path} is not JSON: {error}.") from None
    except (TypeError, ValueError, re.error) as error:
        raise ValueError(f"The faults file {path} cannot be used: {error}.") from None


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulator", description="A simulated Determined master 0.38.1."
    )
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1, 0 takes a free one (default)")
    parser.add_argument("--fixture", choices=FIXTURES, default="demo", help="what the cluster holds (default: demo)")
    parser.add_argument("--authz", choices=AUTHZ_MODES, default="basic", help="authorisation mode (default: basic)")
    parser.add_argument("--latency-ms", type=float, default=0, help="added to every answer")
    parser.add_argument("--login-cost-ms", type=float, default=0, help="time to hash a password (a real master: 1500)")
    parser.add_argument("--ready-file", help="file that gets the URL once the server listens")
    parser.add_argument("--tls-cert", help="PEM file; with --tls-key the server speaks https")
    parser.add_argument("--tls-key", help="PEM file")
    parser.add_argument("--faults", help="JSON file with faults to inject")
    parser.add_argument("--initial-password", default=INITIAL_PASSWORD, help="of admin and determined")
    parser.add_argument("--prefix", default="", help="path under which the master is published, as /cluster-a")
    options = parser.parse_args(argv)
    if not 0 <= options.port <= 65535:
        parser.error(f"--port is between 0 and 65535, not {options.port}")
    if bool(options.tls_cert) != bool(options.tls_key):
        parser.error("--tls-cert and --tls-key go together")
    for path in filter(None, (options.tls_cert, options.tls_key)):
        if not os.access(path, os.R_OK):
            parser.error(f"{path} cannot be read")
    if options.latency_ms < 0 or options.login_cost_ms < 0:
        parser.error("times are not negative")
    return options


def main() -> int:
    """Serve; returns the exit status."""
    options = parse()
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    try:
        faults = read_faults(options.faults) if options.faults else []
        simulator = Simulator(
            options.fixture,
            options.authz,
            port=options.port,
            latency=options.latency_ms / 1000,
            login_cost=options.login_cost_ms / 1000,
            initial_password=options.initial_password,
            tls_cert=options.tls_cert,
            tls_key=options.tls_key,
            prefix=options.prefix.rstrip("/"),
        )
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    except ssl.SSLError:
        print(f"{options.tls_cert} and {options.tls_key} are not a PEM certificate and its key.", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"The simulator cannot listen on port {options.port}: {os.strerror(error.errno or 0)}.", file=sys.stderr)
        return 2
    simulator.faults.extend(faults)
    with simulator:
        print(f"Simulated master on {simulator.url} (fixture {options.fixture}, {options.authz})", flush=True)
        if options.ready_file:
            partial = f"{options.ready_file}.part"
            Path(partial).write_text(simulator.url + "\n", encoding="utf-8")
            os.replace(partial, options.ready_file)
        done.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
