"""Encoders of rows: what every one of them promises, the mathematics of each, and trainings that resume."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.encoders import encoder_module
from tasks.encoders.base import EncoderTraining, ModalityEncoder, Variant
from tasks.encoders.rows.network import RowNetwork, kl_divergence, squared_error
from tasks.encoders.rows.pca import decompose
from tasks.encoders.rows.training import Options, RowTraining
from tasks.errors import BadInput
from tasks.media import BadMedia
from tasks.store import FolderStore
from tasks.training import TrainingOptions, train
from tasks.training.checkpoint import StoreCheckpoints

INPUTS, ROWS = 5, 80
QUICK: dict[str, dict[str, Any]] = {
    "pca": {"width": 3},
    "autoencoder": {"width": 4, "hidden": [8], "epochs": 3, "batch": 16},
    "vae": {"width": 4, "hidden": [8], "epochs": 3, "batch": 16},
    "vae of both": {"width": 4, "hidden": [8], "epochs": 3, "batch": 16, "output": "mean+sigma"},
}
WIDTHS = {"pca": 3, "autoencoder": 4, "vae": 4, "vae of both": 8}


def rows(count: int = ROWS, seed: int = 0) -> np.ndarray:
    """(count, INPUTS) float32 on a plane, with a little noise."""
    rng = np.random.default_rng(seed)
    plane = np.random.default_rng(9).normal(size=(2, INPUTS))
    return np.asarray(rng.normal(size=(count, 2)) @ plane + 0.01 * rng.normal(size=(count, INPUTS)), dtype=np.float32)


def trained(folder: Path, name: str, *, seed: int = 7, table: np.ndarray | None = None, **options: Any) -> Any:
    """Train into a folder; returns what was reached."""
    architecture = name.split(maxsplit=1)[0]
    module = encoder_module(architecture)
    folder.mkdir(exist_ok=True)
    store = FolderStore(folder / "store")
    return module.train(
        EncoderTraining(
            store=store,
            media=(),
            modalities=("numbers",),
            folder=folder,
            options=dict(module.OPTIONS) | QUICK[name] | options | {"seed": seed},
            start_from=None,
            facts={"feature": "spotify"},
            half=False,
            threads=1,
            checkpoints=StoreCheckpoints(store, "training", {"name": name}),
            rows=rows() if table is None else table,
            columns={"columns": list("abcde"), "scale": "standard"},
        )
    )


def loaded(folder: Path, name: str) -> ModalityEncoder:
    """The encoder in a folder."""
    found = encoder_module(name.split(maxsplit=1)[0]).load(folder, {"numbers": "x@1-p1-float32"}, "cpu", Variant())
    return found["numbers"]


@pytest.fixture(scope="module", params=sorted(QUICK))
def name(request: pytest.FixtureRequest) -> str:
    """Each architecture in turn, and the other output of the VAE."""
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of that architecture."""
    found = tmp_path_factory.mktemp("weights")
    trained(found, name)
    return found


@pytest.fixture(scope="module")
def encoder(folder: Path, name: str) -> ModalityEncoder:
    """The encoder with them."""
    return loaded(folder, name)


def test_vectors_are_finite_float32_of_the_stated_width(encoder: ModalityEncoder, name: str) -> None:
    """One a row, different rows have different ones, and of no row there is none."""
    found = encoder.encode([encoder.decode(row.tobytes()) for row in rows(6)])
    assert (found.shape, found.dtype, encoder.width) == ((6, WIDTHS[name]), np.float32, WIDTHS[name])
    assert np.isfinite(found).all()
    assert len(np.unique(found, axis=0)) == 6
    assert encoder.encode([]).shape == (0, encoder.width)


def test_a_vector_depends_on_its_own_row_alone(encoder: ModalityEncoder) -> None:
    """Alone, among others and in another order."""
    media = [encoder.decode(row.tobytes()) for row in rows(7)]
    together = encoder.encode(media)
    np.testing.assert_allclose(together, np.concatenate([encoder.encode([one]) for one in media]), atol=1e-5)
    np.testing.assert_allclose(together, encoder.encode(media[::-1])[::-1], atol=1e-5)


@pytest.mark.parametrize("data", [b"", b"\0" * 4 * (INPUTS + 1), np.full(INPUTS, np.nan, np.float32).tobytes()])
def test_what_is_no_row_of_the_table_is_refused(encoder: ModalityEncoder, data: bytes) -> None:
    """Another width, and numbers that are none."""
    with pytest.raises(BadMedia, match="row "):
        encoder.decode(data)


def test_the_same_seed_gives_the_same_weights(folder: Path, name: str, tmp_path: Path) -> None:
    """To the byte; another seed gives others, but of PCA, which draws nothing."""
    trained(tmp_path / "again", name)
    trained(tmp_path / "other", name, seed=8)
    weights = [(place / "model.safetensors").read_bytes() for place in (folder, tmp_path / "again", tmp_path / "other")]
    assert weights[0] == weights[1]
    assert (weights[0] == weights[2]) == (name == "pca")


