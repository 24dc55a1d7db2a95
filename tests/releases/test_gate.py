"""The rule by which a candidate replaces what is served."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import Corrupt
from tasks.releases.gate import Candidate, Gate, choose_best, judge
from tasks.store import Champion

NIGHT = datetime(2026, 1, 2, 2, tzinfo=UTC)
scores = st.floats(0, 1)


def candidate(score: float, *, planned_at: datetime = NIGHT, dataset: str = "d1") -> Candidate:
    """A run with one model."""
    return Candidate(model="ease", scores={"ease": score}, dataset=dataset, planned_at=planned_at)


def champion(score: float) -> Champion:
    """A champion that was promoted with this score the night before."""
    gate = judge(candidate(score, planned_at=NIGHT - timedelta(days=1), dataset="d0"), None, 0.01)
    return Champion("films", "aa", "ease", "r0", NIGHT, 1, gate.model_dump(mode="json"))


@given(scores, scores, scores)
def test_a_candidate_may_lose_the_tolerance_and_no_more(mine: float, theirs: float, tolerance: float) -> None:
    """Passed exactly when the loss is within the tolerance."""
    found = judge(candidate(mine), champion(theirs), tolerance)
    assert found.passed == (theirs - mine <= tolerance)


@given(scores)
def test_anything_may_be_the_first(score: float) -> None:
    """Where nothing is served there is nothing to be worse than."""
    assert judge(candidate(score), None, 0.0).passed


@given(scores, scores)
def test_older_inputs_never_pass(mine: float, theirs: float) -> None:
    """Whatever the scores."""
    found = judge(candidate(mine, planned_at=NIGHT - timedelta(days=2)), champion(theirs), 1.0)
    assert not found.passed
    assert "older" in found.reason


def test_a_verdict_holds_both_sides() -> None:
    """Scores and datasets of both, so that a comparison across datasets can be seen for what it is."""
    found = Gate.model_validate(judge(candidate(0.25), champion(0.3), 0.01).model_dump(mode="json"))
    assert found.champion is not None
    assert (found.candidate.score, found.champion.score, found.tolerance) == (0.25, 0.3, 0.01)
    assert (found.candidate.dataset, found.champion.dataset) == ("d1", "d0")
    assert (
        found.reason
        == "ndcg@20 0.2500 is -0.0500 against 0.3000 of the champion, more than the tolerance of 0.01 below it"
    )


def test_the_best_model_has_the_highest_score() -> None:
    """And of equal ones the first."""
    assert choose_best({"a": 0.1, "b": 0.3, "c": 0.3}) == "b"


def test_a_champion_without_its_scores_cannot_be_compared_with() -> None:
    """A missing score does not count as zero."""
    with pytest.raises(Corrupt, match="without the scores"):
        judge(candidate(0.5), Champion("films", "aa", "ease", "r0", NIGHT, 1, {}), 0.01)
