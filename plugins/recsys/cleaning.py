"""`python -m recsys.cleaning`: once a day, remove old runs from Airflow's database and old logs.

A service of its own, because tasks may not use Airflow's database, and no interface of Airflow's API server removes
what is old. It has the volume of the logs, and notes there what it did, which a task of the DAG `maintenance` reads: so
a failure is told as every other. With `--once` it cleans now and ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from recsys.daily import is_due
from recsys.launch.outcome import FAILED, FailedForGood, remember

if TYPE_CHECKING:
    from airflow.sdk import Context

DAYS = "RECSYS_KEEP_AIRFLOW_DAYS"
NOTE = ".airflow-clean.json"  # in the folder of the logs
LATE = timedelta(days=2)
SECONDS = 60.0  # between two looks at the clock
LAST = 2000  # characters of what a failed command said


def clean(folder: Path, days: int, now: datetime) -> None:
    """Remove what is older than `days` from the database and the logs, and note how that ended."""
    before = now - timedelta(days=days)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "airflow", "db", "clean", "--yes", "--skip-archive", "--error-on-cleanup-failure"),
            *("--clean-before-timestamp", before.isoformat()),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    files = clean_logs(folder, before)
    said = "" if done.returncode == 0 else (done.stdout + done.stderr)[-LAST:]
    write_note(folder, {"at": now.isoformat(), "code": done.returncode, "said": said, "files": files})
    sys.stdout.write(said or f"removed runs and {files} logs from before {before:%Y-%m-%d %H:%M} UTC\n")
    sys.stdout.flush()


def clean_logs(folder: Path, before: datetime) -> int:
    """Remove files below a folder that were last written before a moment, and folders without any; returns how many."""
    files, limit = 0, before.timestamp()
    # with their times, which change when something in a folder is removed; what is in a folder comes before it
    old = [path for path in sorted(folder.rglob("*"), reverse=True) if path.lstat().st_mtime < limit]
    for path in old:
        if path.is_symlink() or path.is_file():
            if path.name != NOTE:
                path.unlink(missing_ok=True)
                files += 1
        elif not any(path.iterdir()):
            path.rmdir()
    return files


def write_note(folder: Path, note: dict[str, Any]) -> None:
    """Write what was done, in one step."""
    fresh = folder / f"{NOTE}.part"
    fresh.write_text(json.dumps(note), encoding="utf-8")
    fresh.replace(folder / NOTE)


def read_note(folder: Path) -> dict[str, Any] | None:
    """Return what was noted last, or None."""
    try:
        return dict(json.loads((folder / NOTE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def find_fault(note: dict[str, Any], now: datetime) -> str | None:
    """Return what is wrong with a note, in one sentence."""
    at = datetime.fromisoformat(note["at"])
    if note["code"]:
        return f"`airflow db clean` ended with exit code {note['code']} at {at:%Y-%m-%d %H:%M} UTC: {note['said']}"
    if at < now - LATE:
        when = f"{at:%Y-%m-%d %H:%M} UTC"
        return f"Airflow was last cleaned at {when}, expected it daily: `docker compose logs airflow-clean` says more"
    return None


def require_clean(context: Context) -> None:
    """For a task: raise FailedForGood if the cleaning failed or is late; AirflowSkipException where there is none."""
    note = read_note(logs_folder())
    if note is None:
        raise AirflowSkipException("there is no service airflow-clean here, or it has not begun")
    if fault := find_fault(note, datetime.now(UTC)):
        remember(context, [context["task"].task_id], FAILED, fault)
        raise FailedForGood(fault)


def logs_folder() -> Path:
    """Where Airflow writes the logs of tasks."""
    from airflow.sdk.configuration import conf  # noqa: PLC0415  every DAG file would wait for it

    return Path(conf.get("logging", "base_log_folder"))


def days_kept() -> int:
    """For how many days. Raises ValueError unless it is a positive number."""
    text = os.environ.get(DAYS) or "90"
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{DAYS} is {text!r}, expected a whole number of days, at least 1")
    return int(text)


def main(arguments: list[str]) -> int:
    """Clean once a day, after the hour of the DAG; or once now."""
    folder, days, now = logs_folder(), days_kept(), datetime.now(UTC)
    if "--once" in arguments:
        clean(folder, days, now)
        return int((read_note(folder) or {"code": 1})["code"])
    if read_note(folder) is None:  # a new installation has nothing to clean
        write_note(folder, {"at": now.isoformat(), "code": 0, "said": "", "files": 0})
    while True:
        note, now = read_note(folder), datetime.now(UTC)
        if is_due(now, datetime.fromisoformat(note["at"]) if note else None):
            clean(folder, days, now)
        time.sleep(SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
