"""Rows of a batch in tables of all users and items, with the cheapest gradient there is, and losses of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from tasks.training import Batch, bpr_of_vectors, info_nce

CONTRASTED = 2048  # interactions per contrastive step: the batch size of the papers


def gather(table: Tensor, *rows: Tensor) -> tuple[Tensor, ...]:
    """(n, d) rows of `table` for each of some row numbers (n,): all at once, so that only one gradient table is made.

    On a CPU the gradient of `index_select` takes a third of the time of that of `embedding`; on a GPU it is not
    deterministic.
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
    seen = torch.zeros(count, dtype=torch.int64, device=places.device)
    seen[places] = 1
    order = torch.cumsum(seen, 0)  # cheaper than the sort of `torch.unique`
    if int(order[-1]) > 0.75 * count:
        return None, places
    return seen.nonzero().squeeze(1), (order - 1)[places]


def pairwise(users: Tensor, items: Tensor, batch: Batch) -> Tensor:
    """BPR loss of the rows of a batch in the tables of all users (U, d) and all items (I, d)."""
    return bpr_of_vectors(*gather(users, batch.users), *gather(items, batch.positives, batch.negatives))


def contrast_nodes(batch: Batch) -> tuple[Tensor, Tensor]:
    """Users and positive items of the first CONTRASTED interactions of a batch, each once."""
    return batch.users[:CONTRASTED].unique(), batch.positives[:CONTRASTED].unique()


def agreement(one: Sequence[Tensor], other: Sequence[Tensor], batch: Batch, temperature: float) -> Tensor:
    """InfoNCE between two vectors of the users of a batch plus that of its positive items, each node once.

    Of a large batch the first CONTRASTED interactions: cost grows with the square, and they come in random order.
    """
    losses = [
        info_nce(gather(left, rows)[0], gather(right, rows)[0], temperature)
        for left, right, rows in zip(one, other, contrast_nodes(batch), strict=True)
    ]
    return losses[0] + losses[1]
