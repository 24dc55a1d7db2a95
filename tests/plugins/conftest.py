"""The plugin package, with Airflow's settings out of the way."""

from __future__ import annotations

import sys

import pytest

from tests import control_plane

collect_ignore_glob = [] if control_plane.PRESENT else ["test_*.py"]
if control_plane.PRESENT:
    control_plane.settle_in()
    sys.path.append(str(control_plane.ROOT / "plugins"))  # as Airflow does when it starts


def pytest_configure(config: pytest.Config) -> None:
    """Warnings are errors, but for those that Airflow gives itself."""
    for rule in control_plane.IGNORED:
        config.addinivalue_line("filterwarnings", rule)


def pytest_report_header() -> str | None:
    """Say so when these tests are left out."""
    return None if control_plane.PRESENT else control_plane.ABSENT
