"""`discover`: has anything changed since the last look?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.errors import NotFound, NothingToDo
from tasks.steps.discover import discover
from tasks.steps.load_interactions import load_interactions
from tasks.store import History, Store, open_history
from tests.steps.shop import DATASET, decide, drop, encoders, key_of, load_log, load_matrix, look, medium, use

pytestmark = pytest.mark.services
ITEMS = ["1", "2", "3"]


@pytest.fixture
def seen(folder_store: Store, history: History) -> Store:
    """Three items and a log, that were looked at."""
    drop(folder_store, ITEMS)
    load_log(folder_store, ITEMS)
    counts = {"image": 3, "audio": 3, "text": 3}
    assert discover(dataset=DATASET) == {"dataset": DATASET, "changed": ["media", "interactions"], **counts}
    return folder_store


def test_the_second_look_finds_nothing(seen: Store) -> None:
    """Exit code 99, with the counts in the sentence, as often as one looks."""
    for _ in range(2):
        with pytest.raises(NothingToDo, match=r"nothing of shop changed .*\(3 audio, 3 image, 3 text\)") as error:
            discover(dataset=DATASET)
        assert error.value.exit_code == 99


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda store: drop(store, ["4"], ["text"]), "media"),
        (lambda store: store.put(key_of("image", "1"), medium("image", "9")), "media"),
        (lambda store: store.delete(key_of("audio", "2")), "media"),
        (lambda store: load_log(store, ITEMS, "two"), "interactions"),
        (lambda store: load_matrix(store, "text", ITEMS), "media"),
        (lambda store: load_matrix(store, "poster_vgg", ITEMS), "media"),
    ],
    ids=["added", "replaced", "removed", "log", "matrix", "matrix of a named feature"],
)
def test_a_change_is_reported_once(seen: Store, change: Callable[[Store], object], what: str) -> None:
    """At the next look, and not at the one after."""
    change(seen)
    assert discover(dataset=DATASET)["changed"] == [what]
    with pytest.raises(NothingToDo):
        discover(dataset=DATASET)


def test_rows_that_are_added_to_the_log_are_reported_and_start_a_run(
    seen: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same rows again are nothing new; new ones are, and the scan of the run that they start does not end it."""
    use(monkeypatch, encoders())
    look("one", modalities="text")
    path = tmp_path / "day.csv"
    path.write_text("user,item,timestamp\nu,1,0\n", encoding="utf-8")
    load_interactions(file=str(path), dataset=DATASET, append=True)
    with pytest.raises(NothingToDo):
        discover(dataset=DATASET)
    with open_history() as history:
        decide(seen, history, "one")
    with pytest.raises(NothingToDo, match="nothing is new since run one"):
        look("two", modalities="text")
    path.write_text("user,item,timestamp\nx,1,0\n", encoding="utf-8")
    load_interactions(file=str(path), dataset=DATASET, append=True)
    assert discover(dataset=DATASET)["changed"] == ["interactions"]
    look("three", modalities="text")


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
    assert discover(dataset="other") == {"dataset": "other", "changed": ["media"], "text": 1}


def test_a_dataset_that_is_not_there_is_an_error(seen: Store) -> None:
    """A typo must not look like a quiet day: the sentence names the datasets there are."""
    with pytest.raises(NotFound, match=r"dataset 'shoop' has nothing, .* or one of the existing datasets: shop$"):
        discover(dataset="shoop")


def test_a_dataset_may_have_no_media(folder_store: Store, history: History) -> None:
    """One of ready-made matrices, say, or whose media have not come yet."""
    load_log(folder_store, ITEMS)
    assert discover(dataset=DATASET) == {"dataset": DATASET, "changed": ["interactions"]}
    with pytest.raises(NothingToDo, match="no media"):
        discover(dataset=DATASET)
