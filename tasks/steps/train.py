"""Fit one model of a run."""

from __future__ import annotations

import logging
from dataclasses import asdict

import torch

from tasks.errors import BadInput
from tasks.metrics import selection_metric
from tasks.models import build_model
from tasks.models.saved import save_model
from tasks.steps.dataset import load_dataset, prepared_artefact
from tasks.steps.options import ModelName, Run
from tasks.steps.plan import Plan, read_plan, run_key
from tasks.store import open_store, write_artefact
from tasks.training import TrainingOptions

log = logging.getLogger(__name__)


def train(*, run: Run, model: ModelName) -> dict[str, object]:
    """Fit one model of a run on its training interactions; the epoch with the best NDCG@20 on validation is kept.

    The same seed gives the same model on the same number of threads (OMP_NUM_THREADS).
    """
    store = open_store()
    plan = read_plan(store, run)
    check_model(plan, model)
    data = load_dataset(store, run)
    built = build_model(model, plan.config.hyperparameters.get(model, {}), data)
    options = TrainingOptions(
        device="cuda" if torch.cuda.is_available() else "cpu",
        threads=torch.get_num_threads(),
        seed=plan.config.seed,
        progress=True,
        validate=lambda fitted: selection_metric(fitted.scores, data),
    )
    log.info("%s on %s with %d threads: %s", model, options.device, options.threads, built.config.model_dump())
    records = built.fit(options)
    parameters = built.config.model_dump(mode="json")
    prefix = run_key(run, f"train-{model}")
    inputs = [prepared_artefact(store, run)]
    machine = {"device": options.device, "threads": options.threads, "torch": torch.__version__}
    with write_artefact(store, prefix, inputs=inputs, parameters=parameters | {"machine": machine}, seed=options.seed) as out:
        save_model(out, built)
        out.json("training.json", [asdict(record) for record in records])
        out.counts["epochs"] = len(records)
    best = max((record for record in records if record.valid is not None), key=lambda record: record.valid or 0.0, default=None)
    return {
        "model": model,
        "epochs": len(records),
        "best_epoch": best.epoch if best else None,
        "valid_ndcg@20": best.valid if best else None,
        "seconds": round(sum(record.seconds for record in records), 1),
    }


def check_model(plan: Plan, model: str) -> None:
    """BadInput unless the run has the model."""
    if model not in plan.config.models:
        raise BadInput(f"model {model!r} found, expected one of the run's: {', '.join(plan.config.models)}")
