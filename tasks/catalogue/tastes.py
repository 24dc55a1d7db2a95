"""The interaction log of the generated catalogue: views that follow taste and content, fame, and chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tasks.catalogue.world import Film, Viewer, film, viewer

# Weights relative to standard Gumbel noise: content explains a part of the log, but not all of it.
GENRE, TRAITS, FAME = 5.0, 3.0, 0.8
START = 1_704_067_200  # 2024-01-01T00:00:00Z
FITTING = 0.75  # of the films, which one must appeal more than to be of a viewer's taste
YEAR, WEEK = 365 * 86_400, 7 * 86_400


def content(films: list[Film]) -> np.ndarray:
    """Return the features that determine appeal: (films, 10) float64 of six genres, three traits and fame."""
    return np.stack([np.concatenate([f.genres, f.traits, [f.fame]]) for f in films])


def appeal(who: Viewer, films: np.ndarray) -> np.ndarray:
    """Return the appeal of each film to `who`, without noise: (films,) float64, from `content`."""
    distance = ((films[:, 6:9] - who.traits) ** 2).sum(axis=1)
    return np.asarray(GENRE * (films[:, :6] @ who.genres) - TRAITS * distance + FAME * films[:, 9])


def viewing_log(seed: int, *, items: int, users: int, opening: int) -> pd.DataFrame:
    """Return all views of the first `items` films by `users` viewers: user_id, item_id, timestamp (seconds, UTC).

    A viewer sees a film if its appeal plus Gumbel noise reaches a threshold. It is set so that the viewer sees as many
    of the `opening` films as their activity says (20 to 40, at most half of them): sampling without replacement from a
    softmax. The threshold does not depend on `items`, so with the same `opening` a longer log contains the shorter one.
    Opening films are seen in the 365 days from START, later ones in the following week. Rows are sorted by time, then
    viewer, then film.
    """
    films = [film(seed, index) for index in range(max(items, opening))]
    ids, shelf = np.array([f.item_id for f in films], dtype=object), content(films)
    rows = [_views(viewer(seed, index), shelf, ids, items, opening) for index in range(users)]
    log = pd.concat(rows, ignore_index=True)
    return log.sort_values(["timestamp", "user_id", "item_id"], ignore_index=True)


def _views(who: Viewer, films: np.ndarray, ids: np.ndarray, items: int, opening: int) -> pd.DataFrame:
    # Both streams are consumed film by film, so that more films do not change the draws of the earlier ones.
    drawn = appeal(who, films) + who.stream("choice").gumbel(size=len(films))
    moment = who.stream("time").random(size=len(films))
    activity = min(who.activity, max(opening // 2, 1))
    bar = np.partition(drawn[:opening], -activity)[-activity]
    seen = np.flatnonzero(drawn[:items] >= bar)
    late = seen >= opening
    timestamps = np.where(late, START + YEAR + (moment[seen] * WEEK), START + moment[seen] * YEAR).astype(np.int64)
    return pd.DataFrame({"user_id": who.user_id, "item_id": ids[seen], "timestamp": timestamps})


def fits(seed: int, number: int, *, films: int, viewers: Sequence[int]) -> np.ndarray:
    """Whether (viewers,) film `number` appeals to a viewer more than FITTING of the first `films` do, chance aside."""
    shelf = content([film(seed, index) for index in range(films)])
    appeals = np.stack([appeal(viewer(seed, index), shelf) for index in viewers])  # (viewers, films)
    return np.asarray(appeals[:, number] > np.quantile(appeals, FITTING, axis=1))
