"""Lists over the whole catalogue: the scores of known items are the model's, those of arrivals come from content."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass

import numpy as np
from scipy import sparse

from tasks.arrivals.content_map import Arrivals
from tasks.arrivals.fitting import fit_arrivals
from tasks.arrivals.mixing import mix
from tasks.arrivals.policy import Policy
from tasks.data import Sequences
from tasks.data.outside import Outside
from tasks.errors import BadInput, Corrupt, one_line
from tasks.metrics import SELECTION, top_items
from tasks.models.base import Model
from tasks.store import Artefact, ArtefactWriter

log = logging.getLogger(__name__)
FACTS, TENSORS = "arrivals.json", "arrivals.safetensors"
STANDINS = 20  # known items whose interactions make the vector of an arrival, for a model without item vectors
OFF = Policy("off")
PAGE = SELECTION.k


@dataclass(frozen=True)
class Catalogue:
    """K known items and A arrivals, numbered K, K + 1, ...; `scorer` is None where there are no arrivals."""

    known: int
    scorer: Arrivals | None
    policy: Policy

    def lists(self, known: np.ndarray, hidden: sparse.csr_matrix, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The `k` best of each row: columns (n, k) int64, -1 where nothing is left, and their scores (n, k) float32.

        `known` (n, K) scores; `hidden` (n, K + A), whose entries are left out. The policy holds for a page of PAGE
        places: a longer list is a page, then one of what is left, and so on.
        """
        scores = self.scores(known)
        scores[np.repeat(np.arange(len(known)), np.diff(hidden.indptr)), hidden.indices] = -np.inf
        values, left, pages = scores.copy(), k, []
        while left > 0:
            page = self._page(scores, min(left, PAGE))
            left -= page.shape[1]
            pages.append(page)
            rows, places = np.nonzero(page >= 0)
            scores[rows, page[rows, places]] = -np.inf
        columns = np.concatenate(pages, axis=1)
        filled_first = np.argsort(columns < 0, axis=1, kind="stable")  # a page may have had places left
        columns = np.take_along_axis(columns, filled_first, axis=1)
        return columns, np.take_along_axis(values, np.maximum(columns, 0), axis=1)

    def _page(self, scores: np.ndarray, k: int) -> np.ndarray:
        """Columns (n, k), -1 where nothing is left."""
        if self.scorer is not None:
            return mix(scores[:, : self.known], scores[:, self.known :], k, self.policy, self.scorer.exchange).columns
        best = top_items(scores, k)
        best = np.where(np.take_along_axis(scores, best, axis=1) > -np.inf, best, -1)
        return np.pad(best, ((0, 0), (0, k - best.shape[1])), constant_values=-1)

    def scores(self, known: np.ndarray) -> np.ndarray:
        """Scores (n, K + A) float32 of the whole catalogue, a copy, from those of known items (n, K)."""
        if self.scorer is None:
            return np.array(known, dtype=np.float32)
        return np.concatenate([known, self.scorer.scores(known)], axis=1, dtype=np.float32)

    def vectors(self, known: np.ndarray | sparse.csr_matrix) -> np.ndarray | sparse.csr_matrix:
        """Vectors (K + A, d) of the catalogue from those of known items, dense or sparse; arrivals' are predicted."""
        if self.scorer is None:
            return known
        if isinstance(known, np.ndarray):
            predicted = self.scorer.weights @ known[self.scorer.anchors]
            return np.concatenate([known, predicted], axis=0, dtype=np.float32)
        return sparse.vstack([known, self._nearest(self.scorer) @ known], format="csr")

    def as_known(self, histories: Sequences, users: np.ndarray) -> Sequences:
        """Histories of some `users` (n,), with the known item most similar in content in place of each arrival.

        An item that is then there twice counts where it was last.
        """
        kept = [self._stand_in(histories.items[histories.starts[user] : histories.starts[user + 1]]) for user in users]
        starts = np.concatenate([[0], np.cumsum([len(one) for one in kept], dtype=np.int64)])
        return Sequences(starts, np.concatenate(kept) if kept else np.zeros(0, dtype=np.int64))

    def _stand_in(self, items: np.ndarray) -> np.ndarray:
        if self.scorer is not None and (arrived := items >= self.known).any():
            items = items.copy()
            nearest = self.scorer.weights[items[arrived] - self.known].argmax(axis=1)
            items[arrived] = self.scorer.anchors[nearest]
        _, last = np.unique(items[::-1], return_index=True)
        return np.asarray(items[np.sort(len(items) - 1 - last)], dtype=np.int64)

    def _nearest(self, scorer: Arrivals) -> sparse.csr_matrix:
        """The STANDINS largest weights of each arrival, (A, K)."""
        best = top_items(scorer.weights, STANDINS)
        starts = np.arange(0, best.size + 1, best.shape[1])
        values = np.take_along_axis(scorer.weights, best, axis=1)
        columns = scorer.anchors[best.ravel()]
        return sparse.csr_matrix((values.ravel(), columns, starts), shape=(len(best), self.known))


def fit_catalogue(model: Model, twin: Model, outside: Outside, policy: Policy, *, seed: int) -> Catalogue:
    """Learn to score the arrivals of `outside` by a model that learned from all interactions.

    Everything is chosen and calibrated with its twin, which has rows that it did not learn from. Where these are too
    few for the policy `calibrated`, arrivals get no places, with a warning.
    """
    known = twin.data.shape[1]
    if len(outside.interactions.item_ids) == known:
        return Catalogue(known, None, policy)
    chosen = fit_arrivals(twin.scores, twin.data, outside.features, seed=seed)
    scorer = fit_arrivals(model.scores, model.data, outside.features, seed=seed, like=chosen)
    if policy.kind == "calibrated" and scorer.exchange is None:
        log.warning(
            "arrivals get no place in lists: validation has too few interactions to calibrate their scores, so give "
            "more data or choose the policy share"
        )
        policy = OFF
    return Catalogue(known, scorer, policy)


def save_catalogue(artefact: ArtefactWriter, catalogue: Catalogue) -> None:
    """Write what `load_catalogue` needs: the policy, and the scorer of arrivals where there are any."""
    scorer = catalogue.scorer
    facts = None if scorer is None else scorer.facts()
    artefact.json(FACTS, {"policy": asdict(catalogue.policy), "scorer": facts})
    artefact.tensors(TENSORS, {} if scorer is None else scorer.tensors())


def load_catalogue(artefact: Artefact, known: int, arrivals: int) -> Catalogue:
    """What `save_catalogue` wrote; a release of an earlier version has known items alone. Corrupt for anything else."""
    if FACTS not in artefact.manifest.files:
        return Catalogue(known, None, OFF)
    content = artefact.json(FACTS)
    try:
        policy, facts = Policy(**content["policy"]), content["scorer"]
        arrays = {name: tensor.numpy() for name, tensor in artefact.tensors(TENSORS).items()}
        scorer = Arrivals.read(arrays, facts, known, arrivals) if arrivals else None
    except (BadInput, ValueError, KeyError, TypeError) as error:
        raise Corrupt(
            f"{artefact.prefix}/{FACTS} and {TENSORS} do not hold together ({one_line(error)}), expected a scorer of "
            f"{arrivals} arrivals from {known} items: publish again"
        ) from error
    return Catalogue(known, scorer, policy)
