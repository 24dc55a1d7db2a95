"""The device of tensors, and the number of threads."""

from __future__ import annotations

import os

import torch

from tasks.errors import BadInput


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


def thread_count(asked: int) -> int:
    """Return the number of threads: `asked`, or, for 0, the number of cores that this process may use."""
    return asked or len(os.sched_getaffinity(0))
