"""Small random weights of each architecture, for tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from tasks.encoders.audioclip.weights import save_model as save_audioclip
from tasks.encoders.minilm.config import MiniLMConfig
from tasks.encoders.minilm.model import MiniLM
from tasks.encoders.minilm.weights import save_model as save_minilm
from tasks.encoders.mobilenet.config import MobileNetConfig
from tasks.encoders.mobilenet.model import MobileNetV2
from tasks.encoders.mobilenet.weights import save_model as save_mobilenet
from tasks.encoders.musicnn.config import MusicnnConfig
from tasks.encoders.musicnn.model import Musicnn
from tasks.encoders.musicnn.weights import save_model as save_musicnn
from tests.encoders.audioclip_world import TINY, random_model


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
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
            nn.init.normal_(module.running_mean, 0.0, 0.2)  # type: ignore[arg-type]


def small_weights() -> dict[str, Small]:
    """Name of stored weights -> what they are."""
    return {
        "own": Small(
            "audioclip", TINY.embed_dim, lambda folder: save_audioclip(random_model(), folder, half=False, facts={})
        ),
        "small-mobilenet": Small("mobilenet", 24, lambda folder: save_mobilenet(random_mobilenet(), folder)),
        "small-minilm": Small("minilm", 16, lambda folder: save_minilm(random_minilm(), folder)),
        "small-musicnn": Small("musicnn", 12, lambda folder: save_musicnn(random_musicnn(), folder)),
    }
