"""The published misalignment, on the real log and the real films: MovieLens-1M against posters named by MovieID."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.data import Interactions
from tasks.quality import EmbeddingLimits, Report, check_embeddings
from tests.quality.origins import ARTEFACTS, sound_sources

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def clicks(shared_data: Path) -> pd.DataFrame:
    """All 1,000,209 interactions: userID, MovieID, as they were published."""
    return pd.read_csv(shared_data / "ml1m" / "ml1m_implicit.tsv.gz", sep="\t", usecols=["userID", "MovieID"])


@pytest.fixture(scope="module")
def posters(shared_data: Path) -> np.ndarray:
    """Ids of the films that have a poster."""
    return np.sort([int(path.stem) for path in (shared_data / "ml1m_posters" / "images").glob("*.jpg")])


def check(clicks: pd.DataFrame, films: np.ndarray, posters: np.ndarray, limits: EmbeddingLimits) -> Report:
    """The report on the log, whose films are called `films`, against vectors keyed by `posters`."""
    users, user_ids = pd.factorize(clicks["userID"], sort=True)
    items, _ = pd.factorize(clicks["MovieID"], sort=True)
    log = Interactions(
        users.astype(np.int32), items.astype(np.int32), np.asarray(user_ids, dtype=str), films.astype(str)
    )
    ids = posters.astype(str)
    vectors = np.random.default_rng(0).normal(size=(len(ids), 8)).astype(np.float32)
    keys = pd.DataFrame({"item_id": ids, "sha256": [f"sha-{one}" for one in ids]})
    table = pd.DataFrame({"item_id": ids, "idx": range(len(ids))})
    sources = sound_sources({"image": vectors}, {"image": keys})
    return check_embeddings(
        {"image": vectors}, {"image": keys}, table, log, limits=limits, sources=sources, **ARTEFACTS
    )


def test_the_log_as_published_passes(clicks: pd.DataFrame, posters: np.ndarray) -> None:
    """MovieIDs on both sides: 3,256 of 3,706 films have a poster, and they take nearly all of the clicks."""
    report = check(clicks, np.sort(clicks["MovieID"].unique()), posters, EmbeddingLimits())
    assert report.success
    covered = {check.expectation: check.observed for check in report.results if "covered" in check.expectation}
    assert covered == {"interactions_are_covered": "99.8% of 1000209", "logged_items_are_covered": "87.9% of 3706"}


@pytest.mark.parametrize("first", [0, 1])
def test_the_log_renumbered_in_order_of_id_fails(clicks: pd.DataFrame, posters: np.ndarray, first: int) -> None:
    """Films renumbered from 0, or from 1: even where no coverage is asked for, the id spaces are found to differ."""
    films = np.arange(first, first + clicks["MovieID"].nunique())
    report = check(clicks, films, posters, EmbeddingLimits(min_coverage=0, min_item_coverage=0))
    (failure,) = report.failures
    assert failure.expectation == "id_spaces_agree"
    assert f"{first}..{3705 + first} without a gap (3706)" in failure.observed
    assert "1..3952 82.4% in use (3256)" in failure.observed
    assert len(failure.sample_ids) == 10


@pytest.mark.parametrize("first", [0, 1])
def test_the_log_of_films_with_posters_renumbered_fails(clicks: pd.DataFrame, posters: np.ndarray, first: int) -> None:
    """Cut down to the films with posters before it is renumbered, 100 % should match and 82 % do, as chance gives."""
    kept = clicks[clicks["MovieID"].isin(posters)]
    films = np.arange(first, first + len(posters))
    report = check(kept, films, posters, EmbeddingLimits(min_coverage=0.5))
    (failure,) = report.failures
    assert failure.expectation == "id_spaces_agree"
    assert "(82.0% of the logged)" in failure.observed


def test_the_override_lets_the_renumbered_log_pass(clicks: pd.DataFrame, posters: np.ndarray) -> None:
    """Whoever sets allow_contiguous_ids is believed."""
    films = np.arange(clicks["MovieID"].nunique())
    limits = EmbeddingLimits(min_coverage=0, min_item_coverage=0, allow_contiguous_ids=True)
    assert check(clicks, films, posters, limits).success
