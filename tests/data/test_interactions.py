"""The columnar log, and its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.data import Interactions
from tasks.errors import BadInput
from tests.data.logs import Pair, log_of, named, pairs


@given(pairs(), st.booleans(), st.booleans())
def test_a_saved_log_is_read_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, log: list[Pair], timed: bool, labelled: bool
) -> None:
    """Order of rows, ids, times and labels are unchanged after saving and loading."""
    times = [-5 + 7 * row for row in range(len(log))] if timed else None
    labels = [row % 3 for row in range(len(log))] if labelled else None
    saved = log_of(log, times=times, labels=labels)
    path = tmp_path_factory.mktemp("log") / "log.parquet"
    saved.save(path)
    loaded = Interactions.load(path)
    assert loaded.user_ids[loaded.users].tolist() == saved.user_ids[saved.users].tolist()
    assert loaded.item_ids[loaded.items].tolist() == saved.item_ids[saved.items].tolist()
    for name in ("timestamps", "labels"):
        before, after = getattr(saved, name), getattr(loaded, name)
        assert (before is None) == (after is None)
        if before is not None:
            assert after.dtype == before.dtype
            np.testing.assert_array_equal(after, before)


def test_the_same_log_gives_the_same_bytes(tmp_path: Path) -> None:
    """So the file's hash identifies the log."""
    for name in ("a", "b"):
        log_of([(0, 0), (1, 1), (0, 1)], times=[1, 2, 3]).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_large_vocabulary_stays_a_dictionary(tmp_path: Path) -> None:
    """Dictionary encoding is kept for more ids than fit into Parquet's default dictionary page."""
    size, rounds = 100_000, 20
    codes = np.tile(np.arange(size, dtype=np.int32), rounds)
    ids = np.array([f"user-with-a-long-name-{number:09d}" for number in range(size)])
    log = Interactions(
        codes, np.repeat(np.arange(rounds, dtype=np.int32), size), ids, np.array([*map(str, range(rounds))])
    )
    log.save(tmp_path / "log.parquet")
    group = pq.ParquetFile(tmp_path / "log.parquet").metadata.row_group(0).column(0)
    assert group.total_uncompressed_size < 5 * size * 31  # far less than one id per row
    np.testing.assert_array_equal(Interactions.load(tmp_path / "log.parquet").users, codes)


def test_ids_that_are_no_longer_used_leave_the_vocabularies() -> None:
    """A part of a log, by mask or by position, has only its own users and items."""
    log = log_of([(0, 0), (1, 1), (2, 2), (0, 2)])
    part = log.take(np.array([True, False, False, True]))
    assert part.user_ids.tolist() == ["u0"]
    assert part.item_ids.tolist() == ["0", "20"]
    assert named(part) == named(log.take(np.array([3, 0])))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"items": np.zeros(1, np.int32)}, "1 items found, expected one for each of 2 interactions"),
        ({"timestamps": np.zeros(3, np.int64)}, "3 timestamps found"),
        ({"labels": np.array([0, 3], np.int8)}, r"labels \[3\] found, expected 0"),
        ({"labels": np.array([0, -1], np.int8)}, r"labels \[-1\] found"),
        ({"users": np.array([0, 2], np.int32)}, "user codes from 0 to 2 found, expected codes into 2 ids"),
        ({"users": np.array([-1, 0], np.int32)}, "user codes from -1 to 0 found"),
        ({"items": np.zeros(2, np.int64)}, "item codes of type int64 found, expected int32"),
    ],
)
def test_columns_that_do_not_fit_each_other_are_refused(changes: dict[str, np.ndarray], message: str) -> None:
    """Lengths, codes and labels are checked when a log is created."""
    columns = {"users": np.array([0, 1], np.int32), "items": np.array([0, 1], np.int32)}
    ids = np.array(["a", "b"])
    with pytest.raises(BadInput, match=message):
        Interactions(**{"user_ids": ids, "item_ids": ids, **columns, **changes})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"user_id": ["a"]}, r"has columns \['user_id'\], expected also \['item_id'\]"),
        ({"user_id": ["a", None], "item_id": ["x", "y"]}, "user_id of log.parquet has no id in row 2"),
        ({"user_id": ["a"], "item_id": ["x"], "timestamp": [1.5]}, "has timestamp of type double, expected int64"),
        (
            {"user_id": ["a"], "item_id": ["x"], "x_label": pa.array([None], pa.int8())},
            "x_label of type int8, expected",
        ),
    ],
)
def test_a_file_that_is_no_saved_log_is_refused(tmp_path: Path, table: dict[str, object], message: str) -> None:
    """Columns, their types and missing values are checked when a log is read."""
    pq.write_table(pa.table(table), tmp_path / "log.parquet")
    with pytest.raises(BadInput, match=message):
        Interactions.load(tmp_path / "log.parquet")


def test_bytes_that_are_no_parquet_are_refused(tmp_path: Path) -> None:
    """The message names the file."""
    (tmp_path / "log.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(BadInput, match=r"log\.parquet is not an interactions file"):
        Interactions.load(tmp_path / "log.parquet")
