"""Adds interactions to a log, so that the same rows give the same log in whatever order they come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from tasks.data.ids import quote
from tasks.data.interactions import Interactions
from tasks.data.numbering import in_order
from tasks.data.order import order_within
from tasks.errors import BadInput

MOST_NAMED = 3  # contradictions that a sentence names


@dataclass(frozen=True)
class Appended:
    """The log with the new rows, sorted by user and item, and what the new rows were.

    `added` pairs of user and item are new, `repeated` ones are in the log as they are, `contradicting` ones are in it
    with another time; `examples` names some of these, and `earlier` of them have changed the log.
    """

    interactions: Interactions
    added: int
    repeated: int
    contradicting: int
    earlier: int
    examples: str

    @property
    def counts(self) -> dict[str, int]:
        """What the new rows were, then the numbers of the whole log."""
        new = {"added": self.added, "repeated": self.repeated, "contradicting": self.contradicting}
        return new | self.interactions.counts

    @property
    def changed(self) -> bool:
        """Whether the log is another one than before."""
        return bool(self.added or self.earlier)


def append_rows(log: Interactions, new: Interactions) -> Appended:
    """Return `log` with the rows of `new`; each of them has a pair of user and item once.

    Of two times of a pair the earlier one is kept, as in loading; so the order of appending does not matter. Raises
    BadInput if only one of the two has times or labels, and if a pair has two labels.
    """
    _require_same_columns(log, new)
    both = _chain(log, new)
    rows, before, after = _match(both, len(log))
    _require_same_labels(both, before, after)
    other, times = np.zeros(len(before), dtype=bool), both.timestamps
    earlier = other
    if times is not None:
        other, earlier = times[before] != times[after], times[after] < times[before]
        times = times.copy()
        times[before] = np.minimum(times[before], times[after])
    return Appended(
        interactions=replace(both, timestamps=times).take(rows),
        added=len(new) - len(before),
        repeated=len(before) - int(other.sum()),
        contradicting=int(other.sum()),
        earlier=int(earlier.sum()),
        examples=_name_times(both, before[other], after[other]),
    )


def _require_same_columns(log: Interactions, new: Interactions) -> None:
    for what, there, given, remedy in (
        (
            "times",
            log.timestamps,
            new.timestamps,
            "--timestamp-column names their column, --no-timestamp leaves it out",
        ),
        ("labels", log.labels, new.labels, "a column x_label"),
    ):
        if (there is None) != (given is None):
            has, lacks = ("new rows", "log") if there is None else ("log", "new rows")
            raise BadInput(
                f"the {has} found with {what} and the {lacks} without, expected both or neither ({remedy}); without "
                "--append the file replaces the log"
            )


def _chain(log: Interactions, new: Interactions) -> Interactions:
    """Return the rows of `log`, then those of `new`, over one sorted vocabulary; pairs of both occur twice."""
    users, user_ids = _join((log.users, log.user_ids), (new.users, new.user_ids))
    items, item_ids = _join((log.items, log.item_ids), (new.items, new.item_ids))
    times, labels = (
        None if there is None or given is None else np.concatenate([there, given])
        for there, given in ((log.timestamps, new.timestamps), (log.labels, new.labels))
    )
    return in_order(Interactions(users, items, user_ids, item_ids, timestamps=times, labels=labels))


def _join(*columns: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the codes of all (codes, ids), one column after the other, and the ids that they are codes into."""
    ids, places = np.unique(np.concatenate([ids for _, ids in columns]), return_inverse=True)
    parts = np.split(places.astype(np.int32), [len(columns[0][1])])
    return np.concatenate([part[codes] for part, (codes, _) in zip(parts, columns, strict=True)]), ids


def _match(both: Interactions, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the pairs of the first `size` rows, the log, among the rest, the new rows.

    Returns the rows with each pair once, sorted by user and item, of the log where both have it; then, for the pairs of
    both, their rows in the log and their new rows.
    """
    order, new_order = (order_within(both.users[part], both.items[part]) for part in (np.s_[:size], np.s_[size:]))
    if order is None or new_order is None:
        raise BadInput("a user has the same item more than once, expected each pair once")
    new_order = new_order + size
    pairs = both.users.astype(np.int64) * len(both.item_ids) + both.items
    place = np.searchsorted(pairs[order], pairs[new_order])
    there = pairs[order[np.minimum(place, size - 1)]] == pairs[new_order]
    rows = np.insert(order, place[~there], new_order[~there])
    return rows, order[place[there]], new_order[there]


def _require_same_labels(both: Interactions, before: np.ndarray, after: np.ndarray) -> None:
    labels = both.labels
    if labels is None or (labels[before] == labels[after]).all():
        return
    other = labels[before] != labels[after]
    rows = zip(before[other][:MOST_NAMED].tolist(), after[other][:MOST_NAMED].tolist(), strict=True)
    named = "; ".join(f"{_name(both, row)} has {labels[row]} in the log and {labels[again]} now" for row, again in rows)
    raise BadInput(
        f"{int(other.sum())} pairs of user and item found with another label than in the log ({named}), expected the "
        "same x_label; without --append the file replaces the log"
    )


def _name_times(both: Interactions, before: np.ndarray, after: np.ndarray) -> str:
    """Name the first pairs with two times, by both."""
    if both.timestamps is None:
        return ""
    old, new = (both.timestamps[rows[:MOST_NAMED]].tolist() for rows in (before, after))
    return "; ".join(
        f"{_name(both, row)} at {_tell(first)} in the log and at {_tell(second)} now"
        for row, first, second in zip(before[:MOST_NAMED].tolist(), old, new, strict=True)
    )


def _name(log: Interactions, row: int) -> str:
    user, item = log.user_ids[log.users[row]], log.item_ids[log.items[row]]
    return f"user {quote(str(user))} with item {quote(str(item))}"


def _tell(time: int) -> str:
    """Return a time as ISO 8601 where there is such a date, else as the number of seconds."""
    try:
        return datetime.fromtimestamp(time, UTC).isoformat().replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return str(time)
