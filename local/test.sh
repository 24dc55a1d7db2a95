#!/bin/bash
# Run parts of the tests, each in the environment it is for: local/test.sh [check | unit | dags | services | e2e] ...
#
# The first failure ends it. Last come the seconds of each part and pytest's closing lines.
set -euo pipefail
cd "$(dirname "$0")/.."

tasks=.venv/tasks/bin
airflow=.venv/airflow/bin
own="--ignore=tests/dags --ignore=tests/plugins --ignore=tests/e2e"  # these have parts of their own
more="services or slow or realdata"  # fast tests come first
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

lint() {
    "$tasks/python" -m ruff check .
    "$tasks/python" -m ruff format --check .
    "$tasks/python" -m mypy
    MYPYPATH=plugins "$airflow/python" -m mypy --strict plugins/recsys
    "$tasks/lint-imports"
}

part() {
    local begun=$SECONDS name=$1 log=$logs/$1
    shift
    echo "== $name"
    "$@" 2>&1 | tee "$log"
    printf '%-8s %4d s  %s\n' "$name" $((SECONDS - begun)) "$(closing "$log")" >>"$logs/summary"
}

closing() { grep -E '^=*[ ]*[0-9]+ (passed|failed|error|skipped).* in [0-9.]+s' "$1" | tail -1 | tr -d '=' | xargs || echo ok; }

[ $# -gt 0 ] || set -- check unit dags services e2e
for name in "$@"; do
    case $name in
        check) part check lint ;;
        unit) part unit "$tasks/python" -m pytest tests -m "not ($more)" $own ;;
        dags) part dags "$airflow/python" -m pytest tests/dags tests/plugins ;;
        services) part services "$tasks/python" -m pytest tests -m "$more" $own ;;
        e2e) part e2e "$tasks/python" -m pytest tests/e2e -m e2e ;;
        *) echo "part '$name' found, expected check, unit, dags, services or e2e" >&2; exit 2 ;;
    esac
done
echo "== all parts passed"
cat "$logs/summary"
