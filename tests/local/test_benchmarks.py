"""The scripts in benchmarks/."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.mark.slow  # some import much
@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("[a-z]*.py")))
def test_a_benchmark_finds_what_it_imports(name: str) -> None:
    """Nothing else runs them all: a function that moved would be missed by the one who measures."""
    assert importlib.import_module(f"benchmarks.{name}").__doc__
