"""Judge one fitted model of a run."""

from __future__ import annotations

import logging
import time

from tasks.metrics import evaluate as rank
from tasks.models.saved import load_model
from tasks.steps.dataset import load_dataset
from tasks.steps.options import ModelName, Run
from tasks.steps.plan import read_plan, run_key
from tasks.steps.train import check_model
from tasks.store import MetricValue, open_history, open_store, read_artefact, write_artefact

log = logging.getLogger(__name__)


def evaluate(*, run: Run, model: ModelName) -> dict[str, object]:
    """Rank the whole catalogue for every user with one fitted model, and record its figures in the metrics history.

    Recall, NDCG, precision and MAP at 5, 10, 20 and 50, on validation (which decides) and test (which is only reported);
    items of training are masked.
    """
    start = time.perf_counter()
    store = open_store()
    plan = read_plan(store, run)
    check_model(plan, model)
    trained = read_artefact(store, run_key(run, f"train-{model}"))
    fitted = load_model(trained, load_dataset(store, run))
    found = {split: rank(fitted.scores, fitted.data, split) for split in ("valid", "test")}
    figures = {split: evaluation.means() for split, evaluation in found.items()}
    metrics = {"model": model, **figures, "users": {split: len(evaluation.users) for split, evaluation in found.items()}}
    with write_artefact(store, run_key(run, f"evaluate-{model}"), inputs=[trained]) as out:
        out.json("metrics.json", metrics)
    encoder = ",".join(f"{modality}={identity}" for modality, identity in plan.encoders.items()) or "ready-made"
    with open_history() as history:
        history.record_training(run, model, encoder, plan.config.seed, trained.manifest.parameters, trained.prefix)
        history.record_metrics(run, model, rows(figures))
    for split, values in figures.items():
        log.info("%s on %s: recall@20 %.4f, NDCG@20 %.4f", model, split, values["recall@20"], values["ndcg@20"])
    return {"model": model, **{f"{s}_{m}": figures[s][m] for s in figures for m in ("recall@20", "ndcg@20")}, "seconds": round(time.perf_counter() - start, 1)}


def rows(figures: dict[str, dict[str, float]]) -> list[MetricValue]:
    """A row a figure: `recall@20` on `test` is split, metric and k."""
    return [
        MetricValue(split, figure.partition("@")[0], int(figure.partition("@")[2]), value)
        for split, values in figures.items()
        for figure, value in values.items()
    ]
