"""What a release holds: the model, the ids, and answers ready to be served, all in the user's own ids."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from tasks.data import Dataset
from tasks.metrics import top_items
from tasks.models.base import Model
from tasks.models.saved import load_model
from tasks.progress import progress
from tasks.store import Artefact, ArtefactWriter

TOP = 50
CELLS = 2**24  # scores held at once


def release_name(trained: Artefact, prepared: Artefact) -> str:
    """First 16 of a sha256 over the bytes of model and dataset: the same content is the same release, whoever publishes it."""
    return hashlib.sha256(f"{trained.manifest.content}{prepared.manifest.content}".encode()).hexdigest()[:16]


def write_release(out: ArtefactWriter, trained: Artefact, prepared: Artefact, data: Dataset, metrics: object) -> None:
    """Fill a release: model, mappings, metrics, recommendations.parquet and similar_items.parquet."""
    model = load_model(trained, data)
    for artefact, names in ((trained, ("model.safetensors", "config.json")), (prepared, ("user_mapping.csv", "item_mapping.csv"))):
        for name in names:
            shutil.copyfile(artefact.path(name), out.file(name))
    out.json("metrics.json", metrics)
    recommended = recommendations(model, data)
    out.frame("recommendations.parquet", recommended)
    similar = similar_items(model, data)
    out.frame("similar_items.parquet", similar)
    out.counts.update(users=data.shape[0], items=data.shape[1], recommendations=len(recommended), similar_items=len(similar))


def recommendations(model: Model, data: Dataset, top: int = TOP) -> pd.DataFrame:
    """user_id, rank (from 1), item_id, score: the best items a user has not taken in any split."""
    seen: sparse.csr_matrix = (data.train + data.valid + data.test).tocsr()
    parts = []
    for rows in progress(list(batches(data.shape[0], data.shape[1])), label="recommendations", unit="batch"):
        scores = np.array(model.scores(rows), dtype=np.float32)
        taken = seen[rows]
        scores[np.repeat(np.arange(len(rows)), np.diff(taken.indptr)), taken.indices] = -np.inf
        parts.append(_ranked(scores, rows, top))
    found = pd.concat(parts, ignore_index=True)
    found.insert(0, "user_id", data.user_ids[found.pop("row")])
    found["item_id"] = data.item_ids[found.pop("column")]
    return found[["user_id", "rank", "item_id", "score"]]


def similar_items(model: Model, data: Dataset, top: int = TOP) -> pd.DataFrame:
    """item_id, rank (from 1), similar_id, score: the nearest items by the cosine of the model's item vectors.

    A model without item vectors (popularity) has items compared by who took them in training.
    """
    vectors = model.item_vectors()
    matrix: Any = sparse.csr_matrix(data.train.T) if vectors is None else vectors
    lengths = np.linalg.norm(matrix, axis=1) if vectors is not None else np.sqrt(np.diff(matrix.indptr))
    scale = np.divide(1.0, lengths, out=np.zeros(len(lengths)), where=lengths > 0).astype(np.float32)
    unit = sparse.diags(scale) @ matrix
    parts = []
    for rows in progress(list(batches(data.shape[1], data.shape[1])), label="similar items", unit="batch"):
        product = unit[rows] @ unit.T
        scores = np.asarray(product.todense() if vectors is None else product, dtype=np.float32)
        scores[np.arange(len(rows)), rows] = -np.inf
        parts.append(_ranked(scores, rows, top))
    found = pd.concat(parts, ignore_index=True)
    found.insert(0, "item_id", data.item_ids[found.pop("row")])
    found["similar_id"] = data.item_ids[found.pop("column")]
    return found[["item_id", "rank", "similar_id", "score"]]


def batches(rows: int, columns: int) -> Iterator[np.ndarray]:
    """Row numbers in batches whose scores fit into CELLS."""
    size = max(1, CELLS // max(columns, 1))
    for start in range(0, rows, size):
        yield np.arange(start, min(start + size, rows))


def _ranked(scores: np.ndarray, rows: np.ndarray, top: int) -> pd.DataFrame:
    """row, rank, column, score of the best of each row; what was masked is left out."""
    columns = top_items(scores, top)
    values = np.take_along_axis(scores, columns, axis=1)
    found = pd.DataFrame(
        {
            "row": np.repeat(rows, columns.shape[1]),
            "rank": np.tile(np.arange(1, columns.shape[1] + 1), len(rows)),
            "column": columns.reshape(-1),
            "score": values.reshape(-1),
        }
    )
    return found[np.isfinite(found["score"])]
