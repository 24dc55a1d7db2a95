"""A few of the random kill points, in both stores; `python -m tests.faults.kills --points 200` has more."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.kills import Ground, Kills

pytestmark = pytest.mark.drill
POINTS = 23  # of two nights: all commands of the first, with a folder, and some of the second, with S3


@pytest.mark.fault("F4")
def test_a_night_whose_commands_are_killed_comes_to_the_same(tmp_path: Path) -> None:
    """Nothing half-written is visible, nothing names what is not whole, and each command ends well when repeated."""
    with ExitStack() as stack:
        kills = Kills(Ground(tmp_path, stack), seed=1)
        said = list(kills.run(POINTS))
        assert sum("killed" in line for line in said) == POINTS
        assert not kills.defects, kills.report()
