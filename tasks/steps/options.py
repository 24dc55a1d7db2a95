"""Options shared by several commands, each declared once."""

from __future__ import annotations

from typing import Annotated

import typer

Run = Annotated[str, typer.Option(help="Name of the run; in Airflow the run id. Letters, digits and . _ : + - only.")]
Dataset = Annotated[str, typer.Option(help="Name of the dataset, as in media/<dataset>/ in the store.")]
Modality = Annotated[str, typer.Option(help="One modality: image, audio or text.")]
FeatureName = Annotated[
    str,
    typer.Option("--feature", "--modality", help="One feature of the run, by its name; mostly that of its modality."),
]
Device = Annotated[str, typer.Option(help="cpu, or cuda for a GPU.", envvar="RECSYS_DEVICE")]
ModelName = Annotated[str, typer.Option("--model", help="One model of the run, by its name in MODELS.")]
Threads = Annotated[
    int,
    typer.Option(
        help="0: one for small data, else all; the same number gives the same metrics.", envvar="RECSYS_THREADS"
    ),
]
Memory = Annotated[float, typer.Option(help="Maximum memory of a model in GiB.", envvar="RECSYS_MEMORY_GIB")]
