# What one does here. `make` alone says what there is.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo demo-distributed test test-fast check bench bench-distributed nightly services services-stop lock wheel clean

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest -q -p no:cacheprovider

help: ## say what there is
	@echo "PX Hub: which promise to which patient is about to be broken, said in time."
	@echo
	@grep -hE '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-17s %s\n", $$1, $$2}'
	@echo
	@echo "New here? make demo, then make test. CONTRIBUTING.md says how a change is made."

setup: $(READY) ## make .venv with pxhub in it; quick when it is up to date

$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed; name one with make setup PYTHON=python3.12" >&2; exit 2; }
	@$(BIN)/python -c 'import pip' 2>/dev/null || { echo "making .venv"; $(PYTHON) -m venv --clear .venv; }
	@echo "installing what the lock names"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)
	@echo "ready: $(BIN)/pxhub"

demo: setup ## a clinic's week of HL7 v2, FHIR and calls into a server: alerts as they fire, one that no system sees alone
	@$(BIN)/pxhub demo

demo-distributed: setup ## the same clinic over Kafka and Redis and five workers, one of them killed; the alerts are the same
	@PYTHONPATH=. $(BIN)/python -m deploy.services.demo

test: setup ## all tests, the order-sensitive ones under a second hash seed first
	PYTHONHASHSEED=1 PXHUB_PROPERTIES=brief $(PYTEST) -n $(WORKERS) --dist worksteal -m "not slow" tests/streams tests/properties
	PYTHONHASHSEED=0 $(PYTEST) -n $(WORKERS) --dist worksteal

test-fast: setup ## the tests without the slow ones, under 3 minutes
	PXHUB_PROPERTIES=brief $(PYTEST) -n $(WORKERS) --dist worksteal -m "not slow"

check: setup ## format, lint, types, import rules; changes nothing
	@$(BIN)/ruff format --check --quiet . || { echo "run: $(BIN)/ruff format ." >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache >/dev/null || $(BIN)/lint-imports --no-cache
	@echo "check: all well"

bench: setup ## speed and memory, each figure beside a reference of the same run
	@$(BIN)/pxhub bench engine
	@$(BIN)/pxhub bench replay
	@$(BIN)/pxhub bench hl7
	@$(BIN)/pxhub bench fhir
	@$(BIN)/pxhub bench store --waits 1000000
	@$(BIN)/pxhub bench mllp
	@$(BIN)/pxhub bench due
	@$(BIN)/pxhub bench contact
	@$(BIN)/pxhub bench identity
	@$(MAKE) --no-print-directory bench-distributed

bench-distributed: setup ## the distributed runtime, on a Kafka and a Redis of its own, beside Faust and Bytewax
	@$(PYTHON) deploy/services/during.py $(BIN)/pxhub bench distributed --kafka {kafka} --redis {redis}

nightly: setup ## the properties again, with new examples and thirty times as many; fifty kills; 100,000 spoilt messages
	PXHUB_PROPERTIES=nightly $(PYTEST) -n $(WORKERS) --dist worksteal --timeout 7200 tests/properties
	PXHUB_KILLS=50 $(PYTEST) --timeout 7200 tests/faults --ignore tests/faults/test_kafka_kill.py
	PXHUB_KILLS=30 $(PYTEST) --timeout 7200 tests/faults/test_kafka_kill.py
	@$(BIN)/pxhub bench hl7

services: ## a real Kafka and a real Redis on loopback; returns when both answer
	@$(PYTHON) deploy/services/services.py start

services-stop: ## end them; their data stays in .services/
	@$(PYTHON) deploy/services/services.py stop

lock: ## renew both locks from pyproject.toml (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-annotate --custom-compile-command "make lock" pyproject.toml -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-annotate --custom-compile-command "make lock" --extra dev pyproject.toml -o requirements-dev.lock

wheel: setup ## build the wheel into dist/
	$(BIN)/python -m hatchling build -t wheel

clean: ## remove .venv, caches and built files
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
