"""The agreement of content and behaviour: its statistic, its moments, and what it makes of poor input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.data import Interactions
from tasks.quality import behaviour
from tasks.quality.behaviour import (
    FEWEST_ITEMS,
    Agreement,
    find_nearest,
    measure_agreement,
    measure_similarity,
    permuted_moments,
    sample_items,
)
from tests.quality.tastes import World, make_world, numbers


def measure(world: World, rows: np.ndarray | None = None) -> Agreement | None:
    """The agreement of all items, whose rows may be others."""
    place = {one: row for row, one in enumerate(world.ids.tolist())}
    joined = [place[one] for one in world.log.item_ids.tolist()]
    similarity = measure_similarity(world.log, np.arange(len(joined)))
    return measure_agreement(similarity, (world.rows if rows is None else rows)[joined])


@pytest.mark.parametrize("seed", range(5))
def test_content_agrees_in_a_sound_join_and_not_when_rows_are_permuted(seed: int) -> None:
    """Users like kinds, and features tell them."""
    world = make_world(numbers(200), seed)
    sound = measure(world)
    permuted = measure(world, np.random.default_rng(seed).permutation(world.rows))
    assert sound is not None
    assert permuted is not None
    assert sound.z > 20
    assert abs(permuted.z) < 4
    assert abs(permuted.effect) < sound.effect / 5


@pytest.mark.slow
@given(seed=st.integers(0, 2**32), size=st.integers(12, 30))
def test_moments_are_those_of_permutations(seed: int, size: int) -> None:
    """The formula replaces a sample of permutations."""
    rng = np.random.default_rng(seed)
    similarity = rng.gamma(0.5, size=(size, size))
    similarity = (similarity + similarity.T) * (1 - np.eye(size))
    nearest = find_nearest(rng.normal(size=(size, 4)).astype(np.float32))
    orders = [rng.permutation(size) for _ in range(2000)]
    left = np.repeat(np.arange(size), nearest.shape[1])
    means = [similarity[order[left], order[nearest.ravel()]].mean() for order in orders]
    mean, deviation = permuted_moments(similarity, nearest)
    assert mean == pytest.approx(np.mean(means), abs=6 * deviation / np.sqrt(len(means)))
    assert deviation == pytest.approx(np.std(means), rel=0.15)


@pytest.mark.slow
@given(seed=st.integers(0, 2**32))
def test_the_order_of_items_makes_no_difference(seed: int) -> None:
    """Nor does the order of the log."""
    world = make_world(numbers(80), 3, users=90)
    rng = np.random.default_rng(seed)
    order, rows = rng.permutation(len(world.ids)), rng.permutation(len(world.log))
    other = World(world.log.take(rows), world.ids[order], world.rows[order])
    before, after = measure(world), measure(other)
    assert before is not None
    assert after is not None
    assert after.z == pytest.approx(before.z, abs=1e-3)
    assert after.effect == pytest.approx(before.effect, abs=1e-4)


@pytest.mark.slow
def test_the_effect_hardly_depends_on_the_number_of_items_and_z_does() -> None:
    """So nights are compared by the effect."""
    world = make_world(numbers(500), 1, users=1500)
    part = world.log.take(np.isin(world.log.item_ids, world.ids[:120])[world.log.items])
    small, large = measure(World(part, world.ids, world.rows)), measure(world)
    assert small is not None
    assert large is not None
    assert large.z > 1.5 * small.z
    assert large.effect == pytest.approx(small.effect, rel=0.25)


def test_popularity_is_no_agreement() -> None:
    """Features that tell only how popular an item is say nothing about who takes it."""
    world = make_world(numbers(200), 2)
    counts = np.zeros(200)
    counts[world.log.item_ids.astype(int) - 1] = np.bincount(world.log.items)
    tastes = np.random.default_rng(2).integers(10_000, size=len(world.log)).astype(np.int32)  # users without taste
    log = Interactions(tastes, world.log.items, np.arange(10_000).astype(str), world.log.item_ids)
    rows = np.stack([np.log1p(counts), np.random.default_rng(3).normal(size=200)], axis=1).astype(np.float32)
    popular = measure(World(log.take(np.arange(len(log))), world.ids, rows))
    assert popular is not None
    assert abs(popular.z) < 4


@pytest.mark.parametrize("size", [FEWEST_ITEMS - 1, 1, 0])
def test_few_items_are_not_measured(size: int) -> None:
    """Chance would decide."""
    assert measure_agreement(np.zeros((size, size), np.float32), np.ones((size, 4), np.float32)) is None


def test_a_log_without_anything_to_compare_is_not_measured() -> None:
    """One user who took everything, and users who took one item each."""
    ids = numbers(60)
    everything = Interactions(np.zeros(60, np.int32), np.arange(60, dtype=np.int32), np.array(["u"]), ids)
    single = Interactions(np.arange(60, dtype=np.int32), np.arange(60, dtype=np.int32), numbers(60), ids)
    rows = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    for log in (everything, single):
        assert measure_agreement(measure_similarity(log, np.arange(60)), rows) is None


def test_constant_features_agree_with_nothing() -> None:
    """No item is nearer than another."""
    world = make_world(numbers(200), 4)
    flat = measure(world, np.ones_like(world.rows))
    assert flat is not None
    assert np.isfinite(flat.z)


def test_pairs_that_are_in_the_log_twice_count_once() -> None:
    """A log may repeat a row."""
    log = make_world(numbers(60), 5, users=50).log
    codes = np.arange(len(log.item_ids))
    twice = log.take(np.repeat(np.arange(len(log)), 2))
    np.testing.assert_array_equal(measure_similarity(log, codes), measure_similarity(twice, codes))


@given(size=st.integers(1, 300), new=st.integers(0, 50), most=st.integers(1, 100))
def test_the_sample_of_a_growing_catalogue_stays(size: int, new: int, most: int) -> None:
    """Whatever leaves it makes room for a new item."""
    ids = numbers(size + new)
    before, after = (set(ids[sample_items(ids[:count], most)]) for count in (size, size + new))
    assert len(before) == min(size, most)
    assert after - before <= set(ids[size:])


def test_large_logs_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Users beyond the bound are left out, the same ones each time."""
    log = make_world(numbers(60), 6, users=300).log
    codes = np.arange(len(log.item_ids))
    whole = measure_similarity(log, codes)
    monkeypatch.setattr(behaviour, "MOST_USERS", 150)
    part = measure_similarity(log, codes)
    assert not np.array_equal(part, whole)
    np.testing.assert_array_equal(part, measure_similarity(log, codes))
