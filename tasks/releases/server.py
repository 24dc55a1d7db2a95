"""Serves a published release, loaded once, within milliseconds; needs only the release and uses external ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple, cast

import numpy as np
from scipy import sparse

from tasks.data import Sequences
from tasks.data.dataset import PARTS
from tasks.errors import BadInput, Corrupt, NotFound
from tasks.metrics import top_items
from tasks.releases.cosines import Cosines, cosines_of
from tasks.releases.serving_files import load_serving
from tasks.runs.prepared import external_ids
from tasks.store import Artefact

FILES = ("serving.json", "serving.safetensors", "histories.safetensors")
NAMED = 5  # unknown ids that an error shows


class Ranked(NamedTuple):
    """An item by its external id, with the model's score or, for similar items, the cosine."""

    item: str
    score: float


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
        self.user_ids, self.item_ids = external_ids(release, "user"), external_ids(release, "item")
        self._rows = {str(user): row for row, user in enumerate(self.user_ids)}
        self._columns = {str(item): column for column, item in enumerate(self.item_ids)}
        self._serving, self._vectors = load_serving(release, len(self._rows), len(self._columns))
        self._taken, self._learned = self._histories(release)

    def recommend(
        self, user: str, k: int = 10, *, exclude: Iterable[str] = (), include_seen: bool = False
    ) -> list[Ranked]:
        """Return the best `k` items for a user of the log by the model's scores; fewer if no more are left.

        Items that the user interacted with, in any split, are left out unless `include_seen`.
        """
        row = np.array([_known([user], self._rows, f"users of release {self.release}")[0]])
        hidden = self.columns(exclude)
        if not include_seen:
            hidden += self._taken[row].indices.tolist()
        return self._best(self._serving.known(row, self._learned), k, hidden)

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
        return self._best(self._serving.new(one), k, self.columns(exclude) + ([] if include_seen else columns))

    def similar(self, item: str, k: int = 10, *, exclude: Iterable[str] = ()) -> list[Ranked]:
        """Return the `k` items most similar to `item`, without itself; empty if its vector is zero."""
        (column,) = self.columns([item])
        return self._best(self._cosines(np.array([column])), k, [column, *self.columns(exclude)])

    def knows(self, item: str) -> bool:
        """Whether `item` is in the catalogue."""
        return item in self._columns

    def columns(self, items: Iterable[str]) -> list[int]:
        """Return the column numbers of items."""
        return _known(list(items), self._columns, f"items of release {self.release}")

    def _best(self, scores: np.ndarray, k: int, hidden: list[int]) -> list[Ranked]:
        if not 1 <= k <= len(self._columns):
            raise BadInput(f"k of {k} found, expected 1 to {len(self._columns)}, the size of the catalogue")
        scores = scores.copy()
        scores[0, hidden] = -np.inf
        best = top_items(scores, k)[0]
        return [Ranked(str(self.item_ids[n]), float(scores[0, n])) for n in best if scores[0, n] > -np.inf]

    @cached_property
    def _cosines(self) -> Cosines:
        return cosines_of(self.model, self._learned.T.tocsr() if self._vectors is None else self._vectors)

    def _histories(self, release: Artefact) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
        """Return the interactions of all parts and those that the model learned from, each (users, items)."""
        arrays = {name: tensor.numpy() for name, tensor in release.tensors("histories.safetensors").items()}
        try:
            whole = sparse.csr_matrix(
                (arrays["splits"], arrays["items"], arrays["starts"]), shape=(len(self._rows), len(self._columns))
            )
            whole.check_format(full_check=True)
        except (KeyError, ValueError) as error:
            raise Corrupt(
                f"{release.prefix}/histories.safetensors is not one row of items for each user: publish again"
            ) from error
        parts = cast("Sequence[str]", release.manifest.parameters.get("learned_from", PARTS[:1]))
        learned = [PARTS.index(part) for part in parts]
        train = whole.astype(np.float32)  # a copy, changed in place below
        train.data[:] = np.isin(whole.data, learned)
        train.eliminate_zeros()
        return whole, train


def _known(ids: Sequence[str], numbers: dict[str, int], what: str) -> list[int]:
    """Return the numbers of ids; raises NotFound with the first unknown ids and their number."""
    unknown = [name for name in ids if name not in numbers]
    if unknown:
        many = "unknown id" if len(unknown) == 1 else f"{len(unknown)} unknown ids"
        more = ", ..." if len(unknown) > NAMED else ""
        raise NotFound(
            f"{many} {', '.join(map(repr, unknown[:NAMED]))}{more} found, expected ids of the {len(numbers)} {what}, "
            f"such as {', '.join(map(repr, list(numbers)[:3]))}"
        )
    return [numbers[name] for name in ids]
