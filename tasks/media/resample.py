"""torchaudio's resampler, also with a torch build that differs from torchaudio's.

PyPI's torchaudio contains CUDA extensions, and its import fails with a CPU build of torch, although its resampler is
plain torch. If the import fails for that reason, its extension loader is replaced by one that reports no extensions.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import torch

LARGEST_KERNEL = 8 << 20  # size of the filter table: new rate x old rate, each divided by the common divisor


def resample(samples: torch.Tensor, rate: int, target: int) -> torch.Tensor:
    """Resample (n,) float32 from `rate` Hz to `target` Hz, band-limited (windowed sinc, Hann)."""
    if rate == target:
        return samples
    step = ratio(rate, target)
    resampled: torch.Tensor = FUNCTIONAL.resample(samples, step.denominator, step.numerator)
    return resampled


def ratio(rate: int, target: int) -> Fraction:
    """Return target / rate, approximated by small numbers if the rates have only a small common divisor.

    The filter table grows with the product of the two numbers: 44,099 Hz to 44,100 Hz would need gigabytes, and the
    rate comes from an untrusted file. The approximation changes duration and pitch by less than 0.02 %.
    """
    exact = fraction = Fraction(target, rate)
    largest = rate
    while fraction.numerator * fraction.denominator > LARGEST_KERNEL:
        largest = largest * 3 // 4
        fraction = exact.limit_denominator(largest)
    return fraction


def import_functional() -> types.ModuleType:
    """Import `torchaudio.functional`, with or without torchaudio's compiled extension."""
    try:
        return importlib.import_module("torchaudio.functional")
    except OSError:  # libcudart or libtorch_cuda is absent
        for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
            del sys.modules[name]
        sys.modules["torchaudio._extension"] = _no_extension()
        return importlib.import_module("torchaudio.functional")


def _no_extension() -> types.ModuleType:
    def refuse(function: Callable[..., object]) -> Callable[..., object]:
        def refuse(*_: object, **__: object) -> object:
            raise RuntimeError(
                f"torchaudio's {function.__name__} needs its compiled extension, which does not fit torch"
            )

        return refuse

    module = types.ModuleType("torchaudio._extension")
    module.__path__ = []
    facts: dict[str, Any] = {
        "_IS_TORCHAUDIO_EXT_AVAILABLE": False,
        "_IS_ALIGN_AVAILABLE": False,
        "_check_cuda_version": lambda: None,
        "fail_if_no_align": refuse,
    }
    for name, value in facts.items():
        setattr(module, name, value)
    return module


FUNCTIONAL = import_functional()  # at import time: files are decoded by several threads at once
