"""`demo-arrivals`: the table compares those to whom a film is recommended with everybody."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tasks.__main__ import main
from tasks.catalogue import film, fits, viewer
from tasks.catalogue.tastes import appeal, content
from tasks.store import History, Store, release_prefix, write_artefact

VIEWERS, FILMS = 40, 30


def test_a_film_fits_whom_it_appeals_to_more_than_most_films() -> None:
    """Without the noise of what they happened to see."""
    found = fits(7, 3, films=FILMS, viewers=range(VIEWERS))
    shelf = content([film(7, index) for index in range(FILMS)])
    for number in range(VIEWERS):
        liked = appeal(viewer(7, number), shelf)
        assert found[number] == ((liked > liked[3]).sum() < FILMS / 4)


@pytest.mark.services
def test_the_table_says_how_many_and_whether_they_fit(
    folder_store: Store, history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    """Film 3 is in the top 20 of exactly those whom it fits; film 4 is too far down."""
    fitting = np.flatnonzero(fits(7, 3, films=5, viewers=range(VIEWERS)))
    assert 0 < len(fitting) < VIEWERS
    rows = [(f"user-{number:04d}", 1, "film-0000") for number in range(VIEWERS)]
    rows += [(f"user-{number:04d}", 20, "film-0003") for number in fitting] + [("user-0000", 21, "film-0004")]
    with write_artefact(folder_store, release_prefix("demo", "r1")) as out:
        out.frame("recommendations.parquet", pd.DataFrame(rows, columns=["user_id", "rank", "item_id"]))
    history.start_run("n1", "demo", {})
    assert main(["demo-arrivals", "--dataset", "demo", "--first-item", "3", "--items", "2"]) == 2
    assert "dataset 'demo' has no release" in capsys.readouterr().err
    assert history.promote("demo", "n1", "ease", "r1", {}, "h", seen=None)
    assert main(["demo-arrivals", "--dataset", "demo", "--first-item", "3", "--items", "2"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    third, fourth = (next(line for line in lines if line[0] == name) for name in ("film-0003", "film-0004"))
    everybody = f"{len(fitting) / VIEWERS:.0%}"
    assert third[-3:] == [str(len(fitting)), "100%", everybody]
    assert fourth[-3:-1] == ["0", "-"]
