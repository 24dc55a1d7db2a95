"""Weights of a musicnn: as files, and from TensorFlow's checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tasks.encoders.base import MODEL
from tasks.encoders.musicnn.checkpoint import read_checkpoint
from tasks.encoders.musicnn.config import MusicnnConfig
from tasks.encoders.musicnn.model import Musicnn
from tasks.encoders.states import load_strictly, read_config, read_state, write_folder
from tasks.errors import BadInput

NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
SCOPE = "model/"  # of the tensors' names, where they have one


def load_released(index: Path, data: Path, config: MusicnnConfig) -> Musicnn:
    """The network of TensorFlow's checkpoint. BadInput if it is another."""
    tensors = {name.removeprefix(SCOPE): array for name, array in read_checkpoint(index, data).items()}
    model = Musicnn(config)
    load_strictly(model, state_of(model, tensors), index.parent.name)
    return model.eval()


def state_of(model: Musicnn, tensors: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Tensors by their names here: TensorFlow numbers the layers of a kind in the order of their making, as here."""
    state: dict[str, Tensor] = {}
    counts = {"conv2d": 0, "batch_normalization": 0, "dense": 0}
    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            theirs = _next(counts, "batch_normalization")
            state |= {f"{name}.{ours}": _find(tensors, f"{theirs}/{its}") for ours, its in NORM.items()}
            state[f"{name}.num_batches_tracked"] = torch.tensor(0)
        elif isinstance(module, nn.Conv2d | nn.Conv1d | nn.Linear):
            theirs = _next(counts, "dense" if isinstance(module, nn.Linear) else "conv2d")
            kernel = _find(tensors, f"{theirs}/kernel")
            if kernel.dim() != (2 if isinstance(module, nn.Linear) else 4):
                raise BadInput(f"{theirs}/kernel of shape {tuple(kernel.shape)} found, expected that of a musicnn")
            if isinstance(module, nn.Conv2d):  # (frames, bands, 1, out)
                kernel = kernel.permute(3, 2, 0, 1)
            elif isinstance(module, nn.Conv1d):  # (frames, channels, 1, out)
                kernel = kernel[:, :, 0].permute(2, 1, 0)
            else:
                kernel = kernel.T
            state |= {f"{name}.weight": kernel, f"{name}.bias": _find(tensors, f"{theirs}/bias")}
    return state


def _next(counts: dict[str, int], kind: str) -> str:
    number = counts[kind]
    counts[kind] += 1
    return f"{kind}_{number}" if number else kind


def _find(tensors: Mapping[str, np.ndarray], name: str) -> Tensor:
    if name not in tensors:
        raise BadInput(f"no tensor {name!r} found in the checkpoint, expected that of a musicnn")
    return torch.from_numpy(tensors[name])


def save_model(model: Musicnn, folder: Path) -> None:
    """Write MODEL and CONFIG."""
    write_folder(folder, model.state_dict(), model.config)


def load_model(folder: Path) -> Musicnn:
    """The network of a folder's MODEL and CONFIG, in eval mode. Corrupt or BadInput if the files are not of one."""
    model = Musicnn(read_config(folder, MusicnnConfig))
    load_strictly(model, read_state(folder), MODEL)
    return model.eval()
