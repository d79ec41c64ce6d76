# `make` lists what can be done. Everything runs in .venv, which `make setup` keeps up to date.

.DEFAULT_GOAL := help
.PHONY: help setup lock run test firefox test-all chaos simulate bench lint dist clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Newer than everything that decides what is installed: a second `make setup` does nothing.
STAMP := $(VENV)/.setup-done
INPUTS := setup.cfg pyproject.toml .ci/requirements.txt mediaflow/web/package.json mediaflow/web/package-lock.json .ci/setup-system

# The unexpanded text, by way of the environment: a file's name may hold spaces, quotes and dollar signs.
export VIDEO_FILE := $(value VIDEO)

# A service is several processes and the tests start hundreds: none compiles anew what another has compiled.
unexport PYTHONDONTWRITEBYTECODE

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1 \2/p' $(firstword $(MAKEFILE_LIST)) | \
		awk '{ name = $$1 " " $$2; $$1 = $$2 = ""; printf "  %-16s%s\n", name, $$0 }'

setup: $(STAMP) ## Make .venv with everything (and install system packages, as root on Debian)

$(STAMP): $(INPUTS)
	@PYTHON='$(PYTHON)' .ci/setup-system
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo 'Installing into $(VENV) ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .ci/requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
# What a build leaves here is found before what is installed, and names the plugins of that day.
	@rm -rf *.egg-info
	@$(BIN)/python -m mediaflow.web.vendor
	@touch $@

# What each of setup.cfg's pins needs in turn, with the hash of every file: .ci/ for us, deploy/ for a server.
COMPILE := $(BIN)/uv pip compile setup.cfg --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command 'make lock' --extra embedded

lock: setup ## Resolve all packages anew (LOCK_ARGS='--upgrade' takes newer ones)
	@$(COMPILE) --extra test --extra quality $(LOCK_ARGS) -o .ci/requirements.txt
	@$(COMPILE) --constraint .ci/requirements.txt --no-annotate -o deploy/requirements.txt

run: setup ## Run mediaflow and send it a video: VIDEO=file, or a made-up clip
	@MEDIAFLOW_LOG_LEVEL="$${MEDIAFLOW_LOG_LEVEL:-warning}" exec $(BIN)/mediaflow up --ingest="$$VIDEO_FILE"

# A checker of the OpenAPI document that only npm has.
CHECKERS := tests/openapi/node_modules/.package-lock.json

$(CHECKERS): tests/openapi/package.json tests/openapi/package-lock.json | setup
	@echo 'Installing the checkers of the OpenAPI document ...'
	@cd tests/openapi && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

# A client of tus as people have it, for the tests.
CLIENTS := tests/tus/node_modules/.package-lock.json

$(CLIENTS): tests/tus/package.json tests/tus/package-lock.json | setup
	@echo 'Installing tus-js-client for the tests ...'
	@cd tests/tus && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

# Three processes even on two cores: a third of the time, tests wait for players, servers and clocks (measured). The
# order is tests/conftest.py's, longest files first; xdist's own, by the number of tests, ends with the longest.
test: setup $(CHECKERS) $(CLIENTS) ## Run the tests
	@$(BIN)/python -m pytest -m 'not slow' -n 3 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

# A second browser and what drives it, 350 MB: for long tests alone, which are skipped where it can't be had.
DRIVER := tests/firefox/node_modules/.package-lock.json

$(DRIVER): tests/firefox/package.json tests/firefox/package-lock.json | setup
	@echo 'Installing what drives Firefox ...'
	@cd tests/firefox && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

firefox: $(DRIVER) ## Install Firefox and its driver for the long tests
	@PYTHON='$(PYTHON)' .ci/setup-system firefox-esr

test-all: setup $(CHECKERS) $(CLIENTS) firefox ## Run all tests, the long ones too
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

CHAOS_SECONDS ?= 3600
CHAOS_KILLS ?= 1000
chaos: setup ## Kill processes of two busy services (CHAOS_KILLS=1000, CHAOS_SECONDS=3600, CHAOS_ARGS='--seed 1')
	@$(BIN)/python -m tests.chaos.campaign --seconds $(CHAOS_SECONDS) --kills $(CHAOS_KILLS) $(CHAOS_ARGS)
simulate: setup ## Live simulated histories (SIM_SEEDS=100000, SIM_FIRST_SEED=0, SIM_SECONDS=3600)
	@$(BIN)/python -m pytest -m slow tests/simulation/test_histories.py $(PYTEST_ARGS)

bench: setup ## Measure: ratios side by side in one run
	@$(BIN)/python -m pytest -s tests/benchmarks $(PYTEST_ARGS)

lint: setup ## Check style, types and who imports whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

dist: setup ## Build wheel, sdist and SBOM (CycloneDX) into dist/
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation . >/dev/null
	@$(BIN)/python .ci/sbom.py dist

clean: ## Remove .venv and what was built; your data stays
	@rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache mediaflow/web/static/vendor
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@rm -rf *.egg-info
