"""The rule by which a candidate replaces what is served."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import Corrupt
from tasks.metrics import UserValues
from tasks.releases.comparison import NIGHTS, Comparison, Figures, Incomparable, measure, show
from tasks.releases.gate import Candidate, Gate, Rules, choose_best, judge
from tasks.releases.twins import Pair
from tasks.store import Champion

NIGHT = datetime(2026, 1, 2, 2, tzinfo=UTC)
RULES = Rules(tolerance=0.01)
bounds = st.tuples(st.floats(-1, 1), st.floats(-1, 1)).map(sorted)


def candidate(score: float = 0.25, *, inputs: int | None = 5, release: str = "bb") -> Candidate:
    """A run with one model."""
    facts = {"planned_at": NIGHT, "release": release, "split": "random", "inputs": inputs}
    return Candidate(model="ease", scores={"ease": score}, dataset="d1", **facts)


def champion(release: str = "aa", inputs: int | None = 4) -> Champion:
    """A champion that was promoted the night before."""
    gate = judge(candidate(0.3, release=release), None, RULES, nobody)
    return Champion("films", release, "ease", "r0", NIGHT, 1, gate.model_dump(mode="json"), inputs)


def nobody(release: str) -> Comparison | Incomparable:
    """Nothing may be compared."""
    raise AssertionError(release)


def figures(low: float, high: float, users: int = 1234) -> Figures:
    """A difference in the middle of its bounds."""
    middle = (low + high) / 2
    return Figures(
        candidate=0.25 + middle, other=0.25, difference=middle, low=low, high=high, users=users, rows=9, items=7
    )


def compared(release: str, low: float, high: float, users: int = 1234) -> Comparison:
    """The same for both sets of items."""
    return Comparison(release=release, known=figures(low, high, users), catalogue=figures(low, high, users))


@given(bounds, st.floats(0, 1))
def test_promoted_is_what_excludes_a_loss_of_more_than_the_tolerance(pair: list[float], tolerance: float) -> None:
    """By the lower bound that holds for thirty nights together, and by nothing else."""
    found = judge(candidate(), champion(), Rules(tolerance), lambda release: compared(release, *pair))
    assert found.passed == (figures(*pair).over(NIGHTS).low >= -tolerance)
    assert found.proved


@given(bounds, st.floats(0, 1))
def test_the_champion_is_compared_with_for_one_night_where_another_release_was_better(
    pair: list[float], tolerance: float
) -> None:
    """Then the thirty nights are those of the better one, which bounds what is lost in sum."""
    against = {"aa": compared("aa", *pair), "best": compared("best", 0.5, 0.5)}
    found = judge(candidate(), champion(), Rules(tolerance), against.__getitem__, "best")
    assert found.passed == (pair[0] >= -tolerance)


def test_bounds_for_many_nights_leave_out_less_each() -> None:
    """z of 1 - .05 / 30 is 2.935, and that of .95 is 1.645: 1.784 times as far from the difference."""
    wide = figures(-0.01, 0.03).over(NIGHTS)
    assert wide.difference == pytest.approx(0.01)
    assert wide.low == pytest.approx(0.01 - 1.7843 * 0.02, abs=1e-5)
    assert wide.high == pytest.approx(0.01 + 1.7843 * 0.02, abs=1e-5)
    assert figures(-0.01, 0.03).over(1).low == pytest.approx(-0.01)


def test_anything_may_be_the_first() -> None:
    """Where nothing is served there is nothing to be worse than, and nothing is compared."""
    found = judge(candidate(0.0), None, RULES, nobody)
    assert (found.passed, found.reason) == (True, "nothing is served yet")


def test_older_inputs_never_pass() -> None:
    """Whatever the scores: nothing is compared."""
    found = judge(candidate(1.0, inputs=3), champion(), RULES, nobody)
    assert not found.passed
    assert found.reason == "its inputs, number 3 of the dataset, are older than those of the champion, number 4"


@pytest.mark.parametrize(("mine", "served"), [(4, 4), (5, 4), (None, 4), (1, None)])
def test_equal_and_newer_inputs_are_compared_and_so_are_those_of_earlier_versions(
    mine: int | None, served: int | None
) -> None:
    """Only what is known to be older is refused for it; which is right is what the metrics say."""
    found = judge(candidate(inputs=mine), champion(inputs=served), RULES, lambda release: compared(release, 0.04, 0.1))
    assert found.passed


def test_the_content_of_the_champion_passes() -> None:
    """A task that is cleared and repeated compares nothing with itself."""
    found = judge(candidate(release="aa"), champion(), RULES, nobody)
    assert (found.passed, found.reason) == (True, "it has the content of the champion")


def test_a_verdict_holds_the_figures_of_both() -> None:
    """On the same rows, with bounds, users, rows and candidates; and it reads back as it was."""
    found = judge(candidate(), champion(), RULES, lambda release: compared(release, -0.03, -0.005))
    assert found.reason == (
        "ndcg@20 .2325 (-.0175, -.0300 to -.0050) against the champion on 1,234 users: "
        "a loss of more than the tolerance of 0.01 is not excluded (for 30 nights together down to -.0398)"
    )
    assert found.figures == "ndcg@20 .2325 (-.0175, -.0300 to -.0050)"
    facts = found.model_dump(mode="json")
    assert facts["comparison"]["known"] | {"difference": 0, "candidate": 0} == {
        "candidate": 0,
        "other": 0.25,
        "difference": 0,
        "low": -0.03,
        "high": -0.005,
        "users": 1234,
        "rows": 9,
        "items": 7,
    }
    assert Gate.model_validate(facts) == found


def test_too_few_users_are_said_and_how_many_are_needed() -> None:
    """Bounds three tolerances apart: ((2.935 + .842) / (2 * 1.645) * 3)^2 = 11.86 times the users."""
    rules, wide = RULES, lambda release: compared(release, -0.015, 0.015, users=1000)
    found = judge(candidate(), champion(), rules, wide)
    assert not found.passed
    assert "about 11,863 users are needed; publish it with --force-publish, or set when_incomparable" in found.reason
    promoted = judge(candidate(), champion(), Rules(0.01, "promote"), wide)
    assert (promoted.passed, promoted.proved) == (True, False)
    assert promoted.reason.startswith("promoted without evidence (when_incomparable): ndcg@20")


def test_where_something_speaks_against_it_few_users_are_no_excuse() -> None:
    """An upper bound below 0 shows a loss, however wide the interval."""
    found = judge(candidate(), champion(), Rules(0.01, "promote"), lambda release: compared(release, -0.09, -0.001))
    assert not found.passed
    assert "are needed" not in found.reason


def test_a_loss_that_is_shown_is_called_one() -> None:
    """Where even the upper bound is a loss of more than the tolerance, nothing is left in doubt."""
    found = judge(candidate(), champion(), Rules(0.01), lambda release: compared(release, -0.09, -0.02))
    assert found.reason.endswith("on 1,234 users: worse by more than the tolerance of 0.01")


def test_without_a_tolerance_only_what_is_no_loss_passes() -> None:
    """And no number of users would help a model that is as good, so none is named."""
    found = judge(candidate(), champion(), Rules(0.0, "promote"), lambda release: compared(release, -0.001, 0.009))
    assert not found.passed
    assert judge(candidate(), champion(), Rules(0.0), lambda release: compared(release, 0.004, 0.009)).passed


def test_what_cannot_be_compared_is_refused_or_by_configuration_promoted() -> None:
    """Both say why."""
    reason = "release aa was evaluated on the split 'random', this run on 'time'"
    refused = judge(candidate(), champion(), RULES, lambda _: Incomparable(reason))
    assert (refused.passed, refused.incomparable) == (False, reason)
    assert refused.reason.endswith("nothing to compare with; publish it with --force-publish, or set when_incomparable")
    assert refused.figures == "ndcg@20 .2500, not compared"
    promoted = judge(candidate(), champion(), Rules(0.01, "promote"), lambda _: Incomparable(reason))
    assert (promoted.passed, promoted.proved, promoted.incomparable) == (True, False, reason)


@pytest.mark.parametrize("against", [compared("aa", -0.09, -0.05), Incomparable("nothing in common")])
def test_force_publishes_and_keeps_what_it_overrode(against: Comparison | Incomparable) -> None:
    """The report says what would have happened."""
    rejected = judge(candidate(), champion(), RULES, lambda _: against)
    forced = judge(candidate(), champion(), Rules(0.01, force=True), lambda _: against)
    assert (rejected.passed, forced.passed, forced.proved) == (False, True, False)
    assert forced.forced is not None
    assert rejected.reason.startswith(forced.forced)
    assert forced.comparison == rejected.comparison


def test_force_overrides_nothing_where_nothing_is_rejected() -> None:
    """A release that would have passed is not recorded as forced."""
    found = judge(candidate(), champion(), Rules(0.01, force=True), lambda release: compared(release, 0.0, 0.01))
    assert (found.passed, found.forced, found.proved) == (True, None, True)


def test_small_losses_do_not_add_up() -> None:
    """Within the tolerance of the champion, and not within that of the best release of thirty days: rejected."""
    against = {"aa": compared("aa", -0.005, 0.0), "best": compared("best", -0.02, -0.015)}
    found = judge(candidate(), champion(), RULES, against.__getitem__, "best")
    assert not found.passed
    assert "against release best, the best of the last thirty days" in found.reason
    assert found.reference is not None
    assert found.reference.comparison == against["best"]
    assert judge(candidate(), champion(), RULES, against.__getitem__, "aa").passed


def test_a_reference_that_cannot_be_compared_with_is_said() -> None:
    """It does not stand in the way of a candidate that is as good as the champion."""
    against = {"aa": compared("aa", 0.0, 0.01), "best": Incomparable("release best is not in the store")}
    found = judge(candidate(), champion(), RULES, against.__getitem__, "best")
    assert found.passed
    assert found.reason.endswith(
        "not compared with release best, the best of the last thirty days: release best is not in the store"
    )
    assert found.reference is not None
    assert found.reference.incomparable == "release best is not in the store"


def test_a_report_of_an_earlier_version_can_be_read() -> None:
    """What it does not say is unknown; its scores and times are there."""
    old = {
        "passed": True,
        "reason": "ndcg@20 0.3000 is +0.0000 against 0.3000 of the champion",
        "metric": "ndcg@20",
        "tolerance": 0.01,
        "candidate": {"model": "ease", "figures": {"ease": 0.3}, "dataset": "d0", "planned_at": "2026-01-01T02:00:00Z"},
        "champion": {"release": "99", "model": "ease", "run": "r", "figure": 0.3, "dataset": "d"},
    }
    served = Champion("films", "aa", "ease", "r0", NIGHT, 1, old)
    found = judge(candidate(), served, RULES, lambda release: compared(release, 0.0, 0.01))
    assert found.passed
    assert found.champion is not None
    assert found.champion.score == 0.3


def test_the_best_model_has_the_highest_score() -> None:
    """And of equal ones the first."""
    assert choose_best({"a": 0.1, "b": 0.3, "c": 0.3}) == "b"


def test_a_champion_without_its_report_cannot_be_replaced_unseen() -> None:
    """Nothing is assumed of when its inputs were taken."""
    with pytest.raises(Corrupt, match="without the scores"):
        judge(candidate(), Champion("films", "aa", "ease", "r0", NIGHT, 1, {}), RULES, nobody)


def test_bounds_are_those_of_one_sided_confidence() -> None:
    """Over many draws, the mean of normal differences is below the lower bound about once in twenty."""
    rng = np.random.default_rng(0)
    users = np.arange(200)

    def values(drawn: np.ndarray) -> UserValues:
        return UserValues(users, (20,), {"ndcg": drawn[:, None]})

    drawn = [rng.normal(0, 0.1, 200) for _ in range(400)]
    found = [measure(Pair(values(one), values(np.zeros(200)), 1, 1), resamples=500) for one in drawn]
    assert 0.02 <= np.mean([one.low > 0 for one in found]) <= 0.085
    assert 0.02 <= np.mean([one.high < 0 for one in found]) <= 0.085


@pytest.mark.parametrize(
    ("value", "sign", "text"),
    [
        (0.2497, "-", ".2497"),
        (0.0021, "+", "+.0021"),
        (-0.0004, "+", "-.0004"),
        (-0.00004, "+", "+.0000"),
        (1.0, "-", "1.0000"),
    ],
)
def test_figures_are_shown_as_in_tables(value: float, sign: str, text: str) -> None:
    """Four places, without the zero before the point."""
    assert show(value, sign) == text
