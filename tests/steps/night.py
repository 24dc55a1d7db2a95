"""A small night up to `publish`: real steps where they are quick, metrics as the test wants them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.data import Dataset, Interactions
from tasks.models import build_model
from tasks.models.saved import save_model
from tasks.runs.config import RunConfig
from tasks.runs.plan import Plan, scan_artefact
from tasks.runs.prepared import load_dataset, prepared_artefact
from tasks.steps.align import align
from tasks.steps.extract import extract
from tasks.steps.prepare import prepare
from tasks.steps.refit import refit
from tasks.store import Artefact, History, Store, has_artefact, read_artefact, write_artefact
from tasks.training import TrainingOptions

DATASET, USERS, ITEMS = "films", 120, 40
FEW = 30  # users of a run that is only trained: the gate asks for more
MODELS = ("popularity", "ease")
MATRICES = {"text": f"matrices/{DATASET}/text/one"}
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
    inputs: int = 1,
    records: str | None = None,
) -> Dataset:
    """Everything that a run has made when `publish` begins. `scores`: model -> NDCG@20 on validation.

    `inputs`: number of the state of the inputs that `scan` found. `rules`: further settings of the run. The gate
    compares the models themselves, whatever the `scores`.
    """
    config = RunConfig(
        dataset=DATASET, modalities=["text"], encoder="enc", models=list(scores), k_core=3, **(rules or {})
    )
    log = write_log(store, log_seed, users)
    plan = Plan(
        run=run,
        config=config,
        interactions=log,
        records=records,
        matrices=MATRICES,
        inputs_hash=f"hash of {run}",
        inputs=inputs,
    )
    history.start_run(run, DATASET, config.model_dump(mode="json"))
    reach_dataset(store, plan)
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
    log = write_log(store, 0, FEW)
    reach_dataset(store, Plan(run=run, config=config, interactions=log, matrices=MATRICES, inputs_hash="hash"))


def reach_dataset(store: Store, plan: Plan) -> None:
    """A run up to `check-dataset`: real steps, and checks that have passed."""
    run, prefix = plan.run, MATRICES["text"]
    with write_artefact(store, f"runs/{run}/scan") as out:
        out.json("plan.json", plan.model_dump(mode="json"))
        out.counts["with_all"] = ITEMS
    if not has_artefact(store, prefix):
        with write_artefact(store, prefix) as out:
            out.array("vectors.npy", np.random.default_rng(1).normal(size=(ITEMS, 4)).astype(np.float32))
            out.frame("items.csv", pd.DataFrame({"item_id": ITEM_IDS}))
    extract(run=run, feature="text")
    align(run=run)
    made = [read_artefact(store, f"runs/{run}/{step}") for step in ("scan", "extract-text", "align")]
    made.append(read_artefact(store, plan.interactions))
    report(store, run, "check-embeddings", made)
    prepare(run=run)
    report(store, run, "check-dataset", [*made, prepared_artefact(store, run)])


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


def report(store: Store, run: str, suite: str, inputs: list[Artefact], *, success: bool = True) -> None:
    """What a check leaves behind."""
    with write_artefact(store, f"runs/{run}/{suite}", inputs=inputs) as out:
        out.json("report.json", {"suite": suite, "success": success, "results": []})


def train(store: Store, history: History, run: str, model: str, data: Dataset) -> None:
    """A real, fitted model."""
    fitted = build_model(model, {}, data)
    records = fitted.fit(TrainingOptions(seed=7))
    prefix = f"runs/{run}/train-{model}"
    inputs = [scan_artefact(store, run), prepared_artefact(store, run)]
    with write_artefact(store, prefix, inputs=inputs) as out:
        save_model(out, fitted)
        out.json("training.json", {"loss": None, "settled": fitted.settle(records).model_dump(mode="json")})
    history.record_training(run, model, "enc", 7, {}, prefix)


def evaluate(store: Store, run: str, model: str, valid: float, test: float) -> None:
    """Metrics as the test wants them."""
    trained = read_artefact(store, f"runs/{run}/train-{model}")
    inputs = [scan_artefact(store, run), prepared_artefact(store, run), trained]
    with write_artefact(store, f"runs/{run}/evaluate-{model}", inputs=inputs) as out:
        out.json("metrics.json", {"model": model, "valid": {"ndcg@20": valid}, "test": {"ndcg@20": test}})


def objects(store: Store, prefix: str) -> set[str]:
    """Names of the files under a prefix."""
    return {Path(info.key).name for info in store.list(prefix)}


def fail(store: Store, check: str) -> None:
    """Let a check of the run `r1` have failed, with the inputs that it had."""
    before = read_artefact(store, f"runs/r1/{check}")
    report(store, "r1", check, [read_artefact(store, prefix) for prefix in before.manifest.inputs], success=False)


def rewrite(store: Store, artefact: Artefact, file: str) -> None:
    """Write an artefact again with a byte more in one file, from the same inputs, with a manifest that follows."""
    inputs = [read_artefact(store, prefix) for prefix in artefact.manifest.inputs]
    with write_artefact(store, artefact.prefix, inputs=inputs, parameters=artefact.manifest.parameters) as out:
        for name in artefact.manifest.files:
            out.copy(name, artefact)
        path = out.file(file)
        path.write_bytes(path.read_bytes() + b"\n")
        out.counts.update(artefact.manifest.counts)


def spoil(store: Store, key: str, damage: str) -> None:
    """Flip a byte of an object, cut it, remove it, or remove what the manifest beside it says of it."""
    data = store.get(key)
    if damage == "remove":
        store.delete(key)
    elif damage == "manifest":
        manifest = f"{key.rpartition('/')[0]}/manifest.json"
        facts = json.loads(store.get(manifest))
        del facts["files"]["recommendations.parquet"]
        store.put(manifest, json.dumps(facts).encode())
    else:
        store.put(key, data[:-9] if damage == "truncate" else bytes([data[0] ^ 1]) + data[1:])
