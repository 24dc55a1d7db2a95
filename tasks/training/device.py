"""The device of tensors, and the number of threads."""

from __future__ import annotations

import os

import torch

from tasks.data import Dataset
from tasks.errors import BadInput

SMALL = 4_000_000  # numbers: two thousand items with features of two thousand columns


def require_device(name: str) -> torch.device:
    """Return the device `cpu`, `cuda` or `cuda:1`. Raises BadInput for others, or if this machine has no such GPU."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BadInput(f"device {name!r} found, expected cpu or cuda") from error
    if device.type not in {"cpu", "cuda"}:
        raise BadInput(f"device {name!r} found, expected cpu or cuda")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise BadInput(f"device {name!r} found, but this machine has no GPU that torch can use: choose cpu")
    return device


def thread_count(asked: int, data: Dataset) -> int:
    """Return the number of threads of a training: `asked`, or for 0 a number that follows from the dataset.

    With fewer than SMALL numbers in features and interactions it is one: steps take a millisecond or so, and two
    threads that wait for each other on busy cores made them five times as long. Otherwise it is OMP_NUM_THREADS, or
    the number of cores that this process may use.
    """
    if asked:
        return asked
    size = data.train.nnz + sum(matrix.size for matrix in data.features.values())
    if size < SMALL:
        return 1
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() and int(given) else len(os.sched_getaffinity(0))
