"""Smoothing both sides of the graph apart is smoothing the whole of it."""

from __future__ import annotations

import pytest
import torch

from tasks.models.layers.channel_graph import mean_of_steps
from tasks.models.layers.graph import normalise_bipartite, normalise_part
from tasks.models.layers.sparse import propagate, torch_csr, torch_pair
from tests.world import random_world


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_both_sides_together_are_the_whole_graph(layers: int) -> None:
    """For odd and even numbers of layers."""
    train = random_world(12, 20).train
    users, items = torch.randn(12, 4), torch.randn(20, 4)
    graph, back = torch_pair(normalise_part(train))
    near, far = mean_of_steps(users, back, graph, layers)
    own, passed = mean_of_steps(items, graph, back, layers)
    whole = propagate(torch_csr(normalise_bipartite(train)), torch.cat([users, items]), layers)
    torch.testing.assert_close(torch.cat([near + passed, own + far]), whole)
