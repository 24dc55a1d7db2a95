"""A training that is killed between two epochs and resumed, on one number and on every gradient model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tasks.metrics import selection_metric
from tasks.models import build_model
from tasks.models.base import Model
from tasks.store import Store
from tasks.training import EpochRecord, TrainingOptions, train
from tasks.training.checkpoint import StoreCheckpoints
from tests.registry import GRADIENT
from tests.training.test_loop import Number, config
from tests.world import random_world

IDENTITY = {"model": "number", "seed": 0}


class Killed(Exception):
    """As if the process had been killed."""


class Mortal(StoreCheckpoints):
    """Is killed once so many checkpoints are written."""

    left = 1

    def save(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        super().save(tensors, values)
        self.left -= 1
        if not self.left:
            raise Killed


def mortal(store: Store, after: int) -> Mortal:
    """Checkpoints of the number whose process is killed `after` so many epochs."""
    checkpoints = Mortal(store, "runs/r/checkpoint", IDENTITY)
    checkpoints.left = after
    return checkpoints


def immortal(store: Store) -> StoreCheckpoints:
    """The same, not killed."""
    return StoreCheckpoints(store, "runs/r/checkpoint", IDENTITY)


def bare(records: list[EpochRecord]) -> list[EpochRecord]:
    """Without what a clock said."""
    return [replace(record, seconds=0.0) for record in records]


def noisy(model: object) -> float:
    """A validation that is best in the middle."""
    assert isinstance(model, Number)
    return -abs(model.value.item() - 0.8)


@pytest.mark.parametrize("after", [1, 2, 4, 5, 6])
def test_resumed_is_as_if_never_killed(folder_store: Store, after: int) -> None:
    """Parameters, records, what was drawn, and when it stops, whichever epoch was the last before the kill."""
    values = config(max_epochs=12, patience=2)
    whole = Number(values)
    records = train(whole, TrainingOptions(validate=noisy))
    assert len(records) == 6  # of twelve: the kill after the sixth comes after the last epoch
    with pytest.raises(Killed):
        train(Number(values), TrainingOptions(validate=noisy, checkpoints=mortal(folder_store, after)))
    resumed = Number(values)
    again = train(resumed, TrainingOptions(validate=noisy, checkpoints=immortal(folder_store)))
    assert bare(again) == bare(records)
    assert torch.equal(resumed.value, whole.value)
    assert resumed.epochs == whole.epochs[after:]
    assert resumed.begun == whole.begun
    assert not resumed.training


def test_without_a_validation_the_last_epoch_is_resumed_and_kept(folder_store: Store) -> None:
    """There is no best state to keep."""
    whole, resumed = Number(config(max_epochs=5)), Number(config(max_epochs=5))
    train(whole, TrainingOptions())
    with pytest.raises(Killed):
        train(Number(config(max_epochs=5)), TrainingOptions(checkpoints=mortal(folder_store, 3)))
    train(resumed, TrainingOptions(checkpoints=immortal(folder_store)))
    assert torch.equal(resumed.value, whole.value)
    assert len(resumed.epochs) == 2


@pytest.mark.parametrize("name", GRADIENT)
def test_every_model_resumes_to_the_same_bits(folder_store: Store, name: str) -> None:
    """Whatever it keeps from epoch to epoch is in the checkpoint or drawn anew."""
    data = random_world(20, 25)
    values = {"max_epochs": 4, "evaluate_every": 1, "batch_size": 32, "embedding_size": 8}

    def fit(checkpoints: StoreCheckpoints | None) -> tuple[Model, list[EpochRecord]]:
        model = build_model(name, values, data)
        options = TrainingOptions(validate=lambda scorer: selection_metric(scorer, data), checkpoints=checkpoints)
        return model, bare(model.fit(options))

    whole, records = fit(None)
    with pytest.raises(Killed):
        fit(mortal(folder_store, 2))
    resumed, again = fit(immortal(folder_store))
    assert again == records
    assert all(torch.equal(tensor, resumed.state()[key]) for key, tensor in whole.state().items())


def test_members_of_an_ensemble_resume_apart(folder_store: Store) -> None:
    """A kill in the second member costs neither the epochs of the first nor those of the second before it."""
    data = random_world(20, 25)
    brief = {"max_epochs": 3, "evaluate_every": 1, "batch_size": 32, "embedding_size": 8}
    values = {"members": {"bpr": brief, "lightgcn": brief}, "weights": [1.0]}
    whole, resumed = build_model("hybrid", values, data), build_model("hybrid", values, data)
    whole.fit(TrainingOptions())

    class Second(StoreCheckpoints):
        """The second member is killed after its first epoch."""

        def part(self, name: str) -> StoreCheckpoints:
            kept = super().part(name)
            return kept if name == "bpr" else Mortal(folder_store, kept._prefix, json.loads(kept._identity))

    killed = build_model("hybrid", values, data)
    with pytest.raises(Killed):
        killed.fit(TrainingOptions(checkpoints=Second(folder_store, "runs/r/checkpoint", IDENTITY)))
    keys = {info.key for info in folder_store.list("runs/r/checkpoint/")}
    assert keys == {f"runs/r/checkpoint/{name}/checkpoint.safetensors" for name in ("bpr", "lightgcn")}
    resumed.fit(TrainingOptions(checkpoints=immortal(folder_store)))
    assert all(torch.equal(tensor, resumed.state()[key]) for key, tensor in whole.state().items())
    immortal(folder_store).clear()
    assert not list(folder_store.list("runs/r/"))


def test_a_checkpoint_of_another_training_is_not_used(folder_store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Other hyperparameters, data or seed: training starts at the first epoch, and says so."""
    with pytest.raises(Killed):
        train(Number(config(max_epochs=5)), TrainingOptions(checkpoints=mortal(folder_store, 3)))
    other = StoreCheckpoints(folder_store, "runs/r/checkpoint", {**IDENTITY, "seed": 1})
    model = Number(config(max_epochs=5))
    with caplog.at_level("INFO"):
        train(model, TrainingOptions(checkpoints=other))
    assert len(model.epochs) == 5
    assert "of another training: this one starts at the first epoch" in caplog.text


