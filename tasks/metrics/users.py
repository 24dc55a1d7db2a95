"""Per-user metrics as a table, so that two models can be compared after their evaluation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from tasks.data import Dataset
from tasks.errors import BadInput
from tasks.metrics.metric import Metric
from tasks.metrics.ranking import EvalSplit, Evaluation, UserValues

KEYS = ("split", "user", "user_id")


def user_table(evaluations: Mapping[EvalSplit, Evaluation], data: Dataset) -> pd.DataFrame:
    """One row for each split and user with positives in it: split, user (row number), user_id, recall@5 and so on.

    Values are float32: their relative rounding error is below 1e-7, too small to affect comparisons.
    """
    return pd.concat([_rows(split, evaluation, data) for split, evaluation in evaluations.items()], ignore_index=True)


def user_values(table: pd.DataFrame, split: str) -> UserValues:
    """Return the values of one split of `user_table`, in its order; users are identified by ids, which runs share."""
    rows = table[table["split"] == split]
    if rows.empty:
        raise BadInput(f"no row of split {split!r} found, expected one of {table['split'].unique().tolist()}")
    columns = [Metric.parse(name) for name in table.columns if name not in KEYS]
    cutoffs = sorted({metric.k for metric in columns})
    values = {
        name: rows[[str(Metric(name, k)) for k in cutoffs]].to_numpy(dtype=np.float64)
        for name in dict.fromkeys(metric.name for metric in columns)
    }
    return UserValues(rows["user_id"].to_numpy(dtype=np.str_), tuple(cutoffs), values)


def _rows(split: str, evaluation: Evaluation, data: Dataset) -> pd.DataFrame:
    columns = {
        str(Metric(metric, k)): values[:, place].astype(np.float32)
        for metric, values in evaluation.values.items()
        for place, k in enumerate(evaluation.cutoffs)
    }
    users = evaluation.users
    return pd.DataFrame({"split": split, "user": users.astype(np.int32), "user_id": data.user_ids[users], **columns})
