# Each command does its own set-up: it makes .venv and installs btlib into it, once.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
CORE := .venv-core/ready

.PHONY: smoke test statistics core lint types format clean

smoke: $(READY)  ## all seven variants on phantoms, minutes on two cores
	$(BIN)/pytest benchmarks -m smoke

test: $(READY)  ## the tests, one on each core
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses 8 --dist worksteal

statistics: $(READY)  ## what the gate is worth, by simulation
	$(BIN)/pytest benchmarks -m statistics -s

core: $(CORE)  ## the core in an environment without torch: baselines are checked and held against each other
	! .venv-core/bin/python -c "import torch" 2>/dev/null
	.venv-core/bin/btlib baseline check baselines/*.json
	.venv-core/bin/btlib compare smoke smoke

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## everything but data and trained models
	rm -rf .venv .venv-core reports build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks

$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --editable '.[dev]'
	touch $@

$(CORE): pyproject.toml
	$(PYTHON) -m venv .venv-core
	.venv-core/bin/python -m pip install --quiet --editable .
	touch $@
