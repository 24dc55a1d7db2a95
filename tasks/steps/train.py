"""Trains one model of a run."""

from __future__ import annotations

import logging
from dataclasses import asdict
from functools import partial
from time import perf_counter

from tasks.metrics import selection_metric
from tasks.models import build_model
from tasks.models.saved import save_model
from tasks.runs.plan import hyperparameters_of, read_plan
from tasks.runs.prepared import load_dataset, prepared_artefact
from tasks.steps.options import Device, Memory, ModelName, Run, Threads
from tasks.store import open_store, write_artefact
from tasks.store.layout import run_key
from tasks.training import TrainingOptions, summarise_epochs
from tasks.training.checkpoint import StoreCheckpoints
from tasks.training.device import thread_count

log = logging.getLogger(__name__)


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
    data = load_dataset(store, run)
    recommender = build_model(model, hyperparameters, data)

    prepared = prepared_artefact(store, run)
    parameters = recommender.config.model_dump(mode="json")
    cores = thread_count(threads)
    machine = {"device": device, "threads": cores}
    same = {"model": model, "parameters": parameters, "data": prepared.manifest.sha256, "seed": plan.config.seed}
    same |= {"machine": machine}
    checkpoints = StoreCheckpoints(store, run_key(run, f"checkpoint-{model}"), same)
    options = TrainingOptions(
        device=device,
        threads=cores,
        seed=plan.config.seed,
        progress=True,
        validate=partial(selection_metric, data=data),
        memory_gib=memory,
        checkpoints=checkpoints,
    )
    log.info("%s trains on %d interactions of %d users with %d items", model, data.train.nnz, *data.shape)
    start = perf_counter()
    records = recommender.fit(options)
    summary = summarise_epochs(records) | {"seconds": round(perf_counter() - start, 3)}
    log.info("%s: %s", model, ", ".join(f"{key} {value}" for key, value in summary.items()))
    with write_artefact(
        store,
        run_key(run, f"train-{model}"),
        inputs=[prepared],
        parameters=parameters,
        seed=options.seed,
    ) as out:
        save_model(out, recommender)
        out.json("training.json", {"model": model, **summary, **machine, "history": [asdict(r) for r in records]})
    checkpoints.clear()
    return {"run": run, "model": model, **summary}
