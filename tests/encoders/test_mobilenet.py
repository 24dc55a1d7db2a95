"""MobileNetV2: the same vectors as torchvision's, whose figures are stored here, and what is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tasks.encoders import load_encoder
from tasks.encoders.base import ModalityEncoder
from tasks.encoders.mobilenet import SHIPPED
from tasks.encoders.mobilenet.decoding import decode_picture, normalise
from tasks.encoders.mobilenet.encoder import fold_norms
from tasks.encoders.mobilenet.weights import load_model, load_released, save_model
from tasks.encoders.packages import Package
from tasks.errors import BadInput, Corrupt
from tasks.store import Store
from tests.encoders.small import random_mobilenet

# What torchvision 0.28.0 gives for `picture`: `features(x).mean((2, 3))` with `MobileNet_V2_Weights.IMAGENET1K_V1` and
# its `transforms()`: first eight numbers; sum, length and largest place; mean and deviation of the standardised pixels.
TORCHVISION = {
    (360, 240): (
        [0.999236, 0.000257, 0.124449, 0.402874, 0.0, 0.062457, 0.042065, 0.003489],
        (351.61935, 18.046692, 74),
        (0.218933, 1.457375),
    ),
    (224, 300): (
        [1.00105, 0.003376, 0.028412, 0.432311, 0.005959, 0.036643, 0.042544, 0.000927],
        (368.10638, 18.484453, 74),
        (0.220823, 1.478043),
    ),
}


def picture(height: int, width: int) -> bytes:
    """Two slopes and a chessboard, as PNG."""
    y, x = np.mgrid[0:height, 0:width]
    levels = np.stack([x * 255 // (width - 1), y * 255 // (height - 1), (x // 16 + y // 16) % 2 * 255], axis=-1)
    buffer = io.BytesIO()
    Image.fromarray(levels.astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def real_weights() -> Package:
    """The package with them; skips the test where it is not installed."""
    package = SHIPPED["mobilenet"]
    if not package.installed:
        pytest.skip(f"{package.name} is not installed")
    return package


@pytest.fixture
def encoder(folder_store: Store) -> ModalityEncoder:
    """The one with real weights."""
    real_weights()
    return load_encoder(folder_store, "mobilenet")["image"]


@pytest.mark.parametrize("size", TORCHVISION)
def test_pixels_are_those_of_the_published_transform(size: tuple[int, int]) -> None:
    """Resized to 256, the centre of 224, standardised."""
    pixels = normalise(decode_picture(picture(*size)))
    assert pixels.shape == (1, 3, 224, 224)
    assert (pixels.mean(), pixels.std(ddof=1)) == pytest.approx(TORCHVISION[size][2], abs=1e-3)


@pytest.mark.parametrize("size", TORCHVISION)
def test_vectors_are_those_of_torchvision(size: tuple[int, int], encoder: ModalityEncoder) -> None:
    """With the weights of the package, up to the edge of the crop."""
    first, (total, length, largest), _ = TORCHVISION[size]
    (vector,) = encoder.encode([encoder.decode(picture(*size))])
    np.testing.assert_allclose(vector[:8], first, atol=5e-4)
    assert (vector.sum(), np.linalg.norm(vector)) == pytest.approx((total, length), rel=1e-4)
    assert vector.argmax() == largest


def test_folded_norms_change_nothing() -> None:
    """A network with them folded in gives what it gave."""
    model = random_mobilenet()
    x = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = model(x)
        np.testing.assert_allclose(fold_norms(model)(x).numpy(), expected.numpy(), rtol=1e-4, atol=1e-5)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in model.modules())


def test_stored_weights_come_back(tmp_path: Path) -> None:
    """With their sizes."""
    model = random_mobilenet()
    save_model(model, tmp_path)
    again = load_model(tmp_path)
    assert again.config == model.config
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(again.state_dict()[key].numpy(), value.numpy(), err_msg=key)


@pytest.mark.parametrize(
    ("config", "error"), [("{}", BadInput), ('{"last": 24, "depth": 3}', Corrupt), ("[]", Corrupt), ("no", Corrupt)]
)
def test_weights_of_another_size_are_refused(config: str, error: type[Exception], tmp_path: Path) -> None:
    """A config that is none, or not that of the tensors."""
    save_model(random_mobilenet(), tmp_path)
    (tmp_path / "config.json").write_text(config, encoding="utf-8")
    with pytest.raises(error, match=r"config\.json is not a MobileNetConfig|expected the \d+ of MobileNetV2: missing"):
        load_model(tmp_path)


def test_a_file_with_objects_is_never_unpickled(tmp_path: Path) -> None:
    """It is refused before anything in it runs."""
    torch.save({"features": Path("x")}, tmp_path / "bad.pth")
    with pytest.raises(BadInput, match=r"bad\.pth is not a plain PyTorch state dict"):
        load_released(tmp_path / "bad.pth")


@pytest.mark.realdata
@pytest.mark.slow
def test_posters_have_the_neighbours_that_other_code_found(shared_data: Path) -> None:
    """With posters squeezed to 160 x 160, as they had them: of 100 posters at least 75 have the same nearest one."""
    package = real_weights()
    theirs = np.load(shared_data / "vectors/ml1m_posters_mnv2_f16.npz")
    some = np.arange(0, len(theirs["movie_id"]), 32)[:100]
    files = [shared_data / f"ml1m_posters/images/{number}.jpg" for number in theirs["movie_id"][some]]
    model = load_released(package.path(package.weights))
    pixels = [Image.open(file).convert("RGB").resize((160, 160), Image.Resampling.BILINEAR) for file in files]
    with torch.inference_mode():
        ours = model(torch.from_numpy(normalise(np.stack([np.asarray(one) for one in pixels])))).numpy()
    same = nearest(ours) == nearest(theirs["x"][some].astype(np.float32))
    assert same.mean() >= 0.75  # .82 here; by chance .01


def nearest(vectors: np.ndarray) -> np.ndarray:
    """Place of the nearest other row, by cosine after centring."""
    rows = vectors - vectors.mean(axis=0)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    similarity = rows @ rows.T
    np.fill_diagonal(similarity, -2.0)
    return similarity.argmax(axis=1)
