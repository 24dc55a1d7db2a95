"""The models of a run that compete: their metrics, and the winner."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.errors import BadInput
from tasks.metrics import DECIDES
from tasks.releases.gate import choose_best
from tasks.runs.lineage import read_made
from tasks.runs.plan import Plan
from tasks.store import Artefact, Store


def read_candidates(store: Store, plan: Plan) -> tuple[str, dict[str, float]]:
    """The best model of a run, and the deciding metric of all; of equal ones the first of the plan.

    NotFound for a model that is not evaluated; BadInput for one made from another version of what it needs.
    """
    models = plan.config.models
    evaluated = read_made(store, plan, *(f"evaluate-{model}" for model in models))
    scores = {model: _score(artefact) for model, artefact in zip(models, evaluated, strict=True)}
    return choose_best(scores), scores


def _score(evaluated: Artefact) -> float:
    metrics: Mapping[str, Mapping[str, float]] = evaluated.json("metrics.json")
    try:
        return float(metrics["valid"][DECIDES])
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"{evaluated.prefix}/metrics.json has no {DECIDES} on valid, expected it there: evaluate again"
        ) from error
