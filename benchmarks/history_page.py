"""How long the history page waits for its answers: a long history in a scratch PostgreSQL, each address asked often.

    python -m benchmarks.history_page [--runs N] [--rounds N]

By default 10,000 runs of one dataset with 20 models, 16 metrics and 3 segments each: 9.6 million rows of rec.metric. A
database is started in a temporary folder and filled here; the addresses are asked in Airflow's environment, through
Airflow's API server with a viewer's login (`--ask DSN`, which the first process starts). Figures are milliseconds of
whole requests: login, rights, a new connection to the database, SQL, and JSON.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parents[1]
RUNS, MODELS, ROUNDS, LIMIT = 10_000, 20, 7, 300.0
DATASET = "films"
SIZES = """
SELECT relname, pg_size_pretty(pg_relation_size(oid)) FROM pg_class
WHERE relnamespace = 'rec'::regnamespace AND relkind IN ('r', 'i') AND pg_relation_size(oid) > 2000000
ORDER BY pg_relation_size(oid) DESC
"""


def fill(dsn: str, runs: int) -> None:
    """Make the history, and say how large its tables and indexes are."""
    import psycopg2  # noqa: PLC0415  what is not needed in both environments

    from tasks.store import History  # noqa: PLC0415

    with History(dsn) as history:
        history.migrate()
    database = psycopg2.connect(dsn)
    database.autocommit = True
    with database.cursor() as sql:
        statements = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
        sql.execute(statements, {"runs": runs, "models": MODELS})
        sql.execute("VACUUM ANALYZE")
        sql.execute("SELECT count(*) FROM rec.metric")
        print(f"{sql.fetchone()[0]:,} rows of rec.metric", flush=True)  # type: ignore[index]
        sql.execute(SIZES)
        for name, size in sql.fetchall():
            print(f"  {name:<28} {size}")
    database.close()


def list_questions(first: str, last: str, run: str) -> dict[str, dict[str, Any]]:
    """What each page asks; `first` and `last` are releases."""
    since = {"since": "2020-01-01T00:00:00Z"}
    check = {"suite": "check-dataset", "expectation": "expectation_7", "column": "image"}
    return {
        "me": {},
        "datasets": {},
        "overview": {},
        "choices": {},
        "metrics": {},
        "metrics of one model": {"model": "model7", "points": 1000},
        "metrics of a segment since 2020": {"segment": "short", **since},
        "runs": {},
        "runs, the oldest": {"offset": RUNS - 50},
        "run": {"run": run},
        "validation": {},
        "trend": {**check, "points": 1000},
        "releases": {},
        "diff": {"one": first, "other": last},
        "arrivals": {},
        "alerts": {},
        "comparisons": {},
        "comparison": {"run": "scheduled__2000-01-02T02:00:00+00:00"},
    }


def ask(dsn: str, rounds: int) -> bool:
    """Ask each address as often as told, and print the figures; returns whether all stayed below LIMIT."""
    from tests import control_plane  # noqa: PLC0415

    control_plane.settle_in()
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
    os.environ["AIRFLOW_CONN_METRICS_DB"] = dsn
    from airflow.api_fastapi.app import create_app  # type: ignore[import-not-found]  # noqa: PLC0415
    from airflow.api_fastapi.auth.managers.simple.user import (  # type: ignore[import-not-found]  # noqa: PLC0415
        SimpleAuthManagerUser,
    )
    from airflow.utils.db import initdb  # type: ignore[import-not-found]  # noqa: PLC0415
    from fastapi.testclient import TestClient  # type: ignore[import-not-found]  # noqa: PLC0415

    initdb()
    app = create_app(apps="core")
    token = app.state.auth_manager.generate_jwt(SimpleAuthManagerUser(username="viewer", role="viewer"))
    client = TestClient(app, headers={"Authorization": f"Bearer {token}"})
    listed = client.get(f"/recsys/api/releases?dataset={DATASET}")
    assert listed.status_code == 200, listed.text
    rows = listed.json()["rows"]
    slow = []
    print(f"{'':<34} {'median':>8} {'max':>8} {'KiB':>7}")
    for name, parameters in list_questions(rows[-1]["release"], rows[0]["release"], rows[0]["run"]).items():
        address = f"/recsys/api/{name.split()[0].strip(',')}?{urlencode({'dataset': DATASET} | parameters)}"
        took = []
        for _ in range(rounds):
            begun = time.perf_counter()
            answer = client.get(address)
            took.append((time.perf_counter() - begun) * 1000)
            assert answer.status_code == 200, answer.text
        print(f"{name:<34} {median(took):8.0f} {max(took):8.0f} {len(answer.content) / 1024:7.0f}")
        slow += [name] if median(took) >= LIMIT else []
    return not slow


def main() -> None:
    """Fill and ask."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--ask", metavar="DSN", help="only ask; in Airflow's environment")
    chosen = parser.parse_args()
    if chosen.ask:
        sys.exit(0 if ask(chosen.ask, chosen.rounds) else 1)
    from local.postgres import start_postgres  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder, start_postgres(Path(folder)) as dsn:
        fill(dsn, chosen.runs)
        python = ROOT / ".venv" / "airflow" / "bin" / "python"
        words = ["-m", "benchmarks.history_page", "--ask", dsn, "--rounds", str(chosen.rounds)]
        sys.exit(subprocess.run([python, *words], cwd=ROOT, check=False).returncode)


if __name__ == "__main__":
    main()
