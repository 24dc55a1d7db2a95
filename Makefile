# Everything people do with this project, by name. Versions and steps are in the scripts that these targets call.

PYTHON ?= python3.11
# Address of an index with the build of PyTorch that is wanted (its makers have one per accelerator and one for CPUs); empty: pip's own.
TORCH_INDEX_URL ?=
# Options for the command of `make history` and the like: make history ARGS="--model ease".
ARGS ?=
export PYTHON TORCH_INDEX_URL

TASKS := .venv/tasks/bin/python
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help install demo demo-new up down status history check test test-unit test-dags test-services test-e2e lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-13s  %s\n", $$1, $$2}' Makefile

install: ## both virtual environments, as locked; does nothing when they are up to date
	@sh local/install.sh tasks
	@sh local/install.sh airflow

demo: install ## start everything, run one night on a generated catalogue, show what came out
	@$(TASKS) -m local demo

demo-new: install ## three new films arrive: run the next night
	@$(TASKS) -m local demo-new

up: install ## start PostgreSQL, S3, mail and Airflow, and nothing else
	@$(TASKS) -m local up

down: ## stop them; the data stays
	@if [ -x $(TASKS) ]; then $(TASKS) -m local down; else echo "nothing is installed, so nothing runs"; fi

status: ## what runs, and where the UI is
	@$(TASKS) -m local status

history: ## the metrics of all runs; ARGS="--model ease --since 2026-01-01"
	@$(TASKS) -m local tasks history $(ARGS)

test: install ## everything: check, test-unit, test-dags, test-services, test-e2e
	@local/test.sh

check: install ## lint, format, types, import layers
	@local/test.sh check

test-unit: install ## the task package, what needs no server
	@local/test.sh unit

test-dags: install ## DAGs and plugins, in Airflow's environment
	@local/test.sh dags

test-services: install ## with PostgreSQL and S3 servers, trainings, the whole job on a slice of real data
	@local/test.sh services

test-e2e: install ## whole runs under a real scheduler
	@local/test.sh e2e

lock: ## resolve requirements*.in anew into the locks
	@sh local/lock.sh

clean: down ## remove the environments and the demo with all its data
	rm -rf .venv .local .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
