"""A small night up to `publish`: real steps where they are quick, metrics as the test wants them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.data import Dataset, Interactions
from tasks.models import build_model
from tasks.models.saved import save_model
from tasks.runs.config import RunConfig
from tasks.runs.plan import Plan
from tasks.runs.prepared import load_dataset, prepared_artefact
from tasks.steps.prepare import prepare
from tasks.steps.refit import refit
from tasks.store import Artefact, History, Store, read_artefact, write_artefact
from tasks.training import TrainingOptions

DATASET, USERS, ITEMS = "films", 120, 40
FEW = 30  # users of a run that is only trained: the gate asks for more
MODELS = ("popularity", "ease")
ITEM_IDS = np.array([f"tt{number:04d}" for number in range(ITEMS)])  # no id is a row number


def reach_publish(
    store: Store,
    history: History,
    run: str,
    scores: Mapping[str, float],
    *,
    log_seed: int = 0,
    test: Mapping[str, float] | None = None,
    rules: Mapping[str, Any] | None = None,
    users: int = USERS,
) -> Dataset:
    """Everything that a run has made when `publish` begins. `scores`: model -> NDCG@20 on validation.

    `rules`: further settings of the run. The gate compares the models themselves, whatever the `scores`.
    """
    config = RunConfig(
        dataset=DATASET, modalities=["text"], encoder="enc", models=list(scores), k_core=3, **(rules or {})
    )
    log = write_log(store, log_seed, users)
    plan = Plan(run=run, config=config, interactions=log, encoders={"text": "enc-1"}, inputs_hash=f"hash of {run}")
    with write_artefact(store, f"runs/{run}/scan") as out:
        out.json("plan.json", plan.model_dump(mode="json"))
    history.start_run(run, DATASET, config.model_dump(mode="json"))
    aligned = align(store, run)
    prepare(run=run)
    report(store, run, "check-embeddings", [aligned])
    report(store, run, "check-dataset", [aligned, prepared_artefact(store, run)])
    data = load_dataset(store, run)
    for model, score in scores.items():
        train(store, history, run, model, data)
        evaluate(store, run, model, score, (test or scores)[model])
    refit(run=run, threads=1)
    return data


def reach_prepare(
    store: Store, run: str, models: Sequence[str], hyperparameters: Mapping[str, dict[str, object]]
) -> None:
    """Everything that a run has made when models are trained, always of the same interactions."""
    config = RunConfig(
        dataset=DATASET,
        modalities=["text"],
        encoder="enc",
        models=list(models),
        k_core=3,
        hyperparameters=dict(hyperparameters),
    )
    plan = Plan(run=run, config=config, interactions=write_log(store, 0, FEW), inputs_hash="hash")
    with write_artefact(store, f"runs/{run}/scan") as out:
        out.json("plan.json", plan.model_dump(mode="json"))
    align(store, run)
    prepare(run=run)


def write_log(store: Store, seed: int, users: int = USERS) -> str:
    """Each of `users` takes fifteen items, mostly of one half, one a second; returns the prefix.

    More users are a log that grew: the rows of the others are the same.
    """
    rng = np.random.default_rng(seed)
    likes = np.where(np.arange(ITEMS) % 2 == np.arange(users)[:, None] % 2, 8.0, 1.0)  # (users, items)
    items = np.concatenate([rng.choice(ITEMS, 15, replace=False, p=row / row.sum()) for row in likes])
    codes, user_ids = np.repeat(np.arange(users), 15), np.array([f"viewer {number}" for number in range(users)])
    found = Interactions(
        codes.astype(np.int32), items.astype(np.int32), user_ids, ITEM_IDS, np.tile(np.arange(15), users)
    )
    prefix = f"interactions/{DATASET}/{seed}-{users}"
    with write_artefact(store, prefix) as out:
        found.save(out.file("interactions.parquet"))
    return prefix


def align(store: Store, run: str) -> Artefact:
    """Features of every item."""
    with write_artefact(store, f"runs/{run}/align") as out:
        out.array("text.npy", np.random.default_rng(1).normal(size=(ITEMS, 4)).astype(np.float32))
        out.frame("text_items.csv", pd.DataFrame({"item_id": ITEM_IDS}))
        out.frame("item_features.csv", pd.DataFrame({"item_id": ITEM_IDS, "idx": range(ITEMS)}))
    return read_artefact(store, f"runs/{run}/align")


def report(store: Store, run: str, suite: str, inputs: list[Artefact], *, success: bool = True) -> None:
    """What a check leaves behind."""
    with write_artefact(store, f"runs/{run}/{suite}", inputs=inputs) as out:
        out.json("report.json", {"suite": suite, "success": success, "results": []})


def train(store: Store, history: History, run: str, model: str, data: Dataset) -> None:
    """A real, fitted model."""
    fitted = build_model(model, {}, data)
    records = fitted.fit(TrainingOptions(seed=7))
    prefix = f"runs/{run}/train-{model}"
    with write_artefact(store, prefix, inputs=[prepared_artefact(store, run)]) as out:
        save_model(out, fitted)
        out.json("training.json", {"loss": None, "settled": fitted.settle(records).model_dump(mode="json")})
    history.record_training(run, model, "enc", 7, {}, prefix)


def evaluate(store: Store, run: str, model: str, valid: float, test: float) -> None:
    """Metrics as the test wants them."""
    trained = read_artefact(store, f"runs/{run}/train-{model}")
    with write_artefact(store, f"runs/{run}/evaluate-{model}", inputs=[trained]) as out:
        out.json("metrics.json", {"model": model, "valid": {"ndcg@20": valid}, "test": {"ndcg@20": test}})


def objects(store: Store, prefix: str) -> set[str]:
    """Names of the files under a prefix."""
    return {Path(info.key).name for info in store.list(prefix)}
