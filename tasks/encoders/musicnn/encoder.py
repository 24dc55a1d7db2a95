"""The encoder of sounds: the mean over windows of three seconds."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from tasks.encoders.musicnn.decoding import Decoder
from tasks.encoders.musicnn.spectrum import mel_front_end
from tasks.encoders.musicnn.weights import load_model
from tasks.encoders.pieces import PieceEncoder
from tasks.training.device import require_device

BATCH = {"cpu": 4, "cuda": 128}  # windows at once


def encoder_of(folder: Path, identity: str, device: str, bandwidth: float | None) -> PieceEncoder:
    """The encoder with the weights in `folder`, which hears up to `bandwidth` Hz."""
    where = require_device(device)
    model = load_model(folder).to(device=where, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def tower(spectra: Tensor) -> Tensor:
        return model(spectra.to(where))

    return PieceEncoder(
        identity,
        model.config.width,
        decode=Decoder(bandwidth),
        pieces=mel_front_end(),
        tower=tower,
        batch=BATCH[where.type],
    )
