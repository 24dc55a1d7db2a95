"""Small random weights of each architecture, for tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import save_file as save_torch
from torch import nn

from tasks.encoders.art.common import LAYERS, SIDE
from tasks.encoders.art.network import PictureNetwork
from tasks.encoders.audioclip.weights import save_model as save_audioclip
from tasks.encoders.base import MODEL
from tasks.encoders.minilm.config import MiniLMConfig
from tasks.encoders.minilm.model import MiniLM
from tasks.encoders.minilm.weights import save_model as save_minilm
from tasks.encoders.mobilenet.config import MobileNetConfig
from tasks.encoders.mobilenet.model import MobileNetV2
from tasks.encoders.mobilenet.weights import save_model as save_mobilenet
from tasks.encoders.musicnn.config import MusicnnConfig
from tasks.encoders.musicnn.model import Musicnn
from tasks.encoders.musicnn.weights import save_model as save_musicnn
from tasks.encoders.rows.common import BOTH, write_config
from tasks.encoders.rows.network import RowNetwork
from tests.encoders.audioclip_world import COLUMNS, TINY, random_model


@dataclass(frozen=True)
class Small:
    """Weights of an architecture: the length of their vectors, and what writes them into a folder."""

    architecture: str
    width: int
    write: Callable[[Path], None]


def random_mobilenet() -> MobileNetV2:
    """A narrow network whose norms have statistics of their own."""
    torch.manual_seed(0)
    model = MobileNetV2(MobileNetConfig(first=8, blocks=((1, 8, 1, 2), (3, 12, 2, 2)), last=24))
    stir_norms(model)
    return model.eval()


def random_minilm() -> MiniLM:
    """A narrow network with the whole vocabulary."""
    torch.manual_seed(0)
    return MiniLM(MiniLMConfig(hidden=16, layers=2, heads=2, inner=32, positions=256)).eval()


def random_musicnn() -> Musicnn:
    """A narrow network whose norms have statistics of their own."""
    torch.manual_seed(0)
    model = Musicnn(MusicnnConfig(output="units", timbral=6, temporal=4, middle=5, units=12))
    stir_norms(model)
    return model.eval()


def stir_norms(model: nn.Module) -> None:
    """Give batch norms statistics as after training."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(module.weight)  # also below zero
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
            nn.init.normal_(module.running_mean, 0.0, 0.2)  # type: ignore[arg-type]


def write_pca(folder: Path) -> None:
    """Three of COLUMNS directions."""
    rng = np.random.default_rng(0)
    parts = {"mean": rng.normal(size=COLUMNS), "components": rng.normal(size=(3, COLUMNS))}
    save_numpy(parts, folder / MODEL)
    write_config(folder, {"inputs": COLUMNS, "width": 3})


def write_rows(folder: Path, kind: str) -> None:
    """A narrow network; the variational one gives means and deviations."""
    torch.manual_seed(0)
    save_torch(RowNetwork(COLUMNS, (6,), 4, variational=kind == "vae").state_dict(), folder / MODEL)
    output = BOTH if kind == "vae" else "mean"
    write_config(folder, {"kind": kind, "inputs": COLUMNS, "hidden": [6], "latent": 4, "output": output})


def write_art(folder: Path, kind: str) -> None:
    """Likewise of pictures."""
    torch.manual_seed(0)
    channels = [4] * LAYERS
    network = PictureNetwork(channels, 4, variational=kind == "picture-vae")
    stir_norms(network)
    save_torch(network.state_dict(), folder / MODEL)
    output = BOTH if kind == "picture-vae" else "mean"
    write_config(folder, {"kind": kind, "inputs": SIDE, "hidden": channels, "latent": 4, "output": output})


def small_weights() -> dict[str, Small]:
    """Name of stored weights -> what they are."""
    return {
        "own": Small(
            "audioclip", TINY.embed_dim, lambda folder: save_audioclip(random_model(), folder, half=False, facts={})
        ),
        "small-mobilenet": Small("mobilenet", 24, lambda folder: save_mobilenet(random_mobilenet(), folder)),
        "small-minilm": Small("minilm", 16, lambda folder: save_minilm(random_minilm(), folder)),
        "small-musicnn": Small("musicnn", 12, lambda folder: save_musicnn(random_musicnn(), folder)),
        "small-pca": Small("pca", 3, write_pca),
        "small-autoencoder": Small("autoencoder", 4, partial(write_rows, kind="autoencoder")),
        "small-vae": Small("vae", 8, partial(write_rows, kind="vae")),
        "small-picture-autoencoder": Small("picture-autoencoder", 4, partial(write_art, kind="picture-autoencoder")),
        "small-picture-vae": Small("picture-vae", 8, partial(write_art, kind="picture-vae")),
    }
