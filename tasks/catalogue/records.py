"""Records of films: what a shop would know of them beside their media."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from tasks.catalogue.synopses import title, write_synopsis
from tasks.catalogue.world import Film, film

SECOND = 0.25  # share from which the second genre is named
FIRST_YEAR, YEARS = 1970, 55


def item_records(seed: int, numbers: Iterable[int]) -> pd.DataFrame:
    """One row a film: item_id, title, year, genres (`|` between), tags and plot."""
    return pd.DataFrame([_record(film(seed, number)) for number in numbers])


def _record(one: Film) -> dict[str, object]:
    second, share = one.second_genre
    tags = ["bright" if one.mood > 0.5 else "dark", "fast" if one.tempo > 0.5 else "calm"]
    return {
        "item_id": one.item_id,
        "title": title(one),
        "year": FIRST_YEAR + int(one.stream("year").integers(YEARS)),
        "genres": "|".join([one.genre, *([second] if share >= SECOND else [])]),
        "tags": "|".join([*tags, "wilderness" if one.wild > 0.5 else "city"]),
        "plot": write_synopsis(one),
    }
