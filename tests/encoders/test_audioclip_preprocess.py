"""Crops, pixels and windows."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tasks.encoders.audioclip.preprocess import INT16, MEAN, STRIDE, WINDOW, crop, normalise, windows


def smooth(height: int, width: int, seed: int = 0) -> np.ndarray:
    """(height, width, 3) uint8 without sharp edges."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(40, 215, (5, 5, 3), dtype=np.uint8))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


@settings(max_examples=40, deadline=None)
@given(height=st.integers(64, 500), width=st.integers(64, 500))
def test_a_crop_is_the_centre_of_the_resized_picture(height: int, width: int) -> None:
    """The same, to three grey levels, as resizing the shorter side to 64 and cutting out the middle."""
    pixels = smooth(height, width)
    shorter = min(height, width)
    whole = Image.fromarray(pixels).resize((64 * width // shorter, 64 * height // shorter), Image.Resampling.BICUBIC)
    left, top = round((whole.width - 64) / 2), round((whole.height - 64) / 2)
    expected = np.asarray(whole.crop((left, top, left + 64, top + 64)))
    np.testing.assert_allclose(crop(pixels, 64).astype(int), expected.astype(int), atol=3)


def test_a_thread_of_a_picture_is_cropped_in_little_memory() -> None:
    """One row of twenty million pixels gives a square like any other: it is never enlarged whole."""
    pixels = np.zeros((1, 20_000_000, 3), dtype=np.uint8)
    pixels[0, 9_999_900:10_000_100] = 255
    found = crop(pixels, 64)
    assert found.shape == (64, 64, 3)
    assert found.mean() > 250


def test_pixels_are_normalised_by_clips_statistics() -> None:
    """A picture of CLIP's mean colour is 0 throughout, channels first."""
    colour = np.round(MEAN * 255).astype(np.uint8)
    found = normalise(np.broadcast_to(colour, (2, 4, 6, 3)))
    assert found.shape == (2, 3, 4, 6)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, 0.0, atol=0.01)
    assert (
        normalise(np.full((1, 1, 1, 3), 255, np.uint8)).ravel().tolist()
        == np.float32((1 - MEAN) / np.array([0.26862954, 0.26130258, 0.27577711], np.float32)).tolist()
    )


@settings(max_examples=40, deadline=None)
@given(length=st.integers(1, 8 * STRIDE))
def test_windows_cover_every_sample(length: int) -> None:
    """Two seconds, one second apart, the last ends with the sound; what is not the sound is zeros."""
    samples = np.random.default_rng(length).uniform(-1, 1, length).astype(np.float32)
    found = windows(samples)
    starts = list(range(0, max(length - WINDOW, 0) + 1, STRIDE))
    if starts[-1] + WINDOW < length:
        starts.append(length - WINDOW)
    assert len(found) == len(starts)
    padded = np.pad(samples * np.float32(INT16), (0, max(0, WINDOW - length)))
    for start, window in zip(starts, found, strict=True):
        assert window.dtype == np.float32
        np.testing.assert_array_equal(window, padded[start : start + WINDOW])
    assert max(starts) + WINDOW >= length


def test_windows_of_a_long_sound_share_its_memory() -> None:
    """They overlap by half: copies would double what waits to be encoded."""
    found = windows(np.zeros(20 * STRIDE, np.float32))
    assert all(np.shares_memory(found[0], window) or window.base is found[0].base for window in found)
