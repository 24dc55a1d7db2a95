"""What every kind of serving promises, tested once for all of KINDS: written and read, it answers the same."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tasks.data import Sequences
from tasks.errors import Corrupt
from tasks.models import build_model
from tasks.models.base import Model
from tasks.models.saved import save_model
from tasks.models.serving import KINDS, kind_class
from tasks.releases.serving_files import load_serving, save_serving
from tasks.store import Artefact, FolderStore, read_artefact, write_artefact
from tasks.training import TrainingOptions
from tests.world import histories, random_world

USERS, ITEMS = 20, 60
NO_DENSE = 3e-5  # GiB: users x users fits in it, items x items does not
MODELS_OF: dict[str, tuple[str, dict[str, object], float]] = {  # kind -> a model served by it, and its memory in GiB
    "item-item": ("ease", {}, 8.0),
    "item-item-sparse": ("itemknn", {}, 8.0),
    "item-item-dual": ("ease", {}, NO_DENSE),
    "factors": ("ials", {}, 8.0),
    "ensemble": ("hybrid", {"weights": [0.3]}, 8.0),
}
ORDERED: set[str] = set()  # kinds to which the order of a history means something


@cache
def fitted(kind: str) -> Model:
    """A model that is served by a kind, which tests leave as it is."""
    name, hyperparameters, memory_gib = MODELS_OF[kind]
    model = build_model(name, hyperparameters, random_world(USERS, ITEMS))
    model.fit(TrainingOptions(memory_gib=memory_gib))
    return model


def written(folder: Path, model: Model) -> Artefact:
    """What a release has of a model and its serving."""
    with write_artefact(FolderStore(folder), "releases/d/r") as out:
        save_model(out, model)
        save_serving(out, model)
    return read_artefact(FolderStore(folder), "releases/d/r")


@pytest.mark.parametrize("kind", KINDS)
def test_its_name_is_its_key(kind: str) -> None:
    """The name in serving.json is the one it is looked up by."""
    assert kind_class(kind).kind == kind


@pytest.mark.parametrize("kind", KINDS)
def test_read_back_it_scores_the_same(kind: str, tmp_path: Path) -> None:
    """Known users and new ones, to the bit, and as the model; serving.json names the kind."""
    model, every = fitted(kind), np.arange(USERS)
    artefact = written(tmp_path, model)
    assert artefact.json("serving.json")["kind"] == kind
    served, vectors = load_serving(artefact, USERS, ITEMS)
    before, train = model.serving(), model.data.train
    assert type(served) is type(before) is kind_class(kind)
    np.testing.assert_array_equal(served.known(every, train), before.known(every, train))
    np.testing.assert_allclose(served.known(every, train), model.scores(every), rtol=1e-4, atol=1e-5)
    new = histories(random_world(7, ITEMS, seed=8).train)
    assert served.new(new).shape == (7, ITEMS)
    assert served.new(new).dtype == np.float32
    np.testing.assert_array_equal(served.new(new), before.new(new))
    expected = model.item_vectors()
    assert (vectors is None) == (expected is None)
    if vectors is not None:
        np.testing.assert_array_equal(vectors, expected)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ORDERED])
def test_the_order_of_a_history_does_not_matter_where_the_kind_knows_none(kind: str) -> None:
    """To the bit: sums are formed in the same order whatever order the items are given in."""
    serving, one = fitted(kind).serving(), histories(random_world(1, ITEMS, density=0.5, seed=8).train)
    assert len(one.items) > 20
    for seed in range(3):
        mixed = Sequences(one.starts.copy(), np.random.default_rng(seed).permutation(one.items))
        np.testing.assert_array_equal(serving.new(mixed), serving.new(one))


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_refused_for_a_catalogue_of_another_size(kind: str, tmp_path: Path) -> None:
    """The ids of a release and its tensors belong together."""
    artefact = written(tmp_path, fitted(kind))
    with pytest.raises(Corrupt, match=f"expected tensors for {USERS} users and {ITEMS - 1} items"):
        load_serving(artefact, USERS, ITEMS - 1)
