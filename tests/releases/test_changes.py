"""What a release changes for people, on two releases whose lists are known."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest

from tasks.data.records import Records
from tasks.releases.changes import compare_releases
from tasks.releases.item_records import save_records
from tasks.store import Artefact, Store, read_artefact, write_artefact


def release(
    store: Store, name: str, lists: dict[str, list[str]], items: list[str], titles: dict[str, str] | None = None
) -> Artefact:
    """A release that offers these lists, with titles of some items."""
    rows = [
        {"user_id": user, "rank": rank, "item_id": item}
        for user, ids in lists.items()
        for rank, item in enumerate(ids, 1)
    ]
    with write_artefact(store, f"releases/films/{name}") as out:
        out.frame("recommendations.parquet", pd.DataFrame(rows))
        if titles:
            save_records(out, Records(pa.table({"item_id": list(titles), "title": list(titles.values())})))
        for kind, ids in (("user", list(lists)), ("item", items)):
            out.frame(f"{kind}_mapping.csv", pd.DataFrame({f"{kind}_id": ids, "idx": range(len(ids))}))
        out.frame("arrivals.csv", pd.DataFrame({"item_id": ["late"], "idx": [len(items)]}))
        out.frame("other_users.csv", pd.DataFrame({"user_id": ["guest"], "idx": [len(lists)]}))
    return read_artefact(store, f"releases/films/{name}")


def test_what_came_went_and_stayed_is_counted(folder_store: Store) -> None:
    """Ada keeps half of her list and Bob all of his, in another order; who is in one release only is not compared."""
    before = release(folder_store, "before", {"ada": ["a", "b"], "bob": ["a", "c"], "old": ["a"]}, ["a", "b", "c"])
    now = release(folder_store, "now", {"ada": ["d", "a"], "bob": ["c", "a"], "new": ["a"]}, ["a", "c", "d"])
    assert compare_releases(now, before) == {
        "items_new": 1,
        "items_gone": 1,
        "users_new": 1,
        "users_gone": 1,
        "users_compared": 2,
        "kept": pytest.approx(0.75),
        "examples": [{"user": "ada", "came": ["d"], "went": ["b"]}],
    }


def test_items_that_came_and_went_are_named(folder_store: Store) -> None:
    """By the newer title, by that of the release before, or by their ids alone."""
    titles = {"before": {"b": "Old", "e": "Before"}, "now": {"d": "Dune", "e": "Now"}}
    lists = {"before": ["a", "b", "e"], "now": ["d", "x", "a"]}
    made = [
        release(folder_store, name, {"ada": lists[name]}, ["a", "b", "d", "e", "x"], titles[name])
        for name in ("now", "before")
    ]
    assert compare_releases(*made)["examples"] == [
        {"user": "ada", "came": ["Dune [d]", "x"], "went": ["Old [b]", "Now [e]"]}
    ]


def test_the_end_of_a_list_is_not_compared(folder_store: Store) -> None:
    """Only the first twenty ranks are."""
    names = [f"i{number}" for number in range(30)]
    before = release(folder_store, "before", {"ada": names[:25]}, names)
    now = release(folder_store, "now", {"ada": names[:20] + names[25:]}, names)
    assert compare_releases(now, before)["kept"] == 1


def test_of_releases_without_a_user_in_common_nothing_is_said(folder_store: Store) -> None:
    """No share is invented."""
    before = release(folder_store, "before", {"ada": ["a"]}, ["a"])
    now = release(folder_store, "now", {"bob": ["a"]}, ["a"])
    assert (compare_releases(now, before)["kept"], compare_releases(now, before)["examples"]) == (None, [])
