"""Contrastive training of a small model, in a world where partners are known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch

from tasks.encoders.audioclip.audio_tower import BANDS, BINS
from tasks.encoders.audioclip.config import END, START
from tasks.encoders.audioclip.model import AudioCLIP
from tasks.encoders.audioclip.preprocess import normalise
from tasks.encoders.audioclip.training import ContrastiveTraining, Items, MediaBatch, Options, evaluate, fit, recall
from tasks.errors import BadInput, TaskError
from tasks.store import Store
from tasks.training.checkpoint import StoreCheckpoints
from tasks.training.optim import WarmupCosineAdamW, rise_and_fall
from tests.encoders.audioclip_world import TINY

KINDS = 8


def world(count: int = 120, modalities: tuple[str, ...] = ("image", "audio", "text")) -> Items:
    """Items of eight kinds: a kind is a colour, a band of frequency and a word."""
    rng = np.random.default_rng(1)
    media: dict[str, list[np.ndarray]] = {modality: [] for modality in modalities}
    colours = rng.integers(0, 256, (KINDS, 3))
    for item in range(count):
        kind, side = item % KINDS, TINY.image_resolution
        pixels = np.broadcast_to(colours[kind], (1, side, side, 3)) + rng.integers(-8, 9, (1, side, side, 3))
        picture = rng.normal(-60, 3, (2, BANDS, BINS // BANDS, 20)).astype(np.float16)
        picture[:, :, kind * 40 : kind * 40 + 40] += 40
        tokens = np.zeros((1, 77), dtype=np.int64)
        tokens[0, :4] = [START, 3 * kind + 1, rng.integers(40, 60), END]
        made = {"image": pixels.clip(0, 255).astype(np.uint8), "audio": picture, "text": tokens}
        for modality in modalities:
            media[modality].append(made[modality])
    return Items(media)


def fresh(seed: int = 0) -> AudioCLIP:
    """A model with first weights by the seed."""
    torch.manual_seed(seed)
    model = AudioCLIP(TINY)
    model.set_temperature(0.07)
    return model


def options(epochs: int = 6, **changes: float) -> Options:
    """Of a short training."""
    return Options(
        **({"epochs": epochs, "batch": 16, "learning_rate": 3e-3, "weight_decay": 0.01, "seed": 5} | changes)
    )


@pytest.mark.slow
def test_partners_find_each_other() -> None:
    """After training the held-out items find a partner of their kind, and the held-out loss is below the first one."""
    items, model = world(), fresh()
    before = evaluate(model, items, np.arange(12))
    reached = fit(model, items, options(epochs=10))
    assert reached["loss"] < before["loss"] - 1
    for pair in ("ai", "at", "it"):
        assert reached[f"{pair}_recall@5"] > 0.8
    assert set(reached) == {"loss", "epoch"} | {f"{pair}_recall@{k}" for pair in ("ai", "at", "it") for k in (1, 5)}


def test_two_modalities_train_alone() -> None:
    """One pair is enough, and the tower of the third keeps its weights but for their decay."""
    model = fresh()
    scale = model.logit_scale_at.item()
    reached = fit(model, world(modalities=("image", "text")), options(epochs=3))
    assert set(reached) == {"loss", "epoch", "it_recall@1", "it_recall@5"}
    assert model.logit_scale_at.item() == scale


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights() -> None:
    """To the bit; another seed gives others."""
    states = []
    for seed in (5, 5, 6):
        model = fresh()
        fit(model, world(80), options(epochs=2, seed=seed))
        states.append(model.state_dict())
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())
    assert not torch.equal(states[0]["text_projection"], states[2]["text_projection"])


@pytest.mark.slow
def test_the_best_epoch_is_kept() -> None:
    """The weights at the end are those of the epoch that is reported, not of the last one."""
    items, model = world(), fresh()
    reached = fit(model, items, options(epochs=8, learning_rate=0.05))
    order = np.random.default_rng(5).permutation(items.count)
    again = evaluate(model, items, np.sort(order[: items.count // 10]))
    assert again == {name: value for name, value in reached.items() if name != "epoch"}


@pytest.mark.parametrize("epochs", [1, 2])
def test_short_trainings_run(epochs: int) -> None:
    """Any number of steps has a schedule."""
    fit(fresh(), world(64), options(epochs=epochs, batch=11))


@pytest.mark.parametrize("steps", [1, 2, 9, 10, 11, 100])
def test_the_learning_rate_rises_and_falls(steps: int) -> None:
    """It is never 0 during the training, reaches its full value once, and ends at nothing."""
    shares = [rise_and_fall(done, steps) for done in range(steps)]
    assert min(shares) > 0
    assert max(shares) == 1.0
    assert shares == [*sorted(shares[: shares.index(1.0) + 1]), *sorted(shares[shares.index(1.0) + 1 :], reverse=True)]
    assert rise_and_fall(steps, steps) == pytest.approx(0.0, abs=1e-12) or steps == 1


def test_too_few_items_are_refused() -> None:
    """How many there must be is said."""
    with pytest.raises(BadInput, match="40 items found, expected at least 50"):
        fit(fresh(), world(40), options())
    with pytest.raises(BadInput, match="expected at least 1113 for a batch of 1000"):
        fit(fresh(), world(60), options(batch=1000))


def test_a_loss_that_is_no_number_ends_the_training() -> None:
    """It is said, and nothing is kept."""
    model = fresh()
    with torch.no_grad():
        model.text_projection.fill_(float("inf"))
    with pytest.raises(
        TaskError, match="loss of audioclip was nan in epoch 1, expected a finite number: lower --learning-rate"
    ):
        fit(model, world(64), options(epochs=1))


def test_recall_counts_partners_among_the_nearest() -> None:
    """Of three items one has its partner first, one second and one last."""
    similarity = torch.tensor([[0.9, 0.1, 0.0], [0.5, 0.4, 0.3], [0.3, 0.2, 0.1]])
    assert [recall(similarity, k) for k in (1, 2, 3)] == pytest.approx([1 / 3, 2 / 3, 1.0])


def test_pictures_are_flipped_left_to_right() -> None:
    """Half of the pictures that are trained on are mirrored, none is upside down; those measured are not touched."""
    ramp = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(1, 8, 8, 3)
    items = Items({"image": [ramp] * 200})
    plain, mirrored = (torch.from_numpy(normalise(one)) for one in (ramp, ramp[:, :, ::-1].copy()))
    drawn = items.batch(np.arange(200), np.random.default_rng(0))["image"]
    flipped = [torch.equal(picture, mirrored[0]) for picture in drawn]
    assert all(flip or torch.equal(picture, plain[0]) for flip, picture in zip(flipped, drawn, strict=True))
    assert 60 < sum(flipped) < 140
    assert torch.equal(items.batch(np.arange(3), None)["image"], plain.expand(3, -1, -1, -1))


def test_any_context_of_a_text_may_be_drawn() -> None:
    """Over some draws each piece of a text is trained on; without chance it is the first."""
    pieces = np.arange(4)[:, None].repeat(77, 1)
    items, rng = Items({"text": [pieces]}), np.random.default_rng(0)
    drawn = {int(items.batch(np.array([0]), rng)["tokens"][0, 0]) for _ in range(60)}
    assert drawn == {0, 1, 2, 3}
    assert int(items.batch(np.array([0]), None)["tokens"][0, 0]) == 0


@pytest.mark.slow
def test_held_out_items_are_never_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are drawn with chance, which is for training, and rows that are measured have none in common."""
    items, trained, measured = world(64), set[int](), set[int]()
    whole = items.batch

    def recorded(rows: np.ndarray, rng: np.random.Generator | None) -> dict[str, torch.Tensor]:
        (measured if rng is None else trained).update(rows.tolist())
        return whole(rows, rng)

    monkeypatch.setattr(items, "batch", recorded)
    fit(fresh(), items, options(epochs=3, batch=11))
    assert len(measured) == 6
    assert len(trained) >= 55
    assert not trained & measured


