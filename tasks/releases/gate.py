"""Whether the best model of a run may replace what is served: figures in, a reasoned verdict out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import AwareDatetime, FiniteFloat, ValidationError

from tasks.errors import Corrupt
from tasks.metrics import DECIDES
from tasks.runs.config import Strict
from tasks.store import Champion


class Candidate(Strict):
    """A model of a run with its figure, and what it was trained and evaluated on."""

    model: str
    figures: dict[str, FiniteFloat]
    dataset: str
    planned_at: AwareDatetime

    @property
    def figure(self) -> float:
        """Of the model that competes."""
        return self.figures[self.model]


class ChampionFigures(Strict):
    """The champion as it was when it was promoted."""

    release: str
    model: str
    run: str
    figure: FiniteFloat
    dataset: str


class Gate(Strict):
    """A verdict and everything that it rests on. Kept with the decision; that of a release judges its challengers."""

    passed: bool
    reason: str
    metric: str
    tolerance: float
    candidate: Candidate
    champion: ChampionFigures | None


def choose_best(figures: Mapping[str, float]) -> str:
    """The model with the highest figure; of equal ones the first, by the order of the plan."""
    return max(figures, key=lambda model: figures[model])


def judge(candidate: Candidate, champion: Champion | None, tolerance: float) -> Gate:
    """Turn down what loses more than `tolerance` to the champion, and what older inputs would bring back.

    A champion that was evaluated on another dataset is compared all the same (data change every night); both datasets
    are in the verdict. Corrupt when the champion was recorded without its figures.
    """

    def decision(*, passed: bool, reason: str, served: ChampionFigures | None = None) -> Gate:
        return Gate(
            passed=passed, reason=reason, metric=DECIDES, tolerance=tolerance, candidate=candidate, champion=served
        )

    if champion is None:
        return decision(passed=True, reason="nothing is served yet")
    before = _read_gate(champion)
    served = ChampionFigures(
        release=champion.release,
        model=champion.model,
        run=champion.run,
        figure=before.candidate.figure,
        dataset=before.candidate.dataset,
    )
    margin = candidate.figure - served.figure
    if candidate.planned_at < before.candidate.planned_at:
        taken, newer = _day(candidate.planned_at), _day(before.candidate.planned_at)
        reason = f"its inputs are of {taken}, older than those of what is served, {newer}"
        return decision(passed=False, reason=reason, served=served)
    comparison = f"{candidate.figure:.4f} is {margin:+.4f} against {served.figure:.4f} of what is served"
    if margin < -tolerance:
        reason = f"{DECIDES} {comparison}, more than the tolerance of {tolerance:g} below it"
        return decision(passed=False, reason=reason, served=served)
    return decision(passed=True, reason=f"{DECIDES} {comparison}", served=served)


def _read_gate(champion: Champion) -> Gate:
    try:
        return Gate.model_validate(champion.gate)
    except ValidationError as error:
        raise Corrupt(
            f"release {champion.release} of {champion.dataset} was recorded without the figures it was published on, "
            "expected them in rec.release.gate: roll back to a release that has them"
        ) from error


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M %Z")
