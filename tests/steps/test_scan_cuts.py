"""`scan` pins the cuts of the served release, so that a run by `time` holds out what that release has not learned."""

from __future__ import annotations

import pytest

from tasks.runs.plan import read_plan
from tasks.store import History, Store, write_artefact
from tests.steps.shop import DATASET, decide, drop, encoders, load_log, look, use, warnings_of

pytestmark = pytest.mark.services
ITEMS = [str(number) for number in range(1, 7)]


@pytest.fixture
def shop(folder_store: Store, history: History, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Six items with all media, a log with times, and the release of a first run."""
    use(monkeypatch, encoders())
    drop(folder_store, ITEMS)
    load_log(folder_store, ITEMS)
    look("one", split="time")
    decide(folder_store, history, "one")
    return folder_store


def release(store: Store, **parameters: object) -> None:
    """What the release of the first run says of itself."""
    with write_artefact(store, f"releases/{DATASET}/release of one", parameters=parameters) as out:
        out.json("metrics.json", {})


def pinned(store: Store, split: str) -> tuple[int, int] | None:
    """The cuts in the plan of another run."""
    look("two", split=split, force=True)
    return read_plan(store, "two").cuts


def test_a_run_by_time_has_the_cuts_of_the_served_release(shop: Store) -> None:
    """And a run by another split has none."""
    release(shop, split="time", cuts=[7, 12])
    assert read_plan(shop, "one").cuts is None
    assert pinned(shop, "time") == (7, 12)
    assert pinned(shop, "random") is None


def test_a_release_of_another_split_pins_nothing(shop: Store, caplog: pytest.LogCaptureFixture) -> None:
    """It has no cuts; neither has one of an earlier version."""
    release(shop, split="random")
    assert pinned(shop, "time") is None
    assert warnings_of(caplog) == []


def test_a_release_that_is_gone_pins_nothing_and_that_is_said(shop: Store, caplog: pytest.LogCaptureFixture) -> None:
    """The run goes on with cuts of its own."""
    assert pinned(shop, "time") is None
    assert any("release of one is not in the store" in text for text in warnings_of(caplog))


def test_the_cuts_do_not_make_a_run_new(shop: Store) -> None:
    """They follow from the log: the same inputs have the same hash with pinned cuts and without."""
    release(shop, split="time", cuts=[7, 12])
    assert pinned(shop, "time") == (7, 12)
    assert read_plan(shop, "one").inputs_hash == read_plan(shop, "two").inputs_hash
