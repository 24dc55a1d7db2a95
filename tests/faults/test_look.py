"""What the kills look for is found where it is there."""

from __future__ import annotations

import pytest

from tasks.store import History, Store, write_artefact
from tasks.store.pointers import point
from tests.faults.look import look
from tests.faults.world import DATASET
from tests.steps.night import spoil

pytestmark = pytest.mark.services


def write(store: Store, prefix: str) -> None:
    """An artefact of one file."""
    with write_artefact(store, prefix) as out:
        out.json("facts.json", {"a": 1})


def test_whole_artefacts_are_seen_and_nothing_is_wrong(folder_store: Store, metrics_dsn: str) -> None:
    """A sound store, with a pointer to what is there."""
    write(folder_store, "interactions/films/one")
    point(folder_store, "interactions/films", "one")
    seen = look()
    assert (seen.half_written, seen.wrong_pointers) == ([], [])
    assert set(seen.artefacts) == {"interactions/films/one"}


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_an_artefact_that_is_not_as_its_manifest_says_is_half_written(
    folder_store: Store, metrics_dsn: str, damage: str
) -> None:
    """Whatever happened to its file."""
    write(folder_store, "runs/r1/scan")
    spoil(folder_store, "runs/r1/scan/facts.json", damage)
    assert [what.partition(":")[0] for what in look().half_written] == ["runs/r1/scan/manifest.json"]


def test_a_part_of_the_cache_that_was_cut_is_half_written(folder_store: Store, metrics_dsn: str) -> None:
    """Its name is the hash of its bytes."""
    folder_store.put(f"embeddings/e/text/part-{'0' * 64}.parquet", b"cut")
    assert len(look().half_written) == 1


def test_what_names_nothing_whole_is_a_wrong_pointer(folder_store: Store, history: History, metrics_dsn: str) -> None:
    """A version of a log, a release that is served, and a training."""
    point(folder_store, "interactions/films", "gone")
    history.start_run("r1", DATASET, {})
    history.record_training("r1", "ease", "e", 7, {}, "runs/r1/train-ease")
    assert history.promote(DATASET, "r1", "ease", "gone", {}, "h", seen=None)
    seen = look()
    assert len(seen.wrong_pointers) == 3
    for part in ("current.json", "release gone", "rec.training"):
        assert any(part in pointer for pointer in seen.wrong_pointers)
