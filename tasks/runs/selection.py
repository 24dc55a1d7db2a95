"""The part of a log that the models of a run are trained and measured on: filter, k-core and split."""

from __future__ import annotations

import numpy as np

from tasks.data import Cuts, Interactions, LabelledLog, in_order, k_core, labels_of, split
from tasks.errors import BadInput
from tasks.runs.config import RunConfig

PARTS = ("train", "valid", "test")


def select(
    whole: Interactions, item_ids: np.ndarray, config: RunConfig, counts: dict[str, int], *, cuts: Cuts | None = None
) -> LabelledLog:
    """Return the labelled, renumbered log of the items `item_ids`; adds the counts after each stage to `counts`.

    `cuts`: those of the served release, for the split `time`. Equal arguments give equal results: `check-dataset`
    compares what `prepare` wrote with what this returns.
    """

    def note(stage: str, log: Interactions) -> Interactions:
        counts.update({f"{name}_{stage}": number for name, number in log.counts.items()})
        return log

    k = config.k_core
    log = note("with_features", _with_features(note("before", whole), item_ids))
    log = note(f"in_{k}_core", in_order(k_core(log, k)))
    done = split(log, config.split, seed=config.seed, k=k, cuts=cuts)
    counts.update(moved_to_train=done.moved_to_train, dropped_untrained=done.dropped)
    counts.update(users_lost_in_split=done.users_lost, items_lost_in_split=done.items_lost)
    counts.update(users_unmeasured=done.users_unmeasured)
    if done.dropped:
        note("trained", done.interactions)
    counts.update(zip(PARTS, np.bincount(labels_of(done.interactions), minlength=3).tolist(), strict=True))
    return done


def _with_features(interactions: Interactions, item_ids: np.ndarray) -> Interactions:
    known = np.isin(interactions.item_ids, item_ids)
    if not known.any():
        raise BadInput(
            f"none of the {len(known)} items of the log (such as {interactions.item_ids[:3].tolist()}) has features "
            f"(those of {item_ids[:3].tolist()} and others were found), expected the same ids in both"
        )
    return interactions if known.all() else interactions.take(known[interactions.items])
