"""Our ranking metrics compared with trec_eval, which `ir-measures` calls."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import AP, RR, P, R, Success, nDCG
from ir_measures.measures.base import Measure
from ir_measures.providers.pytrec_eval_provider import PytrecEvalProvider

from tasks.data import Dataset
from tasks.metrics import evaluate
from tests.world import random_world

CUTOFFS = (1, 3, 5, 20)  # the last beyond the catalogue
SAME = {"recall": R, "ndcg": nDCG, "precision": P, "hit": Success}
USERS, ITEMS = 8, 15


def judged(
    measures: list[Measure], scores: np.ndarray, data: Dataset, split: str, masked: tuple[str, ...]
) -> dict[tuple[str, str], float]:
    """Return (user, measure) -> value by trec_eval, from the scores of the items that are not masked, unsorted."""
    positives = getattr(data, split)
    wanted = {str(user): {str(item): 1 for item in positives[user].indices} for user in range(USERS)}
    wanted = {user: items for user, items in wanted.items() if items}
    run = {
        user: {
            str(item): float(score)
            for item, score in enumerate(scores[int(user)])
            if not any(getattr(data, name)[int(user), item] for name in masked)
        }
        for user in wanted
    }
    scored = PytrecEvalProvider().evaluator(measures, wanted).iter_calc(run)
    return {(metric.query_id, str(metric.measure)): metric.value for metric in scored}


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), masked=st.sampled_from([("train",), ("train", "valid")]))
def test_trec_eval_gives_the_same_metrics_user_by_user(seed: int, masked: tuple[str, ...]) -> None:
    """Recall, NDCG, precision and hit rate agree directly; MAP and MRR after adapting their definitions.

    trec_eval divides the sum of AP@k by |P| where ours divides by min(k, |P|), the most hits that k ranks can hold, and
    its reciprocal rank has no cutoff, so ours is it where it is at least 1 / k.
    """
    data = random_world(USERS, ITEMS, density=0.6, seed=seed)
    if not data.test.nnz:
        return
    scores = np.random.default_rng(seed).permutation(USERS * ITEMS).reshape(USERS, ITEMS).astype(np.float32)  # no ties
    evaluation = evaluate(lambda users: scores[users], data, "test", cutoffs=CUTOFFS, exclude_seen=masked)
    measures = [measure @ k for measure in (*SAME.values(), AP) for k in CUTOFFS]
    told = judged([*measures, RR], scores, data, "test", masked)
    for row, user in enumerate(evaluation.users.tolist()):
        count = data.test[user].nnz
        for place, k in enumerate(CUTOFFS):
            expected = {name: told[str(user), str(measure @ k)] for name, measure in SAME.items()}
            expected["map"] = told[str(user), str(AP @ k)] * count / min(k, count)
            first = told[str(user), "RR"]
            expected["mrr"] = first if first >= 1 / k else 0.0
            ours = {name: values[row, place] for name, values in evaluation.values.items()}
            assert ours == pytest.approx(expected, abs=1e-12)
