"""The best release of thirty days, from the differences that the gate recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tasks.releases.gate import Candidate, ChampionScore, Gate, Reference
from tasks.releases.reference import WINDOW, best_release
from tasks.store import Champion, Promotion
from tests.releases.test_gate import compared

NOW = datetime(2026, 3, 1, 2, tzinfo=UTC)


def gate(
    release: str,
    before: str | None,
    change: float | None,
    *,
    reference: tuple[str, float] | None = None,
    forced: bool = False,
) -> Gate:
    """The report of `release`, which differs from the champion of its time, and perhaps from a reference."""
    facts = {"model": "m", "dataset": "d"}
    served = None if before is None else ChampionScore(release=before, run="r", score=0.3, **facts)
    tie = None if before is None or change is None else compared(before, change - 0.001, change + 0.001)
    best = None
    if reference is not None:
        name, level = reference
        best = Reference(release=name, comparison=compared(name, level - 0.001, level + 0.001))
    return Gate(
        passed=True,
        reason="",
        metric="ndcg@20",
        tolerance=0.01,
        candidate=Candidate(scores={"m": 0.3}, planned_at=NOW, release=release, **facts),
        champion=served,
        comparison=tie,
        reference=best,
        forced="worse" if forced else None,
    )


def best(*gates: Gate, days: dict[str, int] | None = None) -> str:
    """The best, with the last of `gates` as the champion; promoted one night after the other, or `days` ago."""
    names = [str(one.candidate.release) for one in gates]
    ages = {name: len(gates) - n for n, name in enumerate(names)} | (days or {})
    promotions = [
        Promotion(name, NOW - timedelta(days=ages[name]), one.model_dump(mode="json"))
        for name, one in zip(names, gates, strict=True)
    ]
    last = promotions[-1]
    served = Champion("d", last.release, "m", "r", last.created_at, 1, last.gate)
    return best_release(served, [one for one in promotions if one.created_at >= NOW - WINDOW])


def test_losses_add_up_along_the_chain() -> None:
    """Each a little worse than the one before: the first is the best."""
    assert best(gate("a", None, None), gate("b", "a", -0.004), gate("c", "b", -0.004)) == "a"


def test_a_gain_makes_a_new_best() -> None:
    """A release between is the best when the rest is below it; the champion when nothing is."""
    chain = gate("a", None, None), gate("b", "a", 0.02), gate("c", "b", -0.004)
    assert best(*chain) == "b"
    assert best(*chain[:2]) == "b"


def test_after_thirty_days_a_release_is_no_reference() -> None:
    """The best of those that are younger takes its place; the champion is one whatever its age."""
    chain = gate("a", None, None), gate("b", "a", -0.004), gate("c", "b", -0.004)
    assert best(*chain, days={"a": 31}) == "b"
    assert best(*chain, days={"a": 33, "b": 32, "c": 31}) == "c"


def test_a_direct_comparison_counts_more_than_a_sum() -> None:
    """By the sum, a is above c by .008; c was compared with a itself, and is better."""
    chain = gate("a", None, None), gate("b", "a", -0.004), gate("c", "b", -0.004, reference=("a", 0.003))
    assert best(*chain) == "b"


def test_a_forced_release_begins_anew() -> None:
    """What somebody published knowingly is not held against those that follow."""
    assert best(gate("a", None, None), gate("b", "a", -0.3, forced=True), gate("c", "b", -0.001)) == "b"


def test_a_release_that_was_not_compared_begins_anew() -> None:
    """Its level relative to those before it is unknown."""
    assert best(gate("a", None, None), gate("b", "a", None), gate("c", "b", 0.001)) == "c"


def test_after_a_rollback_what_was_withdrawn_is_no_reference() -> None:
    """b was promoted after a and taken back: c descends from a alone."""
    assert best(gate("a", None, None), gate("b", "a", 0.5), gate("c", "a", 0.001)) == "c"


def test_a_chain_that_comes_back_ends() -> None:
    """a was promoted, then b against it, then a again by a rollback, then b with the same content."""
    assert best(gate("a", "b", 0.001), gate("b", "a", -0.001)) == "a"


def test_a_report_that_cannot_be_read_ends_the_chain() -> None:
    """As those of a version that nobody knows here."""
    served = Champion("d", "b", "m", "r", NOW, 1, {"odd": 1})
    assert best_release(served, []) == "b"
