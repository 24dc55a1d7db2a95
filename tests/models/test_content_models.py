"""Scores and losses of the multimodal models against what their papers write down, in dense NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tasks.data import Dataset
from tasks.models.layers import item_graph as neighbours
from tasks.models.layers.gather import contrast_nodes, distinct
from tests.models import dense
from tests.models.dense import ITEMS, NEGATIVES, POSITIVES, TAKERS, USERS, State
from tests.world import random_world

K = 3


def world() -> Dataset:
    """Seven users, nine items, two modalities of 3 and 6 numbers."""
    return random_world(USERS, ITEMS)


def lacking() -> Dataset:
    """The same, but two items, one of them in the batch, have no audio."""
    data = world()
    data.features["audio"][[POSITIVES[1], 5]] = 0
    return data


def having(data: Dataset) -> list[np.ndarray]:
    """(items, 1) ones of those that have the modality."""
    return [data.features[name].any(axis=1, keepdims=True).astype(float) for name in sorted(data.features)]


def scores_of(model: dense.GradientModel) -> np.ndarray:
    """(users, items)."""
    return model.scores(np.arange(USERS))


def graph_of(data: Dataset) -> np.ndarray:
    """The user-item graph."""
    return dense.dense_graph(data.train.toarray())


def content_loss(users: np.ndarray, tables: list[np.ndarray]) -> float:
    """BPR with each table in the place of the items."""
    return sum(dense.ranking_loss(users @ table.T) for table in tables)


@pytest.mark.parametrize("item_layers", [1, 2])
def test_freedom(item_layers: int) -> None:
    """LightGCN plus a frozen, unweighted and mixed item graph; training on the thinned graph, scores on the whole."""
    data = world()
    shares = {"text": 3.0, "audio": 1.0}
    more = {"neighbours": K, "dropout": 0.5, "content_weight": 0.7, "modality_weights": shares}
    model, state, loss = dense.trained("freedom", data, item_layers=item_layers, **more)
    graphs = [dense.normalise_graph(dense.nearest_graph(rows, K, weighted=False)) for rows in dense.content(data)]
    alike = np.linalg.matrix_power(0.25 * graphs[0] + 0.75 * graphs[1], item_layers) @ state["nodes"][USERS:]

    def vectors(graph: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        final = dense.smoothed(graph, state["nodes"], 2)
        return final[:USERS], final[USERS:] + alike

    users, items = vectors(graph_of(data))
    np.testing.assert_allclose(scores_of(model), users @ items.T, rtol=1e-4, atol=1e-6)
    users, items = vectors(model.sampled.matrix.to_dense().numpy())
    towers = [dense.linear(state, f"towers.{place}", rows) for place, rows in enumerate(dense.content(data))]
    expected = dense.ranking_loss(users @ items.T) + 0.7 * content_loss(users, towers)
    assert loss == pytest.approx(expected + dense.penalty(*dense.own_rows(state["nodes"])), rel=1e-5)


def test_lattice() -> None:
    """LightGCN plus the direction of what an initial and a learned graph of items say, modalities by a softmax."""
    data = world()
    model, state, loss = dense.trained("lattice", data, neighbours=K, skip=0.6, projection_size=5, learning_rate=0.05)
    importance = dense.softmax(state["importance"], 0)
    assert importance[0] != importance[1]
    graph = np.zeros((ITEMS, ITEMS))
    for place, rows in enumerate(dense.content(data)):
        projected = dense.linear(state, f"projections.{place}", rows)
        initial, learned = (dense.normalise_graph(dense.nearest_graph(x, K, weighted=True)) for x in (rows, projected))
        graph += importance[place] * (0.6 * initial + 0.4 * learned)
    final = dense.smoothed(graph_of(data), state["nodes"], 2)
    items = final[USERS:] + dense.units(graph @ state["nodes"][USERS:])
    scores = final[:USERS] @ items.T
    np.testing.assert_allclose(scores_of(model), scores, rtol=1e-4, atol=1e-6)
    assert loss == pytest.approx(dense.ranking_loss(scores) + dense.penalty(*dense.own_rows(state["nodes"])), rel=1e-5)


def cosine_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Mean of 1 - cosine."""
    return float(1 - (dense.units(one) * dense.units(other)).sum(axis=1).mean())


