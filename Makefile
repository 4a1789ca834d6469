# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# Needs make and Python 3.11 or later. Everything lands in this checkout, in .venv* and .cache; nothing global is touched.

VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := tests/requirements/constraints.txt
# Where Ansible finds the collection: a link to this checkout, whatever its path is.
COLLECTIONS := .cache/collections
LINK := $(COLLECTIONS)/ansible_collections/determined/ai
# The Pythons that `make matrix` looks for.
MATRIX ?= 3.12 3.13

export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/$(COLLECTIONS)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Targets share folders; `checks` knows which of them may run side by side.
ifeq ($(MAKELEVEL),0)
.NOTPARALLEL:
endif

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: $(VENV)/.demo ## show the collection at work on a simulated master, or on $DET_MASTER
	@$(BIN)/python -m tests.demo

.PHONY: test
test: checks pytest ## run every test and check that needs one Python only

.PHONY: checks
checks: ## of these, lint and sanity, side by side, as each uses one core most of the time
	@echo "lint and sanity run side by side; each shows its output when it has ended, after some minutes"
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint sanity .venv-client/.client

.PHONY: pytest
pytest: $(VENV)/.test .venv-client/.client ## of these, the tests by pytest, with the coverage of plugins/
	@rm -rf .cache/coverage && mkdir -p .cache/coverage
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --cov --cov-report term

.PHONY: exhaustive
exhaustive: $(VENV)/.test ## run what `make test` takes a few for: every integration target as shipped modules
	$(BIN)/python -m pytest -n auto --maxprocesses 4 -m exhaustive

.PHONY: lint
lint: $(VENV)/.test .venv-lint/.lint artefact ## run the linters and type checks, and galaxy-importer on the built artefact
	tests/tools/lint.sh .venv-lint/bin

.PHONY: sanity
sanity: $(VENV)/.test artefact ## run `ansible-test sanity` on the built and installed artefact
	tests/tools/sanity.sh $(BIN)

.PHONY: artefact
artefact: $(VENV)/.test ## build the collection, and install it in .cache/artefact
	tests/tools/artefact.sh $(BIN)

.PHONY: matrix
matrix: artefact ## repeat sanity, unit and integration tests with each other supported Python that is here
	@tests/tools/matrix.sh $(MATRIX)

.PHONY: bench
bench: $(VENV)/.test .venv-client/.client ## measure the speed, side by side with uri and the det CLI
	$(BIN)/python -m tests.benchmarks --write

.PHONY: record
record: $(VENV)/.test ## record the contract scenarios again from $DET_MASTER
	$(BIN)/python -m tests.contract.record

.PHONY: simulator
simulator: $(VENV)/.demo ## start the simulated master, until Ctrl-C; options in ARGS, as ARGS="--port 8080 --fixture large"
	@$(BIN)/python -m tests.simulator $(ARGS)

.PHONY: docs
docs: .venv-lint/.lint $(LINK) ## write the reference of the modules and the page of the controls, to docs/
	tests/tools/docs.sh .venv-lint/bin docs

.PHONY: schemas
schemas: $(VENV)/.test ## write the JSON Schema of manifests from the kinds' options, to docs/schemas/
	PYTHONPATH=$(COLLECTIONS) $(BIN)/python tests/tools/schemas.py docs/schemas

.PHONY: constraints
constraints: .venv-lint/.lint ## pin the newest versions of what the demo, the tests and the checks need
	tests/tools/constraints.sh .venv-lint/bin

.PHONY: clean
clean: ## remove everything that the other targets made
	rm -rf .venv .venv-* .cache .ansible .mypy_cache .pytest_cache .ruff_cache tests/output determined-ai-*.tar.gz
	find . -name __pycache__ -prune -exec rm -rf {} +

$(LINK):
	@mkdir -p $(@D) && ln -sfn ../../../.. $@

# One virtual environment a purpose, as their requirements exclude each other; the stamp in it is named after its list.
$(VENV)/.demo: requirements.txt tests/requirements/demo.txt $(CONSTRAINTS) | $(LINK)
	@tests/tools/venv.sh $(VENV) demo

$(VENV)/.test: requirements.txt tests/requirements/demo.txt tests/requirements/test.txt $(CONSTRAINTS) | $(LINK)
	@tests/tools/venv.sh $(VENV) test

.venv-lint/.lint: requirements.txt $(wildcard tests/requirements/*.txt) | $(LINK)
	@tests/tools/venv.sh .venv-lint lint

.venv-client/.client: tests/requirements/client.txt tests/requirements/constraints-client.txt
	@tests/tools/venv.sh .venv-client client
