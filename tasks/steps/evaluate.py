"""Evaluates one trained model of a run."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from time import perf_counter
from typing import Any

from tasks.metrics import DECIDES, EVAL_SPLITS, Metric, beyond_accuracy, by_segment, user_table
from tasks.metrics import evaluate as measure
from tasks.metrics.bootstrap import Difference, mean_intervals
from tasks.metrics.selection import TITLE
from tasks.models.saved import load_model
from tasks.runs.lineage import read_made
from tasks.runs.plan import Plan, hyperparameters_of, read_plan, scan_artefact
from tasks.runs.prepared import load_dataset
from tasks.steps.options import ModelName, Run
from tasks.store import Artefact, MetricValue, SegmentValue, open_records, open_store, write_artefact
from tasks.store.layout import run_key

log = logging.getLogger(__name__)


def evaluate(*, run: Run, model: ModelName) -> dict[str, object]:
    """Rank the whole catalogue for every user, and store the metrics on validation and test.

    Training items are masked on both splits. Training and metrics, also by segment, are recorded in the metrics
    history; metrics by user are only in the artefact.
    """
    store = open_store()
    plan = read_plan(store, run)
    hyperparameters_of(plan, model)
    # after another split, test interactions may have been used in training
    trained, prepared, scanned = *read_made(store, plan, f"train-{model}", "prepare"), scan_artefact(store, run)
    data = load_dataset(store, run)
    recommender = load_model(trained, data)
    start = perf_counter()
    evaluations = {
        split: measure(recommender.scores, data, split, label=f"evaluate {model} on {split}") for split in EVAL_SPLITS
    }
    metrics: dict[str, dict[str, float]] = {
        split: evaluation.means() | beyond_accuracy(evaluation, data) for split, evaluation in evaluations.items()
    }
    segments: dict[str, list[dict[str, Any]]] = {
        split: [asdict(one) for one in by_segment(evaluations[split], data, split)] for split in EVAL_SPLITS
    }
    users = {split: len(evaluation.users) for split, evaluation in evaluations.items()}
    seconds = perf_counter() - start
    with write_artefact(store, run_key(run, f"evaluate-{model}"), inputs=[scanned, trained, prepared]) as out:
        facts = {"model": model, **metrics, "segments": segments, "users": users, "seconds": seconds}
        out.json("metrics.json", facts)
        out.frame("users.parquet", user_table(evaluations, data))
    intervals: dict[str, dict[str, Difference]] = {
        split: mean_intervals(evaluation) for split, evaluation in evaluations.items()
    }
    record(plan, model, trained, [*list_values(metrics, intervals), *list_segments(segments)])
    shown = {f"{split}_{DECIDES}": metrics[split][DECIDES] for split in metrics}
    log.info("%s: %s %.4f on validation, %.4f on test", model, TITLE, *shown.values())
    return {"run": run, "model": model, **shown, "users": users}


def list_values(
    metrics: Mapping[str, Mapping[str, float]], intervals: Mapping[str, Mapping[str, Difference]]
) -> list[MetricValue]:
    """Each metric of each split, with its interval if it is a mean over users."""
    rows: list[MetricValue] = []
    for split, values in metrics.items():
        for name, value in values.items():
            known = intervals[split].get(name)
            low, high = (known.low, known.high) if known else (None, None)
            rows.append(MetricValue(split, *Metric.parse(name), value, low=low, high=high))
    return rows


def list_segments(segments: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[MetricValue]:
    """Each metric of each segment that has any; a segment without positives has none."""
    return [
        SegmentValue(split, *Metric.parse(name), value, one["segment"])
        for split, parts in segments.items()
        for one in parts
        for name, value in one["metrics"].items()
    ]


def record(plan: Plan, model: str, trained: Artefact, rows: Sequence[MetricValue]) -> None:
    """Record the training and its metrics in the metrics history; a retry replaces them."""
    manifest = trained.manifest
    with open_records() as history:
        history.record_training(
            *(plan.run, model, plan.config.encoder_names, manifest.seed or 0, manifest.parameters, trained.prefix),
            features=plan.config.describe_features(),
        )
        history.record_metrics(plan.run, model, rows)
