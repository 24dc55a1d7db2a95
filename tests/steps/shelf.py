"""Small releases and runs, as they stand in the store and the metrics database after some nights."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import psycopg2

from tasks.store import Artefact, History, Store, read_artefact, release_prefix, write_artefact

DATASET = "films"


def put_run(store: Store, history: History, run: str, *steps: str, dataset: str = DATASET) -> list[Artefact]:
    """A recorded run with a small artefact for each step, each made from the one before."""
    history.start_run(run, dataset, {})
    made: list[Artefact] = []
    for step in steps:
        with write_artefact(store, f"runs/{run}/{step}", inputs=made[-1:]) as out:
            out.json("plan.json", {"run": run, "step": step})
        made.append(read_artefact(store, f"runs/{run}/{step}"))
    return made


def put_release(
    store: Store, history: History, name: str, *, run: str | None = None, dataset: str = DATASET, serve: bool = True
) -> str:
    """A release of three files, made by a run of its own, which is served unless told otherwise; returns its prefix."""
    run, prefix = run or f"run-of-{name}", release_prefix(dataset, name)
    made = put_run(store, history, run, "scan", "prepare", "train-ease", dataset=dataset)
    with write_artefact(store, prefix, inputs=made[1:], parameters={"run": run}) as out:
        out.array("vectors.npy", np.arange(12, dtype=np.float32).reshape(4, 3))
        out.json("config.json", {"release": name})
        out.file("item_mapping.csv").write_text("item_id,idx\na,0\n")
    if serve:
        assert history.promote(dataset, run, "ease", name, {}, "hash", seen=history.champion(dataset))
    return prefix


def execute(dsn: str, statement: str, *values: object) -> None:
    """Change the metrics database by hand."""
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as sql:
        sql.execute(statement, values)
