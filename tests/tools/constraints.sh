#!/usr/bin/env bash
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Pin the newest versions that fit the lists in tests/requirements: constraints.sh BIN
set -euo pipefail
cd "$(dirname "$0")/../requirements"

uv=$OLDPWD/$1/uv
for pins in constraints.txt constraints-client.txt; do
    lists=(test.txt lint.txt)
    [[ $pins == constraints.txt ]] || lists=(client.txt)
    {
        sed -n '1,2p' "${lists[0]}"
        echo "# Made by \`make constraints\` from the lists beside it. To take newer versions: run it again, then test."
        "$uv" pip compile --quiet --upgrade --universal --python-version 3.11 --no-header --no-annotate "${lists[@]}"
    } >"$pins.new"
    mv "$pins.new" "$pins"
done
