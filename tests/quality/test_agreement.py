"""Content and behaviour in sound joins, and in joins with each fault that leaves all counts as they were."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest

from tasks.quality import behaviour, content
from tasks.quality.agreement import AgreementLimits, agreement_tables
from tasks.quality.content import measure_content
from tasks.quality.report import SAMPLE
from tasks.quality.suite import Rule, Table, validate
from tests.quality.tastes import World, make_world, numbers

SIZE = 300
LIMITS = AgreementLimits()
GAPS = (np.arange(2, 3 * SIZE)[np.random.default_rng(0).permutation(3 * SIZE - 2)[:SIZE]]).astype(str)
AGREES, TELLS, KEPT = "content_agrees_with_behaviour", "content_tells_behaviour", "agreement_has_not_fallen"


@dataclass(frozen=True)
class Result:
    """What Great Expectations makes of a rule about one fact, without its half second."""

    success: bool
    severity: str
    observed: str
    sample_ids: list[str]

    @classmethod
    def of(cls, table: Table, rule: Rule) -> Result:
        """The fact that the rule is about, and its evidence."""
        assert rule.evidence is not None
        fact = bool(table.frame[str(rule.arguments["column"])].item())
        return cls(fact, rule.severity, rule.evidence.observed, list(rule.evidence.sample)[:SAMPLE])


def check(world: World, before: Mapping[str, float] | None = None, *, trust_ids: bool = False) -> dict[str, Result]:
    """The results about one feature, by the name of the expectation; none, if it cannot be measured."""
    known = {"text": world.ids}
    contents = measure_content({"text": world.rows}, known, world.log, LIMITS.clearly_better)
    tables = agreement_tables(contents, known, world.log, LIMITS, before=before, trust_ids=trust_ids)
    return {rule.name: Result.of(table, rule) for table in tables for rule in table.rules}


def failures(results: Mapping[str, Result]) -> dict[str, str]:
    """Expectation -> severity of what failed."""
    return {name: one.severity for name, one in results.items() if not one.success}


def shift(by: int) -> Callable[[World], World]:
    """The log's ids are numbers that are off by some."""
    return lambda world: world.rename_logged({one: str(int(one) + by) for one in world.ids.tolist()}).keep_known()


