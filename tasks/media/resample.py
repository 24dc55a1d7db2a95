"""torchaudio's resampler, beside a torch whose build differs from torchaudio's.

PyPI's torchaudio carries extensions for CUDA, and its import fails beside a CPU build of torch, though its resampler is
plain torch. Where the import fails for that reason, its loader of extensions is replaced by one that says there are
none.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import torch

LARGEST_KERNEL = 8 << 20  # numbers in the table of filters, new rate x old rate over their common divisor


def resample(samples: torch.Tensor, rate: int, target: int) -> torch.Tensor:
    """(n,) float32 at `rate` Hz to `target` Hz, band-limited (windowed sinc, Hann)."""
    if rate == target:
        return samples
    step = ratio(rate, target)
    found: torch.Tensor = FUNCTIONAL.resample(samples, step.denominator, step.numerator)
    return found


def ratio(rate: int, target: int) -> Fraction:
    """target / rate, or for rates with hardly a common divisor the nearest fraction of small numbers.

    The filters' table grows with the product of the two numbers: 44,099 Hz to 44,100 Hz would take gigabytes, and the
    rate is whatever a stranger's file says. Where it is rounded the sound gets longer or shorter, and its pitch lower
    or higher, by less than 0.02 %.
    """
    exact = found = Fraction(target, rate)
    largest = rate
    while found.numerator * found.denominator > LARGEST_KERNEL:
        largest = largest * 3 // 4
        found = exact.limit_denominator(largest)
    return found


def import_functional() -> types.ModuleType:
    """`torchaudio.functional`, with or without torchaudio's compiled extension."""
    try:
        return importlib.import_module("torchaudio.functional")
    except OSError:  # libcudart or libtorch_cuda is absent
        for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
            del sys.modules[name]
        sys.modules["torchaudio._extension"] = _no_extension()
        return importlib.import_module("torchaudio.functional")


def _no_extension() -> types.ModuleType:
    def refuse(function: Callable[..., object]) -> Callable[..., object]:
        def refused(*_: object, **__: object) -> object:
            raise RuntimeError(
                f"torchaudio's {function.__name__} needs its compiled extension, which does not fit torch"
            )

        return refused

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


FUNCTIONAL = import_functional()  # here and not at the first sound: that is decoded by several threads at once
