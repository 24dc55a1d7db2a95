"""`encode`: several processes fill the cache, and `extract` then only assembles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tasks.errors import BadInput, TaskError
from tasks.steps.encode import encode
from tasks.steps.extract import extract
from tasks.store import History, Store
from tests.steps.shop import TinyEncoder, drop, encoders, extracted, key_of, load_log, load_matrix, look, medium, use

pytestmark = pytest.mark.services
ITEMS = [str(number) for number in range(1, 31)]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> dict[str, TinyEncoder]:
    """The encoders that the steps find."""
    found = encoders()
    use(monkeypatch, found)
    return found


@pytest.fixture
def open_shop(
    history: History, tiny: dict[str, TinyEncoder], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[str], Store]:
    """A function that makes a shop of thirty items in a store of its own and scans it as run `one`."""
    from tasks.store import open_store

    def make(name: str) -> Store:
        monkeypatch.setenv("RECSYS_STORE", f"file://{tmp_path / name}")
        store = open_store()
        drop(store, ITEMS)
        store.put(key_of("text", "3"), b"")
        load_log(store, ITEMS)
        look("one")
        return store

    return make


def test_shards_and_then_extract_give_what_extract_gives_alone(
    open_shop: Callable[[str], Store], tiny: dict[str, TinyEncoder]
) -> None:
    """Bit for bit, with the same refused files; the parts are disjoint and complete, and extract encodes nothing."""
    for modality in ("image", "text"):
        store = open_shop(f"alone-{modality}")
        extract(run="one", feature=modality)
        alone = extracted(store, "one", modality).manifest.files
        store, encoder = open_shop(f"shared-{modality}"), tiny[modality]
        before = encoder.decoded
        parts = [encode(run="one", feature=modality, shard=f"{part}/2") for part in (1, 2)]
        assert [part["cached"] for part in parts] == [0, 0]
        assert sum(int(str(part["found"])) for part in parts) == len(ITEMS)
        assert sum(int(str(part["encoded"])) + int(str(part["rejected"])) for part in parts) == len(ITEMS)
        assert min(int(str(part["found"])) for part in parts) > 0
        assert encoder.decoded - before == len(ITEMS)
        assert extract(run="one", feature=modality)["extracted"] == 0
        assert encoder.decoded - before == len(ITEMS)
        assert extracted(store, "one", modality).manifest.files == alone


def test_a_shard_is_always_the_same_and_is_encoded_once(
    open_shop: Callable[[str], Store], tiny: dict[str, TinyEncoder]
) -> None:
    """It depends on the content alone: a repeated part finds all of it in the cache, another finds none."""
    store = open_shop("shop")
    first = encode(run="one", feature="image", shard="2/3")
    again = encode(run="one", feature="image", shard="2/3")
    assert (again["found"], again["cached"], again["encoded"]) == (first["found"], first["found"], 0)
    for item in ITEMS:  # the same content under other names is in the same part
        store.delete(key_of("image", item))
        store.put(key_of("image", f"x{item}"), medium("image", item))
        for modality in ("audio", "text"):
            store.put(key_of(modality, f"x{item}"), medium(modality, item))
    look("two")
    renamed = encode(run="two", feature="image", shard="2/3")
    assert (renamed["found"], renamed["cached"]) == (first["found"], first["found"])
    assert encode(run="two", feature="image", shard="1/3")["cached"] == 0


def test_without_a_shard_everything_is_encoded(open_shop: Callable[[str], Store]) -> None:
    """One part of one."""
    open_shop("shop")
    assert encode(run="one", feature="audio")["encoded"] == len(ITEMS)


def test_a_ready_made_matrix_leaves_nothing_to_encode(
    folder_store: Store, history: History, tiny: dict[str, TinyEncoder]
) -> None:
    """So whatever is started for every feature of a run may be started for this one."""
    drop(folder_store, ITEMS, ["image"])
    load_matrix(folder_store, "text", ITEMS)
    load_log(folder_store, ITEMS)
    look("one", modalities="image,text")
    assert encode(run="one", feature="text")["found"] == 0
    assert not list(folder_store.list("embeddings/"))


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "1/0", "a/b", "-1/2", "1/2/3", "", "1/1000000"])
def test_a_shard_that_is_none_is_refused(shard: str) -> None:
    """Before anything is read."""
    with pytest.raises(BadInput, match="expected i/n with i from 1 to n, such as 2/4"):
        encode(run="one", feature="image", shard=shard)


def test_what_the_run_does_not_embed_is_refused(open_shop: Callable[[str], Store]) -> None:
    """With what it does."""
    open_shop("shop")
    with pytest.raises(BadInput, match="feature 'smell' found, expected one of the run's: image, audio, text"):
        encode(run="one", feature="smell")


def test_the_encoder_must_be_the_one_of_the_plan(
    open_shop: Callable[[str], Store], tiny: dict[str, TinyEncoder]
) -> None:
    """Weights that were exchanged in the middle of a run are not used."""
    open_shop("shop")
    tiny["text"].identity = "tiny-text@ffffffffffff-t1-float32"
    with pytest.raises(TaskError, match="tiny-text@ffffffffffff-t1-float32 found, expected tiny-text@0123456789ab"):
        encode(run="one", feature="text")


def test_a_vector_in_the_cache_is_the_one_that_extract_writes(open_shop: Callable[[str], Store]) -> None:
    """Row for row, by hand."""
    store = open_shop("shop")
    encode(run="one", feature="text", shard="1/1")
    extract(run="one", feature="text")
    rows = extracted(store, "one", "text").array("vectors.npy")
    numbers = [int(item) for item in ITEMS if item != "3"]
    np.testing.assert_array_equal(rows[:, 0], np.array([1 + n for n in numbers], dtype=np.float32))


def test_weights_that_change_while_the_command_begins_are_noticed(
    open_shop: Callable[[str], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache was opened for the encoder of the plan, and another one is loaded: nothing of it is kept."""
    store = open_shop("file")
    changed = encoders()
    for encoder in changed.values():
        encoder.identity = "tiny-other@ba9876543210-t1-float32"
    monkeypatch.setattr("tasks.runs.embeddings.load_encoder", lambda *_, **__: changed)
    with pytest.raises(TaskError, match="tiny-other@ba9876543210-t1-float32 found, expected tiny-image@"):
        encode(run="one", feature="image")
    assert not list(store.list("embeddings/"))
