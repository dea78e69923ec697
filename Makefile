# `make test` and `make figures` need only make and Python >= 3.11 (make PYTHON=/path/to/python3.11 names another one).

PYTHON ?= python3
SCALE ?= quick
BIN = .venv/bin
INSTALLED = .venv/.installed
# Numba's disk cache sees a change only in the file of the cached function: each state of the sources gets a folder of its own.
CACHED = NUMBA_CACHE_DIR="$$($(BIN)/python tests/conftest.py)"

export MPLBACKEND = Agg

.PHONY: figures test test-oldest clean

figures: $(INSTALLED)
	$(CACHED) $(BIN)/theoryrl figures --scale $(SCALE)

test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(CACHED) $(BIN)/pytest -n 2
	mkdir -p build
	$(CACHED) $(BIN)/pytest -n 2 --dist loadgroup --regret-check --regret-report=build/regret.html
	! grep -rq --include='*.py' 'mark\.fault' tests || $(CACHED) $(BIN)/pytest -m fault

# The lower bounds of setup.cfg, installed exactly, in a venv of their own.
test-oldest:
	$(PYTHON) -m venv --clear build/oldest
	sed -n '/^install_requires/,/^packages/s/^ *\(.*\)>=/\1==/p' setup.cfg >build/oldest/constraints.txt
	build/oldest/bin/python -m pip install --quiet --constraint build/oldest/constraints.txt --editable '.[test]'
	NUMBA_CACHE_DIR="$(CURDIR)/build/oldest/numba" build/oldest/bin/pytest -n 2

$(INSTALLED): setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "theoryrl needs Python >= 3.11, and $(PYTHON) is not (or not there): make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

clean:
	rm -rf build dist *.egg-info .hypothesis .mypy_cache .numba_cache .pytest_cache .ruff_cache paper_figs/out
	find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +
