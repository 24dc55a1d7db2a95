"""InfoNCE between two views of the nodes of a batch."""

from __future__ import annotations

from torch import Tensor

from tasks.models.layers.gather import gather
from tasks.training import Batch, info_nce

CONTRASTED = 2048  # interactions per contrastive step: the batch size of the papers


def contrasted(batch: Batch) -> tuple[Tensor, Tensor]:
    """Users and positive items of the first CONTRASTED interactions of a batch, each once."""
    return batch.users[:CONTRASTED].unique(), batch.positives[:CONTRASTED].unique()


def agreement(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor], batch: Batch, temperature: float) -> Tensor:
    """InfoNCE between two vectors of the users of a batch plus that of its positive items, each node once.

    Of a large batch the first CONTRASTED interactions: cost grows with the square, and they come in random order.
    """
    losses = [
        info_nce(gather(left, rows)[0], gather(right, rows)[0], temperature)
        for left, right, rows in zip(one, other, contrasted(batch), strict=True)
    ]
    return losses[0] + losses[1]
