"""The gate: decides whether the best model of a run may replace the champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import AwareDatetime, Field, FiniteFloat, ValidationError

from tasks.errors import Corrupt
from tasks.metrics import DECIDES
from tasks.releases.comparison import NIGHTS, Compare, Comparison, Figures, Incomparable, Recorded, show
from tasks.runs.config import Strict, WhenIncomparable
from tasks.store import Champion


class Candidate(Recorded):
    """The best model of a run with the scores of all models, the dataset it was trained on and the release to be.

    `inputs`: number of the state of the inputs that it comes from; one with a lower number is older.
    """

    model: str
    scores: dict[str, FiniteFloat] = Field(validation_alias="figures", serialization_alias="figures")
    dataset: str
    planned_at: AwareDatetime
    release: str | None = None  # unknown in reports of earlier versions
    split: str | None = None
    inputs: int | None = None

    @property
    def score(self) -> float:
        """The score of the candidate on all its validation rows."""
        return self.scores[self.model]


class ChampionScore(Recorded):
    """The champion and its score at its promotion, on the validation rows of then."""

    release: str
    model: str
    run: str
    score: FiniteFloat = Field(validation_alias="figure", serialization_alias="figure")
    dataset: str


class Reference(Recorded):
    """The best release of the last thirty days; it is not compared with if it is the champion."""

    release: str
    comparison: Comparison | None = None
    incomparable: str | None = None


class Gate(Strict):
    """The decision of the gate with all its inputs; what reports of earlier versions lack is None."""

    passed: bool
    reason: str
    metric: str
    tolerance: float
    candidate: Candidate
    champion: ChampionScore | None
    comparison: Comparison | None = None
    incomparable: str | None = None
    reference: Reference | None = None
    forced: str | None = Field(default=None, description="the reason for which it would have been rejected")
    proved: bool = Field(default=True, description="False: published by force, or by when_incomparable")

    @property
    def figures(self) -> str:
        """The candidate's metric, its difference to the champion and the bounds, for a closing line or an email."""
        if self.comparison is not None:
            return str(self.comparison.known)
        return f"{DECIDES} {show(self.candidate.score)}, not compared"


@dataclass(frozen=True)
class Rules:
    """The settings of the gate; `force` publishes what it would reject."""

    tolerance: float
    when_incomparable: WhenIncomparable = "refuse"
    force: bool = False


@dataclass(frozen=True)
class Verdict:
    """One sentence of the gate; not `told`: nothing speaks against the candidate, but too little for it."""

    passed: bool
    reason: str
    told: bool = True


def choose_best(scores: Mapping[str, float]) -> str:
    """The model with the highest score; of equal ones the first, by the order of the plan."""
    return max(scores, key=lambda model: scores[model])


def judge(
    candidate: Candidate, champion: Champion | None, rules: Rules, compare: Compare, reference: str | None = None
) -> Gate:
    """Decide whether `candidate` may replace the champion.

    With 95 % confidence, its twin must not be worse than the champion's by more than the tolerance on the same rows,
    nor than that of `reference`, the best release of the last thirty days, so that small losses do not add up; there
    the confidence is of thirty nights together, since one lucky candidate of many would do to pass. Older inputs than
    the champion's are rejected. Raises Corrupt if the champion was recorded without its scores.
    """
    report = Gate(
        passed=True,
        reason="nothing is served yet",
        metric=DECIDES,
        tolerance=rules.tolerance,
        candidate=candidate,
        champion=None,
    )
    if champion is None:
        return report
    before = read_gate(champion)
    served = ChampionScore(
        release=champion.release,
        model=champion.model,
        run=champion.run,
        score=before.candidate.score,
        dataset=before.candidate.dataset,
    )
    report = report.model_copy(update={"champion": served})
    if candidate.inputs is not None and champion.inputs is not None and candidate.inputs < champion.inputs:
        reason = (
            f"its inputs, number {candidate.inputs} of the dataset, are older than those of the champion, number "
            f"{champion.inputs}"
        )
        return _close(report, rules, Verdict(False, reason))
    if candidate.release == champion.release:
        return report.model_copy(update={"reason": "it has the content of the champion"})
    return _compare(report, served.release, reference or served.release, rules, compare)


