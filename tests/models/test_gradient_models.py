"""Scores and losses of the gradient models against what their papers write down, in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tasks.errors import BadInput
from tasks.models import build_model
from tasks.models.solvers.standardise import standardise_features
from tasks.training import TrainingOptions
from tests.models.dense import NEGATIVES, POSITIVES, dense_graph, penalty, ranking_loss, trained
from tests.models.dense import TAKERS as USERS
from tests.world import random_world


def test_bpr() -> None:
    """s = p . q, with the rows of the batch penalised."""
    model, state, loss = trained("bpr", random_world(7, 9))
    p, q = state["users"], state["items"]
    np.testing.assert_allclose(model.scores(np.arange(7)), p @ q.T, rtol=1e-5, atol=1e-6)
    expected = ranking_loss(p @ q.T) + penalty(p[USERS], q[POSITIVES], q[NEGATIVES])
    assert loss == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("layers", [1, 3])
def test_lightgcn(layers: int) -> None:
    """Propagated embeddings are compared, the ones of layer 0 penalised."""
    data = random_world(7, 9)
    model, state, loss = trained("lightgcn", data, layers=layers)
    graph, own = dense_graph(data.train.toarray()), state["nodes"]
    final = sum(np.linalg.matrix_power(graph, layer) @ own for layer in range(layers + 1)) / (layers + 1)
    scores = final[:7] @ final[7:].T
    np.testing.assert_allclose(model.scores(np.arange(7)), scores, rtol=1e-4, atol=1e-6)
    expected = ranking_loss(scores) + penalty(own[USERS], own[7 + POSITIVES], own[7 + NEGATIVES])
    assert loss == pytest.approx(expected, rel=1e-5)


def test_vbpr() -> None:
    """s = b + p . q + sum over modalities of t . E f + w . f, with vectors and biases of the batch penalised."""
    data = random_world(7, 9)
    model, state, loss = trained("vbpr", data, content_size=3)
    features = np.concatenate([standardise_features(data.features[name], name) for name in ("audio", "text")], axis=1)
    vectors = np.concatenate([state["items"], features @ state["projection"]], axis=1)
    bias = (state["bias"] + features @ state["content_bias"]).ravel()
    scores = state["users"] @ vectors.T + bias
    np.testing.assert_allclose(model.scores(np.arange(7)), scores, rtol=1e-4, atol=1e-6)
    batch = (vectors[POSITIVES], vectors[NEGATIVES], bias[POSITIVES], bias[NEGATIVES])
    assert loss == pytest.approx(ranking_loss(scores) + penalty(state["users"][USERS], *batch), rel=1e-5)


@pytest.mark.parametrize("name", ["bpr", "vbpr", "lightgcn"])
def test_a_gpu_that_is_not_there_is_an_error(name: str) -> None:
    """Nothing falls back to the processor in silence."""
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(BadInput, match="device 'cuda' found, but this machine has no GPU"):
        build_model(name, {}, random_world(7, 9)).fit(TrainingOptions(device="cuda"))


def test_training_begins_where_the_seed_says() -> None:
    """Not only the negatives are drawn by it: after an epoch of tiny steps the vectors are still others."""
    found = []
    for seed in (1, 2):
        model = build_model("bpr", {"max_epochs": 1, "learning_rate": 1e-9}, random_world(7, 9))
        model.fit(TrainingOptions(seed=seed))
        found.append(model.state()["users"])
    assert (found[0] - found[1]).abs().max() > 0.1
