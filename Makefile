# Lastmile: `make` prints this help. Needed: Python 3.11 or newer with venv, and make. Everything else comes from PyPI
# (with hashes, requirements.lock) and npm (with hashes, package-lock.json; Node itself is a PyPI wheel).

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
WEB    := dashboards/live
PAGE   := gateway/api/static/index.html
NPM     = PATH="$(abspath $(BIN)):$$PATH" npm --prefix $(WEB) --no-audit --no-fund --loglevel=error

WEB_SOURCES := $(shell find $(WEB) -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)
QUICK       := $(wildcard tests/architecture tests/unit tests/devices tests/integration)
SYSTEMS     := $(wildcard tests/acceptance)  # real processes, which mostly wait: two at a time
SCREENS     := $(wildcard tests/browser)  # never in one run with asyncio tests: Playwright's loop is another

.DEFAULT_GOAL := help
.PHONY: help setup web demo check format docs test test-servers faults bench lock clean

help:  ## this list
	@echo 'Lastmile. First time? make demo'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

setup: $(VENV)/.project  ## create the virtual environment in .venv from the hash-pinned lock

web: $(PAGE)  ## build the live page

demo: setup web  ## run the whole thing; ARGS="--for 30s --report demo.json" passes options on
	@exec $(BIN)/lastmile demo $(ARGS)

check: setup web  ## linters, types, import rules, lock files
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python scripts/check_locks.py
	$(NPM) run check

format: setup  ## let ruff repair what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: setup  ## write docs/devices.md and the generated part of docs/asyncapi.yaml
	$(BIN)/python scripts/asyncapi.py
	$(BIN)/python scripts/devices.py

test: setup web test-servers  ## every test; ARGS="-k gap" passes options on to pytest
	$(NPM) test
	$(BIN)/pytest -q -n 2 --dist loadfile $(QUICK) $(ARGS)
	$(BIN)/pytest -q -n 2 --dist loadfile $(SYSTEMS) $(ARGS)
	$(BIN)/pytest -q -n 2 --dist loadfile $(SCREENS) $(ARGS)

test-servers:
	@sh scripts/test_servers.sh

faults: setup web test-servers  ## the fault tests with their full counts (make test runs a tenth)
	rm -rf var/proof && mkdir -p var/proof
	LASTMILE_FAULTS=full LASTMILE_PROOF_DIR=var/proof $(BIN)/pytest -q --timeout 3600 -m faults \
	  $(wildcard tests/integration tests/acceptance) $(ARGS)
	$(BIN)/python scripts/fault_table.py var/proof docs/proof.md

bench: setup test-servers  ## every figure in benchmarks/, whatever the one before said; BENCH=benchmarks/recovery.py runs one
	@failed=; for file in $(or $(BENCH),$(wildcard benchmarks/[a-z]*.py)); do \
	  echo "== $$file"; $(BIN)/python $$file $(ARGS) || failed="$$failed $$file"; \
	done; test -z "$$failed" || { echo "a floor was missed, or it failed:$$failed"; exit 1; }

lock: setup  ## pin the dependencies of pyproject.toml again
	@$(BIN)/uv --version >/dev/null 2>&1 || $(BIN)/python -m pip install -q uv
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
	  --all-extras -p 3.11 --universal pyproject.toml -o requirements.lock
	$(BIN)/python scripts/check_locks.py

clean:  ## remove what make made (not the demo's data)
	rm -rf $(VENV) $(WEB)/node_modules $(WEB)/dist gateway/api/static .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.python:
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Lastmile needs Python 3.11 or newer; found "$(PYTHON)". Name another one: make PYTHON=/path/to/python3.11'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo 'Python lacks venv. On Debian: apt-get install python3-venv'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.dependencies: requirements.lock | $(VENV)/.python
	@echo 'Installing the packages of requirements.lock (a few minutes the first time) ...'
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@ln -sf $$($(BIN)/python scripts/node_wheel.py node) $(BIN)/node
	@ln -sf $$($(BIN)/python scripts/node_wheel.py npm) $(BIN)/npm
	@touch $@

$(VENV)/.project: pyproject.toml $(VENV)/.dependencies
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(WEB)/node_modules/.stamp: $(WEB)/package-lock.json | $(VENV)/.dependencies
	@echo 'Installing the packages of the live page ...'
	@$(NPM) ci
	@touch $@

$(PAGE): $(WEB_SOURCES) $(WEB)/node_modules/.stamp
	@$(NPM) run build
	@touch $@
