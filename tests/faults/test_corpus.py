"""Every planted fault of the corpus is refused by its own expectation, and the sound night by none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.steps.align import align
from tasks.steps.check_dataset import check_dataset
from tasks.steps.check_embeddings import check_embeddings
from tasks.store import open_store
from tests.faults.corpus import FAULTS, format_table
from tests.faults.planting import Fault
from tests.faults.world import RUN, Night, make_night, use_encoders

pytestmark = pytest.mark.services  # one real night each; the lane of unit tests stays short
CHECKS = {"check-embeddings": check_embeddings, "check-dataset": check_dataset}
NUMBERS = {  # F6 unless named: a number that is none, and a table without rows or without a column
    "F7": {"vectors_are_finite", "vectors_are_not_zero", "vectors_are_not_constant", "dtype_is_float32"}
    | {"width_is_as_declared"},
    "F8": {"log_has_rows", "column_exists", "BadInput"},
}
PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    """Settings and encoders of all nights."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RECSYS_METRICS_DSN", "none")
        use_encoders(patched)
        yield patched


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, patch: pytest.MonkeyPatch) -> Path:
    """A night that passed all of its checks."""
    folder = tmp_path_factory.mktemp("sound")
    patch.setenv("RECSYS_STORE", f"file://{folder}")
    make_night(open_store())
    return folder


@pytest.fixture
def night(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Night:
    """A copy of it."""
    shutil.copytree(sound, tmp_path / "store")
    monkeypatch.setenv("RECSYS_STORE", f"file://{tmp_path / 'store'}")
    return Night(tmp_path / "store")


def test_the_sound_night_is_refused_by_nobody(night: Night) -> None:
    """Checked again it passes, and so does the same night aligned again."""
    align(run=RUN)
    for suite, check in CHECKS.items():
        assert night.failures(check, suite) == set()


def test_a_manifest_that_follows_is_no_fault(night: Night) -> None:
    """What stands in this corpus for a step's own mistake is by itself no mistake."""
    night.array("align", "plot.npy", lambda array: array)
    night.frame("prepare", "user_mapping.csv", lambda frame: frame)
    for suite, check in CHECKS.items():
        assert night.failures(check, suite) == set()


def marked(fault: Fault) -> Any:
    """With the number of what it does."""
    number = next((number for number, names in NUMBERS.items() if fault.expectation in names), "F6")
    return pytest.param(fault, id=f"{fault.where}: {fault.what}", marks=pytest.mark.fault(number))


@pytest.mark.parametrize("fault", [marked(fault) for fault in FAULTS])
def test_a_planted_fault_is_caught(night: Night, fault: Fault) -> None:
    """By the expectation that is about it."""
    fault.plant(night)
    if fault.again:
        align(run=RUN)
    assert fault.expectation in {name for name, _ in night.failures(CHECKS[fault.check], fault.check)}


def test_the_page_has_the_corpus() -> None:
    """docs/faults.md shows what is planted here; `python -m tests.faults.corpus` prints its table."""
    assert format_table() in PAGE.read_text(encoding="utf-8")
    assert len(FAULTS) >= 120
    assert len({(fault.where, fault.what) for fault in FAULTS}) == len(FAULTS)
