"""What has changed since the last accepted run: growth is silent, and what goes wrong is told or stops the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

from tasks.data import Interactions
from tasks.quality.drift import LIMITS, drift_table
from tasks.quality.profile import Profile
from tasks.quality.profiles import DAY, discrepancy, kept_neighbours, profile_feature, profile_log
from tasks.quality.report import Report
from tasks.quality.suite import validate

ITEMS, WIDTH, NOW = 400, 16, 1_700_000_000


@dataclass
class Feature:
    """Vectors of three kinds of items, with ids and media."""

    array: np.ndarray
    ids: np.ndarray = field(default_factory=lambda: np.array([f"film-{n}" for n in range(ITEMS)]))
    origin: str = "enc@1"

    @classmethod
    def sound(cls, size: int = ITEMS, seed: int = 1) -> Feature:
        """The first `size` of an endless catalogue."""
        rng = np.random.default_rng(seed)
        centres = 2 * rng.normal(size=(3, WIDTH))
        rows = centres[np.arange(4 * ITEMS) % 3] + rng.normal(size=(4 * ITEMS, WIDTH)) + 1
        return cls(rows[:size].astype(np.float32), np.array([f"film-{n}" for n in range(size)]))

    def profile(self, before: Profile | None = None) -> Profile:
        """Its profile."""
        media = np.array([f"medium of {one}" for one in self.ids])
        return profile_feature("image", self.origin, self.array, self.ids, media, {}, before)


def changes(now: Profile, before: Profile | None, **limits: float) -> Report:
    """The report on what has changed."""
    return validate("drift", [drift_table(now, before, limits)])


def unmet(report: Report) -> set[tuple[str, str]]:
    """(name of the limit, severity) of what is beyond."""
    return {(check.expectation.removeprefix("drift_"), check.severity) for check in report.results if not check.success}


@pytest.mark.parametrize("size", [ITEMS, ITEMS + 5, 2 * ITEMS])
def test_a_catalogue_that_grows_is_silent(size: int) -> None:
    """By nothing, by a few items, and by as many as there are."""
    before = Feature.sound().profile()
    assert unmet(changes(Feature.sound(size).profile(before), before)) == set()


def spoil(feature: Feature, how: str) -> None:
    """Make one of the mistakes of a night."""
    rng = np.random.default_rng(3)
    if how == "rows permuted":
        feature.array = rng.permutation(feature.array)
    elif how == "another scale":
        feature.array = feature.array * np.float32(2)
    elif how == "half of the items gone":
        feature.array, feature.ids = feature.array[: ITEMS // 2], feature.ids[: ITEMS // 2]
    elif how == "half of the rows noise":
        feature.array[::2] = rng.normal(size=feature.array[::2].shape)
    elif how == "as many of another kind":
        others = 3 * rng.normal(size=(1, WIDTH)) + rng.normal(size=(ITEMS, WIDTH))
        feature.array = np.vstack([feature.array, others.astype(np.float32)])
        feature.ids = Feature.sound(2 * ITEMS).ids
    elif how == "a batch that is one vector":
        feature.array[:40] = feature.array[0] * (1 + 1e-6 * rng.normal(size=(40, WIDTH)))
    elif how == "a constant added":
        feature.array = feature.array + np.float32(5)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("rows permuted", {("neighbours_lost", "critical")}),
        ("another scale", {("norms_moved", "warning")}),
        ("half of the items gone", {("rows_lost", "critical")}),
        ("half of the rows noise", {("neighbours_lost", "critical")}),
        ("as many of another kind", {("discrepancy", "warning")}),
        ("a batch that is one vector", {("near_more", "warning")}),
        ("a constant added", {("cosine_moved", "warning"), ("discrepancy", "warning"), ("norms_moved", "warning")}),
    ],
)
def test_a_change_of_vectors_is_told(how: str, told: set[tuple[str, str]]) -> None:
    """Each by the limit that is about it."""
    before = Feature.sound().profile()
    feature = Feature.sound()
    spoil(feature, how)
    assert told <= unmet(changes(feature.profile(before), before))


def test_vectors_of_another_encoder_are_not_compared() -> None:
    """They may have any scale and any neighbours; that rows are there is compared still."""
    before = Feature.sound().profile()
    other = Feature.sound()
    other.origin, other.array = "enc@2", np.random.default_rng(5).normal(size=(ITEMS, 32)).astype(np.float32)
    report = changes(other.profile(before), before)
    assert {check.expectation for check in report.results} == {
        "table_has_rows",
        "drift_same_media",
        "drift_odd_media",
        "drift_rows_lost",
    }
    assert report.success


def test_a_profile_is_the_same_after_json_and_the_same_for_the_same_vectors() -> None:
    """So it can be kept."""
    profile = Feature.sound().profile()
    again = Feature.sound().profile(Profile.model_validate_json(profile.model_dump_json()))
    assert again == profile
    assert (kept_neighbours(again, profile), discrepancy(again, profile)) == (1.0, 0.0)


def test_files_under_many_names_are_told() -> None:
    """One medium for a tenth of the items."""
    feature = Feature.sound()
    media = np.array([f"medium of {one}" for one in feature.ids])
    media[:40] = "one file"
    profile = profile_feature("image", "enc@1", feature.array, feature.ids, media, {})
    assert unmet(changes(profile, None)) == {("same_media", "warning")}


@pytest.mark.parametrize(("odd", "told"), [(4, set()), (5, {("odd_media", "warning")})])
def test_media_with_hardly_anything_in_them_are_told(odd: int, told: set[tuple[str, str]]) -> None:
    """Where they are more than one in a hundred."""
    feature = Feature.sound()
    remarks = dict.fromkeys(feature.ids[:odd].tolist(), "silent") | {"no item": "silent"}
    profile = profile_feature("image", "enc@1", feature.array, feature.ids, feature.ids, remarks)
    report = changes(profile, None)
    assert unmet(report) == told
    assert f"{odd / ITEMS:.1%} silent" in {check.observed for check in report.results}


@pytest.mark.parametrize(("narrow", "told"), [(0.03, set()), (0.3, {("mixed_bandwidth", "warning")}), (1.0, set())])
def test_a_catalogue_of_mixed_bandwidths_is_told(narrow: float, told: set[tuple[str, str]]) -> None:
    """Where more than one in twenty ends elsewhere than most; a catalogue of one bandwidth has nothing odd."""
    feature = Feature.sound()
    some = feature.ids[: round(narrow * ITEMS)].tolist()
    profile = profile_feature(
        "audio", "enc@1", feature.array, feature.ids, feature.ids, dict.fromkeys(some, "limited to 11 kHz")
    )
    report = changes(profile, None)
    assert unmet(report) == told
    observed = {check.expectation: check.observed for check in report.results}
    assert observed["drift_mixed_bandwidth"] == f"{1 - narrow:.1%} with all, {narrow:.1%} limited to 11 kHz"
    assert observed["drift_odd_media"] == "none"


def test_each_remark_on_a_medium_counts() -> None:
    """A sound can be opposite in phase and narrow."""
    feature = Feature.sound()
    remarks = {feature.ids[0]: "silent, opposite in phase, limited to 4 kHz"}
    profile = profile_feature("audio", "enc@1", feature.array, feature.ids, feature.ids, remarks)
    share = 1 / ITEMS
    assert {what: profile.measures[what] for what in profile.measures if what.startswith("odd_")} == {
        "odd_silent": share,
        "odd_opposite in phase": share,
        "odd_limited to 4 kHz": share,
    }


def profile_of(log: Interactions, known: Mapping[str, np.ndarray] | None = None) -> Profile:
    """Its profile, where all of its items are the catalogue."""
    return profile_log(log, log.item_ids, known or {}, NOW)


def log_of(users: int, days: int, *, first: int = 0, daily: int = 200) -> Interactions:
    """So many interactions a day of so many users, up to now."""
    rng = np.random.default_rng(2)
    size = days * daily
    times = NOW - DAY * days + np.sort(rng.integers(0, DAY * days, size))
    return Interactions(
        rng.integers(0, users, size).astype(np.int32),
        rng.integers(0, 50, size).astype(np.int32),
        np.array([f"u{first + n}" for n in range(users)]),
        np.array([f"i{n}" for n in range(50)]),
        times,
    )


def ids_of(log: Interactions) -> dict[str, np.ndarray]:
    """What a release of it knows."""
    return {"users": log.user_ids, "items": log.item_ids}


def test_a_log_that_grows_is_silent() -> None:
    """By a night of clicks and a few new users."""
    before = log_of(100, 30)
    grown = log_of(103, 31)
    assert unmet(changes(profile_of(grown, ids_of(before)), profile_of(before))) == set()


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (log_of(100, 10), {("rows_lost", "critical")}),
        (log_of(100, 30, first=60), {("users_lost", "critical"), ("users_new", "warning")}),
        (log_of(100, 120, daily=50), {("per_day_fallen", "warning")}),
    ],
    ids=["cut", "other users", "hardly any clicks"],
)
def test_a_change_of_the_log_is_told(log: Interactions, told: set[tuple[str, str]]) -> None:
    """Rows, users and clicks a day."""
    before = log_of(100, 30)
    assert unmet(changes(profile_of(log, ids_of(before)), profile_of(before))) == told


@pytest.mark.parametrize("time", [0, -5, NOW + 3 * DAY])
def test_a_time_that_no_click_has_is_told(time: int) -> None:
    """Also in a first run, and if it is one."""
    log = log_of(20, 3)
    assert log.timestamps is not None
    log.timestamps[4] = time
    assert unmet(changes(profile_of(log), None)) == {("times_odd", "warning")}


def test_a_limit_of_the_preset_goes_first() -> None:
    """The same loss is accepted where more is."""
    before = Feature.sound()
    half = Feature.sound()
    spoil(half, "half of the items gone")
    profile = before.profile()
    assert not changes(half.profile(profile), profile).success
    assert changes(half.profile(profile), profile, rows_lost=0.6).success


def test_every_limit_has_its_reason() -> None:
    """For the page about validation."""
    assert all(limit.words and limit.reason and limit.most >= 0 for limit in LIMITS.values())
