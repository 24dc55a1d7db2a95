"""Releases, when each was served, and how two of them differ."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException, Response

from recsys.history import queries
from recsys.history.answers import Format, answer
from recsys.history.parameters import Dataset, Limit, Name
from recsys.history.reader import Opened, Reader, Row

router = APIRouter(tags=["releases"])
Key = tuple[object, ...]


@router.get("/releases")
def releases(db: Opened, dataset: Dataset, limit: Limit = 100, form: Format = "page") -> Response:
    """Releases, the newest first, and every move of what is served."""
    rows = db.rows(queries.RELEASES, dataset=dataset, limit=limit)
    return answer(rows, f"{dataset}-releases", form, moves=db.rows(queries.MOVES, dataset=dataset, limit=limit))


@router.get("/diff")
def diff(db: Opened, dataset: Dataset, one: Name, other: Name) -> dict[str, Any]:
    """How release `other` differs from release `one`: model, gate, counts and metrics. 404 if there is none of them.

    `changes` are items, users and lists, if `one` was served when `other` was made; else null.
    """
    sides = [_read(db, dataset, name) for name in (one, other)]
    counts = [_by(db.rows(queries.STEPS, run=side["run"]), "step", "name") for side in sides]
    figures = [
        _by(db.rows(queries.RELEASE_METRICS, run=side["run"], model=side["model"]), "split", "metric", "k")
        for side in sides
    ]
    return {
        "one": sides[0],
        "other": sides[1],
        "changes": db.row(queries.CHANGES, dataset=dataset, release=other, served=one),
        "counts": [dict(zip(("step", "name"), key, strict=True)) | both for key, both in _beside(*counts)],
        "metrics": [dict(zip(("split", "metric", "k"), key, strict=True)) | both for key, both in _beside(*figures)],
    }


def _read(db: Reader, dataset: str, release: str) -> Row:
    found = db.row(queries.RELEASE, dataset=dataset, release=release)
    if found is None:
        raise HTTPException(404, f"release {release!r} of {dataset!r} was not found, expected one of /api/releases")
    return found


def _by(rows: list[Row], *columns: str) -> dict[Key, object]:
    return {tuple(row[column] for column in columns): row["value"] for row in rows}


def _beside(one: dict[Key, object], other: dict[Key, object]) -> list[tuple[Key, Row]]:
    """Return the values of both sides by key, in the order of the first."""
    return [(key, {"one": one.get(key), "other": other.get(key)}) for key in one | other]
