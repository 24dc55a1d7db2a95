"""The gate: decides whether the best model of a run may replace the champion."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import AwareDatetime, ConfigDict, Field, FiniteFloat, ValidationError

from tasks.errors import Corrupt
from tasks.metrics import DECIDES
from tasks.runs.config import Strict
from tasks.store import Champion


class Recorded(Strict):
    """A part of the gate report, whose keys in the store and the database do not change with the names here."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)


class Candidate(Recorded):
    """The best model of a run with the scores of all models, and the dataset it was trained on."""

    model: str
    scores: dict[str, FiniteFloat] = Field(validation_alias="figures", serialization_alias="figures")
    dataset: str
    planned_at: AwareDatetime

    @property
    def score(self) -> float:
        """The score of the candidate."""
        return self.scores[self.model]


class ChampionScore(Recorded):
    """The champion and its score at its promotion."""

    release: str
    model: str
    run: str
    score: FiniteFloat = Field(validation_alias="figure", serialization_alias="figure")
    dataset: str


class Gate(Strict):
    """The decision of the gate with all its inputs; later candidates are compared with that of the champion."""

    passed: bool
    reason: str
    metric: str
    tolerance: float
    candidate: Candidate
    champion: ChampionScore | None


def choose_best(scores: Mapping[str, float]) -> str:
    """The model with the highest score; of equal ones the first, by the order of the plan."""
    return max(scores, key=lambda model: scores[model])


def judge(candidate: Candidate, champion: Champion | None, tolerance: float) -> Gate:
    """Reject a candidate that is worse than the champion by more than `tolerance`, or that has older inputs.

    The champion may have been evaluated on another dataset (data change with every run); both datasets are in the
    result. Raises Corrupt if the champion was recorded without its scores.
    """

    def decision(*, passed: bool, reason: str, served: ChampionScore | None = None) -> Gate:
        return Gate(
            passed=passed, reason=reason, metric=DECIDES, tolerance=tolerance, candidate=candidate, champion=served
        )

    if champion is None:
        return decision(passed=True, reason="nothing is served yet")
    before = _read_gate(champion)
    served = ChampionScore(
        release=champion.release,
        model=champion.model,
        run=champion.run,
        score=before.candidate.score,
        dataset=before.candidate.dataset,
    )
    margin = candidate.score - served.score
    if candidate.planned_at < before.candidate.planned_at:
        older, newer = _day(candidate.planned_at), _day(before.candidate.planned_at)
        reason = f"its inputs are of {older}, older than those of the champion, {newer}"
        return decision(passed=False, reason=reason, served=served)
    comparison = f"{candidate.score:.4f} is {margin:+.4f} against {served.score:.4f} of the champion"
    if margin < -tolerance:
        reason = f"{DECIDES} {comparison}, more than the tolerance of {tolerance:g} below it"
        return decision(passed=False, reason=reason, served=served)
    return decision(passed=True, reason=f"{DECIDES} {comparison}", served=served)


def _read_gate(champion: Champion) -> Gate:
    try:
        return Gate.model_validate(champion.gate)
    except ValidationError as error:
        raise Corrupt(
            f"release {champion.release} of {champion.dataset} was recorded without the scores it was published with, "
            "expected them in rec.release.gate: roll back to a release that has them"
        ) from error


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M %Z")
