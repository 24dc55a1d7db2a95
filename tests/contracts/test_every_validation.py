"""The contract for early stopping: validation after an epoch measures the state at the end of that epoch."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from tasks.metrics import selection_metric
from tasks.models import build_model
from tasks.models.families.gradient import GradientModel
from tasks.training import Scorer, TrainingOptions
from tests.registry import GRADIENT
from tests.world import content_world

EPOCHS = 4
BRIEF = {"learning_rate": 0.05, "batch_size": 128, "max_epochs": EPOCHS, "evaluate_every": 1, "embedding_size": 16}


@pytest.mark.parametrize("name", GRADIENT)
def test_each_validation_is_of_the_state_of_its_epoch(name: str) -> None:
    """Each epoch's value equals that of a new model that loads the state of that epoch."""
    data = content_world()
    states: list[dict[str, torch.Tensor]] = []
    measure = partial(selection_metric, data=data)

    def validate(scorer: Scorer) -> float:
        assert isinstance(scorer, GradientModel)
        states.append({key: tensor.clone() for key, tensor in scorer.state().items()})
        return measure(scorer)

    records = build_model(name, BRIEF, data).fit(TrainingOptions(seed=1, validate=validate))
    afresh = [measure(build_model(name, BRIEF, data).load_state(state)) for state in states]
    assert len(afresh) == EPOCHS
    assert len(set(afresh)) > 1  # otherwise a constant value would pass
    assert [record.valid for record in records] == pytest.approx(afresh, abs=1e-9)
