# Everything runs in the environment $(VENV), which is made when first needed and again when setup.py changes.
#   make test PYTHON=python3.12 VENV=.venv-3.12      another Python, in another environment
#   make test TESTS=tests/models                     some of the tests

VENV ?= .venv
PYTHON ?= $(shell for python in python3.11 python3 python3.13 python3.12; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && exit; \
	done; echo python3)

ifneq ($(words $(VENV)),1)
$(error VENV is '$(VENV)': make cannot work with a space in it; name another folder)
endif
INSTALLED := $(VENV)/.installed
RUN := $(VENV)/bin/python
TRAIN := $(VENV)/bin/siamese-tf train
# The towers of the shipped models computed in bfloat16 while they trained; on older processors float32 is faster.
PRECISION ?= bfloat16

.DEFAULT_GOAL := help
.PHONY: help run test test-slow check bench models clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

run: $(INSTALLED) ## Train on the data at hand, report and save the model (main3.py)
	@$(RUN) main3.py

test: $(INSTALLED) ## The tests, without the slow ones
	@$(RUN) -m pytest -m "not slow" $(TESTS)

test-slow: $(INSTALLED) ## The slow tests
	@$(RUN) -m pytest -m slow $(TESTS)

check: $(INSTALLED) ## Formatting, lint and types
	@$(RUN) -m ruff format --check .
	@$(RUN) -m ruff check .
	@$(RUN) -m mypy

bench: $(INSTALLED) ## The benchmarks
	@$(RUN) benchmarks/bench.py

models: $(INSTALLED) ## Train the models in model/ again (hours)
	@for dataset in mnist fashion-mnist; do \
		version=0; \
		for objective in bce mse contrastive triplet; do \
			version=$$((version + 1)); \
			$(TRAIN) --recipe best --objective $$objective --dataset $$dataset --precision $(PRECISION) \
				--workdir model/$$dataset/v$$version || exit; \
		done; \
	done
	@$(TRAIN) --objective triplet --mining hard --dataset mnist --one-vs-rest 7 --workdir model/mnist/seven

clean: ## Remove the environment and what the tools left (not dataset/, runs/ and model/)
	@if [ -f $(VENV)/pyvenv.cfg ]; then rm -rf $(VENV); fi
	@rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	@find siamese_tf tests benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

$(INSTALLED): setup.py
	@"$(PYTHON)" -c "" 2>/dev/null || { \
		echo "make: '$(PYTHON)' does not run here; install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3" >&2; \
		exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: siamese_tf needs Python 3.11 or newer, and '$(PYTHON)' is $$("$(PYTHON)" -V 2>&1); name another: make PYTHON=/path/to/python3" >&2; \
		exit 1; }
	@"$(PYTHON)" -c "import venv, ensurepip" 2>/dev/null || { \
		echo "make: '$(PYTHON)' lacks the module venv or ensurepip; on Debian and Ubuntu: apt install python3-venv" >&2; \
		exit 1; }
	@echo "Installing siamese_tf and TensorFlow into $(VENV); the first time takes some minutes."
	@$(RUN) -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv $(VENV)
	@$(RUN) -m pip install -qq --disable-pip-version-check --editable ".[dev]"
	@touch $@
