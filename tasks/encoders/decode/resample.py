"""torchaudio's resampler, beside a torch whose build differs from torchaudio's.

PyPI's torchaudio carries extensions for CUDA, and its import fails beside a CPU build of torch, though its resampler is plain
torch. Where the import fails for that reason, its loader of extensions is replaced by one that says there are none.
"""

from __future__ import annotations

import importlib
import sys
import types
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import torch


def resample(samples: torch.Tensor, rate: int, target: int) -> torch.Tensor:
    """(n,) float32 at `rate` Hz to `target` Hz, band-limited (windowed sinc)."""
    if rate == target:
        return samples
    found: torch.Tensor = _functional().resample(samples, rate, target)
    return found


@cache
def _functional() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # announcements of torchaudio, about parts that are not used here
        try:
            return importlib.import_module("torchaudio.functional")
        except OSError:  # libcudart or libtorch_cuda is absent
            for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
                del sys.modules[name]
            sys.modules["torchaudio._extension"] = _no_extensions()
            return importlib.import_module("torchaudio.functional")


def _no_extensions() -> types.ModuleType:
    def refuse(function: Callable[..., Any]) -> Callable[..., Any]:
        def refused(*_: Any, **__: Any) -> Any:
            raise RuntimeError(f"torchaudio's {function.__name__} needs its compiled extension, which does not fit this torch")

        return refused

    module = types.ModuleType("torchaudio._extension")
    module.__path__ = []
    for name, value in {
        "_IS_TORCHAUDIO_EXT_AVAILABLE": False,
        "_IS_ALIGN_AVAILABLE": False,
        "_check_cuda_version": lambda: None,
        "fail_if_no_align": refuse,
    }.items():
        setattr(module, name, value)
    return module
