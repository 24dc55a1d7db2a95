"""The models of a run that compete: their metrics, and the winner."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.errors import BadInput
from tasks.metrics import DECIDES
from tasks.releases.gate import choose_best
from tasks.runs.plan import Plan
from tasks.runs.prepared import require_made_from
from tasks.store import Artefact, Store, read_artefact
from tasks.store.layout import run_key


def read_candidates(store: Store, plan: Plan, prepared: Artefact) -> tuple[str, dict[str, float]]:
    """The best model of a run, and the deciding metric of all; of equal ones the first of the plan.

    NotFound for a model that is not evaluated; BadInput for one made from another version of what it needs.
    """
    scores = {}
    for model in plan.config.models:
        _, evaluated = read_model(store, plan, model, prepared)
        scores[model] = _score(evaluated)
    return choose_best(scores), scores


def read_model(store: Store, plan: Plan, model: str, prepared: Artefact) -> tuple[Artefact, Artefact]:
    """What `train` and `evaluate` made of a model, from `prepared` and from each other."""
    trained = read_artefact(store, run_key(plan.run, f"train-{model}"))
    evaluated = read_artefact(store, run_key(plan.run, f"evaluate-{model}"))
    require_made_from(trained, prepared)
    require_made_from(evaluated, trained)
    return trained, evaluated


def _score(evaluated: Artefact) -> float:
    metrics: Mapping[str, Mapping[str, float]] = evaluated.json("metrics.json")
    try:
        return float(metrics["valid"][DECIDES])
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"{evaluated.prefix}/metrics.json has no {DECIDES} on valid, expected it there: evaluate again"
        ) from error
