"""Vectors beside what they were made from: every kind of misalignment is caught by the expectation that is about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.quality.origins import Extracted, features_table, origin_tables
from tasks.quality.report import Report
from tasks.quality.suite import Table, validate
from tasks.quality.vectors import NEAR, find_near, normal_norms, row_digests
from tests.quality.origins import sound_source

ITEMS, WIDTH = 40, 8
IDS = np.array([f"film-{number:03d}" for number in range(ITEMS)])


class Made:
    """What `align` wrote of a feature, and what it was made from; sound until somebody spoils it."""

    def __init__(self) -> None:
        self.array = np.random.default_rng(5).normal(size=(ITEMS, WIDTH)).astype(np.float32)
        self.keys = pd.DataFrame({"item_id": IDS, "sha256": [f"medium of {one}" for one in IDS]})
        self.source: Extracted = sound_source(self.array, self.keys)

    def spoil(self, **parts: object) -> None:
        """Give the source other parts."""
        self.source = replace(self.source, **parts)  # type: ignore[arg-type]

    def check(self) -> Report:
        """The report on the feature `image`."""
        return validate("origins", origin_tables("image", self.array, self.keys, self.source))


def reorder(order: np.ndarray) -> Callable[[Made], None]:
    def spoil(made: Made) -> None:
        made.array = made.array[order]

    spoil.__name__ = f"rows {order[:3].tolist()}..."
    return spoil


def swap(left: int, right: int) -> np.ndarray:
    order = np.arange(ITEMS)
    order[[left, right]] = order[[right, left]]
    return order


def noise(made: Made) -> None:
    made.array = np.random.default_rng(6).normal(size=made.array.shape).astype(np.float32)


def rotate_space(rows: slice) -> Callable[[Made], None]:
    def other_encoder(made: Made) -> None:
        rotation = np.linalg.qr(np.random.default_rng(7).normal(size=(WIDTH, WIDTH)))[0].astype(np.float32)
        made.array = made.array.copy()
        made.array[rows] = made.array[rows] @ rotation

    return other_encoder


def last_bit(made: Made) -> None:
    made.array = made.array.copy()
    made.array[3, 3] = np.nextafter(made.array[3, 3], np.float32(9))


def louder(made: Made) -> None:
    made.array = made.array.copy()
    made.array[3] *= 1000


def swap_ids_everywhere(made: Made) -> None:
    made.keys = made.keys.assign(item_id=IDS[swap(2, 5)])


def swap_media_of_align(made: Made) -> None:
    made.keys = made.keys.assign(sha256=made.keys["sha256"].to_numpy()[swap(2, 5)])


def permute_extracted(made: Made) -> None:
    order = np.random.default_rng(8).permutation(ITEMS)
    made.array = made.array[order]
    made.spoil(vectors=made.array)


def swap_extracted_ids(made: Made) -> None:
    made.keys = made.keys.assign(item_id=IDS[swap(2, 5)])
    made.array = made.array[np.argsort(made.keys["item_id"].to_numpy())]
    made.spoil(keys=made.keys)
    made.keys = made.keys.sort_values("item_id", ignore_index=True)


def never_cached(made: Made) -> None:
    made.spoil(has_cached=np.arange(ITEMS) != 4)


def forget_items(made: Made) -> None:
    made.array, made.keys = made.array[:-2], made.keys[:-2]


def other_encoder(made: Made) -> None:
    made.spoil(encoder="evil@0000")


def older_scan(made: Made) -> None:
    made.spoil(current={"extract made from scan": False})


def wrong_counts(made: Made) -> None:
    made.spoil(counts={"kept": (ITEMS - 1, ITEMS)})


ROWS, MEDIA, OWN = "rows_equal_extracted", "media_are_those_extracted", "vectors_are_of_their_medium"
ORIGIN_FAULTS: list[tuple[Callable[[Made], None], set[str], list[str]]] = [
    (reorder(swap(2, 5)), {ROWS}, [IDS[2], IDS[5]]),
    (reorder(np.roll(np.arange(ITEMS), 1)), {ROWS}, list(IDS[:10])),
    (reorder(np.roll(np.arange(ITEMS), 17)), {ROWS}, list(IDS[:10])),
    (reorder(np.arange(ITEMS)[::-1]), {ROWS}, list(IDS[:10])),
    (reorder(np.random.default_rng(9).permutation(ITEMS)), {ROWS}, []),
    (noise, {ROWS}, list(IDS[:10])),
    (rotate_space(slice(None)), {ROWS}, list(IDS[:10])),
    (rotate_space(slice(None, None, 2)), {ROWS}, list(IDS[:20:2])),
    (last_bit, {ROWS}, [IDS[3]]),
    (louder, {ROWS}, [IDS[3]]),
    (swap_ids_everywhere, {ROWS, MEDIA}, [IDS[2], IDS[5]]),
    (swap_media_of_align, {MEDIA}, [IDS[2], IDS[5]]),
    (permute_extracted, {OWN}, []),
    (swap_extracted_ids, {"media_are_those_of_the_item"}, [IDS[2], IDS[5]]),
    (never_cached, {OWN}, [IDS[4]]),
    (forget_items, {"extracted_items_are_aligned"}, list(IDS[-2:])),
    (other_encoder, {"encoder_is_that_of_the_plan"}, []),
    (older_scan, {"made_from_what_stands_there"}, []),
    (wrong_counts, {"counts_are_as_stated"}, []),
    (lambda _: None, {"features_differ", "norms_are_alike"}, []),  # below
]


def test_a_sound_feature_passes() -> None:
    """Rows that are where they belong, and artefacts made from each other."""
    report = Made().check()
    assert report.success
    assert all(check.sample_ids == [] for check in report.results)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "expectations", "ids"), ORIGIN_FAULTS[:-1], ids=[fault.__name__ for fault, _, _ in ORIGIN_FAULTS[:-1]]
)
def test_a_fault_fails_what_is_about_it(fault: Callable[[Made], None], expectations: set[str], ids: list[str]) -> None:
    """Each kind of misalignment fails its expectation and no other, with the items."""
    made = Made()
    fault(made)
    report = made.check()
    assert {check.expectation for check in report.failures} == expectations
    named = {one for check in report.failures for one in check.sample_ids}
    assert set(ids) <= named


@pytest.mark.slow
def test_items_that_a_run_drops_need_no_row() -> None:
    """An item that another feature lacks is extracted, and not aligned where items must be complete."""
    made = Made()
    made.array, made.keys = made.array[:-2], made.keys[:-2]
    made.spoil(kept=frozenset(IDS[:-2].tolist()))
    assert made.check().success


def pair(left: np.ndarray, right: np.ndarray, same: set[frozenset[str]]) -> Table:
    """The rules about two features of the same items."""
    keys = pd.DataFrame({"item_id": IDS})
    return features_table({"image": left, "text": right}, {"image": keys, "text": keys}, same)


def test_two_features_never_share_their_vectors() -> None:
    """A matrix written under two names is caught, and two names of one thing are not."""
    one, other = Made().array, np.random.default_rng(1).normal(size=(ITEMS, WIDTH)).astype(np.float32)
    assert validate("s", [pair(one, other, set())]).success
    report = validate("s", [pair(one, one, set())])
    assert [(check.expectation, check.column) for check in report.failures] == [("features_differ", "image and text")]
    assert report.failures[0].observed == "40 of 40"
    assert validate("s", [pair(one, one, {frozenset(("image", "text"))})]).success
    half = np.where(np.arange(ITEMS)[:, None] % 2, one, other)
    assert not validate("s", [pair(one, half, set())]).success


@pytest.mark.parametrize("scale", [1e-30, 1e3, 1e30])
def test_one_norm_that_is_unlike_the_others_is_found(scale: float) -> None:
    """Also where its square is beyond float32."""
    array = Made().array
    array[7] *= np.float32(scale)
    assert np.flatnonzero(~normal_norms(array, np.ones(ITEMS, dtype=bool))).tolist() == [7]


def test_half_of_the_norms_a_thousand_times_the_others_are_found() -> None:
    """Vectors that were normalised beside such that were not."""
    array = Made().array
    array[::2] *= 1000
    assert not normal_norms(array, np.ones(ITEMS, dtype=bool)).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 300), st.integers(2, 12))
def test_vectors_that_are_one_but_for_noise_are_found(seed: int, size: int, twins: int) -> None:
    """Whatever the number of vectors and of twins, in any order; what is apart is left alone."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(size, 24)).astype(np.float32)
    copies = rows[:1] * (1 + 1e-6 * rng.normal(size=(twins, 24)))
    order = rng.permutation(size + twins)
    array = np.concatenate([rows, copies.astype(np.float32)])[order]
    near = find_near(array, np.arange(len(array)).astype(str), row_digests(array))
    assert set(np.flatnonzero(order >= size)) <= set(np.flatnonzero(near))
    units = array / np.linalg.norm(array, axis=1, keepdims=True)
    cosines = units.astype(np.float64) @ units.T.astype(np.float64) - 2 * np.eye(len(array))
    assert not near[cosines.max(axis=1) < 1 - 2 * NEAR].any()


def test_copies_of_one_medium_are_no_twins() -> None:
    """One file under two ids has one vector, and the same bytes are the matter of another rule."""
    array = np.concatenate([Made().array, Made().array[:3] + np.float32(1e-7)])
    origins = np.array([*range(ITEMS), 0, 1, 2]).astype(str)
    assert not find_near(array, origins, row_digests(array)).any()
    array[ITEMS:] = array[:3]
    assert not find_near(array, np.arange(len(array)).astype(str), row_digests(array)).any()
