#!/usr/bin/env bash
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Pin the newest versions that fit the lists in tests/requirements: constraints.sh BIN
set -euo pipefail
cd "$(dirname "$0")/../requirements"

uv=$OLDPWD/$1/uv
for pair in lint.txt:constraints.txt client.txt:constraints-client.txt; do
    pins=${pair#*:}
    {
        sed -n '1,2p' "${pair%:*}"
        echo "# Made by \`make constraints\` from the lists beside it. To take newer versions: run it again, then test."
        "$uv" pip compile --quiet --upgrade --universal --python-version 3.11 --no-header --no-annotate "${pair%:*}"
    } >"$pins.new"
    mv "$pins.new" "$pins"
done
