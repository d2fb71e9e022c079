# Every verb is one command on a fresh machine with Python 3.11 or later, its venv module and make.
# Another Python: make run PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help run test test-browser test-train check fix train evaluate pictures bench

# MNIST's files; `make train` downloads them here.
DATA_DIR ?= mnist

help:
	@echo 'make run           the page on http://localhost:8501'
	@echo 'make test          the tests, except those that need a browser or train for minutes'
	@echo 'make test-browser  the page as a person sees it, in Chromium'
	@echo 'make test-train    two epochs of each recipe on the real MNIST (minutes)'
	@echo 'make check         format, lint, types and import contracts; no tests'
	@echo 'make fix           format and mend what can be mended by itself'
	@echo 'make train         train on MNIST and write generator.pth (about an hour on two cores)'
	@echo 'make evaluate      the quality card of generator.pth, into docs/ (40 minutes on two cores)'
	@echo 'make pictures      the pictures of the README, from generator.pth'
	@echo 'make bench         the speed and the memory of the page beside an empty one'

run: $(VENV)/installed-page
	$(BIN)/streamlit run app.py --server.fileWatcherType none

test: $(VENV)/installed-test
	$(BIN)/python -m pytest

test-browser: $(VENV)/installed-browser
	$(BIN)/python -m pytest -m browser

test-train: $(VENV)/installed-test
	MNIST_DIR=$(DATA_DIR) $(BIN)/python -m pytest -m train

check: $(VENV)/installed-test $(VENV)/installed-check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(VENV)/installed-check
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

train: $(VENV)/installed-train
	$(BIN)/python mnist_gan_training.py --data-dir $(DATA_DIR)

evaluate: $(VENV)/installed-test
	$(BIN)/python -m digit_generator.evaluation --data-dir $(DATA_DIR) --out docs
	$(BIN)/python -m digit_generator.evaluation.publish

pictures: $(VENV)/installed-page
	$(BIN)/python docs/make_pictures.py --data-dir $(DATA_DIR)

bench: $(VENV)/installed-browser
	$(BIN)/python benchmarks/page.py

# What a verb needs is installed once, and again when the list of it changes.

$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Python 3.11 or later is needed, and $(PYTHON) is not that: name it, as in make PYTHON=python3.12'; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/installed-page: requirements.txt $(VENV)/made
	$(BIN)/pip install -r requirements.txt
	@touch $@

$(VENV)/installed-train: pyproject.toml $(VENV)/made
	$(BIN)/pip install -e '.[train]'
	@touch $@

$(VENV)/installed-test: pyproject.toml $(VENV)/made
	$(BIN)/pip install -e '.[page,train,eval,test]'
	@touch $@

$(VENV)/installed-browser: pyproject.toml $(VENV)/installed-test
	$(BIN)/pip install -e '.[browser]'
	@touch $@

$(VENV)/installed-check: pyproject.toml $(VENV)/made
	$(BIN)/pip install -e '.[check]'
	@touch $@
