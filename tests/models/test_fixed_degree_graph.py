"""Sums and products along edges against dense NumPy, and their gradients."""

from __future__ import annotations

import numpy as np
import torch

from tasks.models.layers.fixed_degree_graph import Edges, products, weighted_sums
from tasks.models.layers.gather import gather

TO = torch.tensor([[1, 2], [0, 2], [1, 3], [2, 2], [0, 1]])  # nobody leads to item 4, item 3 twice to item 2


def drawn(*shape: int) -> torch.Tensor:
    """Numbers with gradients, in 64 bits."""
    numbers = np.random.default_rng(sum(shape)).normal(size=shape)
    return torch.from_numpy(numbers).requires_grad_()


def test_sums_follow_the_edges() -> None:
    """A row is the weighted sum of the rows that its edges lead to, with the gradients of finite differences."""
    edges, weights, x = Edges(TO), drawn(5, 2), drawn(5, 3)
    expected = (weights.detach().numpy()[:, :, None] * x.detach().numpy()[TO.numpy()]).sum(axis=1)
    np.testing.assert_allclose(weighted_sums(edges, weights, x).detach().numpy(), expected)
    assert torch.autograd.gradcheck(lambda w, rows: weighted_sums(edges, w, rows), (weights, x))


def test_products_follow_the_edges() -> None:
    """One number an edge, the product of the rows at both ends, with the gradients of finite differences."""
    edges, one, other = Edges(TO), drawn(5, 3), drawn(5, 4)[:, :3]
    expected = (one.detach().numpy()[:, None] * other.detach().numpy()[TO.numpy()]).sum(axis=2)
    np.testing.assert_allclose(products(edges, one, other).detach().numpy(), expected)
    assert torch.autograd.gradcheck(lambda a, b: products(edges, a, b), (one, other))


def test_rows_that_are_taken_twice_get_both_gradients() -> None:
    """Rows come in the order of their numbers, for each set of them."""
    table = drawn(4, 3)
    first, second = gather(table, torch.tensor([2, 0, 2]), torch.tensor([2]))
    np.testing.assert_array_equal(first.detach().numpy(), table.detach().numpy()[[2, 0, 2]])
    (first.sum() + 10 * second.sum()).backward()
    assert table.grad is not None
    assert table.grad[:, 0].tolist() == [1, 0, 12, 0]
