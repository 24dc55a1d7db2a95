"""Known figures on real data: Last.fm-2k with its given split, and ML-1M with posters, full ranking on test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from tasks.data import Dataset
from tasks.metrics import evaluate, selection_metric
from tasks.models import build_model
from tasks.training import TrainingOptions

pytestmark = pytest.mark.realdata
LFM2K, ML1M = "lfm2k/lfm2k.inter", "ml1m/ml1m_posters_split.tsv.gz"


def real(path: Path) -> Dataset:
    """A labelled log of three columns: user, item and 0, 1 or 2 for the split."""
    table = pd.read_csv(path, sep="\t")
    users, rows = np.unique(table.iloc[:, 0], return_inverse=True)
    items, columns = np.unique(table.iloc[:, 1], return_inverse=True)
    labels = table["x_label"].to_numpy()
    splits = []
    for label in (0, 1, 2):
        chosen = labels == label
        ones = np.ones(int(chosen.sum()), dtype=np.float32)
        shape = (len(users), len(items))
        splits.append(sparse.csr_matrix((ones, (rows[chosen], columns[chosen])), shape=shape))
    return Dataset(path.stem, *splits, users.astype(np.str_), items.astype(np.str_))


@pytest.mark.parametrize(
    ("name", "file", "recall", "ndcg"),
    [
        ("popularity", LFM2K, 0.1229, 0.0755),
        ("popularity", ML1M, 0.1165, 0.1186),
        ("ease", LFM2K, 0.3955, 0.2711),
        ("ease", ML1M, 0.2793, 0.2699),
    ],
)
def test_closed_forms_give_the_figures_measured_elsewhere(
    shared_data: Path, name: str, file: str, recall: float, ndcg: float
) -> None:
    """Recall@20 and NDCG@20 within 0.001, with the default hyper-parameters."""
    data = real(shared_data / file)
    model = build_model(name, {}, data)
    model.fit(TrainingOptions())
    found = evaluate(model.scores, data, "test").means()
    assert found["recall@20"] == pytest.approx(recall, abs=1e-3)
    assert found["ndcg@20"] == pytest.approx(ndcg, abs=1e-3)


@pytest.mark.slow
def test_bpr_with_its_defaults_is_as_good_as_published_code(shared_data: Path) -> None:
    """At least Recall@20 .39 on Last.fm-2k, chosen on validation."""
    data = real(shared_data / LFM2K)
    model = build_model("bpr", {}, data)
    model.fit(TrainingOptions(validate=lambda scorer: selection_metric(scorer.scores, data)))
    assert evaluate(model.scores, data, "test").means()["recall@20"] > 0.39
