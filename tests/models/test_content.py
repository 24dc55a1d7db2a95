"""Content of items: any modalities, items that lack some, and CLIPER's front end before any model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tasks.data import Dataset
from tasks.errors import BadInput
from tasks.models import build_model
from tasks.models.base import Model
from tasks.models.families.gradient import GradientModel
from tasks.models.lattice import LATTICE
from tasks.models.layers.cliper import FrontEnd
from tasks.models.layers.content import Content, ContentOptions, Projection, Projections
from tasks.models.layers.item_graph import nearest
from tasks.models.solvers.standardise import standardise_features
from tasks.models.vbpr import VBPR
from tasks.training import Batch, TrainingOptions
from tests.models.dense import softmax
from tests.registry import GRADIENT_CONTENT
from tests.world import random_world

BRIEF = {"max_epochs": 2, "batch_size": 16, "embedding_size": 4}


def views(*, without: int | None = None) -> Dataset:
    """Nine items with a picture and two views of its width, and a sound of another; `without` lacks them all."""
    data = random_world(7, 9, density=0.5)
    rng = np.random.default_rng(3)
    widths = {"image": 6, "title": 6, "plot": 6, "audio": 3}
    features = {name: rng.normal(size=(9, width)).astype(np.float32) for name, width in widths.items()}
    if without is not None:
        for matrix in features.values():
            matrix[without] = 0
    return replace(data, features=features)


def test_an_item_that_lacks_a_modality_is_the_mean_of_all_that_have_it() -> None:
    """Its zeros do not move the mean, and stay the zeros that the mean becomes."""
    rows = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32) + 3
    rows[[4, 7]] = 0
    found = standardise_features(rows, "text")
    present = np.delete(np.arange(20), [4, 7])
    np.testing.assert_array_equal(found[[4, 7]], 0)
    np.testing.assert_allclose(found[present], standardise_features(rows[present], "text"), atol=1e-6)


@pytest.mark.parametrize("name", GRADIENT_CONTENT)
def test_every_model_with_content_takes_items_that_lack_it(name: str) -> None:
    """Three modalities and one item with none of them: scores are finite, of that item too, and not all alike."""
    model = build_model(name, BRIEF, views(without=2))
    model.fit(TrainingOptions())
    scores = model.scores(np.arange(7))
    assert np.isfinite(scores).all()
    assert len(np.unique(scores[:, 2])) > 1


@pytest.mark.parametrize("name", GRADIENT_CONTENT)
def test_an_item_that_lacks_content_does_not_drown_what_others_teach(name: str) -> None:
    """Where training begins its nothing has no direction: no gradient grows beyond those with all content there."""

    def gradients(data: Dataset) -> dict[str, float]:
        model = build_model(name, BRIEF, data)
        assert isinstance(model, GradientModel)
        model.initialise(torch.Generator().manual_seed(0))
        model.start_epoch(np.random.default_rng(0))
        users, items = (torch.from_numpy(rows.astype(np.int64)) for rows in data.train.nonzero())
        model.loss(Batch(users, items, items.roll(3))).backward()
        return {key: float(p.grad.abs().max()) for key, p in model.named_parameters() if p.grad is not None}

    whole, lacking = gradients(views()), gradients(views(without=2))
    largest = max(whole.values())
    assert {key: found for key, found in lacking.items() if found > 20 * largest} == {}


def test_what_is_learned_of_an_item_that_lacks_a_modality_stays_nothing() -> None:
    """In LATTICE it is nobody's neighbour, in an MLP of views it stays at zero: biases do not make items alike."""
    data = views()
    for matrix in data.features.values():
        matrix[[2, 5]] = 0
    model = build_model("lattice", BRIEF | {"learning_rate": 0.5, "neighbours": 3}, data)
    model.fit(TrainingOptions())
    assert isinstance(model, LATTICE)
    graph = model.item_graph()
    among = torch.isin(graph.edges.to, torch.tensor([2, 5]))
    assert not graph.weights[[2, 5]].any()
    assert not graph.weights[among].any()
    assert all(layer.bias.any() for layer in model.projections)
    front_end = {"fusion": "mlp", "views": ("title", "plot")}
    joined = build_model("vbpr", BRIEF | {"learning_rate": 0.5, "front_end": front_end}, data)
    joined.fit(TrainingOptions())
    assert isinstance(joined, VBPR)
    every, some = joined.content()[-1], joined.content(torch.tensor([5, 0]))[-1]
    assert not every[[2, 5]].any()
    assert not some[0].any()
    assert some[1].any()


