"""DAG files are parsed every few seconds, so they are cheap to import."""

from __future__ import annotations

import subprocess
import sys

from tests import control_plane

HEAVY = (
    "tasks",
    "torch",
    "pandas",
    "numpy",
    "great_expectations",
    "psycopg2",
    "smtplib",
    "airflow.providers.smtp.hooks.smtp",
)
PARSE = """
import sys
from airflow.dag_processing.dagbag import DagBag
before = set(sys.modules)
bag = DagBag({folder!r})
assert not bag.import_errors, bag.import_errors
print("imported", *[name for name in {heavy!r} if name in set(sys.modules) - before])
"""


def test_parsing_all_dags_imports_nothing_heavy() -> None:
    """In a process of its own, because other tests import what this one looks for."""
    program = PARSE.format(folder=str(control_plane.ROOT / "dags"), heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ["imported"]


def test_a_launcher_nobody_knows_is_an_import_error_that_names_the_known_ones() -> None:
    """A misspelt RECSYS_LAUNCHER shows up in the UI before anything runs."""
    program = "from airflow.dag_processing.dagbag import DagBag\nprint(DagBag({!r}).import_errors)"
    done = subprocess.run(
        [sys.executable, "-c", program.format(str(control_plane.ROOT / "dags"))],
        env=control_plane.environment() | {"RECSYS_LAUNCHER": "dokcer"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "RECSYS_LAUNCHER is 'dokcer', expected one of ['docker', 'kubernetes', 'process']" in done.stdout
