"""What the papers write down, in dense NumPy for small worlds: the judge of every propagation rule and loss."""

from __future__ import annotations

import numpy as np
import torch

from tasks.data import Dataset
from tasks.models import build_model
from tasks.models.families.gradient import GradientModel
from tasks.models.solvers.standardise import standardise_features
from tasks.training import Batch, TrainingOptions

USERS, ITEMS = 7, 9
TAKERS, POSITIVES, NEGATIVES = np.array([0, 3, 3, 6]), np.array([0, 1, 2, 8]), np.array([4, 8, 1, 0])
LITTLE = {"max_epochs": 3, "embedding_size": 4, "batch_size": 16, "regularization": 0.3}
State = dict[str, np.ndarray]


def trained(name: str, data: Dataset, **more: object) -> tuple[GradientModel, State, float]:
    """A model after a few steps, its state and its loss on the batch above, with the chance of seed 5."""
    model = build_model(name, LITTLE | more, data)
    assert isinstance(model, GradientModel)
    model.fit(TrainingOptions(seed=3))
    model.train()
    model.start_epoch(np.random.default_rng(5))
    with torch.no_grad():
        loss = model.loss(Batch(*(torch.from_numpy(rows) for rows in (TAKERS, POSITIVES, NEGATIVES))))
    model.train(False)
    return model, {key: tensor.numpy().astype(np.float64) for key, tensor in model.state().items()}, float(loss)


def ranking_loss(scores: np.ndarray) -> float:
    """Mean of -log sigmoid(s+ - s-) from the table of all scores."""
    margin = scores[TAKERS, POSITIVES] - scores[TAKERS, NEGATIVES]
    return float(-np.log(1 / (1 + np.exp(-margin))).mean())


def penalty(*rows: np.ndarray) -> float:
    """0.3 times half the squares of the rows of the batch, per interaction."""
    return float(0.3 * sum((part**2).sum() for part in rows) / 2 / len(TAKERS))


def own_rows(nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Layer-0 rows of the batch."""
    return nodes[TAKERS], nodes[USERS + POSITIVES], nodes[USERS + NEGATIVES]


def dense_graph(interactions: np.ndarray) -> np.ndarray:
    """D^-1/2 A D^-1/2 as one writes it down."""
    users, items = interactions.shape
    graph = np.zeros((users + items, users + items))
    graph[:users, users:] = interactions
    graph[users:, :users] = interactions.T
    degrees = graph.sum(axis=1)
    root = np.where(degrees > 0, np.maximum(degrees, 1) ** -0.5, 0.0)
    return root[:, None] * graph * root


def smoothed(graph: np.ndarray, x: np.ndarray, layers: int) -> np.ndarray:
    """Mean over layers."""
    return sum(np.linalg.matrix_power(graph, layer) @ x for layer in range(layers + 1)) / (layers + 1)


def content(data: Dataset) -> list[np.ndarray]:
    """Standardised features by modality."""
    return [standardise_features(data.features[name], name).astype(np.float64) for name in sorted(data.features)]


def linear(state: State, name: str, x: np.ndarray) -> np.ndarray:
    """What a linear layer of the state gives."""
    return x @ state[f"{name}.weight"].T + state.get(f"{name}.bias", 0.0)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function."""
    return 1 / (1 + np.exp(-x))


def leaky(x: np.ndarray) -> np.ndarray:
    """Leaky ReLU with slope 0.01."""
    return np.where(x > 0, x, 0.01 * x)


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    """Shares that sum to 1 along `axis`."""
    exponents = np.exp(x - x.max(axis=axis, keepdims=True))
    return exponents / exponents.sum(axis=axis, keepdims=True)


def units(x: np.ndarray) -> np.ndarray:
    """Rows of length 1; rows of zeros stay."""
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def nearest_graph(rows: np.ndarray, k: int, *, weighted: bool) -> np.ndarray:
    """The directed graph of the k nearest others, before it is normalised."""
    cosines = units(rows) @ units(rows).T
    np.fill_diagonal(cosines, -np.inf)
    kept = np.argsort(-cosines, axis=1)[:, :k]
    graph = np.zeros_like(cosines)
    for row, columns in enumerate(kept):
        positive = np.maximum(cosines[row, columns], 0)
        graph[row, columns] = positive if weighted else positive > 0
    return graph


def normalise_graph(graph: np.ndarray) -> np.ndarray:
    """D^-1/2 A D^-1/2 with D the sums of rows."""
    degrees = graph.sum(axis=1)
    root = np.where(degrees > 0, np.maximum(degrees, 1e-12) ** -0.5, 0.0)
    return root[:, None] * graph * root


def info_nce(one: np.ndarray, other: np.ndarray, temperature: float = 0.2) -> float:
    """Mean of -log of the share of a row's own partner among all candidates."""
    shares = softmax(units(one) @ units(other).T / temperature, 1)
    return float(-np.log(np.diagonal(shares)).mean())
