"""Rows as JSON for the page, or as a file to keep: JSON, CSV or Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query, Response

from recsys.history.reader import Row

Format = Annotated[
    Literal["page", "csv", "json", "parquet"],
    Query(alias="format", description="csv, json or parquet: the rows alone, as a file."),
]
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # with which a spreadsheet takes a text for a formula


def answer(rows: Sequence[Row], name: str, form: str, **more: object) -> Response:
    """Return `{"rows": ..., **more}`, or the rows as the file `name`."""
    if form == "csv":
        return _file(write_csv(rows), "text/csv; charset=utf-8", f"{name}.csv")
    if form == "json":
        return _file(write_json(rows), "application/json", f"{name}.json")
    if form == "parquet":
        return _file(write_parquet(rows), "application/vnd.apache.parquet", f"{name}.parquet")
    return Response(write_json({"rows": rows, **more}), media_type="application/json")


def write_json(value: object) -> str:
    """As FastAPI writes it, in a fraction of the time: rows are dicts of plain values and times."""
    return json.dumps(value, default=datetime.isoformat)


def write_csv(rows: Sequence[Row]) -> str:
    """Rows as CSV; a text that a spreadsheet would calculate begins with an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if rows:
        writer.writerow(rows[0])
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return text.getvalue()


def write_parquet(rows: Sequence[Row]) -> bytes:
    """Rows as Parquet, with times as times; what is nested is JSON, as its parts differ from row to row."""
    import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415  only who asks for it waits for it
    from pyarrow import parquet  # noqa: PLC0415

    plain = [
        {name: json.dumps(value) if isinstance(value, (dict, list)) else value for name, value in row.items()}
        for row in rows
    ]
    file = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(plain), file)
    return file.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (dict, list)):
        value = json.dumps(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _file(content: str | bytes, kind: str, name: str) -> Response:
    return Response(content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
