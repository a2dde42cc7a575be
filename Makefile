# Every command of the project. `make help` explains them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SECONDS ?= 0
# Two of these wait for servers and clocks more than they compute; a third one bends what tests measure on two cores.
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest --numprocesses=$(WORKERS) --no-loadscope-reorder --durations=40

.DEFAULT_GOAL := help
.PHONY: help build system system-bench system-test demo test test-sqlite test-postgres bench chaos lint format lock openapi screenshots clean

help: ## What can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

# -- what everything stands on --------------------------------------------------------------------

build: $(VENV)/.built static/dist/.made ## The virtual environment with everything in it, the compiled core, the pages' charts

$(VENV)/.made: requirements.lock
	$(PYTHON) deploy/system.py python
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

KERNELS := $(wildcard balancer_core/_kernels/*.pyx balancer_core/_kernels/*.pxd balancer_core/_kernels/*.h \
	console/engines/envoy/picker/*.c console/engines/envoy/picker/*.h) setup.py
$(VENV)/.built: $(VENV)/.made $(KERNELS) pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Where npm's packages can't be had the console works without its charts, and the next build tries again.
static/dist/.made: $(VENV)/.made package.json package-lock.json .npmrc build.mjs deploy/pages.py deploy/node.lock
	-$(BIN)/python deploy/pages.py && touch $@

system: ## Debian's packages that the demo's rack of hosts needs (root; without them hosts are plain processes)
	-$(PYTHON) deploy/system.py rack

system-bench: ## Debian's packages that benchmarks compare with (root; a missing one's row goes without its peer)
	-$(PYTHON) deploy/system.py bench

system-test: ## Debian's packages that the tests need (root)
	$(PYTHON) deploy/system.py python rack test

# -- what it does ----------------------------------------------------------------------------------

demo: build system ## The whole product on a rack of unequal hosts (SECONDS=30 stops by itself and judges)
	$(BIN)/python -m bench.demo --seconds $(SECONDS)

test: test-sqlite test-postgres ## All tests, on SQLite and on PostgreSQL

chaos: build system-test ## Moves of shards killed 500 times: no copy lost, never fewer than shall be
	STEELYARD_KILLS=500 $(PYTEST) tests/console/storage/test_moving.py -k killed

test-sqlite: build system-test lint ## All tests on SQLite and the embedded broker
	$(PYTEST)

# Who is let in at which door is asked of thousands of pages, and of no database.
test-postgres: build system-test ## The tests that touch a database or a broker, on PostgreSQL and Redis
	$(BIN)/python -m tests.with_servers $(PYTEST) tests/console tests/stack \
		--deselect=tests/console/accounts/test_route_matrix.py \
		--deselect=tests/console/breakglass/test_tables.py::test_only_administrators_come_in

bench: build system system-bench ## All benchmarks against their peers (ONLY=B7,B8 and FAST=1 narrow it)
	$(BIN)/python -m bench $(if $(ONLY),--only $(ONLY)) $(if $(FAST),--fast)

# -- how it is kept --------------------------------------------------------------------------------

lint: build ## Style, types and the arrows between the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: build ## Put the code in its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## Resolve the dependencies anew into requirements.lock (needs uv)
	uv pip compile pyproject.toml --extra dev --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		--upgrade --quiet --output-file requirements.lock

openapi: build ## Write the API's schema to docs/openapi.json
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py spectacular --format openapi-json --file docs/openapi.json --fail-on-warn

screenshots: build system ## Take the pictures of docs/ anew, of the running demo (ONLY="map hosts" takes some)
	$(BIN)/python -m tests.browser.screenshots $(ONLY)

clean: ## Remove what was built
	rm -rf $(VENV) build static/dist node_modules *.egg-info balancer_core/_kernels/*.so balancer_core/_kernels/*.c console/engines/envoy/picker/*.so
