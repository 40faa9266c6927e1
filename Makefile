# The two commands of the README are `make run` and `make test`; both set up .venv by themselves.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PACKAGES := pyproject.toml constraints.txt
# Programs that some tests use: a browser opens a comparison's page, strace sees what reaches the disk.
TOOLS := chromium strace

.PHONY: run test tools check bench faults demo-model clean

run: $(VENV)/.run
	@$(BIN)/ophtimus

# Much of a test is waiting: several processes share the cores.
test: $(VENV)/.test tools check
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist worksteal

tools:
	@missing=; for tool in $(TOOLS); do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing$$missing from Debian, for the tests."; \
		if apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install \
			--no-install-recommends $$missing > /dev/null; then exit 0; fi; \
	fi; \
	echo "make: tests that need$$missing are left out (Debian: apt install$$missing)."

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32
	$(BIN)/lint-imports

bench: $(VENV)/.test
	$(BIN)/python benchmarks/demo_answers.py
	$(BIN)/python benchmarks/first_token.py
	$(BIN)/python benchmarks/history_speed.py

faults: $(VENV)/.test
	OPHTIMUS_CAMPAIGN=long $(BIN)/python -m pytest tests/faults tests/edge/history

# From the primer's texts to the committed demonstration model: about half an hour on two cores.
demo-model: $(VENV)/.test
	rm -rf build/demo
	$(BIN)/ophtimus-train run demo-pretrain -o build/demo/base
	$(BIN)/ophtimus-train run demo-instruct -o build/demo/adapter
	$(BIN)/ophtimus-convert build/demo/base --adapter build/demo/adapter \
		-l BF16 -l Q4_K_M -o build/demo/model --name Ophtimus-Demo --version 1
	$(BIN)/python -m ophtimus_training.heldout
	$(BIN)/python -m ophtimus_training.demonstration build/demo/model

$(VENV)/.run: $(PACKAGES) | $(VENV)/.made
	@echo "Installing Ophtimus Edge into $(VENV); llama.cpp is built once, about 4 minutes on two cores."
	@$(PIP) install --quiet --editable '.[tui]' --constraint constraints.txt
	@touch $@

$(VENV)/.test: $(PACKAGES) | $(VENV)/.made
	@echo "Installing everything that the tests need into $(VENV); the first time takes some minutes."
	@$(PIP) install --quiet --editable '.[tui,convert,training,essay,dev]' --constraint constraints.txt
	@touch $@ $(VENV)/.run

$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { \
		echo "make: there is no $(PYTHON)."; \
		echo "      Install Python 3.11 or newer (Debian: apt install python3 python3-venv)."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: $(PYTHON) is older than 3.11."; \
		echo "      Install Python 3.11 or newer, or name one: make PYTHON=python3.12 run."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "make: $(PYTHON) has no venv module."; \
		echo "      Install it (Debian: apt install python3-venv)."; exit 1; }
	@command -v c++ >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null || { \
		echo "make: there is no C++ compiler, which llama.cpp is built with."; \
		echo "      Install one (Debian: apt install build-essential) and run make again."; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

clean:
	rm -rf $(VENV) build dist
