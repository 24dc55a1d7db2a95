"""Content and behaviour on real logs and vectors: sound joins pass, and each fault of a join is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tasks.data import Interactions
from tasks.quality.agreement import AgreementLimits, agreement_tables
from tasks.quality.content import measure_content

pytestmark = [pytest.mark.realdata, pytest.mark.slow]
LIMITS = AgreementLimits()
Features = Mapping[str, np.ndarray]


@pytest.fixture(scope="module")
def artists(shared_data: Path) -> tuple[Interactions, Features]:
    """Last.fm-2k with tags and sound; artist i, from 0, has row i of each matrix, and is called i + 1 here."""
    folder = shared_data / "lfm2k"
    users, items = np.loadtxt(folder / "lfm2k.inter", skiprows=1, usecols=(0, 1), dtype=np.int32).T
    log = Interactions(users, items, np.arange(users.max() + 1).astype(str), np.arange(1, items.max() + 2).astype(str))
    names = {"tags": "all-MiniLM-L6-v2.npy", "vggish": "vggish.npy", "whisper": "whisper.npy"}
    return log, {name: np.load(folder / file).astype(np.float32) for name, file in names.items()}


def failures(
    log: Interactions, features: Features, ids: np.ndarray, before: Mapping[str, float] | None = None
) -> dict[str, set[str]]:
    """Feature -> the expectations that fail."""
    known = dict.fromkeys(features, ids)
    tables = agreement_tables(
        measure_content(features, known, log, LIMITS.clearly_better), known, log, LIMITS, before=before
    )
    assert len(tables) == len(features)
    return {
        rule.column: {one.name for one in table.rules if not table.frame[str(one.arguments["column"])].item()}
        for table in tables
        for rule in table.rules
    }


def test_sound_joins_pass(artists: tuple[Interactions, Features]) -> None:
    """The whole of it, and half of its users."""
    log, features = artists
    for part in (log, log.take(log.users % 2 == 0)):
        assert failures(part, features, log.item_ids) == {name: set() for name in features}


@pytest.mark.parametrize("shift", [-1, 1])
def test_ids_off_by_one_are_found_in_every_feature(artists: tuple[Interactions, Features], shift: int) -> None:
    """With one number missing, and all but two items covered."""
    log, features = artists
    kept = np.arange(len(log.item_ids)) != 700
    moved = replace(log, item_ids=(log.item_ids.astype(int) + shift).astype(str))
    found = failures(moved, {name: rows[kept] for name, rows in features.items()}, log.item_ids[kept])
    assert all("content_agrees_with_behaviour" in one for one in found.values())


@pytest.mark.parametrize(
    "spoil",
    [np.random.default_rng(0).permutation, lambda rows: np.roll(rows, 17, axis=0), lambda rows: np.roll(rows, 700, 0)],
)
def test_rows_of_other_items_stop_the_run_after_a_sound_one(
    artists: tuple[Interactions, Features], spoil: Callable[[np.ndarray], np.ndarray]
) -> None:
    """No rule explains them, but yesterday the same encoder said more."""
    log, features = artists
    measured = measure_content(features, dict.fromkeys(features, log.item_ids), log, 2.0)
    before = {name: content.agreement.effect for name, content in measured.items()}
    spoiled = {name: spoil(rows) for name, rows in features.items()}
    found = failures(log, spoiled, log.item_ids, before)
    assert all("agreement_has_not_fallen" in one for one in found.values())
