#!/bin/sh
# Resolve requirements*.in into requirements*.txt, every file with its hash: one lock for all Python versions from 3.11 on,
# in which markers say what only some of them need. uv has its own environment.
set -eu
cd "$(dirname "$0")/.."

uv=.venv/lock/bin/uv
if [ ! -x "$uv" ]; then
    "${PYTHON:-python3}" -m venv .venv/lock
    .venv/lock/bin/python -m pip install -q --disable-pip-version-check uv
fi
# UPGRADE=1 takes the newest versions; without it a locked version stays as long as it satisfies the requirements.
compile() { "$uv" pip compile -q ${UPGRADE:+--upgrade} --universal --generate-hashes --python-version 3.11 --no-header "$@"; }

compile requirements.in -o requirements.txt
compile requirements-airflow-dev.in -o requirements-airflow-dev.txt
compile requirements-sbom.in -o requirements-sbom.txt
compile requirements-docs.in -o requirements-docs.txt

# Packages that are installed without their dependencies come after the others in the same lock. The next resolve would
# treat them as outdated, so the two halves are resolved separately.
half=$(mktemp -d)
trap 'rm -rf "$half"' EXIT
cp requirements-tasks.txt "$half/tasks.txt"
cp requirements-tasks.txt "$half/nodeps.txt"
compile requirements-tasks.in -o "$half/tasks.txt"
compile --no-deps requirements-tasks-nodeps.in -o "$half/nodeps.txt"
cat "$half/tasks.txt" "$half/nodeps.txt" >requirements-tasks.txt
compile requirements-dev.in -o requirements-dev.txt
