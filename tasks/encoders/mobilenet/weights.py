"""Weights of a MobileNetV2: as files, and from torchvision's state dict."""

from __future__ import annotations

from pathlib import Path

import torch

from tasks.encoders.base import MODEL
from tasks.encoders.mobilenet.config import FULL, MobileNetConfig
from tasks.encoders.mobilenet.model import MobileNetV2
from tasks.encoders.states import load_strictly, read_config, read_state, write_folder
from tasks.errors import BadInput, one_line

CLASSIFIER = frozenset({"classifier.1.weight", "classifier.1.bias"})  # of the thousand classes, which nobody asks for


def load_released(path: Path, config: MobileNetConfig = FULL) -> MobileNetV2:
    """The network of torchvision's .pth file. Never unpickles objects. BadInput if it is another model."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever the unpickler trips over in a stranger's file
        raise BadInput(f"{path.name} is not a plain PyTorch state dict: {one_line(error)}") from error
    model = MobileNetV2(config)
    load_strictly(model, {key: value for key, value in state.items() if key not in CLASSIFIER}, path.name)
    return model.eval()


def save_model(model: MobileNetV2, folder: Path) -> None:
    """Write MODEL and CONFIG."""
    write_folder(folder, model.state_dict(), model.config)


def load_model(folder: Path) -> MobileNetV2:
    """The network of a folder's MODEL and CONFIG, in eval mode. Corrupt or BadInput if the files are not of one."""
    model = MobileNetV2(read_config(folder, MobileNetConfig))
    load_strictly(model, read_state(folder), MODEL)
    return model.eval()
