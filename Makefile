# Every target runs in .venv, which the launcher makes on first use.
PYTHON := ./isaaclab.sh -p

.PHONY: docs format lint type check test test-all test-fast lock

format: ## Rewrite the sources as ruff would have them
	$(PYTHON) -m ruff check --fix --exit-zero --quiet .
	$(PYTHON) -m ruff format .

lint: ## Style and likely mistakes
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

type: ## Static types
	$(PYTHON) -m pyright

check: lint type

docs: ## The site, in build/site; broken links are errors
	$(PYTHON) -m mkdocs build

test: ## The tests of a quarter of an hour, the real simulator included
	./isaaclab.sh -t

test-all: ## All tests
	./isaaclab.sh -t --all

test-fast: ## The tests that need no simulator
	./isaaclab.sh -t -m "not sim"

LOCK_HEADER := \# Every package of .venv with the hashes of its files. Made by `make lock` from pyproject.toml: do not edit.

lock: ## Pin what pyproject.toml asks for; versions that still fit stay (UPGRADE=--upgrade moves them)
	$(PYTHON) -m uv pip compile --quiet --universal --python-version 3.12 --generate-hashes \
		--no-header --no-emit-index-url --no-emit-find-links $(UPGRADE) \
		--group dev --group setup --output-file requirements.lock pyproject.toml
	printf '%s\n' '$(LOCK_HEADER)' | cat - requirements.lock > requirements.lock.new
	mv requirements.lock.new requirements.lock
