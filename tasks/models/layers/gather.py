"""Rows of a table by their numbers, with the cheapest gradient there is."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def gathered(table: Tensor, *rows: Tensor) -> tuple[Tensor, ...]:
    """(n, d) rows of `table` for each of some row numbers (n,): all at once, so that only one gradient table is made.

    On a CPU the gradient of `index_select` takes a third of the time of that of `embedding`; on a GPU it would not be
    the same twice.
    """
    every = torch.cat(rows) if len(rows) > 1 else rows[0]
    found = functional.embedding(every, table) if table.is_cuda else table.index_select(0, every)
    return found.split([len(part) for part in rows])
