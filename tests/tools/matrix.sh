#!/usr/bin/env bash
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Repeat with other Pythons what depends on them of the sanity, unit and integration tests: matrix.sh VERSION...
#
# Each takes the ansible-core that tests/requirements/demo.txt pairs it with. A Python that isn't here is named and left out.
# The oldest supported one is `make test`'s. The last one here goes through all of it, one in between through what finds most:
# what it imports, and the unit tests.
set -euo pipefail
cd "$(dirname "$0")/../.."

found=() missing=()
for version in "$@"; do
    if tests/tools/find-python.sh "$version" >/dev/null; then found+=("$version"); else missing+=("$version"); fi
done
if ((${#missing[@]})); then printf 'Not on this machine, left out: Python %s\n' "${missing[@]}"; fi

for version in "${found[@]}"; do
    venv=.venv-$version
    stamp=$venv/.test
    [[ $stamp -nt tests/requirements/constraints.txt && $stamp -nt tests/requirements/demo.txt &&
        $stamp -nt tests/requirements/test.txt && $stamp -nt requirements.txt ]] || tests/tools/venv.sh "$venv" test "$version"
    printf '== %s\n' "$("$venv/bin/ansible" --version | sed -n 1p) on $("$venv/bin/python" --version)"
    sanity=(--test compile --test import) tests=(tests/unit)
    if [[ $version == "${found[-1]}" ]]; then
        sanity+=(--test validate-modules --test pylint)
        tests+=(tests/integration)
    fi
    tests/tools/sanity.sh "$venv/bin" "${sanity[@]}"
    "$venv/bin/python" -m pytest -n auto --maxprocesses 4 -m "not once and not exhaustive" "${tests[@]}"
done
