# The two commands: `make report` and `make test`. Both set everything up by themselves.
#   make report DATASETS="digits mnist" PROFILE=quick DATA=/where/mnist/is
DATASETS ?= digits photos faces
PROFILE  ?= quick
DATA     ?=
MINUTES  ?= 25
PYTHON   ?= python3
ANY_PYTHON := '>=3.11,<3.14'
UV       ?= $(shell command -v uv 2>/dev/null)

# make would silently ignore a misspelt option.
OPTIONS := DATASETS PROFILE DATA MINUTES PYTHON UV
$(foreach name,$(.VARIABLES),$(if $(and $(filter command,$(firstword $(origin $(name)))),$(filter-out $(OPTIONS) MAKEFLAGS SHELL,$(name))),\
  $(error there is no option $(name): there are $(OPTIONS))))

# A variable's value as one word of a command, whatever it holds.
shell_word = '$(subst ','\'',$(value $1))'
with_data = $(if $(value DATA),--data $(call shell_word,DATA))

VENV := .venv
BIN  := $(VENV)/bin
# Set up again when the dependencies change.
READY := $(VENV)/.ready
# Dozens of processes import torch: compiled modules are kept, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE

FIRST := $(firstword $(value DATASETS))

.PHONY: help report test check smoke verify reliability benchmarks accelerator lab clean
.DEFAULT_GOAL := help

help:
	@echo "make report   set up, train on the embedded images, run the notebooks, build the book"
	@echo "              DATASETS=\"digits mnist\"  PROFILE=quick|laptop|accelerator|paper  DATA=folder"
	@echo "make test     set up, run the tests"
	@echo "make check    lint, types and the fast tests, to run before every commit"
	@echo "make smoke    a report with tiny, hardly trained networks, for a test"
	@echo "make verify   run the notebooks of the digits again and compare their results"
	@echo "make reliability   kill runs, fill disks, damage input; half an hour"
	@echo "make benchmarks    measure this machine; a quarter of an hour; writes to runs/performance"
	@echo "make accelerator   benchmarks, trainings and studies on one GPU, in MINUTES=25"
	@echo "make lab      open JupyterLab on the explorer"
	@echo "make clean    remove build/ and caches; runs/, results/ and .venv stay"

# Modules are compiled when they are first imported: most never are.
$(READY): pyproject.toml constraints.txt
	@if [ -n "$(UV)" ]; then \
	  echo "setting up with uv …"; \
	  "$(UV)" venv --quiet --allow-existing --python $(if $(filter file,$(origin PYTHON)),$(ANY_PYTHON),$(call shell_word,PYTHON)) $(VENV) && \
	  "$(UV)" pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[dev,evaluators]'; \
	else \
	  echo "setting up with pip (the first time takes minutes) …"; \
	  $(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else "Python 3.11 to 3.13 is needed, but this is %d.%d: name another with PYTHON=…" % v)' && \
	  $(PYTHON) -m venv $(VENV) && \
	  $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[dev,evaluators]'; \
	fi
	@touch $@

report: $(READY)
	$(BIN)/lbae report --datasets $(call shell_word,DATASETS) --profile $(call shell_word,PROFILE) $(call with_data)

# Two workers with a thread each: threads of two processes would wait for each other. Files in the
# order of tests/conftest.py.
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -m "not slow and not real"

smoke: $(READY)
	$(BIN)/lbae report --profile smoke --datasets digits

verify: $(READY)
	$(BIN)/lbae verify --dataset digits --profile quick --rerun all

reliability: $(READY)
	LBAE_TRIES=5 LBAE_OUTCOMES=runs/reliability/outcomes.json $(BIN)/python -m pytest -q \
	  --timeout 3600 tests/test_reliability.py tests/test_authors_weights.py tests/test_users.py tests/test_user_commands.py

benchmarks: $(READY)
	$(BIN)/python benchmarks/everything.py --profile $(call shell_word,PROFILE) --dataset $(call shell_word,FIRST)

accelerator: $(READY)
	$(BIN)/python benchmarks/accelerator.py --minutes $(call shell_word,MINUTES)

lab: $(READY)
	$(BIN)/jupyter lab --ServerApp.root_dir=. notebooks/10_explorer.ipynb

clean:
	rm -rf build .snakemake .pytest_cache .mypy_cache .ruff_cache
