"""A run that fills what is missing: every step up to the dataset keeps items that lack a feature."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from tasks.data import Interactions
from tasks.data.missing import Missing, fill
from tasks.errors import BadInput
from tasks.runs.plan import read_plan
from tasks.runs.prepared import load_dataset, load_outside
from tasks.steps.align import align
from tasks.steps.check_dataset import check_dataset
from tasks.steps.check_embeddings import check_embeddings
from tasks.steps.extract import extract
from tasks.steps.load_embeddings import load_embeddings
from tasks.steps.prepare import prepare
from tasks.steps.scan import scan
from tasks.store import Artefact, Store, read_artefact, write_artefact
from tasks.store.pointers import point

pytestmark = pytest.mark.slow  # each has two suites of expectations
RUN, DATASET, USERS = "one", "films", 40
ITEMS = [f"tt{number:03d}" for number in range(60)]  # the last ten are in no log
KNOWN = 50
LACK = {"image": [3, 17, 55], "text": [5, 17 + 1, 56, 57]}  # places in ITEMS
WIDTHS = {"image": 4, "text": 3}


def rows_of(modality: str) -> np.ndarray:
    """(items, width): the vectors that the items would have."""
    rng = np.random.default_rng(len(modality))
    return rng.normal(size=(len(ITEMS), WIDTHS[modality])).astype(np.float32)


@pytest.fixture
def films(folder_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Two ready-made matrices with gaps, and a log of most of the items."""
    monkeypatch.setenv("RECSYS_METRICS_DSN", "none")
    for modality, lacking in LACK.items():
        has = np.setdiff1d(np.arange(len(ITEMS)), lacking)
        np.save(tmp_path / "rows.npy", rows_of(modality)[has])
        (tmp_path / "items.txt").write_text("\n".join(ITEMS[row] for row in has))
        load_embeddings(
            dataset=DATASET,
            modality=modality,
            vectors=tmp_path / "rows.npy",
            items=tmp_path / "items.txt",
            feature=None,
        )
    users = np.repeat(np.arange(USERS, dtype=np.int32), 20)
    items = (users + np.tile(np.arange(0, 40, 2, dtype=np.int32), USERS)) % KNOWN
    ids = np.array([f"u{n}" for n in range(USERS)]), np.array(ITEMS[:KNOWN])
    with write_artefact(folder_store, f"interactions/{DATASET}/one") as out:
        Interactions(users, items.astype(np.int32), *ids).save(out.file("interactions.parquet"))
    point(folder_store, f"interactions/{DATASET}", "one")
    return folder_store


def reach(tmp_path: Path, missing: Missing, upto: int = 6) -> None:
    """The first steps of a run with this policy."""
    path = tmp_path / "preset.yaml"
    path.write_text(
        f"dataset: {DATASET}\nmodalities: [image, text]\nencoder: none\nmodels: [popularity]\nmissing: {missing}\n"
    )
    scan(run=RUN, config=str(path))
    for modality in WIDTHS:
        extract(run=RUN, feature=modality)
    for step in (align, check_embeddings, prepare, check_dataset)[: upto - 2]:
        step(run=RUN)


def prepared(store: Store) -> Artefact:
    """What `prepare` wrote."""
    return read_artefact(store, f"runs/{RUN}/prepare")


@pytest.mark.parametrize("missing", ["zero", "mean", "linear", "em"])
def test_an_item_that_lacks_a_feature_stays(films: Store, tmp_path: Path, missing: Missing) -> None:
    """Known items and arrivals: what they have is theirs, the rest is as `fill` says, fitted on known items alone."""
    reach(tmp_path, missing)
    data, outside = load_dataset(films, RUN), load_outside(films, RUN)
    ids = outside.interactions.item_ids.tolist()
    assert sorted(ids) == ITEMS
    order = [ITEMS.index(one) for one in ids]
    wanted = fill(
        {name: rows_of(name)[order] for name in WIDTHS},
        {name: ~np.isin(order, LACK[name]) for name in WIDTHS},
        np.arange(len(ids)) < len(data.item_ids),
        missing,
    )
    assert len(data.item_ids) == KNOWN
    for name, rows in wanted.items():
        both = np.concatenate([data.features[name], outside.features[name]])
        np.testing.assert_array_equal(both, rows)


def test_each_filled_vector_is_named(films: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With the number of its item; counts say how many."""
    with caplog.at_level(logging.INFO):
        reach(tmp_path, "mean")
    table = prepared(films).text_frame("filled.csv", idx=np.int64)
    found = set(zip(table["item_id"], table["feature"], strict=True))
    assert found == {(ITEMS[row], name) for name, lacking in LACK.items() for row in lacking}
    ids = load_outside(films, RUN).interactions.item_ids
    assert ids[table["idx"]].tolist() == table["item_id"].tolist()
    counts = prepared(films).manifest.counts
    assert (counts["filled_image"], counts["filled_text"]) == (3, 4)
    assert "missing of 60 items: 3 image, 4 text; filled by mean" in caplog.messages


def test_drop_leaves_them_out(films: Store, tmp_path: Path) -> None:
    """As a run does that says nothing about it."""
    reach(tmp_path, "drop")
    kept = set(load_outside(films, RUN).interactions.item_ids.tolist())
    assert kept == {one for row, one in enumerate(ITEMS) if row not in LACK["image"] + LACK["text"]}
    assert prepared(films).text_frame("filled.csv").empty


def test_an_item_without_a_feature_is_no_input_of_a_run_that_drops_it(films: Store, tmp_path: Path) -> None:
    """Two policies are two inputs, since they have other results."""
    hashes = []
    for missing in ("drop", "mean", "mean"):
        reach(tmp_path, missing, upto=2)  # type: ignore[arg-type]
        hashes.append(read_plan(films, RUN).inputs_hash)
    assert hashes[0] != hashes[1] == hashes[2]


def test_align_before_another_policy_is_refused(films: Store, tmp_path: Path) -> None:
    """What `align` kept has gaps, and the plan says now that there are none: it is run again, with the new plan."""
    reach(tmp_path, "mean", upto=4)
    reach(tmp_path, "drop", upto=2)
    with pytest.raises(BadInput, match="runs/one/align was made from another runs/one/scan"):
        prepare(run=RUN)
