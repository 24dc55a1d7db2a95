"""Arrivals in a release: scored by content, placed by the policy, known to every question."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from tasks.arrivals.fitting import fit_arrivals
from tasks.arrivals.policy import Policy
from tasks.data import Dataset, Interactions
from tasks.data.outside import Outside
from tasks.models import build_model
from tasks.models.base import Model
from tasks.releases.catalogue import OFF, Catalogue
from tasks.releases.server import Ranked, ReleaseServer
from tasks.store import Artefact, FolderStore
from tasks.training import TrainingOptions
from tests.released import released
from tests.world import GROUPS, content_world

USERS, KNOWN, ARRIVALS = 80, 104, 16
SHARE = Policy("share", 0.1)


def group(name: str) -> int:
    """Whose taste an item or a user is of, by its number."""
    return int(name.rpartition(" ")[2]) % GROUPS


def world() -> tuple[Dataset, Outside]:
    """Users who like one of four groups; the last items have been taken by nobody but one user and a newcomer."""
    whole = content_world(USERS, KNOWN + ARRIVALS, train=12)
    parts = {name: sparse.csr_matrix(getattr(whole, name)[:, :KNOWN]) for name in ("train", "valid", "test")}
    features = {name: rows[:KNOWN] for name, rows in whole.features.items()}
    data = replace(whole, item_ids=whole.item_ids[:KNOWN], features=features, **parts)
    users = np.array([*whole.user_ids.tolist(), "newcomer 2", "early bird 3"])
    taken = [(0, KNOWN + 4), (USERS, 2), (USERS, 6), (USERS, KNOWN + 6), (USERS + 1, KNOWN + 3)]
    rows = np.array(taken, dtype=np.int32)
    log = Interactions(rows[:, 0].copy(), rows[:, 1].copy(), users, whole.item_ids, np.arange(len(rows)))
    return data, Outside(log, {name: rows[KNOWN:] for name, rows in whole.features.items()})


def catalogue_of(model: Model, outside: Outside, policy: Policy = SHARE) -> Catalogue:
    """Arrivals scored by a model."""
    return Catalogue(KNOWN, fit_arrivals(model.scores, model.data, outside.features, seed=1), policy)


@pytest.fixture(params=["ease", "ials", "itemknn", "popularity"])
def release(request: pytest.FixtureRequest, folder_store: FolderStore) -> Artefact:
    """Dense weights, vectors, sparse weights, and one score for all."""
    data, outside = world()
    model = build_model(request.param, {}, data)
    model.fit(TrainingOptions(seed=1))
    return released(folder_store, model, data, outside=outside, catalogue=catalogue_of(model, outside))


def fresh(found: list[Ranked]) -> list[str]:
    """The arrivals of a list."""
    return [one.item for one in found if one.arrival]


def test_each_user_gets_the_arrivals_of_their_taste(release: Artefact) -> None:
    """Two of twenty places, the last ones, and nothing of another group where the model knows tastes."""
    served = ReleaseServer(release)
    right = Counter[bool]()
    for user in served.user_ids[:USERS]:
        found = served.recommend(str(user), 20)
        assert [one.arrival for one in found] == [False] * 18 + [True] * 2
        right.update(group(item) == group(str(user)) for item in fresh(found))
    if served.model != "popularity":
        assert right[True] > 0.9 * right.total()


def test_the_file_holds_what_is_answered(release: Artefact) -> None:
    """Every user of the log, also outside the k-core; the first twenty of fifty have their arrivals."""
    served, written = ReleaseServer(release), release.frame("recommendations.parquet")
    assert sorted(written["user_id"].unique()) == sorted(served.user_ids)
    for user, rows in written.groupby("user_id"):
        found = served.recommend(str(user), 50)
        assert [one.item for one in found] == rows["item_id"].tolist()
        assert [one.arrival for one in found] == rows["arrival"].tolist()
        first = rows[rows["rank"] <= 20]
        assert first["arrival"].sum() == 2


def test_an_arrival_is_similar_to_its_own_group(release: Artefact) -> None:
    """To known items and to other arrivals; and the file agrees."""
    served, written = ReleaseServer(release), release.frame("similar_items.parquet")
    if served.model == "popularity":
        pytest.skip("says nothing of items")
    for number in range(KNOWN, KNOWN + ARRIVALS):
        found = [one.item for one in served.similar(f"item {number}", 10)]
        assert sum(group(item) == number % GROUPS for item in found) >= 9
        rows = written[(written["item_id"] == f"item {number}") & (written["rank"] <= 10)]
        assert sorted(rows["similar_id"]) == sorted(found)
    assert any(one.arrival for one in served.similar("item 0", 50))


def test_users_outside_the_core_are_answered_from_their_history(release: Artefact) -> None:
    """Also one whose only item is an arrival; what they took is left out."""
    served = ReleaseServer(release)
    for user, taken in (
        ("newcomer 2", {"item 2", "item 6", f"item {KNOWN + 6}"}),
        ("early bird 3", {f"item {KNOWN + 3}"}),
    ):
        found = [one.item for one in served.recommend(user, 20)]
        assert taken.isdisjoint(found)
        if served.model != "popularity":
            assert sum(group(item) == group(user) for item in found) >= 15


def test_a_history_may_hold_arrivals(release: Artefact) -> None:
    """The known item most similar in content stands in; nobody gets what they took."""
    served = ReleaseServer(release)
    history = [f"item {KNOWN + 1}", f"item {KNOWN + 5}"]
    found = [one.item for one in served.recommend_new(history, 20)]
    assert not set(history) & set(found)
    if served.model != "popularity":
        assert sum(group(item) == 1 for item in found) >= 15


def test_what_a_known_user_took_outside_is_left_out(release: Artefact) -> None:
    """User 0 took an arrival that models do not know."""
    taken = f"item {KNOWN + 4}"
    served = ReleaseServer(release)
    assert taken not in [one.item for one in served.recommend("user 0", KNOWN + ARRIVALS)]
    if served.model == "ease":
        assert taken in [one.item for one in served.recommend("user 0", KNOWN + ARRIVALS, include_seen=True)]


def test_without_places_arrivals_are_in_no_list_but_known(folder_store: FolderStore) -> None:
    """The policy `off`."""
    data, outside = world()
    model = build_model("ease", {}, data)
    model.fit(TrainingOptions(seed=1))
    made = released(folder_store, model, data, outside=outside, catalogue=catalogue_of(model, outside, OFF))
    served = ReleaseServer(made)
    assert not fresh(served.recommend("user 1", KNOWN + ARRIVALS))
    assert served.similar(f"item {KNOWN}", 5)
    assert not made.frame("recommendations.parquet")["arrival"].any()
