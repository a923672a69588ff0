# The commands of the project. `make run` starts a broker, `make test` checks everything.
# Both install what they need into .venv, locked with hashes, and are quick when nothing changed.

# make divides names at spaces, quoted or not.
ifneq ($(words $(MAKEFILE_LIST)) $(words $(abspath $(lastword $(MAKEFILE_LIST)))),1 1)
$(error make cannot work in a directory with a space in its path: move the clone, or install it with pip)
endif

ROOT := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
VENV ?= $(ROOT)/.venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Hashes for everything, and wheels only: nothing here needs a compiler.
PIP_INSTALL := $(PIP) install --quiet --require-hashes --only-binary :all:
export PATH := $(ROOT)/.kcat/bin:$(PATH)
COMPAT := $(ROOT)/.compat
NODE_MODULES := $(ROOT)/tests/clients/node/node_modules
OTHER_CLIENTS := $(COMPAT)/go.stamp $(NODE_MODULES)/.stamp $(COMPAT)/librdkafka.stamp
# CI, which runs all of them, compares what was run with the table of clients.
CLIENTS_RESULTS := $(if $(CI),--clients-results=check)

DATA_DIR ?= $(ROOT)/fleuve-data
SERVE ?=
PYTEST ?=
# In the order of their names: files with few tests are not the short ones, and none of the long ones comes last.
WORKERS := -n auto --dist loadfile --no-loadscope-reorder
# Other languages' clients spend their time waiting: for a fetch that ends, for a group's members.
WAITERS := -n 4 --dist loadfile
# How much `make soak` does. The tests themselves have the short forms, which `make test` runs.
SEED ?= 1
KILLS ?= 100
CUTS ?= 1000000
SEEDS ?= 20000
FUZZ_SECONDS ?= 600

.DEFAULT_GOAL := help
.PHONY: help run install install-test test lint types layers generated generate format pytest pythons sabotage compat clients recordings simulate soak bench docs site lock wheels clean

help: ## Show the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: install ## Start a broker on localhost:9092, with its data in ./fleuve-data (more options: SERVE="--set …")
	@exec $(BIN)/fleuve serve --data-dir "$(DATA_DIR)" $(SERVE)

install: $(VENV)/.run.stamp ## Install what the broker needs

install-test: $(VENV)/.test.stamp kcat ## Install what the tests need

test: install-test lint types layers generated site pytest ## Check everything

pytest: install-test ## Run the tests alone (PYTEST="-k fetch")
	cd "$(ROOT)" && $(BIN)/python -m pytest $(WORKERS) -m "not compat and not sabotage" $(CLIENTS_RESULTS) $(PYTEST)

pythons: ## Run the tests on every Python that this machine has (PYTEST="-k fetch")
	@"$(ROOT)/tools/every_python.py" $(if $(PYTEST),PYTEST="$(PYTEST)")

sabotage: install-test ## Break one line of the code at a time, and see that the tests notice
	cd "$(ROOT)" && $(BIN)/python -m pytest $(WORKERS) --dist load -m sabotage $(PYTEST)

compat: install-test $(OTHER_CLIENTS) ## Run Apache Kafka's judgement, every client and Kafka's tools (needs Go, Node, Maven, Java 17, gcc and Rust)
	@$(BIN)/python "$(ROOT)/tools/apache_kafka.py" fetch
	cd "$(ROOT)" && $(BIN)/python -m pytest $(WAITERS) -m compat $(CLIENTS_RESULTS) $(PYTEST)

clients: install-test $(OTHER_CLIENTS) ## Run the scenarios with every client, and write the table of clients anew
	cd "$(ROOT)" && $(BIN)/python -m pytest $(WAITERS) --clients-results=write tests/clients $(PYTEST)
	cd "$(ROOT)" && $(BIN)/python tools/gen_clients_page.py

recordings: install-test ## Write down what Apache Kafka answers, for Fleuve to be compared with (TOPICS="fetch", KAFKA=host:port)
	cd "$(ROOT)" && $(BIN)/python tests/conformance/recorder.py $(if $(KAFKA),--kafka $(KAFKA)) $(TOPICS)

simulate: install ## Show what happens with a seed of the simulation (SEED=1234)
	@$(BIN)/python -m fleuve.simulation --seed $(SEED) --trace

soak: install-test ## The long forms of kills, cuts, simulation and fuzzing (KILLS=1000 CUTS= SEEDS= FUZZ_SECONDS= SEED=7)
	cd "$(ROOT)" && FLEUVE_SEED=$(SEED) FLEUVE_KILLS=$(KILLS) FLEUVE_CUTS=$(CUTS) FLEUVE_SEEDS=$(SEEDS) \
		FLEUVE_FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/python -m pytest $(WORKERS) --dist load -m soak -o timeout=0 $(PYTEST)

lint: $(VENV)/.test.stamp ## Check style and formatting
	cd "$(ROOT)" && $(BIN)/ruff check . && $(BIN)/ruff format --check --quiet .

types: $(VENV)/.test.stamp ## Check the types, and that nothing is used that macOS or Windows lack
	cd "$(ROOT)" && $(BIN)/mypy && for system in darwin win32; do $(BIN)/mypy --platform $$system src || exit 1; done

layers: $(VENV)/.test.stamp ## Check the imports between layers and rooms
	cd "$(ROOT)" && $(BIN)/lint-imports --no-logo

