# Everything people do with this project, by name. Versions and steps are in the scripts that these targets call.

# The interpreter of both environments, Python 3.11 to 3.13; empty: the first of python3.11, python3.12 and python3.13 that is there.
PYTHON ?=
# Address of the index with the build of PyTorch that is wanted; empty: pip's own, and without a GPU that of PyTorch's makers.
TORCH_INDEX_URL ?=
# Options for the command of `make local-history` and the like: make local-history ARGS="--model ease".
ARGS ?=
# A folder that `make backup` made, for `make restore` and `make verify-backup`.
FROM ?=
export PYTHON TORCH_INDEX_URL

TASKS := .venv/tasks/bin/python
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help up env pin down status logs backup verify-backup restore install demo demo-new local-up local-down local-status local-history
.PHONY: docs audit generate test check test-unit test-dags test-services test-e2e test-faults test-containers fuzz lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s  %s\n", $$1, $$2}' Makefile

up: ## the whole system in containers: writes .env, builds the images, ends when the UI answers
	@docker/stack.sh up

env: ## only write .env, to look at it before `make up`, or for `docker compose up`
	@docker/stack.sh env

pin: ## write the images that others made into .env, each by the digest that its tag has now
	@docker/stack.sh pin

down: ## stop the containers and remove them; the data stays in their volumes
	@docker/stack.sh down $(ARGS)

status: ## which containers run, and how they are
	@docker/stack.sh status

logs: ## what the containers said last; ARGS="--follow scheduler"
	@docker/stack.sh logs $(ARGS)

backup: ## both databases and the bucket into backups/<time>/
	@docker/stack.sh backup

verify-backup: ## FROM=backups/<time>: whether it is complete and as it was written; nothing is changed
	@docker/stack.sh verify-backup $(FROM)

restore: ## FROM=backups/<time>: bring them back; what was there before is kept
	@docker/stack.sh restore $(FROM)

install: ## both virtual environments and the chart library, as locked; does nothing when they are up to date
	@sh local/install.sh tasks
	@sh local/install.sh airflow
	@sh local/library.sh

demo: install ## without Docker: start everything, run one night on a generated catalogue, show what came out
	@$(TASKS) -m local demo

demo-new: install ## without Docker: three new films arrive: run the next night
	@$(TASKS) -m local demo-new

local-up: install ## without Docker: start PostgreSQL, S3, mail and Airflow, and nothing else
	@$(TASKS) -m local up

local-down: ## without Docker: stop them; the data stays
	@if [ -x $(TASKS) ]; then $(TASKS) -m local down; else echo "nothing is installed, so nothing runs"; fi

local-status: ## without Docker: what runs, and where the UI is
	@$(TASKS) -m local status

local-history: ## without Docker: the metrics of all runs; ARGS="--model ease --since 2026-01-01"
	@$(TASKS) -m local tasks history $(ARGS)

test: ## everything: install, check, test-unit, test-dags, test-services, test-e2e, test-containers
	@local/test.sh

docs: ## the site of docs/ into site/, with every link checked
	@sh local/docs.sh

audit: ## known vulnerabilities of the locked packages; needs access to the database of OSV
	@sh local/install.sh audit
	@.venv/audit/bin/python local/audit.py

generate: install ## what follows from models, commands and settings: pages of docs/, the trigger form, .env.example
	@.venv/tasks/bin/python -m local.generate

check: install ## lint, format, types, import layers, links of the docs
	@local/test.sh check

test-unit: install ## the task package, what needs no server
	@local/test.sh unit

test-dags: install ## DAGs and plugins, in Airflow's environment
	@local/test.sh dags

test-services: install ## with PostgreSQL and S3 servers, trainings, the whole job on a slice of real data
	@local/test.sh services

test-e2e: install ## whole runs under a real scheduler
	@local/test.sh e2e

test-faults: install ## what is planned to go wrong (F1 to F23 of docs/faults.md), and a table of it; half an hour
	@local/test.sh faults

fuzz: install ## damaged media files, FUZZ_COUNT of each kind (5000), from FUZZ_SEED (0) on; an hour
	@FUZZ_COUNT=$${FUZZ_COUNT:-5000} $(TASKS) -m tests.media.mutations $(ARGS)

test-containers: install ## images and the containerised system, really built and run; needs a Docker engine
	@local/test.sh containers

lock: ## resolve requirements*.in anew into the locks
	@sh local/lock.sh

clean: local-down ## remove the environments and the demo with all its data; containers and volumes stay
	rm -rf .venv .local site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
