"""Whether the same hyper-parameters still give the same figures, which kept trials rely on."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.models import FIGURES, MODELS, build_model, model_class
from tasks.models.families.gradient import GradientModel
from tasks.training import TrainingOptions
from tests.world import random_world

BRIEF = {"learning_rate": 0.02, "batch_size": 128, "max_epochs": 5, "embedding_size": 16}
AS_OF = 2  # FIGURES
KNOWN = {  # mean magnitude of scores in a small world
    "popularity": 3.3,
    "itemknn": 0.37762,
    "ease": 0.16686,
    "cease": 0.14524,
    "ials": 0.42012,
    "cmf": 0.39351,
    "hybrid": 1.5581,
    "bpr": 0.2254,
    "vbpr": 0.53017,
    "lightgcn": 0.046637,
    "mmgcn": 2.3114,
    "mmgcl": 0.15252,
    "dualgnn": 0.29577,
    "lattice": 0.10202,
    "slmrec": 0.3104,
    "bm3": 0.50736,
    "freedom": 0.040474,
    "mgcn": 0.037246,
    "smore": 0.025431,
}


@pytest.mark.parametrize("name", MODELS)
def test_scores_are_those_that_kept_trials_were_made_with(name: str) -> None:
    """Where they have changed on purpose: raise FIGURES by one, and write both down here."""
    gradient = issubclass(model_class(name), GradientModel)
    model = build_model(name, BRIEF if gradient else {}, random_world(12, 20))
    model.fit(TrainingOptions())
    found = float(np.abs(model.scores(np.arange(12))).mean())
    assert (FIGURES, found) == (AS_OF, pytest.approx(KNOWN[name], rel=1e-3))