generated: $(VENV)/.test.stamp ## Check that generated files are what their generators write
	cd "$(ROOT)" && for generator in tools/gen_*.py; do $(BIN)/python "$$generator" --check || exit 1; done

generate: $(VENV)/.test.stamp ## Write the generated files again
	cd "$(ROOT)" && for generator in tools/gen_*.py; do $(BIN)/python "$$generator" || exit 1; done

docs: generate ## Write the reference pages again, and build the documentation into ./site
	@$(MAKE) --no-print-directory site

site: $(VENV)/.docs.stamp ## Build the documentation into ./site, and check its links
	@$(BIN)/python "$(ROOT)/tools/build_site.py"

format: $(VENV)/.test.stamp ## Format the code
	cd "$(ROOT)" && $(BIN)/ruff check --fix-only --quiet . && $(BIN)/ruff format --quiet .

bench: $(VENV)/.test.stamp ## Run the benchmarks
	cd "$(ROOT)" && for benchmark in benchmarks/*.py benchmarks/*/*.py; do $(BIN)/python "$$benchmark" || exit 1; done

clean: ## Remove what the other targets installed; data directories stay
	rm -rf "$(VENV)" "$(ROOT)"/.venv-3.* "$(ROOT)/.kcat" "$(COMPAT)" "$(ROOT)/.peers" "$(NODE_MODULES)" "$(ROOT)/.mypy_cache" "$(ROOT)/.ruff_cache" "$(ROOT)/.pytest_cache"

# The lock files name versions and hashes, and no place to get them from.
UV_COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links
lock: $(VENV)/.python.stamp ## Lock the newest versions that pyproject.toml allows
	$(PIP_INSTALL) -r "$(ROOT)/requirements/lock.txt"
	cd "$(ROOT)" && $(UV_COMPILE) --upgrade pyproject.toml --group build -o requirements/run.txt
	cd "$(ROOT)" && $(UV_COMPILE) --upgrade pyproject.toml -c requirements/run.txt \
		--group build --group lint --group test -o requirements/test.txt
	cd "$(ROOT)" && $(UV_COMPILE) --upgrade -c requirements/test.txt --group docs -o requirements/docs.txt
	cd "$(ROOT)" && $(UV_COMPILE) --upgrade --group lock -o requirements/lock.txt
	@$(MAKE) wheels

wheels: $(VENV)/.python.stamp ## See that what is locked has wheels for every platform and Python
	$(PIP_INSTALL) -r "$(ROOT)/requirements/lock.txt"
	"$(ROOT)/tools/check_wheels.sh" $(BIN)/uv "$(ROOT)/requirements/run.txt" "$(ROOT)/requirements/test.txt"

# The programs around clients of other languages.
need = command -v $(1) > /dev/null || { echo "make compat needs $(2): there is no \`$(1)\` on the PATH" >&2; exit 1; }

GO_CLIENTS := $(ROOT)/tests/clients/go
$(COMPAT)/go.stamp: $(GO_CLIENTS)/go.mod $(GO_CLIENTS)/go.sum $(wildcard $(GO_CLIENTS)/*/*.go)
	@$(call need,go,Go 1.26)
	@mkdir -p "$(COMPAT)"
	cd "$(GO_CLIENTS)" && GOTOOLCHAIN=local go build -o "$(COMPAT)/" ./...
	@touch $@

APT_INSTALL := DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install
# For the start in C; the one in Rust builds its own.
$(COMPAT)/librdkafka.stamp:
	@$(call need,gcc,a C compiler)
	@$(call need,cargo,Rust)
	@mkdir -p "$(COMPAT)"
	@echo '#include <librdkafka/rdkafka.h>' | gcc -E - > /dev/null 2>&1 \
		|| $(APT_INSTALL) librdkafka-dev > /dev/null 2>&1 \
		|| { apt-get -qq update && $(APT_INSTALL) librdkafka-dev > /dev/null; } \
		|| { echo "make compat needs librdkafka with its headers (on Debian: apt install librdkafka-dev)" >&2; exit 1; }
	@touch $@

# npm's scripts stay out: nothing here needs a compiler.
NODE_CLIENTS := $(ROOT)/tests/clients/node
$(NODE_MODULES)/.stamp: $(NODE_CLIENTS)/package.json $(NODE_CLIENTS)/package-lock.json
	@$(call need,npm,Node.js with npm)
	cd "$(NODE_CLIENTS)" && npm ci --ignore-scripts --loglevel=error
	@touch $@

.PHONY: kcat
kcat:
	@"$(ROOT)/tools/install_kcat.sh" "$(ROOT)/.kcat"

$(VENV)/.python.stamp:
	@"$(ROOT)/tools/make_venv.sh" "$(VENV)"
	@touch $@

$(VENV)/.run.stamp: $(VENV)/.python.stamp $(ROOT)/requirements/run.txt $(ROOT)/pyproject.toml
	$(PIP_INSTALL) -r "$(ROOT)/requirements/run.txt"
	$(PIP) install --quiet --no-deps --no-build-isolation -e "$(ROOT)"
	@touch $@

$(VENV)/.test.stamp: $(VENV)/.run.stamp $(ROOT)/requirements/test.txt
	$(PIP_INSTALL) -r "$(ROOT)/requirements/test.txt"
	@touch $@

$(VENV)/.docs.stamp: $(VENV)/.test.stamp $(ROOT)/requirements/docs.txt
	$(PIP_INSTALL) -r "$(ROOT)/requirements/docs.txt"
	@touch $@
