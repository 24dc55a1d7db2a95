"""Rows of tables by their numbers, with the cheapest gradient there is."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from tasks.training import Batch, bpr_of_vectors


def gather(table: Tensor, *rows: Tensor) -> tuple[Tensor, ...]:
    """(n, d) rows of `table` for each of some row numbers (n,): all at once, so that only one gradient table is made.

    On a CPU the gradient of `index_select` takes a third of the time of that of `embedding`; on a GPU it would not be
    the same twice.
    """
    every = torch.cat(rows) if len(rows) > 1 else rows[0]
    gathered = functional.embedding(every, table) if table.is_cuda else table.index_select(0, every)
    return gathered.split([len(part) for part in rows])


def gather_each(tables: list[Tensor], rows: Tensor | None) -> list[Tensor]:
    """The `rows` (n,) of each table, or all."""
    return tables if rows is None else [gather(table, rows)[0] for table in tables]


def distinct(places: Tensor, count: int) -> tuple[Tensor | None, Tensor]:
    """The items in `places` (n,), each once, and where among them every place is (n,).

    Where these are most of `count` items, None and `places`: copying the features of most costs more than projecting
    all of them.
    """
    items, rows = torch.unique(places, return_inverse=True)
    return (None, places) if len(items) > 0.75 * count else (items, rows)


def pairwise(users: Tensor, items: Tensor, batch: Batch) -> Tensor:
    """BPR loss of the rows of a batch in the tables of all users (U, d) and all items (I, d)."""
    return bpr_of_vectors(*gather(users, batch.users), *gather(items, batch.positives, batch.negatives))
