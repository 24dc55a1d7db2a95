"""Principal component analysis (Pearson 1901) of the rows of a table, by singular value decomposition. NumPy alone.

Implements `EncoderModule`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from tasks.encoders.base import MODEL, Checkpoint, EncoderTraining, Variant
from tasks.encoders.rows.common import (
    HALF,
    HIGHEST,
    LICENCES,
    MODALITIES,
    PREPROCESSING,
    RowDecoder,
    describe_table,
    read_config,
    refuse_checkpoint,
    rows_of,
    stack_rows,
    write_config,
)
from tasks.errors import BadInput, Corrupt, one_line

__all__ = [
    "CHECKPOINTS",
    "HALF",
    "HIGHEST",
    "LICENCES",
    "MODALITIES",
    "OPTIONS",
    "PREPROCESSING",
    "SHIPPED",
    "convert",
    "load",
    "train",
    "width",
]

CHECKPOINTS: dict[str, Checkpoint] = {}
SHIPPED: dict[str, Path] = {}
MOST = 64  # components, if no width is given
OPTIONS: dict[str, object] = {"width": None}


@dataclass(frozen=True)
class PCAEncoder:
    """Rows less the mean (d,), on the components (width, d)."""

    identity: str
    mean: np.ndarray
    components: np.ndarray

    @property
    def width(self) -> int:
        """Number of components."""
        return len(self.components)

    @property
    def decode(self) -> Callable[[bytes], object]:
        """Decodes a row of the table."""
        return RowDecoder(len(self.mean))

    def encode(self, media: Sequence[Any]) -> np.ndarray:
        """(len(media), width) float32."""
        centred = stack_rows(media, len(self.mean)).astype(np.float64) - self.mean
        return np.asarray(centred @ self.components.T, dtype=np.float32)


def load(folder: Path, identities: Mapping[str, str], device: str, variant: Variant) -> Mapping[str, PCAEncoder]:
    """Modality -> encoder with the weights in `folder`; it computes on the CPU. BadInput where there is no `device`."""
    del variant  # there is none
    if device != "cpu":
        from tasks.training.device import require_device  # noqa: PLC0415  torch takes seconds to import

        require_device(device)
    (modality,) = MODALITIES
    inputs = read_config(folder)["inputs"]
    try:
        tensors = load_file(folder / MODEL)
        mean, components = tensors["mean"], tensors["components"]
    except (SafetensorError, KeyError) as error:
        raise Corrupt(f"{MODEL} has no mean and components: {one_line(error)}") from error
    if mean.shape != (inputs,) or components.ndim != 2 or components.shape[1] != inputs:
        raise Corrupt(f"{MODEL} has components of shape {components.shape}, expected {inputs} columns")
    return {modality: PCAEncoder(identities[modality], mean, components)}


def width(config: Mapping[str, Any]) -> int:
    """Length of a vector of weights with this CONFIG."""
    return int(config["width"])


def convert(path: Path, name: str, folder: Path) -> None:
    """There are no released weights."""
    del path, folder
    refuse_checkpoint(name)


def train(task: EncoderTraining) -> dict[str, Any]:
    """Write mean and components of `task.rows`, and how much of the variance each explains."""
    rows = rows_of(task)
    mean, components, explained = decompose(rows, task.options["width"])
    save_file({"mean": mean, "components": components}, task.folder / MODEL)
    facts = {"items": len(rows), "width": len(components), "explained": round(float(explained.sum()), 6)}
    config = {"inputs": rows.shape[1], **describe_table(task), **task.facts, **facts}
    write_config(task.folder, config | {"explained_by_component": [round(float(one), 6) for one in explained]})
    return facts


def decompose(rows: np.ndarray, width: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean (d,), components (width, d), both float64, and their shares (width,) of the variance of `rows` (n, d).

    Without `width` as many as there are, at most MOST. The largest weight of a component is positive, so that the same
    rows give the same components everywhere. BadInput for more components than the rows have.
    """
    plain = rows.astype(np.float64)
    mean = plain.mean(axis=0)
    _, values, components = np.linalg.svd(plain - mean, full_matrices=False)
    rank = int((values > values[:1] * max(plain.shape) * np.finfo(np.float32).eps).sum())
    if not rank:
        raise BadInput(f"{len(rows)} equal rows found, expected some that differ")
    if width is not None and not 1 <= width <= rank:
        raise BadInput(f"--width {width} found, expected 1 to {rank}: the table has so many independent columns")
    kept = components[: min(MOST, rank) if width is None else width]
    largest = np.take_along_axis(kept, np.abs(kept).argmax(axis=1)[:, None], axis=1)
    variances = values**2
    return mean, np.ascontiguousarray(kept * np.sign(largest)), variances[: len(kept)] / variances.sum()