def test_an_item_without_content_is_the_last_neighbour_of_all() -> None:
    """It comes after those that point the other way, and is itself each of its own."""
    rows = torch.tensor([[1.0, 0.0], [-1.0, 0.1], [0.0, 0.0], [-1.0, -0.2]])
    assert nearest(rows, 3).tolist() == [[3, 1, 2], [3, 0, 2], [2, 2, 2], [1, 0, 2]]


@pytest.mark.parametrize("fusion", ["sum", "concat", "mlp", "attention"])
def test_views_of_an_item_without_a_picture_count_whole(fusion: str) -> None:
    """There is nothing to agree with: what is written of such items still tells them apart, and sums to itself."""
    data = views()
    data.features["image"][[2, 5, 7]] = 0
    front_end = FrontEnd(fusion=fusion, views=("title", "plot"), size=4)
    torch.manual_seed(0)
    content = Content(data, "vbpr", ContentOptions(front_end=front_end))
    found = content()[-1].detach().numpy()
    assert len(np.unique(found[[2, 5, 7]], axis=0)) == 3
    if fusion == "sum":
        whole = sum(standardise_features(data.features[name], name) for name in ("title", "plot"))
        np.testing.assert_allclose(found[[2, 5, 7]], whole[[2, 5, 7]], rtol=1e-6)


@pytest.mark.parametrize("name", GRADIENT_CONTENT)
def test_every_model_with_content_says_when_there_is_none(name: str) -> None:
    """And what to do instead."""
    with pytest.raises(BadInput, match=f"has no features, expected at least one modality for {name}: use bpr"):
        build_model(name, {}, replace(views(), features={}))


def content_of(model: Model) -> Content:
    """Its layer of content."""
    assert isinstance(model, GradientModel)
    (content,) = (module for module in model.modules() if isinstance(module, Content))
    return content


@pytest.mark.parametrize("name", GRADIENT_CONTENT)
def test_content_can_be_held_and_projected_in_16_bits(name: str) -> None:
    """Parameters and scores keep 32 bits, and scores of the same parameters differ by little."""
    exact, rough = (build_model(name, BRIEF | {"precision": kind}, views()) for kind in ("float32", "bfloat16"))
    assert isinstance(rough, GradientModel)
    assert {rows.dtype for rows in content_of(rough)()} == {torch.bfloat16}
    rough.fit(TrainingOptions())
    assert {tensor.dtype for tensor in rough.state().values()} == {torch.float32}
    expected = exact.load_state(rough.state()).scores(np.arange(7))
    np.testing.assert_allclose(rough.scores(np.arange(7)), expected, atol=0.02 * np.abs(expected).max())


