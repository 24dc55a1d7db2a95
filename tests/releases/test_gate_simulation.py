"""The gate over simulated nights, whose truth is known: `benchmarks/gate.py` in small."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.gate import CHANGES, Paired, Stored, simulate

pytestmark = pytest.mark.slow
TOLERANCE, USERS = 0.01, 2000


def test_worse_models_are_kept_out_and_better_ones_are_not() -> None:
    """At most one in twenty of those worse by the tolerance or more passes, and at most one in five of the better is
    missed; the rule of before, on the same nights, lets more of the former through."""
    planted = TOLERANCE * np.random.default_rng(1).choice(CHANGES, 120).astype(np.float64)
    now, before = (simulate(gate, planted, USERS, TOLERANCE, seed=1) for gate in (Paired, Stored))
    assert now.share(lambda change: change <= -TOLERANCE) <= 0.05
    assert now.share(lambda change: change > 0) >= 0.8
    assert now.share(lambda change: change == 0) >= 0.8
    assert before.share(lambda change: change <= -TOLERANCE) > now.share(lambda change: change <= -TOLERANCE)


def test_small_losses_of_every_night_do_not_add_up() -> None:
    """Each night's candidate loses less than the tolerance; within thirty nights so does the sum, unlike before."""
    eroding = np.full(60, -0.3 * TOLERANCE)
    now, before = (simulate(gate, eroding, USERS, TOLERANCE, seed=2) for gate in (Paired, Stored))
    assert max(now.losses) <= TOLERANCE
    assert max(before.losses) > 3 * TOLERANCE
