"""The metrics of the last runs, read without those of all others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tasks.store import History
from tasks.store.history import COLUMNS
from tests.store.test_history import trained

pytestmark = pytest.mark.services


def test_the_last_runs_are_what_the_view_has_of_them(history: History) -> None:
    """With the change since the run before of the same series, however long ago that was."""
    rng = np.random.default_rng(3)
    for n in range(12):
        models = ("ease",) if n in {0, 11} else ("bpr", "vbpr")[: 1 + n % 2]
        for model in models:
            trained(history, f"r{n:02}", model=model, value=float(rng.random()), dataset="d" if n % 4 else "other")
    columns = ", ".join(COLUMNS)
    for runs in (1, 3, 20):
        for dataset, model in ((None, None), ("d", None), ("d", "bpr"), (None, "ease")):
            view = pd.DataFrame(history._rows(f"SELECT {columns} FROM rec.metric_change"), columns=list(COLUMNS))
            of = (view["dataset"] == (dataset or view["dataset"])) & (view["model"] == (model or view["model"]))
            view = view[of & (view["split"] == "valid")].sort_values(["started_at", "run", "model", "metric", "k"])
            last = view["run"].drop_duplicates().tolist()[-runs:]
            found = history.table(dataset=dataset, model=model, split="valid", since=None, runs=runs)
            expected = view[view["run"].isin(last)].reset_index(drop=True)
            pd.testing.assert_frame_equal(found, expected, check_dtype=False)  # an empty frame has none
            assert found["run"].nunique() <= runs