def test_gradients_are_clipped() -> None:
    """However steep the loss, the gradient that a step is made with has a norm of 1 at most."""
    model = fresh()
    model.set_temperature(0.01)
    training = ContrastiveTraining(model, world(64), options())
    optimizer = training.optimizer()
    loss = training.loss(MediaBatch(world(16).batch(np.arange(16), np.random.default_rng(0)), 16))
    loss.backward()

    def norm() -> float:
        return float(torch.stack([p.grad.norm() for p in model.parameters() if p.grad is not None]).norm())

    assert norm() > 1.5
    optimizer.step()
    assert norm() == pytest.approx(1.0, abs=1e-3)


def test_the_optimizer_follows_its_schedule_over_a_checkpoint() -> None:
    """Each step has the learning rate of its place, and its own state says which place that is."""
    value = torch.nn.Parameter(torch.zeros(()))
    shares = []
    state = None
    for done in range(12):
        optimizer = WarmupCosineAdamW(iter([value]), 0.5, 0.0, 12)
        if state is not None:
            optimizer.load_state_dict(state)
        value.grad = torch.ones(())
        optimizer.step()
        shares.append(optimizer.param_groups[0]["lr"] / 0.5)
        state = optimizer.state_dict()
        assert shares[-1] == rise_and_fall(done, 12)


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 2])
def test_a_killed_training_resumes_to_the_same_bits(folder_store: Store, after: int) -> None:
    """Weights, norms, schedule, held-out items and what was reached, also where the last epoch was over."""

    class Mortal(StoreCheckpoints):
        """Is killed once so many checkpoints are written."""

        left = after

        def save(self, tensors: Mapping[str, torch.Tensor], values: Mapping[str, object]) -> None:
            super().save(tensors, values)
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt

    items, whole, resumed = world(64, ("image", "text")), fresh(), fresh(seed=3)
    reached = fit(whole, items, options(epochs=2))
    with pytest.raises(KeyboardInterrupt):
        fit(fresh(), items, options(epochs=2), Mortal(folder_store, "training/small", {}))
    assert fit(resumed, items, options(epochs=2), StoreCheckpoints(folder_store, "training/small", {})) == reached
    assert all(torch.equal(value, resumed.state_dict()[key]) for key, value in whole.state_dict().items())
