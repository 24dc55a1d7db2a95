"""`align`: one row an item in every modality."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.errors import NotFound, ValidationFailed
from tasks.runs.config import RunConfig
from tasks.runs.plan import Plan
from tasks.steps.align import align
from tasks.store import Artefact, Store, read_artefact, write_artefact
from tests.steps.shop import item_ids

RUN = "one"
WIDTHS = {"image": 4, "audio": 3, "text": 2}


def vector(modality: str, item: str) -> np.ndarray:
    """A row that says whose it is."""
    return np.full(WIDTHS[modality], float(sum(map(ord, item))) + len(modality), dtype=np.float32)


def scanned(store: Store) -> Artefact:
    """What `scan` wrote."""
    return read_artefact(store, f"runs/{RUN}/scan")


def reach_align(store: Store, encoded: Mapping[str, Sequence[str]], rejected: Mapping[str, int] | None = None) -> None:
    """What `scan` and `extract` have left: the items of each modality in the order in which that modality has them."""
    config = RunConfig(dataset="shop", modalities=list(encoded), encoder="tiny", models=["popularity"], missing="drop")
    plan = Plan(run=RUN, config=config, interactions="interactions/shop/one", inputs_hash="0" * 64)
    with write_artefact(store, f"runs/{RUN}/scan") as out:
        out.json("plan.json", plan.model_dump(mode="json"))
        out.counts["with_all"] = 5
    for modality, items in encoded.items():
        with write_artefact(store, f"runs/{RUN}/extract-{modality}", inputs=[scanned(store)]) as out:
            rows = [vector(modality, item) for item in items]
            out.array("vectors.npy", np.array(rows, dtype=np.float32).reshape(-1, WIDTHS[modality]))
            table = {"item_id": items, "sha256": [f"{modality}-{item}" for item in items]}
            out.frame("items.csv", pd.DataFrame(table, dtype=str))
            out.counts["rejected"] = (rejected or {}).get(modality, 0)


def aligned(store: Store) -> Artefact:
    """What `align` wrote."""
    return read_artefact(store, f"runs/{RUN}/align")


def check(store: Store, encoded: Mapping[str, Sequence[str]], order: Sequence[str]) -> None:
    """Every array has the items in this order, each row its own item's, and the keys beside it say so."""
    found = aligned(store)
    features = found.frame("item_features.csv", dtype=str, keep_default_na=False)
    assert list(features.columns) == ["item_id", "idx"]
    assert (list(features["item_id"]), list(features["idx"])) == (list(order), [str(i) for i in range(len(order))])
    for modality in encoded:
        array = found.array(f"{modality}.npy")
        assert (array.dtype, array.shape) == (np.float32, (len(order), WIDTHS[modality]))
        np.testing.assert_array_equal(array, [vector(modality, item) for item in order])
        keys = found.frame(f"{modality}_items.csv", dtype=str, keep_default_na=False)
        assert list(keys["item_id"]) == list(order)
        assert list(keys["sha256"]) == [f"{modality}-{item}" for item in order]


@pytest.mark.parametrize(
    ("items", "order"),
    [
        (["10", "9", "100", "1"], ["1", "9", "10", "100"]),
        (["10", "9", "b", "100"], ["10", "100", "9", "b"]),
        (["007", "7a", "NA", "1e3"], ["007", "1e3", "7a", "NA"]),
    ],
    ids=["integers", "one is none", "what tables mistake for other things"],
)
def test_items_are_in_the_order_of_their_ids(folder_store: Store, items: list[str], order: list[str]) -> None:
    """By number where all are numbers, else as words; and ids stay as they are written."""
    encoded = {"image": items, "text": items[::-1]}
    reach_align(folder_store, encoded)
    align(run=RUN)
    check(folder_store, encoded, order)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(0, 30).map(str), unique=True), min_size=1, max_size=3))
def test_every_row_is_its_items_own(folder_store: Store, lists: list[list[str]]) -> None:
    """Whatever each modality could encode, in whatever order: kept is what all have, and nobody gets another's row."""
    encoded = dict(zip(WIDTHS, lists, strict=False))
    reach_align(folder_store, encoded)
    common = sorted(set.intersection(*map(set, lists)), key=int)
    if common:
        assert align(run=RUN)["kept"] == len(common)
        check(folder_store, encoded, common)
    else:
        with pytest.raises(ValidationFailed, match="no item could be encoded in all of its modalities"):
            align(run=RUN)


def test_counts_are_said_as_in_the_source_paper(folder_store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """With all modalities, corrupt, kept."""
    encoded = {"image": ["1", "2", "3", "4", "5"], "audio": ["1", "2", "4", "5"], "text": ["2", "3", "4", "5"]}
    reach_align(folder_store, encoded, {"audio": 1, "text": 1})
    with caplog.at_level(logging.INFO):
        closing = align(run=RUN)
    counts = {"with_all": 5, "rejected_image": 0, "rejected_audio": 1, "rejected_text": 1, "kept": 3}
    assert closing == {"run": RUN, **counts}
    assert aligned(folder_store).manifest.counts == counts
    said = "5 items with all of image, audio, text, 0 corrupt image, 1 corrupt audio, 1 corrupt text, 3 kept"
    assert said in caplog.messages


def test_it_says_what_it_was_made_from(folder_store: Store) -> None:
    """The manifest pins the plan and each extraction by its content."""
    reach_align(folder_store, {"image": ["1"], "text": ["1"]})
    align(run=RUN)
    prefixes = [f"runs/{RUN}/{step}" for step in ("scan", "extract-image", "extract-text")]
    made_from = {prefix: read_artefact(folder_store, prefix).manifest.content for prefix in prefixes}
    assert aligned(folder_store).manifest.inputs == made_from


def test_an_extraction_that_is_missing_is_named(folder_store: Store) -> None:
    """With the step that makes it."""
    reach_align(folder_store, {"image": ["1"], "text": ["1"]})
    folder_store.delete(f"runs/{RUN}/extract-text/manifest.json")
    with pytest.raises(NotFound, match="extract-text"):
        align(run=RUN)


def test_ids_come_from_what_was_written(folder_store: Store) -> None:
    """An extraction that lists an item under a false name is not put right here: the keys beside the array show it."""
    encoded = {"image": ["1", "2"], "text": ["1", "2"]}
    reach_align(folder_store, encoded)
    with write_artefact(folder_store, f"runs/{RUN}/extract-text", inputs=[scanned(folder_store)]) as out:
        out.array("vectors.npy", np.stack([vector("text", item) for item in ("1", "2")]))
        out.frame("items.csv", pd.DataFrame({"item_id": ["2", "1"], "sha256": ["text-1", "text-2"]}))
        out.counts["rejected"] = 0
    align(run=RUN)
    assert item_ids(aligned(folder_store), "text_items.csv") == ["1", "2"]
    keys = aligned(folder_store).frame("text_items.csv")
    assert list(keys["sha256"]) == ["text-2", "text-1"]