@pytest.mark.parametrize("data", [world(), lacking()], ids=["whole", "lacking"])
def test_bm3(data: Dataset) -> None:
    """Predictions of partner, content and self; without dropout the targets are the vectors themselves."""
    model, state, loss = dense.trained("bm3", data, dropout=0.0, content_weight=0.4, grounding=0.3, layers=2)
    final = dense.smoothed(graph_of(data), state["nodes"], 2)
    users, items = final[:USERS], final[USERS:] + state["nodes"][USERS:]

    def predicted(x: np.ndarray) -> np.ndarray:
        return dense.linear(state, "predictor", x)

    np.testing.assert_allclose(scores_of(model), predicted(users) @ predicted(items).T, rtol=1e-4, atol=1e-6)
    user, item = users[TAKERS], items[POSITIVES]
    expected = cosine_distance(predicted(user), item) + cosine_distance(predicted(item), user)
    for place, rows in enumerate(dense.content(data)):
        has = having(data)[place][POSITIVES]  # an item without the modality has zeros, and its losses no gradient
        view = dense.linear(state, f"projections.{place}", rows)[POSITIVES] * has
        expected += 0.3 * cosine_distance(predicted(item), view)
        expected += 0.4 * (cosine_distance(predicted(view) * has, item) + cosine_distance(predicted(view) * has, view))
    expected += dense.penalty(*dense.own_rows(state["nodes"])[:2])
    assert loss == pytest.approx(expected, rel=1e-5)


def test_the_targets_of_bm3_are_disturbed_and_get_no_gradient() -> None:
    """They are cut off from what made them; dropped numbers are a share of all."""
    model, _, _ = dense.trained("bm3", world(), dropout=0.4)
    rows = torch.ones(200, 50, requires_grad=True)
    target = model._target(rows)
    assert not target.requires_grad
    assert target.unique().tolist() == pytest.approx([0, 1 / 0.6])
    assert float((target == 0).float().mean()) == pytest.approx(0.4, abs=0.02)


