"""VBPR and its content: any number of modalities, any scale, and worth something only where it says something."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tasks.data import Dataset
from tasks.errors import BadInput
from tasks.metrics import evaluate
from tasks.models import build_model
from tasks.models.solvers.standardise import standardise_features
from tasks.training import TrainingOptions
from tests.world import content_world

QUICK = {"learning_rate": 0.01, "batch_size": 256, "max_epochs": 40, "embedding_size": 8, "content_size": 8}


def ndcg(data: Dataset) -> float:
    """NDCG@20 on test of VBPR on `data`."""
    model = build_model("vbpr", QUICK, data)
    model.fit(TrainingOptions(seed=0))
    return evaluate(model.scores, data, "test").means()["ndcg@20"]


def test_permuted_features_make_it_worse() -> None:
    """Where content decides, rows that belong to other items cost at least a third of NDCG@20."""
    joined, permuted = ndcg(content_world()), ndcg(content_world(permute=5))
    assert joined > 0.3
    assert permuted < joined * 2 / 3


@pytest.mark.parametrize("modality", ["image", "audio"])
def test_one_modality_is_enough(modality: str) -> None:
    """Whatever its width and scale."""
    data = content_world()
    assert ndcg(replace(data, features={modality: data.features[modality]})) > 0.3


def test_the_scale_and_offset_of_an_encoder_do_not_matter() -> None:
    """Features a thousand times as large around another mean give the same standardised rows."""
    rows = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)
    found = standardise_features(rows, "text")
    np.testing.assert_allclose(standardise_features(1000 * rows + 500, "text"), found, atol=1e-4)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-6)
    assert (found**2).sum(axis=1).mean() == pytest.approx(1, rel=1e-5)


def test_standardising_keeps_the_geometry() -> None:
    """Distances between items keep their proportions: no column is stretched."""
    rows = np.random.default_rng(0).normal(size=(50, 7)) * [100, 1, 1, 1, 1, 1, 1]
    found = standardise_features(rows.astype(np.float32), "text")
    ratio = np.linalg.norm(found[1:] - found[0], axis=1) / np.linalg.norm(rows[1:] - rows[0], axis=1)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)


@pytest.mark.parametrize("value", [0.0, 3.25, 0.1])
def test_constant_features_are_an_error(value: float) -> None:
    """An encoder that says the same of every item is broken, not uninformative."""
    rows = np.full((20, 4), value, dtype=np.float32)
    with pytest.raises(BadInput, match="features of image are the same for all 20 items"):
        standardise_features(rows, "image")


def test_no_features_are_an_error() -> None:
    """Without content VBPR is another model, and it says which."""
    with pytest.raises(BadInput, match="dataset content has no features, expected at least one modality for vbpr"):
        build_model("vbpr", {}, replace(content_world(), features={}))
