"""`demo-arrivals`: for whom the newest films of the generated catalogue are recommended, and whether they fit."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pandas as pd
import typer

from tasks.catalogue import film, fits
from tasks.errors import NotFound
from tasks.metrics import SELECTION
from tasks.steps.options import Dataset
from tasks.store import open_history, open_store, read_artefact, release_prefix


def demo_arrivals(
    *,
    dataset: Dataset,
    first_item: Annotated[int, typer.Option(help="Number of the first new film.")],
    items: Annotated[int, typer.Option(min=1, help="Number of new films.")] = 3,
    seed: Annotated[int, typer.Option(help="Seed of the generated catalogue.")] = 7,
) -> dict[str, object]:
    """Show for how many users the newest films of the demo are among the 20 best of the served release.

    The generated world knows whose taste a film fits: a viewer to whom it appeals more than three quarters of all films
    do. The table compares the viewers to whom it is recommended with all viewers.
    """
    with open_history() as history:
        champion = history.champion(dataset)
    if champion is None:
        raise NotFound(f"dataset {dataset!r} has no release, expected a run of it to have published one")
    release = read_artefact(open_store(), release_prefix(dataset, champion.release))
    lists = release.frame("recommendations.parquet")
    lists = lists[lists["rank"] <= SELECTION.k]
    viewers = sorted(lists["user_id"].unique())
    table = [
        describe(seed, number, first_item + items, lists, viewers) for number in range(first_item, first_item + items)
    ]
    frame = pd.DataFrame(table)
    typer.echo(f"New films in the {SELECTION.k} best of {len(viewers)} users, release {champion.release}:")
    typer.echo(frame.to_string(index=False))
    return {"dataset": dataset, "release": champion.release, "lists": int(frame["users"].sum())}


def describe(seed: int, number: int, count: int, lists: pd.DataFrame, viewers: list[str]) -> dict[str, object]:
    """One row of the table: a film, for how many users it is recommended, and whom it fits."""
    one = film(seed, number)
    fitting = fits(seed, number, films=count, viewers=[int(user.rpartition("-")[2]) for user in viewers])
    chosen = np.isin(viewers, lists.loc[lists["item_id"] == one.item_id, "user_id"].to_numpy())
    of_these = f"{fitting[chosen].mean():.0%}" if chosen.any() else "-"
    return {
        "film": one.item_id,
        "genre": one.genre,
        "users": int(chosen.sum()),
        "of their taste": of_these,
        "of all users": f"{fitting.mean():.0%}",
    }
