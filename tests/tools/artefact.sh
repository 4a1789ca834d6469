#!/usr/bin/env bash
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Build the collection's artefact and install it as a user would: artefact.sh BIN
#
# BIN is the folder of ansible-galaxy. Leaves the artefact in .cache/artefact/ and the installed collection in
# .cache/artefact/ansible_collections/determined/ai.
set -euo pipefail
cd "$(dirname "$0")/../.."

galaxy=$1/ansible-galaxy
rm -rf .cache/artefact
mkdir -p .cache/artefact
"$galaxy" collection build --force --output-path .cache/artefact
artefact=(.cache/artefact/determined-ai-*.tar.gz)
if weight=$(tar --list --file "${artefact[0]}" | grep -E '^(\.|tests/)' | grep -vE '^tests/$|^tests/sanity/|^tests/config\.yml$'); then
    printf 'build_ignore in galaxy.yml lets these into the artefact:\n%s\n' "$weight" >&2
    exit 1
fi
ANSIBLE_COLLECTIONS_PATH=$PWD/.cache/artefact "$galaxy" collection install --force --no-deps --offline --collections-path .cache/artefact "${artefact[0]}"
