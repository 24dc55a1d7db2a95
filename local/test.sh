#!/bin/bash
# Run parts of the tests, each in the environment it is for:
# local/test.sh [check | unit | dags | services | e2e | containers] ...
#
# The first failure ends it. Last come the seconds of each part and pytest's closing lines.
set -euo pipefail
cd "$(dirname "$0")/.."

tasks=.venv/tasks/bin
airflow=.venv/airflow/bin
own="--ignore=tests/dags --ignore=tests/plugins --ignore=tests/e2e --ignore=tests/containers"  # these have parts of their own
more="services or slow or realdata"  # fast tests come first
engine=../shared/bin/docker-engine
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

lint() {
    "$tasks/python" -m ruff check .
    "$tasks/python" -m ruff format --check .
    "$tasks/python" -m mypy
    (cd plugins && "../$airflow/python" -m mypy --strict --config-file= --cache-dir=../.mypy_cache recsys)  # away from the folder docker/
    "$tasks/lint-imports"
    "$tasks/hadolint" docker/*.Dockerfile
}

part() {
    local begun=$SECONDS name=$1 log=$logs/$1
    shift
    echo "== $name"
    "$@" 2>&1 | tee "$log"
    printf '%-10s %4d s  %s\n' "$name" $((SECONDS - begun)) "$(closing "$log")" >>"$logs/summary"
}

containers() {  # with an engine that is there, or the one for tests that is beside the checkout
    if [ -x "$engine" ] && "$engine" up; then
        trap '"$engine" down; rm -rf "$logs"' EXIT
        eval "$("$engine" env)"
    elif ! docker info >/dev/null 2>&1; then
        echo "== containers SKIPPED: no Docker engine can be had here, so no image was built and no container was run" >&2
        echo "containers    0 s  SKIPPED: no Docker engine" >>"$logs/summary"
        return
    fi
    part launcher "$airflow/python" -m pytest tests/plugins -m containers
    part containers "$tasks/python" -m pytest tests/containers -m containers
}

closing() { grep -oE '[0-9]+ (passed|failed|error|skipped).* in [0-9.]+s' "$1" | tail -n 1 || echo ok; }

[ $# -gt 0 ] || set -- check unit dags services e2e containers
for name in "$@"; do
    case $name in
        check) part check lint ;;
        unit) part unit "$tasks/python" -m pytest tests -m "not ($more)" $own ;;
        dags) part dags "$airflow/python" -m pytest tests/dags tests/plugins -m "not containers" ;;
        services) part services "$tasks/python" -m pytest tests -m "$more" $own ;;
        containers) containers ;;
        e2e) part e2e "$tasks/python" -m pytest tests/e2e -m e2e ;;
        *) echo "part '$name' found, expected check, unit, dags, services, e2e or containers" >&2; exit 2 ;;
    esac
done
echo "== all parts passed"
cat "$logs/summary"
