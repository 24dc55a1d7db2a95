"""What answers without the dataset, written and read back; and what is said of files that do not hold together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tasks.errors import BadInput, Corrupt
from tasks.models import build_model
from tasks.models.base import Model
from tasks.models.ease import EASE
from tasks.models.saved import load_model, save_model
from tasks.models.serving import Ensemble, Factors
from tasks.models.solvers.closed_form import peak_bytes
from tasks.releases.serving_files import load_serving, save_serving
from tasks.store import Artefact, FolderStore, read_artefact, write_artefact
from tasks.training import TrainingOptions
from tests.world import histories, random_world

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
        ("ease", {"weights": "weights"}),
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


def test_what_was_learned_in_another_precision_is_another_tensor(tmp_path: Path) -> None:
    """Equal numbers do not make 64 bits 32: answers are of the kind that the model gives."""

    class Doubled(EASE):
        """Its state begins with the same weights in 64 bits."""

        def state(self) -> dict[str, torch.Tensor]:
            return {"double": super().state()["weights"].double(), **super().state()}

    model = Doubled(Doubled.configure({}), random_world(USERS, ITEMS))
    model.fit(TrainingOptions())
    with write_artefact(FolderStore(tmp_path), "releases/d/r") as out:
        save_serving(out, model)
    written = read_artefact(FolderStore(tmp_path), "releases/d/r")
    assert written.json("serving.json")["learned"] == {"weights": "weights"}


@pytest.mark.parametrize("name", ["itemknn", "ease", "ials"])
def test_answers_for_other_users_or_items_are_refused(tmp_path: Path, name: str) -> None:
    """The ids of a release and its tensors belong together."""
    artefact = saved(tmp_path, name)
    load_serving(artefact, USERS, ITEMS)
    with pytest.raises(Corrupt, match=f"expected tensors for {USERS} users and {ITEMS - 1} items"):
        load_serving(artefact, USERS, ITEMS - 1)


def test_a_column_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    """No index leads outside of the matrix."""
    found = saved(tmp_path).tensors("serving.safetensors")["indices"]
    found[3] = ITEMS
    with pytest.raises(Corrupt, match="do not hold together"):
        load_serving(saved(tmp_path, indices=found), USERS, ITEMS)


def rewritten(folder: Path, **changed: object) -> Artefact:
    """A serving.json with some keys exchanged."""
    written = saved(folder)
    with write_artefact(FolderStore(folder), "releases/d/r") as out:
        for name in ("model.safetensors", "config.json", "serving.safetensors"):
            out.copy(name, written)
        out.json("serving.json", written.json("serving.json") | changed)
    return read_artefact(FolderStore(folder), "releases/d/r")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"kind": "transformer"},
            "kind 'transformer' found, expected one of item-item, item-item-sparse, .*, ensemble",
        ),
        (
            {"kind": "ensemble", "facts": {"parts": [{"kind": "x", "facts": {}}], "weights": [1]}},
            "kind 'x' found, expected .*, ensemble",
        ),
        ({"version": 3, "shape": "another"}, "version 3 found, expected at most 2"),
    ],
)
def test_a_kind_or_version_that_is_not_known_is_one_clear_sentence(
    tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    """What was found, what was expected and what to do; it is never read as another kind."""
    with pytest.raises(BadInput, match=rf"^releases/d/r/serving\.json: {said}; another version .* or publish again$"):
        load_serving(rewritten(tmp_path, **changed), USERS, ITEMS)


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "factors"},
        {"kind": "item-item"},
        {"kind": "ensemble"},
        {"kind": "ensemble", "facts": {"parts": [], "weights": []}},
        {"kind": "ensemble", "facts": {"parts": [{"kind": "item-item-sparse", "facts": {}}], "weights": []}},
        {"vectors": "a tensor"},
        {"vectors": "somewhere"},
        {"learned": {"values": "nowhere"}},
        {"more": 1},
    ],
)
def test_facts_that_do_not_fit_the_tensors_are_refused(tmp_path: Path, changed: dict[str, object]) -> None:
    """The kind that is named is the one that is read, whatever the tensors are called."""
    with pytest.raises(Corrupt, match=r"do not hold together \(.*publish again"):
        load_serving(rewritten(tmp_path, **changed), USERS, ITEMS)


def in_version_1(folder: Path, name: str) -> tuple[Artefact, Model]:
    """A model's answers as they were written before kinds had names: parts, told by the names of their tensors."""
    data = random_world(USERS, ITEMS)
    model = Told(Told.configure({}), data) if name == "told" else build_model(name.removesuffix("-dual"), {}, data)
    model.fit(TrainingOptions(memory_gib=peak_bytes(USERS) / 2**30 if name == "ease-dual" else 8.0))
    serving, vectors, state = model.serving(), model.item_vectors(), model.state()
    parts, weights = (serving.parts, serving.weights) if isinstance(serving, Ensemble) else ((serving,), (1.0,))
    tensors = {f"{n}.{key}": tensor for n, part in enumerate(parts) for key, tensor in part.tensors().items()}
    if name == "told":
        tensors["item_vectors"] = torch.from_numpy(np.ascontiguousarray(vectors))
    facts: dict[str, Any] = {
        "parts": [
            {"weight": weight, "fold_in": vars(part.fold_in) if isinstance(part, Factors) else None}
            for part, weight in zip(parts, weights, strict=True)
        ],
        "similar": None if vectors is None or name == "told" else 0,
    }
    if name == "ials":  # of which both were learned; the first releases had no such key
        facts["learned"] = {"0.users": "users", "0.items": "items"}
        tensors = {"0.bias": tensors["0.bias"]}
        assert set(state) == {"users", "items"}
    with write_artefact(FolderStore(folder), "releases/d/old") as out:
        save_model(out, model)
        out.tensors("serving.safetensors", tensors)
        out.file("serving.json").write_text(json.dumps(facts), encoding="utf-8")
    return read_artefact(FolderStore(folder), "releases/d/old"), model


@pytest.mark.parametrize("name", ["ease", "ease-dual", "itemknn", "ials", "popularity", "hybrid", "told"])
def test_releases_of_before_kinds_had_names_still_answer(tmp_path: Path, name: str) -> None:
    """Known users, new users and similar items, to the bit."""
    artefact, model = in_version_1(tmp_path, name)
    served, vectors = load_serving(artefact, USERS, ITEMS)
    every, train = np.arange(USERS), model.data.train
    np.testing.assert_array_equal(served.known(every, train), model.serving().known(every, train))
    new = histories(random_world(5, ITEMS, seed=8).train)
    np.testing.assert_array_equal(served.new(new), model.serving().new(new))
    np.testing.assert_array_equal(vectors, model.item_vectors())  # type: ignore[arg-type]