def test_weights_say_what_table_they_are_of(folder: Path) -> None:
    """Columns, scale and feature stand in their config, by which a run finds out whether its table fits."""
    config = json.loads((folder / "config.json").read_bytes())
    assert (config["inputs"], config["columns"], config["scale"]) == (INPUTS, list("abcde"), "standard")
    assert (config["feature"], config["items"]) == ("spotify", ROWS)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("pca", {"width": 6}, "--width 6 found, expected 1 to 5: the table has so many independent columns"),
        ("vae", {"output": "sigma"}, r"--output 'sigma' found, expected mean or mean\+sigma"),
        ("vae", {"table": rows(49)}, "49 rows found, expected at least 50"),
        ("pca", {"table": np.ones((60, INPUTS), np.float32)}, "60 equal rows found"),
    ],
)
def test_what_cannot_be_trained_is_refused(tmp_path: Path, name: str, options: dict[str, Any], sentence: str) -> None:
    """In one sentence."""
    with pytest.raises(BadInput, match=sentence):
        trained(tmp_path, name, **options)


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), count=st.integers(3, 30), width=st.integers(1, 6))
def test_components_are_those_of_the_covariance(seed: int, count: int, width: int) -> None:
    """Orthonormal, in order of the variance that they explain, whose shares are the eigenvalues'; signs are fixed."""
    table = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32) * np.arange(1, width + 1)
    mean, components, explained = decompose(table, None)
    np.testing.assert_allclose(mean, table.mean(axis=0, dtype=np.float64), atol=1e-6)
    np.testing.assert_allclose(components @ components.T, np.eye(len(components)), atol=1e-8)
    values = np.linalg.eigvalsh(np.cov(table.astype(np.float64), rowvar=False).reshape(width, width))[::-1]
    np.testing.assert_allclose(explained, values[: len(explained)] / values.sum(), atol=1e-7)
    np.testing.assert_allclose(explained.sum(), 1, atol=1e-5)
    assert (components[np.arange(len(components)), np.abs(components).argmax(axis=1)] > 0).all()


def test_pca_on_a_plane_explains_it_with_two_components(tmp_path: Path) -> None:
    """What it explains is in its facts, and rows come back from their vectors."""
    reached = trained(tmp_path, "pca", width=2)
    assert reached["explained"] > 0.999
    config = json.loads((tmp_path / "config.json").read_bytes())
    assert sum(config["explained_by_component"]) == pytest.approx(reached["explained"], abs=1e-5)
    encoder, table = loaded(tmp_path, "pca"), rows()
    mean, components, _ = decompose(table, 2)
    np.testing.assert_allclose(encoder.encode(list(table)) @ components + mean, table, atol=0.05)


def test_the_divergence_is_that_of_two_gaussians() -> None:
    """Against numbers by hand: none from N(0, 1) to itself, half of the squared mean, and that of a variance."""
    mean = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 0.0]])
    log_variance = torch.tensor([[0.0, 0.0], [0.0, 0.0], [math.log(4.0), 0.0]])
    expected = [0.0, 2.0, 0.5 * (4 - 1 - math.log(4.0))]
    np.testing.assert_allclose(kl_divergence(mean, log_variance), expected, rtol=1e-6)
    np.testing.assert_allclose(squared_error(torch.zeros(1, 2), torch.tensor([[3.0, 4.0]])), [12.5])


def test_the_layers_are_those_of_the_paper() -> None:
    """11-100-100-2x64 and back: as many parameters as these layers have."""
    widths = [(11, 100), (100, 100), (100, 64), (100, 64), (64, 100), (100, 100), (100, 11)]
    network = RowNetwork(11, [100, 100], 64, variational=True)
    assert sum(one.numel() for one in network.parameters()) == sum(a * b + b for a, b in widths)


def test_a_vae_tells_the_plane_from_the_noise(tmp_path: Path) -> None:
    """It reconstructs rows it has not seen, by few dimensions; a heavy divergence leaves it none."""
    options = {"epochs": 120, "hidden": [32], "learning_rate": 5e-3}
    table = rows(300) * 3
    free = trained(tmp_path / "free", "vae", table=table, kl_weight=0.1, **options)
    bound = trained(tmp_path / "bound", "vae", table=table, kl_weight=1000.0, **options)
    assert free["explained"] > 0.9
    assert free["used_dimensions"] in {2, 3, 4}
    assert (bound["used_dimensions"], bound["explained"] < 0.1) == (0, True)


class Killed(Exception):
    """In place of a signal."""


class Deadly(StoreCheckpoints):
    """Checkpoints that end the process after the second epoch."""

    saved = 0

    def save(self, tensors: Any, values: Any) -> None:
        """Write, and die."""
        super().save(tensors, values)
        self.saved += 1
        if self.saved == 2:
            raise Killed


@pytest.mark.parametrize("variational", [True, False])
def test_a_killed_training_ends_as_one_that_was_not(tmp_path: Path, *, variational: bool) -> None:
    """The noise is drawn with the batches, so that it goes on where it was."""
    options = Options(width=4, hidden=(8,), epochs=5, batch=16, learning_rate=1e-3, seed=7, kl_weight=1.0)
    store = FolderStore(tmp_path)

    def attempt(checkpoints: StoreCheckpoints) -> dict[str, torch.Tensor]:
        torch.manual_seed(1)
        training = RowTraining("vae", RowNetwork(INPUTS, [8], 4, variational=variational), rows(), options)
        train(training, TrainingOptions(seed=7, checkpoints=checkpoints))
        return training.network.state_dict()

    whole = attempt(StoreCheckpoints(store, "whole", {}))
    with pytest.raises(Killed):
        attempt(Deadly(store, "killed", {}))
    resumed = attempt(StoreCheckpoints(store, "killed", {}))
    for key, tensor in whole.items():
        assert torch.equal(tensor, resumed[key]), key
