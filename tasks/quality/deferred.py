"""Modules that a library imports and seldom uses, imported when they are used."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def deferred(*names: str) -> Iterator[None]:
    """What the block imports gets, in place of these modules, ones that import them when an attribute is asked for.

    After the block the modules are imported as ever. The standard library's LazyLoader does not serve: whoever asks
    all modules for their files, as `inspect` does, loads its modules.
    """
    fresh = [name for name in names if name not in sys.modules and importlib.util.find_spec(name) is not None]
    placed = {name: _Deferred(name) for name in fresh}
    sys.modules |= placed
    try:
        yield
    finally:
        for name, module in placed.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


class _Deferred(ModuleType):
    """Stands for the module of this name, and knows its file."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        spec = importlib.util.find_spec(name)
        if spec is not None:
            self.__spec__, self.__file__, self.__package__ = spec, spec.origin, spec.parent
            self.__path__ = list(spec.submodule_search_locations or [])

    def __getattr__(self, attribute: str) -> object:
        """Called for what this module has not: ask the real one."""
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), attribute)
