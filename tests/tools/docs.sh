#!/usr/bin/env bash
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Write the modules' reference: docs.sh BIN FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."

bin=$(cd "$1" && pwd)
mkdir -p "$2"
ANSIBLE_COLLECTIONS_PATH=$PWD/.cache/collections PATH=$bin:$PATH antsibull-docs collection --use-current --squash-hierarchy --output-format simplified-rst \
    --dest-dir "$2" --cleanup similar-files determined.ai
