"""The encoder of pictures: batch norms folded into convolutions, channels last."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tasks.encoders.mobilenet.decoding import decode_picture, normalise
from tasks.encoders.mobilenet.model import MobileNetV2
from tasks.encoders.mobilenet.weights import load_model
from tasks.encoders.pieces import PieceEncoder
from tasks.training.device import require_device

BATCH = {"cpu": 4, "cuda": 256}  # pictures at once


def encoder_of(folder: Path, identity: str, device: str) -> PieceEncoder:
    """The encoder with the weights in `folder`."""
    where = require_device(device)
    model = fold_norms(load_model(folder)).to(device=where, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def tower(pixels: Tensor) -> Tensor:
        x = torch.from_numpy(normalise(pixels.numpy()))
        return model(x.to(device=where, memory_format=torch.channels_last))

    return PieceEncoder(identity, model.config.last, decode=decode_picture, tower=tower, batch=BATCH[where.type])


def fold_norms(model: MobileNetV2) -> MobileNetV2:
    """The same network with each batch norm folded into the convolution before it."""
    for parent in list(model.modules()):
        if not isinstance(parent, nn.Sequential):
            continue
        names = list(parent._modules)
        for name, after in pairwise(names):
            conv, norm = parent._modules[name], parent._modules[after]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                parent._modules[name] = fuse_conv_bn_eval(conv, norm)
                parent._modules[after] = nn.Identity()
    return model
