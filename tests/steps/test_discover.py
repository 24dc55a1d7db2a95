"""`discover`: has anything changed since the last look?"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tasks.errors import NotFound, NothingToDo
from tasks.steps.discover import discover
from tasks.store import History, Store
from tests.steps.shop import DATASET, drop, key_of, load_log, load_matrix, medium

pytestmark = pytest.mark.services
ITEMS = ["1", "2", "3"]


@pytest.fixture
def seen(folder_store: Store, history: History) -> Store:
    """Three items and a log, that were looked at."""
    drop(folder_store, ITEMS)
    load_log(folder_store, ITEMS)
    assert discover(dataset=DATASET) == {"dataset": DATASET, "image": 3, "audio": 3, "text": 3}
    return folder_store


def test_the_second_look_finds_nothing(seen: Store) -> None:
    """Exit code 99, with the counts in the sentence, as often as one looks."""
    for _ in range(2):
        with pytest.raises(NothingToDo, match=r"nothing of shop changed .*\(3 audio, 3 image, 3 text\)") as error:
            discover(dataset=DATASET)
        assert error.value.exit_code == 99


@pytest.mark.parametrize(
    "change",
    [
        lambda store: drop(store, ["4"], ["text"]),
        lambda store: store.put(key_of("image", "1"), medium("image", "9")),
        lambda store: store.delete(key_of("audio", "2")),
        lambda store: load_log(store, ITEMS, "two"),
        lambda store: load_matrix(store, "text", ITEMS),
        lambda store: load_matrix(store, "poster_vgg", ITEMS),
    ],
    ids=["added", "replaced", "removed", "log", "matrix", "matrix of a named feature"],
)
def test_a_change_is_reported_once(seen: Store, change: Callable[[Store], object]) -> None:
    """At the next look, and not at the one after."""
    change(seen)
    assert discover(dataset=DATASET)["dataset"] == DATASET
    with pytest.raises(NothingToDo):
        discover(dataset=DATASET)


def test_files_that_are_no_media_are_no_change(seen: Store) -> None:
    """A run would not look at them either."""
    seen.put(f"media/{DATASET}/image/Thumbs.db", b"?")
    seen.put(f"media/{DATASET}/image/.4.png", b"?")
    with pytest.raises(NothingToDo):
        discover(dataset=DATASET)


def test_datasets_are_looked_at_apart(seen: Store) -> None:
    """What arrives for another one is that one's matter."""
    seen.put("media/other/text/1.txt", b"words")
    with pytest.raises(NothingToDo):
        discover(dataset=DATASET)
    assert discover(dataset="other") == {"dataset": "other", "text": 1}


def test_a_dataset_that_is_not_there_is_an_error(seen: Store) -> None:
    """A typo must not look like a quiet day: the sentence names the datasets there are."""
    with pytest.raises(NotFound, match=r"dataset 'shoop' has nothing, .* or one of the existing datasets: shop$"):
        discover(dataset="shoop")


def test_a_dataset_may_have_no_media(folder_store: Store, history: History) -> None:
    """One of ready-made matrices, say, or whose media have not come yet."""
    load_log(folder_store, ITEMS)
    assert discover(dataset=DATASET) == {"dataset": DATASET}
    with pytest.raises(NothingToDo, match="no media"):
        discover(dataset=DATASET)
