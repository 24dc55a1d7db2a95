"""What a machine is told, and what is said of a training in the end."""

from __future__ import annotations

import os

import pytest

from tasks.training import EpochRecord, device, summarise_epochs
from tasks.training.device import thread_count
from tests.world import checkerboard, content_world


def test_the_number_of_threads_follows_from_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """One for little; for much all cores that the process may use, or those of a container; a number as it is."""
    data = checkerboard()
    assert thread_count(0, data) == 1
    assert thread_count(3, data) == 3
    monkeypatch.setattr(device, "SMALL", data.train.nnz)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert thread_count(0, data) == len(os.sched_getaffinity(0))
    for given, count in (("5", 5), ("0", len(os.sched_getaffinity(0))), ("many", len(os.sched_getaffinity(0)))):
        monkeypatch.setenv("OMP_NUM_THREADS", given)
        assert thread_count(0, data) == count


def test_features_count_as_data_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are what is projected in each step."""
    data = content_world()
    size = data.train.nnz + sum(matrix.size for matrix in data.features.values())
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    for small, count in ((size, 7), (size + 1, 1)):
        monkeypatch.setattr(device, "SMALL", small)
        assert thread_count(0, data) == count


def test_the_summary_is_of_the_epoch_that_was_kept() -> None:
    """The best on validation, not the last; the first of equal ones."""
    values = [0.1, None, 0.4, 0.4, 0.2]
    records = [EpochRecord(epoch, 1.0 / epoch, valid, 0.5) for epoch, valid in enumerate(values, start=1)]
    assert summarise_epochs(records) == {"epochs": 5, "best_epoch": 3, "loss": 1 / 3, "valid": 0.4}


def test_without_a_validation_the_last_epoch_was_kept() -> None:
    """It is the state that the training ended with."""
    records = [EpochRecord(epoch, 1.0 / epoch, None, 0.5) for epoch in (1, 2, 3)]
    assert summarise_epochs(records) == {"epochs": 3, "best_epoch": 3, "loss": 1 / 3, "valid": None}


def test_a_closed_form_has_one_epoch_without_a_loss() -> None:
    """And without a validation where nobody asked for one."""
    record = EpochRecord(epoch=1, loss=None, valid=None, seconds=0.1)
    assert summarise_epochs([record]) == {"epochs": 1, "best_epoch": 1, "loss": None, "valid": None}
