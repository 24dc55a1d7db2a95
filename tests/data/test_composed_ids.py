"""Accents as one character or as two: one id wherever it is read, and never both."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.data import Interactions, read_interactions
from tasks.data.append import append_rows
from tasks.data.ids import compose, compose_ids
from tasks.errors import BadInput
from tests.data.logs import named

COMPOSED = "Jos\u00e9"
APART = unicodedata.normalize("NFD", COMPOSED)
KINDS = ("csv", "tsv", "inter", "parquet")


def write(path: Path, users: list[str], items: list[str]) -> Path:
    """A log in the format of its suffix."""
    frame = pd.DataFrame({"user_id": users, "item_id": items, "x_label": [0] * len(users)})
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, sep="," if path.suffix == ".csv" else "\t", index=False)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_a_log_is_read_composed(tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """Users and items of every format; how many it were is said with an example that shows the accent."""
    path = write(tmp_path / f"log.{kind}", [APART, "u"], ["a", APART])
    with caplog.at_level("INFO"):
        log = read_interactions(path).interactions
    assert named(log) == {(COMPOSED, "a"), ("u", COMPOSED)}
    assert (
        f"column user_id of log.{kind}: 1 ids were not composed (NFC), such as 'Jose\\u0301'; they are" in caplog.text
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("column", ["user_id", "item_id"])
def test_an_id_in_two_writings_is_refused(tmp_path: Path, kind: str, column: str) -> None:
    """They look the same, so that the sentence shows what the difference is."""
    ids, others = [APART, "b", COMPOSED], ["a", "b", "c"]
    users, items = (ids, others) if column == "user_id" else (others, ids)
    message = rf"column {column} of log.{kind} has 'Jose\\u0301' and 'Jos\\xe9' for 'José', expected"
    with pytest.raises(BadInput, match=message):
        read_interactions(write(tmp_path / f"log.{kind}", users, items))


def test_what_an_earlier_version_kept_meets_what_comes_now(tmp_path: Path) -> None:
    """A log that was kept with accents apart is read composed, so that rows are added to the same users and items."""
    path = tmp_path / "interactions.parquet"
    ids = [pa.array(values).dictionary_encode() for values in ([APART], [APART])]
    pq.write_table(pa.table(ids, names=["user_id", "item_id"]), path)
    earlier = Interactions.load(path)
    new = read_interactions(write(tmp_path / "new.csv", [COMPOSED, APART.upper()], [COMPOSED, "b"])).interactions
    both = append_rows(earlier, Interactions(new.users, new.items, new.user_ids, new.item_ids))
    assert (both.added, both.repeated) == (1, 1)
    assert named(both.interactions) == {(COMPOSED, COMPOSED), (COMPOSED.upper(), "b")}


@given(st.lists(st.text(min_size=1), unique=True))
def test_composing_keeps_number_and_order_or_refuses(ids: list[str]) -> None:
    """Distinct ids stay distinct, each in its place."""
    expected = [unicodedata.normalize("NFC", one) for one in ids]
    if len(set(expected)) < len(ids):
        with pytest.raises(BadInput, match=r"^there has .* for .*, expected an accented id to be written one way"):
            compose_ids(ids, "there")
    else:
        assert compose_ids(ids, "there") == expected
        assert np.array_equal([compose(one) for one in expected], expected)
