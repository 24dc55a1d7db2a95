"""Item records in a release, so that it answers with names: those of its catalogue, and titles in its lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from tasks.data.records import ITEM, TITLE, Records
from tasks.store import Artefact, ArtefactWriter
from tasks.store.item_records import FILE


def save_records(out: ArtefactWriter, records: Records) -> None:
    """Write the records, if there are any."""
    if len(records):
        records.save(out.file(FILE))


def load_records(release: Artefact) -> Records:
    """What `save_records` wrote; none of a release of a dataset without any."""
    return Records.load(release.path(FILE)) if FILE in release.manifest.files else Records.nothing()


def add_titles(tables: Iterable[pa.Table], column: str, records: Records) -> Iterator[pa.Table]:
    """Yield the tables with `title` of the items in `column`, null where none is known; unchanged without titles."""
    if TITLE not in records.fields or not len(records):
        yield from tables
        return
    ids, titles = records.table[ITEM].combine_chunks(), records.table[TITLE].combine_chunks()
    for table in tables:
        yield table.append_column(TITLE, titles.take(pc.index_in(table[column].combine_chunks(), value_set=ids)))
