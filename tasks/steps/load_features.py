"""Loads descriptors into the store: a table of named numbers per item as a feature."""

from __future__ import annotations

from typing import Annotated, cast

import typer

from tasks.data.descriptors import GAPS, SCALES, Gaps, Scale, make_descriptors
from tasks.data.item_tables import read_item_table
from tasks.errors import BadInput
from tasks.runs.config import NUMBERS, check_feature_name
from tasks.steps.options import Columns, Dataset, Delimiter, ItemColumn, Query, TableFormat, split_words
from tasks.store import open_store
from tasks.store.layout import check_dataset_name
from tasks.store.matrices import replace_matrix
from tasks.store.sources import fetch


def load_features(
    *,
    file: Annotated[
        str,
        typer.Argument(
            help="The table, one row an item: a file or s3://bucket/key (CSV, TSV or Parquet; text may be gzipped), "
            "or a database: postgresql://user@host/database, or env:NAME for the variable that holds its address."
        ),
    ],
    dataset: Dataset,
    feature: Annotated[str, typer.Option(help="Name of the feature, of small letters, digits and _.")],
    query: Query = None,
    format_name: TableFormat = "auto",
    delimiter: Delimiter = None,
    item_column: ItemColumn = None,
    columns: Columns = None,
    scale: Annotated[
        str, typer.Option(help="standard (mean 0, variance 1), minmax (0 to 1) or raw, each column by itself.")
    ] = "standard",
    missing: Annotated[
        str,
        typer.Option(help="What becomes of empty cells: refuse; mean of the column; drop, which leaves the item out."),
    ] = "refuse",
) -> dict[str, object]:
    """Use a table of numbers per item, such as tempo and loudness, as a feature of a dataset, without any media.

    The table replaces the previous one of the feature; runs that have started keep theirs. A run takes it by
    {"NAME": {"modality": "numbers"}} in its features. Without --columns all columns that hold numbers alone are taken.
    """
    if scale not in SCALES or missing not in GAPS:
        raise BadInput(
            f"--scale {scale} with --missing {missing} found, expected {', '.join(SCALES)} with {', '.join(GAPS)}"
        )
    try:
        check_feature_name(feature, NUMBERS)
    except ValueError as error:
        raise BadInput(str(error)) from error
    store, dataset = open_store(), check_dataset_name(dataset)
    with fetch(file, query) as source:
        table = read_item_table(
            source.path,
            name=source.name,
            format_name=format_name,
            delimiter=delimiter,
            item_column=item_column,
            columns=split_words(columns),
            content="numbers of items",
        )
        chosen = None if columns is None else list(table.columns)
        made = make_descriptors(table, chosen=chosen, scale=cast("Scale", scale), gaps=cast("Gaps", missing))
    facts = {"columns": made.columns, "scale": scale, "offset": made.offset.tolist(), "divisor": made.divisor.tolist()}
    facts |= {"missing": missing, "filled": made.filled, "dropped": made.dropped}
    parameters: dict[str, object] = {"source": table.name, "format": table.source.format, "item": table.item}
    parameters |= {"columns": made.columns, "scale": scale, "missing": missing} | ({"query": query} if query else {})
    kept = replace_matrix(store, dataset, feature, made.values, made.ids, parameters=parameters, columns=facts)
    return {
        "matrix": kept.prefix,
        "changed": kept.changed,
        "items": len(made.ids),
        "columns": made.columns,
        "filled": sum(made.filled.values()),
        "dropped": made.dropped,
    }
