"""torchaudio also with a build of torch that differs from its own: for mel front ends and augmentation.

PyPI's torchaudio contains CUDA extensions, and its import fails with a CPU build of torch, although its transforms are
plain torch. If the import fails for that reason, its extension loader is replaced by one that reports no extensions.
Files are decoded and resampled without it (`tasks/media`).
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable
from threading import Lock
from typing import Any

_importing = Lock()  # threads that ask at once must not take away each other's half-imported modules


def import_torchaudio(module: str = "torchaudio") -> types.ModuleType:
    """Import `torchaudio` or one of its modules, such as `torchaudio.transforms`, when it is first used.

    Raises ModuleNotFoundError without torchaudio.
    """
    with _importing:
        try:
            return importlib.import_module(module)
        except OSError:  # libcudart or libtorch_cuda is absent
            for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
                del sys.modules[name]
            sys.modules["torchaudio._extension"] = _no_extension()
            return importlib.import_module(module)


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
