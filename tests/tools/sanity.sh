#!/usr/bin/env bash
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Run ansible-test's sanity tests on the artefact that `make artefact` installed: sanity.sh BIN [ARGUMENT...]
#
# BIN is the folder of the virtual environment's programs; what follows goes to `ansible-test sanity`.
set -euo pipefail
cd "$(dirname "$0")/../.."

bin=$(cd "$1" && pwd)
shift

# ansible-test keeps its virtual environments and caches below ~/.ansible: give it a home in here, with the user's
# settings and download cache of pip.
home=$PWD/.cache/home
mkdir -p "$home/.ansible/test/cache"
for kept in .cache .config .pip; do
    if [[ -e $HOME/$kept && ! -e $home/$kept ]]; then ln -sfn "$HOME/$kept" "$home/$kept"; fi
done
if [[ ! -e $home/.pip ]]; then
    mkdir -p "$home/.pip"
    printf '[global]\nquiet = 1\n' >"$home/.pip/pip.conf"
fi

# To make virtual environments ansible-test downloads a get-pip script of its own, which a machine behind a package
# mirror can't. It takes one found in its cache: Python's own ensurepip does the same.
"$bin/python" - "$home/.ansible/test/cache" <<'PYTHON'
import pathlib, sys, types
from ansible_test._internal.python_requirements import get_venv_packages
version = get_venv_packages(types.SimpleNamespace(version="%d.%d" % sys.version_info[:2]))["pip"]
script = pathlib.Path(sys.argv[1], "get_pip_%s.py" % version.replace(".", "_"))
script.write_text("import ensurepip\nensurepip.bootstrap(upgrade=True, default_pip=True)\n")
PYTHON

python=$("$bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
# Inside a git checkout ansible-test tests only what git knows, and git ignores .cache: it needs a place elsewhere.
elsewhere=$(mktemp -d)
trap 'rm -rf "$elsewhere"' EXIT
cp -R .cache/artefact/ansible_collections "$elsewhere"
cd "$elsewhere/ansible_collections/determined/ai"
HOME=$home PATH=$bin:$PATH ansible-test sanity --color no --requirements --python "$python" "$@"
