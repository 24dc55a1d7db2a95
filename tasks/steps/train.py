"""One model of a run learns."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from time import perf_counter
from typing import Annotated

import typer

from tasks.errors import BadInput
from tasks.metrics import selection_metric
from tasks.models import build_model
from tasks.models.saved import save_model
from tasks.steps.dataset import load_dataset, prepared_artefact
from tasks.steps.options import Device, ModelName, Run
from tasks.steps.plan import Plan, read_plan, run_key
from tasks.store import open_store, write_artefact
from tasks.training import EpochRecord, TrainingOptions

log = logging.getLogger(__name__)
Threads = Annotated[
    int, typer.Option(help="0 takes all; the same number gives the same figures.", envvar="RECSYS_THREADS")
]
Memory = Annotated[float, typer.Option(help="GiB that a model may allocate at most.", envvar="RECSYS_MEMORY_GIB")]


def train(
    *, run: Run, model: ModelName, device: Device = "cpu", threads: Threads = 0, memory: Memory = 8.0
) -> dict[str, object]:
    """Train one model of a run on what prepare made, and keep the state that was best on validation.

    Hyper-parameters are those of the plan on top of the model's defaults. Test interactions are not looked at.
    """
    store = open_store()
    plan = read_plan(store, run)
    hyperparameters = hyperparameters_of(plan, model)
    data = load_dataset(store, run)
    recommender = build_model(model, hyperparameters, data)

    options = TrainingOptions(
        device=device,
        threads=threads or len(os.sched_getaffinity(0)),
        seed=plan.config.seed,
        progress=True,
        validate=partial(selection_metric, data=data),
        memory_gib=memory,
    )
    log.info("%s learns from %d interactions of %d users with %d items", model, data.train.nnz, *data.shape)
    start = perf_counter()
    records = recommender.fit(options)
    summary = summarised(records) | {"seconds": round(perf_counter() - start, 3)}
    log.info("%s: %s", model, ", ".join(f"{key} {value}" for key, value in summary.items()))
    parameters = recommender.config.model_dump(mode="json")
    with write_artefact(
        store,
        run_key(run, f"train-{model}"),
        inputs=[prepared_artefact(store, run)],
        parameters=parameters,
        seed=options.seed,
    ) as out:
        save_model(out, recommender)
        machine = {"device": options.device, "threads": options.threads}
        out.json("training.json", {"model": model, **summary, **machine, "history": [asdict(r) for r in records]})
    return {"run": run, "model": model, **summary}


def hyperparameters_of(plan: Plan, model: str) -> Mapping[str, object]:
    """What the plan says of `model`; BadInput when the run was not planned with it."""
    if model not in plan.config.models:
        raise BadInput(
            f"model {model!r} is not in run {plan.run}, expected one of its models: {', '.join(plan.config.models)}"
        )
    return plan.config.hyperparameters.get(model, {})


def summarised(records: list[EpochRecord]) -> dict[str, object]:
    """How many epochs, which was kept, and its loss and validation figure (None for a closed form)."""
    measured = [record for record in records if record.valid is not None]
    best = max(measured, key=lambda record: record.valid or 0.0) if measured else records[-1]
    return {"epochs": len(records), "best_epoch": best.epoch, "loss": best.loss, "valid": best.valid}
