# make demo: train a small SEMamba on the embedded corpus and enhance a file
# make test: ruff, clang-format, the whole test suite and the tutorials
# make wheel: on Linux, a wheel with the kernels in dist, for any Python
# make docs: the API reference, in docs/html
# make gpu: on a machine with an NVIDIA card: tests and benchmarks of it
# make soak: kills training runs a hundred times, half of them of two processes
# All make .venv first; a second run takes it as it is. That of make gpu sees the
# packages that are installed, so that it takes the PyTorch that is there.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo
GPU ?= gpu_results
# processes that test, each a file at a time
JOBS ?= 2

.PHONY: demo test wheel docs soak gpu card install clean

demo: $(VENV)/.installed
	$(BIN)/python samples/demo.py --out $(DEMO)

test: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror speechbrain_semamba/csrc/*
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive \
	    $(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile
	$(BIN)/python -m pytest -q --nbmake --nbmake-timeout=600 docs/tutorials

# what an older build left would go in; PyTorch brings libgomp, and two would
# not know of each other's threads
wheel: $(VENV)/.installed
	rm -rf build dist
	SEMAMBA_BUILD=1 $(BIN)/pip wheel -q --no-deps --no-build-isolation \
	    -w build/wheel .
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/auditwheel repair \
	    --exclude libgomp.so.1 -w dist build/wheel/*.whl

docs: $(VENV)/.installed
	$(BIN)/python docs/make.py

soak: $(VENV)/.installed
	$(BIN)/python tests/integration/kill_runs.py --kills 50
	$(BIN)/python tests/integration/kill_runs.py --kills 50 --processes 2

gpu:
	$(MAKE) card VENV=$(VENV)-gpu VENV_OPTIONS=--system-site-packages

card: $(VENV)/.installed
	mkdir -p $(GPU)
	$(BIN)/semamba info > $(GPU)/info.txt
	$(BIN)/python -m pytest -v -rs --durations=20 tests/gpu > $(GPU)/tests.txt 2>&1; \
	    status=$$?; tail -n 40 $(GPU)/tests.txt; \
	    $(BIN)/python benchmarks/gpu.py --output $(GPU)/gpu.md && exit $$status

install: $(VENV)/.installed

# pesq is compiled at install and needs a C compiler and Python's headers;
# here the kernels must build as well
$(VENV)/.installed: pyproject.toml setup.py $(wildcard speechbrain_semamba/csrc/*)
	$(PYTHON) -m venv $(VENV_OPTIONS) $(VENV)
	SEMAMBA_BUILD=1 $(BIN)/pip install --progress-bar off -e ".[train,dev]"
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-gpu $(DEMO) $(GPU) docs/html build dist *.egg-info
