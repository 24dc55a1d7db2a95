"""One training of a run on this machine: resumes where it was killed, and says how it went."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

from tasks.models.base import Model
from tasks.runs.plan import Plan
from tasks.store import Artefact, Store
from tasks.store.layout import run_key
from tasks.training import EpochRecord, Scorer, TrainingOptions, summarise_epochs
from tasks.training.checkpoint import StoreCheckpoints
from tasks.training.device import thread_count

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fitted:
    """What a training came to; `checkpoints` are to be cleared once its result is written."""

    records: list[EpochRecord]
    summary: dict[str, Any]  # epochs, best_epoch, loss, valid, seconds
    machine: dict[str, object]
    checkpoints: StoreCheckpoints

    def describe(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        return {**self.summary, **self.machine, "history": [asdict(record) for record in self.records]}


def fit_model(
    store: Store,
    plan: Plan,
    model: Model,
    prepared: Artefact,
    *,
    step: str,
    device: str,
    threads: int,
    memory: float,
    validate: Callable[[Scorer], float] | None,
) -> Fitted:
    """Fit `model` on its data, made from `prepared`, for the run's `step`, with the seed of the run."""
    threads = thread_count(threads, model.data)
    machine: dict[str, object] = {"device": device, "threads": threads}
    same: dict[str, Any] = {"model": model.name, "parameters": model.config.model_dump(mode="json"), "machine": machine}
    same |= {"data": prepared.manifest.content, "seed": plan.config.seed}
    checkpoints = StoreCheckpoints(store, run_key(plan.run, f"checkpoint-{step}"), same)
    options = TrainingOptions(
        device=device,
        threads=threads,
        seed=plan.config.seed,
        progress=True,
        validate=validate,
        memory_gib=memory,
        checkpoints=checkpoints,
    )
    train = model.data.train
    log.info("%s trains on %d interactions of %d users with %d items", model.name, train.nnz, *train.shape)
    start = perf_counter()
    records = model.fit(options)
    summary = summarise_epochs(records) | {"seconds": round(perf_counter() - start, 3)}
    log.info("%s: %s", model.name, ", ".join(f"{key} {value}" for key, value in summary.items()))
    return Fitted(records, summary, machine, checkpoints)
