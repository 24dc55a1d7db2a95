"""Twins of two nights on the same rows, against loops that anyone can follow."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from tasks.errors import Diverged
from tasks.models.serving import ItemItem
from tasks.releases.comparison import Comparison, compare_twins
from tasks.releases.twins import Twin, find_rows, score_rows

K = 20


def twin(rng: np.random.Generator, users: int, items: int) -> tuple[Twin, sparse.csr_matrix]:
    """A twin of some of the ids, in an order of its own, and validation rows that it has not learned from."""
    user_ids = rng.permutation([f"u{n}" for n in range(users + 5)])[:users]
    item_ids = rng.permutation([f"i{n}" for n in range(items + 4)])[:items]
    drawn = rng.random((users, items))
    train, valid = ((drawn < 0.2).astype(np.float32), ((drawn >= 0.2) & (drawn < 0.4)).astype(np.float32))
    serving = ItemItem(rng.normal(size=(items, items)).astype(np.float32))
    return Twin(user_ids, item_ids, serving, sparse.csr_matrix(train)), sparse.csr_matrix(valid)


def pairs(of: Twin, rows: sparse.csr_matrix) -> set[tuple[str, str]]:
    """A matrix as ids."""
    table = rows.tocoo()
    return set(zip(of.user_ids[table.row].tolist(), of.item_ids[table.col].tolist(), strict=True))


def by_hand(of: Twin, user: str, items: list[str], wanted: set[str]) -> float:
    """NDCG@20 of one user with `items` as candidates, the first of tonight first; those that it does not know lose."""
    known = of.item_ids.tolist()
    scores = of.scores(np.array([of.user_ids.tolist().index(user)]))[0]
    ranked = sorted((i for i in items if i in known), key=lambda item: -scores[known.index(item)])[:K]
    gain = sum(1 / log2(rank + 2) for rank, item in enumerate(ranked) if item in wanted)
    return gain / sum(1 / log2(rank + 2) for rank in range(min(K, len(wanted))))


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(6, 20), st.integers(6, 40))
def test_both_figures_are_those_of_plain_loops(seed: int, users: int, items: int) -> None:
    """Rows, users, candidates and masks by sets of ids; and the values of every user by a sort."""
    rng = np.random.default_rng(seed)
    (candidate, valid), (other, _) = twin(rng, users, items), twin(rng, users + 1, items + 2)
    known, catalogue = score_rows(candidate, other, find_rows(candidate, other, valid))
    seen = pairs(candidate, candidate.train) | pairs(other, other.train)
    tonight, shared = candidate.item_ids.tolist(), set(candidate.item_ids.tolist()) & set(other.item_ids.tolist())
    rows = {
        (u, i) for u, i in pairs(candidate, valid) if u in other.user_ids and (u, i) not in pairs(other, other.train)
    }
    for pair, competing in ((known, shared), (catalogue, set(tonight))):
        wanted = {(u, i) for u, i in rows if i in competing}
        assert (pair.rows, pair.items) == (len(wanted), len(competing))
        assert set(pair.candidate.users.tolist()) == {u for u, _ in wanted}
        assert pair.candidate.users.tolist() == pair.other.users.tolist()
        for place, user in enumerate(pair.candidate.users.tolist()):
            free = [item for item in tonight if item in competing and (user, item) not in seen]
            mine = {item for one, item in wanted if one == user}
            for of, values in ((candidate, pair.candidate), (other, pair.other)):
                assert values.values["ndcg"][place, 0] == pytest.approx(by_hand(of, user, free, mine), abs=1e-6)


def test_a_twin_compared_with_itself_differs_in_nothing() -> None:
    """No difference, and an interval of no width."""
    one, valid = twin(np.random.default_rng(3), 60, 40)
    found = compare_twins("r", one, one, valid)
    assert isinstance(found, Comparison)
    assert (found.known.difference, found.known.low, found.known.high) == (0, 0, 0)
    assert found.known == found.catalogue


def test_what_the_champion_does_not_know_counts_in_the_catalogue_alone() -> None:
    """New items win for the candidate there: the champion finds none of them."""
    rng = np.random.default_rng(5)
    users, items = 50, 30
    item_ids = np.array([f"i{n}" for n in range(items)])
    user_ids = np.array([f"u{n}" for n in range(users)])
    drawn = rng.random((users, items))
    train, valid = (
        sparse.csr_matrix((drawn < 0.5).astype(np.float32)),
        sparse.csr_matrix((drawn > 0.7).astype(np.float32)),
    )
    same = rng.normal(size=(items, items)).astype(np.float32)
    candidate = Twin(user_ids, item_ids, ItemItem(same), train)
    old = Twin(user_ids, item_ids[:20], ItemItem(same[:20, :20]), train[:, :20].tocsr())
    found = compare_twins("r", candidate, old, valid)
    assert isinstance(found, Comparison)
    assert (found.known.items, found.catalogue.items) == (20, 30)
    assert found.known.rows < found.catalogue.rows == valid.nnz
    assert found.catalogue.low > 0.1


def test_scores_that_are_not_finite_are_refused() -> None:
    """They would rank anywhere."""
    one, _ = twin(np.random.default_rng(1), 10, 10)
    broken = Twin(one.user_ids, one.item_ids, ItemItem(np.full((10, 10), np.nan, dtype=np.float32)), one.train)
    with pytest.raises(Diverged, match="not finite"):
        broken.scores(np.arange(10))
