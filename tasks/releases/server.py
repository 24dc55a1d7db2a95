"""Serves a published release, loaded once, within milliseconds; needs only the release and uses external ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import sparse

from tasks.data import Sequences, compose
from tasks.errors import BadInput, NotFound
from tasks.metrics import top_items
from tasks.releases.catalogue import load_catalogue
from tasks.releases.cosines import Cosines, cosines_of
from tasks.releases.histories import HISTORIES, load_histories
from tasks.releases.item_records import load_records
from tasks.releases.serving_files import load_serving
from tasks.runs.prepared import ARRIVALS, external_ids
from tasks.store import Artefact

FILES = ("serving.json", "serving.safetensors", HISTORIES)
NAMED = 5  # unknown ids that an error shows


class Ranked(NamedTuple):
    """An item by its external id, with the model's score or, for similar items, the cosine.

    `arrival`: whether nobody that the model knows has taken it; then the score comes from content.
    """

    item: str
    score: float
    arrival: bool = False


class ReleaseServer:
    """Recommendations of one release. Raises NotFound for unknown external ids, BadInput for an impossible `k`."""

    def __init__(self, release: Artefact) -> None:
        missing = [name for name in FILES if name not in release.manifest.files]
        if missing:
            raise NotFound(
                f"{release.prefix} has no {', '.join(missing)}, expected a release that can answer: "
                "an earlier version published it, so publish the dataset again"
            )
        self.release = release.prefix.rpartition("/")[2]
        self.model = str(release.manifest.parameters.get("model"))
        beyond = ARRIVALS in release.manifest.files  # a release of an earlier version has the dataset alone
        known = [len(external_ids(release, kind)) for kind in ("user", "item")]
        self.user_ids, self.item_ids = (external_ids(release, kind, beyond=beyond) for kind in ("user", "item"))
        self._users, self._known = known
        self._rows = {str(user): row for row, user in enumerate(self.user_ids)}
        self._columns = {str(item): column for column, item in enumerate(self.item_ids)}
        self._serving, self._vectors = load_serving(release, self._users, self._known)
        self._catalogue = load_catalogue(release, self._known, len(self.item_ids) - self._known)
        shape, users, items = (self._users, self._known), len(self.user_ids), len(self.item_ids)
        self._histories = load_histories(release, shape, users=users, items=items)
        self.records = load_records(release)
        self._taken, self._learned = self._histories.taken, self._histories.learned(self._histories.parts)

    def recommend(
        self, user: str, k: int = 10, *, exclude: Iterable[str] = (), include_seen: bool = False
    ) -> list[Ranked]:
        """Return the best `k` items for a user of the log; fewer if no more are left.

        A user outside the k-core is answered by their history, as a new user is. Items that the user interacted with
        are left out unless `include_seen`.
        """
        row = np.array([_known([user], self._rows, f"users of release {self.release}")[0]])
        hidden = self.columns(exclude)
        if not include_seen:
            hidden += self._taken[row].indices.tolist()
        if row[0] < self._users:
            return self._best(self._serving.known(row, self._learned), k, hidden)
        return self._best(self._fold_in(self._histories.others, row - self._users), k, hidden)

    def recommend_new(
        self, history: Iterable[str], k: int = 10, *, exclude: Iterable[str] = (), include_seen: bool = False
    ) -> list[Ranked]:
        """The best `k` items for a new user who interacted with the items of `history`, oldest first.

        Of an item named twice the last time counts. They are left out unless `include_seen`. BadInput for an empty
        history.
        """
        columns = list(dict.fromkeys(reversed(self.columns(history))))[::-1]
        if not columns:
            raise BadInput("a history without items found, expected at least one item of the user")
        one = Sequences(np.array([0, len(columns)], dtype=np.int64), np.array(columns, dtype=np.int64))
        scores = self._fold_in(one, np.zeros(1, dtype=np.int64))
        return self._best(scores, k, self.columns(exclude) + ([] if include_seen else columns))

    def similar(self, item: str, k: int = 10, *, exclude: Iterable[str] = ()) -> list[Ranked]:
        """Return the `k` items most similar to `item`, without itself; empty if its vector is zero."""
        (column,) = self.columns([item])
        self._check(k)
        scores = self._cosines(np.array([column])).copy()
        scores[0, [column, *self.columns(exclude)]] = -np.inf
        best = top_items(scores, k)[0]
        return [self._ranked(n, scores[0, n]) for n in best if scores[0, n] > -np.inf]

    def knows(self, item: str) -> bool:
        """Whether `item` is in the catalogue."""
        return compose(item) in self._columns

    def columns(self, items: Iterable[str]) -> list[int]:
        """Return the column numbers of items."""
        return _known(list(items), self._columns, f"items of release {self.release}")

    def _fold_in(self, histories: Sequences, rows: np.ndarray) -> np.ndarray:
        """Scores (n, K) for users who were not in training."""
        return self._serving.new(self._catalogue.as_known(histories, rows))

    def _best(self, known: np.ndarray, k: int, hidden: list[int]) -> list[Ranked]:
        self._check(k)
        places = sorted(set(hidden))
        starts, ones = np.array([0, len(places)]), np.ones(len(places), dtype=np.float32)
        left_out = sparse.csr_matrix((ones, places, starts), shape=(1, len(self._columns)))
        columns, scores = self._catalogue.lists(known, left_out, k)
        return [self._ranked(n, score) for n, score in zip(columns[0], scores[0], strict=True) if n >= 0]

    def _check(self, k: int) -> None:
        if not 1 <= k <= len(self._columns):
            raise BadInput(f"k of {k} found, expected 1 to {len(self._columns)}, the size of the catalogue")

    def _ranked(self, column: int, score: float) -> Ranked:
        return Ranked(str(self.item_ids[column]), float(score), bool(column >= self._known))

    @cached_property
    def _cosines(self) -> Cosines:
        vectors = self._learned.T.tocsr() if self._vectors is None else self._vectors
        return cosines_of(self.model, self._catalogue.vectors(vectors))


def _known(ids: Sequence[str], numbers: dict[str, int], what: str) -> list[int]:
    """Return the numbers of ids; raises NotFound with the first unknown ids and their number."""
    ids = [compose(name) for name in ids]  # as they are in releases; a terminal may give accents apart
    unknown = [name for name in ids if name not in numbers]
    if unknown:
        many = "unknown id" if len(unknown) == 1 else f"{len(unknown)} unknown ids"
        more = ", ..." if len(unknown) > NAMED else ""
        raise NotFound(
            f"{many} {', '.join(map(repr, unknown[:NAMED]))}{more} found, expected ids of the {len(numbers)} {what}, "
            f"such as {', '.join(map(repr, list(numbers)[:3]))}"
        )
    return [numbers[name] for name in ids]
