"""What is kept beside the dataset: nothing of the log about the catalogue is lost, and nothing is there twice."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.data import Interactions
from tasks.data.outside import outside_of
from tests.data.logs import log_of


def named(log: Interactions) -> set[tuple[str, str, int]]:
    """Rows by external ids, with their times."""
    assert log.timestamps is not None
    times = log.timestamps.tolist()
    return set(zip(log.user_ids[log.users].tolist(), log.item_ids[log.items].tolist(), times, strict=True))


@given(
    pairs=st.sets(st.tuples(st.integers(0, 11), st.integers(0, 11)), min_size=1, max_size=60),
    catalogue=st.sets(st.integers(0, 14), min_size=1),
    users=st.sets(st.integers(0, 11)),
    items=st.sets(st.integers(0, 14)),
)
def test_dataset_and_outside_are_the_log_of_the_catalogue(
    pairs: set[tuple[int, int]], catalogue: set[int], users: set[int], items: set[int]
) -> None:
    """Whichever users and items the dataset has; numbers go on after the dataset's, in order of the ids."""
    catalogue, items = ({10 * one for one in some} for some in (catalogue, items))  # as `log_of` names items
    known = np.array(sorted(items & catalogue), dtype=np.int64).astype(np.str_)
    mine = np.array(sorted(f"u{user}" for user in users), dtype=np.str_)
    rows = sorted(pairs)
    log = log_of(rows, times=list(range(len(rows))))
    found = outside_of(log, np.array(sorted(catalogue), dtype=np.int64).astype(np.str_), mine, known)
    wanted = {
        (f"u{user}", str(10 * item), time)
        for time, (user, item) in enumerate(rows)
        if 10 * item in catalogue and not (user in users and 10 * item in items)
    }
    assert named(found) == wanted
    assert len(found) == len(wanted)
    assert found.user_ids[: len(mine)].tolist() == mine.tolist()
    assert found.item_ids[: len(known)].tolist() == known.tolist()
    assert [int(one) for one in found.item_ids[len(known) :]] == sorted(catalogue - {int(one) for one in known})
    others = found.user_ids[len(mine) :].tolist()
    assert others == sorted({user for user, _, _ in wanted} - set(mine.tolist()))
