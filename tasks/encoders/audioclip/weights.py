"""Weights of AudioCLIP models: as files, and from the released checkpoints."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from tasks.encoders.audioclip.config import FULL, AudioCLIPConfig
from tasks.encoders.audioclip.model import AudioCLIP
from tasks.encoders.base import CONFIG, MODEL
from tasks.encoders.states import load_strictly, read_state
from tasks.errors import BadInput, Corrupt, TaskError, one_line


def load_checkpoint(path: Path, config: AudioCLIPConfig = FULL) -> AudioCLIP:
    """Load a model from a .pt file with exactly its (861) parameter names. Never unpickles objects."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever the unpickler trips over in a stranger's file
        raise BadInput(f"{path.name} is not a plain PyTorch state dict: {one_line(error)}") from error
    model = AudioCLIP(config)
    load_strictly(model, state, path.name)
    return model


def save_model(model: AudioCLIP, folder: Path, *, half: bool, facts: dict[str, object]) -> None:
    """Write model.safetensors and config.json.

    `half` stores kernels and matrices in float16, which is precise enough for comparing embeddings; norm statistics,
    biases and the like keep their precision: they are small and may exceed the range of float16.
    """
    state = {
        key: (value.half() if half and value.is_floating_point() and value.dim() > 1 else value).contiguous()
        for key, value in model.state_dict().items()
    }
    bad = [key for key, value in state.items() if not torch.isfinite(value).all()]
    if bad:
        raise TaskError(
            f"weights {bad[0]} and {len(bad) - 1} others are not finite, expected numbers: nothing was written"
        )
    save_file(state, folder / MODEL)
    config = {"model": model.config.model_dump(mode="json"), **facts}
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def load_model(folder: Path) -> AudioCLIP:
    """The model of a folder's MODEL and CONFIG, in eval mode. Corrupt or BadInput if the files are not such a model."""
    try:
        model = AudioCLIP(AudioCLIPConfig.model_validate(json.loads((folder / CONFIG).read_bytes())["model"]))
    except (ValueError, KeyError, ValidationError) as error:
        raise Corrupt(f"{CONFIG} is not the config of an AudioCLIP model: {one_line(error)}") from error
    load_strictly(model, read_state(folder), MODEL)
    return model.eval()
