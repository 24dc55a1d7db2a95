"""Features whose texts are written from the item records of a run, in place of files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import pandas as pd

from tasks.data.records import ITEM, Records
from tasks.data.templates import parse_template
from tasks.errors import BadInput, NotFound
from tasks.runs.config import Feature
from tasks.runs.inventory import COLUMNS

KEY = "{records}#{item}"  # what the inventory has for the key of a file


def write_texts(records: Records, feature: Feature) -> dict[str, bytes]:
    """Item -> its text, for the items that have one. BadInput for a field that no record has."""
    template = parse_template(feature.template)
    strangers = [name for name in template.fields if name not in records.fields]
    if strangers:
        raise BadInput(
            f"template of feature {feature.name!r} has {', '.join(strangers)}, expected fields of the item records: "
            f"{', '.join(records.fields) or '(none)'}"
        )
    rows = records.table.select([ITEM, *template.fields]).to_pylist()
    texts = ((str(row[ITEM]), template.write(row)) for row in rows)
    return {item: text.encode() for item, text in texts if text is not None}


def inventory_of(records: Records, prefix: str | None, features: Sequence[Feature]) -> pd.DataFrame:
    """Rows of the inventory for the features that have a template. BadInput for one without any text, or records.

    `prefix` is that of the records; their version stands in the key of each text.
    """
    rows = []
    for feature in features:
        if not feature.template:
            continue
        if prefix is None:
            raise NotFound(
                f"feature {feature.name!r} is written from item records, and the dataset has none, expected "
                "`load-items` to have loaded some"
            )
        texts = write_texts(records, feature)
        if not texts:
            raise BadInput(
                f"no item has a text by the template of feature {feature.name!r}, expected its fields in some: put "
                "what an item may lack into square brackets"
            )
        rows += [
            (feature.listed_as, item, KEY.format(records=prefix, item=item), len(text), "", sha256_of(text))
            for item, text in texts.items()
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


def sha256_of(text: bytes) -> str:
    """By which the cache knows a text, whichever item or version of the records it is of."""
    return hashlib.sha256(text).hexdigest()


class WrittenTexts:
    """Answers with the texts of a feature, by the keys of the inventory, as the store does with files."""

    def __init__(self, texts: Mapping[str, bytes], prefix: str) -> None:
        self._texts = {KEY.format(records=prefix, item=item): text for item, text in texts.items()}

    def get(self, key: str, *, limit: int | None = None) -> bytes:
        """The text; `limit` was checked by its size. NotFound for a key that is of none."""
        del limit
        if key not in self._texts:
            raise NotFound(f"{key} is written by no template of the run, expected one of its texts")
        return self._texts[key]
