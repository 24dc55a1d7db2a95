#!/bin/bash
# Run parts of the tests one after the other, each in its environment:
# local/test.sh [install | check | unit | dags | services | e2e | containers | faults] ...
#
# Without a name all parts run but `faults`, which has tests of the others and those that take minutes. Those with containers
# run in parallel to the others, because they mostly wait; their output is shown when both have ended. The first failure ends
# the run. At the end come the seconds of each part and pytest's summary.
set -euo pipefail
cd "$(dirname "$0")/.."

tasks=.venv/tasks/bin
airflow=.venv/airflow/bin
own="--ignore=tests/dags --ignore=tests/plugins --ignore=tests/e2e --ignore=tests/containers"  # these have their own parts
more="services or slow or realdata"  # fast tests come first
spread="--numprocesses $(nproc) --maxprocesses 4 --dist worksteal"  # each process has its own servers
engine=../shared/bin/docker-engine
unset PYTHONDONTWRITEBYTECODE  # every process would compile tests and tasks again
[ $# -gt 0 ] || exec env --default-signal=INT local/test.sh all  # a shell that starts it in the background makes it ignore that signal
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

lint() {
    "$tasks/python" -m ruff check .
    "$tasks/python" -m ruff format --check .
    "$tasks/python" -m mypy
    MYPYPATH=docker/engine-proxy "$tasks/python" -m mypy docker/engine-proxy/proxy.py
    (cd plugins && "../$airflow/python" -m mypy --strict --config-file= --cache-dir=../.mypy_cache recsys recsys_plugin.py)  # outside this folder, where docker/ would hide the package
    "$tasks/lint-imports"
    "$tasks/hadolint" docker/*.Dockerfile
    sh local/docs.sh
}

part() {
    local begun=$SECONDS name=$1 log=$logs/$1 code
    shift
    echo "== $name"
    "$@" 2>&1 | tee -i "$log"
    code=$?  # not 0 only if the caller goes on after a failure
    printf '%-10s %4d s  %s\n' "$name" $((SECONDS - begun)) "$(closing "$log")" >>"$logs/summary"
    return $code
}

install() { # both at once; a second caller waits and then has nothing to do
    sh local/install.sh airflow &
    local other=$!
    sh local/install.sh tasks
    wait "$other"
    sh local/library.sh
}

images() { # in parallel; `make up` builds one after the other and reuses their layers afterwards
    local name building=()
    for name in tasks airflow engine-proxy; do
        image "$name" >"$logs/image-$name" 2>&1 || { tail -n 60 "$logs/image-$name" && false; } &
        building+=($!)
    done
    for name in "${building[@]}"; do wait "$name"; done
}

image() { # with the name that the tests use, and the arguments of docker-compose.yaml that affect its layers
    local accelerator=${PYTHON_IMAGE:+cpu}
    [ -n "${accelerator:=${ACCELERATOR:-}}" ] || { sh docker/gpu.sh && accelerator=cuda; } || accelerator=cpu
    docker build --file "docker/$1.Dockerfile" --tag "recsys-test-${1%s}" --build-arg "TORCH_INDEX_URL=${TORCH_INDEX_URL:-}" \
        ${PYTHON_IMAGE:+--build-arg "PYTHON_IMAGE=$PYTHON_IMAGE" --build-arg "NODE_IMAGE=$PYTHON_IMAGE"} --build-arg "ACCELERATOR=$accelerator" .
}

containers() ( # with an existing engine, or the test engine beside the checkout
    if [ -x "$engine" ] && "$engine" up; then
        trap '"$engine" down' EXIT
        eval "$("$engine" env)"
    elif ! docker info >/dev/null 2>&1; then
        echo "== containers SKIPPED: no Docker engine is available here, so no image was built and no container was run" >&2
        echo "containers    0 s  SKIPPED: no Docker engine" >>"$logs/summary"
        return
    fi
    part images images
    install
    part launcher "$airflow/python" -m pytest tests/plugins -m containers
    part containers "$tasks/python" -m pytest tests/containers -m containers
)

faults() { # what is planned to go wrong, in both environments whatever the first comes to, and a table of it
    local code=0
    export FAULTS_TABLE=$logs/faults.json
    trap '"$tasks/python" -m tests.faults.table "$FAULTS_TABLE"; rm -rf "$logs"' EXIT
    part faults "$tasks/python" -m pytest tests -p tests.faults.table -m fault ${own/--ignore=tests\/e2e/} || code=$?
    part control "$airflow/python" -m pytest tests/dags tests/plugins -p tests.faults.table -m "fault and not containers"
    return $code
}

closing() { grep -oE '[0-9]+ (passed|failed|error|skipped).* in [0-9.]+s' "$1" | tail -n 1 || echo ok; }

parts() {
    local name
    for name in "$@"; do
        case $name in
            install) part install install ;;
            check) part check lint ;;
            unit) part unit "$tasks/python" -m pytest tests $spread -m "not ($more or drill)" $own ;;
            dags) part dags "$airflow/python" -m pytest tests/dags tests/plugins -m "not containers" ;;
            services) part services "$tasks/python" -m pytest tests $spread -m "$more" $own ;;
            containers) containers ;;
            faults) faults ;;
            e2e) part e2e "$tasks/python" -m pytest tests/e2e -m e2e ;;
            *) echo "part '$name' found, expected install, check, unit, dags, services, e2e, containers or faults" >&2; exit 2 ;;
        esac
    done
}

all() { # in two lanes, each a process group that can be ended as one
    set -m
    parts install check unit dags services e2e </dev/null &
    first=$!
    parts containers >"$logs/second" 2>&1 </dev/null &
    second=$!
    set +m
    trap 'kill -INT -$first -$second 2>/dev/null || true; wait; cat "$logs/second"; rm -rf "$logs"' EXIT
    for _ in first second; do wait -n; done
    trap 'rm -rf "$logs"' EXIT
    cat "$logs/second"
}

if [ "$1" = all ]; then all; else parts "$@"; fi
echo "== all parts passed"
cat "$logs/summary"
