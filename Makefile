# Two commands for a newcomer: make quickstart, make test. Both make their own environment in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: quickstart test test-slow scatter lint types clean

quickstart: $(VENV)/installed
	$(BIN)/graphvae quickstart

# One process for each core and one thread in each: threads of several processes would wait for each other.
test: $(VENV)/installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto -m "not slow"

test-slow: $(VENV)/installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto -m slow

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-dev
	$(BIN)/mypy

# torch-scatter compiles against the torch that is installed, so it comes last and without build isolation.
scatter: $(VENV)/installed-dev
	$(BIN)/python -c "import torch_scatter" 2>/dev/null || \
		$(BIN)/pip install -q -c constraints.txt --no-build-isolation setuptools wheel torch-scatter

# torch first, by its pinned version, so that no other package can choose a build of it.
$(VENV)/installed: pyproject.toml constraints.txt hatch_build.py graphvae/kernels/native.c
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -c constraints.txt torch
	$(BIN)/pip install -q -c constraints.txt -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install -q -c constraints.txt -e ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
