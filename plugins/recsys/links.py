"""Links to pages of the Airflow UI, also to those of the history, which it frames."""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote, urlencode

from airflow.sdk.configuration import conf

from recsys.history import PREFIX, ROUTE

Page = Literal["", "metrics", "runs", "run", "validation", "releases", "arrivals", "alerts", "comparisons"]


def run_url(dag: str, run: str) -> str:
    """Return the URL of a run."""
    return f"{_base()}/dags/{dag}/runs/{quote(run, safe='')}"


def answer_url(dag: str, run: str, task: str) -> str:
    """Return the URL of the page where the question of a task is answered."""
    return f"{run_url(dag, run)}/tasks/{task}/required_actions"


def log_url(dag: str, run: str, task: str, map_index: int, try_number: int | None) -> str:
    """Return the URL of a task instance's log; without a try number, of its last try."""
    mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
    tried = f"?try_number={try_number}" if try_number else ""
    return f"{run_url(dag, run)}/tasks/{task}{mapped}{tried}"


def page_url(page: Page = "", **ids: str | None) -> str:
    """Return the URL of a page of the history for what `ids` name: dataset, run, suite, expectation, column, release.

    It is that of the frame, so that Airflow asks for a login and comes back. What is None is left out.
    """
    query = urlencode({name: value for name, value in ids.items() if value is not None})
    return f"{_base()}/plugin/{ROUTE}{PREFIX}/{page}" + (f"?{query}" if query else "")


def _base() -> str:
    return str(conf.get("api", "base_url", fallback="http://localhost:8080")).rstrip("/")
