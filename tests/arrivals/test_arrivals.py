"""Scores of arrivals: what content decides is found, and nothing is without it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from tasks.arrivals.content_map import Arrivals
from tasks.arrivals.fitting import fit_arrivals
from tasks.data import Dataset
from tasks.errors import BadInput
from tasks.models import build_model
from tests.world import GROUPS, content_world, random_world

ARRIVALS = 24
KEPT = 96  # known items: the first of `content_world`


def known_part(data: Dataset, items: int = KEPT) -> tuple[Dataset, dict[str, np.ndarray]]:
    """The first items as known ones, and the features of the others, which nobody has taken."""
    parts = {part: getattr(data, part)[:, :items] for part in ("train", "valid", "test")}
    features = {name: rows[:items] for name, rows in data.features.items()}
    known = replace(data, **parts, item_ids=data.item_ids[:items], features=features)
    return known, {name: rows[items:] for name, rows in data.features.items()}


def fit(data: Dataset, features: dict[str, np.ndarray], model: str = "ease") -> tuple[Arrivals, np.ndarray]:
    """Arrivals for a model, and the model's scores of everybody."""
    from tasks.training import TrainingOptions

    fitted = build_model(model, {}, data)
    fitted.fit(TrainingOptions(seed=0))
    scores = fitted.scores(np.arange(data.shape[0]))
    return fit_arrivals(lambda users: scores[users], data, features, seed=0), scores


def share_of_own_group(arrivals: Arrivals, scores: np.ndarray) -> float:
    """Of the first arrivals of each user, as many as there are in a group, the share that is of the user's group."""
    table = arrivals.scores(scores)
    size = ARRIVALS // GROUPS
    best = np.argsort(-table, axis=1)[:, :size]
    return float(((KEPT + best) % GROUPS == (np.arange(len(table)) % GROUPS)[:, None]).mean())


@pytest.mark.parametrize("model", ["ease", "ials", "itemknn", "cmf", "hybrid"])
def test_what_content_decides_is_found_for_every_kind_of_model(model: str) -> None:
    """Users like one of four groups, content tells the group: the first arrivals of a user are of that group."""
    arrivals, scores = fit(*known_part(content_world()), model)
    assert share_of_own_group(arrivals, scores) > 0.95


def test_features_of_other_items_destroy_it() -> None:
    """With permuted content of the known items the share is near the quarter of chance."""
    known, features = known_part(content_world())
    shuffled = np.random.default_rng(5).permutation(KEPT)
    permuted = replace(known, features={name: rows[shuffled] for name, rows in known.features.items()})
    arrivals, scores = fit(permuted, features)
    assert share_of_own_group(arrivals, scores) < 0.5


def test_the_order_of_users_does_not_matter() -> None:
    """A row of scores depends on that row alone."""
    arrivals, scores = fit(*known_part(content_world()))
    order = np.random.default_rng(0).permutation(len(scores))
    np.testing.assert_allclose(arrivals.scores(scores[order]), arrivals.scores(scores)[order], rtol=1e-5, atol=1e-6)


def test_the_same_seed_gives_the_same_arrivals() -> None:
    """To the bit."""
    one, other = (fit(*known_part(content_world()))[0] for _ in range(2))
    np.testing.assert_array_equal(one.weights, other.weights)
    assert one.facts() == other.facts()


def test_read_back_they_score_the_same() -> None:
    """Arrays and JSON are all that is needed."""
    arrivals, scores = fit(*known_part(content_world()))
    arrays = {name: tensor.numpy() for name, tensor in arrivals.tensors().items()}
    read = Arrivals.read(arrays, arrivals.facts(), KEPT, ARRIVALS)
    np.testing.assert_array_equal(read.scores(scores), arrivals.scores(scores))
    assert read.facts() == arrivals.facts()


@pytest.mark.parametrize(("known", "arrivals"), [(KEPT - 1, ARRIVALS), (KEPT, ARRIVALS + 1)])
def test_what_was_written_for_another_catalogue_is_refused(known: int, arrivals: int) -> None:
    """Both numbers are checked against the arrays."""
    fitted, _ = fit(*known_part(content_world()))
    arrays = {name: tensor.numpy() for name, tensor in fitted.tensors().items()}
    with pytest.raises(ValueError, match="instead of"):
        Arrivals.read(arrays, fitted.facts(), known, arrivals)


def test_no_arrival_is_no_column() -> None:
    """The last film has been taken: nothing is left to score, and nothing fails."""
    data = content_world()
    arrivals, scores = fit(data, {name: rows[:0] for name, rows in data.features.items()})
    assert arrivals.scores(scores).shape == (len(scores), 0)


def test_a_modality_that_is_missing_leaves_the_others() -> None:
    """Half of the arrivals lack one modality and the known items have none of a third: groups are found."""
    known, features = known_part(content_world())
    features["image"][::2] = 0
    nobody = {"text": np.zeros((KEPT, 3), dtype=np.float32)}
    known = replace(known, features={**known.features, **nobody})
    features["text"] = np.zeros((ARRIVALS, 3), dtype=np.float32)
    arrivals, scores = fit(known, features)
    assert share_of_own_group(arrivals, scores) > 0.95


def test_an_arrival_without_content_has_finite_scores() -> None:
    """It lacks all modalities: what is left is a mean."""
    known, features = known_part(content_world())
    for rows in features.values():
        rows[0] = 0
    arrivals, scores = fit(known, features)
    assert np.isfinite(arrivals.scores(scores)).all()


@pytest.mark.parametrize("items", [1, 2, 5])
def test_few_known_items_are_enough_for_finite_scores(items: int) -> None:
    """Even one."""
    arrivals, scores = fit(*known_part(random_world(30, 12), items), "popularity")
    assert np.isfinite(arrivals.scores(scores)).all()


def test_a_model_of_all_interactions_follows_its_twin() -> None:
    """Without validation nothing is calibrated; with `like` the hyperparameters and chances are the twin's."""
    known, features = known_part(content_world())
    twin, scores = fit(known, features)
    nothing = sparse.csr_matrix(known.valid.shape, dtype=np.float32)
    whole = replace(known, train=(known.train + known.valid).tocsr(), valid=nothing)
    alone = fit_arrivals(lambda users: scores[users], whole, features, seed=0)
    assert alone.exchange is None
    like = fit_arrivals(lambda users: scores[users], whole, features, seed=0, like=twin)
    assert twin.exchange is not None
    assert like.exchange is not None
    assert like.smoother == twin.smoother
    assert like.exchange.chances.facts() == twin.exchange.chances.facts()


def test_features_that_known_items_do_not_have_are_refused() -> None:
    """The sentence names both."""
    known, features = known_part(content_world())
    del features["image"]
    with pytest.raises(BadInput, match=r"features \{'audio': 5\} found for known items with \{'audio': 5, 'image': 12"):
        fit_arrivals(lambda users: np.zeros((len(users), KEPT)), known, features, seed=0)


def test_scores_of_other_items_are_refused() -> None:
    """Also those that are not finite: a seen item must have its score."""
    arrivals, scores = fit(*known_part(content_world()))
    with pytest.raises(BadInput, match=f"expected finite ones of {KEPT} known items"):
        arrivals.scores(scores[:, 1:])
    hidden = scores.copy()
    hidden[0, 0] = -np.inf
    with pytest.raises(BadInput, match="seen ones too"):
        arrivals.scores(hidden)
