"""What answers without the dataset, written and read back; and what is said of files that do not hold together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.errors import Corrupt
from tasks.models import build_model
from tasks.models.ease import EASE
from tasks.models.saved import load_model, load_serving, save_model, save_serving
from tasks.store import Artefact, FolderStore, read_artefact, write_artefact
from tasks.training import TrainingOptions
from tests.world import random_world

USERS, ITEMS = 9, 14


class Told(EASE):
    """A model whose item vectors are no part of its scores."""

    def item_vectors(self) -> np.ndarray:
        return self.data.features["text"]


def saved(folder: Path, name: str = "itemknn", **changed: torch.Tensor) -> Artefact:
    """A fitted model's answers in an artefact, some tensors exchanged."""
    data = random_world(USERS, ITEMS)
    model = Told(Told.configure({}), data) if name == "told" else build_model(name, {}, data)
    model.fit(TrainingOptions())
    with write_artefact(FolderStore(folder), "releases/d/r") as out:
        save_model(out, model)
        save_serving(out, model)
    written = read_artefact(FolderStore(folder), "releases/d/r")
    with write_artefact(FolderStore(folder), "releases/d/r") as out:
        out.copy("serving.json", written)
        out.copy("model.safetensors", written)
        out.copy("config.json", written)
        out.tensors("serving.safetensors", written.tensors("serving.safetensors") | changed)
    return read_artefact(FolderStore(folder), "releases/d/r")


def test_item_vectors_of_their_own_are_kept_beside_the_scores(tmp_path: Path) -> None:
    """And those that are part of the scores are not written twice."""
    own = saved(tmp_path / "told", "told")
    np.testing.assert_array_equal(load_serving(own, USERS, ITEMS)[1], random_world(USERS, ITEMS).features["text"])
    assert set(own.tensors("serving.safetensors")) == {"item_vectors"}


@pytest.mark.parametrize(
    ("name", "learned"),
    [
        ("ease", {"0.weights": "weights"}),
        ("hybrid", {"0.weights": "cease.weights", "1.users": "ials.users", "1.items": "ials.items"}),
    ],
)
def test_what_was_learned_is_not_written_twice(tmp_path: Path, name: str, learned: dict[str, str]) -> None:
    """Answers take it from the model's own file, and are the model's."""
    artefact = saved(tmp_path, name)
    assert artefact.json("serving.json")["learned"] == learned
    assert not learned.keys() & artefact.tensors("serving.safetensors").keys()
    data, users = random_world(USERS, ITEMS), np.arange(USERS)
    serving, vectors = load_serving(artefact, USERS, ITEMS)
    model = load_model(artefact, data)
    np.testing.assert_allclose(serving.known(users, data.train), model.scores(users), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(vectors, model.item_vectors())


@pytest.mark.parametrize("name", ["itemknn", "ease", "ials"])
def test_answers_for_other_users_or_items_are_refused(tmp_path: Path, name: str) -> None:
    """The ids of a release and its tensors belong together."""
    artefact = saved(tmp_path, name)
    load_serving(artefact, USERS, ITEMS)
    with pytest.raises(Corrupt, match=f"expected tensors for {USERS} users and {ITEMS - 1} items"):
        load_serving(artefact, USERS, ITEMS - 1)


def test_a_column_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    """No index leads outside of the matrix."""
    found = saved(tmp_path).tensors("serving.safetensors")["0.indices"]
    found[3] = ITEMS
    with pytest.raises(Corrupt, match="do not hold together"):
        load_serving(saved(tmp_path, **{"0.indices": found}), USERS, ITEMS)
