"""What `train-encoder` keeps of one file, without a training."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.encoders.audioclip.narrow import MOST_CONTEXTS, Reader
from tasks.encoders.audioclip.tokenizer import contexts
from tasks.media import BadMedia
from tasks.runs.inventory import content_hashes, list_media
from tasks.runs.training_source import hash_media
from tasks.store import Store
from tasks.store.layout import index_key
from tests.encoders.audioclip_world import TINY, random_model, text


@pytest.mark.parametrize("sentences", [1, 12, 80])
def test_all_contexts_of_a_text_are_kept(folder_store: Store, sentences: int) -> None:
    """Training may draw any of them, and of a very long text the first ones."""
    data = text(3, sentences)
    folder_store.put("media/films/text/a.txt", data)
    (info,) = folder_store.list("media/")
    whole = contexts(data.decode(), TINY.context_length)
    found = Reader(folder_store, random_model(), 0).pieces("text", info)
    assert (len(whole) == 1) == (sentences == 1)
    assert (len(whole) > MOST_CONTEXTS) == (sentences == 80)
    assert np.array_equal(found, whole[:MOST_CONTEXTS])


def test_a_text_without_words_is_bad(folder_store: Store) -> None:
    """It is said, so that the item is left out."""
    folder_store.put("media/films/text/a.txt", b" \n ")
    (info,) = folder_store.list("media/")
    with pytest.raises(BadMedia):
        Reader(folder_store, random_model(), 0).pieces("text", info)


def test_what_a_scan_has_hashed_is_not_read_again(folder_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lineage of a few items needs no download, and leaves the hashes of the others known."""
    for item in "abc":
        folder_store.put(f"media/films/text/{item}.txt", text(3, 1))
    objects = list_media(folder_store, "films")
    content_hashes(folder_store, "films", objects)
    index = folder_store.get(index_key("films"))
    few = [{"text": info} for info in objects["text"][:2]]
    read: list[str] = []
    get = type(folder_store).get
    monkeypatch.setattr(type(folder_store), "get", lambda self, key, **o: read.append(key) or get(self, key, **o))
    first, other = hash_media(folder_store, "films", few), hash_media(folder_store, "films", few[:1])
    assert set(read) == {index_key("films")}
    assert set(first) == {"media/films/"}
    assert first != other
    assert folder_store.get(index_key("films")) == index
