"""The contrastive loss of the pairs."""

from __future__ import annotations

import math

import pytest
import torch

from tasks.encoders.audioclip.model import both_ways, contrastive, scale
from tests.encoders.audioclip_world import TINY, random_model


def test_the_loss_of_a_pair_is_cross_entropy_both_ways() -> None:
    """For two items whose own cosine is 1 and the other's 0, at scale s, it is 2 log(1 + exp(-s))."""
    assert both_ways(3.0 * torch.eye(2)).item() == pytest.approx(2 * math.log(1 + math.exp(-3.0)), rel=1e-6)


@pytest.mark.parametrize(("pairs", "divisor"), [(["it"], 1), (["ai", "it"], 2), (["ai", "at", "it"], 6)])
def test_the_sum_is_divided_by_the_factorial_of_the_number_of_pairs(pairs: list[str], divisor: int) -> None:
    """Three pairs are divided by 6, not by 3, as the released model was trained."""
    logits = {pair: torch.randn(4, 4, generator=torch.Generator().manual_seed(7)) for pair in pairs}
    one = both_ways(logits[pairs[0]]).item()
    assert contrastive(logits, None).item() == pytest.approx(len(pairs) * one / divisor, rel=1e-6)


def test_the_wavelets_count_only_where_sound_is() -> None:
    """Their norm loss is added to the loss of pairs with sound made from samples, and to no other."""
    model = random_model()
    with torch.no_grad():
        model.audio.fbsp.fb.fill_(4.0)  # norm loss 1
    tokens = torch.tensor([[0, 5, 49_407], [0, 9, 49_407]])
    image = torch.randn(2, 3, TINY.image_resolution, TINY.image_resolution)
    sound = model(audio=torch.randn(2, 1, 4000) * 1000, tokens=tokens)
    silent = model(image=image, tokens=tokens)
    assert sound.loss.item() == pytest.approx(both_ways(sound.logits["at"]).item() + 1.0, rel=1e-4)
    assert silent.loss.item() == pytest.approx(both_ways(silent.logits["it"]).item(), rel=1e-6)


@pytest.mark.parametrize(("logarithm", "expected"), [(-3.0, 1.0), (2.0, math.exp(2.0)), (9.0, 100.0)])
def test_the_inverse_temperature_stays_between_1_and_100(logarithm: float, expected: float) -> None:
    """Sharper or flatter than that, it is held."""
    assert scale(torch.tensor(logarithm)).item() == pytest.approx(expected, rel=1e-6)


def test_one_modality_alone_has_features_and_no_loss() -> None:
    """There is nothing to contrast it with."""
    found = random_model()(tokens=torch.tensor([[0, 5, 49_407]]))
    assert found.loss is None
    assert list(found.features) == ["text"]
