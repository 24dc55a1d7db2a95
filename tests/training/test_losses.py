"""Shared losses: right in the middle, and safe at the ends."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tasks.training import bpr_loss, bpr_of_vectors, squared_norms


def test_bpr_is_the_mean_of_minus_log_sigmoid() -> None:
    """As equation 4 of the paper writes it."""
    positive, negative = torch.tensor([1.0, -0.5, 3.0]), torch.tensor([0.0, 2.0, 3.0])
    margin = np.array([1.0, -2.5, 0.0])
    assert bpr_loss(positive, negative).item() == pytest.approx(-np.log(1 / (1 + np.exp(-margin))).mean(), rel=1e-6)


@pytest.mark.parametrize("margin", [-1e4, 1e4])
def test_bpr_is_finite_however_far_apart_the_scores_are(margin: float) -> None:
    """Neither log(0) nor an overflow; the worst case costs the margin and pulls with full force."""
    positive = torch.tensor([margin], requires_grad=True)
    loss = bpr_loss(positive, torch.zeros(1))
    loss.backward()
    assert loss.item() == pytest.approx(max(-margin, 0.0))
    assert positive.grad is not None
    assert positive.grad.item() == (-1.0 if margin < 0 else 0.0)


def test_bpr_of_vectors_is_that_of_their_products() -> None:
    """One product less gives the same loss."""
    user, positive, negative = torch.randn(3, 8, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = bpr_loss((user * positive).sum(1), (user * negative).sum(1))
    assert bpr_of_vectors(user, positive, negative).item() == pytest.approx(expected.item(), rel=1e-12)


def test_squared_norms_are_halved_and_per_interaction() -> None:
    """Sum over all rows of all tables, over twice the length of the batch."""
    rows = torch.tensor([[3.0, 4.0], [0.0, 1.0]])
    assert squared_norms(rows, 2 * rows).item() == pytest.approx((26 + 104) / 4)