def _compare(report: Gate, champion: str, reference: str, rules: Rules, compare: Compare) -> Gate:
    """Judge by the comparison with the champion, and, unless that speaks against it, with the reference."""
    against = compare(champion)
    if isinstance(against, Incomparable):
        verdict = Verdict(False, f"{against.reason}: nothing to compare with", told=False)
        return _close(report.model_copy(update={"incomparable": against.reason}), rules, verdict)
    report = report.model_copy(update={"comparison": against})
    nights = NIGHTS if reference == champion else 1
    verdict = compare_with_tolerance(against.known, rules.tolerance, "the champion", nights)
    if reference == champion:
        return _close(report.model_copy(update={"reference": Reference(release=champion)}), rules, verdict)
    if verdict.told and not verdict.passed:
        return _close(report, rules, verdict)
    return _judge_reference(report, rules, verdict, reference, compare(reference))


def compare_with_tolerance(figures: Figures, tolerance: float, what: str, nights: int = 1) -> Verdict:
    """Say whether a loss of more than the tolerance is excluded, for so many nights together.

    `what` is what the candidate is compared with.

    Where even a model as good as the other would seldom be accepted, and nothing shows a loss, nothing was told.
    """
    shown = f"{figures} against {what} on {figures.users:,} users"
    bounds = figures.over(nights)
    if bounds.low >= -tolerance:
        return Verdict(True, shown)
    if figures.high < -tolerance:
        return Verdict(False, f"{shown}: worse by more than the tolerance of {tolerance:g}")
    refused = f"{shown}: a loss of more than the tolerance of {tolerance:g} is not excluded"
    if nights > 1:
        refused += f" (for {nights} nights together down to {show(bounds.low, sign='+')})"
    needed = figures.users_needed(tolerance, nights)
    if figures.high < 0 or needed <= figures.users:
        return Verdict(False, refused)
    return Verdict(
        False, f"{refused}; to exclude it for a model that is as good, about {needed:,} users are needed", told=False
    )


def _judge_reference(
    report: Gate, rules: Rules, verdict: Verdict, release: str, against: Comparison | Incomparable
) -> Gate:
    """Judge by the comparison with the reference as well; what cannot be compared with is said and does not decide."""
    what = f"release {release}, the best of the last thirty days"
    if isinstance(against, Incomparable):
        reference = Reference(release=release, incomparable=against.reason)
        second = Verdict(True, f"not compared with {what}: {against.reason}")
    else:
        reference = Reference(release=release, comparison=against)
        second = compare_with_tolerance(against.known, rules.tolerance, what, NIGHTS)
    told = any(one.told and not one.passed for one in (verdict, second))
    both = Verdict(verdict.passed and second.passed, f"{verdict.reason}; {second.reason}", told)
    return _close(report.model_copy(update={"reference": reference}), rules, both)


def _close(report: Gate, rules: Rules, verdict: Verdict) -> Gate:
    """Return the report with the decision: by the verdict, or else by the settings."""
    if verdict.passed:
        return report.model_copy(update={"reason": verdict.reason})
    if rules.force:
        forced = f"published by force, although {verdict.reason}"
        return report.model_copy(update={"reason": forced, "forced": verdict.reason, "proved": False})
    if not verdict.told and rules.when_incomparable == "promote":
        reason = f"promoted without evidence (when_incomparable): {verdict.reason}"
        return report.model_copy(update={"reason": reason, "proved": False})
    remedy = "" if verdict.told else "; publish it with --force-publish, or set when_incomparable"
    return report.model_copy(update={"passed": False, "reason": verdict.reason + remedy})


def read_gate(champion: Champion) -> Gate:
    """Return the report with which a champion was promoted. Raises Corrupt if it is none."""
    try:
        return Gate.model_validate(champion.gate)
    except ValidationError as error:
        raise Corrupt(
            f"release {champion.release} of {champion.dataset} was recorded without the scores it was published with, "
            "expected them in rec.release.gate: roll back to a release that has them"
        ) from error
