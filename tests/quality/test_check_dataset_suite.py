"""The suite for prepared datasets: a good one passes, and every planted fault fails exactly what it should."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.data import Interactions
from tasks.errors import BadInput
from tasks.quality import DatasetTables, Report, Since, check_dataset
from tests.quality.test_log_rows import BESIDE_LOG

USERS, ITEMS, ALL, K = 30, 20, 26, 5
ITEM_IDS = [f"film-{number:04d}" for number in range(ALL)]
KEPT = np.array([number for number in range(ALL) if number % 5 != 4])[:ITEMS]  # some items were filtered away
FIRST = Since(last=None, known={}, now=2_000_000_000, limits={})  # nothing is served yet
REST = [row for row in range(ALL) if row not in KEPT]


@dataclass
class Prepared:
    """A prepared dataset; a good one until somebody spoils it."""

    data: DatasetTables

    def check(self) -> Report:
        """The report on this dataset, which ought to be a 5-core."""
        return check_dataset(self.data, k=K, since=FIRST)

    def edit(self, name: str) -> pd.DataFrame:
        """A copy of one of the tables, put in its place."""
        frame: pd.DataFrame = getattr(self.data, name).copy()
        self.put(**{name: frame})
        return frame

    def put(self, **tables: Any) -> None:
        """Exchange whole tables."""
        self.data = replace(self.data, **tables)

    def log(self, frame: pd.DataFrame) -> None:
        """Exchange the log and what the manifest states of it."""
        self.put(interactions=frame, counts={**self.data.counts, "interactions": len(frame)})


@pytest.fixture
def prepared() -> Prepared:
    """A good dataset: 30 users with ten items each out of 20, eight of them for training."""
    users = np.repeat(np.arange(USERS), 10)
    items = (users + np.tile(np.arange(0, 20, 2), USERS)) % ITEMS
    labels = np.tile([0, 0, 0, 0, 1, 0, 0, 2, 0, 0], USERS)
    rng = np.random.default_rng(5)
    sources = {modality: rng.normal(size=(ALL, 8)).astype(np.float32) for modality in ("image", "text")}
    kept = [ITEM_IDS[number] for number in KEPT]
    log = Interactions(  # the rows of the dataset, and one about an arrival
        users=np.append(users, 0).astype(np.int32),
        items=np.append(items, ITEMS).astype(np.int32),
        user_ids=np.array([f"user-{number}" for number in range(USERS)]),
        item_ids=np.array([*kept, ITEM_IDS[REST[0]]]),
        labels=np.append(labels, 0).astype(np.int8),
    )
    data = DatasetTables(
        interactions=pd.DataFrame({"userID": users, "itemID": items, "x_label": labels}),
        users=pd.DataFrame({"user_id": [f"user-{number}" for number in range(USERS)], "idx": range(USERS)}),
        items=pd.DataFrame({"item_id": kept, "idx": range(ITEMS)}),
        item_features=pd.DataFrame({"item_id": kept, "idx": range(ITEMS), "source_idx": KEPT}),
        features={modality: source[KEPT] for modality, source in sources.items()},
        source_items=pd.DataFrame({"item_id": ITEM_IDS, "idx": range(ALL)}),
        sources=sources,
        source_keys={modality: pd.DataFrame({"item_id": ITEM_IDS}) for modality in sources},
        filled=pd.DataFrame({"item_id": [], "idx": [], "feature": []}),
        counts={"users": USERS, "items": ITEMS, "interactions": len(users)},
        arrivals=pd.DataFrame(
            {"item_id": [ITEM_IDS[row] for row in REST], "idx": range(ITEMS, ALL), "source_idx": REST}
        ),
        arriving={modality: source[REST] for modality, source in sources.items()},
        outside=pd.DataFrame({"userID": [0], "itemID": [ITEMS]}),
        other_users=pd.DataFrame({"user_id": [], "idx": []}),
        log=log,
        selected=log.take(np.arange(len(log)) < len(users)),
        recounted={"train": int((labels == 0).sum())},
        stated={"train": int((labels == 0).sum())},
        current={"prepare made from align": True},
    )
    return Prepared(data)


def failed(report: Report) -> set[tuple[str, str]]:
    """(expectation, column) of all that failed, but for those beside the log, which have their own faults."""
    return {(check.expectation, check.column) for check in report.failures if check.expectation not in BESIDE_LOG}


def repeat_pair(p: Prepared) -> None:
    p.log(pd.concat([p.data.interactions, p.data.interactions.iloc[[0]]], ignore_index=True))


def break_core_of_item(p: Prepared) -> None:
    log = p.data.interactions
    rows = log.index[(log["itemID"] == 3) & (log["x_label"] == 0)]
    kept = log.index[(log["itemID"] == 3) & (log["x_label"] == 0)][:1]
    p.log(log.drop(index=[*rows.difference(kept), *log.index[(log["itemID"] == 3) & (log["x_label"] > 0)]]))


def break_core_of_user(p: Prepared) -> None:
    log = p.data.interactions
    p.log(log.drop(index=log.index[(log["userID"] == 3)][4:]))


def unlog_item(p: Prepared) -> None:
    p.log(p.data.interactions[p.data.interactions["itemID"] != 3])


def unlog_last_user(p: Prepared) -> None:
    p.log(p.data.interactions[p.data.interactions["userID"] != USERS - 1])


def shift_items(p: Prepared) -> None:
    log = p.edit("interactions")
    log["itemID"] += 1


def gap_in_everything(p: Prepared) -> None:
    for name, column in (("interactions", "itemID"), ("items", "idx")):
        frame = p.edit(name)
        frame.loc[frame[column] >= 3, column] += 1


def untrain_user(p: Prepared) -> None:
    log = p.edit("interactions")
    log.loc[log["userID"] == 3, "x_label"] = 1


def untrain_item(p: Prepared) -> None:
    log = p.edit("interactions")
    log.loc[log["itemID"] == 3, "x_label"] = 2


def no_validation(p: Prepared) -> None:
    log = p.edit("interactions")
    log.loc[log["x_label"] == 1, "x_label"] = 0


def only_test(p: Prepared) -> None:
    p.edit("interactions")["x_label"] = 2


def odd_label(p: Prepared) -> None:
    p.edit("interactions").loc[0, "x_label"] = 3


def missing_label(p: Prepared) -> None:
    log = p.edit("interactions")
    log["x_label"] = log["x_label"].astype(float)
    log.loc[0, "x_label"] = np.nan


def missing_user(p: Prepared) -> None:
    log = p.edit("interactions")
    log["userID"] = log["userID"].astype(float)
    log.loc[0, "userID"] = np.nan


def fractional_item(p: Prepared) -> None:
    log = p.edit("interactions")
    log["itemID"] = log["itemID"].astype(float)
    log.loc[0, "itemID"] = 0.5


def raw_ids_in_log(p: Prepared) -> None:
    log = p.edit("interactions")
    log["itemID"] = [f"film-{item}" for item in log["itemID"]]


def double_external_id(p: Prepared) -> None:
    p.edit("users").loc[4, "user_id"] = "user-3"


def double_index(p: Prepared) -> None:
    p.edit("users").loc[4, "idx"] = 3


def blank_external_id(p: Prepared) -> None:
    p.edit("users").loc[4, "user_id"] = None


def nameless_index(p: Prepared) -> None:
    p.edit("users").loc[4, "idx"] = -4


def shorten_mapping(p: Prepared) -> None:
    p.put(users=p.data.users.iloc[:-1], counts={**p.data.counts, "users": USERS - 1})


def swap_in_mapping(p: Prepared) -> None:
    p.edit("items").loc[[3, 4], "item_id"] = [ITEM_IDS[KEPT[4]], ITEM_IDS[KEPT[3]]]


def wrong_reindexing(p: Prepared) -> None:
    p.put(features={**p.data.features, "text": p.data.sources["text"][:ITEMS]})


def swap_rows(p: Prepared) -> None:
    order = np.arange(ITEMS)
    order[[3, 4]] = [4, 3]
    p.put(features={**p.data.features, "image": p.data.features["image"][order]})


def flip_a_bit(p: Prepared) -> None:
    image = p.data.features["image"].copy()
    image.view(np.uint32)[3, 2] ^= 1
    p.put(features={**p.data.features, "image": image})


def plant_nan(p: Prepared) -> None:
    image = p.data.features["image"].copy()
    image[3, 2] = np.nan
    p.put(features={**p.data.features, "image": image})


def plant_nan_in_source_too(p: Prepared) -> None:
    source = p.data.sources["image"].copy()
    source[KEPT[3], 2] = np.nan
    p.put(sources={**p.data.sources, "image": source}, features={**p.data.features, "image": source[KEPT]})


def drop_row(p: Prepared) -> None:
    p.put(features={**p.data.features, "text": p.data.features["text"][:-1]})


def drop_source_row(p: Prepared) -> None:
    p.put(sources={**p.data.sources, "text": p.data.sources["text"][:-1]})


def other_dtype(p: Prepared) -> None:
    p.put(features={**p.data.features, "text": p.data.features["text"].astype(np.float64)})


def wrong_source_idx(p: Prepared) -> None:
    p.edit("item_features").loc[3, "source_idx"] = KEPT[4]


def source_idx_out_of_range(p: Prepared) -> None:
    p.edit("item_features").loc[3, "source_idx"] = 10_000


def wrong_idx(p: Prepared) -> None:
    frame = p.edit("item_features")
    frame["idx"] = frame["idx"].replace(3, 10_000)


def wrong_counts(p: Prepared) -> None:
    p.put(counts={"users": USERS, "items": ITEMS + 1}, stated={"train": 1})


def older_source(p: Prepared) -> None:
    p.put(current={"prepare made from align": False})


def empty_log(p: Prepared) -> None:
    p.log(p.data.interactions.iloc[:0])


def empty_everything(p: Prepared) -> None:
    for name in ("users", "items", "item_features", "interactions"):
        p.put(**{name: getattr(p.data, name).iloc[:0]})
    p.put(features={name: array[:0] for name, array in p.data.features.items()})
    p.put(arrivals=p.data.arrivals.iloc[:0], arriving={name: array[:0] for name, array in p.data.arriving.items()})
    p.put(counts={"users": 0, "items": 0, "interactions": 0})


def drop_arrival_row(p: Prepared) -> None:
    p.put(arriving={**p.data.arriving, "text": p.data.arriving["text"][:-1]})


def count_arrivals_from_zero(p: Prepared) -> None:
    p.edit("arrivals")["idx"] -= ITEMS


def known_item_arrives(p: Prepared) -> None:
    arrivals = p.edit("arrivals")
    arrivals.loc[0, ["item_id", "source_idx"]] = [ITEM_IDS[KEPT[0]], KEPT[0]]


def copies_arrive(p: Prepared) -> None:
    p.put(arriving={name: p.data.features[name][: len(REST)] for name in p.data.arriving})


def swap_arriving_rows(p: Prepared) -> None:
    p.put(arriving={**p.data.arriving, "image": p.data.arriving["image"][::-1]})


def gap(p: Prepared, item: int) -> None:
    """The item has no text: what stands in its place is named."""
    kept = [row for row in range(ALL) if row != item]
    p.put(
        sources={**p.data.sources, "text": p.data.sources["text"][kept]},
        source_keys={**p.data.source_keys, "text": pd.DataFrame({"item_id": [ITEM_IDS[row] for row in kept]})},
        filled=pd.DataFrame({"item_id": [ITEM_IDS[item]], "idx": [3], "feature": ["text"]}),
    )


def unnamed_gap(p: Prepared) -> None:
    gap(p, KEPT[3])
    p.put(filled=p.data.filled.iloc[:0])


def named_without_gap(p: Prepared) -> None:
    p.put(filled=pd.DataFrame({"item_id": film(3), "idx": [3], "feature": ["image"]}))


def missing_label_column(p: Prepared) -> None:
    p.put(interactions=p.data.interactions.drop(columns="x_label"))


def missing_source_column(p: Prepared) -> None:
    p.put(item_features=p.data.item_features.drop(columns="source_idx"))


def film(*indices: int) -> list[str]:
    """External ids of items."""
    return [ITEM_IDS[KEPT[index]] for index in indices]


EMPTY_SPLITS = {("splits_are_used", split) for split in ("training", "validation", "test")}
FAULTS: list[tuple[Callable[[Prepared], None], set[tuple[str, str]], list[str]]] = [
    (repeat_pair, {("pairs_are_unique", "interactions")}, film(0)),
    (break_core_of_item, {("k_core_holds", "items")}, film(3)),
    (break_core_of_user, {("k_core_holds", "users")}, ["user-3"]),
    (unlog_item, {("mapping_is_used", "items")}, film(3)),
    (unlog_last_user, {("mapping_is_used", "users")}, ["user-29"]),
    (shift_items, {("mapping_is_used", "items"), ("mapping_is_complete", "items")}, [*film(0), "index 20"]),
    (
        gap_in_everything,
        {("indices_are_contiguous", "items"), ("ids_are_those_of_mapping", "item features")},
        film(*range(3, 13)),
    ),
    (untrain_user, {("all_are_trained", "users")}, ["user-3"]),
    (untrain_item, {("all_are_trained", "items")}, film(3)),
    (no_validation, {("splits_are_used", "validation")}, []),
    (
        only_test,
        {
            *(("splits_are_used", split) for split in ("training", "validation")),
            *(("all_are_trained", kind) for kind in ("users", "items")),
        },
        [f"user-{number}" for number in range(10)],
    ),
    (odd_label, {("labels_are_known", "interactions")}, film(0)),
    (missing_label, {("labels_are_known", "interactions")}, film(0)),
    (missing_user, {("ids_are_whole_numbers", "users")}, film(0)),
    (fractional_item, {("ids_are_whole_numbers", "items")}, []),
    (
        raw_ids_in_log,
        {("ids_are_whole_numbers", "items"), ("mapping_is_used", "items"), ("mapping_is_used", "users")},
        film(*range(10)),
    ),
    (double_external_id, {("external_ids_are_unique", "users")}, ["user-3"]),
    (
        double_index,
        {("indices_are_unique", "users"), ("mapping_is_complete", "users")},
        ["user-3", "user-4", "index 4"],
    ),
    (blank_external_id, {("external_ids_are_given", "users")}, [""]),
    (
        nameless_index,
        {("indices_are_whole_numbers", "users"), ("mapping_is_complete", "users")},
        ["user-4", "index 4"],
    ),
    (shorten_mapping, {("mapping_is_complete", "users")}, ["index 29"]),
    (swap_in_mapping, {("ids_are_those_of_mapping", "item features")}, film(3, 4)),
    (wrong_reindexing, {("rows_equal_their_source", "text")}, film(4, 5)),
    (swap_rows, {("rows_equal_their_source", "image")}, film(3, 4)),
    (flip_a_bit, {("rows_equal_their_source", "image")}, film(3)),
    (plant_nan, {("rows_equal_their_source", "image"), ("vectors_are_finite", "image")}, film(3)),
    (plant_nan_in_source_too, {("vectors_are_finite", "image")}, film(3)),
    (drop_row, {("rows_equal_items", "text"), ("rows_equal_kept_items", "text")}, []),
    (drop_arrival_row, {("rows_equal_arrivals", "text")}, []),
    (count_arrivals_from_zero, {("arrivals_follow_known_items", "arrivals")}, [ITEM_IDS[row] for row in REST]),
    (
        known_item_arrives,
        {
            ("arrivals_are_not_known", "arrivals"),
            *(("rows_equal_their_source", f"arriving {modality}") for modality in ("image", "text")),
        },
        film(0),
    ),
    (
        copies_arrive,
        {
            ("arrivals_are_new", "arrivals"),
            *(("rows_equal_their_source", f"arriving {modality}") for modality in ("image", "text")),
        },
        [ITEM_IDS[row] for row in REST],
    ),
    (swap_arriving_rows, {("rows_equal_their_source", "arriving image")}, [ITEM_IDS[row] for row in REST]),
    (unnamed_gap, {("rows_equal_their_source", "text")}, film(3)),
    (named_without_gap, {("rows_equal_their_source", "image")}, film(3)),
    (
        drop_source_row,
        {("source_rows_have_keys", "text"), ("rows_equal_their_source", "arriving text")},
        [ITEM_IDS[REST[-1]]],
    ),
    (other_dtype, {("rows_equal_their_source", "text")}, film(*range(10))),
    (
        wrong_source_idx,
        {
            ("source_rows_are_of_the_item", "item features"),
            *(("rows_equal_their_source", m) for m in ("image", "text")),
        },
        film(3),
    ),
    (
        source_idx_out_of_range,
        {
            ("source_rows_are_of_the_item", "item features"),
            *(("rows_equal_their_source", m) for m in ("image", "text")),
        },
        film(3),
    ),
    (wrong_idx, {("idx_is_row_number", "item features"), ("ids_are_those_of_mapping", "item features")}, film(3)),
    (wrong_counts, {("counts_are_as_stated", about) for about in ("items", "interactions", "dataset")}, ["train"]),
    (older_source, {("made_from_what_stands_there", "dataset")}, ["prepare made from align"]),
    (
        empty_log,
        {
            ("log_has_rows", "interactions"),
            *EMPTY_SPLITS,
            *(("mapping_is_used", kind) for kind in ("users", "items")),
        },
        film(*range(10)),
    ),
    (
        empty_everything,
        {
            ("log_has_rows", "interactions"),
            *EMPTY_SPLITS,
            *(("table_has_rows", f"mapping of {kind}") for kind in ("users", "items")),
            *(("table_has_rows", f"{kind} of the log") for kind in ("users", "items")),
            ("table_has_rows", "item features"),
            *(("table_has_rows", f"{modality} rows") for modality in ("image", "text")),
        },
        [],
    ),
    (missing_label_column, {("column_exists", "interactions")}, []),
    (missing_source_column, {("column_exists", "item features")}, []),
]


def test_a_good_dataset_passes(prepared: Prepared) -> None:
    """Nothing fails, everything is evaluated, and nobody is blamed."""
    report = prepared.check()
    assert failed(report) == set()
    assert report.success
    assert len(report.results) > 40
    assert all(check.sample_ids == [] and check.unexpected_count == 0 for check in report.results)


@pytest.mark.slow
@pytest.mark.parametrize("item", [KEPT[3], REST[0]])
def test_a_gap_that_is_filled_and_named_passes(prepared: Prepared, item: int) -> None:
    """Of a known item, and of an arrival: there is no row to compare it with."""
    gap(prepared, item)
    assert failed(prepared.check()) == set()


@pytest.mark.slow  # all of them together
@pytest.mark.parametrize(("fault", "expectations", "ids"), FAULTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_fault_fails_its_expectations_and_no_others(
    prepared: Prepared, fault: Callable[[Prepared], None], expectations: set[tuple[str, str]], ids: list[str]
) -> None:
    """Each planted fault fails exactly what it breaks, and the report names whom it concerns, ten at most."""
    fault(prepared)
    report = prepared.check()
    assert failed(report) == expectations
    named = [one for check in report.failures if check.expectation not in BESIDE_LOG for one in check.sample_ids]
    assert all(len(check.sample_ids) <= 10 for check in report.failures)
    assert set(ids) <= set(named) if ids else named == []


@pytest.mark.slow
def test_every_expectation_has_a_fault(prepared: Prepared) -> None:
    """There is no expectation that cannot fail."""
    planted = {name for _, expectations, _ in FAULTS for name, _ in expectations} | BESIDE_LOG
    assert {check.expectation for check in prepared.check().results} <= planted


@pytest.mark.slow
def test_the_k_of_the_core_is_a_limit(prepared: Prepared) -> None:
    """The same users, of ten interactions each, are no 11-core."""
    assert failed(check_dataset(prepared.data, k=11, since=FIRST)) == {("k_core_holds", "users")}


@pytest.mark.slow
def test_a_report_survives_json(prepared: Prepared) -> None:
    """A report holds plain values only: what is read back from JSON is the same report."""
    swap_rows(prepared)
    report = prepared.check()
    assert Report.model_validate_json(report.model_dump_json()) == report


@pytest.mark.slow
def test_the_sentence_says_how_many_failed_and_the_first(prepared: Prepared) -> None:
    """One sentence closes the step: how many of how many, and the first with expected, observed and ids."""
    swap_rows(prepared)
    report = prepared.check()
    assert report.sentence() == (
        f"check-dataset: 1 of {len(report.results)} expectations failed, first rows_equal_their_source of image: "
        "expected the bytes of the source row, or its name in filled.csv where there is none, observed 2 of 20 "
        f"otherwise ({', '.join(film(3, 4))})"
    )


def test_modalities_have_to_match(prepared: Prepared) -> None:
    """Features without a source to compare them with are no question to answer."""
    prepared.put(sources={"image": prepared.data.sources["image"]})
    with pytest.raises(BadInput, match=r"sources of \['image'\] found"):
        prepared.check()
