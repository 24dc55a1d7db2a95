"""Losses that two or more models share, in forms that neither overflow nor take the logarithm of zero."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def bpr_loss(positive: Tensor, negative: Tensor) -> Tensor:
    """Mean of -log sigmoid(s+ - s-) over a batch, from scores (n,) each.

    Rendle et al., BPR: Bayesian Personalized Ranking from Implicit Feedback, UAI 2009, equation 4.
    """
    return functional.softplus(negative - positive).mean()


def squared_norms(*rows: Tensor) -> Tensor:
    """Half the sum of squares of the rows (n, d) of a batch, per interaction: gradient of one row is the row over n."""
    return torch.stack([row.square().sum() for row in rows]).sum() / (2 * len(rows[0]))
