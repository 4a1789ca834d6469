#!/usr/bin/env bash
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Run every linter and type check, all of them even when one complains: lint.sh BIN
#
# On the checkout, and on the artefact that `make artefact` installed.
set -uo pipefail
cd "$(dirname "$0")/../.."

bin=$(cd "$1" && pwd)
export PATH=$bin:$PATH
# The artefact is what playbooks and roles are checked with, not the checkout.
export ANSIBLE_COLLECTIONS_PATH=$PWD/.cache/artefact
[[ -t 1 ]] || export NO_COLOR=1
failed=()

check() { # check TITLE COMMAND...: run it, remember its title if it fails
    local title=$1
    shift
    printf '== %s\n' "$title"
    "$@" || failed+=("$title")
}

in_artefact() { # run a command in the installed collection
    (cd .cache/artefact/ansible_collections/determined/ai && "$@")
}

importer() { # what Ansible Galaxy does with an upload
    local artefact=(.cache/artefact/determined-ai-*.tar.gz) out
    # It writes its result to the current folder.
    out=$(cd .cache && GALAXY_IMPORTER_CONFIG=../tests/tools/galaxy-importer.cfg \
        python -m galaxy_importer.main "../${artefact[0]}" 2>&1) && ! grep -E '^(WARNING|ERROR)' <<<"$out" && return
    printf '%s\n' "$out"
    return 1
}

reference() { # what is written from the code says what that says now
    tests/tools/docs.sh "$bin" .cache/docs >/dev/null && diff -qr docs/reference .cache/docs/reference &&
        diff -q docs/audit-controls.md .cache/docs/audit-controls.md && return
    echo "docs/ is not up to date: run make docs"
    return 1
}

check "ruff check" ruff check
check "ruff format" ruff format --check
check "mypy" mypy
check "yamllint" yamllint --strict .
check "licence headers (reuse)" env REUSE_ENCODING_MODULE=charset_normalizer reuse lint --lines
check "changelog" antsibull-changelog lint
check "documentation" antsibull-docs lint-collection-docs --plugin-docs .
check "reference" reference
check "ansible-lint" in_artefact ansible-lint --config-file ../../../../../.ansible-lint
check "galaxy-importer" importer

if ((${#failed[@]})); then
    printf 'Failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
echo "All checks passed."
