"""Options shared by several commands, each declared once."""

from __future__ import annotations

from typing import Annotated

import typer

TABULAR = ("inter", "csv", "tsv", "parquet")  # formats with a line of names; here so that no table is read for --help

Run = Annotated[str, typer.Option(help="Name of the run; in Airflow the run id. Letters, digits and . _ : + - only.")]
Dataset = Annotated[str, typer.Option(help="Name of the dataset, as in media/<dataset>/ in the store.")]
Modality = Annotated[str, typer.Option(help="One modality: image, audio or text.")]
FeatureName = Annotated[
    str,
    typer.Option("--feature", "--modality", help="One feature of the run, by its name; mostly that of its modality."),
]
Query = Annotated[str | None, typer.Option(help="For a database: one SELECT, whose answer is the table.")]
TableFormat = Annotated[
    str, typer.Option("--format", help=f"auto (by name and first bytes), or one of {', '.join(TABULAR)}.")
]
Delimiter = Annotated[
    str | None, typer.Option(help="What is between the columns of a text: one character, or tab; default: guessed.")
]
ItemColumn = Annotated[str | None, typer.Option(help="Column of the item ids; usual names are recognised.")]
Columns = Annotated[str | None, typer.Option(help="Columns that are used, with commas; default: all.")]
Device = Annotated[str, typer.Option(help="cpu, or cuda for a GPU.", envvar="RECSYS_DEVICE")]
ModelName = Annotated[str, typer.Option("--model", help="One model of the run, by its name in MODELS.")]
Threads = Annotated[
    int,
    typer.Option(
        help="0: one for small data, else all; the same number gives the same metrics.", envvar="RECSYS_THREADS"
    ),
]
Memory = Annotated[float, typer.Option(help="Maximum memory of a model in GiB.", envvar="RECSYS_MEMORY_GIB")]


def split_words(text: str | None) -> list[str] | None:
    """Names between commas, without blanks; None where the option was not given."""
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]
