"""Writes a release: model, ids, metrics, recommendations and similar items, all with external ids."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from scipy import sparse

from tasks.data import Dataset
from tasks.data.blocks import row_blocks
from tasks.metrics import EVAL_SPLITS, top_items
from tasks.models.base import Model
from tasks.progress import progress
from tasks.releases.cosines import cosines_of
from tasks.releases.serving_files import TWIN, save_serving
from tasks.runs.prepared import mapping_name
from tasks.store import Artefact, ArtefactWriter

TOP = 50
FORMAT = 5  # raised when the same inputs give another release than before


@dataclass(frozen=True)
class Sources:
    """What a release is made of: the model that is served, its evaluated twin, the twin's metrics, and the dataset."""

    refitted: Artefact
    trained: Artefact
    evaluated: Artefact
    prepared: Artefact


def release_name(sources: Sources) -> str:
    """Return 16 hexadecimal digits of a sha256 over all inputs: the same content has the same name."""
    models = [
        {name: made.manifest.files[name].sha256 for name in ("model.safetensors", "config.json")}
        for made in (sources.refitted, sources.trained)
    ]
    metrics = sources.evaluated.json("metrics.json")
    values = {split: metrics[split] for split in EVAL_SPLITS}  # and not the seconds
    content = [FORMAT, models, values, sources.prepared.manifest.content]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def write_sources(out: ArtefactWriter, sources: Sources) -> None:
    """Copy the files of a release that the run has already written; those of the twin begin with TWIN."""
    for name in ("model.safetensors", "config.json"):
        out.copy(name, sources.refitted)
        out.copy(name, sources.trained, to=f"{TWIN}{name}")
    out.copy("metrics.json", sources.evaluated)
    out.copy(mapping_name("user"), sources.prepared)
    out.copy(mapping_name("item"), sources.prepared)


def write_answers(out: ArtefactWriter, model: Model, data: Dataset) -> None:
    """Write the files for consumers and those for `ReleaseServer`.

    `data` has the parts that the twin was trained and measured on; `model` has learned from all of them.
    """
    out.stream("recommendations.parquet", recommendations(model, data))
    out.stream("similar_items.parquet", similar_items(model, data))
    save_serving(out, model)
    out.tensors("histories.safetensors", histories(data))
    out.counts.update(users=data.shape[0], items=data.shape[1])


def histories(data: Dataset) -> dict[str, torch.Tensor]:
    """Return every user's interactions as rows of a CSR matrix, with `splits`: 0 train, 1 valid, 2 test (uint8).

    `starts` (users + 1,) int64, `items` and `splits` (interactions,), items int32.
    """
    whole: sparse.csr_matrix = (data.train + 2 * data.valid + 3 * data.test).tocsr()
    whole.sort_indices()
    arrays = {
        "starts": (whole.indptr, np.int64),
        "items": (whole.indices, np.int32),
        "splits": (whole.data - 1, np.uint8),
    }
    return {name: torch.from_numpy(array.astype(kind)) for name, (array, kind) in arrays.items()}


def recommendations(model: Model, data: Dataset, top: int = TOP) -> Iterator[pa.Table]:
    """Yield tables of user_id, rank (from 1), item_id and score: the best items without interactions of the user.

    A user with interactions with nearly all items gets fewer than `top`.
    """
    seen: sparse.csr_matrix = (data.train + data.valid + data.test).tocsr()
    ids = {"user_id": pa.array(data.user_ids.tolist()), "item_id": pa.array(data.item_ids.tolist())}
    for rows in progress(row_blocks(np.arange(data.shape[0]), data.shape[1]), label="recommendations", unit="batch"):
        scores = np.array(model.scores(rows), dtype=np.float32)  # (b, items), a copy: masked below
        history = seen[rows]
        scores[np.repeat(np.arange(len(rows)), np.diff(history.indptr)), history.indices] = -np.inf
        yield _rank_rows(ids, rows, scores, top)


def similar_items(model: Model, data: Dataset, top: int = TOP) -> Iterator[pa.Table]:
    """Yield tables of item_id, rank (from 1), similar_id and score, the cosine of the vectors of both items.

    Vectors are the model's, or, for a model without item vectors (`name_similarity`), the columns of training
    interactions. An item with a zero vector is similar to nothing and does not occur.
    """
    items = data.shape[1]
    vectors = model.item_vectors()
    cosines = cosines_of(model.name, model.data.train.T.tocsr() if vectors is None else vectors)
    names = pa.array(data.item_ids.tolist())
    ids = {"item_id": names, "similar_id": names}
    for rows in progress(row_blocks(np.arange(items), items), label="similar items", unit="batch"):
        scores = cosines(rows)  # (b, items)
        scores[np.arange(len(rows)), rows] = -np.inf
        yield _rank_rows(ids, rows, scores, top)


def name_similarity(model: Model) -> str:
    """Return what `similar_items` compares, for the release's manifest."""
    return "training interactions" if model.item_vectors() is None else "item vectors"


def _rank_rows(ids: dict[str, pa.Array], rows: np.ndarray, scores: np.ndarray, top: int) -> pa.Table:
    """The best columns of each row of scores (b, n) that are not -inf; `ids` are of the rows, then the columns."""
    columns = top_items(scores, top)  # (b, k)
    values = np.take_along_axis(scores, columns, axis=1)
    keep = values > -np.inf  # masked items come last, so ranks have no gaps
    ranks = np.broadcast_to(np.arange(1, columns.shape[1] + 1, dtype=np.int32), columns.shape)
    (row_name, row_ids), (column_name, column_ids) = ids.items()
    return pa.table(
        {
            row_name: row_ids.take(pa.array(np.repeat(rows, keep.sum(axis=1)))),
            "rank": ranks[keep],
            column_name: column_ids.take(pa.array(columns[keep])),
            "score": values[keep],
        }
    )
