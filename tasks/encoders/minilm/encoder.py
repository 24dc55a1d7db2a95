"""The encoder of texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tasks.encoders.minilm.decoding import decode_tokens
from tasks.encoders.minilm.model import matrices_in_half
from tasks.encoders.minilm.weights import load_model
from tasks.encoders.pieces import PieceEncoder
from tasks.training.device import require_device

BATCH = {"cpu": 8, "cuda": 256}  # contexts at once


def encoder_of(folder: Path, identity: str, device: str, *, half: bool) -> PieceEncoder:
    """The encoder with the weights in `folder`; `half` multiplies in bfloat16."""
    where = require_device(device)
    model = load_model(folder).to(where)
    if half:
        matrices_in_half(model)

    @torch.inference_mode()
    def tower(ids: Tensor) -> Tensor:
        longest = int(torch.count_nonzero(ids, dim=1).max())
        return model(ids[:, :longest].to(where))

    return PieceEncoder(
        identity,
        model.config.hidden,
        decode=decode_tokens,
        tower=tower,
        batch=BATCH[where.type],
        length=np.count_nonzero,
        unit=True,
    )
