"""musicnn: the numbers of its own TensorFlow code and of librosa, which are stored here, and what is refused."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from benchmarks.esc10 import encode_clips, nearest_class
from tasks.encoders import load_encoder
from tasks.encoders.musicnn import INDEX, SHIPPED
from tasks.encoders.musicnn.checkpoint import read_checkpoint
from tasks.encoders.musicnn.config import BANDS, FRAMES, RATE, TAGS, MusicnnConfig
from tasks.encoders.musicnn.decoding import LEAST, Decoder
from tasks.encoders.musicnn.spectrum import cut, mel_front_end
from tasks.encoders.musicnn.weights import load_model, load_released, save_model
from tasks.errors import BadInput, Corrupt
from tasks.store import Store
from tests.encoders.small import random_musicnn

PACKAGE = SHIPPED["musicnn"]
needs_package = pytest.mark.skipif(not PACKAGE.installed, reason=f"{PACKAGE.name} is not installed")
# What `musicnn.models.define_model` of the package gives under TensorFlow 2.21.0 (with tf_keras) for `patches`: of each
# the first six numbers and the sum, of the layer before the tags, and of the sigmoids of the tags.
TENSORFLOW = {
    "musicnn": (
        [
            [-0.177176, -0.127029, -0.284826, -0.275121, 0.105677, -0.240044],
            [-0.177176, 0.136826, -0.284826, -0.275121, 1.579003, -0.014692],
        ],
        [15.66655, 11.457188],
    ),
    "musicnn-tags": (
        [
            [0.080874, 0.022421, 0.058035, 0.093705, 0.184576, 0.025685],
            [0.111187, 0.018139, 0.071213, 0.076535, 0.101969, 0.047296],
        ],
        [1.571281, 1.511640],
    ),
}
# What librosa 0.11.0 gives for `sweep`: `log10(1 + 10000 melspectrogram(...))` with n_fft 512, hop 256, 96 bands and
# pad_mode "reflect", as librosa 0.7 had it by itself: of five frames the bands 0, 5, 20, 60 and 95, and the sum of all.
LIBROSA = {
    0: [4.770560, 5.462430, 2.521200, 2.539166, 0.933198],
    1: [0.440874, 5.723505, 0.002750, 0.0, 0.0],
    50: [0.000023, 0.000078, 0.198437, 0.0, 0.0],
    100: [0.000006, 0.000009, 0.000135, 0.000035, 0.0],
    190: [1.314262, 1.319190, 1.377980, 4.282813, 0.365776],
}


def patches() -> np.ndarray:
    """Two windows (2, FRAMES, BANDS) that need no random numbers."""
    frame, band = np.meshgrid(np.arange(FRAMES), np.arange(BANDS), indexing="ij")
    wave = 2 * np.sin(frame / 7.0) ** 2 * np.exp(-(((band - 40 - 20 * np.sin(frame / 23.0)) / 15.0) ** 2))
    net = 1.5 * (1 + np.cos(frame * band / 300.0)) * np.exp(-band / 50.0)
    return np.stack([wave + 0.5 * (band % 13 == 0), net]).astype(np.float32)


def sweep() -> np.ndarray:
    """Three seconds and a bit of a rising tone, and another that comes and goes."""
    time = np.arange(3 * RATE + 777) / RATE
    rising = 0.5 * np.sin(2 * np.pi * (200 + 400 * time) * time)
    return (rising + 0.2 * np.sin(2 * np.pi * 3000 * time) * (time % 0.5 < 0.25)).astype(np.float32)


def wav(samples: np.ndarray, rate: int = RATE) -> bytes:
    """As a file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV", subtype="FLOAT")
    return buffer.getvalue()


@needs_package
@pytest.mark.parametrize("name", TENSORFLOW)
def test_the_network_gives_what_tensorflow_gives(name: str) -> None:
    """With the weights of the package, read without TensorFlow."""
    first, sums = TENSORFLOW[name]
    config = MusicnnConfig.model_validate(SHIPPED[name].config)
    model = load_released(PACKAGE.path(INDEX), PACKAGE.path(PACKAGE.weights), config)
    with torch.inference_mode():
        found = model(torch.from_numpy(patches())).numpy()
    assert found.shape == (2, config.width)
    np.testing.assert_allclose(found[:, :6], first, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), sums, rtol=1e-5)


def test_spectra_are_those_of_librosa() -> None:
    """All frames of a sound of 191; the last window ends with it."""
    first, last = mel_front_end()(sweep())
    spectra = np.concatenate([first, last[-4:]])
    assert spectra.shape == (191, BANDS)
    for frame, bands in LIBROSA.items():
        np.testing.assert_allclose(spectra[frame, [0, 5, 20, 60, 95]], bands, atol=2e-5, err_msg=str(frame))
    assert spectra.sum() == pytest.approx(7821.658, rel=1e-5)


def test_a_loud_sound_has_finite_spectra() -> None:
    """The package's own code rounds to float16 first and gets infinity."""
    for window in mel_front_end()(4 * np.sin(np.arange(LEAST) * 0.05).astype(np.float32)):
        assert np.isfinite(window).all()


