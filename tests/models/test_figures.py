"""Whether the same hyperparameters still give the same scores, which kept trials rely on.

`figures.json` holds the mean magnitude of the scores of each model in a small world. The entry of a new model is
written when the tests first run outside CI; it is to be committed with the model.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tasks.models import FIGURES, MODELS, build_model, model_class
from tasks.models.families.gradient import GradientModel
from tasks.training import TrainingOptions
from tests.world import random_world

BRIEF = {"learning_rate": 0.02, "batch_size": 128, "max_epochs": 5, "embedding_size": 16}
PINS = Path(__file__).with_name("figures.json")


def mean_magnitude(name: str) -> float:
    """Of the scores of a model fitted by seed 0."""
    gradient = issubclass(model_class(name), GradientModel)
    model = build_model(name, BRIEF if gradient else {}, random_world(12, 20))
    model.fit(TrainingOptions())
    return float(np.abs(model.scores(np.arange(12))).mean())


@pytest.mark.parametrize("name", MODELS)
def test_scores_are_those_that_kept_trials_were_made_with(name: str) -> None:
    """Where they have changed on purpose: raise FIGURES by one, and write both into figures.json."""
    pins, magnitude = json.loads(PINS.read_text()), mean_magnitude(name)
    if name not in pins["scores"] and not os.environ.get("CI"):
        pins["scores"][name] = float(f"{magnitude:.5g}")
        PINS.write_text(json.dumps(pins, indent=4) + "\n")
    assert name in pins["scores"], f"run this test outside CI, which writes {name} into figures.json, and commit it"
    assert (pins["figures"], magnitude) == (FIGURES, pytest.approx(pins["scores"][name], rel=1e-3))


def test_no_pin_is_of_a_model_that_is_gone() -> None:
    """A name that is used again must not inherit what another model gave."""
    assert set(json.loads(PINS.read_text())["scores"]) <= set(MODELS)
