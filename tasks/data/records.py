"""Item records: what people call an item, and what else is known of it: title, year, genres, people, plot, tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.data.fields import TYPES, convert, infer_type
from tasks.data.item_tables import ItemTable, field_name
from tasks.data.numbering import numbering
from tasks.errors import BadInput, one_line

ITEM, TITLE, YEAR = "item_id", "title", "year"
LIST = TYPES["list"]
KINDS = {str(kind): name for name, kind in TYPES.items()}


@dataclass(frozen=True)
class Records:
    """Fields of n items, each once, in the order of `numbering`.

    table: `item_id` of strings, and fields of the types of `tasks.data.fields`, null where an item has none.
    """

    table: pa.Table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def ids(self) -> np.ndarray:
        """Item ids (n,)."""
        return np.array(self.table[ITEM].to_pylist(), dtype=np.str_)

    @property
    def fields(self) -> dict[str, str]:
        """Field -> its type."""
        return {field.name: KINDS[str(field.type)] for field in self.table.schema if field.name != ITEM}

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {item: row for row, item in enumerate(self.table[ITEM].to_pylist())}

    def of(self, item: str) -> dict[str, Any]:
        """The fields that an item has, in their order; none for an item without a record."""
        row = self._rows.get(item)
        if row is None:
            return {}
        (record,) = self.table.slice(row, 1).to_pylist()
        return {name: value for name, value in record.items() if name != ITEM and value is not None}

    def label(self, item: str) -> str:
        """How people are shown an item: `id  title (year)`, or the id alone."""
        title = self.title(item)
        return f"{item}  {title}" if title else item

    def title(self, item: str) -> str | None:
        """The title, followed by the year where it does not say it itself; None without one."""
        record = self.of(item)
        title, year = record.get(TITLE), record.get(YEAR)
        title = None if title is None else " ".join(str(title).split())  # in one line
        return title if title is None or year is None or f"({year})" in title else f"{title} ({year})"

    def take(self, items: Iterable[str]) -> Records:
        """The records of those of `items` that have one, in the order of this table."""
        wanted = set(items)
        return Records(self.table.filter(pa.array([item in wanted for item in self._rows], pa.bool_())))

    def save(self, path: Path) -> None:
        """Write a Parquet file; the same records give the same bytes."""
        pq.write_table(self.table, path, compression="zstd")

    @classmethod
    def load(cls, path: Path) -> Records:
        """Read a file written by `save`; raises BadInput for any other file."""
        try:
            table = pq.read_table(path)
        except (pa.ArrowInvalid, OSError) as error:
            raise BadInput(f"{path.name} is not a file of item records: {one_line(error)}") from error
        kinds = [LIST if pa.types.is_list(field.type) else field.type for field in table.schema]
        odd = [field.name for field, kind in zip(table.schema, kinds, strict=True) if str(kind) not in KINDS]
        if ITEM not in table.column_names or odd:
            raise BadInput(f"{path.name} has columns {table.column_names}, expected {ITEM} and fields of {list(TYPES)}")
        plain = [pa.field(name, kind) for name, kind in zip(table.column_names, kinds, strict=True)]
        return cls(table.cast(pa.schema(plain)))  # Parquet names the entries of its lists otherwise

    @classmethod
    def nothing(cls) -> Records:
        """Of no item."""
        return cls(pa.table({ITEM: pa.array([], pa.string())}))


def make_records(table: ItemTable, *, types: Mapping[str, str], title_column: str | None, separator: str) -> Records:
    """Records of a table. `types`: field -> its type in place of the inferred one; `title_column`: that of the title.

    Raises BadInput with all columns that are not of their type, and for types of fields that are not there.
    """
    columns = _name_fields(table, title_column)
    check_types(types, columns)
    wrong, fields = [], {}
    for name, column in columns.items():
        try:
            kind = types.get(name) or infer_type(name, column)
            fields[name] = convert(column, kind, f"column {name} of {table.name}", separator)
        except BadInput as error:
            wrong.append(str(error))
    if wrong:
        raise BadInput("; ".join(wrong))
    order = numbering(table.ids)
    whole = pa.table({ITEM: pa.array(table.ids.tolist(), pa.string()), **fields})
    return Records(whole.take(pa.array(order)).combine_chunks())


def check_types(types: Mapping[str, str], fields: Iterable[str]) -> None:
    """Raise BadInput for a type that is none, or of a field that is not there."""
    for name, kind in types.items():
        if kind not in TYPES:
            raise BadInput(f"type {kind!r} of {name} found, expected one of {', '.join(TYPES)}")
        if name not in fields:
            raise BadInput(f"a type of {name!r} found, expected one of the fields {', '.join(fields) or '(none)'}")


def _name_fields(table: ItemTable, title_column: str | None) -> dict[str, pa.ChunkedArray]:
    """Field -> column; two columns that would have one name are refused, and a table without any."""
    if title_column is not None and title_column not in table.columns:
        raise BadInput(f"{table.source.describe()}, expected the title in {title_column!r}")
    fields: dict[str, pa.ChunkedArray] = {}
    for written, column in table.columns.items():
        name = TITLE if written == title_column else field_name(written)
        if name in fields or name == ITEM:
            raise BadInput(
                f"{table.name} has two columns for {name}, expected one: --columns chooses some, --title-column the "
                "title"
            )
        fields[name] = column
    if not fields:
        raise BadInput(f"{table.source.describe()}, expected fields beside the items, such as title and year")
    return fields
