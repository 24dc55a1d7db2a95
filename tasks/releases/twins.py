"""Twins: the models that were evaluated, each trained on its own training rows alone, compared on the same rows.

Tonight's rows are those of the candidate's validation that the other twin has not learned from, of users that both
know. For both twins the training items of both are masked. Two figures come of it: items that both know compete, or all
items of tonight's catalogue, of which a twin that does not know an item never recommends it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from tasks.data import Dataset
from tasks.data.blocks import row_blocks
from tasks.data.dataset import PARTS
from tasks.errors import Diverged
from tasks.metrics.ranking import UserValues, rank_table, ranking_metrics
from tasks.metrics.selection import SELECTION
from tasks.models.base import Model
from tasks.models.serving import Serving
from tasks.progress import progress
from tasks.releases.histories import load_histories
from tasks.releases.serving_files import TWIN, load_serving
from tasks.runs.prepared import ARRIVALS, external_ids
from tasks.store import Artefact


@dataclass(frozen=True)
class Twin:
    """A model by external ids of its rows and columns, with `train`, (users, items) CSR, that it learned from."""

    user_ids: np.ndarray
    item_ids: np.ndarray
    serving: Serving
    train: sparse.csr_matrix

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Return scores (n, items) float32 of rows `users` (n,); raises Diverged for any that is not finite."""
        scores = self.serving.known(users, self.train)
        if not np.isfinite(scores).all():
            raise Diverged("scores of a twin that are not finite found, expected finite ones: publish another model")
        return scores


@dataclass(frozen=True)
class Pair:
    """The deciding metric of each user by both twins, on the same users, rows and items."""

    candidate: UserValues
    other: UserValues
    rows: int
    items: int


def load_twin(release: Artefact) -> Twin:
    """Return the twin of a release. Raises NotFound, BadInput or Corrupt if the release does not hold it whole."""
    user_ids, item_ids = external_ids(release, "user"), external_ids(release, "item")
    which = TWIN if f"{TWIN}serving.json" in release.manifest.files else ""  # else it was served itself
    serving, _ = load_serving(release, len(user_ids), len(item_ids), which)
    beyond = ARRIVALS in release.manifest.files
    users, items = (len(external_ids(release, kind, beyond=beyond)) for kind in ("user", "item"))
    histories = load_histories(release, (len(user_ids), len(item_ids)), users=users, items=items)
    return Twin(user_ids, item_ids, serving, histories.learned(PARTS[:1]))


def twin_of(model: Model, data: Dataset) -> Twin:
    """Return the twin of a run: `model`, fitted on `data`."""
    return Twin(data.user_ids, data.item_ids, model.serving(), data.train)


@dataclass(frozen=True)
class Rows:
    """Tonight's rows in the candidate's numbers: `known` and `catalogue`, (users, items) CSR, are to be found.

    `users` (n,) have such a row in `catalogue`; `others` (n,) are their rows in the other twin. `columns` (items,) are
    the other twin's columns of tonight's items, -1 for those that it does not know. `seen` are the rows that either
    learned from.
    """

    known: sparse.csr_matrix
    catalogue: sparse.csr_matrix
    users: np.ndarray
    others: np.ndarray
    columns: np.ndarray
    seen: sparse.csr_matrix


def find_rows(candidate: Twin, other: Twin, valid: sparse.csr_matrix) -> Rows:
    """Return what both are measured on; `valid` (users, items) CSR are the candidate's validation rows."""
    rows, columns = _places(candidate.user_ids, other.user_ids), _places(candidate.item_ids, other.item_ids)
    learned = _renumbered(other, candidate)
    fresh = (valid - valid.multiply(learned)).multiply((rows >= 0)[:, None]).tocsr()
    known = fresh.multiply((columns >= 0)[None, :]).tocsr()
    for matrix in (fresh, known):
        matrix.eliminate_zeros()
    users = np.flatnonzero(np.diff(fresh.indptr))
    return Rows(known, fresh, users, rows[users], columns, (candidate.train + learned).tocsr())


def score_rows(candidate: Twin, other: Twin, found: Rows) -> tuple[Pair, Pair]:
    """Return both figures: with items that both twins know as candidates, and with tonight's catalogue."""
    strangers = found.columns < 0
    size = len(found.columns)
    parts: list[list[np.ndarray]] = []
    for places in progress(row_blocks(np.arange(len(found.users)), size), label="compare twins", unit="batch"):
        rows, seen = found.users[places], found.seen[found.users[places]]
        mine = np.array(candidate.scores(rows), dtype=np.float32)  # (b, items), a copy: masked below
        shared = mine.copy()
        shared[:, strangers] = -np.inf
        theirs = np.full((len(rows), size), -np.inf, dtype=np.float32)
        theirs[:, ~strangers] = other.scores(found.others[places])[:, found.columns[~strangers]]
        parts.append(
            [
                _ndcg(scores.copy(), positives[rows], seen)
                for positives, tables in ((found.known, (shared, theirs)), (found.catalogue, (mine, theirs)))
                for scores in tables
            ]
        )
    values = [np.concatenate(part) for part in zip(*parts, strict=True)]
    measured = np.diff(found.known.indptr)[found.users] > 0  # users with a row of an item that both know
    users = candidate.user_ids[found.users]
    return (
        _pair(users[measured], values[0][measured], values[1][measured], found.known.nnz, int((~strangers).sum())),
        _pair(users, values[2], values[3], found.catalogue.nnz, size),
    )


def _pair(users: np.ndarray, candidate: np.ndarray, other: np.ndarray, rows: int, items: int) -> Pair:
    one, two = (UserValues(users, (SELECTION.k,), {SELECTION.name: values[:, None]}) for values in (candidate, other))
    return Pair(one, two, rows, items)


def _ndcg(scores: np.ndarray, positives: sparse.csr_matrix, seen: sparse.csr_matrix) -> np.ndarray:
    """Return (b,) of scores (b, items), which are changed; 0 for a user without a positive."""
    hits, _ = rank_table(scores, positives, [seen], SELECTION.k)
    counts = np.maximum(np.diff(positives.indptr), 1)
    return ranking_metrics(hits, counts, (SELECTION.k,))[SELECTION.name][:, 0]


def _places(ids: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the place of each of `ids` (n,) in `known`, -1 for those that are not there."""
    return np.asarray(pd.Index(known.tolist()).get_indexer(pd.Index(ids.tolist())), dtype=np.int64)


def _renumbered(twin: Twin, like: Twin) -> sparse.csr_matrix:
    """Return what `twin` learned from in the numbers of `like`, without users and items that `like` does not know."""
    rows, columns = _places(twin.user_ids, like.user_ids), _places(twin.item_ids, like.item_ids)
    learned = twin.train.tocoo()
    users, items = rows[learned.row], columns[learned.col]
    kept = (users >= 0) & (items >= 0)
    ones = np.ones(int(kept.sum()), dtype=np.float32)
    return sparse.csr_matrix((ones, (users[kept], items[kept])), shape=like.train.shape)
