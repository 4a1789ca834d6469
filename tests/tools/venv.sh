#!/usr/bin/env bash
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Make or bring up to date a virtual environment: venv.sh FOLDER LIST [VERSION]
#
# LIST names the requirements in tests/requirements; the stamp FOLDER/.LIST says that they are installed.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=$1 list=$2 version=${3:-}
constraints=tests/requirements/constraints.txt
[[ $list == client ]] && constraints=tests/requirements/constraints-client.txt

# Also true after an upgrade of the system took the interpreter away, or after the checkout was moved.
if ! "$folder/bin/pip" --version >/dev/null 2>&1; then
    if ! python=$(tests/tools/find-python.sh "$version"); then
        echo "This needs Python ${version:-3.11 or later} with its venv module, and none was found on the PATH or in pyenv." >&2
        exit 1
    fi
    echo "Making $folder with $("$python" --version)"
    rm -rf "$folder"
    "$python" -m venv "$folder"
fi
echo "Installing tests/requirements/$list.txt into $folder"
"$folder/bin/pip" install --quiet --constraint "$constraints" --requirement "tests/requirements/$list.txt"
touch "$folder/.$list"
