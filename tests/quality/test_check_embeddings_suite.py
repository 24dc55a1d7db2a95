"""The suite for embeddings: a good night passes, every planted fault fails exactly what it should and names items."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

from tasks.data import Interactions
from tasks.errors import BadInput
from tasks.quality import EmbeddingLimits, Extracted, Report, check_embeddings
from tasks.quality.drift import LIMITS
from tests.quality.origins import ARTEFACTS, sound_sources
from tests.quality.test_origins import ORIGIN_FAULTS

ITEMS, WIDTH = 60, 16
MODALITIES = ("image", "audio", "text")
IDS = [f"film-{number:04d}" for number in range(ITEMS)]


def log_of(ids: list[str], clicks: int = 5) -> Interactions:
    """A log in which every one of `ids` is clicked by `clicks` users."""
    items = np.repeat(np.arange(len(ids), dtype=np.int32), clicks)
    users = np.tile(np.arange(clicks, dtype=np.int32), len(ids))
    user_ids = np.array([f"user-{number:04d}" for number in range(clicks)])
    return Interactions(
        users=users, items=items, user_ids=user_ids, item_ids=np.array(ids, dtype=str), timestamps=None, labels=None
    )


@dataclass
class Night:
    """What a night's `align` wrote; a good one until somebody spoils it."""

    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    keys: dict[str, pd.DataFrame] = field(default_factory=dict)
    items: pd.DataFrame = field(default_factory=pd.DataFrame)
    log: Interactions = field(default_factory=lambda: log_of(IDS))
    limits: EmbeddingLimits = field(default_factory=lambda: EmbeddingLimits(widths=dict.fromkeys(MODALITIES, WIDTH)))

    sources: dict[str, Callable[[], Extracted]] = field(default_factory=dict)  # those of what `align` wrote, if empty

    def check(self) -> Report:
        """The report on this night."""
        sources = self.sources or sound_sources(self.arrays, self.keys)
        return check_embeddings(
            self.arrays,
            self.keys,
            self.items,
            self.log,
            limits=self.limits,
            sources=sources,
            **ARTEFACTS,
        )

    def keyed_by(self, ids: list[str]) -> None:
        """Give the items other ids, in all tables alike."""
        for frame in (self.items, *self.keys.values()):
            frame["item_id"] = ids


@pytest.fixture
def night() -> Night:
    """A good night: three aligned modalities of 60 items, all of them in the log."""
    rng = np.random.default_rng(3)
    good = Night(items=pd.DataFrame({"item_id": IDS, "idx": range(ITEMS)}))
    for modality in MODALITIES:
        good.arrays[modality] = rng.normal(0.3, 1.0, (ITEMS, WIDTH)).astype(np.float32)
        good.keys[modality] = pd.DataFrame({"item_id": IDS, "sha256": [f"{modality}-{one}" for one in IDS]})
    return good


def failed(report: Report) -> set[tuple[str, str]]:
    """(expectation, column) of all that failed."""
    return {(check.expectation, check.column) for check in report.failures}


def sample(report: Report, expectation: str, column: str) -> list[str]:
    """Ids named by one expectation."""
    return next(c.sample_ids for c in report.results if (c.expectation, c.column) == (expectation, column))


def drop_row(night: Night) -> None:
    night.arrays["audio"] = np.delete(night.arrays["audio"], 7, axis=0)
    night.keys["audio"] = night.keys["audio"].drop(index=7).reset_index(drop=True)


def drop_row_but_not_its_key(night: Night) -> None:
    night.arrays["audio"] = np.delete(night.arrays["audio"], ITEMS - 1, axis=0)


def duplicate_row(night: Night) -> None:
    night.arrays["image"] = np.insert(night.arrays["image"], 7, night.arrays["image"][7], axis=0)
    night.keys["image"] = pd.concat([night.keys["image"].iloc[:8], night.keys["image"].iloc[7:]], ignore_index=True)


def swap_ids(night: Night) -> None:
    night.keys["text"].loc[[7, 9], "item_id"] = [IDS[9], IDS[7]]


def add_stranger(night: Night) -> None:
    night.arrays["text"] = np.vstack([night.arrays["text"], night.arrays["text"][:1] + 1])
    night.keys["text"].loc[ITEMS] = ["film-9999", "text-film-9999"]


def drop_item(night: Night) -> None:
    night.items = night.items.drop(index=ITEMS - 1)


def rename_item(night: Night) -> None:
    night.items.loc[7, "item_id"] = IDS[8]


def blank_id(night: Night) -> None:
    for frame in (night.items, *night.keys.values()):
        frame.loc[7, "item_id"] = None


