"""Whether the encoders of tables fit them: trained on the same columns, on the same scale."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from tasks.encoders import split_name
from tasks.encoders.base import CONFIG
from tasks.encoders.identity import find_weights
from tasks.errors import BadInput
from tasks.runs.config import Feature
from tasks.store import Store, read_artefact
from tasks.store.matrices import VECTORS, columns_of


def check_row_encoders(store: Store, features: Sequence[Feature], matrices: Mapping[str, str]) -> None:
    """Raise BadInput for a feature whose encoder was trained on another kind of table. `matrices`: feature -> prefix.

    Rows of other columns would be encoded without an error if they had the same width.
    """
    for feature in features:
        if not feature.encodes_rows:
            continue
        plain, _ = split_name(feature.encoder)  # rows have no variants, which `identify` has said
        matrix = read_artefact(store, matrices[feature.name])
        shape, known = matrix.manifest.files[VECTORS].shape, columns_of(matrix) or {}
        table = (shape[1] if shape else None, known.get("columns"), known.get("scale"))
        with find_weights(store, plain).folder() as folder:
            config = json.loads((folder / CONFIG).read_bytes())
        trained = (config.get("inputs"), config.get("columns"), config.get("scale"))
        if table != trained:
            raise BadInput(
                f"encoder {plain!r} was trained on {_describe(*trained)}, and the table {feature.source!r} has "
                f"{_describe(*table)}, expected the same: train it again on this table"
            )


def _describe(width: int | None, columns: list[str] | None, scale: str | None) -> str:
    return f"{width} columns" + (f" ({', '.join(columns)}; {scale})" if columns else " without names")
