#!/usr/bin/env bash
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Write the modules' reference and the page of the audit's controls: docs.sh BIN FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."

bin=$(cd "$1" && pwd)
mkdir -p "$2/reference"
export ANSIBLE_COLLECTIONS_PATH=$PWD/.cache/collections PATH=$bin:$PATH
antsibull-docs collection --use-current --squash-hierarchy --output-format simplified-rst \
    --dest-dir "$2/reference" --cleanup similar-files determined.ai
PYTHONPATH=$ANSIBLE_COLLECTIONS_PATH python tests/tools/audit_controls.py "$2/audit-controls.md"
