"""Links to pages of the Airflow UI."""

from __future__ import annotations

from urllib.parse import quote

from airflow.sdk.configuration import conf


def run_url(dag: str, run: str) -> str:
    """Return the URL of a run."""
    base = conf.get("api", "base_url", fallback="http://localhost:8080").rstrip("/")
    return f"{base}/dags/{dag}/runs/{quote(run, safe='')}"


def answer_url(dag: str, run: str, task: str) -> str:
    """Return the URL of the page where the question of a task is answered."""
    return f"{run_url(dag, run)}/tasks/{task}/required_actions"


def log_url(dag: str, run: str, task: str, map_index: int, try_number: int | None) -> str:
    """Return the URL of a task instance's log; without a try number, of its last try."""
    mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
    tried = f"?try_number={try_number}" if try_number else ""
    return f"{run_url(dag, run)}/tasks/{task}{mapped}{tried}"
