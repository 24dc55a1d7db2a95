"""Modules are imported when they are used, by those who import them meanwhile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tasks.quality.deferred import deferred

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `heavy`, which says that it was loaded, and a module `user` of it."""
    (tmp_path / "heavy").mkdir()
    (tmp_path / "heavy" / "__init__.py").write_text("answer = 42\n", encoding="utf-8")
    (tmp_path / "user.py").write_text("import heavy\ndef ask():\n    return heavy.answer\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("heavy", "user"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def test_a_module_is_loaded_by_its_first_use(library: Path) -> None:
    """Its file is known before, and nothing else of it."""
    with deferred("heavy", "no_such_module"):
        import user

        assert user.heavy.__file__ == str(library / "heavy" / "__init__.py")
        assert not hasattr(user.heavy, "__nothing__")
        assert "no_such_module" not in sys.modules
    assert "heavy" not in sys.modules
    assert user.ask() == 42
    assert sys.modules["heavy"].answer == 42


def test_it_may_be_used_within_the_block(library: Path) -> None:
    """Then it is what it always was, also afterwards."""
    with deferred("heavy"):
        import user

        assert user.ask() == 42
    assert sys.modules["heavy"].answer == 42
    with deferred("heavy"):
        assert sys.modules["heavy"].answer == 42


@pytest.mark.slow
def test_a_validation_loads_neither_statistics_nor_charts() -> None:
    """Both would take longer than the validation."""
    code = (
        "import sys; import pandas as pd; from tasks.quality.suite import Table, unique, validate; "
        "table = Table('t', pd.DataFrame({'x': [1, 2]}), [unique('ids_are_unique', 'x', 'unique', 'x')]); "
        "assert validate('s', [table]).success; "
        "print([name for name in ('scipy.stats._stats_py', 'altair.vegalite') if name in sys.modules]); "
        "from scipy.stats import norm; assert norm.cdf(0) == 0.5"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
