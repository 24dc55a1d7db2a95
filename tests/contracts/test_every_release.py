"""What a release answers, whichever of MODELS it holds, from its own files alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from tasks.data import Dataset
from tasks.models import MODELS
from tasks.models.base import Model
from tasks.releases.server import Ranked, ReleaseServer
from tasks.releases.twins import load_twin, twin_of
from tasks.store import Artefact, FolderStore
from tests.contracts.test_every_model import PERSONAL, on_checkerboard
from tests.released import by_item, released


class Release(NamedTuple):
    """A release, what it was made of, and what it answers."""

    data: Dataset
    model: Model
    artefact: Artefact
    served: ReleaseServer


@pytest.fixture(scope="module", params=list(MODELS))
def release(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """One of each model, fitted on the checkerboard."""
    model, _ = on_checkerboard(request.param)
    artefact = released(FolderStore(tmp_path_factory.mktemp(request.param)), model, model.data)
    return Release(model.data, model, artefact, ReleaseServer(artefact))


def assert_as_written(found: list[Ranked], written: pd.DataFrame) -> None:
    """The scores rank by rank, and the same score for every item: of nearly equal ones either may come first."""
    np.testing.assert_allclose([item.score for item in found], written["score"], rtol=1e-4, atol=1e-5)
    scores = by_item(found)
    assert sorted(scores) == sorted(written.iloc[:, 2])
    np.testing.assert_allclose([scores[item] for item in written.iloc[:, 2]], written["score"], rtol=1e-4, atol=1e-5)


def test_known_users_get_what_recommendations_holds(release: Release) -> None:
    """All users, as long as the file's lists are."""
    for user, written in release.artefact.frame("recommendations.parquet").groupby("user_id"):
        assert_as_written(release.served.recommend(str(user), 30), written)


def test_known_users_are_scored_as_by_the_model(release: Release) -> None:
    """The whole catalogue, the items of the history included."""
    for row in (0, 17):
        found = by_item(release.served.recommend(f"user {row}", 30, include_seen=True))
        mine = [found[str(item)] for item in release.data.item_ids]
        np.testing.assert_allclose(mine, release.model.scores(np.array([row]))[0], rtol=1e-4, atol=1e-5)


def test_similar_items_are_those_of_the_file(release: Release) -> None:
    """All items, as long as the file's lists are."""
    for item, written in release.artefact.frame("similar_items.parquet").groupby("item_id"):
        assert_as_written(release.served.similar(str(item), 30), written)


def test_a_new_user_gets_finite_by_item_the_whole_catalogue(release: Release) -> None:
    """From a single item on."""
    for history in (["item 3"], ["item 3", "item 4", "item 5"], list(release.data.item_ids)):
        found = release.served.recommend_new(map(str, history), 30, include_seen=True)
        assert len(found) == 30
        assert np.isfinite([item.score for item in found]).all()


@pytest.mark.parametrize("release", PERSONAL, indirect=True)
def test_a_new_user_with_the_history_of_a_known_one_finds_the_withheld_item(release: Release) -> None:
    """First, or second after the other withheld item of its colour."""
    for row in range(0, 30, 3):
        history = [str(item) for item in release.data.item_ids[release.data.train[[row]].indices]]
        assert f"item {row}" in by_item(release.served.recommend_new(history, 2))


def test_the_twin_of_a_release_is_the_model_that_was_evaluated(release: Release) -> None:
    """Every score, and what it learned from, by the files of the release alone and by the run's."""
    users = np.arange(release.data.shape[0])
    evaluated, kept = twin_of(release.model, release.data), load_twin(release.artefact)
    for twin in (evaluated, kept):
        np.testing.assert_allclose(twin.scores(users), release.model.scores(users), rtol=1e-4, atol=1e-5)
        assert twin.user_ids.tolist() == release.data.user_ids.tolist()
        assert twin.item_ids.tolist() == release.data.item_ids.tolist()
        assert (twin.train != release.data.train).nnz == 0
