#!/bin/sh
# Resolve requirements*.in into requirements*.txt, every file with its hash: one lock for all Python versions from 3.11 on,
# in which markers say what only some of them need. uv has its own environment.
set -eu
cd "$(dirname "$0")/.."

uv=.venv/lock/bin/uv
if [ ! -x "$uv" ]; then
    "${PYTHON:-python3}" -m venv .venv/lock
    .venv/lock/bin/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements-uv.txt
fi
# UPGRADE=1 takes the newest versions; without it a locked version stays as long as it satisfies the requirements.
compile() { "$uv" pip compile -q ${UPGRADE:+--upgrade} --universal --generate-hashes --python-version 3.11 --no-header "$@"; }

compile requirements.in -o requirements.txt
compile requirements-airflow-dev.in -o requirements-airflow-dev.txt
compile requirements-sbom.in -o requirements-sbom.txt
compile requirements-docs.in -o requirements-docs.txt
compile requirements-audit.in -o requirements-audit.txt

# Packages that are installed without their dependencies come after the others in the same lock. The next resolve would
# treat them as outdated, so the two halves are resolved separately.
half=$(mktemp -d)
trap 'rm -rf "$half"' EXIT
cp requirements-tasks.txt "$half/tasks.txt"
cp requirements-tasks.txt "$half/nodeps.txt"
compile requirements-tasks.in -o "$half/tasks.txt"
compile --no-deps requirements-tasks-nodeps.in -o "$half/nodeps.txt"
cat "$half/tasks.txt" "$half/nodeps.txt" >requirements-tasks.txt
compile --no-deps requirements-offline.in -o requirements-offline.txt
compile requirements-dev.in -o requirements-dev.txt
compile requirements-uv.in -o requirements-uv.txt
# Of PyTorch's two builds only what the lock of the tasks has not: their index may have no more.
cp requirements-torch.txt "$half/torch.txt"
compile requirements-torch.in -o "$half/torch.txt"
awk '/^[a-z]/ {name = $1; sub("==.*", "", name)} NR == FNR {there[name]; next} !(name in there)' requirements-tasks.txt "$half/torch.txt" >requirements-torch.txt
compile --no-deps --torch-backend cpu requirements-torch-cpu.in -o requirements-torch-cpu.txt ||
    echo "requirements-torch-cpu.txt stays as it is: the index of PyTorch's makers did not answer" >&2
