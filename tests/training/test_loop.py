"""The gradient loop on the smallest model there is: one number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse
from torch import Tensor, nn

from tasks.errors import BadInput, TaskError
from tasks.training import Batch, GradientConfig, Scorer, TrainingOptions, train

LOG = sparse.csr_matrix(np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]], dtype=np.float32))


class Number(nn.Module):
    """Wants its one parameter to be 3; remembers what it was shown."""

    name = "number"

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(()))
        self.batches: list[Batch] = []
        self.epochs: list[float] = []

    def loss(self, batch: Batch) -> Tensor:
        assert self.training
        self.batches.append(batch)
        return (self.value - 3).square()

    def start_epoch(self, rng: np.random.Generator) -> None:
        self.epochs.append(rng.random())

    def scores(self, users: np.ndarray) -> np.ndarray:
        return np.full((len(users), 4), self.value.item(), dtype=np.float32)


def config(**values: object) -> GradientConfig:
    return GradientConfig.model_validate({"learning_rate": 0.1, "batch_size": 4, "evaluate_every": 1} | values)


def test_it_goes_to_the_minimum() -> None:
    """Gradients are cleared between steps: piled up they overshoot for ever."""
    model = Number()
    records = train(model, config(max_epochs=300), LOG, TrainingOptions())
    assert model.value.item() == pytest.approx(3, abs=1e-3)
    assert [record.epoch for record in records] == list(range(1, 301))
    assert records[0].loss == pytest.approx(9, rel=0.1)


def test_every_interaction_is_shown_once_an_epoch_with_an_item_not_taken() -> None:
    """In batches of the size asked for, the last one shorter, in another order each epoch."""
    model = Number()
    train(model, config(max_epochs=2), LOG, TrainingOptions())
    assert [len(batch.users) for batch in model.batches] == [4, 2, 4, 2]
    orders = []
    for epoch in (model.batches[:2], model.batches[2:]):
        shown = [tuple(row) for b in epoch for row in torch.stack([b.users, b.positives], 1).tolist()]
        assert sorted(shown) == sorted(zip(*(part.tolist() for part in LOG.nonzero()), strict=True))
        orders.append(shown)
        assert all(LOG[user, item] == 0 for b in epoch for user, item in zip(b.users, b.negatives, strict=True))
    assert orders[0] != orders[1]
    assert len(set(model.epochs)) == 2


def test_it_stops_early_and_keeps_the_best() -> None:
    """Two validations without a better one end it; the state is that of the best, not of the last."""
    seen: list[float] = []
    figures = iter([0.1, 0.5, 0.4, 0.5])  # a fifth validation would find none

    def validate(model: Scorer) -> float:
        seen.append(float(model.scores(np.array([0]))[0, 0]))
        return next(figures)

    model = Number()
    records = train(model, config(max_epochs=50, patience=2), LOG, TrainingOptions(validate=validate))
    assert [record.valid for record in records] == [0.1, 0.5, 0.4, 0.5]
    assert model.value.item() == pytest.approx(seen[1])
    assert seen[1] != seen[-1]
    assert not model.training


def test_it_validates_every_so_many_epochs_and_at_the_end() -> None:
    """Epochs in between have no figure."""
    options = TrainingOptions(validate=lambda _: 0.5)
    records = train(Number(), config(max_epochs=5, evaluate_every=2, patience=9), LOG, options)
    assert [record.valid for record in records] == [None, 0.5, None, 0.5, 0.5]


@pytest.mark.parametrize("figure", [float("nan"), float("inf")])
def test_a_validation_that_is_not_finite_is_an_error(figure: float) -> None:
    """It is never compared as if it were one."""
    with pytest.raises(TaskError, match="validation of number gave"):
        train(Number(), config(max_epochs=5), LOG, TrainingOptions(validate=lambda _: figure))


def test_a_loss_that_is_not_finite_is_an_error() -> None:
    """It names the model, the epoch and what to do."""
    model = Number()
    with torch.no_grad():
        model.value.fill_(float("nan"))
    with pytest.raises(
        TaskError, match="loss of number was nan in epoch 1, expected a finite number: lower its learning"
    ):
        train(model, config(max_epochs=5), LOG, TrainingOptions())


def test_a_user_who_has_taken_everything_is_left_out_aloud(caplog: pytest.LogCaptureFixture) -> None:
    """There is nothing to compare with; the others are trained on."""
    log = sparse.csr_matrix(np.array([[1, 1, 1], [0, 1, 1]], dtype=np.float32))
    model = Number()
    with caplog.at_level("INFO"):
        train(model, config(max_epochs=1), log, TrainingOptions())
    assert model.batches[0].users.tolist() == [1, 1]
    assert "1 users have taken every item" in caplog.text


def test_nobody_to_compare_is_an_error() -> None:
    """When every user has taken every item."""
    with pytest.raises(BadInput, match="every user has taken every item"):
        train(Number(), config(max_epochs=1), sparse.csr_matrix(np.ones((2, 2), dtype=np.float32)), TrainingOptions())


def test_threads_are_those_asked_for_and_given_back() -> None:
    """Within the training, not after it."""
    before = torch.get_num_threads()
    seen: list[int] = []

    def validate(_: Scorer) -> float:
        seen.append(torch.get_num_threads())
        return 0.0

    train(Number(), config(max_epochs=1), LOG, TrainingOptions(threads=before + 1, validate=validate))
    assert seen == [before + 1]
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"threads": 0}, "threads 0 found"),
        ({"memory_gib": 0.0}, "memory of 0.0 GiB found, expected more than 0"),
        ({"memory_gib": float("nan")}, "memory of nan GiB found, expected more than 0"),
        ({"memory_gib": float("inf")}, "memory of inf GiB found, expected more than 0, and a finite number"),
    ],
)
def test_impossible_options_are_errors(values: dict[str, int], said: str) -> None:
    """Before anything is trained."""
    with pytest.raises(BadInput, match=said):
        TrainingOptions(**values)