@pytest.mark.parametrize(("frames", "starts"), [(187, [0]), (188, [0, 1]), (374, [0, 187]), (400, [0, 187, 213])])
def test_windows_cover_a_sound(frames: int, starts: list[int]) -> None:
    """Side by side, and one more at the end."""
    spectra = np.repeat(np.arange(frames, dtype=np.float32)[:, None], BANDS, axis=1)
    found = cut(spectra)
    assert [int(window[0, 0]) for window in found] == starts
    assert all(window.shape == (FRAMES, BANDS) for window in found)


@pytest.mark.parametrize("seconds", [0.01, 0.7, 2.9])
def test_a_short_sound_is_repeated(seconds: float) -> None:
    """Until it fills one window."""
    short = 0.3 * np.sin(np.arange(round(seconds * RATE)) * 0.1).astype(np.float32)
    samples = Decoder()(wav(short))
    assert len(samples) == LEAST
    np.testing.assert_array_equal(samples[: 2 * len(short)], np.concatenate([short, short])[:LEAST])
    assert len(mel_front_end()(samples)) == 1


def test_a_bandwidth_is_heard() -> None:
    """Nothing above it is left of a sound."""
    tones = sum(0.3 * np.sin(2 * np.pi * hertz * np.arange(3 * RATE) / RATE) for hertz in (1000, 6000))
    whole, low = (np.mean(mel_front_end()(Decoder(band)(wav(tones)))[0][5:-5], axis=0) for band in (None, 3000))
    assert whole[70:].max() > 1
    assert low[70:].max() < 0.1


@needs_package
def test_the_checkpoint_has_the_weights_that_are_known_of_it() -> None:
    """By names and numbers that were read with TensorFlow."""
    tensors = read_checkpoint(PACKAGE.path(INDEX), PACKAGE.path(PACKAGE.weights))
    model = {name.removeprefix("model/"): array for name, array in tensors.items() if "Adam" not in name}
    assert model["conv2d_1/kernel"].shape == (7, 67, 1, 204)
    assert model["dense/kernel"].shape == (1506, 200)
    assert sum(array.size for array in model.values()) >= 792_081
    assert all(np.isfinite(array).all() for array in model.values())


@needs_package
def test_a_damaged_index_is_refused_and_nothing_else_happens(tmp_path: Path) -> None:
    """Cut off anywhere, or with any byte changed: read, or refused with a sentence."""
    whole, data = PACKAGE.path(INDEX).read_bytes(), PACKAGE.path(PACKAGE.weights)
    rng = np.random.default_rng(0)
    index = tmp_path / "index"
    read = 0
    for trial in range(400):
        bad = bytearray(whole)
        if trial % 4 == 0:
            del bad[int(rng.integers(len(bad))) :]
        for place in rng.integers(len(bad), size=trial % 4) if bad else []:
            bad[place] = int(rng.integers(256))
        index.write_bytes(bad)
        with contextlib.suppress(BadInput):
            read_checkpoint(index, data)
            read += 1
    assert read <= 300  # none that was cut off


@needs_package
def test_numbers_beyond_the_file_are_refused(tmp_path: Path) -> None:
    """The data file is shorter than its index says."""
    (tmp_path / "data").write_bytes(PACKAGE.path(PACKAGE.weights).read_bytes()[:-1000])
    with pytest.raises(BadInput, match=r"has \d+ bytes at \d+ for the shape .* found in the checkpoint"):
        read_checkpoint(PACKAGE.path(INDEX), tmp_path / "data")


@pytest.mark.parametrize(
    ("config", "error"), [('{"output": "units"}', BadInput), ('{"output": "mood"}', Corrupt), ("no", Corrupt)]
)
def test_weights_of_another_size_are_refused(config: str, error: type[Exception], tmp_path: Path) -> None:
    """A config that is none, or not that of the tensors."""
    save_model(random_musicnn(), tmp_path)
    (tmp_path / "config.json").write_text(config, encoding="utf-8")
    with pytest.raises(error, match=r"config\.json is not a MusicnnConfig|expected the \d+ of Musicnn: missing"):
        load_model(tmp_path)


@needs_package
def test_tags_are_probabilities_by_name(folder_store: Store) -> None:
    """Fifty, each of its own name; a steady chord is more ambient than heavy metal."""
    assert len(set(TAGS)) == 50
    encoder = load_encoder(folder_store, "musicnn-tags")["audio"]
    time = np.arange(6 * RATE) / RATE
    chord = sum(0.2 * np.sin(2 * np.pi * hertz * time) for hertz in (220.0, 277.2, 329.6))
    (row,) = encoder.encode([encoder.decode(wav(chord))])
    assert ((row > 0) & (row < 1)).all()
    tags = dict(zip(TAGS, row, strict=True))
    assert tags["ambient"] > 2 * tags["heavy metal"]


@needs_package
@pytest.mark.realdata
@pytest.mark.slow
def test_it_tells_sounds_apart_that_it_never_saw(shared_data: Path, folder_store: Store) -> None:
    """ESC-10: the nearest other clip is of the same class for at least .78 of 200."""
    vectors, classes = encode_clips(load_encoder(folder_store, "musicnn")["audio"], shared_data / "esc10")
    assert len(classes) == 200
    assert (nearest_class(vectors, classes) == classes).mean() >= 0.78  # .81 here; by chance .1