def test_a_member_does_not_resume_where_another_ensemble_was(folder_store: Store) -> None:
    """Its own name says too little: the training of the whole is in its identity."""
    immortal(folder_store).part("bpr").save({"model/users": torch.zeros(1)}, {})
    other = StoreCheckpoints(folder_store, "runs/r/checkpoint", {**IDENTITY, "seed": 1})
    assert immortal(folder_store).part("bpr").load() is not None
    assert other.part("bpr").load() is None


def test_a_checkpoint_of_another_version_of_the_software_is_not_used(
    folder_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other code need not give the same bits, nor name its tensors the same."""
    monkeypatch.setenv("RECSYS_CODE_VERSION", "1")
    with pytest.raises(Killed):
        train(Number(config(max_epochs=5)), TrainingOptions(checkpoints=mortal(folder_store, 3)))
    monkeypatch.setenv("RECSYS_CODE_VERSION", "2")
    model = Number(config(max_epochs=5))
    train(model, TrainingOptions(checkpoints=immortal(folder_store)))
    assert len(model.epochs) == 5


@pytest.mark.parametrize("cut", [0, 5, 40, -1])
def test_a_checkpoint_that_cannot_be_read_is_not_used(
    folder_store: Store, caplog: pytest.LogCaptureFixture, cut: int
) -> None:
    """A retry must not fail for ever by what a broken disk left; it is said aloud."""
    with pytest.raises(Killed):
        train(Number(config(max_epochs=3)), TrainingOptions(checkpoints=mortal(folder_store, 1)))
    (info,) = folder_store.list("runs/r/")
    folder_store.put(info.key, folder_store.get(info.key)[:cut])
    model = Number(config(max_epochs=3))
    train(model, TrainingOptions(checkpoints=immortal(folder_store)))
    assert len(model.epochs) == 3
    assert "cannot be read" in caplog.text
