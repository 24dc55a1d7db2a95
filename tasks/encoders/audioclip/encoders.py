"""The three encoders of an AudioCLIP model, one per modality."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from tasks.encoders.audioclip.decoding import Decoder
from tasks.encoders.audioclip.fast import FastAudioCLIP, convolution
from tasks.encoders.audioclip.model import AudioCLIP
from tasks.encoders.audioclip.preprocess import normalise, windows
from tasks.encoders.base import Variant
from tasks.encoders.pieces import PieceEncoder
from tasks.training.device import require_device

PLAIN = Variant()
BATCH = {"cpu": convolution.BATCH, "cuda": 128}  # pieces per batch; twice as many of texts


def encoders_of(
    model: AudioCLIP, identities: Mapping[str, str], variant: Variant = PLAIN, *, device: str = "cpu"
) -> dict[str, PieceEncoder]:
    """Modality -> encoder, with the identity of each: the mean of the unit vectors of windows and contexts."""
    fast = FastAudioCLIP(model, half=variant.half, device=require_device(device))
    config = model.config

    def pixels(pieces: Tensor) -> Tensor:
        return fast.image(torch.from_numpy(normalise(pieces.numpy())))

    towers: dict[str, Callable[[Tensor], Tensor]] = {"image": pixels, "audio": fast.audio, "text": fast.text}
    return {
        modality: PieceEncoder(
            identities[modality],
            config.embed_dim,
            decode=Decoder(modality, config, variant.bandwidth),
            pieces=windows if modality == "audio" else list,
            tower=tower,
            batch=BATCH[fast.device.type] * (2 if modality == "text" else 1),
            length=np.count_nonzero if modality == "text" else len,  # of a context that is padded with zeros
        )
        for modality, tower in towers.items()
    }
