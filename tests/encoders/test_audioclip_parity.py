"""The same numbers as the original AudioCLIP, from the same weights and inputs."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.encoders.audioclip.audio_tower import N_FFT, inside
from tasks.encoders.audioclip.config import AudioCLIPConfig
from tasks.encoders.audioclip.fast import FastAudioCLIP
from tasks.encoders.audioclip.fbsp import norm_loss
from tasks.encoders.audioclip.model import AudioCLIP, Output
from tasks.encoders.audioclip.tokenizer import contexts

pytestmark = pytest.mark.realdata
RTOL = 1e-4
CONFIG = AudioCLIPConfig(
    embed_dim=64,
    image_resolution=64,
    vision_layers=(1, 1, 1, 1),
    vision_width=16,
    text_width=64,
    text_heads=2,
    text_layers=2,
)


def weight(key: str, value: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """The reference's weight of this name, made of the name alone (the rule is in the README beside the reference)."""
    leaf, n = key.rpartition(".")[2], value.numel()
    if leaf == "num_batches_tracked" or key == "audio.window":
        return value
    g = np.random.Generator(np.random.Philox(key=[seed, zlib.crc32(key.encode())]))
    rules = {
        "audio.fbsp.m": lambda: 0.05 * g.random(n),
        "audio.fbsp.fb": lambda: 1 + 0.05 * g.standard_normal(n),
        "audio.fbsp.fc": lambda: np.arange(n) + 0.05 * g.standard_normal(n),
    }
    if key in rules:
        found = rules[key]()
    elif leaf == "running_var":
        found = 0.5 + g.random(n)
    elif leaf == "running_mean":
        found = 0.1 * g.standard_normal(n)
    elif key.startswith("logit_scale"):
        found = np.full(n, 2.5)
    elif value.dim() > 1 and "embedding" in key:
        g.standard_normal(n)
        found = 0.02 * g.standard_normal(n)
    elif value.dim() > 1:
        found = g.standard_normal(n) / np.sqrt(np.prod(value.shape[1:]))
    else:
        found = 0.02 * g.standard_normal(n) if leaf == "bias" else 1 + 0.1 * g.standard_normal(n)
    return torch.from_numpy(found.reshape(tuple(value.shape)).astype(np.float32))


def rebuilt() -> AudioCLIP:
    """The model of the reference, in eval mode."""
    model = AudioCLIP(CONFIG)
    model.load_state_dict({key: weight(key, value) for key, value in model.state_dict().items()}, strict=True)
    return model.eval()


@pytest.fixture(scope="module")
def reference(shared_reference: Path) -> dict[str, np.ndarray]:
    """Inputs and outputs of the original."""
    with np.load(shared_reference / "audioclip_tiny_seed0.npz", allow_pickle=False) as file:
        return dict(file)


@pytest.fixture(scope="module")
def model() -> AudioCLIP:
    """The reference's model, in eval mode."""
    return rebuilt()


def batch(reference: dict[str, np.ndarray], *names: str) -> dict[str, torch.Tensor]:
    """Inputs by the names of the model's arguments."""
    return {name: torch.from_numpy(reference[name]) for name in names}


def assert_equal(found: torch.Tensor, expected: np.ndarray, rtol: float = RTOL) -> None:
    """Equal within `rtol`; where an element is near 0, within a tenth of it relative to the largest."""
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=rtol, atol=rtol / 10 * np.abs(expected).max())


@torch.no_grad()
def test_the_picture_of_a_sound_is_the_original_one(model: AudioCLIP, reference: dict[str, np.ndarray]) -> None:
    """Decibels of each wavelet in each frame, and the norm loss of the wavelets."""
    wavelets = model.audio.fbsp.weights(N_FFT)
    found = model.audio.picture(torch.from_numpy(reference["audio"][:1]), inside(wavelets))
    assert_equal(found, reference["x_db"])
    assert_equal(norm_loss(wavelets), reference["loss_ttf"])


@torch.no_grad()
def test_each_tower_gives_the_original_features(model: AudioCLIP, reference: dict[str, np.ndarray]) -> None:
    """Raw features of image, text, mono, stereo and very short sound."""
    inputs = batch(reference, "audio", "stereo", "image", "tokens")
    assert_equal(model.encode_image(inputs["image"]), reference["raw_image"])
    assert_equal(model.encode_text(inputs["tokens"]), reference["raw_text"])
    assert_equal(model.encode_audio(inputs["audio"]), reference["raw_audio"])
    assert_equal(model.encode_audio(inputs["stereo"]), reference["raw_stereo"])
    assert_equal(model.encode_audio(inputs["audio"][:1, :, :1000]), reference["short_audio"])


@torch.no_grad()
def test_features_logits_and_loss_are_the_original_ones(model: AudioCLIP, reference: dict[str, np.ndarray]) -> None:
    """Of all three modalities together, and of two of them."""
    found: Output = model(**batch(reference, "audio", "image", "tokens"))
    for modality, features in found.features.items():
        assert_equal(features, reference[f"{modality}_features"])
    for pair in ("ai", "at", "it"):
        assert_equal(found.logits[pair], reference[f"logits_{pair}"])
    assert_equal(found.loss, reference["loss"])
    assert_equal(model(**batch(reference, "audio", "tokens")).loss, reference["loss_at_only"])
    assert_equal(model(**batch(reference, "image", "tokens")).loss, reference["loss_it_only"])


def test_training_has_the_original_loss_and_gradients(reference: dict[str, np.ndarray]) -> None:
    """The loss in train mode, and the norms of gradients through each tower.

    Norms over three clips make these gradients ill-conditioned: samples changed by one part in ten million move them by
    up to a percent, so that is how exactly they can be compared; those that are not behind the audio's norms are exact.
    """
    model = rebuilt().train()
    loss = model(**batch(reference, "audio", "image", "tokens")).loss
    assert_equal(loss, reference["train_loss"])
    loss.backward()
    for name in ("logit_scale", "audio.fc.weight", "text_projection"):
        assert_equal(model.get_parameter(name).grad.norm(), reference[f"grad_norm.{name}"], rtol=2e-4)
    for name in ("logit_scale_ai", "logit_scale_at", "audio.fbsp.m", "audio.fbsp.fc"):
        assert_equal(model.get_parameter(name).grad.norm(), reference[f"grad_norm.{name}"], rtol=2e-2)


def test_tokens_of_the_reference_are_ours(reference: dict[str, np.ndarray]) -> None:
    """Odd apostrophes, accents, dashes, markup and entities give the original's token ids."""
    texts = ["cat", "thunder, rain", "A lonely space marine's été — 42 <b>robots</b> &amp; co.!"]
    found = np.concatenate([contexts(text, CONFIG.context_length) for text in texts])
    np.testing.assert_array_equal(found, reference["tokens"])


def test_inference_gives_the_original_features(model: AudioCLIP, reference: dict[str, np.ndarray]) -> None:
    """What is computed with less work is still what the original computes."""
    fast = FastAudioCLIP(model)
    inputs = batch(reference, "audio", "image", "tokens")
    assert_equal(fast.audio(inputs["audio"][:, 0]), reference["audio_features"])
    assert_equal(fast.image(inputs["image"]), reference["image_features"])
    assert_equal(fast.text(inputs["tokens"]), reference["text_features"])