@pytest.mark.parametrize("fusion", ["sum", "concat", "mlp", "attention"])
def test_a_front_end_weighs_views_by_their_cosine_with_the_picture(fusion: str) -> None:
    """Each fusion equals what one writes down in NumPy; the picture stays beside what the views become."""
    data = views()
    torch.manual_seed(0)
    content = Content(data, "vbpr", ContentOptions(front_end=FrontEnd(fusion=fusion, views=("title", "plot"), size=4)))
    assert content.modalities == ["audio", "image", "views"]
    raw = data.features
    tokens = [standardise_features(raw["image"], "image")]
    for name in ("plot", "title"):
        lengths = np.linalg.norm(raw[name], axis=1) * np.linalg.norm(raw["image"], axis=1)
        tokens.insert(0, standardise_features(raw[name], name) * ((raw[name] * raw["image"]).sum(1) / lengths)[:, None])
    state = {key: tensor.numpy() for key, tensor in content.state_dict().items()}
    if fusion == "sum":
        expected = sum(tokens)
    elif fusion == "concat":
        expected = np.concatenate(tokens, 1)
    elif fusion == "mlp":
        hidden = np.concatenate(tokens, 1) @ state["fuser.hidden.weight"].T + state["fuser.hidden.bias"]
        hidden = np.where(hidden > 0, hidden, 0.01 * hidden)
        expected = hidden @ state["fuser.out.weight"].T + state["fuser.out.bias"]
    else:
        stacked = np.stack(tokens, 1)  # (items, 3, 6)
        query, key, value = (stacked @ state[f"fuser.{part}.weight"].T for part in ("query", "key", "value"))
        expected = (softmax(query @ key.transpose(0, 2, 1) / 2, 2) @ value).mean(axis=1)
    with torch.no_grad():
        everything, some = content()[-1], content(torch.tensor([5, 0]))[-1]
    np.testing.assert_allclose(everything.numpy(), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(some.numpy(), expected[[5, 0]], rtol=1e-4, atol=1e-5)
    assert content.widths == [3, 6, expected.shape[1]]
    assert content.learns == (fusion in {"mlp", "attention"})


@pytest.mark.parametrize("fusion", ["sum", "attention"])
@pytest.mark.parametrize("name", GRADIENT_CONTENT)
def test_any_model_with_content_takes_a_front_end_and_trains_it(name: str, fusion: str) -> None:
    """Its parameters move with the model's, unless it has none; scores survive saving."""
    data = views()
    config = BRIEF | {"front_end": {"fusion": fusion, "views": ["title", "plot"], "size": 4}}
    model = build_model(name, config, data)
    assert isinstance(model, GradientModel)
    model.initialise(torch.Generator().manual_seed(0))
    before = {key: tensor.clone() for key, tensor in model.state().items() if "fuser" in key}
    model.fit(TrainingOptions(seed=0))
    after = model.state()
    assert bool(before) == (fusion == "attention")
    assert all(not torch.equal(before[key], after[key]) for key in before)
    again = build_model(name, config, data).load_state(after)
    np.testing.assert_array_equal(again.scores(np.arange(7)), model.scores(np.arange(7)))


@pytest.mark.parametrize(
    "front_end",
    [
        {"picture": "photo"},
        {"views": ["audio"]},
        {"views": ["title", "title"]},
        {"views": ["image"]},
        {},
    ],
)
def test_views_of_another_space_are_refused(front_end: dict[str, object]) -> None:
    """The sentence names what was asked for, and the modalities with their widths."""
    with pytest.raises(BadInput, match=r"expected a picture and other modalities of its width among audio \(3\), ima"):
        build_model("vbpr", {"front_end": front_end}, views())


@pytest.mark.parametrize("name", GRADIENT_CONTENT)
def test_a_missing_modality_is_masked_in_one_way(name: str) -> None:
    """Whatever a model projects content to, an item without a modality has zeros there, biases or not."""
    data = views()
    for place, matrix in enumerate(data.features.values()):
        matrix[[2, 3 + place]] = 0
    model = build_model(name, BRIEF | {"learning_rate": 0.1}, data)
    model.fit(TrainingOptions())
    assert isinstance(model, GradientModel)
    alone = [module for module in model.modules() if isinstance(module, Projection)]
    masked = [module for module in model.modules() if isinstance(module, Projections)]
    assert {id(layer) for layer in alone} == {id(layer) for layers in masked for layer in layers}
    assert bool(masked) == (name != "vbpr")  # which has no bias: zeros stay zeros
    content = content_of(model)
    names = sorted(data.features)
    for layers in masked:
        assert all(layer.bias.any() for layer in layers)
        for place, (table, some) in enumerate(zip(layers(content), layers(content, torch.tensor([2, 0])), strict=True)):
            lacking = ~data.features[names[place]].any(axis=1)
            assert lacking.sum() == 2
            assert not table[lacking].any()
            assert table[~lacking].any(1).all()
            assert not some[0].any()
            assert some[1].any()
