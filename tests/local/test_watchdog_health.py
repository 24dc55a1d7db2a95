"""The health check of the watchdog's container, which is a shell script around its last look."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "docker/airflow/airflow-watchdog"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, ""),
        ({"at": -200.0}, "has not looked for three minutes"),
        ({"error": "OperationalError: away"}, "sees nothing: OperationalError: away"),
        ({"overdue": ["films", "shorts"]}, "no good release for too long: films, shorts"),
        ({"overdue": ["films"], "started": -600.0}, ""),
    ],
)
def test_it_says_what_is_wrong(change: dict[str, object], said: str, tmp_path: Path) -> None:
    """Nothing, a look long ago, a look that failed, an overdue dataset, and one just after the start."""
    now = time.time()
    state = {"at": 0.0, "started": -1000.0, "overdue": []} | change
    state |= {name: now + float(str(state[name])) for name in ("at", "started")}
    (tmp_path / "watchdog.json").write_text(json.dumps(state), encoding="utf-8")
    script = SCRIPT.read_text(encoding="utf-8").replace("state=/tmp", f"state={tmp_path}")
    done = subprocess.run(["sh", "-c", script, "sh", "check"], capture_output=True, text=True, check=False)
    assert (done.returncode, said in done.stderr) == (1 if said else 0, True)


def test_before_its_first_look_it_is_not_healthy(tmp_path: Path) -> None:
    """There is no state yet."""
    script = SCRIPT.read_text(encoding="utf-8").replace("state=/tmp", f"state={tmp_path}")
    done = subprocess.run(["sh", "-c", script, "sh", "check"], capture_output=True, text=True, check=False)
    assert done.returncode != 0
