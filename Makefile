# All targets use the environment $(VENV), which is created on first use and updated when setup.py changes.
#   make test PYTHON=python3.12 VENV=.venv-3.12      use another Python and environment
#   make test TESTS=tests/models                     run some of the tests

VENV ?= .venv
PYTHON ?= $(shell for python in python3.11 python3 python3.13 python3.12; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && exit; \
	done; echo python3)

ifneq ($(words $(VENV)),1)
$(error VENV must be a path without spaces; got '$(VENV)'. Name another folder)
endif
INSTALLED := $(VENV)/.installed
RUN := $(VENV)/bin/python
TRAIN := $(VENV)/bin/siamese-tf train
# Processes of pytest; a file's tests stay in one process, which shares their set-ups.
WORKERS ?= --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# Precision of the shipped models; float32 is faster on processors without bfloat16.
PRECISION ?= bfloat16

CHARACTERS := --image-size 64 --invert --center strokes
ONE_SHOT := $(VENV)/bin/siamese-tf one-shot model/omniglot/siamese.keras --dataset omniglot

.DEFAULT_GOAL := help
.PHONY: help run test test-slow check bench models clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

run: $(INSTALLED) ## Train, report and save a model (main3.py)
	@$(RUN) main3.py

test: $(INSTALLED) ## Run the tests except the slow ones
	@$(RUN) -m pytest -m "not slow" $(WORKERS) $(TESTS)

test-slow: $(INSTALLED) ## Run the slow tests
	@$(RUN) -m pytest -m slow $(TESTS)

check: $(INSTALLED) ## Check formatting, lint and types
	@$(RUN) -m ruff format --check .
	@$(RUN) -m ruff check .
	@$(RUN) -m mypy

bench: $(INSTALLED) ## Run the benchmarks
	@$(RUN) benchmarks/bench.py

models: $(INSTALLED) ## Retrain the models in model/ (hours)
	@for dataset in mnist fashion-mnist; do \
		version=0; \
		for objective in bce mse contrastive triplet; do \
			version=$$((version + 1)); \
			$(TRAIN) --recipe best --objective $$objective --dataset $$dataset --precision $(PRECISION) \
				--workdir model/$$dataset/v$$version || exit; \
		done; \
	done
	@$(TRAIN) --objective triplet --mining hard --dataset mnist --one-vs-rest 7 --workdir model/mnist/seven
	@$(VENV)/bin/siamese-tf pairs generate --dataset omniglot $(CHARACTERS) --train-share 0.9 --pairs-within group
	@$(TRAIN) --recipe omniglot --dataset omniglot --precision $(PRECISION) --workdir model/omniglot
	@$(ONE_SHOT) --protocol all-runs --out model/omniglot/all-runs
	@$(ONE_SHOT) --ways 20 --within group --episodes 2000 --out model/omniglot/within-alphabets

clean: ## Remove the environment and tool caches; keep dataset/, runs/ and model/
	@if [ -f $(VENV)/pyvenv.cfg ]; then rm -rf $(VENV); fi
	@rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	@find siamese_tf tests benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

$(INSTALLED): setup.py
	@"$(PYTHON)" -c "" 2>/dev/null || { \
		echo "make: PYTHON must be a working interpreter; got '$(PYTHON)'. Install Python 3.11 or newer, or run: make PYTHON=/path/to/python3" >&2; \
		exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: PYTHON must be Python 3.11 or newer; got $$("$(PYTHON)" -V 2>&1) from '$(PYTHON)'. Run: make PYTHON=/path/to/python3" >&2; \
		exit 1; }
	@"$(PYTHON)" -c "import venv, ensurepip" 2>/dev/null || { \
		echo "make: '$(PYTHON)' must have the modules venv and ensurepip. On Debian and Ubuntu, run: apt install python3-venv" >&2; \
		exit 1; }
	@echo "Installing siamese_tf and TensorFlow into $(VENV); the first installation takes a few minutes."
	@$(RUN) -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv $(VENV)
	@$(RUN) -m pip install -qq --disable-pip-version-check --editable ".[dev]"
	@touch $@
