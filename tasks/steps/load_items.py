"""Loads item records into the store."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from tasks.data.fields import TYPES, USUAL
from tasks.data.item_tables import read_item_table
from tasks.data.records import Records, make_records
from tasks.errors import BadInput
from tasks.steps.options import Columns, Dataset, Delimiter, ItemColumn, Query, TableFormat, split_words
from tasks.store import open_store
from tasks.store.item_records import replace_records
from tasks.store.layout import check_dataset_name
from tasks.store.sources import fetch

log = logging.getLogger(__name__)
RULE = ", ".join(f"{name} is {kind}" for name, kind in USUAL.items())


def load_items(
    *,
    file: Annotated[
        str,
        typer.Argument(
            help="The records, one row an item: a file or s3://bucket/key (CSV, TSV or Parquet; text may be gzipped), "
            "or a database: postgresql://user@host/database, or env:NAME for the variable that holds its address."
        ),
    ],
    dataset: Dataset,
    query: Query = None,
    format_name: TableFormat = "auto",
    delimiter: Delimiter = None,
    item_column: ItemColumn = None,
    title_column: Annotated[str | None, typer.Option(help="Column of the title; default: title.")] = None,
    columns: Columns = None,
    types: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            help=f"FIELD=TYPE, {' or '.join(TYPES)}; may be given several times. Without it {RULE}, and others are "
            "what all their cells are: numbers without zeros in front, dates (YYYY-MM-DD), else text.",
        ),
    ] = None,
    separator: Annotated[str, typer.Option(help="What is between the entries of a list.")] = "|",
) -> dict[str, object]:
    """Give the items of a dataset fields that people know them by: title, year, genres, people, plot, tags and others.

    The records replace the previous ones; runs that have started keep theirs. Item ids are those of the log. Fields are
    named as their columns, in small letters. An empty cell is a field that the item does not have; an item without a
    record is shown by its id.
    """
    store, dataset = open_store(), check_dataset_name(dataset)
    given = parse_types(types or [])
    if not separator:
        raise BadInput("--separator '' found, expected at least one character")
    with fetch(file, query) as source:
        table = read_item_table(
            source.path,
            name=source.name,
            format_name=format_name,
            delimiter=delimiter,
            item_column=item_column,
            columns=split_words(columns),
        )
        records = make_records(table, types=given, title_column=title_column, separator=separator)
    log.info("%s read as %s (%s): %d items", table.name, table.source.format, table.source.why, len(records))
    tell(records)
    parameters: dict[str, object] = {"source": table.name, "format": table.source.format, "item": table.item}
    parameters |= {"types": records.fields, "separator": separator} | ({"query": query} if query is not None else {})
    kept = replace_records(store, dataset, records, parameters=parameters)
    return {"records": kept.prefix, "changed": kept.changed, "items": len(records), "fields": records.fields}


def parse_types(given: list[str]) -> dict[str, str]:
    """Field -> type, of options FIELD=TYPE."""
    types: dict[str, str] = {}
    for one in given:
        name, mark, kind = one.partition("=")
        if not mark or name in types:
            what = "twice" if name in types else "without a type"
            raise BadInput(f"--type {one!r} found, the field {what}, expected FIELD=TYPE once for a field")
        types[name.strip()] = kind.strip()
    return types


def tell(records: Records) -> None:
    """Say what each field is, and how many items have it."""
    for name, kind in records.fields.items():
        have = len(records) - records.table[name].null_count
        log.info("%s: %s, of %d items", name, kind, have)
    if "title" not in records.fields:
        log.warning("there is no title, so people are shown ids alone (--title-column names one)")