def wrong_idx(night: Night) -> None:
    night.items.loc[7, "idx"] = 8


def put(modality: str, row: int | slice, value: float) -> Callable[[Night], None]:
    """Plant one value in a whole row of one modality, or in one component where it is not finite."""

    def spoil(night: Night) -> None:
        if np.isfinite(value):
            night.arrays[modality][row] = value
        else:
            night.arrays[modality][row, 3] = value

    return spoil


def collapse(night: Night) -> None:
    night.arrays["audio"][:] = night.arrays["audio"][0] + 1e-4 * night.arrays["audio"]


def identical(night: Night) -> None:
    night.arrays["audio"][:] = night.arrays["audio"][0]


def repeat_vector(night: Night) -> None:
    night.arrays["image"][[7, 8, 9]] = night.arrays["image"][3]


def two_vectors_for_one_medium(night: Night) -> None:
    night.keys["image"].loc[[7, 9], "sha256"] = "the same file"


def widen(night: Night) -> None:
    night.arrays["image"] = np.hstack([night.arrays["image"], night.arrays["image"]])


def flatten(night: Night) -> None:
    night.arrays["image"] = night.arrays["image"][:, 0].copy()


def double_precision(night: Night) -> None:
    night.arrays["image"] = night.arrays["image"].astype(np.float64)


def words_for_numbers(night: Night) -> None:
    night.arrays["image"] = night.arrays["image"].astype(str)


def lower_coverage(night: Night) -> None:
    night.log = log_of([*IDS, *(f"film-{number}" for number in range(9000, 9010))])


def strange_log(night: Night) -> None:
    night.log = log_of([f"movie-{number}" for number in range(ITEMS)])


def other_writing(night: Night) -> None:
    night.log = log_of([one.upper() for one in IDS])


def empty_log(night: Night) -> None:
    night.log = log_of([])


def empty_modality(night: Night) -> None:
    night.arrays["audio"] = night.arrays["audio"][:0]
    night.keys["audio"] = night.keys["audio"].iloc[:0]


def empty_everything(night: Night) -> None:
    night.items = night.items.iloc[:0]
    for modality in MODALITIES:
        night.arrays[modality] = night.arrays[modality][:0]
        night.keys[modality] = night.keys[modality].iloc[:0]


