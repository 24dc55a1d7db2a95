"""What encoders of rows share: how a row is decoded, and the files of their weights. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.encoders.base import CONFIG, EncoderTraining
from tasks.errors import BadInput, Corrupt, one_line
from tasks.media import BadMedia

MODALITIES = ("numbers",)
PREPROCESSING = "p1"
HALF, HIGHEST = False, 0
LICENCES: dict[str, str] = {}
BOTH = "mean+sigma"  # what a variational encoder may give
FLOAT = np.dtype("<f4")


@dataclass(frozen=True)
class RowDecoder:
    """Decodes the bytes of a row of `width` numbers, float32 in little-endian order."""

    width: int

    def __call__(self, data: bytes) -> np.ndarray:
        """The row (width,) float32; BadMedia for another width, and for numbers that are not finite."""
        if len(data) != self.width * FLOAT.itemsize:
            raise BadMedia(f"row of {len(data)} bytes, expected {self.width} numbers of {FLOAT.itemsize} bytes")
        row = np.frombuffer(data, FLOAT).astype(np.float32)
        if not np.isfinite(row).all():
            raise BadMedia("row with a number that is not finite")
        return row


def stack_rows(media: Any, width: int) -> np.ndarray:  # noqa: ANN401  what `decode` gave
    """(n, width) float32 of decoded rows; of none a matrix without rows."""
    return np.asarray(media, dtype=np.float32).reshape(len(media), width)


def latent_width(config: Mapping[str, Any]) -> int:
    """Length of a vector of a network: of its latent means, and as many deviations where it gives both."""
    return int(config["latent"]) * (1 + (config["output"] == BOTH))


def refuse_checkpoint(name: str) -> None:
    """Raise BadInput: weights of these encoders are of the data of whoever trained them, and none are released."""
    raise BadInput(f"checkpoint {name!r} found, expected weights that `train-encoder` trained")


def rows_of(task: EncoderTraining) -> np.ndarray:
    """The rows (n, d) float32 that are trained on; BadInput for what only encoders of media take."""
    if task.start_from is not None or task.half:
        raise BadInput("--start-from or --half found, expected neither: an encoder of rows is small and quick to train")
    if task.rows is None:
        raise BadInput("no table found, expected the rows of one: --feature names it")
    return task.rows


def describe_table(task: EncoderTraining) -> dict[str, Any]:
    """What the weights have to know of the table: names of its columns and its scale, None where it has no names."""
    columns = task.columns or {}
    return {"columns": columns.get("columns"), "scale": columns.get("scale")}


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Write CONFIG beside the weights."""
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def read_config(folder: Path) -> dict[str, Any]:
    """What `write_config` wrote; Corrupt for anything else."""
    try:
        config = json.loads((folder / CONFIG).read_bytes())
        return {"inputs": int(config["inputs"]), **config}
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt(f"{CONFIG} is not the config of an encoder of rows: {one_line(error)}") from error
