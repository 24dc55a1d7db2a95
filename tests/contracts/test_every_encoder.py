"""What every encoder promises, for each modality of the shipped ones and of those that were put into the store."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.encoders import DEMO, ENCODERS, encoder_module, list_shipped, load_encoder
from tasks.encoders.base import ModalityEncoder
from tasks.encoders.identity import identify
from tasks.encoders.packages import Package
from tasks.encoders.weights import put_weights
from tasks.errors import BadInput
from tasks.media import BadMedia
from tasks.store import open_store
from tests.encoders.audioclip_world import MAKERS
from tests.encoders.small import small_weights

SMALL = small_weights()
SHIPPED_WIDTHS = {DEMO: 1024, "mobilenet": 1280, "minilm": 384, "musicnn": 200, "musicnn-tags": 50}
WIDTHS = SHIPPED_WIDTHS | {name: one.width for name, one in SMALL.items()}
ARCHITECTURES = {name: architecture for name, (architecture, _) in list_shipped().items()} | {
    name: one.architecture for name, one in SMALL.items()
}
CASES = [(name, modality) for name in WIDTHS for modality in encoder_module(ARCHITECTURES[name]).MODALITIES]


@pytest.fixture(scope="module")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store that has small weights of each architecture, `own` of AudioCLIP."""
    folder = tmp_path_factory.mktemp("encoders")
    url = f"file://{folder / 'store'}"
    for name, one in SMALL.items():
        one.write(folder)
        put_weights(open_store(url), name, folder, one.architecture)
    return url


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Each encoder and modality in turn; skipped where its package is not installed."""
    found: tuple[str, str] = request.param
    shipped = list_shipped()
    wanted = "minilm" if found[0] == "small-minilm" else found[0]  # whose words are pieces of the package's vocabulary
    source = shipped[wanted][1] if wanted in shipped else None
    if isinstance(source, Package) and not source.installed:
        pytest.skip(f"{source.name} is not installed")
    return found


@pytest.fixture(scope="module")
def name(case: tuple[str, str]) -> str:
    """Its name."""
    return case[0]


@pytest.fixture(scope="module")
def modality(case: tuple[str, str]) -> str:
    """Its modality."""
    return case[1]


@pytest.fixture(scope="module")
def encoder(store_url: str, name: str, modality: str) -> ModalityEncoder:
    """The encoder of the name for the modality."""
    return load_encoder(open_store(store_url), name)[modality]


def test_every_shipped_encoder_is_among_them() -> None:
    """So that none is without these promises, and each architecture is here with weights of the store, too."""
    assert set(list_shipped()) <= set(WIDTHS)
    assert set(ENCODERS) == {one.architecture for one in SMALL.values()}


@pytest.fixture(scope="module")
def make(modality: str) -> Callable[..., bytes]:
    """Media of the modality, as bytes, by a number."""
    found: Callable[..., bytes] = MAKERS[modality]
    return found


@pytest.mark.parametrize("device", ["cuda", "tpu", "meta"])
def test_a_device_that_is_not_there_is_named(store_url: str, name: str, device: str) -> None:
    """Before anything is read."""
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(BadInput, match=f"device '{device}' found"):
        load_encoder(open_store(store_url), name, device=device)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_gpu_gives_the_same_vectors(
    store_url: str, encoder: ModalityEncoder, make: Callable[..., bytes], name: str, modality: str
) -> None:
    """Up to the order of sums: the cache does not tell them apart."""
    there = load_encoder(open_store(store_url), name, device="cuda")[modality]
    assert there.identity == encoder.identity
    media = [make(seed) for seed in range(3)]
    ours, theirs = (e.encode([e.decode(one) for one in media]) for e in (encoder, there))
    np.testing.assert_allclose(theirs, ours, atol=1e-3)


def test_vectors_are_finite_float32_of_the_stated_width(
    encoder: ModalityEncoder, make: Callable[..., bytes], name: str
) -> None:
    """One row a medium, and different media have different rows."""
    rows = encoder.encode([encoder.decode(make(seed)) for seed in range(3)])
    assert encoder.width == WIDTHS[name]
    assert rows.shape == (3, encoder.width)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    assert len(np.unique(rows, axis=0)) == 3


def test_a_row_depends_on_its_own_medium_alone(
    encoder: ModalityEncoder, make: Callable[..., bytes], modality: str
) -> None:
    """Alone, among others and in another order a medium gets the same vector, however many pieces it has."""
    bytes_ = [make(seed) for seed in range(4)]
    longer = {"audio": {"seconds": 5.3}, "text": {"sentences": 30}, "image": {"width": 300}}
    bytes_ += [make(4, **longer.get(modality, {}))]
    media = [encoder.decode(data) for data in bytes_]
    together = encoder.encode(media)
    alone = np.concatenate([encoder.encode([medium]) for medium in media])
    near = 1e-6 * max(1.0, float(np.linalg.norm(alone, axis=1).max()))
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=near)
    np.testing.assert_allclose(together, encoder.encode(media[::-1])[::-1], rtol=1e-4, atol=near)


def test_no_media_give_no_rows(encoder: ModalityEncoder) -> None:
    """An empty batch is a matrix without rows, of the right width."""
    assert encoder.encode([]).shape == (0, encoder.width)


def test_decoding_is_the_same_in_any_thread(encoder: ModalityEncoder, make: Callable[..., bytes]) -> None:
    """Several threads at once decode what one after the other does."""
    data = [make(seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        threaded = list(pool.map(encoder.decode, data))
    for one, other in zip(threaded, map(encoder.decode, data), strict=True):
        np.testing.assert_array_equal(np.stack(list(one)), np.stack(list(other)))


@pytest.mark.slow
def test_decoding_needs_no_torch(encoder: ModalityEncoder, make: Callable[..., bytes]) -> None:
    """It is sent to processes that start in a moment, and what they need of memory is the file's."""
    code = (
        "import pickle, sys; decode, data = pickle.load(sys.stdin.buffer); decode(data); "
        "print([name for name in ('torch', 'torchaudio') if name in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    sent = pickle.dumps((encoder.decode, make(0)))
    assert len(sent) < len(make(0)) + 10_000  # it goes with each file
    done = subprocess.run([sys.executable, "-c", code], cwd=root, input=sent, capture_output=True, check=True)
    assert done.stdout.split() == [b"[]"]


@pytest.mark.parametrize("data", [b"", b"\x00\x01 nothing of the kind" * 9], ids=["empty", "garbage"])
def test_what_is_no_medium_is_refused_with_a_reason(encoder: ModalityEncoder, data: bytes) -> None:
    """A reason for people, and never another exception."""
    with pytest.raises(BadMedia, match=r"\w"):
        encoder.decode(data)


def test_the_identity_names_model_weights_preprocessing_and_numbers(
    encoder: ModalityEncoder, store_url: str, name: str, modality: str
) -> None:
    """It is the key of the cache: another kind of numbers is another identity."""
    assert re.fullmatch(rf"{name}@[0-9a-f]{{12}}-p[0-9]+-float32", encoder.identity)
    assert identify(open_store(store_url), name)[modality] == encoder.identity


def test_numbers_of_bfloat16_are_another_identity_or_refused(
    encoder: ModalityEncoder, store_url: str, name: str, modality: str
) -> None:
    """Never passed over: before anything is loaded, and when it is."""
    store, asked = open_store(store_url), f"{name}.bfloat16"
    if encoder_module(ARCHITECTURES[name]).HALF:
        half = load_encoder(store, asked)[modality]
        assert half.identity == encoder.identity.replace("float32", "bfloat16")
        assert identify(store, asked)[modality] == half.identity
        return
    for use in (identify, load_encoder):
        with pytest.raises(BadInput, match=f"encoder '{name}' in bfloat16 found, expected no .bfloat16"):
            use(store, asked)


def test_a_bandwidth_is_another_identity_of_sounds_or_refused(store_url: str, name: str, modality: str) -> None:
    """Never passed over: below what it hears, above it, and where it hears nothing."""
    store, highest = open_store(store_url), encoder_module(ARCHITECTURES[name]).HIGHEST
    asked = f"{name}.3000hz"
    if highest:
        band = "-3000hz" if modality == "audio" else ""
        expected = identify(store, name)[modality].replace("-float32", f"{band}-float32")
        assert identify(store, asked)[modality] == expected
        assert load_encoder(store, asked)[modality].identity == expected
    if highest < 20_000:
        for use in (identify, load_encoder):
            with pytest.raises(BadInput, match=f"encoder '{name}' with a bandwidth of 20000 Hz found, expected"):
                use(store, f"{name}.20000hz")


@pytest.mark.slow
def test_bfloat16_gives_nearly_the_same_vectors(
    encoder: ModalityEncoder, store_url: str, name: str, modality: str, make: Callable[..., bytes]
) -> None:
    """Cosine with those of float32 at least 0.9995."""
    if not encoder_module(ARCHITECTURES[name]).HALF:
        pytest.skip("it has float32 alone")
    half = load_encoder(open_store(store_url), f"{name}.bfloat16")[modality]
    media = [encoder.decode(make(seed)) for seed in range(3)]
    x, y = encoder.encode(media), half.encode(media)
    cosines = (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    assert cosines.min() >= 0.9995


@pytest.mark.slow
def test_vectors_tell_related_media_from_others(store_url: str, tmp_path: Path) -> None:
    """The shipped encoder puts poster, sound and synopsis of one generated film nearer together than of two films."""
    from tasks.catalogue import draw_poster, encode_poster, encode_sound, film, synthesise, write_synopsis

    films = [film(20_261, number) for number in range(24)]
    data = {
        "image": [encode_poster(draw_poster(one)) for one in films],
        "audio": [encode_sound(synthesise(one)) for one in films],
        "text": [write_synopsis(one).encode() for one in films],
    }
    encoders = load_encoder(open_store(store_url), DEMO)
    vectors = {}
    for modality, files in data.items():
        rows = encoders[modality].encode([encoders[modality].decode(file) for file in files])
        vectors[modality] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    for x, y in (("image", "text"), ("audio", "text"), ("audio", "image")):
        similarity = vectors[x] @ vectors[y].T
        rank = (similarity > np.diag(similarity)[:, None]).sum(1)
        assert np.median(rank) <= 5, (x, y)  # by chance 11.5
