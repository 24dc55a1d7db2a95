"""The gradient loop on the smallest model there is: one number."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scipy import sparse
from torch import Tensor, nn

from tasks.errors import BadInput, TaskError
from tasks.training import Batch, GradientConfig, Scorer, TrainingOptions, Triplets, train

LOG = sparse.csr_matrix(np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]], dtype=np.float32))


class Number(nn.Module):
    """Wants its one parameter to be 3; remembers what it was shown."""

    name = "number"
    remedy = "lower its learning_rate"

    def __init__(self, config: GradientConfig, log: sparse.csr_matrix = LOG) -> None:
        super().__init__()
        self.config = config
        self.triplets = Triplets(log, config.batch_size)
        self.value = nn.Parameter(torch.zeros(()))
        self.shown: list[Batch] = []
        self.epochs: list[float] = []

    def loss(self, batch: Batch) -> Tensor:
        assert self.training
        self.shown.append(batch)
        return (self.value - 3).square()

    def begin(self, rng: np.random.Generator) -> None:
        self.begun = rng.random()

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        self.epochs.append(rng.random())
        return self.triplets.draw(rng, torch.device("cpu"))

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.config.learning_rate, fused=True)

    def validation(self, options: TrainingOptions) -> float | None:
        return None if options.validate is None else options.validate(self)

    def scores(self, users: np.ndarray) -> np.ndarray:
        return np.full((len(users), 4), self.value.item(), dtype=np.float32)


def config(**values: object) -> GradientConfig:
    return GradientConfig.model_validate({"learning_rate": 0.1, "batch_size": 4, "evaluate_every": 1} | values)


def test_it_goes_to_the_minimum() -> None:
    """Gradients are cleared between steps: piled up they overshoot for ever."""
    model = Number(config(max_epochs=300))
    records = train(model, TrainingOptions())
    assert model.value.item() == pytest.approx(3, abs=1e-3)
    assert [record.epoch for record in records] == list(range(1, 301))
    assert records[0].loss == pytest.approx(9, rel=0.1)


def test_every_interaction_is_shown_once_an_epoch_with_an_item_not_taken() -> None:
    """In batches of the size asked for, the last one shorter, in another order each epoch."""
    model = Number(config(max_epochs=2))
    train(model, TrainingOptions())
    assert [len(batch.users) for batch in model.shown] == [4, 2, 4, 2]
    orders = []
    for epoch in (model.shown[:2], model.shown[2:]):
        shown = [tuple(row) for b in epoch for row in torch.stack([b.users, b.positives], 1).tolist()]
        assert sorted(shown) == sorted(zip(*(part.tolist() for part in LOG.nonzero()), strict=True))
        orders.append(shown)
        assert all(LOG[user, item] == 0 for b in epoch for user, item in zip(b.users, b.negatives, strict=True))
    assert orders[0] != orders[1]
    assert len(set(model.epochs)) == 2


def test_the_loss_of_an_epoch_is_a_mean_over_its_rows() -> None:
    """The last batch is shorter, so a row of it counts no more than one of the others."""

    class Rows(Number):
        """Loses what the numbers of the users are."""

        def loss(self, batch: Batch) -> Tensor:
            return batch.users.float().mean() + 0 * self.value

    records = train(Rows(config(max_epochs=9)), TrainingOptions())
    assert [record.loss for record in records] == pytest.approx([1.0] * 9)


def test_it_stops_early_and_keeps_the_best() -> None:
    """Two validations without a better one end it; the state is that of the best, not of the last."""
    seen: list[float] = []
    scores = iter([0.1, 0.5, 0.4, 0.5])  # a fifth validation would find none

    def validate(model: Scorer) -> float:
        seen.append(float(model.scores(np.array([0]))[0, 0]))
        return next(scores)

    model = Number(config(max_epochs=50, patience=2))
    records = train(model, TrainingOptions(validate=validate))
    assert [record.valid for record in records] == [0.1, 0.5, 0.4, 0.5]
    assert model.value.item() == pytest.approx(seen[1])
    assert seen[1] != seen[-1]
    assert not model.training


def test_it_validates_every_so_many_epochs_and_at_the_end() -> None:
    """Epochs in between have no score."""
    options = TrainingOptions(validate=lambda _: 0.5)
    records = train(Number(config(max_epochs=5, evaluate_every=2, patience=9)), options)
    assert [record.valid for record in records] == [None, 0.5, None, 0.5, 0.5]


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_validation_that_is_not_finite_is_an_error(score: float) -> None:
    """It is never compared as if it were one."""
    with pytest.raises(TaskError, match="validation of number gave"):
        train(Number(config(max_epochs=5)), TrainingOptions(validate=lambda _: score))


def test_a_loss_that_is_not_finite_is_an_error() -> None:
    """It names the model, the epoch and what to do."""
    model = Number(config(max_epochs=5))
    with torch.no_grad():
        model.value.fill_(float("nan"))
    with pytest.raises(
        TaskError, match="loss of number was nan in epoch 1, expected a finite number: lower its learning"
    ):
        train(model, TrainingOptions())


def test_a_user_who_has_taken_everything_is_left_out_aloud(caplog: pytest.LogCaptureFixture) -> None:
    """There is nothing to compare with; the others are trained on."""
    log = sparse.csr_matrix(np.array([[1, 1, 1], [0, 1, 1]], dtype=np.float32))
    with caplog.at_level("INFO"):
        model = Number(config(max_epochs=1), log)
        train(model, TrainingOptions())
    assert model.shown[0].users.tolist() == [1, 1]
    assert "1 users have interacted with every item" in caplog.text


def test_nobody_to_compare_is_an_error() -> None:
    """When every user has interacted with every item."""
    with pytest.raises(BadInput, match="every user has interacted with every item"):
        Number(config(max_epochs=1), sparse.csr_matrix(np.ones((2, 2), dtype=np.float32)))


def test_threads_are_those_asked_for_and_given_back() -> None:
    """Within the training, not after it."""
    before = torch.get_num_threads()
    seen: list[int] = []

    def validate(_: Scorer) -> float:
        seen.append(torch.get_num_threads())
        return 0.0

    train(Number(config(max_epochs=1)), TrainingOptions(threads=before + 1, validate=validate))
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