def test_the_gradient_of_bm3_is_that_of_its_loss_with_targets_held() -> None:
    """Finite differences with the targets as they were agree with what is propagated back."""
    model, _, _ = dense.trained("bm3", world(), dropout=0.2)
    model.double()
    held: list[torch.Tensor] = []
    rows = [torch.from_numpy(part) for part in (TAKERS, POSITIVES, NEGATIVES)]
    whole = type(model)._target

    def recorded(x: torch.Tensor) -> torch.Tensor:
        held.append(whole(model, x))
        return held[-1]

    model._target = recorded
    model.zero_grad()
    model.loss(dense.Batch(*rows)).backward()

    def again() -> float:
        targets = iter(held)
        model._target = lambda _: next(targets)
        with torch.no_grad():
            return float(model.loss(dense.Batch(*rows)))

    for parameter in model.parameters():
        direction = torch.randn(parameter.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            above, below = (again() for step in (1e-6, -2e-6) if parameter.add_(direction, alpha=step) is not None)
            parameter.add_(direction, alpha=1e-6)
        assert float((parameter.grad * direction).sum()) == pytest.approx((above - below) / 2e-6, rel=1e-5, abs=1e-8)


def to_users(data: Dataset) -> np.ndarray:
    """The part of the normalised graph that sums items for users."""
    return graph_of(data)[:USERS, USERS:]


def contrast(side: np.ndarray, behaviour: np.ndarray) -> float:
    """InfoNCE of the users and of the positive items of the batch, each once."""
    people, things = np.unique(TAKERS), USERS + np.unique(POSITIVES)
    return sum(dense.info_nce(side[rows], behaviour[rows]) for rows in (people, things))


def purified(data: Dataset, state: State, place: int, signal: np.ndarray, graph: np.ndarray) -> np.ndarray:
    """A view of MGCN and SMORE: gated ids over alike items, and their sums over a user's."""
    items = graph @ (state["nodes"][USERS:] * dense.sigmoid(dense.linear(state, f"side.gates.{place}", signal)))
    return np.concatenate([to_users(data) @ items, items])


def test_mgcn() -> None:
    """Purified views, what they share and what is special of each, gated by behaviour; and the contrast of both."""
    data = world()
    model, state, loss = dense.trained("mgcn", data, neighbours=K, contrast=0.5)
    behaviour = dense.smoothed(graph_of(data), state["nodes"], 2)
    views = []
    for place, rows in enumerate(dense.content(data)):
        graph = dense.normalise_graph(dense.nearest_graph(rows, K, weighted=True))
        views.append(purified(data, state, place, dense.linear(state, f"side.projections.{place}", rows), graph))
    weights = [np.tanh(dense.linear(state, "common", view)) @ state["query.weight"].T for view in views]
    attention = dense.softmax(np.concatenate(weights, 1), 1)
    shared = attention[:, :1] * views[0] + attention[:, 1:] * views[1]
    special = [
        dense.sigmoid(dense.linear(state, f"side.preferences.{place}", behaviour)) * (view - shared)
        for place, view in enumerate(views)
    ]
    side = (shared + special[0] + special[1]) / 3
    check(model, state, loss, behaviour, side)


def check(model: dense.GradientModel, state: State, loss: float, behaviour: np.ndarray, side: np.ndarray) -> None:
    """Scores and loss of MGCN and SMORE with contrast 0.5."""
    final = behaviour + side
    scores = final[:USERS] @ final[USERS:].T
    np.testing.assert_allclose(scores_of(model), scores, rtol=1e-4, atol=1e-6)
    expected = dense.ranking_loss(scores) + dense.penalty(*dense.own_rows(state["nodes"]))
    assert loss == pytest.approx(expected + 0.5 * contrast(side, behaviour), rel=1e-5)


@pytest.mark.parametrize("cells", [neighbours.CELLS, 80])
def test_smore(monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    """Spectra filtered and multiplied, the union of graphs for the fusion, attention by it and gates by behaviour.

    Item graphs are the same from blocks of any size.
    """
    monkeypatch.setattr(neighbours, "CELLS", cells)
    data = world()
    model, state, loss = dense.trained("smore", data, neighbours=K, contrast=0.5)
    behaviour = dense.smoothed(graph_of(data), state["nodes"], 2)
    filters = state["filters"][..., 0] + 1j * state["filters"][..., 1]
    projected = [
        dense.linear(state, f"side.projections.{place}", rows) for place, rows in enumerate(dense.content(data))
    ]
    spectra = [np.fft.rfft(rows, axis=1, norm="ortho") for rows in projected]
    spectra = [spectrum * kept for spectrum, kept in zip([*spectra, spectra[0] * spectra[1]], filters, strict=True)]
    signals = [np.fft.irfft(spectrum, n=4, axis=1, norm="ortho") for spectrum in spectra]
    graphs = [dense.normalise_graph(dense.nearest_graph(rows, K, weighted=True)) for rows in dense.content(data)]
    graphs.append(dense.normalise_graph(np.maximum(*graphs)))
    views = [
        purified(data, state, place, signal, graph)
        for place, (signal, graph) in enumerate(zip(signals, graphs, strict=True))
    ]

    def attention(place: int) -> np.ndarray:
        hidden = np.tanh(dense.linear(state, f"attention.{place}.0", views[2]))
        return dense.softmax(dense.linear(state, f"attention.{place}.2", hidden), 1)

    gated = [attention(0) * views[0], attention(1) * views[1], views[2]]
    gates = [dense.sigmoid(dense.linear(state, f"side.preferences.{place}", behaviour)) for place in range(3)]
    side = sum(gate * view for gate, view in zip(gates, gated, strict=True)) / 3
    check(model, state, loss, behaviour, side)


@pytest.mark.parametrize("data", [world(), lacking()], ids=["whole", "lacking"])
def test_mmgcn(data: Dataset) -> None:
    """Means over neighbours, ids in every layer, the last layer's mean over modalities."""
    model, state, loss = dense.trained("mmgcn", data, layers=2)
    adjacency = (graph_of(data) > 0).astype(float)
    means = adjacency / np.maximum(adjacency.sum(axis=1, keepdims=True), 1)
    final = 0
    for modality, rows in enumerate(dense.content(data)):
        items = dense.linear(state, f"projections.{modality}", rows) * having(data)[modality]
        x = dense.units(np.concatenate([state["users"][modality], items]))
        for place in (2 * modality, 2 * modality + 1):
            passed = dense.leaky(means @ dense.linear(state, f"passing.{place}", x))
            own = dense.leaky(dense.linear(state, f"own.{place}", x)) + state["nodes"]
            x = dense.leaky(dense.linear(state, f"joining.{place}", passed) + own)
        final = final + x / 2
    scores = final[:USERS] @ final[USERS:].T
    np.testing.assert_allclose(scores_of(model), scores, rtol=1e-4, atol=1e-6)
    tables = [table[TAKERS] for table in state["users"]]
    expected = dense.ranking_loss(scores) + dense.penalty(*dense.own_rows(state["nodes"])) + dense.penalty(*tables)
    assert loss == pytest.approx(expected, rel=1e-5)


def test_dualgnn() -> None:
    """Channels weighed by each user, and the mean of users alike, by the cosine of their interactions."""
    data = random_world(USERS, ITEMS, density=0.5)  # where nobody has an empty history
    model, state, loss = dense.trained("dualgnn", data, user_neighbours=2, user_weight=0.5)
    channels = [dense.smoothed(graph_of(data), state["nodes"], 2)]
    for place, rows in enumerate(dense.content(data)):
        items = dense.leaky(dense.linear(state, f"projections.{place}", rows))
        channels.append(dense.smoothed(graph_of(data), np.concatenate([state["users"][place], items]), 2))
    taste = dense.softmax(state["taste"], 1)
    users = sum(taste[:, [place]] * channel[:USERS] for place, channel in enumerate(channels))
    interactions = data.train.toarray()
    alike = interactions @ interactions.T / np.sqrt(np.outer(interactions.sum(1), interactions.sum(1)))
    np.fill_diagonal(alike, 0)
    alike[alike < np.sort(alike, axis=1)[:, [-2]]] = 0
    assert ((alike > 0).sum(axis=1) == 2).all()  # or the test would depend on an order among equals
    users = users + 0.5 * (alike / alike.sum(axis=1, keepdims=True)) @ users
    items = sum(channel[USERS:] for channel in channels) / 3
    np.testing.assert_allclose(scores_of(model), users @ items.T, rtol=1e-4, atol=1e-6)
    tables = [table[TAKERS] for table in state["users"]]
    expected = dense.ranking_loss(users @ items.T) + dense.penalty(*dense.own_rows(state["nodes"]))
    assert loss == pytest.approx(expected + dense.penalty(*tables), rel=1e-5)


def channels_of(data: Dataset, state: State, graph: np.ndarray, shown: np.ndarray | None = None) -> list[np.ndarray]:
    """Ids, then each modality with the one user table, smoothed."""
    found = [dense.smoothed(graph, state["nodes"], 2)]
    for place, rows in enumerate(dense.content(data)):
        items = dense.linear(state, f"projections.{place}", rows) * (1 if shown is None else shown[place])
        found.append(dense.smoothed(graph, np.concatenate([state["nodes"][:USERS], items]), 2))
    return found


def test_slmrec() -> None:
    """Fused channels of length 1; InfoNCE within the batch, and of modalities with what comes before them."""
    data = world()
    model, state, loss = dense.trained("slmrec", data, contrast=0.3)
    channels = channels_of(data, state, graph_of(data))
    final = dense.units(dense.linear(state, "fusion", np.concatenate(channels, 1)))
    scores = final[:USERS] @ final[USERS:].T
    np.testing.assert_allclose(scores_of(model), scores, rtol=1e-4, atol=1e-6)
    things = np.unique(POSITIVES)
    shares = dense.softmax(scores[TAKERS][:, things] / 0.2, 1)
    expected = -np.log(shares[np.arange(4), np.searchsorted(things, POSITIVES)]).mean()
    rows = [channel[USERS + things] for channel in channels]
    for place in range(2):
        before = dense.linear(state, f"before.{place}", np.concatenate(rows[: place + 1], 1))
        expected += 0.3 * dense.info_nce(before, dense.linear(state, f"after.{place}", rows[place + 1]))
    assert loss == pytest.approx(expected + dense.penalty(*dense.own_rows(state["nodes"])[:2]), rel=1e-5)


def test_mmgcl() -> None:
    """BPR on all channels side by side, and the contrast of two views with challenging negatives."""
    data = world()
    model, state, loss = dense.trained("mmgcl", data, contrast=0.3, edge_dropout=0.3, masked=0.5)
    final = np.concatenate(channels_of(data, state, graph_of(data)), 1)
    scores = final[:USERS] @ final[USERS:].T
    np.testing.assert_allclose(scores_of(model), scores, rtol=1e-4, atol=1e-6)
    shown = np.ones((2, data.train.shape[1], 1))
    shown[model._masked] = model.shown.numpy()
    assert 0 < shown[model._masked].sum() < len(model.shown)
    between = model.sampled.part.to_dense().numpy()
    thinned = np.block([[np.zeros((USERS, USERS)), between], [between.T, np.zeros((len(between.T),) * 2)]])
    one = np.concatenate(channels_of(data, state, thinned), 1)
    parts = channels_of(data, state, graph_of(data), shown)
    other = np.concatenate(parts, 1)
    people, things = np.unique(TAKERS), np.unique(POSITIVES)
    swapped = [part[USERS + things] for part in parts]
    swapped[model._swapped] = parts[model._swapped][USERS + model.others.numpy()[things]]
    candidates = np.concatenate([other[USERS + things], np.concatenate(swapped, 1)])
    both = dense.info_nce(one[people], other[people]) + dense.info_nce(one[USERS + things], candidates)
    expected = dense.ranking_loss(scores) + dense.penalty(*dense.own_rows(state["nodes"])) + 0.3 * both
    assert loss == pytest.approx(expected, rel=1e-5)


def test_views_of_mmgcl_are_what_they_are_called() -> None:
    """Fewer edges in one, one modality hidden for some items in the other, and never an item as its own negative."""
    data = random_world(40, 60)
    model, _, _ = dense.trained("mmgcl", data, edge_dropout=0.3, masked=0.5)
    edges = (model.sampled.part.to_dense() > 0).sum() / data.train.nnz
    np.testing.assert_array_equal(model.sampled.back.to_dense(), model.sampled.part.to_dense().T)
    assert float(edges) == pytest.approx(0.7, abs=0.1)
    assert (1 - model.shown).sum() == pytest.approx(30, abs=12)
    assert (model.others.numpy() != np.arange(60)).all()


def test_of_a_large_batch_the_first_interactions_are_contrasted() -> None:
    """Each of their users and items once."""
    rows = torch.arange(3000)
    users, items = contrast_nodes(dense.Batch(rows // 2, rows % 7, rows))
    assert users.tolist() == list(range(1024))
    assert items.tolist() == list(range(7))


def test_a_few_items_are_projected_alone_and_most_with_all() -> None:
    """Up to three quarters of the catalogue each once, with their places; beyond it nothing is copied."""
    some, most = torch.tensor([2, 0, 2, 1]), torch.tensor([3, 0, 2, 1])
    items, rows = distinct(some, 4)
    assert items is not None
    assert (items.tolist(), items[rows].tolist()) == ([0, 1, 2], some.tolist())
    items, rows = distinct(most, 4)
    assert items is None
    assert rows is most
