"""Writes a release: model, ids, metrics, recommendations and similar items, all with external ids."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
import torch
from scipy import sparse

from tasks.arrivals.policy import Policy
from tasks.data import Dataset
from tasks.data.blocks import row_blocks
from tasks.data.outside import Outside
from tasks.data.records import Records
from tasks.metrics import EVAL_SPLITS, top_items
from tasks.models.base import Model
from tasks.progress import progress
from tasks.releases.catalogue import Catalogue, save_catalogue
from tasks.releases.cosines import cosines_of
from tasks.releases.histories import HISTORIES
from tasks.releases.item_records import add_titles, save_records
from tasks.releases.serving_files import TWIN, save_serving
from tasks.runs.prepared import BEYOND, mapping_name
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


def release_name(sources: Sources, arrivals: Policy, records: str | None = None) -> str:
    """Return 16 hexadecimal digits of a sha256 over all inputs: the same content has the same name.

    `records`: prefix of the item records.
    """
    models = [
        {name: made.manifest.files[name].sha256 for name in ("model.safetensors", "config.json")}
        for made in (sources.refitted, sources.trained)
    ]
    metrics = sources.evaluated.json("metrics.json")
    values = {split: metrics[split] for split in EVAL_SPLITS}  # and not the seconds
    content = [FORMAT, models, values, sources.prepared.manifest.content, asdict(arrivals)]
    content += [records] if records else []  # releases without any keep their names
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def write_sources(out: ArtefactWriter, sources: Sources) -> None:
    """Copy the files of a release that the run has already written; those of the twin begin with TWIN."""
    for name in ("model.safetensors", "config.json"):
        out.copy(name, sources.refitted)
        out.copy(name, sources.trained, to=f"{TWIN}{name}")
    out.copy("metrics.json", sources.evaluated)
    for kind in ("user", "item"):
        out.copy(mapping_name(kind), sources.prepared)
        out.copy(BEYOND[kind], sources.prepared)


def write_answers(  # noqa: PLR0917  a release is made of these
    out: ArtefactWriter,
    model: Model,
    data: Dataset,
    outside: Outside,
    catalogue: Catalogue,
    records: Records | None = None,
) -> None:
    """Write the files for consumers and those for `ReleaseServer`.

    `data` has the parts that the twin was trained and measured on; `model` may have learned from all of them. With
    `records` the items that are recommended and similar have titles.
    """
    kept = (records or Records.nothing()).take(outside.interactions.item_ids.tolist())
    lists, similar = recommendations(model, data, outside, catalogue), similar_items(model, data, outside, catalogue)
    out.stream("recommendations.parquet", add_titles(lists, "item_id", kept))
    out.stream("similar_items.parquet", add_titles(similar, "similar_id", kept))
    save_records(out, kept)
    save_serving(out, model)
    save_catalogue(out, catalogue)
    out.tensors(HISTORIES, histories(data, outside))
    users, items = len(outside.interactions.user_ids), len(outside.interactions.item_ids)
    out.counts.update(users=users, items=items, arrivals=items - data.shape[1], other_users=users - data.shape[0])


def histories(data: Dataset, outside: Outside) -> dict[str, torch.Tensor]:
    """Return every user's interactions as rows of a CSR matrix, with `splits`: 0 train, 1 valid, 2 test, 3 outside.

    `starts` (U + V + 1,) int64, `items` and `splits` (interactions,), items int32, of the catalogue, splits uint8.
    `others_starts` (V + 1,) and `others_items`: those of users outside the dataset once more, oldest first.
    """
    whole, others = _interactions(data, outside), outside.histories(data.shape[0])
    arrays = {
        "starts": (whole.indptr, np.int64),
        "items": (whole.indices, np.int32),
        "splits": (whole.data - 1, np.uint8),
        "others_starts": (others.starts, np.int64),
        "others_items": (others.items, np.int32),
    }
    return {name: torch.from_numpy(array.astype(kind)) for name, (array, kind) in arrays.items()}


def _interactions(data: Dataset, outside: Outside) -> sparse.csr_matrix:
    """(U + V, K + A) with 1 train, 2 valid, 3 test, 4 outside; sorted indices."""
    log = outside.interactions
    shape = len(log.user_ids), len(log.item_ids)
    inner = sparse.csr_matrix(data.train + 2 * data.valid + 3 * data.test)
    inner.resize(shape)
    fours = np.full(len(log), 4, dtype=np.float32)
    whole = sparse.csr_matrix(inner + sparse.csr_matrix((fours, (log.users, log.items)), shape=shape))
    whole.sort_indices()
    return whole


def recommendations(
    model: Model, data: Dataset, outside: Outside, catalogue: Catalogue, top: int = TOP
) -> Iterator[pa.Table]:
    """Yield tables of user_id, rank (from 1), item_id, score and arrival: the best items that the user has not taken.

    Users outside the dataset follow, by their histories. A user with interactions with nearly all items gets fewer than
    `top`. `arrival`: whether nobody that the model knows has taken the item; its rank comes from the policy.
    """
    taken, log, users = _interactions(data, outside), outside.interactions, data.shape[0]
    ids = {"user_id": pa.array(log.user_ids.tolist()), "item_id": pa.array(log.item_ids.tolist())}
    others, serving = outside.histories(users), model.serving()
    everybody = row_blocks(np.arange(len(log.user_ids)), len(log.item_ids))
    for rows in progress(everybody, label="recommendations", unit="batch"):
        known, other = rows[rows < users], rows[rows >= users] - users
        scores = [model.scores(known)] if len(known) else []
        scores += [serving.new(catalogue.as_known(others, other))] if len(other) else []
        columns, values = catalogue.lists(np.concatenate(scores), taken[rows], top)
        table = _rank_rows(ids, rows, columns, values)
        arrival = (columns >= data.shape[1])[columns >= 0]
        yield table.append_column("arrival", pa.array(arrival))


def similar_items(
    model: Model, data: Dataset, outside: Outside, catalogue: Catalogue, top: int = TOP
) -> Iterator[pa.Table]:
    """Yield tables of item_id, rank (from 1), similar_id and score, the cosine of the vectors of both items.

    Vectors are the model's, or, for a model without item vectors (`name_similarity`), the columns of training
    interactions; those of arrivals are predicted from content. An item with a zero vector is similar to nothing and
    does not occur.
    """
    vectors = model.item_vectors()
    whole = catalogue.vectors(model.data.train.T.tocsr() if vectors is None else vectors)
    cosines = cosines_of(model.name, whole)
    names = pa.array(outside.interactions.item_ids.tolist())
    ids, items = {"item_id": names, "similar_id": names}, whole.shape[0]
    for rows in progress(row_blocks(np.arange(items), items), label="similar items", unit="batch"):
        scores = cosines(rows)  # (b, items)
        scores[np.arange(len(rows)), rows] = -np.inf
        columns = top_items(scores, top)
        values = np.take_along_axis(scores, columns, axis=1)
        yield _rank_rows(ids, rows, np.where(values > -np.inf, columns, -1), values)


def name_similarity(model: Model) -> str:
    """Return what `similar_items` compares, for the release's manifest."""
    return "training interactions" if model.item_vectors() is None else "item vectors"


def _rank_rows(ids: dict[str, pa.Array], rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> pa.Table:
    """Lists of `columns` (b, k), best first, with their scores, -1 at the end; `ids` are of rows, then of columns."""
    keep = columns >= 0
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
