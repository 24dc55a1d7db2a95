"""The natural mistakes of a join, as other joins of the same log and features.

Each says which row of a feature an item of the log would have if the log's ids, or the features', were numbers that
somebody had given anew. `behaviour` tells which join the content speaks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tasks.data import Interactions, canonical_integers, numbering

MISSING = -1


@dataclass(frozen=True)
class Alternative:
    """A join: the item with key k in the log has the row with key k + shift. `words` goes on "the row of ..."."""

    words: str
    items: np.ndarray  # (n,) keys of the logged items
    rows: np.ndarray  # (m,) keys of the rows, each once
    shift: int = 0

    def find_rows(self, offset: int = 0) -> np.ndarray:
        """Return for each logged item (n,) its row, or MISSING; `offset` is added to the shift."""
        order = np.argsort(self.rows, kind="stable")
        wanted = self.items + self.shift + offset
        places = np.minimum(np.searchsorted(self.rows, wanted, sorter=order), len(order) - 1)
        return np.where(self.rows[order[places]] == wanted, order[places], MISSING)


def join_by_id(logged: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return for each of the ids `logged` (n,) its row in `known` (m,), the first if there are several, or MISSING."""
    order = np.argsort(known, kind="stable")
    places = np.minimum(np.searchsorted(known, logged, sorter=order), max(len(order) - 1, 0))
    return np.where(known[order[places]] == logged, order[places], MISSING)


def neighbouring_ids(log: Interactions, known: np.ndarray) -> list[Alternative]:
    """Return the joins with the next and with the last row, sorted by id: what a matrix that is off by one row does."""
    own, places = join_by_id(log.item_ids, known), orders_of_rows(known)["as numbers"]
    nowhere = -2 * len(known)  # so that no step from it leads to a row
    here = np.where(own == MISSING, nowhere, places[own])
    return [Alternative("the next id", here, places, 1), Alternative("the id before", here, places, -1)]


def list_alternatives(log: Interactions, known: np.ndarray) -> Iterator[Alternative]:
    """Yield the alternatives to joining by id, for features with the distinct ids `known` (m,).

    Ids off by one; the log renumbered by an order of the rows; the rows renumbered by an order of the
    log; and both in an order of their own.
    """
    in_log, in_rows = canonical_integers(log.item_ids), canonical_integers(known)
    orders, sides = orders_of_rows(known), orders_of_log(log)
    if in_log is not None and in_rows is not None:
        yield Alternative("id + 1", in_log, in_rows, 1)
        yield Alternative("id - 1", in_log, in_rows, -1)
    for order, rows in orders.items():
        if in_log is not None:
            yield Alternative(f"number id of the features sorted {order}, counted from 0", in_log, rows)
            yield Alternative(f"number id of the features sorted {order}, counted from 1", in_log, rows, -1)
        for side, items in sides.items():
            yield Alternative(f"the same rank, of the log {side} and of the features sorted {order}", items, rows)
    if in_rows is not None:
        for side, items in sides.items():
            yield Alternative(f"the item's rank in the log {side}, counted from 0", items, in_rows)
            yield Alternative(f"the item's rank in the log {side}, counted from 1", items, in_rows, 1)


def orders_of_rows(known: np.ndarray) -> dict[str, np.ndarray]:
    """Ranks from 0 of the rows with ids `known` (m,), by the order of their ids."""
    return {"as numbers": rank(numbering(known)), "as text": rank(np.argsort(known, kind="stable"))}


def orders_of_log(log: Interactions) -> dict[str, np.ndarray]:
    """Ranks from 0 of the items (n,) of a log, in the orders by which logs are renumbered."""
    first = np.full(len(log.item_ids), len(log), dtype=np.int64)
    first[log.items[::-1]] = np.arange(len(log) - 1, -1, -1)  # of several assignments the last one stays
    counts = np.bincount(log.items, minlength=len(log.item_ids))
    return {
        "sorted as numbers": rank(numbering(log.item_ids)),
        "sorted as text": rank(np.argsort(log.item_ids, kind="stable")),
        "by first appearance": rank(np.argsort(first, kind="stable")),
        "by popularity": rank(np.argsort(-counts, kind="stable")),
    }


def rank(order: np.ndarray) -> np.ndarray:
    """Return the place of each element (n,) in `order` (n,), the positions that sort."""
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order))
    return places
