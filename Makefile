# Each command creates .venv and installs btlib into it, if this has not been done.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
unexport PYTHONDONTWRITEBYTECODE  # with it, each test process compiles all its imports again

.PHONY: smoke test nightly statistics journey lint types format clean

smoke: $(READY)  ## all seven variants on phantoms, a minute on two cores
	$(BIN)/pytest benchmarks -m smoke

test: $(READY)  ## the tests, one process on each core
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses 8 --dist worksteal

nightly: $(READY)  ## the longest tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses 8 --dist worksteal -m nightly

statistics: $(READY)  ## error rates of the gate, by simulation
	$(BIN)/pytest benchmarks -m statistics -s

journey: $(READY)  ## the wheel in a fresh environment without torch: the page docs/first-run.md, and a planted fault that is detected
	PYTHON=$(PYTHON) .ci/journey

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## delete everything except data and trained models
	rm -rf .venv reports build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks

$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --python $(BIN)/python --editable '.[dev]'
	touch $@
