"""Tables with one row an item: records and descriptors, in the formats of interaction logs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from tasks.data.formats import Source, open_source, read_columns
from tasks.data.ids import normalise_id, quote, tell_apart
from tasks.data.interactions import codes_of
from tasks.data.roles import ITEM, TYPES, find_column
from tasks.errors import BadInput, NotFound

HEADLESS = "dat"  # a format without a line of names


@dataclass(frozen=True)
class ItemTable:
    """n items: `ids` (n,) each once, composed, and the other columns by their names; `item` is that of the ids.

    Columns of a text are strings, whatever stands in them; those of Parquet keep their types.
    """

    source: Source
    item: str
    ids: np.ndarray
    columns: dict[str, pa.ChunkedArray]

    @property
    def name(self) -> str:
        """What messages call the file."""
        return self.source.name


def read_item_table(
    path: Path,
    *,
    name: str | None = None,
    format_name: str = "auto",
    delimiter: str | None = None,
    item_column: str | None = None,
    columns: Sequence[str] | None = None,
    content: str = "item records",
) -> ItemTable:
    """Read a table; without `columns` all of them. Messages count rows from 1, without the header.

    Raises BadInput for what is refused in a log too, an item in two rows, also as `1` and `001`, and for columns that
    are not there.
    """
    if not path.is_file():
        raise NotFound(f"{path} does not exist, expected a file of {content}")
    source = open_source(path, format_name, delimiter, name=name, content=content)
    if source.format == HEADLESS:
        raise BadInput(
            f"{source.name} has columns between '::' and no line with their names, expected {content} with a header: "
            "write it as CSV (docs/own-data.md shows it for movies.dat)"
        )
    item = str(find_column(source, "item", item_column, (*ITEM, "id")))
    chosen = _choose(source, item, columns)
    table = read_columns(source, [item, *chosen.values()], [item], texts=True)
    if not table.num_rows:
        raise BadInput(f"{source.name} has no rows, expected {content}")
    codes, ids = codes_of(table[item], f"column {item} of {source.name}")
    _require_once(source.name, codes, ids)
    return ItemTable(source, item, ids[codes], {plain: table[written] for plain, written in chosen.items()})


def _choose(source: Source, item: str, columns: Sequence[str] | None) -> dict[str, str]:
    """Name without RecBole's type -> name in the file, of the columns beside the ids."""
    plain = {_plain(written): written for written in source.columns if written != item}
    if columns is None:
        return plain
    missing = [column for column in columns if column not in plain]
    if missing:
        raise BadInput(f"{source.describe()}, expected {', '.join(map(repr, missing))} among them")
    twice = sorted({column for column in columns if list(columns).count(column) > 1})
    if twice:
        raise BadInput(f"columns {', '.join(twice)} are asked for twice, expected each once")
    return {column: plain[column] for column in columns}


def _plain(written: str) -> str:
    word, _, kind = written.rpartition(":")
    return word if word and kind in TYPES else written


def _require_once(name: str, codes: np.ndarray, ids: np.ndarray) -> None:
    """Raise BadInput with the rows of the first item that is there twice, in one writing or in two."""
    seen: dict[str, int] = {}
    if len(codes) == len(ids) == len(set(map(normalise_id, ids.tolist()))):
        return
    for row, code in enumerate(codes.tolist(), start=1):
        before = seen.setdefault(normalise_id(ids[code]), row)
        if before != row:
            first, again = str(ids[codes[before - 1]]), str(ids[code])
            how = quote(first) if first == again else tell_apart(first, again)
            raise BadInput(
                f"{name} has {how} in rows {before} and {row}, expected one row for each item, its id written one way"
            )


def field_name(column: str) -> str:
    """The name of a field, as templates can use it: small letters, digits and `_`. BadInput for what cannot be one."""
    name = re.sub(r"[\s.-]+", "_", column.strip().lower())
    if not name.isidentifier() or len(name) > 63:
        raise BadInput(
            f"column {quote(column)} found, expected names of letters, digits and _ that begin with a letter, at most "
            "63 (--columns chooses some)"
        )
    return name
