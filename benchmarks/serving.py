"""Response time of a published release that is loaded once; the ratio is to loading it for each answer.

    python -m benchmarks.serving DATASET [--release NAME] [--answers N]

Known users and items are drawn from the release; a new user has a history of twenty items.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from tasks.steps.recommend import find_champion, load_release
from tasks.store import open_store

HISTORY, LOADED = 20, 5


def seconds(answer: Callable[[], object], times: int) -> np.ndarray:
    """Return the seconds of each call, (times,)."""
    durations = []
    for _ in range(times):
        begun = time.perf_counter()
        answer()
        durations.append(time.perf_counter() - begun)
    return np.array(durations)


def main(dataset: str, release: str | None, times: int) -> None:
    """Print one line for each kind of question."""
    store, name = open_store(), release or find_champion(dataset)
    served, rng = load_release(store, dataset, name), np.random.default_rng(0)
    users, items = served.user_ids.astype(str), served.item_ids.astype(str)
    questions: dict[str, Callable[[], object]] = {
        "known user": lambda: served.recommend(str(rng.choice(users))),
        "new user": lambda: served.recommend_new(rng.choice(items, HISTORY, replace=False).tolist()),
        "similar items": lambda: served.similar(str(rng.choice(items))),
    }
    loading = float(np.median(seconds(lambda: load_release(store, dataset, name), LOADED)))
    print(f"release {name} of {served.model}: {len(users)} users, {len(items)} items, loaded in {loading:.2f} s")
    print(f"{'question':<16}{'median ms':>12}{'99% ms':>12}{'ratio':>10}")
    for kind, answer in questions.items():
        answer()  # the first request for similar items prepares them
        measured = seconds(answer, times)
        median, late = np.quantile(measured, [0.5, 0.99])
        print(f"{kind:<16}{median * 1e3:>12.2f}{late * 1e3:>12.2f}{(loading + median) / median:>10.0f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--release")
    parser.add_argument("--answers", type=int, default=500)
    given = parser.parse_args()
    main(given.dataset, given.release, given.answers)
