"""The plain models that the benchmarks compare with compute the losses of ours."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.plain import PLAIN
from tasks.models import build_model
from tasks.models.families.gradient import GradientModel
from tasks.training import Batch
from tests.models.dense import ITEMS, NEGATIVES, POSITIVES, TAKERS, USERS
from tests.world import random_world


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_model_has_the_loss_of_ours(name: str) -> None:
    """At the same parameters, and after a step of each."""
    config: dict[str, object] = {"embedding_size": 4, "learning_rate": 1e-3, "regularization": 0.3}
    if name in {"freedom", "lattice", "mgcn"}:
        config["neighbours"] = 3
    model = build_model(name, config, random_world(USERS, ITEMS))
    assert isinstance(model, GradientModel)
    model.initialise(torch.Generator().manual_seed(0))
    plain = PLAIN[name](model)
    plain.build()
    plain.build_item_graphs()
    model.train()
    model.start_epoch(np.random.default_rng(0))
    plain.start_epoch()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    batch = Batch(*(torch.from_numpy(rows) for rows in (TAKERS, POSITIVES, NEGATIVES)))
    for _ in range(2):
        loss, expected = model.loss(batch), plain.loss(batch)
        assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
        loss.backward()
        optimizer.step()
        plain.optimizer.zero_grad()
        expected.backward()
        plain.optimizer.step()
