"""Trains one model of a run."""

from __future__ import annotations

from functools import partial

from tasks.metrics import selection_metric
from tasks.models import build_model
from tasks.models.saved import save_model
from tasks.runs.fitting import fit_model
from tasks.runs.lineage import read_made
from tasks.runs.plan import hyperparameters_of, read_plan, scan_artefact
from tasks.runs.prepared import load_dataset
from tasks.steps.options import Device, Memory, ModelName, Run, Threads
from tasks.store import open_store, write_artefact
from tasks.store.layout import run_key


def train(
    *, run: Run, model: ModelName, device: Device = "cpu", threads: Threads = 0, memory: Memory = 8.0
) -> dict[str, object]:
    """Train one model of a run on the prepared dataset, and keep the state that is best on validation.

    A training that was killed resumes after its last epoch, with the same result as one that was not.
    Hyperparameters are those of the plan on top of the model's defaults. Test interactions are not looked at.
    """
    store = open_store()
    plan = read_plan(store, run)
    hyperparameters = hyperparameters_of(plan, model)
    (prepared,), scanned = read_made(store, plan, "prepare"), scan_artefact(store, run)
    data = load_dataset(store, run)
    recommender = build_model(model, hyperparameters, data)
    fitted = fit_model(
        *(store, plan, recommender, prepared),
        step=model,
        device=device,
        threads=threads,
        memory=memory,
        validate=partial(selection_metric, data=data),
    )
    with write_artefact(
        store,
        run_key(run, f"train-{model}"),
        inputs=[scanned, prepared],
        parameters=recommender.config.model_dump(mode="json"),
        seed=plan.config.seed,
    ) as out:
        save_model(out, recommender)
        settled = recommender.settle(fitted.records).model_dump(mode="json")
        out.json("training.json", {"model": model, **fitted.describe(), "settled": settled})
    fitted.checkpoints.clear()
    return {"run": run, "model": model, **fitted.summary}
