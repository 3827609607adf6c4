# Every target sets up what it needs, from a machine with nothing but make and Python 3.11 or newer.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# The first of these that is new enough and can make virtual environments; choose another with PYTHON=/path/to/python.
CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11 python
SUITABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(firstword $(foreach python,$(CANDIDATES),$(shell $(python) -c "$(SUITABLE)" 2>/dev/null && echo $(python))))

# The directory of local Multi30k files, if they are not to come from the hub: train.en, train.de, val.en, val.de,
# test_2016_flickr.en and test_2016_flickr.de.
DATA ?=
MULTI30K := $(patsubst %,configs/multi30k/%.yaml,lstm bahdanau luong transformer)
LOCAL := data.train=$(DATA)/train data.validation=$(DATA)/val data.test=$(DATA)/test_2016_flickr

# And of IWSLT15 files, which the hub is not asked for: train.en, dev.en and tst2013.en, and the same with .vi.
IWSLT15 := $(patsubst %,configs/iwslt15/%.yaml,lstm uniform additive local_predictive entmax multihead latent)
TALKS := data.train=$(DATA)/train data.validation=$(DATA)/dev data.test=$(DATA)/tst2013

# Peers that are installed beside seq2attn are measured too.
PEERS = $(shell $(BIN)/python -c "import importlib.util as u; print('--peer' * bool(u.find_spec('transformers')))")

.DEFAULT_GOAL := help
.PHONY: help install demo test lint format bench bench-gpu multi30k iwslt15 mechanisms capacity torture test-oracles clean

help:  ## Show this help
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "install takes PYTHON=/path/to/python; multi30k and iwslt15 take DATA=FOLDER (files that are there already)."

install: $(INSTALLED)  ## Make .venv/ with .venv/bin/seq2attn

$(INSTALLED): pyproject.toml constraints.txt
	@python="$(PYTHON)"; \
	if [ -z "$$python" ]; then \
	  echo "seq2attn needs Python 3.11 or newer with venv; none of these is: $(CANDIDATES)" >&2; \
	  echo "install one (Debian and Ubuntu: apt install python3-venv), or name it: make install PYTHON=/path/to/python" >&2; \
	  exit 1; \
	fi; \
	if ! "$$python" -c "$(SUITABLE)"; then \
	  echo "PYTHON=$$python is not Python 3.11 or newer with venv" >&2; \
	  exit 1; \
	fi; \
	echo "making $(VENV)/ with $$("$$python" --version)"; \
	"$$python" -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: install  ## Train all four systems on the embedded corpus and write runs/demo/report.html
	$(BIN)/seq2attn demo

test: install  ## Run the tests
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4

lint: install  ## Check style, types and the floors of the architecture
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install  ## Bring the code into style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: install  ## Measure the speed of training and translating, beside peers that are installed
	$(BIN)/python scripts/bench_training.py $(PEERS)
	$(BIN)/python scripts/bench_translation.py $(PEERS)
	$(BIN)/python scripts/bench_scaling.py
	$(BIN)/python scripts/bench_kernels.py

bench-gpu: install  ## Measure a GPU's speed, and check the laws on it, into gpu.json (about 5 minutes)
	$(BIN)/python scripts/bench_gpu.py --out gpu.json

multi30k: install  ## Train and compare all four systems on Multi30k into runs/multi30k
	$(BIN)/seq2attn compare $(MULTI30K) --out runs/multi30k --jobs 2 $(if $(DATA),$(addprefix --set ,$(LOCAL)))

iwslt15: install  ## Train and compare seven systems on IWSLT15 English-Vietnamese (DATA=FOLDER) into runs/iwslt15
	$(BIN)/seq2attn compare $(IWSLT15) --out runs/iwslt15 --jobs 2 $(if $(DATA),$(addprefix --set ,$(TALKS)))

mechanisms: install  ## Train every attention mechanism as long as the demo (an estimated three hours) into runs/mechanisms
	$(BIN)/seq2attn compare configs/demo/lstm.yaml configs/attention/*.yaml --out runs/mechanisms --jobs 2

capacity: install  ## Train fixed vectors of several widths and attention to their end (an estimated day): when does each give in? Into runs/capacity
	$(BIN)/seq2attn probe capacity --plot runs/capacity/capacity.png

torture: install  ## Kill 100 runs, generate 10,000 inputs for each property, translate on a pipe for 10 minutes: over an hour
	$(BIN)/python scripts/torture.py --kills 100
	SEQ2ATTN_EXAMPLES=10000 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 tests/cli/test_line_contract.py tests/cli/test_hostile_models.py tests/data/test_hostile_text.py tests/data/test_stream.py tests/data/test_long_lines.py tests/config/test_fuzz.py
	$(BIN)/python scripts/soak_translate.py 10

test-oracles: install  ## Hold the mechanisms against other libraries (installs entmax, keras and transformers)
	$(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable '.[oracles]'
	KERAS_BACKEND=torch $(BIN)/python -m pytest tests/oracles

clean:  ## Remove .venv/, builds and tool caches; runs/ stays
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find seq2attn tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
