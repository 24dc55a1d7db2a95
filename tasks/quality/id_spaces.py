"""Checks whether interaction log and features use the same item ids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.data import canonical_integers

FEW = 0.03  # share of one side's items that the other may lack ...
FEW_ITEMS = 5  # ... or this many, in a small catalogue


@dataclass(frozen=True)
class IdSpaces:
    """The result and its numbers; unmatched: logged ids without features, sorted by number."""

    agree: bool
    words: str
    unmatched: list[str]


def compare_id_spaces(logged: np.ndarray, known: np.ndarray) -> IdSpaces:
    """Decide whether a log and features share an id space, from the distinct item ids of each: (n,) and (m,) of str.

    A log whose items were renumbered 0..n-1 joins without an error with features keyed by the original ids: an id that
    both happen to use is treated as the same item. Counts, shapes and names are all valid; only the coverage is that
    of chance. One published system lost its content this way: log 0..2979, features
    3,095 ids of 2..3951, that is 78.4 % of the numbers there, and 2,341 of 2,980 logged items (78.6 %) "had" features,
    nearly all of them those of another film.

    Let n items be logged and m be known, `lost` of the logged not be known and `idle` of the known not be logged. The
    id spaces are assumed to differ in two cases.

    1. One side is *gapless* (exactly 0..n-1 or exactly 1..n, as a renumbering leaves it and a catalogue with a history
       hardly ever) and yet they overlap only in part: lost > max(3 % of n, 5) **and** idle > max(3 % of m, 5). Above:
       lost = 639 (21 %), idle = 754 (24 %). Where the same n items are on both sides and original ids use a share d of
       their range, d n of the renumbered ids are met by chance, so lost = idle = (1 - d) n: a numbering with more than
       3 % of gaps is caught, whatever coverage is asked for.
    2. One side starts at 0, the other at 1, and each has an id that the other lacks: everything is off by one (log
       0..n-1, features 1..n: coverage (n-1)/n, and each item carries its neighbour's content). One side must be
       gapless, or both use 97 % of their range and their last ids are off by one, too: numbers may be missing.

    Both cases need unmatched ids on *both* sides, so a sound catalogue passes: if both use raw ids, neither is gapless;
    if both are 0..n-1, new items without interactions only add to `idle`, and items without media only to `lost`, in
    any number, and both together as long as one of them is small. Ids that are not integers ("film-0042", "007") are
    never gapless. The rule errs towards stopping: a gapless catalogue that has at once more than 3 % of new and more
    than 3 % of lost items looks like a renumbered one; set `allow_contiguous_ids` if it is not. It cannot detect a
    renumbering from which items were removed afterwards; `agreement` can.
    """
    lost, idle = np.setdiff1d(logged, known), np.setdiff1d(known, logged)
    in_log, in_features = _Range.of(logged), _Range.of(known)
    gapless = in_log.gapless or in_features.gapless
    partial = len(lost) > max(FEW * len(logged), FEW_ITEMS) and len(idle) > max(FEW * len(known), FEW_ITEMS)
    shifted = {in_log.first, in_features.first} == {0, 1} and len(lost) > 0 and len(idle) > 0
    slipped = shifted and in_log.dense and in_features.dense and in_log.steps(in_features)
    both = len(logged) - len(lost)
    words = (
        f"logged ids {in_log.words}, ids with features {in_features.words}; {both} in both "
        f"({both / max(len(logged), 1):.1%} of the logged), {len(lost)} only logged, {len(idle)} only with features"
    )
    return IdSpaces(not (slipped or (gapless and (partial or shifted))), words, in_log.sort(lost))


def looks_thinned(logged: np.ndarray, known: np.ndarray) -> bool:
    """Whether the log may have been renumbered and then filtered to known ids, from the item ids of each.

    What is left of 0..n-1 are (nearly) all known ids below n, and none above, however many there are. A catalogue whose
    newest items nobody has taken yet looks the same, so this is no fault by itself.
    """
    numbers, idle = canonical_integers(logged), canonical_integers(np.setdiff1d(known, logged))
    lost = len(np.setdiff1d(logged, known))
    if numbers is None or idle is None or not len(numbers) or lost > max(FEW * len(logged), FEW_ITEMS):
        return False
    above = int((idle > numbers.max()).sum())
    return above > max(FEW * len(known), FEW_ITEMS) and len(idle) - above <= max(FEW * len(logged), FEW_ITEMS)


@dataclass(frozen=True)
class _Range:
    """The range of a set of ids: numbers from `first` to `last`, or None if they are not all integers."""

    size: int
    first: int | None
    last: int | None

    @classmethod
    def of(cls, ids: np.ndarray) -> _Range:
        """Return the range of distinct ids."""
        numbers = canonical_integers(ids)
        if numbers is None or not len(numbers):
            return cls(len(ids), None, None)
        return cls(len(ids), int(numbers.min()), int(numbers.max()))

    @property
    def gapless(self) -> bool:
        """Whether the ids are exactly 0..n-1 or 1..n."""
        return self.first in {0, 1} and self.last is not None and self.last - self.first + 1 == self.size

    @property
    def dense(self) -> bool:
        """Whether few numbers between the first and the last are missing."""
        return (
            self.first is not None and self.last is not None and self.size >= (1 - FEW) * (self.last - self.first + 1)
        )

    def steps(self, other: _Range) -> bool:
        """Whether the last numbers of two ranges are as far apart as their first."""
        if self.first is None or self.last is None or other.first is None or other.last is None:
            return False
        return self.last - other.last == self.first - other.first

    @property
    def words(self) -> str:
        """Description, such as "0..2979 without a gap (2980)"."""
        if self.first is None or self.last is None:
            return f"names ({self.size})"
        gaps = "without a gap" if self.gapless else f"{self.size / (self.last - self.first + 1):.1%} in use"
        return f"{self.first}..{self.last} {gaps} ({self.size})"

    def sort(self, ids: np.ndarray) -> list[str]:
        """Sort ids by number if they are numbers, else by name."""
        key = (lambda one: (int(one), one)) if self.first is not None else (lambda one: (0, one))
        return sorted((str(one) for one in ids), key=key)
