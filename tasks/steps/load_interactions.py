"""Take an interaction log into the store."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from tasks.data import Columns, read_interactions
from tasks.data.readers import FORMATS
from tasks.steps.inputs import checked_dataset, current, interactions_folder, point
from tasks.steps.options import Dataset
from tasks.store import has_artefact, open_store, sha256_of, write_artefact

log = logging.getLogger(__name__)


def load_interactions(
    *,
    file: Annotated[Path, typer.Argument(help="The log: .inter, ratings.dat, .csv, .tsv or .parquet; the text ones may be gzipped.")],
    dataset: Dataset,
    format_name: Annotated[str, typer.Option("--format", help=f"auto (by the name's ending) or one of {', '.join(FORMATS)}.")] = "auto",
    user_column: Annotated[str | None, typer.Option(help="Column of the user ids; the usual names are found.")] = None,
    item_column: Annotated[str | None, typer.Option(help="Column of the item ids; the usual names are found.")] = None,
    rating_column: Annotated[str | None, typer.Option(help="Column of the ratings; the usual names are found.")] = None,
    timestamp_column: Annotated[str | None, typer.Option(help="Column of the times; the usual names are found.")] = None,
    threshold: Annotated[float | None, typer.Option(help="Keep rows rated at least this.")] = None,
    implicit: Annotated[bool, typer.Option("--implicit", help="Every row counts, whatever its rating.")] = False,
) -> dict[str, object]:
    """Read an interaction log and make it the current one of a dataset.

    The log replaces the one before it; runs that have begun keep the log they began with. Item ids must be the names of the
    media without their endings.
    """
    store, folder = open_store(), interactions_folder(checked_dataset(dataset))
    columns = Columns(user=user_column, item=item_column, rating=rating_column, timestamp=timestamp_column)
    reading = read_interactions(file, format_name=format_name, columns=columns, threshold=threshold, implicit=implicit)
    found = reading.interactions
    log.info(
        "%s read as %s: %d rows, %d below the threshold, %d repeated pairs left out; %d interactions / %d users / %d items",
        *(file.name, reading.format, reading.rows, reading.below_threshold, reading.duplicates, *found.counts.values()),
    )
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "interactions.parquet"
        found.save(path)
        version = sha256_of(path)
        prefix = f"{folder}/{version}"
        if not has_artefact(store, prefix):
            with write_artefact(store, prefix, parameters={"source": file.name, "format": reading.format}) as out:
                path.rename(out.file(path.name))
                out.counts.update(found.counts)
    changed = current(store, folder) != prefix
    point(store, folder, version)
    if not changed:
        log.info("this log is the current one already")
    return {
        "interactions": prefix,
        "changed": changed,
        **found.counts,
        "below_threshold": reading.below_threshold,
        "duplicates": reading.duplicates,
    }
