"""Inference with less work gives what the plain model gives."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from tasks.encoders.audioclip.audio_tower import N_FFT, inside
from tasks.encoders.audioclip.config import END, START, AudioCLIPConfig
from tasks.encoders.audioclip.fast import FastAudioCLIP
from tasks.encoders.audioclip.fast.spectrum import Spectrum, is_fourier
from tasks.encoders.audioclip.model import AudioCLIP
from tasks.encoders.audioclip.preprocess import WINDOW
from tests.encoders.audioclip_world import TINY, random_model

DEEP = AudioCLIPConfig.model_validate(
    TINY.model_dump() | {"vision_layers": (2, 2, 1, 1), "audio_layers": (2, 1, 2, 1), "vocab_buckets": None}
)


@pytest.fixture(scope="module", params=[TINY, DEEP], ids=["tiny", "deep"])
def model(request: pytest.FixtureRequest) -> AudioCLIP:
    """Small models whose norms have statistics."""
    return random_model(3, request.param)


def inputs(model: AudioCLIP, count: int = 5) -> dict[str, Tensor]:
    """Windows, pixels and token ids of some items."""
    g = torch.Generator().manual_seed(5)
    side = model.config.image_resolution
    tokens = torch.zeros(count, model.config.context_length, dtype=torch.long)
    for row, length in enumerate(torch.randint(1, 30, (count,), generator=g).tolist()):
        words = torch.randint(0, START, (length,), generator=g)
        tokens[row, : length + 2] = torch.cat([torch.tensor([START]), words, torch.tensor([END])])
    tokens[-1, 1:76] = torch.randint(0, START, (75,), generator=g)
    tokens[-1, 76] = END
    return {
        "audio": 4000 * torch.randn(count, WINDOW, generator=g),
        "image": torch.randn(count, 3, side, side, generator=g),
        "text": tokens,
    }


@torch.no_grad()
def plain(model: AudioCLIP, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """Unit vectors of the model as it is trained."""
    raw = {
        "audio": model.encode_audio(given["audio"][:, None]),
        "image": model.encode_image(given["image"]),
        "text": model.encode_text(given["text"]),
    }
    return {modality: nn.functional.normalize(found, dim=-1) for modality, found in raw.items()}


def cosines(x: Tensor, y: Tensor) -> Tensor:
    """Of rows, in double precision."""
    return nn.functional.cosine_similarity(x.double(), y.double())


def test_float32_is_equal_to_the_plain_model(model: AudioCLIP) -> None:
    """Cosine at least 0.9999999 in each modality, and unit vectors."""
    given, fast = inputs(model), FastAudioCLIP(model)
    for modality, expected in plain(model, given).items():
        found = getattr(fast, modality)(given[modality])
        assert found.dtype == torch.float32
        assert cosines(found, expected).min().item() >= 0.9999999
        torch.testing.assert_close(found.norm(dim=-1), torch.ones(len(found)))


def test_bfloat16_is_near_and_not_equal(model: AudioCLIP) -> None:
    """The cheaper numbers are asked for by an option: they are close, float32 on the outside, and different."""
    given, fast = inputs(model), FastAudioCLIP(model, half=True)
    for modality, expected in plain(model, given).items():
        found = getattr(fast, modality)(given[modality])
        assert found.dtype == torch.float32
        assert 0.9995 <= cosines(found, expected).min().item() < 0.9999999


def test_wavelets_of_a_fourier_transform_take_an_fft(model: AudioCLIP) -> None:
    """As training starts they are one; a wavelet that has moved ever so little is not."""
    spectrum = Spectrum(model.audio)
    assert is_fourier(model.audio.fbsp)
    windows = inputs(model)["audio"]
    windows[0] = 0.0
    expected = model.audio.picture(windows[:, None], inside(model.audio.fbsp.weights(N_FFT)))[:, 0]
    difference = (spectrum(windows) - expected).abs()
    assert difference.max() < 0.5  # dB, where the power of a bin is least
    assert difference.mean() < 1e-3
    assert expected[0].median() == -90  # silence
    moved = copy.deepcopy(model.audio)
    with torch.no_grad():
        moved.fbsp.fc[7] += 1e-3
    assert not is_fourier(moved.fbsp)
    expected = moved.picture(windows[:, None], inside(moved.fbsp.weights(N_FFT)))[:, 0]
    torch.testing.assert_close(Spectrum(moved)(windows), expected, rtol=1e-4, atol=1e-3)


def test_without_onednn_the_same_is_computed_step_by_step(model: AudioCLIP, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, or where PyTorch was built without it."""
    given = inputs(model)
    for half in (False, True):
        one_pass = FastAudioCLIP(model, half=half)
        found = {modality: getattr(one_pass, modality)(given[modality]) for modality in ("audio", "image")}
        with monkeypatch.context() as patch:
            patch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
            steps = FastAudioCLIP(model, half=half)
            for modality, vectors in found.items():
                assert cosines(getattr(steps, modality)(given[modality]), vectors).min().item() >= 0.9999


def test_a_row_does_not_depend_on_its_batch(model: AudioCLIP) -> None:
    """Alone or among others an item gets the same vector, also where the others' texts are longer."""
    given, fast = inputs(model), FastAudioCLIP(model)
    for modality, batch in given.items():
        together = getattr(fast, modality)(batch)
        alone = torch.cat([getattr(fast, modality)(batch[row : row + 1]) for row in range(len(batch))])
        torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)


def test_the_model_itself_is_left_as_it_was(model: AudioCLIP) -> None:
    """Folding happens in a copy: the model can go on training."""
    before = {key: value.clone() for key, value in model.state_dict().items()}
    FastAudioCLIP(model)
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert all(parameter.requires_grad for parameter in model.parameters())
