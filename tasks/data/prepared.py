"""The log of a prepared dataset in MMRec's format: a tab-separated .inter of numbers with split labels.

`userID` and `itemID` are row and column numbers; `x_label` is 0 (train), 1 (valid) or 2 (test); `timestamp` is in
seconds and exists if the log has times.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv

from tasks.data.interactions import Interactions
from tasks.data.splits import labels_of
from tasks.errors import BadInput, one_line

USER, ITEM, LABEL, TIMESTAMP = "userID", "itemID", "x_label", "timestamp"


def columns_of(log: Interactions, *, labelled: bool = True) -> dict[str, np.ndarray]:
    """Return column name -> numbers (n,) of a log, in the order of the file."""
    columns = {USER: log.users, ITEM: log.items} | ({LABEL: labels_of(log)} if labelled else {})
    return columns if log.timestamps is None else columns | {TIMESTAMP: log.timestamps}


def read_prepared(path: Path, user_ids: np.ndarray, item_ids: np.ndarray, *, labelled: bool = True) -> Interactions:
    """A log that `prepare` wrote: row and column numbers already, with its times where it has them.

    The ids are those of its mappings. BadInput for another file.
    """
    kinds = {USER: pa.int32(), ITEM: pa.int32(), LABEL: pa.int8(), TIMESTAMP: pa.int64()}
    options = pcsv.ConvertOptions(column_types=kinds, null_values=[])
    try:
        table = pcsv.read_csv(path, parse_options=pcsv.ParseOptions(delimiter="\t"), convert_options=options)
        users, items = (table[name].to_numpy() for name in (USER, ITEM))
        split = table[LABEL].to_numpy() if labelled else None
    except (pa.ArrowInvalid, KeyError) as error:
        raise BadInput(f"{path.name} is not a prepared log: {one_line(error)}") from error
    times = table[TIMESTAMP].to_numpy() if TIMESTAMP in table.column_names else None
    return Interactions(users, items, user_ids, item_ids, times, split)
