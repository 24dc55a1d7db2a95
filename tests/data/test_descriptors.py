"""Descriptors: numbers of items are scaled as stated, or refused with what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.data.descriptors import Descriptors, Gaps, Scale, make_descriptors
from tasks.data.item_tables import read_item_table
from tasks.errors import BadInput
from tests.data.test_readers import write

SONGS = "track,name,tempo,key\na,One,120,0\nb,Two,100,\nc,Three,80,6\nd,Four,,NaN\n"


def described(path: Path, scale: Scale = "raw", gaps: Gaps = "refuse", columns: list[str] | None = None) -> Descriptors:
    """The descriptors of a file."""
    return make_descriptors(read_item_table(path, columns=columns), chosen=columns, scale=scale, gaps=gaps)


NUMBERS = st.integers(-(10**6), 10**6).map(lambda number: number / 64)  # exact in float32 and in a text
TABLES = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=40).filter(
    lambda rows: all(len(set(column)) > 1 for column in zip(*rows, strict=True))
)


@given(rows=TABLES)
def test_values_are_scaled_numbers(rows: list[tuple[float, float]], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Raw ones are as written, others have mean 0 and variance 1, or span 0 to 1; offset and divisor lead back."""
    text = "".join(f"i{number},{x},{y}\n" for number, (x, y) in enumerate(rows))
    path = write(tmp_path_factory.mktemp("songs"), "songs.csv", "item_id,x,y\n" + text)
    expected = np.array(rows)
    for scale in ("raw", "standard", "minmax"):
        made = described(path, scale)
        assert made.columns == ["x", "y"]
        assert made.values.dtype == np.float32
        tolerance = 1e-4 * np.abs(expected).max() + 1e-6
        np.testing.assert_allclose(made.values * made.divisor + made.offset, expected, atol=tolerance)
        if scale == "raw":
            np.testing.assert_array_equal(made.values, expected)
        elif scale == "standard":
            np.testing.assert_allclose(made.values.mean(axis=0), 0, atol=1e-4)
            np.testing.assert_allclose(made.values.std(axis=0), 1, atol=1e-4)
        else:
            np.testing.assert_array_equal([made.values.min(axis=0), made.values.max(axis=0)], [[0, 0], [1, 1]])


def test_empty_cells_are_refused_with_their_number_and_the_first_items(tmp_path: Path) -> None:
    """NaN is one too; what else can be done is said."""
    path = write(tmp_path, "songs.csv", SONGS)
    sentence = r"songs\.csv has 3 empty cells of 2 items \(tempo: 1, key: 2\), first of 'b', 'd'; expected numbers: --m"
    with pytest.raises(BadInput, match=sentence):
        described(path)


def test_empty_cells_are_filled_or_their_items_dropped(tmp_path: Path) -> None:
    """The mean is that of the cells that are there, and scaling comes after it."""
    path = write(tmp_path, "songs.csv", SONGS)
    filled = described(path, gaps="mean")
    np.testing.assert_array_equal(filled.values, [[120, 0], [100, 3], [80, 6], [100, 3]])
    assert (filled.filled, filled.dropped) == ({"tempo": 1, "key": 2}, 0)
    np.testing.assert_allclose(described(path, "standard", "mean").values[3], 0, atol=1e-6)
    dropped = described(path, gaps="drop")
    assert (dropped.ids, dropped.filled, dropped.dropped) == (["a", "c"], {}, 2)
    np.testing.assert_array_equal(described(path, "minmax", "drop").values, [[1, 0], [0, 1]])


def test_columns_that_are_no_numbers_are_left_out_unless_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With a warning that names them; a chosen one is refused with its row, and the order is that of the choice."""
    path = write(tmp_path, "songs.csv", SONGS)
    assert described(path, gaps="mean").columns == ["tempo", "key"]
    assert "columns are ignored, they are not numbers alone: name" in caplog.text
    assert described(path, gaps="mean", columns=["key", "tempo"]).columns == ["key", "tempo"]
    with pytest.raises(BadInput, match=r"column name of songs\.csv has 'One' in row 1, expected a number"):
        described(path, columns=["name"])


@pytest.mark.parametrize(
    ("text", "scale", "gaps", "sentence"),
    [
        ("item_id,x,y\na,1,1\nb,1,2\n", "standard", "refuse", "one number alone in x, expected columns that tell"),
        ("item_id,x,y\na,1,1\nb,1,2\n", "minmax", "refuse", "one number alone in x"),
        ("item_id,x\na,inf\nb,1\n", "raw", "refuse", "expected at least one column of numbers beside item_id"),
        ("item_id,x\na,1e39\nb,1\n", "raw", "refuse", r"column x of songs\.csv is not finite in float32 for item 'a'"),
        ("item_id,name\na,A\nb,B\n", "raw", "refuse", "expected at least one column of numbers"),
        ("item_id,x,y\na,1,\nb,,2\n", "raw", "drop", "has an empty cell in every row"),
        ("item_id,x\na,1\n01,1\n1,2\n", "raw", "refuse", "has '01' and '1' in rows 2 and 3"),
    ],
)
def test_what_no_model_could_use_is_refused(tmp_path: Path, text: str, scale: Scale, gaps: Gaps, sentence: str) -> None:
    """Columns that say nothing, numbers that are none, rows that are all incomplete, ids in two writings."""
    with pytest.raises(BadInput, match=sentence):
        described(write(tmp_path, "songs.csv", text), scale, gaps)


def test_a_chosen_column_without_any_number_is_refused(tmp_path: Path) -> None:
    """Nothing could be filled in."""
    path = write(tmp_path, "songs.csv", "item_id,x,y\na,1,\nb,2,\n")
    with pytest.raises(BadInput, match="has no number in y, expected some"):
        described(path, gaps="mean", columns=["x", "y"])
