"""Links of a task to what it made: in the history page, and in the console of the store its artefact, report, release.

Airflow asks for a link when a try has ended, in the task's own process, and keeps it with the task; a link that is
empty is not shown. Without RECSYS_CONSOLE_URL there is only that to the history.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from airflow.sdk import BaseOperatorLink

from recsys.launch.outcome import FAULT, REPORT, SKIPPED, VALIDATION_FAILED
from recsys.links import page_url

VARIABLE = "RECSYS_CONSOLE_URL"
REPORTS = {  # command -> its report
    "check-dataset": "report.json",
    "check-embeddings": "report.json",
    "evaluate": "metrics.json",
    "promote": "decision.json",
    "publish": "decision.json",
    "refit": "report.json",
}
CHECKS = ("check-dataset", "check-embeddings")
CHECKED_BY = {"refit": "check-refit"}  # command -> the artefact with its report, if that is not the command's own


def read_console(value: str) -> str:
    """Return the address to which the path of a folder is appended. Raises ValueError where a DAG file is parsed."""
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise ValueError(f"{VARIABLE} is {parts.scheme or 'no URL'}, expected http:// or https:// and a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{VARIABLE} has a user or password, expected none: everybody who sees a task sees its links")
    return value


CONSOLE = read_console(os.environ.get(VARIABLE) or "")


class ArtefactLink(BaseOperatorLink):
    """The folder of what the task made."""

    name = "Artefact"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ANN401  the rendered task, and its instance
        """Return the URL, or nothing if the task made nothing."""
        return console_url(f"{step_of(operator, ti_key)}/") if has_made(ti_key) else ""


class ReportLink(BaseOperatorLink):
    """The file of the task that people read."""

    name = "Report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ANN401
        """Return the URL, or nothing if the task has no report."""
        command = str(operator.command[0])
        if command not in REPORTS or not has_made(ti_key):
            return ""
        own = step_of(operator, ti_key)
        folder = f"{own.rpartition('/')[0]}/{CHECKED_BY[command]}" if command in CHECKED_BY else own
        return console_url(f"{folder}/{REPORTS[command]}")


class ReleaseLink(BaseOperatorLink):
    """The release that the task made or served."""

    name = "Release"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ANN401
        """Return the URL, or nothing if the task made none."""
        uri = urlsplit(str((pull(ti_key, REPORT) or {}).get("uri") or ""))
        return console_url(f"{uri.path.strip('/')}/") if uri.scheme == "s3" else ""


class HistoryLink(BaseOperatorLink):
    """The page about the run, or about what the task checked."""

    name = "History"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ANN401
        """Return the URL, or nothing for a command that is not of a run."""
        command = str(operator.command[0])
        if "--run" not in operator.command:
            return ""
        return page_url("validation" if command in CHECKS else "run", run=ti_key.run_id)


OF_STORE: Sequence[BaseOperatorLink] = (ArtefactLink(), ReportLink(), ReleaseLink()) if CONSOLE else ()
LINKS: Sequence[BaseOperatorLink] = (HistoryLink(), *OF_STORE)


def step_of(operator: Any, ti: Any) -> str:  # noqa: ANN401
    """Return the prefix of the task's artefact; that of a mapped task is named by the value it is mapped over."""
    value = f"-{operator.command[-1]}" if ti.map_index >= 0 else ""
    return f"runs/{ti.run_id}/{operator.command[0]}{value}"


def has_made(ti: Any) -> bool:  # noqa: ANN401
    """Whether there is an artefact: not if there was nothing to do, and of failures only if the data are at fault."""
    fault = pull(ti, FAULT)
    return not pull(ti, SKIPPED) and (not fault or fault.get("exit_code") == VALIDATION_FAILED)


def pull(ti: Any, key: str) -> Any:  # noqa: ANN401
    """Return an XCom of the task instance itself, or None."""
    return ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index, key=key)


def console_url(path: str) -> str:
    """Return the address of a path of the store: one segment of the console's address, so that no name can leave it."""
    return CONSOLE + quote(path, safe="") if CONSOLE else ""
