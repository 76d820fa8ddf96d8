PYTHON ?= python3
PORT ?= 8000

export NO_MKDOCS_2_WARNING = 1  # the theme's banner about a coming major version

BIN = .venv/bin
PIP = $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off

.PHONY: help serve site pdf test lint bench lock clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 14

serve: .venv/reads  ## build and serve the site while you edit; its claims are checked beside it
	@echo "Building the pages. The address is printed below; Ctrl+C stops."
	@$(BIN)/python -m dlnotes._site.serve 127.0.0.1:$(PORT)

site: .venv/proves  ## check every claim, then build the site into site/
	@$(BIN)/python -m pytest --quiet --ignore tests/site
	@$(BIN)/python -m dlnotes._site.wheel
	@DLNOTES_SITE=full $(BIN)/python -m mkdocs build

pdf: site  ## the same, then the whole book in one file, build/dlnotes.pdf; it wants a Chromium
	@$(BIN)/python -m dlnotes._site.pdf site build/dlnotes.pdf

test: .venv/proves  ## run every test: claims, wrong answers, extensions, the built site in a browser
	@$(BIN)/python -m pytest

lint: .venv/proves  ## check style
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .

bench: .venv/proves  ## time the fast core beside its named peers, about 15 minutes; keeps the results
	@$(BIN)/python -m pytest -p no:cacheprovider -c benchmarks/pytest.ini benchmarks --results benchmarks/results

lock: .venv/proves  ## choose new versions for the lock files
	@$(PIP) --quiet uv
	@for extra in site test; do $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
		--no-emit-find-links --no-annotate --no-header --extra site --extra $$extra --output-file requirements/$$extra.txt pyproject.toml; done

clean:  ## remove what was built and installed
	rm -rf .venv build site docs/assets/wheel .cache

.venv/pip:
	@echo "Creating .venv"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 5) and "Python 3.11.5 or newer is needed; set PYTHON=...")'
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/reads: .venv/pip requirements/site.txt pyproject.toml
	@echo "Installing what the site needs, about $$(grep -c == requirements/site.txt) packages"
	@$(PIP) --quiet --require-hashes -r requirements/site.txt
	@$(PIP) --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/proves: .venv/reads requirements/test.txt
	@echo "Installing what the tests need, PyTorch among it"
	@$(PIP) --quiet --require-hashes -r requirements/test.txt
	@$(PIP) --quiet torch==2.13.0  # without hashes: the build depends on the machine
	@touch $@
