"""A world whose answer is known: items of a few kinds, users who like one kind, and features that tell the kind."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tasks.data import Interactions

KINDS, WIDTH = 6, 24


@dataclass(frozen=True)
class World:
    """`log`, and `rows` (m, WIDTH) of the items `ids` (m,): row i is the content of item i."""

    log: Interactions
    ids: np.ndarray
    rows: np.ndarray

    def rename_logged(self, names: dict[str, str]) -> World:
        """The same interactions and features; logged items have other ids, and those without a new one are gone."""
        kept = np.isin(self.log.item_ids, list(names))
        log = self.log.take(kept[self.log.items])
        return replace(self, log=replace(log, item_ids=np.array([names[one] for one in log.item_ids.tolist()])))

    def keep_known(self) -> World:
        """The log is thinned to ids with features, as the join of a source leaves it."""
        return replace(self, log=self.log.take(np.isin(self.log.item_ids, self.ids)[self.log.items]))


def make_world(ids: np.ndarray, seed: int = 0, users: int = 400, noise: float = 0.5) -> World:
    """Draw kinds at random, so that neighbouring ids tell nothing of each other, and 15 interactions for each user."""
    rng = np.random.default_rng(seed)
    kinds, tastes = rng.integers(KINDS, size=len(ids)), rng.integers(KINDS, size=users)
    appeal = rng.gamma(1, size=len(ids))  # some are popular whoever is asked
    rows, columns = [], []
    for user, taste in enumerate(tastes):
        weights = appeal * np.where(kinds == taste, 5, 1)
        taken = rng.choice(len(ids), 15, replace=False, p=weights / weights.sum())
        rows += [user] * 15
        columns += taken.tolist()
    log = Interactions(np.array(rows, np.int32), np.array(columns, np.int32), np.arange(users).astype(str), ids)
    content = rng.normal(size=(KINDS, WIDTH))[kinds] + noise * rng.normal(size=(len(ids), WIDTH))
    return World(log.take(np.arange(len(log))), ids, content.astype(np.float32))


def numbers(size: int, first: int = 1, every: int = 1) -> np.ndarray:
    """Ids that are numbers, (size,) of str: of `every` two or three numbers, one."""
    return (first + every * np.arange(size)).astype(str)
