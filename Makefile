# The two commands that matter: `make demo` and `make test`. Both set up what they need.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.relive-setup
# Images for containers forbid bytecode to be kept: each of thousands of processes would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE
PYTEST := $(BIN)/python -m pytest
# Each file of tests stays in one process, as many processes as cores: `make test TEST_PROCESSES=0` has one.
# Files run in the order of tests/conftest.py, not by how many tests they have.
TEST_PROCESSES ?= auto
PARALLEL := -n $(TEST_PROCESSES) --maxprocesses 4 --dist loadfile --no-loadscope-reorder --max-worker-restart 0

.PHONY: help setup demo test test-unit test-integration test-acceptance test-all fuzz check format reference docs vscode bench proto clean

help:  ## Show what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

setup: $(STAMP)  ## Make the virtual environment (uv if it is there, else venv and pip)

EXTENSION := $(wildcard capture/relive_capture/record/values/*.c capture/relive_capture/record/heap/*.[ch] profiler/relive_profiler/record/*.c runtime/relive_runtime/worker/*.c)

$(STAMP): pyproject.toml constraints.txt scripts/setup.sh hatch_build.py $(EXTENSION)
	@PYTHON=$(PYTHON) VENV=$(VENV) sh scripts/setup.sh
	@touch $@

demo: setup  ## Start the platform, deploy real functions, send events, open the TUI on the newest failure
	@$(BIN)/relive demo $(DEMO_FLAGS)

test: setup  ## All tests
	$(PYTEST) tests/unit tests/style tests/integration tests/acceptance -q --durations=10 $(PARALLEL)

test-unit: setup  ## The fast tests (under a minute)
	$(PYTEST) tests/unit tests/style -q $(PARALLEL)

test-integration: setup  ## Real engines, processes and sockets
	$(PYTEST) tests/integration -q $(PARALLEL)

test-acceptance: setup  ## Whole user stories
	$(PYTEST) tests/acceptance -q $(PARALLEL)

test-all:  ## The tests on every supported Python that pyenv or uv offers
	@sh scripts/test_all.sh

FUZZ_SECONDS ?= 600
fuzz: setup  ## Look for scenes that make their reader fail, guided by coverage (needs atheris)
	$(BIN)/python tests/fuzz/fuzz_scene.py -max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=1500 -max_len=65536 -len_control=0

SPELLED := README.md ARCHITECTURE.md CONTRIBUTING.md SECURITY.md CHANGELOG.md docs examples scripts \
	$(wildcard base store tracer capture profiler runtime outside platform tui agents cli)

check: setup  ## Format, lint, types, layers, import hygiene, style, spelling, links, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) tests/style -q
	$(BIN)/python scripts/generate_stubs.py --check
	$(BIN)/python scripts/generate_reference.py --check
	$(BIN)/codespell $(SPELLED)
	$(BIN)/python scripts/build_site.py

reference: setup  ## Generate docs/reference again, from the commands, settings, tables and public names
	$(BIN)/python scripts/generate_reference.py

docs: setup  ## Build the documentation as a website: build/site/index.html
	$(BIN)/python scripts/build_site.py
	@echo "open build/site/index.html"

format: setup  ## Format the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

proto: setup  ## Generate the gRPC stubs again
	$(BIN)/python scripts/generate_stubs.py

VSCE := @vscode/vsce@3.9.2
vscode:  ## Build the extension for Visual Studio Code: build/relive.vsix (needs Node 20 and npm)
	@mkdir -p build
	@cp LICENSE editors/vscode/LICENSE
	@cd editors/vscode && node --test test >/dev/null && npx --yes $(VSCE) package --no-dependencies --allow-missing-repository --out ../../build/relive.vsix
	@rm editors/vscode/LICENSE
	@echo "install it: code --install-extension build/relive.vsix"

bench: setup  ## Measure, with peers in the same run; prints a table
	$(BIN)/python -m bench $(BENCH_FLAGS)

clean:  ## Remove what make made
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
