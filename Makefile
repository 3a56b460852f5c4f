# Triggerscope. Works with GNU make 3.81 and newer.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(firstword $(foreach name,python3.13 python3.12 python3.11 python3,$(shell $(name) -c 'import sys; (3,11) <= sys.version_info[:2] <= (3,13) and print("$(name)")' 2>/dev/null)))
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS)
.PHONY: run test all-tests soak timings screenshots lint style scripts types clean

run: $(VENV)/.installed
	@echo "Triggerscope: http://127.0.0.1:8501  (Ctrl-C stops it)"
	@$(BIN)/python -m streamlit run dashboard/app.py

# The types take a minute of one core, which the tests do not wait for.
test: $(VENV)/.installed-dev style scripts
	@$(MAKE) --no-print-directory -j 2 types all-tests

all-tests:
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore=tests/browser
	$(BIN)/python -m pytest tests/browser

lint: style scripts types

style: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/vulture

types: $(VENV)/.installed-dev
	$(BIN)/pyright

# The types of the components' scripts.
scripts:
	@if command -v npx >/dev/null; then \
	  npx --yes --package typescript@5.9.3 tsc --project jsconfig.json; \
	else \
	  echo "The scripts in dashboard/components were not checked, because npx is not on the PATH. Install Node.js to check them."; \
	fi

# What takes longer than `make test` may.
soak: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m soak

# Absolute times of what people wait for, printed and never asserted.
timings: $(VENV)/.installed-dev
	$(BIN)/python -m tests.timings

screenshots: $(VENV)/.installed-dev
	$(BIN)/python -m tests.browser.screenshots

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Triggerscope needs Python 3.11, 3.12 or 3.13 on the PATH; none was found. Install one, or name it: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "This Python has no venv module. On Debian or Ubuntu: apt install python3-venv, then run make again."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt | $(VENV)/bin/python
	@echo "Installing what Triggerscope needs into $(VENV) (once; a minute or two)"
	$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(PIP) -r requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV)