def renumbered_log(night: Night) -> None:
    night.keyed_by([str(2 + 3 * number // 2) for number in range(ITEMS)])
    night.log = log_of([str(number) for number in range(ITEMS)])
    night.limits = EmbeddingLimits(min_coverage=0, min_item_coverage=0)


def missing_column(night: Night) -> None:
    night.keys["audio"] = night.keys["audio"].rename(columns={"item_id": "name"})


def missing_columns(night: Night) -> None:
    night.items = night.items[["idx"]]
    night.keys["text"] = night.keys["text"][["item_id"]]


def name_row_tables(modality: str) -> list[str]:
    """The tables with a row per vector."""
    return [f"{modality} vectors", f"{modality} beside what was extracted", f"extracted {modality}"]


ROWS = {("rows_equal_items", one) for one in MODALITIES}
FAULTS: list[tuple[Callable[[Night], None], set[tuple[str, str]], list[str]]] = [
    (drop_row, {("rows_equal_items", "audio"), ("items_are_complete", "audio")}, [IDS[7]]),
    (
        drop_row_but_not_its_key,
        {(name, "audio") for name in ("rows_equal_items", "rows_have_keys", "vectors_are_of_their_medium")},
        [IDS[-1]],
    ),
    (duplicate_row, {("rows_equal_items", "image"), ("ids_are_unique", "image")}, [IDS[7]]),
    (swap_ids, {("order_is_that_of_items", "text")}, [IDS[7], IDS[9]]),
    (
        add_stranger,
        {("rows_equal_items", "text"), *(("items_are_complete", one) for one in ("items", "image", "audio"))},
        ["film-9999"],
    ),
    (drop_item, {*ROWS, ("items_are_complete", "items")}, [IDS[-1]]),
    (rename_item, {("ids_are_unique", "items"), ("items_are_complete", "items")}, [IDS[7], IDS[8]]),
    (blank_id, {("ids_are_given", "items")}, [""]),
    (wrong_idx, {("idx_is_row_number", "items")}, [IDS[7]]),
    (put("image", 7, np.nan), {("vectors_are_finite", "image")}, [IDS[7]]),
    (put("audio", 7, np.inf), {("vectors_are_finite", "audio")}, [IDS[7]]),
    (put("audio", slice(None), np.nan), {("vectors_are_finite", "audio")}, IDS[:10]),
    (put("text", 7, 0.0), {("vectors_are_not_zero", "text")}, [IDS[7]]),
    (put("text", slice(5, 8), 0.0), {("vectors_are_not_zero", "text")}, IDS[5:8]),
    (put("text", 7, 0.25), {("vectors_are_not_constant", "text")}, [IDS[7]]),
    (collapse, {("vectors_vary", "audio"), ("vectors_are_apart", "audio")}, IDS[:10]),
    (identical, {("vectors_vary", "audio"), ("vectors_are_distinct", "audio")}, IDS[:10]),
    (repeat_vector, {("vectors_are_distinct", "image")}, [IDS[3], IDS[7], IDS[8], IDS[9]]),
    (two_vectors_for_one_medium, {("vectors_are_reproducible", "image")}, [IDS[7], IDS[9]]),
    (widen, {("width_is_as_declared", "image")}, []),
    (
        flatten,
        {(name, "image") for name in ("width_is_as_declared", "rows_equal_extracted", "vectors_are_of_their_medium")},
        IDS[:10],
    ),
    (double_precision, {("dtype_is_float32", "image")}, []),
    (words_for_numbers, {("dtype_is_float32", "image")}, []),
    (
        lower_coverage,
        {("interactions_are_covered", "interactions")},
        [f"film-{number}" for number in range(9000, 9010)],
    ),
    (
        strange_log,
        {("interactions_are_covered", "interactions"), ("logged_items_are_covered", "interactions")},
        [f"movie-{number}" for number in range(10)],
    ),
    (
        other_writing,
        {
            (name, "interactions")
            for name in ("interactions_are_covered", "logged_items_are_covered", "ids_are_written_alike")
        },
        ["FILM-0007"],
    ),
    (
        empty_log,
        {(name, "interactions") for name in ("log_has_rows", "logged_items_are_covered")},
        [],
    ),
    (
        empty_modality,
        {
            *(("rows_equal_items", "audio"), ("items_are_complete", "audio")),
            *(("table_has_rows", table) for table in name_row_tables("audio")),
        },
        IDS[:10],
    ),
    (
        empty_everything,
        {
            *(("table_has_rows", table) for table in ("items", "item ids")),
            *(("table_has_rows", table) for one in MODALITIES for table in name_row_tables(one)),
            ("interactions_are_covered", "interactions"),
            ("logged_items_are_covered", "interactions"),
        },
        IDS[:10],
    ),
    (renumbered_log, {("id_spaces_agree", "interactions")}, ["0", "1", "4", "7"]),
    (missing_column, {("column_exists", "audio")}, []),
    (missing_columns, {("column_exists", "items"), ("column_exists", "text")}, []),
]


def test_a_good_night_passes(night: Night) -> None:
    """Nothing fails, everything is evaluated, and nobody is blamed."""
    report = night.check()
    assert report.success
    assert failed(report) == set()
    assert len(report.results) > 40
    assert all(check.sample_ids == [] and check.unexpected_count == 0 for check in report.results)


@pytest.mark.slow  # all of them together
@pytest.mark.parametrize(("fault", "expectations", "ids"), FAULTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_fault_fails_its_expectations_and_no_others(
    night: Night, fault: Callable[[Night], None], expectations: set[tuple[str, str]], ids: list[str]
) -> None:
    """Each planted fault fails exactly what it breaks, and the report names the items, ten at most."""
    fault(night)
    report = night.check()
    assert failed(report) == expectations
    named = [one for check in report.failures for one in check.sample_ids]
    assert all(len(check.sample_ids) <= 10 for check in report.failures)
    assert set(ids) <= set(named) if ids else named == []


@pytest.mark.slow
def test_every_expectation_has_a_fault(night: Night) -> None:
    """There is no expectation that cannot fail; those about origins have their faults in `test_origins`."""
    planted = {name for _, expectations, _ in FAULTS for name, _ in expectations}
    planted |= {name for _, names, _ in ORIGIN_FAULTS for name in names}
    planted |= {f"drift_{name}" for name in LIMITS}  # `test_drift`
    assert {check.expectation for check in night.check().results} <= planted | {"vectors_are_mostly_apart"}


@pytest.mark.slow
def test_a_report_survives_json(night: Night) -> None:
    """A report holds plain values only: what is read back from JSON is the same report."""
    put("image", 7, np.nan)(night)
    report = night.check()
    assert Report.model_validate_json(report.model_dump_json()) == report


@pytest.mark.fault("F8", "F18")
def test_a_missing_column_is_named(night: Night) -> None:
    """The one who renamed a column reads which is missing where."""
    missing_column(night)
    assert "column_exists of audio: expected a column item_id" in night.check().sentence()


@pytest.mark.slow
def test_counts_say_how_much_is_wrong(night: Night) -> None:
    """Of ten films with five clicks each that have no features, fifty of all clicks are unexpected."""
    lower_coverage(night)
    check = next(check for check in night.check().failures)
    assert (check.unexpected_count, check.element_count) == (50, 350)
    assert check.observed == "85.7% of 350"
    assert check.expected == "at least 90.0% with features"


@pytest.mark.slow
def test_equal_vectors_of_equal_media_are_no_fault(night: Night) -> None:
    """Three items that share one sound file share its vector."""
    repeat_vector(night)
    night.keys["image"].loc[[3, 7, 8, 9], "sha256"] = "the same file"
    assert night.check().success


@pytest.mark.slow
def test_the_share_of_duplicates_is_a_limit(night: Night) -> None:
    """The same four equal vectors are tolerated where ten percent may be."""
    repeat_vector(night)
    night.limits = night.limits.model_copy(update={"max_duplicate_share": 0.1})
    assert night.check().success


@pytest.mark.slow
def test_coverage_is_a_limit(night: Night) -> None:
    """The same log passes where less coverage is asked for."""
    lower_coverage(night)
    night.limits = night.limits.model_copy(update={"min_coverage": 0.85})
    assert night.check().success


@pytest.mark.slow
def test_one_modality_is_enough(night: Night) -> None:
    """A run of pictures alone is checked alone."""
    for modality in ("audio", "text"):
        del night.arrays[modality], night.keys[modality]
    report = night.check()
    assert report.success
    assert not {check.column for check in report.results} & {"audio", "text"}


@pytest.mark.slow
def test_the_override_vouches_for_the_ids(night: Night) -> None:
    """Where allow_contiguous_ids is set the id-space check passes, and says why."""
    renumbered_log(night)
    night.limits = night.limits.model_copy(update={"allow_contiguous_ids": True})
    report = night.check()
    assert report.success
    check = next(check for check in report.results if check.expectation == "id_spaces_agree")
    assert "allow_contiguous_ids" in check.expected
    assert "0..59 without a gap" in check.observed


def test_modalities_have_to_match(night: Night) -> None:
    """Arrays without keys, or nothing at all, are no question to answer."""
    del night.keys["audio"]
    with pytest.raises(BadInput, match=r"keys of \['image', 'text'\] and sources of"):
        night.check()
    night.arrays, night.keys = {}, {}
    with pytest.raises(BadInput, match="expected all of the same modalities"):
        night.check()


def lacking(night: Night, *gaps: tuple[str, int]) -> Night:
    """The night of a run that fills what is missing: some items lack some modalities."""
    night.limits = night.limits.model_copy(update={"complete": False})
    for modality in MODALITIES:
        rows = [row for name, row in gaps if name == modality]
        night.arrays[modality] = np.delete(night.arrays[modality], rows, axis=0)
        night.keys[modality] = night.keys[modality].drop(index=rows).reset_index(drop=True)
    return night


@pytest.mark.slow
def test_an_item_may_lack_what_is_filled_later(night: Night) -> None:
    """One modality, or two; and a run that drops such items would have failed."""
    lacking(night, ("audio", 7), ("audio", 9), ("text", 9))
    assert failed(night.check()) == set()
    night.limits = night.limits.model_copy(update={"complete": True})
    wanted = {(name, one) for name in ("items_are_complete", "rows_equal_items") for one in ("audio", "text")}
    assert failed(night.check()) == wanted


@pytest.mark.slow
def test_an_item_must_have_one_feature(night: Night) -> None:
    """Else there is nothing to fill the others from."""
    report = lacking(night, *((modality, 7) for modality in MODALITIES)).check()
    assert failed(report) == {("items_have_a_feature", "items")}
    assert sample(report, "items_have_a_feature", "items") == [IDS[7]]


@pytest.mark.slow
def test_a_feature_that_most_items_lack_is_no_feature(night: Night) -> None:
    """It holds the limit that items with features in all hold; the most popular without it are named."""
    report = lacking(night, *(("audio", row) for row in range(40))).check()
    assert failed(report) == {("feature_is_covered", "audio")}
    assert report.failures[0].observed == "33.3% of 60"
    assert report.failures[0].sample_ids == IDS[:10]


@pytest.mark.slow
def test_rows_of_an_incomplete_night_keep_the_order_of_items(night: Night) -> None:
    """Swapped keys are found although rows are missing before them."""
    lacking(night, ("text", 2))
    night.keys["text"].loc[[7, 9], "item_id"] = night.keys["text"].loc[[9, 7], "item_id"].to_numpy()
    assert failed(night.check()) == {("order_is_that_of_items", "text")}
