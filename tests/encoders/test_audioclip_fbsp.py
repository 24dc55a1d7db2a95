"""Frequency B-spline wavelets."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tasks.encoders.audioclip.audio_tower import BANDS, BINS, N_FFT, inside
from tasks.encoders.audioclip.fbsp import FrequencyBSplines, norm_loss
from tasks.encoders.audioclip.preprocess import INT16, RATE, WINDOW
from tests.encoders.audioclip_world import random_model


@pytest.mark.parametrize("order", [0.0, 0.03, 1.5, 2.0])
def test_a_wavelet_is_its_formula(order: float) -> None:
    """sqrt(f_b) sinc(f_b t / m)^m exp(-j f_c t) / sqrt(W), for any m: a negative base to a broken power is complex."""
    fbsp = FrequencyBSplines(5).double()
    with torch.no_grad():
        fbsp.m.fill_(order)
        fbsp.fb.copy_(torch.tensor([0.5, 1.0, 2.0, 5.0, 9.0]))
    t = np.pi * np.linspace(-1, 1, 64) + 1e-8
    fb, fc = np.array([0.5, 1.0, 2.0, 5.0, 9.0])[:, None], np.arange(5.0)[:, None]
    x = fb * t / (order + 1e-8)
    expected = np.sqrt(fb) * (np.sin(x) / x).astype(complex) ** order * np.exp(-1j * fc * t) / np.sqrt(64)
    found = fbsp.weights(64).detach().numpy()
    np.testing.assert_allclose(found[..., 0] + 1j * found[..., 1], expected, rtol=1e-9, atol=1e-12)


def test_at_first_the_wavelets_have_norm_one() -> None:
    """Their norm loss is 0 then, and 1 where each is twice as long."""
    fbsp = FrequencyBSplines(20)
    assert norm_loss(fbsp.weights(256)).item() == pytest.approx(0.0, abs=1e-10)
    with torch.no_grad():
        fbsp.fb.fill_(4.0)
    assert norm_loss(fbsp.weights(256)).item() == pytest.approx(1.0, rel=1e-5)


def test_the_window_of_a_frame_is_that_of_harris() -> None:
    """The minimum four-term Blackman-Harris window (Harris 1978, table I), periodic, to the last bit."""
    place = np.linspace(-np.pi, np.pi, 1654, endpoint=False)
    terms = [a * np.cos(k * place) for k, a in enumerate((0.35875, 0.48829, 0.14128, 0.01168))]
    assert torch.equal(random_model().audio.window, torch.from_numpy(sum(terms)).float())


@pytest.mark.parametrize("hertz", [440.0, 1000.0, 5000.0, 15_000.0])
def test_a_tone_is_brightest_at_its_frequency(hertz: float) -> None:
    """As in a spectrogram, the bin of a pure tone is its frequency times the frame's length over the sampling rate."""
    tower = random_model().audio
    samples = INT16 / 2 * np.sin(2 * np.pi * hertz * np.arange(WINDOW) / RATE)
    kernels = inside(tower.fbsp.weights(N_FFT))
    picture = tower.picture(torch.from_numpy(samples.astype(np.float32))[None, None], kernels)
    assert picture.shape == (1, 1, BANDS, BINS // BANDS, 156)
    spectrum = picture[0, 0].flatten(0, 1).mean(-1)  # (1023,)
    assert abs(int(spectrum.argmax()) - hertz * N_FFT / RATE) <= 1


def test_silence_is_finite() -> None:
    """No power at all is -180 dB, not minus infinity."""
    tower = random_model().audio
    silence = torch.full((1, 1, WINDOW), -0.5)  # the middle of the int16 range, 0 when brought to [-1, 1]
    picture = tower.picture(silence, inside(tower.fbsp.weights(N_FFT)))
    assert torch.isfinite(picture).all()
    assert picture.min().item() >= -180.0


def test_gradients_of_the_wavelets_are_scaled_to_one() -> None:
    """The largest entry of each of their gradients is 1, whatever the loss."""
    fbsp = FrequencyBSplines(8)
    with torch.no_grad():
        fbsp.m.fill_(0.5)
    (1e3 * fbsp.weights(128).pow(3).sum()).backward()
    for parameter in (fbsp.m, fbsp.fb, fbsp.fc):
        assert parameter.grad is not None
        assert parameter.grad.abs().max().item() == pytest.approx(1.0, rel=1e-4)
