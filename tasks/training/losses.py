"""Losses of several models, in numerically stable forms."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def bpr_loss(positive: Tensor, negative: Tensor) -> Tensor:
    """Return the mean of -log sigmoid(s+ - s-) over a batch, from scores (n,) each.

    Rendle et al., BPR: Bayesian Personalized Ranking from Implicit Feedback, UAI 2009, equation 4.
    """
    return functional.softplus(negative - positive).mean()


def bpr_of_vectors(user: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Return `bpr_loss` of scores that are products of rows (n, d), with one product instead of two."""
    return functional.softplus((user * (negative - positive)).sum(1)).mean()


def squared_norms(*rows: Tensor) -> Tensor:
    """Return half the squared norms of rows (n, d) of a batch, per interaction: a row's gradient is the row over n."""
    flat = [row.reshape(-1) for row in rows]
    return torch.stack([torch.dot(row, row) for row in flat]).sum() / (2 * len(rows[0]))


def info_nce(one: Tensor, other: Tensor, temperature: float) -> Tensor:
    """Return the mean of -log softmax of cosines / temperature; row k of `one` (n, d) and of `other` (m, d) pair.

    m may exceed n: further rows of `other` are additional negatives. van den Oord, Li, Vinyals, Representation Learning
    with Contrastive Predictive Coding, 2018, equation 4.
    """
    scaled = functional.normalize(one, dim=1) / temperature  # scaling (n, d) is cheaper than scaling the (n, m) cosines
    cosines = scaled @ functional.normalize(other, dim=1).T
    return functional.cross_entropy(cosines, torch.arange(len(one), device=one.device))


def cosine_distance(one: Tensor, other: Tensor) -> Tensor:
    """Mean over rows (n, d) of 1 - cosine; the cosine with a row of zeros is 0 and has no gradient."""
    lengths = [torch.linalg.vector_norm(rows, dim=1).clamp(min=1e-8) for rows in (one, other)]
    return 1 - ((one * other).sum(1) / (lengths[0] * lengths[1])).mean()
