"""Loads an interaction log into the store."""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from typing import Annotated

import typer

from tasks.data import Columns, read_interactions
from tasks.data.readers import FORMATS, Reading
from tasks.errors import BadInput
from tasks.steps.options import Dataset
from tasks.store import open_store
from tasks.store.layout import check_dataset_name
from tasks.store.logs import add_to_log, find_log, replace_log
from tasks.store.sources import fetch

log = logging.getLogger(__name__)
USUAL = "usual names are recognised."


def load_interactions(
    *,
    file: Annotated[
        str,
        typer.Argument(
            help="The log: a file or s3://bucket/key (.inter, ratings.dat, CSV, TSV or Parquet; text may be gzipped), "
            "or a database: postgresql://user@host/database, or env:NAME for the variable that holds its address."
        ),
    ],
    dataset: Dataset,
    query: Annotated[
        str | None,
        typer.Option(help="For a database: one SELECT, whose answer is the log."),
    ] = None,
    format_name: Annotated[
        str, typer.Option("--format", help=f"auto (by name and first bytes), or one of {', '.join(FORMATS)}.")
    ] = "auto",
    delimiter: Annotated[
        str | None, typer.Option(help="What is between the columns of a text: one character, or tab; default: guessed.")
    ] = None,
    user_column: Annotated[str | None, typer.Option(help=f"Column of the user ids; {USUAL}")] = None,
    item_column: Annotated[str | None, typer.Option(help=f"Column of the item ids; {USUAL}")] = None,
    rating_column: Annotated[str | None, typer.Option(help=f"Column of the ratings; {USUAL}")] = None,
    timestamp_column: Annotated[
        str | None,
        typer.Option(
            "--timestamp-column",
            "--time-column",
            help=f"Column of the times, in seconds since 1970 or ISO 8601; {USUAL}",
        ),
    ] = None,
    no_timestamp: Annotated[
        bool, typer.Option("--no-timestamp", help="Leave the times out, whatever columns there are.")
    ] = False,
    threshold: Annotated[float | None, typer.Option(help="Keep rows rated at least this.")] = None,
    implicit: Annotated[bool, typer.Option("--implicit", help="Keep every row, whatever its rating.")] = False,
    append: Annotated[
        bool, typer.Option("--append", help="Add the rows to the current log of the dataset, in place of replacing it.")
    ] = False,
) -> dict[str, object]:
    """Read an interaction log and make it the current one of a dataset, or add it to the current one.

    Without --append the log replaces the previous one; runs that have started keep their log. Item ids must be the
    names of the media without suffix. Of repeated pairs of user and item only the earliest row is kept, also when they
    are in the log and in the rows added to it. Other columns are ignored, with a warning; one that could hold ratings
    is refused until --threshold or --implicit says what it means.
    """
    store, dataset = open_store(), check_dataset_name(dataset)
    earlier = find_log(store, dataset) if append else None
    columns = Columns(user_column, item_column, rating_column, timestamp_column, timeless=no_timestamp)
    if query is not None and (format_name != "auto" or delimiter is not None):
        raise BadInput("--query with --format or --delimiter found, expected these for files alone")
    with fetch(file, query) as source:
        reading = read_interactions(
            source.path,
            name=source.name,
            format_name=format_name,
            delimiter=delimiter,
            columns=columns,
            threshold=threshold,
            implicit=implicit,
        )
    if query is not None:
        reading = replace(reading, format="sql", why="by --query")
    tell(reading, source.name, threshold)
    parameters: dict[str, object] = {"source": source.name, "format": reading.format, "threshold": threshold}
    parameters |= {"columns": asdict(reading.roles)} | ({"query": query} if query is not None else {})
    counts = {"rows": reading.rows, "below_threshold": reading.below_threshold, "duplicates": reading.duplicates}
    if earlier is None:
        kept = replace_log(store, dataset, reading.interactions, parameters=parameters, counts=counts)
    else:
        warn_of_threshold(earlier.manifest.parameters.get("threshold"), threshold)
        parameters["appended"] = True
        kept = add_to_log(store, dataset, reading.interactions, earlier=earlier, parameters=parameters, counts=counts)
    return {"log": kept.prefix, "format": reading.format, "changed": kept.changed, **kept.counts}


def tell(reading: Reading, file: str, threshold: float | None) -> None:
    """Say what was decided, what was left out, and what is left."""
    log.info("%s read as %s (%s): %d rows", file, reading.format, reading.why, reading.rows)
    log.info("%s", reading.roles.describe(threshold))
    if reading.roles.ignored:
        log.warning(
            "columns are ignored: %s (--user-column, --item-column, --rating-column, --timestamp-column choose others)",
            ", ".join(reading.roles.ignored),
        )
    if threshold is not None:
        log.info("%d rows rated below %g left out", reading.below_threshold, threshold)
    log.info("%d rows with repeated pairs of user and item left out", reading.duplicates)
    log.info("%d interactions / %d users / %d items", *reading.interactions.counts.values())


def warn_of_threshold(before: object, now: object) -> None:
    """Say so if the ratings of the log and of the new rows count from different ones up."""
    if before is not None and now is not None and before != now:
        log.warning("the log was last given rows with --threshold %g, and now with --threshold %g", before, now)
