"""`offline`: three encoders under one name, each of a modality of its own."""

from __future__ import annotations

import pytest

from tasks.encoders import BUNDLES, load_encoder, members_of
from tasks.encoders.identity import identify
from tasks.errors import BadInput
from tasks.steps.encoders import encoders
from tasks.store import Store
from tests.encoders.media import picture, saved


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_has_the_vectors_of_its_members(folder_store: Store, name: str) -> None:
    """Under their identities, so that the caches are theirs; each modality is of one member."""
    known = identify(folder_store, name)
    theirs = [identify(folder_store, member) for member in BUNDLES[name]]
    assert known == {modality: identity for one in theirs for modality, identity in one.items()}
    assert len(known) == sum(map(len, theirs))
    bundle = load_encoder(folder_store, name)
    assert {modality: encoder.identity for modality, encoder in bundle.items()} == known


def test_only_what_is_looked_up_is_loaded(folder_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures need no network of sounds."""
    loaded: list[str] = []

    def load(store: Store, name: str, *, device: str) -> object:
        loaded.append(name)
        return load_encoder(store, name, device=device)

    monkeypatch.setattr("tasks.encoders.bundle.load_encoder", load)
    bundle = load_encoder(folder_store, "offline")
    assert set(bundle) == {"image", "audio", "text"}
    encoder = bundle["image"]
    assert bundle["image"] is encoder
    assert loaded == ["mobilenet"]
    assert encoder.encode([encoder.decode(saved(picture()))]).shape == (1, encoder.width)


def test_a_bandwidth_is_of_sounds_alone_and_a_dtype_of_all(folder_store: Store) -> None:
    """As with one encoder that knows several modalities; what one member cannot do is refused by its name."""
    assert members_of("offline.7200hz") == ["mobilenet", "musicnn.7200hz", "minilm"]
    plain, band = identify(folder_store, "offline"), identify(folder_store, "offline.7200hz")
    assert {modality for modality in plain if plain[modality] != band[modality]} == {"audio"}
    with pytest.raises(BadInput, match="encoder 'mobilenet' in bfloat16 found"):
        identify(folder_store, "offline.bfloat16")
    assert members_of("ours.7200hz") == ["ours.7200hz"]


def test_a_device_that_is_not_there_is_named_at_once(folder_store: Store) -> None:
    """Before anything is looked up."""
    with pytest.raises(BadInput, match="device 'tpu' found"):
        load_encoder(folder_store, "offline", device="tpu")


def test_it_is_listed_with_what_it_needs(folder_store: Store) -> None:
    """And what it encodes."""
    rows = encoders()["encoders"]
    assert isinstance(rows, list)
    (row,) = [row for row in rows if row["name"] == "offline"]
    assert row["modalities"] == ["image", "audio", "text"]
    assert row["needs"] == "mobilenet, musicnn, minilm"
