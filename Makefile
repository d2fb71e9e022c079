# Every verb is one command on a fresh machine with Python 3.11 or later, its venv module and make.
# Another Python: make run PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DRAW := .venv-draw
WITH_PYTORCH := evaluation test_export.py test_generate.py test_lines_torch.py test_notebook.py test_publish.py test_training.py test_weights.py

.PHONY: help run serve test test-browser test-install test-draw test-cluster test-train check fix train evaluate publish pictures docs bench bench-api bench-load space release web

# Tests run side by side: a process of one thread for each core, four at most. WORKERS=0: one test after another.
WORKERS ?= logical
ONE_THREAD := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
SIDE_BY_SIDE := -n $(WORKERS) --maxprocesses 4 --dist worksteal

# MNIST's files; `make train` downloads them here.
DATA_DIR ?= mnist

help:
	@echo 'make run           the page on http://localhost:8501'
	@echo 'make serve         the page and the API (/api/docs) on http://localhost:8501'
	@echo 'make test          the tests, except those that need a browser or train for minutes'
	@echo 'make test-browser  the page as a person sees it, in Chromium'
	@echo 'make test-install  the package and the hosts, in fresh environments (needs the network, for pip)'
	@echo 'make test-draw     the tests of what draws and shows, in an environment without PyTorch'
	@echo 'make test-train    two epochs of each recipe on the real MNIST (minutes)'
	@echo 'make test-cluster  sets of any size by Ray, on two local nodes, with a worker and the driver killed'
	@echo 'make check         format, lint, types and import contracts; no tests'
	@echo 'make fix           format and auto-fix'
	@echo 'make train         train on MNIST and write generator.pth (88 minutes of one core)'
	@echo 'make evaluate      the quality card of generator.pth, into docs/ (25 minutes on one core)'
	@echo 'make publish       everything that derives from generator.pth: choice, controls, card, pictures, web/'
	@echo 'make pictures      the pictures of the README, from generator.pth'
	@echo 'make docs          docs/api.md and docs/quality.md, from the docstrings and the measured figures'
	@echo 'make bench-api     requests per second of the API beside its health check (needs wrk)'
	@echo 'make bench-load    the page and the API under load, beside an empty page, and their memory'
	@echo 'make release       version and changelog checked, wheel and sdist built and tried, in dist/'
	@echo 'make space         the folder to upload to Hugging Face Spaces, build/space'
	@echo 'make web           what the page in web/ reads, from generator.pth, and the pictures of it'
	@echo 'make bench         the page beside an empty one, data sets beside PyTorch, the page in web/'

run: $(VENV)/installed-page
	MALLOC_ARENA_MAX=2 $(BIN)/streamlit run app.py --server.fileWatcherType none

serve: $(VENV)/installed-api
	MALLOC_ARENA_MAX=2 $(BIN)/uvicorn asgi:app --port $${PORT:-8501} --limit-concurrency 4000 --timeout-keep-alive 5

test: $(VENV)/installed-test
	$(ONE_THREAD) $(BIN)/python -m pytest $(SIDE_BY_SIDE)

test-browser: $(VENV)/installed-browser
	$(ONE_THREAD) $(BIN)/python -m pytest $(SIDE_BY_SIDE) -m browser

test-install: $(VENV)/installed-test $(VENV)/installed-check
	$(BIN)/python -m pytest -m install

# Without the tests that import PyTorch themselves, to compare with it.
test-draw: $(DRAW)/installed
	$(ONE_THREAD) $(DRAW)/bin/python -m pytest $(SIDE_BY_SIDE) $(addprefix --ignore=tests/,$(WITH_PYTORCH))

test-cluster: $(VENV)/installed-test
	$(BIN)/python -m pytest -m cluster

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

publish: $(VENV)/installed-browser
	$(BIN)/python -m tools.publish --data-dir $(DATA_DIR)

pictures: $(VENV)/installed-page
	$(BIN)/python -m tools.make_pictures --data-dir $(DATA_DIR)

docs: $(VENV)/installed-test
	$(BIN)/python -m tools.make_api
	$(BIN)/python -m digit_generator.evaluation.publish

bench: $(VENV)/installed-browser
	$(BIN)/python -m benchmarks.page
	$(BIN)/python -m benchmarks.dataset
	$(BIN)/python -m benchmarks.web

release: $(VENV)/installed-test
	$(BIN)/python -m tools.release

# Ten minutes, all on this machine; a server that takes more than 512 MB is killed, and that is told.
bench-load: $(VENV)/installed-test $(VENV)/installed-api
	$(BIN)/python -m benchmarks.load

bench-api: $(VENV)/installed-test $(VENV)/installed-api
	$(BIN)/python -m benchmarks.api

# What is committed, with the Space's own README, which tells Hugging Face what to run.
space:
	rm -rf build/space
	mkdir -p build/space
	git archive HEAD | tar -x -C build/space
	cp docs/space.md build/space/README.md

# MNIST's test set is only read where it lies in DATA_DIR: the real digits do not change with the weights.
# URL=https://example.org/digits/ is where web/ will be served, for links that others share.
web: $(VENV)/installed-browser
	$(BIN)/python -m tools.make_web $(if $(wildcard $(DATA_DIR)/t10k-*),--data-dir $(DATA_DIR)) $(if $(URL),--url $(URL))
	$(BIN)/python -m tools.make_screenshots

# What a verb needs is installed once, and again when the list of it changes.

$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Python 3.11 or later is needed, and $(PYTHON) is not that: name it, as in make PYTHON=python3.12'; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/installed-page: requirements.txt $(VENV)/made
	$(BIN)/pip install -r requirements.txt
	@touch $@

$(VENV)/installed-api: pyproject.toml $(VENV)/made
	$(BIN)/pip install -e '.[page,api]'
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

$(DRAW)/installed: pyproject.toml
	$(PYTHON) -m venv $(DRAW)
	$(DRAW)/bin/pip install -e '.[page,style,test]'
	@touch $@

$(VENV)/installed-check: pyproject.toml $(VENV)/made
	$(BIN)/pip install -e '.[check]'
	@touch $@