def lose_one(world: World) -> World:
    """The log is off by one, and the features lack a number in the middle: no side is gapless."""
    kept = world.ids != str(SIZE // 2)
    return replace(shift(1)(world), ids=world.ids[kept], rows=world.rows[kept]).keep_known()


def renumber(first: int, key: Callable[[str], object]) -> Callable[[World], World]:
    """The log's items are counted in an order of their ids, and the log is thinned to the ids of features."""

    def spoil(world: World) -> World:
        names = {one: str(first + place) for place, one in enumerate(sorted(world.ids.tolist(), key=key))}
        return world.rename_logged(names).keep_known()

    return spoil


def number_rows(world: World) -> World:
    """The features are keyed by the rank of their item in the log by first appearance, from 1."""
    seen = dict.fromkeys(world.log.item_ids[world.log.items].tolist())
    first = {one: str(1 + place) for place, one in enumerate(seen)}
    kept = np.isin(world.ids, world.log.item_ids)
    ids = np.array([first[one] for one in world.ids[kept].tolist()])
    return replace(world, ids=ids, rows=world.rows[kept])


def roll(by: int) -> Callable[[World], World]:
    """The rows of features have slipped against their ids, in the order of the ids."""

    def spoil(world: World) -> World:
        order = np.argsort(world.ids.astype(int))
        rows = world.rows.copy()
        rows[order] = np.roll(world.rows[order], by, axis=0)
        return replace(world, rows=rows)

    return spoil


def permute(world: World) -> World:
    return replace(world, rows=np.random.default_rng(8).permutation(world.rows))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("ids", [GAPS, numbers(SIZE), np.array([f"film-{one}" for one in range(SIZE)])])
def test_sound_joins_pass(seed: int, ids: np.ndarray) -> None:
    """Numbers with and without gaps, and names."""
    results = check(make_world(ids, seed))
    assert set(results) == {AGREES, TELLS}
    assert failures(results) == {}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("ids", "spoil", "words"),
    [
        (numbers(SIZE), shift(1), "id - 1"),
        (numbers(SIZE), shift(-1), "id + 1"),
        (numbers(SIZE), lose_one, "id - 1"),
        (GAPS, roll(1), "the next id"),
        (GAPS, roll(-1), "the id before"),
        (GAPS, renumber(0, int), "number id of the features sorted as numbers, counted from 0"),
        (GAPS, renumber(1, int), "number id of the features sorted as numbers, counted from 1"),
        (GAPS, renumber(1, str), "number id of the features sorted as text, counted from 1"),
        (GAPS, number_rows, "the same rank, of the log by first appearance and of the features sorted as numbers"),
    ],
)
def test_the_join_that_was_meant_is_named(
    ids: np.ndarray, spoil: Callable[[World], World], words: str, seed: int
) -> None:
    """It stops the run, and both figures are told with items."""
    spoiled = spoil(make_world(ids, seed))
    result = check(spoiled)[AGREES]
    assert (result.success, result.severity) == (False, "critical")
    assert f"taking the row of {words} gives z " in result.observed
    assert set(result.sample_ids) <= set(spoiled.ids)
    assert len(result.sample_ids) == 10


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [permute, roll(17), roll(SIZE // 2)])
def test_rows_of_other_items_that_no_rule_explains_are_a_warning(spoil: Callable[[World], World]) -> None:
    """Without a run before, they cannot be told from the rows of a weak encoder."""
    world = make_world(GAPS, 1)
    assert failures(check(spoil(world))) == {TELLS: "warning"}


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [permute, roll(17), roll(SIZE // 2)])
def test_after_a_run_with_agreement_they_stop_the_run(spoil: Callable[[World], World]) -> None:
    """The encoder said more yesterday."""
    world = make_world(GAPS, 1)
    before = {"text": effect(world)}
    assert failures(check(world, before)) == {}
    results = check(spoil(world), before)
    assert failures(results) == {TELLS: "warning", KEPT: "critical"}
    assert f" after {before['text']:.3f}" in results[KEPT].observed


def test_a_weak_encoder_stays_weak_without_stopping_a_run() -> None:
    """Half of nearly nothing is nothing that can be told from it."""
    world = make_world(GAPS, 2, noise=30.0)
    assert failures(check(world, {"text": 0.05})) == {TELLS: "warning"}


@pytest.mark.parametrize("seed", range(5))
def test_a_growing_catalogue_keeps_its_agreement(seed: int) -> None:
    """A tenth of the users and of the items is new."""
    world = make_world(GAPS, seed)
    old = np.isin(world.log.item_ids, world.ids[: 9 * SIZE // 10])[world.log.items] & (world.log.users < 360)
    before = replace(world, log=world.log.take(old), ids=world.ids[:270], rows=world.rows[:270])
    assert failures(check(world, {"text": effect(before)})) == {}


def test_a_thinned_numbering_that_content_does_not_explain_stops_the_run() -> None:
    """As published: counted in an order of its own, thinned to known ids, all counts in order, content silent."""
    rng = np.random.default_rng(3)
    world = make_world(GAPS, 3, users=1500)
    places = dict(zip(world.ids.tolist(), rng.permutation(SIZE).astype(str).tolist(), strict=True))
    thinned = world.rename_logged(places).keep_known()
    results = check(thinned)
    assert failures(results) == {TELLS: "critical"}
    assert "none above, as a renumbering leaves it" in results[TELLS].observed
    assert failures(check(thinned, trust_ids=True)) == {TELLS: "warning"}


def test_a_catalogue_whose_newest_items_nobody_has_taken_passes() -> None:
    """Its ids look the same, and its content speaks."""
    world = make_world(numbers(SIZE), 4)
    old = world.rename_logged({one: one for one in world.ids[:200].tolist()})
    assert failures(check(old)) == {}


@pytest.mark.slow
def test_songs_of_one_artist_are_no_better_join() -> None:
    """A log in order of time and rows in order of artists agree in any order, and one step aside as well."""
    users, songs = 300, 300
    world = make_world(numbers(songs), 5)
    sessions = np.repeat(np.arange(users), 10).astype(np.int32)
    played = (np.arange(users)[:, None] * songs // users + np.arange(10)) % songs  # sessions move through the catalogue
    order = np.random.default_rng(5).permutation(songs)
    log = replace(world.log, users=sessions, items=played.ravel().astype(np.int32), item_ids=world.ids[order])
    artists = np.repeat(np.random.default_rng(6).normal(size=(30, 24)), 10, axis=0).astype(np.float32)
    assert AGREES not in failures(check(World(log.take(np.arange(len(log))), world.ids, artists)))


def spoil_rows(world: World) -> World:
    """Rows of zeros and rows that are not finite, which have rules of their own."""
    rows = world.rows.copy()
    rows[:20], rows[20:40] = 0, np.nan
    return replace(world, rows=rows)


def test_rows_that_cannot_be_compared_are_left_out() -> None:
    """The others are still measured."""
    world = spoil_rows(make_world(GAPS, 6))
    (measured,) = measure_content({"text": world.rows}, {"text": world.ids}, world.log, 2.0).values()
    assert measured.agreement.items <= SIZE - 40
    assert failures(check(world)) == {}


def test_nothing_is_said_about_what_cannot_be_measured() -> None:
    """A small catalogue, features of other items, one user, and an array that is no matrix with keys."""
    world = make_world(numbers(60), 7, users=30)
    small = world.rename_logged({one: one for one in world.ids[:49].tolist()})
    alone = replace(world, log=replace(world.log, users=np.zeros_like(world.log.users)))
    for other in (
        small,
        replace(world, ids=np.array([f"x{one}" for one in world.ids])),
        replace(world, rows=np.ones((60, 2, 2), np.float32)),
        replace(world, rows=world.rows[:-1]),
        replace(alone, log=alone.log.take(np.arange(len(alone.log)))),
    ):
        assert check(other) == {}


@pytest.mark.slow
def test_a_large_catalogue_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """No matrix between all items is made, and the result is the same each time."""
    sizes = []
    measure = behaviour.find_nearest
    monkeypatch.setattr(behaviour, "find_nearest", lambda rows: sizes.append(len(rows)) or measure(rows))
    world = make_world(numbers(3000), 8, users=600)
    first, again = check(world), check(world)
    assert first == again
    assert failures(first) == {}
    assert max(sizes) <= behaviour.MOST_ITEMS


def test_of_a_large_catalogue_the_popular_items_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two items that few users took share nobody, whatever their content is."""
    world = make_world(numbers(SIZE), 9)
    monkeypatch.setattr(content, "MOST_POPULAR", 100)
    seen = []
    measure = content.measure_similarity
    monkeypatch.setattr(content, "measure_similarity", lambda log, codes: seen.append(codes) or measure(log, codes))
    assert failures(check(world)) == {}
    counts = np.bincount(world.log.items)
    assert len(seen[0]) == 100
    assert counts[seen[0]].min() >= np.sort(counts)[-100]


@pytest.mark.slow
def test_the_rules_are_those_of_the_suite() -> None:
    """What is critical stops, and a warning informs."""
    world = make_world(GAPS, 1)
    for spoiled, success in ((world, True), (permute(world), True), (roll(1)(world), False)):
        arrays, known = {"text": spoiled.rows}, {"text": spoiled.ids}
        contents = measure_content(arrays, known, spoiled.log, LIMITS.clearly_better)
        report = validate("suite", agreement_tables(contents, known, spoiled.log, LIMITS))
        assert report.success is success
        assert len(report.warnings) == (spoiled is not world)


def effect(world: World) -> float:
    """The effect that a run would keep."""
    return measure_content({"text": world.rows}, {"text": world.ids}, world.log, 2.0)["text"].agreement.effect
