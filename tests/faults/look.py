"""What of a store and its database is half-written, and what names something that is not there or not whole."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

import psycopg2
import pyarrow.parquet as pq

from tasks.errors import TaskError
from tasks.releases.verify import verify_release
from tasks.store import Store, has_artefact, open_store, read_artefact
from tasks.store.artefacts import STAGED
from tasks.store.manifest import MANIFEST
from tests.faults.world import DATASET

COUNTED = ("run", "validation", "validation_result", "training", "metric", "decision", "release", "pointer_move")
LEFT_OVER = (f"/{STAGED}", "/checkpoint-")


@dataclass
class Seen:
    """How things stand."""

    half_written: list[str] = field(default_factory=list)
    wrong_pointers: list[str] = field(default_factory=list)
    champion: tuple[str, str] | None = None  # release and the run that made it
    rows: dict[str, int] = field(default_factory=dict)  # table -> number
    artefacts: dict[str, str] = field(default_factory=dict)  # prefix -> what must be the same in each such night
    release: dict[str, object] = field(default_factory=dict)  # file of the champion -> sha256; figures without seconds
    left_over: list[str] = field(default_factory=list)  # objects that nothing names, of commands that were killed


def look() -> Seen:
    """Read everything in the store and the database of the environment."""
    store, seen = open_store(), Seen()
    keys = [info.key for info in store.list("")]
    seen.left_over = [key for key in keys if any(mark in key for mark in LEFT_OVER)]
    for key in keys:
        try:
            _read(store, key, seen)
        except (TaskError, ValueError, OSError) as error:
            seen.half_written.append(f"{key}: {error}")
    with closing(psycopg2.connect(os.environ["RECSYS_METRICS_DSN"])) as database, database.cursor() as sql:
        for table in COUNTED:
            sql.execute(f"SELECT count(*) FROM rec.{table}")
            seen.rows[table] = sql.fetchone()[0]
        sql.execute("SELECT release, run FROM rec.champion WHERE dataset = %s", (DATASET,))
        seen.champion = sql.fetchone()
        seen.wrong_pointers += [*_wrong_pointers(store, keys), *_wrong_rows(store, sql)]
    served = f"releases/{DATASET}/{seen.champion[0]}" if seen.champion else ""
    if served in seen.artefacts:  # else it is among the wrong pointers
        release = read_artefact(store, served)
        seen.release = {name: entry.sha256 for name, entry in release.manifest.files.items()}
        seen.release["metrics.json"] = release.json("metrics.json") | {"seconds": None}
    return seen


def _read(store: Store, key: str, seen: Seen) -> None:
    """Raise if an object is not what it says it is."""
    folder, _, name = key.rpartition("/")
    if name == MANIFEST:
        artefact = read_artefact(store, folder)
        artefact.verify()
        seen.artefacts[folder] = ",".join(artefact.manifest.files)
    elif key.startswith("embeddings/"):
        digest = hashlib.sha256(store.get(key)).hexdigest()
        if name != f"part-{digest}.parquet" and not (
            name.startswith(("keys-", "joined-")) and name.endswith(f"-{digest}.parquet")
        ):
            raise ValueError("its bytes are not those of its name")
    elif key.startswith("index/"):
        pq.read_table(io.BytesIO(store.get(key)))


def _wrong_pointers(store: Store, keys: list[str]) -> Iterator[str]:
    """Objects that name a version which is not whole."""
    for key in keys:
        folder, _, name = key.rpartition("/")
        if name == "current.json" and not has_artefact(store, f"{folder}/{json.loads(store.get(key))['version']}"):
            yield f"{key} names a version that is not complete"


def _wrong_rows(store: Store, sql: psycopg2.extensions.cursor) -> Iterator[str]:
    """Rows that name what is not whole: releases that are or were served, and trainings."""
    sql.execute("SELECT dataset, release FROM rec.release UNION SELECT dataset, release FROM rec.pointer")
    for dataset, release in sql.fetchall():
        try:
            verify_release(store, dataset, release)
        except TaskError as error:
            yield f"release {release} of {dataset}: {error}"
    sql.execute("SELECT artefact FROM rec.training")
    yield from (f"rec.training names {prefix}" for (prefix,) in sql.fetchall() if not has_artefact(store, prefix))
