"""What a feature that items lack costs, by the policy that fills it, on Last.fm-2k and MovieLens-1M.

    python -m benchmarks.missing DATA [--worlds NAME ...] [--seeds N] [--first SEED] [--threads N]

DATA as in `benchmarks.arrivals`. For each seed a tenth of the items arrives, as there, and a fifth of all items, known
and arriving alike, loses one feature, each feature in turn. Beside the complete features, the reference in the same
run, each policy gets:

* cosine: of the filled vector and the lost one, both less the mean of the known items;
* ndcg: NDCG@20 on test of CEASE, which learns from what users took and from features, of all known items;
* gap: Recall@20 on test of the known items with a gap, in the same lists;
* arrivals: Recall@20 of arrivals among themselves, as iALS ranks them by the features.

`drop` leaves items out: of what they are truth for, nothing is found. All figures are means over seeds and features.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

import numpy as np
import yaml

from benchmarks.arrivals import CONFIGS, Drawn, draw, mean_of
from benchmarks.arrivals_content import WORLDS, World, parser_of
from tasks.arrivals.fitting import fit_arrivals
from tasks.data import Dataset
from tasks.data.dataset import PARTS
from tasks.data.missing import Missing, fill
from tasks.metrics import top_items
from tasks.models import build_model
from tasks.training import TrainingOptions

K, SHARE = 20, 5  # every fifth item has a gap
Features = dict[str, np.ndarray]
Figures = dict[str, dict[str, list[float]]]


def measure(drawn: Drawn, features: Features, keep: np.ndarray, gap: np.ndarray, threads: int) -> dict[str, float]:
    """Return the figures of `features`: feature -> (K + A, width), of the items `keep` (K + A,) alone."""
    known, arriving = drawn.data.shape[1], drawn.truth.shape[1]
    old = {name: rows[:known][keep[:known]] for name, rows in features.items()}
    new = {name: rows[known:][keep[known:]] for name, rows in features.items()}
    kept = np.flatnonzero(keep[:known])
    data = replace(restrict(drawn.data, kept), features=old)
    scores = np.full(drawn.data.shape, -np.inf, dtype=np.float32)
    scores[:, kept] = np.where(data.train.toarray() > 0, -np.inf, content_scores(data, threads))
    lists = top_items(scores, K)
    fitted = fit_arrivals(lambda users: drawn.scores[users][:, kept], data, new, seed=0)
    ranked = np.full((data.shape[0], arriving), -np.inf, dtype=np.float32)
    ranked[:, keep[known:]] = fitted.scores(drawn.scores[:, kept])
    return {
        "ndcg": mean_of("ndcg", lists, drawn.data.test),
        "gap": mean_of("recall", lists, drawn.data.test.multiply(gap[:known][None, :]).tocsr()),
        "arrivals": mean_of("recall", top_items(ranked, K), drawn.truth),
    }


def content_scores(data: Dataset, threads: int) -> np.ndarray:
    """Return the scores (users, items) of CEASE with the preset's hyperparameters.

    Every feature has the largest weight that the preset gives to one.
    """
    preset = yaml.safe_load((CONFIGS / f"{data.name}.yaml").read_text(encoding="utf-8"))["hyperparameters"]["cease"]
    content = preset["content"]
    weight = max(content.values()) if isinstance(content, dict) else content
    model = build_model("cease", preset | {"content": weight}, data)
    model.fit(TrainingOptions(threads=threads, seed=0))
    return model.scores(np.arange(data.shape[0]))


def restrict(data: Dataset, items: np.ndarray) -> Dataset:
    """Return the dataset of some of its items; users stay."""
    parts = {part: getattr(data, part)[:, items] for part in PARTS}
    features = {name: rows[items] for name, rows in data.features.items()}
    return replace(data, **parts, item_ids=data.item_ids[items], features=features)


def try_policies(world: World, seed: int, threads: int, found: Figures) -> None:
    """Add to `found` the figures of the complete features and of each policy, for a gap in each feature in turn."""
    drawn = draw(world, seed, threads)
    known = drawn.data.shape[1]
    whole = {name: np.concatenate([drawn.data.features[name], drawn.features[name]]) for name in world.plain}
    count = len(next(iter(whole.values())))
    lose = np.random.default_rng(seed).permutation(count) % SHARE == 0
    everyone, train = np.ones(count, dtype=bool), np.arange(count) < known

    def add(policy: str, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            found[policy][name].append(value)

    add("complete", measure(drawn, whole, everyone, lose, threads))
    for lost in whole:
        given = {name: ~lose if name == lost else everyone for name in whole}
        for policy in get_args(Missing):
            keep = ~lose if policy == "drop" else everyone
            filled = fill(whole, given, train, policy)
            centre = whole[lost][train & ~lose].mean(axis=0)
            add(policy, measure(drawn, filled, keep, lose, threads))
            if policy != "drop":
                add(policy, {f"cosine {lost}": mean_cosine(filled[lost][lose] - centre, whole[lost][lose] - centre)})


def mean_cosine(left: np.ndarray, right: np.ndarray) -> float:
    """Return the mean cosine of rows (n, d) of two matrices, 0 for a row of zeros."""
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return float(np.mean(np.einsum("ij,ij->i", left, right) / np.maximum(lengths, 1e-12)))


def report(found: Figures) -> None:
    """Print means over seeds and features, and in brackets the ratio to the complete features."""
    for policy, figures in found.items():
        words = []
        for name, values in figures.items():
            mean, whole = float(np.mean(values)), found["complete"].get(name)
            words.append(f"{name} {mean:.4f}" + (f" ({mean / float(np.mean(whole)):.3f})" if whole else ""))
        print(f"  {policy:<9} {'  '.join(words)}", flush=True)


def main() -> None:
    """Run each world with each seed."""
    options = parser_of(__doc__).parse_args()
    for name in options.worlds:
        world, found = WORLDS[name](options.data), defaultdict[str, dict[str, list[float]]](lambda: defaultdict(list))
        for seed in range(options.first, options.first + options.seeds):
            try_policies(world, seed, options.threads, found)
            print(f"{name}, seeds {options.first} to {seed}, features {', '.join(world.plain)}", flush=True)
            report(found)


if __name__ == "__main__":
    main()
