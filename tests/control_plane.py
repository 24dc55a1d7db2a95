"""Airflow's settings for tests: a temporary home, our folders, and no configuration of the machine."""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TASKS_PYTHON = ROOT / ".venv" / "tasks" / "bin" / "python"
PRESENT = importlib.util.find_spec("airflow") is not None
# Warnings between Airflow and its dependencies; warnings of our code stay errors.
IGNORED = (
    "ignore:GitWildMatchPattern:DeprecationWarning",  # Airflow uses a deprecated name of pathspec
    "ignore:No path_separator found in configuration:DeprecationWarning",  # Alembic, of the FAB provider
)
ABSENT = "Airflow is not in this environment: tests/dags and tests/plugins run in the control plane's"


def settle_in() -> None:
    """Set the environment; must be called before the first import of Airflow, which reads it once."""
    if "RECSYS_TEST_AIRFLOW_HOME" in os.environ:
        return
    home = Path(tempfile.mkdtemp(prefix="recsys-airflow-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    for name in [name for name in os.environ if name.startswith(("AIRFLOW", "RECSYS_"))]:
        del os.environ[name]
    os.environ |= {
        "RECSYS_TEST_AIRFLOW_HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__API__BASE_URL": "http://airflow.test:8080",
        "AIRFLOW__API_AUTH__JWT_SECRET": "of-tests-" * 8,  # long enough for its algorithm
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def stand_in(home: Path, program: str) -> dict[str, str]:
    """Write a package `tasks` with the code `program` to `home`; returns the launcher's settings to run it."""
    (home / "tasks").mkdir()
    (home / "tasks" / "__main__.py").write_text(program, encoding="utf-8")
    return {"RECSYS_PYTHON": sys.executable, "RECSYS_HOME": str(home)}


@contextmanager
def servers(folder: Path) -> Iterator[dict[str, Any]]:
    """Return `dsn` of a PostgreSQL with the metrics schema, `smtp_port`, and `mails`, the folder of sent emails."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "RECSYS_"))}
    command = [str(TASKS_PYTHON), "-m", "tests.servers", str(folder)]
    with subprocess.Popen(
        command, cwd=ROOT, env=clean, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first, "the servers did not start: see their output above"
        yield json.loads(first)
        process.stdin.close()


def environment() -> dict[str, str]:
    """Return the environment for a process with the same settings."""
    return dict(os.environ)
