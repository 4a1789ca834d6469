#!/usr/bin/env bash
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Print the path of an interpreter that works: find-python.sh [VERSION]
#
# With a version, as 3.12, that one; without, 3.11 (the oldest that is supported) if it is here, else another of 3.11 or
# later. Candidates are tried, not only looked up: a pyenv shim exists for versions that are not selected, and Debian's
# python3 comes without venv. Exit status 1: there is none.
set -euo pipefail

wanted=${1:-}
if [[ $wanted ]]; then
    names=("python$wanted" python3)
    installed=("${PYENV_ROOT:-$HOME/.pyenv}/versions/$wanted".*/bin/python3)
else
    names=(python3.11 python3 python3.12 python3.13 python3.14)
    installed=("${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[1-4].*/bin/python3)
fi

for candidate in "${names[@]}" "${installed[@]}"; do
    if "$candidate" - "$wanted" 2>/dev/null <<'PYTHON'; then exit 0; fi
import ensurepip, sys, venv
here = "%d.%d" % sys.version_info[:2]
if sys.version_info < (3, 11) or sys.argv[1] not in ("", here):
    sys.exit(1)
print(sys.executable)
PYTHON
done
exit 1
