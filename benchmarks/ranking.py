"""CPU time of an evaluation with equal scores ranked once, relative to ranking such rows a second time, in one run.

    python -m benchmarks.ranking [LOG] [--models NAME ...] [--rounds N]

LOG is a tab-separated table of user, item and 0, 1 or 2 for the split; without it a random log of the size of Amazon
Baby is used (19,445 users, 7,050 items, 160,792 interactions). Both sides rank the same scores on validation and test,
in turn, and must give the same ranking. The second side is `top_items` as it was before: every row with a tie anywhere
at its top is ranked again as a whole, by 64-bit keys.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.worlds import draw, read
from tasks.metrics import EVAL_SPLITS, evaluate, ranking, top_items
from tasks.models import build_model
from tasks.training import TrainingOptions

BABY = {"count": 172_000, "users": 19_445, "items": 7_050}  # some of the drawn pairs are drawn twice


def rank_twice(scores: np.ndarray, k: int) -> np.ndarray:
    """Return the same as `top_items`."""
    items = scores.shape[1]
    k = min(k, items)
    values, columns = torch.topk(torch.from_numpy(scores), min(k + 1, items), dim=1)
    equal = (values[:, 1:] == values[:, :-1]).any(dim=1).numpy()
    best: np.ndarray = columns[:, :k].numpy()
    if equal.any():
        bits = (scores[equal] + np.float32(0)).view(np.int32).astype(np.int64)
        ordered = np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)
        keys = ordered * 2**32 + (items - 1 - np.arange(items))
        best[equal] = torch.topk(torch.from_numpy(keys), k, dim=1).indices.numpy()
    return best


def main() -> None:
    """Print CPU seconds of whole evaluations and their ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("log", nargs="?", type=Path)
    parser.add_argument("--models", nargs="+", default=["popularity", "ease"])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = read(options.log) if options.log else draw(**BABY, content=False)
    print(f"{data.shape[0]} users, {data.shape[1]} items, {data.train.nnz} interactions in training")
    for name in options.models:
        model = build_model(name, {}, data)
        model.fit(TrainingOptions(seed=0, threads=1))
        seconds: dict[str, list[float]] = {"once": [], "twice": []}
        tops: dict[str, np.ndarray] = {}
        for _ in range(options.rounds):
            for side, top in (("once", top_items), ("twice", rank_twice)):
                ranking.top_items = top
                start = time.process_time()
                both = [evaluate(model.scores, data, split) for split in EVAL_SPLITS]
                seconds[side].append(time.process_time() - start)
                tops[side] = np.concatenate([one.top for one in both])
        np.testing.assert_array_equal(tops["once"], tops["twice"])
        once, twice = min(seconds["once"]), min(seconds["twice"])
        print(f"{name}: twice {twice:.2f} s, once {once:.2f} s of CPU: {twice / once:.2f} times faster")


if __name__ == "__main__":
    main()
