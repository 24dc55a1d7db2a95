"""Maps external ids to row numbers, in a defined order."""

from __future__ import annotations

import re

import numpy as np

from tasks.data.interactions import Interactions

CANONICAL = re.compile(r"0|[1-9][0-9]{0,17}")


def canonical_integers(ids: np.ndarray) -> np.ndarray | None:
    """Return (n,) int64 if every id is a canonical integer ('7', not '07'), else None."""
    if not all(CANONICAL.fullmatch(i) for i in ids.tolist()):
        return None
    return ids.astype(np.int64)


def numbering(ids: np.ndarray) -> np.ndarray:
    """Return positions (n,) that sort distinct `ids`: by number if all are canonical integers, else by code point."""
    numbers = canonical_integers(ids)
    return np.argsort(ids if numbers is None else numbers, kind="stable")


def in_order(interactions: Interactions) -> Interactions:
    """Return the same interactions with sorted vocabularies: code i is row i of everything derived from them."""
    users, user_ids = _renumber(interactions.users, interactions.user_ids)
    items, item_ids = _renumber(interactions.items, interactions.item_ids)
    return Interactions(users, items, user_ids, item_ids, interactions.timestamps, interactions.labels)


def _renumber(codes: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = numbering(ids)
    place = np.empty(len(ids), dtype=np.int32)
    place[order] = np.arange(len(ids), dtype=np.int32)
    return place[codes], ids[order]
