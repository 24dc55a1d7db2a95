"""Weights of a network as files: MODEL and CONFIG, read strictly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tasks.encoders.base import CONFIG, MODEL
from tasks.errors import BadInput, Corrupt, one_line

Config = TypeVar("Config", bound=BaseModel)


def load_strictly(model: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Load `state`, of a file `name`, as float32; raises BadInput with the first differences of names or shapes."""
    expected = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    given = {key: tuple(value.shape) for key, value in state.items()} if isinstance(state, Mapping) else {}
    if given != expected:
        missing, extra = sorted(set(expected) - set(given)), sorted(set(given) - set(expected))
        shapes = [key for key in expected if key in given and expected[key] != given[key]]
        raise BadInput(
            f"{name} has {len(given)} tensors, expected the {len(expected)} of {type(model).__name__}: "
            f"missing {missing[:3]}, unknown {extra[:3]}, other shapes {shapes[:3]}"
        )
    model.load_state_dict(
        {key: value.float() if value.is_floating_point() else value for key, value in state.items()}, strict=True
    )


def read_config(folder: Path, kind: type[Config]) -> Config:
    """CONFIG of a folder. Corrupt if it is not of this kind."""
    try:
        return kind.model_validate(json.loads((folder / CONFIG).read_bytes()))
    except (ValueError, ValidationError) as error:
        raise Corrupt(f"{CONFIG} is not a {kind.__name__}: {one_line(error)}") from error


def read_state(folder: Path) -> dict[str, Tensor]:
    """MODEL of a folder. Corrupt if it is not such a file."""
    try:
        return load_file(folder / MODEL)
    except SafetensorError as error:
        raise Corrupt(f"{MODEL} is not a safetensors file: {one_line(error)}") from error


def write_folder(folder: Path, state: Mapping[str, Tensor], config: BaseModel) -> None:
    """Write MODEL and CONFIG."""
    save_file({key: value.contiguous() for key, value in state.items()}, folder / MODEL)
    write_config(folder, config)


def write_config(folder: Path, config: BaseModel) -> None:
    """Write CONFIG."""
    (folder / CONFIG).write_text(json.dumps(config.model_dump(mode="json"), indent=1) + "\n", encoding="utf-8")
