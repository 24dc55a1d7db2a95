"""Finds ids that log and features write in different ways, such as '5.0' and '5', so that they never match."""

from __future__ import annotations

import os
import re
import string
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.data import Interactions, quote
from tasks.quality.id_spaces import FEW, FEW_ITEMS
from tasks.quality.suite import Evidence, Table, all_true

WAYS: dict[str, Callable[[str], str]] = {
    "a decimal point": lambda one: re.sub(r"(?<=\d)\.0+$", "", one),
    "zeros in front": lambda one: one.lstrip("0") or "0" if one.isdecimal() else one,
    "upper and lower case": str.casefold,
    "accents as one character or two (Unicode NFC, NFD)": lambda one: unicodedata.normalize("NFC", one),
    "blanks": lambda one: "".join(one.split()),
}
PREFIX = "a prefix"
EXPECTED = "ids written as the features write them: write an id one way everywhere"


@dataclass(frozen=True)
class Writing:
    """A difference in writing: its name, and each logged id without features with the id that it would match."""

    way: str
    pairs: dict[str, str]

    @property
    def words(self) -> str:
        """Description with an example."""
        ours, theirs = next(iter(self.pairs.items()))
        return (
            f"the log writes {quote(ours)} where the features write {quote(theirs)} ({self.way}): "
            f"{len(self.pairs)} logged ids without features would have them"
        )


def find_writing(logged: np.ndarray, known: np.ndarray) -> Writing | None:
    """Return the way of writing by which most of the `logged` ids (n,) without features would be `known` (m,).

    None unless these are more than FEW of the logged and FEW_ITEMS, or any where nothing matches. A way under which
    more than FEW of a side's ids would be one is none of that side: ids may differ by case alone.
    """
    ours, theirs = logged.tolist(), known.tolist()
    same = set(ours) & set(theirs)
    found = [Writing(way, _match(_index(ours, key), _index(theirs, key), same)) for way, key in WAYS.items()]
    plain = WAYS["zeros in front"]
    for cut, rest in ((_cut(ours), plain), (plain, _cut(theirs))):  # not both: film-1 and show-1 are two things
        found.append(Writing(PREFIX, _match(_index(ours, cut), _index(theirs, rest), same)))
    best = max(found, key=lambda one: len(one.pairs))
    enough = max(FEW * len(ours), FEW_ITEMS) if same else 0
    return best if len(best.pairs) > enough else None


def _index(ids: list[str], key: Callable[[str], str]) -> dict[str, str]:
    """Key -> id; empty if too many ids share a key."""
    index = {key(one): one for one in reversed(ids)}
    return index if len(index) >= (1 - FEW) * len(ids) else {}


def _match(ours: dict[str, str], theirs: dict[str, str], same: set[str]) -> dict[str, str]:
    pairs = {one: theirs[key] for key, one in ours.items() if key in theirs and one not in same}
    return {one: pairs[one] for one in sorted(pairs)}


def _cut(ids: Iterable[str]) -> Callable[[str], str]:
    """Return what removes the prefix that all ids have, up to a number, and the zeros that pad it."""
    size = len(os.path.commonprefix(list(ids)).rstrip(string.digits))  # noqa: RUF071  ids are no paths
    return lambda one: WAYS["zeros in front"](one[size:] or one)


def writing_table(log: Interactions, known: np.ndarray) -> Table:
    """Return the check that the log writes ids as the features with the distinct ids `known` (m,) do."""
    logged = log.item_ids[np.bincount(log.items, minlength=len(log.item_ids)) > 0]
    writing = find_writing(logged, known)
    evidence = Evidence("no id that would match if it were written another way", elements=len(logged))
    if writing is not None:
        evidence = Evidence(writing.words, len(writing.pairs), len(logged), list(writing.pairs))
    frame = pd.DataFrame({"alike": writing is None}, index=[0])
    rule = all_true("ids_are_written_alike", "interactions", EXPECTED, "alike", evidence=evidence)
    return Table("ids as they are written", frame, [rule])
