#!/usr/bin/env bash
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Repeat with other Pythons what depends on them of the sanity, unit and integration tests: matrix.sh VERSION...
#
# Each takes the ansible-core that tests/requirements/demo.txt pairs it with. A Python that isn't here is named and left out.
# The oldest supported one is `make test`'s. The last one here goes through all of it, one in between through what finds most:
# what it imports, the unit tests of what speaks to a master, and the two ways to run a module, with the oldest libraries that
# requirements.txt allows.
set -euo pipefail
cd "$(dirname "$0")/../.."

found=() missing=()
for version in "$@"; do
    if tests/tools/find-python.sh "$version" >/dev/null; then found+=("$version"); else missing+=("$version"); fi
done
if ((${#missing[@]})); then printf 'Not on this machine, left out: Python %s\n' "${missing[@]}"; fi

if ((${#found[@]} == 0)); then exit 0; fi

prepare() { # prepare VERSION: its environment and sanity tests
    local venv=.venv-$1 sanity=(--test compile --test import)
    local stamp=$venv/.test
    [[ $stamp -nt tests/requirements/constraints.txt && $stamp -nt tests/requirements/demo.txt &&
        $stamp -nt tests/requirements/test.txt && $stamp -nt requirements.txt ]] || tests/tools/venv.sh "$venv" test "$1"
    if [[ $1 == "${found[-1]}" ]]; then
        sanity+=(--test validate-modules --test pylint)
    else
        "$venv/bin/pip" install --quiet --constraint tests/requirements/constraints-oldest.txt --requirement requirements.txt
    fi
    tests/tools/sanity.sh "$venv/bin" "${sanity[@]}"
}

# Side by side, as each uses one core; what each says comes when it has ended.
echo "Python ${found[*]}: environments and sanity tests, side by side"
jobs=()
for version in "${found[@]}"; do
    prepare "$version" >".cache/matrix-$version.log" 2>&1 &
    jobs+=($!)
done
status=0
for index in "${!found[@]}"; do
    version=${found[index]} bin=.venv-${found[index]}/bin
    wait "${jobs[index]}" || status=1
    echo "== Python $version"
    cat ".cache/matrix-$version.log"
    [[ -x $bin/pytest ]] || continue
    printf '== %s\n' "$("$bin/ansible" --version | sed -n 1p) on $("$bin/python" --version)"
    if [[ $version == "${found[-1]}" ]]; then
        tests=(tests/unit tests/integration)
    else
        tests=(tests/unit/{wire,kinds,gitops} tests/integration/test_{in_controller,targets}.py)
    fi
    "$bin/python" -m pytest -n auto --maxprocesses 4 -m "not once and not exhaustive" "${tests[@]}" || status=1
done
exit "$status"
